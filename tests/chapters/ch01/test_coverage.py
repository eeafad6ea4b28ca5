"""What of the paper's tables chapter 1 has, for tables that are nearly the paper's own."""

from __future__ import annotations

import pandas as pd
import pytest
from made_up_nulls import fresh_frame
from small_book import printed

from modclust_utils.chapters.ch01_clusterability import coverage, tables
from modclust_utils.datasets.papers import paper_table

TEXT = coverage.TEXT
#: Two networks, each before and after pruning.
BY_PHASE = printed(
    pd.DataFrame(
        {"network": ["a", "a", "b", "b"], "dataset": "mnist", "dropout": [True, False] * 2}
    )
)


def ours_of(k: int, shift: float = 0.0) -> pd.DataFrame:
    """The paper's table as if it were ours, each mean moved by so many of its spreads."""
    table = tables.paper_for_k(k)
    for name in ("ncut", "null_ncut"):
        table[f"{name}_mean"] += shift * table[f"{name}_std"]
    # the paper prints the running accuracy, and of the two of ours that is not the other
    table = table.rename(columns={"train_acc": "running_acc"}).assign(train_acc=-1.0)
    return printed(table.assign(n=10, n_clusters=k, n_above_all=5))


def covered(
    by_k: dict[int, pd.DataFrame],
    k_of_fresh: int = 4,
    by_phase: pd.DataFrame = BY_PHASE,
    differing: tuple[str, ...] = (),
) -> pd.DataFrame:
    fresh = fresh_frame([2.31, 2.44], k_of_fresh)
    return coverage.coverage(by_k, by_phase, fresh, differing).set_index("item")


@pytest.mark.parametrize("shift", [0.0, 2.0])
def test_every_cell_and_how_close(shift):
    found = covered({k: ours_of(k, shift) for k in tables.PAPER_TABLES})
    for _, item in tables.PAPER_TABLES.values():
        row = found.loc[item]
        assert (row.n_printed, row.n_beside, row.n_ours, row.n_theirs) == (30, 30, 60, 60)
        assert row.gaps == tuple([pytest.approx(shift)] * 12)


def test_a_part_of_the_data_sets_and_of_the_numbers_of_clusters():
    rows = ours_of(4)
    found = covered({4: printed(rows[rows["dataset"] == "mnist"])})
    row = found.loc["Table 1"]
    assert (row.n_beside, len(row.gaps), row.n_ours) == (10, 4, 20)
    assert found.loc["Table A.1", ["n_printed", "n_beside", "n_ours"]].tolist() == [30, 0, 0]


def test_other_data_are_beside_nothing():
    other = ours_of(4).assign(dataset="mnist5k")
    found = covered({4: printed(other)})
    assert found.loc["Table 1", ["n_beside", "n_ours"]].tolist() == [0, 0]


def test_networks_of_the_figures():
    found = covered({4: ours_of(4)})
    networks = found.loc[["Figure 1", "Figure 2", "Figure 3"], ["n_ours", "n_theirs"]]
    assert networks.to_numpy().tolist() == [[1, 1], [2, 60], [2, 200]]


def test_figures_of_other_data_are_elsewhere():
    other = printed(BY_PHASE.assign(dataset=["mnist5k", "mnist5k", "mnist", "mnist"]))
    found = covered({4: ours_of(4)}, by_phase=other)
    columns = ["n_ours", "n_ours_elsewhere"]
    assert found.loc[["Figure 1", "Figure 2"], columns].to_numpy().tolist() == [[0, 1], [1, 1]]


def test_another_training_is_elsewhere():
    found = covered({4: ours_of(4)}, differing=("epochs", "n_networks"))
    row = found.loc["Table 1"]
    assert (row.n_beside, row.n_elsewhere, row.gaps) == (0, 30, ())
    assert (row.n_ours, row.n_ours_elsewhere) == (0, 60)
    # networks that are not trained are no others for it
    assert found.loc[TEXT, ["n_beside", "n_elsewhere"]].tolist() == [3, 6]
    assert found.loc["Figure 3", ["n_ours", "n_ours_elsewhere"]].tolist() == [2, 0]
    more = covered({4: ours_of(4)}, differing=("n_networks", "seed"))
    assert more["n_elsewhere"].sum() == more["n_ours_elsewhere"].sum() == 0


def test_numbers_of_the_text():
    assert set(coverage.IN_TEXT) <= set(paper_table("filan2020_text")["key"])
    columns = ["n_beside", "n_elsewhere"]
    # settings: 2; networks that were not trained: 3; accuracies: 3; above all shuffles: 1
    assert covered({4: ours_of(4)}).loc[TEXT, columns].tolist() == [9, 0]
    assert covered({4: ours_of(4)}, k_of_fresh=7).loc[TEXT, columns].tolist() == [6, 3]
    assert covered({7: ours_of(7)}, k_of_fresh=7).loc[TEXT, columns].tolist() == [0, 3]
    other = printed(ours_of(4).assign(dataset="mnist5k"))
    assert covered({4: other}).loc[TEXT, columns].tolist() == [3, 0]
