"""Two processes, ends of all kinds, and places that cannot be written to: what users run into."""

from __future__ import annotations

import errno
import json
import os
import platform
import shutil
import signal
import socket
import subprocess
import sys
import tempfile
import threading
from collections.abc import Callable, Iterator
from concurrent.futures import ThreadPoolExecutor
from pathlib import Path

import nbformat
import pytest
from processes import ENVIRONMENT, modclust, wait_for
from small_book import DRAW, copy_book, write_data, write_notebook, write_run

from modclust_utils import locks
from modclust_utils.publish import at_work, cli, pages, run
from modclust_utils.publish.errors import RecordError, RunError
from modclust_utils.publish.run import check_run, lock_of, read_runs, run_chapter, run_name

POSIX_ONLY = pytest.mark.skipif(os.name != "posix", reason="this system has no such signals")


@pytest.fixture
def book(tmp_path, monkeypatch) -> Path:
    monkeypatch.setenv("MODCLUST_ROOT", str(tmp_path / "book"))
    monkeypatch.delenv("MODCLUST_DATA", raising=False)
    return copy_book(tmp_path / "book")


@pytest.fixture
def scratch(monkeypatch) -> Iterator[Path]:
    """Where this test's temporary files go."""
    folder = Path(tempfile.mkdtemp(prefix="t-"))
    monkeypatch.setenv("TMPDIR", str(folder))
    monkeypatch.setattr(tempfile, "tempdir", None)
    yield folder
    shutil.rmtree(folder)


def sleeping(book: Path) -> Path:
    """A chapter that says that it has started, and then takes its time."""
    started = book / "started"
    write_notebook(
        book, f"from pathlib import Path\nPath({str(started)!r}).touch()", "import time",
        "time.sleep(600)", figure=DRAW,
    )  # fmt: skip
    return started


# Two processes


@POSIX_ONLY
def test_runs_that_start_together_have_sockets_of_their_own(book, scratch):
    write_notebook(book, "1 + 1", figure=DRAW)
    runs = [modclust("run", "1", "-p", "seed", str(seed), cwd=book) for seed in (1, 2, 3)]
    for process in runs:
        out, err = process.communicate(timeout=300)
        assert process.returncode == 0, out + err
        assert "Invalid Signature" not in err
    assert sorted(info.name for info in read_runs(1)) == ["seed-1", "seed-2", "seed-3"]
    assert [path.name for path in book.iterdir() if "ipc" in path.name] == []
    assert list(scratch.glob("modclust-*")) == []


def test_the_second_run_of_the_same_parameters_is_told_who_runs_it(book):
    with at_work.lock(lock_of(1, "seed-3"), "it"):
        with pytest.raises(RunError, match=rf"run seed-3, is at work .* process {os.getpid()} on "):
            run_chapter(1, check_run(1, overrides={"seed": 3}))
        assert not (book / "runs" / "01" / "seed-3").exists()


def test_a_lock_ends_with_its_process_however_it_ends(tmp_path):
    file, ready = tmp_path / "lock", tmp_path / "ready"
    code = (
        "import time\nfrom pathlib import Path\nfrom modclust_utils.publish.at_work import lock\n"
        f"with lock(Path({str(file)!r}), 'it'):\n"
        f"    Path({str(ready)!r}).touch()\n    time.sleep(600)"
    )
    process = subprocess.Popen([sys.executable, "-c", code], env={**os.environ, **ENVIRONMENT})
    wait_for(ready, process)
    assert at_work.is_held(file)
    assert f"process {process.pid} on " in at_work.holder(file)
    process.kill()
    process.wait()
    assert not at_work.is_held(file)
    with at_work.lock(file, "it"):
        assert at_work.is_held(file)
    assert not at_work.is_held(file)
    assert not at_work.is_held(tmp_path / "none")


def test_a_build_waits_for_another(tmp_path, capsys, monkeypatch):
    file, end = tmp_path / "lock", tmp_path / "end"
    code = (
        "import time\nfrom pathlib import Path\nfrom modclust_utils.publish.at_work import lock\n"
        f"with lock(Path({str(file)!r}), 'it'):\n"
        f"    Path({str(tmp_path / 'ready')!r}).touch()\n"
        f"    while not Path({str(end)!r}).exists():\n        time.sleep(0.05)"
    )
    process = subprocess.Popen([sys.executable, "-c", code], env={**os.environ, **ENVIRONMENT})
    wait_for(tmp_path / "ready", process)
    monkeypatch.setattr(at_work, "LOOK_SECONDS", 0)
    threading.Timer(1, end.touch).start()
    with at_work.lock(file, "a build of the site", wait=True):
        assert process.wait() == 0
    assert f"waiting for a build of the site: process {process.pid}" in capsys.readouterr().out


def test_who_only_looks_stops_nobody(tmp_path, monkeypatch):
    """Looking takes a lock for a moment, in which a run may begin."""
    file = tmp_path / "lock"
    looking = locks.FileLock(file, thread_local=False)
    looking.acquire()
    monkeypatch.setattr(at_work, "LOOK_SECONDS", 30)
    threading.Timer(0.1, looking.release).start()
    with at_work.lock(file, "it"):
        assert at_work.is_held(file)


def test_asking_for_a_lock_makes_none(tmp_path):
    assert not at_work.is_held(tmp_path / "runs" / "lock")
    assert list(tmp_path.iterdir()) == []


@pytest.fixture
def refused(monkeypatch) -> Callable[[int], None]:
    """Makes every lock fail with an error of the system."""

    def refuse(number: int) -> None:
        def acquire(self: object, **_: object) -> None:
            raise OSError(number, os.strerror(number))

        monkeypatch.setattr(locks.FileLock, "acquire", acquire)

    return refuse


@pytest.mark.parametrize("number", [errno.ENOLCK, errno.ENOSYS, errno.EOPNOTSUPP])
def test_a_disk_without_locks_is_no_obstacle(tmp_path, refused, number):
    refused(number)
    with at_work.lock(tmp_path / "lock", "it"), at_work.lock(tmp_path / "lock", "it"):
        assert (tmp_path / "lock.holder").is_file()


@pytest.mark.parametrize("number", [errno.EACCES, errno.EROFS, errno.ENOSPC])
def test_a_lock_that_cannot_be_written_is_an_error_of_the_system(tmp_path, refused, number):
    refused(number)
    with pytest.raises(OSError, match=os.strerror(number)), at_work.lock(tmp_path / "lock", "it"):
        pass


def test_on_a_disk_without_locks_what_is_at_work_is_left_alone(scratch, refused):
    refused(errno.ENOLCK)
    with at_work.private_folder() as one:
        (one / "lock").touch()  # such a disk has the file all the same
        with at_work.private_folder():
            assert at_work.is_held(one / "lock")
            assert one.is_dir()


def test_two_who_look_do_not_take_each_other_for_the_holder(tmp_path):
    file = tmp_path / "lock"
    file.touch()
    with ThreadPoolExecutor(4) as pool:
        assert not any(pool.map(lambda _: at_work.is_held(file), range(400)))


@pytest.mark.parametrize("machine", ["here", "elsewhere"])
def test_of_a_lock_that_is_somebody_elses_the_note_is_believed(tmp_path, refused, machine):
    """As on a disk that can only be read."""
    file = tmp_path / "lock"
    ended = subprocess.Popen([sys.executable, "-c", ""])
    ended.wait()
    refused(errno.EACCES)
    file.touch()
    assert not at_work.is_held(file)
    for process, held in ((os.getpid(), True), (ended.pid, machine == "elsewhere")):
        node = platform.node() if machine == "here" else machine
        who = {"process": process, "machine": node, "since": "then"}
        (tmp_path / "lock.holder").write_text(json.dumps(who))
        assert at_work.is_held(file) == held


def test_private_folders_go_and_those_of_the_killed_with_the_next(scratch):
    with at_work.private_folder() as folder:
        assert folder.parent == scratch
        assert folder.stat().st_mode & 0o077 == 0
        with at_work.private_folder() as other:
            assert folder.is_dir()
            assert other != folder
    assert not folder.exists()
    left = scratch / "modclust-killed"
    left.mkdir()
    (left / "lock").touch()
    (left / "lock.holder").write_text("{}")
    (left / "kernel-1").touch()
    (scratch / "modclust-of-somebody").mkdir()  # no lock: not one of these
    beginning = scratch / "modclust-beginning"
    beginning.mkdir()
    (beginning / "lock").touch()  # its process is about to lock it
    with at_work.private_folder():
        assert not left.exists()
    assert (scratch / "modclust-of-somebody").is_dir()
    assert (beginning / "lock").is_file()


@POSIX_ONLY
def test_sockets_fit_a_path_where_the_temporary_folder_has_a_long_one(tmp_path, monkeypatch):
    long = tmp_path / ("x" * 90)
    long.mkdir()
    monkeypatch.setattr(tempfile, "tempdir", str(long))
    with at_work.private_folder() as folder, socket.socket(socket.AF_UNIX) as made:
        made.bind(str(folder / "kernel-65535"))


@pytest.mark.parametrize(
    ("one", "two"),
    [
        ("a b.npz", "a-b.npz"),
        ("Three.npz", "three.npz"),
        ("ä.npz", "ö.npz"),
        ("x/mine.npz", "y/mine.npz"),
        ("a.npz", "a .npz"),
        ("[a].npz", "a.npz"),
        ("a" * 80 + "1.npz", "a" * 80 + "2.npz"),
    ],
)
def test_runs_of_two_files_have_two_names(book, one, two):
    names = [run_name(1, check_run(1, overrides={"datasets": [file]})) for file in (one, two)]
    assert names[0].lower() != names[1].lower()
    assert all(len(name) <= 60 and name.isascii() for name in names)


# Where the user stands


def test_paths_are_those_of_the_folder_where_the_user_stands(book, tmp_path, monkeypatch, capsys):
    work = tmp_path / "work"
    work.mkdir()
    file = write_data(work / "mine.npz")
    (work / "mine.yml").write_text("datasets: [mine.npz]\ndata_folder: images\n")
    monkeypatch.chdir(work)
    seen = []
    monkeypatch.setattr(
        cli,
        "run_chapter",
        lambda chapter, values, timeout: seen.append(values) or run.RunInfo(work, {}),
    )
    assert cli.main(["run", "1", "-p", "datasets", "mine.npz", "-p", "data_folder", "images"]) == 0
    settings = "{mine.npz: {epochs: 3}, mine.npz+dropout: {epochs: 4}}"
    assert cli.main(["run", "1", "-f", "mine.yml", "-p", "dataset_settings", settings]) == 0
    for values in seen:
        assert values["datasets"] == [str(file)]
        assert values["data_folder"] == str(work / "images")
    assert seen[1]["dataset_settings"] == {
        str(file): {"epochs": 3},
        f"{file}+dropout": {"epochs": 4},
    }


@pytest.mark.parametrize("variable", ["MODCLUST_DATA", "MODCLUST_WEIGHTS"])
def test_a_relative_folder_of_files_is_the_users(book, tmp_path, monkeypatch, variable):
    monkeypatch.chdir(tmp_path)
    monkeypatch.setenv(variable, "files")
    seen = []
    monkeypatch.setattr(cli, "_status", lambda options: seen.append(os.environ[variable]) or 0)
    assert cli.main(["status"]) == 0
    assert seen == [str(tmp_path / "files")]


def test_downloads_go_to_the_book_and_not_to_where_one_stands(book, tmp_path, monkeypatch):
    from modclust_utils import datasets

    monkeypatch.chdir(tmp_path)
    assert datasets.default_folder() == book / "data" / "downloads"


def test_a_page_shows_the_name_of_a_file_and_not_where_it_lies(book, tmp_path):
    write_notebook(
        book,
        "from modclust_utils.publish.session import start\nrun = start(1, globals())\nrun.badge()",
        figure=DRAW,
    )
    file = write_data(tmp_path / "mine.npz")
    values = check_run(1, overrides={"datasets": [str(file)], "data_folder": str(tmp_path)})
    info = run_chapter(1, values)
    text = info.notebook.read_text(encoding="utf-8")
    assert "mine.npz" in text
    assert str(tmp_path) not in text
    assert "modclust run 1 -p datasets &#x27;[&quot;mine.npz&quot;]&#x27;" in text


# States that are true


@POSIX_ONLY
@pytest.mark.parametrize("name", ["SIGTERM", "SIGHUP", "SIGINT"])
def test_a_signal_ends_a_run_and_its_status_says_so(book, scratch, name):
    started = sleeping(book)
    process = modclust("run", "1", cwd=book)
    wait_for(started, process)
    (info,) = read_runs(1)
    assert pages.state(info) == "running"
    assert info.status["runner"]["process"] == process.pid
    process.send_signal(getattr(signal, name))
    out, err = process.communicate(timeout=60)
    assert process.returncode == 128 + getattr(signal, name)
    lines = [line for line in err.splitlines() if line.strip() and "%|" not in line]
    assert lines[-1] == "modclust: stopped; what is done is kept, the same command goes on."
    assert "Traceback" not in out + err
    assert "zmq" not in out + err
    (info,) = read_runs(1)
    assert pages.state(info) == "failed"
    words = "Ctrl-C" if name == "SIGINT" else name
    assert info.status["reason"] == f"stopped by {words}"
    assert list(scratch.glob("modclust-*")) == []


@POSIX_ONLY
def test_a_run_that_was_killed_is_broken_off(book, scratch, capsys):
    started = sleeping(book)
    process = modclust("run", "1", cwd=book)
    wait_for(started, process)
    assert len(list(scratch.glob("modclust-*"))) == 1
    process.send_signal(signal.SIGKILL)
    process.communicate()
    assert cli.main(["status"]) == 0
    assert "run quick: broken off" in capsys.readouterr().out
    with pytest.raises(pages.BuildError, match=r"quick \(broken off\)"):
        pages.main_run(1, read_runs(1))
    with at_work.private_folder():
        assert len(list(scratch.glob("modclust-*"))) == 1


def test_a_status_that_cannot_be_written_hides_no_error(book, monkeypatch):
    """With a full disk the note of the start is all that there is: it says broken off later."""
    write_notebook(book, "1 / 0", figure=DRAW)
    write = run._write_status

    def full(folder: Path, status: dict) -> None:
        if status["state"] == "failed":
            raise RecordError("no space left on device")
        write(folder, status)

    monkeypatch.setattr(run, "_write_status", full)
    with pytest.raises(RunError, match="ZeroDivisionError: division by zero"):
        run_chapter(1, check_run(1))
    (info,) = read_runs(1)
    assert pages.state(info) == ("broken off")


# Sentences


@pytest.mark.parametrize("words", [["run", "1"], ["build"], ["build", "--output", "elsewhere"]])
@pytest.mark.parametrize("number", [errno.EROFS, errno.EACCES, errno.ENOSPC, errno.EDQUOT])
def test_a_checkout_that_cannot_be_written_to_is_said_in_a_sentence(
    book, monkeypatch, capsys, tmp_path, words, number
):
    write_run(book, "quick")
    monkeypatch.chdir(tmp_path)

    def refuse(self: Path, *_: object, **__: object) -> None:
        raise OSError(number, os.strerror(number), str(self))

    monkeypatch.setattr(Path, "mkdir", refuse)
    assert cli.main(words) == 1
    err = capsys.readouterr().err
    assert "Traceback" not in err
    (line,) = err.splitlines()
    assert line.startswith(f"modclust: {book}")
    assert f"cannot be used ({os.strerror(number)}). Give write access or make room" in line


def test_a_file_in_the_place_of_a_folder(book, capsys):
    (book / "runs").write_text("not a folder")
    assert cli.main(["run", "1"]) == 1
    (line,) = capsys.readouterr().err.splitlines()
    assert line.startswith(f"modclust: {book / 'runs'}")


@POSIX_ONLY
@pytest.mark.parametrize("words", [["status"], ["run", "--help"]])
def test_a_reader_that_has_seen_enough(book, words):
    for number in range(30):
        write_run(book, f"seed-{number + 3}", state="failed", reason="x" * 5000)
    process = modclust(*words, cwd=book)
    process.stdout.close()
    err = process.stderr.read()
    process.stderr.close()
    assert err == ""
    assert process.wait() in (0, 141)


@pytest.mark.parametrize("device", ["cuda:63", "cuda"])
def test_a_device_that_is_not_there_is_known_before_a_kernel_starts(
    book, capsys, monkeypatch, device
):
    import torch

    if device == "cuda" and torch.cuda.is_available():
        pytest.skip("this machine has a CUDA device, so that it is there")
    monkeypatch.setattr(cli, "run_chapter", lambda *_, **__: pytest.fail("a run was started"))
    assert cli.main(["run", "1", "-p", "device", device]) == 2
    (line,) = capsys.readouterr().err.splitlines()
    assert line.startswith(f"modclust: device='{device}' cannot be used here (")
    assert line.endswith("allowed: 'auto', 'cpu', or 'cuda' on a machine with a GPU")


def test_a_failed_run_prints_its_last_line_and_where_the_traceback_is(book, capsys):
    write_notebook(
        book, "def deep(n):\n    return deep(n - 1) if n else 1 / 0", "deep(40)", figure=DRAW
    )
    assert cli.main(["run", "1"]) == 1
    err = [
        line
        for line in capsys.readouterr().err.splitlines()
        if line.startswith("modclust") or "ipynb" in line
    ]
    failed = book / "runs" / "01" / "quick" / "failed.ipynb"
    assert err[0] == "modclust: chapter 1, run quick: ZeroDivisionError: division by zero"
    assert err[1].startswith(f"The traceback is in {failed}; records that were done are kept")
    notebook = nbformat.read(failed, as_version=4)
    outputs = [o for c in notebook.cells for o in c.get("outputs", []) if o.output_type == "error"]
    assert len(outputs[0].traceback) > 3


def test_what_would_steer_a_terminal_is_not_printed(book, capsys):
    write_run(book, "seed-3", state="failed", reason="\x1b[2J\x1b]0;owned\x07 \x9b31m text\r\n")
    assert cli.main(["status"]) == 0
    out = capsys.readouterr().out
    assert "text" in out
    assert not set(out) & set(map(chr, [*range(9), *range(11, 32), 127, 0x9B]))


# Progress


def test_progress_into_a_pipe_is_a_line_every_few_seconds(monkeypatch, capsys):
    from modclust_utils.publish import progress

    now = [100.0]
    monkeypatch.setattr(progress.time, "monotonic", lambda: now[0])
    shown = progress.bar("training networks", 400)
    for _ in range(400):
        now[0] += 0.1
        shown.update(1)
    shown.close()
    lines = capsys.readouterr().err.splitlines()
    assert lines[0] == "training networks: 0 of 400, 0 s"
    assert lines[-1] == "training networks: 400 of 400, 40 s"
    assert 8 <= len(lines) <= 11
    assert not any("\r" in line for line in lines)


def test_progress_in_a_terminal_is_a_bar(monkeypatch, capsys):
    from modclust_utils.publish import progress

    monkeypatch.setattr(sys.stderr, "isatty", lambda: True, raising=False)
    shown = progress.bar("training networks", 4)
    shown.update(4)
    shown.close()
    assert "100%" in capsys.readouterr().err


# Which code it was


def git(folder: Path, *words: str) -> None:
    names = ["-c", "user.name=a", "-c", "user.email=a@b.c"]
    subprocess.run(["git", *names, *words], cwd=folder, check=True, capture_output=True)


def commit_of(folder: Path, **environment: str) -> str:
    code = "from modclust_utils.publish.records import commit; print(commit())"
    variables = {**os.environ, "PYTHONPATH": str(folder), **environment}
    done = subprocess.run(
        [sys.executable, "-c", code], cwd=folder, env=variables, capture_output=True, text=True
    )
    assert done.returncode == 0, done.stderr
    return done.stdout.strip()


def test_code_unpacked_inside_another_repository_is_in_none_of_its_commits(tmp_path):
    from shutil import copytree, ignore_patterns

    from small_book import ROOT

    outer = tmp_path / "outer"
    outer.mkdir()
    (outer / "thesis.tex").write_text("text")
    git(outer, "init")
    git(outer, "add", "thesis.tex")
    git(outer, "commit", "-m", "a thesis")
    unpacked = outer / "modclust"
    copytree(ROOT / "modclust_utils", unpacked / "modclust_utils", ignore=ignore_patterns("__py*"))
    assert commit_of(unpacked) == "no git"
    # a hook of that repository names it in variables
    assert commit_of(unpacked, GIT_DIR=str(outer / ".git"), GIT_WORK_TREE=str(outer)) == "no git"
    git(outer, "add", "modclust")
    git(outer, "commit", "-m", "the code is part of it now")
    assert len(commit_of(unpacked)) == 10
