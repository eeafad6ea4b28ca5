"""Runs that only read records go side by side, and end with the command that started them."""

from __future__ import annotations

import os
import signal
from pathlib import Path

import pytest
from processes import python, wait_for
from small_book import DRAW, write_notebook

from modclust_utils.publish.errors import RunError
from modclust_utils.publish.run import read_runs
from modclust_utils.publish.side_by_side import run_side_by_side

#: A cell that ends only if it runs in two kernels at the same time.
MEET = """
import os, time
from pathlib import Path
(Path({folder!r}) / str(os.getpid())).touch()
started = time.monotonic()
while len(list(Path({folder!r}).iterdir())) < 2:
    assert time.monotonic() - started < 200, "no other run came"
    time.sleep(0.1)
"""
#: `modclust book` in a book whose records are all there.
BOOK = """
import sys
from modclust_utils.publish import cli, pages
pages.is_complete = lambda *_: True
sys.exit(cli.main(["book"]))
"""


def states() -> dict[str, str]:
    return {info.name: info.status["state"] for info in read_runs(1)}


@pytest.fixture
def met(tmp_path) -> Path:
    folder = tmp_path / "met"
    folder.mkdir()
    return folder


def test_runs_go_side_by_side(book, met, capfd):
    write_notebook(book, MEET.format(folder=str(met)), figure=DRAW)
    run_side_by_side([(1, "quick"), (1, "paper")], at_once=2)
    assert states() == {"quick": "done", "paper": "done"}
    out, err = capfd.readouterr()
    begun = [line for line in out.splitlines() if line.startswith("==>")]
    assert begun == ["==> chapter 1, run quick", "==> chapter 1, run paper"]
    assert out.count("<== chapter 1, run ") == 2
    assert err == ""


def test_what_lies_where_the_command_was_typed_is_not_imported(book, tmp_path, monkeypatch):
    (tmp_path / "papermill.py").write_text("raise SystemExit('not this one')\n", encoding="utf-8")
    monkeypatch.chdir(tmp_path)
    monkeypatch.setenv("MODCLUST_ROOT", book.name)
    write_notebook(book, "1 + 1", figure=DRAW)
    run_side_by_side([(1, "quick")], at_once=1)
    assert states() == {"quick": "done"}


def test_what_fails_is_said_and_no_other_run_begins(book, capfd):
    write_notebook(book, "raise ValueError('no such cell')", figure=DRAW)
    with pytest.raises(RunError, match=r"chapter 1, run paper: ValueError: no such cell\n"):
        run_side_by_side([(1, "paper"), (1, "quick")], at_once=1)
    assert states() == {"paper": "failed"}
    assert "<==" not in capfd.readouterr().out


def test_a_run_that_fails_leaves_the_others_to_their_end(book, met, capfd):
    fail = "if n_networks > 4: raise ValueError('too many')"
    write_notebook(book, MEET.format(folder=str(met)), fail, figure=DRAW)
    with pytest.raises(RunError, match=r"chapter 1, run paper: ValueError: too many\n"):
        run_side_by_side([(1, "paper"), (1, "quick")], at_once=2)
    assert states() == {"paper": "failed", "quick": "done"}
    assert "<== chapter 1, run quick: " in capfd.readouterr().out


@pytest.mark.skipif(os.name != "posix", reason="this system has no such signals")
@pytest.mark.parametrize("number", [signal.SIGINT, signal.SIGTERM])
def test_a_signal_ends_all_of_them(book, met, number):
    write_notebook(
        book, MEET.format(folder=str(met)), f"Path({str(book / 'both')!r}).touch()",
        "time.sleep(600)", figure=DRAW,
    )  # fmt: skip
    process = python("-c", BOOK, cwd=book)
    wait_for(book / "both", process)
    process.send_signal(number)
    out, err = process.communicate(timeout=200)
    assert process.returncode == 128 + number, out + err
    assert err.splitlines() == [
        "modclust: stopped; what is done is kept, the same command goes on."
    ]
    assert states() == {"quick": "failed", "paper": "failed"}
    assert not any(info.is_at_work for info in read_runs(1))
