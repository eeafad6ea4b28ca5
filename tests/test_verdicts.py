"""Verdicts follow from cases."""

from __future__ import annotations

import math

import numpy as np
import pytest
import scipy.stats

from modclust_utils import verdicts
from modclust_utils.verdicts import VERDICTS, Case, Verdict, decide


@pytest.mark.parametrize(
    ("held", "expected"),
    [
        ((), "not attempted"),
        ((False, False), "not"),
        ((True, False, False), "partly"),
        ((True, False, None), "partly"),
        ((False, None), "not"),
        ((True, None), "cannot tell"),
        ((None,), "cannot tell"),
        ((True, True), "reproduced"),
    ],
)
def test_verdict_follows_from_the_cases(held, expected):
    assert Verdict({}, tuple(Case("", h, "") for h in held)).verdict == expected
    assert expected in VERDICTS


def test_each_claim_is_decided_by_its_rule_and_arguments():
    rules = {
        "above": lambda results, least: [Case("x", results > least, f"{results} and {least}")],
        "none": lambda results: [],
    }
    claims = [
        {"rule": "above", "arguments": {"least": 1}},
        {"rule": "above", "arguments": {"least": 3}},
        {"rule": "none"},
    ]
    found = decide(claims, rules, 2)
    assert [v.verdict for v in found] == ["reproduced", "not", "not attempted"]
    assert [v.claim for v in found] == claims
    assert found[1].cases == (Case("x", False, "2 and 3"),)


@pytest.mark.parametrize(
    ("ends", "below"),
    [
        ((-2.0, -1.0), True),
        ((-0.2, 0.1), None),
        ((0.1, 2.0), False),
        ((math.nan, math.nan), None),
        ((-math.inf, math.inf), None),
    ],
)
def test_is_below(ends, below):
    assert verdicts.is_below(*ends) is below


@pytest.mark.parametrize(
    ("narrow", "wide", "same", "not_lower"),
    [
        ((-0.2, 0.2), (-0.3, 0.3), True, True),
        ((-0.2, -0.1), (-0.3, -0.05), True, True),  # a difference, but too small to count
        ((-0.7, 0.1), (-0.8, 0.2), None, None),
        ((-0.7, -0.1), (-0.8, 0.1), None, None),
        ((-0.7, -0.2), (-0.8, -0.1), False, False),
        ((0.2, 0.7), (0.1, 0.8), False, True),
        ((math.nan, math.nan), (math.nan, math.nan), None, None),
    ],
)
def test_no_difference_needs_an_interval_inside_the_margin(narrow, wide, same, not_lower):
    def interval(confidence: float) -> tuple[float, float]:
        return {0.9: narrow, 0.95: wide}[confidence]

    assert verdicts.is_same(interval, 0.5)[0] is same
    assert verdicts.is_not_lower(interval, 0.5)[0] is not_lower


@pytest.mark.parametrize(
    ("ours", "printed", "holds"),
    [
        # ten of ten twice: 1 - 10 / 12.7 on both sides, 0.21; nine and ten: 0.35
        ((10, 10), (10, 10), True),
        ((9, 10), (10, 10), None),
        ((6, 10), (10, 10), None),
        ((5, 10), (10, 10), False),  # Fisher: p = 2 * 252 / 15504
        ((5, 10), (5, 10), None),
        ((50, 100), (50, 100), True),
    ],
)
def test_absence_of_evidence_is_no_evidence_of_absence(ours, printed, holds):
    assert verdicts.same_share("x", ours, printed, 0.3).holds is holds


def test_evidence_of_a_share_says_what_it_could_have_seen():
    left, right, beyond = verdicts.same_share("x", (4, 10), (7, 10), 0.3).evidence.split("; ")
    assert left == "4/10 against 7/10, difference [-0.57, +0.06]"
    assert right == "Fisher's test would tell apart 0 to 1 of 10"
    # of ten against seven or five of ten, and of two, none is surely inside the margin
    assert beyond == "no share of ours would hold"
    for ours, words in (((1, 2), "nothing"), ((5, 10), "0, 10 of 10")):
        evidence = verdicts.same_share("x", ours, ours, 0.3).evidence
        assert evidence.endswith(f"tell apart {words}; {beyond}")
    assert beyond not in verdicts.same_share("x", (4, 10), (10, 10), 0.3).evidence


@pytest.mark.parametrize(
    ("passed", "most", "few"),
    # one-sided bounds: 0.5 is the median of nine of ten and more with a chance of 11 / 1024
    [(10, True, False), (9, True, False), (8, None, None), (2, None, None), (1, False, True)],
)
def test_most_and_few(passed, most, few):
    assert verdicts.most("x", (passed, 10)).holds is most
    assert verdicts.few("x", (passed, 10)).holds is few


def test_none_beyond_luck():
    # 0.95^(1 / n) below: ten networks without one exclude 1 - 0.05^0.1 = 0.26, five 0.45
    assert verdicts.none("x", (0, 10), 0.3, 1 / 321).holds is True
    assert verdicts.none("x", (0, 5), 0.3, 1 / 321).holds is None
    # one of ten: luck gives one or more with a chance of 1 - (320 / 321)^10 = 0.031
    found = verdicts.none("x", (1, 10), 0.3, 1 / 321)
    assert (found.holds, found.evidence) == (
        False,
        "1/10, a share of at most 0.39; by luck p = 0.03",
    )
    assert verdicts.none("x", (1, 10), 0.4, 0.1).holds is True
    assert verdicts.none("x", (1, 10), 0.3, 0.1).holds is None


def test_chances_count_what_is_reproduced():
    def world(rng: np.random.Generator, *, replication: bool) -> float:
        return rng.random() + replication

    rules = {
        "above": lambda results, at: [Case("x", results > at, "")],
        "open": lambda results: [Case("x", None, "")],
    }
    claims = [
        {"id": "half", "rule": "above", "arguments": {"at": 0.5}},
        {"id": "open", "rule": "open"},
    ]
    found = verdicts.chances(claims, rules, world, 400, np.random.default_rng(0))
    assert found["half"]["without_effect"] == pytest.approx(0.5, abs=0.1)
    assert found["half"]["replication"] == 1
    assert found["open"] == {"without_effect": 0, "replication": 0}


def test_means_drawn_again_differ_by_students_t():
    # the difference of two means of ten, in printed deviations times sqrt(2 / 10), has Student's t
    # with nine degrees of freedom; 14 of 14 within one deviation: 47 % of exact replications
    rng = np.random.default_rng(0)
    gaps = [verdicts.drawn_again(2.0, 0.5, 10, rng, n_known=10).mean() - 2 for _ in range(4000)]
    within = scipy.stats.t(9).cdf(math.sqrt(5)) * 2 - 1
    assert within**14 == pytest.approx(0.47, abs=0.01)
    assert np.mean(np.abs(gaps) <= 0.5) == pytest.approx(within, abs=0.015)
