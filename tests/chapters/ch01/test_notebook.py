"""Chapter 1 from end to end in a small book: what the page shows, and where it comes from."""

from __future__ import annotations

import base64
import io
import json
import re
import shlex
from collections.abc import Iterator
from dataclasses import dataclass
from html.parser import HTMLParser
from pathlib import Path
from types import SimpleNamespace

import nbformat
import pandas as pd
import papermill
import pytest
from small_book import ROOT, copy_book, write_data

from modclust_utils.publish import (
    experiments,
    networks,
    pages,
    parameters,
    plans,
    run,
    session,
    tables,
)
from modclust_utils.publish.records import RecordStore, record_key
from modclust_utils.publish.run import check_run, read_runs, run_chapter
from modclust_utils.publish.verify import verify


@dataclass(frozen=True)
class Done:
    """The chapter after a run: its book, parameters, run and notebook."""

    book: Path
    parameters: dict
    run: run.RunInfo
    notebook: nbformat.NotebookNode

    @property
    def p(self) -> SimpleNamespace:
        return SimpleNamespace(**self.parameters)

    @property
    def store(self) -> RecordStore:
        return RecordStore(self.book / "data" / "cache" / "records")


@pytest.fixture(scope="module")
def done(tmp_path_factory) -> Iterator[Done]:
    """The one real run of this module: eight steps of training, two kinds of two networks."""
    book = copy_book(tmp_path_factory.mktemp("chapter") / "book")
    images = str(write_data(book / "columns.npz", n_train=400, n_test=80))
    with pytest.MonkeyPatch.context() as patch:
        patch.setenv("MODCLUST_ROOT", str(book))
        patch.delenv("MODCLUST_DATA", raising=False)
        values = check_run(
            1,
            overrides={
                "datasets": [images],
                "dataset_settings": {images: {"batch_size": 100, "pruning_interval": 1}},
                "n_networks": 2,
                "epochs": 1,
                "pruning_epochs": 1,
                "more_clusters": [2],
                "n_shuffles": 3,
                "n_random": 3,
                "device": "cpu",
                "n_jobs": 2,
            },
        )
        info = run_chapter(1, values)
        yield Done(book, values, info, nbformat.read(info.notebook, as_version=4))


@pytest.fixture
def book(tmp_path, monkeypatch) -> Path:
    monkeypatch.setenv("MODCLUST_ROOT", str(tmp_path / "book"))
    return copy_book(tmp_path / "book")


# The good run


def test_run_is_done_and_says_so(done):
    (info,) = read_runs(1)
    assert info == done.run
    assert info.status["state"] == "done"
    assert info.status["profile"] == "own parameters"
    assert info.status["parameters"] == done.parameters
    assert pages.state(info) == "done"
    left = sorted(path.name for path in info.folder.iterdir())
    assert left == ["notebook.ipynb", "run.json", "verdicts.json"]


def test_run_used_the_records_that_were_planned(done):
    planned = {(kind, record_key(kind, p)) for kind, p in plans.plan(1, done.p)}
    assert {tuple(each) for each in done.run.status["records"]} == planned
    assert {(path.parent.name, path.stem) for path in done.store} == planned


def code_cells(done: Done) -> list[nbformat.NotebookNode]:
    return [cell for cell in done.notebook.cells if cell.cell_type == "code"]


def test_every_cell_ran(done):
    cells = [cell for cell in code_cells(done) if cell.source.strip()]
    assert [cell.execution_count for cell in cells] == list(range(1, len(cells) + 1))
    kinds = {output.output_type for cell in cells for output in cell.outputs}
    assert kinds == {"display_data"}


def test_every_figure_has_picture_words_and_label(done):
    source = nbformat.read(next((ROOT / "notebooks").glob("01-*.ipynb")), as_version=4)
    promised = [c.metadata.mystnb for c in source.cells if "mystnb" in c.metadata]
    figures = [c for c in code_cells(done) if "figure" in c.metadata.get("mystnb", {})]
    assert [c.metadata.mystnb for c in figures] == promised
    assert len({c.metadata.mystnb.figure.name for c in figures}) == len(figures) == 7
    for cell in figures:
        pictures = [o for o in cell.outputs if "image/png" in o.data]
        assert len(pictures) == 1
        assert base64.b64decode(pictures[0].data["image/png"]).startswith(b"\x89PNG")
        assert cell.metadata.mystnb.image.alt.strip()
        assert cell.metadata.mystnb.figure.caption.strip()


class _Strip(HTMLParser):
    """Facts and data of one strip."""

    def __init__(self) -> None:
        super().__init__()
        self.facts: dict[str, str] = {}
        self.name = self.csv = ""
        self._place: list[str] = []

    def handle_starttag(self, tag, attrs):
        self._place.append(tag)
        if tag == "a":
            self.name = dict(attrs)["download"].removesuffix(".csv")
            head, _, data = dict(attrs)["href"].partition(",")
            assert head == "data:text/csv;base64"
            self.csv = base64.b64decode(data, validate=True).decode()

    def handle_endtag(self, tag):
        assert self._place.pop() == tag

    def handle_data(self, text):
        if "dt" in self._place:
            self.facts[text] = ""
        elif "dd" in self._place:
            self.facts[list(self.facts)[-1]] += text


def strips(done: Done) -> dict[str, tuple[dict[str, str], pd.DataFrame]]:
    """Facts and data of every strip of the page, by its file's name."""
    found = {}
    for cell in code_cells(done):
        for output in cell.outputs:
            text = output.data.get("text/html", "")
            if text.startswith('<details class="mc-strip">'):
                strip = _Strip()
                strip.feed(text)
                assert strip.name not in found
                found[strip.name] = strip.facts, pd.read_csv(io.StringIO(strip.csv))
    return found


def test_every_figure_and_table_has_a_strip(done):
    for cell in code_cells(done):
        shown = [o for o in cell.outputs if {"image/png", "text/html"} & set(o.data)]
        texts = [o.data.get("text/html", "") for o in shown]
        for i, output in enumerate(shown):
            if "image/png" in output.data or texts[i].startswith('<div class="mc-table">'):
                assert texts[i + 1].startswith('<details class="mc-strip">')
    # seven figures, Table 1, the table for another k, and the verdicts
    assert len(strips(done)) == 10


def test_strips_say_how_it_was_made(done):
    schema = parameters.read_schema(parameters.chapter_notebook(1))
    for facts, data in strips(done).values():
        assert len(data) > 0
        assert "n_networks = 2" in facts["Parameters"]
        assert facts["Parameters"].count("dataset_settings") == 1
        assert "n_jobs" not in facts["Parameters"]
        assert facts["Seeds"] == "0, 1" or facts["Seeds"] == "0"
        assert re.fullmatch(r"(\d+ [a-z-]+(, )?)+", facts["Records"])
        assert "CPU" in facts["Computed on"]
        assert float(facts["Seconds of computing"].replace(",", "")) > 0
        assert facts["Commit"].startswith("records ")
        words = shlex.split(facts["Made again by"])
        assert words[:3] == ["modclust", "run", "1"]
        texts = dict(zip(words[4::3], words[5::3], strict=True))
        values = {name: schema.parse(name, text) for name, text in texts.items()}
        assert session.scientific(schema.check(values)) == session.scientific(done.parameters)


def test_data_of_the_figures_are_those_of_the_records(done):
    trained = [
        networks.Network(c, seed, record_key("network", c.network_parameters(seed)), None)
        for c in networks.conditions(done.p, done.p.datasets)
        for seed in (0, 1)
    ]
    found = {name: data for name, (_, data) in strips(done).items()}
    for phase, kind in (("before", "clustering"), ("after", "shuffle-test")):
        chosen = found["n-cut-and-accuracy"].query("phase == @phase")
        for network, row in zip(trained, chosen.to_dict("records"), strict=True):
            if kind == "clustering":
                parameters = experiments.clustering_parameters(network.key, phase, done.p, 4)
            else:
                parameters = experiments.test_parameters(network.key, phase, done.p, 4, "layer")
            assert row["ncut"] == done.store.require(kind, parameters).value["ncut"]
            value = done.store.require(
                "network", network.condition.network_parameters(network.seed)
            ).value
            assert row["test_acc"] == value[f"test_accuracy_{phase}"]
            assert (row["dropout"], row["seed"]) == (network.condition.dropout, network.seed)
    (path,) = (path for path in done.store if path.parent.name == "random-ncuts")
    assert (
        found["random-networks"]["ncut"].tolist() == json.loads(path.read_text())["value"]["ncuts"]
    )
    assert len(found["nulls"]) == 2 * done.p.n_shuffles
    assert found["number-of-clusters"]["n_clusters"].tolist() == [2, 2, 4, 4]
    assert found["verdicts"]["verdict"].unique().tolist() == ["not attempted"]


def test_page_shows_no_missing_number(done):
    texts = []
    for cell in code_cells(done):
        for output in cell.outputs:
            text = output.data.get("text/markdown", "") or output.data.get("text/html", "")
            if not text.startswith('<details class="mc-strip">'):
                texts.append(re.sub(r"<[^>]+>", " ", text))
    assert len(texts) > 10
    assert not [text for text in texts if re.search(r"\b(nan|None|inf)\b", text)]


def test_page_says_which_parameters_it_shows(done):
    badge = code_cells(done)[2].outputs[0].data["text/html"]
    assert 'class="mc-badge mc-badge-own"' in badge
    assert "a run with <b>other parameters</b>" in badge


def test_page_holds_nothing_of_the_machine(done):
    assert "papermill" not in done.notebook.metadata
    for cell in done.notebook.cells:
        assert not {"papermill", "execution"} & set(cell.metadata)
    (injected,) = (
        c for c in code_cells(done) if "injected-parameters" in c.metadata.get("tags", [])
    )
    assert injected.metadata.tags == ["injected-parameters", "hide-input"]
    nbformat.validate(done.notebook)


def test_no_verdict_without_the_data_of_the_paper(done):
    rows = json.loads((done.run.folder / "verdicts.json").read_text(encoding="utf-8"))
    assert len(rows) > 0
    assert {row["verdict"] for row in rows} == {"not attempted"}


def test_records_of_parallel_processes_agree_with_this_one(done):
    """They were computed by processes of the kernel; here they are computed without any."""
    path = next(path for path in done.store if path.parent.name == "shuffle-test")
    check = verify(done.store, path)
    assert check.agrees, check.difference
    assert "3 of 3 the same" in check.difference


def test_page_is_stale_once_the_package_has_changed(done, monkeypatch):
    assert done.run.is_fresh
    monkeypatch.setattr(run, "source_hash", lambda chapter: "changed")
    assert not done.run.is_fresh
    assert pages.state(done.run) == "stale"


def test_page_becomes_part_of_the_book(done, tmp_path):
    """As the page of a run, its labels do not meet those of the chapter."""
    page = pages.run_page(done.run)
    labels = pages._labels(page)
    assert len(labels) == len(set(labels)) >= 7
    assert not set(labels) & set(pages._labels(done.notebook))
    assert tables.dataset_name("mnist5k") not in page.cells[0].source


# Papermill alone


def test_papermill_alone_is_as_safe(book, tmp_path, monkeypatch):
    monkeypatch.chdir(book)
    with pytest.raises(papermill.PapermillExecutionError) as error:
        papermill.execute_notebook(
            str(parameters.chapter_notebook(1)),
            str(tmp_path / "out.ipynb"),
            parameters={"n_netwroks": 3, "epochs": 0},
            kernel_name="python3",
            progress_bar=False,
            start_timeout=run.START_TIMEOUT,
            config=run._kernel_config(),
        )
    assert error.value.ename == "ParameterError"
    assert "'n_netwroks' is not a parameter" in error.value.evalue
    assert "Did you mean 'n_networks'?" in error.value.evalue
    assert "epochs=0 is not allowed: a whole number from 1 to 10000" in error.value.evalue
    assert not (book / "data" / "cache").exists()
