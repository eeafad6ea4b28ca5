"""The `parameters` cell of a chapter is its schema: names, types, defaults and what they mean.

Each line of the cell is ``name: type = literal  # comment``. Ranges that a type cannot say stand in
`recipes.ranges`, one vocabulary for all chapters, and in `RANGES` of a chapter's room. Every way
into a run goes through the same check: the command, papermill, and the notebook itself.
"""

from __future__ import annotations

import ast
import difflib
import io
import os
import re
import tokenize
from collections.abc import Callable, Iterable, Mapping
from dataclasses import dataclass, field
from pathlib import Path
from types import ModuleType
from typing import Any

import nbformat
from pydantic import BaseModel, ConfigDict, ValidationError, create_model

from modclust_utils.paths import SCHEDULER_VARIABLE, absolute_path
from modclust_utils.publish.chapters import profile_files, profiles, room
from modclust_utils.publish.errors import ParameterError
from modclust_utils.publish.reading import read_yaml
from modclust_utils.recipes.ranges import SHARED, Range

# Parameters that say where and how fast to compute, not what: no record depends on them.
MACHINE_PARAMETERS = ("device", "n_jobs", "data_folder")
TYPES: dict[str, Any] = {
    "int": int,
    "float": float,
    "str": str,
    "bool": bool,
    "list[int]": list[int],
    "list[float]": list[float],
    "list[str]": list[str],
    "dict": dict[str, dict[str, int | float]],
}


@dataclass(frozen=True)
class Parameter:
    """One line of a parameters cell."""

    name: str
    type_name: str
    default: Any
    comment: str


@dataclass(frozen=True)
class Schema:
    """The parameters of one chapter, in the order of its cell, and the ranges of some of them.

    misfits: what is wrong with values that are each in their range, but do not fit together.
    """

    source: Path
    parameters: tuple[Parameter, ...]
    ranges: Mapping[str, Range] = field(default_factory=lambda: SHARED)
    misfits: Callable[[Mapping[str, Any]], Iterable[str]] = lambda values: ()

    @property
    def defaults(self) -> dict[str, Any]:
        """The quick profile."""
        return {p.name: p.default for p in self.parameters}

    def check(self, values: Mapping[str, Any]) -> dict[str, Any]:
        """All parameters, `values` over the defaults, checked.

        Raises ParameterError that lists every unknown name, wrong type and value out of range; or,
        where there are none of these, what does not fit together.
        """
        unknown = [name for name in values if name not in self.defaults]
        problems = [self._unknown(name) for name in unknown]
        known = {name: value for name, value in values.items() if name not in unknown}
        try:
            checked = self._model().model_validate({**self.defaults, **known})
        except ValidationError as error:
            problems += self._problems(error, {**self.defaults, **known})
        problems = problems or [*self.misfits(checked.model_dump())]
        if problems:
            raise ParameterError("\n".join(problems))
        return absolute(checked.model_dump())

    def _model(self) -> type[BaseModel]:
        fields: dict[str, Any] = {
            p.name: (
                self.ranges[p.name][0] if p.name in self.ranges else TYPES[p.type_name],
                p.default,
            )
            for p in self.parameters
        }
        return create_model("Parameters", __config__=ConfigDict(strict=True), **fields)

    def _unknown(self, name: object) -> str:
        close = difflib.get_close_matches(str(name), self.defaults, n=1)
        hint = f" Did you mean {close[0]!r}?" if close else ""
        return (
            f"{name!r} is not a parameter of {self.source.name}.{hint} "
            f"Allowed: {', '.join(self.defaults)}."
        )

    def _problems(self, error: ValidationError, values: Mapping[str, Any]) -> list[str]:
        lines = {}
        for problem in error.errors():
            name = str(problem["loc"][0])
            allowed = self.ranges[name][1] if name in self.ranges else self._type_of(name)
            message = problem["msg"].removeprefix("Value error, ")
            lines[name] = f"{name}={values[name]!r} is not allowed: {allowed} ({message})."
        return list(lines.values())

    def _type_of(self, name: str) -> str:
        return next(p.type_name for p in self.parameters if p.name == name)

    def parse(self, name: str, text: str) -> Any:
        """A value typed on the command line, read as YAML; a list may be typed as ``a,b``."""
        if name not in self.defaults:
            raise ParameterError(self._unknown(name))
        type_name = self._type_of(name)
        if type_name == "str":
            return text
        value = _read(text)
        if type_name.startswith("list") and not isinstance(value, list):
            return [_read(part) for part in text.split(",")]
        return value


def _by_file(values: Any, change: Callable[[str], str]) -> Any:
    """The same values with every .npz file named otherwise, keys of `dataset_settings` too."""
    if isinstance(values, dict):
        return {_by_file(key, change): _by_file(value, change) for key, value in values.items()}
    if isinstance(values, list):
        return [_by_file(value, change) for value in values]
    if isinstance(values, str):
        file = values.removesuffix("+dropout")
        return change(file) + values[len(file) :] if file.endswith(".npz") else values
    return values


def absolute(values: Mapping[str, Any]) -> dict[str, Any]:
    """Parameters whose files and folders are those of where the user stands, wherever they are
    read later."""
    found = _by_file(dict(values), absolute_file)
    if found.get("data_folder"):
        found["data_folder"] = absolute_file(found["data_folder"], "data_folder")
    return found


def absolute_file(path: str | Path, name: str = "file") -> str:
    """What was typed, from where the user stands. Raises ParameterError for what is no path."""
    try:
        return str(absolute_path(name, path))
    except ValueError as error:
        raise ParameterError(str(error)) from error


def shown(values: Mapping[str, Any]) -> dict[str, Any]:
    """Parameters as a page shows them: of files and folders the name alone."""
    found = _by_file(dict(values), lambda path: Path(path).name)
    if found.get("data_folder"):
        found["data_folder"] = Path(found["data_folder"]).name
    return found


def check_device(device: str) -> None:
    """Raise ParameterError for a device that is not there, before anything starts.

    Where a scheduler is named, it is one of the workers' devices, and they say so.
    """
    if device in ("auto", "cpu") or os.environ.get(SCHEDULER_VARIABLE):
        return
    # torch takes seconds to import
    from modclust_utils.models import resolve_device

    try:
        resolve_device(device)
    except ValueError as error:
        raise ParameterError(str(error)) from error


def _read(text: str) -> Any:
    """What a text says; the text itself where it says nothing."""
    try:
        return read_yaml(text)
    except ValueError:
        return text


def read_schema(notebook: Path) -> Schema:
    """The schema of a notebook, from its cell tagged ``parameters``.

    Raises ParameterError where the cell is missing or a line is not ``name: type = literal``.
    """
    try:
        cells = nbformat.read(notebook, as_version=4).cells
    except Exception as error:  # a damaged notebook can make its reader fail in any way
        raise ParameterError(f"{notebook} cannot be read as a notebook ({error})") from error
    tagged = [c for c in cells if "parameters" in c.metadata.get("tags", [])]
    if len(tagged) != 1:
        raise ParameterError(f"{notebook} has {len(tagged)} cells tagged 'parameters'; allowed: 1")
    parameters = tuple(_read_cell(tagged[0].source, notebook))
    own = _room_of(notebook)
    ranges = {**SHARED, **getattr(own, "RANGES", {})}
    return Schema(notebook, parameters, ranges, getattr(own, "misfits", Schema.misfits))


def _room_of(notebook: Path) -> ModuleType | None:
    """The room of a chapter; None for a notebook without one."""
    number = re.match(r"\d+(?=-)", notebook.name)
    try:
        return room(int(number[0])) if number else None
    except ParameterError:
        return None


def _read_cell(source: str, notebook: Path) -> list[Parameter]:
    try:
        body = ast.parse(source).body
    except SyntaxError as error:
        raise ParameterError(f"{notebook.name}: the parameters cell: {error}") from error
    comments = {
        token.start[0]: token.string.lstrip("# ").strip()
        for token in tokenize.generate_tokens(io.StringIO(source).readline)
        if token.type == tokenize.COMMENT
    }
    parameters: list[Parameter] = []
    for node in body:
        line = ast.get_source_segment(source, node)
        form = f"{notebook.name}: {line!r} is not `name: type = literal  # comment`"
        if not (isinstance(node, ast.AnnAssign) and isinstance(node.target, ast.Name)):
            raise ParameterError(form)
        type_name = ast.unparse(node.annotation)
        comment = comments.get(node.end_lineno or node.lineno, "")
        if type_name not in TYPES or node.value is None or not comment:
            raise ParameterError(f"{form}; types: {', '.join(TYPES)}")
        try:
            default = ast.literal_eval(node.value)
        except ValueError as error:
            raise ParameterError(f"{form}; its value has to be a literal") from error
        if node.target.id in {p.name for p in parameters}:
            raise ParameterError(f"{notebook.name}: {node.target.id!r} stands there twice")
        parameters.append(Parameter(node.target.id, type_name, default, comment))
    return parameters


def scientific(parameters: Mapping[str, Any]) -> dict[str, Any]:
    """The parameters that decide the results."""
    return {k: v for k, v in parameters.items() if k not in MACHINE_PARAMETERS}


def profile_of(schema: Schema, chapter: int, parameters: Mapping[str, Any]) -> str:
    """The profile whose results these parameters ask for, or ``own parameters``."""
    for profile in profiles(chapter):
        expected = schema.check(read_profile(chapter, profile))
        if scientific(expected) == scientific(parameters):
            return profile
    return "own parameters"


def read_profile(chapter: int, profile: str) -> dict[str, Any]:
    """Parameters of a profile; ``quick`` is the notebook's own defaults."""
    if profile == "quick":
        return {}
    if profile not in profiles(chapter):
        allowed = ", ".join(profiles(chapter))
        raise ParameterError(f"profile={profile!r} is not there; allowed: {allowed}")
    return read_parameter_file(profile_files(chapter)[profile])


def read_parameter_file(path: Path) -> dict[str, Any]:
    """Parameters of a YAML file, as papermill's ``-f`` takes it."""
    try:
        content = read_yaml(path.read_text(encoding="utf-8"))
    except (OSError, ValueError) as error:
        raise ParameterError(f"{path} cannot be read as parameters ({error})") from error
    if not isinstance(content, dict):
        raise ParameterError(f"{path} holds {type(content).__name__}; allowed: name: value lines")
    return content
