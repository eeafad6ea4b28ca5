"""Random similarities with the row sums of given ones: what modularity is to be compared with."""

from __future__ import annotations

import numpy as np
from numpy.typing import ArrayLike
from threadpoolctl import threadpool_limits
from torch import Tensor

from modclust_utils.doors import as_rng
from modclust_utils.modularity_matrix import Floats, check_similarity

# Of the strengths of a null; the rounds are some ten, or some dozens for a star.
_NULL_TOLERANCE = 1e-9
_NULL_ROUNDS = 500
_LEAST_RATIO = 1e-6


def strength_null(similarity: ArrayLike | Tensor, *, rng: np.random.Generator) -> Floats:
    """Random similarities with the same strengths (row sums): what Q* is to be compared with.

    Each similarity is divided by x[i] x[j], what the strengths alone let one expect; these ratios
    are permuted over all pairs of units that have any similarity, multiplied by x[i] x[j] at their
    new place, and scaled, S[i, j] y[i] y[j], until the strengths are back. That narrows the ratios,
    so it is done once more with their old values in the order of the new ones. A matrix made of
    strengths and independent ratios, which has no clusters, is then much like its own nulls.

    Parameters
    ----------
    similarity : array_like or tensor ``(n, n)`` or ``(S, n, n)``
        0 or more, symmetric; the diagonal is ignored. Each matrix of a batch has its own random
        stream (`Generator.spawn`); for many nulls of one, repeat it.
    rng : numpy.random.Generator
        Where the permutations come from.

    Returns
    -------
    ndarray, shaped like similarity
        Strengths agree to 1 part in 1e9; 0 on the diagonal. Where no other matrix has the same
        strengths, it is the given one: up to three units, or a star.

    Raises
    ------
    ValueError
        For a similarity that is no such matrix, or strengths that no null comes close to.

    Notes
    -----
    Ratios below 1e-6 count as 1e-6, so that zeros at any place can be scaled. To permute the
    similarities themselves would be no fair null: large ones, which belong to strong units, would
    fall on weak ones, and the scaled matrix is far more uneven than the given one.

    References
    ----------
    .. [1] Maslov and Sneppen 2002, Science 296, 910: networks rewired with their degrees kept.
    .. [2] Rubinov and Sporns 2011, NeuroImage 56, 2068: the same for weights and strengths.
    .. [3] Knight, Ruiz and Uçar 2014, SIAM Journal on Matrix Analysis and Applications 35, 931: the
       symmetric scaling.
    .. [4] Schreiber and Schmitz 1996, Physical Review Letters 77, 635: old values by new ranks.

    Examples
    --------
    >>> similarity = np.array([[0, 1, 2, 3], [1, 0, 4, 2], [2, 4, 0, 1], [3, 2, 1, 0]])
    >>> null = strength_null(similarity, rng=np.random.default_rng(0))
    >>> null.sum(1).round(6).tolist(), bool(np.allclose(null, similarity))
    ([6.0, 7.0, 7.0, 6.0], False)
    """
    matrices, largest, batched = check_similarity(similarity)
    with threadpool_limits(1, "blas"):
        rngs = as_rng(rng).spawn(len(matrices))
        nulls = np.stack([_null(m, r) for m, r in zip(matrices, rngs, strict=True)]) * largest
    return nulls if batched else nulls[0]


def _null(matrix: Floats, rng: np.random.Generator) -> Floats:
    live = np.flatnonzero(matrix.any(1))
    if len(live) == 0:
        return matrix
    strengths = matrix[live].sum(1)
    pairs = np.triu_indices(len(live), 1)
    expected = _scaled(1 - np.eye(len(live)), strengths)[pairs]
    ratios = np.sort((matrix[np.ix_(live, live)][pairs] / expected).clip(_LEAST_RATIO))
    order = rng.permutation(len(ratios))
    for _ in range(2):
        shuffled = np.zeros((len(live), len(live)))
        shuffled[pairs] = expected * ratios[order]
        scaled = _scaled(shuffled + shuffled.T, strengths)
        order = (scaled[pairs] / expected).argsort(kind="stable").argsort(kind="stable")
    null = np.zeros_like(matrix)
    null[np.ix_(live, live)] = scaled
    return null


def _scaled(matrix: Floats, strengths: Floats) -> Floats:
    """The matrix M[i, j] exp(u[i] + u[j]) with the given row sums.

    Damped Newton for the minimum of Σ M[i, j] exp(u[i] + u[j]) / 2 - Σ strengths[i] u[i], which is
    convex; its curvature along a step h grows at most by exp(2 max |h|), and steps of this length
    always go down.
    """
    u = np.log(strengths) - np.log(strengths.sum()) / 2
    for _ in range(_NULL_ROUNDS):
        scaled = matrix * np.exp(u[:, None] + u)
        reached = scaled.sum(1)
        if np.abs(reached / strengths - 1).max() < _NULL_TOLERANCE:
            return scaled
        # a little more on the diagonal, since two units alone have no single solution
        step = np.linalg.solve(scaled + np.diag(reached * (1 + 1e-9)), strengths - reached)
        length = 2 * np.abs(step).max()
        u += step * np.log1p(length) / length
    raise ValueError("similarity has strengths that no other similarities come close to")
