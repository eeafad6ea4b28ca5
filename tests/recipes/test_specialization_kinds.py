"""Kinds of chapter 4: through the engine, and a record that was altered is not agreed with."""

from __future__ import annotations

import hashlib
import shutil
from contextlib import contextmanager
from dataclasses import replace
from types import SimpleNamespace

import numpy as np
import pytest
import torch
from small_book import ROOT, copy_book, write_bands
from torch import nn

from modclust_utils import datasets, pretrained
from modclust_utils.chapters.ch04_specialization.tables import READINGS, measures
from modclust_utils.pretrained import registry
from modclust_utils.publish.engine import compute, missing, read_frames
from modclust_utils.publish.groups import LocalCrew
from modclust_utils.publish.records import (
    RecordStore,
    cache_folder,
    default_store,
    read_record,
)
from modclust_utils.publish.retrain import conditions, retrain
from modclust_utils.publish.verify import Survey, Way, verify
from modclust_utils.recipes import (
    classifier,
    graph_shuffles,
    input_correlations,
    pretrained_network,
    recipe_of,
    set_lesions,
    set_visualizations,
    unit_partition,
)
from modclust_utils.recipes.base import Images, Value
from modclust_utils.settings import CnnSettings, TrainingSettings

PARTITIONING, N_RANDOM = "activations/layer", 5


@contextmanager
def silent(words, total):
    yield SimpleNamespace(update=lambda steps: None)


@pytest.fixture(scope="module")
def done(tmp_path_factory):
    """A perceptron and a convolutional network with records of every kind."""
    folder = tmp_path_factory.mktemp("kinds")
    file = str(write_bands(folder / "bands.npz", n_train=200, n_test=40))
    images = Images(file, datasets.train_hash(file))
    n_inputs, n_classes = datasets.dimensions(file)
    networks = [
        classifier.job(
            images, TrainingSettings((n_inputs, 8, 8, n_classes), epochs=1, pruning_epochs=0), 3
        ),
        classifier.job(
            images,
            CnnSettings(n_classes=n_classes, channels=6, dense=8, epochs=1, precision="bfloat16"),
            3,
        ),
    ]
    parts = [
        unit_partition.job(each, name, n_clusters=2, norm="l1", n_images=30, seed=1)
        for each in networks
        for name in ("weights/network", PARTITIONING)
    ]
    ours = parts[1], parts[3]
    plan = {
        "networks": networks,
        "parts": parts,
        "lesions": [
            set_lesions.job(each, n_images=40, n_random=N_RANDOM, precision=precision, seed=1)
            for each, precision in zip(ours, ("float32", "bfloat16"), strict=True)
        ],
        "images": [
            set_visualizations.job(each, n_steps=3, n_random=N_RANDOM, n_gallery=2, seed=1)
            for each in ours
        ],
        "correlations": [input_correlations.job(ours[0], n_images=30, n_random=4, seed=1)],
        "tests": [
            graph_shuffles.job(each, n_clusters=2, n_shuffles=3, mode="layer", norm="l1", seed=1)
            for each in networks
        ],
    }
    store = RecordStore(folder / "cache")
    jobs = [job for group in plan.values() for job in group]
    compute(jobs, store, crew=LocalCrew(), progress=silent)
    return SimpleNamespace(
        plan=plan, jobs=jobs, store=store, frames=read_frames(plan, store), file=file
    )


def record_of(done, group, i=0):
    return done.frames[group]["record"].iloc[i]


def value_of(record, **changed):
    """What computing a record again would give, with some arrays changed."""
    return Value(record.value, {**record.arrays, **changed})


def test_nothing_is_missing_afterwards(done):
    assert missing(done.jobs, done.store) == []


@pytest.mark.parametrize(
    ("most", "kind"), [(0, np.uint16), (65_535, np.uint16), (65_536, np.uint32)]
)
def test_hits_are_as_large_as_the_largest_class(most, kind):
    assert set_lesions.hits_type(np.array([3, most])) is kind


def test_no_accuracy_of_answers_that_are_no_numbers():
    module = nn.Sequential(nn.Flatten(), nn.Linear(4, 2))
    nn.init.constant_(module[1].bias, np.nan)
    asked = classifier.Classifier(module, (1, 2, 2), lambda images: images)
    with pytest.raises(ValueError, match="what the network puts out holds NaN or infinity"):
        classifier.accuracy(asked, np.ones((3, 4), np.float32), np.zeros(3, int))


def test_weights_of_the_network_alone_are_needed(done):
    """A partition, which a lesion needs too, has none."""
    (job, _) = done.plan["lesions"]
    path = done.store.find(job.kind, job.key)
    aside = path.rename(path.with_suffix(".aside"))
    try:
        assert missing([job], done.store) == [job]
    finally:
        aside.rename(path)


def test_shapes(done):
    lesions, images = record_of(done, "lesions"), record_of(done, "images", 1)
    n = lesions.value["n_sets"]
    assert n > 0
    assert lesions.arrays["hits"].shape == (n, 1 + N_RANDOM, len(lesions.arrays["classes"]))
    assert (lesions.arrays["hits"] <= lesions.arrays["class_counts"]).all()
    assert images.arrays["score"].shape == (images.value["n_sets"], 1 + N_RANDOM)
    assert images.arrays["images"].shape[1:] == (2, 1, 28, 28)
    (correlations,) = done.frames["correlations"]["record"]
    assert correlations.arrays["images"].shape[1:] == (5, 28 * 28)


@pytest.mark.parametrize(
    ("group", "name", "change"),
    [
        ("lesions", "hits", 7),
        ("lesions", "unlesioned", 3),
        ("lesions", "label", 1),
        ("images", "score", 40),
        ("images", "entropy", 40),
        ("images", "gallery", 1),
        ("correlations", "images", 0.1),
        ("correlations", "size", 1),
    ],
)
def test_altered_arrays_are_not_agreed_with(done, group, name, change):
    record = record_of(done, group)
    agree = recipe_of(record.kind).agree
    assert agree(record, value_of(record))[0]
    changed = record.arrays[name].copy() + np.asarray(change, record.arrays[name].dtype)
    # an altered record is held against what was computed
    altered = replace(record, arrays={**record.arrays, name: changed})
    assert not agree(altered, value_of(record))[0]


def test_another_picture_is_not_agreed_with(done):
    record = record_of(done, "images", 1)
    pictures = record.arrays["images"].copy()
    pictures[0, 0] = 255 - pictures[0, 0]
    for others in (pictures, pictures[:, :1]):
        altered = replace(record, arrays={**record.arrays, "images": others})
        assert not set_visualizations.agree(altered, value_of(record))[0]


@pytest.mark.parametrize(("n_pictures", "n_sets"), [(0, 2), (0, 0), (3, 2)])
def test_a_record_agrees_with_itself_however_few_its_pictures(done, n_pictures, n_sets):
    """All networks of a kind but the first keep none."""
    record = record_of(done, "images")
    arrays = {name: record.arrays[name][:n_sets] for name in ("layer", "label", "size")}
    arrays |= {name: record.arrays[name][:n_sets] for name in ("score", "entropy")}
    arrays |= {"gallery": np.arange(n_pictures, dtype=np.int16)}
    arrays |= {"images": np.zeros((n_pictures, 2, 1, 28, 28), np.uint8)}
    small = replace(record, arrays=arrays)
    assert set_visualizations.agree(small, value_of(small))[0]


def test_other_clusters_are_not_agreed_with(done):
    record = record_of(done, "parts", 1)
    labels = record.arrays["labels"].copy()
    inside = np.flatnonzero(labels >= 0)
    labels[inside] = np.random.default_rng(0).permutation(labels[inside])
    altered = replace(record, arrays={"labels": labels})
    assert unit_partition.agree(record, value_of(record))[0]
    assert not unit_partition.agree(altered, value_of(record))[0]


def test_an_ncut_that_is_not_that_of_the_labels_is_not_agreed_with(done):
    record = record_of(done, "parts")
    again = replace(value_of(record), extra={"ncut_of_labels": record.value["ncut"]})
    assert unit_partition.agree(record, again)[0]
    altered = replace(record, value={**record.value, "ncut": record.value["ncut"] + 1e-4})
    assert not unit_partition.agree(altered, again)[0]


@pytest.mark.parametrize(
    ("group", "change", "words"),
    [
        ("networks", {"test_accuracy": 0.5001}, "its test accuracy is none of 40 images"),
        ("networks", {"train_accuracy": 1.01}, "its train_accuracy is no share of images"),
        ("parts", {"labels": lambda a: a[:-1]}, "not those of the units of its layers"),
        ("parts", {"labels": lambda a: a + 1}, "labels below -1 or above 1"),
        ("parts", {"ncut": 2.01}, "its n-cut is none of so many clusters"),
        ("lesions", {"n_sets": 1}, "the shape of its layer, label, size, hits does not fit"),
        ("lesions", {"hits": lambda a: a[:, :-1]}, "the shape of its hits does not fit"),
        ("lesions", {"hits": lambda a: a + 40}, "more hits than images of a class"),
        ("lesions", {"n_test": 39}, "its test images are not those of its classes"),
        ("lesions", {"accuracy": 0.4999}, "its accuracy is not that of its hits"),
        ("images", {"score": lambda a: a[:, 1:]}, "the shape of its score does not fit"),
        ("images", {"images": lambda a: a[:1]}, "the shape of its images does not fit"),
        ("images", {"gallery": lambda a: a[::-1]}, "its pictures are not of the sub-clusters"),
        ("images", {"score": lambda a: a * np.nan}, "its score is no score of an image"),
        ("images", {"entropy": lambda a: -1 - a}, "its entropy is no entropy of an image"),
        ("correlations", {"images": lambda a: a[:, :1]}, "the shape of its images does not fit"),
        ("correlations", {"images": lambda a: a + 1.1}, "its images are no sizes of correlations"),
    ],
)
def test_what_a_record_contradicts_is_seen_without_computing(done, group, change, words):
    record = record_of(done, group)
    contradiction = recipe_of(record.kind).contradiction
    assert contradiction(record) == ""
    arrays = {n: f(record.arrays[n]) for n, f in change.items() if callable(f)}
    value = {n: each for n, each in change.items() if not callable(each)}
    altered = replace(record, value={**record.value, **value}, arrays={**record.arrays, **arrays})
    assert words in contradiction(altered)


@pytest.mark.parametrize("group", ["parts", "lesions", "images", "correlations", "tests"])
def test_every_kind_can_be_verified(done, group):
    survey = Survey(done.store, files=[done.file])
    for job in done.plan[group]:
        looked = survey.look(done.store.find(job.kind, job.key))
        assert looked.way is Way.EXACTLY, looked.reason
        check = verify(done.store, looked)
        assert check.agrees, check.difference


def test_without_weights_networks_are_compared_as_distributions(done, tmp_path):
    """What was trained here comes out otherwise elsewhere: numbers about it are compared."""
    store = RecordStore(tmp_path, done.store.folders[0])
    survey = Survey(store, files=[done.file])
    for group in ("networks", "parts", "lesions", "images", "correlations", "tests"):
        for job in done.plan[group]:
            looked = survey.look(store.find(job.kind, job.key))
            assert looked.way is Way.STATISTICALLY, looked.reason
            if group != "networks":
                assert looked.reason == "the weights of its network (trained) are not here"


def test_numbers_that_are_compared(done):
    """Percentiles are those of the chapter's tables; a partition by weights has an n-cut."""
    lesions, images = record_of(done, "lesions"), record_of(done, "images")
    table = measures(done.frames["lesions"][:1], done.frames["images"][:1])
    main = table[table["measure"].map(READINGS) == table["reading"]].set_index("measure")
    own = {**set_lesions.measured(lesions), **set_visualizations.measured(images)}
    for name, measure in (
        ("drop_percentile", "accuracy_drop"),
        ("range_percentile", "class_range"),
        ("score_percentile", "score"),
        ("entropy_percentile", "entropy"),
    ):
        np.testing.assert_array_equal(own[name], main.loc[measure, "percentiles"])
    none = replace(lesions, value={**lesions.value, "n_sets": 0})
    assert set_lesions.measured(none) == {}
    by_weights, by_activations = (record_of(done, "parts", i) for i in (0, 1))
    assert unit_partition.measured(by_weights)["ncut"] == by_weights.value["ncut"]
    assert unit_partition.measured(by_activations)["ncut"] == []
    made = replace(
        by_weights,
        value={"layers": ["a", "b"], "sizes": [3, 2]},
        arrays={"labels": np.array([0, 0, -1, 0, 1])},
    )
    # one in the first layer, two in the second
    assert unit_partition.measured(made)["sub_clusters"] == 3
    (correlations,) = done.frames["correlations"]["record"]
    first = correlations.arrays["images"][0, 0].astype(float).mean()
    assert input_correlations.measured(correlations)["correlation"][0] == first


def test_networks_are_trained_anew_with_all_that_is_about_them(done, tmp_path, monkeypatch):
    """Lesions need a partition beside their network; trained anew they have one of their own."""
    copy_book(tmp_path / "book", chapters=())
    monkeypatch.setenv("MODCLUST_ROOT", str(tmp_path / "book"))
    shutil.copytree(done.store.cache, cache_folder())
    second = replace(
        done.plan["networks"][0], parameters={**done.plan["networks"][0].parameters, "seed": 4}
    )
    part = unit_partition.job(second, PARTITIONING, n_clusters=2, norm="l1", n_images=30, seed=1)
    plan = {
        "networks": [done.plan["networks"][0], second],
        "parts": [done.plan["parts"][1], part],
        "lesions": [
            done.plan["lesions"][0],
            set_lesions.job(part, n_images=40, n_random=N_RANDOM, seed=1),
        ],
    }
    jobs = [job for group in plan.values() for job in group]
    compute(jobs, default_store(), crew=LocalCrew(), progress=silent)
    (condition,) = conditions(plan)
    found = retrain(condition, crew=LocalCrew(), progress=silent, rng=np.random.default_rng(0))
    about = f"partitioning {PARTITIONING}, n clusters 2"
    assert [number.name for number in found.numbers] == [
        *("train accuracy", "test accuracy", f"sub clusters, {about}"),
        *(f"{name} percentile, {about}, match size" for name in ("drop", "range")),
    ]
    assert found.same == 2
    for number in found.numbers:
        np.testing.assert_array_equal(number.kept, number.again)


# --- networks that others trained ---------------------------------------------------------------


@pytest.fixture
def others(tmp_path, monkeypatch):
    """Records about a network of a made-up row; its weights are in a folder, and in no cache."""
    torch.manual_seed(0)
    module = nn.Sequential(nn.Conv2d(3, 8, 3), nn.ReLU(), nn.Conv2d(8, 6, 3))
    file = tmp_path / "weights" / "tiny.npz"
    file.parent.mkdir()
    np.savez(file, **classifier.state_arrays(module))
    row = replace(
        pretrained.ROWS["cifar10_resnet20"],
        name="tiny",
        words="Tiny",
        build=lambda: nn.Sequential(nn.Conv2d(3, 8, 3), nn.ReLU(), nn.Conv2d(8, 6, 3)),
        file=file.name,
        file_hash=hashlib.sha256(file.read_bytes()).hexdigest(),
        weights_hash=pretrained.hash_of_weights(module),
    )
    monkeypatch.setitem(registry.ROWS, row.name, row)
    monkeypatch.setenv("MODCLUST_WEIGHTS", str(file.parent))
    network = pretrained_network.job("tiny", Images("cifar10_colour", "of no matter here"))
    test = graph_shuffles.job(network, n_clusters=2, n_shuffles=3, mode="layer", norm="l1", seed=1)
    store = RecordStore(tmp_path / "cache")
    compute([test], store, crew=LocalCrew(), progress=silent)
    store.kept_path(network.key, classifier.WEIGHTS).unlink()
    return SimpleNamespace(
        store=store, file=file, paths=[store.find(each.kind, each.key) for each in (network, test)]
    )


def looked_at(others):
    survey = Survey(others.store)
    return [survey.look(path) for path in others.paths]


def test_weights_of_others_are_read_again_where_they_are(others):
    for looked in looked_at(others):
        assert looked.way is Way.EXACTLY, looked.reason
        check = verify(others.store, looked)
        assert check.agrees, check.difference


def test_weights_of_others_that_are_not_here_cannot_be_checked(others):
    """Nor as distributions: nobody trains them anew."""
    others.file.unlink()
    for looked in looked_at(others):
        assert looked.way is Way.NOT_AT_ALL
        assert looked.reason == "the weights of tiny are not here"


def test_weights_of_others_that_were_altered_are_no_agreement(others):
    others.file.write_bytes(others.file.read_bytes() + b"more")
    for looked in looked_at(others):
        check = verify(others.store, looked)
        assert not check.agrees
        assert "it cannot be computed again: name='tiny': the file" in check.difference
        assert "was altered" in check.difference


def test_committed_records_of_an_embedded_network_need_no_cache(tmp_path, monkeypatch):
    """EfficientNet-Lite0 comes with a package: what is about it can be computed again anywhere."""
    monkeypatch.delenv("MODCLUST_WEIGHTS", raising=False)
    store = RecordStore(tmp_path, ROOT / "data" / "records")
    survey, name = Survey(store), "efficientnet_lite0"
    networks = [path for path in store if path.parent.name == "pretrained-network"]
    (own,) = [path for path in networks if read_record(path).parameters["name"] == name]
    about = [
        path
        for path in store
        if path.parent.name == "graph-shuffles"
        and read_record(path).parameters["network"] == own.stem
    ]
    assert len(about) >= 2
    for path in (own, *about):
        assert survey.look(path).way is Way.EXACTLY, path
    check = verify(store, survey.look(own))
    assert check.agrees, check.difference
