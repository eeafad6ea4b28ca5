"""What was typed for papermill, which reads numbers in its own way before a notebook sees them.

Its ``-p`` takes ``1_0`` for ten as Python does, and its files are YAML 1.1, where ``010`` is eight.
A notebook is handed the numbers alone; the words stand in the command line of the process that
started its kernel.
"""

from __future__ import annotations

import base64
from collections.abc import Mapping, Sequence
from pathlib import Path
from typing import Any

import psutil

from modclust_utils.publish.errors import ParameterError
from modclust_utils.publish.parameters import Schema, read_parameter_file
from modclust_utils.publish.reading import read_yaml


def check_words(schema: Schema, given: Mapping[str, Any]) -> None:
    """Raise ParameterError for values that papermill read otherwise than this book would have.

    Nothing is known, and nothing raised, where no papermill started this kernel from a command
    line that can be seen.
    """
    found = command_line()
    if found is not None:
        compare(schema, given, read_again(schema, *found))


def command_line() -> tuple[list[str], Path] | None:
    """The words behind ``papermill`` in the command that started this kernel, and its folder."""
    try:
        parent = psutil.Process().parent()
        words, folder = (parent.cmdline(), Path(parent.cwd())) if parent else ([], Path())
    except psutil.Error:
        return None
    names = [Path(word).stem for word in words[:3]]
    if "papermill" not in names:
        return None
    return words[names.index("papermill") + 1 :], folder


def read_again(schema: Schema, words: Sequence[str], folder: Path) -> dict[str, Any]:
    """The parameters in a command line of papermill, in its order, as this book reads them."""
    from papermill.cli import papermill

    typed = papermill.make_context("papermill", list(words), resilient_parsing=True).params
    found: dict[str, Any] = {}
    for text in typed["parameters_base64"]:
        found |= _mapping(base64.b64decode(text).decode())
    for name in typed["parameters_file"]:
        # it may be an address
        found |= read_parameter_file(folder / name) if (folder / name).is_file() else {}
    for text in typed["parameters_yaml"]:
        found |= _mapping(text)
    for name, text in typed["parameters"]:
        if name in schema.defaults:
            found[name] = schema.parse(name, text)
    return {
        name: value for name, value in found.items() if name not in dict(typed["parameters_raw"])
    }


def _mapping(text: str) -> dict[str, Any]:
    try:
        found = read_yaml(text)
    except ValueError as error:
        raise ParameterError(f"{text!r} cannot be read as parameters ({error})") from error
    return found if isinstance(found, dict) else {}


def compare(schema: Schema, given: Mapping[str, Any], again: Mapping[str, Any]) -> None:
    """Raise ParameterError for values that differ from those that were read again."""
    problems = [
        f"{name}={given[name]!r} is not allowed: papermill read it so, and here it is "
        f"{again[name]!r}. Numbers are decimal and in plain digits."
        for name in schema.defaults
        if name in given and name in again and given[name] != again[name]
    ]
    if problems:
        raise ParameterError("\n".join(problems))
