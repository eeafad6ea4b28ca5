"""The papers' numbers: cells read by eye, sums computed apart, and laws the tables must obey.

Cells were typed from the papers' text. Row counts and sums come from a second reading of that text
(sed and awk; by hand for facts in prose), not from the CSV files. The laws tie the tables to each
other, so that a digit that is wrong in text and file alike would show.
"""

from __future__ import annotations

import math
import shutil
from pathlib import Path

import numpy as np
import pandas as pd
import pytest
from printed_p_values import printed_p_values

from modclust_utils import paths
from modclust_utils.datasets import DataError
from modclust_utils.datasets.papers import PER_NETWORK_TABLES, beside, paper_table

FOLDER = Path(__file__).resolve().parents[2] / "data" / "papers"

TABLE_1 = (
    *("dataset", "dropout", "prop_sig", "train_acc", "test_acc"),
    *("ncut_mean", "ncut_std", "null_ncut_mean", "null_ncut_std"),
)
RANDOM = (
    *("dropout", "prop_sig", "train_acc", "unpruned_ncut_mean", "unpruned_ncut_std"),
    *("ncut_mean", "ncut_std", "null_ncut_mean", "null_ncut_std"),
)
PER_NETWORK = (
    *("run", "ncut", "p_value_layer", "null_layer_mean", "null_layer_std"),
    *("p_value_layer_nonzero", "null_layer_nonzero_mean", "null_layer_nonzero_std", "cohens_d"),
)
MIXTURES = ("dataset", "ncut_mean", "ncut_std", "train_acc", "test_acc")
LESIONS = (
    *("layer", "label", "acc_diff", "p_value", "proportion", "type"),
    *("null_acc_diff_mean", "null_acc_diff_std"),
)
PAIRS = ("x", "y", "x_given_y", "y_given_x", "delta_x_y", "delta_y_x")
FIGURE_2 = (
    *("network", "n_clusters", "n_shuffles", "ncut"),
    *("null_ncut_mean", "null_ncut_std", "z_score", "p_value"),
)

FISHER = ("network", "partitioning", "accuracy_drop", "class_range", "score", "entropy")

#: The sums of tables A4 to A15, which are alike.
NETWORK_SUMS = (
    (45, 24.416, 3.302, 24.672, 0.529, 2.897, 24.682, 0.488, -0.181),
    (45, 22.342, 0.03, 23.464, 0.16, 0.03, 23.49, 0.194, -0.89),
    (45, 20.003, 1.37, 20.417, 0.17, 0.311, 20.682, 0.285, -12.369),
    (45, 18.405, 0.03, 20.371, 0.149, 0.061, 19.047, 0.213, 94.506),
    (45, 21.786, 0.03, 23.205, 0.223, 0.03, 23.209, 0.272, 0.129),
    (45, 21.45, 0.03, 23.226, 0.342, 0.03, 23.222, 0.328, 0.165),
    (45, 18.798, 0.03, 19.927, 0.17, 1.026, 19.426, 0.817, 17.162),
    (45, 17.265, 0.03, 20.15, 0.166, 0.186, 17.938, 0.153, 148.866),
    (45, 24.339, 10.0, 22.482, 0.152, 10.0, 22.489, 0.163, -0.394),
    (45, 21.493, 0.03, 22.34, 0.025, 0.03, 22.345, 0.022, -1.026),
    (45, 20.6, 7.32, 20.031, 0.149, 7.134, 20.196, 1.105, -2.889),
    (45, 18.402, 1.027, 19.956, 0.106, 2.586, 18.708, 0.715, 38.467),
)
#: name -> columns, number of rows, sums of the numeric columns (in column order)
TABLES = {
    "filan2020_table_1": (TABLE_1, 6, (4.7, 4.89, 4.562, 11.346, 0.331, 12.084, 0.102)),
    "filan2020_table_2": (RANDOM, 2, (0.0, 0.204, 4.661, 0.05, 4.146, 0.038, 4.142, 0.029)),
    "filan2020_table_3": (RANDOM, 2, (0.4, 0.204, 4.671, 0.042, 4.125, 0.045, 4.143, 0.031)),
    "filan2020_table_4": (RANDOM, 2, (1.3, 1.113, 4.797, 0.032, 3.918, 0.05, 4.063, 0.037)),
    "filan2020_table_a1": (TABLE_1, 6, (5.0, 4.89, 4.562, 26.288, 0.451, 27.963, 0.166)),
    "filan2020_table_a2": (TABLE_1, 6, (5.1, 4.89, 4.562, 41.564, 0.529, 44.015, 0.217)),
    "filan2020_table_a3": (TABLE_1, 6, (1.8, 4.89, 4.562, 1.892, 0.036, 1.899, 0.026)),
    **{f"filan2020_table_a{i}": (PER_NETWORK, 10, sums) for i, sums in enumerate(NETWORK_SUMS, 4)},
    "filan2020_table_a16": (MIXTURES, 9, (15.838, 0.44, 8.144, 7.416)),
    "filan2020_table_a17": (MIXTURES, 9, (13.707, 0.346, 7.243, 6.029)),
    "filan2020_table_a18": (
        LESIONS,
        24,
        (57, 114, -0.5209, 4.6476, 4.001, -0.029563, 0.03361),
    ),
    "filan2020_table_a19": (PAIRS, 28, (2.584, 1.266)),
    "filan2020_text": (("key", "value", "unit_or_meaning", "place"), 21, (1062.523125,)),
    "lange2022_table_1": (
        ("l2", "l1", "dropout_rate"),
        30,
        (
            sum(10 ** (-5 + i / 2) for i in range(9)) + 21e-5,
            sum(10 ** (-5 + i / 2) for i in range(7)),
            5.25,
        ),
    ),
    "lange2022_text": (("key", "value", "unit_or_meaning", "place"), 8, (1391.95,)),
    # four cells of each measure are empty, those of VGG-19 or of ResNet-18
    "casper2022_table_1": (FISHER, 24, (32.08, 19.02, 32.27, 20.79)),
    "casper2022_figure_2": (
        FIGURE_2,
        6,
        (72, 600, 36.384, 37.874, 0.34918, -195.42, 0.0693),
    ),
}

#: (name, row from 0, column, the characters in the file), read by eye
CELLS = [
    ("filan2020_table_1", 0, "train_acc", "1.00"),
    ("filan2020_table_1", 1, "dropout", "true"),
    ("filan2020_table_1", 3, "ncut_mean", "1.726"),
    ("filan2020_table_1", 4, "dataset", "cifar10"),
    ("filan2020_table_1", 4, "train_acc", "0.650"),
    ("filan2020_table_1", 4, "ncut_mean", "2.06"),
    ("filan2020_table_1", 4, "ncut_std", "0.14"),
    ("filan2020_table_1", 5, "null_ncut_std", "0.014"),
    ("filan2020_table_2", 0, "unpruned_ncut_mean", "2.338"),
    ("filan2020_table_2", 1, "ncut_mean", "2.053"),
    ("filan2020_table_2", 1, "prop_sig", "0.0"),
    ("filan2020_table_3", 0, "dropout", "false"),
    ("filan2020_table_3", 1, "prop_sig", "0.3"),
    ("filan2020_table_3", 1, "ncut_std", "0.028"),
    ("filan2020_table_4", 0, "train_acc", "1.00"),
    ("filan2020_table_4", 0, "unpruned_ncut_mean", "2.464"),
    ("filan2020_table_4", 1, "null_ncut_std", "0.023"),
    ("filan2020_table_a1", 0, "ncut_mean", "4.556"),
    ("filan2020_table_a1", 5, "ncut_std", "0.160"),
    ("filan2020_table_a2", 2, "prop_sig", "0.9"),
    ("filan2020_table_a2", 4, "null_ncut_mean", "7.303"),
    ("filan2020_table_a3", 0, "prop_sig", "0"),
    ("filan2020_table_a3", 1, "null_ncut_mean", "0.323"),
    ("filan2020_table_a3", 5, "ncut_mean", "0.290"),
    ("filan2020_table_a4", 0, "cohens_d", "-0.087"),
    ("filan2020_table_a4", 1, "cohens_d", "0.468"),
    ("filan2020_table_a4", 9, "p_value_layer_nonzero", "0.097"),
    ("filan2020_table_a5", 3, "null_layer_nonzero_std", "0.002"),
    ("filan2020_table_a5", 9, "ncut", "2.319"),
    ("filan2020_table_a6", 0, "p_value_layer", "0.938"),
    ("filan2020_table_a6", 3, "p_value_layer_nonzero", "0.128"),
    ("filan2020_table_a6", 5, "cohens_d", "-2.812"),
    ("filan2020_table_a7", 3, "cohens_d", "13.135"),
    ("filan2020_table_a7", 7, "null_layer_nonzero_std", "0.081"),
    ("filan2020_table_a8", 4, "null_layer_mean", "2.276"),
    ("filan2020_table_a8", 9, "ncut", "2.172"),
    ("filan2020_table_a9", 4, "null_layer_std", "0.055"),
    ("filan2020_table_a9", 6, "cohens_d", "0.032"),
    ("filan2020_table_a10", 6, "ncut", "1.936"),
    ("filan2020_table_a10", 9, "p_value_layer_nonzero", "0.252"),
    ("filan2020_table_a11", 1, "cohens_d", "20.336"),
    ("filan2020_table_a11", 5, "ncut", "1.682"),
    ("filan2020_table_a12", 0, "p_value_layer", "1.000"),
    ("filan2020_table_a12", 5, "null_layer_std", "0.025"),
    ("filan2020_table_a13", 3, "ncut", "2.198"),
    ("filan2020_table_a13", 8, "cohens_d", "-0.002"),
    ("filan2020_table_a14", 1, "null_layer_nonzero_std", "0.327"),
    ("filan2020_table_a14", 7, "p_value_layer", "0.003"),
    ("filan2020_table_a14", 7, "cohens_d", "0.347"),
    ("filan2020_table_a15", 0, "ncut", "2.040"),
    ("filan2020_table_a15", 4, "cohens_d", "15.043"),
    ("filan2020_table_a15", 7, "p_value_layer_nonzero", "0.844"),
    ("filan2020_table_a16", 2, "ncut_mean", "1.599"),
    ("filan2020_table_a16", 4, "dataset", "lines_cifar10"),
    ("filan2020_table_a16", 8, "test_acc", "0.810"),
    ("filan2020_table_a17", 2, "test_acc", "0.312"),
    ("filan2020_table_a17", 6, "dataset", "lines_mnist_sep"),
    ("filan2020_table_a17", 7, "ncut_std", "0.038"),
    ("filan2020_table_a18", 3, "acc_diff", "-0.1870"),
    ("filan2020_table_a18", 9, "null_acc_diff_mean", "-0.000003"),
    ("filan2020_table_a18", 10, "p_value", "0.020"),
    ("filan2020_table_a18", 11, "type", "sig-but-not-diff"),
    ("filan2020_table_a18", 14, "null_acc_diff_mean", "0.0019"),
    ("filan2020_table_a18", 22, "p_value", "0.059"),
    ("filan2020_table_a19", 2, "delta_y_x", "-0.009"),
    ("filan2020_table_a19", 2, "y_given_x", "false"),
    ("filan2020_table_a19", 10, "delta_x_y", "0.211"),
    ("filan2020_table_a19", 24, "x", "3-2"),
    ("filan2020_table_a19", 27, "delta_x_y", "-0.003"),
    ("casper2022_figure_2", 3, "null_ncut_std", "0.00068"),
    ("casper2022_figure_2", 5, "p_value", "0.0198"),
    ("casper2022_table_1", 0, "accuracy_drop", "2.13"),
    ("casper2022_table_1", 6, "partitioning", "activations/network"),
    ("casper2022_table_1", 6, "class_range", "0.70"),
    ("casper2022_table_1", 11, "score", "2.67"),
    ("casper2022_table_1", 12, "network", "vgg16"),
    ("casper2022_table_1", 17, "accuracy_drop", ""),
    ("casper2022_table_1", 18, "entropy", "1.10"),
    ("casper2022_table_1", 23, "class_range", "0.96"),
    ("casper2022_table_1", 23, "score", ""),
    ("lange2022_table_1", 8, "l2", "1e-01"),
    ("lange2022_table_1", 15, "l1", "1e-02"),
    ("lange2022_table_1", 29, "dropout_rate", "0.70"),
]


def printed(name: str) -> pd.DataFrame:
    """The table's cells as the characters in the file."""
    return pd.read_csv(FOLDER / f"{name}.csv", dtype=str, keep_default_na=False)


def test_every_file_is_tested_here():
    assert {file.stem for file in FOLDER.glob("*.csv")} == set(TABLES)


@pytest.mark.parametrize("name", TABLES)
def test_columns_rows_and_sums(name):
    columns, n_rows, sums = TABLES[name]
    table = paper_table(name, FOLDER)
    assert tuple(table.columns) == columns
    assert len(table) == n_rows
    if name != "casper2022_table_1":
        assert not table.isna().any(axis=None)
    numeric = table.select_dtypes("number")
    assert tuple(numeric.sum()) == pytest.approx(sums, abs=1e-9)


@pytest.mark.parametrize(("name", "row", "column", "characters"), CELLS)
def test_cell(name, row, column, characters):
    assert printed(name).loc[row, column] == characters


def test_cells_touch_every_printed_table():
    assert {name for name, *_ in CELLS} == set(TABLES) - {"filan2020_text", "lange2022_text"}


@pytest.mark.parametrize("name", TABLES)
def test_characters_are_plain(name):
    text = (FOLDER / f"{name}.csv").read_text(encoding="ascii")
    assert not set("$+\r\t") & set(text)


@pytest.mark.parametrize(
    ("name", "place"),
    [
        ("filan2020_table_1", "Filan et al. 2020, Table 1"),
        ("filan2020_table_a18", "Filan et al. 2020, Table A.18"),
        ("filan2020_text", "Filan et al. 2020, text"),
        ("casper2022_table_1", "Casper et al. 2022, Table 1"),
        ("casper2022_figure_2", "Casper et al. 2022, Figure 2"),
        ("lange2022_table_1", "Lange et al. 2022, Table 1"),
    ],
)
def test_a_table_says_where_it_is_printed(name, place):
    assert paper_table(name, FOLDER).attrs["source"] == f"{place} (data/papers/{name}.csv)"


@pytest.mark.parametrize(
    "content", [b"", b'a,b\n1,2\n"3,4\n', b"a\n\xff\xfe\n", b"a\n1,2\n3,4,5\n"]
)
def test_a_damaged_table_is_named(tmp_path, content):
    (tmp_path / "filan2020_text.csv").write_bytes(content)
    with pytest.raises(DataError, match=r"filan2020_text\.csv cannot be read"):
        paper_table("filan2020_text", tmp_path)


def test_rows_beside_ours():
    paper = paper_table("filan2020_table_1")
    ours = pd.DataFrame({"dataset": ["lines", "cifar10", "cifar10"], "dropout": [True, True, True]})
    here = beside(paper, ours, ["dataset", "dropout"])
    assert here[["dataset", "dropout"]].to_numpy().tolist() == [["cifar10", True]]
    assert here.index.tolist() == [0]
    assert here.attrs == paper.attrs
    assert beside(paper, ours[:1], ["dataset", "dropout"]).empty
    assert beside(paper[:0], ours, ["dataset"]).columns.tolist() == paper.columns.tolist()


def test_booleans_are_bool():
    assert paper_table("filan2020_table_1", FOLDER)["dropout"].tolist() == [False, True] * 3
    pairs = paper_table("filan2020_table_a19", FOLDER)
    assert pairs["x_given_y"].dtype == bool
    assert pairs["y_given_x"].dtype == bool
    assert (pairs["x_given_y"].sum(), pairs["y_given_x"].sum()) == (20, 16)


def test_text_facts():
    facts = paper_table("filan2020_text", FOLDER).set_index("key")["value"]
    assert facts.index.is_unique
    assert facts[["random_init_ncut_low", "random_init_ncut_high"]].tolist() == [2.3, 2.45]
    assert facts[["random_init_networks", "shuffles"]].tolist() == [200, 320]
    assert facts["significance_level"] == 1 / 320
    z = facts[["dropout_z_mnist", "dropout_z_fashion_mnist", "dropout_z_cifar10"]]
    assert z.tolist() == [13, 13, 4]


# Laws that tie the printed numbers to each other.


def test_p_values_are_quantized():
    """240 p-values, each (10 m + 1) / 321 for a whole m: only 33 of the 1,001 printable values."""
    p_values = printed_p_values(FOLDER)
    assert p_values.shape == (240,)
    allowed = {f"{(10 * m + 1) / 321:.3f}" for m in range(33)}
    assert len(allowed) == 33
    assert {f"{p:.3f}" for p in p_values} <= allowed
    assert np.sum(p_values == 0.003) == 154
    assert np.sum(p_values == 1.0) == 28


def test_p_values_come_table_by_table():
    p_values = printed_p_values(FOLDER).reshape(12, 2, 10)
    assert p_values[0, 0, :4].tolist() == [0.065, 0.003, 0.346, 0.439]
    assert p_values[0, 1, 6:].tolist() == [0.657, 0.190, 0.657, 0.097]
    assert p_values[11, 1, 7] == 0.844


def test_cohens_d_follows_from_its_row():
    """d from the printed means and standard deviations, each within half a unit of its last digit.

    In one row the printed d lies 0.00006 outside; `data/papers/README.md` names it.
    """
    half = 0.0005
    outside = []
    for name in PER_NETWORK_TABLES:
        for row in paper_table(name, FOLDER).itertuples():
            difference = row.null_layer_mean - row.null_layer_nonzero_mean
            stds = np.array([row.null_layer_std, row.null_layer_nonzero_std])
            # Both samples have 320 members, so the pooled variance is the mean of the two.
            pooled = [math.sqrt(np.mean((stds + sign * half) ** 2)) for sign in (-1, 1)]
            possible = [(difference + sign * 2 * half) / p for sign in (-1, 1) for p in pooled]
            if not min(possible) - half <= row.cohens_d <= max(possible) + half:
                outside.append((name, row.run))
    assert outside == [("filan2020_table_a4", 8)]


@pytest.mark.parametrize(("row", "number"), list(enumerate((6, 7, 10, 11, 14, 15))))
def test_table_1_summarizes_the_pruned_networks(row, number):
    summary = paper_table("filan2020_table_1", FOLDER).loc[row]
    networks = paper_table(f"filan2020_table_a{number}", FOLDER)
    assert networks["ncut"].mean() == pytest.approx(summary["ncut_mean"], abs=0.001)
    digits = len(printed("filan2020_table_1").loc[row, "ncut_std"].partition(".")[2])
    std = networks["ncut"].std(ddof=1)
    assert std == pytest.approx(summary["ncut_std"], abs=0.5 * 10**-digits + 0.0005)
    assert (networks["p_value_layer"] < 1 / 320).mean() == pytest.approx(summary["prop_sig"])


def test_accuracies_do_not_depend_on_the_number_of_clusters():
    columns = ["dataset", "dropout", "train_acc", "test_acc"]
    table_1 = printed("filan2020_table_1")[columns]
    for number in (1, 2, 3):
        pd.testing.assert_frame_equal(printed(f"filan2020_table_a{number}")[columns], table_1)


@pytest.mark.parametrize(("number", "dropout"), [(16, "false"), (17, "true")])
def test_mixture_tables_repeat_table_1(number, dropout):
    columns = list(MIXTURES)
    table_1 = printed("filan2020_table_1")
    same = table_1[(table_1["dropout"] == dropout) & (table_1["dataset"] != "fashion_mnist")]
    mixtures = printed(f"filan2020_table_a{number}")[columns]
    assert mixtures.head(2).to_numpy().tolist() == same[columns].to_numpy().tolist()


def test_dropout_z_follows_from_table_1():
    """Z = difference of the means / standard error of the difference, ten networks each."""
    facts = paper_table("filan2020_text", FOLDER).set_index("key")["value"]
    table_1 = paper_table("filan2020_table_1", FOLDER)
    for dataset, (without, with_dropout) in table_1.groupby("dataset").groups.items():
        means, stds = table_1["ncut_mean"], table_1["ncut_std"]
        error = math.hypot(stds[without], stds[with_dropout]) / math.sqrt(10)
        z = (means[without] - means[with_dropout]) / error
        assert round(z) == facts[f"dropout_z_{dataset}"]


def test_lesion_p_values_come_from_100_random_sets():
    for p in printed("filan2020_table_a18")["p_value"]:
        digits = len(p.partition(".")[2])
        assert p in {f"{(m + 1) / 101:.{digits}f}" for m in range(101)}


def test_lesion_types_follow_their_definition():
    table = paper_table("filan2020_table_a18", FOLDER)
    small = table["proportion"] < 0.05
    significant = table["p_value"] < 0.01
    large = table["acc_diff"] < -0.01
    expected = np.select(
        [small, significant & large, significant],
        ["small", "important", "sig-but-not-diff"],
        "other",
    )
    assert table["type"].tolist() == expected.tolist()


def test_proportions_of_a_layer_sum_to_one():
    sums = paper_table("filan2020_table_a18", FOLDER).groupby("layer")["proportion"].sum()
    assert sums.to_numpy() == pytest.approx(np.ones(4), abs=0.0015)


def test_pairs_agree_with_single_lesions():
    """Both ways to the loss of the pair: delta(X, Y) + loss(Y) = delta(Y, X) + loss(X)."""
    single = paper_table("filan2020_table_a18", FOLDER)
    names = single["layer"].astype(str) + "-" + single["label"].astype(str)
    loss = pd.Series(-single["acc_diff"].to_numpy(), index=names)
    pairs = paper_table("filan2020_table_a19", FOLDER)
    one_way = pairs["delta_x_y"].to_numpy() + loss[pairs["y"]].to_numpy()
    other_way = pairs["delta_y_x"].to_numpy() + loss[pairs["x"]].to_numpy()
    # Two deltas to three decimals and two losses to four may be off by half a unit each.
    assert one_way == pytest.approx(other_way, abs=0.0011)


def test_pairs_are_the_important_sub_clusters_of_different_layers():
    single = paper_table("filan2020_table_a18", FOLDER)
    important = single[single["type"] == "important"]
    names = (important["layer"].astype(str) + "-" + important["label"].astype(str)).tolist()
    expected = [(x, y) for x in names for y in names if x[0] < y[0]]
    pairs = paper_table("filan2020_table_a19", FOLDER)
    assert list(zip(pairs["x"], pairs["y"], strict=True)) == expected
    assert (pairs.loc[pairs["x_given_y"], "delta_x_y"] > 0.01).all()
    assert (pairs.loc[pairs["y_given_x"], "delta_y_x"] > 0.01).all()


def test_empty_cells_are_those_that_the_paper_did_not_compute():
    """Lesions of VGG-19 and visualizations of ResNet-18 are missing there."""
    table = paper_table("casper2022_table_1", FOLDER).set_index("network")
    empty = table.drop(columns="partitioning").isna()
    expected = pd.DataFrame(False, empty.index, empty.columns)
    expected.loc["vgg19", ["accuracy_drop", "class_range"]] = True
    expected.loc["resnet18", ["score", "entropy"]] = True
    pd.testing.assert_frame_equal(empty, expected)
    assert table.groupby("network")["partitioning"].agg(list).map(tuple).nunique() == 1


def test_figure_2_z_scores_follow_from_their_row():
    name = "casper2022_figure_2"
    table, characters = paper_table(name, FOLDER), printed(name)
    columns = ["ncut", "null_ncut_mean", "null_ncut_std", "z_score"]
    for i in table.index:
        half = {c: 0.5 * 10 ** -len(characters.loc[i, c].partition(".")[2]) for c in columns}
        difference = table.loc[i, "ncut"] - table.loc[i, "null_ncut_mean"]
        slack = half["ncut"] + half["null_ncut_mean"]
        std = table.loc[i, "null_ncut_std"]
        low = (difference - slack) / (std - half["null_ncut_std"])
        high = (difference + slack) / (std + half["null_ncut_std"])
        assert low - half["z_score"] <= table.loc[i, "z_score"] <= high + half["z_score"]


# Bad input, and finding the repository.


@pytest.mark.parametrize("name", ["filan2020_table_5", "filan2020_table_1.csv", "../papers", "", 1])
def test_unknown_name_lists_what_is_allowed(name):
    with pytest.raises(ValueError, match="is not a paper's table") as error:
        paper_table(name, FOLDER)
    assert f"name={name!r}" in str(error.value)
    assert all(allowed in str(error.value) for allowed in TABLES)


def test_folder_without_tables(tmp_path):
    with pytest.raises(FileNotFoundError, match=r"folder=.* holds no tables"):
        paper_table("filan2020_table_1", tmp_path)


def make_book(folder: Path) -> Path:
    """Make `folder` look like the book's repository."""
    (folder / "notebooks").mkdir(parents=True)
    (folder / "_toc.yml").write_text("format: jb-book\n")
    return folder


@pytest.fixture
def book(tmp_path):
    return make_book(tmp_path / "book")


def test_default_folder_is_in_the_root(book, monkeypatch):
    monkeypatch.setenv(paths.VARIABLE, str(book))
    shutil.copytree(FOLDER, book / "data" / "papers")
    changed = book / "data" / "papers" / "filan2020_table_1.csv"
    changed.write_text(changed.read_text().replace("2.06,0.14", "7.25,0.14"))
    assert paper_table("filan2020_table_1").loc[4, "ncut_mean"] == 7.25
    assert np.array_equal(printed_p_values(), printed_p_values(FOLDER))


def test_variable_wins_over_current_directory(book, tmp_path, monkeypatch):
    monkeypatch.chdir(make_book(tmp_path / "other"))
    monkeypatch.setenv(paths.VARIABLE, str(book))
    assert paths.root() == book


@pytest.mark.parametrize("value", [None, ""])
def test_nearest_parent_of_current_directory(value, book, monkeypatch):
    inner = make_book(book / "notebooks" / "inner")
    (inner / "a" / "b").mkdir(parents=True)
    if value is None:
        monkeypatch.delenv(paths.VARIABLE, raising=False)
    else:
        monkeypatch.setenv(paths.VARIABLE, value)
    monkeypatch.chdir(inner / "a" / "b")
    assert paths.root() == inner
    monkeypatch.chdir(book / "notebooks")
    assert paths.root() == book


def test_parents_of_the_file_come_last(book, tmp_path, monkeypatch):
    monkeypatch.delenv(paths.VARIABLE, raising=False)
    monkeypatch.chdir(tmp_path)
    monkeypatch.setattr(paths, "__file__", str(book / "modclust_utils" / "paths.py"))
    assert paths.root() == book


@pytest.mark.parametrize("missing", ["_toc.yml", "notebooks"])
def test_variable_that_names_another_folder(missing, book, monkeypatch):
    (book / missing).rename(book / "renamed")
    monkeypatch.setenv(paths.VARIABLE, str(book))
    with pytest.raises(FileNotFoundError, match=r"MODCLUST_ROOT=.* is not the root"):
        paths.root()


def test_no_root_anywhere(tmp_path, monkeypatch):
    monkeypatch.delenv(paths.VARIABLE, raising=False)
    monkeypatch.chdir(tmp_path)
    monkeypatch.setattr(paths, "__file__", str(tmp_path / "paths.py"))
    with pytest.raises(FileNotFoundError, match="set MODCLUST_ROOT"):
        paths.root()


def test_where_numbers_of_the_text_stand():
    """Looked up in the paper: its section, or the caption or footnote that prints the number."""
    places = paper_table("filan2020_text", FOLDER).set_index("key")["place"]
    assert places["percent_of_shuffles_above"] == "section 1"
    # Figure 3 is a histogram, and prints no number; its range stands in the text
    for end in ("low", "high"):
        assert places[f"random_init_ncut_{end}"] == "section 3"
    assert places["significance_level"] == "Table 1"
    assert places["lesion_random_sets_double"] == "section 4.2"
    assert places["lesion_significance_level"] == "Table A.18"
