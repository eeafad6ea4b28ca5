"""The keys of the published book: what its chapters plan is what lies in ``data/records``."""

from __future__ import annotations

import hashlib
from collections import Counter
from types import SimpleNamespace

import pytest

from modclust_utils.publish.chapters import plan
from modclust_utils.publish.engine import missing, planned
from modclust_utils.publish.records import RecordStore, published_folder
from modclust_utils.publish.run import check_run

PAGES = {1: "paper", 2: "paper-part", 3: "paper"}
#: sha256 of the lines ``kind/key`` of all records but partitions, sorted.
DIGEST = "0097db588aa4127e57cb615399c54db7e95f66c042b44ee57f5406687ccbc551"
COUNTS = {
    "clustering": 280,
    "lesions": 15,
    "network": 280,
    "random-ncuts": 1,
    "shuffle-test": 500,
}


@pytest.fixture(scope="module")
def jobs():
    """Every job behind the published pages, by the place of its record."""
    found = {}
    for chapter, profile in PAGES.items():
        found |= planned(plan(chapter, SimpleNamespace(**check_run(chapter, profile))))
    return found


def test_planned_keys_stay_what_they_were(jobs):
    places = sorted(f"{kind}/{key}" for kind, key in jobs if kind != "partition")
    assert Counter(place.split("/")[0] for place in places) == COUNTS
    assert hashlib.sha256(("\n".join(places) + "\n").encode()).hexdigest() == DIGEST


def test_published_records_are_those_that_are_planned(jobs):
    published = {(p.parent.name, p.stem) for p in published_folder().glob("*/*.json")}
    assert published == set(jobs)


def test_pages_need_no_computing(jobs, tmp_path):
    """Each record is whole, and was made from the very records that it needs."""
    assert missing(jobs.values(), RecordStore(tmp_path, published_folder())) == []
