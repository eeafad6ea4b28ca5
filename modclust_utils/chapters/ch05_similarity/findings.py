"""What chapter 5 finds: numbers for its sentences."""

from __future__ import annotations

from dataclasses import dataclass

import numpy as np
import pandas as pd
import scipy.stats

from modclust_utils.chapters.ch05_similarity.rules import Results
from modclust_utils.chapters.ch05_similarity.tables import GROUPS, UNTRAINED, Reading
from modclust_utils.recipes.frames import traced
from modclust_utils.recipes.similarity_clusters import SINGLE_STEPS
from modclust_utils.verdicts import VERDICTS, Verdict


@dataclass(frozen=True)
class Networks:
    """How many networks were trained, how many of them are discarded, and how accurate the kept
    ones are (least and largest test accuracy)."""

    n: int
    n_discarded: int
    n_settings: int
    n_untrained: int
    least: float
    most: float


def networks_of(networks: pd.DataFrame) -> Networks:
    """The networks of a run, from `tables.networks`."""
    trained = networks[networks["trained"]]
    accuracy = trained.loc[trained["kept"], "test_accuracy"]
    return Networks(
        n=len(trained),
        n_discarded=int((~trained["kept"]).sum()),
        n_settings=len(trained[["sweep", "strength"]].drop_duplicates()),
        n_untrained=int((~networks["trained"]).sum()),
        least=float(accuracy.min()),
        most=float(accuracy.max()),
    )


def mean_gains(gains: pd.DataFrame) -> dict[str, tuple[float, float]]:
    """What each sweep adds to Q* on average: over the plain similarities, and over the normalized
    ones (from `tables.gains`)."""
    means = gains.groupby(["sweep", "normalized"])["gain"].mean().unstack()
    return {sweep: (means.loc[sweep, False], means.loc[sweep, True]) for sweep in means.index}


def mean_agreement(blocks: pd.DataFrame) -> pd.DataFrame:
    """Mean agreement by `tables.pair_group`: rows "trained" and "untrained"."""
    kept = blocks[blocks["kept"]]
    fresh = (kept["sweep"] == UNTRAINED).map({True: "untrained", False: "trained"})
    return kept.groupby(fresh)[list(GROUPS)].mean()


@dataclass(frozen=True)
class Searches:
    """The search of the paper against others, over all matrices.

    n: number of matrices; single, leiden: how often the Q of a search from a single cluster, or of
    Leiden, is higher than Q*; paper: how often Q* is higher than Leiden's; by_leiden: how much
    higher Leiden's is on average; by_start: how much Q* adds to its start; single_steps: steps of
    the search from a single cluster.
    """

    n: int
    single: int
    leiden: int
    paper: int
    by_leiden: float
    by_start: float
    single_steps: int = SINGLE_STEPS


def searches(scores: pd.DataFrame, leiden: pd.DataFrame) -> Searches:
    """From the scores of both searches, whose rows are the same similarities."""
    table = scores.assign(leiden=leiden["q"].to_numpy()).dropna(subset=["q", "leiden", "q_single"])
    gap = table["leiden"] - table["q"]
    return Searches(
        n=len(table),
        single=int((table["q_single"] > table["q"] + 1e-6).sum()),
        leiden=int((gap > 1e-6).sum()),
        paper=int((gap < -1e-6).sum()),
        by_leiden=float(gap.mean()),
        by_start=float((table["q"] - table["q_start"]).mean()),
    )


@dataclass(frozen=True)
class AboveNull:
    """Mean Q* and mean Q* of the nulls, and the share of similarities whose Q* is above its null,
    of trained and of untrained networks."""

    trained: tuple[float, float, float]
    untrained: tuple[float, float, float]


def above_null(scores: pd.DataFrame) -> AboveNull:
    """How far modularity is above that of nulls with the same strengths."""
    table = scores[scores["kept"]].dropna(subset=["q", "q_null"])
    fresh = table["sweep"] == UNTRAINED

    def of(rows: pd.DataFrame) -> tuple[float, float, float]:
        above = (rows["q"] > rows["q_null"]).mean()
        return float(rows["q"].mean()), float(rows["q_null"].mean()), float(above)

    return AboveNull(of(table[~fresh]), of(table[fresh]))


@dataclass(frozen=True)
class TwoMeasures:
    """Rank correlation of Q* with the n-cut and with its z-score over trained networks, and how
    many of the networks are more clusterable than all of their shuffles."""

    n: int
    with_ncut: float
    with_z: float
    n_significant: int
    n_shuffles: int


def two_measures(table: pd.DataFrame, n_shuffles: int) -> TwoMeasures:
    """Whether networks that are modular by Q* are clusterable by n-cut."""
    own = table[table["trained"] & table["kept"]].dropna(subset=["q", "ncut"])
    spread = own.dropna(subset=["z_score"])
    return TwoMeasures(
        n=len(own),
        with_ncut=float(scipy.stats.spearmanr(own["q"], own["ncut"]).statistic),
        with_z=float(scipy.stats.spearmanr(spread["q"], spread["z_score"]).statistic),
        n_significant=int(np.isclose(own["p_value"], 1 / (n_shuffles + 1)).sum()),
        n_shuffles=n_shuffles,
    )


#: A verdict's sign.
SIGNS = dict(zip(VERDICTS, "✓≈✗?–", strict=True))
READINGS = tuple(
    Reading(absolute, normalization, method)
    for method in ("monte_carlo", "leiden")
    for absolute in ("of_mean", "mean_of")
    for normalization in ("max", "sqrt")
)


def reading_name(reading: Reading) -> str:
    """A reading as the head of a column."""
    absolute = {"of_mean": "|mean|", "mean_of": "mean of | |"}[reading.absolute]
    method = {"monte_carlo": "Monte Carlo", "leiden": "Leiden"}[reading.method]
    return f"{absolute}, {reading.normalization}, {method}"


@traced
def by_reading(found: dict[Reading, tuple[Results, list[Verdict]]]) -> pd.DataFrame:
    """The verdict on each claim under each reading: a row a claim.

    Columns: claim, one for each reading (`reading_name`), and `same`: whether all are the same.
    """
    columns = {
        reading_name(reading): {
            v.claim["claim"]: f"{SIGNS[v.verdict]} {v.held}/{len(v.cases)}" for v in verdicts
        }
        for reading, (_, verdicts) in found.items()
    }
    table = pd.DataFrame(columns)
    same = table.map(lambda cell: cell[0]).nunique(axis=1) == 1
    return table.assign(same=same).rename_axis("claim").reset_index()
