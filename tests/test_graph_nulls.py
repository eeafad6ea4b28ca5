"""Shuffles of networks of any wiring, and the test against them."""

from __future__ import annotations

import numpy as np
import pytest
import scipy.stats
import torch
from networks import rng_of
from torch import nn

from modclust_utils.channel_edges import Connection
from modclust_utils.clustering import ncut
from modclust_utils.graph_clusters import cluster_graph
from modclust_utils.graph_nulls import GRAPH_MODES, graph_shuffle_test, shuffle_graph
from modclust_utils.graphs import network_graph
from modclust_utils.network_graphs import NetworkGraph
from modclust_utils.stats import empirical_p_value, z_score


class SmallNet(nn.Module):
    """A plain, a depthwise and a grouped convolution, a residual and pruned weights."""

    def __init__(self, seed=0, contrast=1.0):
        super().__init__()
        torch.manual_seed(seed)
        self.first = nn.Conv2d(1, 8, 3)
        self.plain = nn.Conv2d(8, 8, 3, padding=1)
        self.depthwise = nn.Conv2d(8, 8, 3, padding=1, groups=8)
        self.grouped = nn.Conv2d(8, 12, 1, groups=4)
        with torch.no_grad():
            self.plain.weight[2:4, 3:] = 0
            self.plain.weight[:4, 4:] *= contrast
            self.plain.weight[4:, :4] *= contrast

    def forward(self, images):
        hidden = self.first(images)
        return self.grouped(hidden + self.depthwise(self.plain(hidden).relu()))


def small_graph(**settings):
    return network_graph(SmallNet(**settings), torch.zeros(1, 1, 9, 9))


@pytest.mark.parametrize("mode", GRAPH_MODES)
def test_a_shuffle_keeps_the_edges_and_the_wiring(mode):
    graph = small_graph()
    shuffled = shuffle_graph(graph, mode, rng=rng_of(0))
    assert shuffled.layer_names == graph.layer_names
    joints = [(c.source, c.target) for c in graph.connections]
    # the image reaches nothing: plain <- first, depthwise <- plain, grouped <- first, depthwise
    assert sorted(joints) == [(0, 1), (0, 3), (1, 2), (2, 3)]
    for before, after in zip(graph.connections, shuffled.connections, strict=True):
        assert (before.source, before.target) == (after.source, after.target)
        np.testing.assert_array_equal(
            np.sort(before.weights.ravel()), np.sort(after.weights.ravel())
        )
        assert not after.weights[~before.possible].any()
        np.testing.assert_array_equal(after.possible, before.possible)
        if mode == "layer-nonzero":
            np.testing.assert_array_equal(before.weights != 0, after.weights != 0)
        if mode == "channel":
            np.testing.assert_array_equal(np.sort(before.weights, 1), np.sort(after.weights, 1))
        if before.possible.sum(1).max() > 1:
            assert (before.weights != after.weights).any()
    (plain,) = [c for c in shuffled.connections if (c.source, c.target) == (0, 1)]
    block = shuffled.adjacency[8:16][:, :8].toarray()
    np.testing.assert_allclose(block, plain.weights, rtol=1e-6)
    assert (shuffled.adjacency != shuffled.adjacency.T).nnz == 0


def test_in_mode_layer_edges_that_are_0_move_too():
    graph = small_graph()
    (before,) = [c for c in graph.connections if c.target == 1]
    assert np.count_nonzero(before.weights == 0) == 10
    moved = [
        next(c for c in shuffle_graph(graph, "layer", rng=rng_of(s)).connections if c.target == 1)
        for s in range(20)
    ]
    hit = np.mean([m.weights == 0 for m in moved], axis=0)
    assert (hit[before.weights == 0] < 1).all()
    assert (hit[before.weights != 0] > 0).sum() > 40


def test_the_test_is_what_its_parts_say():
    graph = small_graph(contrast=0.05)
    test = graph_shuffle_test(graph, 2, n_shuffles=12, mode="layer", rng=rng_of(1))
    own_rng, *rngs = rng_of(1).spawn(13)
    assert test.ncut == cluster_graph(graph, 2, rng=own_rng)[1]
    plain = []
    for rng in rngs:
        shuffled = shuffle_graph(graph, "layer", rng=rng)
        labels, _ = cluster_graph(shuffled, 2, rng=rng)
        plain.append(ncut(shuffled.adjacency, labels))
    np.testing.assert_allclose(test.null_ncuts, plain, rtol=1e-5)
    assert test.p_value == empirical_p_value(test.ncut, test.null_ncuts, tail="lower")
    assert test.z_score == z_score(test.ncut, test.null_ncuts)


@pytest.mark.parametrize("mode", GRAPH_MODES)
def test_groups_of_channels_are_more_clusterable_than_shuffles(mode):
    class Groups(nn.Module):
        def __init__(self):
            super().__init__()
            torch.manual_seed(3)
            self.layers = nn.ModuleList([nn.Conv2d(16, 16, 1) for _ in range(3)])
            for layer in self.layers:
                with torch.no_grad():
                    layer.weight[:8, 8:] *= 0.1
                    layer.weight[8:, :8] *= 0.1

        def forward(self, images):
            a, b, c = self.layers
            hidden = a(images)
            return c(hidden + b(hidden))

    graph = network_graph(Groups(), torch.zeros(1, 16, 2, 2))
    test = graph_shuffle_test(graph, 2, n_shuffles=19, mode=mode, rng=rng_of(0))
    assert test.p_value == 0.05
    assert test.z_score < -3
    again = graph_shuffle_test(graph, 2, n_shuffles=19, mode=mode, rng=rng_of(0), n_jobs=2)
    np.testing.assert_allclose(test.null_ncuts, again.null_ncuts, rtol=1e-6)
    other = graph_shuffle_test(graph, 2, n_shuffles=19, mode=mode, rng=rng_of(1))
    assert (test.null_ncuts != other.null_ncuts).any()


WEIGHTS = np.array([[1.0, 0.0, 4.0], [2.0, 3.0, 0.0]])
HOLES = np.array([[True, False, True], [True, True, False]])


@pytest.mark.parametrize(
    ("mode", "possible", "n"),
    [
        ("layer", np.ones((2, 3), bool), 360),  # 6! over the two zeros
        ("layer", HOLES, 24),
        ("layer-nonzero", np.ones((2, 3), bool), 24),
        ("channel", np.ones((2, 3), bool), 36),
        ("channel", HOLES, 4),
    ],
)
def test_every_arrangement_is_equally_likely(mode, possible, n):
    connection = Connection(0, 1, WEIGHTS, possible)
    graph = NetworkGraph(
        np.array([0, 0, 0, 1, 1]), ("a", "b"), ("a", "b"), (connection,), np.arange(5)
    )
    rng = rng_of(1)
    draws = [
        shuffle_graph(graph, mode, rng=rng).connections[0].weights.ravel() for _ in range(20 * n)
    ]
    found, counts = np.unique(draws, axis=0, return_counts=True)
    assert len(found) == n
    assert scipy.stats.chisquare(counts).pvalue > 0.001


def test_a_shuffle_is_no_more_clusterable_than_its_own_shuffles():
    p = []
    for seed in range(12):
        graph = shuffle_graph(small_graph(seed=seed), "layer", rng=rng_of(seed))
        test = graph_shuffle_test(graph, 3, n_shuffles=19, mode="layer", rng=rng_of(100 + seed))
        p.append(test.p_value)
    assert 0.2 < np.mean(p) < 0.8


@pytest.mark.parametrize(
    ("settings", "message"),
    [
        ({"mode": "row"}, "mode='row' is not allowed: 'layer' or 'layer-nonzero' or 'channel'"),
        ({"n_shuffles": 0}, "n_shuffles=0 is not allowed"),
        ({"n_clusters": 99}, "n_clusters=99 is not allowed: 1 to 36"),
        ({"n_jobs": 0}, "n_jobs=0 is not allowed"),
        ({"graph": np.ones((3, 3))}, "graph is of type ndarray"),
    ],
)
def test_bad_settings_are_refused(settings, message):
    allowed = {"graph": small_graph(), "n_clusters": 2, "n_shuffles": 2, "mode": "layer"}
    with pytest.raises(ValueError, match=message):
        graph_shuffle_test(**(allowed | settings), rng=rng_of(0))
