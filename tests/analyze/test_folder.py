"""Where an analysis is written: files of others stay, and so does the page of another network."""

from __future__ import annotations

import json
from threading import Thread

import pytest
from own_networks import planted
from safetensors.torch import save_file
from small_book import digest

from modclust_utils.publish import analysis_folder, analyze_command
from modclust_utils.publish.analysis_folder import PAGE, RESULTS, write_page
from modclust_utils.publish.at_work import lock
from modclust_utils.publish.cli import main
from modclust_utils.publish.errors import ParameterError

FILES = {"tests.csv": b"1", PAGE: b"<p>"}


def results(weights="a" * 64, **more):
    network = {"name": "net", "source": "net.pth", "weights_hash": weights}
    return {"modclust": "1.0", "network": network, "tests": [], **more}


@pytest.fixture
def others(tmp_path):
    """A folder with files of somebody else, of the names that an analysis writes."""
    folder = tmp_path / "theirs"
    folder.mkdir()
    for name in (PAGE, RESULTS, "lesions.csv", "layers.csv", "tests.csv"):
        (folder / name).write_text("[1, 2]" if name == RESULTS else "mine")
    return folder


@pytest.mark.parametrize(
    "content",
    [
        *(None, "", "[1]", "{}", "null", '{"modclust": "1", "network": "net"}'),
        *('{"network": {"name": "net"}}', '{"modclust": "1", "network": {}}', "[" * 100_000),
    ],
)
def test_files_of_others_are_left_alone(others, content):
    if content is None:
        (others / RESULTS).unlink()
    else:
        (others / RESULTS).write_text(content)
    before = digest(others)
    with pytest.raises(ParameterError, match="theirs' holds other files; allowed: a new or empty"):
        write_page(others, results(), FILES)
    assert digest(others) == before


def test_a_file_is_no_folder(tmp_path):
    (tmp_path / "page").write_text("mine")
    with pytest.raises(ParameterError, match="page' holds other files"):
        write_page(tmp_path / "page", results(), FILES)
    assert (tmp_path / "page").read_text() == "mine"


@pytest.mark.parametrize("exists", [False, True])
def test_a_new_or_empty_folder_is_taken(tmp_path, capsys, exists):
    folder = tmp_path / "a" / "page"
    if exists:
        folder.mkdir(parents=True)
    assert write_page(folder, results(), FILES) == folder / PAGE
    assert json.loads((folder / RESULTS).read_text()) == results()
    assert {name: (folder / name).read_bytes() for name in FILES} == FILES
    assert capsys.readouterr().out == ""


def test_the_same_network_renews_its_page_and_what_else_lies_there_stays(tmp_path, capsys):
    write_page(tmp_path / "page", results(lesions=[]), {**FILES, "lesions.csv": b"2"})
    for name in ("notes.txt", "layers.csv"):
        (tmp_path / "page" / name).write_text("mine")
    write_page(tmp_path / "page", results(), {**FILES, PAGE: b"<p>again"})
    assert (tmp_path / "page" / PAGE).read_bytes() == b"<p>again"
    # a table that this analysis was not asked for; and one that none of ours has written
    assert not (tmp_path / "page" / "lesions.csv").exists()
    assert (tmp_path / "page" / "layers.csv").read_text() == "mine"
    assert (tmp_path / "page" / "notes.txt").read_text() == "mine"
    assert capsys.readouterr().out == ""


def test_a_page_of_another_network_is_replaced_with_a_word(tmp_path, capsys):
    write_page(tmp_path / "page", results(), FILES)
    write_page(tmp_path / "page", results("b" * 64), FILES)
    assert json.loads((tmp_path / "page" / RESULTS).read_text()) == results("b" * 64)
    said = f"--- {tmp_path / 'page'} held the page of another network (net.pth, weights aaaaaaaa)"
    assert said in capsys.readouterr().out


def test_a_page_of_another_network_stays_where_no_folder_was_named(tmp_path, capsys):
    folder = tmp_path / "net"
    assert write_page(folder, results(), FILES, beside=True) == folder / PAGE
    for _ in range(2):
        page = write_page(folder, results("b" * 64), FILES, beside=True)
        assert page == tmp_path / "net-bbbbbbbb" / PAGE
        said = capsys.readouterr().out
        assert "net has the page of another network (net.pth, weights aaaaaaaa), which" in said
        assert f"this one goes to {tmp_path / 'net-bbbbbbbb'}" in said
    assert json.loads((folder / RESULTS).read_text()) == results()


def test_one_analysis_writes_at_a_time(tmp_path):
    folder = tmp_path / "net"
    with lock(folder / analysis_folder._LOCK, "an analysis"):
        second = Thread(target=write_page, args=(folder, results(), FILES))
        second.start()
        second.join(0.3)
        assert second.is_alive()
        assert not (folder / RESULTS).exists()
    second.join(60)
    assert (folder / PAGE).read_bytes() == b"<p>"


@pytest.fixture
def typed(tmp_path, monkeypatch):
    """What is typed about two networks, whose files have one name."""
    monkeypatch.setattr("modclust_utils.publish.records.cache_folder", lambda: tmp_path / "cache")
    monkeypatch.setattr(analyze_command, "root", lambda: tmp_path)
    words = []
    for i, name in enumerate("ab"):
        (tmp_path / name).mkdir()
        file = tmp_path / name / "net.safetensors"
        save_file(planted(i).state_dict(), file)
        words.append(["analyze", str(file), "-k", "2", "--shuffles", "5", "--jobs", "1"])
    return words


def test_two_networks_of_one_name_have_a_page_each(typed, tmp_path, capsys):
    pages = []
    for words in typed:
        assert main(words) == 0
        pages.append(capsys.readouterr().out.splitlines()[-1].removeprefix("Open "))
    assert pages[0] == str(tmp_path / "runs" / "own" / "net" / PAGE)
    assert pages[1].startswith(str(tmp_path / "runs" / "own" / "net-"))
    both = sorted((tmp_path / "runs" / "own").glob(f"*/{RESULTS}"))
    hashes = [json.loads(path.read_text())["network"]["weights_hash"] for path in both]
    assert len({*hashes}) == 2


def test_output_with_files_of_others_is_refused_before_anything_is_computed(
    typed, others, tmp_path, capsys
):
    before = digest(others)
    assert main([*typed[0], "--output", str(others)]) == 2
    assert f"output='{others}' holds other files" in capsys.readouterr().err
    assert main([*typed[0], "--output", "~no-such-user/page"]) == 2
    assert "output='~no-such-user/page' is not allowed: a path" in capsys.readouterr().err
    assert digest(others) == before
    assert not (tmp_path / "cache").exists()
