"""The same function, another graph: what a network's n-cut owes to the scale of its units.

Where a unit's non-linearity is a ReLU, its incoming weights (and bias) times c and its outgoing
ones over c leave the network's function as it is. The graph of its weights changes, and its n-cut
with it. So an n-cut is a fact about one way to write a network down. `balanced` writes each
network down in the one way in which the edges into a unit weigh as much as those out of it;
`randomly_rescaled` in any.
"""

from __future__ import annotations

import warnings
from dataclasses import replace
from typing import Any

import numpy as np
import torch
import torch.nn.functional as F
from numpy.typing import NDArray
from torch import fx, nn

from modclust_utils.doors import as_number, as_numbers, as_rng, check_kind
from modclust_utils.network_graphs import NetworkGraph
from modclust_utils.tracing import traced_module

# Of the two sums of each unit, and rounds that come nearer to it by about a seventh each.
_TOLERANCE = 1e-6
MOST_ROUNDS = 10_000
# Non-linearities that network_graph knows and that do not let a factor pass.
_BENDING_MODULES = (
    *(nn.ReLU6, nn.ELU, nn.SiLU, nn.GELU, nn.Hardswish, nn.Hardsigmoid),
    *(nn.Sigmoid, nn.Tanh, nn.Softplus),
)
_BENDING_FUNCTIONS = (
    *(F.relu6, F.elu, F.silu, F.gelu, F.hardswish, F.hardsigmoid),
    *(torch.sigmoid, torch.tanh, F.sigmoid, F.tanh, F.softplus),
)
_BENDING_METHODS = ("sigmoid", "tanh")


def scale_dependent(module: nn.Module) -> tuple[str, ...]:
    """Names of the non-linearities of a module that let no factor pass, such as GELU or ReLU6.

    Where there is one, a rescaled network computes something else. Raises ValueError as
    `graphs.network_graph`.
    """
    check_kind("module", module, nn.Module, "torch.nn.Module")
    traced = traced_module(module)
    found = (_bending(traced, node) for node in traced.graph.nodes)
    return tuple(sorted({name for name in found if name}))


def _bending(traced: fx.GraphModule, node: fx.Node) -> str:
    if node.op == "call_module":
        layer = traced.get_submodule(str(node.target))
        return type(layer).__name__ if type(layer) in _BENDING_MODULES else ""
    if node.op == "call_function" and node.target in _BENDING_FUNCTIONS:
        return str(getattr(node.target, "__name__", node.target))
    return str(node.target) if node.op == "call_method" and node.target in _BENDING_METHODS else ""


def free_units(graph: NetworkGraph) -> NDArray[np.bool_]:
    """Units that can be scaled ``(n,)``: with edges into and out of them, and of those that they
    are tied to. Images and logits cannot, and where images are no units, neither can the first
    layer: nothing in the graph says what its incoming weights are."""
    check_kind("graph", graph, NetworkGraph, "a NetworkGraph, as graphs.network_graph gives it")
    groups = _numbered(graph)
    coming, going = (np.bincount(groups, each) for each in _strengths(graph, np.ones(len(groups))))
    ends = np.array(
        [
            not any(each.target == layer for each in graph.connections)
            or not any(each.source == layer for each in graph.connections)
            for layer in range(len(graph.layer_names))
        ]
    )
    at_an_end = np.bincount(groups, ends[graph.layer_of_unit]) > 0
    return ((coming > 0) & (going > 0) & ~at_an_end)[groups]


def rescaled(graph: NetworkGraph, scale: Any) -> NetworkGraph:
    """The graph of the network whose units were scaled.

    scale: for each unit ``(n,)`` a number above 0, by which its incoming edges are multiplied and
    its outgoing ones divided. Raises ValueError for other numbers, and for tied units (see
    `NetworkGraph`) with different ones.
    """
    check_kind("graph", graph, NetworkGraph, "a NetworkGraph, as graphs.network_graph gives it")
    numbers = as_numbers("scale", scale)
    if numbers.shape != graph.tied.shape or not (np.isfinite(numbers) & (numbers > 0)).all():
        raise ValueError(
            f"scale has shape {numbers.shape}; allowed: finite numbers above 0 {graph.tied.shape}"
        )
    first = np.unique(graph.tied, return_index=True, return_inverse=True)[1:]
    if (numbers[first[0]][first[1]] != numbers).any():
        raise ValueError("scale has different numbers for units that are added; allowed: one")
    parts = np.split(numbers, np.cumsum(graph.layer_sizes)[:-1])
    return replace(
        graph,
        connections=tuple(
            replace(each, weights=each.weights * parts[each.target][:, None] / parts[each.source])
            for each in graph.connections
        ),
    )


def balanced(graph: NetworkGraph) -> NetworkGraph:
    """The graph in its canonical scaling: of each unit that can be scaled, edges in and edges out
    have the same sum.

    It is the same for every way to scale the units of a network, and the way in which all edges
    together weigh the least.

    Notes
    -----
    Each unit in turn is scaled by the root of its outgoing over its incoming sum, until no sum is
    off by more than a millionth: coordinate descent on a convex function of the logarithms
    (Osborne 1960, on balancing matrices). Where `MOST_ROUNDS` do not suffice, a RuntimeWarning
    says how far off the sums still are.

    Examples
    --------
    A unit whose incoming weight was multiplied by 100 and its outgoing one divided by it.

    >>> from modclust_utils.graphs import network_graph
    >>> network = nn.Sequential(nn.Linear(1, 1), nn.ReLU(), nn.Linear(1, 1))
    >>> _ = network[0].weight.data.fill_(200.0), network[2].weight.data.fill_(0.02)
    >>> graph = balanced(network_graph(network, torch.zeros(1, 1)))
    >>> [round(each.weights.item(), 6) for each in graph.connections]
    [2.0, 2.0]
    """
    check_kind("graph", graph, NetworkGraph, "a NetworkGraph, as graphs.network_graph gives it")
    free, groups = free_units(graph), _numbered(graph)
    scale = np.ones(len(free))
    # layers whose units are tied to those of another are scaled together
    parts = [
        (own, free & np.isin(graph.layer_of_unit, own)) for own in _layer_groups(graph, groups)
    ]
    for _ in range(MOST_ROUNDS):
        most = 0.0
        for own, chosen in parts:
            coming, going = _strengths(graph, scale, own)
            coming, going = np.bincount(groups, coming), np.bincount(groups, going)
            with np.errstate(divide="ignore", invalid="ignore"):
                step = np.sqrt(going / coming)[groups[chosen]]
            scale[chosen] *= step
            most = max(most, float(np.abs(step - 1).max(initial=0.0)))
        if most < _TOLERANCE:
            break
    else:
        warnings.warn(
            f"after {MOST_ROUNDS} rounds sums of edges in and out are still off by up to "
            f"{most:.1e}: the scaling is only nearly the canonical one",
            RuntimeWarning,
            stacklevel=2,
        )
    return rescaled(graph, scale)


def randomly_rescaled(
    graph: NetworkGraph, spread: float, *, rng: np.random.Generator
) -> NetworkGraph:
    """The graph with every unit that can be scaled times a random number.

    spread: numbers are between 1 / spread and spread, uniform in their logarithm, one for units
    that are tied. Raises ValueError for a spread below 1.
    """
    check_kind("graph", graph, NetworkGraph, "a NetworkGraph, as graphs.network_graph gives it")
    spread, rng = as_number("spread", spread), as_rng(rng)
    if not 1 <= spread < np.inf:
        raise ValueError(f"spread={spread!r} is not allowed: 1 or more, such as 10")
    groups = _numbered(graph)
    drawn = np.exp(rng.uniform(-1, 1, groups.max(initial=0) + 1) * np.log(spread))
    return rescaled(graph, np.where(free_units(graph), drawn[groups], 1.0))


def _numbered(graph: NetworkGraph) -> NDArray[np.int64]:
    return np.unique(graph.tied, return_inverse=True)[1]


def _layer_groups(graph: NetworkGraph, groups: NDArray[np.int64]) -> list[list[int]]:
    """Layers, those with units that are tied to each other together."""
    found: list[set[int]] = []
    for layer in range(len(graph.layer_names)):
        own = set(groups[graph.layer_of_unit == layer].tolist())
        joined = {layer}
        for other in list(found):
            if own & set(groups[np.isin(graph.layer_of_unit, list(other))].tolist()):
                joined |= other
                found.remove(other)
        found.append(joined)
    return [sorted(each) for each in found]


def _strengths(
    graph: NetworkGraph, scale: NDArray[np.float64], layers: list[int] | None = None
) -> tuple[NDArray[np.float64], NDArray[np.float64]]:
    """Sums of the edges into and out of each unit ``(n,)`` of some layers under a scaling."""
    ends = np.cumsum(graph.layer_sizes)
    places = [slice(e - s, e) for e, s in zip(ends, graph.layer_sizes, strict=True)]
    coming, going = np.zeros(len(scale)), np.zeros(len(scale))
    for each in graph.connections:
        target, source = places[each.target], places[each.source]
        if layers is None or each.target in layers:
            coming[target] += scale[target] * (each.weights @ (1 / scale[source]))
        if layers is None or each.source in layers:
            going[source] += (scale[target] @ each.weights) / scale[source]
    return coming, going
