"""The dependency graph holds nodes and edges, and its edges keep clear of what is not theirs."""

from __future__ import annotations

import itertools
import math

import numpy as np
import pytest
from drawn import legend_texts, pixels
from lesion_tables import CROWD, EDGES, SINGLES, STABILITY, crowd, crowd_edges, tick_texts
from matplotlib.axes import Axes
from matplotlib.colors import to_hex
from matplotlib.patches import Circle, PathPatch, Polygon

from modclust_utils.chapters.ch03_lesions.figures_dependencies import (
    BETWEEN_COLOR,
    EDGE_STYLE,
    dependency_graph,
    edge_stability,
)
from modclust_utils.figures.colors import CLUSTER_COLORS

# as they draw: made-up tables have no records
graph, stability = dependency_graph.__wrapped__, edge_stability.__wrapped__


def graph_parts(ax: Axes) -> tuple[list[Circle], list[PathPatch], list[Polygon]]:
    return tuple(
        [p for p in ax.patches if type(p) is kind] for kind in (Circle, PathPatch, Polygon)
    )


def curve(path: PathPatch) -> np.ndarray:
    """Many places along a drawn edge."""
    (polygon,) = path.get_path().interpolated(1).to_polygons(closed_only=False)
    steps = np.linspace(0, 1, 20)[:, None]
    return np.concatenate(
        [a + steps * (b - a) for a, b in itertools.pairwise(polygon)]
    )  # fmt: skip


def test_graph_holds_nodes_and_edges():
    figure = graph(EDGES, SINGLES)
    (ax,) = figure.axes
    discs, lines, heads = graph_parts(ax)
    assert [t.get_text() for t in ax.texts] == ["1-0", "1-3", "2-2", "3-2"]
    assert [to_hex(d.get_facecolor()).upper() for d in discs] == [
        CLUSTER_COLORS[label] for label in (0, 3, 2, 2)
    ]
    areas = np.array([d.get_radius() ** 2 for d in discs])
    assert np.allclose(areas / areas[0], np.array([0.25, 0.24, 0.46, 0.53]) / 0.25)
    columns = [d.center[0] for d in discs]
    assert columns[0] == columns[1] < columns[2] < columns[3]
    assert [t.get_text() for t in ax.get_xticklabels()] == ["hidden 1", "hidden 2", "hidden 3"]
    for (start, end), line, head in zip([(0, 3), (1, 2), (2, 3)], lines, heads, strict=True):
        first, tip = line.get_path().vertices[0], head.get_xy()[1]
        assert math.dist(first, discs[start].center) == pytest.approx(discs[start].get_radius())
        assert math.dist(tip, discs[end].center) == pytest.approx(discs[end].get_radius())
    colors = [to_hex(line.get_edgecolor()).upper() for line in lines]
    assert colors == [BETWEEN_COLOR, BETWEEN_COLOR, CLUSTER_COLORS[2]]
    dashes = [line.get_linestyle() for line in lines]
    assert dashes == [EDGE_STYLE[s][0] for s in ((True, False), (False, True), (False, False))]
    assert legend_texts(figure)[:3] == [
        "X unimportant once Y is lesioned: what X sends goes to Y",
        "Y unimportant once X is lesioned: what Y gets comes from X",
        "both",
    ]
    assert ax.get_title("left") == "4 important sub-clusters, 3 edges X → Y"


def test_share_decides_the_width_and_is_explained():
    figure = graph(EDGES.assign(share=[0.0, 0.5, 1.0]), SINGLES)
    _, lines, _ = graph_parts(figure.axes[0])
    widths = [line.get_linewidth() for line in lines]
    assert widths[0] > 0
    assert np.diff(widths)[0] == pytest.approx(np.diff(widths)[1])
    assert np.diff(widths)[0] > 1
    assert "came back in 100 % of the re-clusterings" in legend_texts(figure)
    handles = dict(zip(legend_texts(figure), figure.legends[0].get_lines(), strict=True))
    full = handles["came back in 100 % of the re-clusterings"]
    assert full.get_linewidth() == pytest.approx(widths[2])
    assert not any("came back" in text for text in legend_texts(graph(EDGES, SINGLES)))


def test_sub_clusters_without_an_edge_stay():
    figure = graph(EDGES.iloc[:1], SINGLES)
    discs, lines, _ = graph_parts(figure.axes[0])
    assert (len(discs), len(lines)) == (4, 1)
    assert figure.axes[0].get_title("left") == "4 important sub-clusters, 1 edge X → Y"


@pytest.mark.parametrize(("seed", "share"), [(0, 0.1), (1, 0.25), (2, 0.5)])
def test_edges_keep_clear_of_other_discs(seed, share):
    singles = crowd(4, seed)
    edges = crowd_edges(singles, seed, share)
    assert (edges["y_layer"] - edges["x_layer"] > 1).any()
    (ax,) = graph(edges, singles).axes
    discs, lines, _ = graph_parts(ax)
    by_name = {text.get_text(): disc for text, disc in zip(ax.texts, discs, strict=True)}
    for edge, line in zip(edges.itertuples(), lines, strict=True):
        places = curve(line)
        assert (np.diff(places[:, 0]) >= -1e-9).all()
        ends = {f"{edge.x_layer}-{edge.x_label}", f"{edge.y_layer}-{edge.y_label}"}
        for name, disc in by_name.items():
            gap = np.hypot(*(places - disc.center).T).min() - disc.get_radius()
            assert gap >= (-0.01 if name in ends else 2.0)
    for layer, x in enumerate(ax.get_xticks(), start=1):
        passing = (edges["x_layer"] < layer) & (layer < edges["y_layer"])
        heights = [np.interp(x, *curve(line).T) for line in np.array(lines)[passing]]
        assert (np.diff(np.sort(heights)) >= 10).all()
    for one, other in itertools.combinations(discs, 2):
        assert math.dist(one.center, other.center) > one.get_radius() + other.get_radius() + 2


def test_graph_does_not_depend_on_the_order_of_rows():
    edges = crowd_edges(CROWD, 5, 0.3)
    first = pixels(graph(edges, CROWD))
    singles, edges = (table.sample(frac=1, random_state=1) for table in (CROWD, edges))
    assert np.array_equal(first, pixels(graph(edges, singles)))


def test_names_fit_into_the_smallest_disc():
    small = SINGLES.assign(proportion=[0.05, 0.05, 0.02, 0.05, 0.05, 0.11])
    (ax,) = graph(EDGES, small).axes
    discs, _, _ = graph_parts(ax)
    for text, disc in zip(ax.texts, discs, strict=True):
        assert text.get_window_extent().width < disc.get_window_extent().width


def test_stability_figure_sorts_edges():
    figure = stability(STABILITY)
    (ax,) = figure.axes
    assert tick_texts(ax)[0] == ["1-3 → 2-2", "2-2 → 3-2", "1-0 → 3-2"]
    assert ax.yaxis_inverted()
    chance, ours, others = ax.collections
    assert np.allclose(ours.get_offsets()[:, 0], [1.0, 0.7, 0.4])
    assert np.allclose(others.get_offsets()[:, 0], [0.0, 0.3, 0.1])
    assert np.allclose(np.round(ours.get_offsets()[:, 1]), [0, 1, 2])
    colors = [to_hex(color).upper() for color in ours.get_facecolors()]
    assert colors == [BETWEEN_COLOR, CLUSTER_COLORS[2], BETWEEN_COLOR]
    marks = {round(s[:, 1].mean()): s[0, 0] for s in chance.get_segments() if np.isfinite(s).all()}
    assert marks == {1: 0.2, 2: 0.05}
    assert legend_texts(figure) == [
        "re-clusterings of this network", "other networks", "other networks, by chance"
    ]  # fmt: skip


@pytest.mark.parametrize("table", [
    STABILITY.drop(columns="chance_networks"), STABILITY.assign(chance_networks=np.nan)
])  # fmt: skip
def test_stability_without_chance_does_not_name_it(table):
    figure = stability(table)
    assert len(figure.axes[0].collections) == 2
    assert legend_texts(figure) == ["re-clusterings of this network", "other networks"]
