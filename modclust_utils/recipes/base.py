"""What every kind of record shares: `Record`, `Recipe`, `Job`, and what passes between them.

A record is keyed by its kind, the version of its recipe, and its parameters, among them the seed
and the hash of the data. Computing takes `Task`s and gives `Value`s; neither knows a file.
"""

from __future__ import annotations

import hashlib
import json
from collections.abc import Callable, Mapping, Sequence
from dataclasses import dataclass, field
from functools import cached_property
from typing import Any, Protocol, TypeVar

import numpy as np

from modclust_utils import datasets
from modclust_utils.datasets import Dataset

T = TypeVar("T")


def canonical_json(content: Any) -> str:
    """JSON that is the same for equal content."""
    return json.dumps(content, sort_keys=True, separators=(",", ":"), default=plain)


def plain(value: Any) -> Any:
    """For `json`: numpy's numbers and arrays, and tuples. Raises TypeError for anything else."""
    if isinstance(value, np.generic):
        return value.item()
    if isinstance(value, np.ndarray | tuple):
        return list(value)
    raise TypeError(f"{value!r} cannot stand in a record; allowed: numbers, texts, lists, dicts")


def record_key(kind: str, version: int, parameters: Mapping[str, Any]) -> str:
    """Hash of kind, version and parameters: the same for equal parameters in any order."""
    content = {"kind": kind, "version": version, "parameters": dict(parameters)}
    return hashlib.sha256(canonical_json(content).encode()).hexdigest()[:16]


@dataclass(frozen=True, eq=False)
class Record:
    """value: the results (JSON); arrays: larger ones (npz); provenance: who made it, and when.

    made_from: the records that it was computed from, by the field of the key that names them, each
    with the hash of its arrays, and the hash of the test images where accuracies are in it;
    arrays_sha256: the hash of its own arrays, "" where it has none.
    """

    kind: str
    version: int
    parameters: Mapping[str, Any]
    value: Mapping[str, Any]
    provenance: Mapping[str, Any] = field(default_factory=dict)
    arrays: Mapping[str, np.ndarray] = field(default_factory=dict, repr=False)
    made_from: Mapping[str, Any] = field(default_factory=dict)
    arrays_sha256: str = ""

    @cached_property
    def key(self) -> str:
        """The record's key, which is also its file name."""
        return record_key(self.kind, self.version, self.parameters)

    @property
    def seconds(self) -> float:
        """Seconds that computing the record took."""
        return float(self.provenance.get("seconds", float("nan")))


@dataclass(frozen=True)
class Images:
    """Which images a job needs: a data set's name or file, and the hash that it must have.

    folder: where the files are, None for the default; seed: for sets that are generated.
    """

    dataset: str
    train_hash: str
    folder: str | None = None
    seed: int = 0

    def load(self, *, download: bool = True) -> Dataset:
        """The data set. Raises DataError where it is not at hand, or is another one."""
        found = datasets.load(self.dataset, folder=self.folder, seed=self.seed, download=download)
        if found.train_hash != self.train_hash:
            raise datasets.DataError(
                f"dataset={self.dataset!r} has the hash {found.train_hash[:12]}...; "
                f"allowed: {self.train_hash[:12]}..., the images that the network was trained on"
            )
        return found


@dataclass(frozen=True)
class Task:
    """One job as computing sees it.

    needs: the records it needs, by the field of the key that names them; kept: arrays of the one
    named network that lie in the cache alone; known: the value that a check takes the record's word
    for; architecture: makes that network before its weights, where its key does not say how.
    """

    parameters: Mapping[str, Any]
    needs: Mapping[str, Record] = field(default_factory=dict)
    kept: Mapping[str, np.ndarray] = field(default_factory=dict)
    images: Images | None = None
    known: Mapping[str, Any] = field(default_factory=dict)
    architecture: Callable[[], Any] | None = field(default=None, repr=False)


@dataclass(frozen=True)
class Value:
    """What a job gives: the value and arrays of its record.

    kept: named groups of arrays that stay in the cache; extra: additions to the provenance;
    test_hash: that of the test images, where accuracies are in it.
    """

    value: Mapping[str, Any]
    arrays: Mapping[str, np.ndarray] = field(default_factory=dict)
    kept: Mapping[str, Mapping[str, np.ndarray]] = field(default_factory=dict)
    extra: Mapping[str, Any] = field(default_factory=dict)
    test_hash: str = ""


class Work(Protocol):
    """What a computation may use of the place where it runs."""

    device: str

    def step(self) -> None:
        """One of the recipe's steps is done."""

    def resume(self) -> Any | None:
        """What `keep` saved last, None where there is nothing that fits."""

    def keep(self, state: Any) -> None:
        """Save a state, now and then, so that a kill costs about a minute."""


@dataclass(frozen=True)
class Recipe:
    """A kind of record.

    fields: the names in its key; words: what computing it is called on a progress bar; compute:
    from tasks that go together to their values; together: fields in which jobs that go together may
    differ; at_most: how many of them; with_images: whether it needs its network's images; kept: the
    group of its network's kept arrays that it needs, where no `phase` in its key says so; code:
    what else decides its values, beside `compute`; steps: how many steps one group reports;
    packages: the optional ones that computing it imports.

    How a record is checked:

    - agree: whether it and what was computed again are the same, and a note (None: cannot be
      computed again exactly);
    - follows: whether what follows from its own arrays and its images does, and a note, where the
      rest cannot be computed again (None: nothing does);
    - contradiction: what in a record contradicts the rest of it, "" for nothing;
    - numbers: entries of its value, or of what `measured` makes of a record, that are compared as
      distributions with those of networks trained anew, each with the fields of the key, or of
      what a reader calls the job, that make it another number (empty: none). Of an entry that is a
      list it is the mean;
    - lacks: of a kind whose kept arrays are read from elsewhere, and not made: why they cannot be
      read again, "" where they can (None: they are made, and are not the same a second time).
    """

    kind: str
    version: int
    fields: tuple[str, ...]
    words: str
    compute: Callable[[Sequence[Task], Work], list[Value]]
    together: tuple[str, ...] = ()
    at_most: int | None = None
    with_images: bool = False
    kept: str = ""
    agree: Callable[[Record, Value], tuple[bool, str]] | None = None
    follows: Callable[[Record, Dataset], tuple[bool, str]] | None = None
    contradiction: Callable[[Record], str] | None = None
    numbers: Mapping[str, tuple[str, ...]] = field(default_factory=dict)
    measured: Callable[[Record], Mapping[str, Any]] | None = None
    lacks: Callable[[Record], str] | None = None
    code: tuple[Callable[..., Any], ...] = ()
    steps: Callable[[Sequence[Job]], int] = len
    packages: tuple[str, ...] = ()
    state: type[Any] | None = None


@dataclass(frozen=True, eq=False)
class Job:
    """A record that is wanted.

    parameters: its key; needs: the jobs whose records it needs, by the field that names them; kept:
    the group of its network's kept arrays that it needs; images: which images; about: what a reader
    calls it, the columns of the frame; architecture: of a network of one's own, what makes it
    before its weights. Raises ValueError for parameters that are not the recipe's fields.
    """

    recipe: Recipe
    parameters: Mapping[str, Any]
    needs: Mapping[str, Job] = field(default_factory=dict)
    kept: str = ""
    images: Images | None = None
    about: Mapping[str, Any] = field(default_factory=dict)
    architecture: Callable[[], Any] | None = field(default=None, repr=False)

    def __post_init__(self) -> None:
        if set(self.parameters) != set(self.recipe.fields):
            raise ValueError(
                f"parameters={sorted(self.parameters)} of a {self.kind!r} job; "
                f"allowed: {', '.join(self.recipe.fields)}"
            )

    @property
    def kind(self) -> str:
        """The kind of its record."""
        return self.recipe.kind

    @cached_property
    def key(self) -> str:
        """The key of its record."""
        return record_key(self.kind, self.recipe.version, self.parameters)

    @property
    def group(self) -> str:
        """Equal for jobs that are computed together."""
        shared = {k: v for k, v in self.parameters.items() if k not in self.recipe.together}
        return canonical_json([self.kind, shared, self.kept])


def keeper(needs: Mapping[str, T]) -> T:
    """Of what a job needs, that whose kept arrays it wants: its network, or the only one."""
    return needs["network"] if "network" in needs else next(iter(needs.values()))


def made_from(needs: Mapping[str, Record], test_hash: str = "") -> dict[str, Any]:
    """What a record says about where it comes from: the records it needed, and the test images."""
    sources: dict[str, Any] = {
        name: {"kind": record.kind, "key": record.key, "arrays_sha256": record.arrays_sha256}
        for name, record in needs.items()
    }
    return sources | ({"test_images": test_hash} if test_hash else {})


def stream(network: str, seed: int) -> np.random.Generator:
    """Random numbers of one network's clustering or test: its own for each network."""
    return np.random.default_rng([seed, int(network, 16)])
