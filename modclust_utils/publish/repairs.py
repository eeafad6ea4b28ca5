"""What the theme leaves to be mended in built pages, for readers who hear a page."""

from __future__ import annotations

import re
from pathlib import Path

_LOGO = re.compile(r'<a class="navbar-brand logo".*?</a>', re.DOTALL)


def repaired(page: str) -> str:
    """A page whose logo lies in a landmark, and whose bibliography has no roles that do not fit:
    its entries are no items of a list, and theirs was taken out of the standard."""
    page = _LOGO.sub(lambda logo: f'<nav aria-label="First page">{logo[0]}</nav>', page)
    page = page.replace('<div role="list" class="citation-list">', '<div class="citation-list">')
    return page.replace(' role="doc-biblioentry"', "")


def repair(site: Path) -> None:
    """Mend every page of a built site."""
    for path in sorted(site.rglob("*.html")):
        page = path.read_text(encoding="utf-8")
        path.write_text(repaired(page), encoding="utf-8")
