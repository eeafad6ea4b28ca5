"""Links into the network viewer: to a network, one of its units, or one of its sub-clusters.

A cell says ``[words](#network=mnist-dropout-0&k=4&unit=h2-17)``, which knows nothing of folders. As
a Sphinx extension this module puts the viewer's page before it, so that the link holds from every
page of the site, and gives that page its scripts.
"""

from __future__ import annotations

import html
import re
from collections.abc import Sequence
from typing import Any

from docutils import nodes
from sphinx.application import Sphinx
from sphinx.util import logging

from modclust_utils.recipes.base import Record

#: The page, and what it needs beside what every page has.
PAGE = "book/network-viewer"
DATA, SCRIPT, STYLE = "network-viewer-data.js", "network-viewer.js", "network-viewer.css"
_START = "#network="
_PLACE = re.compile(rf"{_START}[\w-]+(&k=\d+)?(&(unit=(in|h\d+|out)-\d+|sub-cluster=\d+-\d+))?")


def unit_name(layer: int, index: int, n_layers: int) -> str:
    """The name of a unit in links: ``in-403``, ``h2-17``, ``out-7``."""
    column = "in" if layer == 0 else "out" if layer == n_layers - 1 else f"h{layer}"
    return f"{column}-{index}"


def place(
    name: str,
    n_clusters: int,
    sizes: Sequence[int],
    *,
    unit: tuple[int, int] | None = None,
    sub_cluster: tuple[int, int] | None = None,
) -> str:
    """The end of an address in the viewer, from its ``#`` on.

    name: of the network (`ViewedNetwork.name`); sizes: units of its layers; unit: layer, and number
    in the layer; sub_cluster: layer and cluster. Raises ValueError for both, and for what is not
    in the network.
    """
    if unit is not None and sub_cluster is not None:
        raise ValueError(f"unit={unit} and sub_cluster={sub_cluster}; allowed: one of them")
    ends = [f"{_START}{name}", f"k={n_clusters}"]
    if unit is not None:
        layer, index = unit
        if not (0 <= layer < len(sizes) and 0 <= index < sizes[layer]):
            raise ValueError(f"unit={unit} is not allowed: a layer of {tuple(sizes)}, and below")
        ends.append(f"unit={unit_name(layer, index, len(sizes))}")
    if sub_cluster is not None:
        layer, cluster = sub_cluster
        if not (0 <= layer < len(sizes) and 0 <= cluster < n_clusters):
            raise ValueError(
                f"sub_cluster={sub_cluster} is not allowed: layer 0 to {len(sizes) - 1}, "
                f"cluster 0 to {n_clusters - 1}"
            )
        ends.append(f"sub-cluster={layer}-{cluster}")
    return "&".join(ends)


def link(
    words: str,
    clustering: Record,
    *,
    unit: tuple[int, int] | None = None,
    sub_cluster: tuple[int, int] | None = None,
) -> str:
    """A link into the viewer as Markdown; "" where the viewer does not show this clustering.

    clustering: a record of a partition or of lesions, with clusters numbered as in the chapters;
    unit, sub_cluster: as in `place`. Raises ValueError where `place` does.
    """
    # torch takes seconds to import, and Sphinx does not need it
    from modclust_utils.publish.viewer import viewed_networks

    for viewed in viewed_networks():
        for shown in viewed.about:
            # one that was computed anew here may be another one of the same key
            if shown.key == clustering.key and _content(shown) == _content(clustering):
                k = shown.parameters["n_clusters"]
                end = place(viewed.name, k, viewed.sizes, unit=unit, sub_cluster=sub_cluster)
                return f"[{words}]({end})"
    return ""


def _content(record: Record) -> tuple[Any, ...]:
    return record.kind, record.value, record.arrays_sha256, record.made_from


def lead_to_viewer(app: Sphinx, tree: nodes.document, page: str) -> None:
    """Put the viewer's page before each place. One that no viewer knows is a warning, and so no
    site."""
    for link in tree.findall(nodes.reference):
        # myst has escaped it, and the writer will
        target = html.unescape(link.get("refuri", ""))
        if not target.startswith(_START):
            continue
        if not _PLACE.fullmatch(target):
            logging.getLogger(__name__).warning(
                "%r is no place in the network viewer", target, location=page
            )
        assert app.builder is not None
        link["refuri"] = app.builder.get_relative_uri(page, PAGE) + target
        link["internal"] = True


def add_scripts(app: Sphinx, page: str, *_: Any) -> None:
    """The scripts and the style of the viewer, for its page alone."""
    if page == PAGE:
        app.add_css_file(STYLE)
        for name in (DATA, SCRIPT):
            app.add_js_file(name, loading_method="defer")


def setup(app: Sphinx) -> dict[str, Any]:
    """Register with Sphinx."""
    app.connect("doctree-resolved", lead_to_viewer)
    app.connect("html-page-context", add_scripts)
    return {"parallel_read_safe": True, "parallel_write_safe": True}
