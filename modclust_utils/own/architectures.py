"""What builds a network of one's own before its weights: each can travel to a worker process."""

from __future__ import annotations

import copy
import hashlib
import importlib
import importlib.util
import inspect
import sys
from collections.abc import Callable, Mapping
from dataclasses import dataclass, field
from pathlib import Path
from typing import Any

import torch
from torch import Tensor, nn

from modclust_utils.own.logits import without_softmax
from modclust_utils.paths import absolute_path
from modclust_utils.pretrained import find_row
from modclust_utils.pretrained.registry import MEAN, STD, Numbers, normalized
from modclust_utils.recipes.classifier import Classifier

PREPARED = ("as it is", "imagenet")
_FORM = "module:name, such as torchvision.models:resnet18, or my_file.py:build"


@dataclass(frozen=True)
class Given:
    """A module that is in memory."""

    module: nn.Module = field(repr=False)

    def __call__(self) -> nn.Module:
        """A copy of it."""
        return copy.deepcopy(self.module)


@dataclass(frozen=True)
class Known:
    """The architecture of a network that `pretrained.load` knows by its name."""

    name: str

    def __call__(self) -> nn.Module:
        """Build it."""
        return find_row(self.name).build()


@dataclass(frozen=True)
class Called:
    """A function or class in a module or file.

    where: ``module:name`` or ``file.py:name``; options: what it is called with; sha256: of the
    file, which must stay what it was when its code was trusted.
    """

    where: str
    options: Mapping[str, Any] = field(default_factory=dict)
    sha256: str = ""

    def __call__(self) -> nn.Module:
        """Build it. Raises ValueError where that fails."""
        build = self.callable()
        try:
            with torch.random.fork_rng(devices=[]):  # a new module draws weights
                found = build(**self.options)
        except (Exception, SystemExit) as error:  # code of any kind runs here
            raise ValueError(
                f"architecture={self.where!r} failed ({type(error).__name__}: {error}); allowed: "
                "what gives a torch module when it is called without arguments"
            ) from error
        if not isinstance(found, nn.Module):
            raise ValueError(
                f"architecture={self.where!r} gives a {type(found).__name__}; allowed: "
                "a torch.nn.Module"
            )
        return found

    def callable(self) -> Callable[..., Any]:
        """What is called. Raises ValueError where it is not there."""
        place, _, name = self.where.rpartition(":")
        module = self._file(Path(place)) if self.sha256 else self._module(place)
        found = getattr(module, name, None)
        if not callable(found):
            raise ValueError(
                f"architecture={self.where!r} is not allowed: {place} has no function or class "
                f"{name!r}"
            )
        built: Callable[..., Any] = found
        return built

    def takes(self, option: str) -> bool:
        """Whether it can be called with an option."""
        try:
            parameters = inspect.signature(self.callable()).parameters.values()
        except (TypeError, ValueError):
            return False
        return any(each.name == option or each.kind is each.VAR_KEYWORD for each in parameters)

    def _module(self, place: str) -> Any:
        try:
            return importlib.import_module(place)
        except Exception as error:  # code of any kind runs here
            raise ValueError(
                f"architecture={self.where!r} is not allowed: the module {place!r} cannot be "
                f"imported ({error}); allowed: {_FORM}"
            ) from error

    def _file(self, path: Path) -> Any:
        content = path.read_bytes()
        if hashlib.sha256(content).hexdigest() != self.sha256:
            raise ValueError(
                f"architecture={self.where!r}: {path.name} has changed since its code was trusted; "
                "run the command again"
            )
        # its classes need a module of a name by which they can be found
        name = f"modclust_own_{self.sha256[:16]}"
        if name not in sys.modules:
            spec = importlib.util.spec_from_file_location(name, path)
            assert spec is not None
            assert spec.loader is not None
            module = importlib.util.module_from_spec(spec)
            sys.modules[name] = module
            # what lies beside it can be imported, as by a script, but stands before nothing
            sys.path.append(str(path.parent))
            try:
                spec.loader.exec_module(module)
            except (Exception, SystemExit) as error:  # code of any kind runs here
                del sys.modules[name]
                raise ValueError(
                    f"architecture={self.where!r} is not allowed: {path.name} fails "
                    f"({type(error).__name__}: {error})"
                ) from error
            finally:
                sys.path.remove(str(path.parent))
        return sys.modules[name]


def called(where: str, *, trust_code: bool) -> Called:
    """The architecture at a place. Raises ValueError for a place of another form, and for a file
    whose code is not trusted."""
    place, colon, name = str(where).rpartition(":")
    if not (colon and place and name.isidentifier()):
        raise ValueError(f"architecture={where!r} is not allowed: {_FORM}")
    if not place.endswith(".py"):
        return Called(where)
    path = absolute_path("architecture", place)
    if not path.is_file():
        raise ValueError(f"architecture={where!r} is not allowed: there is no file {path}")
    if not trust_code:
        raise ValueError(
            f"architecture={where!r} runs the code in {path.name}; allowed: with --trust-code "
            "(trust_code=True), if you have read it"
        )
    return Called(f"{path}:{name}", sha256=hashlib.sha256(path.read_bytes()).hexdigest())


@dataclass(frozen=True)
class Maker:
    """Makes a classifier for the recipes: the architecture, and how images are handed to it.

    input_shape: of what the module takes, without the axis of the images; prepared: "as it is"; or
    less a mean and over a standard deviation, "imagenet" those of ImageNet's pixels, "published"
    those that belong to the weights of a known network.
    """

    build: Callable[[], nn.Module]
    input_shape: tuple[int, ...]
    prepared: str = "as it is"
    mean: Numbers = MEAN
    std: Numbers = STD

    def __call__(self) -> Classifier:
        """The network before its weights are loaded."""
        module = without_softmax(self.build().float().eval())[0]
        if len(self.input_shape) == 3:
            module = module.to(memory_format=torch.channels_last)
        shape = (*(1,) * (3 - len(self.input_shape)), *self.input_shape)
        return Classifier(module, shape, self.prepare)

    def prepare(self, images: Tensor) -> Tensor:
        """Images as they are kept ``(n, channels, rows, columns)`` as the module takes them."""
        images = images.reshape(len(images), *self.input_shape)
        return images if self.prepared == PREPARED[0] else normalized(images, self.mean, self.std)
