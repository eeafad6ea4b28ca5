"""Training of many networks of one shape as one batch, with paper A's pruning phase.

All R networks share the images but nothing else: each has its own initialization, its own order
of the images and its own dropout, all drawn from its own seed. Network r of a batch is therefore
the network that the same seed gives alone, up to the rounding of the matrix products.
"""

from __future__ import annotations

import math
from collections.abc import Callable, Sequence
from dataclasses import dataclass, field
from itertools import pairwise
from typing import Any

import numpy as np
import torch
from torch import Tensor

from modclust_utils.doors import as_seeds, as_training_data, check_callable, check_kind
from modclust_utils.models import MLP, derived_seed, glorot_mlp, resolve_device
from modclust_utils.pruning import magnitude_mask, polynomial_sparsity
from modclust_utils.settings import TrainingSettings

__all__ = [
    "ADAM_EPSILON",
    "TrainedNetworks",
    "TrainingSettings",
    "TrainingState",
    "initial_state",
    "magnitude_mask",
    "polynomial_sparsity",
    "train",
    "train_epoch",
]

# Epsilon of Keras' Adam, which paper A used with its standard settings (appendix A.2).
ADAM_EPSILON = 1e-7


@dataclass
class TrainingState:
    """Everything that the rest of a training run depends on, at the end of an epoch.

    parameters: weights, then biases, each ``(R, ...)``; epoch: epochs done, both phases counted;
    before: the parameters at the start of pruning, None until then; running_accuracy: ``(R,)``,
    accuracy over the last epoch with dropout active, as Keras reports it.
    """

    seeds: tuple[int, ...]
    parameters: list[Tensor]
    optimizer: dict[str, Any]
    epoch: int = 0
    before: list[Tensor] | None = None
    running_accuracy: Tensor | None = None
    running_accuracy_before: Tensor | None = None

    @property
    def n_steps(self) -> int:
        """Epochs done, the steps of a progress bar."""
        return self.epoch


@dataclass(frozen=True)
class TrainedNetworks:
    """R trained networks before and after pruning; running accuracies are ``(R,)``."""

    seeds: tuple[int, ...]
    before: MLP
    after: MLP
    running_accuracy_before: Tensor
    running_accuracy_after: Tensor
    settings: TrainingSettings = field(repr=False)


def _dropout_keep(generator: torch.Generator, shape: tuple[int, ...], rate: float) -> Tensor:
    """Boolean mask, False with probability `rate` (to 1 part in 65,536).

    One 64-bit draw serves four units: drawing is what dropout costs on a CPU.
    """
    n = math.prod(shape)
    draws = torch.empty((n + 3) // 4, dtype=torch.int64, device=generator.device)
    draws.random_(-(2**63), None, generator=generator)
    # a rate next to 1 keeps one in 65,536: the type holds no larger threshold
    threshold = min(round(rate * 65536) - 32768, 32767)
    return (draws.view(torch.int16)[:n] >= threshold).view(shape)


def _gradients(
    parameters: list[Tensor], x: Tensor, y: Tensor, keeps: list[Tensor] | None, rate: float
) -> tuple[list[Tensor], Tensor]:
    """Gradients of the mean cross-entropy of every network, and hits per network ``(R,)``.

    x is ``(R, B, n_in)``, y ``(R, B)``. Written out because it is the inner loop of the book: one
    pass without autograd's graph takes four fifths of the time (the tests compare the two).
    """
    depth = len(parameters) // 2
    weights, biases = parameters[:depth], parameters[depth:]
    scale = 1.0 / (1.0 - rate)
    inputs = [x]
    for layer in range(depth - 1):
        hidden = torch.baddbmm(biases[layer].unsqueeze(1), inputs[-1], weights[layer].mT).relu_()
        if keeps is not None:
            hidden.mul_(keeps[layer]).mul_(scale)
        inputs.append(hidden)
    logits = torch.baddbmm(biases[-1].unsqueeze(1), inputs[-1], weights[-1].mT)
    hits = (logits.argmax(-1) == y).sum(1)

    gradient = logits.softmax(-1)
    gradient.scatter_add_(2, y.unsqueeze(-1), gradient.new_full((*y.shape, 1), -1.0))
    gradient /= x.shape[1]
    weight_gradients, bias_gradients = [], []
    for layer in reversed(range(depth)):
        weight_gradients.append(torch.bmm(gradient.mT, inputs[layer]))
        bias_gradients.append(gradient.sum(1))
        if layer > 0:
            gradient = torch.bmm(gradient, weights[layer]).mul_(inputs[layer] > 0)
            if keeps is not None:
                # a dropped unit has activation 0, so the mask above has taken care of it
                gradient.mul_(scale)
    return weight_gradients[::-1] + bias_gradients[::-1], hits


def _adam(parameters: list[Tensor], learning_rate: float) -> torch.optim.Adam:
    return torch.optim.Adam(
        parameters,
        lr=learning_rate,
        eps=ADAM_EPSILON,
        fused=parameters[0].device.type in ("cpu", "cuda"),
    )


def initial_state(
    settings: TrainingSettings, *, seeds: Sequence[int], device: str | torch.device = "auto"
) -> TrainingState:
    """The state before the first epoch: Glorot-uniform weights from each network's seed."""
    seeds = as_seeds(seeds)
    check_kind("settings", settings, TrainingSettings, "TrainingSettings")
    networks = glorot_mlp(settings.layer_sizes, seeds=seeds, device=resolve_device(device))
    parameters = networks.weights + networks.biases
    optimizer = _adam(parameters, settings.learning_rate).state_dict()
    return TrainingState(seeds, parameters, optimizer)


@torch.no_grad()
def train_epoch(state: TrainingState, x: Tensor, y: Tensor, settings: TrainingSettings) -> None:
    """Advance all networks of `state`, in place, by one epoch over x ``(n, n_in)``, y ``(n,)``.

    Epochs from ``settings.epochs`` on are the pruning phase: a fresh Adam, the mask recomputed
    every ``pruning_interval`` steps from the current weights, weights masked after every step.
    """
    n, depth = len(y), len(settings.layer_sizes) - 1
    steps_per_epoch = math.ceil(n / settings.batch_size)
    pruning_epoch = state.epoch - settings.epochs
    if pruning_epoch == 0:
        state.before = [p.clone() for p in state.parameters]
        state.running_accuracy_before = state.running_accuracy
        state.optimizer = _adam(state.parameters, settings.learning_rate).state_dict()
    optimizer = _adam(state.parameters, settings.learning_rate)
    optimizer.load_state_dict(state.optimizer)

    generators = [
        torch.Generator(x.device).manual_seed(derived_seed(seed, 1 + state.epoch))
        for seed in state.seeds
    ]
    if settings.shuffle:
        order = torch.stack([torch.randperm(n, generator=g, device=x.device) for g in generators])
    else:
        order = torch.arange(n, device=x.device).expand(len(state.seeds), n)
    weights = state.parameters[:depth]
    # a resumed pruning epoch starts from masked weights: their zero pattern is the mask
    masks = [(w != 0).to(w.dtype) for w in weights] if pruning_epoch > 0 else None
    hits = torch.zeros(len(state.seeds), device=x.device)

    for step in range(steps_per_epoch):
        batch = order[:, step * settings.batch_size : (step + 1) * settings.batch_size]
        if pruning_epoch >= 0:
            pruning_step = pruning_epoch * steps_per_epoch + step
            if pruning_step % settings.pruning_interval == 0:
                sparsity = polynomial_sparsity(
                    pruning_step,
                    n_steps=steps_per_epoch * settings.pruning_epochs,
                    initial_sparsity=settings.initial_sparsity,
                    final_sparsity=settings.final_sparsity,
                )
                masks = [magnitude_mask(w, sparsity).to(w.dtype) for w in weights]
                _apply(masks, weights)
        keeps = _dropout_masks(generators, batch.shape[1], settings)
        gradients, batch_hits = _gradients(
            state.parameters, x[batch], y[batch], keeps, settings.dropout_rate
        )
        hits += batch_hits
        for parameter, gradient in zip(state.parameters, gradients, strict=True):
            parameter.grad = gradient
        optimizer.step()
        if masks is not None:
            _apply(masks, weights)

    for parameter in state.parameters:
        parameter.grad = None
    state.optimizer = optimizer.state_dict()
    state.running_accuracy = hits / n
    state.epoch += 1


def _apply(masks: list[Tensor], weights: list[Tensor]) -> None:
    for mask, weight in zip(masks, weights, strict=True):
        weight.mul_(mask)


def _dropout_masks(
    generators: list[torch.Generator], n: int, settings: TrainingSettings
) -> list[Tensor] | None:
    """Keep-masks ``(R, n, width)`` of the hidden layers, or None without dropout."""
    if settings.dropout_rate == 0.0:
        return None
    hidden_sizes = settings.layer_sizes[1:-1]
    flat = torch.stack(
        [_dropout_keep(g, (n * sum(hidden_sizes),), settings.dropout_rate) for g in generators]
    )
    parts = flat.split([n * width for width in hidden_sizes], dim=1)
    return [
        part.view(len(generators), n, width)
        for part, width in zip(parts, hidden_sizes, strict=True)
    ]


def train(
    x: Tensor | np.ndarray,
    y: Tensor | np.ndarray,
    settings: TrainingSettings,
    *,
    seeds: Sequence[int],
    device: str | torch.device = "auto",
    state: TrainingState | None = None,
    on_epoch: Callable[[TrainingState], None] | None = None,
) -> TrainedNetworks:
    """Train R = len(seeds) networks of one shape as one batch, then prune them.

    Cross-entropy, Adam as Keras has it, dropout after each hidden layer; in the pruning phase a
    fresh Adam, and masks that follow `polynomial_sparsity`. Everything random in network r comes
    from ``seeds[r]``.

    Parameters
    ----------
    x : array or tensor ``(n, n_in)``
        Images, one a row; computed with in single precision.
    y : array or tensor of int ``(n,)``
        Class of each image, from 0.
    settings : TrainingSettings
        Shape, epochs of both phases, and so on; the defaults are paper A's.
    seeds : sequence of int
        One for each network.
    device : str or torch.device
        "auto" is a GPU where there is one.
    state : TrainingState, optional
        Where an earlier run stood at the end of an epoch, to go on from; it is changed in place.
    on_epoch : callable, optional
        Called with the state after each epoch, to save it or to show progress.

    Returns
    -------
    TrainedNetworks
        The R networks before and after pruning; without a pruning phase both are the same.

    Raises
    ------
    ValueError
        Where the shapes, labels, seeds or the state do not fit the settings, and for weights that
        become NaN or infinite before they are pruned.

    References
    ----------
    .. [1] Filan et al. 2020, arXiv:2003.04881 (paper A), section 3 and appendix A.2.

    Examples
    --------
    Two images of two pixels, told apart with the two of four weights that pruning leaves.

    >>> settings = TrainingSettings((2, 2), epochs=50, pruning_epochs=1, learning_rate=0.1,
    ...                             final_sparsity=0.5)
    >>> networks = train(np.eye(2), np.array([0, 1]), settings, seeds=[0], device="cpu").after
    >>> networks.accuracy(torch.eye(2), torch.tensor([0, 1])), int((networks.weights[0] != 0).sum())
    (tensor([1.]), 2)
    """
    device, seeds = resolve_device(device), as_seeds(seeds)
    check_kind("settings", settings, TrainingSettings, "TrainingSettings")
    if state is not None:
        check_kind("state", state, TrainingState, "a TrainingState, or None to start anew")
    check_callable("on_epoch", on_epoch)
    sizes = settings.layer_sizes
    x, y = as_training_data(x, y, sizes[0], sizes[-1], device)
    if state is None:
        state = initial_state(settings, seeds=seeds, device=device)
    elif state.seeds != seeds:
        raise ValueError(f"seeds={list(seeds)} are not those of the state, {list(state.seeds)}")
    else:
        _check_state(state, sizes)
    while state.epoch < settings.epochs + settings.pruning_epochs:
        train_epoch(state, x, y, settings)
        if on_epoch is not None:
            on_epoch(state)
    return _trained(state, settings)


def _check_state(state: TrainingState, sizes: Sequence[int]) -> None:
    """Raise ValueError for parameters of other shapes than those of the layers."""
    n, pairs = len(state.seeds), list(pairwise(sizes))
    allowed = [(n, n_out, n_in) for n_in, n_out in pairs] + [(n, n_out) for _, n_out in pairs]
    for parameters in (state.parameters, state.before):
        found = allowed if parameters is None else [tuple(part.shape) for part in parameters]
        if found != allowed:
            raise ValueError(f"state has parameters of shapes {found}; allowed: {allowed}")


def _trained(state: TrainingState, settings: TrainingSettings) -> TrainedNetworks:
    depth = len(settings.layer_sizes) - 1
    nothing_run = torch.full((len(state.seeds),), float("nan"))
    before = state.before if state.before is not None else state.parameters
    after_accuracy = state.running_accuracy if state.running_accuracy is not None else nothing_run
    before_accuracy = state.running_accuracy_before
    if before_accuracy is None:
        before_accuracy = nothing_run if state.before is not None else after_accuracy
    # copies: the state may be trained further
    before, after = ([part.clone() for part in each] for each in (before, state.parameters))
    return TrainedNetworks(
        seeds=state.seeds,
        before=MLP(before[:depth], before[depth:]),
        after=MLP(after[:depth], after[depth:]),
        running_accuracy_before=before_accuracy,
        running_accuracy_after=after_accuracy,
        settings=settings,
    )
