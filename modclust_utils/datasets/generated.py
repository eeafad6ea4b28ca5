"""Images that are made from a seed: the lines and the random images of paper A."""

from __future__ import annotations

from collections.abc import Callable

import numpy as np
from numpy.typing import NDArray

from modclust_utils.datasets.dataset import DataError, Part

Maker = Callable[[int, np.random.Generator], Part]

N_CLASSES = 10
SIDE = 28  # rows and columns, as many as MNIST's images have


def lines(n: int, rng: np.random.Generator) -> tuple[NDArray[np.uint8], NDArray[np.uint8]]:
    """LINES of paper A, section A.5: white columns on black, labelled by how many there are.

    Returns images (n, 28, 28) with 0 or 255, and labels (n,): the number of columns less one. The
    number is uniform from 1 to 10; the columns are distinct, each set of them equally likely.
    Raises `DataError` for a bad n or rng.
    """
    check_at_least("n", n, 1)
    _check_rng(rng)
    labels = rng.integers(N_CLASSES, size=n, dtype=np.uint8)
    order = rng.permuted(np.tile(np.arange(SIDE), (n, 1)), axis=1)
    columns = np.where(order <= labels[:, None], np.uint8(255), np.uint8(0))
    return np.repeat(columns[:, None, :], SIDE, axis=1), labels


def random_images(n: int, rng: np.random.Generator) -> tuple[NDArray[np.uint8], NDArray[np.uint8]]:
    """The random data set of paper A, section 3.2: pixels and labels uniform and independent.

    Returns images (n, 28, 28) with 0..255 and labels (n,) from 0 to 9. Raises `DataError` for a bad
    n or rng.
    """
    check_at_least("n", n, 1)
    _check_rng(rng)
    images = rng.integers(256, size=(n, SIDE, SIDE), dtype=np.uint8)
    return images, rng.integers(N_CLASSES, size=n, dtype=np.uint8)


def generate(make: Maker, sizes: tuple[int, int], seed: int) -> tuple[Part, Part]:
    """Training and test part of these sizes, from independent streams of one seed."""
    check_at_least("seed", seed, 0)
    train_stream, test_stream = np.random.default_rng(int(seed)).spawn(2)
    return make(sizes[0], train_stream), make(sizes[1], test_stream)


def _check_rng(rng: object) -> None:
    if not isinstance(rng, np.random.Generator):
        raise DataError(f"rng = {rng!r}; allowed: a numpy.random.Generator")


def check_at_least(what: str, value: object, least: int) -> None:
    """Raises `DataError` for anything but a whole number that is large enough."""
    whole = isinstance(value, (int, np.integer)) and not isinstance(value, bool)
    if not whole or value < least:
        raise DataError(f"{what} = {value!r}; allowed: a whole number from {least} up")
