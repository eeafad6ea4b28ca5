"""Errors of the command whose message is all that its user needs."""

from __future__ import annotations


class RunError(RuntimeError):
    """A run that did not give a page; the message says why and where its remains are."""


class BuildError(RuntimeError):
    """A site that cannot be built honestly; the message says what is missing or stale."""
