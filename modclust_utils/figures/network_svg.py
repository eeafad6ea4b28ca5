"""A clustered network as a picture that stands in a page itself: it takes the page's colours."""

from __future__ import annotations

from collections.abc import Sequence

import numpy as np
from numpy.typing import ArrayLike, NDArray

from modclust_utils.figures.colors import cluster_color
from modclust_utils.figures.network_layout import DrawnNetwork, drawn_network, places, spacing_of

_WIDTH, _HEIGHT, _MARGIN = 1000, 330, 8
_GRID = 310  # side of the square of pixels
_POWER, _LEAST, _GAP = 0.3, 0.42, 0.02  # of `spacing_of` and `places`
_MARK = 3.2


def network_svg(
    weights: Sequence[NDArray[np.floating]], labels: ArrayLike, *, words: str, max_edges: int = 2400
) -> str:
    """The whole network from inputs to outputs: a group for each cluster, with its inner edges.

    weights: matrices ``(n_out, n_in)``; labels ``(n,)``, -1 for units to leave out; words: what is
    seen, for readers who do not see it. Where the first layer is a square of pixels, it is drawn as
    that; other layers are columns, cluster below cluster. Groups have the classes ``mc-across``
    (edges between clusters, without a colour) and ``mc-cluster``.
    Raises ValueError where `network_figure` does.
    """
    network = drawn_network(weights, labels, max_edges)
    xy, sides = _positions(network)
    lower, upper = network.labels[network.lower], network.labels[network.upper]
    across = _lines(network, xy, lower != upper)
    parts = [f'<g class="mc-across"><path d="{across}"/></g>']
    for cluster in np.unique(network.labels[network.labels >= 0]).tolist():
        inner = _lines(network, xy, (lower == cluster) & (upper == cluster))
        marks = _squares(xy[network.labels == cluster], sides[network.labels == cluster])
        parts.append(
            f'<g class="mc-cluster" style="--mc-c:{cluster_color(cluster)}">'
            f'<path class="mc-edges" d="{inner}"/><path class="mc-units" d="{marks}"/></g>'
        )
    return (
        f'<svg viewBox="0 0 {_WIDTH} {_HEIGHT}" role="img" aria-label="{words}">'
        f"{''.join(parts)}</svg>"
    )


def _positions(network: DrawnNetwork) -> tuple[NDArray[np.float64], NDArray[np.float64]]:
    """Centre ``(n, 2)`` and side ``(n,)`` of each unit's mark."""
    live = network.counts.sum(0)
    y = places(network, network.labels >= 0, spacing_of(live, live.max(), _POWER, _LEAST), _GAP)
    y *= (_HEIGHT - 2 * _MARGIN) / (2 * np.nanmax(np.abs(y)))
    is_square = int(np.sqrt(network.sizes[0])) ** 2 == network.sizes[0]
    left = _GRID + 90 if is_square else _MARGIN
    steps = max(len(network.sizes) - 1 - is_square, 1)
    x = left + (network.layers - is_square) * (_WIDTH - _MARGIN - left) / steps
    xy = np.stack([x, _HEIGHT / 2 - y], axis=1)
    sides = np.full(len(xy), _MARK)
    if is_square:
        pixels = np.flatnonzero(network.layers == 0)
        side = int(np.sqrt(len(pixels)))
        rows, columns = np.divmod(np.arange(len(pixels)), side)
        cell = _GRID / side
        xy[pixels, 0] = _MARGIN + (columns + 0.5) * cell
        xy[pixels, 1] = (_HEIGHT - _GRID) / 2 + (rows + 0.5) * cell
        sides[pixels] = 0.86 * cell
    return xy, sides


def _lines(network: DrawnNetwork, xy: NDArray[np.float64], chosen: NDArray[np.bool_]) -> str:
    ends = zip(xy[network.lower[chosen]], xy[network.upper[chosen]], strict=True)
    return "".join(f"M{a[0]:.0f} {a[1]:.0f}L{b[0]:.0f} {b[1]:.0f}" for a, b in ends)


def _squares(xy: NDArray[np.float64], sides: NDArray[np.float64]) -> str:
    corners = zip(xy - sides[:, None] / 2, sides, strict=True)
    return "".join(f"M{x:.1f} {y:.1f}h{s:.1f}v{s:.1f}h-{s:.1f}z" for (x, y), s in corners)
