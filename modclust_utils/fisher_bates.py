"""From percentiles of sub-clusters to one p-value for a kind of network (papers B and B').

Each sub-cluster is ranked among random sets of its size and layer (`centered_percentile`); the
percentiles of a network make a Fisher statistic and its p-value; the mean p-value of several
networks goes through the distribution of Bates; Benjamini and Hochberg correct for many tests.
"""

from __future__ import annotations

import math
from typing import Literal

import numpy as np
import scipy.stats
from numpy.typing import ArrayLike, NDArray

from modclust_utils.doors import as_choice, as_count, as_number, as_sample, as_share

#: Measures that are equal up to rounding tie: of two sets with the same hits, added otherwise.
TIED_ABSOLUTE, TIED_RELATIVE = 1e-12, 1e-9


def centered_percentile(
    value: float, random_values: ArrayLike, *, tail: Literal["lower", "upper"]
) -> float:
    """Rank of a sub-cluster's measure among those of random sets, as a share centred around 0.5.

    (r - 1/2) / m, where r is the rank of `value` among all m values, itself and n = m - 1 random
    ones: with 19 random sets the rank among 20, over 20, minus 1/40.

    Parameters
    ----------
    value : float
        The measure of the sub-cluster.
    random_values : array_like ``(n,)``
        The same of n random sets of its size and layer; paper B takes 19.
    tail : {"lower", "upper"}
        Which end has rank 1, and counts as evidence: "upper" for measures that are large in
        specialized sub-clusters (accuracy drop, class range, score), "lower" for the entropy.

    Returns
    -------
    float
        Between 0 and 1; small where the sub-cluster is extreme. Where it is as likely to have any
        rank as another, the mean is 0.5.

    Raises
    ------
    ValueError
        For no random values, NaN, infinity, or another tail.

    Notes
    -----
    Values that tie (apart by 1e-12 and 1e-9 of the value at most) share the mean of their ranks:
    that keeps the mean at 0.5, and makes no statistic larger, in expectation, than ranks drawn
    among the tied would.

    References
    ----------
    .. [1] Casper et al. 2022 (paper B), appendix A.2.3.

    Examples
    --------
    Of four values the sub-cluster's is the largest: rank 1 of 4.

    >>> centered_percentile(9.0, [1.0, 2.0, 3.0], tail="upper")
    0.125
    """
    sample, value = as_sample("random_values", random_values, 1), as_number("value", value)
    if not math.isfinite(value):
        raise ValueError(f"value={value!r} is not allowed: a finite number")
    as_choice("tail", tail, ("lower", "upper"))
    tied = np.isclose(sample, value, rtol=TIED_RELATIVE, atol=TIED_ABSOLUTE)
    beyond = (sample < value if tail == "lower" else sample > value) & ~tied
    return (int(beyond.sum()) + (int(tied.sum()) + 1) / 2) / (len(sample) + 1)


def fisher_statistic(centered: ArrayLike) -> float:
    """The Fisher statistic of a network: the mean of -log p over its centred percentiles.

    Parameters
    ----------
    centered : array_like ``(n,)``
        From `centered_percentile`, one for each sub-cluster.

    Returns
    -------
    float
        About 1 for sub-clusters like random ones (0.983 for the ranks 1 to 20, each once), larger
        where many percentiles are low.

    Raises
    ------
    ValueError
        For no percentiles, or one that does not lie above 0 and up to 1.

    References
    ----------
    .. [1] Casper et al. 2022 (paper B), appendix A.2.3.

    Examples
    --------
    >>> round(fisher_statistic((np.arange(20) + 0.5) / 20), 3)
    0.983
    """
    return float(-np.log(_shares(centered, "centered")).mean())


def fisher_p_value(centered: ArrayLike) -> float:
    """p-value of a network: how often random sub-clusters would have such a Fisher statistic.

    2 n times the statistic of n uniform percentiles has the chi-squared distribution with 2 n
    degrees of freedom; its upper tail counts.

    Parameters
    ----------
    centered : array_like ``(n,)``
        As in `fisher_statistic`.

    Returns
    -------
    float
        Small where many percentiles are low.

    Raises
    ------
    ValueError
        As in `fisher_statistic`.

    Notes
    -----
    Percentiles of 19 random sets are no lower than 1/40, which makes the test conservative.

    References
    ----------
    .. [1] Casper et al. 2022 (paper B), appendix A.2.3.

    Examples
    --------
    One percentile is its own p-value.

    >>> round(fisher_p_value([0.025]), 12)
    0.025
    """
    n = len(_shares(centered, "centered"))
    return float(scipy.stats.chi2.sf(2 * n * fisher_statistic(centered), 2 * n))


def bates_p_value(mean_p: float, n: int) -> float:
    """p-value of n networks from the mean of their p-values.

    The mean of n independent uniform numbers has the distribution of Bates: their sum that of Irwin
    and Hall. This is its share at or below `mean_p`.

    Parameters
    ----------
    mean_p : float
        Mean of n p-values, from 0 to 1.
    n : int
        How many networks; paper B has 5.

    Returns
    -------
    float
        For small means (n mean_p)^n / n!, which is much smaller than `mean_p`; 0.5 at 0.5.

    Raises
    ------
    ValueError
        For a mean outside 0 to 1, or n below 1.

    References
    ----------
    .. [1] Casper et al. 2022 (paper B), appendix A.2.3.

    Examples
    --------
    The sum of two is below 0.2 in a triangle of area 0.2^2 / 2.

    >>> round(bates_p_value(0.1, 2), 12)
    0.02
    """
    if not 0 <= as_number("mean_p", mean_p) <= 1:
        raise ValueError(f"mean_p={mean_p!r} is not allowed: a number from 0 to 1")
    n = as_count("n", n)
    # which rounding may carry past its ends
    return float(np.clip(scipy.stats.irwinhall.cdf(n * mean_p, n), 0, 1))


def benjamini_hochberg(p_values: ArrayLike, *, alpha: float) -> tuple[NDArray[np.bool_], float]:
    """Which of many tests are significant while few of those are so by chance.

    Of m p-values in ascending order the first r are rejected, where r is the largest rank with
    p_r <= alpha r / m: then the expected share of true hypotheses among the rejected is at most
    alpha, for independent tests.

    Parameters
    ----------
    p_values : array_like ``(m,)``
        p-values from 0 to 1.
    alpha : float
        The false discovery rate that is allowed; papers B and B' take 0.05.

    Returns
    -------
    rejected : ndarray of bool ``(m,)``
        In the order of the p-values.
    critical_p : float
        The largest p-value that is rejected; 0 where nothing is.

    Raises
    ------
    ValueError
        For no p-values, one outside 0 to 1, or an alpha that is not between 0 and 1.

    References
    ----------
    .. [1] Benjamini and Hochberg 1995, Journal of the Royal Statistical Society B 57(1).

    Examples
    --------
    0.03 is above 0.05 / 3, but not above 2 * 0.05 / 3.

    >>> rejected, critical_p = benjamini_hochberg([0.03, 0.9, 0.02], alpha=0.05)
    >>> rejected.tolist(), critical_p
    ([True, False, True], 0.03)
    """
    p = _shares(p_values, "p_values", zero=True)
    alpha = as_share("alpha", alpha, "a number between 0 and 1")
    rejected = scipy.stats.false_discovery_control(p, method="bh") <= alpha
    return rejected, float(p[rejected].max(initial=0.0))


def _shares(values: ArrayLike, name: str, *, zero: bool = False) -> NDArray[np.float64]:
    sample = as_sample(name, values, 1)
    outside = (sample < 0) | (sample > 1) | ((sample == 0) & (not zero))
    if outside.any():
        allowed = "numbers from 0 to 1" if zero else "numbers above 0, up to 1"
        raise ValueError(f"{name} has {sample[outside][0]}; allowed: {allowed}")
    return sample
