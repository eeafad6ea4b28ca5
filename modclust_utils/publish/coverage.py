"""What of its papers a chapter has: a table for its page, and the same left with the run."""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from typing import Any

import pandas as pd

from modclust_utils.coverage import Covered, readable_count, readable_gaps, table_of
from modclust_utils.datasets.papers import paper_name, source
from modclust_utils.publish import chapters
from modclust_utils.publish.left import COVERAGE, leave_with_run
from modclust_utils.recipes.frames import Shown, Trace, plain_data, trace_of


def cover(chapter: int, covered: pd.DataFrame) -> Shown:
    """The tables and figures that ``contents.yml`` of a chapter lists, with what is `covered`.

    covered: `coverage.table_of`, from records; items that are not in it have nothing beside them.
    Raises ValueError for a row about what is not listed, and for two rows about the same.
    """
    contents = chapters.contents(chapter)
    rows = with_contents(contents, covered)
    leave_with_run(COVERAGE, rows)
    tables = dict.fromkeys(name for each in contents for name in each.get("tables", []))
    trace = Trace(trace_of(covered).records, tuple(map(source, tables)))
    return Shown(readable(rows), plain_data(pd.DataFrame(rows)), trace)


def with_contents(
    contents: Sequence[Mapping[str, Any]], covered: pd.DataFrame
) -> list[dict[str, Any]]:
    """Each item of `contents` with its row of `covered`, in the order of `contents`."""
    found = {(row["paper"], row["item"]): row for row in covered.to_dict("records")}
    listed = [(each["paper"], each["item"]) for each in contents]
    extra = [key for key in found if key not in listed]
    if extra or len(found) < len(covered):
        raise ValueError(
            f"covered={extra or 'rows about the same'} is not allowed: a row for each item of "
            "contents.yml at most"
        )
    rows = []
    for each, key in zip(contents, listed, strict=True):
        nothing = table_of({each["paper"]: [Covered(each["item"])]}).to_dict("records")[0]
        texts = {"shown_in": [], "note": "", **each}
        row = found.get(key, nothing)
        rows.append(texts | row | {"gaps": list(row["gaps"])})
    return rows


def readable(rows: Sequence[Mapping[str, Any]]) -> pd.DataFrame:
    """The rows as a page of a chapter shows them."""
    several = len({row["paper"] for row in rows}) > 1
    shown = {}
    for row in rows:
        name = f"{row['item']} ({paper_name(row['paper'])})" if several else row["item"]
        middle, largest = readable_gaps(row["gaps"])
        beside = readable_count(row["n_beside"], row["n_elsewhere"])
        shown[name] = {
            "What it shows": row["words"],
            "Printed cells": str(row["n_printed"] or "–"),
            "With ours": beside if row["n_printed"] else "–",
            "Networks, ours": readable_count(count(row["n_ours"]), row["n_ours_elsewhere"]),
            "Networks, paper": count(row["n_theirs"]),
            "Median gap": middle,
            "Largest gap": largest,
        }
    return pd.DataFrame.from_dict(shown, orient="index").rename_axis("Of the paper")


def count(n: int | None) -> str:
    """A number of networks as a page prints it; a dash where it is not known."""
    return "–" if n is None else f"{n:,}"
