"""Figures of the two nulls, `layer` and `layer-nonzero` (paper A, section 3.3 and appendix A.4)."""

from __future__ import annotations

import numpy as np
import pandas as pd
import seaborn as sns
from matplotlib.axes import Axes
from matplotlib.figure import Figure
from matplotlib.lines import Line2D
from matplotlib.patches import Patch
from numpy.typing import NDArray

from modclust_utils.chapters.ch02_dropout_and_topology.printed import CONDITION
from modclust_utils.chapters.ch02_dropout_and_topology.tables import shuffles
from modclust_utils.figures.colors import CLUSTER_COLORS
from modclust_utils.figures.style import (
    CONDITION_STYLE,
    INK,
    NULL_COLOR,
    SHUFFLES_COLOR,
    as_table,
    dataset_name,
    dropout_name,
    legend_below,
    marker_edge,
    ncut_label,
    new_figure,
    rows_only,
    styled,
)
from modclust_utils.nulls import MODES
from modclust_utils.recipes.frames import Shown, only_k, shown_figure
from modclust_utils.recipes.network import PHASES
from modclust_utils.tables import condition_name

SOURCES = ("ours", "paper")
NETWORK_COLOR = CLUSTER_COLORS[2]
# `layer` is gray as in chapter 1, so that it is one colour through the book; the purple is darker,
# and no condition has its hue. The tests check that the pair stays apart.
MODE_STYLE: dict[str, dict[str, str]] = {
    "layer": {"color": SHUFFLES_COLOR, "label": "layer: all weights shuffled"},
    "layer-nonzero": {"color": "#5E3A8C", "label": "layer-nonzero: only those that are not 0"},
}
_HEIGHTS = (0.0, 0.07, -0.07)  # in turn, so that dots with almost the same value stay visible


def _mode_patches() -> list[Patch]:
    return [Patch(color=style["color"], label=style["label"]) for style in MODE_STYLE.values()]


@shown_figure
@styled
def two_nulls(networks: pd.DataFrame, tests: pd.DataFrame) -> Figure:
    """The first network of each condition among its shuffles of all, and of the non-zero weights
    (paper A, Figure 4): a panel each, all with one n-cut axis and bars of one width.

    networks: rows of `tables.per_network` in one phase; tests: where they are from.
    """
    examples = networks.groupby(["dataset", "dropout"], sort=False).head(1)
    edges = _bin_edges(np.concatenate([*examples["layer"], *examples["layer_nonzero"]]))
    columns = min(2, len(examples))
    rows = -(-len(examples) // columns)
    figure = new_figure(1.0 + 1.75 * rows)
    panels = figure.subplots(rows, columns, sharex=True, squeeze=False).ravel()
    for ax, network in zip(panels, examples.itertuples(), strict=False):
        for mode, null in zip(MODES, (network.layer, network.layer_nonzero), strict=True):
            color = MODE_STYLE[mode]["color"]
            ax.hist(null, edges, color=color, alpha=0.8, linewidth=0, histtype="stepfilled")
        ax.axvline(network.ncut, color=NETWORK_COLOR, linewidth=2)
        ax.set_title(
            f"{condition_name(network.dataset, network.dropout)}\np = {network.p_value_layer:.2g} "
            f"(layer), {network.p_value_layer_nonzero:.2g} (layer-nonzero)",
            size=9,
        )
        ax.set_ylabel("shuffles")
        ax.yaxis.get_major_locator().set_params(integer=True)
        ax.grid(axis="x", visible=False)
    for ax in panels[len(examples) - columns : len(examples)]:
        ax.set_xlabel(ncut_label(only_k(tests)), size=8.5)
        ax.xaxis.set_tick_params(labelbottom=True)
    for ax in panels[len(examples) :]:
        ax.set_visible(False)
    line = Line2D([], [], color=NETWORK_COLOR, linewidth=2, label="the network")
    legend_below(figure, [line, *_mode_patches()], 3)
    return figure


def _bin_edges(values: NDArray[np.float64]) -> NDArray[np.float64]:
    low, high = values.min(), values.max()
    margin = 0 if high > low else 0.01  # bars need a width even where all values are one
    return np.linspace(low - margin, high + margin, 61)


def violins(networks: pd.DataFrame, tests: pd.DataFrame, *, dropout: bool, phase: str) -> Shown:
    """Both nulls of each network of the first data set in a phase (paper A, Figures A.2 to A.5).

    networks: `tables.per_network`; tests: where it is from.
    """
    dataset = networks["dataset"].iloc[0]
    chosen = networks[(networks[CONDITION] == [dataset, dropout, phase]).all(axis=1)]
    title = f"{condition_name(dataset, dropout)}, {phase} pruning"
    return split_violins(shuffles(chosen), tests, title)


@shown_figure
@styled
def split_violins(table: pd.DataFrame, tests: pd.DataFrame, title: str) -> Figure:
    """Left half `layer`, right half `layer-nonzero`, all halves equally wide; a cross at the
    network's n-cut. table: `tables.shuffles`; tests: where they are from."""
    ncuts = table.groupby("network")["ncut"].first()
    figure = new_figure(4.2)
    ax = figure.add_subplot()
    sns.violinplot(
        table, x="network", y="null_ncut", hue="mode", order=[*ncuts.index], hue_order=MODES,
        split=True, inner=None, cut=0, density_norm="width", width=0.85, linewidth=0.6,
        saturation=1, palette={mode: MODE_STYLE[mode]["color"] for mode in MODES},
        legend=False, ax=ax,
    )  # fmt: skip
    cross = {"marker": "X", "markersize": 9, "color": NETWORK_COLOR, "markeredgecolor": "white"}
    ax.plot(range(len(ncuts)), ncuts, linestyle="", zorder=5, **cross)
    ax.grid(axis="x", visible=False)
    ax.tick_params(axis="x", length=0)
    ax.set_xlabel("network")
    ax.set_ylabel(ncut_label(only_k(tests)))
    ax.set_title(title)
    network = Line2D([], [], linestyle="", label="the network", **cross)
    legend_below(figure, [network, *_mode_patches()], 3)
    return figure


@shown_figure
@styled
def cohens_d(table: pd.DataFrame) -> Figure:
    """Cohen's d between the two nulls of every network (paper A, Figure A.1).

    Positive where shuffles that keep the topology have lower n-cuts. A panel for each phase, a row
    for each condition, ours above the paper's; the axis is linear up to ±1, logarithmic beyond.
    table: `tables.with_paper` of `cohens_d`. Raises ValueError for NaN.
    """
    table = as_table(table, "table", others=["dropout", "source"], numbers=["cohens_d"])
    conditions = list(table.groupby(["dataset", "dropout"], sort=False).groups)
    figure = new_figure(1.4 + 0.5 * len(conditions))
    panels = figure.subplots(1, len(PHASES), sharex=True, sharey=True)
    names = [f"{dataset_name(dataset)}\n{dropout_name(dropout)}" for dataset, dropout in conditions]
    for phase, ax in zip(PHASES, panels, strict=True):
        ax.axvline(0, color=NULL_COLOR, linewidth=1.2, zorder=1)
        shown = table[table["phase"] == phase]
        for place, networks in shown.groupby(["dataset", "dropout", "source"], sort=False):
            lane = conditions.index(place[:2]) + (-0.19 if place[2] == "ours" else 0.19)
            _draw_strip(ax, lane, networks)
        ax.set_title(f"{phase} pruning", size=9)
        ax.set_xlabel("Cohen's d")
        rows_only(ax, np.arange(len(conditions)), names)
    _scale_d(panels[0], table["cohens_d"])
    title = "Cohen's d, layer − layer-nonzero; above 0, keeping the topology gives lower n-cuts"
    figure.suptitle(title, x=0.01, ha="left", size=10)
    dot = {"linestyle": "", "marker": "o", "markersize": 6, "markeredgecolor": INK}
    handles = [
        Line2D([], [], markerfacecolor=face, label=source, **dot)
        for source, face in zip(SOURCES, (NULL_COLOR, "white"), strict=True)
        if source in set(table["source"])
    ]
    mean = Line2D([], [], linestyle="", marker="|", markersize=11, markeredgewidth=1.8, color=INK)
    mean.set_label("mean")
    legend_below(figure, [*handles, mean], 3)
    return figure


def _draw_strip(ax: Axes, y: float, networks: pd.DataFrame) -> None:
    """The d of the networks of one condition, phase and source, and their mean."""
    row = networks.iloc[0]
    style = CONDITION_STYLE[bool(row["dropout"]), row["phase"]]
    d = np.sort(networks["cohens_d"].to_numpy(float))
    ax.scatter(
        d, y + np.resize(_HEIGHTS, len(d)), s=20, marker=style["marker"], zorder=3,
        facecolors=style["color"] if row["source"] == "ours" else "white",
        edgecolors=marker_edge(bool(row["dropout"])), linewidths=0.7,
    )  # fmt: skip
    ax.plot(d.mean(), y, color=INK, marker="|", markersize=13, markeredgewidth=1.8, zorder=4)


def _scale_d(ax: Axes, d: pd.Series) -> None:
    ax.set_xscale("symlog", linthresh=1, linscale=0.7)
    low, high = min(-1.5, 1.4 * d.min()), max(1.5, 1.4 * d.max())
    ax.set_xlim(low, high)
    ticks = [tick for tick in (-30, -10, -3, -1, 0, 1, 3, 10, 30) if low <= tick <= high]
    ax.set_xticks(ticks, [f"{tick}".replace("-", "−") for tick in ticks])
    ax.set_xticks([], minor=True)
