"""Sentences of chapter 2 say what its tables hold."""

from __future__ import annotations

from collections.abc import Collection, Sequence
from types import SimpleNamespace

import numpy as np
import pandas as pd
import pytest
from small_book import make_network

from modclust_utils.publish import control_tables, null_prose
from modclust_utils.publish.control_tables import CONTROL_TABLES


def test_effects_in_words():
    rows = [
        ("mnist", "after", "ours", -0.1255, -7.07),
        ("cifar10", "before", "ours", 0.25, 1.96),
        ("mnist", "after", "paper", -0.16, -13.04),
    ]
    table = pd.DataFrame(rows, columns=["dataset", "phase", "source", "difference", "z"])
    assert null_prose.effect_sentences(table).splitlines() == [
        "- MNIST, after pruning: here -0.126 (Z = -7.1); in the paper -0.160 (Z = -13.0).",
        "- CIFAR-10, before pruning: here +0.250 (Z = 2.0).",
    ]


def test_controls_in_words():
    rows = [
        ("unlearnable", "random4k", False, 0.125, 2.3384, 2.0, 2.125, 0, 3),
        ("kilo-epoch", "random", True, 1.0, 2.25, 1.5, 1.75, 10, 10),
    ]
    columns = ["role", "dataset", "dropout", "train_acc", "before_mean", "ncut_mean", "null_mean"]
    table = pd.DataFrame(rows, columns=[*columns, "n_sig", "n"])
    assert null_prose.control_sentences(table).splitlines() == [
        "- **RANDOM (4,000), unlearnable, no dropout.** Training accuracy 12.5% after pruning. "
        "Mean n-cut 2.338 before and 2.000 after pruning; its shuffles have 2.125. 0 of 3 networks "
        "are below all their shuffles.",
        "- **RANDOM, 1,000 epochs, with dropout.** Training accuracy 100.0% after pruning. Mean "
        "n-cut 2.250 before and 1.500 after pruning; its shuffles have 1.750. 10 of 10 networks "
        "are below all their shuffles.",
    ]
    assert null_prose.control_sentences(table.iloc[:0]) == (
        "This run has no networks trained on random data."
    )


def test_memorization_before_pruning_in_words():
    rows = [
        ("memorization", "random3k", False, [2.25, 2.375, 2.5], 2.375, 0.999, 2.375, 0.0625),
        ("memorization", "random3k", True, [9.0, 9.0], 9.0, 0.125, 9.0, 9.0),
        ("memorization", "random3k_centred", False, [2.0, 2.25], 2.125, 1.0, 2.375, 0.0625),
        ("unlearnable", "random", False, [9.0, 9.0], 9.0, 0.125, 9.0, 9.0),
    ]
    columns = ["role", "dataset", "dropout", "before", "before_mean", "train_acc_before"]
    table = pd.DataFrame(rows, columns=[*columns, "paper_before_mean", "paper_before_std"])
    assert null_prose.memorization_sentences(table).splitlines() == [
        "n-cut of the networks without dropout before pruning:",
        "",
        "- RANDOM (3,000): mean 2.375, from 2.250 to 2.500, with 99.9% of the labels memorized.",
        "- RANDOM (3,000, pixels −0.5 to 0.5): mean 2.125, from 2.000 to 2.250, with 100.0% of the "
        "labels memorized.",
        "- The paper: mean 2.375 ± 0.062. 2 of the 5 networks here reach this mean.",
    ]
    for nothing in (table.iloc[[1, 3]], table.iloc[:0]):
        assert null_prose.memorization_sentences(nothing) == (
            "This run has no networks that memorize."
        )


def test_topology_in_words():
    rows = [
        # dataset, dropout, phase, n-cut, means of the two nulls, shuffles below, d
        ("mnist", False, "before", 9.0, 0.0, 0.0, 3, 3, 99.0),
        ("mnist", False, "after", 2.0, 2.25, 1.5, 0, 1, -1.0),
        ("mnist", False, "after", 2.5, 2.75, 2.5, 0, 0, 0.5),
        ("lines", True, "after", 1.0, 0.5, 1.125, 2, 0, 4.0),
    ]
    columns = ["dataset", "dropout", "phase", "ncut", "null_layer_mean", "null_layer_nonzero_mean"]
    columns += ["n_below_layer", "n_below_layer_nonzero", "cohens_d"]
    text = null_prose.topology_sentences(pd.DataFrame(rows, columns=columns))
    assert text.splitlines() == [
        "- **MNIST, no dropout.** On average the n-cut is 0.250 below the mean of the full "
        "shuffles and 0.250 above that of the shuffles that keep the topology; 2 and 1 of 2 "
        "networks are below all of them. Mean of Cohen's d: -0.25.",
        "- **LINES, with dropout.** On average the n-cut is 0.500 above the mean of the full "
        "shuffles and 0.125 below that of the shuffles that keep the topology; 0 and 1 of 1 "
        "networks are below all of them. Mean of Cohen's d: +4.00.",
    ]


def test_lattice_in_words():
    # 154 of the 240 values are printed as 0.003 and 28 as 1.000; of r = 1 to 319, 31 are 10 m
    assert null_prose.lattice_sentences() == (
        "Of the 240 printed values, 240 have the form (10 m + 1) / 321 to their three decimals. "
        "The smallest and the largest value fit every design, so look at the 58 between them: of "
        f"all p-values that 320 independent shuffles can give there, {31 / 319:.1%} would fit by "
        "accident. With 32 distinct shuffles the smallest p-value that the data support is "
        "1 / 33 = 0.030, not 1 / 321 = 0.0031."
    )


def test_designs_in_words():
    table = pd.DataFrame(
        {
            "n": [10, 30],
            "ours_independent": [0.5, 0.1],
            "ours_repeated": [0.9, 0.3],
            "paper": [0.7, np.nan],
        }
    )
    begin = (
        "Over all 40 tests of this run, 20.0% are significant under independent shuffles; under "
        "the other design 45.0% would be expected to be printed as significant."
    )
    assert null_prose.design_sentences(table) == f"{begin} The paper prints 70.0%."
    assert null_prose.design_sentences(table.assign(paper=np.nan)) == begin


def test_mixtures_in_words():
    rows = [
        ("mnist", False, 3, 2.0),
        ("lines", False, 3, 1.5994),
        ("cifar10", False, 0, np.nan),
        ("mnist_cifar10_sep", True, 2, 1.25),
    ]
    table = pd.DataFrame(rows, columns=["dataset", "dropout", "n", "ncut_mean"])
    assert null_prose.mixture_sentences(table).splitlines() == [
        "- Without dropout, from the most clusterable: LINES 1.599, MNIST 2.000.",
        "- With dropout, from the most clusterable: MNIST-CIFAR-10-SEP 1.250.",
    ]
    assert null_prose.mixture_sentences(table.assign(n=0)) == "This run has no mixtures."


def test_test_images_that_were_left_out_are_named():
    whole = [make_network("mnist", n_test=10_000), make_network("lines", True)]
    assert null_prose.test_image_sentences(whole) == "All test images of these data sets were used."
    part = [make_network("mnist_cifar10", seed=s, test_note="half of them") for s in range(2)]
    assert null_prose.test_image_sentences([*whole, *part]).splitlines() == [
        "Not all test images of these data sets were used, so the test accuracy of a mixture leans "
        "to its other part:",
        "",
        "- MNIST-CIFAR-10: half of them.",
    ]


# What was not run


def not_run(
    *,
    datasets: Sequence[str] = ("mnist", "fashion_mnist", "cifar10"),
    roles: Sequence[str] = tuple(CONTROL_TABLES),
    mixtures: Collection[tuple[str, bool]] | None = None,
    n_networks: int = 10,
) -> str:
    """mixtures: those that were run; None stands for all of the paper's."""
    table = control_tables.mixtures([], [])
    done = zip(table["dataset"], table["dropout"], strict=True)
    table["n"] = [n_networks if mixtures is None or key in mixtures else 0 for key in done]
    controls = pd.DataFrame({"role": list(roles)} if roles else {})
    run = SimpleNamespace(chapter=2, p=SimpleNamespace(datasets=datasets))
    return null_prose.not_run_sentences(run, table, controls)


def test_nothing_is_missing():
    assert not_run() == "This run has networks of every kind in the paper's tables."


@pytest.mark.parametrize(
    ("done", "missing"),
    [
        ({"datasets": ["cifar10", "mnist"]}, ["Fashion-MNIST (Tables A.4 to A.15)"]),
        ({"roles": ["kilo-epoch", "memorization"]}, ["Table 2 (unlearnable)"]),
        ({"roles": ["kilo-epoch", "unlearnable"]}, ["Table 4 (memorization)"]),
    ],
)
def test_what_is_missing_and_the_command(done, missing):
    assert not_run(**done) == (
        f"**Not run here:** {'; '.join(missing)}. `modclust run 2 --profile paper` runs them all; "
        "what is there already is not computed again."
    )


def test_long_training_is_announced_where_it_is_missing():
    text = not_run(roles=["memorization", "unlearnable"])
    assert text == (
        "**Not run here:** Table 3 (1,000 epochs). `modclust run 2 --profile paper` runs them all "
        "(Table 3 alone is 2 times ten networks over 1,000 epochs); what is there already is not "
        "computed again."
    )


def test_missing_mixtures_are_named_one_by_one():
    every = control_tables.mixtures([], [])[["dataset", "dropout"]].itertuples(index=False)
    some = {tuple(each) for each in every} - {("lines_mnist", True), ("cifar10", False)}
    assert not_run(mixtures=some).startswith(
        "**Not run here:** CIFAR-10, no dropout; LINES-MNIST, with dropout. `modclust"
    )


def test_mixtures_with_fewer_networks_are_named():
    some = {("lines", False), ("mnist_cifar10", True)}
    text = not_run(mixtures=some, n_networks=5)
    assert "; LINES, with dropout; " in text
    assert (
        ". **Run with fewer than the paper's 10 networks:** LINES, no dropout (5); "
        "MNIST-CIFAR-10, with dropout (5). `modclust run 2 --profile paper` runs them all; " in text
    )


def test_run_of_our_own_data_lacks_all_of_it():
    text = not_run(datasets=["mnist5k"], roles=[], mixtures=[])
    items = text.removeprefix("**Not run here:** ").partition(". `modclust")[0].split("; ")
    assert items[:6] == [
        *(f"{name} (Tables A.4 to A.15)" for name in ("MNIST", "Fashion-MNIST", "CIFAR-10")),
        *("Table 2 (unlearnable)", "Table 3 (1,000 epochs)", "Table 4 (memorization)"),
    ]
    # nine data sets without and with dropout
    assert len(items) == len(set(items)) == 6 + 18


def test_book_without_the_profile_has_no_command_to_offer(monkeypatch):
    monkeypatch.setattr(null_prose, "profiles", lambda chapter: ["quick"])
    assert not_run(roles=["kilo-epoch", "memorization"]) == (
        "**Not run here:** Table 2 (unlearnable)."
    )
