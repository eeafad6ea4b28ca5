"""How much of a printed table has ours beside it, with values that one can derive by hand."""

from __future__ import annotations

import math

import pandas as pd
import pytest

from modclust_utils.coverage import (
    PRINTED_SPREAD,
    SPREAD_OF_ROWS,
    Covered,
    cells,
    column_by_column,
    elsewhere,
    middle_and_largest,
    numbers,
    readable_count,
    readable_gaps,
    row_by_row,
    table_of,
    together,
)
from modclust_utils.datasets.papers import paper_table

PRINTED = pd.DataFrame(
    {
        "dataset": ["a", "b", "c"],
        "kind": ["x", "y", None],
        "ncut_mean": [2.0, 3.0, 4.0],
        "ncut_std": [0.5, 0.25, 0.0],
        "test_acc": [0.5, math.nan, 1.0],
    }
)


def test_a_mean_with_its_spread_is_one_cell():
    assert cells(PRINTED, ["dataset"]) == {"kind": None, "ncut_mean": "ncut_std", "test_acc": None}


def test_a_spread_without_its_mean_is_a_cell_of_its_own():
    assert cells(PRINTED[["dataset", "ncut_std"]], ["dataset"]) == {"ncut_std": None}


@pytest.mark.parametrize(
    ("name", "about", "n"),
    [
        # rows and columns as printed; "mean ± standard deviation" is one
        ("filan2020_table_1", ["dataset", "dropout"], 6 * 5),
        ("filan2020_table_4", ["dropout"], 2 * 5),
        ("filan2020_table_a4", ["run"], 10 * 6),
        ("filan2020_table_a18", ["layer", "label"], 24 * 5),
        # four measures in six blocks of four rows, of which two have but two
        ("casper2022_table_1", ["network", "partitioning"], 4 * 4 * 4 + 2 * 4 * 2),
    ],
)
def test_cells_of_the_papers_tables(name, about, n):
    printed = paper_table(name)
    assert row_by_row(name, printed, printed.iloc[:0], about).n_printed == n
    assert row_by_row(name, printed, printed, about).n_beside == n


def test_rows_about_the_same():
    ours = pd.DataFrame(
        {"dataset": ["b", "a", "c", "d"], "ncut_mean": [2.5, 2.1, 5.0, 1.0], "test_acc": [1.0] * 4}
    )
    found = row_by_row("T", PRINTED, ours, ["dataset"], n_ours=4, n_theirs=3)
    # kind: 2 are printed, of which we have none; n-cut: 3; accuracy: 2, of b none is printed
    assert (found.n_printed, found.n_beside) == (7, 5)
    # in the paper's order; of c the printed spread is 0
    assert found.gaps == (pytest.approx(0.1 / 0.5), pytest.approx(0.5 / 0.25))
    assert (found.unit, found.n_ours, found.n_theirs) == (PRINTED_SPREAD, 4, 3)


def test_cells_that_we_lack():
    ours = pd.DataFrame({"dataset": ["a", "b"], "ncut_mean": [math.nan, 3.25]})
    found = row_by_row("T", PRINTED, ours, ["dataset"])
    assert (found.n_beside, found.gaps) == (1, (1.0,))


def test_two_rows_about_the_same_are_refused():
    ours = pd.DataFrame({"dataset": ["a", "a"], "ncut_mean": [1.0, 2.0]})
    with pytest.raises(pd.errors.MergeError):
        row_by_row("T", PRINTED, ours, ["dataset"])


def test_columns_of_other_networks():
    printed = pd.DataFrame(
        {
            "run": [0, 1, 2],
            "p": [0.003, 0.003, 0.003],
            "important": [True, False, True],
            "null_mean": [1.0, 2.0, 3.0],
            "null_std": [9.0, 9.0, 9.0],
        }
    )
    ours = pd.DataFrame({"null_mean": [4.0, 5.0], "p": [0.5, 0.5], "important": [True, True]})
    found = column_by_column("T", printed, ours, ["run"], n_ours=2, n_theirs=3)
    assert (found.n_printed, found.n_beside) == (9, 6)
    # means 2 and 4.5, standard deviation 1; p-values do not vary, and words have no distance
    assert found.gaps == (pytest.approx(2.5),)
    assert found.unit == SPREAD_OF_ROWS
    more = pd.concat([ours] * 5)
    assert column_by_column("T", printed, more, ["run"]).n_beside == 9
    none = column_by_column("T", printed, ours.iloc[:0], ["run"])
    assert (none.n_printed, none.n_beside, none.gaps) == (9, 0, ())


def test_a_column_without_numbers_of_ours_has_nothing_beside_it():
    printed = pd.DataFrame({"run": range(3), "a": [1.0, 2.0, 3.0], "b": [1.0, 2.0, 3.0]})
    ours = pd.DataFrame({"a": [math.nan] * 3, "b": [math.nan, 2.0, 4.0]})
    found = column_by_column("T", printed, ours, ["run"])
    assert (found.n_printed, found.n_beside, found.gaps) == (6, 2, (1.0,))


@pytest.mark.parametrize("gaps", [[1.0, math.nan, 2.0], [math.nan, 1.0]])
def test_a_gap_is_a_number(gaps):
    with pytest.raises(ValueError, match=r"gaps=\[.*nan.*\] is not allowed: numbers"):
        middle_and_largest(gaps)


def test_numbers_of_the_text():
    found = numbers("Text", ["a", "b", "c"], {"a": 1.0, "b": math.nan})
    assert (found.n_printed, found.n_beside, found.gaps) == (3, 1, ())
    with pytest.raises(ValueError, match=r"ours=\['d'\] is not allowed: names of printed numbers"):
        numbers("Text", ["a"], {"d": 1.0})


def test_table_of_items():
    table = table_of({"filan2020": [Covered("Figure 1", n_ours=3)], "hod2021": []})
    assert table.to_dict("records") == [
        {
            **{"paper": "filan2020", "item": "Figure 1", "n_printed": 0, "n_beside": 0},
            **{"gaps": (), "unit": "", "n_ours": 3, "n_theirs": None},
            **{"n_elsewhere": 0, "n_ours_elsewhere": 0},
        }
    ]


def test_gaps_as_a_page_prints_them():
    assert readable_gaps([0.25, 0.5, 4.0]) == ("0.5", "4.0")
    assert readable_gaps([]) == ("–", "–")


def test_ours_from_elsewhere_are_counted_by_themselves():
    row = Covered("T", 9, 4, gaps=(0.5, 1.0), unit=PRINTED_SPREAD, n_ours=7, n_theirs=5)
    found = elsewhere(row)
    assert (found.n_printed, found.n_beside, found.n_elsewhere, found.gaps) == (9, 0, 4, ())
    assert (found.n_ours, found.n_ours_elsewhere, found.n_theirs) == (0, 7, 5)
    assert elsewhere(found) == found
    assert elsewhere(Covered("T")) == Covered("T")  # what is not known stays so


def test_an_item_may_be_covered_in_two_ways():
    row = Covered("T", 9, 4, gaps=(0.5,), unit=PRINTED_SPREAD, n_ours=7)
    found = together(row, elsewhere(Covered("T", 9, 2, n_ours=3)))
    assert (found.n_beside, found.n_elsewhere, found.gaps) == (4, 2, (0.5,))
    assert (found.n_ours, found.n_ours_elsewhere) == (7, 3)
    assert together(Covered("T"), Covered("T")).n_ours is None
    with pytest.raises(ValueError, match="it must be about the same"):
        together(row, Covered("T", 8))


def test_counts_as_a_page_prints_them():
    assert readable_count("4 of 9", 0) == "4 of 9"
    assert readable_count("0 of 9", 1234) == "0 of 9, elsewhere 1,234"
