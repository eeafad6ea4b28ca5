"""Arrays as the bytes of a compressed npz, mostly-zero ones as a bit mask and values."""

from __future__ import annotations

import io
from collections.abc import Iterator, Mapping
from functools import cached_property

import numpy as np


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


class PackedArrays(Mapping[str, np.ndarray]):
    """The arrays in some packed bytes, unpacked when one of them is asked for."""

    def __init__(self, packed: bytes) -> None:
        self.packed = packed

    @cached_property
    def _arrays(self) -> dict[str, np.ndarray]:
        return unpack_arrays(self.packed)

    def __getitem__(self, name: str) -> np.ndarray:
        return self._arrays[name]

    def __iter__(self) -> Iterator[str]:
        return iter(self._arrays)

    def __len__(self) -> int:
        return len(self._arrays)
