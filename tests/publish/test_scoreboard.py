"""Tests for the verdicts of all chapters and for the first page."""

from __future__ import annotations

import json
from types import SimpleNamespace

import pytest

from modclust_utils.publish import front, scoreboard
from modclust_utils.publish.chapters import chapter_numbers, claims
from modclust_utils.publish.errors import RecordError
from modclust_utils.publish.scoreboard import ShownRun

REPRODUCED = {"id": "A1", "verdict": "reproduced", "claim": "It <is> so."}
NOT = {"id": "A2", "verdict": "not", "claim": "It is not."}
UNTOLD = {"id": "B1", "verdict": "cannot tell", "claim": "Who knows?"}


@pytest.fixture
def run(tmp_path):
    def made(chapter, *verdicts, name="paper", shown="chapter", answer=None):
        folder = tmp_path / f"{chapter}-{name}"
        folder.mkdir()
        (folder / "verdicts.json").write_text(json.dumps(verdicts))
        if answer is not None:
            (folder / "answer.json").write_text(json.dumps(answer))
        info = SimpleNamespace(folder=folder, name=name, status={"chapter": chapter})
        return ShownRun(info, "done", shown)

    return made


def test_picture_has_a_cell_for_each_claim_of_each_chapter(run):
    found = scoreboard.picture(
        [run(1, REPRODUCED, NOT), run(2, UNTOLD), run(1, NOT, name="quick", shown="page")]
    )
    assert found.count("<li><a ") == 3
    assert 'class="mc-verdict-not" title="A2: not. It is not." href="../notebooks/01-' in found
    assert '.html#claim-B1" aria-label="B1: cannot tell. Who knows?"' in found
    assert "It &lt;is&gt; so." in found
    assert "<is>" not in found
    for words in ("1 reproduced", "1 not", "1 cannot tell"):
        assert f">{words}</span>" in found
    assert "partly" not in found


def test_a_chapter_without_verdicts_has_no_row(run):
    assert "mc-scores-row" not in scoreboard.picture([run(1)])


def test_claims_have_addresses_that_nothing_breaks_out_of():
    assert scoreboard.claim_link(1, 'A1" onclick="x').endswith(".html#claim-A1onclickx")


def test_sentences_of_the_first_page(run):
    said = front.sentences(
        [
            run(1, REPRODUCED, NOT, answer="**Often**: 2 of 3 <b>."),
            run(2, UNTOLD, name="quick"),
            run(1, NOT, name="own", shown="page", answer="Never."),
        ]
    )
    assert said["answer_1"] == "**Often**: 2 of 3 < b>."
    assert said["answer_2"] == ""
    assert (
        "Of 3 claims that this book tests, 1 are reproduced here, 0 partly and 1 not"
        in said["verdicts"]
    )
    assert "1 cannot be told" in said["verdicts"]
    assert said["claim_A2"].endswith('.html#claim-A2">claim A2</a>: not')
    assert "1 of 2 chapters show a quick run here." in said["verdicts"]


def test_verdicts_that_moved_are_named(run, monkeypatch, tmp_path):
    rows = [run(1, REPRODUCED, NOT), run(2, UNTOLD, name="quick")]
    known = scoreboard.as_committed(rows)
    assert known == {1: {"run": "paper", "verdicts": {"A1": "reproduced", "A2": "not"}}}
    monkeypatch.setattr(scoreboard, "committed", lambda: known)
    assert scoreboard.moved(rows) == []
    known[1]["verdicts"] |= {"A2": "partly", "A3": "not"}
    assert scoreboard.moved(rows) == [
        "claim A2: not here, and partly as committed",
        "claim A3: not there here, and not as committed",
    ]
    known[1]["run"] = "paper-part"
    assert scoreboard.moved(rows) == []


def test_committed_verdicts_are_of_claims_that_there_are():
    found = scoreboard.committed()
    assert set(found) == set(chapter_numbers())
    for chapter, own in found.items():
        assert set(own["verdicts"]) == {claim["id"] for claim in claims(chapter)}


@pytest.mark.parametrize("content", ["", '{"kind": "netw', "{}", "null"])
def test_a_damaged_record_is_named(tmp_path, monkeypatch, content):
    (tmp_path / "network").mkdir()
    path = tmp_path / "network" / "aa.json"
    path.write_text(content, encoding="utf-8")
    monkeypatch.setattr(scoreboard, "published_folder", lambda: tmp_path)
    with pytest.raises(RecordError, match=rf"aa\.json is not a record .* Delete {path}"):
        scoreboard.status_page([])


def test_title_is_that_of_the_notebook():
    assert scoreboard.title(3) == "Lesions: do clusters matter, and on whom do they depend?"
