"""Networks of a condition: which are planned, and what training gives."""

from __future__ import annotations

import shutil
from dataclasses import asdict, replace
from pathlib import Path
from types import SimpleNamespace
from typing import Any

import numpy as np
import pytest
import torch
from small_book import Here, make_network, write_data

from modclust_utils import datasets
from modclust_utils.recipes import clustering, network
from modclust_utils.recipes.base import Images, Task, Value
from modclust_utils.recipes.network import Condition, conditions, network_seeds, settings_of
from modclust_utils.settings import TrainingSettings
from modclust_utils.training import train

# Conditions


def parameters(**changes: Any) -> SimpleNamespace:
    values = {"n_networks": 3, "epochs": 20, "pruning_epochs": 30, "dropout_rate": 0.5, "seed": 2}
    return SimpleNamespace(**values | {"dataset_settings": {}, "data_folder": ""} | changes)


def test_settings_of_a_data_set_come_before_those_of_all():
    cifar10 = {"pruning_epochs": 40, "dropout_rate": 0.2}
    settings = {"cifar10": cifar10, "cifar10+dropout": {"epochs": 100, "n_networks": 2}}
    found = [
        (c.images.dataset, c.dropout, s.epochs, s.pruning_epochs, s.dropout_rate, c.seeds)
        for c in conditions(parameters(dataset_settings=settings), ["mnist", "cifar10"])
        for s in [c.settings]
    ]
    assert found == [
        ("mnist", False, 20, 30, 0.0, (2000, 2001, 2002)),
        ("mnist", True, 20, 30, 0.5, (2000, 2001, 2002)),
        ("cifar10", False, 20, 40, 0.0, (2000, 2001, 2002)),
        ("cifar10", True, 100, 40, 0.2, (2000, 2001)),
    ]


def test_setting_that_a_network_does_not_have():
    p = parameters(dataset_settings={"mnist": {"epoch": 3}})
    with pytest.raises(ValueError, match=r"dataset_settings has \['epoch'\] for 'mnist'; allowed"):
        conditions(p, ["mnist"])


def test_some_conditions_and_changes_for_all_of_them():
    (only,) = conditions(parameters(), ["mnist"], dropouts=[True], shuffle=False)
    assert (only.dropout, only.settings.shuffle) == (True, False)
    # the seeds do not make it another condition, the settings do
    (more,) = conditions(parameters(n_networks=5), ["mnist"], dropouts=[True], shuffle=False)
    assert more == only
    assert len(more.jobs) == 5
    assert conditions(parameters(), ["mnist"], dropouts=[True]) != [only]


def test_seeds_of_networks_never_meet():
    seeds = [seed for s in range(3) for seed in network_seeds(s, 1000)]
    assert len(set(seeds)) == 3000


def test_jobs_of_a_condition_are_about_its_networks_and_go_together():
    first, second = conditions(parameters(data_folder="there"), ["random200"])
    assert [job.about for job in second.jobs] == [
        {"dataset": "random200", "dropout": True, "seed": seed, "network": job.key}
        for seed, job in zip((2000, 2001, 2002), second.jobs, strict=True)
    ]
    assert len({job.group for job in first.jobs}) == 1
    assert {job.group for job in first.jobs} != {job.group for job in second.jobs}
    # images come from the run's folder, generated ones from the run's seed
    wanted = datasets.train_hash("random200", seed=2)
    assert {job.images for job in first.jobs} == {Images("random200", wanted, "there", 2)}
    assert wanted != datasets.train_hash("random200", seed=0)


def test_key_of_a_network_does_not_tell_where_its_data_lie(tmp_path):
    path = write_data(tmp_path / "columns.npz")
    (tmp_path / "there").mkdir()
    other = Path(shutil.copyfile(path, tmp_path / "there" / path.name))

    def keys(file: Path) -> list[str]:
        p = parameters(dataset_settings={str(file): {"batch_size": 64}})
        return [job.key for c in conditions(p, [str(file)]) for job in c.jobs]

    before = keys(path)
    assert len(set(before)) == 6
    assert keys(other) == before
    write_data(path, n_train=255)
    assert not set(keys(path)) & set(before)


def test_settings_are_those_in_the_key():
    settings = TrainingSettings(layer_sizes=(20, 7, 3), epochs=4, shuffle=False)
    for kept in (asdict(settings), {**asdict(settings), "layer_sizes": [20, 7, 3]}):
        assert settings_of({"settings": kept}) == settings


# Training, with images of another shape and another number of classes

EPOCHS, N_TRAIN, N_TEST = 2, 60, 15


@pytest.fixture(scope="module")
def condition(tmp_path_factory) -> Condition:
    """Two networks for images of 5 by 4 pixels in three classes."""
    path = tmp_path_factory.mktemp("data") / "bands.npz"
    rng = np.random.default_rng(0)
    y = np.arange(N_TRAIN + N_TEST) % 3
    x = rng.random((len(y), 5, 4)) / 2 + (np.arange(5)[:, None] == y[:, None, None]) / 2
    arrays = {"x_train": x[:N_TRAIN], "y_train": y[:N_TRAIN]}
    np.savez(path, **arrays, x_test=x[N_TRAIN:], y_test=y[N_TRAIN:])
    settings = {str(path): {"batch_size": 10, "pruning_interval": 1, "n_networks": 2}}
    p = parameters(epochs=EPOCHS, pruning_epochs=EPOCHS, dataset_settings=settings)
    (found,) = conditions(p, [str(path)], dropouts=[False])
    return found


def tasks_of(condition: Condition) -> list[Task]:
    return [Task(job.parameters, images=job.images) for job in condition.jobs]


@pytest.fixture(scope="module")
def trained(condition) -> list[Value]:
    here = Here()
    made = network.compute(tasks_of(condition), here)
    assert here.n_steps == network.RECIPE.steps(condition.jobs) == 2 * EPOCHS
    return made


def test_layers_fit_the_images_and_classes(condition, trained):
    assert condition.settings.layer_sizes == (20, 256, 256, 256, 256, 3)
    assert condition.jobs[0].about["dataset"] == "bands"
    shapes = [(256, 20), (256, 256), (256, 256), (256, 256), (3, 256)]
    for made in trained:
        after = [made.arrays[f"weight_{i}"] for i in range(5)]
        before = [made.kept["before"][f"weight_{i}"] for i in range(5)]
        assert [w.shape for w in after] == [w.shape for w in before] == shapes
        assert [made.arrays[f"bias_{i}"].shape for i in range(5)] == [(n,) for n, _ in shapes]


def test_weights_before_and_after_pruning(trained):
    for made in trained:
        for name, whole in made.kept["before"].items():
            assert np.count_nonzero(whole) > 0.9 * whole.size
            # the last of 12 steps prunes to 0.9 - 0.4 (1 - 11/12)^3
            share = 0.1 + 0.4 / 12**3
            assert np.count_nonzero(made.arrays[name]) == pytest.approx(share * whole.size, abs=1)


def test_accuracies_are_those_of_the_network(condition, trained):
    images = condition.images.load()
    for job, made in zip(condition.jobs, trained, strict=True):
        model = network.mlp(replace(make_network()[1], arrays=made.arrays))
        for name, x, y in (
            ("train", images.x_train, images.y_train),
            ("test", images.x_test, images.y_test),
        ):
            accuracy = model.accuracy(torch.from_numpy(x.copy()), torch.from_numpy(y.copy()))
            assert made.value[f"{name}_accuracy_after"] == pytest.approx(float(accuracy), abs=1e-6)
        assert (made.value["n_test"], made.value["test_note"]) == (N_TEST, "")
        assert made.value["test_hash"] == made.test_hash == images.test_hash
        assert made.extra == {"batch_size": 2}
        assert job.images == condition.images


def test_networks_are_those_of_training_and_differ(condition, trained):
    images = condition.images.load()
    whole = train(
        *(images.x_train, images.y_train, condition.settings),
        seeds=condition.seeds,
        device="cpu",
    )
    for r, made in enumerate(trained):
        for i, weight in enumerate(whole.after.network(r).weights):
            np.testing.assert_array_equal(made.arrays[f"weight_{i}"], weight.numpy())
        for i, weight in enumerate(whole.before.network(r).weights):
            np.testing.assert_array_equal(made.kept["before"][f"weight_{i}"], weight.numpy())
    assert trained[0].value != trained[1].value


def test_other_images_are_refused(condition):
    (task, _) = tasks_of(condition)
    other = replace(task, images=replace(task.images, train_hash="0" * 64))
    with pytest.raises(datasets.DataError, match="allowed: 000000000000"):
        network.compute([other], Here())


# What others need of a network


def test_network_is_its_record_again():
    given = [np.arange(6.0).reshape(2, 3), np.arange(8.0).reshape(4, 2)]
    _, record = make_network(weights=given)
    for kept, weight in zip(network.weights(record), given, strict=True):
        np.testing.assert_array_equal(kept, weight)
    assert network.mlp(record).layer_sizes == (3, 2, 4)


def test_weights_of_a_phase():
    _, record = make_network(weights=[np.ones((2, 3))])
    before = {"weight_0": np.zeros((2, 3), np.float32)}
    for phase, expected in (("before", 0.0), ("after", 1.0)):
        task = Task({"phase": phase}, {"network": record}, before if phase == "before" else {})
        (found,) = network.weights_in_phase(task, "cpu")
        assert found.tolist() == [[expected] * 3] * 2


def test_job_about_a_network_in_a_phase():
    job, _ = make_network("mnist", True, 3)
    for phase, kept in (("before", "before"), ("after", "")):
        made = clustering.job(job, phase, n_clusters=4, seed=0)
        assert made.about == {**job.about, "phase": phase, "n_clusters": 4}
        assert (made.kept, made.needs) == (kept, {"network": job})
        assert made.parameters == {
            "network": job.key,
            "phase": phase,
            "n_clusters": 4,
            "seed": 0,
        }
    with pytest.raises(ValueError, match="phase='during' is not allowed: 'before' or 'after'"):
        clustering.job(job, "during", n_clusters=4, seed=0)
