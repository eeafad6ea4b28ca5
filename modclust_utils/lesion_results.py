"""What lesions of a network came to: tables, the kinds of sub-clusters, the dependency graph.

Paper A, section 4. Module `lesions` makes the tables.
"""

from __future__ import annotations

from dataclasses import dataclass
from fractions import Fraction
from typing import Literal

import numpy as np
from numpy.typing import NDArray

from modclust_utils.unit_sets import SubClusters

Kind = Literal["important", "sig-but-not-diff", "diff-but-not-sig", "small", "other"]
KINDS: tuple[Kind, ...] = ("important", "sig-but-not-diff", "diff-but-not-sig", "small", "other")
SMALL = Fraction(1, 20)  # share of a layer below which a sub-cluster is small (Figure 5), exactly
THRESHOLD = 0.01  # a drop that matters is above one percentage point (paper A, section 4.1)


@dataclass(frozen=True)
class SingleLesions:
    """Each sub-cluster lesioned alone, against random sets of its size in its layer.

    accuracy: of the network without lesion; class_accuracies: ``(n_classes,)``, NaN for a class
    without images. drop ``(m,)`` and class_drops ``(m, n_classes)``: accuracy lost by the lesion;
    null_drops: ``(m, n_random)``, lost by the random sets. p_value: ``(m,)``. proportion: ``(m,)``,
    size over the live units of the layer (the layer-1 column of paper A's Table A.18 fits only
    such a count). kind: one of `KINDS` for each sub-cluster.
    """

    sub: SubClusters
    accuracy: float
    class_accuracies: NDArray[np.float64]
    drop: NDArray[np.float64]
    class_drops: NDArray[np.float64]
    null_drops: NDArray[np.float64]
    p_value: NDArray[np.float64]
    proportion: NDArray[np.float64]
    kind: tuple[Kind, ...]


@dataclass(frozen=True)
class DoubleLesions:
    """Pairs of sub-clusters lesioned together: X in an earlier layer than Y.

    pairs: ``(P, 2)``, which sub-clusters; all else is ``(P,)``. drop_both: l(X ∪ Y), the accuracy
    lost; delta_first: l(X ∪ Y) - l(Y), the damage from X given Y; delta_second: that from Y given
    X. p_first: against random sets instead of X, with Y fixed; p_second: the reverse.
    first_important: X is important conditioned on Y; second_important: the reverse.
    """

    pairs: NDArray[np.int64]
    drop_both: NDArray[np.float64]
    delta_first: NDArray[np.float64]
    delta_second: NDArray[np.float64]
    p_first: NDArray[np.float64]
    p_second: NDArray[np.float64]
    first_important: NDArray[np.bool_]
    second_important: NDArray[np.bool_]


@dataclass(frozen=True)
class DependencyEdge:
    """An arrow from a sub-cluster (index `first`) to one in a later layer (index `second`).

    first_important: the first is important conditioned on the second; second_important: the
    reverse. At most one of them holds.
    """

    first: int
    second: int
    first_important: bool
    second_important: bool


def lesion_kind(size: int, n_layer: int, *, significant: bool, drop: float) -> Kind:
    """What paper A calls a sub-cluster of `size` among the `n_layer` units of its layer (Figure 5).

    "small" (below 5 % of all units of the layer, dead ones too) is decided first; then whether the
    drop is significant, and whether it is above one percentage point. The paper has no name for a
    drop above one point that is not significant: "diff-but-not-sig" here.
    """
    if size < SMALL * n_layer:
        return "small"
    if drop > THRESHOLD:
        return "important" if significant else "diff-but-not-sig"
    return "sig-but-not-diff" if significant else "other"


def dependency_edges(single: SingleLesions, double: DoubleLesions) -> list[DependencyEdge]:
    """The dependency graph of important sub-clusters.

    Of two sub-clusters in different layers, both important alone, the earlier one points to the
    later one where not both are important conditioned on the other: paper A takes this as a sign
    that information flows between them.

    Parameters
    ----------
    single, double
        What `single_lesions` and `double_lesions` found for one network.

    Returns
    -------
    list of DependencyEdge
        In the order of the pairs.

    References
    ----------
    .. [1] Filan et al. 2020, arXiv:2003.04881 (paper A), section 4.2, Figure 6.

    Examples
    --------
    Where the second is lesioned, the first matters no more: what it tells, it tells the second.

    >>> from types import SimpleNamespace
    >>> single = SimpleNamespace(kind=("important", "important"))
    >>> double = SimpleNamespace(pairs=np.array([[0, 1]]), first_important=np.array([False]),
    ...                          second_important=np.array([True]))
    >>> dependency_edges(single, double)
    [DependencyEdge(first=0, second=1, first_important=False, second_important=True)]
    """
    for name, value, entry in (("single", single, "kind"), ("double", double, "pairs")):
        if not hasattr(value, entry):
            kind = type(value).__name__
            raise ValueError(f"{name} is of type {kind}; allowed: what {name}_lesions found")
    edges = []
    for (first, second), *important in zip(
        double.pairs.tolist(),
        double.first_important.tolist(),
        double.second_important.tolist(),
        strict=True,
    ):
        alone = single.kind[first] == single.kind[second] == "important"
        if alone and not all(important):
            edges.append(DependencyEdge(first, second, *important))
    return edges
