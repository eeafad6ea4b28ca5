"""Printed p-values that sit on a lattice, and the design of shuffles that puts them there.

All 240 p-values of paper A, Tables A.4 to A.15, have the form (10 m + 1) / 321. The paper speaks
of 320 shuffles for each network, and p = (r + 1) / 321 with r of them below it. Were they
independent, r could be any number up to 320. It is always a multiple of ten, as if 32 different
shuffles had been counted ten times each. That happens when ten worker processes inherit one random
state. The smallest p-value that 32 shuffles can support is 1/33, not 1/321.
"""

from __future__ import annotations

import math

import numpy as np
from numpy.typing import ArrayLike, NDArray

from modclust_utils.doors import as_count, as_number, as_numbers, as_rng, check_kind

_MOST_DECIMALS = 12


def lattice_index(
    p_values: ArrayLike, *, n_shuffles: int = 320, copies: int = 10, decimals: int = 3
) -> tuple[NDArray[np.int64], NDArray[np.bool_]]:
    """Where printed p-values stand on the lattice (copies * m + 1) / (n_shuffles + 1).

    Parameters
    ----------
    p_values : array_like ``(n,)``
        Printed to `decimals` places.
    n_shuffles : int
        Shuffles behind each p-value, repeated ones counted.
    copies : int
        How often each different shuffle was counted; a divisor of n_shuffles.
    decimals : int
        From 1 to 12.

    Returns
    -------
    m : ndarray of int ``(n,)``
        The nearest point of the lattice, from 0 to n_shuffles / copies.
    fits : ndarray of bool ``(n,)``
        Whether that point rounds to the printed value.

    Raises
    ------
    ValueError
        For p-values outside 0 to 1, and for other numbers than these.

    Examples
    --------
    1/321 is printed as 0.003 and 11/321 as 0.034; nothing on the lattice is printed as 0.04.

    >>> lattice_index([0.003, 0.034, 0.04])
    (array([0, 1, 1]), array([ True,  True, False]))
    """
    n_distinct = _distinct(n_shuffles, copies)
    decimals = _check_decimals(decimals)
    printed = as_numbers("p_values", p_values)
    if printed.ndim != 1 or not ((printed >= 0) & (printed <= 1)).all():
        raise ValueError(
            f"p_values with shape {printed.shape} is not allowed: (n,), each from 0 to 1"
        )
    printed = np.round(printed, decimals)
    m = np.rint((printed * (n_shuffles + 1) - 1) / copies).clip(0, n_distinct).astype(np.int64)
    nearest = (copies * m + 1) / (n_shuffles + 1)
    # half a unit of the last digit; a point just between two printed values fits both
    return m, np.abs(nearest - printed) <= (0.5 + 1e-6) * 10.0**-decimals


def chance_of_fitting(
    n_shuffles: int = 320, copies: int = 10, decimals: int = 3, *, inner: bool = False
) -> float:
    """Share of all p-values (r + 1) / (n_shuffles + 1), r = 0 to n_shuffles, that fit the lattice.

    This is how often a p-value of independent shuffles would fit by accident, or by rounding, were
    each r equally likely. The smallest and the largest p-value fit every design: `inner` leaves
    both out. Raises ValueError as `lattice_index`, and where nothing is left.
    """
    _distinct(n_shuffles, copies)
    check_kind("inner", inner, bool, "True or False")
    r = np.arange(1, n_shuffles) if inner else np.arange(n_shuffles + 1)
    if len(r) == 0:
        raise ValueError(f"n_shuffles={n_shuffles} is not allowed with inner=True: 2 or more")
    possible = (r + 1) / (n_shuffles + 1)
    _, fits = lattice_index(possible, n_shuffles=n_shuffles, copies=copies, decimals=decimals)
    return float(fits.mean())


def repeated_p_values(
    ncut: float,
    null_ncuts: ArrayLike,
    *,
    n_distinct: int = 32,
    copies: int = 10,
    n_draws: int,
    rng: np.random.Generator,
) -> NDArray[np.float64]:
    """p-values ``(n_draws,)`` of a network under the design that repeats its shuffles.

    null_ncuts: ``(n,)``, the n-cuts of independent shuffles. Each draw takes n_distinct of them
    without replacement and counts each `copies` times: p = (r + 1) / (n_distinct * copies + 1) with
    r of these strictly below the network's n-cut, as the papers count. Raises ValueError for NaN or
    infinity, and for fewer than n_distinct shuffles.
    """
    n_distinct, copies = as_count("n_distinct", n_distinct), as_count("copies", copies)
    n_draws = as_count("n_draws", n_draws)
    null, ncut, rng = as_numbers("null_ncuts", null_ncuts), as_number("ncut", ncut), as_rng(rng)
    if null.ndim != 1 or len(null) < n_distinct or not np.isfinite(null).all():
        raise ValueError(
            f"null_ncuts with shape {null.shape} is not allowed: "
            f"{n_distinct} or more finite numbers"
        )
    if not math.isfinite(ncut):
        raise ValueError(f"ncut={ncut!r} is not allowed: a finite number")
    order = rng.permuted(np.tile(np.arange(len(null)), (n_draws, 1)), axis=1)
    below = null[order[:, :n_distinct]] < ncut
    counted = np.repeat(below, copies, axis=1)
    return (counted.sum(axis=1) + 1) / (n_distinct * copies + 1)


def expected_d_spread(n_distinct: int, copies: int = 1) -> float:
    """Standard deviation of Cohen's d of two nulls that are one distribution.

    Each null has n_distinct independent shuffles with normal n-cuts, counted `copies` times each.
    d is then sqrt(2 / n_distinct) times a t variable with 2 (n_distinct - 1) degrees of freedom,
    and a little larger with copies, whose sample variance is too small. Raises ValueError for fewer
    than three shuffles, where d has no variance.
    """
    n, copies = as_count("n_distinct", n_distinct), as_count("copies", copies)
    if n < 3:
        raise ValueError(f"n_distinct={n} is not allowed: 3 or more")
    return math.sqrt(2 / n * (copies * n - 1) / (copies * (n - 2)))


def chance_significant(n_below: int, n_null: int, n_distinct: int = 32) -> float:
    """Probability that none of n_distinct shuffles, drawn from n_null, is among the n_below below.

    So often the design of `repeated_p_values` prints its smallest p-value for a network that has
    n_below of n_null independent shuffles below it (the hypergeometric distribution at 0, exact).
    Raises ValueError for more below than there are, or more drawn.
    """
    n_null, n_distinct = as_count("n_null", n_null), as_count("n_distinct", n_distinct)
    n_below = as_count("n_below", n_below, 0)
    if n_below > n_null or n_distinct > n_null:
        raise ValueError(
            f"n_below={n_below} and n_distinct={n_distinct} are not allowed: "
            f"at most n_null={n_null} each"
        )
    return math.comb(n_null - n_below, n_distinct) / math.comb(n_null, n_distinct)


def _distinct(n_shuffles: int, copies: int) -> int:
    n_shuffles, copies = as_count("n_shuffles", n_shuffles), as_count("copies", copies)
    if n_shuffles % copies:
        raise ValueError(f"copies={copies} is not allowed: a divisor of n_shuffles={n_shuffles}")
    return n_shuffles // copies


def _check_decimals(decimals: int) -> int:
    decimals = as_count("decimals", decimals)
    if decimals > _MOST_DECIMALS:
        raise ValueError(f"decimals={decimals} is not allowed: 1 to {_MOST_DECIMALS}")
    return decimals
