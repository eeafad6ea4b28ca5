"""The stub walk leaves its cluster in a share n-cut / k of all walks."""

from __future__ import annotations

import numpy as np
import pytest
import scipy.sparse as sp
from hypothesis import given
from hypothesis import strategies as st

from modclust_utils.clustering import ncut
from modclust_utils.stubwalk import running_failure_rate, stub_walks

# Two triangles joined by one edge: volumes 7 and 7, one edge cut, n-cut 1/7 + 1/7.
TRIANGLES = np.zeros((6, 6))
for a, b in [(0, 1), (0, 2), (1, 2), (3, 4), (3, 5), (4, 5), (2, 3)]:
    TRIANGLES[a, b] = TRIANGLES[b, a] = 1
SIDES = [0, 0, 0, 1, 1, 1]


def random_graph(seed: int) -> tuple[sp.csr_array, np.ndarray]:
    """A weighted graph of 30 units in four clusters of unequal size, some units in none."""
    rng = np.random.default_rng([7, seed])
    upper = np.triu(rng.exponential(size=(30, 30)) ** 3 * (rng.random((30, 30)) < 0.3), 1)
    labels = rng.choice(5, 30, p=[0.1, 0.4, 0.2, 0.2, 0.1]) - 1
    labels[:4] = range(4)
    return sp.csr_array(upper + upper.T), labels


def assert_near(failed: np.ndarray, exact: float) -> None:
    error = np.sqrt(exact * (1 - exact) / len(failed))
    assert abs(failed.mean() - exact) <= 4 * error


@pytest.mark.parametrize("seed", range(5))
def test_two_triangles_by_hand(seed):
    failed = stub_walks(TRIANGLES, SIDES, n_walks=20_000, rng=np.random.default_rng(seed))
    assert failed.shape == (20_000,)
    assert failed.dtype == bool
    assert_near(failed, 1 / 7)


def test_clusters_are_equally_likely_whatever_their_volume():
    # a pair with 1 of its 3 stubs leaving, and a hub of volume 100 with 1 of 100 leaving
    graph = np.zeros((4, 4))
    for a, b, weight in [(0, 1, 1), (1, 2, 1), (2, 3, 49.5)]:
        graph[a, b] = graph[b, a] = weight
    failed = stub_walks(graph, [0, 0, 1, 1], n_walks=20_000, rng=np.random.default_rng(0))
    assert_near(failed, (1 / 3 + 1 / 100) / 2)


@pytest.mark.parametrize("seed", range(8))
def test_share_of_failures_is_ncut_over_k(seed):
    graph, labels = random_graph(seed)
    assert (labels == -1).any()
    failed = stub_walks(graph, labels, n_walks=20_000, rng=np.random.default_rng(seed))
    assert_near(failed, ncut(graph, labels) / 4)


def test_walks_that_always_or_never_leave():
    rng = np.random.default_rng(0)
    apart = sp.block_diag([TRIANGLES, TRIANGLES])
    assert not stub_walks(apart, [0] * 6 + [1] * 6, n_walks=500, rng=rng).any()
    square = np.roll(np.eye(4), 1, 0) + np.roll(np.eye(4), -1, 0)
    assert stub_walks(square, [0, 1, 0, 1], n_walks=500, rng=rng).all()
    assert stub_walks(square, [0, -1, 0, -1], n_walks=500, rng=rng).all()


def test_edges_and_numbers_of_clusters_may_be_large():
    def walk(scale: float, labels: list[int]) -> list[bool]:
        return stub_walks(TRIANGLES * scale, labels, n_walks=50, rng=0).tolist()

    assert walk(1e308, [5] * 3 + [2**63 - 1] * 3) == walk(1, SIDES)


def test_walks_follow_from_the_generator_alone():
    def walk(seed: int) -> np.ndarray:
        return stub_walks(TRIANGLES, SIDES, n_walks=300, rng=np.random.default_rng(seed))

    before = np.random.get_state()[1].tolist()
    np.testing.assert_array_equal(walk(1), walk(1))
    assert (walk(1) != walk(2)).any()
    assert np.random.get_state()[1].tolist() == before


@pytest.mark.parametrize(
    ("labels", "n_walks", "message"),
    [
        (SIDES, 0, "n_walks=0 is not allowed: a whole number of 1 or more"),
        (SIDES[:5], 9, r"labels has shape \(5,\).*allowed: \(6,\)"),
        ([*SIDES, 1], 9, r"labels has shape \(7,\).*allowed: \(6,\)"),
        ([-1] * 6, 9, "labels has no cluster.*allowed: one or more"),
        ([0, 0, 0, 2, 2, 2], 9, r"clusters without any edge: \[1\]"),
    ],
)
def test_bad_input(labels, n_walks, message):
    with pytest.raises(ValueError, match=message):
        stub_walks(TRIANGLES, labels, n_walks=n_walks, rng=np.random.default_rng(0))


def test_cluster_of_units_without_edges():
    graph = np.zeros((3, 3))
    graph[0, 1] = graph[1, 0] = 1
    with pytest.raises(ValueError, match=r"clusters without any edge: \[1\]"):
        stub_walks(graph, [0, 0, 1], n_walks=9, rng=np.random.default_rng(0))


def test_running_rate_by_hand():
    failed = np.array([True, False] * 20)
    steps, rate, half = running_failure_rate(failed, n_points=3)
    assert steps.tolist() == [10, 20, 40]
    assert rate.tolist() == [0.5, 0.5, 0.5]
    np.testing.assert_allclose(half, [1.96 * 0.5 / n**0.5 for n in (10, 20, 40)])
    _, rate, half = running_failure_rate(np.array([True] * 3 + [False] * 9))
    assert rate[0] == 3 / 10
    assert rate[-1] == 3 / 12


def test_a_rate_of_no_walks_is_refused():
    with pytest.raises(ValueError, match="failed has no walks; allowed: one or more"):
        running_failure_rate(np.zeros(0, bool))


@given(st.lists(st.booleans(), min_size=1, max_size=300))
def test_running_rate_ends_with_the_share_of_all(failed):
    steps, rate, half = running_failure_rate(np.array(failed))
    assert steps[-1] == len(failed)
    assert (np.diff(steps) > 0).all()
    assert rate[-1] == np.mean(failed)
    assert ((rate >= 0) & (rate <= 1) & (half >= 0)).all()
