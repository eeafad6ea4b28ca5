"""Data sets made from others: on another scale of pixels, mixed, halved, or gray for coloured."""

from __future__ import annotations

import hashlib
from collections.abc import Sequence
from dataclasses import replace
from numbers import Real

import numpy as np
from numpy.typing import NDArray

from modclust_utils.datasets.dataset import DataError, Dataset
from modclust_utils.datasets.generated import SIDE, check_at_least

#: What stands before the note of a part in the note of a mixture's test images.
OWN_NOTE = ", whose own note says: "


def with_pixel_range(dataset: Dataset, low: float, high: float) -> Dataset:
    """The same images with pixels from `low` to `high` in place of 0 to 1.

    The hashes are made of the data set's and of the range. Raises `DataError` unless both are
    finite and `low` is less than `high`, and for images that leave 0 to 1, as
    those of another range do.
    """
    _check_numbers(low=low, high=high)
    if not (np.isfinite([low, high]).all() and low < high):
        raise DataError(f"low, high = {low}, {high}; allowed: finite numbers, low less than high")
    for part, x in (("x_train", dataset.x_train), ("x_test", dataset.x_test)):
        if x.min() < 0 or x.max() > 1:
            raise DataError(
                f"{dataset.name}: {part} reaches from {x.min()} to {x.max()}; allowed: 0 to 1"
            )
    width, start = np.float32(high - low), np.float32(low)
    return replace(
        dataset,
        x_train=dataset.x_train * width + start,
        x_test=dataset.x_test * width + start,
        train_hash=range_hash(dataset.train_hash, low, high),
        test_hash=range_hash(dataset.test_hash, low, high),
    )


def _check_numbers(**named: object) -> None:
    """Raises `DataError` for anything but real numbers."""
    for name, value in named.items():
        if not isinstance(value, Real) or isinstance(value, bool):
            raise DataError(f"{name} = {value!r}; allowed: a finite number")


def range_hash(made: str, low: float, high: float) -> str:
    """The hash of images with another pixel range, from their own."""
    words = f"{made} with pixels from {float(low)} to {float(high)}"
    return hashlib.sha256(words.encode()).hexdigest()


def mixture(first: Dataset, second: Dataset, *, name: str, separate: bool = False) -> Dataset:
    """One data set made of two: a mixture of paper A, section A.5.

    Overlapping, all of `second` follows all of `first`, under the labels that they have. Separate,
    the lower half of the labels (of ten, 0 to 4) are the first's images and the upper half the
    second's, and the others are left out. Training and test part are mixed alike; the order within
    each part stays. The hashes are made of the hashes of both parts. Raises `DataError` for what is
    no `Dataset`, for a `separate` that is not True or False, for parts of different shape or number
    of classes, and where a separate mixture would have no image of one of them.
    """
    if not isinstance(separate, bool | np.bool_):
        raise DataError(f"{name}: separate = {separate!r}; allowed: True or False")
    for what, part in (("first", first), ("second", second)):
        if not isinstance(part, Dataset):
            raise DataError(f"{what} = {part!r}; allowed: a Dataset, such as `load` gives")
    forms = [f"{part.shape} in {part.n_classes} classes" for part in (first, second)]
    if forms[0] != forms[1]:
        raise DataError(
            f"{name}: first has images {forms[0]}, second {forms[1]}; "
            "allowed: one shape and number of classes"
        )
    n, half = first.n_classes, first.n_classes // 2
    ranges = (range(half), range(half, n)) if separate else (range(n),) * 2
    chosen = [_with_labels(*pair, name) for pair in zip((first, second), ranges, strict=True)]
    x_train, y_train, x_test, y_test = map(np.concatenate, zip(*chosen, strict=True))
    return Dataset(
        name,
        x_train,
        y_train,
        x_test,
        y_test,
        mixture_hash(first.train_hash, second.train_hash, separate),
        mixture_hash(first.test_hash, second.test_hash, separate),
        first.shape,
        mixed_names(first.class_names, second.class_names, separate),
        _mixture_note((first, second), [len(part[3]) for part in chosen]),
    )


def _with_labels(dataset: Dataset, labels: range, name: str) -> tuple[NDArray[np.generic], ...]:
    """`x_train, y_train, x_test, y_test` of the images that have one of the labels."""
    arrays: list[NDArray[np.generic]] = []
    for part, x, y in (
        ("training", dataset.x_train, dataset.y_train),
        ("test", dataset.x_test, dataset.y_test),
    ):
        kept = (y >= labels.start) & (y < labels.stop)
        if not kept.any():
            raise DataError(
                f"{name}: {dataset.name} has no {part} image with a label from {labels.start} to "
                f"{labels.stop - 1}; allowed: one or more"
            )
        # a mask would copy all images once more
        arrays += [x, y] if kept.all() else [x[kept], y[kept]]
    return tuple(arrays)


def mixed_names(first: Sequence[str], second: Sequence[str], separate: bool) -> tuple[str, ...]:
    """The class names of a mixture: those of both parts where a class has images of both."""
    if separate:
        half = len(first) // 2
        return (*first[:half], *second[half:])
    return tuple(a if a == b else f"{a} / {b}" for a, b in zip(first, second, strict=True))


def mixture_hash(first: str, second: str, separate: bool) -> str:
    """The hash of a mixture, from those of its parts."""
    kind = "separate" if separate else "overlapping"
    return hashlib.sha256(f"{kind} mixture of {first} and {second}".encode()).hexdigest()


def _mixture_note(parts: tuple[Dataset, Dataset], sizes: list[int]) -> str:
    """The notes of both parts, each with its share of the test images."""
    return "; ".join(
        f"{size:,} of the {sum(sizes):,} test images come from {part.name}"
        + OWN_NOTE
        + part.test_note
        for part, size in zip(parts, sizes, strict=True)
        if part.test_note
    )


def halves(dataset: Dataset, *, name: str, seed: int) -> Dataset:
    """Two images side by side, each half as wide, labelled by the sum of both labels modulo the
    number of classes: halves-MNIST of paper B', Figure 1.

    Each image is the left half once; the right half is drawn from all images of the same part. A
    half has the means of pairs of columns. The hashes are made of the data set's and of the seed.
    Raises `DataError` for images that have no two even halves, and for a bad seed.
    """
    check_at_least("seed", seed, 0)
    if len(dataset.shape) != 2 or dataset.shape[1] % 2:
        raise DataError(
            f"{name}: {dataset.name} has images {dataset.shape}; allowed: (rows, columns) with an "
            "even number of columns"
        )
    train_stream, test_stream = np.random.default_rng(int(seed)).spawn(2)
    x_train, y_train = _side_by_side(dataset, dataset.x_train, dataset.y_train, train_stream)
    x_test, y_test = _side_by_side(dataset, dataset.x_test, dataset.y_test, test_stream)
    return replace(
        dataset,
        name=name,
        x_train=x_train,
        y_train=y_train,
        x_test=x_test,
        y_test=y_test,
        train_hash=halves_hash(dataset.train_hash, seed),
        test_hash=halves_hash(dataset.test_hash, seed),
        class_names=tuple(map(str, range(dataset.n_classes))),
    )


def _side_by_side(
    dataset: Dataset, x: NDArray[np.float32], y: NDArray[np.int64], rng: np.random.Generator
) -> tuple[NDArray[np.float32], NDArray[np.int64]]:
    rows, columns = dataset.shape
    narrow = x.reshape(-1, rows, columns // 2, 2).mean(3)
    right = rng.integers(len(x), size=len(x))
    both = np.concatenate([narrow, narrow[right]], axis=2)
    return both.reshape(len(x), -1), (y + y[right]) % dataset.n_classes


def halves_hash(made: str, seed: int) -> str:
    """The hash of images of two halves, from that of the images they are made of."""
    return hashlib.sha256(f"halves of {made} with seed {int(seed)}".encode()).hexdigest()


def gray28(images: NDArray[np.uint8]) -> NDArray[np.float32]:
    """Colour images, uint8 (n, 32, 32, 3), as gray ones (n, 28, 28) in [0, 1], as in paper A.

    The same as scikit-image's `resize(image, (28, 28), anti_aliasing=True)` and then `rgb2gray`.
    Both are linear, and rows and columns shrink alike, so one 28x32 matrix serves all images.
    """
    from skimage.color import rgb2gray
    from skimage.transform import resize

    if images.dtype != np.uint8 or images.shape[1:] != (32, 32, 3):
        raise DataError(
            f"images holds {images.dtype} {images.shape}; allowed: uint8 (n, 32, 32, 3)"
        )
    shrink = resize(np.eye(32), (SIDE, 32), anti_aliasing=True)
    luminance = rgb2gray(np.eye(3).reshape(3, 1, 3)).ravel() / 255
    gray = np.empty((len(images), SIDE, SIDE), dtype=np.float32)
    for start in range(0, len(images), 2000):  # keeps the float copies small
        batch = slice(start, start + 2000)
        gray[batch] = shrink @ (images[batch] @ luminance) @ shrink.T
    return gray
