"""Chapter 4: are sub-clusters functionally specialized? (Casper et al. 2022, Hod et al. 2021)."""

from __future__ import annotations

from collections.abc import Iterator, Mapping, Sequence
from contextlib import suppress
from typing import Annotated, Any, Literal

from pydantic import AfterValidator, Field

from modclust_utils import datasets, pretrained
from modclust_utils.channel_edges import NORMS
from modclust_utils.convolutional import vgg_channels
from modclust_utils.datasets.registry import ROWS
from modclust_utils.partitionings import PARTITIONINGS
from modclust_utils.recipes.ranges import SHARED, Range, whole
from modclust_utils.settings import PRECISIONS

#: The papers whose tables the chapter shows, as their files in ``data/papers`` begin.
PAPERS = ("casper2022",)


def _each_once(values: list[Any]) -> list[Any]:
    if len(set(values)) < len(values):
        raise ValueError("each once")
    return values


def _known_network(name: str) -> str:
    pretrained.find_row(name)
    return name


_PRETRAINED: Range = (
    Annotated[list[Annotated[str, AfterValidator(_known_network)]], AfterValidator(_each_once)],
    f"a list of different ones of {', '.join(pretrained.NAMES)}, or torchvision:NAME",
)
# Rows and columns of the photographs that are read here.
_PHOTOGRAPH = 224
# Convolutions of the small network.
_CONVOLUTIONS = 3
#: Data sets of two digits side by side.
HALVES = tuple(name for name, row in ROWS.items() if row.halves_of)


def _two_halves(name: str) -> str:
    if datasets.check_name(name) not in HALVES and name in ROWS:
        raise ValueError("its images have no two halves")
    return name


_K = Annotated[int, Field(ge=2, le=256)]

RANGES: dict[str, Range] = {
    "halves": (
        Annotated[str, AfterValidator(_two_halves)],
        f"{', '.join(map(repr, HALVES))}, or the path of an .npz file of gray 28x28 images",
    ),
    "colour_dataset": SHARED["dataset"],
    "photographs": (Literal["imagenette"], "imagenette"),
    "cnn_epochs": whole(1, 10_000),
    "cnn_channels": whole(2, 1024),
    "vgg_networks": whole(0, 1000),
    "vgg_measured": whole(0, 1000),
    "vgg_epochs": whole(1, 10_000),
    "vgg_width": (Annotated[float, Field(ge=1 / 64, le=4)], "a number from 1/64 to 4"),
    "vgg_dropout": (Annotated[float, Field(ge=0, lt=2)], "a number from 0, below 2"),
    "precision": (Literal[PRECISIONS], " or ".join(map(repr, PRECISIONS))),
    "kernel_norm": (Literal[NORMS], " or ".join(map(repr, NORMS))),
    "other_clusters": (
        Annotated[list[_K], AfterValidator(_each_once)],
        "a list of different whole numbers from 2 to 256",
    ),
    "pretrained": _PRETRAINED,
    "pretrained_measured": _PRETRAINED,
    "pretrained_in_full": _PRETRAINED,
    "pretrained_partitionings": (
        Annotated[list[Literal[PARTITIONINGS]], AfterValidator(_each_once)],
        f"a list of different ones of {', '.join(map(repr, PARTITIONINGS))}",
    ),
    "pretrained_clusters": whole(2, 256),
    "picture_size": whole(8, 1024),
    "n_lesion_images": whole(10, 1_000_000),
    "n_convolutional_images": whole(10, 1_000_000),
    "n_photographs": whole(10, 500),
    "n_activation_images": whole(10, 1_000_000),
    "n_steps": whole(1, 10_000),
    "n_spread": whole(1, 1000),
    "n_spread_shuffles": whole(2, 100_000),
    "shuffle_clusters": whole(2, 256),
}


def misfits(values: Mapping[str, Any]) -> Iterator[str]:
    """What is wrong with parameters of which one says how many, or which, of another's."""
    for part, every in (
        ("pretrained_measured", "pretrained"),
        ("pretrained_in_full", "pretrained_measured"),
    ):
        if not {*values[part]} <= {*values[every]}:
            yield (
                f"{part}={values[part]!r} is not allowed: names that are in "
                f"{every}={values[every]!r}."
            )
    for name in values["pretrained_measured"]:
        side = pretrained.find_row(name).image_size
        if pretrained.find_row(name).classes == "imagenet" and side != _PHOTOGRAPH:
            yield (
                f"pretrained_measured={values['pretrained_measured']!r} is not allowed: networks "
                f"that take photographs of {_PHOTOGRAPH} pixels a side; {name} takes {side}."
            )
    yield from _other_images(values)
    yield from _too_many_clusters(values)
    if values["vgg_measured"] > values["vgg_networks"]:
        yield (
            f"vgg_measured={values['vgg_measured']} is not allowed: at most "
            f"vgg_networks={values['vgg_networks']}."
        )


def _too_many_clusters(values: Mapping[str, Any]) -> Iterator[str]:
    """More clusters than a small network has units."""
    sizes = {"a CNN": ("cnn_channels", _CONVOLUTIONS * values["cnn_channels"])}
    if values["vgg_networks"]:
        sizes["a VGG"] = ("vgg_width", sum(vgg_channels(values["vgg_width"])))
    for words, (size, n_units) in sizes.items():
        for name in ("n_clusters", "shuffle_clusters"):
            if values[name] > n_units:
                yield (
                    f"{name}={values[name]} is not allowed: at most {n_units}, the units of "
                    f"{words} with {size}={values[size]}."
                )


def _other_images(values: Mapping[str, Any]) -> Iterator[str]:
    """Data sets whose images the chapter's networks do not take."""
    takes = [
        ("dataset", "gray images", lambda shape: shape[0] == 1),
        ("halves", "gray 28x28 images", lambda shape: shape == (1, 28, 28)),
    ]
    if values["vgg_networks"] or _of_colour(values["pretrained"]):
        takes.append(("colour_dataset", "32x32 in colour", lambda shape: shape == (3, 32, 32)))
    for name, words, fits in takes:
        with suppress(datasets.DataError):  # a file that is not there: the run says so
            shape = datasets.image_shape(values[name])
            if not fits(shape):
                sizes = "x".join(map(str, shape))
                yield f"{name}={values[name]!r} is not allowed: {words}, not {sizes}."


def _of_colour(names: Sequence[str]) -> bool:
    """Whether some pretrained networks tell the classes of CIFAR-10 apart."""
    return any(pretrained.find_row(name).classes != "imagenet" for name in names)
