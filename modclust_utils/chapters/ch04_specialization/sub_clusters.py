"""What stands behind each Fisher statistic of chapter 4.

How many sub-clusters, where they lie, what they cost, and the statistic that chance alone gives.
"""

from __future__ import annotations

from typing import Any, Literal

import numpy as np
import pandas as pd

from modclust_utils.chapters.ch04_specialization.tables import (
    MEASURES,
    kind_of,
    network_name,
)
from modclust_utils.fisher_bates import TIED_ABSOLUTE, TIED_RELATIVE, fisher_statistic
from modclust_utils.recipes.base import Record
from modclust_utils.recipes.frames import shown_table, traced
from modclust_utils.recipes.set_lesions import lesions_of
from modclust_utils.specialization import accuracy_drops, class_ranges
from modclust_utils.tables import in_rows

_PLACE = ["kind", "partitioning"]
_COLUMNS = [
    *(("sub-clusters", name) for name in ("all", "layers", "most in one", "cost 0")),
    ("random sets", "tie"),
    *(("by chance", words) for words in MEASURES.values()),
]


@traced
def each_sub_cluster(lesions: pd.DataFrame, visualizations: pd.DataFrame) -> pd.DataFrame:
    """A row for each lesioned sub-cluster, with its place and its units.

    cost: test images that the network no longer gets right, less those that it now does; no_more:
    whether that is no more than the median of its random sets; tied: share of these that cost as
    many; score: that of its image over the median of its random sets, NaN where it has none.
    """
    scores = _scores(visualizations)
    rows = []
    for each in lesions.itertuples():
        arrays, partition = each.record.arrays, each.record.parameters["partition"]
        costs = arrays["unlesioned"].sum(dtype=int) - arrays["hits"].sum(-1, dtype=int)
        for i, (own, *random) in enumerate(costs.tolist()):
            layer, label = int(arrays["layer"][i]), int(arrays["label"][i])
            rows.append(
                {
                    "kind": kind_of(each.architecture, each.dataset),
                    "partitioning": each.partitioning,
                    "seed": each.seed,
                    "layer": layer,
                    "size": int(arrays["size"][i]),
                    "n_test": each.n_test,
                    "cost": own,
                    "no_more": own <= np.median(random),
                    "tied": float(np.mean(np.array(random) == own)),
                    "score": scores.get((partition, layer, label), np.nan),
                }
            )
    columns = [*_PLACE, "seed", "layer", "size", "n_test", "cost", "no_more", "tied", "score"]
    return pd.DataFrame(rows, columns=columns)


def _scores(visualizations: pd.DataFrame) -> dict[tuple[str, int, int], float]:
    """The score of each sub-cluster over the median of its random sets."""
    found = {}
    for record in visualizations["record"]:
        arrays, partition = record.arrays, record.parameters["partition"]
        for layer, label, scores in zip(
            arrays["layer"].tolist(), arrays["label"].tolist(), arrays["score"], strict=True
        ):
            found[partition, layer, label] = float(scores[0] / np.median(scores[1:]))
    return found


@traced
def by_chance(lesions: pd.DataFrame, visualizations: pd.DataFrame) -> pd.DataFrame:
    """A row for each kind of network, partitioning and measure, in the reading that is tested.

    expected: the Fisher statistic where each of the sets in turn takes the place of the
    sub-cluster, mean over the networks. It is that of uniform percentiles (`tables.uniform`) where
    no sets tie. Those that tie share the mean of their ranks, whose −log is smaller than the mean
    of those that the ranks have, so that it is smaller there.
    """
    rows = []
    for frame in (lesions, visualizations):
        for each in frame.itertuples():
            about = {"kind": kind_of(each.architecture, each.dataset)}
            about |= {"partitioning": each.partitioning}
            for measure, values, tail in _measures_of(each.record):
                expected = fisher_statistic(in_turn(values, tail).ravel())
                rows.append({**about, "measure": measure, "expected": expected})
    found = pd.DataFrame(rows, columns=[*_PLACE, "measure", "expected"])
    return found.groupby([*_PLACE, "measure"], sort=False)["expected"].mean().reset_index()


def _measures_of(record: Record) -> list[tuple[str, np.ndarray, Literal["lower", "upper"]]]:
    """What a record tells of its sets, sub-clusters first ``(m, 1 + n_random)``, and which end
    counts."""
    if record.value["n_sets"] == 0:
        return []
    if "score" in record.arrays:
        return [
            ("score", record.arrays["score"], "upper"),
            ("entropy", record.arrays["entropy"], "lower"),
        ]
    found = lesions_of(record)
    # in the readings of the papers' text, `tables.READINGS`
    return [
        ("accuracy_drop", accuracy_drops(found, reading="images"), "upper"),
        ("class_range", class_ranges(found, reading="difference"), "upper"),
    ]


def in_turn(measures: np.ndarray, tail: Literal["lower", "upper"]) -> np.ndarray:
    """The percentile of each set among the others of its row, of the shape of `measures`.

    The first column has those of `specialization.percentiles`.
    """
    values = measures.astype(np.float64)
    own, others = values[:, :, None], values[:, None, :]
    tied = np.isclose(others, own, rtol=TIED_RELATIVE, atol=TIED_ABSOLUTE)
    beyond = (others < own if tail == "lower" else others > own) & ~tied
    # a set ties with itself, too
    return (beyond.sum(2) + tied.sum(2) / 2) / values.shape[1]


@shown_table
def readable(subs: pd.DataFrame, chance: pd.DataFrame) -> pd.DataFrame:
    """What stands behind each row of Table 1."""
    of_chance = chance.set_index([*_PLACE, "measure"])
    rows = []
    for (kind, partitioning), own in subs.groupby(_PLACE, sort=False):
        cells: list[Any] = [
            len(own),
            own["layer"].nunique(),
            int(own["layer"].value_counts().max()),
            int((own["cost"] == 0).sum()),
            f"{own['tied'].mean():.0%}",
        ]
        for measure in MEASURES:
            place = (kind, partitioning, measure)
            there = place in of_chance.index
            cells.append(f"{of_chance['expected'][place]:.2f}" if there else "–")
        place_of_row = network_name(str(kind)), str(partitioning)
        rows.append((place_of_row, dict(zip(_COLUMNS, cells, strict=True))))
    shown = in_rows(rows, ["network", "partitioning"])
    return shown.reindex(columns=pd.MultiIndex.from_tuples(_COLUMNS))
