"""The sparsity that pruning aims at, and the weights that it keeps: by hand and by properties."""

from __future__ import annotations

import math

import numpy as np
import pytest
import torch
from elsewhere import PLACES
from hypothesis import given
from hypothesis import strategies as st
from hypothesis.extra import numpy as hnp

from modclust_utils.pruning import magnitude_mask, polynomial_sparsity

# --- the sparsity of pruning ---------------------------------------------------------------------


@pytest.mark.parametrize(
    ("step", "expected"),
    [
        (0, 0.5),
        (50, 0.9 - 0.4 / 8),
        (75, 0.9 - 0.4 / 64),
        (100, 0.9),
        (-5, 0.5),
        (140, 0.9),
    ],
)
def test_sparsity_goes_from_a_half_to_nine_tenths_as_a_cubic(step, expected):
    assert polynomial_sparsity(step, n_steps=100) == pytest.approx(expected)


def test_sparsity_takes_other_ends_and_powers():
    options = {"n_steps": 10, "initial_sparsity": 0.2, "final_sparsity": 0.6}
    assert polynomial_sparsity(5, power=1.0, **options) == pytest.approx(0.4)
    assert polynomial_sparsity(5, power=2.0, **options) == pytest.approx(0.5)


@given(n_steps=st.integers(1, 500), step=st.integers(0, 500))
def test_sparsity_never_falls(n_steps, step):
    here, there = (polynomial_sparsity(s, n_steps=n_steps) for s in (step, step + 1))
    assert 0.5 <= here <= there <= 0.9


def test_sparsity_needs_steps():
    with pytest.raises(ValueError, match="n_steps=0 is not allowed: a whole number of 1 or more"):
        polynomial_sparsity(0, n_steps=0)


@pytest.mark.parametrize(
    ("name", "value"),
    [
        ("step", math.nan),
        ("power", -1),
        ("power", math.nan),
        ("initial_sparsity", -0.5),
        ("final_sparsity", 7),
        ("final_sparsity", math.nan),
    ],
)
def test_sparsity_is_a_share_on_the_way(name, value):
    with pytest.raises(ValueError, match=f"{name}=.* is not allowed"):
        polynomial_sparsity(**{"step": 9, "n_steps": 9, name: value})


# --- masks ---------------------------------------------------------------------------------------


def test_mask_keeps_the_largest_magnitudes():
    weight = torch.tensor([[0.1, -5.0, 2.0], [-0.3, 0.0, 4.0]])
    assert magnitude_mask(weight, 0.5).tolist() == [[False, True, True], [False, False, True]]
    assert magnitude_mask(weight, 0.0).all()
    assert not magnitude_mask(weight, 1.0).any()


@pytest.mark.parametrize(
    ("sparsity", "n_kept"), [(0.0, 10), (0.04, 10), (0.06, 9), (0.5, 5), (0.84, 2), (0.96, 0)]
)
def test_mask_keeps_the_rounded_number(sparsity, n_kept):
    weight = torch.arange(1.0, 11.0).reshape(2, 5)
    assert magnitude_mask(weight, sparsity).sum() == n_kept


def test_ties_are_kept_together():
    weight = torch.tensor([[1.0, -2.0, 2.0, 2.0, 3.0, 0.5]])
    # three entries are to be kept; the third largest has two equals
    assert magnitude_mask(weight, 0.5).tolist() == [[False, True, True, True, True, False]]


@given(
    weight=hnp.arrays(
        np.float32,
        hnp.array_shapes(min_dims=2, max_dims=2, max_side=6),
        elements=st.floats(-2, 2, width=32),
    ),
    sparsity=st.floats(0, 1),
)
def test_what_a_mask_drops_is_smaller_than_what_it_keeps(weight, sparsity):
    before = weight.copy()
    mask = magnitude_mask(torch.from_numpy(weight), sparsity).numpy()
    np.testing.assert_array_equal(weight, before)
    n_keep = round(weight.size * (1 - sparsity))
    kept, dropped = np.abs(weight[mask]), np.abs(weight[~mask])
    assert mask.sum() >= n_keep
    if n_keep == 0:
        assert not mask.any()
    else:
        # beyond n_keep there are ties with the smallest that is kept, and nothing else
        assert (kept > kept.min()).sum() < n_keep
        assert (dropped < kept.min()).all()


@pytest.mark.parametrize("n_zero", [0, 30, 36, 72])
@pytest.mark.parametrize("sparsity", [0.0, 0.25, 0.5, 0.9])
def test_mask_of_a_pruned_matrix_is_that_of_a_plain_selection(n_zero, sparsity):
    weight = torch.randn(2, 8, 9, generator=torch.Generator().manual_seed(1))
    weight[0].view(-1)[torch.randperm(72, generator=torch.Generator().manual_seed(2))[:n_zero]] = 0
    n_keep = round(72 * (1 - sparsity))
    threshold = weight.abs().reshape(2, 72).kthvalue(72 - n_keep + 1, dim=1).values
    assert torch.equal(magnitude_mask(weight, sparsity), weight.abs() >= threshold[:, None, None])


def test_mask_of_a_batch_is_that_of_each_matrix():
    batch = torch.randn(3, 8, 9, generator=torch.Generator().manual_seed(0))
    batch[1] *= 100
    masks = magnitude_mask(batch, 0.7)
    for weight, mask in zip(batch, masks, strict=True):
        assert torch.equal(mask, magnitude_mask(weight, 0.7))
        assert mask.sum() == round(72 * 0.3)


@pytest.mark.parametrize("sparsity", [-0.1, 1.1, math.nan])
def test_mask_refuses_what_is_no_share(sparsity):
    with pytest.raises(ValueError, match=f"sparsity={sparsity} is not allowed: 0 <= sparsity <= 1"):
        magnitude_mask(torch.ones(2, 2), sparsity)


@pytest.mark.parametrize("bad", [math.nan, math.inf])
def test_mask_refuses_weights_without_a_size(bad):
    with pytest.raises(ValueError, match="weight holds NaN or infinity; allowed: finite numbers"):
        magnitude_mask(torch.tensor([[bad, 1.0, 2.0, 3.0]]), 0.5)


def test_mask_of_the_least_whole_number_and_of_sparse_weights():
    assert magnitude_mask(np.array([[-(2**31), 1, 2, 3]], np.int32), 0.75).tolist() == [
        [True, False, False, False]
    ]
    assert magnitude_mask(torch.eye(3).to_sparse(), 2 / 3).equal(torch.eye(3) > 0)


@pytest.mark.parametrize("place", PLACES)
@pytest.mark.parametrize("sparsity", [0.0, 0.33, 0.9, 1.0])
def test_masks_on_another_device_are_those_on_the_cpu(place, sparsity):
    weight = torch.randn(3, 20, 30, generator=torch.Generator().manual_seed(0)).round(decimals=1)
    found = magnitude_mask(place(weight), sparsity)
    np.testing.assert_array_equal(found.tolist(), magnitude_mask(weight, sparsity))
