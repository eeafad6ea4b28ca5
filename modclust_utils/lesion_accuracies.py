"""The accuracy of a network under many lesions at once (paper A, section 4.1).

Here is the fast path, for multi-layer perceptrons; module `lesion_modules` has one for any network.
Sets of lesioned units form a tree over the layers: what two sets have in common from the front is
computed once. Pruned weights are products of sparse matrices where that is faster.
"""

from __future__ import annotations

import warnings
from collections.abc import Sequence
from dataclasses import dataclass

import numpy as np
import torch
from numpy.typing import ArrayLike, NDArray
from torch import Tensor, nn

from modclust_utils.doors import (
    as_units,
    check_classes,
    check_finite,
    check_same_order,
    checked_classes,
    checked_images,
)
from modclust_utils.lesion_modules import module_lesion_hits
from modclust_utils.models import MLP, as_mlp

# Images that go through at once: few enough for a core's own cache, enough to keep a GPU at work.
_CHUNK = {"cpu": 768, "cuda": 20_000}
_LEAVES_AT_ONCE = {"cpu": 32, "cuda": 256}
# Share of non-zero weights up to which a sparse product is faster on a CPU.
_SPARSE = 0.15


def lesion_accuracy(
    network: MLP | nn.Module,
    x: Tensor,
    y: Tensor,
    unit_sets: ArrayLike | Tensor,
    *,
    layers: Sequence[str] | None = None,
) -> tuple[Tensor, Tensor]:
    """Accuracy of a network under each of many lesions.

    In an `MLP` a lesion sets the incoming weights and the bias of hidden units to 0. In any other
    torch module it sets their output to 0, right behind the submodules named in `layers`; for
    those that a ReLU follows the two are the same (module `lesion_modules`).

    Parameters
    ----------
    network : MLP or torch.nn.Module
        One network. A module puts out logits ``(n, n_classes)``; it is asked in evaluation mode,
        and left as it was.
    x : Tensor ``(n, n_pixels)``, or ``(n, ...)`` as the module takes it
        Test images, in the precision and on the device of the network.
    y : Tensor of int ``(n,)``
        Their classes, from 0.
    unit_sets : bool array or tensor ``(n_sets, n_units)``
        The units of each lesion. Of an MLP all units count, as in the graph, from the pixels to the
        logits, but only hidden ones may be lesioned. Of a module they are the outputs along axis 1
        (channels) of its `layers`, one layer after the other.
    layers : sequence of str, for a module
        Names of submodules, as in ``named_modules()``; each runs once in a forward pass.

    Returns
    -------
    accuracies : Tensor of float64 ``(n_sets,)``
        Shares of all images, on the device of the network.
    class_accuracies : Tensor of float64 ``(n_sets, n_classes)``
        Shares of the images of each class; NaN for a class without images.

    Raises
    ------
    ValueError
        For input that does not fit the network, for `layers` that it does not have, and for NaN or
        infinity in the network or its answers.

    Notes
    -----
    For an MLP, what lesions have in common is computed once: layers before the first lesioned one,
    and everything up to the layer in which two sets differ. The answers are those of one forward
    pass per lesion, except for images whose two largest logits agree to rounding. For a module each
    lesion starts at its first lesioned layer, where torch.fx can follow the module, and what its
    channels give to a convolution right behind them is taken from what that puts out in all; else
    it is one forward pass per lesion. Images go through in chunks, so memory does not grow with
    their number or size.

    References
    ----------
    .. [1] Filan et al. 2020, arXiv:2003.04881 (paper A), section 4.1.

    Examples
    --------
    Each of two classes has a hidden unit of its own. Without the second, both logits of the second
    image are 0, and the first of equals counts.

    >>> network, x, y = MLP([torch.eye(2)] * 2, [torch.zeros(2)] * 2), torch.eye(2), torch.arange(2)
    >>> lesion_accuracy(network, x, y, np.array([[0, 0, 0, 0, 0, 0], [0, 0, 0, 1, 0, 0]]) == 1)[0]
    tensor([1.0000, 0.5000], dtype=torch.float64)

    The same of a module, whose units are those of the layers that we name.

    >>> module = torch.nn.Sequential(torch.nn.ReLU(), torch.nn.Identity())
    >>> lesion_accuracy(module, x, y, np.array([[0, 0], [0, 1]]) == 1, layers=["0"])[0]
    tensor([1.0000, 0.5000], dtype=torch.float64)
    """
    if isinstance(network, MLP):
        if layers is not None:
            raise ValueError(f"layers={layers!r} is not allowed: None, as network is an MLP")
        hits, counts = lesion_hits(network, x, y, unit_sets)
    elif isinstance(network, nn.Module):
        hits, counts = module_lesion_hits(network, x, y, unit_sets, layers)
    else:
        raise ValueError(
            f"network is of type {type(network).__name__}; allowed: MLP or torch.nn.Module"
        )
    return hits.sum(1) / counts.sum(), hits / counts


@torch.no_grad()
def lesion_hits(
    network: MLP, x: Tensor, y: Tensor, unit_sets: ArrayLike | Tensor
) -> tuple[Tensor, Tensor]:
    """Images of each class that are classified correctly under each lesion ``(n_sets, n_classes)``,
    and images of each class ``(n_classes,)``: whole numbers in float64."""
    network = as_mlp(network)
    check_same_order(x=x, y=y)
    x = checked_images(x, network.weights[0], network.layer_sizes[0])
    y = checked_classes(y, x)
    check_classes(y, network.layer_sizes[-1])
    if x.itemsize < 4:
        # sparse products know no half precision; weights and pixels stay what they are
        network, x = (
            MLP(*([p.float() for p in each] for each in (network.weights, network.biases))),
            x.float(),
        )
    sets = _as_sets(unit_sets, network.layer_sizes)
    kept = _units_that_matter(network)
    masks = np.split(sets, np.cumsum(network.layer_sizes)[:-1], axis=1)[:-1]
    tree = _Tree([mask[:, k] for mask, k in zip(masks, kept, strict=True)], x.device)
    layers = _Layers(network, kept)
    one_hot = torch.nn.functional.one_hot(y.long(), network.layer_sizes[-1]).float()
    hits = torch.zeros(tree.n_leaves, one_hot.shape[1], dtype=torch.float64, device=x.device)
    size = _CHUNK.get(x.device.type, _CHUNK["cpu"])
    places = torch.from_numpy(kept[0]).to(x.device)
    for start in range(0, len(y), size):
        images = slice(start, start + size)
        pixels = x[images].T[places].contiguous()
        _walk(tree.root, layers, 0, pixels, y[images], one_hot[images], hits)
    return hits[torch.from_numpy(tree.leaf_of_set).to(x.device)], one_hot.double().sum(0)


def _as_sets(unit_sets: ArrayLike | Tensor, sizes: Sequence[int]) -> NDArray[np.bool_]:
    sets = as_units("unit_sets", unit_sets, ("n_sets", sum(sizes)))
    if sets[:, : sizes[0]].any() or sets[:, sum(sizes) - sizes[-1] :].any():
        raise ValueError("unit_sets has pixels or logits in it; allowed: hidden units only")
    return sets


def _units_that_matter(network: MLP) -> list[NDArray[np.int64]]:
    """For every layer but the last, the units that can change a logit.

    Pruning leaves units from which no path of weights leads to a logit, and units that are always
    0 because nothing reaches them and their bias is not positive. Whether those are lesioned makes
    no difference, and without them the matrices are smaller.
    """
    edges = [(w != 0).cpu().numpy() for w in network.weights]
    needed = [np.ones(len(edges[-1]), bool)]
    for edge in reversed(edges):
        needed.insert(0, edge[needed[0]].any(0))
    active = [np.ones(edges[0].shape[1], bool)]
    for edge, bias in zip(edges[:-1], network.biases[:-1], strict=True):
        active.append(edge[:, active[-1]].any(1) | (bias > 0).cpu().numpy())
    return [np.flatnonzero(n & a) for n, a in zip(needed, active, strict=False)]


class _Layers:
    """Weights and biases between the units that matter.

    incoming[l]: ``(n_out, n_in)``, sparse where that is faster; outgoing[l]: its transpose, dense,
    so that the weights of some units of layer l are whole rows; biases[l]: ``(n_out, 1)``.
    """

    def __init__(self, network: MLP, kept: Sequence[NDArray[np.int64]]) -> None:
        device = network.weights[0].device
        rows = [torch.from_numpy(k).to(device) for k in kept[1:]]
        rows.append(torch.arange(network.layer_sizes[-1], device=device))
        columns = [torch.from_numpy(k).to(device) for k in kept]
        self.outgoing = [
            w[r][:, c].T.contiguous()
            for w, r, c in zip(network.weights, rows, columns, strict=True)
        ]
        self.incoming = [_sparse_where_faster(w.T.contiguous()) for w in self.outgoing[:-1]]
        self.incoming.append(self.outgoing[-1].T.contiguous())
        self.biases = [b[r].unsqueeze(1) for b, r in zip(network.biases, rows, strict=True)]


def _sparse_where_faster(weight: Tensor) -> Tensor:
    """Pruned weights as rows of non-zero entries, on a CPU with the MKL."""
    fast = weight.device.type == "cpu" and torch.backends.mkl.is_available()
    if not fast or int(weight.count_nonzero()) >= _SPARSE * weight.numel():
        return weight
    with warnings.catch_warnings():
        # torch calls the format a beta; products with a dense matrix are all that we need of it
        warnings.filterwarnings("ignore", message="Sparse CSR tensor support is in beta")
        rows = weight.to_sparse_csr()
        # the MKL's own kind of index, to which each product would otherwise convert
        indices = rows.crow_indices().int(), rows.col_indices().int()
        return torch.sparse_csr_tensor(
            *indices, rows.values(), size=rows.shape, check_invariants=True
        )


@dataclass(frozen=True)
class _Branch:
    """Sets with one and the same lesion in a layer, and with the same ones before.

    units: None for no lesion there; else the lesioned units, whose part is taken away from the
    product that all branches share (`subtract`), or the units that are left.
    """

    units: Tensor | None
    subtract: bool
    below: _Node | _Leaves


@dataclass(frozen=True)
class _Node:
    """All branches in one layer, the one without lesion last.

    shared: whether the product without lesion is worth its cost.
    """

    branches: list[_Branch]
    shared: bool


@dataclass(frozen=True)
class _Leaves:
    """Sets that differ in the last hidden layer only: the units left there ``(n_leaves, n)``.

    first: the row of the first of them in the table of hits.
    """

    left: Tensor
    first: int


class _Tree:
    """Sets of units as a tree over layers: what they have in common from the front is one path."""

    def __init__(self, masks: Sequence[NDArray[np.bool_]], device: torch.device) -> None:
        self.n_leaves = 0
        self.leaf_of_set = np.empty(len(masks[0]), np.int64)
        self._masks, self._device = masks, device
        self._packed = [np.packbits(mask, axis=1) for mask in masks]
        self.root = self._grow(0, np.arange(len(masks[0])))

    def _grow(self, layer: int, sets: NDArray[np.int64]) -> _Node | _Leaves:
        by_mask: dict[bytes, list[int]] = {}
        for index, packed in zip(sets.tolist(), self._packed[layer][sets], strict=True):
            by_mask.setdefault(packed.tobytes(), []).append(index)
        groups = [np.array(group) for group in by_mask.values()]
        if layer == len(self._masks) - 1:
            return self._leaves(layer, groups)
        groups.sort(key=lambda group: not self._masks[layer][group[0]].any())
        sizes = [int(self._masks[layer][group[0]].sum()) for group in groups]
        shared = _sharing_pays(sizes, self._masks[layer].shape[1])
        return _Node([self._branch(layer, group, shared) for group in groups], shared)

    def _leaves(self, layer: int, groups: list[NDArray[np.int64]]) -> _Leaves:
        first = self.n_leaves
        for group in groups:
            self.leaf_of_set[group] = self.n_leaves
            self.n_leaves += 1
        left = ~self._masks[layer][[group[0] for group in groups]]
        return _Leaves(torch.from_numpy(left).to(self._device), first)

    def _branch(self, layer: int, group: NDArray[np.int64], shared: bool) -> _Branch:
        mask, below = self._masks[layer][group[0]], self._grow(layer + 1, group)
        if not mask.any():
            return _Branch(None, False, below)
        subtract = shared and 2 * int(mask.sum()) < len(mask)
        units = np.flatnonzero(mask if subtract else ~mask)
        return _Branch(torch.from_numpy(units).to(self._device), subtract, below)


def _sharing_pays(sizes: Sequence[int], n: int) -> bool:
    """Whether one product of all n units, less what each lesion takes away, costs less than a
    product of what each lesion leaves; always so where one of the sets has no lesion here."""
    return n + sum(min(size, n - size) for size in sizes) <= sum(n - size for size in sizes)


def _walk(
    node: _Node | _Leaves,
    layers: _Layers,
    depth: int,
    hidden: Tensor,
    y: Tensor,
    one_hot: Tensor,
    hits: Tensor,
) -> None:
    """Add the hits of all sets below a node; hidden: ``(units of this layer, images)``."""
    if isinstance(node, _Leaves):
        _add_hits(node, layers, hidden, y, one_hot, hits)
        return
    bias, outgoing = layers.biases[depth], layers.outgoing[depth]
    shared = torch.addmm(bias, layers.incoming[depth], hidden) if node.shared else bias
    for branch in node.branches:
        if branch.units is None:
            activations = shared.relu_()  # the last branch: no other needs the product
        else:
            start, sign = (shared, -1) if branch.subtract else (bias, 1)
            weights = outgoing[branch.units].T
            activations = torch.addmm(start, weights, hidden[branch.units], alpha=sign).relu_()
        _walk(branch.below, layers, depth + 1, activations, y, one_hot, hits)


def _add_hits(
    leaves: _Leaves, layers: _Layers, hidden: Tensor, y: Tensor, one_hot: Tensor, hits: Tensor
) -> None:
    """Logits of many lesions of the last hidden layer as one product of masked weights.

    No difference of sums here: where nothing is left, logits are the biases, and equal ones tie as
    they do in a plain forward pass.
    """
    weights, bias = layers.incoming[-1], layers.biases[-1]
    size = _LEAVES_AT_ONCE.get(hidden.device.type, _LEAVES_AT_ONCE["cpu"])
    for start in range(0, len(leaves.left), size):
        left = leaves.left[start : start + size]
        masked = (weights * left[:, None]).flatten(0, 1)
        logits = (masked @ hidden).unflatten(0, (len(left), -1)).add_(bias)
        # max(...).indices is argmax, the first of equals too, several times as fast along columns
        largest = logits.max(1)
        # NaN is never the larger: the first class would be right
        check_finite("what network puts out", largest.values)
        right = largest.indices == y
        first = leaves.first + start
        hits[first : first + len(left)] += right.float() @ one_hot
