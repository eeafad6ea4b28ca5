"""Findings of chapter 1 say what the records hold."""

from __future__ import annotations

import numpy as np
import pandas as pd
import pytest
from small_book import frame_of, make_ncut, make_network, make_partition, make_test, printed

from modclust_utils.chapters.ch01_clusterability import findings, tables


def test_networks_in_words():
    networks = [
        make_network(dataset, dropout, seed, seconds=90.0, n_test=n_test, test_note=note)
        for dataset, n_test, note in [("mnist", 10_000, ""), ("cifar10", 1234, "only some images")]
        for dropout in (False, True)
        for seed in (0, 1)
    ]
    assert findings.trained(frame_of(networks)).splitlines() == [
        "8 networks, 2 of each kind. Training them took 12.0 minutes of computing in all.",
        "",
        "- MNIST: 20 + 20 epochs without dropout, 20 + 20 epochs with a dropout rate of 0.5; "
        "tested on 10,000 images.",
        "- CIFAR-10: 20 + 20 epochs without dropout, 20 + 20 epochs with a dropout rate of 0.5; "
        "tested on 1,234 images. Only some images.",
    ]
    fewer = findings.trained(frame_of(networks[:-1]))
    assert fewer.startswith("7 networks, 1 to 2 of each kind. Training them took 10.5 minutes")


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


def test_networks_that_stand_out_in_words():
    networks = [make_network(seed=seed) for seed in range(3)]
    networks += [make_network("lines", seed=seed) for seed in range(2)]
    ncuts = (0.5, 0.25, 0.375, 0.5, 0.125)
    pairs = list(zip(networks, ncuts, strict=True))
    tests = frame_of([make_test(n, ncut, [0.4, 0.45]) for n, ncut in pairs])
    partitions = frame_of([make_partition(n, ncut, [1, 0, -1, 1, 1]) for n, ncut in pairs])
    begin = (
        "seed 0: n-cut 0.500 (scikit-learn's SpectralClustering: 1.500), clusters of 3, 1 units."
    )
    assert findings.outliers(tests, partitions).splitlines() == [
        f"- MNIST, no dropout, {begin} Without it, the mean over this kind of network is "
        f"0.312 ± {np.std([0.25, 0.375], ddof=1):.3f}.",
        f"- LINES, no dropout, {begin} Without it, the mean over this kind of network is 0.125.",
    ]
    assert findings.outliers(tests.iloc[1:3], partitions) == (
        "No network of this run has an n-cut above those of all its shuffles."
    )


def test_pruning():
    networks = [make_network(seed=seed) for seed in (0, 1)] + [make_network("lines", True, 2)]
    before = [make_ncut(n, ncut) for n, ncut in zip(networks, (2.0, 2.5, 2.0), strict=True)]
    after = [
        make_test(n, ncut, [1.0, 2.0]) for n, ncut in zip(networks, (1.0, 2.5, 1.5), strict=True)
    ]
    table = tables.by_phase(*map(frame_of, (networks, before, after)))
    assert findings.pruning(table) == findings.Pruning(n_lower=2, n=3, kinds_all_lower=1, kinds=2)


def differences(*gaps: float) -> str:
    rows = [
        {
            **{"dataset": "mnist", "dropout": bool(i), "ncut_mean": 2.0 + gap},
            **{"paper_ncut_mean": 2.0, "paper_ncut_std": 0.125},
            **{"difference_low": gap - 0.25, "difference_high": gap + 0.25},
        }
        for i, gap in enumerate(gaps)
    ]
    return findings.agreement(printed(pd.DataFrame(rows)))


@pytest.mark.parametrize(
    ("gap", "begin"),
    [
        (0.125, "Our mean n-cut lies within the printed spread for"),
        (-0.5, "Our mean n-cut lies outside the printed spread for"),
    ],
)
def test_difference_from_the_paper_in_words(gap, begin):
    assert differences(gap) == (
        f"{begin}\n\n- MNIST, no dropout: {2 + gap:.3f} against 2.000 ± 0.125 (95 % interval of "
        f"the difference {gap - 0.25:+.3f} to {gap + 0.25:+.3f})"
    )


def test_differences_within_and_outside_in_words():
    both = differences(0.0, 0.5)
    assert both.index("within the printed spread for") < both.index("MNIST, no dropout")
    assert both.index("It lies outside for") < both.index("MNIST, with dropout: 2.500")


@pytest.mark.parametrize(("dataset", "k"), [("lines", 4), ("mnist", 3)])
def test_networks_that_are_not_in_the_paper(dataset, k):
    networks = [make_network(dataset, seed=seed) for seed in (0, 1)]
    tests = [make_test(network, 1.0, [1.0, 2.0], n_clusters=k) for network in networks]
    table = tables.clusterability(frame_of(tests), frame_of(networks), tables.paper_for_k(k))
    text = findings.agreement(table)
    assert text.startswith(f"The paper prints no n-cuts of these data sets for k = {k},")
    assert "nan" not in text
