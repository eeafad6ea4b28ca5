"""From records to tables of chapter 2: training on random data (Tables 2 to 4), and mixtures."""

from __future__ import annotations

from collections.abc import Mapping

import numpy as np
import pandas as pd

from modclust_utils import stats
from modclust_utils.datasets.papers import paper_table
from modclust_utils.figures.style import dataset_name
from modclust_utils.recipes.frames import shown_table, traced
from modclust_utils.tables import is_significant, share_with_interval, spread

#: Role of a control and the paper's table of it.
CONTROL_TABLES = {
    "unlearnable": ("filan2020_table_2", "Table 2", "unlearnable"),
    "kilo-epoch": ("filan2020_table_3", "Table 3", "long training"),
    "memorization": ("filan2020_table_4", "Table 4", "memorization"),
}
#: The data set of each of these tables, and the epochs of the long training; networks of other data
#: have no printed numbers to stand beside.
CONTROL_DATA = {"unlearnable": "random", "kilo-epoch": "random", "memorization": "random3k"}
KILO_EPOCHS = 1000


@traced
def controls(networks: pd.DataFrame, before: pd.DataFrame, tests: pd.DataFrame) -> pd.DataFrame:
    """Tables 2 to 4: a row for each role, data set and dropout setting.

    networks: with their `role`; before, tests: clusterings before pruning, tests after it. The
    lists `before` and `after` hold the n-cuts; columns ``paper_...`` are what the paper prints for
    10 networks, NaN for data sets that it does not have.
    """
    place = ["role", "dataset", "dropout"]
    unpruned = before.drop_duplicates("network").set_index("network")["ncut"]
    pruned = tests.drop_duplicates("network").set_index("network")
    rows = []
    for values, group in networks.groupby(place, sort=False):
        own = pruned.loc[group["network"]]
        row = dict(zip(place, values, strict=True)) | {"epochs": int(group["epochs"].iloc[0])}
        row |= _ours(group, unpruned.loc[group["network"]], own)
        rows.append(row | _printed(row))
    return pd.DataFrame(rows)


def _ours(networks: pd.DataFrame, unpruned: pd.Series, tests: pd.DataFrame) -> dict[str, object]:
    null = np.concatenate(tests["null_ncuts"].tolist())
    return {
        "n": len(tests),
        "n_sig": int(is_significant(tests).sum()),
        "running_acc": networks["running_accuracy_after"].mean(),
        "train_acc": networks["train_accuracy_after"].mean(),
        "train_acc_before": networks["train_accuracy_before"].mean(),
        "before": unpruned.tolist(),
        "after": tests["ncut"].tolist(),
        "before_mean": unpruned.mean(),
        "before_std": unpruned.std(ddof=1),
        "ncut_mean": tests["ncut"].mean(),
        "ncut_std": tests["ncut"].std(ddof=1),
        "null_mean": null.mean(),
        "null_std": null.std(ddof=1),
    }


def _printed(row: Mapping[str, object]) -> dict[str, float]:
    role = str(row["role"])
    table = paper_table(CONTROL_TABLES[role][0])
    printed = table[table["dropout"] == row["dropout"]].iloc[0]
    columns = {
        "paper_prop_sig": "prop_sig",
        "paper_train_acc": "train_acc",
        "paper_before_mean": "unpruned_ncut_mean",
        "paper_before_std": "unpruned_ncut_std",
        "paper_after_mean": "ncut_mean",
        "paper_after_std": "ncut_std",
        "paper_null_mean": "null_ncut_mean",
        "paper_null_std": "null_ncut_std",
    }
    there = row["dataset"] == CONTROL_DATA[role] and (
        role != "kilo-epoch" or row["epochs"] == KILO_EPOCHS
    )
    return {ours: float(printed[name]) if there else np.nan for ours, name in columns.items()}


def control_name(row: Mapping[str, object]) -> str:
    """A control as a page prints it."""
    _, _, words = CONTROL_TABLES[str(row["role"])]
    if row["role"] == "kilo-epoch":
        words = f"{row['epochs']:,} epochs"
    return f"{dataset_name(str(row['dataset']))}, {words}"


@shown_table
def readable_controls(table: pd.DataFrame) -> pd.DataFrame:
    """`controls` as a page shows it, ours above the paper's."""
    rows, index = [], []
    for row in table.to_dict("records"):
        printed = not np.isnan(row["paper_after_mean"])
        name = control_name(row)
        if printed:
            name += f" ({CONTROL_TABLES[row['role']][1]})"
        place = (name, "yes" if row["dropout"] else "no")
        index.append((*place, "ours"))
        rows.append(
            {
                "Prop. sig.": share_with_interval(row["n_sig"], row["n"]),
                "Train acc.": f"{row['running_acc']:.3f} ({row['train_acc']:.3f})",
                "Unpruned n-cut": spread(row["before_mean"], row["before_std"]),
                "n-cut": spread(row["ncut_mean"], row["ncut_std"]),
                "Null n-cut": spread(row["null_mean"], row["null_std"]),
            }
        )
        if printed:
            index.append((*place, "paper"))
            rows.append(_readable_printed(row))
    names = pd.MultiIndex.from_tuples(index, names=["Data", "Dropout", ""])
    return pd.DataFrame(rows, index=names)


def _readable_printed(row: Mapping[str, float]) -> dict[str, str]:
    return {
        "Prop. sig.": f"{row['paper_prop_sig']:.2f}",
        "Train acc.": f"{row['paper_train_acc']:.3f}",
        "Unpruned n-cut": spread(row["paper_before_mean"], row["paper_before_std"]),
        "n-cut": spread(row["paper_after_mean"], row["paper_after_std"]),
        "Null n-cut": spread(row["paper_null_mean"], row["paper_null_std"]),
    }


@traced
def mixtures(networks: pd.DataFrame, ncuts: pd.DataFrame) -> pd.DataFrame:
    """Tables A.16 and A.17: a row for each data set and dropout setting of ours or the paper's.

    NaN where there is only one of the two. ncuts: n-cuts after pruning.
    """
    members = networks.assign(ncut=networks["network"].map(ncuts.set_index("network")["ncut"]))
    ours = dict(tuple(members.groupby(["dataset", "dropout"], sort=False)))
    printed = {
        (row["dataset"], dropout): row
        for name, dropout in (("filan2020_table_a16", False), ("filan2020_table_a17", True))
        for row in paper_table(name).to_dict("records")
    }
    rows = []
    for key in dict.fromkeys([*printed, *ours]):
        row = {"dataset": key[0], "dropout": key[1]} | _mixture(ours.get(key, members.iloc[:0]))
        theirs = printed.get(key, {})
        for column in ("ncut_mean", "ncut_std", "train_acc", "test_acc"):
            row[f"paper_{column}"] = float(theirs.get(column, float("nan")))
        rows.append(row)
    return pd.DataFrame(rows)


def _mixture(members: pd.DataFrame) -> dict[str, object]:
    ncuts = members["ncut"].to_numpy(float)
    n = len(ncuts)
    low, high = stats.mean_interval(ncuts) if n else (np.nan, np.nan)
    return {
        "n": n,
        "ncut_mean": ncuts.mean() if n else np.nan,
        "ncut_std": ncuts.std(ddof=1) if n else np.nan,
        "ncut_low": low,
        "ncut_high": high,
        "running_acc": members["running_accuracy_after"].mean(),
        "train_acc": members["train_accuracy_after"].mean(),
        "test_acc": members["test_accuracy_after"].mean(),
    }


@traced
def shown_mixtures(table: pd.DataFrame) -> pd.DataFrame:
    """The rows of `mixtures` that a page shows: the paper's too where this run has one of them."""
    ours = table["n"] > 0
    if (ours & table["paper_ncut_mean"].notna()).any():
        return table
    return table[ours].reset_index(drop=True)


@shown_table
def readable_mixtures(table: pd.DataFrame) -> pd.DataFrame:
    """`mixtures` as a page shows it."""

    def ncut(row: Mapping[str, float], prefix: str) -> str:
        mean = row[f"{prefix}ncut_mean"]
        return "–" if np.isnan(mean) else spread(mean, row[f"{prefix}ncut_std"])

    def share(value: float) -> str:
        return "–" if np.isnan(value) else f"{value:.3f}"

    rows = table.to_dict("records")
    return pd.DataFrame(
        {
            "Data set": [dataset_name(r["dataset"]) for r in rows],
            "Dropout": ["yes" if r["dropout"] else "no" for r in rows],
            "Networks": [r["n"] or "–" for r in rows],
            "n-cut": [ncut(r, "") if r["n"] else "not run" for r in rows],
            "n-cut, paper": [ncut(r, "paper_") for r in rows],
            "Train acc.": [
                f"{r['running_acc']:.3f} ({r['train_acc']:.3f})" if r["n"] else "–" for r in rows
            ],
            "Train acc., paper": [share(r["paper_train_acc"]) for r in rows],
            "Test acc.": [share(r["test_acc"]) for r in rows],
            "Test acc., paper": [share(r["paper_test_acc"]) for r in rows],
        }
    ).set_index(["Data set", "Dropout"])
