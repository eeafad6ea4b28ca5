"""How much of a paper's table has ours beside it, and how close the two are.

A *cell* is what a paper prints as one: a number, a word, or a mean ± its standard deviation (two
columns that end in ``_mean`` and ``_std``). A *gap* is |ours − printed| divided by a spread that
follows from the printed table alone. *Elsewhere* are those of ours that are from other data than
the paper's, or under another setting: they are counted by themselves, and have no gap.
"""

from __future__ import annotations

from collections.abc import Collection, Iterable, Mapping, Sequence
from dataclasses import asdict, dataclass, fields, replace

import numpy as np
import pandas as pd

#: The units of gaps: what stands behind the ± of the cell itself, or the standard deviation over
#: the rows of the printed table.
PRINTED_SPREAD, SPREAD_OF_ROWS = "printed ±", "spread of rows"


@dataclass(frozen=True)
class Covered:
    """What stands beside one table or figure of a paper.

    n_printed: its cells; n_beside: those that have ours beside them, from the paper's data and
    under its settings; gaps: one for each comparison, in `unit`; n_ours, n_theirs: networks behind
    ours and behind the paper's, None where unknown; n_elsewhere, n_ours_elsewhere: cells and
    networks of ours from other data, or under another setting.
    """

    item: str
    n_printed: int = 0
    n_beside: int = 0
    gaps: tuple[float, ...] = ()
    unit: str = ""
    n_ours: int | None = None
    n_theirs: int | None = None
    n_elsewhere: int = 0
    n_ours_elsewhere: int = 0


def elsewhere(covered: Covered) -> Covered:
    """The same where ours turn out to be from other data, or under another setting."""
    return replace(
        covered,
        n_beside=0,
        n_elsewhere=covered.n_elsewhere + covered.n_beside,
        gaps=(),
        n_ours=None if covered.n_ours is None else 0,
        n_ours_elsewhere=covered.n_ours_elsewhere + (covered.n_ours or 0),
    )


def together(one: Covered, other: Covered) -> Covered:
    """One item of which some is covered in one way, and some in another.

    Raises ValueError where both are not about the same.
    """
    if (one.item, one.n_printed, one.n_theirs) != (other.item, other.n_printed, other.n_theirs):
        raise ValueError(f"other={other} is not allowed: it must be about the same as {one}")
    known = [each.n_ours for each in (one, other) if each.n_ours is not None]
    return replace(
        one,
        n_beside=one.n_beside + other.n_beside,
        n_elsewhere=one.n_elsewhere + other.n_elsewhere,
        gaps=one.gaps + other.gaps,
        n_ours=sum(known) if known else None,
        n_ours_elsewhere=one.n_ours_elsewhere + other.n_ours_elsewhere,
    )


def table_of(papers: Mapping[str, Iterable[Covered]]) -> pd.DataFrame:
    """A row for each, by the short names of the papers; what is not known is None."""
    rows = [{"paper": paper, **asdict(row)} for paper, covered in papers.items() for row in covered]
    columns = ["paper", *(each.name for each in fields(Covered))]
    return pd.DataFrame(rows, columns=columns, dtype=object)


def cells(printed: pd.DataFrame, about: Collection[str]) -> dict[str, str | None]:
    """The columns of a printed table that are cells, each with the column of its ± or None.

    about: the columns that say what a row is about.
    """
    columns = [name for name in printed if name not in about]
    spreads = {
        name.removesuffix("_std") + "_mean": name
        for name in columns
        if name.endswith("_std") and name.removesuffix("_std") + "_mean" in columns
    }
    taken = set(spreads.values())
    return {name: spreads.get(name) for name in columns if name not in taken}


def row_by_row(
    item: str,
    printed: pd.DataFrame,
    ours: pd.DataFrame,
    about: Sequence[str],
    *,
    n_ours: int | None = None,
    n_theirs: int | None = None,
) -> Covered:
    """A table whose rows are about the same as ours: each cell has ours beside it, or nothing.

    ours: its columns have the names of the printed ones. Gaps are in units of the printed ±. Raises
    pandas.errors.MergeError where two rows of either are about the same.
    """
    found = cells(printed, about)
    there = [name for name in found if name in ours]
    both = printed[[*about]].merge(
        ours[[*about, *there]], on=[*about], how="left", validate="one_to_one"
    )
    n_beside, gaps = 0, []
    for name in there:
        own, theirs = both[name].reset_index(drop=True), printed[name].reset_index(drop=True)
        beside = own.notna() & theirs.notna()
        n_beside += int(beside.sum())
        spread = found[name]
        if spread is not None:
            std = printed[spread].reset_index(drop=True)
            kept = beside & (std > 0)
            gaps += ((own - theirs).abs() / std)[kept].astype(float).tolist()
    return Covered(
        item, _n_cells(printed, found), n_beside, (*gaps,), PRINTED_SPREAD, n_ours, n_theirs
    )


def column_by_column(
    item: str,
    printed: pd.DataFrame,
    ours: pd.DataFrame,
    about: Sequence[str],
    *,
    n_ours: int | None = None,
    n_theirs: int | None = None,
) -> Covered:
    """A table whose rows are about single things that ours are not: other networks, other clusters.

    As many of its cells as we have have ours beside them; NaN is none. There is a gap for each
    column of numbers: that of the two means, in standard deviations over the printed rows.
    """
    found = cells(printed, about)
    n_ours_of = {name: int(ours[name].notna().sum()) for name in found if name in ours}
    there = [name for name, n in n_ours_of.items() if n]
    gaps = []
    for name in filter(lambda name: _varies(printed[name]), there):
        distance = abs(ours[name].mean() - printed[name].mean())
        gaps.append(float(distance / printed[name].std(ddof=1)))
    n_beside = sum(min(n_ours_of[name], int(printed[name].notna().sum())) for name in there)
    return Covered(
        item, _n_cells(printed, found), n_beside, (*gaps,), SPREAD_OF_ROWS, n_ours, n_theirs
    )


def _varies(column: pd.Series) -> bool:
    """Whether a column has several numbers; the standard deviation of equal ones need not be 0."""
    is_number = pd.api.types.is_numeric_dtype(column) and not pd.api.types.is_bool_dtype(column)
    return is_number and column.nunique() > 1


def _n_cells(printed: pd.DataFrame, found: Collection[str]) -> int:
    return int(printed[[*found]].notna().sum().sum())


def numbers(item: str, printed: Collection[str], ours: Mapping[str, float]) -> Covered:
    """Numbers that stand in the text by themselves; ours: those that we have, by the same names.

    Raises ValueError for one of ours that is not printed.
    """
    extra = sorted(set(ours) - set(printed))
    if extra:
        raise ValueError(f"ours={extra} is not allowed: names of printed numbers, {[*printed]}")
    there = [name for name, value in ours.items() if not np.isnan(value)]
    return Covered(item, len(printed), len(there))


def middle_and_largest(gaps: Sequence[float]) -> tuple[float, float] | None:
    """The median and the largest of gaps; None where there are none.

    Raises ValueError for NaN, which a median would be, and a largest one by its place.
    """
    if np.isnan(gaps).any():
        raise ValueError(f"gaps={[*gaps]} is not allowed: numbers")
    return (float(np.median(gaps)), float(max(gaps))) if len(gaps) else None


def readable_count(here: object, n_elsewhere: int) -> str:
    """A count as a page prints it, with what is elsewhere."""
    return f"{here}, elsewhere {n_elsewhere:,}" if n_elsewhere else str(here)


def readable_gaps(gaps: Sequence[float]) -> tuple[str, str]:
    """The median and the largest as a page prints them; dashes where there are none."""
    found = middle_and_largest(gaps)
    return ("–", "–") if found is None else (f"{found[0]:.1f}", f"{found[1]:.1f}")
