"""Networks of paper C: what a record says of a network is true of its weights."""

from __future__ import annotations

from dataclasses import replace

import numpy as np
import pytest
import torch
from small_book import Here, write_data
from torch.nn.functional import cross_entropy

from modclust_utils import datasets, nulls
from modclust_utils.recipes import regularized_network
from modclust_utils.recipes.base import Images, Record, Task, stream
from modclust_utils.regularized import train_regularized, uniform_mlp
from modclust_utils.settings import RegularizedSettings

SMALL = RegularizedSettings(layer_sizes=(784, 8, 6, 10), batch_size=64, max_epochs=2)
EVERY = [SMALL, replace(SMALL, l1=0.01), replace(SMALL, max_epochs=0)]
SEEDS = (3, 4, 4)


@pytest.fixture(scope="module")
def jobs(tmp_path_factory):
    path = write_data(tmp_path_factory.mktemp("data") / "small.npz")
    images = Images(str(path), datasets.train_hash(str(path)))
    return [regularized_network.job(images, *each) for each in zip(EVERY, SEEDS, strict=True)]


@pytest.fixture(scope="module")
def work():
    return Here()


@pytest.fixture(scope="module")
def made(jobs, work):
    return regularized_network.compute([Task(j.parameters, images=j.images) for j in jobs], work)


def network_of(job, value):
    record = Record(job.kind, 1, job.parameters, value.value, arrays=value.arrays)
    task = Task({}, {"network": record}, value.kept[regularized_network.WEIGHTS])
    return regularized_network.network(task, "cpu")


def test_jobs_of_all_settings_train_together(jobs):
    assert len({job.key for job in jobs}) == len(jobs)
    assert len({job.group for job in jobs}) == 1
    assert [(j.about["l1"], j.about["trained"]) for j in jobs] == [
        (0.0, True),
        (0.01, True),
        (0.0, False),
    ]


def test_networks_are_those_of_the_science(jobs, made):
    dataset = jobs[0].images.load()
    expected = train_regularized(dataset.x_train, dataset.y_train, EVERY, seeds=SEEDS)
    for r, (job, value) in enumerate(zip(jobs, made, strict=True)):
        network, own = network_of(job, value), expected.networks.network(r)
        for a, b in zip(network.weights + network.biases, own.weights + own.biases, strict=True):
            assert torch.equal(a, b)
        assert value.value["epochs"] == expected.epochs[r]
        assert value.value["best_epoch"] == expected.best_epoch[r]


def test_performance_is_that_of_the_network(jobs, made):
    dataset = jobs[0].images.load()
    for job, value in zip(jobs, made, strict=True):
        network = network_of(job, value)
        for name in ("train", "test"):
            x = torch.from_numpy(np.array(getattr(dataset, f"x_{name}")))
            y = torch.from_numpy(np.array(getattr(dataset, f"y_{name}")))
            hits = (network.logits(x).argmax(1) == y).float().mean()
            assert value.value[f"{name}_accuracy"] == pytest.approx(hits.item())
            loss = cross_entropy(network.logits(x), y)
            assert value.value[f"{name}_loss"] == pytest.approx(loss.item(), rel=1e-6)
        weights = np.concatenate([w.numpy().ravel() for w in network.weights])
        assert value.value["sparsity"] == np.mean(np.abs(weights) <= 0.001)
        assert value.value["sum_abs"] == pytest.approx(np.abs(weights.astype(float)).sum())
        assert value.value["sum_squares"] == pytest.approx((weights.astype(float) ** 2).sum())
        assert value.test_hash == dataset.test_hash


def test_an_untrained_network_is_the_fresh_one_and_has_no_loss(jobs, made):
    network = network_of(jobs[2], made[2])
    assert torch.equal(network.weights[0], uniform_mlp(SMALL.layer_sizes, seeds=[4]).weights[0][0])
    assert (made[2].value["epochs"], made[2].value["validation_loss"]) == (0, None)


def test_penalties_leave_smaller_weights(made):
    assert made[1].value["sum_abs"] < made[0].value["sum_abs"]


def test_every_network_is_a_step_when_it_stops(made, work):
    assert work.n_steps == len(made) == len(EVERY)


def test_shuffle_test_is_that_of_the_trained_weights(jobs, made):
    job = regularized_network.shuffle_test_job(jobs[0], n_clusters=3, n_shuffles=4, seed=1)
    record = Record(jobs[0].kind, 1, jobs[0].parameters, made[0].value, arrays=made[0].arrays)
    task = Task(job.parameters, {"network": record}, made[0].kept[job.kept])
    (value,) = job.recipe.compute([task], Here())
    weights = [task.kept[f"weight_{i}"] for i in range(3)]
    expected = nulls.shuffle_test(
        weights, 3, n_shuffles=4, mode="layer", rng=stream(jobs[0].key, 1)
    )
    assert (value.value["ncut"], value.value["z_score"]) == (expected.ncut, expected.z_score)
