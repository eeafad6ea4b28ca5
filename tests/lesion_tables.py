"""Made-up tables of sub-clusters and their pairs, and what is looked at in figures of them."""

from __future__ import annotations

import itertools

import numpy as np
import pandas as pd
from matplotlib.axes import Axes
from matplotlib.colors import to_rgb
from matplotlib.transforms import Bbox

# Two hidden layers of one network, and a third that an edge passes. 2-0 is not important.
SINGLES = pd.DataFrame(
    [
        (1, 0, 64, 0.25, 0.055, "important", 0.003, 0.002),
        (1, 3, 60, 0.24, 0.187, "important", 0.004, 0.003),
        (2, 0, 5, 0.02, -0.001, "small", 0.000, 0.001),
        (2, 2, 118, 0.46, 0.035, "important", 0.004, 0.003),
        (3, 2, 135, 0.53, 0.043, "important", -0.002, 0.002),
        (3, 7, 29, 0.11, 0.0087, "sig-but-not-diff", -0.001, 0.001),
    ],
    columns=["layer", "label", "size", "proportion", "drop", "kind", "null_mean", "null_std"],
)
SINGLES["p_value"] = 1 / 101
PAIR = ["x_layer", "x_label", "y_layer", "y_label"]
PAIRS = pd.DataFrame(
    [
        (1, 0, 2, 2, 0.166, 0.146, 1 / 51, 1 / 51, True, True),
        (1, 0, 3, 2, 0.033, -0.009, 1 / 51, 1.0, True, False),
        (1, 3, 2, 2, 0.007, 0.031, 0.5, 1 / 51, False, True),
        (2, 2, 3, 2, 0.045, 0.054, 1.0, 2 / 51, False, False),
        (2, 0, 3, 2, 0.001, 0.0404, 0.3, 1 / 51, False, True),
    ],
    columns=[
        *PAIR, "delta_x_y", "delta_y_x", "p_x_given_y", "p_y_given_x", "x_given_y", "y_given_x"
    ],
)  # fmt: skip
PAIRS["drop_both"] = 0.2
EDGES = PAIRS.iloc[1:4]
CLASSES = pd.DataFrame(
    {"layer": [2, 1], "label": [2, 0], "class_0": [0.5, -0.004], "class_1": [0.0, 0.123]}
)
STABILITY = EDGES[PAIR].assign(
    share_reclusterings=[0.4, 1.0, 0.7],
    share_networks=[0.1, 0.0, 0.3],
    chance_networks=[0.05, np.nan, 0.2],
)


def crowd(n_labels: int, seed: int) -> pd.DataFrame:
    """Four layers of sub-clusters, most of them important and close together."""
    rng = np.random.default_rng(seed)
    rows = [(layer, label) for layer in range(1, 5) for label in range(n_labels)]
    kinds = np.where(rng.random(len(rows)) < 0.8, "important", "other")
    return pd.DataFrame(rows, columns=["layer", "label"]).assign(
        proportion=rng.uniform(0.05, 0.3, len(rows)),
        drop=rng.uniform(0.01, 0.06, len(rows)),
        kind=kinds,
        null_mean=0.002,
        null_std=0.002,
    )


def all_pairs(singles: pd.DataFrame, seed: int) -> pd.DataFrame:
    rng = np.random.default_rng(seed)
    names = list(zip(singles["layer"], singles["label"], strict=True))
    rows = [(*x, *y) for x in names for y in names if x[0] < y[0]]
    table = pd.DataFrame(rows, columns=PAIR)
    deltas = rng.normal(0.02, 0.05, (2, len(rows)))
    p_values = rng.choice([1 / 51, 0.4, 1.0], (2, len(rows)))
    given = rng.random((2, len(rows))) < 0.5
    return table.assign(
        delta_x_y=deltas[0], delta_y_x=deltas[1], p_x_given_y=p_values[0],
        p_y_given_x=p_values[1], x_given_y=given[0], y_given_x=given[1],
    )  # fmt: skip


def crowd_edges(singles: pd.DataFrame, seed: int, share: float) -> pd.DataFrame:
    """Some of the pairs of important sub-clusters that have an edge."""
    important = singles[singles["kind"] == "important"]
    pairs = all_pairs(important, seed)
    pairs = pairs[~(pairs["x_given_y"] & pairs["y_given_x"])]
    return pairs[np.random.default_rng(seed).random(len(pairs)) < share]


CROWD = crowd(4, 0)


def overlaps(boxes: list[Bbox]) -> int:
    """Pairs of boxes that share more than an edge."""
    inner = [Bbox([box.min + 0.5, box.max - 0.5]) for box in boxes]
    return sum(a.overlaps(b) for a, b in itertools.combinations(inner, 2))


def inside(ax: Axes, boxes: list[Bbox]) -> bool:
    page = ax.bbox
    return all(
        page.x0 <= b.x0 and b.x1 <= page.x1 and page.y0 <= b.y0 and b.y1 <= page.y1 for b in boxes
    )


def cell_texts(ax: Axes) -> dict[tuple[float, float], list[str]]:
    """Texts of each cell (row, column), from above."""
    cells: dict[tuple[float, float], list[str]] = {}
    for text in sorted(ax.texts, key=lambda t: t.get_position()[1]):
        x, y = text.get_position()
        cells.setdefault((round(y), round(x)), []).append(text.get_text())
    return cells


def tick_texts(ax: Axes) -> tuple[list[str], list[str]]:
    return (
        [t.get_text() for t in ax.get_yticklabels()], [t.get_text() for t in ax.get_xticklabels()]
    )  # fmt: skip


def luminance(color: str) -> float:
    values = np.array(to_rgb(color))
    linear = np.where(values <= 0.04045, values / 12.92, ((values + 0.055) / 1.055) ** 2.4)
    return float(linear @ [0.2126, 0.7152, 0.0722])


def contrast(one: str, other: str) -> float:
    low, high = sorted([luminance(one), luminance(other)])
    return (high + 0.05) / (low + 0.05)
