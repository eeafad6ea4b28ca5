"""The figures of the two nulls and of the printed p-values hold what they are given."""

from __future__ import annotations

import functools

import matplotlib as mpl
import matplotlib.pyplot as plt
import numpy as np
import pandas as pd
import pytest
from matplotlib.axes import Axes
from matplotlib.backends.backend_agg import FigureCanvasAgg
from matplotlib.collections import LineCollection, PathCollection, PolyCollection
from matplotlib.colors import to_hex
from matplotlib.figure import Figure
from matplotlib.lines import Line2D
from test_plots import VISION, distances, drawn_texts, legend_texts, lightness, linear_rgb, oklab

from modclust_utils import plots_controls, plots_nulls
from modclust_utils.chapters.ch02_dropout_and_topology.figures import MODE_STYLE, NETWORK_COLOR
from modclust_utils.datasets.papers import printed_p_values
from modclust_utils.figures.style import CONDITION_STYLE

RNG = np.random.default_rng(0)
NAN = np.nan

EXAMPLES = [
    {
        "title": title,
        "ncut": ncut,
        "layer": np.linspace(2.0, 2.1, 20),
        "layer_nonzero": np.linspace(1.9, 2.0, 24),
    }
    for title, ncut in (("MNIST, no dropout", 1.95), ("MNIST, with dropout", 1.8), ("other", 2.2))
]
VIOLINS = pd.DataFrame(
    [
        (network, 1.8 + 0.01 * network, mode, value)
        for network in (3, 1, 10)
        for mode, middle in (("layer-nonzero", 1.9), ("layer", 2.05))
        for value in RNG.normal(middle, 0.01, 15)
    ],
    columns=["network", "ncut", "mode", "null_ncut"],
)
EFFECT_SIZES = pd.DataFrame(
    [
        (dataset, dropout, phase, network, (1 if phase == "before" else 10) * d, source)
        for dataset, dropout in (("mnist", False), ("mnist", True), ("cifar10", True))
        for phase in ("after", "before")
        for source in ("paper", "ours")
        for network, d in enumerate((-0.2, 0.1, 2.5))
        if not (dataset == "cifar10" and source == "ours")
    ],
    columns=["dataset", "dropout", "phase", "network", "cohens_d", "source"],
)
DESIGNS = pd.DataFrame(
    {
        "name": ["MNIST, no dropout", "MNIST, with dropout", "my data"],
        "ours_independent": [0.5, 1.0, 0.0],
        "ours_repeated": [0.65, 1.0, 0.05],
        "paper": [0.7, 1.0, NAN],
    }
)
SIMULATED = pd.DataFrame(
    {
        **{"remainder_independent": [3, 3, 0, 9, NAN], "n_independent": 21},
        **{"remainder_repeated": [0, 0, NAN, NAN, NAN], "n_repeated": 20},
    }
)
DIFFERENCES = pd.DataFrame(
    [
        ("fashion_mnist", "after", "paper", -0.153, -0.178, -0.129),
        ("fashion_mnist", "before", "ours", -0.027, -0.034, -0.021),
        ("mnist", "after", "ours", -0.16, NAN, NAN),
        ("mnist", "after", "paper", 0.02, -0.01, 0.05),
    ],
    columns=["dataset", "phase", "source", "difference", "low", "high"],
)
TRAINING = pd.DataFrame(
    {
        "name": ["random data", "random data", "1,000 epochs", "my data"],
        "dropout": [False, True, True, False],
        "before": [[2.34, 2.30, 2.38], [2.32], [], []],
        "after": [[2.09, 2.08, 2.10], [2.05], [], []],
        "null_mean": [2.081, 2.061, NAN, NAN],
        "null_std": [0.014, 0.015, NAN, NAN],
        "paper_before_mean": [2.338, 2.323, 2.329, NAN],
        "paper_before_std": [0.030, 0.020, 0.020, NAN],
        "paper_after_mean": [2.093, 2.053, 2.043, NAN],
        "paper_after_std": [0.023, 0.015, 0.028, NAN],
    }
)
SUPPORT = (2.3, 2.45)
MIXTURES = pd.DataFrame(
    [
        ("LINES", False, 1.59, 1.55, 1.63, 1.599, 0.049),
        ("LINES", True, 1.16, 1.13, 1.19, 1.144, 0.036),
        ("LINES-MNIST", False, 1.77, 1.74, 1.80, NAN, NAN),
        ("LINES-MNIST", True, NAN, NAN, NAN, 1.272, 0.056),
        ("LINES-CIFAR-10", True, NAN, NAN, NAN, NAN, NAN),
    ],
    columns=["name", "dropout", "ncut_mean", "ncut_low", "ncut_high", "paper_mean", "paper_std"],
)

DRAW = {
    "two nulls": lambda: plots_nulls.two_nulls_figure(EXAMPLES),
    "one value": lambda: plots_nulls.two_nulls_figure(
        [{"title": "flat", "ncut": 2.0, "layer": [2.0], "layer_nonzero": [2.0, 2.0]}]
    ),
    "violins": lambda: plots_nulls.violins_figure(VIOLINS, "MNIST, after pruning"),
    "effect sizes": lambda: plots_nulls.cohens_d_figure(EFFECT_SIZES),
    "lattice": lambda: plots_nulls.p_lattice_figure(printed_p_values()),
    "simulated": lambda: plots_nulls.simulated_designs_figure(SIMULATED),
    "designs": lambda: plots_nulls.significance_designs_figure(DESIGNS),
    "dropout": lambda: plots_controls.dropout_effect_figure(DIFFERENCES),
    "training": lambda: plots_controls.training_alone_figure(TRAINING, SUPPORT),
    "mixtures": lambda: plots_controls.mixtures_figure(MIXTURES),
}


@pytest.mark.parametrize("name", DRAW)
def test_figures_fit_the_page_and_leave_no_trace(name):
    state = np.random.get_state()[1].copy()
    with mpl.rc_context({"font.size": 13.0, "ytick.labelsize": 7.0}):
        settings = dict(mpl.rcParams)
        figure = DRAW[name]()
        assert dict(mpl.rcParams) == settings
    assert np.array_equal(np.random.get_state()[1], state)
    assert plt.get_fignums() == []
    width, height = figure.get_size_inches()
    assert width <= 7.5
    assert min(text.get_fontsize() for text in drawn_texts(figure)) >= 8.5
    box = figure.get_tightbbox(FigureCanvasAgg(figure).get_renderer())
    assert box.x0 >= -0.01
    assert box.y0 >= -0.01
    assert box.x1 <= width + 0.01
    assert box.y1 <= height + 0.01


@functools.cache
def drawn(name: str) -> Figure:
    """The figure, for tests that only look at it."""
    return DRAW[name]()


@pytest.mark.parametrize("name", sorted(DRAW.keys() - {"lattice", "simulated"}))
def test_legends_stand_below_and_cover_nothing(name):
    figure = drawn(name)
    renderer = FigureCanvasAgg(figure).get_renderer()
    (legend,) = figure.legends
    top = legend.get_window_extent(renderer).y1
    assert all(top <= ax.get_tightbbox(renderer).y0 + 1 for ax in figure.axes if ax.get_visible())


def test_tables_come_as_rows_too():
    rows = DESIGNS.to_dict("records")
    assert row_names(plots_nulls.significance_designs_figure(rows).axes[0]) == list(DESIGNS["name"])


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


def lines_of(ax: Axes, marker: str, face: str | None = None) -> list[Line2D]:
    found = [line for line in ax.lines if line.get_marker() == marker]
    return [line for line in found if face is None or line.get_markerfacecolor() == face]


def xs_of(ax: Axes, marker: str, face: str | None = None) -> list[float]:
    return [x for line in lines_of(ax, marker, face) for x in line.get_xdata()]


# --- two nulls -----------------------------------------------------------------------------------


def heights(patch) -> np.ndarray:
    """Heights of the bars that one outline draws, from left to right."""
    return patch.get_path().vertices[1::2, 1][:60]


def test_two_nulls_figure_counts_every_shuffle():
    figure = plots_nulls.two_nulls_figure(EXAMPLES, n_clusters=5)
    panels = [ax for ax in figure.axes if ax.get_visible()]
    assert len(panels) == 3
    for ax, example in zip(panels, EXAMPLES, strict=True):
        layer, nonzero = ax.patches
        assert to_hex(layer.get_facecolor()).upper() == MODE_STYLE["layer"]["color"]
        assert to_hex(nonzero.get_facecolor()).upper() == MODE_STYLE["layer-nonzero"]["color"]
        assert (heights(layer).sum(), heights(nonzero).sum()) == (20, 24)
        # 2.0 is the middle of the 60 bars: one null ends where the other begins
        assert heights(nonzero)[31:].sum() == 0
        assert heights(layer)[:29].sum() == 0
        assert ax.lines[0].get_xdata() == [example["ncut"]] * 2
        assert ax.get_xlim() == panels[0].get_xlim()
    # of linspace(1.9, 2, 24), 12 lie below 1.95
    assert panels[0].get_title("left") == (
        "MNIST, no dropout\np = 0.048 (layer), 0.52 (layer-nonzero)"
    )
    assert [ax.get_xlabel()[:12] for ax in panels] == ["", *["n-cut (k = 5"] * 2]
    assert legend_texts(figure) == [
        "the network", "layer: all weights shuffled", "layer-nonzero: only those that are not 0"
    ]  # fmt: skip


def test_violins_show_both_halves_of_every_network():
    figure = drawn("violins")
    (ax,) = figure.axes
    assert [label.get_text() for label in ax.get_xticklabels()] == ["1", "3", "10"]
    (crosses,) = lines_of(ax, "X")
    assert crosses.get_xydata() == pytest.approx(np.array([[0, 1.81], [1, 1.83], [2, 1.90]]))
    halves = [c for c in ax.collections if isinstance(c, PolyCollection)]
    found = {}
    for half in halves:
        x, y = half.get_paths()[0].vertices.T
        side = "left" if (x.min() + x.max()) / 2 < round((x.min() + x.max()) / 2) else "right"
        found[round((x.min() + x.max()) / 2), side] = (
            to_hex(half.get_facecolor()[0]).upper(), y.min(), y.max()
        )  # fmt: skip
    assert len(halves) == len(found) == 6
    for place, network in enumerate((1, 3, 10)):
        for side, mode in (("left", "layer"), ("right", "layer-nonzero")):
            color, low, high = found[place, side]
            mine = VIOLINS[(VIOLINS["network"] == network) & (VIOLINS["mode"] == mode)]
            assert color == MODE_STYLE[mode]["color"]
            # no half reaches beyond its shuffles
            assert low == pytest.approx(mine["null_ncut"].min())
            assert high == pytest.approx(mine["null_ncut"].max())
    assert ax.get_title("left") == "MNIST, after pruning"


def test_a_null_that_does_not_vary_is_still_a_violin():
    flat = VIOLINS.assign(null_ncut=VIOLINS["null_ncut"].where(VIOLINS["mode"] == "layer", 1.9))
    (ax,) = plots_nulls.violins_figure(flat, "flat").axes
    assert len([c for c in ax.collections if isinstance(c, PolyCollection)]) >= 3
    assert ax.get_ylim()[0] < 1.9


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
        strips = dots(ax)
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


def test_cohens_d_figure_of_one_phase_and_source():
    mine = EFFECT_SIZES[(EFFECT_SIZES["phase"] == "after") & (EFFECT_SIZES["source"] == "ours")]
    figure = plots_nulls.cohens_d_figure(mine)
    assert [ax.get_title("left") for ax in figure.axes] == ["after pruning"]
    assert legend_texts(figure) == ["ours", "mean"]


# --- p-values ------------------------------------------------------------------------------------


def stems(ax: Axes) -> dict[int, int]:
    found = {}
    for lines in ax.collections:
        if isinstance(lines, LineCollection):
            found |= {int(s[1][0]): int(s[1][1]) for s in lines.get_segments()}
    return found


def test_lattice_figure_counts_the_printed_p_values():
    above, below = plots_nulls.p_lattice_figure(printed_p_values()).axes
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
    (expected,) = (c for c in below.collections if isinstance(c, LineCollection))
    levels = [segment[0][1] for segment in expected.get_segments()]
    assert levels == pytest.approx([58 * 31 / 319] + [58 * 32 / 319] * 9)
    assert below.get_title("left").startswith("The 58 between")


def test_lattice_figure_shows_what_does_not_fit():
    # of 9: 1, 4, 5 and 9; shuffles in twos would give 1, 3, 5, 7, 9
    above, below = plots_nulls.p_lattice_figure(
        [0.11, 0.44, 0.56, 1.0], n_shuffles=8, copies=2, decimals=2
    ).axes
    assert stems(above) == {1: 1, 4: 1, 5: 1, 9: 1}
    assert above.get_title("left") == "Of 4 printed p-values, 3 have the form (2 m + 1) / 9"
    assert [bar.get_height() for bar in below.patches] == [1, 1]


def test_lattice_figure_of_extremes_alone():
    below = plots_nulls.p_lattice_figure([0.003, 1.0]).axes[1]
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
        (lines,) = (c for c in ax.collections if isinstance(c, LineCollection))
        heights = [segment[0, 1] for segment in lines.get_segments()]
        assert heights == pytest.approx(expected)
        assert ax.get_title("left").startswith(f"{n} tests, ")


def test_designs_figure_holds_the_table():
    figure = drawn("designs")
    (ax,) = figure.axes
    assert row_names(ax) == list(DESIGNS["name"])
    assert xs_of(ax, "o") == list(DESIGNS["ours_independent"])
    assert xs_of(ax, "s") == list(DESIGNS["ours_repeated"])
    assert xs_of(ax, "D")[:2] == [0.7, 1.0]
    assert np.isnan(xs_of(ax, "D")[2])
    (spans,) = (c for c in ax.collections if isinstance(c, LineCollection))
    ends = [segment[:, 0].tolist() for segment in spans.get_segments()]
    assert ends == [[0.5, 0.7], [1.0, 1.0], [0.0, 0.05]]
    assert ax.yaxis_inverted()
    assert len(legend_texts(figure)) == 3
    alone = plots_nulls.significance_designs_figure(DESIGNS.assign(paper=None))
    assert not any("paper" in text for text in legend_texts(alone))


# --- dropout -------------------------------------------------------------------------------------


def plain_texts(ax: Axes) -> list[str]:
    return [" ".join(text.get_text().split()) for text in ax.texts]


def test_dropout_figure_holds_the_differences():
    figure = drawn("dropout")
    (ax,) = figure.axes
    assert row_names(ax) == [
        "Fashion-MNIST\nbefore pruning", "Fashion-MNIST\nafter pruning", "MNIST\nafter pruning"
    ]  # fmt: skip
    assert xs_of(ax, "o") == [-0.027, -0.16]
    assert xs_of(ax, "D") == [-0.153, 0.02]
    intervals = [
        list(line.get_xdata()) for line in lines_of(ax, "None") if len(set(line.get_xdata())) > 1
    ]
    assert intervals == [[-0.034, -0.021], [-0.178, -0.129], [-0.01, 0.05]]
    assert plain_texts(ax) == [
        "ours −0.027 [−0.034, −0.021]",
        "paper −0.153 [−0.178, −0.129]",
        "ours −0.160",
        "paper +0.020 [−0.010, +0.050]",
    ]
    assert [text.split(":")[0] for text in legend_texts(figure)] == ["ours", "paper"]
    # rows of one data set stand closer together than those of two
    first, second, third = ax.get_yticks()
    assert third - second > second - first


def test_dropout_figure_of_ours_alone():
    figure = plots_controls.dropout_effect_figure(DIFFERENCES[DIFFERENCES["source"] == "ours"])
    assert legend_texts(figure) == ["ours: difference and 95 % interval"]


# --- training alone ------------------------------------------------------------------------------


def test_training_legend_names_only_what_is_there():
    missing = dict.fromkeys([c for c in TRAINING if c.startswith(("paper", "null"))])
    figure = plots_controls.training_alone_figure(TRAINING[:2].assign(**missing), SUPPORT)
    assert legend_texts(figure) == [
        "before pruning", "after pruning", "our mean, 95 % interval",
        "range of freshly initialized networks",
    ]  # fmt: skip
    figure = plots_controls.training_alone_figure(TRAINING[2:], SUPPORT)
    assert legend_texts(figure) == [
        "paper, before: mean ± sd", "paper, after: mean ± sd",
        "range of freshly initialized networks",
    ]  # fmt: skip


def test_training_figure_holds_the_table():
    figure = drawn("training")
    (ax,) = figure.axes
    assert row_names(ax) == [
        "random data\nno dropout", "random data\nwith dropout", "1,000 epochs\nwith dropout",
        "my data\nno dropout",
    ]  # fmt: skip
    shown = {color: xs for color, xs, _ in dots(ax)}
    colors = {key: style["color"] for key, style in CONDITION_STYLE.items()}
    assert shown == {
        colors[False, "before"]: [2.30, 2.34, 2.38],
        colors[False, "after"]: [2.08, 2.09, 2.10],
        colors[True, "before"]: [2.32],
        colors[True, "after"]: [2.05],
    }
    papers = [box.lines[0] for box in ax.containers]
    assert [line.get_xdata().item() for line in papers] == [
        2.338, 2.093, 2.323, 2.053, 2.329, 2.043
    ]  # fmt: skip
    faces = [line.get_markerfacecolor() for line in papers]
    assert len(set(faces)) == 2
    assert faces == faces[:2] * 3
    support, *bands = [(p.get_x(), p.get_x() + p.get_width()) for p in ax.patches]
    assert support == pytest.approx(SUPPORT)
    assert np.array(bands) == pytest.approx(np.array([[2.067, 2.095], [2.046, 2.076]]))
    # 2.30, 2.34, 2.38: standard error 0.04 / sqrt(3), Student's t with 2 degrees of freedom 4.303
    half = 4.30265 * 0.04 / np.sqrt(3)
    intervals = [line.get_xdata() for line in ax.lines if len(line.get_xdata()) == 2]
    assert any(np.allclose(i, [2.34 - half, 2.34 + half], atol=1e-5) for i in intervals)
    means = [line.get_xdata()[0] for line in lines_of(ax, "|") if line.get_markersize() == 9]
    assert means == pytest.approx([2.34, 2.09, 2.32, 2.05])


def words(ax: Axes) -> list[tuple[str, float]]:
    """Texts inside the axes and where they stand, in units of the horizontal axis."""
    inverse = ax.transData.inverted()
    found = []
    for text in ax.texts:
        x, _ = inverse.transform(text.get_transform().transform(text.get_position()))
        found.append((text.get_text(), round(float(x), 6)))
    return found


def test_what_was_not_run_is_said():
    (ax,) = drawn("training").axes
    # where the paper has a number, above it; where it has none, in the middle of the row
    assert words(ax) == [("not run", 2.043), ("not run", pytest.approx(np.mean(ax.get_xlim())))]
    plain, dropped = drawn("mixtures").axes
    middle = pytest.approx(np.mean(dropped.get_xlim()))
    assert words(plain) == []
    assert words(dropped) == [("not run", 1.272), ("not run", middle)]


# --- mixtures ------------------------------------------------------------------------------------


def test_mixtures_figure_holds_the_table():
    figure = drawn("mixtures")
    plain, dropped = figure.axes
    assert row_names(plain) == ["LINES", "LINES-MNIST", "LINES-CIFAR-10"]
    assert [ax.get_title("left") for ax in figure.axes] == ["no dropout", "with dropout"]
    faces = {dropout: CONDITION_STYLE[dropout, "after"]["color"] for dropout in (False, True)}
    assert xs_of(plain, "o", faces[False]) == [1.59, 1.77]
    assert xs_of(dropped, "D", faces[True]) == [1.16]
    assert xs_of(plain, "D", "white") == [1.599]
    assert xs_of(dropped, "D", "white") == [1.144, 1.272]
    intervals = [list(line.get_xdata()) for line in plain.lines if len(line.get_xdata()) == 2]
    assert [1.55, 1.63] in intervals
    assert [1.74, 1.80] in intervals
    assert plain.get_xlim() == dropped.get_xlim()
    assert len(legend_texts(figure)) == 3


def test_mixtures_without_the_paper_or_one_dropout():
    table = MIXTURES[~MIXTURES["dropout"]].assign(paper_mean=None, paper_std=None)
    figure = plots_controls.mixtures_figure(table)
    assert [ax.get_title("left") for ax in figure.axes] == ["no dropout"]
    assert legend_texts(figure) == ["ours, no dropout: mean, 95 % interval"]


# --- refusals ------------------------------------------------------------------------------------


def two_nulls(**changes) -> Figure:
    return plots_nulls.two_nulls_figure([{**EXAMPLES[0], **changes}])


@pytest.mark.parametrize(
    ("call", "message"),
    [
        (lambda: two_nulls(layer=[]), r"layer with shape \(0,\)"),
        (lambda: two_nulls(layer_nonzero=[NAN]), r"layer_nonzero with shape \(1,\)"),
        (lambda: two_nulls(ncut=NAN), "in column ncut"),
        (lambda: plots_nulls.two_nulls_figure([{"title": "a"}]), "examples lacks columns"),
        (lambda: plots_nulls.violins_figure([], "t"), "table has no rows"),
        (lambda: plots_nulls.violins_figure(VIOLINS.assign(mode="all"), "t"), "mode='all'"),
        (
            lambda: plots_nulls.violins_figure(VIOLINS[VIOLINS["mode"] == "layer"], "t"),
            "network 1 has no shuffles of mode 'layer-nonzero'",
        ),
        (
            lambda: plots_nulls.violins_figure(VIOLINS.assign(ncut=VIOLINS["null_ncut"]), "t"),
            "is not allowed for network 1: one value",
        ),
        (lambda: plots_nulls.cohens_d_figure(EFFECT_SIZES.assign(phase="now")), "phase='now'"),
        (lambda: plots_nulls.cohens_d_figure(EFFECT_SIZES.assign(source="me")), "source='me'"),
        (lambda: plots_nulls.cohens_d_figure(EFFECT_SIZES.assign(cohens_d=NAN)), "cohens_d"),
        (lambda: plots_nulls.p_lattice_figure([]), r"p_values with shape \(0,\)"),
        (lambda: plots_nulls.p_lattice_figure([1.5]), "each from 0 to 1"),
        (lambda: plots_nulls.p_lattice_figure([0.5], copies=7), "copies=7"),
        (lambda: plots_nulls.p_lattice_figure([0.5], decimals=2), "decimals=2 is not allowed"),
        (lambda: plots_nulls.significance_designs_figure(DESIGNS.assign(paper=2)), "paper=2"),
        (lambda: plots_nulls.simulated_designs_figure([{"a": 1}]), "table lacks columns"),
        (
            lambda: plots_nulls.simulated_designs_figure(SIMULATED.assign(remainder_repeated=10)),
            "remainder_repeated=10.0",
        ),
        (
            lambda: plots_nulls.significance_designs_figure(DESIGNS.assign(ours_repeated=-0.1)),
            "ours_repeated=-0.1",
        ),
        (lambda: plots_controls.dropout_effect_figure(DIFFERENCES.assign(phase=1)), "phase=1"),
        (
            lambda: plots_controls.dropout_effect_figure(DIFFERENCES.assign(source="A")),
            "source='A'",
        ),
        (lambda: plots_controls.dropout_effect_figure(DIFFERENCES.assign(low=0.5)), "low=0.5"),
        (
            lambda: plots_controls.dropout_effect_figure(pd.concat([DIFFERENCES] * 2)),
            "two rows for one data set, phase and source",
        ),
        (
            lambda: plots_controls.training_alone_figure(TRAINING, (2.4, 2.3)),
            r"support=\(2.4, 2.3\)",
        ),
        (
            lambda: plots_controls.training_alone_figure(TRAINING.assign(dropout="no"), SUPPORT),
            "dropout='no'",
        ),
        (
            lambda: plots_controls.training_alone_figure(
                TRAINING.assign(after=[[NAN]] * 4), SUPPORT
            ),
            r"after with shape \(1,\)",
        ),
        (
            lambda: plots_controls.training_alone_figure(TRAINING.drop(columns="before"), SUPPORT),
            r"table lacks columns \['before'\]",
        ),
        (
            lambda: plots_controls.mixtures_figure(pd.concat([MIXTURES] * 2)),
            "two rows for one name and dropout",
        ),
        (lambda: plots_controls.mixtures_figure([]), "table has no rows"),
    ],
)
def test_bad_tables_are_refused(call, message):
    settings = dict(mpl.rcParams)
    with pytest.raises(ValueError, match=message):
        call()
    assert dict(mpl.rcParams) == settings
