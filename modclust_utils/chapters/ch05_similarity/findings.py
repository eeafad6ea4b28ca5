"""What chapter 5 finds, in sentences."""

from __future__ import annotations

from typing import Any

import numpy as np
import pandas as pd
import scipy.stats

from modclust_utils.chapters.ch05_similarity.tables import GROUPS, UNTRAINED
from modclust_utils.recipes.similarity_clusters import SINGLE_STEPS
from modclust_utils.settings import RegularizedSettings


def networks(table: pd.DataFrame, least_accuracy: float, facts: pd.Series) -> str:
    """How many networks there are, from `tables.networks`; facts: values of the paper's text."""
    trained = table[table["trained"]]
    settings = trained[["sweep", "strength"]].drop_duplicates()
    accuracy = trained.loc[trained["kept"], "test_accuracy"]
    paper = (
        "as in the paper, which discards"
        if least_accuracy == facts.least_accuracy
        else f"where the paper, below {_percent(facts.least_accuracy)}, discards"
    )
    return (
        f"{len(trained)} networks were trained, {len(settings)} settings with "
        f"{trained['seed'].nunique()} seeds each; {(~table['trained']).sum()} others were not. "
        f"{(~trained['kept']).sum()} have a test accuracy below {_percent(least_accuracy)} and are "
        f"left out of all that follows but the next figure, {paper} {facts.discarded:.0f} of "
        f"{facts.models:.0f}. The test accuracy of the others is {accuracy.min():.1%} to "
        f"{accuracy.max():.1%}."
    )


def _percent(share: float) -> str:
    """A threshold as it is, not rounded."""
    return f"{100 * share:.6g}%"


def training(settings: RegularizedSettings) -> str:
    """How networks are trained, from what is the same in all."""
    return (
        f"{settings.validation_share:.0%} of the training images are held out. Adam starts at a "
        f"rate of {settings.learning_rate:g}, on batches of {settings.batch_size} images; the rate "
        f"is multiplied by {settings.rate_factor:g} after more than {settings.rate_patience} "
        "epochs in which the loss of the images held out has not fallen below its least. Training "
        f"stops when it has not for {settings.patience} epochs, or after {settings.max_epochs} "
        "epochs, and the best state is kept."
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
    if gains.empty:
        return (
            "**Regularization:** no sweep has two seeds with two settings that were not discarded, "
            "too few to say by how much modularity changes."
        )
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
    with_ncut, with_z = (_rank_correlation(own.dropna(subset=[n]), n) for n in ("ncut", "z_score"))
    n_below = np.isclose(own["p_value"], 1 / (n_shuffles + 1)).sum()
    return (
        f"**Modular and clusterable:** over {len(own)} trained networks, the rank correlation of "
        f"modularity with the n-cut is {with_ncut}, and with the z-score among {n_shuffles} "
        f"shuffles {with_z}. {n_below} of them have a lower n-cut than all of their shuffles."
    )


def _rank_correlation(table: pd.DataFrame, column: str) -> str:
    """That of modularity with a column, as a page prints it."""
    if len(table) < 3:
        return f"not told ({len(table)} values are too few)"
    if min(table["q"].nunique(), table[column].nunique()) < 2:
        return "not told (values are all the same)"
    return f"{scipy.stats.spearmanr(table['q'], table[column]).statistic:+z.2f}"


def normalization(changes: pd.DataFrame) -> str:
    """Whether downstream clusters hang more on normalization at the strong end of a sweep, from
    `tables.change_of_normalization`: Figure S5 (ii) of the paper, which is no claim here."""
    said = [
        f"with {row.sweep} by {row.gain:+z.3f} [{row.low:+z.3f}, {row.high:+z.3f}], {_sign(row)}"
        for row in changes.itertuples()
        if row.sweep in ("L2", "L1")
    ]
    start = (
        "**A caveat of the paper** (Figure S5, ii): at the highest penalties, downstream clusters "
        "hang more on normalization."
    )
    if not said:
        return f"{start} Too few networks are left to tell."
    return (
        f"{start} From the weakest third of a sweep's settings to the strongest, the agreement of "
        f"a downstream measure with itself, plain and normalized, changes {'; '.join(said)}."
    )


def _sign(change: Any) -> str:
    if change.high < 0:
        return "as there"
    return "the opposite" if change.low > 0 else "which tells nothing"


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
