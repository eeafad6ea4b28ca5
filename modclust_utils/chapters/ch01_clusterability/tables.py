"""Tables of chapter 1: ours beside the paper's (Table 1, Tables A.1 to A.3, Figure 2)."""

from __future__ import annotations

from collections.abc import Sequence
from typing import Literal

import numpy as np
import pandas as pd

from modclust_utils import quantized, stats
from modclust_utils.datasets.papers import beside, paper_table
from modclust_utils.figures.style import dataset_name
from modclust_utils.graphs import layer_of_unit, mlp_adjacency
from modclust_utils.partitions import order_labels
from modclust_utils.recipes import partition
from modclust_utils.recipes.frames import shown_table, traced
from modclust_utils.recipes.network import PHASES, weights
from modclust_utils.stubwalk import running_failure_rate, stub_walks
from modclust_utils.tables import (
    N_DISTINCT,
    N_PAPER,
    condition_name,
    in_rows,
    is_significant,
    n_against,
    share_with_interval,
    spread,
)

CONDITION = ["dataset", "dropout"]
TAILS: tuple[Literal["lower", "upper"], ...] = ("lower", "upper")
PAPER_TABLES = {
    4: ("filan2020_table_1", "Table 1"),
    7: ("filan2020_table_a1", "Table A.1"),
    10: ("filan2020_table_a2", "Table A.2"),
    2: ("filan2020_table_a3", "Table A.3"),
}
PAPER_COLUMNS = (
    *("prop_sig", "train_acc", "test_acc"),
    *("ncut_mean", "ncut_std", "null_ncut_mean", "null_ncut_std"),
)


def paper_for_k(n_clusters: int) -> pd.DataFrame:
    """The paper's table for k clusters; without rows where it has none."""
    if n_clusters in PAPER_TABLES:
        return paper_table(PAPER_TABLES[n_clusters][0])
    return paper_table("filan2020_table_1").iloc[:0]


def facts_for_k(n_clusters: int) -> pd.DataFrame:
    """What the paper's text says of networks that were not trained, where that is for k clusters;
    else without rows."""
    facts = paper_table("filan2020_text")
    return facts if n_clusters == facts.set_index("key")["value"]["clusters"] else facts.iloc[:0]


def paper_name(n_clusters: int) -> str:
    """The paper's name of its table for k clusters, in brackets, or nothing."""
    return f" ({PAPER_TABLES[n_clusters][1]})" if n_clusters in PAPER_TABLES else ""


@traced
def by_phase(networks: pd.DataFrame, before: pd.DataFrame, tests: pd.DataFrame) -> pd.DataFrame:
    """One row for each network and phase: n-cut and accuracies (Figure 2).

    before, tests: one row for each network, with its n-cut before and after pruning.
    """
    networks = networks.reset_index(drop=True)
    parts = [
        networks[[*CONDITION, "seed", "network"]].assign(
            phase=phase,
            ncut=frame.set_index("network")["ncut"].loc[networks["network"]].to_numpy(),
            test_acc=networks[f"test_accuracy_{phase}"],
            train_acc=networks[f"train_accuracy_{phase}"],
            running_acc=networks[f"running_accuracy_{phase}"],
        )
        for phase, frame in zip(PHASES, (before, tests), strict=True)
    ]
    return pd.concat(parts).sort_index(kind="stable", ignore_index=True)


@traced
def clusterability(
    tests: pd.DataFrame, networks: pd.DataFrame, paper: pd.DataFrame
) -> pd.DataFrame:
    """Table 1 (or A.1 to A.3): a row for each condition, our columns and the paper's.

    Columns of ours: n, n_sig with its 95 % interval as a share, accuracies after pruning, n-cut
    (mean, sample standard deviation, 95 % interval of the mean), the nulls of all networks together
    (mean, standard deviation), mean z-score; n_above_all, networks with an n-cut above those of all
    shuffles; n_sig_of_few and n_above_all_of_few, how many networks one would expect below or above
    all, had each `N_DISTINCT` of its shuffles. The paper's columns start with ``paper_`` and are
    NaN for data sets that are not in it. ``difference_low`` and ``difference_high`` are Welch's
    interval for the difference of the two mean n-cuts.
    """
    accuracies = networks.drop(columns=[*CONDITION, "seed", "record"])
    own = tests.drop(columns="record", errors="ignore")
    members = own.merge(accuracies, on="network", validate="one_to_one")
    return pd.DataFrame(
        [
            {"dataset": place[0], "dropout": place[1]}
            | _ours(group)
            | _theirs(group, paper[(paper[CONDITION] == list(place)).all(axis=1)])
            for place, group in members.groupby(CONDITION, sort=False)
        ]
    )


def _ours(members: pd.DataFrame) -> dict[str, object]:
    null = np.concatenate(members["null_ncuts"].tolist())
    against = {
        tail: [
            _n_against(*each, tail)
            for each in zip(members["ncut"], members["null_ncuts"], strict=True)
        ]
        for tail in TAILS
    }
    n, n_sig = len(members), int(is_significant(members).sum())
    sig_low, sig_high = stats.proportion_interval(n_sig, n)
    low, high = stats.mean_interval(members["ncut"])
    return {
        "n_clusters": int(members["n_clusters"].iloc[0]),
        "n": n,
        "n_sig": n_sig,
        "prop_sig": n_sig / n,
        "prop_sig_low": sig_low,
        "prop_sig_high": sig_high,
        "train_acc": members["train_accuracy_after"].mean(),
        "running_acc": members["running_accuracy_after"].mean(),
        "test_acc": members["test_accuracy_after"].mean(),
        "n_test": int(members["n_test"].iloc[0]),
        "ncut_mean": members["ncut"].mean(),
        "ncut_std": members["ncut"].std(ddof=1),
        "ncut_low": low,
        "ncut_high": high,
        "null_ncut_mean": null.mean(),
        "null_ncut_std": null.std(ddof=1),
        "z_mean": members["z_score"].mean(),
        "n_above_all": sum(n == 0 for n in against["upper"]),
        "n_sig_of_few": _expected(against["lower"], members["n_shuffles"]),
        "n_above_all_of_few": _expected(against["upper"], members["n_shuffles"]),
    }


def _n_against(ncut: float, null_ncuts: Sequence[float], tail: Literal["lower", "upper"]) -> int:
    return n_against(stats.empirical_p_value(ncut, null_ncuts, tail=tail), len(null_ncuts))


def _expected(against: Sequence[int], n_shuffles: Sequence[int]) -> float:
    """How many networks have none against them among `N_DISTINCT` of their shuffles."""
    return sum(
        quantized.chance_significant(r, n, min(N_DISTINCT, n))
        for r, n in zip(against, n_shuffles, strict=True)
    )


def _theirs(members: pd.DataFrame, printed: pd.DataFrame) -> dict[str, float]:
    names = [*(f"paper_{name}" for name in PAPER_COLUMNS), "difference_low", "difference_high"]
    if printed.empty:
        return dict.fromkeys(names, float("nan"))
    row = printed.iloc[0]
    ours = members["ncut"].mean(), members["ncut"].std(ddof=1), len(members)
    interval = stats.welch_interval(*ours, row["ncut_mean"], row["ncut_std"], N_PAPER)
    values = [*(float(row[name]) for name in PAPER_COLUMNS), *interval]
    return dict(zip(names, values, strict=True))


@shown_table
def readable(table: pd.DataFrame) -> pd.DataFrame:
    """The table of `clusterability` as a page shows it, ours above the paper's."""
    rows = []
    for row in table.to_dict("records"):
        place = (dataset_name(row["dataset"]), "yes" if row["dropout"] else "no")
        ours = {
            "n-cut": f"{spread(row['ncut_mean'], row['ncut_std'])} "
            f"[{row['ncut_low']:.3f}, {row['ncut_high']:.3f}]",
            "Null n-cut": spread(row["null_ncut_mean"], row["null_ncut_std"]),
            "Prop. sig.": share_with_interval(row["n_sig"], row["n"]),
            "Test acc.": f"{row['test_acc']:.3f}",
            "Train acc.": f"{row['running_acc']:.3f} ({row['train_acc']:.3f})",
            "Ours − paper": "",
        }
        rows.append(((*place, "ours"), ours))
        if not np.isnan(row["paper_ncut_mean"]):
            theirs = {
                "n-cut": spread(row["paper_ncut_mean"], row["paper_ncut_std"]),
                "Null n-cut": spread(row["paper_null_ncut_mean"], row["paper_null_ncut_std"]),
                "Prop. sig.": f"{row['paper_prop_sig']:.2f}",
                "Test acc.": f"{row['paper_test_acc']:.3f}",
                "Train acc.": f"{row['paper_train_acc']:.3f}",
                "Ours − paper": f"{row['ncut_mean'] - row['paper_ncut_mean']:+z.3f} "
                f"[{row['difference_low']:+z.3f}, {row['difference_high']:+z.3f}]",
            }
            rows.append(((*place, "paper"), theirs))
    return in_rows(rows, ["Data set", "Dropout", "Source"])


@traced
def random_ncuts(fresh: pd.DataFrame) -> pd.DataFrame:
    """A row for each freshly initialized network: its n-cut."""
    return pd.DataFrame({"ncut": fresh["ncuts"].iloc[0]})


@traced
def drawn_partition(partitions: pd.DataFrame, network: pd.DataFrame) -> pd.DataFrame:
    """The partition of one network, with its labels, the clusters numbered by size."""
    chosen = partitions[partitions["network"].isin(network["network"])]
    layers = layer_of_unit(weights(network["record"].iloc[0]))
    labels = [order_labels(partition.labels(record), layers) for record in chosen["record"]]
    return chosen.assign(labels=labels)


@traced
def cluster_sizes(drawn: pd.DataFrame, network: pd.DataFrame) -> pd.DataFrame:
    """Units of each cluster of a network in each layer, and their volume; cluster -1 are units
    without an edge. drawn: its `drawn_partition`."""
    matrices = weights(network["record"].iloc[0])
    frame = pd.DataFrame(
        {
            "cluster": drawn["labels"].iloc[0],
            "layer": layer_of_unit(matrices),
            "volume": np.asarray(mlp_adjacency(matrices).sum(1)).ravel(),
        }
    )
    grouped = frame.groupby(["cluster", "layer"])["volume"].agg(["size", "sum"]).reset_index()
    return grouped.rename(columns={"size": "units", "sum": "volume"})


@traced
def stub_walk(
    drawn: pd.DataFrame, network: pd.DataFrame, *, n_walks: int, rng: np.random.Generator
) -> pd.DataFrame:
    """The share of random walks that left their cluster, as walks are added, with its interval."""
    adjacency = mlp_adjacency(weights(network["record"].iloc[0]))
    failed = stub_walks(adjacency, drawn["labels"].iloc[0], n_walks=n_walks, rng=rng)
    walks, share, half = running_failure_rate(failed)
    return pd.DataFrame({"walks": walks, "left": share, "low": share - half, "high": share + half})


@traced
def first_of_each(tests: pd.DataFrame) -> pd.DataFrame:
    """A row for each shuffle of the first network of each condition."""
    first = tests.groupby(CONDITION, sort=False).head(1)
    names = [condition_name(row.dataset, row.dropout) for row in first.itertuples()]
    rows = first.assign(network=names, null=first["null_ncuts"])
    shuffles = rows[["network", "seed", "ncut", "null"]].explode("null", ignore_index=True)
    return shuffles.astype({"null": float})


def by_k(tests: pd.DataFrame, networks: pd.DataFrame) -> dict[int, pd.DataFrame]:
    """The table of `clusterability` for each k, beside the paper's rows of such networks."""
    return {
        int(k): clusterability(rows, networks, beside(paper_for_k(int(k)), rows, CONDITION))
        for k, rows in tests.groupby("n_clusters")
    }


@traced
def together(tables: dict[int, pd.DataFrame]) -> pd.DataFrame:
    """The tables of `by_k` below each other."""
    return pd.concat(tables.values(), ignore_index=True)


@traced
def training(networks: pd.DataFrame) -> pd.DataFrame:
    """How the networks of each kind were trained, and on how many images they were tested.

    minutes: of computing, all networks of the kind together; note: what is to know of the images.
    """
    rows = []
    for kind, group in networks.groupby(CONDITION, sort=False):
        settings = group["record"].iloc[0].parameters["settings"]
        rows.append(
            dict(zip(CONDITION, kind, strict=True))
            | {name: settings[name] for name in ("epochs", "pruning_epochs", "dropout_rate")}
            | {"n": len(group), "n_test": int(group["n_test"].iloc[0])}
            | {"minutes": sum(record.seconds for record in group["record"]) / 60}
            | {"note": group["test_note"].iloc[0]}
        )
    return pd.DataFrame(rows)


@shown_table
def readable_training(table: pd.DataFrame) -> pd.DataFrame:
    """`training` as a page shows it."""
    rows = [
        {
            "Data set": dataset_name(row.dataset),
            "Dropout rate": f"{row.dropout_rate:g}",
            "Networks": row.n,
            "Epochs": f"{row.epochs} + {row.pruning_epochs}",
            "Minutes": f"{row.minutes:,.1f}",
            "Test images": f"{row.n_test:,}",
            "Note": row.note,
        }
        for row in table.itertuples()
    ]
    shown = pd.DataFrame(rows).set_index(["Data set", "Dropout rate"])
    return shown if shown["Note"].any() else shown.drop(columns="Note")
