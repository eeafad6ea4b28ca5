"""Plans: which networks and records each chapter needs, under every profile."""

from __future__ import annotations

import inspect
from collections import Counter
from collections.abc import Callable, Iterable
from pathlib import Path
from types import SimpleNamespace
from typing import Any

import pytest

from modclust_utils.datasets.papers import paper_table
from modclust_utils.modularity import maximize_modularity
from modclust_utils.nulls import MODES
from modclust_utils.publish.chapters import chapter_numbers, plan, profiles
from modclust_utils.publish.engine import planned
from modclust_utils.publish.run import check_run
from modclust_utils.recipes.base import Job, canonical_json
from modclust_utils.recipes.network import network_seeds
from modclust_utils.recipes.similarity_clusters import SINGLE_STEPS

EVERY = [(chapter, profile) for chapter in chapter_numbers() for profile in profiles(chapter)]
#: Chapters about pruned networks of conditions (paper A).
PRUNED = [(chapter, profile) for chapter, profile in EVERY if chapter in (1, 2, 3)]
SEEDS_OF_THE_PAPER = 10
#: Kinds of record that hold a network.
NETWORKS = {"classifier", "network", "pretrained-network", "regularized-network"}


def parameters_of(chapter: int, profile: str = "quick", **changes: Any) -> SimpleNamespace:
    return SimpleNamespace(**check_run(chapter, profile, overrides=changes))


def jobs_of(chapter: int, p: SimpleNamespace) -> list[Job]:
    """Every job of a chapter once."""
    return list(planned(plan(chapter, p)).values())


def keyed(jobs: Iterable[Job], kind: str) -> dict[str, Job]:
    return {job.key: job for job in jobs if job.kind == kind}


def networks_of(chapter: int, p: SimpleNamespace) -> dict[str, dict[str, Any]]:
    """Parameters of all networks of a chapter by their keys."""
    return {key: dict(j.parameters) for key, j in keyed(jobs_of(chapter, p), "network").items()}


def where(networks: dict[str, Any], rule: Callable[[dict[str, Any]], bool]) -> dict[str, Any]:
    return {key: parameters for key, parameters in networks.items() if rule(parameters)}


def about(jobs: Iterable[Job], network: str) -> list[Job]:
    """What is planned of one network."""
    return [job for job in jobs if job.parameters.get("network") == network]


def condition_of(parameters: dict[str, Any]) -> str:
    return canonical_json({k: v for k, v in parameters.items() if k != "seed"})


@pytest.mark.parametrize(("chapter", "profile"), EVERY)
def test_plan_is_of_one_piece(chapter, profile):
    p = parameters_of(chapter, profile)
    found = plan(chapter, p)
    # no frame shows a record twice, and each network is in a frame of its own
    for jobs in found.values():
        assert len({(job.kind, job.key) for job in jobs}) == len(jobs)
    shown = {job.key for jobs in found.values() for job in jobs if job.kind in NETWORKS}
    every = [job for job in jobs_of(chapter, p) if job.kind in NETWORKS]
    assert shown == {job.key for job in every}
    again = plan(chapter, p)
    assert {n: [j.key for j in jobs] for n, jobs in again.items()} == {
        n: [j.key for j in jobs] for n, jobs in found.items()
    }


@pytest.mark.parametrize(("chapter", "profile"), PRUNED)
def test_every_condition_has_all_of_its_seeds(chapter, profile):
    p = parameters_of(chapter, profile)
    networks = networks_of(chapter, p).values()
    counts = {each["n_networks"] for each in p.dataset_settings.values() if "n_networks" in each}
    assert set(Counter(map(condition_of, networks)).values()) == {p.n_networks, *counts}
    assert {each["seed"] for each in networks} == set(network_seeds(p.seed, p.n_networks))


@pytest.mark.parametrize(("chapter", "profile"), PRUNED)
def test_every_network_of_a_condition_is_treated_alike(chapter, profile):
    """But for the first network of chapter 3, which is clustered more often."""
    p = parameters_of(chapter, profile)
    jobs, several = jobs_of(chapter, p), {}
    for key, parameters in networks_of(chapter, p).items():
        own = {
            canonical_json([job.kind, {k: v for k, v in job.parameters.items() if k != "network"}])
            for job in about(jobs, key)
        }
        several.setdefault(condition_of(parameters), []).append(own)
    for every in several.values():
        assert len([own for own in every if own != every[-1]]) == (1 if chapter == 3 else 0)


@pytest.mark.parametrize(("chapter", "profile"), EVERY)
def test_chapters_1_and_2_need_random_networks(chapter, profile):
    jobs = jobs_of(chapter, parameters_of(chapter, profile))
    assert len(keyed(jobs, "random-ncuts")) == (chapter in (1, 2))


def test_what_was_computed_of_a_profile_is_a_part_of_it():
    part, whole = (
        set(planned(plan(2, parameters_of(2, profile)))) for profile in ("paper-part", "paper")
    )
    assert part < whole


# Chapter 1


def test_pruned_networks_are_tested_for_every_k():
    p = parameters_of(1, more_clusters=[7, 2])
    jobs = jobs_of(1, p)
    for network in networks_of(1, p):
        assert [
            (job.kind, *(job.parameters.get(name) for name in ("phase", "n_clusters", "mode")))
            for job in about(jobs, network)
        ] == [
            ("clustering", "before", 4, None),
            ("partition", "after", 4, None),
            *(("shuffle-test", "after", k, "layer") for k in (2, 4, 7)),
        ]


# Chapter 2


def n_networks_of(p: SimpleNamespace, dataset: str) -> int:
    return p.dataset_settings.get(dataset, {}).get("n_networks", p.n_networks)


@pytest.mark.parametrize("profile", profiles(2))
def test_memorized_images_keep_their_order_and_no_others_do(profile):
    p = parameters_of(2, profile)
    networks = networks_of(2, p)
    memorized = where(networks, lambda each: not each["settings"]["shuffle"])
    assert {each["dataset"] for each in memorized.values()} == set(p.memorized_datasets)
    assert {each["settings"]["dropout_rate"] > 0 for each in memorized.values()} == {False, True}
    assert len(memorized) == 2 * sum(n_networks_of(p, name) for name in p.memorized_datasets)
    others = where(networks, lambda each: each["settings"]["shuffle"])
    assert not {each["dataset"] for each in others.values()} & set(p.memorized_datasets)


@pytest.mark.parametrize(("profile", "epochs"), [("quick", 0), ("quick", 7), ("paper", 1000)])
def test_long_training_is_planned_where_it_is_asked_for(profile, epochs):
    p = parameters_of(2, profile, kilo_epochs=epochs)
    random = where(networks_of(2, p), lambda each: each["dataset"] == p.random_datasets[0])
    usual = p.dataset_settings.get(p.random_datasets[0], {}).get("epochs", p.epochs)
    long = where(random, lambda each: each["settings"]["epochs"] != usual)
    assert len(long) == (2 * n_networks_of(p, p.random_datasets[0]) if epochs else 0)
    # all else is as in the usual training, the epochs of pruning too
    back = [{**each, "settings": {**each["settings"], "epochs": usual}} for each in long.values()]
    assert all(each in random.values() for each in back)
    assert {each["settings"]["epochs"] for each in long.values()} == ({epochs} if epochs else set())


def test_long_training_is_the_papers():
    assert parameters_of(2).kilo_epochs == 0
    assert parameters_of(2, "paper").kilo_epochs == 1000


@pytest.mark.parametrize("profile", profiles(2))
def test_both_nulls_in_both_phases_for_the_main_data_sets_alone(profile):
    p = parameters_of(2, profile)
    jobs = jobs_of(2, p)
    whole = {(phase, mode) for phase in ("before", "after") for mode in MODES}
    assert len(whole) == 4
    for network, condition in networks_of(2, p).items():
        tests = [job.parameters for job in about(jobs, network) if job.kind == "shuffle-test"]
        found = {(each["phase"], each["mode"]) for each in tests}
        assert len(found) == len(tests)
        assert {(each["n_clusters"], each["n_shuffles"]) for each in tests} <= {
            (p.n_clusters, p.n_shuffles)
        }
        if condition["dataset"] in p.datasets:
            assert found == whole
        elif condition["dataset"] in (*p.random_datasets, *p.memorized_datasets):
            assert found == {("after", "layer")}
        else:
            assert found == set()
            assert condition["dataset"] in p.mixtures


@pytest.mark.parametrize("profile", profiles(2))
def test_every_network_has_one_ncut_in_a_phase(profile):
    """The main data sets have those of chapter 1; else there are no partitions."""
    p = parameters_of(2, profile)
    jobs = jobs_of(2, p)
    for network, condition in networks_of(2, p).items():
        expected = []
        if condition["dataset"] in (*p.datasets, *p.random_datasets, *p.memorized_datasets):
            expected.append(("clustering", "before"))
        if condition["dataset"] in p.datasets:
            expected.append(("partition", "after"))
        elif condition["dataset"] in p.mixtures:
            expected.append(("clustering", "after"))
        own = [job for job in about(jobs, network) if job.kind != "shuffle-test"]
        assert [(job.kind, job.parameters["phase"]) for job in own] == expected


def test_chapters_share_the_one_ncut_of_a_network():
    one, two = (plan(chapter, parameters_of(chapter, "paper")) for chapter in (1, 2))
    mine = [(job.kind, job.key) for name in ("before", "partitions") for job in one[name]]
    assert sorted(mine) == sorted((job.kind, job.key) for job in two["ncuts"])


def test_conditions_of_the_paper_are_those_that_it_states():
    """Epochs, epochs of pruning and dropout rate of paper A, section 3 and appendix A.5."""
    found = {}
    for each in networks_of(2, parameters_of(2, "paper")).values():
        s = each["settings"]
        found.setdefault((each["dataset"], s["dropout_rate"] > 0), set()).add(
            (s["epochs"], s["pruning_epochs"], s["dropout_rate"])
        )
    for dataset in ("mnist", "fashion_mnist", "lines", "lines_mnist", "lines_mnist_sep"):
        assert found[dataset, False] == {(20, 20, 0.0)}
        assert found[dataset, True] == {(20, 20, 0.5)}
    for dataset in ("lines_cifar10", "mnist_cifar10", "lines_cifar10_sep", "mnist_cifar10_sep"):
        assert found[dataset, False] == {(30, 40, 0.0)}
        assert found[dataset, True] == {(30, 40, 0.2)}
    assert found["cifar10", False] == {(20, 40, 0.0)}
    assert found["cifar10", True] == {(100, 40, 0.2)}
    for dropout, rate in ((False, 0.0), (True, 0.5)):
        assert found["random", dropout] == {(20, 20, rate), (1000, 20, rate)}
        for dataset in ("random3k", "random3k_255", "random3k_centred"):
            assert found[dataset, dropout] == {(100, 100, rate)}
    assert len(found) == 2 * 14


# Chapter 3


@pytest.mark.parametrize("profile", profiles(3))
def test_lesions_are_of_networks_with_dropout(profile):
    p = parameters_of(3, profile, data_folder="images")
    networks = networks_of(3, p)
    assert len(networks) == p.n_networks
    assert {each["settings"]["dropout_rate"] for each in networks.values()} == {p.dropout_rate}
    assert {each["dataset"] for each in networks.values()} == {p.dataset}
    jobs = jobs_of(3, p)
    assert {job.kind for job in jobs} == {"network", "lesions"}
    # the images come from the run's folder, generated ones from the run's seed
    assert {(job.images.folder, job.images.seed) for job in jobs} == {
        (str(Path("images").absolute()), p.seed)
    }


@pytest.mark.parametrize("profile", profiles(3))
def test_all_pairs_for_the_first_clustering_of_the_first_network(profile):
    p = parameters_of(3, profile, seed=5)
    studies = plan(3, p)["studies"]
    first, *others = network_seeds(5, p.n_networks)
    again = range(1, p.n_reclusterings + 1)
    assert [(j.about["seed"], j.parameters["seed"], j.parameters["pairs"]) for j in studies] == [
        (first, 5, "all"),
        *((first, 5 + r, "important") for r in again),
        *((seed, 5, "important") for seed in others),
    ]
    for name in ("n_clusters", "n_random_sets", "n_random_pairs"):
        assert {job.parameters[name] for job in studies} == {getattr(p, name)}


# Chapters together


def test_chapters_share_the_networks_of_the_paper():
    """Chapter 2 takes all networks of chapter 1, and chapter 3 one condition of them."""
    one, two, three = (set(networks_of(c, parameters_of(c, "paper"))) for c in (1, 2, 3))
    assert len(one) == 3 * 2 * SEEDS_OF_THE_PAPER
    assert one < two
    assert three < one
    assert len(three) == SEEDS_OF_THE_PAPER


def test_chapters_share_the_test_that_both_show():
    """The main null after pruning, k = 4: in chapter 2 it is read, not computed again."""
    one, two = (jobs_of(chapter, parameters_of(chapter, "paper")) for chapter in (1, 2))
    shared = keyed(one, "shuffle-test").keys() & keyed(two, "shuffle-test").keys()
    assert len(shared) == 3 * 2 * SEEDS_OF_THE_PAPER
    assert keyed(one, "random-ncuts").keys() == keyed(two, "random-ncuts").keys()


def test_quick_chapters_share_networks_too():
    one, two, three = (
        set(where(networks_of(c, parameters_of(c)), lambda each: each["dataset"] == "mnist5k"))
        for c in (1, 2, 3)
    )
    few = min(len(one), len(two)) // 2
    assert few > 0
    assert len(one & two) == 2 * few
    assert len(one & three) == min(len(one) // 2, len(three))


# Chapter 5


def settings_of(jobs: Iterable[Job]) -> list[tuple[float, float, float]]:
    return [tuple(job.about[name] for name in ("l2", "l1", "dropout_rate")) for job in jobs]


def test_sweeps_are_those_of_table_1_of_the_paper():
    p = parameters_of(5, "paper")
    trained = [job for job in plan(5, p)["networks"] if job.about["trained"]]
    printed = paper_table("lange2022_table_1")
    assert settings_of(trained) == [*printed.itertuples(index=False, name=None)] * 9
    facts = paper_table("lange2022_text").set_index("key")["value"]
    assert len(trained) == facts["models"]
    assert facts["settings"] == len(printed)
    assert facts["least_accuracy"] == p.least_accuracy
    assert facts["start_search_steps"] == SINGLE_STEPS
    entropy = inspect.signature(maximize_modularity).parameters["entropy"].default
    assert facts["entropy"] == entropy
    (settings,) = {
        canonical_json({k: v for k, v in job.parameters["settings"].items() if k in COMMON})
        for job in trained
    }
    assert settings == (
        '{"batch_size":200,"layer_sizes":[784,64,64,10],"learning_rate":0.001,"max_epochs":500,'
        '"patience":6,"rate_factor":0.25,"rate_patience":3,"validation_share":0.1}'
    )


COMMON = {
    *("batch_size", "layer_sizes", "learning_rate", "max_epochs"),
    *("patience", "rate_factor", "rate_patience", "validation_share"),
}


@pytest.mark.parametrize("profile", profiles(5))
def test_every_network_is_clustered_and_tested_trained_or_not(profile):
    p = parameters_of(5, profile)
    found = plan(5, p)
    networks = [job.key for job in found["networks"]]
    untrained = [job for job in found["networks"] if not job.about["trained"]]
    assert [job.about["seed"] for job in untrained] == [*network_seeds(p.seed, p.n_untrained)]
    assert settings_of(untrained) == [(0.0, 0.0, 0.0)] * p.n_untrained
    for name in ("clusters", "tests"):
        assert [job.parameters["network"] for job in found[name]] == networks
        assert {job.kept for job in found[name]} == {"trained"}
    assert [job.about["dropout_rate"] for job in found["drawn"]] == [0.0, 0.0, p.dropout_rates[-1]]
