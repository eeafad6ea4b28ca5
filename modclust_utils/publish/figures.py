"""What a page shows of a result: the figure, and under it how it was made and its data."""

from __future__ import annotations

import base64
import html
import io
from collections.abc import Iterable
from typing import Any

import pandas as pd
from IPython.display import HTML, Image, Markdown, display
from matplotlib.figure import Figure

from modclust_utils.publish.records import Record, commit
from modclust_utils.publish.session import Run, scientific

DPI = 200


def show_figure(
    run: Run,
    figure: Figure,
    *,
    name: str,
    data: pd.DataFrame,
    records: Iterable[Record] = (),
    source: str = "",
) -> None:
    """Show a figure with its strip: parameters, seeds, device, seconds, commit, command, data.

    source: what a figure was made from that shows no records, such as a paper's tables.
    Caption, number and alt text are in the metadata of the notebook's cell.
    Raises ValueError for a figure without data, and for one that has neither records nor a source:
    a page shows nothing that comes from nowhere.
    """
    records = list(records)
    if data.empty or not (records or source):
        raise ValueError(
            f"figure {name!r} has no data, or neither records nor a source; allowed: data, and one "
            "of the two"
        )
    buffer = io.BytesIO()
    figure.savefig(buffer, format="png", dpi=DPI, bbox_inches="tight", facecolor="white")
    display(Image(buffer.getvalue(), format="png", retina=True))
    strip = strip_html(run, name=name, data=data, records=records, what="figure", source=source)
    display(HTML(strip))


def show_table(
    run: Run,
    table: pd.DataFrame,
    *,
    name: str,
    data: pd.DataFrame,
    records: Iterable[Record],
) -> None:
    """Show a table as a reader wants it, with the strip of `show_figure` and its plain data."""
    display(HTML(f'<div class="mc-table">{table.to_html(escape=False)}</div>'))
    display(HTML(strip_html(run, name=name, data=data, records=list(records), what="table")))


def say(text: str) -> None:
    """A paragraph whose numbers were computed."""
    display(Markdown(text))


def strip_html(
    run: Run,
    *,
    name: str,
    data: pd.DataFrame,
    records: list[Record],
    what: str,
    source: str = "",
) -> str:
    """The strip as HTML that needs nothing else: the data are in the link itself."""
    csv = base64.b64encode(data.to_csv(index=False).encode()).decode()
    parameters = ", ".join(
        f"{key} = {value}" for key, value in scientific(run.parameters).items() if value != {}
    )
    commits = sorted({str(r.provenance["commit"]) for r in records})
    made = f"page {commit()}"
    facts = {"Source": source} if source else {}
    if records:
        facts |= {
            "Parameters": parameters,
            "Seeds": _seeds(records),
            "Records": _count(records),
            "Computed on": "; ".join(sorted({str(r.provenance["device"]) for r in records})),
            "Seconds of computing": f"{sum(r.seconds for r in records):,.1f}",
        }
        made = f"records {', '.join(commits)}; {made}"
    facts |= {"Commit": made, "Made again by": f"<code>{html.escape(run.command)}</code>"}
    rows = "".join(
        f"<dt>{key}</dt><dd>{value if key == 'Made again by' else html.escape(value)}</dd>"
        for key, value in facts.items()
    )
    return (
        f'<details class="mc-strip"><summary>How this {what} was made</summary>'
        f"<dl>{rows}</dl></details>"
        f'<a class="mc-data" download="{name}.csv" href="data:text/csv;base64,{csv}">'
        f"Data of this {what} (CSV)</a>"
    )


def _seeds(records: list[Record]) -> str:
    seeds = sorted({int(r.parameters["seed"]) for r in records if "seed" in r.parameters})
    if len(seeds) > 2 and seeds == list(range(seeds[0], seeds[-1] + 1)):
        return f"{seeds[0]} to {seeds[-1]}"
    return ", ".join(map(str, seeds))


def _count(records: list[Record]) -> str:
    kinds: dict[str, int] = {}
    for record in records:
        kinds[record.kind] = kinds.get(record.kind, 0) + 1
    return ", ".join(f"{n} {kind}" for kind, n in sorted(kinds.items()))


def badge(run: Run) -> Any:
    """The page's first line: which profile it shows, and how that differs from the paper's."""
    notes = {
        "paper": "This page shows the <b>paper profile</b>: the paper's data sets and scale.",
        "paper-part": "This page shows <b>a part of the paper profile</b>: the paper's scale, but "
        "not everything in it. The section "
        '<a href="#what-was-not-run">What was not run</a> names the rest.',
        "quick": "This page shows the <b>quick profile</b>: real digits, but fewer of them, and "
        "fewer networks, epochs and repetitions than the paper. Its numbers are not the paper's.",
    }
    note = notes.get(run.profile, "This page shows a run with <b>other parameters</b>.")
    kind = run.profile if run.profile in notes else "own"
    command = f"<code>{html.escape(run.command)}</code>"
    display(HTML(f'<p class="mc-badge mc-badge-{kind}">{note} Made by {command}.</p>'))
