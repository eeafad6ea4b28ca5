"""Text from outside is shown as it is: as Markdown, as HTML, and on a built page in a browser."""

from __future__ import annotations

import html
import json
import re
import shutil
from pathlib import Path

import nbformat
import numpy as np
import pytest
from hypothesis import given
from hypothesis import strategies as st
from small_book import DRAW, PIXEL, copy_book, write_data, write_notebook, write_run

from modclust_utils.publish import pages
from modclust_utils.publish.escape import clean_html, clean_outputs, markdown, sentence, texts_in
from modclust_utils.publish.policy import policy
from modclust_utils.publish.run import check_run, run_chapter

HOSTILE = [
    '"><img src=x onerror=alert(1)>',
    "<script>alert(2)</script>",
    "<svg/onload=alert(3)>",
    "[link](javascript:alert(4))",
    "![picture](http://evil.example/5.png)",
    "`code` and **bold** $x^2$ {sub}`7` {{ book_commit }}",
    "<!-- gone -->",
    "&lt;img src=x onerror=alert(6)&gt;",
    "a | b\n\n# heading",
    "</td></tr></table><iframe src=//evil.example>",
    "<a href=\"javascript:alert(7)\" onmouseover='alert(8)'>here</a>",
]


def rendered(text: str) -> str:
    """Markdown as HTML by the parser of the book, with what it has switched on."""
    from markdown_it import MarkdownIt
    from myst_parser.config.main import MdParserConfig
    from myst_parser.mdit_to_docutils.base import DocutilsRenderer
    from myst_parser.parsers.mdit import create_md_parser

    enabled = ["amsmath", "attrs_block", "attrs_inline", "colon_fence", "deflist", "dollarmath"]
    enabled += ["substitution"]
    create_md_parser(MdParserConfig(enable_extensions=enabled), DocutilsRenderer)
    return MarkdownIt("commonmark", {"html": True}).enable("table").render(text)


def words(page: str) -> str:
    return re.sub(r"\s+", " ", html.unescape(re.sub(r"<[^>]+>", "", page))).strip()


@pytest.mark.parametrize("text", HOSTILE)
def test_a_hostile_text_is_shown_as_it_is(text):
    page = rendered(f"Networks of {markdown(text)} fall apart.")
    assert set(re.findall(r"<(\w+)", page)) == {"p"}
    assert words(page) == re.sub(r"\s+", " ", f"Networks of {text} fall apart.")


@given(st.text(min_size=1, max_size=30))
def test_any_text_is_shown_as_it_is(text):
    page = rendered(f"a{markdown(text)}z")
    assert set(re.findall(r"<(\w+)", page)) <= {"p"}
    shown = html.unescape(re.sub(r"</?p>", "", page))
    assert re.sub(r"\s+", "", shown.replace("\0", "�")) == re.sub(
        r"\s+", "", f"a{text}z".replace("\0", "�")
    )


@pytest.mark.parametrize("text", HOSTILE)
def test_a_sentence_that_forgot_to_escape_is_safe(text):
    """Whatever the chapter wrote: texts of the run are found in it, and HTML is none."""
    page = rendered(sentence(f"Networks of **{text}** fall apart, p < 0.05.", [text, "apart"]))
    assert set(re.findall(r"<(\w+)", page)) == {"p", "strong"}
    assert words(page) == re.sub(r"\s+", " ", f"Networks of {text} fall apart, p < 0.05.")
    unknown = rendered(sentence(f"Networks of {text} fall apart."))
    assert not set(re.findall(r"<(\w+)", unknown)) & {"img", "script", "svg", "iframe"}


def test_sentences_of_the_book_stay_as_they_are():
    text = "An n-cut of **1.5** ({numref}`fig-one`), $k < 4$, `a_b`, 3 < 4; [scores](status.md)."
    assert sentence(text, {"mnist", "CPU, 1 thread"}) == text
    assert markdown("n_clusters-7") == "n_clusters-7"
    assert markdown("2026-01-02T03:04:05+00:00") == "2026-01-02T03:04:05+00:00"


def test_texts_are_found_wherever_they_are():
    found = texts_in({"a": ["b", {"c": ("d", 3)}], "e": None})
    assert found == {"a", "b", "c", "d", "e"}


@pytest.mark.parametrize("text", HOSTILE)
def test_html_of_a_cell_holds_what_is_allowed_and_the_rest_as_text(text):
    cleaned = clean_html(f'<div class="mc-table"><table><tr><td>{text}</td></tr></table></div>')
    assert not re.search(r"<(?!/?(a|div|table|tr|td)\b)", cleaned)
    assert not re.search(r"<[^>]*\son\w+=", cleaned)
    assert not re.search(r'<[^>]*href="(?!#)', cleaned)
    assert cleaned.count("<table>") == cleaned.count("</table>")
    escaped = f"<p>{html.escape(text)}</p>"
    assert clean_html(escaped) == escaped.replace("&#x27;", "&#x27;")


def test_what_chapters_show_passes_unchanged():
    """Of every committed look: strips, tables, badges."""
    kept = (
        '<details class="mc-strip" open=""><summary>How</summary><dl><dt>a</dt><dd>b</dd></dl>'
        '</details><a class="mc-data" download="a.csv" href="data:text/csv;base64,YQ==">Data</a>'
        '<div class="mc-table" role="region" tabindex="0" aria-label="Table: a"><table border="1">'
        '<thead><tr style="text-align: right;"><th scope="col"></th></tr></thead></table></div>'
        '<a href="#what-was-not-run">x</a><br><a href="../status.html#a">y</a>'
    )
    assert clean_html(kept) == kept


def test_a_picture_that_a_chapter_drew_passes():
    drawn = f'<td><img src="data:image/png;base64,{PIXEL}" alt="a set"></td>'
    assert clean_html(drawn) == drawn


@pytest.mark.parametrize(
    "src",
    [
        "http://evil.example/5.png",
        "//evil.example/5.png",
        "x",
        "",
        "javascript:alert(1)",
        "data:image/svg+xml;base64,PHN2Zy8+",
        "data:image/svg+xml,<svg onload=alert(1)>",
        "data:text/html;base64,YQ==",
        "data:image/png,a",
        f"data:image/png;base64,{PIXEL} http://evil.example/5.png",
        f" data:image/png;base64,{PIXEL}",
        "DATA:image/png;base64,YQ==",
    ],
)
def test_any_other_picture_is_shown_as_text(src):
    tag = f'<img src="{src}" alt="a">'
    assert clean_html(tag) == html.escape(tag)


def test_a_picture_keeps_its_source_and_nothing_that_runs_or_asks():
    src = f"data:image/png;base64,{PIXEL}"
    hostile = 'onerror="alert(1)" onload=alert(2) srcset="http://evil.example/5.png 2x"'
    assert clean_html(f'<img src="{src}" {hostile}>') == f'<img src="{src}">'
    assert clean_html("<img>") == "&lt;img&gt;"
    # browsers take the first of two sources
    for first, second in (("x", src), (src, "x")):
        cleaned = clean_html(f'<img src="{first}" src="{second}">')
        assert cleaned in (html.escape(f'<img src="{first}" src="{second}">'), f'<img src="{src}">')


def test_outputs_that_would_run_are_left_out():
    outputs = [
        nbformat.v4.new_output("display_data", {"application/javascript": "alert(1)"}),
        nbformat.v4.new_output("display_data", {"image/svg+xml": "<svg onload=alert(1)/>"}),
        nbformat.v4.new_output("display_data", {"text/html": "<b>x</b><script>alert(1)</script>"}),
        nbformat.v4.new_output("display_data", {"text/markdown": "x <img src=x onerror=alert(1)>"}),
    ]
    notebook = nbformat.v4.new_notebook(cells=[nbformat.v4.new_code_cell("1", outputs=outputs)])
    clean_outputs(notebook)
    data = [output.data for output in notebook.cells[0].outputs]
    assert data[0] == data[1] == {}
    assert data[2]["text/html"] == "<b>x</b>&lt;script&gt;alert(1)&lt;/script&gt;"
    assert data[3]["text/markdown"] == "x < img src=x onerror=alert(1)>"


def test_policy_allows_the_scripts_of_the_theme_and_none_within_the_text():
    page = (
        "<head><script>one()</script><script src='a.js'></script></head>"
        "<article><script>two()</script></article><script>three()</script>"
    )
    found = policy(page)
    assert found.count("'sha256-") == 2
    assert "script-src 'self' file: 'sha256-" in found
    assert "'unsafe-inline'" not in found.split("style-src")[0]
    assert "object-src 'none'" in found
    button = '<head></head><button onclick="one()">x</button><article><b onclick="two()"></article>'
    assert policy(button).count("'sha256-") == policy(button).count("'unsafe-hashes'") == 1


# Through every door to the built page

SHOWS_EVERYTHING = """
import pandas as pd
from modclust_utils import datasets as images
from modclust_utils.publish.session import start
from modclust_utils.recipes.frames import shown_table
run = start(1, globals())
run.badge()
""", """
name = images.words(run.p.datasets[0])
classes = images.class_names(run.p.datasets[0])
notes = NOTES
run.heard.update(notes)
run.say(f"The networks of {name} have classes {', '.join(classes)}.")
for note in notes:
    run.say(f"A note: {note}")
table = pd.DataFrame({name: [*classes, *notes]}, index=[*classes, *notes])
table.attrs = {"source": f"a paper by {notes[0]}"}
@shown_table
def texts(frame):
    return frame
@shown_table(html=True)
def cells(frame):
    return frame
run.show(texts(table), name=notes[0])
run.show(cells(table), name=notes[1])
from IPython.display import HTML, Markdown, display
display(HTML(notes[0]), Markdown(notes[1]), HTML(f"<p onclick=alert(9)>{notes[2]}</p>"))
"""  # fmt: skip


@pytest.fixture(scope="module")
def hostile_site(tmp_path_factory) -> Path:
    """A site with a run of a hostile file, hostile classes and notes, beside a failed one."""
    folder = tmp_path_factory.mktemp("hostile")
    with pytest.MonkeyPatch.context() as patch:
        patch.setenv("MODCLUST_ROOT", str(folder / "book"))
        book = copy_book(folder / "book", book=True)
        for page in (book / "book").glob("*.md"):
            if page.stem != "reference":  # the chapters link to its functions
                page.write_text(f"# {page.stem}\n", encoding="utf-8")
        first, second = SHOWS_EVERYTHING
        write_notebook(book, first, second.replace("NOTES", repr(HOSTILE)), figure=DRAW)
        data = np.load(write_data(folder / "plain.npz"))
        names = (HOSTILE * 2)[:10]
        file = folder / f"{HOSTILE[0]}.npz"
        np.savez(file, **data, class_names=names)
        settings = {str(file): {"epochs": 3}}
        values = check_run(1, overrides={"datasets": [str(file)], "dataset_settings": settings})
        info = run_chapter(1, values)
        rows = [
            {"id": t, "claim": t, "place": t, "verdict": t, "held": 1, "failed": 0, "cases": 1}
            for t in HOSTILE
        ]
        quick = write_run(book, "quick", commit=HOSTILE[0], started=HOSTILE[1])
        (quick / "verdicts.json").write_text(json.dumps(rows), encoding="utf-8")
        notebook = nbformat.read(quick / "notebook.ipynb", as_version=4)
        own = nbformat.read(info.notebook, as_version=4)
        notebook.metadata = own.metadata
        notebook.cells += own.cells[2:-1]
        for number, cell in enumerate(notebook.cells):
            cell["id"] = f"cell-{number}"
        nbformat.write(notebook, quick / "notebook.ipynb")
        write_run(book, "seed-3", state="failed", reason=HOSTILE[0])
        yield pages.build_site(folder / "site")
    shutil.rmtree(folder / "book")


def pages_with_texts(site: Path) -> list[Path]:
    return [
        *site.glob("notebooks/*.html"),
        *site.glob("runs/*/*.html"),
        site / "book" / "status.html",
    ]


def test_nothing_from_outside_runs_and_every_name_is_shown(hostile_site, browser):
    found = pages_with_texts(hostile_site)
    assert len(found) == 3
    for path in found:
        page = browser.new_page()
        page.set_default_timeout(120_000)
        said: list[str] = []
        asked: list[str] = []
        page.on("dialog", lambda dialog, said=said: (said.append(dialog.message), dialog.dismiss()))
        page.on("request", lambda request, asked=asked: asked.append(request.url))
        page.goto(path.as_uri())
        page.wait_for_timeout(500)
        article = page.locator("article")
        bad = article.locator("img[src=x], iframe, svg[onload], script, [onerror], [onmouseover]")
        assert bad.count() == 0, path
        for link in article.locator("a").all():
            assert not (link.get_attribute("href") or "").startswith("javascript"), path
        assert said == []
        assert [url for url in asked if not url.startswith(("file:", "data:", "blob:"))] == []
        # Sphinx makes quotes and dashes those of print
        printed = {"“": '"', "”": '"', "‘": "'", "’": "'", "–": "--", "—": "---", "…": "..."}
        text = article.text_content()
        for mark, typed in printed.items():
            text = text.replace(mark, typed)
        text = re.sub(r"\s+", " ", text)
        shown = HOSTILE if "status" in path.name else HOSTILE[:1]
        for each in shown:
            assert re.sub(r"\s+", " ", each).replace("|", "/") in text.replace("|", "/"), path
        page.close()


def test_the_policy_stops_a_script_that_got_through(hostile_site, browser):
    """As if all else had failed: the browser does not run it."""
    source = hostile_site / "book" / "status.html"
    hit = source.with_name("hit.html")
    text = source.read_text(encoding="utf-8")
    attack = "<img src=x onerror='document.title=\"hit\"'><script>document.title='hit'</script>"
    hit.write_text(text.replace("</article>", f"{attack}</article>", 1), encoding="utf-8")
    page = browser.new_page()
    page.goto(hit.as_uri())
    page.wait_for_timeout(500)
    assert page.title() != "hit"
    hit.write_text(
        re.sub(r"<meta http-equiv=.Content-Security[^>]*>", "", hit.read_text(encoding="utf-8")),
        encoding="utf-8",
    )
    page.goto(hit.as_uri())
    page.wait_for_timeout(500)
    assert page.title() == "hit"
    page.close()
    hit.unlink()
