"""The rules that decide the claims of chapter 5 (paper C, sections 4.1 to 4.3 and appendix A.2).

What regularization does is measured by the `gain` of a sweep (`tables.gain`): a number for each
seed, whose mean has Student's interval over the seeds.
"""

from __future__ import annotations

import functools
import inspect
from dataclasses import dataclass
from functools import partial

import pandas as pd

from modclust_utils import stats, verdicts
from modclust_utils.chapters.ch05_similarity.tables import (
    DOWNSTREAM,
    SWEEPS,
    UNTRAINED,
    UPSTREAM,
    ends_of,
    gain,
    of_similarity,
    similarity_name,
)
from modclust_utils.datasets.papers import paper_table
from modclust_utils.verdicts import Case, Rule

SIDES = {"upstream": UPSTREAM, "downstream": DOWNSTREAM}


@dataclass(frozen=True)
class Results:
    """What the claims are decided from: `tables.networks`, `tables.scores` and `tables.blocks` of
    one reading, the data set of the networks, and the test accuracy below which they are discarded.
    """

    networks: pd.DataFrame
    scores: pd.DataFrame
    blocks: pd.DataFrame
    dataset: str
    least_accuracy: float


def _about_datasets(rule: Rule) -> Rule:
    """A rule that is about the networks of some data sets alone: a keyword `datasets` more."""

    @functools.wraps(rule)
    def wrapper(results: Results, *, datasets: list[str], **arguments: object) -> list[Case]:
        return rule(results, **arguments) if results.dataset in datasets else []

    own = inspect.signature(rule)
    names = inspect.Parameter("datasets", inspect.Parameter.KEYWORD_ONLY)
    wrapper.__signature__ = own.replace(parameters=[*own.parameters.values(), names])  # type: ignore[attr-defined]
    return wrapper


def _interval(ends: tuple[float, float], digits: int = 3) -> str:
    # an end that is rounded to 0 would not say on which side of it the interval ends
    while digits < _MOST_DIGITS and any(end != 0 == round(end, digits) for end in ends):
        digits += 1
    return f"[{ends[0]:+z.{digits}f}, {ends[1]:+z.{digits}f}]"


_MOST_DIGITS = 6


def _above(name: str, values: pd.Series, words: str, digits: int = 3) -> list[Case]:
    """The mean of one value a seed lies above 0, by its interval."""
    if len(values) < 2:
        return []
    low, high = stats.mean_interval(values)
    evidence = f"{words} {values.mean():+z.{digits}f} {_interval((low, high), digits)}"
    return [Case(name, verdicts.is_below(-high, -low), evidence)]


@_about_datasets
def raises_modularity(results: Results, sweep: str) -> list[Case]:
    """The gain of a sweep is above 0, for each similarity."""
    cases = []
    for (measure, normalized), own in results.scores.groupby(["measure", "normalized"], sort=False):
        cases += _above(similarity_name(measure, normalized), gain(own, sweep), "Q* by")
    return cases


@_about_datasets
def raises_more(results: Results, sweep: str, than: list[str], factor: float = 1.0) -> list[Case]:
    """The gain of a sweep is larger than that of others, times a factor, for each similarity."""
    cases = []
    for (measure, normalized), own in results.scores.groupby(["measure", "normalized"], sort=False):
        for other in than:
            more = (gain(own, sweep) - factor * gain(own, other)).dropna()
            times = f"{factor:g} x " if factor != 1 else ""
            name = f"{similarity_name(measure, normalized)}, against {times}{other}"
            cases += _above(name, more, "Q* more by")
    return cases


@_about_datasets
def raises_upstream_more(results: Results, sweep: str) -> list[Case]:
    """The gain is larger for upstream similarities than for downstream ones."""
    up, down = (gain(of_similarity(results.scores, m), sweep) for m in SIDES.values())
    return _above(sweep, (up - down).dropna(), "Q* more by")


@_about_datasets
def raises_first_layer_more(results: Results, sweep: str) -> list[Case]:
    """The gain is larger in the first hidden layer than in the second, upstream."""
    own = of_similarity(results.scores, UPSTREAM)
    first, second = (gain(own[own["layer"] == layer], sweep) for layer in (1, 2))
    return _above(sweep, (first - second).dropna(), "Q* more by")


@_about_datasets
def keeps_number_of_clusters(results: Results, sweep: str, within: float) -> list[Case]:
    """The number of clusters changes by less than a margin, for each layer and similarity.

    One by one: where one layer has more clusters and the other fewer, their mean hides both.
    """
    cases = []
    key = ["layer", "measure", "normalized"]
    for (layer, measure, normalized), own in results.scores.groupby(key, sort=False):
        change = gain(own, sweep, "n_clusters")
        if len(change) > 1:
            holds, ends = verdicts.is_same(partial(stats.mean_interval, change), within)
            name = f"layer {layer}, {similarity_name(measure, normalized)}"
            evidence = f"by {change.mean():+z.2f} clusters {_interval(ends, 2)}"
            cases.append(Case(name, holds, evidence))
    return cases


@_about_datasets
def few_clusters(results: Results, at_most: float, share: float) -> list[Case]:
    """The share of clusterings with more clusters is below a small one, over seeds, by side."""
    cases = []
    trained = results.scores[(results.scores["sweep"] != UNTRAINED) & results.scores["kept"]]
    for side, measures in SIDES.items():
        own = of_similarity(trained, measures).dropna(subset=["q"])
        shares = (own["n_clusters"] > at_most).groupby(own["seed"]).mean()
        if len(shares) > 1:
            low, high = _share_interval(shares, own["network"].nunique())
            evidence = f"{shares.mean():.1%} [{low:.1%}, {high:.1%}] of {len(own)}"
            cases.append(Case(side, verdicts.is_below(low, high, share), evidence))
    return cases


def _share_interval(shares: pd.Series, n: int) -> tuple[float, float]:
    """Of the mean of a share in each seed, of n networks altogether.

    Where all seeds have the same share their spread says nothing, and Student's interval would be a
    point however few they are: then it is that of as many networks of n.
    """
    if shares.nunique() > 1:
        return stats.mean_interval(shares)
    return stats.proportion_interval(round(shares.mean() * n), n)


@_about_datasets
def clusters_as_untrained(results: Results, share: float) -> list[Case]:
    """Most numbers of clusters lie where those of untrained networks do: within their three-sigma
    quantiles, of one layer and similarity.

    Of few untrained networks these are their least and largest values, between which another one
    lies with a chance of (n - 1) / (n + 1). Where that is not nearer to 1 than to `share`, nothing
    is decided: also a training that changes nothing would fail.
    """
    key = ["layer", "measure", "normalized"]
    table = results.scores.dropna(subset=["q"])
    fresh = table[table["sweep"] == UNTRAINED].groupby(key)["n_clusters"]
    n = fresh.size().min()
    if not (n - 1) / (n + 1) > (1 + share) / 2:
        return []
    ends = pd.DataFrame({"least": fresh.quantile(0.00135), "most": fresh.quantile(0.99865)})
    own = table[(table["sweep"] != UNTRAINED) & table["kept"]].merge(ends, on=key)
    cases = []
    for side, measures in SIDES.items():
        some = of_similarity(own, measures)
        inside = some["n_clusters"].between(some["least"], some["most"])
        shares = inside.groupby(some["seed"]).mean()
        if len(shares) > 1:
            low, high = _share_interval(shares, some["network"].nunique())
            evidence = f"{shares.mean():.0%} [{low:.0%}, {high:.0%}] of {len(some)}"
            cases.append(Case(side, verdicts.is_below(-high, -low, -share), evidence))
    return cases


@_about_datasets
def printed_number_discarded(results: Results, low: int, high: int) -> list[Case]:
    """The number of discarded networks is near the printed one, among as many networks of the
    printed settings, of which those below the printed accuracy are discarded."""
    facts = paper_table("lange2022_text").set_index("key")["value"]
    printed, of = int(facts["discarded"]), int(facts["models"])
    trained = results.networks[results.networks["trained"]]
    settings = paper_table("lange2022_table_1")[[*SWEEPS]]
    here, there = (
        {*each.itertuples(index=False, name=None)} for each in (trained[[*SWEEPS]], settings)
    )
    if len(trained) != of or here != there or results.least_accuracy != facts["least_accuracy"]:
        return []
    n = int((~trained["kept"]).sum())
    return [Case("accuracy", low <= n <= high, f"{n} of {of} here, {printed} in the paper")]


@_about_datasets
def same_sparsity(results: Results, sweeps: list[str], within: float) -> list[Case]:
    """Two sweeps make the weights equally sparse: their gains of sparsity agree to a margin."""
    first, second = (gain(results.networks, sweep, "sparsity") for sweep in sweeps)
    gap = (first - second).dropna()
    if len(gap) < 2:
        return []
    holds, ends = verdicts.is_same(partial(stats.mean_interval, gap), within)
    evidence = f"{first.mean():+z.2f} and {second.mean():+z.2f}, difference {_interval(ends, 2)}"
    return [Case(" and ".join(sweeps), holds, evidence)]


@_about_datasets
def spectral_start_helps(results: Results, below: float) -> list[Case]:
    """A search that starts from one cluster finds a larger Q* in few matrices or none, by side."""
    cases = []
    trained = results.scores[(results.scores["sweep"] != UNTRAINED) & results.scores["kept"]]
    for side, measures in SIDES.items():
        own = of_similarity(trained, measures).dropna(subset=["q_search", "q_single"])
        larger = int((own["q_single"] > own["q_search"] + 1e-6).sum())
        if len(own):
            cases.append(verdicts.few(side, (larger, len(own)), below))
    return cases


@_about_datasets
def agrees_more(results: Results, groups: list[str], than: list[str]) -> list[Case]:
    """Clusters of trained networks agree more in some groups of pairs than in others."""
    cases = []
    trained = results.blocks[(results.blocks["sweep"] != UNTRAINED) & results.blocks["kept"]]
    means = trained.groupby("seed")[trained.columns.intersection([*groups, *than])].mean()
    for first in groups:
        for second in than:
            gap = (means[first] - means[second]).dropna()
            cases += _above(f"{first} against {second}", gap, "more by")
    return cases


@_about_datasets
def untrained_agree_more(results: Results, group: str, than: str) -> list[Case]:
    """Clusters of untrained networks agree more in one group of pairs than in another."""
    fresh = results.blocks[results.blocks["sweep"] == UNTRAINED]
    gap = (fresh[group] - fresh[than]).dropna()
    return _above(f"{group} against {than}, untrained", gap, "more by")


@_about_datasets
def training_raises_agreement(results: Results, groups: list[str]) -> list[Case]:
    """Clusters agree more in trained networks (means of seeds) than in untrained ones."""
    cases = []
    for group in groups:
        change = _change_by_training(results, group)
        if change is not None:
            gap, low, high = change
            evidence = f"{gap:+z.3f} {_interval((low, high))}"
            cases.append(Case(group, verdicts.is_below(-high, -low), evidence))
    return cases


@_about_datasets
def training_keeps_agreement(results: Results, group: str, within: float) -> list[Case]:
    """Clusters agree as much in trained networks as in untrained ones, to a margin."""
    change = _change_by_training(results, group)
    if change is None:
        return []

    def interval(confidence: float) -> tuple[float, float]:
        again = _change_by_training(results, group, confidence)
        assert again is not None
        return again[1:]

    holds, ends = verdicts.is_same(interval, within)
    return [Case(group, holds, f"{change[0]:+z.3f} {_interval(ends)}")]


def _change_by_training(
    results: Results, group: str, confidence: float = 0.95
) -> tuple[float, float, float] | None:
    table = results.blocks[results.blocks["kept"]]
    fresh = table.loc[table["sweep"] == UNTRAINED, group].dropna()
    trained = table[table["sweep"] != UNTRAINED].groupby("seed")[group].mean().dropna()
    if min(len(fresh), len(trained)) < 2:
        return None
    ends = stats.welch_interval(*_moments(trained), *_moments(fresh), confidence=confidence)
    return float(trained.mean() - fresh.mean()), *ends


def _moments(values: pd.Series) -> tuple[float, float, int]:
    return float(values.mean()), float(values.std(ddof=1)), len(values)


@_about_datasets
def regularization_raises_agreement(results: Results, group: str) -> list[Case]:
    """Clusters agree more at the strong end of each sweep than at its weak end."""
    cases = []
    for sweep in SWEEPS.values():
        cases += _above(sweep, gain(results.blocks, sweep, group), f"{group}, more by")
    return cases


@_about_datasets
def strong_end_agrees_more(results: Results, sweep: str, group: str, than: str) -> list[Case]:
    """At the strong end of a sweep, clusters agree more in one group of pairs than in another."""
    gap = _strong_end(results, sweep, group) - _strong_end(results, sweep, than)
    return _above(f"{group} against {than}", gap.dropna(), "more by")


def _strong_end(results: Results, sweep: str, group: str) -> pd.Series:
    return ends_of(results.blocks, sweep, group)["high"]


RULES = (
    raises_modularity,
    raises_more,
    raises_upstream_more,
    raises_first_layer_more,
    keeps_number_of_clusters,
    few_clusters,
    clusters_as_untrained,
    printed_number_discarded,
    same_sparsity,
    spectral_start_helps,
    agrees_more,
    untrained_agree_more,
    training_raises_agreement,
    training_keeps_agreement,
    regularization_raises_agreement,
    strong_end_agrees_more,
)
