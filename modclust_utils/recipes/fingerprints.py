"""Fingerprints of the code that computes a kind of record, so that a change of it is noticed.

A fingerprint covers what a recipe's ``compute`` reaches in this package, definition by definition:
functions, classes and constants, followed by their names through the modules. It does not see where
a definition stands, import lines, annotations, docstrings, messages of errors, comments and layout:
a pure move leaves it as it is, and so does an edit next to it.

``fingerprints.json`` holds the committed ones. A change of code that may give other values raises
the version of each recipe that it reaches; in any case the file is renewed:
``python -m modclust_utils.recipes.fingerprints``.
"""

from __future__ import annotations

import ast
import hashlib
import importlib.util
import json
from collections.abc import Callable, Iterable
from dataclasses import dataclass, field
from functools import cache
from pathlib import Path
from typing import Any

from modclust_utils.recipes import all_recipes

PACKAGE = "modclust_utils"
FILE = Path(__file__).with_name("fingerprints.json")


@dataclass(frozen=True)
class Module:
    """What a module defines at its top level, and what it imports from this package.

    definitions: name -> statements that bind it. imports: name -> (module, name in it), where the
    second is None for a module itself.
    """

    definitions: dict[str, list[ast.stmt]] = field(default_factory=dict)
    imports: dict[str, tuple[str, str | None]] = field(default_factory=dict)


def fingerprint(functions: Iterable[Callable[..., Any]]) -> str:
    """Hash of the code that some functions of this package reach, they themselves included."""
    pending = [(f.__module__, f.__name__) for f in functions]
    seen: set[tuple[str, str]] = set()
    texts = set()
    while pending:
        place = pending.pop()
        if place in seen:
            continue
        seen.add(place)
        statements, module = _find(*place)
        for statement in statements:
            reader = _Reader(module)
            texts.add(f"{place[1]}: {reader.read(statement)}")
            pending += reader.reached
    return hashlib.sha256("\n".join(sorted(texts)).encode()).hexdigest()[:16]


def _find(module: str, name: str) -> tuple[list[ast.stmt], str]:
    """The statements that define a name, and the module where they stand."""
    read = read_module(module)
    if name in read.definitions:
        return read.definitions[name], module
    origin, original = read.imports[name]
    assert original is not None
    return _find(origin, original)


@cache
def read_module(name: str) -> Module:
    """The definitions and imports of a module of this package."""
    spec = importlib.util.find_spec(name)
    if spec is None or spec.origin is None:
        raise ValueError(f"name={name!r} is no module; allowed: modules of {PACKAGE}")
    return parse_module(Path(spec.origin).read_text(encoding="utf-8"))


def parse_module(source: str) -> Module:
    """The definitions and imports in the source of a module."""
    module = Module()
    for node in ast.parse(source).body:
        match node:
            case ast.FunctionDef(name=name) | ast.ClassDef(name=name):
                module.definitions.setdefault(name, []).append(node)
            case ast.Assign(targets=targets):
                for target in targets:
                    for each in ast.walk(target):
                        if isinstance(each, ast.Name):
                            module.definitions.setdefault(each.id, []).append(node)
            case ast.AnnAssign(target=ast.Name(id=name)) | ast.AugAssign(target=ast.Name(id=name)):
                module.definitions.setdefault(name, []).append(node)
            case ast.ImportFrom(module=str(origin), names=names) if origin.startswith(PACKAGE):
                for alias in names:
                    inner = f"{origin}.{alias.name}"
                    place = (inner, None) if _is_module(inner) else (origin, alias.name)
                    module.imports[alias.asname or alias.name] = place
    return module


@cache
def _is_module(name: str) -> bool:
    try:
        return importlib.util.find_spec(name) is not None
    except ModuleNotFoundError:  # what should hold it is a module itself, and no package
        return False


class _Reader:
    """A definition as text, and what it reaches in this package.

    Not `ast.dump`, whose text differs between versions of Python.
    """

    def __init__(self, module: str) -> None:
        self.module = read_module(module)
        self.name = module
        self.reached: list[tuple[str, str]] = []

    def read(self, node: object) -> str:
        if isinstance(node, list):
            return f"[{', '.join(map(self.read, node))}]"
        if not isinstance(node, ast.AST):
            return repr(node)
        if isinstance(node, ast.Raise):
            # that something is refused counts, the words do not
            return "Raise()"
        if isinstance(node, ast.Attribute) and isinstance(node.value, ast.Name):
            origin, name = self.module.imports.get(node.value.id, ("", ""))
            if name is None:
                # the same as the name imported by itself
                return self._reach(origin, node.attr, node.ctx)
        if isinstance(node, ast.Name):
            if node.id in self.module.definitions:
                return self._reach(self.name, node.id, node.ctx)
            if node.id in self.module.imports:
                origin, name = self.module.imports[node.id]
                if name is not None:
                    return self._reach(origin, name, node.ctx)
        fields = (
            f"{name}={self.read(value)}"
            for name, value in ast.iter_fields(_code_of(node))
            if value is not None and value != [] and name not in ("annotation", "returns")
        )
        return f"{type(node).__name__}({', '.join(fields)})"

    def _reach(self, module: str, name: str, context: ast.expr_context) -> str:
        self.reached.append((module, name))
        return f"Name(id={name!r}, ctx={type(context).__name__}())"


def _code_of(node: ast.AST) -> ast.AST:
    """A node without its docstring, and without the empty texts that Python 3.12.1 reads."""
    if isinstance(node, ast.ClassDef | ast.FunctionDef) and ast.get_docstring(node, clean=False):
        fields = dict(ast.iter_fields(node))
        return type(node)(**{**fields, "body": node.body[1:] or [ast.Pass()]})
    if isinstance(node, ast.JoinedStr):
        return ast.JoinedStr([each for each in node.values if getattr(each, "value", None) != ""])
    return node


def current() -> dict[str, dict[str, str | int]]:
    """Version and fingerprint of every recipe, for the code as it is now."""
    return {
        kind: {
            "version": recipe.version,
            "fingerprint": fingerprint([recipe.compute, *recipe.code]),
        }
        for kind, recipe in sorted(all_recipes().items())
    }


def committed() -> dict[str, dict[str, str | int]]:
    """The same as it was committed."""
    return json.loads(FILE.read_text(encoding="utf-8")) if FILE.is_file() else {}


def write() -> list[str]:
    """Commit the code as it is now to the file; the kinds whose entry changed."""
    before, now = committed(), current()
    FILE.write_text(json.dumps(now, indent=1) + "\n", encoding="utf-8")
    return [kind for kind in now if now[kind] != before.get(kind)]


if __name__ == "__main__":
    print("renewed:", ", ".join(write()) or "nothing")
