"""Training with penalties and early stopping, many networks of one shape as one batch (paper C).

Each network has its own settings, initialization, split of the images, order and dropout, all drawn
from its own seed. Learning rates step down and networks stop one by one: a stopped network leaves
the batch. Network r of a batch is therefore the network that the same seed and settings give alone,
up to the rounding of the matrix products.
"""

from __future__ import annotations

import math
from collections.abc import Callable, Sequence
from dataclasses import dataclass
from itertools import pairwise

import numpy as np
import torch
from torch import Tensor
from torch.nn.functional import one_hot

from modclust_utils.models import MLP, derived_seed, resolve_device
from modclust_utils.settings import RegularizedSettings

_BETAS = (0.9, 0.999)
_EPSILON = 1e-8


@dataclass(frozen=True)
class RegularizedNetworks:
    """R networks as they were at their lowest validation loss.

    epochs, best_epoch: ``(R,)``, epochs trained and the one that is kept, from 1;
    validation_loss: ``(R,)``, mean cross-entropy there, without the penalties.
    """

    networks: MLP
    epochs: Tensor
    best_epoch: Tensor
    validation_loss: Tensor


def uniform_mlp(layer_sizes: Sequence[int], *, seeds: Sequence[int], device: str) -> MLP:
    """R freshly initialized networks: PyTorch's default for linear layers.

    Weights and biases are uniform within ± 1 / sqrt(n_in). Network r depends on ``seeds[r]`` alone.
    """
    generators = _generators(seeds, 0, device)
    weights, biases = [], []
    for n_in, n_out in pairwise(layer_sizes):
        limit = 1 / math.sqrt(n_in)
        for stack, shape in ((weights, (n_out, n_in)), (biases, (n_out,))):
            draws = [torch.rand(shape, generator=g, device=device) for g in generators]
            stack.append(torch.stack(draws).mul_(2 * limit).sub_(limit))
    return MLP(weights, biases)


def _generators(seeds: Sequence[int], purpose: int, device: str) -> list[torch.Generator]:
    return [torch.Generator(device).manual_seed(derived_seed(seed, purpose)) for seed in seeds]


@torch.no_grad()
def train_regularized(
    x: Tensor | np.ndarray,
    y: Tensor | np.ndarray,
    settings: Sequence[RegularizedSettings],
    *,
    seeds: Sequence[int],
    device: str | torch.device = "auto",
    on_epoch: Callable[[int], None] | None = None,
) -> RegularizedNetworks:
    """Train R networks of one shape with penalties and early stopping (paper C, section 4.1).

    Parameters
    ----------
    x : (n, n_in) images
    y : (n,) labels, integers from 0
    settings : R settings, one for each network; shape, batch size and split are the same in all
    seeds : R seeds
    on_epoch : called after each epoch with the number of networks that still train

    Notes
    -----
    The loss is the mean cross-entropy of a batch + l1 * sum of |w| + l2 * sum of w², over weights
    and not biases. After an epoch in which the validation loss was not below the lowest one so far,
    a network has waited one epoch longer: beyond `rate_patience` its learning rate is multiplied by
    `rate_factor` and the count for it starts again; at `patience` it stops. With `max_epochs` 0 the
    networks are as they were initialized.

    Raises
    ------
    ValueError
        for images, labels or seeds that do not fit the settings.
    """
    device = str(resolve_device(device))
    x = torch.as_tensor(np.array(x) if isinstance(x, np.ndarray) else x).float().to(device)
    y = torch.as_tensor(np.array(y) if isinstance(y, np.ndarray) else y).long().to(device)
    _check(x, y, settings, seeds)
    batch = _Batch(x, y, settings, seeds, device)
    while batch.first.max_epochs > 0 and len(batch.active) > 0:
        batch.train_epoch()
        batch.look_at_validation()
        if on_epoch is not None:
            on_epoch(len(batch.active))
    return batch.result()


def _check(
    x: Tensor, y: Tensor, settings: Sequence[RegularizedSettings], seeds: Sequence[int]
) -> None:
    if len(settings) == 0 or len(settings) != len(seeds):
        raise ValueError(
            f"settings has {len(settings)} entries and seeds {len(seeds)}; allowed: one of each "
            "for every network, and one network or more"
        )
    for name in ("layer_sizes", "batch_size", "validation_share", "max_epochs"):
        values = {getattr(each, name) for each in settings}
        if len(values) > 1:
            raise ValueError(f"{name}={sorted(values)} in one batch; allowed: the same in all")
    n_in, n_classes = settings[0].layer_sizes[0], settings[0].layer_sizes[-1]
    if x.ndim != 2 or x.shape[1] != n_in:
        raise ValueError(f"x has shape {tuple(x.shape)}; allowed: (n, {n_in})")
    if y.shape != (len(x),) or settings[0].n_validation(len(x)) == 0:
        raise ValueError(
            f"y has shape {tuple(y.shape)}; allowed: ({len(x)},), with enough images for a "
            "validation part"
        )
    if not torch.isfinite(x).all():
        raise ValueError("x holds NaN or infinity; allowed: finite numbers")
    if int(y.min()) < 0 or int(y.max()) >= n_classes:
        raise ValueError(
            f"y has labels from {int(y.min())} to {int(y.max())}; allowed: 0 to {n_classes - 1}"
        )


class _Batch:
    """The networks that still train, and the best state of all."""

    def __init__(
        self,
        x: Tensor,
        y: Tensor,
        settings: Sequence[RegularizedSettings],
        seeds: Sequence[int],
        device: str,
    ) -> None:
        self.x, self.y, self.first = x, y, settings[0]
        networks = uniform_mlp(self.first.layer_sizes, seeds=seeds, device=device)
        self.depth = len(networks.weights)
        self.parameters = networks.weights + networks.biases
        self.moments = [[torch.zeros_like(p) for p in self.parameters] for _ in _BETAS]
        self.best = [p.clone() for p in self.parameters]
        n = len(seeds)
        self.active = torch.arange(n)
        self.rate = torch.tensor([s.learning_rate for s in settings], device=device)
        self.l1 = torch.tensor([s.l1 for s in settings], device=device)
        self.l2 = torch.tensor([s.l2 for s in settings], device=device)
        self.drop = torch.tensor([s.dropout_rate for s in settings], device=device)
        self.settings = list(settings)
        self.streams = _generators(seeds, 1, device)
        split = torch.stack(
            [torch.randperm(len(x), generator=g, device=device) for g in self.streams]
        )
        n_validation = self.first.n_validation(len(x))
        self.validation, self.training = split[:, :n_validation], split[:, n_validation:]
        self.lowest = torch.full((n,), math.inf)
        self.best_epoch = torch.zeros(n, dtype=torch.int64)
        self.epochs = torch.zeros(n, dtype=torch.int64)
        self.waited, self.rate_waited = torch.zeros(2, n, dtype=torch.int64)
        self.steps = 0

    def train_epoch(self) -> None:
        """One epoch of all active networks, each over its own training images in its own order."""
        size, device = self.first.batch_size, self.x.device
        n = self.training.shape[1]
        order = torch.stack([torch.randperm(n, generator=g, device=device) for g in self.streams])
        order = self.training.gather(1, order)
        for start in range(0, n, size):
            self._step(order[:, start : start + size])

    def _step(self, chosen: Tensor) -> None:
        weights, biases = self.parameters[: self.depth], self.parameters[self.depth :]
        keeps = self._keeps(chosen.shape[1])
        inputs = [self.x[chosen]]
        for layer in range(self.depth - 1):
            hidden = torch.baddbmm(
                biases[layer].unsqueeze(1), inputs[-1], weights[layer].mT
            ).relu_()
            inputs.append(hidden if keeps is None else hidden.mul_(keeps[layer]))
        logits = torch.baddbmm(biases[-1].unsqueeze(1), inputs[-1], weights[-1].mT)
        gradient = (logits.softmax(-1) - one_hot(self.y[chosen], logits.shape[-1])) / logits.shape[
            1
        ]
        gradients = [torch.empty(0)] * (2 * self.depth)
        for layer in reversed(range(self.depth)):
            gradients[layer] = torch.bmm(gradient.mT, inputs[layer])
            gradients[self.depth + layer] = gradient.sum(1)
            if layer > 0:
                # a dropped unit has activation 0, so the mask has taken care of it
                gradient = torch.bmm(gradient, weights[layer]).mul_(inputs[layer] > 0)
                if keeps is not None:
                    gradient.mul_(keeps[layer - 1])
        for weight, own in zip(weights, gradients[: self.depth], strict=True):
            own.addcmul_(weight.sign(), self.l1[:, None, None])
            own.addcmul_(weight, 2 * self.l2[:, None, None])
        self._adam(gradients)

    def _keeps(self, n: int) -> list[Tensor] | None:
        """What dropout multiplies hidden units by: 0, or 1 / (1 - rate); None where none drops."""
        if not bool((self.drop > 0).any()):
            return None
        widths = self.first.layer_sizes[1:-1]
        keeps = torch.ones(len(self.active), n, sum(widths), device=self.x.device)
        for r in torch.nonzero(self.drop > 0).ravel().tolist():
            draws = torch.rand(n, sum(widths), generator=self.streams[r], device=self.x.device)
            keeps[r] = (draws >= self.drop[r]) / (1 - self.drop[r])
        return list(keeps.split(list(widths), dim=2))

    def _adam(self, gradients: list[Tensor]) -> None:
        self.steps += 1
        corrections = [1 - beta**self.steps for beta in _BETAS]
        for parameter, gradient, first, second in zip(
            self.parameters, gradients, *self.moments, strict=True
        ):
            first.lerp_(gradient, 1 - _BETAS[0])
            second.mul_(_BETAS[1]).addcmul_(gradient, gradient, value=1 - _BETAS[1])
            scale = (second / corrections[1]).sqrt_().add_(_EPSILON)
            rate = self.rate.view(-1, *[1] * (parameter.ndim - 1)) / corrections[0]
            parameter.sub_(rate * first / scale)

    def look_at_validation(self) -> None:
        """Keep the best states, step learning rates down, and let networks go that have waited."""
        losses = self._validation_losses().cpu()
        active = self.active
        self.epochs[active] += 1
        better = losses < self.lowest[active]
        improved = active[better]
        self.lowest[improved] = losses[better]
        self.best_epoch[improved] = self.epochs[improved]
        chosen = better.to(self.x.device)
        for best, parameter in zip(self.best, self.parameters, strict=True):
            best[improved.to(best.device)] = parameter[chosen]
        for waited in (self.waited, self.rate_waited):
            waited[active] += 1
            waited[improved] = 0
        for i, r in enumerate(active.tolist()):
            if self.rate_waited[r] > self.settings[r].rate_patience:
                self.rate[i] *= self.settings[r].rate_factor
                self.rate_waited[r] = 0
        goes_on = torch.tensor(
            [
                bool(self.waited[r] < self.settings[r].patience)
                and bool(self.epochs[r] < self.first.max_epochs)
                for r in active.tolist()
            ]
        )
        if not goes_on.all():
            self._keep_only(goes_on)

    def _validation_losses(self) -> Tensor:
        networks = MLP(self.parameters[: self.depth], self.parameters[self.depth :])
        losses = []
        for r, chosen in enumerate(self.validation):
            logits = networks.network(r).logits(self.x[chosen])
            losses.append(torch.nn.functional.cross_entropy(logits, self.y[chosen]))
        return torch.stack(losses)

    def _keep_only(self, goes_on: Tensor) -> None:
        here = goes_on.to(self.x.device)
        self.active = self.active[goes_on]
        self.parameters = [p[here] for p in self.parameters]
        self.moments = [[m[here] for m in each] for each in self.moments]
        for name in ("rate", "l1", "l2", "drop", "training", "validation"):
            setattr(self, name, getattr(self, name)[here])
        self.streams = [g for g, stays in zip(self.streams, goes_on.tolist(), strict=True) if stays]

    def result(self) -> RegularizedNetworks:
        """All networks at their best."""
        networks = MLP(self.best[: self.depth], self.best[self.depth :])
        return RegularizedNetworks(networks, self.epochs, self.best_epoch, self.lowest)
