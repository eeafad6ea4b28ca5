"""Claims on a page: each with its verdict, and left with the run for the scoreboard.

``python -m modclust_utils.publish.claims`` counts again how often each claim passes in made-up
results (`chances.world` of each chapter's room) and writes the rooms' files ``chances.yml``.
"""

from __future__ import annotations

import html
import re
from collections.abc import Mapping, Sequence
from datetime import datetime
from typing import Any

import numpy as np
import pandas as pd
import yaml

from modclust_utils import verdicts
from modclust_utils.publish import chapters
from modclust_utils.publish.left import VERDICTS, leave_with_run
from modclust_utils.publish.stored_files import read_book_yaml
from modclust_utils.recipes.frames import Shown, trace_of
from modclust_utils.verdicts import Case, Verdict

FAR_OUT = "without networks far out"
SIGNS = {True: "✓", False: "✗", None: "?"}


def decide(chapter: int, results: Any, ordinary: Any = None) -> Shown:
    """The claims of a chapter with their verdicts, from what its rules look at.

    results: frames, or a dataclass of frames, so that the table knows its records; ordinary: the
    same without networks that are far from their kind: what they move is shown both ways.
    """
    known = known_chances(chapter)
    found, *without = (
        verdicts.decide(chapters.claims(chapter), chapters.rules(chapter), each)
        for each in (results, ordinary)
        if each is not None
    )
    leave_with_run(VERDICTS, [_summary(verdict, known) for verdict in found])
    table = plain(found)
    for other in without:
        moved = plain(other)[["verdict", "holds", "evidence"]].add_suffix("_without_far_out")
        table = pd.concat([table, moved], axis=1)
    return Shown(readable(found, known, *without), table, trace_of(results), html=True)


N_WORLDS = 60
Chances = Mapping[str, Mapping[str, float]]


def simulated_chances(chapter: int, n: int, rng: np.random.Generator) -> Chances:
    """How often each claim of a chapter passes in `n` made-up results of each kind."""
    world = chapters.room(chapter, "chances").world
    return verdicts.chances(chapters.claims(chapter), chapters.rules(chapter), world, n, rng)


def known_chances(chapter: int) -> Chances:
    """The chances of a chapter's claims, counted in `N_WORLDS` made-up results of each kind."""
    file = chapters.room_folder(chapter) / "chances.yml"
    found: Chances = read_book_yaml(file)
    return found


def luck(chapter: int) -> str:
    """How many claims of a chapter would be reproduced by luck alone, and by a replication."""
    table = pd.DataFrame.from_dict(known_chances(chapter), orient="index").sum()
    n = len(chapters.claims(chapter))
    return (
        f"By luck alone, networks without what the claims say would have "
        f"{table['without_effect']:.1f} of these {n} claims called reproduced on average "
        f"({table['without_effect'] / n:.0%}); a replication that finds what the paper found would "
        f"have {table['replication']:.1f}. Both are counted in {N_WORLDS} made-up results each."
    )


def late_rules(chapter: int) -> str:
    """How many rules of a chapter are younger than the first records of their claims."""
    found = chapters.claims(chapter)
    written = sum(is_late(claim) for claim in found)
    changed = sum(is_late(claim, "rule_changed") and not is_late(claim) for claim in found)
    return (
        f"Of the {len(found)} rules, {written} were written and {changed} were changed after the "
        "first records of their claims had come: when one could know what these say."
    )


def _summary(verdict: Verdict, known: Chances) -> dict[str, Any]:
    return {
        "id": verdict.claim["id"],
        "claim": verdict.claim["claim"],
        "place": verdict.claim["place"],
        "verdict": verdict.verdict,
        "held": verdict.held,
        "failed": verdict.failed,
        "cases": len(verdict.cases),
        "rule": _lateness(verdict.claim)
        or "written before its first records" * ("first_record" in verdict.claim),
        **known.get(verdict.claim["id"], {}),
    }


def readable(
    found: Sequence[Verdict], known: Chances, ordinary: Sequence[Verdict] | None = None
) -> pd.DataFrame:
    """Claim, verdict, number of cases and chances of each, as HTML; its rule and evidence are
    folded below the claim.

    ordinary: the verdicts without networks that are far from their kind. Where they differ, and for
    cases that do, both are shown.
    """
    rows = []
    for verdict, other in zip(found, ordinary or found, strict=True):
        moved = f"<br>{FAR_OUT}: {badge(other.verdict)}" if other.verdict != verdict.verdict else ""
        chance = known.get(verdict.claim["id"], {})
        rows.append(
            {
                "No.": html.escape(verdict.claim["id"]),
                "Claim": html.escape(verdict.claim["claim"]) + _evidence(verdict, other),
                "Verdict": badge(verdict.verdict) + moved,
                "Cases hold / fail": f"{verdict.held} / {verdict.failed} of {len(verdict.cases)}",
                "Passes without the effect": percent(chance.get("without_effect")),
                "Passes in a replication": percent(chance.get("replication")),
            }
        )
    return pd.DataFrame(rows).set_index("No.")


def _evidence(verdict: Verdict, other: Verdict) -> str:
    """The fold of a claim, which links lead to: its rule, and what was seen in each case."""
    claim = verdict.claim
    lines = [
        line
        for case, without in zip(verdict.cases, other.cases, strict=True)
        for line in [_seen(case)]
        + [f"{FAR_OUT}: {_seen(without)}"] * (case.holds is not without.holds)
    ]
    items = "".join(f"<li>{line}</li>" for line in lines or ["no records for it in this run"])
    return (
        f'<details class="mc-evidence" id="claim-{html.escape(claim["id"])}">'
        f"<summary>{html.escape(claim['place'])}: rule and evidence</summary>"
        f"<p>Holds if {html.escape(_rule(claim))}.</p><ul>{items}</ul>"
        f'<p><a href="#how-{html.escape(claim["seen_in"])}">Where one sees it</a>, with its '
        "records and the command that makes them again.</p></details>"
    )


def _seen(case: Case) -> str:
    return f"{SIGNS[case.holds]} {html.escape(f'{case.name}: {case.evidence}')}"


def badge(verdict: str, words: str = "") -> str:
    """Words about a verdict, else its own, on its colour; words: HTML or Markdown."""
    return f'<span class="mc-verdict {badge_class(verdict)}">{words or verdict}</span>'


def badge_class(verdict: str) -> str:
    """The name of a verdict's look in style sheets."""
    return f"mc-verdict-{re.sub('[^a-z-]', '', verdict.replace(' ', '-'))}"


def tally(decided: Shown) -> str:
    """How many claims have each verdict, as HTML with a link to the table of `decide`."""
    found = decided.data.drop_duplicates("id")["verdict"]
    counts = [(verdict, int((found == verdict).sum())) for verdict in verdicts.VERDICTS]
    marks = " ".join(badge(verdict, f"{n} {verdict}") for verdict, n in counts if n)
    return f'<a href="#table-verdicts">Of {len(found)} claims</a> {marks}'


def is_late(claim: Mapping[str, Any], of: str = "rule_written") -> bool:
    """Whether a rule was written (or changed: `of` is "rule_changed") after the first of the
    claim's records came, by the dates of their commits."""
    if of not in claim or "first_record" not in claim:
        return False
    rule, record = (datetime.fromisoformat(claim[name]["date"]) for name in (of, "first_record"))
    return rule >= record


def _lateness(claim: Mapping[str, Any]) -> str:
    if is_late(claim):
        return "written after its first records"
    return "changed after its first records" if is_late(claim, "rule_changed") else ""


def _rule(claim: Mapping[str, Any]) -> str:
    late = _lateness(claim)
    return claim["holds_if"] + (f" [rule {late}]" if late else "")


def percent(share: float | None) -> str:
    """In whole percent, or a dash where there is none."""
    return "–" if share is None else f"{share:.0%}"


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


if __name__ == "__main__":
    for number in chapters.chapter_numbers():
        counted = simulated_chances(number, N_WORLDS, np.random.default_rng(number))
        file = chapters.room_folder(number) / "chances.yml"
        head = "# Written by python -m modclust_utils.publish.claims, which explains it.\n"
        file.write_text(head + yaml.safe_dump(dict(counted)), encoding="utf-8")
