"""What figures of sub-clusters share: texts that can be read, and tables that fit."""

from __future__ import annotations

import numpy as np
import pandas as pd
import pytest
from lesion_tables import PAIRS, SINGLES, contrast
from matplotlib.axes import Axes
from matplotlib.colors import to_hex

from modclust_utils.figures import cells
from modclust_utils.figures.colors import CLUSTER_COLORS, OTHER_COLOR
from modclust_utils.figures.style import INK, new_figure


@pytest.fixture
def ax() -> Axes:
    return new_figure(3.0).add_subplot()


def test_texts_on_colors_can_be_read():
    for color in (*CLUSTER_COLORS, OTHER_COLOR):
        text = cells.text_color_on(color)
        assert contrast(text, color) >= 4
        assert contrast(text, color) == max(contrast("white", color), contrast(INK, color))


def test_texts_in_cells_can_be_read(ax):
    values = 100 * np.linspace(-0.2, 0.6, 81).reshape(9, 9)
    image = cells.damage_image(ax, values, 1.0)
    cells.write_cells(ax, image, dict.fromkeys(np.ndindex(9, 9), "0"), bold_diagonal=True)
    assert [text.get_weight() for text in ax.texts].count("bold") == 9
    for text in ax.texts:
        column, row = text.get_position()
        ground = to_hex(image.cmap(image.norm(values[row, column])))
        assert contrast(to_hex(text.get_color()), ground) >= 4


def test_damage_is_red_and_gain_is_blue(ax):
    image = cells.damage_image(ax, np.array([[30.0, np.nan], [-30.0, 0.0]]), 1.0)
    assert image.norm(0.0) == pytest.approx(0.5)
    for value, sign in ((10.0, 1), (-10.0, -1)):
        red, _, blue, _ = image.cmap(image.norm(value))
        assert sign * (red - blue) > 0


@pytest.mark.parametrize(("n", "step"), [(1, 1), (50, 1), (51, 2), (100, 2), (101, 3)])
def test_as_many_names_as_there_is_room_for(ax, n, step):
    names = [(1, label) for label in range(n)]
    cells.name_cells(ax.yaxis, names, ["IMP"] * n)
    labels = ax.get_yticklabels()
    assert [text.get_text() for text in labels] == [f"1-{i} IMP" for i in range(0, n, step)]
    assert [*ax.get_yticks()] == [*range(0, n, step)]
    colors = [to_hex(text.get_bbox_patch().get_facecolor()).upper() for text in labels]
    own = [*CLUSTER_COLORS, *[OTHER_COLOR] * n][:n]
    assert colors == own[::step]


@pytest.mark.parametrize(
    ("value", "digits", "text"),
    [(1.25, 1, "1.2"), (-1.25, 1, "−1.2"), (-0.04, 1, "0.0"), (-0.4, 0, "0"), (-12, 0, "−12")],
)
def test_numbers_have_a_true_minus_and_none_before_zero(value, digits, text):
    assert cells.number(value, digits) == text


def test_ticks_between():
    assert cells.ticks_between(-1.5, 5, [0, 1, 2, 5, 10]) == [-1, 0, 1, 2, 5]


def test_tables_are_sorted_and_whole():
    found = cells.as_singles(SINGLES.iloc[::-1].astype({"layer": float}))
    pd.testing.assert_frame_equal(found, SINGLES)
    assert cells.subclusters(found)[:2] == [(1, 0), (1, 3)]
    assert len(cells.as_singles(SINGLES.assign(label=range(100, 106)))) == 6


@pytest.mark.parametrize(
    ("changes", "message"),
    [
        ({"kind": "big"}, "singles has kind='big'; allowed: "),
        ({"proportion": 25}, "singles has a proportion outside 0 to 1"),
        ({"layer": 0}, "singles has layer=0; allowed: integers from 1"),
        ({"layer": 1.5}, "singles has layer=1.5"),
        ({"label": -1}, "singles has label=-1; allowed: integers from 0"),
        ({"layer": 1}, r"singles has \(1, 0\) twice"),
    ],
)
def test_bad_sub_clusters_are_refused(changes, message):
    with pytest.raises(ValueError, match=message):
        cells.as_singles(SINGLES.assign(**changes), numbers=["proportion"])


@pytest.mark.parametrize(
    ("pairs", "message"),
    [
        (PAIRS.assign(x_given_y=0.5), "pairs has x_given_y=0.5; allowed: True or False"),
        (PAIRS.assign(x_layer=3), "the pair 3-0, 2-2; allowed: X in an earlier layer"),
        (pd.concat([PAIRS, PAIRS]), "pairs has .* twice"),
        (PAIRS.assign(y_label=9), "pairs has 2-9; allowed: 1-0, 1-3, 2-0"),
    ],
)
def test_bad_pairs_are_refused(pairs, message):
    among = cells.subclusters(SINGLES)
    with pytest.raises(ValueError, match=message):
        cells.as_pairs(pairs, "pairs", booleans=["x_given_y"], among=among)


def test_shares_lie_between_0_and_1():
    table = pd.DataFrame({"share": [0.0, np.nan, 1.0]})
    cells.check_shares(table, "table", "share")
    with pytest.raises(ValueError, match="table has share outside 0 to 1"):
        cells.check_shares(table + 0.1, "table", "share")
