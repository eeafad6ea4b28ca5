"""What each kind of record was computed by, and how a change of that code is noticed.

A record is keyed by the version of its recipe. The version is raised by hand when the code behind
it may give other results; a fingerprint of that code, committed in ``fingerprints.json``, makes
sure that nobody forgets (``tests/test_versions.py``).
"""

from __future__ import annotations

import ast
import hashlib
import json
from dataclasses import dataclass
from pathlib import Path

PACKAGE = Path(__file__).resolve().parent.parent
FINGERPRINTS = Path(__file__).resolve().parent / "fingerprints.json"


@dataclass(frozen=True)
class Recipe:
    """A kind of record: its version and the modules whose code decides what it holds."""

    kind: str
    version: int
    modules: tuple[str, ...]


RECIPES = {
    recipe.kind: recipe
    for recipe in (
        Recipe("network", 1, ("models", "training")),
        Recipe(
            "shuffle-test",
            1,
            ("graphs", "kmeans", "spectral", "clustering", "nulls", "stats"),
        ),
        Recipe("clustering", 1, ("graphs", "kmeans", "spectral", "clustering")),
        Recipe("random-ncuts", 1, ("models", "kmeans", "spectral", "clustering", "nulls")),
    )
}


def fingerprint(recipe: Recipe) -> str:
    """Hash of the code of a recipe's modules; docstrings, comments and layout do not count."""
    digest = hashlib.sha256()
    for module in recipe.modules:
        tree = ast.parse((PACKAGE / f"{module}.py").read_text(encoding="utf-8"))
        for node in ast.walk(tree):
            if isinstance(node, ast.Module | ast.ClassDef | ast.FunctionDef) and ast.get_docstring(
                node, clean=False
            ):
                node.body = node.body[1:] or [ast.Pass()]
        digest.update(f"{module}\n{ast.dump(tree)}\n".encode())
    return digest.hexdigest()[:16]


def committed_fingerprints() -> dict[str, dict[str, str | int]]:
    """The fingerprint that was committed with each recipe's version."""
    return json.loads(FINGERPRINTS.read_text(encoding="utf-8"))


def current_fingerprints() -> dict[str, dict[str, str | int]]:
    """The same for the code as it is now."""
    return {
        kind: {"version": recipe.version, "fingerprint": fingerprint(recipe)}
        for kind, recipe in RECIPES.items()
    }
