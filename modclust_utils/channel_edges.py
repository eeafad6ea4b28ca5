"""Edges between the units of layers of any torch module, and what a tensor inside it is made of.

A unit of a convolution is an output channel. What runs through a network between two layers is
described by `Channels`: for each channel of a tensor, which units stand in it, and with which
weight (the scale of a batch norm, 1 without).
"""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass, replace
from typing import Literal

import numpy as np
import scipy.sparse as sp
from numpy.typing import NDArray
from torch import Tensor

from modclust_utils.doors import as_choice, as_numbers

Norm = Literal["l1", "induced_l1"]
NORMS: tuple[Norm, ...] = ("l1", "induced_l1")


def conv_edge_weights(
    kernel: NDArray[np.floating] | Tensor, *, norm: Norm = "l1"
) -> NDArray[np.float64]:
    """One number for the weights between two channels: a norm of their part of a kernel.

    Parameters
    ----------
    kernel : array or tensor ``(n_out, n_in, height, width)``
        Weights of a convolution in torch layout.
    norm : {"l1", "induced_l1"}
        "l1" is the sum of absolute values, which the text of paper B says; "induced_l1" the largest
        sum of a column, the matrix norm that the 1-norm induces, with which its numbers were made.

    Returns
    -------
    ndarray of float ``(n_out, n_in)``
        0 or more.

    Raises
    ------
    ValueError
        For another shape or norm, NaN or infinity.

    References
    ----------
    .. [1] Casper et al. 2022 (paper B), section 2.1.

    Examples
    --------
    One channel to one other; the columns have the sums 1 + 3 and 2 + 4.

    >>> kernel = np.array([[[[1.0, -2.0], [3.0, 4.0]]]])
    >>> conv_edge_weights(kernel).item(), conv_edge_weights(kernel, norm="induced_l1").item()
    (10.0, 6.0)
    """
    as_choice("norm", norm, NORMS)
    array = as_numbers("kernel", kernel, "(n_out, n_in, height, width)")
    if array.ndim != 4:
        raise ValueError(f"kernel has shape {array.shape}; allowed: (n_out, n_in, height, width)")
    if not np.isfinite(array).all():
        raise ValueError("kernel holds NaN or infinity; allowed: finite numbers")
    columns = np.abs(array).sum(2)
    return columns.sum(2) if norm == "l1" else columns.max(2, initial=0.0)


@dataclass(frozen=True)
class Connection:
    """Edges from the units of one layer to those of a later one.

    source, target: numbers of the layers; weights: ``(n_target, n_source)``, 0 or more; possible:
    the same shape, boolean, the pairs that the network's structure can join, whatever its weights
    (between the groups of a grouped convolution there are none).
    """

    source: int
    target: int
    weights: NDArray[np.float64]
    possible: NDArray[np.bool_]


@dataclass(frozen=True)
class Channels:
    """What the channels of a tensor are made of.

    n: how many channels; sources: for the number of a layer, a sparse ``(n, n_layer)`` with the
    weight of each of its units in each channel. A stored 0 is a unit that is there with weight 0.
    positions: where a flattened tensor has all positions of a channel side by side, its height and
    width; then it has n * height * width features.
    """

    n: int
    sources: dict[int, sp.csr_array]
    positions: tuple[int, int] = (1, 1)

    def scaled(self, scale: NDArray[np.float64]) -> Channels:
        """Each feature times its own number ``(n_features,)``."""
        channels = self.expanded()
        sources = {}
        for layer, source in channels.sources.items():
            # entry by entry, so that stored zeros stay
            data = source.data * np.repeat(scale, np.diff(source.indptr))
            sources[layer] = sp.csr_array((data, source.indices, source.indptr), source.shape)
        return replace(channels, sources=sources)

    def expanded(self) -> Channels:
        """The same with every position of a flattened tensor as a channel of its own."""
        size = self.positions[0] * self.positions[1]
        return self if size == 1 else Channels.take(self, np.repeat(np.arange(self.n), size))

    def take(self, rows: NDArray[np.int64]) -> Channels:
        """The channels `rows`, in their order."""
        return Channels(len(rows), {layer: each[rows] for layer, each in self.sources.items()})

    def padded(self, before: int, after: int) -> Channels:
        """With channels of zeros before and after its own."""
        return concatenated([Channels(before, {}), self, Channels(after, {})])


def concatenated(parts: Sequence[Channels]) -> Channels:
    """Channels of several tensors, one after the other."""
    parts = [part.expanded() for part in parts]
    widths = {layer: each.shape[1] for part in parts for layer, each in part.sources.items()}
    sources = {}
    for layer, width in widths.items():
        blocks = [part.sources.get(layer, sp.csr_array((part.n, width))) for part in parts]
        sources[layer] = sp.csr_array(sp.vstack(blocks))
    return Channels(sum(part.n for part in parts), sources)


def added(parts: Sequence[Channels]) -> Channels:
    """Channels of tensors of one shape that are added: a unit in several counts as often."""
    if len(parts) == 1:
        return parts[0]
    if len({part.positions for part in parts}) > 1:
        parts = [part.expanded() for part in parts]
    sources: dict[int, sp.csr_array] = {}
    for part in parts:
        for layer, each in part.sources.items():
            sources[layer] = _sum(sources[layer], each) if layer in sources else each
    return replace(parts[0], sources=sources)


def _sum(a: sp.csr_array, b: sp.csr_array) -> sp.csr_array:
    """The sum with zeros stored wherever one of both has an entry."""
    first, second = a.tocoo(), b.tocoo()
    places = (
        np.concatenate([first.row, second.row]),
        np.concatenate([first.col, second.col]),
    )
    return sp.csr_array((np.concatenate([first.data, second.data]), places), shape=a.shape)


def connections(
    channels: Channels, weights: NDArray[np.float64], groups: int, target: int
) -> list[Connection]:
    """Edges from all units in some channels to those of a layer that takes the channels in.

    weights: ``(n_target, n_in / groups)``, a number for each pair of channels that it joins.
    """
    n_out, width = weights.shape
    per_group = n_out // groups
    full = np.zeros((n_out, width * groups))
    joined = np.zeros(full.shape, bool)
    for group in range(groups):
        rows = slice(group * per_group, (group + 1) * per_group)
        columns = slice(group * width, (group + 1) * width)
        full[rows, columns] = weights[rows]
        joined[rows, columns] = True
    return [
        Connection(
            layer,
            target,
            np.asarray((source.T @ full.T).T),
            np.asarray((_pattern(source).T @ joined.T.astype(np.float32)).T) > 0,
        )
        for layer, source in sorted(channels.sources.items())
    ]


def _pattern(source: sp.csr_array) -> sp.csr_array:
    ones = np.ones(len(source.data), np.float32)
    return sp.csr_array((ones, source.indices, source.indptr), source.shape)
