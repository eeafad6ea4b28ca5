"""What each kind of record was computed by, and how a change of that code is noticed.

A record is keyed by the version of its recipe. The version is raised by hand when the code behind
it may give other results; a fingerprint of that code, committed in ``fingerprints.json``, makes
sure that nobody forgets (``tests/test_versions.py``). After a change: raise the version of each
recipe whose results it can alter, then ``python -m modclust_utils.publish.versions``.
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
    """A kind of record: its version and the modules whose code decides what it holds.

    With them the modules that they import from this package (the tests see to that).
    """

    kind: str
    version: int
    modules: tuple[str, ...]


_CLUSTERING = ("graphs", "kmeans", "spectral", "clustering")
RECIPES = {
    recipe.kind: recipe
    for recipe in (
        Recipe("network", 1, ("datafiles", "data", "models", "settings", "training")),
        Recipe("shuffle-test", 1, (*_CLUSTERING, "stats", "models", "nulls")),
        Recipe("clustering", 1, _CLUSTERING),
        Recipe("random-ncuts", 1, (*_CLUSTERING, "stats", "models", "nulls")),
        Recipe(
            "lesions",
            1,
            (
                *(*_CLUSTERING, "datafiles", "data", "models"),
                *("lesion_accuracies", "lesions", "publish/lesioning"),
            ),
        ),
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
        digest.update(f"{module}\n{_plain(tree)}\n".encode())
    return digest.hexdigest()[:16]


def _plain(node: object) -> str:
    """A syntax tree as text. Not `ast.dump`, whose text differs between versions of Python."""
    if isinstance(node, ast.AST):
        fields = (
            f"{name}={_plain(value)}"
            for name, value in ast.iter_fields(node)
            if value is not None and value != []
        )
        return f"{type(node).__name__}({', '.join(fields)})"
    if isinstance(node, list):
        return f"[{', '.join(map(_plain, node))}]"
    return repr(node)


def committed_fingerprints() -> dict[str, dict[str, str | int]]:
    """The fingerprint that was committed with each recipe's version."""
    return json.loads(FINGERPRINTS.read_text(encoding="utf-8"))


def current_fingerprints() -> dict[str, dict[str, str | int]]:
    """The same for the code as it is now."""
    return {
        kind: {"version": recipe.version, "fingerprint": fingerprint(recipe)}
        for kind, recipe in RECIPES.items()
    }


def write_fingerprints() -> list[str]:
    """Commit the code as it is now to ``fingerprints.json``; the kinds whose entry changed."""
    before = committed_fingerprints() if FINGERPRINTS.is_file() else {}
    now = current_fingerprints()
    FINGERPRINTS.write_text(json.dumps(now, indent=1) + "\n", encoding="utf-8")
    return [kind for kind in now if now[kind] != before.get(kind)]


if __name__ == "__main__":
    print("renewed:", ", ".join(write_fingerprints()) or "nothing")
