"""One row for each data set that has a name: to add one, add a row.

A set of a new sort needs a reader in `files` or a function in `generated` as well.
"""

from __future__ import annotations

import difflib
from collections.abc import Callable
from dataclasses import dataclass, field, replace
from functools import partial
from pathlib import Path

from modclust_utils.datasets.dataset import DataError
from modclust_utils.datasets.derived import mixed_names
from modclust_utils.datasets.files import (
    CIFAR10_CLASSES,
    Stored,
    read_cifar10,
    read_idx_set,
    read_mnist5k,
)
from modclust_utils.datasets.generated import Maker, lines, random_images

DIGITS = tuple("0123456789")


@dataclass(frozen=True, kw_only=True)
class Row:
    """A data set: it is read from files, made from a seed, or made of one or two others.

    words: its name for readers; shape: of an image, once loaded.

    - read: its files, from a folder and whether what is missing there may be downloaded.
      `train_hash`, `test_hash`: SHA-256 over the raw uint8 images (C order) followed by their
      labels as uint8, as published; the second over the first `n_test_hashed` images (None: all).
      `gray`: made gray and 28x28 (`gray28`).
    - make: from a number of images and a generator; `sizes` of the training and the test part.
      `pixel_range`: darkest and brightest pixel, where they are not 0 and 1.
    - parts: the names of both, and whether their classes are `separate` (`mixture`).
    - halves_of: the name of the set whose images are halved and put side by side (`halves`).
    """

    name: str
    words: str
    shape: tuple[int, ...] = (28, 28)
    class_names: tuple[str, ...] = field(default=DIGITS, repr=False)
    read: Callable[[Path, bool], Stored] | None = None
    train_hash: str = ""
    test_hash: str = ""
    n_test_hashed: int | None = None
    gray: bool = False
    make: Maker | None = None
    sizes: tuple[int, int] = (0, 0)
    pixel_range: tuple[float, float] | None = None
    parts: tuple[str, str] | None = None
    separate: bool = False
    halves_of: str | None = None


def _read_imagenette(root: Path, download: bool) -> Stored:
    # imported where it is needed: it brings torch along, which takes seconds
    from modclust_utils.datasets.images import read_imagenette

    return read_imagenette(root, download)


_CIFAR10 = Row(
    name="cifar10",
    words="CIFAR-10",
    class_names=CIFAR10_CLASSES,
    read=read_cifar10,
    train_hash="f912919bdea371136f1aa4feed6beeca728015a5f08b1899a29c932a7e30be2b",
    test_hash="3bbdff8a1946fbed0a833aaf37c6ffbb3d391356d3e79d47a8030d5ee93186db",
    n_test_hashed=1_000,
    gray=True,
)
_PLAIN = (
    Row(
        name="mnist5k",
        words="MNIST (5,000 digits)",
        read=lambda *_: read_mnist5k(),
        train_hash="c21c2d413bb72f6b8ea9b399749a873cd22a82ee3f5b976d84d8fab3c63da4ad",
        test_hash="4baef95eca5201097715d0896175787cd8faa3f6babee5d2630eb3aa90070698",
    ),
    Row(
        name="mnist",
        words="MNIST",
        read=partial(read_idx_set, "mnist"),
        train_hash="edc0d1098aa497be14ace79ddd5171e5a3dcf9c4d196c015389203eb3ba1f59b",
        test_hash="c3f9adf9c66efb572b1f9326c3a511b45910c7173b97be66ceceeeeaef6b802b",
    ),
    Row(
        name="fashion_mnist",
        words="Fashion-MNIST",
        class_names=(
            *("T-shirt/top", "Trouser", "Pullover", "Dress", "Coat"),
            *("Sandal", "Shirt", "Sneaker", "Bag", "Ankle boot"),
        ),
        read=partial(read_idx_set, "fashion_mnist"),
        train_hash="16d82e2b505296aa2b78bd5ea0992634f30419a4c97def7c907d154a35ac6157",
        test_hash="9f1ec356a747bfe4ebab3cfb722d3694c9ca737e2570f6f90cf31d7b6fd689d4",
    ),
    _CIFAR10,
    replace(
        _CIFAR10,
        name="cifar10_colour",
        words="CIFAR-10 (in colour)",
        shape=(3, 32, 32),
        gray=False,
    ),
    Row(
        name="imagenette",
        words="Imagenette",
        shape=(3, 224, 224),
        class_names=(
            *("tench", "English springer", "cassette player", "chain saw", "church"),
            *("French horn", "garbage truck", "gas pump", "golf ball", "parachute"),
        ),
        read=_read_imagenette,
        train_hash="718f9676f13ae99ef9663eb39fec413af5f104f09a90e73c4f8a8a02848c92bb",
        test_hash="34f8c473bdfff572ab1055a3aa5b76bc9e7ee55a73f9c14b5ea8ca6c241a928e",
    ),
    Row(name="lines", words="LINES", make=lines, sizes=(60_000, 10_000)),
    Row(name="random", words="RANDOM", make=random_images, sizes=(60_000, 10_000)),
    # 4,000 images are for the quick profiles
    Row(name="lines4k", words="LINES (4,000)", make=lines, sizes=(4_000, 1_000)),
    Row(name="random4k", words="RANDOM (4,000)", make=random_images, sizes=(4_000, 1_000)),
    # 3,000 for the memorization experiment of paper A, section 3.2, and 200 for a quick one
    Row(name="random200", words="RANDOM (200)", make=random_images, sizes=(200, 1_000)),
    Row(name="random3k", words="RANDOM (3,000)", make=random_images, sizes=(3_000, 10_000)),
    # the same images on another scale
    Row(
        name="random3k_255",
        words="RANDOM (3,000, pixels 0 to 255)",
        make=random_images,
        sizes=(3_000, 10_000),
        pixel_range=(0.0, 255.0),
    ),
    Row(
        name="random3k_centred",
        words="RANDOM (3,000, pixels −0.5 to 0.5)",
        make=random_images,
        sizes=(3_000, 10_000),
        pixel_range=(-0.5, 0.5),
    ),
)
_HALVES = (  # paper B', Figure 1; the second is for quick profiles
    Row(name="halves_mnist", words="halves-MNIST", halves_of="mnist"),
    Row(name="halves_mnist5k", words="halves-MNIST (of 5,000 digits)", halves_of="mnist5k"),
)
ROWS: dict[str, Row] = {row.name: row for row in (*_PLAIN, *_HALVES)}


def _mixed(words: str, first: str, second: str, *, separate: bool = False) -> Row:
    names = ROWS[first].class_names, ROWS[second].class_names
    return Row(
        name=f"{first}_{second}" + "_sep" * separate,
        words=words,
        shape=ROWS[first].shape,
        class_names=mixed_names(*names, separate),
        parts=(first, second),
        separate=separate,
    )


_MIXED = (  # paper A, section A.5; the last two are for quick profiles
    _mixed("LINES-MNIST", "lines", "mnist"),
    _mixed("LINES-CIFAR-10", "lines", "cifar10"),
    _mixed("MNIST-CIFAR-10", "mnist", "cifar10"),
    _mixed("LINES-MNIST-SEP", "lines", "mnist", separate=True),
    _mixed("LINES-CIFAR-10-SEP", "lines", "cifar10", separate=True),
    _mixed("MNIST-CIFAR-10-SEP", "mnist", "cifar10", separate=True),
    _mixed("LINES-MNIST (small)", "lines4k", "mnist5k"),
    _mixed("LINES-MNIST-SEP (small)", "lines4k", "mnist5k", separate=True),
)
ROWS |= {row.name: row for row in _MIXED}

NAMES = tuple(ROWS)
TRAIN_HASHES = {name: row.train_hash for name, row in ROWS.items() if row.read}
TEST_HASHES = {name: row.test_hash for name, row in ROWS.items() if row.read}
#: First part, second part and whether their classes are separate.
MIXTURES = {name: (*row.parts, row.separate) for name, row in ROWS.items() if row.parts}


def check_name(name: str | Path) -> str:
    """The name as text.

    Raises `DataError` unless it is a data set or a `.npz` file whose name is none of a data set.
    """
    key = str(name)
    if key in ROWS:
        return key
    if not key.endswith(".npz"):
        close = difflib.get_close_matches(key.lower(), NAMES, n=1)
        meant = f". Did you mean {close[0]!r}?" if close else ""
        raise DataError(
            f"name = {key!r} is no data set; allowed: {', '.join(NAMES)}, or a .npz file{meant}"
        )
    if short_name(key) in ROWS:
        raise DataError(
            f"name = {key!r} would pass for the data set {short_name(key)!r}; "
            "allowed: that name itself, or another name for the file"
        )
    return key


def short_name(name: str | Path) -> str:
    """What records and pages call a data set: its name, or that of its file without the folder."""
    key = str(name)
    return Path(key).stem if key.endswith(".npz") else key


def words(name: str | Path) -> str:
    """A data set's name for readers; for a file, and what is not known, its short name."""
    return ROWS[str(name)].words if str(name) in ROWS else short_name(name)
