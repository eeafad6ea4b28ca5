"""Exercises of chapter 3: each wrong answer comes from the mistake that the check must name."""

from __future__ import annotations

from functools import partial

import pytest
from answers import evidence, refused, said

from modclust_utils.lesion_results import lesion_kind

wrong = partial(refused, 3)


def test_bias_that_stays():
    assert "bias is lesioned, too" in wrong("bias-that-stays", 0)
    assert "nothing negative" in wrong("bias-that-stays", -0.4)
    assert "too large" in wrong("bias-that-stays", 1)


def test_same_work():
    assert "does the whole work" in wrong("same-work", (30, 30, 30))
    assert "not shared out" in wrong("same-work", [15, 15, 30])
    assert "With both lesioned" in wrong("same-work", (0, 0, 0))
    assert "added up" in wrong("same-work", (30, 30, 60))
    assert "asked for in points" in wrong("same-work", (0, 0, 0.3))
    assert "Number 3 is too small" in wrong("same-work", (0, 0, 20))
    assert "3 numbers are asked for" in wrong("same-work", (0, 30))


def test_pairs_by_chance():
    shares = (1 / 2, 1 / 4, 1 / 4)
    assert said(3, "pairs-by-chance", sum(p * p for p in shares)).state == "right"
    assert "three clusters of one size" in wrong("pairs-by-chance", 1 / len(shares))
    assert "whichever it is" in wrong("pairs-by-chance", max(shares))
    assert "largest cluster alone" in wrong("pairs-by-chance", max(shares) ** 2)
    assert "ten clusters" in wrong("pairs-by-chance", 1 / 10)
    assert "per cent" in wrong("pairs-by-chance", 37.5)


def test_five_points_follow_from_the_records():
    drops = [
        each["drop"]
        for study in evidence(3, "five-points")["studies"].groupby("network")["record"].first()
        for each in study.value["sub_clusters"]
        if each["kind"] == "important"
    ]
    n_left = sum(drop > 0.05 for drop in drops)
    assert 0 < n_left < len(drops)
    facts = f"{n_left} of {len(drops)} are left"
    assert facts in said(3, "five-points", 100 * n_left / len(drops)).text
    assert f"too many: {facts}" in wrong("five-points", 95)
    assert f"too few: {facts}" in wrong("five-points", 5)
    assert "answer in per cent" in wrong("five-points", 0.55)
    assert "from 0 to 100" in wrong("five-points", 120)


def rule(loss, randoms, share, *, point=0.01, edge=False, small_edge=False, small_last=False):
    """The rule of the paper, or with one of its edges on the other side."""
    significant = loss >= max(randoms) if edge else loss > max(randoms)
    small = share <= 0.05 if small_edge else share < 0.05
    if small_last:
        small = small and not (significant and loss > point)
    size = 10 if small else 100
    return lesion_kind(size, 1000, significant=significant, drop=loss * 0.01 / point)


@pytest.mark.parametrize(
    ("answer", "words"),
    [
        (lambda *case: rule(*case, point=1), "one percentage point is 0.01"),
        (lambda *case: rule(*case, edge=True), "equal is not greater"),
        (lambda *case: rule(*case, small_last=True), "decided first"),
        (lambda *case: rule(*case, small_edge=True), "less than 5 %"),
        (lambda *case: rule(*case, point=0.00999), "above one point; it costs exactly one"),
        (
            lambda loss, randoms, share: rule(loss, [sum(randoms) / 2], share),
            "all have to be beaten",
        ),
        # only the first random set, or the small ones among those that pass
        (lambda loss, randoms, share: rule(loss, randoms[:1], share), "one of the random sets"),
        (
            lambda loss, randoms, share: rule(loss, randoms, share if loss > max(randoms) else 1),
            "significant or not",
        ),
        # what is said of a case is true, whatever the mistake was
        (lambda *case: "other", "more than a point and more than any random set"),
        (lambda *case: "vital", "'vital' is not among the answers: 'diff-but-not-sig'"),
        (lambda *case: None, "is not among the answers"),
        ("important", "A function is asked for"),
    ],
)
def test_five_kinds(answer, words):
    assert words in wrong("five-kinds", answer)


def test_the_rule_of_the_package_is_right():
    assert said(3, "five-kinds", rule).state == "right"
