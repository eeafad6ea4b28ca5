"""Sub-clusters beside random sets: which they are, what their lesions do, and both readings."""

from __future__ import annotations

import numpy as np
import pytest
import torch
from hypothesis import given
from hypothesis import strategies as st
from networks import rng_of
from torch import nn

from modclust_utils.lesion_accuracies import lesion_accuracy
from modclust_utils.specialization import (
    SetLesions,
    UnitSets,
    accuracy_drops,
    class_ranges,
    percentiles,
    set_lesions,
    sub_cluster_sets,
)


@given(
    sizes=st.lists(st.integers(1, 12), min_size=1, max_size=4),
    n_random=st.integers(1, 5),
    smallest=st.integers(1, 4),
    seed=st.integers(0, 2**32),
)
def test_random_sets_have_the_size_and_the_layer_of_their_sub_cluster(
    sizes, n_random, smallest, seed
):
    rng = rng_of(seed)
    layers = np.repeat(np.arange(len(sizes)), sizes)
    labels = rng.integers(-1, 3, len(layers))
    sets = sub_cluster_sets(labels, layers, n_random=n_random, smallest=smallest, rng=rng)
    expected = [
        (layer, label)
        for layer, size in enumerate(sizes)
        for label in range(3)
        if smallest <= (n := ((layers == layer) & (labels == label)).sum()) and n <= 0.99 * size
    ]
    assert [(each.layer, each.label) for each in sets] == expected
    for each in sets:
        own = labels[layers == each.layer]
        assert each.units.shape == (1 + n_random, sizes[each.layer])
        np.testing.assert_array_equal(each.units[0], own == each.label)
        assert (each.units.sum(1) == each.size).all()
        assert not each.units[:, own == -1].any()


def test_every_unit_is_drawn_as_often_as_any_other():
    labels = np.array([0, 0, 1, 1, 1, -1, 2, 2])
    sets = sub_cluster_sets(labels, np.zeros(8, int), n_random=4000, rng=rng_of(0))
    drawn = sets[1].units[1:].mean(0)
    np.testing.assert_allclose(drawn, np.where(labels == -1, 0, 3 / 7), atol=0.03)


def test_sets_depend_on_the_seed_alone():
    labels, layers = rng_of(0).integers(0, 3, 30), np.zeros(30, int)
    first, again, other = (sub_cluster_sets(labels, layers, rng=rng_of(s)) for s in (1, 1, 2))
    assert all((a.units == b.units).all() for a, b in zip(first, again, strict=True))
    assert any((a.units != b.units).any() for a, b in zip(first, other, strict=True))


def test_matched_sets_have_the_mean_of_their_sub_cluster_too():
    rng = rng_of(0)
    numbers = np.concatenate([rng.normal(size=60), 100 + rng.normal(size=60)])
    labels, layers = (np.arange(120) % 60 < 15).astype(int), np.repeat([0, 1], 60)
    order = np.argsort(numbers[:60])
    labels[:60] = 1
    labels[order[30:58:2]] = 0  # more than average, but not the largest
    matched, plain = (
        sub_cluster_sets(labels, layers, match=m, rng=rng_of(1)) for m in (numbers, None)
    )
    for each, other in zip(matched, plain, strict=True):
        own = numbers[layers == each.layer]
        means = (each.units * own).sum(1) / each.size
        assert np.abs(means - means[0]).max() <= 0.01 * own.std()
        assert (each.units.sum(1) == each.size).all()
        assert len(np.unique(each.units, axis=0)) == 20
        if (each.layer, each.label) == (0, 0):
            plain_means = (other.units * own).sum(1) / other.size
            assert plain_means[1:].mean() < means[0] - 0.3 * own.std()


def test_a_matched_set_comes_as_near_as_it_can_and_keeps_to_the_live_units():
    labels = np.array([0, 0, 0, 1, 1, 1, 1, 1, -1, -1])
    numbers = np.array([9.0, 8, 7, 1, 2, 3, 4, 5, 9, 9])
    (first, _) = sub_cluster_sets(labels, np.zeros(10, int), match=numbers, rng=rng_of(0))
    # nothing but the sub-cluster itself has its mean
    assert (first.units == first.units[0]).all()
    everything = sub_cluster_sets([0, 0, -1], [0, 0, 0], match=[1, 2, 3], rng=rng_of(0))
    assert (everything[0].units == [True, True, False]).all()


@pytest.mark.parametrize(
    ("labels", "layers", "settings", "message"),
    [
        ([0, 1], [0, 0], {"match": [1.0]}, r"match has shape \(1,\); allowed: finite numbers"),
        ([0, 1], [0, 0], {"match": [1.0, np.nan]}, r"match has shape \(2,\); allowed: finite"),
        ([0, 1], [0], {}, r"layer_of_unit has shape \(1,\)"),
        ([0, 1], [1, 0], {}, "layer_of_unit is not in order"),
        ([0, -2], [0, 0], {}, "labels has entries that are no cluster"),
        ([0, 0], [0, 0], {"n_random": 0}, "n_random=0 is not allowed"),
    ],
)
def test_bad_labels_are_refused(labels, layers, settings, message):
    with pytest.raises(ValueError, match=message):
        sub_cluster_sets(labels, layers, rng=rng_of(0), **settings)


# --- lesions -------------------------------------------------------------------------------------


def small_network():
    torch.manual_seed(0)
    return nn.Sequential(
        nn.Conv2d(1, 6, 3), nn.BatchNorm2d(6), nn.ReLU(),
        nn.Conv2d(6, 5, 3), nn.ReLU(), nn.Flatten(), nn.Linear(80, 4),
    ).double().eval()  # fmt: skip


def photos(n):
    rng = rng_of(3)
    return torch.tensor(rng.normal(size=(n, 1, 8, 8))), torch.tensor(rng.integers(3, size=n))


def test_lesions_of_sets_are_those_one_by_one():
    network, (x, y) = small_network(), photos(80)
    labels = np.array([0, 1, 0, 1, 2, 1, 0, 0, 1, 1, 1])
    sets = sub_cluster_sets(labels, np.repeat([0, 1], [6, 5]), n_random=3, rng=rng_of(0))
    assert [each.layer for each in sets] == [0, 0, 1, 1]
    found = set_lesions(network, x, y, sets, ["1", "3"])
    assert found.lesioned.shape == (4, 4, 4)
    none = np.zeros((1, 6), bool)
    np.testing.assert_array_equal(
        found.class_accuracies, lesion_accuracy(network, x, y, none, layers=["1"])[1][0]
    )
    for each, row in zip(sets, found.lesioned, strict=True):
        layer = ["1", "3"][each.layer]
        for units, accuracies in zip(each.units, row, strict=True):
            expected = lesion_accuracy(network, x, y, units[None], layers=[layer])[1][0]
            np.testing.assert_array_equal(accuracies, expected)
    assert found.class_counts.tolist() == [*torch.bincount(y).tolist(), 0]  # no image of class 3
    assert np.isfinite(accuracy_drops(found)).all()
    assert np.isfinite(class_ranges(found)).all()


def test_a_layer_without_sets_need_not_be_named_for_what_it_is():
    network, (x, y) = small_network(), photos(20)
    sets = [UnitSets(1, 0, np.eye(5, dtype=bool))]
    found = set_lesions(network, x, y, sets, ["no such layer", "3"])
    assert found.lesioned.shape == (1, 5, 4)


@pytest.mark.parametrize(
    ("sets", "message"),
    [
        ([], r"sets=\[\] is not allowed"),
        ([UnitSets(2, 0, np.eye(5, dtype=bool))], r"sets are in layers \[2\]; allowed: 0 to 1"),
        ([UnitSets(1, 0, np.eye(4, dtype=bool))], "units 5 of '3'"),
        ([np.eye(5, dtype=bool)], r"sets\[0\] is of type ndarray; allowed: UnitSets"),
        ("ab", "sets='ab' is not allowed: one or more UnitSets"),
        (
            [UnitSets(1, 0, np.eye(5, dtype=bool)), UnitSets(0, 0, np.ones((3, 6), bool))],
            r"sets\[1\].units has shape \(3, 6\) .* allowed: boolean \(5, n_layer\), as many rows",
        ),
        (
            [UnitSets(1, 0, np.eye(5, dtype=bool)), UnitSets(1, 1, np.ones((5, 4), bool))],
            r"sets\[1\].units has shape \(5, 4\) .* \(5, 5\), .* units of layer 1",
        ),
    ],
)
def test_sets_that_do_not_fit_the_network_are_refused(sets, message):
    network, (x, y) = small_network(), photos(5)
    with pytest.raises(ValueError, match=message):
        set_lesions(network, x, y, sets, ["1", "3"])


def test_a_layer_is_a_whole_number():
    network, (x, y) = small_network(), photos(5)
    units = np.eye(5, dtype=bool)
    with pytest.raises(ValueError, match=r"sets\[0\]\.layer=1\.0 is not allowed: a whole number"):
        set_lesions(network, x, y, [UnitSets(1.0, 0, units)], ["1", "3"])


def test_a_network_that_says_nothing_has_no_accuracies():
    network, (x, y) = small_network(), photos(5)
    nn.init.constant_(network[3].weight, float("nan"))
    with pytest.raises(ValueError, match="what network puts out holds NaN or infinity"):
        set_lesions(network, x, y, [UnitSets(1, 0, np.eye(5, dtype=bool))], ["1", "3"])


# --- measures ------------------------------------------------------------------------------------

# two classes of 30 and 10 images and one of none; a sub-cluster and two random sets
BY_HAND = SetLesions(
    class_accuracies=np.array([0.9, 0.8, np.nan]),
    lesioned=np.array([[[0.5, 0.8, np.nan], [0.9, 0.8, np.nan], [0.8, 0.9, np.nan]]]),
    class_counts=np.array([30, 10, 0]),
)


def test_both_readings_of_the_accuracy_drop_by_hand():
    drops = accuracy_drops(BY_HAND, reading="images")
    np.testing.assert_allclose(drops, [[0.4 * 30 / 40, 0, (0.1 * 30 - 0.1 * 10) / 40]], atol=1e-12)
    np.testing.assert_allclose(
        accuracy_drops(BY_HAND, reading="classes"), [[0.2, 0, 0]], atol=1e-12
    )


def test_both_readings_of_the_class_range_by_hand():
    np.testing.assert_allclose(class_ranges(BY_HAND), [[0.4, 0, 0.2]], atol=1e-12)
    relative = class_ranges(BY_HAND, reading="relative")
    np.testing.assert_allclose(relative, [[0.4 / 0.2, 0, np.inf]], atol=1e-12)


def test_measures_of_lists_are_those_of_arrays():
    lists = SetLesions(**{name: each.tolist() for name, each in vars(BY_HAND).items()})
    np.testing.assert_array_equal(accuracy_drops(lists), accuracy_drops(BY_HAND))
    np.testing.assert_array_equal(class_ranges(lists), class_ranges(BY_HAND))


def test_percentiles_of_rows():
    table = [[0.4, 0.0, 0.2], [1.0, 0.0, np.inf], [0.0, 0.0, 0.0]]
    np.testing.assert_allclose(percentiles(table), [1 / 6, 1 / 2, 1 / 2])
    np.testing.assert_allclose(percentiles(table[:2], tail="lower"), [5 / 6, 1 / 2])


@pytest.mark.parametrize(
    ("call", "message"),
    [
        (lambda: accuracy_drops(BY_HAND, reading="all"), "reading='all' is not allowed: 'classes'"),
        (
            lambda: class_ranges(BY_HAND, reading="all"),
            "reading='all' is not allowed: 'difference'",
        ),
        (lambda: accuracy_drops(None), "lesions is of type NoneType; allowed: SetLesions"),
        (lambda: class_ranges([0.5]), "lesions is of type list; allowed: SetLesions"),
        (lambda: percentiles([[1.0]]), r"measures has shape \(1, 1\)"),
        (lambda: percentiles([[1.0, np.nan]]), "without NaN"),
    ],
)
def test_bad_measures_are_refused(call, message):
    with pytest.raises(ValueError, match=message):
        call()
