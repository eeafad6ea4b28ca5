"""The test of a network against its shuffles, and n-cuts of networks that were not trained."""

from __future__ import annotations

import math

import numpy as np
import pytest
import scipy.stats
import torch
from elsewhere import PLACES
from networks import global_random_state_untouched, grouped_mlp, pruned_mlp, rng_of

from modclust_utils.clustering import cluster_network, ncut, sklearn_spectral_clustering
from modclust_utils.graphs import drop_dead_units, mlp_adjacency
from modclust_utils.models import glorot_mlp
from modclust_utils.nulls import (
    MODES,
    random_ncuts,
    shuffle_test,
    shuffle_tests,
    shuffle_weights,
)

RARE = 0.001  # a check of uniformity fails for one seed in a thousand; the seeds here are fixed
SIZES = (30, 20, 20, 12)
MLP = pruned_mlp(SIZES, seed=0, sparsity=0.8)
BY_MODE = pytest.mark.parametrize("mode", MODES)

# --- the test against them -----------------------------------------------------------------------


@BY_MODE
def test_shuffle_test_is_what_it_says_step_by_step(mode):
    """Dead units dropped, shuffled, dropped again, clustered: each shuffle in its own stream."""
    weights = pruned_mlp(SIZES, seed=1, sparsity=0.9)
    found = shuffle_test(weights, 3, n_shuffles=12, mode=mode, rng=rng_of(4))
    reduced = drop_dead_units(weights)
    assert reduced[0].shape != weights[0].shape

    own_rng, *rngs = rng_of(4).spawn(13)
    assert found.ncut == pytest.approx(cluster_network(weights, 3, rng=own_rng)[1], rel=1e-6)
    null = []
    for rng in rngs:
        shuffled = shuffle_weights(reduced, mode, rng=rng)
        labels, _ = cluster_network(shuffled, 3, rng=rng)
        null.append(ncut(mlp_adjacency(shuffled), labels))
    np.testing.assert_allclose(found.null_ncuts, null, rtol=1e-5)
    assert np.std(null) > 0.01

    assert found.p_value == (np.sum(found.null_ncuts < found.ncut) + 1) / 13
    distance = found.ncut - np.mean(found.null_ncuts)
    assert found.z_score == pytest.approx(distance / np.std(found.null_ncuts))


def test_shuffle_test_agrees_with_one_by_scikit_learn():
    """Other code, other random numbers: two samples of one distribution."""
    weights = pruned_mlp((60, 40, 40, 10), seed=2, sparsity=0.8)
    found = shuffle_test(weights, 3, n_shuffles=40, mode="layer", rng=rng_of(0))
    null = []
    for rng in rng_of(1).spawn(40):
        graph = mlp_adjacency(shuffle_weights(drop_dead_units(weights), "layer", rng=rng))
        null.append(ncut(graph, sklearn_spectral_clustering(graph, 3, rng=rng)))
    assert scipy.stats.ks_2samp(found.null_ncuts, null).pvalue > RARE
    assert scipy.stats.ttest_ind(found.null_ncuts, null).pvalue > RARE


@pytest.mark.parametrize("n_shuffles", [1, 5, 9])
def test_the_first_shuffles_of_a_longer_test_are_those_of_a_shorter_one(n_shuffles):
    """Ten go through in batches of eight and two; no result depends on those beside it."""
    weights = pruned_mlp((200, 100, 100, 100, 10), seed=3, sparsity=0.5)
    long = shuffle_test(weights, 6, n_shuffles=10, mode="layer", rng=rng_of(5))
    short = shuffle_test(weights, 6, n_shuffles=n_shuffles, mode="layer", rng=rng_of(5))
    np.testing.assert_allclose(long.null_ncuts[:n_shuffles], short.null_ncuts, rtol=1e-6)
    assert long.ncut == short.ncut
    assert len(set(long.null_ncuts)) == 10


@pytest.mark.parametrize("n_jobs", [1, 2])
def test_tests_for_several_numbers_of_clusters_are_those_one_by_one(n_jobs):
    options = {"n_shuffles": 20, "mode": "layer-nonzero"}
    together = shuffle_tests(MLP, [5, 2, 3], rng=rng_of(8), n_jobs=n_jobs, **options)
    for n_clusters, found in zip([5, 2, 3], together, strict=True):
        alone = shuffle_test(MLP, n_clusters, rng=rng_of(8), **options)
        np.testing.assert_allclose(found.null_ncuts, alone.null_ncuts, rtol=1e-5)
        assert len(set(alone.null_ncuts)) > 1
        assert found.ncut == pytest.approx(alone.ncut, rel=1e-5)
        assert found.p_value == alone.p_value
        assert found.z_score == pytest.approx(alone.z_score, rel=1e-3)


@BY_MODE
def test_shuffle_test_comes_from_the_generator_alone(mode):
    options = {"n_shuffles": 6, "mode": mode}
    with global_random_state_untouched():
        first = shuffle_test(MLP, 3, rng=rng_of(0), **options)
    again = shuffle_test(MLP, 3, rng=rng_of(0), **options)
    other = shuffle_test(MLP, 3, rng=rng_of(1), **options)
    np.testing.assert_array_equal(first.null_ncuts, again.null_ncuts)
    assert (first.ncut, first.p_value, first.z_score) == (again.ncut, again.p_value, again.z_score)
    assert (first.null_ncuts != other.null_ncuts).any()


def test_two_tests_with_one_generator_differ():
    rng = rng_of(0)
    first, second = (shuffle_test(MLP, 3, n_shuffles=5, mode="layer", rng=rng) for _ in range(2))
    assert (first.null_ncuts != second.null_ncuts).all()


@pytest.mark.parametrize(
    "convert",
    [
        torch.tensor,
        lambda w: w.astype(np.float32),
        lambda w: torch.tensor(w, dtype=torch.float32, requires_grad=True),
        lambda w: torch.tensor(w.T.copy()).T,
        lambda w: w * 2.0**-150,
        lambda w: -w,
    ],
)
def test_neither_kind_of_array_nor_scale_nor_sign_matters(convert):
    options = {"n_shuffles": 8, "mode": "layer"}
    expected = shuffle_test(MLP, 3, rng=rng_of(7), **options)
    found = shuffle_test([convert(w) for w in MLP], 3, rng=rng_of(7), **options)
    np.testing.assert_allclose(found.null_ncuts, expected.null_ncuts, rtol=1e-6)
    assert found.ncut == pytest.approx(expected.ncut, rel=1e-6)


def test_weights_are_left_as_they_are():
    weights = [w.copy() for w in MLP]
    for weight in weights:
        weight.flags.writeable = False
    shuffle_test(weights, 2, n_shuffles=2, mode="layer", rng=rng_of(0))
    for weight, original in zip(weights, MLP, strict=True):
        np.testing.assert_array_equal(weight, original)


@pytest.mark.parametrize("seed", range(3))
@BY_MODE
def test_a_network_in_parts_is_more_clusterable_than_its_shuffles(seed, mode):
    weights = grouped_mlp((40, 28, 28, 12), 4, seed, between=0.05)
    found = shuffle_test(weights, 4, n_shuffles=19, mode=mode, rng=rng_of(seed))
    assert found.p_value == 1 / 20
    assert found.z_score < -3


def test_p_values_of_networks_without_structure_are_uniform():
    """Weights in random order are one more shuffle of themselves, so every rank is as likely."""
    ranks = []
    for seed in range(120):
        weights = pruned_mlp((16, 12, 10, 6), seed, sparsity=0.3)
        options = {"n_shuffles": 7, "mode": "layer", "n_init": 3}
        found = shuffle_test(weights, 2, rng=rng_of(seed), **options)
        ranks.append(round(found.p_value * 8))
    counts = np.bincount(ranks, minlength=9)
    assert counts[0] == 0
    assert scipy.stats.chisquare(counts[1:]).pvalue > RARE


@pytest.mark.parametrize("sizes", [(32, 196), (32, 32), (10, 32)])
def test_a_network_that_falls_apart_as_its_shuffles_do_is_not_significant(sizes):
    """So few weights are left that two parts without an edge between them are easily found."""
    n_apart = 0
    for seed in range(40):
        weights = pruned_mlp(sizes, seed, sparsity=0.98)
        found = shuffle_test(weights, 2, n_shuffles=39, mode="layer", rng=rng_of(seed))
        assert found.p_value > 0.05
        n_apart += found.ncut == 0.0
        if found.ncut == 0.0:
            assert found.p_value == (np.sum(found.null_ncuts == 0.0) + 1) / 40
    assert n_apart >= 39


# all weights of a layer moved, or those that are left: the same network again
NOTHING_TO_MOVE = {
    "equal weights everywhere": ("layer", lambda w: np.full_like(w, 0.3)),
    "equal weights": ("layer-nonzero", lambda w: 0.3 * (w != 0)),
    "binary weights": ("layer-nonzero", lambda w: 1.0 * (w != 0)),
}


@pytest.mark.parametrize("case", NOTHING_TO_MOVE)
@pytest.mark.parametrize("seed", range(5))
def test_a_network_that_is_all_of_its_shuffles_is_not_significant(case, seed):
    """Only k-means may make a difference, where it ends in another partition."""
    mode, change = NOTHING_TO_MOVE[case]
    weights = [change(w) for w in pruned_mlp(SIZES, seed, sparsity=0.8)]
    for shuffled, weight in zip(
        shuffle_weights(weights, mode, rng=rng_of(0)), weights, strict=True
    ):
        np.testing.assert_array_equal(shuffled, weight)
    found = shuffle_test(weights, 3, n_shuffles=39, mode=mode, rng=rng_of(seed))
    ties = np.abs(found.null_ncuts - found.ncut) < 1e-6
    assert ties.any()
    assert found.p_value == (np.sum(ties | (found.null_ncuts < found.ncut)) + 1) / 40
    assert found.p_value > 0.05
    assert math.isnan(found.z_score) == ties.all()


def test_rounding_decides_no_tie():
    """A network in two parts that no shuffle of its layers can join: every n-cut is 0."""
    weights = pruned_mlp((10, 8, 6, 4), seed=2, sparsity=0.0)
    weights[1][:] = 0.0
    found = shuffle_test(weights, 2, n_shuffles=9, mode="layer", rng=rng_of(0))
    assert found.ncut == 0.0
    assert (found.null_ncuts == 0.0).all()
    assert found.p_value == 1.0
    assert math.isnan(found.z_score)


@BY_MODE
def test_one_cluster_has_nothing_to_cut(mode):
    found = shuffle_test(MLP, 1, n_shuffles=9, mode=mode, rng=rng_of(0))
    assert found.ncut == 0.0
    assert found.p_value == 1.0
    assert math.isnan(found.z_score)


def test_a_single_shuffle_has_no_spread():
    found = shuffle_test(MLP, 2, n_shuffles=1, mode="layer", rng=rng_of(0))
    assert found.null_ncuts.shape == (1,)
    assert found.p_value in (0.5, 1.0)
    assert math.isnan(found.z_score)


def test_shuffles_may_leave_fewer_live_units_than_clusters():
    """Three weights in one row or column of a 3x3 matrix leave one live unit on a side."""
    found = shuffle_test([np.eye(3)], 3, n_shuffles=60, mode="layer", rng=rng_of(0))
    assert found.ncut == 0.0
    assert np.isfinite(found.null_ncuts).all()
    assert found.null_ncuts.min() >= 0.0
    assert found.null_ncuts.max() <= 3.0


def test_numbers_of_numpy_count_as_numbers():
    options = {"mode": "layer"}
    expected = shuffle_test(MLP, 3, n_shuffles=4, rng=rng_of(0), **options)
    found = shuffle_test(MLP, np.uint8(3), n_shuffles=np.int64(4), rng=rng_of(0), **options)
    np.testing.assert_array_equal(found.null_ncuts, expected.null_ncuts)


@pytest.mark.parametrize(
    ("changes", "message"),
    [
        ({"n_clusters": 0}, "n_clusters=0 is not allowed: a whole number of 1 or more"),
        ({"n_clusters": 2.0}, r"n_clusters=2\.0 is not allowed"),
        ({"n_clusters": True}, "n_clusters=True is not allowed"),
        ({"n_clusters": 99}, r"n_clusters=99 is not allowed: 1 to \d+, the number of units"),
        ({"n_shuffles": 0}, "n_shuffles=0 is not allowed: a whole number of 1 or more"),
        ({"n_shuffles": -3}, "n_shuffles=-3 is not allowed"),
        ({"n_shuffles": 2.5}, r"n_shuffles=2\.5 is not allowed"),
        ({"n_init": 0}, "n_init=0 is not allowed"),
        ({"n_jobs": 0, "n_shuffles": 9}, "n_jobs=0 is not allowed"),
        ({"mode": "layer_nonzero"}, "mode='layer_nonzero' is not allowed: 'layer' or 'layer-non"),
        ({"mode": None}, "mode=None is not allowed"),
        ({"weights": []}, r"weights=\[\] is not allowed"),
        ({"weights": [np.zeros((3, 4))]}, "weights are all 0"),
        ({"weights": [np.full((3, 4), np.nan)]}, r"weights\[0\] holds NaN"),
        ({"weights": [np.ones((3, 4)), np.ones((3, 4))]}, r"weights\[1\] has shape \(3, 4\)"),
    ],
)
def test_shuffle_test_refuses_bad_input_by_name(changes, message):
    options = {"weights": MLP, "n_clusters": 2, "n_shuffles": 2, "mode": "layer"} | changes
    with pytest.raises(ValueError, match=message):
        shuffle_test(options.pop("weights"), options.pop("n_clusters"), rng=rng_of(0), **options)


@pytest.mark.parametrize(
    ("clusters", "message"),
    [
        ([], r"clusters=\[\] is not allowed"),
        ([2, 0], "n_clusters=0 is not allowed"),
        ([2, 99], "n_clusters=99 is not allowed: 1 to"),
    ],
)
def test_several_numbers_of_clusters_are_checked_one_by_one(clusters, message):
    with pytest.raises(ValueError, match=message):
        shuffle_tests(MLP, clusters, n_shuffles=2, mode="layer", rng=rng_of(0))


# --- networks that were not trained --------------------------------------------------------------


def test_random_ncuts_are_those_of_fresh_networks_one_by_one():
    options = {"n_networks": 10}
    with global_random_state_untouched():
        found = random_ncuts(SIZES, 3, rng=rng_of(0), **options)
    expected = []
    for rng in rng_of(0).spawn(10):
        seed = int(rng.integers(2**31))
        network = glorot_mlp(SIZES, seeds=[seed]).network(0)
        expected.append(cluster_network(network.weights, 3, rng=rng)[1])
    np.testing.assert_allclose(found, expected, rtol=1e-5)
    assert len(set(found)) == 10
    few = random_ncuts(SIZES, 3, n_networks=3, rng=rng_of(0))
    np.testing.assert_allclose(few, found[:3], rtol=1e-6)
    assert (random_ncuts(SIZES, 3, rng=rng_of(1), **options) != found).all()


def test_random_ncuts_lie_a_little_below_those_of_random_labels():
    """Dense random graphs cut in k parts lose about (k - 1) / k of every cluster."""
    values = random_ncuts((60, 40, 40, 10), 4, n_networks=8, rng=rng_of(0))
    assert (values < 3.0).all()
    assert (values > 2.0).all()


@pytest.mark.parametrize(
    ("changes", "message"),
    [
        ({"n_networks": 0}, "n_networks=0 is not allowed"),
        ({"n_clusters": 0}, "n_clusters=0 is not allowed"),
        ({"n_clusters": 99}, "n_clusters=99 is not allowed: 1 to"),
        ({"n_init": True}, "n_init=True is not allowed"),
    ],
)
def test_random_ncuts_refuse_bad_input_by_name(changes, message):
    options = {"n_clusters": 2, "n_networks": 2} | changes
    with pytest.raises(ValueError, match=message):
        random_ncuts(SIZES, options.pop("n_clusters"), rng=rng_of(0), **options)


# --- on another device ---------------------------------------------------------------------------

BY_PLACE = pytest.mark.parametrize("place", PLACES)


@BY_PLACE
def test_clustering_on_another_device_is_that_on_the_cpu(place):
    weights = pruned_mlp((200, 100, 100, 10), seed=4, sparsity=0.5)
    labels, value = cluster_network(weights, 4, rng=rng_of(0), n_init=50)
    there, same = cluster_network([place(w) for w in weights], 4, rng=rng_of(0), n_init=50)
    assert same == pytest.approx(value, rel=1e-3)
    assert isinstance(there, np.ndarray)
    assert there.shape == labels.shape


@BY_PLACE
def test_shuffle_test_on_another_device_has_the_null_of_the_cpu(place):
    weights = pruned_mlp((200, 100, 100, 10), seed=5, sparsity=0.8)
    options = {"n_shuffles": 100, "mode": "layer"}
    on_cpu = shuffle_test(weights, 4, rng=rng_of(0), **options)
    moved = [place(w) for w in weights]
    found = shuffle_test(moved, 4, rng=rng_of(0), **options)
    again = shuffle_test(moved, 4, rng=rng_of(0), **options)
    assert found.ncut == pytest.approx(on_cpu.ncut, rel=0.02)
    assert (found.null_ncuts != on_cpu.null_ncuts).all()  # other shuffles
    assert scipy.stats.ks_2samp(found.null_ncuts, on_cpu.null_ncuts).pvalue > RARE
    np.testing.assert_allclose(again.null_ncuts, found.null_ncuts, rtol=1e-5)
