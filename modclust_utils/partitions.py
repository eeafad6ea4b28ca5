"""Partitions: arbitrary numbers of clusters made comparable, and single-unit clusters merged.

A partition is an integer for each unit: its cluster, or -1 outside every cluster.
"""

from __future__ import annotations

import numpy as np
import scipy.sparse as sp
from numpy.typing import ArrayLike, NDArray
from scipy.optimize import linear_sum_assignment

from modclust_utils.clustering import Adjacency, as_adjacency, summable
from modclust_utils.doors import as_counts, as_labels, as_numbers, as_units, check_same_order


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
        For labels that are no integers from -1, for shapes that differ, and for columns (pandas)
        whose units are in two orders.

    Examples
    --------
    >>> match_labels([2, 2, 0, 1, -1], reference=[0, 0, 1, 1, 1])
    array([ 0,  0,  1,  2, -1])
    """
    check_same_order(labels=labels, reference=reference, where=where)
    labels, reference = as_labels("labels", labels), as_labels("reference", reference)
    if labels.shape != reference.shape:
        raise ValueError(
            f"reference has shape {reference.shape}; allowed: that of labels, {labels.shape}"
        )
    both = (labels >= 0) & (reference >= 0)
    if where is not None:
        both &= as_units("where", where, labels.shape)
    names = cluster_numbers(np.concatenate([labels, reference]))
    own, other = np.searchsorted(names, labels), np.searchsorted(names, reference)
    shared = np.zeros((len(names), len(names)))
    np.add.at(shared, (own[both], other[both]), 1)
    _, new_number = linear_sum_assignment(shared, maximize=True)
    return np.where(labels >= 0, np.append(names[new_number], -1)[own], -1)


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
        For labels that are no integers from -1, for shapes that differ, for columns (pandas) whose
        units are in two orders, and for degrees that are negative, NaN or infinite.

    Examples
    --------
    Cluster 0 has all four pixels and no hidden unit; cluster 1 has both hidden units.

    >>> order_labels([0, 0, 0, 1, 1, 1], [0, 0, 0, 0, 1, 1])
    array([1, 1, 1, 0, 0, 0])
    """
    check_same_order(labels=labels, layer_of_unit=layer_of_unit, degrees=degrees)
    labels = as_labels("labels", labels)
    layers = np.array(as_counts("layer_of_unit", layer_of_unit, "the layer of each unit", least=0))
    if layers.shape != labels.shape:
        raise ValueError(f"layer_of_unit has shape {layers.shape}; allowed: {labels.shape}")
    inside = labels >= 0
    if degrees is None:
        _, layers = np.unique(layers, return_inverse=True)
        per_layer = np.bincount(layers[inside], minlength=int(layers.max(initial=0)) + 1)
        size_of_unit = 1.0 / np.maximum(per_layer, 1)[layers]
    else:
        size_of_unit = as_numbers("degrees", degrees)
        if size_of_unit.shape != labels.shape:
            raise ValueError(f"degrees has shape {size_of_unit.shape}; allowed: {labels.shape}")
        if not (np.isfinite(size_of_unit) & (size_of_unit >= 0)).all():
            raise ValueError("degrees has negative, NaN or infinite entries; allowed: 0 or more")
        # their sums stay finite
        size_of_unit = np.ldexp(size_of_unit, -np.frexp(size_of_unit.max(initial=0.0))[1])
    _, own = np.unique(labels[inside], return_inverse=True)
    sizes = np.bincount(own, weights=size_of_unit[inside])
    # sums of the same shares in another order differ in the last digits, which must not decide
    if degrees is None:
        rounded = np.round(sizes, 9)
    else:  # volumes may be of any scale
        mantissas, exponents = np.frexp(sizes)
        rounded = np.ldexp(np.round(mantissas, 9), exponents)
    order = np.lexsort((np.arange(len(sizes)), -rounded))
    new_number = np.empty(len(sizes), np.int64)
    new_number[order] = np.arange(len(order))
    ordered = np.full(labels.shape, -1)
    ordered[inside] = new_number[own]
    return ordered


def merge_single_units(adjacency: Adjacency, labels: ArrayLike) -> tuple[NDArray[np.int64], float]:
    """A second reading of a partition: clusters of one unit join their best neighbours.

    Again and again, of all ways to join one of these clusters (or of what they have become
    together) with another one, the way with the least n-cut of the whole is taken, until each unit
    is in a cluster that had more than one.

    Parameters
    ----------
    adjacency : array, sparse matrix or tensor ``(n, n)``
        Weights of the edges, 0 or more, symmetric.
    labels : array_like of int ``(n,)``
        Cluster of each unit; -1 stays -1.

    Returns
    -------
    labels : ndarray of int ``(n,)``
        Clusters keep their numbers, which may have gaps then. All units are one cluster where there
        was no cluster of more than one.
    ncut : float
        n-cut of the k' clusters that are left.

    Raises
    ------
    ValueError
        For a bad adjacency, for labels that are no integers from -1, or of another number, and for
        a table and a column (pandas) whose units are in two orders.

    Notes
    -----
    Joining two clusters never raises an n-cut, as W(X + Y, rest) / vol(X + Y) is at most the larger
    of the two shares. So the number says nothing beside n-cuts of k clusters: compare it with those
    of k'. Where edges take no notice of the clusters, they have about k' - 1.

    Examples
    --------
    Two pairs with an edge of weight 4 each, joined by one of weight 1, and a twig of weight 1: the
    twig's unit adds 1 to the n-cut, as all its weight leaves.

    >>> edges = np.zeros((5, 5))
    >>> edges[[0, 1, 2, 3, 1, 2, 3, 4], [1, 0, 3, 2, 2, 1, 4, 3]] = [4, 4, 4, 4, 1, 1, 1, 1]
    >>> labels, ncut = merge_single_units(edges, [0, 0, 1, 1, 2])
    >>> labels.tolist(), round(ncut, 4)  # 1 / 9 + 1 / 11
    ([0, 0, 1, 1, 1], 0.202)
    """
    check_same_order(adjacency=adjacency, labels=labels)
    matrix = summable(as_adjacency(adjacency))
    given = as_labels("labels", labels, matrix.shape[0])
    names = cluster_numbers(given)
    labels = np.where(given >= 0, np.searchsorted(names, given), -1)
    # the last column of members is for units outside every cluster: edges to them are cut
    n_clusters = int(labels.max(initial=-1)) + 1
    sizes = np.bincount(labels[labels >= 0], minlength=n_clusters)
    members = sp.csr_array(
        (np.ones(len(labels)), (np.arange(len(labels)), labels % (n_clusters + 1))),
        shape=(len(labels), n_clusters + 1),
    )
    between = (members.T @ matrix @ members).toarray()
    loose = {int(c) for c in np.flatnonzero(sizes == 1)}
    there = {int(c) for c in np.flatnonzero(sizes)}
    while loose and len(there) > 1:
        ways = [(_joined(between, a, b), a, b) for a in sorted(loose) for b in sorted(there - {a})]
        between, a, b = min(ways, key=lambda way: _ncut_between(way[0]))
        labels[labels == a] = b
        there.remove(a)
        loose.discard(a)
    return np.append(names, -1)[labels], _ncut_between(between)


def _joined(between: NDArray[np.float64], a: int, b: int) -> NDArray[np.float64]:
    """Weights between clusters once a has joined b; a is empty then."""
    joined = between.copy()
    joined[b] += joined[a]
    joined[:, b] += joined[:, a]
    joined[a] = joined[:, a] = 0.0
    return joined


def _ncut_between(between: NDArray[np.float64]) -> float:
    """n-cut from the weights ``(k + 1, k + 1)`` between clusters; the last is no cluster."""
    volume = between.sum(1)
    cut = (between - np.diag(np.diag(between))).sum(1)
    used = volume[:-1] > 0
    return float((cut[:-1][used] / volume[:-1][used]).sum())


def cluster_numbers(labels: NDArray[np.int64]) -> NDArray[np.int64]:
    """The numbers that clusters may have, ascending: all up to the largest, or those that are there
    where it is larger than the number of units, as a table of all would fill the memory."""
    largest = int(labels.max(initial=-1))
    return np.unique(labels[labels >= 0]) if largest > len(labels) else np.arange(largest + 1)
