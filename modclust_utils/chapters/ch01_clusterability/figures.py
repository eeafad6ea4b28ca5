"""Figures of chapter 1: tables of the chapter in, a figure with its trace out."""

from __future__ import annotations

import math
from typing import Any

import numpy as np
import pandas as pd
import seaborn as sns
from matplotlib.axes import Axes
from matplotlib.figure import Figure
from matplotlib.lines import Line2D
from matplotlib.patches import Patch, Rectangle

from modclust_utils.doors import as_sample
from modclust_utils.figures.colors import CLUSTER_COLORS
from modclust_utils.figures.network import network_figure
from modclust_utils.figures.style import (
    CONDITION_STYLE,
    INK,
    NULL_COLOR,
    PAPER_MARKER,
    PHASES,
    SHUFFLES_COLOR,
    Rows,
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
from modclust_utils.recipes.network import weights
from modclust_utils.stats import empirical_p_value, mean_interval
from modclust_utils.tables import printed_support


@shown_figure
def network(sizes: pd.DataFrame, partition: pd.DataFrame, networks: pd.DataFrame) -> Figure:
    """A network in its clusters (paper A, Figure 1).

    sizes: `tables.cluster_sizes` of it; partition, networks: one row each, of this network.
    """
    return network_figure(weights(networks["record"].iloc[0]), partition["labels"].iloc[0])


@shown_figure
@styled
def ncut_accuracy(table: Rows, tests: pd.DataFrame) -> Figure:
    """n-cut and test accuracy of every network before and after pruning (paper A, Figure 2).

    A panel for each data set, all with one n-cut axis. Colours as in the paper: dark before
    pruning, light after it, blue without dropout, green and pink with it; diamonds mean dropout.
    table: columns dataset, dropout (bool), phase ("before" or "after"), ncut, test_acc (0 to 1);
    tests: where its n-cuts are from. Raises ValueError for missing columns or another phase.
    """
    table = as_table(
        table, "table", others=["dataset", "dropout", "phase"], numbers=["ncut", "test_acc"]
    )
    other = sorted(set(table["phase"]) - set(PHASES))
    if other:
        raise ValueError(f"phase={other[0]!r} is not allowed: 'before' or 'after'")
    datasets = list(dict.fromkeys(table["dataset"]))
    n_columns = min(len(datasets), 3)
    n_rows = math.ceil(len(datasets) / n_columns)
    figure = new_figure(1.0 + 2.3 * n_rows)
    panels = figure.subplots(n_rows, n_columns, sharex=True, squeeze=False)
    for ax in panels.flat[len(datasets) :]:
        ax.set_visible(False)
    for ax in panels[:, 0]:
        ax.set_ylabel("test accuracy")
    for dataset, ax in zip(datasets, panels.flat, strict=False):
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
        ax.margins(x=0.04, y=0.16)
    panels[-1, n_columns // 2].set_xlabel(ncut_label(only_k(tests)))
    used = set(zip(table["dropout"].astype(bool), table["phase"], strict=True))
    handles = [
        Line2D([], [], linestyle="", markersize=6, markeredgecolor=marker_edge(key[0]), **style)
        for key, style in CONDITION_STYLE.items()
        if key in used
    ]
    legend_below(figure, handles, 2)
    return figure


@shown_figure
@styled
def random_ncuts(values: pd.DataFrame, fresh: pd.DataFrame, facts: pd.DataFrame) -> Figure:
    """Histogram and density of the n-cuts of freshly initialized networks (paper A, Figure 3).

    values: column ncut, two rows or more; fresh: their record; facts: what the text of the paper
    says of them (`tables.facts_for_k`), a range, which is shaded. Raises ValueError for too few
    values.
    """
    ncuts = as_sample("ncuts", values["ncut"], 2)
    n_clusters = only_k(fresh)
    figure = new_figure(3.2)
    ax = figure.add_subplot()
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
    if len(facts):
        _shade_printed_range(ax, *printed_support(facts))
    ax.set_xlabel(ncut_label(n_clusters))
    ax.set_ylabel("networks")
    ax.set_title(f"n-cuts of {len(ncuts)} randomly initialized networks")
    return figure


def _shade_printed_range(ax: Axes, low: float, high: float) -> None:
    ax.axvspan(low, high, color="#EDEDED", linewidth=0, zorder=0)
    words = {"ha": "center", "va": "top", "size": 8.5, "transform": ax.get_xaxis_transform()}
    ax.text((low + high) / 2, 0.97, "range stated in the paper", **words)


@shown_figure
@styled
def comparison(networks: pd.DataFrame, table: pd.DataFrame) -> Figure:
    """Our n-cuts, their shuffles and the paper's numbers, a row for each condition (Table 1).

    networks: dataset, dropout (bool), ncut of every network; table: `tables.clusterability` of them
    (paper_ncut_mean and _std are NaN where the paper has no such networks).
    Raises ValueError for missing columns or a row without n-cuts.
    """
    n_clusters = only_k(table)
    ncuts = networks.groupby(["dataset", "dropout"])["ncut"].agg(list).rename("ours").reset_index()
    table = table.merge(ncuts, on=["dataset", "dropout"], validate="one_to_one")
    figure = new_figure(1.3 + 0.62 * len(table))
    ax = figure.add_subplot()
    new_dataset = table["dataset"] != table["dataset"].shift()
    heights = np.arange(len(table)) + 0.35 * (new_dataset.cumsum().to_numpy() - 1)
    for y, row in zip(heights, table.itertuples(), strict=True):
        _draw_comparison(ax, float(y), row)
    names = [f"{dataset_name(r.dataset)}\n{dropout_name(r.dropout)}" for r in table.itertuples()]
    rows_only(ax, heights, names)
    ax.set_xlabel(ncut_label(n_clusters))
    title = "n-cuts of the pruned networks, beside their shuffles"
    handles = [
        Line2D([], [], color=INK, linewidth=2.2, marker="|", markersize=9,
               label="ours, with mean and 95 % interval"),
        Patch(color=SHUFFLES_COLOR, alpha=0.5, label="our shuffles: mean ± sd"),
    ]  # fmt: skip
    if table["paper_ncut_mean"].notna().any():
        title, label = f"{title} and the paper's", "paper: mean ± sd"
        handles.append(Line2D([], [], color=INK, linewidth=1, label=label, **PAPER_MARKER))
    ax.set_title(title)
    legend_below(figure, handles, 3)
    return figure


def _draw_comparison(ax: Axes, y: float, row: Any) -> None:
    """One condition: shuffles behind, dots above the middle, the paper's mean below it."""
    ours = np.sort(as_sample("ours", row.ours, 1))
    style = CONDITION_STYLE[bool(row.dropout), "after"]
    corner, width = (row.null_ncut_mean - row.null_ncut_std, y - 0.42), 2 * row.null_ncut_std
    band = {"facecolor": SHUFFLES_COLOR, "alpha": 0.5, "linewidth": 0, "zorder": 1}
    ax.add_patch(Rectangle(corner, width, 0.84, **band))
    ax.vlines(row.null_ncut_mean, y - 0.42, y + 0.42, color=NULL_COLOR, linewidth=1.2, zorder=1.5)
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
    if np.isfinite(row.paper_ncut_mean):
        ax.errorbar(
            row.paper_ncut_mean, y + 0.28, xerr=row.paper_ncut_std,
            color=INK, linewidth=1, capsize=2.5, zorder=4, **PAPER_MARKER,
        )  # fmt: skip


@shown_figure
@styled
def nulls(shuffles: pd.DataFrame, tests: pd.DataFrame) -> Figure:
    """The n-cut of one network of each condition among those of its shuffles (paper A, Figure 4).

    shuffles: a row for each, columns network (a title), ncut, null; a panel for each network, all
    with one n-cut axis; tests: where they are from.
    """
    panels_of = list(shuffles.groupby("network", sort=False))
    columns = min(2, len(panels_of))
    rows = -(-len(panels_of) // columns)
    figure = new_figure(0.9 + 1.75 * rows)
    panels = figure.subplots(rows, columns, sharex=True, squeeze=False).ravel()
    for ax, (title, rows_of_one) in zip(panels, panels_of, strict=False):
        null = as_sample("null", rows_of_one["null"], 1)
        ncut = float(rows_of_one["ncut"].iloc[0])
        p_value = empirical_p_value(ncut, null, tail="lower")
        sns.histplot(x=null, color=SHUFFLES_COLOR, alpha=1, edgecolor="white", linewidth=0.4, ax=ax)
        ax.axvline(ncut, color=CLUSTER_COLORS[2], linewidth=2)
        ax.set_title(f"{title}\nn-cut {ncut:.3f}, p = {p_value:.2g} ({len(null)} shuffles)", size=9)
        ax.set_ylabel("shuffles")
        ax.yaxis.get_major_locator().set_params(integer=True)
        ax.grid(axis="x", visible=False)
    for index, ax in enumerate(panels):
        if index >= len(panels_of):
            ax.set_visible(False)
        elif index + columns >= len(panels_of):
            ax.set_xlabel(ncut_label(only_k(tests)), size=8.5)
            ax.xaxis.set_tick_params(labelbottom=True)
    handles = [
        Line2D([], [], color=CLUSTER_COLORS[2], linewidth=2, label="the network"),
        Patch(color=SHUFFLES_COLOR, label="its shuffles"),
    ]
    legend_below(figure, handles, 2)
    return figure


@shown_figure
@styled
def stub_walk(walk: pd.DataFrame, partition: pd.DataFrame) -> Figure:
    """Share of stub walks that leave their cluster, as walks are added (paper A, appendix A.1).

    walk: columns walks, the number of walks so far, left, the share of them that left their
    cluster, low and high, its 95 % interval; partition: one row, whose n-cut / k is what the share
    comes to. Raises ValueError for walks that do not increase.
    """
    series = {name: as_sample(name, walk[name], 2) for name in ("walks", "left", "low", "high")}
    exact = float(partition["ncut"].iloc[0]) / only_k(partition)
    if series["walks"][0] < 1 or (np.diff(series["walks"]) <= 0).any():
        raise ValueError("walks do not increase; allowed: increasing numbers from 1")
    figure = new_figure(3.2)
    ax = figure.add_subplot()
    color = CLUSTER_COLORS[0]
    ax.fill_between(
        series["walks"], series["low"], series["high"], color=color, alpha=0.2, linewidth=0,
        label="95 % interval",
    )  # fmt: skip
    ax.plot(series["walks"], series["left"], color=color, linewidth=1.5, label="share so far")
    ax.axhline(
        exact,
        color=CLUSTER_COLORS[2],
        linewidth=1.5,
        dashes=(5, 3),
        label=f"n-cut / k = {exact:.3f}",
    )
    ax.set_xscale("log")
    ax.set_xlim(series["walks"].min(), series["walks"].max())
    ax.xaxis.set_major_formatter(lambda value, _: f"{value:,.0f}")
    ax.set_xlabel("stub walks so far")
    ax.set_ylabel("share that left their cluster")
    ax.set_title("Stub walks that leave their cluster, and n-cut / k")
    ax.legend(loc="best")
    return figure


@shown_figure
@styled
def number_of_clusters(table: Rows) -> Figure:
    """Mean n-cut against that of the shuffles for several k (paper A, Tables 1, A.1, A.2, A.3).

    A panel for each data set: the ratio of the means, below 1 where networks are more clusterable
    than their shuffles; shaded, the shuffles' mean ± standard deviation; dashed and open, the
    paper's. table: columns dataset, dropout (bool), n_clusters, ncut_mean, null_ncut_mean,
    null_ncut_std, paper_ncut_mean, paper_null_ncut_mean (NaN where the paper has none).
    """
    others = ["dataset", "dropout", "paper_ncut_mean", "paper_null_ncut_mean"]
    numbers = ["n_clusters", "ncut_mean", "null_ncut_mean", "null_ncut_std"]
    table = as_table(table, "table", others=others, numbers=numbers)
    table = table.astype({"paper_ncut_mean": float, "paper_null_ncut_mean": float})
    datasets = list(dict.fromkeys(table["dataset"]))
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
    k, spread = series["n_clusters"], series["null_ncut_std"] / series["null_ncut_mean"]
    ax.fill_between(k, 1 - spread, 1 + spread, color=SHUFFLES_COLOR, alpha=0.3, linewidth=0)
    shared = {"color": edge, "marker": style["marker"], "markersize": 6, "linewidth": 1.3}
    paper = series["paper_ncut_mean"] / series["paper_null_ncut_mean"]
    ax.plot(k, paper, linestyle="--", markerfacecolor="white", zorder=2, **shared)
    ours = series["ncut_mean"] / series["null_ncut_mean"]
    ax.plot(k, ours, markerfacecolor=style["color"], zorder=3, **shared)
