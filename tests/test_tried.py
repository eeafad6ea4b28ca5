"""The page "When something goes wrong" has the numbers of the tests that there are."""

from __future__ import annotations

import json
import re
import subprocess
import sys

from tried import FILE, KINDS, ROOT


def test_the_numbers_of_the_page_are_those_of_the_tests():
    noted = json.loads(FILE.read_text(encoding="utf-8"))
    assert noted.keys() == KINDS.keys()
    modules = [module for each in KINDS.values() for module in each]
    command = [sys.executable, "-m", "pytest", "--collect-only", "-q", "-p", "no:xdist", *modules]
    listed = subprocess.run(command, cwd=ROOT, capture_output=True, text=True, check=True).stdout
    for kind, own in KINDS.items():
        there = sum(
            line.startswith(f"{module}::") for module in own for line in listed.splitlines()
        )
        assert noted[kind]["tests"] + noted[kind]["skipped"] == there, (
            f"tests of {kind} came or went: python tests/tried.py notes them again"
        )


def test_the_page_types_no_number():
    page = (ROOT / "book" / "when-something-goes-wrong.md").read_text(encoding="utf-8")
    used = set(re.findall(r"\{\{ n_(\w+)_(\w+) \}\}", page))
    assert {kind for _, kind in used} == set(KINDS)
    # apart from what a reader types or reads as an example
    prose = re.sub(r"```.*?```|`[^`]*`|\{\{.*?\}\}", "", page, flags=re.DOTALL)
    assert not re.search(r"\d", prose)
