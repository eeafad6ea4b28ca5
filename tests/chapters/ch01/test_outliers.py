"""Networks that stand out, and what a second reading of their partitions says."""

from __future__ import annotations

from collections.abc import Sequence

import numpy as np
import pandas as pd
import pytest
from small_book import frame_of, make_ncut, make_network, make_partition, make_test, printed

from modclust_utils.chapters.ch01_clusterability import outliers, tables
from modclust_utils.recipes.frames import trace_of

# Two chains of pixel, hidden unit and logit with weights of 1, joined by a weight of 0.1 between
# the hidden units' layers; a third hidden unit hangs on pixel 0 by a weight of 0.001.
WEIGHTS = [np.array([[1.0, 0.1], [0.0, 1.0], [0.001, 0.0]]), np.array([[1.0, 0, 0], [0, 1.0, 0]])]
#: pixels, hidden units, logits
TWIG = [0, 1, 0, 1, 2, 0, 1]
BOTH = 0.1 / (4.1 + 0.002) + 0.1 / 4.1  # of the two chains, the twig being in the first


def standing_out(
    after: Sequence[float],
    *,
    labels: Sequence[int] = TWIG,
    null: Sequence[float] = (5.0, 6.0),
    others_k: Sequence[float] = (),
    before: Sequence[float] = (),
) -> pd.DataFrame:
    """Networks with these n-cuts for k = 3, the last one with these labels."""
    networks = [make_network(seed=seed, weights=WEIGHTS) for seed in range(len(after))]
    tests = [make_test(n, v, null, n_clusters=3) for n, v in zip(networks, after, strict=True)]
    tests += [make_test(n, v, null, n_clusters=2) for n, v in zip(networks, others_k, strict=False)]
    partitions = [
        make_partition(n, v, labels if n is networks[-1] else [0, 0, 0, 0, 0, 1, 1], n_clusters=3)
        for n, v in zip(networks, after, strict=True)
    ]
    found = [make_ncut(n, v) for n, v in zip(networks, before or [2.0] * len(after), strict=True)]
    own, every = frame_of(networks), frame_of(tests)
    phases = tables.by_phase(own, frame_of(found), every[every["n_clusters"] == 3])
    return outliers.standing_out(phases, every, frame_of(partitions), own)


def test_network_that_single_units_explain():
    (row,) = standing_out(
        [1.0, 1.01, 1.02, 1.03, 4.0], others_k=[0.047, 0.048, 0.049, 0.05]
    ).to_dict("records")
    assert (row["seed"], row["phase"], row["far_out"], row["above"]) == (4, "after", True, False)
    assert row["others_mean"] == pytest.approx(1.015)
    assert (row["sizes"], row["single"], row["merged_k"]) == ("3, 3, 1", 1, 2)
    assert row["merged"] == pytest.approx(BOTH)
    assert (row["low"], row["high"], row["explained"]) == (0.047, 0.05, "yes")
    shown = outliers.readable(pd.DataFrame([row]).pipe(printed)).content.iloc[0]
    assert (shown["Merged"], shown["Others, k'"]) == (f"{BOTH:.3f} (2)", "0.047–0.050")


@pytest.mark.parametrize(
    ("labels", "others_k", "explained"),
    [
        (TWIG, [0.001, 0.002, 0.003, 0.004], "no"),  # its second reading is far from the others'
        (TWIG, [], "cannot tell"),  # nothing to compare it with
        ([0, 1, 0, 1, 0, 0, 1], [0.047, 0.048, 0.049, 0.05], "no"),  # no single unit
    ],
)
def test_network_that_they_do_not(labels, others_k, explained):
    table = standing_out([1.0, 1.01, 1.02, 1.03, 4.0], labels=labels, others_k=others_k)
    assert table["explained"].tolist() == [explained]


def test_network_above_all_its_shuffles_stands_out():
    table = standing_out([1.0, 1.1], null=[1.02, 1.05], labels=[0, 1, 0, 1, 0, 0, 1])
    assert table[["seed", "far_out", "above"]].to_numpy().tolist() == [[1, False, True]]
    shown = outliers.readable(table).content
    assert shown.index.tolist() == ["MNIST, no dropout, seed 1, after"]
    assert shown.iloc[0].to_dict() == {
        **{"n-cut": "1.100", "Others": "1.000", "Why": "above"},
        **{"Units of clusters": "4, 3", "Merged": "–", "Others, k'": "–", "Explained": "no"},
    }


def test_clusters_before_pruning_are_not_known():
    table = standing_out([1.0] * 5, before=[2.0, 2.01, 2.02, 2.03, 4.0])
    assert table[["phase", "explained"]].to_numpy().tolist() == [["before", "cannot tell"]]
    shown = outliers.readable(table).content.iloc[0]
    assert shown["Units of clusters"] == "not recorded"
    assert shown["Others"] == "2.015 ± 0.013"


def test_nothing_stands_out():
    table = standing_out([1.0, 1.0])
    assert table.empty
    assert len(trace_of(table).records) == 2 + 2 + 2 + 2
