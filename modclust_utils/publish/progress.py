"""Progress for people: a bar in a terminal, a line every few seconds in a file or pipe."""

from __future__ import annotations

import sys
import time
from typing import Any

from tqdm import tqdm

from modclust_utils.publish.errors import plain_text

SECONDS = 5.0


class Lines:
    """A line now and then, in the place of a bar: how much is done, and after how long."""

    def __init__(self, what: str, total: int, done: int = 0) -> None:
        self.what, self.total, self.n = what, total, done
        self.started = self.printed = time.monotonic()
        self.print_line()

    def update(self, steps: int = 1) -> None:
        """Some steps more are done."""
        self.n += steps
        if time.monotonic() - self.printed >= SECONDS:
            self.print_line()

    def print_line(self) -> None:
        """Say where it stands."""
        self.printed = time.monotonic()
        seconds = f"{self.printed - self.started:.0f} s"
        print(f"{self.what}: {self.n} of {self.total}, {seconds}", file=sys.stderr, flush=True)

    def close(self) -> None:
        """Say that it is done."""
        self.print_line()


def say(line: str) -> None:
    """A line between steps, of what else is to be known."""
    print(plain_text(f"--- {line}"), flush=True)


def bar(what: str, total: int, done: int = 0) -> Any:
    """A bar of tqdm where standard error is a terminal; else `Lines`."""
    if sys.stderr.isatty():
        return tqdm(desc=what, total=total, initial=done)
    return Lines(what, total, done)
