"""Made-up lesion studies of a small graph."""

from __future__ import annotations

import itertools
from collections.abc import Mapping, Sequence
from typing import Any

import numpy as np
import pandas as pd
from small_book import Made, frame_of, make_network, printed, record_of

from modclust_utils.chapters.ch03_lesions import tables
from modclust_utils.chapters.ch03_lesions.tables import EDGE, Studies, Study
from modclust_utils.recipes import lesions

# A graph of 6 pixels, two hidden layers of 4 units and 2 logits, in clusters 0, 1 and 2. The sums
# of their shares of the layers are 17/12, 5/12 and 13/6, so readers see them as 1, 2 and 0.
SIZES = (6, 4, 4, 2)
LABELS = [2, 2, 2, 0, 0, 1, *(2, 2, 0, 1), *(2, 2, 0, -1), *(2, 0)]
FOR_READERS = [0, 0, 0, 1, 1, 2, *(0, 0, 1, 2), *(0, 0, 1, -1), *(0, 1)]
KINDS = {
    (1, 0): "important",
    (1, 1): "small",
    (1, 2): "important",
    (2, 0): "important",
    (2, 2): "important",
}
DROPS = {(1, 0): 0.25, (1, 1): 0.0, (1, 2): 0.5, (2, 0): 0.125, (2, 2): 0.0625}
# X, Y, whether X is important given Y, whether Y is given X: two of the four are edges
PAIRS = [
    ((1, 2), (2, 2), True, False),
    ((1, 0), (2, 0), True, True),
    ((1, 2), (2, 0), False, False),
    ((1, 0), (2, 2), True, True),
    ((1, 1), (2, 2), False, False),
]
EDGES = {(1, 0, 2, 0), (1, 0, 2, 1)}


def network_of(sizes: Sequence[int] = SIZES, seed: int = 0, **value: Any) -> Made:
    weights = [np.ones((n_out, n_in)) for n_in, n_out in itertools.pairwise(sizes)]
    return make_network("fashion_mnist", True, seed, weights=weights, **value)


def single_row(place: tuple[int, int], kind: str, drop: float) -> dict[str, Any]:
    return {
        "layer": place[0],
        "label": place[1],
        "size": 1,
        "proportion": 0.25,
        "drop": drop,
        "p_value": 0.125,
        "kind": kind,
        "null_mean": drop / 4,
        "null_std": 0.01,
        "class_drops": [drop, 0.0, drop / 2],
    }


def pair_row(x: tuple[int, int], y: tuple[int, int], x_given_y: bool, y_given_x: bool) -> dict:
    values = {"drop_both": 0.5, "delta_x_y": 0.25, "delta_y_x": -0.0001}
    values |= {"p_x_given_y": 0.5, "p_y_given_x": 1.0}
    return (
        dict(zip(EDGE, (*x, *y), strict=True))
        | values
        | {"x_given_y": x_given_y, "y_given_x": y_given_x}
    )


def lesions_of(
    network: Made,
    labels: Sequence[int] = LABELS,
    *,
    number: Mapping[int, int] | None = None,
    kinds: Mapping[tuple[int, int], str] = KINDS,
    pairs: Sequence[tuple] = PAIRS,
    n_clusters: int = 3,
    seed: int = 0,
) -> Made:
    """A record that was never computed; with `number`, its clusters under other numbers."""
    number = number or {label: label for label in range(n_clusters)}

    def moved(place: tuple[int, int]) -> tuple[int, int]:
        return place[0], number[place[1]]

    value = {
        "ncut": 1.5,
        "accuracy": 0.875,
        "class_accuracies": [0.5, 1.0, 1.0],
        "labels": [number.get(label, -1) for label in labels],
        "sub_clusters": [single_row(moved(at), k, DROPS.get(at, 0)) for at, k in kinds.items()],
        "pairs": [pair_row(moved(x), moved(y), *important) for x, y, *important in pairs],
    }
    job = lesions.job(
        network[0], n_clusters=n_clusters, n_random_sets=7, n_random_pairs=9, pairs="all", seed=seed
    )
    return job, record_of(job, value)


def read(networks: Sequence[Made], records: Sequence[Sequence[Made]]) -> Studies:
    """The studies of networks: for each its own, then its re-clusterings."""
    studies = frame_of([study for own in records for study in own])
    return tables.read_studies(studies, frame_of(networks))


def three_studies() -> Studies:
    """The reference, two re-clusterings, and another network; the last two lack some edges."""
    first, second = network_of(), network_of(seed=1)
    fewer = [(*PAIRS[0][:2], True, True), *PAIRS[1:]]
    return read(
        [first, second],
        [
            [
                lesions_of(first),
                lesions_of(first, seed=1, number={0: 1, 1: 2, 2: 0}),
                lesions_of(first, seed=2, pairs=fewer),
            ],
            [lesions_of(second, pairs=fewer, kinds=KINDS | {(1, 0): "small"})],
        ],
    )


def nothing_important() -> Studies:
    """A network, its re-clustering and another one, without an important sub-cluster."""
    network, other = network_of(), network_of(seed=1)
    kinds = dict.fromkeys(KINDS, "other")
    records = [lesions_of(network, kinds=kinds, pairs=[], seed=seed) for seed in (0, 1)]
    return read([network, other], [records, [lesions_of(other, kinds=kinds, pairs=PAIRS)]])


def edges_only(edges: Sequence[tuple[int, int, int, int]], n_clusters: int = 3) -> Study:
    """A study of which nothing is known but its edges."""
    _, record = lesions_of(network_of(), n_clusters=n_clusters)
    frame = printed(pd.DataFrame(list(edges), columns=EDGE))
    return Study(record, np.array(LABELS), printed(pd.DataFrame()), frame, frame)
