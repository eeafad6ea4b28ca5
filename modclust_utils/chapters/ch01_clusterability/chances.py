"""Made-up results of chapter 1, for the chances of its claims: a replication of the paper, and
networks without what it claims."""

from __future__ import annotations

from functools import cache

import numpy as np
import pandas as pd

from modclust_utils.chapters.ch01_clusterability.rules import Results
from modclust_utils.chapters.ch01_clusterability.tables import PAPER_TABLES, paper_for_k
from modclust_utils.datasets.papers import PER_NETWORK_TABLES, paper_table
from modclust_utils.tables import N_PAPER
from modclust_utils.verdicts import drawn_again

N_RANDOM = 200
_printed = cache(paper_for_k)


@cache
def _before(place: int) -> pd.Series:
    return paper_table(PER_NETWORK_TABLES[place])["ncut"]


def world(rng: np.random.Generator, *, replication: bool) -> Results:
    """Ten networks of each condition, as the paper's normal means and spreads, shares and ranges
    would have them again; or, without an effect: n-cuts of one k all from one distribution, shares
    drawn evenly from 0 to 1, n-cuts that follow the accuracy."""
    tests, tables = [], []
    for k in PAPER_TABLES:
        paper = _printed(k)
        for row in paper.to_dict("records"):
            mean, std, share = (row[name] for name in ("ncut_mean", "ncut_std", "prop_sig"))
            if not replication:
                mean, std, share = paper["ncut_mean"].mean(), paper["ncut_std"].mean(), rng.random()
            ncuts = drawn_again(mean, std, N_PAPER, rng, n_known=N_PAPER)
            kind = {"dataset": row["dataset"], "dropout": row["dropout"], "n_clusters": k}
            tests += [kind | {"ncut": ncut, "n_shuffles": 320} for ncut in ncuts]
            above = 0.5 if replication else rng.random()
            tables.append(
                kind
                | {f"paper_{name}": row[name] for name in ("ncut_mean", "ncut_std", "prop_sig")}
                | {"paper_null_ncut_mean": row["null_ncut_mean"], "ncut_mean": ncuts.mean()}
                | {"n": N_PAPER, "n_sig": rng.binomial(N_PAPER, share)}
                | {"n_above_all": rng.binomial(N_PAPER, above)}
            )
    made = pd.DataFrame(tests)
    middle = 2.375 if replication else rng.uniform(2.2, 2.5)
    fresh = pd.DataFrame({"ncuts": [rng.normal(middle, 0.02, N_RANDOM)], "n_clusters": 4})
    return Results(_phases(made, rng, replication), pd.DataFrame(tables), fresh, made)


def _phases(tests: pd.DataFrame, rng: np.random.Generator, replication: bool) -> pd.DataFrame:
    """The networks for k = 4, with n-cuts before pruning and accuracies."""
    after = tests[tests["n_clusters"] == 4].assign(phase="after")
    after["seed"] = after.groupby(["dataset", "dropout"]).cumcount()
    before = after.assign(phase="before")
    pool = after["ncut"]
    for (dataset, dropout), rows in after.groupby(["dataset", "dropout"]):
        place = 4 * ["mnist", "fashion_mnist", "cifar10"].index(dataset) + int(dropout)
        printed = _before(place)
        source = printed if replication else pool
        before.loc[rows.index, "ncut"] = rng.normal(source.mean(), source.std(), len(rows))
    noise = rng.normal(0, 1, len(after))
    follows = 0.0 if replication else 20.0
    after["test_acc"] = before["test_acc"] = noise + follows * (pool - pool.mean())
    return pd.concat([before, after], ignore_index=True)
