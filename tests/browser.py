"""Find a Chromium or Chrome for the tests that look at pages, or install one.

`python tests/browser.py` prints the browser's path; with `--install` it installs one where none is
found: Debian's package for root with apt-get, else Playwright's own build, which it downloads.
"""

from __future__ import annotations

import argparse
import os
import shutil
import subprocess
import sys
from pathlib import Path

VARIABLE = "MODCLUST_BROWSER"
COMMANDS = ("chromium", "google-chrome", "google-chrome-stable", "chromium-browser")
ANSWER_SECONDS = 60
INSTALL_SECONDS = 900
HOW_TO_GET_ONE = (
    f"Install Chromium or Chrome, run `python -m playwright install chromium`, or set {VARIABLE} "
    "to the path of one that you have."
)

#: No sandbox, because Chromium refuses to start as root with one and the tests open only pages of
#: our own; the rest keeps the browser from asking the network for anything by itself.
LAUNCH_ARGS = (
    "--no-sandbox",
    "--disable-gpu",
    "--disable-background-networking",
    "--disable-sync",
    "--no-first-run",
    "--disable-component-update",
)

# Playwright knows where it keeps its browser only once it is started, and its sync API does not
# start twice in one thread; so it is asked in a process of its own.
_ASK_PLAYWRIGHT = """
from playwright.sync_api import sync_playwright
with sync_playwright() as playwright:
    print(playwright.chromium.executable_path)
"""


def find_browser() -> Path | None:
    """Path of the first browser that answers `--version`, or None.

    Looked for in this order: `MODCLUST_BROWSER`, the usual commands on PATH, Playwright's own.
    Raises `ValueError` where `MODCLUST_BROWSER` is set to something that is not one.
    """
    named = os.environ.get(VARIABLE)
    if named:
        path = Path(named).expanduser()
        if not _answers(path):
            raise ValueError(
                f"{VARIABLE}={named!r} is no Chromium or Chrome: run with `--version`, it does not "
                "say that it is one. Set it to the path of such an executable, or unset it."
            )
        return path
    found = (shutil.which(command) for command in COMMANDS)
    for path in (Path(command) for command in found if command):
        if _answers(path):
            return path
    own = _playwright_browser()
    return own if own and _answers(own) else None


def install_browser() -> Path | None:
    """Install a browser the first way that works and return its path; None where no way works."""
    ways = []
    if _may_use_apt():
        apt = ["apt-get", "-o", "DPkg::Lock::Timeout=300"]
        install = [*apt, "install", "-y", "--no-install-recommends", "chromium"]
        ways.append([[*apt, "update"], install])
    ways.append([[sys.executable, "-m", "playwright", "install", "chromium"]])
    for commands in ways:
        if all(_run(command) for command in commands) and (path := find_browser()):
            return path
    return None


def browser_is_required() -> bool:
    """Whether a missing browser is a failure: on continuous integration, where `CI` says true."""
    return os.environ.get("CI", "").strip().lower() in {"1", "true", "yes"}


def _answers(path: Path) -> bool:
    try:
        run = subprocess.run(
            [path, "--version"], capture_output=True, text=True, timeout=ANSWER_SECONDS
        )
    except (OSError, subprocess.TimeoutExpired):
        return False
    return run.returncode == 0 and "chrom" in run.stdout.lower()


def _playwright_browser() -> Path | None:
    try:
        run = subprocess.run(
            [sys.executable, "-c", _ASK_PLAYWRIGHT],
            capture_output=True,
            text=True,
            timeout=ANSWER_SECONDS,
        )
    except subprocess.TimeoutExpired:
        return None
    return Path(run.stdout.strip()) if run.returncode == 0 else None


def _may_use_apt() -> bool:
    is_root = hasattr(os, "geteuid") and os.geteuid() == 0
    return is_root and shutil.which("apt-get") is not None


def _run(command: list[str]) -> bool:
    print("$", *command, flush=True)
    env = {**os.environ, "DEBIAN_FRONTEND": "noninteractive"}
    try:
        return subprocess.run(command, env=env, timeout=INSTALL_SECONDS).returncode == 0
    except subprocess.TimeoutExpired:
        print(f"given up after {INSTALL_SECONDS} s", flush=True)
        return False


def main(arguments: list[str] | None = None) -> int:
    """Print the browser's path. Status 1 where there is none and `CI` is true, 2 for bad input."""
    parser = argparse.ArgumentParser(description="Find a browser for the tests.")
    parser.add_argument("--install", action="store_true", help="install one where none is found")
    options = parser.parse_args(arguments)
    try:
        path = find_browser()
    except ValueError as error:
        parser.error(str(error))
    if path is None and options.install:
        path = install_browser()
    if path is not None:
        print(path)
        return 0
    required = browser_is_required()
    outcome = "That is a failure under CI." if required else "Tests of pages will be SKIPPED."
    print(f"NO BROWSER: no Chromium or Chrome was found. {outcome}\n{HOW_TO_GET_ONE}")
    return int(required)


if __name__ == "__main__":
    sys.exit(main())
