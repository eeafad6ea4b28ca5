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
from small_book import make_network, write_data

from modclust_utils import datasets
from modclust_utils.publish import engine
from modclust_utils.publish import verify as verify_module
from modclust_utils.publish.groups import LocalCrew
from modclust_utils.publish.records import RecordStore, read_record, sealed
from modclust_utils.publish.session import progress
from modclust_utils.publish.verify import Check, Looked, Survey, Way, draw, verify_all
from modclust_utils.publish.verify import verify as verify_looked
from modclust_utils.recipes import all_recipes, clustering, partition, random_ncuts, shuffle_test
from modclust_utils.recipes import lesions as lesion_recipe
from modclust_utils.recipes import network as network_recipe
from modclust_utils.recipes.base import Images, Job, Value

N_SHUFFLES = 9


def look(store: RecordStore, path: Path) -> Looked:
    return Survey(store).look(path)


def verify(store: RecordStore, path: Path) -> Check:
    return verify_looked(store, look(store, path))


def sample(store: RecordStore, n: int, rng: np.random.Generator) -> list[Path]:
    survey = Survey(store)
    return [looked.path for looked in draw([survey.look(path) for path in store], n, rng)]


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
    made = Value(record.value, record.arrays, {"before": before}, test_hash=digits.test_hash)
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
    engine.compute(jobs, store, crew=LocalCrew(), progress=progress)
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
#: `tests/recipes/test_specialization_kinds.py` verifies them.
SPECIALIZATION = [
    *("graph-shuffles", "input-correlations", "pretrained-network", "set-lesions"),
    *("set-visualizations", "unit-partition"),
]
#: Of networks of one's own: `tests/analyze` compares them.
OWN = ["balanced-shuffles", "layer-edges", "rescaled-ncuts"]
SIMILARITIES = ["similarity-clusters", "similarity-matrices"]


def test_every_kind_says_how_it_is_checked():
    recipes = all_recipes()
    assert sorted(kind for kind, recipe in recipes.items() if recipe.agree) == sorted(
        KINDS + OWN + SIMILARITIES + SPECIALIZATION
    )
    assert [kind for kind, recipe in recipes.items() if recipe.follows] == ["network"]
    assert {kind for kind, recipe in recipes.items() if recipe.numbers} >= {
        "clustering", "network", "partition", "shuffle-test"
    }  # fmt: skip


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
        ("partition", shift("ncut", 0.0001)),
        ("partition", shift("ncut_sklearn", 0.02)),
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


def test_labels_of_a_partition_are_held_against_its_ncut(store):
    path = path_of(store, "partition")
    record = read_record(path)
    labels = record.arrays["labels"].copy()
    for own, agrees in (
        (labels, True),
        (np.where(labels < 0, -1, (labels + 1) % 3), True),
        (labels[::-1], False),
    ):
        made = Value(record.value, {"labels": own.astype(np.int16)})
        job = Job(partition.RECIPE, record.parameters)
        network = read_record(path_of(store, "network"))
        store.put(job, made, seconds=1, device="CPU", needs={"network": network})
        assert verify(store, path).agrees == agrees


def test_clusters_of_another_machine_are_no_difference(store, monkeypatch):
    """The record's own clusters are lesioned, whatever is found here."""

    def found_elsewhere(weights, n_clusters, *, rng):
        labels, ncut = cluster(weights, n_clusters, rng=rng)
        return (labels + (labels >= 0)) % n_clusters, ncut + 1e-9

    cluster = lesion_recipe.cluster_network
    monkeypatch.setattr(lesion_recipe, "cluster_network", found_elsewhere)
    check = verify(store, path_of(store, "lesions"))
    assert check.agrees, check.difference


# How a record can be checked


def ways(store: RecordStore, survey: Survey | None = None) -> dict[str, Way]:
    survey = survey or Survey(store)
    return {path.parent.name: survey.look(path).way for path in store}


def test_every_record_has_its_way(store):
    assert ways(store) == dict.fromkeys(KINDS, Way.EXACTLY) | {"network": Way.PARTLY}
    (before,) = (store.cache / "weights").iterdir()
    before.unlink()
    assert ways(store) == dict.fromkeys(KINDS, Way.EXACTLY) | {
        "network": Way.PARTLY, "clustering": Way.STATISTICALLY
    }  # fmt: skip
    looked = look(store, path_of(store, "clustering"))
    assert looked.reason == "the weights of its network (before) are not here"
    assert verify_looked(store, looked) == Check(looked.path, False, looked.reason)


def test_a_network_agrees_in_part(store):
    """Its accuracies after pruning follow from its weights; made-up ones do not."""
    path = path_of(store, "network")
    assert not verify(store, path).agrees
    record = read_record(path)
    digits = datasets.load("mnist5k")
    model = network_recipe.mlp(record)
    right = {
        f"{part}_accuracy_after": float(model.accuracy(torch.tensor(x), torch.tensor(y)))
        for part, x, y in (
            ("train", digits.x_train, digits.y_train), ("test", digits.x_test, digits.y_test)
        )
    }  # fmt: skip
    alter(path, lambda value: value.update(right))
    check = verify(store, path)
    assert check.agrees
    assert check.difference == (
        "train accuracy after pruning by 0 images, test accuracy after pruning by 0 images"
    )
    for name, n in (("train", 4000), ("test", 1000)):
        alter(path, shift(f"{name}_accuracy_after", 4 / n))
        assert not verify(store, path).agrees
        alter(path, shift(f"{name}_accuracy_after", -4 / n))
    assert verify(store, path).agrees


def test_record_of_another_version_cannot_be_checked(store, monkeypatch):
    path = path_of(store, "random-ncuts")
    raised = replace(all_recipes()["random-ncuts"], version=2)
    monkeypatch.setitem(all_recipes(), "random-ncuts", raised)
    assert look(store, path).way is Way.NOT_AT_ALL
    assert verify(store, path) == Check(path, False, "made by other code than version 2")
    assert path not in sample(store, 9, np.random.default_rng(0))


def test_record_about_a_network_of_another_version_cannot_be_checked(store, monkeypatch):
    raised = replace(all_recipes()["network"], version=2)
    monkeypatch.setitem(all_recipes(), "network", raised)
    path = path_of(store, "shuffle-test")
    assert verify(store, path) == Check(path, False, "made by other code than version 2")
    assert sample(store, 9, np.random.default_rng(0)) == [path_of(store, "random-ncuts")]


def test_record_of_an_unknown_kind_cannot_be_checked(store, monkeypatch):
    monkeypatch.delitem(all_recipes(), "random-ncuts")
    looked = look(store, path_of(store, "random-ncuts"))
    assert looked.way is Way.NOT_AT_ALL
    assert looked.reason == "the kind random-ncuts is unknown to this version of the book"


def test_kind_that_says_nothing_about_checking_is_counted_as_such(store, monkeypatch):
    bare = replace(all_recipes()["random-ncuts"], agree=None)
    monkeypatch.setitem(all_recipes(), "random-ncuts", bare)
    looked = look(store, path_of(store, "random-ncuts"))
    assert looked.way is Way.NOT_AT_ALL
    assert looked.reason.endswith("this kind has no numbers to compare")


def test_record_whose_package_is_not_installed_cannot_be_checked(store, monkeypatch):
    picky = replace(all_recipes()["random-ncuts"], packages=("no_such_package",))
    monkeypatch.setitem(all_recipes(), "random-ncuts", picky)
    looked = look(store, path_of(store, "random-ncuts"))
    assert looked.way is Way.NOT_AT_ALL
    assert looked.reason.startswith("the package no_such_package is not installed")


def test_record_whose_network_is_gone(store):
    path_of(store, "network").unlink()
    looked = look(store, path_of(store, "shuffle-test"))
    assert (looked.way, looked.reason) == (Way.NOT_AT_ALL, "its network is not here")


def other_network(store: RecordStore) -> None:
    """Put another network in the place of the one that is there, with its own hash."""
    job, record = make_network("mnist5k", True, 0, weights=weights(5, [(16, 784), (10, 16)]),
                               train_hash=datasets.load("mnist5k").train_hash)  # fmt: skip
    assert job.key == path_of(store, "network").stem
    store.put(job, Value(record.value, record.arrays), seconds=1, device="CPU")


def test_record_whose_network_is_another_is_wrong(store):
    other_network(store)
    for kind in ("clustering", "lesions", "partition", "shuffle-test"):
        looked = look(store, path_of(store, kind))
        assert looked.way is Way.WRONG
        assert "its network is another one than it names" in looked.reason


def test_a_forger_who_seals_everything_anew_is_seen_by_computing_again(store):
    """Weights are changed, and every record names the network that now lies there."""
    path = path_of(store, "network")
    record = read_record(path)
    arrays = dict(record.arrays)
    for name, shape in (("weight_0", (16, 784)), ("weight_1", (16, 16)), ("weight_2", (10, 16))):
        flat = arrays[name].ravel()
        arrays[name] = np.random.default_rng(0).permutation(flat).reshape(shape)
    job, _ = make_network("mnist5k", True, 0, weights=weights(0, [(16, 784), (16, 16), (10, 16)]),
                          train_hash=record.parameters["train_hash"])  # fmt: skip
    assert job.key == record.key
    store.put(job, Value(record.value, arrays), seconds=1, device="CPU")
    new = read_record(path).arrays_sha256
    for kind in ("partition", "shuffle-test", "lesions"):
        dependent = path_of(store, kind)
        assert look(store, dependent).way is Way.WRONG
        content = json.loads(dependent.read_text(encoding="utf-8"))
        content["made_from"]["network"]["arrays_sha256"] = new
        dependent.write_bytes(sealed(content))
        assert look(store, dependent).way is Way.EXACTLY
        assert not verify(store, dependent).agrees


def test_a_p_value_that_does_not_follow_is_seen_without_computing(store):
    """In tests before pruning too, whose weights are nowhere."""
    path = path_of(store, "shuffle-test")
    alter(path, shift("p_value", -0.1))
    looked = look(store, path)
    assert looked.way is Way.WRONG
    assert "p-value or z-score do not follow from its own n-cuts" in looked.reason


def test_a_record_that_names_another_network_than_its_key_is_wrong(store):
    path = path_of(store, "partition")
    other = network_in(store, 1)
    content = json.loads(path.read_text(encoding="utf-8"))
    content["made_from"]["network"]["key"] = other.key
    path.write_bytes(sealed(content))
    looked = look(store, path)
    assert looked.way is Way.WRONG
    assert "its network is another one than that in its key" in looked.reason


def test_a_published_record_belongs_to_the_published_network(store, tmp_path):
    """Trained anew here, a network stands before the published one, and beside its test."""
    both = RecordStore(store.cache, tmp_path / "published")
    shutil.move(store.folders[0], both.folders[1])
    shutil.copytree(both.folders[1] / "network", store.folders[0] / "network")
    other_network(store)
    (path,) = (both.folders[1] / "shuffle-test").glob("*.json")
    check = verify(both, path)
    assert check.agrees, check.difference


def test_damaged_record_is_wrong_and_the_others_are_looked_at(store):
    path = path_of(store, "clustering")
    path.write_text("{")
    looked = look(store, path)
    assert looked.way is Way.WRONG
    assert "is not a record" in looked.reason
    assert ways(store)["shuffle-test"] is Way.EXACTLY


def test_only_the_network_of_a_record_is_read(store):
    job = network_in(store, 1)
    store.path("network", job.key).with_suffix(".npz").write_bytes(b"")
    path = next((store.folders[0] / "shuffle-test").glob("*.json"))
    assert verify(store, path).agrees
    assert len(sample(store, 9, np.random.default_rng(0))) == 6


def test_records_that_need_images_which_are_not_here(store, monkeypatch):
    (before,) = (store.cache / "weights").iterdir()
    before.unlink()
    reasons = {
        "1" * 64: "the test images of mnist5k are others than it names",
        None: "the images of mnist5k are not here",
    }
    for found, reason in reasons.items():
        monkeypatch.setattr(verify_module, "hash_of_test_images", lambda images, found=found: found)
        for kind in ("lesions", "network", "clustering"):
            looked = look(store, path_of(store, kind))
            assert (looked.way, looked.reason) == (Way.NOT_AT_ALL, reason)
        assert look(store, path_of(store, "partition")).way is Way.EXACTLY


# Images of one's own


@pytest.fixture
def own(tmp_path) -> tuple[RecordStore, Path]:
    """Lesions of a network of images in a file; and that file."""
    file = write_data(tmp_path / "mine.npz")
    images = datasets.load(str(file))
    job, record = make_network(
        "mine",
        True,
        0,
        weights=weights(1, [(12, 784), (10, 12)]),
        train_hash=images.train_hash,
        test_hash=images.test_hash,
    )
    job = replace(job, images=Images(str(file), images.train_hash))
    store = RecordStore(tmp_path / "own")
    store.put(job, Value(record.value, record.arrays, test_hash=images.test_hash), seconds=1,
              device="CPU")  # fmt: skip
    lesions = lesion_recipe.job(job, n_random_sets=3, n_random_pairs=2, pairs="all", n_clusters=2,
                                seed=0)  # fmt: skip
    engine.compute([lesions], store, crew=LocalCrew(), progress=progress)
    return store, file


def test_lesions_of_own_images_need_the_name_of_their_file(own, tmp_path, monkeypatch):
    store, file = own
    path = path_of(store, "lesions")
    monkeypatch.chdir(tmp_path / "own")
    looked = Survey(store).look(path)
    assert looked.way is Way.NOT_AT_ALL
    assert looked.reason == (
        "the images mine.npz of one's own are not at hand: `--images FILE` names them"
    )
    elsewhere = file.rename(tmp_path / "renamed.npz")
    looked = Survey(store, [str(elsewhere)]).look(path)
    assert looked.way is Way.EXACTLY
    assert verify_looked(store, looked).agrees
    np.savez(tmp_path / "other.npz", **{k: v[::-1] for k, v in np.load(elsewhere).items()})
    assert Survey(store, [str(tmp_path / "other.npz")]).look(path).way is Way.NOT_AT_ALL


@pytest.mark.parametrize("where", ["data", "here"])
def test_own_images_are_found_where_data_are(own, tmp_path, monkeypatch, where):
    store, file = own
    (tmp_path / "place").mkdir()
    if where == "data":
        monkeypatch.setenv("MODCLUST_DATA", str(tmp_path / "place"))
    else:
        monkeypatch.chdir(tmp_path / "place")
    file.rename(tmp_path / "place" / "mine.npz")
    assert Survey(store).look(path_of(store, "lesions")).way is Way.EXACTLY


@pytest.fixture
def fresh_workers() -> Iterator[None]:
    """Processes that start in this test, with its environment, and end with it."""
    get_reusable_executor().shutdown(wait=True)
    yield
    get_reusable_executor().shutdown(wait=True)


def test_records_are_verified_over_processes_by_one_thread_each(store, fresh_workers, monkeypatch):
    def where(store: RecordStore, looked: Looked) -> Check:
        return Check(looked.path, True, f"{os.getpid()}: {torch.get_num_threads()}")

    for library in ("OMP", "MKL"):  # what a process would start with otherwise
        monkeypatch.setenv(f"{library}_NUM_THREADS", "3")
    paths = [path_of(store, kind) for kind in ("shuffle-test", "random-ncuts", "clustering")]
    alter(paths[1], shift("ncuts", 0.3))
    looked = [look(store, path) for path in paths]
    checks = list(verify_all(store, looked))
    assert {check.path for check in checks} == set(paths)
    assert {check.path for check in checks if not check.agrees} == {paths[1]}
    monkeypatch.setattr(verify_module, "verify", where)
    for some in (looked, looked[:1]):
        for check in verify_all(store, some):
            process, threads = check.difference.split(": ")
            assert int(process) != os.getpid()
            assert threads == "1"


def test_sample_is_of_records_that_can_be_computed_again(store):
    rng = np.random.default_rng(0)

    def sampled() -> set[str]:
        return {path.parent.name for path in sample(store, 9, rng)}

    assert sampled() == {*KINDS, "network"}
    (before,) = (store.cache / "weights").iterdir()
    before.unlink()
    assert sampled() == {*KINDS, "network"} - {"clustering"}
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
