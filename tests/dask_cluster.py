"""A real Dask scheduler and its workers, processes of this machine alone."""

from __future__ import annotations

import asyncio
import json
import logging
import multiprocessing
import os
import subprocess
import sys
import time
from collections.abc import Callable, Sequence
from contextlib import suppress
from pathlib import Path
from typing import Any

import psutil

from modclust_utils.recipes import all_recipes

ROOT = Path(__file__).resolve().parent.parent
LOOPBACK = "127.0.0.1"
PATIENCE_SECONDS = 120


def start_warm() -> Any:
    """A way to start processes that have loaded the package already: that takes most of the time
    that a worker needs, and here it is taken once."""
    warm = multiprocessing.get_context("forkserver" if os.name == "posix" else "spawn")
    if os.name == "posix":
        kinds = [recipe.compute.__module__ for recipe in all_recipes().values()]
        warm.set_forkserver_preload(["modclust_utils.publish.dask_worker", *kinds])
    return warm


class Cluster:
    """A scheduler, started at once, and workers, each with a folder of its own and no other.

    warm: a scheduler that starts fast; one that is not finds a package of our name that cannot be
    used, since it does not need ours.
    """

    def __init__(self, folder: Path, *, warm: bool = False, allowed_failures: int = 3) -> None:
        folder.mkdir(exist_ok=True)
        self.folder = folder
        self.processes: list[Any] = []
        file = folder / "scheduler.json"
        if warm:
            self._start_warm(_schedule, file, allowed_failures)
        else:
            self._start(
                *("scheduler", "--host", LOOPBACK, "--port", "0", "--no-show"),
                *("--no-dashboard", "--dashboard-address", f"{LOOPBACK}:0"),
                *("--scheduler-file", str(file)),
                paths=[useless_package(folder / "useless")],
            )
        self.scheduler = self.processes[0]
        self.address = str(wait_for(lambda: _read(file), "the scheduler")["address"])

    def start_workers(self, *names: str, packages: str = "") -> list[int]:
        """Start workers; packages: a folder with other versions of packages. Their processes."""
        for name in names:
            self._start_warm(_work, self.address, self._own(name), packages)
        return [process.pid for process in self.processes[-len(names) :]]

    def _start_warm(self, target: Callable[..., None], *arguments: Any) -> None:
        process = start_warm().Process(target=target, args=arguments, daemon=True)
        process.start()
        self.processes.append(process)

    def start_worker_of(self, name: str, package: Path) -> None:
        """Start a worker that finds another package of our name, as a user would."""
        self._start(
            *("worker", self.address, "--host", LOOPBACK, "--no-nanny"),
            *("--no-dashboard", "--dashboard-address", f"{LOOPBACK}:0"),
            *("--nthreads", "1", "--memory-limit", "0"),
            paths=[package],
            folder=self._own(name),
        )

    def wait(self) -> None:
        """Wait until the scheduler has all workers that were started."""
        from distributed import Client

        with Client(self.address, set_as_default=False) as client:
            client.wait_for_workers(len(self.processes) - 1, timeout=PATIENCE_SECONDS)

    def worker_address(self) -> str:
        """The address of one of its workers."""
        from distributed import Client

        with Client(self.address, set_as_default=False) as client:
            return min(client.scheduler_info(n_workers=-1)["workers"])

    def _own(self, name: str) -> Path:
        folder = self.folder / name
        folder.mkdir()
        return folder

    def _start(
        self,
        what: str,
        *words: str,
        paths: Sequence[Path],
        folder: Path | None = None,
    ) -> None:
        with (self.folder / f"{what}-{len(self.processes)}.log").open("wb") as log:
            process = subprocess.Popen(
                [sys.executable, "-m", f"distributed.cli.dask_{what}", *words],
                cwd=folder or self.folder,
                env=os.environ | {"PYTHONPATH": os.pathsep.join(map(str, paths))},
                stdout=log,
                stderr=log,
            )
        self.processes.append(process)

    def listening(self) -> set[str]:
        """Addresses that its processes, and this one, listen on."""
        found = set()
        for number in [os.getpid(), *(process.pid for process in self.processes)]:
            with suppress(psutil.NoSuchProcess):
                connections = psutil.Process(number).net_connections(kind="inet")
                found |= {c.laddr.ip for c in connections if c.status == psutil.CONN_LISTEN}
        return found

    def close(self) -> None:
        """End all of its processes."""
        for process in self.processes:
            process.kill()
        for process in self.processes:
            # of a command, or of a forked process
            process.wait() if isinstance(process, subprocess.Popen) else process.join()


def useless_package(folder: Path) -> Path:
    """A folder with a package of our name that cannot be loaded.

    Modules that an empty one lacks would come from an editable installation.
    """
    (folder / "modclust_utils").mkdir(parents=True)
    (folder / "modclust_utils" / "__init__.py").write_text(
        "raise ModuleNotFoundError(\"No module named 'modclust_utils'\")\n"
    )
    return folder


def wait_for(there: Callable[[], Any], what: str) -> Any:
    """Wait until something is there, and return it."""
    end = time.monotonic() + PATIENCE_SECONDS
    while time.monotonic() < end:
        found = there()
        if found:
            return found
        time.sleep(0.05)
    raise TimeoutError(f"{what} did not come")


def _read(file: Path) -> Any:
    try:
        return json.loads(file.read_text(encoding="utf-8"))
    except (OSError, ValueError):
        return None


def _schedule(file: Path, allowed_failures: int) -> None:
    """Be a scheduler."""
    import dask
    from distributed import Scheduler

    async def schedule() -> None:
        dask.config.set({"distributed.scheduler.allowed-failures": allowed_failures})
        async with Scheduler(
            host=LOOPBACK, port=0, dashboard=False, dashboard_address=f"{LOOPBACK}:0"
        ) as scheduler:
            file.write_text(json.dumps({"address": scheduler.address}), encoding="utf-8")
            await scheduler.finished()

    logging.getLogger("distributed").setLevel(logging.WARNING)
    asyncio.run(schedule())


def _work(address: str, folder: Path, packages: str) -> None:
    """Be a worker, until the scheduler is gone."""
    from distributed import Worker

    from modclust_utils.publish.records import software

    logging.getLogger("distributed").setLevel(logging.WARNING)
    os.chdir(folder)
    # what a machine of its own would have
    os.environ |= {"HOME": str(folder), "MODCLUST_DATA": str(folder / "images")}
    if packages:
        sys.path.insert(0, packages)
        software.cache_clear()

    async def work() -> None:
        worker = Worker(
            address,
            nthreads=1,
            host=LOOPBACK,
            local_directory=str(folder),
            memory_limit=0,
            dashboard=False,
            dashboard_address=f"{LOOPBACK}:0",
        )
        async with worker:
            await worker.finished()

    asyncio.run(work())
