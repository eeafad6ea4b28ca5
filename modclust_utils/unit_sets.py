"""Sets of units: the sub-clusters of a clustering, and random sets of the same size in each layer.

A sub-cluster is the part of a cluster that lies in one hidden layer (paper A, section 4.1, says
sub-module). Layers are counted from 1, the first hidden layer.
"""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass

import numpy as np
from numpy.typing import ArrayLike, NDArray


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
    labels, layers = _checked_labels(labels, layer_sizes), _layer_of_unit(layer_sizes)
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
    unit_set = _checked_units("unit_set", unit_set, layer_sizes)
    live = _checked_units("live", live, layer_sizes)
    layers = _layer_of_unit(layer_sizes)
    found = np.zeros((_checked_count("n_sets", n_sets), len(unit_set)), bool)
    for layer in np.unique(layers[unit_set]):
        size = int(unit_set[layers == layer].sum())
        places = np.flatnonzero(live & (layers == layer))
        if size > len(places):
            raise ValueError(
                f"unit_set has {size} units in layer {layer}; allowed: at most {len(places)}, "
                "the number of live units there"
            )
        chosen = np.tile(np.arange(len(places)) < size, (len(found), 1))
        found[:, places] = rng.permuted(chosen, axis=1)
    return found


def _layer_of_unit(layer_sizes: Sequence[int]) -> NDArray[np.int64]:
    return np.repeat(np.arange(len(layer_sizes)), layer_sizes)


def _checked_labels(labels: ArrayLike, layer_sizes: Sequence[int]) -> NDArray[np.int64]:
    array, n_units = np.asarray(labels), sum(layer_sizes)
    if array.shape != (n_units,):
        raise ValueError(f"labels has shape {array.shape}; allowed: ({n_units},), one per unit")
    if not np.issubdtype(array.dtype, np.integer) or (array < -1).any():
        raise ValueError("labels has entries that are no cluster; allowed: integers from -1")
    return array.astype(np.int64)


def _checked_units(name: str, units: ArrayLike, layer_sizes: Sequence[int]) -> NDArray[np.bool_]:
    array, n_units = np.asarray(units), sum(layer_sizes)
    if array.dtype != bool or array.shape != (n_units,):
        raise ValueError(
            f"{name} has shape {array.shape} and type {array.dtype}; allowed: boolean "
            f"({n_units},), one entry per unit"
        )
    return array


def _checked_count(name: str, value: int) -> int:
    whole = isinstance(value, int | np.integer) and not isinstance(value, bool)
    if not whole or value < 1:
        raise ValueError(f"{name}={value!r} is not allowed: a whole number of 1 or more")
    return int(value)
