"""Sentences of chapter 2 about random data and mixtures say what their tables hold."""

from __future__ import annotations

import itertools
from collections.abc import Collection, Sequence
from types import SimpleNamespace

import numpy as np
import pandas as pd
import pytest
from small_book import make_network

from modclust_utils.chapters.ch02_dropout_and_topology.controls import CONTROL_DATA, CONTROL_TABLES
from modclust_utils.publish import control_prose, control_tables


def test_controls_in_words():
    rows = [
        ("unlearnable", "random4k", False, 0.125, 2.3384, 2.0, 2.125, 0, 3),
        ("kilo-epoch", "random", True, 1.0, 2.25, 1.5, 1.75, 10, 10),
    ]
    columns = ["role", "dataset", "dropout", "train_acc", "before_mean", "ncut_mean", "null_mean"]
    table = pd.DataFrame(rows, columns=[*columns, "n_sig", "n"]).assign(epochs=[20, 1000])
    assert control_prose.control_sentences(table).splitlines() == [
        "- **RANDOM (4,000), unlearnable, no dropout.** Training accuracy 12.5% after pruning. "
        "Mean n-cut 2.338 before and 2.000 after pruning; its shuffles have 2.125. 0 of 3 networks "
        "are below all their shuffles.",
        "- **RANDOM, 1,000 epochs, with dropout.** Training accuracy 100.0% after pruning. Mean "
        "n-cut 2.250 before and 1.500 after pruning; its shuffles have 1.750. 10 of 10 networks "
        "are below all their shuffles.",
    ]


def test_memorization_before_pruning_in_words():
    rows = [
        ("memorization", "random3k", False, [2.25, 2.375, 2.5], 2.375, 0.999, 2.375, 0.0625),
        ("memorization", "random3k", True, [9.0, 9.0], 9.0, 0.125, 9.0, 9.0),
        ("memorization", "random3k_centred", False, [2.0, 2.25], 2.125, 1.0, np.nan, np.nan),
        ("unlearnable", "random", False, [9.0, 9.0], 9.0, 0.125, 9.0, 9.0),
    ]
    columns = ["role", "dataset", "dropout", "before", "before_mean", "train_acc_before"]
    table = pd.DataFrame(rows, columns=[*columns, "paper_before_mean", "paper_before_std"])
    lines = [
        "n-cut before pruning of the networks without dropout:",
        "",
        "- RANDOM (3,000): mean 2.375, from 2.250 to 2.500; training accuracy then 99.9%.",
        "- RANDOM (3,000, pixels −0.5 to 0.5): mean 2.125, from 2.000 to 2.250; training accuracy "
        "then 100.0%.",
        "- Freshly initialized: mean 2.375, from 2.250 to 2.500.",
        "- The paper: mean 2.375 ± 0.062. 2 of the 5 networks here reach this mean.",
    ]
    fresh = np.array([2.5, 2.25])
    assert control_prose.memorization_sentences(table, fresh).splitlines() == lines
    other = control_prose.memorization_sentences(table.iloc[2:], fresh)  # not the paper's data
    assert other.splitlines() == [*lines[:2], *lines[3:5]]


def test_summary_of_controls():
    rows = [(2.31, 0.12, 1, 10), (2.44, 0.51, 9, 10), (2.3, 0.5, 0, 3)]
    table = pd.DataFrame(rows, columns=["before_mean", "train_acc", "n_sig", "n"])
    fresh = np.array([2.4375, 2.3, 2.35])
    begin = (
        "**In short:** before pruning, the mean n-cut lies within the range of our freshly "
        "initialized networks (2.300 to 2.438) in {} of {} kinds of network."
    )
    learned = (
        " After pruning, where more than half of the training labels are right, 9 of 10 networks "
        "are below all their shuffles."
    )
    others = (
        " After pruning, where at most half are, 1 of 13 networks are below all their shuffles."
    )
    summary = control_prose.control_summary
    assert summary(table, fresh) == begin.format(2, 3) + learned + others
    assert summary(table.iloc[[1]], fresh) == begin.format(0, 1) + learned
    assert summary(table.iloc[[0, 2]], fresh) == begin.format(2, 2) + others


def test_positions_of_mixtures():
    nan = float("nan")
    rows = [
        ("mnist", False, 3, 2.0, 1.5),
        ("cifar10", False, 3, 1.75, 2.0),
        ("mnist_cifar10", False, 3, 1.5, 1.75),
        ("mnist_cifar10_sep", False, 3, 1.875, 1.25),
        ("mnist", True, 3, 1.0, 1.0),
        ("cifar10", True, 3, 1.25, 1.25),
        ("mnist_cifar10", True, 3, 1.5, 2.0),
        ("lines_mnist", True, 3, 1.5, 2.0),  # no LINES to compare it with
        ("mnist_cifar10_sep", True, 0, nan, 1.0),
    ]
    columns = ["dataset", "dropout", "n", "ncut_mean", "paper_ncut_mean"]
    table = pd.DataFrame(rows, columns=columns)
    lines = [
        "Mean n-cut of a mixture, compared with its parts:",
        "",
        "- MNIST-CIFAR-10, no dropout: below both (paper: between them).",
        "- MNIST-CIFAR-10-SEP, no dropout: between them (paper: below both).",
        "- MNIST-CIFAR-10, with dropout: above both (paper: above both).",
        "",
        "**In short:** in 1 of 3 comparisons the mixture has a lower mean than both of its parts; "
        "in the paper in 1 of these 3.",
    ]
    assert control_prose.mixture_positions(table).splitlines() == lines
    own = control_prose.mixture_positions(table.assign(paper_ncut_mean=nan)).splitlines()
    assert own[2] == "- MNIST-CIFAR-10, no dropout: below both."
    assert own[-1] == (
        "**In short:** in 1 of 3 comparisons the mixture has a lower mean than both of its parts."
    )
    assert control_prose.mixture_positions(table.iloc[[0, 1]]) == ""


def test_mixtures_in_words():
    rows = [
        ("mnist", False, 3, 2.0),
        ("lines", False, 3, 1.5994),
        ("cifar10", False, 0, np.nan),
        ("mnist_cifar10_sep", True, 2, 1.25),
    ]
    table = pd.DataFrame(rows, columns=["dataset", "dropout", "n", "ncut_mean"])
    assert control_prose.mixture_sentences(table).splitlines() == [
        "- Without dropout, from the most clusterable: LINES 1.599, MNIST 2.000.",
        "- With dropout, from the most clusterable: MNIST-CIFAR-10-SEP 1.250.",
    ]


def test_test_images_that_were_left_out_are_named():
    whole = [make_network("mnist", n_test=10_000), make_network("lines", True)]
    assert (
        control_prose.test_image_sentences(whole) == "All test images of these data sets were used."
    )
    part = [make_network("mnist_cifar10", seed=s, test_note="half of them") for s in range(2)]
    assert control_prose.test_image_sentences([*whole, *part]).splitlines() == [
        "Not all test images of these data sets were used. The test accuracy of their mixtures is "
        "mostly that of the other part, and cannot be compared with the paper's:",
        "",
        "- MNIST-CIFAR-10: half of them.",
    ]


def test_the_note_of_a_part_that_is_listed_is_not_repeated():
    mixed = make_network("mnist_cifar10", test_note="5 come from cifar10, whose own note says: few")
    alone = control_prose.test_image_sentences([mixed]).splitlines()
    assert alone[2:] == ["- MNIST-CIFAR-10: 5 come from cifar10, whose own note says: few."]
    listed = [make_network("cifar10", test_note="few"), mixed]
    assert control_prose.test_image_sentences(listed).splitlines()[2:] == [
        "- CIFAR-10: few.",
        "- MNIST-CIFAR-10: 5 come from cifar10.",
    ]


# What was not run


def not_run(
    *,
    datasets: Sequence[str] = ("mnist", "fashion_mnist", "cifar10"),
    roles: Sequence[str] = tuple(CONTROL_TABLES),
    mixtures: Collection[str] | None = None,
    n_networks: int = 10,
) -> str:
    """roles: those with the paper's data; mixtures: those that were run, None stands for all."""
    kinds = itertools.product(datasets, (False, True), ("before", "after"), range(n_networks))
    networks = pd.DataFrame(kinds, columns=["dataset", "dropout", "phase", "network"])
    rows = [(role, CONTROL_DATA.get(role, "random200"), False) for role in (*roles, "own")]
    controls = pd.DataFrame(rows, columns=["role", "dataset", "dropout"])
    controls["paper_after_mean"] = [2.0] * len(roles) + [np.nan]
    table = control_tables.mixtures([], [])
    run_here = table["dataset"].isin(table["dataset"] if mixtures is None else mixtures)
    return control_prose.not_run_sentences(
        SimpleNamespace(chapter=2),
        networks,
        controls.assign(n=n_networks, epochs=1000),
        table.assign(n=np.where(run_here, n_networks, 0)),
    )


def test_nothing_is_missing():
    assert not_run() == "This run has networks of every kind in the paper's tables."


@pytest.mark.parametrize(
    ("done", "missing"),
    [
        ({"datasets": ["cifar10", "mnist"]}, "Fashion-MNIST (Tables A.4 to A.15)"),
        ({"roles": ["kilo-epoch", "memorization"]}, "Table 2 (unlearnable)"),
        ({"roles": ["kilo-epoch", "unlearnable"]}, "Table 4 (memorization)"),
    ],
)
def test_what_is_missing_and_the_command(done, missing):
    assert not_run(**done) == (
        f"**Not run here:** {missing}. `modclust run 2 --profile paper` runs them all; "
        "what is there already is not computed again."
    )


def test_long_training_is_announced_where_it_is_missing():
    text = not_run(roles=["memorization", "unlearnable"])
    assert text == (
        "**Not run here:** Table 3 (long training). `modclust run 2 --profile paper` runs them all "
        "(Table 3 alone is 20 networks over 1,000 epochs); what is there already is not computed "
        "again."
    )


def test_missing_mixtures_are_named_one_by_one():
    every = set(control_tables.mixtures([], [])["dataset"])
    assert len(every) == 9
    text = not_run(mixtures=every - {"lines_mnist", "cifar10"})
    assert text.startswith(
        "**Not run here:** in Tables A.16 and A.17: CIFAR-10, LINES-MNIST. `modclust"
    )


def test_kinds_with_fewer_networks_are_named():
    text = not_run(datasets=["cifar10"], roles=["memorization"], mixtures=["lines"], n_networks=5)
    assert (
        ". **Run with fewer than the paper's 10 networks:** CIFAR-10, no dropout (5); CIFAR-10, "
        "with dropout (5); RANDOM (3,000), memorization, no dropout (5); LINES, no dropout (5); "
        "LINES, with dropout (5). `modclust run 2 --profile paper` runs them all" in text
    )


def test_run_of_our_own_data_lacks_all_of_it():
    text = not_run(datasets=["mnist5k"], roles=[], mixtures=[])
    missing = text.removeprefix("**Not run here:** ").partition(". `modclust")[0]
    assert missing == (
        "MNIST (Tables A.4 to A.15); Fashion-MNIST (Tables A.4 to A.15); CIFAR-10 (Tables A.4 to "
        "A.15); Table 2 (unlearnable); Table 3 (long training); Table 4 (memorization); in Tables "
        "A.16 and A.17: MNIST, CIFAR-10, LINES, LINES-MNIST, LINES-CIFAR-10, MNIST-CIFAR-10, "
        "LINES-MNIST-SEP, LINES-CIFAR-10-SEP, MNIST-CIFAR-10-SEP"
    )


def test_book_without_the_profile_has_no_command_to_offer(monkeypatch):
    monkeypatch.setattr(control_prose, "profiles", lambda chapter: ["quick"])
    assert not_run(roles=["kilo-epoch", "memorization"]) == (
        "**Not run here:** Table 2 (unlearnable)."
    )
