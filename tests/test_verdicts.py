"""Verdicts follow from cases."""

from __future__ import annotations

import pytest

from modclust_utils.verdicts import VERDICTS, Case, Verdict, decide


@pytest.mark.parametrize(
    ("held", "expected"),
    [
        ((), "not attempted"),
        ((False, False), "not"),
        ((True, False, False), "partly"),
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
