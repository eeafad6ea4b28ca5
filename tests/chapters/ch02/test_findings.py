"""What chapter 2 finds, in numbers and in words, is what its tables hold."""

from __future__ import annotations

import re

import numpy as np
import pandas as pd
from made_up_nulls import by_network, control_frames, fresh_frame, mixture_frames
from small_book import frame_of, make_network

from modclust_utils.chapters.ch02_dropout_and_topology import (
    controls,
    designs,
    findings,
    printed,
)
from modclust_utils.publish import chapters
from modclust_utils.settings import TrainingSettings

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


def members(*kinds: tuple[str, list[tuple[float, bool]]]) -> pd.DataFrame:
    """Rows of `controls.controls`: data set, and training accuracy and verdict of each network."""
    rows = [
        (dataset, [a for a, _ in each], [below for _, below in each], len(each))
        for dataset, each in kinds
    ]
    return pd.DataFrame(rows, columns=["dataset", "train_accs", "below_all", "n"])


def test_the_answer_follows_dropout_and_learning():
    effect = pd.DataFrame(
        [("ours", -0.1), ("ours", 0.1), ("paper", -0.1)], columns=["source", "high"]
    )
    one = [(0.91, True), (0.95, False), (0.9, True), (0.2, True), (0.19, False)]
    controls = members(("random3k", one), ("random", [(0.1, True), (0.1, False)]))
    assert findings.answer(effect, controls) == (
        "Dropout lowers the mean n-cut in 1 of 2 comparisons; of networks on random data, 1 of 2 "
        "that memorize it, 2 of 2 that learn some of it, 1 of 3 that learn nothing of it are below "
        "all their shuffles after pruning."
    )
    assert findings.answer(effect, controls[:0]) == (
        "Dropout lowers the mean n-cut in 1 of 2 comparisons."
    )
    raised = findings.answer(effect.assign(high=0.1), controls)
    assert raised.startswith("Dropout lowers the mean n-cut in 0 of 2 comparisons")


def test_memorizing_is_that_of_the_claim():
    (claim,) = (claim for claim in chapters.claims(2) if claim["id"] == "B7")
    limits = claim["arguments"]
    assert limits["learned"] == findings.MEMORIZED
    assert limits["not_learned"] == findings.NOT_LEARNED


def test_epochs_that_differ_with_dropout():
    networks = [
        make_network(dataset, dropout, seed, settings=TrainingSettings(epochs=epochs))
        for dataset, dropout, epochs in (
            *(("mnist", False, 20), ("mnist", True, 20), ("cifar10", False, 20)),
            *(("cifar10", True, 100), ("lines", True, 30)),
        )
        for seed in (0, 1)
    ]
    (said,) = findings.differing_epochs(frame_of(networks))
    assert said.startswith(
        "CIFAR-10 was trained for 100 epochs before pruning with dropout, and for 20 without."
    )


# Topology


def test_topology():
    gaps = {
        ("mnist", True): ([-0.5] * 9 + [50.0], [2.0, 2.5] * 5),  # a mean above 0
        ("mnist", False): ([0.5] * 10, [-1.0, -1.5] * 5),
        ("lines", False): ([-0.5, 0.5] * 5, [1.0, -1.0] * 5),
    }
    kinds = pd.DataFrame(
        [
            (*kind, 1.5 + gap, d)
            for kind, (each, all_d) in gaps.items()
            for gap, d in zip(each, all_d, strict=True)
        ],
        columns=["dataset", "dropout", "ncut", "cohens_d"],
    ).assign(phase="after", null_layer_nonzero_mean=1.5)
    before = kinds[:10].assign(phase="before", cohens_d=5.0, dataset="lines")
    said = findings.topology(pd.concat([kinds, before]))
    assert "interval of the median) in 1 of 3 kinds of network, and less in 1." in said
    assert said.endswith("(95 % interval of the mean of d) in 1 of 3, and less in 1.")


def test_what_the_paper_says_twice():
    rows = [("mnist", False, "after", d) for d in (-0.25, 0.25)]
    rows += [("mnist", True, "after", 9.0), ("mnist", False, "before", 9.0)]
    ours = pd.DataFrame(rows, columns=["dataset", "dropout", "phase", "cohens_d"])
    (said,) = findings.both_signs(ours, PAPER)
    # Student's t with one degree of freedom: 12.706 times 0.25
    assert "In its table it is -1.24 [" in said
    assert said.endswith("ours is +0.00 [-3.18, +3.18] (95 % intervals).")
    assert findings.both_signs(ours[2:], PAPER) == []
    assert findings.both_signs(ours, PAPER[:0]) == []


# Training on random data


def test_training():
    learning = members(
        ("random", [(0.1, False)] * 9 + [(0.1, True)]),
        ("random3k", [(1.0, True)] * 10),
        ("random3k_255", [(0.95, False), (0.5, True)] * 5),
    )
    # fresh networks have 2.35 ± 0.03, so that the standard error of a difference is about 0.01
    table = learning.assign(before_mean=[2.25, 2.45, 2.351], before_std=0.02)
    said = findings.training(table, fresh_frame([2.32, 2.35, 2.38] * 10))
    assert (
        "freshly initialized ones in 1 of 3 kinds of network, and a higher one in 1 (95 %" in said
    )
    assert said.endswith(
        " After pruning, those below all their shuffles are 10 of 15 that memorized their labels "
        "(training accuracy above 0.9): 10 of 10 on RANDOM (3,000), 0 of 5 on RANDOM (3,000, "
        "pixels 0 to 255); 5 of 5 that learned some; 1 of 10 that learned nothing (below 0.2)."
    )
    said = findings.training(table[:1], fresh_frame([2.32, 2.35, 2.38] * 10))
    assert said.endswith("are 1 of 10 that learned nothing (below 0.2).")


def test_memorized():
    rows = [
        ("memorization", "random3k", False, 2.375, 2.375, 0.02),
        ("memorization", "random3k", True, 9.0, 9.0, 0.02),
        ("memorization", "random3k_centred", False, 2.125, NAN, NAN),
        ("unlearnable", "random", False, 9.0, 9.0, 0.02),
    ]
    columns = ["role", "dataset", "dropout", "before_mean"]
    table = pd.DataFrame(rows, columns=[*columns, "paper_before_mean", "paper_before_std"])
    table = table.assign(before_std=0.02, n=10)
    fresh = fresh_frame([2.5, 2.25])
    first = f"Freshly initialized networks have 2.375 ± {0.125 * np.sqrt(2):.3f}, and these have "
    other = "2.125 on RANDOM (3,000, pixels −0.5 to 0.5)"
    assert findings.memorized(table, fresh) == (
        f"{first}2.375 on RANDOM (3,000), {other}. The paper's have 2.375 ± 0.020: the 95 % "
        "interval of the difference contains 0 in 1 of 2 kinds of images."
    )
    # not the paper's images
    assert findings.memorized(table.iloc[2:], fresh) == f"{first}{other}."


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
    table = pd.DataFrame(rows, columns=["phase", "cohens_d"]).assign(n_shuffles=40)
    said = findings.scatter_of_d(table, PAPER)
    # chi-squared with two degrees of freedom is exponential: its points in closed form
    low, high = (0.125 / np.sqrt(-np.log(tail)) for tail in (0.025, 0.975))
    assert said.endswith(
        "For our 3 networks, with 40 independent shuffles each, where one expects "
        f"{np.sqrt(2 / 40 * 39 / 38):.3f}, it is 0.125 ({low:.3f} to {high:.3f})."
    )
    paper = PAPER.loc[PAPER["phase"] == "before", "cohens_d"].std()
    assert re.search(
        rf"For the paper's 60 networks it is {paper:.3f}, and its interval, 0\.\d+ to 0\.\d+, "
        "leaves out both; nearer is that of 32 that are counted 10 times each",
        said,
    )
    assert said.startswith(f"One expects {np.sqrt(2 / 320 * 319 / 318):.3f} of 320 independent")
    assert "and 0.258 of 32 that are counted 10 times each" in said


def test_scatter_of_d_of_independent_shuffles():
    rows = [("before", sign * 0.075) for sign in (1, -1)] * 30
    table = pd.DataFrame(rows, columns=["phase", "cohens_d"]).assign(n_shuffles=2)
    said = findings.scatter_of_d(table, table)
    assert "contains that of 320 independent shuffles. " in said
    assert "with 2 independent shuffles each, it is 0.076 (" in said


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
    assert "in 0 of 2 kinds of network" in findings.training(random_data, fresh)
    assert findings.memorized(random_data, fresh).endswith("contains 0 in 1 of 1 kinds of images.")
    ours = by_network(("mnist", False, [1.0, 1.5]), ("mnist", True, [1.0, 1.25]))
    assert findings.topology(ours).endswith("in 0 of 2, and less in 0.")
    assert len(findings.both_signs(ours, PAPER)) == 1
    assert " of 8 with independent shuffles" in findings.significant(
        designs.significance(ours, PAPER)
    )
