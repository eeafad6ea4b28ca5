"""What chapter 1 finds: numbers for its sentences, and sentences where language branches."""

from __future__ import annotations

from dataclasses import dataclass

import numpy as np
import pandas as pd

from modclust_utils.chapters.ch01_clusterability.tables import CONDITION
from modclust_utils.figures.style import dataset_name
from modclust_utils.graphs import live_units
from modclust_utils.recipes import partition
from modclust_utils.recipes.frames import only_k
from modclust_utils.recipes.network import weights
from modclust_utils.tables import condition_name


def trained(networks: pd.DataFrame) -> str:
    """How many networks there are, of what kind, and how long they took to train."""
    sizes = networks.groupby(CONDITION).size()
    each = f"{sizes.min()}" if sizes.min() == sizes.max() else f"{sizes.min()} to {sizes.max()}"
    minutes = sum(record.seconds for record in networks["record"]) / 60
    lines = [
        f"{len(networks)} networks, {each} of each kind. Training them took {minutes:,.1f} minutes "
        "of computing in all.\n"
    ]
    for dataset, group in networks.groupby("dataset", sort=False):
        plain, dropped = (group[group["dropout"] == wanted].iloc[0] for wanted in (False, True))
        (short, long) = (
            f"{s['epochs']} + {s['pruning_epochs']} epochs"
            for s in (row["record"].parameters["settings"] for row in (plain, dropped))
        )
        rate = dropped["record"].parameters["settings"]["dropout_rate"]
        note = plain["test_note"]
        lines.append(
            f"- {dataset_name(str(dataset))}: {short} without dropout, {long} with a dropout rate "
            f"of {rate:g}; tested on {plain['n_test']:,} images."
            + (f" {note[0].upper()}{note[1:]}." if note else "")
        )
    return "\n".join(lines)


@dataclass(frozen=True)
class Drawn:
    """A network and how its clusters divide it.

    kept of n_weights: weights that pruning left; dead_pixels of n_pixels, dead_hidden: units
    without an edge; sizes: units of its clusters.
    """

    name: str
    seed: int
    kept: int
    n_weights: int
    dead_pixels: int
    n_pixels: int
    dead_hidden: int
    sizes: list[int]
    ncut: float


def drawn_network(drawn: pd.DataFrame, network: pd.DataFrame) -> Drawn:
    """What there is to say of a network and its `tables.drawn_partition`."""
    own, found = network.iloc[0], drawn.iloc[0]
    matrices = weights(own["record"])
    dead = [int((~np.asarray(part)).sum()) for part in live_units(matrices)]
    return Drawn(
        name=condition_name(own["dataset"], own["dropout"]),
        seed=int(own["seed"]),
        kept=sum(int(np.count_nonzero(w)) for w in matrices),
        n_weights=sum(w.size for w in matrices),
        dead_pixels=dead[0],
        n_pixels=matrices[0].shape[1],
        dead_hidden=sum(dead[1:-1]),
        sizes=np.bincount(found["labels"][found["labels"] >= 0]).tolist(),
        ncut=float(found["ncut"]),
    )


@dataclass(frozen=True)
class Pruning:
    """How many of all networks have a lower n-cut after pruning, and in how many kinds all do."""

    n_lower: int
    n: int
    kinds_all_lower: int
    kinds: int


def pruning(by_phase: pd.DataFrame) -> Pruning:
    """What pruning does to n-cuts, from `tables.by_phase`."""
    wide = by_phase.pivot(index=[*CONDITION, "seed"], columns="phase", values="ncut")
    lower = wide["after"] < wide["before"]
    by_kind = lower.groupby(CONDITION).all()
    return Pruning(int(lower.sum()), len(lower), int(by_kind.sum()), len(by_kind))


def agreement(table: pd.DataFrame) -> str:
    """Where our mean n-cut agrees with the printed one, and where it does not."""
    known = table[table["paper_ncut_mean"].notna()]
    if known.empty:
        return (
            f"The paper prints no n-cuts of these data sets for k = {only_k(table)}, so there is "
            "nothing to compare ours with. What can be compared is the pattern: dropout, pruning, "
            "shuffles."
        )
    inside = (known["ncut_mean"] - known["paper_ncut_mean"]).abs() <= known["paper_ncut_std"]
    parts = []
    for words, rows in (
        ("Our mean n-cut lies within the printed spread for", known[inside]),
        (
            "It lies outside for"
            if inside.any()
            else "Our mean n-cut lies outside the printed spread for",
            known[~inside],
        ),
    ):
        if len(rows):
            lines = [
                f"- {condition_name(r.dataset, r.dropout)}: {r.ncut_mean:.3f} against "
                f"{r.paper_ncut_mean:.3f} ± {r.paper_ncut_std:.3f} (95 % interval of the "
                f"difference {r.difference_low:+z.3f} to {r.difference_high:+z.3f})"
                for r in rows.itertuples()
            ]
            parts.append(f"{words}\n\n" + "\n".join(lines))
    return "\n\n".join(parts)


def outliers(tests: pd.DataFrame, partitions: pd.DataFrame) -> str:
    """For every network with an n-cut above all its shuffles: its clusters, its n-cut by
    scikit-learn's method, and the mean of its kind without it."""
    lines = []
    for test in tests[tests["ncut"] > tests["null_ncuts"].map(max)].to_dict("records"):
        found = partitions[partitions["network"] == test["network"]].iloc[0]
        labels = partition.labels(found["record"])
        sizes = sorted(np.bincount(labels[labels >= 0]).tolist(), reverse=True)
        kind = (tests[CONDITION] == [test[name] for name in CONDITION]).all(axis=1)
        others = tests.loc[kind & (tests["network"] != test["network"]), "ncut"]
        spread = f" ± {others.std(ddof=1):.3f}" if len(others) > 1 else ""
        lines.append(
            f"- {condition_name(test['dataset'], test['dropout'])}, seed {test['seed']}: n-cut "
            f"{test['ncut']:.3f} (scikit-learn's SpectralClustering: {found['ncut_sklearn']:.3f}), "
            f"clusters of {', '.join(map(str, sizes))} units. Without it, the mean over this kind "
            f"of network is {others.mean():.3f}{spread}."
        )
    if not lines:
        return "No network of this run has an n-cut above those of all its shuffles."
    return "\n".join(lines)
