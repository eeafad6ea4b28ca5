"""Data of figures and tables as files of the site.

A run's notebook carries them in its links, and needs nothing else. On the site they would be much
of what a reader fetches before a page shows, though few ask for them.
"""

from __future__ import annotations

import base64
import html
import re
from pathlib import Path
from urllib.parse import quote

import nbformat

#: The files, in the folder of what the site shows as it is.
FOLDER = Path("book", "_static", "data")
#: The same in the built site.
_SHOWN = "_static/data"
_LINK = re.compile(r'download="([^"]*)" href="data:text/csv;base64,([^"]*)"')


def write_data_files(notebook: nbformat.NotebookNode, page: Path, work: Path) -> None:
    """Move, in place, the data from the links of a notebook's outputs into files.

    page: where the notebook will lie, from the folder `work` of everything that is built.
    """
    place = page.with_suffix("")
    folder = work / FOLDER / place
    address = f"{'../' * len(page.parent.parts)}{_SHOWN}/{quote(place.as_posix())}"
    for cell in notebook.cells:
        for output in cell.get("outputs", []):
            data = output.get("data", {})
            if "text/html" in data:
                data["text/html"] = _LINK.sub(
                    lambda link: _as_file(link, folder, address), "".join(data["text/html"])
                )


def _as_file(link: re.Match[str], folder: Path, address: str) -> str:
    content = base64.b64decode(link[2], validate=True)
    file = _free_name(folder, html.unescape(link[1]), content)
    file.parent.mkdir(parents=True, exist_ok=True)
    file.write_bytes(content)
    return f'download="{link[1]}" href="{address}/{file.name}"'


def _free_name(folder: Path, name: str, content: bytes) -> Path:
    """A place for the content: that of the same content, or one that no other has."""
    stem = re.sub(r"[^A-Za-z0-9_-]", "-", name.removesuffix(".csv"))
    number = 1
    while True:
        file = folder / (f"{stem}.csv" if number == 1 else f"{stem}-{number}.csv")
        if not file.exists() or file.read_bytes() == content:
            return file
        number += 1
