"""The page about other machines: its numbers come from a benchmark and from records."""

from __future__ import annotations

import json
import re
from pathlib import Path

import pytest
from small_book import ROOT

from modclust_utils.publish import dask_facts
from modclust_utils.publish.dask_facts import Cost, Owner, measured_owner, recorded_costs
from modclust_utils.publish.errors import RecordError

COST = Cost(parameters=10, jobs=4, seconds=100.0, sent=3000.0, returned=1000.0, disk=900.0)


def write_record(
    folder: Path, kind: str, key: str, seconds: float, value: dict, **parameters: object
) -> None:
    (folder / kind).mkdir(parents=True, exist_ok=True)
    content: dict = {"kind": kind, "version": 1, "parameters": parameters, "value": value}
    content["provenance"] = {"seconds": seconds}
    (folder / kind / f"{key}.json").write_text(json.dumps(content), encoding="utf-8")


def test_costs_of_the_records_of_a_network(tmp_path):
    kind, own = "pretrained-network", {"dataset": "imagenette"}
    write_record(tmp_path, kind, "aa", 2.0, {"n_parameters": 100}, name="large", **own)
    write_record(tmp_path, kind, "bb", 1.0, {"n_parameters": 7}, name="small", **own)
    write_record(tmp_path, kind, "cc", 1.0, {"n_parameters": 7}, name="other", dataset="mnist")
    write_record(tmp_path, "graph-shuffles", "dd", 30.0, {}, network="aa")
    write_record(tmp_path, "graph-shuffles", "ee", 40.0, {}, network="aa")
    write_record(tmp_path, "graph-shuffles", "ff", 50.0, {}, network="cc")
    write_record(tmp_path, "set-lesions", "gg", 900.0, {}, network="aa")
    (tmp_path / "graph-shuffles" / "dd.npz").write_bytes(b"x" * 1000)
    found = recorded_costs(tmp_path)
    assert list(found) == ["small", "large"]
    files = [*tmp_path.glob("*/aa.*"), *tmp_path.glob("*/dd.*"), *tmp_path.glob("*/ee.*")]
    size = sum(file.stat().st_size for file in files)
    assert size > 1000
    # four bytes a parameter: to both tests, and once back
    assert found["large"] == Cost(100, 3, 72.0, 800, 400 + size, 400 + size)
    assert found["small"].sent == 0


@pytest.mark.parametrize("content", ["", '{"kind": "graph-', "{}", "null"])
def test_a_damaged_record_is_named(tmp_path, content):
    write_record(tmp_path, "graph-shuffles", "dd", 30.0, {}, network="aa")
    path = tmp_path / "graph-shuffles" / "dd.json"
    path.write_text(content, encoding="utf-8")
    with pytest.raises(RecordError, match=rf"dd\.json is not a record .* Delete {path}"):
        recorded_costs(tmp_path)


def test_a_larger_network_costs_more_in_proportion():
    assert COST.of_size(10) == COST
    larger = COST.of_size(25)
    assert (larger.jobs, larger.parameters) == (4, 25)
    assert (larger.seconds, larger.sent, larger.returned, larger.disk) == (250, 7500, 2500, 2250)


def test_more_workers_than_the_owner_keeps_busy_save_no_time():
    # half a second a job, and 4,000 bytes at 1,000 a second: six seconds a network
    owner = Owner(seconds=0.5, rate=1000.0)
    assert owner.parts(COST) == {"the jobs themselves": 2.0, "the weights on their way": 4.0}
    assert owner.most_workers(COST) == pytest.approx(100 / 6)
    assert owner.hours(COST, 36, 1) == pytest.approx(1.0)
    assert owner.hours(COST, 36, 10) == pytest.approx(0.1)
    # 36 networks, six seconds each
    for workers in (17, 1000):
        assert owner.hours(COST, 36, workers) == pytest.approx(36 * 6 / 3600)


def test_an_owner_is_as_good_as_was_measured_and_no_faster_than_its_link():
    alone = {"ms_per_job": 1.0}
    ways = {
        "this process": alone,
        "1 worker": {"ms_per_job": 30.0, "bytes_per_second": 5e6},
        "2 workers": {"ms_per_job": 20.0, "bytes_per_second": 4e6},
    }
    assert measured_owner(ways) == Owner(0.02, 5e6)
    ways["2 workers"]["bytes_per_second"] = 1e12
    assert measured_owner(ways).rate == dask_facts.LINK


def test_the_page_names_no_number_that_is_not_there():
    page = (ROOT / "book" / "beyond-one-machine.md").read_text(encoding="utf-8")
    named = set(re.findall(r"{{ (\w+) }}", page))
    assert named == {f"dask_{name}" for name in dask_facts.NAMES}
    found = dask_facts.facts()
    assert set(found) == named
    assert dask_facts.UNKNOWN not in found.values()


def test_without_results_the_page_says_so(tmp_path, monkeypatch):
    monkeypatch.setattr(dask_facts, "root", lambda: tmp_path)
    found = dask_facts.facts()
    assert found.pop("dask_wait") == "60 seconds"
    assert found.pop("dask_gone") == "5 minutes"
    assert set(found.values()) == {dask_facts.UNKNOWN}
