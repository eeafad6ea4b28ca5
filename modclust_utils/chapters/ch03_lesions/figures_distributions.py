"""Figures of Tables A.18 and A.19 as distributions: our networks beside the paper's one."""

from __future__ import annotations

from collections.abc import Mapping
from typing import Any, NamedTuple

import pandas as pd
from matplotlib.axes import Axes
from matplotlib.figure import Figure
from matplotlib.lines import Line2D

from modclust_utils.figures.cells import LINEAR, number, ticks_between
from modclust_utils.figures.colors import CLUSTER_COLORS
from modclust_utils.figures.style import (
    INK,
    SHUFFLES_COLOR,
    as_table,
    legend_below,
    new_figure,
    styled,
)
from modclust_utils.recipes.frames import shown_figure


class Panel(NamedTuple):
    """What a panel shows: words at its axis, and whether it is a loss (in points, from shares)."""

    words: str
    is_loss: bool = True


SINGLES: dict[str, Panel] = {
    "drop": Panel("loss of accuracy (percentage points)"),
    "null_mean": Panel("mean loss of its random sets (percentage points)"),
    "proportion": Panel("share of the layer", is_loss=False),
    "p_value": Panel("p-value", is_loss=False),
}
PAIRS: dict[str, Panel] = {
    "delta_x_y": Panel("δ(X, Y) (percentage points)"),
    "delta_y_x": Panel("δ(Y, X) (percentage points)"),
}
_TICKS = (0.0, 0.5, 1.0, 5.0, 20.0, 100.0)
_STYLES: dict[str, dict[str, Any]] = {
    "each": {"color": SHUFFLES_COLOR, "linewidth": 0.9},
    "ours": {"color": CLUSTER_COLORS[0], "linewidth": 2.0},
    "paper": {"color": INK, "linewidth": 1.4, "dashes": (4, 2)},
}


@shown_figure
@styled
def singles(table: pd.DataFrame) -> Figure:
    """What Table A.18 says of sub-clusters, as the share of them at or below each value.

    table: `tables.singles_beside`. Raises ValueError for NaN, or a table without rows.
    """
    return _distributions(table, SINGLES, "sub-clusters")


@shown_figure
@styled
def pairs(table: pd.DataFrame) -> Figure:
    """The same of what Table A.19 says of pairs of important sub-clusters.

    table: `tables.pairs_beside`. Raises ValueError for NaN, or a table without rows.
    """
    return _distributions(table, PAIRS, "pairs")


def _distributions(table: pd.DataFrame, panels: Mapping[str, Panel], things: str) -> Figure:
    table = as_table(table, "table", others=["source"], numbers=["network", *panels])
    rows = -(-len(panels) // 2)
    figure = new_figure(0.9 + 2.3 * rows)
    axes = figure.subplots(rows, 2, sharey=True, squeeze=False)
    for ax, (column, panel) in zip(axes.ravel(), panels.items(), strict=True):
        values = table[column] * (100 if panel.is_loss else 1)
        for (source, _), own in values.groupby([table["source"], table["network"]]):
            _draw(ax, own, "each" if source == "ours" else "paper")
        _draw(ax, values[table["source"] == "ours"], "ours")
        if panel.is_loss:
            _scale_losses(ax, values)
        ax.set_xlabel(panel.words)
    for ax in axes[:, 0]:
        ax.set_ylabel(f"share of {things}")
    n = table.loc[table["source"] == "ours", "network"].nunique()
    words = {
        "ours": f"our {n} networks together",
        "each": "each of them",
        "paper": "the paper's network",
    }
    sources = set(table["source"])
    there = [name for name in words if ("paper" if name == "paper" else "ours") in sources]
    handles = [Line2D([], [], label=words[name], **_STYLES[name]) for name in there]
    legend_below(figure, handles, 3)
    return figure


def _draw(ax: Axes, values: pd.Series, style: str) -> None:
    """The share of values at or below each: steps from 0 to 1."""
    if len(values):
        ax.ecdf(values, zorder={"each": 1, "ours": 3, "paper": 4}[style], **_STYLES[style])


def _scale_losses(ax: Axes, values: pd.Series) -> None:
    """Linear up to one point, logarithmic beyond, as in the other figures of losses."""
    ax.set_xscale("symlog", linthresh=LINEAR, linscale=1.0)
    low = 1.3 * min(float(values.min()), -LINEAR)
    high = 1.3 * max(float(values.max()), 2 * LINEAR)
    ax.set_xlim(low, high)
    ticks = ticks_between(low, high, _TICKS)
    ax.set_xticks(ticks, [number(t, int(t != int(t))) for t in ticks])
    ax.minorticks_off()
