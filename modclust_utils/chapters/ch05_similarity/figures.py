"""Figures of chapter 5 about sweeps of regularization: tables of the chapter in, figures out."""

from __future__ import annotations

from collections.abc import Callable, Sequence
from typing import Any

import numpy as np
import pandas as pd
import scipy.stats
from matplotlib.axes import Axes
from matplotlib.figure import Figure
from matplotlib.lines import Line2D
from matplotlib.patches import Patch

from modclust_utils.chapters.ch05_similarity.tables import (
    SWEEPS,
    UNTRAINED,
)
from modclust_utils.figures.style import (
    INK,
    NULL_COLOR,
    SHUFFLES_COLOR,
    legend_below,
    new_figure,
    styled,
)
from modclust_utils.recipes.frames import shown_figure

#: A measure's words and colour, one through the whole chapter: cool upstream, warm downstream.
MEASURES: dict[str, tuple[str, str]] = {
    "covariance": ("covariance", "#1F4E9E"),
    "input_sensitivity": ("input sensitivity", "#2FA4A0"),
    "loss_hessian": ("loss Hessian", "#CC4A1F"),
    "output_sensitivity": ("output sensitivity", "#B07A00"),
}
PLAIN_COLOR = "#7A7A7A"
_AXES = {"L2": "L2 penalty", "L1": "L1 penalty", "dropout": "dropout rate"}
# Apart from those of the measures: one colour is one thing.
_SWEEP_COLORS = {UNTRAINED: SHUFFLES_COLOR, "L2": "#B06BE8", "L1": "#6B2A10", "dropout": "#D6458F"}
_PERFORMANCE_COLOR = "#3C2A5E"

#: Intervals of a sample, the widest first.
Bands = Callable[[pd.Series], list[tuple[float, float]]]


def _mean_and_deviation(values: pd.Series) -> list[tuple[float, float]]:
    return [(values.mean() - values.std(), values.mean() + values.std())]


def _sigma_quantiles(values: pd.Series) -> list[tuple[float, float]]:
    """The quantiles that 3, 2 and 1 standard deviations of a normal distribution have."""
    tails = (scipy.stats.norm.sf(sigma) for sigma in (3, 2, 1))
    return [(values.quantile(tail), values.quantile(1 - tail)) for tail in tails]


@shown_figure
@styled
def modularity(scores: pd.DataFrame, layer: int | None = None) -> Figure:
    """Q* over each sweep, a row for each measure (paper C, Figure 3; of one layer: Figure S3)."""
    words = "modularity Q*"
    return _measures_by_sweep(_of_layer(scores, layer), "q", words, _mean_and_deviation)


@shown_figure
@styled
def number_of_clusters(scores: pd.DataFrame, layer: int | None = None) -> Figure:
    """The number of clusters over each sweep; bands are quantiles of untrained networks (S4)."""
    table = _of_layer(scores.dropna(subset=["q"]), layer)
    return _measures_by_sweep(table, "n_clusters", "clusters", _sigma_quantiles)


@shown_figure
@styled
def above_null(scores: pd.DataFrame) -> Figure:
    """By how much Q* lies above that of a null with the same strengths, over each sweep."""
    table = scores.assign(above=scores["q"] - scores["q_null"])
    return _measures_by_sweep(table, "above", "Q* – null", _mean_and_deviation)


def _of_layer(scores: pd.DataFrame, layer: int | None) -> pd.DataFrame:
    return scores if layer is None else scores[scores["layer"] == layer]


def _measures_by_sweep(scores: pd.DataFrame, column: str, words: str, bands: Bands) -> Figure:
    """Networks as thin lines (a seed each), their mean and standard error thick, and the untrained
    as a band: normalized similarities in the measure's colour, plain ones in gray."""
    figure = new_figure(1.3 * len(MEASURES) + 0.7)
    labels = [f"{name}\n{words}" for name, _ in MEASURES.values()]
    for measure, places in zip(MEASURES, _panels(figure, scores, labels), strict=True):
        for sweep, ax in places:
            for normalized, shade in ((False, PLAIN_COLOR), (True, MEASURES[measure][1])):
                same = (scores["measure"] == measure) & (scores["normalized"] == normalized)
                own = scores[same & scores["kept"]].groupby(["sweep", "strength", "seed"])[column]
                _sweep(ax, own.mean().dropna(), sweep, shade, bands)
    handles: list[Any] = [Line2D([], [], color=PLAIN_COLOR, linewidth=2, label="plain")]
    handles += [
        Line2D([], [], color=color, linewidth=2, label=f"{name}, normalized")
        for name, color in MEASURES.values()
    ]
    handles.append(Patch(color=SHUFFLES_COLOR, alpha=0.4, label="untrained"))
    legend_below(figure, handles, 3)
    return figure


def _panels(
    figure: Figure, table: pd.DataFrame, labels: Sequence[str]
) -> list[list[tuple[str, Axes]]]:
    """A row of axes for each label, one for each sweep of the table, with the sweep's name."""
    sweeps = [s for s in SWEEPS.values() if (table["sweep"] == s).any()]
    panels = figure.subplots(len(labels), len(sweeps), sharex="col", sharey="row", squeeze=False)
    for ax, label in zip(panels[:, 0], labels, strict=True):
        ax.set_ylabel(label)
    for sweep, column in zip(sweeps, panels.T, strict=True):
        column[-1].set_xlabel(_AXES[sweep])
        if sweep != "dropout":
            column[-1].set_xscale("log")  # of the whole column, which shares it
    return [[*zip(sweeps, row, strict=True)] for row in panels]


def _sweep(ax: Axes, values: pd.Series, sweep: str, color: str, bands: Bands) -> None:
    """values: by sweep, strength and seed."""
    levels = values.index.get_level_values("sweep")
    fresh = values[levels == UNTRAINED]
    if len(fresh) > 1:
        for ends in bands(fresh):
            ax.axhspan(*ends, color=color, alpha=0.13, linewidth=0, zorder=0)
    own = values[levels == sweep]
    if own.empty:
        return
    wide = own.droplevel("sweep").unstack("seed")
    ax.plot(wide.index, wide.to_numpy(), color=color, linewidth=0.5, alpha=0.35)
    mean, error = wide.mean(axis=1), wide.sem(axis=1).fillna(0.0)
    ax.errorbar(wide.index, mean, error, color=color, linewidth=1.8, elinewidth=1.0)


@shown_figure
@styled
def performance(networks: pd.DataFrame) -> Figure:
    """Accuracy, loss and sparsity over each sweep (paper C, Figure S1)."""
    rows = {
        "test_accuracy": "test accuracy",
        "test_loss": "test loss",
        "sparsity": "weights within ± 0.001",
    }
    figure = new_figure(1.6 * len(rows) + 0.5)
    for column, places in zip(rows, _panels(figure, networks, [*rows.values()]), strict=True):
        values = networks.set_index(["sweep", "strength", "seed"])[column]
        for sweep, ax in places:
            _sweep(ax, values, sweep, _PERFORMANCE_COLOR, _mean_and_deviation)
    handles = [
        Line2D([], [], color=INK, linewidth=2, label="mean and standard error"),
        Line2D([], [], color=INK, linewidth=0.5, label="one seed"),
        Patch(color=SHUFFLES_COLOR, alpha=0.4, label="untrained: mean ± sd"),
    ]
    legend_below(figure, handles, 3)
    return figure


@shown_figure
@styled
def searches(scores: pd.DataFrame, leiden: pd.DataFrame) -> Figure:
    """Q* of the whole search against its spectral start, a search from one cluster (paper C, Figure
    S2), and the Leiden algorithm. leiden: the scores of that search."""
    others = [
        ("Q of the spectral start", scores["q_start"]),
        ("Q* from a single cluster", scores["q_single"]),
        ("Q* of Leiden", leiden["q"]),
    ]
    figure = new_figure(3.0)
    panels = figure.subplots(1, len(others), sharey=True)
    for ax, (words, values) in zip(panels, others, strict=True):
        for measure, (name, color) in MEASURES.items():
            own = (scores["measure"] == measure).to_numpy()
            ax.scatter(
                values.to_numpy()[own],
                scores["q"].to_numpy()[own],
                s=3,
                color=color,
                alpha=0.35,
                linewidths=0,
                label=name,
                rasterized=True,
            )
        ends = np.nanmax(scores["q"]) * np.array([0.0, 1.05])
        ax.plot(ends, ends, color=INK, linewidth=0.8)
        ax.set_xlabel(words)
    panels[0].set_ylabel("Q* of the whole search")
    handles = [
        Line2D([], [], marker="o", linestyle="", color=color, label=name)
        for name, color in MEASURES.values()
    ]
    legend_below(figure, handles, 4)
    return figure


@shown_figure
@styled
def two_measures(table: pd.DataFrame) -> Figure:
    """Every network by both measures: modularity of its units and n-cut of its weights."""
    figure = new_figure(3.4)
    panels = figure.subplots(1, 2, sharey=True)
    for ax, column, words in (
        (panels[0], "ncut", "n-cut, lower is more clusterable"),
        (panels[1], "z_score", "z-score among shuffles, lower is more clusterable"),
    ):
        for sweep, color in _SWEEP_COLORS.items():
            own = table[(table["sweep"] == sweep) & table["kept"]]
            ax.scatter(own[column], own["q"], s=12, color=color, alpha=0.75, linewidths=0)
        ax.set_xlabel(words)
    panels[0].set_ylabel("Q*, mean over similarities")
    panels[1].axvline(0, color=NULL_COLOR, linewidth=0.8)
    handles = [
        Line2D([], [], marker="o", linestyle="", color=color, label=sweep)
        for sweep, color in _SWEEP_COLORS.items()
    ]
    legend_below(figure, handles, 4)
    return figure
