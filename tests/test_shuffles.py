"""Shuffled weights: the same entries in other places, each arrangement as likely as the others."""

from __future__ import annotations

import numpy as np
import pytest
import scipy.stats
import torch
from elsewhere import PLACES
from hypothesis import given
from hypothesis import strategies as st
from hypothesis.extra import numpy as hnp
from networks import global_random_state_untouched, pruned_mlp, rng_of

from modclust_utils.shuffles import MODES, shuffle_weights

RARE = 0.001  # a check of uniformity fails for one seed in a thousand; the seeds here are fixed
MLP = pruned_mlp((30, 20, 20, 12), seed=0, sparsity=0.8)
BY_MODE = pytest.mark.parametrize("mode", MODES)
# on another device than the CPU, shuffles are drawn there, in another way
BY_PLACE = pytest.mark.parametrize("place", [np.asarray, *PLACES])
MATRICES = hnp.arrays(
    np.float64,
    hnp.array_shapes(min_dims=2, max_dims=2, max_side=6),
    elements=st.sampled_from([0.0, 0.0, -1.0, 2.0, 0.5, -0.25]),
)


def plain(weight):
    return weight.detach().cpu().numpy() if isinstance(weight, torch.Tensor) else weight


def shuffled(place, weights, mode, rng):
    """Shuffled in some place, and back again."""
    there = [place(w.copy()) for w in weights]
    found = shuffle_weights(there, mode, rng=rng)
    for new, old, weight in zip(found, there, weights, strict=True):
        assert type(new) is type(old)
        assert new.device == old.device
        np.testing.assert_array_equal(plain(old), weight)
        assert not np.shares_memory(plain(new), plain(old))
    return [plain(w) for w in found]


@BY_PLACE
@BY_MODE
@given(weight=MATRICES, seed=st.integers(0, 2**32))
def test_a_shuffle_keeps_the_entries_and_where_promised_the_zeros(place, mode, weight, seed):
    (found,) = shuffled(place, [weight], mode, rng_of(seed))
    assert found.shape == weight.shape
    assert found.dtype == weight.dtype
    np.testing.assert_array_equal(np.sort(found, axis=None), np.sort(weight, axis=None))
    if mode == "layer-nonzero":
        np.testing.assert_array_equal(found != 0, weight != 0)


@BY_PLACE
@pytest.mark.parametrize(("mode", "n_arrangements"), [("layer", 24), ("layer-nonzero", 6)])
def test_every_arrangement_is_equally_likely(place, mode, n_arrangements):
    weight, rng = np.array([[1.0, 0.0], [2.0, 3.0]]), rng_of(1)
    n_draws = 100 * n_arrangements
    draws = [tuple(shuffled(place, [weight], mode, rng)[0].ravel()) for _ in range(n_draws)]
    arrangements, counts = np.unique(draws, axis=0, return_counts=True)
    assert len(arrangements) == n_arrangements
    assert scipy.stats.chisquare(counts).pvalue > RARE


@BY_PLACE
@BY_MODE
def test_layers_are_shuffled_one_by_one_and_apart(place, mode):
    weight = np.arange(1.0, 26.0).reshape(5, 5)
    first, second = shuffled(place, [weight, weight], mode, rng_of(2))
    assert (first != weight).any()
    assert (first != second).any()
    for found in (first, second):
        np.testing.assert_array_equal(np.sort(found, axis=None), np.sort(weight, axis=None))


@BY_PLACE
@BY_MODE
def test_shuffles_come_from_the_generator_alone(place, mode):
    with global_random_state_untouched():
        first = shuffled(place, MLP, mode, rng_of(0))
    again, other = (shuffled(place, MLP, mode, rng_of(seed)) for seed in (0, 1))
    for a, b, c in zip(first, again, other, strict=True):
        np.testing.assert_array_equal(a, b)
        assert (a != c).any()


@pytest.mark.parametrize(
    "convert",
    [
        torch.tensor,
        lambda w: torch.tensor(w, dtype=torch.float32),
        lambda w: torch.tensor(w.T.copy()).T,
        lambda w: torch.tensor(w, requires_grad=True),
        lambda w: torch.tensor(w).expand(1, *w.shape)[0],
        lambda w: w.astype(np.float32),
        np.asfortranarray,
    ],
)
@BY_MODE
def test_kind_of_array_is_kept_and_does_not_matter(convert, mode):
    weights = [convert(w) for w in MLP]
    before = [plain(w).copy() for w in weights]
    found = shuffle_weights(weights, mode, rng=rng_of(3))
    expected = shuffle_weights(MLP, mode, rng=rng_of(3))
    for a, b, weight, original in zip(found, expected, weights, before, strict=True):
        assert type(a) is (torch.Tensor if isinstance(weight, torch.Tensor) else np.ndarray)
        assert a.dtype == weight.dtype
        np.testing.assert_array_equal(a, b.astype(original.dtype))
        np.testing.assert_array_equal(plain(weight), original)


@BY_MODE
def test_matrices_without_weights_or_without_entries_stay(mode):
    weights = [np.zeros((2, 3)), np.zeros((0, 2)), np.zeros((4, 0))]
    for found, weight in zip(shuffle_weights(weights, mode, rng=rng_of(0)), weights, strict=True):
        np.testing.assert_array_equal(found, weight)


@pytest.mark.parametrize(
    ("weights", "mode", "message"),
    [
        (MLP, "all", "mode='all' is not allowed"),
        ([], "layer", "weights"),
        ([np.ones(3)], "layer", r"weights\[0\] has shape"),
        ([np.full((2, 2), np.inf)], "layer", r"weights\[0\] holds NaN or infinity"),
        ([np.ones((2, 3)), torch.ones(2, 2)], "layer", r"weights\[1\] is of type Tensor"),
    ],
)
def test_bad_input_is_refused_by_name(weights, mode, message):
    with pytest.raises(ValueError, match=message):
        shuffle_weights(weights, mode, rng=rng_of(0))
