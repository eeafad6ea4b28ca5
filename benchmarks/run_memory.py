"""How much memory a whole run takes: the command, its kernel and its workers, all at one time.

Starts a command and looks at it and all processes that it has started, again and again. Pages that
processes share (libraries, mostly) count once: their proportional set sizes are added, which Linux
alone tells. The largest sum counts; beside it stands that of the resident sizes, which count shared
pages once for each process.
"""

from __future__ import annotations

import argparse
import subprocess
import sys
import time
from contextlib import suppress
from pathlib import Path
from typing import Any

import psutil
from report import RESULTS, machine, print_table, write

MB = 1e6


def parse() -> argparse.Namespace:
    parser = argparse.ArgumentParser(description=__doc__.splitlines()[0])
    parser.add_argument("--every", type=float, default=2.0, help="seconds between two looks")
    parser.add_argument("--out", type=Path, default=RESULTS / "run_memory.json")
    parser.add_argument("command", nargs="+", help="behind --, as it would be typed")
    return parser.parse_args()


def sizes(process: psutil.Process) -> list[dict[str, Any]]:
    """Memory of a process and of those that it has started, in megabytes, the largest first."""
    found = []
    with suppress(psutil.Error):
        for each in [process, *process.children(recursive=True)]:
            with suppress(psutil.Error):  # it has ended meanwhile
                memory = each.memory_full_info()
                sizes = {"pss_mb": memory.pss / MB, "rss_mb": memory.rss / MB}
                found.append({"what": kind(each.cmdline()), **sizes})
    return sorted(found, key=lambda each: -each["pss_mb"])


def kind(command: list[str]) -> str:
    """What a process is, by its command line."""
    words = " ".join(command)
    for mark, name in (
        ("ipykernel", "kernel"),
        ("resource_tracker", "tracker of resources"),
        ("loky", "worker"),
    ):
        if mark in words:
            return name
    return "command"


def main() -> int:
    options = parse()
    started = time.monotonic()
    run = subprocess.Popen(options.command)
    process, most, looks = psutil.Process(run.pid), [], 0
    while run.poll() is None:
        now = sizes(process)
        looks += 1
        if total(now, "pss_mb") > total(most, "pss_mb"):
            most = now
        time.sleep(options.every)
    rows = [[each["what"], f"{each['pss_mb']:,.0f}", f"{each['rss_mb']:,.0f}"] for each in most]
    print_table(["process", "MB", "resident MB"], rows)
    print(f"together {total(most, 'pss_mb'):,.0f} MB; resident {total(most, 'rss_mb'):,.0f} MB")
    write(
        options.out,
        {
            "machine": machine(),
            "command": options.command,
            "seconds": round(time.monotonic() - started, 1),
            "looks": looks,
            "peak_mb": round(total(most, "pss_mb")),
            "peak_resident_mb": round(total(most, "rss_mb")),
            "processes": [
                {**each, **{name: round(each[name]) for name in ("pss_mb", "rss_mb")}}
                for each in most
            ],
        },
    )
    return run.returncode


def total(found: list[dict[str, Any]], name: str) -> float:
    """Megabytes of all processes together."""
    return sum(each[name] for each in found)


if __name__ == "__main__":
    sys.exit(main())
