"""Multi-layer perceptrons as plain lists of weights, one network or many of one shape at once.

Weights are in torch layout: matrix ``l`` is ``(n_out, n_in)``. A batch of R networks adds a
leading axis: ``(R, n_out, n_in)``. Every function here takes both forms.
"""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass
from functools import reduce
from itertools import pairwise

import numpy as np
import torch
from torch import Tensor, nn

from modclust_utils.doors import (
    as_classes,
    as_count,
    as_images,
    as_seeds,
    as_sizes,
    check_finite,
    check_same_order,
)
from modclust_utils.network_doors import as_tensors, weight_of


def resolve_device(device: str | torch.device = "auto") -> torch.device:
    """The device to compute on; ``"auto"`` is CUDA where there is one, else the CPU.

    Raises ValueError for a device that torch does not know or cannot use here.
    """
    if isinstance(device, str) and device == "auto":
        return torch.device("cuda" if torch.cuda.is_available() else "cpu")
    allowed = "allowed: 'auto', 'cpu', or 'cuda' on a machine with a GPU"
    if not isinstance(device, str | torch.device):
        raise ValueError(f"device={device!r} is not allowed; {allowed}")
    try:
        resolved = torch.device(device)
        torch.empty(0, device=resolved)
    except (RuntimeError, AssertionError) as error:
        reason = str(error).splitlines()[0]
        raise ValueError(
            f"device={str(device)!r} cannot be used here ({reason}); {allowed}"
        ) from error
    return resolved


def derived_seed(*key: int) -> int:
    """A 63-bit seed that depends on every integer of `key` and on nothing else."""
    return int(np.random.SeedSequence(key).generate_state(1, np.uint64)[0] >> np.uint64(1))


@dataclass(frozen=True)
class MLP:
    """Weights and biases of one network, or of R networks of one shape.

    weights[l] is ``(n_out, n_in)`` or ``(R, n_out, n_in)``; biases[l] is ``(n_out,)`` or
    ``(R, n_out)``. ReLU after every layer but the last (paper A, section 3). All are kept in the
    widest precision among them, whole numbers as floats.

    Raises ValueError for layers that do not follow each other, and for tensors on two devices.
    """

    weights: list[Tensor]
    biases: list[Tensor]

    def __post_init__(self) -> None:
        weights, biases = (as_tensors(name, getattr(self, name)) for name in ("weights", "biases"))
        dtypes = [part.dtype for part in weights + biases if part.is_floating_point()]
        # images take the precision of the weights: in whole numbers they would be cut off
        dtype = reduce(torch.promote_types, dtypes) if dtypes else torch.get_default_dtype()
        for name, parts in (("weights", weights), ("biases", biases)):
            object.__setattr__(self, name, [part.to(dtype) for part in parts])
        _check_layers(self.weights)
        shapes = [(*w.shape[:-1],) for w in self.weights]
        if len(shapes) == 0 or shapes != [tuple(b.shape) for b in self.biases]:
            raise ValueError(
                f"biases has shapes {[tuple(b.shape) for b in self.biases]}; allowed: {shapes}, "
                "one for each matrix of weights"
            )
        devices = sorted({str(part.device) for part in self.weights + self.biases})
        if len(devices) > 1:
            raise ValueError(f"weights and biases are on {devices}; allowed: one device")

    @property
    def layer_sizes(self) -> tuple[int, ...]:
        """Units per layer, from pixels to logits."""
        return (self.weights[0].shape[-1], *(w.shape[-2] for w in self.weights))

    def network(self, r: int) -> MLP:
        """Network r of a batch."""
        return MLP([w[r] for w in self.weights], [b[r] for b in self.biases])

    def to(self, device: torch.device | str) -> MLP:
        """The same networks on another device."""
        return MLP([w.to(device) for w in self.weights], [b.to(device) for b in self.biases])

    def logits(self, x: Tensor) -> Tensor:
        """Logits ``(..., n, n_classes)`` of inputs ``(n, n_in)``, without dropout."""
        hidden = as_images(x, self.weights[0])
        for depth, (weight, bias) in enumerate(zip(self.weights, self.biases, strict=True)):
            hidden = hidden @ weight.mT + bias.unsqueeze(-2)
            if depth < len(self.weights) - 1:
                hidden = hidden.relu()
        return hidden

    def accuracy(self, x: Tensor, y: Tensor, *, chunk_size: int = 5000) -> Tensor:
        """Share of inputs whose largest logit is the label: ``()`` or ``(R,)``.

        Raises ValueError where x and y do not fit, and where a largest logit is NaN or infinite.
        """
        check_same_order(x=x, y=y)
        x, y = as_images(x, self.weights[0]), as_classes(y, self.weights[0].device)
        chunk_size = as_count("chunk_size", chunk_size)
        if len(y) == 0 or len(x) != len(y):
            raise ValueError(
                f"y has shape {tuple(y.shape)}; allowed: ({len(x)},) with n of 1 or more"
            )
        hits = sum(
            (self._answers(x[i : i + chunk_size]) == y[i : i + chunk_size]).sum(-1)
            for i in range(0, len(y), chunk_size)
        )
        return hits / len(y)

    def _answers(self, x: Tensor) -> Tensor:
        logits = self.logits(x)
        # NaN is never the larger: the first class would be right
        check_finite("what network puts out", logits.amax(-1))
        return logits.argmax(-1)


def _check_layers(weights: Sequence[Tensor]) -> None:
    """Raise ValueError unless each matrix reads what the one before it writes."""
    for index, weight in enumerate(weights):
        before = weights[index - 1] if index else None
        reads = "n_in" if before is None else str(before.shape[-2])
        lead = weights[0].shape[:-2]
        if (
            weight.ndim < 2
            or weight.shape[:-2] != lead
            or (before is not None and weight.shape[-1] != before.shape[-2])
        ):
            allowed = ", ".join([*map(str, lead), "n_out", reads])
            raise ValueError(f"weights[{index}] has shape {(*weight.shape,)}; allowed: ({allowed})")


def as_mlp(network: MLP | nn.Sequential) -> MLP:
    """One network as an MLP: itself, or a Sequential of Linear and ReLU, Dropout and Flatten aside.

    Raises ValueError for anything else, for a batch of networks, and for NaN or infinity.
    """
    if isinstance(network, nn.Sequential):
        parts = leaves(network)
        kinds = (nn.Linear, nn.ReLU)
        if len(parts) % 2 == 1 and all(isinstance(p, kinds[i % 2]) for i, p in enumerate(parts)):
            linears = parts[::2]
            network = MLP(
                [weight_of(m) for m in linears],
                [m.weight.new_zeros(len(m.weight)) if m.bias is None else m.bias for m in linears],
            )
    if not isinstance(network, MLP):
        raise ValueError(
            f"network is of type {type(network).__name__}; allowed: MLP, or a Sequential of "
            "Linear, ReLU, Linear, ..., with Dropout anywhere"
        )
    if any(w.ndim != 2 for w in network.weights):
        raise ValueError(
            f"network has weights of shape {tuple(network.weights[0].shape)}; allowed: one "
            "network, not a batch (see MLP.network)"
        )
    for name, parts in (("weights", network.weights), ("biases", network.biases)):
        for index, part in enumerate(parts):
            check_finite(f"{name}[{index}] of network", part)
    return network


def leaves(network: nn.Sequential) -> list[nn.Module]:
    """Modules of a Sequential, and of those in it, in their order; without Dropout and Flatten."""
    parts = (leaves(part) if isinstance(part, nn.Sequential) else [part] for part in network)
    return [p for part in parts for p in part if not isinstance(p, nn.Dropout | nn.Flatten)]


def glorot_mlp(
    layer_sizes: Sequence[int], *, seeds: Sequence[int], device: str | torch.device = "cpu"
) -> MLP:
    """R freshly initialized networks: Glorot-uniform weights, zero biases.

    Weights are uniform between -l and l with l = sqrt(6 / (n_in + n_out)): the Keras default, which
    paper A's use of Keras implies (appendix A.2 names no other).

    Parameters
    ----------
    layer_sizes : sequence of int
        Units per layer, from the pixels to the logits.
    seeds : sequence of int
        One for each network. Network r depends on ``seeds[r]`` alone, so it is the same in every
        batch on one kind of device.
    device : str or torch.device
        Where the weights are drawn and stay.

    Returns
    -------
    MLP
        A batch of R networks in single precision: weights ``(R, n_out, n_in)``, biases
        ``(R, n_out)``.

    References
    ----------
    .. [1] Glorot and Bengio 2010, "Understanding the difficulty of training deep feedforward neural
       networks", AISTATS, equation 16.

    Examples
    --------
    >>> networks = glorot_mlp([2, 4, 3], seeds=[7])
    >>> [tuple(weight.shape) for weight in networks.weights]
    [(1, 4, 2), (1, 3, 4)]
    >>> bool(networks.weights[0].abs().max() <= 1.0)  # sqrt(6 / (2 + 4))
    True
    """
    device, seeds, layer_sizes = resolve_device(device), as_seeds(seeds), as_sizes(layer_sizes)
    generators = [torch.Generator(device).manual_seed(derived_seed(seed, 0)) for seed in seeds]
    weights, biases = [], []
    for n_in, n_out in pairwise(layer_sizes):
        limit = (6.0 / (n_in + n_out)) ** 0.5
        stack = [
            torch.rand(n_out, n_in, generator=generator, device=device) for generator in generators
        ]
        weights.append(torch.stack(stack).mul_(2 * limit).sub_(limit))
        biases.append(torch.zeros(len(seeds), n_out, device=device))
    return MLP(weights, biases)
