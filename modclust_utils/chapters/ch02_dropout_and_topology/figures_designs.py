"""Figures of the two designs of a test: the printed p-values, and what ours would be like."""

from __future__ import annotations

import numpy as np
import pandas as pd
from matplotlib.axes import Axes
from matplotlib.figure import Figure
from matplotlib.lines import Line2D
from matplotlib.ticker import NullLocator
from numpy.typing import NDArray

from modclust_utils.chapters.ch02_dropout_and_topology.designs import COPIES
from modclust_utils.chapters.ch02_dropout_and_topology.figures import NETWORK_COLOR
from modclust_utils.figures.colors import CLUSTER_COLORS
from modclust_utils.figures.style import (
    INK,
    NULL_COLOR,
    PAPER_MARKER,
    legend_below,
    new_figure,
    rows_only,
    styled,
)
from modclust_utils.recipes.frames import shown_figure
from modclust_utils.tables import N_SHUFFLES

_LAST = N_SHUFFLES + 1


@shown_figure
@styled
def p_lattice(table: pd.DataFrame) -> Figure:
    """Where printed p-values sit among all that 320 independent shuffles could give.

    Above, how often each of 1 to 321 comes as the p-value's numerator. Below, for those strictly
    between the smallest and the largest, which tell designs apart, the numerator less 1 modulo ten,
    beside what independent shuffles would give on average. table: `designs.lattice`.
    """
    numerators = np.rint(table["p_value"].to_numpy() * _LAST).astype(int)
    figure = new_figure(4.4)
    above, below = figure.subplots(2, 1)
    _draw_numerators(above, numerators)
    above.set_title(
        f"Of {len(table)} printed p-values, {table['fits'].sum()} have the form "
        f"({COPIES} m + 1) / {_LAST}"
    )
    _draw_remainders(below, numerators[(numerators > 1) & (numerators < _LAST)])
    return figure


def _draw_numerators(ax: Axes, numerators: NDArray[np.int_]) -> None:
    lattice = np.arange(1, _LAST + 1, COPIES)
    for x in lattice:
        ax.axvline(x, color="#DDDDDD", linewidth=0.8, zorder=0)
    places, counts = np.unique(numerators, return_counts=True)
    outer = (places <= 1) | (places >= _LAST)
    for chosen, color in ((outer, NULL_COLOR), (~outer, CLUSTER_COLORS[0])):
        ax.vlines(places[chosen], 0.5, counts[chosen], color=color, linewidth=2.5, zorder=2)
        ax.plot(places[chosen], counts[chosen], "o", color=color, markersize=5, zorder=3)
    for x, count in zip(places[outer], counts[outer], strict=True):
        side, away = ("left", 5) if x <= 1 else ("right", -5)
        ax.annotate(
            f"{count}, possible in every design", (x, count), (away, 4),
            textcoords="offset points", ha=side, va="bottom", size=8.5,
        )  # fmt: skip
    ax.set_yscale("log")
    ax.set_ylim(0.7, 2.5 * counts.max())
    ax.yaxis.set_major_formatter(lambda value, _: f"{value:g}")
    ax.yaxis.set_minor_locator(NullLocator())
    ax.set_xlim(1 - 0.02 * N_SHUFFLES, 1 + 1.02 * N_SHUFFLES)
    ax.set_xticks(lattice[:: len(lattice) // 8])
    ax.grid(axis="x", visible=False)
    ax.set_ylabel("p-values")
    ax.set_xlabel(f"{_LAST} × p-value (lines: 1, {1 + COPIES}, {1 + 2 * COPIES}, ...)")


def _draw_remainders(ax: Axes, between: NDArray[np.int_]) -> None:
    counts = np.bincount((between - 1) % COPIES, minlength=COPIES)
    expected = len(between) * _remainders(N_SHUFFLES)
    half_width = 0.0005 * _LAST  # of a rounded p-value
    ax.bar(np.arange(COPIES), counts, 2 * half_width, color=CLUSTER_COLORS[0], label="printed")
    _draw_expected(ax, expected, label=f"expected of {N_SHUFFLES} independent shuffles")
    ax.set_ylabel("p-values")
    ax.set_xlabel(f"({_LAST} × p-value − 1) modulo {COPIES}, ± what rounding leaves open")
    ax.set_title(f"The {len(between)} between the smallest and the largest possible p-value")
    ax.legend(loc="upper right")


def _remainders(n_shuffles: int) -> NDArray[np.float64]:
    """Shares of the remainders modulo ten, were 1 to n_shuffles - 1 equally likely."""
    return np.bincount(np.arange(1, n_shuffles) % COPIES, minlength=COPIES) / (n_shuffles - 1)


def _draw_expected(ax: Axes, expected: NDArray[np.float64], **label: str) -> None:
    places = np.arange(COPIES)
    ax.hlines(expected, places - 0.42, places + 0.42, color=NETWORK_COLOR, linewidth=2, **label)
    ax.set_xticks(places)
    ax.grid(axis="x", visible=False)


@shown_figure
@styled
def simulated(table: pd.DataFrame) -> Figure:
    """How many shuffles lie below a network, modulo ten, under both designs of shuffles.

    table: `designs.simulated`. The lines are what equally likely numbers between none and all would
    give.
    """
    figure = new_figure(2.6)
    panels = figure.subplots(1, 2, sharey=True)
    for ax, design, words, color in (
        (panels[0], "independent", "independent shuffles", CLUSTER_COLORS[3]),
        (panels[1], "repeated", f"shuffles counted {COPIES} times", CLUSTER_COLORS[1]),
    ):
        rows = table[table[f"remainder_{design}"].notna()]
        counts = np.bincount(rows[f"remainder_{design}"].astype(int), minlength=COPIES)
        expected = sum(map(_remainders, rows[f"n_{design}"]), start=np.zeros(COPIES))
        ax.bar(np.arange(COPIES), counts, 0.6, color=color)
        _draw_expected(ax, expected)
        ax.set_title(f"{len(rows)} tests, {words}", size=9)
        ax.set_xlabel(f"shuffles below the network, modulo {COPIES}")
    panels[0].set_ylabel("tests")
    return figure


@shown_figure
@styled
def significance(table: pd.DataFrame) -> Figure:
    """Share of significant networks under both designs of shuffles, and the paper's (Prop. sig.).

    table: rows of `designs.significance`.
    """
    figure = new_figure(1.4 + 0.36 * len(table))
    ax = figure.add_subplot()
    styles = {
        "ours_independent": {
            "marker": "o", "color": CLUSTER_COLORS[3], "label": "ours, independent shuffles"
        },
        "ours_repeated": {
            "marker": "s", "color": CLUSTER_COLORS[1], "label": "ours, repeated shuffles (expected)"
        },
        "paper": {"color": INK, "label": "paper, as printed", **PAPER_MARKER},
    }  # fmt: skip
    heights = np.arange(len(table))
    shares = table[list(styles)]
    ax.hlines(heights, shares.min(axis=1), shares.max(axis=1), color="#BBBBBB", linewidth=1)
    for (column, style), lane in zip(styles.items(), (-0.2, 0.0, 0.2), strict=True):
        ax.plot(shares[column], heights + lane, linestyle="", clip_on=False, zorder=3, **style)
    rows_only(ax, heights, list(table["name"]))
    ax.set_xlim(-0.02, 1.02)
    ax.set_xlabel("Prop. sig.: share of networks below all their shuffles")
    there = [style for column, style in styles.items() if shares[column].notna().any()]
    legend_below(figure, [Line2D([], [], linestyle="", **style) for style in there], 3)
    return figure
