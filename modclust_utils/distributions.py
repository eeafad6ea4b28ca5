"""Are two samples from one distribution? A test of the mean, one of the shape, and their sight."""

from __future__ import annotations

import itertools
import math
from collections.abc import Sequence
from dataclasses import dataclass

import numpy as np
import scipy.stats
from numpy.typing import ArrayLike, NDArray

from modclust_utils.doors import as_list, as_rng, as_sample, as_share
from modclust_utils.samples import variance

#: Ways to deal two groups: up to so many all are counted (10 against 10 have 184,756), of more some
#: are drawn.
MOST_WAYS, N_DRAWN = 200_000, 20_000
POWER = 0.8
_LEVELS = "0 < alpha < 1"


@dataclass(frozen=True)
class TwoSamples:
    """How two samples of one number compare.

    p_mean, p_shape: of the permutation test and of Kolmogorov and Smirnov's; adjusted: the smaller
    one, after Holm's correction for all numbers and both tests; visible: the difference of means
    that the first test would have seen with a chance of `POWER`, NaN where it can see none; alpha:
    the chance of a false alarm in any of the numbers.
    """

    name: str
    kept: NDArray[np.float64]
    again: NDArray[np.float64]
    p_mean: float
    p_shape: float
    adjusted: float
    visible: float
    alpha: float = 0.05

    def verdict(self, alpha: float | None = None) -> str:
        """``differ``, ``no difference``, or ``cannot tell``; at the level of the comparison, or at
        another one. Raises ValueError for an alpha outside 0 to 1."""
        level = self.alpha if alpha is None else as_share("alpha", alpha, _LEVELS)
        if self.adjusted < level:
            return "differ"
        return "cannot tell" if math.isnan(self.visible) else "no difference"


def compare_samples(
    pairs: Sequence[tuple[str, ArrayLike, ArrayLike]],
    *,
    rng: np.random.Generator,
    alpha: float = 0.05,
) -> list[TwoSamples]:
    """Compare two samples of each of several numbers.

    Both tests count how often two groups that are dealt at random are as far apart: one looks at
    their means, the other, Kolmogorov and Smirnov's, at the largest gap between their distribution
    functions, and so at spread and shape as well.

    Parameters
    ----------
    pairs : sequence of (name, array_like ``(n,)``, array_like ``(m,)``)
        The numbers; two values or more in each sample.
    rng : numpy.random.Generator
        Deals the groups where there are too many ways to count them all.
    alpha : float
        The chance to see a difference in any of the numbers where there is none.

    Returns
    -------
    list of TwoSamples

    Raises
    ------
    ValueError
        For no pairs, shorter samples, NaN or infinity, and an alpha outside 0 to 1.

    References
    ----------
    .. [1] Holm 1979, "A simple sequentially rejective multiple test procedure", Scandinavian
       Journal of Statistics 6.

    Examples
    --------
    Of the 6 ways to deal 1, 2, 5, 6 into pairs, 2 have means as far apart.

    >>> (found,) = compare_samples([("n-cut", [1, 2], [5, 6])], rng=np.random.default_rng(0))
    >>> round(found.p_mean, 3), found.verdict()
    (0.333, 'cannot tell')
    """
    rng, alpha = as_rng(rng), as_share("alpha", alpha, _LEVELS)
    allowed = "one or more of (name, sample, sample)"
    found = [as_list("pairs", pair, allowed) for pair in as_list("pairs", pairs, allowed)]
    if not found or any(len(pair) != 3 or not isinstance(pair[0], str) for pair in found):
        raise ValueError(f"pairs has {len(found)} entries of other forms; allowed: {allowed}")
    samples = [(name, as_sample(name, a, 2), as_sample(name, b, 2)) for name, a, b in found]
    p = [p_values(a, b, rng=rng) for _, a, b in samples]
    adjusted = holm(np.ravel(p)).reshape(-1, 2).min(1)
    # the strictest of Holm's steps: what passes it is seen whatever the others are
    level = alpha / (2 * len(samples))
    return [
        TwoSamples(name, a, b, *both, float(one), visible_shift(a, b, level), alpha)
        for (name, a, b), both, one in zip(samples, p, adjusted, strict=True)
    ]


def p_values(a: ArrayLike, b: ArrayLike, *, rng: np.random.Generator) -> tuple[float, float]:
    """Two-sided p-values of two samples: of the difference of their means, and of their shapes.

    Raises ValueError for a sample of less than two values, NaN or infinity.

    >>> p_values([1, 1], [1, 1], rng=np.random.default_rng(0))
    (1.0, 1.0)
    """
    first, second = as_sample("a", a, 2), as_sample("b", b, 2)
    values = np.concatenate([first, second])
    order = np.argsort(values, kind="stable")
    own = (order < len(first))[None]
    dealt, all_of_them = _deals(len(first), len(second), as_rng(rng))
    p = []
    # what rounding may take from an equal gap: sums of means lose digits of the largest value,
    # each sum as many times as it has terms; shares are of the size of 1
    terms = len(values) / min(len(first), len(second))
    lost = 4 * np.finfo(float).eps * terms * np.abs(values).max()
    for distance, slack in ((_mean_gap, lost), (_function_gap, 1e-12)):
        here, elsewhere = distance(values[order], own)[0], distance(values[order], dealt)
        as_far = int((elsewhere >= here - slack).sum())
        p.append(as_far / len(dealt) if all_of_them else (as_far + 1) / (len(dealt) + 1))
    return p[0], p[1]


def _deals(n: int, m: int, rng: np.random.Generator) -> tuple[NDArray[np.bool_], bool]:
    """Which of n + m values are in the first group, a row a deal; whether these are all deals."""
    if math.comb(n + m, n) <= MOST_WAYS:
        chosen = np.array(list(itertools.combinations(range(n + m), n)))
        dealt = np.zeros((len(chosen), n + m), bool)
        np.put_along_axis(dealt, chosen, True, axis=1)
        return dealt, True
    return rng.permuted(np.tile(np.arange(n + m) < n, (N_DRAWN, 1)), axis=1), False


def _mean_gap(values: NDArray[np.float64], first: NDArray[np.bool_]) -> NDArray[np.float64]:
    n = int(first[0].sum())
    sums = first @ values
    return np.abs(sums / n - (values.sum() - sums) / (len(values) - n))


def _function_gap(values: NDArray[np.float64], first: NDArray[np.bool_]) -> NDArray[np.float64]:
    """The largest gap of two distribution functions; values in ascending order."""
    n = int(first[0].sum())
    last_of_its_kind = np.append(values[1:] > values[:-1], True)
    below = first.cumsum(1)[:, last_of_its_kind]
    rest = np.arange(1, len(values) + 1)[last_of_its_kind] - below
    return np.abs(below / n - rest / (len(values) - n)).max(1)


def holm(p: ArrayLike) -> NDArray[np.float64]:
    """p-values adjusted for their number, after Holm.

    Raises ValueError for an empty sample, NaN or infinity.

    >>> holm([0.01, 0.04, 0.03]).round(2).tolist()
    [0.03, 0.06, 0.06]
    """
    values = as_sample("p", p, 1)
    order = np.argsort(values, kind="stable")
    steps = values[order] * np.arange(len(values), 0, -1)
    adjusted = np.empty_like(values)
    adjusted[order] = np.minimum(np.maximum.accumulate(steps), 1.0)
    return adjusted


def visible_shift(a: ArrayLike, b: ArrayLike, level: float, power: float = POWER) -> float:
    """The difference of means that a test at `level` sees with a chance of `power`.

    By the t distribution, for samples with the pooled spread of these; NaN where so few values
    cannot give a permutation test a p-value as low as the level.
    Raises ValueError for a sample of less than two values, NaN or infinity.

    >>> visible_shift([1, 2], [5, 6], 0.05)
    nan
    """
    first, second = as_sample("a", a, 2), as_sample("b", b, 2)
    n, m = len(first), len(second)
    if 2 / math.comb(n + m, n) > level:
        return math.nan
    freedom = n + m - 2
    pooled = ((n - 1) * variance(first, ddof=1) + (m - 1) * variance(second, ddof=1)) / freedom
    reach = scipy.stats.t.ppf(1 - level / 2, freedom) + scipy.stats.t.ppf(power, freedom)
    return float(reach * math.sqrt(pooled * (1 / n + 1 / m)))
