"""The picture of a clustered network."""

from __future__ import annotations

import math
from collections.abc import Sequence
from dataclasses import dataclass
from typing import Any

import numpy as np
from matplotlib.axes import Axes
from matplotlib.collections import LineCollection, PolyCollection
from matplotlib.figure import Figure
from numpy.typing import ArrayLike, NDArray

from modclust_utils.doors import as_labels
from modclust_utils.figures.colors import CLUSTER_COLORS, cluster_color
from modclust_utils.figures.style import ACROSS_COLOR, new_figure, styled
from modclust_utils.graphs import layer_of_unit, layer_sizes
from modclust_utils.network_doors import as_weights

_HALF_WIDTH = 0.035  # of a unit's mark, in distances between layers
_COLUMNS = 4
_CLUSTER_POWER = 0.4  # see `_spacing`
_MOST_NAMED_LOGITS = 12


@dataclass(frozen=True)
class _Network:
    """What is drawn: units ``(n,)`` and the strongest edges ``(m,)`` as pairs of units."""

    sizes: tuple[int, ...]
    layers: NDArray[np.int64]
    labels: NDArray[np.int64]
    degrees: NDArray[np.float64]
    n_edges: int
    lower: NDArray[np.int64]
    upper: NDArray[np.int64]

    @property
    def counts(self) -> NDArray[np.int64]:
        """Units of each cluster in each layer, ``(k, n_layers)``."""
        counts = np.zeros((int(self.labels.max()) + 1, len(self.sizes)), dtype=np.int64)
        inside = self.labels >= 0
        np.add.at(counts, (self.labels[inside], self.layers[inside]), 1)
        return counts


def _network(
    weights: Sequence[NDArray[np.floating]], labels: ArrayLike, max_edges: int
) -> _Network:
    weights = as_weights(weights)
    if max_edges < 1:
        raise ValueError(f"max_edges={max_edges} is not allowed: 1 or more")
    sizes, layers = layer_sizes(weights), layer_of_unit(weights)
    labels = as_labels("labels", labels)
    if labels.shape != layers.shape:
        raise ValueError(
            f"labels has shape {labels.shape}; allowed: ({len(layers)},), one for each unit"
        )
    if not ((labels >= 0) & (labels < len(CLUSTER_COLORS))).any():
        raise ValueError(
            f"labels has no unit in clusters 0 to {len(CLUSTER_COLORS) - 1}; allowed: one or more, "
            "for these have a colour"
        )
    magnitudes = [np.abs(np.asarray(weight, dtype=np.float64)) for weight in weights]
    incoming = [np.zeros(sizes[0]), *(m.sum(1) for m in magnitudes)]
    outgoing = [*(m.sum(0) for m in magnitudes), np.zeros(sizes[-1])]
    lower, upper = _strongest_edges(magnitudes, sizes, max_edges)
    drawn = (labels[lower] >= 0) & (labels[upper] >= 0)
    return _Network(
        sizes=sizes,
        layers=layers,
        labels=labels,
        degrees=np.concatenate(incoming) + np.concatenate(outgoing),
        n_edges=sum(int(np.count_nonzero(m)) for m in magnitudes),
        lower=lower[drawn],
        upper=upper[drawn],
    )


def _strongest_edges(
    magnitudes: Sequence[NDArray[np.float64]], sizes: Sequence[int], max_edges: int
) -> tuple[NDArray[np.int64], NDArray[np.int64]]:
    """Lower and upper units of the strongest edges between every two layers, weakest first.

    All pairs of layers get the same number, for the scale of the weights differs between them;
    what a pair with few edges does not need goes to the others.
    """
    counts = np.array([np.count_nonzero(m) for m in magnitudes])
    quota = np.zeros(len(counts), dtype=int)
    left = max_edges
    for done, index in enumerate(np.argsort(counts, kind="stable")):
        quota[index] = min(counts[index], left // (len(counts) - done))
        left -= quota[index]
    starts = np.concatenate([[0], np.cumsum(sizes)])
    lower, upper = [], []
    for layer, magnitude in enumerate(magnitudes):
        order = np.argsort(magnitude, axis=None, kind="stable")
        rows, columns = np.unravel_index(order[magnitude.size - quota[layer] :], magnitude.shape)
        lower.append(columns + starts[layer])
        upper.append(rows + starts[layer + 1])
    return np.concatenate(lower), np.concatenate(upper)


def _spacing(
    counts: NDArray[np.int64], largest: int, power: float, least: float
) -> NDArray[np.float64]:
    """Distance between neighbours in each layer, where `largest` units are 1 high.

    A power below 1 draws wide layers denser than narrow ones: 784 pixels and 10 logits both show.
    """
    heights = np.maximum((counts / largest) ** power, least)
    return heights / np.maximum(counts, 1)


def _places(
    network: _Network, shown: NDArray[np.bool_], spacing: NDArray[np.float64], gap: float
) -> NDArray[np.float64]:
    """Height ``(n,)`` of each unit, cluster below cluster, each layer centred; NaN if not shown."""
    y = np.full(len(network.labels), np.nan)
    for layer, distance in enumerate(spacing):
        units = np.flatnonzero(shown & (network.layers == layer))
        if len(units) > 0:
            units = units[np.argsort(network.labels[units], kind="stable")]
            rank = np.unique(network.labels[units], return_inverse=True)[1]
            depth = np.arange(len(units)) * distance + rank * gap
            y[units] = depth[-1] / 2 - depth
    return y


def _draw_units(
    ax: Axes, network: _Network, y: NDArray[np.float64], spacing: NDArray[np.float64]
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
    ax: Axes, network: _Network, y: NDArray[np.float64], chosen: NDArray[np.bool_], **style: Any
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


def _draw_whole(ax: Axes, network: _Network) -> None:
    live = network.counts.sum(0)
    spacing = _spacing(live, live.max(), power=0.3, least=0.42)
    y = _places(network, network.labels >= 0, spacing, gap=0.02)
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


def _draw_cluster(ax: Axes, network: _Network, cluster: int, limit: float) -> None:
    counts = network.counts[cluster]
    spacing = _spacing(counts, network.counts.max(), power=_CLUSTER_POWER, least=0.0)
    y = _places(network, network.labels == cluster, spacing, gap=0.0)
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
    network = _network(weights, labels, max_edges)
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
