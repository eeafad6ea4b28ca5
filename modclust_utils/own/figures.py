"""Figures about a network of one's own."""

from __future__ import annotations

from typing import Any

import numpy as np
import pandas as pd
from matplotlib.axes import Axes
from matplotlib.figure import Figure
from matplotlib.lines import Line2D
from matplotlib.patches import Patch

from modclust_utils.figures.colors import CLUSTER_COLORS, cluster_color
from modclust_utils.figures.network import network_figure
from modclust_utils.figures.style import (
    INK,
    NULL_COLOR,
    SHUFFLES_COLOR,
    legend_below,
    ncut_label,
    new_figure,
    styled,
)
from modclust_utils.network_graphs import NetworkGraph
from modclust_utils.own.tables import NULL_WORDS
from modclust_utils.own.understanding import Understanding, chain
from modclust_utils.partitions import order_labels
from modclust_utils.recipes.frames import shown_figure

OWN_COLOR = CLUSTER_COLORS[0]
#: Layers that a figure of bars names; of more, it shows every few.
_MOST_NAMES = 60
#: Up to so many edges a network is drawn unit by unit.
_MOST_DRAWN = 400_000
_OWN: dict[str, Any] = {"color": OWN_COLOR, "marker": "o", "linestyle": "none", "markersize": 6}


def _null(ax: Axes, y: float, values: list[float]) -> None:
    low, high = float(np.min(values)), float(np.max(values))
    ax.plot([low, high], [y, y], color=SHUFFLES_COLOR, linewidth=7, solid_capstyle="butt")
    ax.plot(np.mean(values), y, "|", color=INK, markersize=9)


def _rows(ax: Axes, names: list[str]) -> None:
    ax.set_yticks(range(len(names)), names)
    ax.set_ylim(len(names) - 0.5, -0.5)
    ax.grid(axis="y", visible=False)
    ax.tick_params(axis="y", length=0)


_HANDLES = (
    Line2D([], [], label="this network", **_OWN),
    Line2D([], [], color=SHUFFLES_COLOR, linewidth=7, label="shuffles, lowest to highest"),
    Line2D([], [], color=INK, marker="|", linestyle="none", markersize=9, label="their mean"),
)


@shown_figure
@styled
def nulls(tests: pd.DataFrame) -> Figure:
    """The n-cut of the network, all seeds, beside its shuffles under each null and number of
    clusters, over the number of clusters: from 0 to 1."""
    figure = new_figure(0.5 * len(tests) + 1.3)
    ax = figure.add_subplot()
    names = []
    for y, row in enumerate(tests.itertuples()):
        k = row.n_clusters
        _null(ax, y, [each / k for each in row.null_ncuts])
        ax.plot(np.array(row.ncuts) / k, [y] * len(row.ncuts), **_OWN)
        first = NULL_WORDS[row.null].partition(",")[0]
        names.append(f"k = {k}\n{first}")
    _rows(ax, names)
    ax.set_xlabel("n-cut / k, lower is more clusterable")
    legend_below(figure, _HANDLES, 3)
    return figure


@shown_figure
@styled
def gauge(table: pd.DataFrame) -> Figure:
    """The n-cut of one function under several scalings of its units, with shuffles where there are
    some."""
    figure = new_figure(0.5 * len(table) + 1.2)
    ax = figure.add_subplot()
    for y, row in enumerate(table.itertuples()):
        if isinstance(row.null_ncuts, list):
            _null(ax, y, row.null_ncuts)
            ax.plot(row.ncut, y, **_OWN)
        else:
            heights = np.full(len(row.ncuts), float(y))
            ax.plot([row.lowest, row.highest], [y, y], color=OWN_COLOR, linewidth=1)
            ax.plot(row.ncuts, heights, **{**_OWN, "markerfacecolor": "white"})
    _rows(ax, [*table["scaling"]])
    ax.set_xlabel(ncut_label(int(table["n_clusters"].iloc[0])))
    random = Line2D([], [], label="rescaled at random", **{**_OWN, "markerfacecolor": "white"})
    legend_below(figure, [*_HANDLES, random], 2)
    return figure


@shown_figure
@styled
def clusters(table: pd.DataFrame) -> Figure:
    """How the units of each layer are shared by the clusters: one colour a cluster."""
    places = sorted(table["place"].unique())
    names = table.drop_duplicates("place").set_index("place")["layer"]
    figure = new_figure(min(0.22 * len(places) + 1.2, 9.0))
    ax = figure.add_subplot()
    left = np.zeros(len(places))
    sizes = table.drop_duplicates("place").set_index("place")["size"]
    used = []
    for cluster, own in table.groupby("cluster"):
        share = (own.set_index("place")["units"] / sizes).reindex(places).to_numpy()
        ax.barh(range(len(places)), share, left=left, color=cluster_color(int(cluster)), height=0.8)
        left += share
        used.append(int(cluster))
    step = -(-len(places) // _MOST_NAMES)
    shown = places[::step]
    ax.set_yticks([places.index(place) for place in shown], [names[place] for place in shown])
    ax.set_ylim(len(places) - 0.4, -0.6)
    ax.set_xlim(0, 1)
    ax.grid(visible=False)
    ax.set_xlabel("share of the layer's units")
    handles = [Patch(color=cluster_color(i), label=f"{i}") for i in used[: len(CLUSTER_COLORS)]]
    if len(used) > len(CLUSTER_COLORS):
        handles.append(Patch(color=cluster_color(used[-1]), label="smaller ones"))
    legend_below(figure, handles, 8)
    return figure


def can_be_drawn(found: Understanding) -> bool:
    """Whether a network is a chain of layers small enough to be drawn unit by unit."""
    return found.graph is not None and found.n_possible <= _MOST_DRAWN and bool(chain(found.graph))


@shown_figure
def drawing(whole: pd.DataFrame, graph: NetworkGraph) -> Figure:
    """The network unit by unit, whole and cluster by cluster, as in chapter 1."""
    weights = chain(graph)
    assert weights is not None
    labels = whole["record"].iloc[0].arrays["labels"].astype(np.int64)
    return network_figure(weights, order_labels(labels, graph.layer_of_unit))


@shown_figure
@styled
def layers(table: pd.DataFrame) -> Figure:
    """The share of each layer's edges inside clusters, and what chance would give."""
    figure = new_figure(min(0.22 * len(table) + 1.2, 9.0))
    ax = figure.add_subplot()
    y = np.arange(len(table))
    ax.barh(y, table["inside"], color=OWN_COLOR, height=0.7, label="inside clusters")
    ax.plot(table["expected"], y, "|", color=INK, markersize=9, markeredgewidth=2)
    step = -(-len(table) // _MOST_NAMES)
    ax.set_yticks(y[::step], [*table["layer"]][::step])
    ax.set_ylim(len(table) - 0.4, -0.6)
    ax.set_xlim(0, 1)
    ax.grid(axis="y", visible=False)
    ax.set_xlabel("share of the layer's edges, by weight")
    handles = [
        Patch(color=OWN_COLOR, label="inside clusters"),
        Line2D([], [], color=INK, marker="|", linestyle="none", markersize=9, label="by chance"),
    ]
    legend_below(figure, handles, 2)
    return figure


@shown_figure
@styled
def lesions(table: pd.DataFrame) -> Figure:
    """What the lesion of each sub-cluster costs, and what random sets of its size and layer
    cost."""
    figure = new_figure(3.6)
    ax = figure.add_subplot()
    most = float(max(table["drop"].max(), table["chance_drop"].max(), 0.01))
    ax.plot([0, most], [0, most], color=NULL_COLOR, linewidth=1, linestyle="--")
    for row in table.itertuples():
        color = cluster_color(int(row.cluster))
        size = 4 + 5 * (row.units / table["units"].max()) ** 0.5
        ax.plot(row.chance_drop, row.drop, "o", color=color, markersize=size, alpha=0.85)
    ax.set_xlabel("accuracy lost with random sets of its size and layer, mean")
    ax.set_ylabel("accuracy lost with the sub-cluster")
    handles = [
        Line2D([], [], color=cluster_color(int(i)), marker="o", linestyle="none", label=f"{i}")
        for i in sorted(table["cluster"].unique())[: len(CLUSTER_COLORS)]
    ]
    legend_below(figure, handles, 8)
    return figure
