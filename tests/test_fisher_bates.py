"""Percentiles, and p-values of many: values that one can work out by hand, and promised chances."""

from __future__ import annotations

import math
from fractions import Fraction

import numpy as np
import pytest
import scipy.stats
from hypothesis import assume, given
from hypothesis import strategies as st

from modclust_utils import stats
from modclust_utils.stats import (
    bates_p_value,
    benjamini_hochberg,
    centered_percentile,
    fisher_p_value,
    fisher_statistic,
)

UNIFORM = (np.arange(20) + 0.5) / 20

# --- percentiles ---------------------------------------------------------------------------------


@pytest.mark.parametrize(
    ("value", "tail", "expected"),
    [
        (0.5, "lower", Fraction(1, 10)),  # rank 1 of 5, less half a step
        (2.5, "lower", Fraction(5, 10)),
        (9.0, "lower", Fraction(9, 10)),
        (9.0, "upper", Fraction(1, 10)),
        (0.5, "upper", Fraction(9, 10)),
        (2.0, "lower", Fraction(4, 10)),  # ranks 2 and 3 are shared: 2.5
        (2.0, "upper", Fraction(6, 10)),
        (2.0 + 1e-13, "lower", Fraction(4, 10)),  # the same to rounding
    ],
)
def test_percentile_is_the_rank_among_all_less_half_a_step(value, tail, expected):
    found = centered_percentile(value, [1, 2, 3, 4], tail=tail)
    assert found == pytest.approx(float(expected), abs=1e-15)


def test_the_best_of_20_has_the_percentile_of_the_paper():
    assert centered_percentile(1.0, np.zeros(19), tail="upper") == 1 / 20 - 1 / 40


def test_where_all_are_equal_the_percentile_is_in_the_middle():
    for tail in ("lower", "upper"):
        assert centered_percentile(0.25, np.full(19, 0.25), tail=tail) == 0.5


@given(values=st.lists(st.integers(-3, 3), min_size=2, max_size=20))
def test_percentiles_of_all_values_have_the_mean_of_a_uniform_number(values):
    """Each in turn as the true one; ties or not."""
    array = np.array(values, float)
    for tail in ("lower", "upper"):
        found = [
            centered_percentile(x, np.delete(array, i), tail=tail) for i, x in enumerate(array)
        ]
        assert np.mean(found) == pytest.approx(0.5)
        ranks = scipy.stats.rankdata(array if tail == "lower" else -array)
        np.testing.assert_allclose(found, (ranks - 0.5) / len(array))


@pytest.mark.parametrize(
    ("value", "values", "tail", "message"),
    [
        (1.0, [], "lower", r"random_values has shape \(0,\)"),
        (1.0, [1.0, math.nan], "lower", "random_values holds NaN"),
        (math.nan, [1.0], "lower", "value=nan is not allowed: a finite number"),
        (1.0, [1.0], "both", "tail='both' is not allowed: 'lower' or 'upper'"),
    ],
)
def test_percentile_refuses_what_has_no_rank(value, values, tail, message):
    with pytest.raises(ValueError, match=message):
        centered_percentile(value, values, tail=tail)


# --- Fisher --------------------------------------------------------------------------------------


def test_statistic_of_uniform_ranks_is_that_of_the_paper():
    # -log of the product (1 * 3 * ... * 39) / 40^20, over 20
    product = math.prod(range(1, 40, 2))
    expected = (20 * math.log(40) - math.log(product)) / 20
    assert fisher_statistic(UNIFORM) == pytest.approx(expected)
    assert round(fisher_statistic(UNIFORM), 3) == 0.983


def test_p_value_of_two_percentiles_in_closed_form():
    # the product of two uniform numbers is below q with probability q - q log q
    q = 0.1 * 0.3
    assert fisher_p_value([0.1, 0.3]) == pytest.approx(q - q * math.log(q))
    assert fisher_p_value([1.0, 1.0]) == 1.0


def test_p_value_is_that_of_fishers_method_in_scipy():
    centered = np.random.default_rng(0).choice(UNIFORM, 50)
    expected = scipy.stats.combine_pvalues(centered, method="fisher").pvalue
    assert fisher_p_value(centered) == pytest.approx(expected)


def test_under_the_null_few_p_values_are_small():
    """Percentiles of 19 random sets make the test conservative, and not by much."""
    rng = np.random.default_rng(1)
    small = [fisher_p_value(rng.choice(UNIFORM, 60)) <= 0.05 for _ in range(4000)]
    assert 0.02 < np.mean(small) < 0.05


@pytest.mark.parametrize("function", [fisher_statistic, fisher_p_value])
@pytest.mark.parametrize(
    ("centered", "message"),
    [
        ([], r"centered has shape \(0,\)"),
        ([0.5, 0.0], "centered has 0.0; allowed: numbers above 0, up to 1"),
        ([1.5], "centered has 1.5"),
        ([0.5, math.nan], "centered holds NaN"),
    ],
)
def test_fisher_refuses_what_is_no_percentile(function, centered, message):
    with pytest.raises(ValueError, match=message):
        function(centered)


# --- Bates ---------------------------------------------------------------------------------------


@pytest.mark.parametrize(
    ("mean_p", "n", "expected"),
    [
        (0.3, 1, Fraction(3, 10)),
        (0.75, 2, Fraction(7, 8)),  # all but a triangle with legs of 1/2
        (0.5, 5, Fraction(1, 2)),
        (0.1, 5, Fraction(1, 2**5 * 120)),  # (n mean)^n / n! up to a sum of 1
        (0.3, 3, Fraction(9**3 - 0, 10**3 * 6)),
        (0.4, 3, Fraction(12**3 - 3 * 2**3, 10**3 * 6)),  # less 3 (x - 1)^3 / 3! from there
        (0.0, 5, Fraction(0)),
        (1.0, 5, Fraction(1)),
    ],
)
def test_bates_values(mean_p, n, expected):
    assert bates_p_value(mean_p, n) == pytest.approx(float(expected), rel=1e-9, abs=1e-15)


def test_bates_value_of_means_of_uniform_numbers_is_uniform():
    means = np.random.default_rng(2).random((4000, 5)).mean(1)
    found = [bates_p_value(mean, 5) for mean in means]
    assert scipy.stats.kstest(found, "uniform").pvalue > 0.001


@pytest.mark.parametrize(
    ("mean_p", "n", "message"),
    [
        (1.5, 5, "mean_p=1.5 is not allowed: a number from 0 to 1"),
        (math.nan, 5, "mean_p=nan is not allowed"),
        (0.5, 0, "n=0 is not allowed: a whole number of 1 or more"),
        (0.5, 2.5, "n=2.5 is not allowed"),
        (0.5, True, "n=True is not allowed"),
    ],
)
def test_bates_refuses_what_is_no_mean_of_p_values(mean_p, n, message):
    with pytest.raises(ValueError, match=message):
        bates_p_value(mean_p, n)


# --- Benjamini and Hochberg ----------------------------------------------------------------------


def test_the_example_of_benjamini_and_hochberg():
    """Their section 3.2: 15 p-values, of which the four smallest are rejected at 0.05."""
    p = [0.0001, 0.0004, 0.0019, 0.0095, 0.0201, 0.0278, 0.0298, 0.0344]
    p += [0.0459, 0.3240, 0.4262, 0.5719, 0.6528, 0.7590, 1.0000]
    order = np.random.default_rng(0).permutation(15)
    rejected, critical_p = benjamini_hochberg(np.array(p)[order], alpha=0.05)
    assert (rejected == (order < 4)).all()
    assert critical_p == 0.0095


def test_nothing_or_everything_may_be_rejected():
    rejected, critical_p = benjamini_hochberg([0.2, 0.4], alpha=0.05)
    assert not rejected.any()
    assert critical_p == 0.0
    rejected, critical_p = benjamini_hochberg([0.0, 0.05], alpha=0.05)
    assert rejected.all()
    assert critical_p == 0.05


@given(p=st.lists(st.floats(0, 1), min_size=1, max_size=12), alpha=st.floats(0.01, 0.5))
def test_rejected_are_those_up_to_the_last_rank_under_the_line(p, alpha):
    ordered, m = np.sort(p), len(p)
    line = alpha * np.arange(1, m + 1) / m
    assume(not np.isclose(ordered, line, rtol=1e-12, atol=0).any())  # there rounding decides
    under = np.flatnonzero(ordered <= line)
    expected = ordered[under[-1]] if len(under) else -1.0
    rejected, critical_p = benjamini_hochberg(p, alpha=alpha)
    assert rejected.tolist() == [x <= expected for x in p]
    assert critical_p == max(expected, 0.0)


@pytest.mark.parametrize(
    ("p", "alpha", "message"),
    [
        ([], 0.05, r"p_values has shape \(0,\)"),
        ([0.5, 1.1], 0.05, "p_values has 1.1; allowed: numbers from 0 to 1"),
        ([0.5, math.nan], 0.05, "p_values holds NaN"),
        ([0.5], 0.0, "alpha=0.0 is not allowed: a number between 0 and 1"),
        ([0.5], 1.0, "alpha=1.0 is not allowed"),
    ],
)
def test_correction_refuses_what_is_no_p_value(p, alpha, message):
    with pytest.raises(ValueError, match=message):
        benjamini_hochberg(p, alpha=alpha)


def test_stats_names_them():
    names = {"centered_percentile", "fisher_statistic", "fisher_p_value"}
    assert names | {"bates_p_value", "benjamini_hochberg"} <= set(stats.__all__)


def test_bates_p_value_stays_a_probability():
    """The distribution function has rounding of its own: 1.0000000000000002 is no p-value."""
    found = [bates_p_value(p, n) for n in (5, 6, 10) for p in np.linspace(0.9, 1, 500)]
    assert max(found) == 1
