"""Figures of chapter 3: what the lesion of a sub-cluster costs, over all classes and in each."""

from __future__ import annotations

from collections.abc import Mapping
from typing import Any

import numpy as np
import pandas as pd
from matplotlib.axes import Axes
from matplotlib.figure import Figure
from matplotlib.lines import Line2D
from matplotlib.patches import Patch
from numpy.typing import NDArray

from modclust_utils.figures.cells import (
    KIND_MARKS,
    LINEAR,
    TICKS,
    Rows,
    as_cells,
    as_singles,
    damage_bar,
    damage_image,
    name_cells,
    number,
    subcluster_name,
    subclusters,
    ticks_between,
    write_cells,
    write_names,
)
from modclust_utils.figures.colors import CLUSTER_COLORS, OTHER_COLOR, cluster_color
from modclust_utils.figures.style import (
    INK,
    NULL_COLOR,
    SHUFFLES_COLOR,
    TICK_SIZE,
    new_figure,
    sentence_figure,
    styled,
)
from modclust_utils.lesion_results import SMALL, THRESHOLD
from modclust_utils.recipes.frames import shown_figure

_CLASS_LINEAR = 5.0  # percentage points; a class has few of the examples, and more noise
_MOST_NUMBERED = 20  # classes; with more, numbers would not fit the cells, nor slanted names
_DISTANCES = (3.0, 8.0, 14.0, 21.0, 30.0, 42.0, 56.0, 74.0)  # points, from a marker to its name


@shown_figure
@styled
def single_lesions(singles: Rows) -> Figure:
    """Size and accuracy drop of every sub-cluster (paper A, Figure 5).

    Drops in percentage points, on an axis that is linear up to 1 point and logarithmic above;
    behind each sub-cluster, as a gray bar, its random sets: mean ± standard deviation.

    The limits that kinds are decided with are thin lines. What has less than the limit of the live
    units is small; as that is decided on all units of the layer, what has a bit more can be, too.

    singles: layer, label, proportion (0 to 1), drop, null_mean, null_std (1 is all accuracy), kind.
    Raises ValueError for a table that does not fit.
    """
    numbers = ["proportion", "drop", "null_mean", "null_std"]
    singles = as_singles(singles, numbers=numbers)
    figure = new_figure(5.4)
    ax = figure.add_subplot()
    share, drop = 100 * singles["proportion"], 100 * singles["drop"]
    low = 100 * (singles["null_mean"] - singles["null_std"])
    high = 100 * (singles["null_mean"] + singles["null_std"])
    ax.vlines(share, low, high, color=SHUFFLES_COLOR, alpha=0.55, linewidth=5, zorder=1)
    for kind, chosen in singles.groupby("kind"):
        ax.scatter(
            share[chosen.index], drop[chosen.index], s=70 if kind == "important" else 34,
            c=[cluster_color(label) for label in chosen["label"]], marker=KIND_MARKS[kind][0],
            edgecolors="white", linewidths=0.6, zorder=3,
        )  # fmt: skip
    ax.set_yscale("symlog", linthresh=LINEAR, linscale=1.0)
    ax.set_xlim(-1.5, max(1.1 * share.max(), 20))
    bottom, top = min(drop.min(), low.min(), -0.2), max(drop.max(), high.max(), 2 * LINEAR)
    ax.set_ylim(1.25 * bottom, 1.5 * top)
    ax.set_yticks(ticks_between(1.25 * bottom, 1.5 * top, TICKS))
    ax.minorticks_off()
    ax.yaxis.set_major_formatter(lambda value, _: number(value, int(value != int(value))))
    ax.xaxis.set_major_formatter(lambda value, _: f"{value:.0f} %")
    ax.axhline(100 * THRESHOLD, color=NULL_COLOR, linewidth=0.9, dashes=(4, 3), zorder=0.9)
    ax.axvline(float(100 * SMALL), color=NULL_COLOR, linewidth=0.9, dashes=(4, 3), zorder=0.9)
    ax.set_xlabel("share of the layer's live units that are in the sub-cluster")
    ax.set_ylabel("accuracy drop (percentage points)")
    ax.set_title("Sub-clusters (layer-cluster): how large, and how much their lesion costs")
    _single_legends(figure, singles)
    important = singles[singles["kind"] == "important"].sort_values("drop", ascending=False)
    _name_points(figure, ax, important, singles)
    return figure


def _single_legends(figure: Figure, singles: pd.DataFrame) -> None:
    points, share = f"{100 * THRESHOLD:g} point", f"{float(100 * SMALL):g} %"
    words = {
        "important": "important",
        "sig-but-not-diff": f"significant, but drop under {points}",
        "diff-but-not-sig": f"drop over {points}, but not significant",
        "small": f"small: under {share} of the layer",
        "other": "other",
    }
    gray = {"linestyle": "", "color": "#555555", "markeredgecolor": "white"}
    handles: list[Any] = [
        Line2D([], [], marker=marker, markersize=9 if kind == "important" else 7,
               label=words[kind], **gray)
        for kind, (marker, _) in KIND_MARKS.items()
        if kind in set(singles["kind"])
    ]  # fmt: skip
    handles.append(Patch(color=SHUFFLES_COLOR, alpha=0.55, label="random sets: mean ± sd"))
    limits = f"limits: {points}, {share} of live units"
    handles.append(Line2D([], [], color=NULL_COLOR, linewidth=0.9, dashes=(4, 3), label=limits))
    figure.legend(handles=handles, loc="outside lower center", ncols=3)
    labels, most = sorted(set(singles["label"])), len(CLUSTER_COLORS)
    clusters = [
        Patch(color=cluster_color(label), label=str(label)) for label in labels if label < most
    ]
    if labels[-1] >= most:
        clusters.append(Patch(color=OTHER_COLOR, label=f"from {most}"))
    figure.legend(
        handles=clusters, loc="outside right upper", title="cluster", handlelength=1.0,
        title_fontsize=TICK_SIZE,
    )  # fmt: skip


def _name_points(figure: Figure, ax: Axes, named: pd.DataFrame, singles: pd.DataFrame) -> None:
    """Write each name as near to its point as it can be read, with a line where that is far.

    Places around the point are tried from near to far; the first one that covers no point and no
    other name is taken, and of those alike, one that no random sets' bar and no limit runs through.
    """
    names = [
        ax.annotate(
            subcluster_name(s), xy=(100 * p, 100 * d), xytext=(0, 0), size=TICK_SIZE,
            textcoords="offset points", ha="center", va="center", zorder=5,
        )
        for s, p, d in zip(subclusters(named), named["proportion"], named["drop"], strict=True)
    ]  # fmt: skip
    for name in names:
        name.set_in_layout(False)
    figure.draw_without_rendering()  # from here on, the axes are where they will be
    scale = figure.dpi / 72
    points = ax.transData.transform(100 * singles[["proportion", "drop"]].to_numpy(float))
    radius = np.where(singles["kind"] == "important", 5.0, 3.6) * scale
    hard = np.hstack([points - radius[:, None], points + radius[:, None]])
    limits = [line.get_window_extent().extents for line in ax.lines]
    soft = np.vstack([_bar_boxes(ax, singles, 2.5 * scale), *limits])
    for own, name in zip(named.index, names, strict=True):
        middle = ax.transData.transform(name.xy)
        half = np.array(name.get_window_extent().size) / 2 + 1.0 * scale
        places = _places_around(middle, half, 5.0 * scale, scale)
        boxes = np.hstack([places - half, places + half])
        faults = _faults(boxes, middle, np.delete(hard, own, axis=0), soft, ax.bbox.extents)
        chosen = int(np.argmin(faults))
        hard = np.vstack([hard, boxes[chosen]])
        name.set_position(tuple((places[chosen] - middle) / scale))
        nearest = _nearest(boxes[chosen], middle)
        if np.hypot(*(nearest - middle)) > (_DISTANCES[0] + 5.0 + 3.0) * scale:
            ax.annotate(
                "", xy=name.xy, xytext=tuple((nearest - middle) / scale),
                textcoords="offset points",
                arrowprops={"arrowstyle": "-", "color": INK, "linewidth": 0.6, "shrinkA": 0,
                            "shrinkB": 4.5},
            )  # fmt: skip


def _bar_boxes(ax: Axes, singles: pd.DataFrame, half_width: float) -> NDArray[np.float64]:
    x, mean, std = (100 * singles[c] for c in ("proportion", "null_mean", "null_std"))
    low = ax.transData.transform(np.column_stack([x, mean - std]))
    high = ax.transData.transform(np.column_stack([x, mean + std]))
    shift = np.array([half_width, 0.0])
    return np.hstack([low - shift, high + shift])


def _places_around(
    middle: NDArray[np.float64], half: NDArray[np.float64], radius: float, scale: float
) -> NDArray[np.float64]:
    """Middles ``(n, 2)`` of a box around a point: right, left, above first, from near to far."""
    turns = [0, 8, 4, 12, 2, 6, 14, 10, 1, 3, 5, 7, 15, 13, 11, 9]
    angles = np.array(turns) * np.pi / 8
    directions = np.column_stack([np.cos(angles), np.sin(angles)])
    steps = np.array(_DISTANCES)[:, None, None] * scale + radius + half
    return (middle + steps * directions).reshape(-1, 2)


def _nearest(boxes: NDArray[np.float64], point: NDArray[np.float64]) -> NDArray[np.float64]:
    return np.clip(point, boxes[..., :2], boxes[..., 2:])


def _faults(
    boxes: NDArray[np.float64],
    point: NDArray[np.float64],
    hard: NDArray[np.float64],
    soft: NDArray[np.float64],
    page: NDArray[np.float64],
) -> NDArray[np.float64]:
    """What each box of a name, and the line to its point, covers: 0 is a place without fault.

    boxes: ``(n, 4)``, each x0, y0, x1, y1 as in all others; worst is a name that leaves the page or
    covers another or a point, then a line through one, then a name on a bar or a limit.
    """
    outside = (boxes[:, :2] < page[:2]).any(1) | (boxes[:, 2:] > page[2:]).any(1)
    steps = np.linspace(0, 1, 15)[:, None, None]
    line = point + steps * (_nearest(boxes, point) - point)
    spots = np.concatenate([line, line], axis=2)[:, :, None]
    through = _overlap(spots, hard).any(0).sum(1)
    covered, lightly = (_overlap(boxes[:, None], other).sum(1) for other in (hard, soft))
    return 1e4 * (outside + covered) + 10.0 * through + 0.1 * lightly


def _overlap(one: NDArray[np.float64], other: NDArray[np.float64]) -> NDArray[np.bool_]:
    return ((one[..., :2] < other[..., 2:]) & (other[..., :2] < one[..., 2:])).all(-1)


@shown_figure
@styled
def class_drops(table: pd.DataFrame, class_names: Mapping[int, str]) -> Figure:
    """What each important sub-cluster's lesion costs each class, as a heat map; a sentence where
    there is none.

    Numbers are percentage points of that class's accuracy. class_names: of the classes to show, by
    their numbers. table: layer, label, and class_0, class_1 and so on, one for each of these
    classes (1 is all accuracy of the class).
    Raises ValueError for a table that does not fit the names.
    """
    if table.empty:
        return sentence_figure("No sub-cluster of this network is important.")
    columns = [f"class_{number}" for number in class_names]
    table = as_singles(table, "table", numbers=columns)
    names = subclusters(table)
    figure = new_figure(2.3 + 0.3 * len(names))
    ax = figure.add_subplot()
    drops = 100 * table[columns].to_numpy(float)
    image = damage_image(ax, drops, _CLASS_LINEAR)
    as_cells(ax)
    style: dict[str, Any] = {"rotation": 90}
    if len(columns) <= _MOST_NUMBERED:
        write_cells(ax, image, {cell: number(drop) for cell, drop in np.ndenumerate(drops)})
        style = {"rotation": 35, "ha": "left", "rotation_mode": "anchor"}
    write_names(ax.xaxis, [*class_names.values()], **style)
    name_cells(ax.yaxis, names)
    ax.set_ylabel("lesioned sub-cluster")
    ax.set_title("Accuracy drop of each class (percentage points)")
    damage_bar(figure, image, ax, "accuracy drop (percentage points)")
    return figure
