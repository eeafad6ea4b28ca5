"""What a page shows of a result: how it was made, its data, and the parameters of the run."""

from __future__ import annotations

import base64
import html
import io
import json
import re
from dataclasses import replace
from datetime import UTC, datetime
from typing import Any

import nbformat
import pandas as pd
import pytest
from IPython.display import HTML, Image, Markdown
from matplotlib.figure import Figure
from small_book import ROOT, frame_of, make_network, make_test, printed

from modclust_utils.publish import origins, show
from modclust_utils.publish.left import ANSWER, RUN_VARIABLE
from modclust_utils.publish.parameters import Schema, read_profile, read_schema, scientific
from modclust_utils.publish.records import commit, default_store
from modclust_utils.publish.session import Run
from modclust_utils.recipes.frames import Shown, Trace, shown_figure, shown_table

SCHEMA = read_schema(next((ROOT / "notebooks").glob("01-*.ipynb")))


def run_of(schema: Schema = SCHEMA, chapter: int = 1, **values: Any) -> Run:
    return Run(chapter, schema.check(values), schema, default_store())


@shown_table
def rows_of(frame: pd.DataFrame, *more: pd.DataFrame) -> pd.DataFrame:
    return frame.drop(columns="record", errors="ignore")


@shown_figure
def figure_of(frame: pd.DataFrame) -> Figure:
    figure = Figure(figsize=(0.2, 0.2))
    figure.add_subplot()
    return figure


def facts_of(strip: str) -> dict[str, str]:
    """What a strip says, as readers see it."""
    found = re.findall(r"<dt>(.*?)</dt><dd>(.*?)</dd>", strip)
    return {name: html.unescape(re.sub(r"</?(code|a)\b[^>]*>", "", value)) for name, value in found}


NETWORKS = [make_network(seed=seed, seconds=600) for seed in (0, 1, 2, 5)]
TESTS = [make_test(network, 1.5, [2.0, 2.5], n_clusters=k) for network in NETWORKS for k in (2, 4)]


# The strip


def test_strip_says_how_a_table_was_made():
    shown = rows_of(frame_of(TESTS), frame_of(NETWORKS))
    strip = show.strip_html(run_of(n_clusters=7, n_jobs=3), shown, name="table-1")
    assert "How this table was made" in strip
    facts = facts_of(strip)
    assert facts.pop("Parameters").startswith("datasets = ['mnist5k'], n_networks = ")
    assert facts == {
        "Clusters": "2, 4",
        "Seeds": "0, 1, 2, 5",
        "Records": "4 network, 8 shuffle-test (list)",
        "Computed on": "CPU, 1 thread",
        "Seconds of computing": "2,412.0",
        "Commit": f"records abc; page {commit()}",
        "Made again by": "modclust run 1 -p n_clusters 7",
        "Claims": "A4, A5, A9, A13, A14",
    }
    assert 'id="how-table-1"' in strip
    assert '<a href="#claim-A5">A5</a>' in strip


def test_strip_lists_its_records():
    frame = frame_of([make_network(seed=3), make_network(seed=4)])
    strip = show.strip_html(run_of(), rows_of(frame), name="t")
    (data,) = re.findall(r'download="t-records.csv" href="data:text/csv;base64,(.*?)"', strip)
    table = pd.read_csv(io.BytesIO(base64.b64decode(data, validate=True)), dtype=str)
    keys = [record.key for record in frame["record"]]
    assert table.to_dict("list") == {"kind": ["network"] * 2, "key": keys}


def test_name_that_is_no_anchor_becomes_one():
    strip = show.strip_html(run_of(), rows_of(frame_of(TESTS)), name='networks-"><b> x.npz')
    assert 'id="how-networks----b--x-npz"' in strip


@pytest.mark.parametrize(("seconds", "said"), [(0.031, "0.031"), (1.26, "1.3")])
def test_short_work_does_not_read_as_none(seconds, said):
    rows = rows_of(frame_of([make_network(seed=0, seconds=seconds)]))
    assert facts_of(show.strip_html(run_of(), rows, name="t"))["Seconds of computing"] == said


def test_parameters_are_this_runs_and_those_that_decide_results():
    strip = show.strip_html(run_of(n_clusters=7, n_jobs=3), rows_of(frame_of(TESTS)), name="t")
    parameters = facts_of(strip)["Parameters"]
    assert "n_clusters = 7" in parameters
    assert "n_jobs" not in parameters
    assert "dataset_settings" not in parameters  # the quick profile has none


def test_strip_holds_the_plain_data():
    shown = rows_of(frame_of(TESTS))
    strip = show.strip_html(run_of(), shown, name="table-1")
    pattern = r'"mc-data" download="(.*?)" href="data:text/csv;base64,(.*?)"'
    (name, data) = re.findall(pattern, strip)[0]
    assert name == "table-1.csv"
    table = pd.read_csv(io.BytesIO(base64.b64decode(data, validate=True)))
    pd.testing.assert_frame_equal(table, shown.data, check_dtype=False)
    assert "null_ncuts" not in table


@pytest.mark.parametrize(
    ("seeds", "expected"),
    [((3,), "3"), ((0, 1), "0, 1"), ((2, 0, 1), "0 to 2"), ((0, 1, 3), "0, 1, 3")],
)
def test_seeds_that_follow_each_other_are_a_range(seeds, expected):
    frame = frame_of([make_network(seed=seed) for seed in seeds])
    facts = facts_of(show.strip_html(run_of(), rows_of(frame), name="t"))
    assert facts["Seeds"] == expected
    assert "Clusters" not in facts


def test_printed_table_has_a_source_and_no_record():
    facts = facts_of(
        show.strip_html(run_of(), rows_of(printed(pd.DataFrame({"a": [1]}))), name="t")
    )
    assert facts == {
        "Source": "a made-up paper",
        "Commit": f"page {commit()}",
        "Made again by": "modclust run 1",
    }
    both = rows_of(frame_of(TESTS), printed(pd.DataFrame({"a": [1]})))
    assert {"Source", "Records"} <= set(facts_of(show.strip_html(run_of(), both, name="t")))


def test_records_of_no_commit_and_of_a_later_one_are_counted(monkeypatch):
    """From the records and the history: neither number is typed anywhere."""
    times = {"aaaaaaaaaa": datetime(2026, 1, 2, tzinfo=UTC)}
    monkeypatch.setattr(origins, "commit_times", lambda: times)
    day = "2026-01-0{}T00:00:00+00:00"
    provenances = [
        {"commit": "aaaaaaaaaa", "made": day.format(3)},
        {"commit": "aaaaaaaaaa", "made": day.format(1)},
        {"commit": "aaaaaaaaaa+", "made": day.format(3)},
        {"commit": "aaaaaaaaaa", "made": day.format(3), "resumed_by": "bbbbbbbbbb"},
    ]
    made = [
        (job, replace(record, provenance={**record.provenance, **provenance}))
        for (job, record), provenance in zip(NETWORKS, provenances, strict=True)
    ]
    facts = facts_of(show.strip_html(run_of(), rows_of(frame_of(made)), name="t"))
    assert facts["Commit"].startswith("records aaaaaaaaaa, aaaaaaaaaa+, bbbbbbbbbb; page")
    assert facts["Of these records"] == (
        "1 of 4 were made by code with changes that no commit holds: their commit has a + behind "
        "it, or there is none. 1 of 4, 1 networks among them, name a commit that did not exist "
        "when computing them began: it had been read at the end."
    )


PEAKS = [{"peak_mb": 611.4}, {"peak_mb": 1234.6, "peak_gpu_mb": 98.7}, {}, {"peak_mb": 50.0}]


@pytest.mark.parametrize(
    ("which", "said"),
    [
        (
            [0, 1, 2, 3],
            "1,235 MB of a process (noted by 3 of these 4 records); "
            "99 MB of a GPU (noted by 1 of these 4 records)",
        ),
        ([0, 3], "611 MB of a process"),
        ([2], None),
    ],
)
def test_largest_peak_of_memory_is_named_and_how_many_records_note_it(which, said):
    made = []
    for i in which:
        job, record = NETWORKS[i]
        made.append((job, replace(record, provenance={**record.provenance, **PEAKS[i]})))
    facts = facts_of(show.strip_html(run_of(), rows_of(frame_of(made)), name="t"))
    assert facts.get("Peak memory") == said


def test_every_device_and_commit_is_named():
    made = [
        (job, replace(record, provenance={**record.provenance, "device": device, "commit": device}))
        for (job, record), device in zip(NETWORKS, ["b", "a", "b", "a"], strict=True)
    ]
    facts = facts_of(show.strip_html(run_of(), rows_of(frame_of(made)), name="t"))
    assert facts["Computed on"] == "a; b"
    assert facts["Commit"] == f"records a, b; page {commit()}"


def test_names_are_text_and_no_html():
    """A data set's file may be called anything."""
    run = run_of(datasets=["<i>&'.npz"])
    source = pd.DataFrame({"a": [1]})
    source.attrs = {"source": "<i>"}
    (job, record) = NETWORKS[0]
    device = {**record.provenance, "device": "<i>", "commit": "<i>"}
    frame = frame_of([(job, replace(record, provenance=device))])
    strip = show.strip_html(run, rows_of(frame, source), name='<i>"')
    assert "<i>" not in strip
    assert '"&lt;i&gt;&quot;.csv"' in strip
    facts = facts_of(strip)
    assert 'datasets = ["<i>&\'.npz"]' in facts["Parameters"]
    assert facts["Source"] == facts["Computed on"] == "<i>"


# Figures and tables


@pytest.fixture
def displayed(monkeypatch) -> list[Any]:
    seen: list[Any] = []
    monkeypatch.setattr(show, "display", seen.append)
    return seen


def test_figure_is_shown_with_its_strip(displayed):
    run_of().show(figure_of(frame_of(TESTS)), name="n-cuts")
    picture, strip = displayed
    assert isinstance(picture, Image)
    assert picture.data.startswith(b"\x89PNG")
    assert "How this figure was made" in strip.data
    assert 'download="n-cuts.csv"' in strip.data


@pytest.mark.parametrize(("as_html", "cell"), [(False, "&lt;b&gt;1&lt;/b&gt;"), (True, "<b>1</b>")])
def test_cells_of_a_table_are_html_only_where_they_are_said_to_be(displayed, as_html, cell):
    @shown_table(html=as_html)
    def table(source: pd.DataFrame) -> pd.DataFrame:
        return pd.DataFrame({"bold": ["<b>1</b>"]})

    run_of().show(table(frame_of(TESTS)), name="t")
    shown, strip = displayed
    assert isinstance(shown, HTML)
    assert shown.data.startswith('<div class="mc-table" id="table-t" role="region"')
    assert re.search(f"<td[^>]*>{cell}</td>", shown.data)
    assert "How this table was made" in strip.data


@pytest.mark.parametrize(
    ("thing", "message"),
    [
        (pd.DataFrame({"a": [1]}), "'t' is a DataFrame; allowed: what functions under `shown_fig"),
        (Figure(), "'t' is a Figure; allowed: "),
        (
            Shown(pd.DataFrame(), pd.DataFrame(), Trace()),
            "'t' was made from neither records nor a paper's table",
        ),
    ],
)
def test_what_comes_from_nowhere_is_not_shown(displayed, thing, message):
    with pytest.raises(ValueError, match=message):
        run_of().show(thing, name="t")
    assert displayed == []


def test_said_sentence_is_markdown(displayed):
    run_of().say("The n-cut is **1.5**.")
    (text,) = displayed
    assert isinstance(text, Markdown)
    assert text.data == "The n-cut is **1.5**."


# The badge


@pytest.mark.parametrize(
    ("values", "kind", "words"),
    [
        ({}, "quick", "the <b>quick profile</b>"),
        (read_profile(1, "paper"), "paper", "the <b>paper profile</b>"),
        ({"n_clusters": 7}, "own", "a run with <b>other parameters</b>"),
    ],
)
def test_badge_says_which_profile_the_page_shows(displayed, values, kind, words):
    run = run_of(**values)
    run.badge()
    badge = displayed[0].data
    assert f'class="mc-badge mc-badge-{kind}"' in badge
    assert words in badge
    assert f"Made by <code>{run.command}</code>." in badge


@pytest.mark.parametrize(
    ("text", "linked"),
    [
        ("# A chapter\n\n### What was not run\n\nMuch.", True),
        ("What was not run stands in no section of its own.", False),
        ("### What was not run yet", False),
    ],
)
def test_badge_of_a_part_links_to_what_was_not_run(displayed, tmp_path, monkeypatch, text, linked):
    source = nbformat.read(SCHEMA.source, as_version=4)
    (cell,) = (c for c in source.cells if "parameters" in c.metadata.get("tags", []))
    cells = [nbformat.v4.new_markdown_cell(text), cell]
    path = tmp_path / "01-toy.ipynb"
    nbformat.write(nbformat.v4.new_notebook(cells=cells), path)
    monkeypatch.setattr(Run, "profile", "paper-part")
    run_of(read_schema(path)).badge()
    badge = displayed[0].data
    assert "<b>a part of the paper profile</b>" in badge
    assert ('<a href="#what-was-not-run">What was not run</a>' in badge) == linked


def test_badge_of_a_part_says_whether_it_is_smaller(displayed):
    """In chapter 2 a setting is 0 where something was left out; chapter 4 has smaller networks."""
    for chapter in (2, 4):
        path = next((ROOT / "notebooks").glob(f"0{chapter}-*.ipynb"))
        run_of(read_schema(path), chapter, **read_profile(chapter, "paper-part")).badge()
    second, fourth = (each.data for each in displayed)
    assert "the paper's scale, but not everything in it." in second
    assert "some of it smaller than in the paper." in fourth
    assert "the paper's scale" not in fourth


def test_the_books_partial_chapter_has_what_its_badge_links_to(displayed):
    path = next((ROOT / "notebooks").glob("02-*.ipynb"))
    run_of(read_schema(path), 2, **read_profile(2, "paper-part")).badge()
    assert '<a href="#what-was-not-run">' in displayed[0].data


# The parameters


def value_rows(run: Run, shown: list[Any]) -> dict[str, list[str]]:
    run.values()
    (table,) = (each.data for each in shown)
    cells = re.findall(r'<th scope="row"[^>]*>(.*?)</th>(.*?)</tr>', table)
    return {name: re.findall(r"<td[^>]*>(.*?)</td>", rest) for name, rest in cells}


def test_values_mark_what_differs_from_the_quick_profile(displayed):
    names = [f"a/quite/long/path/to/a/file/of/images/{i}.npz" for i in range(3)]
    settings = {"mnist": {"epochs": 3}, "lines": {"epochs": 3}, "mnist+dropout": {"epochs": 5}}
    run = run_of(n_clusters=7, datasets=names, dataset_settings=settings, n_jobs=3)
    rows = value_rows(run, displayed)
    comments = {p.name: p.comment for p in SCHEMA.parameters}
    assert "n_jobs" not in rows
    assert set(rows) < set(SCHEMA.defaults)
    assert rows["n_clusters"] == ["<b>7</b>", "4", comments["n_clusters"]]
    assert rows["seed"] == ["0", "", comments["seed"]]
    # of a file the name alone: where it lies is nobody's business
    assert rows["datasets"][0] == "<b>0.npz, 1.npz, 2.npz</b>"
    own = "<b>mnist, lines: epochs 3<br>mnist+dropout: epochs 5</b>"
    assert rows["dataset_settings"][:2] == [own, "none"]


def test_a_long_list_of_names_is_folded(displayed):
    names = [f"{i}.npz" for i in range(show.MORE + 1)]
    words = value_rows(run_of(datasets=names), displayed)["datasets"][0]
    assert "<summary>0.npz and 5 more</summary>" in words
    assert words.endswith("</summary>0.npz, 1.npz, 2.npz, 3.npz, 4.npz, 5.npz</details></b>")


def test_a_list_of_few_names_is_not_folded(displayed):
    names = [f"{i}.npz" for i in range(show.MORE)]
    words = value_rows(run_of(datasets=names), displayed)["datasets"][0]
    assert words == "<b>0.npz, 1.npz, 2.npz, 3.npz, 4.npz</b>"


def test_values_of_the_quick_profile_have_nothing_beside_them(displayed):
    rows = value_rows(run_of(), displayed)
    assert rows["n_clusters"][0] == "4"
    assert {len(row) for row in rows.values()} == {2}
    assert "<b>" not in displayed[0].data


def test_many_values_that_are_the_same_are_folded(displayed):
    schema = read_schema(next((ROOT / "notebooks").glob("04-*.ipynb")))
    run_of(schema, 4, n_networks=3, seed=5).values()
    first, rest = displayed[0].data.split('<details class="mc-evidence">')
    names = [re.findall(r'<th scope="row"[^>]*>(.*?)</th>', part) for part in (first, rest)]
    assert names[0] == ["n_networks", "seed"]
    assert {*names[0], *names[1]} == set(scientific(schema.defaults))
    assert f"<summary>{len(names[1])} more, as in the quick profile</summary>" in rest
    assert "Quick profile</th>" not in rest


def test_values_escape_names(displayed):
    run_of(datasets=["<i>.npz"], dataset_settings={"<u>.npz": {"epochs": 3}}).values()
    assert not re.search("<[iu]>", displayed[0].data)
    assert "&lt;i&gt;.npz" in displayed[0].data


# In short


def decided(*verdicts: str) -> Shown:
    data = pd.DataFrame({"id": [f"X{i}" for i in range(len(verdicts))], "verdict": verdicts})
    return Shown(data, pd.concat([data, data]), Trace())


def test_in_short_says_what_was_found_and_counts_verdicts(displayed, monkeypatch, tmp_path):
    monkeypatch.setenv(RUN_VARIABLE, str(tmp_path))
    run = run_of(datasets=["<i>.npz"])
    verdicts = decided("reproduced", "not", "reproduced", "cannot tell")
    run.in_short("**One** of <i>.npz.", "Two.", "Three.", answer="So.", verdicts=verdicts)
    assert json.loads((tmp_path / ANSWER).read_text()) == "So."
    said, tally = displayed
    assert isinstance(said, Markdown)
    assert said.data == "- **One** of \\<i\\>\\.npz.\n- Two.\n- Three."
    assert re.sub(r"<[^>]*>", "", tally.data) == "Of 4 claims 2 reproduced 1 not 1 cannot tell"
    assert 'class="mc-verdict mc-verdict-cannot-tell">1 cannot tell' in tally.data
    assert 'href="#table-verdicts"' in tally.data


@pytest.mark.parametrize("n", [2, 6])
def test_in_short_is_short(displayed, n):
    with pytest.raises(ValueError, match=f"{n} sentences in short; allowed: 3 to 5"):
        run_of().in_short(*["One."] * n, answer="So.", verdicts=decided("not"))
    assert displayed == []
