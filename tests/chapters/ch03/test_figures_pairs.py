"""Figures of pairs of sub-clusters hold the pairs, and can be read."""

from __future__ import annotations

import numpy as np
import pytest
from drawn import legend_texts
from lesion_tables import (
    PAIRS,
    SINGLES,
    all_pairs,
    cell_texts,
    contrast,
    crowd,
    overlaps,
    tick_texts,
)
from matplotlib.colors import to_hex

from modclust_utils.chapters.ch03_lesions.figures_dependencies import EDGE_STYLE
from modclust_utils.chapters.ch03_lesions.figures_pairs import (
    PAIR_STATES,
    conditional_importance,
    damage_matrix,
)
from modclust_utils.figures.colors import CLUSTER_COLORS, OTHER_COLOR
from modclust_utils.figures.style import INK

# as they draw: made-up tables have no records
conditional, matrix = conditional_importance.__wrapped__, damage_matrix.__wrapped__


@pytest.mark.parametrize("n_labels", [6, 2])
def test_texts_stay_in_the_cells_of_a_matrix(n_labels):
    singles = crowd(n_labels, 3)
    ax = matrix(all_pairs(singles, 4), singles, 50).axes[0]
    cell = ax.bbox.width / len(singles), ax.bbox.height / len(singles)
    assert any(text.get_text().startswith("−") for text in ax.texts)
    for text in ax.texts:
        box = text.get_window_extent()
        assert box.width <= cell[0]
        assert box.height <= cell[1]


def test_conditional_figure_holds_the_pairs():
    figure = conditional(PAIRS.iloc[:4])
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
    (ax,) = conditional(all_pairs(singles, 1)).axes
    texts = [text.get_text() for text in ax.texts]
    assert len(tick_texts(ax)[1]) == 3 * 4
    assert len(texts) == 2 * (4 * 4) * (3 + 2 + 1)
    assert not set("✓✗") & set("".join([*texts, ax.get_title("left")]))


def test_more_columns_leave_the_numbers_out_too():
    singles = crowd(8, 0).assign(kind="important")
    pairs = all_pairs(singles, 1)
    (ax,) = conditional(pairs).axes
    assert len(ax.patches) == len(pairs)
    assert len(ax.texts) == 0
    assert "δ" not in ax.get_title("left")
    assert overlaps([label.get_window_extent() for label in ax.get_xticklabels()]) == 0


def test_states_say_the_same_as_edges():
    for color, _ in PAIR_STATES.values():
        assert contrast(INK, color) >= 7
    for state, (_, words) in EDGE_STYLE.items():
        if words != "both":
            assert words.split(": ")[1] == PAIR_STATES[state][1].split(": ")[1]


def test_matrix_holds_the_pairs_in_both_directions():
    figure = matrix(PAIRS.sample(frac=1, random_state=0), SINGLES, 50)
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
        figure = matrix(PAIRS, SINGLES, n_random_sets)
        return sum("★" in text.get_text() for text in figure.axes[0].texts)

    # least p values: 1 / 51, six times; 1 / 101, never; 1 / 25, 2 / 51 counts too
    assert [stars(50), stars(100), stars(24)] == [5, 0, 6]


def test_a_large_matrix_keeps_its_marks_and_drops_its_numbers():
    singles = crowd(7, 0)
    pairs = all_pairs(singles, 1)
    texts = [t.get_text() for t in matrix(pairs, singles, 50).axes[0].texts]
    p_values = pairs[["p_x_given_y", "p_y_given_x"]].to_numpy()
    assert texts.count("?") == (p_values == 1).sum()
    assert texts.count("★") == (p_values == 1 / 51).sum()
    assert set(texts) == {"?", "★"}


def test_a_larger_matrix_leaves_its_marks_out_too_and_names_every_second():
    singles = crowd(14, 0)
    ax = matrix(all_pairs(singles, 1), singles, 50).axes[0]
    assert len(ax.texts) == 0
    assert "★" not in ax.get_title("left")
    for names in tick_texts(ax):
        assert [name.split()[0] for name in names] == [
            f"{layer}-{label}" for layer in range(1, 5) for label in range(0, 14, 2)
        ]
    (image,) = ax.images
    assert image.get_array().shape == (56, 56)
    badges = [to_hex(t.get_bbox_patch().get_facecolor()).upper() for t in ax.get_yticklabels()]
    assert badges[:7] == [*CLUSTER_COLORS[::2], OTHER_COLOR]
