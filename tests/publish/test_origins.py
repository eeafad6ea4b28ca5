"""What records say of the code that made them, in a repository that these tests make."""

from __future__ import annotations

import json
import subprocess
from datetime import UTC, datetime, timedelta
from pathlib import Path

import pytest

from modclust_utils.publish import origins as module
from modclust_utils.publish.origins import (
    Origins,
    began,
    changes,
    commit_times,
    faults,
    origins,
    sentences,
)

NOON = datetime(2026, 1, 2, 12, tzinfo=UTC)
TIMES = {"aaaaaaaaaa": NOON, "bbbbbbbbbb": NOON + timedelta(hours=2)}


def provenance(commit: str, made: datetime, seconds: float = 60.0, **more: object) -> dict:
    return {"commit": commit, "made": made.isoformat(), "seconds": seconds, **more}


@pytest.fixture
def times(monkeypatch):
    monkeypatch.setattr(module, "commit_times", lambda: TIMES)


def test_work_began_before_all_the_seconds_of_its_batch():
    made = provenance("a", NOON, 60.0, batch_size=10)
    assert began(made) == NOON - timedelta(seconds=600)
    assert began(provenance("a", NOON, 60.0)) == NOON - timedelta(seconds=60)


def test_records_are_counted_by_what_their_commits_are(times):
    hour = timedelta(hours=1)
    made = [
        ("network", provenance("aaaaaaaaaa", NOON + hour)),
        ("network", provenance("aaaaaaaaaa", NOON + hour, 3601.0)),  # began a second too early
        ("network", provenance("aaaaaaaaaa", NOON + hour, 601.0, batch_size=6)),
        ("shuffle-test", provenance("bbbbbbbbbb", NOON + hour)),
        ("clustering", provenance("aaaaaaaaaa+", NOON + hour)),
        ("clustering", provenance("no git", NOON)),
        ("clustering", provenance("cccccccccc", NOON)),
        ("network", provenance("aaaaaaaaaa", NOON + hour, resumed_by="bbbbbbbbbb+")),
    ]
    found = origins(made)
    assert found == Origins(n=8, uncommitted=3, late=3, networks=2, unknown=1)
    assert [sentence.split(",")[0] for sentence in faults(found)] == [
        "3 of 8 were made by code with changes that no commit holds: "
        "their commit has a + behind it",
        "3 of 8",
    ]
    assert "3 of 8, 2 networks among them, name a commit that did not exist" in faults(found)[1]
    assert sentences(found)[2] == "1 of 8 name a commit that is not in the history."


def test_nothing_is_said_of_records_without_fault(times):
    assert (
        sentences(origins([("network", provenance("aaaaaaaaaa", NOON + timedelta(hours=1)))])) == []
    )


def test_without_a_history_nothing_is_said_about_it_but_that(monkeypatch):
    monkeypatch.setattr(module, "commit_times", lambda: None)
    found = origins([("network", provenance("aaaaaaaaaa+", NOON))])
    assert found == Origins(1, 1, None, None, None)
    assert faults(found)[0].startswith("1 of 1 were made by code with changes")
    assert len(faults(found)) == 1
    assert "cannot be seen here" in sentences(found)[1]


# A repository


@pytest.fixture
def repository(tmp_path) -> Path:
    git(tmp_path, "init", "-q")
    return tmp_path


def git(folder: Path, *words: str) -> str:
    identity = ["-c", "user.name=A", "-c", "user.email=a@example.org"]
    done = subprocess.run(
        ["git", *identity, *words], cwd=folder, check=True, capture_output=True, text=True
    )
    return done.stdout.strip()


def write(folder: Path, name: str, **changes: object) -> Path:
    content = {
        "parameters": {"seed": 1},
        "value": {"ncut": 1.0},
        "provenance": {"commit": "abc", "made": "then"},
    } | changes
    path = folder / "records" / "clustering" / f"{name}.json"
    path.parent.mkdir(parents=True, exist_ok=True)
    path.write_text(json.dumps(content), encoding="utf-8")
    return path


def commit_all(folder: Path) -> str:
    git(folder, "add", "-A")
    git(folder, "commit", "-qm", "records")
    return git(folder, "rev-parse", "HEAD")


@pytest.mark.parametrize("committed", [False, True])
@pytest.mark.parametrize(
    "forged",
    [
        {"value": {"ncut": 0.9901}},
        {"parameters": {"seed": 2}},
        {"provenance": {"commit": "abd", "made": "then"}},
        {"arrays_sha256": "0" * 64},
    ],
)
def test_a_record_that_was_altered_since_it_was_committed_is_seen(repository, forged, committed):
    """Whatever hash it carries, and whether the forger committed it or not."""
    for name in ("one", "two"):
        write(repository, name)
    commit_all(repository)
    write(repository, "two", **forged)
    if committed:
        commit_all(repository)
    write(repository, "three")
    found = changes(repository / "records")
    assert found is not None
    assert (found.same, found.altered) == (1, ["clustering/two.json"])
    assert (found.replaced, found.new) == ([], 1)


def test_a_migration_alters_nothing_and_a_record_made_anew_is_said_to_be_one(repository):
    for name in ("one", "two", "three", "four"):
        write(repository, name)
    commit_all(repository)
    write(repository, "one", sha256="sealed", made_from={})
    write(repository, "four", provenance={"commit": "abd", "made": "now", "peak_mb": 1.5})
    write(repository, "two", value={"ncut": 2.0}, provenance={"commit": "abd", "made": "now"})
    write(repository, "three").write_text("{")
    commit_all(repository)
    found = changes(repository / "records")
    assert found is not None
    assert (found.same, found.remade, found.new) == (1, 1, 0)
    assert found.replaced == ["clustering/two.json"]
    (said,) = found.replaced_by_kind()
    assert said.endswith(": 1 clustering, such as clustering/two.json")
    assert found.altered == ["clustering/three.json"]


def test_records_outside_of_a_repository_have_no_history(tmp_path, monkeypatch):
    write(tmp_path, "one")
    assert changes(tmp_path / "records") is None
    git(tmp_path, "init", "-q")
    assert changes(tmp_path / "records") is None  # nothing was committed yet
    monkeypatch.setenv("PATH", "")
    assert changes(tmp_path / "records") is None


@pytest.fixture
def fresh_times():
    commit_times.cache_clear()
    yield
    commit_times.cache_clear()


def test_times_of_commits(repository, monkeypatch, fresh_times):
    write(repository, "one")
    commit = commit_all(repository)
    monkeypatch.setattr(module, "PACKAGE", repository)
    times = commit_times()
    assert times is not None
    assert list(times) == [commit[:10]]
    assert abs(times[commit[:10]] - datetime.now(UTC)) < timedelta(minutes=10)


@pytest.mark.parametrize("how", ["no git", "shallow"])
def test_history_that_is_not_here(repository, tmp_path, monkeypatch, fresh_times, how):
    write(repository, "one")
    commit_all(repository)
    write(repository, "two")
    commit_all(repository)
    folder = repository
    if how == "shallow":
        folder = tmp_path / "clone"
        git(tmp_path, "clone", "-q", "--depth", "1", f"file://{repository}", str(folder))
        assert changes(folder / "records") is None
    else:
        monkeypatch.setenv("PATH", "")
    monkeypatch.setattr(module, "PACKAGE", folder)
    assert commit_times() is None
