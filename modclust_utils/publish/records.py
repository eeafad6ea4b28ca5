"""Records on disk: one small file for each piece of work, written once and read ever after.

Asked for again a record is read; deleted it comes back. Files are written beside their place and
then renamed, so that a kill or a full disk leaves either the whole record or none. A record carries
a hash of all that it says, its arrays among them, and names what it was made from: one that was
edited is refused.
"""

from __future__ import annotations

import hashlib
import json
import os
import platform
import subprocess
import tempfile
from collections.abc import Callable, Iterable, Iterator, Mapping
from contextlib import AbstractContextManager, contextmanager, nullcontext, suppress
from datetime import UTC, datetime
from functools import cache
from importlib.metadata import version
from importlib.util import find_spec
from pathlib import Path
from typing import Any

import numpy as np

from modclust_utils.locks import alone
from modclust_utils.paths import root
from modclust_utils.publish.errors import RecordError
from modclust_utils.recipes.base import (
    Job,
    Record,
    Value,
    canonical_json,
    made_from,
    plain,
    record_key,
)
from modclust_utils.recipes.packing import PackedArrays, pack_arrays, unpack_arrays

#: In a file of kept arrays: the hash of the arrays of the record that they belong to.
_OF = "of"
#: What every record says, and of which kind.
_FIELDS = {"kind": str, "version": int, "parameters": dict, "value": dict, "provenance": dict}
PACKAGES = ("numpy", "scipy", "scikit-learn", "torch")


def published_folder() -> Path:
    """Records that are part of the book, committed."""
    return root() / "data" / "records"


def cache_folder() -> Path:
    """The user's own records, checkpoints and weights; not committed."""
    return root() / "data" / "cache"


def default_store() -> RecordStore:
    """New records go to the cache; published ones are read too."""
    return RecordStore(cache_folder(), published_folder())


def write_atomically(path: Path, content: bytes) -> None:
    """Write a file so that readers see the old one, or the new one, but never a part.

    Raises RecordError where it cannot be written (a full disk, a read-only folder).
    """
    try:
        path.parent.mkdir(parents=True, exist_ok=True)
        handle, name = tempfile.mkstemp(dir=path.parent, prefix=f".{path.name}.")
        try:
            with os.fdopen(handle, "wb") as file:
                file.write(content)
                file.flush()
                os.fsync(file.fileno())
            os.chmod(name, 0o644)
            os.replace(name, path)
        except BaseException:
            Path(name).unlink(missing_ok=True)
            raise
    except OSError as error:
        raise RecordError(
            f"{path} could not be written ({error}). Everything written before is safe: make room "
            "or give write access, and run the same command again."
        ) from error


class RecordStore:
    """Records in folders: those of the cache, which is written to, and published ones.

    The first hit counts. The cache also keeps what is too large to publish (`kept`): the weights of
    networks before pruning, and checkpoints of training.
    """

    def __init__(self, cache: Path, *published: Path) -> None:
        self.cache = cache
        self.folders = (cache / "records", *published)

    def path(self, kind: str, key: str, folder: Path | None = None) -> Path:
        """Where a record is, or would be: ``<folder>/<kind>/<key>.json``."""
        return (folder or self.folders[0]) / kind / f"{key}.json"

    def find(self, kind: str, key: str) -> Path | None:
        """The file of a record, None where there is none yet."""
        return next(self.paths(kind, key), None)

    def paths(self, kind: str, key: str) -> Iterator[Path]:
        """The files of a record, one in each folder that has it."""
        for folder in self.folders:
            path = self.path(kind, key, folder)
            if path.is_file():
                yield path

    def read(self, path: Path) -> Record | None:
        """A record that is whole, None where it is gone; one that is being replaced is waited for.

        Raises RecordError where it is damaged or was edited.
        """
        try:
            return read_record(path)
        except RecordError:
            with self.alone():
                return read_record(path) if path.is_file() else None

    def alone(self) -> AbstractContextManager[object]:
        """While it lasts, nobody else writes records to the cache; waits for who does."""
        # where there is no cache nobody writes, and who only reads makes none
        return alone(self.cache / "locks" / "records") if self.cache.is_dir() else nullcontext()

    def put(
        self,
        job: Job,
        made: Value,
        *,
        seconds: float,
        device: str,
        needs: Mapping[str, Record] | None = None,
        begun_by: str = "",
        made_with: Mapping[str, Any] | None = None,
        unless: Callable[[], bool] = lambda: False,
    ) -> None:
        """Write the record of a job, its arrays first, then its kept arrays.

        needs: the records that it was made from; begun_by: the commit at which the work began,
        where it was broken off and went on at a later one; made_with: the `software` of whoever
        computed it, by default this process's, and the peaks of its memory; unless: asked while
        nobody else writes, whether what is there is to stay.
        """
        content: dict[str, Any] = {
            "kind": job.kind,
            "version": job.recipe.version,
            "parameters": dict(job.parameters),
            "value": dict(made.value),
            "provenance": {
                **provenance_now(begun_by),
                **(made_with or {}),
                "seconds": round(seconds, 3),
                "device": device,
                **made.extra,
            },
            "made_from": made_from(needs or {}, made.test_hash),
        }
        packed = pack_arrays(made.arrays) if made.arrays else b""
        if packed:
            content["arrays_sha256"] = hashlib.sha256(packed).hexdigest()
        of = np.frombuffer(bytes.fromhex(content.get("arrays_sha256", "")), np.uint8)
        # before anyone has to wait: large weights take a while
        kept = {name: pack_arrays({**arrays, _OF: of}) for name, arrays in made.kept.items()}
        with suppress(OSError):  # writing says it better
            self.cache.mkdir(parents=True, exist_ok=True)
        with self.alone():
            if not unless():
                self._write(job, content, packed, kept)

    def _write(
        self, job: Job, content: Mapping[str, Any], packed: bytes, kept: Mapping[str, bytes]
    ) -> None:
        path = self.path(job.kind, job.key)
        arrays = path.with_suffix(".npz")
        if packed and not _holds(arrays, packed):
            # stopped from here on, there is no record rather than one with the arrays of another
            path.unlink(missing_ok=True)
            write_atomically(arrays, packed)
        for group, content_of_group in kept.items():
            write_atomically(self.kept_path(job.key, group), content_of_group)
        write_atomically(path, sealed(content))

    def kept_path(self, key: str, group: str) -> Path:
        """Where the cache keeps a group of arrays that belongs to a record but is not in it."""
        return self.cache / "weights" / f"{key}-{group}.npz"

    def kept(self, record: Record, group: str) -> dict[str, np.ndarray] | None:
        """A group of arrays in the cache; None where it is gone, damaged, or not the record's own:
        left by another training of the same network."""
        path = self.kept_path(record.key, group)
        try:
            arrays = unpack_arrays(path.read_bytes())
            of = arrays.pop(_OF).tobytes().hex()
        except Exception:  # a damaged archive can make its readers fail in any way
            return None
        return arrays if of == record.arrays_sha256 else None

    def __iter__(self) -> Iterator[Path]:
        """The files of all records, each once."""
        seen = set()
        for folder in self.folders:
            for path in sorted(folder.glob("*/*.json")):
                if (path.parent.name, path.name) not in seen:
                    seen.add((path.parent.name, path.name))
                    yield path


def _holds(path: Path, content: bytes) -> bool:
    return path.is_file() and path.read_bytes() == content


def seal(content: Mapping[str, Any]) -> str:
    """Hash of all that a record says but the seal itself."""
    said = {name: entry for name, entry in content.items() if name != "sha256"}
    # through JSON once, so that what is hashed is what a reader finds
    said = json.loads(json.dumps(said, default=plain))
    return hashlib.sha256(canonical_json(said).encode()).hexdigest()


def sealed(content: Mapping[str, Any]) -> bytes:
    """The file of a record with its seal."""
    text = json.dumps({**content, "sha256": seal(content)}, indent=1, sort_keys=True, default=plain)
    return (text + "\n").encode()


@contextmanager
def damage_named(path: Path) -> Iterator[None]:
    """Make a RecordError, with the file and what to do, of what goes wrong while it is read."""
    try:
        yield
    except (OSError, ValueError, KeyError, TypeError, RecursionError) as error:
        raise RecordError(f"{path} is not a record ({error!r}). {_advice(path)}") from error


def read_content(path: Path) -> dict[str, Any]:
    """What a record file says, not checked. Raises RecordError where it is none of a record."""
    with damage_named(path):
        content: dict[str, Any] = json.loads(path.read_text(encoding="utf-8"))
        wrong = [name for name, kind in _FIELDS.items() if not isinstance(content[name], kind)]
        if wrong:
            raise ValueError(f"{', '.join(wrong)} of another kind")
    return content


def _advice(path: Path) -> str:
    return f"Delete {path} (and its .npz): the next run computes it again."


def read_record(path: Path) -> Record:
    """Read a record file and check it. Raises RecordError where it is damaged or was edited."""
    advice = _advice(path)
    content = read_content(path)
    kind, number, parameters, value, provenance = (content[name] for name in _FIELDS)
    with damage_named(path):
        key = record_key(kind, number, parameters)
    if key != path.stem:
        raise RecordError(f"{path} was altered: its parameters belong to {key}. {advice}")
    if "sha256" not in content:
        raise RecordError(
            f"{path} carries no hash of what it says, as a record of an earlier version. {advice}"
        )
    if content["sha256"] != seal(content):
        raise RecordError(f"{path} was edited: it does not fit the hash that it carries. {advice}")
    made = content["made_from"]
    if "arrays_sha256" not in content:
        return Record(kind, number, parameters, value, provenance, made_from=made)
    try:
        packed = path.with_suffix(".npz").read_bytes()
    except OSError as error:
        raise RecordError(f"{path} has lost its arrays ({error}). {advice}") from error
    arrays_hash = hashlib.sha256(packed).hexdigest()
    if arrays_hash != content["arrays_sha256"]:
        raise RecordError(f"{path.with_suffix('.npz')} was altered or cut off. {advice}")
    arrays = PackedArrays(packed)
    return Record(kind, number, parameters, value, provenance, arrays, made, arrays_hash)


@cache
def software() -> dict[str, Any]:
    """The versions of Python and of the packages that decide values, in this process."""
    return {
        "packages": {name: version(name) for name in PACKAGES},
        "python": platform.python_version(),
    }


def lacking(packages: Iterable[str]) -> str:
    """The first of some packages that is not installed here, in words; "" where all are."""
    names = (name for name in sorted(packages) if find_spec(name) is None)
    name = next(names, "")
    return f"the package {name} is not installed (`pip install {name}`)" if name else ""


def provenance_now(begun_by: str = "") -> dict[str, Any]:
    """Commit, package versions, Python and UTC time of a computation.

    begun_by: the commit at which it began, where it went on at a later one: `resumed_by`.
    """
    now = datetime.now(UTC).isoformat(timespec="seconds")
    found = {"commit": commit(), **software(), "made": now}
    if begun_by and begun_by != commit():
        found |= {"commit": begun_by, "resumed_by": commit()}
    return found


@cache
def commit() -> str:
    """The repository's commit, with ``+`` where tracked code has uncommitted changes.

    Read once, by whatever starts a run, before it computes: a process goes on with the code that it
    has, whatever is committed meanwhile.
    """
    folder = Path(__file__).resolve().parent
    try:
        # unpacked inside another repository, this code is in none of its commits
        git(folder, "ls-files", "--error-unmatch", "--", Path(__file__).name)
        head = git(folder, "rev-parse", "--short=10", "HEAD")
        changed = git(folder, "status", "--porcelain", "--untracked-files=no", "--", "..")
    except (OSError, subprocess.CalledProcessError):
        return "no git"
    return head + ("+" if changed else "")


def commits_of(provenance: Mapping[str, Any]) -> list[str]:
    """The commits whose code made a record: more than one where its training was broken off."""
    return [str(provenance[name]) for name in ("commit", "resumed_by") if name in provenance]


def made_by_commits(provenance: Mapping[str, Any]) -> bool:
    """Whether all code that made a record is in some commit."""
    return not any(made.endswith("+") or made == "no git" for made in commits_of(provenance))


def git(folder: Path, *arguments: str) -> str:
    """What git says in a folder. Raises OSError without git, CalledProcessError where it fails."""
    # variables of a hook, or of another repository, would lead git elsewhere
    environment = {name: v for name, v in os.environ.items() if not name.startswith("GIT_")}
    return subprocess.run(
        ["git", *arguments],
        cwd=folder,
        env=environment,
        check=True,
        capture_output=True,
        text=True,
    ).stdout.strip()
