"""Figures of sub-clusters and pairs as distributions hold what their tables do."""

from __future__ import annotations

import numpy as np
import pandas as pd
import pytest
from drawn import drawn_texts, fits_and_leaves_no_trace, legend_texts
from small_book import printed

from modclust_utils.chapters.ch03_lesions import figures_distributions as figures

RNG = np.random.default_rng(0)
SINGLES = printed(
    pd.DataFrame(
        {
            **{"drop": RNG.normal(0.02, 0.05, 30), "null_mean": RNG.normal(0, 0.003, 30)},
            **{"proportion": RNG.random(30), "p_value": RNG.random(30)},
            **{"source": ["ours"] * 20 + ["paper"] * 10, "network": [0, 1] * 10 + [0] * 10},
        }
    )
)
PAIRS = printed(
    SINGLES[["source", "network"]].assign(
        delta_x_y=RNG.normal(0.03, 0.1, 30), delta_y_x=RNG.normal(0.0, 0.001, 30)
    )
)
DRAW = {"singles": lambda: figures.singles(SINGLES), "pairs": lambda: figures.pairs(PAIRS)}


@pytest.mark.parametrize("name", DRAW)
def test_figures_fit_the_page_and_leave_no_trace(name):
    fits_and_leaves_no_trace(lambda: DRAW[name]().content)


def test_curves_are_shares_at_or_below_each_value():
    first, *_ = figures.singles(SINGLES).content.axes
    curves = {len(line.get_xdata()): line for line in first.lines}
    mine = np.sort(100 * SINGLES["drop"][:20])
    line = curves[21]  # all of ours together, the curve from 0 on
    assert line.get_xdata()[1:].tolist() == pytest.approx(mine.tolist())
    assert line.get_ydata().tolist() == pytest.approx((np.arange(21) / 20).tolist())
    # two networks of ours and the paper's, with ten values each
    assert sum(len(line.get_xdata()) == 11 for line in first.lines) == 3


def test_legend_names_what_is_there():
    whole = ["our 2 networks together", "each of them", "the paper's network"]
    assert legend_texts(figures.pairs(PAIRS).content) == whole
    assert legend_texts(figures.pairs(PAIRS[:20]).content) == whole[:2]
    assert legend_texts(figures.pairs(PAIRS[20:]).content) == whole[2:]


def test_axes_name_points_and_shares():
    texts = [text.get_text() for text in drawn_texts(figures.pairs(PAIRS).content)]
    assert "δ(X, Y) (percentage points)" in texts
    assert {"0", "20", "−5", "share of pairs"} <= set(texts)


def test_tables_that_do_not_fit():
    with pytest.raises(ValueError, match="table has no rows"):
        figures.singles(SINGLES[:0])
    with pytest.raises(ValueError, match="NaN or infinity in column drop"):
        figures.singles(SINGLES.assign(drop=np.nan))
