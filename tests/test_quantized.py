"""The lattice of printed p-values, checked by hand, by simulation and on the paper's tables."""

from __future__ import annotations

import math
from fractions import Fraction

import numpy as np
import pytest
import scipy.stats
from hypothesis import given
from hypothesis import strategies as st
from networks import global_random_state_untouched, rng_of
from printed_p_values import printed_p_values

from modclust_utils.quantized import (
    chance_of_fitting,
    chance_significant,
    expected_d_spread,
    lattice_index,
    repeated_p_values,
)
from modclust_utils.stats import cohens_d, empirical_p_value

RARE = 0.001  # such a check fails for one seed in a thousand; the seeds here are fixed
DESIGNS = st.tuples(st.integers(1, 40), st.integers(1, 12))  # different shuffles, copies of each

# --- the lattice ---------------------------------------------------------------------------------


def test_all_p_values_of_the_paper_fit():
    m, fits = lattice_index(printed_p_values())
    assert fits.shape == (240,)
    assert fits.sum() == 240
    assert m.min() == 0
    assert m.max() == 32
    # 154 print as 0.003 and 28 as 1.000, which any design can give; the rest tells designs apart
    assert (np.sum(m == 0), np.sum(m == 32)) == (154, 28)
    assert len(np.unique(m)) == 21


@pytest.mark.parametrize(
    ("printed", "m", "fits"),
    [
        (0.003, 0, True),  # 1/321 = 0.003115
        (0.034, 1, True),  # 11/321 = 0.034268
        (0.065, 2, True),  # 21/321 = 0.065421
        (1.000, 32, True),
        (0.006, 0, False),  # 2/321 = 0.006231
        (0.031, 1, False),  # 10/321 = 0.031153
        (0.019, 1, False),  # 6/321 = 0.018692 lies just between two points
        (0.997, 32, False),
        (0.0, 0, False),  # below the smallest p-value there is
    ],
)
def test_places_by_hand(printed, m, fits):
    found, where = lattice_index([printed])
    assert (found[0], where[0]) == (m, fits)


def test_other_designs_by_hand():
    # 4 shuffles counted twice: 1/9, 3/9, 5/9, 7/9 and 1, printed to two places
    m, fits = lattice_index(
        [0.11, 0.33, 0.56, 0.78, 1.0, 0.22, 0.44], n_shuffles=8, copies=2, decimals=2
    )
    assert m[:5].tolist() == [0, 1, 2, 3, 4]
    assert fits.tolist() == [True] * 5 + [False] * 2


@given(design=DESIGNS, decimals=st.integers(1, 6), data=st.data())
def test_what_a_design_gives_fits_it(design, decimals, data):
    n_distinct, copies = design
    below = data.draw(st.integers(0, n_distinct))
    n_shuffles = n_distinct * copies
    p = float(f"{(copies * below + 1) / (n_shuffles + 1):.{decimals}f}")
    m, fits = lattice_index([p], n_shuffles=n_shuffles, copies=copies, decimals=decimals)
    assert fits.tolist() == [True]
    if n_shuffles + 1 < 10**decimals:  # points so far apart that no two print alike
        assert m[0] == below


@given(p=st.integers(0, 1000), design=DESIGNS)
def test_against_printing_every_point(p, design):
    n_distinct, copies = design
    n_shuffles = n_distinct * copies
    points = [Fraction(copies * m + 1, n_shuffles + 1) for m in range(n_distinct + 1)]
    away = [abs(point - Fraction(p, 1000)) for point in points]
    m, fits = lattice_index([p / 1000], n_shuffles=n_shuffles, copies=copies)
    assert away[m[0]] == min(away)
    assert fits[0] == (min(away) <= Fraction(1, 2000))


@pytest.mark.parametrize(
    ("p_values", "settings", "message"),
    [
        ([[0.1]], {}, r"p_values with shape \(1, 1\)"),
        ([1.2], {}, "p_values with shape"),
        ([-0.1], {}, "p_values with shape"),
        ([math.nan], {}, "p_values with shape"),
        ([0.1], {"copies": 7}, "copies=7 is not allowed: a divisor of n_shuffles=320"),
        ([0.1], {"copies": 0}, "copies=0"),
        ([0.1], {"n_shuffles": 0}, "n_shuffles=0"),
        ([0.1], {"decimals": 0}, "decimals=0"),
        ([0.1], {"decimals": 13}, "decimals=13"),
    ],
)
def test_lattice_refuses(p_values, settings, message):
    with pytest.raises(ValueError, match=message):
        lattice_index(p_values, **settings)


# --- by accident ---------------------------------------------------------------------------------


def test_chance_of_fitting_by_hand():
    # three decimals keep all 321 p-values apart: only the 33 points themselves fit
    assert chance_of_fitting() == 33 / 321
    assert chance_of_fitting(inner=True) == 31 / 319
    assert chance_of_fitting(8, 2, 2) == 5 / 9
    assert chance_of_fitting(8, 2, 2, inner=True) == 3 / 7
    assert chance_of_fitting(8, 1) == 1


def test_rough_rounding_makes_it_easier_to_fit():
    # to one decimal, 1/101 to 5/101 print as 0.0, and 96/101 to 1 as 1.0, like points there
    exact, rough = (chance_of_fitting(100, 10, decimals) for decimals in (3, 1))
    assert exact == 11 / 101
    assert rough > 0.5


def test_inner_needs_something_between():
    with pytest.raises(ValueError, match="n_shuffles=1 is not allowed with inner=True"):
        chance_of_fitting(1, 1, inner=True)
    with pytest.raises(ValueError, match="copies=3 is not allowed"):
        chance_of_fitting(320, 3)


# --- the design that repeats ---------------------------------------------------------------------

NULL = np.arange(12.0)


def test_a_draw_of_all_shuffles_is_the_plain_p_value_spread_out():
    # 5 of 12 below, each counted 3 times: (15 + 1) / 37 in every draw
    p = repeated_p_values(5.0, NULL, n_distinct=12, copies=3, n_draws=4, rng=rng_of(0))
    assert p.tolist() == [16 / 37] * 4
    once = repeated_p_values(5.0, NULL, n_distinct=12, copies=1, n_draws=1, rng=rng_of(0))
    assert once[0] == empirical_p_value(5.0, NULL, tail="lower", ties="ignore")


def test_ties_do_not_count():
    p = repeated_p_values(2.0, np.full(40, 2.0), n_draws=3, rng=rng_of(0))
    assert p.tolist() == [1 / 321] * 3


@given(n_below=st.integers(0, 60), seed=st.integers(0, 2**32))
def test_every_p_value_sits_on_the_lattice(n_below, seed):
    p = repeated_p_values(n_below, np.arange(60.0), n_draws=20, rng=rng_of(seed))
    m, fits = lattice_index(p)
    assert fits.all()
    # 28 of 60 shuffles are left out of a draw: so many of those below may be missing
    assert max(0, n_below - 28) <= m.min()
    assert m.max() <= min(32, n_below)


def test_draws_are_hypergeometric_and_agree_with_the_exact_chance():
    n_null, n_below, n_draws = 320, 12, 4000
    p = repeated_p_values(n_below, np.arange(320.0), n_draws=n_draws, rng=rng_of(1))
    m, _ = lattice_index(p)
    law = scipy.stats.hypergeom(n_null, n_below, 32)
    expected = law.pmf(np.arange(4))
    observed = np.append(np.bincount(m, minlength=13)[:4], np.sum(m >= 4))
    expected = n_draws * np.append(expected, 1 - expected.sum())
    assert scipy.stats.chisquare(observed, expected).pvalue > RARE
    exact = chance_significant(n_below, n_null)
    assert scipy.stats.binomtest(int(np.sum(p == 1 / 321)), n_draws, exact).pvalue > RARE


def test_draws_come_from_the_generator_alone():
    null = np.arange(320.0)
    draw = [
        repeated_p_values(100.0, null, n_draws=50, rng=rng_of(seed)).tolist() for seed in (0, 0, 1)
    ]
    assert draw[0] == draw[1]
    assert draw[0] != draw[2]
    with global_random_state_untouched():
        repeated_p_values(100.0, null, n_draws=5, rng=rng_of(0))
    assert np.array_equal(null, np.arange(320.0))


@pytest.mark.parametrize(
    ("ncut", "null", "settings", "message"),
    [
        (1.0, NULL, {}, r"null_ncuts with shape \(12,\) is not allowed: 32 or more"),
        (1.0, [[1.0]], {"n_distinct": 1}, r"null_ncuts with shape \(1, 1\)"),
        (1.0, [math.nan], {"n_distinct": 1}, "finite numbers"),
        (math.nan, NULL, {"n_distinct": 2}, "ncut=nan"),
        (1.0, NULL, {"n_distinct": 0}, "n_distinct=0"),
        (1.0, NULL, {"n_distinct": 2, "copies": 0}, "copies=0"),
        (1.0, NULL, {"n_distinct": 2, "n_draws": 0}, "n_draws=0"),
    ],
)
def test_repeated_refuses(ncut, null, settings, message):
    with pytest.raises(ValueError, match=message):
        repeated_p_values(ncut, null, **{"n_draws": 1, **settings}, rng=rng_of(0))


# --- the exact chance ----------------------------------------------------------------------------


def test_chance_by_hand():
    # one of four lies below, two are drawn: missed in 3 of 6 pairs
    assert chance_significant(1, 4, 2) == 1 / 2
    assert chance_significant(2, 4, 2) == 1 / 6
    assert chance_significant(3, 4, 2) == 0
    # one of 320: missed unless it is among the 32, 288/320
    assert chance_significant(1, 320) == 0.9
    assert chance_significant(0, 320) == 1


@given(n_null=st.integers(1, 400), data=st.data())
def test_chance_is_the_hypergeometric_law(n_null, data):
    n_below = data.draw(st.integers(0, n_null))
    n_distinct = data.draw(st.integers(1, n_null))
    found = chance_significant(n_below, n_null, n_distinct)
    expected = scipy.stats.hypergeom(n_null, n_below, n_distinct).pmf(0)
    assert found == pytest.approx(expected, rel=1e-8, abs=1e-300)
    if n_below < n_null:
        assert chance_significant(n_below + 1, n_null, n_distinct) <= found


@pytest.mark.parametrize(
    ("n_below", "n_null", "n_distinct", "message"),
    [
        (5, 4, 2, "n_below=5 and n_distinct=2 are not allowed: at most n_null=4 each"),
        (1, 31, 32, "n_distinct=32 are not allowed"),
        (-1, 4, 2, "n_below=-1"),
        (0, 0, 1, "n_null=0"),
    ],
)
def test_chance_refuses(n_below, n_null, n_distinct, message):
    with pytest.raises(ValueError, match=message):
        chance_significant(n_below, n_null, n_distinct)


@pytest.mark.parametrize(("n_distinct", "copies"), [(32, 10), (32, 1), (8, 3)])
def test_spread_of_d_is_that_of_simulated_nulls(n_distinct, copies):
    rng = np.random.default_rng(5)
    nulls = np.repeat(rng.normal(size=(4000, 2, n_distinct)), copies, axis=2)
    d = np.array([cohens_d(a, b) for a, b in nulls])
    expected = expected_d_spread(n_distinct, copies)
    # the standard error of a standard deviation is about 1 / sqrt(2 n) of it
    assert d.std() == pytest.approx(expected, rel=5 / np.sqrt(2 * 4000))


def test_spread_of_d_by_hand():
    assert expected_d_spread(320) == pytest.approx((2 / 320 * 319 / 318) ** 0.5)
    assert expected_d_spread(32, 10) == pytest.approx((2 / 32 * 319 / 300) ** 0.5)
    with pytest.raises(ValueError, match="n_distinct=2 is not allowed: 3 or more"):
        expected_d_spread(2)
