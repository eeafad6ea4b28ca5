"""Running a chapter: papermill executes the notebook, and a run that failed says so.

A run lives in ``runs/<chapter>/<name>/``: ``run.json`` (its truthful status), ``notebook.ipynb``
(only once it is good), ``failed.ipynb`` (what a failed run left behind).
"""

from __future__ import annotations

import hashlib
import json
import os
import re
import threading
import time
from collections.abc import Iterable, Iterator, Mapping
from contextlib import contextmanager, suppress
from dataclasses import dataclass
from datetime import UTC, datetime
from pathlib import Path
from typing import Any

import nbformat
import papermill
from jupyter_client import AsyncKernelManager
from traitlets import Unicode
from traitlets.config import Config

from modclust_utils.paths import root
from modclust_utils.publish.at_work import is_held, lock, private_folder, runner
from modclust_utils.publish.chapters import chapter_notebook, profiles, room, room_folder
from modclust_utils.publish.errors import RecordError, RunError, plain_text
from modclust_utils.publish.left import LEFT, PROGRESS_VARIABLE, RUN_VARIABLE
from modclust_utils.publish.parameters import (
    check_device,
    profile_of,
    read_profile,
    read_schema,
    scientific,
    shown,
)
from modclust_utils.publish.progress import bar
from modclust_utils.publish.records import commit, default_store, write_atomically
from modclust_utils.publish.stored_files import read_notebook
from modclust_utils.recipes.base import canonical_json

# Seconds; a machine that is busy with other runs may need long to start a kernel.
START_TIMEOUT = 600
PACKAGE = Path(__file__).resolve().parents[1]
#: Settings of glibc's allocator, in bytes: tensors of up to 64 MB come from memory that the process
#: keeps, up to 256 MB of it free, and not from the system, which fills it with 0 each time.
KEPT_MEMORY = {"MALLOC_MMAP_THRESHOLD_": str(2**26), "MALLOC_TRIM_THRESHOLD_": str(2**28)}
#: How often a thread of libgomp (torch's products) looks for the others before it sleeps. By itself
#: it looks for some milliseconds at each small product, and where a core is taken by another
#: program, the one that it waits for cannot run meanwhile.
SHORT_WAITS = {"GOMP_SPINCOUNT": "1000"}
#: What a status says at least, and of which kind; a run that is done says what it took, too.
STATUS_FIELDS = {"state": str, "chapter": int, "source_sha256": str, "commit": str, "started": str}
DONE_FIELDS = {"records": list, "seconds": int | float}


@dataclass(frozen=True)
class RunInfo:
    """A run and its status: running, done, or failed."""

    folder: Path
    status: Mapping[str, Any]

    @property
    def name(self) -> str:
        """The run's name within its chapter."""
        return self.folder.name

    @property
    def notebook(self) -> Path:
        """The executed notebook."""
        return self.folder / "notebook.ipynb"

    @property
    def is_fresh(self) -> bool:
        """Done, from the chapter's cells and the package's code as they are now."""
        return (
            self.status["state"] == "done"
            and self.notebook.is_file()
            and self.status["source_sha256"] == source_hash(int(self.status["chapter"]))
        )

    @property
    def is_current(self) -> bool:
        """Fresh, and with all the records that its page shows."""
        return self.is_fresh and not self.missing_records

    @property
    def is_at_work(self) -> bool:
        """Whether the process that runs it is alive."""
        return is_held(lock_of(int(self.status["chapter"]), self.name))

    @property
    def missing_records(self) -> list[tuple[str, str]]:
        """Records that the page shows and that are no longer there, as (kind, key)."""
        there = {(path.parent.name, path.stem) for path in default_store()}
        return [(kind, key) for kind, key in self.status["records"] if (kind, key) not in there]


def source_hash(chapter: int) -> str:
    """Hash of all that makes a page from records: a page made from other sources is stale.

    The chapter's cells, its room, the code that chapters share, the tables of its papers, and how
    figures look.
    """
    own = room_folder(chapter)
    shared = [path for path in PACKAGE.rglob("*.py") if own.parent not in path.parents]
    tables = (root() / "data" / "papers").glob("*.csv")
    cited = [path for path in tables if path.name.startswith(tuple(room(chapter).PAPERS))]
    look = root() / "matplotlibrc"
    files = sorted([*own.rglob("*.py"), *own.glob("*.yml"), *shared, *cited, look])
    return page_hash(chapter_notebook(chapter), files)


def page_hash(source: Path, files: Iterable[Path]) -> str:
    """Hash of a notebook's cells, and of the files that its page depends on."""
    cells = [[c.cell_type, c.source, c.metadata] for c in read_notebook(source).cells]
    digest = hashlib.sha256(canonical_json(cells).encode())
    for path in files:
        digest.update(path.name.encode() + path.read_bytes())
    return digest.hexdigest()


def runs_folder(chapter: int) -> Path:
    """Where the runs of a chapter are."""
    return root() / "runs" / f"{chapter:02d}"


def lock_of(chapter: int, name: str) -> Path:
    """The file that a run holds locked while it is at work."""
    return runs_folder(chapter) / ".locks" / name


def read_runs(chapter: int) -> list[RunInfo]:
    """All runs of a chapter, profiles first."""
    found = [_read_run(path) for path in sorted(runs_folder(chapter).glob("*/run.json"))]
    order = profiles(chapter)
    return sorted(found, key=lambda r: (r.name not in order, r.name))


def _read_run(path: Path) -> RunInfo:
    try:
        status = json.loads(path.read_text(encoding="utf-8"))
        wrong = _wrong_fields(status, int(path.parent.parent.name))
    except (OSError, ValueError, RecursionError) as error:
        raise RunError(f"{path} is damaged ({error}). Delete it and run again.") from error
    if wrong:
        raise RunError(
            f"{path} is damaged: missing or not as a run writes it: {', '.join(wrong)}. Delete it "
            "and run again."
        )
    return RunInfo(path.parent, status)


def _wrong_fields(status: Any, chapter: int) -> list[str]:
    """The fields of a status that are not there, or say what no run says."""
    if not isinstance(status, dict):
        return [*STATUS_FIELDS]
    needed = STATUS_FIELDS | (DONE_FIELDS if status.get("state") == "done" else {})
    wrong = [name for name, kind in needed.items() if not isinstance(status.get(name), kind)]
    if not wrong and status["chapter"] != chapter:
        wrong = ["chapter"]
    if not wrong and not _names_records(status.get("records", [])):
        wrong = ["records"]
    return wrong


def _names_records(found: Any) -> bool:
    """Whether it is a list of kinds and keys."""
    return isinstance(found, list) and all(
        isinstance(each, list) and [*map(type, each)] == [str, str] for each in found
    )


def run_name(chapter: int, parameters: Mapping[str, Any]) -> str:
    """A short name: the profile, or what differs from the quick profile, such as n_clusters-7."""
    schema = read_schema(chapter_notebook(chapter))
    profile = profile_of(schema, chapter, parameters)
    if profile != "own parameters":
        return profile
    defaults = scientific(schema.defaults)
    changed = {n: v for n, v in scientific(parameters).items() if v != defaults[n]}
    text = "-".join(f"{name}-{json.dumps(value)}" for name, value in shown(changed).items())
    slug = re.sub(r"[^A-Za-z0-9_.]+", "-", text).strip("-").lower()
    own_words = re.sub(r'[-\[\]{}", :]+', "-", text).strip("-")
    if slug == own_words and changed == shown(changed) and len(slug) <= 60:
        return slug
    # names of files may differ in what a slug leaves out, and in their folders
    digest = hashlib.sha256(canonical_json(changed).encode()).hexdigest()[:8]
    return f"{slug[:50].strip('-')}-{digest}"


def check_run(
    chapter: int,
    profile: str = "quick",
    *,
    overrides: Mapping[str, Any] | None = None,
    texts: Mapping[str, str] | None = None,
) -> dict[str, Any]:
    """The checked parameters of a run: profile, then a file's, then what was typed."""
    schema = read_schema(chapter_notebook(chapter))
    typed = {name: schema.parse(name, text) for name, text in (texts or {}).items()}
    checked = schema.check({**read_profile(chapter, profile), **(overrides or {}), **typed})
    check_device(checked["device"])
    return checked


def run_chapter(
    chapter: int, parameters: Mapping[str, Any], *, timeout: int | None = None
) -> RunInfo:
    """Execute a chapter with checked parameters and keep it as a run.

    The page of an earlier run of the same name stays until the new one is good.
    Raises RunError where the kernel died, a cell failed or took longer than `timeout` seconds, or
    a figure that the chapter promises was not drawn.
    """
    name = run_name(chapter, parameters)
    with lock(lock_of(chapter, name), f"chapter {chapter}, run {name},"):
        return _run(chapter, runs_folder(chapter) / name, parameters, timeout)


def _run(chapter: int, folder: Path, parameters: Mapping[str, Any], timeout: int | None) -> RunInfo:
    source = chapter_notebook(chapter)
    folder.mkdir(parents=True, exist_ok=True)
    started = time.monotonic()
    status: dict[str, Any] = {
        "state": "running",
        "chapter": chapter,
        "name": folder.name,
        "profile": profile_of(read_schema(source), chapter, parameters),
        "parameters": dict(parameters),
        "source_sha256": source_hash(chapter),
        "commit": commit(),
        "started": datetime.now(UTC).isoformat(timespec="seconds"),
        "runner": runner(),
    }
    _write_status(folder, status)
    unfinished, used = folder / "unfinished.ipynb", folder / "used.json"
    for file in (unfinished, used, *(folder / name for name in LEFT)):
        # what a killed run left behind is not this run's
        file.unlink(missing_ok=True)
    try:
        with (
            private_folder() as sockets,
            notebook_environment(folder),
            _watch_progress(folder / "progress.json"),
        ):
            papermill.execute_notebook(
                str(source),
                str(unfinished),
                parameters=dict(parameters),
                kernel_name="python3",
                cwd=str(root()),
                progress_bar=False,
                start_timeout=START_TIMEOUT,
                execution_timeout=timeout,
                config=kernel_config(sockets),
            )
        check_executed(nbformat.read(unfinished, as_version=4))
    except (Exception, KeyboardInterrupt) as error:
        if unfinished.is_file():
            os.replace(unfinished, folder / "failed.ipynb")
        reason = last_line(error)
        seconds = round(time.monotonic() - started, 1)
        with suppress(RecordError):  # of a full disk the first error tells more
            _write_status(
                folder, {**status, "state": "failed", "reason": reason, "seconds": seconds}
            )
        if isinstance(error, KeyboardInterrupt):
            raise
        raise RunError(
            f"chapter {chapter}, run {folder.name}: {reason}\nThe traceback is in "
            f"{folder / 'failed.ipynb'}; records that were done are kept, so the same command "
            "goes on from there."
        ) from error
    clean_notebook(unfinished, parameters)
    os.replace(unfinished, folder / "notebook.ipynb")
    (folder / "failed.ipynb").unlink(missing_ok=True)
    status["records"] = json.loads(used.read_text(encoding="utf-8")) if used.is_file() else []
    used.unlink(missing_ok=True)
    status |= {"state": "done", "seconds": round(time.monotonic() - started, 1)}
    _write_status(folder, status)
    return RunInfo(folder, status)


def last_line(error: BaseException) -> str:
    """What a failed run comes down to, without the traceback."""
    if isinstance(error, KeyboardInterrupt):
        return f"stopped by {error}" if str(error) else "stopped by Ctrl-C"
    if isinstance(error, papermill.PapermillExecutionError):
        text = f"{error.ename}: {error.evalue}"
    else:
        text = str(error).strip() or type(error).__name__
        text = text if isinstance(error, RunError | RecordError) else text.splitlines()[0]
    return plain_text(text)


def kernel_config(folder: Path) -> Config:
    """Talk to the kernel through sockets in a private folder, where the system has such: an open
    port could be listened to by everyone on a shared machine.

    And give the kernel time to end its worker processes, which it leaves behind when it is killed.
    It also waits for helpers of theirs that ignore its signal, so after a run with workers half of
    these seconds always pass.
    """
    transport = "ipc" if os.name == "posix" else "tcp"
    manager = {"transport": transport, "shutdown_wait_time": 6.0}
    if transport == "ipc":
        manager["ip"] = str(folder / "kernel")
    return Config(
        {
            "KernelManager": manager,
            "QuietKernels": {"log_file": str(folder / "kernel.log")},
            "NotebookClient": {"kernel_manager_class": QuietKernels},
        }
    )


class QuietKernels(AsyncKernelManager):
    """Starts kernels whose own log, with tracebacks of ends and interruptions, goes to a file: what
    a cell says is in the notebook."""

    log_file = Unicode(help="the file that the log goes to").tag(config=True)

    async def _async_launch_kernel(self, kernel_cmd: list[str], **options: Any) -> None:
        with open(self.log_file or os.devnull, "ab") as log:
            await super()._async_launch_kernel(kernel_cmd, **{**options, "stderr": log})

    _launch_kernel = _async_launch_kernel


def _write_status(folder: Path, status: Mapping[str, Any]) -> None:
    write_atomically(folder / "run.json", json.dumps(status, indent=1).encode())


@contextmanager
def notebook_environment(folder: Path) -> Iterator[None]:
    """Tell the kernel where to report progress, which records it used, and how figures look; and it
    and its workers to keep the memory that they have, and to leave the cores where they wait, where
    nothing else was asked for."""
    wanted = KEPT_MEMORY if "OMP_WAIT_POLICY" in os.environ else KEPT_MEMORY | SHORT_WAITS
    values = {name: os.environ.get(name, value) for name, value in wanted.items()} | {
        PROGRESS_VARIABLE: str(folder / "progress.json"),
        RUN_VARIABLE: str(folder),
        "MATPLOTLIBRC": str(root() / "matplotlibrc"),
        "MODCLUST_ROOT": str(root()),
    }
    before = {name: os.environ.get(name) for name in values}
    os.environ.update(values)
    try:
        yield
    finally:
        for name, value in before.items():
            if value is None:
                os.environ.pop(name, None)
            else:
                os.environ[name] = value


@contextmanager
def _watch_progress(file: Path) -> Iterator[None]:
    """Show the progress that the kernel writes to a file."""
    stop = threading.Event()

    def watch() -> None:
        shown, what = None, None
        while not stop.wait(0.3):
            try:
                state = json.loads(file.read_text(encoding="utf-8"))
            except (OSError, ValueError):
                continue
            if state["what"] != what:
                if shown is not None:
                    shown.close()
                what = state["what"]
                shown = bar(what, state["total"], state["done"])
            shown.update(state["done"] - shown.n)
        if shown is not None:
            shown.close()

    file.unlink(missing_ok=True)
    thread = threading.Thread(target=watch, daemon=True)
    thread.start()
    try:
        yield
    finally:
        stop.set()
        thread.join()
        file.unlink(missing_ok=True)


def check_executed(notebook: nbformat.NotebookNode) -> None:
    """Raise RunError unless every cell ran without an error and drew the figures it promises.

    papermill calls a notebook completed whose kernel died, so its word is not taken.
    """
    n_figures = 0
    for index, cell in enumerate(c for c in notebook.cells if c.cell_type == "code"):
        if cell.execution_count is None and cell.source.strip():
            raise RunError(f"code cell {index + 1} was not executed")
        for output in cell.outputs:
            if output.output_type == "error":
                raise RunError(f"code cell {index + 1}: {output.ename}: {output.evalue}")
        images = [o for o in cell.outputs if "image/png" in o.get("data", {})]
        if "figure" in cell.metadata.get("mystnb", {}) and not images:
            raise RunError(f"code cell {index + 1} promises a figure and drew none")
        n_figures += len(images)
    if n_figures == 0:
        raise RunError("the chapter drew no figure")


def clean_notebook(path: Path, parameters: Mapping[str, Any]) -> None:
    """Take out what belongs to one machine: paths, times, papermill's notes, bare streams."""
    notebook = nbformat.read(path, as_version=4)
    notebook.metadata.pop("papermill", None)
    for cell in notebook.cells:
        cell.metadata.pop("papermill", None)
        cell.metadata.pop("execution", None)
        if cell.cell_type == "code":
            cell.outputs = [
                o for o in cell.outputs if not (o.output_type == "stream" and o.name == "stderr")
            ]
        if "injected-parameters" in cell.metadata.get("tags", []):
            cell.metadata["tags"] = ["injected-parameters", "remove-cell"]
            lines = [f"{name} = {value!r}" for name, value in shown(parameters).items()]
            cell.source = "\n".join(["# Parameters", *lines])
        if "parameters" in cell.metadata.get("tags", []):
            # they are the quick profile's; the page shows the values of this run in a table
            cell.metadata["tags"] = ["parameters", "remove-cell"]
    nbformat.write(notebook, path)
