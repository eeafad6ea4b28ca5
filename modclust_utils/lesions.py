"""Lesions: what a network can still do when some of its hidden units are silent.

Paper A, section 4 and appendix A.6. A lesion sets the incoming weights and the bias of units to 0,
so that they are 0 after ReLU. What is lesioned are sub-clusters, the parts of a cluster that lie
in one hidden layer (module `unit_sets`).
"""

from __future__ import annotations

from collections.abc import Sequence

import numpy as np
from numpy.typing import ArrayLike, NDArray
from torch import Tensor

from modclust_utils.doors import as_array, as_count, as_rng, as_units
from modclust_utils.lesion_accuracies import lesion_accuracy, lesion_hits
from modclust_utils.lesion_results import (
    KINDS,
    THRESHOLD,
    DependencyEdge,
    DoubleLesions,
    Kind,
    SingleLesions,
    dependency_edges,
    lesion_kind,
)
from modclust_utils.models import MLP, as_mlp
from modclust_utils.unit_sets import (
    SubClusters,
    layers_of_units,
    random_unit_sets,
    sub_clusters,
)

__all__ = [
    "KINDS",
    "THRESHOLD",
    "DependencyEdge",
    "DoubleLesions",
    "Kind",
    "SingleLesions",
    "SubClusters",
    "dependency_edges",
    "double_lesions",
    "important_pairs",
    "lesion_accuracy",
    "lesion_kind",
    "random_unit_sets",
    "single_lesions",
    "sub_clusters",
]

# --- single lesions ------------------------------------------------------------------------------


def single_lesions(
    network: MLP,
    x: Tensor,
    y: Tensor,
    labels: ArrayLike,
    live: ArrayLike,
    *,
    n_random: int = 100,
    rng: np.random.Generator,
) -> SingleLesions:
    """Lesion every sub-cluster of a clustering alone, and random sets of its size.

    Parameters
    ----------
    network : MLP
        One network.
    x : Tensor ``(n, n_pixels)``
        Test images.
    y : Tensor of int ``(n,)``
        Their classes.
    labels : array_like of int ``(n_units,)``
        Cluster of each unit, as in `sub_clusters`.
    live : array_like of bool ``(n_units,)``
        The units that random sets are drawn from.
    n_random : int
        Random sets for each sub-cluster.
    rng : numpy.random.Generator
        Where they come from.

    Returns
    -------
    SingleLesions
        Drops of accuracy, p-values and kinds, one for each sub-cluster.

    Raises
    ------
    ValueError
        For input that does not fit the network, or for more units of a sub-cluster than live units
        in its layer.

    Notes
    -----
    p = (r + 1) / (n_random + 1), where r counts the random sets with at least the drop of the
    sub-cluster [2]_: ties count against it, as in `stats.empirical_p_value`, because paper A asks
    for a drop above all samples.

    References
    ----------
    .. [1] Filan et al. 2020, arXiv:2003.04881 (paper A), section 4.1, Figure 5, Table A.18.
    .. [2] North, Curtis and Sham 2002, doi:10.1086/341527.

    Examples
    --------
    Each class has a hidden unit of its own. Without the second, both logits of the second image
    are 0, and the first of equals counts.

    >>> import torch
    >>> network = MLP([torch.eye(2)] * 2, [torch.zeros(2)] * 2)
    >>> x, y, labels, live = torch.eye(2), torch.tensor([0, 1]), [0, 1] * 3, [True] * 6
    >>> single_lesions(network, x, y, labels, live, rng=np.random.default_rng(0)).drop
    array([0. , 0.5])
    """
    network, rng = as_mlp(network), as_rng(rng)
    sizes = network.layer_sizes
    n_random = as_count("n_random", n_random)
    live = as_units("live", live, (sum(sizes),))
    sub = sub_clusters(labels, sizes)
    null = _random_sets(sub, live, sizes, n_random, rng)
    none = np.zeros((1, sum(sizes)), bool)
    sets = np.concatenate([none, sub.units, null.reshape(-1, sum(sizes))])
    hits, counts = (part.cpu().numpy() for part in lesion_hits(network, x, y, sets))
    lost, n = hits[0] - hits, counts.sum()
    m = len(sub.size)
    # whole numbers are divided last, so that a drop of exactly one point is not above it
    drops = lost.sum(1) / n
    drop, null_drops = drops[1 : m + 1], drops[m + 1 :].reshape(m, n_random)
    p_value = _p_values(drop, null_drops)
    with np.errstate(invalid="ignore"):  # 0 / 0: a class without images
        class_accuracies, class_drops = hits[0] / counts, lost[1 : m + 1] / counts
    layers = layers_of_units(sizes)
    n_layer = np.array(sizes)[sub.layer]
    n_live = np.bincount(layers[live], minlength=len(sizes))[sub.layer]
    return SingleLesions(
        sub=sub,
        accuracy=float(hits[0].sum() / n),
        class_accuracies=class_accuracies,
        drop=drop,
        class_drops=class_drops,
        null_drops=null_drops,
        p_value=p_value,
        proportion=sub.size / n_live,
        kind=tuple(
            lesion_kind(size, of, significant=significant, drop=d)
            for size, of, significant, d in zip(
                sub.size.tolist(),
                n_layer.tolist(),
                _significant(p_value, n_random).tolist(),
                drop.tolist(),
                strict=True,
            )
        ),
    )


def _random_sets(
    sub: SubClusters,
    live: NDArray[np.bool_],
    sizes: Sequence[int],
    n_random: int,
    rng: np.random.Generator,
) -> NDArray[np.bool_]:
    """Random sets for every sub-cluster ``(m, n_random, n_units)``."""
    found = np.zeros((len(sub.size), n_random, sum(sizes)), bool)
    for index, units in enumerate(sub.units):
        found[index] = random_unit_sets(units, live, sizes, n_random, rng=rng)
    return found


def _p_values(drop: NDArray[np.float64], null: NDArray[np.float64]) -> NDArray[np.float64]:
    """``(m,)`` from drops ``(m,)`` and those of random sets ``(m, n)``; ties count against."""
    return ((null >= drop[:, None]).sum(1) + 1) / (null.shape[1] + 1)


def _significant(p_value: NDArray[np.float64], n_random: int) -> NDArray[np.bool_]:
    """Whether it is the smallest that n_random sets can give: a drop above all of theirs."""
    return p_value <= 1 / (n_random + 1)


# --- double lesions ------------------------------------------------------------------------------


def important_pairs(single: SingleLesions) -> NDArray[np.int64]:
    """Pairs ``(P, 2)`` of important sub-clusters in different layers, the earlier one first."""
    pairs = _all_pairs(single.sub)
    important = np.array([kind == "important" for kind in single.kind], bool)
    return pairs[important[pairs].all(1)]


def _all_pairs(sub: SubClusters) -> NDArray[np.int64]:
    return np.argwhere(sub.layer[:, None] < sub.layer)


def double_lesions(
    network: MLP,
    x: Tensor,
    y: Tensor,
    single: SingleLesions,
    live: ArrayLike,
    *,
    pairs: ArrayLike | None = None,
    n_random: int = 50,
    rng: np.random.Generator,
) -> DoubleLesions:
    """Lesion pairs of sub-clusters in different layers together.

    For X given Y, the lesion of both is compared with lesions of Y and a random set of the size and
    layer of X, and the reverse. X is important conditioned on Y where its drop is above those of
    all random sets and the damage from X given Y is above one percentage point.

    Parameters
    ----------
    network, x, y, live
        As in `single_lesions`.
    single : SingleLesions
        What `single_lesions` found for the network.
    pairs : array_like of int ``(P, 2)``, optional
        Indices of sub-clusters, the first in an earlier layer than the second; all such pairs by
        default, in the order of the indices.
    n_random : int
        Random sets for each sub-cluster.
    rng : numpy.random.Generator
        Where they come from; they do not depend on `pairs`.

    Returns
    -------
    DoubleLesions
        Drops of accuracy and p-values, one for each pair.

    Raises
    ------
    ValueError
        For input that does not fit the network, or for other pairs.

    Notes
    -----
    Each sub-cluster's random sets are drawn once and serve all its partners. Lesions then share
    more of their way through the network, but the tests of one sub-cluster with different partners
    are not independent of each other.

    References
    ----------
    .. [1] Filan et al. 2020, arXiv:2003.04881 (paper A), section 4.2, Figure 6, Table A.19.

    Examples
    --------
    Two chains of two hidden units. The first carries class 0, which wins where all logits are 0;
    the second carries class 1, which is lost with either of its units.

    >>> import torch
    >>> network = MLP([torch.eye(2)] * 3, [torch.zeros(2)] * 3)
    >>> x, y, labels, live = torch.eye(2), torch.tensor([0, 1]), [0, 1] * 4, [True] * 8
    >>> single = single_lesions(network, x, y, labels, live, rng=np.random.default_rng(0))
    >>> double = double_lesions(network, x, y, single, live, rng=np.random.default_rng(1))
    >>> double.pairs.tolist(), double.drop_both.tolist()
    ([[0, 2], [0, 3], [1, 2], [1, 3]], [0.0, 0.5, 0.5, 0.5])
    """
    network, rng = as_mlp(network), as_rng(rng)
    if not isinstance(single, SingleLesions):
        raise ValueError(f"single is a {type(single).__name__}; allowed: what single_lesions gives")
    sizes, sub = network.layer_sizes, single.sub
    n_random = as_count("n_random", n_random)
    live = as_units("live", live, (sum(sizes),))
    _check_sub(sub, sizes)
    pairs = _all_pairs(sub) if pairs is None else _checked_pairs(pairs, sub)
    first, second = pairs.T
    null = _random_sets(sub, live, sizes, n_random, rng)
    n_units, n_pairs = sum(sizes), len(pairs)
    parts = [
        np.zeros((1, n_units), bool),
        sub.units,
        sub.units[first] | sub.units[second],
        (null[first] | sub.units[second, None]).reshape(-1, n_units),
        (sub.units[first, None] | null[second]).reshape(-1, n_units),
    ]
    hits, counts = lesion_hits(network, x, y, np.concatenate(parts))
    right, n = hits.sum(1).cpu().numpy(), float(counts.sum())
    lost = np.split(right[0] - right, np.cumsum([len(part) for part in parts])[:-1])
    alone, both = lost[1], lost[2]
    null_first, null_second = (part.reshape(n_pairs, n_random) for part in lost[3:])
    # whole numbers are divided last, so that a damage of exactly one point is not above it
    delta_first, delta_second = (both - alone[second]) / n, (both - alone[first]) / n
    p_first, p_second = _p_values(both, null_first), _p_values(both, null_second)
    return DoubleLesions(
        pairs=pairs,
        drop_both=both / n,
        delta_first=delta_first,
        delta_second=delta_second,
        p_first=p_first,
        p_second=p_second,
        first_important=_significant(p_first, n_random) & (delta_first > THRESHOLD),
        second_important=_significant(p_second, n_random) & (delta_second > THRESHOLD),
    )


def _check_sub(sub: SubClusters, sizes: Sequence[int]) -> None:
    if sub.units.shape[1] != sum(sizes):
        raise ValueError(
            f"single has sub-clusters of {sub.units.shape[1]} units; allowed: {sum(sizes)}, the "
            "number of units of the network"
        )


def _checked_pairs(pairs: ArrayLike, sub: SubClusters) -> NDArray[np.int64]:
    array, m = as_array("pairs", pairs, "indices (P, 2) of sub-clusters"), len(sub.size)
    if array.ndim != 2 or array.shape[1] != 2:
        raise ValueError(f"pairs has shape {array.shape}; allowed: (P, 2)")
    if array.size and not np.issubdtype(array.dtype, np.integer):
        raise ValueError(f"pairs is of type {array.dtype}; allowed: indices of sub-clusters")
    array = array.astype(np.int64)
    if ((array < 0) | (array >= m)).any():
        raise ValueError(
            f"pairs has indices from {array.min()} to {array.max()}; allowed: 0 to {m - 1}"
        )
    wrong = sub.layer[array[:, 0]] >= sub.layer[array[:, 1]]
    if wrong.any():
        raise ValueError(
            f"pairs has {array[wrong][0].tolist()}, whose first is not in an earlier layer than "
            "its second; allowed: the earlier layer first"
        )
    return array
