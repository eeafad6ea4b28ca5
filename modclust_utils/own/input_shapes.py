"""What a network takes in: by its first layer, by the images at hand, by trying."""

from __future__ import annotations

from collections.abc import Sequence

import torch
from torch import nn

Shape = tuple[int, ...]
#: Rows and columns of images that are tried where nothing says their size.
SIZES = (224, 32, 28, 64, 299, 96, 128, 8, 16)
# Where a forward pass is assumed, nothing makes images smaller inside: large ones take minutes.
_ASSUMED_SIZES = (32, 28, 16, 8)


def shape_by_trying(module: nn.Module, *, assumed: bool, images: Shape = ()) -> tuple[Shape, str]:
    """The first shape that goes through a module, and a sentence about it.

    images: of one image at hand, which is tried first; assumed: whether the forward pass is.
    Raises ValueError where none goes through.
    """
    own = _fitting(module, images)
    usual = _usual(module, _ASSUMED_SIZES if assumed else SIZES)
    for shape in (*own, *usual):
        if not fault(module, shape):
            words = "x".join(map(str, shape))
            why = "as those at hand" if shape in own else "the first usual shape that goes through"
            return shape, f"It takes images of {words}: {why}."
    tried = ", ".join("x".join(map(str, shape)) for shape in (*own, *usual)) or "none"
    raise ValueError(
        f"input_shape is not given, and none goes through the network (tried: {tried}); allowed: "
        "--input-shape, such as 3,64,64"
    )


def check_goes_through(module: nn.Module, shape: Shape) -> None:
    """Raise ValueError for a shape that does not go through a module."""
    if not 1 <= len(shape) <= 3:
        raise ValueError(
            f"input_shape={shape!r} is not allowed: one to three sizes, such as 3,32,32"
        )
    if why := fault(module, shape):
        raise ValueError(f"input_shape={tuple(shape)!r} is not allowed: {why}")


def _first(module: nn.Module) -> nn.Module | None:
    kinds = (nn.Conv2d, nn.Linear)
    return next((layer for layer in module.modules() if isinstance(layer, kinds)), None)


def _fitting(module: nn.Module, images: Shape) -> list[Shape]:
    """The shape of images as a convolution takes them: channels first."""
    first = _first(module)
    if not isinstance(first, nn.Conv2d):
        return []
    shapes = [(1, *images)] if len(images) == 2 else []
    if len(images) == 3:
        shapes = [images, (images[2], *images[:2])]
    return [shape for shape in shapes if shape[0] == first.in_channels][:1]


def _usual(module: nn.Module, sizes: Sequence[int]) -> list[Shape]:
    first = _first(module)
    if isinstance(first, nn.Conv2d):
        return [(first.in_channels, size, size) for size in sizes]
    if isinstance(first, nn.Linear):
        side = round(first.in_features**0.5)
        square = [(side, side)] if side * side == first.in_features else []
        # a network that begins with flattening takes either
        return [(first.in_features,), *square, *((1, *each) for each in square)]
    return []


def fault(module: nn.Module, shape: Sequence[int]) -> str:
    """Why images of a shape do not go through a module, "" where they do."""
    try:
        with torch.no_grad():
            module(torch.zeros(2, *shape))
    except Exception as error:  # code of any kind runs here
        # some errors, as those of assert, say nothing
        said = next(iter(str(error).splitlines()), type(error).__name__)
        return f"images of it do not go through the network ({said})"
    return ""
