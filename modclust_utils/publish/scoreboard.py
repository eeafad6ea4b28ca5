"""The verdicts of all chapters: the page of scoreboard and runs, and one picture of all claims.

The verdicts of the published records are committed, too, from the runs that chapters show:
``python -m modclust_utils.publish.scoreboard`` writes them. Where a page comes to another verdict,
the scoreboard says so.
"""

from __future__ import annotations

import html
import re
from collections import Counter
from collections.abc import Sequence
from dataclasses import dataclass
from typing import Any

import yaml

from modclust_utils.paths import root
from modclust_utils.publish.chapters import chapter_notebook
from modclust_utils.publish.claims import badge, badge_class, percent
from modclust_utils.publish.escape import markdown, markdown_table, table_cell
from modclust_utils.publish.left import VERDICTS as VERDICTS_FILE
from modclust_utils.publish.origins import origins, sentences
from modclust_utils.publish.records import default_store, published_folder, read_content
from modclust_utils.publish.run import RunInfo
from modclust_utils.publish.stored_files import read_book_yaml, read_notebook, read_rows
from modclust_utils.verdicts import VERDICTS

#: The committed verdicts, below the root of the book.
COMMITTED = "data/verdicts.yml"


@dataclass(frozen=True)
class ShownRun:
    """A run, its state in a word, and as what the site shows it: chapter, page, or –."""

    run: RunInfo
    state: str
    shown: str

    @property
    def chapter(self) -> int:
        """The number of its chapter."""
        return int(self.run.status["chapter"])

    @property
    def verdicts(self) -> list[dict[str, Any]]:
        """What `claims.decide` left with the run; nothing where there is none."""
        file = self.run.folder / VERDICTS_FILE
        return read_rows(file, ("id", "claim", "verdict")) if file.is_file() else []


def as_committed(rows: Sequence[ShownRun]) -> dict[int, dict[str, Any]]:
    """The run that each chapter shows, and its verdicts, as they are committed."""
    return {
        row.chapter: {
            "run": row.run.name,
            "verdicts": {each["id"]: each["verdict"] for each in row.verdicts},
        }
        for row in rows
        if row.shown == "chapter" and row.run.name != "quick"
    }


def committed() -> dict[int, dict[str, Any]]:
    """The committed verdicts; none where their file is not there."""
    file = root() / COMMITTED
    found: dict[int, dict[str, Any]] = read_book_yaml(file) if file.is_file() else {}
    return found


def moved(rows: Sequence[ShownRun]) -> list[str]:
    """Each claim whose verdict on a chapter's page is not the committed one, in words.

    Chapters that show another run than the committed one are left out.
    """
    known, said = committed(), []
    for chapter, own in as_committed(rows).items():
        there = known.get(chapter, {"run": None})
        if there["run"] != own["run"]:
            continue
        for claim in sorted({*own["verdicts"], *there["verdicts"]}):
            new, old = (each["verdicts"].get(claim, "not there") for each in (own, there))
            if new != old:
                said.append(f"claim {claim}: {new} here, and {old} as committed")
    return said


def status_page(rows: Sequence[ShownRun]) -> str:
    """Scoreboard and status of every run, written from what the runs themselves noted."""
    lines = [
        "# Scoreboard and status",
        "",
        "## Claims",
        "",
        "Each claim, a paper's where it does not say that it is ours, and the verdict that its",
        "rule gave on the records behind the chapter's page. Its number leads to rule and",
        "evidence. [How to read this book](how-to-read.md) says what the two chances are.",
        "[Coverage](coverage.md) says how much of the papers' tables and figures is here, and how",
        "close ours are.",
        "",
    ]
    if others := moved(rows):
        words = "; ".join(map(markdown, others))
        lines += [
            f":::{{warning}}\nThese verdicts do not follow from the records: {words}.\n:::",
            "",
        ]
    for row in rows:
        if row.shown == "chapter":
            lines += _scoreboard(row)
    lines += [
        "## Runs",
        "",
        "What this site was made from. A run is one execution of a chapter with one set of",
        "parameters; its page is shown only if it finished and every figure was drawn.",
        "",
    ]
    cells = []
    for row in rows:
        status = row.run.status
        said = [row.chapter, row.run.name, row.state, row.shown, len(status.get("records", []))]
        commit = markdown(status["commit"])
        commit = f"`{commit}`" if re.fullmatch(r"[\w +]*", commit) else commit
        seconds, started = (markdown(status.get(name, "–")) for name in ("seconds", "started"))
        cells.append([*map(markdown, said), seconds, commit, started])
    header = ["Chapter", "Run", "State", "Shown as", "Records", "Seconds", "Commit", "Started"]
    lines += [markdown_table(header, cells), "", "## Records", "", _record_counts(), ""]
    return "\n".join([*lines, *_record_origins(), ""])


def _scoreboard(row: ShownRun) -> list[str]:
    if not row.verdicts:
        return []
    header = [
        *("No.", "Claim", "Verdict", "Where", "Cases hold / fail", "Passes without the effect"),
        *("Passes in a replication", "Rule"),
    ]
    cells = []
    for each in row.verdicts:
        verdict = badge(each["verdict"], markdown(each["verdict"]))
        claim, place, rule = (
            table_cell(each.get(name) or "–") for name in ("claim", "place", "rule")
        )
        held, failed, n = (markdown(each.get(name, "?")) for name in ("held", "failed", "cases"))
        number = f'<a href="{claim_link(row.chapter, each["id"])}">{markdown(each["id"])}</a>'
        chances = (percent(each.get(name)) for name in ("without_effect", "replication"))
        cells.append([number, claim, verdict, place, f"{held} / {failed} of {n}", *chances, rule])
    link = f"[Chapter {row.chapter}](../notebooks/{chapter_notebook(row.chapter).name})"
    return [f"{link}, {markdown(row.run.name)} run:", "", markdown_table(header, cells), ""]


def _page(chapter: int) -> str:
    """The address of a chapter's page, from a page in the folder of this book's own."""
    return f"../notebooks/{chapter_notebook(chapter).with_suffix('.html').name}"


def claim_link(chapter: int, claim: str) -> str:
    """The address of a claim's rule and evidence, from a page in the folder of this book's own."""
    return f"{_page(chapter)}#claim-{re.sub(r'[^A-Za-z0-9-]', '', claim)}"


def picture(rows: Sequence[ShownRun]) -> str:
    """All claims as cells, chapter by chapter, with their signs and colours, as HTML.

    Each leads to its rule and evidence; below, what the signs mean and how many there are.
    """
    shown = [row for row in rows if row.shown == "chapter" and row.verdicts]
    lines = []
    for row in shown:
        cells = "".join(_cell(row.chapter, each) for each in row.verdicts)
        lines.append(
            f'<div class="mc-scores-row"><a href="{_page(row.chapter)}">{row.chapter}. '
            f"{html.escape(title(row.chapter))}</a><ul>{cells}</ul></div>"
        )
    counts = tally(shown)
    legend = "".join(
        f"<li>{badge(verdict, f'{counts[verdict]} {verdict}')}</li>"
        for verdict in VERDICTS
        if counts[verdict]
    )
    return f'<div class="mc-scores">{"".join(lines)}<ul class="mc-scores-signs">{legend}</ul></div>'


def _cell(chapter: int, verdict: dict[str, Any]) -> str:
    words = html.escape(f"{verdict['id']}: {verdict['verdict']}. {verdict['claim']}")
    return (
        f'<li><a class="{badge_class(verdict["verdict"])}" title="{words}" '
        f'href="{claim_link(chapter, verdict["id"])}" aria-label="{words}"></a></li>'
    )


def tally(rows: Sequence[ShownRun]) -> Counter[str]:
    """How many claims have each verdict."""
    return Counter(each["verdict"] for row in rows for each in row.verdicts)


def title(chapter: int) -> str:
    """The title of a chapter."""
    cells = read_notebook(chapter_notebook(chapter)).cells
    first = next(cell.source for cell in cells if cell.cell_type == "markdown")
    return first.lstrip().splitlines()[0].lstrip("# ")


def _record_counts() -> str:
    counts: dict[str, dict[str, int]] = {}
    store = default_store()
    for path in store:
        place = "published" if path.parent.parent == published_folder() else "own"
        kind = counts.setdefault(path.parent.name, {"published": 0, "own": 0})
        kind[place] += 1
    header = ["Kind of record", "Published with the book", "Computed here"]
    rows = ([markdown(k), str(n["published"]), str(n["own"])] for k, n in sorted(counts.items()))
    return markdown_table(header, rows)


def _record_origins() -> list[str]:
    """What the published records say of the code that made them, against the history."""
    made = [
        (path.parent.name, read_content(path)["provenance"])
        for path in sorted(published_folder().glob("*/*.json"))
    ]
    return ["Of the records that are published with the book:", "", *(
        f"- {sentence}" for sentence in sentences(origins(made))
    )] if made else []  # fmt: skip


if __name__ == "__main__":
    from modclust_utils.publish.chapters import chapter_numbers
    from modclust_utils.publish.pages import main_run
    from modclust_utils.publish.run import read_runs

    shown = [ShownRun(main_run(n, read_runs(n)), "done", "chapter") for n in chapter_numbers()]
    head = "# Written by python -m modclust_utils.publish.scoreboard, which explains it.\n"
    text = head + yaml.safe_dump(as_committed(shown), sort_keys=False)
    (root() / COMMITTED).write_text(text, encoding="utf-8")
