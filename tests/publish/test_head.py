"""Tests for what machines read of the site."""

from __future__ import annotations

import matplotlib as mpl
import pytest
import yaml
from matplotlib.figure import Figure
from PIL import Image
from small_book import ROOT

from modclust_utils.publish import head
from modclust_utils.publish.errors import BuildError, FileError


def test_without_an_address_nothing_is_absolute(monkeypatch):
    monkeypatch.delenv(head.URL_VARIABLE, raising=False)
    assert head.site_url() == ""
    assert set(head.head_settings()) == {"myst_html_meta"}


def test_an_address_ends_with_one_slash(monkeypatch):
    for given in ("https://example.org/book", "https://example.org/book//"):
        monkeypatch.setenv(head.URL_VARIABLE, given)
        found = head.head_settings()
        assert found["html_baseurl"] == found["ogp_site_url"] == "https://example.org/book/"


@pytest.mark.parametrize(
    "url",
    [
        *("example.org", "file:///tmp", "https://", "https://a.org/?x=1"),
        *("http://[x", "https://a.org:99999/", "https://a.org:port/", "https://:80/"),
    ],
)
def test_what_is_no_address_is_refused(monkeypatch, url):
    monkeypatch.setenv(head.URL_VARIABLE, url)
    with pytest.raises(
        BuildError, match=r"MODCLUST_SITE_URL=.* is not allowed: an address such as"
    ):
        head.site_url()


def test_citation_is_that_of_the_file():
    cited = yaml.safe_load((ROOT / "CITATION.cff").read_text(encoding="utf-8"))
    found = head.citation()
    assert found["citation_title"] == cited["title"]
    assert cited["authors"][0]["name"] in found["citation_author"]
    assert cited["version"] in found["citation_technical_report_number"]


@pytest.mark.parametrize(
    ("text", "what"),
    [
        ("title: T\nversion: 1\n", "authors is not a list"),
        ("title: T\nversion: 1\nauthors:\n", "authors is not a list"),
        ("title: T\nversion: 1\nauthors: [Ann]\n", "an author has neither a name nor"),
        ("title: T\nversion: 1\nauthors: [{given-names: A}]\n", "an author has neither a name"),
        ("version: 1\nauthors: [{name: A}]\n", "title is not a text"),
        ("title: T\nauthors: [{name: A}]\n", "version is not there"),
        ("title: [", "while parsing"),
        ("", "it does not hold names with values"),
    ],
)
def test_damaged_citation_is_named(tmp_path, monkeypatch, text, what):
    monkeypatch.setattr(head, "root", lambda: tmp_path)
    (tmp_path / "CITATION.cff").write_text(text)
    with pytest.raises(FileError, match=rf"CITATION\.cff is damaged \({what}.*Repair it"):
        head.citation()


def test_missing_page_leads_to_the_address_and_shows_texts_as_they_are(tmp_path, monkeypatch):
    monkeypatch.setenv(head.URL_VARIABLE, "https://example.org/b")
    head.write_missing_page(tmp_path, "A <book>")
    page = (tmp_path / head.MISSING).read_text(encoding="utf-8")
    assert 'href="https://example.org/b/"' in page
    assert "A &lt;book&gt;" in page
    assert "<book>" not in page


def test_the_card_has_the_size_that_others_expect_wherever_one_stands(tmp_path, monkeypatch):
    (tmp_path / "matplotlibrc").write_text("savefig.bbox: tight\nsavefig.dpi: 30\n")
    monkeypatch.chdir(tmp_path)
    with mpl.rc_context(fname=tmp_path / "matplotlibrc"):
        head.save_png(Figure(figsize=(12, 6.3), dpi=100), tmp_path / "card.png", dpi=100)
    with Image.open(tmp_path / "card.png") as picture:
        assert picture.size == (1200, 630)
