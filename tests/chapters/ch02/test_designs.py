"""Tables of the two designs of shuffles, with values that one can derive by hand."""

from __future__ import annotations

import math

import numpy as np
import pandas as pd
import pytest
from made_up_nulls import PLACES, frames
from printed_p_values import printed_p_values
from small_book import make_network
from small_book import printed as as_printed

from modclust_utils.chapters.ch02_dropout_and_topology import designs, printed
from modclust_utils.recipes.frames import trace_of


def test_places_of_the_printed_p_values():
    paper = printed.networks()
    table = designs.lattice(paper)
    assert table["p_value"].tolist() == printed_p_values().tolist()
    assert table["fits"].all()
    assert trace_of(table).sources == trace_of(paper).sources
    condition = {"dataset": "mnist", "dropout": False, "phase": "after"}
    few = pd.DataFrame({"p_value_layer": [0.003, 0.034], "p_value_layer_nonzero": [0.031, 1.0]})
    table = designs.lattice(as_printed(few.assign(**condition)))
    assert table.to_numpy().tolist() == [
        *([0.003, 0, True], [0.034, 1, True], [0.031, 1, False], [1.0, 32, True]),
    ]


def significance(
    dataset: str, below: list[tuple[int, int]], n_shuffles: int = 320
) -> dict[str, dict[str, object]]:
    """Rows of `designs.significance` by null; below: for both nulls, a pair for each network."""
    condition = {"dataset": dataset, "dropout": False, "phase": "after", "n_shuffles": n_shuffles}
    ours = [condition | {"n_below_layer": a, "n_below_layer_nonzero": b} for a, b in below]
    table = designs.significance(as_printed(pd.DataFrame(ours)), printed.networks())
    return {row["null"]: row for row in table.to_dict("records")}


def test_one_shuffle_below_is_rarely_drawn():
    row = significance("fashion_mnist", [(1, 0)])["layer"]
    assert row["ours_independent"] == 0
    # one of 320 is not among 32 drawn: 1 - 32 / 320
    assert row["ours_repeated"] == pytest.approx(0.9)


def test_designs_by_hand():
    found = significance("fashion_mnist", [(1, 0), (0, 320), (2, 300)])
    layer, nonzero = found["layer"], found["layer-nonzero"]
    assert layer["ours_independent"] == pytest.approx(1 / 3)
    assert layer["ours_repeated"] == pytest.approx((0.9 + 1 + (288 * 287) / (320 * 319)) / 3)
    # of 320 with 300 below, only 20 can be drawn that are not
    assert nonzero["ours_independent"] == nonzero["ours_repeated"] == pytest.approx(1 / 3)
    # Table A.10: all of ten against `layer`, none against `layer-nonzero`
    assert (layer["paper"], nonzero["paper"]) == (1.0, 0.0)
    assert layer["n"] == nonzero["n"] == 3
    assert nonzero["name"] == "Fashion-MNIST, no dropout, after pruning, layer-nonzero"


def test_designs_with_fewer_shuffles_than_32():
    # all three are drawn, so both designs agree
    row = significance("lines", [(1, 0), (0, 0)], n_shuffles=3)["layer"]
    assert row["ours_independent"] == row["ours_repeated"] == 0.5
    assert math.isnan(row["paper"])


def test_readable_significance():
    frame = as_printed(pd.DataFrame(significance("mnist", [(1, 0)]).values()))
    table = designs.readable_significance(frame).content
    assert table.index.tolist() == [
        ("MNIST, no dropout", "after", "layer"),
        ("MNIST, no dropout", "after", "layer-nonzero"),
    ]
    # Table A.6: 0.003 in seven of ten rows, for either null
    # Clopper and Pearson: one of one, none of one, seven of ten
    assert table.to_numpy().tolist() == [
        ["0.00 [0.00, 0.97]", "0.90", "0.70 [0.35, 0.93]"],
        ["1.00 [0.03, 1.00]", "1.00", "0.70 [0.35, 0.93]"],
    ]
    without = designs.readable_significance(frame.assign(paper=np.nan)).content
    assert without["Paper"].tolist() == ["–", "–"]


def test_simulated_designs():
    networks = [make_network("mnist", False, 3), make_network("mnist", True, 8)]
    null = np.arange(320) / 100
    found = {place: [(0.035, null), (-1.0, null)] for place in PLACES}  # 4 and none below
    found["after", "layer-nonzero"] = [(9.0, null), (0.205, null)]  # all and 21 below
    _, tests = frames(networks, found)
    table, again, other = (
        designs.simulated(tests, rng=np.random.default_rng(seed)) for seed in (0, 0, 1)
    )
    pd.testing.assert_frame_equal(table, again)
    assert not table["below_repeated"].equals(other["below_repeated"])
    assert table[["phase", "null", "network"]].to_numpy().tolist() == [
        [phase, mode, seed] for phase, mode in PLACES for seed in (3, 8)
    ]
    assert table["below_independent"].tolist() == [4, 0] * 3 + [320, 21]
    assert table["remainder_independent"].dropna().tolist() == [4, 4, 4, 1]
    assert (table["n_independent"] == 320).all()
    assert (table["n_repeated"] == 320).all()
    assert (table["below_repeated"] % 10 == 0).all()
    assert set(table["remainder_repeated"].dropna()) <= {0}
    # what no or every shuffle is below, none or all of the drawn ones are, too
    assert table["below_repeated"].tolist()[1::2][:3] == [0, 0, 0]
    assert table["below_repeated"].tolist()[6] == 320


def test_simulated_designs_of_a_few_shuffles():
    _, tests = frames([make_network("lines")], {key: [(1.5, [1.0, 2.0, 3.0])] for key in PLACES})
    table = designs.simulated(tests, rng=np.random.default_rng(0))
    # all three are drawn, and each is counted ten times
    assert table["below_repeated"].tolist() == [10] * 4
    assert table["n_repeated"].tolist() == [30] * 4
