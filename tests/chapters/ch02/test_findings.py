"""What chapter 2 finds, in numbers and in words, is what its tables hold."""

from __future__ import annotations

import re

import numpy as np
import pandas as pd
from made_up_nulls import by_network, control_frames, fresh_frame, mixture_frames

from modclust_utils.chapters.ch02_dropout_and_topology import (
    controls,
    designs,
    findings,
    printed,
)

PAPER = printed.networks()
NAN = float("nan")


# Dropout


def test_dropout_lowers():
    rows = [("ours", -0.1), ("ours", 0.0), ("ours", 0.1), ("paper", -0.1), ("paper", -0.2)]
    table = pd.DataFrame(rows, columns=["source", "high"])
    said = findings.dropout(table)
    assert said.endswith("in 1 of 3 comparisons here and in 2 of 2 comparisons in the paper.")
    assert findings.dropout(table[:3]).endswith("in 1 of 3 comparisons here.")


# The answer


def test_the_answer_follows_dropout_and_learning():
    effect = pd.DataFrame(
        [("ours", -0.1), ("ours", 0.1), ("paper", -0.1)], columns=["source", "high"]
    )
    rows = [(0.9, 7, 10), (0.5, 2, 10), (0.1, 1, 10)]
    controls = pd.DataFrame(rows, columns=["train_acc", "n_sig", "n"])
    assert findings.answer(effect, controls) == (
        "Dropout lowers the mean n-cut in 1 of 2 comparisons; of networks on random data, 7 of 10 "
        "that learned most of its labels fall into clusters after pruning, and 3 of 20 that did "
        "not."
    )
    raised = findings.answer(effect.assign(high=0.1), controls.assign(train_acc=[0.1, 0.9, 0.9]))
    assert raised.startswith("Dropout lowers the mean n-cut in 0 of 2 comparisons")
    assert "3 of 20 that learned most of its labels" in raised
    assert raised.endswith("and 7 of 10 that did not.")


# Topology


def test_topology():
    kinds = pd.DataFrame(
        [("mnist", True, n, 2.0) for n in (1.0, 1.125, 1.0)]
        + [("mnist", False, n, d) for n, d in ((1.0, -1.0), (2.0, -1.0), (1.0, 1.0))],
        columns=["dataset", "dropout", "ncut", "cohens_d"],
    ).assign(phase="after", null_layer_nonzero_mean=1.5)
    before = kinds[:3].assign(phase="before", cohens_d=5.0, dataset="lines")
    said = findings.topology(pd.concat([kinds, before]))
    assert "(95 % interval below 0) in 1 of 2 kinds of network" in said
    assert said.endswith("(mean of d above 0) in 1 of 2.")


# Training on random data


def test_training():
    rows = [(2.31, 0.12, 1, 10), (2.44, 0.51, 9, 10), (2.3, 0.5, 0, 3)]
    table = pd.DataFrame(rows, columns=["before_mean", "train_acc", "n_sig", "n"])
    said = findings.training(table, fresh_frame([2.4375, 2.3, 2.35]))
    assert "freshly initialized ones (2.300 to 2.438) in 2 of 3 kinds of network" in said
    assert "9 of 10 networks are below all their shuffles where more than half" in said
    assert said.endswith("and 1 of 13 where at most half are.")


def test_memorized():
    rows = [
        ("memorization", "random3k", False, [2.25, 2.375, 2.5], 2.375),
        ("memorization", "random3k", True, [9.0, 9.0], 9.0),
        ("memorization", "random3k_centred", False, [2.0, 2.25], NAN),
        ("unlearnable", "random", False, [9.0, 9.0], 9.0),
    ]
    columns = ["role", "dataset", "dropout", "before", "paper_before_mean"]
    table = pd.DataFrame(rows, columns=columns)
    fresh = fresh_frame([2.5, 2.25])
    first = f"Freshly initialized networks have 2.375 ± {0.125 * np.sqrt(2):.3f}."
    assert findings.memorized(table, fresh) == (
        f"{first} The paper's have 2.375 after memorizing; 2 of 5 of ours reach it."
    )
    # not the paper's images
    assert findings.memorized(table.iloc[2:], fresh) == first


# Mixtures


def test_mixtures_below_both_of_their_parts():
    rows = [
        ("mnist", False, 2.0, 1.5),
        ("cifar10", False, 1.75, 2.0),
        ("mnist_cifar10", False, 1.5, 1.75),
        ("mnist_cifar10_sep", False, 1.875, 1.25),
        ("mnist", True, 1.0, 1.0),
        ("cifar10", True, 1.25, 1.25),
        ("mnist_cifar10", True, 1.5, 2.0),
        ("lines_mnist", True, 1.5, 2.0),  # no LINES to compare it with
        ("mnist_cifar10_sep", True, NAN, 0.5),  # not run
    ]
    columns = ["dataset", "dropout", "ncut_mean", "paper_ncut_mean"]
    table = pd.DataFrame(rows, columns=columns)
    (said,) = findings.mixtures(table)
    assert said.endswith("in 1 of 3 comparisons here and in 1 of 3 comparisons in the paper.")
    (said,) = findings.mixtures(table.assign(paper_ncut_mean=NAN))
    assert said.endswith("both of their parts in 1 of 3 comparisons here.")
    assert findings.mixtures(table[:2]) == []


# The two designs


def test_lattice():
    lattice = designs.lattice(PAPER)
    assert "240 of 240 printed ones have the form (10 m + 1) / 321" in findings.p_values(lattice)
    # 154 of the 240 values are printed as 0.003 and 28 as 1.000
    assert lattice["m"].between(0, 32, inclusive="neither").sum() == 58
    odd = lattice.assign(fits=[False, *lattice["fits"][1:]])
    assert "239 of 240" in findings.p_values(odd)


def test_scatter_of_d():
    rows = [("before", 0.0), ("before", 0.125), ("before", -0.125), ("after", 9.0)]
    table = pd.DataFrame(rows, columns=["phase", "cohens_d"])
    said = findings.scatter_of_d(table, PAPER)
    # chi-squared with two degrees of freedom is exponential: its points in closed form
    low, high = (0.125 / np.sqrt(-np.log(tail)) for tail in (0.025, 0.975))
    assert said.endswith(f"and 0.125 ({low:.3f} to {high:.3f}) for our 3 networks.")
    paper = PAPER.loc[PAPER["phase"] == "before", "cohens_d"].std()
    assert re.search(rf" {paper:.3f} \(0\.\d+ to 0\.\d+\) for the paper's 60 networks", said)
    assert said.startswith(f"One expects {np.sqrt(2 / 320 * 319 / 318):.3f} of 320 independent")
    assert "and 0.258 of 32 that are counted 10 times each" in said


def test_significant_tests():
    table = pd.DataFrame(
        {
            "phase": ["before", "after", "after"],
            "n": [10, 10, 30],
            "ours_independent": [0.1, 0.5, 0.1],
            "ours_repeated": [0.11, 0.9, 0.3],
            "paper": [NAN, 0.7, 0.8],
        }
    )
    assert findings.significant(table) == (
        "Significant tests: before pruning 1 of 10 with independent shuffles, expected 1.1 with 32 "
        "of them; after pruning 8 of 40 with independent shuffles, expected 18.0 with 32 of them, "
        "printed 15 of 20."
    )


def test_findings_take_the_tables_of_the_chapter():
    """The columns that they name are there."""
    random_data = controls.controls(*control_frames("memorization", "random3k"), printed.controls())
    mixed = controls.mixtures(*mixture_frames(), printed.mixtures())
    assert findings.mixtures(mixed) == []
    fresh = fresh_frame([2.0, 3.0])
    assert "in 1 of 2 kinds of network" in findings.training(random_data, fresh)
    assert "1 of 2 of ours reach it" in findings.memorized(random_data, fresh)
    ours = by_network(("mnist", False, [1.0, 1.5]), ("mnist", True, [1.0, 1.25]))
    assert findings.topology(ours).endswith("in 0 of 2.")
    assert " of 8 with independent shuffles" in findings.significant(
        designs.significance(ours, PAPER)
    )
