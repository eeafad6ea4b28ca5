"""One function, many graphs: units of ReLU networks are scaled, and come back to one scaling."""

from __future__ import annotations

import copy
from itertools import pairwise

import numpy as np
import pytest
import torch
from networks import global_random_state_untouched, rng_of
from torch import nn

from modclust_utils import rescaling
from modclust_utils.graph_clusters import cluster_graph
from modclust_utils.graphs import network_graph
from modclust_utils.pretrained.architectures import cifar_resnet
from modclust_utils.rescaling import (
    balanced,
    free_units,
    randomly_rescaled,
    rescaled,
    scale_dependent,
)

SIZES = (12, 16, 16, 16, 6)


def planted(across: float = 0.1, seed: int = 0) -> nn.Sequential:
    """Two modules side by side, with weak weights between them."""
    torch.manual_seed(seed)
    layers: list[nn.Module] = []
    for n_in, n_out in pairwise(SIZES):
        layer = nn.Linear(n_in, n_out)
        own = (torch.arange(n_out) < n_out // 2)[:, None] == (torch.arange(n_in) < n_in // 2)
        layer.weight.data = torch.rand(n_out, n_in) * torch.where(own, 1.0, across)
        layers += [layer, nn.ReLU()]
    return nn.Sequential(*layers[:-1])


NETWORK = planted()
GRAPH = network_graph(NETWORK, torch.zeros(1, SIZES[0]))


def ncut_of(graph, k: int = 2) -> float:
    return cluster_graph(graph, k, rng=rng_of(0))[1]


def sums_of(graph) -> tuple[np.ndarray, np.ndarray]:
    upper = np.zeros(graph.adjacency.shape)
    ends = np.cumsum(graph.layer_sizes)
    for each in graph.connections:
        rows = slice(ends[each.target] - graph.layer_sizes[each.target], ends[each.target])
        columns = slice(ends[each.source] - graph.layer_sizes[each.source], ends[each.source])
        upper[rows, columns] = each.weights
    return upper.sum(1), upper.sum(0)


@torch.no_grad()
def test_rescaled_graph_is_that_of_the_rescaled_network_which_computes_the_same():
    scale = np.exp(rng_of(1).normal(size=len(GRAPH.layer_of_unit)))
    scale[~free_units(GRAPH)] = 1
    other = copy.deepcopy(NETWORK)
    parts = [torch.from_numpy(p) for p in np.split(scale, np.cumsum(GRAPH.layer_sizes)[:-1])]
    linears = [layer for layer in other if isinstance(layer, nn.Linear)]
    for layer, before, after in zip(linears, parts, parts[1:], strict=False):
        layer.weight *= (after[:, None] / before).float()
        layer.bias *= after.float()
    x = torch.rand(9, SIZES[0])
    torch.testing.assert_close(other(x), NETWORK(x), rtol=1e-3, atol=1e-4)
    expected = network_graph(other, x[:1])
    np.testing.assert_allclose(
        rescaled(GRAPH, scale).adjacency.toarray(), expected.adjacency.toarray(), rtol=1e-5
    )


def test_ncut_of_one_function_moves_with_the_scale_of_its_units():
    """What the gauge is there for: the planted modules are there however units are scaled."""
    given = ncut_of(GRAPH)
    drawn = [ncut_of(randomly_rescaled(GRAPH, 10, rng=rng_of(seed))) for seed in range(12)]
    assert max(drawn) > 1.25 * min(drawn)
    assert given < 0.5
    one = np.ones(len(GRAPH.layer_of_unit))
    one[SIZES[0]] = 100
    assert abs(ncut_of(rescaled(GRAPH, one)) - given) > 0.02


@pytest.mark.parametrize("seed", range(3))
def test_balanced_is_the_same_from_everywhere(seed):
    own, other = balanced(GRAPH), balanced(randomly_rescaled(GRAPH, 30, rng=rng_of(seed)))
    for a, b in zip(own.connections, other.connections, strict=True):
        np.testing.assert_allclose(a.weights, b.weights, rtol=1e-4)
    assert ncut_of(own) == pytest.approx(ncut_of(other), abs=1e-4)


def test_balanced_has_equal_norms_and_weighs_the_least():
    free = free_units(GRAPH)
    assert free.tolist() == [0 < layer < len(SIZES) - 1 for layer in GRAPH.layer_of_unit]
    coming, going = sums_of(balanced(GRAPH))
    np.testing.assert_allclose(coming[free], going[free], rtol=1e-5)
    weight = balanced(GRAPH).adjacency.sum()
    for seed in range(5):
        drawn = randomly_rescaled(balanced(GRAPH), 1.2, rng=rng_of(seed))
        assert drawn.adjacency.sum() > weight


def test_a_scaling_that_is_not_canonical_yet_says_so(monkeypatch):
    monkeypatch.setattr(rescaling, "MOST_ROUNDS", 2)
    with pytest.warns(RuntimeWarning, match="after 2 rounds sums of edges in and out are still"):
        balanced(GRAPH)


def test_units_that_are_added_are_scaled_together():
    torch.manual_seed(0)
    graph = network_graph(cifar_resnet(8), torch.zeros(1, 3, 32, 32))
    names = graph.layer_names
    first, second = (names.index(name) for name in ("layer2.0.conv2", "layer3.0.conv1"))
    # the shortcut of layer2 adds the first group's channels into its middle: they are one
    tied = graph.tied
    of_block = tied[graph.layer_of_unit == first]
    of_stem = tied[graph.layer_of_unit == 0]
    assert set(of_stem) <= set(of_block)
    assert not set(of_block) & set(tied[graph.layer_of_unit == second])
    scale = np.ones(len(tied))
    scale[np.flatnonzero(graph.layer_of_unit == first)[10]] = 2
    with pytest.raises(ValueError, match="scale has different numbers for units that are added"):
        rescaled(graph, scale)
    coming, going = sums_of(balanced(graph))
    free = free_units(graph)
    assert 0 < free.sum() < len(free)
    for group in np.unique(tied[free]):
        own = tied == group
        assert coming[own].sum() == pytest.approx(going[own].sum(), rel=1e-4)


def test_rescaling_has_its_own_random_numbers():
    with global_random_state_untouched():
        a, b, c = (randomly_rescaled(GRAPH, 10, rng=rng_of(seed)) for seed in (0, 0, 1))
    assert (a.connections[1].weights == b.connections[1].weights).all()
    assert (a.connections[1].weights != c.connections[1].weights).any()


@pytest.mark.parametrize(
    ("module", "expected"),
    [
        (nn.Sequential(nn.Linear(2, 2), nn.ReLU(), nn.Linear(2, 2)), ()),
        (nn.Sequential(nn.Linear(2, 2), nn.LeakyReLU(), nn.Linear(2, 2)), ()),
        (nn.Sequential(nn.Linear(2, 2), nn.GELU(), nn.ReLU6()), ("GELU", "ReLU6")),
    ],
)
def test_non_linearities_that_let_no_factor_pass_are_named(module, expected):
    assert scale_dependent(module) == expected


@pytest.mark.parametrize("spread", [0.5, np.inf, np.nan])
def test_spread_below_one_is_refused(spread):
    with pytest.raises(ValueError, match=r"spread=.* is not allowed"):
        randomly_rescaled(GRAPH, spread, rng=rng_of(0))


@pytest.mark.parametrize("scale", [np.ones(3), np.zeros(sum(SIZES)), np.full(sum(SIZES), np.nan)])
def test_scale_of_another_form_is_refused(scale):
    with pytest.raises(ValueError, match="scale"):
        rescaled(GRAPH, scale)
