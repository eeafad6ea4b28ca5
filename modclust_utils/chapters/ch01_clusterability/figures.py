"""The figures of the book: plain data in, a matplotlib Figure out.

No figure is known to pyplot, nothing is shown, and no global setting is touched: who asked for a
figure saves it (`figure.savefig`) and can forget it.
"""

from __future__ import annotations

from typing import Any

import numpy as np
import pandas as pd
import seaborn as sns
from matplotlib.axes import Axes
from matplotlib.figure import Figure
from matplotlib.lines import Line2D
from matplotlib.patches import Patch, Rectangle
from numpy.typing import ArrayLike

from modclust_utils.figures.colors import CLUSTER_COLORS
from modclust_utils.figures.network import network_figure
from modclust_utils.figures.style import (
    CONDITION_STYLE,
    DEAD_COLOR,
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
from modclust_utils.stats import mean_interval

__all__ = [
    "CONDITION_STYLE",
    "DEAD_COLOR",
    "comparison_figure",
    "k_figure",
    "ncut_accuracy_figure",
    "network_figure",
    "null_figure",
    "random_ncuts_figure",
    "stub_walk_figure",
]


@styled
def ncut_accuracy_figure(table: Rows, *, n_clusters: int = 4) -> Figure:
    """n-cut and test accuracy of every network before and after pruning (paper A, Figure 2).

    A panel for each data set, all with one n-cut axis. Colours as in the paper: dark before
    pruning, light after it, blue without dropout, green and pink with it; diamonds mean dropout.
    table: columns dataset, dropout (bool), phase ("before" or "after"), ncut, test_acc (0 to 1).
    Raises ValueError for missing columns or another phase.
    """
    table = as_table(
        table, "table", others=["dataset", "dropout", "phase"], numbers=["ncut", "test_acc"]
    )
    other = sorted(set(table["phase"]) - set(PHASES))
    if other:
        raise ValueError(f"phase={other[0]!r} is not allowed: 'before' or 'after'")
    datasets = in_order(table["dataset"])
    figure = new_figure(1.2 + 1.75 * len(datasets))
    panels = figure.subplots(len(datasets), 1, sharex=True, squeeze=False).ravel()
    for dataset, ax in zip(datasets, panels, strict=True):
        for (dropout, phase), style in CONDITION_STYLE.items():
            chosen = table[
                (table["dataset"] == dataset)
                & (table["dropout"] == dropout)
                & (table["phase"] == phase)
            ]
            if len(chosen):
                ax.scatter(
                    chosen["ncut"],
                    chosen["test_acc"],
                    s=34,
                    color=style["color"],
                    marker=style["marker"],
                    edgecolors=marker_edge(dropout),
                    linewidths=0.7,
                    label=style["label"],
                    zorder=3,
                )
        ax.set_title(dataset_name(dataset))
        ax.set_ylabel("test accuracy")
        ax.margins(x=0.04, y=0.16)
    panels[-1].set_xlabel(ncut_label(n_clusters))
    used = set(zip(table["dropout"].astype(bool), table["phase"], strict=True))
    handles = [
        Line2D([], [], linestyle="", markersize=6, markeredgecolor=marker_edge(key[0]), **style)
        for key, style in CONDITION_STYLE.items()
        if key in used
    ]
    legend_below(figure, handles, 2)
    return figure


@styled
def random_ncuts_figure(
    ncuts: ArrayLike, support: tuple[float, float], *, n_clusters: int = 4
) -> Figure:
    """Histogram and density of the n-cuts of freshly initialized networks (paper A, Figure 3).

    ncuts: ``(n,)`` with n of 2 or more; support: the range that the paper states, shaded.
    Raises ValueError for too few values or an empty range.
    """
    ncuts = as_sample(ncuts, "ncuts", 2)
    low, high = support
    if not low < high:
        raise ValueError(f"support={support!r} is not allowed: (low, high) with low < high")
    figure = new_figure(3.2)
    ax = figure.add_subplot()
    ax.axvspan(low, high, color="#EDEDED", linewidth=0, zorder=0)
    sns.histplot(
        x=ncuts,
        kde=bool(np.ptp(ncuts) > 0),
        color=CLUSTER_COLORS[0],
        edgecolor="white",
        alpha=0.55,
        ax=ax,
    )
    ax.grid(axis="x", visible=False)
    ax.yaxis.get_major_locator().set_params(integer=True)
    ax.set_ylim(0, 1.18 * ax.get_ylim()[1])
    ax.text(
        (low + high) / 2,
        0.97,
        "range stated in the paper",
        transform=ax.get_xaxis_transform(),
        ha="center",
        va="top",
        size=8.5,
    )
    ax.set_xlabel(ncut_label(n_clusters))
    ax.set_ylabel("networks")
    ax.set_title(f"n-cuts of {len(ncuts)} randomly initialized networks")
    return figure


@styled
def comparison_figure(table: Rows, *, n_clusters: int = 4) -> Figure:
    """Our n-cuts, their shuffles and the paper's numbers, a row for each condition (Table 1).

    table: columns dataset, dropout (bool), ours (the n-cuts of our networks), null_mean, null_std
    (of the shuffles), paper_mean, paper_std (NaN where the paper has no such networks).
    Raises ValueError for missing columns or a row without n-cuts.
    """
    others = ["dataset", "dropout", "ours", "paper_mean", "paper_std"]
    table = as_table(table, "table", others=others, numbers=["null_mean", "null_std"])
    table = table.astype({"paper_mean": float, "paper_std": float})
    figure = new_figure(1.3 + 0.62 * len(table))
    ax = figure.add_subplot()
    new_dataset = table["dataset"] != table["dataset"].shift()
    heights = np.arange(len(table)) + 0.35 * (new_dataset.cumsum().to_numpy() - 1)
    for y, row in zip(heights, table.itertuples(), strict=True):
        _draw_comparison(ax, float(y), row)
    ax.set_yticks(
        heights,
        [f"{dataset_name(r.dataset)}\n{dropout_name(r.dropout)}" for r in table.itertuples()],
    )
    ax.set_ylim(heights[-1] + 0.55, -0.55)
    ax.grid(axis="y", visible=False)
    ax.tick_params(axis="y", length=0)
    ax.spines["left"].set_visible(False)
    ax.set_xlabel(ncut_label(n_clusters))
    title = "n-cuts of the pruned networks, beside their shuffles"
    handles = [
        Line2D([], [], color=INK, linewidth=2.2, marker="|", markersize=9,
               label="ours, with mean and 95 % interval"),
        Patch(color=SHUFFLES_COLOR, alpha=0.5, label="our shuffles: mean ± sd"),
    ]  # fmt: skip
    if table["paper_mean"].notna().any():
        title, label = f"{title} and the paper's", "paper: mean ± sd"
        handles.append(Line2D([], [], color=INK, linewidth=1, label=label, **PAPER_MARKER))
    ax.set_title(title)
    legend_below(figure, handles, 3)
    return figure


def _draw_comparison(ax: Axes, y: float, row: Any) -> None:
    """One condition: shuffles behind, dots above the middle, the paper's mean below it."""
    ours = np.sort(as_sample(row.ours, "ours", 1))
    style = CONDITION_STYLE[bool(row.dropout), "after"]
    corner, width = (row.null_mean - row.null_std, y - 0.42), 2 * row.null_std
    band = {"facecolor": SHUFFLES_COLOR, "alpha": 0.5, "linewidth": 0, "zorder": 1}
    ax.add_patch(Rectangle(corner, width, 0.84, **band))
    ax.vlines(row.null_mean, y - 0.42, y + 0.42, color=NULL_COLOR, linewidth=1.2, zorder=1.5)
    # three heights in turn, so that networks with almost the same n-cut stay visible
    steps = np.resize([0.0, 0.09, -0.09], len(ours))
    ax.scatter(
        ours, y - 0.22 + steps, s=22, color=style["color"], marker=style["marker"],
        edgecolors=marker_edge(bool(row.dropout)), linewidths=0.7, zorder=3,
    )  # fmt: skip
    mean = ours.mean()
    low, high = mean_interval(ours)
    ax.plot([low, high], [y + 0.05, y + 0.05], color=INK, linewidth=2.2, zorder=4)
    ax.plot(mean, y + 0.05, color=INK, marker="|", markersize=9, markeredgewidth=1.6, zorder=4)
    if np.isfinite(row.paper_mean):
        ax.errorbar(
            row.paper_mean, y + 0.28, xerr=row.paper_std,
            color=INK, linewidth=1, capsize=2.5, zorder=4, **PAPER_MARKER,
        )  # fmt: skip


@styled
def null_figure(tests: Rows, *, n_clusters: int = 4) -> Figure:
    """The n-cut of one network of each condition among those of its shuffles (paper A, Figure 4).

    tests: rows with title, ncut, null_ncuts ``(n_shuffles,)``, p_value, n_shuffles; a panel each,
    all with one n-cut axis. Raises ValueError for missing columns or another number of shuffles.
    """
    numbers = ["ncut", "p_value", "n_shuffles"]
    tests = as_table(tests, "tests", others=["title", "null_ncuts"], numbers=numbers)
    columns = min(2, len(tests))
    rows = -(-len(tests) // columns)
    figure = new_figure(0.9 + 1.75 * rows)
    panels = figure.subplots(rows, columns, sharex=True, squeeze=False).ravel()
    for ax, test in zip(panels, tests.itertuples(), strict=False):
        null = as_sample(test.null_ncuts, "null_ncuts", 1)
        if len(null) != test.n_shuffles:
            raise ValueError(
                f"n_shuffles={test.n_shuffles} is not allowed for {test.title!r}: "
                f"null_ncuts has {len(null)} values"
            )
        sns.histplot(x=null, color=SHUFFLES_COLOR, alpha=1, edgecolor="white", linewidth=0.4, ax=ax)
        ax.axvline(test.ncut, color=CLUSTER_COLORS[2], linewidth=2)
        ax.set_title(
            f"{test.title}\nn-cut {test.ncut:.3f}, p = {test.p_value:.2g} ({len(null)} shuffles)",
            size=9,
        )
        ax.set_ylabel("shuffles")
        ax.yaxis.get_major_locator().set_params(integer=True)
        ax.grid(axis="x", visible=False)
    for index, ax in enumerate(panels):
        if index >= len(tests):
            ax.set_visible(False)
        elif index + columns >= len(tests):
            ax.set_xlabel(ncut_label(n_clusters), size=8.5)
            ax.xaxis.set_tick_params(labelbottom=True)
    handles = [
        Line2D([], [], color=CLUSTER_COLORS[2], linewidth=2, label="the network"),
        Patch(color=SHUFFLES_COLOR, label="its shuffles"),
    ]
    legend_below(figure, handles, 2)
    return figure


@styled
def stub_walk_figure(
    steps: ArrayLike, estimate: ArrayLike, low: ArrayLike, high: ArrayLike, exact: float
) -> Figure:
    """Share of stub walks that leave their cluster, as walks are added (paper A, appendix A.1).

    steps, estimate, low, high: ``(n,)``, the number of walks so far, the share of them that
    left and its 95 % interval; exact: n-cut / k. Raises ValueError for lengths that differ, and for
    steps that do not increase.
    """
    series = {"steps": steps, "estimate": estimate, "low": low, "high": high}
    series = {name: as_sample(values, name, 2) for name, values in series.items()}
    lengths = {name: len(values) for name, values in series.items()}
    if len(set(lengths.values())) > 1:
        raise ValueError(f"lengths {lengths} are not allowed: one length for all")
    if series["steps"][0] < 1 or (np.diff(series["steps"]) <= 0).any():
        raise ValueError(f"steps={steps!r} is not allowed: increasing numbers from 1")
    figure = new_figure(3.2)
    ax = figure.add_subplot()
    color = CLUSTER_COLORS[0]
    ax.fill_between(
        series["steps"], series["low"], series["high"], color=color, alpha=0.2, linewidth=0,
        label="95 % interval",
    )  # fmt: skip
    ax.plot(series["steps"], series["estimate"], color=color, linewidth=1.5, label="share so far")
    ax.axhline(
        exact,
        color=CLUSTER_COLORS[2],
        linewidth=1.5,
        dashes=(5, 3),
        label=f"n-cut / k = {exact:.3f}",
    )
    ax.set_xscale("log")
    ax.set_xlim(series["steps"].min(), series["steps"].max())
    ax.xaxis.set_major_formatter(lambda value, _: f"{value:,.0f}")
    ax.set_xlabel("stub walks so far")
    ax.set_ylabel("share that left their cluster")
    ax.set_title("Stub walks that leave their cluster, and n-cut / k")
    ax.legend(loc="best")
    return figure


@styled
def k_figure(table: Rows) -> Figure:
    """Mean n-cut against that of the shuffles for several k (paper A, Tables 1, A.1, A.2, A.3).

    A panel for each data set: the ratio of the means, below 1 where networks are more clusterable
    than their shuffles; shaded, the shuffles' mean ± standard deviation; dashed and open, the
    paper's. table: columns dataset, dropout (bool), n_clusters, ncut_mean, null_mean, null_std,
    paper_ncut_mean, paper_null_mean (NaN where the paper has none).
    """
    others = ["dataset", "dropout", "paper_ncut_mean", "paper_null_mean"]
    numbers = ["n_clusters", "ncut_mean", "null_mean", "null_std"]
    table = as_table(table, "table", others=others, numbers=numbers)
    table = table.astype({"paper_ncut_mean": float, "paper_null_mean": float})
    datasets = in_order(table["dataset"])
    figure = new_figure(3.6)
    panels = figure.subplots(1, len(datasets), sharey=True, squeeze=False).ravel()
    for dataset, ax in zip(datasets, panels, strict=True):
        mine = table[table["dataset"] == dataset].sort_values("n_clusters")
        for dropout, series in mine.groupby("dropout"):
            _draw_k_series(ax, bool(dropout), series)
        ax.axhline(1, color=NULL_COLOR, linewidth=1.2, zorder=1)
        ax.margins(x=0.08, y=0.08)
        ax.set_xticks(sorted(set(mine["n_clusters"])))
        ax.grid(axis="x", visible=False)
        ax.set_title(dataset_name(dataset), size=9)
        ax.set_xlabel("number of clusters k")
    panels[0].set_ylabel("n-cut / n-cut of the shuffles (means)")
    title = "n-cut relative to the shuffles; below 1 is more clusterable than they are"
    figure.suptitle(title, x=0.01, ha="left", size=10)
    handles = []
    for dropout in sorted(set(table["dropout"].astype(bool))):
        name, edge, face = (
            dropout_name(dropout),
            marker_edge(dropout),
            CONDITION_STYLE[dropout, "after"],
        )
        marker = {"marker": face["marker"], "markeredgecolor": edge, "color": edge}
        ours = Line2D([], [], markerfacecolor=face["color"], label=f"ours, {name}", **marker)
        handles.append(ours)
        if table.loc[table["dropout"] == dropout, "paper_ncut_mean"].notna().any():
            label = f"paper, {name}"
            paper = Line2D([], [], markerfacecolor="white", linestyle="--", label=label, **marker)
            handles.append(paper)
    handles.append(Patch(color=SHUFFLES_COLOR, alpha=0.5, label="shuffles: mean ± sd"))
    legend_below(figure, handles, 3)
    return figure


def _draw_k_series(ax: Axes, dropout: bool, series: pd.DataFrame) -> None:
    edge, style = marker_edge(dropout), CONDITION_STYLE[dropout, "after"]
    k, spread = series["n_clusters"], series["null_std"] / series["null_mean"]
    ax.fill_between(k, 1 - spread, 1 + spread, color=SHUFFLES_COLOR, alpha=0.3, linewidth=0)
    shared = {"color": edge, "marker": style["marker"], "markersize": 6, "linewidth": 1.3}
    paper = series["paper_ncut_mean"] / series["paper_null_mean"]
    ax.plot(k, paper, linestyle="--", markerfacecolor="white", zorder=2, **shared)
    ours = series["ncut_mean"] / series["null_mean"]
    ax.plot(k, ours, markerfacecolor=style["color"], zorder=3, **shared)
