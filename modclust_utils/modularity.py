"""Modularity: how well a similarity matrix of units falls apart into clusters.

Paper C, section 3.2 and appendix A.1. A similarity matrix is symmetric and 0 or more; its diagonal,
the similarity of a unit to itself, is left out. Divided by its sum it is the matrix Ã with the
strengths (row sums) d, and B = Ã - d dᵀ is what the similarities are beyond chance. Labels are
integers from 0; label -1 is the 'unused' group, the units without similarity to any other.
"""

from __future__ import annotations

import random
from collections.abc import Sequence
from dataclasses import dataclass
from typing import Any, Literal

import numpy as np
from numpy.typing import ArrayLike, NDArray
from threadpoolctl import threadpool_limits
from torch import Tensor

from modclust_utils.clustering import check_count
from modclust_utils.partitions import check_labels

Floats = NDArray[np.float64]
Labels = NDArray[np.int64]
Method = Literal["monte_carlo", "leiden"]

# Differences of Q below this are rounding: neither a gain nor a reason to prefer a cluster.
_ROUNDING = 1e-14
# Matrices that walk side by side: as many as the processor's cache holds.
_BLOCK = 512
# Steps whose random numbers are drawn at a time.
_DRAWN = 250
# The score of what is no candidate, finite so that 0 times it is 0.
_BARRED = -1e250
# 1 / τ, in units of the smallest gap, of two candidates with an entropy of 0.15.
_FIRST_INVERSE = 3.36
_MAX_NEWTON = 100
# Of the strengths of a null; the rounds are some ten, or some dozens for a star.
_NULL_TOLERANCE = 1e-9
_NULL_ROUNDS = 500
_LEAST_RATIO = 1e-6


@dataclass(frozen=True)
class ModularClusters:
    """Clusters of one similarity matrix, or of a batch of S.

    labels: ``(n,)`` or ``(S, n)``, from 0 in the order of their first units, -1 for 'unused';
    q: their modularity, and q_start: that of the spectral start; numbers, or ``(S,)``. Both are NaN
    where no unit is similar to another.
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
    matrices, _, batched = _check_similarity(similarity)
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
    q = np.concatenate([_q(_beyond_chance(m), c) for m, c in _blocks(matrices, chosen)])
    return q if batched else float(q[0])


def _check_similarity(similarity: ArrayLike | Tensor) -> tuple[Floats, Floats, bool]:
    """A copy ``(S, n, n)`` with zeros on the diagonal, divided by its largest entries; these
    ``(S, 1, 1)``; and whether it was a batch."""
    if isinstance(similarity, Tensor):
        similarity = similarity.detach().cpu().numpy()
    matrices = np.array(similarity, dtype=np.float64)
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


def _check_labels(labels: ArrayLike) -> Labels:
    array = np.asarray(labels)
    return check_labels("labels", array.ravel()).reshape(array.shape)


def _blocks(*arrays: Any) -> list[tuple[Any, ...]]:
    n = len(arrays[0])
    return [tuple(a[i : i + _BLOCK] for a in arrays) for i in range(0, n, _BLOCK)]


def _beyond_chance(matrices: Floats) -> Floats:
    """B of each matrix; NaN where it is all 0."""
    totals = matrices.sum((1, 2), keepdims=True)
    normalized = matrices / np.where(totals > 0, totals, np.nan)
    strengths = normalized.sum(2)
    return normalized - strengths[:, :, None] * strengths[:, None]


def _q(beyond: Floats, labels: Labels) -> Floats:
    same = labels[:, :, None] == labels[:, None]
    return (beyond * same).sum((1, 2))


# --- the clusters with the largest modularity ----------------------------------------------------


def maximize_modularity(
    similarity: ArrayLike | Tensor,
    *,
    rng: np.random.Generator,
    n_steps: int = 5000,
    entropy: float = 0.15,
    method: Method = "monte_carlo",
    n_starts: int = 10,
) -> ModularClusters:
    """Clusters with the largest modularity that a search finds: P* and Q* of paper C (equation 9).

    Parameters
    ----------
    similarity : array_like or tensor ``(n, n)`` or ``(S, n, n)``
        0 or more, symmetric; the diagonal is ignored. Matrices of a batch are searched side by
        side, each with its own random stream: the result is that of one after the other.
    rng : numpy.random.Generator
        Where the random streams come from (`Generator.spawn`).
    n_steps, entropy : int, float
        Of Monte Carlo: 0 steps give the spectral start; the entropy of each move is in nats.
    method : {"monte_carlo", "leiden"}
        "monte_carlo" splits clusters by leading eigenvectors, then moves unit by unit, as paper C
        does; its q is never below q_start. "leiden" is a second opinion, with no part of the other:
        the best of `n_starts` runs of igraph's Leiden algorithm.
    n_starts : int
        Of Leiden.

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
    Some partition is found on noise too, and its Q is not small: compare with `strength_null`.
    Units without similarity to any other take no part: label -1.

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
    matrices, _, batched = _check_similarity(similarity)
    if method not in ("monte_carlo", "leiden"):
        raise ValueError(f"method={method!r} is not allowed: 'monte_carlo' or 'leiden'")
    if not isinstance(n_steps, int | np.integer) or isinstance(n_steps, bool) or n_steps < 0:
        raise ValueError(f"n_steps={n_steps!r} is not allowed: a whole number of 0 or more")
    _check_entropy(entropy)
    check_count("n_starts", n_starts)
    parts = []
    # eigenvectors of small matrices are found many times slower by several threads
    with threadpool_limits(1, "blas"):
        for block, rngs in _blocks(matrices, rng.spawn(len(matrices))):
            beyond, live = _beyond_chance(block), (block > 0).any(2)
            start = np.stack([_spectral_start(b, u) for b, u in zip(beyond, live, strict=True)])
            start = _in_order(start)
            if method == "monte_carlo":
                labels = _monte_carlo(beyond, start, rngs, int(n_steps), entropy)
            else:
                each = zip(block, beyond, rngs, strict=True)
                labels = np.stack([_leiden(m, b, r, n_starts) for m, b, r in each])
            parts.append((_in_order(labels), _q(beyond, labels), _q(beyond, start)))
    labels, q, q_start = (np.concatenate(each) for each in zip(*parts, strict=True))
    if batched:
        return ModularClusters(labels, q, q_start)
    return ModularClusters(labels[0], float(q[0]), float(q_start[0]))


def _check_entropy(entropy: float) -> None:
    if not 0 < entropy < np.inf:
        raise ValueError(f"entropy={entropy!r} is not allowed: above 0, in nats")


def _in_order(labels: Labels) -> Labels:
    """The same clusters, numbered in the order of their first units."""
    ordered = np.full_like(labels, -1)
    for new, old in zip(ordered, labels, strict=True):
        used = old >= 0
        _, first, inverse = np.unique(old[used], return_index=True, return_inverse=True)
        new[used] = first.argsort().argsort()[inverse]
    return ordered


def _spectral_start(beyond: Floats, live: NDArray[np.bool_]) -> Labels:
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


def move_probabilities(scores: ArrayLike, entropy: float) -> Floats:
    """Probabilities p ∝ exp(score / τ) with τ such that their entropy is the given one, in nats.

    scores: ``(c,)``, or ``(c, S)`` for S such choices. Where even τ to 0 leaves more entropy, since
    the best are tied, they share all; where it is more than ln c, all are equally likely.
    Paper C, algorithm 3, lines 13 and 14. Raises ValueError for an entropy of 0 or less.
    """
    _check_entropy(entropy)
    values = np.asarray(scores, dtype=np.float64)
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


def _monte_carlo(
    beyond: Floats, start: Labels, rngs: Sequence[np.random.Generator], n_steps: int, entropy: float
) -> Labels:
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


def _leiden(matrix: Floats, beyond: Floats, rng: np.random.Generator, n_starts: int) -> Labels:
    """The best of some runs of Leiden until nothing changes, each from units on their own."""
    igraph = _import_igraph()
    runs = np.full((n_starts, len(matrix)), -1)
    live = np.flatnonzero(matrix.any(1))
    if len(live) == 0:
        return runs[0]
    edges = np.argwhere(np.triu(matrix[np.ix_(live, live)]))
    weights = matrix[live[edges[:, 0]], live[edges[:, 1]]]
    graph = igraph.Graph(len(live), edges.tolist())
    # igraph's generator is global, and that of the random module unless someone sets another
    igraph.set_random_number_generator(random.Random(int(rng.integers(2**63))))
    try:
        for run in runs:
            found = graph.community_leiden(
                "modularity",
                # the randomness of the refinement is in units of the weights
                weights=(weights / weights.mean()).tolist(),
                n_iterations=-1,
            )
            run[live] = found.membership
    finally:
        igraph.set_random_number_generator(random)
    return max(runs, key=lambda run: _q(beyond[None], run[None])[0])


def _import_igraph() -> Any:
    try:
        import igraph
    except ImportError as error:
        raise ImportError("method='leiden' needs the package igraph: pip install igraph") from error
    return igraph


# --- what clusters look like, and how alike two partitions are -----------------------------------


def n_effective_clusters(labels: ArrayLike) -> float | Floats:
    """Number of clusters as exp of the entropy of their shares of the units (paper C, eq. 10).

    labels: ``(n,)`` or ``(S, n)``, which gives ``(S,)``. k clusters of one size count as k, unequal
    ones as fewer. The unused, label -1, are left out; 0 where all are unused.
    Raises ValueError for labels of another shape or that are not integers from -1.
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

    a, b: labels ``(n,)``; the unused, label -1, are one more cluster, as in paper C (section 4.3).
    It is the mean over units of |A ∩ B| / max(|A|, |B|), with A and B the clusters of the unit.
    Raises ValueError for labels of different shapes or that are not integers from -1.

    Gates et al. 2019 (Scientific Reports 9, 8574) compare p, the personalized PageRank of a unit in
    the graph of its cluster: p_A(j) = α / |A| in A, plus 1 - α at the unit itself. In
    1 - Σ |p_A(j) - p_B(j)| / (2 α) the terms 1 - α and then α cancel, and with m = |A ∩ B| the sum
    is m |1/|A| - 1/|B|| + (|A| - m) / |A| + (|B| - m) / |B| = 2 - 2 m / max(|A|, |B|).

    >>> element_similarity([0, 0, 1, 1], [0, 0, 0, 0])
    0.5
    """
    first, second = check_labels("a", a), check_labels("b", b)
    if first.shape != second.shape or len(first) == 0:
        raise ValueError(
            f"a and b have shapes {first.shape} and {second.shape}; allowed: the same, (n,)"
        )
    rows, columns = (np.unique(each, return_inverse=True)[1] for each in (first, second))
    shared = np.zeros((rows.max() + 1, columns.max() + 1))
    np.add.at(shared, (rows, columns), 1)
    larger = np.maximum(shared.sum(1)[:, None], shared.sum(0))
    return float((shared**2 / larger).sum() / len(first))


# --- the null ------------------------------------------------------------------------------------


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
    matrices, largest, batched = _check_similarity(similarity)
    with threadpool_limits(1, "blas"):
        rngs = rng.spawn(len(matrices))
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
