"""All files that name a version or a package say the same; a browser is found or asked for."""

from __future__ import annotations

import json
import os
import re
import shutil
import stat
import subprocess
import tomllib
from pathlib import Path

import browser as browser_module
import pytest
import yaml
from packaging.requirements import Requirement
from packaging.specifiers import SpecifierSet
from packaging.version import Version

import modclust_utils

ROOT = Path(__file__).resolve().parents[1]
PROJECT = tomllib.loads((ROOT / "pyproject.toml").read_text(encoding="utf-8"))["project"]
PYTHONS = SpecifierSet(PROJECT["requires-python"])

# A pin with an optional marker; no address, no path, no option, no second specifier.
PIN = re.compile(r"(?P<name>[a-z0-9]+(?:[-._][a-z0-9]+)*)==(?P<version>[0-9][0-9a-z.!]*)(?: ; .+)?")


def read_yaml(path: str) -> dict:
    return yaml.safe_load((ROOT / path).read_text(encoding="utf-8"))


def read_requirements_in() -> dict[str, Requirement]:
    lines = (ROOT / "requirements.in").read_text(encoding="utf-8").splitlines()
    texts = (line.split("#")[0].strip() for line in lines)
    requirements = [Requirement(text) for text in texts if text]
    return {requirement.name: requirement for requirement in requirements}


def read_lock() -> dict[str, list[Version]]:
    """Pinned versions by name; more than one where Python versions need different ones."""
    pins: dict[str, list[Version]] = {}
    for line in (ROOT / "requirements.lock").read_text(encoding="utf-8").splitlines():
        if not line.lstrip().startswith("#"):
            match = PIN.fullmatch(line)
            assert match, f"requirements.lock holds a line that is no plain pin: {line!r}"
            pins.setdefault(match["name"], []).append(Version(match["version"]))
    return pins


def version_of_hook(repository: str) -> str:
    hooks = read_yaml(".pre-commit-config.yaml")["repos"]
    (revision,) = (hook["rev"] for hook in hooks if hook["repo"].endswith(repository))
    return revision.removeprefix("v")


def test_lock_holds_plain_pins_and_no_address_or_path():
    assert read_lock()
    text = (ROOT / "requirements.lock").read_text(encoding="utf-8")
    assert "://" not in text
    assert not [line for line in text.splitlines() if re.search(r"(^|\s)[/~]|\s@\s", line)]


@pytest.mark.parametrize("requirement", read_requirements_in().values(), ids=str)
def test_lock_pins_each_requirement(requirement):
    pins = read_lock()[requirement.name]
    assert all(requirement.specifier.contains(pin, prereleases=True) for pin in pins)


def test_pyproject_asks_for_the_same_as_requirements_in():
    extras = PROJECT["optional-dependencies"].values()
    texts = [*PROJECT["dependencies"], *(text for extra in extras for text in extra)]
    assert sorted(texts) == sorted(str(each) for each in read_requirements_in().values())


def test_jupyter_book_is_of_the_first_generation():
    (pin,) = read_lock()["jupyter-book"]
    assert pin in SpecifierSet(">=1.0.4.post1,<2")


def test_torch_and_torchvision_have_one_pin_each():
    pins = read_lock()
    assert len(pins["torch"]) == len(pins["torchvision"]) == 1


def test_conda_environment_installs_the_lock_on_a_supported_python():
    dependencies = read_yaml("environment.yml")["dependencies"]
    (python,) = (
        each for each in dependencies if isinstance(each, str) and each.startswith("python=")
    )
    assert Version(python.removeprefix("python=")) in PYTHONS
    (pip,) = (each["pip"] for each in dependencies if isinstance(each, dict))
    assert pip == ["-r requirements.lock", "-e ."]


def test_workflows_use_supported_pythons_and_the_oldest_one():
    matrix = read_yaml(".github/workflows/test.yml")["jobs"]["test"]["strategy"]["matrix"]
    tested = {Version(text) for text in matrix["python"]}
    (oldest,) = (Version(each.version) for each in PYTHONS if each.operator == ">=")
    assert oldest in tested
    assert all(python in PYTHONS for python in tested)


def test_lock_is_resolved_for_the_oldest_python():
    (resolved,) = re.findall(r"--python-version (\S+)", (ROOT / "Makefile").read_text())
    assert SpecifierSet(f">={resolved}") == PYTHONS


@pytest.mark.parametrize(
    ("repository", "package"), [("/ruff-pre-commit", "ruff"), ("/nbstripout", "nbstripout")]
)
def test_hooks_have_the_version_of_the_lock(repository, package):
    assert [Version(version_of_hook(repository))] == read_lock()[package]


def test_one_version_everywhere():
    citation = read_yaml("CITATION.cff")["version"]
    assert PROJECT["version"] == modclust_utils.__version__ == citation


def test_notebooks_are_committed_without_outputs():
    for path in sorted((ROOT / "notebooks").rglob("*.ipynb")):
        if ".ipynb_checkpoints" in path.parts:
            continue
        for cell in json.loads(path.read_text(encoding="utf-8"))["cells"]:
            assert not cell.get("outputs"), f"{path.name}: cell {cell.get('id')} has outputs"
            assert cell.get("execution_count") is None, f"{path.name}: cell {cell.get('id')} ran"


@pytest.mark.skipif(shutil.which("make") is None, reason="make is not installed")
def test_make_names_the_python_that_is_too_old(tmp_path):
    for name in ("Makefile", "requirements.lock", "pyproject.toml"):
        shutil.copy(ROOT / name, tmp_path)
    old = tmp_path / "old-python"
    old.write_text('#!/bin/sh\ncase "$1" in --version) echo "Python 3.9.2" ;; *) exit 1 ;; esac\n')
    old.chmod(old.stat().st_mode | stat.S_IXUSR)
    outer = {name: value for name, value in os.environ.items() if not name.startswith("MAKE")}
    run = subprocess.run(
        ["make", "env", f"PYTHON={old}"], cwd=tmp_path, env=outer, capture_output=True, text=True
    )
    assert run.returncode != 0
    assert "Python 3.9.2" in run.stderr
    assert "3.11 or newer" in run.stderr
    assert not (tmp_path / ".venv").exists()


def test_browser_variable_must_name_a_browser(monkeypatch, tmp_path):
    monkeypatch.setenv("MODCLUST_BROWSER", str(tmp_path / "nothing"))
    with pytest.raises(ValueError, match=r"MODCLUST_BROWSER=.*nothing.* is no Chromium"):
        browser_module.find_browser()


def test_browser_variable_comes_before_the_path(monkeypatch, tmp_path):
    mine = tmp_path / "mine"
    mine.write_text("#!/bin/sh\necho Chromium 1.2.3\n")
    mine.chmod(0o755)
    monkeypatch.setenv("MODCLUST_BROWSER", str(mine))
    assert browser_module.find_browser() == mine


@pytest.mark.parametrize("may_use_apt", [True, False])
def test_browser_is_installed_by_apt_first_then_by_playwright(monkeypatch, may_use_apt):
    tried = []
    monkeypatch.setattr(browser_module, "_may_use_apt", lambda: may_use_apt)
    monkeypatch.setattr(browser_module, "_run", lambda command: tried.append(command))
    assert browser_module.install_browser() is None
    tools = ["apt-get" if command[0] == "apt-get" else command[2] for command in tried]
    assert tools == (["apt-get"] if may_use_apt else []) + ["playwright"]


@pytest.mark.parametrize(("ci", "status"), [("true", 1), ("false", 0), ("", 0)])
def test_missing_browser_fails_only_under_ci(monkeypatch, capsys, ci, status):
    monkeypatch.setenv("CI", ci)
    monkeypatch.setattr(browser_module, "find_browser", lambda: None)
    assert browser_module.main([]) == status
    assert "NO BROWSER" in capsys.readouterr().out


def test_browser_draws_a_page(browser):
    page = browser.new_page(viewport={"width": 8, "height": 8})
    page.set_content("<body style='margin:0;background:rgb(0,114,178)'></body>")
    assert page.evaluate("getComputedStyle(document.body).backgroundColor") == "rgb(0, 114, 178)"
    assert page.screenshot().startswith(b"\x89PNG")
    page.close()


def test_parallel_workers_use_one_thread_each():
    if "PYTEST_XDIST_WORKER" not in os.environ:
        pytest.skip("only matters where tests run side by side (pytest -n)")
    import torch

    assert torch.get_num_threads() == 1
