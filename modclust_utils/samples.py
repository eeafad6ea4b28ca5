"""Samples of one number: what counts as one, and its shape."""

from __future__ import annotations

import math

import numpy as np
import scipy.stats
from numpy.typing import ArrayLike, NDArray

from modclust_utils.doors import as_number, as_sample


def variance(sample: NDArray[np.float64], ddof: int) -> float:
    """Variance of a sample, divided by n - ddof; exactly 0 where it does not vary."""
    # the mean of equal numbers is not always that number, to the last bit
    return 0.0 if np.ptp(sample) == 0 else float(sample.var(ddof=ddof))


def skewness(values: ArrayLike) -> float:
    """Skewness of a sample, corrected for its size: above 0 with a long right tail.

    NaN where it does not vary; ValueError for fewer than three values, NaN or infinity.

    Examples
    --------
    >>> skewness([1.0, 2.0, 3.0])
    0.0
    """
    sample = as_sample("values", values, 3)
    if np.ptp(sample) == 0:
        return math.nan
    return float(scipy.stats.skew(sample, bias=False))


def n_modes(values: ArrayLike, least: float = 0.05) -> int:
    """How many groups a sample falls into, by the valleys of its density.

    Parameters
    ----------
    values : array_like ``(n,)``
        The sample.
    least : float
        The share of the sample that a group needs to count.

    Returns
    -------
    int
        A valley of the kernel density (Silverman's bandwidth) divides two groups where it is at
        most half as high as the lower of the highest points on both sides.

    Raises
    ------
    ValueError
        For fewer than two values, NaN or infinity.

    References
    ----------
    .. [1] Silverman 1986, "Density Estimation for Statistics and Data Analysis", equation 3.31.

    Examples
    --------
    >>> n_modes([0.0, 0.1, 0.2, 0.3] * 10 + [9.0, 9.1, 9.2, 9.3] * 5)
    2
    """
    sample, least = as_sample("values", values, 2), as_number("least", least)
    quartiles = np.quantile(sample, [0.25, 0.75])
    width = 0.9 * len(sample) ** -0.2 * min(sample.std(ddof=1), np.ptp(quartiles) / 1.34)
    if width == 0:
        return 1
    grid = np.linspace(sample.min() - 3 * width, sample.max() + 3 * width, 500)
    density = np.exp(-0.5 * ((grid[:, None] - sample) / width) ** 2).sum(axis=1)
    cuts, start = [], 0
    for i in np.flatnonzero((density[1:-1] < density[:-2]) & (density[1:-1] <= density[2:])) + 1:
        if density[i] <= 0.5 * min(density[start:i].max(), density[i:].max()):
            cuts.append(grid[i])
            start = i
    sizes = np.bincount(np.searchsorted(cuts, sample), minlength=len(cuts) + 1)
    return max(1, int((sizes >= least * len(sample)).sum()))


def far_out(values: ArrayLike) -> NDArray[np.bool_]:
    """Which values are far from the rest: more than three interquartile ranges beyond a quartile
    (Tukey's outer fences).

    Raises
    ------
    ValueError
        For an empty sample, NaN or infinity.

    Examples
    --------
    >>> far_out([1.0, 2.0, 3.0, 4.0, 50.0]).tolist()  # quartiles 2 and 4, the fence is at 10
    [False, False, False, False, True]
    """
    sample = as_sample("values", values, 1)
    low, high = np.quantile(sample, [0.25, 0.75])
    reach = 3 * (high - low)
    return (sample < low - reach) | (sample > high + reach)
