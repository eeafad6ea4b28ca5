"""Figures of chapter 5 about clusters: similarity matrices, agreement, and a network by hand."""

from __future__ import annotations

import itertools
from collections.abc import Sequence

import numpy as np
import pandas as pd
from matplotlib.axes import Axes
from matplotlib.colors import TwoSlopeNorm, to_hex
from matplotlib.figure import Figure
from numpy.typing import NDArray

from modclust_utils.chapters.ch05_similarity.figures import MEASURES
from modclust_utils.chapters.ch05_similarity.tables import SIMILARITIES, SWEEPS, UNTRAINED
from modclust_utils.figures.cells import text_color_on
from modclust_utils.figures.style import INK, TICK_SIZE, new_figure, sentence_figure, styled
from modclust_utils.recipes.frames import shown_figure

_SHORT = {
    "covariance": "cov",
    "input_sensitivity": "input",
    "loss_hessian": "Hessian",
    "output_sensitivity": "output",
}
#: Names of the eight similarities along a matrix; a dash marks the normalized ones.
NAMES = tuple(_SHORT[measure] + ("′" if normalized else "") for measure, normalized in SIMILARITIES)


@shown_figure
@styled
def examples(drawn: pd.DataFrame) -> Figure:
    """Similarities sorted by cluster, brighter is more alike (paper C, Figure 3, top row).

    drawn: `tables.drawn_matrices`: network (its words), measure, q, matrix ``(n, n)`` and labels.
    """
    names = list(dict.fromkeys(drawn["network"]))
    figure = new_figure(1.95 * len(names) + 0.3)
    panels = figure.subplots(len(names), len(MEASURES), squeeze=False)
    for (name, measure), ax in zip(itertools.product(names, MEASURES), panels.ravel(), strict=True):
        (row,) = drawn[(drawn["network"] == name) & (drawn["measure"] == measure)].itertuples()
        _sorted_matrix(ax, row.matrix, row.labels)
        words = MEASURES[measure][0] if name == names[0] else ""
        ax.set_title(f"{words}\nQ* = {row.q:.3f}".strip(), size=TICK_SIZE)
        if measure == next(iter(MEASURES)):
            ax.set_ylabel(name)
    return figure


def _sorted_matrix(ax: Axes, matrix: NDArray[np.float64], labels: NDArray[np.int64]) -> None:
    order = np.argsort(np.where(labels < 0, labels.max() + 1, labels), kind="stable")
    shown = matrix[np.ix_(order, order)].copy()
    np.fill_diagonal(shown, np.nan)
    top = np.nanquantile(shown, 0.99)
    ax.imshow(shown, cmap="magma", vmin=0, vmax=top if top > 0 else 1, interpolation="nearest")
    for edge in np.flatnonzero(np.diff(labels[order])) + 0.5:
        ax.axhline(edge, color="white", linewidth=0.6)
        ax.axvline(edge, color="white", linewidth=0.6)
    ax.set_xticks([])
    ax.set_yticks([])
    ax.grid(visible=False)


@shown_figure
@styled
def agreement(agreement: pd.DataFrame) -> Figure:
    """How alike the clusters of two similarities are, before and after training (C, Figure 4)."""
    kept = agreement[agreement["kept"]]
    fresh = kept["sweep"] == UNTRAINED
    if fresh.all() or not fresh.any():
        return sentence_figure("This run has no networks of both kinds, trained and untrained.")
    trained, untrained = mean_matrix(kept[~fresh]), mean_matrix(kept[fresh])
    figure = new_figure(3.2)
    panels = figure.subplots(1, 3, sharey=True)
    for ax, values, title in (
        (panels[0], trained, "trained"),
        (panels[1], untrained, "untrained"),
        (panels[2], trained - untrained, "difference"),
    ):
        _agreement(ax, values, difference=title == "difference")
        _written(ax, values)
        ax.set_title(title)
        ax.set_xticks(range(len(NAMES)), NAMES, rotation=90)
    panels[0].set_yticks(range(len(NAMES)), NAMES)
    return figure


def mean_matrix(agreement: pd.DataFrame) -> NDArray[np.float64]:
    """Mean agreement of the eight similarities ``(8, 8)``, 1 on the diagonal."""
    matrix = np.eye(len(SIMILARITIES))
    for (a, b), value in agreement.groupby(["a", "b"])["similarity"].mean().items():
        matrix[a, b] = matrix[b, a] = value
    return matrix


def _agreement(ax: Axes, values: NDArray[np.float64], *, difference: bool) -> None:
    scale = {"norm": TwoSlopeNorm(0, -0.5, 0.5)} if difference else {"vmin": 0, "vmax": 1}
    ax.imshow(values, cmap="RdBu_r" if difference else "viridis", **scale)
    half = len(SIMILARITIES) / 2 - 0.5
    for line in (ax.axhline, ax.axvline):
        line(half, color=INK if difference else "white", linewidth=1.0)
    ax.grid(visible=False)
    ax.set_xticks([])
    ax.set_yticks([])


def _written(ax: Axes, values: NDArray[np.float64]) -> None:
    """Write the values of the lower half, in hundredths."""
    (image,) = ax.images
    for i, j in itertools.combinations(range(len(values)), 2):
        color = text_color_on(to_hex(image.cmap(image.norm(values[j, i]))))
        words = f"{100 * values[j, i]:z.0f}".replace("-", "–")
        ax.text(i, j, words, ha="center", va="center", size=TICK_SIZE, color=color)


@shown_figure
@styled
def agreement_by_strength(agreement: pd.DataFrame, *, beyond_untrained: bool = False) -> Figure:
    """The same for each strength of regularization, weak to strong (paper C, Figure S5).

    beyond_untrained: as differences to untrained networks.
    """
    kept = agreement[agreement["kept"]]
    sweeps = [s for s in SWEEPS.values() if (kept["sweep"] == s).any()]
    strengths = {s: sorted(set(kept.loc[kept["sweep"] == s, "strength"])) for s in sweeps}
    fresh = mean_matrix(kept[kept["sweep"] == UNTRAINED]) if beyond_untrained else 0.0
    columns = max(map(len, strengths.values()))
    figure = new_figure(0.1 + len(sweeps) * (0.3 + 6.3 / max(columns, 7)))
    panels = figure.subplots(len(sweeps), columns, squeeze=False)
    for row, sweep in zip(panels, sweeps, strict=True):
        for ax in row:
            ax.set_axis_off()
        for ax, strength in zip(row, strengths[sweep], strict=False):
            ax.set_axis_on()
            own = kept[(kept["sweep"] == sweep) & (kept["strength"] == strength)]
            _agreement(ax, mean_matrix(own) - fresh, difference=beyond_untrained)
            power = f"$10^{{{np.log10(strength):.2g}}}$"
            words = f"{strength:.2g}" if sweep == "dropout" else power
            ax.set_title(words, size=TICK_SIZE, loc="center")
        row[0].set_ylabel(sweep)
    return figure


@shown_figure
@styled
def tiny(pairs: pd.DataFrame, weights: Sequence[NDArray[np.float64]]) -> Figure:
    """A network by hand: its weights, and how alike its units are by two measures.

    pairs: `tables.tiny_pairs`; weights: two matrices in torch layout.
    """
    figure = new_figure(2.9)
    network, *matrices = figure.subplots(1, 3, width_ratios=[1.5, 1, 1])
    _draw_network(network, weights)
    for ax, measure, title in (
        (matrices[0], "input_sensitivity", "driven by: input sensitivity"),
        (matrices[1], "output_sensitivity", "drives: output sensitivity"),
    ):
        n = weights[0].shape[0]
        values = pairs.set_index(["i", "j"])[measure].unstack().to_numpy()
        image = ax.imshow(values, cmap="Blues", vmin=0, vmax=1.4 * values.max())
        for i, j in itertools.product(range(n), repeat=2):
            color = text_color_on(to_hex(image.cmap(image.norm(values[i, j]))))
            ax.text(j, i, f"{values[i, j]:g}", ha="center", va="center", color=color)
        ax.set_title(title, size=TICK_SIZE)
        ax.set_xticks(range(n), range(1, n + 1))
        ax.set_yticks(range(n), range(1, n + 1))
        ax.grid(visible=False)
    return figure


def _draw_network(ax: Axes, weights: Sequence[NDArray[np.float64]]) -> None:
    sizes = [weights[0].shape[1], *(w.shape[0] for w in weights)]
    heights = [np.linspace(1, -1, n) * (n - 1) / max(sizes) for n in sizes]
    for layer, matrix in enumerate(weights):
        for (to, start), weight in np.ndenumerate(matrix):
            if weight != 0:
                x, y = [layer, layer + 1], [heights[layer][start], heights[layer + 1][to]]
                ax.plot(x, y, color=INK, linewidth=0.9 * abs(weight), zorder=1)
                # a quarter of the way from the hidden unit, where edges are apart
                share = 0.68 if layer == 0 else 0.32
                place = [a + share * (b - a) for a, b in (x, y)]
                ax.text(
                    *place, f"{weight:g}", ha="center", va="center", size=TICK_SIZE,
                    bbox={"boxstyle": "round,pad=0.12", "facecolor": "white", "linewidth": 0},
                )  # fmt: skip
    for layer, (column, words) in enumerate(
        zip(heights, ("inputs", "units", "outputs"), strict=True)
    ):
        ax.scatter(np.full(len(column), layer), column, s=240, color="white", edgecolor=INK)
        for i, y in enumerate(column):
            ax.text(layer, y, str(i + 1), ha="center", va="center", zorder=4)
        ax.text(layer, 1.05, words, ha="center", va="bottom")
    ax.set_xlim(-0.25, len(weights) + 0.25)
    ax.set_ylim(-1.05, 1.25)
    ax.set_axis_off()
