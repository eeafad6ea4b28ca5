"""The figures of what may make networks clusterable: dropout, training alone, mixtures of data.

Plain data in, a Figure out (paper A, sections 3.1 and 3.2, appendix A.5).
"""

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
from modclust_utils.chapters.ch02_dropout_and_topology.figures import (
    SOURCES,
    check_values,
    rows_only,
)
from modclust_utils.figures.style import (
    CONDITION_STYLE,
    INK,
    NULL_COLOR,
    PAPER_MARKER,
    PHASES,
    SHUFFLES_COLOR,
    Rows,
    as_sample,
    as_table,
    dataset_name,
    dropout_name,
    in_order,
    legend_below,
    marker_edge,
    ncut_label,
    new_figure,
    styled,
)
from modclust_utils.recipes.frames import only_k, shown_figure
from modclust_utils.stats import mean_interval
from modclust_utils.tables import printed_support

_SUPPORT_COLOR = "#EDEDED"
_SOURCE_STYLE: dict[str, dict[str, Any]] = {
    "ours": {"marker": "o", "markersize": 6, "markerfacecolor": INK},
    "paper": PAPER_MARKER,
}


@styled
def dropout_effect_figure(table: Rows) -> Figure:
    """By how much dropout changes the n-cut, with 95 % intervals (paper A, section 3.1).

    table: columns dataset, phase ("before" or "after" pruning), source ("ours" or "paper"),
    difference (n-cut with dropout minus without), low, high (NaN where there is no interval).
    Raises ValueError for missing columns, another phase or source, two rows for one place, or an
    interval without its difference.
    """
    others = ["dataset", "phase", "source", "low", "high"]
    table = as_table(table, "table", others=others, numbers=["difference"])
    table = table.astype({"low": float, "high": float})
    check_values(table, "phase", PHASES)
    check_values(table, "source", SOURCES)
    outside = (table["low"] > table["difference"]) | (table["high"] < table["difference"])
    if outside.any():
        low, high = table.loc[outside, ["low", "high"]].iloc[0]
        raise ValueError(f"low={low}, high={high} is not allowed: with the difference between")
    if table.duplicated(["dataset", "phase", "source"]).any():
        raise ValueError("table has two rows for one data set, phase and source; allowed: one")
    places = _places(table)
    heights = _grouped_heights([dataset for dataset, _ in places])
    figure = new_figure(1.1 + 0.52 * len(places))
    ax = figure.add_subplot()
    ax.axvline(0, color=NULL_COLOR, linewidth=1.2, zorder=1)
    for y, (dataset, phase) in zip(heights, places, strict=True):
        rows = table[(table["dataset"] == dataset) & (table["phase"] == phase)]
        for row in rows.itertuples():
            _draw_difference(ax, y + (-0.17 if row.source == "ours" else 0.17), row)
    rows_only(
        ax, heights, [f"{dataset_name(dataset)}\n{phase} pruning" for dataset, phase in places]
    )
    ax.set_xlabel("n-cut with dropout minus n-cut without; below 0, dropout makes it lower")
    handles = [
        Line2D([], [], color=INK, label=f"{source}: difference and 95 % interval", **style)
        for source, style in _SOURCE_STYLE.items()
        if source in set(table["source"])
    ]
    legend_below(figure, handles, 2)
    return figure


def _places(table: pd.DataFrame) -> list[tuple[str, str]]:
    """Data sets in the order in which they come, each before and then after pruning."""
    there = set(zip(table["dataset"], table["phase"], strict=True))
    every = [(dataset, phase) for dataset in in_order(table["dataset"]) for phase in PHASES]
    return [place for place in every if place in there]


def _grouped_heights(groups: list[str]) -> NDArray[np.float64]:
    """A height for each row, with some space wherever a new group begins."""
    series = pd.Series(groups)
    return np.arange(len(series)) + 0.35 * ((series != series.shift()).cumsum().to_numpy() - 1)


def _draw_difference(ax: Axes, y: float, row: Any) -> None:
    style = _SOURCE_STYLE[row.source]
    text = f"{row.difference:+.3f}"
    if np.isfinite([row.low, row.high]).all():
        ax.plot([row.low, row.high], [y, y], color=INK, linewidth=1.4, zorder=2)
        text += f"  [{row.low:+.3f}, {row.high:+.3f}]"
    ax.plot(row.difference, y, color=INK, zorder=3, **style)
    ax.text(
        1.02, y, f"{row.source:<6}{text}".replace("-", "−"), transform=ax.get_yaxis_transform(),
        va="center", size=8.5, family="monospace",
    )  # fmt: skip


@styled
def training_alone_figure(table: Rows, support: tuple[float, float], *, n_clusters: int) -> Figure:
    """n-cuts of networks that learn nothing, or by heart (paper A, section 3.2, Tables 2 to 4).

    table: columns name, dropout (bool), before, after (the n-cuts of our networks before and after
    pruning; empty where not run), null_mean, null_std (our shuffles of the pruned networks),
    paper_before_mean, paper_before_std, paper_after_mean, paper_after_std; numbers may be NaN.
    support: the range of freshly initialized networks, shaded.
    Raises ValueError for missing columns, n-cuts that are no finite numbers, or an empty range.
    """
    numbers = [
        "null_mean", "null_std", "paper_before_mean", "paper_before_std", "paper_after_mean",
        "paper_after_std",
    ]  # fmt: skip
    others = ["name", "dropout", "before", "after", *numbers]
    table = as_table(table, "table", others=others, numbers=[])
    table = table.astype(dict.fromkeys(numbers, float))
    low, high = support
    if not low < high:
        raise ValueError(f"support={support!r} is not allowed: (low, high) with low < high")
    figure = new_figure(1.7 + 0.62 * len(table))
    ax = figure.add_subplot()
    ax.axvspan(low, high, color=_SUPPORT_COLOR, linewidth=0, zorder=0)
    heights = _grouped_heights(list(table["name"]))
    for y, row in zip(heights, table.itertuples(), strict=True):
        _draw_training(ax, float(y), row)
    rows_only(
        ax, heights, [f"{row.name}\n{dropout_name(row.dropout)}" for row in table.itertuples()]
    )
    ax.set_xlabel(ncut_label(n_clusters))
    legend_below(figure, _training_handles(table), 3)
    return figure


def _training_handles(table: pd.DataFrame) -> list[Line2D | Patch]:
    """Legend of what is there. Its dots are gray: lightness tells the phase in both conditions."""
    handles: list[Line2D | Patch] = []
    dot = {"linestyle": "", "marker": "o", "markersize": 6, "markeredgecolor": INK}
    for phase, gray in (("before", "#444444"), ("after", "#D5D5D5")):
        if table[phase].map(len).any():
            handles.append(Line2D([], [], markerfacecolor=gray, label=f"{phase} pruning", **dot))
    if handles:
        line = {"color": INK, "linewidth": 2.2, "marker": "|", "markersize": 9}
        handles.append(Line2D([], [], label="our mean, 95 % interval", **line))
    for phase in PHASES:
        if table[f"paper_{phase}_mean"].notna().any():
            handles.append(_paper_handle(phase, f"paper, {phase}: mean ± sd"))
    if table["null_mean"].notna().any():
        handles.append(Patch(color=SHUFFLES_COLOR, alpha=0.5, label="our shuffles: mean ± sd"))
    return [*handles, Patch(color=_SUPPORT_COLOR, label="range of freshly initialized networks")]


def _paper_face(phase: str) -> dict[str, Any]:
    """Dark before pruning and light after it, as in all conditions."""
    return {**PAPER_MARKER, "markerfacecolor": INK if phase == "before" else "white"}


def _paper_handle(phase: str, label: str) -> Line2D:
    return Line2D([], [], color=INK, linewidth=1, label=label, **_paper_face(phase))


def _draw_training(ax: Axes, y: float, row: Any) -> None:
    """One condition: dots above the middle, their mean at it, the paper's below."""
    if np.isfinite(row.null_mean):
        corner, width = (row.null_mean - row.null_std, y - 0.42), 2 * row.null_std
        band = {"facecolor": SHUFFLES_COLOR, "alpha": 0.5, "linewidth": 0, "zorder": 1}
        ax.add_patch(Rectangle(corner, width, 0.84, **band))
    for phase in PHASES:
        if len(getattr(row, phase)):
            _draw_runs(ax, y, getattr(row, phase), bool(row.dropout), phase)
        mean, std = getattr(row, f"paper_{phase}_mean"), getattr(row, f"paper_{phase}_std")
        _draw_paper(ax, y + 0.28, mean, std, _paper_face(phase))
    if len(row.before) + len(row.after) == 0:
        _say_not_run(ax, y - 0.12, row.paper_after_mean, row.paper_before_mean)


def _draw_runs(ax: Axes, y: float, ncuts: ArrayLike, dropout: bool, phase: str) -> None:
    ncuts, style = np.sort(as_sample(ncuts, phase, 1)), CONDITION_STYLE[dropout, phase]
    ax.scatter(
        ncuts, y - 0.22 + np.resize([0.0, 0.08, -0.08], len(ncuts)), s=22, zorder=3,
        color=style["color"], marker=style["marker"],
        edgecolors=marker_edge(dropout), linewidths=0.7,
    )  # fmt: skip
    ax.plot(mean_interval(ncuts), [y + 0.04] * 2, color=INK, linewidth=2.2, zorder=4)
    tick = {"marker": "|", "markersize": 9, "markeredgewidth": 1.6}
    ax.plot(ncuts.mean(), y + 0.04, color=INK, zorder=4, **tick)


def _say_not_run(ax: Axes, y: float, *means: float) -> None:
    """Beside the first mean that there is, else in the middle of the row."""
    known = [mean for mean in means if np.isfinite(mean)]
    x, transform = (known[0], ax.transData) if known else (0.5, ax.get_yaxis_transform())
    ax.text(
        x, y, "not run", transform=transform, ha="center", va="center", size=8.5, style="italic"
    )


def _draw_paper(ax: Axes, y: float, mean: float, std: float, marker: dict[str, Any]) -> None:
    if np.isfinite(mean):
        ax.errorbar(mean, y, xerr=std, color=INK, linewidth=1, capsize=2.5, zorder=4, **marker)


@styled
def mixtures_figure(table: Rows, *, n_clusters: int) -> Figure:
    """n-cuts of networks trained on mixtures and on their parts (paper A, Tables A.16 and A.17).

    A panel without dropout and one with it, a row for each name. table: columns name, dropout
    (bool), ncut_mean, ncut_low, ncut_high (95 % interval of our mean; NaN where not run),
    paper_mean, paper_std (NaN where the paper has none).
    Raises ValueError for missing columns or two rows for one name and panel.
    """
    numbers = ["ncut_mean", "ncut_low", "ncut_high", "paper_mean", "paper_std"]
    table = as_table(table, "table", others=["name", "dropout", *numbers], numbers=[])
    table = table.astype(dict.fromkeys(numbers, float))
    if table.duplicated(["name", "dropout"]).any():
        raise ValueError("table has two rows for one name and dropout; allowed: one")
    names = in_order(table["name"])
    panels_of = sorted(set(table["dropout"].astype(bool)))
    figure = new_figure(1.3 + 0.42 * len(names))
    panels = figure.subplots(1, len(panels_of), sharex=True, sharey=True, squeeze=False).ravel()
    for dropout, ax in zip(panels_of, panels, strict=True):
        for row in table[table["dropout"] == dropout].itertuples():
            _draw_mixture(ax, names.index(row.name), row)
        ax.set_title(dropout_name(dropout))
        ax.set_xlabel(ncut_label(n_clusters), size=8.5)
        rows_only(ax, np.arange(len(names)), names)
    handles = []
    for dropout in sorted(set(table.loc[table["ncut_mean"].notna(), "dropout"].astype(bool))):
        style = CONDITION_STYLE[dropout, "after"]
        handles.append(
            Line2D([], [], color=marker_edge(dropout), marker=style["marker"], markersize=6.5,
                   markerfacecolor=style["color"],
                   label=f"ours, {dropout_name(dropout)}: mean, 95 % interval")
        )  # fmt: skip
    if table["paper_mean"].notna().any():
        handles.append(_paper_handle("after", "paper: mean ± sd"))
    legend_below(figure, handles, 2)
    return figure


def _draw_mixture(ax: Axes, y: float, row: Any) -> None:
    style, edge = CONDITION_STYLE[bool(row.dropout), "after"], marker_edge(bool(row.dropout))
    if np.isfinite(row.ncut_mean):
        ax.plot([row.ncut_low, row.ncut_high], [y - 0.15] * 2, color=edge, linewidth=2, zorder=3)
        ax.plot(
            row.ncut_mean, y - 0.15, marker=style["marker"], markersize=6.5, zorder=4,
            markerfacecolor=style["color"], markeredgecolor=edge,
        )  # fmt: skip
    else:
        _say_not_run(ax, y - 0.17, row.paper_mean)
    _draw_paper(ax, y + 0.17, row.paper_mean, row.paper_std, PAPER_MARKER)


dropout_effect = shown_figure(dropout_effect_figure)


@shown_figure
def training_alone(
    controls: pd.DataFrame, tests: pd.DataFrame, fresh: pd.DataFrame, facts: pd.DataFrame
) -> Figure:
    """`training_alone_figure` of `controls.controls`; tests: where its n-cuts are from; fresh:
    networks that were not trained; facts: what the text of the paper says of those."""
    named = controls.assign(name=[control_name(row) for row in controls.to_dict("records")])
    k = only_k(pd.concat([tests[["n_clusters"]], fresh[["n_clusters"]]]))
    return training_alone_figure(named, printed_support(facts), n_clusters=k)


@shown_figure
def mixtures(table: pd.DataFrame, ncuts: pd.DataFrame) -> Figure:
    """`mixtures_figure` of `controls.shown_mixtures`; ncuts: where its n-cuts are from."""
    named = table.assign(name=[dataset_name(dataset) for dataset in table["dataset"]])
    columns = {"paper_ncut_mean": "paper_mean", "paper_ncut_std": "paper_std"}
    return mixtures_figure(named.rename(columns=columns), n_clusters=only_k(ncuts))
