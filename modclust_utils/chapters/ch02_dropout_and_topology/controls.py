"""From records to tables of chapter 2: training on random data (Tables 2 to 4), and mixtures."""

from __future__ import annotations

from collections.abc import Mapping, Sequence

import numpy as np
import pandas as pd

from modclust_utils import stats
from modclust_utils.chapters.ch01_clusterability.tables import is_significant
from modclust_utils.datasets.papers import paper_table
from modclust_utils.figures.style import dataset_name
from modclust_utils.publish.networks import Network
from modclust_utils.publish.records import Record

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


def controls(
    members: Mapping[str, tuple[Sequence[Network], Sequence[Record], Sequence[Record]]],
) -> pd.DataFrame:
    """Tables 2 to 4: a row for each role, data set and dropout setting.

    members: role -> (networks, clusterings before pruning, tests after it). The lists `before` and
    `after` hold the n-cuts; columns ``paper_...`` are what the paper prints for 10 networks, NaN
    for data sets that it does not have.
    """
    rows = []
    for role, (networks, before, tests) in members.items():
        groups: dict[tuple[str, bool], list[int]] = {}
        for i, network in enumerate(networks):
            key = (network.condition.dataset, network.condition.dropout)
            groups.setdefault(key, []).append(i)
        for (dataset, dropout), chosen in groups.items():
            rows.append(
                {"role": role, "dataset": dataset, "dropout": dropout}
                | _control_row(
                    [networks[i] for i in chosen],
                    [before[i] for i in chosen],
                    [tests[i] for i in chosen],
                )
                | _printed_control(role, networks[chosen[0]])
            )
    return pd.DataFrame(rows)


def _control_row(
    networks: Sequence[Network], before: Sequence[Record], tests: Sequence[Record]
) -> dict[str, object]:
    unpruned = np.array([c.value["ncut"] for c in before])
    pruned = np.array([t.value["ncut"] for t in tests])
    null = np.concatenate([t.value["null_ncuts"] for t in tests])
    values = [n.record.value for n in networks]
    return {
        "epochs": networks[0].condition.settings.epochs,
        "n": len(tests),
        "n_sig": sum(is_significant(t) for t in tests),
        "running_acc": np.mean([v["running_accuracy_after"] for v in values]),
        "train_acc": np.mean([v["train_accuracy_after"] for v in values]),
        "train_acc_before": np.mean([v["train_accuracy_before"] for v in values]),
        "before": unpruned.tolist(),
        "after": pruned.tolist(),
        "before_mean": unpruned.mean(),
        "before_std": unpruned.std(ddof=1),
        "ncut_mean": pruned.mean(),
        "ncut_std": pruned.std(ddof=1),
        "null_mean": null.mean(),
        "null_std": null.std(ddof=1),
    }


def _printed_control(role: str, network: Network) -> dict[str, float]:
    condition = network.condition
    table = paper_table(CONTROL_TABLES[role][0])
    row = table[table["dropout"] == condition.dropout].iloc[0]
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
    there = condition.dataset == CONTROL_DATA[role] and (
        role != "kilo-epoch" or condition.settings.epochs == KILO_EPOCHS
    )
    return {ours: float(row[name]) if there else float("nan") for ours, name in columns.items()}


def control_name(row: Mapping[str, object]) -> str:
    """A control as a page prints it."""
    _, _, words = CONTROL_TABLES[str(row["role"])]
    if row["role"] == "kilo-epoch":
        words = f"{row['epochs']:,} epochs"
    return f"{dataset_name(str(row['dataset']))}, {words}"


def readable_controls(table: pd.DataFrame) -> pd.DataFrame:
    """`controls` as a page shows it, ours above the paper's."""
    rows, index = [], []
    for row in table.to_dict("records"):
        low, high = stats.proportion_interval(row["n_sig"], row["n"])
        printed = not np.isnan(row["paper_after_mean"])
        name = control_name(row)
        if printed:
            name += f" ({CONTROL_TABLES[row['role']][1]})"
        place = (name, "yes" if row["dropout"] else "no")
        index.append((*place, "ours"))
        rows.append(
            {
                "Prop. sig.": f"{row['n_sig'] / row['n']:.2f} [{low:.2f}, {high:.2f}]",
                "Train acc.": f"{row['running_acc']:.3f} ({row['train_acc']:.3f})",
                "Unpruned n-cut": f"{row['before_mean']:.3f} ± {row['before_std']:.3f}",
                "n-cut": f"{row['ncut_mean']:.3f} ± {row['ncut_std']:.3f}",
                "Null n-cut": f"{row['null_mean']:.3f} ± {row['null_std']:.3f}",
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
        "Unpruned n-cut": f"{row['paper_before_mean']:.3f} ± {row['paper_before_std']:.3f}",
        "n-cut": f"{row['paper_after_mean']:.3f} ± {row['paper_after_std']:.3f}",
        "Null n-cut": f"{row['paper_null_mean']:.3f} ± {row['paper_null_std']:.3f}",
    }


def mixtures(networks: Sequence[Network], ncuts: Sequence[Record]) -> pd.DataFrame:
    """Tables A.16 and A.17: a row for each data set and dropout setting of ours or the paper's.

    NaN where there is only one of the two. ncuts: n-cuts after pruning.
    """
    values: dict[tuple[str, bool], list[tuple[float, Network]]] = {}
    for network, record in zip(networks, ncuts, strict=True):
        key = (network.condition.dataset, network.condition.dropout)
        values.setdefault(key, []).append((record.value["ncut"], network))
    printed = {}
    for name, dropout in (("filan2020_table_a16", False), ("filan2020_table_a17", True)):
        for row in paper_table(name).to_dict("records"):
            printed[row["dataset"], dropout] = row
    rows = []
    for key in dict.fromkeys([*printed, *values]):
        rows.append({"dataset": key[0], "dropout": key[1]} | _mixture_row(values.get(key, [])))
        row = printed.get(key, {})
        for column in ("ncut_mean", "ncut_std", "train_acc", "test_acc"):
            rows[-1][f"paper_{column}"] = float(row.get(column, float("nan")))
    return pd.DataFrame(rows)


def _mixture_row(found: Sequence[tuple[float, Network]]) -> dict[str, object]:
    columns = (
        *("ncut_mean", "ncut_std", "ncut_low", "ncut_high"),
        *("running_acc", "train_acc", "test_acc"),
    )
    if not found:
        return {"n": 0} | dict.fromkeys(columns, float("nan"))
    sample = np.array([ncut for ncut, _ in found])
    values = [network.record.value for _, network in found]
    low, high = stats.mean_interval(sample)
    return {
        "n": len(sample),
        "ncut_mean": sample.mean(),
        "ncut_std": sample.std(ddof=1),
        "ncut_low": low,
        "ncut_high": high,
        "running_acc": np.mean([v["running_accuracy_after"] for v in values]),
        "train_acc": np.mean([v["train_accuracy_after"] for v in values]),
        "test_acc": np.mean([v["test_accuracy_after"] for v in values]),
    }


def shown_mixtures(table: pd.DataFrame) -> pd.DataFrame:
    """The rows of `mixtures` that a page shows: the paper's too where this run has one of them."""
    ours = table["n"] > 0
    if (ours & table["paper_ncut_mean"].notna()).any():
        return table
    return table[ours].reset_index(drop=True)


def mixture_rows(table: pd.DataFrame) -> pd.DataFrame:
    """`mixtures` with the names that `plots_controls.mixtures_figure` takes."""
    named = table.assign(name=[dataset_name(d) for d in table["dataset"]])
    return named.rename(columns={"paper_ncut_mean": "paper_mean", "paper_ncut_std": "paper_std"})


def readable_mixtures(table: pd.DataFrame) -> pd.DataFrame:
    """`mixtures` as a page shows it."""

    def spread(row: Mapping[str, float], prefix: str) -> str:
        mean = row[f"{prefix}ncut_mean"]
        return "–" if np.isnan(mean) else f"{mean:.3f} ± {row[f'{prefix}ncut_std']:.3f}"

    def share(value: float) -> str:
        return "–" if np.isnan(value) else f"{value:.3f}"

    rows = table.to_dict("records")
    return pd.DataFrame(
        {
            "Data set": [dataset_name(r["dataset"]) for r in rows],
            "Dropout": ["yes" if r["dropout"] else "no" for r in rows],
            "Networks": [r["n"] or "–" for r in rows],
            "n-cut": [spread(r, "") if r["n"] else "not run" for r in rows],
            "n-cut, paper": [spread(r, "paper_") for r in rows],
            "Train acc.": [
                f"{r['running_acc']:.3f} ({r['train_acc']:.3f})" if r["n"] else "–" for r in rows
            ],
            "Train acc., paper": [share(r["paper_train_acc"]) for r in rows],
            "Test acc.": [share(r["test_acc"]) for r in rows],
            "Test acc., paper": [share(r["paper_test_acc"]) for r in rows],
        }
    ).set_index(["Data set", "Dropout"])


def control_rows(table: pd.DataFrame) -> pd.DataFrame:
    """`controls` with the names that `plots_controls.training_alone_figure` takes."""
    return table.assign(name=[control_name(row) for row in table.to_dict("records")])
