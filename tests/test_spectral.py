"""Embeddings against a dense solver of the whole problem; the two sides of bipartite graphs."""

from __future__ import annotations

import math

import numpy as np
import pytest
import scipy.linalg
import scipy.sparse as sp
import torch
from hypothesis import given
from hypothesis import strategies as st
from networks import grouped_mlp, normalized, pruned_mlp, rng_of

from modclust_utils.clustering import as_magnitudes, cluster_network
from modclust_utils.graphs import drop_dead_units, mlp_adjacency
from modclust_utils.spectral import LayeredGraphs, embed_general, embed_layered, two_sides


def graphs_of(weights, dtype=torch.float32):
    return LayeredGraphs([m.to(dtype) for m in as_magnitudes(weights)])


def dense_pairs(weights, k):
    """The k largest eigenvalues, descending, and eigenvectors of the full normalized adjacency."""
    matrix = normalized(mlp_adjacency(weights))
    n = len(matrix)
    values, vectors = scipy.linalg.eigh(matrix, subset_by_index=[n - k, n - 1])
    return values[::-1], vectors[:, ::-1]


@pytest.mark.parametrize(
    ("sizes", "k", "dtype", "tolerance"),
    [
        ((40, 24, 16, 12, 8), 4, torch.float64, 1e-7),  # LAPACK
        ((40, 24, 16, 12, 8), 4, torch.float32, 1e-4),
        ((8, 40, 9), 5, torch.float64, 1e-7),  # the smaller side holds the first layer
        ((25, 15), 6, torch.float64, 1e-7),
        ((420, 260, 160, 4), 4, torch.float64, 1e-4),  # ARPACK
        ((420, 260, 160, 4), 4, torch.float32, 1e-3),
    ],
)
def test_layered_embedding_is_that_of_the_full_laplacian(sizes, k, dtype, tolerance):
    """Its columns solve A x = s D x for the largest s, and span what a dense solver spans."""
    weights = drop_dead_units(grouped_mlp(sizes, k, seed=1, between=0.3))
    adjacency = mlp_adjacency(weights)
    embedding, degrees = embed_layered(graphs_of(weights, dtype), k)
    found = embedding[0].double().numpy()
    scale = adjacency.sum() / degrees.sum().item()  # `as_magnitudes` scales the weights
    np.testing.assert_allclose(degrees[0].numpy() * scale, adjacency.sum(1), rtol=1e-5)

    values, vectors = dense_pairs(weights, k + 1)
    assert values[k - 1] - values[k] > 0.01  # else the leading vectors are not unique
    # from D^-1/2 u back to u, of length 1 over both sides
    u = found * np.sqrt(degrees[0].double().numpy())[:, None] / math.sqrt(2)
    np.testing.assert_allclose(u.T @ u, np.eye(k), atol=tolerance)
    rayleigh = np.einsum("ic,ij,jc->c", u, normalized(adjacency), u)
    np.testing.assert_allclose(rayleigh, values[:k], atol=tolerance)
    # the sine of the largest angle between both spaces
    projected = vectors[:, :k] @ (vectors[:, :k].T @ u)
    assert np.linalg.norm(u - projected, 2) < 10 * tolerance


def test_general_embedding_is_that_of_the_laplacian():
    rng = rng_of(2)
    upper = np.triu(rng.random((30, 30)) * (rng.random((30, 30)) < 0.4), 1)
    adjacency = sp.csr_array(upper + upper.T)
    embedding = embed_general(adjacency, 4)
    values = np.linalg.eigvalsh(normalized(adjacency))[::-1][:4]
    degrees = adjacency.sum(1)[:, None]
    np.testing.assert_allclose(adjacency @ embedding, degrees * embedding * values, atol=1e-10)
    np.testing.assert_allclose(embedding.T @ (degrees * embedding), np.eye(4), atol=1e-10)


def test_dead_units_get_zero_rows_and_leave_the_others_alone():
    weights = [w.copy() for w in drop_dead_units(pruned_mlp((14, 10, 6), seed=3, sparsity=0.4))]
    padded = [np.insert(weights[0], 4, 0.0, axis=0), np.insert(weights[1], 4, 0.0, axis=1)]
    plain, _ = embed_layered(graphs_of(weights, torch.float64), 3)
    found, degrees = embed_layered(graphs_of(padded, torch.float64), 3)
    dead = weights[0].shape[1] + 4
    assert degrees[0, dead] == 0
    assert (found[0, dead] == 0).all()
    kept = np.delete(found[0].numpy(), dead, axis=0)
    signs = np.sign((kept * plain[0].numpy()).sum(0))
    np.testing.assert_allclose(kept * signs, plain[0].numpy(), atol=1e-6)


def weakly_joined(seed):
    """Six dense parts of a network, joined by a few edges down to a millionth of the others."""
    rng = rng_of(seed)
    weights = grouped_mlp((300, 260, 260, 260, 10), 6, seed, sparsity=0.3)
    return [
        w + (rng.random(w.shape) < 0.002) * 10.0 ** rng.uniform(-6, 0) * (w == 0) for w in weights
    ]


@pytest.mark.parametrize("seed", range(6))
def test_no_eigenvector_of_weakly_joined_parts_is_missed(seed):
    """Their eigenvalues almost coincide, and a single-vector Lanczos method may pass one over."""
    weights = drop_dead_units(weakly_joined(seed))
    embedding, degrees = embed_layered(graphs_of(weights), 8)
    u = embedding[0].double() * degrees[0].double().sqrt().unsqueeze(1) / math.sqrt(2)
    full = torch.from_numpy(normalized(mlp_adjacency(weights)))
    rayleigh = (u * (full @ u)).sum(0)
    np.testing.assert_allclose(rayleigh, dense_pairs(weights, 8)[0], atol=1e-3)


def test_a_graph_of_low_rank_gives_the_same_result_every_time():
    """Its Krylov spaces are so small that ARPACK has to draw vectors of its own."""
    weights = [np.ones((300, 300)), np.ones((300, 300))]
    first, second = (cluster_network(weights, 4, rng=rng_of(0))[0] for _ in range(2))
    np.testing.assert_array_equal(first, second)


@given(n=st.integers(1, 7), seed=st.integers(0, 2**32))
def test_two_sides_are_found_exactly_where_no_cycle_is_odd(n, seed):
    upper = np.triu(rng_of(seed).random((n, n)) < 0.3, 1)
    edge = upper | upper.T
    adjacency = sp.csr_array(edge.astype(float))
    sides = two_sides(adjacency)
    # a graph has an odd cycle exactly if some odd power of its adjacency has a closed walk
    odd, reach = False, edge.copy()
    for _ in range(n):
        odd = odd or reach.diagonal().any()
        reach = (reach.astype(int) @ edge @ edge) > 0
    assert (sides is None) == odd
    if sides is not None:
        rows, columns = adjacency.nonzero()
        assert (sides[rows] != sides[columns]).all()
