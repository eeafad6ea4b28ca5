"""The picture of a clustered network."""

from __future__ import annotations

import numpy as np
import pytest
from drawn import fits_and_leaves_no_trace
from matplotlib.axes import Axes
from matplotlib.collections import LineCollection, PolyCollection
from matplotlib.colors import to_hex

from modclust_utils.figures.colors import CLUSTER_COLORS, OTHER_COLOR
from modclust_utils.figures.network import network_figure
from modclust_utils.figures.style import ACROSS_COLOR

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
    figure = network_figure(TINY, TINY_LABELS)
    whole, first, second = figure.axes
    blue, amber = CLUSTER_COLORS[:2]
    across = ACROSS_COLOR
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
    whole = network_figure(TINY, TINY_LABELS, max_edges=3).axes[0]
    blue, amber = CLUSTER_COLORS[:2]
    # the smaller pair of layers has 3 edges and gets 1, the other 2: |6|, and |3| and |2|
    assert edge_lines(whole) == {(0, blue): 1, (0, amber): 1, (1, amber): 1}
    assert "strongest edges of each layer, 3 of 7" in whole.get_title("left")


def test_edges_that_a_small_layer_does_not_need_go_to_the_others():
    weights = [np.ones((20, 20)), np.ones((2, 20))]
    labels = np.zeros(42, dtype=int)
    whole = network_figure(weights, labels, max_edges=100).axes[0]
    assert edge_lines(whole) == {(0, CLUSTER_COLORS[0]): 60, (1, CLUSTER_COLORS[0]): 40}


def test_a_number_without_units_gets_no_panel():
    figure = network_figure(TINY, np.where(TINY_LABELS == 1, 3, TINY_LABELS))
    titles = [ax.get_title("left") for ax in figure.axes]
    assert "its 2 clusters" in titles[0]
    assert titles[1:] == ["cluster 0: 47% of volume", "cluster 3: 53% of volume"]
    assert unit_colors(figure.axes[2]) == [CLUSTER_COLORS[3]] * 3


def test_clusters_without_a_color_of_their_own_share_one_and_have_no_panel():
    figure = network_figure(TINY, np.where(TINY_LABELS == 1, 12, TINY_LABELS))
    whole, first = figure.axes
    assert unit_colors(whole) == [CLUSTER_COLORS[0], OTHER_COLOR] * 3
    assert edge_lines(whole)[1, OTHER_COLOR] == 1
    assert "its 2 clusters" in whole.get_title("left")
    assert whole.get_title("left").endswith(
        "\nclusters from number 12 on have one colour, and no panel below"
    )
    assert first.get_title("left") == "cluster 0: 47% of volume"


def test_network_figure_sorts_units_by_cluster_and_names_logits():
    rng = np.random.default_rng(0)
    weights = [rng.normal(size=(5, 9)), rng.normal(size=(4, 5))]
    labels = np.array([1, 0, 2, 1, 0, 2, 1, 0, 2, 2, 1, 0, 1, 2, 1, 0, 1, 2])
    whole = network_figure(weights, labels).axes[0]
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
        (TINY, np.full(8, -1), {}, "labels has no unit in clusters 0 to 11; allowed: one or more"),
        (TINY, np.full(8, 12), {}, "labels has no unit in clusters 0 to 11; allowed: one or more"),
        (TINY, TINY_LABELS, {"max_edges": 0}, "max_edges=0"),
    ],
)
def test_bad_networks_are_refused(weights, labels, settings, message):
    with pytest.raises(ValueError, match=message):
        network_figure(weights, labels, **settings)


@pytest.mark.parametrize(
    ("weights", "labels"),
    [
        (TINY, TINY_LABELS),
        ([np.ones((14, 14)), np.ones((14, 14))], np.tile(np.arange(14), 3)),
    ],
)
def test_picture_fits_the_page(weights, labels):
    fits_and_leaves_no_trace(lambda: network_figure(weights, labels))
