"""Findings of chapter 5 say what its tables hold."""

from __future__ import annotations

import numpy as np
import pandas as pd
import pytest

from modclust_utils.chapters.ch05_similarity import findings, tables
from modclust_utils.settings import RegularizedSettings


def test_networks():
    table = pd.DataFrame(
        {
            "trained": [True, True, True, True, False],
            "sweep": ["L1", "L1", "L2", "L2", "untrained"],
            "strength": [0.1, 0.1, 0.1, 0.2, 0.0],
            "seed": [0, 1, 0, 0, 0],
            "kept": [True, True, True, False, True],
            "test_accuracy": [0.9, 0.85, 0.95, 0.5, 0.1],
        }
    )
    facts = pd.Series({"discarded": 21.0, "models": 270.0, "least_accuracy": 0.8})
    assert findings.networks(table, 0.8, facts) == (
        "4 networks were trained, 3 settings with 2 seeds each; 1 others were not. 1 have a test "
        "accuracy below 80% and are left out of all that follows but the next figure, as in the "
        "paper, which discards 21 of 270. The test accuracy of the others is 85.0% to 95.0%."
    )
    # another threshold is not the paper's, however near it is
    other = findings.networks(table, 0.804, facts)
    assert "accuracy below 80.4% and are" in other
    assert "the next figure, where the paper, below 80%, discards 21 of 270." in other


def test_training_is_as_in_the_settings():
    settings = RegularizedSettings(
        validation_share=0.2, learning_rate=0.03, batch_size=7, rate_factor=0.5, rate_patience=2,
        patience=9, max_epochs=11,
    )  # fmt: skip
    assert findings.training(settings) == (
        "20% of the training images are held out. Adam starts at a rate of 0.03, on batches of 7 "
        "images; the rate is multiplied by 0.5 after more than 2 epochs in which the loss of the "
        "images held out has not fallen below its least. Training stops when it has not for 9 "
        "epochs, or after 11 epochs, and the best state is kept."
    )


def test_regularization():
    rows = [("L1", False, 0.1), ("L1", False, 0.3), ("L1", True, 0.5), ("L1", True, 0.7)]
    rows += [("dropout", False, -0.1), ("dropout", True, 0.0)]
    gains = pd.DataFrame(rows, columns=["sweep", "normalized", "gain"])
    assert findings.regularization(gains).endswith(
        "modularity changes by: L1 +0.200 plain and +0.600 normalized; dropout -0.100 plain and "
        "+0.000 normalized."
    )


def test_no_gain_is_no_sentence_without_numbers():
    gains = pd.DataFrame(columns=["sweep", "normalized", "gain"])
    assert findings.regularization(gains).startswith(
        "**Regularization:** no sweep has two seeds with two settings"
    )


def test_normalization_downstream():
    columns = ["sweep", "n", "gain", "low", "high"]
    rows = [("L2", 9, 0.25, 0.125, 0.375), ("L1", 9, -0.25, -0.375, -0.125)]
    changes = pd.DataFrame([*rows, ("dropout", 9, -0.5, -0.6, -0.4)], columns=columns)
    said = findings.normalization(changes)
    assert said.endswith(
        "changes with L2 by +0.250 [+0.125, +0.375], the opposite; with L1 by -0.250 [-0.375, "
        "-0.125], as there."
    )
    untold = findings.normalization(changes.assign(low=-1.0, high=1.0))
    assert untold.count("which tells nothing") == 2
    assert findings.normalization(changes.iloc[:0]).endswith("Too few networks are left to tell.")


def test_agreement():
    blocks = pd.DataFrame(
        {"sweep": ["L1", "L2", "untrained", "L1"], "kept": [True, True, True, False]}
        | {group: [0.2, 0.4, 0.9, 9.0] for group in tables.GROUPS}
    )
    trained, untrained = findings.agreement(blocks).split("; ")
    assert trained.endswith(
        "is 0.30 between two upstream measures, 0.30 between two downstream ones and 0.30 across "
        "the sides in trained networks"
    )
    assert untrained.startswith("0.90 between two upstream measures, 0.90")
    assert untrained.endswith("in untrained networks.")


def test_the_answer_follows_the_agreement_of_clusters():
    blocks = pd.DataFrame(
        {
            **{"sweep": ["L1", "L2", "untrained", "L1"], "kept": [True, True, True, False]},
            **{"upstream": [0.5, 0.7, 0.1, 9.0], "downstream": [0.4, 0.4, 0.1, 9.0]},
            **{"across": [0.3, 0.3, 0.2, 9.0], "same measure": [1.0] * 4},
        }
    )
    assert findings.answer(blocks) == (
        "Units that are driven alike drive alike less than two measures of one side agree: "
        "clusters of trained networks match by 0.30 across the sides, by 0.60 and 0.40 within "
        "them, and across them by 0.20 without training."
    )
    # one side that agrees less than both do across is enough
    flipped = findings.answer(blocks.assign(across=[0.5, 0.5, 0.2, 0.0]))
    assert "drive alike no less than two measures of one side agree" in flipped


def test_above_null():
    table = pd.DataFrame(
        {
            "sweep": ["L1", "L1", "untrained", "L1", "L1"],
            "kept": [True, True, True, False, True],
            "q": [0.5, 0.25, 0.125, 9.0, np.nan],
            "q_null": [0.25, 0.5, 0.25, 0.0, 0.5],
        }
    )
    assert findings.above_null(table) == (
        "**Beyond chance:** mean modularity is 0.375 in trained networks and 0.375 in their nulls "
        "(50% of the similarities are above theirs), 0.125 in untrained networks and 0.250 in "
        "their nulls (0% of the similarities are above theirs)."
    )


def test_two_measures_count_networks_below_all_of_their_shuffles():
    table = pd.DataFrame(
        {
            "trained": [True, True, True, True, False],
            "kept": True,
            "q": [0.1, 0.2, 0.3, 0.4, 0.9],
            "ncut": [4.0, 3.0, 2.0, 1.0, 0.0],
            "z_score": [1.0, -1.0, np.nan, -2.0, -9.0],
            "p_value": [0.5, 0.25, 0.25, 0.5, 0.25],
        }
    )
    assert findings.two_measures(table, n_shuffles=3) == (
        "**Modular and clusterable:** over 4 trained networks, the rank correlation of modularity "
        "with the n-cut is -1.00, and with the z-score among 3 shuffles -1.00. 2 of them have a "
        "lower n-cut than all of their shuffles."
    )


@pytest.mark.parametrize(
    ("rows", "words"),
    [
        ({"q": [0.1, 0.2], "ncut": [1.0, 2.0]}, "not told (2 values are too few)"),
        ({"q": [0.1] * 3, "ncut": [1.0, 2.0, 3.0]}, "not told (values are all the same)"),
        ({"q": [0.1, 0.2, 0.3], "ncut": [1.0] * 3}, "not told (values are all the same)"),
    ],
)
def test_rank_correlations_that_there_are_not(rows, words):
    table = pd.DataFrame({**rows, "trained": True, "kept": True, "p_value": 0.5})
    said = findings.two_measures(table.assign(z_score=np.nan), n_shuffles=3)
    assert f"with the n-cut is {words}, and" in said
    assert "shuffles not told (0 values are too few). 0 of them" in said


def test_searches_are_compared_matrix_by_matrix():
    scores = pd.DataFrame(
        {"q": [0.1, 0.2, 0.3, np.nan], "q_start": [0.1, 0.1, 0.3, np.nan], "q_single": 0.15}
    )
    leiden = pd.DataFrame({"q": [0.2, 0.2, 0.2, np.nan]})
    assert findings.searches(scores, leiden) == (
        "Of 3 matrices, Leiden finds a larger modularity in 33% and a smaller one in 33%; on "
        f"average it is larger by 0.0000. The random moves add {0.1 / 3:.4f} to the spectral "
        "start. A search of 1,000 steps from a single cluster is better than the whole one in "
        "1 cases (33.3%)."
    )
