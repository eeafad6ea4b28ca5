"""Images of one's own: of any size and number of classes, with labels or without.

From a folder (`pretrained.load_images`) or a `.npz` file. Where they come as one part, every second
image of each class is for clustering by activations and the others test lesions: no image does
both. Of more images than are asked for, those taken are spread over all of them, class by class.
"""

from __future__ import annotations

import hashlib
import math
import zipfile
from collections.abc import Sequence
from dataclasses import dataclass, field
from functools import cache
from pathlib import Path

import numpy as np
import torch
from numpy.typing import NDArray

from modclust_utils.datasets import DataError, Dataset
from modclust_utils.datasets.images import SUFFIXES
from modclust_utils.paths import absolute_path, as_path
from modclust_utils.pretrained import load_images
from modclust_utils.recipes.base import Images

_HEADERS = (np.lib.format.read_array_header_2_0, np.lib.format.read_array_header_1_0)
_SHOWN = 10
_FORMS = "arrays x and, for lesions, y; or x_train, y_train, x_test and y_test"


@dataclass(frozen=True)
class OwnImages(Images):
    """Which images, and how they are read.

    input_shape: of what the network takes; labelled: whether there are classes; classes: what the
    names of folders are (`pretrained.load_images`); n_images: at most so many; words: a sentence
    about them.
    """

    input_shape: tuple[int, ...] = field(default=(), kw_only=True)
    labelled: bool = field(default=False, kw_only=True)
    classes: str = field(default="folders", kw_only=True)
    n_images: int = field(default=1000, kw_only=True)
    words: str = field(default="", kw_only=True, compare=False)

    def load(self, *, download: bool = True) -> Dataset:
        """The images as rows. Raises DataError where they are not those of the hash."""
        place = Path(self.folder or "")
        found = _read(place, _stamp(place), self.input_shape, self.classes, self.n_images)
        if found.train_hash != self.train_hash:
            raise DataError(
                f"the images in {self.folder} have changed since the analysis began; run the same "
                "command again"
            )
        return found


def own_images(
    place: str | Path, input_shape: Sequence[int], *, classes: str = "", n_images: int = 1000
) -> OwnImages:
    """The images at a place, for a network of an input shape.

    classes: whose numbers its logits are, "" where that is not known: then folders are numbered in
    their order. Raises DataError for images that do not fit the network.
    """
    path = absolute_path("images", place)
    shape = tuple(input_shape)
    kinds = [classes, "folders"] if classes else ["folders"]
    if path.suffix == ".npz":
        kinds = ["folders"]
    for kind in kinds:
        try:
            found = _read(path, _stamp(path), shape, kind, n_images)
        except DataError:
            # names of folders that are no classes of the network's
            if kind == kinds[-1]:
                raise
            continue
        labelled = bool(found.n_classes) and (kind == kinds[0])
        return OwnImages(
            path.stem,
            found.train_hash,
            str(path),
            input_shape=shape,
            labelled=labelled,
            classes=kind,
            n_images=n_images,
            words=_words(found, "" if labelled else kinds[0]),
        )
    raise AssertionError(kinds)


def shape_in(place: str | Path) -> tuple[int, ...]:
    """The shape of one image in a `.npz` file; () where it is none, or has none."""
    path = as_path("images", place)
    try:
        with zipfile.ZipFile(path) as archive:
            name = next(n for n in ("x.npy", "x_test.npy") if n in archive.namelist())
            with archive.open(name) as stored:
                # the head of an array is all that is read
                old = np.lib.format.read_magic(stored) == (1, 0)
                return tuple(_HEADERS[old](stored)[0][1:])
    except Exception:  # what is wrong with it, its reader says
        return ()


def _words(found: Dataset, unlabelled: str) -> str:
    """Which images these are; unlabelled: whose classes they are not, "" for labelled ones."""
    low, high = found.x_test.min(), found.x_test.max()
    text = (
        f"Of the images in {found.name}, {len(found.x_train):,} are for clustering by activations "
        f"and {len(found.x_test):,} others for lesions; their numbers lie from {low:g} to {high:g}"
    )
    names = _numbered(found.class_names)
    if not unlabelled:
        return f"{text}. Classes: {names}."
    why = "there are no labels"
    if found.class_names and unlabelled != "folders":
        why = f"the names of their folders are no classes of {unlabelled} ({names})"
    return f"{text}. Nothing is lesioned, since {why}."


def _numbered(names: tuple[str, ...]) -> str:
    """Classes with their numbers; where their names are these, the first and the last."""
    if names == tuple(map(str, range(len(names)))):
        return f"0 to {len(names) - 1}"
    shown = ", ".join(f"{i} = {name}" for i, name in enumerate(names[:_SHOWN]))
    return f"{shown}, ..." if len(names) > _SHOWN else shown


def _stamp(path: Path) -> tuple[tuple[str, int, int], ...]:
    """What changes when files are written anew."""
    there = sorted(path.rglob("*")) if path.is_dir() else [path] * path.is_file()
    facts = [(each, each.stat()) for each in there]
    return tuple((str(each), stat.st_mtime_ns, stat.st_size) for each, stat in facts)


@cache  # of one process: every job about them reads them
def _read(
    path: Path,
    stamp: tuple[tuple[str, int, int], ...],  # so files that were written anew are read again
    shape: tuple[int, ...],
    classes: str,
    n_images: int,
) -> Dataset:
    if path.suffix == ".npz":
        x, y, parts, names = _from_npz(path, shape)
    else:
        x, y, names = _from_folder(path, shape, classes, n_images)
        parts = None
    if parts is None:
        by_class = np.argsort(y, kind="stable")
        parts = by_class[::2], by_class[1::2]
    own, test = (_spread(part, y, n_images) for part in parts)
    if not len(own) or not len(test):
        raise DataError(f"images={str(path)!r} has {len(x)} images; allowed: two or more")
    rows = x.reshape(len(x), -1)
    return Dataset(
        path.stem,
        rows[own],
        y[own],
        rows[test],
        y[test],
        _hash(rows, y, own),
        _hash(rows, y, test),
        shape,
        names,
    )


def _spread(part: NDArray[np.int64], y: NDArray[np.int64], n: int) -> NDArray[np.int64]:
    """At most n of some images, as many of each class as its share of them is, in their order."""
    by_class = part[np.argsort(y[part], kind="stable")]
    chosen = np.linspace(0, max(len(part) - 1, 0), min(n, len(part))).astype(np.int64)
    return np.sort(by_class[chosen])


def _hash(rows: NDArray[np.float32], y: NDArray[np.int64], part: NDArray[np.int64]) -> str:
    digest = hashlib.sha256(rows[part].tobytes())
    digest.update(y[part].tobytes())
    return digest.hexdigest()


_Found = tuple[NDArray[np.float32], NDArray[np.int64], tuple[str, ...]]
_Parts = tuple[NDArray[np.int64], NDArray[np.int64]] | None


def _from_npz(
    path: Path, shape: tuple[int, ...]
) -> tuple[NDArray[np.float32], NDArray[np.int64], _Parts, tuple[str, ...]]:
    try:
        with np.load(path, allow_pickle=False) as stored:
            arrays = {name: stored[name] for name in stored.files}
    except Exception as error:  # a damaged archive can make its readers fail in any way
        raise DataError(
            f"data={str(path)!r} cannot be read ({error}); allowed: {_FORMS}"
        ) from error
    parts: _Parts = None
    if {"x_train", "x_test"} <= arrays.keys():
        x = _joined(path, arrays, "x")
        n_train = len(arrays["x_train"])
        if ("y_train" in arrays) != ("y_test" in arrays):
            raise DataError(
                f"data={str(path)!r} holds only one of y_train and y_test; allowed: both or none"
            )
        y = _joined(path, arrays, "y") if "y_test" in arrays else None
        if y is not None and len(arrays["y_train"]) != n_train:
            raise DataError(
                f"data={str(path)!r}: y_train holds {len(arrays['y_train'])} classes; allowed: "
                f"{n_train}, one for each image of x_train"
            )
        parts = np.arange(n_train), np.arange(n_train, len(x))
    elif "x" in arrays:
        x, y = arrays["x"], arrays.get("y")
    else:
        names = ", ".join(arrays) or "nothing"
        raise DataError(f"data={str(path)!r} holds {names}; allowed: {_FORMS}")
    return _pixels(path, x, shape), *_labels(path, y, len(x), parts)


def _joined(path: Path, arrays: dict[str, NDArray], name: str) -> NDArray:
    """Both parts as one. Raises DataError where they are of different kinds."""
    train, test = (arrays[f"{name}_{part}"] for part in ("train", "test"))
    # uint8 says that pixels reach to 255, which a wider type does not
    first, second = (
        (part.shape[1:], part.dtype.kind, name == "x" and part.dtype == np.uint8)
        for part in (train, test)
    )
    if 0 in (train.ndim, test.ndim) or first != second:
        raise DataError(
            f"data={str(path)!r}: {name}_train holds {train.dtype} {train.shape}, and {name}_test "
            f"{test.dtype} {test.shape}; allowed: two parts of one kind"
        )
    return np.concatenate([train, test])


def _pixels(path: Path, x: NDArray[np.generic], shape: tuple[int, ...]) -> NDArray[np.float32]:
    if x.ndim < 2 or x.dtype.kind not in "uif" or not len(x):
        raise DataError(f"data={str(path)!r}: x holds {x.dtype} {x.shape}; allowed: (n, {shape})")
    if np.prod(x.shape[1:]) != np.prod(shape):
        raise DataError(
            f"data={str(path)!r}: x has images of shape {x.shape[1:]}; allowed: {shape}, as the "
            "network takes them (--input-shape names another)"
        )
    if len(shape) == 3 and x.ndim == 4 and x.shape[1:] != shape:
        if (x.shape[3], *x.shape[1:3]) != shape:
            raise DataError(
                f"data={str(path)!r}: x has images of shape {x.shape[1:]}; allowed: {shape}"
            )
        x = np.moveaxis(x, 3, 1)
    scale = np.float32(255 if x.dtype == np.uint8 else 1)
    found = np.divide(x, scale, dtype=np.float32)
    if not np.isfinite(found).all():
        raise DataError(f"data={str(path)!r}: x holds NaN or infinity; allowed: finite numbers")
    return found


def _labels(
    path: Path, y: NDArray[np.generic] | None, n: int, parts: _Parts
) -> tuple[NDArray[np.int64], _Parts, tuple[str, ...]]:
    if y is None:
        return np.zeros(n, np.int64), parts, ()
    if y.shape != (n,) or y.dtype.kind not in "iu" or y.min() < 0:
        raise DataError(
            f"data={str(path)!r}: y holds {y.dtype} {y.shape}; allowed: classes from 0 ({n},)"
        )
    return y.astype(np.int64), parts, tuple(map(str, range(int(y.max()) + 1)))


def _from_folder(path: Path, shape: tuple[int, ...], classes: str, n_images: int) -> _Found:
    n_channels, size = _square(path, shape)
    flat = path.is_dir() and any(each.suffix.lower() in SUFFIXES for each in path.iterdir())
    found = load_images(path, size=size, classes=classes)
    if len(found) > 2 * n_images:
        found = load_images(path, size=size, classes=classes, n_images=2 * n_images)
    images = found.x
    if n_channels == 1:
        images = images.float().mean(1, keepdim=True)
    names = () if flat else found.class_names
    return (images.to(torch.float32) / 255).numpy(), found.y, names


def _square(path: Path, shape: tuple[int, ...]) -> tuple[int, int]:
    """Channels and rows of images of a shape, or of so many numbers in a row. Raises DataError for
    what no square image of one or three channels is."""
    for n_channels in (1, 3):
        size = math.isqrt(math.prod(shape) // n_channels)
        if shape in ((n_channels, size, size), (n_channels * size * size,), (size, size)):
            return n_channels, size
    raise DataError(
        f"images={str(path)!r} is a folder, and the network takes {shape}; allowed: a network of "
        "square images with one or three channels, or --data with a .npz file"
    )
