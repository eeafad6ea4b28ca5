"""A record that is computed again agrees; one that was altered, or made by other code, does not."""

from __future__ import annotations

import json
import os
import shutil
import time
from collections.abc import Iterator
from dataclasses import replace
from pathlib import Path

import numpy as np
import pytest
import torch
from joblib.externals.loky import get_reusable_executor
from small_book import make_network

from modclust_utils import datasets
from modclust_utils.publish import experiments, lesioning
from modclust_utils.publish import verify as verify_module
from modclust_utils.publish.experiments import Job
from modclust_utils.publish.networks import Network
from modclust_utils.publish.records import RecordError, RecordStore, pack_arrays
from modclust_utils.publish.verify import Check, sample, verify, verify_all
from modclust_utils.publish.versions import RECIPES

N_SHUFFLES = 9


def weights(seed: int) -> list[np.ndarray]:
    rng = np.random.default_rng(seed)
    shapes = [(12, 20), (12, 12), (4, 12)]
    return [rng.normal(size=s) * (rng.random(s) < 0.5) for s in shapes]


def begin_book(book: Path, network: Network) -> RecordStore:
    """The store of a new book, with the record of one network in it."""
    (book / "notebooks").mkdir()
    (book / "_toc.yml").write_text("format: jb-book\n")
    store = RecordStore(book / "own")
    record = network.record
    store.put(
        *("network", record.parameters, record.value),
        seconds=1,
        device="CPU",
        arrays=record.arrays,
    )
    return store


@pytest.fixture(scope="module")
def made(tmp_path_factory) -> Path:
    """A book with a network, its weights before pruning, and a record of each kind about it."""
    book = tmp_path_factory.mktemp("made")
    network = make_network(weights=weights(0))
    store = begin_book(book, network)
    before = book / "data" / "cache" / "weights" / f"{network.key}-before.npz"
    before.parent.mkdir(parents=True)
    arrays = {f"weight_{i}": w.astype(np.float32) for i, w in enumerate(weights(1))}
    before.write_bytes(pack_arrays(arrays))
    about = {"network": network.key, "n_clusters": 2, "seed": 0}
    jobs = [
        Job("clustering", {**about, "phase": "before"}, network, "before"),
        Job(
            "shuffle-test",
            {**about, "phase": "after", "n_shuffles": N_SHUFFLES, "mode": "layer"},
            network,
        ),
        Job(
            "random-ncuts",
            {"layer_sizes": [20, 12, 4], "n_clusters": 2, "n_networks": 7, "seed": 0},
        ),
    ]
    with pytest.MonkeyPatch.context() as patch:
        patch.setenv("MODCLUST_ROOT", str(book))
        for job in jobs:
            value = experiments.compute_job(job, "cpu")
            store.put(job.kind, job.parameters, value, seconds=1, device="CPU")
    return book


@pytest.fixture
def book(made, tmp_path, monkeypatch) -> Path:
    monkeypatch.setenv("MODCLUST_ROOT", str(tmp_path / "book"))
    return shutil.copytree(made, tmp_path / "book")


@pytest.fixture
def store(book) -> RecordStore:
    return RecordStore(book / "own")


def path_of(store: RecordStore, kind: str) -> Path:
    (path,) = (path for path in store if path.parent.name == kind)
    return path


def alter(path: Path, change) -> None:
    content = json.loads(path.read_text(encoding="utf-8"))
    change(content["value"])
    path.write_text(json.dumps(content), encoding="utf-8")


@pytest.mark.parametrize("kind", ["clustering", "shuffle-test", "random-ncuts"])
def test_record_that_was_just_made_agrees(store, kind):
    check = verify(store, path_of(store, kind))
    assert check.agrees, check.difference
    assert check.path == path_of(store, kind)
    counts = {"shuffle-test": "9 of 9 the same", "random-ncuts": "7 of 7 the same"}
    assert counts.get(kind, "n-cut by 0") in check.difference


def shift(name: str, by: float):
    def change(value: dict) -> None:
        if isinstance(value[name], list):
            value[name] = [each + by for each in value[name]]
        else:
            value[name] += by

    return change


def one_outlier(name: str):
    def change(value: dict) -> None:
        spread = np.std(value[name])
        value[name][0] += 5 * len(value[name]) ** 0.5 * spread

    return change


@pytest.mark.parametrize(
    ("kind", "change"),
    [
        ("clustering", shift("ncut", 0.02)),
        ("clustering", shift("ncut", -0.02)),
        ("shuffle-test", shift("ncut", -0.02)),
        ("shuffle-test", shift("null_ncuts", 0.3)),
        ("shuffle-test", shift("null_ncuts", -0.3)),
        ("shuffle-test", shift("p_value", 1 / (N_SHUFFLES + 1))),
        ("shuffle-test", shift("z_score", -0.5)),
        ("shuffle-test", lambda value: value["null_ncuts"].pop()),
        ("random-ncuts", shift("ncuts", 0.3)),
        ("random-ncuts", lambda value: value["ncuts"].pop()),
        ("random-ncuts", one_outlier("ncuts")),
    ],
)
def test_altered_record_differs(store, kind, change):
    path = path_of(store, kind)
    alter(path, change)
    assert not verify(store, path).agrees


def test_rounding_of_another_machine_is_no_difference(store):
    path = path_of(store, "shuffle-test")

    def change(value: dict) -> None:
        value["null_ncuts"] = [
            each + 2e-6 * (-1) ** i for i, each in enumerate(value["null_ncuts"])
        ]
        value["ncut"] += 1e-9

    alter(path, change)
    check = verify(store, path)
    assert check.agrees, check.difference


def test_record_of_another_version_differs(store, monkeypatch):
    path = path_of(store, "random-ncuts")
    raised = replace(RECIPES["random-ncuts"], version=RECIPES["random-ncuts"].version + 1)
    monkeypatch.setitem(RECIPES, "random-ncuts", raised)
    check = verify(store, path)
    assert not check.agrees
    assert check.difference == f"made by other code than version {raised.version}"


def test_record_whose_network_is_gone(store):
    for path in store.write_folder.glob("network/*"):
        path.unlink()
    check = verify(store, path_of(store, "shuffle-test"))
    assert (check.agrees, check.difference) == (False, "its network is not here, or its images")


def test_damaged_record_is_named(store):
    path = path_of(store, "clustering")
    path.write_text("{")
    with pytest.raises(RecordError, match="is not a record"):
        verify(store, path)


def test_only_the_network_of_a_record_is_read(store):
    other = make_network(seed=1, weights=weights(2))
    record = other.record
    store.put(
        *("network", record.parameters, record.value),
        seconds=1,
        device="CPU",
        arrays=record.arrays,
    )
    store.path("network", record.parameters).with_suffix(".npz").write_bytes(b"")
    assert verify(store, path_of(store, "shuffle-test")).agrees
    assert len(sample(store, 9, np.random.default_rng(0))) == 3


# Lesion studies, which need the images


@pytest.fixture(scope="module")
def studied(tmp_path_factory) -> Path:
    """A book with a network for the embedded digits, and a lesion study of it."""
    book = tmp_path_factory.mktemp("studied")
    rng = np.random.default_rng(3)
    shapes = [(16, 784), (16, 16), (10, 16)]
    digits = datasets.load("mnist5k")
    network = make_network(
        "mnist5k",
        True,
        weights=[rng.normal(size=s) * (rng.random(s) < 0.5) for s in shapes],
        train_hash=digits.train_hash,
        test_hash=digits.test_hash,
    )
    store = begin_book(book, network)
    about = {"network": network.key, "phase": "after", "n_clusters": 3, "seed": 0}
    parameters = {**about, "n_random_sets": 9, "n_random_pairs": 5, "pairs": "all"}
    value = experiments.compute_job(Job("lesions", parameters, network), "cpu")
    assert len(value["pairs"]) >= 3
    store.put("lesions", parameters, value, seconds=1, device="CPU")
    return book


@pytest.fixture
def lesion_store(studied, tmp_path, monkeypatch) -> RecordStore:
    monkeypatch.setenv("MODCLUST_ROOT", str(tmp_path / "book"))
    return RecordStore(shutil.copytree(studied, tmp_path / "book") / "own")


def test_lesions_that_were_just_made_agree(lesion_store):
    check = verify(lesion_store, path_of(lesion_store, "lesions"))
    assert check.agrees, check.difference
    assert check.difference == "n-cut by 0, sub_clusters by 0, pairs by 0"


def in_row(table: str, row: int, name: str, new):
    def change(value: dict) -> None:
        value[table][row][name] = new(value[table][row][name])

    return change


@pytest.mark.parametrize(
    "change",
    [
        in_row("sub_clusters", 0, "drop", lambda drop: drop + 0.002),
        in_row("sub_clusters", 1, "null_std", lambda std: std - 0.002),
        in_row("sub_clusters", 1, "p_value", lambda p: p + 0.1),
        in_row("sub_clusters", 2, "size", lambda size: size + 1),
        in_row("sub_clusters", 2, "kind", lambda kind: "other" if kind != "other" else "small"),
        in_row("sub_clusters", 0, "class_drops", lambda drops: [*drops[:9], float("nan")]),
        in_row("pairs", 0, "delta_y_x", lambda delta: delta - 0.002),
        in_row("pairs", 1, "x_given_y", lambda important: not important),
        in_row("pairs", 2, "y_label", lambda label: label + 1),
        lambda value: value["pairs"].pop(),
        shift("accuracy", 0.002),
        shift("class_accuracies", -0.02),
        shift("ncut", 0.02),
    ],
)
def test_altered_lesions_differ(lesion_store, change):
    path = path_of(lesion_store, "lesions")
    alter(path, change)
    assert not verify(lesion_store, path).agrees


def test_clusters_of_another_machine_are_no_difference(lesion_store, monkeypatch):
    def found_elsewhere(weights, n_clusters, *, rng):
        labels, ncut = cluster(weights, n_clusters, rng=rng)
        return (labels + (labels >= 0)) % n_clusters, ncut + 1e-9

    cluster = lesioning.clustering.cluster_network
    monkeypatch.setattr(lesioning.clustering, "cluster_network", found_elsewhere)
    check = verify(lesion_store, path_of(lesion_store, "lesions"))
    assert check.agrees, check.difference


def test_lesions_without_their_images_are_not_sampled(lesion_store, monkeypatch):
    rng = np.random.default_rng(0)
    path = path_of(lesion_store, "lesions")
    assert sample(lesion_store, 9, rng) == [path]
    digits = datasets.load("mnist5k")
    for others in (replace(digits, test_hash="1" * 64), replace(digits, train_hash="1" * 64), None):
        monkeypatch.setattr(verify_module, "_load", lambda name, others=others: others)
        assert sample(lesion_store, 9, rng) == []
        check = verify(lesion_store, path)
        assert (check.agrees, check.difference) == (
            False,
            "its network is not here, or its images",
        )


@pytest.fixture
def fresh_workers(monkeypatch) -> Iterator[None]:
    """Processes that start in this test, with its environment, and end with it."""
    get_reusable_executor().shutdown(wait=True)
    yield
    get_reusable_executor().shutdown(wait=True)


def test_records_are_verified_over_processes_in_their_order(store, fresh_workers):
    kinds = ["shuffle-test", "random-ncuts", "clustering"]
    paths = [path_of(store, kind) for kind in kinds]
    alter(paths[1], shift("ncuts", 0.3))
    for order in (paths, paths[::-1], paths[1:2]):
        checks = list(verify_all(store, order))
        assert [check.path for check in checks] == order
        assert [check.agrees for check in checks] == [path != paths[1] for path in order]
        assert checks == [verify(store, path) for path in order]
    paths[2].write_text("{")
    with pytest.raises(RecordError, match="is not a record"):
        list(verify_all(store, paths))


def test_records_are_verified_elsewhere_at_once_and_by_one_thread_each(
    store, fresh_workers, monkeypatch, tmp_path
):
    def look(store: RecordStore, path: Path) -> Check:
        path.touch()
        end = time.monotonic() + 120
        while path.name == "the first" and not path.with_name("a later one").exists():
            assert time.monotonic() < end
            time.sleep(0.01)
        return Check(path, True, f"{os.getpid()}: {torch.get_num_threads()}")

    for library in ("OMP", "MKL"):  # what a process would start with otherwise
        monkeypatch.setenv(f"{library}_NUM_THREADS", "3")
    monkeypatch.setattr(verify_module, "verify", look)
    for names in (["alone"], ["the first", "a later one", "the last"]):
        paths = [tmp_path / name for name in names]
        checks = list(verify_all(store, paths))
        assert [check.path for check in checks] == paths
        for check in checks:
            process, threads = check.difference.split(": ")
            assert int(process) != os.getpid()
            assert threads == "1"


def test_sample_is_of_records_that_can_be_computed_again(store, book):
    rng = np.random.default_rng(0)
    kinds = {"clustering", "shuffle-test", "random-ncuts"}
    assert {path.parent.name for path in sample(store, 9, rng)} == kinds
    (before,) = (book / "data" / "cache" / "weights").iterdir()
    before.unlink()
    assert {path.parent.name for path in sample(store, 9, rng)} == kinds - {"clustering"}
    for path in store.write_folder.glob("network/*"):
        path.unlink()
    assert {path.parent.name for path in sample(store, 9, rng)} == {"random-ncuts"}


def test_sample_is_drawn_without_repeats_and_by_the_generator(store):
    job = Job("random-ncuts", {"layer_sizes": [4, 3], "n_clusters": 2, "n_networks": 2, "seed": 0})
    for seed in range(7):
        parameters = {**job.parameters, "seed": seed}
        store.put(job.kind, parameters, {"ncuts": [1.0, 1.0]}, seconds=1, device="CPU")

    def drawn(seed: int) -> list[Path]:
        return sample(store, 5, np.random.default_rng(seed))

    assert len(set(drawn(0))) == 5
    assert drawn(0) == drawn(0)
    every = [drawn(seed) for seed in range(12)]
    assert set().union(*every) == set(sample(store, 99, np.random.default_rng(0)))
    assert len({tuple(paths) for paths in every}) > 3
