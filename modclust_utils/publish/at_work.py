"""Who is at work: locks that end with their process, and private folders.

The system lets go of a lock when its process ends, however it ends, so a lock that is held tells
the truth where a note on the disk would not. Where locks cannot be had (some network disks) nothing
is locked, and runs go on as they would alone.
"""

from __future__ import annotations

import json
import os
import platform
import shutil
import tempfile
from collections.abc import Iterator
from contextlib import contextmanager, suppress
from datetime import UTC, datetime
from pathlib import Path
from typing import Any

import psutil

from modclust_utils.locks import native, take
from modclust_utils.publish.errors import RunError

PREFIX = "modclust-"
#: Longest path of a socket, 103 characters on macOS, less what the kernel's sockets add.
LONGEST = 80
#: Seconds in which a process that only looks whether a lock is held lets go of it.
LOOK_SECONDS = 0.5


@contextmanager
def lock(path: Path, what: str, *, wait: bool = False) -> Iterator[None]:
    """Hold a lock; `what` it is about, in words.

    Raises RunError that says who holds it, unless it is to `wait` for that.
    """
    path.parent.mkdir(parents=True, exist_ok=True)
    file = native(path)
    if not take(file, LOOK_SECONDS):
        if not wait:
            raise RunError(
                f"{what} is at work already: {holder(path)}. Wait until it is done, or stop "
                "it; runs with other parameters may go beside it."
            )
        print(f"--- waiting for {what}: {holder(path)}", flush=True)
        take(file, -1)
    try:
        _note(path).write_text(json.dumps(runner()), encoding="utf-8")
        yield
    finally:
        with suppress(OSError):  # somebody reads it, and this system minds
            _note(path).unlink(missing_ok=True)
        file.release()


def _note(path: Path) -> Path:
    # a file of its own: on Windows nobody can read one that is locked
    return path.with_name(f"{path.name}.holder")


def is_held(path: Path) -> bool:
    """Whether a process that is alive holds a lock."""
    if not path.is_file():
        return False
    file = native(path)
    with suppress(OSError):
        # as long as another process may look as well
        if not take(file, LOOK_SECONDS):
            return True
    if file.is_locked:
        file.release()
        return False
    # it is somebody else's, its disk is read-only or has no locks: believe the note
    found = _read_note(path)
    return bool(found) and is_there(found["process"], found["machine"])


def is_there(process: int, machine: str) -> bool:
    """Whether a process is there; True where that cannot be seen from here."""
    return platform.node() != machine or psutil.pid_exists(process)


def runner() -> dict[str, Any]:
    """This process: its number, its machine, and the time."""
    now = datetime.now(UTC).isoformat(timespec="seconds")
    return {"process": os.getpid(), "machine": platform.node(), "since": now}


def holder(path: Path) -> str:
    """Who holds a lock, in words."""
    found = _read_note(path)
    if not found:
        return "another process"
    return f"process {found['process']} on {found['machine']}, since {found['since']}"


def _read_note(path: Path) -> dict[str, Any]:
    try:
        found = json.loads(_note(path).read_text(encoding="utf-8"))
        return {name: found[name] for name in ("process", "machine", "since")}
    except (OSError, ValueError, KeyError, TypeError):
        return {}


@contextmanager
def private_folder() -> Iterator[Path]:
    """A folder of this user's alone, with a path that is short enough for sockets.

    It is removed at the end; what processes that were killed left behind goes at the next start.
    """
    base = Path(tempfile.gettempdir())
    if len(str(base)) + len(PREFIX) + 8 > LONGEST and os.name == "posix":
        base = Path("/tmp")
    _clear(base)
    folder = Path(tempfile.mkdtemp(prefix=PREFIX, dir=base))
    try:
        with lock(folder / "lock", "a run"):
            yield folder
    finally:
        shutil.rmtree(folder, ignore_errors=True)


def _clear(base: Path) -> None:
    """Remove this user's folders whose process is gone."""
    for folder in base.glob(f"{PREFIX}*"):
        try:
            own = not hasattr(os, "getuid") or folder.stat().st_uid == os.getuid()
        except OSError:
            continue
        file = folder / "lock"
        # one without a note is being made just now, or is of another kind
        if own and not folder.is_symlink() and _note(file).is_file() and not is_held(file):
            shutil.rmtree(folder, ignore_errors=True)
