"""The small convolutional network of paper B, and its training (section 3.2, MNIST).

Three 3x3 convolutions, pooled after the second and the third, and a dense layer. Initialization and
optimizer are those of Keras, as for the perceptrons of module `training`.
"""

from __future__ import annotations

import copy
from collections import OrderedDict
from collections.abc import Callable
from dataclasses import dataclass
from typing import Any

import numpy as np
import torch
import torch.nn.functional as F
from torch import Tensor, nn

from modclust_utils.doors import as_count, as_training_data, check_kind
from modclust_utils.models import derived_seed, resolve_device
from modclust_utils.settings import CnnSettings
from modclust_utils.training import ADAM_EPSILON


def small_cnn(settings: CnnSettings) -> nn.Sequential:
    """The network, for images ``(n, 1, rows, columns)``; its weights are as torch starts them.

    The text of paper B does not say how the edges are padded: here an image keeps its size.
    """
    channels, (rows, columns) = settings.channels, settings.image_shape
    layers: list[tuple[str, nn.Module]] = []
    for i, (n_in, pooled) in enumerate(((1, False), (channels, True), (channels, True)), start=1):
        layers += [(f"conv{i}", nn.Conv2d(n_in, channels, 3, padding=1)), (f"relu{i}", nn.ReLU())]
        if pooled:
            layers.append((f"pool{i}", nn.MaxPool2d(2)))
    layers += [
        ("flatten", nn.Flatten()),
        ("dense", nn.Linear(channels * (rows // 4) * (columns // 4), settings.dense)),
        ("relu4", nn.ReLU()),
        ("logits", nn.Linear(settings.dense, settings.n_classes)),
    ]
    return nn.Sequential(OrderedDict(layers))


@dataclass
class CnnState:
    """Everything that the rest of a training run depends on, at the end of an epoch.

    parameters, optimizer: state dicts; running_accuracy: over the last epoch, as Keras reports it;
    NaN before the first.
    """

    seed: int
    parameters: dict[str, Tensor]
    optimizer: dict[str, Any]
    epoch: int = 0
    running_accuracy: float = float("nan")


@dataclass(frozen=True)
class TrainedCnn:
    """A trained network in evaluation mode, and its running accuracy in the last epoch."""

    network: nn.Sequential
    running_accuracy: float


def train_cnn(
    x: Tensor | np.ndarray,
    y: Tensor | np.ndarray,
    settings: CnnSettings,
    *,
    seed: int,
    device: str | torch.device = "auto",
    state: CnnState | None = None,
    on_epoch: Callable[[CnnState], None] | None = None,
) -> TrainedCnn:
    """Train one small convolutional network: cross-entropy, and Adam as Keras has it.

    Parameters
    ----------
    x : array or tensor ``(n, n_pixels)``
        Gray images, flattened as those of `datasets.load`.
    y : array or tensor of int ``(n,)``
        Class of each image, from 0.
    settings : CnnSettings
        The network, epochs and so on; the defaults are paper B's.
    seed : int
        Where the first weights (uniform after Glorot, biases 0) and the order of images come from.
    device : str or torch.device
        "auto" is a GPU where there is one.
    state : CnnState, optional
        Where an earlier run stood at the end of an epoch, to go on from.
    on_epoch : callable, optional
        Called with the state after each epoch, to save it or to show progress.

    Returns
    -------
    TrainedCnn
        On the device.

    Raises
    ------
    ValueError
        Where images, classes or the state do not fit the settings.

    References
    ----------
    .. [1] Casper et al. 2022 (paper B), section 3.2.

    Examples
    --------
    >>> settings = CnnSettings((4, 4), 2, channels=2, dense=4, epochs=20, learning_rate=0.05)
    >>> x, y = np.repeat(np.eye(2), 8, axis=1), np.array([0, 1])
    >>> network = train_cnn(x, y, settings, seed=0, device="cpu").network
    >>> network(torch.tensor(x).float().view(2, 1, 4, 4)).argmax(1)
    tensor([0, 1])
    """
    check_kind("settings", settings, CnnSettings, "CnnSettings")
    device, seed = resolve_device(device), as_count("seed", seed, least=0)
    rows, columns = settings.image_shape
    x, y = as_training_data(x, y, rows * columns, settings.n_classes, device)
    images = x.view(-1, 1, rows, columns)
    network = small_cnn(settings).to(device)
    optimizer = torch.optim.Adam(network.parameters(), lr=settings.learning_rate, eps=ADAM_EPSILON)
    if state is None:
        _initialize(network, torch.Generator(device).manual_seed(derived_seed(seed, 0)))
        state = _state(seed, network, optimizer)
    elif state.seed != seed:
        raise ValueError(f"seed={seed} is not that of the state, {state.seed}")
    network.load_state_dict(state.parameters)
    # the optimizer would go on in the tensors of the state
    optimizer.load_state_dict(copy.deepcopy(state.optimizer))
    while state.epoch < settings.epochs:
        accuracy = _epoch(network, optimizer, images, y, settings.batch_size, state)
        state = _state(seed, network, optimizer, state.epoch + 1, accuracy)
        if on_epoch is not None:
            on_epoch(state)
    return TrainedCnn(network.eval(), state.running_accuracy)


def _initialize(network: nn.Sequential, generator: torch.Generator) -> None:
    for name, parameter in network.named_parameters():
        if name.endswith("weight"):
            nn.init.xavier_uniform_(parameter, generator=generator)
        else:
            nn.init.zeros_(parameter)


def _state(
    seed: int,
    network: nn.Sequential,
    optimizer: torch.optim.Adam,
    epoch: int = 0,
    accuracy: float = float("nan"),
) -> CnnState:
    parameters = {name: value.clone() for name, value in network.state_dict().items()}
    return CnnState(seed, parameters, copy.deepcopy(optimizer.state_dict()), epoch, accuracy)


def _epoch(
    network: nn.Sequential,
    optimizer: torch.optim.Adam,
    images: Tensor,
    y: Tensor,
    batch_size: int,
    state: CnnState,
) -> float:
    """One epoch; the accuracy over it, each image asked before it is learned from."""
    network.train()
    # an epoch's order hangs on the seed and its number, so a resumed run goes on with the same
    generator = torch.Generator(images.device).manual_seed(
        derived_seed(state.seed, 1 + state.epoch)
    )
    order = torch.randperm(len(y), generator=generator, device=images.device)
    hits = torch.zeros((), device=images.device)
    for batch in order.split(batch_size):
        logits = network(images[batch])
        optimizer.zero_grad()
        F.cross_entropy(logits, y[batch]).backward()
        optimizer.step()
        hits += (logits.argmax(1) == y[batch]).sum()
    return float(hits) / len(y)
