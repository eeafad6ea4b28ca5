"""What chapter 1 finds: numbers for its sentences."""

from __future__ import annotations

from dataclasses import dataclass

import numpy as np
import pandas as pd

from modclust_utils.chapters.ch01_clusterability.tables import CONDITION
from modclust_utils.graphs import live_units
from modclust_utils.recipes.network import weights
from modclust_utils.tables import condition_name


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
