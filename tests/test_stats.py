"""Statistics whose values one can work out by hand, and the properties that they promise."""

from __future__ import annotations

import math
from fractions import Fraction

import numpy as np
import pytest
import scipy.stats
from hypothesis import given
from hypothesis import strategies as st

from modclust_utils.stats import (
    cohens_d,
    empirical_p_value,
    far_out,
    mean_interval,
    median_interval,
    n_modes,
    proportion_interval,
    rank_interval,
    share_difference_interval,
    shift_interval,
    skewness,
    std_interval,
    told_apart,
    welch_interval,
    z_score,
)

NUMBERS = st.integers(-5, 5)
SAMPLES = st.lists(NUMBERS, min_size=2, max_size=20)

# --- p-values ------------------------------------------------------------------------------------


@pytest.mark.parametrize(
    ("value", "tail", "expected"),
    [
        (0.5, "lower", Fraction(1, 5)),  # below all four
        (2.0, "lower", Fraction(2, 5)),  # one below; the tie does not count
        (9.0, "lower", Fraction(5, 5)),
        (9.0, "upper", Fraction(1, 5)),
        (2.0, "upper", Fraction(3, 5)),
        (0.5, "upper", Fraction(5, 5)),
    ],
)
def test_p_value_counts_what_is_beyond_and_itself(value, tail, expected):
    assert empirical_p_value(value, [1, 2, 3, 4], tail=tail) == float(expected)


def test_smallest_p_value_of_320_shuffles_is_1_in_321():
    assert empirical_p_value(0.0, np.ones(320), tail="lower") == 1 / 321


@given(value=NUMBERS, null=st.lists(NUMBERS, min_size=1, max_size=20))
def test_p_value_lies_between_its_bounds_and_mirrors(value, null):
    lower = empirical_p_value(value, null, tail="lower")
    assert 1 / (len(null) + 1) <= lower <= 1
    assert lower == empirical_p_value(-value, [-x for x in null], tail="upper")
    ties = null.count(value)
    upper = empirical_p_value(value, null, tail="upper")
    assert lower + upper == pytest.approx((len(null) + 2 - ties) / (len(null) + 1))


def test_p_value_is_uniform_where_value_and_null_are_alike():
    rng = np.random.default_rng(3)
    p = [empirical_p_value(x[0], x[1:], tail="lower") for x in rng.normal(size=(4000, 20))]
    counts = np.bincount(np.round(np.multiply(p, 20)).astype(int), minlength=21)[1:]
    assert counts.sum() == 4000
    assert scipy.stats.chisquare(counts).pvalue > 0.001


@pytest.mark.parametrize(
    ("value", "null", "tail", "message"),
    [
        (1.0, [], "lower", r"null has shape \(0,\)"),
        (1.0, [[1.0]], "lower", r"null has shape \(1, 1\)"),
        (1.0, [1.0, math.nan], "lower", "null holds NaN"),
        (math.nan, [1.0], "lower", "value is NaN"),
        (1.0, [1.0], "both", "tail='both' is not allowed"),
    ],
)
def test_p_value_refuses_what_is_no_sample(value, null, tail, message):
    with pytest.raises(ValueError, match=message):
        empirical_p_value(value, null, tail=tail)


# --- effect sizes --------------------------------------------------------------------------------


def test_z_score_uses_the_population_standard_deviation():
    # mean 5, population variance 4 (the sample variance would be 32/7)
    assert z_score(1.0, [2, 4, 4, 4, 5, 5, 7, 9]) == -2.0


def test_cohens_d_pools_sample_standard_deviations():
    # sample variances 1 and 10 with 2 and 4 degrees of freedom: pooled (2 * 1 + 4 * 10) / 6 = 7
    assert cohens_d([1, 2, 3], [0, 2, 4, 6, 8]) == pytest.approx((2 - 4) / math.sqrt(7))


@given(a=SAMPLES, b=SAMPLES)
def test_cohens_d_changes_sign_with_the_order_and_keeps_under_shift_and_scale(a, b):
    d = cohens_d(a, b)
    if math.isnan(d):
        assert len(set(a)) == len(set(b)) == 1
        return
    assert cohens_d(b, a) == pytest.approx(-d)
    scaled = cohens_d([3 * x + 1 for x in a], [3 * x + 1 for x in b])
    assert scaled == pytest.approx(d, abs=1e-12)


@pytest.mark.parametrize("constant", [0.1, 1.0, 1e-300, 0.30000000000000004])
def test_without_spread_there_is_no_effect_size(constant):
    assert math.isnan(z_score(1.0, [constant] * 3))
    assert math.isnan(cohens_d([constant] * 3, [2 * constant] * 7))


@pytest.mark.parametrize(
    ("call", "message"),
    [
        (lambda: z_score(1.0, []), "null has shape"),
        (lambda: z_score(1.0, [1.0, math.inf]), "null holds NaN or infinity"),
        (lambda: cohens_d([1.0], [1.0, 2.0]), "a has shape .* n of 2 or more"),
        (lambda: cohens_d([1.0, 2.0], [1.0]), "b has shape .* n of 2 or more"),
        (lambda: cohens_d([1.0, 2.0], [1.0, math.nan]), "b holds NaN"),
        (lambda: mean_interval([]), "values has shape"),
        (lambda: mean_interval([1.0, 2.0], confidence=1.0), "confidence=1.0 is not allowed"),
        (lambda: welch_interval(1, 1, 5, 1, 1, 5, confidence=0.0), "confidence=0.0"),
        (lambda: proportion_interval(6, 5), "successes=6 of n=5"),
        (lambda: proportion_interval(0, 0), "successes=0 of n=0"),
        (lambda: proportion_interval(1, 2, confidence=95), "confidence=95"),
        (lambda: std_interval([1.0]), r"sample has shape \(1,\)"),
        (lambda: std_interval([1.0, np.nan]), "sample holds NaN"),
        (lambda: std_interval([1.0, 2.0], confidence=0), "confidence=0"),
    ],
)
def test_bad_samples_are_refused_by_name(call, message):
    with pytest.raises(ValueError, match=message):
        call()


# --- intervals -----------------------------------------------------------------------------------


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


@pytest.mark.parametrize(("passed", "n"), [(-1, 2), (3, 2), (0, 0)])
def test_share_that_is_none(passed, n):
    with pytest.raises(ValueError, match=f"passed={passed} of n={n} is not allowed"):
        told_apart(passed, n, 5)


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


# --- shapes --------------------------------------------------------------------------------------


def test_values_far_out():
    # quartiles 2 and 4: the fences are at -4 and 10
    assert far_out([1, 2, 3, 4, 10]).tolist() == [False] * 5
    assert far_out([-5, 2, 3, 4, 4]).tolist() == [True, False, False, False, False]


def test_skewness_has_the_side_of_the_tail():
    assert skewness([0.0] * 9 + [1.0]) == pytest.approx(math.sqrt(10))  # a single one of n
    assert skewness([0.0] * 9 + [-1.0]) == pytest.approx(-math.sqrt(10))
    assert math.isnan(skewness([1.0, 1.0, 1.0]))


def test_modes_of_samples():
    rng = np.random.default_rng(0)
    one = rng.normal(size=320)
    assert n_modes(one) == 1
    assert n_modes(np.append(one[:300], one[:20] + 8)) == 2  # 6 %
    assert n_modes(np.append(one[:310], one[:10] + 8)) == 1  # 3 %
    assert n_modes(np.append(one[:310], one[:10] + 8), least=0.02) == 2
    assert n_modes(np.concatenate([one, one + 8, one + 16])) == 3
    assert n_modes([1.0, 1.0]) == 1


def test_most_normal_samples_have_one_mode():
    rng = np.random.default_rng(1)
    assert np.mean([n_modes(rng.normal(size=320)) > 1 for _ in range(200)]) < 0.02
