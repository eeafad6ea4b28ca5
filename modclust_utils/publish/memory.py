"""How much memory a computation takes: the peak of the process that it runs in, and of its GPU."""

from __future__ import annotations

import sys
import threading
from collections.abc import Callable, Iterator
from contextlib import contextmanager, suppress
from pathlib import Path

import torch

STATUS, CLEAR = Path("/proc/self/status"), Path("/proc/self/clear_refs")
_measuring = 0
_lock = threading.Lock()


@contextmanager
def peak_memory(device: str) -> Iterator[Callable[[], dict[str, float]]]:
    """Measure the memory of what is done inside; yields what tells the peaks so far, in megabytes.

    ``peak_mb`` is the largest resident size of this process, all libraries included; of what ran
    before in the same process it has only what is still held where the system can begin anew
    (Linux), and its largest size so far where it cannot. ``peak_gpu_mb``: the most that tensors
    took on a CUDA device. What the system does not tell is not there.
    """
    global _measuring
    with _lock:
        if not _measuring:  # another thread's peak must not be forgotten
            _begin(device)
        _measuring += 1
    try:
        yield lambda: _peaks(device)
    finally:
        with _lock:
            _measuring -= 1


def _begin(device: str) -> None:
    with suppress(OSError):
        CLEAR.write_text("5")  # proc(5): the peak resident size becomes the present one
    if device.startswith("cuda"):
        torch.cuda.reset_peak_memory_stats(device)


def _peaks(device: str) -> dict[str, float]:
    found = {}
    if resident := _resident():
        found["peak_mb"] = round(resident / 1e6, 1)
    if device.startswith("cuda"):
        found["peak_gpu_mb"] = round(torch.cuda.max_memory_allocated(device) / 1e6, 1)
    return found


def _resident() -> int | None:
    """The peak resident size of this process in bytes, None where the system does not tell it."""
    with suppress(OSError):
        for line in STATUS.read_text().splitlines():
            if line.startswith("VmHWM:"):
                return 1024 * int(line.split()[1])
    try:
        import resource  # not on Windows
    except ImportError:
        return None
    peak = resource.getrusage(resource.RUSAGE_SELF).ru_maxrss
    return peak if sys.platform == "darwin" else 1024 * peak
