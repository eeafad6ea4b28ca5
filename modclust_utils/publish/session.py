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
from collections.abc import Iterator, Mapping
from contextlib import AbstractContextManager, contextmanager, nullcontext
from dataclasses import dataclass, field
from pathlib import Path
from types import SimpleNamespace
from typing import Any

import joblib
import pandas as pd
from tqdm.auto import tqdm

from modclust_utils import datasets
from modclust_utils.models import resolve_device
from modclust_utils.publish import claims, coverage, exercises, show
from modclust_utils.publish.chapters import chapter_notebook, plan, profiles
from modclust_utils.publish.dask_address import named_scheduler
from modclust_utils.publish.dask_owner import DaskCrew
from modclust_utils.publish.escape import texts_in
from modclust_utils.publish.left import ANSWER, PROGRESS_VARIABLE, leave_with_run
from modclust_utils.publish.parameters import (
    Schema,
    check_device,
    profile_of,
    read_profile,
    read_schema,
    scientific,
    shown,
)
from modclust_utils.publish.progress import bar
from modclust_utils.publish.records import (
    RecordStore,
    commit,
    default_store,
    write_atomically,
)


@dataclass(frozen=True)
class Run:
    """A chapter with its parameters (`p`) and the records that it reads and writes."""

    chapter: int
    parameters: dict[str, Any]
    schema: Schema
    store: RecordStore
    heard: set[str] = field(default_factory=set, compare=False, repr=False)

    @property
    def p(self) -> SimpleNamespace:
        """The parameters as attributes."""
        return SimpleNamespace(**self.parameters)

    @property
    def device(self) -> Any:
        """The torch device that new records are computed on."""
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

    def compute(self) -> dict[str, pd.DataFrame]:
        """The chapter's records, computed where missing: a frame for each name in its plan.

        A row a record: what it is about (data set, dropout, phase, k, seed), the entries of its
        value, and the record itself.
        """
        from modclust_utils.publish import engine

        planned = plan(self.chapter, self.p)
        jobs = [job for each in planned.values() for job in each]
        with self.crew() as crew:
            engine.compute(jobs, self.store, crew=crew, progress=progress)
        leave_with_run("used.json", sorted(engine.planned(planned)))
        frames = engine.read_frames(planned, self.store)
        for frame in frames.values():
            for record in frame["record"]:
                self.heard.update(texts_in([record.value, record.parameters, record.provenance]))
        return frames

    def crew(self) -> AbstractContextManager[Any]:
        """Who computes: this machine, or the workers of the scheduler that is named."""
        from modclust_utils.publish.groups import LocalCrew

        if address := named_scheduler():
            return DaskCrew(address, self.parameters["device"])
        return nullcontext(LocalCrew(str(self.device), self.n_jobs))

    def outside_texts(self) -> set[str]:
        """Texts of this run that the book did not write: parameters, names of classes, and what
        stands in records."""
        found = texts_in(self.parameters) | texts_in(shown(self.parameters)) | self.heard
        files = [text for text in found if text.endswith(".npz") and Path(text).is_file()]
        names = [name for file in files for name in datasets.class_names(file)]
        return {*found, *names, *(datasets.short_name(text) for text in found)} - set(
            datasets.NAMES
        )

    @property
    def command(self) -> str:
        """The command that makes this page again."""
        words = [f"modclust run {self.chapter}"]
        if self.profile in profiles(self.chapter):
            if self.profile != "quick":
                words.append(f"--profile {self.profile}")
            return " ".join(words)
        values = shown(self.parameters)
        for name in self.changed:
            value = values[name]
            text = value if isinstance(value, str) else json.dumps(value)
            words.append(f"-p {name} {shlex.quote(text)}")
        return " ".join(words)

    @property
    def changed(self) -> list[str]:
        """The scientific parameters that differ from the quick profile."""
        return self.differing("quick")

    def differing(self, profile: str) -> list[str]:
        """The scientific parameters that differ from those of a profile.

        Raises ParameterError where the chapter has no such profile.
        """
        expected = self._of_profile(profile)
        return [name for name, v in scientific(self.parameters).items() if v != expected[name]]

    def smaller(self, profile: str) -> list[str]:
        """The scientific parameters that are numbers below those of a profile, and more than 0: of
        what is 0 there is nothing, rather than less."""
        expected, own = self._of_profile(profile), scientific(self.parameters)
        differing = ((name, own[name]) for name in self.differing(profile))
        return [
            name for name, v in differing if isinstance(v, int | float) and 0 < v < expected[name]
        ]

    def _of_profile(self, profile: str) -> dict[str, Any]:
        return self.schema.check(read_profile(self.chapter, profile))

    # The page: `publish.show` says how each of these looks.

    def badge(self) -> None:
        """The page's first line: which profile it shows, and the command that made it."""
        show.badge(self)

    def in_short(self, *sentences: str, answer: str, verdicts: Any) -> None:
        """What was found, as three to five sentences whose numbers were computed, and how many
        claims have each verdict (of `decide`). It stands before the method.

        answer: the answer to the chapter's question in one sentence, left with the run for the
        first page of the book.
        """
        leave_with_run(ANSWER, answer)
        show.in_short(sentences, verdicts, self.outside_texts())

    def values(self) -> None:
        """The values of the parameters as a table."""
        show.values(self)

    def show(self, shown: Any, *, name: str) -> None:
        """A figure or table with the strip that says how it was made; name: that of its CSV file.

        Raises ValueError for what is no figure or table with a trace.
        """
        show.show(self, shown, name=name)

    def say(self, text: str) -> None:
        """A paragraph whose numbers were computed."""
        show.say(text, self.outside_texts())

    def look_into(self, words: str, clustering: Any, **place: tuple[int, int]) -> None:
        """A paragraph with a link into the network viewer, where that shows this clustering.

        words: what the reader looks into; clustering: its record; place: a `unit` (layer, number)
        or a `sub_cluster` (layer, cluster).
        """
        from modclust_utils.publish import viewer_links

        link = viewer_links.link(f"Look into {words}", clustering, **place)
        if link:
            self.say(f"{link} in the network viewer.")

    def check(self, exercise: str, answer: Any) -> None:
        """Say whether an answer to one of the chapter's exercises is right, or what is wrong.

        answer: ``...`` is none yet. Raises ParameterError for an exercise that is not there.
        """
        exercises.check(exercise, answer, chapter=self.chapter, store=self.store)

    def decide(self, results: Any, ordinary: Any = None) -> Any:
        """The chapter's claims decided by its rules from `results`, as a table for `show`.

        ordinary: the same without networks that are far from their kind. The verdicts are left with
        the run, for the scoreboard.
        """
        return claims.decide(self.chapter, results, ordinary)

    def cover(self, covered: pd.DataFrame) -> Any:
        """The tables and figures of papers that the chapter is about, as a table for `show`: how
        much of each has ours beside it, and how close.

        covered: `coverage.table_of`. It is left with the run, for the page about all papers.
        """
        return coverage.cover(self.chapter, covered)


def start(chapter: int, namespace: Mapping[str, Any]) -> Run:
    """Check the parameters in a notebook's namespace and open its records.

    Raises ParameterError for unknown names (papermill records those without a word), wrong types
    and values out of range.
    """
    commit()  # that of the code which runs from here on, whatever is committed meanwhile
    schema = read_schema(chapter_notebook(chapter))
    injected = _injected_names(namespace.get("In", []))
    given = {name: namespace[name] for name in schema.defaults if name in namespace}
    for name in set(injected) & set(given):
        # papermill leaves what it cannot read as a text; read like what is typed for the command
        if isinstance(given[name], str):
            given[name] = schema.parse(name, given[name])
    if injected:
        from modclust_utils.publish.papermill_words import check_words

        check_words(schema, given)
    extra = {name: None for name in injected if name not in schema.defaults}
    checked = schema.check({**given, **extra})
    check_device(checked["device"])
    named_scheduler()  # what is no address should not be found out after other cells
    return Run(chapter, checked, schema, default_store())


def _injected_names(cells: list[str]) -> list[str]:
    """Names that papermill's injected cells assign to."""
    names: list[str] = []
    for source in cells:
        if source.lstrip().startswith("# Parameters"):
            for node in ast.parse(source).body:
                if isinstance(node, ast.Assign):
                    names += [t.id for t in node.targets if isinstance(t, ast.Name)]
    return names


@contextmanager
def progress(what: str, total: int) -> Iterator[Any]:
    """A progress bar in the notebook; a small file where the command watches from outside."""
    file = os.environ.get(PROGRESS_VARIABLE)
    if file:
        counter: Any = _Written(Path(file), what, total)
    elif "ipykernel" in sys.modules:  # a notebook shows bars, though it is no terminal
        counter = tqdm(desc=what, total=total, leave=False, file=sys.stderr)
    else:
        counter = bar(what, total)
    try:
        yield counter
    finally:
        counter.close()


class _Written:
    """Steps that are counted in a small file."""

    def __init__(self, file: Path, what: str, total: int) -> None:
        self.file, self.state = file, {"what": what, "total": total, "done": 0}
        self.update(0)

    def update(self, steps: int = 1) -> None:
        """Some steps more are done."""
        self.state["done"] += steps
        write_atomically(self.file, json.dumps(self.state).encode())

    def close(self) -> None:
        """Nobody counts any longer."""
        self.file.unlink(missing_ok=True)
