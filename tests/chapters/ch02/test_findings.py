"""What chapter 2 finds, in numbers and in words, is what its tables hold."""

from __future__ import annotations

import numpy as np
import pandas as pd
import pytest
from made_up_nulls import by_network, control_frames, fresh_frame, mixture_frames

from modclust_utils.chapters.ch02_dropout_and_topology import (
    controls,
    designs,
    findings,
    printed,
)
from modclust_utils.chapters.ch02_dropout_and_topology.findings import Count

PAPER = printed.networks()
NAN = float("nan")


def test_counts_read_as_words():
    assert str(Count(1, 3)) == "1 of 3"


# Dropout


def test_dropout_lowers():
    rows = [("ours", -0.1), ("ours", 0.0), ("ours", 0.1), ("paper", -0.1), ("paper", -0.2)]
    table = pd.DataFrame(rows, columns=["source", "high"])
    assert findings.lowered(table) == {"here": Count(1, 3), "in the paper": Count(2, 2)}
    assert findings.lowered(table[:3]) == {"here": Count(1, 3)}


# Topology


def test_topology():
    kinds = pd.DataFrame(
        [("mnist", True, n, 2.0) for n in (1.0, 1.125, 1.0)]
        + [("mnist", False, n, d) for n, d in ((1.0, -1.0), (2.0, -1.0), (1.0, 1.0))],
        columns=["dataset", "dropout", "ncut", "cohens_d"],
    ).assign(phase="after", null_layer_nonzero_mean=1.5)
    before = kinds[:3].assign(phase="before", cohens_d=5.0, dataset="lines")
    found = findings.topology(pd.concat([kinds, before]))
    assert found == findings.Topology(beyond=Count(1, 2), alone=Count(1, 2))


# Training on random data


def test_training():
    rows = [(2.31, 0.12, 1, 10), (2.44, 0.51, 9, 10), (2.3, 0.5, 0, 3)]
    table = pd.DataFrame(rows, columns=["before_mean", "train_acc", "n_sig", "n"])
    found = findings.training(table, fresh_frame([2.4375, 2.3, 2.35]))
    assert found == findings.Training(
        low=2.3, high=2.4375, inside=Count(2, 3), learned=Count(9, 10), others=Count(1, 13)
    )


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
    found = findings.memorized(table, fresh)
    assert (found.fresh, found.paper, found.reach) == (2.375, 2.375, Count(2, 5))
    assert found.fresh_std == pytest.approx(0.125 * np.sqrt(2))
    # not the paper's images
    assert np.isnan(findings.memorized(table.iloc[2:], fresh).paper)


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
    assert findings.below_both_parts(table) == {"here": Count(1, 3), "in the paper": Count(1, 3)}
    own = table.assign(paper_ncut_mean=NAN)
    assert findings.below_both_parts(own) == {"here": Count(1, 3)}
    assert findings.below_both_parts(table[:2]) == {}


# The two designs


def test_lattice():
    found = findings.lattice(designs.lattice(PAPER))
    # 154 of the 240 values are printed as 0.003 and 28 as 1.000; of r = 1 to 319, 31 are 10 m
    assert (found.fits, found.between) == (Count(240, 240), 58)
    assert found.chance == pytest.approx(31 / 319)


def test_multiples_of_ten():
    table = pd.DataFrame({"remainder_independent": [3.0, NAN, 0.0, 0.0, 9.0]})
    assert findings.multiples_of_ten(table, "independent") == Count(2, 4)


def test_scatter_of_d():
    rows = [("before", 0.0), ("before", 0.125), ("before", -0.125), ("after", 9.0)]
    table = pd.DataFrame(rows, columns=["phase", "cohens_d"])
    found = findings.scatter_of_d(table, PAPER)
    # chi-squared with two degrees of freedom is exponential: its points in closed form
    low, high = (0.125 / np.sqrt(-np.log(tail)) for tail in (0.025, 0.975))
    assert (found.n_ours, found.n_paper) == (3, 60)
    assert found.ours == pytest.approx((0.125, low, high))
    assert found.paper[0] == PAPER.loc[PAPER["phase"] == "before", "cohens_d"].std()
    assert found.paper[1] < found.paper[0] < found.paper[2]
    assert found.independent == pytest.approx(np.sqrt(2 / 320 * 319 / 318), rel=1e-2)
    assert found.repeated == pytest.approx(0.258, abs=5e-4)


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
    before, after = findings.significant(table)
    assert before == findings.Significant("before", Count(1, 10), pytest.approx(1.1), Count(0, 0))
    assert after == findings.Significant("after", Count(8, 40), pytest.approx(18), Count(15, 20))


def test_findings_take_the_tables_of_the_chapter():
    """The columns that they name are there."""
    random_data = controls.controls(*control_frames("memorization", "random3k"), printed.controls())
    mixed = controls.mixtures(*mixture_frames(), printed.mixtures())
    assert findings.below_both_parts(mixed) == {}
    fresh = fresh_frame([2.0, 3.0])
    assert findings.training(random_data, fresh).inside == Count(1, 2)
    assert findings.memorized(random_data, fresh).reach == Count(1, 2)
    ours = by_network(("mnist", False, [1.0, 1.5]), ("mnist", True, [1.0, 1.25]))
    assert findings.topology(ours).alone == Count(0, 2)
    (after,) = findings.significant(designs.significance(ours, PAPER))
    assert after.independent.of == 8
