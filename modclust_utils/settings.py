"""How networks are trained: plain values, checked without torch."""

from __future__ import annotations

import math
from collections.abc import Mapping
from dataclasses import dataclass, fields
from numbers import Integral, Real
from typing import Any, Literal

#: As in `doors`, which would load torch.
_MOST = 2**31 - 1


def _check_types(settings: Any) -> None:
    """Numbers of the kinds that the fields say; layer_sizes may be any sequence."""
    for each in fields(settings):
        value = getattr(settings, each.name)
        if each.type == "tuple[int, ...]":
            if not isinstance(value, list | tuple) or not all(
                _is(Integral, v) and v <= _MOST for v in value
            ):
                raise ValueError(f"{each.name}={value!r} is not allowed: a tuple of whole numbers")
            object.__setattr__(settings, each.name, tuple(value))
        elif each.type == "bool":
            if not isinstance(value, bool):
                raise ValueError(f"{each.name}={value!r} is not allowed: True or False")
        elif each.type == "str":
            if not isinstance(value, str):
                raise ValueError(f"{each.name}={value!r} is not allowed: a text")
        elif not _is(Integral if each.type == "int" else Real, value):
            words = "a whole number" if each.type == "int" else "a number"
            raise ValueError(f"{each.name}={value!r} is not allowed: {words}")
        elif each.type == "int":
            if value > _MOST:
                raise ValueError(f"{each.name} is too large; allowed: {_MOST} at most")
        elif not isinstance(value, float):
            _check_float(settings, each.name, value)


def _check_float(settings: Any, name: str, value: Any) -> None:
    """Fractions and such become floats, with which torch computes; whole numbers stay, as keys of
    records hold them."""
    try:
        number = float(value)
    except OverflowError as error:
        raise ValueError(f"{name} is too large; allowed: a number that a float holds") from error
    if not isinstance(value, int):
        object.__setattr__(settings, name, number)


def _is(kind: type, value: object) -> bool:
    return isinstance(value, kind) and not isinstance(value, bool)


def _check(settings: object, rules: Mapping[str, tuple[bool, str]]) -> None:
    for name, (holds, allowed) in rules.items():
        if not holds:
            raise ValueError(f"{name}={getattr(settings, name)!r} is not allowed: {allowed}")


@dataclass(frozen=True)
class TrainingSettings:
    """How a network is trained; the defaults are those of paper A (section 3, appendix A.2)."""

    layer_sizes: tuple[int, ...] = (784, 256, 256, 256, 256, 10)
    dropout_rate: float = 0.0
    epochs: int = 20
    pruning_epochs: int = 20
    batch_size: int = 128
    learning_rate: float = 1e-3
    initial_sparsity: float = 0.5
    final_sparsity: float = 0.9
    pruning_interval: int = 10
    shuffle: bool = True

    def __post_init__(self) -> None:
        _check_types(self)
        rules = {
            "layer_sizes": (
                len(self.layer_sizes) >= 2 and min(self.layer_sizes) >= 1,
                "at least two layers of at least one unit",
            ),
            "dropout_rate": (0.0 <= self.dropout_rate < 1.0, "0 <= dropout_rate < 1"),
            "epochs": (self.epochs >= 0, "0 or more"),
            "pruning_epochs": (self.pruning_epochs >= 0, "0 or more"),
            "batch_size": (self.batch_size >= 1, "1 or more"),
            "learning_rate": (0 < self.learning_rate < math.inf, "above 0, and finite"),
            "initial_sparsity": (
                0.0 <= self.initial_sparsity <= self.final_sparsity,
                "0 <= initial_sparsity <= final_sparsity",
            ),
            "final_sparsity": (self.final_sparsity < 1.0, "below 1"),
            "pruning_interval": (self.pruning_interval >= 1, "1 or more"),
        }
        _check(self, rules)


@dataclass(frozen=True)
class RegularizedSettings:
    """How a network is trained with penalties and early stopping; the defaults are paper C's.

    l1, l2: factors of the sums of |w| and w² over all weights; max_epochs: 0 leaves the network
    untrained; patience, rate_patience: epochs without a lower validation loss until training stops,
    and after which the learning rate is multiplied by rate_factor; validation_share: of the
    training images.
    """

    layer_sizes: tuple[int, ...] = (784, 64, 64, 10)
    dropout_rate: float = 0.0
    l1: float = 0.0
    l2: float = 0.0
    learning_rate: float = 1e-3
    batch_size: int = 200
    max_epochs: int = 500
    patience: int = 6
    rate_patience: int = 3
    rate_factor: float = 0.25
    validation_share: float = 0.1

    def __post_init__(self) -> None:
        _check_types(self)
        _check(
            self,
            {
                "layer_sizes": (
                    len(self.layer_sizes) >= 2 and min(self.layer_sizes) >= 1,
                    "at least two layers of at least one unit",
                ),
                "dropout_rate": (0.0 <= self.dropout_rate < 1.0, "0 <= dropout_rate < 1"),
                "l1": (0 <= self.l1 < math.inf, "0 or more, and finite"),
                "l2": (0 <= self.l2 < math.inf, "0 or more, and finite"),
                "learning_rate": (0 < self.learning_rate < math.inf, "above 0, and finite"),
                "batch_size": (self.batch_size >= 1, "1 or more"),
                "max_epochs": (self.max_epochs >= 0, "0 or more"),
                "patience": (self.patience >= 1, "1 or more"),
                "rate_patience": (self.rate_patience >= 0, "0 or more"),
                "rate_factor": (0 < self.rate_factor <= 1, "above 0, at most 1"),
                "validation_share": (0 < self.validation_share < 1, "above 0 and below 1"),
            },
        )

    def n_validation(self, n: int) -> int:
        """How many of n training images are for validation."""
        return round(n * self.validation_share)


#: Precisions of the products of a network.
Precision = Literal["float32", "bfloat16"]
PRECISIONS: tuple[Precision, ...] = ("float32", "bfloat16")


@dataclass(frozen=True)
class CnnSettings:
    """A small convolutional network and how it is trained; the defaults are paper B's.

    image_shape: rows and columns of a gray image; channels: of each of three convolutions; dense:
    units between them and the logits; precision: of products in training, weights stay float32.
    """

    image_shape: tuple[int, ...] = (28, 28)
    n_classes: int = 10
    channels: int = 64
    dense: int = 128
    epochs: int = 10
    batch_size: int = 64
    learning_rate: float = 1e-3
    precision: str = "float32"

    def __post_init__(self) -> None:
        _check_types(self)
        _check(
            self,
            {
                "image_shape": (
                    len(self.image_shape) == 2 and min(self.image_shape) >= 4,
                    "rows and columns, 4 or more of each",
                ),
                "channels": (self.channels >= 1, "1 or more"),
                "dense": (self.dense >= 1, "1 or more"),
                **_of_training(self),
            },
        )


@dataclass(frozen=True)
class VggSettings:
    """A VGG-16 for images of 32x32 in colour, and how it is trained; the defaults are paper B's.

    width: share of the channels of every layer; dropout: factor of all its dropout rates; l2:
    factor of the sum of w² over all weights, without 1/2; rotation: degrees by which a training
    image turns at most, shift: share of its side by which it moves at most, flip: whether every
    other one is mirrored; precision: of products in training, weights stay float32.
    """

    n_classes: int = 10
    width: float = 1.0
    dropout: float = 1.0
    l2: float = 5e-4
    rotation: float = 15.0
    shift: float = 0.1
    flip: bool = True
    epochs: int = 200
    batch_size: int = 128
    learning_rate: float = 1e-3
    precision: str = "float32"

    def __post_init__(self) -> None:
        _check_types(self)
        _check(
            self,
            {
                "width": (1 / 64 <= self.width <= 4, "a number from 1/64 to 4"),
                "dropout": (0 <= self.dropout < 2, "0 <= dropout < 2"),
                "l2": (0 <= self.l2 < math.inf, "0 or more, and finite"),
                "rotation": (0 <= self.rotation <= 180, "a number from 0 to 180"),
                "shift": (0 <= self.shift < 1, "0 <= shift < 1"),
                **_of_training(self),
            },
        )


def _of_training(settings: CnnSettings | VggSettings) -> dict[str, tuple[bool, str]]:
    """What both of them have."""
    return {
        "n_classes": (settings.n_classes >= 2, "2 or more"),
        "epochs": (settings.epochs >= 0, "0 or more"),
        "batch_size": (settings.batch_size >= 1, "1 or more"),
        "learning_rate": (0 < settings.learning_rate < math.inf, "above 0, and finite"),
        "precision": (settings.precision in PRECISIONS, " or ".join(map(repr, PRECISIONS))),
    }
