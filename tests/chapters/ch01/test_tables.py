"""Tables from made-up records, with values that one can derive by hand."""

from __future__ import annotations

import math

import numpy as np
import pandas as pd
import pytest
from small_book import frame_of, make_ncut, make_network, make_partition, make_test, printed

from modclust_utils.chapters.ch01_clusterability import tables
from modclust_utils.datasets.papers import paper_table
from modclust_utils.recipes.frames import trace_of

PAPER = pd.DataFrame(
    [
        {
            **{"dataset": "mnist", "dropout": False, "prop_sig": 0.7},
            **{"train_acc": 0.9, "test_acc": 0.8, "ncut_mean": 1.0, "ncut_std": 0.0},
            **{"null_ncut_mean": 1.5, "null_ncut_std": 0.25},
        }
    ]
)
PAPER = printed(PAPER)
NO_PAPER = PAPER.iloc[:0]


def two_networks() -> tuple[pd.DataFrame, pd.DataFrame]:
    """Networks and tests: n-cut 1.0 below both shuffles, n-cut 1.2 between its two."""
    made = [
        make_network("mnist", seed=i, test_accuracy_after=0.5 + i / 4, n_test=100) for i in (0, 1)
    ]
    tests = [make_test(made[0], 1.0, [1.1, 1.3]), make_test(made[1], 1.2, [1.1, 1.5])]
    return frame_of(made), frame_of(tests)


def clusterability(networks: pd.DataFrame, tests: pd.DataFrame, paper: pd.DataFrame):
    return tables.clusterability(tests, networks, paper)


def test_table_by_phase():
    networks = [
        make_network("mnist", False, 3, test_accuracy_before=0.1, test_accuracy_after=0.2),
        make_network("lines", True, 4, train_accuracy_after=0.3, running_accuracy_before=0.4),
    ]
    before = [make_ncut(networks[0], 2.5), make_ncut(networks[1], 2.4)]
    after = [make_test(networks[0], 1.5, [2, 3]), make_test(networks[1], 1.4, [2, 3])]
    table = tables.by_phase(frame_of(networks), frame_of(before), frame_of(after))
    assert table.columns.tolist() == [
        *("dataset", "dropout", "seed", "network", "phase"),
        *("ncut", "test_acc", "train_acc", "running_acc"),
    ]
    assert table["network"].tolist() == [job.key for job, _ in networks for _ in range(2)]
    assert table.drop(columns="network").to_numpy().tolist() == [
        ["mnist", False, 3, "before", 2.5, 0.1, 0.5, 0.5],
        ["mnist", False, 3, "after", 1.5, 0.2, 0.5, 0.5],
        ["lines", True, 4, "before", 2.4, 0.5, 0.5, 0.4],
        ["lines", True, 4, "after", 1.4, 0.5, 0.3, 0.5],
    ]


def test_row_of_a_condition_by_hand():
    (row,) = clusterability(*two_networks(), PAPER).to_dict("records")
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
    (row,) = clusterability(frame_of(networks), frame_of(tests), NO_PAPER).to_dict("records")
    assert (row["n_above_all"], row["n_sig"]) == (1, 0)


def test_networks_expected_below_or_above_all_of_few_shuffles():
    # of 64 shuffles, 32 are drawn: without the only one against a network in half of the cases
    networks = [make_network(seed=seed) for seed in range(3)]
    null = [1.0, *[2.0] * 62, 3.0]
    tests = [make_test(n, ncut, null) for n, ncut in zip(networks, (0.5, 1.5, 2.5), strict=True)]
    (row,) = clusterability(frame_of(networks), frame_of(tests), NO_PAPER).to_dict("records")
    assert (row["n_sig"], row["n_above_all"]) == (1, 0)
    assert row["n_sig_of_few"] == pytest.approx(1 + 1 / 2)
    assert row["n_above_all_of_few"] == pytest.approx(1 / 2)
    # ours may have fewer
    (row,) = clusterability(*two_networks(), NO_PAPER).to_dict("records")
    assert row["n_sig_of_few"] == row["n_sig"]


def test_conditions_stay_apart_and_in_order():
    networks, tests = [], []
    for i, (dataset, dropout) in enumerate(
        [("mnist", True), ("lines", False), ("mnist", True), ("mnist", False), ("lines", False)]
    ):
        networks.append(make_network(dataset, dropout, i))
        tests.append(make_test(networks[-1], float(i), [2.0, 2.5]))
    networks.append(make_network("mnist", False, 9))
    tests.append(make_test(networks[-1], 5.0, [2.0, 2.5]))
    table = clusterability(frame_of(networks), frame_of(tests), PAPER)
    rows = table[["dataset", "dropout", "n", "ncut_mean"]].to_numpy().tolist()
    assert rows == [["mnist", True, 2, 1.0], ["lines", False, 2, 2.5], ["mnist", False, 2, 4.0]]
    assert table["paper_ncut_mean"].isna().tolist() == [True, True, False]
    assert table["difference_low"].isna().tolist() == [True, True, False]


def test_readable_table():
    table = tables.readable(clusterability(*two_networks(), PAPER)).content
    assert table.index.tolist() == [("MNIST", "no", "ours"), ("MNIST", "no", "paper")]
    ours, paper = table.to_dict("records")
    half = 0.1 * math.tan(math.pi * 0.475)
    assert ours == {
        "Prop. sig.": "0.50 [0.01, 0.99]",
        "Train acc.": "0.500 (0.500)",
        "Test acc.": "0.625",
        "n-cut": f"1.100 ± 0.141 [{1.1 - half:.3f}, {1.1 + half:.3f}]",
        "Null n-cut": "1.250 ± 0.191",
        "Ours − paper": "",
    }
    assert paper == {
        "Prop. sig.": "0.70",
        "Train acc.": "0.900",
        "Test acc.": "0.800",
        "n-cut": "1.000 ± 0.000",
        "Null n-cut": "1.500 ± 0.250",
        "Ours − paper": f"+0.100 [{0.1 - half:+.3f}, {0.1 + half:+.3f}]",
    }


def test_readable_table_of_a_data_set_that_is_not_in_the_paper():
    table = tables.readable(clusterability(*two_networks(), NO_PAPER)).content
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
    table = clusterability(*two_networks(), tables.paper_for_k(3))
    assert table["paper_ncut_mean"].isna().all()


# One row of weights: pixel 1 has no edge
WEIGHTS = [np.array([[1.0, 0.0, -2.0]])]


def drawn() -> tuple[pd.DataFrame, pd.DataFrame]:
    """The partition of a network, whose larger cluster has the number 1 in the record."""
    network = make_network("mnist", True, 7, weights=WEIGHTS)
    others = make_network("mnist", False, 8)
    partitions = frame_of(
        [make_partition(others, 9.0, [0]), make_partition(network, 0.75, [0, -1, 1, 1])]
    )
    return tables.drawn_partition(partitions, frame_of([network])), frame_of([network])


def test_partition_to_draw_is_the_networks_own_numbered_by_size():
    partition, _ = drawn()
    assert partition["ncut"].tolist() == [0.75]
    # 1 / 2 of the live pixels, against 1 / 2 of them and the logit
    assert partition["labels"].iloc[0].tolist() == [1, -1, 0, 0]
    assert [record.kind for record in trace_of(partition).records] == ["partition"]


def test_units_and_volumes_of_clusters():
    table = tables.cluster_sizes(*drawn())
    assert table.columns.tolist() == ["cluster", "layer", "units", "volume"]
    assert table.to_numpy().tolist() == [[-1, 0, 1, 0], [0, 0, 1, 2], [0, 1, 1, 3], [1, 0, 1, 1]]


def test_walk_comes_to_the_ncut_by_its_own_random_numbers():
    # of the stubs of cluster 0 one in five leads out, of cluster 1 its only one
    one, two, three = (
        tables.stub_walk(*drawn(), n_walks=20_000, rng=np.random.default_rng(seed))
        for seed in (0, 0, 1)
    )
    pd.testing.assert_frame_equal(one, two)
    assert not one.equals(three)
    last = one.iloc[-1]
    assert last["low"] < (1 / 5 + 1) / 2 < last["high"]


def test_first_network_of_each_condition():
    _, tests = two_networks()
    other = make_network("lines", True, 7)
    tests = pd.concat([tests, frame_of([make_test(other, 0.5, [1.0, 2.0, 3.0])])])
    assert tables.first_of_each(tests).to_numpy().tolist() == [
        ["MNIST, no dropout", 0, 1.0, 1.1],
        ["MNIST, no dropout", 0, 1.0, 1.3],
        ["LINES, with dropout", 7, 0.5, 1.0],
        ["LINES, with dropout", 7, 0.5, 2.0],
        ["LINES, with dropout", 7, 0.5, 3.0],
    ]


def test_tables_for_each_k():
    networks, tests = two_networks()
    others = tests.assign(n_clusters=3, ncut=2.0)
    by_k = tables.by_k(pd.concat([tests, others]), networks)
    assert {k: table["ncut_mean"].iloc[0] for k, table in by_k.items()} == {3: 2.0, 4: 1.1}
    # printed numbers for k = 4 alone, and of this kind of network
    assert by_k[4]["paper_ncut_mean"].tolist() == [2.000]
    both = tables.together(by_k)
    assert both["n_clusters"].tolist() == [3, 4]
    trace = trace_of(both)
    assert len(trace.records) == 4
    assert trace.sources == ("Filan et al. 2020, Table 1 (data/papers/filan2020_table_1.csv)",)
    assert trace_of(by_k[3]).sources == ()


def test_table_without_a_row_of_ours_is_no_source():
    networks = frame_of([make_network("mnist5k", seed=seed) for seed in (0, 1)])
    tests = frame_of([make_test(make_network("mnist5k", seed=s), 1.0, [1.0, 2.0]) for s in (0, 1)])
    assert trace_of(tables.by_k(tests, networks)[4]).sources == ()


def test_facts_are_those_for_k():
    assert len(tables.facts_for_k(4)) == len(paper_table("filan2020_text"))
    assert tables.facts_for_k(7).empty


def test_training():
    networks = [
        make_network(dataset, dropout, seed, seconds=90.0, n_test=n_test, test_note=note)
        for dataset, n_test, note in [("mnist", 10_000, ""), ("cifar10", 1234, "only some images")]
        for dropout in (False, True)
        for seed in (0, 1)
    ]
    table = tables.training(frame_of(networks))
    assert table["minutes"].tolist() == [3.0] * 4
    shown = tables.readable_training(table).content
    assert shown.index.tolist() == [
        *(("MNIST", "0"), ("MNIST", "0.5"), ("CIFAR-10", "0"), ("CIFAR-10", "0.5")),
    ]
    assert shown.iloc[3].to_dict() == {
        **{"Networks": 2, "Epochs": "20 + 20", "Minutes": "3.0", "Test images": "1,234"},
        "Note": "only some images",
    }
    assert "Note" not in tables.readable_training(tables.training(frame_of(networks[:4]))).content
