"""Small networks and graphs that several tests cluster, and a look at the global random state."""

from __future__ import annotations

import random
from collections.abc import Iterator, Sequence
from contextlib import contextmanager
from itertools import pairwise

import numpy as np
import scipy.sparse as sp
import torch


def rng_of(seed: int) -> np.random.Generator:
    return np.random.default_rng(seed)


def keep_largest(matrix: np.ndarray, sparsity: float) -> np.ndarray:
    """The matrix with its smallest magnitudes, a share `sparsity`, set to 0."""
    return np.where(np.abs(matrix) >= np.quantile(np.abs(matrix), sparsity), matrix, 0.0)


def pruned_mlp(sizes: Sequence[int], seed: int, sparsity: float = 0.9) -> list[np.ndarray]:
    """Weights without structure, pruned layer by layer."""
    rng = rng_of(seed)
    return [
        keep_largest(rng.normal(size=(n_out, n_in)), sparsity) for n_in, n_out in pairwise(sizes)
    ]


def group_of_units(sizes: Sequence[int], n_groups: int) -> np.ndarray:
    """Groups 0, 1, ... of equal size in every layer, over all units."""
    return np.concatenate([np.arange(size) * n_groups // size for size in sizes])


def grouped_mlp(
    sizes: Sequence[int], n_groups: int, seed: int, *, between: float = 0.0, sparsity: float = 0.5
) -> list[np.ndarray]:
    """Weights in `n_groups` parts, each dense after pruning; those between parts are scaled."""
    rng = rng_of(seed)
    weights = []
    for n_in, n_out in pairwise(sizes):
        columns, rows = group_of_units([n_in], n_groups), group_of_units([n_out], n_groups)
        same = rows[:, None] == columns
        weight = keep_largest(rng.normal(size=(n_out, n_in)), sparsity)
        weights.append(weight * np.where(same, 1.0, between))
    return weights


def normalized(adjacency: sp.csr_array) -> np.ndarray:
    """D^-1/2 A D^-1/2 as a dense matrix; rows of isolated vertices are 0."""
    dense = adjacency.toarray()
    degrees = dense.sum(1)
    scale = np.divide(1.0, np.sqrt(degrees), out=np.zeros_like(degrees), where=degrees > 0)
    return dense * scale[:, None] * scale


def _global_states() -> list[object]:
    name, keys, position, *rest = np.random.get_state()
    return [random.getstate(), name, keys.tolist(), position, rest, torch.get_rng_state().tolist()]


@contextmanager
def global_random_state_untouched() -> Iterator[None]:
    """Fails where the block draws from Python's, numpy's or torch's global generator."""
    before = _global_states()
    yield
    assert _global_states() == before
