"""Which units and edges of a network are drawn, and how high each unit stands."""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass

import numpy as np
from numpy.typing import ArrayLike, NDArray

from modclust_utils.doors import as_labels
from modclust_utils.figures.colors import CLUSTER_COLORS
from modclust_utils.graphs import layer_of_unit, layer_sizes
from modclust_utils.network_doors import as_weights


@dataclass(frozen=True)
class DrawnNetwork:
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


def drawn_network(
    weights: Sequence[NDArray[np.floating]], labels: ArrayLike, max_edges: int
) -> DrawnNetwork:
    """What of a network is drawn. Raises ValueError for what does not fit, and where no cluster has
    a colour of its own."""
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
    return DrawnNetwork(
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


def spacing_of(
    counts: NDArray[np.int64], largest: int, power: float, least: float
) -> NDArray[np.float64]:
    """Distance between neighbours in each layer, where `largest` units are 1 high.

    A power below 1 draws wide layers denser than narrow ones: 784 pixels and 10 logits both show.
    """
    heights = np.maximum((counts / largest) ** power, least)
    return heights / np.maximum(counts, 1)


def places(
    network: DrawnNetwork, shown: NDArray[np.bool_], spacing: NDArray[np.float64], gap: float
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
