"""Claims: every one of the book can be decided, and a page shows what was decided."""

from __future__ import annotations

import inspect
import json
import re
import subprocess
from datetime import datetime
from pathlib import Path

import numpy as np
import pandas as pd
import pytest
import scipy.stats
import yaml
from shown import shown_names
from small_book import printed

from modclust_utils import datasets
from modclust_utils.publish import chapters, claims
from modclust_utils.publish.chapters import chapter_numbers, read_claims
from modclust_utils.publish.errors import FileError
from modclust_utils.publish.origins import commit_times
from modclust_utils.publish.parameters import read_profile
from modclust_utils.verdicts import Case, Verdict

ALL = [(number, claim) for number in chapter_numbers() for claim in chapters.claims(number)]


def test_every_claim_has_a_name_of_its_own():
    assert len({claim["id"] for _, claim in ALL}) == len(ALL) > 0


@pytest.mark.parametrize(("chapter", "claim"), ALL, ids=lambda each: str(each))
def test_claim_can_be_decided(chapter, claim):
    arguments = claim["arguments"]
    inspect.signature(chapters.rules(chapter)[claim["rule"]]).bind(None, **arguments)
    assert set(arguments["datasets"]) <= set(datasets.NAMES)
    # the paper profile makes the records that the claim is about
    made = {
        name
        for value in read_profile(chapter, "paper").values()
        if not isinstance(value, dict)
        for name in (value if isinstance(value, list) else [value])
        if isinstance(name, str | int)
    }
    assert set(arguments["datasets"]) <= made
    if "n_clusters" in arguments:
        assert arguments["n_clusters"] in made
    for names in arguments.get("order", []):
        assert set(names) <= set(arguments["datasets"])


@pytest.mark.parametrize("chapter", chapter_numbers())
def test_every_rule_is_used(chapter):
    used = {claim["rule"] for claim in chapters.claims(chapter)}
    assert used == set(chapters.rules(chapter))


@pytest.mark.parametrize("chapter", chapter_numbers())
def test_every_claim_is_seen_in_what_its_chapter_shows(chapter):
    names = shown_names(chapter)
    for claim in chapters.claims(chapter):
        assert any(name.fullmatch(claim["seen_in"]) for name in names), claim["id"]


def entry(**changes: object) -> dict:
    claim = {"id": "X1", "place": "Figure 1", "claim": "It is so."}
    return claim | {"rule": "pruning_lowers", "seen_in": "t", "holds_if": "it is"} | changes


def write(path: Path, *entries: dict) -> Path:
    path.write_text(yaml.safe_dump(list(entries)), encoding="utf-8")
    return path


@pytest.mark.parametrize("name", ["id", "place", "claim", "rule", "seen_in", "holds_if"])
def test_claim_that_lacks_a_field(tmp_path, name):
    claim = entry()
    del claim[name]
    with pytest.raises(FileError, match=rf"claims\.yml is damaged \(row 1 lacks {name}\)"):
        read_claims(write(tmp_path / "claims.yml", claim), ["pruning_lowers"])


def test_claim_with_an_unknown_rule(tmp_path):
    path = write(tmp_path / "claims.yml", entry(rule="pruning_lower"))
    with pytest.raises(FileError, match=r"rule='pruning_lower' of X1; allowed: pruning_lowers"):
        read_claims(path, ["pruning_lowers"])


DECIDED = [
    Verdict(
        entry(claim="It is <so>."),
        (Case("MNIST, no dropout", True, "+0.1"), Case("MNIST & more", False, "<b>+0.2</b>")),
    ),
    Verdict(entry(id="X2", claim="Not seen."), ()),
    Verdict(entry(id="X3"), (Case("all", None, "[-1, +1]"),)),
]


KNOWN = {"X1": {"without_effect": 0.04, "replication": 0.9}}


def evidence_of(row: dict) -> list[str]:
    """What a page says of each case of a claim."""
    return re.findall(r"<li>(.*?)</li>", row["Claim"])


def test_readable_verdicts_show_texts_as_they_are():
    first, second, third = claims.readable(DECIDED, KNOWN).reset_index().to_dict("records")
    assert first == {
        "No.": "X1",
        "Claim": "It is &lt;so&gt;."
        '<details class="mc-evidence" id="claim-X1"><summary>Figure 1: rule and evidence</summary>'
        "<p>Holds if it is.</p><ul><li>✓ MNIST, no dropout: +0.1</li>"
        "<li>✗ MNIST &amp; more: &lt;b&gt;+0.2&lt;/b&gt;</li></ul>"
        '<p><a href="#how-t">Where one sees it</a>, with its records and the command that makes '
        "them again.</p></details>",
        "Verdict": '<span class="mc-verdict mc-verdict-partly">partly</span>',
        "Cases hold / fail": "1 / 1 of 2",
        "Passes without the effect": "4%",
        "Passes in a replication": "90%",
    }
    assert second["Passes in a replication"] == "–"
    assert evidence_of(second) == ["no records for it in this run"]
    assert "mc-verdict-not-attempted" in second["Verdict"]
    assert evidence_of(third) == ["? all: [-1, +1]"]
    assert "mc-verdict-cannot-tell" in third["Verdict"]


def test_verdicts_that_a_network_far_out_moves_stand_there_both_ways():
    other = (Case("MNIST, no dropout", True, "+0.2"), Case("MNIST & more", True, "+0.3"))
    without = [Verdict(DECIDED[0].claim, other), *DECIDED[1:]]
    first, _, third = claims.readable(DECIDED, KNOWN, without).to_dict("records")
    assert first["Verdict"].split("<br>") == [
        '<span class="mc-verdict mc-verdict-partly">partly</span>',
        "without networks far out: "
        '<span class="mc-verdict mc-verdict-reproduced">reproduced</span>',
    ]
    # of the cases, that one which it moves
    assert evidence_of(first) == [
        "✓ MNIST, no dropout: +0.1",
        "✗ MNIST &amp; more: &lt;b&gt;+0.2&lt;/b&gt;",
        "without networks far out: ✓ MNIST &amp; more: +0.3",
    ]
    assert "without" not in third["Verdict"] + third["Claim"]


def test_plain_verdicts():
    table = claims.plain(DECIDED)
    assert table["id"].tolist() == ["X1", "X1", "X2", "X3"]
    assert table["verdict"].tolist() == ["partly", "partly", "not attempted", "cannot tell"]
    assert table["holds"].tolist() == [True, False, None, None]


def test_decided_claims_know_their_records_and_are_left_with_the_run(tmp_path, monkeypatch):
    known = {"one_case": lambda results: [Case("all", True, "seen")]}
    monkeypatch.setattr(chapters, "rules", lambda chapter: known)
    monkeypatch.setattr(chapters, "claims", lambda chapter: [entry(rule="one_case")])
    monkeypatch.setattr(chapters, "room_folder", lambda chapter: tmp_path)
    (tmp_path / "chances.yml").write_text("X1: {without_effect: 0.04, replication: 0.9}")
    monkeypatch.setenv("MODCLUST_RUN", str(tmp_path))
    results = printed(pd.DataFrame({"a": [1]}))
    both = claims.decide(1, results, results)
    assert both.data["verdict_without_far_out"].tolist() == ["reproduced"]
    shown = claims.decide(1, results)
    assert "verdict_without_far_out" not in shown.data
    assert shown.trace.sources == ("a made-up paper",)
    assert shown.content["Passes in a replication"].tolist() == ["90%"]
    assert claims.luck(1).startswith(
        "By luck alone, networks without what the claims say would have 0.0 of these 1 claims "
        "called reproduced on average (4%)"
    )
    (row,) = json.loads((tmp_path / "verdicts.json").read_text(encoding="utf-8"))
    assert (row["id"], row["verdict"], row["held"], row["cases"]) == ("X1", "reproduced", 1, 1)
    assert (row["failed"], row["without_effect"], row["replication"]) == (0, 0.04, 0.9)
    assert row["rule"] == ""


# Chances


@pytest.mark.parametrize("chapter", chapter_numbers())
def test_chances_are_those_of_the_rules(chapter):
    """Counted again in other made-up results, no share is surprisingly far from the stored one."""
    known, n = claims.known_chances(chapter), 10
    assert set(known) == {claim["id"] for claim in chapters.claims(chapter)}
    again = claims.simulated_chances(chapter, n, np.random.default_rng(99))
    for claim, shares in again.items():
        for name, share in shares.items():
            counts = [[round(share * n), round((1 - share) * n)]]
            total = round(known[claim][name] * claims.N_WORLDS)
            counts.append([total, claims.N_WORLDS - total])
            assert scipy.stats.fisher_exact(counts).pvalue > 1e-4, (claim, name)


# Dates

WHEN = ("rule_written", "rule_changed", "first_record")


def test_late_rules():
    early, late = ({"commit": "a", "date": f"2026-01-0{day}T00:00:00+00:00"} for day in (1, 2))
    in_time = entry(rule_written=early, first_record=late)
    assert not claims.is_late(in_time)
    assert claims.is_late(entry(rule_written=late, first_record=early))
    assert claims.is_late(entry(rule_written=late, first_record=late))  # both in one commit
    changed = entry(rule_written=early, rule_changed=late, first_record=late)
    assert not claims.is_late(changed)
    assert claims.is_late(changed, "rule_changed")
    assert not claims.is_late(entry(rule_written=late))  # without records
    marks = ["", "[rule written after its first records]", "[rule changed after its first records]"]
    texts = (in_time, entry(rule_written=late, first_record=early), changed)
    for claim, mark in zip(texts, marks, strict=True):
        (shown,) = claims.readable([Verdict(claim, ())], {})["Claim"]
        assert f"<p>Holds if {f'it is {mark}'.strip()}.</p>" in shown


def test_how_many_rules_are_late(monkeypatch):
    early, late = ({"commit": "a", "date": f"2026-01-0{day}T00:00:00+00:00"} for day in (1, 2))
    found = [
        entry(rule_written=early, first_record=late),
        entry(rule_written=early, rule_changed=late, first_record=late),
        entry(rule_written=early, rule_changed=late, first_record=early),
        entry(rule_written=late, rule_changed=late, first_record=early),
        entry(rule_written=late),
    ]
    monkeypatch.setattr(chapters, "claims", lambda chapter: found)
    assert claims.late_rules(1).startswith("Of the 5 rules, 2 were written and 1 were changed")


#: Of rules of chapter 4: commits of a branch that came into this history as one commit.
BRANCH = {"1a9e74b", "1bce7fd", "7e13463"}


def test_dates_are_those_of_the_commits():
    """Where the history is there: a copy of a book may have none."""
    repository = Path(__file__).parents[2]
    found = {
        (each["commit"], each["date"])
        for _, claim in ALL
        for each in (claim.get(name) for name in WHEN)
        if each
    }
    assert found
    if commit_times() is None:
        pytest.skip("the history of the repository is not here")
    lost = set()
    for commit, date in found:
        shown = subprocess.run(
            ["git", "show", "-s", "--format=%cI", commit],
            cwd=repository, capture_output=True, text=True, check=False,
        )  # fmt: skip
        if shown.returncode == 0:
            assert datetime.fromisoformat(shown.stdout.strip()) == datetime.fromisoformat(date)
        else:
            lost.add(commit)
    assert lost == BRANCH


def test_every_claim_says_when_its_rule_came():
    assert [claim["id"] for _, claim in ALL if "rule_written" not in claim] == []
    # those without records could not be decided yet, or need none
    without = [claim["id"] for _, claim in ALL if "first_record" not in claim]
    assert without == ["B6", "D15"]
