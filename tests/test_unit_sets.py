"""Sub-clusters and random sets of units: by hand, by properties, by their distribution."""

from __future__ import annotations

import numpy as np
import pytest
import scipy.stats
from hypothesis import given
from hypothesis import strategies as st
from networks import global_random_state_untouched, rng_of
from perceptrons import SIZES, all_live, unit_layers

from modclust_utils.unit_sets import random_unit_sets, sub_clusters

RARE = 0.001  # a check of uniformity fails for one seed in a thousand; the seeds here are fixed


def test_sub_clusters_are_clusters_by_hidden_layers():
    labels = np.array([0, 1, 2, 1, 1, 0, -1, 3, 0, 2, 3])
    sub = sub_clusters(labels, (2, 4, 3, 2))
    # pixels 0, 1 and logits 2, 3 are in no sub-cluster, and unit 6 is in no cluster
    assert sub.layer.tolist() == [1, 1, 1, 2, 2]
    assert sub.label.tolist() == [0, 1, 2, 0, 3]
    assert [np.flatnonzero(u).tolist() for u in sub.units] == [[5], [3, 4], [2], [8], [7]]
    assert sub.size.tolist() == [1, 2, 1, 1, 1]


@given(
    sizes=st.lists(st.integers(1, 6), min_size=2, max_size=5),
    data=st.data(),
)
def test_sub_clusters_part_the_clustered_hidden_units(sizes, data):
    labels = np.array(
        data.draw(st.lists(st.integers(-1, 3), min_size=sum(sizes), max_size=sum(sizes)))
    )
    sub, layers = sub_clusters(labels, sizes), unit_layers(sizes)
    hidden = (layers > 0) & (layers < len(sizes) - 1) & (labels >= 0)
    np.testing.assert_array_equal(sub.units.sum(0), hidden)
    np.testing.assert_array_equal(sub.units.sum(1), sub.size)
    assert (sub.size > 0).all()
    places = list(zip(sub.layer.tolist(), sub.label.tolist(), strict=True))
    assert places == sorted(set(places))
    for units, layer, label in zip(sub.units, sub.layer, sub.label, strict=True):
        assert set(layers[units]) == {layer}
        assert set(labels[units]) == {label}


@pytest.mark.parametrize(
    ("labels", "message"),
    [
        (np.zeros(10, int), r"labels has shape \(10,\); allowed: \(11,\)"),
        (np.zeros(11), "labels has entries that are no cluster"),
        (np.full(11, -2), "labels has entries that are no cluster"),
    ],
)
def test_sub_clusters_refuse_bad_labels_by_name(labels, message):
    with pytest.raises(ValueError, match=message):
        sub_clusters(labels, (2, 4, 3, 2))


@given(data=st.data(), n_sets=st.integers(1, 9), seed=st.integers(0, 2**32))
def test_random_sets_keep_size_and_layer_and_take_live_units(data, n_sets, seed):
    sizes = (3, 6, 5, 2)
    flags = st.lists(st.booleans(), min_size=16, max_size=16)
    live = np.array(data.draw(flags))
    unit_set = np.array(data.draw(flags)) & live
    found = random_unit_sets(unit_set, live, sizes, n_sets, rng=rng_of(seed))
    assert found.shape == (n_sets, 16)
    assert found.dtype == bool
    assert not (found & ~live).any()
    for layer in range(4):
        here = unit_layers(sizes) == layer
        assert (found[:, here].sum(1) == unit_set[here].sum()).all()


def test_every_random_set_is_equally_likely():
    """Two of four live units in layer 1, and apart from that one of two in layer 2: 12 sets."""
    sizes, live = (1, 5, 3, 1), np.array([1, 1, 1, 0, 1, 1, 1, 1, 0, 1], bool)
    unit_set = np.isin(np.arange(10), [1, 2, 6])
    found = random_unit_sets(unit_set, live, sizes, 2400, rng=rng_of(0))
    sets, counts = np.unique(found, axis=0, return_counts=True)
    assert len(sets) == 12
    assert scipy.stats.chisquare(counts).pvalue > RARE


def test_random_sets_come_from_the_generator_alone():
    unit_set = unit_layers(SIZES) == 2
    unit_set[np.flatnonzero(unit_set)[4:]] = False
    with global_random_state_untouched():
        first = random_unit_sets(unit_set, all_live(SIZES), SIZES, 5, rng=rng_of(0))
    again = random_unit_sets(unit_set, all_live(SIZES), SIZES, 5, rng=rng_of(0))
    other = random_unit_sets(unit_set, all_live(SIZES), SIZES, 5, rng=rng_of(1))
    np.testing.assert_array_equal(first, again)
    assert (first != other).any()
    assert (first[0] != first[1]).any()


@pytest.mark.parametrize(
    ("changes", "message"),
    [
        ({"unit_set": np.ones(33, bool)}, r"unit_set has shape \(33,\)"),
        ({"unit_set": np.ones(34, int)}, "unit_set has .* type int64"),
        ({"live": np.ones((1, 34), bool)}, r"live has shape \(1, 34\)"),
        ({"live": np.arange(34) != 7}, "unit_set has 9 units in layer 1; allowed: at most 8"),
        ({"n_sets": 0}, "n_sets=0 is not allowed: a whole number of 1 or more"),
        ({"n_sets": 2.5}, r"n_sets=2\.5 is not allowed"),
        ({"n_sets": True}, "n_sets=True is not allowed"),
    ],
)
def test_random_sets_refuse_bad_input_by_name(changes, message):
    options = {
        "unit_set": unit_layers(SIZES) == 1,
        "live": all_live(SIZES),
        "layer_sizes": SIZES,
        "n_sets": 2,
    } | changes
    with pytest.raises(ValueError, match=message):
        random_unit_sets(**options, rng=rng_of(0))
