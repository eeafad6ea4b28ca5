"""Data of figures and tables as files of the site."""

from __future__ import annotations

import base64
import re
from pathlib import Path

import nbformat
import pytest

from modclust_utils.publish.data_files import write_data_files


def link(name: str, content: str) -> str:
    data = base64.b64encode(content.encode()).decode()
    return f'<a class="mc-data" download="{name}" href="data:text/csv;base64,{data}">Data</a>'


def page_of(*outputs: str) -> nbformat.NotebookNode:
    shown = [nbformat.v4.new_output("display_data", {"text/html": each}) for each in outputs]
    return nbformat.v4.new_notebook(cells=[nbformat.v4.new_code_cell("", outputs=shown)])


def links_of(notebook: nbformat.NotebookNode) -> list[tuple[str, str]]:
    text = "".join(o.data["text/html"] for o in notebook.cells[0].outputs)
    return re.findall(r'download="(.*?)" href="(.*?)"', text)


@pytest.mark.parametrize("page", ["notebooks/05-a.ipynb", "runs/05/paper.ipynb"])
def test_every_link_leads_from_its_page_to_a_file_of_the_same_content(tmp_path, page):
    contents = ["a,b\n1,2\n", "kind,key\n"]
    notebook = page_of(link("figure-1.csv", contents[0]), link("figure-1-records.csv", contents[1]))
    write_data_files(notebook, Path(page), tmp_path)
    names, addresses = zip(*links_of(notebook), strict=True)
    assert names == ("figure-1.csv", "figure-1-records.csv")
    for address, content in zip(addresses, contents, strict=True):
        built = (tmp_path / page).parent / address
        # in the built site the folder lies at the top
        source = Path(str(built.resolve()).replace("/_static/", "/book/_static/"))
        assert source.read_text(encoding="utf-8") == content


def test_two_links_of_one_name_share_a_file_only_with_the_same_content(tmp_path):
    notebook = page_of(link("a.csv", "x\n1\n"), link("a.csv", "x\n2\n"), link("a.csv", "x\n1\n"))
    write_data_files(notebook, Path("notebooks/a.ipynb"), tmp_path)
    first, second, third = (address for _, address in links_of(notebook))
    assert first == third != second
    assert len(list(tmp_path.rglob("*.csv"))) == 2


@pytest.mark.parametrize("name", ["../../out.csv", "&quot;&gt;&lt;b&gt;.csv", "a b/c.csv"])
def test_a_hostile_name_makes_a_file_in_the_folder_and_a_harmless_address(tmp_path, name):
    notebook = page_of(link(name, "x\n"))
    write_data_files(notebook, Path("notebooks/a.ipynb"), tmp_path)
    ((said, address),) = links_of(notebook)
    assert said == name
    assert re.fullmatch(r"\.\./_static/data/notebooks/a/[A-Za-z0-9_-]+\.csv", address)
    (file,) = tmp_path.rglob("*.csv")
    assert file.parent == tmp_path / "book" / "_static" / "data" / "notebooks" / "a"


def test_outputs_without_data_stay_as_they_are(tmp_path):
    notebook = page_of("<p>words</p>")
    write_data_files(notebook, Path("notebooks/a.ipynb"), tmp_path)
    assert notebook.cells[0].outputs[0].data["text/html"] == "<p>words</p>"
    assert list(tmp_path.iterdir()) == []
