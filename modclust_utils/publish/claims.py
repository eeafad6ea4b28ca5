"""Claims on a page: each with its verdict, and left with the run for the scoreboard."""

from __future__ import annotations

import html
from collections.abc import Sequence
from typing import Any

import pandas as pd

from modclust_utils import verdicts
from modclust_utils.publish import chapters
from modclust_utils.publish.session import leave_with_run
from modclust_utils.recipes.frames import Shown, trace_of
from modclust_utils.verdicts import Case, Verdict

SIGNS = {True: "✓", False: "✗", None: "?"}


def decide(chapter: int, results: Any) -> Shown:
    """The claims of a chapter with their verdicts, from what its rules look at.

    results: frames, or a dataclass of frames, so that the table knows its records.
    """
    found = verdicts.decide(chapters.claims(chapter), chapters.rules(chapter), results)
    leave_with_run("verdicts.json", [_summary(verdict) for verdict in found])
    return Shown(readable(found), plain(found), trace_of(results), html=True)


def _summary(verdict: Verdict) -> dict[str, Any]:
    return {
        "id": verdict.claim["id"],
        "claim": verdict.claim["claim"],
        "place": verdict.claim["place"],
        "verdict": verdict.verdict,
        "held": verdict.held,
        "cases": len(verdict.cases),
    }


def readable(found: Sequence[Verdict]) -> pd.DataFrame:
    """Claim, place, rule, evidence and verdict of each, as HTML."""
    rows = []
    for verdict in found:
        evidence = "<br>".join(
            f"{SIGNS[case.holds]} {html.escape(f'{case.name}: {case.evidence}')}"
            for case in verdict.cases
        )
        slug = verdict.verdict.replace(" ", "-")
        rows.append(
            {
                "Claim": html.escape(verdict.claim["claim"]),
                "Where": html.escape(verdict.claim["place"]),
                "Holds if": html.escape(verdict.claim["holds_if"]),
                "Evidence": evidence or "no records for it in this run",
                "Verdict": f'<span class="mc-verdict mc-verdict-{slug}">{verdict.verdict}</span>',
            }
        )
    return pd.DataFrame(rows).set_index("Claim")


def plain(found: Sequence[Verdict]) -> pd.DataFrame:
    """The same as plain data: a row for each case; `holds` is None where it cannot be told."""
    return pd.DataFrame(
        [
            {
                "id": verdict.claim["id"],
                "verdict": verdict.verdict,
                "case": case.name,
                "holds": case.holds,
                "evidence": case.evidence,
            }
            for verdict in found
            for case in (verdict.cases or (Case("", None, "not attempted"),))
        ]
    )
