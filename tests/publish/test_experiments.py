"""Work units: each is computed once, comes back alone when deleted, and survives a kill."""

from __future__ import annotations

import dataclasses
import json
import os
import shutil
import signal
import subprocess
import sys
from collections.abc import Iterator
from pathlib import Path
from types import SimpleNamespace

import numpy as np
import pytest
import torch
from small_book import ROOT, copy_book, digest, make_network, write_data

from modclust_utils import datasets, nulls
from modclust_utils.publish import experiments, plans, session
from modclust_utils.publish import networks as publish_networks
from modclust_utils.publish.experiments import Job
from modclust_utils.publish.parameters import read_schema
from modclust_utils.publish.records import Record, RecordStore, record_key

SCHEMA = read_schema(ROOT / "notebooks" / "01-pruned-mlp-clusterability.ipynb")


def make_run(book: Path, **changes: object) -> session.Run:
    """A run of tiny networks; its data are in the book's folder."""
    images = str(book / "columns.npz")
    values = {
        "datasets": [images],
        "dataset_settings": {images: {"batch_size": 64, "pruning_interval": 1}},
        "n_networks": 2,
        "epochs": 2,
        "pruning_epochs": 2,
        "n_clusters": 2,
        "more_clusters": [3],
        "n_shuffles": 2,
        "n_random": 2,
        "n_jobs": 1,
        "device": "cpu",
    }
    return session.Run(1, SCHEMA.check(values | changes), SCHEMA, session.default_store())


def compute_all(run: session.Run) -> dict[str, list[Record]]:
    """What the chapter computes, by name."""
    networks = plans.networks_of(run)
    found = {"networks": [network.record for network in networks]}
    found["before"] = experiments.ncuts(run, networks, "before")
    tests = experiments.shuffle_tests(run, networks, clusters=plans.all_clusters(run.p))
    found |= {f"tests {k}": records for k, records in tests.items()}
    found["random"] = [experiments.random_ncuts(run)]
    return found


def assert_same(first: Record, second: Record) -> None:
    """Equal in all but provenance, arrays to the bit."""
    assert first.key == second.key
    assert first.value == second.value
    assert first.arrays.keys() == second.arrays.keys()
    for name, array in first.arrays.items():
        assert array.tobytes() == second.arrays[name].tobytes()


@pytest.fixture(scope="module")
def finished(tmp_path_factory) -> Iterator[Path]:
    """A book in which a run has computed everything."""
    book = copy_book(tmp_path_factory.mktemp("finished") / "book")
    write_data(book / "columns.npz")
    with pytest.MonkeyPatch.context() as patch:
        patch.setenv("MODCLUST_ROOT", str(book))
        compute_all(make_run(book))
    return book


@pytest.fixture
def done(finished, tmp_path, monkeypatch) -> Path:
    """A copy of that book. The data keep their address, which the parameters name."""
    shutil.copytree(finished / "data" / "cache", tmp_path / "book" / "data" / "cache")
    shutil.copytree(finished / "notebooks", tmp_path / "book" / "notebooks")
    shutil.copyfile(finished / "_toc.yml", tmp_path / "book" / "_toc.yml")
    monkeypatch.setenv("MODCLUST_ROOT", str(tmp_path / "book"))
    return finished


@pytest.fixture
def book(tmp_path, monkeypatch) -> Path:
    """A book in which nothing has been computed."""
    folder = copy_book(tmp_path / "new book")
    write_data(folder / "columns.npz")
    monkeypatch.setenv("MODCLUST_ROOT", str(folder))
    return folder


@pytest.fixture
def computed(monkeypatch) -> list[str]:
    """What is computed from here on: kinds of records, and seeds of networks."""
    names: list[str] = []
    compute, train = experiments.compute_jobs, publish_networks.train_condition

    def compute_jobs(jobs: list[Job], device: str) -> list[dict]:
        names.extend(f"{job.kind} {record_key(job.kind, job.parameters)}" for job in jobs)
        return compute(jobs, device)

    def train_condition(condition, seeds, *arguments, **options) -> None:
        names.append(f"train {condition.dropout} {seeds}")
        train(condition, seeds, *arguments, **options)

    monkeypatch.setattr(experiments, "compute_jobs", compute_jobs)
    monkeypatch.setattr(publish_networks, "train_condition", train_condition)
    return names


def test_a_tested_network_has_the_ncut_of_its_test(done, computed):
    run = make_run(done)
    networks = plans.networks_of(run)
    (test,) = experiments.shuffle_tests(run, networks[:1], clusters=[2])[2]
    first, *others = experiments.ncuts(run, networks, "after", tests=[test])
    assert first is test
    assert [r.kind for r in others] == ["clustering"] * (len(networks) - 1)
    assert [r.parameters["network"] for r in others] == [n.key for n in networks[1:]]
    assert len(computed) == len(others)


# Conditions


def test_settings_of_a_data_set_come_before_those_of_all():
    p = SimpleNamespace(
        datasets=["mnist", "cifar10"],
        n_networks=3,
        epochs=20,
        pruning_epochs=30,
        dropout_rate=0.5,
        dataset_settings={
            "cifar10": {"pruning_epochs": 40, "dropout_rate": 0.2},
            "cifar10+dropout": {"epochs": 100, "n_networks": 2},
        },
        seed=2,
    )
    found = [
        (c.dataset, c.dropout, s.epochs, s.pruning_epochs, s.dropout_rate, c.seeds)
        for c in publish_networks.conditions(p, p.datasets)
        for s in [c.settings]
    ]
    assert found == [
        ("mnist", False, 20, 30, 0.0, (2000, 2001, 2002)),
        ("mnist", True, 20, 30, 0.5, (2000, 2001, 2002)),
        ("cifar10", False, 20, 40, 0.0, (2000, 2001, 2002)),
        ("cifar10", True, 100, 40, 0.2, (2000, 2001)),
    ]
    p.dataset_settings = {"mnist": {"epoch": 3}}
    with pytest.raises(ValueError, match=r"dataset_settings has \['epoch'\] for 'mnist'; allowed"):
        publish_networks.conditions(p, p.datasets)


def test_seeds_of_networks_never_meet():
    seeds = [seed for s in range(3) for seed in publish_networks.network_seeds(s, 1000)]
    assert len(set(seeds)) == 3000


def test_key_of_a_network_does_not_tell_where_its_data_lie(book):
    shutil.copyfile(book / "columns.npz", book / "data" / "columns.npz")
    keys = set()
    for path in (book / "columns.npz", book / "data" / "columns.npz"):
        settings = {str(path): {"batch_size": 64}}
        p = make_run(book, datasets=[str(path)], dataset_settings=settings).p
        keys |= {
            record_key("network", c.network_parameters(0))
            for c in publish_networks.conditions(p, p.datasets)
        }
    assert len(keys) == 2  # without and with dropout
    write_data(book / "columns.npz", n_train=255)
    p = make_run(book, dataset_settings={}).p
    assert not keys & {
        record_key("network", c.network_parameters(0))
        for c in publish_networks.conditions(p, p.datasets)
    }


# What a finished run holds


def test_plan_is_what_a_run_uses(done):
    run = make_run(done)
    compute_all(run)
    planned = [(kind, record_key(kind, parameters)) for kind, parameters in plans.plan(1, run.p)]
    assert len(planned) == len(set(planned))
    assert set(planned) == set(run.used)
    # two conditions of two networks: a network, its n-cut before, and a test for each k
    assert len(planned) == 4 * (1 + 1 + 2) + 1


def test_records_are_all_that_was_written(done):
    run = make_run(done)
    keys = {(path.parent.name, path.stem) for path in run.store}
    assert keys == {(kind, record_key(kind, p)) for kind, p in plans.plan(1, run.p)}
    assert list((session.cache_folder() / "checkpoints").glob("*")) == []


def test_second_run_computes_nothing_and_finds_the_same(done, computed):
    before = digest(session.cache_folder())
    first, second = compute_all(make_run(done)), compute_all(make_run(done))
    assert computed == []
    for name in first:
        for one, other in zip(first[name], second[name], strict=True):
            assert_same(one, other)
            assert one.provenance == other.provenance
    assert digest(session.cache_folder()) == before


def test_accuracies_are_those_of_the_network(done):
    images = datasets.load(done / "columns.npz")
    x, y = torch.from_numpy(images.x_test.copy()), torch.from_numpy(images.y_test.copy())
    for network in plans.networks_of(make_run(done)):
        value = network.record.value
        accuracy = publish_networks.mlp(network.record).accuracy(x, y)
        assert value["test_accuracy_after"] == pytest.approx(float(accuracy), abs=1e-6)
        assert value["n_test"] == len(y)
        assert value["test_hash"] == images.test_hash
        assert network.record.provenance["batch_size"] == 2


def test_weights_before_and_after_pruning(done):
    for network in plans.networks_of(make_run(done)):
        before = publish_networks.before_weights(network.key)
        after = publish_networks.after_weights(network.record)
        assert [w.shape for w in before] == [w.shape for w in after]
        for kept, whole in zip(after, before, strict=True):
            assert np.count_nonzero(whole) > 0.9 * whole.size
            # the last of 8 steps prunes to 0.9 - 0.4 (1 - 7/8)^3
            share = 0.1 + 0.4 / 8**3
            assert np.count_nonzero(kept) == pytest.approx(share * kept.size, abs=1)


def test_networks_differ_from_each_other(done):
    records = [network.record for network in plans.networks_of(make_run(done))]
    first = {record.arrays["weight_0"].tobytes() for record in records}
    assert len(first) == len(records) == 4


def test_tests_of_a_record_are_those_of_the_package(done):
    run = make_run(done)
    network = plans.networks_of(run)[1]
    (record,) = experiments.shuffle_tests(run, [network], clusters=[3])[3]
    rng = np.random.default_rng([run.p.seed, int(network.key, 16)])
    weights = publish_networks.after_weights(network.record)
    test = nulls.shuffle_test(weights, 3, n_shuffles=2, mode="layer", rng=rng)
    # the record was computed together with the test for another k: the same to rounding
    assert record.value["ncut"] == pytest.approx(test.ncut, rel=1e-5)
    assert record.value["p_value"] == test.p_value
    np.testing.assert_allclose(record.value["null_ncuts"], test.null_ncuts, rtol=1e-5)
    assert record.parameters["mode"] == "layer"


def test_find_network_gives_what_was_trained(done):
    run = make_run(done)
    for network in plans.networks_of(run):
        found = publish_networks.find_network(run.store, network.key)
        assert found.seed == network.seed
        assert found.condition.settings == network.condition.settings
        assert found.condition.dropout == network.condition.dropout
        assert found.condition.train_hash == network.condition.train_hash
    assert publish_networks.find_network(run.store, "0" * 16) is None


# Deleted records come back


def test_deleted_test_comes_back_alone_and_the_same(done, computed):
    run = make_run(done)
    kind, parameters = next(each for each in plans.plan(1, run.p) if each[0] == "shuffle-test")
    kept = run.store.require(kind, parameters)
    path = run.store.path(kind, parameters)
    before = digest(session.cache_folder())
    path.unlink()
    compute_all(run)
    assert computed == [f"shuffle-test {path.stem}"]
    again = run.store.require(kind, parameters)
    # alone, its eigenvectors are not those of a larger k beside it: the same to rounding
    np.testing.assert_allclose(again.value["null_ncuts"], kept.value["null_ncuts"], rtol=1e-5)
    assert again.value["ncut"] == pytest.approx(kept.value["ncut"], rel=1e-5)
    name = path.relative_to(session.cache_folder()).as_posix()
    assert {**digest(session.cache_folder()), name: before[name]} == before


def test_deleted_network_is_trained_alone(done, computed):
    run = make_run(done)
    condition = publish_networks.conditions(run.p, run.p.datasets)[1]
    parameters = condition.network_parameters(1)
    kept = run.store.require("network", parameters)
    run.store.path("network", parameters).unlink()
    before = digest(session.cache_folder() / "records")
    networks = plans.networks_of(run)
    assert computed == ["train True [1]"]
    again = networks[3].record
    assert again.key == kept.key
    # alone or as one of two: the same network, up to rounding and what that does to the mask
    for name, array in kept.arrays.items():
        assert np.mean(~np.isclose(again.arrays[name], array, atol=1e-3)) < 0.01
    after = digest(session.cache_folder() / "records")
    assert {name: after[name] for name in before if again.key not in name} == {
        name: value for name, value in before.items() if again.key not in name
    }


def test_network_is_trained_again_where_its_weights_before_pruning_are_needed(done, computed):
    run = make_run(done)
    network = plans.networks_of(run)[0]
    weights = session.cache_folder() / "weights" / f"{network.key}-before.npz"
    kept_weights = publish_networks.before_weights(network.key)
    weights.unlink()
    plans.networks_of(run)
    assert computed == []  # their n-cut is known, so nobody needs them

    parameters = experiments.clustering_parameters(network.key, "before", run.p, 2)
    kept = run.store.require("clustering", parameters)
    run.store.path("clustering", parameters).unlink()
    job = Job("clustering", parameters, network, "before")
    assert not job.has_weights
    with pytest.raises(FileNotFoundError, match=r"before\.npz is missing.*Run the chapter again"):
        job.weights()
    records = digest(session.cache_folder() / "records" / "network")
    compute_all(run)
    assert computed == ["train False [0]", f"clustering {record_key('clustering', parameters)}"]
    for again, before in zip(
        publish_networks.before_weights(network.key), kept_weights, strict=True
    ):
        np.testing.assert_allclose(again, before, atol=1e-4)
    assert run.store.require("clustering", parameters).value["ncut"] == pytest.approx(
        kept.value["ncut"], abs=0.01
    )
    # the trained network itself was there, and its tests belong to it
    assert digest(session.cache_folder() / "records" / "network") == records


def test_more_networks_keep_those_that_are_there(done, computed):
    run = make_run(done, n_networks=3, more_clusters=[])
    networks = plans.networks_of(run)
    experiments.shuffle_tests(run, networks, clusters=[2])
    assert computed[:2] == ["train False [2]", "train True [2]"]
    assert computed[2:] == [
        "shuffle-test "
        + record_key("shuffle-test", experiments.test_parameters(n.key, "after", run.p, 2, "layer"))
        for n in (networks[2], networks[5])
    ]


def test_published_records_serve_as_well(done, computed):
    published = session.published_folder()
    published.parent.mkdir(parents=True, exist_ok=True)
    shutil.move(session.cache_folder() / "records", published)
    shutil.rmtree(session.cache_folder())
    compute_all(make_run(done))
    assert computed == []
    assert not session.cache_folder().exists()


def test_training_leaves_the_number_of_threads_alone(book):
    threads = torch.get_num_threads()
    torch.set_num_threads(threads + 1)
    try:
        plans.networks_of(make_run(book, epochs=1, pruning_epochs=1))
        assert torch.get_num_threads() == threads + 1
    finally:
        torch.set_num_threads(threads)


# Killed while training


def options(book: Path) -> dict:
    return {"folder": None, "data_seed": 0, "device": "cpu"}


@pytest.mark.parametrize("stop", [1, 3])
def test_training_that_stopped_goes_on_to_the_same_networks(book, finished, monkeypatch, stop):
    run = make_run(book)
    condition = publish_networks.conditions(run.p, run.p.datasets)[1]
    monkeypatch.setattr(publish_networks, "CHECKPOINT_SECONDS", -1)
    epochs: list[int] = []

    def note(state) -> None:
        epochs.append(state.epoch)
        if epochs == list(range(1, stop + 1)):
            raise RuntimeError("the machine went away")

    with pytest.raises(RuntimeError, match="went away"):
        publish_networks.train_condition(
            condition, [0, 1], run.store, on_epoch=note, **options(book)
        )
    assert list(run.store) == []
    (checkpoint,) = (session.cache_folder() / "checkpoints").iterdir()
    publish_networks.train_condition(condition, [0, 1], run.store, on_epoch=note, **options(book))
    assert epochs == [1, 2, 3, 4]
    assert not checkpoint.exists()
    assert_like_finished(condition, run, finished)


def assert_like_finished(condition, run: session.Run, finished: Path) -> None:
    whole = RecordStore(finished / "data" / "cache" / "records")
    for seed in (0, 1):
        parameters = condition.network_parameters(seed)
        assert_same(run.store.require("network", parameters), whole.require("network", parameters))
        name = f"weights/{record_key('network', parameters)}-before.npz"
        assert (session.cache_folder() / name).read_bytes() == (
            finished / "data" / "cache" / name
        ).read_bytes()


def test_conditions_that_train_at_a_time_give_the_same_networks(book, finished):
    """Without and with dropout, in a process each."""
    run = make_run(book, n_jobs=2)
    plans.networks_of(run)
    for condition in publish_networks.conditions(run.p, run.p.datasets):
        assert_like_finished(condition, run, finished)


KILLED = """
import json, os, signal, sys
from pathlib import Path
sys.path.insert(0, {tests!r})
from test_experiments import make_run, options
from modclust_utils.publish import networks as publish_networks

def kill(state):
    if state.epoch == 3:
        os.kill(os.getpid(), signal.SIGKILL)

publish_networks.CHECKPOINT_SECONDS = -1
book = Path({book!r})
run = make_run(book)
condition = publish_networks.conditions(run.p, run.p.datasets)[1]
publish_networks.train_condition(condition, [0, 1], run.store, on_epoch=kill, **options(book))
"""


@pytest.mark.skipif(not hasattr(signal, "SIGKILL"), reason="this system has no SIGKILL")
def test_killed_process_goes_on_to_the_same_networks(book, finished):
    program = KILLED.format(tests=str(ROOT / "tests"), book=str(book))
    killed = subprocess.run([sys.executable, "-c", program], capture_output=True, text=True)
    assert killed.returncode == -signal.SIGKILL, killed.stderr
    run = make_run(book)
    assert list(run.store) == []
    epochs: list[int] = []
    condition = publish_networks.conditions(run.p, run.p.datasets)[1]
    publish_networks.train_condition(
        *(condition, [0, 1], run.store),
        on_epoch=lambda state: epochs.append(state.epoch),
        **options(book),
    )
    assert epochs == [4]
    assert_like_finished(condition, run, finished)


def test_checkpoint_of_another_batch_is_left_alone(book, monkeypatch):
    """Networks 0 and 1 were stopped; network 0 alone starts from the beginning."""
    run = make_run(book, epochs=1, pruning_epochs=1)
    condition = publish_networks.conditions(run.p, run.p.datasets)[0]
    monkeypatch.setattr(publish_networks, "CHECKPOINT_SECONDS", -1)

    def stop(state) -> None:
        raise RuntimeError("stop")

    with pytest.raises(RuntimeError, match="stop"):
        publish_networks.train_condition(
            condition, [0, 1], run.store, on_epoch=stop, **options(book)
        )
    epochs: list[int] = []
    publish_networks.train_condition(
        *(condition, [0], run.store),
        on_epoch=lambda state: epochs.append(state.epoch),
        **options(book),
    )
    assert epochs == [1, 2]
    assert len(list((session.cache_folder() / "checkpoints").iterdir())) == 1


# Progress and provenance


def test_progress_is_written_for_the_command(book, monkeypatch):
    file, seen = book / "progress.json", []
    monkeypatch.setenv(session.PROGRESS_VARIABLE, str(file))
    write = session.write_atomically

    def note(path: Path, content: bytes) -> None:
        write(path, content)
        if path == file:
            seen.append(json.loads(file.read_text(encoding="utf-8")))

    monkeypatch.setattr(session, "write_atomically", note)
    run = make_run(book, epochs=1, pruning_epochs=1)
    experiments.random_ncuts(run)
    assert seen == [{"what": "random networks", "total": 1, "done": done} for done in (0, 1)]
    assert not file.exists()


def test_used_records_are_written_for_the_command(done, monkeypatch):
    monkeypatch.setenv(session.RUN_VARIABLE, os.environ["MODCLUST_ROOT"])
    run = make_run(done)
    compute_all(run)
    listing = json.loads((Path(os.environ["MODCLUST_ROOT"]) / "used.json").read_text())
    assert [tuple(each) for each in listing] == sorted(run.used)


def test_network_is_its_record_again():
    weights = [np.arange(6.0).reshape(2, 3), np.arange(8.0).reshape(4, 2)]
    network = make_network(weights=weights)
    for kept, given in zip(publish_networks.after_weights(network.record), weights, strict=True):
        np.testing.assert_array_equal(kept, given)
    assert publish_networks.mlp(network.record).layer_sizes == (3, 2, 4)
    assert dataclasses.asdict(network.condition.settings)["dropout_rate"] == 0.0
