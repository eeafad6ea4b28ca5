"""Sentences of chapter 2 say what its tables hold."""

from __future__ import annotations

import numpy as np
import pandas as pd
import pytest

from modclust_utils.publish import null_prose


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
            "phase": ["before", "after", "after"],
            "n": [10, 10, 30],
            "ours_independent": [0.1, 0.5, 0.1],
            "ours_repeated": [0.11, 0.9, 0.3],
            "paper": [np.nan, 0.7, 0.8],
        }
    )
    before = (
        "- Before pruning: 1 of our 10 tests are significant under independent shuffles; under the "
        "other design 1.1 would be expected to be printed as significant."
    )
    after = (
        "- After pruning: 8 of our 40 tests are significant under independent shuffles; under the "
        "other design 18.0 would be expected to be printed as significant."
    )
    assert null_prose.design_sentences(table).splitlines() == [
        before,
        f"{after} The paper prints 15 of 20.",
    ]
    assert null_prose.design_sentences(table.assign(paper=np.nan)).splitlines() == [before, after]


def test_simulation_in_words():
    nan = np.nan
    table = pd.DataFrame(
        {
            "remainder_independent": [3, 0, nan, 7, nan],
            "remainder_repeated": [0, nan, nan, 0, nan],
        }
    )
    assert null_prose.simulation_sentences(table) == (
        "We have 5 tests with independent shuffles. In 3 of them the number of shuffles below the "
        "network is neither none nor all; 1 of these numbers are multiples of ten. Now we draw up "
        "to 32 of the same shuffles for each test and count each of them ten times: 2 of 2 such "
        "numbers are multiples of ten, as they must be."
    )


def test_scatter_of_d_in_words():
    rows = [("before", 0.0), ("before", 0.125), ("before", -0.125), ("after", 9.0)]
    table = pd.DataFrame(rows, columns=["phase", "cohens_d"]).assign(n_shuffles=40)
    begin, empty, *lines = null_prose.d_spread_sentences(table).splitlines()
    assert begin.endswith("Its standard deviation over networks, for normal n-cuts:")
    assert empty == ""
    # chi-squared with two degrees of freedom is exponential: its points in closed form
    low, high = (0.125 / np.sqrt(-np.log(tail)) for tail in (0.025, 0.975))
    assert lines[:4] == [
        f"- Expected of 40 independent shuffles, as we have: {(2 / 40 * 39 / 38) ** 0.5:.3f}.",
        "- Expected of 320 independent shuffles, as the paper says: 0.079.",
        "- Expected of 32 that are counted ten times each: 0.258.",
        f"- Ours: 0.125 over 3 networks (95 % interval {low:.3f} to {high:.3f}).",
    ]
    printed = null_prose.paper_per_network()
    std = printed.loc[printed["phase"] == "before", "cohens_d"].std()
    assert lines[4].startswith(f"- The paper's: {std:.3f} over 60 networks (95 % interval ")
    few = null_prose.d_spread_sentences(table.assign(n_shuffles=2)).splitlines()
    assert few[2:] == lines[1:]
    same = null_prose.d_spread_sentences(table.assign(n_shuffles=320)).splitlines()
    assert same[2:] == [
        "- Expected of 320 independent shuffles, as the paper says and we have: 0.079.",
        *lines[2:],
    ]


def test_summary_of_dropout():
    rows = [("ours", -0.1), ("ours", 0.0), ("ours", 0.1), ("paper", -0.1), ("paper", -0.2)]
    table = pd.DataFrame(rows, columns=["source", "high"])
    begin = (
        "**In short:** dropout lowers the mean n-cut, so that the 95 % interval of the difference "
        "lies below 0, in 1 of 3 comparisons here"
    )
    assert null_prose.effect_summary(table) == f"{begin} and in 2 of 2 comparisons in the paper."
    assert null_prose.effect_summary(table[:3]) == f"{begin}."


def networks_after(*ncuts: float, dropout: bool, dataset: str = "mnist5k") -> pd.DataFrame:
    frame = pd.DataFrame({"ncut": ncuts, "network": range(len(ncuts))})
    return frame.assign(dataset=dataset, dropout=dropout, phase="after")


def test_effect_without_outliers_in_words():
    plain = networks_after(2.0, 2.125, 2.0, dropout=False)
    dropped = networks_after(1.5, 2.5, 1.5, 1.5625, 1.5, dropout=True)
    others = networks_after(1.0, 1.25, dropout=True, dataset="lines")
    table = pd.concat([plain, dropped, others], ignore_index=True)
    begin, empty, line = null_prose.outlier_sentences(table).splitlines()
    assert begin.startswith("Some networks have an n-cut far from the others of their kind")
    assert empty == ""
    (rest,) = null_prose.dropout_effect(table.drop(index=4)).to_dict("records")
    assert rest["difference"] == pytest.approx(6.0625 / 4 - 6.125 / 3)
    assert line == (
        "- MNIST (5,000 digits), after pruning (with dropout, seed 1, n-cut 2.500): "
        f"{rest['difference']:+.3f} [{rest['low']:+.3f}, {rest['high']:+.3f}], "
        f"Z = {rest['z']:.1f}; the ranges do not overlap."
    )
    assert null_prose.outlier_sentences(table.drop(index=4)) == (
        "No network has an n-cut far from the others of its kind."
    )


def test_summary_of_topology():
    frame = networks_after(1.0, 1.125, 1.0, dropout=True).assign(null_layer_nonzero_mean=1.5)
    above = networks_after(1.0, 2.0, 1.0, dropout=False).assign(null_layer_nonzero_mean=1.5)
    table = pd.concat([frame.assign(cohens_d=2.0), above.assign(cohens_d=[-1.0, -1.0, 1.0])])
    before = frame.assign(phase="before", cohens_d=5.0, dataset="lines")
    assert null_prose.topology_summary(pd.concat([table, before])) == (
        "**In short:** after pruning, networks are more clusterable than the shuffles that keep "
        "their topology, so that the 95 % interval of the difference lies below 0, in 1 of 2 kinds "
        "of network. "
        "Keeping the topology makes the shuffles themselves more clusterable (mean of d above 0) "
        "in 1 of 2."
    )
