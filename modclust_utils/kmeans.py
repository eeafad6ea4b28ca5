"""k-means for many small point sets, and many starts of each, at once.

Spectral clustering ends with k-means in a space of k dimensions (paper A, algorithm 1). A shuffle
test runs it thousands of times on a few thousand points, where one start after the other spends
its time on overhead. Here S point sets with I starts each are one array operation. The method is
that of scikit-learn: greedy k-means++ starts, Lloyd's iterations, the start with the least inertia.
"""

from __future__ import annotations

import math

import numpy as np
import torch
from numpy.typing import NDArray
from torch import Tensor

MAX_ITERATIONS = 300
RELATIVE_TOLERANCE = 1e-4
ROUNDING = 1e-5
# Looking which starts have converged makes a GPU wait: do it every few iterations there.
CHECK_EVERY_ON_GPU = 8


def n_trials(n_clusters: int) -> int:
    """Candidates per centre in greedy k-means++ (Arthur and Vassilvitskii 2007, section 6)."""
    return 2 + int(math.log(n_clusters))


def draw_uniforms(n_clusters: int, n_init: int, rng: np.random.Generator) -> NDArray[np.float64]:
    """All random numbers that one point set needs: ``(n_clusters, n_init, n_trials)`` in [0, 1)."""
    return rng.random((n_clusters, n_init, n_trials(n_clusters)))


def kmeans(points: Tensor, live: Tensor, uniforms: Tensor) -> Tensor:
    """Labels ``(S, n)`` of the best start of each point set; -1 where not `live`.

    points: ``(S, n, d)``; live: boolean ``(S, n)``, at least n_clusters True in each row;
    uniforms: ``(S, n_clusters, n_init, n_trials)`` from `draw_uniforms`.
    """
    weight = live.to(points.dtype)
    count = weight.sum(1)
    mean = (points * weight.unsqueeze(2)).sum(1) / count.unsqueeze(1)
    points = (points - mean.unsqueeze(1)) * weight.unsqueeze(2)
    variance = points.square().sum(1).mean(1) / count
    centres = _plus_plus(points, weight, uniforms.to(points))
    columns = torch.cat([points, weight.unsqueeze(2)], 2).mT.contiguous()
    centres = _lloyd(columns, centres, RELATIVE_TOLERANCE * variance)
    distances = _partial_distances(columns, centres)
    inertia = distances.amin(2).sum(2)
    # starts that found the same partition differ by rounding alone: the first of them counts
    slack = ROUNDING * points.square().sum((1, 2))
    best = (inertia <= inertia.amin(1, keepdim=True) + slack[:, None]).int().argmax(1)
    nearest = distances[torch.arange(len(points), device=points.device), best].min(1).indices
    return nearest.masked_fill(~live, -1)


def _partial_distances(columns: Tensor, centres: Tensor) -> Tensor:
    """|c|^2 - 2 x.c, ``(S, I, k, n)``: squared distances up to |x|^2, which no minimum needs.

    columns: ``(S, d + 1, n)``, the coordinates and a row that is 0 for points that do not count;
    there all distances are 0.
    """
    n_sets, n_init, k, d = centres.shape
    lifted = torch.cat([-2 * centres, centres.square().sum(3, keepdim=True)], 3)
    distances = torch.bmm(lifted.view(n_sets, n_init * k, d + 1), columns)
    return distances.view(n_sets, n_init, k, -1)


def _plus_plus(points: Tensor, weight: Tensor, uniforms: Tensor) -> Tensor:
    """Greedy k-means++ centres ``(S, I, k, d)``: of some candidates drawn in proportion to the
    squared distance from the nearest centre, the one that lowers the inertia most."""
    n_sets, n, d = points.shape
    n_clusters, n_init, trials = uniforms.shape[1:]
    squared = points.square().sum(2)
    rows = torch.arange(n_sets, device=points.device)[:, None]

    first = _draw(weight.unsqueeze(1).expand(n_sets, n_init, n), uniforms[:, 0, :, :1])
    chosen = points[rows, first[..., 0]]
    centres = [chosen]
    nearest = _squared_distances(points, squared, chosen) * weight.unsqueeze(1)
    for c in range(1, n_clusters):
        candidates = _draw(nearest, uniforms[:, c]).reshape(n_sets, n_init * trials)
        positions = points[rows, candidates]
        distances = _squared_distances(points, squared, positions).view(n_sets, n_init, trials, n)
        distances = torch.minimum(distances, nearest.unsqueeze(2))
        best = distances.sum(3).argmin(2)
        index = best[:, :, None, None]
        nearest = distances.gather(2, index.expand(-1, -1, 1, n)).squeeze(2)
        positions = positions.view(n_sets, n_init, trials, d)
        centres.append(positions.gather(2, index.expand(-1, -1, 1, d)).squeeze(2))
    return torch.stack(centres, 2)


def _squared_distances(points: Tensor, squared: Tensor, positions: Tensor) -> Tensor:
    """Squared distances ``(S, m, n)`` from positions ``(S, m, d)`` to the points."""
    own = positions.square().sum(2, keepdim=True)
    cross = torch.baddbmm(own + squared.unsqueeze(1), positions, points.mT, alpha=-2)
    return cross.clamp_(min=0)


def _draw(mass: Tensor, uniforms: Tensor) -> Tensor:
    """Indices ``(S, I, t)`` drawn with probability in proportion to mass ``(S, I, n)``."""
    cumulative = mass.cumsum(2)
    targets = uniforms * cumulative[..., -1:]
    return torch.searchsorted(cumulative, targets, right=True).clamp_(max=mass.shape[2] - 1)


def _lloyd(columns: Tensor, centres: Tensor, tolerance: Tensor) -> Tensor:
    """Lloyd's iterations until the centres of every start move by less than `tolerance`.

    A start that has converged in its point set stays as it is, so that no result depends on the
    other sets; one that has converged in all sets is left out of the iterations that follow.
    columns as in `_partial_distances`.
    """
    found = centres.clone()
    active = torch.arange(centres.shape[1], device=columns.device)
    stopped = torch.zeros(centres.shape[:2], dtype=torch.bool, device=columns.device)
    check_every = 1 if columns.device.type == "cpu" else CHECK_EVERY_ON_GPU
    for iteration in range(MAX_ITERATIONS):
        moved = _lloyd_step(columns, centres)
        moved = torch.where(stopped[:, :, None, None], centres, moved)
        shift = (moved - centres).square_().sum((2, 3))
        stopped = stopped | (shift <= tolerance[:, None])
        centres = moved
        if iteration % check_every == 0:
            going = ~stopped.all(0)
            if not going.all():
                found[:, active] = centres
                active, centres, stopped = active[going], centres[:, going], stopped[:, going]
                if len(active) == 0:
                    return found
    found[:, active] = centres
    return found


def _lloyd_step(columns: Tensor, centres: Tensor) -> Tensor:
    """Every centre moved to the mean of its points; one without points stays where it is."""
    n_sets, n_init, k, d = centres.shape
    distances = _partial_distances(columns, centres)
    # comparing with the minimum, in place, is many times faster on a CPU than argmin over k
    member = distances.eq_(distances.amin(2, keepdim=True))
    sums = torch.bmm(member.view(n_sets, n_init * k, -1), columns.mT)
    sums = sums.view(n_sets, n_init, k, d + 1)
    size = sums[..., d:]
    return torch.where(size > 0, sums[..., :d] / size.clamp(min=1), centres)
