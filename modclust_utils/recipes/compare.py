"""Whether a record and what was computed again are the same, within the noise of the method."""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from typing import Any

import numpy as np

from modclust_utils import stats
from modclust_utils.recipes.base import Record, Value

# Another machine rounds otherwise, and k-means may then end in another local optimum. Between our
# k-means and scikit-learn's, n-cuts of one network for k = 4 differ by 0.00015 (median) and 0.0035
# at most; more clusters have more optima.
NCUT_TOLERANCE_PER_CLUSTER = 0.00125
# Shuffles come from the same random streams: most of their n-cuts are the same but for rounding,
# and few differ by more than half a standard deviation.
SAME = 1e-4
MOST = 0.6
FEW = 0.01
ROUNDING = 1e-6


def ncuts_agree(record: Record, again: Value) -> tuple[bool, str]:
    """Whether the n-cut, or the sample of n-cuts, agrees."""
    if "ncuts" in record.value:
        return samples_agree(record.value["ncuts"], again.value["ncuts"])
    gap = abs(record.value["ncut"] - again.value["ncut"])
    tolerance = NCUT_TOLERANCE_PER_CLUSTER * record.parameters["n_clusters"]
    return gap <= tolerance, f"n-cut by {gap:.2g}"


def shuffles_agree(record: Record, again: Value) -> tuple[bool, str]:
    """Whether n-cut and null agree, p-value and z-score follow from them, and the network is on the
    same side of its shuffles."""
    kept = record.value
    notes = []
    follow = _follow(kept)
    if not follow:
        notes.append("p-value or z-score do not follow from its own n-cuts")
    below = [value["ncut"] < min(value["null_ncuts"]) for value in (kept, again.value)]
    if below[0] != below[1]:
        words = "is" if below[1] else "is not"
        notes.append(f"the network {words} below all of its shuffles when computed again")
    own, own_note = ncuts_agree(record, again)
    null, null_note = samples_agree(kept["null_ncuts"], again.value["null_ncuts"])
    agrees = own and null and follow and below[0] == below[1]
    return agrees, ", ".join([own_note, *notes, f"null_ncuts {null_note}"])


def samples_agree(kept: Sequence[float], again: Sequence[float]) -> tuple[bool, str]:
    """Whether two samples of n-cuts from the same random streams agree, one by one."""
    first, second = np.asarray(kept), np.asarray(again)
    if first.shape != second.shape:
        return False, f"{first.shape} against {second.shape}"
    gaps = np.abs(first - second)
    equal = int((gaps < SAME).sum())
    # the spread of the recomputed sample: that of an altered one would excuse it
    far = int((gaps > max(second.std() / 2, SAME)).sum())
    note = f"{equal} of {len(first)} the same, mean by {abs(first.mean() - second.mean()):.2g}"
    return equal >= MOST * len(first) and far <= FEW * len(first), note


def _follow(kept: Mapping[str, Any]) -> bool:
    """Whether p-value and z-score are those of the n-cuts beside them, which are rounded."""
    null = np.array(kept["null_ncuts"])
    lowest, highest = (
        stats.empirical_p_value(kept["ncut"] + shift, null, tail="lower")
        for shift in (-ROUNDING, ROUNDING)
    )
    z_score = stats.z_score(kept["ncut"], null)
    return lowest <= kept["p_value"] <= highest and bool(
        np.isclose(kept["z_score"], z_score, rtol=0.01, atol=0.01, equal_nan=True)
    )


def rows_agree(
    kept: Sequence[Mapping[str, Any]],
    again: Sequence[Mapping[str, Any]],
    *,
    places: Sequence[str],
    numbers: Mapping[str, float],
    words: Sequence[str],
) -> tuple[bool, str]:
    """Whether rows of one and the same places agree.

    numbers: columns with their tolerances; words: columns that may differ only where numbers do a
    little.
    """
    if _columns(kept, places) != _columns(again, places):
        return False, "are of other sub-clusters"
    gaps = {name: gap(*(_columns(rows, [name]) for rows in (kept, again))) for name in numbers}
    agrees = all(gaps[name] <= tolerance for name, tolerance in numbers.items())
    largest = max(gaps.values())
    agrees &= _columns(kept, words) == _columns(again, words) or largest > 0
    return agrees, f"by {largest:.2g}"


def _columns(rows: Sequence[Mapping[str, Any]], names: Sequence[str]) -> list[list[Any]]:
    return [[row[name] for name in names] for row in rows]


def gap(kept: Any, again: Any) -> float:
    """The largest difference; NaN, a class without images, agrees with NaN alone."""
    first, second = np.asarray(kept, np.float64), np.asarray(again, np.float64)
    if first.shape != second.shape or (np.isnan(first) != np.isnan(second)).any():
        return float("inf")
    return float(np.nanmax(np.abs(first - second), initial=0.0))
