"""What tests look at in a figure: its texts, whether it fits the page, its pixels."""

from __future__ import annotations

from collections.abc import Callable

import matplotlib as mpl
import matplotlib.pyplot as plt
import numpy as np
from matplotlib.backends.backend_agg import FigureCanvasAgg
from matplotlib.figure import Figure
from matplotlib.text import Text


def drawn_texts(figure: Figure) -> list[Text]:
    """Texts that can be seen: ticks outside the axis limits are kept by matplotlib unseen."""
    return [t for t in figure.findobj(Text) if t.get_text().strip() and t.get_visible()]


def legend_texts(figure: Figure) -> list[str]:
    """Texts of a figure's first legend."""
    return [text.get_text() for text in figure.legends[0].get_texts()]


def pixels(figure: Figure) -> np.ndarray:
    canvas = FigureCanvasAgg(figure)
    canvas.draw()
    return np.asarray(canvas.buffer_rgba())


def fits_and_leaves_no_trace(draw: Callable[[], Figure]) -> Figure:
    """The figure, which must fit the page and leave settings and random state alone."""
    state = np.random.get_state()[1].copy()
    with mpl.rc_context({"font.size": 13.0, "ytick.labelsize": 7.0}):
        settings = dict(mpl.rcParams)
        figure = draw()
        assert dict(mpl.rcParams) == settings
    assert np.array_equal(np.random.get_state()[1], state)
    assert plt.get_fignums() == []
    width, height = figure.get_size_inches()
    assert width <= 7.5
    assert min(text.get_fontsize() for text in drawn_texts(figure)) >= 8.5
    # what is drawn ends inside the page: nothing is cut off
    box = figure.get_tightbbox(FigureCanvasAgg(figure).get_renderer())
    assert box.x0 >= -0.01
    assert box.y0 >= -0.01
    assert box.x1 <= width + 0.01
    assert box.y1 <= height + 0.01
    return figure
