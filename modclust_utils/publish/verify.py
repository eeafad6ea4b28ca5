"""Verification: a random sample of records computed again and compared with what they hold."""

from __future__ import annotations

from collections.abc import Iterator, Mapping, Sequence
from dataclasses import dataclass
from functools import cache
from pathlib import Path
from typing import Any

import joblib
import numpy as np

from modclust_utils import datasets, stats
from modclust_utils.publish.experiments import Job, compute_job
from modclust_utils.publish.lesioning import compute_lesions
from modclust_utils.publish.networks import Network, find_network
from modclust_utils.publish.records import Record, RecordStore, read_record
from modclust_utils.publish.versions import RECIPES

# Another machine rounds otherwise, and k-means may then end in another local optimum. A network's
# n-cut may move by this much, the mean of its null by three standard errors.
NCUT_TOLERANCE = 0.01
ROUNDING = 1e-6
# Two logits that agree to rounding may change places, so a few images more or fewer are right.
ACCURACY_TOLERANCE = 0.001
P_VALUE_TOLERANCE = 0.05
VERIFIABLE = ("shuffle-test", "random-ncuts", "clustering", "lesions")

# The rows of a lesion record: what says which one it is, numbers with their tolerances, and what
# follows from the numbers.
_ROWS: dict[str, tuple[Sequence[str], Mapping[str, float], Sequence[str]]] = {
    "sub_clusters": (
        ("layer", "label", "size"),
        dict.fromkeys(("drop", "null_mean", "null_std"), ACCURACY_TOLERANCE)
        | {
            "class_drops": datasets.N_CLASSES * ACCURACY_TOLERANCE,
            "p_value": P_VALUE_TOLERANCE,
            "proportion": ROUNDING,
        },
        ("kind",),
    ),
    "pairs": (
        ("x_layer", "x_label", "y_layer", "y_label"),
        dict.fromkeys(("drop_both", "delta_x_y", "delta_y_x"), ACCURACY_TOLERANCE)
        | dict.fromkeys(("p_x_given_y", "p_y_given_x"), P_VALUE_TOLERANCE),
        ("x_given_y", "y_given_x"),
    ),
}


@dataclass(frozen=True)
class Check:
    """A record computed again: whether it agrees, and by how much it differs."""

    path: Path
    agrees: bool
    difference: str


def sample(store: RecordStore, n: int, rng: np.random.Generator) -> list[Path]:
    """Up to n records that can be computed again from what is here, in the order of the store."""
    paths = [path for path in store if path.parent.name in VERIFIABLE]
    chosen: list[int] = []
    for i in rng.permutation(len(paths)).tolist():  # reads no more records than it has to
        if len(chosen) == n:
            break
        if _job(store, read_record(paths[i])) is not None:
            chosen.append(i)
    return [paths[i] for i in sorted(chosen)]


def _job(store: RecordStore, record: Record) -> Job | None:
    if record.kind == "random-ncuts":
        return Job(record.kind, dict(record.parameters))
    network = find_network(store, record.parameters["network"])
    if network is None:
        return None
    if record.kind == "lesions" and _images(network) is None:
        return None
    job = Job(record.kind, dict(record.parameters), network, record.parameters["phase"])
    return job if job.has_weights else None


def _images(network: Network) -> datasets.Dataset | None:
    """The images that a network was trained and tested on, None where they are not here."""
    dataset = _load(network.condition.dataset)
    same = dataset is not None and (dataset.train_hash, dataset.test_hash) == (
        network.condition.train_hash,
        network.record.value["test_hash"],
    )
    return dataset if same else None


@cache
def _load(name: str) -> datasets.Dataset | None:
    try:
        return datasets.load(name, download=False)
    except datasets.DataError:
        return None


def verify_all(store: RecordStore, paths: Sequence[Path]) -> Iterator[Check]:
    """`verify` each record, over all cores; the checks come in the order of `paths`."""
    # Many small operations: more than one thread each makes them slower, beside other work by far.
    # For the same reason two processes or more, since joblib would do a single job's work in here.
    n_jobs = max(2, min(joblib.cpu_count(), len(paths)))
    with joblib.parallel_config("loky", inner_max_num_threads=1):
        parallel = joblib.Parallel(n_jobs=n_jobs, return_as="generator")
    return parallel(joblib.delayed(verify)(store, path) for path in paths)


def verify(store: RecordStore, path: Path) -> Check:
    """Compute a record again and compare. A record of another code version does not agree."""
    record = read_record(path)
    if path.stem != record.key:
        version = RECIPES[record.kind].version
        return Check(path, False, f"made by other code than version {version}")
    job = _job(store, record)
    if job is None:
        return Check(path, False, "its network is not here, or its images")
    return Check(path, *_compare(record.value, _again(job, record)))


def _again(job: Job, record: Record) -> dict[str, Any]:
    if record.kind != "lesions":
        return compute_job(job, "cpu")
    assert job.network is not None
    dataset = _images(job.network)
    assert dataset is not None
    # the record's own clusters: k-means may find others here, of an n-cut that is nearly the same
    labels = np.array(record.value["labels"])
    return compute_lesions(job.network, job.parameters, dataset, "cpu", labels=labels)


def _compare(kept: dict[str, Any], again: dict[str, Any]) -> tuple[bool, str]:
    agrees, notes = True, []
    if "ncut" in kept:
        gap = abs(kept["ncut"] - again["ncut"])
        agrees &= gap <= NCUT_TOLERANCE
        notes.append(f"n-cut by {gap:.2g}")
    if "p_value" in kept and not _follow(kept):
        agrees = False
        notes.append("p-value or z-score do not follow from its own n-cuts")
    for name in ("null_ncuts", "ncuts"):
        if name in kept:
            agrees_here, note = _compare_samples(kept[name], again[name])
            agrees &= agrees_here
            notes.append(f"{name} {note}")
    for name in _ROWS:
        if name in kept:
            agrees_here, note = _compare_rows(kept[name], again[name], *_ROWS[name])
            agrees &= agrees_here
            notes.append(f"{name} {note}")
    if "accuracy" in kept:
        agrees &= _gap(kept["accuracy"], again["accuracy"]) <= ACCURACY_TOLERANCE
        agrees &= (
            _gap(kept["class_accuracies"], again["class_accuracies"])
            <= datasets.N_CLASSES * ACCURACY_TOLERANCE
        )
    return agrees, ", ".join(notes)


def _compare_rows(
    kept: Sequence[Mapping[str, Any]],
    again: Sequence[Mapping[str, Any]],
    places: Sequence[str],
    numbers: Mapping[str, float],
    words: Sequence[str],
) -> tuple[bool, str]:
    """Rows agree where their numbers do; words may differ only where numbers do a little."""
    if _columns(kept, places) != _columns(again, places):
        return False, "are of other sub-clusters"
    gaps = {name: _gap(*(_columns(rows, [name]) for rows in (kept, again))) for name in numbers}
    agrees = all(gaps[name] <= tolerance for name, tolerance in numbers.items())
    largest = max(gaps.values())
    agrees &= _columns(kept, words) == _columns(again, words) or largest > 0
    return agrees, f"by {largest:.2g}"


def _columns(rows: Sequence[Mapping[str, Any]], names: Sequence[str]) -> list[list[Any]]:
    return [[row[name] for name in names] for row in rows]


def _gap(kept: Any, again: Any) -> float:
    """The largest difference; NaN, a class without images, agrees with NaN alone."""
    first, second = np.asarray(kept, np.float64), np.asarray(again, np.float64)
    if first.shape != second.shape or (np.isnan(first) != np.isnan(second)).any():
        return float("inf")
    return float(np.nanmax(np.abs(first - second), initial=0.0))


def _follow(kept: dict[str, Any]) -> bool:
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


def _compare_samples(kept: Sequence[float], again: Sequence[float]) -> tuple[bool, str]:
    first, second = np.asarray(kept), np.asarray(again)
    if first.shape != second.shape:
        return False, f"{first.shape} against {second.shape}"
    gap = abs(first.mean() - second.mean())
    # the spread of the recomputed sample: that of an altered one would excuse it
    error = second.std() / np.sqrt(len(second))
    equal = int(np.sum(np.abs(first - second) < 1e-4))
    return bool(gap <= 3 * error), f"{equal} of {len(first)} the same, mean by {gap:.2g}"
