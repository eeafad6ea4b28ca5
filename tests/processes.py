"""Commands in processes of their own, for tests of how they end."""

from __future__ import annotations

import os
import signal
import subprocess
import sys
import time
from pathlib import Path

ENVIRONMENT = {"PYTHONPATH": os.pathsep.join(path for path in sys.path if path)}


def heed_signals() -> None:
    """A process that is started in the background, or under nohup, ignores some of them."""
    for number in (signal.SIGHUP, signal.SIGINT, signal.SIGTERM):
        signal.signal(number, signal.SIG_DFL)


def python(*words: str, cwd: Path | None = None) -> subprocess.Popen:
    """Python in a process of its own."""
    return subprocess.Popen(
        [sys.executable, *words],
        stdout=subprocess.PIPE,
        stderr=subprocess.PIPE,
        text=True,
        cwd=cwd,
        env={**os.environ, **ENVIRONMENT},
        preexec_fn=heed_signals,
    )


def modclust(*words: str, cwd: Path | None = None) -> subprocess.Popen:
    """The command in a process of its own."""
    return python("-m", "modclust_utils", *words, cwd=cwd)


def wait_for(file: Path, process: subprocess.Popen) -> None:
    for _ in range(1200):
        if file.exists():
            return
        assert process.poll() is None, process.communicate()
        time.sleep(0.05)
    raise AssertionError(f"{file} never came")
