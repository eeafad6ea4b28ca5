"""Small statistics: empirical p-values and effect sizes; intervals and shapes of samples; p-values
of many percentiles and of many tests."""

from __future__ import annotations

import math
from typing import Literal

import numpy as np
from numpy.typing import ArrayLike, NDArray

from modclust_utils.doors import as_choice, as_number, as_sample
from modclust_utils.fisher_bates import (
    bates_p_value,
    benjamini_hochberg,
    centered_percentile,
    fisher_p_value,
    fisher_statistic,
)
from modclust_utils.intervals import (
    mean_interval,
    median_interval,
    proportion_interval,
    rank_interval,
    share_difference_interval,
    shift_interval,
    std_interval,
    told_apart,
    welch_interval,
)
from modclust_utils.samples import far_out, n_modes, skewness, variance

__all__ = [
    "bates_p_value",
    "benjamini_hochberg",
    "centered_percentile",
    "cohens_d",
    "empirical_p_value",
    "far_out",
    "fisher_p_value",
    "fisher_statistic",
    "mean_interval",
    "median_interval",
    "n_modes",
    "proportion_interval",
    "rank_interval",
    "share_difference_interval",
    "shift_interval",
    "skewness",
    "std_interval",
    "told_apart",
    "welch_interval",
    "z_score",
]


# Records keep the n-cuts of shuffles to six decimals: equal ones may be half a millionth apart. The
# rounding of single precision adds less than that. The second is for larger numbers.
_ABSOLUTE, _RELATIVE = 1e-6, 1e-9


def empirical_p_value(
    value: float,
    null: ArrayLike,
    *,
    tail: Literal["lower", "upper"],
    ties: Literal["count", "ignore"] = "count",
) -> float:
    """Share of a null sample that is at least as extreme as `value`, itself counted.

    p = (r + 1) / (n + 1). Null values equal to `value` count against it: a network that is as
    clusterable as all of its shuffles is no more clusterable than they are, and its p is 1.

    Parameters
    ----------
    value : float
        What was measured.
    null : array_like ``(n,)``
        The same of n draws from the null.
    tail : {"lower", "upper"}
        r counts the null values below ("lower") or above ("upper") the value.
    ties : {"count", "ignore"}
        "count" adds to r the null values equal to the value [1]_; "ignore" does not: r is what
        lies strictly beyond, with which the printed numbers were made, though the text does not say
        so [2]_.

    Returns
    -------
    float
        From 1 / (n + 1) to 1.

    Raises
    ------
    ValueError
        For an empty null, NaN, an infinite null value, another tail, or other ties.

    Notes
    -----
    Equal means: apart by 1e-6 and 1e-9 of the value at most. Records keep the n-cuts of shuffles to
    six decimals, that of the network to all. This fits n-cuts, accuracies and other numbers of
    about 1; scale much smaller ones first.

    References
    ----------
    .. [1] North, Curtis and Sham 2002, doi:10.1086/341527.
    .. [2] Filan et al. 2020, arXiv:2003.04881 (paper A), section 3.

    Examples
    --------
    One of four values is below, one is equal: (2 + 1) / (4 + 1), or (1 + 1) / (4 + 1) without it.

    >>> empirical_p_value(3.0, [2.0, 3.0, 4.0, 5.0], tail="lower")
    0.6
    >>> empirical_p_value(3.0, [2.0, 3.0, 4.0, 5.0], tail="lower", ties="ignore")
    0.4
    """
    sample, value = as_sample("null", null, 1), as_number("value", value)
    if math.isnan(value):
        raise ValueError("value is NaN; allowed: a number")
    as_choice("tail", tail, ("lower", "upper"))
    as_choice("ties", ties, ("count", "ignore"))
    against = sample < value if tail == "lower" else sample > value
    if ties == "count":
        against |= _equal(sample, value)
    return (int(against.sum()) + 1) / (len(sample) + 1)


def _equal(sample: NDArray[np.float64], value: float) -> NDArray[np.bool_]:
    return np.isclose(sample, value, rtol=_RELATIVE, atol=_ABSOLUTE)


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
        has no spread, all its values being equal to rounding as in `empirical_p_value`.

    Raises
    ------
    ValueError
        For an empty null, or one with NaN or infinity.

    Examples
    --------
    >>> z_score(0.0, [1.0, 3.0])  # mean 2, standard deviation 1
    -2.0
    """
    sample, value = as_sample("null", null, 1), as_number("value", value)
    if _equal(sample, sample.max()).all():
        return math.nan
    return float((value - sample.mean()) / math.sqrt(variance(sample, ddof=0)))


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
    first, second = as_sample("a", a, 2), as_sample("b", b, 2)
    weights = np.array([len(first) - 1, len(second) - 1])
    variances = np.array([variance(first, ddof=1), variance(second, ddof=1)])
    pooled = math.sqrt(float(weights @ variances) / weights.sum())
    return float((first.mean() - second.mean()) / pooled) if pooled > 0 else math.nan
