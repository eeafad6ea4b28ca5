"""What chapter 5 finds, in sentences."""

from __future__ import annotations

import numpy as np
import pandas as pd
import scipy.stats

from modclust_utils.chapters.ch05_similarity.tables import GROUPS, UNTRAINED
from modclust_utils.recipes.similarity_clusters import SINGLE_STEPS


def networks(table: pd.DataFrame, least_accuracy: float, facts: pd.Series) -> str:
    """How many networks there are, from `tables.networks`; facts: values of the paper's text."""
    trained = table[table["trained"]]
    settings = trained[["sweep", "strength"]].drop_duplicates()
    accuracy = trained.loc[trained["kept"], "test_accuracy"]
    return (
        f"{len(trained)} networks were trained, {len(settings)} settings with "
        f"{trained['seed'].nunique()} seeds each; {(~table['trained']).sum()} others were not. "
        f"{(~trained['kept']).sum()} have a test accuracy below {least_accuracy:.0%} and are left "
        f"out of all that follows, as in the paper, which discards {facts.discarded:.0f} of "
        f"{facts.models:.0f}. The test accuracy of the others is {accuracy.min():.1%} to "
        f"{accuracy.max():.1%}."
    )


def answer(blocks: pd.DataFrame) -> str:
    """The answer to the chapter's question in one sentence, from `tables.blocks`."""
    means = _mean_agreement(blocks)
    trained = means.loc["trained"]
    less = trained["across"] < trained[["upstream", "downstream"]].min()
    words = "less than" if less else "no less than"
    return (
        f"Units that are driven alike drive alike {words} two measures of one side agree: clusters "
        f"of trained networks match by {trained['across']:.2f} across the sides, by "
        f"{trained['upstream']:.2f} and {trained['downstream']:.2f} within them, and across them "
        f"by {means.loc['untrained', 'across']:.2f} without training."
    )


def _mean_agreement(blocks: pd.DataFrame) -> pd.DataFrame:
    kept = blocks[blocks["kept"]]
    fresh = (kept["sweep"] == UNTRAINED).map({True: "untrained", False: "trained"})
    return kept.groupby(fresh)[list(GROUPS)].mean()


def agreement(blocks: pd.DataFrame) -> str:
    """Mean agreement of clusters by `tables.pair_group`, from `tables.blocks`."""
    means = _mean_agreement(blocks)
    said = [
        f"{row.upstream:.2f} between two upstream measures, {row.downstream:.2f} between two "
        f"downstream ones and {row.across:.2f} across the sides in {kind} networks"
        for kind, row in means.iterrows()
    ]
    return f"**Agreement of clusters** (0 to 1) is {'; '.join(said)}."


def regularization(gains: pd.DataFrame) -> str:
    """What each sweep adds to Q* on average, from `tables.gains`."""
    means = gains.groupby(["sweep", "normalized"], sort=False)["gain"].mean().unstack()
    said = "; ".join(
        f"{sweep} {row[False]:+z.3f} plain and {row[True]:+z.3f} normalized"
        for sweep, row in means.iterrows()
    )
    return (
        "**Regularization:** from the weakest third of a sweep's settings to the strongest, on "
        f"average over the measures, modularity changes by: {said}."
    )


def above_null(scores: pd.DataFrame) -> str:
    """How far modularity is above that of nulls with the same strengths, from `tables.scores`."""
    table = scores[scores["kept"]].dropna(subset=["q", "q_null"])
    fresh = table["sweep"] == UNTRAINED
    said = [
        f"{rows['q'].mean():.3f} in {kind} networks and {rows['q_null'].mean():.3f} in their nulls "
        f"({(rows['q'] > rows['q_null']).mean():.0%} of the similarities are above theirs)"
        for kind, rows in (("trained", table[~fresh]), ("untrained", table[fresh]))
    ]
    return f"**Beyond chance:** mean modularity is {', '.join(said)}."


def two_measures(table: pd.DataFrame, n_shuffles: int) -> str:
    """Whether networks that are modular by Q* are clusterable by n-cut, from
    `tables.clusterability`."""
    own = table[table["trained"] & table["kept"]].dropna(subset=["q", "ncut"])
    spread = own.dropna(subset=["z_score"])
    with_ncut, with_z = (
        scipy.stats.spearmanr(rows["q"], rows[name]).statistic
        for rows, name in ((own, "ncut"), (spread, "z_score"))
    )
    n_below = np.isclose(own["p_value"], 1 / (n_shuffles + 1)).sum()
    return (
        f"**Modular and clusterable:** over {len(own)} trained networks, the rank correlation of "
        f"modularity with the n-cut is {with_ncut:+.2f}, and with the z-score among {n_shuffles} "
        f"shuffles {with_z:+.2f}. {n_below} of them have a lower n-cut than all of their shuffles."
    )


def searches(scores: pd.DataFrame, leiden: pd.DataFrame) -> str:
    """The search of the paper against others, from the scores of both, whose rows are the same."""
    table = scores.assign(leiden=leiden["q"].to_numpy()).dropna(subset=["q", "leiden", "q_single"])
    gap, n = table["leiden"] - table["q"], len(table)
    single = (table["q_single"] > table["q"] + 1e-6).sum()
    return (
        f"Of {n:,} matrices, Leiden finds a larger modularity in {(gap > 1e-6).mean():.0%} and a "
        f"smaller one in {(gap < -1e-6).mean():.0%}; on average it is larger by "
        f"{gap.mean():z.4f}. The random moves add {(table['q'] - table['q_start']).mean():.4f} to "
        f"the spectral start. A search of {SINGLE_STEPS:,} steps from a single cluster is better "
        f"than the whole one in {single:,} cases ({single / n:.1%})."
    )
