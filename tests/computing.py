"""What tests of computing share: bars that remember, the records of jobs, and small images."""

from __future__ import annotations

from collections.abc import Iterator, Sequence
from contextlib import contextmanager
from pathlib import Path

import numpy as np

from modclust_utils.publish import engine
from modclust_utils.publish.records import RecordStore
from modclust_utils.recipes.base import Job, Record


class Bars:
    """Progress bars that remember: what, total, and steps done."""

    def __init__(self, at_most: float = np.inf) -> None:
        self.shown: list[list] = []
        self.at_most = at_most

    @contextmanager
    def __call__(self, what: str, total: int) -> Iterator[Bars]:
        self.shown.append([what, total, 0])
        yield self

    def update(self, steps: int) -> None:
        self.shown[-1][2] += steps
        if self.shown[-1][2] > self.at_most:
            raise KeyboardInterrupt


def records(jobs: Sequence[Job], store: RecordStore) -> list[Record]:
    return engine.read_frames({"all": list(jobs)}, store)["all"]["record"].tolist()


def write_six_pixels(path: Path) -> Path:
    """Images of six pixels in three classes."""
    rng = np.random.default_rng(0)
    arrays = {}
    for name, n in (("train", 60), ("test", 20)):
        y = np.arange(n) % 3
        x = rng.random((n, 6)) * 0.5
        x[np.arange(n), y] += 0.5
        arrays |= {f"x_{name}": x, f"y_{name}": y}
    np.savez(path, **arrays)
    return path
