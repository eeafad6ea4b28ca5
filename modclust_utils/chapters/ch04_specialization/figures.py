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

    chance: `sub_clusters.by_chance`, whose statistic each row has as a tick. Class ranges have no
    printed statistic here: the printed ones are of another quantity (`tables.AS_MADE`).
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
        panels[0].text(
            0.0, heights[next(iter(rows))] - 0.6, name, fontweight="bold", fontsize=8.5,
            transform=panels[0].get_yaxis_transform(),
        )  # fmt: skip
    handles: list[Any] = [
        Line2D([], [], color=INK, marker="o", linewidth=1.6, label="here, significant"),
        Line2D([], [], color=INK, marker="o", markerfacecolor="white", label="here, not"),
        Line2D([], [], color=INK, linestyle="none", label="paper", **PAPER_MARKER),
        Line2D([], [], color=INK, linestyle="none", label="chance alone", **_CHANCE_MARKER),
        Line2D([], [], color=NULL_COLOR, linestyle="--", label="the same without ties"),
    ]
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
    names = names_of(table["kind"])
    figure = new_figure(2.1 * ((len(names) + 1) // 2) + 0.2)
    panels = figure.subplots((len(names) + 1) // 2, 2, squeeze=False).ravel()
    for ax, (kind, name) in zip(panels, names.items(), strict=False):
        own = table[table["kind"] == kind].set_index(["partitioning", "measure"])
        for i, partitioning in enumerate(PARTITIONINGS):
            for j, measure in enumerate(MEASURES):
                if (partitioning, measure) not in own.index:
                    continue
                row = own.loc[(partitioning, measure)]
                color = _SIGNIFICANT if row["significant"] else _NOT
                ax.add_patch(_cell(i, j, color))
                exponent = np.log10(max(row["p"], _LEAST))
                most = "≤ " if row["p"] < _LEAST else ""
                text = f"{most}{exponent:z.0f}" if row["significant"] else "n.s."
                ax.text(j, i, text, ha="center", va="center", color=text_color_on(color))
        _matrix_axes(ax, list(PARTITIONINGS), list(MEASURES.values()), name)
    for ax in panels[len(names) :]:
        ax.set_axis_off()
    return figure


def _cell(row: int, column: int, color: str) -> Any:
    from matplotlib.patches import Rectangle

    return Rectangle((column - 0.48, row - 0.46), 0.96, 0.92, facecolor=color, edgecolor="none")


def _matrix_axes(ax: Axes, rows: Sequence[str], columns: Sequence[str], title: str) -> None:
    ax.set_xlim(-0.6, len(columns) - 0.4)
    ax.set_ylim(len(rows) - 0.4, -0.6)
    ax.set_xticks(range(len(columns)), [each.replace(" ", "\n") for each in columns])
    ax.set_yticks(range(len(rows)), rows)
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
    names, n_bins = names_of(own["kind"]), min(20, n_random + 1)
    figure = new_figure(1.25 * len(names) + 0.6)
    panels = figure.subplots(len(names), len(PARTITIONINGS), sharex=True, squeeze=False)
    for row, (kind, name) in zip(panels, names.items(), strict=True):
        for ax, partitioning in zip(row, PARTITIONINGS, strict=True):
            same = own[(own["kind"] == kind) & (own["partitioning"] == partitioning)]
            if len(same):
                values = np.concatenate([*same["percentiles"]])
                bins = np.linspace(0, 1, n_bins + 1)
                ax.hist(values, bins=bins, color=COLORS[partitioning])
                ax.axhline(len(values) / n_bins, color=INK, linewidth=1, linestyle="--")
                ax.text(
                    0.97, 0.93, f"{same['fisher'].mean():.2f}", transform=ax.transAxes,
                    ha="right", va="top",
                )  # fmt: skip
            ax.grid(visible=False)
        row[0].set_ylabel(name)
    for ax, partitioning in zip(panels[0], PARTITIONINGS, strict=True):
        ax.set_title(partitioning)
    for ax in panels[-1]:
        ax.set_xlabel("percentile")
    return figure


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
