"""Plans: which networks and records each chapter needs, under every profile."""

from __future__ import annotations

import shutil
from collections import Counter
from collections.abc import Callable
from types import SimpleNamespace
from typing import Any

import pytest
from small_book import copy_book, make_network

from modclust_utils.nulls import MODES
from modclust_utils.publish import experiments, lesioning, plans, session
from modclust_utils.publish.networks import Network, network_seeds
from modclust_utils.publish.parameters import chapter_notebook, profiles, read_profile, read_schema
from modclust_utils.publish.records import RecordStore, canonical_json, record_key

Keys = list[tuple[str, dict[str, Any]]]
EVERY = [(chapter, profile) for chapter in (1, 2, 3) for profile in profiles(chapter)]
SEEDS_OF_THE_PAPER = 10


def parameters_of(chapter: int, profile: str = "quick", **changes: Any) -> SimpleNamespace:
    schema = read_schema(chapter_notebook(chapter))
    return SimpleNamespace(**schema.check({**read_profile(chapter, profile), **changes}))


def keyed(keys: Keys, kind: str) -> dict[str, dict[str, Any]]:
    """The planned records of a kind: parameters by key."""
    return {record_key(kind, p): p for name, p in keys if name == kind}


def about(keys: Keys, network: str) -> Keys:
    """What is planned of one network."""
    return [(kind, p) for kind, p in keys if p.get("network") == network]


def networks_where(keys: Keys, rule: Callable[[dict[str, Any]], bool]) -> dict[str, dict[str, Any]]:
    return {key: p for key, p in keyed(keys, "network").items() if rule(p)}


def _other_counts(p):
    settings = p.dataset_settings.values()
    return {each["n_networks"] for each in settings if "n_networks" in each}


@pytest.mark.parametrize(("chapter", "profile"), EVERY)
def test_plan_is_of_one_piece(chapter, profile):
    p = parameters_of(chapter, profile)
    keys = plans.plan(chapter, p)
    # asked for twice, a record is the same; what another one is about is planned too
    assert len({(kind, canonical_json(each)) for kind, each in keys}) == len(
        {(kind, record_key(kind, each)) for kind, each in keys}
    )
    networks = keyed(keys, "network")
    assert {each["network"] for _, each in keys if "network" in each} == set(networks)
    # every condition has all of its seeds
    seeds = Counter(
        canonical_json({name: value for name, value in each.items() if name != "seed"})
        for each in networks.values()
    )
    assert set(seeds.values()) == {p.n_networks, *_other_counts(p)}
    assert {each["seed"] for each in networks.values()} == set(network_seeds(p.seed, p.n_networks))
    assert plans.plan(chapter, p) == keys


def test_what_was_computed_of_a_profile_is_a_part_of_it():
    def whole_plan(profile):
        return {
            (kind, record_key(kind, each))
            for kind, each in plans.plan(2, parameters_of(2, profile))
        }

    assert whole_plan("paper-part") < whole_plan("paper")


@pytest.mark.parametrize(("chapter", "profile"), EVERY)
def test_every_network_of_a_condition_is_treated_alike(chapter, profile):
    """But for the first network of chapter 3, which is clustered more often."""
    keys = plans.plan(chapter, parameters_of(chapter, profile))
    plain = {}
    for network, p in keyed(keys, "network").items():
        condition = canonical_json({k: v for k, v in p.items() if k != "seed"})
        own = {
            canonical_json([kind, {k: v for k, v in each.items() if k != "network"}])
            for kind, each in about(keys, network)
        }
        plain.setdefault(condition, []).append(own)
    for several in plain.values():
        different = [own for own in several if own != several[-1]]
        assert len(different) == (1 if chapter == 3 else 0)


def test_chapters_are_those_with_a_notebook_and_a_plan(tmp_path, monkeypatch):
    assert plans.chapters() == [1, 2, 3]
    book = copy_book(tmp_path / "book", chapters=(1, 3))
    monkeypatch.setenv("MODCLUST_ROOT", str(book))
    shutil.copyfile(chapter_notebook(1), book / "notebooks" / "99-unplanned.ipynb")
    assert plans.chapters() == [1, 3]


def test_chapters_1_and_2_need_random_networks():
    for chapter, profile in EVERY:
        keys = plans.plan(chapter, parameters_of(chapter, profile))
        assert len(keyed(keys, "random-ncuts")) == (chapter != 3)


# Chapter 1


def test_pruned_networks_are_tested_for_every_k():
    p = parameters_of(1, more_clusters=[7, 2])
    assert plans.all_clusters(p) == [2, 4, 7]
    keys = plans.plan(1, p)
    for network in keyed(keys, "network"):
        own = about(keys, network)
        assert [
            (kind, each["phase"], each["n_clusters"], each.get("mode")) for kind, each in own
        ] == [
            ("clustering", "before", 4, None),
            *(("shuffle-test", "after", k, "layer") for k in (2, 4, 7)),
        ]


# Chapter 2


def n_networks_of(p: SimpleNamespace, dataset: str) -> int:
    return p.dataset_settings.get(dataset, {}).get("n_networks", p.n_networks)


@pytest.mark.parametrize("profile", profiles(2))
def test_memorized_images_keep_their_order_and_no_others_do(profile):
    p = parameters_of(2, profile)
    keys = plans.plan(2, p)
    memorized = networks_where(keys, lambda each: not each["settings"]["shuffle"])
    assert {each["dataset"] for each in memorized.values()} == set(p.memorized_datasets)
    assert {each["settings"]["dropout_rate"] > 0 for each in memorized.values()} == {False, True}
    assert len(memorized) == 2 * sum(n_networks_of(p, name) for name in p.memorized_datasets)
    others = networks_where(keys, lambda each: each["settings"]["shuffle"])
    assert not {each["dataset"] for each in others.values()} & set(p.memorized_datasets)


def long_networks(p: SimpleNamespace) -> dict[str, dict[str, Any]]:
    """Networks of the random data that are trained for another number of epochs than usual."""
    usual = p.dataset_settings.get(p.random_datasets[0], {}).get("epochs", p.epochs)
    return networks_where(
        plans.plan(2, p),
        lambda each: (
            each["dataset"] == p.random_datasets[0] and each["settings"]["epochs"] != usual
        ),
    )


def test_long_training_is_planned_where_it_is_asked_for():
    assert parameters_of(2).kilo_epochs == 0
    assert long_networks(parameters_of(2)) == {}
    for profile, epochs in (("quick", 7), ("paper", 1000)):
        p = parameters_of(2, profile, kilo_epochs=epochs)
        found = long_networks(p)
        assert len(found) == 2 * n_networks_of(p, p.random_datasets[0])
        assert {each["settings"]["epochs"] for each in found.values()} == {epochs}
        # all else is as in the usual training, the epochs of pruning too
        usual = [
            {**each, "settings": {**each["settings"], "epochs": epochs}}
            for each in keyed(plans.plan(2, p), "network").values()
            if each["dataset"] == p.random_datasets[0] and each["settings"]["epochs"] != epochs
        ]
        assert {record_key("network", each) for each in usual} == set(found)
    assert parameters_of(2, "paper").kilo_epochs == 1000


@pytest.mark.parametrize("profile", profiles(2))
def test_both_nulls_in_both_phases_for_the_main_data_sets_alone(profile):
    p = parameters_of(2, profile)
    keys = plans.plan(2, p)
    whole = {(phase, mode) for phase in ("before", "after") for mode in MODES}
    assert len(whole) == 4
    for network, condition in keyed(keys, "network").items():
        tests = [each for kind, each in about(keys, network) if kind == "shuffle-test"]
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
def test_controls_have_an_ncut_before_pruning_and_mixtures_after_it(profile):
    p = parameters_of(2, profile)
    keys = plans.plan(2, p)
    for network, condition in keyed(keys, "network").items():
        ncuts = [each["phase"] for kind, each in about(keys, network) if kind == "clustering"]
        expected = []
        if condition["dataset"] in (*p.random_datasets, *p.memorized_datasets):
            expected.append("before")
        # of the mixtures, those that have no shuffle test
        if condition["dataset"] in p.mixtures and condition["dataset"] not in p.datasets:
            expected.append("after")
        assert ncuts == expected


def test_conditions_of_the_paper_are_those_that_it_states():
    """Epochs, epochs of pruning and dropout rate of paper A, section 3 and appendix A.5."""
    found = {}
    for each in keyed(plans.plan(2, parameters_of(2, "paper")), "network").values():
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
    p = parameters_of(3, profile)
    keys = plans.plan(3, p)
    networks = keyed(keys, "network")
    assert len(networks) == p.n_networks
    assert {each["settings"]["dropout_rate"] for each in networks.values()} == {p.dropout_rate}
    assert {each["dataset"] for each in networks.values()} == {p.dataset}
    assert {kind for kind, _ in keys} == {"network", "lesions"}


@pytest.mark.parametrize("profile", profiles(3))
def test_all_pairs_for_the_first_clustering_of_the_first_network(profile):
    p = parameters_of(3, profile)
    keys = plans.plan(3, p)
    first, *others = keyed(keys, "network")
    assert keyed(keys, "network")[first]["seed"] == network_seeds(p.seed, 1)[0]
    own = [(each["seed"], each["pairs"]) for _, each in about(keys, first)]
    assert own == [
        (p.seed, "all"),
        *((p.seed + r, "important") for r in range(1, p.n_reclusterings + 1)),
    ]
    for network in others:
        assert [(each["seed"], each["pairs"]) for _, each in about(keys, network)] == [
            (p.seed, "important")
        ]
    for each in keyed(keys, "lesions").values():
        assert (each["phase"], each["n_clusters"]) == ("after", p.n_clusters)
        assert (each["n_random_sets"], each["n_random_pairs"]) == (
            p.n_random_sets,
            p.n_random_pairs,
        )


# Chapters together


def test_chapters_share_the_networks_of_the_paper():
    """Chapter 2 takes all networks of chapter 1, and chapter 3 one condition of them."""
    one, two, three = (
        set(keyed(plans.plan(chapter, parameters_of(chapter, "paper")), "network"))
        for chapter in (1, 2, 3)
    )
    assert len(one) == 3 * 2 * SEEDS_OF_THE_PAPER
    assert one < two
    assert three < one
    assert len(three) == SEEDS_OF_THE_PAPER


def test_chapters_share_the_test_that_both_show():
    """The main null after pruning, k = 4: in chapter 2 it is read, not computed again."""
    one, two = (plans.plan(chapter, parameters_of(chapter, "paper")) for chapter in (1, 2))
    shared = keyed(one, "shuffle-test").keys() & keyed(two, "shuffle-test").keys()
    assert len(shared) == 3 * 2 * SEEDS_OF_THE_PAPER
    assert keyed(one, "random-ncuts").keys() == keyed(two, "random-ncuts").keys()


def test_quick_chapters_share_networks_too():
    one, two, three = (
        networks_where(
            plans.plan(chapter, parameters_of(chapter)), lambda each: each["dataset"] == "mnist5k"
        )
        for chapter in (1, 2, 3)
    )
    few = min(len(one), len(two)) // 2
    assert few > 0
    assert len(one.keys() & two.keys()) == 2 * few
    assert len(one.keys() & three.keys()) == min(len(one) // 2, len(three))


# The records of lesions


@pytest.fixture
def run(tmp_path) -> session.Run:
    """A run of chapter 3 that has no records yet; its folder is nowhere near the book's."""
    schema = read_schema(chapter_notebook(3))
    values = {"n_reclusterings": 2, "n_networks": 3, "n_jobs": 1, "device": "cpu", "seed": 5}
    parameters = schema.check(values | {"data_folder": "images"})
    return session.Run(3, parameters, schema, RecordStore(tmp_path / "records"))


NETWORKS = [make_network("mnist5k", True, seed) for seed in range(3)]


def name_of(network: Network, parameters: dict[str, Any]) -> list[int]:
    return [network.seed, parameters["seed"]]


def write_lesions(run: session.Run) -> None:
    """Made-up studies, the last one first."""
    for i, network in reversed(list(enumerate(NETWORKS))):
        for parameters in reversed(lesioning.studies(network.key, run.p, first=i == 0)):
            value = {"name": name_of(network, parameters)}
            run.store.put("lesions", parameters, value, seconds=1, device="CPU")


IN_ORDER = [[[0, 5], [0, 6], [0, 7]], [[1, 5]], [[2, 5]]]


def test_lesion_studies_come_in_the_order_of_the_plan(run, monkeypatch):
    monkeypatch.setattr(experiments, "compute_jobs", None)  # nothing is left to compute
    write_lesions(run)
    found = experiments.lesion_studies(run, NETWORKS)
    assert [[record.value["name"] for record in own] for own in found] == IN_ORDER
    assert [[record.parameters["pairs"] for record in own] for own in found] == [
        ["all", "important", "important"],
        ["important"],
        ["important"],
    ]
    assert set(run.used) == {("lesions", record.key) for own in found for record in own}


def test_lesion_study_that_is_missing_is_computed_alone(run, monkeypatch):
    jobs: list[experiments.Job] = []

    def compute(these: list[experiments.Job], device: str) -> list[dict[str, Any]]:
        jobs.extend(these)
        return [{"name": name_of(job.network, job.parameters)} for job in these]

    monkeypatch.setattr(experiments, "compute_jobs", compute)
    write_lesions(run)
    parameters = lesioning.studies(NETWORKS[0].key, run.p, first=True)[1]
    run.store.path("lesions", parameters).unlink()
    found = experiments.lesion_studies(run, NETWORKS)
    assert [[record.value["name"] for record in own] for own in found] == IN_ORDER
    (job,) = jobs
    assert (job.kind, job.parameters, job.network) == ("lesions", parameters, NETWORKS[0])
    # the images come from the run's folder, generated ones from the run's seed
    assert (job.data_folder, job.data_seed) == ("images", 5)
    jobs.clear()
    experiments.lesion_studies(run, NETWORKS)
    assert jobs == []
