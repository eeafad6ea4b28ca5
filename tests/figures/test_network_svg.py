"""Tests for the network that stands in a page as SVG."""

from __future__ import annotations

import re
import xml.etree.ElementTree as ET

import numpy as np
import pytest

from modclust_utils.figures.colors import CLUSTER_COLORS
from modclust_utils.figures.network_svg import network_svg

# four pixels, three units, two outputs; clusters {0, 1, 4, 7} and {2, 3, 5, 8}, and unit 6 in none
WEIGHTS = [
    np.array([[1.0, 2, 0, 0], [0, 0.5, 1, -3], [0, 0, 0, 0]]),
    np.array([[4.0, 0, 0], [0.1, 5, 0]]),
]
LABELS = [0, 0, 1, 1, 0, 1, -1, 0, 1]


def drawn(**options):
    text = network_svg(WEIGHTS, LABELS, words="A &lt;network&gt;", **options)
    return ET.fromstring(text)


def paths(element):
    return {path.get("class"): path.get("d") for path in element.iter("path")}


def test_groups_hold_their_units_and_inner_edges():
    across, *clusters = drawn()
    assert across.get("class") == "mc-across"
    # 0.5 from pixel 1 to unit 1, and 0.1 from unit 0 to output 1
    assert paths(across)[None].count("L") == 2
    assert [group.get("style") for group in clusters] == [f"--mc-c:{c}" for c in CLUSTER_COLORS[:2]]
    for group, n_edges in zip(clusters, (3, 3), strict=True):
        assert paths(group)["mc-edges"].count("L") == n_edges
        assert paths(group)["mc-units"].count("z") == 4


def test_pixels_stand_as_in_the_image_and_layers_from_left_to_right():
    _, first, second = drawn()
    places = [
        [tuple(map(float, place)) for place in re.findall(r"M([\d.]+) ([\d.]+)h", marks)]
        for marks in (paths(first)["mc-units"], paths(second)["mc-units"])
    ]
    (a, b, unit, out), (c, d, other, last) = places
    assert a[1] == b[1] < c[1] == d[1]
    assert a[0] == c[0] < b[0] == d[0] < unit[0] == other[0] < out[0] == last[0]


def test_all_of_it_is_within_the_picture():
    numbers = re.findall(
        r"[ML]([\d.-]+) ([\d.-]+)", "".join(d for g in drawn() for d in paths(g).values())
    )
    xy = np.array(numbers, float)
    _, _, width, height = map(float, drawn().get("viewBox").split())
    assert (xy >= 0).all()
    assert (xy <= [width, height]).all()


def test_fewer_edges_are_the_strongest():
    across, first, second = drawn(max_edges=2)
    n_edges = [paths(first)["mc-edges"].count("L"), paths(second)["mc-edges"].count("L")]
    assert paths(across)[None] == ""
    assert n_edges == [0, 2]


def test_its_words_are_for_those_who_do_not_see_it():
    assert drawn().get("role") == "img"
    assert drawn().get("aria-label") == "A <network>"


def test_layers_that_are_no_square_are_columns():
    text = network_svg([np.ones((2, 3))], [0, 0, 0, 0, 0], words="x")
    marks = re.findall(r"M([\d.]+) [\d.]+h", text)
    assert len(set(marks)) == 2


def test_labels_that_do_not_fit_are_refused():
    with pytest.raises(ValueError, match="labels has shape"):
        network_svg(WEIGHTS, [0, 1], words="x")
