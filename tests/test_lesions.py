"""Single and double lesions step by step, and the dependencies of a network made by hand."""

from __future__ import annotations

import dataclasses

import numpy as np
import pytest
import torch
from elsewhere import PLACES
from networks import global_random_state_untouched, rng_of
from perceptrons import SIZES, all_live, images, plain_accuracies, random_mlp, unit_layers

from modclust_utils.graphs import live_units
from modclust_utils.lesions import (
    DependencyEdge,
    DoubleLesions,
    dependency_edges,
    double_lesions,
    important_pairs,
    lesion_kind,
    random_unit_sets,
    single_lesions,
    sub_clusters,
)
from modclust_utils.models import MLP
from modclust_utils.stats import empirical_p_value

# --- single lesions ------------------------------------------------------------------------------


def study(seed, n_images=80, sparsity=0.0):
    """A network, images, three clusters that every layer holds a part of, and the live units."""
    network = random_mlp(SIZES, seed, sparsity=sparsity)
    x, y = images(network, n_images, seed + 1)
    labels = np.arange(sum(SIZES)) % 4 - 1
    live = np.concatenate([np.asarray(part) for part in live_units(network.weights)])
    labels[~live] = -1
    return network, x, y, labels, live


@pytest.mark.parametrize(("seed", "sparsity"), [(30, 0.8), (53, 0.5)])
def test_single_lesions_are_what_they_say_step_by_step(seed, sparsity):
    network, x, y, labels, live = study(seed, sparsity=sparsity)
    assert live.all() == (sparsity < 0.8)
    found = single_lesions(network, x, y, labels, live, n_random=11, rng=rng_of(0))
    sub, rng = sub_clusters(labels, SIZES), rng_of(0)
    np.testing.assert_array_equal(found.sub.units, sub.units)
    none = np.zeros((1, sum(SIZES)), bool)
    (accuracy,), (by_class,) = plain_accuracies(network, x, y, none)
    assert found.accuracy == pytest.approx(accuracy)
    np.testing.assert_allclose(found.class_accuracies, by_class)
    ties, ranks = 0, set()
    for i, units in enumerate(sub.units):
        (alone,), (own,) = plain_accuracies(network, x, y, units[None])
        assert found.drop[i] == pytest.approx(accuracy - alone, abs=1e-6)
        np.testing.assert_allclose(found.class_drops[i], by_class - own, atol=1e-12)
        sets = random_unit_sets(units, live, SIZES, 11, rng=rng)
        null = accuracy - plain_accuracies(network, x, y, sets)[0]
        np.testing.assert_allclose(found.null_drops[i], null, atol=1e-6)
        # a tie counts against the sub-cluster
        r = np.sum(null > accuracy - alone - 1e-6)
        ties += int(np.sum(np.abs(null - (accuracy - alone)) < 1e-6))
        ranks.add(int(r))
        assert found.p_value[i] == (r + 1) / 12
        assert found.p_value[i] == empirical_p_value(
            found.drop[i], found.null_drops[i], tail="upper"
        )
        here = unit_layers(SIZES) == sub.layer[i]
        assert found.proportion[i] == sub.size[i] / (live & here).sum()
        assert found.kind[i] == lesion_kind(
            int(sub.size[i]), int(here.sum()), significant=r == 0, drop=found.drop[i]
        )
    assert ties > 0
    # above all, above all but one (with the second network), and others
    assert {0, 1} <= ranks if seed == 53 else 0 in ranks
    assert len(ranks) > 2


def test_single_lesions_come_from_the_generator_alone():
    arguments = study(31)
    with global_random_state_untouched():
        first = single_lesions(*arguments, n_random=6, rng=rng_of(0))
    again = single_lesions(*arguments, n_random=6, rng=rng_of(0))
    other = single_lesions(*arguments, n_random=6, rng=rng_of(1))
    np.testing.assert_array_equal(first.null_drops, again.null_drops)
    np.testing.assert_array_equal(first.drop, other.drop)
    assert (first.null_drops != other.null_drops).any()


def test_one_sub_cluster_alone_carries_a_class():
    """One unit a class, in two layers: without unit 2 of a layer class 2 is lost, and it alone."""
    eye = torch.eye(4)
    network = MLP([eye, eye, eye], [torch.zeros(4)] * 3)
    x, y = eye.repeat(5, 1), torch.arange(4).repeat(5)
    labels = np.tile([0, 0, 1, 0], 4)
    found = single_lesions(network, x, y, labels, all_live((4,) * 4), n_random=3, rng=rng_of(0))
    assert found.accuracy == 1.0
    assert found.class_accuracies.tolist() == [1.0] * 4
    assert found.sub.label.tolist() == [0, 1, 0, 1]
    # all logits 0 count for class 0, so that one is never lost
    assert found.drop.tolist() == [0.5, 0.25, 0.5, 0.25]
    assert found.class_drops.tolist() == [[0, 1, 0, 1], [0, 0, 1, 0]] * 2
    assert found.proportion.tolist() == [0.75, 0.25, 0.75, 0.25]


def test_a_drop_of_exactly_one_point_is_not_above_it():
    """1 - 0.99 is above 0.01 in floating point; one image of a hundred is not above one point."""
    assert 1 - 0.99 > 0.01
    network = MLP([torch.eye(2), torch.eye(2)], [torch.zeros(2)] * 2)
    labels = np.array([-1, -1, -1, 0, -1, -1])
    for n_lost, kind in ((1, "other"), (2, "diff-but-not-sig")):
        y = (torch.arange(100) < n_lost).long()
        x = torch.eye(2)[y]
        live = np.array([1, 1, 0, 1, 1, 1], bool)  # the random sets are the sub-cluster itself
        found = single_lesions(network, x, y, labels, live, n_random=4, rng=rng_of(0))
        assert found.drop.tolist() == [n_lost / 100]
        assert found.p_value.tolist() == [1.0]
        assert found.kind == (kind,)


def test_a_clustering_without_hidden_units_has_no_lesions():
    network, x, y, _, live = study(32)
    labels = np.full(sum(SIZES), -1)
    single = single_lesions(network, x, y, labels, live, n_random=2, rng=rng_of(0))
    assert single.drop.shape == (0,)
    assert single.null_drops.shape == (0, 2)
    assert single.kind == ()
    double = double_lesions(network, x, y, single, live, n_random=2, rng=rng_of(0))
    assert double.pairs.shape == (0, 2)
    assert dependency_edges(single, double) == []


@pytest.mark.parametrize(
    ("changes", "message"),
    [
        ({"labels": np.zeros(3, int)}, r"labels has shape \(3,\)"),
        ({"live": np.zeros(3, bool)}, r"live has shape \(3,\)"),
        ({"live": np.zeros(34, bool)}, "unit_set has .* units in layer 1; allowed: at most 0"),
        ({"n_random": 0}, "n_random=0 is not allowed"),
        ({"n_random": 1.0}, r"n_random=1\.0 is not allowed"),
    ],
)
def test_single_lesions_refuse_bad_input_by_name(changes, message):
    network, x, y, labels, live = study(33)
    options = {"labels": labels, "live": live, "n_random": 2} | changes
    with pytest.raises(ValueError, match=message):
        single_lesions(network, x, y, **options, rng=rng_of(0))


# --- double lesions ------------------------------------------------------------------------------


def test_double_lesions_are_what_they_say_step_by_step():
    network, x, y, labels, live = study(40, n_images=60)
    single = single_lesions(network, x, y, labels, live, n_random=2, rng=rng_of(0))
    found = double_lesions(network, x, y, single, live, n_random=2, rng=rng_of(3))
    sub, rng = single.sub, rng_of(3)
    drawn = [random_unit_sets(units, live, SIZES, 2, rng=rng) for units in sub.units]
    m = len(sub.size)
    expected = [[i, j] for i in range(m) for j in range(m) if sub.layer[i] < sub.layer[j]]
    assert found.pairs.tolist() == expected

    def lost(units):
        sets = np.atleast_2d(units)
        return single.accuracy - plain_accuracies(network, x, y, sets)[0]

    for row, (i, j) in enumerate(expected):
        one, two = sub.units[i], sub.units[j]
        (both,), (only_one,), (only_two,) = lost(one | two), lost(one), lost(two)
        assert found.drop_both[row] == pytest.approx(both, abs=1e-6)
        assert found.delta_first[row] == pytest.approx(both - only_two, abs=1e-6)
        assert found.delta_second[row] == pytest.approx(both - only_one, abs=1e-6)
        r_first = np.sum(lost(drawn[i] | two) > both - 1e-6)
        r_second = np.sum(lost(one | drawn[j]) > both - 1e-6)
        assert found.p_first[row] == (r_first + 1) / 3
        assert found.p_second[row] == (r_second + 1) / 3
        assert found.first_important[row] == (r_first == 0 and both - only_two > 0.0101)
        assert found.second_important[row] == (r_second == 0 and both - only_one > 0.0101)
    assert set(found.p_first) == {1 / 3, 2 / 3, 1.0}
    assert (found.p_first != found.p_second).any()
    assert (found.first_important != found.second_important).any()


def test_some_pairs_are_those_of_all_pairs():
    network, x, y, labels, live = study(41)
    single = single_lesions(network, x, y, labels, live, n_random=2, rng=rng_of(0))
    options = {"n_random": 4}
    everything = double_lesions(network, x, y, single, live, rng=rng_of(5), **options)
    chosen = [7, 2]
    with global_random_state_untouched():
        some = double_lesions(
            network, x, y, single, live, pairs=everything.pairs[chosen], rng=rng_of(5), **options
        )
    for field in dataclasses.fields(DoubleLesions):
        np.testing.assert_array_equal(
            getattr(some, field.name), getattr(everything, field.name)[chosen]
        )
    other = double_lesions(network, x, y, single, live, rng=rng_of(6), **options)
    np.testing.assert_array_equal(other.drop_both, everything.drop_both)
    assert (other.p_first != everything.p_first).any()


def test_no_pairs_give_an_empty_table():
    network, x, y, labels, live = study(42)
    single = single_lesions(network, x, y, labels, live, n_random=2, rng=rng_of(0))
    none = np.zeros((0, 2), int)
    found = double_lesions(network, x, y, single, live, pairs=none, rng=rng_of(0))
    assert found.pairs.shape == (0, 2)
    assert found.drop_both.shape == found.p_first.shape == found.first_important.shape == (0,)


@pytest.mark.parametrize(
    ("pairs", "message"),
    [
        ([[0, 1]], r"pairs has \[0, 1\], whose first is not in an earlier layer"),
        ([[0, 8], [8, 0]], r"pairs has \[8, 0\], whose first is not in an earlier layer"),
        ([[0, 9]], "pairs has indices from 0 to 9; allowed: 0 to 8"),
        ([[-1, 3]], "pairs has indices from -1"),
        ([[0.0, 3.0]], "pairs is of type float64"),
        ([0, 3], r"pairs has shape \(2,\); allowed: \(P, 2\)"),
        ([], r"pairs has shape \(0,\); allowed: \(P, 2\)"),
    ],
)
def test_double_lesions_refuse_other_pairs_by_name(pairs, message):
    network, x, y, labels, live = study(43)
    single = single_lesions(network, x, y, labels, live, n_random=2, rng=rng_of(0))
    assert len(single.drop) == 9
    with pytest.raises(ValueError, match=message):
        double_lesions(network, x, y, single, live, pairs=pairs, rng=rng_of(0))


def test_double_lesions_refuse_sub_clusters_of_another_network():
    network, x, y, labels, live = study(43)
    single = single_lesions(network, x, y, labels, live, n_random=2, rng=rng_of(0))
    other = random_mlp((6, 5, 5, 4), 0)
    with pytest.raises(ValueError, match="single has sub-clusters of 34 units; allowed: 20"):
        double_lesions(other, x, y, single, np.ones(20, bool), rng=rng_of(0))


# --- the dependency graph ------------------------------------------------------------------------


def classes_through_two_layers():
    """Classes 1, 2, 3 each go through one unit of either layer, among 196 that do nothing.

    In layer 1, cluster 0 holds the units of classes 1 and 2, cluster 3 that of class 3; in layer 2
    clusters 1, 2, 3 hold one each. Every sub-cluster has 20 units. Where nothing is left of an
    image, class 0 is chosen, which therefore cannot be lost. Random sets are drawn from the units
    that do nothing, so that all damage is significant.
    """
    sizes = (4, 200, 200, 4)
    first, middle, last = torch.zeros(200, 4), torch.zeros(200, 200), torch.zeros(4, 200)
    first[:4], middle[:4, :4], last[:, :4] = torch.eye(4), torch.eye(4), torch.eye(4)
    network = MLP([first, middle, last], [torch.zeros(200), torch.zeros(200), torch.zeros(4)])
    labels, layers = np.full(sum(sizes), -1), unit_layers(sizes)
    for layer, members in ((1, {0: [1, 2], 3: [3]}), (2, {1: [1], 2: [2], 3: [3]})):
        here = np.flatnonzero(layers == layer)
        idle = iter(here[4:])
        for label, units in members.items():
            labels[here[units]] = label
            labels[[next(idle) for _ in range(20 - len(units))]] = label
    live = np.ones(sum(sizes), bool)
    for layer in (1, 2):
        live[np.flatnonzero(layers == layer)[:4]] = False
    y = torch.arange(4).repeat(3)
    return network, torch.eye(4)[y], y, labels, live


def test_dependencies_of_a_network_made_by_hand():
    network, x, y, labels, live = classes_through_two_layers()
    single = single_lesions(network, x, y, labels, live, n_random=4, rng=rng_of(0))
    places = list(zip(single.sub.layer.tolist(), single.sub.label.tolist(), strict=True))
    assert places == [(1, 0), (1, 3), (2, 1), (2, 2), (2, 3)]
    assert single.drop.tolist() == [0.5, 0.25, 0.25, 0.25, 0.25]
    assert single.kind == ("important",) * 5

    double = double_lesions(network, x, y, single, live, n_random=4, rng=rng_of(0))
    assert double.pairs.tolist() == important_pairs(single).tolist()
    assert double.pairs.tolist() == [[0, 2], [0, 3], [0, 4], [1, 2], [1, 3], [1, 4]]
    assert double.drop_both.tolist() == [0.5, 0.5, 0.75, 0.5, 0.5, 0.25]
    # without class 1 in layer 2, cluster 0 of layer 1 still carries class 2
    assert double.delta_first.tolist() == [0.25, 0.25, 0.5, 0.25, 0.25, 0.0]
    assert double.delta_second.tolist() == [0.0, 0.0, 0.25, 0.25, 0.25, 0.0]
    assert double.first_important.tolist() == [True, True, True, True, True, False]
    assert double.second_important.tolist() == [False, False, True, True, True, False]
    assert dependency_edges(single, double) == [
        DependencyEdge(0, 2, True, False),
        DependencyEdge(0, 3, True, False),
        DependencyEdge(1, 4, False, False),
    ]


def test_important_pairs_lie_in_different_layers_the_earlier_first():
    labels = np.array([0, 0, 1, 2, 0, 1, 0])
    network = random_mlp((1, 3, 2, 1), 0)
    x, y = images(network, 4, 0)
    single = single_lesions(
        network, x, y, labels, all_live((1, 3, 2, 1)), n_random=1, rng=rng_of(0)
    )
    kinds = ("important", "small", "important", "other", "important")
    single = dataclasses.replace(single, kind=kinds)
    assert important_pairs(single).tolist() == [[0, 4], [2, 4]]


# --- on another device ---------------------------------------------------------------------------


@pytest.mark.parametrize("place", PLACES)
def test_lesions_on_another_device_are_those_on_the_cpu(place):
    network, x, y, labels, live = study(50)
    there = MLP(*([place(t) for t in part] for part in (network.weights, network.biases)))
    single, same = (
        single_lesions(*on, labels, live, n_random=5, rng=rng_of(0))
        for on in ((there, place(x), place(y)), (network, x, y))
    )
    np.testing.assert_array_equal(single.null_drops, same.null_drops)
    double, expected = (
        double_lesions(*on, single, live, n_random=3, rng=rng_of(1))
        for on in ((there, place(x), place(y)), (network, x, y))
    )
    np.testing.assert_array_equal(double.drop_both, expected.drop_both)
    np.testing.assert_array_equal(double.p_first, expected.p_first)
