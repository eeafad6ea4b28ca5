"""What is missing in a data folder is downloaded, by one process at a time, and only whole files
get their names.

Workers of a run look for the same images at the same time. One of them downloads, into a folder
beside, and the others wait and find what it brought.
"""

from __future__ import annotations

import os
import shutil
import tarfile
import tempfile
import warnings
import zlib
from collections.abc import Callable
from http.client import HTTPException
from pathlib import Path

from modclust_utils.datasets.dataset import DataError
from modclust_utils.locks import alone

TORCHVISION_CLASSES = {"mnist": "MNIST", "fashion_mnist": "FashionMNIST", "cifar10": "CIFAR10"}
LOCK = ".modclust-lock"
#: How folders of downloads that are not finished begin.
UNFINISHED = ".modclust-download-"
_FAILURES = (
    *(OSError, EOFError, ValueError, KeyError, RuntimeError),
    *(zlib.error, tarfile.TarError, HTTPException),
)


def fetch(name: str, root: Path, missing: Callable[[], str], download: bool) -> None:
    """Let torchvision download a data set into `root` where something of it is missing there.

    missing: what is not there, in words, "" for nothing. Raises `DataError`, which says what to do,
    where that fails or is not to be.
    """
    words, advice = missing(), "Set MODCLUST_DATA (or folder=) to a folder that has them"
    if not words:
        return
    if not download:
        raise DataError(f"{name}: missing {words}. {advice}, or load with download=True")
    try:
        root.mkdir(parents=True, exist_ok=True)
        with alone(root / LOCK) as locked:
            if locked:  # nobody else is at it, so these are of processes that were killed
                for leftover in root.glob(f"{UNFINISHED}*"):
                    shutil.rmtree(leftover, ignore_errors=True)
            if missing():
                _download(name, root)
    except _FAILURES as error:
        if not missing():  # without locks, somebody else was faster
            return
        raise DataError(
            f"{name}: missing {words}, and the download failed ({error}). {advice}, "
            "or try again with a network and a folder that can be written"
        ) from error


def _download(name: str, root: Path) -> None:
    import torchvision

    folder = Path(tempfile.mkdtemp(prefix=UNFINISHED, dir=root))
    try:
        with warnings.catch_warnings():
            # torchvision unpacks without a tarfile filter: Python 3.12 and 3.13 warn of it.
            warnings.simplefilter("ignore", DeprecationWarning)
            getattr(torchvision.datasets, TORCHVISION_CLASSES[name])(folder, download=True)
        _move(folder, root)
    finally:
        shutil.rmtree(folder, ignore_errors=True)


def _move(source: Path, target: Path) -> None:
    """Move what a folder holds into another, where it is not there yet."""
    for new in sorted(source.iterdir()):
        there = target / new.name
        if not there.exists():
            os.replace(new, there)
        elif new.is_dir() and there.is_dir():
            _move(new, there)
