"""Training of the convolutional networks of paper B (section 3.2).

Initialization and optimizer are those of Keras, as for the perceptrons of module `training`.
"""

from __future__ import annotations

import copy
import math
from collections.abc import Callable
from dataclasses import dataclass
from typing import Any

import numpy as np
import torch
import torch.nn.functional as F
from torch import Tensor, nn

from modclust_utils.convolutional import convolutional, image_shape
from modclust_utils.doors import as_count, as_training_data, check_callable, check_kind
from modclust_utils.models import derived_seed, resolve_device
from modclust_utils.settings import CnnSettings, VggSettings
from modclust_utils.tracing import in_words
from modclust_utils.training import ADAM_EPSILON


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

    @property
    def n_steps(self) -> int:
        """Epochs so far."""
        return self.epoch

    @property
    def seeds(self) -> tuple[int, ...]:
        """Of its one network."""
        return (self.seed,)


@dataclass(frozen=True)
class TrainedCnn:
    """A trained network in evaluation mode, and its running accuracy in the last epoch."""

    network: nn.Sequential
    running_accuracy: float


def train_cnn(
    x: Tensor | np.ndarray,
    y: Tensor | np.ndarray,
    settings: CnnSettings | VggSettings,
    *,
    seed: int,
    device: str | torch.device = "auto",
    state: CnnState | None = None,
    on_epoch: Callable[[CnnState], None] | None = None,
) -> TrainedCnn:
    """Train one convolutional network: cross-entropy, and Adam as Keras has it.

    Parameters
    ----------
    x : array or tensor ``(n, n_pixels)``
        Images, flattened as those of `datasets.load`.
    y : array or tensor of int ``(n,)``
        Class of each image, from 0.
    settings : CnnSettings or VggSettings
        The network, epochs and so on; the defaults are paper B's.
    seed : int
        Where the first weights (uniform after Glorot, biases 0), the order of images, how they are
        moved, and dropout come from.
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
    check_kind("settings", settings, (CnnSettings, VggSettings), "CnnSettings or VggSettings")
    if state is not None:
        check_kind("state", state, CnnState, "CnnState, as on_epoch gets it, or None")
    check_callable("on_epoch", on_epoch)
    if isinstance(settings, VggSettings) and settings.batch_size == 1:
        raise ValueError(
            "settings has batch_size=1; allowed: 2 or more, as batch norms divide by the variance "
            "of a batch"
        )
    device, seed = resolve_device(device), as_count("seed", seed, 0, None)
    shape = image_shape(settings)
    x, y = as_training_data(x, y, math.prod(shape), settings.n_classes, device)
    images = x.view(-1, *shape)
    # torch draws first weights of its own, which are not kept, from its global generator
    with torch.random.fork_rng([]):
        network = convolutional(settings)
    # twice as fast on a processor
    network.to(device, memory_format=torch.channels_last)
    optimizer = _optimizer(network, settings)
    if state is None:
        _initialize(network, torch.Generator(device).manual_seed(derived_seed(seed, 0)))
        state = _state(seed, network, optimizer)
    elif state.seed != seed:
        raise ValueError(f"seed={seed} is not that of the state, {state.seed}")
    _put_in(state, network, optimizer)
    while state.epoch < settings.epochs:
        accuracy = _epoch(network, optimizer, images, y, settings, state)
        state = _state(seed, network, optimizer, state.epoch + 1, accuracy)
        if on_epoch is not None:
            on_epoch(state)
    return TrainedCnn(network.eval(), state.running_accuracy)


def _optimizer(network: nn.Module, settings: CnnSettings | VggSettings) -> torch.optim.Adam:
    """Adam, to whose gradients the penalty l2 w² adds 2 l2 w: weights alone, no norms or biases."""
    weights = [w for w in network.parameters() if w.ndim > 1]
    others = [w for w in network.parameters() if w.ndim <= 1]
    decay = 2 * settings.l2 if isinstance(settings, VggSettings) else 0.0
    groups = [{"params": weights, "weight_decay": decay}, {"params": others}]
    return torch.optim.Adam(groups, lr=settings.learning_rate, eps=ADAM_EPSILON)


def _initialize(network: nn.Sequential, generator: torch.Generator) -> None:
    for name, parameter in network.named_parameters():
        if parameter.ndim > 1:
            nn.init.xavier_uniform_(parameter, generator=generator)
        elif name.endswith("bias"):
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


def _put_in(state: CnnState, network: nn.Module, optimizer: torch.optim.Adam) -> None:
    try:
        network.load_state_dict(state.parameters)
        # the optimizer would go on in the tensors of the state
        optimizer.load_state_dict(copy.deepcopy(state.optimizer))
    except (RuntimeError, TypeError, ValueError, KeyError, AttributeError) as error:
        raise ValueError(
            f"state is not of the network of settings ({in_words(error)}); allowed: a state of a "
            "run with the same settings"
        ) from error


def _epoch(
    network: nn.Sequential,
    optimizer: torch.optim.Adam,
    images: Tensor,
    y: Tensor,
    settings: CnnSettings | VggSettings,
    state: CnnState,
) -> float:
    """One epoch; the accuracy over it, each image asked before it is learned from."""
    network.train()
    device = images.device
    # an epoch's order hangs on the seed and its number, so a resumed run goes on with the same
    seed = derived_seed(state.seed, 1 + state.epoch)
    generator = torch.Generator(device).manual_seed(seed)
    order = torch.randperm(len(y), generator=generator, device=device)
    hits = torch.zeros((), device=device)
    narrow = settings.precision == "bfloat16"
    with torch.random.fork_rng([device] if device.type == "cuda" else []):
        torch.manual_seed(seed)  # dropout knows no generator
        for batch in _batches(order, settings):
            own = images[batch]
            if isinstance(settings, VggSettings):
                own = moved(own, settings, generator)
            own = own.contiguous(memory_format=torch.channels_last)
            with torch.autocast(device.type, torch.bfloat16, enabled=narrow):
                logits = network(own).float()
            optimizer.zero_grad()
            F.cross_entropy(logits, y[batch]).backward()
            optimizer.step()
            hits += (logits.argmax(1) == y[batch]).sum()
    return float(hits) / len(y)


def _batches(order: Tensor, settings: CnnSettings | VggSettings) -> list[Tensor]:
    """The images of an epoch batch by batch. A last batch of one image, of which a batch norm knows
    no variance, goes with the one before it."""
    batches = list(order.split(settings.batch_size))
    if isinstance(settings, VggSettings) and len(batches[-1]) == 1 < len(batches):
        batches[-2:] = [torch.cat(batches[-2:])]
    return batches


def moved(images: Tensor, settings: VggSettings, generator: torch.Generator) -> Tensor:
    """Images ``(n, c, h, w)``, each turned, shifted and mirrored at random.

    What comes in at the edges repeats the edge.
    """

    def random() -> Tensor:
        return 2 * torch.rand(len(images), generator=generator, device=images.device) - 1

    angle = math.radians(settings.rotation) * random()
    # sides reach from -1 to 1
    right, down = 2 * settings.shift * random(), 2 * settings.shift * random()
    mirror = torch.where((random() < 0) & settings.flip, -1.0, 1.0)
    rows = [
        torch.stack([angle.cos() * mirror, -angle.sin(), right], 1),
        torch.stack([angle.sin() * mirror, angle.cos(), down], 1),
    ]
    grid = F.affine_grid(torch.stack(rows, 1), list(images.shape), align_corners=False)
    return F.grid_sample(images, grid, padding_mode="border", align_corners=False)
