"""The names of sub-clusters at their boundaries, and the edges that tables of lesions give."""

from __future__ import annotations

import numpy as np
import pytest

from modclust_utils.lesion_results import (
    KINDS,
    DependencyEdge,
    DoubleLesions,
    SingleLesions,
    dependency_edges,
    lesion_kind,
)
from modclust_utils.lesions import important_pairs
from modclust_utils.unit_sets import sub_clusters


@pytest.mark.parametrize(
    ("size", "n_layer", "significant", "drop", "kind"),
    [
        (12, 256, True, 0.5, "small"),
        (12, 256, False, 0.0, "small"),
        (13, 256, True, 0.5, "important"),
        (13, 256, True, 0.0101, "important"),
        (13, 256, True, 0.01, "sig-but-not-diff"),
        (13, 256, True, -0.2, "sig-but-not-diff"),
        (13, 256, False, 0.01, "other"),
        (13, 256, False, 0.0101, "diff-but-not-sig"),
        (5, 100, True, 0.5, "important"),  # exactly 5 % is not below it
        (4, 100, True, 0.5, "small"),
    ],
)
def test_kinds_at_their_boundaries(size, n_layer, significant, drop, kind):
    assert lesion_kind(size, n_layer, significant=significant, drop=drop) == kind
    assert kind in KINDS


def table(kinds, important):
    """Results with nothing in them but what decides the edges; the pairs are (0, 1), (2, 3), ..."""
    m, p = len(kinds), len(important)
    sub = sub_clusters(np.array([0, *[0] * m, 0]), (1, *[1] * m, 1))
    one = np.zeros(m)
    single = SingleLesions(
        sub=sub,
        accuracy=1.0,
        class_accuracies=np.ones(1),
        drop=one,
        class_drops=one[:, None],
        null_drops=one[:, None],
        p_value=one,
        proportion=one,
        kind=tuple(kinds),
    )
    none = np.zeros(p)
    double = DoubleLesions(
        pairs=np.arange(2 * p).reshape(p, 2),
        drop_both=none,
        delta_first=none,
        delta_second=none,
        p_first=none,
        p_second=none,
        first_important=np.array([first for first, _ in important]),
        second_important=np.array([second for _, second in important]),
    )
    return single, double


def test_edges_are_drawn_where_not_both_are_important_given_the_other():
    important = [(True, True), (True, False), (False, True), (False, False)]
    single, double = table(["important"] * 8, important)
    assert dependency_edges(single, double) == [
        DependencyEdge(2, 3, True, False),
        DependencyEdge(4, 5, False, True),
        DependencyEdge(6, 7, False, False),
    ]


@pytest.mark.parametrize("kind", [kind for kind in KINDS if kind != "important"])
def test_edges_join_sub_clusters_that_are_important_alone(kind):
    single, double = table(["important", kind, kind, "important"], [(False, False)] * 2)
    assert dependency_edges(single, double) == []
    # all four are in different layers
    assert important_pairs(single).tolist() == [[0, 3]]
