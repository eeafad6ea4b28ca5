"""Findings of chapter 4 say what its tables and networks hold."""

from __future__ import annotations

from types import SimpleNamespace

import pandas as pd
import pytest

from modclust_utils.chapters.ch04_specialization import findings, tables
from modclust_utils.chapters.ch04_specialization.coverage import DATASETS

SETTINGS = {"width": 1.0, "epochs": 200, "dropout": 1.0}


def network(kind, accuracy, *, note="", dataset="", **changes):
    record = SimpleNamespace(parameters={"settings": {**SETTINGS, **changes}})
    return {
        **{"architecture": kind, "dataset": dataset or DATASETS[kind]},
        **{"test_accuracy": accuracy, "test_note": note, "record": record},
    }


def said(*rows):
    return findings.accuracies(pd.DataFrame(rows))


def test_each_kind_has_its_accuracies():
    rows = network("mlp", 0.981), network("mlp", 0.983), network("cnn", 0.99)
    assert said(*rows, network("mlp", 0.89, dataset="fashion_mnist")).startswith(
        "Test accuracies: MLP, MNIST, 98.1% to 98.3% (2 networks); CNN, MNIST, 99.0% (1 network); "
        "MLP, Fashion-MNIST, 89.0% (1 network). Sub-clusters count"
    )


@pytest.mark.parametrize(
    ("changes", "words"),
    [
        ({}, ""),
        ({"width": 0.25}, "The VGGs have 0.25 times the paper's channels. "),
        (
            {"width": 2.0, "dropout": 0.0},
            "The VGGs have 2 times the paper's channels, have no dropout. ",
        ),
        ({"epochs": 20}, "The VGGs are trained for 20 epochs, not 200. "),
        (
            {"width": 1 / 64, "epochs": 20, "dropout": 0.3},
            "The VGGs have 0.0156 times the paper's channels, are trained for 20 epochs, not 200, "
            "have 0.3 times its dropout rates. ",
        ),
        (
            {"epochs": 20, "note": "on some images"},
            "The VGGs are trained for 20 epochs, not 200. Of their images: on some images. ",
        ),
    ],
)
def test_what_is_less_of_the_vggs_is_said(changes, words):
    rows = network("mlp", 0.98), network("vgg", 0.8, **changes), network("vgg", 0.82, **changes)
    head = "Test accuracies: MLP, MNIST, 98.0% (1 network); VGG, CIFAR-10, 80.0% to 82.0%"
    assert said(*rows).startswith(f"{head} (2 networks). {words}Sub-clusters count")


def test_test_images_of_the_lesions_of_each_kind_are_said():
    rows = [("mlp", 5000), ("mlp", 5000), ("cnn", 500), ("vgg", 900), ("vgg", 1000)]
    lesions = pd.DataFrame(
        [{"architecture": kind, "dataset": DATASETS[kind], "n_test": n} for kind, n in rows]
    )
    assert findings.tested_on(lesions) == (
        "Test images of lesions: MLP, MNIST, 5,000; CNN, MNIST, 500; VGG, CIFAR-10, 900 or 1,000. "
        "The paper takes the whole test set."
    )
    assert findings.tested_on(lesions[:0]) == "No network was lesioned."


def test_without_pretrained_networks_there_is_no_widest_range():
    """A reader may run the chapter with `pretrained []`."""
    rows = [("a", -1.0), ("a", -4.0), ("b", -9.0), ("b", -8.0)]
    spread = pd.DataFrame(rows, columns=["words", "z_score"])
    assert "that of a: its z-score lies between -4.0 and -1.0" in findings.widest_range(spread)
    assert findings.widest_range(spread[:0]) == "No pretrained network was tested."


def conditions(**significant: list[bool]) -> pd.DataFrame:
    """A summary with as many conditions of each measure, significant or not; and one row in another
    reading of each measure that has one, of which that about class ranges is significant."""
    about = {"kind": "mlp", "n_clusters": 8, "match": "size"}
    rows = [
        {**about, "measure": measure, "reading": tables.READINGS[measure], "significant": each}
        for measure, values in significant.items()
        for each in values
    ]
    others = [
        {**about, "measure": measure, "reading": reading, "significant": None, "p": p}
        for (measure, reading), p in zip(tables.OTHER_READINGS.items(), (0.9, 1e-9), strict=True)
    ]
    return pd.DataFrame([*({"p": 0.9} | row for row in rows), *others])


def test_the_answer_follows_importance_and_classes():
    found = conditions(
        accuracy_drop=[True, True, False], class_range=[False] * 3, entropy=[True, False, False]
    )
    assert findings.answer(found) == (
        "**What clusters do** is often more than what random sets of units do: their lesions cost "
        "significantly more accuracy in 2 of 3 conditions. That they divide the classes among them "
        "shows in 1 of 6 as the papers' text reads, and in 1 of 4 as their numbers were made."
    )
    flipped = findings.answer(
        conditions(accuracy_drop=[False, False, True], class_range=[True] * 3, entropy=[True] * 3)
    )
    assert flipped.startswith("**What clusters do** is seldom more")
    assert "in 1 of 3 conditions" in flipped
    assert "shows in 6 of 6 as the papers' text reads" in flipped


def test_what_was_not_measured_is_said_without_numbers():
    none = conditions(accuracy_drop=[True])[:0]
    assert findings.answer(none).endswith("cannot be told: no sub-cluster was measured.")
    empty = pd.DataFrame(columns=["measure", "size", "norm"])
    assert findings.by_matching(empty) == "No sub-cluster of a perceptron was measured."
