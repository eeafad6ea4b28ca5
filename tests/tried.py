"""Runs the tests of what can go wrong, and notes how many there are: the numbers of a page.

``python tests/tried.py [KIND ...]`` writes ``book/tried.json``, which the page about that reads. It
writes nothing about a kind of which a test fails.
"""

from __future__ import annotations

import json
import subprocess
import sys
import tempfile
from pathlib import Path
from xml.etree import ElementTree

ROOT = Path(__file__).resolve().parent.parent
FILE = ROOT / "book" / "tried.json"
#: The kinds of the page, and the modules that hold their tests.
KINDS = {
    "doors": ["tests/test_doors.py"],
    "numbers": ["tests/publish/test_reading.py"],
    "processes": ["tests/publish/test_at_work.py"],
    "texts": ["tests/publish/test_escape.py"],
    "threads": ["tests/test_threads.py"],
}


def run(modules: list[str]) -> dict[str, int]:
    """How many tests passed and were skipped, and how many things were tried within them."""
    with tempfile.TemporaryDirectory() as folder:
        report = Path(folder) / "report.xml"
        command = [sys.executable, "-m", "pytest", "-q", "-n", "2", f"--junitxml={report}"]
        subprocess.run([*command, *modules], cwd=ROOT, check=True)
        cases = list(ElementTree.parse(report).iter("testcase"))
    skipped = sum(case.find("skipped") is not None for case in cases)
    tried = [int(each.get("value", 0)) for case in cases for each in case.iter("property")]
    return {"tests": len(cases) - skipped, "skipped": skipped, "tried": sum(tried)}


if __name__ == "__main__":
    noted = json.loads(FILE.read_text(encoding="utf-8")) if FILE.is_file() else {}
    for kind in sys.argv[1:] or KINDS:
        noted[kind] = run(KINDS[kind])
        FILE.write_text(json.dumps(noted, indent=1, sort_keys=True) + "\n", encoding="utf-8")
    print(json.dumps(noted))
