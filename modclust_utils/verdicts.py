"""Verdicts: what follows from the cases of a claim.

A *rule* is a function that looks at every case of a claim (a condition of Table 1, say) and says
whether it holds. All of them: reproduced; some: partly; none: not. Without a case there is nothing
to decide from, and the claim was not attempted.
"""

from __future__ import annotations

from collections.abc import Callable, Mapping, Sequence
from dataclasses import dataclass
from typing import Any

VERDICTS = ("reproduced", "partly", "not", "not attempted")


@dataclass(frozen=True)
class Case:
    """One case of a claim: what was compared, and whether the rule holds."""

    name: str
    holds: bool
    evidence: str


@dataclass(frozen=True)
class Verdict:
    """A claim with its cases and what follows from them."""

    claim: Mapping[str, Any]
    cases: tuple[Case, ...]

    @property
    def held(self) -> int:
        """How many cases hold."""
        return sum(case.holds for case in self.cases)

    @property
    def verdict(self) -> str:
        """One of `VERDICTS`."""
        if not self.cases:
            return "not attempted"
        return "reproduced" if self.held == len(self.cases) else "partly" if self.held else "not"


Rule = Callable[..., list[Case]]


def decide(
    claims: Sequence[Mapping[str, Any]], rules: Mapping[str, Rule], results: Any
) -> list[Verdict]:
    """The verdict on every claim, by its rule, from what the rules of a chapter look at."""
    return [
        Verdict(claim, tuple(rules[claim["rule"]](results, **claim.get("arguments", {}))))
        for claim in claims
    ]
