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

    r is the number of the n null values strictly below (tail "lower") or above ("upper") the
    value; ties do not count. North, Curtis and Sham 2002, as paper A uses it (section 3).
    Raises ValueError for an empty null, one with NaN or infinity, or another tail.
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
    """Distance of `value` from the mean of a null sample in its population standard deviations.

    NaN where the null does not vary.
    """
    sample = _sample(null, "null", 1)
    spread = math.sqrt(_variance(sample, ddof=0))
    return float((value - sample.mean()) / spread) if spread > 0 else math.nan


def cohens_d(a: ArrayLike, b: ArrayLike) -> float:
    """(mean a - mean b) / pooled sample standard deviation (paper A, appendix A.4).

    NaN where neither sample varies. Raises ValueError for samples of fewer than two values.
    """
    first, second = _sample(a, "a", 2), _sample(b, "b", 2)
    weights = np.array([len(first) - 1, len(second) - 1])
    variances = np.array([_variance(first, ddof=1), _variance(second, ddof=1)])
    pooled = math.sqrt(float(weights @ variances) / weights.sum())
    return float((first.mean() - second.mean()) / pooled) if pooled > 0 else math.nan


def mean_interval(values: ArrayLike, confidence: float = 0.95) -> tuple[float, float]:
    """Student's interval for the mean of a sample; (NaN, NaN) for a single value."""
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
    """Welch's interval for mean_a - mean_b from means and sample standard deviations.

    It needs no raw data, so that our networks can be compared with numbers that are only printed.
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
    """Clopper and Pearson's exact interval for a proportion."""
    _check_confidence(confidence)
    if not 0 <= successes <= n or n < 1:
        raise ValueError(f"successes={successes} of n={n} is not allowed: 0 <= successes <= n")
    interval = scipy.stats.binomtest(successes, n).proportion_ci(confidence, method="exact")
    return float(interval.low), float(interval.high)


def std_interval(sample: ArrayLike, confidence: float = 0.95) -> tuple[float, float]:
    """Interval for the standard deviation of a normal distribution, from its sample (n,).

    From the chi-squared distribution of the sample variance. Raises ValueError for fewer than two
    values, or any that are not finite.
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
