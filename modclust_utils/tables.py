"""What tables of several chapters share: names, spreads, shares, one n-cut a network, outliers."""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from typing import Any

import pandas as pd

from modclust_utils import stats
from modclust_utils.figures.style import dataset_name, dropout_name

#: Networks of each condition in the tables of paper A.
N_PAPER = 10
#: Shuffles of a network in paper A, as it says, and different ones, as its p-values look.
N_SHUFFLES, N_DISTINCT = 320, 32


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


def in_rows(
    rows: Sequence[tuple[tuple[str, ...], Mapping[str, Any]]], names: Sequence[str]
) -> pd.DataFrame:
    """A table of rows, each given by its place and its cells.

    Two places may read the same, as those of `mnist` and of an own ``MNIST.npz`` do: both stay.
    """
    index = pd.MultiIndex.from_tuples([place for place, _ in rows], names=names)
    return pd.DataFrame([dict(cells) for _, cells in rows], index=index)


def is_significant(tests: pd.DataFrame) -> pd.Series:
    """Which networks have an n-cut below those of all their shuffles (paper A, Table 1)."""
    return tests["p_value"] <= 1 / (tests["n_shuffles"] + 1)


def n_against(p_value: float, n_shuffles: int) -> int:
    """How many shuffles have the n-cut of the network or a lower one, from a test's p-value."""
    return round(p_value * (n_shuffles + 1)) - 1


def printed_support(facts: pd.DataFrame) -> tuple[float, float]:
    """The range that the paper states for n-cuts of freshly initialized networks."""
    values = facts.set_index("key")["value"]
    return float(values["random_init_ncut_low"]), float(values["random_init_ncut_high"])


def one_ncut(tests: pd.DataFrame, ncuts: pd.DataFrame) -> pd.DataFrame:
    """Tests in which a network has the n-cut of one record: one network, one n-cut.

    What a test says follows from that n-cut and the test's shuffles, which stay as they are. tests,
    ncuts: frames of records about networks in a phase, for a number of clusters; a test about which
    `ncuts` has nothing keeps its own. The column `ncut_record` names the n-cut's record.
    """
    place = ["network", "phase", "n_clusters"]
    known = ncuts[[*place, "ncut", "record"]].rename(columns={"record": "ncut_record"})
    both = tests.merge(known, on=place, how="left", validate="many_to_one", suffixes=("_own", ""))
    own, null = both["ncut"].isna(), both["null_ncuts"]
    both["ncut"] = both["ncut"].where(~own, both["ncut_own"])
    both["ncut_record"] = both["ncut_record"].where(~own, both["record"])
    for i in both.index[~own]:
        both.loc[i, "p_value"] = stats.empirical_p_value(both.ncut[i], null[i], tail="lower")
        both.loc[i, "z_score"] = stats.z_score(both.ncut[i], null[i])
    return both.drop(columns="ncut_own")


def made_up(table: pd.DataFrame) -> pd.DataFrame:
    """A made-up table, which says so where others have their source."""
    table.attrs = {"source": "made up"}
    return table


def far_out(networks: pd.DataFrame, kind: Sequence[str]) -> pd.Series:
    """Which rows have an n-cut far from those of the others of their kind (`stats.far_out`)."""
    if networks.empty:
        return pd.Series(False, index=networks.index)
    return networks.groupby([*kind], sort=False)["ncut"].transform(stats.far_out).astype(bool)
