"""Frames of records, and the trace from what a page shows back to them."""

from __future__ import annotations

import copy
from dataclasses import dataclass
from typing import Any

import numpy as np
import pandas as pd
import pytest
from matplotlib.figure import Figure
from small_book import frame_of, make_ncut, make_network, make_test, printed

from modclust_utils.recipes.base import Record
from modclust_utils.recipes.frames import (
    Trace,
    frame,
    only_k,
    plain_data,
    shown_figure,
    shown_table,
    trace_of,
    traced,
)

NETWORKS = [make_network(seed=seed) for seed in (0, 1)]
TESTS = [make_test(network, 1.5, [2.0, 2.5]) for network in NETWORKS]
NCUTS = [make_ncut(network, 1.25) for network in NETWORKS]


def records_of(*made: Any) -> set[Record]:
    return {record for each in made for _, record in each}


def found(*things: Any) -> set[Record]:
    return set(trace_of(things).records)


# Frames


def test_frame_has_a_row_for_each_record():
    table = frame_of(TESTS)
    assert table.columns.tolist() == [
        *("dataset", "dropout", "seed", "network", "phase", "mode", "n_clusters", "n_shuffles"),
        *("ncut", "p_value", "z_score", "null_ncuts", "record"),
    ]
    assert table["seed"].tolist() == [0, 1]
    assert table["network"].tolist() == [job.key for job, _ in NETWORKS]
    assert table["null_ncuts"].tolist() == [[2.0, 2.5]] * 2
    assert [record.key for record in table["record"]] == [job.key for job, _ in TESTS]


def test_frame_of_several_kinds_has_all_of_their_columns():
    table = frame_of([TESTS[0], NCUTS[1]])
    assert table["ncut"].tolist() == [1.5, 1.25]
    assert table["p_value"].isna().tolist() == [False, True]


def test_frame_of_nothing():
    table = frame([], [])
    assert table.columns.tolist() == ["record"]
    assert trace_of(table).records == ()


def test_frame_needs_a_record_for_each_job():
    with pytest.raises(ValueError, match="shorter"):
        frame([job for job, _ in TESTS], [TESTS[0][1]])


# Traces


@dataclass
class Both:
    """Frames with a name each."""

    tests: pd.DataFrame
    others: list[pd.DataFrame]
    k: int = 4


def test_trace_names_the_records_of_all_that_came_in():
    tests, networks, ncuts = map(frame_of, (TESTS, NETWORKS, NCUTS))
    assert found(tests) == records_of(TESTS)
    assert found(tests, {"a": networks, "b": [ncuts, 3, "text", None]}) == records_of(
        TESTS, NETWORKS, NCUTS
    )
    assert found(Both(tests, [networks])) == records_of(TESTS, NETWORKS)
    assert found(TESTS[0][1]) == {TESTS[0][1]}
    # what is of no table has no trace
    assert found(Both, 3, np.arange(3), "text") == set()


def test_each_record_and_source_is_named_once():
    tests = frame_of(TESTS)
    once = printed(pd.DataFrame({"a": [1]}))
    trace = trace_of(tests, tests.head(1), once, once.copy())
    assert len(trace.records) == 2
    assert trace.sources == ("a made-up paper",)


def test_row_of_two_records_names_both():
    both = frame_of(TESTS).assign(ncut_record=frame_of(NCUTS)["record"])
    assert found(both) == records_of(TESTS, NCUTS)
    assert found(both[:1]) == records_of(TESTS[:1], NCUTS[:1])
    assert not [name for name in plain_data(both) if name.endswith("record")]


def test_printed_table_without_rows_is_no_source():
    table = printed(pd.DataFrame({"a": [1]}))
    assert trace_of(table[table["a"] > 1]).sources == ()


def test_slices_keep_the_trace():
    tests = frame_of(TESTS)
    assert found(tests[tests["seed"] == 1]) == records_of(TESTS[1:])
    table = first_column(tests)
    for some in (table.head(1), table[table["ncut"] > 9], table.sort_values("ncut"), table.copy()):
        assert found(some) == records_of(TESTS)
    for some in (table.assign(more=1), table.reset_index(drop=True), table.rename(columns=str)):
        assert found(some) == records_of(TESTS)


@pytest.mark.parametrize(
    "lose",
    [
        lambda t: pd.DataFrame({"ncut": t["ncut"]}),
        lambda t: t.groupby("seed")[["ncut"]].mean(),
    ],
)
def test_table_of_unknown_origin_is_refused(lose):
    table = lose(frame_of(TESTS))
    with pytest.raises(ValueError, match="a table with the columns ncut is of unknown origin"):
        trace_of(table)
    with pytest.raises(ValueError, match="of unknown origin; allowed: frames of records, papers'"):
        first_column(table)


def test_records_are_not_copied_with_a_table():
    trace = Trace(tuple(record for _, record in TESTS))
    assert copy.deepcopy(trace) is trace


# Functions that remember


@traced
def first_column(table: pd.DataFrame, *, more: pd.DataFrame | None = None) -> pd.DataFrame:
    """One column."""
    return pd.DataFrame({"ncut": table["ncut"]})


@shown_table
def doubled(table: pd.DataFrame, factor: int = 2) -> pd.DataFrame:
    """The same, times two."""
    return pd.DataFrame({"Twice": factor * table["ncut"]})


@shown_figure
def drawn(data: pd.DataFrame, networks: pd.DataFrame) -> Figure:
    """Nothing."""
    return Figure()


def test_traced_table_remembers_all_arguments():
    table = first_column(frame_of(TESTS), more=frame_of(NETWORKS))
    assert found(table) == records_of(TESTS, NETWORKS)
    assert found(first_column(table)) == records_of(TESTS, NETWORKS)
    assert (first_column.__name__, first_column.__doc__) == ("first_column", "One column.")


def test_traced_table_of_a_printed_one_names_its_source():
    table = first_column(printed(pd.DataFrame({"ncut": [1.0]})), more=frame_of(NETWORKS))
    assert trace_of(table).sources == ("a made-up paper",)
    assert found(table) == records_of(NETWORKS)


def test_shown_table_offers_its_first_argument_as_data():
    shown = doubled(frame_of(TESTS), 3)
    assert shown.content["Twice"].tolist() == [4.5, 4.5]
    assert shown.data["ncut"].tolist() == [1.5, 1.5]
    assert set(shown.trace.records) == records_of(TESTS)
    assert not shown.html
    assert doubled(table=frame_of(TESTS)).data.equals(shown.data)


def test_shown_table_of_html():
    @shown_table(html=True)
    def linked(table: pd.DataFrame) -> pd.DataFrame:
        return table[["ncut"]]

    assert linked(frame_of(TESTS)).html


def test_shown_figure_knows_the_records_of_all_arguments():
    shown = drawn(frame_of(NCUTS), networks=frame_of(NETWORKS))
    assert isinstance(shown.content, Figure)
    assert set(shown.trace.records) == records_of(NCUTS, NETWORKS)
    assert shown.data.columns.tolist() == plain_data(frame_of(NCUTS)).columns.tolist()


# Plain data


def test_plain_data_leaves_out_what_a_csv_cannot_hold():
    table = frame_of(TESTS).assign(arrays=[np.ones(2)] * 2, pairs=[(1, 2)] * 2, dicts=[{}] * 2)
    assert plain_data(table).columns.tolist() == [
        name for name in frame_of(TESTS) if name not in ("null_ncuts", "record")
    ]


def test_plain_data_looks_at_every_row():
    table = frame_of([NCUTS[0]] * 9 + [TESTS[0]])
    assert "null_ncuts" not in plain_data(table)
    assert plain_data(table)["ncut"].tolist() == [1.25] * 9 + [1.5]


def test_number_of_clusters_of_a_frame():
    assert only_k(frame_of(TESTS)) == 4
    both = frame_of([TESTS[0], make_test(NETWORKS[0], 1.5, [2.0], n_clusters=2)])
    with pytest.raises(ValueError, match=r"n_clusters=\[2, 4\] in one frame; allowed: one number"):
        only_k(both)
