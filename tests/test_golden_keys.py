"""The keys of the published book: what its chapters plan is what lies in ``data/records``."""

from __future__ import annotations

import hashlib
import json
from collections import Counter
from types import SimpleNamespace

import pytest

from modclust_utils.publish.chapters import plan
from modclust_utils.publish.engine import missing, planned
from modclust_utils.publish.exercises import exercises
from modclust_utils.publish.origins import changes, commit_times, origins
from modclust_utils.publish.records import RecordStore, commits_of, published_folder
from modclust_utils.publish.run import check_run

PAGES = {1: "paper", 2: "paper-part", 3: "paper", 4: "paper-part", 5: "paper"}
#: sha256 of the lines ``kind/key``, sorted: of chapters 1 to 3, partitions apart; of chapter 4; and
#: of chapter 5.
DIGEST = "0097db588aa4127e57cb615399c54db7e95f66c042b44ee57f5406687ccbc551"
DIGEST_4 = "ec6a1d4cb7c9ae80db52dfa8ceb0c83c2bc4870e1a86726d91ee89b0af247b42"
DIGEST_5 = "5baa60605156624443d051a05177c3213df27ce5d36e62dcd60ae06d7c8e79a4"
COUNTS = {
    "clustering": 280,
    "lesions": 15,
    "network": 280,
    "random-ncuts": 1,
    "shuffle-test": 500,
}

COUNTS_4 = {
    "classifier": 20,
    "graph-shuffles": 110,
    "input-correlations": 20,
    "pretrained-network": 10,
    "set-lesions": 87,
    "set-visualizations": 72,
    "unit-partition": 102,
}
COUNTS_5 = {
    "regularized-network": 370,
    "shuffle-test": 370,
    "similarity-clusters": 370,
    "similarity-matrices": 3,
}
#: Commits that records of chapter 4 name: of a branch that came into this history as one commit.
BRANCH = {
    *("459a65fc51", "8e9b327f9c", "9042fddf98", "a51448f2cd", "bd75feb60b", "ea575e8f3c"),
}
#: Records of the run that ends pruning at half of the weights (chapter 1).
COUNT_OF_EXERCISES = 29


def jobs_of(*chapters):
    """Every job behind the published pages of some chapters, by the place of its record."""
    found = {}
    for chapter in chapters:
        values = check_run(chapter, PAGES[chapter])
        found |= planned(plan(chapter, SimpleNamespace(**values)))
    return found


@pytest.fixture(scope="module")
def jobs():
    return jobs_of(*PAGES)


@pytest.mark.parametrize(
    ("chapters", "counts", "digest"),
    [((1, 2, 3), COUNTS, DIGEST), ((4,), COUNTS_4, DIGEST_4), ((5,), COUNTS_5, DIGEST_5)],
)
def test_planned_keys_stay_what_they_were(chapters, counts, digest):
    places = sorted(f"{kind}/{key}" for kind, key in jobs_of(*chapters) if kind != "partition")
    assert Counter(place.split("/")[0] for place in places) == counts
    assert hashlib.sha256(("\n".join(places) + "\n").encode()).hexdigest() == digest


def jobs_of_exercises():
    """Every job of the runs whose records judge an exercise."""
    found = {}
    for chapter in PAGES:
        for each in exercises(chapter).values():
            if each.records is not None:
                values = check_run(chapter, each.records.profile, overrides=each.records.changes)
                found |= planned(plan(chapter, SimpleNamespace(**values)))
    return found


def test_published_records_are_those_that_are_planned(jobs):
    published = {(p.parent.name, p.stem) for p in published_folder().glob("*/*.json")}
    of_exercises = set(jobs_of_exercises())
    assert published == set(jobs) | of_exercises
    # one exercise asks for a run that is no chapter's page
    assert len(of_exercises - set(jobs)) == COUNT_OF_EXERCISES


def test_pages_need_no_computing(jobs, tmp_path):
    """Each record is whole, and was made from the very records that it needs."""
    assert missing(jobs.values(), RecordStore(tmp_path, published_folder())) == []


def test_published_records_say_what_they_were_first_committed_with():
    """All but those about the small networks of chapter 4, which were trained again for lesions on
    all test images: the weights of the first ones are not kept."""
    found = changes(published_folder())
    if found is None:
        pytest.skip("the history of the repository is not here")
    trained_again = [
        f"{kind}/{key}.json"
        for (kind, key), job in jobs_of(4).items()
        if job.about["architecture"] in ("mlp", "cnn")
        and job.about["dataset"] == "mnist"
        and kind != "set-lesions"  # on more images: other keys
    ]
    assert (found.altered, found.replaced) == ([], sorted(trained_again))


def test_commits_that_published_records_name(jobs):
    """Of chapters 1 to 3: by code that was in no commit, or in an earlier one than they name. Of
    chapter 4: by commits of a branch that is not in the history."""
    if commit_times() is None:
        pytest.skip("the history of the repository is not here")
    made = []
    for place in jobs:
        path = RecordStore(published_folder()).path(*place, published_folder())
        made.append((place[0], json.loads(path.read_text(encoding="utf-8"))["provenance"]))
    found = origins(made)
    assert (found.uncommitted, found.late, found.networks) == (77, 94, 90)
    others = [each for each in made if BRANCH.isdisjoint(commits_of(each[1]))]
    assert len(made) - len(others) == 136
    assert origins(others).unknown == 0
