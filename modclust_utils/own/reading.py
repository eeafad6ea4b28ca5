"""Read a network of one's own: from torchvision by name, from a file of weights, or from memory."""

from __future__ import annotations

import copy
import hashlib
from collections.abc import Callable, Sequence
from dataclasses import dataclass, field, replace
from pathlib import Path
from typing import Any

import torch
from torch import Tensor, nn

from modclust_utils.datasets import DataError
from modclust_utils.doors import as_choice, as_counts, check_kind
from modclust_utils.own.architectures import PREPARED, Given, Known, Maker, called
from modclust_utils.own.fitting import Keys, fitted, unmasked
from modclust_utils.own.images import shape_in
from modclust_utils.own.input_shapes import check_goes_through, shape_by_trying
from modclust_utils.own.logits import without_softmax
from modclust_utils.own.plain import plain_network
from modclust_utils.own.read_apart import read_file
from modclust_utils.paths import absolute_path
from modclust_utils.pretrained import hash_of_weights, load
from modclust_utils.pretrained.registry import MEAN, NAMES, STD, TORCHVISION
from modclust_utils.tracing import traced_module

ALLOWED = (
    "torchvision:NAME, a name of `modclust_utils.pretrained`, or a file .safetensors, .npz, .pth "
    "or .pt"
)
#: How images of known networks are prepared where that is not as ImageNet's.
PUBLISHED = "published"


@dataclass(frozen=True, eq=False)
class OwnNetwork:
    """A network as it was read.

    name: what files and pages about it are called; source: what was asked for; module: with its
    weights, in evaluation mode; maker: builds it elsewhere; classes: whose numbers its logits are
    ("imagenet", "cifar10", or "" where that is not known); assumed: whether its forward pass is
    only assumed; notes: what was understood, in sentences; keys: which tensors did not fit.
    """

    name: str
    source: str
    module: nn.Module = field(repr=False)
    maker: Maker = field(repr=False)
    classes: str = ""
    assumed: bool = False
    notes: tuple[str, ...] = ()
    keys: Keys = field(default_factory=Keys)
    file_sha256: str = ""

    @property
    def input_shape(self) -> tuple[int, ...]:
        """Of what the module takes, without the axis of the images."""
        return self.maker.input_shape

    @property
    def example(self) -> Tensor:
        """One image of zeros as the module takes it."""
        return torch.zeros(1, *self.input_shape)

    @property
    def weights_hash(self) -> str:
        """As `pretrained.hash_of_weights`."""
        return hash_of_weights(self.module)

    @property
    def operations_hash(self) -> str:
        """SHA-256 of what the module does, whatever its weights are."""
        words = f"{self.module}\n{traced_module(self.module).graph}"
        return hashlib.sha256(words.encode()).hexdigest()


def read_network(
    network: str | Path | nn.Module,
    *,
    architecture: str | Callable[[], nn.Module] | None = None,
    trust_code: bool = False,
    input_shape: Sequence[int] | None = None,
    prepared: str | None = None,
    name: str | None = None,
    images: str | Path | None = None,
) -> OwnNetwork:
    """Read a network.

    Parameters
    ----------
    network : str, path, or torch.nn.Module
        ``torchvision:NAME`` with its own weights, a name in `pretrained.NAMES`, a file of weights
        (`pretrained.read_weights`), or a module.
    architecture : str or callable, optional
        ``module:name`` or ``file.py:name`` of what gives the module of a file when it is called.
        A chain of plain Linear or Conv2d layers needs none.
    trust_code : bool
        Whether the code of a ``file.py`` may run.
    input_shape : sequence of int, optional
        Of what the network takes, without the axis of the images; else it is found by trying, that
        of `images` first.
    prepared : {"as it is", "imagenet"}, optional
        What is done to pixels from 0 to 1; by default, for a network with a name what its authors
        do, else nothing.
    name : str, optional
        Else made of the file's name.
    images : path, optional
        Those that it will be asked about: of a `.npz`, their shape is tried first.

    Returns
    -------
    OwnNetwork

    Raises
    ------
    ValueError
        For what cannot be read or built, as DataError for files, with what is allowed.
    """
    if prepared is not None:
        as_choice("prepared", prepared, PREPARED)
    check_kind("trust_code", trust_code, bool, "True or False")
    if name is not None:
        check_kind("name", name, str, "a text")
    if input_shape is not None:
        input_shape = as_counts("input_shape", input_shape, "one to three sizes, such as 3,32,32")
    if isinstance(network, nn.Module):
        if architecture is not None:
            raise ValueError(
                "architecture is not allowed for a module in memory, which has its own"
            )
        found = _from_memory(network)
    elif isinstance(network, str) and (network.startswith(TORCHVISION) or network in NAMES):
        if architecture is not None:
            raise ValueError(f"architecture={architecture!r} is not allowed for {network}: none")
        found = _from_name(network)
    else:
        path = absolute_path("network", network)
        if not path.is_file():
            raise DataError(f"network={str(network)!r} is not there; allowed: {ALLOWED}")
        found = _from_file(path, architecture, trust_code)
    found["module"], left_off = without_softmax(found["module"])
    if left_off:
        found["notes"].append(
            f"The last operation, {left_off!r}, was left off: it changes no order of the classes."
        )
    shape = found["input_shape"] if input_shape is None else tuple(input_shape)
    if shape is None:
        shape, note = shape_by_trying(
            found["module"],
            assumed=found.get("assumed", False),
            images=() if images is None else shape_in(images),
        )
        found["notes"].append(note)
    else:
        check_goes_through(found["module"], shape)
    maker = Maker(found["build"], shape, prepared or found["prepared"])
    if maker.prepared == PUBLISHED:
        maker = replace(maker, **found["numbers"])
    if maker.prepared != PREPARED[0] and (len(shape) != 3 or shape[0] != 3):
        raise ValueError(
            f"prepared={maker.prepared!r} is not allowed for images {shape}: three channels"
        )
    return OwnNetwork(
        name=name or found["name"],
        source=found["source"],
        module=found["module"],
        maker=maker,
        classes=found.get("classes", ""),
        assumed=found.get("assumed", False),
        notes=tuple(found["notes"]),
        keys=found.get("keys", Keys()),
        file_sha256=found.get("sha256", ""),
    )


def _from_memory(network: nn.Module) -> dict[str, Any]:
    kind = type(network).__name__
    try:
        module = copy.deepcopy(network).cpu().float().eval().requires_grad_(False)
    except Exception as error:  # code of any kind runs here
        raise ValueError(
            f"network of type {kind} cannot be copied ({error}); allowed: a module whose weights "
            "are its own, such as one after torch.nn.utils.prune.remove, or a file of its state"
        ) from error
    return {
        "name": kind.lower(),
        "source": f"a module of type {kind} in memory",
        "module": module,
        "build": Given(module),
        "input_shape": None,
        "prepared": "as it is",
        "notes": [],
    }


def _from_name(name: str) -> dict[str, Any]:
    found = load(name)
    numbers = {"mean": tuple(found.mean), "std": tuple(found.std)}
    return {
        "name": name.removeprefix(TORCHVISION).replace(":", "-"),
        "source": name,
        "module": found.module,
        "build": Known(name),
        "input_shape": (3, found.image_size, found.image_size),
        "prepared": "imagenet" if numbers == {"mean": MEAN, "std": STD} else PUBLISHED,
        "numbers": numbers,
        "classes": found.classes,
        "notes": [f"{found.words}.", *found.notes],
    }


def _from_file(
    path: Path, architecture: str | Callable[[], nn.Module] | None, trust_code: bool
) -> dict[str, Any]:
    read = read_file(path)
    tensors = {
        name: each.float() if each.is_floating_point() else each
        for name, each in read.tensors.items()
    }
    tensors, masked = unmasked(tensors)
    notes, keys = [*read.notes, *masked], Keys()
    build: Callable[[], nn.Module]
    if architecture is None:
        build, tensors, said = plain_network(tensors)
        notes += said
        module = build()
        module.load_state_dict(tensors, strict=False)
    else:
        build = _builder(architecture, trust_code)
        module, build, keys, said = fitted(build, tensors)
        notes += said
    return {
        "name": path.stem,
        "source": path.name,
        "module": module.float().eval().requires_grad_(False),
        "build": build,
        "input_shape": None,
        "prepared": "as it is",
        "assumed": architecture is None,
        "notes": notes,
        "keys": keys,
        "sha256": read.sha256,
    }


def _builder(architecture: Any, trust_code: bool) -> Callable[[], nn.Module]:
    if isinstance(architecture, str):
        return called(architecture, trust_code=trust_code)
    if isinstance(architecture, nn.Module):
        return Given(architecture)
    if not callable(architecture):
        raise ValueError(f"architecture={architecture!r:.80} is not allowed: a text or a callable")
    build: Callable[[], nn.Module] = architecture
    return build
