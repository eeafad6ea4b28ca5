"""Intervals in closed form, from tables of others, and how often they cover what they should."""

from __future__ import annotations

import math

import numpy as np
import pandas as pd
import pytest
import scipy.stats
from hypothesis import given
from hypothesis import strategies as st

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

NUMBERS = st.integers(-5, 5)
PAIRS = pd.Series([1.0, 2, 3, 4, 5])


@pytest.mark.parametrize(
    ("call", "message"),
    [
        (lambda: mean_interval([]), "values has shape"),
        (lambda: mean_interval([1.0, 2.0], confidence=1.0), "confidence=1.0 is not allowed"),
        (lambda: welch_interval(1, 1, 5, 1, 1, 5, confidence=0.0), "confidence=0.0"),
        (lambda: proportion_interval(6, 5), "successes=6 of n=5"),
        (lambda: proportion_interval(0, 0), "n=0 is not allowed: a whole number of 1"),
        (lambda: proportion_interval(1, 2, confidence=95), "confidence=95"),
        (lambda: std_interval([1.0]), r"sample has shape \(1,\)"),
        (lambda: std_interval([1.0, np.nan]), "sample holds NaN"),
        (lambda: std_interval([1.0, 2.0], confidence=0), "confidence=0"),
        (lambda: told_apart(-1, 2, 5), "passed=-1 is not allowed: a whole number of 0"),
        (lambda: told_apart(3, 2, 5), "passed=3 of n=2 is not allowed"),
        (lambda: welch_interval(0, -1, 5, 0, 1, 5), r"std_a=-1\.0 and std_b=1\.0 are not allowed"),
        (lambda: rank_interval(PAIRS, PAIRS[::-1]), "b has the index of a in another order"),
        (lambda: told_apart(0, 0, 5), "n=0 is not allowed: a whole number of 1"),
    ],
)
def test_bad_samples_are_refused_by_name(call, message):
    with pytest.raises(ValueError, match=message):
        call()


# --- means, shares, spreads ----------------------------------------------------------------------


def test_mean_interval_of_three_numbers():
    # mean 2, standard error 1/sqrt(3); Student's quantile with 2 degrees of freedom has the closed
    # form q = (2p - 1) sqrt(2 / (4p (1 - p))) with p = 0.975
    quantile = 0.95 * math.sqrt(2 / (4 * 0.975 * 0.025))
    low, high = mean_interval([1, 2, 3])
    assert low == pytest.approx(2 - quantile / math.sqrt(3))
    assert high == pytest.approx(2 + quantile / math.sqrt(3))


def test_intervals_of_single_values_are_unknown():
    assert all(map(math.isnan, mean_interval([1.0])))
    assert all(map(math.isnan, welch_interval(1.0, 0.5, 1, 2.0, 0.5, 10)))


def test_welch_interval_agrees_with_the_test_on_raw_data():
    rng = np.random.default_rng(5)
    a, b = rng.normal(0, 1, 12), rng.normal(1, 3, 7)
    expected = scipy.stats.ttest_ind(a, b, equal_var=False).confidence_interval(0.9)
    found = welch_interval(a.mean(), a.std(ddof=1), 12, b.mean(), b.std(ddof=1), 7, confidence=0.9)
    assert found == pytest.approx((expected.low, expected.high))


@pytest.mark.parametrize("exponent", [-1000, -300, 500, 1020])
def test_welch_interval_has_the_scale_of_its_numbers(exponent):
    scale = 2.0**exponent
    ends = welch_interval(2.0, 1.0, 5, 1.0, 0.5, 4)
    found = welch_interval(2.0 * scale, scale, 5, scale, 0.5 * scale, 4)
    assert found == tuple(end * scale for end in ends)


def test_welch_interval_without_spread_is_a_point():
    assert welch_interval(3.0, 0.0, 4, 1.0, 0.0, 5) == (2.0, 2.0)


@pytest.mark.parametrize("n", [1, 5, 40])
def test_proportion_interval_of_none_and_all(n):
    # (1 - p)^n = 0.025 at the upper end of an interval around 0 of n
    edge = 1 - 0.025 ** (1 / n)
    assert proportion_interval(0, n) == pytest.approx((0.0, edge))
    assert proportion_interval(n, n) == pytest.approx((1 - edge, 1.0))


@given(n=st.integers(1, 40), data=st.data())
def test_proportion_interval_holds_the_proportion_and_grows_with_confidence(n, data):
    successes = data.draw(st.integers(0, n))
    low, high = proportion_interval(successes, n)
    wide_low, wide_high = proportion_interval(successes, n, confidence=0.99)
    assert 0 <= wide_low <= low <= successes / n <= high <= wide_high <= 1


def test_std_interval_of_three_values_in_closed_form():
    # chi-squared with two degrees of freedom is exponential with mean 2
    low, high = std_interval([0.0, 1.0, 2.0])
    assert (low, high) == pytest.approx([1 / np.sqrt(-np.log(tail)) for tail in (0.025, 0.975)])


def test_std_interval_covers_as_often_as_it_says():
    rng = np.random.default_rng(1)
    samples = rng.normal(5.0, 2.0, size=(2000, 12))
    found = [std_interval(sample, confidence=0.9) for sample in samples]
    covered = np.mean([low <= 2.0 <= high for low, high in found])
    assert covered == pytest.approx(0.9, abs=4 * np.sqrt(0.9 * 0.1 / 2000))


# --- differences of shares -----------------------------------------------------------------------


@given(n=st.integers(1, 30), data=st.data())
def test_interval_for_a_difference_of_shares(n, data):
    a, b = (data.draw(st.integers(0, n)) for _ in range(2))
    low, high = share_difference_interval(a, n, b, n)
    assert low <= (a - b) / n <= high
    mirrored = share_difference_interval(b, n, a, n)
    assert mirrored == pytest.approx((-high, -low))
    narrow = share_difference_interval(a, n, b, n, confidence=0.5)
    assert low - 1e-12 <= narrow[0]
    assert narrow[1] <= high + 1e-12


def test_interval_of_newcombes_paper():
    # his table II, method 10: 56/70 - 48/80 and 9/10 - 3/10
    assert share_difference_interval(56, 70, 48, 80) == pytest.approx((0.0524, 0.3339), abs=5e-5)
    assert share_difference_interval(9, 10, 3, 10) == pytest.approx((0.1705, 0.8090), abs=5e-5)


def test_shares_that_fisher_tells_apart():
    assert told_apart(10, 10, 10) == [0, 1, 2, 3, 4, 5]  # six of ten has p = 0.087
    assert told_apart(1, 2, 2) == []


# --- ranks ---------------------------------------------------------------------------------------


@pytest.mark.parametrize(("n", "left_out"), [(6, 0), (9, 1), (10, 1), (12, 2), (20, 5)])
def test_interval_for_a_median(n, left_out):
    # the tables of the sign test, two-sided at 5 %
    assert median_interval(range(n)) == (left_out, n - 1 - left_out)
    assert median_interval([0.0] * 5) == (-math.inf, math.inf)


@given(
    a=st.lists(NUMBERS, min_size=4, max_size=9),
    b=st.lists(NUMBERS, min_size=4, max_size=9),
)
def test_interval_for_a_shift_leaves_out_0_just_where_the_rank_test_does(a, b):
    # without ties: b is moved by half a step, and no two values of a sample are the same
    first = np.array(a) + 1e-3 * np.arange(len(a))
    second = np.array(b) + 0.5 + 1e-3 * np.arange(len(b))
    low, high = shift_interval(first, second)
    p = scipy.stats.mannwhitneyu(first, second, method="exact").pvalue
    assert (low > 0 or high < 0) == (p <= 0.05)


@pytest.mark.parametrize(("n", "k"), [(10, 1), (20, 5), (67, 25)])
def test_a_median_interval_is_no_wider_where_its_chance_is_that_of_a_tail(n, k):
    tail = sum(math.comb(n, i) for i in range(k + 1))
    assert median_interval(np.arange(n), 1 - 2 * tail / 2**n) == (k, n - 1 - k)


def test_shift_moves_with_a_sample_and_not_with_an_outlier():
    low, high = shift_interval(np.arange(10.0) + 100, np.arange(10.0))
    assert (low + high) / 2 == 100
    moved = np.append(np.arange(9.0), 1e9)
    assert shift_interval(moved + 100, np.arange(10.0))[1] < 110
    assert shift_interval([1.0], [2.0]) == (-math.inf, math.inf)


def test_correlation_of_ranks():
    a = np.arange(60.0)
    low, high = rank_interval(a, a**3)
    assert 0.99 < low <= high <= 1
    assert rank_interval(a, -a)[1] < -0.99
    # no correlation: tanh(1.96 / sqrt(57)) on both sides
    even = np.concatenate([a, a])
    other = np.concatenate([a, a[::-1]])
    end = math.tanh(1.959964 / math.sqrt(117))
    assert rank_interval(even, other) == pytest.approx((-end, end))
    assert rank_interval([1, 2, 3], [1, 2, 3]) == (-1, 1)
    assert np.isnan(rank_interval([1, 1, 1, 1], [1, 2, 3, 4])).all()
