"""Shuffled networks and the test against them."""

from __future__ import annotations

import math

import numpy as np
import pytest
import scipy.stats
import torch
from hypothesis import given
from hypothesis import strategies as st
from hypothesis.extra import numpy as hnp
from networks import global_random_state_untouched, grouped_mlp, pruned_mlp, rng_of

from modclust_utils import nulls
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

MATRICES = hnp.arrays(
    np.float64,
    hnp.array_shapes(min_dims=2, max_dims=2, max_side=6),
    elements=st.sampled_from([0.0, 0.0, -1.0, 2.0, 0.5, -0.25]),
)


def shuffled_by_torch(weights, mode, *, rng):
    """The shuffle that a GPU makes, here on the CPU."""
    tensors = [torch.tensor(w) for w in weights]
    return [nulls._shuffled_on_device(w, mode, rng).numpy() for w in tensors]


def plain(weight):
    return weight.detach().numpy() if isinstance(weight, torch.Tensor) else weight


WAYS = pytest.mark.parametrize("shuffle", [shuffle_weights, shuffled_by_torch])

# --- shuffles ------------------------------------------------------------------------------------


@WAYS
@BY_MODE
@given(weight=MATRICES, seed=st.integers(0, 2**32))
def test_a_shuffle_keeps_the_entries_and_where_promised_the_zeros(shuffle, mode, weight, seed):
    original = weight.copy()
    (found,) = shuffle([weight], mode, rng=rng_of(seed))
    assert found.shape == weight.shape
    assert found.dtype == weight.dtype
    np.testing.assert_array_equal(np.sort(found, axis=None), np.sort(weight, axis=None))
    if mode == "layer-nonzero":
        np.testing.assert_array_equal(found != 0, weight != 0)
    np.testing.assert_array_equal(weight, original)
    assert not np.shares_memory(found, weight)


@WAYS
@pytest.mark.parametrize(("mode", "n_arrangements"), [("layer", 24), ("layer-nonzero", 6)])
def test_every_arrangement_is_equally_likely(shuffle, mode, n_arrangements):
    weight, rng = np.array([[1.0, 0.0], [2.0, 3.0]]), rng_of(1)
    n_draws = 100 * n_arrangements
    draws = [tuple(shuffle([weight], mode, rng=rng)[0].ravel()) for _ in range(n_draws)]
    arrangements, counts = np.unique(draws, axis=0, return_counts=True)
    assert len(arrangements) == n_arrangements
    assert scipy.stats.chisquare(counts).pvalue > RARE


@BY_MODE
def test_layers_are_shuffled_one_by_one_and_apart(mode):
    weight = np.arange(1.0, 26.0).reshape(5, 5)
    first, second = shuffle_weights([weight, weight], mode, rng=rng_of(2))
    assert (first != weight).any()
    assert (first != second).any()
    for found in (first, second):
        np.testing.assert_array_equal(np.sort(found, axis=None), np.sort(weight, axis=None))


@WAYS
@BY_MODE
def test_shuffles_come_from_the_generator_alone(shuffle, mode):
    with global_random_state_untouched():
        first = shuffle(MLP, mode, rng=rng_of(0))
    again, other = shuffle(MLP, mode, rng=rng_of(0)), shuffle(MLP, mode, rng=rng_of(1))
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


@pytest.mark.parametrize("size", [1, 5, 64])
def test_result_does_not_depend_on_the_batches(size, monkeypatch):
    weights = pruned_mlp((200, 100, 100, 100, 10), seed=3, sparsity=0.5)
    options = {"n_shuffles": 10, "mode": "layer"}
    expected = shuffle_test(weights, 6, rng=rng_of(5), **options)
    monkeypatch.setattr(nulls, "_KMEANS_BATCH", size)
    found = shuffle_test(weights, 6, rng=rng_of(5), **options)
    np.testing.assert_allclose(found.null_ncuts, expected.null_ncuts, rtol=1e-6)
    assert found.p_value == expected.p_value


def test_result_does_not_depend_on_the_number_of_processes():
    options = {"n_shuffles": 20, "mode": "layer-nonzero"}
    alone = shuffle_test(MLP, 3, rng=rng_of(6), **options)
    both = shuffle_test(MLP, 3, rng=rng_of(6), n_jobs=2, **options)
    np.testing.assert_allclose(both.null_ncuts, alone.null_ncuts, rtol=1e-6)
    assert both.ncut == pytest.approx(alone.ncut)
    assert len(set(alone.null_ncuts)) > 1


def test_tests_for_several_numbers_of_clusters_are_those_one_by_one():
    options = {"n_shuffles": 9, "mode": "layer"}
    together = shuffle_tests(MLP, [5, 2, 3], rng=rng_of(8), **options)
    for n_clusters, found in zip([5, 2, 3], together, strict=True):
        alone = shuffle_test(MLP, n_clusters, rng=rng_of(8), **options)
        np.testing.assert_allclose(found.null_ncuts, alone.null_ncuts, rtol=1e-5)
        assert found.ncut == pytest.approx(alone.ncut, rel=1e-5)
        assert found.p_value == alone.p_value


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


def test_rounding_decides_no_tie():
    """A network in two parts that no shuffle of its layers can join: every n-cut is 0."""
    weights = pruned_mlp((10, 8, 6, 4), seed=2, sparsity=0.0)
    weights[1][:] = 0.0
    found = shuffle_test(weights, 2, n_shuffles=9, mode="layer", rng=rng_of(0))
    assert found.ncut == 0.0
    assert (found.null_ncuts == 0.0).all()
    assert found.p_value == 1 / 10  # ties do not count
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
        ({"n_jobs": 0, "n_shuffles": 9}, "n_jobs == 0"),
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
def test_shuffle_refuses_bad_input_by_name(weights, mode, message):
    with pytest.raises(ValueError, match=message):
        shuffle_weights(weights, mode, rng=rng_of(0))


# --- networks that were not trained --------------------------------------------------------------


def test_random_ncuts_are_those_of_fresh_networks_one_by_one(monkeypatch):
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
    monkeypatch.setattr(nulls, "_KMEANS_BATCH", 3)
    np.testing.assert_allclose(random_ncuts(SIZES, 3, rng=rng_of(0), **options), found, rtol=1e-6)
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


# --- on a GPU ------------------------------------------------------------------------------------

GPU = pytest.mark.skipif(not torch.cuda.is_available(), reason="no CUDA device here")


@GPU
@BY_MODE
def test_shuffles_on_a_gpu_stay_there_and_keep_the_entries(mode):
    weights = [torch.tensor(w, device="cuda") for w in MLP]
    for found, weight in zip(shuffle_weights(weights, mode, rng=rng_of(0)), weights, strict=True):
        assert found.device == weight.device
        assert torch.equal(found.flatten().sort().values, weight.flatten().sort().values)
        if mode == "layer-nonzero":
            assert torch.equal(found != 0, weight != 0)


@GPU
def test_clustering_on_a_gpu_equals_that_on_the_cpu():
    weights = pruned_mlp((200, 100, 100, 10), seed=4, sparsity=0.5)
    labels, value = cluster_network(weights, 4, rng=rng_of(0), n_init=50)
    there, same = cluster_network(
        [torch.tensor(w, device="cuda") for w in weights], 4, rng=rng_of(0), n_init=50
    )
    assert same == pytest.approx(value, rel=1e-3)
    assert isinstance(there, np.ndarray)
    assert there.shape == labels.shape


@GPU
def test_shuffle_test_on_a_gpu_has_the_null_of_the_cpu():
    weights = pruned_mlp((200, 100, 100, 10), seed=5, sparsity=0.8)
    options = {"n_shuffles": 100, "mode": "layer"}
    on_cpu = shuffle_test(weights, 4, rng=rng_of(0), **options)
    moved = [torch.tensor(w, device="cuda") for w in weights]
    on_gpu = shuffle_test(moved, 4, rng=rng_of(0), **options)
    again = shuffle_test(moved, 4, rng=rng_of(0), **options)
    assert on_gpu.ncut == pytest.approx(on_cpu.ncut, rel=0.02)
    assert scipy.stats.ks_2samp(on_gpu.null_ncuts, on_cpu.null_ncuts).pvalue > RARE
    np.testing.assert_allclose(again.null_ncuts, on_gpu.null_ncuts, rtol=1e-5)


# Several numbers of clusters at once


@pytest.mark.parametrize("n_jobs", [1, 2])
def test_tests_for_several_k_are_those_one_by_one(n_jobs):
    weights = pruned_mlp((60, 40, 40, 10), seed=3, sparsity=0.8)
    options = {"n_shuffles": 6, "mode": "layer"}
    together = nulls.shuffle_tests(weights, [2, 5, 3], rng=rng_of(7), n_jobs=n_jobs, **options)
    for k, found in zip([2, 5, 3], together, strict=True):
        alone = shuffle_test(weights, k, rng=rng_of(7), **options)
        assert found.ncut == pytest.approx(alone.ncut, rel=1e-5)
        np.testing.assert_allclose(found.null_ncuts, alone.null_ncuts, rtol=1e-5)
        assert (found.p_value, found.z_score) == pytest.approx((alone.p_value, alone.z_score), 1e-3)


@pytest.mark.parametrize(
    ("clusters", "message"),
    [([], r"clusters=\[\]"), ([2, 0], "n_clusters=0"), ([2, 1000], "n_clusters=1000")],
)
def test_tests_for_several_k_refuse_bad_numbers(clusters, message):
    weights = pruned_mlp((60, 40, 40, 10), seed=3, sparsity=0.8)
    with pytest.raises(ValueError, match=message):
        nulls.shuffle_tests(weights, clusters, n_shuffles=2, mode="layer", rng=rng_of(0))
