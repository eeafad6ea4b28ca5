"""Records on disk: one small file for each piece of work, written once and read ever after.

Asked for again a record is read; deleted it comes back. Files are written beside their place and
then renamed, so that a kill or a full disk leaves either the whole record or none.
"""

from __future__ import annotations

import hashlib
import json
import os
import platform
import subprocess
import tempfile
from collections.abc import Iterator, Mapping
from datetime import UTC, datetime
from functools import cache
from importlib.metadata import version
from pathlib import Path
from typing import Any

import numpy as np

from modclust_utils.paths import root
from modclust_utils.publish.errors import RecordError
from modclust_utils.recipes.base import Job, Record, Value, plain, record_key
from modclust_utils.recipes.packing import PackedArrays, pack_arrays, unpack_arrays

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
        paths = (self.path(kind, key, folder) for folder in self.folders)
        return next((path for path in paths if path.is_file()), None)

    def require(self, kind: str, key: str) -> Record:
        """The record that has to be there. Raises RecordError where it is not."""
        path = self.find(kind, key)
        if path is None:
            raise RecordError(f"{self.path(kind, key)} is missing. Run the chapter again.")
        return read_record(path)

    def put(self, job: Job, made: Value, *, seconds: float, device: str) -> None:
        """Write the record of a job, its arrays first."""
        path = self.path(job.kind, job.key)
        provenance = {
            **provenance_now(),
            "seconds": round(seconds, 3),
            "device": device,
            **made.extra,
        }
        content: dict[str, Any] = {
            "kind": job.kind,
            "version": job.recipe.version,
            "parameters": dict(job.parameters),
            "value": dict(made.value),
            "provenance": provenance,
        }
        if made.arrays:
            packed = pack_arrays(made.arrays)
            content["arrays_sha256"] = hashlib.sha256(packed).hexdigest()
            write_atomically(path.with_suffix(".npz"), packed)
        text = json.dumps(content, indent=1, sort_keys=True, default=plain)
        write_atomically(path, (text + "\n").encode())

    def kept_path(self, key: str, group: str) -> Path:
        """Where the cache keeps a group of arrays that belongs to a record but is not in it."""
        return self.cache / "weights" / f"{key}-{group}.npz"

    def put_kept(self, key: str, group: str, arrays: Mapping[str, np.ndarray]) -> None:
        """Keep a group of arrays in the cache."""
        write_atomically(self.kept_path(key, group), pack_arrays(arrays))

    def kept(self, key: str, group: str) -> dict[str, np.ndarray]:
        """A group of arrays in the cache. Raises RecordError where it is gone or damaged."""
        path = self.kept_path(key, group)
        try:
            return unpack_arrays(path.read_bytes())
        except Exception as error:  # a damaged archive can make its readers fail in any way
            raise RecordError(
                f"{path} cannot be read ({error}). Delete it: the next run computes it again."
            ) from error

    def __iter__(self) -> Iterator[Path]:
        """The files of all records, each once."""
        seen = set()
        for folder in self.folders:
            for path in sorted(folder.glob("*/*.json")):
                if (path.parent.name, path.name) not in seen:
                    seen.add((path.parent.name, path.name))
                    yield path


def read_record(path: Path) -> Record:
    """Read a record file and check it. Raises RecordError where it is damaged."""
    advice = f"Delete {path} (and its .npz): the next run computes it again."
    try:
        content = json.loads(path.read_text(encoding="utf-8"))
        fields = ("kind", "version", "parameters", "value", "provenance")
        kind, number, parameters, value, provenance = (content[name] for name in fields)
        key = record_key(kind, number, parameters)
    except (OSError, ValueError, KeyError, TypeError) as error:
        raise RecordError(f"{path} is not a record ({error!r}). {advice}") from error
    if key != path.stem:
        raise RecordError(f"{path} was altered: its parameters belong to {key}. {advice}")
    if "arrays_sha256" not in content:
        return Record(kind, number, parameters, value, provenance)
    try:
        packed = path.with_suffix(".npz").read_bytes()
    except OSError as error:
        raise RecordError(f"{path} has lost its arrays ({error}). {advice}") from error
    if hashlib.sha256(packed).hexdigest() != content["arrays_sha256"]:
        raise RecordError(f"{path.with_suffix('.npz')} was altered or cut off. {advice}")
    return Record(kind, number, parameters, value, provenance, PackedArrays(packed))


@cache
def _static_provenance() -> dict[str, Any]:
    return {
        "commit": commit(),
        "packages": {name: version(name) for name in PACKAGES},
        "python": platform.python_version(),
    }


def provenance_now() -> dict[str, Any]:
    """Commit, package versions, Python and UTC time of a computation."""
    return {**_static_provenance(), "made": datetime.now(UTC).isoformat(timespec="seconds")}


@cache
def commit() -> str:
    """The repository's commit, with ``+`` where tracked code has uncommitted changes."""
    folder = Path(__file__).resolve().parent
    try:
        head = _git(folder, "rev-parse", "--short=10", "HEAD")
        changed = _git(folder, "status", "--porcelain", "--untracked-files=no", "--", "..")
    except (OSError, subprocess.CalledProcessError):
        return "no git"
    return head + ("+" if changed else "")


def _git(folder: Path, *arguments: str) -> str:
    return subprocess.run(
        ["git", *arguments], cwd=folder, check=True, capture_output=True, text=True
    ).stdout.strip()
