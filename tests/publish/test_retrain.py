"""A condition trained anew: what it is called, where its networks lie, and what is compared."""

from __future__ import annotations

import json
import os
import shutil
import signal
import subprocess
import sys
from dataclasses import replace
from pathlib import Path
from types import SimpleNamespace

import numpy as np
import pytest
from small_book import ROOT, copy_book, digest

from modclust_utils.publish import engine
from modclust_utils.publish.chapters import plan
from modclust_utils.publish.errors import ParameterError, RecordError
from modclust_utils.publish.groups import LocalCrew
from modclust_utils.publish.records import RecordStore, default_store, read_record, sealed
from modclust_utils.publish.retrain import (
    Condition,
    conditions,
    find_condition,
    numbers_of,
    retrain,
    retrained_store,
)
from modclust_utils.publish.run import check_run
from modclust_utils.publish.session import progress
from modclust_utils.recipes import clustering, random_ncuts, shuffle_test
from modclust_utils.recipes import network as network_recipe
from modclust_utils.recipes.base import Job, Value

N = 6
PHASES = network_recipe.PHASES


@pytest.fixture(scope="module")
def folder(tmp_path_factory) -> Path:
    """A book with the records of six small networks, with and without dropout."""
    folder = tmp_path_factory.mktemp("retrain")
    copy_book(folder / "book")
    rng, arrays = np.random.default_rng(0), {}
    for part, n in (("train", 60), ("test", 20)):
        arrays |= {f"x_{part}": rng.random((n, 6)), f"y_{part}": np.arange(n) % 3}
    np.savez(folder / "mine.npz", **arrays)
    with pytest.MonkeyPatch.context() as patch:
        patch.setenv("MODCLUST_ROOT", str(folder / "book"))
        jobs = [job for part in planned(folder).values() for job in part]
        engine.compute(jobs, default_store(), crew=LocalCrew(), progress=progress)
    return folder


@pytest.fixture
def book(folder, tmp_path, monkeypatch) -> Path:
    copied = Path(shutil.copytree(folder / "book", tmp_path / "book"))
    monkeypatch.setenv("MODCLUST_ROOT", str(copied))
    return copied


def planned(folder: Path) -> dict[str, list[Job]]:
    file = str(folder / "mine.npz")
    p = SimpleNamespace(
        n_networks=N, epochs=1, pruning_epochs=1, dropout_rate=0.5, seed=0, data_folder="",
        dataset_settings={file: {"batch_size": 32}},
    )  # fmt: skip
    plain, dropped = (each.jobs for each in network_recipe.conditions(p, [file]))
    return {
        "networks": dropped,
        "before": [clustering.job(job, "before", n_clusters=4, seed=0) for job in plain],
        "tests": [
            shuffle_test.job(job, "after", mode="layer", n_clusters=4, n_shuffles=3, seed=0)
            for job in plain
        ],
        "fresh": [random_ncuts.job(n_networks=2, n_clusters=2, seed=0)],
    }


def again(condition: Condition):
    return retrain(condition, crew=LocalCrew(), progress=progress, rng=np.random.default_rng(0))


def condition_of(folder: Path, name: str = "mine") -> Condition:
    return find_condition(conditions(planned(folder)), name)


def test_networks_are_trained_anew_beside_the_records(folder, book):
    before = digest(book)
    found = again(condition_of(folder))
    after = digest(book)
    assert {name: after[name] for name in before} == before
    assert {name for name in after if name not in before}
    assert all("data/cache/retrained/" in name for name in after if name not in before)
    assert (found.condition, found.n, found.same) == ("mine", N, N)
    names = {number.name for number in found.numbers}
    assert names == {
        *(f"{part} accuracy {phase}" for part in ("train", "test") for phase in PHASES),
        *(f"ncut, phase {phase}, n clusters 4" for phase in PHASES),
        "z score, phase after, n clusters 4, mode layer",
    }  # fmt: skip
    assert found.left_out == []
    for number in found.numbers:
        assert len(number.kept) == len(number.again) == N
        np.testing.assert_array_equal(number.kept, number.again)
    assert found.verdict == "no difference"
    # a second time nothing is left to do
    assert list(engine.stages(condition_of(folder).networks, retrained_store())) == []


def test_numbers_that_were_altered_are_another_distribution(folder, book):
    """A forger who recomputes the hash of each network's record is seen by training anew."""
    condition = condition_of(folder)
    for job in condition.networks:
        path = default_store().find("network", job.key)
        content = json.loads(path.read_text(encoding="utf-8"))
        content["value"]["test_accuracy_before"] += 2.0
        path.write_bytes(sealed(content))
    found = again(condition)
    assert {n.name for n in found.numbers if n.verdict() == "differ"} == {"test accuracy before"}
    assert found.verdict == "differ"
    assert again(condition_of(folder, "mine+dropout")).verdict == "no difference"


def test_too_few_networks_cannot_tell(folder, book):
    condition = condition_of(folder)
    few = replace(condition, networks=condition.networks[:3])
    found = again(few)
    assert (found.n, found.verdict) == (3, "cannot tell")


def test_only_what_has_records_is_trained(folder, book):
    condition = condition_of(folder)
    for job in condition.networks[1:]:
        default_store().find("network", job.key).unlink()
    with pytest.raises(RecordError, match="mine: 1 of 6 networks have records, and it takes two"):
        again(condition)
    assert not retrained_store().cache.exists()


def test_a_number_that_networks_lack_is_named_and_left_out(folder, book):
    condition = condition_of(folder)
    tests = [job for job in condition.about if job.kind == "shuffle-test"]
    for job in tests:
        path = default_store().find("shuffle-test", job.key)
        content = json.loads(path.read_text(encoding="utf-8"))
        content["value"]["z_score"] = None
        path.write_bytes(sealed(content))
    found = again(condition)
    assert found.left_out == ["z score, phase after, n clusters 4, mode layer"]
    assert found.left_out[0] not in {number.name for number in found.numbers}


def test_numbers_of_lists_and_gaps(tmp_path):
    """Of a list it is the mean without what is missing; a network counts once for a number."""
    store = RecordStore(tmp_path)
    recipe = replace(random_ncuts.RECIPE, kind="listed", numbers={"ncuts": ("n_clusters",)})
    shown = random_ncuts.job(n_networks=2, n_clusters=2, seed=0)
    jobs = []
    for seed, ncuts in enumerate(([1.0, None, 3.0], [None], 5.0)):
        jobs.append(Job(recipe, {**shown.parameters, "seed": seed}))
        store.put(jobs[-1], Value({"ncuts": ncuts}), seconds=1, device="CPU")
    assert numbers_of(jobs, engine.Shelf(store)) == {"ncuts, n clusters 2": [2.0, 5.0]}


# Names


@pytest.mark.parametrize(
    ("chapter", "name", "n_networks"),
    [
        (1, "MNIST", 10),
        (1, "mnist+dropout", 10),
        (1, "fashion-mnist+DROPOUT", 10),
        (2, "RANDOM (3,000)", 10),
        (2, "random,role=kilo-epoch", 10),
    ],
)
def test_conditions_are_called_what_readers_see(chapter, name, n_networks):
    jobs = plan(chapter, SimpleNamespace(**check_run(chapter, "paper")))
    condition = find_condition(conditions(jobs), name)
    assert len(condition.networks) == n_networks
    assert condition.networks[0].about["dropout"] == ("dropout" in name.lower())
    keys = {job.key for job in condition.networks}
    assert condition.about
    assert {need.key for job in condition.about for need in job.needs.values()} == keys


@pytest.mark.parametrize("chapter", [1, 2, 3, 4])
def test_no_two_conditions_have_one_name(chapter):
    jobs = plan(chapter, SimpleNamespace(**check_run(chapter, "paper")))
    names = [name for condition in conditions(jobs) for name in {*condition.names}]
    assert len(names) == len(set(names)) > 0


def test_unknown_condition(folder):
    with pytest.raises(ParameterError) as error:
        find_condition(conditions(planned(folder)), "mnis")
    assert str(error.value) == (
        "retrain='mnis' is no condition of this run; allowed: mine+dropout, mine"
    )


KILLED = """
import os, signal, sys
from pathlib import Path
from test_retrain import again, condition_of
from modclust_utils.publish import groups

groups.CHECKPOINT_SECONDS = -1
save = groups.save_checkpoint

def kill(path, checkpoint):
    save(path, checkpoint)
    os.kill(os.getpid(), signal.SIGKILL)

groups.save_checkpoint = kill
again(condition_of(Path(sys.argv[1])))
"""


@pytest.mark.skipif(os.name != "posix", reason="this system has no SIGKILL")
def test_killed_it_goes_on(folder, book, tmp_path):
    program = tmp_path / "killed.py"
    program.write_text(KILLED, encoding="utf-8")
    paths = [Path(__file__).parent, ROOT / "tests", ROOT]
    done = subprocess.run(
        [sys.executable, str(program), str(folder)],
        env={**os.environ, "PYTHONPATH": os.pathsep.join(map(str, paths))},
        timeout=300,
    )
    assert done.returncode == -signal.SIGKILL
    (checkpoint,) = (retrained_store().cache / "checkpoints").iterdir()
    assert checkpoint.is_file()
    assert again(condition_of(folder)).same == N
    assert list((retrained_store().cache / "checkpoints").iterdir()) == []


def test_records_of_networks_trained_anew_are_no_part_of_the_store(folder, book):
    again(condition_of(folder))
    paths = list(default_store())
    assert paths
    assert not [path for path in paths if "retrained" in path.parts]
    assert len({read_record(path).key for path in paths}) == len(paths)
