"""Tables from made-up records, with values that one can derive by hand."""

from __future__ import annotations

import math

import numpy as np
import pandas as pd
import pytest
from small_book import make_ncut, make_network, make_test

from modclust_utils.datasets.papers import paper_table
from modclust_utils.publish import tables

PAPER = pd.DataFrame(
    [
        {
            **{"dataset": "mnist", "dropout": False, "prop_sig": 0.7},
            **{"train_acc": 0.9, "test_acc": 0.8, "ncut_mean": 1.0, "ncut_std": 0.0},
            **{"null_ncut_mean": 1.5, "null_ncut_std": 0.25},
        }
    ]
)
NO_PAPER = PAPER.iloc[:0]


def two_networks(**options):
    """n-cut 1.0 below both shuffles, n-cut 1.2 between its two."""
    found = [
        make_network("mnist", seed=0, test_accuracy_after=0.5, n_test=100, **options),
        make_network("mnist", seed=1, test_accuracy_after=0.75, n_test=100, **options),
    ]
    return found, [make_test(found[0], 1.0, [1.1, 1.3]), make_test(found[1], 1.2, [1.1, 1.5])]


def test_network_table():
    networks = [
        make_network("mnist", False, 3, test_accuracy_before=0.1, test_accuracy_after=0.2),
        make_network("lines", True, 4, train_accuracy_after=0.3, running_accuracy_before=0.4),
    ]
    before = [make_ncut(networks[0], 2.5), make_ncut(networks[1], 2.4)]
    after = [make_test(networks[0], 1.5, [2, 3]), make_test(networks[1], 1.4, [2, 3])]
    table = tables.network_table(networks, before, after)
    assert table.columns.tolist() == [
        *("dataset", "dropout", "seed", "phase", "ncut", "test_acc", "train_acc", "running_acc"),
    ]
    assert table.to_numpy().tolist() == [
        ["mnist", False, 3, "before", 2.5, 0.1, 0.5, 0.5],
        ["mnist", False, 3, "after", 1.5, 0.2, 0.5, 0.5],
        ["lines", True, 4, "before", 2.4, 0.5, 0.5, 0.4],
        ["lines", True, 4, "after", 1.4, 0.5, 0.3, 0.5],
    ]


@pytest.mark.parametrize(
    ("ncut", "is_significant"), [(1.9, True), (2.0, True), (2.05, False), (9.0, False)]
)
def test_significant_is_below_all_shuffles(ncut, is_significant):
    test = make_test(make_network(), ncut, [2.0, 2.1, 2.2, 2.3])
    assert tables.is_significant(test) is is_significant


def test_significant_with_the_number_of_shuffles_of_the_paper():
    null = np.linspace(2, 3, 320).tolist()
    assert tables.is_significant(make_test(make_network(), 1.9, null))
    assert not tables.is_significant(make_test(make_network(), 2.001, null))


def test_row_of_a_condition_by_hand():
    (row,) = tables.clusterability_table(*two_networks(), PAPER).to_dict("records")
    assert (row["dataset"], row["dropout"], row["n_clusters"], row["n"]) == ("mnist", False, 4, 2)
    assert (row["n_sig"], row["prop_sig"], row["n_above_all"], row["n_test"]) == (1, 0.5, 0, 100)
    # exact interval for 1 of 2: 1 - (1 - p)^2 = 0.025 and p^2 = 1 - 0.025
    assert row["prop_sig_low"] == pytest.approx(1 - math.sqrt(0.975))
    assert row["prop_sig_high"] == pytest.approx(math.sqrt(0.975))
    assert row["ncut_mean"] == pytest.approx(1.1)
    assert row["ncut_std"] == pytest.approx(math.sqrt(0.02))
    # Student's t with one degree of freedom is Cauchy's distribution; the standard error is 0.1
    half = 0.1 * math.tan(math.pi * 0.475)
    assert row["ncut_low"] == pytest.approx(1.1 - half)
    assert row["ncut_high"] == pytest.approx(1.1 + half)
    # all four shuffles together: 1.1, 1.3, 1.1, 1.5
    assert row["null_ncut_mean"] == pytest.approx(1.25)
    assert row["null_ncut_std"] == pytest.approx(math.sqrt(0.11 / 3))
    # -0.2 / 0.1 and -0.1 / 0.2
    assert row["z_mean"] == pytest.approx(-1.25)
    assert row["test_acc"] == 0.625
    assert row["train_acc"] == row["running_acc"] == 0.5
    assert {c: row[f"paper_{c}"] for c in tables.PAPER_COLUMNS} == {
        **{"prop_sig": 0.7, "train_acc": 0.9, "test_acc": 0.8, "ncut_mean": 1.0, "ncut_std": 0.0},
        **{"null_ncut_mean": 1.5, "null_ncut_std": 0.25},
    }
    # the printed spread is 0 here, so Welch's interval is that of our mean, about the difference
    assert row["difference_low"] == pytest.approx(0.1 - half)
    assert row["difference_high"] == pytest.approx(0.1 + half)


def test_networks_above_all_their_shuffles():
    networks = [make_network(seed=seed) for seed in range(3)]
    tests = [make_test(networks[i], ncut, [1.0, 1.2]) for i, ncut in enumerate((1.3, 1.2, 1.1))]
    (row,) = tables.clusterability_table(networks, tests, NO_PAPER).to_dict("records")
    assert (row["n_above_all"], row["n_sig"]) == (1, 0)


def test_conditions_stay_apart_and_in_order():
    networks, tests = [], []
    for i, (dataset, dropout) in enumerate(
        [("mnist", True), ("lines", False), ("mnist", True), ("mnist", False), ("lines", False)]
    ):
        networks.append(make_network(dataset, dropout, i))
        tests.append(make_test(networks[-1], float(i), [2.0, 2.5]))
    networks.append(make_network("mnist", False, 9))
    tests.append(make_test(networks[-1], 5.0, [2.0, 2.5]))
    table = tables.clusterability_table(networks, tests, PAPER)
    rows = table[["dataset", "dropout", "n", "ncut_mean"]].to_numpy().tolist()
    assert rows == [["mnist", True, 2, 1.0], ["lines", False, 2, 2.5], ["mnist", False, 2, 4.0]]
    assert table["paper_ncut_mean"].isna().tolist() == [True, True, False]
    assert table["difference_low"].isna().tolist() == [True, True, False]


def test_readable_table():
    table = tables.readable(tables.clusterability_table(*two_networks(), PAPER))
    assert table.index.tolist() == [("MNIST", "no", "ours"), ("MNIST", "no", "paper")]
    ours, paper = table.to_dict("records")
    half = 0.1 * math.tan(math.pi * 0.475)
    assert ours == {
        "Prop. sig.": "0.50 [0.01, 0.99]",
        "Train acc.": "0.500 (0.500)",
        "Test acc.": "0.625",
        "n-cut": "1.100 ± 0.141",
        "95 % of mean": f"[{1.1 - half:.3f}, {1.1 + half:.3f}]",
        "Null n-cut": "1.250 ± 0.191",
        "Ours − paper": "",
    }
    assert paper == {
        "Prop. sig.": "0.70",
        "Train acc.": "0.900",
        "Test acc.": "0.800",
        "n-cut": "1.000 ± 0.000",
        "95 % of mean": "",
        "Null n-cut": "1.500 ± 0.250",
        "Ours − paper": f"+0.100 [{0.1 - half:+.3f}, {0.1 + half:+.3f}]",
    }


def test_readable_table_of_a_data_set_that_is_not_in_the_paper():
    table = tables.readable(tables.clusterability_table(*two_networks(), NO_PAPER))
    assert table.index.tolist() == [("MNIST", "no", "ours")]
    assert "nan" not in table.to_html()


@pytest.mark.parametrize(
    ("n_clusters", "name", "first_ncut"),
    [
        (4, " (Table 1)", 2.000),
        (7, " (Table A.1)", 4.556),
        (10, " (Table A.2)", 7.137),
        (2, " (Table A.3)", 0.333),
    ],
)
def test_table_of_the_paper_for_k(n_clusters, name, first_ncut):
    table = tables.paper_for_k(n_clusters)
    assert len(table) == 6
    assert table.columns.tolist() == paper_table("filan2020_table_1").columns.tolist()
    assert table["ncut_mean"].iloc[0] == first_ncut
    assert tables.paper_name(n_clusters) == name


def test_k_that_is_not_in_the_paper():
    assert len(tables.paper_for_k(3)) == 0
    assert tables.paper_name(3) == ""
    table = tables.clusterability_table(*two_networks(), tables.paper_for_k(3))
    assert table["paper_ncut_mean"].isna().all()


def test_range_of_untrained_networks_as_printed():
    assert tables.printed_support(paper_table("filan2020_text")) == (2.3, 2.45)


def test_units_and_volumes_of_clusters():
    weights = [np.array([[1.0, 0.0, -2.0]])]
    table = tables.cluster_sizes(weights, np.array([0, -1, 1, 1]))
    assert table.columns.tolist() == ["cluster", "layer", "units", "volume"]
    assert table.to_numpy().tolist() == [[-1, 0, 1, 0], [0, 0, 1, 1], [1, 0, 1, 2], [1, 1, 1, 3]]


def test_conditions_with_the_ncuts_of_their_networks():
    networks, tests = two_networks()
    networks += [make_network("lines", True, seed) for seed in (5, 6)]
    tests += [make_test(network, 0.5, [1.0, 2.0]) for network in networks[2:]]
    # another order than that of the data sets' names
    order = [2, 0, 3, 1]
    networks, tests = [networks[i] for i in order], [tests[i] for i in order]
    before = [make_ncut(network, 2.0) for network in networks]
    table = tables.clusterability_table(networks, tests, PAPER)
    joined = tables.with_networks(table, tables.network_table(networks, before, tests))
    assert joined["dataset"].tolist() == ["lines", "mnist"]
    assert joined["ours"].tolist() == [[0.5, 0.5], [1.0, 1.2]]
    assert joined["null_mean"].tolist() == table["null_ncut_mean"].tolist()
    assert joined["paper_mean"].iloc[1] == 1.0
    assert math.isnan(joined["paper_std"].iloc[0])


def test_first_network_of_each_condition():
    networks, tests = two_networks()
    networks.append(make_network("lines", True, 7))
    tests.append(make_test(networks[-1], 0.5, [1.0, 2.0, 3.0]))
    first, second = tables.one_per_condition(networks, tests)
    assert (first["title"], first["seed"], first["ncut"]) == ("MNIST, no dropout", 0, 1.0)
    assert (second["title"], second["seed"]) == ("LINES, with dropout", 7)
    assert second["null_ncuts"].tolist() == [1.0, 2.0, 3.0]
    assert (second["p_value"], second["n_shuffles"]) == (0.25, 3)
    long = tables.long_nulls([first, second])
    assert long.to_numpy().tolist() == [
        ["MNIST, no dropout", 0, 1.0, 1.1],
        ["MNIST, no dropout", 0, 1.0, 1.3],
        ["LINES, with dropout", 7, 0.5, 1.0],
        ["LINES, with dropout", 7, 0.5, 2.0],
        ["LINES, with dropout", 7, 0.5, 3.0],
    ]
