"""Made-up results of chapter 4, for the chances of its claims.

A percentile is u^t, in twentieths, with u drawn evenly from 0 to 1: then its -log has the mean t,
and so have Fisher statistics. In a replication t is the printed statistic.
"""

from __future__ import annotations

import numpy as np
import pandas as pd

from modclust_utils.chapters.ch04_specialization.rules import Results
from modclust_utils.chapters.ch04_specialization.tables import MEASURES, READINGS
from modclust_utils.datasets.papers import paper_table
from modclust_utils.fisher_bates import fisher_p_value, fisher_statistic
from modclust_utils.partitionings import PARTITIONINGS
from modclust_utils.tables import made_up

N_NETWORKS, N_SETS, N_SHUFFLES = 5, 40, 100
_SMALL = ("mlp", "cnn", "vgg")
_ABOUT_CLASSES = ("class_range", "entropy")


def world(rng: np.random.Generator, *, replication: bool) -> Results:
    """Five networks of each kind that paper B trained, and six of ImageNet.

    Without what the claims say, weights and activations differ by a factor that is drawn anew, and
    so do networks and layers, each as often upwards as downwards; measures about classes have
    statistics drawn from 0.8 to 2. First-layer sub-clusters follow one half no more than random
    sets do, p-values among shuffles are drawn evenly, and n-cuts are off by up to a fifth.
    """
    return Results(
        _measures(rng, replication), _halves(rng, replication), _imagenet(rng, replication)
    )


def _percentiles(t: float, n: int, rng: np.random.Generator) -> np.ndarray:
    return (np.ceil(20 * rng.random(n) ** t) - 0.5) / 20


def _measures(rng: np.random.Generator, replication: bool) -> pd.DataFrame:
    printed = paper_table("casper2022_table_1").set_index(["network", "partitioning"])
    edges, scope = rng.uniform(-0.35, 0.35, 2)
    about_classes = rng.uniform(0.8, 2.0)
    rows = []
    for kind in _SMALL:
        for partitioning in PARTITIONINGS:
            off = np.exp(
                edges * (1 if partitioning.startswith("weights") else -1)
                + scope * (1 if partitioning.endswith("network") else -1)
            )
            for measure in MEASURES:
                t = about_classes if measure in _ABOUT_CLASSES else off
                if replication:
                    t = float(printed.loc[(kind, partitioning), measure])
                for seed in range(N_NETWORKS):
                    found = _percentiles(t, N_SETS, rng)
                    rows.append(
                        {
                            "kind": kind,
                            "dataset": "cifar10_colour" if kind == "vgg" else "mnist",
                            "partitioning": partitioning,
                            "n_clusters": 16,
                            "match": "size",
                            "seed": seed,
                            "measure": measure,
                            "reading": READINGS[measure],
                            "n_sets": N_SETS,
                            "fisher": fisher_statistic(found),
                            "p": fisher_p_value(found),
                            "percentiles": found,
                        }
                    )
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
            rng.uniform(*ends, 8), _percentiles(2.5 if replication else 1.0, 8, rng), strict=True
        )
    ]
    return made_up(pd.DataFrame(rows))


def _imagenet(rng: np.random.Generator, replication: bool) -> pd.DataFrame:
    rows = []
    for row in paper_table("casper2022_figure_2").itertuples():
        rank = 1 if replication else int(rng.integers(1, N_SHUFFLES + 2))
        off = rng.uniform(-0.01, 0.01) if replication else rng.uniform(-0.2, 0.2)
        rows.append(
            {
                "words": row.network,
                "dataset": "imagenette",
                "n_shuffles": N_SHUFFLES,
                "n_clusters": row.n_clusters,
                "norm": "l1",
                "ncut": row.ncut * (1 + off),
                "z_score": row.z_score,
                "p_value": rank / (N_SHUFFLES + 1),
            }
        )
    return made_up(pd.DataFrame(rows))
