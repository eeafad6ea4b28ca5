"""Who is at work: locks that end with their process, and private folders.

The system lets go of a lock when its process ends, however it ends, so a lock that is held tells
the truth where a note on the disk would not. Where locks cannot be had (some network disks,
Windows) nothing is locked, and runs go on as they would alone.
"""

from __future__ import annotations

import json
import os
import platform
import shutil
import tempfile
from collections.abc import Iterator
from contextlib import contextmanager
from datetime import UTC, datetime
from pathlib import Path
from typing import Any

from modclust_utils.publish.errors import RunError

try:
    import fcntl
except ImportError:  # Windows
    fcntl = None  # type: ignore[assignment]

PREFIX = "modclust-"
#: Longest path of a socket, 103 characters on macOS, less what the kernel's sockets add.
LONGEST = 80


def _take(file: int, *, wait: bool) -> bool:
    """Lock an open file; False where another process holds it."""
    if fcntl is None:
        return True
    try:
        fcntl.flock(file, fcntl.LOCK_EX | (0 if wait else fcntl.LOCK_NB))
    except BlockingIOError:
        return False
    except OSError:  # this disk has no locks
        return True
    return True


@contextmanager
def lock(path: Path, what: str, *, wait: bool = False) -> Iterator[None]:
    """Hold a lock; `what` it is about, in words.

    Raises RunError that says who holds it, unless it is to `wait` for that.
    """
    path.parent.mkdir(parents=True, exist_ok=True)
    handle = os.open(path, os.O_RDWR | os.O_CREAT, 0o644)
    try:
        if not _take(handle, wait=False):
            if not wait:
                raise RunError(
                    f"{what} is at work already: {holder(path)}. Wait until it is done, or stop "
                    "it; runs with other parameters may go beside it."
                )
            print(f"--- waiting for {what}: {holder(path)}", flush=True)
            _take(handle, wait=True)
        os.truncate(handle, 0)
        os.write(handle, json.dumps(runner()).encode())
        yield
    finally:
        os.close(handle)


def is_held(path: Path) -> bool:
    """Whether a process that is alive holds a lock."""
    try:
        handle = os.open(path, os.O_RDONLY)
    except OSError:
        return False
    try:
        return not _take(handle, wait=False)
    finally:
        os.close(handle)


def runner() -> dict[str, Any]:
    """This process: its number, its machine, and the time."""
    now = datetime.now(UTC).isoformat(timespec="seconds")
    return {"process": os.getpid(), "machine": platform.node(), "since": now}


def holder(path: Path) -> str:
    """Who holds a lock, in words."""
    try:
        found = json.loads(path.read_text(encoding="utf-8"))
        return f"process {found['process']} on {found['machine']}, since {found['since']}"
    except (OSError, ValueError, KeyError, TypeError):
        return "another process"


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
    for folder in base.glob(f"{PREFIX}*") if fcntl else ():
        try:
            own = not hasattr(os, "getuid") or folder.stat().st_uid == os.getuid()
        except OSError:
            continue
        file = folder / "lock"
        # one without a lock is being made just now, or is of another kind
        if own and not folder.is_symlink() and file.is_file() and not is_held(file):
            shutil.rmtree(folder, ignore_errors=True)
