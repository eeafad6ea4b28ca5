"""Made-up results of chapter 3, for the chances of its claims: a replication of the paper, and
networks without what it claims."""

from __future__ import annotations

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
from modclust_utils.tables import made_up

N_NETWORKS = 10


def world(rng: np.random.Generator, *, replication: bool) -> Results:
    """Ten networks with the paper's sub-clusters: each is important or small with the share that
    the paper's are, and a pair is an edge with the share of the paper's pairs of its kind, in one
    cluster or across two. Without an effect, all networks have a share of important sub-clusters
    drawn evenly from 0 to 1, and of small ones from the rest; every pair has the same chance."""
    important = rng.random()
    shares = None if replication else (important, (1 - important) * rng.random())
    singles = paper_singles(paper_table("filan2020_table_a18"))
    pairs = paper_pairs(paper_table("filan2020_table_a19"))
    first, *others = (_study(singles, pairs, shares, rng) for _ in range(N_NETWORKS))
    return Results(Studies(first, [], others), "fashion_mnist")


def _study(
    singles: pd.DataFrame,
    pairs: pd.DataFrame,
    shares: tuple[float, float] | None,
    rng: np.random.Generator,
) -> Study:
    kinds = singles["kind"]
    given = shares or tuple((kinds == kind).mean() for kind in ("important", "small"))
    drawn = rng.choice(["important", "small", "other"], len(kinds), p=[*given, 1 - sum(given)])
    mine = made_up(singles.assign(kind=drawn))
    known = made_up(_all_pairs(mine))
    edge = edges_among(pairs)
    same, printed = (edge["x_label"] == edge["y_label"], pairs["x_label"] == pairs["y_label"])
    chance = np.full(len(known), len(edge) / len(pairs))
    if shares is None:
        inside = known["x_label"] == known["y_label"]
        chance = np.where(inside, same.sum() / printed.sum(), (~same).sum() / (~printed).sum())
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
