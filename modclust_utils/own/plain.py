"""A network from nothing but the names and shapes of its weights: a chain of plain layers.

Linear and Conv2d layers, one behind the other, with batch norms. What names and shapes do not say
is assumed, and said: that nothing runs beside the chain, a ReLU behind each layer but the last,
stride 1, and pooling in front of the first Linear layer. Of these, only the first is in the graph
of the weights; so names of blocks, in which layers often run side by side, are refused.
"""

from __future__ import annotations

import math
import re
from collections import OrderedDict
from collections.abc import Mapping, Sequence
from dataclasses import dataclass, field, replace
from itertools import pairwise

import torch
from torch import Tensor, nn

from modclust_utils.datasets import DataError

HELP = "name its architecture (--architecture module:name, or file.py:build with --trust-code)"
_NORM = {"running_mean", "running_var"}
# A layer in a numbered block, as layer1.0.conv1.
_IN_A_BLOCK = re.compile(r"(^|\.)\d+\.(.*\.)?[A-Za-z_]")
_ATTRIBUTES = ("weight", "bias", "running_mean", "running_var", "num_batches_tracked")


@dataclass(frozen=True)
class Layer:
    """A layer with weights ``(n_out, n_in)`` or ``(n_out, n_in, height, width)``; norm: the name of
    the batch norm behind it, "" for none; groups: of a convolution."""

    name: str
    shape: tuple[int, ...]
    bias: bool
    norm: str = ""
    norm_affine: bool = True
    groups: int = 1

    @property
    def words(self) -> str:
        """The layer for readers."""
        kind = "Linear" if len(self.shape) == 2 else "Conv2d"
        return f"{kind} {self.name} {self.shape}"


@dataclass(frozen=True)
class Plain:
    """Builds a chain of layers, which say all that it needs."""

    layers: tuple[Layer, ...]

    def __call__(self) -> nn.Sequential:
        """Build it, with weights drawn at random."""
        modules: OrderedDict[str, nn.Module] = OrderedDict()
        with torch.random.fork_rng(devices=[]):
            for i, layer in enumerate(self.layers):
                self._add(modules, i, layer)
        if all(len(layer.shape) == 4 for layer in self.layers):
            modules["pooled"], modules["flat"] = nn.AdaptiveAvgPool2d(1), nn.Flatten()
        return nn.Sequential(modules)

    def _add(self, modules: OrderedDict[str, nn.Module], i: int, layer: Layer) -> None:
        n_out, n_in = layer.shape[:2]
        name = slot(layer.name)
        if len(layer.shape) == 4:
            modules[name] = nn.Conv2d(
                n_in * layer.groups,
                n_out,
                layer.shape[2:],
                padding="same",
                groups=layer.groups,
                bias=layer.bias,
            )
        else:
            before = self.layers[i - 1].shape if i else ()
            if len(before) == 4:
                modules["pooled"] = nn.AdaptiveAvgPool2d(positions(n_in // before[0]))
                modules["flat"] = nn.Flatten()
            modules[name] = nn.Linear(n_in, n_out, bias=layer.bias)
        if layer.norm:
            kind = nn.BatchNorm2d if len(layer.shape) == 4 else nn.BatchNorm1d
            modules[slot(layer.norm)] = kind(n_out, affine=layer.norm_affine)
        if i < len(self.layers) - 1:
            modules[f"relu{i + 1}"] = nn.ReLU()


def slot(name: str) -> str:
    """A layer's name as that of a submodule of a Sequential."""
    found = name.replace(".", "_")
    return f"{found}_" if hasattr(nn.Sequential, found) else found


def positions(n: int) -> tuple[int, int]:
    """Rows and columns of so many positions: a square where it is one."""
    side = math.isqrt(n)
    return (side, side) if side * side == n else (1, n)


@dataclass
class _Parts:
    """What lies under one name."""

    tensors: dict[str, Tensor] = field(default_factory=dict)

    @property
    def is_norm(self) -> bool:
        return bool(_NORM & self.tensors.keys())


def plain_network(
    tensors: Mapping[str, Tensor],
) -> tuple[Plain, dict[str, Tensor], tuple[str, ...]]:
    """The layers of a state, its tensors under the names of their modules, and what was assumed.

    Raises DataError for layers that do not follow each other, and for what names and shapes do not
    tell, with its name and what would help.
    """
    parts, renamed = _by_layer(tensors)
    strange = [
        f"{name!r} holds {', '.join(f'{k} {tuple(v.shape)}' for k, v in part.tensors.items())}"
        for name, part in parts.items()
        if not part.is_norm and not _is_layer(part)
    ]
    if strange:
        raise DataError(
            f"the layer {strange[0]}, which names and shapes do not tell (a Linear has a matrix, a "
            f"Conv2d four axes, a batch norm its running variance); to help, {HELP}"
        )
    layers, transposed = _in_order(
        [(name, part) for name, part in parts.items() if not part.is_norm]
    )
    _check_plain(layers)
    layers = _with_norms(layers, {name: part for name, part in parts.items() if part.is_norm})
    state = _state(layers, parts, transposed)
    return Plain(tuple(layers)), state, tuple(_notes(layers, renamed, transposed))


def _check_plain(layers: Sequence[Layer]) -> None:
    """Raise DataError for layers that may be no chain though their shapes fit one."""
    for layer in layers:
        if _IN_A_BLOCK.search(layer.name):
            raise DataError(
                f"the layer {layer.name!r} is one of a block, and whether something runs beside it "
                f"(a skip connection), names and shapes do not tell; to help, {HELP}"
            )
        rows, columns = (*layer.shape[2:], 1, 1)[:2]
        if rows != columns and max(rows, columns) > max(layer.shape[:2]):
            raise DataError(
                f"{layer.words} has a kernel of {rows}x{columns}, as where the axes are (rows, "
                "columns, inputs, outputs), as in Keras; allowed: (outputs, inputs, rows, columns)"
            )


def _is_layer(part: _Parts) -> bool:
    weight = part.tensors.get("weight")
    return weight is not None and weight.ndim in (2, 4) and set(part.tensors) <= {"weight", "bias"}


def _by_layer(tensors: Mapping[str, Tensor]) -> tuple[dict[str, _Parts], bool]:
    """Tensors by the name of their layer; arrays without such names as matrices, each with the
    vector that fits it."""
    found: dict[str, _Parts] = {}
    if all(name.rpartition(".")[2] in _ATTRIBUTES and "." in name for name in tensors):
        for name, tensor in tensors.items():
            layer, _, attribute = name.rpartition(".")
            found.setdefault(layer, _Parts()).tensors[attribute] = tensor
        return found, False
    names = sorted(tensors, key=natural)
    for name in names:
        if tensors[name].ndim != 1:
            found[name] = _Parts({"weight": tensors[name]})
    for name in names:
        if tensors[name].ndim == 1:
            n = len(tensors[name])
            free = [
                part
                for part in found.values()
                if "bias" not in part.tensors and n in (part.tensors["weight"].shape or [0])[:2]
            ]
            if free:
                free[0].tensors["bias"] = tensors[name]
            else:
                found[name] = _Parts({"vector": tensors[name]})
    return found, True


def natural(name: str) -> list[tuple[bool, int, str]]:
    """For sorting names with numbers in them: fc2 before fc10."""
    parts = re.split(r"(\d+)", name)
    return [(part.isdigit(), int(part) if part.isdigit() else 0, part) for part in parts]


def _in_order(parts: Sequence[tuple[str, _Parts]]) -> tuple[list[Layer], bool]:
    """The layers one behind the other: as they lie in the file, or by the numbers in their names;
    matrices ``(n_in, n_out)`` are turned. Raises DataError where no order fits."""
    if not parts:
        raise DataError(f"there is no matrix of weights; to help, {HELP}")
    sorted_parts = sorted(parts, key=lambda part: natural(part[0]))
    problem = ""
    for transposed in (False, True):
        for order in (parts, sorted_parts):
            layers, why = _chained([_layer(*part, transposed) for part in order])
            why = why or _misfit(layers, dict(parts))
            if not why:
                return layers, transposed
            problem = problem or why
    raise DataError(f"{problem}; to help, {HELP}")


def _misfit(layers: Sequence[Layer], parts: Mapping[str, _Parts]) -> str:
    """Which bias is not that of its layer, "" where all are."""
    for layer in layers:
        bias = parts[layer.name].tensors.get("bias")
        if bias is not None and tuple(bias.shape) != layer.shape[:1]:
            return f"{layer.words} has a bias of shape {tuple(bias.shape)}"
    return ""


def _layer(name: str, part: _Parts, transposed: bool) -> Layer:
    shape = tuple(part.tensors["weight"].shape)
    if transposed and len(shape) == 2:
        shape = shape[::-1]
    return Layer(name, shape, "bias" in part.tensors)


def _chained(layers: list[Layer]) -> tuple[list[Layer], str]:
    """The layers with their groups, and why they do not follow each other, "" where they do."""
    found = [layers[0]]
    for before, after in pairwise(layers):
        n, n_in, n_out = before.shape[0], after.shape[1], after.shape[0]
        if len(after.shape) == 4:
            # of grouped ones only depthwise: other groups look like layers beside the chain
            groups = n if n_in == 1 and n_out % n == 0 else 1
            fits = len(before.shape) == 4 and n == n_in * groups
            after = replace(after, groups=groups)
        else:
            fits = n_in == n or (len(before.shape) == 4 and n_in % n == 0)
        if not fits:
            return found, f"{after.words} does not follow {before.words}, which puts out {n}"
        found.append(after)
    return found, ""


def _with_norms(layers: list[Layer], norms: Mapping[str, _Parts]) -> list[Layer]:
    """Each batch norm behind a layer of its size: of the same numbers in its name, or the first
    without one. Raises DataError where there is none."""
    found = list(layers)
    for name in sorted(norms, key=natural):
        n = _size_of_norm(name, norms[name])
        fits = [i for i, each in enumerate(found) if each.shape[0] == n and not each.norm]
        if not fits:
            raise DataError(
                f"the batch norm {name!r} of {n} units fits behind no layer; to help, {HELP}"
            )
        numbers = re.findall(r"\d+", name)
        alike = [i for i in fits if re.findall(r"\d+", found[i].name) == numbers]
        place = (alike or fits)[0]
        affine = "weight" in norms[name].tensors
        found[place] = replace(found[place], norm=name, norm_affine=affine)
    return found


def _size_of_norm(name: str, part: _Parts) -> int:
    shapes = {k: tuple(v.shape) for k, v in part.tensors.items() if k != "num_batches_tracked"}
    if not shapes.keys() >= _NORM or len({*shapes.values()}) > 1 or len(shapes["running_var"]) != 1:
        raise DataError(
            f"the batch norm {name!r} holds {', '.join(f'{k} {v}' for k, v in shapes.items())}; "
            f"allowed: running_mean and running_var, and all of one size; to help, {HELP}"
        )
    return shapes["running_var"][0]


def _state(
    layers: Sequence[Layer], parts: Mapping[str, _Parts], transposed: bool
) -> dict[str, Tensor]:
    state = {}
    for layer in layers:
        for name in filter(None, (layer.name, layer.norm)):
            for attribute, tensor in parts[name].tensors.items():
                turn = transposed and attribute == "weight" and tensor.ndim == 2
                state[f"{slot(name)}.{attribute}"] = tensor.T.contiguous() if turn else tensor
    return state


def _notes(layers: Sequence[Layer], renamed: bool, transposed: bool) -> list[str]:
    chain = ", ".join(layer.words for layer in layers)
    notes = [f"Read from names and shapes: {chain}."]
    if transposed:
        notes.append("Matrices lie as (inputs, outputs), as in Keras, and were turned.")
    if renamed:
        notes.append("Each vector was taken as the bias of the first layer that it fits.")
    if any(layer.norm for layer in layers):
        norms = ", ".join(f"{layer.norm} behind {layer.name}" for layer in layers if layer.norm)
        notes.append(f"Batch norms: {norms}.")
    assumed = "that nothing runs beside this chain, a ReLU behind each layer but the last"
    if any(len(layer.shape) == 4 for layer in layers):
        assumed += ", stride 1, and pooling to what the next layer takes"
    notes.append(f"Assumed, as neither names nor shapes say it: {assumed}.")
    return notes
