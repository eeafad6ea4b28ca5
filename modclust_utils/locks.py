"""Locks of files between processes.

The system lets go of a lock when its process ends, however it ends. Where locks cannot be had (some
network disks) nothing is locked, and work goes on as it would alone.
"""

from __future__ import annotations

import errno
from collections.abc import Iterator
from contextlib import contextmanager, suppress
from pathlib import Path

from filelock import FileLock, Timeout

#: What disks say that have no locks.
NO_LOCKS = {errno.ENOSYS, errno.ENOLCK, errno.EOPNOTSUPP, errno.ENOTSUP, errno.EINVAL}


def native(path: Path) -> FileLock:
    """A lock of the system: never a file's mere existence, which outlives its process."""
    return FileLock(path, fallback_to_soft=False)


def take(file: FileLock, seconds: float) -> bool:
    """Take a lock within some seconds, any number for -1; False where another process holds it.

    Raises OSError where its file cannot be used.
    """
    try:
        file.acquire(timeout=seconds)
    except Timeout:
        return False
    except OSError as error:
        if error.errno not in NO_LOCKS:
            raise
    return True


@contextmanager
def alone(path: Path) -> Iterator[bool]:
    """Put files in place while nobody else does; waits without a word for who does.

    Gives whether the lock is held: it is not where there are none, nor where its file cannot be
    written.
    """
    file = native(path)
    with suppress(OSError):
        path.parent.mkdir(parents=True, exist_ok=True)
        take(file, -1)
    try:
        yield file.is_locked
    finally:
        file.release()
