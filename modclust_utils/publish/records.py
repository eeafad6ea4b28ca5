"""Records: one small file for each piece of work, written once and read ever after.

A record is keyed by everything that decides its content: its kind, the version of the code that
computes it (module `versions`), and its parameters, among them the seed and the hash of the data.
Asked for again it is read; deleted it comes back. Files are written beside their place and then
renamed, so that a kill or a full disk leaves either the whole record or none.
"""

from __future__ import annotations

import hashlib
import io
import json
import os
import platform
import subprocess
import tempfile
from collections.abc import Iterator, Mapping
from dataclasses import dataclass, field
from datetime import UTC, datetime
from functools import cache
from importlib.metadata import version
from pathlib import Path
from typing import Any

import numpy as np

from modclust_utils.publish.versions import RECIPES

PACKAGES = ("numpy", "scipy", "scikit-learn", "torch")


class RecordError(RuntimeError):
    """A record that cannot be read or written; the message names the file and what to do."""


@dataclass(frozen=True)
class Record:
    """value: the results (JSON); arrays: larger ones (npz); provenance: who made it, and when."""

    kind: str
    parameters: Mapping[str, Any]
    value: Mapping[str, Any]
    provenance: Mapping[str, Any] = field(default_factory=dict)
    arrays: Mapping[str, np.ndarray] = field(default_factory=dict)

    @property
    def key(self) -> str:
        """The record's key, which is also its file name."""
        return record_key(self.kind, self.parameters)

    @property
    def seconds(self) -> float:
        """Seconds that computing the record took."""
        return float(self.provenance.get("seconds", float("nan")))


def record_key(kind: str, parameters: Mapping[str, Any]) -> str:
    """Hash of kind, version and parameters: the same for equal parameters in any order."""
    content = {"kind": kind, "version": RECIPES[kind].version, "parameters": dict(parameters)}
    return hashlib.sha256(canonical_json(content).encode()).hexdigest()[:16]


def canonical_json(content: Any) -> str:
    """JSON that is the same for equal content."""
    return json.dumps(content, sort_keys=True, separators=(",", ":"), default=_plain)


def _plain(value: Any) -> Any:
    if isinstance(value, np.generic):
        return value.item()
    if isinstance(value, np.ndarray | tuple):
        return list(value)
    raise TypeError(f"{value!r} cannot stand in a record; allowed: numbers, texts, lists, dicts")


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
    """Records in folders: the first is written to, all are read, the first hit counts.

    The book reads its published records (``data/records``) and the user's own
    (``data/cache/records``); new ones go to the user's own until they are published.
    """

    def __init__(self, write: Path, *read: Path) -> None:
        self.write_folder = write
        self.folders = (write, *(folder for folder in read if folder != write))

    def path(self, kind: str, parameters: Mapping[str, Any], folder: Path | None = None) -> Path:
        """Where a record is, or would be: ``<folder>/<kind>/<key>.json``."""
        key = record_key(kind, parameters)
        return (folder or self.write_folder) / kind / f"{key}.json"

    def find(self, kind: str, parameters: Mapping[str, Any]) -> Path | None:
        """The file of a record, None where there is none yet."""
        for folder in self.folders:
            path = self.path(kind, parameters, folder)
            if path.is_file():
                return path
        return None

    def get(self, kind: str, parameters: Mapping[str, Any]) -> Record | None:
        """The record, None where there is none yet. Raises RecordError for a damaged file."""
        path = self.find(kind, parameters)
        return None if path is None else read_record(path)

    def require(self, kind: str, parameters: Mapping[str, Any]) -> Record:
        """The record that has to be there. Raises RecordError where it is not."""
        record = self.get(kind, parameters)
        if record is None:
            raise RecordError(f"{self.path(kind, parameters)} is missing. Run the chapter again.")
        return record

    def put(
        self,
        kind: str,
        parameters: Mapping[str, Any],
        value: Mapping[str, Any],
        *,
        seconds: float,
        device: str,
        arrays: Mapping[str, np.ndarray] | None = None,
        **extra: Any,
    ) -> Record:
        """Write a record, its arrays first, and return it as it will be read."""
        path = self.path(kind, parameters)
        provenance = {**provenance_now(), "seconds": round(seconds, 3), "device": device, **extra}
        content: dict[str, Any] = {
            "kind": kind,
            "version": RECIPES[kind].version,
            "parameters": dict(parameters),
            "value": dict(value),
            "provenance": provenance,
        }
        if arrays:
            packed = pack_arrays(arrays)
            content["arrays_sha256"] = hashlib.sha256(packed).hexdigest()
            write_atomically(path.with_suffix(".npz"), packed)
        text = json.dumps(content, indent=1, sort_keys=True, default=_plain)
        write_atomically(path, (text + "\n").encode())
        return read_record(path)

    def __iter__(self) -> Iterator[Path]:
        """The files of all records, each once."""
        seen = set()
        for folder in self.folders:
            for path in sorted(folder.glob("*/*.json")):
                if (path.parent.name, path.name) not in seen:
                    seen.add((path.parent.name, path.name))
                    yield path


def pack_arrays(arrays: Mapping[str, np.ndarray]) -> bytes:
    """The bytes of a compressed npz; mostly-zero arrays are kept as a bit mask and values."""
    stored: dict[str, np.ndarray] = {}
    for name, array in arrays.items():
        if array.size and np.count_nonzero(array) < array.size / 2:
            stored[f"{name}/shape"] = np.array(array.shape, dtype=np.int64)
            stored[f"{name}/mask"] = np.packbits(array.ravel() != 0)
            stored[f"{name}/values"] = array.ravel()[array.ravel() != 0]
        else:
            stored[name] = array
    buffer = io.BytesIO()
    np.savez_compressed(buffer, **stored)
    return buffer.getvalue()


def unpack_arrays(packed: bytes) -> dict[str, np.ndarray]:
    """The arrays of `pack_arrays`."""
    with np.load(io.BytesIO(packed), allow_pickle=False) as stored:
        arrays = {name: stored[name] for name in stored.files if "/" not in name}
        for name in {n.split("/")[0] for n in stored.files if "/" in n}:
            shape, values = stored[f"{name}/shape"], stored[f"{name}/values"]
            flat = np.zeros(int(np.prod(shape)), values.dtype)
            flat[np.unpackbits(stored[f"{name}/mask"], count=flat.size).astype(bool)] = values
            arrays[name] = flat.reshape(shape)
    return arrays


def read_record(path: Path) -> Record:
    """Read a record file and check it. Raises RecordError where it is damaged."""
    advice = f"Delete {path} (and its .npz): the next run computes it again."
    try:
        content = json.loads(path.read_text(encoding="utf-8"))
        record = Record(
            content["kind"], content["parameters"], content["value"], content["provenance"]
        )
        key = record_key(record.kind, record.parameters)
        is_current = content["version"] == RECIPES[record.kind].version
    except (OSError, ValueError, KeyError, TypeError) as error:
        raise RecordError(f"{path} is not a record ({error!r}). {advice}") from error
    if is_current and key != path.stem:
        raise RecordError(f"{path} was altered: its parameters belong to {key}. {advice}")
    if "arrays_sha256" not in content:
        return record
    try:
        packed = path.with_suffix(".npz").read_bytes()
    except OSError as error:
        raise RecordError(f"{path} has lost its arrays ({error}). {advice}") from error
    if hashlib.sha256(packed).hexdigest() != content["arrays_sha256"]:
        raise RecordError(f"{path.with_suffix('.npz')} was altered or cut off. {advice}")
    return Record(
        record.kind, record.parameters, record.value, record.provenance, unpack_arrays(packed)
    )


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
