"""The matrix that modularity is a sum of, from similarities (paper C, equations 6 to 8)."""

from __future__ import annotations

import numpy as np
from numpy.typing import ArrayLike, NDArray
from torch import Tensor

from modclust_utils.doors import as_numbers

Floats = NDArray[np.float64]
Labels = NDArray[np.int64]


def check_similarity(similarity: ArrayLike | Tensor) -> tuple[Floats, Floats, bool]:
    """A copy ``(S, n, n)`` with zeros on the diagonal, divided by its largest entries; these
    ``(S, 1, 1)``; and whether it was a batch.

    Raises ValueError for what is no similarity: symmetric, finite, 0 or more.
    """
    matrices = as_numbers("similarity", similarity)
    shape = matrices.shape
    if len(shape) not in (2, 3) or shape[-1] != shape[-2] or 0 in shape:
        raise ValueError(f"similarity has shape {shape}; allowed: (n, n) or (S, n, n)")
    matrices = matrices.reshape(-1, shape[-1], shape[-1])
    np.einsum("sii->si", matrices)[:] = 0.0
    if not np.isfinite(matrices).all():
        raise ValueError("similarity holds NaN or infinity; allowed: finite numbers")
    if (matrices < 0).any():
        raise ValueError(f"similarity has entries down to {matrices.min():g}; allowed: 0 or more")
    largest = matrices.max((1, 2), keepdims=True)
    np.divide(matrices, largest, out=matrices, where=largest > 0)
    # float32 products such as JᵀJ are symmetric to single precision only
    if np.abs(matrices - matrices.mT).max() > 1e-6:
        raise ValueError("similarity is not symmetric; allowed: the same for i, j and j, i")
    return (matrices + matrices.mT) / 2, largest, len(shape) == 3


def modularity_matrix(matrices: Floats) -> Floats:
    """B = Ã - d dᵀ of each matrix ``(S, n, n)``; NaN where it is all 0."""
    totals = matrices.sum((1, 2), keepdims=True)
    normalized = matrices / np.where(totals > 0, totals, np.nan)
    strengths = normalized.sum(2)
    return normalized - strengths[:, :, None] * strengths[:, None]


def q_of(beyond: Floats, labels: Labels) -> Floats:
    """Q of the labels ``(S, n)`` of each matrix: what its B holds inside clusters."""
    same = labels[:, :, None] == labels[:, None]
    return (beyond * same).sum((1, 2))
