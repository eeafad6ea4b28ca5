"""Networks of chapter 1 that stand out, and whether clusters of a single unit explain it."""

from __future__ import annotations

from collections.abc import Mapping
from typing import Any

import numpy as np
import pandas as pd

from modclust_utils import stats
from modclust_utils.chapters.ch01_clusterability.tables import CONDITION
from modclust_utils.graphs import mlp_adjacency
from modclust_utils.partitions import merge_single_units
from modclust_utils.recipes import partition
from modclust_utils.recipes.frames import shown_table, traced
from modclust_utils.recipes.network import weights
from modclust_utils.tables import condition_name, far_out, spread


@traced
def standing_out(
    by_phase: pd.DataFrame, tests: pd.DataFrame, partitions: pd.DataFrame, networks: pd.DataFrame
) -> pd.DataFrame:
    """A row for each network that is far from its kind in a phase, or above all of its shuffles.

    others_...: mean and standard deviation of its kind without it; sizes: units of its clusters;
    single: how many have one unit; merged, merged_k: the second reading of its partition
    (`partitions.merge_single_units`), an n-cut of fewer clusters; low, high: n-cuts of the others
    of its kind for so many clusters, NaN where this run has none. explained: whether single-unit
    clusters account for it ("yes" where the second reading is among these); "cannot tell" where the
    partition is not recorded, or there is nothing to compare with.

    by_phase: `tables.by_phase`; tests: those for every k; partitions, networks: their records.
    """
    own = tests[tests["n_clusters"].isin(partitions["n_clusters"])].set_index("network")
    above = own["ncut"] > own["null_ncuts"].map(max)
    rows = by_phase.assign(
        far_out=far_out(by_phase, [*CONDITION, "phase"]),
        above=(by_phase["phase"] == "after") & by_phase["network"].map(above),
    )
    chosen = rows[rows["far_out"] | rows["above"]]
    found = [
        row | _others(row, rows) | _second_reading(row, tests, partitions, networks)
        for row in chosen[[*CONDITION, "seed", "network", "phase", "ncut", "far_out", "above"]]
        .sort_values("phase", ascending=False, kind="stable")
        .to_dict("records")
    ]
    return pd.DataFrame(found, columns=_COLUMNS)


_COLUMNS = [
    *(*CONDITION, "seed", "phase", "ncut", "far_out", "above", "others_mean", "others_std"),
    *("ncut_sklearn", "sizes", "single", "merged", "merged_k", "low", "high", "explained"),
]


def _others(row: Mapping[str, object], rows: pd.DataFrame) -> dict[str, float]:
    kind = (rows[[*CONDITION, "phase"]] == [row[c] for c in (*CONDITION, "phase")]).all(axis=1)
    ncuts = rows.loc[kind & (rows["network"] != row["network"]), "ncut"]
    return {"others_mean": ncuts.mean(), "others_std": ncuts.std(ddof=1)}


def _second_reading(
    row: Mapping[str, object],
    tests: pd.DataFrame,
    partitions: pd.DataFrame,
    networks: pd.DataFrame,
) -> dict[str, object]:
    if row["phase"] != "after":
        return {"explained": "cannot tell"}
    (found,) = partitions[partitions["network"] == row["network"]].to_dict("records")
    labels = partition.labels(found["record"])
    sizes = np.bincount(labels[labels >= 0])
    facts = {
        "ncut_sklearn": found["ncut_sklearn"],
        "sizes": ", ".join(map(str, sorted(sizes.tolist(), reverse=True))),
        "single": int((sizes == 1).sum()),
    }
    if not facts["single"]:
        return facts | {"explained": "no"}
    (record,) = networks.loc[networks["network"] == row["network"], "record"]
    merged, ncut = merge_single_units(mlp_adjacency(weights(record)), labels)
    k = len(set(merged.tolist()) - {-1})
    kind = (tests[CONDITION] == [row[name] for name in CONDITION]).all(axis=1)
    others = tests[kind & (tests["n_clusters"] == k) & (tests["network"] != row["network"])]["ncut"]
    facts |= {"merged": ncut, "merged_k": k, "low": others.min(), "high": others.max()}
    if others.empty:
        return facts | {"explained": "cannot tell"}
    apart = stats.far_out([ncut, *others])[0]
    return facts | {"explained": "no" if apart else "yes"}


@shown_table
def readable(table: pd.DataFrame) -> pd.DataFrame:
    """`standing_out` as a page shows it."""
    return pd.DataFrame([_readable(row) for row in table.to_dict("records")]).set_index("Network")


def _readable(row: Mapping[str, Any]) -> dict[str, str]:
    why = "above" if row["above"] else "far out"
    others = f"{row['others_mean']:.3f}"
    if not pd.isna(row["others_std"]):
        others = spread(row["others_mean"], row["others_std"])
    merged = beside = "–"
    if not pd.isna(row["merged"]):
        merged, beside = f"{row['merged']:.3f} ({row['merged_k']:.0f})", "not in this run"
        if not pd.isna(row["low"]):
            beside = f"{row['low']:.3f}–{row['high']:.3f}"
    name = f"{condition_name(row['dataset'], row['dropout'])}, seed {row['seed']}"
    return {
        "Network": f"{name}, {row['phase']}",
        "n-cut": f"{row['ncut']:.3f}",
        "Others": others,
        "Why": "both" if row["far_out"] and row["above"] else why,
        "Explained": str(row["explained"]),
        "Units of clusters": "not recorded" if pd.isna(row["sizes"]) else str(row["sizes"]),
        "Merged": merged,
        "Others, k'": beside,
    }
