"""The command ``modclust``: run, build, book, status, verify, analyze, publish.

What needs torch is imported by the commands that use it: help, a wrong parameter and the start of a
run's kernel should not wait seconds for it.
"""

from __future__ import annotations

import argparse
import logging
import os
import re
import signal
import sys
import threading
import time
from collections.abc import Callable, Iterator, Sequence
from contextlib import contextmanager
from pathlib import Path

import numpy as np

from modclust_utils import __version__
from modclust_utils.datasets import DATA_VARIABLE, DataError
from modclust_utils.paths import (
    SCHEDULER_VARIABLE,
    VARIABLE,
    WEIGHTS_VARIABLE,
    current_folder,
    named_folder,
)
from modclust_utils.publish.analyze_command import add_parser
from modclust_utils.publish.chapters import chapter_notebook, chapter_numbers, profiles
from modclust_utils.publish.errors import (
    BuildError,
    FileError,
    ParameterError,
    RecordError,
    RunError,
    plain_text,
)
from modclust_utils.publish.parameters import absolute_file, read_parameter_file
from modclust_utils.publish.progress import say
from modclust_utils.publish.records import default_store
from modclust_utils.publish.run import (
    RunInfo,
    check_run,
    read_runs,
    run_chapter,
    run_name,
)

ERRORS = (ParameterError, DataError, RecordError, RunError, FileError, BuildError, OSError)
#: What ends a run as Ctrl-C does: batch systems send the first, a terminal that closes the second.
SIGNALS = ("SIGTERM", "SIGHUP")


#: What the help of `run` says below its options.
RUN_HELP = """\
One machine computes what is missing in a process for each core. A Dask scheduler
hands the same work to workers anywhere, each with this package and no shared disk:

  dask scheduler                                  on any machine; prints its address
  dask worker tcp://HOST:8786 --nthreads 1        once for each core or GPU
  modclust run 1 --scheduler tcp://HOST:8786      where the records are to be

All of them need the package distributed, which `make env` installs. MODCLUST_SCHEDULER may
name the scheduler, too, for papermill and Jupyter as well. The book says more under
"Beyond one machine".
"""


class Stopped(KeyboardInterrupt):
    """A signal asked the command to end."""


def main(arguments: Sequence[str] | None = None) -> int:
    """Run the command; 0 if all went well, 2 for input that is not allowed, 1 otherwise."""
    options = _parser().parse_args(arguments)
    try:
        with _signals_stop():
            current_folder()  # what is typed, kernels and workers start from it
            for variable in (DATA_VARIABLE, WEIGHTS_VARIABLE):
                folder = named_folder(variable)
                if folder:
                    # kernels and workers stand elsewhere, and a relative folder is the user's
                    os.environ[variable] = str(folder)
            code = options.action(options)
            sys.stdout.flush()
            return code
    except BrokenPipeError:
        # whoever read has seen enough; Python must not try again when it ends
        os.dup2(os.open(os.devnull, os.O_WRONLY), sys.stdout.fileno())
        return 141
    except ERRORS as error:
        print(f"modclust: {_sentence(error)}", file=sys.stderr)
        return 2 if isinstance(error, ParameterError) else 1
    except KeyboardInterrupt as error:
        # what the client of a kernel that has ended still waits for would be shown as a traceback
        logging.getLogger("asyncio").setLevel(logging.CRITICAL)
        print("modclust: stopped; what is done is kept, the same command goes on.", file=sys.stderr)
        return 128 + signal.Signals[str(error) or "SIGINT"]


def _sentence(error: Exception) -> str:
    """An error in words, a system's with what it means here."""
    if not isinstance(error, OSError) or isinstance(error, FileNotFoundError):
        return plain_text(str(error))
    file = f"{error.filename} " if error.filename else ""
    return plain_text(
        f"{file}cannot be used ({error.strerror or error}). Give write access or make room, or "
        f"copy the book to a folder of your own ({VARIABLE} may name it), and try again."
    )


@contextmanager
def _signals_stop() -> Iterator[None]:
    """While it lasts, the first of `SIGNALS` ends what runs as Ctrl-C would, and tidies up."""

    def stop(number: int, frame: object) -> None:
        signal.signal(number, signal.SIG_IGN)
        raise Stopped(signal.Signals(number).name)

    numbers = [getattr(signal, name) for name in SIGNALS if hasattr(signal, name)]
    if threading.current_thread() is not threading.main_thread():
        numbers = []
    # what a parent has set to be ignored (nohup) stays so
    before = {n: signal.getsignal(n) for n in numbers if signal.getsignal(n) != signal.SIG_IGN}
    for number in before:
        signal.signal(number, stop)
    try:
        yield
    finally:
        for number, handler in before.items():
            signal.signal(number, handler)


def _parser() -> argparse.ArgumentParser:
    parser = argparse.ArgumentParser(
        prog="modclust", description="Run the chapters of Modclust and build the book."
    )
    parser.add_argument("--version", action="version", version=f"modclust {__version__}")
    commands = parser.add_subparsers(required=True, metavar="COMMAND")

    run = commands.add_parser(
        "run",
        help="execute a chapter; its page joins the book",
        epilog=RUN_HELP,
        formatter_class=argparse.RawDescriptionHelpFormatter,
    )
    run.add_argument("chapter", type=_whole(1))
    run.add_argument("--profile", default="quick", help="parameter set (default: quick)")
    run.add_argument(
        *("-p", "--parameter"), nargs=2, action="append", default=[], metavar=("NAME", "VALUE")
    )
    run.add_argument("-f", "--file", type=Path, help="parameters from a YAML file")
    run.add_argument(
        "--timeout", type=_whole(1), help="seconds that a cell may take (default: no limit)"
    )
    run.add_argument(
        "--scheduler",
        metavar="ADDRESS",
        help="compute on the workers of a Dask scheduler (default: on this machine)",
    )
    run.set_defaults(action=_run)

    build = commands.add_parser("build", help="build the site from the runs that are there")
    build.add_argument("--output", type=Path, help="folder of the site (default: _build/html)")
    build.set_defaults(action=_build)

    book = commands.add_parser("book", help="run what is not up to date, then build the site")
    book.set_defaults(action=_book)

    status = commands.add_parser("status", help="list runs, and how complete each profile is")
    status.set_defaults(action=_status)

    check = commands.add_parser("verify", help="compute a sample of records again and compare")
    check.add_argument("--sample", type=_whole(1), default=5, help="how many records (default: 5)")
    check.add_argument("--seed", type=_whole(0), default=None, help="which ones (default: any)")
    check.add_argument("--chapter", type=_whole(1), help="records of one chapter (default: all)")
    check.add_argument("--profile", default="quick", help="of which profile (default: quick)")
    check.add_argument(
        *("-p", "--parameter"), nargs=2, action="append", default=[], metavar=("NAME", "VALUE")
    )
    check.add_argument(
        "--images", action="append", default=[], metavar="FILE", help="a .npz file of one's own"
    )
    check.add_argument(
        "--retrain",
        metavar="CONDITION",
        help="train a data set's networks anew and compare: mnist, or mnist+dropout",
    )
    check.set_defaults(action=_verify)

    add_parser(commands)

    publish = commands.add_parser("publish", help="copy a run's records to data/records")
    publish.add_argument("chapter", type=_whole(1))
    publish.add_argument("run", help="the run's name, such as paper")
    publish.set_defaults(action=_publish)
    return parser


def _whole(least: int) -> Callable[[str], int]:
    """Reads a whole number from `least` up."""

    def read(text: str) -> int:
        if not re.fullmatch("[0-9]+", text) or int(text) < least:
            raise argparse.ArgumentTypeError(f"{text!r} is not a whole number from {least}")
        return int(text)

    return read


@contextmanager
def _step(name: str) -> Iterator[None]:
    """Print a step's name, and how long it took."""
    print(f"==> {name}", flush=True)
    started = time.monotonic()
    yield
    print(f"<== {name}: {time.monotonic() - started:.1f} s", flush=True)


def _run(options: argparse.Namespace) -> int:
    if options.scheduler is not None:
        # the kernel reads it from there, as it does where papermill starts it
        os.environ[SCHEDULER_VARIABLE] = options.scheduler
    from_file = read_parameter_file(options.file) if options.file else {}
    parameters = check_run(
        options.chapter, options.profile, overrides=from_file, texts=_each_once(options.parameter)
    )
    _greet_workers(parameters["device"])
    with _step(f"chapter {options.chapter}, run {run_name(options.chapter, parameters)}"):
        info = run_chapter(options.chapter, parameters, timeout=options.timeout)
    print(f"Its page is in {info.notebook}; `modclust book` puts it into the book.")
    return 0


def _greet_workers(device: str) -> None:
    """Say which workers there are, where a scheduler is named, before anything starts."""
    from modclust_utils.publish.dask_address import named_scheduler
    from modclust_utils.publish.dask_owner import DaskCrew

    address = named_scheduler()
    if address:
        with DaskCrew(address, device) as crew:
            crew.wait_for_workers(say=say)
            n = len(crew.workers)
            say(f"scheduler {address}: {n} worker{'s' * (n != 1)}")
            for line in crew.said():
                say(line)


def _each_once(typed: Sequence[tuple[str, str]]) -> dict[str, str]:
    """What was typed, by name. Raises ParameterError where one of two values would be lost."""
    names = [name for name, _ in typed]
    twice = sorted({name for name in names if names.count(name) > 1})
    if twice:
        raise ParameterError(f"-p {twice[0]} is there twice; allowed: each parameter once")
    return dict(typed)


def _build(options: argparse.Namespace) -> int:
    from modclust_utils.publish import pages

    with _step("site"):
        output = options.output and Path(absolute_file(options.output, "output"))
        site = pages.build_site(output)
    print(f"Open {site / 'index.html'}")
    return 0


def _book(options: argparse.Namespace) -> int:
    import joblib

    from modclust_utils.publish import pages, side_by_side

    only_read: list[tuple[int, str]] = []
    for chapter in chapter_numbers():
        for profile in profiles(chapter):
            complete = pages.is_complete(chapter, profile, default_store())
            if profile != "quick" and not complete:
                print(
                    f"--- chapter {chapter}, {profile} profile: its records are not complete; "
                    f"`modclust run {chapter} --profile {profile}` computes what is missing"
                )
            elif _up_to_date(chapter, profile):
                print(f"--- chapter {chapter}, run {profile}: up to date")
            elif complete:
                only_read.append((chapter, profile))
            else:
                with _step(f"chapter {chapter}, run {profile}"):
                    run_chapter(chapter, check_run(chapter, profile))
    side_by_side.run_side_by_side(only_read, at_once=joblib.cpu_count())
    options.output = None
    return _build(options)


def _up_to_date(chapter: int, profile: str) -> bool:
    return any(run.name == profile and run.is_current for run in read_runs(chapter))


def _status(options: argparse.Namespace) -> int:
    from modclust_utils.publish import pages

    store = default_store()
    for chapter in chapter_numbers():
        for profile in profiles(chapter):
            there, needed = pages.completeness(chapter, profile, store)
            print(f"chapter {chapter}, {profile} profile: {there} of {needed} records are there")
        for run in read_runs(chapter):
            print(plain_text(f"  run {run.name}: {pages.state(run)}{_reason(run)}"))
    return 0


def _reason(run: RunInfo) -> str:
    reason = str(run.status.get("reason", "")).strip().splitlines()
    return f" ({reason[-1]})" if reason else ""


def _verify(options: argparse.Namespace) -> int:
    from modclust_utils.publish import verify_command

    rng = np.random.default_rng(options.seed)
    images = [absolute_file(file, "images") for file in options.images]
    if options.chapter is None:
        if options.retrain or options.parameter or options.profile != "quick":
            raise ParameterError("chapter is not given; --retrain, --profile and -p need it")
        return verify_command.everything(options.sample, images, rng)
    parameters = check_run(options.chapter, options.profile, texts=_each_once(options.parameter))
    if options.retrain:
        return verify_command.retrained(options.chapter, parameters, options.retrain, rng)
    return verify_command.chapter(options.chapter, parameters, options.sample, images, rng)


def _publish(options: argparse.Namespace) -> int:
    from modclust_utils.publish import pages

    chapter_notebook(options.chapter)  # a chapter that is not there has no runs to be named
    for run in read_runs(options.chapter):
        if run.name == options.run and run.is_current:
            print(f"{pages.publish_records(run)} records copied to data/records")
            return 0
    names = ", ".join(run.name for run in read_runs(options.chapter) if run.is_current) or "none"
    raise ParameterError(f"run={options.run!r} is not there or stale; allowed: {names}")
