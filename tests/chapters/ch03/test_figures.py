"""Figures of chapter 3 hold their tables, can be read, and refuse what does not fit."""

from __future__ import annotations

import matplotlib as mpl
import numpy as np
import pandas as pd
import pytest
from drawn import fits_and_leaves_no_trace, legend_texts, pixels
from lesion_tables import (
    CLASSES,
    CROWD,
    EDGES,
    PAIR,
    PAIRS,
    SINGLES,
    STABILITY,
    all_pairs,
    cell_texts,
    crowd,
    crowd_edges,
    inside,
    overlaps,
    tick_texts,
)
from made_up_lesions import nothing_important
from matplotlib.axes import Axes
from matplotlib.collections import LineCollection, PathCollection
from matplotlib.colors import to_hex
from matplotlib.text import Annotation

from modclust_utils.chapters.ch03_lesions import (
    figures,
    figures_dependencies,
    figures_pairs,
    tables,
)
from modclust_utils.figures.cells import KIND_MARKS
from modclust_utils.figures.colors import CLUSTER_COLORS, OTHER_COLOR

# as they draw: made-up tables have no records
single, classes = (each.__wrapped__ for each in (figures.single_lesions, figures.class_drops))
conditional = figures_pairs.conditional_importance.__wrapped__
matrix = figures_pairs.damage_matrix.__wrapped__
graph = figures_dependencies.dependency_graph.__wrapped__
stability = figures_dependencies.edge_stability.__wrapped__

DRAW = {
    "single": lambda: single(SINGLES),
    "single crowd": lambda: single(CROWD),
    "conditional": lambda: conditional(PAIRS),
    "conditional crowd": lambda: conditional(all_pairs(CROWD, 1)),
    "matrix": lambda: matrix(PAIRS, SINGLES, 50),
    "matrix crowd": lambda: matrix(all_pairs(CROWD, 1), CROWD, 50),
    "graph": lambda: graph(EDGES, SINGLES),
    "graph crowd": lambda: graph(crowd_edges(CROWD, 2, 0.3).assign(share=0.5), CROWD),
    "classes": lambda: classes(CLASSES, {0: "T-shirt/top", 1: "Ankle boot"}),
    "stability": lambda: stability(STABILITY),
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


@pytest.mark.parametrize("name", ["conditional", "conditional crowd", "matrix", "classes"])
def test_texts_in_cells_do_not_touch(name):
    ax = DRAW[name]().axes[0]
    labels = [*ax.texts, *ax.get_xticklabels(), *ax.get_yticklabels()]
    if name == "classes":  # a slanted name's box is larger than the name
        labels = [*ax.texts, *ax.get_yticklabels()]
    assert len(labels) >= 6
    assert overlaps([text.get_window_extent() for text in labels]) == 0


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
    figure = single(table)
    (ax,) = figure.axes
    assert legend_texts(figure) == [
        "important", "drop over 1 point, but not significant", "small: under 5 % of the layer",
        "other", "random sets: mean ± sd", "limits: 1 point, 5 % of live units",
    ]  # fmt: skip
    across, up = ax.lines
    assert across.get_ydata() == [1, 1]
    assert up.get_xdata() == [5, 5]
    assert [t.get_text() for t in figure.legends[1].get_texts()] == ["0", "2", "3", "7"]
    drawn = [
        (len(c.get_offsets()), len(c.get_paths()[0].vertices))
        for c in ax.collections
        if isinstance(c, PathCollection)
    ]
    assert sorted(count for count, _ in drawn) == [1, 1, 1, 3]
    assert len({corners for _, corners in drawn}) >= 3
    assert len({marker for marker, _ in KIND_MARKS.values()}) == len(KIND_MARKS) == 5


@pytest.mark.parametrize("seed", range(2))
def test_names_in_a_crowd_can_be_read(seed):
    table = crowd(6, seed)
    (ax,) = single(table).axes
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
        (ax,) = single(table).axes
        boxes = [name.get_window_extent() for name in names(ax)]
        assert overlaps(boxes) == 0
        assert inside(ax, boxes)
        lines.append([t for t in ax.texts if t.arrow_patch is not None])
    assert lines[0] == []
    far = {t.xy for t in lines[1]}
    assert len(far) >= 4
    assert far <= {t.xy for t in names(lines[1][0].axes)}


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


def test_many_classes_leave_their_numbers_to_the_colors():
    names = {number: f"class {number}" for number in range(60)}
    drops = pd.DataFrame(np.linspace(0, 0.5, 120).reshape(2, 60)).add_prefix("class_")
    figure = classes(drops.assign(layer=1, label=[0, 1]), names)
    ax = figure.axes[0]
    assert tick_texts(ax)[1] == [f"class {number}" for number in range(0, 60, 2)]
    assert overlaps([label.get_window_extent() for label in ax.get_xticklabels()]) == 0
    assert len(ax.texts) == 0


def test_clusters_without_a_color_of_their_own_share_one():
    table = SINGLES.assign(label=[0, 12, 0, 11, 40, 3])
    figure = single(table)
    assert [t.get_text() for t in figure.legends[1].get_texts()] == ["0", "3", "11", "from 12"]
    colors = points(figure.axes[0])
    assert colors[24, 18.7] == colors[53, 4.3] == OTHER_COLOR
    assert colors[46, 3.5] == CLUSTER_COLORS[11]


NOTHING = {
    "classes": lambda s: figures.class_drops(tables.class_drops(s.singles), {0: "a"}),
    "pairs": lambda s: figures_pairs.conditional_importance(s.pairs),
    "graph": lambda s: figures_dependencies.dependency_graph(s.edges, s.singles),
}


@pytest.mark.parametrize("name", NOTHING)
def test_a_sentence_where_there_is_nothing_to_draw(name):
    shown = NOTHING[name](nothing_important().reference)
    (sentence,) = (text.get_text() for text in shown.content.texts)
    assert sentence.startswith("No ") or sentence.endswith("has no edge.")
    assert len(shown.data) == 0 < len(shown.data.columns)
    assert [record.kind for record in shown.trace.records] == ["lesions"]


# What is refused


@pytest.mark.parametrize(
    ("draw", "name", "columns"),
    [
        (single, "singles", "layer label proportion drop kind null_mean null_std"),
        (lambda t: matrix(PAIRS, t, 50), "singles", "layer label kind drop"),
        (lambda t: graph(EDGES, t), "singles", "layer label kind proportion"),
    ],
)
def test_missing_columns_of_singles_are_named(draw, name, columns):
    for column in columns.split():
        with pytest.raises(ValueError, match=rf"{name} lacks columns \['{column}'\]"):
            draw(SINGLES.drop(columns=column))


@pytest.mark.parametrize(
    ("draw", "name", "table", "columns"),
    [
        (conditional, "pairs", PAIRS,
         [*PAIR, "delta_x_y", "delta_y_x", "x_given_y", "y_given_x"]),
        (lambda t: matrix(t, SINGLES, 50), "pairs", PAIRS,
         [*PAIR, "delta_x_y", "delta_y_x", "p_x_given_y", "p_y_given_x"]),
        (lambda t: graph(t, SINGLES), "edges", EDGES, [*PAIR, "x_given_y", "y_given_x"]),
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
        (lambda: single(SINGLES.assign(drop=np.nan)), "in column drop"),
        (lambda: matrix(PAIRS, SINGLES.iloc[1:], 50), "pairs has 1-0; allowed: 1-3, 2-0,"),
        (
            lambda: matrix(PAIRS.assign(p_x_given_y=2), SINGLES, 50),
            "pairs has p_x_given_y outside",
        ),
        (lambda: graph(EDGES, SINGLES.assign(kind="other")), "no row of kind 'important'"),
        (lambda: graph(PAIRS.iloc[:1], SINGLES), "x_given_y=True with y_given_x=True"),
        (lambda: graph(PAIRS.iloc[4:], SINGLES), "edges has 2-0; allowed: 1-0, 1-3, 2-2, 3-2"),
        (lambda: graph(EDGES.assign(share=2.0), SINGLES), "edges has share outside 0 to 1"),
        (lambda: graph(EDGES.assign(share=np.nan), SINGLES), "in column share"),
        (lambda: stability(STABILITY.assign(share_networks=-1)), "table has share_networks outs"),
        (lambda: stability(STABILITY.assign(chance_networks=7)), "table has chance_networks outs"),
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
    matrix(pairs, singles, 50)
    conditional(pairs)
    graph(edges, singles)
    for table, original in ((singles, SINGLES), (pairs, PAIRS), (edges, EDGES)):
        pd.testing.assert_frame_equal(table, original)
