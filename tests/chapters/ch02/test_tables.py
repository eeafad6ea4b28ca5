"""Tables of chapter 2 from made-up records, with values that one can derive by hand."""

from __future__ import annotations

import math
from dataclasses import replace

import numpy as np
import pandas as pd
import pytest
from small_book import make_ncut, make_network, make_test

from modclust_utils.datasets.papers import paper_table, printed_p_values
from modclust_utils.publish import control_tables, null_tables
from modclust_utils.publish.networks import Network

PLACES = [(phase, mode) for phase in ("before", "after") for mode in ("layer", "layer-nonzero")]
#: 97.5 % points of Student's t with one and with two degrees of freedom, in closed form
T_1 = math.tan(math.pi * 0.475)
T_2 = 0.95 / math.sqrt(2 * 0.975 * 0.025)


def make_tests(networks: list[Network], found: dict[tuple[str, str], list]) -> dict:
    """(phase, mode) -> tests, from (n-cut, shuffles) of each network."""
    return {
        (phase, mode): [
            make_test(network, ncut, null, phase=phase, mode=mode)
            for network, (ncut, null) in zip(networks, found[phase, mode], strict=True)
        ]
        for phase, mode in PLACES
    }


def two_networks() -> tuple[list[Network], dict]:
    """After pruning, the topology lowers the n-cut of the first network and raises the second's."""
    networks = [make_network("mnist", False, 3), make_network("fashion_mnist", True, 8)]
    same = [(2.5, [2.0, 3.0]), (2.25, [2.0, 2.5])]
    found = {
        ("before", "layer"): same,
        ("before", "layer-nonzero"): same,
        ("after", "layer"): [(1.5, [2.0, 2.0, 3.0, 3.0]), (1.0, [0.5, 1.5])],
        ("after", "layer-nonzero"): [(1.5, [1.0, 1.5, 1.5, 2.0]), (1.0, [2.0, 3.0])],
    }
    return networks, make_tests(networks, found)


# Both nulls, network by network


def test_row_of_a_network_by_hand():
    rows = null_tables.per_network(*two_networks()).to_dict("records")
    (row,) = (r for r in rows if (r["network"], r["phase"]) == (3, "after"))
    assert row == {
        **{"dataset": "mnist", "dropout": False, "phase": "after", "network": 3, "ncut": 1.5},
        # none of 4 below, and 1 of 4: ties are not below
        **{"p_value_layer": 1 / 5, "p_value_layer_nonzero": 2 / 5},
        **{"n_below_layer": 0, "n_below_layer_nonzero": 1, "n_shuffles": 4},
        "null_layer_mean": 2.5,
        "null_layer_std": pytest.approx(math.sqrt(4 * 0.25 / 3)),
        "null_layer_nonzero_mean": 1.5,
        "null_layer_nonzero_std": pytest.approx(math.sqrt(2 * 0.25 / 3)),
        # pooled over samples of one size: the mean of the variances, 1/3 and 1/6
        "cohens_d": pytest.approx((2.5 - 1.5) / math.sqrt(1 / 4)),
    }


def test_cohens_d_is_positive_where_the_topology_lowers_the_ncut():
    table = null_tables.per_network(*two_networks())
    d = table.set_index(["phase", "network"])["cohens_d"]
    assert d["after", 3] > 0
    assert d["after", 8] == pytest.approx((1.0 - 2.5) / math.sqrt(0.5))
    assert d["before", 3] == d["before", 8] == 0


def test_networks_come_in_order_before_pruning_and_then_after():
    table = null_tables.per_network(*two_networks())
    keys = table[["phase", "dataset", "dropout", "network"]].to_numpy().tolist()
    assert keys == [
        ["before", "mnist", False, 3],
        ["before", "fashion_mnist", True, 8],
        ["after", "mnist", False, 3],
        ["after", "fashion_mnist", True, 8],
    ]
    assert table["ncut"].tolist() == [2.5, 2.25, 1.5, 1.0]
    assert table["n_shuffles"].tolist() == [2, 2, 4, 2]


def test_network_without_its_test():
    networks, tests = two_networks()
    tests["after", "layer-nonzero"].pop()
    with pytest.raises(ValueError, match="shorter"):
        null_tables.per_network(networks, tests)


def test_readable_networks():
    table = null_tables.per_network(*two_networks())
    readable = null_tables.readable_networks(table[table["phase"] == "after"])
    assert readable.index.tolist() == [3, 8]
    assert readable.loc[3].to_dict() == {
        "n-cut": "1.500",
        "p": "0.200",
        "Null n-cut": "2.500 ± 0.577",
        "p (non-zero)": "0.400",
        "Null n-cut (non-zero)": "1.500 ± 0.408",
        "Cohen's d": "+2.00",
    }
    assert readable.loc[8, "Cohen's d"] == "-2.12"


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
    row = null_tables.paper_per_network().set_index([*null_tables.CONDITION, "network"])
    found = row.loc[dataset, dropout, phase, run]
    assert (found["ncut"], found[column]) == (ncut, value)


def test_paper_has_ten_networks_of_each_condition():
    table = null_tables.paper_per_network()
    assert len(table) == 120
    sizes = table.groupby(null_tables.CONDITION).size()
    assert len(sizes) == 12
    assert set(sizes) == {10}
    assert not table.isna().any(axis=None)
    # it has every column that ours has, but for the counts of shuffles
    ours = null_tables.per_network(*two_networks())
    assert set(ours) - set(table) == {"n_below_layer", "n_below_layer_nonzero", "n_shuffles"}


def test_table_1_has_the_means_of_the_pruned_networks():
    table = null_tables.paper_per_network().query("phase == 'after'")
    means = table.groupby(["dataset", "dropout"])["ncut"].mean()
    printed = paper_table("filan2020_table_1").set_index(["dataset", "dropout"])["ncut_mean"]
    assert set(means.index) == set(printed.index)
    for condition, mean in means.items():
        assert mean == pytest.approx(printed[condition], abs=0.005)


def rows(dataset: str, dropout: bool, phase: str, ncuts: list[float]) -> pd.DataFrame:
    """Networks of one condition with the columns that are needed to compare n-cuts."""
    condition = {"dataset": dataset, "dropout": dropout, "phase": phase}
    return pd.DataFrame([condition | {"network": i, "ncut": v} for i, v in enumerate(ncuts)])


def test_paper_beside_ours_for_our_conditions_alone():
    ours = pd.concat(
        [rows("cifar10", True, "after", [1.5, 1.25]), rows("lines", False, "before", [2.0])]
    )
    table = null_tables.with_paper(ours, "ncut")
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
    assert set(theirs[null_tables.CONDITION].itertuples(index=False, name=None)) == {
        ("cifar10", True, "after")
    }


# What dropout changes


def effect_of(plain: list[float], dropped: list[float], dataset: str = "lines") -> pd.DataFrame:
    return null_tables.dropout_effect(
        pd.concat([rows(dataset, False, "after", plain), rows(dataset, True, "after", dropped)])
    )


def test_effect_of_dropout_by_hand():
    (row,) = effect_of([2.0, 2.2], [1.0, 1.2]).to_dict("records")
    # two samples of variance 0.02: the standard error of the difference is sqrt(0.01 + 0.01)
    error = math.sqrt(0.02)
    assert row == {
        **{"dataset": "lines", "phase": "after", "source": "ours", "n": 2, "overlap": False},
        "difference": pytest.approx(-1.0),
        "low": pytest.approx(-1.0 - T_2 * error),
        "high": pytest.approx(-1.0 + T_2 * error),
        "z": pytest.approx(-1.0 / error),
    }


@pytest.mark.parametrize(
    ("dropped", "overlap"),
    [
        ([1.0, 1.9], False),
        ([1.0, 2.0], True),
        ([2.1, 2.2], True),
        ([1.0, 9.0], True),
        ([3.0, 4.0], True),
        ([3.5, 4.0], False),  # all above: apart, although dropout lowers nothing
    ],
)
def test_ranges_overlap(dropped, overlap):
    assert effect_of([2.0, 3.0], dropped)["overlap"].tolist() == [overlap]


def test_condition_with_one_network_is_left_out():
    assert effect_of([2.0], [1.0, 1.2]).empty
    assert effect_of([2.0, 2.2], [1.0]).empty
    # the paper's networks are enough for its own row
    assert effect_of([2.0], [1.0, 1.2], "mnist")["source"].tolist() == ["paper"]


def test_effect_of_the_paper_is_that_of_its_footnote_11():
    effect = null_tables.dropout_effect(null_tables.paper_per_network())
    table = effect[effect["source"] == "paper"].set_index(["dataset", "phase"])
    after = table.xs("after", level="phase")["z"]
    facts = paper_table("filan2020_text").set_index("key")["value"]
    assert (facts["dropout_z_mnist"], facts["dropout_z_cifar10"]) == (13, 4)
    for dataset in ("mnist", "fashion_mnist", "cifar10"):
        # "about": these tables have a digit more than Table 1, from which 13.0 to 13.5 follows
        assert -after[dataset] == pytest.approx(facts[f"dropout_z_{dataset}"], abs=0.6)
    # read off the tables: only among pruned CIFAR-10 networks does one with dropout (2.040) have
    # an n-cut as high as one without (1.833)
    assert table.index[table["overlap"]].tolist() == [("cifar10", "after")]
    mine = effect[effect["source"] == "ours"].set_index(["dataset", "phase"])
    pd.testing.assert_frame_equal(mine.drop(columns="source"), table.drop(columns="source"))


def test_readable_effect():
    table = null_tables.readable_effect(effect_of([2.0, 2.2], [1.0, 1.2]))
    error = math.sqrt(0.02)
    assert table.index.tolist() == [("LINES", "after", "ours")]
    assert table.iloc[0].to_dict() == {
        "With − without dropout": f"-1.000 [{-1 - T_2 * error:+.3f}, {-1 + T_2 * error:+.3f}]",
        "Z": "-7.1",
        "Ranges overlap": "no",
    }


def test_networks_far_from_their_kind():
    kinds = {False: [1.0, 1.1, 1.2, 1.1, 5.0], True: [5.0, 5.1, 0.1, 5.0, 5.1]}
    frames = [
        pd.DataFrame({"ncut": ncuts, "dataset": "mnist", "dropout": dropout, "phase": "after"})
        for dropout, ncuts in kinds.items()
    ]
    table = pd.concat(frames, ignore_index=True)
    # quartiles 1.1 and 1.2, 5.0 and 5.1: fences 0.8 and 1.5, 4.7 and 5.4
    assert table.index[null_tables.far_out(table)].tolist() == [4, 7]
    inside = table.assign(ncut=[1.0, 1.1, 1.2, 1.1, 1.49, 5.0, 5.1, 4.71, 5.0, 5.1])
    assert not null_tables.far_out(inside).any()


# The two designs of shuffles


def designs_of(
    dataset: str, below: list[tuple[int, int]], n_shuffles: int = 320
) -> dict[str, dict[str, object]]:
    """Rows of `significance_designs` by null; below: for both nulls, a pair for each network."""
    condition = {"dataset": dataset, "dropout": False, "phase": "after", "n_shuffles": n_shuffles}
    ours = [condition | {"n_below_layer": a, "n_below_layer_nonzero": b} for a, b in below]
    table = null_tables.significance_designs(pd.DataFrame(ours))
    return {row["null"]: row for row in table.to_dict("records")}


def test_one_shuffle_below_is_rarely_drawn():
    row = designs_of("fashion_mnist", [(1, 0)])["layer"]
    assert row["ours_independent"] == 0
    # one of 320 is not among 32 drawn: 1 - 32 / 320
    assert row["ours_repeated"] == pytest.approx(0.9)


def test_designs_by_hand():
    found = designs_of("fashion_mnist", [(1, 0), (0, 320), (2, 300)])
    layer, nonzero = found["layer"], found["layer-nonzero"]
    assert layer["ours_independent"] == pytest.approx(1 / 3)
    assert layer["ours_repeated"] == pytest.approx((0.9 + 1 + (288 * 287) / (320 * 319)) / 3)
    # of 320 with 300 below, only 20 can be drawn that are not
    assert nonzero["ours_independent"] == nonzero["ours_repeated"] == pytest.approx(1 / 3)
    # Table A.10: all of ten against `layer`, none against `layer-nonzero`
    assert (layer["paper"], nonzero["paper"]) == (1.0, 0.0)
    assert layer["n"] == nonzero["n"] == 3
    assert nonzero["name"] == "Fashion-MNIST, no dropout, after pruning, layer-nonzero"


def test_designs_with_fewer_shuffles_than_32():
    # all three are drawn, so both designs agree
    row = designs_of("lines", [(1, 0), (0, 0)], n_shuffles=3)["layer"]
    assert row["ours_independent"] == row["ours_repeated"] == 0.5
    assert math.isnan(row["paper"])


def test_readable_designs():
    frame = pd.DataFrame(designs_of("mnist", [(1, 0)]).values())
    table = null_tables.readable_designs(frame)
    assert table.index.tolist() == [
        ("MNIST, no dropout", "after", "layer"),
        ("MNIST, no dropout", "after", "layer-nonzero"),
    ]
    # Table A.6: 0.003 in seven of ten rows, for either null
    # Clopper and Pearson: one of one, none of one, seven of ten
    assert table.to_numpy().tolist() == [
        ["0.00 [0.00, 0.97]", "0.90", "0.70 [0.35, 0.93]"],
        ["1.00 [0.03, 1.00]", "1.00", "0.70 [0.35, 0.93]"],
    ]
    assert null_tables.readable_designs(frame.assign(paper=np.nan))["Paper"].tolist() == ["–", "–"]


def test_simulated_designs():
    networks = [make_network("mnist", False, 3), make_network("mnist", True, 8)]
    null = np.arange(320) / 100
    found = {place: [(0.035, null), (-1.0, null)] for place in PLACES}  # 4 and none below
    found["after", "layer-nonzero"] = [(9.0, null), (0.205, null)]  # all and 21 below
    tests = make_tests(networks, found)
    table = null_tables.simulated_designs(networks, tests, rng=np.random.default_rng(0))
    assert table[["phase", "null", "network"]].to_numpy().tolist() == [
        [phase, mode, seed] for phase, mode in PLACES for seed in (3, 8)
    ]
    assert table["below_independent"].tolist() == [4, 0] * 3 + [320, 21]
    assert table["remainder_independent"].dropna().tolist() == [4, 4, 4, 1]
    assert (table["n_independent"] == 320).all()
    assert (table["n_repeated"] == 320).all()
    assert (table["below_repeated"] % 10 == 0).all()
    assert set(table["remainder_repeated"].dropna()) <= {0}
    # what no or every shuffle is below, none or all of the drawn ones are, too
    assert table["below_repeated"].tolist()[1::2][:3] == [0, 0, 0]
    assert table["below_repeated"].tolist()[6] == 320
    again = null_tables.simulated_designs(networks, tests, rng=np.random.default_rng(0))
    pd.testing.assert_frame_equal(table, again)


def test_simulated_designs_of_a_few_shuffles():
    networks = [make_network("lines", False, 0)]
    tests = make_tests(networks, {key: [(1.5, [1.0, 2.0, 3.0])] for key in PLACES})
    table = null_tables.simulated_designs(networks, tests, rng=np.random.default_rng(0))
    # all three are drawn, and each is counted ten times
    assert table["below_repeated"].tolist() == [10] * 4
    assert table["n_repeated"].tolist() == [30] * 4


def test_readable_conditions():
    networks = [make_network("mnist", False, seed) for seed in (0, 1)]
    ncuts = {place: [(2.0, [1.0, 3.0]), (2.5, [3.0, 4.0])] for place in PLACES}
    table = null_tables.readable_conditions(
        null_tables.per_network(networks, make_tests(networks, ncuts))
    )
    assert table.index.tolist() == [
        ("MNIST, no dropout", phase, source)
        for phase in ("before", "after")
        for source in ("ours", "paper")
    ]
    ours, paper = table.xs("after", level="Pruning").to_dict("records")
    assert ours == {
        "n-cut": "2.250 ± 0.354",
        "Null n-cut": "2.750",
        "Sig.": "1 of 2",
        "Null n-cut (non-zero)": "2.750",
        "Sig. (non-zero)": "1 of 2",
        "Cohen's d": "0.000 ± 0.000",
    }
    # Table A.6, and Table 1 of the paper
    assert paper["n-cut"].startswith("2.000 ± 0.03")
    assert (paper["Sig."], paper["Sig. (non-zero)"]) == ("7 of 10", "7 of 10")
    own = [make_network("mnist5k", False, seed) for seed in (0, 1)]
    table = null_tables.readable_conditions(null_tables.per_network(own, make_tests(own, ncuts)))
    assert set(table.index.get_level_values(2)) == {"ours"}


# What the figures take


def test_first_network_of_each_condition_with_both_nulls():
    networks = [
        make_network("mnist", True, 5),
        make_network("mnist", True, 6),
        make_network("lines", False, 5),
    ]
    found = {
        place: [(i + 0.5, [10.0 * i + j, 10.0 * i + j + 1]) for i in range(3)]
        for j, place in enumerate(PLACES)
    }
    first, second = null_tables.two_nulls(networks, make_tests(networks, found), "after")
    assert (first["title"], first["ncut"]) == ("MNIST, with dropout", 0.5)
    assert (second["title"], second["ncut"]) == ("LINES, no dropout", 2.5)
    assert first["layer"].tolist() == [2.0, 3.0]
    assert first["layer_nonzero"].tolist() == [3.0, 4.0]
    assert second["layer_nonzero"].tolist() == [23.0, 24.0]


def test_every_shuffle_of_one_condition():
    networks = [
        make_network("mnist", True, 5),
        make_network("mnist", False, 6),
        make_network("mnist", True, 9),
    ]
    found = {place: [(i + 0.5, [10.0 * i + j]) for i in range(3)] for j, place in enumerate(PLACES)}
    long = null_tables.long_nulls(networks, make_tests(networks, found), "before", "mnist", True)
    assert long[["network", "ncut", "mode", "null_ncut"]].to_numpy().tolist() == [
        [5, 0.5, "layer", 0.0],
        [9, 2.5, "layer", 20.0],
        [5, 0.5, "layer-nonzero", 1.0],
        [9, 2.5, "layer-nonzero", 21.0],
    ]


def test_places_of_the_printed_p_values():
    table = null_tables.lattice_table(np.array([0.003, 0.034, 0.031]))
    assert table.to_numpy().tolist() == [[0.003, 0, True], [0.034, 1, True], [0.031, 1, False]]
    assert null_tables.lattice_table(printed_p_values())["fits"].all()


# Training on random data


def accuracies(running: float, after: float, before: float) -> dict[str, float]:
    return {
        "running_accuracy_after": running,
        "train_accuracy_after": after,
        "train_accuracy_before": before,
    }


def long_members() -> tuple[list[Network], list, list]:
    """As `control_members`, trained for 1,000 epochs."""
    networks, before, tests = control_members()
    conditions = [
        replace(n.condition, settings=replace(n.condition.settings, epochs=1000)) for n in networks
    ]
    long = [replace(n, condition=c) for n, c in zip(networks, conditions, strict=True)]
    return long, before, tests


def control_members(dataset: str = "random") -> tuple[list[Network], list, list]:
    """Two networks without dropout, of which one is significant, around two with it."""
    networks = [
        make_network(dataset, False, 0, **accuracies(0.25, 0.5, 0.125)),
        make_network(dataset, True, 0),
        make_network(dataset, True, 1),
        make_network(dataset, False, 1, **accuracies(0.5, 1.0, 0.375)),
    ]
    before = [make_ncut(n, v) for n, v in zip(networks, (2.25, 3.0, 3.5, 2.75), strict=True)]
    tests = [
        make_test(networks[0], 1.0, [1.1, 1.3]),
        make_test(networks[1], 2.0, [2.5, 2.5]),
        make_test(networks[2], 2.0, [2.5, 2.5]),
        make_test(networks[3], 1.2, [1.1, 1.5]),
    ]
    return networks, before, tests


def test_row_of_a_control_by_hand():
    table = control_tables.controls({"unlearnable": control_members()})
    assert table[["role", "dataset", "dropout"]].to_numpy().tolist() == [
        ["unlearnable", "random", False],
        ["unlearnable", "random", True],
    ]
    plain, dropped = table.to_dict("records")
    assert plain == {
        **{"role": "unlearnable", "dataset": "random", "dropout": False, "n": 2, "n_sig": 1},
        "epochs": 20,
        **{"running_acc": 0.375, "train_acc": 0.75, "train_acc_before": 0.25},
        **{"before": [2.25, 2.75], "after": [1.0, 1.2]},
        "before_mean": 2.5,
        "before_std": pytest.approx(math.sqrt(0.125)),
        "ncut_mean": pytest.approx(1.1),
        "ncut_std": pytest.approx(math.sqrt(0.02)),
        # all four shuffles together: 1.1, 1.3, 1.1, 1.5
        "null_mean": pytest.approx(1.25),
        "null_std": pytest.approx(math.sqrt(0.11 / 3)),
        # Table 2, first row
        **{"paper_prop_sig": 0.0, "paper_train_acc": 0.102},
        **{"paper_before_mean": 2.338, "paper_before_std": 0.030},
        **{"paper_after_mean": 2.093, "paper_after_std": 0.023},
        **{"paper_null_mean": 2.081, "paper_null_std": 0.014},
    }
    assert (dropped["before"], dropped["after"], dropped["n_sig"]) == ([3.0, 3.5], [2.0, 2.0], 2)
    assert dropped["paper_after_mean"] == 2.053


@pytest.mark.parametrize(
    ("role", "plain", "dropped"),
    [
        ("unlearnable", (0.0, 2.338, 2.093, 2.081), (0.0, 2.323, 2.053, 2.061)),
        ("kilo-epoch", (0.1, 2.342, 2.082, 2.082), (0.3, 2.329, 2.043, 2.061)),
        ("memorization", (1.0, 2.464, 1.880, 2.008), (0.3, 2.333, 2.038, 2.055)),
    ],
)
def test_each_control_stands_beside_its_own_table(role, plain, dropped):
    members = {
        "unlearnable": control_members(),
        "kilo-epoch": long_members(),
        "memorization": control_members("random3k"),
    }
    table = control_tables.controls({role: members[role]})
    columns = [f"paper_{c}" for c in ("prop_sig", "before_mean", "after_mean", "null_mean")]
    assert table[columns].to_numpy().tolist() == [list(plain), list(dropped)]


def test_other_data_have_no_printed_numbers():
    table = control_tables.controls({"memorization": control_members("random200")})
    assert table.filter(like="paper_").isna().all(axis=None)
    shorter = control_tables.controls({"kilo-epoch": control_members()})  # 20 epochs
    assert shorter.filter(like="paper_").isna().all(axis=None)
    assert control_tables.control_name(shorter.iloc[0]) == "RANDOM, 20 epochs"
    readable = control_tables.readable_controls(table)
    name = "RANDOM (200), memorization"
    assert readable.index.tolist() == [(name, dropout, "ours") for dropout in ("no", "yes")]


def test_control_that_was_not_run_has_no_row():
    members = {"kilo-epoch": ([], [], []), "memorization": control_members()}
    assert control_tables.controls(members)["role"].tolist() == ["memorization"] * 2


def test_readable_controls():
    table = control_tables.controls({"memorization": control_members("random3k")})
    readable = control_tables.readable_controls(table)
    name = "RANDOM (3,000), memorization (Table 4)"
    assert readable.index.tolist() == [
        (name, dropout, source) for dropout in ("no", "yes") for source in ("ours", "paper")
    ]
    ours, paper = readable.head(2).to_dict("records")
    assert ours == {
        "Prop. sig.": "0.50 [0.01, 0.99]",
        "Train acc.": "0.375 (0.750)",
        "Unpruned n-cut": "2.500 ± 0.354",
        "n-cut": "1.100 ± 0.141",
        "Null n-cut": "1.250 ± 0.191",
    }
    assert paper == {
        "Prop. sig.": "1.00",
        "Train acc.": "1.000",
        "Unpruned n-cut": "2.464 ± 0.014",
        "n-cut": "1.880 ± 0.017",
        "Null n-cut": "2.008 ± 0.014",
    }


def test_controls_for_the_figure():
    table = control_tables.controls({"kilo-epoch": long_members()})
    figure = control_tables.control_rows(table)
    assert figure["name"].tolist() == ["RANDOM, 1,000 epochs"] * 2
    pd.testing.assert_frame_equal(figure.drop(columns="name"), table)


# Mixtures


def mixture_table() -> pd.DataFrame:
    """Two networks of LINES without dropout, and two of a data set that the paper lacks."""
    networks = [
        make_network(
            *("lines", False, 0),
            **{"running_accuracy_after": 0.5, "test_accuracy_after": 0.25},
            train_accuracy_after=0.125,
        ),
        make_network("mnist5k", True, 0),
        make_network(
            *("lines", False, 1),
            **{"running_accuracy_after": 1.0, "test_accuracy_after": 0.5},
            train_accuracy_after=0.375,
        ),
        make_network("mnist5k", True, 1),
    ]
    ncuts = [
        make_ncut(network, ncut, phase="after")
        for network, ncut in zip(networks, (1.5, 1.0, 1.75, 1.0), strict=True)
    ]
    return control_tables.mixtures(networks, ncuts)


def test_mixtures_of_the_paper_and_ours():
    table = mixture_table()
    names = paper_table("filan2020_table_a16")["dataset"].tolist()
    assert len(names) == 9
    assert list(zip(table["dataset"], table["dropout"], strict=True)) == [
        *((name, False) for name in names),
        *((name, True) for name in names),
        ("mnist5k", True),
    ]
    by_name = table.set_index(["dataset", "dropout"])
    assert by_name["n"].to_dict() == dict.fromkeys(by_name.index, 0) | {
        ("lines", False): 2,
        ("mnist5k", True): 2,
    }
    ours = by_name.columns[~by_name.columns.str.startswith("paper_")].drop("n")
    not_run = by_name["n"] == 0
    assert by_name.loc[not_run, ours].isna().all(axis=None)
    assert by_name.loc[~not_run, ours].notna().all(axis=None)
    # Tables A.16 and A.17
    assert by_name.loc[("mnist_cifar10_sep", False), "paper_ncut_mean"] == 1.587
    assert by_name.loc[("mnist_cifar10_sep", True), "paper_ncut_mean"] == 1.517
    assert by_name.loc[("mnist5k", True)].filter(like="paper_").isna().all()


def test_row_of_a_mixture_by_hand():
    row = mixture_table().set_index(["dataset", "dropout"]).loc["lines", False]
    assert row.to_dict() == {
        "n": 2,
        "ncut_mean": 1.625,
        "ncut_std": pytest.approx(math.sqrt(0.03125)),
        # the standard error of two values is half their distance
        "ncut_low": pytest.approx(1.625 - 0.125 * T_1),
        "ncut_high": pytest.approx(1.625 + 0.125 * T_1),
        **{"running_acc": 0.75, "train_acc": 0.25, "test_acc": 0.375},
        **{"paper_ncut_mean": 1.599, "paper_ncut_std": 0.049},
        **{"paper_train_acc": 1.0, "paper_test_acc": 1.0},
    }


def test_readable_mixtures():
    table = control_tables.readable_mixtures(mixture_table())
    assert table.columns.tolist() == [
        *("Networks", "n-cut", "n-cut, paper", "Train acc.", "Train acc., paper"),
        *("Test acc.", "Test acc., paper"),
    ]
    assert table.loc[("LINES", "no")].tolist() == [
        *(2, "1.625 ± 0.177", "1.599 ± 0.049", "0.750 (0.250)", "1.000", "0.375", "1.000"),
    ]
    assert table.loc[("LINES-MNIST-SEP", "yes")].tolist() == [
        *("–", "not run", "1.517 ± 0.020", "–", "0.984", "–", "0.885"),
    ]
    assert table.loc[("MNIST (5,000 digits)", "yes")].tolist() == [
        *(2, "1.000 ± 0.000", "–", "0.500 (0.500)", "–", "0.500", "–"),
    ]


def test_page_shows_the_rows_of_the_paper_beside_ours_alone():
    table = mixture_table()
    pd.testing.assert_frame_equal(control_tables.shown_mixtures(table), table)
    own = table[table["dataset"] != "lines"]
    shown = control_tables.shown_mixtures(own)
    assert shown[["dataset", "dropout"]].to_numpy().tolist() == [["mnist5k", True]]
    assert len(control_tables.shown_mixtures(control_tables.mixtures([], []))) == 0


def test_mixtures_for_the_figure():
    table = mixture_table()
    figure = control_tables.mixture_rows(table)
    assert figure["name"].tolist()[-2:] == ["MNIST-CIFAR-10-SEP", "MNIST (5,000 digits)"]
    np.testing.assert_array_equal(figure["paper_mean"], table["paper_ncut_mean"])
    np.testing.assert_array_equal(figure["paper_std"], table["paper_ncut_std"])
    np.testing.assert_array_equal(figure["ncut_low"], table["ncut_low"])
