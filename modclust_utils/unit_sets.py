"""Sets of units: the sub-clusters of a clustering, and random sets of the same size in each layer.

A sub-cluster is the part of a cluster that lies in one hidden layer (paper A, section 4.1, says
sub-module). Layers are counted from 1, the first hidden layer.
"""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass

import numpy as np
from numpy.typing import ArrayLike, NDArray

from modclust_utils.doors import as_count, as_labels, as_rng, as_sizes, as_units


@dataclass(frozen=True)
class SubClusters:
    """All non-empty parts of clusters in hidden layers, ordered by layer, then by label.

    layer, label, size: ``(m,)``; layer 1 is the first hidden layer. units: ``(m, n_units)``
    boolean, units numbered as in the graph, from pixels to logits.
    """

    layer: NDArray[np.int64]
    label: NDArray[np.int64]
    units: NDArray[np.bool_]
    size: NDArray[np.int64]


def sub_clusters(labels: ArrayLike, layer_sizes: Sequence[int]) -> SubClusters:
    """The sub-clusters of a clustering: cluster by hidden layer, where they have units.

    Parameters
    ----------
    labels : array_like of int ``(n_units,)``
        Cluster of each unit, from the pixels to the logits; -1 for units in no cluster.
    layer_sizes : sequence of int
        Units per layer, from the pixels to the logits.

    Returns
    -------
    SubClusters
        Ordered by layer, then by label.

    Raises
    ------
    ValueError
        For labels that do not fit the layers.

    References
    ----------
    .. [1] Filan et al. 2020, arXiv:2003.04881 (paper A), section 4.1 ("sub-module").

    Examples
    --------
    One pixel, three hidden units and one logit.

    >>> sub = sub_clusters([0, 1, 0, 1, 0], (1, 3, 1))
    >>> sub.layer.tolist(), sub.label.tolist(), sub.size.tolist()
    ([1, 1], [0, 1], [1, 2])
    """
    layer_sizes = as_sizes(layer_sizes)
    labels = as_labels("labels", labels, sum(layer_sizes))
    layers = layers_of_units(layer_sizes)
    hidden = (labels >= 0) & (layers > 0) & (layers < len(layer_sizes) - 1)
    places = np.unique(np.stack([layers[hidden], labels[hidden]], 1), axis=0)
    layer, label = places[:, 0], places[:, 1]
    units = (layers == layer[:, None]) & (labels == label[:, None])
    return SubClusters(layer=layer, label=label, units=units, size=units.sum(1))


def random_unit_sets(
    unit_set: ArrayLike,
    live: ArrayLike,
    layer_sizes: Sequence[int],
    n_sets: int,
    *,
    rng: np.random.Generator,
) -> NDArray[np.bool_]:
    """Random sets of as many units in each layer as a given set has there.

    They are drawn uniformly, without replacement, from the live units of the layer, those in
    `unit_set` among them.

    Parameters
    ----------
    unit_set : array_like of bool ``(n_units,)``
        The set to imitate; units from the pixels to the logits.
    live : array_like of bool ``(n_units,)``
        Units to draw from.
    layer_sizes : sequence of int
        Units per layer, from the pixels to the logits.
    n_sets : int
        How many.
    rng : numpy.random.Generator
        Where they come from.

    Returns
    -------
    ndarray of bool ``(n_sets, n_units)``
        One set a row.

    Raises
    ------
    ValueError
        Where shapes do not fit, or a layer has fewer live units than the set has there.

    References
    ----------
    .. [1] Filan et al. 2020, arXiv:2003.04881 (paper A), section 4.1.

    Examples
    --------
    Of three hidden units two are live: sets of two are those.

    >>> unit_set = np.array([False, True, True, False, False])
    >>> live = np.array([True, True, False, True, True])
    >>> random_unit_sets(unit_set, live, (1, 3, 1), 1, rng=np.random.default_rng(0))
    array([[False,  True, False,  True, False]])
    """
    layer_sizes, rng = as_sizes(layer_sizes), as_rng(rng)
    unit_set = as_units("unit_set", unit_set, (sum(layer_sizes),))
    live = as_units("live", live, (sum(layer_sizes),))
    layers = layers_of_units(layer_sizes)
    found = np.zeros((as_count("n_sets", n_sets), len(unit_set)), bool)
    for layer in np.unique(layers[unit_set]):
        size = int(unit_set[layers == layer].sum())
        n_live = int((live & (layers == layer)).sum())
        if size > n_live:
            raise ValueError(
                f"unit_set has {size} units in layer {layer}; allowed: at most {n_live}, "
                "the number of live units there"
            )
        found |= uniform_sets(size, live & (layers == layer), len(found), rng)
    return found


def uniform_sets(
    size: int, live: NDArray[np.bool_], n_sets: int, rng: np.random.Generator
) -> NDArray[np.bool_]:
    """Sets of `size` of the live units ``(n_sets, n)``; any is as likely as any other."""
    places = np.flatnonzero(live)
    chosen = np.tile(np.arange(len(places)) < size, (n_sets, 1))
    found = np.zeros((n_sets, len(live)), bool)
    found[:, places] = rng.permuted(chosen, axis=1)
    return found


def layers_of_units(layer_sizes: Sequence[int]) -> NDArray[np.int64]:
    """Layer of every unit ``(n,)``, 0 for the pixels."""
    return np.repeat(np.arange(len(layer_sizes)), layer_sizes)
