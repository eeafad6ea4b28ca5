"""Figures of chapter 1 hold their tables, and know k and the records from them."""

from __future__ import annotations

import matplotlib as mpl
import numpy as np
import pandas as pd
import pytest
from drawn import drawn_texts, fits_and_leaves_no_trace, legend_texts, pixels
from matplotlib.collections import PathCollection
from matplotlib.colors import to_hex
from small_book import frame_of, make_network, make_partition, make_test, printed

from modclust_utils.chapters.ch01_clusterability import figures
from modclust_utils.chapters.ch01_clusterability.tables import facts_for_k
from modclust_utils.datasets.papers import paper_table
from modclust_utils.figures.style import CONDITION_STYLE

ACCURACY = printed(
    pd.DataFrame(
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
)
KINDS = [("mnist5k", True), ("mnist", False), ("mnist", True)]
OURS = [[1.98, 1.97, 1.99], [2.03, 1.99, 2.01], [1.84]]
NETWORKS = printed(
    pd.DataFrame(
        [(*kind, ncut) for kind, ncuts in zip(KINDS, OURS, strict=True) for ncut in ncuts],
        columns=["dataset", "dropout", "ncut"],
    )
)
COMPARISON = printed(
    pd.DataFrame(
        {
            "dataset": [kind[0] for kind in KINDS],
            "dropout": [kind[1] for kind in KINDS],
            "n_clusters": 4,
            "null_ncut_mean": [2.06, 2.04, 2.03],
            "null_ncut_std": [0.014, 0.017, 0.019],
            "paper_ncut_mean": [np.nan, 2.0, 1.84],
            "paper_ncut_std": [np.nan, 0.035, 0.015],
        }
    )
)
NULL = np.linspace(1.99, 2.06, 20)
TITLES = {"MNIST, no dropout": 2.0, "MNIST, with dropout": 1.84, "CIFAR-10, no dropout": 2.1}
SHUFFLES = printed(
    pd.DataFrame(
        [(title, ncut, value) for title, ncut in TITLES.items() for value in NULL],
        columns=["network", "ncut", "null"],
    )
)
MANY_K = printed(
    pd.DataFrame(
        [
            ("mnist", dropout, k, ratio * null, null, 0.01, paper * null, null)
            for dropout, paper in ((False, 0.97), (True, 0.9))
            for k, ratio, null in ((2, 1.01, 0.33), (10, 0.96, 7.4), (4, 0.98, 2.04))
        ],
        columns=[
            *("dataset", "dropout", "n_clusters", "ncut_mean", "null_ncut_mean", "null_ncut_std"),
            *("paper_ncut_mean", "paper_null_ncut_mean"),
        ],
    )
)
STEPS = np.array([10, 100, 1000, 10000])
ESTIMATE = np.array([0.6, 0.47, 0.52, 0.5])
WALK = printed(
    pd.DataFrame({"walks": STEPS, "left": ESTIMATE, "low": ESTIMATE - 0.1, "high": ESTIMATE + 0.1})
)
RANDOM = printed(pd.DataFrame({"ncut": np.random.default_rng(0).normal(2.36, 0.02, 50)}))
FACTS = paper_table("filan2020_text")


def one_test(k: int) -> pd.DataFrame:
    return frame_of([make_test(make_network(), 2.0, [2.1, 2.2], n_clusters=k)])


def partition(ncut: float, k: int = 4) -> pd.DataFrame:
    return frame_of([make_partition(make_network(), ncut, n_clusters=k)])


DRAW = {
    "accuracy": lambda k=4: figures.ncut_accuracy(ACCURACY, one_test(k)),
    "random": lambda k=4: figures.random_ncuts(RANDOM, one_test(k), facts_for_k(k)),
    "comparison": lambda k=4: figures.comparison(NETWORKS, COMPARISON.assign(n_clusters=k)),
    "nulls": lambda k=4: figures.nulls(SHUFFLES, one_test(k)),
    "stubs": lambda k=4: figures.stub_walk(WALK, partition(0.5 * k, k)),
    "k": lambda k=4: figures.number_of_clusters(MANY_K),
}


@pytest.mark.parametrize("name", DRAW)
def test_figures_fit_the_page_and_leave_no_trace(name):
    fits_and_leaves_no_trace(lambda: DRAW[name]().content)


@pytest.mark.parametrize("name", ["accuracy", "random", "comparison", "nulls"])
def test_axes_name_the_k_of_the_data(name):
    texts = [text.get_text() for text in drawn_texts(DRAW[name](7).content)]
    assert [text for text in texts if "k = 7" in text]
    assert not [text for text in texts if "k = 4" in text]


def test_two_k_cannot_share_an_axis():
    both = pd.concat([one_test(4), one_test(7)])
    with pytest.raises(ValueError, match=r"n_clusters=\[4, 7\] in one frame"):
        figures.nulls(SHUFFLES, both)


def test_figures_do_not_depend_on_global_settings():
    expected = pixels(DRAW["random"]().content)
    odd = {"font.size": 20, "xtick.labelsize": 20, "axes.grid": False, "axes.facecolor": "red"}
    with mpl.rc_context({**odd, "axes.spines.top": True, "axes.unicode_minus": False}):
        figure = DRAW["random"]().content
        assert np.array_equal(pixels(figure), expected)
        assert all(mpl.rcParams[key] == value for key, value in odd.items())


def test_figures_know_their_records_and_printed_sources():
    shown = DRAW["random"]()
    assert [record.kind for record in shown.trace.records] == ["shuffle-test"]
    assert shown.trace.sources == ("a made-up paper", FACTS.attrs["source"])
    pd.testing.assert_frame_equal(shown.data, pd.DataFrame(RANDOM))


def test_accuracy_figure_holds_the_table():
    figure = DRAW["accuracy"]().content
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
    figure = figures.ncut_accuracy(ACCURACY[ACCURACY["dropout"]], one_test(4)).content
    assert legend_texts(figure) == ["with dropout, before pruning", "with dropout, after pruning"]


def test_random_figure_counts_every_network():
    ax = DRAW["random"]().content.axes[0]
    ncuts = RANDOM["ncut"]
    *bars, span = ax.patches
    assert (span.get_x(), span.get_width()) == (2.3, pytest.approx(0.15))
    assert sum(bar.get_height() for bar in bars) == 50
    assert bars[0].get_x() == pytest.approx(ncuts.min())
    assert [text.get_text() for text in ax.texts] == ["range stated in the paper"]
    assert ax.get_title("left") == "n-cuts of 50 randomly initialized networks"
    (density,) = ax.lines
    assert ncuts.min() < density.get_xdata()[np.argmax(density.get_ydata())] < ncuts.max()


def test_printed_range_stands_only_beside_its_own_k():
    texts = [text.get_text() for text in drawn_texts(DRAW["random"](7).content)]
    assert not [text for text in texts if "paper" in text]
    assert FACTS.attrs["source"] not in DRAW["random"](7).trace.sources


def test_comparison_figure_holds_the_table():
    figure = DRAW["comparison"]().content
    (ax,) = figure.axes
    dots = [c.get_offsets()[:, 0] for c in ax.collections if isinstance(c, PathCollection)]
    assert [sorted(d) for d in dots] == [sorted(ours) for ours in OURS]
    bands = [(b.get_x(), b.get_x() + b.get_width()) for b in ax.patches]
    mean, std = COMPARISON["null_ncut_mean"], COMPARISON["null_ncut_std"]
    assert np.allclose(bands, np.column_stack([mean - std, mean + std]))
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
    table = COMPARISON.assign(paper_ncut_mean=np.nan, paper_ncut_std=np.nan)
    figure = figures.comparison(NETWORKS, table).content
    assert figure.axes[0].containers == []
    texts = [*legend_texts(figure), figure.axes[0].get_title("left")]
    assert not any("paper" in text for text in texts)


def test_null_figure_holds_the_tests():
    figure = DRAW["nulls"]().content
    panels = [ax for ax in figure.axes if ax.get_visible()]
    assert len(panels) == 3
    for ax, ncut in zip(panels, TITLES.values(), strict=True):
        assert sum(bar.get_height() for bar in ax.patches) == 20
        assert ax.lines[0].get_xdata() == [ncut] * 2
        assert ax.get_xlim() == panels[0].get_xlim()
    assert panels[1].get_title("left") == (
        "MNIST, with dropout\nn-cut 1.840, p = 0.048 (20 shuffles)"
    )
    labels = ["", "n-cut (k = 4), lower is more clusterable"]
    assert [ax.get_xlabel() for ax in panels] == [labels[0], labels[1], labels[1]]
    assert legend_texts(figure) == ["the network", "its shuffles"]


def test_stub_figure_holds_the_walk():
    (ax,) = DRAW["stubs"]().content.axes
    walk, exact = ax.lines
    assert np.array_equal(walk.get_xydata(), np.column_stack([STEPS, ESTIMATE]))
    assert exact.get_ydata() == [0.5, 0.5]
    (band,) = ax.collections
    edges = set(map(tuple, band.get_paths()[0].vertices))
    for side in (ESTIMATE - 0.1, ESTIMATE + 0.1):
        assert set(map(tuple, np.column_stack([STEPS, side]))) <= edges
    texts = [text.get_text() for text in ax.get_legend().get_texts()]
    assert texts == ["95 % interval", "share so far", "n-cut / k = 0.500"]
    assert ax.get_xscale() == "log"


def test_k_figure_draws_ratios_in_order_of_k():
    figure = DRAW["k"]().content
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
    alone = figures.number_of_clusters(MANY_K.assign(paper_ncut_mean=np.nan)).content
    assert not any("paper" in text for text in legend_texts(alone))


@pytest.mark.parametrize("missing", ["dropout", "ncut", "test_acc"])
def test_missing_columns_are_named(missing):
    with pytest.raises(ValueError, match=rf"table lacks columns \['{missing}'\]"):
        figures.ncut_accuracy(ACCURACY.drop(columns=missing), one_test(4))


@pytest.mark.parametrize(
    ("call", "message"),
    [
        (lambda: figures.ncut_accuracy(ACCURACY.iloc[:0], one_test(4)), "table has no rows"),
        (lambda: figures.ncut_accuracy(ACCURACY.assign(phase="now"), one_test(4)), "phase='now'"),
        (lambda: figures.ncut_accuracy(ACCURACY.assign(dropout=0.5), one_test(4)), "dropout=0.5"),
        (lambda: figures.ncut_accuracy(ACCURACY.assign(ncut=np.nan), one_test(4)), "column ncut"),
        (lambda: figures.random_ncuts(RANDOM.head(1), one_test(4), FACTS), r"shape \(1,\)"),
        (lambda: figures.stub_walk(WALK[::-1], partition(2.0)), "walks do not increase"),
        (lambda: figures.number_of_clusters(MANY_K.assign(null_ncut_std=np.inf)), "null_ncut_std"),
    ],
)
def test_bad_tables_are_refused(call, message):
    settings = dict(mpl.rcParams)
    with pytest.raises(ValueError, match=message):
        call()
    assert dict(mpl.rcParams) == settings
