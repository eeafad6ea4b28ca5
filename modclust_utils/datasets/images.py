"""Labelled images from image files, read in batches: memory does not grow with their number.

Images lie in folders, one a class, or in an archive beside a table `images.csv` of its files and
their classes. Four small sets of ImageNet's images have names (`IMAGE_SETS`).
"""

from __future__ import annotations

import csv
import hashlib
import io
import zipfile
from collections.abc import Iterable, Iterator
from contextlib import ExitStack
from dataclasses import dataclass, field
from functools import cache
from importlib.resources import files
from pathlib import Path
from typing import Any, Literal

import numpy as np
import torch
from numpy.typing import NDArray
from torch import Tensor

from modclust_utils.datasets.dataset import DataError, Part
from modclust_utils.datasets.files import CIFAR10_CLASSES, IMAGENETTE_CLASSES, Stored
from modclust_utils.doors import as_choice, as_count, as_rng
from modclust_utils.paths import as_path, default_folder

Interpolation = Literal["bilinear", "bicubic"]

SUFFIXES = (".jpg", ".jpeg", ".png", ".webp", ".bmp", ".ppm")
CLASSES = ("imagenet", "cifar10", "folders")
INTERPOLATIONS = ("bilinear", "bicubic")
#: Part of the shorter side of an image that is kept, as authors of such networks measure them.
KEPT = 0.875
TABLE = "images.csv"
#: In the names of ImageNet's validation images.
VALIDATION = "ILSVRC2012_val"
BATCH = 50


@dataclass(frozen=True)
class ImageSet:
    """A set of ImageNet's images that has a name.

    words: for readers; archive: the `.zip` that holds it, without its ending; part: which of its
    images, where not all; files_hash: over all its files and their classes (`images_hash`); note:
    what a reader has to know.
    """

    name: str
    words: str
    archive: str
    files_hash: str
    note: str
    part: Literal["", "validation", "training"] = ""

    def holds(self, file: str) -> bool:
        """Whether a file of the archive is one of the set."""
        return not self.part or (VALIDATION in file) == (self.part == "validation")


_SETS = (
    ImageSet(
        name="imagenette-val",
        words="Imagenette, validation",
        archive="imagenette2000",
        part="validation",
        files_hash="9c1958a986183d958f5e7c5c9ef4d93e1f72ca6ddcceedec15257852d0d75fdb",
        note="all 50 validation images of each of ten classes, squashed to 224x224",
    ),
    ImageSet(
        name="imagenette-train",
        words="Imagenette, training",
        archive="imagenette2000",
        part="training",
        files_hash="dab967a2e12a4c35ca01187c4b40ccfa9b2f722f451bd3f64c73a9e79f06a468",
        note="150 training images of each of ten classes, squashed to 224x224",
    ),
    ImageSet(
        name="val1300",
        words="ImageNet, 1,300 of the validation images",
        archive="val1300",
        files_hash="cbc4b593ed7b984344a39c55cc59dd15d799f0be40e9652660a0f15e929df734",
        note="validation images of 725 classes, squashed to 227x227; networks find them easier "
        "than the whole validation set",
    ),
    ImageSet(
        name="sample1000",
        words="ImageNet, one image of each class",
        archive="sample1000",
        files_hash="5ac4151ea14138dfbb602dfa26cc73a27571ab50f6c0058d24f9fc7bae52b378",
        note="one image of each class, probably of the training images, 256x256",
    ),
)
IMAGE_SETS = {each.name: each for each in _SETS}


@dataclass(frozen=True)
class _File:
    """An image: its class, its name, and where it lies: in an archive, or a path of its own."""

    label: int
    name: str
    place: str
    archive: str = ""


@dataclass(frozen=True, eq=False)
class LabelledImages:
    """Images of one size and their classes.

    y: classes ``(n,)``, int64; classes: whose numbers these are; class_names: of all classes,
    those without an image too; size: rows and columns; resize, interpolation: see `load_images`;
    content_hash: SHA-256 over the files of these images, their classes, and how their size was
    changed; note: what a reader has to know.
    """

    name: str
    y: NDArray[np.int64] = field(repr=False)
    classes: str
    class_names: tuple[str, ...] = field(repr=False)
    size: int
    resize: int
    interpolation: Interpolation
    content_hash: str
    note: str
    files: tuple[_File, ...] = field(repr=False)

    def __len__(self) -> int:
        return len(self.y)

    @property
    def x(self) -> Tensor:
        """All images, uint8 ``(n, 3, size, size)``: for some hundreds of them."""
        return torch.cat([images for images, _ in self.batches()])

    def batches(self, batch_size: int = BATCH) -> Iterator[tuple[Tensor, Tensor]]:
        """Images, uint8 ``(n, 3, size, size)``, and classes ``(n,)``, in their order; each is read
        when its turn comes. Raises DataError, which names it, for an image that cannot be read."""
        batch_size = as_count("batch_size", batch_size)
        with ExitStack() as stack:
            read = _Reader(stack)
            for start in range(0, len(self), batch_size):
                chosen = slice(start, start + batch_size)
                images = [self._image(each, read(each)) for each in self.files[chosen]]
                yield torch.stack(images), torch.from_numpy(self.y[chosen])

    def _image(self, file: _File, content: bytes) -> Tensor:
        from PIL import Image

        try:
            with Image.open(io.BytesIO(content)) as opened:
                image = opened.convert("RGB")
        except Exception as error:  # a damaged image can make its readers fail in any way
            raise DataError(
                f"the image {file.name} in {file.archive or file.place} cannot be read ({error})"
            ) from error
        return _resized(image, self.size, self.resize, self.interpolation)


def load_images(
    folder: str | Path,
    *,
    size: int,
    n_images: int | None = None,
    rng: Any = None,
    classes: str = "imagenet",
    resize: int | None = None,
    interpolation: Interpolation = "bilinear",
) -> LabelledImages:
    """Labelled images from a folder or an archive.

    Parameters
    ----------
    folder : path, or a name in `IMAGE_SETS`
        A folder of folders, one a class; or a `.zip` beside a table `images.csv` with the columns
        archive (the name of the file without its ending), file and wnid. A set with a name is
        looked for in `imagenet` beside the data sets (`datasets.default_folder`), as a folder or in
        its archive; so it is at the end of another path.
    size : int
        Rows and columns of the images, such as `Pretrained.image_size`.
    n_images : int, optional
        So many of them, as equally over the classes as they go; all by default.
    rng : numpy.random.Generator or seed, optional
        Draws these images. Without it they are the first of each class.
    classes : {"imagenet", "cifar10", "folders"}
        What the names of the folders are: wnids of ImageNet (or numbers from 0 to 999), classes of
        CIFAR-10 (or numbers), or any names, numbered from 0 in their order. A folder of images and
        no folders is then one class.
    resize : int, optional
        An image whose shorter side is longer is shrunk to it, before a square of `size` is cut out
        of its middle; by default, size / 0.875. One whose shorter side is shorter than `size` is
        enlarged to that. In between it is only cut.
    interpolation : {"bilinear", "bicubic"}
        For both.

    Returns
    -------
    LabelledImages
        In the order of their classes, and then of their files' names.

    Raises
    ------
    ValueError
        For a folder that is not there, has no image, or has a name that is no class, and for a set
        with a name whose files are not the known ones (DataError, which is one); for other bad
        input.

    Examples
    --------
    Two photographs of scikit-learn, in a folder that is the one class here.

    >>> import sklearn.datasets
    >>> place = Path(sklearn.datasets.__file__).parent
    >>> images = load_images(place, size=224, classes="folders")
    >>> images.class_names, images.y.tolist(), images.x.shape
    (('images',), [0, 0], torch.Size([2, 3, 224, 224]))
    """
    size = as_count("size", size)
    resize = round(size / KEPT) if resize is None else as_count("resize", resize, size)
    as_choice("classes", classes, CLASSES)
    as_choice("interpolation", interpolation, INTERPOLATIONS)
    path, known = _place(folder)
    there, names = _files(path, known, classes)
    chosen = [there[i] for i in _chosen([each.label for each in there], n_images, rng)]
    # of a set with a name, all files are compared with the known ones
    hashes = _hashes(there if known else chosen)
    if known and _joined(hashes.values()) != known.files_hash:
        raise DataError(
            f"the images of {path} were altered: they do not have the known hash; allowed: the "
            f"files of {known.name} alone, or a folder of another name"
        )
    how = f"{size} {resize} {interpolation}"
    return LabelledImages(
        name=path.stem,
        y=np.array([each.label for each in chosen], dtype=np.int64),
        classes=classes,
        class_names=names,
        size=size,
        resize=resize,
        interpolation=interpolation,
        content_hash=_joined([*(hashes[each] for each in chosen), how]),
        note=known.note if known else "",
        files=tuple(chosen),
    )


def images_hash(folder: str | Path, *, classes: str = "imagenet") -> str:
    """SHA-256 over all files of a folder, or an archive, and their classes; of a set with a name it
    is known without its files. Raises as `load_images`."""
    as_choice("classes", classes, CLASSES)
    path, known = _place(folder)
    return known.files_hash if known else _joined(_hashes(_files(path, None, classes)[0]).values())


def read_imagenette(root: Path, download: bool) -> Stored:
    """Photographs of ten classes of ImageNet, 50 of each for training and 50 for testing.

    Those of the sets `imagenette-train` and `imagenette-val` below `root`, of more than 50 the
    first by name. Image `i` has class `i % 10`. Nothing is downloaded: this selection is not in
    torchvision. uint8 (500, 3, 224, 224).
    """
    folder = root / "imagenet"
    train, test = (_of_imagenette(folder / f"imagenette-{part}") for part in ("train", "val"))
    return Stored(train, test, str(folder))


def _of_imagenette(folder: Path) -> Part:
    n_classes = len(IMAGENETTE_CLASSES)
    try:
        found = load_images(folder, size=224, n_images=50 * n_classes)
    except ValueError as error:
        raise DataError(
            f"imagenette: missing the known images of {folder.name}: {error}. They come from "
            "https://github.com/thunderInfy/imagenette (commit b850f030ff07)"
        ) from error
    # from class after class to one of each in turns
    images = found.x.numpy().reshape(n_classes, 50, 3, 224, 224).swapaxes(0, 1)
    labels = np.tile(np.arange(n_classes, dtype=np.uint8), 50)
    return images.reshape(-1, 3, 224, 224), labels


def imagenet_classes() -> dict[str, str]:
    """Names of ImageNet's 1,000 classes by their wnid, in the order of their numbers."""
    return dict(_imagenet_classes())


@cache
def _imagenet_classes() -> tuple[tuple[str, str], ...]:
    table = files("modclust_utils.datasets") / "imagenet_classes.csv"
    rows = csv.DictReader(io.StringIO(table.read_text(encoding="utf-8")))
    return tuple((row["wnid"], row["class_name"]) for row in rows)


# --- which images --------------------------------------------------------------------------------


def _place(folder: Any) -> tuple[Path, ImageSet | None]:
    path = as_path("folder", folder)
    known = IMAGE_SETS.get(path.name)
    if known and str(folder) == known.name:
        path = default_folder() / "imagenet" / known.name
    return path, known


def _files(path: Path, known: ImageSet | None, classes: str) -> tuple[list[_File], tuple[str, ...]]:
    """All images in the order of their classes and names, and the names of all classes."""
    if path.is_dir():
        found = [
            (each.name, file.name, str(file), "")
            for each in path.iterdir()
            if each.is_dir()
            for file in each.iterdir()
            if file.suffix.lower() in SUFFIXES
        ]
        if not found and classes == "folders":
            # images without classes: the folder itself is the one that there is
            found = [
                (path.name, file.name, str(file), "")
                for file in path.iterdir()
                if file.suffix.lower() in SUFFIXES
            ]
    elif known and (path.parent / f"{known.archive}.zip").is_file():
        found = _archived(path.parent / f"{known.archive}.zip", known)
    elif path.suffix == ".zip" and path.is_file():
        found = _archived(path, None)
    else:
        also = f", nor {path.parent / known.archive}.zip" if known else ""
        raise DataError(
            f"folder={str(path)!r} is not there{also}; allowed: a folder of folders, one a class, "
            f"or a .zip beside its {TABLE}"
        )
    if not found:
        raise DataError(
            f"folder={str(path)!r} has no images in folders, one a class; allowed: files "
            f"{', '.join(SUFFIXES)}"
        )
    numbers, names = _numbered(path, {row[0] for row in found}, classes)
    there = [_File(numbers[each], *rest) for each, *rest in found]
    return sorted(there, key=lambda file: (file.label, file.name)), names


def _archived(path: Path, known: ImageSet | None) -> list[tuple[str, str, str, str]]:
    table = path.parent / TABLE
    if not table.is_file():
        raise DataError(f"folder={str(path)!r} has no {TABLE} beside it, which names its classes")
    return [
        (wnid, Path(file).name, file, str(path))
        for file, wnid in _rows(table, path.stem)
        if known is None or known.holds(file)
    ]


def _rows(table: Path, archive: str) -> list[tuple[str, str]]:
    """File and wnid of each row about an archive. Raises DataError for another kind of table."""
    try:
        with table.open(newline="", encoding="utf-8") as handle:
            reader = csv.DictReader(handle)
            rows = [(reader.line_num, row) for row in reader]
    except (OSError, ValueError, csv.Error) as error:
        raise DataError(f"{table} cannot be read ({error}); allowed: CSV in UTF-8") from error
    if not {"archive", "file", "wnid"} <= set(reader.fieldnames or ()):
        raise DataError(f"{table} has no columns archive, file and wnid")
    own = [(line, row["file"], row["wnid"]) for line, row in rows if row["archive"] == archive]
    for line, file, wnid in own:
        if not (file and wnid):
            raise DataError(f"{table} has no file or no wnid in line {line}; allowed: both in each")
    return [(file, wnid) for _, file, wnid in own]


def _numbered(
    path: Path, folders: set[str], classes: str
) -> tuple[dict[str, int], tuple[str, ...]]:
    """The number of each folder's class, and the names of all classes."""
    if classes == "folders":
        # numbers in their own order: 2 before 10
        in_order = sorted(folders, key=lambda name: (not name.isdecimal(), name.zfill(20), name))
        return {name: i for i, name in enumerate(in_order)}, tuple(in_order)
    if classes == "imagenet":
        wnids, names = zip(*_imagenet_classes(), strict=True)
    else:
        wnids = names = CIFAR10_CLASSES
    numbers = {str(i): i for i in range(len(names))} | {wnid: i for i, wnid in enumerate(wnids)}
    unknown = sorted(folders - numbers.keys())
    if unknown:
        raise DataError(
            f"folder={str(path)!r} has {', '.join(map(repr, unknown[:5]))}, no class of {classes}; "
            f"allowed: names such as {wnids[0]!r}, or numbers from 0 to {len(names) - 1}; or "
            "classes='folders'"
        )
    return numbers, names


def _chosen(labels: list[int], n_images: int | None, rng: Any) -> list[int]:
    """Places of n images, as equally over the classes as they go, in the order of all."""
    if n_images is None:
        return list(range(len(labels)))
    if as_count("n_images", n_images) > len(labels):
        raise ValueError(f"n_images={n_images} is not allowed: 1 to {len(labels)}, which there are")
    order = np.arange(len(labels)) if rng is None else as_rng(rng).permutation(len(labels))
    seen: dict[int, int] = {}
    turns = []
    for label in np.array(labels)[order].tolist():
        turns.append(seen.get(label, 0))
        seen[label] = turns[-1] + 1
    # the first of every class, then the second of every class, ...
    first = order[np.argsort(turns, kind="stable")][:n_images]
    return sorted(first.tolist())


# --- their content -------------------------------------------------------------------------------


class _Reader:
    """Gives the content of files; archives stay open until the end."""

    def __init__(self, stack: ExitStack) -> None:
        self.stack = stack
        self.archives: dict[str, zipfile.ZipFile] = {}

    def __call__(self, file: _File) -> bytes:
        try:
            if not file.archive:
                return Path(file.place).read_bytes()
            if file.archive not in self.archives:
                archive = self.stack.enter_context(zipfile.ZipFile(file.archive))
                self.archives[file.archive] = archive
            return self.archives[file.archive].read(file.place)
        except Exception as error:  # archives are damaged, encrypted, or packed in unknown ways
            where = file.archive or file.place
            raise DataError(f"the image {file.name} in {where} cannot be read ({error})") from error


def _hashes(there: list[_File]) -> dict[_File, str]:
    """Of each image, over its class and its file."""
    with ExitStack() as stack:
        read = _Reader(stack)
        return {
            each: hashlib.sha256(f"{each.label} ".encode() + read(each)).hexdigest()
            for each in there
        }


def _joined(texts: Iterable[str]) -> str:
    return hashlib.sha256("\n".join(texts).encode()).hexdigest()


def _resized(image: Any, size: int, resize: int, interpolation: Interpolation) -> Tensor:
    from torchvision.transforms import InterpolationMode
    from torchvision.transforms.v2 import functional

    shorter = min(image.size)
    wanted = min(max(shorter, size), resize)
    if shorter != wanted:
        mode = InterpolationMode(interpolation)
        image = functional.resize(image, [wanted], interpolation=mode, antialias=True)
    return functional.pil_to_tensor(functional.center_crop(image, [size, size]))
