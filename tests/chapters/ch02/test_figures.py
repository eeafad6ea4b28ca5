"""Figures of chapter 2 hold their tables, and know k and the records from them."""

from __future__ import annotations

import functools

import numpy as np
import pandas as pd
import pytest
from drawn import drawn_texts, fits_and_leaves_no_trace, legend_texts
from figures.test_colors import VISION, distances, lightness, linear_rgb, oklab
from made_up_nulls import PLACES, control_frames, frames, mixture_frames
from matplotlib.axes import Axes
from matplotlib.backends.backend_agg import FigureCanvasAgg
from matplotlib.collections import LineCollection, PathCollection, PolyCollection
from matplotlib.colors import to_hex
from matplotlib.figure import Figure
from matplotlib.lines import Line2D
from small_book import make_network
from small_book import printed as as_printed

from modclust_utils.chapters.ch02_dropout_and_topology import (
    designs,
    figures,
    figures_controls,
    figures_designs,
    printed,
    tables,
)
from modclust_utils.chapters.ch02_dropout_and_topology.figures import MODE_STYLE, NETWORK_COLOR
from modclust_utils.datasets.papers import paper_table
from modclust_utils.figures.style import CONDITION_STYLE
from modclust_utils.recipes.frames import trace_of

NAN = np.nan
FACTS = paper_table("filan2020_text")
KINDS = (("mnist", False), ("mnist", True), ("cifar10", True))
NULLS = {"layer": np.linspace(2.0, 2.1, 20), "layer-nonzero": np.linspace(1.9, 2.0, 24)}
NCUTS = (1.95, 1.8, 2.2)


def both_nulls(k: int = 4) -> tuple[pd.DataFrame, pd.DataFrame]:
    """Three networks of each kind, the first with these n-cuts, and their tests."""
    networks = [make_network(*kind, seed) for kind in KINDS for seed in (0, 1, 10)]
    ncuts = [ncut + shift for ncut in NCUTS for shift in (0, 0.01, 0.02)]
    found = {(phase, mode): [(n, NULLS[mode].tolist()) for n in ncuts] for phase, mode in PLACES}
    networks, tests = frames(networks, found, k)
    return tables.per_network(networks, tests), tests


BY_NETWORK, _ = both_nulls()
AFTER = BY_NETWORK[BY_NETWORK["phase"] == "after"]
EFFECT_SIZES = as_printed(
    pd.DataFrame(
        [
            (dataset, dropout, phase, network, (1 if phase == "before" else 10) * d, source)
            for dataset, dropout in KINDS
            for phase in ("after", "before")
            for source in ("paper", "ours")
            for network, d in enumerate((-0.2, 0.1, 2.5))
            if not (dataset == "cifar10" and source == "ours")
        ],
        columns=["dataset", "dropout", "phase", "network", "cohens_d", "source"],
    )
)
SHARES = as_printed(
    pd.DataFrame(
        {
            "name": ["MNIST, no dropout", "MNIST, with dropout", "my data"],
            "ours_independent": [0.5, 1.0, 0.0],
            "ours_repeated": [0.65, 1.0, 0.05],
            "paper": [0.7, 1.0, NAN],
        }
    )
)
SIMULATED = as_printed(
    pd.DataFrame(
        {
            **{"remainder_independent": [3, 3, 0, 9, NAN], "n_independent": 21},
            **{"remainder_repeated": [0, 0, NAN, NAN, NAN], "n_repeated": 20},
        }
    )
)
DIFFERENCES = as_printed(
    pd.DataFrame(
        [
            ("fashion_mnist", "after", "paper", -0.153, -0.178, -0.129),
            ("fashion_mnist", "before", "ours", -0.027, -0.034, -0.021),
            ("mnist", "before", "ours", -0.16, -0.2, -0.1),
            ("mnist", "after", "paper", 0.02, -0.01, 0.05),
        ],
        columns=["dataset", "phase", "source", "difference", "low", "high"],
    )
)
NO_PAPER = dict.fromkeys(
    [f"paper_{phase}_{number}" for phase in ("before", "after") for number in ("mean", "std")], NAN
)
TRAINING = as_printed(
    pd.DataFrame(
        {
            "role": ["unlearnable", "unlearnable", "kilo-epoch"],
            "dataset": ["random", "random", "random4k"],
            "dropout": [False, True, True],
            "epochs": [20, 20, 1000],
            "before": [[2.34, 2.30, 2.38], [2.32, 2.31], [2.33, 2.34]],
            "after": [[2.09, 2.08, 2.10], [2.05, 2.04], [2.06, 2.07]],
            "null_mean": [2.081, 2.061, 2.05],
            "null_std": [0.014, 0.015, 0.01],
            "paper_before_mean": [2.338, 2.323, NAN],
            "paper_before_std": [0.030, 0.020, NAN],
            "paper_after_mean": [2.093, 2.053, NAN],
            "paper_after_std": [0.023, 0.015, NAN],
        }
    )
)
MIXTURES = as_printed(
    pd.DataFrame(
        [
            ("lines", False, 2, 1.59, 1.55, 1.63, 1.599, 0.049),
            ("lines", True, 2, 1.16, 1.13, 1.19, 1.144, 0.036),
            ("mnist5k", False, 2, 1.77, 1.74, 1.80, NAN, NAN),
            ("lines_mnist", True, 0, NAN, NAN, NAN, 1.272, 0.056),
        ],
        columns=[
            *("dataset", "dropout", "n", "ncut_mean", "ncut_low", "ncut_high"),
            *("paper_ncut_mean", "paper_ncut_std"),
        ],
    )
)


def violins(k: int = 4):
    return figures.violins(*both_nulls(k), dropout=False, phase="after")


DRAW = {
    "two nulls": lambda k=4: figures.two_nulls(AFTER, both_nulls(k)[1]),
    "violins": violins,
    "training": lambda k=4: figures_controls.training_alone(
        TRAINING, control_frames(k=k)[2], FACTS
    ),
    "mixtures": lambda k=4: figures_controls.mixtures(MIXTURES, mixture_frames(k)[1]),
    "effect sizes": lambda: figures.cohens_d(EFFECT_SIZES),
    "lattice": lambda: figures_designs.p_lattice(designs.lattice(printed.networks())),
    "simulated": lambda: figures_designs.simulated(SIMULATED),
    "shares": lambda: figures_designs.significance(SHARES),
    "dropout": lambda: figures_controls.dropout_effect(DIFFERENCES),
}


@functools.cache
def drawn(name: str) -> Figure:
    """The figure, for tests that only look at it."""
    return DRAW[name]().content


@pytest.mark.parametrize("name", DRAW)
def test_figures_fit_the_page_and_leave_no_trace(name):
    fits_and_leaves_no_trace(lambda: DRAW[name]().content)


@pytest.mark.parametrize("name", ["two nulls", "violins", "training", "mixtures"])
def test_axes_name_the_k_of_the_data(name):
    figure = DRAW[name](7).content
    texts = [text.get_text() for ax in figure.axes for text in drawn_texts(ax) if ax.get_visible()]
    assert [text for text in texts if text.startswith("n-cut (k = 7)")]
    assert not [text for text in texts if "k = 4" in text]


def test_figures_know_the_records_of_their_tests():
    networks, tests = both_nulls()
    shown = figures.violins(networks, tests, dropout=False, phase="before")
    assert shown.trace.records == trace_of(networks, tests).records
    assert set(shown.data["network"]) == {0, 1, 10}
    shown = figures.two_nulls(AFTER, tests)
    assert shown.data.columns.tolist() == [c for c in AFTER if c not in {"layer", "layer_nonzero"}]


@pytest.mark.parametrize("name", sorted(DRAW.keys() - {"lattice", "simulated"}))
def test_legends_stand_below_and_cover_nothing(name):
    figure = drawn(name)
    renderer = FigureCanvasAgg(figure).get_renderer()
    (legend,) = figure.legends
    top = legend.get_window_extent(renderer).y1
    assert all(top <= ax.get_tightbbox(renderer).y0 + 1 for ax in figure.axes if ax.get_visible())


@pytest.mark.parametrize("vision", VISION)
def test_the_nulls_and_the_network_are_told_apart(vision):
    colors = (*(style["color"] for style in MODE_STYLE.values()), NETWORK_COLOR)
    seen = np.clip(linear_rgb(colors) @ VISION[vision].T, 0, 1)
    assert distances(oklab(seen)).min() >= 0.14
    assert distances(lightness(colors)).min() >= 10
    layer, nonzero, _ = lightness(colors)
    assert layer - nonzero >= 25


def row_names(ax: Axes) -> list[str]:
    return [label.get_text() for label in ax.get_yticklabels()]


def dots(ax: Axes) -> list[tuple[str, list[float], float]]:
    """Fill colour, sorted x and mean height of each group of dots."""
    return [
        (to_hex(c.get_facecolors()[0]).upper(), sorted(c.get_offsets()[:, 0]),
         float(np.mean(c.get_offsets()[:, 1])))
        for c in ax.collections
        if isinstance(c, PathCollection)
    ]  # fmt: skip


def segments(ax: Axes) -> list[np.ndarray]:
    """Ends of the lines that are drawn as one collection."""
    return [s for c in ax.collections if isinstance(c, LineCollection) for s in c.get_segments()]


def lines_of(ax: Axes, marker: str, face: str | None = None) -> list[Line2D]:
    found = [line for line in ax.lines if line.get_marker() == marker]
    return [line for line in found if face is None or line.get_markerfacecolor() == face]


def xs_of(ax: Axes, marker: str, face: str | None = None) -> list[float]:
    return [x for line in lines_of(ax, marker, face) for x in line.get_xdata()]


# --- two nulls -----------------------------------------------------------------------------------


def heights(patch) -> np.ndarray:
    """Heights of the bars that one outline draws, from left to right."""
    return patch.get_path().vertices[1::2, 1][:60]


def test_two_nulls_counts_every_shuffle_of_the_first_networks():
    figure = drawn("two nulls")
    panels = [ax for ax in figure.axes if ax.get_visible()]
    assert len(panels) == 3
    for ax, ncut in zip(panels, NCUTS, strict=True):
        layer, nonzero = ax.patches
        assert to_hex(layer.get_facecolor()).upper() == MODE_STYLE["layer"]["color"]
        assert to_hex(nonzero.get_facecolor()).upper() == MODE_STYLE["layer-nonzero"]["color"]
        assert (heights(layer).sum(), heights(nonzero).sum()) == (20, 24)
        # 2.0 is the middle of the 60 bars: one null ends where the other begins
        assert heights(nonzero)[31:].sum() == 0
        assert heights(layer)[:29].sum() == 0
        assert ax.lines[0].get_xdata() == [ncut] * 2
        assert ax.get_xlim() == panels[0].get_xlim()
    # of linspace(1.9, 2, 24), 12 lie below 1.95
    assert panels[0].get_title("left") == (
        "MNIST, no dropout\np = 0.048 (layer), 0.52 (layer-nonzero)"
    )
    assert [ax.get_xlabel()[:12] for ax in panels] == ["", *["n-cut (k = 4"] * 2]
    assert legend_texts(figure) == [
        "the network", "layer: all weights shuffled", "layer-nonzero: only those that are not 0"
    ]  # fmt: skip


def test_nulls_of_one_value_have_bars():
    found = {place: [(2.0, [2.0, 2.0])] for place in PLACES}
    networks, tests = frames([make_network()], found)
    # Cohen's d of nulls that do not vary is NaN
    table = tables.per_network(networks, tests)
    (ax,) = figures.two_nulls(table[table["phase"] == "after"], tests).content.axes
    assert [heights(patch).sum() for patch in ax.patches] == [2, 2]


def test_violins_show_both_halves_of_every_network():
    (ax,) = drawn("violins").axes
    assert [label.get_text() for label in ax.get_xticklabels()] == ["0", "1", "10"]
    (crosses,) = lines_of(ax, "X")
    assert crosses.get_xydata() == pytest.approx(np.array([[0, 1.95], [1, 1.96], [2, 1.97]]))
    found = {}
    for half in (c for c in ax.collections if isinstance(c, PolyCollection)):
        x, y = half.get_paths()[0].vertices.T
        middle = (x.min() + x.max()) / 2
        side = "left" if middle < round(middle) else "right"
        assert (round(middle), side) not in found
        found[round(middle), side] = (to_hex(half.get_facecolor()[0]).upper(), y.min(), y.max())
    # no half reaches beyond its shuffles
    assert found == {
        (place, side): (
            MODE_STYLE[mode]["color"],
            *(pytest.approx(f(NULLS[mode])) for f in (min, max)),
        )
        for place in range(3)
        for side, mode in (("left", "layer"), ("right", "layer-nonzero"))
    }
    assert ax.get_title("left") == "MNIST, no dropout, after pruning"


# --- effect sizes --------------------------------------------------------------------------------


def test_cohens_d_figure_holds_every_network():
    figure = drawn("effect sizes")
    before, after = figure.axes
    assert [ax.get_title("left") for ax in figure.axes] == ["before pruning", "after pruning"]
    assert row_names(before) == [
        "MNIST\nno dropout", "MNIST\nwith dropout", "CIFAR-10\nwith dropout"
    ]  # fmt: skip
    for ax, phase, scale in ((before, "before", 1), (after, "after", 10)):
        assert ax.get_xscale() == "symlog"
        strips = sorted(dots(ax), key=lambda strip: strip[2])
        d = pytest.approx([-0.2 * scale, 0.1 * scale, 2.5 * scale])
        plain, dropped = (CONDITION_STYLE[dropout, phase]["color"] for dropout in (False, True))
        assert [strip[1] for strip in strips] == [d] * 5
        # ours above the paper's, which are open
        assert [strip[0] for strip in strips] == [plain, "#FFFFFF", dropped, "#FFFFFF", "#FFFFFF"]
        assert [strip[2] for strip in strips] == pytest.approx([-0.19, 0.19, 0.81, 1.19, 2.19])
        assert xs_of(ax, "|") == pytest.approx([0.8 * scale] * 5)
        low, high = ax.get_xlim()
        assert low < -2
        assert high > 25
    ticks = [label.get_text() for label in after.get_xticklabels()]
    assert ticks == ["−1", "0", "1", "3", "10", "30"]
    assert legend_texts(figure) == ["ours", "paper", "mean"]
    ours = figures.cohens_d(EFFECT_SIZES[EFFECT_SIZES["source"] == "ours"]).content
    assert legend_texts(ours) == ["ours", "mean"]


def test_a_missing_d_is_refused():
    with pytest.raises(ValueError, match="NaN or infinity in column cohens_d"):
        figures.cohens_d(EFFECT_SIZES.assign(cohens_d=NAN))


# --- p-values ------------------------------------------------------------------------------------


def stems(ax: Axes) -> dict[int, int]:
    return {int(s[1][0]): int(s[1][1]) for s in segments(ax)}


def test_lattice_figure_counts_the_printed_p_values():
    above, below = drawn("lattice").axes
    found = stems(above)
    assert sum(found.values()) == 240
    assert (found[1], found[321], found[11]) == (154, 28, 7)
    assert all(place % 10 == 1 for place in found)
    texts = [text.get_text() for text in above.texts]
    assert texts == ["154, possible in every design", "28, possible in every design"]
    assert above.get_title("left") == (
        "Of 240 printed p-values, 240 have the form (10 m + 1) / 321"
    )
    assert [bar.get_height() for bar in below.patches] == [58] + [0] * 9
    # rounding to 0.001 is ±0.0005, of 321 that is ±0.1605
    assert below.patches[0].get_width() == pytest.approx(0.321)
    # of 2 to 320, ten times 32 less the one at the end leave remainder 0 in 31 cases
    levels = [segment[0][1] for segment in segments(below)]
    assert levels == pytest.approx([58 * 31 / 319] + [58 * 32 / 319] * 9)
    assert below.get_title("left").startswith("The 58 between")


def lattice_of(p_values: list[float]) -> Figure:
    condition = {"dataset": "mnist", "dropout": False, "phase": "after"}
    half = len(p_values) // 2
    columns = {"p_value_layer": p_values[:half], "p_value_layer_nonzero": p_values[half:]}
    table = as_printed(pd.DataFrame(columns).assign(**condition))
    return figures_designs.p_lattice(designs.lattice(table)).content


def test_lattice_figure_shows_what_does_not_fit():
    # 1, 11, 13 and 321 of 321
    above, below = lattice_of([0.003, 0.034, 0.040, 1.0]).axes
    assert stems(above) == {1: 1, 11: 1, 13: 1, 321: 1}
    assert above.get_title("left") == "Of 4 printed p-values, 3 have the form (10 m + 1) / 321"
    assert [bar.get_height() for bar in below.patches] == [1, 0, 1] + [0] * 7


def test_lattice_figure_of_extremes_alone():
    below = lattice_of([0.003, 1.0]).axes[1]
    assert [bar.get_height() for bar in below.patches] == [0] * 10


def test_simulated_figure_counts_remainders():
    independent, repeated = drawn("simulated").axes
    assert [bar.get_height() for bar in independent.patches] == [1, 0, 0, 2, 0, 0, 0, 0, 0, 1]
    assert [bar.get_height() for bar in repeated.patches] == [2] + [0] * 9
    # of 1 to 20 two have each remainder; of 1 to 19 only one is a multiple of ten
    for ax, n, expected in (
        (independent, 4, [4 / 10] * 10),
        (repeated, 2, [2 / 19] + [2 * 2 / 19] * 9),
    ):
        assert [segment[0, 1] for segment in segments(ax)] == pytest.approx(expected)
        assert ax.get_title("left").startswith(f"{n} tests, ")


def test_shares_figure_holds_the_table():
    figure = drawn("shares")
    (ax,) = figure.axes
    assert row_names(ax) == list(SHARES["name"])
    assert xs_of(ax, "o") == list(SHARES["ours_independent"])
    assert xs_of(ax, "s") == list(SHARES["ours_repeated"])
    assert xs_of(ax, "D")[:2] == [0.7, 1.0]
    assert np.isnan(xs_of(ax, "D")[2])
    assert [s[:, 0].tolist() for s in segments(ax)] == [[0.5, 0.7], [1.0, 1.0], [0.0, 0.05]]
    assert ax.yaxis_inverted()
    assert len(legend_texts(figure)) == 3
    alone = figures_designs.significance(SHARES.assign(paper=NAN)).content
    assert not any("paper" in text for text in legend_texts(alone))


# --- dropout -------------------------------------------------------------------------------------


def test_dropout_figure_holds_the_differences():
    figure = drawn("dropout")
    (ax,) = figure.axes
    assert row_names(ax) == [
        "Fashion-MNIST\nbefore pruning", "Fashion-MNIST\nafter pruning",
        "MNIST\nbefore pruning", "MNIST\nafter pruning",
    ]  # fmt: skip
    assert xs_of(ax, "o") == [-0.027, -0.16]
    assert xs_of(ax, "D") == [-0.153, 0.02]
    intervals = [[*line.get_xdata()] for line in lines_of(ax, "None") if len(line.get_xdata()) == 2]
    assert [i for i in intervals if i != [0, 0]] == [
        *([-0.178, -0.129], [-0.034, -0.021], [-0.2, -0.1], [-0.01, 0.05]),
    ]
    assert [" ".join(text.get_text().split()) for text in ax.texts] == [
        "paper −0.153 [−0.178, −0.129]",
        "ours −0.027 [−0.034, −0.021]",
        "ours −0.160 [−0.200, −0.100]",
        "paper +0.020 [−0.010, +0.050]",
    ]
    assert [text.split(":")[0] for text in legend_texts(figure)] == ["ours", "paper"]
    # rows of one data set stand closer together than those of two
    first, second, third, _ = ax.get_yticks()
    assert third - second > second - first
    ours = figures_controls.dropout_effect(DIFFERENCES[DIFFERENCES["source"] == "ours"]).content
    assert legend_texts(ours) == ["ours: difference and 95 % interval"]


# --- training alone ------------------------------------------------------------------------------


def test_training_figure_holds_the_table():
    figure = drawn("training")
    (ax,) = figure.axes
    assert row_names(ax) == [
        "RANDOM, unlearnable\nno dropout", "RANDOM, unlearnable\nwith dropout",
        "RANDOM (4,000), 1,000 epochs\nwith dropout",
    ]  # fmt: skip
    colors = [
        CONDITION_STYLE[d, p]["color"] for d in (False, True, True) for p in ("before", "after")
    ]
    assert [(color, xs) for color, xs, _ in dots(ax)] == [
        *zip(
            colors,
            ([2.30, 2.34, 2.38], [2.08, 2.09, 2.10], [2.31, 2.32], [2.04, 2.05], [2.33, 2.34],
             [2.06, 2.07]),
            strict=True,
        )
    ]  # fmt: skip
    papers = [box.lines[0] for box in ax.containers]
    assert [line.get_xdata().item() for line in papers] == [2.338, 2.093, 2.323, 2.053]
    faces = [line.get_markerfacecolor() for line in papers]
    assert len(set(faces)) == 2
    assert faces == faces[:2] * 2
    support, *bands = [(p.get_x(), p.get_x() + p.get_width()) for p in ax.patches]
    assert support == pytest.approx((2.3, 2.45))  # section 3 of the paper
    assert np.array(bands) == pytest.approx(
        np.array([[2.067, 2.095], [2.046, 2.076], [2.04, 2.06]])
    )
    # 2.30, 2.34, 2.38: standard error 0.04 / sqrt(3), Student's t with 2 degrees of freedom 4.303
    half = 4.30265 * 0.04 / np.sqrt(3)
    intervals = [line.get_xdata() for line in ax.lines if len(line.get_xdata()) == 2]
    assert any(np.allclose(i, [2.34 - half, 2.34 + half], atol=1e-5) for i in intervals)
    means = [line.get_xdata()[0] for line in lines_of(ax, "|") if line.get_markersize() == 9]
    assert means == pytest.approx([2.34, 2.09, 2.315, 2.045, 2.335, 2.065])
    ours = [
        *("before pruning", "after pruning", "our mean, 95 % interval"),
        "our shuffles: mean ± sd",
    ]
    paper = ["paper, before: mean ± sd", "paper, after: mean ± sd"]
    support_text = ["paper, not trained (k = 4): range"]
    assert legend_texts(figure) == ours + paper + support_text
    table = TRAINING.assign(**NO_PAPER)
    alone = figures_controls.training_alone(table, control_frames()[2], FACTS).content
    assert legend_texts(alone) == ours + support_text


# --- mixtures ------------------------------------------------------------------------------------


def test_mixtures_figure_holds_the_table():
    figure = drawn("mixtures")
    plain, dropped = figure.axes
    assert row_names(plain) == ["LINES", "MNIST (5,000 digits)", "LINES-MNIST"]
    assert [ax.get_title("left") for ax in figure.axes] == ["no dropout", "with dropout"]
    faces = {dropout: CONDITION_STYLE[dropout, "after"]["color"] for dropout in (False, True)}
    assert xs_of(plain, "o", faces[False]) == [1.59, 1.77]
    assert xs_of(dropped, "D", faces[True]) == [1.16]
    assert xs_of(plain, "D", "white") == [1.599]
    assert xs_of(dropped, "D", "white") == [1.144, 1.272]
    intervals = [list(line.get_xdata()) for line in plain.lines if len(line.get_xdata()) == 2]
    assert [1.55, 1.63] in intervals
    assert [1.74, 1.80] in intervals
    # what was not run is said where the paper has its number
    assert [(text.get_text(), text.get_position()[0]) for text in dropped.texts] == [
        ("not run", 1.272)
    ]
    assert not plain.texts
    assert plain.get_xlim() == dropped.get_xlim()
    assert len(legend_texts(figure)) == 3
    own = MIXTURES[MIXTURES["n"] > 0].assign(paper_ncut_mean=NAN, paper_ncut_std=NAN)
    alone = figures_controls.mixtures(own, mixture_frames()[1]).content
    assert legend_texts(alone) == [
        "ours, no dropout: mean, 95 % interval", "ours, with dropout: mean, 95 % interval"
    ]  # fmt: skip
