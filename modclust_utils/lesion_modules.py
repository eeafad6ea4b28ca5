"""The accuracy of any torch module under lesions of units in some of its layers.

A layer is a submodule by its name, and its units are the entries along the second axis of what it
puts out: the neurons of a Linear, the channels of a convolution. A lesion sets them to 0 there.

If the layer is a ReLU, or goes straight into one, the units are 0 after it, as in a lesion of their
incoming weights and biases (module `lesions`). If a batch norm stands between, it still adds its
shift to a silent channel: then name the batch norm or the ReLU behind it.
"""

from __future__ import annotations

from collections.abc import Iterator, Sequence
from contextlib import ExitStack, contextmanager
from functools import partial
from typing import Any

import numpy as np
import torch
from numpy.typing import ArrayLike, NDArray
from torch import Tensor, nn

from modclust_utils.doors import (
    as_count,
    as_units,
    check_classes,
    checked_classes,
    checked_images,
)
from modclust_utils.evaluation import evaluation_mode


@torch.no_grad()
def module_lesion_hits(
    network: nn.Module,
    x: Tensor,
    y: Tensor,
    unit_sets: ArrayLike | Tensor,
    layers: Sequence[str] | None,
    *,
    chunk_size: int = 256,
) -> tuple[Tensor, Tensor]:
    """Images of each class that are classified correctly under each lesion ``(n_sets, n_classes)``,
    and images of each class ``(n_classes,)``: whole numbers in float64.

    One forward pass for each lesion and each `chunk_size` images, in evaluation mode; afterwards
    the network is as it was. All else as in `lesion_accuracies.lesion_accuracy`.
    """
    chunk_size = as_count("chunk_size", chunk_size)
    if not isinstance(network, nn.Module):
        raise ValueError(f"network is of type {type(network).__name__}; allowed: torch.nn.Module")
    named = _named_layers(network, layers)
    x = checked_images(x, next(network.parameters(), None))
    y = checked_classes(y, x)
    with evaluation_mode(network):
        sizes, n_classes = _outline(network, named, x[:1])
        check_classes(y, n_classes)
        sets, y = _as_sets(unit_sets, dict(zip(named, sizes, strict=True))), y.long()
        hits = torch.zeros(len(sets), n_classes, dtype=torch.float64, device=x.device)
        for unit_set, row in zip(sets, hits, strict=True):
            silent = np.split(unit_set, np.cumsum(sizes)[:-1])
            with _silenced(list(named.values()), silent, x.device):
                for images, own in zip(x.split(chunk_size), y.split(chunk_size), strict=True):
                    right = network(images).argmax(1) == own
                    row.index_add_(0, own, right.double())
    return hits, torch.bincount(y, minlength=n_classes).double()


@contextmanager
def _silenced(
    layers: Sequence[nn.Module], silent: Sequence[NDArray[np.bool_]], device: torch.device
) -> Iterator[None]:
    """While it lasts, the `silent` units of each layer are 0."""
    with ExitStack() as hooks:
        for layer, units in zip(layers, silent, strict=True):
            if units.any():
                hook = partial(_silence, torch.from_numpy(units).to(device))
                hooks.enter_context(layer.register_forward_hook(hook))
        yield


def _silence(units: Tensor, layer: nn.Module, inputs: Any, output: Tensor) -> Tensor:
    return output.masked_fill(units.view(-1, *[1] * (output.ndim - 2)), 0)


def _outline(
    network: nn.Module, layers: dict[str, nn.Module], image: Tensor
) -> tuple[list[int], int]:
    """Units of each layer and the number of classes, from a forward pass of one image."""
    outputs: dict[str, list[Any]] = {name: [] for name in layers}
    with ExitStack() as hooks:
        for name, layer in layers.items():
            hooks.enter_context(layer.register_forward_hook(partial(_keep, outputs[name])))
        logits = network(image)
    if not isinstance(logits, Tensor) or logits.ndim != 2:
        raise ValueError(f"network puts out {_words(logits)}; allowed: logits (n, n_classes)")
    for name, found in outputs.items():
        if len(found) != 1:
            raise ValueError(
                f"layers has {name!r}, which runs {len(found)} times in a forward pass; allowed: "
                "submodules that run once"
            )
        if not isinstance(found[0], Tensor) or found[0].ndim < 2 or len(found[0]) != 1:
            raise ValueError(
                f"layers has {name!r}, which puts out {_words(found[0])} for one image; allowed: "
                "a tensor (1, units, ...)"
            )
    return [found[0].shape[1] for found in outputs.values()], logits.shape[1]


def _keep(outputs: list[Any], layer: nn.Module, inputs: Any, output: Any) -> None:
    outputs.append(output)


def _words(output: Any) -> str:
    if isinstance(output, Tensor):
        return f"a tensor of shape {tuple(output.shape)}"
    return f"something of type {type(output).__name__}"


def _named_layers(network: nn.Module, names: Sequence[str] | None) -> dict[str, nn.Module]:
    there = {name: each for name, each in network.named_modules() if name}
    texts = isinstance(names, list | tuple) and all(isinstance(name, str) for name in names)
    if not texts or len(names) == 0 or len(set(names)) < len(names):
        raise ValueError(
            f"layers={names!r} is not allowed: a list of different submodules, of {list(there)}"
        )
    for name in names:
        if name not in there:
            raise ValueError(
                f"layers has {name!r}, which is no submodule; allowed: there are {list(there)}"
            )
    return {name: there[name] for name in names}


def _as_sets(unit_sets: ArrayLike | Tensor, sizes: dict[str, int]) -> NDArray[np.bool_]:
    units = ", ".join(f"{size} of {name!r}" for name, size in sizes.items())
    return as_units("unit_sets", unit_sets, ("n_sets", sum(sizes.values())), f"units {units}")
