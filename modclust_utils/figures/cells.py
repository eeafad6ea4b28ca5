"""What the figures of sub-clusters share: names, colours, checks of tables, cells."""

from __future__ import annotations

import math
from collections.abc import Mapping, Sequence
from typing import Any

import numpy as np
import pandas as pd
from matplotlib.axes import Axes
from matplotlib.axis import Axis
from matplotlib.colors import SymLogNorm, to_hex, to_rgb
from matplotlib.figure import Figure
from matplotlib.image import AxesImage
from matplotlib.text import Text
from numpy.typing import NDArray

from modclust_utils.figures.colors import cluster_color
from modclust_utils.figures.style import INK, TICK_SIZE, Rows, as_table

SubCluster = tuple[int, int]  # (hidden layer from 1, cluster from 0)

# kind: marker, mark of three letters (paper A, Figure A.6)
KIND_MARKS: dict[str, tuple[str, str]] = {
    "important": ("o", "IMP"),
    "sig-but-not-diff": ("s", "SIG"),
    "diff-but-not-sig": ("D", "DIF"),
    "small": ("^", "SMA"),
    "other": ("X", "OTH"),
}
PAIR = ("x_layer", "x_label", "y_layer", "y_label")

MOST_NAMES = 50  # along a side of a matrix; of more, every second is written, or every third ...
LINEAR = 1.0  # percentage points; below, axes and colours are linear, above logarithmic
TICKS = (0.0, 0.5, 1.0, 2.0, 5.0, 10.0, 20.0, 50.0, 100.0)
_BAR_TICKS = (0.0, 1.0, 5.0, 20.0, 100.0)


def subcluster_name(subcluster: SubCluster) -> str:
    """Layer and cluster, as the paper writes them: "2-7"."""
    return f"{subcluster[0]}-{subcluster[1]}"


def text_color_on(color: str) -> str:
    """White or ink, whichever contrasts more with a ground of this colour (WCAG 2 luminance)."""
    return max(("white", INK), key=lambda text: _contrast(text, color))


def _contrast(one: str, other: str) -> float:
    values = np.array([to_rgb(one), to_rgb(other)])
    linear = np.where(values <= 0.04045, values / 12.92, ((values + 0.055) / 1.055) ** 2.4)
    low, high = sorted(linear @ [0.2126, 0.7152, 0.0722])
    return (high + 0.05) / (low + 0.05)


def badge(text: Text, label: int) -> None:
    """Put a text on a ground in the colour of a cluster."""
    color = cluster_color(label)
    text.set_bbox({"boxstyle": "square,pad=0.12", "facecolor": color, "linewidth": 0})
    text.set_color(text_color_on(color))


def subclusters(
    table: pd.DataFrame, layer: str = "layer", label: str = "label"
) -> list[SubCluster]:
    """The sub-cluster of each row of a checked table."""
    return [(int(i), int(j)) for i, j in zip(table[layer], table[label], strict=True)]


def as_singles(rows: Rows, name: str = "singles", *, numbers: Sequence[str] = ()) -> pd.DataFrame:
    """A table with a sub-cluster in each row, in order of layer, then cluster.

    Raises ValueError where `as_table` does, and for a layer, cluster, proportion or kind that is
    not allowed, or a sub-cluster that comes twice.
    """
    kind = ["kind"] if name == "singles" else []
    table = as_table(rows, name, others=kind, numbers=["layer", "label", *numbers])
    _check_numbering(table, name, "layer", "label")
    _check_once(subclusters(table), name)
    for value in table.get("kind", ()):
        if value not in KIND_MARKS:
            raise ValueError(f"{name} has kind={value!r}; allowed: {list(KIND_MARKS)}")
    if "proportion" in numbers and not table["proportion"].between(0, 1).all():
        raise ValueError(f"{name} has a proportion outside 0 to 1; allowed: shares of a layer")
    table = table.astype({"layer": int, "label": int})
    return table.sort_values(["layer", "label"], ignore_index=True)


def as_pairs(
    rows: Rows,
    name: str,
    *,
    numbers: Sequence[str] = (),
    booleans: Sequence[str] = (),
    among: Sequence[SubCluster] | None = None,
) -> pd.DataFrame:
    """A table with a pair of sub-clusters (X, Y) in each row, X in the earlier layer.

    Raises ValueError where `as_table` does, for a pair that is not allowed, comes twice or is not
    `among` the sub-clusters given, and for `booleans` that are not True or False.
    """
    table = as_table(rows, name, others=booleans, numbers=[*PAIR, *numbers])
    for layer, label in (PAIR[:2], PAIR[2:]):
        _check_numbering(table, name, layer, label)
    table = table.astype(dict.fromkeys(PAIR, int))
    xs, ys = subclusters(table, *PAIR[:2]), subclusters(table, *PAIR[2:])
    for x, y in zip(xs, ys, strict=True):
        if x[0] >= y[0]:
            raise ValueError(
                f"{name} has the pair {subcluster_name(x)}, {subcluster_name(y)}; allowed: X in an "
                "earlier layer than Y"
            )
        strange = [s for s in (x, y) if among is not None and s not in among]
        if strange:
            allowed = ", ".join(map(subcluster_name, among))
            raise ValueError(f"{name} has {subcluster_name(strange[0])}; allowed: {allowed}")
    _check_once(list(zip(xs, ys, strict=True)), name)
    for column in booleans:
        for value in table[column]:
            if not isinstance(value, bool | np.bool_):
                raise ValueError(f"{name} has {column}={value!r}; allowed: True or False")
    return table


def _check_numbering(table: pd.DataFrame, name: str, layer: str, label: str) -> None:
    for column, low in ((layer, 1), (label, 0)):
        for value in table[column]:
            if value < low or value != int(value):
                raise ValueError(f"{name} has {column}={value!r}; allowed: integers from {low}")


def _check_once(keys: Sequence[Any], name: str) -> None:
    twice = [key for key in keys if keys.count(key) > 1]
    if twice:
        raise ValueError(f"{name} has {twice[0]} twice; allowed: one row for each")


def check_shares(table: pd.DataFrame, name: str, column: str) -> None:
    """Raise ValueError where a column has numbers outside 0 to 1."""
    if not table[column].dropna().between(0, 1).all():
        raise ValueError(f"{name} has {column} outside 0 to 1; allowed: 0 to 1")


def number(value: float, digits: int = 1) -> str:
    """A number with a true minus sign, and none before zero."""
    text = f"{value:.{digits}f}"
    return text.replace("-", "−") if float(text) else text.lstrip("-")


def ticks_between(low: float, high: float, ticks: Sequence[float]) -> list[float]:
    """The ticks and their negatives that lie in a range, in order."""
    return sorted({t for tick in ticks for t in (tick, -tick) if low <= t <= high})


def damage_image(ax: Axes, values: NDArray[np.float64], linear: float) -> AxesImage:
    """Percentage points as colours: red costs accuracy, blue gains it, white is none."""
    largest = max(float(np.nanmax(np.abs(values), initial=0)), 2 * linear)
    norm = SymLogNorm(linthresh=linear, vmin=-largest, vmax=largest, base=10)
    return ax.imshow(values, cmap="RdBu_r", norm=norm, aspect="auto", zorder=1)


def damage_bar(figure: Figure, image: AxesImage, ax: Axes, label: str) -> None:
    """The scale of `damage_image`, below an axes."""
    apart = [tick for tick in _BAR_TICKS if tick == 0 or tick >= image.norm.linthresh]
    ticks = ticks_between(image.norm.vmin, image.norm.vmax, apart)
    bar = figure.colorbar(
        image, ax=ax, location="bottom", shrink=0.7, aspect=45, pad=0.02, label=label, ticks=ticks
    )
    bar.ax.minorticks_off()
    bar.ax.xaxis.set_major_formatter(lambda value, _: number(value, int(value != int(value))))
    bar.outline.set_visible(False)


def write_cells(
    ax: Axes, image: AxesImage, texts: Mapping[tuple[int, int], str], *, bold_diagonal: bool = False
) -> None:
    """Write into the cells (row, column) of `damage_image`, in colours that can be read on them."""
    grounds = image.cmap(image.norm(image.get_array()))
    for (row, column), text in texts.items():
        weight = "bold" if bold_diagonal and row == column else "normal"
        drawn = ax.text(
            column, row, text, color=text_color_on(to_hex(grounds[row, column])), size=TICK_SIZE,
            ha="center", va="center", linespacing=0.95, weight=weight,
        )  # fmt: skip
        drawn.set_in_layout(False)  # it lies inside its cell; asking hundreds is slow


def as_cells(ax: Axes) -> None:
    """An axes of cells: names above, no lines of its own."""
    ax.xaxis.tick_top()
    ax.xaxis.set_label_position("top")
    ax.grid(False)
    ax.tick_params(length=0)
    ax.spines[:].set_visible(False)


def write_names(axis: Axis, names: Sequence[str], **style: Any) -> int:
    """Name rows or columns, of too many every `step`-th one; returns `step`."""
    step = math.ceil(len(names) / MOST_NAMES)
    axis.set_ticks(range(0, len(names), step), names[::step], **style)
    return step


def name_cells(axis: Axis, names: Sequence[SubCluster], marks: Sequence[str] | None = None) -> None:
    """Name the rows or columns of cells, each on its cluster's colour; marks follow the names."""
    texts = [subcluster_name(name) for name in names]
    if marks is not None:
        texts = [f"{text} {mark}" for text, mark in zip(texts, marks, strict=True)]
    step = write_names(axis, texts)
    for text, (_, label) in zip(axis.get_ticklabels(), names[::step], strict=True):
        badge(text, label)
