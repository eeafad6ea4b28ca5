"""What the paper prints beside this chapter, each kind of table as one frame (Filan et al. 2020).

All of it is for 4 clusters: for another number of clusters the frames have no rows.
"""

from __future__ import annotations

import itertools
from collections.abc import Iterable

import pandas as pd

from modclust_utils.datasets.papers import PER_NETWORK_TABLES, paper_table
from modclust_utils.recipes.network import PHASES

N_CLUSTERS = 4
CONDITION = ["dataset", "dropout", "phase"]
#: The smallest p-value, 1 / 321, is printed as 0.003.
MINIMUM = 0.0035
#: A control by its role: the number of its table, words for it, and the table's data set.
CONTROLS = {
    "unlearnable": (2, "unlearnable", "random"),
    "kilo-epoch": (3, "long training", "random"),
    "memorization": (4, "memorization", "random3k"),
}
KILO_EPOCHS = 1000  # of the long training
#: The `CONDITION` of each of Tables A.4 to A.15, by the name of its file.
CONDITION_OF = {
    name: (dataset, dropout, phase)
    for name, (dataset, phase, dropout) in zip(
        PER_NETWORK_TABLES,
        itertools.product(("mnist", "fashion_mnist", "cifar10"), PHASES, (False, True)),
        strict=True,
    )
}


def networks(n_clusters: int = N_CLUSTERS) -> pd.DataFrame:
    """Tables A.4 to A.15, network by network."""
    parts = [
        paper_table(name)
        .rename(columns={"run": "network"})
        .assign(**dict(zip(CONDITION, condition, strict=True)))
        for name, condition in CONDITION_OF.items()
    ]
    return _together(parts, "Tables A.4 to A.15", n_clusters)


def controls(n_clusters: int = N_CLUSTERS) -> pd.DataFrame:
    """Tables 2 to 4: a row for each role and dropout setting."""
    names = {
        "prop_sig": "prop_sig",
        "train_acc": "train_acc",
        "unpruned_ncut_mean": "before_mean",
        "unpruned_ncut_std": "before_std",
        "ncut_mean": "after_mean",
        "ncut_std": "after_std",
        "null_ncut_mean": "null_mean",
        "null_ncut_std": "null_std",
    }
    columns = {name: f"paper_{ours}" for name, ours in names.items()}
    parts = [
        paper_table(f"filan2020_table_{number}")
        .rename(columns=columns)
        .assign(role=role, dataset=dataset)
        for role, (number, _, dataset) in CONTROLS.items()
    ]
    return _together(parts, "Tables 2 to 4", n_clusters)


def mixtures(n_clusters: int = N_CLUSTERS) -> pd.DataFrame:
    """Tables A.16 and A.17: a row for each data set and dropout setting."""
    columns = ["dataset", "dropout", "ncut_mean", "ncut_std", "train_acc", "test_acc"]
    parts = [
        paper_table(f"filan2020_table_a{number}").assign(dropout=dropout)[columns]
        for number, dropout in ((16, False), (17, True))
    ]
    numbers = {name: f"paper_{name}" for name in columns[2:]}
    parts = [part.rename(columns=numbers) for part in parts]
    return _together(parts, "Tables A.16 and A.17", n_clusters)


def _together(parts: Iterable[pd.DataFrame], place: str, n_clusters: int) -> pd.DataFrame:
    table = pd.concat(parts, ignore_index=True)
    if n_clusters != N_CLUSTERS:
        table = table.iloc[:0]
    table.attrs = {"source": f"Filan et al. 2020, {place} (data/papers)"}
    return table
