"""The engine: each job is done once, in order of need, and survives a kill."""

from __future__ import annotations

import itertools
import os
import shutil
import signal
import subprocess
import sys
from collections.abc import Callable, Iterator, Sequence
from contextlib import contextmanager
from dataclasses import replace
from pathlib import Path
from types import SimpleNamespace

import numpy as np
import pytest
import torch
from computing import Bars, records, write_six_pixels
from small_book import digest

from modclust_utils import datasets
from modclust_utils.publish import engine, groups
from modclust_utils.publish import records as records_module
from modclust_utils.publish.checkpoints import (
    Checkpoint,
    CheckpointFile,
    load_checkpoint,
    save_checkpoint,
)
from modclust_utils.publish.errors import RecordError, RunError
from modclust_utils.publish.groups import LocalCrew
from modclust_utils.publish.records import RecordStore
from modclust_utils.recipes import clustering, network, regularized_network, shuffle_test
from modclust_utils.recipes.base import Images, Job, Recipe, Record, Task, Value, Work
from modclust_utils.settings import RegularizedSettings, TrainingSettings
from modclust_utils.training import TrainingState, initial_state

POSIX_ONLY = pytest.mark.skipif(os.name != "posix", reason="this system has no SIGKILL")


@pytest.fixture
def store(tmp_path) -> RecordStore:
    return RecordStore(tmp_path / "cache", tmp_path / "published")


def compute(jobs: Sequence[Job], store: RecordStore, **options: object) -> Bars:
    bars = Bars()
    engine.compute(jobs, store, progress=bars, crew=LocalCrew(**options))
    return bars


# A kind of record whose work can be seen: a number, and sums of what it needs


def _add(tasks: Sequence[Task], work: Work) -> list[Value]:
    values = []
    for task in tasks:
        parts = [record.value["sum"] for record in task.needs.values()]
        own = task.parameters["number"] + sum(parts)
        if own == 13:
            raise ZeroDivisionError("an unlucky number")
        arrays = {"sum": np.array([float(own)])}
        work.step()
        values.append(
            Value({"sum": own, "with": len(tasks), "process": os.getpid()}, arrays, {"k": arrays})
        )
    return values


ADD = Recipe("add", 1, ("number", "left"), "adding", _add, together=("number",))


def add(number: int, left: Job | None = None, kept: str = "") -> Job:
    key = left.key if left else ""
    needs = {"left": left} if left else {}
    parameters = {"number": number, "left": key}
    return Job(ADD, parameters, needs, kept, about={"number": number})


def sums(jobs: Sequence[Job], store: RecordStore) -> list[int]:
    return engine.read_frames({"all": list(jobs)}, store)["all"]["sum"].tolist()


def test_what_is_needed_comes_first(store):
    one = add(1)
    two = add(2, one)
    four = add(4, two)
    stages = list(engine.stages([four], store))
    assert [[job.parameters["number"] for job in stage] for stage in stages] == [[1], [2], [4]]
    bars = compute([four, add(10)], store)
    assert sums([four, two, one], store) == [7, 3, 1]
    # what needs nothing of each other is done at once
    assert bars.shown == [["adding", 2, 2], ["adding", 1, 1], ["adding", 1, 1]]
    assert list(engine.stages([four], store)) == []


def test_what_is_there_is_not_done_again(store):
    compute([add(1), add(2)], store)
    before = digest(store.cache)
    assert compute([add(1), add(2)], store).shown == []
    store.find("add", add(1).key).unlink()
    compute([add(1), add(2)], store)
    after = digest(store.cache)
    assert {name for name in before if before[name] != after[name]} == {
        f"records/add/{add(1).key}.json"  # its seconds and its date
    }


def test_published_records_serve_as_well(store):
    compute([add(1)], store)
    shutil.move(store.folders[0], store.folders[1])
    assert engine.missing([add(1)], store) == []
    assert sums([add(1)], store) == [1]


def test_jobs_that_go_together_are_one_task_of_limited_size(store):
    jobs = [add(n) for n in range(5)]
    compute(jobs, store)
    assert set(engine.read_frames({"a": jobs}, store)["a"]["with"]) == {5}
    few = replace(ADD, kind="few", at_most=2)
    jobs = [Job(few, {"number": n, "left": ""}) for n in range(5)]
    compute(jobs, store)
    assert engine.read_frames({"a": jobs}, store)["a"]["with"].tolist() == [2, 2, 2, 2, 1]


def test_each_job_is_done_once_however_often_it_is_asked_for(store):
    one = add(1)
    bars = compute([one, add(1), add(2, one), add(2, add(1))], store)
    assert [total for _, total, _ in bars.shown] == [1, 1]


def test_workers_return_values_and_the_owner_writes(store, monkeypatch):
    writers = []
    put = RecordStore.put
    monkeypatch.setattr(
        RecordStore, "put", lambda *args, **kw: (writers.append(os.getpid()), put(*args, **kw))
    )
    alone = replace(ADD, kind="alone", together=())
    jobs = [Job(alone, {"number": n, "left": ""}) for n in range(4)]
    compute(jobs, store, n_jobs=2)
    assert writers == [os.getpid()] * 4
    assert os.getpid() not in set(engine.read_frames({"a": jobs}, store)["a"]["process"])


def test_backend_of_joblib_is_an_argument(store):
    alone = replace(ADD, kind="alone", together=())
    jobs = [Job(alone, {"number": n, "left": ""}) for n in range(4)]
    compute(jobs, store, n_jobs=2, backend="threading")
    assert set(engine.read_frames({"a": jobs}, store)["a"]["process"]) == {os.getpid()}


def test_an_error_keeps_what_was_done_before(store):
    alone = replace(ADD, kind="alone", together=())
    jobs = [Job(alone, {"number": n, "left": ""}) for n in (1, 13, 2)]
    with pytest.raises(ZeroDivisionError, match="unlucky"):
        compute(jobs, store)
    assert sums(jobs[:1], store) == [1]
    with pytest.raises(RecordError, match=r"\.json is missing\. Run the chapter again"):
        sums(jobs[1:], store)


def test_a_package_that_is_not_there_is_named_before_anything_is_computed(store):
    picky = add(2, add(1))
    picky = replace(picky, recipe=replace(ADD, packages=("no_such_package",)))
    with pytest.raises(RunError, match=r"no_such_package is not installed \(.*needs it"):
        compute([picky], store)
    assert list(store) == []
    compute([add(2, add(1))], store)
    compute([picky], store)  # what is there needs no package


def test_record_about_what_was_computed_anew_does_not_count(store):
    """The key of what it needs is the same, its arrays are not."""
    one = add(1)
    two = add(2, one)
    compute([two], store)
    store.put(one, Value({"sum": 5}, {"sum": np.array([5.0])}), seconds=1, device="CPU")
    assert [job.key for job in engine.missing([two], store)] == [two.key]
    compute([two], store)
    assert sums([two], store) == [7]


def test_kept_arrays_that_are_gone_are_computed_anew_with_all_that_hangs_on_them(store):
    one = add(1)
    plain, keeping = add(2, one), add(3, one, kept="k")
    compute([plain, keeping], store)
    store.kept_path(one.key, "k").unlink()
    # nothing needs them: all that was made of them is there
    assert engine.missing([plain, keeping], store) == []
    store.find("add", keeping.key).unlink()
    wanted = [job.key for job in engine.missing([plain, keeping], store)]
    assert wanted == [one.key, plain.key, keeping.key]
    compute([plain, keeping], store)
    assert store.kept_path(one.key, "k").is_file()


def test_kept_arrays_of_another_training_are_not_used(store):
    one = add(1)
    compute([one], store)
    kept = store.kept_path(one.key, "k").read_bytes()
    store.put(one, Value({"sum": 5}, {"sum": np.array([5.0])}), seconds=1, device="CPU")
    store.kept_path(one.key, "k").write_bytes(kept)
    with pytest.raises(RecordError, match="is missing, or of another training"):
        engine.task_of(add(3, one, kept="k"), engine.Shelf(store))


# Two runs


def raced(meanwhile: Callable[[], None]) -> Recipe:
    """A kind of record that another run writes while this one computes it."""

    def during(tasks: Sequence[Task], work: Work) -> list[Value]:
        if left:
            left.pop()()
        return _add(tasks, work)

    left = [meanwhile]
    return replace(ADD, compute=during)


def test_a_record_that_another_run_wrote_meanwhile_stays(store):
    after: list[dict[str, str]] = []

    def other() -> None:
        compute([add(1)], store)
        after.append(digest(store.cache))

    job = Job(raced(other), {"number": 1, "left": ""})
    compute([job], store)
    assert after == [digest(store.cache)]
    assert sums([job], store) == [1]


@pytest.mark.parametrize("lack", ["weights", "arrays", "text"])
def test_a_record_of_another_run_that_lacks_something_is_replaced(store, lack):
    def other() -> None:
        compute([add(1)], store)
        path = store.path("add", add(1).key)
        if lack == "weights":
            store.kept_path(path.stem, "k").unlink()
        elif lack == "arrays":
            path.with_suffix(".npz").unlink()
        else:
            path.write_text("{")

    job = Job(raced(other), {"number": 1, "left": ""})
    compute([job], store)
    (record,) = records([job], store)
    assert record.arrays["sum"] == 1
    assert store.kept(record, "k") is not None


def test_a_record_of_what_another_run_computed_anew_stays(store):
    """What this run made is about a network that is there no more."""
    one, anew = add(1), Value({"sum": 5}, {"sum": np.array([5.0])})
    compute([one], store)

    def other() -> None:
        store.put(one, anew, seconds=1, device="CPU")
        compute([add(2, one)], store)

    job = Job(raced(other), {"number": 2, "left": one.key}, {"left": one})
    compute([job], store)
    assert sums([one, job], store) == [5, 7]


def test_kept_arrays_that_two_runs_miss_are_written_once(store):
    one = add(1)
    compute([add(2, one)], store)
    store.kept_path(one.key, "k").unlink()
    after: list[dict[str, str]] = []

    def other() -> None:
        compute([add(3, one, kept="k")], store)
        after.append(digest(store.cache))

    again = Job(raced(other), {"number": 1, "left": ""})
    compute([add(3, again, kept="k")], store)
    assert after == [digest(store.cache)]


def test_a_record_that_is_replaced_while_it_is_looked_for_is_waited_for(store, monkeypatch):
    one = add(1)
    compute([one], store)
    path, shelf = store.path("add", one.key), engine.Shelf(store)
    content = path.read_bytes()
    path.unlink()

    @contextmanager
    def waited() -> Iterator[None]:
        path.write_bytes(content)
        yield

    monkeypatch.setattr(store, "alone", waited)
    assert shelf.require(one).value["sum"] == 1


# The commit


def at_commits(patch: pytest.MonkeyPatch, *heads: str) -> list[str]:
    """A repository whose commit moves on each time that it is asked; those that are left."""
    left = list(heads)
    patch.setattr(records_module, "git", lambda _, *words: left.pop(0) if "HEAD" in words else "")
    records_module.commit.cache_clear()
    return left


@pytest.fixture
def other_commits(monkeypatch) -> Iterator[pytest.MonkeyPatch]:
    with monkeypatch.context() as patch:
        yield patch
    records_module.commit.cache_clear()


def test_a_record_names_the_commit_at_the_start_of_its_computing(store, other_commits):
    left = at_commits(other_commits, "first", "second")

    def during(tasks: Sequence[Task], work: Work) -> list[Value]:
        # somebody commits while this runs
        seen.append(list(left))
        return _add(tasks, work)

    seen: list[list[str]] = []
    slow = replace(ADD, kind="slow", compute=during)
    job = Job(slow, {"number": 1, "left": ""})
    compute([job], store)
    assert seen == [["second"]]
    assert records([job], store)[0].provenance["commit"] == "first"


# Networks


@pytest.fixture(scope="module")
def images(tmp_path_factory) -> str:
    """Images of six pixels in three classes."""
    return str(write_six_pixels(tmp_path_factory.mktemp("data") / "small.npz"))


def networks(images: str, n: int = 2, *, dropout: bool = True) -> list[Job]:
    p = SimpleNamespace(
        n_networks=n, epochs=2, pruning_epochs=2, dropout_rate=0.5, seed=0, data_folder="",
        dataset_settings={images: {"batch_size": 10}},
    )  # fmt: skip
    (condition,) = network.conditions(p, [images], dropouts=[dropout])
    return condition.jobs


def same(one: Record, other: Record) -> bool:
    """Equal in all but provenance, arrays to the bit."""
    return one.value == other.value and one.arrays_sha256 == other.arrays_sha256


def test_networks_of_any_shape_train_as_one_batch(images, store):
    jobs = networks(images)
    bars = compute(jobs, store)
    assert bars.shown == [["training networks", 4, 4]]
    found = records(jobs, store)
    for record in found:
        assert record.provenance["batch_size"] == 2
        assert record.provenance["peak_mb"] > 50  # Python and torch alone have more
        assert network.mlp(record).layer_sizes == (6, 256, 256, 256, 256, 3)
        assert record.made_from == {"test_images": record.value["test_hash"]}
        kept = store.kept(record, "before")
        assert [kept[f"weight_{i}"].shape for i in range(5)] == [
            w.shape for w in network.weights(record)
        ]
    assert found[0].arrays_sha256 != found[1].arrays_sha256


def test_conditions_that_train_at_a_time_give_the_same_networks(images, store, tmp_path):
    """Without and with dropout, in a process each."""
    jobs = [job for dropout in (False, True) for job in networks(images, dropout=dropout)]
    whole = RecordStore(tmp_path / "whole")
    compute(jobs, whole)
    bars = compute(jobs, store, n_jobs=2)
    assert bars.shown == [["training networks", 8, 8]]
    assert all(map(same, records(jobs, store), records(jobs, whole)))


def test_more_networks_keep_those_that_are_there(images, store):
    compute(networks(images), store)
    before = digest(store.cache)
    jobs = networks(images, 3)
    compute(jobs, store)
    after = digest(store.cache)
    assert {name: after[name] for name in before} == before
    assert [record.provenance["batch_size"] for record in records(jobs, store)] == [2, 2, 1]


def test_every_test_belongs_to_the_network_that_lies_there(images, store):
    (job, _) = networks(images)
    before = clustering.job(job, "before", n_clusters=2, seed=0)
    test = shuffle_test.job(job, "after", mode="layer", n_clusters=2, n_shuffles=2, seed=0)
    compute([before, test], store)
    record = records([job], store)[0]
    for made in records([before, test], store):
        assert made.made_from == {
            "network": {
                "kind": "network", "key": job.key, "arrays_sha256": record.arrays_sha256
            }
        }  # fmt: skip
    assert compute([before, test], store).shown == []


@pytest.mark.parametrize("stop", [1, 2, 3])
def test_training_that_stopped_goes_on_to_the_same_networks(
    images, store, tmp_path, monkeypatch, stop
):
    jobs = networks(images)
    whole = RecordStore(tmp_path / "whole")
    compute(jobs, whole)
    monkeypatch.setattr(groups, "CHECKPOINT_SECONDS", -1)  # after each epoch
    save = groups.save_checkpoint

    def stop_after(path: CheckpointFile, checkpoint: Checkpoint) -> None:
        save(path, checkpoint)
        if checkpoint.state.epoch == stop:
            raise KeyboardInterrupt

    with monkeypatch.context() as patch:
        patch.setattr(groups, "save_checkpoint", stop_after)
        with pytest.raises(KeyboardInterrupt):
            compute(jobs, store)
    assert list(store) == []
    (checkpoint,) = (store.cache / "checkpoints").iterdir()
    # one of them alone starts from the beginning, and leaves alone what both have done
    elsewhere = RecordStore(shutil.copytree(store.cache, tmp_path / "elsewhere"))
    compute(jobs[:1], elsewhere)
    assert records(jobs[:1], elsewhere)[0].provenance["batch_size"] == 1
    assert [f.name for f in (elsewhere.cache / "checkpoints").iterdir()] == [checkpoint.name]
    bars = compute(jobs, store)
    # what was done before counts
    assert bars.shown == [["training networks", 4, 4]]
    assert all(map(same, records(jobs, store), records(jobs, whole)))
    assert list((store.cache / "checkpoints").iterdir()) == []


def regularized(images: str, *penalties: float) -> list[Job]:
    """Networks of paper C of one seed, which train together, with these L2 penalties."""
    settings = RegularizedSettings(layer_sizes=(6, 5, 5, 3), batch_size=4, max_epochs=4)
    needed = Images(images, datasets.train_hash(images))
    return [regularized_network.job(needed, replace(settings, l2=l2), 3) for l2 in penalties]


def test_networks_of_any_settings_go_on_to_the_same_networks(images, store, tmp_path, monkeypatch):
    jobs, whole = regularized(images, 0.0, 0.01), RecordStore(tmp_path / "whole")
    compute(jobs, whole)
    monkeypatch.setattr(groups, "CHECKPOINT_SECONDS", -1)  # after each epoch
    save, n_saved = groups.save_checkpoint, itertools.count(1)

    def stop_after_two(path: CheckpointFile, checkpoint: Checkpoint) -> None:
        save(path, checkpoint)
        if next(n_saved) == 2:
            raise KeyboardInterrupt

    with monkeypatch.context() as patch:
        patch.setattr(groups, "save_checkpoint", stop_after_two)
        with pytest.raises(KeyboardInterrupt):
            compute(jobs, store)
    # as many networks of the same seeds, the first of them the same, are others all the same
    others = regularized(images, 0.0, 0.02)
    elsewhere = RecordStore(shutil.copytree(store.cache, tmp_path / "elsewhere"))
    fresh = RecordStore(tmp_path / "fresh")
    compute(others, elsewhere)
    compute(others, fresh)
    assert all(map(same, records(others, elsewhere), records(others, fresh)))
    bars = compute(jobs, store)
    assert bars.shown == [["training networks with penalties", 2, 2]]
    assert all(map(same, records(jobs, store), records(jobs, whole)))
    assert list((store.cache / "checkpoints").iterdir()) == []


def test_training_that_goes_on_names_the_commit_at_which_it_began(images, store, other_commits):
    at_commits(other_commits, "first")
    jobs, save = networks(images), groups.save_checkpoint

    def stop(path: CheckpointFile, checkpoint: Checkpoint) -> None:
        save(path, checkpoint)
        raise KeyboardInterrupt

    other_commits.setattr(groups, "CHECKPOINT_SECONDS", -1)
    other_commits.setattr(groups, "save_checkpoint", stop)
    with pytest.raises(KeyboardInterrupt):
        compute(jobs, store)
    other_commits.setattr(groups, "save_checkpoint", save)
    at_commits(other_commits, "second")  # another process, later
    compute(jobs, store)
    for record in records(jobs, store):
        assert record.provenance["commit"] == "first"
        assert record.provenance["resumed_by"] == "second"
    compute(networks(images, 3), store)
    assert "resumed_by" not in records(networks(images, 3), store)[2].provenance


KILLED = """
import sys
from pathlib import Path
from test_engine import compute, networks
from modclust_utils.publish import engine, groups
from modclust_utils.publish.records import RecordStore
import os, signal

groups.CHECKPOINT_SECONDS = -1
save = groups.save_checkpoint

def kill(path, checkpoint):
    save(path, checkpoint)
    if checkpoint.state.epoch == 2:
        os.kill(os.getpid(), signal.SIGKILL)

groups.save_checkpoint = kill
compute(networks(sys.argv[1]), RecordStore(Path(sys.argv[2])))
"""


@POSIX_ONLY
def test_killed_process_goes_on_to_the_same_networks(images, store, tmp_path):
    program = tmp_path / "killed.py"
    program.write_text(KILLED, encoding="utf-8")
    paths = [Path(__file__).parents[n] for n in range(3)]
    done = subprocess.run(
        [sys.executable, str(program), images, str(store.cache)],
        env={**os.environ, "PYTHONPATH": os.pathsep.join(map(str, paths))},
        timeout=300,
    )
    assert done.returncode == -signal.SIGKILL
    assert len(list((store.cache / "checkpoints").iterdir())) == 1
    jobs, whole = networks(images), RecordStore(tmp_path / "whole")
    compute(jobs, whole)
    compute(jobs, store)
    assert all(map(same, records(jobs, store), records(jobs, whole)))


# Checkpoints

SETTINGS = TrainingSettings((6, 5, 3), dropout_rate=0.5, epochs=2, pruning_epochs=2, batch_size=4)
SEEDS = [3, 11]


def begun() -> Checkpoint:
    state = initial_state(SETTINGS, seeds=SEEDS, device="cpu")
    return Checkpoint(state, 1.0, 1, "abc")


def test_a_checkpoint_that_another_run_clears_meanwhile_is_none(tmp_path, monkeypatch):
    path = CheckpointFile(tmp_path / "state.pt")
    path.write(b"state")
    assert path.read() == b"state"
    path.clear()
    path.clear()
    # it was there a moment ago
    monkeypatch.setattr(Path, "is_file", lambda _: True)
    assert path.read() is None


def test_saved_state_is_read_again_and_a_later_one_takes_its_place(tmp_path):
    path = tmp_path / "deep" / "state.pt"
    state = initial_state(SETTINGS, seeds=SEEDS, device="cpu")
    save_checkpoint(CheckpointFile(path), Checkpoint(state, 12.5, 1, "abc"))
    state.epoch = 2
    save_checkpoint(CheckpointFile(path), Checkpoint(state, 20.0, 1, "abc"))
    found = load_checkpoint(CheckpointFile(path), SEEDS, "cpu", 1, TrainingState)
    assert found is not None
    assert (found.seconds, found.version, found.commit) == (20.0, 1, "abc")
    again = found.state
    assert (again.epoch, again.seeds) == (2, tuple(SEEDS))
    assert again.before is again.running_accuracy is again.running_accuracy_before is None
    assert all(map(torch.equal, again.parameters, state.parameters))
    assert [file.name for file in path.parent.iterdir()] == ["state.pt"]


def test_checkpoint_of_other_networks_or_other_code_is_not_used(tmp_path):
    path = tmp_path / "state.pt"
    assert load_checkpoint(CheckpointFile(path), SEEDS, "cpu", 1, TrainingState) is None
    save_checkpoint(CheckpointFile(path), begun())
    for seeds, version in ((SEEDS[::-1], 1), (SEEDS[:1], 1), (SEEDS, 2)):
        assert load_checkpoint(CheckpointFile(path), seeds, "cpu", version, TrainingState) is None


class Harmful:
    """Something that would run code where it is unpickled."""

    def __init__(self, folder: Path) -> None:
        self.folder = folder

    def __reduce__(self):
        return os.mkdir, (str(self.folder),)


@pytest.mark.parametrize("damage", ["truncated", "empty", "text", "list", "fields", "harmful"])
def test_damaged_checkpoint_is_put_away(tmp_path, damage):
    path = tmp_path / "state.pt"
    save_checkpoint(CheckpointFile(path), begun())
    whole = path.read_bytes()
    if damage == "list":
        torch.save([1, 2], path)
    elif damage == "fields":
        torch.save({"version": 1, "seconds": 1.0, "commit": "abc"}, path)
    elif damage == "harmful":
        torch.save({"seeds": Harmful(tmp_path / "made")}, path)
    else:
        contents = {"truncated": whole[: len(whole) // 2], "empty": b"", "text": b"no torch"}
        path.write_bytes(contents[damage])
    assert load_checkpoint(CheckpointFile(path), SEEDS, "cpu", 1, TrainingState) is None
    assert list(tmp_path.iterdir()) == []
