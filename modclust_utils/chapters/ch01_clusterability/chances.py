"""Made-up results of chapter 1, for the chances of its claims: a replication of the paper, and
networks without what it claims."""

from __future__ import annotations

from functools import cache

import numpy as np
import pandas as pd

from modclust_utils.chapters.ch01_clusterability.rules import Results
from modclust_utils.chapters.ch01_clusterability.tables import (
    CONDITION,
    PAPER_TABLES,
    paper_for_k,
)
from modclust_utils.datasets.papers import PER_NETWORK_TABLES, paper_table
from modclust_utils.tables import N_PAPER, N_SHUFFLES
from modclust_utils.verdicts import drawn_again

N_RANDOM = 200
#: How often a network like its shuffles is below all of them, or above: the smallest p-value.
LUCK = 1 / (N_SHUFFLES + 1)
_printed = cache(paper_for_k)


@cache
def _before(place: int) -> pd.Series:
    return paper_table(PER_NETWORK_TABLES[place])["ncut"]


def world(rng: np.random.Generator, *, replication: bool) -> Results:
    """Ten networks of each condition, as the paper's normal means and spreads, shares and ranges
    would have them again; or, without an effect: n-cuts of one k all from one distribution, below
    or above all their shuffles by luck alone, n-cuts that follow the accuracy.

    A network that is below all its shuffles for one k is the sooner so for another.
    """
    tests, tables = [], []
    easy = {kind: rng.random(N_PAPER) for kind in _printed(4)[CONDITION].itertuples(index=False)}
    for k in PAPER_TABLES:
        paper = _printed(k)
        for row in paper.to_dict("records"):
            mean, std, share = (row[name] for name in ("ncut_mean", "ncut_std", "prop_sig"))
            above = 0.5
            if not replication:
                mean, std, share = paper["ncut_mean"].mean(), paper["ncut_std"].mean(), LUCK
                above = LUCK
            ncuts = drawn_again(mean, std, N_PAPER, rng, n_known=N_PAPER)
            passes = easy[row["dataset"], row["dropout"]] < share
            n_above = rng.binomial(N_PAPER, above)
            kind = {"dataset": row["dataset"], "dropout": row["dropout"], "n_clusters": k}
            tests += [
                kind
                | {"network": f"{row['dataset']} {row['dropout']} {i}", "ncut": ncut}
                | {"n_shuffles": N_SHUFFLES, "p_value": LUCK if passes[i] else 1.0}
                for i, ncut in enumerate(ncuts)
            ]
            tables.append(
                kind
                | {f"paper_{name}": row[name] for name in ("ncut_mean", "ncut_std", "prop_sig")}
                | {"paper_null_ncut_mean": row["null_ncut_mean"], "ncut_mean": ncuts.mean()}
                | {"ncut_std": ncuts.std(ddof=1), "n": N_PAPER}
                # nothing hangs on what fewer shuffles would give
                | dict.fromkeys(("n_sig", "n_sig_of_few"), int(passes.sum()))
                | dict.fromkeys(("n_above_all", "n_above_all_of_few"), n_above)
            )
    made = pd.DataFrame(tests)
    middle = 2.375 if replication else rng.uniform(2.2, 2.5)
    fresh = pd.DataFrame({"ncuts": [rng.normal(middle, 0.02, N_RANDOM)], "n_clusters": 4})
    return Results(_phases(made, rng, replication), pd.DataFrame(tables), fresh, made)


def _phases(tests: pd.DataFrame, rng: np.random.Generator, replication: bool) -> pd.DataFrame:
    """The networks for k = 4, with n-cuts before pruning and accuracies."""
    after = tests[tests["n_clusters"] == 4].assign(phase="after")
    after["seed"] = after.groupby(CONDITION).cumcount()
    before = after.assign(phase="before")
    pool = after["ncut"]
    for (dataset, dropout), rows in after.groupby(CONDITION):
        place = 4 * ["mnist", "fashion_mnist", "cifar10"].index(dataset) + int(dropout)
        printed = _before(place)
        source = printed if replication else pool
        before.loc[rows.index, "ncut"] = rng.normal(source.mean(), source.std(), len(rows))
    follows = 0.0 if replication else 20.0
    for phase in (before, after):
        ncuts = phase["ncut"]
        phase["test_acc"] = rng.normal(0, 1, len(phase)) + follows * (ncuts - ncuts.mean())
    return pd.concat([before, after], ignore_index=True)
