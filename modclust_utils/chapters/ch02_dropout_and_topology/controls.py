"""Tables of chapter 2 about training on random data (Tables 2 to 4) and on mixtures."""

from __future__ import annotations

from collections.abc import Mapping

import numpy as np
import pandas as pd

from modclust_utils import stats
from modclust_utils.chapters.ch02_dropout_and_topology import printed
from modclust_utils.chapters.ch02_dropout_and_topology.printed import CONTROLS, KILO_EPOCHS
from modclust_utils.datasets import MIXTURES, OWN_NOTE
from modclust_utils.datasets.papers import beside
from modclust_utils.figures.style import dataset_name
from modclust_utils.recipes.frames import shown_table, traced
from modclust_utils.tables import in_rows, is_significant, share_with_interval, spread

_KIND = ["role", "dataset", "dropout"]


@traced
def controls(
    networks: pd.DataFrame, before: pd.DataFrame, tests: pd.DataFrame, paper: pd.DataFrame
) -> pd.DataFrame:
    """Tables 2 to 4: a row for each role, data set and dropout setting.

    before: n-cuts before pruning; tests: those after it. The lists `before` and `after` hold the
    n-cuts, `train_accs` the training accuracies, `below_all` which are below all their shuffles;
    columns ``paper_...`` are what the paper prints for 10 networks, NaN where it has none.
    """
    both = before.merge(tests, on=["role", "network"], suffixes=("_before", ""))
    members = networks.drop(columns="record").merge(
        both[["role", "network", "ncut_before", "ncut", "p_value", "n_shuffles", "null_ncuts"]],
        on=["role", "network"],
        validate="one_to_one",
    )
    rows = [
        dict(zip(_KIND, kind, strict=True)) | _ours(group)
        for kind, group in members.groupby(_KIND, sort=False)
    ]
    table = pd.DataFrame(rows).merge(paper, on=_KIND, how="left")
    shorter = (table["role"] == "kilo-epoch") & (table["epochs"] != KILO_EPOCHS)
    table.loc[shorter, table.columns.str.startswith("paper_")] = np.nan
    return table


def _ours(members: pd.DataFrame) -> dict[str, object]:
    null = np.concatenate(members["null_ncuts"].tolist())
    return {
        "epochs": int(members["epochs"].iloc[0]),
        "n": len(members),
        "n_sig": int(is_significant(members).sum()),
        "running_acc": members["running_accuracy_after"].mean(),
        "train_acc": members["train_accuracy_after"].mean(),
        "train_acc_before": members["train_accuracy_before"].mean(),
        "train_accs": members["train_accuracy_after"].tolist(),
        "below_all": is_significant(members).tolist(),
        "before": members["ncut_before"].tolist(),
        "after": members["ncut"].tolist(),
        "before_mean": members["ncut_before"].mean(),
        "before_std": members["ncut_before"].std(ddof=1),
        "ncut_mean": members["ncut"].mean(),
        "ncut_std": members["ncut"].std(ddof=1),
        "null_mean": null.mean(),
        "null_std": null.std(ddof=1),
    }


def control_name(row: Mapping[str, object]) -> str:
    """A control as a page prints it."""
    _, words, _ = CONTROLS[str(row["role"])]
    if row["role"] == "kilo-epoch":
        words = f"{row['epochs']:,} epochs"
    return f"{dataset_name(str(row['dataset']))}, {words}"


@shown_table
def readable_controls(table: pd.DataFrame, not_run: pd.DataFrame) -> pd.DataFrame:
    """`controls` as a page shows it, ours above the paper's; not_run: rows of the paper's that this
    run could have beside them, and has not (`not_run`)."""
    rows = []
    for row in table.to_dict("records"):
        beside_ours = not np.isnan(row["paper_after_mean"])
        place = _place(row, with_table=beside_ours)
        ours = {
            "Prop. sig.": share_with_interval(row["n_sig"], row["n"]),
            "Train acc.": f"{row['running_acc']:.3f} ({row['train_acc']:.3f})",
            "Unpruned train acc.": f"{row['train_acc_before']:.3f}",
            "Unpruned n-cut": spread(row["before_mean"], row["before_std"]),
            "n-cut": spread(row["ncut_mean"], row["ncut_std"]),
            "Null n-cut": spread(row["null_mean"], row["null_std"]),
        }
        rows.append(((*place, "ours"), ours))
        if beside_ours:
            rows.append(((*place, "paper"), _printed_control(row)))
    for row in not_run.to_dict("records"):
        place = _place(row | {"epochs": KILO_EPOCHS}, with_table=True)
        cells = _printed_control(row)
        rows.append(((*place, "ours"), dict.fromkeys(cells, "–") | {"n-cut": "not run"}))
        rows.append(((*place, "paper"), cells))
    return in_rows(rows, ["Data", "Dropout", "Source"])


def _place(row: Mapping[str, object], *, with_table: bool) -> tuple[str, str]:
    """What a row is about; with_table: with the number of the paper's table."""
    table = f" (Table {CONTROLS[str(row['role'])][0]})" if with_table else ""
    return control_name(row) + table, "yes" if row["dropout"] else "no"


def _printed_control(row: Mapping[str, float]) -> dict[str, str]:
    return {
        "Prop. sig.": f"{row['paper_prop_sig']:.2f}",
        "Train acc.": f"{row['paper_train_acc']:.3f}",
        "Unpruned train acc.": "–",
        "Unpruned n-cut": spread(row["paper_before_mean"], row["paper_before_std"]),
        "n-cut": spread(row["paper_after_mean"], row["paper_after_std"]),
        "Null n-cut": spread(row["paper_null_mean"], row["paper_null_std"]),
    }


def paper_controls(networks: pd.DataFrame, n_clusters: int) -> pd.DataFrame:
    """The paper's rows of the controls that this run has."""
    return beside(printed.controls(n_clusters), networks, _KIND)


def not_run(networks: pd.DataFrame, n_clusters: int) -> pd.DataFrame:
    """The paper's rows of controls on data of this run that it trained in no such way."""
    every = beside(printed.controls(n_clusters), networks, _KIND[1:])
    return every[~every["role"].isin(networks["role"])]


def paper_mixtures(networks: pd.DataFrame, n_clusters: int) -> pd.DataFrame:
    """The paper's rows of data sets and mixtures: all where this run has one of them, else none."""
    every = printed.mixtures(n_clusters)
    return every.iloc[:0] if beside(every, networks, _KIND[1:]).empty else every


@traced
def mixtures(networks: pd.DataFrame, ncuts: pd.DataFrame, paper: pd.DataFrame) -> pd.DataFrame:
    """Tables A.16 and A.17: a row for each data set and dropout setting of the paper's or ours.

    NaN where there is only one of the two. ncuts: n-cuts after pruning.
    """
    kind = ["dataset", "dropout"]
    members = networks.drop(columns="record").merge(
        ncuts[["network", "ncut"]], on="network", validate="one_to_one"
    )
    ours = pd.DataFrame(
        [
            dict(zip(kind, values, strict=True)) | _mixture(group)
            for values, group in members.groupby(kind, sort=False)
        ]
    )
    every = pd.concat([paper[kind], ours[kind]]).drop_duplicates()
    table = every.merge(ours, on=kind, how="left").merge(paper, on=kind, how="left")
    return table.assign(n=table["n"].fillna(0).astype(int))


def _mixture(members: pd.DataFrame) -> dict[str, object]:
    low, high = stats.mean_interval(members["ncut"])
    return {
        "n": len(members),
        "ncut_mean": members["ncut"].mean(),
        "ncut_std": members["ncut"].std(ddof=1),
        "ncut_low": low,
        "ncut_high": high,
        "running_acc": members["running_accuracy_after"].mean(),
        "train_acc": members["train_accuracy_after"].mean(),
        "test_acc": members["test_accuracy_after"].mean(),
        "note": members["test_note"].iloc[0].partition(OWN_NOTE)[0],
    }


@shown_table
def readable_mixtures(table: pd.DataFrame) -> pd.DataFrame:
    """`mixtures` as a page shows it."""
    rows = {
        (dataset_name(row["dataset"]), "yes" if row["dropout"] else "no"): _readable_mixture(row)
        for row in table.to_dict("records")
    }
    shown = pd.DataFrame.from_dict(rows, orient="index").rename_axis(["Data set", "Dropout"])
    return shown.set_axis(pd.MultiIndex.from_tuples(shown.columns), axis=1)


def _readable_mixture(row: Mapping[str, float]) -> dict[tuple[str, str], object]:
    def number(name: str) -> str:
        return "–" if np.isnan(row[name]) else f"{row[name]:.3f}"

    there, in_print = row["n"] > 0, not np.isnan(row["paper_ncut_mean"])
    return {
        ("Ours", "Networks"): row["n"] or "–",
        ("Ours", "n-cut"): spread(row["ncut_mean"], row["ncut_std"]) if there else "not run",
        ("Ours", "Train acc."): f"{number('running_acc')} ({number('train_acc')})"
        if there
        else "–",
        ("Ours", "Test acc."): number("test_acc"),
        ("Paper", "n-cut"): spread(row["paper_ncut_mean"], row["paper_ncut_std"])
        if in_print
        else "–",
        ("Paper", "Train acc."): number("paper_train_acc"),
        ("Paper", "Test acc."): number("paper_test_acc"),
    }


def is_other_mix(table: pd.DataFrame) -> pd.Series:
    """Which rows of `mixtures` are mixtures whose test images come from their parts in other shares
    than the paper's, so that its test accuracies cannot be compared with ours."""
    return table["dataset"].isin([*MIXTURES]) & (table["note"].fillna("") != "")


def notes(table: pd.DataFrame) -> dict[str, str]:
    """What is to know of the test images of such mixtures, by the words for the mixture."""
    found = {}
    for row in table[is_other_mix(table)].itertuples():
        note = str(row.note)
        for part in MIXTURES[row.dataset][:2]:
            note = note.replace(f"come from {part}", f"come from {dataset_name(part)}")
        found[dataset_name(row.dataset)] = note
    return found
