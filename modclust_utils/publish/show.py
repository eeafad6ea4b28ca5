"""What a page shows of a result: the figure or table, how it was made, and its data."""

from __future__ import annotations

import base64
import html
import io
import re
from collections import Counter
from collections.abc import Iterable, Mapping, Sequence
from typing import TYPE_CHECKING, Any, Protocol

import pandas as pd
from IPython.display import HTML, Image, Markdown, display
from matplotlib.figure import Figure

from modclust_utils.publish.chapters import claims
from modclust_utils.publish.claims import tally
from modclust_utils.publish.escape import clean_html, sentence
from modclust_utils.publish.html_tables import table_html
from modclust_utils.publish.origins import faults, origins
from modclust_utils.publish.parameters import Parameter, scientific, shown
from modclust_utils.publish.records import commit, commits_of
from modclust_utils.publish.stored_files import read_notebook
from modclust_utils.recipes.base import Record
from modclust_utils.recipes.frames import Shown

if TYPE_CHECKING:
    from modclust_utils.publish.session import Run

DPI = 200

NOT_RUN = "What was not run"
FEW = 3  # lines of a parameter's value that a page shows unfolded
MORE = 5  # names in the list of a parameter's value that a page shows unfolded
MANY = 20  # parameters of which a page folds those that are as in the quick profile


class Asked(Protocol):
    """What a page is about: its parameters, and the command that makes it."""

    @property
    def parameters(self) -> dict[str, Any]:
        """By name."""

    @property
    def command(self) -> str:
        """As typed in a terminal."""


def show(run: Asked, thing: Shown, *, name: str) -> None:
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
        display(Image(png(thing.content), format="png", retina=True))
    else:
        table = table_html(thing.content, name=name, html_cells=thing.html)
        display(HTML(clean_html(table)))
    display(HTML(strip_html(run, thing, name=name)))


def png(figure: Figure) -> bytes:
    """A figure as a picture."""
    buffer = io.BytesIO()
    figure.savefig(buffer, format="png", dpi=DPI, bbox_inches="tight", facecolor="white")
    return buffer.getvalue()


def say(text: str, outside: Iterable[str] = ()) -> None:
    """A paragraph whose numbers were computed; outside: texts in it that the book did not write."""
    display(Markdown(sentence(text, outside)))


def strip_html(run: Asked, thing: Shown, *, name: str) -> str:
    """The strip as HTML that needs nothing else: the data are in the link itself."""
    what = "figure" if isinstance(thing.content, Figure) else "table"
    csv = base64.b64encode(thing.data.to_csv(index=False).encode()).decode()
    facts = {}
    if thing.trace.sources:
        facts["Source"] = html.escape("; ".join(thing.trace.sources))
    if thing.trace.records:
        records = list(thing.trace.records)
        facts |= _record_facts(run, records)
        facts["Records"] += f" ({_record_list(records, name)})"
    commits = sorted({each for r in thing.trace.records for each in commits_of(r.provenance)})
    made = [f"records {', '.join(commits)}"] if commits else []
    facts["Commit"] = html.escape("; ".join([*made, f"page {commit()}"]))
    said = faults(origins((r.kind, r.provenance) for r in thing.trace.records))
    if said:
        facts["Of these records"] = html.escape(" ".join(said))
    facts["Made again by"] = f"<code>{html.escape(run.command)}</code>"
    if decided := _claims_seen_in(run, name):
        facts["Claims"] = decided
    rows = "".join(f"<dt>{key}</dt><dd>{value}</dd>" for key, value in facts.items())
    place = re.sub(r"[^\w-]", "-", name)
    return (
        f'<details class="mc-strip" id="how-{place}"><summary>How this {what} was made</summary>'
        f"<dl>{rows}</dl></details>"
        f'<a class="mc-data" download="{html.escape(name)}.csv" '
        f'href="data:text/csv;base64,{csv}">Data of this {what} (CSV)</a>'
    )


def _claims_seen_in(run: Asked, name: str) -> str:
    """Links to the rule and evidence of each claim that one sees in a chapter's figure or table."""
    if not hasattr(run, "chapter"):  # about a network of one's own
        return ""
    numbers = [each["id"] for each in claims(run.chapter) if each["seen_in"] == name]
    return ", ".join(f'<a href="#claim-{each}">{each}</a>' for each in map(html.escape, numbers))


def _record_list(records: Iterable[Record], name: str) -> str:
    """A link to the list of the records, by the places of their files."""
    lines = "".join(f"{record.kind},{record.key}\n" for record in records)
    content = base64.b64encode(f"kind,key\n{lines}".encode()).decode()
    return (
        f'<a download="{html.escape(name)}-records.csv" '
        f'href="data:text/csv;base64,{content}">list</a>'
    )


def _record_facts(run: Asked, records: list[Record]) -> dict[str, str]:
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
        "Peak memory": _peaks(records),
    }
    return {key: html.escape(value) for key, value in facts.items() if value}


def _seconds(seconds: float) -> str:
    # small work on a fast machine must not read as none
    return f"{seconds:,.1f}" if seconds >= 1 else f"{seconds:.3f}"


def _peaks(records: list[Record]) -> str:
    """The largest of the peaks that the records note; older records have none."""
    said = []
    for name, words in (("peak_mb", "a process"), ("peak_gpu_mb", "a GPU")):
        noted = [float(r.provenance[name]) for r in records if name in r.provenance]
        if noted:
            part = f" (noted by {len(noted):,} of these {len(records):,} records)"
            said.append(f"{max(noted):,.0f} MB of {words}" + part * (len(noted) < len(records)))
    return "; ".join(said)


def _numbers(records: list[Record], name: str) -> str:
    numbers = sorted({int(r.parameters[name]) for r in records if name in r.parameters})
    if len(numbers) > 2 and numbers == list(range(numbers[0], numbers[-1] + 1)):
        return f"{numbers[0]} to {numbers[-1]}"
    return ", ".join(map(str, numbers))


def badge(run: Run) -> None:
    """The page's first line: which profile it shows, and the command that made it."""
    part = "This page shows <b>a part of the paper profile</b>: "
    if run.profile == "paper-part" and run.smaller("paper"):
        part += "not everything in it, and some of it smaller than in the paper."
    else:
        part += "the paper's scale, but not everything in it."
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


def _has_heading(run: Run, heading: str) -> bool:
    cells = read_notebook(run.schema.source).cells
    line = re.compile(rf"^#+ +{re.escape(heading)} *$", re.MULTILINE)
    return any(line.search(cell.source) for cell in cells if cell.cell_type == "markdown")


def values(run: Run) -> None:
    """The values of this run's parameters as a table: bold, and beside those of the quick profile,
    where they are others. Of many, those that are the same are folded."""
    table = pd.DataFrame([_value_row(run, parameter) for parameter in run.schema.parameters])
    table = table[table["Parameter"].isin(scientific(run.parameters))].set_index("Parameter")
    head = "The parameters of this run."
    if run.changed:
        head += " Values in bold are not those of the quick profile, which stand beside them."
    else:
        table = table.drop(columns="Quick profile")
    same = table.iloc[:0]
    if run.changed and len(table) > MANY:
        is_changed = table.index.isin(run.changed)
        table, same = table[is_changed], table[~is_changed].drop(columns="Quick profile")
    parts = [f"<p>{head}</p>", table_html(table, name="parameters", html_cells=True)]
    if len(same):
        words = f"<summary>{len(same)} more, as in the quick profile</summary>"
        rest = table_html(same, name="other-parameters", html_cells=True)
        parts.append(f'<details class="mc-evidence">{words}{rest}</details>')
    display(HTML(clean_html(f'<div class="mc-parameters">{"".join(parts)}</div>')))


def _value_row(run: Run, parameter: Parameter) -> dict[str, str]:
    name = parameter.name
    is_changed = name in run.changed
    own = _value_html(shown(run.parameters)[name])
    return {
        "Parameter": html.escape(name),
        "This run": f"<b>{own}</b>" if is_changed else own,
        "Quick profile": _value_html(parameter.default) if is_changed else "",
        "Meaning": html.escape(parameter.comment),
    }


def _value_html(value: object) -> str:
    """A parameter's value in words; names with the same settings together, many in a fold."""
    if isinstance(value, Mapping):
        names: dict[str, list[str]] = {}
        for name, settings in value.items():
            words = ", ".join(f"{k} {_value_html(v)}" for k, v in settings.items())
            names.setdefault(words, []).append(html.escape(name))
        lines = "<br>".join(f"{', '.join(v)}: {k}" for k, v in names.items()) or "none"
        if len(names) <= FEW:
            return lines
        summary = f"<summary>for {len(value)} data sets</summary>"
        return f'<details class="mc-evidence">{summary}{lines}</details>'
    if isinstance(value, list):
        words = ", ".join(map(_value_html, value)) or "none"
        if len(value) <= MORE or not all(isinstance(each, str) for each in value):
            return words
        summary = f"<summary>{_value_html(value[0])} and {len(value) - 1} more</summary>"
        return f'<details class="mc-evidence">{summary}{words}</details>'
    return html.escape(f"{value:.4g}" if isinstance(value, float) else str(value))


def in_short(sentences: Sequence[str], verdicts: Shown, outside: Iterable[str] = ()) -> None:
    """What was found, as a list; and how many claims have each verdict, with a link to them.

    verdicts: the table of `claims.decide`; outside: texts in it that the book did not write.
    Raises ValueError for fewer than three sentences and for more than five.
    """
    if not 3 <= len(sentences) <= 5:
        raise ValueError(f"{len(sentences)} sentences in short; allowed: 3 to 5")
    say("\n".join(f"- {text}" for text in sentences), outside)
    display(HTML(clean_html(f'<p class="mc-tally">{tally(verdicts)}</p>')))
