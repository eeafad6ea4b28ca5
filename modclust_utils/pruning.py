"""Which weights pruning takes away, and how many at each step (paper A, appendix A.2)."""

from __future__ import annotations

import math

import numpy as np
import torch
from torch import Tensor

from modclust_utils.doors import as_count, as_number, check_finite
from modclust_utils.network_doors import as_stack


def polynomial_sparsity(
    step: int,
    *,
    n_steps: int,
    initial_sparsity: float = 0.5,
    final_sparsity: float = 0.9,
    power: float = 3.0,
) -> float:
    """Target sparsity at a pruning step: polynomial decay from initial to final.

    s(t) = s_f + (s_i - s_f) (1 - t / n_steps)^power, constant outside 0 <= t <= n_steps.

    Parameters
    ----------
    step : int
        t, training steps since the start of the pruning phase.
    n_steps : int
        Steps of the whole pruning phase.
    initial_sparsity, final_sparsity : float
        s_i and s_f, shares of the weights that are 0.
    power : float
        3 for the cubic schedule.

    Returns
    -------
    float
        Share of the weights to set to 0.

    Raises
    ------
    ValueError
        If n_steps is below 1, for a share outside 0 to 1, a power of 0 or less, or NaN.

    References
    ----------
    .. [1] Filan et al. 2020, arXiv:2003.04881 (paper A), appendix A.2.
    .. [2] Zhu and Gupta 2017, "To prune, or not to prune", arXiv:1710.01878, equation 1.

    Examples
    --------
    Half of the way leaves one eighth of the distance from 0.5 to 0.9.

    >>> round(polynomial_sparsity(50, n_steps=100), 12)
    0.85
    """
    n_steps, step = as_count("n_steps", n_steps), as_number("step", step)
    initial_sparsity = as_number("initial_sparsity", initial_sparsity)
    final_sparsity = as_number("final_sparsity", final_sparsity)
    power = as_number("power", power)
    shares = {"initial_sparsity": initial_sparsity, "final_sparsity": final_sparsity}
    for name, share in shares.items():
        if not 0.0 <= share <= 1.0:
            raise ValueError(f"{name}={share!r} is not allowed: 0 <= {name} <= 1")
    if not power > 0:
        raise ValueError(f"power={power!r} is not allowed: above 0")
    if math.isnan(step):
        raise ValueError(f"step={step!r} is not allowed: a number of steps")
    progress = min(max(step / n_steps, 0.0), 1.0)
    return final_sparsity + (initial_sparsity - final_sparsity) * (1.0 - progress) ** power


def magnitude_mask(weight: Tensor, sparsity: float) -> Tensor:
    """The weights that pruning keeps: the largest magnitudes of each matrix.

    Parameters
    ----------
    weight : Tensor ``(..., n_out, n_in)``
        One matrix or a batch of them; each is pruned by itself.
    sparsity : float
        Share of the entries to remove, from 0 to 1.

    Returns
    -------
    bool Tensor ``(..., n_out, n_in)``
        True for ``round(size * (1 - sparsity))`` entries of each matrix, and for all others of the
        same magnitude as the smallest of these.

    Raises
    ------
    ValueError
        Unless 0 <= sparsity <= 1, and for weights that are NaN or infinite.

    Examples
    --------
    >>> magnitude_mask(torch.tensor([[1.0, -3.0], [2.0, 0.0]]), 0.5)
    tensor([[False,  True],
            [ True, False]])
    """
    sparsity, weight = as_number("sparsity", sparsity), as_stack("weight", weight)
    if not 0.0 <= sparsity <= 1.0:
        raise ValueError(f"sparsity={sparsity!r} is not allowed: 0 <= sparsity <= 1")
    # the least whole number of a type has no magnitude in it
    weight = weight if weight.is_floating_point() else weight.double()
    check_finite("weight", weight)
    magnitude = weight.abs()
    size = weight.shape[-2] * weight.shape[-1]
    n_keep = round(size * (1.0 - sparsity))
    if n_keep == 0:
        return torch.zeros_like(magnitude, dtype=torch.bool)
    flat = magnitude.reshape(-1, size)
    threshold = _kth_smallest(flat, size - n_keep)
    return magnitude >= threshold.reshape(*weight.shape[:-2], 1, 1)


def _kth_smallest(rows: Tensor, k: int) -> Tensor:
    """The k-th smallest value (from 0) of each row; no value is negative."""
    if rows.device.type == "cpu":
        return torch.from_numpy(np.array([_select(row, k) for row in rows.numpy()]))
    return rows.kthvalue(k + 1, dim=1).values


def _select(row: np.ndarray, k: int) -> np.floating:
    """The k-th smallest value (from 0) of a row without negative values.

    numpy's selection is several times faster on the CPU than torch.kthvalue, but slow among many
    equal values: the zeros that pruning has left are counted, not sorted.
    """
    nonzero = row[row != 0]
    k -= len(row) - len(nonzero)
    return row.dtype.type(0) if k < 0 else np.partition(nonzero, k)[k]
