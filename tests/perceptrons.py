"""Small perceptrons with images, as torch modules, and under lesions by the plainest of loops."""

from __future__ import annotations

from collections.abc import Callable, Sequence
from itertools import pairwise

import numpy as np
import torch
from networks import keep_largest, rng_of
from torch import Tensor, nn

from modclust_utils.models import MLP

SIZES = (6, 9, 8, 7, 4)


def random_mlp(
    sizes: Sequence[int],
    seed: int,
    *,
    sparsity: float = 0.0,
    batch: tuple[int, ...] = (),
    dtype: torch.dtype = torch.float64,
) -> MLP:
    rng = rng_of(seed)
    weights = [keep_largest(rng.normal(size=(*batch, b, a)), sparsity) for a, b in pairwise(sizes)]
    biases = [rng.normal(size=(*batch, b), scale=0.3) for b in sizes[1:]]
    return MLP(
        [torch.tensor(w).to(dtype) for w in weights], [torch.tensor(b).to(dtype) for b in biases]
    )


def as_module(network: MLP, *between: Callable[[], nn.Module]) -> nn.Sequential:
    """The same network of torch's own parts, which stand between two Linear: a ReLU by default."""
    parts: list[nn.Module] = []
    for weight, bias in zip(network.weights, network.biases, strict=True):
        linear = nn.Linear(weight.shape[1], weight.shape[0], dtype=weight.dtype)
        linear.weight.data, linear.bias.data = weight.clone(), bias.clone()
        parts += [make() for make in between or [nn.ReLU]] if parts else []
        parts.append(linear)
    return nn.Sequential(*parts)


def network_of(module: nn.Sequential) -> MLP:
    """The other way round: the network of a module's Linear."""
    linears = [layer for layer in module if isinstance(layer, nn.Linear)]
    return MLP([layer.weight.data for layer in linears], [layer.bias.data for layer in linears])


def assert_same_networks(first: MLP, second: MLP, **tolerance: float) -> None:
    """Equal to the bit, where no tolerance is given."""
    pairs = zip(first.weights + first.biases, second.weights + second.biases, strict=True)
    for a, b in pairs:
        np.testing.assert_allclose(a, b, **({"rtol": 0, "atol": 0} | tolerance))


def images(network: MLP, n: int, seed: int) -> tuple[Tensor, Tensor]:
    """Inputs, and the network's own answers, except that one in three labels is random."""
    rng, sizes = rng_of(seed), network.layer_sizes
    x = torch.tensor(rng.normal(size=(n, sizes[0]))).to(network.weights[0].dtype)
    y = torch.tensor(rng.integers(sizes[-1], size=n))
    keep = torch.tensor(rng.random(n) < 1 / 3)
    return x, torch.where(keep, y, network.logits(x).argmax(1))


def unit_layers(sizes: Sequence[int]) -> np.ndarray:
    return np.repeat(np.arange(len(sizes)), sizes)


def all_live(sizes: Sequence[int]) -> np.ndarray:
    return np.ones(sum(sizes), bool)


def lesioned(network: MLP, unit_set: np.ndarray) -> MLP:
    """A copy of the network whose lesioned units get no input and no bias."""
    weights, biases = [w.clone() for w in network.weights], [b.clone() for b in network.biases]
    parts = np.split(unit_set, np.cumsum(network.layer_sizes)[:-1])
    for weight, bias, part in zip(weights, biases, parts[1:], strict=True):
        weight[torch.tensor(part)] = 0
        bias[torch.tensor(part)] = 0
    return MLP(weights, biases)


def plain_accuracies(
    network: MLP, x: Tensor, y: Tensor, unit_sets: np.ndarray
) -> tuple[np.ndarray, np.ndarray]:
    """One network after the other, with the names of `lesion_accuracy`'s results."""
    overall, by_class = [], []
    for unit_set in unit_sets:
        cut = lesioned(network, unit_set)
        overall.append(float(cut.accuracy(x, y)))
        right = cut.logits(x).argmax(1) == y
        by_class.append(
            [float(right[y == c].double().mean()) for c in range(network.layer_sizes[-1])]
        )
    return np.array(overall), np.array(by_class)
