"""What of the paper's tables chapter 3 has."""

from __future__ import annotations

import pandas as pd
import pytest
from made_up_lesions import three_studies

from modclust_utils.chapters.ch03_lesions import coverage, tables
from modclust_utils.chapters.ch03_lesions.rules import Results
from modclust_utils.chapters.ch03_lesions.tables import Studies
from modclust_utils.datasets.papers import paper_table


@pytest.fixture(scope="module")
def studies() -> Studies:
    return three_studies()


def covered(studies: Studies, dataset: str, differing: tuple[str, ...] = ()) -> pd.DataFrame:
    return coverage.coverage(Results(studies, dataset), differing).set_index("item")


def test_sub_clusters_and_pairs(studies):
    found = covered(studies, "fashion_mnist")
    n = sum(len(study.singles) for study in studies.networks)
    row = found.loc["Table A.18"]
    assert (row.n_printed, row.n_ours, row.n_theirs) == (120, len(studies.networks), 1)
    assert row.n_beside == 5 * min(n, 24)
    # drop, p-value, share of the layer, drop of random sets; kinds are words
    assert len(row.gaps) == 4
    printed = paper_table("filan2020_table_a18")
    ours = pd.concat([study.singles for study in studies.networks])
    # a drop is a printed difference with another sign
    distance = abs(ours["drop"].mean() + printed["acc_diff"].mean())
    assert pytest.approx(distance / printed["acc_diff"].std(ddof=1)) in row.gaps
    pairs = sum(len(tables.important_pairs(s.pairs, s.singles)) for s in studies.networks)
    row = found.loc["Table A.19"]
    assert (row.n_printed, row.n_beside, len(row.gaps)) == (4 * 28, 4 * min(pairs, 28), 2)


@pytest.mark.parametrize(
    ("dataset", "differing"),
    [("mnist5k", ()), *(("fashion_mnist", (name,)) for name in coverage.SETTINGS)],
)
def test_other_data_and_other_settings_are_elsewhere(studies, dataset, differing):
    there = covered(studies, "fashion_mnist")
    found = covered(studies, dataset, differing)
    assert found["n_beside"].sum() == found["n_ours"].sum() == 0
    assert found["n_elsewhere"].tolist() == there["n_beside"].tolist()
    assert found.loc["Figure 5", "n_ours_elsewhere"] == 1
    assert found.loc["Table A.18", "n_printed"] == 120
    assert not any(found["gaps"])


def test_more_networks_are_no_other_setting(studies):
    found = covered(studies, "fashion_mnist", ("n_networks", "n_reclusterings", "seed"))
    assert found["n_elsewhere"].sum() == 0
    assert found.loc["Figure A.6", ["n_ours", "n_ours_elsewhere"]].tolist() == [1, 0]


def test_settings_of_the_text(studies):
    columns = ["n_printed", "n_beside", "n_elsewhere"]
    row = covered(studies, "fashion_mnist").loc[coverage.TEXT, columns]
    assert row.tolist() == [6, 3, 0]
    assert covered(studies, "mnist5k").loc[coverage.TEXT, columns].tolist() == [6, 0, 3]
