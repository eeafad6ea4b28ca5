"""What machines read of the site: its address, descriptions, the social card, how to cite it.

The address is not known before the site lies somewhere. `MODCLUST_SITE_URL` names it; without it
the site works from any place, and what has to be a whole address is left relative.
"""

from __future__ import annotations

import html
import os
from collections.abc import Sequence
from pathlib import Path
from typing import Any
from urllib.parse import urlsplit

import matplotlib as mpl
from matplotlib.figure import Figure

from modclust_utils.figures.network import network_card
from modclust_utils.paths import root
from modclust_utils.publish.errors import BuildError
from modclust_utils.publish.stored_files import damaged, needed, read_book_yaml
from modclust_utils.publish.viewer import viewed_networks

URL_VARIABLE = "MODCLUST_SITE_URL"
CARD = "card.png"
MISSING = "404.html"


def site_url() -> str:
    """Where the site will lie, with a slash at the end; "" where that is not known.

    Raises BuildError for what is no address of a folder on the web.
    """
    url = os.environ.get(URL_VARIABLE, "").strip()
    if not url:
        return ""
    if not _is_address(url):
        raise BuildError(
            f"{URL_VARIABLE}={url!r} is not allowed: an address such as https://example.org/book/"
        )
    return url.rstrip("/") + "/"


def _is_address(url: str) -> bool:
    try:
        parts = urlsplit(url)
        _ = parts.port
    except ValueError:  # brackets without an end, a port that is none
        return False
    return bool(
        parts.scheme in ("http", "https") and parts.hostname and not (parts.query or parts.fragment)
    )


def head_settings() -> dict[str, Any]:
    """Settings of Sphinx for what stands in the head of every page."""
    url = site_url()
    address = {"html_baseurl": url, "ogp_site_url": url} if url else {}
    return {**address, "myst_html_meta": citation()}


def citation() -> dict[str, str]:
    """How to cite the book, as reference managers read it from a page, from ``CITATION.cff``."""
    file = root() / "CITATION.cff"
    if not file.is_file():
        return {}
    cited = read_book_yaml(file)
    return {
        "citation_title": needed(file, cited, "title", str),
        "citation_author": "; ".join(_authors(file, needed(file, cited, "authors", list))),
        "citation_language": "en",
        "citation_technical_report_number": f"version {needed(file, cited, 'version')}",
    }


def _authors(file: Path, authors: Sequence[Any]) -> list[str]:
    try:
        return [
            str(author.get("name") or f"{author['family-names']}, {author['given-names']}")
            for author in authors
        ]
    except (AttributeError, KeyError, TypeError) as error:
        why = "an author has neither a name nor family-names and given-names"
        raise damaged(file, why) from error


def stage_card(book: Path, title: str) -> None:
    """Draw the picture that shows where somebody shares a page: a network of the viewer."""
    networks = viewed_networks()
    if networks:
        first = networks[0]
        figure = network_card(first.weights, first.clusterings[0].labels, title=title)
        save_png(figure, book / "_static" / CARD, dpi=figure.dpi)


def save_png(figure: Figure, path: Path, *, dpi: float, tight: bool = False) -> None:
    """Write a figure as a picture, the same wherever one stands.

    tight: without margins. What a `matplotlibrc` there says of saving does not count.
    """
    with mpl.rc_context({"savefig.bbox": "tight" if tight else "standard"}):
        figure.savefig(path, dpi=dpi, facecolor="white", metadata={"Software": None})


def write_missing_page(site: Path, title: str) -> None:
    """The page for addresses that lead nowhere, which may be asked for in any folder.

    It needs no other file. Its links lead to the site's address, or to the top of the host.
    """
    home = html.escape(site_url() or "/")
    (site / MISSING).write_text(
        f"""<!DOCTYPE html>
<html lang="en">
<head>
<meta charset="utf-8">
<meta name="viewport" content="width=device-width, initial-scale=1">
<meta name="robots" content="noindex">
<title>No such page: {html.escape(title)}</title>
<style>
:root {{ color-scheme: light dark; }}
body {{ font: 1.1rem/1.6 system-ui, sans-serif; margin: 12vh auto; max-width: 34rem;
  padding: 0 1rem; }}
a {{ color: light-dark(#0a5a8c, #86c8f2); }}
</style>
</head>
<body>
<main>
<h1>No such page</h1>
<p>Nothing lies at this address. A page of the book may have been renamed.</p>
<ul>
<li><a href="{home}">The first page of the book</a></li>
<li><a href="{home}search.html">Search</a></li>
</ul>
</main>
</body>
</html>
""",
        encoding="utf-8",
    )
