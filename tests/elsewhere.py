"""Tensors that say they are on another device: the path of a GPU, on any machine."""

from __future__ import annotations

import torch


class Place(str):
    """torch takes it for the CPU; whoever asks for its type hears otherwise."""

    __slots__ = ()
    type = "elsewhere"


class Elsewhere(torch.Tensor):
    """In the CPU's memory, with `Place` as its device, and so is all that is computed from it."""

    device = Place("cpu")


def elsewhere(values: object) -> Elsewhere:
    return torch.as_tensor(values).as_subclass(Elsewhere)
