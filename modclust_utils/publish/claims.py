"""Claims: what a paper says, the rule that decides whether we see it too, and the verdict.

``data/claims.yml`` is written before a run. A rule is one of the functions in `RULES`; it looks at
every case of the claim (a condition of Table 1, say) and the verdict follows from how many cases
hold: all of them, reproduced; some, partly; none, not. Without records of the claim's data sets
the verdict is "not attempted".
"""

from __future__ import annotations

import json
import os
from collections.abc import Callable, Mapping, Sequence
from dataclasses import dataclass
from pathlib import Path
from typing import Any

import numpy as np
import pandas as pd
import scipy.stats
import yaml

from modclust_utils import stats
from modclust_utils.chapters.ch01_clusterability.tables import N_PAPER, condition_name
from modclust_utils.figures.style import dataset_name
from modclust_utils.paths import root
from modclust_utils.publish import rules_lesions, rules_nulls
from modclust_utils.publish.cases import Case
from modclust_utils.publish.records import write_atomically
from modclust_utils.publish.session import RUN_VARIABLE

VERDICTS = ("reproduced", "partly", "not", "not attempted")


@dataclass(frozen=True)
class Verdict:
    """A claim with its cases and what follows from them."""

    claim: Mapping[str, Any]
    cases: tuple[Case, ...]

    @property
    def verdict(self) -> str:
        """reproduced, partly, not, or not attempted."""
        held = sum(case.holds for case in self.cases)
        if not self.cases:
            return "not attempted"
        return "reproduced" if held == len(self.cases) else "partly" if held else "not"


@dataclass(frozen=True)
class Chapter1:
    """What the claims of chapter 1 are decided from.

    networks: `tables.network_table`; tables: `tables.clusterability_table` for each k;
    random: n-cuts of freshly initialized networks; n_clusters: their k.
    """

    networks: pd.DataFrame
    tables: Mapping[int, pd.DataFrame]
    random: np.ndarray
    n_clusters: int


def read_claims(chapter: int, path: Path | None = None) -> list[dict[str, Any]]:
    """The claims of a chapter. Raises ValueError for an entry without its fields or rule."""
    path = path or root() / "data" / "claims.yml"
    claims = yaml.safe_load(path.read_text(encoding="utf-8"))
    for claim in claims:
        missing = {"id", "chapter", "place", "claim", "rule", "holds_if"} - set(claim)
        if missing:
            raise ValueError(f"{path}: claim {claim.get('id')} lacks {sorted(missing)}")
        if claim["rule"] not in RULES:
            raise ValueError(
                f"{path}: rule={claim['rule']!r} of {claim['id']}; allowed: {', '.join(RULES)}"
            )
    return [claim for claim in claims if claim["chapter"] == chapter]


def decide(claims: Sequence[Mapping[str, Any]], results: Any) -> list[Verdict]:
    """The verdict on every claim of a chapter, from what its rules look at."""
    return [
        Verdict(claim, tuple(RULES[claim["rule"]](results, **claim.get("arguments", {}))))
        for claim in claims
    ]


def _rows(table: pd.DataFrame, datasets: Sequence[str], dropout: bool | None) -> pd.DataFrame:
    chosen = table[table["dataset"].isin(datasets)]
    return chosen if dropout is None else chosen[chosen["dropout"] == dropout]


def mean_within_spread(results: Chapter1, datasets: list[str], n_clusters: int) -> list[Case]:
    """Our mean n-cut lies within one printed standard deviation of the printed mean."""
    cases = []
    for _, row in _rows(results.tables.get(n_clusters, _NO_ROWS), datasets, None).iterrows():
        gap = row["ncut_mean"] - row["paper_ncut_mean"]
        evidence = f"{gap:+.3f} against a spread of {row['paper_ncut_std']:.3f}"
        cases.append(
            Case(
                condition_name(row["dataset"], row["dropout"]),
                abs(gap) <= row["paper_ncut_std"],
                evidence,
            )
        )
    return cases


def dropout_lowers(results: Chapter1, datasets: list[str], n_clusters: int) -> list[Case]:
    """The interval for n-cut with dropout minus without lies below 0."""
    cases = []
    table = results.tables.get(n_clusters, _NO_ROWS)
    for dataset in datasets:
        pair = {r["dropout"]: r for _, r in _rows(table, [dataset], None).iterrows()}
        if set(pair) != {True, False}:
            continue
        low, high = stats.welch_interval(
            *(pair[True][c] for c in ("ncut_mean", "ncut_std", "n")),
            *(pair[False][c] for c in ("ncut_mean", "ncut_std", "n")),
        )
        cases.append(Case(dataset_name(dataset), high < 0, f"[{low:+.3f}, {high:+.3f}]"))
    return cases


def pruning_lowers(results: Chapter1, datasets: list[str]) -> list[Case]:
    """In every condition all networks have a lower n-cut after pruning than before."""
    cases = []
    chosen = results.networks[results.networks["dataset"].isin(datasets)]
    for (dataset, dropout), group in chosen.groupby(["dataset", "dropout"], sort=False):
        wide = group.pivot(index="seed", columns="phase", values="ncut")
        lower = int((wide["after"] < wide["before"]).sum())
        name = condition_name(str(dataset), bool(dropout))
        cases.append(Case(name, lower == len(wide), f"{lower} of {len(wide)} networks"))
    return cases


def same_share_significant(results: Chapter1, datasets: list[str], n_clusters: int) -> list[Case]:
    """Fisher's exact test sees no difference (p > 0.05) between our share of networks below all
    their shuffles and the printed one."""
    cases = []
    for _, row in _rows(results.tables.get(n_clusters, _NO_ROWS), datasets, None).iterrows():
        theirs = round(row["paper_prop_sig"] * N_PAPER)
        counts = [[row["n_sig"], row["n"] - row["n_sig"]], [theirs, N_PAPER - theirs]]
        p = float(scipy.stats.fisher_exact(counts).pvalue)
        evidence = f"{row['n_sig']}/{row['n']} against {theirs}/{N_PAPER}, p = {p:.2f}"
        cases.append(Case(condition_name(row["dataset"], row["dropout"]), p > 0.05, evidence))
    return cases


def random_within(
    results: Chapter1, datasets: list[str], n_clusters: int, low: float, high: float
) -> list[Case]:
    """All freshly initialized networks have an n-cut within the printed range."""
    if not results.networks["dataset"].isin(datasets).any() or results.n_clusters != n_clusters:
        return []
    inside = (results.random >= low) & (results.random <= high)
    evidence = f"{int(inside.sum())} of {len(inside)}, from {results.random.min():.3f} to "
    return [Case("all", bool(inside.all()), evidence + f"{results.random.max():.3f}")]


_NO_ROWS = pd.DataFrame({"dataset": [], "dropout": []})
RULES: dict[str, Callable[..., list[Case]]] = {
    rule.__name__: rule
    for rule in (
        mean_within_spread,
        dropout_lowers,
        pruning_lowers,
        same_share_significant,
        random_within,
        *rules_nulls.RULES,
        *rules_lesions.RULES,
    )
}


def verdict_table(verdicts: Sequence[Verdict]) -> pd.DataFrame:
    """The scoreboard as a page shows it: claim, place, rule, evidence, verdict."""
    rows = []
    for verdict in verdicts:
        evidence = "<br>".join(
            f"{'✓' if case.holds else '✗'} {case.name}: {case.evidence}" for case in verdict.cases
        )
        slug = verdict.verdict.replace(" ", "-")
        rows.append(
            {
                "Claim": verdict.claim["claim"],
                "Where": verdict.claim["place"],
                "Holds if": verdict.claim["holds_if"],
                "Evidence": evidence or "no records for it in this run",
                "Verdict": f'<span class="mc-verdict mc-verdict-{slug}">{verdict.verdict}</span>',
            }
        )
    return pd.DataFrame(rows).set_index("Claim")


def plain_verdicts(verdicts: Sequence[Verdict]) -> pd.DataFrame:
    """The same as plain data: a row for each case."""
    return pd.DataFrame(
        [
            {
                "id": v.claim["id"],
                "verdict": v.verdict,
                "case": case.name,
                "holds": case.holds,
                "evidence": case.evidence,
            }
            for v in verdicts
            for case in (v.cases or (Case("", False, "not attempted"),))
        ]
    )


def save_verdicts(verdicts: Sequence[Verdict]) -> None:
    """Leave the verdicts with the run, for the scoreboard; in a bare notebook there is no run."""
    folder = os.environ.get(RUN_VARIABLE)
    if folder:
        rows = [
            {
                "id": v.claim["id"],
                "claim": v.claim["claim"],
                "place": v.claim["place"],
                "verdict": v.verdict,
                "held": sum(case.holds for case in v.cases),
                "cases": len(v.cases),
            }
            for v in verdicts
        ]
        write_atomically(Path(folder) / "verdicts.json", json.dumps(rows, indent=1).encode())
