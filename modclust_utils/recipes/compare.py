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
# few differ by more than half a standard deviation or that noise, and the mean stays where it is.
# In 19 published tests with 2, 7 and 10 clusters, 69 to 99 % were the same, up to 3 % differed by
# more, and no mean moved by more than 0.02 standard deviations.
SAME = 1e-4
MOST = 0.6
FEW = 0.04
MEAN = 0.05
ROUNDING = 1e-6


def other_arrays(record: Record, again: Value, names: Sequence[str]) -> str:
    """Which of some arrays are not the same, in words; "" where all are."""
    others = [name for name in names if not np.array_equal(record.arrays[name], again.arrays[name])]
    return f"its {', '.join(others)} are others" if others else ""


def ncuts_agree(record: Record, again: Value) -> tuple[bool, str]:
    """Whether the n-cut, or the sample of n-cuts, agrees."""
    if "ncuts" in record.value:
        return samples_agree(record.value["ncuts"], again.value["ncuts"])
    gap = abs(record.value["ncut"] - again.value["ncut"])
    return gap <= _noise(record), f"n-cut by {gap:.2g}"


def _noise(record: Record) -> float:
    return NCUT_TOLERANCE_PER_CLUSTER * record.parameters["n_clusters"]


def shuffles_agree(record: Record, again: Value) -> tuple[bool, str]:
    """Whether n-cut and null agree, p-value and z-score follow from them, and the network is on the
    same side of its shuffles."""
    kept = record.value
    notes = [note] if (note := test_contradicts(record)) else []
    follow = not notes
    below = [value["ncut"] < min(value["null_ncuts"]) for value in (kept, again.value)]
    if below[0] != below[1]:
        words = "is" if below[1] else "is not"
        notes.append(f"the network {words} below all of its shuffles when computed again")
    own, own_note = ncuts_agree(record, again)
    null, null_note = samples_agree(
        kept["null_ncuts"], again.value["null_ncuts"], noise=_noise(record)
    )
    agrees = own and null and follow and below[0] == below[1]
    return agrees, ", ".join([own_note, *notes, f"null_ncuts {null_note}"])


def samples_agree(
    kept: Sequence[float], again: Sequence[float], *, noise: float = SAME
) -> tuple[bool, str]:
    """Whether two samples of n-cuts from the same random streams agree, one by one.

    noise: that of k-means, which is all that a network with a narrow null may differ by.
    """
    first, second = np.asarray(kept), np.asarray(again)
    if first.shape != second.shape:
        return False, f"{first.shape} against {second.shape}"
    gaps = np.abs(first - second)
    equal = int((gaps < SAME).sum())
    # the spread of the recomputed sample: that of an altered one would excuse it
    spread = second.std()
    far = int((gaps > max(spread / 2, noise)).sum())
    mean_gap = abs(first.mean() - second.mean())
    note = f"{equal} of {len(first)} the same, mean by {mean_gap:.2g}"
    steady = mean_gap <= max(MEAN * spread, SAME)
    return equal >= MOST * len(first) and far <= FEW * len(first) and steady, note


def test_contradicts(record: Record) -> str:
    """What in a shuffle test contradicts the rest; "" where p-value and z-score follow from the
    n-cuts beside them, which are rounded."""
    kept = record.value
    null = np.array(kept["null_ncuts"])
    lowest, highest = (
        stats.empirical_p_value(kept["ncut"] + shift, null, tail="lower")
        for shift in (-ROUNDING, ROUNDING)
    )
    z_score = stats.z_score(kept["ncut"], null)
    follow = lowest <= kept["p_value"] <= highest and bool(
        np.isclose(kept["z_score"], z_score, rtol=0.01, atol=0.01, equal_nan=True)
    )
    return "" if follow else "p-value or z-score do not follow from its own n-cuts"


def other_shapes(record: Record, shapes: Mapping[str, tuple[int, ...]]) -> str:
    """Which arrays of a record do not have the shape that its key and value ask for, in words.

    Axes after those in `shapes` are free; "" where all fit.
    """
    arrays = record.arrays
    others = [n for n, shape in shapes.items() if arrays[n].shape[: len(shape)] != shape]
    return f"the shape of its {', '.join(others)} does not fit its key" if others else ""


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
