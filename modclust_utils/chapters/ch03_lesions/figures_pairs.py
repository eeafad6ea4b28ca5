"""Figures of pairs of sub-clusters: what one costs where the other is lesioned."""

from __future__ import annotations

from collections.abc import Sequence
from typing import Any

import numpy as np
import pandas as pd
from matplotlib.axes import Axes
from matplotlib.figure import Figure
from matplotlib.patches import Patch, Rectangle
from numpy.typing import NDArray

from modclust_utils.figures.cells import (
    KIND_MARKS,
    LINEAR,
    MOST_NAMES,
    PAIR,
    Rows,
    SubCluster,
    as_cells,
    as_pairs,
    as_singles,
    check_shares,
    damage_bar,
    damage_image,
    name_cells,
    number,
    subclusters,
    write_cells,
)
from modclust_utils.figures.style import (
    INK,
    SHUFFLES_COLOR,
    TICK_SIZE,
    WIDTH,
    new_figure,
    sentence_figure,
    styled,
)
from modclust_utils.recipes.frames import shown_figure

# (X important given Y, Y important given X): colour and words; what an edge says is in EDGE_STYLE
PAIR_STATES: dict[tuple[bool, bool], tuple[str, str]] = {
    (True, True): ("#EDEDED", "X and Y important: no edge"),
    (False, True): ("#FBD9A0", "only Y important: what X sends goes to Y"),
    (True, False): ("#B5D8F5", "only X important: what Y gets comes from X"),
    (False, False): ("#E3B8D8", "neither important: both of these"),
}
_SAME_LAYER = "#EFEFEF"
# Columns of cells that hold their numbers: of the short ones in the matrix, and of two whole ones.
_MOST_SHORT, _MOST_WHOLE = 26, 20


def _short_number(value: float) -> str:
    """At most two digits, for a narrow cell: ".3", "1.2", "−.3", "−1", "12"."""
    if -0.95 < value < 9.95:
        text = number(value)
        return "0" if not float(text.replace("−", "-")) else text.replace("0.", ".", 1)
    return number(value, 0)


@shown_figure
@styled
def conditional_importance(pairs: pd.DataFrame) -> Figure:
    """How important two sub-clusters are, given the other's lesion (paper A, Figure 6 a).

    A cell for each pair of important sub-clusters: X, the earlier one, in rows, Y in columns. Upper
    line: delta(X, Y), the extra damage of lesioning X where Y is lesioned, in percentage points,
    and whether X is important given Y; lower line: the same of Y given X. Where numbers would not
    fit, colours say which of the two is important. A sentence where there is no pair.

    pairs: of important sub-clusters, with x_layer, x_label, y_layer, y_label, delta_x_y, delta_y_x,
    x_given_y, y_given_x (bool). Raises ValueError for a table that does not fit.
    """
    if pairs.empty:
        return sentence_figure("No two sub-clusters in different layers are important.")
    pairs = as_pairs(
        pairs, "pairs", numbers=["delta_x_y", "delta_y_x"], booleans=["x_given_y", "y_given_x"]
    )  # fmt: skip
    rows = sorted(set(subclusters(pairs, *PAIR[:2])))
    columns = sorted(set(subclusters(pairs, *PAIR[2:])))
    numbered, wide = len(columns) <= _MOST_WHOLE, len(columns) <= 8
    figure = new_figure(1.9 + (0.5 if numbered else 0.25) * len(rows))
    ax = figure.add_subplot()
    for pair in pairs.itertuples():
        place = (
            columns.index((pair.y_layer, pair.y_label)), rows.index((pair.x_layer, pair.x_label))
        )  # fmt: skip
        _draw_state(ax, place, pair)
        if numbered:
            _write_pair(ax, place, pair, wide)
    _draw_gaps(ax, rows, columns)
    ax.set_xlim(-0.5, len(columns) - 0.5)
    ax.set_ylim(len(rows) - 0.5, -0.5)
    as_cells(ax)
    name_cells(ax.yaxis, rows)
    name_cells(ax.xaxis, columns)
    if not numbered:
        ax.tick_params(axis="x", rotation=90)
    ax.set_xlabel("Y, in the later layer")
    ax.set_ylabel("X, in the earlier layer")
    title = "Above: δ(X, Y), what lesioning X costs where Y is lesioned already; below: δ(Y, X)"
    marks = "; ✓ important given the other's lesion, ✗ not" if wide else ""
    short = "What stays important where the other one is lesioned"
    ax.set_title(f"{title}\npercentage points{marks}" if numbered else short, size=9)
    states = {
        (bool(x), bool(y)) for x, y in zip(pairs["x_given_y"], pairs["y_given_x"], strict=True)
    }
    handles = [Patch(color=c, label=t) for key, (c, t) in PAIR_STATES.items() if key in states]
    figure.legend(handles=handles, loc="outside lower center", ncols=2)
    return figure


def _draw_state(ax: Axes, place: tuple[int, int], pair: Any) -> None:
    color, _ = PAIR_STATES[bool(pair.x_given_y), bool(pair.y_given_x)]
    corner = place[0] - 0.5, place[1] - 0.5
    ax.add_patch(Rectangle(corner, 1, 1, facecolor=color, edgecolor="white", linewidth=1.5))


def _write_pair(ax: Axes, place: tuple[int, int], pair: Any, wide: bool) -> None:
    x, y = place
    lines = [("X", pair.delta_x_y, pair.x_given_y), ("Y", pair.delta_y_x, pair.y_given_x)]
    for shift, (letter, delta, important) in zip((-0.21, 0.21), lines, strict=True):
        text = number(100 * delta)
        if wide:
            text = f"{letter} {text} {'✓' if important else '✗'}"
        drawn = ax.text(x, y + shift, text, size=TICK_SIZE, ha="center", va="center", zorder=3)
        drawn.set_in_layout(False)


def _draw_gaps(ax: Axes, rows: Sequence[SubCluster], columns: Sequence[SubCluster]) -> None:
    """Cells of pairs that cannot be: in one layer, or the wrong way round."""
    for y, row in enumerate(rows):
        for x, column in enumerate(columns):
            if row[0] >= column[0]:
                ax.plot(x, y, marker="_", color=SHUFFLES_COLOR, markersize=6)


@shown_figure
@styled
def damage_matrix(pairs: Rows, singles: Rows, n_random_sets: int) -> Figure:
    """What lesioning one sub-cluster costs where another is lesioned (paper A, Figure A.6).

    Row: the sub-cluster whose damage is measured; column: the one that is lesioned already. On the
    diagonal, bold, what each costs alone. Cells of one layer are gray. A star where more damage
    than all random sets do (p at its least, 1 / (n_random_sets + 1)), "?" where no more than any of
    them (p = 1). Numbers, and then these marks, are left out where they would not fit.

    pairs: x_layer, x_label, y_layer, y_label, delta_x_y, delta_y_x, p_x_given_y, p_y_given_x;
    singles: layer, label, drop, kind; n_random_sets: those that the pairs' p values come from.
    Raises ValueError for tables that do not fit.
    """
    singles = as_singles(singles, numbers=["drop"])
    names = subclusters(singles)
    numbers = ["delta_x_y", "delta_y_x", "p_x_given_y", "p_y_given_x"]
    pairs = as_pairs(pairs, "pairs", numbers=numbers, among=names)
    for column in numbers[2:]:
        check_shares(pairs, "pairs", column)
    values, p_values = _matrices(pairs, names)
    np.fill_diagonal(values, 100 * singles["drop"])
    width = 72 * (WIDTH - 1.1) / len(names)  # points
    numbered, marked = len(names) <= _MOST_SHORT, len(names) <= MOST_NAMES
    height = min(max(width, 22.0), 60.0) if numbered else width
    figure = new_figure(2.5 + height * len(names) / 72)
    ax = figure.add_subplot()
    _draw_layers(ax, names)
    image = damage_image(ax, values, LINEAR)
    write = number if width >= 32 else _short_number
    texts = {}
    for cell in zip(*np.nonzero(np.isfinite(values)), strict=True):
        lines = [write(values[cell])] if numbered else []
        lines += _significance(p_values[cell], n_random_sets) if marked else ""
        if lines:
            texts[cell] = "\n".join(lines)
    write_cells(ax, image, texts, bold_diagonal=True)
    as_cells(ax)
    marks = [KIND_MARKS[kind][1] for kind in singles["kind"]]
    name_cells(ax.yaxis, names, marks)
    name_cells(ax.xaxis, names, marks)
    ax.tick_params(axis="x", rotation=90)
    ax.set_xlabel("second: lesioned already")
    ax.set_ylabel("first: what its lesion costs")
    words = "\n★ costs more than every random set, ? costs no more than any of them" * marked
    ax.set_title(
        f"δ(first, second), in percentage points; on the diagonal, what each costs alone{words}\n"
        + ", ".join(f"{mark} {kind}" for kind, (_, mark) in KIND_MARKS.items() if mark in marks),
        size=9,
    )
    damage_bar(figure, image, ax, "accuracy drop (percentage points)")
    return figure


def _matrices(
    pairs: pd.DataFrame, names: Sequence[SubCluster]
) -> tuple[NDArray[np.float64], NDArray[np.float64]]:
    """Damage in percentage points and p values, ``(n, n)`` each; NaN where there is no pair."""
    values = np.full((len(names), len(names)), np.nan)
    p_values = values.copy()
    xs = [names.index(x) for x in subclusters(pairs, *PAIR[:2])]
    ys = [names.index(y) for y in subclusters(pairs, *PAIR[2:])]
    values[xs, ys], values[ys, xs] = 100 * pairs["delta_x_y"], 100 * pairs["delta_y_x"]
    p_values[xs, ys], p_values[ys, xs] = pairs["p_x_given_y"], pairs["p_y_given_x"]
    return values, p_values


def _significance(p_value: float, n_random_sets: int) -> str:
    """Marks of paper A's Figure A.6; a p value of NaN has none."""
    if p_value <= (1 + 1e-9) / (n_random_sets + 1):
        return "★"
    return "?" if p_value >= 1 else ""


def _draw_layers(ax: Axes, names: Sequence[SubCluster]) -> None:
    """Gray ground for the cells of one layer, lines between the layers."""
    layers = np.array([layer for layer, _ in names])
    for layer in np.unique(layers):
        inside = np.flatnonzero(layers == layer)
        start, size = inside[0] - 0.5, len(inside)
        ax.add_patch(
            Rectangle((start, start), size, size, facecolor=_SAME_LAYER, linewidth=0, zorder=0.5)
        )
        if start > 0:
            ax.axhline(start, color=INK, linewidth=0.8, zorder=2)
            ax.axvline(start, color=INK, linewidth=0.8, zorder=2)
