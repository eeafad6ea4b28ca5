"""How alike the units of a hidden layer are: four measures of paper C (section 3.1).

Upstream, by what moves the units: covariance (equation 1) and input sensitivity (2). Downstream, by
what the units move: output sensitivity (3) and the Hessian of the loss (4). Each is a mean over
images, and the absolute value is taken of this mean (``absolute="of_mean"``: the paper's numbers
are made so) or of each image's term before (``"mean_of"``: as the paper prints it).
"""

from __future__ import annotations

import copy
from collections.abc import Callable, Sequence
from functools import partial, reduce
from itertools import accumulate, pairwise
from typing import ClassVar, Literal, TypedDict, Unpack, get_args

import torch
from numpy.typing import ArrayLike
from torch import Tensor, nn
from torch.func import grad, jacrev, vmap
from torch.nn.functional import cross_entropy, linear

from modclust_utils.doors import (
    as_choice,
    as_count,
    as_number,
    check_classes,
    check_finite,
    check_kind,
    checked_classes,
    checked_images,
)
from modclust_utils.models import MLP, as_mlp, leaves
from modclust_utils.network_doors import as_stack

Network = MLP | nn.Sequential
Absolute = Literal["of_mean", "mean_of"]
Method = Literal["auto", "closed", "autograd"]
Normalization = Literal["max", "sqrt"]
Stage = Callable[[Tensor], Tensor]

MEASURES = ("covariance", "input_sensitivity", "output_sensitivity", "loss_hessian")


class Options(TypedDict, total=False):
    """The keywords of `similarities`, which every single measure takes too."""

    absolute: Absolute
    method: Method
    chunk_size: int | None


def similarities(
    network: Network,
    x: Tensor,
    y: Tensor,
    layer: int,
    *,
    absolute: Absolute = "of_mean",
    method: Method = "auto",
    chunk_size: int | None = None,
) -> dict[str, Tensor]:
    """All four similarities of the n units of a hidden layer (paper C, equations 1 to 4).

    Parameters
    ----------
    network : MLP or torch.nn.Sequential
        One network, a batch of R as `MLP`, or a Sequential whose first and last module is Linear.
        It is evaluated, so there is no dropout.
    x : tensor ``(K, n_in)``
        Images, in the precision and on the device of the network.
    y : tensor of int ``(K,)``
        Their classes, for the Hessian of the loss.
    layer : int
        From 1, the first hidden layer; its units are the activations that the next Linear reads.
    absolute : {"of_mean", "mean_of"}
        The absolute value of the mean over images, or the mean of absolute values.
    method : {"auto", "closed", "autograd"}
        "closed" multiplies masked weight matrices, which takes a network of Linear and ReLU;
        "autograd" derives any Sequential; "auto" is "closed" where it can be.
    chunk_size : int, optional
        Images that go through at a time, so that memory does not grow with them; by default as many
        as is fast.

    Returns
    -------
    dict of tensor ``(n, n)``, or ``(R, n, n)`` for a batch
        One for each of `MEASURES`: symmetric, 0 or more, float64, on the device of the network.

    Raises
    ------
    ValueError
        For input that does not fit the network, or a network that does not fit.

    References
    ----------
    .. [1] Lange et al. 2022 (paper C), section 3.1.

    Examples
    --------
    Two units that see one pixel each. The first image moves them by -1 and -2 from their means.

    >>> network = MLP([torch.eye(2), torch.eye(2)], [torch.zeros(2), torch.zeros(2)])
    >>> x, y = torch.tensor([[2.0, 1.0], [4.0, 5.0]]), torch.tensor([0, 1])
    >>> found = similarities(network, x, y, layer=1)
    >>> found["covariance"].tolist(), found["input_sensitivity"].tolist()
    ([[1.0, 2.0], [2.0, 4.0]], [[1.0, 0.0], [0.0, 1.0]])
    """
    options = Options(absolute=absolute, method=method, chunk_size=chunk_size)
    return _similarities(MEASURES, network, x, y, layer, **options)


def covariance(network: Network, x: Tensor, layer: int, **options: Unpack[Options]) -> Tensor:
    """Covariance of activations over the K images, the sum divided by K (paper C, equation 1).

    Arguments, keywords and result as in `similarities`.

    >>> network = MLP([torch.eye(2), torch.eye(2)], [torch.zeros(2)] * 2)
    >>> covariance(network, torch.tensor([[2.0, 1.0], [4.0, 5.0]]), 1).tolist()
    [[1.0, 2.0], [2.0, 4.0]]
    """
    return _similarities(["covariance"], network, x, None, layer, **options)["covariance"]


def input_sensitivity(
    network: Network, x: Tensor, layer: int, **options: Unpack[Options]
) -> Tensor:
    """J Jᵀ with J ``(n, n_in)``, the derivatives of units by pixels (paper C, equation 2).

    In the first layer of a ReLU network both ways to take absolute values agree: a product has the
    same sign for all images. Arguments, keywords and result as in `similarities`.

    >>> first = torch.tensor([[1.0, 2.0], [3.0, -1.0]])
    >>> network = MLP([first, torch.eye(2)], [torch.zeros(2)] * 2)
    >>> input_sensitivity(network, torch.ones(1, 2), 1).round(decimals=5).tolist()  # 1 * 3 - 2 * 1
    [[5.0, 1.0], [1.0, 10.0]]
    """
    name = "input_sensitivity"
    return _similarities([name], network, x, None, layer, **options)[name]


def output_sensitivity(
    network: Network, x: Tensor, layer: int, **options: Unpack[Options]
) -> Tensor:
    """Jᵀ J with J ``(n_classes, n)``, the derivatives of logits by units (paper C, equation 3).

    The paper prints J Jᵀ, a matrix of classes, where it means one of units. In the last hidden
    layer J is the last weight matrix, for every image, and both ways to take absolute values agree.
    Arguments, keywords and result as in `similarities`.

    >>> last = torch.tensor([[1.0, -1.0], [2.0, 1.0]])
    >>> network = MLP([torch.eye(2), last], [torch.zeros(2)] * 2)
    >>> output_sensitivity(network, torch.ones(1, 2), 1).tolist()  # |1 * -1 + 2 * 1|
    [[5.0, 1.0], [1.0, 2.0]]
    """
    name = "output_sensitivity"
    return _similarities([name], network, x, None, layer, **options)[name]


def loss_hessian(
    network: Network, x: Tensor, y: Tensor, layer: int, **options: Unpack[Options]
) -> Tensor:
    """Second derivatives of the cross-entropy by units (paper C, equation 4).

    In a ReLU network they are Jᵀ (diag(p) - p pᵀ) J, with J as in `output_sensitivity` and p the
    softmax of the logits: the labels cancel. Arguments, keywords and result as in `similarities`.

    Two logits that are both 0: p is 1/2, and the Hessian a quarter of d dᵀ with d = (2, -4), the
    difference of the rows.

    >>> last = torch.tensor([[1.0, -2.0], [-1.0, 2.0]])
    >>> network = MLP([torch.eye(2), last], [torch.zeros(2)] * 2)
    >>> x, y = torch.tensor([[2.0, 1.0]]), torch.tensor([0])
    >>> loss_hessian(network, x, y, 1).round(decimals=5).tolist()
    [[1.0, 2.0], [2.0, 4.0]]
    """
    return _similarities(["loss_hessian"], network, x, y, layer, **options)["loss_hessian"]


def normalize(s: Tensor | ArrayLike, by: Normalization = "max", *, eps: float = 1e-12) -> Tensor:
    """Similarities of units in relation to those with themselves.

    Parameters
    ----------
    s : tensor or array_like ``(..., n, n)``
        Symmetric, 0 or more.
    by : {"max", "sqrt"}
        "max" divides by max(S_ii, S_jj, eps) (paper C, equation 5, which names no eps); "sqrt" by
        √(S_ii S_jj), as the paper's numbers are made, and gives 0 where this is 0.
    eps : float
        Above 0: keeps "max" from a division by 0.

    Returns
    -------
    tensor, shaped like s
        Its diagonal is 1, or 0 where that of s is 0.

    Raises
    ------
    ValueError
        For another `by`, an eps that is not positive, or s that is no similarity.

    References
    ----------
    .. [1] Lange et al. 2022 (paper C), equation 5.

    Examples
    --------
    >>> normalize([[1.0, 1.0], [1.0, 4.0]]).tolist()
    [[1.0, 0.25], [0.25, 1.0]]
    >>> normalize([[1.0, 1.0], [1.0, 4.0]], by="sqrt").tolist()
    [[1.0, 0.5], [0.5, 1.0]]
    """
    as_choice("by", by, get_args(Normalization))
    eps = as_number("eps", eps)
    if not eps > 0:
        raise ValueError(f"eps={eps!r} is not allowed: a number above 0")
    s = as_stack("s", s)
    s = s if s.is_floating_point() else s.double()
    if s.shape[-1] != s.shape[-2]:
        raise ValueError(f"s has shape {tuple(s.shape)}; allowed: (..., n, n)")
    if not (s.isfinite() & (s >= 0)).all():
        raise ValueError("s has entries that are negative, NaN or infinite; allowed: 0 and above")
    # float32 products such as JᵀJ are symmetric to single precision only
    if s.numel() and ((s - s.mT).abs() > 1e-6 * s.amax((-2, -1), keepdim=True)).any():
        raise ValueError("s is not symmetric; allowed: the same for i, j and j, i")
    own = s.diagonal(dim1=-2, dim2=-1)
    if by == "max":
        return s / torch.maximum(own.unsqueeze(-1), own.unsqueeze(-2)).clamp(min=eps)
    # root by root: the product of two small numbers could be 0
    scale = own.sqrt().unsqueeze(-1) * own.sqrt().unsqueeze(-2)
    return torch.where(scale > 0, s / scale, 0.0)


# --- sums over images ----------------------------------------------------------------------------


@torch.no_grad()
def _similarities(
    names: Sequence[str],
    network: Network,
    x: Tensor,
    y: Tensor | None,
    layer: int,
    *,
    absolute: Absolute = "of_mean",
    method: Method = "auto",
    chunk_size: int | None = None,
) -> dict[str, Tensor]:
    """The measures `names` of one network ``(n, n)``, or of a batch ``(R, n, n)``."""
    as_choice("absolute", absolute, get_args(Absolute))
    as_choice("method", method, get_args(Method))
    network, way = _network_and_way(network, method)
    weights = _weights(network)
    sizes = [*(w.shape[-1] for w in weights), weights[-1].shape[-2]]
    is_odd = weights[0].ndim not in (2, 3) or len(weights[0]) == 0
    if weights[0].dtype not in (torch.float32, torch.float64) or is_odd:
        raise ValueError(
            f"network has weights of shape {tuple(weights[0].shape)} in {weights[0].dtype}; "
            "allowed: (n_out, n_in), or (R, n_out, n_in) for a batch, in float32 or float64"
        )
    layer = _checked_layer(layer, len(weights) - 1)
    x = checked_images(x, weights[0], sizes[0])
    if "loss_hessian" in names:
        y = checked_classes(y, x)
        check_classes(y, sizes[-1])
    size = way.fast_chunk_size(sizes, layer, x.device) if chunk_size is None else chunk_size
    size = as_count("chunk_size", size)
    _check_parameters(network)
    is_batch = weights[0].ndim == 3
    networks = map(network.network, range(len(weights[0]))) if is_batch else [network]
    ways = [way(one, layer) for one in networks]
    _check_units(ways[0], x[:1], sizes)
    found = [_means(names, each, x, y, absolute, size) for each in ways]
    if not is_batch:
        return found[0]
    return {name: torch.stack([means[name] for means in found]) for name in names}


def _checked_layer(layer: int, n_hidden: int) -> int:
    if n_hidden == 0:
        raise ValueError("network has no hidden layer; allowed: one or more")
    if as_count("layer", layer) > n_hidden:
        raise ValueError(f"layer={layer!r} is not allowed: 1 to {n_hidden}, the hidden layers")
    return int(layer)


def _check_parameters(network: Network) -> None:
    """Raise ValueError where weights, biases or running statistics hold NaN or infinity."""
    named = (
        zip(("weights", "biases"), (network.weights, network.biases), strict=True)
        if isinstance(network, MLP)
        else [(name, [values]) for name, values in network.state_dict().items()]
    )
    for name, parts in named:
        for part in parts:
            check_finite(f"network in {name}", part)


def _check_units(way: _Derived, x: Tensor, sizes: Sequence[int]) -> None:
    """Raise ValueError unless an image goes through the network, as one number for each unit that
    the next Linear reads."""
    try:
        units = way.units(x)
    except RuntimeError as error:
        raise ValueError(
            f"network takes no image ({error}); allowed: layers that fit each other"
        ) from error
    for layer, (found, n) in enumerate(zip(units, sizes, strict=True)):
        if found.shape != (1, n):
            raise ValueError(
                f"network has activations of shape {tuple(found.shape[1:])} in layer {layer}; "
                f"allowed: ({n},), one number for each unit that the next Linear reads"
            )


def _means(
    names: Sequence[str], way: _Derived, x: Tensor, y: Tensor | None, absolute: Absolute, size: int
) -> dict[str, Tensor]:
    chunks = [slice(start, start + size) for start in range(0, len(x), size)]
    if "covariance" in names:
        # seen from the first image a unit that never changes is 0, and so is its mean, exactly
        origin = way.units(x[:1])[way.layer]
        moved = (way.units(x[chunk])[way.layer] - origin for chunk in chunks)
        mean = sum(part.sum(0, dtype=torch.float64) for part in moved) / len(x)
    sums = dict.fromkeys(names, 0.0)
    for chunk in chunks:
        units = way.units(x[chunk])
        for name in names:
            if name == "covariance":
                centred = units[way.layer] - origin - mean.to(x.dtype)
                part = _sum_of_products(centred.unsqueeze(1), absolute)
            elif name == "loss_hessian":
                part = way.loss_hessian(units, y[chunk], absolute)
            else:
                part = getattr(way, name)(units, absolute)
            sums[name] = sums[name] + part.double()
    # the two halves of a product may differ in the last digit
    return {name: (s + s.mT).abs() / (2 * len(x)) for name, s in sums.items()}


def _sum_of_products(factors: Tensor, absolute: Absolute) -> Tensor:
    """Sum over k images of Fᵀ F, or of its absolute values: ``(n, n)`` of factors ``(k, r, n)``."""
    if absolute == "mean_of" and factors.shape[1] > 1:
        return (factors.mT @ factors).abs_().sum(0)
    rows = factors.flatten(0, 1)
    if absolute == "mean_of":  # |a b| = |a| |b|
        rows = rows.abs()
    return rows.mT @ rows


# --- derivatives ---------------------------------------------------------------------------------


class _Derived:
    """Derivatives of any network, image by image, through torch.func.

    units: activations of all layers ``(k, n_l)``, x first, logits last. Each measure is its sum
    over the k images.
    """

    # numbers that the Jacobians of a chunk may have
    _at_once: ClassVar = {"cpu": 2**22, "cuda": 2**26}

    def __init__(self, network: Network, layer: int) -> None:
        self.layer, self._stages = layer, _stages(network)

    @classmethod
    def fast_chunk_size(cls, sizes: Sequence[int], layer: int, device: torch.device) -> int:
        at_once = cls._at_once.get(device.type, cls._at_once["cpu"])
        return max(1, at_once // (sizes[layer] * max(sizes)))

    def units(self, x: Tensor) -> list[Tensor]:
        return list(accumulate(self._stages, lambda hidden, stage: stage(hidden), initial=x))

    def input_sensitivity(self, units: Sequence[Tensor], absolute: Absolute) -> Tensor:
        layer_of = partial(_through, self._stages[: self.layer])
        return _sum_of_products(vmap(jacrev(layer_of))(units[0]).mT, absolute)

    def output_sensitivity(self, units: Sequence[Tensor], absolute: Absolute) -> Tensor:
        logits_of = partial(_through, self._stages[self.layer :])
        return _sum_of_products(vmap(jacrev(logits_of))(units[self.layer]), absolute)

    def loss_hessian(self, units: Sequence[Tensor], y: Tensor, absolute: Absolute) -> Tensor:
        def loss(hidden: Tensor, label: Tensor) -> Tensor:
            return cross_entropy(_through(self._stages[self.layer :], hidden), label)

        matrices = vmap(jacrev(grad(loss)))(units[self.layer], y.long())
        return (matrices.abs() if absolute == "mean_of" else matrices).sum(0)


def _through(stages: Sequence[Stage], one: Tensor) -> Tensor:
    """What becomes of the activations ``(n,)`` of one image; modules are given a batch of one."""
    return reduce(lambda hidden, stage: stage(hidden), stages, one.unsqueeze(0)).squeeze(0)


class _ClosedForms(_Derived):
    """Derivatives of a ReLU network as products of masked weight matrices."""

    # on a CPU the numbers of a chunk should fit a core's own cache
    _at_once: ClassVar = {"cpu": 2**19, "cuda": 2**26}

    def __init__(self, network: MLP, layer: int) -> None:
        super().__init__(network, layer)
        self._weights = network.weights
        # Jᵀ = W₁ᵀ D₁ W₂ᵀ D₂ ... with W₁ᵀ = Q R. The columns of Q are orthonormal, so J Jᵀ needs R
        # alone, which has no more rows than the first layer has units.
        self._first = torch.linalg.qr(network.weights[0].mT, mode="r").R

    @classmethod
    def fast_chunk_size(cls, sizes: Sequence[int], layer: int, device: torch.device) -> int:
        # no factor is as wide as the pixels
        return super().fast_chunk_size(sizes[1:], layer - 1, device)

    def input_sensitivity(self, units: Sequence[Tensor], absolute: Absolute) -> Tensor:
        first, *later = (_slope(hidden) for hidden in units[1 : self.layer + 1])
        if not later:
            return (self._first.mT @ self._first) * (first.mT @ first)
        factors = self._first * first.unsqueeze(1)
        for weight, slope in zip(self._weights[1 : self.layer], later, strict=True):
            factors = (factors @ weight.mT).mul_(slope.unsqueeze(1))
        return _sum_of_products(factors, absolute)

    def output_sensitivity(self, units: Sequence[Tensor], absolute: Absolute) -> Tensor:
        factors = self._back(self._weights[-1].unsqueeze(0), units)
        # of the last hidden layer there is one factor for all images
        return _sum_of_products(factors, absolute) * (len(units[0]) / len(factors))

    def loss_hessian(self, units: Sequence[Tensor], y: Tensor, absolute: Absolute) -> Tensor:
        p, last = units[-1].softmax(1), self._weights[-1]
        # diag(p) - p pᵀ = C Cᵀ with C = (1 - p 1ᵀ) diag(√p), so the factor is
        # Cᵀ J = diag(√p) (J - 1 pᵀ J)
        factors = p.sqrt().unsqueeze(2) * (last - (p @ last).unsqueeze(1))
        return _sum_of_products(self._back(factors, units), absolute)

    def _back(self, factors: Tensor, units: Sequence[Tensor]) -> Tensor:
        """Rows ``(k, n_classes, n)`` that multiply the last hidden layer, for this layer."""
        for depth in range(len(self._weights) - 1, self.layer, -1):
            factors = (factors * _slope(units[depth]).unsqueeze(1)) @ self._weights[depth - 1]
        return factors


def _slope(hidden: Tensor) -> Tensor:
    """The derivative of ReLU where it gave `hidden`."""
    return (hidden > 0).to(hidden.dtype)


# --- networks ------------------------------------------------------------------------------------


def _network_and_way(network: Network, method: Method) -> tuple[Network, type[_Derived]]:
    """The network, as an MLP where the closed forms are to be used, and what derives it."""
    if isinstance(network, MLP):
        return network, _Derived if method == "autograd" else _ClosedForms
    check_kind("network", network, nn.Sequential, "MLP or torch.nn.Sequential")
    modules = leaves(network)
    names = [type(module).__name__ for module in modules]
    if not modules or not all(isinstance(modules[end], nn.Linear) for end in (0, -1)):
        raise ValueError(f"network is made of {names}; allowed: Linear as the first and the last")
    if method == "autograd":
        return network, _Derived
    try:
        return as_mlp(network), _ClosedForms
    except ValueError:
        if method == "auto":
            return network, _Derived
        raise ValueError(
            f"network is made of {names}, which method='closed' does not take; allowed: Linear, "
            "ReLU, Linear, ..., with Dropout anywhere; method='autograd' takes others"
        ) from None


def _weights(network: Network) -> list[Tensor]:
    if isinstance(network, MLP):
        return network.weights
    return [module.weight for module in leaves(network) if isinstance(module, nn.Linear)]


def _stages(network: Network) -> list[Stage]:
    """From layer to layer: a Linear and what follows it, up to the next one."""
    if isinstance(network, MLP):
        layers = list(zip(network.weights, network.biases, strict=True))
        last = partial(linear, weight=layers[-1][0], bias=layers[-1][1])
        return [*(partial(_relu_layer, weight=w, bias=b) for w, b in layers[:-1]), last]
    modules = leaves(copy.deepcopy(network).eval())
    starts = [place for place, module in enumerate(modules) if isinstance(module, nn.Linear)]
    return [nn.Sequential(*modules[a:b]) for a, b in pairwise([*starts, len(modules)])]


def _relu_layer(hidden: Tensor, weight: Tensor, bias: Tensor) -> Tensor:
    return linear(hidden, weight, bias).relu()
