"""Made-up results of chapter 4, for the chances of its claims.

A percentile is u^t, rounded up to twentieths and centred, with u drawn evenly from 0 to 1. Its -log
has a smaller mean than t, as twentieths cut the tail off; t is such that the mean is the Fisher
statistic that is wanted, in a replication the printed one. Both readings of a measure have the same
percentiles.
"""

from __future__ import annotations

import math
from functools import cache

import numpy as np
import pandas as pd
import scipy.optimize

from modclust_utils.chapters.ch04_specialization.rules import Results
from modclust_utils.chapters.ch04_specialization.tables import (
    AS_MADE,
    MEASURES,
    READINGS,
    uniform,
)
from modclust_utils.datasets.papers import paper_table
from modclust_utils.fisher_bates import fisher_p_value, fisher_statistic
from modclust_utils.partitionings import PARTITIONINGS
from modclust_utils.tables import made_up

N_NETWORKS, N_SETS, N_SHUFFLES, N_RANDOM = 5, 40, 100, 19
_SMALL = ("mlp", "cnn", "vgg")
_ABOUT_CLASSES = ("class_range", "entropy")
# The Fisher statistic of sub-clusters like random sets.
_NO_EFFECT = uniform(N_RANDOM)


def world(rng: np.random.Generator, *, replication: bool) -> Results:
    """Five networks of each kind that paper B trained, and six of ImageNet.

    Without what the claims say, no statistic of importance or of scores is larger than that of
    random sets. Weights and activations differ in it by more than the claims' margin, and so do
    whole networks and layers; which of the two has less is drawn. Measures about classes have
    statistics drawn from 1.3 to 2. First-layer sub-clusters follow one half no more than random
    sets do. p-values among shuffles are drawn evenly, and for other seeds whether the network lies
    above them; n-cuts are off by 2 to 20 %.
    """
    imagenet, spread = _imagenet(rng, replication)
    return Results(_measures(rng, replication), _halves(rng, replication), imagenet, spread)


def mean_statistic(t: float) -> float:
    """The mean Fisher statistic of percentiles u^t in twentieths."""
    n = N_RANDOM + 1
    chances = np.diff((np.arange(n + 1) / n) ** (1 / t))
    return float(-chances @ np.log((np.arange(n) + 0.5) / n))


@cache
def exponent(statistic: float) -> float:
    """The t whose `mean_statistic` is this."""

    def gap(log_t: float) -> float:
        return mean_statistic(math.exp(log_t)) - statistic

    return math.exp(scipy.optimize.brentq(gap, -5, 5))


def _percentiles(statistic: float, n: int, rng: np.random.Generator) -> np.ndarray:
    """So many, of which the Fisher statistic has this mean."""
    return (np.ceil(20 * rng.random(n) ** exponent(statistic)) - 0.5) / 20


def _measures(rng: np.random.Generator, replication: bool) -> pd.DataFrame:
    printed = paper_table("casper2022_table_1").set_index(["network", "partitioning"])
    less_by = rng.uniform(0.3, 0.4, 2)
    weaker = rng.choice(["weights", "activations"]), rng.choice(["network", "layer"])
    about_classes = rng.uniform(1.3, 2.0)
    rows = []
    for kind in _SMALL:
        for partitioning in PARTITIONINGS:
            is_weaker = [each in partitioning.split("/") for each in weaker]
            for measure in MEASURES:
                about = about_classes if measure in _ABOUT_CLASSES else _NO_EFFECT
                if replication:
                    about = float(printed.loc[(kind, partitioning), measure])
                elif measure not in _ABOUT_CLASSES:
                    about -= float(less_by @ is_weaker)
                for seed in range(N_NETWORKS):
                    found = _percentiles(about, N_SETS, rng)
                    rows += [
                        {
                            "kind": kind,
                            "dataset": "cifar10_colour" if kind == "vgg" else "mnist",
                            "partitioning": partitioning,
                            "n_clusters": 16,
                            "match": "size",
                            "seed": seed,
                            "measure": measure,
                            "reading": reading,
                            "n_sets": N_SETS,
                            "fisher": fisher_statistic(found),
                            "p": fisher_p_value(found),
                            "percentiles": found,
                        }
                        for reading in dict.fromkeys((READINGS[measure], AS_MADE[measure]))
                    ]
    return made_up(pd.DataFrame(rows))


def _halves(rng: np.random.Generator, replication: bool) -> pd.DataFrame:
    ends = (0.6, 1.0) if replication else (0.0, 0.6)
    rows = [
        {
            "dataset": "halves_mnist",
            "partitioning": partitioning,
            "seed": seed,
            "one_sided": one_sided,
            "percentile": own,
        }
        for partitioning in PARTITIONINGS
        for seed in range(N_NETWORKS)
        for one_sided, own in zip(
            rng.uniform(*ends, 8),
            _percentiles(2.5 if replication else _NO_EFFECT, 8, rng),
            strict=True,
        )
    ]
    return made_up(pd.DataFrame(rows))


def _imagenet(rng: np.random.Generator, replication: bool) -> tuple[pd.DataFrame, pd.DataFrame]:
    """Tests of the six networks, and z-scores of three seeds each."""
    rows, again = [], []
    for row in paper_table("casper2022_figure_2").itertuples():
        rank = 1 if replication else int(rng.integers(1, N_SHUFFLES + 2))
        off = rng.uniform(0, 0.01) if replication else rng.uniform(0.02, 0.2)
        about = {"words": row.network, "dataset": "imagenette", "n_init": 10}
        rows.append(
            {
                **about,
                "n_shuffles": N_SHUFFLES,
                "n_clusters": row.n_clusters,
                "norm": "l1",
                "ncut": row.ncut * (1 + rng.choice([-1, 1]) * off),
                "z_score": row.z_score,
                "p_value": rank / (N_SHUFFLES + 1),
            }
        )
        signs = np.ones(3) if replication else rng.choice([-1, 1], 3)
        again += [{**about, "z_score": sign * row.z_score} for sign in signs]
    return made_up(pd.DataFrame(rows)), made_up(pd.DataFrame(again))
