"""What of the paper's table and figures chapter 5 has."""

from __future__ import annotations

import pandas as pd
import pytest
from small_book import printed

from modclust_utils.chapters.ch05_similarity import coverage
from modclust_utils.datasets.papers import paper_table


def covered(dataset: str = "mnist", differing: tuple[str, ...] = ()) -> pd.DataFrame:
    """Two networks of two of the paper's settings, of which one is discarded, one of a setting that
    the paper does not have, and one untrained."""
    first, second = paper_table("lange2022_table_1")[coverage.SETTING].to_dict("records")[:2]
    rows = [first, first, second, second, {**first, "l2": 0.5}, first]
    table = pd.DataFrame(rows).assign(dataset=dataset, trained=[True] * 5 + [False])
    table["kept"] = [True, True, True, False, True, True]
    return coverage.coverage(printed(table), 0.8, differing).set_index("item")


def test_settings_that_were_run():
    row = covered().loc["Table 1"]
    assert (row.n_printed, row.n_beside, row.n_ours, row.n_theirs) == (90, 6, 4, 270)
    # another strength is in no row of the paper's
    assert (row.n_elsewhere, row.n_ours_elsewhere) == (0, 1)


def test_figures_show_the_networks_that_were_kept():
    found = covered()
    for name in coverage.FIGURES:
        row = found.loc[f"Figure {name}"]
        assert (row.n_ours, row.n_ours_elsewhere, row.n_theirs) == (3, 1, 249)
    # it shows all that were trained
    assert found.loc["Figure S1", ["n_ours", "n_ours_elsewhere"]].tolist() == [4, 1]


def test_numbers_of_the_text():
    # networks, settings, discarded ones, least accuracy
    assert covered().loc["Text", ["n_printed", "n_beside", "n_elsewhere"]].tolist() == [8, 4, 0]


@pytest.mark.parametrize(
    ("dataset", "differing"),
    [("mnist5k", ()), *(("mnist", (name,)) for name in coverage.SETTINGS)],
)
def test_other_data_and_other_settings_are_elsewhere(dataset, differing):
    found = covered(dataset, differing)
    assert found["n_beside"].sum() == found["n_ours"].sum() == 0
    assert found.loc["Text", "n_elsewhere"] == 4
    assert found.loc["Table 1", ["n_elsewhere", "n_ours_elsewhere"]].tolist() == [6, 5]
    assert found.loc["Figure 3", "n_ours_elsewhere"] == 4
