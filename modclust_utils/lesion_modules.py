"""The accuracy of any torch module under lesions of units in some of its layers.

A layer is a submodule by its name, and its units are the entries along the second axis of what it
puts out: the neurons of a Linear, the channels of a convolution. A lesion sets them to 0 there.

If the layer is a ReLU, or goes straight into one, the units are 0 after it, as in a lesion of their
incoming weights and biases (module `lesions`). If a batch norm stands between, it still adds its
shift to a silent channel: then name the batch norm or the ReLU behind it. A sigmoid or softplus
makes more than 0 of 0: name it itself. ``output_names`` of a `graphs.NetworkGraph` are such names.
"""

from __future__ import annotations

from collections.abc import Callable, Iterator, Sequence
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
    check_finite,
    check_same_order,
    checked_classes,
    checked_images,
)
from modclust_utils.evaluation import evaluation_mode
from modclust_utils.lesion_shortcuts import BeforeConvolution
from modclust_utils.passes import Operations, answer_to

# Images that go through at once where nothing is known of the memory that they take.
_CHUNK = 256


@torch.no_grad()
def module_lesion_hits(
    network: nn.Module,
    x: Tensor,
    y: Tensor,
    unit_sets: ArrayLike | Tensor,
    layers: Sequence[str] | None,
    *,
    chunk_size: int | None = None,
) -> tuple[Tensor, Tensor]:
    """Images of each class that are classified correctly under each lesion ``(n_sets, n_classes)``,
    and images of each class ``(n_classes,)``: whole numbers in float64.

    In evaluation mode; afterwards the network is as it was. A lesion starts at the first layer with
    a lesioned unit: what comes before is computed once for all lesions, and of a convolution behind
    it (`lesion_shortcuts`) the part of the lesioned channels. A network that torch.fx cannot follow
    takes a whole forward pass for each lesion. Images go through `chunk_size` at a
    time; by default as many as fit into a fixed amount of memory. All else as in
    `lesion_accuracies.lesion_accuracy`.
    """
    chunk_size = chunk_size if chunk_size is None else as_count("chunk_size", chunk_size)
    if not isinstance(network, nn.Module):
        raise ValueError(f"network is of type {type(network).__name__}; allowed: torch.nn.Module")
    named = named_layers(network, layers)
    check_same_order(x=x, y=y)
    x = checked_images(x, next(network.parameters(), None))
    y = checked_classes(y, x)
    with evaluation_mode(network):
        sizes, n_classes = _outline(network, named, x[:1])
        check_classes(y, n_classes)
        sets, y = _as_sets(unit_sets, dict(zip(named, sizes, strict=True))), y.long()
        lesions = torch.from_numpy(sets).to(x.device).split(sizes, dim=1)
        masks = dict(zip(named, lesions, strict=True))
        answers, chunk_size = _way_to_answer(network, masks, x[:1], chunk_size)
        hits = torch.zeros(len(sets), n_classes, dtype=torch.float64, device=x.device)
        for images, own in zip(x.split(chunk_size), y.split(chunk_size), strict=True):
            for of_sets, logits in answers(images):
                # NaN is never the larger: the first class would be right
                check_finite("what network puts out", logits)
                right = torch.bincount(own[logits.argmax(1) == own], minlength=n_classes)
                hits[of_sets] += right.double()
    return hits, torch.bincount(y, minlength=n_classes).double()


# the numbers of the sets that have the same lesion, and the logits of some images under it
_Answers = Callable[[Tensor], Iterator[tuple[list[int], Tensor]]]


def _way_to_answer(
    network: nn.Module, masks: dict[str, Tensor], image: Tensor, chunk_size: int | None
) -> tuple[_Answers, int]:
    """How the network answers under all lesions, and how many images go through at once.

    masks: for each layer the lesioned units ``(n_sets, n_units)``.
    """
    try:
        operations = Operations(network, list(masks), image)
    except ValueError:
        return partial(_answers_by_hooks, network, masks), chunk_size or _CHUNK
    # three passes at a time: the one that all share, the one before a convolution, and a lesion's
    return (
        partial(_answers_by_passes, operations, masks),
        chunk_size or operations.images_at_once(image, values=3),
    )


def _answers_by_passes(
    operations: Operations, masks: dict[str, Tensor], images: Tensor
) -> Iterator[tuple[list[int], Tensor]]:
    shared, order = operations.start(images), sorted(masks, key=operations.place.__getitem__)
    left = set(range(len(masks[order[0]])))
    for depth, layer in enumerate(order):
        starting = [index for index in sorted(left) if masks[layer][index].any()]
        left.difference_update(starting)
        shared.reach(layer)
        short = BeforeConvolution.behind(shared, layer) if len(starting) > 1 else None
        for index in starting:
            silent = masks[layer][index]
            if short is not None and not silent.all():
                own = short.without(silent)
            else:
                own = shared.fork()
                own.replace(layer, _silent(silent, own.reach(layer)))
            for later in order[depth + 1 :]:
                own.replace(later, _silent(masks[later][index], own.reach(later)))
            yield [index], own.finish()
    if left:
        yield sorted(left), shared.finish()


def _answers_by_hooks(
    network: nn.Module, masks: dict[str, Tensor], images: Tensor
) -> Iterator[tuple[list[int], Tensor]]:
    named = [network.get_submodule(layer) for layer in masks]
    for index, silent in enumerate(zip(*masks.values(), strict=True)):
        with _silenced(named, silent):
            yield [index], network(images)


@contextmanager
def _silenced(layers: Sequence[nn.Module], silent: Sequence[Tensor]) -> Iterator[None]:
    """While it lasts, the `silent` units of each layer are 0."""
    with ExitStack() as hooks:
        for layer, units in zip(layers, silent, strict=True):
            if units.any():
                hook = partial(_silence, units)
                hooks.enter_context(layer.register_forward_hook(hook))
        yield


def _silence(units: Tensor, layer: nn.Module, inputs: Any, output: Tensor) -> Tensor:
    return _silent(units, output)


def _silent(units: Tensor, output: Tensor) -> Tensor:
    # masked_fill would change the order in memory, with which all that follows is slower
    return output.index_fill(1, units.nonzero().squeeze(1), 0)


def _outline(
    network: nn.Module, layers: dict[str, nn.Module], image: Tensor
) -> tuple[list[int], int]:
    """Units of each layer and the number of classes, from a forward pass of one image."""
    outputs: dict[str, list[Any]] = {name: [] for name in layers}
    with ExitStack() as hooks:
        for name, layer in layers.items():
            hooks.enter_context(layer.register_forward_hook(partial(_keep, outputs[name])))
        logits = answer_to(network, image, "x")
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


def named_layers(network: nn.Module, names: Sequence[str] | None) -> dict[str, nn.Module]:
    """Submodules by their names. Raises ValueError for a name twice, or one that there is not."""
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
