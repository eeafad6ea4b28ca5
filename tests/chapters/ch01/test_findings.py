"""Findings of chapter 1 say what the records hold."""

from __future__ import annotations

import numpy as np
from small_book import frame_of, make_ncut, make_network, make_partition, make_test

from modclust_utils.chapters.ch01_clusterability import findings, tables


def test_drawn_network():
    # pixel 1 is dead, and so is the second of the two hidden units; 3 of 8 weights are left
    weights = [np.array([[1.0, 0.0, -2.0], [0.0, 0.0, 0.0]]), np.array([[3.0, 0.0]])]
    network = make_network("mnist", True, 7, weights=weights)
    partitions = frame_of([make_partition(network, 0.98765, [0, -1, 1, 1, -1, 1])])
    drawn = tables.drawn_partition(partitions, frame_of([network]))
    assert findings.drawn_network(drawn, frame_of([network])) == findings.Drawn(
        name="MNIST, with dropout",
        seed=7,
        kept=3,
        n_weights=8,
        dead_pixels=1,
        n_pixels=3,
        dead_hidden=1,
        sizes=[3, 1],
        ncut=0.98765,
    )


def test_pruning():
    networks = [make_network(seed=seed) for seed in (0, 1)] + [make_network("lines", True, 2)]
    before = [make_ncut(n, ncut) for n, ncut in zip(networks, (2.0, 2.5, 2.0), strict=True)]
    after = [
        make_test(n, ncut, [1.0, 2.0]) for n, ncut in zip(networks, (1.0, 2.5, 1.5), strict=True)
    ]
    table = tables.by_phase(*map(frame_of, (networks, before, after)))
    assert findings.pruning(table) == findings.Pruning(n_lower=2, n=3, kinds_all_lower=1, kinds=2)
