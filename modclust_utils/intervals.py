"""Intervals for means, spreads, shares, medians, shifts and correlations."""

from __future__ import annotations

import math
from functools import cache

import numpy as np
import scipy.stats
from numpy.typing import ArrayLike, NDArray

from modclust_utils.doors import as_count, as_number, as_sample, as_share, check_same_order
from modclust_utils.samples import variance


def mean_interval(values: ArrayLike, confidence: float = 0.95) -> tuple[float, float]:
    """Student's interval for the mean of a normal distribution, from a sample.

    Parameters
    ----------
    values : array_like ``(n,)``
        The sample.
    confidence : float
        Between 0 and 1.

    Returns
    -------
    low, high : float
        mean ± t s / √n with n - 1 degrees of freedom; (NaN, NaN) for a single value.

    Raises
    ------
    ValueError
        For an empty sample, NaN, infinity, or another confidence.

    Examples
    --------
    With one degree of freedom, t is 1 at a confidence of one half; s / √n is 1.

    >>> [round(end, 12) for end in mean_interval([1.0, 3.0], confidence=0.5)]
    [1.0, 3.0]
    """
    sample = as_sample("values", values, 1)
    confidence = _as_confidence(confidence)
    if len(sample) < 2:
        return math.nan, math.nan
    half = scipy.stats.sem(sample) * scipy.stats.t.ppf((1 + confidence) / 2, len(sample) - 1)
    return float(sample.mean() - half), float(sample.mean() + half)


def welch_interval(
    mean_a: float,
    std_a: float,
    n_a: int,
    mean_b: float,
    std_b: float,
    n_b: int,
    confidence: float = 0.95,
) -> tuple[float, float]:
    """Welch's interval for the difference of two means, from printed numbers.

    It needs no raw data, so that our networks can be compared with numbers that are only printed.

    Parameters
    ----------
    mean_a, std_a, n_a : float, float, int
        Mean, sample standard deviation and size of the first sample.
    mean_b, std_b, n_b : float, float, int
        The same of the second.
    confidence : float
        Between 0 and 1.

    Returns
    -------
    low, high : float
        Interval for mean_a - mean_b; (NaN, NaN) where a sample has a single value.

    Raises
    ------
    ValueError
        For another confidence, a negative standard deviation, or a size below 1.

    References
    ----------
    .. [1] Welch 1947, "The generalization of 'Student's' problem when several different population
       variances are involved", Biometrika 34.

    Examples
    --------
    A difference of 2 with standard error 1 and two degrees of freedom: t is 4.30 at 95 %.

    >>> [round(end, 2) for end in welch_interval(3.0, 1.0, 2, 1.0, 1.0, 2)]
    [-2.3, 6.3]
    """
    confidence = _as_confidence(confidence)
    mean_a, mean_b = as_number("mean_a", mean_a), as_number("mean_b", mean_b)
    std_a, std_b = as_number("std_a", std_a), as_number("std_b", std_b)
    # sizes come from tables, whose columns may be floats
    n_a, n_b = as_number("n_a", n_a), as_number("n_b", n_b)
    if not (n_a >= 1 and n_b >= 1):
        raise ValueError(f"n_a={n_a} and n_b={n_b} are not allowed: 1 or more")
    if std_a < 0 or std_b < 0:
        raise ValueError(f"std_a={std_a} and std_b={std_b} are not allowed: 0 or more")
    if min(n_a, n_b) < 2:
        return math.nan, math.nan
    # in units of a power of two near them, so that no fourth power overflows or becomes 0
    unit = 2.0 ** min(max(math.frexp(max(std_a, std_b))[1], -1000), 1000)
    std_a, std_b = std_a / unit, std_b / unit
    part_a, part_b = std_a**2 / n_a, std_b**2 / n_b
    if part_a + part_b == 0:
        return mean_a - mean_b, mean_a - mean_b
    freedom = (part_a + part_b) ** 2 / (part_a**2 / (n_a - 1) + part_b**2 / (n_b - 1))
    half = math.sqrt(part_a + part_b) * scipy.stats.t.ppf((1 + confidence) / 2, freedom) * unit
    return float(mean_a - mean_b - half), float(mean_a - mean_b + half)


def proportion_interval(successes: int, n: int, confidence: float = 0.95) -> tuple[float, float]:
    """Clopper and Pearson's exact interval for a proportion.

    Parameters
    ----------
    successes, n : int
        Numbers of successes and of trials.
    confidence : float
        Between 0 and 1.

    Returns
    -------
    low, high : float
        It covers the true proportion with a probability of at least `confidence`.

    Raises
    ------
    ValueError
        Unless 0 <= successes <= n and n >= 1, and for another confidence.

    References
    ----------
    .. [1] Clopper and Pearson 1934, doi:10.1093/biomet/26.4.404.

    Examples
    --------
    None of one: the largest proportion p with a chance 1 - p of at least 2.5 % to give that.

    >>> [round(end, 12) for end in proportion_interval(0, 1)]
    [0.0, 0.975]
    """
    confidence = _as_confidence(confidence)
    successes, n = _as_share(successes, n, ("successes", "n"))
    interval = scipy.stats.binomtest(successes, n).proportion_ci(confidence, method="exact")
    return float(interval.low), float(interval.high)


def std_interval(sample: ArrayLike, confidence: float = 0.95) -> tuple[float, float]:
    """Interval for the standard deviation of a normal distribution, from a sample.

    (n - 1) s^2 / sigma^2 has the chi-squared distribution with n - 1 degrees of freedom.

    Parameters
    ----------
    sample : array_like ``(n,)``
        Two values or more.
    confidence : float
        Between 0 and 1.

    Returns
    -------
    low, high : float
        Both 0 where the sample does not vary.

    Raises
    ------
    ValueError
        For a shorter sample, NaN, infinity, or another confidence.

    Examples
    --------
    With two degrees of freedom chi-squared / 2 is exponential: here sigma = 1 / sqrt(-log(tail)).

    >>> [round(end**-2, 3) for end in std_interval([1.0, 2.0, 3.0])]  # -log(0.025), -log(0.975)
    [3.689, 0.025]
    """
    confidence = _as_confidence(confidence)
    values = as_sample("sample", sample, 2)
    df = len(values) - 1
    tails = scipy.stats.chi2.ppf([(1 + confidence) / 2, (1 - confidence) / 2], df)
    low, high = np.sqrt(variance(values, ddof=1) * df / tails)
    return float(low), float(high)


def share_difference_interval(
    passed_a: int, n_a: int, passed_b: int, n_b: int, confidence: float = 0.95
) -> tuple[float, float]:
    """Newcombe's interval for the difference of two independent shares.

    Parameters
    ----------
    passed_a, n_a, passed_b, n_b : int
        Numbers of successes and of trials.
    confidence : float
        Between 0 and 1.

    Returns
    -------
    low, high : float
        Interval for a's share minus b's, from Wilson's intervals of the two.

    Raises
    ------
    ValueError
        Unless 0 <= passed <= n and n >= 1, and for another confidence.

    References
    ----------
    .. [1] Newcombe 1998, doi:10.1002/(SICI)1097-0258(19980430)17:8<873::AID-SIM779>3.0.CO;2-I,
       method 10.

    Examples
    --------
    Ten of ten on both sides: Wilson's lower end is 10 / (10 + 1.96^2) = 0.722.

    >>> [round(end, 3) for end in share_difference_interval(10, 10, 10, 10)]
    [-0.278, 0.278]
    """
    confidence = _as_confidence(confidence)
    ends = []
    shares = (passed_a, n_a, ("passed_a", "n_a")), (passed_b, n_b, ("passed_b", "n_b"))
    for passed, n in (_as_share(*share) for share in shares):
        found = scipy.stats.binomtest(passed, n).proportion_ci(confidence, method="wilson")
        ends.append((passed / n, float(found.low), float(found.high)))
    (a, low_a, high_a), (b, low_b, high_b) = ends
    low = a - b - math.hypot(a - low_a, high_b - b)
    return low, a - b + math.hypot(high_a - a, b - low_b)


def told_apart(passed: int, n: int, n_other: int, alpha: float = 0.05) -> list[int]:
    """The numbers of successes in `n_other` trials that Fisher's exact test (two-sided, p < alpha)
    tells apart from `passed` in `n`.

    Raises
    ------
    ValueError
        Unless 0 <= passed <= n and n, n_other >= 1.

    Examples
    --------
    With ten against ten, seven can be told from at most one.

    >>> told_apart(7, 10, 10)
    [0, 1]
    """
    passed, n = _as_share(passed, n)
    n_other, alpha = as_count("n_other", n_other), as_number("alpha", alpha)
    return [i for i, p in enumerate(_fisher(passed, n, n_other)) if p < alpha]


@cache
def _fisher(passed: int, n: int, n_other: int) -> list[float]:
    """p of Fisher's exact test for each number of successes in `n_other` trials."""
    tables = ([[other, n_other - other], [passed, n - passed]] for other in range(n_other + 1))
    return [float(scipy.stats.fisher_exact(table).pvalue) for table in tables]


def median_interval(values: ArrayLike, confidence: float = 0.95) -> tuple[float, float]:
    """Interval for the median of any distribution: two values of the ordered sample (sign test).

    Parameters
    ----------
    values : array_like ``(n,)``
        The sample.
    confidence : float
        Between 0 and 1.

    Returns
    -------
    low, high : float
        The closest pair, as far from both ends, that covers the median with a chance of at least
        `confidence`; infinite where n is too small for one. One outlier moves neither end far.

    Raises
    ------
    ValueError
        For an empty sample, NaN, infinity, or another confidence.

    Examples
    --------
    Ten values: the second and the ninth leave out the median with a chance of 2 (1 + 10) / 1024.

    >>> median_interval([1, 2, 3, 4, 5, 6, 7, 8, 9, 1000])
    (2.0, 9.0)
    """
    confidence = _as_confidence(confidence)
    sample = np.sort(as_sample("values", values, 1))
    tails = scipy.stats.binom.cdf(np.arange(len(sample)), len(sample), 0.5)
    left_out = int(np.sum(tails <= (1 - confidence) / 2 + 1e-12)) - 1
    if left_out < 0:
        return -math.inf, math.inf
    return float(sample[left_out]), float(sample[-1 - left_out])


def shift_interval(a: ArrayLike, b: ArrayLike, confidence: float = 0.95) -> tuple[float, float]:
    """Interval for the shift between two distributions of one shape, from ranks (Mann-Whitney).

    Parameters
    ----------
    a, b : array_like ``(n_a,)`` and ``(n_b,)``
        Independent samples.
    confidence : float
        Between 0 and 1.

    Returns
    -------
    low, high : float
        Two of the ordered differences a - b, as far from both ends; infinite where the samples are
        too small. It leaves out 0 just where the rank test does; one outlier hardly moves it.

    Raises
    ------
    ValueError
        For an empty sample, NaN, infinity, or another confidence.

    References
    ----------
    .. [1] Hodges and Lehmann 1963, doi:10.1214/aoms/1177704172.

    Examples
    --------
    Of the 20 orders of three and three, the most extreme one has a chance of 1 / 20 on each side.

    >>> shift_interval([11, 12, 13], [1, 2, 3], confidence=0.9)
    (8.0, 12.0)
    """
    confidence = _as_confidence(confidence)
    first, second = as_sample("a", a, 1), as_sample("b", b, 1)
    gaps = np.sort((first[:, None] - second[None, :]).ravel())
    chances = np.cumsum(_rank_sums(len(first), len(second)))
    left_out = int(np.sum(chances <= (1 - confidence) / 2 + 1e-12)) - 1
    if left_out < 0:
        return -math.inf, math.inf
    return float(gaps[left_out]), float(gaps[-1 - left_out])


@cache
def _rank_sums(n_a: int, n_b: int) -> NDArray[np.float64]:
    """Chance of each value of Mann and Whitney's U, from 0, if both samples are of one kind."""
    # the generating function: the product of (1 - q^(b + i)) / (1 - q^i), i from 1 to a
    counts = np.zeros(n_a * n_b + 1)
    counts[0] = 1
    for i in range(1, n_a + 1):
        for u in range(n_a * n_b, n_b + i - 1, -1):
            counts[u] -= counts[u - n_b - i]
        for u in range(i, n_a * n_b + 1):
            counts[u] += counts[u - i]
    return counts / counts.sum()


def rank_interval(a: ArrayLike, b: ArrayLike, confidence: float = 0.95) -> tuple[float, float]:
    """Interval for Spearman's rank correlation, by Fisher's transformation.

    Parameters
    ----------
    a, b : array_like ``(n,)``
        Paired values.
    confidence : float
        Between 0 and 1.

    Returns
    -------
    low, high : float
        The standard error of arctanh(rho) is sqrt((1 + rho^2 / 2) / (n - 3)); (NaN, NaN) where a or
        b does not vary, and (-1, 1) for fewer than four pairs.

    Raises
    ------
    ValueError
        For an empty sample, NaN, infinity, another confidence, or columns (pandas) whose pairs are
        in two orders.

    References
    ----------
    .. [1] Bonett and Wright 2000, doi:10.1007/BF02294183.

    Examples
    --------
    A correlation of 0.8:

    >>> [round(end, 2) for end in rank_interval([1, 2, 3, 4, 5], [1, 3, 2, 5, 4])]
    [-0.46, 0.99]
    """
    confidence = _as_confidence(confidence)
    check_same_order(a=a, b=b)
    first, second = as_sample("a", a, 1), as_sample("b", b, 1)
    if len(first) != len(second):
        raise ValueError(f"b has {len(second)} values; allowed: {len(first)}, one for each of a")
    if np.ptp(first) == 0 or np.ptp(second) == 0:
        return math.nan, math.nan
    if len(first) < 4:
        return -1.0, 1.0
    rho = float(scipy.stats.spearmanr(first, second).statistic)
    half = math.sqrt((1 + rho**2 / 2) / (len(first) - 3))
    half *= scipy.stats.norm.ppf((1 + confidence) / 2)
    middle = np.arctanh(np.clip(rho, -1 + 1e-12, 1 - 1e-12))
    low, high = np.tanh([middle - half, middle + half])
    return float(low), float(high)


def _as_share(passed: int, n: int, names: tuple[str, str] = ("passed", "n")) -> tuple[int, int]:
    """Successes and trials as whole numbers."""
    passed, n = as_count(names[0], passed, 0, 2**53), as_count(names[1], n, 1, 2**53)
    if passed > n:
        raise ValueError(f"{names[0]}={passed} of {names[1]}={n} is not allowed: at most {n}")
    return passed, n


def _as_confidence(confidence: float) -> float:
    return as_share("confidence", confidence, "0 < confidence < 1")
