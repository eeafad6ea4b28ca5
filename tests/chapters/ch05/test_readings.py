"""Verdicts under all readings: what is the same, and what a page shows of it."""

from __future__ import annotations

import pandas as pd
from small_book import printed

from modclust_utils.chapters.ch05_similarity import readings, tables
from modclust_utils.chapters.ch05_similarity.rules import Results
from modclust_utils.verdicts import Case, Verdict


def verdict(name: str, *holds: bool | None) -> Verdict:
    claim = {"id": name.upper(), "claim": f"It is {name}."}
    return Verdict(claim, tuple(Case("", each, "") for each in holds))


def found() -> pd.DataFrame:
    first, second = tables.Reading(), tables.Reading("mean_of", "sqrt", "leiden")
    frame = printed(pd.DataFrame({"a": [1]}))
    results = Results(frame, frame, frame, "mnist", 0.8)
    return readings.by_reading(
        {
            first: (results, [verdict("x", True, True), verdict("y", True, False)]),
            second: (results, [verdict("x", True), verdict("y", None)]),
        }
    )


def test_verdicts_that_hang_on_the_reading():
    table = found()
    assert table.to_dict("list") == {
        "id": ["X", "Y"],
        "claim": ["It is x.", "It is y."],
        "|mean|, max, Monte Carlo": ["✓ 2/2", "≈ 1/2"],
        "mean of | |, sqrt, Leiden": ["✓ 1/1", "? 0/1"],
        "same": [True, False],
    }
    assert table.attrs["trace"].sources == ("a made-up paper",)


def test_verdicts_that_hang_on_the_reading_are_counted_among_those_there_are():
    assert readings.hanging(found()) == "1 of 2 verdicts are not the same under all readings."
    table = found()
    table.loc[2] = ["Z", "It is z.", "– 0/0", "– 0/0", True]
    assert readings.hanging(table) == (
        "1 of 2 verdicts are not the same under all readings. The other 1 were not attempted."
    )
    # on a page without records for any claim, nothing was found to be the same
    assert readings.hanging(table.loc[[2]]) == (
        "No claim of 1 was attempted in this run, under any reading."
    )


def test_page_shows_every_verdict_in_its_colour_below_its_reading():
    shown = readings.readable(found())
    table = shown.content
    assert shown.html
    assert table.columns.tolist() == [
        ("Monte Carlo", "|mean|", "max"),
        ("Leiden", "mean of | |", "sqrt"),
    ]
    assert table.index.tolist() == ['<a href="#claim-X">X</a>', '<a href="#claim-Y">Y</a>']
    assert table.iloc[1].tolist() == [
        '<span class="mc-verdict mc-verdict-partly">1/2</span>',
        '<span class="mc-verdict mc-verdict-cannot-tell">0/1</span>',
    ]
