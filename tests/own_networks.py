"""Networks of a reader's own, for the tests of `modclust analyze`."""

from __future__ import annotations

from itertools import pairwise
from pathlib import Path

import numpy as np
import torch
from torch import Tensor, nn

SIZES = (16, 24, 24, 4)


def planted(seed: int = 0, across: float = 0.05) -> nn.Sequential:
    """Two modules side by side: the first half of the images leads to the first half of classes."""
    torch.manual_seed(seed)
    layers: list[nn.Module] = []
    for n_in, n_out in pairwise(SIZES):
        layer = nn.Linear(n_in, n_out)
        own = (torch.arange(n_out) < n_out // 2)[:, None] == (torch.arange(n_in) < n_in // 2)
        layer.weight.data = (torch.rand(n_out, n_in) - 0.3) * torch.where(own, 1.0, across)
        layer.bias.data.zero_()
        layers += [layer, nn.ReLU()]
    return nn.Sequential(*layers[:-1]).eval()


@torch.no_grad()
def images_for(network: nn.Module, n: int = 120) -> tuple[Tensor, Tensor]:
    """Images, and the classes that the network gives them."""
    x = torch.from_numpy(np.random.default_rng(0).random((n, SIZES[0]), dtype=np.float32))
    return x, network(x).argmax(1)


def write_images(path: Path, network: nn.Module, *, labelled: bool = True) -> Path:
    """Images of `images_for` as arrays x and y."""
    x, y = images_for(network)
    np.savez(path, x=x.numpy(), **({"y": y.numpy()} if labelled else {}))
    return path


class Gated(nn.Module):
    """A network that cannot be followed: two tensors are multiplied."""

    def __init__(self) -> None:
        super().__init__()
        self.first = nn.Linear(6, 8)
        self.gate = nn.Linear(6, 8)
        self.norm = nn.LayerNorm(8)
        self.last = nn.Linear(8, 3)

    def forward(self, x: Tensor) -> Tensor:
        """Logits."""
        return self.last(self.norm(self.first(x) * self.gate(x)))
