"""Spectral embeddings: the leading eigenvectors that spectral clustering runs k-means on.

The normalized Laplacian D^-1 (D - A) has the eigenvalues 1 - s and the eigenvectors D^-1/2 u, where
s and u belong to the normalized adjacency D^-1/2 A D^-1/2 (paper A, section 2.2; von Luxburg 2007,
section 3.2). The graph of a layered network is bipartite, so the normalized adjacency has the form
[[0, B], [B^T, 0]]: its leading eigenvectors are pairs of singular vectors of B, and those come from
the eigenvectors of a Gram matrix of the smaller side. For the 1,818 units of paper A's network that
is a problem of size 522 instead of 1,818, without any approximation.
"""

from __future__ import annotations

from collections.abc import Callable
from dataclasses import dataclass

import numpy as np
import scipy.linalg
import scipy.sparse as sp
import torch
from numpy.typing import NDArray
from scipy.sparse.linalg import ArpackNoConvergence, LinearOperator, eigsh
from torch import Tensor

# ARPACK's relative accuracy of the eigenvalues. The matrices are single precision; a tighter
# demand changes the n-cut of a clustering less than another k-means start does.
ARPACK_TOLERANCE = 1e-5
_DENSE_LIMIT = 200
# Vertices up to which LAPACK finds all eigenvectors of a graph that has no two sides.
_LAPACK_LIMIT = 1000
# Share of pairs with an edge from which products with a dense matrix are faster.
_DENSE_SHARE = 0.25
_CHECK_STEPS = 12
_CHECK_MARGIN = 1e-3


@dataclass(frozen=True)
class LayeredGraphs:
    """S graphs of one layered shape: magnitudes[l] is |W_l| as ``(S, n_out, n_in)``."""

    magnitudes: list[Tensor]

    @property
    def n_graphs(self) -> int:
        """S, the number of graphs."""
        return self.magnitudes[0].shape[0]

    @property
    def sizes(self) -> list[int]:
        """Units per layer."""
        return [self.magnitudes[0].shape[2], *(m.shape[1] for m in self.magnitudes)]

    def degrees(self) -> list[Tensor]:
        """Degree of every unit, a list of ``(S, n_layer)``."""
        incoming = [m.sum(2) for m in self.magnitudes]
        outgoing = [m.sum(1) for m in self.magnitudes]
        middle = [a + b for a, b in zip(incoming[:-1], outgoing[1:], strict=True)]
        return [outgoing[0], *middle, incoming[-1]]


def embed_layered(graphs: LayeredGraphs, n_components: int) -> tuple[Tensor, Tensor]:
    """Embedding ``(S, n, n_components)`` and degrees ``(S, n)``; zero rows for dead units.

    Row i holds the leading eigenvectors of the normalized Laplacian at unit i. n_components may
    be at most the number of units in the smaller of the two sides (layers 0, 2, ... and 1, 3, ...).
    """
    degrees = graphs.degrees()
    scales = [torch.where(d > 0, d.clamp(min=1e-30).rsqrt(), 0.0) for d in degrees]
    normalized = [
        m * scales[layer + 1].unsqueeze(2) * scales[layer].unsqueeze(1)
        for layer, m in enumerate(graphs.magnitudes)
    ]
    sizes = graphs.sizes
    small = 1 if sum(sizes[1::2]) <= sum(sizes[0::2]) else 0
    gram = _gram(normalized, sizes, small)
    values, vectors = _leading_eigenvectors(gram, n_components)
    singular = values.clamp(min=1e-12).sqrt().unsqueeze(2)

    # components as rows: few rows times a matrix is faster than the matrix times few columns
    parts: dict[int, Tensor] = dict(
        zip(
            range(small, len(sizes), 2),
            vectors.mT.contiguous().split(sizes[small::2], dim=2),
            strict=True,
        )
    )
    for layer in range(1 - small, len(sizes), 2):
        total = 0
        if layer > 0:
            total = total + parts[layer - 1] @ normalized[layer - 1].mT
        if layer < len(sizes) - 1:
            total = total + parts[layer + 1] @ normalized[layer]
        parts[layer] = total / singular
    rows = [parts[layer] * scales[layer].unsqueeze(1) for layer in range(len(sizes))]
    return torch.cat(rows, 2).mT, torch.cat(degrees, 1)


def _gram(normalized: list[Tensor], sizes: list[int], side: int) -> Tensor:
    """B^T B (or B B^T) over the layers side, side + 2, ..., block by block: ``(S, m, m)``."""
    layers = list(range(side, len(sizes), 2))
    offsets = np.concatenate([[0], np.cumsum([sizes[layer] for layer in layers])])
    n_graphs = normalized[0].shape[0]
    gram = normalized[0].new_zeros(n_graphs, int(offsets[-1]), int(offsets[-1]))
    for index, layer in enumerate(layers):
        here = slice(int(offsets[index]), int(offsets[index + 1]))
        if layer > 0:
            incoming = normalized[layer - 1]
            gram[:, here, here] += incoming @ incoming.mT
        if layer < len(sizes) - 1:
            outgoing = normalized[layer]
            gram[:, here, here] += outgoing.mT @ outgoing
        if layer + 2 < len(sizes):
            there = slice(int(offsets[index + 1]), int(offsets[index + 2]))
            block = normalized[layer].mT @ normalized[layer + 1].mT
            gram[:, here, there] = block
            gram[:, there, here] = block.mT
    return gram


def _leading_eigenvectors(gram: Tensor, n_components: int) -> tuple[Tensor, Tensor]:
    """The largest eigenvalues ``(S, k)``, descending, and eigenvectors ``(S, m, k)``."""
    if gram.device.type != "cpu":
        values, vectors = torch.linalg.eigh(gram)
        return values[:, -n_components:].flip(1), vectors[:, :, -n_components:].flip(2)
    pairs = [_leading_eigenvectors_cpu(matrix.numpy(), n_components) for matrix in gram]
    values, vectors = zip(*pairs, strict=True)
    return torch.from_numpy(np.stack(values)), torch.from_numpy(np.stack(vectors))


def _leading_eigenvectors_cpu(
    gram: NDArray[np.floating], n_components: int
) -> tuple[NDArray[np.floating], NDArray[np.floating]]:
    """As above for one matrix ``(m, m)``: ARPACK, or LAPACK where ARPACK is not safe.

    The eigenvalue 1 of a disconnected graph is multiple, which a single-vector Lanczos method
    can miss; so are, nearly, those of a graph whose parts are joined by weak edges alone.
    """
    m = len(gram)
    found = None
    if m > _DENSE_LIMIT and n_components <= m // 4 and _connected(gram):
        found = _lanczos(gram, n_components)
    if found is None or _missed_one(gram, *found):
        found = scipy.linalg.eigh(gram, subset_by_index=[m - n_components, m - 1])
    values, vectors = found
    return values[::-1].copy(), vectors[:, ::-1].copy()


def _lanczos(
    gram: NDArray[np.floating], n_components: int
) -> tuple[NDArray[np.floating], NDArray[np.floating]] | None:
    """The largest eigenvalues, ascending, and their eigenvectors by ARPACK; None if it fails."""
    # the square root of the diagonal is a positive vector, as the first eigenvector is
    start = np.sqrt(gram.diagonal())
    ncv = max(2 * n_components + 8, 24)
    # ARPACK draws a new start where the first one spans too little: always the same one here
    rng = np.random.default_rng(0)
    try:
        values, vectors = eigsh(
            gram, k=n_components, which="LA", v0=start, ncv=ncv, tol=ARPACK_TOLERANCE, rng=rng
        )
    except ArpackNoConvergence:
        return None
    order = np.argsort(values)
    return values[order], vectors[:, order]


def _missed_one(
    gram: NDArray[np.floating] | LinearOperator,
    values: NDArray[np.floating],
    vectors: NDArray[np.floating],
) -> bool:
    """Whether an eigenvalue clearly above `values` is left among the vectors orthogonal to theirs.

    A few Lanczos steps there give a lower bound of the largest one that is left.
    """
    m, k = vectors.shape
    basis = np.zeros((m, k + _CHECK_STEPS), dtype=gram.dtype)
    images = np.zeros((m, _CHECK_STEPS), dtype=gram.dtype)
    basis[:, :k] = vectors
    residual = np.random.default_rng(0).standard_normal(m).astype(gram.dtype)
    for step in range(_CHECK_STEPS):
        known = basis[:, : k + step]
        residual = residual - known @ (known.T @ residual)
        norm = np.linalg.norm(residual)
        if norm < 1e-6:  # nothing but rounding is left
            break
        basis[:, k + step] = residual / norm
        residual = gram @ basis[:, k + step]
        images[:, step] = residual
    left = np.linalg.eigvalsh(basis[:, k:].T @ images)[-1]
    return bool(left > values.min() + _CHECK_MARGIN)


def _connected(gram: NDArray[np.floating]) -> bool:
    """Whether all units with an edge form one component: a breadth-first search by products."""
    live = gram.diagonal() > 0
    reached = np.zeros(len(gram), dtype=gram.dtype)
    reached[np.argmax(live)] = 1
    n_reached = 0
    while n_reached < (n_now := int(reached.sum())):
        n_reached = n_now
        reached = (gram @ reached > 0).astype(gram.dtype)
    return n_reached == int(live.sum())


def two_sides(adjacency: sp.csr_array) -> NDArray[np.bool_] | None:
    """A split of the vertices such that every edge crosses it, ``(n,)``; None if there is none.

    Uses the bipartite double cover: a component of the graph is bipartite exactly if it gives
    two components there.
    """
    cover = sp.block_array([[None, adjacency], [adjacency, None]], format="csr")
    _, component = sp.csgraph.connected_components(cover, directed=False)
    n = adjacency.shape[0]
    first, second = component[:n], component[n:]
    isolated = np.diff(adjacency.indptr) == 0
    if np.any((first == second) & ~isolated):
        return None
    return first < second


def embed_general(adjacency: sp.csr_array, n_components: int) -> NDArray[np.floating]:
    """Embedding ``(n, n_components)`` of any graph without isolated vertices: by LAPACK, or where
    that would take long, by ARPACK in single precision."""
    degrees = np.asarray(adjacency.sum(1)).ravel()
    if len(degrees) > _LAPACK_LIMIT and n_components <= len(degrees) // 4:
        single = adjacency.astype(np.float32)
        if single.nnz > _DENSE_SHARE * len(degrees) ** 2:
            single = single.toarray()
        scale = (1.0 / np.sqrt(degrees)).astype(np.float32)
        found = embed_by_products(
            lambda x: scale * (single @ (scale * x)), degrees.astype(np.float32), n_components
        )
        if found is not None:
            return found
    scale = 1.0 / np.sqrt(degrees)
    dense = adjacency.toarray() * scale[:, None] * scale
    n = len(degrees)
    _, vectors = scipy.linalg.eigh(dense, subset_by_index=[n - n_components, n - 1])
    return vectors[:, ::-1] * scale[:, None]


def embed_by_products(
    product: Callable[[NDArray[np.float32]], NDArray[np.float32]],
    degrees: NDArray[np.float32],
    n_components: int,
) -> NDArray[np.float32] | None:
    """Embedding ``(n, n_components)`` from products with the normalized adjacency alone.

    product: of a vector ``(n,)`` in single precision with D^-1/2 A D^-1/2; degrees: ``(n,)``, 0 for
    vertices without an edge, which get zero rows. The eigenvectors of the eigenvalue 1 are known:
    one for each component of the graph. They are taken out, so that ARPACK need not find a multiple
    eigenvalue, which it may miss. None where there are more components than vectors to find, or
    ARPACK gives up.
    """
    live = degrees > 0
    known = _component_vectors(product, degrees, live, n_components)
    if known is None or n_components > live.sum() // 4:
        return None
    vectors = known
    if n_components > known.shape[1]:
        found = _lanczos_beside(product, known, live, n_components - known.shape[1])
        if found is None:
            return None
        vectors = np.concatenate([known, found], 1)
    return vectors * np.where(live, 1 / np.sqrt(np.where(live, degrees, 1)), 0)[:, None]


def _component_vectors(
    product: Callable[[NDArray[np.float32]], NDArray[np.float32]],
    degrees: NDArray[np.float32],
    live: NDArray[np.bool_],
    at_most: int,
) -> NDArray[np.float32] | None:
    """D^1/2 on each component, of length 1: ``(n, n_components)``; None for more than `at_most`."""
    left, found = live.copy(), []
    while left.any():
        if len(found) == at_most:
            return None
        reached = np.zeros(len(degrees), np.float32)
        reached[np.argmax(left)] = 1
        n_reached = 0
        while n_reached < (n_now := int(reached.sum())):
            n_reached = n_now
            reached = np.maximum(reached, product(reached) > 0)
        vector = np.sqrt(degrees) * reached
        found.append(vector / np.linalg.norm(vector))
        left &= reached == 0
    return np.stack(found, 1).astype(np.float32)


def _lanczos_beside(
    product: Callable[[NDArray[np.float32]], NDArray[np.float32]],
    known: NDArray[np.float32],
    live: NDArray[np.bool_],
    n_components: int,
) -> NDArray[np.float32] | None:
    """Eigenvectors ``(n, n_components)`` of the largest eigenvalues but the known ones', which are
    moved from 1 to the other end, -1."""

    def deflated(x: NDArray[np.float32]) -> NDArray[np.float32]:
        x = np.asarray(x, np.float32).ravel()
        return product(x) - 2 * known @ (known.T @ x)

    n, rng = len(known), np.random.default_rng(0)
    operator = LinearOperator((n, n), matvec=deflated, dtype=np.float32)
    start = rng.standard_normal(n).astype(np.float32) * live
    ncv = min(max(4 * n_components, 40), n - 1)
    try:
        values, vectors = eigsh(
            operator, k=n_components, which="LA", v0=start, ncv=ncv, tol=ARPACK_TOLERANCE, rng=rng
        )
    except ArpackNoConvergence:
        return None
    order = np.argsort(values)[::-1]
    return None if _missed_one(operator, values, vectors) else vectors[:, order]
