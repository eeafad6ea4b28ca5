"""The command: what it says, what it returns, and that nothing starts with bad input."""

from __future__ import annotations

import logging
import os
import runpy
import subprocess
import sys
from dataclasses import replace
from functools import partial
from importlib.metadata import entry_points
from pathlib import Path

import joblib
import numpy as np
import pytest
from small_book import write_run

from modclust_utils import __version__
from modclust_utils.datasets import DataError
from modclust_utils.distributions import compare_samples
from modclust_utils.publish import (
    cli,
    engine,
    pages,
    parameters,
    records,
    side_by_side,
    verify_command,
)
from modclust_utils.publish.errors import BuildError, RecordError, RunError
from modclust_utils.publish.groups import LocalCrew
from modclust_utils.publish.records import default_store
from modclust_utils.publish.retrain import Retrained
from modclust_utils.publish.run import RunInfo, check_run, read_runs
from modclust_utils.publish.session import progress
from modclust_utils.recipes import all_recipes, random_ncuts
from modclust_utils.recipes.base import Job, Value

SMALL = {"layer_sizes": [20, 12, 4], "n_clusters": 2, "n_networks": 3, "seed": 0}
RANDOM = Job(random_ncuts.RECIPE, SMALL)


@pytest.fixture
def ran(book, monkeypatch) -> list[tuple]:
    """Calls of run_chapter, which then only pretends."""
    calls: list[tuple] = []

    def run_chapter(chapter: int, values: dict, *, timeout: int | None = None) -> RunInfo:
        calls.append((chapter, values, timeout))
        return RunInfo(book / "runs" / "01" / "quick", {})

    monkeypatch.setattr(cli, "run_chapter", run_chapter)
    return calls


@pytest.fixture
def built(monkeypatch) -> list[Path | None]:
    calls: list[Path | None] = []

    def build_site(output: Path | None = None) -> Path:
        calls.append(output)
        return Path("the site")

    monkeypatch.setattr(pages, "build_site", build_site)
    return calls


@pytest.fixture
def record(book, monkeypatch) -> str:
    """The key of a record of random networks in the book, made by committed code."""
    monkeypatch.setattr(records, "provenance_now", lambda _: {"commit": "abc123"})
    engine.compute([RANDOM], default_store(), crew=LocalCrew(), progress=progress)
    return RANDOM.key


# The front


def test_command_is_installed():
    (script,) = entry_points(group="console_scripts", name="modclust")
    assert script.load() is cli.main


def test_version_of_the_module(capsys, monkeypatch):
    monkeypatch.setattr(sys, "argv", ["modclust", "--version"])
    with pytest.raises(SystemExit) as stop:
        runpy.run_module("modclust_utils", run_name="__main__")
    assert stop.value.code == 0
    assert capsys.readouterr().out == f"modclust {__version__}\n"


COMMANDS = ("run", "build", "book", "status", "verify", "publish")


@pytest.mark.parametrize("command", [None, *COMMANDS])
def test_help(capsys, command):
    with pytest.raises(SystemExit) as stop:
        cli.main([*([command] if command else []), "--help"])
    assert stop.value.code == 0
    text = capsys.readouterr().out
    assert text.startswith(f"usage: modclust {command or ''}".rstrip())
    if command is None:
        assert all(each in text for each in COMMANDS)


@pytest.mark.parametrize(
    ("arguments", "message"),
    [
        ([], "COMMAND"),
        (["runn", "1"], "invalid choice: 'runn'"),
        (["run"], "chapter"),
        (["run", "one"], "'one' is not a whole number from 1"),
        (["run", "1", "-p", "seed"], "expected 2 arguments"),
        (["run", "1", "--sed", "3"], "--sed"),
        (["run", "1", "--timeout", "0"], "'0' is not a whole number from 1"),
        (["run", "1", "--timeout", "soon"], "'soon' is not a whole number from 1"),
        (["verify", "--sample", "0"], "'0' is not a whole number from 1"),
        (["verify", "--sample", "-3"], "--sample"),
        (["verify", "--seed", "x"], "'x' is not a whole number from 0"),
        (["publish", "1"], "run"),
    ],
)
def test_words_that_make_no_command(capsys, book, ran, arguments, message):
    with pytest.raises(SystemExit) as stop:
        cli.main(arguments)
    assert stop.value.code == 2
    assert message in capsys.readouterr().err
    assert ran == []


# modclust run


def test_run_takes_profile_then_file_then_typed_values(book, ran, capsys, tmp_path):
    file = tmp_path / "mine.yml"
    file.write_text("n_networks: 5\nn_shuffles: 6\n")
    words = ["run", "1", "--profile", "paper", "-f", str(file), "--timeout", "9"]
    words += ["-p", "n_shuffles", "7", "-p", "datasets", "mnist,lines"]
    assert cli.main(words) == 0
    paper = parameters.read_profile(1, "paper")
    expected = paper | {"n_networks": 5, "n_shuffles": 7, "datasets": ["mnist", "lines"]}
    ((chapter, values, timeout),) = ran
    assert (chapter, timeout) == (1, 9)
    assert {name: values[name] for name in expected} == expected
    out = capsys.readouterr().out
    assert "==> chapter 1, run datasets-mnist-lines-" in out
    assert f"Its page is in {book / 'runs' / '01' / 'quick' / 'notebook.ipynb'}" in out


def test_run_without_more_words_is_quick(book, ran, capsys):
    assert cli.main(["run", "1"]) == 0
    assert ran == [(1, check_run(1), None)]
    assert "==> chapter 1, run quick" in capsys.readouterr().out


@pytest.mark.parametrize(
    ("words", "messages"),
    [
        (["run", "7"], ["chapter=7 is not there; allowed: 1"]),
        (
            ["run", "1", "--profile", "papre"],
            ["profile='papre' is not there; allowed: quick, paper"],
        ),
        (["run", "1", "--profile", "../01-paper"], ["profile='../01-paper' is not there"]),
        (
            ["run", "1", "-p", "n_cluster", "4"],
            ["'n_cluster' is not a parameter", "Did you mean 'n_clusters'?"],
        ),
        (
            ["run", "1", "-p", "n_clusters", "1", "-p", "epochs", "0"],
            ["n_clusters=1 is not allowed", "epochs=0 is not allowed"],
        ),
        (["run", "1", "-f", "there/is/none.yml"], ["none.yml cannot be read as parameters"]),
        (["run", "1", "-f", "{file}"], ["'sed' is not a parameter", "Did you mean 'seed'?"]),
        (["publish", "1", "paper"], ["run='paper' is not there or stale; allowed: none"]),
    ],
)
def test_input_that_is_not_allowed(book, ran, capsys, tmp_path, words, messages):
    (tmp_path / "file.yml").write_text("sed: 3\n")
    words = [word.replace("{file}", str(tmp_path / "file.yml")) for word in words]
    assert cli.main(words) == 2
    captured = capsys.readouterr()
    assert captured.err.startswith("modclust: ")
    assert all(message in captured.err for message in messages)
    assert "Traceback" not in captured.err
    assert captured.out == ""
    assert ran == []
    assert not (book / "runs").exists()


@pytest.mark.parametrize(
    "error",
    [
        RunError("a cell failed"),
        RecordError("the disk is full"),
        DataError("no such data"),
        BuildError("stale"),
        FileNotFoundError("weights are gone"),
    ],
)
def test_what_goes_wrong_is_said_in_one_line(book, monkeypatch, capsys, error):
    def fail(*_: object, **__: object) -> None:
        raise error

    monkeypatch.setattr(cli, "run_chapter", fail)
    assert cli.main(["run", "1"]) == 1
    captured = capsys.readouterr()
    assert captured.err == f"modclust: {error}\n"
    assert "<==" not in captured.out


def test_stopped_by_hand(book, monkeypatch, capsys, request):
    waiting = logging.getLogger("asyncio")
    request.addfinalizer(partial(waiting.setLevel, waiting.level))

    def stop(*_: object, **__: object) -> None:
        raise KeyboardInterrupt

    monkeypatch.setattr(cli, "run_chapter", stop)
    assert cli.main(["run", "1"]) == 130
    # the client of a kernel that was killed with the run
    waiting.error("Task exception was never retrieved")
    (line,) = capsys.readouterr().err.splitlines()
    assert "what is done is kept" in line


def test_folder_that_is_no_book(tmp_path, monkeypatch, capsys):
    monkeypatch.setenv("MODCLUST_ROOT", str(tmp_path))
    assert cli.main(["status"]) == 1
    assert "is not the root of the book" in capsys.readouterr().err


# modclust build and book


def test_build(book, built, capsys):
    assert cli.main(["build"]) == 0
    assert cli.main(["build", "--output", "elsewhere"]) == 0
    assert built == [None, Path.cwd() / "elsewhere"]
    assert f"Open {Path('the site') / 'index.html'}" in capsys.readouterr().out


def test_build_into_a_home_that_is_not_known(book, built, capsys):
    assert cli.main(["build", "--output", "~no-such-user/site"]) == 2
    assert "output='~no-such-user/site' is not allowed: a path" in capsys.readouterr().err
    assert built == []


@pytest.mark.parametrize("variable", ["MODCLUST_ROOT", "MODCLUST_DATA", "MODCLUST_WEIGHTS"])
def test_variable_with_a_home_that_is_not_known(book, capsys, monkeypatch, variable):
    monkeypatch.setenv(variable, "~no-such-user/x")
    assert cli.main(["status"]) == 1
    said = capsys.readouterr().err
    assert said.startswith(f"modclust: {variable}='~no-such-user/x' is not allowed: a path")
    assert said.endswith("Correct it or unset it.\n")


@pytest.mark.skipif(os.name != "posix", reason="elsewhere such a folder cannot be deleted")
@pytest.mark.parametrize("words", [["status"], ["analyze", "/x/net.pth"]])
def test_in_a_folder_that_was_deleted(book, capsys, tmp_path, monkeypatch, words):
    (tmp_path / "gone").mkdir()
    monkeypatch.chdir(tmp_path / "gone")
    (tmp_path / "gone").rmdir()
    assert cli.main(words) == 1
    assert "The current folder is not there any more" in capsys.readouterr().err


WAITS = """
import sys
from modclust_utils.publish.cli import main
code = main(sys.argv[1:])
print(sorted({"torch", "scipy", "pandas", "matplotlib"} & set(sys.modules)))
sys.exit(code)
"""


@pytest.mark.parametrize("words", ["run 1 -p seed x", "run 9", "run 2 -p seeds 3"])
def test_a_wrong_parameter_is_said_before_what_takes_seconds_is_imported(words):
    done = subprocess.run(
        [sys.executable, "-c", WAITS, *words.split()], capture_output=True, text=True, timeout=600
    )
    assert (done.returncode, done.stdout) == (2, "[]\n"), done.stderr


@pytest.mark.skipif(os.name != "posix", reason="elsewhere such a folder cannot be deleted")
def test_a_command_typed_in_a_folder_that_was_deleted(tmp_path):
    """torch cannot even be imported there."""
    gone = tmp_path / "gone"
    command = f"mkdir {gone}; cd {gone}; rmdir {gone}; {sys.executable} -P -m modclust_utils status"
    done = subprocess.run(command, shell=True, capture_output=True, text=True, timeout=600)
    assert done.returncode == 1
    assert done.stderr.startswith("modclust: The current folder is not there any more")


def test_verify_with_images_in_a_home_that_is_not_known(record, capsys):
    assert cli.main(["verify", "--images", "~no-such-user/x.npz"]) == 2
    assert "images='~no-such-user/x.npz' is not allowed: a path" in capsys.readouterr().err


def test_build_without_a_run(book, capsys):
    (book / "book").mkdir()
    assert cli.main(["build"]) == 1
    assert "has no run that is up to date" in capsys.readouterr().err


def test_book_runs_what_is_not_up_to_date(book, ran, built, capsys):
    assert cli.main(["book"]) == 0
    assert ran == [(1, check_run(1), None)]
    assert built == [None]
    out = capsys.readouterr().out
    assert "--- chapter 1, paper profile: its records are not complete" in out
    write_run(book, "quick")
    assert cli.main(["book"]) == 0
    assert len(ran) == 1
    assert "--- chapter 1, run quick: up to date" in capsys.readouterr().out


def test_book_runs_side_by_side_what_has_its_records(book, ran, built, monkeypatch):
    aside: list[tuple] = []
    monkeypatch.setattr(
        side_by_side, "run_side_by_side", lambda runs, at_once: aside.append((runs, at_once))
    )
    monkeypatch.setattr(pages, "is_complete", lambda chapter, profile, store: profile == "paper")
    assert cli.main(["book"]) == 0
    assert ran == [(1, check_run(1), None)]
    monkeypatch.setattr(pages, "is_complete", lambda chapter, profile, store: True)
    write_run(book, "quick", source_sha256="old")
    write_run(book, "paper", records=[("clustering", "0" * 16)])
    assert cli.main(["book"]) == 0
    assert len(ran) == 1
    assert aside == [
        ([(1, "paper")], joblib.cpu_count()),
        ([(1, "quick"), (1, "paper")], joblib.cpu_count()),
    ]


# modclust status, verify, publish


def test_status(book, record, capsys):
    write_run(book, "quick")
    write_run(book, "paper", state="failed", reason="Traceback\n  of a cell\nValueError: too few\n")
    write_run(book, "seed-3", source_sha256="old")
    write_run(book, "seed-4", records=[("random-ncuts", record), ("random-ncuts", "f" * 16)])
    assert cli.main(["status"]) == 0
    assert capsys.readouterr().out.splitlines() == [
        "chapter 1, quick profile: 0 of 57 records are there",
        "chapter 1, paper profile: 0 of 421 records are there",
        "  run paper: failed (ValueError: too few)",
        "  run quick: done",
        "  run seed-3: stale",
        "  run seed-4: records missing",
    ]


def test_verify_without_records(book, capsys):
    assert cli.main(["verify"]) == 1
    assert "there is no record yet" in capsys.readouterr().err


def test_verify_says_what_agrees(record, capsys):
    assert cli.main(["verify", "--sample", "3", "--seed", "0"]) == 0
    lines = capsys.readouterr().out.splitlines()
    assert lines[:5] == [
        "1 records:",
        "  1 can be computed again exactly",
        "    1 random-ncuts",
        "  0 can be computed again in part",
        "  0 can be checked only statistically (--retrain)",
    ]
    assert "Of these 1 records all are computed again:" in lines
    assert any(line.startswith(f"agrees: random-ncuts/{record}.json: 3 of 3 the") for line in lines)
    assert lines[-1] == (
        "1 of 1 records agree, 0 of them looked at in part; 0 of 1 were not computed again"
    )


def test_verify_fails_where_a_record_was_altered(book, capsys):
    default_store().put(RANDOM, Value({"ncuts": [0.25, 0.5, 0.75]}), seconds=1, device="CPU")
    assert cli.main(["verify"]) == 1
    out = capsys.readouterr().out
    assert f"DIFFERS: random-ncuts/{RANDOM.key}.json" in out
    assert out.splitlines()[-1].startswith("0 of 1 records agree")


def test_verify_fails_for_a_record_that_is_wrong_as_it_stands(book, record, capsys):
    """And computes the others again nevertheless."""
    other = Job(random_ncuts.RECIPE, {**SMALL, "seed": 1})
    default_store().put(other, Value({"ncuts": [1.0]}), seconds=1, device="CPU")
    path = default_store().find("random-ncuts", other.key)
    path.write_text(path.read_text().replace("1.0", "1.1"))
    assert cli.main(["verify", "--sample", "9"]) == 1
    out = capsys.readouterr().out
    assert "  1 are wrong as they stand\n    1 random-ncuts\n" in out
    assert f"WRONG: {path} was edited" in out
    assert "1 of 1 records agree, 0 of them looked at in part; 1 of 2 were not" in out


def test_verify_counts_what_cannot_be_computed_again(book, record, capsys, monkeypatch):
    monkeypatch.setitem(all_recipes(), "random-ncuts", replace(random_ncuts.RECIPE, version=2))
    assert cli.main(["verify"]) == 1
    out = capsys.readouterr().out
    assert "  1 cannot be checked at all\n    1 random-ncuts: made by other code than ver" in out
    assert out.endswith("None of them can be computed again from what is here.\n")


def test_verify_of_a_chapter_takes_its_records_alone(book, record, capsys):
    assert cli.main(["verify", "--chapter", "1"]) == 1
    captured = capsys.readouterr()
    assert captured.out == "0 of the 57 records of this run are here.\n"
    assert "there is no record yet" in captured.err


@pytest.mark.parametrize(
    ("words", "message"),
    [
        (["--retrain", "mnist5k"], "chapter is not given; --retrain, --profile and -p need it"),
        (["-p", "seed", "1"], "chapter is not given"),
        (["--chapter", "9"], "chapter=9 is not there; allowed: 1"),
        (["--chapter", "1", "--profile", "papre"], "profile='papre' is not there"),
        (["--chapter", "1", "-p", "sed", "1"], "'sed' is not a parameter"),
        (
            ["--chapter", "1", "--retrain", "mnist"],
            "retrain='mnist' is no condition of this run; allowed: MNIST (5,000 digits), "
            "MNIST (5,000 digits)+dropout",
        ),
    ],
)
def test_verify_with_input_that_is_not_allowed(book, capsys, words, message):
    assert cli.main(["verify", *words]) == 2
    assert message in capsys.readouterr().err


def test_retraining_without_records(book, capsys):
    assert cli.main(["verify", "--chapter", "1", "--retrain", "mnist5k"]) == 1
    assert "0 of 4 networks have records, and it takes two" in capsys.readouterr().err


@pytest.mark.parametrize(
    ("shift", "n", "status", "verdict"),
    [
        (0.0, 8, 0, "No difference was seen"),
        (9.0, 8, 1, "come from ANOTHER distribution"),
        (9.0, 3, 1, "So few networks cannot tell"),
    ],
)
def test_what_retraining_says(capsys, shift, n, status, verdict):
    values = np.arange(float(n))
    numbers = compare_samples([("n-cut", values, values + shift)], rng=np.random.default_rng(0))
    found = Retrained("MNIST", n, 0, numbers, ["z score"])
    assert verify_command.print_retrained(found) == status
    out = capsys.readouterr().out
    assert f"MNIST: {n} networks in the records, and as many trained anew; 0 of these" in out
    assert "fewer than two networks have it: z score" in out
    assert f"{values.mean():.4f} ± {values.std(ddof=1):.4f}" in out
    assert verdict in out


def test_publish(book, record, capsys):
    write_run(book, "quick", records=[("random-ncuts", record)])
    write_run(book, "seed-3", source_sha256="old")
    write_run(book, "seed-4", records=[("random-ncuts", "f" * 16)])
    for name in ("seed-3", "seed-4", "paper"):
        assert cli.main(["publish", "1", name]) == 2
        assert f"run={name!r} is not there or stale; allowed: quick" in capsys.readouterr().err
    assert cli.main(["publish", "9", "quick"]) == 2
    assert "chapter=9 is not there; allowed: 1" in capsys.readouterr().err
    assert cli.main(["publish", "1", "quick"]) == 0
    assert capsys.readouterr().out == "1 records copied to data/records\n"
    assert (book / "data" / "records" / "random-ncuts" / f"{record}.json").is_file()
    assert [run.missing_records for run in read_runs(1) if run.name == "quick"] == [[]]
