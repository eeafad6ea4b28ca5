"""Verification: a random sample of records computed again and compared with what they hold."""

from __future__ import annotations

from collections.abc import Iterator, Sequence
from dataclasses import dataclass
from pathlib import Path
from typing import Any

import joblib
import numpy as np

from modclust_utils import stats
from modclust_utils.publish.experiments import Job, compute_job
from modclust_utils.publish.networks import find_network
from modclust_utils.publish.records import Record, RecordStore, read_record
from modclust_utils.publish.versions import RECIPES

# Another machine rounds otherwise, and k-means may then end in another local optimum. A network's
# n-cut may move by this much, the mean of its null by three standard errors.
NCUT_TOLERANCE = 0.01
ROUNDING = 1e-6
VERIFIABLE = ("shuffle-test", "random-ncuts", "clustering")


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
    job = Job(record.kind, dict(record.parameters), network, record.parameters["phase"])
    return job if job.has_weights else None


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
        return Check(path, False, "its network is not here")
    return Check(path, *_compare(record.value, compute_job(job, "cpu")))


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
    return agrees, ", ".join(notes)


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
