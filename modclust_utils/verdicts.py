"""Verdicts: what follows from the cases of a claim.

A *rule* is a function that looks at every case of a claim (a condition of Table 1, say) and says
of each whether it holds (True), fails (False), or cannot be told (None). Only evidence *for* makes
a case hold, and only evidence *against* makes it fail: an interval that is too wide decides
nothing. That two things are the same holds where the interval of their difference is inside a
margin that was stated beforehand, never because a test saw no difference.

All cases hold: reproduced. Some fail: partly if others hold, else not. None fails, but some cannot
be told: cannot tell. Without a case there is nothing to decide from: not attempted.
"""

from __future__ import annotations

from collections.abc import Callable, Mapping, Sequence
from dataclasses import dataclass
from typing import Any

import numpy as np
import scipy.stats
from numpy.typing import NDArray

from modclust_utils import stats

VERDICTS = ("reproduced", "partly", "not", "cannot tell", "not attempted")


@dataclass(frozen=True)
class Case:
    """One case of a claim: what was compared, and whether the rule holds (None: cannot tell)."""

    name: str
    holds: bool | None
    evidence: str


@dataclass(frozen=True)
class Verdict:
    """A claim with its cases and what follows from them."""

    claim: Mapping[str, Any]
    cases: tuple[Case, ...]

    @property
    def held(self) -> int:
        """How many cases hold."""
        return sum(case.holds is True for case in self.cases)

    @property
    def failed(self) -> int:
        """How many cases fail."""
        return sum(case.holds is False for case in self.cases)

    @property
    def verdict(self) -> str:
        """One of `VERDICTS`."""
        if not self.cases:
            return "not attempted"
        if self.failed:
            return "partly" if self.held else "not"
        return "reproduced" if self.held == len(self.cases) else "cannot tell"


def is_below(low: float, high: float, at: float = 0.0) -> bool | None:
    """Whether something lies below `at`, from its interval: None where `at` is inside, or for NaN.

    For "above", pass the interval and `at` with the other sign.
    """
    return True if high < at else False if low > at else None


Interval = Callable[..., tuple[float, float]]


def is_same(interval: Interval, margin: float) -> tuple[bool | None, tuple[float, float]]:
    """Whether a difference is as good as none, with its 90 % interval.

    interval: of the difference, for a `confidence`. True where the 90 % interval is inside ±margin
    (two one-sided tests at 5 %); False where it is not, and the 95 % interval leaves out 0.
    """
    low, high = interval(confidence=0.9)
    wide = interval(confidence=0.95)
    differs = wide[0] > 0 or wide[1] < 0
    return _decided(-margin < low and high < margin, differs), (low, high)


def is_not_lower(interval: Interval, margin: float) -> tuple[bool | None, tuple[float, float]]:
    """Whether a difference is not below 0 by more than a margin, with its 90 % interval.

    True where that interval is above -margin (a one-sided test at 5 %); False where it is not, and
    the 95 % interval lies below 0.
    """
    low, high = interval(confidence=0.9)
    return _decided(low > -margin, interval(confidence=0.95)[1] < 0), (low, high)


def _decided(holds: bool, fails: bool) -> bool | None:
    return True if holds else False if fails else None


Rule = Callable[..., list[Case]]


def decide(
    claims: Sequence[Mapping[str, Any]], rules: Mapping[str, Rule], results: Any
) -> list[Verdict]:
    """The verdict on every claim, by its rule, from what the rules of a chapter look at."""
    return [
        Verdict(claim, tuple(rules[claim["rule"]](results, **claim.get("arguments", {}))))
        for claim in claims
    ]


# Cases about shares of networks, each share as (passed, number)

Share = tuple[int, int]


def same_share(name: str, ours: Share, printed: Share, within: float) -> Case:
    """Two shares are the same: the 90 % interval of their difference (two one-sided tests at 5 %)
    is within a margin. They are not where Fisher's exact test tells them apart (p < 0.05). Where
    no share of so many could be told to be the same, the evidence says so."""
    inside = [_is_inside((passed, ours[1]), printed, within) for passed in range(ours[1] + 1)]
    low, high = stats.share_difference_interval(*ours, *printed, confidence=0.9)
    apart = stats.told_apart(*printed, ours[1])
    holds = _decided(inside[ours[0]], ours[0] in apart)
    words = _runs(apart, ours[1]) if apart else "nothing"
    evidence = (
        f"{ours[0]}/{ours[1]} against {printed[0]}/{printed[1]}, difference "
        f"[{low:+.2f}, {high:+.2f}]; Fisher's test would tell apart {words}"
    )
    return Case(name, holds, evidence + "; no share of ours would hold" * (not any(inside)))


def _is_inside(ours: Share, printed: Share, within: float) -> bool:
    low, high = stats.share_difference_interval(*ours, *printed, confidence=0.9)
    return -within < low and high < within


def _runs(counts: Sequence[int], n: int) -> str:
    """Numbers of successes as a page prints them: 0 to 2, 9 to 10 of 10."""
    starts = [c for c in counts if c - 1 not in counts]
    ends = [c for c in counts if c + 1 not in counts]
    parts = [f"{a} to {b}" if a < b else f"{a}" for a, b in zip(starts, ends, strict=True)]
    return f"{', '.join(parts)} of {n}"


def most(name: str, share: Share, at: float = 0.5) -> Case:
    """The true share is above `at`: its one-sided 95 % bounds decide."""
    low, high = stats.proportion_interval(*share, confidence=0.9)
    evidence = f"{share[0]}/{share[1]}, at least {low:.2f} and at most {high:.2f}"
    return Case(name, is_below(-high, -low, -at), evidence)


def few(name: str, share: Share, at: float = 0.5) -> Case:
    """The true share is below `at`: its one-sided 95 % bounds decide."""
    low, high = stats.proportion_interval(*share, confidence=0.9)
    evidence = f"{share[0]}/{share[1]}, at least {low:.2f} and at most {high:.2f}"
    return Case(name, is_below(low, high, at), evidence)


def none(name: str, share: Share, below: float, luck: float) -> Case:
    """No more than luck gives: fails where luck alone gives so many with a chance under 5 %; holds
    where the one-sided 95 % bound of the share is below a margin."""
    passed, n = share
    chance = float(scipy.stats.binom.sf(passed - 1, n, luck))
    high = stats.proportion_interval(passed, n, confidence=0.9)[1]
    holds = False if chance < 0.05 else _decided(high < below, False)
    evidence = f"{passed}/{n}, a share of at most {high:.2f}"
    return Case(name, holds, evidence + (f"; by luck p = {chance:.2f}" if passed else ""))


# Chances of claims in made-up results

World = Callable[..., Any]


def drawn_again(
    mean: float, std: float, n: int, rng: np.random.Generator, *, n_known: int
) -> NDArray[np.float64]:
    """`n` values from the normal distribution of a sample of `n_known` with this mean and standard
    deviation ``(n,)``: its own mean and spread are uncertain, and drawn too."""
    sigma = std * np.sqrt((n_known - 1) / rng.chisquare(n_known - 1))
    return rng.normal(rng.normal(mean, sigma / np.sqrt(n_known)), sigma, n)


def chances(
    claims: Sequence[Mapping[str, Any]],
    rules: Mapping[str, Rule],
    world: World,
    n: int,
    rng: np.random.Generator,
) -> dict[str, dict[str, float]]:
    """How often each claim would be called reproduced, of `n` times.

    world: called with `rng` and replication=True or False, makes up the results of a chapter: what
    an exact replication of the paper would find, or networks without what the claims say. Shares by
    the claim's id, under "replication" and "without_effect".
    """
    found: dict[str, dict[str, float]] = {claim["id"]: {} for claim in claims}
    for name, replication in (("without_effect", False), ("replication", True)):
        counts = dict.fromkeys(found, 0)
        for _ in range(n):
            for each in decide(claims, rules, world(rng, replication=replication)):
                counts[each.claim["id"]] += each.verdict == "reproduced"
        for claim, count in counts.items():
            found[claim][name] = count / n
    return found
