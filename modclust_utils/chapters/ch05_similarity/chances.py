"""Made-up results of chapter 5, for the chances of its claims.

The paper prints no numbers from which an exact replication could be made up. In its place stand
networks that have every effect that the paper claims (on Q*, one to six times the scatter between
seeds: `EFFECTS`); and networks without any of them.
"""

from __future__ import annotations

import itertools

import numpy as np
import pandas as pd

from modclust_utils.chapters.ch05_similarity.rules import Results
from modclust_utils.chapters.ch05_similarity.tables import (
    GROUPS,
    PLACE,
    SIMILARITIES,
    SWEEPS,
    UNTRAINED,
    UPSTREAM,
)
from modclust_utils.datasets.papers import paper_table
from modclust_utils.tables import made_up

N_SEEDS, N_UNTRAINED, N_STRENGTHS, N_DISCARDED = 9, 100, 10, 21
LEAST_ACCURACY = 0.8
SCATTER = 0.02
#: What the sweeps add to Q* at their strong end, in units of the scatter.
EFFECTS = {"L2": 3.0, "L1": 1.0, "dropout": 6.0, UNTRAINED: 0.0}


def world(rng: np.random.Generator, *, replication: bool) -> Results:
    """Nine seeds of three sweeps of ten strengths, and a hundred untrained networks.

    Without an effect modularity and all kinds of agreement are noise around one value, and every
    search ends as high as every other. What the paper says to be the same is not: sparsity under
    L1, the number of clusters with dropout and with training, and the downstream agreement with
    training are off by amounts drawn evenly around 0; the number of clusters is drawn from 2 to 12,
    the share of discarded networks from 0 to a third.
    """
    networks = _networks(rng, replication)
    scores, blocks = (make(networks, rng, replication) for make in (_scores, _blocks))
    return Results(networks, scores, blocks, "mnist", LEAST_ACCURACY)


def _networks(rng: np.random.Generator, replication: bool) -> pd.DataFrame:
    rows = [
        (f"{sweep}-{strength}-{seed}", sweep, strength, seed)
        for sweep in SWEEPS.values()
        for strength in range(N_STRENGTHS)
        for seed in range(N_SEEDS)
    ] + [(f"{UNTRAINED}-{seed}", UNTRAINED, 0, seed) for seed in range(N_UNTRAINED)]
    table = pd.DataFrame(rows, columns=["network", "sweep", "strength", "seed"])
    table["trained"] = table["sweep"] != UNTRAINED
    share = N_DISCARDED / 270 if replication else rng.uniform(0, 1 / 3)
    lost = table["trained"] & (rng.random(len(table)) < share)
    table["kept"] = ~lost
    noise = rng.normal(0.4, 0.05, len(table))
    rises = table["sweep"].isin(["L1", "L2"]) * table["strength"] / N_STRENGTHS
    other = rng.normal(0, 0.3) * (table["sweep"] == "L1") * table["strength"] / N_STRENGTHS
    table["sparsity"] = noise + (0.4 * rises if replication else other)
    # as many settings as the paper's; they are told apart by sweep and strength alone
    printed = paper_table("lange2022_table_1")[[*SWEEPS]]
    of_trained = printed.loc[printed.index.repeat(N_SEEDS)].to_numpy()
    table.loc[table["trained"], [*SWEEPS]] = of_trained
    return made_up(table)


def _scores(networks: pd.DataFrame, rng: np.random.Generator, replication: bool) -> pd.DataFrame:
    parts = []
    height = networks["strength"] / (N_STRENGTHS - 1) * networks["sweep"].map(EFFECTS)
    base = 4.0 if replication else rng.uniform(2, 12)
    by_dropout, by_training = (
        (0.0, 0.0) if replication else (rng.uniform(-0.5, 0.5), rng.uniform(-3, 3))
    )
    for layer, (measure, normalized) in itertools.product((1, 2), SIMILARITIES):
        part = networks[PLACE].assign(layer=layer, measure=measure, normalized=normalized)
        # stronger upstream and in the first layer
        share = (1.5 if measure in UPSTREAM else 0.75) * (1.25 if layer == 1 else 0.75)
        effect = SCATTER * height * share if replication else 0.0
        part["q"] = 0.2 + effect + rng.normal(0, SCATTER, len(part))
        gap = (
            np.abs(rng.normal(0, 0.01, len(part)))
            if replication
            else rng.normal(0, 0.01, len(part))
        )
        part["q_search"], part["q_single"] = part["q"], part["q"] - gap
        part["n_clusters"] = rng.normal(base, 0.5, len(part)) + np.select(
            [part["sweep"] == UNTRAINED, part["sweep"] == "dropout"],
            [0.0, by_dropout * part["strength"]],
            by_training,
        )
        parts.append(part)
    return made_up(pd.concat(parts, ignore_index=True))


def _blocks(networks: pd.DataFrame, rng: np.random.Generator, replication: bool) -> pd.DataFrame:
    table = networks[PLACE].copy()
    n, trained = len(table), networks["trained"].to_numpy()
    strong = (networks["strength"] / (N_STRENGTHS - 1)).to_numpy()
    base = dict(zip(GROUPS, (0.9, 0.45, 0.6, 0.25), strict=True))
    for group in GROUPS:
        off = rng.uniform(-0.4, 0.4) if group == "downstream" else 0.0
        table[group] = 0.4 + trained * off + rng.normal(0, 0.1, n)
        if replication:
            learned = {"upstream": 0.3 * strong, "across": 0.1}.get(group, 0.0)
            table[group] = base[group] + trained * learned + rng.normal(0, 0.05, n)
    for side, more in (("across, plain", 0.3), ("across, normalized", 0.0)):
        strong_l1 = strong * (networks["sweep"] == "L1").to_numpy()
        table[side] = table["across"] + replication * more * strong_l1 + rng.normal(0, 0.05, n)
    return made_up(table)
