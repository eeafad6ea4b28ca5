"""What a chapter's notebook holds on to while it runs: its parameters, records and progress.

`start` is the first call of every chapter. It checks the parameters that the notebook was opened
or executed with, so that plain papermill and plain Jupyter are as safe as the command.
"""

from __future__ import annotations

import ast
import json
import os
import shlex
import sys
import time
from collections.abc import Mapping
from contextlib import contextmanager
from dataclasses import dataclass, field
from pathlib import Path
from types import SimpleNamespace
from typing import Any

import joblib
from tqdm.auto import tqdm

from modclust_utils.paths import root
from modclust_utils.publish.parameters import (
    ParameterError,
    Schema,
    chapter_notebook,
    profiles,
    read_profile,
    read_schema,
)
from modclust_utils.publish.records import Record, RecordStore, write_atomically

# Parameters that say where and how fast to compute, not what: no record depends on them.
MACHINE_PARAMETERS = ("device", "n_jobs", "data_folder")
PROGRESS_VARIABLE = "MODCLUST_PROGRESS"
RUN_VARIABLE = "MODCLUST_RUN"


def published_folder() -> Path:
    """Records that are part of the book, committed."""
    return root() / "data" / "records"


def cache_folder() -> Path:
    """The user's own records, checkpoints and weights; not committed."""
    return root() / "data" / "cache"


def default_store() -> RecordStore:
    """New records go to the cache; published ones are read too."""
    return RecordStore(cache_folder() / "records", published_folder())


@dataclass
class Run:
    """A chapter with its parameters (`p`), its records, and what was used of them."""

    chapter: int
    parameters: dict[str, Any]
    schema: Schema
    store: RecordStore
    used: dict[tuple[str, str], Record] = field(default_factory=dict)

    @property
    def p(self) -> SimpleNamespace:
        """The parameters as attributes."""
        return SimpleNamespace(**self.parameters)

    @property
    def device(self) -> Any:
        """The torch device that new records are computed on."""
        # torch takes seconds to import, and the command that starts a kernel does not need it
        from modclust_utils.models import resolve_device

        return resolve_device(self.parameters["device"])

    @property
    def n_jobs(self) -> int:
        """Processes for independent work; one where a GPU does it."""
        if self.device.type != "cpu":
            return 1
        jobs = self.parameters["n_jobs"]
        return joblib.cpu_count() if jobs == -1 else max(jobs, 1)

    @property
    def profile(self) -> str:
        """``quick``, ``paper``, ..., or ``own parameters``."""
        return profile_of(self.schema, self.chapter, self.parameters)

    def use(self, record: Record) -> Record:
        """Note that the page depends on a record."""
        self.used[record.kind, record.key] = record
        self._write_used()
        return record

    def _write_used(self) -> None:
        folder = os.environ.get(RUN_VARIABLE)
        if folder:
            listing = json.dumps(sorted(self.used))
            write_atomically(Path(folder) / "used.json", listing.encode())

    @property
    def command(self) -> str:
        """The command that makes this page again."""
        words = [f"modclust run {self.chapter}"]
        if self.profile in profiles(self.chapter):
            if self.profile != "quick":
                words.append(f"--profile {self.profile}")
            return " ".join(words)
        base = self.schema.defaults
        for name, value in self.parameters.items():
            if name not in MACHINE_PARAMETERS and value != base[name]:
                text = value if isinstance(value, str) else json.dumps(value)
                words.append(f"-p {name} {shlex.quote(text)}")
        return " ".join(words)

    @contextmanager
    def progress(self, what: str, total: int, done: int = 0):
        """A progress bar, in the notebook or in the terminal of the command that runs it."""
        with _Progress(what, total, done) as bar:
            yield bar


def scientific(parameters: Mapping[str, Any]) -> dict[str, Any]:
    """The parameters that decide the results."""
    return {k: v for k, v in parameters.items() if k not in MACHINE_PARAMETERS}


def profile_of(schema: Schema, chapter: int, parameters: Mapping[str, Any]) -> str:
    """The profile whose results these parameters ask for, or ``own parameters``."""
    for profile in profiles(chapter):
        expected = schema.check(read_profile(chapter, profile))
        if scientific(expected) == scientific(parameters):
            return profile
    return "own parameters"


def start(chapter: int, namespace: Mapping[str, Any]) -> Run:
    """Check the parameters in a notebook's namespace and open its records.

    Raises ParameterError for unknown names (papermill records those without a word), wrong types
    and values out of range.
    """
    schema = read_schema(chapter_notebook(chapter))
    injected = _injected_names(namespace.get("In", []))
    given = {name: namespace[name] for name in schema.defaults if name in namespace}
    extra = {name: None for name in injected if name not in schema.defaults}
    return Run(chapter, schema.check({**given, **extra}), schema, default_store())


def _injected_names(cells: list[str]) -> list[str]:
    """Names that papermill's injected cells assign to."""
    names: list[str] = []
    for source in cells:
        if source.lstrip().startswith("# Parameters"):
            for node in ast.parse(source).body:
                if isinstance(node, ast.Assign):
                    names += [t.id for t in node.targets if isinstance(t, ast.Name)]
    return names


class _Progress:
    """tqdm in a notebook or terminal; a small file where the command watches from outside."""

    def __init__(self, what: str, total: int, done: int) -> None:
        self.what, self.total, self.done = what, total, done
        self.started = time.monotonic()
        self.file = os.environ.get(PROGRESS_VARIABLE)
        self.bar: Any = None

    def __enter__(self) -> _Progress:
        if self.file:
            self._write()
        else:
            self.bar = tqdm(
                desc=self.what, total=self.total, initial=self.done, leave=False, file=sys.stderr
            )
        return self

    def update(self, steps: int = 1) -> None:
        """Some steps more are done."""
        self.done += steps
        if self.bar is not None:
            self.bar.update(steps)
        else:
            self._write()

    def _write(self) -> None:
        state = {"what": self.what, "total": self.total, "done": self.done}
        write_atomically(Path(str(self.file)), json.dumps(state).encode())

    def __exit__(self, *_: object) -> None:
        if self.bar is not None:
            self.bar.close()
        elif self.file:
            Path(self.file).unlink(missing_ok=True)


__all__ = ["ParameterError", "Run", "start"]
