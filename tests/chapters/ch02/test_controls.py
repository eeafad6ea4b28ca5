"""Tables of training on random data and of mixtures, with values that one can derive by hand."""

from __future__ import annotations

import math

import pandas as pd
import pytest
from made_up_nulls import control_frames, mixture_frames

from modclust_utils.chapters.ch02_dropout_and_topology import controls, printed
from modclust_utils.datasets.papers import paper_table
from modclust_utils.recipes.frames import trace_of

PAPER = printed.controls()
#: 97.5 % point of Student's t with one degree of freedom, in closed form
T_1 = math.tan(math.pi * 0.475)


def test_row_of_a_control_by_hand():
    frames = control_frames()
    table = controls.controls(*frames, PAPER)
    assert table[["role", "dataset", "dropout"]].to_numpy().tolist() == [
        ["unlearnable", "random", False],
        ["unlearnable", "random", True],
    ]
    plain, dropped = table.to_dict("records")
    assert plain == {
        **{"role": "unlearnable", "dataset": "random", "dropout": False, "n": 2, "n_sig": 1},
        "epochs": 20,
        **{"running_acc": 0.375, "train_acc": 0.75, "train_acc_before": 0.25},
        **{"train_accs": [0.5, 1.0], "below_all": [True, False]},
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
    trace = trace_of(table)
    assert len(trace.records) == sum(map(len, frames))
    assert trace.sources == ("Filan et al. 2020, Tables 2 to 4 (data/papers)",)


@pytest.mark.parametrize(
    ("role", "dataset", "epochs", "plain", "dropped"),
    [
        ("unlearnable", "random", 20, (0.0, 2.338, 2.093, 2.081), (0.0, 2.323, 2.053, 2.061)),
        ("kilo-epoch", "random", 1000, (0.1, 2.342, 2.082, 2.082), (0.3, 2.329, 2.043, 2.061)),
        ("memorization", "random3k", 100, (1.0, 2.464, 1.880, 2.008), (0.3, 2.333, 2.038, 2.055)),
    ],
)
def test_each_control_stands_beside_its_own_table(role, dataset, epochs, plain, dropped):
    table = controls.controls(*control_frames(role, dataset, epochs), PAPER)
    columns = [f"paper_{c}" for c in ("prop_sig", "before_mean", "after_mean", "null_mean")]
    assert table[columns].to_numpy().tolist() == [list(plain), list(dropped)]


@pytest.mark.parametrize(
    ("about", "name"),
    [
        (("memorization", "random200", 100), "RANDOM (200), memorization"),
        (("kilo-epoch", "random", 20), "RANDOM, 20 epochs"),  # not the paper's 1,000
    ],
)
def test_other_data_and_epochs_have_no_printed_numbers(about, name):
    table = controls.controls(*control_frames(*about), PAPER)
    assert table.filter(like="paper_").isna().all(axis=None)
    readable = controls.readable_controls(table, PAPER[:0]).content
    assert readable.index.tolist() == [(name, dropout, "ours") for dropout in ("no", "yes")]


def test_networks_of_two_roles_are_two_rows_of_the_same_networks():
    """As where the long training is as long as the others."""
    pairs = zip(control_frames(), control_frames("kilo-epoch"), strict=True)
    table = controls.controls(*(pd.concat(pair, ignore_index=True) for pair in pairs), PAPER)
    assert table["role"].tolist() == ["unlearnable"] * 2 + ["kilo-epoch"] * 2
    ours = table[table.columns[~table.columns.str.startswith("paper_")]].drop(columns="role")
    pd.testing.assert_frame_equal(ours[:2], ours[2:].reset_index(drop=True))


def test_readable_controls():
    table = controls.controls(*control_frames("memorization", "random3k"), PAPER)
    readable = controls.readable_controls(table, PAPER[:0]).content
    name = "RANDOM (3,000), memorization (Table 4)"
    assert readable.index.tolist() == [
        (name, dropout, source) for dropout in ("no", "yes") for source in ("ours", "paper")
    ]
    ours, paper = readable.head(2).to_dict("records")
    assert ours == {
        "Prop. sig.": "0.50 [0.01, 0.99]",
        "Train acc.": "0.375 (0.750)",
        "Unpruned train acc.": "0.250",
        "Unpruned n-cut": "2.500 ± 0.354",
        "n-cut": "1.100 ± 0.141",
        "Null n-cut": "1.250 ± 0.191",
    }
    assert paper == {
        "Prop. sig.": "1.00",
        "Train acc.": "1.000",
        "Unpruned train acc.": "–",
        "Unpruned n-cut": "2.464 ± 0.014",
        "n-cut": "1.880 ± 0.017",
        "Null n-cut": "2.008 ± 0.014",
    }


# Mixtures


def mixture_table() -> pd.DataFrame:
    return controls.mixtures(*mixture_frames(), printed.mixtures())


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
        **{"running_acc": 0.75, "train_acc": 0.25, "test_acc": 0.375, "note": ""},
        **{"paper_ncut_mean": 1.599, "paper_ncut_std": 0.049},
        **{"paper_train_acc": 1.0, "paper_test_acc": 1.0},
    }


def test_readable_mixtures():
    table = controls.readable_mixtures(mixture_table()).content
    assert table.columns.tolist() == [
        *(("Ours", name) for name in ("Networks", "n-cut", "Train acc.", "Test acc.")),
        *(("Paper", name) for name in ("n-cut", "Train acc.", "Test acc.")),
    ]
    assert table.loc[("LINES", "no")].tolist() == [
        *(2, "1.625 ± 0.177", "0.750 (0.250)", "0.375", "1.599 ± 0.049", "1.000", "1.000"),
    ]
    assert table.loc[("LINES-MNIST-SEP", "yes")].tolist() == [
        *("–", "not run", "–", "–", "1.517 ± 0.020", "0.984", "0.885"),
    ]
    assert table.loc[("MNIST (5,000 digits)", "yes")].tolist() == [
        *(2, "1.000 ± 0.000", "0.500 (0.500)", "0.500", "–", "–", "–"),
    ]


def test_rows_of_the_paper_beside_ours_alone():
    mixed, _ = mixture_frames()
    assert len(controls.paper_mixtures(mixed, 4)) == 18  # one of them is ours: all are shown
    own = mixed[mixed["dataset"] != "lines"]
    assert controls.paper_mixtures(own, 4).empty
    assert controls.paper_mixtures(mixed, 7).empty  # it has nothing for another number of clusters
    assert len(controls.paper_controls(control_frames()[0], 4)) == 2
    assert controls.paper_controls(control_frames(dataset="random4k")[0], 4).empty
    table = controls.mixtures(*mixture_frames(), controls.paper_mixtures(mixed, 7))
    assert table["n"].tolist() == [2, 2]
    assert trace_of(table).sources == ()


def test_notes_on_test_images():
    mixed, ncuts = mixture_frames()
    words = "5 of the 9 test images come from cifar10, whose own note says: few"
    # a data set that is no mixture may have a note, too
    mixed = mixed.assign(test_note=words).replace({"dataset": {"lines": "lines_cifar10"}})
    table = controls.mixtures(mixed, ncuts, printed.mixtures(7))
    assert table["note"].tolist() == ["5 of the 9 test images come from cifar10"] * 2
    assert controls.notes(table) == {"LINES-CIFAR-10": "5 of the 9 test images come from CIFAR-10"}
    assert controls.notes(mixture_table()) == {}


def test_printed_rows_of_what_was_not_run():
    networks, *found = control_frames()
    not_run = controls.not_run(networks, 4)
    assert not_run["role"].tolist() == ["kilo-epoch"] * 2
    table = controls.controls(networks, *found, PAPER)
    readable = controls.readable_controls(table, not_run).content
    assert readable.index.get_level_values("Data").nunique() == 2
    place = ("RANDOM, 1,000 epochs (Table 3)", "yes")
    assert readable.index.tolist()[-2:] == [(*place, "ours"), (*place, "paper")]
    ours, paper = readable.tail(2).to_dict("records")
    assert (ours["n-cut"], ours["Prop. sig."]) == ("not run", "–")
    assert (paper["n-cut"], paper["Prop. sig."]) == ("2.043 ± 0.028", "0.30")
    # other data, another k, and where it was run
    assert controls.not_run(control_frames(dataset="random4k")[0], 4).empty
    assert controls.not_run(networks, 7).empty
    both = pd.concat([networks, control_frames("kilo-epoch", "random", 1000)[0]])
    assert controls.not_run(both, 4).empty
