"""The picture of a clustered network."""

from __future__ import annotations

import math
from collections.abc import Sequence
from typing import Any

import numpy as np
from matplotlib.axes import Axes
from matplotlib.collections import LineCollection, PolyCollection
from matplotlib.figure import Figure
from numpy.typing import ArrayLike, NDArray

from modclust_utils.figures.colors import CLUSTER_COLORS, cluster_color
from modclust_utils.figures.network_layout import DrawnNetwork, drawn_network, places, spacing_of
from modclust_utils.figures.style import ACROSS_COLOR, new_figure, styled

_HALF_WIDTH = 0.035  # of a unit's mark, in distances between layers
_COLUMNS = 4
_CLUSTER_POWER = 0.4  # see `spacing_of`
_MOST_NAMED_LOGITS = 12


def _draw_units(
    ax: Axes, network: DrawnNetwork, y: NDArray[np.float64], spacing: NDArray[np.float64]
) -> None:
    shown = np.flatnonzero(np.isfinite(y))
    x, y = network.layers[shown], y[shown]
    # where units are dense, a gap between them would be less than a pixel of the image
    filled = np.where(spacing > 0.02, 0.8, 1.0)
    half = (spacing * filled / 2)[x]
    left, right = x - _HALF_WIDTH, x + _HALF_WIDTH
    corners = [(left, y - half), (right, y - half), (right, y + half), (left, y + half)]
    boxes = np.stack([np.stack(corner, axis=1) for corner in corners], axis=1)
    colors = [cluster_color(label) for label in network.labels[shown]]
    ax.add_collection(
        PolyCollection(boxes, facecolors=colors, linewidths=0, antialiased=False, zorder=4)
    )


def _draw_edges(
    ax: Axes, network: DrawnNetwork, y: NDArray[np.float64], chosen: NDArray[np.bool_], **style: Any
) -> None:
    lower, upper = network.lower[chosen], network.upper[chosen]
    starts = np.stack([network.layers[lower] + _HALF_WIDTH, y[lower]], axis=1)
    ends = np.stack([network.layers[upper] - _HALF_WIDTH, y[upper]], axis=1)
    ax.add_collection(LineCollection(np.stack([starts, ends], axis=1), **style))


def _finish(ax: Axes, n_layers: int, captions: Sequence[str], margin: float, limit: float) -> None:
    ax.set_xticks(range(n_layers), captions)
    ax.set_xlim(-margin, n_layers - 1 + margin)
    ax.set_ylim(-limit, limit)
    ax.grid(False)
    ax.set_yticks([])
    ax.tick_params(length=0)
    ax.spines[:].set_visible(False)


def _draw_whole(ax: Axes, network: DrawnNetwork) -> None:
    live = network.counts.sum(0)
    spacing = spacing_of(live, live.max(), power=0.3, least=0.42)
    y = places(network, network.labels >= 0, spacing, gap=0.02)
    lower, upper = network.labels[network.lower], network.labels[network.upper]
    inside = lower == upper
    _draw_edges(ax, network, y, ~inside, colors=ACROSS_COLOR, linewidths=0.25, alpha=0.55, zorder=1)
    colors = [cluster_color(label) for label in lower[inside]]
    _draw_edges(ax, network, y, inside, colors=colors, linewidths=0.35, alpha=0.5, zorder=2)
    _draw_units(ax, network, y, spacing)
    last = len(live) - 1
    names = ["pixels", *(f"hidden {i}" for i in range(1, last)), "logits"]
    captions = [
        f"{name}\n{n:,} of {size:,}"
        for name, n, size in zip(names, live, network.sizes, strict=True)
    ]
    _finish(ax, last + 1, captions, margin=0.25, limit=float(np.nanmax(np.abs(y))) + 0.02)
    if network.sizes[-1] <= _MOST_NAMED_LOGITS:
        for digit, unit in enumerate(np.flatnonzero(network.layers == last)):
            if np.isfinite(y[unit]):
                ax.text(last + 0.08, y[unit], str(digit), va="center", size=8.5)
    clusters, most = np.flatnonzero(network.counts.any(1)), len(CLUSTER_COLORS)
    others = f"\nclusters from number {most} on have one colour, and no panel below"
    ax.set_title(
        f"The network and its {len(clusters)} clusters: strongest edges of each layer, "
        f"{len(network.lower):,} of {network.n_edges:,}" + others * bool(clusters[-1] >= most)
    )


def _draw_cluster(ax: Axes, network: DrawnNetwork, cluster: int, limit: float) -> None:
    counts = network.counts[cluster]
    spacing = spacing_of(counts, network.counts.max(), power=_CLUSTER_POWER, least=0.0)
    y = places(network, network.labels == cluster, spacing, gap=0.0)
    inside = (network.labels[network.lower] == cluster) & (network.labels[network.upper] == cluster)
    color = CLUSTER_COLORS[cluster]
    _draw_edges(ax, network, y, inside, colors=color, linewidths=0.3, alpha=0.5, zorder=2)
    _draw_units(ax, network, y, spacing)
    _finish(ax, len(counts), [f"{n:,}" for n in counts], margin=0.4, limit=limit)
    volume = network.degrees[network.labels == cluster].sum() / network.degrees.sum()
    ax.set_title(f"cluster {cluster}: {volume:.0%} of volume", size=9)


@styled
def network_figure(
    weights: Sequence[NDArray[np.floating]], labels: ArrayLike, *, max_edges: int = 4000
) -> Figure:
    """A clustered network from pixels to logits, whole and split into clusters (paper A, Figure 1).

    Above: a mark for every unit with an edge, sorted by cluster within its layer; the strongest
    edges, the same number between all layers, coloured inside a cluster and gray across. Below:
    each cluster alone with its inner edges, its share of the volume, and its units per layer.

    weights: matrices ``(n_out, n_in)``; labels ``(n,)``, -1 for units to leave out.
    Clusters from number 12 on share one colour and have no panel: numbered by size, the smallest.
    Raises ValueError for matrices or labels that do not fit, or without a cluster for a panel.
    """
    network = drawn_network(weights, labels, max_edges)
    # labels matched with those of another network may leave a number out
    clusters = np.flatnonzero(network.counts[: len(CLUSTER_COLORS)].any(1))
    columns = min(len(clusters), _COLUMNS)
    rows = math.ceil(len(clusters) / columns)
    # one scale for all clusters; a row is only as high as its largest one needs
    tallest = (network.counts[clusters].max(1) / network.counts.max()) ** _CLUSTER_POWER
    limits = [max(tallest[row * columns :][:columns].max(), 0.4) / 2 for row in range(rows)]
    inches = [0.55 + 2.3 * limit for limit in limits]
    figure = new_figure(3.7 + sum(inches))
    above, below = figure.subfigures(2, 1, height_ratios=[3.5, 0.2 + sum(inches)])
    _draw_whole(above.add_subplot(), network)
    panels = below.subplots(rows, columns, squeeze=False, height_ratios=limits).ravel()
    for index, ax in enumerate(panels):
        if index < len(clusters):
            _draw_cluster(ax, network, int(clusters[index]), 1.04 * limits[index // columns])
        else:
            ax.set_visible(False)
    below.supxlabel("units of each cluster in each layer, pixels to logits", size=8.5)
    return figure


@styled
def network_card(
    weights: Sequence[NDArray[np.floating]], labels: ArrayLike, *, title: str
) -> Figure:
    """A clustered network below a title: a picture of 1200 x 630 pixels for links to a page.

    weights, labels: as for `network_figure`, which raises what this raises.
    """
    figure = Figure(figsize=(12, 6.3), dpi=100)
    ax = figure.add_axes((0.02, 0.06, 0.96, 0.74))
    _draw_whole(ax, drawn_network(weights, labels, max_edges=4000))
    ax.set_title("")
    figure.text(0.04, 0.87, title, size=26, weight="bold")
    return figure
