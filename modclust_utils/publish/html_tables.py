"""A table as HTML: each header says what it heads, ours and the paper's are told apart, and what is
wider than the page scrolls in a frame that the keyboard reaches."""

from __future__ import annotations

import html
import re
from collections.abc import Sequence
from itertools import groupby

import pandas as pd

#: Name of the index level that says whose a row is: "ours", or "paper". Columns may begin with
#: these two words instead, in any of their levels.
SOURCE = "Source"
_WHOSE = {"ours": "mc-ours", "paper": "mc-paper"}
_NUMBER = re.compile(r"(?=.*\d)(?:[-+−±\d.,%eE\s()\[\]/–]|to|of)+")
_EMPTY = {"", "–"}
_LONG = 40  # characters; a column of sentences stays wide enough to be read


def table_html(table: pd.DataFrame, *, name: str, html_cells: bool = False) -> str:
    """`table` in its frame.

    name: what its label and its anchor are made of; html_cells: the cells are HTML.
    """
    parts = _Parts(table, html_cells)
    heads, rows = ("".join(part) for part in (parts.heads(), parts.rows()))
    slug = re.sub(r"[^\w-]+", "-", name)
    place = slug if slug.startswith("table") else f"table-{slug}"
    label = html.escape(f"Table: {name.replace('-', ' ')}")
    return (
        f'<div class="mc-table" id="{place}" role="region" tabindex="0" aria-label="{label}">'
        f'<table class="dataframe"><thead>{heads}</thead><tbody>{rows}</tbody></table></div>'
    )


class _Parts:
    """The rows of a table as HTML."""

    def __init__(self, table: pd.DataFrame, html_cells: bool) -> None:
        self.html_cells = html_cells
        self.names = [str(name or "") for name in table.index.names]
        self.places = [_levels(label) for label in table.index]
        self.columns = [_levels(label) for label in table.columns]
        self.values = [[*map(str, row)] for row in table.itertuples(index=False, name=None)]
        self.place_kinds = self.kinds(self.places, len(self.names))
        kinds = self.kinds(self.values, len(self.columns))
        whose = [next(filter(None, map(_whose, label)), "") for label in self.columns]
        self.column_classes = [*zip(kinds, whose, strict=True)]

    def heads(self) -> list[str]:
        """The header rows; names of index levels stand in the first and reach down to the last."""
        n_levels = len(self.columns[0])
        down = f' rowspan="{n_levels}"' if n_levels > 1 else ""
        rows = [
            "".join(
                self.cell("colgroup", key[-1], [_whose(key[0])], f' colspan="{len([*group])}"')
                for key, group in groupby(label[:depth] for label in self.columns)
            )
            for depth in range(1, n_levels)
        ]
        last = zip(self.columns, self.column_classes, strict=True)
        rows.append("".join(self.cell("col", label[-1], classes) for label, classes in last))
        names = zip(self.names, self.place_kinds, strict=True)
        rows[0] = "".join(self.cell("col", name, [kind], down) for name, kind in names) + rows[0]
        return [f"<tr>{row}</tr>" for row in rows]

    def rows(self) -> list[str]:
        """The rows below the header."""
        return [self.row(i) for i in range(len(self.values))]

    def row(self, i: int) -> str:
        place = self.places[i]
        heads = "".join(
            self.cell("row", label, [self.place_kinds[depth]], self.span(i, depth))
            for depth, label in enumerate(place)
            if self.begins(i, depth)
        )
        cells = "".join(
            self.cell("", text, [*classes, "mc-long" * (len(self.read(text)) > _LONG)])
            for text, classes in zip(self.values[i], self.column_classes, strict=True)
        )
        group = "mc-group" if len(place) > 1 and self.begins(i, 0) else ""
        whose = _whose(place[self.names.index(SOURCE)]) if SOURCE in self.names else ""
        return f"<tr{_classes([group, whose])}>{heads}{cells}</tr>"

    def begins(self, i: int, depth: int) -> bool:
        """Whether row i has a label of its own in a level of the index, or that of the row above
        reaches down to it. In the last level each row has one."""
        place = self.places[i]
        upper = slice(depth + 1)
        return i == 0 or depth == len(place) - 1 or place[upper] != self.places[i - 1][upper]

    def span(self, i: int, depth: int) -> str:
        end = i + 1
        while end < len(self.places) and not self.begins(end, depth):
            end += 1
        return f' rowspan="{end - i}"' if end - i > 1 else ""

    def kinds(self, rows: Sequence[Sequence[str]], n: int) -> list[str]:
        """For each of n columns: ``mc-text`` where it reads better from the left; numbers stand
        below each other."""
        columns = [[self.read(row[i]) for row in rows] for i in range(n)]
        words = [any(t not in _EMPTY and not _NUMBER.fullmatch(t) for t in c) for c in columns]
        return ["mc-text" if each else "" for each in words]

    def read(self, text: str) -> str:
        """What a reader sees of a cell."""
        return re.sub(r"<[^>]*>", "", text) if self.html_cells else text

    def cell(self, scope: str, text: str, classes: Sequence[str], more: str = "") -> str:
        """A header with a scope, or a plain cell; without words it would head nothing."""
        tag, where = ("th", f' scope="{scope}"') if scope and text else ("td", "")
        content = text if self.html_cells else html.escape(_unbroken(text))
        return f"<{tag}{where}{_classes(classes)}{more}>{content}</{tag}>"


def _levels(label: object) -> tuple[str, ...]:
    return tuple(map(str, label)) if isinstance(label, tuple) else (str(label),)


def _whose(label: str) -> str:
    return _WHOSE.get(label.lower().split(",")[0], "")


def _unbroken(text: str) -> str:
    """The text with no break within "a ± b" or short brackets."""
    text = re.sub(r" ([±−]) ", "\u00a0\\1\u00a0", text)
    return re.sub(r"[\[(][^\])]{,20}[\])]", lambda m: m[0].replace(" ", "\u00a0"), text)


def _classes(classes: Sequence[str]) -> str:
    names = " ".join(filter(None, classes))
    return f' class="{names}"' if names else ""
