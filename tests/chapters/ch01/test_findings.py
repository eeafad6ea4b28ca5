"""Sentences say what the records hold."""

from __future__ import annotations

import numpy as np
import pandas as pd
import pytest
from small_book import make_ncut, make_network, make_test

from modclust_utils.publish import prose, tables


def test_networks_in_words():
    networks = [
        make_network(dataset, dropout, seed, seconds=90.0, n_test=n_test, test_note=note)
        for dataset, n_test, note in [("mnist", 10_000, ""), ("cifar10", 1234, "only some images")]
        for dropout in (False, True)
        for seed in (0, 1)
    ]
    text = prose.network_sentence(networks)
    assert text.splitlines() == [
        "8 networks, 2 of each kind. Training them took 12.0 minutes of computing in all.",
        "",
        "- MNIST: 20 + 20 epochs without dropout, 20 + 20 epochs with a dropout rate of 0.5; "
        "tested on 10,000 images.",
        "",
        "- CIFAR-10: 20 + 20 epochs without dropout, 20 + 20 epochs with a dropout rate of 0.5; "
        "tested on 1,234 images. Only some images.",
    ]


def test_clusters_in_words():
    # pixel 1 is dead, and so is the second of the two hidden units; 3 of 8 weights are left
    weights = [np.array([[1.0, 0.0, -2.0], [0.0, 0.0, 0.0]]), np.array([[3.0, 0.0]])]
    labels = np.array([0, -1, 1, 1, -1, 1])
    text = prose.cluster_sentence(make_network("mnist", True, 7), weights, labels, 0.98765)
    assert text == (
        "The network is MNIST, with dropout, seed 7. Pruning left 3 of its 8 weights (37.5%). "
        "Without any edge are 1 of its 3 pixels and 1 of its hidden units. Its clusters have "
        "1, 3 units, and its n-cut is 0.988."
    )


@pytest.mark.parametrize(
    ("ncuts", "words"),
    [
        ((1.0, 1.2), "below; 1 of 2 networks below all 2 of their shuffles."),
        ((2.1, 1.7), "above; 0 of 2 networks below all 2 of their shuffles, 2 above all of them."),
    ],
)
def test_condition_in_words(ncuts, words):
    networks = [make_network(seed=seed) for seed in (0, 1)]
    tests = [make_test(n, ncut, [1.1, 1.5]) for n, ncut in zip(networks, ncuts, strict=True)]
    table = tables.clusterability_table(networks, tests, tables.paper_for_k(3))
    z = np.mean([(ncut - 1.3) / 0.2 for ncut in ncuts])
    assert prose.condition_sentences(table, 2) == (
        f"- **MNIST, no dropout.** Mean n-cut {np.mean(ncuts):.3f}, shuffles 1.300, on average "
        f"{abs(z):.1f} standard deviations {words}"
    )


def cut_in_two(strength: float) -> list[np.ndarray]:
    """Two pairs of pixels and two logits, tied within by 1 and across by less."""
    return [np.array([[1, 1, strength, 0], [0, strength, 1, 1]], np.float32)]


def test_networks_that_stand_out_in_words():
    networks = [make_network(seed=s, weights=cut_in_two(0.25)) for s in range(3)]
    networks += [make_network("lines", seed=s, weights=cut_in_two(0.25)) for s in range(2)]
    ncuts = (0.5, 0.25, 0.375, 0.5, 0.125)
    tests = [
        make_test(n, ncut, [0.4, 0.45], n_clusters=2)
        for n, ncut in zip(networks, ncuts, strict=True)
    ]
    # each cluster has two pixels and a logit: and 0.5 of its volume of 4.5 is cut
    begin = (
        "seed 0: n-cut 0.500 (scikit-learn's SpectralClustering: 0.222), clusters of 3, 3 units."
    )
    assert prose.outlier_sentences(networks, tests, 2, 0).splitlines() == [
        f"- MNIST, no dropout, {begin} Without it, the mean over this kind of network is "
        f"0.312 ± {np.std([0.25, 0.375], ddof=1):.3f}.",
        f"- LINES, no dropout, {begin} Without it, the mean over this kind of network is 0.125.",
    ]
    assert prose.outlier_sentences(networks[1:3], tests[1:3], 2, 0) == (
        "No network of this run has an n-cut above those of all its shuffles."
    )


def test_pruning_in_words():
    networks = [make_network(seed=seed) for seed in (0, 1)] + [make_network("lines", True, 2)]
    before = [make_ncut(n, ncut) for n, ncut in zip(networks, (2.0, 2.5, 1.0), strict=True)]
    after = [
        make_test(n, ncut, [1.0, 2.0]) for n, ncut in zip(networks, (1.0, 2.5, 1.5), strict=True)
    ]
    text = prose.pruning_sentences(tables.network_table(networks, before, after))
    assert text.splitlines() == [
        "- **MNIST, no dropout.** Before pruning 2.250, after 1.750: lower in 1 of 2 networks.",
        "- **LINES, with dropout.** Before pruning 1.000, after 1.500: lower in 0 of 1 networks.",
    ]


def differences(*gaps: float) -> str:
    rows = [
        {
            **{"dataset": "mnist", "dropout": bool(i), "ncut_mean": 2.0 + gap},
            **{"paper_ncut_mean": 2.0, "paper_ncut_std": 0.125},
            **{"difference_low": gap - 0.25, "difference_high": gap + 0.25},
        }
        for i, gap in enumerate(gaps)
    ]
    return prose.difference_sentences(pd.DataFrame(rows))


def test_differences_from_the_paper_in_words():
    inside = "- MNIST, no dropout: 2.125 against 2.000 ± 0.125 (95 % interval of the difference "
    assert differences(0.125) == (
        f"Our mean n-cut lies within the printed spread for\n\n{inside}-0.125 to +0.375)"
    )
    assert differences(-0.5) == (
        "It lies outside for\n\n- MNIST, no dropout: 1.500 against 2.000 ± 0.125 (95 % interval "
        "of the difference -0.750 to -0.250)"
    )
    both = differences(0.0, 0.5)
    assert both.index("within the printed spread for") < both.index("MNIST, no dropout")
    assert both.index("It lies outside for") < both.index("MNIST, with dropout: 2.500")


def test_data_sets_that_are_not_in_the_paper():
    networks = [make_network("lines", seed=seed) for seed in (0, 1)]
    tests = [make_test(network, 1.0, [1.0, 2.0]) for network in networks]
    table = tables.clusterability_table(networks, tests, tables.paper_for_k(4))
    text = prose.difference_sentences(table)
    assert "are not in the paper" in text
    assert "nan" not in text
