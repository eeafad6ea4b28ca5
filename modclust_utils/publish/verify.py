"""Verification: what of the records can be computed again, and whether it comes out as they say.

Every record is looked at: whether it was edited, contradicts itself, or names another network than
the one that lies there, and in which way it can be checked. `verify` then computes one again. What
can be checked as a distribution alone is for `publish.retrain`.
"""

from __future__ import annotations

from collections.abc import Iterable, Iterator, Mapping, Sequence
from dataclasses import dataclass, field
from enum import Enum
from functools import cache
from pathlib import Path

import joblib
import numpy as np

from modclust_utils import datasets
from modclust_utils.datasets import DataError
from modclust_utils.paths import absolute_path, current_folder
from modclust_utils.publish.errors import RecordError
from modclust_utils.publish.records import RecordStore, lacking, read_record
from modclust_utils.publish.workers import in_workers
from modclust_utils.recipes import all_recipes, recipe_of
from modclust_utils.recipes.base import Images, Record, Task, keeper
from modclust_utils.recipes.network import run_seed


class Way(Enum):
    """How a record can be checked, or that it was found to be wrong by looking at it."""

    EXACTLY = "exactly"
    PARTLY = "in part"
    STATISTICALLY = "only statistically"
    NOT_AT_ALL = "not at all"
    WRONG = "wrong as it stands"


#: Those of which a sample is drawn.
COMPUTABLE = (Way.EXACTLY, Way.PARTLY)


@dataclass(frozen=True, eq=False)
class Looked:
    """A record, how it can be checked, and why not better; with what computing it again needs."""

    path: Path
    way: Way
    reason: str
    record: Record | None = None
    needs: Mapping[str, Record] = field(default_factory=dict)
    kept: str = ""
    images: Images | None = None


@dataclass(frozen=True)
class Check:
    """A record computed again: whether it agrees, and by how much it differs."""

    path: Path
    agrees: bool
    difference: str


class CannotCheckError(Exception):
    """Why a record cannot be checked, or not in one way."""


@dataclass
class Survey:
    """Looks at records; every file is read once.

    files: images of one's own, for records that hold no more than their short name; folder: of the
    data sets.
    """

    store: RecordStore
    files: Sequence[str] = ()
    folder: str | None = None
    _read: dict[Path, Record | RecordError] = field(default_factory=dict)

    def look(self, path: Path) -> Looked:
        """How a record can be checked."""
        try:
            record = self._record(path)
        except RecordError as error:
            return Looked(path, Way.WRONG, str(error))
        try:
            self._check_version(record)
            needs = self._needs(record)
            way, reason, images = self._way(record, needs)
        except RecordError as error:
            return Looked(path, Way.WRONG, f"{path}: {error}", record)
        except CannotCheckError as reason:
            return Looked(path, Way.NOT_AT_ALL, str(reason), record)
        return Looked(path, way, reason, record, needs, _kept(record), images)

    def _record(self, path: Path) -> Record:
        if path not in self._read:
            try:
                self._read[path] = read_record(path)
            except RecordError as error:
                self._read[path] = error
        found = self._read[path]
        if isinstance(found, RecordError):
            raise found
        return found

    def _check_version(self, record: Record) -> None:
        recipe = all_recipes().get(record.kind)
        if recipe is None:
            raise CannotCheckError(f"the kind {record.kind} is unknown to this version of the book")
        if record.version != recipe.version:
            raise CannotCheckError(f"made by other code than version {recipe.version}")
        if recipe.contradiction and (said := recipe.contradiction(record)):
            raise RecordError(said)

    def _needs(self, record: Record) -> dict[str, Record]:
        """The very records that a record was made from."""
        needs = {}
        for name, source in record.made_from.items():
            if not isinstance(source, Mapping):
                continue
            if record.parameters.get(name) != source["key"]:
                raise RecordError(f"its {name} is another one than that in its key")
            there = [self._record(p) for p in self.store.paths(source["kind"], source["key"])]
            own = [found for found in there if found.arrays_sha256 == source["arrays_sha256"]]
            if not there:
                raise CannotCheckError(f"its {name} is not here")
            if not own:
                raise RecordError(
                    f"its {name} is another one than it names. A record of a network that was "
                    "trained anew since can be deleted: the next run computes it again."
                )
            self._check_version(own[0])
            needs[name] = own[0]
        return needs

    def _way(self, record: Record, needs: Mapping[str, Record]) -> tuple[Way, str, Images | None]:
        recipe = recipe_of(record.kind)
        if "own-network" in (record.kind, *(need.kind for need in needs.values())):
            raise CannotCheckError(
                "a network of one's own: `modclust analyze` knows how it is built"
            )
        _check_readable(record)
        if words := lacking(recipe.packages):
            raise CannotCheckError(words)
        images = self._images(record, needs) if recipe.with_images else None
        kept = _kept(record)
        if kept and not self._has_kept(keeper(needs), kept):
            why = f"the weights of its network ({kept}) are not here"
        elif recipe.agree is not None:
            return Way.EXACTLY, "", images
        elif recipe.follows is not None:
            images = self._images(record, needs)
            why = "what follows from its own weights; its training only statistically"
            return Way.PARTLY, why, images
        else:
            why = "trained anew, networks come out otherwise on another processor"
        if not recipe.numbers:
            raise CannotCheckError(f"{why}, and this kind has no numbers to compare")
        return Way.STATISTICALLY, why, self._images(record, needs)

    def _has_kept(self, network: Record, group: str) -> bool:
        """Whether a group of kept arrays is here, or can be read again from where it came.

        Raises CannotCheckError where it was read, and cannot be: no training brings it back.
        """
        if self.store.kept(network, group) is not None:
            return True
        _check_readable(network)
        return recipe_of(network.kind).lacks is not None

    def _images(self, record: Record, needs: Mapping[str, Record]) -> Images:
        """The images of a record or its network. Raises CannotCheckError where they are gone."""
        owner = record
        while "train_hash" not in owner.parameters:
            owner = keeper(needs if owner is record else self._needs(owner))
        p = owner.parameters
        images = self._known_images(p["dataset"], p["train_hash"], run_seed(p.get("seed", 0)))
        found = hash_of_test_images(images)
        if found is None:
            raise CannotCheckError(f"the images of {p['dataset']} are not here")
        if any(each.made_from.get("test_images") not in (None, found) for each in (record, owner)):
            raise CannotCheckError(f"the test images of {p['dataset']} are others than it names")
        return images

    def _known_images(self, name: str, train_hash: str, seed: int) -> Images:
        if name in datasets.NAMES:
            return Images(name, train_hash, self.folder, seed)
        given = [str(absolute_path("images", file)) for file in self.files]
        for folder in (datasets.default_folder(), current_folder()):
            given.append(str(folder / f"{name}.npz"))
        for file in given:
            if hash_of_file(file) == train_hash:
                return Images(file, train_hash)
        raise CannotCheckError(
            f"the images {name}.npz of one's own are not at hand: `--images FILE` names them"
        )


def _check_readable(record: Record) -> None:
    """Raises CannotCheckError for a record whose kept arrays were read, and cannot be again."""
    lacks = recipe_of(record.kind).lacks
    if lacks is not None and (why := lacks(record)):
        raise CannotCheckError(why)


def _kept(record: Record) -> str:
    """The group of kept arrays of its network that a record needs, "" for none."""
    phase = str(record.parameters.get("phase", ""))
    return recipe_of(record.kind).kept or ("" if phase == "after" else phase)


@cache
def hash_of_test_images(images: Images) -> str | None:
    """The hash of the test images that are here, None where these images are not."""
    try:
        return images.load(download=False).test_hash
    except DataError:
        return None


@cache
def hash_of_file(file: str) -> str | None:
    """The hash of the training images in a file, None where it holds none."""
    try:
        return datasets.train_hash(file)
    except DataError:
        return None


def draw(looked: Iterable[Looked], n: int, rng: np.random.Generator) -> list[Looked]:
    """Up to n of the records that can be computed again, at least in part, in their order."""
    computable = [each for each in looked if each.way in COMPUTABLE]
    return [computable[i] for i in sorted(rng.permutation(len(computable))[:n].tolist())]


def verify_all(store: RecordStore, looked: Sequence[Looked]) -> Iterator[Check]:
    """`verify` each record, over all cores; the checks come in the order in which they are done."""
    # Many small operations: more than one thread each makes them slower, beside other work by far.
    # For the same reason two processes or more, since joblib would do a single job's work in here.
    n_jobs = max(2, min(joblib.cpu_count(), len(looked)))
    return in_workers(verify, [(store, each) for each in looked], n_jobs=n_jobs)


def verify(store: RecordStore, looked: Looked) -> Check:
    """Compute again what of a record can be, and compare. What cannot does not agree."""
    record = looked.record
    if record is None or looked.way not in COMPUTABLE:
        return Check(looked.path, False, looked.reason)
    recipe = recipe_of(record.kind)
    if looked.way is Way.PARTLY:
        assert recipe.follows is not None
        assert looked.images is not None
        return Check(looked.path, *recipe.follows(record, looked.images.load(download=False)))
    assert recipe.agree is not None
    # the record's own clusters: k-means may find others here, of an n-cut that is nearly the same
    known = {**record.value, **record.arrays}
    try:
        kept = _kept_arrays(store, looked)
        task = Task(record.parameters, looked.needs, kept, looked.images, known)
        (again,) = recipe.compute([task], _Here())
    except ValueError as error:  # weights that are read again may be damaged, or others
        return Check(looked.path, False, f"it cannot be computed again: {error}")
    return Check(looked.path, *recipe.agree(record, again))


def _kept_arrays(store: RecordStore, looked: Looked) -> Mapping[str, np.ndarray]:
    """The kept arrays that a record needs: from the cache, or read again where they came from."""
    if not looked.kept:
        return {}
    network = keeper(looked.needs)
    kept = store.kept(network, looked.kept)
    if kept is not None:
        return kept
    (again,) = recipe_of(network.kind).compute([Task(network.parameters)], _Here())
    return again.kept[looked.kept]


class _Here:
    """Where a check computes: on the CPU, without steps or checkpoints."""

    device = "cpu"

    def step(self) -> None:
        """Nobody counts."""

    def resume(self) -> None:
        """A check starts from nothing."""

    def keep(self, state: object) -> None:
        """A check keeps nothing."""
