"""A run's jobs on this machine's processes, and on one and two workers of a Dask scheduler.

Three things are measured, all on the loopback: what a job costs beside its work (jobs that do
nothing); how long real work takes (shuffle tests of published networks); and how fast weights
travel from the owner to a worker (jobs that do nothing with the weights of a network).
"""

from __future__ import annotations

import argparse
import os
import tempfile
from collections.abc import Callable, Iterator, Sequence
from contextlib import contextmanager
from functools import partial
from pathlib import Path
from typing import Any

from dask_kinds import NOTHING, WEIGHTS
from distributed import LocalCluster
from report import RESULTS, machine, print_table, seconds, write

from modclust_utils.publish import engine
from modclust_utils.publish.dask_owner import DaskCrew
from modclust_utils.publish.groups import Crew, LocalCrew
from modclust_utils.publish.records import RecordStore, published_folder
from modclust_utils.publish.run import check_run
from modclust_utils.publish.session import plan
from modclust_utils.recipes import shuffle_test
from modclust_utils.recipes.base import Job

LOOPBACK = "127.0.0.1"


def parse() -> argparse.Namespace:
    parser = argparse.ArgumentParser(description=__doc__.splitlines()[0])
    parser.add_argument("--n-nothing", type=int, default=200, help="jobs that do nothing")
    parser.add_argument("--n-tests", type=int, default=8, help="shuffle tests")
    parser.add_argument("--n-shuffles", type=int, default=40)
    parser.add_argument("--n-weights", type=int, default=25_000_000, help="numbers of 4 bytes")
    parser.add_argument("--n-sent", type=int, default=6, help="jobs that the weights are sent to")
    parser.add_argument("--repeats", type=int, default=3, help="times; the fastest counts")
    parser.add_argument("--out", type=Path, default=RESULTS / "dask_scaling.json")
    return parser.parse_args()


class Silent:
    """A progress bar that is not shown."""

    @contextmanager
    def __call__(self, what: str, total: int) -> Iterator[Silent]:
        yield self

    def update(self, steps: int) -> None:
        """Nobody looks."""


def nothing(n: int) -> list[Job]:
    return [Job(NOTHING, {"number": i, "network": ""}) for i in range(n)]


def tests(n: int, n_shuffles: int) -> list[Job]:
    """Shuffle tests of networks of chapter 1 whose records are published."""
    p = argparse.Namespace(**check_run(1, "paper"))
    networks = [job for jobs in plan(1, p).values() for job in jobs if job.kind == "network"]
    store = RecordStore(Path("none"), published_folder())
    there = [job for job in networks if store.find(job.kind, job.key)]
    keys = list({job.key: job for job in there}.values())[:n]
    return [
        shuffle_test.job(job, "after", mode="layer", n_clusters=4, n_shuffles=n_shuffles, seed=0)
        for job in keys
    ]


def sent(n: int, n_weights: int) -> list[Job]:
    network = Job(WEIGHTS, {"n": n_weights})
    needs = {"network": network}
    return [
        Job(NOTHING, {"number": i, "network": network.key}, needs, kept="weights") for i in range(n)
    ]


def fastest(
    make: Callable[[], Sequence[Job]], crew: Crew, repeats: int, *, before: Sequence[Job] = ()
) -> float:
    """Seconds for all jobs together, their records written; before: what is computed before."""
    taken = []
    for _ in range(repeats):
        with tempfile.TemporaryDirectory() as folder:
            store = RecordStore(Path(folder), published_folder())
            engine.compute(list(before), store, crew=crew, progress=Silent())
            jobs = list(make())
            compute = partial(engine.compute, jobs, store, crew=crew, progress=Silent())
            taken.append(seconds(compute)[0])
    return min(taken)


def measure(crew: Crew, options: argparse.Namespace, *, transfer: bool) -> dict[str, Any]:
    # processes start and import before they are timed
    fastest(lambda: nothing(8), crew, 1)
    fastest(lambda: tests(2, 2), crew, 1)
    n, repeats = options.n_nothing, options.repeats
    found = {
        "load": os.getloadavg()[0],
        "ms_per_job": 1000 * fastest(lambda: nothing(n), crew, repeats) / n,
        "tests_seconds": fastest(lambda: tests(options.n_tests, options.n_shuffles), crew, repeats),
    }
    if transfer:
        jobs = sent(options.n_sent, options.n_weights)
        taken = fastest(lambda: jobs, crew, repeats, before=list(jobs[0].needs.values()))
        found["bytes_per_second"] = options.n_sent * options.n_weights * 4 / taken
    return found


#: What the page advises: else workers give back freed memory at once, and arrays that come and go
#: take longer.
MEMORY = {"MALLOC_TRIM_THRESHOLD_": "200000000", "MALLOC_MMAP_THRESHOLD_": "33554432"}


def main() -> None:
    options = parse()
    os.environ.update(MEMORY)
    ways: dict[str, dict[str, Any]] = {
        "this process": measure(LocalCrew(), options, transfer=False)
    }
    for n in (1, 2):
        with (
            LocalCluster(
                n_workers=n, threads_per_worker=1, host=LOOPBACK, dashboard_address=None
            ) as cluster,
            DaskCrew(cluster.scheduler_address, "cpu") as crew,
        ):
            name = f"{n} worker{'s' * (n > 1)}"
            ways[name] = measure(crew, options, transfer=True)
            print(name, ways[name], flush=True)
    alone = ways["this process"]["tests_seconds"]
    for way in ways.values():
        way["speedup"] = alone / way["tests_seconds"]
    print_table(
        ["way", "ms a job", "shuffle tests, s", "times as fast", "MB/s"],
        [
            [
                name,
                f"{way['ms_per_job']:.1f}",
                f"{way['tests_seconds']:.1f}",
                f"{way['speedup']:.2f}",
                f"{way.get('bytes_per_second', 0) / 1e6:.0f}",
            ]
            for name, way in ways.items()
        ],
    )
    names = ("n_nothing", "n_tests", "n_shuffles", "n_weights", "n_sent", "repeats")
    settings = {name: getattr(options, name) for name in names}
    write(options.out, {"machine": machine(), "settings": settings, "ways": ways})


if __name__ == "__main__":
    main()
