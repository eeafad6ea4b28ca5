"""What tables of several chapters share: names of conditions, spreads, shares with intervals."""

from __future__ import annotations

import pandas as pd

from modclust_utils import stats
from modclust_utils.figures.style import dataset_name, dropout_name

#: Networks of each condition in the tables of paper A.
N_PAPER = 10


def condition_name(dataset: str, dropout: bool) -> str:
    """A condition as a page prints it."""
    return f"{dataset_name(dataset)}, {dropout_name(dropout)}"


def spread(mean: float, std: float) -> str:
    """Mean and standard deviation as a page prints them."""
    return f"{mean:.3f} ± {std:.3f}"


def share_with_interval(n_passed: int, n: int) -> str:
    """A share with its exact 95 % interval."""
    low, high = stats.proportion_interval(n_passed, n)
    return f"{n_passed / n:.2f} [{low:.2f}, {high:.2f}]"


def is_significant(tests: pd.DataFrame) -> pd.Series:
    """Which networks have an n-cut below those of all their shuffles (paper A, Table 1)."""
    return tests["p_value"] <= 1 / (tests["n_shuffles"] + 1)


def printed_support(facts: pd.DataFrame) -> tuple[float, float]:
    """The range that the paper states for n-cuts of freshly initialized networks."""
    values = facts.set_index("key")["value"]
    return float(values["random_init_ncut_low"]), float(values["random_init_ncut_high"])
