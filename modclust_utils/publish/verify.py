"""Verification: a random sample of records computed again and compared with what they hold."""

from __future__ import annotations

from collections.abc import Iterator, Sequence
from dataclasses import dataclass
from functools import cache
from pathlib import Path

import joblib
import numpy as np

from modclust_utils.datasets import DataError
from modclust_utils.publish.engine import Shelf, task_of
from modclust_utils.publish.records import RecordStore, read_record
from modclust_utils.publish.workers import in_workers
from modclust_utils.recipes import all_recipes, recipe_of
from modclust_utils.recipes.base import Images, Job, Record, made_from
from modclust_utils.recipes.network import BEFORE


@dataclass(frozen=True)
class Check:
    """A record computed again: whether it agrees, and by how much it differs."""

    path: Path
    agrees: bool
    difference: str


def sample(store: RecordStore, n: int, rng: np.random.Generator) -> list[Path]:
    """Up to n records that can be computed again from what is here, in the order of the store."""
    kinds = {kind for kind, recipe in all_recipes().items() if recipe.agree is not None}
    paths = [path for path in store if path.parent.name in kinds]
    chosen: list[int] = []
    for i in rng.permutation(len(paths)).tolist():  # reads no more records than it has to
        if len(chosen) == n:
            break
        record = read_record(paths[i])
        if _why_not(store, record, job_of(store, record)) is None:
            chosen.append(i)
    return [paths[i] for i in sorted(chosen)]


def job_of(store: RecordStore, record: Record) -> Job | None:
    """The job that a record comes from, with those it needs.

    None where a record was made by other code, and where one that it needs is gone.
    """
    recipe, needs = recipe_of(record.kind), {}
    if record.version != recipe.version:
        return None
    if "network" in record.parameters:
        path = store.find("network", record.parameters["network"])
        network = job_of(store, read_record(path)) if path else None
        if network is None:
            return None
        needs["network"] = network
    images = None
    if record.kind == "network":
        images = Images(record.parameters["dataset"], record.parameters["train_hash"])
    elif recipe_of(record.kind).with_images:
        images = needs["network"].images
    kept = BEFORE if record.parameters.get("phase") == BEFORE else ""
    return Job(recipe, record.parameters, needs, kept, images)


def _why_not(store: RecordStore, record: Record, job: Job | None) -> str | None:
    """Why a record cannot be computed again from what is here; None where it can."""
    if job is None:
        return "its network is not here, or of other code"
    for name, need in job.needs.items():
        network = Shelf(store).require(need)
        if record.made_from[name] != made_from({name: network})[name]:
            return "its network is another one than it names"
        if job.kept and store.kept(network, job.kept) is None:
            return f"the weights of its network {job.kept} pruning are not here"
        if job.images is not None and hash_of_test_images(job.images) != network.value["test_hash"]:
            return "its images are not here"
    return None


@cache
def hash_of_test_images(images: Images) -> str | None:
    """The hash of the test images that are here, None where these images are not."""
    try:
        return images.load(download=False).test_hash
    except DataError:
        return None


def verify_all(store: RecordStore, paths: Sequence[Path]) -> Iterator[Check]:
    """`verify` each record, over all cores; the checks come in the order in which they are done."""
    # Many small operations: more than one thread each makes them slower, beside other work by far.
    # For the same reason two processes or more, since joblib would do a single job's work in here.
    n_jobs = max(2, min(joblib.cpu_count(), len(paths)))
    return in_workers(verify, [(store, path) for path in paths], n_jobs=n_jobs)


def verify(store: RecordStore, path: Path) -> Check:
    """Compute a record again and compare. A record of another code version does not agree."""
    record = read_record(path)
    recipe = recipe_of(record.kind)
    if record.version != recipe.version:
        return Check(path, False, f"made by other code than version {recipe.version}")
    job = job_of(store, record)
    reason = _why_not(store, record, job)
    if reason is not None:
        return Check(path, False, reason)
    assert job is not None
    assert recipe.agree is not None
    # the record's own clusters: k-means may find others here, of an n-cut that is nearly the same
    (again,) = recipe.compute([task_of(job, Shelf(store), **record.value)], _Here())
    return Check(path, *recipe.agree(record, again))


class _Here:
    """Where a check computes: on the CPU, without steps or checkpoints."""

    device = "cpu"

    def step(self) -> None:
        """Nobody counts."""

    def resume(self) -> None:
        """A check starts from nothing."""

    def keep(self, state: object) -> None:
        """A check keeps nothing."""
