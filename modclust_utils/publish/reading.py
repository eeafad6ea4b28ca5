"""One reading of what people type: numbers are decimal, whether typed, in a file, or by papermill.

YAML 1.1, which Python's library reads, takes 010 for 8, 1:30 for 90, 0x4 for 4, 1_0 for 10, and
3e-1 for a text. Here a number is what a person means by it, and all else stays a text, which the
check of the parameters then refuses. A name that stands twice is an error: a value would be lost.
"""

from __future__ import annotations

import re
from typing import Any

import yaml

_DIGITS = list("-+.0123456789")
_KINDS = {
    "null": (r"~|null|", ["~", "n", ""]),
    "bool": (r"true|True|false|False", list("tTfF")),
    "int": (r"[-+]?[0-9]+", _DIGITS),
    "float": (r"[-+]?(\.[0-9]+|[0-9]+(\.[0-9]*)?)([eE][-+]?[0-9]+)?", _DIGITS),
}


class _Reader(yaml.SafeLoader):
    """YAML with the numbers of its version 1.2, as far as people type them."""

    yaml_implicit_resolvers: dict[str, Any] = {}  # noqa: RUF012 - yaml's own way to set them


for _kind, (_pattern, _first) in _KINDS.items():
    # numbers that are whole are tried first
    _Reader.add_implicit_resolver(
        f"tag:yaml.org,2002:{_kind}", re.compile(f"^(?:{_pattern})$"), _first
    )


def _mapping(reader: _Reader, node: yaml.MappingNode) -> dict[Any, Any]:
    found: dict[Any, Any] = {}
    for key_node, value_node in node.value:
        key = reader.construct_object(key_node, deep=True)
        if isinstance(key, list | dict) or key in found:
            raise ValueError(f"{key!r} stands there twice, or is no name")
        found[key] = reader.construct_object(value_node, deep=True)
    return found


_Reader.add_constructor("tag:yaml.org,2002:map", _mapping)
_Reader.add_constructor(
    "tag:yaml.org,2002:int", lambda reader, node: int(reader.construct_scalar(node))
)
_Reader.add_constructor(
    "tag:yaml.org,2002:float", lambda reader, node: float(reader.construct_scalar(node))
)


def read_yaml(text: str) -> Any:
    """What a text says. Raises ValueError for text that is no YAML."""
    try:
        return yaml.load(text, _Reader)
    except (yaml.YAMLError, ValueError, RecursionError) as error:
        raise ValueError(re.sub(r"\s+", " ", str(error))) from error
