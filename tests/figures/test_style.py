"""What all figures share: their style, and the check of what comes in."""

from __future__ import annotations

import matplotlib as mpl
import numpy as np
import pandas as pd
import pytest
from drawn import drawn_texts, fits_and_leaves_no_trace

from modclust_utils.figures import style


def test_a_sentence_fits_the_page():
    figure = fits_and_leaves_no_trace(lambda: style.sentence_figure("There is nothing to draw."))
    (text,) = drawn_texts(figure)
    assert text.get_text() == "There is nothing to draw."


def test_settings_come_back_after_a_failure():
    @style.styled
    def fails():
        assert mpl.rcParams["font.size"] == style.STYLE["font.size"]
        raise KeyError("no figure")

    with mpl.rc_context({"font.size": 20}):
        before = dict(mpl.rcParams)
        with pytest.raises(KeyError):
            fails()
        assert dict(mpl.rcParams) == before


def test_rows_lie_from_the_top():
    ax = style.new_figure(2.0).add_subplot()
    style.rows_only(ax, [0, 1, 2.5], ["a", "b", "c"])
    assert [label.get_text() for label in ax.get_yticklabels()] == ["a", "b", "c"]
    low, high = ax.get_ylim()
    assert low > 2.5
    assert high < 0
    assert not ax.spines["left"].get_visible()


TABLE = pd.DataFrame({"name": ["a", "b"], "ncut": [1, 2], "dropout": [True, False]}, index=[7, 3])


def test_tables_come_in_as_frames_or_rows():
    found = style.as_table(TABLE, "table", numbers=["ncut"], others=["name", "dropout"])
    pd.testing.assert_frame_equal(found, TABLE.reset_index(drop=True))
    rows = style.as_table(TABLE.to_dict("records"), "table", numbers=["ncut"])
    pd.testing.assert_frame_equal(rows, found)


@pytest.mark.parametrize(
    ("table", "message"),
    [
        ([], r"table has no rows; allowed: one or more, with columns \['dropout', 'ncut'\]"),
        (TABLE[["name"]], r"table lacks columns \['dropout', 'ncut'\]"),
        (TABLE.assign(ncut=[1, np.inf]), "table has NaN or infinity in column ncut"),
        (TABLE.assign(dropout=[1, 0]), "dropout=1 is not allowed: True or False"),
    ],
)
def test_bad_tables_are_refused(table, message):
    with pytest.raises(ValueError, match=message):
        style.as_table(table, "table", numbers=["ncut"], others=["dropout"])


def test_words():
    assert style.dropout_name(True) == "with dropout"
    assert style.ncut_label(7) == "n-cut (k = 7), lower is more clusterable"
