"""What all figures share: colours, words, style, and the check of what comes in."""

from __future__ import annotations

import functools
from collections.abc import Callable, Iterable, Mapping, Sequence
from typing import Any, ParamSpec

import matplotlib as mpl
import numpy as np
import pandas as pd
from matplotlib.axes import Axes
from matplotlib.figure import Figure
from numpy.typing import ArrayLike

from modclust_utils import datasets

DEAD_COLOR = "#C9C9C9"  # units outside every cluster
ACROSS_COLOR = "#C4C4C4"  # edges between clusters
INK = "#222222"
NULL_COLOR = "#8C8C8C"  # a line
SHUFFLES_COLOR = "#ABABAB"  # an area

# (dropout, phase): colours as in paper A's Figure 2; the marker tells dropout, lightness the phase.
CONDITION_STYLE: dict[tuple[bool, str], dict[str, str]] = {
    (False, "before"): {
        "color": "#1B4F91", "marker": "o", "label": "no dropout, before pruning"
    },
    (False, "after"): {
        "color": "#6FB4E8", "marker": "o", "label": "no dropout, after pruning"
    },
    (True, "before"): {
        "color": "#16703C", "marker": "D", "label": "with dropout, before pruning"
    },
    (True, "after"): {
        "color": "#EC8DB8", "marker": "D", "label": "with dropout, after pruning"
    },
}  # fmt: skip

# Tables that a figure takes: a DataFrame, or rows by column name.
Rows = pd.DataFrame | Iterable[Mapping[str, Any]]
PHASES = ("before", "after")  # of pruning
PAPER_MARKER: dict[str, Any] = {"marker": "D", "markerfacecolor": "white", "markersize": 5.5}

WIDTH = 7.5  # inches; the text column of the book
TICK_SIZE = 8.5  # points; the smallest text
STYLE: dict[str, Any] = {
    "font.family": ["sans-serif"],
    "font.sans-serif": ["DejaVu Sans"],
    "font.size": 9,
    "figure.facecolor": "white",
    "savefig.facecolor": "white",
    "axes.titlesize": 10,
    "axes.titlelocation": "left",
    "axes.labelsize": 9,
    "axes.edgecolor": "#666666",
    "axes.linewidth": 0.8,
    "axes.spines.top": False,
    "axes.spines.right": False,
    "axes.axisbelow": True,
    "axes.grid": True,
    "grid.color": "#E6E6E6",
    "grid.linewidth": 0.6,
    "text.color": INK,
    "axes.labelcolor": INK,
    "axes.titlecolor": INK,
    "xtick.color": "#666666",
    "ytick.color": "#666666",
    "xtick.labelcolor": INK,
    "ytick.labelcolor": INK,
    "legend.fontsize": TICK_SIZE,
    "legend.frameon": False,
}

P = ParamSpec("P")


def styled(draw: Callable[P, Figure]) -> Callable[P, Figure]:
    """Draw under `STYLE` alone, whatever the global settings are, and leave those untouched."""

    @functools.wraps(draw)
    def wrapper(*args: P.args, **kwargs: P.kwargs) -> Figure:
        with mpl.rc_context():
            mpl.rcdefaults()
            mpl.rcParams.update(STYLE)
            figure = draw(*args, **kwargs)
            # Ticks are made when a figure is first drawn, with the settings of that moment; how
            # many labels fit is asked again later, of the global setting unless the axes has one.
            for ax in figure.axes:
                ax.tick_params(which="both", labelsize=TICK_SIZE)
            figure.draw_without_rendering()
        return figure

    return wrapper


def new_figure(height: float) -> Figure:
    """An empty figure as wide as the text, `height` inches high, that pyplot does not know of."""
    figure = Figure(figsize=(WIDTH, height), layout="constrained")
    figure.get_layout_engine().set(w_pad=0.06, h_pad=0.06)
    return figure


def dataset_name(key: str) -> str:
    """A data set as a page prints it."""
    return datasets.words(key)


def dropout_name(dropout: bool) -> str:
    """The words for training with and without dropout."""
    return "with dropout" if dropout else "no dropout"


def as_table(
    rows: Rows,
    name: str,
    *,
    numbers: Sequence[str],
    others: Sequence[str] = (),
) -> pd.DataFrame:
    """`rows` as a DataFrame with a fresh index.

    Raises ValueError where it is empty, lacks one of the columns, has NaN or infinity in one of
    `numbers`, or has a column `dropout` that is not True or False throughout.
    """
    table = rows if isinstance(rows, pd.DataFrame) else pd.DataFrame(list(rows))
    columns = [*others, *numbers]
    if len(table) == 0:
        raise ValueError(f"{name} has no rows; allowed: one or more, with columns {columns}")
    missing = [column for column in columns if column not in table.columns]
    if missing:
        raise ValueError(f"{name} lacks columns {missing}; allowed: a table with {columns}")
    for column in numbers:
        if not np.isfinite(table[column].to_numpy(dtype=np.float64)).all():
            raise ValueError(f"{name} has NaN or infinity in column {column}; allowed: numbers")
    if "dropout" in columns:
        strange = [value for value in table["dropout"] if not isinstance(value, bool | np.bool_)]
        if strange:
            raise ValueError(f"dropout={strange[0]!r} is not allowed: True or False")
    return table.reset_index(drop=True)


def ncut_label(n_clusters: int) -> str:
    """The words at an axis of n-cuts."""
    return f"n-cut (k = {n_clusters}), lower is more clusterable"


def legend_below(figure: Figure, handles: Sequence[Any], columns: int) -> None:
    """A legend for all panels of a figure, below them."""
    figure.legend(handles=handles, loc="outside lower center", ncols=columns, handlelength=2.6)


def rows_only(ax: Axes, heights: ArrayLike, labels: Sequence[str]) -> None:
    """Name the rows of a figure, first on top, and leave out what a vertical axis would draw."""
    heights = np.asarray(heights, dtype=np.float64)
    ax.set_yticks(heights, labels)
    ax.set_ylim(heights[-1] + 0.55, heights[0] - 0.55)
    ax.grid(axis="y", visible=False)
    ax.tick_params(axis="y", length=0)
    ax.spines["left"].set_visible(False)


def marker_edge(dropout: bool) -> str:
    """Outline of a condition's markers: its dark colour."""
    return CONDITION_STYLE[dropout, "before"]["color"]


@styled
def sentence_figure(sentence: str) -> Figure:
    """A figure of one sentence, where a run has nothing to draw."""
    figure = new_figure(0.9)
    figure.text(0.5, 0.5, sentence, ha="center", va="center")
    return figure
