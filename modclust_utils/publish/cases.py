"""One case of a claim, which the rules of all chapters give."""

from __future__ import annotations

from dataclasses import dataclass


@dataclass(frozen=True)
class Case:
    """One case of a claim: what was compared, and whether the rule holds."""

    name: str
    holds: bool
    evidence: str
