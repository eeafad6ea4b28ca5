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
from torch import Generator, Tensor
from torch.nn.functional import cross_entropy, hardshrink, one_hot
from torch.optim.adam import adam

from modclust_utils.doors import (
    as_list,
    as_seeds,
    as_sizes,
    as_training_data,
    check_callable,
    check_kind,
)
from modclust_utils.models import MLP, derived_seed, resolve_device
from modclust_utils.settings import RegularizedSettings

Settings = Sequence[RegularizedSettings]

_DEFAULTS = {"beta1": 0.9, "beta2": 0.999, "eps": 1e-8, "weight_decay": 0.0}
_ADAM = {**_DEFAULTS, "amsgrad": False, "maximize": False, "fused": True}
# A CPU is slow below 1e-38: with weights that a penalty alone moves (of pixels black in all images)
# epochs of MNIST would take three to six times as long. An instability of Adam would let some of
# them grow again, to about 3e-4 where l2 is 1e-3 or more; from 0 they do not.
_TINY = 1e-30
# What a state holds: of the active networks, a row each; and of each network's `Progress`.
_ROWS = ("parameters", "first", "second", "steps")
_COUNTS = ("epochs", "best_epoch", "lowest", "rate_steps", "rate_waited")


@dataclass(frozen=True)
class RegularizedNetworks:
    """R networks as they were at their lowest validation loss.

    epochs, best_epoch: ``(R,)``, epochs trained and the one that is kept, from 1;
    validation_loss: ``(R,)``, mean cross-entropy there, without the penalties. Where there was no
    epoch or no finite loss, the network is as it was initialized, best_epoch 0, the loss infinite.
    """

    networks: MLP
    epochs: Tensor
    best_epoch: Tensor
    validation_loss: Tensor


@dataclass(frozen=True)
class RegularizedState:
    """All that the rest of a training depends on, at the end of an epoch.

    layer_sizes: of the networks; active: places of those that still train; rows: their parameters
    and the moments and steps of Adam, a row each; best: the best parameters of all networks;
    progress: of all, the values of `Progress` beside its settings; streams: states of the random
    streams of the active.
    """

    seeds: tuple[int, ...]
    layer_sizes: tuple[int, ...]
    active: list[int]
    rows: dict[str, Tensor]
    best: Tensor
    progress: list[tuple[int, int, float, int, int]]
    streams: list[Tensor]

    @property
    def n_steps(self) -> int:
        """Networks that have stopped, the steps of a progress bar."""
        return len(self.seeds) - len(self.active)


@dataclass
class Progress:
    """The validation losses of one network up to now, and what follows from them.

    After an epoch whose loss is not below all before, the network has waited one epoch longer:
    beyond `rate_patience` its learning rate is multiplied by `rate_factor` and the count for it
    starts again; at `patience` training ends.
    """

    settings: RegularizedSettings
    epochs: int = 0
    best_epoch: int = 0
    lowest: float = math.inf
    rate_steps: int = 0
    rate_waited: int = 0

    def add(self, loss: float) -> bool:
        """Count one epoch more; whether its loss is below all before."""
        self.epochs += 1
        self.rate_waited += 1
        if loss < self.lowest:
            self.lowest, self.best_epoch, self.rate_waited = loss, self.epochs, 0
        elif self.rate_waited > self.settings.rate_patience:
            self.rate_steps += 1
            self.rate_waited = 0
        return self.best_epoch == self.epochs

    @property
    def learning_rate(self) -> float:
        """That of the next epoch."""
        return self.settings.learning_rate * self.settings.rate_factor**self.rate_steps

    @property
    def goes_on(self) -> bool:
        """Whether there is a next epoch."""
        waited = self.epochs - self.best_epoch
        return waited < self.settings.patience and self.epochs < self.settings.max_epochs


def uniform_mlp(
    layer_sizes: Sequence[int], *, seeds: Sequence[int], device: str | torch.device = "cpu"
) -> MLP:
    """R freshly initialized networks: PyTorch's default for linear layers.

    Parameters
    ----------
    layer_sizes : sequence of int
        Units per layer, from the pixels to the logits.
    seeds : sequence of int
        One for each network. Network r depends on ``seeds[r]`` alone.
    device : str or torch.device
        Where the weights are drawn and stay.

    Returns
    -------
    MLP
        Weights ``(R, n_out, n_in)`` and biases ``(R, n_out)``, uniform within ± 1 / sqrt(n_in).

    Examples
    --------
    >>> networks = uniform_mlp([4, 3, 2], seeds=[7, 8])
    >>> [tuple(b.shape) for b in networks.biases], bool(networks.weights[0].abs().max() <= 0.5)
    ([(2, 3), (2, 2)], True)
    """
    layer_sizes, seeds, device = as_sizes(layer_sizes), as_seeds(seeds), resolve_device(device)
    generators = _generators(seeds, 0, device)
    weights, biases = [], []
    for n_in, n_out in pairwise(layer_sizes):
        for stack, shape in ((weights, (n_out, n_in)), (biases, (n_out,))):
            draws = [torch.rand(shape, generator=g, device=device) for g in generators]
            stack.append(torch.stack(draws).sub_(0.5).mul_(2 / math.sqrt(n_in)))
    return MLP(weights, biases)


def _generators(seeds: Sequence[int], purpose: int, device: str | torch.device) -> list[Generator]:
    return [Generator(device).manual_seed(derived_seed(seed, purpose)) for seed in seeds]


@torch.no_grad()
def train_regularized(
    x: Tensor | np.ndarray,
    y: Tensor | np.ndarray,
    settings: Settings,
    *,
    seeds: Sequence[int],
    device: str | torch.device = "auto",
    state: RegularizedState | None = None,
    on_epoch: Callable[[RegularizedState], None] | None = None,
) -> RegularizedNetworks:
    """Train R networks of one shape with penalties and early stopping (paper C, section 4.1).

    Parameters
    ----------
    x : tensor or ndarray ``(n, n_in)``
        Images.
    y : tensor or ndarray of int ``(n,)``
        Their classes, from 0.
    settings : sequence of RegularizedSettings
        One for each network; layer_sizes, batch_size and validation_share are the same in all.
    seeds : sequence of int
        One for each network, for its initialization, split, order of images and dropout.
    device : str or torch.device
        Where to compute; "auto" is a GPU where there is one.
    state : RegularizedState, optional
        Where an earlier call with the same arguments was; it goes on there, to the same networks.
    on_epoch : callable, optional
        Called after each epoch with the state, which the next epoch changes.

    Returns
    -------
    RegularizedNetworks
        Each network as it was at its lowest validation loss, in the order of the seeds.

    Notes
    -----
    The loss is the mean cross-entropy of a batch + l1 * sum of |w| + l2 * sum of w², over weights
    and not biases; Adam is torch's, but after an epoch what is below 1e-30 becomes 0. `Progress`
    says when the learning rate of a network steps down and when it stops; with `max_epochs` 0 it is
    as it was initialized.

    Raises
    ------
    ValueError
        For images, labels or seeds that do not fit the settings, or a state of other seeds or of
        networks of another size.

    References
    ----------
    .. [1] Lange et al. 2022 (paper C), section 4.1 and Table 1.

    Examples
    --------
    Two pixels that each stand for a class, and a penalty so heavy that the weights vanish.

    >>> x, y = torch.eye(2).repeat(50, 1), torch.arange(2).repeat(50)
    >>> options = {"layer_sizes": (2, 2), "learning_rate": 0.1, "batch_size": 10, "max_epochs": 5}
    >>> free, heavy = RegularizedSettings(**options), RegularizedSettings(**options, l1=10.0)
    >>> found = train_regularized(x, y, [free, heavy], seeds=[1, 1], device="cpu")
    >>> found.networks.accuracy(x, y)[0].item(), (found.networks.weights[0].abs() < 0.2).all((1, 2))
    (1.0, tensor([False,  True]))
    """
    device = resolve_device(device)
    seeds = as_seeds(seeds)
    settings = _checked_settings(settings, len(seeds))
    first = settings[0]
    x, y = as_training_data(x, y, first.layer_sizes[0], first.layer_sizes[-1], device)
    if not 0 < first.n_validation(len(x)) < len(x):
        raise ValueError(
            f"validation_share={first.validation_share} of {len(x)} images; allowed: some but not "
            "all"
        )
    check_callable("on_epoch", on_epoch)
    if state is not None:
        check_kind("state", state, RegularizedState, "a RegularizedState, or None to start anew")
    batch = _Batch(x, y, settings, seeds)
    if state is not None:
        batch.go_on_from(state)
    while batch.active:
        batch.train_epoch()
        batch.look_at_validation()
        if on_epoch is not None:
            on_epoch(batch.state())
    return batch.result()


def _checked_settings(settings: Settings, n_seeds: int) -> list[RegularizedSettings]:
    found = as_list("settings", settings, "a list of RegularizedSettings, one for each network")
    for each in found:
        check_kind("settings", each, RegularizedSettings, "a list of RegularizedSettings")
    if len(found) == 0 or len(found) != n_seeds:
        raise ValueError(
            f"settings has length {len(found)}, seeds {n_seeds}; allowed: the same, 1 or more"
        )
    for name in ("layer_sizes", "batch_size", "validation_share"):
        values = {getattr(each, name) for each in found}
        if len(values) > 1:
            raise ValueError(f"{name}={sorted(values)} in one batch; allowed: the same in all")
    return found


class _Batch:
    """The networks that still train, a row of parameters each, and the best state of all."""

    def __init__(self, x: Tensor, y: Tensor, settings: Settings, seeds: Sequence[int]) -> None:
        sizes = self.layer_sizes = tuple(settings[0].layer_sizes)
        self.batch_size = settings[0].batch_size
        self.x, self.y, self.targets = x, y, one_hot(y, sizes[-1]).float()
        self.shapes = [(b, a) for a, b in pairwise(sizes)] + [(b,) for b in sizes[1:]]
        self.widths, self.n_weights = sizes[1:-1], sum(a * b for a, b in pairwise(sizes))
        fresh = uniform_mlp(sizes, seeds=seeds, device=x.device)
        self.parameters = torch.cat([p.flatten(1) for p in fresh.weights + fresh.biases], 1)
        self.best = self.parameters.clone()
        self.first, self.second = self.parameters.new_zeros(2, *self.parameters.shape)
        self.steps = self.parameters.new_zeros(len(seeds))
        self.streams = _generators(seeds, 1, x.device)
        split, n_validation = self._permutations(len(x)), settings[0].n_validation(len(x))
        self.validation, self.training = split[:, :n_validation], split[:, n_validation:]
        self.seeds, self.progress = tuple(seeds), [Progress(each) for each in settings]
        self.active = list(range(len(seeds)))
        self._go_on()

    def state(self) -> RegularizedState:
        """Where the training is; its tensors are those that the next epoch changes."""
        rows = {name: getattr(self, name) for name in _ROWS}
        progress = [tuple(getattr(p, name) for name in _COUNTS) for p in self.progress]
        streams = [stream.get_state() for stream in self.streams]
        own = self.seeds, self.layer_sizes, self.active
        return RegularizedState(*own, rows, self.best, progress, streams)

    def go_on_from(self, state: RegularizedState) -> None:
        """Be where another training of the same networks was."""
        if tuple(state.seeds) != self.seeds:
            raise ValueError(f"state is of seeds {state.seeds}; allowed: {self.seeds}")
        if tuple(state.layer_sizes) != self.layer_sizes:
            raise ValueError(
                f"state is of layer_sizes={tuple(state.layer_sizes)}; allowed: {self.layer_sizes}, "
                "those of the settings"
            )
        for progress, values in zip(self.progress, state.progress, strict=True):
            for name, value in zip(_COUNTS, values, strict=True):
                setattr(progress, name, value)
        self.best = state.best
        # what no epoch changes is that of the first one: the split of each network's images
        places = [self.active.index(r) for r in state.active]
        self.training, self.validation = self.training[places], self.validation[places]
        self.streams = [self.streams[i] for i in places]
        for stream, own in zip(self.streams, state.streams, strict=True):
            stream.set_state(own.cpu())
        self.active = list(state.active)
        for name, rows in state.rows.items():
            setattr(self, name, rows)
        self._go_on()

    def _permutations(self, n: int) -> Tensor:
        return torch.stack([torch.randperm(n, generator=g, device=g.device) for g in self.streams])

    def _go_on(self) -> None:
        """Keep the networks that go on, and arrange what the steps of their next epoch share."""
        here = [i for i, r in enumerate(self.active) if self.progress[r].goes_on]
        if len(here) < len(self.active):
            self.active, self.streams = ([s[i] for i in here] for s in (self.active, self.streams))
            for name in ("parameters", "first", "second", "steps", "training", "validation"):
                setattr(self, name, getattr(self, name)[here])
        self.settings = [self.progress[r].settings for r in self.active]
        self.l2 = self.x.new_tensor([each.l2 for each in self.settings]).unsqueeze(1)
        self.images = self.x.new_empty(len(self.active) * self.batch_size, self.x.shape[1])
        self.gradients = torch.empty_like(self.parameters)
        self.weights, self.biases = self._views(self.parameters)
        self.weight_gradients, self.bias_gradients = self._views(self.gradients)
        rates = [self.progress[r].learning_rate for r in self.active]
        columns = (self.parameters, self.gradients, self.first, self.second, self.steps)
        self.by_rate = {
            rate: [[row for row, own in zip(c, rates, strict=True) if own == rate] for c in columns]
            for rate in set(rates)
        }

    def _views(self, rows: Tensor) -> tuple[list[Tensor], list[Tensor]]:
        """The weights and the biases of all networks, from their rows."""
        parts = rows.split([math.prod(shape) for shape in self.shapes], dim=1)
        views = [part.unflatten(1, shape) for part, shape in zip(parts, self.shapes, strict=True)]
        return views[: len(views) // 2], views[len(views) // 2 :]

    def train_epoch(self) -> None:
        """One epoch of all active networks, each over its own training images in its own order."""
        order = self.training.gather(1, self._permutations(self.training.shape[1]))
        for chosen in order.split(self.batch_size, dim=1):
            self._set_gradients(chosen)
            for rate, (*rows, steps) in self.by_rate.items():
                adam(*rows, [], steps, lr=rate, **_ADAM)
        for each in (self.parameters, self.first, self.second):
            each.copy_(hardshrink(each, _TINY))

    def _set_gradients(self, chosen: Tensor) -> None:
        """Gradients of the loss of images `chosen` ``(R, B)``, penalties included."""
        keeps = self._keeps(chosen.shape[1])
        *inputs, logits = self._layers(chosen, keeps)
        # softmax over few classes is ten times as fast along columns
        gradient = (logits.mT.softmax(1).mT - self.targets[chosen]).div_(chosen.shape[1])
        for layer in reversed(range(len(inputs))):
            torch.bmm(gradient.mT, inputs[layer], out=self.weight_gradients[layer])
            torch.sum(gradient, 1, out=self.bias_gradients[layer])
            if layer > 0:
                gradient = torch.bmm(gradient, self.weights[layer]).mul_(inputs[layer].sign())
                for r, keep in keeps:
                    gradient[r].mul_(keep[layer - 1])
        n = self.n_weights
        weights, gradients = self.parameters[:, :n], self.gradients[:, :n]
        gradients.addcmul_(weights, self.l2, value=2)
        for r, each in enumerate(self.settings):
            if each.l1 > 0:
                gradients[r].add_(weights[r].sign(), alpha=each.l1)

    def _layers(self, chosen: Tensor, keeps: list[tuple[int, Sequence[Tensor]]]) -> list[Tensor]:
        """Images, activations of the hidden layers and logits, each ``(R, B, units)``."""
        images = torch.index_select(self.x, 0, chosen.flatten(), out=self.images[: chosen.numel()])
        layers = [images.view(*chosen.shape, -1)]
        for layer, bias in enumerate(self.biases):
            layers.append(torch.baddbmm(bias.unsqueeze(1), layers[-1], self.weights[layer].mT))
            if layer < len(self.widths):
                layers[-1].relu_()
                for r, keep in keeps:
                    layers[-1][r].mul_(keep[layer])
        return layers

    def _keeps(self, n: int) -> list[tuple[int, Sequence[Tensor]]]:
        """Networks that drop, and what multiplies hidden units of n images: 0 or 1 / (1 - rate)."""
        keeps, size = [], n * sum(self.widths)
        for r, each in enumerate(self.settings):
            if each.dropout_rate > 0:
                # one 64-bit draw serves four units: a rate is met to 1 part in 65,536
                draws = self.y.new_empty((size + 3) // 4)
                draws.random_(-(2**63), None, generator=self.streams[r])
                keep = draws.view(torch.int16)[:size].float()
                keep.ge_(round(each.dropout_rate * 65536) - 32768).div_(1 - each.dropout_rate)
                keeps.append((r, keep.view(n, sum(self.widths)).split(self.widths, dim=1)))
        return keeps

    def look_at_validation(self) -> None:
        """Keep the best states, step learning rates down, and let networks go that have waited."""
        losses = self.x.new_zeros(len(self.active))
        for chosen in self.validation.split(self.batch_size, dim=1):
            logits = self._layers(chosen, [])[-1]
            each = cross_entropy(logits.mT, self.y[chosen], reduction="none")
            losses += each.sum(1) / self.validation.shape[1]
        for r, row, loss in zip(self.active, self.parameters, losses.tolist(), strict=True):
            if self.progress[r].add(loss):
                self.best[r] = row
        self._go_on()

    def result(self) -> RegularizedNetworks:
        """All networks at their best."""
        best = MLP(*([p.contiguous() for p in each] for each in self._views(self.best)))
        found = zip(*((p.epochs, p.best_epoch, p.lowest) for p in self.progress), strict=True)
        return RegularizedNetworks(best, *map(torch.tensor, found))
