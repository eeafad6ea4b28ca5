from __future__ import annotations

import itertools

import matplotlib as mpl
import matplotlib.pyplot as plt
import numpy as np
import pandas as pd
import pytest
from matplotlib.axes import Axes
from matplotlib.backends.backend_agg import FigureCanvasAgg
from matplotlib.collections import LineCollection, PathCollection, PolyCollection
from matplotlib.colors import to_hex, to_rgb
from matplotlib.figure import Figure
from matplotlib.text import Text

from modclust_utils import plots, plots_style
from modclust_utils.figures.colors import CLUSTER_COLORS
from modclust_utils.figures.style import CONDITION_STYLE, DATASET_NAMES

# Colour vision: linear RGB as seen with normal vision, protanopia, deuteranopia and tritanopia
# (severity 1), from Machado, Oliveira and Fernandes 2009, doi:10.1109/TVCG.2009.113.
VISION = {
    "normal": np.eye(3),
    "protanopia": np.array(
        [
            [0.152286, 1.052583, -0.204868],
            [0.114503, 0.786281, 0.099216],
            [-0.003882, -0.048116, 1.051998],
        ]
    ),
    "deuteranopia": np.array(
        [
            [0.367322, 0.860646, -0.227968],
            [0.280085, 0.672501, 0.047413],
            [-0.011820, 0.042940, 0.968881],
        ]
    ),
    "tritanopia": np.array(
        [
            [1.255528, -0.076749, -0.178779],
            [-0.078411, 0.930809, 0.147602],
            [0.004733, 0.691367, 0.303900],
        ]
    ),
}


def linear_rgb(colors: tuple[str, ...]) -> np.ndarray:
    values = np.array([to_rgb(color) for color in colors])
    return np.where(values <= 0.04045, values / 12.92, ((values + 0.055) / 1.055) ** 2.4)


def oklab(linear: np.ndarray) -> np.ndarray:
    """OKLab after Ottosson 2020, https://bottosson.github.io/posts/oklab/."""
    to_lms = np.array(
        [
            [0.4122214708, 0.5363325363, 0.0514459929],
            [0.2119034982, 0.6806995451, 0.1073969566],
            [0.0883024619, 0.2817188376, 0.6299787005],
        ]
    )
    to_lab = np.array(
        [
            [0.2104542553, 0.7936177850, -0.0040720468],
            [1.9779984951, -2.4285922050, 0.4505937099],
            [0.0259040371, 0.7827717662, -0.8086757660],
        ]
    )
    return np.cbrt(linear @ to_lms.T) @ to_lab.T


def lightness(colors: tuple[str, ...]) -> np.ndarray:
    """CIE L*, from 0 to 100."""
    return 116 * np.cbrt(linear_rgb(colors) @ [0.2126, 0.7152, 0.0722]) - 16


def distances(points: np.ndarray) -> np.ndarray:
    return np.array([np.linalg.norm(a - b) for a, b in itertools.combinations(points, 2)])


@pytest.mark.parametrize("vision", VISION)
def test_cluster_colors_are_told_apart(vision):
    seen = np.clip(linear_rgb((*CLUSTER_COLORS, plots.DEAD_COLOR)) @ VISION[vision].T, 0, 1)
    assert len(seen) == 12 + 1
    assert distances(oklab(seen)).min() >= 0.09
    assert distances(oklab(seen[:4])).min() >= 0.14


def test_first_colors_differ_in_gray():
    assert distances(lightness(CLUSTER_COLORS[:4])).min() >= 10


def test_phases_differ_in_gray():
    for dropout in (False, True):
        pair = tuple(CONDITION_STYLE[dropout, phase]["color"] for phase in ("before", "after"))
        before, after = lightness(pair)
        assert after - before >= 25


# 3 pixels, 3 hidden units, 2 logits; pixel 2 and hidden unit 2 have no edge.
TINY = [
    np.array([[3.0, -1.0, 0.0], [0.5, 2.0, 0.0], [0.0, 0.0, 0.0]]),
    np.array([[-4.0, 0.25, 0.0], [0.0, 6.0, 0.0]]),
]
TINY_LABELS = np.array([0, 1, -1, 0, 1, -1, 0, 1])


def edge_lines(ax: Axes) -> dict[tuple[int, str], int]:
    """Number of drawn edges from each layer in each colour."""
    found: dict[tuple[int, str], int] = {}
    for lines in ax.collections:
        if isinstance(lines, LineCollection):
            colors = [to_hex(color) for color in lines.get_colors()]
            for index, segment in enumerate(lines.get_segments()):
                key = (int(segment[0, 0]), colors[index % len(colors)].upper())
                found[key] = found.get(key, 0) + 1
    return found


def unit_colors(ax: Axes) -> list[str]:
    (boxes,) = (c for c in ax.collections if isinstance(c, PolyCollection))
    colors = [to_hex(color).upper() for color in boxes.get_facecolors()]
    assert len(boxes.get_paths()) == len(colors)
    return colors


def captions(ax: Axes) -> list[str]:
    return [label.get_text() for label in ax.get_xticklabels()]


def test_network_figure_draws_every_unit_and_edge():
    figure = plots.network_figure(TINY, TINY_LABELS)
    whole, first, second = figure.axes
    blue, amber = CLUSTER_COLORS[:2]
    across = plots_style.ACROSS_COLOR
    assert unit_colors(whole) == [blue, amber, blue, amber, blue, amber]
    # first layer: 3 and 2 inside, -1 and 0.5 across; second: -4 and 6 inside, 0.25 across
    assert edge_lines(whole) == {
        (0, blue): 1, (0, amber): 1, (0, across): 2, (1, blue): 1, (1, amber): 1, (1, across): 1
    }  # fmt: skip
    assert captions(whole) == ["pixels\n2 of 3", "hidden 1\n2 of 3", "logits\n2 of 2"]
    assert "its 2 clusters: strongest edges of each layer, 7 of 7" in whole.get_title("left")
    assert edge_lines(first) == {(0, blue): 1, (1, blue): 1}
    assert edge_lines(second) == {(0, amber): 1, (1, amber): 1}
    assert unit_colors(second) == [amber] * 3
    assert captions(first) == ["1", "1", "1"]
    # degrees of cluster 0: 3 + 0.5 (pixel), 3 + 1 + 4 (hidden), 4 + 0.25 (logit), of 33.5 in all
    assert first.get_title("left") == "cluster 0: 47% of volume"
    assert second.get_title("left") == "cluster 1: 53% of volume"


def test_strongest_edges_come_first_and_layers_share_alike():
    whole = plots.network_figure(TINY, TINY_LABELS, max_edges=3).axes[0]
    blue, amber = CLUSTER_COLORS[:2]
    # the smaller pair of layers has 3 edges and gets 1, the other 2: |6|, and |3| and |2|
    assert edge_lines(whole) == {(0, blue): 1, (0, amber): 1, (1, amber): 1}
    assert "strongest edges of each layer, 3 of 7" in whole.get_title("left")


def test_edges_that_a_small_layer_does_not_need_go_to_the_others():
    weights = [np.ones((20, 20)), np.ones((2, 20))]
    labels = np.zeros(42, dtype=int)
    whole = plots.network_figure(weights, labels, max_edges=100).axes[0]
    assert edge_lines(whole) == {(0, CLUSTER_COLORS[0]): 60, (1, CLUSTER_COLORS[0]): 40}


def test_a_number_without_units_gets_no_panel():
    figure = plots.network_figure(TINY, np.where(TINY_LABELS == 1, 3, TINY_LABELS))
    titles = [ax.get_title("left") for ax in figure.axes]
    assert "its 2 clusters" in titles[0]
    assert titles[1:] == ["cluster 0: 47% of volume", "cluster 3: 53% of volume"]
    assert unit_colors(figure.axes[2]) == [CLUSTER_COLORS[3]] * 3


def test_network_figure_sorts_units_by_cluster_and_names_logits():
    rng = np.random.default_rng(0)
    weights = [rng.normal(size=(5, 9)), rng.normal(size=(4, 5))]
    labels = np.array([1, 0, 2, 1, 0, 2, 1, 0, 2, 2, 1, 0, 1, 2, 1, 0, 1, 2])
    whole = plots.network_figure(weights, labels).axes[0]
    (boxes,) = (c for c in whole.collections if isinstance(c, PolyCollection))
    heights = np.array([path.vertices[:4, 1].mean() for path in boxes.get_paths()])
    for layer in (slice(0, 9), slice(9, 14), slice(14, 18)):
        down = np.argsort(-heights[layer])
        assert (np.diff(labels[layer][down]) >= 0).all()
        assert heights[layer].max() == pytest.approx(-heights[layer].min())
    digits = {text.get_text(): text.get_position()[1] for text in whole.texts}
    assert digits == {str(i): pytest.approx(heights[14 + i]) for i in range(4)}


@pytest.mark.parametrize(
    ("weights", "labels", "settings", "message"),
    [
        ([], [], {}, r"weights=\[\]"),
        (TINY, TINY_LABELS[1:], {}, r"labels has shape \(7,\); allowed: \(8,\)"),
        (TINY, np.arange(8) + 5, {}, "labels has 13 clusters; allowed: 1 to 12"),
        (TINY, np.full(8, -1), {}, "labels has 0 clusters"),
        (TINY, TINY_LABELS, {"max_edges": 0}, "max_edges=0"),
    ],
)
def test_bad_networks_are_refused(weights, labels, settings, message):
    with pytest.raises(ValueError, match=message):
        plots.network_figure(weights, labels, **settings)


ACCURACY = pd.DataFrame(
    [
        ("mnist", False, "before", 2.35, 0.984),
        ("mnist", False, "after", 2.00, 0.983),
        ("mnist", True, "before", 2.22, 0.980),
        ("mnist", True, "after", 1.84, 0.979),
        ("mnist", True, "after", 1.85, 0.978),
        ("fashion_mnist", True, "after", 1.72, 0.869),
    ],
    columns=["dataset", "dropout", "phase", "ncut", "test_acc"],
)
COMPARISON = pd.DataFrame(
    {
        "dataset": ["mnist5k", "mnist", "mnist"],
        "dropout": [True, False, True],
        "ours": [[1.98, 1.97, 1.99], [2.03, 1.99, 2.01], [1.84]],
        "null_mean": [2.06, 2.04, 2.03],
        "null_std": [0.014, 0.017, 0.019],
        "paper_mean": [np.nan, 2.0, 1.84],
        "paper_std": [np.nan, 0.035, 0.015],
    }
)
NULL = np.linspace(1.99, 2.06, 20)
TESTS = [
    {"title": "MNIST, no dropout", "ncut": 2.0, "null_ncuts": NULL, "p_value": 4 / 21},
    {"title": "MNIST, with dropout", "ncut": 1.84, "null_ncuts": NULL, "p_value": 1 / 21},
    {"title": "CIFAR-10, no dropout", "ncut": 2.1, "null_ncuts": NULL, "p_value": 1.0},
]
TESTS = [{**test, "n_shuffles": 20} for test in TESTS]
MANY_K = pd.DataFrame(
    [
        ("mnist", dropout, k, ratio * null, null, 0.01, paper * null, null)
        for dropout, paper in ((False, 0.97), (True, 0.9))
        for k, ratio, null in ((2, 1.01, 0.33), (10, 0.96, 7.4), (4, 0.98, 2.04))
    ],
    columns=[
        "dataset", "dropout", "n_clusters", "ncut_mean", "null_mean", "null_std",
        "paper_ncut_mean", "paper_null_mean",
    ],
)  # fmt: skip
STEPS = np.array([10, 100, 1000, 10000])
ESTIMATE = np.array([0.6, 0.47, 0.52, 0.5])
RANDOM = np.random.default_rng(0).normal(2.36, 0.02, 50)

DRAW = {
    "network": lambda: plots.network_figure(TINY, TINY_LABELS),
    "many clusters": lambda: plots.network_figure(
        [np.ones((12, 12)), np.ones((12, 12))], np.tile(np.arange(12), 3)
    ),
    "accuracy": lambda: plots.ncut_accuracy_figure(ACCURACY),
    "random": lambda: plots.random_ncuts_figure(RANDOM, (2.3, 2.45)),
    "comparison": lambda: plots.comparison_figure(COMPARISON),
    "null": lambda: plots.null_figure(TESTS),
    "stubs": lambda: plots.stub_walk_figure(STEPS, ESTIMATE, ESTIMATE - 0.1, ESTIMATE + 0.1, 0.5),
    "k": lambda: plots.k_figure(MANY_K),
}


def drawn_texts(figure: Figure) -> list[Text]:
    """Texts that can be seen: ticks outside the axis limits are kept by matplotlib unseen."""
    return [t for t in figure.findobj(Text) if t.get_text().strip() and t.get_visible()]


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
    # what is drawn ends inside the page: nothing is cut off
    box = figure.get_tightbbox(FigureCanvasAgg(figure).get_renderer())
    assert box.x0 >= -0.01
    assert box.y0 >= -0.01
    assert box.x1 <= width + 0.01
    assert box.y1 <= height + 0.01


def pixels(figure: Figure) -> np.ndarray:
    canvas = FigureCanvasAgg(figure)
    canvas.draw()
    return np.asarray(canvas.buffer_rgba())


def test_figures_do_not_depend_on_global_settings():
    expected = pixels(DRAW["random"]())
    odd = {"font.size": 20, "xtick.labelsize": 20, "axes.grid": False, "axes.facecolor": "red"}
    with mpl.rc_context({**odd, "axes.spines.top": True, "axes.unicode_minus": False}):
        figure = DRAW["random"]()
        assert np.array_equal(pixels(figure), expected)
        assert all(mpl.rcParams[key] == value for key, value in odd.items())


def legend_texts(figure: Figure) -> list[str]:
    (legend,) = figure.legends
    return [text.get_text() for text in legend.get_texts()]


def test_accuracy_figure_holds_the_table():
    figure = plots.ncut_accuracy_figure(ACCURACY)
    mnist, fashion = figure.axes
    assert [ax.get_title("left") for ax in figure.axes] == ["MNIST", "Fashion-MNIST"]
    assert fashion.get_xlabel() == "n-cut (k = 4), lower is more clusterable"
    assert mnist.get_ylabel() == "test accuracy"
    assert mnist.get_xlim() == fashion.get_xlim()
    points = {}
    for collection in mnist.collections:
        (color,) = collection.get_facecolors()
        points[to_hex(color).upper()] = collection.get_offsets().tolist()
    assert points == {
        CONDITION_STYLE[False, "before"]["color"]: [[2.35, 0.984]],
        CONDITION_STYLE[False, "after"]["color"]: [[2.00, 0.983]],
        CONDITION_STYLE[True, "before"]["color"]: [[2.22, 0.980]],
        CONDITION_STYLE[True, "after"]["color"]: [[1.84, 0.979], [1.85, 0.978]],
    }
    assert legend_texts(figure) == [style["label"] for style in CONDITION_STYLE.values()]


def test_accuracy_legend_names_only_what_is_there():
    figure = plots.ncut_accuracy_figure(ACCURACY[ACCURACY["dropout"]], n_clusters=7)
    assert legend_texts(figure) == ["with dropout, before pruning", "with dropout, after pruning"]
    assert "k = 7" in figure.axes[-1].get_xlabel()


def test_random_figure_counts_every_network():
    ax = plots.random_ncuts_figure(RANDOM, (2.3, 2.45)).axes[0]
    span, *bars = ax.patches
    assert (span.get_x(), span.get_width()) == (2.3, pytest.approx(0.15))
    assert sum(bar.get_height() for bar in bars) == 50
    assert bars[0].get_x() == pytest.approx(RANDOM.min())
    assert [text.get_text() for text in ax.texts] == ["range stated in the paper"]
    assert ax.get_title("left") == "n-cuts of 50 randomly initialized networks"
    (density,) = ax.lines
    assert RANDOM.min() < density.get_xdata()[np.argmax(density.get_ydata())] < RANDOM.max()


def test_comparison_figure_holds_the_table():
    figure = plots.comparison_figure(COMPARISON)
    (ax,) = figure.axes
    dots = [c.get_offsets()[:, 0] for c in ax.collections if isinstance(c, PathCollection)]
    assert [sorted(d) for d in dots] == [sorted(ours) for ours in COMPARISON["ours"]]
    bands = [(b.get_x(), b.get_x() + b.get_width()) for b in ax.patches]
    assert np.allclose(
        bands,
        [
            (m - s, m + s)
            for m, s in zip(COMPARISON["null_mean"], COMPARISON["null_std"], strict=True)
        ],
    )
    papers = [box.lines[0].get_xdata().item() for box in ax.containers]
    assert papers == [2.0, 1.84]
    (bar,) = ax.containers[0].lines[2]
    assert np.allclose(bar.get_segments()[0][:, 0], [2.0 - 0.035, 2.0 + 0.035])
    # 1.99, 2.01, 2.03: mean 2.01, standard error 0.02 / sqrt(3), Student's t with 2 degrees 4.303
    intervals = [line.get_xdata() for line in ax.lines if len(line.get_xdata()) == 2]
    half = 4.30265 * 0.02 / np.sqrt(3)
    assert any(np.allclose(i, [2.01 - half, 2.01 + half], atol=1e-5) for i in intervals)
    assert [label.get_text() for label in ax.get_yticklabels()] == [
        "MNIST (5,000 digits)\nwith dropout", "MNIST\nno dropout", "MNIST\nwith dropout"
    ]  # fmt: skip
    assert ax.yaxis_inverted()
    assert len(legend_texts(figure)) == 3


def test_comparison_without_the_paper_does_not_name_it():
    table = COMPARISON.assign(paper_mean=None, paper_std=None)
    figure = plots.comparison_figure(table)
    assert figure.axes[0].containers == []
    texts = [*legend_texts(figure), figure.axes[0].get_title("left")]
    assert not any("paper" in text for text in texts)


def test_null_figure_holds_the_tests():
    figure = plots.null_figure(TESTS)
    panels = [ax for ax in figure.axes if ax.get_visible()]
    assert len(panels) == 3
    for ax, test in zip(panels, TESTS, strict=True):
        assert sum(bar.get_height() for bar in ax.patches) == 20
        assert ax.lines[0].get_xdata() == [test["ncut"]] * 2
        assert ax.get_xlim() == panels[0].get_xlim()
    assert panels[1].get_title("left") == (
        "MNIST, with dropout\nn-cut 1.840, p = 0.048 (20 shuffles)"
    )
    labels = ["", "n-cut (k = 4), lower is more clusterable"]
    assert [ax.get_xlabel() for ax in panels] == [labels[0], labels[1], labels[1]]
    assert legend_texts(figure) == ["the network", "its shuffles"]


def test_stub_figure_holds_the_walk():
    (ax,) = DRAW["stubs"]().axes
    walk, exact = ax.lines
    assert np.array_equal(walk.get_xydata(), np.column_stack([STEPS, ESTIMATE]))
    assert exact.get_ydata() == [0.5, 0.5]
    (band,) = ax.collections
    edges = band.get_paths()[0].vertices
    assert {tuple(p) for p in np.column_stack([STEPS, ESTIMATE - 0.1])} <= set(map(tuple, edges))
    assert {tuple(p) for p in np.column_stack([STEPS, ESTIMATE + 0.1])} <= set(map(tuple, edges))
    texts = [text.get_text() for text in ax.get_legend().get_texts()]
    assert texts == ["95 % interval", "share so far", "n-cut / k = 0.500"]
    assert ax.get_xscale() == "log"


def test_k_figure_draws_ratios_in_order_of_k():
    figure = plots.k_figure(MANY_K)
    (ax,) = figure.axes
    lines = {}
    for line in ax.lines[:-1]:
        key = (line.get_marker(), line.get_linestyle())
        lines[key] = (line.get_xdata().tolist(), line.get_ydata())
    assert {key: xs for key, (xs, _) in lines.items()} == {
        (marker, dash): [2, 4, 10] for marker in "oD" for dash in ("-", "--")
    }
    assert np.allclose(lines["o", "-"][1], [1.01, 0.98, 0.96])
    assert np.allclose(lines["D", "--"][1], 0.9)
    assert ax.get_title("left") == "MNIST"
    assert legend_texts(figure) == [
        "ours, no dropout", "paper, no dropout", "ours, with dropout", "paper, with dropout",
        "shuffles: mean ± sd",
    ]  # fmt: skip
    alone = plots.k_figure(MANY_K.assign(paper_ncut_mean=np.nan))
    assert not any("paper" in text for text in legend_texts(alone))


@pytest.mark.parametrize("missing", ["dropout", "ncut", "test_acc"])
def test_missing_columns_are_named(missing):
    with pytest.raises(ValueError, match=rf"table lacks columns \['{missing}'\]"):
        plots.ncut_accuracy_figure(ACCURACY.drop(columns=missing))


@pytest.mark.parametrize(
    ("call", "message"),
    [
        (lambda: plots.ncut_accuracy_figure([]), "table has no rows"),
        (lambda: plots.ncut_accuracy_figure(ACCURACY.assign(phase="now")), "phase='now'"),
        (lambda: plots.ncut_accuracy_figure(ACCURACY.assign(dropout=0.5)), "dropout=0.5"),
        (lambda: plots.ncut_accuracy_figure(ACCURACY.assign(ncut=np.nan)), "in column ncut"),
        (lambda: plots.random_ncuts_figure([2.3], (2.3, 2.4)), r"ncuts with shape \(1,\)"),
        (lambda: plots.random_ncuts_figure(RANDOM, (2.4, 2.3)), r"support=\(2.4, 2.3\)"),
        (lambda: plots.comparison_figure(COMPARISON.drop(columns="ours")), "lacks columns"),
        (lambda: plots.comparison_figure(COMPARISON.assign(ours=[[]] * 3)), "ours with shape"),
        (lambda: plots.null_figure([{**TESTS[0], "n_shuffles": 320}]), "n_shuffles=320"),
        (lambda: plots.null_figure([{"title": "a"}]), "tests lacks columns"),
        (lambda: plots.stub_walk_figure([1, 2], [0, 1], [0, 1], [1], 0.5), "high with shape"),
        (lambda: plots.stub_walk_figure([1, 2], [0, 1, 1], [0, 1], [1, 1], 0.5), "lengths"),
        (lambda: plots.stub_walk_figure([2, 1], [0, 1], [0, 1], [1, 1], 0.5), "steps="),
        (lambda: plots.k_figure(MANY_K.assign(null_std=np.inf)), "in column null_std"),
    ],
)
def test_bad_tables_are_refused(call, message):
    settings = dict(mpl.rcParams)
    with pytest.raises(ValueError, match=message):
        call()
    assert dict(mpl.rcParams) == settings


def test_names_for_readers():
    assert {key: plots_style.dataset_name(key) for key in DATASET_NAMES} == DATASET_NAMES
    assert plots_style.dataset_name("mnist5k") == "MNIST (5,000 digits)"
    assert plots_style.dataset_name("my/own.npz") == "my/own.npz"
