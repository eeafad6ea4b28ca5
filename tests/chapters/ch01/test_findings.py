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
        ("mnist", False, 4, 10, 2.0, 2.25),
        ("mnist", True, 10, 10, 1.5, 1.75),
        ("lines", False, 0, 10, 2.5, np.nan),
        ("lines", True, 1, 10, 2.75, np.nan),
    ],
    columns=["dataset", "dropout", "n_sig", "n", "ncut_mean", "paper_ncut_mean"],
)


def test_in_short():
    by_phase = pruned()
    clusterable, dropout, pruning, paper = findings.in_short(TABLE, by_phase, 320)
    assert clusterable == (
        "**Clusterable:** 15 of 40 pruned networks have a lower n-cut than all of their 320 "
        "shuffles, 4 of 20 trained without dropout and 11 of 20 trained with dropout."
    )
    assert dropout == (
        "**Dropout:** in 1 of 2 data sets the mean n-cut is lower with dropout than without "
        "(MNIST 1.500 and 2.000; LINES 2.750 and 2.500)."
    )
    assert pruning == "**Pruning** lowers the n-cut of 2 of 3 networks."
    assert paper.endswith("our mean n-cuts differ from the printed ones by 0.250 to 0.250.")
    assert len(findings.in_short(TABLE[2:], by_phase, 320)) == 3


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
