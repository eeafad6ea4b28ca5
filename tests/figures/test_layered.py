"""The layout of layered graphs: an order with few crossings."""

from __future__ import annotations

import itertools

import numpy as np
import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from modclust_utils.figures.layered import count_crossings, order_columns


def plain_crossings(columns: list[list[int]], links: list[tuple[int, int]]) -> int:
    column = {node: c for c, nodes in enumerate(columns) for node in nodes}
    rank = {node: i for nodes in columns for i, node in enumerate(nodes)}
    return sum(
        column[a] == column[c]
        and ((rank[a] < rank[c] and rank[b] > rank[d]) or (rank[a] > rank[c] and rank[b] < rank[d]))
        for (a, b), (c, d) in itertools.combinations(links, 2)
    )


@st.composite
def layered_graphs(draw):
    sizes = draw(st.lists(st.integers(1, 4), min_size=2, max_size=4))
    starts = np.cumsum([0, *sizes])
    columns = [list(range(a, b)) for a, b in itertools.pairwise(starts.tolist())]
    possible = [(a, b) for one, two in itertools.pairwise(columns) for a in one for b in two]
    links = draw(st.lists(st.sampled_from(possible), unique=True, max_size=12))
    return columns, links


@given(layered_graphs())
def test_ordering_never_adds_crossings(graph):
    columns, links = graph
    ordered = order_columns(columns, links)
    assert [sorted(column) for column in ordered] == columns
    assert count_crossings(columns, links) == plain_crossings(columns, links)
    assert count_crossings(ordered, links) <= count_crossings(columns, links)


@pytest.mark.parametrize("seed", range(4))
def test_no_swap_of_neighbours_would_undo_a_crossing(seed):
    rng = np.random.default_rng(seed)
    columns = [list(range(start, start + 8)) for start in (0, 8, 16)]
    possible = [(a, b) for one, two in itertools.pairwise(columns) for a in one for b in two]
    links = [possible[i] for i in rng.choice(len(possible), 30, replace=False)]
    ordered = order_columns(columns, links)
    for c, column in enumerate(ordered):
        for i in range(len(column) - 1):
            swapped = [list(other) for other in ordered]
            swapped[c][i : i + 2] = column[i : i + 2][::-1]
            assert count_crossings(swapped, links) >= count_crossings(ordered, links)


@settings(max_examples=30)
@given(st.permutations(range(5)), st.permutations(range(5)))
def test_ordering_finds_a_drawing_without_crossings(one, two):
    # three columns joined by two permutations can always be drawn without a crossing
    columns = [list(range(5)), list(range(5, 10)), list(range(10, 15))]
    links = [(i, 5 + j) for i, j in enumerate(one)] + [(5 + i, 10 + j) for i, j in enumerate(two)]
    assert count_crossings(order_columns(columns, links), links) == 0
