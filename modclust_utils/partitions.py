"""The numbers of clusters, which are arbitrary: the same partition, numbered to be compared.

A partition is an integer for each unit: its cluster, or -1 outside every cluster. No function here
moves a unit from one cluster to another.
"""

from __future__ import annotations

import numpy as np
from numpy.typing import ArrayLike, NDArray
from scipy.optimize import linear_sum_assignment

from modclust_utils.doors import as_counts, as_labels, as_numbers, as_units


def match_labels(
    labels: ArrayLike, reference: ArrayLike, *, where: ArrayLike | None = None
) -> NDArray[np.int64]:
    """The same partition with its clusters renumbered to agree best with a reference.

    Of all ways to number the clusters, one by which most units have the number that they have in
    the reference: an optimal assignment (Hungarian method) on the table of shared units.

    Parameters
    ----------
    labels, reference : array_like of int ``(n,)``
        Clusters of the same units; -1 stays -1, and agrees with nothing.
    where : array_like of bool ``(n,)``, optional
        The units that count; all by default. Networks of one shape share their pixels and logits,
        but their hidden units have nothing in common.

    Returns
    -------
    ndarray of int ``(n,)``
        Clusters without a partner in the reference get the numbers that are left.

    Raises
    ------
    ValueError
        For labels that are no integers from -1, and for shapes that differ.

    Examples
    --------
    >>> match_labels([2, 2, 0, 1, -1], reference=[0, 0, 1, 1, 1])
    array([ 0,  0,  1,  2, -1])
    """
    labels, reference = as_labels("labels", labels), as_labels("reference", reference)
    if labels.shape != reference.shape:
        raise ValueError(
            f"reference has shape {reference.shape}; allowed: that of labels, {labels.shape}"
        )
    both = (labels >= 0) & (reference >= 0)
    if where is not None:
        both &= as_units("where", where, labels.shape)
    n_clusters = int(max(labels.max(initial=-1), reference.max(initial=-1))) + 1
    shared = np.zeros((n_clusters, n_clusters))
    np.add.at(shared, (labels[both], reference[both]), 1)
    _, new_number = linear_sum_assignment(shared, maximize=True)
    return _renumber(labels, new_number)


def order_labels(
    labels: ArrayLike, layer_of_unit: ArrayLike, *, degrees: ArrayLike | None = None
) -> NDArray[np.int64]:
    """The same partition, its clusters numbered from 0 by decreasing size, without gaps.

    Parameters
    ----------
    labels : array_like of int ``(n,)``
        Cluster of each unit; -1 stays -1.
    layer_of_unit : array_like of int ``(n,)``
        Layer of each unit, 0 for the pixels.
    degrees : array_like of float ``(n,)``, optional
        Row sums of the adjacency. With them the size of a cluster is its volume. Without, it is the
        sum of its shares of the layers, so that the many pixels do not outvote the hidden units.

    Returns
    -------
    ndarray of int ``(n,)``
        Clusters of equal size keep their order.

    Raises
    ------
    ValueError
        For labels that are no integers from -1, and for shapes that differ.

    Examples
    --------
    Cluster 0 has all four pixels and no hidden unit; cluster 1 has both hidden units.

    >>> order_labels([0, 0, 0, 1, 1, 1], [0, 0, 0, 0, 1, 1])
    array([1, 1, 1, 0, 0, 0])
    """
    labels = as_labels("labels", labels)
    layers = np.array(as_counts("layer_of_unit", layer_of_unit, "the layer of each unit", least=0))
    if layers.shape != labels.shape:
        raise ValueError(f"layer_of_unit has shape {layers.shape}; allowed: {labels.shape}")
    inside = labels >= 0
    if degrees is None:
        per_layer = np.bincount(layers[inside], minlength=int(layers.max(initial=0)) + 1)
        size_of_unit = 1.0 / np.maximum(per_layer, 1)[layers]
    else:
        size_of_unit = as_numbers("degrees", degrees)
        if size_of_unit.shape != labels.shape:
            raise ValueError(f"degrees has shape {size_of_unit.shape}; allowed: {labels.shape}")
    sizes = np.bincount(labels[inside], weights=size_of_unit[inside])
    # sums of the same shares in another order differ in the last digits, which must not decide
    order = np.lexsort((np.arange(len(sizes)), -np.round(sizes, 9)))
    used = order[np.isin(order, labels)]
    new_number = np.full(len(sizes), -1)
    new_number[used] = np.arange(len(used))
    return _renumber(labels, new_number)


def _renumber(labels: NDArray[np.int64], new_number: NDArray[np.int64]) -> NDArray[np.int64]:
    renumbered = np.full(labels.shape, -1)
    renumbered[labels >= 0] = new_number[labels[labels >= 0]]
    return renumbered
