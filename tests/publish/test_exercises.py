"""What the cell of a check shows, and where the records come from that judge predictions."""

from __future__ import annotations

import pytest
from small_book import copy_book

from modclust_utils.publish import exercises
from modclust_utils.publish.errors import ParameterError
from modclust_utils.publish.records import RecordStore, default_store


@pytest.fixture
def shown(monkeypatch):
    """The HTML that the cell of a check shows."""

    def check(name, answer, **options):
        seen = []
        monkeypatch.setattr(exercises, "display", seen.append)
        exercises.check(name, answer, chapter=1, **options)
        (output,) = seen
        return output.data

    return check


@pytest.mark.parametrize(
    ("answer", "state", "words"),
    [
        (..., "waits", "<b>Waiting for your answer.</b> Asked for: a number"),
        (2 / 7, "right", "<b>✓ Right.</b> Each triangle"),
        (1 / 3, "wrong", "<b>✗ Not yet.</b> You took 6"),
        ("<img src=x>", "wrong", "&#x27;&lt;img src=x&gt;&#x27; is a text"),
    ],
)
def test_a_check_shows_its_reply(shown, answer, state, words):
    html = shown("two-triangles", answer)
    assert html.startswith(f'<p class="mc-check mc-check-{state}">')
    assert words in html
    assert html.endswith("run the cell.</p>") == (state == "waits")


def test_a_name_that_is_not_there():
    with pytest.raises(ParameterError, match="exercise='two-squares' is not allowed: 'two-tria"):
        exercises.check("two-squares", 1, chapter=1)


def test_without_records_a_prediction_is_not_judged(shown, tmp_path, monkeypatch):
    monkeypatch.setenv("MODCLUST_ROOT", str(copy_book(tmp_path / "book")))
    html = shown("two-clusters", "fewer", store=RecordStore(tmp_path / "empty"))
    assert 'class="mc-check mc-check-unjudged"' in html
    assert "cannot be judged without them" in html
    assert "Run the chapter again" in html


def test_records_are_not_read_for_what_needs_none(shown, tmp_path):
    assert "✓ Right" in shown("two-triangles", 2 / 7, store=RecordStore(tmp_path / "empty"))
    assert "Asked for" in shown("two-clusters", ..., store=RecordStore(tmp_path / "empty"))


def test_the_records_of_a_profile_are_those_of_its_changes():
    exercise = exercises.find("half-of-the-weights", 1)
    tests = exercises.frames(exercise, 1, default_store())["tests"]
    assert tests["dataset"].unique().tolist() == ["mnist5k"]
    assert sorted(tests["network"].value_counts()) == [4] * 4  # four k for four networks
