"""Tables of both nulls and of dropout from made-up records, with values one can derive by hand."""

from __future__ import annotations

import math

import pandas as pd
import pytest
import scipy.stats
from made_up_nulls import PLACES, by_network, frames, two_networks
from small_book import make_network

from modclust_utils.chapters.ch02_dropout_and_topology import printed, tables
from modclust_utils.datasets.papers import beside, paper_table
from modclust_utils.recipes.frames import trace_of

PAPER = printed.networks()
#: 97.5 % point of Student's t with two degrees of freedom, in closed form
T_2 = 0.95 / math.sqrt(2 * 0.975 * 0.025)


# Both nulls, network by network


def test_row_of_a_network_by_hand():
    networks, tests = two_networks()
    table = tables.per_network(networks, tests)
    (row,) = table[(table["network"] == 3) & (table["phase"] == "after")].to_dict("records")
    assert row == {
        **{"dataset": "mnist", "dropout": False, "phase": "after", "network": 3, "ncut": 1.5},
        # none of 4, and 3 of 4: one is below, and two tie
        **{"p_value_layer": 1 / 5, "p_value_layer_nonzero": 4 / 5},
        **{"n_below_layer": 0, "n_below_layer_nonzero": 3, "n_shuffles": 4},
        "null_layer_mean": 2.5,
        "null_layer_std": pytest.approx(math.sqrt(4 * 0.25 / 3)),
        "null_layer_nonzero_mean": 1.5,
        "null_layer_nonzero_std": pytest.approx(math.sqrt(2 * 0.25 / 3)),
        # pooled over samples of one size: the mean of the variances, 1/3 and 1/6
        "cohens_d": pytest.approx((2.5 - 1.5) / math.sqrt(1 / 4)),
        **{"layer": [2.0, 2.0, 3.0, 3.0], "layer_nonzero": [1.0, 1.5, 1.5, 2.0]},
    }
    assert len(trace_of(table).records) == len(networks) + len(tests)


def test_a_network_equal_to_all_its_shuffles_is_not_below_them():
    networks = [make_network("mnist", seed=seed) for seed in (0, 1)]
    table = tables.per_network(*frames(networks, dict.fromkeys(PLACES, [(0.0, [0.0, 0.0])] * 2)))
    assert not tables.below_all(table, "layer").any()
    assert table["n_below_layer_nonzero"].tolist() == [2] * 4


def test_networks_come_in_order_before_pruning_and_then_after():
    table = tables.per_network(*two_networks())
    keys = table[["phase", "dataset", "dropout", "network"]].to_numpy().tolist()
    assert keys == [
        ["before", "mnist", False, 3],
        ["before", "fashion_mnist", True, 8],
        ["after", "mnist", False, 3],
        ["after", "fashion_mnist", True, 8],
    ]
    assert table["ncut"].tolist() == [2.5, 2.25, 1.5, 1.0]
    assert table["n_shuffles"].tolist() == [2, 2, 4, 2]
    # d is positive where the topology lowers the n-cut
    assert table["cohens_d"].tolist() == pytest.approx([0, 0, 2, (1.0 - 2.5) / math.sqrt(0.5)])


def test_networks_side_by_side():
    ours = by_network(("mnist", False, [2.25, 2.0]), phase="after")
    printed_rows = beside(PAPER, ours, printed.CONDITION)
    rows = tables.side_by_side(ours, printed_rows)
    assert len(rows) == 2 + 10
    assert rows["rank"].tolist() == [1, 1, 2, 2, *range(3, 11)]
    assert rows["source"].tolist() == ["ours", "paper", "ours", "paper", *["paper"] * 8]
    mine, theirs = (rows[rows["source"] == source] for source in ("ours", "paper"))
    assert mine["network"].tolist() == [1, 0]
    # Table A.6: its least and its largest n-cut
    assert theirs["ncut"].is_monotonic_increasing
    assert (theirs["ncut"].iloc[0], theirs["ncut"].iloc[-1]) == (
        *(printed_rows["ncut"].min(), printed_rows["ncut"].max()),
    )
    trace = trace_of(rows)
    assert (trace.records, trace.sources) == (trace_of(ours).records, trace_of(PAPER).sources)
    alone = tables.side_by_side(ours, PAPER.iloc[:0])
    assert alone["source"].tolist() == ["ours"] * 2
    assert trace_of(alone).sources == ()


def test_readable_networks():
    table = tables.per_network(*two_networks())
    after = table[table["phase"] == "after"]
    readable = tables.readable_networks(tables.side_by_side(after, PAPER.iloc[:0])).content
    assert readable.index.tolist() == [(1, "ours"), (2, "ours")]
    assert readable["Run"].tolist() == [8, 3]
    assert readable.iloc[1].to_dict() == {
        "Run": 3,
        "n-cut": "1.500",
        "p": "0.200",
        "Null n-cut": "2.500 ± 0.577",
        "p (non-zero)": "0.800",
        "Null n-cut (non-zero)": "1.500 ± 0.408",
        "Cohen's d": "+2.00",
    }
    assert readable.iloc[0]["Cohen's d"] == "-2.12"


def test_readable_conditions():
    ncuts = {place: [(2.0, [1.0, 3.0]), (2.5, [3.0, 4.0])] for place in PLACES}
    ours, own = (
        tables.per_network(*frames([make_network(dataset, seed=seed) for seed in (0, 1)], ncuts))
        for dataset in ("mnist", "mnist5k")
    )
    table = tables.readable_conditions(ours, PAPER).content
    assert table.index.names == ["Networks", "Pruning", "Source"]
    assert table.index.tolist() == [
        ("MNIST, no dropout", phase, source)
        for phase in ("before", "after")
        for source in ("ours", "paper")
    ]
    mine, theirs = table.xs("after", level="Pruning").to_dict("records")
    assert mine == {
        "n-cut": "2.250 ± 0.354",
        "Null n-cut": "2.750",
        "Sig.": "1 of 2",
        "Null n-cut (non-zero)": "2.750",
        "Sig. (non-zero)": "1 of 2",
        "Cohen's d": "0.000 ± 0.000",
    }
    # Table A.6, and Table 1 of the paper
    assert theirs["n-cut"].startswith("2.000 ± 0.03")
    assert (theirs["Sig."], theirs["Sig. (non-zero)"]) == ("7 of 10", "7 of 10")
    table = tables.readable_conditions(own, PAPER).content
    assert set(table.index.get_level_values(2)) == {"ours"}


def test_an_own_data_set_that_reads_as_another_keeps_its_rows():
    """A file `MNIST.npz` beside `mnist`: pages call both MNIST."""
    ncuts = {place: [(2.0, [1.0, 3.0]), (2.5, [3.0, 4.0])] for place in PLACES}
    both = [make_network(dataset, seed=0) for dataset in ("mnist", "MNIST")]
    table = tables.readable_conditions(tables.per_network(*frames(both, ncuts)), PAPER).content
    ours = table.xs("ours", level="Source")
    assert ours.index.get_level_values("Networks").tolist() == ["MNIST, no dropout"] * 4


def test_every_shuffle_of_some_networks():
    networks = [make_network("mnist", True, seed) for seed in (5, 9)]
    found = {place: [(i + 0.5, [10.0 * i + j]) for i in (0, 1)] for j, place in enumerate(PLACES)}
    # Cohen's d needs two shuffles
    found = {k: [(ncut, [*null, 7.0]) for ncut, null in v] for k, v in found.items()}
    table = tables.per_network(*frames(networks, found))
    long = tables.shuffles(table[table["phase"] == "before"])
    assert long.columns.tolist() == ["null_ncut", "network", "ncut", "mode"]
    assert long[long["null_ncut"] != 7.0].to_numpy().tolist() == [
        [0.0, 5, 0.5, "layer"],
        [10.0, 9, 1.5, "layer"],
        [1.0, 5, 0.5, "layer-nonzero"],
        [11.0, 9, 1.5, "layer-nonzero"],
    ]
    assert len(long) == 8
    assert long["null_ncut"].dtype == float


# The paper's tables. Cells were read from the paper's text under the captions of the tables.

PRINTED = [
    ("A.4", "mnist", False, "before", 1, 2.419, "cohens_d", 0.468),
    ("A.5", "mnist", True, "before", 0, 2.219, "null_layer_nonzero_mean", 2.356),
    ("A.6", "mnist", False, "after", 0, 2.073, "p_value_layer", 0.938),
    ("A.7", "mnist", True, "after", 7, 1.864, "p_value_layer_nonzero", 0.034),
    ("A.8", "fashion_mnist", False, "before", 4, 2.182, "null_layer_mean", 2.276),
    ("A.9", "fashion_mnist", True, "before", 4, 2.147, "null_layer_std", 0.055),
    ("A.10", "fashion_mnist", False, "after", 2, 1.839, "cohens_d", 5.928),
    ("A.11", "fashion_mnist", True, "after", 5, 1.682, "null_layer_nonzero_mean", 1.762),
    ("A.12", "cifar10", False, "before", 0, 2.405, "p_value_layer", 1.0),
    ("A.13", "cifar10", True, "before", 3, 2.198, "null_layer_std", 0.002),
    ("A.14", "cifar10", False, "after", 1, 2.296, "null_layer_nonzero_std", 0.327),
    ("A.15", "cifar10", True, "after", 4, 1.733, "cohens_d", 15.043),
]


@pytest.mark.parametrize("cells", PRINTED, ids=lambda cells: cells[0])
def test_conditions_are_those_of_the_captions(cells):
    _, dataset, dropout, phase, run, ncut, column, value = cells
    row = PAPER.set_index([*printed.CONDITION, "network"]).loc[dataset, dropout, phase, run]
    assert (row["ncut"], row[column]) == (ncut, value)


def test_paper_has_ten_networks_of_each_condition():
    sizes = PAPER.groupby(printed.CONDITION).size()
    assert len(sizes) == 12
    assert set(sizes) == {10}
    assert not PAPER.isna().any(axis=None)
    # it has every column that ours has, but for the shuffles and their counts
    ours = set(tables.per_network(*two_networks()))
    assert {name for name in ours - set(PAPER) if not name.startswith("n_")} == {
        *("layer", "layer_nonzero"),
    }
    assert trace_of(PAPER).sources == ("Filan et al. 2020, Tables A.4 to A.15 (data/papers)",)


def test_table_1_has_the_means_of_the_pruned_networks():
    means = PAPER.query("phase == 'after'").groupby(["dataset", "dropout"])["ncut"].mean()
    known = paper_table("filan2020_table_1").set_index(["dataset", "dropout"])["ncut_mean"]
    assert set(means.index) == set(known.index)
    for condition, mean in means.items():
        assert mean == pytest.approx(known[condition], abs=0.005)


@pytest.mark.parametrize("table", [printed.networks, printed.controls, printed.mixtures])
def test_paper_has_numbers_for_4_clusters_alone(table):
    assert len(table()) == len(table(4)) > 0
    assert table(7).empty
    assert table(7).columns.tolist() == table().columns.tolist()
    assert len(trace_of(table()).sources) == 1
    assert trace_of(table(7)).sources == ()


def test_paper_beside_ours_for_our_conditions_alone():
    ours = by_network(("cifar10", True, [1.5, 1.25]), ("lines", False, [2.0]))
    table = tables.with_paper(ours, PAPER, "ncut")
    assert table.columns.tolist() == [
        *("dataset", "dropout", "phase", "network", "ncut", "source"),
    ]
    assert table.index.tolist() == list(range(13))
    mine, theirs = (table[table["source"] == source] for source in ("ours", "paper"))
    assert mine["ncut"].tolist() == [1.5, 1.25, 2.0]
    # Table A.15
    assert theirs["ncut"].tolist() == [
        *(2.040, 1.827, 1.802, 1.915, 1.733, 1.780, 1.828, 1.853, 1.874, 1.750),
    ]
    assert set(theirs[printed.CONDITION].itertuples(index=False, name=None)) == {
        ("cifar10", True, "after")
    }
    trace = trace_of(table)
    assert trace.sources == trace_of(PAPER).sources
    assert trace.records == trace_of(ours).records


# What dropout changes


def effect_of(plain: list[float], dropped: list[float]) -> pd.DataFrame:
    return tables.dropout_effect(
        by_network(("lines", False, plain), ("lines", True, dropped)), PAPER
    )


def test_effect_of_dropout_by_hand():
    (row,) = effect_of([2.0, 2.2], [1.0, 1.2]).to_dict("records")
    # two samples of variance 0.02: the standard error of the difference is sqrt(0.01 + 0.01)
    error, bounds = math.sqrt(0.02), tables.order_interval(1.0, 2, 2, confidence=0.9)
    assert row == {
        **{"dataset": "lines", "phase": "after", "source": "ours", "n": 2, "in_order": 1.0},
        **dict(zip(("in_order_low", "in_order_high"), bounds, strict=True)),
        "difference": pytest.approx(-1.0),
        "low": pytest.approx(-1.0 - T_2 * error),
        "high": pytest.approx(-1.0 + T_2 * error),
        "z": pytest.approx(-1.0 / error),
    }


@pytest.mark.parametrize(
    ("dropped", "share"),
    [
        ([1.0, 1.9], 1.0),
        ([1.0, 2.0], 0.875),  # one of four pairs is equal
        ([2.1, 2.2], 0.5),
        ([1.0, 9.0], 0.5),
        ([3.0, 4.0], 0.125),
        ([3.5, 4.0], 0.0),  # all above: apart, although dropout lowers nothing
    ],
)
def test_pairs_in_order(dropped, share):
    (row,) = effect_of([2.0, 3.0], dropped).to_dict("records")
    assert row["in_order"] == share
    bounds = row["in_order_low"], row["in_order_high"]
    assert bounds == tables.order_interval(share, 2, 2, confidence=0.9)


@pytest.mark.parametrize("share", [0.0, 0.1, 0.5, 0.91, 1.0])
def test_interval_of_a_share_of_pairs(share):
    """Its ends are those chances from which the share is z standard errors away."""
    n_a, n_b, z = 8, 12, scipy.stats.norm.ppf(0.95)
    low, high = tables.order_interval(share, n_a, n_b, confidence=0.9)
    assert low <= share <= high
    for end, way in ((low, 1), (high, -1)):
        if end not in (0.0, 1.0):
            # Hanley and McNeil 1982 with n = 10 on both sides
            parts = end / (2 - end) - end**2, 2 * end**2 / (1 + end) - end**2
            variance = (end * (1 - end) + 9 * sum(parts)) / (n_a * n_b)
            assert way * (share - end) == pytest.approx(z * math.sqrt(variance), rel=1e-6)
    mirrored = tables.order_interval(1 - share, n_a, n_b, confidence=0.9)
    assert mirrored == pytest.approx((1 - high, 1 - low), abs=1e-8)
    wider = tables.order_interval(share, n_a, n_b)
    assert wider[0] <= low
    assert wider[1] >= high
    assert (high == 1.0) is (share == 1.0)
    assert (low == 0.0) is (share == 0.0)


def test_effect_of_the_paper_is_that_of_its_footnote_11():
    effect = tables.dropout_effect(PAPER, PAPER)
    mine, theirs = (
        effect[effect["source"] == source].set_index(["dataset", "phase"]).drop(columns="source")
        for source in ("ours", "paper")
    )
    pd.testing.assert_frame_equal(mine, theirs)
    after = theirs.xs("after", level="phase")["z"]
    facts = paper_table("filan2020_text").set_index("key")["value"]
    assert (facts["dropout_z_mnist"], facts["dropout_z_cifar10"]) == (13, 4)
    for dataset in ("mnist", "fashion_mnist", "cifar10"):
        # "about": these tables have a digit more than Table 1, from which 13.0 to 13.5 follows
        assert -after[dataset] == pytest.approx(facts[f"dropout_z_{dataset}"], abs=0.6)
    # read off the tables: only among pruned CIFAR-10 networks does one with dropout (2.040) have
    # an n-cut as high as one without (1.833)
    assert theirs.index[theirs["in_order"] < 1].tolist() == [("cifar10", "after")]


def test_readable_effect():
    table = tables.readable_effect(effect_of([2.0, 2.2], [1.0, 1.2])).content
    error = math.sqrt(0.02)
    assert table.index.tolist() == [("LINES", "after", "ours")]
    assert table.iloc[0].to_dict() == {
        "With − without dropout": f"-1.000 [{-1 - T_2 * error:+.3f}, {-1 + T_2 * error:+.3f}]",
        "Z": "-7.1",
        "Pairs in order": "100%",
    }


def test_effect_without_networks_far_out():
    kinds = [
        ("mnist5k", False, [2.0, 2.125, 2.0]),
        ("mnist5k", True, [1.5, 2.5, 1.5, 1.5625, 1.5]),
        ("lines", False, [1.0, 1.25]),
        ("lines", True, [1.0, 1.25]),
    ]
    table = tables.effect_both_ways(by_network(*kinds), PAPER)
    assert table[["dataset", "source"]].to_numpy().tolist() == [
        ["mnist5k", "ours"],
        ["mnist5k", "ours, without networks far out"],
        ["lines", "ours"],
    ]
    every, without = table["difference"].tolist()[:2]
    assert every == pytest.approx(8.5625 / 5 - 6.125 / 3)
    assert without == pytest.approx(6.0625 / 4 - 6.125 / 3)
    assert table["in_order"].tolist() == [12 / 15, 1.0, 0.5]


def test_effect_without_networks_of_the_paper_that_are_far_out():
    """Three pruned networks of CIFAR-10 without dropout: Table A.14."""
    ours = by_network(("cifar10", False, [2.0, 2.125]), ("cifar10", True, [1.5, 1.625]))
    table = tables.effect_both_ways(ours, PAPER).set_index("source")
    assert table.index.tolist() == ["ours", "paper", "paper, without networks far out"]
    # 2.296, 2.301 and 1.833 of a sum of 20.6; those with dropout have a mean of 1.8402
    less = (1.993 + 2.008 + 2.014 + 2.015 + 2.037 + 2.049 + 2.054) / 7
    assert table["difference"].tolist()[1:] == pytest.approx([1.8402 - 2.06, 1.8402 - less])
    # 2.040 with dropout is above six without it, of which 1.833 is below three more with dropout
    assert table["in_order"].tolist()[1:] == pytest.approx([91 / 100, 65 / 70])
