"""What of the paper's tables chapter 2 has."""

from __future__ import annotations

import pandas as pd
import pytest
from made_up_nulls import by_network, control_frames, mixture_frames

from modclust_utils.chapters.ch02_dropout_and_topology import controls, coverage, printed, tables
from modclust_utils.datasets.papers import beside, paper_table


@pytest.fixture(scope="module")
def networks() -> pd.DataFrame:
    return by_network(
        ("mnist", False, [1.0, 1.5]), ("mnist", True, [1.0, 1.25]), ("lines", True, [1.0])
    )


def covered(
    networks: pd.DataFrame,
    role: str,
    dataset: str,
    epochs: int = 20,
    k: int = 4,
    differing: tuple[str, ...] = (),
) -> pd.DataFrame:
    data = control_frames(role, dataset, epochs)
    mixed = mixture_frames()
    random_data = controls.controls(*data, controls.paper_controls(data[0], k))
    mixtures = controls.mixtures(*mixed, controls.paper_mixtures(mixed[0], k))
    paper = beside(printed.networks(k), networks, printed.CONDITION)
    effect = tables.dropout_effect(networks[networks["dataset"] != "lines"], paper)
    found = coverage.coverage(networks, random_data, mixtures, effect, paper, differing)
    return found.set_index("item")


def test_tables_network_by_network(networks):
    found = covered(networks, "memorization", "random3k")
    # two networks of each of two kinds, after pruning
    assert found.loc[[f"Table A.{n}" for n in range(4, 16)], "n_beside"].tolist() == (
        [0, 0, 12, 12] + [0] * 8
    )
    row = found.loc["Table A.6"]
    assert (row.n_printed, row.n_ours, row.n_theirs) == (60, 2, 10)
    paper = paper_table("filan2020_table_a6")
    assert row.gaps[0] == pytest.approx(
        abs(1.25 - paper["ncut"].mean()) / paper["ncut"].std(ddof=1)
    )
    assert len(row.gaps) == 6
    assert row.unit == "spread of rows"


def test_tables_of_random_data(networks):
    found = covered(networks, "memorization", "random3k")
    row = found.loc["Table 4"]
    assert (row.n_printed, row.n_beside, row.n_ours, row.n_theirs) == (10, 10, 4, 20)
    # before and after pruning, and the null, without and with dropout: see test_controls.py
    assert row.gaps == pytest.approx(
        (
            *((2.5 - 2.464) / 0.014, (3.25 - 2.333) / 0.018),
            *((1.88 - 1.1) / 0.017, (2.038 - 2.0) / 0.033),
            *((2.008 - 1.25) / 0.014, (2.5 - 2.055) / 0.023),
        )
    )
    assert found.loc[["Table 2", "Table 3"], "n_beside"].tolist() == [0, 0]


def test_a_shorter_training_is_not_beside_the_long_one(networks):
    for epochs, n in ((1000, 10), (20, 0)):
        found = covered(networks, "kilo-epoch", "random", epochs)
        assert found.loc["Table 3", "n_beside"] == n


def test_tables_of_mixtures(networks):
    found = covered(networks, "memorization", "random3k")
    row = found.loc["Table A.16"]
    assert (row.n_printed, row.n_beside, row.n_ours, row.n_theirs) == (27, 3, 2, 90)
    assert row.gaps == (pytest.approx((1.625 - 1.599) / 0.049),)
    assert found.loc["Table A.17", ["n_printed", "n_beside"]].tolist() == [27, 0]


def test_test_accuracies_on_another_mix_of_images_are_not_beside_the_papers():
    mixed, ncuts = mixture_frames()
    beside_theirs = []
    for dataset, note in (("lines_cifar10", ""), ("lines_cifar10", "few"), ("lines", "few")):
        own = mixed.assign(test_note=note).replace({"dataset": {"lines": dataset}})
        table = controls.mixtures(own, ncuts, printed.mixtures())
        (row, _) = coverage._mixtures(table[table["n"] > 0])
        beside_theirs.append(row.n_beside)
    assert beside_theirs == [3, 2, 3]


def test_figures_and_footnote(networks):
    found = covered(networks, "memorization", "random3k")
    assert found.loc["Footnote 11", ["n_printed", "n_beside"]].tolist() == [3, 1]
    columns = ["n_ours", "n_ours_elsewhere"]
    # of LINES the paper has no such figure
    assert found.loc["Figure 4", columns].tolist() == [2, 1]
    assert found.loc["Figure A.4", [*columns, "n_theirs"]].tolist() == [2, 0, 10]
    assert found.loc["Figure A.2", columns].tolist() == [0, 0]
    assert found.loc["Figure A.1", [*columns, "n_theirs"]].tolist() == [2, 0, 60]


def test_other_data_and_another_k_are_beside_nothing(networks):
    other = covered(networks, "memorization", "random200", k=7)
    assert other["n_beside"].sum() == 0
    assert not any(other["gaps"])
    assert other.loc["Table A.6", "n_printed"] == 60
    assert other["n_printed"].sum() == 3 * 10 + 12 * 60 + 2 * 27 + 3
    columns = ["n_ours", "n_ours_elsewhere"]
    assert other.loc["Figure 4", columns].tolist() == [0, 3]
    assert other.loc["Figure A.4", columns].tolist() == [0, 2]


def test_figures_of_other_data_are_elsewhere():
    other = by_network(("fashion_mnist", False, [1.0, 1.5]), ("fashion_mnist", True, [1.0]))
    found = covered(other, "memorization", "random3k")
    columns = ["n_ours", "n_ours_elsewhere"]
    # the violins are those of the first data set, and the paper's are those of MNIST
    assert found.loc["Figure A.4", columns].tolist() == [0, 2]
    assert found.loc["Figure 4", columns].tolist() == [2, 0]


def test_another_training_is_elsewhere(networks):
    found = covered(networks, "memorization", "random3k", differing=("n_shuffles",))
    assert found["n_beside"].sum() == found["n_ours"].sum() == 0
    assert found.loc["Table 4", ["n_elsewhere", "n_ours_elsewhere"]].tolist() == [10, 4]
    assert found.loc["Footnote 11", "n_elsewhere"] == 1
    assert not any(found["gaps"])
    same = covered(networks, "memorization", "random3k", differing=("kilo_epochs", "n_random"))
    assert same.loc["Table 4", ["n_beside", "n_elsewhere"]].tolist() == [10, 0]
