"""The layout of a layered graph: nodes in columns, edges that bend between them.

For graphs of some tens of nodes. Nothing is random.
"""

from __future__ import annotations

import itertools
import math
from collections.abc import Sequence
from dataclasses import dataclass

import numpy as np
from matplotlib.path import Path
from numpy.typing import NDArray
from scipy.optimize import isotonic_regression

from modclust_utils.figures.cells import SubCluster
from modclust_utils.figures.style import WIDTH

_RADIUS = 42.0  # points; a disc for a whole layer. One for 5 % of a layer still holds its name
_LEAST_RADIUS = _RADIUS * math.sqrt(0.05)
_LANE = 12.0  # points; room for an edge that passes a layer
HEAD = 7.0  # points; length of an arrow's head
_SWEEPS = 24


def count_crossings(columns: Sequence[Sequence[int]], links: Sequence[tuple[int, int]]) -> int:
    """Crossings of links between neighbouring columns, each column a list of nodes from the top."""
    place = {node: (c, i) for c, column in enumerate(columns) for i, node in enumerate(column)}
    spans = np.array([(*place[a], place[b][1]) for a, b in links]).reshape(-1, 3)
    column, start, end = (spans[:, None] - spans[None]).transpose(2, 0, 1)
    return int(((column == 0) & (start * end < 0)).sum()) // 2


def order_columns(
    columns: Sequence[Sequence[int]], links: Sequence[tuple[int, int]]
) -> list[list[int]]:
    """The same columns, their nodes reordered so that few links cross.

    The barycentre heuristic (Sugiyama, Tagawa and Toda 1981, doi:10.1109/TSMC.1981.4308636): sweeps
    to and fro put each node at the mean place of its neighbours in the column before; the best
    order that was seen is kept, and neighbours in it are swapped while that undoes crossings.
    Nothing is random. links: pairs (node, node of the next column).
    """
    before: dict[int, list[int]] = {node: [] for column in columns for node in column}
    after: dict[int, list[int]] = {node: [] for node in before}
    for a, b in links:
        after[a].append(b)
        before[b].append(a)
    current = [list(column) for column in columns]
    best, fewest = [list(column) for column in current], count_crossings(current, links)
    for sweep in range(_SWEEPS):
        forward = sweep % 2 == 0
        neighbours = before if forward else after
        for column in current if forward else current[::-1]:
            place = {n: (i + 0.5) / len(c) for c in current for i, n in enumerate(c)}
            goal = {n: [place[m] for m in neighbours[n]] or [place[n]] for n in column}
            column.sort(key=lambda n, goal=goal: sum(goal[n]) / len(goal[n]))
        crossings = count_crossings(current, links)
        if crossings < fewest:
            best, fewest = [list(column) for column in current], crossings
    _swap_neighbours(best, before, after)
    return best


def _swap_neighbours(
    columns: list[list[int]], before: dict[int, list[int]], after: dict[int, list[int]]
) -> None:
    """Swap nodes next to each other, in place, until no swap undoes a crossing."""
    place = {node: i for column in columns for i, node in enumerate(column)}

    def crossings(upper: int, lower: int) -> int:
        return sum(
            place[a] > place[b]
            for ends in (before, after)
            for a in ends[upper]
            for b in ends[lower]
        )

    swapped = True
    while swapped:
        swapped = False
        for column in columns:
            for i in range(len(column) - 1):
                upper, lower = column[i : i + 2]
                if crossings(lower, upper) < crossings(upper, lower):
                    column[i : i + 2] = [lower, upper]
                    place[upper], place[lower] = i + 1, i
                    swapped = True


def _depths(
    columns: Sequence[Sequence[int]], links: Sequence[tuple[int, int]], room: NDArray[np.float64]
) -> NDArray[np.float64]:
    """Depth of each node below the top: near its neighbours' mean, in order, without overlap.

    room: ``(n,)``, the height that each node needs. Within a column, the places nearest to the
    neighbours' means that keep their distances are an isotonic regression.
    """
    neighbours: list[list[int]] = [[] for _ in room]
    for a, b in links:
        neighbours[a].append(b)
        neighbours[b].append(a)
    depth = np.zeros(len(room))
    stacked = {}
    for index, column in enumerate(columns):
        ends = np.cumsum(room[column])
        stacked[index] = ends - room[column] / 2
        depth[column] = stacked[index] - ends[-1] / 2
    for sweep in range(_SWEEPS):
        for index in range(len(columns))[:: 1 if sweep % 2 == 0 else -1]:
            column = columns[index]
            goal = [np.mean(depth[neighbours[n]]) if neighbours[n] else depth[n] for n in column]
            depth[column] = isotonic_regression(goal - stacked[index]).x + stacked[index]
    return depth - depth.min()


@dataclass(frozen=True)
class Layout:
    """Where everything is, in points: nodes first, then the places where edges pass a layer."""

    layers: list[int]
    column: NDArray[np.int64]
    radius: NDArray[np.float64]  # 0 where an edge passes
    depth: NDArray[np.float64]
    chains: list[list[int]]  # the nodes and places that each edge joins

    @property
    def spread(self) -> NDArray[np.float64]:
        """Largest radius of each column, with room for an arrow's head."""
        return np.array(
            [self.radius[self.column == c].max() + HEAD + 4 for c in range(len(self.layers))]
        )

    @property
    def x(self) -> NDArray[np.float64]:
        """Middle of each column; gaps of one width between the columns."""
        spread, width = self.spread, 72 * (WIDTH - 0.3)
        gap = (width - 2 * spread.sum()) / max(len(spread) - 1, 1)
        return np.cumsum(2 * spread + gap) - spread - gap


def layout_of(
    nodes: Sequence[SubCluster],
    sizes: Sequence[float],
    edges: Sequence[tuple[SubCluster, SubCluster]],
) -> Layout:
    """Places for nodes, each with its layer first, and for edges to later layers.

    sizes: the shares that discs have as their areas.
    """
    layers = list(range(min(n[0] for n in nodes), max(n[0] for n in nodes) + 1))
    column = [n[0] - layers[0] for n in nodes]
    radius = [max(_RADIUS * math.sqrt(size), _LEAST_RADIUS) for size in sizes]
    chains = []
    for x, y in edges:
        passed = range(x[0] + 1 - layers[0], y[0] - layers[0])
        places = list(range(len(column), len(column) + len(passed)))
        column += passed
        radius += [0.0] * len(passed)
        chains.append([nodes.index(x), *places, nodes.index(y)])
    columns = [[n for n, c in enumerate(column) if c == index] for index in range(len(layers))]
    links = [link for chain in chains for link in itertools.pairwise(chain)]
    radii = np.array(radius)
    room = np.where(radii > 0, 2 * radii + _LANE, _LANE)
    depth = _depths(order_columns(columns, links), links, room)
    return Layout(layers, np.array(column), radii, depth, chains)


def ports_of(layout: Layout) -> dict[tuple[int, int, int], float]:
    """How far below a node's middle each edge starts or ends: (edge, node, side) -> points.

    Edges on one side of a disc lie in the order of where they lead to, so that they do not cross.
    """
    sides: dict[tuple[int, int], list[tuple[float, int]]] = {}
    for edge, chain in enumerate(layout.chains):
        sides.setdefault((chain[0], 1), []).append((layout.depth[chain[1]], edge))
        sides.setdefault((chain[-1], -1), []).append((layout.depth[chain[-2]], edge))
    ports = {}
    for (node, side), ends in sides.items():
        step = min(9.0, 1.8 * layout.radius[node] / len(ends))
        for rank, (_, edge) in enumerate(sorted(ends)):
            ports[edge, node, side] = (rank - (len(ends) - 1) / 2) * step
    return ports


def edge_path(layout: Layout, edge: int, ports: dict[tuple[int, int, int], float]) -> Path:
    """An edge from disc to disc. It bends only between columns, where no disc is."""
    chain, x, spread = layout.chains[edge], layout.x, layout.spread
    offset = [ports.get((edge, chain[0], 1), 0.0), *[0.0] * (len(chain) - 2)]
    offset.append(ports[edge, chain[-1], -1])
    inset = [math.sqrt(layout.radius[n] ** 2 - o**2) for n, o in zip(chain, offset, strict=True)]
    column = [int(layout.column[n]) for n in chain]
    depth = [layout.depth[n] + o for n, o in zip(chain, offset, strict=True)]
    points, codes = [(x[column[0]] + inset[0], depth[0])], [Path.MOVETO]
    for i, j in itertools.pairwise(range(len(chain))):
        left, right = x[column[i]] + spread[column[i]], x[column[j]] - spread[column[j]]
        middle = (left + right) / 2
        points += [(left, depth[i]), (middle, depth[i]), (middle, depth[j]), (right, depth[j])]
        codes += [Path.LINETO, *[Path.CURVE4] * 3]
    points.append((x[column[-1]] - inset[-1] - HEAD, depth[-1]))
    return Path(points, [*codes, Path.LINETO])
