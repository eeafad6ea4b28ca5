from __future__ import annotations

import itertools
import math

import matplotlib as mpl
import numpy as np
import pandas as pd
import pytest
from drawn import fits_and_leaves_no_trace, legend_texts, pixels
from matplotlib.axes import Axes
from matplotlib.collections import LineCollection, PathCollection
from matplotlib.colors import to_hex, to_rgb
from matplotlib.patches import Circle, PathPatch, Polygon
from matplotlib.text import Annotation
from matplotlib.transforms import Bbox

from modclust_utils.chapters.ch03_lesions.figures import (
    class_drop_figure,
    conditional_importance_figure,
    damage_matrix_figure,
    dependency_graph_figure,
    edge_stability_figure,
    single_lesion_figure,
)
from modclust_utils.chapters.ch03_lesions.figures_pairs import PAIR_STATES
from modclust_utils.figures.cells import BETWEEN_COLOR, EDGE_STYLE, KIND_MARKS, text_color_on
from modclust_utils.figures.colors import CLUSTER_COLORS
from modclust_utils.figures.style import INK

# Two hidden layers of one network, and a third that an edge passes. 2-0 is not important.
SINGLES = pd.DataFrame(
    [
        (1, 0, 64, 0.25, 0.055, "important", 0.003, 0.002),
        (1, 3, 60, 0.24, 0.187, "important", 0.004, 0.003),
        (2, 0, 5, 0.02, -0.001, "small", 0.000, 0.001),
        (2, 2, 118, 0.46, 0.035, "important", 0.004, 0.003),
        (3, 2, 135, 0.53, 0.043, "important", -0.002, 0.002),
        (3, 7, 29, 0.11, 0.0087, "sig-but-not-diff", -0.001, 0.001),
    ],
    columns=["layer", "label", "size", "proportion", "drop", "kind", "null_mean", "null_std"],
)
SINGLES["p_value"] = 1 / 101
PAIR = ["x_layer", "x_label", "y_layer", "y_label"]
PAIRS = pd.DataFrame(
    [
        (1, 0, 2, 2, 0.166, 0.146, 1 / 51, 1 / 51, True, True),
        (1, 0, 3, 2, 0.033, -0.009, 1 / 51, 1.0, True, False),
        (1, 3, 2, 2, 0.007, 0.031, 0.5, 1 / 51, False, True),
        (2, 2, 3, 2, 0.045, 0.054, 1.0, 2 / 51, False, False),
        (2, 0, 3, 2, 0.001, 0.0404, 0.3, 1 / 51, False, True),
    ],
    columns=[
        *PAIR, "delta_x_y", "delta_y_x", "p_x_given_y", "p_y_given_x", "x_given_y", "y_given_x"
    ],
)  # fmt: skip
PAIRS["drop_both"] = 0.2
EDGES = PAIRS.iloc[1:4]
CLASSES = pd.DataFrame(
    {"layer": [2, 1], "label": [2, 0], "class_0": [0.5, -0.004], "class_1": [0.0, 0.123]}
)
STABILITY = EDGES[PAIR].assign(
    share_reclusterings=[0.4, 1.0, 0.7],
    share_networks=[0.1, 0.0, 0.3],
    chance_networks=[0.05, np.nan, 0.2],
)


def crowd(n_labels: int, seed: int) -> pd.DataFrame:
    """Four layers of sub-clusters, most of them important and close together."""
    rng = np.random.default_rng(seed)
    rows = [(layer, label) for layer in range(1, 5) for label in range(n_labels)]
    kinds = np.where(rng.random(len(rows)) < 0.8, "important", "other")
    return pd.DataFrame(rows, columns=["layer", "label"]).assign(
        proportion=rng.uniform(0.05, 0.3, len(rows)),
        drop=rng.uniform(0.01, 0.06, len(rows)),
        kind=kinds,
        null_mean=0.002,
        null_std=0.002,
    )


def all_pairs(singles: pd.DataFrame, seed: int) -> pd.DataFrame:
    rng = np.random.default_rng(seed)
    names = list(zip(singles["layer"], singles["label"], strict=True))
    rows = [(*x, *y) for x in names for y in names if x[0] < y[0]]
    table = pd.DataFrame(rows, columns=PAIR)
    deltas = rng.normal(0.02, 0.05, (2, len(rows)))
    p_values = rng.choice([1 / 51, 0.4, 1.0], (2, len(rows)))
    given = rng.random((2, len(rows))) < 0.5
    return table.assign(
        delta_x_y=deltas[0], delta_y_x=deltas[1], p_x_given_y=p_values[0],
        p_y_given_x=p_values[1], x_given_y=given[0], y_given_x=given[1],
    )  # fmt: skip


def crowd_edges(singles: pd.DataFrame, seed: int, share: float) -> pd.DataFrame:
    """Some of the pairs of important sub-clusters that have an edge."""
    important = singles[singles["kind"] == "important"]
    pairs = all_pairs(important, seed)
    pairs = pairs[~(pairs["x_given_y"] & pairs["y_given_x"])]
    return pairs[np.random.default_rng(seed).random(len(pairs)) < share]


CROWD = crowd(4, 0)
DRAW = {
    "single": lambda: single_lesion_figure(SINGLES),
    "single crowd": lambda: single_lesion_figure(CROWD),
    "conditional": lambda: conditional_importance_figure(PAIRS, SINGLES),
    "conditional crowd": lambda: conditional_importance_figure(all_pairs(CROWD, 1), CROWD),
    "matrix": lambda: damage_matrix_figure(PAIRS, SINGLES, n_random_sets=50),
    "matrix crowd": lambda: damage_matrix_figure(all_pairs(CROWD, 1), CROWD, n_random_sets=50),
    "graph": lambda: dependency_graph_figure(SINGLES, EDGES),
    "graph crowd": lambda: dependency_graph_figure(
        CROWD, crowd_edges(CROWD, 2, 0.3).assign(share=0.5)
    ),
    "classes": lambda: class_drop_figure(CLASSES, {0: "T-shirt/top", 1: "Ankle boot"}),
    "stability": lambda: edge_stability_figure(STABILITY),
}


@pytest.mark.parametrize("name", DRAW)
def test_figures_fit_the_page_and_leave_no_trace(name):
    fits_and_leaves_no_trace(DRAW[name])


@pytest.mark.parametrize("name", ["single", "graph"])
def test_figures_do_not_depend_on_global_settings(name):
    expected = pixels(DRAW[name]())
    odd = {"font.size": 20, "axes.grid": False, "axes.facecolor": "red", "figure.dpi": 100}
    with mpl.rc_context({**odd, "lines.linewidth": 9, "axes.unicode_minus": False}):
        assert np.array_equal(pixels(DRAW[name]()), expected)


def overlaps(boxes: list[Bbox]) -> int:
    """Pairs of boxes that share more than an edge."""
    inner = [Bbox([box.min + 0.5, box.max - 0.5]) for box in boxes]
    return sum(a.overlaps(b) for a, b in itertools.combinations(inner, 2))


@pytest.mark.parametrize("name", ["conditional", "conditional crowd", "matrix", "classes"])
def test_texts_in_cells_do_not_touch(name):
    ax = DRAW[name]().axes[0]
    labels = [*ax.texts, *ax.get_xticklabels(), *ax.get_yticklabels()]
    if name == "classes":  # a slanted name's box is larger than the name
        labels = [*ax.texts, *ax.get_yticklabels()]
    assert len(labels) >= 6
    assert overlaps([text.get_window_extent() for text in labels]) == 0


@pytest.mark.parametrize("n_labels", [6, 2])
def test_texts_stay_in_the_cells_of_a_matrix(n_labels):
    singles = crowd(n_labels, 3)
    ax = damage_matrix_figure(all_pairs(singles, 4), singles, n_random_sets=50).axes[0]
    cell = ax.bbox.width / len(singles), ax.bbox.height / len(singles)
    assert any(text.get_text().startswith("−") for text in ax.texts)
    for text in ax.texts:
        box = text.get_window_extent()
        assert box.width <= cell[0]
        assert box.height <= cell[1]


# Single lesions


def points(ax: Axes) -> dict[tuple[float, float], str]:
    """The colour of each marker, by its place."""
    return {
        tuple(np.round(place, 6)): to_hex(color).upper()
        for collection in ax.collections
        if isinstance(collection, PathCollection)
        for place, color in zip(
            collection.get_offsets(), collection.get_facecolors(), strict=True
        )
    }  # fmt: skip


def names(ax: Axes) -> list[Annotation]:
    return [t for t in ax.texts if t.get_text()]


def test_single_figure_holds_the_table():
    (ax,) = DRAW["single"]().axes
    places = [(25, 5.5), (24, 18.7), (2, -0.1), (46, 3.5), (53, 4.3), (11, 0.87)]
    labels = [0, 3, 0, 2, 2, 7]
    assert points(ax) == {p: CLUSTER_COLORS[k] for p, k in zip(places, labels, strict=True)}
    assert {t.get_text(): tuple(np.round(t.xy, 6)) for t in names(ax)} == {
        "1-0": (25, 5.5), "1-3": (24, 18.7), "2-2": (46, 3.5), "3-2": (53, 4.3)
    }  # fmt: skip
    (bars,) = (c for c in ax.collections if isinstance(c, LineCollection))
    spans = [(s[0, 0], s[0, 1], s[1, 1]) for s in bars.get_segments()]
    assert np.allclose(spans[0], (25, 0.1, 0.5))
    assert np.allclose(spans[-1], (11, -0.2, 0.0))
    # from 0 to 1 point as far as from 1 to 10: small drops can be told apart
    zero, one, ten = ax.transData.transform([(0, 0), (0, 1), (0, 10)])[:, 1]
    assert one - zero == pytest.approx(ten - one, rel=0.12)


def test_single_figure_marks_kinds_and_states_the_limits():
    table = SINGLES.assign(kind=["important", "other", "small", "diff-but-not-sig"] + ["small"] * 2)
    figure = single_lesion_figure(table, least_drop=0.02, least_share=0.1)
    (ax,) = figure.axes
    assert legend_texts(figure) == [
        "important", "drop over 2 points, but not significant", "small: under 10 % of the layer",
        "other", "random sets: mean ± sd", "limits: 2 points, 10 %",
    ]  # fmt: skip
    across, up = ax.lines
    assert across.get_ydata() == [2, 2]
    assert up.get_xdata() == [10, 10]
    assert [t.get_text() for t in figure.legends[1].get_texts()] == ["0", "2", "3", "7"]
    drawn = [
        (len(c.get_offsets()), len(c.get_paths()[0].vertices))
        for c in ax.collections
        if isinstance(c, PathCollection)
    ]
    assert sorted(count for count, _ in drawn) == [1, 1, 1, 3]
    assert len({corners for _, corners in drawn}) >= 3
    assert len({marker for marker, _ in KIND_MARKS.values()}) == len(KIND_MARKS) == 5


def inside(ax: Axes, boxes: list[Bbox]) -> bool:
    page = ax.bbox
    return all(
        page.x0 <= b.x0 and b.x1 <= page.x1 and page.y0 <= b.y0 and b.y1 <= page.y1 for b in boxes
    )


@pytest.mark.parametrize("seed", range(2))
def test_names_in_a_crowd_can_be_read(seed):
    table = crowd(6, seed)
    (ax,) = single_lesion_figure(table).axes
    important = table[table["kind"] == "important"]
    assert len(names(ax)) == len(important)
    boxes = [name.get_window_extent() for name in names(ax)]
    # tight boxes: Annotation counts its own line in, of which these have none
    assert all(name.arrow_patch is None for name in names(ax))
    assert overlaps(boxes) == 0
    spots = ax.transData.transform(100 * table[["proportion", "drop"]].to_numpy())
    radius = 3.0 * ax.get_figure().dpi / 72
    assert not any(box.padded(radius).contains(*spot) for box in boxes for spot in spots)
    assert inside(ax, boxes)


def test_a_name_that_had_to_move_has_a_line_to_its_point():
    spread, heap = (
        pd.DataFrame(
            {
                "layer": 1, "label": range(10), "proportion": [0.2 + step * i for i in range(10)],
                "drop": 0.05, "kind": "important", "null_mean": 0.0, "null_std": 0.001,
            }
        )
        for step in (0.07, 0.0005)
    )  # fmt: skip
    lines = []
    for table in (spread, heap):
        (ax,) = single_lesion_figure(table).axes
        boxes = [name.get_window_extent() for name in names(ax)]
        assert overlaps(boxes) == 0
        assert inside(ax, boxes)
        lines.append([t for t in ax.texts if t.arrow_patch is not None])
    assert lines[0] == []
    far = {t.xy for t in lines[1]}
    assert len(far) >= 4
    assert far <= {t.xy for t in names(lines[1][0].axes)}


# Pairs


def cell_texts(ax: Axes) -> dict[tuple[float, float], list[str]]:
    """Texts of each cell (row, column), from above."""
    cells: dict[tuple[float, float], list[str]] = {}
    for text in sorted(ax.texts, key=lambda t: t.get_position()[1]):
        x, y = text.get_position()
        cells.setdefault((round(y), round(x)), []).append(text.get_text())
    return cells


def tick_texts(ax: Axes) -> tuple[list[str], list[str]]:
    return (
        [t.get_text() for t in ax.get_yticklabels()], [t.get_text() for t in ax.get_xticklabels()]
    )  # fmt: skip


def test_conditional_figure_holds_the_pairs():
    figure = DRAW["conditional"]()
    (ax,) = figure.axes
    assert tick_texts(ax) == (["1-0", "1-3", "2-2"], ["2-2", "3-2"])
    assert cell_texts(ax) == {
        (0, 0): ["X 16.6 ✓", "Y 14.6 ✓"],
        (0, 1): ["X 3.3 ✓", "Y −0.9 ✗"],
        (1, 0): ["X 0.7 ✗", "Y 3.1 ✓"],
        (2, 1): ["X 4.5 ✗", "Y 5.4 ✗"],
    }
    colors = {
        (round(p.get_y() + 0.5), round(p.get_x() + 0.5)): to_hex(p.get_facecolor()).upper()
        for p in ax.patches
    }
    states = {(0, 0): (True, True), (0, 1): (True, False), (1, 0): (False, True)}
    states[2, 1] = (False, False)
    assert colors == {cell: PAIR_STATES[s][0] for cell, s in states.items()}
    assert legend_texts(figure) == [words for _, words in PAIR_STATES.values()]
    # 2-2 in the row and in the column: no pair
    assert [(line.get_ydata()[0], line.get_xdata()[0]) for line in ax.lines] == [(2, 0)]
    badges = [to_hex(t.get_bbox_patch().get_facecolor()).upper() for t in ax.get_yticklabels()]
    assert badges == [CLUSTER_COLORS[label] for label in (0, 3, 2)]


def test_many_columns_leave_the_states_to_the_colors():
    singles = crowd(4, 0).assign(kind="important")
    (ax,) = conditional(all_pairs(singles, 1), singles).axes
    texts = [text.get_text() for text in ax.texts]
    assert len(tick_texts(ax)[1]) == 3 * 4
    assert len(texts) == 2 * (4 * 4) * (3 + 2 + 1)
    assert not set("✓✗") & set("".join([*texts, ax.get_title("left")]))


def test_states_say_the_same_as_edges():
    for state, (_, words) in EDGE_STYLE.items():
        if words != "both":
            assert words.split(": ")[1] == PAIR_STATES[state][1].split(": ")[1]


def test_matrix_holds_the_pairs_in_both_directions():
    figure = damage_matrix_figure(PAIRS.sample(frac=1, random_state=0), SINGLES, n_random_sets=50)
    ax = figure.axes[0]
    assert tick_texts(ax) == tuple(
        [["1-0 IMP", "1-3 IMP", "2-0 SMA", "2-2 IMP", "3-2 IMP", "3-7 SIG"]] * 2
    )
    assert cell_texts(ax) == {
        (0, 0): ["5.5"], (1, 1): ["18.7"], (2, 2): ["−0.1"], (3, 3): ["3.5"], (4, 4): ["4.3"],
        (5, 5): ["0.9"],
        (0, 3): ["16.6\n★"], (3, 0): ["14.6\n★"],
        (0, 4): ["3.3\n★"], (4, 0): ["−0.9\n?"],
        (1, 3): ["0.7"], (3, 1): ["3.1\n★"],
        (3, 4): ["4.5\n?"], (4, 3): ["5.4"],
        (2, 4): ["0.1"], (4, 2): ["4.0\n★"],
    }  # fmt: skip
    bold = {t.get_text() for t in ax.texts if t.get_weight() == "bold"}
    assert bold == {"5.5", "18.7", "−0.1", "3.5", "4.3", "0.9"}
    (image,) = ax.images
    values = np.ma.filled(image.get_array(), np.nan)
    assert values[0, 4] == pytest.approx(3.3)
    assert values[4, 0] == pytest.approx(-0.9)
    assert np.isnan(values[0, 1])
    red, _, blue, _ = image.cmap(image.norm(10.0))
    assert red > blue
    assert image.norm(0.0) == pytest.approx(0.5)
    assert [tuple(line.get_ydata()) for line in ax.lines[::2]] == [(1.5, 1.5), (3.5, 3.5)]
    assert [tuple(line.get_xdata()) for line in ax.lines[1::2]] == [(1.5, 1.5), (3.5, 3.5)]
    assert "IMP important, SIG sig-but-not-diff, SMA small" in ax.get_title("left")


def test_stars_depend_on_the_number_of_random_sets():
    def stars(n_random_sets: int) -> int:
        figure = damage_matrix_figure(PAIRS, SINGLES, n_random_sets=n_random_sets)
        return sum("★" in text.get_text() for text in figure.axes[0].texts)

    # least p values: 1 / 51, six times; 1 / 101, never; 1 / 25, 2 / 51 counts too
    assert [stars(50), stars(100), stars(24)] == [5, 0, 6]


def test_a_large_matrix_keeps_its_marks_and_drops_its_numbers():
    singles = crowd(7, 0)
    pairs = all_pairs(singles, 1)
    texts = [
        t.get_text() for t in damage_matrix_figure(pairs, singles, n_random_sets=50).axes[0].texts
    ]
    p_values = pairs[["p_x_given_y", "p_y_given_x"]].to_numpy()
    assert texts.count("?") == (p_values == 1).sum()
    assert texts.count("★") == (p_values == 1 / 51).sum()
    assert set(texts) == {"?", "★"}


# The dependency graph


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
    figure = DRAW["graph"]()
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
    figure = dependency_graph_figure(SINGLES, EDGES.assign(share=[0.0, 0.5, 1.0]))
    _, lines, _ = graph_parts(figure.axes[0])
    widths = [line.get_linewidth() for line in lines]
    assert widths[0] > 0
    assert np.diff(widths)[0] == pytest.approx(np.diff(widths)[1])
    assert np.diff(widths)[0] > 1
    assert "came back in 100 % of the re-clusterings" in legend_texts(figure)
    handles = dict(zip(legend_texts(figure), figure.legends[0].get_lines(), strict=True))
    full = handles["came back in 100 % of the re-clusterings"]
    assert full.get_linewidth() == pytest.approx(widths[2])
    assert not any("came back" in text for text in legend_texts(DRAW["graph"]()))


def test_sub_clusters_without_an_edge_stay():
    for edges in ([], EDGES.iloc[:0], EDGES.iloc[:1]):
        figure = dependency_graph_figure(SINGLES, edges)
        discs, lines, _ = graph_parts(figure.axes[0])
        assert (len(discs), len(lines)) == (4, len(edges))
    assert figure.axes[0].get_title("left") == "4 important sub-clusters, 1 edge X → Y"
    one = SINGLES.iloc[:1]
    assert len(graph_parts(dependency_graph_figure(one, []).axes[0])[0]) == 1


@pytest.mark.parametrize(("seed", "share"), [(0, 0.1), (1, 0.25), (2, 0.5)])
def test_edges_keep_clear_of_other_discs(seed, share):
    singles = crowd(4, seed)
    edges = crowd_edges(singles, seed, share)
    assert (edges["y_layer"] - edges["x_layer"] > 1).any()
    (ax,) = dependency_graph_figure(singles, edges).axes
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
    first = pixels(dependency_graph_figure(CROWD, edges))
    singles, edges = (table.sample(frac=1, random_state=1) for table in (CROWD, edges))
    assert np.array_equal(first, pixels(dependency_graph_figure(singles, edges)))


def test_names_fit_into_the_smallest_disc():
    small = SINGLES.assign(proportion=[0.05, 0.05, 0.02, 0.05, 0.05, 0.11])
    (ax,) = dependency_graph_figure(small, EDGES).axes
    discs, _, _ = graph_parts(ax)
    for text, disc in zip(ax.texts, discs, strict=True):
        assert text.get_window_extent().width < disc.get_window_extent().width


# Classes and stability


def test_class_figure_holds_the_table_in_order():
    figure = DRAW["classes"]()
    ax = figure.axes[0]
    assert tick_texts(ax) == (["1-0", "2-2"], ["T-shirt/top", "Ankle boot"])
    assert cell_texts(ax) == {
        (0, 0): ["−0.4"], (0, 1): ["12.3"], (1, 0): ["50.0"], (1, 1): ["0.0"]
    }  # fmt: skip
    white = {t.get_text() for t in ax.texts if to_hex(t.get_color()) == "#ffffff"}
    assert white == {"50.0"} | ({"12.3"} & white)
    badges = [to_hex(t.get_bbox_patch().get_facecolor()).upper() for t in ax.get_yticklabels()]
    assert badges == [CLUSTER_COLORS[0], CLUSTER_COLORS[2]]


def luminance(color: str) -> float:
    values = np.array(to_rgb(color))
    linear = np.where(values <= 0.04045, values / 12.92, ((values + 0.055) / 1.055) ** 2.4)
    return float(linear @ [0.2126, 0.7152, 0.0722])


def contrast(one: str, other: str) -> float:
    low, high = sorted([luminance(one), luminance(other)])
    return (high + 0.05) / (low + 0.05)


def test_texts_on_colors_can_be_read():
    for color in CLUSTER_COLORS:
        text = text_color_on(color)
        assert contrast(text, color) >= 4
        assert contrast(text, color) == max(contrast("white", color), contrast(INK, color))
    for color, _ in PAIR_STATES.values():
        assert contrast(INK, color) >= 7
    ax = damage_matrix_figure(all_pairs(CROWD, 1), CROWD, n_random_sets=50).axes[0]
    (image,) = ax.images
    for text in ax.texts:
        column, row = text.get_position()
        ground = to_hex(image.cmap(image.norm(image.get_array()[row, column])))
        assert contrast(to_hex(text.get_color()), ground) >= 4


def test_stability_figure_sorts_edges():
    figure = DRAW["stability"]()
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
    figure = edge_stability_figure(table)
    assert len(figure.axes[0].collections) == 2
    assert legend_texts(figure) == ["re-clusterings of this network", "other networks"]


# What is refused

single, conditional = (
    single_lesion_figure, conditional_importance_figure
)  # fmt: skip
matrix, graph = damage_matrix_figure, dependency_graph_figure
stability, classes = edge_stability_figure, class_drop_figure


@pytest.mark.parametrize(
    ("draw", "name", "columns"),
    [
        (single, "singles", "layer label proportion drop kind null_mean null_std"),
        (lambda t: conditional(PAIRS, t), "singles", "layer label kind"),
        (lambda t: matrix(PAIRS, t, n_random_sets=50), "singles", "layer label kind drop"),
        (lambda t: graph(t, EDGES), "singles", "layer label kind proportion"),
    ],
)
def test_missing_columns_of_singles_are_named(draw, name, columns):
    for column in columns.split():
        with pytest.raises(ValueError, match=rf"{name} lacks columns \['{column}'\]"):
            draw(SINGLES.drop(columns=column))


@pytest.mark.parametrize(
    ("draw", "name", "table", "columns"),
    [
        (lambda t: conditional(t, SINGLES), "pairs", PAIRS,
         [*PAIR, "delta_x_y", "delta_y_x", "x_given_y", "y_given_x"]),
        (lambda t: matrix(t, SINGLES, n_random_sets=50), "pairs", PAIRS,
         [*PAIR, "delta_x_y", "delta_y_x", "p_x_given_y", "p_y_given_x"]),
        (lambda t: graph(SINGLES, t), "edges", EDGES, [*PAIR, "x_given_y", "y_given_x"]),
        (stability, "table", STABILITY, [*PAIR, "share_reclusterings", "share_networks"]),
        (lambda t: classes(t, {0: "a", 1: "b"}), "table", CLASSES, [*CLASSES]),
    ],
)  # fmt: skip
def test_missing_columns_of_other_tables_are_named(draw, name, table, columns):
    for column in columns:
        with pytest.raises(ValueError, match=rf"{name} lacks columns \['{column}'\]"):
            draw(table.drop(columns=column))


@pytest.mark.parametrize(
    ("call", "message"),
    [
        (lambda: single([]), "singles has no rows"),
        (lambda: single(SINGLES.assign(kind="big")), "singles has kind='big'; allowed: "),
        (lambda: single(SINGLES.assign(drop=np.nan)), "in column drop"),
        (lambda: single(SINGLES.assign(proportion=25)), "singles has a proportion outside 0 to 1"),
        (lambda: single(SINGLES.assign(layer=0)), "singles has layer=0; allowed: integers from 1"),
        (lambda: single(SINGLES.assign(layer=1.5)), "singles has layer=1.5"),
        (lambda: single(SINGLES.assign(label=12)), "singles has label=12; .* from 0 to 11"),
        (lambda: single(SINGLES.assign(layer=1)), r"singles has \(1, 0\) twice"),
        (lambda: conditional(PAIRS.iloc[4:], SINGLES), "no pair of important sub-clusters"),
        (lambda: conditional(PAIRS.assign(x_given_y=0.5), SINGLES), "pairs has x_given_y=0.5"),
        (lambda: conditional(PAIRS.assign(x_layer=3), SINGLES), "the pair 3-0, 2-2; allowed: X in"),
        (lambda: conditional(PAIRS, SINGLES.iloc[1:]), "pairs has 1-0; allowed: 1-3, 2-0,"),
        (
            lambda: matrix(pd.concat([PAIRS, PAIRS]), SINGLES, n_random_sets=50),
            r"pairs has .* twice",
        ),
        (lambda: matrix(PAIRS, SINGLES, n_random_sets=0), "n_random_sets=0"),
        (
            lambda: matrix(PAIRS.assign(p_x_given_y=2), SINGLES, n_random_sets=50),
            "pairs has p_x_given_y outside",
        ),
        (lambda: graph(SINGLES.assign(kind="other"), EDGES), "no row of kind 'important'"),
        (lambda: graph(SINGLES, PAIRS.iloc[:1]), "x_given_y=True with y_given_x=True"),
        (lambda: graph(SINGLES, PAIRS.iloc[4:]), "edges has 2-0; allowed: 1-0, 1-3, 2-2, 3-2"),
        (lambda: graph(SINGLES, EDGES.assign(share=2.0)), "edges has share outside 0 to 1"),
        (lambda: graph(SINGLES, EDGES.assign(share=np.nan)), "in column share"),
        (lambda: stability(STABILITY.assign(share_networks=-1)), "table has share_networks outs"),
        (lambda: stability(STABILITY.assign(chance_networks=7)), "table has chance_networks outs"),
        (lambda: classes(CLASSES, {}), "class_names={}"),
        (lambda: classes(CLASSES, {0: "a", 2: "c"}), r"table lacks columns \['class_2'\]"),
    ],
)
def test_bad_tables_are_refused(call, message):
    before = dict(mpl.rcParams)
    with pytest.raises(ValueError, match=message):
        call()
    assert dict(mpl.rcParams) == before


def test_tables_that_come_in_stay_as_they_are():
    singles, pairs, edges = SINGLES.copy(), PAIRS.copy(), EDGES.copy()
    single(singles)
    matrix(pairs, singles, n_random_sets=50)
    conditional(pairs, singles)
    graph(singles, edges)
    for table, original in ((singles, SINGLES), (pairs, PAIRS), (edges, EDGES)):
        pd.testing.assert_frame_equal(table, original)
