"""Other devices than the CPU: a GPU where there is one, and one that is pretended anywhere."""

from __future__ import annotations

import numpy as np
import pytest
import torch
from torch import Tensor


class Place(str):
    """torch takes it for the CPU; whoever asks for its type hears otherwise."""

    __slots__ = ()
    type = "elsewhere"


class Elsewhere(Tensor):
    """In the CPU's memory, with `Place` as its device, and so is all that is computed from it."""

    device = Place("cpu")


def elsewhere(values: np.ndarray | Tensor) -> Elsewhere:
    return torch.as_tensor(values).as_subclass(Elsewhere)


def on_cuda(values: np.ndarray | Tensor) -> Tensor:
    return torch.as_tensor(values).cuda()


CUDA = pytest.param(
    on_cuda,
    marks=pytest.mark.skipif(not torch.cuda.is_available(), reason="no CUDA device here"),
)
#: Ways to move an array or a tensor to another device, where code takes the path of a GPU.
PLACES = [elsewhere, CUDA]
