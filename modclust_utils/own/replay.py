"""Is the graph that of the network? Units of it are moved, and what follows is compared."""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass

import numpy as np
import torch
from numpy.typing import NDArray

from modclust_utils.network_graphs import INPUT, NetworkGraph
from modclust_utils.own.input_shapes import fault
from modclust_utils.own.reading import OwnNetwork
from modclust_utils.passes import Operations

#: Units that the replay moves, and the share of a number by which an effect may be off by rounding.
N_REPLAYED = 24
_ROUNDING = 1e-4
# Rows and columns of images that are enough, where they go through.
_SIDE = 64
# A non-linearity that lets more than its input's change pass: GELU and SiLU, by a tenth.
_STEEPEST = 1.13


@dataclass(frozen=True)
class Replay:
    """Whether the graph is that of the network: units were moved one at a time.

    n_units: how many; n_pairs: units that have an edge from one of them; n_moved: of these, those
    that moved; faults: what the graph does not explain; reason: why nothing was replayed.
    """

    n_units: int = 0
    n_pairs: int = 0
    n_moved: int = 0
    faults: tuple[str, ...] = ()
    reason: str = ""


@torch.no_grad()
def replay(network: OwnNetwork, graph: NetworkGraph, *, n_units: int = N_REPLAYED) -> Replay:
    """Move units of the network one at a time, and compare what follows with the graph.

    All layers but the next are held where they were. So a unit that moves must have an edge from
    the one that was moved, and an edge is the most by which it can move: all operations between
    layers but sums keep differences as they are or make them smaller.
    """
    names = [name for name in graph.layer_names if name != INPUT]
    if not names or any(not name for name in names):
        return Replay(reason="its layers cannot be stopped at")
    shape = _small(network)
    image = torch.from_numpy(np.random.default_rng(0).random((1, *shape), dtype=np.float32))
    try:
        operations = Operations(network.module, names, image)
    except ValueError as error:
        return Replay(reason=str(error))
    order = sorted(names, key=operations.place.__getitem__)
    running, base = operations.start(image), {}
    for name in order:
        base[name] = running.reach(name).clone()
    counts, faults = np.zeros(3, int), []
    chosen = _chosen(graph, names, n_units)
    if not chosen:
        return Replay(reason="only the images have edges to later units")
    sizes = {name: float(base[name].abs().max()) for name in order}
    for name, unit in chosen:
        # a step as large as what the layer puts out, which no rounding hides
        step = sizes[name] or 1.0
        found = _moved(operations, image, order, base, name, unit, step)
        counts[0] += 1
        rounding = {later: _ROUNDING * sizes[later] / step for later in found}
        faults += _compare(graph, name, unit, found, counts, rounding)
    return Replay(*counts.tolist(), faults=tuple(faults))


def _small(network: OwnNetwork) -> tuple[int, ...]:
    """The shape of images to replay with: edges are those of channels, whatever the size of images,
    and on smaller ones a large network is replayed in seconds."""
    shape = network.input_shape
    if len(shape) == 3 and min(shape[1:]) > _SIDE:
        small = (shape[0], _SIDE, _SIDE)
        if not fault(network.module, small):
            return small
    return shape


def _chosen(graph: NetworkGraph, names: Sequence[str], n_units: int) -> list[tuple[str, int]]:
    """Units of layers that have edges to later ones, spread over these layers."""
    rng = np.random.default_rng(0)
    sources = sorted({each.source for each in graph.connections})
    layers = [i for i in sources if graph.layer_names[i] in names]
    if not layers:
        return []
    turns = np.resize(rng.permutation(layers), n_units)
    picked = {(int(i), int(rng.integers(graph.layer_sizes[i]))) for i in turns}
    return [(graph.layer_names[layer], unit) for layer, unit in sorted(picked)]


def _moved(
    operations: Operations,
    image: torch.Tensor,
    order: Sequence[str],
    base: dict[str, torch.Tensor],
    name: str,
    unit: int,
    step: float,
) -> dict[str, NDArray[np.float64]]:
    """By how many steps the units of each later layer move when one unit moves by one everywhere,
    and all other layers are held."""
    running = operations.start(image)
    running.reach(name)
    pushed = base[name].clone()
    pushed[:, unit] += step
    running.replace(name, pushed)
    found = {}
    for later in order[order.index(name) + 1 :]:
        change = (running.reach(later) - base[later]).abs().flatten(2 if pushed.ndim > 2 else 1)
        by_unit = change[0].double().numpy() / step
        found[later] = by_unit.max(1) if by_unit.ndim > 1 else by_unit
        running.replace(later, base[later].clone())
    return found


def _compare(
    graph: NetworkGraph,
    name: str,
    unit: int,
    moved: dict[str, NDArray[np.float64]],
    counts: NDArray[np.int64],
    rounding: dict[str, float],
) -> list[str]:
    """What moved and should not have; rounding: by how much each layer may be off."""
    source, faults = graph.layer_names.index(name), []
    edges = {
        graph.layer_names[each.target]: each.weights[:, unit]
        for each in graph.connections
        if each.source == source
    }
    for later, found in moved.items():
        allowed = edges.get(later, np.zeros(len(found)))
        off = found > _STEEPEST * allowed * (1 + _ROUNDING) + rounding[later]
        if off.any():
            worst = int(np.argmax(found - allowed))
            faults.append(
                f"{name}[{unit}] moves {later}[{worst}] by {found[worst]:.3g}, and the edge "
                f"between them is {allowed[worst]:.3g}"
            )
        counts[1] += int((allowed > 0).sum())
        counts[2] += int(((found > 0) & (allowed > 0)).sum())
    return faults
