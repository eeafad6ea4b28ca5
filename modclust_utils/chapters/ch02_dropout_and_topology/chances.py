"""Made-up results of chapter 2, for the chances of its claims: a replication of the paper, and
networks without what it claims."""

from __future__ import annotations

from functools import cache
from typing import Any

import numpy as np
import pandas as pd

from modclust_utils import quantized
from modclust_utils.chapters.ch02_dropout_and_topology import printed
from modclust_utils.chapters.ch02_dropout_and_topology.rules import Results
from modclust_utils.chapters.ch02_dropout_and_topology.tables import below_all, dropout_effect
from modclust_utils.tables import N_PAPER, N_SHUFFLES, made_up
from modclust_utils.verdicts import drawn_again

# What stands in place of numbers that the paper does not print. Freshly initialized networks: mean
# and spread, as Figure 3 looks. Shuffles of MNIST before pruning: without dropout a second group,
# so many spreads away, with dropout a tail of that mean length; and the share of shuffles there.
FRESH = (2.375, 0.02)
FAR, FAR_SHARE = {False: 6.0, True: 5.0}, {False: 0.2, True: 0.05}
#: Before pruning both nulls are nearly one: d scatters as it does for independent shuffles.
D_SPREAD = quantized.expected_d_spread(N_SHUFFLES)
_networks_of_paper = cache(printed.networks)
_controls_of_paper = cache(printed.controls)
_mixtures_of_paper = cache(printed.mixtures)


def world(rng: np.random.Generator, *, replication: bool) -> Results:
    """Ten networks of each condition, as the paper's normal means and spreads and its shares would
    have them again; or, without an effect: n-cuts all from one distribution, as their shuffles',
    shares drawn evenly from 0 to 1, d before pruning as often off 0, means of controls anywhere
    between the printed ones, and n-cuts before pruning below those of fresh networks."""
    paper = _networks_of_paper()
    rows = [
        row
        for kind, group in paper.groupby(printed.CONDITION, sort=False)
        for row in _networks(kind, group, paper, rng, replication)
    ]
    networks = made_up(pd.DataFrame(rows))
    return Results(
        networks,
        dropout_effect(networks, paper),
        _controls(rng, replication),
        _mixtures(rng, replication),
        pd.DataFrame({"ncuts": [rng.normal(*FRESH, 200)]}),
        paper,
    )


def _networks(
    kind: Any, group: pd.DataFrame, paper: pd.DataFrame, rng: np.random.Generator, replication: bool
) -> list[dict[str, Any]]:
    source = group if replication else paper[paper["phase"] == kind[2]]
    gaps = group["ncut"] - group["null_layer_nonzero_mean"]
    gap, share = gaps.mean(), below_all(group, "layer_nonzero").mean()
    d = group["cohens_d"].mean()
    d_spread = group["cohens_d"].std() if kind[2] == "after" else D_SPREAD
    if not replication:
        gap, share = 0.0, rng.random()
        d = 0.0 if kind[2] == "after" else rng.uniform(-1, 1)
    elif kind[2] == "before":
        d = 0.0
    rows = []
    for run in range(N_PAPER):
        ncut = rng.normal(source["ncut"].mean(), source["ncut"].std())
        rows.append(
            dict(zip(printed.CONDITION, kind, strict=True))
            | {
                "network": run,
                "ncut": ncut,
                "null_layer_nonzero_mean": ncut - rng.normal(gap, gaps.std()),
            }
            | {"n_below_layer_nonzero": int(rng.random() >= share)}
            | {"cohens_d": rng.normal(d, d_spread)}
            | {"layer": _shuffles(kind, rng, replication)}
        )
    return rows


def _shuffles(kind: Any, rng: np.random.Generator, replication: bool) -> list[float]:
    """n-cuts of shuffles in units of their spread: two groups without dropout, a tail with it."""
    null = rng.normal(size=N_SHUFFLES)
    if replication and kind[0] == "mnist" and kind[2] == "before":
        far, is_far = FAR[kind[1]], rng.random(N_SHUFFLES) < FAR_SHARE[kind[1]]
        null = null + is_far * (rng.exponential(far, N_SHUFFLES) if kind[1] else far)
    return null.tolist()


def _controls(rng: np.random.Generator, replication: bool) -> pd.DataFrame:
    paper = _controls_of_paper()
    rows = []
    for row in paper.to_dict("records"):
        share, learned = row["paper_prop_sig"], row["paper_train_acc"]
        before, after = row["paper_before_mean"], row["paper_after_mean"]
        if not replication:
            share, learned = rng.random(2)
            before = rng.uniform(paper["paper_after_mean"].max(), FRESH[0])
            after = rng.uniform(paper["paper_after_mean"].min(), paper["paper_after_mean"].max())
        old, new = (
            drawn_again(mean, row[f"paper_{phase}_std"], N_PAPER, rng, n_known=N_PAPER)
            for mean, phase in ((before, "before"), (after, "after"))
        )
        rows.append(
            row
            | {"epochs": printed.KILO_EPOCHS, "n": N_PAPER, "train_acc": learned}
            | {"n_sig": rng.binomial(N_PAPER, share)}
            | {"before_mean": old.mean(), "before_std": old.std(ddof=1)}
            | {"ncut_mean": new.mean(), "ncut_std": new.std(ddof=1)}
        )
    return pd.DataFrame(rows)


def _mixtures(rng: np.random.Generator, replication: bool) -> pd.DataFrame:
    paper = _mixtures_of_paper()
    rows = []
    for row in paper.to_dict("records"):
        mean = row["paper_ncut_mean"] if replication else paper["paper_ncut_mean"].mean()
        ncuts = drawn_again(mean, row["paper_ncut_std"], N_PAPER, rng, n_known=N_PAPER)
        rows.append(row | {"n": N_PAPER, "ncut_mean": ncuts.mean(), "ncut_std": ncuts.std(ddof=1)})
    return pd.DataFrame(rows)
