"""Small statistics: empirical p-values, effect sizes, intervals."""

from __future__ import annotations

import math
from typing import Literal

import numpy as np
import scipy.stats
from numpy.typing import ArrayLike, NDArray


def _sample(values: ArrayLike, name: str, at_least: int) -> NDArray[np.float64]:
    array = np.asarray(values, dtype=np.float64)
    if array.ndim != 1 or len(array) < at_least:
        raise ValueError(
            f"{name} has shape {array.shape}; allowed: (n,) with n of {at_least} or more"
        )
    if not np.isfinite(array).all():
        raise ValueError(f"{name} holds NaN or infinity; allowed: finite numbers")
    return array


def _variance(sample: NDArray[np.float64], ddof: int) -> float:
    # the mean of equal numbers is not always that number, to the last bit
    return 0.0 if np.ptp(sample) == 0 else float(sample.var(ddof=ddof))


def empirical_p_value(value: float, null: ArrayLike, *, tail: Literal["lower", "upper"]) -> float:
    """Share of a null sample beyond `value`, itself counted: (r + 1) / (n + 1).

    Parameters
    ----------
    value : float
        What was measured.
    null : array_like ``(n,)``
        The same of n draws from the null.
    tail : {"lower", "upper"}
        r counts the null values strictly below ("lower") or strictly above ("upper") the value.

    Returns
    -------
    float
        From 1 / (n + 1) to 1.

    Raises
    ------
    ValueError
        For an empty null, NaN, an infinite null value, or another tail.

    Notes
    -----
    Ties do not count here; North, Curtis and Sham count them [1]_. n-cuts of different graphs
    hardly ever tie.

    References
    ----------
    .. [1] North, Curtis and Sham 2002, doi:10.1086/341527.
    .. [2] Filan et al. 2020, arXiv:2003.04881 (paper A), section 3.

    Examples
    --------
    One of four values is below: (1 + 1) / (4 + 1).

    >>> empirical_p_value(2.5, [2.0, 3.0, 4.0, 5.0], tail="lower")
    0.4
    """
    sample = _sample(null, "null", 1)
    if math.isnan(value):
        raise ValueError("value is NaN; allowed: a number")
    if tail == "lower":
        beyond = sample < value
    elif tail == "upper":
        beyond = sample > value
    else:
        raise ValueError(f"tail={tail!r} is not allowed: 'lower' or 'upper'")
    return (int(beyond.sum()) + 1) / (len(sample) + 1)


def z_score(value: float, null: ArrayLike) -> float:
    """Distance of `value` from the mean of a null, in standard deviations of the null.

    Parameters
    ----------
    value : float
        What was measured.
    null : array_like ``(n,)``
        The same of n draws from the null.

    Returns
    -------
    float
        (value - mean) / population standard deviation (divided by n, not n - 1); NaN where the null
        does not vary.

    Raises
    ------
    ValueError
        For an empty null, or one with NaN or infinity.

    Examples
    --------
    >>> z_score(0.0, [1.0, 3.0])  # mean 2, standard deviation 1
    -2.0
    """
    sample = _sample(null, "null", 1)
    spread = math.sqrt(_variance(sample, ddof=0))
    return float((value - sample.mean()) / spread) if spread > 0 else math.nan


def cohens_d(a: ArrayLike, b: ArrayLike) -> float:
    """Cohen's d: the difference of two means in pooled standard deviations.

    d = (mean a - mean b) / s with s^2 = ((n_a - 1) s_a^2 + (n_b - 1) s_b^2) / (n_a + n_b - 2), and
    s_a, s_b the sample standard deviations.

    Parameters
    ----------
    a, b : array_like ``(n_a,)`` and ``(n_b,)``
        Samples of two values or more.

    Returns
    -------
    float
        NaN where neither sample varies.

    Raises
    ------
    ValueError
        For shorter samples, NaN or infinity.

    References
    ----------
    .. [1] Filan et al. 2020, arXiv:2003.04881 (paper A), appendix A.4, where a are n-cuts of
       shuffles "layer" and b those of "layer-nonzero".

    Examples
    --------
    >>> cohens_d([0.0, 2.0, 4.0], [4.0, 6.0, 8.0])  # means 2 and 6, both standard deviations 2
    -2.0
    """
    first, second = _sample(a, "a", 2), _sample(b, "b", 2)
    weights = np.array([len(first) - 1, len(second) - 1])
    variances = np.array([_variance(first, ddof=1), _variance(second, ddof=1)])
    pooled = math.sqrt(float(weights @ variances) / weights.sum())
    return float((first.mean() - second.mean()) / pooled) if pooled > 0 else math.nan


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
    sample = _sample(values, "values", 1)
    _check_confidence(confidence)
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
        For another confidence.

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
    _check_confidence(confidence)
    if min(n_a, n_b) < 2:
        return math.nan, math.nan
    part_a, part_b = std_a**2 / n_a, std_b**2 / n_b
    if part_a + part_b == 0:
        return mean_a - mean_b, mean_a - mean_b
    freedom = (part_a + part_b) ** 2 / (part_a**2 / (n_a - 1) + part_b**2 / (n_b - 1))
    half = math.sqrt(part_a + part_b) * scipy.stats.t.ppf((1 + confidence) / 2, freedom)
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
    _check_confidence(confidence)
    if not 0 <= successes <= n or n < 1:
        raise ValueError(f"successes={successes} of n={n} is not allowed: 0 <= successes <= n")
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
    _check_confidence(confidence)
    values = _sample(sample, "sample", 2)
    df = len(values) - 1
    tails = scipy.stats.chi2.ppf([(1 + confidence) / 2, (1 - confidence) / 2], df)
    low, high = np.sqrt(_variance(values, ddof=1) * df / tails)
    return float(low), float(high)


def _check_confidence(confidence: float) -> None:
    if not 0 < confidence < 1:
        raise ValueError(f"confidence={confidence!r} is not allowed: 0 < confidence < 1")
