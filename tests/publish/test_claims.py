"""Claims: every one of the book can be decided, and a page shows what was decided."""

from __future__ import annotations

import inspect
import json
from pathlib import Path

import pandas as pd
import pytest
import yaml
from small_book import printed

from modclust_utils import datasets
from modclust_utils.publish import chapters, claims
from modclust_utils.publish.chapters import chapter_numbers, read_claims
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


def entry(**changes: object) -> dict:
    claim = {"id": "X1", "place": "Figure 1", "claim": "It is so."}
    return claim | {"rule": "pruning_lowers", "holds_if": "it is"} | changes


def write(path: Path, *entries: dict) -> Path:
    path.write_text(yaml.safe_dump(list(entries)), encoding="utf-8")
    return path


@pytest.mark.parametrize("name", ["id", "place", "claim", "rule", "holds_if"])
def test_claim_that_lacks_a_field(tmp_path, name):
    claim = entry()
    del claim[name]
    with pytest.raises(ValueError, match=rf"claims\.yml: claim .* lacks \['{name}'\]"):
        read_claims(write(tmp_path / "claims.yml", claim), ["pruning_lowers"])


def test_claim_with_an_unknown_rule(tmp_path):
    path = write(tmp_path / "claims.yml", entry(rule="pruning_lower"))
    with pytest.raises(ValueError, match=r"rule='pruning_lower' of X1; allowed: pruning_lowers"):
        read_claims(path, ["pruning_lowers"])


DECIDED = [
    Verdict(
        entry(claim="It is <so>."),
        (Case("MNIST, no dropout", True, "+0.1"), Case("MNIST & more", False, "<b>+0.2</b>")),
    ),
    Verdict(entry(id="X2", claim="Not seen."), ()),
    Verdict(entry(id="X3"), (Case("all", None, "[-1, +1]"),)),
]


def test_readable_verdicts_show_texts_as_they_are():
    first, second, third = claims.readable(DECIDED).reset_index().to_dict("records")
    assert first == {
        "Claim": "It is &lt;so&gt;.",
        "Where": "Figure 1",
        "Holds if": "it is",
        "Evidence": "✓ MNIST, no dropout: +0.1<br>✗ MNIST &amp; more: &lt;b&gt;+0.2&lt;/b&gt;",
        "Verdict": '<span class="mc-verdict mc-verdict-partly">partly</span>',
    }
    assert second["Evidence"] == "no records for it in this run"
    assert "mc-verdict-not-attempted" in second["Verdict"]
    assert third["Evidence"] == "? all: [-1, +1]"
    assert "mc-verdict-cannot-tell" in third["Verdict"]


def test_plain_verdicts():
    table = claims.plain(DECIDED)
    assert table["id"].tolist() == ["X1", "X1", "X2", "X3"]
    assert table["verdict"].tolist() == ["partly", "partly", "not attempted", "cannot tell"]
    assert table["holds"].tolist() == [True, False, None, None]


def test_decided_claims_know_their_records_and_are_left_with_the_run(tmp_path, monkeypatch):
    known = {"one_case": lambda results: [Case("all", True, "seen")]}
    monkeypatch.setattr(chapters, "rules", lambda chapter: known)
    monkeypatch.setattr(chapters, "claims", lambda chapter: [entry(rule="one_case")])
    monkeypatch.setenv("MODCLUST_RUN", str(tmp_path))
    shown = claims.decide(1, printed(pd.DataFrame({"a": [1]})))
    assert shown.trace.sources == ("a made-up paper",)
    (row,) = json.loads((tmp_path / "verdicts.json").read_text(encoding="utf-8"))
    assert (row["id"], row["verdict"], row["held"], row["cases"]) == ("X1", "reproduced", 1, 1)
