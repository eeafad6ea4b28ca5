"""Colours that stay apart, also for those who see fewer, and in print."""

from __future__ import annotations

import itertools

import numpy as np
import pytest
from matplotlib.colors import to_rgb

from modclust_utils.figures.colors import CLUSTER_COLORS, OTHER_COLOR, cluster_color
from modclust_utils.figures.style import CONDITION_STYLE, DEAD_COLOR

# Colour vision: linear RGB as seen with normal vision, protanopia, deuteranopia and tritanopia
# (severity 1), from Machado, Oliveira and Fernandes 2009, doi:10.1109/TVCG.2009.113.
VISION = {
    "normal": np.eye(3),
    "protanopia": np.array(
        [
            [0.152286, 1.052583, -0.204868],
            [0.114503, 0.786281, 0.099216],
            [-0.003882, -0.048116, 1.051998],
        ]
    ),
    "deuteranopia": np.array(
        [
            [0.367322, 0.860646, -0.227968],
            [0.280085, 0.672501, 0.047413],
            [-0.011820, 0.042940, 0.968881],
        ]
    ),
    "tritanopia": np.array(
        [
            [1.255528, -0.076749, -0.178779],
            [-0.078411, 0.930809, 0.147602],
            [0.004733, 0.691367, 0.303900],
        ]
    ),
}


def linear_rgb(colors: tuple[str, ...]) -> np.ndarray:
    values = np.array([to_rgb(color) for color in colors])
    return np.where(values <= 0.04045, values / 12.92, ((values + 0.055) / 1.055) ** 2.4)


def oklab(linear: np.ndarray) -> np.ndarray:
    """OKLab after Ottosson 2020, https://bottosson.github.io/posts/oklab/."""
    to_lms = np.array(
        [
            [0.4122214708, 0.5363325363, 0.0514459929],
            [0.2119034982, 0.6806995451, 0.1073969566],
            [0.0883024619, 0.2817188376, 0.6299787005],
        ]
    )
    to_lab = np.array(
        [
            [0.2104542553, 0.7936177850, -0.0040720468],
            [1.9779984951, -2.4285922050, 0.4505937099],
            [0.0259040371, 0.7827717662, -0.8086757660],
        ]
    )
    return np.cbrt(linear @ to_lms.T) @ to_lab.T


def lightness(colors: tuple[str, ...]) -> np.ndarray:
    """CIE L*, from 0 to 100."""
    return 116 * np.cbrt(linear_rgb(colors) @ [0.2126, 0.7152, 0.0722]) - 16


def distances(points: np.ndarray) -> np.ndarray:
    return np.array([np.linalg.norm(a - b) for a, b in itertools.combinations(points, 2)])


@pytest.mark.parametrize("vision", VISION)
def test_cluster_colors_are_told_apart(vision):
    seen = np.clip(linear_rgb((*CLUSTER_COLORS, OTHER_COLOR, DEAD_COLOR)) @ VISION[vision].T, 0, 1)
    assert len(seen) == 12 + 2
    assert distances(oklab(seen)).min() >= 0.09
    assert distances(oklab(seen[:4])).min() >= 0.14


def test_the_largest_clusters_have_a_color_of_their_own():
    assert [cluster_color(label) for label in range(14)] == [*CLUSTER_COLORS, *[OTHER_COLOR] * 2]


def test_first_colors_differ_in_gray():
    assert distances(lightness(CLUSTER_COLORS[:4])).min() >= 10


def test_phases_differ_in_gray():
    for dropout in (False, True):
        pair = tuple(CONDITION_STYLE[dropout, phase]["color"] for phase in ("before", "after"))
        before, after = lightness(pair)
        assert after - before >= 25
