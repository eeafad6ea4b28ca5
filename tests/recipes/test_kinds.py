"""Kinds of record about a network: values are those of the science, from its own random stream."""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import replace
from pathlib import Path

import numpy as np
import pytest
import torch
from networks import pruned_mlp
from small_book import Here, Made, make_network, write_data

from modclust_utils import datasets, nulls
from modclust_utils import lesions as science
from modclust_utils.clustering import cluster_network, ncut, sklearn_spectral_clustering
from modclust_utils.graphs import live_units, mlp_adjacency
from modclust_utils.recipes import clustering, lesions, partition, random_ncuts, shuffle_test
from modclust_utils.recipes.base import Job, Task, Value, stream
from modclust_utils.recipes.network import mlp

SIZES = (20, 16, 16, 10)
SEED = 7
NETWORK: Made = make_network(weights=pruned_mlp(SIZES, 0, 0.6))
BEFORE = {f"weight_{i}": w.astype(np.float32) for i, w in enumerate(pruned_mlp(SIZES, 1, 0.3))}


def task_of(job: Job, **known: object) -> Task:
    _, record = NETWORK
    return Task(
        job.parameters, {"network": record}, BEFORE if job.kept else {}, job.images, dict(known)
    )


def compute(jobs: Sequence[Job]) -> list[Value]:
    assert len({job.recipe.kind for job in jobs}) == 1
    return jobs[0].recipe.compute([task_of(job) for job in jobs], Here())


def rng() -> np.random.Generator:
    return stream(NETWORK[0].key, SEED)


def weights(phase: str) -> list[torch.Tensor]:
    """In single precision, as they are kept."""
    arrays = NETWORK[1].arrays if phase == "after" else BEFORE
    return [torch.from_numpy(arrays[f"weight_{i}"]) for i in range(len(SIZES) - 1)]


# N-cuts


@pytest.mark.parametrize("phase", ["before", "after"])
def test_ncut_of_a_network(phase):
    jobs = [clustering.job(NETWORK[0], phase, n_clusters=k, seed=SEED) for k in (2, 3)]
    for job, made in zip(jobs, compute(jobs), strict=True):
        expected = cluster_network(weights(phase), job.parameters["n_clusters"], rng=rng())[1]
        assert made.value == {"ncut": expected}


def shuffles_of(ks: Sequence[int], phase: str = "after", mode: nulls.Mode = "layer") -> list[Job]:
    options = {"mode": mode, "n_shuffles": 5, "seed": SEED}
    return [shuffle_test.job(NETWORK[0], phase, n_clusters=k, **options) for k in ks]


@pytest.mark.parametrize("mode", nulls.MODES)
@pytest.mark.parametrize("phase", ["before", "after"])
def test_shuffle_test_of_a_network(phase, mode):
    (made,) = compute(shuffles_of([3], phase, mode))
    test = nulls.shuffle_test(weights(phase), 3, n_shuffles=5, mode=mode, rng=rng())
    assert made.value == {
        "ncut": test.ncut,
        "p_value": test.p_value,
        "z_score": test.z_score,
        "null_ncuts": np.round(test.null_ncuts, 6).tolist(),
    }


def test_tests_for_several_k_together_are_those_for_each():
    jobs = shuffles_of([2, 3, 4])
    assert len({job.group for job in jobs}) == 1
    for job, together in zip(jobs, compute(jobs), strict=True):
        (alone,) = compute([job])
        assert together.value["p_value"] == alone.value["p_value"]
        # alone, its eigenvectors are not those of a larger k beside it: the same to rounding
        for name in ("ncut", "null_ncuts"):
            np.testing.assert_allclose(together.value[name], alone.value[name], rtol=1e-5)


@pytest.mark.parametrize("k", [2, 4])
def test_one_network_has_one_ncut(k):
    """The partition's is that of the shuffle test; scikit-learn's is beside it."""
    (made,) = compute([partition.job(NETWORK[0], n_clusters=k, seed=SEED)])
    (test,) = compute(shuffles_of([k]))
    assert made.value["ncut"] == test.value["ncut"]
    record = replace(NETWORK[1], arrays=made.arrays)
    labels = partition.labels(record)
    assert labels.dtype == np.int64
    assert made.arrays["labels"].dtype == np.int16
    assert set(labels) - {-1} == set(range(k))
    adjacency = mlp_adjacency([w.numpy() for w in weights("after")])
    assert ncut(adjacency, labels) == pytest.approx(made.value["ncut"], rel=1e-5)
    other = sklearn_spectral_clustering(adjacency, k, rng=rng().spawn(2)[1])
    assert made.value["ncut_sklearn"] == ncut(adjacency, other)


def test_ncuts_of_random_networks():
    job = random_ncuts.job(n_networks=4, n_clusters=3, seed=SEED)
    assert job.parameters["layer_sizes"] == [784, 256, 256, 256, 256, 10]
    assert (job.needs, job.about) == ({}, {"n_clusters": 3})
    small = replace(job, parameters={**job.parameters, "layer_sizes": list(SIZES)})
    (made,) = compute([small])
    expected = nulls.random_ncuts(
        SIZES, 3, n_networks=4, rng=np.random.default_rng(SEED), device="cpu"
    )
    assert made.value == {"ncuts": np.round(expected, 6).tolist()}


def test_seed_and_network_decide_the_random_numbers():
    def value(network: Job, seed: int) -> float:
        (job,) = [clustering.job(network, "after", n_clusters=4, seed=seed)]
        return compute([job])[0].value["ncut"]

    other, _ = make_network(seed=1)
    found = [value(NETWORK[0], s) for s in range(6)] + [value(other, 0)]
    assert value(NETWORK[0], 0) == found[0]
    assert len(set(found)) > 1


# Lesions


def images_of(folder: Path) -> tuple[str, datasets.Dataset]:
    """Images of columns, of which the input layer sees the first pixels."""
    path = str(write_data(folder / "columns.npz", n_train=100, n_test=100))
    arrays = dict(np.load(path))
    for name in ("x_train", "x_test"):
        arrays[name] = arrays[name].reshape(len(arrays[name]), -1)[:, : SIZES[0]]
    # what the network says is right, so that lesions do harm
    x = torch.from_numpy(arrays["x_test"].astype(np.float32))
    arrays["y_test"] = mlp(NETWORK[1]).logits(x).argmax(-1).numpy()
    np.savez(path, **arrays)
    return path, datasets.load(path)


@pytest.fixture(scope="module")
def lesion_job(tmp_path_factory) -> Job:
    path, found = images_of(tmp_path_factory.mktemp("data"))
    images = replace(NETWORK[0].images, dataset=path, train_hash=found.train_hash)
    network = replace(NETWORK[0], images=images)
    options = {"n_clusters": 3, "n_random_sets": 6, "n_random_pairs": 4}
    return lesions.job(network, pairs="all", seed=SEED, **options)


def test_lesion_study_is_that_of_the_package(lesion_job):
    (made,) = compute([lesion_job])
    found = lesion_job.images.load()
    own = rng()
    labels, value = cluster_network(weights("after"), 3, rng=own)
    live = np.concatenate([np.asarray(part) for part in live_units(weights("after"))])
    x, y = (torch.from_numpy(a.copy()) for a in (found.x_test, found.y_test))
    model = mlp(NETWORK[1])
    single = science.single_lesions(model, x, y, labels, live, n_random=6, rng=own)
    double = science.double_lesions(model, x, y, single, live, pairs=None, n_random=4, rng=own)
    assert made.test_hash == found.test_hash
    assert made.value["ncut"] == value
    assert made.value["labels"] == labels.tolist()
    assert made.value["accuracy"] == single.accuracy
    # NaN for classes without images
    by_class = np.round(single.class_accuracies, 6)
    np.testing.assert_array_equal(made.value["class_accuracies"], by_class)
    rows, pairs = made.value["sub_clusters"], made.value["pairs"]
    x_of, y_of = ([rows[pair[side]] for pair in double.pairs] for side in (0, 1))
    expected = (
        (rows, "layer", single.sub.layer),
        (rows, "label", single.sub.label),
        (rows, "size", single.sub.size),
        (rows, "kind", single.kind),
        (rows, "drop", single.drop),
        (rows, "p_value", single.p_value),
        (rows, "proportion", single.proportion),
        (rows, "null_mean", [null.mean() for null in single.null_drops]),
        (rows, "null_std", [null.std() for null in single.null_drops]),
        (rows, "class_drops", np.round(single.class_drops, 6)),
        *((pairs, f"x_{name}", [row[name] for row in x_of]) for name in ("layer", "label")),
        *((pairs, f"y_{name}", [row[name] for row in y_of]) for name in ("layer", "label")),
        (pairs, "drop_both", double.drop_both),
        (pairs, "delta_x_y", double.delta_first),
        (pairs, "delta_y_x", double.delta_second),
        (pairs, "p_x_given_y", double.p_first),
        (pairs, "p_y_given_x", double.p_second),
        (pairs, "x_given_y", double.first_important),
        (pairs, "y_given_x", double.second_important),
    )
    assert min(len(rows), len(pairs)) > 2
    for table, name, values in expected:
        np.testing.assert_array_equal([row[name] for row in table], values)


def test_important_pairs_are_those_of_important_sub_clusters(lesion_job):
    # a single random set each, so that some are important in a network without structure
    fewer = {**lesion_job.parameters, "pairs": "important", "n_random_sets": 1}
    (made,) = compute([replace(lesion_job, parameters=fewer)])
    rows = [row for row in made.value["sub_clusters"] if row["kind"] == "important"]
    expected = {
        (x["layer"], x["label"], y["layer"], y["label"])
        for x in rows
        for y in rows
        if x["layer"] < y["layer"]
    }
    assert expected
    names = ("x_layer", "x_label", "y_layer", "y_label")
    assert {tuple(row[name] for name in names) for row in made.value["pairs"]} == expected


def test_known_clusters_are_lesioned_instead_of_those_found(lesion_job):
    (own,) = compute([lesion_job])
    labels = [(label + 1) % 3 if label >= 0 else -1 for label in own.value["labels"]]
    (made,) = lesions.compute([task_of(lesion_job, labels=labels)], Here())
    assert made.value["labels"] == labels

    def drops(value: Value) -> list[float]:
        return sorted(row["drop"] for row in value.value["sub_clusters"])

    assert drops(made) == drops(own)


def test_job_of_a_lesion_study(lesion_job):
    assert lesion_job.about["clustering_seed"] == SEED
    assert lesion_job.about["seed"] == NETWORK[0].about["seed"]
    assert lesion_job.about["pairs"] == "all"
    assert lesion_job.images.dataset.endswith("columns.npz")
