"""Fingerprints notice a change of the code behind the records, and nothing else."""

from __future__ import annotations

import ast
import json
from dataclasses import replace

import pytest

from modclust_utils.publish import versions
from modclust_utils.publish.versions import RECIPES, Recipe, fingerprint

SCIENCE = {path.stem for path in versions.PACKAGE.glob("*.py")}

CODE = '''
import math

@math.cache
def spread(values, *rest, scale=1.5, low: float | None = None, **options):
    """Not part of the code."""
    match values:
        case [first, *_] if first:
            text = f"{first!r:>{scale}} of {low}" "joined"
        case _:
            text = b"none"
    return {**options, "a": [v ** 2 for v in rest], -1: lambda x: (x, not x)}


class Box[T]:
    pass
'''.replace("Box[T]", "Box(dict)")  # type parameters are not Python 3.11


@pytest.fixture
def toy(tmp_path, monkeypatch):
    """Fingerprint of a package of one module with the given source."""
    monkeypatch.setattr(versions, "PACKAGE", tmp_path)

    def of(source: str) -> str:
        (tmp_path / "toy.py").write_text(source, encoding="utf-8")
        return fingerprint(Recipe("toy", 1, ("toy",)))

    return of


@pytest.mark.parametrize("kind", RECIPES)
def test_committed_fingerprint_is_that_of_the_code(kind):
    kept, now = versions.committed_fingerprints().get(kind), versions.current_fingerprints()[kind]
    assert kept == now, (
        f"the code behind {kind!r} records changed ({', '.join(RECIPES[kind].modules)}). If their "
        f"values can change, raise the version of {kind!r} in publish/versions.py: its records "
        "will be computed again. In any case renew the fingerprint: "
        "`python -m modclust_utils.publish.versions`, and commit fingerprints.json."
    )


def test_every_committed_fingerprint_belongs_to_a_kind():
    assert set(versions.committed_fingerprints()) == set(RECIPES)


@pytest.mark.parametrize("kind", RECIPES)
def test_recipe_names_all_modules_that_its_modules_import(kind):
    modules = set(RECIPES[kind].modules)
    imported = set()
    for module in modules:
        source = (versions.PACKAGE / f"{module}.py").read_text(encoding="utf-8")
        for node in ast.walk(ast.parse(source)):
            if isinstance(node, ast.ImportFrom) and node.module == "modclust_utils":
                imported |= {alias.name for alias in node.names} & SCIENCE
            elif isinstance(node, ast.ImportFrom) and node.module:
                imported.add(node.module.removeprefix("modclust_utils."))
    assert imported & SCIENCE <= modules


@pytest.mark.parametrize(
    "change",
    [
        lambda code: code.replace('"""Not part of the code."""', '"""Another sentence."""'),
        lambda code: code.replace('    """Not part of the code."""\n', ""),
        lambda code: '"""A module."""\n' + code,
        lambda code: "# a comment\n" + code.replace("match values:", "match values:  # why"),
        lambda code: code.replace(", **options):", ",\n    **options,\n):"),
        lambda code: code.replace("\n\n", "\n\n\n"),
        lambda code: code.replace("    pass", '    """A box."""'),
        lambda code: code.replace("(x, not x)", "(x, (not x))").replace('b"none"', "b'none'"),
    ],
)
def test_comments_docstrings_and_layout_do_not_count(toy, change):
    assert change(CODE) != CODE
    assert toy(change(CODE)) == toy(CODE)


@pytest.mark.parametrize(
    "change",
    [
        lambda code: code.replace("1.5", "1.50001"),
        lambda code: code.replace("1.5", "None"),
        lambda code: code.replace("** 2", "* 2"),
        lambda code: code.replace("@math.cache\n", ""),
        lambda code: code.replace("spread", "range_of"),
        lambda code: code.replace("!r", ""),
        lambda code: code.replace("if first", "if not first"),
        lambda code: code.replace("import math\n", "import math\n'not a docstring'\n"),
        lambda code: code + "\nmath.pi\n",
        lambda code: code.replace("scale=1.5", "scale"),
        lambda code: code.replace("-1:", "1:"),
    ],
)
def test_code_counts(toy, change):
    assert change(CODE) != CODE
    assert toy(change(CODE)) != toy(CODE)


def test_fingerprint_is_the_same_under_every_python(toy):
    # CI compares on its oldest and its newest Python what was written down on one of them
    assert toy(CODE) == "d2fe136bd2132568"


def test_fingerprint_depends_on_every_module_and_its_name(tmp_path, monkeypatch):
    monkeypatch.setattr(versions, "PACKAGE", tmp_path)
    for name in ("a", "b", "c"):
        (tmp_path / f"{name}.py").write_text("x = 1\n", encoding="utf-8")
    one = fingerprint(Recipe("toy", 1, ("a", "b")))
    assert fingerprint(Recipe("toy", 1, ("a", "c"))) != one
    (tmp_path / "b.py").write_text("x = 2\n", encoding="utf-8")
    assert fingerprint(Recipe("toy", 1, ("a", "b"))) != one


def test_write_fingerprints_says_what_it_renewed(tmp_path, monkeypatch):
    file = tmp_path / "fingerprints.json"
    monkeypatch.setattr(versions, "FINGERPRINTS", file)
    monkeypatch.setattr(versions, "fingerprint", lambda recipe: recipe.kind[::-1])
    assert versions.write_fingerprints() == list(RECIPES)
    assert json.loads(file.read_text(encoding="utf-8")) == versions.current_fingerprints()
    assert versions.write_fingerprints() == []
    raised = replace(RECIPES["network"], version=RECIPES["network"].version + 1)
    monkeypatch.setitem(RECIPES, "network", raised)
    assert versions.write_fingerprints() == ["network"]
    assert versions.committed_fingerprints()["network"]["version"] == raised.version
