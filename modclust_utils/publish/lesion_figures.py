"""Figures for which a run may have nothing: those of important sub-clusters."""

from __future__ import annotations

from collections.abc import Callable, Iterable

import pandas as pd
from matplotlib.figure import Figure

from modclust_utils.figures.style import new_figure, styled
from modclust_utils.publish.figures import show_figure
from modclust_utils.publish.records import Record
from modclust_utils.publish.session import Run


def show_if_any(
    run: Run,
    draw: Callable[[], Figure],
    *,
    name: str,
    data: pd.DataFrame,
    records: Iterable[Record],
    otherwise: str,
    instead: pd.DataFrame,
) -> None:
    """`figures.show_figure` of what `draw` gives; where `data` has no rows, of a sentence.

    A chapter draws the figures that it promises whatever a run finds. The strip under the sentence
    `otherwise` carries `instead`, the table from which it can be seen.
    """
    if len(data):
        show_figure(run, draw(), name=name, data=data, records=records)
    else:
        show_figure(run, sentence_figure(otherwise), name=name, data=instead, records=records)


@styled
def sentence_figure(sentence: str) -> Figure:
    """A figure of one sentence."""
    figure = new_figure(0.9)
    figure.text(0.5, 0.5, sentence, ha="center", va="center")
    return figure
