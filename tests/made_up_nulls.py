"""Frames of networks and tests for chapter 2, with numbers that one can derive by hand."""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from dataclasses import replace

import pandas as pd
from small_book import Made, frame_of, make_ncut, make_network, make_test, record_of

from modclust_utils.chapters.ch02_dropout_and_topology import tables
from modclust_utils.recipes import random_ncuts
from modclust_utils.settings import TrainingSettings

PLACES = [(phase, mode) for phase in ("before", "after") for mode in ("layer", "layer-nonzero")]
#: n-cut and shuffles of each network, by phase and null.
Found = Mapping[tuple[str, str], Sequence[tuple[float, Sequence[float]]]]


def frames(networks: Sequence[Made], found: Found, k: int = 4) -> tuple[pd.DataFrame, pd.DataFrame]:
    """Networks and their tests, network by network as a plan has them."""
    tests = [
        make_test(network, *found[phase, mode][i], phase=phase, mode=mode, n_clusters=k)
        for i, network in enumerate(networks)
        for phase, mode in PLACES
    ]
    return frame_of(networks), frame_of(tests)


def two_networks(k: int = 4) -> tuple[pd.DataFrame, pd.DataFrame]:
    """After pruning, the topology lowers the n-cut of the first network and raises the second's."""
    same = [(2.5, [2.0, 3.0]), (2.25, [2.0, 2.5])]
    found = {
        ("before", "layer"): same,
        ("before", "layer-nonzero"): same,
        ("after", "layer"): [(1.5, [2.0, 2.0, 3.0, 3.0]), (1.0, [0.5, 1.5])],
        ("after", "layer-nonzero"): [(1.5, [1.0, 1.5, 1.5, 2.0]), (1.0, [2.0, 3.0])],
    }
    return frames(
        [make_network("mnist", False, 3), make_network("fashion_mnist", True, 8)], found, k
    )


def by_network(*kinds: tuple[str, bool, Sequence[float]], phase: str = "after") -> pd.DataFrame:
    """Rows of `tables.per_network` in one phase, of networks with these n-cuts and any shuffles."""
    networks = [
        make_network(dataset, dropout, seed)
        for dataset, dropout, ncuts in kinds
        for seed in range(len(ncuts))
    ]
    ncuts = [(ncut, [1.0, 2.0]) for *_, each in kinds for ncut in each]
    table = tables.per_network(*frames(networks, dict.fromkeys(PLACES, ncuts)))
    return table[table["phase"] == phase]


def control_frames(
    role: str = "unlearnable", dataset: str = "random", epochs: int = 20, k: int = 4
) -> tuple[pd.DataFrame, pd.DataFrame, pd.DataFrame]:
    """Two networks without dropout, of which one is significant, around two with it: the networks,
    their n-cuts before pruning, and their tests after it."""

    def network(dropout: bool, seed: int, running=0.5, after=0.5, before=0.5) -> Made:
        facts = {"running_accuracy_after": running, "train_accuracy_after": after}
        facts["train_accuracy_before"] = before
        settings = TrainingSettings(epochs=epochs, dropout_rate=0.5 if dropout else 0.0)
        job, record = make_network(dataset, dropout, seed, settings=settings, **facts)
        return replace(job, about={**job.about, "role": role, "epochs": epochs}), record

    networks = [
        network(False, 0, 0.25, 0.5, 0.125),
        network(True, 0),
        network(True, 1),
        network(False, 1, 0.5, 1.0, 0.375),
    ]
    before = zip(networks, (2.25, 3.0, 3.5, 2.75), strict=True)
    after = zip(
        networks,
        (1.0, 2.0, 2.0, 1.2),
        ([1.1, 1.3], [2.5, 2.5], [2.5, 2.5], [1.1, 1.5]),
        strict=True,
    )
    return (
        frame_of(networks),
        frame_of([make_ncut(*each, n_clusters=k) for each in before]),
        frame_of([make_test(*each, n_clusters=k) for each in after]),
    )


def mixture_frames(k: int = 4) -> tuple[pd.DataFrame, pd.DataFrame]:
    """Two networks of LINES without dropout and two of a data set that the paper lacks, and their
    n-cuts."""
    networks = [
        make_network(
            "lines", False, 0,
            running_accuracy_after=0.5, test_accuracy_after=0.25, train_accuracy_after=0.125,
        ),
        make_network("mnist5k", True, 0),
        make_network(
            "lines", False, 1,
            running_accuracy_after=1.0, test_accuracy_after=0.5, train_accuracy_after=0.375,
        ),
        make_network("mnist5k", True, 1),
    ]  # fmt: skip
    ncuts = zip(networks, (1.5, 1.0, 1.75, 1.0), strict=True)
    return frame_of(networks), frame_of(
        [make_ncut(*each, phase="after", n_clusters=k) for each in ncuts]
    )


def fresh_frame(ncuts: Sequence[float], k: int = 4) -> pd.DataFrame:
    """The record of freshly initialized networks with these n-cuts."""
    job = random_ncuts.job(n_networks=len(ncuts), n_clusters=k, seed=0)
    return frame_of([(job, record_of(job, {"ncuts": list(ncuts)}))])
