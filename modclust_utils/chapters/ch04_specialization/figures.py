"""Figures of chapter 4 about Fisher statistics and clusterability."""

from __future__ import annotations

import math
from collections.abc import Sequence
from typing import Any

import numpy as np
import pandas as pd
from matplotlib.axes import Axes
from matplotlib.figure import Figure
from matplotlib.lines import Line2D
from numpy.typing import NDArray

from modclust_utils.chapters.ch04_specialization.tables import (
    MEASURES,
    is_pretrained,
    is_tested,
    network_name,
    uniform,
)
from modclust_utils.figures.cells import text_color_on
from modclust_utils.figures.colors import CLUSTER_COLORS
from modclust_utils.figures.style import (
    INK,
    NULL_COLOR,
    PAPER_MARKER,
    legend_below,
    new_figure,
    styled,
)
from modclust_utils.partitionings import PARTITIONINGS
from modclust_utils.recipes.frames import shown_figure

#: A partitioning's colour, one through the whole chapter.
COLORS = dict(zip(PARTITIONINGS, CLUSTER_COLORS, strict=False))
_SIGNIFICANT, _NOT = "#C9DDF2", "#F4F4F4"
_CHANCE_MARKER: dict[str, Any] = {"marker": "|", "markersize": 11, "markeredgewidth": 1.8}
# A cell says no more of smaller p-values.
_LEAST = 1e-12


def nothing_to_show() -> Figure:
    """In place of a figure without data."""
    figure = new_figure(0.6)
    figure.text(0.5, 0.5, "no sub-cluster was measured", ha="center", va="center")
    return figure


def names_of(kinds: Sequence[str]) -> dict[str, str]:
    """What a page calls each kind of network."""
    return {kind: network_name(kind) for kind in dict.fromkeys(kinds)}


@shown_figure
@styled
def statistics(
    found: pd.DataFrame, printed: pd.DataFrame, chance: pd.DataFrame, *, n_random: int
) -> Figure:
    """Mean Fisher statistics with their intervals, and the printed ones (paper B, Table 1).

    chance: `sub_clusters.by_chance`, whose statistic each row has as a tick; it may be of more
    networks. Class ranges have no printed statistic here: the printed ones are of another quantity
    (`tables.AS_MADE`).
    """
    table = found[is_tested(found)]
    if table.empty:
        return nothing_to_show()
    groups = _groups(table)
    heights = _heights(groups)
    figure = new_figure(0.19 * (len(heights) + len(groups)) + 1.5)
    panels = figure.subplots(1, len(MEASURES), sharey=True)
    theirs = printed.set_index(["network", "partitioning"])
    for ax, (measure, words) in zip(panels, MEASURES.items(), strict=True):
        ax.axvline(uniform(n_random), color=NULL_COLOR, linewidth=1, linestyle="--")
        for row in chance[chance["measure"] == measure].itertuples():
            if (row.kind, row.partitioning) in heights:
                y = heights[row.kind, row.partitioning]
                ax.plot(row.expected, y, color=INK, **_CHANCE_MARKER)
        for row in table[table["measure"] == measure].itertuples():
            y, color = heights[row.kind, row.partitioning], COLORS[row.partitioning]
            ax.plot([row.low, row.high], [y, y], color=color, linewidth=1.6)
            fill = color if row.significant else "white"
            ax.plot(row.fisher, y, "o", color=color, markerfacecolor=fill, markersize=5.5)
            if measure != "class_range" and (row.kind, row.partitioning) in theirs.index:
                value = theirs.loc[(row.kind, row.partitioning), measure]
                ax.plot(value, y, color=INK, **PAPER_MARKER)
        ax.set_title(words)
        ax.set_xlabel("Fisher statistic")
        # up to the largest that so many random sets allow
        ax.set_xlim(0, math.log(2 * (n_random + 1)) + 0.06)
    labels = [label for rows in groups.values() for label in rows.values()]
    panels[0].set_yticks(list(heights.values()), labels)
    panels[0].set_ylim(max(heights.values()) + 0.7, -1.1)
    for name, rows in groups.items():
        # left of the axis, with the labels, so that it makes no room between the panels
        panels[0].annotate(
            name, (0, heights[next(iter(rows))] - 1), (-7, 0), ha="right", va="center",
            xycoords=panels[0].get_yaxis_transform(), textcoords="offset points",
            fontweight="bold", fontsize=8.5, annotation_clip=False,
        )  # fmt: skip
    handles: list[Any] = [
        Line2D([], [], color=INK, marker="o", linewidth=1.6, label="here, significant"),
        Line2D([], [], color=INK, marker="o", markerfacecolor="white", label="here, not"),
        Line2D([], [], color=INK, linestyle="none", label="chance alone", **_CHANCE_MARKER),
        Line2D([], [], color=NULL_COLOR, linestyle="--", label="the same without ties"),
    ]
    if not heights.keys().isdisjoint(theirs.index):
        paper = Line2D([], [], color=INK, linestyle="none", label="paper", **PAPER_MARKER)
        handles.insert(2, paper)
    legend_below(figure, handles, 5)
    return figure


def _groups(table: pd.DataFrame) -> dict[str, dict[tuple[str, str], str]]:
    """The rows under each heading, with their labels: of a kind of network its partitionings; of
    those that others trained under one partitioning all in one group, by their names."""
    groups: dict[str, dict[tuple[str, str], str]] = {}
    for kind, own in table.groupby("kind", sort=False):
        name, measured = network_name(str(kind)), {*own["partitioning"]}
        for partitioning in (each for each in PARTITIONINGS if each in measured):
            heading, label = name, partitioning
            if len(measured) == 1 and is_pretrained(str(kind)):
                heading, label = f"trained by others, {partitioning}", name
            groups.setdefault(heading, {})[str(kind), partitioning] = label
    return groups


def _heights(groups: dict[str, dict[tuple[str, str], str]]) -> dict[tuple[str, str], int]:
    """The height of each row; above each group one is free, for its heading."""
    heights: dict[tuple[str, str], int] = {}
    for i, rows in enumerate(groups.values()):
        heights |= {row: len(heights) + i + j for j, row in enumerate(rows)}
    return heights


@shown_figure
@styled
def p_values(found: pd.DataFrame) -> Figure:
    """The exponent of each p-value of Fisher and Bates; shaded where significant (B', Figure 3)."""
    table = found[is_tested(found)]
    if table.empty:
        return nothing_to_show()
    groups = [*_groups(table).items()]
    pairs = [groups[i : i + 2] for i in range(0, len(groups), 2)]
    heights = [max(len(rows) for _, rows in pair) for pair in pairs]
    figure = new_figure(0.33 * sum(heights) + 0.8 * len(pairs) + 0.2)
    panels = figure.subplots(
        len(pairs), 2, squeeze=False, gridspec_kw={"height_ratios": heights}
    ).ravel()
    cells = table.set_index(["kind", "partitioning", "measure"])
    for i, (ax, (heading, rows)) in enumerate(zip(panels, groups, strict=False)):
        for y, row in enumerate(rows):
            for x, measure in enumerate(MEASURES):
                if (*row, measure) in cells.index:
                    _exponent(ax, x, y, cells.loc[(*row, measure)])
        _matrix_axes(ax, [*rows.values()], list(MEASURES.values()), heading, heights[i // 2])
    for ax in panels[len(groups) :]:
        ax.set_axis_off()
    return figure


def _exponent(ax: Axes, x: int, y: int, test: pd.Series) -> None:
    """A cell with the exponent of a p-value."""
    color = _SIGNIFICANT if test["significant"] else _NOT
    ax.add_patch(_cell(y, x, color))
    exponent = np.log10(max(test["p"], _LEAST))
    most = "≤ " if test["p"] < _LEAST else ""
    text = f"{most}{exponent:z.0f}" if test["significant"] else "n.s."
    ax.text(x, y, text, ha="center", va="center", color=text_color_on(color))


def _cell(row: int, column: int, color: str) -> Any:
    from matplotlib.patches import Rectangle

    return Rectangle((column - 0.48, row - 0.46), 0.96, 0.92, facecolor=color, edgecolor="none")


def _matrix_axes(
    ax: Axes, rows: Sequence[str], columns: Sequence[str], title: str, height: int
) -> None:
    """Names of rows and columns; height: of how many rows there is room."""
    ax.set_xlim(-0.6, len(columns) - 0.4)
    ax.set_ylim(height - 0.4, -0.6)
    ax.set_xticks(range(len(columns)), [each.replace(" ", "\n") for each in columns])
    ax.set_yticks(range(len(rows)), rows)
    ax.xaxis.tick_top()
    ax.tick_params(length=0)
    ax.grid(visible=False)
    ax.spines[:].set_visible(False)
    ax.set_title(title)


@shown_figure
@styled
def histograms(table: pd.DataFrame, measure: str, *, n_random: int) -> Figure:
    """Percentiles of sub-clusters among random sets, all networks of a kind (paper B, Figure 3)."""
    own = table[is_tested(table) & (table["measure"] == measure)]
    if own.empty:
        return nothing_to_show()
    rows, bins = _rows_of_four(_groups(own)), np.linspace(0, 1, min(20, n_random + 1) + 1)
    figure = new_figure(1.25 * len(rows) + 0.6)
    panels = figure.subplots(len(rows), len(PARTITIONINGS), sharex=True, squeeze=False)
    for row, (heading, places) in zip(panels, rows, strict=True):
        for ax in row:
            ax.set_axis_off()
        for ax, (place, title) in zip(row, places.items(), strict=False):
            same = own[(own["kind"] == place[0]) & (own["partitioning"] == place[1])]
            if len(same):
                ax.set_axis_on()
                _histogram(ax, same, bins, COLORS[place[1]])
            ax.set_title(_in_lines(title))
        row[0].set_axis_on()
        row[0].set_ylabel(_in_lines(heading))
    for column in panels.T:
        lowest = [ax for ax in column if ax.axison][-1:]
        for ax in lowest:
            ax.set_xlabel("percentile")
            ax.tick_params(labelbottom=True)
    return figure


def _in_lines(name: str) -> str:
    """A name beside a small panel."""
    return name.replace(", ", ",\n").replace(" (", "\n(")


def _rows_of_four(
    groups: dict[str, dict[tuple[str, str], str]],
) -> list[tuple[str, dict[tuple[str, str], str]]]:
    """Panels in rows of four, with their titles: a kind of network under each partitioning, whose
    names stand above the first such row; of networks that share a heading each with its name."""
    found: list[tuple[str, dict[tuple[str, str], str]]] = []
    titles = list(PARTITIONINGS)
    n = len(titles)
    for heading, labels in groups.items():
        places = [*labels.items()]
        if {*labels.values()} <= {*PARTITIONINGS}:
            (kind, _), _ = places[0]
            places = [((kind, each), t) for each, t in zip(PARTITIONINGS, titles, strict=True)]
            titles = [""] * n
        found += [(heading, dict(places[i : i + n])) for i in range(0, len(places), n)]
    return found


def _histogram(ax: Axes, networks: pd.DataFrame, bins: NDArray[np.float64], color: str) -> None:
    """Percentiles of all networks together, with the line of a uniform distribution, and the mean
    of their statistics."""
    values = np.concatenate([*networks["percentiles"]])
    ax.hist(values, bins=bins, color=color)
    ax.axhline(len(values) / (len(bins) - 1), color=INK, linewidth=1, linestyle="--")
    ax.text(
        0.97, 0.93, f"{networks['fisher'].mean():.2f}", transform=ax.transAxes, ha="right", va="top"
    )
    ax.grid(visible=False)


@shown_figure
@styled
def against_shuffles(tests: pd.DataFrame, printed: pd.DataFrame) -> Figure:
    """n-cut and z-score of each network, ours and the paper's (paper B, Figure 2)."""
    figure = new_figure(3.8)
    ax = figure.subplots()
    ax.axhline(0, color=NULL_COLOR, linewidth=1, linestyle="--")
    points = [
        *((row.words, row.ncut, row.z_score, {"marker": "o"}) for row in tests.itertuples()),
        *((row.network, row.ncut, row.z_score, PAPER_MARKER) for row in printed.itertuples()),
    ]
    for _, ncut, z_score, style in points:
        ax.plot(ncut, z_score, color=INK, linestyle="none", **style)
    ax.set_yscale("symlog", linthresh=2)
    ax.margins(0.12)
    ax.set_xlabel("n-cut, lower is more clusterable")
    ax.set_ylabel("z-score among shuffles")
    handles = [
        Line2D([], [], color=INK, marker="o", linestyle="none", label="here"),
        Line2D([], [], color=INK, linestyle="none", label="paper", **PAPER_MARKER),
    ]
    ax.legend(handles=handles, loc="lower right")
    _name_points(ax, [(name, ncut, z_score) for name, ncut, z_score, _ in points])
    return figure


def _name_points(ax: Axes, points: list[tuple[str, float, float]]) -> None:
    """Names beside points, at the nearest height where they cover no other name and no point."""
    ax.figure.draw_without_rendering()  # before it, limits and places are not the last ones
    widest = max(x for _, x, _ in points)
    scale = 72 / ax.figure.dpi
    places = [(name, *(scale * ax.transData.transform((x, y))), x, y) for name, x, y in points]
    # left and right end, middle, and half the height of what is there, in points of print
    taken = [(left - 4, left + 4, middle, 3.0) for _, left, middle, _, _ in places]
    for name, left, middle, x, y in sorted(places, key=lambda place: place[2]):
        right = x > 0.8 * widest
        width = 5.0 * len(name)
        start = left - 5 - width if right else left + 5
        move = _nearest_free(taken, start, start + width, middle)
        taken.append((start, start + width, middle + move, 4.7))
        ax.annotate(
            name,
            (x, y),
            (-5 if right else 5, move - 3),
            textcoords="offset points",
            fontsize=8.5,
            ha="right" if right else "left",
            arrowprops={"arrowstyle": "-", "color": NULL_COLOR} if abs(move) > 8 else None,
        )


def _nearest_free(
    taken: list[tuple[float, float, float, float]], start: float, end: float, middle: float
) -> float:
    """How far a name moves up, or down where negative, to cover nothing."""
    beside = [(at, half + 4.7) for left, right, at, half in taken if start < right and left < end]
    moves = [sign * step for step in range(100) for sign in (1, -1)]
    free = (m for m in moves if all(abs(middle + m - at) >= space for at, space in beside))
    return float(next(free, 0))


@shown_figure
@styled
def two_nulls(tests: pd.DataFrame) -> Figure:
    """z-scores against shuffles of each layer, and those that keep the norm of what comes in.

    A row for each pretrained network, and one for all networks of a kind that were trained here.
    """
    rows = tests["words"].where(tests["pretrained"], tests["kind"].map(network_name))
    names = list(dict.fromkeys(rows))
    figure = new_figure(0.24 * len(names) + 1.3)
    ax = figure.subplots()
    ax.axvline(0, color=NULL_COLOR, linewidth=1, linestyle="--")
    for mode, color, marker in (("layer", INK, "o"), ("channel", CLUSTER_COLORS[2], "s")):
        own = tests[tests["mode"] == mode]
        heights = [names.index(each) for each in rows[own.index]]
        ax.plot(own["z_score"], heights, marker, color=color, markersize=5, label=mode)
    ax.set_yticks(range(len(names)), names)
    ax.set_ylim(len(names) - 0.5, -0.5)
    ax.set_xscale("symlog", linthresh=2)
    ax.set_xlabel("z-score among shuffles, lower is more clusterable")
    legend_below(figure, ax.get_legend_handles_labels()[0], 2)
    return figure


@shown_figure
@styled
def spread_of_z(tests: pd.DataFrame) -> Figure:
    """z-scores of the same networks from other seeds and numbers of starts of k-means."""
    names = list(dict.fromkeys(tests["words"]))
    figure = new_figure(0.3 * len(names) + 1.3)
    panels = figure.subplots(1, 2, sharey=True)
    starts = sorted(set(tests["n_init"]))
    for ax, column in zip(panels, ("ncut", "z_score"), strict=True):
        for i, n_init in enumerate(starts):
            own = tests[tests["n_init"] == n_init]
            heights = [names.index(each) + 0.16 * (i - (len(starts) - 1) / 2) for each in own.words]
            color = CLUSTER_COLORS[i]
            ax.plot(own[column], heights, "o", color=color, alpha=0.7, markersize=4)
    panels[0].set_yticks(range(len(names)), names)
    panels[0].set_ylim(len(names) - 0.5, -0.5)
    panels[0].set_xlabel("n-cut")
    panels[1].set_xlabel("z-score among shuffles")
    handles = [
        Line2D([], [], color=CLUSTER_COLORS[i], marker="o", linestyle="none",
               label=f"{n_init} start{'s' * (n_init > 1)} of k-means")
        for i, n_init in enumerate(starts)
    ]  # fmt: skip
    legend_below(figure, handles, len(starts))
    return figure


@shown_figure
@styled
def matched(pairs: pd.DataFrame) -> Figure:
    """Fisher statistics against random sets of one size, and of one size and norm."""
    figure = new_figure(3.2)
    panels = figure.subplots(1, 2)
    for ax, measure in zip(panels, ("accuracy_drop", "class_range"), strict=True):
        own = pairs[pairs["measure"] == measure]
        ends = [
            own[["size", "norm"]].to_numpy().min(initial=1),
            own[["size", "norm"]].to_numpy().max(initial=1),
        ]
        ax.plot(ends, ends, color=NULL_COLOR, linewidth=1, linestyle="--")
        for i, (kind, name) in enumerate(names_of(own["kind"]).items()):
            same = own[own["kind"] == kind]
            ax.plot(same["size"], same["norm"], "o", color=CLUSTER_COLORS[i], label=name)
        ax.set_title(MEASURES[measure])
        ax.set_xlabel("random sets of the same size")
        ax.set_ylabel("of the same size and norm")
    legend_below(figure, panels[0].get_legend_handles_labels()[0], 3)
    return figure


@shown_figure
@styled
def by_clusters(table: pd.DataFrame, *, n_random: int) -> Figure:
    """Fisher statistics over the number of clusters, a line a network."""
    figure = new_figure(3.0)
    panels = figure.subplots(1, 2)
    for ax, measure in zip(panels, ("accuracy_drop", "class_range"), strict=True):
        own = table[table["measure"] == measure]
        ax.axhline(uniform(n_random), color=NULL_COLOR, linewidth=1, linestyle="--")
        for i, (kind, name) in enumerate(names_of(own["kind"]).items()):
            for j, (_, line) in enumerate(own[own["kind"] == kind].groupby("seed")):
                line = line.sort_values("n_clusters")
                label = None if j else name
                ax.plot(line["n_clusters"], line["fisher"], "o-", color=CLUSTER_COLORS[i],
                        alpha=0.7, markersize=4, linewidth=1, label=label)  # fmt: skip
        ax.set_xscale("log", base=2)
        ticks = sorted(set(own["n_clusters"]))
        ax.set_xticks(ticks, [str(each) for each in ticks])
        ax.minorticks_off()
        ax.set_title(MEASURES[measure])
        ax.set_xlabel("number of clusters k")
    panels[0].set_ylabel("Fisher statistic")
    legend_below(figure, panels[0].get_legend_handles_labels()[0], 3)
    return figure
