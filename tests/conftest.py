"""What all tests share: threads, hypothesis profiles, the browser, and the built site.

`MODCLUST_SITE` may name a built site (the folder with `index.html`); without it one is built.
"""

from __future__ import annotations

import functools
import os
import shutil
import subprocess
import sys
import threading
from collections.abc import Iterator
from http.server import SimpleHTTPRequestHandler, ThreadingHTTPServer
from pathlib import Path
from typing import TYPE_CHECKING

import pytest
from browser import HOW_TO_GET_ONE, LAUNCH_ARGS, browser_is_required, find_browser
from hypothesis import HealthCheck, settings

if TYPE_CHECKING:
    from playwright.sync_api import Browser, BrowserContext, Page

NO_BROWSER = "NO BROWSER"
ROOT = Path(__file__).resolve().parent.parent
PATIENCE_MS = 120_000

# Each xdist worker would otherwise start a thread per core, and the workers would wait for one
# another. The libraries read these once, while they load; kernels that tests start inherit them.
if "PYTEST_XDIST_WORKER" in os.environ:
    loaded = {"numpy", "torch"} & sys.modules.keys()
    if loaded:
        raise RuntimeError(f"{sorted(loaded)} loaded before the number of threads could be set")
    for library in ("OMP", "MKL", "OPENBLAS"):
        os.environ[f"{library}_NUM_THREADS"] = "1"

# A slow machine is no wrong result. CI draws the same examples every time.
_PATIENT = {
    "deadline": None,
    "max_examples": 50,
    "suppress_health_check": [HealthCheck.too_slow],
}
settings.register_profile("local", **_PATIENT)
settings.register_profile("ci", **_PATIENT, derandomize=True, print_blob=True)
settings.load_profile("ci" if browser_is_required() else "local")


@pytest.fixture(scope="module")
def browser() -> Iterator[Browser]:
    """A headless Chromium through Playwright; without one the test fails on CI, else is skipped.

    One for each module and no longer: while Playwright's sync API runs, its event loop counts as
    running in this thread, and tests of notebooks could not start theirs.
    """
    path = find_browser()
    if path is None:
        message = f"{NO_BROWSER}: {HOW_TO_GET_ONE}"
        if browser_is_required():
            pytest.fail(message, pytrace=False)
        pytest.skip(message)
    from playwright.sync_api import sync_playwright

    with sync_playwright() as playwright:
        started = playwright.chromium.launch(executable_path=path, args=list(LAUNCH_ARGS))
        yield started
        started.close()


@pytest.fixture(scope="session")
def site(tmp_path_factory: pytest.TempPathFactory) -> Path:
    """Folder of the built html."""
    ready = os.environ.get("MODCLUST_SITE")
    folder = Path(ready).expanduser().resolve() if ready else _shared(tmp_path_factory) / "site"
    if not ready:
        _build_site(folder)
        if (failed := _failed(folder)).is_file():
            pytest.fail(failed.read_text(encoding="utf-8"), pytrace=False)
    assert (folder / "index.html").is_file(), f"{folder} holds no site"
    return folder


@pytest.fixture(scope="session", autouse=True)
def site_begun(
    request: pytest.FixtureRequest, tmp_path_factory: pytest.TempPathFactory
) -> Iterator[None]:
    """Where workers share the tests, the first has the site built beside them from the start:
    otherwise the others wait for minutes, once all that is left are tests of pages."""
    wanted = any("site" in item.fixturenames for item in request.session.items)
    first = os.environ.get("PYTEST_XDIST_WORKER") == "gw0"
    if not first or not wanted or "MODCLUST_SITE" in os.environ:
        yield
        return
    started: list[subprocess.Popen[str]] = []
    folder = _shared(tmp_path_factory) / "site"
    thread = threading.Thread(target=_build_site, args=(folder, started))
    thread.start()
    yield
    for build in started:  # where the tests end early
        build.terminate()
    thread.join()


def _shared(tmp_path_factory: pytest.TempPathFactory) -> Path:
    """A folder of this run of the tests that all workers have."""
    folder = tmp_path_factory.getbasetemp()
    return folder.parent if "PYTEST_XDIST_WORKER" in os.environ else folder


def _failed(folder: Path) -> Path:
    """Where the output of a build stands that failed, maybe in another worker, a minute ago."""
    return folder.with_name("failed.txt")


def _build_site(folder: Path, started: list[subprocess.Popen[str]] | None = None) -> None:
    """Build the site as `make book` does: run what is not up to date, then build.

    What is tested is a copy, once for all workers: another build, of a worker or of a user, may
    replace the site itself at any time. started: gets the process that builds.
    """
    # after the numbers of threads are set
    from modclust_utils.publish.at_work import lock

    failed, whole = _failed(folder), folder.with_name("whole site")
    with lock(ROOT / "_build" / "tests.lock", "the site for tests", wait=True):
        if folder.exists() or failed.is_file():
            return
        command = [sys.executable, "-m", "modclust_utils", "book"]
        pipes = {"stdout": subprocess.PIPE, "stderr": subprocess.STDOUT, "text": True}
        with subprocess.Popen(command, cwd=ROOT, **pipes) as build:
            if started is not None:
                started.append(build)
            output = build.communicate()[0]
        if build.returncode != 0:
            failed.write_text(output, encoding="utf-8")
            return
        shutil.rmtree(whole, ignore_errors=True)
        with lock(ROOT / "_build" / ".lock", "a build of the site", wait=True):
            shutil.copytree(ROOT / "_build" / "html", whole)
        whole.rename(folder)


@pytest.fixture(scope="session")
def pages(site: Path) -> list[str]:
    """Paths of all pages, relative to the site.

    Without the templates in `_static`, and `index.html`, which only leads to the first page.
    """
    found = (page.relative_to(site) for page in sorted(site.rglob("*.html")))
    paths = [page.as_posix() for page in found if page.parts[0] not in {"_static", "_sources"}]
    # a page of its own kind, for addresses that are not there (`tests/test_accessible.py`)
    return [path for path in paths if path not in {"index.html", "404.html"}]


@pytest.fixture(scope="session")
def host(site: Path) -> Iterator[str]:
    """Address of the site, served by this computer."""

    class Quiet(SimpleHTTPRequestHandler):
        def log_message(self, *_: object) -> None:
            pass

    server = ThreadingHTTPServer(("127.0.0.1", 0), functools.partial(Quiet, directory=str(site)))
    thread = threading.Thread(target=server.serve_forever, daemon=True)
    thread.start()
    yield f"http://127.0.0.1:{server.server_port}/"
    server.shutdown()
    server.server_close()
    thread.join()


@pytest.fixture(scope="module")
def context(browser: Browser) -> Iterator[BrowserContext]:
    made = browser.new_context(viewport={"width": 1280, "height": 900})
    made.set_default_timeout(PATIENCE_MS)
    yield made
    made.close()


@pytest.fixture
def page(context: BrowserContext) -> Iterator[Page]:
    opened = context.new_page()
    yield opened
    opened.close()


def pytest_collection_modifyitems(items: list[pytest.Item]) -> None:
    """Mark what uses the browser, so that `-m "not browser"` leaves out exactly that."""
    for item in items:
        if "browser" in getattr(item, "fixturenames", ()):
            item.add_marker("browser")


def pytest_terminal_summary(terminalreporter: pytest.TerminalReporter) -> None:
    """Say it loudly where tests were skipped for want of a browser."""
    skipped = terminalreporter.stats.get("skipped", [])
    count = sum(NO_BROWSER in str(report.longrepr) for report in skipped)
    if count:
        terminalreporter.section(NO_BROWSER, sep="!", red=True, bold=True)
        terminalreporter.line(f"Tests that need a browser, skipped: {count}. {HOW_TO_GET_ONE}")
