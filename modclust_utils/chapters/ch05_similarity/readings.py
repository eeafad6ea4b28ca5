"""The verdicts of chapter 5 under each reading of what the paper leaves open, and each search."""

from __future__ import annotations

import html

import pandas as pd

from modclust_utils.chapters.ch05_similarity.rules import Results
from modclust_utils.chapters.ch05_similarity.tables import Reading
from modclust_utils.recipes.frames import shown_table, traced
from modclust_utils.verdicts import VERDICTS, Verdict

#: A verdict's sign.
SIGNS = dict(zip(VERDICTS, "✓≈✗?–", strict=True))
READINGS = tuple(
    Reading(absolute, normalization, method)
    for method in ("monte_carlo", "leiden")
    for absolute in ("of_mean", "mean_of")
    for normalization in ("max", "sqrt")
)
_WORDS = {
    **{"of_mean": "|mean|", "mean_of": "mean of | |"},
    **{"monte_carlo": "Monte Carlo", "leiden": "Leiden"},
}


def reading_name(reading: Reading) -> str:
    """A reading in words."""
    return f"{_WORDS[reading.absolute]}, {reading.normalization}, {_WORDS[reading.method]}"


@traced
def by_reading(found: dict[Reading, tuple[Results, list[Verdict]]]) -> pd.DataFrame:
    """The verdict on each claim under each reading: a row a claim.

    Columns: id, claim, one for each reading (`reading_name`) with the verdict's sign and how many
    cases hold, and `same`: whether all are the same.
    """
    columns = {
        reading_name(reading): {
            (v.claim["id"], v.claim["claim"]): f"{SIGNS[v.verdict]} {v.held}/{len(v.cases)}"
            for v in verdicts
        }
        for reading, (_, verdicts) in found.items()
    }
    table = pd.DataFrame(columns)
    same = table.map(lambda cell: cell[0]).nunique(axis=1) == 1
    return table.assign(same=same).rename_axis(["id", "claim"]).reset_index()


def hanging(table: pd.DataFrame) -> str:
    """How many verdicts of `by_reading` hang on the reading, of those that there are."""
    names = {reading_name(reading) for reading in READINGS}
    cells = table[[name for name in table if name in names]]
    tried = cells.map(lambda cell: cell[0] != SIGNS["not attempted"]).any(axis=1)
    if not tried.any():
        return f"No claim of {len(table)} was attempted in this run, under any reading."
    rest = f" The other {(~tried).sum()} were not attempted." if not tried.all() else ""
    n = (tried & ~table["same"]).sum()
    return f"{n} of {tried.sum()} verdicts are not the same under all readings.{rest}"


@shown_table(html=True)
def readable(table: pd.DataFrame) -> pd.DataFrame:
    """`by_reading` as a page prints it: claims by their number, readings below their search."""
    names = {reading_name(reading): reading for reading in READINGS}
    columns = [name for name in table if name in names]
    shown = table[columns].map(_mark)
    shown.columns = pd.MultiIndex.from_tuples(
        (_WORDS[names[c].method], html.escape(_WORDS[names[c].absolute]), names[c].normalization)
        for c in columns
    )
    links = [f'<a href="#claim-{each}">{each}</a>' for each in table["id"]]
    return shown.set_axis(pd.Index(links, name="Claim"))


def _mark(cell: str) -> str:
    """A cell of `by_reading` in the colour of its verdict."""
    sign, cases = cell.split(" ")
    slug = next(verdict for verdict, each in SIGNS.items() if each == sign).replace(" ", "-")
    return f'<span class="mc-verdict mc-verdict-{slug}">{cases}</span>'
