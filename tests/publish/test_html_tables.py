"""Tables as HTML: headers say what they head, ours and the paper's differ, all can be reached."""

from __future__ import annotations

import re

import pandas as pd
import pytest

from modclust_utils.publish.escape import clean_html
from modclust_utils.publish.html_tables import table_html

PLACES = [
    ("MNIST", "no", "ours"),
    ("MNIST", "no", "paper"),
    ("MNIST", "yes", "ours, other"),
    ("CIFAR-10", "no", "ours"),
]
INDEX = pd.MultiIndex.from_tuples(PLACES, names=["Data set", "Dropout", "Source"])
TABLE = pd.DataFrame({"n-cut": ["1.5 ± 0.1", "2", "–", "3"], "Note": ["", "a b", "", ""]}, INDEX)


def rows_of(page: str) -> list[str]:
    return re.findall(r"<tr.*?</tr>", page)


def test_headers_say_what_they_head():
    head, *rows = rows_of(table_html(TABLE, name="t"))
    assert re.findall(r'<th scope="(\w+)"', head) == ["col"] * 5
    assert re.findall(r">([^<>]+)</th>", head) == [*INDEX.names, "n-cut", "Note"]
    assert [re.findall(r'<th scope="row"[^>]*>(.*?)</th>', row) for row in rows] == [
        ["MNIST", "no", "ours"],
        ["paper"],
        ["yes", "ours, other"],
        ["CIFAR-10", "no", "ours"],
    ]
    # what is left out above reaches down to where it would stand
    assert re.findall(r'rowspan="(\d)">(\w+)<', "".join(rows)) == [("3", "MNIST"), ("2", "no")]


def test_a_label_does_not_reach_into_another_group():
    index = pd.MultiIndex.from_tuples([("a", "x", 1), ("b", "x", 2)], names=["A", "B", "C"])
    page = table_html(pd.DataFrame({"v": [1, 2]}, index), name="t")
    assert "rowspan" not in page
    assert page.count(">x</th>") == 2


def test_rows_say_whose_they_are():
    _, *rows = rows_of(table_html(TABLE, name="t"))
    classes = [re.match(r'<tr(?: class="(.*?)")?>', row)[1] for row in rows]
    assert classes == ["mc-group mc-ours", "mc-paper", "mc-ours", "mc-group mc-ours"]


def test_columns_stand_below_whose_they_are():
    columns = pd.MultiIndex.from_tuples([("", "n"), ("Ours", "a"), ("Ours", "b"), ("Paper", "a")])
    table = pd.DataFrame([[1, "x", 2, 3]], pd.Index(["A"], name="Claim"), columns)
    first, second, row = rows_of(table_html(table, name="t"))
    assert '<th scope="col" class="mc-text" rowspan="2">Claim</th><td colspan="1"></td>' in first
    assert '<th scope="colgroup" class="mc-ours" colspan="2">Ours</th>' in first
    assert '<th scope="colgroup" class="mc-paper" colspan="1">Paper</th>' in first
    assert '<th scope="col" class="mc-text mc-ours">a</th>' in second
    assert row.endswith('<td class="mc-ours">2</td><td class="mc-paper">3</td></tr>')


def test_lower_levels_say_whose_columns_are():
    columns = pd.MultiIndex.from_tuples([("a", "ours"), ("a", "paper")])
    page = table_html(pd.DataFrame([[1, 2]], columns=columns), name="t")
    assert '<td class="mc-ours">1</td><td class="mc-paper">2</td>' in page


def test_single_columns_say_whose_they_are():
    table = pd.DataFrame({"Ours, all": [1], "Paper": [2], "Papers": [3]})
    assert re.findall(r'<td class="([\w-]+)">(\d)', table_html(table, name="t")) == [
        ("mc-ours", "1"),
        ("mc-paper", "2"),
    ]


def test_empty_headers_are_plain_cells():
    table = pd.DataFrame({"": ["✓"], "a": [1]}, index=pd.Index(["x"]))
    assert not re.search(r"<th[^>]*></th>", table_html(table, name="t"))


def test_words_and_numbers():
    table = pd.DataFrame(
        {
            "numbers": ["1.5", "–", "[+0.1, -2 %]"],
            "words": ["1", "yes", ""],
            "sentences": ["A sentence of more than forty characters.", "short", "3"],
        }
    )
    _, *rows = rows_of(table_html(table, name="t"))
    assert rows[0].count("mc-text") == 2
    assert [row.count("mc-long") for row in rows] == [1, 0, 0]


def test_words_are_those_that_readers_see():
    cells = ['<span class="mc-verdict mc-verdict-reproduced">18/18</span>', "<b>3</b>"]
    page = table_html(pd.DataFrame({"a": cells}), name="t", html_cells=True)
    assert "mc-text" not in page
    assert "mc-long" not in page


def test_numbers_are_not_torn_from_what_belongs_to_them():
    table = pd.DataFrame({"a": ["1.5 ± 0.1 [1.4, 1.6]", "a (b c) of many more words in it"]})
    page = table_html(table, name="t")
    assert "1.5\u00a0±\u00a00.1 [1.4,\u00a01.6]" in page
    assert "a (b\u00a0c) of many more words in it" in page


def test_frame_has_a_name_and_the_keyboard_reaches_it():
    page = table_html(TABLE, name="a-table")
    frame = '<div class="mc-table" id="{}" role="region" tabindex="0" aria-label="Table: {}">'
    assert page.startswith(frame.format("table-a-table", "a table"))
    assert table_html(TABLE, name="table-1").startswith(frame.format("table-1", "table 1"))
    assert table_html(TABLE, name="x/ <.npz").startswith(frame.format("table-x-npz", "x/ &lt;.npz"))
    # all of it is what pages may hold
    assert clean_html(page) == page


@pytest.mark.parametrize("html_cells", [False, True])
def test_cells_are_html_only_where_they_are_said_to_be(html_cells):
    table = pd.DataFrame({"<i>": ["<b>"]}, index=pd.Index(["<u>"], name="<s>"))
    page = table_html(table, name="<p>", html_cells=html_cells)
    assert ("<b>" in page, "<u>" in page, "<i>" in page, "<s>" in page) == (html_cells,) * 4
    assert "<p>" not in page


def test_table_without_rows():
    empty = pd.DataFrame({"a": []}, index=pd.MultiIndex.from_tuples([], names=["X", "Y"]))
    assert table_html(empty, name="t").endswith("<tbody></tbody></table></div>")
