"""The graph of a network: entries that one can write down, and what holds for any weights."""

from __future__ import annotations

from itertools import pairwise

import numpy as np
import pytest
import scipy.sparse as sp
import scipy.stats
import torch
from hypothesis import given
from hypothesis import strategies as st
from networks import pruned_mlp, rng_of

from modclust_utils.clustering import spectral_clustering
from modclust_utils.graphs import (
    activation_adjacency,
    drop_dead_units,
    layer_of_unit,
    layer_sizes,
    live_units,
    mlp_adjacency,
)
from modclust_utils.network_doors import as_weights

SMALL = [np.array([[1.0, -2.0, 0.0], [0.5, 0.0, 0.0]]), np.array([[-3.0, 4.0]])]


@st.composite
def networks(draw):
    """Weights of one to three layers, many of them 0."""
    sizes = draw(st.lists(st.integers(1, 5), min_size=2, max_size=4))
    entries = st.sampled_from([0.0, 0.0, -1.5, 0.25, 2.0])
    return [
        np.array(draw(st.lists(entries, min_size=a * b, max_size=a * b))).reshape(b, a)
        for a, b in pairwise(sizes)
    ]


def test_adjacency_of_a_small_network_entry_by_entry():
    expected = np.array(
        [
            [0, 0, 0, 1, 0.5, 0],
            [0, 0, 0, 2, 0, 0],
            [0, 0, 0, 0, 0, 0],
            [1, 2, 0, 0, 0, 3],
            [0.5, 0, 0, 0, 0, 4],
            [0, 0, 0, 3, 4, 0],
        ]
    )
    adjacency = mlp_adjacency(SMALL)
    assert isinstance(adjacency, sp.csr_array)
    np.testing.assert_array_equal(adjacency.toarray(), expected)


def test_units_are_numbered_from_pixels_to_logits():
    assert layer_sizes(SMALL) == (3, 2, 1)
    np.testing.assert_array_equal(layer_of_unit(SMALL), [0, 0, 0, 1, 1, 2])


@given(weights=networks())
def test_every_weight_is_one_undirected_edge_between_adjacent_layers(weights):
    adjacency = mlp_adjacency(weights)
    layer = layer_of_unit(weights)
    n = sum(layer_sizes(weights))
    assert adjacency.shape == (n, n)
    assert len(layer) == n
    assert (adjacency != adjacency.T).nnz == 0
    rows, columns = adjacency.nonzero()
    assert (np.abs(layer[rows] - layer[columns]) == 1).all()
    assert len(rows) == 2 * sum(np.count_nonzero(w) for w in weights)
    assert adjacency.sum() == pytest.approx(2 * sum(np.abs(w).sum() for w in weights))


@given(weights=networks())
def test_live_units_are_those_with_a_degree(weights):
    degrees = mlp_adjacency(weights).sum(1)
    np.testing.assert_array_equal(np.concatenate(live_units(weights)), degrees > 0)


@given(weights=networks())
def test_dropping_dead_units_restricts_the_graph_to_live_ones(weights):
    live = np.concatenate(live_units(weights))
    before, after = mlp_adjacency(weights), mlp_adjacency(drop_dead_units(weights))
    np.testing.assert_array_equal(after.toarray(), before.toarray()[live][:, live])
    assert (after.sum(1) > 0).all()


def test_dead_units_of_a_small_network():
    weights = [np.array([[0.0, 1.0], [0.0, 0.0], [0.0, 2.0]]), np.array([[0.0, 3.0, 0.0]])]
    live = [part.tolist() for part in live_units(weights)]
    # the second hidden unit has no input but an output: an edge is all that it takes
    assert live == [[False, True], [True, True, True], [True]]
    np.testing.assert_array_equal(drop_dead_units(weights)[0], [[1.0], [0.0], [2.0]])


@pytest.mark.parametrize(
    "convert",
    [
        lambda w: w.astype(np.float32),
        lambda w: np.asfortranarray(w),
        lambda w: w[::-1][::-1],
        lambda w: torch.tensor(w),
        lambda w: torch.tensor(w, dtype=torch.float32),
        lambda w: torch.tensor(w, dtype=torch.bfloat16),
        lambda w: torch.tensor(w, requires_grad=True),
        lambda w: torch.tensor(w.T.copy()).T,
    ],
)
def test_kinds_of_matrices_give_the_same_graph(convert):
    converted = [convert(w) for w in SMALL]
    expected = mlp_adjacency(SMALL).toarray()
    np.testing.assert_array_equal(mlp_adjacency(converted).toarray(), expected)
    for part, reference in zip(live_units(converted), live_units(SMALL), strict=True):
        np.testing.assert_array_equal(np.asarray(part), reference)


def test_small_integers_have_an_absolute_value():
    weights = [np.array([[-128, 127]], dtype=np.int8)]
    assert mlp_adjacency(weights).toarray()[2].tolist() == [128, 127, 0]


def test_weights_are_left_as_they_are():
    weights = pruned_mlp((6, 5, 4), seed=0)
    copies = [w.copy() for w in weights]
    mlp_adjacency(weights)
    drop_dead_units(weights)
    for weight, copy in zip(weights, copies, strict=True):
        np.testing.assert_array_equal(weight, copy)


@pytest.mark.parametrize(
    ("weights", "message"),
    [
        ([], r"weights=\[\] is not allowed"),
        ([np.ones(3)], r"weights\[0\] has shape \(3,\); allowed: 2-d"),
        (torch.ones(2, 3, 4), r"weights\[1\] has shape \(3, 4\)"),
        ([torch.ones(2, 3, 4)], r"weights\[0\] has shape \(2, 3, 4\)"),
        ([np.ones((2, 3)), torch.ones(1, 2)], r"weights\[1\] is of type Tensor"),
        ([torch.ones(2, 3), np.ones((1, 2))], r"weights\[1\] is of type ndarray"),
        ([np.ones((2, 3)), np.ones((2, 3))], r"weights\[1\] has shape \(2, 3\).*\(n, 2\)"),
        ([np.ones((2, 3)), np.array([[1.0, np.nan]])], r"weights\[1\] holds NaN or infinity"),
        ([torch.full((2, 3), torch.inf)], r"weights\[0\] holds NaN or infinity"),
    ],
)
def test_weights_that_form_no_network_are_refused(weights, message):
    with pytest.raises(ValueError, match=message):
        as_weights(weights)
    with pytest.raises(ValueError, match=message):
        mlp_adjacency(weights)


# --- activations ---------------------------------------------------------------------------------


def test_activation_adjacency_of_a_small_table_with_ties_by_hand():
    # ranks 1, 2.5, 2.5, 4 and 4, 2, 3, 1: covariance -4.5, sums of squares 4.5 and 5
    activations = np.array([[0.0, 9.0], [1.0, 2.0], [1.0, 3.0], [7.0, -5.0]])
    found = activation_adjacency(activations)
    np.testing.assert_allclose(found, (4.5**2 / (4.5 * 5)) * (1 - np.eye(2)))


def test_activation_adjacency_is_spearmans_correlation_squared():
    activations = rng_of(0).integers(0, 4, (30, 6)).astype(float)  # with many ties
    expected = np.square(scipy.stats.spearmanr(activations).statistic)
    np.fill_diagonal(expected, 0)
    found = activation_adjacency(torch.tensor(activations, dtype=torch.float32))
    np.testing.assert_allclose(found, expected, atol=1e-12)
    np.testing.assert_array_equal(found, found.T)
    # any rising function of the activations has the same ranks
    np.testing.assert_array_equal(activation_adjacency(np.exp(activations)), found)


def test_a_unit_that_does_not_vary_has_no_edge_and_no_cluster():
    rng = rng_of(1)
    activations = rng.normal(size=(20, 5))
    activations[:, 2] = 0.1
    adjacency = activation_adjacency(activations)
    assert not adjacency[2].any()
    assert spectral_clustering(adjacency, 2, rng=rng)[2] == -1
    kept = np.delete(activations, 2, axis=1)
    dropped = np.delete(np.delete(adjacency, 2, axis=0), 2, axis=1)
    np.testing.assert_allclose(dropped, activation_adjacency(kept))


@pytest.mark.parametrize(
    ("activations", "message"),
    [
        (np.ones(3), r"activations has shape \(3,\)"),
        (np.ones((1, 3)), r"activations has shape \(1, 3\); .* two images or more"),
        (np.array([[1.0, np.inf], [0.0, 1.0]]), "activations holds NaN or infinity"),
    ],
)
def test_bad_activations_are_refused(activations, message):
    with pytest.raises(ValueError, match=message):
        activation_adjacency(activations)
