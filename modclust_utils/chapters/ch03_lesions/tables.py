"""From lesion records to tables: single lesions, pairs, the dependency graph and its stability.

Labels of clusters are arbitrary. The reference clustering is numbered by size, as in chapter 1;
every other clustering is renumbered to agree with it as well as it can.
"""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass

import numpy as np
import pandas as pd
from numpy.typing import NDArray
from sklearn.metrics import adjusted_rand_score

from modclust_utils import datasets
from modclust_utils.graphs import layer_of_unit
from modclust_utils.lesions import KINDS
from modclust_utils.partitions import match_labels, order_labels
from modclust_utils.recipes.base import Record
from modclust_utils.recipes.frames import Trace, shown_table, traced
from modclust_utils.recipes.network import weights

EDGE = ["x_layer", "x_label", "y_layer", "y_label"]


@dataclass(frozen=True)
class Study:
    """A lesion study with its clusters numbered for readers.

    labels ``(n,)``; singles: a row for each sub-cluster; pairs: a row for each tested pair, x in
    the earlier layer; edges: the rows of `pairs` that are edges of the dependency graph.
    """

    record: Record
    labels: NDArray[np.int64]
    singles: pd.DataFrame
    pairs: pd.DataFrame
    edges: pd.DataFrame

    @property
    def n_random_pairs(self) -> int:
        """Random sets that the p values of pairs come from."""
        return int(self.record.parameters["n_random_pairs"])


@dataclass(frozen=True)
class Studies:
    """The reference, its re-clusterings (same network), and the other networks."""

    reference: Study
    reclusterings: list[Study]
    others: list[Study]

    @property
    def networks(self) -> list[Study]:
        """One study of each network."""
        return [self.reference, *self.others]


def read_studies(studies: pd.DataFrame, networks: pd.DataFrame) -> Studies:
    """The studies of the chapter's plan, renumbered to agree with the first one."""
    first, *rest = studies["record"]
    layers = layer_of_unit(weights(networks["record"].iloc[0]))
    reference = _study(first, order_labels(np.array(first.value["labels"]), layers))
    # hidden units of two networks have nothing in common; pixels and logits are the same
    ends = (layers == 0) | (layers == layers.max())
    reclusterings, others = [], []
    for record in rest:
        same = record.parameters["network"] == first.parameters["network"]
        where = None if same else ends
        labels = match_labels(np.array(record.value["labels"]), reference.labels, where=where)
        (reclusterings if same else others).append(_study(record, labels))
    return Studies(reference, reclusterings, others)


def _study(record: Record, labels: NDArray[np.int64]) -> Study:
    """A study under the numbers that its clusters have in `labels`."""
    old = np.array(record.value["labels"])
    number = dict(zip(old[old >= 0].tolist(), labels[old >= 0].tolist(), strict=True))
    singles = pd.DataFrame(record.value["sub_clusters"])
    singles["label"] = singles["label"].map(number)
    singles = singles.sort_values(["layer", "label"], ignore_index=True)
    pairs = pd.DataFrame(record.value["pairs"], columns=[*EDGE, *_PAIR_NUMBERS])
    for column in ("x_label", "y_label"):
        pairs[column] = pairs[column].map(number)
    pairs = pairs.sort_values(EDGE, ignore_index=True)
    for table in (singles, pairs):
        table.attrs["trace"] = Trace((record,))
    edges = edges_among(important_pairs(pairs, singles))
    return Study(record, labels, singles, pairs, edges)


_PAIR_NUMBERS = [
    "drop_both",
    "delta_x_y",
    "delta_y_x",
    "p_x_given_y",
    "p_y_given_x",
    "x_given_y",
    "y_given_x",
]


@traced
def important_pairs(pairs: pd.DataFrame, singles: pd.DataFrame) -> pd.DataFrame:
    """The pairs of two sub-clusters that are important by themselves (Table A.19)."""
    chosen = singles[singles["kind"] == "important"]
    important = set(zip(chosen["layer"], chosen["label"], strict=True))
    keep = [
        (r.x_layer, r.x_label) in important and (r.y_layer, r.y_label) in important
        for r in pairs.itertuples()
    ]
    # of booleans even where there are no pairs: an empty list would choose columns
    return pairs[np.array(keep, dtype=bool)].reset_index(drop=True)


@traced
def edges_among(pairs: pd.DataFrame) -> pd.DataFrame:
    """Those pairs of important sub-clusters that are edges: not both important given the other.

    The rule of `lesions.dependency_edges` on rows of our records or of Table A.19.
    """
    both = pairs["x_given_y"].astype(bool) & pairs["y_given_x"].astype(bool)
    return pairs[~both].reset_index(drop=True)


@traced
def paper_singles(table: pd.DataFrame) -> pd.DataFrame:
    """Table A.18 with the column names of ours; the printed differences are negative drops."""
    return pd.DataFrame(
        {
            "layer": table["layer"],
            "label": table["label"],
            "proportion": table["proportion"],
            "drop": -table["acc_diff"],
            "p_value": table["p_value"],
            "kind": table["type"],
            "null_mean": -table["null_acc_diff_mean"],
            "null_std": table["null_acc_diff_std"],
        }
    )


@traced
def paper_pairs(table: pd.DataFrame) -> pd.DataFrame:
    """Table A.19 with the column names of ours."""
    names = pd.DataFrame(
        [
            [int(part) for each in row for part in each.split("-")]
            for row in table[["x", "y"]].values
        ],
        columns=EDGE,
    )
    return pd.concat([names, table.drop(columns=["x", "y"])], axis=1)


@traced
def kind_counts(networks: Sequence[Study], paper: pd.DataFrame) -> pd.DataFrame:
    """Sub-clusters of each kind: the first network's, mean and range over all, the paper's."""
    counts = pd.DataFrame([study.singles["kind"].value_counts() for study in networks])
    counts = counts.reindex(columns=list(KINDS)).fillna(0).astype(int)
    columns = {
        "reference": counts.iloc[0],
        "mean": counts.mean(),
        "low": counts.min(),
        "high": counts.max(),
        "paper": paper["kind"].value_counts().reindex(list(KINDS), fill_value=0),
    }
    return pd.DataFrame(columns).rename_axis("kind").reset_index()


@traced
def singles_beside(networks: Sequence[Study], paper: pd.DataFrame) -> pd.DataFrame:
    """Table A.18 and ours as distributions: a row for each sub-cluster of our networks and of the
    paper's (`source`). network: its place among ours, from 0; 0 for the paper's."""
    return _beside([study.singles for study in networks], paper)


@traced
def pairs_beside(networks: Sequence[Study], paper: pd.DataFrame) -> pd.DataFrame:
    """Table A.19 and ours as distributions: a row for each pair of important sub-clusters, as in
    `singles_beside`."""
    return _beside([important_pairs(s.pairs, s.singles) for s in networks], paper)


def _beside(ours: Sequence[pd.DataFrame], paper: pd.DataFrame) -> pd.DataFrame:
    parts = [table.assign(source="ours", network=i) for i, table in enumerate(ours)]
    columns = [*paper, "source", "network"]
    every = [*parts, paper.assign(source="paper", network=0)]
    return pd.concat([part[columns] for part in every if len(part)], ignore_index=True)


@shown_table
def readable_counts(counts: pd.DataFrame, n_networks: int) -> pd.DataFrame:
    """`kind_counts` as a page shows it."""
    spread = [f"{r.mean:.1f} ({r.low} to {r.high})" for r in counts.itertuples()]
    return pd.DataFrame(
        {
            "Kind": counts["kind"],
            "First network": counts["reference"],
            f"Mean of {n_networks} networks (range)": spread,
            "Paper": counts["paper"],
        }
    ).set_index("Kind")


@shown_table
def readable_singles(singles: pd.DataFrame) -> pd.DataFrame:
    """The columns of Table A.18, as the paper prints them."""
    return pd.DataFrame(
        {
            "Sub-cluster": [f"{r.layer}-{r.label}" for r in singles.itertuples()],
            "Acc. diff.": [f"{-drop:+z.4f}" for drop in singles["drop"]],
            "p": [f"{p:.2g}" for p in singles["p_value"]],
            "Proportion": [f"{share:.3f}" for share in singles["proportion"]],
            "Kind": singles["kind"],
            "Acc. diff. of random sets": [
                f"{-r.null_mean:+z.4f} ± {r.null_std:.4f}" for r in singles.itertuples()
            ],
        }
    ).set_index("Sub-cluster")


@shown_table
def readable_pairs(pairs: pd.DataFrame) -> pd.DataFrame:
    """The columns of Table A.19, damages in percentage points."""
    mark = {True: "✓", False: "✗"}
    return pd.DataFrame(
        {
            "X": [f"{r.x_layer}-{r.x_label}" for r in pairs.itertuples()],
            "Y": [f"{r.y_layer}-{r.y_label}" for r in pairs.itertuples()],
            "X important given Y": [mark[bool(v)] for v in pairs["x_given_y"]],
            "Y important given X": [mark[bool(v)] for v in pairs["y_given_x"]],
            "δ(X, Y)": [f"{100 * v:z.1f}" for v in pairs["delta_x_y"]],
            "δ(Y, X)": [f"{100 * v:z.1f}" for v in pairs["delta_y_x"]],
        }
    ).set_index(["X", "Y"])


def edge_set(edges: pd.DataFrame) -> set[tuple[int, int, int, int]]:
    """Edges as (layer of X, cluster of X, layer of Y, cluster of Y)."""
    return {tuple(int(v) for v in row) for row in edges[EDGE].to_numpy()}  # type: ignore[misc]


@traced
def edge_stability(studies: Studies) -> pd.DataFrame:
    """For each edge of the reference: in which share of the others it comes back.

    chance_networks: the share to expect if the clusters of each other network had their numbers by
    chance. An edge between different clusters then lands on a given one with probability
    1 / (k (k - 1)), one within a cluster with 1 / k, k the number of clusters.
    """
    again = [edge_set(s.edges) for s in studies.reclusterings]
    elsewhere = [edge_set(s.edges) for s in studies.others]
    k = int(studies.reference.record.parameters["n_clusters"])
    rows = []
    for edge in sorted(edge_set(studies.reference.edges)):
        x_layer, x_label, y_layer, y_label = edge
        same = x_label == y_label
        rows.append(
            dict(zip(EDGE, edge, strict=True))
            | {
                "share_reclusterings": _share(edge, again),
                "share_networks": _share(edge, elsewhere),
                "chance_networks": _chance(x_layer, y_layer, same, k, elsewhere),
            }
        )
    columns = [*EDGE, "share_reclusterings", "share_networks", "chance_networks"]
    return pd.DataFrame(rows, columns=columns)


def _share(edge: tuple[int, ...], sets: Sequence[set[tuple[int, int, int, int]]]) -> float:
    return float(np.mean([edge in each for each in sets])) if sets else float("nan")


def _chance(
    x_layer: int,
    y_layer: int,
    same: bool,
    k: int,
    sets: Sequence[set[tuple[int, int, int, int]]],
) -> float:
    places = k if same else k * (k - 1)
    counts = [
        sum(e[0] == x_layer and e[2] == y_layer and (e[1] == e[3]) == same for e in each)
        for each in sets
    ]
    return float(np.mean(counts)) / places if counts else float("nan")


def agreement(studies: Studies) -> list[float]:
    """Adjusted Rand index of every re-clustering with the reference, over units with an edge."""
    reference = studies.reference.labels
    live = reference >= 0
    return [
        float(adjusted_rand_score(reference[live], s.labels[live])) for s in studies.reclusterings
    ]


@traced
def class_drops(singles: pd.DataFrame) -> pd.DataFrame:
    """Accuracy drop of each class for each important sub-cluster, columns ``class_0``, ...

    A class without test images has no column.
    """
    chosen = singles[singles["kind"] == "important"].reset_index(drop=True)
    tested = ~np.isnan(singles["class_drops"].iloc[0])
    columns = [f"class_{c}" for c in range(len(tested))]
    drops = pd.DataFrame(chosen["class_drops"].tolist(), columns=columns)
    return pd.concat([chosen[["layer", "label"]], drops.loc[:, tested]], axis=1)


def tested_classes(drops: pd.DataFrame, dataset: str) -> dict[int, str]:
    """Numbers and names of the classes in `class_drops`."""
    names = datasets.class_names(dataset)
    return {c: name for c, name in enumerate(names) if f"class_{c}" in drops}


def with_share(edges: pd.DataFrame, stability: pd.DataFrame) -> pd.DataFrame:
    """The edges with a column `share`: in how many re-clusterings each came back."""
    shares = stability[[*EDGE, "share_reclusterings"]]
    return edges.merge(shares.rename(columns={"share_reclusterings": "share"}), on=EDGE)
