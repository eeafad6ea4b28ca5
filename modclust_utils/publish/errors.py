"""Errors whose message is all that the user of the command needs."""

from __future__ import annotations


class ParameterError(ValueError):
    """Parameters that a chapter does not take: each with its value and what is allowed."""


class RecordError(RuntimeError):
    """A record that cannot be read or written; the message names the file and what to do."""


class RunError(RuntimeError):
    """A run that did not give a page; the message says why and where its remains are."""


class BuildError(RuntimeError):
    """A site that cannot be built honestly; the message says what is missing or stale."""
