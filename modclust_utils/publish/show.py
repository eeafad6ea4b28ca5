"""What a page shows of a result: the figure or table, how it was made, and its data."""

from __future__ import annotations

import base64
import html
import io
import json
import re
from collections import Counter
from collections.abc import Iterable

import nbformat
import pandas as pd
from IPython.display import HTML, Image, Markdown, display
from matplotlib.figure import Figure

from modclust_utils.publish.escape import clean_html, sentence
from modclust_utils.publish.origins import faults, origins
from modclust_utils.publish.parameters import shown
from modclust_utils.publish.records import commit, commits_of
from modclust_utils.publish.session import Run, scientific
from modclust_utils.recipes.base import Record
from modclust_utils.recipes.frames import Shown

DPI = 200
NOT_RUN = "What was not run"


def show(run: Run, thing: Shown, *, name: str) -> None:
    """Show a figure or table with its strip: parameters, seeds, device, seconds, commit, data.

    Caption, number and alt text of a figure are in the metadata of the notebook's cell.
    Raises ValueError for what carries no trace: a page shows nothing that comes from nowhere.
    """
    if not isinstance(thing, Shown):
        raise ValueError(
            f"{name!r} is a {type(thing).__name__}; allowed: what functions under `shown_figure` "
            "or `shown_table` give"
        )
    if not (thing.trace.records or thing.trace.sources):
        raise ValueError(f"{name!r} was made from neither records nor a paper's table")
    if isinstance(thing.content, Figure):
        buffer = io.BytesIO()
        thing.content.savefig(buffer, format="png", dpi=DPI, bbox_inches="tight", facecolor="white")
        display(Image(buffer.getvalue(), format="png", retina=True))
    else:
        table = clean_html(thing.content.to_html(escape=not thing.html))
        display(HTML(f'<div class="mc-table">{table}</div>'))
    display(HTML(strip_html(run, thing, name=name)))


def say(text: str, outside: Iterable[str] = ()) -> None:
    """A paragraph whose numbers were computed; outside: texts in it that the book did not write."""
    display(Markdown(sentence(text, outside)))


def strip_html(run: Run, thing: Shown, *, name: str) -> str:
    """The strip as HTML that needs nothing else: the data are in the link itself."""
    what = "figure" if isinstance(thing.content, Figure) else "table"
    csv = base64.b64encode(thing.data.to_csv(index=False).encode()).decode()
    facts = {}
    if thing.trace.sources:
        facts["Source"] = html.escape("; ".join(thing.trace.sources))
    if thing.trace.records:
        facts |= _record_facts(run, list(thing.trace.records))
    commits = sorted({each for r in thing.trace.records for each in commits_of(r.provenance)})
    made = [f"records {', '.join(commits)}"] if commits else []
    facts["Commit"] = html.escape("; ".join([*made, f"page {commit()}"]))
    said = faults(origins((r.kind, r.provenance) for r in thing.trace.records))
    if said:
        facts["Of these records"] = html.escape(" ".join(said))
    facts["Made again by"] = f"<code>{html.escape(run.command)}</code>"
    rows = "".join(f"<dt>{key}</dt><dd>{value}</dd>" for key, value in facts.items())
    return (
        f'<details class="mc-strip"><summary>How this {what} was made</summary>'
        f"<dl>{rows}</dl></details>"
        f'<a class="mc-data" download="{html.escape(name)}.csv" '
        f'href="data:text/csv;base64,{csv}">Data of this {what} (CSV)</a>'
    )


def _record_facts(run: Run, records: list[Record]) -> dict[str, str]:
    parameters = ", ".join(
        f"{key} = {value}"
        for key, value in shown(scientific(run.parameters)).items()
        if value != {}
    )
    kinds = Counter(record.kind for record in records)
    facts = {
        "Parameters": parameters,
        "Clusters": _numbers(records, "n_clusters"),
        "Seeds": _numbers(records, "seed"),
        "Records": ", ".join(f"{n} {kind}" for kind, n in sorted(kinds.items())),
        "Computed on": "; ".join(sorted({str(r.provenance["device"]) for r in records})),
        "Seconds of computing": _seconds(sum(r.seconds for r in records)),
    }
    return {key: html.escape(value) for key, value in facts.items() if value}


def _seconds(seconds: float) -> str:
    # small work on a fast machine must not read as none
    return f"{seconds:,.1f}" if seconds >= 1 else f"{seconds:.3f}"


def _numbers(records: list[Record], name: str) -> str:
    numbers = sorted({int(r.parameters[name]) for r in records if name in r.parameters})
    if len(numbers) > 2 and numbers == list(range(numbers[0], numbers[-1] + 1)):
        return f"{numbers[0]} to {numbers[-1]}"
    return ", ".join(map(str, numbers))


def badge(run: Run) -> None:
    """The page's first lines: which profile it shows, and the values of its parameters."""
    part = (
        "This page shows <b>a part of the paper profile</b>: the paper's scale, but not everything "
        "in it."
    )
    if _has_heading(run, NOT_RUN):
        part += f' The section <a href="#what-was-not-run">{NOT_RUN}</a> names the rest.'
    notes = {
        "paper": "This page shows the <b>paper profile</b>: the paper's data sets and scale.",
        "paper-part": part,
        "quick": "This page shows the <b>quick profile</b>: real digits, but fewer of them, and "
        "fewer networks, epochs and repetitions than the paper. Its numbers are not the paper's.",
    }
    note = notes.get(run.profile, "This page shows a run with <b>other parameters</b>.")
    kind = run.profile if run.profile in notes else "own"
    command = f"<code>{html.escape(run.command)}</code>"
    display(HTML(f'<p class="mc-badge mc-badge-{kind}">{note} Made by {command}.</p>'))
    display(HTML(_parameter_table(run)))


def _has_heading(run: Run, heading: str) -> bool:
    cells = nbformat.read(run.schema.source, as_version=4).cells
    line = re.compile(rf"^#+ +{re.escape(heading)} *$", re.MULTILINE)
    return any(line.search(cell.source) for cell in cells if cell.cell_type == "markdown")


def _parameter_table(run: Run) -> str:
    """The values of this run, with what each means; those of the quick profile are not marked."""
    values = shown(scientific(run.parameters))
    rows = [
        {
            "Parameter": parameter.name,
            "This run": json.dumps(values[parameter.name], ensure_ascii=False),
            "Quick profile": json.dumps(parameter.default, ensure_ascii=False)
            if parameter.name in run.changed
            else "the same",
            "Meaning": parameter.comment,
        }
        for parameter in run.schema.parameters
        if parameter.name in values
    ]
    table = pd.DataFrame(rows).to_html(index=False)
    return (
        '<details class="mc-parameters" open><summary>The parameters of this page</summary>'
        f'<div class="mc-table">{table}</div></details>'
    )
