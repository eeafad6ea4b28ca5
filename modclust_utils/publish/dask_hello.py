"""What a worker of a Dask scheduler says of itself, before it computes anything for a run.

What travels to it are references to code and values, no code, which therefore has to be the same on
both sides. A worker that has other code should not wait for torch to say so.
"""

from __future__ import annotations

import asyncio
import hashlib
import platform
from collections.abc import Collection
from pathlib import Path
from typing import TYPE_CHECKING, Any

from modclust_utils.publish.records import lacking, software

if TYPE_CHECKING:
    from distributed import Worker

PACKAGE = Path(__file__).resolve().parents[1]


def code_hash(package: Path = PACKAGE) -> str:
    """Hash of the modules of a package, whatever ends their lines."""
    digest = hashlib.sha256()
    for path in sorted(package.rglob("*.py")):
        text = path.read_bytes().replace(b"\r\n", b"\n")
        digest.update(path.relative_to(package).as_posix().encode() + b"\0" + text + b"\0")
    return digest.hexdigest()[:16]


#: Of the code that this process runs: files that change later change nothing in it.
CODE = code_hash()


def resources(device: str, packages: Collection[str] = ()) -> dict[str, float]:
    """What a group needs of a worker: that it takes groups of this code, one at a time, and that it
    has the device and the optional packages. One without may fit for another run of the same
    code."""
    own = "-".join([CODE, device, *sorted(packages)])
    return {f"modclust-{CODE}": 1, f"modclust-{own}": 1}


async def introduce(
    code: str, device: str, packages: Collection[str], dask_worker: Worker
) -> dict[str, Any]:
    """What a worker is; from here on, one that fits takes groups, one at a time.

    code: that of the owner; device, packages: what groups ask for. `problem` says why it does not
    fit.
    """
    problem = "it has other code of this package"
    if code == CODE:
        problem = lacking(packages) or await asyncio.to_thread(_get_ready, device)
    if not problem:
        # its threads compute the one group: trainings in threads of one process wait for each other
        await dask_worker.set_resources(**resources(device, packages))
        _begin_to_run(dask_worker)
    return {"problem": problem, "machine": platform.node(), "software": software()}


def _begin_to_run(worker: Worker) -> None:
    """A scheduler gives what nobody could take to a worker that begins to run; it does not look
    again when one says later what it has."""
    from distributed import Status

    if worker.status is Status.running:
        worker.status = Status.paused
        worker.status = Status.running


def _get_ready(device: str) -> str:
    """Load all code that groups may need, as it is now; why they cannot be computed here."""
    try:
        from modclust_utils.models import resolve_device
        from modclust_utils.publish import dask_worker  # noqa: F401
        from modclust_utils.recipes import all_recipes

        all_recipes()
    except Exception as error:  # a library that is missing, or made for another machine
        return f"it cannot load this version of the package ({error})"
    try:
        resolve_device(device)
    except ValueError as error:
        return str(error)
    return ""
