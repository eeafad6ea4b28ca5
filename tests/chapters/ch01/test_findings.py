"""Findings of chapter 1 say what the records hold."""

from __future__ import annotations

import numpy as np
import pandas as pd
from small_book import frame_of, make_ncut, make_network, make_partition, make_test

from modclust_utils.chapters.ch01_clusterability import findings, tables


def test_drawn_network():
    # pixel 1 is dead, and so is the second of the two hidden units; 3 of 8 weights are left
    weights = [np.array([[1.0, 0.0, -2.0], [0.0, 0.0, 0.0]]), np.array([[3.0, 0.0]])]
    network = make_network("mnist", True, 7, weights=weights)
    partitions = frame_of([make_partition(network, 0.98765, [0, -1, 1, 1, -1, 1])])
    drawn = tables.drawn_partition(partitions, frame_of([network]))
    assert findings.drawn_network(drawn, frame_of([network])) == (
        "The network is MNIST, with dropout, seed 7. Pruning left 3 of its 8 weights (37.5%). "
        "Without any edge are 1 of its 3 pixels and 1 of its hidden units. Its clusters have 3, 1 "
        "units, and its n-cut is 0.988."
    )


TABLE = pd.DataFrame(
    [
        ("mnist", False, 4, 10, 2.0, 0.5, 2.25, 0.75, 0.7),
        ("mnist", True, 10, 10, 1.5, 0.25, 1.75, 0.5, 1.0),
        ("lines", False, 0, 10, 2.5, 0.125, np.nan, np.nan, np.nan),
        ("lines", True, 1, 10, 2.75, 0.5, np.nan, np.nan, np.nan),
    ],
    columns=[
        *("dataset", "dropout", "n_sig", "n", "ncut_mean", "ncut_std"),
        *("paper_ncut_mean", "paper_ncut_std", "paper_prop_sig"),
    ],
).assign(n_clusters=4, null_ncut_mean=[2.25, 2.25, 2.5, 3.0], n_above_all=[0, 0, 3, 0])

TRAINING = pd.DataFrame(
    [("mnist", False, 20, 20), ("mnist", True, 20, 20), ("lines", False, 20, 40),
     ("lines", True, 100, 40)],
    columns=["dataset", "dropout", "epochs", "pruning_epochs"],
)  # fmt: skip


def test_in_short():
    by_phase = pruned()
    clusterable, dropout, pruning, paper = findings.in_short(TABLE, by_phase, TRAINING, 320)
    assert clusterable == (
        "**Clusterable:** 15 of 40 pruned networks have a lower n-cut than all of their 320 "
        "shuffles: without dropout MNIST 4 of 10 (paper: 7 of 10), LINES 0 of 10; with dropout "
        "MNIST 10 of 10 (paper: 10 of 10), LINES 1 of 10."
    )
    assert dropout == (
        "**Dropout:** in 1 of 2 data sets the mean n-cut is lower with dropout than without "
        "(MNIST 1.500 and 2.000; LINES 2.750 and 2.500). The two were not trained equally long "
        "everywhere (LINES 100 + 40 epochs against 20 + 40)."
    )
    # from 2.0, 2.5, 2.0 to 1.0, 2.5, 1.5
    assert pruning == (
        "**Pruning** lowers the n-cut of 2 of 3 networks, on average from 2.167 to 1.667. Their "
        "shuffles, which are as sparse, have 2.500."
    )
    assert paper.endswith("our mean n-cuts differ from the printed ones by 0.250 to 0.250.")
    alone = findings.in_short(TABLE[:2], by_phase, TRAINING[:2], 320)
    assert alone[1].endswith("(MNIST 1.500 and 2.000).")
    assert len(findings.in_short(TABLE[2:], by_phase, TRAINING, 320)) == 3


def test_shuffles_count_as_often_as_their_networks():
    table = TABLE.assign(n=[10, 10, 10, 50])
    assert findings.in_short(table, pruned(), TRAINING, 9)[2].endswith("have 2.750.")
    # (2 + 1.5 + 2.5 + 5 * 2.75) / 8 of 4, and 2.75 of 4
    assert findings.walks(table, pd.DataFrame({"ncut": [3.0, 3.4]})) == (
        "In the 80 pruned networks of this page, 62% of such walks leave their cluster on average; "
        "in their shuffles, 69%; in networks that were not trained, 80%."
    )


def test_spreads_with_and_without_dropout():
    assert findings.spreads(TABLE) == (
        "With dropout the n-cuts have a lower standard deviation on 1 of 2 data sets (MNIST 0.250 "
        "and 0.500; LINES 0.500 and 0.125); in the paper, on 1 of 1."
    )
    assert findings.spreads(TABLE[2:]).endswith("on 0 of 1 data sets (LINES 0.500 and 0.125).")


def test_networks_above_all_their_shuffles():
    assert findings.above_all(TABLE) == "Above all of their shuffles: LINES, no dropout 3 of 10."
    assert findings.above_all(TABLE[:2]) == "Above all of their shuffles: no network."


def test_random_networks():
    random = pd.DataFrame({"ncut": [2.25, 2.5]})
    said = findings.random_networks(random, tables.facts_for_k(4), 4)
    ours, _, paper = said.partition(" The paper")
    assert ours == (
        "With k = 4, our 2 freshly initialized networks of the paper's shape lie between 2.250 and "
        "2.500, with a mean of 2.375."
    )
    assert paper == " says that its 200 all lie between 2.3 and 2.45."
    assert "paper says" not in findings.random_networks(random, tables.facts_for_k(7), 7)


def test_how_many_pass_for_each_k():
    both = pd.concat([TABLE.assign(n_clusters=7, n_sig=10), TABLE])
    assert findings.each_k(both) == (
        "Below all of their shuffles are 15 of 40 for k = 4; 40 of 40 for k = 7."
    )


def pruned() -> pd.DataFrame:
    networks = [make_network(seed=seed) for seed in (0, 1)] + [make_network("lines", True, 2)]
    before = [make_ncut(n, ncut) for n, ncut in zip(networks, (2.0, 2.5, 2.0), strict=True)]
    after = [
        make_test(n, ncut, [1.0, 2.0]) for n, ncut in zip(networks, (1.0, 2.5, 1.5), strict=True)
    ]
    return tables.by_phase(*map(frame_of, (networks, before, after)))


def test_the_answer_follows_how_many_pass():
    table = TABLE.assign(n=[10, 10, 0, 0], n_sig=0)
    for n_sig, word in ((0, "Never"), (1, "Seldom"), (10, "Seldom"), (11, "More often than not"),
                        (18, "More often than not"), (19, "Nearly always")):  # fmt: skip
        own = table.assign(n_sig=[n_sig // 2, n_sig - n_sig // 2, 0, 0])
        assert findings.answer(own, 320).startswith(
            f"**{word}**: {n_sig} of 20 pruned image classifiers can be cut into clusters better "
            f"than all 320 shuffled copies of themselves, {n_sig // 2} of 10 trained without"
        )
