"""Figures of what may make networks clusterable: dropout, training alone, mixtures of data
(paper A, sections 3.1 and 3.2, appendix A.5)."""

from __future__ import annotations

from typing import Any

import numpy as np
import pandas as pd
from matplotlib.axes import Axes
from matplotlib.figure import Figure
from matplotlib.lines import Line2D
from matplotlib.patches import Patch, Rectangle
from numpy.typing import ArrayLike, NDArray

from modclust_utils.chapters.ch02_dropout_and_topology.controls import control_name
from modclust_utils.chapters.ch02_dropout_and_topology.figures import SOURCES
from modclust_utils.chapters.ch02_dropout_and_topology.printed import N_CLUSTERS
from modclust_utils.figures.style import (
    CONDITION_STYLE,
    INK,
    NULL_COLOR,
    PAPER_MARKER,
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
from modclust_utils.recipes.frames import only_k, shown_figure
from modclust_utils.recipes.network import PHASES
from modclust_utils.stats import mean_interval
from modclust_utils.tables import printed_support

_SUPPORT_COLOR = "#EDEDED"
_SOURCE_STYLE: dict[str, dict[str, Any]] = {
    "ours": {"marker": "o", "markersize": 6, "markerfacecolor": INK},
    "paper": PAPER_MARKER,
}


@shown_figure
@styled
def dropout_effect(table: pd.DataFrame) -> Figure:
    """By how much dropout changes the n-cut, with 95 % intervals (paper A, section 3.1).

    table: `tables.dropout_effect`. Raises ValueError for NaN.
    """
    numbers = ["difference", "low", "high"]
    table = as_table(table, "table", others=["dataset", "phase", "source"], numbers=numbers)
    every = [(dataset, phase) for dataset in dict.fromkeys(table["dataset"]) for phase in PHASES]
    heights = dict(zip(every, _grouped_heights([dataset for dataset, _ in every]), strict=True))
    figure = new_figure(1.1 + 0.52 * len(every))
    ax = figure.add_subplot()
    ax.axvline(0, color=NULL_COLOR, linewidth=1.2, zorder=1)
    for row in table.itertuples():
        lane = -0.17 if row.source == "ours" else 0.17
        _draw_difference(ax, heights[row.dataset, row.phase] + lane, row)
    names = [f"{dataset_name(dataset)}\n{phase} pruning" for dataset, phase in every]
    rows_only(ax, [*heights.values()], names)
    ax.set_xlabel("n-cut with dropout minus n-cut without; below 0, dropout makes it lower")
    handles = [
        Line2D([], [], color=INK, label=f"{source}: difference and 95 % interval", **style)
        for source, style in _SOURCE_STYLE.items()
        if source in set(table["source"])
    ]
    legend_below(figure, handles, len(SOURCES))
    return figure


def _grouped_heights(groups: list[str]) -> NDArray[np.float64]:
    """A height for each row, with some space wherever a new group begins."""
    series = pd.Series(groups)
    return np.arange(len(series)) + 0.35 * ((series != series.shift()).cumsum().to_numpy() - 1)


def _draw_difference(ax: Axes, y: float, row: Any) -> None:
    ax.plot([row.low, row.high], [y, y], color=INK, linewidth=1.4, zorder=2)
    ax.plot(row.difference, y, color=INK, zorder=3, **_SOURCE_STYLE[row.source])
    text = f"{row.source:<6}{row.difference:+.3f}  [{row.low:+.3f}, {row.high:+.3f}]"
    ax.text(
        1.02, y, text.replace("-", "−"), transform=ax.get_yaxis_transform(), va="center", size=8.5,
        family="monospace",
    )  # fmt: skip


@shown_figure
@styled
def training_alone(controls: pd.DataFrame, tests: pd.DataFrame, facts: pd.DataFrame) -> Figure:
    """n-cuts of networks that learn nothing, or by heart (paper A, section 3.2, Tables 2 to 4).

    controls: `controls.controls`; tests: where its n-cuts are from; facts: what the text of the
    paper says, with the range of freshly initialized networks, which is shaded.
    """
    figure = new_figure(1.7 + 0.5 * len(controls))
    ax = figure.add_subplot()
    ax.axvspan(*printed_support(facts), color=_SUPPORT_COLOR, linewidth=0, zorder=0)
    names = [control_name(row) for row in controls.to_dict("records")]
    heights = _grouped_heights(names)
    for y, row in zip(heights, controls.itertuples(), strict=True):
        _draw_training(ax, float(y), row)
    kinds = [dropout_name(dropout) for dropout in controls["dropout"]]
    rows_only(ax, heights, [f"{name}\n{kind}" for name, kind in zip(names, kinds, strict=True)])
    ax.set_xlabel(ncut_label(only_k(tests)))
    legend_below(figure, _training_handles(controls), 3)
    return figure


def _training_handles(controls: pd.DataFrame) -> list[Line2D | Patch]:
    """Legend of what is there. Its dots are gray: lightness tells the phase in both conditions."""
    dot = {"linestyle": "", "marker": "o", "markersize": 6, "markeredgecolor": INK}
    line = {"color": INK, "linewidth": 2.2, "marker": "|", "markersize": 9}
    handles: list[Line2D | Patch] = [
        Line2D([], [], markerfacecolor="#444444", label="before pruning", **dot),
        Line2D([], [], markerfacecolor="#D5D5D5", label="after pruning", **dot),
        Line2D([], [], label="our mean, 95 % interval", **line),
        Patch(color=SHUFFLES_COLOR, alpha=0.5, label="our shuffles: mean ± sd"),
    ]
    if controls["paper_after_mean"].notna().any():
        handles += [_paper_handle(phase, f"paper, {phase}: mean ± sd") for phase in PHASES]
    words = f"paper, not trained (k = {N_CLUSTERS}): range"
    return [*handles, Patch(color=_SUPPORT_COLOR, label=words)]


def _paper_face(phase: str) -> dict[str, Any]:
    """Dark before pruning and light after it, as in all conditions."""
    return {**PAPER_MARKER, "markerfacecolor": INK if phase == "before" else "white"}


def _paper_handle(phase: str, label: str) -> Line2D:
    return Line2D([], [], color=INK, linewidth=1, label=label, **_paper_face(phase))


def _draw_training(ax: Axes, y: float, row: Any) -> None:
    """One condition: dots above the middle, their mean at it, the paper's below."""
    corner, width = (row.null_mean - row.null_std, y - 0.42), 2 * row.null_std
    band = {"facecolor": SHUFFLES_COLOR, "alpha": 0.5, "linewidth": 0, "zorder": 1}
    ax.add_patch(Rectangle(corner, width, 0.84, **band))
    for phase in PHASES:
        _draw_runs(ax, y, getattr(row, phase), bool(row.dropout), phase)
        mean, std = getattr(row, f"paper_{phase}_mean"), getattr(row, f"paper_{phase}_std")
        _draw_paper(ax, y + 0.28, mean, std, _paper_face(phase))


def _draw_runs(ax: Axes, y: float, ncuts: ArrayLike, dropout: bool, phase: str) -> None:
    ncuts, style = np.sort(ncuts), CONDITION_STYLE[dropout, phase]
    ax.scatter(
        ncuts, y - 0.22 + np.resize([0.0, 0.08, -0.08], len(ncuts)), s=22, zorder=3,
        color=style["color"], marker=style["marker"],
        edgecolors=marker_edge(dropout), linewidths=0.7,
    )  # fmt: skip
    ax.plot(mean_interval(ncuts), [y + 0.04] * 2, color=INK, linewidth=2.2, zorder=4)
    tick = {"marker": "|", "markersize": 9, "markeredgewidth": 1.6}
    ax.plot(ncuts.mean(), y + 0.04, color=INK, zorder=4, **tick)


def _draw_paper(ax: Axes, y: float, mean: float, std: float, marker: dict[str, Any]) -> None:
    if np.isfinite(mean):
        ax.errorbar(mean, y, xerr=std, color=INK, linewidth=1, capsize=2.5, zorder=4, **marker)


@shown_figure
@styled
def mixtures(table: pd.DataFrame, ncuts: pd.DataFrame) -> Figure:
    """n-cuts of networks trained on mixtures and on their parts (paper A, Tables A.16 and A.17).

    A panel without dropout and one with it, a row for each data set. table:
    `controls.shown_mixtures`; ncuts: where its n-cuts are from.
    """
    datasets = list(dict.fromkeys(table["dataset"]))
    figure = new_figure(1.3 + 0.37 * len(datasets))
    panels = figure.subplots(1, 2, sharex=True, sharey=True)
    handles = []
    for dropout, ax in zip((False, True), panels, strict=True):
        for row in table[table["dropout"] == dropout].itertuples():
            _draw_mixture(ax, datasets.index(row.dataset), row)
        ax.set_title(dropout_name(dropout))
        ax.set_xlabel(ncut_label(only_k(ncuts)), size=8.5)
        rows_only(ax, np.arange(len(datasets)), [*map(dataset_name, datasets)])
        words = f"ours, {dropout_name(dropout)}: mean, 95 % interval"
        handles.append(Line2D([], [], label=words, **_mixture_style(dropout)))
    if table["paper_ncut_mean"].notna().any():
        handles.append(_paper_handle("after", "paper: mean ± sd"))
    legend_below(figure, handles, 2)
    return figure


def _mixture_style(dropout: bool) -> dict[str, Any]:
    style, edge = CONDITION_STYLE[dropout, "after"], marker_edge(dropout)
    face = {"markerfacecolor": style["color"], "markeredgecolor": edge}
    return {"color": edge, "marker": style["marker"], "markersize": 6.5, **face}


def _draw_mixture(ax: Axes, y: float, row: Any) -> None:
    style = _mixture_style(bool(row.dropout))
    if row.n:
        line = {"color": style["color"], "linewidth": 2, "zorder": 3}
        ax.plot([row.ncut_low, row.ncut_high], [y - 0.15] * 2, **line)
        ax.plot(row.ncut_mean, y - 0.15, zorder=4, **style)
    else:
        words = {"ha": "center", "va": "center", "size": 8.5, "style": "italic"}
        ax.text(row.paper_ncut_mean, y - 0.17, "not run", **words)
    _draw_paper(ax, y + 0.17, row.paper_ncut_mean, row.paper_ncut_std, PAPER_MARKER)
