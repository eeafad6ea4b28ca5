"""The figures of the two nulls, `layer` and `layer-nonzero`: plain data in, a Figure out.

Topology alone (paper A, section 3.3 and appendix A.4), and the lattice of the printed p-values.
"""

from __future__ import annotations

import numpy as np
import pandas as pd
import seaborn as sns
from matplotlib.axes import Axes
from matplotlib.figure import Figure
from matplotlib.lines import Line2D
from matplotlib.patches import Patch
from matplotlib.ticker import NullLocator
from numpy.typing import ArrayLike, NDArray

from modclust_utils.figures.colors import CLUSTER_COLORS
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
    legend_below,
    marker_edge,
    ncut_label,
    new_figure,
    styled,
)
from modclust_utils.nulls import MODES
from modclust_utils.quantized import lattice_index
from modclust_utils.recipes.frames import only_k, shown_figure
from modclust_utils.stats import empirical_p_value
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


def check_values(table: pd.DataFrame, column: str, allowed: tuple[str, ...]) -> None:
    """Raises ValueError where `column` holds anything that is not in `allowed`."""
    other = [value for value in table[column] if value not in allowed]
    if other:
        words = " or ".join(map(repr, allowed))
        raise ValueError(f"{column}={other[0]!r} is not allowed: {words}")


def rows_only(ax: Axes, heights: ArrayLike, labels: list[str]) -> None:
    """Name the rows of a figure, first on top, and leave out what a vertical axis would draw."""
    ax.set_yticks(heights, labels)
    ax.set_ylim(heights[-1] + 0.55, heights[0] - 0.55)
    ax.grid(axis="y", visible=False)
    ax.tick_params(axis="y", length=0)
    ax.spines["left"].set_visible(False)


def _mode_patches() -> list[Patch]:
    return [
        Patch(color=MODE_STYLE[mode]["color"], label=MODE_STYLE[mode]["label"]) for mode in MODES
    ]


@styled
def two_nulls_figure(examples: Rows, *, n_clusters: int) -> Figure:
    """Networks among their shuffles of all, and of the non-zero weights (paper A, Figure 4).

    examples: rows with title, ncut, layer ``(n,)`` and layer_nonzero ``(n,)``, the n-cuts of the
    shuffles; a panel each, all with one n-cut axis and bars of one width.
    Raises ValueError for missing columns or shuffles that are no finite numbers.
    """
    samples = {"layer": "layer", "layer-nonzero": "layer_nonzero"}
    others = ["title", *samples.values()]
    examples = as_table(examples, "examples", others=others, numbers=["ncut"])
    nulls = {
        mode: [as_sample(values, column, 1) for values in examples[column]]
        for mode, column in samples.items()
    }
    edges = _bin_edges(np.concatenate([*nulls["layer"], *nulls["layer-nonzero"]]))
    columns = min(2, len(examples))
    rows = -(-len(examples) // columns)
    figure = new_figure(1.0 + 1.75 * rows)
    panels = figure.subplots(rows, columns, sharex=True, squeeze=False).ravel()
    for index, (ax, example) in enumerate(zip(panels, examples.itertuples(), strict=False)):
        p_values = []
        for mode in MODES:
            null, color = nulls[mode][index], MODE_STYLE[mode]["color"]
            ax.hist(null, edges, color=color, alpha=0.8, linewidth=0, histtype="stepfilled")
            p = empirical_p_value(example.ncut, null, tail="lower")
            p_values.append(f"{p:.2g} ({mode})")
        ax.axvline(example.ncut, color=NETWORK_COLOR, linewidth=2)
        ax.set_title(f"{example.title}\np = {', '.join(p_values)}", size=9)
        ax.set_ylabel("shuffles")
        ax.yaxis.get_major_locator().set_params(integer=True)
        ax.grid(axis="x", visible=False)
    for index, ax in enumerate(panels):
        if index >= len(examples):
            ax.set_visible(False)
        elif index + columns >= len(examples):
            ax.set_xlabel(ncut_label(n_clusters), size=8.5)
            ax.xaxis.set_tick_params(labelbottom=True)
    network = Line2D([], [], color=NETWORK_COLOR, linewidth=2, label="the network")
    legend_below(figure, [network, *_mode_patches()], 3)
    return figure


def _bin_edges(values: NDArray[np.float64]) -> NDArray[np.float64]:
    low, high = values.min(), values.max()
    margin = 0 if high > low else 0.01  # bars need a width even where all values are one
    return np.linspace(low - margin, high + margin, 61)


@styled
def violins_figure(table: Rows, title: str, *, n_clusters: int) -> Figure:
    """Both nulls of each network as a split violin (paper A, Figures A.2 to A.5).

    Left half `layer`, right half `layer-nonzero`, all halves equally wide; a cross at the network's
    n-cut. table: a row for each shuffle, columns network (whole number), ncut, mode, null_ncut.
    Raises ValueError for missing columns, another mode, a network without both, or with two n-cuts.
    """
    numbers = ["network", "ncut", "null_ncut"]
    table = as_table(table, "table", others=["mode"], numbers=numbers)
    check_values(table, "mode", MODES)
    networks = sorted(set(table["network"].astype(int)))
    ncuts = [_one_ncut(table[table["network"] == network], network) for network in networks]
    figure = new_figure(4.2)
    ax = figure.add_subplot()
    sns.violinplot(
        table, x="network", y="null_ncut", hue="mode", order=networks, hue_order=list(MODES),
        split=True, inner=None, cut=0, density_norm="width", width=0.85, linewidth=0.6,
        saturation=1, palette={mode: MODE_STYLE[mode]["color"] for mode in MODES},
        legend=False, ax=ax,
    )  # fmt: skip
    cross = {"marker": "X", "markersize": 9, "color": NETWORK_COLOR, "markeredgecolor": "white"}
    ax.plot(range(len(networks)), ncuts, linestyle="", zorder=5, **cross)
    ax.grid(axis="x", visible=False)
    ax.tick_params(axis="x", length=0)
    ax.set_xlabel("network")
    ax.set_ylabel(ncut_label(n_clusters))
    ax.set_title(title)
    network = Line2D([], [], linestyle="", label="the network", **cross)
    legend_below(figure, [network, *_mode_patches()], 3)
    return figure


def _one_ncut(rows: pd.DataFrame, network: int) -> float:
    missing = [mode for mode in MODES if mode not in set(rows["mode"])]
    if missing:
        raise ValueError(f"network {network} has no shuffles of mode {missing[0]!r}")
    ncuts = rows["ncut"].unique()
    if len(ncuts) > 1:
        raise ValueError(f"ncut={ncuts.tolist()} is not allowed for network {network}: one value")
    return float(ncuts[0])


@styled
def cohens_d_figure(table: Rows) -> Figure:
    """Cohen's d between the two nulls of every network (paper A, Figure A.1).

    Positive where shuffles that keep the topology have lower n-cuts. A panel for each phase, a row
    for each condition, ours above the paper's; the axis is linear up to ±1, logarithmic beyond.
    table: columns dataset, dropout (bool), phase ("before" or "after"), network, cohens_d, source
    ("ours" or "paper"). Raises ValueError for missing columns, another phase or source.
    """
    others = ["dataset", "dropout", "phase", "network", "source"]
    table = as_table(table, "table", others=others, numbers=["cohens_d"])
    check_values(table, "phase", PHASES)
    check_values(table, "source", SOURCES)
    phases = [phase for phase in PHASES if phase in set(table["phase"])]
    conditions = list(table.groupby(["dataset", "dropout"], sort=False).groups)
    figure = new_figure(1.4 + 0.55 * len(conditions))
    panels = figure.subplots(1, len(phases), sharex=True, sharey=True, squeeze=False).ravel()
    for phase, ax in zip(phases, panels, strict=True):
        shown = table[table["phase"] == phase]
        ax.axvline(0, color=NULL_COLOR, linewidth=1.2, zorder=1)
        for y, (dataset, dropout) in enumerate(conditions):
            mine = shown[(shown["dataset"] == dataset) & (shown["dropout"] == dropout)]
            for source, lane in zip(SOURCES, (y - 0.19, y + 0.19), strict=True):
                _draw_strip(ax, lane, mine[mine["source"] == source], source)
        ax.set_title(f"{phase} pruning", size=9)
        ax.set_xlabel("Cohen's d")
    _scale_d(panels[0], table["cohens_d"])
    names = [f"{dataset_name(dataset)}\n{dropout_name(dropout)}" for dataset, dropout in conditions]
    for ax in panels:
        rows_only(ax, np.arange(len(conditions)), names)
    title = "Cohen's d, layer − layer-nonzero; above 0, keeping the topology gives lower n-cuts"
    figure.suptitle(title, x=0.01, ha="left", size=10)
    dot = {"linestyle": "", "marker": "o", "markersize": 6, "markeredgecolor": INK}
    faces = {"ours": NULL_COLOR, "paper": "white"}
    handles = [
        Line2D([], [], markerfacecolor=faces[source], label=source, **dot)
        for source in SOURCES
        if source in set(table["source"])
    ]
    mean = Line2D([], [], linestyle="", marker="|", markersize=11, markeredgewidth=1.8, color=INK)
    mean.set_label("mean")
    legend_below(figure, [*handles, mean], 3)
    return figure


def _draw_strip(ax: Axes, y: float, networks: pd.DataFrame, source: str) -> None:
    """The d of the networks of one condition, phase and source, and their mean."""
    if len(networks) == 0:
        return
    row = networks.iloc[0]
    style = CONDITION_STYLE[bool(row["dropout"]), row["phase"]]
    d = np.sort(networks["cohens_d"].to_numpy(float))
    ax.scatter(
        d, y + np.resize(_HEIGHTS, len(d)), s=20, marker=style["marker"], zorder=3,
        facecolors=style["color"] if source == "ours" else "white",
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


@styled
def p_lattice_figure(
    p_values: ArrayLike, n_shuffles: int = 320, copies: int = 10, *, decimals: int = 3
) -> Figure:
    """Where printed p-values sit among all that n_shuffles independent shuffles could give.

    Above, how often each of 1 to n_shuffles + 1 comes as the p-value's numerator. Below, for those
    strictly between the smallest and the largest, which tell designs apart, the numerator less 1
    modulo `copies`, beside what independent shuffles would give on average.
    Raises ValueError as `lattice_index`, and where rounding leaves a numerator uncertain.
    """
    p_values = as_sample(p_values, "p_values", 1)
    half_width = (n_shuffles + 1) * 0.5 * 10.0**-decimals
    if half_width >= 0.5:
        raise ValueError(
            f"decimals={decimals} is not allowed for n_shuffles={n_shuffles}: "
            "enough to tell neighbouring p-values apart"
        )
    _, fits = lattice_index(p_values, n_shuffles=n_shuffles, copies=copies, decimals=decimals)
    numerators = np.rint(p_values * (n_shuffles + 1)).astype(int)
    figure = new_figure(5.0)
    above, below = figure.subplots(2, 1)
    _draw_numerators(above, numerators, n_shuffles, copies)
    above.set_title(
        f"Of {len(p_values)} printed p-values, {fits.sum()} have the form "
        f"({copies} m + 1) / {n_shuffles + 1}"
    )
    between = numerators[(numerators > 1) & (numerators <= n_shuffles)]
    _draw_remainders(below, between, n_shuffles, copies, half_width)
    return figure


def _draw_numerators(ax: Axes, numerators: NDArray[np.int_], n_shuffles: int, copies: int) -> None:
    lattice = np.arange(1, n_shuffles + 2, copies)
    for x in lattice:
        ax.axvline(x, color="#DDDDDD", linewidth=0.8, zorder=0)
    places, counts = np.unique(numerators, return_counts=True)
    outer = (places <= 1) | (places > n_shuffles)
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
    ax.set_xlim(1 - 0.02 * n_shuffles, 1 + 1.02 * n_shuffles)
    ax.set_xticks(lattice[:: max(1, len(lattice) // 8)])
    ax.grid(axis="x", visible=False)
    ax.set_ylabel("p-values")
    ax.set_xlabel(f"{n_shuffles + 1} × p-value (lines: 1, {1 + copies}, {1 + 2 * copies}, ...)")


def _draw_remainders(
    ax: Axes, between: NDArray[np.int_], n_shuffles: int, copies: int, half_width: float
) -> None:
    counts = np.bincount((between - 1) % copies, minlength=copies)
    possible = np.bincount(np.arange(1, n_shuffles) % copies, minlength=copies)
    expected = len(between) * possible / max(1, possible.sum())
    ax.bar(np.arange(copies), counts, 2 * half_width, color=CLUSTER_COLORS[0], label="printed")
    ax.hlines(
        expected, np.arange(copies) - 0.42, np.arange(copies) + 0.42, color=NETWORK_COLOR,
        linewidth=2, label=f"expected of {n_shuffles} independent shuffles",
    )  # fmt: skip
    ax.set_xticks(np.arange(copies))
    ax.grid(axis="x", visible=False)
    ax.set_ylabel("p-values")
    ax.set_xlabel(f"({n_shuffles + 1} × p-value − 1) modulo {copies}, ± what rounding leaves open")
    ax.set_title(f"The {len(between)} between the smallest and the largest possible p-value")
    ax.legend(loc="upper right")


@styled
def simulated_designs_figure(table: Rows, copies: int = 10) -> Figure:
    """How many shuffles lie below a network, modulo `copies`, under both designs of shuffles.

    table: columns remainder_independent, remainder_repeated, n_independent, n_repeated, a row for
    each test: that remainder, NaN where none or all of the shuffles lie below, which both designs
    can give, and the number of shuffles. The lines are what equally likely numbers between none and
    all would give. Raises ValueError for missing columns, or a remainder that is none.
    """
    designs = {
        "independent": ("independent shuffles", CLUSTER_COLORS[3]),
        "repeated": (f"shuffles counted {copies} times", CLUSTER_COLORS[1]),
    }
    columns = [f"remainder_{design}" for design in designs]
    sizes = [f"n_{design}" for design in designs]
    table = as_table(table, "table", others=columns, numbers=sizes)
    table = table.astype(dict.fromkeys(columns, float))
    figure = new_figure(2.6)
    panels = figure.subplots(1, 2, sharey=True)
    for ax, (design, (words, color)) in zip(panels, designs.items(), strict=True):
        column = f"remainder_{design}"
        remainders = table[column].dropna()
        bad = remainders[~remainders.isin(range(copies))]
        if len(bad):
            raise ValueError(f"{column}={bad.iloc[0]} is not allowed: 0 to {copies - 1}")
        counts = np.bincount(remainders.astype(int), minlength=copies)
        ax.bar(np.arange(copies), counts, 0.6, color=color)
        expected = np.zeros(copies)
        for n in table.loc[remainders.index, f"n_{design}"].astype(int):
            expected += np.bincount(np.arange(1, n) % copies, minlength=copies) / (n - 1)
        ends = np.arange(copies) - 0.42, np.arange(copies) + 0.42
        ax.hlines(expected, *ends, color=NETWORK_COLOR, linewidth=2)
        ax.set_xticks(np.arange(copies))
        ax.grid(axis="x", visible=False)
        ax.set_title(f"{len(remainders)} tests, {words}", size=9)
        ax.set_xlabel(f"shuffles below the network, modulo {copies}")
    panels[0].set_ylabel("tests")
    return figure


@styled
def significance_designs_figure(table: Rows) -> Figure:
    """Share of significant networks under both designs of shuffles, and the paper's (Prop. sig.).

    table: columns name, ours_independent (share at the smallest p-value of independent shuffles),
    ours_repeated (expected share under the design that repeats its shuffles), paper (NaN where it
    has none). Raises ValueError for missing columns or shares outside 0 to 1.
    """
    numbers = ["ours_independent", "ours_repeated"]
    table = as_table(table, "table", others=["name", "paper"], numbers=numbers)
    table = table.astype({"paper": float})
    for column in (*numbers, "paper"):
        bad = table[column].dropna().loc[lambda share: (share < 0) | (share > 1)]
        if len(bad):
            raise ValueError(f"{column}={bad.iloc[0]} is not allowed: 0 to 1")
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
    handles = [Line2D([], [], linestyle="", **style) for style in styles.values()]
    if table["paper"].isna().all():
        handles.pop()
    legend_below(figure, handles, 3)
    return figure


@shown_figure
def two_nulls(networks: pd.DataFrame, tests: pd.DataFrame, phase: str) -> Figure:
    """`two_nulls_figure` of the first network of each condition; networks: `tables.per_network`."""
    chosen = tests[tests["phase"] == phase]
    examples = []
    for (dataset, dropout), group in chosen.groupby(["dataset", "dropout"], sort=False):
        first = group[group["network"] == group["network"].iloc[0]].set_index("mode")
        nulls = {mode.replace("-", "_"): np.array(first.loc[mode, "null_ncuts"]) for mode in MODES}
        title = condition_name(str(dataset), bool(dropout))
        examples.append({"title": title, "ncut": first.loc["layer", "ncut"], **nulls})
    return two_nulls_figure(examples, n_clusters=only_k(tests))


@shown_figure
def violins(shuffles: pd.DataFrame, tests: pd.DataFrame, title: str) -> Figure:
    """`violins_figure` of `tables.shuffles_of`; tests: where they are from."""
    return violins_figure(shuffles, title, n_clusters=only_k(tests))


@shown_figure
def p_lattice(lattice: pd.DataFrame) -> Figure:
    """`p_lattice_figure` of `tables.lattice`."""
    return p_lattice_figure(lattice["p_value"])


cohens_d = shown_figure(cohens_d_figure)
simulated_designs = shown_figure(simulated_designs_figure)
designs = shown_figure(significance_designs_figure)
