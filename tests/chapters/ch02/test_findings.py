"""What chapter 2 finds, in numbers and in words, is what its tables hold."""

from __future__ import annotations

import itertools
from collections.abc import Sequence

import numpy as np
import pandas as pd
import pytest
from made_up_nulls import by_network, control_frames, fresh_frame, mixture_frames
from small_book import frame_of, make_network

from modclust_utils.chapters.ch02_dropout_and_topology import (
    controls,
    designs,
    findings,
    printed,
    tables,
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


def test_effect_without_outliers_in_words():
    kinds = [
        ("mnist5k", False, [2.0, 2.125, 2.0]),
        ("mnist5k", True, [1.5, 2.5, 1.5, 1.5625, 1.5]),
        ("lines", False, [1.0, 1.25]),
        ("lines", True, [1.0, 1.25]),
    ]
    table = by_network(*kinds)
    begin, empty, line = findings.outliers(table, PAPER).splitlines()
    assert begin.startswith("Some networks have an n-cut far from the others of their kind")
    assert empty == ""
    rest = table[table["ncut"] != 2.5]
    row = tables.dropout_effect(rest, PAPER).iloc[0]
    assert row["difference"] == pytest.approx(6.0625 / 4 - 6.125 / 3)
    assert line == (
        "- MNIST (5,000 digits), after pruning (with dropout, seed 1, n-cut 2.500): "
        f"{row['difference']:+.3f} [{row['low']:+.3f}, {row['high']:+.3f}], "
        f"Z = {row['z']:.1f}; the ranges do not overlap."
    )
    nothing = "No network has an n-cut far from the others of its kind."
    assert findings.outliers(rest, PAPER) == nothing


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


def test_memorization_before_pruning_in_words():
    rows = [
        ("memorization", "random3k", False, [2.25, 2.375, 2.5], 0.999, 2.375, 0.0625),
        ("memorization", "random3k", True, [9.0, 9.0], 0.125, 9.0, 9.0),
        ("memorization", "random3k_centred", False, [2.0, 2.25], 1.0, NAN, NAN),
        ("unlearnable", "random", False, [9.0, 9.0], 0.125, 9.0, 9.0),
    ]
    columns = ["role", "dataset", "dropout", "before", "train_acc_before"]
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
    fresh = fresh_frame([2.5, 2.25])
    assert findings.memorization(table, fresh).splitlines() == lines
    other = findings.memorization(table.iloc[2:], fresh)  # not the paper's data
    assert other.splitlines() == [*lines[:2], *lines[3:5]]


# Mixtures


def test_positions_of_mixtures():
    rows = [
        ("mnist", False, 2.0, 1.5),
        ("cifar10", False, 1.75, 2.0),
        ("mnist_cifar10", False, 1.5, 1.75),
        ("mnist_cifar10_sep", False, 1.875, 1.25),
        ("mnist", True, 1.0, 1.0),
        ("cifar10", True, 1.25, 1.25),
        ("mnist_cifar10", True, 1.5, 2.0),
        ("lines_mnist", True, 1.5, 2.0),  # no LINES to compare it with
        ("mnist_cifar10_sep", True, NAN, 1.0),  # not run
    ]
    columns = ["dataset", "dropout", "ncut_mean", "paper_ncut_mean"]
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
    assert findings.mixture_positions(table).splitlines() == lines
    own = findings.mixture_positions(table.assign(paper_ncut_mean=NAN)).splitlines()
    assert own[2] == "- MNIST-CIFAR-10, no dropout: below both."
    assert own[-1] == (
        "**In short:** in 1 of 3 comparisons the mixture has a lower mean than both of its parts."
    )
    nothing = "This run has no mixture together with both of its parts."
    assert findings.mixture_positions(table[:2]) == nothing


def test_test_images_that_were_left_out_are_named():
    whole = [make_network("mnist"), make_network("lines", True)]
    used = "All test images of these data sets were used."
    assert findings.images_left_out(frame_of(whole)) == used
    part = [make_network("mnist_cifar10", seed=s, test_note="half of them") for s in range(2)]
    assert findings.images_left_out(frame_of([*whole, *part])).splitlines() == [
        "Not all test images of these data sets were used. The test accuracy of their mixtures is "
        "mostly that of the other part, and cannot be compared with the paper's:",
        "",
        "- MNIST-CIFAR-10: half of them.",
    ]


def test_the_note_of_a_part_that_is_listed_is_not_repeated():
    mixed = make_network("mnist_cifar10", test_note="5 come from cifar10, whose own note says: few")
    alone = findings.images_left_out(frame_of([mixed])).splitlines()
    assert alone[2:] == ["- MNIST-CIFAR-10: 5 come from cifar10, whose own note says: few."]
    listed = frame_of([make_network("cifar10", test_note="few"), mixed])
    assert findings.images_left_out(listed).splitlines()[2:] == [
        "- CIFAR-10: few.",
        "- MNIST-CIFAR-10: 5 come from cifar10.",
    ]


# The two designs


def test_lattice():
    found = findings.lattice(designs.lattice(PAPER))
    # 154 of the 240 values are printed as 0.003 and 28 as 1.000; of r = 1 to 319, 31 are 10 m
    assert (found.fits, found.between) == (Count(240, 240), 58)
    assert found.chance == pytest.approx(31 / 319)


def test_multiples_of_ten():
    table = pd.DataFrame({"remainder_independent": [3.0, NAN, 0.0, 0.0, 9.0]})
    assert findings.multiples_of_ten(table, "independent") == Count(2, 4)


def test_scatter_of_d_in_words():
    rows = [("before", 0.0), ("before", 0.125), ("before", -0.125), ("after", 9.0)]
    table = pd.DataFrame(rows, columns=["phase", "cohens_d"]).assign(n_shuffles=40)
    lines = findings.d_spread(table, PAPER)
    # chi-squared with two degrees of freedom is exponential: its points in closed form
    low, high = (0.125 / np.sqrt(-np.log(tail)) for tail in (0.025, 0.975))
    assert lines[:4] == [
        f"- Expected of 40 independent shuffles, as we have: {(2 / 40 * 39 / 38) ** 0.5:.3f}.",
        "- Expected of 320 independent shuffles, as the paper says: 0.079.",
        "- Expected of 32 that are counted ten times each: 0.258.",
        f"- Ours: 0.125 over 3 networks (95 % interval {low:.3f} to {high:.3f}).",
    ]
    std = PAPER.loc[PAPER["phase"] == "before", "cohens_d"].std()
    assert lines[4].startswith(f"- The paper's: {std:.3f} over 60 networks (95 % interval ")
    # of two shuffles d has no variance
    assert findings.d_spread(table.assign(n_shuffles=2), PAPER) == lines[1:]


def test_significant_tests_in_words():
    table = pd.DataFrame(
        {
            "phase": ["before", "after", "after"],
            "n": [10, 10, 30],
            "ours_independent": [0.1, 0.5, 0.1],
            "ours_repeated": [0.11, 0.9, 0.3],
            "paper": [NAN, 0.7, 0.8],
        }
    )
    assert findings.significant(table).splitlines() == [
        "- Before pruning: 1 of our 10 tests are significant under independent shuffles; under the "
        "other design 1.1 would be expected to be printed as significant.",
        "- After pruning: 8 of our 40 tests are significant under independent shuffles; under the "
        "other design 18.0 would be expected to be printed as significant. The paper prints 15 of "
        "20.",
    ]


# What was not run


EVERY = {
    "datasets": ("mnist", "fashion_mnist", "cifar10"),
    "roles": tuple(printed.CONTROLS),
    "mixtures": tuple(printed.mixtures()["dataset"].unique()),
}


def not_run(n_networks: int = 10, k: int = 4, **done: Sequence[str]) -> str:
    """roles: those with the paper's data; what is not named was run."""
    done = {**EVERY, **done}
    kinds = itertools.product(
        done["datasets"], (False, True), ("before", "after"), range(n_networks)
    )
    networks = pd.DataFrame(kinds, columns=["dataset", "dropout", "phase", "network"])
    rows = [(role, printed.CONTROLS[role][2], False, 2.0) for role in done["roles"]]
    rows.append(("memorization", "random200", False, NAN))
    columns = ["role", "dataset", "dropout", "paper_after_mean"]
    random_data = pd.DataFrame(rows, columns=columns).assign(n=n_networks, epochs=1000)
    table = controls.mixtures(*mixture_frames(), printed.mixtures(k))
    mixtures = table.assign(n=np.where(table["dataset"].isin(done["mixtures"]), n_networks, 0))
    return findings.not_run(networks, random_data, mixtures, printed.networks(k), complete="do it")


def test_nothing_is_missing():
    assert not_run() == "This run has networks of every kind in the paper's tables."


END = "`do it` runs them all; what is there already is not computed again."


@pytest.mark.parametrize(
    ("done", "missing"),
    [
        ({"datasets": ["cifar10", "mnist"]}, f"Fashion-MNIST (Tables A.4 to A.15). {END}"),
        ({"roles": ["kilo-epoch", "memorization"]}, f"Table 2 (unlearnable). {END}"),
        ({"roles": ["kilo-epoch", "unlearnable"]}, f"Table 4 (memorization). {END}"),
        (
            {"mixtures": set(EVERY["mixtures"]) - {"lines_mnist", "cifar10"}},
            f"in Tables A.16 and A.17: CIFAR-10, LINES-MNIST. {END}",
        ),
        (
            {"roles": ["memorization", "unlearnable"]},
            "Table 3 (long training). `do it` runs them all (Table 3 alone is 20 networks over "
            "1,000 epochs); what is there already is not computed again.",
        ),
    ],
)
def test_what_is_missing_and_the_command(done, missing):
    assert not_run(**done) == f"**Not run here:** {missing}"


def test_kinds_with_fewer_networks_are_named():
    text = not_run(5, datasets=["cifar10"], roles=["memorization"], mixtures=["lines"])
    assert (
        ". **Run with fewer than the paper's 10 networks:** CIFAR-10, no dropout (5); CIFAR-10, "
        "with dropout (5); RANDOM (3,000), memorization, no dropout (5); LINES, no dropout (5); "
        "LINES, with dropout (5). `do it` runs them all" in text
    )


ALL_OF_IT = (
    "**Not run here:** MNIST (Tables A.4 to A.15); Fashion-MNIST (Tables A.4 to A.15); CIFAR-10 "
    "(Tables A.4 to A.15); Table 2 (unlearnable); Table 3 (long training); Table 4 (memorization); "
    "in Tables A.16 and A.17: MNIST, CIFAR-10, LINES, LINES-MNIST, LINES-CIFAR-10, MNIST-CIFAR-10, "
    "LINES-MNIST-SEP, LINES-CIFAR-10-SEP, MNIST-CIFAR-10-SEP. `do it` runs"
)


def test_run_of_our_own_data_or_another_k_lacks_all_of_the_paper():
    assert not_run(datasets=["mnist5k"], roles=[], mixtures=[]).startswith(ALL_OF_IT)
    assert not_run(k=7, roles=[]).startswith(ALL_OF_IT)


def test_findings_take_the_tables_of_the_chapter():
    """The columns that they name are there."""
    random_data = controls.controls(*control_frames("memorization", "random3k"), printed.controls())
    mixed = controls.mixtures(*mixture_frames(), printed.mixtures())
    fresh = fresh_frame([2.0, 3.0])
    assert findings.training(random_data, fresh).inside == Count(1, 2)
    assert "1 of the 2 networks here reach" in findings.memorization(random_data, fresh)
    ours = by_network(("mnist", False, [1.0, 1.5]), ("mnist", True, [1.0, 1.25]))
    text = findings.not_run(ours, random_data, mixed, PAPER, complete="do it")
    assert "MNIST, no dropout (2); MNIST, with dropout (2)" in text
    assert findings.topology(ours).alone == Count(0, 2)
    assert "of our 8 tests" in findings.significant(designs.significance(ours, PAPER))
