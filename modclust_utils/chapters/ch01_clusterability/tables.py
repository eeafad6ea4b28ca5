"""From records to tables: ours beside the paper's."""

from __future__ import annotations

from collections.abc import Sequence

import numpy as np
import pandas as pd

from modclust_utils import stats
from modclust_utils.datasets.papers import paper_table
from modclust_utils.figures.style import dataset_name, dropout_name
from modclust_utils.graphs import layer_of_unit, mlp_adjacency
from modclust_utils.publish.networks import Network
from modclust_utils.publish.records import Record


def network_table(
    networks: Sequence[Network], before: Sequence[Record], tests: Sequence[Record]
) -> pd.DataFrame:
    """One row for each network and phase: n-cut and accuracies (Figure 2)."""
    rows = []
    for network, clustering, test in zip(networks, before, tests, strict=True):
        value = network.record.value
        for phase, ncut in (("before", clustering.value["ncut"]), ("after", test.value["ncut"])):
            rows.append(
                {
                    "dataset": network.condition.dataset,
                    "dropout": network.condition.dropout,
                    "seed": network.seed,
                    "phase": phase,
                    "ncut": ncut,
                    "test_acc": value[f"test_accuracy_{phase}"],
                    "train_acc": value[f"train_accuracy_{phase}"],
                    "running_acc": value[f"running_accuracy_{phase}"],
                }
            )
    return pd.DataFrame(rows)


def is_significant(test: Record) -> bool:
    """Whether the network's n-cut is below those of all its shuffles (paper A, Table 1)."""
    return test.value["p_value"] <= 1 / (test.parameters["n_shuffles"] + 1)


def clusterability_table(
    networks: Sequence[Network], tests: Sequence[Record], paper: pd.DataFrame
) -> pd.DataFrame:
    """Table 1 (or A.1 to A.3): a row for each condition, our columns and the paper's.

    Columns of ours: n, n_sig with its 95 % interval as a share, accuracies after pruning, n-cut
    (mean, sample standard deviation, 95 % interval of the mean), the nulls of all networks together
    (mean, standard deviation), mean z-score. The paper's columns start with ``paper_`` and are
    NaN for data sets that are not in it. ``difference_low`` and ``difference_high`` are Welch's
    interval for the difference of the two mean n-cuts.
    """
    groups: dict[tuple[str, bool], list[tuple[Network, Record]]] = {}
    for network, test in zip(networks, tests, strict=True):
        key = (network.condition.dataset, network.condition.dropout)
        groups.setdefault(key, []).append((network, test))
    rows = [
        _condition_row(dataset, dropout, members, paper)
        for (dataset, dropout), members in groups.items()
    ]
    return pd.DataFrame(rows)


def _condition_row(
    dataset: str,
    dropout: bool,
    members: list[tuple[Network, Record]],
    paper: pd.DataFrame,
) -> dict[str, object]:
    ncuts = np.array([test.value["ncut"] for _, test in members])
    null = np.concatenate([test.value["null_ncuts"] for _, test in members])
    values = [network.record.value for network, _ in members]
    n_sig = sum(is_significant(test) for _, test in members)
    sig_low, sig_high = stats.proportion_interval(n_sig, len(members))
    low, high = stats.mean_interval(ncuts)
    row: dict[str, object] = {
        "dataset": dataset,
        "dropout": dropout,
        "n_clusters": members[0][1].parameters["n_clusters"],
        "n": len(members),
        "n_sig": n_sig,
        "prop_sig": n_sig / len(members),
        "prop_sig_low": sig_low,
        "prop_sig_high": sig_high,
        "train_acc": np.mean([v["train_accuracy_after"] for v in values]),
        "running_acc": np.mean([v["running_accuracy_after"] for v in values]),
        "test_acc": np.mean([v["test_accuracy_after"] for v in values]),
        "n_test": values[0]["n_test"],
        "ncut_mean": ncuts.mean(),
        "ncut_std": ncuts.std(ddof=1),
        "ncut_low": low,
        "ncut_high": high,
        "null_ncut_mean": null.mean(),
        "null_ncut_std": null.std(ddof=1),
        "z_mean": np.mean([test.value["z_score"] for _, test in members]),
        "n_above_all": sum(
            test.value["ncut"] > max(test.value["null_ncuts"]) for _, test in members
        ),
    }
    return row | _paper_columns(dataset, dropout, ncuts, paper)


PAPER_COLUMNS = (
    "prop_sig",
    "train_acc",
    "test_acc",
    "ncut_mean",
    "ncut_std",
    "null_ncut_mean",
    "null_ncut_std",
)
N_PAPER = 10


def _paper_columns(
    dataset: str, dropout: bool, ncuts: np.ndarray, paper: pd.DataFrame
) -> dict[str, float]:
    match = paper[(paper["dataset"] == dataset) & (paper["dropout"] == dropout)]
    if match.empty:
        empty = dict.fromkeys((f"paper_{c}" for c in PAPER_COLUMNS), float("nan"))
        return empty | {"difference_low": float("nan"), "difference_high": float("nan")}
    printed = match.iloc[0]
    low, high = stats.welch_interval(
        ncuts.mean(),
        ncuts.std(ddof=1),
        len(ncuts),
        printed["ncut_mean"],
        printed["ncut_std"],
        N_PAPER,
    )
    columns = {f"paper_{c}": float(printed[c]) for c in PAPER_COLUMNS}
    return columns | {"difference_low": low, "difference_high": high}


def readable(table: pd.DataFrame) -> pd.DataFrame:
    """The table of `clusterability_table` as a page shows it, ours above the paper's."""
    rows, index = [], []
    for _, row in table.iterrows():
        name = dataset_name(row["dataset"])
        dropout = "yes" if row["dropout"] else "no"
        index.append((name, dropout, "ours"))
        rows.append(
            {
                "n-cut": _spread(row["ncut_mean"], row["ncut_std"]),
                "Null n-cut": _spread(row["null_ncut_mean"], row["null_ncut_std"]),
                "Prop. sig.": f"{row['prop_sig']:.2f} "
                f"[{row['prop_sig_low']:.2f}, {row['prop_sig_high']:.2f}]",
                "Test acc.": f"{row['test_acc']:.3f}",
                "Train acc.": f"{row['running_acc']:.3f} ({row['train_acc']:.3f})",
                "95 % of mean": f"[{row['ncut_low']:.3f}, {row['ncut_high']:.3f}]",
                "Ours − paper": "",
            }
        )
        if np.isnan(row["paper_ncut_mean"]):
            continue
        index.append((name, dropout, "paper"))
        rows.append(
            {
                "n-cut": _spread(row["paper_ncut_mean"], row["paper_ncut_std"]),
                "Null n-cut": _spread(row["paper_null_ncut_mean"], row["paper_null_ncut_std"]),
                "Prop. sig.": f"{row['paper_prop_sig']:.2f}",
                "Test acc.": f"{row['paper_test_acc']:.3f}",
                "Train acc.": f"{row['paper_train_acc']:.3f}",
                "95 % of mean": "",
                "Ours − paper": f"{row['ncut_mean'] - row['paper_ncut_mean']:+.3f} "
                f"[{row['difference_low']:+.3f}, {row['difference_high']:+.3f}]",
            }
        )
    names = pd.MultiIndex.from_tuples(index, names=["Data set", "Dropout", ""])
    return pd.DataFrame(rows, index=names)


def _spread(mean: float, std: float) -> str:
    return f"{mean:.3f} ± {std:.3f}"


PAPER_TABLES = {
    4: ("filan2020_table_1", "Table 1"),
    7: ("filan2020_table_a1", "Table A.1"),
    10: ("filan2020_table_a2", "Table A.2"),
    2: ("filan2020_table_a3", "Table A.3"),
}


def paper_for_k(n_clusters: int) -> pd.DataFrame:
    """The paper's table for k clusters; without rows where it has none."""
    if n_clusters in PAPER_TABLES:
        return paper_table(PAPER_TABLES[n_clusters][0])
    return paper_table("filan2020_table_1").iloc[:0]


def paper_name(n_clusters: int) -> str:
    """The paper's name of its table for k clusters, in brackets, or nothing."""
    return f" ({PAPER_TABLES[n_clusters][1]})" if n_clusters in PAPER_TABLES else ""


def printed_support(facts: pd.DataFrame) -> tuple[float, float]:
    """The range that the paper states for n-cuts of freshly initialized networks."""
    values = facts.set_index("key")["value"]
    return float(values["random_init_ncut_low"]), float(values["random_init_ncut_high"])


def cluster_sizes(weights: Sequence[np.ndarray], labels: np.ndarray) -> pd.DataFrame:
    """Units of each cluster in each layer, and its volume; cluster -1 are units without an edge."""
    layers = layer_of_unit(weights)
    degrees = np.asarray(mlp_adjacency(weights).sum(1)).ravel()
    frame = pd.DataFrame({"cluster": labels, "layer": layers, "volume": degrees})
    grouped = frame.groupby(["cluster", "layer"])["volume"].agg(["size", "sum"]).reset_index()
    return grouped.rename(columns={"size": "units", "sum": "volume"})


def figure_columns(table: pd.DataFrame) -> pd.DataFrame:
    """The table of `clusterability_table` with the names that `plots` uses for its columns."""
    return table.rename(columns=lambda name: name.replace("null_ncut_", "null_"))


def with_networks(table: pd.DataFrame, by_network: pd.DataFrame) -> pd.DataFrame:
    """The table of conditions for `plots.comparison_figure`: with the n-cuts of all networks."""
    after = by_network[by_network["phase"] == "after"]
    lists = after.groupby(["dataset", "dropout"])["ncut"].agg(list).rename("ours").reset_index()
    merged = figure_columns(table).merge(lists, on=["dataset", "dropout"], validate="one_to_one")
    return merged.rename(columns={"paper_ncut_mean": "paper_mean", "paper_ncut_std": "paper_std"})


def one_per_condition(
    networks: Sequence[Network], tests: Sequence[Record]
) -> list[dict[str, object]]:
    """The first network of each condition with its test."""
    examples: dict[tuple[str, bool], dict[str, object]] = {}
    for network, test in zip(networks, tests, strict=True):
        condition = network.condition
        title = condition_name(condition.dataset, condition.dropout)
        examples.setdefault(
            (condition.dataset, condition.dropout),
            {
                "title": title,
                "seed": network.seed,
                "ncut": test.value["ncut"],
                "null_ncuts": np.array(test.value["null_ncuts"]),
                "p_value": test.value["p_value"],
                "n_shuffles": test.parameters["n_shuffles"],
            },
        )
    return list(examples.values())


def long_nulls(examples: Sequence[dict[str, object]]) -> pd.DataFrame:
    """A row for each shuffle of the networks of `one_per_condition`."""
    frames = [
        pd.DataFrame(
            {"network": e["title"], "seed": e["seed"], "ncut": e["ncut"], "null": e["null_ncuts"]}
        )
        for e in examples
    ]
    return pd.concat(frames, ignore_index=True)


def condition_name(dataset: str, dropout: bool) -> str:
    """A condition as a page prints it."""
    return f"{dataset_name(dataset)}, {dropout_name(dropout)}"
