"""The search for clusters of large modularity of paper C: a spectral start, then random moves.

Algorithms 2 and 3 of the paper's appendix A.1, for many matrices side by side.
"""

from __future__ import annotations

from collections.abc import Sequence

import numpy as np
from numpy.typing import ArrayLike, NDArray

from modclust_utils.doors import as_number, as_numbers
from modclust_utils.modularity_matrix import Floats, Labels

# Differences of Q below this are rounding: neither a gain nor a reason to prefer a cluster.
_ROUNDING = 1e-14
# Steps whose random numbers are drawn at a time.
_DRAWN = 250
# The score of what is no candidate, finite so that 0 times it is 0.
_BARRED = -1e250
# 1 / τ, in units of the smallest gap, of two candidates with an entropy of 0.15.
_FIRST_INVERSE = 3.36
_MAX_NEWTON = 100


def spectral_start(beyond: Floats, live: NDArray[np.bool_]) -> Labels:
    """Clusters split by the sign of leading eigenvectors of B while Q grows (algorithm 2).

    Q is a sum over clusters, so it does not matter which of them is split first.
    """
    labels = np.where(live, 0, -1)
    waiting = [np.flatnonzero(live)] if live.any() else []
    while waiting:
        units = waiting.pop()
        within = beyond[np.ix_(units, units)]
        values, vectors = np.linalg.eigh(within)
        leading = vectors[:, -1] * np.sign(vectors[np.abs(vectors[:, -1]).argmax(), -1])
        apart = leading < -1e-9  # entries that are 0 have no sign of their own
        # a split adds -2 times what B holds between the parts to Q
        if values[-1] > 0 and within[apart][:, ~apart].sum() < -_ROUNDING:
            labels[units[apart]] = labels.max() + 1
            waiting += [units[~apart], units[apart]]
    return labels


def as_entropy(entropy: float) -> float:
    """A finite number above 0. Raises ValueError for anything else."""
    number = as_number("entropy", entropy)
    if not 0 < number < np.inf:
        raise ValueError(f"entropy={entropy!r} is not allowed: above 0, in nats")
    return number


def move_probabilities(scores: ArrayLike, entropy: float) -> Floats:
    """Probabilities p ∝ exp(score / τ) with τ such that their entropy is the given one, in nats.

    scores: ``(c,)``, or ``(c, S)`` for S such choices, finite. Where even τ to 0 leaves more
    entropy, since the best are tied, they share all; where it is more than ln c, all are equally
    likely.
    Paper C, algorithm 3, lines 13 and 14. Raises ValueError for an entropy of 0 or less, and for
    other scores.
    """
    entropy = as_entropy(entropy)
    values = as_numbers("scores", scores, "numbers (c,) or (c, S)")
    if values.ndim not in (1, 2) or values.size == 0:
        raise ValueError(
            f"scores has shape {values.shape}; allowed: (c,) or (c, S), c and S of 1 or more"
        )
    if not np.isfinite(values).all():
        raise ValueError("scores holds NaN or infinity; allowed: finite numbers")
    columns = values.reshape(len(values), -1)
    weights = _move_weights(columns.max(0) - columns, entropy)
    return (weights / weights.sum(0)).reshape(values.shape)


def _move_weights(gaps: Floats, entropy: float) -> Floats:
    """Probabilities, up to their sum, of candidates whose scores are `gaps` below the best."""
    tied = gaps < _ROUNDING
    # in units of the smallest gap, where 1 / τ is about the same for all
    scaled = gaps / np.where(tied, np.inf, gaps).min(0)
    scaled[tied] = 0.0
    greedy = np.log(tied.sum(0)) >= entropy
    even = np.log((gaps < -_BARRED).sum(0)) <= entropy
    solved = np.flatnonzero(~(greedy | even))
    if len(solved) == len(greedy):
        return _boltzmann(scaled, entropy)
    weights = np.where(even, gaps < -_BARRED, tied).astype(np.float64)
    weights[:, solved] = _boltzmann(scaled[:, solved], entropy)
    return weights


@np.errstate(all="ignore")
def _boltzmann(gaps: Floats, entropy: float) -> Floats:
    """exp(-gap / τ) of each column, with the τ of the entropy.

    Newton's steps for ln H as a function of 1 / τ, which is almost a line; where one leaves the
    bracket, that is halved instead. Columns that are done stay, so none depends on the others.
    """
    inverse = np.full(gaps.shape[1], _FIRST_INVERSE)
    low, high = np.zeros_like(inverse), np.full_like(inverse, np.inf)
    for _ in range(_MAX_NEWTON):
        weights = np.exp(-inverse * gaps)
        total = weights.sum(0)
        weighted = weights * gaps
        mean = weighted.sum(0) / total
        found = inverse * mean + np.log(total)
        searching = np.abs(found - entropy) > 1e-6 * entropy
        if not searching.any():
            break
        warm = found > entropy
        low, high = np.where(warm, inverse, low), np.where(warm, high, inverse)
        variance = (weighted * gaps).sum(0) / total - mean**2
        step = inverse + found * np.log(found / entropy) / (inverse * variance)
        halved = np.where(np.isinf(high), 2 * low, (low + high) / 2)
        step = np.where((step > low) & (step < high), step, halved)
        inverse = np.where(searching, step, inverse)
    return weights


class _Walks:
    """Monte Carlo walks of S matrices side by side (algorithm 3), and the best seen of each.

    With B' = B without its diagonal, sums[c, s, i] = Σ B'_s[i, j] over the units j of cluster c:
    moving unit i from cluster a to c changes Q by 2 (sums[c, s, i] - sums[a, s, i]), and of all
    sums only those of a and c change.
    """

    def __init__(self, beyond: Floats, labels: Labels) -> None:
        self.beyond = beyond.copy()
        np.einsum("sii->si", self.beyond)[:] = 0.0
        self.each = np.arange(len(labels))
        self.labels, self.best = labels.copy(), labels.copy()
        self.gain, self.best_gain = np.zeros(len(labels)), np.zeros(len(labels))
        # one more than the clusters of any walk, so that each has an empty one
        member = labels == np.arange(labels.max() + 2)[:, None, None]
        self.sums = np.ascontiguousarray((member.swapaxes(0, 1) @ self.beyond).swapaxes(0, 1))
        self.sizes = member.sum(2)
        self.empty = np.zeros(len(labels), dtype=np.int64)
        self.barred = np.zeros(self.sizes.shape)
        self._open_one_empty(self.each)

    def _open_one_empty(self, walks: NDArray[np.int64]) -> None:
        """Candidates are the clusters with units and the first without."""
        sizes = self.sizes[:, walks]
        if (sizes > 0).all(0).any():
            self.sums, self.sizes, self.barred = (
                np.concatenate([a, np.zeros_like(a[:1])])
                for a in (self.sums, self.sizes, self.barred)
            )
            self.barred[-1] = _BARRED
            sizes = self.sizes[:, walks]
        self.empty[walks] = (sizes == 0).argmax(0)
        self.barred[:, walks] = np.where(sizes > 0, 0.0, _BARRED)
        self.barred[self.empty[walks], walks] = 0.0

    def step(self, units: NDArray[np.int64], uniforms: Floats, entropy: float) -> None:
        """Choose the cluster of one unit of each walk anew."""
        own = self.labels[self.each, units]
        scores = self.sums[:, self.each, units] + self.barred
        # for a unit on its own, an empty cluster would be the same partition once more
        alone = np.flatnonzero(self.sizes[own, self.each] == 1)
        scores[self.empty[alone], alone] = _BARRED
        top = scores.max(0)
        here = scores[own, self.each]
        self._keep_best(units, scores, 2 * (top - here))
        cumulative = _move_weights(top - scores, entropy).cumsum(0)
        new = (cumulative <= uniforms * cumulative[-1]).sum(0)
        moved = np.flatnonzero(new != own)
        if len(moved):
            self.gain[moved] += 2 * (scores[new[moved], moved] - here[moved])
            self._move(moved, units[moved], own[moved], new[moved])

    def _keep_best(self, units: NDArray[np.int64], scores: Floats, gain: Floats) -> None:
        """Every candidate counts as seen, also where another one is chosen (lines 9 to 11)."""
        better = np.flatnonzero(self.gain + gain > self.best_gain + _ROUNDING)
        self.best[better] = self.labels[better]
        self.best[better, units[better]] = scores[:, better].argmax(0)
        self.best_gain[better] = (self.gain + gain)[better]

    def _move(
        self,
        walks: NDArray[np.int64],
        units: NDArray[np.int64],
        old: NDArray[np.int64],
        new: NDArray[np.int64],
    ) -> None:
        rows = self.beyond[walks, units]
        self.sums[old, walks] -= rows
        self.sums[new, walks] += rows
        self.sizes[old, walks] -= 1
        self.sizes[new, walks] += 1
        self.labels[walks, units] = new
        self._open_one_empty(walks)


def monte_carlo(
    beyond: Floats, start: Labels, rngs: Sequence[np.random.Generator], n_steps: int, entropy: float
) -> Labels:
    """The best clusters ``(S, n)`` that walks from `start` have seen (algorithm 3), a random stream
    for each of S matrices B `beyond`."""
    labels = start.copy()
    some = np.flatnonzero((start >= 0).any(1))
    if len(some) == 0:
        return labels
    walks = _Walks(beyond[some], start[some])
    live = start[some] >= 0
    live_units = (~live).argsort(1, kind="stable")
    n_live = live.sum(1)
    for first in range(0, n_steps, _DRAWN):
        n = min(_DRAWN, n_steps - first)
        draws = np.stack([rngs[i].random((n, 2)) for i in some], 2)
        for places, uniforms in zip((draws[:, 0] * n_live).astype(int), draws[:, 1], strict=True):
            walks.step(live_units[walks.each, places], uniforms, entropy)
    labels[some] = walks.best
    return labels
