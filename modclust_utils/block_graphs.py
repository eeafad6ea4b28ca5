"""Graphs of networks with any wiring as blocks between layers: products, degrees, n-cuts.

A layered network is a chain of blocks, and module `spectral` makes use of its two sides. With skip
connections there are no two sides. What is left is that a product with the adjacency is one small
product for each block, several times as fast as with a sparse matrix.
"""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass
from functools import cached_property

import numpy as np
import scipy.sparse as sp
from numpy.typing import NDArray

Block = NDArray[np.floating] | sp.csr_array
# Share of entries up to which a block is faster as a sparse matrix.
_SPARSE = 0.15


@dataclass(frozen=True)
class BlockGraph:
    """A graph by the edges between its layers.

    sizes: units of each layer; blocks: (source, target, edges ``(n_target, n_source)``), single
    precision, 0 or more, no pair of layers twice.
    """

    sizes: tuple[int, ...]
    blocks: tuple[tuple[int, int, Block], ...]

    @cached_property
    def slices(self) -> list[slice]:
        """Where the units of each layer are."""
        ends = np.cumsum(self.sizes).tolist()
        return [slice(end - size, end) for end, size in zip(ends, self.sizes, strict=True)]

    def product(self, values: NDArray[np.float32]) -> NDArray[np.float32]:
        """The adjacency times a vector ``(n,)``."""
        places, found = self.slices, np.zeros_like(values)
        for source, target, edges in self.blocks:
            found[places[target]] += edges @ values[places[source]]
            found[places[source]] += edges.T @ values[places[target]]
        return found

    def degrees(self) -> NDArray[np.float32]:
        """Sum of the edges of each unit ``(n,)``."""
        return self.product(np.ones(sum(self.sizes), np.float32))

    def normalized(self, scale: NDArray[np.float32]) -> BlockGraph:
        """With the edge between units i and j times scale[i] and scale[j]."""
        places = self.slices
        blocks = []
        for source, target, edges in self.blocks:
            rows, columns = scale[places[target]], scale[places[source]]
            if isinstance(edges, np.ndarray):
                blocks.append((source, target, edges * rows[:, None] * columns))
            else:
                scaled = sp.diags_array(rows) @ edges @ sp.diags_array(columns)
                blocks.append((source, target, sp.csr_array(scaled)))
        return BlockGraph(self.sizes, tuple(blocks))

    def adjacency(self) -> sp.csr_array:
        """As one sparse matrix ``(n, n)``."""
        parts: list[list[Block | None]] = [[None] * len(self.sizes) for _ in self.sizes]
        for layer, size in enumerate(self.sizes):
            parts[layer][layer] = sp.csr_array((size, size), dtype=np.float32)
        for source, target, edges in self.blocks:
            parts[target][source], parts[source][target] = edges, edges.T
        return sp.csr_array(sp.block_array(parts))

    def ncut(self, labels: NDArray[np.int64], n_clusters: int) -> float:
        """The n-cut of labels ``(n,)`` from -1, as in `clustering.ncut`."""
        # class 0 is label -1: edges to units outside every cluster are cut
        member = (labels + 1 == np.arange(n_clusters + 1)[:, None]).astype(np.float32)
        places = self.slices
        upward = np.zeros((n_clusters + 1, n_clusters + 1))
        for source, target, edges in self.blocks:
            # few rows times a matrix: several times faster than the matrix times few columns
            reached = member[:, places[target]] @ edges
            upward += reached.astype(np.float64) @ member[:, places[source]].T
        between = upward + upward.T
        volume = between.sum(1)
        # the cut without a difference of sums: where no edge is cut, it is exactly 0
        np.fill_diagonal(between, 0.0)
        used = volume > 0
        used[0] = False
        return float(np.sum(between.sum(1)[used] / volume[used]))


def as_block(edges: NDArray[np.float32]) -> Block:
    """Edges in the form in which products with them are fast."""
    few = np.count_nonzero(edges) < _SPARSE * edges.size
    return sp.csr_array(edges) if few else np.ascontiguousarray(edges)


def as_block_graph(
    sizes: Sequence[int], blocks: Sequence[tuple[int, int, NDArray[np.floating]]]
) -> BlockGraph:
    """A graph whose edges are multiplied by one power of two, so that they suit single precision:
    no n-cut depends on the scale. Raises ValueError where all edges are 0."""
    largest = max((float(edges.max(initial=0.0)) for _, _, edges in blocks), default=0.0)
    if largest == 0.0:
        raise ValueError("graph has no edges; allowed: at least one edge to cluster by")
    scale = 2.0 ** min(-np.frexp(largest)[1], 1000)
    return BlockGraph(
        tuple(sizes),
        tuple((s, t, as_block((edges * scale).astype(np.float32))) for s, t, edges in blocks),
    )
