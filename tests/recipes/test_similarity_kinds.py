"""Similarities of a network and their clusters: a record's entries are those of the science."""

from __future__ import annotations

import sys
from dataclasses import replace
from functools import cache

import numpy as np
import pytest
import torch
from computing import Bars
from small_book import Here, record_of, write_data

from modclust_utils import datasets, modularity, similarity
from modclust_utils.publish import engine
from modclust_utils.publish.errors import RunError
from modclust_utils.publish.groups import LocalCrew
from modclust_utils.publish.records import RecordStore
from modclust_utils.recipes import regularized_network, similarity_clusters, similarity_matrices
from modclust_utils.recipes.base import Images, Job, Task, stream
from modclust_utils.recipes.similarity_clusters import VARIANTS, Variant
from modclust_utils.regularized import uniform_mlp
from modclust_utils.settings import RegularizedSettings
from modclust_utils.strength_nulls import strength_null

SETTINGS = RegularizedSettings(layer_sizes=(784, 8, 8, 10), max_epochs=0)
SEEDS = (5, 6)


@pytest.fixture(scope="module")
def images(tmp_path_factory):
    path = write_data(tmp_path_factory.mktemp("data") / "small.npz")
    return Images(str(path), datasets.train_hash(str(path)))


def network_of(seed):
    """An untrained network; two of its hidden units are never active."""
    network = uniform_mlp(SETTINGS.layer_sizes, seeds=[seed]).network(0)
    network.biases[0][:2] = -100.0
    return network


def task_of(images, seed, make):
    network = network_of(seed)
    needed = regularized_network.job(images, SETTINGS, seed)
    record = record_of(
        needed, {}, arrays={f"bias_{i}": b.numpy() for i, b in enumerate(network.biases)}
    )
    kept = {f"weight_{i}": w.numpy() for i, w in enumerate(network.weights)}
    job = make(needed)
    return Task(job.parameters, {"network": record}, kept, job.images)


def clusters(images, *seeds, n_steps=30):
    def make(needed):
        return similarity_clusters.job(needed, n_steps=n_steps, n_starts=2, seed=3)

    tasks = [task_of(images, seed, make) for seed in seeds]
    return tasks, similarity_clusters.compute(tasks, Here())


def test_a_run_without_igraph_says_so_before_it_trains(images, tmp_path, monkeypatch):
    monkeypatch.setitem(sys.modules, "igraph", None)
    network = regularized_network.job(images, SETTINGS, 0)
    job = similarity_clusters.job(network, n_steps=1, n_starts=1, seed=0)
    store, bars = RecordStore(tmp_path / "cache", tmp_path / "published"), Bars()
    with pytest.raises(RunError, match=r"^the package igraph is not installed \(.*needs it"):
        engine.compute([job], store, crew=LocalCrew(), progress=bars)
    assert bars.shown == []


@pytest.fixture(scope="module")
def both(images):
    return clusters(images, *SEEDS)


@cache
def plain_matrices(seed: int, images: Images, layer: int, absolute: str) -> dict[str, torch.Tensor]:
    dataset = images.load()
    x, y = torch.tensor(dataset.x_test), torch.tensor(dataset.y_test)
    return similarity.similarities(network_of(seed), x, y, layer, absolute=absolute)


def matrix_of(seed: int, images: Images, variant: Variant) -> torch.Tensor:
    plain = plain_matrices(seed, images, variant.layer, variant.absolute)[variant.measure]
    if variant.normalization == "none":
        return plain
    return similarity.normalize(plain, variant.normalization)


def test_there_are_48_similarities_and_each_stands_at_its_place(images):
    dataset = images.load()
    x, y = torch.tensor(dataset.x_test), torch.tensor(dataset.y_test)
    network = network_of(5)
    found = similarity_clusters.matrices(network, x, y)
    assert len(VARIANTS) == len(set(VARIANTS)) == len(found) == 48
    for variant, matrix in zip(VARIANTS, found, strict=True):
        np.testing.assert_array_equal(matrix, matrix_of(5, images, variant))


def test_modularity_is_that_of_the_labels(images, both):
    tasks, values = both
    for task, value, seed in zip(tasks, values, SEEDS, strict=True):
        record = record_of(
            similarity_clusters.job(
                regularized_network.job(images, SETTINGS, seed), n_steps=30, n_starts=2, seed=3
            ),
            value.value,
            arrays=value.arrays,
        )
        assert record.parameters == task.parameters
        for method, column in (("monte_carlo", "q"), ("leiden", "q_leiden")):
            labels = similarity_clusters.labels(record, method)
            for i, variant in enumerate(VARIANTS):
                matrix = matrix_of(seed, images, variant).numpy()
                expected = modularity.modularity(matrix, labels[i])
                assert value.value[column][i] == pytest.approx(expected, abs=1e-7)
                number = value.value[{"q": "n_clusters", "q_leiden": "n_clusters_leiden"}[column]][
                    i
                ]
                assert number == pytest.approx(modularity.n_effective_clusters(labels[i]), abs=1e-7)


def test_search_is_never_below_its_start(both):
    for value in both[1]:
        assert all(
            q >= s - 1e-8 for q, s in zip(value.value["q"], value.value["q_start"], strict=True)
        )


def test_units_that_are_never_active_are_unused_upstream(both):
    for value in both[1]:
        for i, variant in enumerate(VARIANTS):
            unused = value.value["n_unused"][i]
            if variant.layer == 1 and variant.measure in ("covariance", "input_sensitivity"):
                assert unused == 2
                assert (value.arrays["labels"][i, :2] == -1).all()


def test_a_network_of_several_is_searched_as_one_alone(images, both):
    _, (alone,) = clusters(images, SEEDS[1])
    assert alone.value == both[1][1].value
    for name, array in alone.arrays.items():
        np.testing.assert_array_equal(array, both[1][1].arrays[name])


def test_more_steps_find_no_less(images, both):
    _, (longer,) = clusters(images, SEEDS[0], n_steps=60)
    assert np.mean(longer.value["q"]) >= np.mean(both[1][0].value["q"])


def test_null_is_searched_with_streams_of_its_own(images, both):
    task = both[0][0]
    _, _, _, rng = stream(task.parameters["network"], 3).spawn(4)
    i = VARIANTS.index(Variant(1, "of_mean", "none", "output_sensitivity"))
    own = rng.spawn(len(VARIANTS))[i]
    null = strength_null(matrix_of(5, images, VARIANTS[i]), rng=own)
    expected = modularity.maximize_modularity(null, rng=own, n_steps=30).q
    assert both[1][0].value["q_null"][i] == pytest.approx(expected, abs=1e-7)


def test_a_layer_without_similarity_has_no_modularity(images):
    needed = regularized_network.job(images, SETTINGS, 5)
    network = network_of(5)
    kept = {f"weight_{i}": np.zeros_like(w.numpy()) for i, w in enumerate(network.weights)}
    record = record_of(
        needed, {}, arrays={f"bias_{i}": 0 * b.numpy() for i, b in enumerate(network.biases)}
    )
    job = similarity_clusters.job(needed, n_steps=5, n_starts=1, seed=3)
    task = Task(job.parameters, {"network": record}, kept, job.images)
    (value,) = similarity_clusters.compute([task], Here())
    assert value.value["q"] == value.value["q_null"] == [None] * 48
    assert (value.arrays["labels"] == -1).all()


def test_matrices_to_draw_are_the_plain_ones(images):
    task = task_of(images, 6, similarity_matrices.job)
    (value,) = similarity_matrices.compute([task], Here())
    assert len(value.arrays) == 8
    for layer in (1, 2):
        for measure in similarity.MEASURES:
            expected = matrix_of(6, images, Variant(layer, "of_mean", "none", measure)).numpy()
            np.testing.assert_allclose(
                value.arrays[f"{measure}_{layer}"], expected, rtol=1e-6, atol=1e-12
            )


def recorded(task, value):
    return record_of(
        Job(similarity_clusters.RECIPE, task.parameters), value.value, arrays=value.arrays
    )


def test_what_is_computed_again_agrees_and_what_was_changed_does_not(both):
    tasks, values = both
    record, value = recorded(tasks[0], values[0]), values[0]
    assert similarity_clusters.agree(record, value) == (True, "0% of q differ")
    changed = {**value.value, "q": [q if q is None else q + 0.001 for q in value.value["q"]]}
    agrees, note = similarity_clusters.agree(record, replace(value, value=changed))
    assert (agrees, note) == (False, "100% of q differ")
    one = {**value.value, "q": [value.value["q"][0] + 0.01, *value.value["q"][1:]]}
    assert similarity_clusters.agree(record, replace(value, value=one))[0]  # another optimum
    gone = {**value.value, "q_null": [None, *value.value["q_null"][1:]]}
    agrees, note = similarity_clusters.agree(record, replace(value, value=gone))
    assert (agrees, note) == (False, "q_null is there for other similarities")
    other = {**value.arrays, "labels": np.roll(value.arrays["labels"], 1, axis=1)}
    assert not similarity_clusters.agree(record, replace(value, arrays=other))[0]
    assert not similarity_clusters.agree(record, values[1])[0]


def test_matrices_agree_to_rounding(images):
    task = task_of(images, 6, similarity_matrices.job)
    (value,) = similarity_matrices.compute([task], Here())
    record = record_of(Job(similarity_matrices.RECIPE, task.parameters), {}, arrays=value.arrays)
    assert similarity_matrices.agree(record, value) == (True, "by 0 of their largest entry")
    other = {name: 1.001 * matrix for name, matrix in value.arrays.items()}
    assert not similarity_matrices.agree(record, replace(value, arrays=other))[0]
