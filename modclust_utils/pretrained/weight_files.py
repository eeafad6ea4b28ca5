"""Weights of a network from a file, as tensors with names; a file that wants more is refused.

A file is read into memory once, so that its hash is that of what was read. A pickle is read by
torch's reader of weights, which runs no code of the file.
"""

from __future__ import annotations

import hashlib
import io
import pickle
import re
import warnings
import zipfile
from collections import Counter
from collections.abc import Callable, Mapping
from dataclasses import dataclass, field
from pathlib import Path
from typing import Any

import numpy as np
import torch
from packaging.version import Version
from torch import Tensor, nn

from modclust_utils.datasets import DataError
from modclust_utils.paths import as_path

#: Below this version a file could corrupt memory even with weights_only (GHSA-63cw-57p8-fm3p).
OLDEST_TORCH = Version("2.10")
#: Keys under which training scripts keep the weights beside other things.
STATE_KEYS = ("state_dict", "model_state_dict", "model")
#: What torch's DataParallel puts before each name.
PARALLEL = "module."
#: The largest networks of torchvision take 2.6 GB.
MOST_BYTES = 2**32
MOST_TENSORS = 20_000
#: An archive that unpacks to more than this many times its size is none of weights.
MOST_PACKED = 200
NAME = re.compile(r"[A-Za-z0-9_][A-Za-z0-9_.\-]{0,199}")
_SAFE = "a file of tensors only, as .npz, .safetensors, or a .pth of torch.save(state_dict)"


@dataclass(frozen=True, eq=False)
class WeightFile:
    """What a file of weights holds.

    tensors: by name, on the CPU; sha256: of the file; notes: what was unwrapped, in sentences.
    """

    tensors: dict[str, Tensor] = field(repr=False)
    sha256: str
    notes: tuple[str, ...] = ()


def put_into(module: nn.Module, tensors: Mapping[str, Tensor]) -> None:
    """Give a module tensors by name; what they leave out stays as it is.

    They become part of the module's own state, which says in which version each layer writes its
    tensors: some layers, as torchvision's MNASNet, take none without it, and files of tensors
    alone cannot hold it.

    Raises ValueError where the module does not take them.
    """
    state = module.state_dict()
    state.update(tensors)
    try:
        module.load_state_dict(state)
    except Exception as error:  # layers may have a way of their own to take tensors
        raise ValueError(
            f"{type(module).__name__} does not take the tensors ({error}); allowed: a network "
            "that takes what its own state_dict gives"
        ) from error


def read_weights(path: str | Path) -> dict[str, Tensor]:
    """The tensors of a `.npz`, `.safetensors`, `.pth` or `.pt` file, by name, on the CPU.

    A state that lies in a larger dictionary, under `state_dict`, `model_state_dict` or `model`, is
    taken from there, and `module.` is taken off names that all begin with it.

    Raises DataError, a ValueError, which names the file, for one that is missing or damaged, holds
    other things than dense real tensors without NaN or infinity, or wants to run code.
    """
    return read_weight_file(path).tensors


def read_weight_file(path: str | Path) -> WeightFile:
    """As `read_weights`, with the hash of the file and what was unwrapped."""
    path = as_path("path", path)
    read = _READERS.get(path.suffix)
    if read is None:
        raise ValueError(f"path={str(path)!r} is not allowed: a file {', '.join(_READERS)}")
    content = _content(path)
    found, notes = _unwrapped(path, read(path, content))
    for name, tensor in found.items():
        _check_tensor(path, name, tensor)
    tensors = {name: tensor.detach().contiguous() for name, tensor in found.items()}
    return WeightFile(tensors, hashlib.sha256(content).hexdigest(), notes)


def _content(path: Path) -> bytes:
    if not path.is_file():
        raise DataError(f"path={str(path)!r} is not allowed: there is no such file")
    size = path.stat().st_size
    if size > MOST_BYTES:
        raise _refused(path, f"it has {size:,} bytes; allowed: up to {MOST_BYTES:,}")
    try:
        return path.read_bytes()
    except OSError as error:
        raise _refused(path, f"it cannot be read ({error})") from error


def _refused(path: Path, why: str) -> DataError:
    return DataError(f"path={str(path)!r} is refused: {why}; allowed: {_SAFE}")


def _damaged(path: Path, error: BaseException) -> DataError:
    return _refused(path, f"it is damaged ({str(error) or type(error).__name__})")


# --- formats -------------------------------------------------------------------------------------


def _read_npz(path: Path, content: bytes) -> dict[str, Any]:
    if not zipfile.is_zipfile(io.BytesIO(content)):
        raise _refused(path, "it is no zip archive, as a .npz file is")
    _check_archive(path, content)
    try:
        with np.load(io.BytesIO(content), allow_pickle=False) as stored:
            arrays = {name: stored[name] for name in stored.files}
    except Exception as error:  # a damaged archive can make its readers fail in any way
        if "allow_pickle" in str(error):
            raise _refused(path, "it holds Python objects, which could run code") from error
        raise _damaged(path, error) from error
    return {name: _from_numpy(path, name, array) for name, array in arrays.items()}


def _from_numpy(path: Path, name: str, array: Any) -> Tensor:
    if not isinstance(array, np.ndarray) or array.dtype.kind not in "biuf":
        raise _refused(path, f"{name!r:.60} is no array of real numbers")
    try:
        return torch.from_numpy(array.astype(array.dtype.newbyteorder("=")))
    except TypeError as error:  # numpy has precisions that torch does not have
        raise _refused(path, f"{name!r:.60} holds {array.dtype}") from error


def _read_safetensors(path: Path, content: bytes) -> dict[str, Any]:
    from safetensors.torch import load

    try:
        return load(content)
    except Exception as error:  # its reader has errors of its own, and passes on those of torch
        raise _damaged(path, error) from error


def _read_torch(path: Path, content: bytes) -> Any:
    if Version(torch.__version__) < OLDEST_TORCH:
        raise DataError(
            f"path={str(path)!r} is refused: torch {torch.__version__} can be made to run code by "
            f"such a file; allowed: torch {OLDEST_TORCH} or newer, or a .safetensors or .npz file"
        )
    if zipfile.is_zipfile(io.BytesIO(content)):
        _check_archive(path, content)
    try:
        with warnings.catch_warnings():
            # torch warns of sparse tensors and of archives with code, both of which are refused
            warnings.simplefilter("ignore", UserWarning)
            return torch.load(io.BytesIO(content), map_location="cpu", weights_only=True)
    except pickle.UnpicklingError as error:
        raise _refused(path, _why_unsafe(str(error))) from error
    except Exception as error:  # pickles and archives can be wrong in any way
        raise _damaged(path, error) from error


def _why_unsafe(message: str) -> str:
    asked = re.search(r"(?:GLOBAL|global:?) (?:GLOBAL )?([\w.]+)", message)
    if asked:
        return f"it holds more than tensors, and would run code to make a `{asked[1]}`"
    return "it is damaged, or holds more than tensors and would run code to make that"


_READERS: dict[str, Callable[[Path, bytes], Any]] = {
    ".npz": _read_npz,
    ".safetensors": _read_safetensors,
    ".pth": _read_torch,
    ".pt": _read_torch,
}


def _check_archive(path: Path, content: bytes) -> None:
    """Nothing of an archive that lists too much is unpacked."""
    try:
        with zipfile.ZipFile(io.BytesIO(content)) as archive:
            entries = archive.infolist()
    except Exception as error:
        raise _damaged(path, error) from error
    if len(entries) > MOST_TENSORS:
        raise _refused(path, f"it lists {len(entries):,} entries, above {MOST_TENSORS:,}")
    names = Counter(entry.filename.removesuffix(".npy") for entry in entries)
    for name, count in names.most_common(1):
        if count > 1:
            raise _refused(path, f"it has {count} entries of the name {name!r:.60}")
    unpacked = sum(entry.file_size for entry in entries)
    if unpacked > min(MOST_BYTES, MOST_PACKED * len(content)):
        raise _refused(path, f"its {len(content):,} bytes would unpack to {unpacked:,}")


# --- what is in them -----------------------------------------------------------------------------


def _unwrapped(path: Path, found: Any) -> tuple[dict[str, Tensor], tuple[str, ...]]:
    notes = []
    while isinstance(found, Mapping):
        key = next((key for key in STATE_KEYS if isinstance(found.get(key), Mapping)), None)
        if key is None:
            break
        others = sorted(str(other) for other in found if other != key)
        left_out = f", and {', '.join(others)[:200]} left out" if others else ""
        notes.append(f"The weights were taken from {key!r}{left_out}.")
        found = found[key]
    if not isinstance(found, Mapping) or not 0 < len(found) <= MOST_TENSORS:
        raise _refused(path, f"it holds no dictionary of 1 to {MOST_TENSORS:,} tensors")
    for name in found:
        if not isinstance(name, str) or not NAME.fullmatch(name):
            raise _refused(
                path, f"{name!r:.60} is no name of a tensor, such as 'features.0.weight'"
            )
    if all(name.startswith(PARALLEL) for name in found):
        notes.append(f"{PARALLEL!r} was taken off the names.")
        found = {name.removeprefix(PARALLEL): tensor for name, tensor in found.items()}
    return dict(found), tuple(notes)


def _check_tensor(path: Path, name: str, tensor: Any) -> None:
    if not isinstance(tensor, Tensor):
        raise _refused(
            path,
            f"{name!r} is of type {type(tensor).__name__}, and a state inside a larger dictionary "
            f"is looked for under {', '.join(STATE_KEYS)}",
        )
    if tensor.is_meta or tensor.layout != torch.strided or tensor.is_quantized:
        kind = "meta" if tensor.is_meta else "quantized" if tensor.is_quantized else tensor.layout
        raise _refused(path, f"{name!r} is a {kind} tensor, not one of plain numbers")
    if tensor.is_complex():
        raise _refused(path, f"{name!r} holds complex numbers")
    # one stored number can stand for any number of them
    if tensor.numel() > max(1, tensor.untyped_storage().nbytes() // tensor.itemsize):
        raise _refused(path, f"{name!r} has shape {tuple(tensor.shape)}, more than is stored of it")
    if tensor.is_floating_point() and not bool(tensor.float().isfinite().all()):
        raise _refused(path, f"{name!r} holds NaN or infinity")
