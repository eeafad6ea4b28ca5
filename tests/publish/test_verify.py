"""A record that is computed again agrees; one that was altered, or made by other code, does not."""

from __future__ import annotations

import json
import os
import shutil
from collections.abc import Callable, Iterator
from dataclasses import replace
from pathlib import Path
from typing import Any

import numpy as np
import pytest
import torch
from joblib.externals.loky import get_reusable_executor
from small_book import make_network

from modclust_utils import datasets
from modclust_utils.publish import engine
from modclust_utils.publish import verify as verify_module
from modclust_utils.publish.errors import RecordError
from modclust_utils.publish.records import RecordStore, sealed
from modclust_utils.publish.session import progress
from modclust_utils.publish.verify import Check, sample, verify, verify_all
from modclust_utils.recipes import all_recipes, clustering, partition, random_ncuts, shuffle_test
from modclust_utils.recipes import lesions as lesion_recipe
from modclust_utils.recipes.base import Job, Value

N_SHUFFLES = 9


def weights(seed: int, shapes: list[tuple[int, int]]) -> list[np.ndarray]:
    rng = np.random.default_rng(seed)
    return [rng.normal(size=s) * (rng.random(s) < 0.5) for s in shapes]


def network_in(store: RecordStore, seed: int = 0) -> Job:
    """A network for the embedded digits with sixteen units a layer; its record is in the store."""
    digits = datasets.load("mnist5k")
    shapes = [(16, 784), (16, 16), (10, 16)]
    job, record = make_network(
        "mnist5k",
        True,
        seed,
        weights=weights(seed, shapes),
        train_hash=digits.train_hash,
        test_hash=digits.test_hash,
    )
    before = {f"weight_{i}": w.astype(np.float32) for i, w in enumerate(weights(9, shapes))}
    made = Value(record.value, record.arrays, {"before": before})
    store.put(job, made, seconds=1, device="CPU")
    return job


@pytest.fixture(scope="module")
def made(tmp_path_factory) -> Path:
    """A cache with a network and a record of each kind about it."""
    store = RecordStore(tmp_path_factory.mktemp("made"))
    network = network_in(store)
    options = {"n_clusters": 3, "seed": 0}
    jobs = [
        clustering.job(network, "before", **options),
        partition.job(network, **options),
        shuffle_test.job(network, "after", mode="layer", n_shuffles=N_SHUFFLES, **options),
        random_ncuts.job(n_networks=7, **options),
        lesion_recipe.job(network, n_random_sets=9, n_random_pairs=5, pairs="all", **options),
    ]
    small = {**jobs[3].parameters, "layer_sizes": [12, 8, 4]}
    jobs[3] = replace(jobs[3], parameters=small)
    engine.compute(jobs, store, device="cpu", n_jobs=1, progress=progress)
    return store.cache


@pytest.fixture
def store(made, tmp_path) -> RecordStore:
    return RecordStore(shutil.copytree(made, tmp_path / "cache"))


def path_of(store: RecordStore, kind: str) -> Path:
    (path,) = (store.folders[0] / kind).glob("*.json")
    return path


def alter(path: Path, change: Callable[[dict], object]) -> None:
    """Change the value of a record, and seal it as if nothing had been changed."""
    content = json.loads(path.read_text(encoding="utf-8"))
    change(content["value"])
    path.write_bytes(sealed(content))


KINDS = ["clustering", "lesions", "partition", "random-ncuts", "shuffle-test"]


def test_all_kinds_but_networks_can_be_computed_again():
    assert sorted(k for k, recipe in all_recipes().items() if recipe.agree) == KINDS


@pytest.mark.parametrize("kind", KINDS)
def test_record_that_was_just_made_agrees(store, kind):
    check = verify(store, path_of(store, kind))
    assert check.agrees, check.difference
    assert check.path == path_of(store, kind)
    words = {
        "shuffle-test": "9 of 9 the same",
        "random-ncuts": "7 of 7 the same",
        "lesions": "sub_clusters by 0, pairs by 0",
    }
    assert words.get(kind, "n-cut by 0") in check.difference


def shift(name: str, by: float) -> Callable[[dict], None]:
    def change(value: dict) -> None:
        if isinstance(value[name], list):
            value[name] = [each + by for each in value[name]]
        else:
            value[name] += by

    return change


def in_row(table: str, row: int, name: str, new: Callable[[Any], Any]) -> Callable[[dict], None]:
    def change(value: dict) -> None:
        value[table][row][name] = new(value[table][row][name])

    return change


@pytest.mark.parametrize(
    ("kind", "change"),
    [
        ("clustering", shift("ncut", -0.0099)),
        ("partition", shift("ncut", 0.02)),
        ("shuffle-test", shift("null_ncuts", 0.002)),
        ("shuffle-test", shift("p_value", 1 / (N_SHUFFLES + 1))),
        ("random-ncuts", shift("ncuts", 0.3)),
        ("lesions", in_row("sub_clusters", 0, "drop", lambda drop: drop + 0.002)),
        ("lesions", in_row("sub_clusters", 1, "null_std", lambda std: std - 0.002)),
        ("lesions", in_row("sub_clusters", 1, "p_value", lambda p: p + 0.1)),
        ("lesions", in_row("sub_clusters", 2, "size", lambda size: size + 1)),
        ("lesions", in_row("sub_clusters", 2, "kind", lambda k: "small" * (k != "small"))),
        ("lesions", in_row("sub_clusters", 0, "class_drops", lambda d: [*d[:9], float("nan")])),
        ("lesions", in_row("pairs", 0, "delta_y_x", lambda delta: delta - 0.002)),
        ("lesions", in_row("pairs", 1, "x_given_y", lambda important: not important)),
        ("lesions", in_row("pairs", 2, "y_label", lambda label: label + 1)),
        ("lesions", lambda value: value["pairs"].pop()),
        ("lesions", shift("accuracy", 0.002)),
        ("lesions", shift("class_accuracies", -0.02)),
    ],
)  # fmt: skip
def test_altered_record_differs(store, kind, change):
    path = path_of(store, kind)
    alter(path, change)
    assert not verify(store, path).agrees


def test_clusters_of_another_machine_are_no_difference(store, monkeypatch):
    """The record's own clusters are lesioned, whatever is found here."""

    def found_elsewhere(weights, n_clusters, *, rng):
        labels, ncut = cluster(weights, n_clusters, rng=rng)
        return (labels + (labels >= 0)) % n_clusters, ncut + 1e-9

    cluster = lesion_recipe.cluster_network
    monkeypatch.setattr(lesion_recipe, "cluster_network", found_elsewhere)
    check = verify(store, path_of(store, "lesions"))
    assert check.agrees, check.difference


def test_record_of_another_version_differs(store, monkeypatch):
    path = path_of(store, "random-ncuts")
    raised = replace(all_recipes()["random-ncuts"], version=2)
    monkeypatch.setitem(all_recipes(), "random-ncuts", raised)
    assert verify(store, path) == Check(path, False, "made by other code than version 2")
    assert path not in sample(store, 9, np.random.default_rng(0))


def test_record_about_a_network_of_another_version_cannot_be_computed_again(store, monkeypatch):
    raised = replace(all_recipes()["network"], version=2)
    monkeypatch.setitem(all_recipes(), "network", raised)
    path = path_of(store, "shuffle-test")
    assert verify(store, path) == Check(path, False, "its network is not here, or of other code")
    assert sample(store, 9, np.random.default_rng(0)) == [path_of(store, "random-ncuts")]


def test_record_whose_network_is_gone_or_another(store):
    path = path_of(store, "shuffle-test")
    network_file = path_of(store, "network")
    kept = network_file.read_bytes()
    network_file.unlink()
    assert verify(store, path) == Check(path, False, "its network is not here, or of other code")
    network_file.write_bytes(kept)
    # trained anew it has other weights under the same key
    job, record = make_network("mnist5k", True, 0, weights=weights(5, [(16, 784), (10, 16)]),
                               train_hash=datasets.load("mnist5k").train_hash)  # fmt: skip
    assert job.key == network_file.stem
    store.put(job, Value(record.value, record.arrays), seconds=1, device="CPU")
    assert verify(store, path) == Check(path, False, "its network is another one than it names")


def test_damaged_record_is_named(store):
    path = path_of(store, "clustering")
    path.write_text("{")
    with pytest.raises(RecordError, match="is not a record"):
        verify(store, path)


def test_only_the_network_of_a_record_is_read(store):
    job = network_in(store, 1)
    store.path("network", job.key).with_suffix(".npz").write_bytes(b"")
    path = next((store.folders[0] / "shuffle-test").glob("*.json"))
    assert verify(store, path).agrees
    assert len(sample(store, 9, np.random.default_rng(0))) == 5


def test_lesions_without_their_images_are_not_sampled(store, monkeypatch):
    rng = np.random.default_rng(0)
    path = path_of(store, "lesions")
    assert path in sample(store, 9, rng)
    for found in ("1" * 64, None):
        monkeypatch.setattr(verify_module, "hash_of_test_images", lambda images, found=found: found)
        assert path not in sample(store, 9, rng)
        assert verify(store, path) == Check(path, False, "its images are not here")


@pytest.fixture
def fresh_workers() -> Iterator[None]:
    """Processes that start in this test, with its environment, and end with it."""
    get_reusable_executor().shutdown(wait=True)
    yield
    get_reusable_executor().shutdown(wait=True)


def test_records_are_verified_over_processes_by_one_thread_each(store, fresh_workers, monkeypatch):
    def look(store: RecordStore, path: Path) -> Check:
        return Check(path, True, f"{os.getpid()}: {torch.get_num_threads()}")

    for library in ("OMP", "MKL"):  # what a process would start with otherwise
        monkeypatch.setenv(f"{library}_NUM_THREADS", "3")
    paths = [path_of(store, kind) for kind in ("shuffle-test", "random-ncuts", "clustering")]
    alter(paths[1], shift("ncuts", 0.3))
    checks = list(verify_all(store, paths))
    assert {check.path for check in checks} == set(paths)
    assert {check.path for check in checks if not check.agrees} == {paths[1]}
    monkeypatch.setattr(verify_module, "verify", look)
    for some in (paths, paths[:1]):
        for check in verify_all(store, some):
            process, threads = check.difference.split(": ")
            assert int(process) != os.getpid()
            assert threads == "1"


def test_sample_is_of_records_that_can_be_computed_again(store):
    rng = np.random.default_rng(0)

    def sampled() -> set[str]:
        return {path.parent.name for path in sample(store, 9, rng)}

    assert sampled() == set(KINDS)
    (before,) = (store.cache / "weights").iterdir()
    before.unlink()
    assert sampled() == set(KINDS) - {"clustering"}
    path_of(store, "network").unlink()
    assert sampled() == {"random-ncuts"}


def test_sample_is_drawn_without_repeats_and_by_the_generator(store):
    for seed in range(1, 7):
        job = random_ncuts.job(n_networks=2, n_clusters=2, seed=seed)
        store.put(job, Value({"ncuts": [1.0, 1.0]}), seconds=1, device="CPU")

    def drawn(seed: int) -> list[Path]:
        return sample(store, 5, np.random.default_rng(seed))

    assert len(set(drawn(0))) == 5
    assert drawn(0) == drawn(0)
    every = [drawn(seed) for seed in range(12)]
    assert set().union(*every) == set(sample(store, 99, np.random.default_rng(0)))
    assert len({tuple(paths) for paths in every}) > 3
