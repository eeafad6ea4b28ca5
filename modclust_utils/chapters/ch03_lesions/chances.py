"""Made-up results of chapter 3, for the chances of its claims: a replication of the paper, and
networks without what it claims."""

from __future__ import annotations

from dataclasses import dataclass
from typing import Any

import numpy as np
import pandas as pd

from modclust_utils.chapters.ch03_lesions.rules import Results
from modclust_utils.chapters.ch03_lesions.tables import (
    Studies,
    Study,
    edges_among,
    important_pairs,
    paper_pairs,
    paper_singles,
)
from modclust_utils.datasets.papers import paper_table
from modclust_utils.lesion_results import KINDS
from modclust_utils.tables import made_up

N_NETWORKS = 10
N_RANDOM = 100  # random sets of a single lesion, as in the paper


@dataclass(frozen=True)
class Apart(Results):
    """Results whose graphs are drawn apart: where nothing is important, there would be none."""

    drawn: list[Study]

    @property
    def graphs(self) -> list[Study]:
        """The graphs that were drawn apart."""
        return self.drawn


def world(rng: np.random.Generator, *, replication: bool) -> Results:
    """Ten networks with the sub-clusters of the paper's one.

    A replication: each is of a kind with the paper's share of it, and a pair is an edge with the
    share of the paper's pairs of its sort, in one cluster or across two. All 3 of the paper's pairs
    in one cluster are edges; the share behind them is drawn from what these 3 leave open,
    Beta(3 + 1/2, 1/2).

    Without the effect: as many are small, and each of the others costs more than all its random
    sets with the chance of one more random set. The graphs are drawn apart, among as many important
    sub-clusters as in the paper: all pairs are edges with one chance, drawn evenly from 0 to 1.
    """
    singles = paper_singles(paper_table("filan2020_table_a18"))
    shares = singles["kind"].value_counts(normalize=True).reindex(list(KINDS), fill_value=0.0)
    inside, across = _edge_shares(rng) if replication else [rng.random()] * 2
    graphs = [_study(singles, shares, inside, across, rng) for _ in range(N_NETWORKS)]
    if replication:
        return Results(Studies(graphs[0], [], graphs[1:]), "fashion_mnist")
    lucky = [_study(singles, _by_luck(shares), inside, across, rng) for _ in range(N_NETWORKS)]
    return Apart(Studies(lucky[0], [], lucky[1:]), "fashion_mnist", graphs)


def _edge_shares(rng: np.random.Generator) -> tuple[float, float]:
    """The chances that a pair in one cluster, and one across two, is an edge."""
    pairs = paper_pairs(paper_table("filan2020_table_a19"))
    is_edge = ~(pairs["x_given_y"].astype(bool) & pairs["y_given_x"].astype(bool))
    same = pairs["x_label"] == pairs["y_label"]
    n, k = int(same.sum()), int((same & is_edge).sum())
    return float(rng.beta(k + 0.5, n - k + 0.5)), float(is_edge[~same].mean())


def _by_luck(shares: pd.Series) -> pd.Series:
    """Shares of kinds where those that are not small beat all random sets by luck alone."""
    significant = shares[["important", "sig-but-not-diff"]]
    lucky = (1 - shares["small"]) / (N_RANDOM + 1) * significant / significant.sum()
    found = pd.Series(0.0, index=shares.index)
    found["small"] = shares["small"]
    found[lucky.index] = lucky
    found["other"] = 1 - found.sum()
    return found


def _study(
    singles: pd.DataFrame,
    shares: pd.Series,
    inside: float,
    across: float,
    rng: np.random.Generator,
) -> Study:
    drawn = rng.choice(shares.index, len(singles), p=shares)
    mine = made_up(singles.assign(kind=drawn))
    known = made_up(_all_pairs(mine))
    chance = np.where(known["x_label"] == known["y_label"], inside, across)
    joined = rng.random(len(known)) < chance
    known = made_up(known.assign(x_given_y=~joined, y_given_x=True))
    edges = edges_among(important_pairs(known, mine))
    nothing: Any = None
    return Study(nothing, np.array([]), mine, known, edges)


def _all_pairs(singles: pd.DataFrame) -> pd.DataFrame:
    """Every pair of important sub-clusters of two layers, the earlier one first."""
    chosen = singles.loc[singles["kind"] == "important", ["layer", "label"]]
    pairs = chosen.add_prefix("x_").merge(chosen.add_prefix("y_"), how="cross")
    return pairs[pairs["x_layer"] < pairs["y_layer"]].reset_index(drop=True)
