"""Text from outside on a page: shown as it is, and never read as HTML or Markdown.

Names of files and classes, parameters, and what stands in records may be any text. Sentences of the
book are Markdown with such texts in them; what cells show is HTML. Both pass through here on their
way to a page, whatever a chapter did or forgot.
"""

from __future__ import annotations

import html
import re
from collections.abc import Iterable, Mapping, Sequence
from html.parser import HTMLParser
from typing import Any

import nbformat

#: All that cells of chapters need: tables, strips, and words.
TAGS = {
    *("a", "b", "br", "code", "dd", "details", "div", "dl", "dt", "em", "i", "li", "ol", "p"),
    *("span", "strong", "sub", "summary", "sup", "table", "tbody", "td", "tfoot", "th", "thead"),
    *("tr", "ul"),
}
EMPTY_TAGS = {"br", "img"}
#: The only pictures in cells of tables: drawn by a chapter, and asking no address for anything.
PICTURE = r"data:image/png;base64,[\w+/=]*"
#: Attributes, and what their values may be.
ATTRIBUTES = {
    "alt": r"[^<>]*",
    "aria-label": r"[^<>]*",
    "border": r"\d*",
    "class": r"[\w\s-]*",
    "colspan": r"\d+",
    "download": r"[^<>]*",
    "halign": r"\w+",
    "href": r"#[\w-]*|data:text/csv;base64,[\w+/=]*|(?!\w+:|//)[\w./#?=-]*",
    "id": r"[\w-]*",
    "open": r"",
    "role": r"region",
    "rowspan": r"\d+",
    "scope": r"\w+",
    "src": PICTURE,
    "style": r"[\w\s:;%.-]*",
    "tabindex": r"0",
    "valign": r"\w+",
}


def markdown(text: object) -> str:
    """A text as Markdown that shows it as it is, on one line."""
    line = re.sub(r"\s+", " ", str(text))
    if re.fullmatch(r"([^\W_]|–)[\w .,:+–-]*(?<!_)", line):
        return line
    return re.sub(r"([!-/:-@\[-`{-~])", r"\\\1", line)


def sentence(text: str, outside: Iterable[str] = ()) -> str:
    """A sentence of the book in Markdown, with texts from outside in it: these are shown as they
    are, and nothing in it is HTML or a picture."""
    special = sorted({t for t in outside if t and markdown(t) != t}, key=len, reverse=True)
    if special:
        pattern = "|".join(map(re.escape, special))
        parts = re.split(f"({pattern})", text)
        # every second part is one of those texts
        return "".join(
            markdown(part) if i % 2 else _words_alone(part) for i, part in enumerate(parts)
        )
    return _words_alone(text)


def table_cell(text: str) -> str:
    """A sentence of the book for a cell of a Markdown table."""
    return sentence(re.sub(r"\s+", " ", str(text)).replace("|", "/"))


def markdown_table(
    header: Sequence[str], rows: Iterable[Iterable[str]], *, numbers: bool = False
) -> str:
    """A table in Markdown of cells in Markdown; numbers: all columns but the first are numbers."""
    under = ["---", *["---:" if numbers else "---"] * (len(header) - 1)]
    return "\n".join(f"| {' | '.join(line)} |" for line in (header, under, *rows))


def block(content: str) -> str:
    """HTML of the book's own, in which outside texts are escaped, as a block of Markdown."""
    return f"```{{raw}} html\n{content}\n```\n"


def _words_alone(text: str) -> str:
    # a tag begins right at a letter; in formulas and code a space there changes nothing
    text = re.sub(r"<(?=[A-Za-z/!?])", "< ", text)
    # pictures come from figures, and one in a text would ask its address for itself
    return text.replace("![", r"!\[")


def texts_in(thing: Any) -> set[str]:
    """All texts in parameters or in the value of a record, keys too."""
    if isinstance(thing, str):
        return {thing}
    if isinstance(thing, Mapping):
        return {text for pair in thing.items() for each in pair for text in texts_in(each)}
    if isinstance(thing, list | tuple | set):
        return {text for each in thing for text in texts_in(each)}
    return set()


class _Cleaner(HTMLParser):
    """Writes again what is allowed, and all else as text."""

    def __init__(self) -> None:
        super().__init__(convert_charrefs=True)
        self.parts: list[str] = []
        self.open: list[str] = []

    def handle_starttag(self, tag: str, attrs: list[tuple[str, str | None]]) -> None:
        picture = tag == "img" and re.fullmatch(PICTURE, dict(attrs).get("src") or "")
        if tag not in TAGS and not picture:
            self.parts.append(html.escape(self.get_starttag_text() or ""))
            return
        kept = [
            f' {name}="{html.escape(value or "")}"'
            for name, value in attrs
            if re.fullmatch(ATTRIBUTES.get(name, r"(?!)"), value or "")
        ]
        self.parts.append(f"<{tag}{''.join(kept)}>")
        if tag not in EMPTY_TAGS:
            self.open.append(tag)

    def handle_endtag(self, tag: str) -> None:
        if tag not in self.open:
            self.parts.append("" if tag in EMPTY_TAGS else html.escape(f"</{tag}>"))
            return
        # what was left open inside ends here, as in a browser
        while self.open:
            last = self.open.pop()
            self.parts.append(f"</{last}>")
            if last == tag:
                break

    def handle_data(self, data: str) -> None:
        self.parts.append(html.escape(data))

    def handle_comment(self, data: str) -> None:
        self.parts.append(html.escape(f"<!--{data}-->"))

    def handle_decl(self, decl: str) -> None:
        self.parts.append(html.escape(f"<!{decl}>"))

    def handle_pi(self, data: str) -> None:
        self.parts.append(html.escape(f"<?{data}>"))

    def unknown_decl(self, data: str) -> None:
        self.parts.append(html.escape(f"<![{data}]>"))


def clean_html(text: str) -> str:
    """HTML of `TAGS` and `ATTRIBUTES` alone; other tags are shown as the text that they are."""
    cleaner = _Cleaner()
    # the contents of these would be taken as text whatever stands in them
    cleaner.CDATA_CONTENT_ELEMENTS = ()  # type: ignore[misc]
    cleaner.feed(text)
    cleaner.close()
    return "".join(cleaner.parts) + "".join(f"</{tag}>" for tag in reversed(cleaner.open))


def clean_outputs(notebook: nbformat.NotebookNode) -> None:
    """Clean, in place, all that the cells of a notebook show; scripts and drawings are left out."""
    for cell in notebook.cells:
        for output in cell.get("outputs", []):
            data = output.get("data", {})
            for kind in ("application/javascript", "image/svg+xml", "text/latex"):
                data.pop(kind, None)
            if "text/html" in data:
                data["text/html"] = clean_html("".join(data["text/html"]))
            if "text/markdown" in data:
                data["text/markdown"] = _words_alone("".join(data["text/markdown"]))
