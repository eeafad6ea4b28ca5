"""Two samples of one distribution: p-values that can be counted by hand, and a true sight."""

from __future__ import annotations

import itertools
import math

import numpy as np
import pytest
import scipy.stats

from modclust_utils.distributions import (
    compare_samples,
    holm,
    p_values,
    visible_shift,
)


def mean_p_value(a, b, *, rng):
    return p_values(a, b, rng=rng)[0]


def shape_p_value(a, b):
    return p_values(a, b, rng=rng())[1]


def rng(seed: int = 0) -> np.random.Generator:
    return np.random.default_rng(seed)


@pytest.mark.parametrize("seed", range(5))
def test_mean_p_value_counts_every_way_to_deal(seed):
    a, b = rng(seed).normal(size=4), rng(seed + 9).normal(0.5, size=3)
    every = np.concatenate([a, b])
    gaps = []
    for chosen in itertools.combinations(range(7), 4):
        rest = [i for i in range(7) if i not in chosen]
        gaps.append(every[list(chosen)].mean() - every[rest].mean())
    expected = np.mean(np.abs(gaps) >= abs(a.mean() - b.mean()) - 1e-12)
    assert mean_p_value(a, b, rng=rng()) == pytest.approx(expected)


@pytest.mark.parametrize("seed", range(5))
def test_shape_p_value_is_scipys(seed):
    a, b = rng(seed).normal(size=5), rng(seed + 9).normal(1.5, size=4)
    expected = scipy.stats.ks_2samp(a, b, method="exact").pvalue
    assert shape_p_value(a, b) == pytest.approx(expected)


@pytest.mark.parametrize("scale", [1.0, 1e-14, 1e-100])
@pytest.mark.parametrize("shift", [0, 10_000])
def test_ties_are_found_at_any_distance_from_0(shift, scale):
    a, b = np.array([1, 2, 3]) / 10, np.array([2, 2, 4]) / 10
    found = p_values((a + shift) * scale, (b + shift) * scale, rng=rng())
    # of the 20 deals of 1, 2, 2, 2, 3, 4, those with sums of 6 and 8 or less and more
    assert found == (0.7, 1.0)


def test_ties_do_not_count_as_a_gap():
    """By hand: of the 6 deals of 0, 0, 0, 1 into pairs all have a gap of 1/2."""
    assert shape_p_value([0, 0], [0, 1]) == 1.0
    # of the 20 deals of 0, 0, 0, 1, 1, 1 two have three alike in a group
    assert shape_p_value([0, 0, 1], [0, 1, 1]) == 1.0
    assert shape_p_value([0, 0, 0], [1, 1, 1]) == pytest.approx(2 / 20)


def test_shape_p_value_sees_a_spread_that_the_mean_does_not_show():
    narrow, wide = np.linspace(-0.1, 0.1, 20), np.linspace(-3, 3, 20)
    assert mean_p_value(narrow, wide, rng=rng()) > 0.9
    assert shape_p_value(narrow, wide) < 0.02
    # none of the deals that are drawn is as far apart as this
    assert shape_p_value(narrow, wide + 9) == pytest.approx(1 / 20_001)


def test_holm_by_hand():
    np.testing.assert_allclose(holm([0.02, 0.01, 0.2, 0.9]), [0.06, 0.04, 0.4, 0.9])
    np.testing.assert_allclose(holm([0.4, 0.4]), [0.8, 0.8])
    np.testing.assert_allclose(holm([0.7, 0.7]), [1.0, 1.0])


def test_holm_keeps_the_chance_of_any_false_alarm():
    """Twelve numbers without a difference: at 5 % hardly more than 5 % of trials raise an alarm."""
    draw = rng(3)
    alarms = 0
    for _ in range(60):
        pairs = [(f"{i}", draw.normal(size=5), draw.normal(size=5)) for i in range(6)]
        alarms += any(found.verdict() == "differ" for found in compare_samples(pairs, rng=rng()))
    assert alarms <= 9  # of 60; more than that has a chance below 0.2 %


@pytest.mark.parametrize("level", [0.05, 0.005])
def test_visible_shift_is_seen_four_times_in_five(level):
    draw = rng(1)
    shift = visible_shift(draw.normal(size=5000), draw.normal(size=5000), level)
    assert shift == pytest.approx(0.0, abs=0.1)  # many values see little
    seen = []
    for _ in range(300):
        a, b = draw.normal(size=6), draw.normal(size=6)
        gap = visible_shift([-1, 1] * 3, [-1, 1] * 3, level) / math.sqrt(1.2)
        seen.append(mean_p_value(a, b + gap, rng=rng()) <= level)
    assert 0.7 < np.mean(seen) < 0.9


def test_too_few_values_cannot_tell_and_say_so():
    few = compare_samples([("x", [1.0, 2.0, 3.0], [7.0, 8.0, 9.0])], rng=rng())[0]
    assert (few.verdict(), math.isnan(few.visible)) == ("cannot tell", True)
    many = compare_samples([("x", np.arange(8.0), np.arange(8.0) + 20)], rng=rng())[0]
    assert many.verdict() == "differ"
    same = compare_samples([("x", np.arange(8.0), np.arange(8.0) + 0.1)], rng=rng())[0]
    assert same.verdict() == "no difference"
    # the standard deviation of 0 to 7 is the root of 6
    assert 1.5 < same.visible / math.sqrt(6) < 2.5


def test_many_values_are_dealt_by_the_generator():
    a, b = rng(1).normal(size=15), rng(2).normal(0.5, size=15)
    first, second = (mean_p_value(a, b, rng=rng(seed)) for seed in (0, 0))
    assert first == second
    assert mean_p_value(a, b, rng=rng(1)) == pytest.approx(first, abs=0.01)
    assert mean_p_value(a, b, rng=rng(1)) != first


def test_the_verdict_is_at_the_level_of_the_comparison():
    pairs = [("x", [1, 2, 3, 4], [11, 12, 13, 14])]  # both tests have 2 / 70, times 2
    assert compare_samples(pairs, rng=0)[0].verdict() == "cannot tell"
    assert compare_samples(pairs, rng=0, alpha=0.1)[0].verdict() == "differ"
    assert compare_samples(pairs, rng=0, alpha=0.1)[0].verdict(alpha=0.05) == "no difference"


@pytest.mark.parametrize(
    ("pairs", "alpha", "message"),
    [
        (None, 0.05, "pairs=None is not allowed: one or more"),
        ([], 0.05, r"pairs has 0 entries .* allowed: one or more of \(name, sample, sample\)"),
        ([("x", [1, 2])], 0.05, "pairs has 1 entries of other forms"),
        ([("x", [1, 2], [3, 4])], "0.05", "alpha='0.05' is not allowed|alpha is of type str"),
        ([("x", [1, 2], [3, 4])], math.nan, "alpha=nan is not allowed: 0 < alpha < 1"),
        ([("x", [1, 2], [3, 4])], 0, "alpha=0 is not allowed: 0 < alpha < 1"),
    ],
)
def test_comparisons_that_are_not_allowed(pairs, alpha, message):
    with pytest.raises(ValueError, match=message):
        compare_samples(pairs, rng=rng(), alpha=alpha)


@pytest.mark.parametrize("bad", [[1.0], [], [1.0, math.nan], [math.inf, 1.0]])
def test_samples_that_are_not_allowed(bad):
    with pytest.raises(ValueError, match="a h"):
        p_values(bad, [1.0, 2.0], rng=rng())
    with pytest.raises(ValueError, match="n-cut"):
        compare_samples([("n-cut", bad, [1.0, 2.0])], rng=rng())
