"""Figures and pictures of chapter 4, with all three kinds of network that it trains."""

from __future__ import annotations

import math
from types import SimpleNamespace

import numpy as np
import pandas as pd
import pytest
from drawn import drawn_texts, fits_and_leaves_no_trace
from lesion_tables import overlaps
from matplotlib.text import Text
from small_book import printed

from modclust_utils.chapters.ch04_specialization import chances, figures, figures_images, tables
from modclust_utils.datasets.papers import paper_table
from modclust_utils.partitionings import PARTITIONINGS

MEASURES = chances.world(np.random.default_rng(0), replication=True).measures
BY_KIND = printed(tables.summary(MEASURES))
PLACE = ["kind", "partitioning"]
#: What chance gives each row of the panel of accuracy drops: another number for each kind.
CHANCE = printed(
    BY_KIND.loc[
        tables.is_tested(BY_KIND) & (BY_KIND["measure"] == "accuracy_drop"), [*PLACE, "measure"]
    ].assign(expected=lambda own: own["kind"].map({"mlp": 0.98, "cnn": 0.91, "vgg": 0.95}))
)
NAMES = ["MLP, MNIST", "CNN, MNIST", "VGG, CIFAR-10"]


@pytest.mark.parametrize(
    "draw",
    [
        lambda: figures.statistics(BY_KIND, paper_table("casper2022_table_1"), CHANCE, n_random=19),
        lambda: figures.p_values(BY_KIND),
        lambda: figures.histograms(MEASURES, "score", n_random=19),
    ],
)
def test_figures_of_measures_have_all_kinds_and_fit(draw):
    figure = fits_and_leaves_no_trace(lambda: draw().content)
    assert set(NAMES) <= {text.get_text().replace("\n", " ") for text in drawn_texts(figure)}


def test_the_axis_reaches_as_far_as_a_statistic_can():
    """With 100 random sets up to log 202, beyond what the paper's 19 allow."""
    extreme = BY_KIND.assign(fisher=math.log(202))
    extreme.attrs = BY_KIND.attrs
    printed_ones = paper_table("casper2022_table_1")
    for ax in figures.statistics(extreme, printed_ones, CHANCE, n_random=100).content.axes:
        assert ax.get_xlim()[1] > math.log(202)


def test_each_row_has_a_tick_where_chance_alone_puts_it():
    printed_ones = paper_table("casper2022_table_1")
    drops, ranges, *_ = figures.statistics(BY_KIND, printed_ones, CHANCE, n_random=19).content.axes
    ticks = [
        (*line.get_ydata(), *line.get_xdata()) for line in drops.lines if line.get_marker() == "|"
    ]
    rows = [0, 1, 2, 3, 5, 6, 7, 8, 10, 11, 12, 13]
    assert sorted(ticks) == list(zip(rows, [0.98] * 4 + [0.91] * 4 + [0.95] * 4, strict=True))
    assert not [line for line in ranges.lines if line.get_marker() == "|"]


def test_printed_statistics_stand_beside_ours_where_they_are_of_the_same_quantity():
    printed_ones = paper_table("casper2022_table_1")
    figure = figures.statistics(BY_KIND, printed_ones, CHANCE, n_random=19).content
    marker = figures.PAPER_MARKER["marker"]
    shown = [sum(line.get_marker() == marker for line in ax.lines) for ax in figure.axes]
    assert dict(zip(tables.MEASURES, shown, strict=True)) == {
        "accuracy_drop": 12, "class_range": 0, "score": 12, "entropy": 12
    }  # fmt: skip


def test_only_partitionings_that_were_measured_have_a_row():
    is_mlp = BY_KIND["kind"] == "mlp"
    some = BY_KIND[~is_mlp | (BY_KIND["partitioning"] == PARTITIONINGS[2])]
    some.attrs = BY_KIND.attrs
    printed_ones = paper_table("casper2022_table_1")
    drops = figures.statistics(some, printed_ones, CHANCE, n_random=19).content.axes[0]
    rows = [text.get_text() for text in drops.get_yticklabels()]
    assert rows == [PARTITIONINGS[2], *PARTITIONINGS, *PARTITIONINGS]
    ticks = [line.get_ydata()[0] for line in drops.lines if line.get_marker() == "|"]
    assert sorted(ticks) == [*drops.get_yticks()]


def test_papers_are_in_the_legend_where_they_have_the_networks():
    """They have none of those that others trained on CIFAR-10."""
    resnets = printed(BY_KIND[BY_KIND["kind"] == "mlp"].assign(kind="cifar10_resnet20"))
    for table, is_there in ((BY_KIND, True), (resnets, False)):
        figure = figures.statistics(
            table, paper_table("casper2022_table_1"), CHANCE, n_random=19
        ).content
        (legend,) = figure.legends
        assert ("paper" in [text.get_text() for text in legend.get_texts()]) == is_there


def test_networks_that_others_trained_share_a_heading_under_the_one_partitioning_they_have():
    """Rows have their names then; each point stands in the row of its own network."""
    mlp = BY_KIND[BY_KIND["kind"] == "mlp"]
    one = mlp[mlp["partitioning"] == PARTITIONINGS[0]]
    others = {"tiny_darknet": 1.3, "cifar10_resnet20": 2.1}
    parts = [one.assign(kind=kind, fisher=fisher) for kind, fisher in others.items()]
    both = printed(pd.concat([mlp, *parts, mlp.assign(kind="squeezenet1_0")]))
    figure = figures.statistics(
        both, paper_table("casper2022_table_1"), CHANCE[:0], n_random=19
    ).content
    drops = figure.axes[0]
    rows = [text.get_text() for text in drops.get_yticklabels()]
    names = ["Tiny Darknet, ImageNet", "ResNet-20 (CIFAR-10)"]
    assert rows == [*PARTITIONINGS, *names, *PARTITIONINGS]
    assert [text.get_text() for text in drops.texts] == [
        "MLP, MNIST", "trained by others, weights/network", "SqueezeNet 1.0, ImageNet"
    ]  # fmt: skip
    points = {
        line.get_xdata()[0]: line.get_ydata()[0]
        for line in drops.lines
        if len(line.get_xdata()) == 1
    }
    places = dict(zip(rows, drops.get_yticks(), strict=False))
    assert [points[fisher] for fisher in others.values()] == [places[name] for name in names]


def with_others(table, **columns):
    """A table of the perceptrons, and the same of other networks under one partitioning, each with
    its own value in some columns."""
    mlp = table[table["kind"] == "mlp"]
    one = mlp[mlp["partitioning"] == PARTITIONINGS[0]]
    names = ["tiny_darknet", *(f"cifar10_resnet{n}" for n in (20, 32, 44, 56))]
    parts = [
        one.assign(kind=kind, **{name: [values[i]] * len(one) for name, values in columns.items()})
        for i, kind in enumerate(names)
    ]
    return printed(pd.concat([mlp, *parts]))


OTHERS = ["Tiny Darknet, ImageNet", *(f"ResNet-{n} (CIFAR-10)" for n in (20, 32, 44, 56))]


def test_p_values_of_others_stand_in_one_panel_each_in_the_row_of_its_network():
    p = [10.0**-n for n in range(1, 6)]
    figure = figures.p_values(with_others(BY_KIND, p=p, significant=[True] * 5)).content
    mlp, others = figure.axes
    assert [text.get_text() for text in mlp.get_yticklabels()] == [*PARTITIONINGS]
    assert [text.get_text() for text in others.get_yticklabels()] == OTHERS
    drops = {
        text.get_position()[1]: text.get_text()
        for text in others.texts
        if text.get_position()[0] == 0
    }
    assert drops == {0: "-1", 1: "-2", 2: "-3", 3: "-4", 4: "-5"}


def test_percentiles_of_others_have_a_panel_each_with_its_name():
    """Four in a row, the fifth in the next."""
    ends = [np.full(3, (i + 0.5) / 5) for i in range(5)]
    figure = figures.histograms(
        with_others(MEASURES, percentiles=ends), "score", n_random=19
    ).content
    shown = [ax for ax in figure.axes if ax.axison]
    titles = [ax.get_title(loc="left").replace("\n", " ") for ax in shown]
    assert titles == [*PARTITIONINGS, *OTHERS]
    for ax, each in zip(shown[4:], ends, strict=True):
        (highest,) = [bar for bar in ax.patches if bar.get_height() > 0]
        assert highest.get_x() <= each[0] < highest.get_x() + highest.get_width()
    below = [ax.get_xlabel() for ax in shown]
    assert below == [""] * 5 + ["percentile"] * 4


@pytest.mark.parametrize(
    "draw",
    [
        lambda: figures.statistics(
            BY_KIND[:0], paper_table("casper2022_table_1"), CHANCE[:0], n_random=19
        ),
        lambda: figures.p_values(BY_KIND[:0]),
        lambda: figures.histograms(MEASURES[:0], "score", n_random=19),
    ],
)
def test_figures_without_sub_clusters_say_so(draw):
    (text,) = drawn_texts(draw().content)
    assert text.get_text() == "no sub-cluster was measured"


def both_tests(architecture, words, *, pretrained, z):
    return [
        {
            **{"kind": architecture, "words": words, "pretrained": pretrained},
            **{"mode": mode, "z_score": z + shift},
        }
        for mode, shift in (("layer", 0.0), ("channel", 1.0))
    ]


def test_networks_of_one_kind_share_a_row():
    rows = []
    for i in range(5):
        rows += both_tests("mlp", f"MLP, MNIST ({i})", pretrained=False, z=-i)
    rows += both_tests("vgg", "VGG, CIFAR-10 (0)", pretrained=False, z=-30.0)
    rows += both_tests("tiny_darknet", "Tiny Darknet", pretrained=True, z=-9.0)
    figure = fits_and_leaves_no_trace(
        lambda: figures.two_nulls(printed(pd.DataFrame(rows))).content
    )
    (ax,) = figure.axes
    assert [t.get_text() for t in ax.get_yticklabels()] == [NAMES[0], NAMES[2], "Tiny Darknet"]
    layer, channel = (line for line in ax.lines if line.get_label() in ("layer", "channel"))
    heights = [0, 0, 0, 0, 0, 1, 2]
    for line, shift in ((layer, 0), (channel, 1)):
        assert line.get_ydata().tolist() == heights
        assert line.get_xdata().tolist() == [x + shift for x in (0, -1, -2, -3, -4, -30, -9)]


def record(key, n):
    """Pictures of n sub-clusters of layers 0, 10, 20, ..., and of a random set each."""
    arrays = {
        "gallery": np.arange(n),
        "layer": 10 * np.arange(n),
        "size": np.full(n, 3),
        "score": np.arange(4.0 * n).reshape(n, 4),
        "images": np.zeros((n, 2, 3, 8, 8), np.uint8),
    }
    return SimpleNamespace(kind="set-visualizations", key=key, arrays=arrays)


def test_pairs_of_the_gallery_in_two_parts():
    """The page begins with the last layer of each network; both together are all of them. Those of
    networks for small images that others trained stand in the second part."""
    kinds = [("cnn", "mnist"), ("vgg", "cifar10_colour"), ("tiny_darknet", "imagenette")]
    names = [*NAMES[1:], "Tiny Darknet, ImageNet"]
    frame = printed(
        pd.DataFrame(
            [
                {
                    "partitioning": PARTITIONINGS[0],
                    "architecture": kind,
                    "dataset": dataset,
                    "record": record(f"{i}b", 4),
                }
                for i, (kind, dataset) in enumerate(
                    [*kinds, ("cifar10_resnet20", "cifar10_colour")]
                )
            ]
        )
    )
    shown = [figures_images.gallery(frame, more=more).content for more in (False, True)]
    assert [*shown[0].index] == [(name, 30) for name in names]
    assert [*shown[1].index] == [
        *((name, 10 * i) for name in names for i in range(3)),
        *(("ResNet-20 (CIFAR-10)", 10 * i) for i in range(4)),
    ]


def test_names_of_near_networks_cover_no_other_name_and_no_point():
    ours = [("ResNet-44 (CIFAR-10)", 9.96, -3.5), ("ResNet-56 (CIFAR-10)", 9.89, -3.7)]
    ours += [("EfficientNet-Lite0", 1.0, -1.6), ("EfficientNet-Lite2", 0.8, -1.9)]
    here = pd.DataFrame(ours, columns=["words", "ncut", "z_score"])
    paper = pd.DataFrame([("ResNet-18", 7.9, -2.9)], columns=["network", "ncut", "z_score"])
    figure = fits_and_leaves_no_trace(
        lambda: figures.against_shuffles(printed(here), printed(paper)).content
    )
    (ax,) = figure.axes
    # of the words alone, without a line to their point
    names = [Text.get_window_extent(text) for text in ax.texts]
    assert len(names) == 5
    assert overlaps(names) == 0
    points = ax.transData.transform([*(each[1:] for each in ours), (7.9, -2.9)])
    assert not [box for box in names for x, y in points if box.contains(x, y)]
