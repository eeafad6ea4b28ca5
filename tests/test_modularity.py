"""Modularity: values by hand, optima of small matrices, and the plain way beside the fast one."""

from __future__ import annotations

import math
import random
import sys
from fractions import Fraction
from itertools import count

import igraph
import networkx as nx
import numpy as np
import pytest
import scipy.stats
import torch
from hypothesis import given
from hypothesis import strategies as st
from networks import global_random_state_untouched, rng_of

from modclust_utils.modularity import (
    element_similarity,
    maximize_modularity,
    modularity,
    n_effective_clusters,
)
from modclust_utils.modularity_search import move_probabilities
from modclust_utils.strength_nulls import strength_null

BY_METHOD = pytest.mark.parametrize("method", ["monte_carlo", "leiden"])
SEEDS = st.integers(0, 10_000)
LABELS = st.lists(st.integers(-1, 4), min_size=1, max_size=12)


def symmetric(matrix: np.ndarray) -> np.ndarray:
    """The part above the diagonal, on both sides."""
    upper = np.triu(matrix, 1)
    return upper + upper.swapaxes(-1, -2)


def random_similarity(n: int, seed: int, kind: int = 0) -> np.ndarray:
    """Even, uneven, sparse without weights (many ties), and few different weights."""
    rng = rng_of(seed)
    draws = [
        lambda: rng.random((n, n)),
        lambda: rng.exponential(size=(n, n)) ** 3,
        lambda: 1.0 * (rng.random((n, n)) < 0.4),
        lambda: 1.0 * rng.integers(0, 3, (n, n)),
    ]
    return symmetric(draws[kind]())


def covariance(n: int, seed: int) -> np.ndarray:
    rng = rng_of(seed)
    return np.abs(np.cov(rng.normal(size=(3 * n, n)) @ rng.normal(size=(n, n)), rowvar=False))


def blocks(sizes: list[int], between: float = 0.0) -> np.ndarray:
    """Cliques, and a similarity between units of different ones."""
    labels = np.repeat(np.arange(len(sizes)), sizes)
    return np.where(labels[:, None] == labels, 1.0, between)


def plain_q(similarity: np.ndarray, labels: np.ndarray) -> float:
    """Equations 6 to 8 of paper C as they are printed."""
    adjacency = similarity * (1 - np.eye(len(similarity)))
    normalized = adjacency / adjacency.sum()
    p = 1.0 * (np.asarray(labels)[:, None] == np.unique(labels))
    one = np.ones((len(p), 1))
    chance = normalized @ one @ one.T @ normalized
    return float(np.trace(p.T @ normalized @ p) - np.trace(p.T @ chance @ p))


def all_partitions(n: int) -> np.ndarray:
    partitions = [[0]]
    for _ in range(n - 1):
        partitions = [[*p, c] for p in partitions for c in range(max(p) + 2)]
    return np.array(partitions)


# --- the quantity --------------------------------------------------------------------------------

TWO_TRIANGLES = np.zeros((6, 6))
for _i, _j in [(0, 1), (0, 2), (1, 2), (3, 4), (3, 5), (4, 5), (2, 3)]:
    TWO_TRIANGLES[_i, _j] = TWO_TRIANGLES[_j, _i] = 1.0


@pytest.mark.parametrize(
    ("similarity", "labels", "expected"),
    [
        (blocks([3, 3]), [0, 0, 0, 1, 1, 1], Fraction(1, 2)),
        (blocks([3, 3]), [4, 4, 4, 4, 4, 4], Fraction(0)),
        (blocks([2, 2, 2, 2]), [0, 0, 1, 1, 2, 2, 3, 3], Fraction(3, 4)),
        (blocks([4]), [0, 1, 2, 3], Fraction(-1, 4)),  # alone: less the squared strengths
        (blocks([2]), [0, 1], Fraction(-1, 2)),  # the least there is
        # six of seven edges inside, and each triangle has half of the strength
        (TWO_TRIANGLES, [0, 0, 0, 1, 1, 1], Fraction(6, 7) - Fraction(1, 2)),
        (TWO_TRIANGLES, [0, 0, 1, 1, 2, 2], Fraction(3, 7) - Fraction(16 + 36 + 16, 14**2)),
    ],
)
def test_modularity_by_hand(similarity, labels, expected):
    assert modularity(similarity, labels) == pytest.approx(float(expected), abs=1e-15)


@given(seed=SEEDS, n=st.integers(2, 9))
def test_modularity_is_equation_8(seed, n):
    similarity = random_similarity(n, seed)
    labels = rng_of(seed).integers(0, 4, n)
    assert modularity(similarity, labels) == pytest.approx(plain_q(similarity, labels), abs=1e-14)


def test_modularity_is_that_of_networkx():
    similarity, labels = covariance(30, 0), rng_of(0).integers(0, 4, 30)
    graph = nx.from_numpy_array(similarity * (1 - np.eye(30)))
    parts = [set(np.flatnonzero(labels == label).tolist()) for label in range(4)]
    assert modularity(similarity, labels) == pytest.approx(nx.community.modularity(graph, parts))


def test_modularity_does_not_see_diagonal_scale_order_or_names():
    similarity, labels = covariance(12, 1), rng_of(1).integers(0, 3, 12)
    q = modularity(similarity, labels)
    with_diagonal = similarity + np.diag(rng_of(2).normal(size=12))
    order = rng_of(3).permutation(12)
    assert modularity(with_diagonal, labels) == q
    assert modularity(similarity * 1e300, labels) == pytest.approx(q)
    assert modularity(similarity * 1e-300, labels) == pytest.approx(q)
    assert modularity(similarity[order][:, order], labels[order]) == pytest.approx(q)
    assert modularity(similarity, np.array([7, 3, 9])[labels]) == q
    assert modularity(similarity.astype(np.float32), labels) == pytest.approx(q, rel=1e-5)
    assert modularity(torch.tensor(similarity, requires_grad=True), labels) == q


def test_unused_units_do_not_count():
    similarity = np.zeros((8, 8))
    similarity[1:7, 1:7] = TWO_TRIANGLES
    for outside in (-1, 0, 2):
        labels = [outside, 0, 0, 0, 1, 1, 1, outside]
        assert modularity(similarity, labels) == pytest.approx(5 / 14)


def test_modularity_of_a_batch_is_that_of_each():
    batch = np.stack([random_similarity(6, seed) for seed in range(5)])
    labels = rng_of(0).integers(0, 3, (5, 6))
    found = modularity(batch, labels)
    assert found.shape == (5,)
    each = [modularity(s, chosen) for s, chosen in zip(batch, labels, strict=True)]
    np.testing.assert_allclose(found, each, rtol=0, atol=1e-15)


def test_modularity_without_similarity_is_nan():
    assert math.isnan(modularity(np.eye(3), [-1, -1, -1]))
    assert math.isnan(modularity(np.eye(3), [0, 0, 1]))


def test_rounding_of_single_precision_is_no_asymmetry():
    similarity, labels = covariance(12, 1), rng_of(1).integers(0, 3, 12)
    rounded = similarity * (1 + 1e-7 * rng_of(0).normal(size=(12, 12)))
    assert modularity(rounded, labels) == modularity(rounded.T, labels)
    assert modularity(rounded, labels) == pytest.approx(modularity(similarity, labels), rel=1e-6)


@pytest.mark.parametrize(
    ("similarity", "message"),
    [
        (np.ones((2, 3)), r"similarity has shape \(2, 3\); allowed: \(n, n\) or \(S, n, n\)"),
        (np.ones(4), r"similarity has shape \(4,\)"),
        (np.ones((0, 0)), r"similarity has shape \(0, 0\)"),
        (np.ones((0, 2, 2)), r"similarity has shape \(0, 2, 2\)"),
        (np.array([[0, math.nan], [math.nan, 0]]), "similarity holds NaN or infinity"),
        (np.array([[0, math.inf], [math.inf, 0]]), "similarity holds NaN or infinity"),
        (np.array([[0, -0.5], [-0.5, 0]]), r"similarity has entries down to -0\.5"),
        (np.array([[0.0, 1.0], [0.9, 0.0]]), "similarity is not symmetric"),
    ],
)
def test_all_refuse_what_is_no_similarity(similarity, message):
    with pytest.raises(ValueError, match=message):
        modularity(similarity, [0, 0])
    with pytest.raises(ValueError, match=message):
        maximize_modularity(similarity, rng=rng_of(0))
    with pytest.raises(ValueError, match=message):
        strength_null(similarity, rng=rng_of(0))


@pytest.mark.parametrize(
    ("labels", "message"),
    [
        ([0, 1], r"labels has shape \(2,\); allowed: \(3,\)"),
        ([[0, 1, 1]], r"labels has shape \(1, 3\); allowed: \(3,\)"),
        ([0, 1, -2], "labels has entries that are no cluster; allowed: integers from -1"),
        ([0.0, 1.0, 1.0], "labels has entries that are no cluster"),
        ([0, -1, 1], "labels is -1 at unit 1, which is similar to others"),
    ],
)
def test_modularity_refuses_labels_that_do_not_fit(labels, message):
    with pytest.raises(ValueError, match=message):
        modularity(blocks([3]), labels)


# --- probabilities of a move ---------------------------------------------------------------------


@given(
    scores=st.lists(st.integers(-50, 50), min_size=2, max_size=9, unique=True),
    entropy=st.floats(0.01, 2.5),
    scale=st.sampled_from([1e-9, 1.0, 1e3]),
)
def test_moves_have_the_entropy(scores, entropy, scale):
    values = np.array(scores) * scale
    p = move_probabilities(values, entropy)
    assert p.sum() == pytest.approx(1)
    assert (np.diff(p[values.argsort()]) >= 0).all()
    expected = min(entropy, math.log(len(scores)))
    assert scipy.stats.entropy(p) == pytest.approx(expected, rel=2e-6)
    # log p is a line of the score, where p is not too small to have a logarithm
    seen = p > 1e-200
    slope, start = np.polyfit(values[seen] / scale, np.log(p[seen]), 1)
    np.testing.assert_allclose(np.log(p[seen]), slope * values[seen] / scale + start, atol=1e-6)


def test_moves_between_two_by_hand():
    """0.9 and 0.1 have the entropy of about 0.325 nats."""
    entropy = -0.9 * math.log(0.9) - 0.1 * math.log(0.1)
    np.testing.assert_allclose(move_probabilities([3.0, 1.0], entropy), [0.9, 0.1], rtol=1e-5)


@pytest.mark.parametrize(
    ("scores", "entropy", "expected"),
    [
        ([1.0, 2.0, 2.0], 0.15, [0, 1 / 2, 1 / 2]),  # ln 2 is more already
        ([2.0, 2.0, 2.0], 0.15, [1 / 3, 1 / 3, 1 / 3]),
        ([1.0, 2.0, 5.0], 1.1, [1 / 3, 1 / 3, 1 / 3]),  # ln 3 is less
        ([4.0], 0.15, [1.0]),
        ([1.0, 2.0, 2.0 + 1e-15], 0.15, [0, 1 / 2, 1 / 2]),  # rounding decides nothing
    ],
)
def test_ties_and_limits_of_moves(scores, entropy, expected):
    np.testing.assert_allclose(move_probabilities(scores, entropy), expected)


def test_ties_leave_room_for_more_entropy():
    p = move_probabilities([1.0, 2.0, 2.0], 0.9)
    assert p[1] == p[2] > p[0] > 0
    assert scipy.stats.entropy(p) == pytest.approx(0.9, rel=1e-5)


def test_moves_of_many_are_those_of_each():
    scores = rng_of(0).normal(size=(6, 40)).round(1)
    found = move_probabilities(scores, 0.15)
    each = [move_probabilities(column, 0.15) for column in scores.T]
    np.testing.assert_allclose(found, np.transpose(each), rtol=1e-12)


@pytest.mark.parametrize(
    ("scores", "message"),
    [
        ([], r"scores has shape \(0,\); allowed: \(c,\) or \(c, S\), c and S of 1 or more"),
        (np.ones((2, 0)), r"scores has shape \(2, 0\)"),
        (1.0, r"scores has shape \(\)"),
        (np.ones((2, 2, 2)), r"scores has shape \(2, 2, 2\)"),
        (None, "scores=None is not allowed: numbers"),
        (["a"], "scores is of type list of text; allowed: numbers"),
        ([math.nan, 1.0], "scores holds NaN or infinity; allowed: finite numbers"),
        ([1.0, -math.inf], "scores holds NaN or infinity"),
    ],
)
def test_moves_refuse_bad_scores_by_name(scores, message):
    with pytest.raises(ValueError, match=message):
        move_probabilities(scores, 0.15)


# --- the search ----------------------------------------------------------------------------------


def plain_start(similarity: np.ndarray) -> np.ndarray:
    """Algorithm 2 with Q computed anew for each split."""
    n = len(similarity)
    normalized = similarity / similarity.sum()
    b = normalized - normalized @ np.ones((n, n)) @ normalized
    labels = np.zeros(n, dtype=int)
    queue, q = [0], plain_q(similarity, labels)
    for fresh in count(1):
        while queue:
            units = np.flatnonzero(labels == queue[-1])
            values, vectors = np.linalg.eigh(b[np.ix_(units, units)])
            new = labels.copy()
            new[units[vectors[:, -1] < 0]] = fresh
            if values[-1] > 0 and plain_q(similarity, new) > q + 1e-14:
                labels, q = new, plain_q(similarity, new)
                queue.append(fresh)
                break
            queue.pop()
        else:
            return labels


def plain_monte_carlo(
    similarity: np.ndarray,
    labels: np.ndarray,
    stream: np.random.Generator,
    n_steps: int,
    entropy: float,
) -> float:
    """Algorithm 3 with Q computed anew for each cluster that a unit could move to."""
    labels = labels.copy()
    best = plain_q(similarity, labels)
    for _ in range(n_steps):
        place, uniform = stream.random(2)
        unit = int(place * len(labels))
        others = set(np.delete(labels, unit))
        free = next(c for c in count() if c not in set(labels))
        # a unit that is alone already cannot move to an empty cluster
        clusters = sorted(
            others | {int(labels[unit])} | ({free} if labels[unit] in others else set())
        )
        scores = []
        for cluster in clusters:
            labels[unit] = cluster
            scores.append(plain_q(similarity, labels))
        best = max(best, *scores)
        p = move_probabilities(scores, entropy)
        labels[unit] = clusters[int((p.cumsum() <= uniform).sum())]
    return best


@pytest.mark.parametrize("n", [9, 20])
def test_start_is_that_of_algorithm_2(n):
    for seed in range(150):
        similarity = random_similarity(n, seed, kind=1)
        found = maximize_modularity(similarity, rng=rng_of(0), n_steps=0)
        assert element_similarity(found.labels, plain_start(similarity)) == 1.0
        assert found.q == found.q_start == modularity(similarity, found.labels)


def test_start_does_not_divide_by_the_sign_of_rounding():
    """Two groups, and a pair as similar to one as to the other: 0 in the leading eigenvector."""
    for rng in map(rng_of, range(40)):
        inside, between, pair = rng.uniform([0.5, 0.05, 1], [2, 0.2, 3])
        similarity = np.kron(np.eye(3), np.full((3, 3), inside))[:8, :8]
        similarity[6:], similarity[:, 6:], similarity[6:, 6:] = between, between, pair
        order = rng.permutation(8)
        found = maximize_modularity(similarity[order][:, order], rng=rng_of(0), n_steps=0)
        labels = found.labels[order.argsort()]
        assert labels[6] == labels[7]
        assert labels[0] != labels[3]


@pytest.mark.parametrize("seed", range(20))
@pytest.mark.parametrize(("n_steps", "entropy"), [(1, 0.15), (60, 0.15), (400, 1.0)])
def test_walk_is_that_of_algorithm_3(seed, n_steps, entropy):
    """The same units, the same uniforms, so the same walk, and the best that it has seen."""
    similarity = random_similarity(14, seed, seed % 4)
    options = {"n_steps": n_steps, "entropy": entropy}
    start = maximize_modularity(similarity, rng=rng_of(0), n_steps=0)
    found = maximize_modularity(similarity, rng=rng_of(seed), **options)
    stream = rng_of(seed).spawn(1)[0]
    best = plain_monte_carlo(similarity, start.labels, stream, **options)
    assert found.q == pytest.approx(best, abs=1e-13)


@pytest.fixture(scope="module")
def small() -> tuple[np.ndarray, np.ndarray]:
    """Similarities of 2 to 9 units of all kinds, and their largest modularity over all partitions.

    The rest of nine units is unused, so that all are one batch.
    """
    sizes = np.repeat(np.arange(2, 10), [4, 4, 8, 8, 16, 24, 40, 40])
    drawn = [random_similarity(n, seed, seed % 4) for seed, n in enumerate(sizes)]
    similarities = np.stack([np.pad(s, (0, 9 - len(s))) for s in drawn if s.any()])
    assert len(similarities) > 130
    same = [p[:, None] == p for p in all_partitions(9)]
    assert len(same) == 21147  # the ninth number of Bell
    normalized = similarities / similarities.sum((1, 2), keepdims=True)
    strengths = normalized.sum(2)
    beyond = normalized - strengths[:, :, None] * strengths[:, None]
    every_q = beyond.reshape(len(beyond), -1) @ np.reshape(same, (len(same), -1)).T
    return similarities, every_q.max(1)


def test_monte_carlo_finds_the_optimum_of_small_matrices(small):
    similarities, optimum = small
    found = maximize_modularity(similarities, rng=rng_of(0))
    assert (found.q_start < optimum - 1e-9).mean() > 0.2
    np.testing.assert_allclose(found.q, optimum, atol=1e-13)


def test_searches_against_the_exact_optimum_of_16_units():
    """By integer programming in igraph: too many partitions to look at each."""
    similarities = np.stack([random_similarity(16, seed, seed % 4) for seed in range(12)])
    optimum = []
    for similarity in similarities:
        edges = np.argwhere(np.triu(similarity))
        graph = igraph.Graph(16, edges.tolist())
        exact = graph.community_optimal_modularity(weights=similarity[tuple(edges.T)].tolist())
        optimum.append(modularity(similarity, exact.membership))
    found = maximize_modularity(similarities, rng=rng_of(0))
    leiden = maximize_modularity(similarities, rng=rng_of(0), method="leiden")
    assert (found.q_start < np.array(optimum) - 1e-9).mean() > 0.5
    for q in (found.q, leiden.q):
        assert (q <= np.array(optimum) + 1e-9).all()
        assert (q > np.array(optimum) - 1e-9).mean() > 0.8


def test_leiden_finds_most_optima_of_small_matrices(small):
    similarities, optimum = small
    found = maximize_modularity(similarities, rng=rng_of(0), method="leiden")
    assert (found.q <= optimum + 1e-13).all()
    assert (found.q > optimum - 1e-13).mean() > 0.9


@pytest.mark.parametrize("n_steps", [1, 7, 100])
def test_no_search_ends_below_its_start(small, n_steps):
    similarities, optimum = small
    found = maximize_modularity(similarities, rng=rng_of(n_steps), n_steps=n_steps)
    assert (found.q >= found.q_start).all()
    assert (found.q <= optimum + 1e-13).all()
    np.testing.assert_allclose(found.q, modularity(similarities, found.labels), atol=1e-15)


def test_more_steps_are_a_longer_walk():
    batch = np.stack([covariance(24, seed) for seed in range(6)])
    q = [maximize_modularity(batch, rng=rng_of(0), n_steps=n).q for n in (0, 10, 249, 250, 600)]
    assert (np.diff(q, axis=0) >= 0).all()
    assert (q[-1] > q[0]).all()


@BY_METHOD
def test_separate_parts_are_found(method):
    sizes = [2, 3, 4, 5, 6]
    order = rng_of(0).permutation(20)
    truth = np.repeat(np.arange(5), sizes)[order]
    similarity = blocks(sizes, between=0.01)[order][:, order]
    found = maximize_modularity(similarity, rng=rng_of(0), method=method, n_steps=500)
    assert element_similarity(found.labels, truth) == 1.0
    assert found.q == modularity(similarity, truth)


@BY_METHOD
def test_disconnected_pairs_need_more_clusters_than_there_were(method):
    found = maximize_modularity(blocks([2] * 15), rng=rng_of(0), method=method, n_steps=500)
    assert found.labels.tolist() == np.repeat(np.arange(15), 2).tolist()
    assert found.q == pytest.approx(14 / 15)


@BY_METHOD
def test_equal_similarities_are_one_cluster(method):
    found = maximize_modularity(np.ones((9, 9)), rng=rng_of(0), method=method, n_steps=500)
    assert found.labels.tolist() == [0] * 9
    assert found.q == pytest.approx(0, abs=1e-15)


@BY_METHOD
def test_units_without_similarity_are_unused(method):
    """They get -1 and change nothing for the others."""
    batch = np.zeros((3, 9, 9))
    batch[0, 2:8, 2:8] = TWO_TRIANGLES
    batch[2] = blocks([4, 5])
    found = maximize_modularity(batch, rng=rng_of(0), method=method, n_steps=300)
    assert found.labels[0].tolist() == [-1, -1, 0, 0, 0, 1, 1, 1, -1]
    assert found.labels[1].tolist() == [-1] * 9
    assert found.labels[2].tolist() == [0] * 4 + [1] * 5
    np.testing.assert_allclose(found.q, [5 / 14, np.nan, modularity(batch[2], found.labels[2])])
    assert math.isnan(found.q_start[1])


@BY_METHOD
def test_clusters_are_numbered_by_their_first_units(method):
    found = maximize_modularity(covariance(30, 4), rng=rng_of(0), method=method, n_steps=200)
    _, first = np.unique(found.labels, return_index=True)
    assert len(first) > 2
    assert (np.diff(first) > 0).all()


@BY_METHOD
def test_a_batch_equals_one_by_one(method):
    batch = np.stack([covariance(24, seed) for seed in range(6)])
    batch[2, 5] = batch[2, :, 5] = 0.0
    found = maximize_modularity(batch, rng=rng_of(3), n_steps=400, method=method)
    rng = rng_of(3)
    for i, similarity in enumerate(batch):
        alone = maximize_modularity(similarity, rng=rng, n_steps=400, method=method)
        np.testing.assert_array_equal(alone.labels, found.labels[i])
        assert (alone.q, alone.q_start) == (found.q[i], found.q_start[i])


def test_a_large_batch_equals_two_small_ones():
    batch = np.stack([random_similarity(6, seed, seed % 4) for seed in range(900)])
    found = maximize_modularity(batch, rng=rng_of(3), n_steps=30)
    rng = rng_of(3)
    parts = [maximize_modularity(part, rng=rng, n_steps=30) for part in np.split(batch, [300])]
    np.testing.assert_array_equal(found.labels, np.concatenate([part.labels for part in parts]))


@BY_METHOD
def test_search_comes_from_the_generator_alone(method):
    options = {"n_steps": 100, "method": method, "n_starts": 1}
    similarity = covariance(48, 0)
    with global_random_state_untouched():
        first = maximize_modularity(similarity, rng=rng_of(0), **options)
    again = maximize_modularity(similarity, rng=rng_of(0), **options)
    others = [maximize_modularity(similarity, rng=rng_of(seed), **options) for seed in range(1, 5)]
    np.testing.assert_array_equal(first.labels, again.labels)
    assert first.q == again.q
    assert any((first.labels != other.labels).any() for other in others)


@BY_METHOD
@pytest.mark.parametrize("scale", [2.0**-500, 2.0**-10, 2.0**10, 2.0**500])
def test_search_does_not_see_the_scale(method, scale):
    similarity = covariance(24, 2)
    options = {"n_steps": 200, "method": method, "n_starts": 1}
    found = maximize_modularity(similarity * scale, rng=rng_of(0), **options)
    expected = maximize_modularity(similarity, rng=rng_of(0), **options)
    np.testing.assert_array_equal(found.labels, expected.labels)


def test_more_starts_of_leiden_are_no_worse():
    batch = np.stack([covariance(32, seed) for seed in range(10)])
    q = [
        maximize_modularity(batch, rng=rng_of(0), n_steps=0, method="leiden", n_starts=n).q
        for n in (1, 10)
    ]
    assert (q[1] >= q[0]).all()
    assert (q[1] > q[0]).any()


def test_igraph_has_its_generator_back():
    """By default igraph draws from Python's random module."""
    before = random.getstate()
    try:
        edges = []
        for _ in range(2):
            random.seed(5)
            edges.append(igraph.Graph.Erdos_Renyi(n=20, p=0.3).get_edgelist())
            maximize_modularity(blocks([3, 3]), rng=rng_of(0), method="leiden")
    finally:
        random.setstate(before)
    assert edges[0] == edges[1]


def test_leiden_without_igraph_says_what_is_missing(monkeypatch):
    monkeypatch.setitem(sys.modules, "igraph", None)
    with pytest.raises(ImportError, match="method='leiden' needs the package igraph"):
        maximize_modularity(blocks([3, 3]), rng=rng_of(0), method="leiden")
    assert maximize_modularity(blocks([3, 3]), rng=rng_of(0), n_steps=1).q == 0.5


@pytest.mark.parametrize(
    ("changes", "message"),
    [
        ({"n_steps": -1}, "n_steps=-1 is not allowed: a whole number of 0 or more"),
        ({"n_steps": 10.0}, r"n_steps=10\.0 is not allowed"),
        ({"n_steps": True}, "n_steps=True is not allowed"),
        ({"entropy": 0.0}, r"entropy=0\.0 is not allowed: above 0, in nats"),
        ({"entropy": -0.1}, r"entropy=-0\.1 is not allowed"),
        ({"entropy": math.nan}, "entropy=nan is not allowed"),
        ({"method": "louvain"}, "method='louvain' is not allowed: 'monte_carlo' or 'leiden'"),
        ({"n_starts": 0}, "n_starts=0 is not allowed: a whole number of 1 or more"),
    ],
)
def test_search_refuses_bad_input_by_name(changes, message):
    with pytest.raises(ValueError, match=message):
        maximize_modularity(blocks([2, 2]), rng=rng_of(0), **changes)


# --- numbers of clusters -------------------------------------------------------------------------


@pytest.mark.parametrize(
    ("labels", "expected"),
    [
        ([3, 3, 3], 1.0),
        ([0, 1, 2, 3], 4.0),
        ([0, 0, 1, 1, -1, -1, -1], 2.0),
        # shares 1/2, 1/4, 1/4: the entropy is 3/2 ln 2
        ([0, 0, 1, 2], 2**1.5),
        ([-1, -1], 0.0),
    ],
)
def test_number_of_clusters_by_hand(labels, expected):
    assert n_effective_clusters(labels) == pytest.approx(expected)


def test_numbers_of_clusters_of_a_batch():
    np.testing.assert_allclose(n_effective_clusters([[0, 1, 2], [0, 0, -1]]), [3, 1])


@pytest.mark.parametrize(
    ("labels", "message"),
    [
        (3, r"labels has shape \(\)"),
        ([[[0]]], r"labels has shape \(1, 1, 1\); allowed: \(n,\) or \(S, n\)"),
        ([0, -2], "labels has entries that are no cluster"),
        ([0.5], "labels has entries that are no cluster"),
    ],
)
def test_number_of_clusters_refuses_what_are_no_labels(labels, message):
    with pytest.raises(ValueError, match=message):
        n_effective_clusters(labels)


# --- similarity of partitions --------------------------------------------------------------------


def plain_element_similarity(a: list[int], b: list[int], alpha: float) -> float:
    """Gates et al. 2019: personalized PageRank of each unit in the graph of its cluster."""
    ranks = []
    for labels in (np.array(a), np.array(b)):
        same = 1.0 * (labels[:, None] == labels)
        walk = same / same.sum(1, keepdims=True)
        ranks.append((1 - alpha) * np.linalg.inv(np.eye(len(labels)) - alpha * walk))
    return float(np.mean(1 - np.abs(ranks[0] - ranks[1]).sum(1) / (2 * alpha)))


@given(labels=st.lists(st.tuples(st.integers(-1, 4), st.integers(-1, 4)), min_size=1, max_size=12))
def test_element_similarity_is_that_of_personalized_pageranks(labels):
    a, b = (list(each) for each in zip(*labels, strict=True))
    found = element_similarity(a, b)
    for alpha in (0.5, 0.9):
        assert found == pytest.approx(plain_element_similarity(a, b, alpha))
    assert element_similarity(b, a) == pytest.approx(found)
    assert 0 < found <= 1


@pytest.mark.parametrize(
    ("a", "b", "expected"),
    [
        ([0, 0, 1, 1], [1, 1, 0, 0], 1),
        ([0, 0, 0, 0], [0, 1, 2, 3], Fraction(1, 4)),
        ([0, 0, 1, 1], [0, 1, 0, 1], Fraction(1, 2)),
        # units of the pair and of the three that stay, then the one that changes sides
        ([0, 0, 0, 1, 1], [0, 0, 1, 1, 1], (4 * Fraction(2, 3) + Fraction(1, 3)) / 5),
        ([-1, -1, 0, 0], [0, 0, -1, -1], 1),  # the unused are a cluster like others
        ([-1, -1, 0, 0], [-1, 0, 0, 0], (Fraction(1, 2) + Fraction(1, 3) + 2 * Fraction(2, 3)) / 4),
    ],
)
def test_element_similarity_by_hand(a, b, expected):
    assert element_similarity(a, b) == pytest.approx(float(expected))


@given(labels=LABELS, seed=SEEDS)
def test_element_similarity_does_not_see_names_or_order(labels, seed):
    rng = rng_of(seed)
    a, b = np.array(labels), rng.integers(-1, 3, len(labels))
    renamed = rng.permutation(50)[b + 1]
    order = rng.permutation(len(labels))
    assert element_similarity(a, renamed) == pytest.approx(element_similarity(a, b))
    assert element_similarity(a[order], b[order]) == pytest.approx(element_similarity(a, b))
    assert element_similarity(b, renamed) == pytest.approx(1.0)


@pytest.mark.parametrize(
    ("a", "b", "message"),
    [
        ([0, 1], [0], r"a and b have shapes \(2,\) and \(1,\); allowed: the same, \(n,\)"),
        ([[0, 1]], [[0, 1]], r"a has shape \(1, 2\); allowed: \(n,\)"),
        ([0.5, 1], [0, 1], "a has entries that are no cluster"),
        ([0, 1], [0, -2], "b has entries that are no cluster"),
    ],
)
def test_element_similarity_refuses_what_are_no_labels(a, b, message):
    with pytest.raises(ValueError, match=message):
        element_similarity(a, b)


# --- the null ------------------------------------------------------------------------------------


def uneven(n: int, rng: np.random.Generator, spread: float) -> np.ndarray:
    """Units of uneven strengths and independent ratios: nothing to find clusters by."""
    scale = np.exp(spread * rng.normal(size=n))
    return symmetric(rng.exponential(size=(n, n))) * np.outer(scale, scale)


def strengths(similarity: np.ndarray) -> np.ndarray:
    return (similarity * (1 - np.eye(similarity.shape[-1]))).sum(-1)


@given(seed=SEEDS, n=st.integers(2, 14), kind=st.integers(0, 3))
def test_null_keeps_the_strengths(seed, n, kind):
    similarity = random_similarity(n, seed, kind)
    null = strength_null(similarity, rng=rng_of(seed))
    np.testing.assert_allclose(strengths(null), strengths(similarity), rtol=1.1e-9)
    np.testing.assert_array_equal(null, null.T)
    assert (null >= 0).all()
    assert (np.diag(null) == 0).all()


@pytest.mark.parametrize("spread", [0.0, 1.0, 3.0])
def test_null_is_another_matrix_of_the_same_scale_with_much_the_same_ratios(spread):
    similarity = 1e-30 * uneven(40, rng_of(0), spread)
    null = strength_null(similarity, rng=rng_of(0))
    np.testing.assert_allclose(strengths(null), strengths(similarity), rtol=1.1e-9)
    pairs = np.triu_indices(40, 1)
    chance = np.outer(strengths(similarity), strengths(similarity))[pairs]
    old, new = similarity[pairs] / chance, null[pairs] / chance
    assert abs(np.corrcoef(np.log(old), np.log(new))[0, 1]) < 0.2
    assert np.std(np.log(new)) == pytest.approx(np.std(np.log(old)), rel=0.1)


def test_null_keeps_unused_units_out():
    similarity = random_similarity(8, 0)
    similarity[[2, 5]] = similarity[:, [2, 5]] = 0.0
    null = strength_null(similarity, rng=rng_of(0))
    np.testing.assert_array_equal(strengths(null) == 0, strengths(similarity) == 0)
    assert (strength_null(np.eye(3), rng=rng_of(0)) == 0).all()


@pytest.mark.parametrize(
    "similarity",
    [
        [[0, 3], [3, 0]],
        [[0, 1, 2], [1, 0, 4], [2, 4, 0]],
        [[0, 1, 2, 3], [1, 0, 0, 0], [2, 0, 0, 0], [3, 0, 0, 0]],
    ],
)
def test_strengths_that_only_one_matrix_has_give_that_matrix(similarity):
    null = strength_null(similarity, rng=rng_of(0))
    np.testing.assert_allclose(null, similarity, atol=1e-8)


def test_null_of_a_batch_is_that_of_each_and_of_the_generator_alone():
    batch = np.stack([uneven(10, rng_of(seed), 0.5) for seed in range(4)])
    with global_random_state_untouched():
        found = strength_null(batch, rng=rng_of(0))
    rng = rng_of(0)
    np.testing.assert_array_equal(found, [strength_null(each, rng=rng) for each in batch])
    assert (strength_null(batch, rng=rng_of(1)) != found).any((1, 2)).all()


def q_and_nulls(similarities: list[np.ndarray], n_nulls: int) -> tuple[np.ndarray, np.ndarray]:
    """q ``(S,)`` of similarities, and of their nulls ``(n_nulls, S)``."""
    nulls = [strength_null(similarities, rng=rng_of(seed)) for seed in range(n_nulls)]
    batch = np.concatenate([similarities, *nulls])
    q = maximize_modularity(batch, rng=rng_of(0), n_steps=400).q.reshape(n_nulls + 1, -1)
    return q[0], q[1:]


@pytest.mark.parametrize("spread", [0.3, 1.0])
def test_matrices_without_clusters_are_rarely_beyond_their_nulls(spread):
    """Of 60, three are above all of 19 nulls on average; 9 or more happen once in 300 times."""
    q, null = q_and_nulls([uneven(24, rng_of(seed), spread) for seed in range(60)], 19)
    assert null.mean() == pytest.approx(q.mean(), rel=0.1)
    assert (null < q).all(0).sum() <= 8
    assert 0.3 < (null < q).mean() < 0.65


def test_clusters_are_beyond_their_nulls():
    """Units of uneven strengths, twice as similar within a cluster, with noise of 30 %."""
    similarities = []
    for rng in map(rng_of, range(10)):
        scale = np.exp(0.5 * rng.normal(size=24))
        ratios = symmetric(rng.uniform(0.7, 1.3, size=(24, 24)))
        similarities.append(blocks([8, 8, 8], between=0.5) * ratios * np.outer(scale, scale))
    q, null = q_and_nulls(similarities, 19)
    assert (null < q).all()


def test_streams_of_their_own_give_the_same_as_one_that_is_spawned():
    similarities = symmetric(rng_of(0).random((3, 7, 7)))
    together = maximize_modularity(similarities, rng=rng_of(5), n_steps=40)
    streams = rng_of(5).spawn(3)
    apart = maximize_modularity(similarities, rng=streams, n_steps=40)
    np.testing.assert_array_equal(together.labels, apart.labels)
    with pytest.raises(ValueError, match=r"rng=.* is not allowed: one Generator, or one for each"):
        maximize_modularity(similarities, rng=streams[:2])


def test_start_from_a_single_cluster():
    similarities = symmetric(rng_of(3).random((4, 9, 9)))
    similarities[:, 2] = similarities[:, :, 2] = 0
    found = maximize_modularity(similarities, rng=rng_of(1), n_steps=0, start="single")
    assert (found.labels == [0, 0, -1, 0, 0, 0, 0, 0, 0]).all()
    np.testing.assert_allclose(found.q, 0, atol=1e-15)
    longer = maximize_modularity(similarities, rng=rng_of(1), n_steps=200, start="single")
    assert (longer.q > 0).all()
    np.testing.assert_allclose(longer.q_start, 0, atol=1e-15)
    with pytest.raises(ValueError, match="start='one' is not allowed: 'spectral' or 'single'"):
        maximize_modularity(similarities, rng=rng_of(1), start="one")
