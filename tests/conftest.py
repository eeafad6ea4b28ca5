"""What all tests share: threads, hypothesis profiles, the browser."""

from __future__ import annotations

import os
import sys
from collections.abc import Iterator
from typing import TYPE_CHECKING

import pytest
from browser import HOW_TO_GET_ONE, LAUNCH_ARGS, browser_is_required, find_browser
from hypothesis import settings

if TYPE_CHECKING:
    from playwright.sync_api import Browser

NO_BROWSER = "NO BROWSER"

# Each xdist worker would otherwise start a thread per core, and the workers would wait for one
# another. The libraries read these once, while they load; kernels that tests start inherit them.
if "PYTEST_XDIST_WORKER" in os.environ:
    loaded = {"numpy", "torch"} & sys.modules.keys()
    if loaded:
        raise RuntimeError(f"{sorted(loaded)} loaded before the number of threads could be set")
    for library in ("OMP", "MKL", "OPENBLAS"):
        os.environ[f"{library}_NUM_THREADS"] = "1"

# No deadline: a slow machine is no wrong result. CI draws the same examples every time.
settings.register_profile("local", deadline=None, max_examples=50)
settings.register_profile("ci", deadline=None, max_examples=50, derandomize=True, print_blob=True)
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
