"""Tidy frames of records, and the trace from what a page shows back to its records.

A frame has a row for each record: what the record is about, the entries of its value, and the
record itself. Rows that a second record has a part in name it in another column that ends in
``record``. Tables and figures are made from frames by functions under `traced`, `shown_table` or
`shown_figure`, which note the records that came in: where a number is from is never typed.
"""

from __future__ import annotations

import functools
from collections.abc import Callable, Iterator, Mapping, Sequence
from dataclasses import dataclass, fields, is_dataclass
from typing import Any, ParamSpec

import numpy as np
import pandas as pd
from matplotlib.figure import Figure

from modclust_utils.recipes.base import Job, Record

P = ParamSpec("P")


@dataclass(frozen=True, eq=False)
class Trace:
    """What something was made from: records, and printed sources such as a paper's table."""

    records: tuple[Record, ...] = ()
    sources: tuple[str, ...] = ()

    def __deepcopy__(self, memo: object) -> Trace:
        # pandas copies a frame's attributes with every step, and records are large
        return self


@dataclass(frozen=True)
class Shown:
    """A figure or table for a page, the plain data behind it, and its trace.

    html: whether the cells of a table are HTML and not text.
    """

    content: Figure | pd.DataFrame
    data: pd.DataFrame
    trace: Trace
    html: bool = False


def frame(jobs: Sequence[Job], records: Sequence[Record]) -> pd.DataFrame:
    """A row for each job: what it is about, the entries of its record's value, and `record`."""
    rows = [
        {**job.about, **record.value, "record": record}
        for job, record in zip(jobs, records, strict=True)
    ]
    columns = [*dict.fromkeys(name for row in rows for name in row)] or ["record"]
    return pd.DataFrame(rows, columns=columns)


def trace_of(*things: Any) -> Trace:
    """The trace of everything that holds frames: frames, and collections and dataclasses of them.

    Raises ValueError for a frame of unknown origin: one that lost its trace on the way.
    """
    records: dict[tuple[str, str], Record] = {}
    sources: dict[str, None] = {}
    for trace in _traces(things):
        records |= {(record.kind, record.key): record for record in trace.records}
        sources |= dict.fromkeys(trace.sources)
    return Trace(tuple(records.values()), tuple(sources))


def _traces(thing: Any) -> Iterator[Trace]:
    if isinstance(thing, pd.DataFrame):
        yield _trace_of_frame(thing)
    elif isinstance(thing, Record):
        yield Trace((thing,))
    elif isinstance(thing, Mapping):
        yield from _traces(tuple(thing.values()))
    elif isinstance(thing, list | tuple):
        for each in thing:
            yield from _traces(each)
    elif is_dataclass(thing) and not isinstance(thing, type):
        for each in fields(thing):
            yield from _traces(getattr(thing, each.name))


def _trace_of_frame(table: pd.DataFrame) -> Trace:
    columns = [name for name in table if str(name).endswith("record")]
    if columns:
        return Trace(tuple(record for name in columns for record in table[name]))
    if "trace" in table.attrs:
        return table.attrs["trace"]
    if "source" in table.attrs:
        # a paper's table of which no row is about what is shown is no source of it
        return Trace(sources=(table.attrs["source"],) if len(table) else ())
    raise ValueError(
        f"a table with the columns {', '.join(map(str, table))} is of unknown origin; allowed: "
        "frames of records, papers' tables, and what functions under `traced` make of them"
    )


def traced(make: Callable[P, pd.DataFrame]) -> Callable[P, pd.DataFrame]:
    """A function from frames to a table that remembers what it was made from."""

    @functools.wraps(make)
    def wrapper(*args: P.args, **kwargs: P.kwargs) -> pd.DataFrame:
        table = make(*args, **kwargs)
        table.attrs = {"trace": trace_of(args, kwargs)}
        return table

    return wrapper


def shown_table(
    make: Callable[P, pd.DataFrame] | None = None, *, html: bool = False
) -> Callable[..., Any]:
    """A function from frames to a table as readers want it; its first argument is the plain data.

    html: the cells of the table are HTML.
    """
    return _shown(make, html) if make else lambda make: _shown(make, html)


def shown_figure(draw: Callable[P, Figure]) -> Callable[P, Shown]:
    """A function from frames to a figure; its first argument is the plain data behind it."""
    return _shown(draw, html=False)


def _shown(make: Callable[P, Any], html: bool) -> Callable[P, Shown]:
    @functools.wraps(make)
    def wrapper(*args: P.args, **kwargs: P.kwargs) -> Shown:
        content = make(*args, **kwargs)
        first = args[0] if args else next(iter(kwargs.values()))
        return Shown(content, plain_data(first), trace_of(args, kwargs), html)

    return wrapper


def plain_data(table: pd.DataFrame) -> pd.DataFrame:
    """The columns of a table that a CSV can hold: no records, lists or arrays."""
    nested = (list, dict, tuple, np.ndarray, Record)
    keep = [name for name in table if not any(isinstance(value, nested) for value in table[name])]
    return pd.DataFrame(table[keep])


def only_k(frame: pd.DataFrame) -> int:
    """The number of clusters of all rows of a frame. Raises ValueError where there are several."""
    found = sorted(set(frame["n_clusters"].astype(int)))
    if len(found) != 1:
        raise ValueError(f"n_clusters={found} in one frame; allowed: one number of clusters")
    return found[0]
