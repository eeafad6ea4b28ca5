"""The dependency graph of sub-clusters: its picture, and how stable its edges are."""

from __future__ import annotations

import itertools
import math
from collections.abc import Sequence
from dataclasses import dataclass
from typing import Any

import numpy as np
import pandas as pd
from matplotlib.axes import Axes
from matplotlib.figure import Figure
from matplotlib.lines import Line2D
from matplotlib.patches import Circle, PathPatch, Polygon
from matplotlib.path import Path
from numpy.typing import NDArray
from scipy.optimize import isotonic_regression

from modclust_utils.figures.cells import (
    BETWEEN_COLOR,
    EDGE_STYLE,
    PAIR,
    Rows,
    SubCluster,
    as_pairs,
    as_singles,
    check_shares,
    edge_color,
    subcluster_name,
    subclusters,
    text_color_on,
)
from modclust_utils.figures.colors import CLUSTER_COLORS
from modclust_utils.figures.style import (
    INK,
    NULL_COLOR,
    TICK_SIZE,
    WIDTH,
    new_figure,
    styled,
)

_RADIUS = 42.0  # points; a disc for a whole layer. One for 5 % of a layer still holds its name
_LEAST_RADIUS = _RADIUS * math.sqrt(0.05)
_LANE = 12.0  # points; room for an edge that passes a layer
_HEAD = 7.0  # points; length of an arrow's head
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
class _Layout:
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
            [self.radius[self.column == c].max() + _HEAD + 4 for c in range(len(self.layers))]
        )

    @property
    def x(self) -> NDArray[np.float64]:
        """Middle of each column; gaps of one width between the columns."""
        spread, width = self.spread, 72 * (WIDTH - 0.3)
        gap = (width - 2 * spread.sum()) / max(len(spread) - 1, 1)
        return np.cumsum(2 * spread + gap) - spread - gap


def _layout(nodes: Sequence[SubCluster], sizes: Sequence[float], edges: pd.DataFrame) -> _Layout:
    layers = list(range(min(n[0] for n in nodes), max(n[0] for n in nodes) + 1))
    column = [n[0] - layers[0] for n in nodes]
    radius = [max(_RADIUS * math.sqrt(size), _LEAST_RADIUS) for size in sizes]
    chains = []
    for x, y in zip(subclusters(edges, *PAIR[:2]), subclusters(edges, *PAIR[2:]), strict=True):
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
    return _Layout(layers, np.array(column), radii, depth, chains)


def _ports(layout: _Layout) -> dict[tuple[int, int, int], float]:
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


def _edge_path(layout: _Layout, edge: int, ports: dict[tuple[int, int, int], float]) -> Path:
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
    points.append((x[column[-1]] - inset[-1] - _HEAD, depth[-1]))
    return Path(points, [*codes, Path.LINETO])


def _edge_width(share: float | None) -> float:
    return 1.6 if share is None else 0.6 + 2.6 * share


@styled
def dependency_graph_figure(singles: Rows, edges: Rows) -> Figure:
    """The dependency graph of the important sub-clusters, by layer (paper A, Figure 6 b).

    Discs: area by share of the layer (those below 5 % as if they had 5 %), colour of the cluster.
    Arrows from earlier to later layers, dashed by what is unimportant given what; in a cluster's
    colour inside it, else gray; as wide as `share` says, where it is given.

    singles: layer, label, proportion (0 to 1), kind; edges: x_layer, x_label, y_layer, y_label,
    x_given_y, y_given_x (bool, not both True), and maybe share (0 to 1); may have no rows.
    Raises ValueError for tables that do not fit, and where no sub-cluster is important.
    """
    singles = as_singles(singles, numbers=["proportion"])
    singles = singles[singles["kind"] == "important"]
    nodes = subclusters(singles)
    if not nodes:
        raise ValueError("singles has no row of kind 'important'; allowed: one or more")
    edges = _as_edges(edges, nodes)
    layout = _layout(nodes, singles["proportion"].tolist(), edges)
    top, bottom = (layout.depth - layout.radius).min(), (layout.depth + layout.radius).max()
    legend = _graph_legend("share" in edges)
    figure = new_figure((bottom - top + 16) / 72 + 0.85 + 0.2 * len(legend))
    ax = figure.add_subplot()
    ax.set_aspect("equal")
    ax.set_xlim(0, layout.x[-1] + layout.spread[-1])
    ax.set_ylim(bottom + 8, top - 8)
    ports = _ports(layout)
    for index, edge in enumerate(edges.itertuples()):
        _draw_edge(ax, _edge_path(layout, index, ports), edge)
    for index, node in enumerate(nodes):
        _draw_node(ax, layout, index, node)
    ax.set_xticks(layout.x, [f"hidden {layer}" for layer in layout.layers])
    ax.xaxis.tick_top()
    ax.grid(False)
    ax.set_yticks([])
    ax.tick_params(length=0)
    ax.spines[:].set_visible(False)
    between = "edge" if len(edges) == 1 else "edges"
    ax.set_title(f"{len(nodes)} important sub-clusters, {len(edges)} {between} X → Y")
    figure.legend(handles=legend, loc="outside lower center", ncols=1, handlelength=4)
    return figure


def _as_edges(rows: Rows, nodes: Sequence[SubCluster]) -> pd.DataFrame:
    booleans = ["x_given_y", "y_given_x"]
    table = rows if isinstance(rows, pd.DataFrame) else pd.DataFrame(list(rows))
    if len(table) == 0:
        return pd.DataFrame(columns=[*PAIR, *booleans])
    numbers = ["share"] if "share" in table else []
    table = as_pairs(table, "edges", numbers=numbers, booleans=booleans, among=nodes)
    if (table["x_given_y"] & table["y_given_x"]).any():
        raise ValueError(
            "edges has x_given_y=True with y_given_x=True; allowed: one of them False, or both"
        )
    if numbers:
        check_shares(table, "edges", "share")
    return table.sort_values([*PAIR], ignore_index=True)


def _draw_edge(ax: Axes, path: Path, edge: Any) -> None:
    color = edge_color((edge.x_layer, edge.x_label), (edge.y_layer, edge.y_label))
    dashes, _ = EDGE_STYLE[bool(edge.x_given_y), bool(edge.y_given_x)]
    width = _edge_width(getattr(edge, "share", None))
    # edges inside a cluster on top: they are what the eye should follow
    zorder = 2.5 if color != BETWEEN_COLOR else 2.0
    ax.add_patch(
        PathPatch(
            path, facecolor="none", edgecolor=color, linewidth=width, linestyle=dashes,
            capstyle="butt", zorder=zorder,
        )
    )  # fmt: skip
    x, y = path.vertices[-1]
    half = 2.2 + 0.5 * width
    corners = [(x, y - half), (x + _HEAD, y), (x, y + half)]
    ax.add_patch(Polygon(corners, facecolor=color, linewidth=0, zorder=zorder + 0.1))


def _draw_node(ax: Axes, layout: _Layout, index: int, node: SubCluster) -> None:
    color = CLUSTER_COLORS[node[1]]
    middle = (layout.x[layout.column[index]], layout.depth[index])
    ax.add_patch(Circle(middle, layout.radius[index], facecolor=color, linewidth=0, zorder=3))
    ax.text(
        *middle, subcluster_name(node), color=text_color_on(color), size=TICK_SIZE,
        ha="center", va="center", zorder=4,
    )  # fmt: skip


def _graph_legend(with_share: bool) -> list[Line2D]:
    handles = [
        Line2D([], [], color=INK, linewidth=1.6, linestyle=dashes, label=words)
        for dashes, words in EDGE_STYLE.values()
    ]
    for handle in handles:
        handle.set_dash_capstyle("butt")
    gray = "gray: between two clusters; a cluster's colour: inside it"
    handles.append(Line2D([], [], color=BETWEEN_COLOR, linewidth=1.6, label=gray))
    if with_share:
        for share in (1.0, 0.2):
            label = f"came back in {100 * share:.0f} % of the re-clusterings"
            handles.append(Line2D([], [], color=INK, linewidth=_edge_width(share), label=label))
    disc = "area of a disc: share of its layer"
    handles.append(
        Line2D([], [], linestyle="", marker="o", markersize=9, color=NULL_COLOR, label=disc)
    )
    return handles


@styled
def edge_stability_figure(table: Rows) -> Figure:
    """How often each edge of the dependency graph came back, most often on top.

    table: x_layer, x_label, y_layer, y_label, share_reclusterings, share_networks (0 to 1), and
    maybe chance_networks (0 to 1, NaN where unknown): the share by chance, a vertical mark.
    Raises ValueError for tables that do not fit.
    """
    numbers = ["share_reclusterings", "share_networks"]
    table = as_pairs(table, "table", numbers=numbers)
    chance = "chance_networks" in table and table["chance_networks"].notna().any()
    for column in [*numbers, *(["chance_networks"] if chance else [])]:
        check_shares(table, "table", column)
    table = table.sort_values(
        ["share_reclusterings", "share_networks", *PAIR],
        ascending=[False, False, True, True, True, True],
        ignore_index=True,
    )
    xs, ys = subclusters(table, *PAIR[:2]), subclusters(table, *PAIR[2:])
    colors = [edge_color(x, y) for x, y in zip(xs, ys, strict=True)]
    rows = np.arange(len(table))
    figure = new_figure(1.35 + 0.24 * len(table))
    ax = figure.add_subplot()
    if chance:
        known = table["chance_networks"].dropna()
        ax.vlines(known, known.index - 0.36, known.index + 0.36, color=INK, linewidth=1.6)
    # a row lies lower or higher than its line by little, so that equal shares both show
    ax.scatter(table["share_reclusterings"], rows - 0.12, s=38, c=colors, zorder=3, clip_on=False)
    ax.scatter(
        table["share_networks"], rows + 0.12, s=30, marker="D", facecolors="white",
        edgecolors=colors, linewidths=1.4, zorder=4, clip_on=False,
    )  # fmt: skip
    names = [f"{subcluster_name(x)} → {subcluster_name(y)}" for x, y in zip(xs, ys, strict=True)]
    ax.set_yticks(rows, names)
    ax.set_ylim(len(table) - 0.4, -0.6)
    ax.set_xlim(-0.02, 1.02)
    ax.xaxis.set_major_formatter(lambda value, _: f"{100 * value:.0f} %")
    ax.tick_params(axis="y", length=0)
    ax.spines["left"].set_visible(False)
    ax.set_xlabel("share in which the edge came back (in a cluster's colour: an edge inside it)")
    ax.set_title("How stable each edge of the dependency graph is")
    shared = {"linestyle": "", "color": BETWEEN_COLOR}
    handles = [
        Line2D([], [], marker="o", markersize=6, label="re-clusterings of this network", **shared),
        Line2D([], [], marker="D", markersize=5.5, markerfacecolor="white", markeredgewidth=1.4,
               label="other networks", **shared),
    ]  # fmt: skip
    if chance:
        label = "other networks, by chance"
        handles.append(
            Line2D([], [], linestyle="", color=INK, marker="|", markersize=9, markeredgewidth=1.6,
                   label=label)
        )  # fmt: skip
    figure.legend(handles=handles, loc="outside lower center", ncols=3)
    return figure
