"""Modularity: how well a similarity matrix of units falls apart into clusters.

Paper C, section 3.2 and appendix A.1. A similarity matrix is symmetric and 0 or more; its diagonal,
the similarity of a unit to itself, is left out. Divided by its sum it is the matrix Ã with the
strengths (row sums) d, and B = Ã - d dᵀ is what the similarities are beyond chance. Labels are
integers from 0; label -1 is the 'unused' group, the units without similarity to any other.
"""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass
from typing import Any, Literal, get_args

import numpy as np
from numpy.typing import ArrayLike
from threadpoolctl import threadpool_limits
from torch import Tensor

from modclust_utils.doors import as_array, as_choice, as_count, as_labels, as_rng
from modclust_utils.leiden import leiden
from modclust_utils.modularity_matrix import (
    Floats,
    Labels,
    check_similarity,
    modularity_matrix,
    q_of,
)
from modclust_utils.modularity_search import as_entropy, monte_carlo, spectral_start

Method = Literal["monte_carlo", "leiden"]
Start = Literal["spectral", "single"]

# Matrices that walk side by side: as many as the processor's cache holds.
_BLOCK = 512


@dataclass(frozen=True)
class ModularClusters:
    """Clusters of one similarity matrix, or of a batch of S.

    labels: ``(n,)`` or ``(S, n)``, from 0 in the order of their first units, -1 for 'unused';
    q: their modularity, and q_start: that of the start of the search; numbers, or ``(S,)``. Both
    are NaN where no unit is similar to another.
    """

    labels: Labels
    q: float | Floats
    q_start: float | Floats


def modularity(similarity: ArrayLike | Tensor, labels: ArrayLike) -> float | Floats:
    """Modularity Q of clusters: similarity inside them, less what chance gives (paper C, eq. 8).

    Q = Σ B[i, j] over all pairs of units with one label, from -1/2 to 1.

    Parameters
    ----------
    similarity : array_like or tensor ``(n, n)`` or ``(S, n, n)``
        0 or more, symmetric; the diagonal is ignored.
    labels : array_like of int ``(n,)`` or ``(S, n)``
        Cluster of each unit; -1 for units outside, which have no similarity to others.

    Returns
    -------
    float, or ndarray ``(S,)`` for a batch
        NaN where no unit is similar to another.

    Raises
    ------
    ValueError
        For a similarity that is no such matrix, or labels that do not fit it.

    References
    ----------
    .. [1] Lange et al. 2022 (paper C), equations 6 to 8.
    .. [2] Newman and Girvan 2004, Physical Review E 69, 026113.

    Examples
    --------
    Two pairs: all similarity is inside, and chance would leave half of it there.

    >>> pairs = np.kron(np.eye(2), [[0.0, 1.0], [1.0, 0.0]])
    >>> modularity(pairs, [0, 0, 1, 1])
    0.5
    """
    matrices, _, batched = check_similarity(similarity)
    chosen = _check_labels(labels)
    expected = matrices.shape[:2] if batched else matrices.shape[1:2]
    if chosen.shape != expected:
        raise ValueError(f"labels has shape {chosen.shape}; allowed: {expected}")
    chosen = chosen.reshape(matrices.shape[:2])
    outside = np.argwhere((chosen == -1) & (matrices > 0).any(2))
    if len(outside):
        raise ValueError(
            f"labels is -1 at unit {outside[0, 1]}, which is similar to others; "
            "allowed: -1 for units without similarity"
        )
    q = np.concatenate([q_of(modularity_matrix(m), c) for m, c in _blocks(matrices, chosen)])
    return q if batched else float(q[0])


def _check_labels(labels: ArrayLike) -> Labels:
    array = as_array("labels", labels, "integers from -1")
    return as_labels("labels", array.ravel()).reshape(array.shape)


def _blocks(*arrays: Any) -> list[tuple[Any, ...]]:
    n = len(arrays[0])
    return [tuple(a[i : i + _BLOCK] for a in arrays) for i in range(0, n, _BLOCK)]


def maximize_modularity(
    similarity: ArrayLike | Tensor,
    *,
    rng: np.random.Generator | Sequence[np.random.Generator],
    n_steps: int = 5000,
    entropy: float = 0.15,
    method: Method = "monte_carlo",
    n_starts: int = 10,
    start: Start = "spectral",
) -> ModularClusters:
    """Clusters with the largest modularity that a search finds: P* and Q* of paper C (equation 9).

    Parameters
    ----------
    similarity : array_like or tensor ``(n, n)`` or ``(S, n, n)``
        0 or more, symmetric; the diagonal is ignored. Matrices of a batch are searched side by
        side, each with its own random stream: the result is that of one after the other.
    rng : numpy.random.Generator, or S of them
        Where the random streams come from (`Generator.spawn`); or the stream of each matrix.
    n_steps, entropy : int, float
        Of Monte Carlo: 0 steps give its start; the entropy of each move is in nats.
    method : {"monte_carlo", "leiden"}
        "monte_carlo" splits clusters by leading eigenvectors, then moves unit by unit, as paper C
        does; its q is never below q_start. "leiden" is a second opinion, with no part of the other:
        the best of `n_starts` runs of igraph's Leiden algorithm.
    n_starts : int
        Of Leiden.
    start : {"spectral", "single"}
        Where Monte Carlo starts: from the split by eigenvectors, or from all units in one cluster.

    Returns
    -------
    ModularClusters
        Arrays have a leading axis S for a batch.

    Raises
    ------
    ValueError
        For a similarity that is no such matrix, or another parameter out of range.
    ImportError
        For "leiden" where igraph is not installed.

    Notes
    -----
    Some partition is found on noise too, and its Q is not small: compare with
    `strength_nulls.strength_null`. Units without similarity to any other take no part: label -1.

    References
    ----------
    .. [1] Lange et al. 2022 (paper C), algorithms 1 to 3.
    .. [2] Traag, Waltman and van Eck 2019, "From Louvain to Leiden", Scientific Reports 9, 5233.

    Examples
    --------
    >>> pairs = np.kron(np.eye(3), [[0.0, 1.0], [1.0, 0.0]])
    >>> found = maximize_modularity(pairs, rng=np.random.default_rng(0), n_steps=20)
    >>> found.labels.tolist(), round(found.q, 6)
    ([0, 0, 1, 1, 2, 2], 0.666667)
    """
    matrices, _, batched = check_similarity(similarity)
    as_choice("method", method, get_args(Method))
    as_choice("start", start, get_args(Start))
    n_steps, n_starts = as_count("n_steps", n_steps, 0), as_count("n_starts", n_starts)
    entropy = as_entropy(entropy)
    parts = []
    # eigenvectors of small matrices are found many times slower by several threads
    with threadpool_limits(1, "blas"):
        for block, rngs in _blocks(matrices, _streams(rng, len(matrices))):
            beyond, live = modularity_matrix(block), (block > 0).any(2)
            first = np.where(live, 0, -1)
            if start == "spectral":
                each = zip(beyond, live, strict=True)
                first = _in_order(np.stack([spectral_start(b, u) for b, u in each]))
            if method == "monte_carlo":
                labels = monte_carlo(beyond, first, rngs, n_steps, entropy)
            else:
                each = zip(block, beyond, rngs, strict=True)
                labels = np.stack([leiden(m, b, r, n_starts) for m, b, r in each])
            parts.append((_in_order(labels), q_of(beyond, labels), q_of(beyond, first)))
    labels, q, q_start = (np.concatenate(each) for each in zip(*parts, strict=True))
    if batched:
        return ModularClusters(labels, q, q_start)
    return ModularClusters(labels[0], float(q[0]), float(q_start[0]))


def _streams(
    rng: np.random.Generator | Sequence[np.random.Generator], n: int
) -> Sequence[np.random.Generator]:
    if not isinstance(rng, list | tuple):
        return as_rng(rng).spawn(n)
    if len(rng) != n or not all(isinstance(each, np.random.Generator) for each in rng):
        raise ValueError(f"rng={rng!r} is not allowed: one Generator, or one for each of {n}")
    return rng


def _in_order(labels: Labels) -> Labels:
    """The same clusters, numbered in the order of their first units."""
    ordered = np.full_like(labels, -1)
    for new, old in zip(ordered, labels, strict=True):
        used = old >= 0
        _, first, inverse = np.unique(old[used], return_index=True, return_inverse=True)
        new[used] = first.argsort().argsort()[inverse]
    return ordered


def n_effective_clusters(labels: ArrayLike) -> float | Floats:
    """Number of clusters as exp of the entropy of their shares of the units (paper C, eq. 10).

    k clusters of one size count as k, unequal ones as fewer.

    Parameters
    ----------
    labels : array_like of int ``(n,)`` or ``(S, n)``
        Cluster of each unit; the unused, label -1, are left out.

    Returns
    -------
    float, or ndarray ``(S,)``
        0 where all are unused.

    Raises
    ------
    ValueError
        For labels of another shape or that are not integers from -1.

    Examples
    --------
    >>> n_effective_clusters([[0, 0, 1, 1], [0, 0, 0, 1], [2, -1, -1, -1]]).round(3).tolist()
    [2.0, 1.755, 1.0]
    """
    chosen = _check_labels(labels)
    if chosen.ndim not in (1, 2) or 0 in chosen.shape:
        raise ValueError(f"labels has shape {chosen.shape}; allowed: (n,) or (S, n)")
    numbers = np.array([_exp_entropy(each[each >= 0]) for each in np.atleast_2d(chosen)])
    return numbers if chosen.ndim == 2 else float(numbers[0])


def _exp_entropy(labels: Labels) -> float:
    if len(labels) == 0:
        return 0.0
    shares = np.unique(labels, return_counts=True)[1] / len(labels)
    return float(np.exp(-(shares * np.log(shares)).sum()))


def element_similarity(a: ArrayLike, b: ArrayLike) -> float:
    """Element-centric similarity of two partitions of the same units: 1 where they are equal.

    It is the mean over units of |A ∩ B| / max(|A|, |B|), with A and B the clusters of the unit.

    Parameters
    ----------
    a, b : array_like of int ``(n,)``
        Labels; the unused, label -1, are one more cluster, as in paper C (section 4.3).

    Returns
    -------
    float
        Above 0, up to 1.

    Raises
    ------
    ValueError
        For labels of different shapes or that are not integers from -1.

    Notes
    -----
    Gates et al. compare p, the personalized PageRank of a unit in the graph of its cluster:
    p_A(j) = α / |A| in A, plus 1 - α at the unit itself. In 1 - Σ |p_A(j) - p_B(j)| / (2 α) the
    terms 1 - α and then α cancel, and with m = |A ∩ B| the sum is
    m |1/|A| - 1/|B|| + (|A| - m) / |A| + (|B| - m) / |B| = 2 - 2 m / max(|A|, |B|).

    References
    ----------
    .. [1] Gates et al. 2019, "Element-centric clustering comparison unifies overlaps and
       hierarchy", Scientific Reports 9, 8574.

    Examples
    --------
    >>> element_similarity([0, 0, 1, 1], [0, 0, 0, 0])
    0.5
    """
    first, second = as_labels("a", a), as_labels("b", b)
    if first.shape != second.shape or len(first) == 0:
        raise ValueError(
            f"a and b have shapes {first.shape} and {second.shape}; allowed: the same, (n,)"
        )
    rows, columns = (np.unique(each, return_inverse=True)[1] for each in (first, second))
    shared = np.zeros((rows.max() + 1, columns.max() + 1))
    np.add.at(shared, (rows, columns), 1)
    larger = np.maximum(shared.sum(1)[:, None], shared.sum(0))
    return float((shared**2 / larger).sum() / len(first))
