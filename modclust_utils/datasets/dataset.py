"""`Dataset`, the one form of all images and labels, and the checks at its door."""

from __future__ import annotations

import hashlib
from collections.abc import Sequence
from dataclasses import dataclass, field

import numpy as np
from numpy.typing import ArrayLike, NDArray

Part = tuple[NDArray[np.generic], NDArray[np.generic]]  # images and their labels

CHANNELS = (1, 3)
#: Labels are hashed as bytes.
MOST_CLASSES = 256


class DataError(ValueError):
    """A data set, or a file of weights, is missing, damaged, altered, or not of the form that its
    reader describes."""


@dataclass(frozen=True, eq=False)
class Dataset:
    """Images as rows of pixels, and their labels; all arrays are read-only.

    `x_*` float32 (n, d), `y_*` int64 (n,) from 0. Pixels are in [0, 1], but for the sets with a
    pixel range of their own. `shape` is that of an image: (rows, columns), (3, rows, columns), or
    (d,) where it is not known. `test_note` is empty, or says what a reader of a test accuracy has
    to know about this test set.
    """

    name: str
    x_train: NDArray[np.float32] = field(repr=False)
    y_train: NDArray[np.int64] = field(repr=False)
    x_test: NDArray[np.float32] = field(repr=False)
    y_test: NDArray[np.int64] = field(repr=False)
    train_hash: str
    test_hash: str
    shape: tuple[int, ...]
    class_names: tuple[str, ...]
    test_note: str = ""

    def __post_init__(self) -> None:
        for array in (self.x_train, self.y_train, self.x_test, self.y_test):
            array.setflags(write=False)

    @property
    def n_classes(self) -> int:
        """Number of classes."""
        return len(self.class_names)


def content_hash(images: NDArray[np.generic], labels: NDArray[np.generic]) -> str:
    """SHA-256 (hex) over the images in C order, then the labels as uint8.

    Images are hashed as they are stored: uint8, or float32 for images that came as floats. Raises
    `DataError` for labels outside 0 to 255, which would have the hash of others.
    """
    if labels.size and not (labels.min() >= 0 and labels.max() < MOST_CLASSES):
        low, high = labels.min(), labels.max()
        raise DataError(f"labels reaches from {low} to {high}; allowed: 0 to {MOST_CLASSES - 1}")
    kind = np.uint8 if images.dtype == np.uint8 else np.float32
    digest = hashlib.sha256(np.ascontiguousarray(images, dtype=kind))
    digest.update(np.ascontiguousarray(labels, dtype=np.uint8))
    return digest.hexdigest()


def from_arrays(
    name: str,
    train: tuple[ArrayLike, ArrayLike],
    test: tuple[ArrayLike, ArrayLike],
    *,
    n_classes: int | None = None,
    class_names: Sequence[str] = (),
    test_note: str = "",
) -> Dataset:
    """Check (images, labels) of a training and a test part and make a `Dataset` of copies.

    Images: uint8 or float in [0, 1], of one shape; (n, h, w), with one or three channels
    (n, c, h, w) or (n, h, w, c), or flat (n, d). They are kept, and hashed, channels first. Labels:
    integers from 0; there are as many classes as the largest training label says, unless
    `n_classes` does. Classes without names have their number for one.

    Raises `DataError` that names the array and what is wrong with it: also for masked entries,
    images that are all the same, more than 256 classes, and a single class in training.
    """
    if n_classes is not None:
        n_classes = _n_classes(name, n_classes)
    (x_train, y_train), (x_test, y_test) = (
        _pair(name, part, pair) for part, pair in (("train", train), ("test", test))
    )
    if x_test.shape[1:] != x_train.shape[1:]:
        raise DataError(
            f"{name}: x_test has images of shape {x_test.shape[1:]}; "
            f"allowed: {x_train.shape[1:]}, as in x_train"
        )
    _check_pixels(f"{name}: x_train", x_train)
    _check_pixels(f"{name}: x_test", x_test)
    _check_labels(f"{name}: y_train", y_train, len(x_train), n_classes or MOST_CLASSES)
    if y_train.min() == y_train.max():
        raise DataError(f"{name}: y_train has one class, {y_train[0]}; allowed: two or more")
    n_classes = n_classes or int(y_train.max()) + 1
    _check_labels(f"{name}: y_test", y_test, len(x_test), n_classes)
    if isinstance(class_names, str | bytes) or not isinstance(class_names, Sequence | np.ndarray):
        raise DataError(
            f"{name}: class_names={class_names!r}; allowed: a list of names, one for each class"
        )
    names = tuple(map(str, class_names)) or tuple(map(str, range(n_classes)))
    if len(names) != n_classes:
        raise DataError(
            f"{name}: class_names has {len(names)} names; allowed: {n_classes}, one for each class"
        )
    return Dataset(
        name,
        _rows(x_train),
        y_train.astype(np.int64),
        _rows(x_test),
        y_test.astype(np.int64),
        content_hash(x_train, y_train),
        content_hash(x_test, y_test),
        x_train.shape[1:],
        names,
        test_note,
    )


def _n_classes(name: str, n_classes: object) -> int:
    whole = isinstance(n_classes, int | np.integer) and not isinstance(n_classes, bool)
    if not (whole and 2 <= n_classes <= MOST_CLASSES):
        raise DataError(
            f"{name}: n_classes={n_classes!r}; allowed: a whole number from 2 to {MOST_CLASSES}"
        )
    return int(n_classes)


def _pair(name: str, part: str, pair: object) -> Part:
    """Images and labels of a part as arrays."""
    if not isinstance(pair, tuple | list) or len(pair) != 2:
        raise DataError(f"{name}: {part} is no pair; allowed: (images, labels)")
    images, labels = (
        _array(f"{name}: {letter}_{part}", value) for letter, value in zip("xy", pair, strict=True)
    )
    return _channels_first(f"{name}: x_{part}", images), labels


def _array(what: str, value: ArrayLike) -> NDArray[np.generic]:
    if np.ma.is_masked(value):
        raise DataError(f"{what} has masked entries; allowed: an array with all of them")
    try:
        return np.asarray(value)
    except Exception as error:  # objects make arrays of themselves in their own ways, and fail so
        raise DataError(f"{what} is no array ({error}); allowed: numbers of one shape") from error


def _channels_first(what: str, images: NDArray[np.generic]) -> NDArray[np.generic]:
    """Images (n, h, w), (n, 3, h, w) or (n, d): a single channel is no axis of its own."""
    if images.ndim == 4:
        first, last = images.shape[1] in CHANNELS, images.shape[3] in CHANNELS
        if first and last:
            raise DataError(
                f"{what} has shape {images.shape}, whose channels may be first or last; "
                "allowed: one or three channels at one end only"
            )
        images = np.moveaxis(images, 3, 1) if last else images
    if not (images.ndim in (2, 3) or (images.ndim == 4 and images.shape[1] in CHANNELS)):
        raise DataError(
            f"{what} has shape {images.shape}; allowed: (n, h, w), (n, c, h, w) or (n, h, w, c) "
            "with one or three channels, or (n, d)"
        )
    if not images.size:
        raise DataError(f"{what} is empty, its shape {images.shape}; allowed: one image or more")
    return images[:, 0] if images.ndim == 4 and images.shape[1] == 1 else images


def _check_pixels(what: str, images: NDArray[np.generic]) -> None:
    if images.dtype != np.uint8 and images.dtype.kind != "f":
        raise DataError(f"{what} holds {images.dtype}; allowed: uint8, or float in [0, 1]")
    low, high = images.min(), images.max()
    if images.dtype == np.uint8 and high == 1:
        raise DataError(
            f"{what} holds uint8 up to 1, which would become nearly black; "
            "allowed: uint8 from 0 to 255, or floats in [0, 1]"
        )
    if images.dtype != np.uint8 and not (low >= 0 and high <= 1):  # written so that NaN fails too
        raise DataError(f"{what} reaches from {low} to {high}; allowed for floats: 0 to 1")
    if len(images) > 1 and all(np.array_equal(images[0], image) for image in images[1:]):
        raise DataError(f"{what} holds one image {len(images)} times; allowed: different images")


def _check_labels(what: str, labels: NDArray[np.generic], n: int, n_classes: int) -> None:
    if labels.shape != (n,):
        raise DataError(f"{what} has shape {labels.shape}; allowed: ({n},), a label for each image")
    allowed = f"0 to {n_classes - 1}"
    if labels.dtype.kind not in "iu":
        raise DataError(f"{what} holds {labels.dtype}; allowed: integers from {allowed}")
    if labels.min() < 0 or labels.max() >= n_classes:
        raise DataError(f"{what} reaches from {labels.min()} to {labels.max()}; allowed: {allowed}")


def _rows(images: NDArray[np.generic]) -> NDArray[np.float32]:
    scale = np.float32(255 if images.dtype == np.uint8 else 1)
    return np.divide(images, scale, dtype=np.float32).reshape(len(images), -1)
