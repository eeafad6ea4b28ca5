"""Tests for what is mended in built pages."""

from __future__ import annotations

from modclust_utils.publish.repairs import repair, repaired

LOGO = '<a class="navbar-brand logo" href="index.html">\n <img alt=""/>\n<p>Modclust</p>\n</a>'


def test_logo_lies_in_a_landmark():
    page = f"<div>{LOGO}</div><a>other</a>"
    assert repaired(page) == f'<div><nav aria-label="First page">{LOGO}</nav></div><a>other</a>'


def test_bibliography_has_no_roles_that_do_not_fit():
    page = '<div role="list" class="citation-list"><div id="a" role="doc-biblioentry">A</div></div>'
    assert repaired(page) == '<div class="citation-list"><div id="a">A</div></div>'


def test_every_page_of_a_site_is_mended(tmp_path):
    (tmp_path / "book").mkdir()
    for name in ("index.html", "book/one.html"):
        (tmp_path / name).write_text(LOGO)
    repair(tmp_path)
    for name in ("index.html", "book/one.html"):
        assert (tmp_path / name).read_text().startswith("<nav")
