"""Errors whose message is all that the user of the command needs."""

from __future__ import annotations

import re


class ParameterError(ValueError):
    """Parameters that a chapter does not take: each with its value and what is allowed."""


class RecordError(RuntimeError):
    """A record that cannot be read or written; the message names the file and what to do."""


class RunError(RuntimeError):
    """A run that did not give a page; the message says why and where its remains are."""


class FileError(RuntimeError):
    """A file that the book or a run keeps and that is damaged; the message says what to do."""


class BuildError(RuntimeError):
    """A site that cannot be built honestly; the message says what is missing or stale."""


def plain_text(text: str) -> str:
    """A text for a terminal, without colours and without what would steer the terminal."""
    text = re.sub(r"\x1b\[[0-9;]*m", "", text)
    return re.sub(r"[^\S\n\t ]|[\x00-\x08\x0b-\x1f\x7f-\x9f]", "\N{REPLACEMENT CHARACTER}", text)
