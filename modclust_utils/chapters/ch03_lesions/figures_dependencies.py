"""The dependency graph of sub-clusters: its picture, and how stable its edges are."""

from __future__ import annotations

from collections.abc import Sequence
from typing import Any

import numpy as np
import pandas as pd
from matplotlib.axes import Axes
from matplotlib.figure import Figure
from matplotlib.lines import Line2D
from matplotlib.patches import Circle, PathPatch, Polygon
from matplotlib.path import Path

from modclust_utils.chapters.ch03_lesions.tables import with_share
from modclust_utils.figures.cells import (
    PAIR,
    Rows,
    SubCluster,
    as_pairs,
    as_singles,
    check_shares,
    subcluster_name,
    subclusters,
    text_color_on,
)
from modclust_utils.figures.colors import cluster_color
from modclust_utils.figures.layered import HEAD, Layout, edge_path, layout_of, ports_of
from modclust_utils.figures.style import (
    INK,
    NULL_COLOR,
    TICK_SIZE,
    new_figure,
    rows_only,
    sentence_figure,
    styled,
)
from modclust_utils.recipes.frames import shown_figure

BETWEEN_COLOR = "#555555"  # edges between two clusters
# (X important given Y, Y important given X): dashes of an edge, and what it says in words
EDGE_STYLE: dict[tuple[bool, bool], tuple[Any, str]] = {
    (False, True): ((0, (4.5, 1.8)), "X unimportant once Y is lesioned: what X sends goes to Y"),
    (True, False): ((0, (1.1, 1.3)), "Y unimportant once X is lesioned: what Y gets comes from X"),
    (False, False): ("solid", "both"),
}


def edge_color(x: SubCluster, y: SubCluster) -> str:
    """The colour of the cluster that an edge stays in, or gray."""
    return cluster_color(x[1]) if x[1] == y[1] else BETWEEN_COLOR


def _edge_width(share: float | None) -> float:
    return 1.6 if share is None else 0.6 + 2.6 * share


@shown_figure
@styled
def dependency_graph(
    edges: pd.DataFrame, singles: Rows, stability: pd.DataFrame | None = None
) -> Figure:
    """The dependency graph of the important sub-clusters, by layer (paper A, Figure 6 b).

    A sentence where there is no edge.

    Discs: area by share of the layer (those below 5 % as if they had 5 %), colour of the cluster.
    Arrows from earlier to later layers, dashed by what is unimportant given what; in a cluster's
    colour inside it, else gray; the wider, the more often they came back, where that is given.

    edges: x_layer, x_label, y_layer, y_label, x_given_y, y_given_x (bool, not both True); singles:
    layer, label, proportion (0 to 1), kind; stability: `tables.edge_stability`.
    Raises ValueError for tables that do not fit, and where no sub-cluster is important.
    """
    if edges.empty:
        return sentence_figure("The dependency graph of this network has no edge.")
    singles = as_singles(singles, numbers=["proportion"])
    singles = singles[singles["kind"] == "important"]
    nodes = subclusters(singles)
    if not nodes:
        raise ValueError("singles has no row of kind 'important'; allowed: one or more")
    edges = _as_edges(edges if stability is None else with_share(edges, stability), nodes)
    ends = zip(subclusters(edges, *PAIR[:2]), subclusters(edges, *PAIR[2:]), strict=True)
    layout = layout_of(nodes, singles["proportion"].tolist(), list(ends))
    top, bottom = (layout.depth - layout.radius).min(), (layout.depth + layout.radius).max()
    legend = _graph_legend("share" in edges)
    figure = new_figure((bottom - top + 16) / 72 + 0.85 + 0.2 * len(legend))
    ax = figure.add_subplot()
    ax.set_aspect("equal")
    ax.set_xlim(0, layout.x[-1] + layout.spread[-1])
    ax.set_ylim(bottom + 8, top - 8)
    ports = ports_of(layout)
    for index, edge in enumerate(edges.itertuples()):
        _draw_edge(ax, edge_path(layout, index, ports), edge)
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


def _as_edges(table: pd.DataFrame, nodes: Sequence[SubCluster]) -> pd.DataFrame:
    booleans = ["x_given_y", "y_given_x"]
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
    corners = [(x, y - half), (x + HEAD, y), (x, y + half)]
    ax.add_patch(Polygon(corners, facecolor=color, linewidth=0, zorder=zorder + 0.1))


def _draw_node(ax: Axes, layout: Layout, index: int, node: SubCluster) -> None:
    color = cluster_color(node[1])
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


@shown_figure
@styled
def edge_stability(table: pd.DataFrame) -> Figure:
    """How often each edge of the dependency graph came back, most often on top; a sentence where
    there is no edge.

    table: x_layer, x_label, y_layer, y_label, share_reclusterings, share_networks (0 to 1), and
    maybe chance_networks (0 to 1, NaN where unknown): the share by chance, a vertical mark.
    Raises ValueError for tables that do not fit.
    """
    if table.empty:
        return sentence_figure("The dependency graph of this network has no edge.")
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
    rows_only(ax, rows, names)
    ax.grid(axis="y")  # a long way from a name to its dots
    ax.set_xlim(-0.02, 1.02)
    ax.xaxis.set_major_formatter(lambda value, _: f"{100 * value:.0f} %")
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
