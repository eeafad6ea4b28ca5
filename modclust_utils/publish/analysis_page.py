"""The page about a network of one's own: one HTML file that needs nothing else."""

from __future__ import annotations

import base64
import html
from collections.abc import Iterator
from importlib.resources import files
from typing import TYPE_CHECKING

from matplotlib.figure import Figure

from modclust_utils.own import findings, tables
from modclust_utils.publish.escape import clean_html
from modclust_utils.publish.html_tables import table_html
from modclust_utils.publish.show import png, strip_html

if TYPE_CHECKING:
    from modclust_utils.publish.analysis import Analysis

#: Under each figure: what it shows.
CAPTIONS = {
    "nulls": "The n-cut of the network (blue, one point for each seed of the clustering) and of "
    "its shuffles (grey), for several numbers of clusters k and two nulls. A network that is "
    "clusterable lies left of its shuffles.",
    "gauge": "The gauge: one function, written with other scales of its units. With equal norms "
    "the edges into each unit weigh as much as those out of it. What holds only as given hangs on "
    "scales that the function does not depend on.",
    "network": "The network, unit by unit: whole above, cluster by cluster below.",
    "clusters": "Which share of each layer's units each cluster has; the first layer is on top.",
    "layers": "How much of the edges of each layer lies inside clusters, and how much would if "
    "each unit spread its edges evenly.",
    "lesions": "Each point is a sub-cluster, the part of a cluster in one layer: the accuracy lost "
    "when its units are silenced, against that with random sets of its size and layer. Above the "
    "line a sub-cluster matters more than chance.",
}


def page_html(analysis: Analysis) -> str:
    """The whole page."""
    title = html.escape(f"{analysis.name}: is it clusterable?")
    style = (files("modclust_utils.publish") / "analysis.css").read_text(encoding="utf-8")
    body = "\n".join(_body(analysis))
    policy = "default-src 'none'; style-src 'unsafe-inline'; img-src data:"
    return (
        f'<!DOCTYPE html>\n<html lang="en"><head><meta charset="utf-8"><title>{title}</title>\n'
        f'<meta http-equiv="Content-Security-Policy" content="{policy}">\n'
        '<meta name="viewport" content="width=device-width, initial-scale=1">\n'
        f"<style>{style}</style></head>\n<body><main>\n<h1>{title}</h1>\n{body}\n</main></body></html>\n"
    )


def _body(analysis: Analysis) -> Iterator[str]:
    found = analysis.understood
    yield (
        '<p class="mc-badge">This page is about one network, asked about with the methods of the '
        f"book Modclust. Made by <code>{html.escape(analysis.command)}</code>.</p>"
    )
    yield "<h2>In short</h2>" + _list(analysis.summary)
    if analysis.warnings:
        yield "<h2>Where the method says little</h2>" + _list(analysis.warnings, "mc-warnings")
    yield "<h2>What was understood</h2>" + _list(
        [
            f"Read from {found.network.source}.",
            *found.network.notes,
            findings.replayed(found),
            *filter(None, [found.images, findings.top_1(found)]),
        ]
    )
    table = tables.understood(found)
    yield (
        f"<details><summary>All {len(table)} rows: what each layer was taken for</summary>"
        f"{clean_html(table_html(table, name='layers-understood'))}</details>"
    )
    yield "<h2>Is it more clusterable than its shuffles?</h2>"
    yield from _shown(analysis, "nulls", "tests")
    yield "<h2>The gauge: what hangs on scales</h2>"
    yield from _shown(analysis, "gauge", "gauge-table")
    yield "<h2>The clusters</h2>"
    yield from _shown(analysis, "network", "clusters", "sub-clusters")
    yield "<h2>Layers, from the most to the least clusterable</h2>"
    yield from _shown(analysis, "layers", "layers-table")
    if analysis.notes or "lesions" in analysis.tables:
        yield "<h2>With images</h2>" + _list([*analysis.notes.values()])
        yield from _shown(analysis, "lesions", "lesions-table")
    yield "<h2>What was asked</h2>" + clean_html(_parameters(analysis))
    yield (
        '<p>All numbers: <a href="results.json">results.json</a>, and as CSV '
        + ", ".join(f'<a href="{name}.csv">{name}</a>' for name in analysis.tables)
        + ".</p>"
    )


def _list(sentences: object, kind: str = "") -> str:
    assert isinstance(sentences, list | tuple)
    name = f' class="{kind}"' if kind else ""
    return f"<ul{name}>{''.join(f'<li>{html.escape(each)}</li>' for each in sentences)}</ul>"


def _shown(analysis: Analysis, *names: str) -> Iterator[str]:
    for name in names:
        if name not in analysis.figures:
            continue
        thing = analysis.figures[name]
        strip = strip_html(analysis, thing, name=name)
        if isinstance(thing.content, Figure):
            words = f"<figcaption>{html.escape(CAPTIONS[name])}</figcaption>"
            yield f"<figure>{_picture(thing.content, CAPTIONS[name])}{words}</figure>"
            yield strip
        else:
            table = clean_html(table_html(thing.content, name=name))
            n = len(thing.content)
            if n > 12:
                yield f"<details><summary>The table, {n} rows</summary>{table}</details>"
            else:
                yield table
            yield strip


def _picture(figure: Figure, alt: str) -> str:
    coded = base64.b64encode(png(figure)).decode()
    return f'<img alt="{html.escape(alt)}" src="data:image/png;base64,{coded}">'


def _parameters(analysis: Analysis) -> str:
    rows = "".join(
        f"<dt>{html.escape(name)}</dt><dd>{html.escape(str(value))}</dd>"
        for name, value in analysis.parameters.items()
    )
    return f"<dl>{rows}</dl>"
