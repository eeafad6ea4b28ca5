"""Tables of chapter 2 about two designs of a test: independent shuffles, and few that are repeated.

The paper's p-values look as if 32 distinct shuffles had been counted ten times each.
"""

from __future__ import annotations

import numpy as np
import pandas as pd

from modclust_utils import quantized
from modclust_utils.chapters.ch02_dropout_and_topology.printed import CONDITION
from modclust_utils.chapters.ch02_dropout_and_topology.tables import below_all
from modclust_utils.recipes.frames import shown_table, traced
from modclust_utils.tables import (
    N_DISTINCT,
    N_PAPER,
    N_SHUFFLES,
    condition_name,
    share_with_interval,
)

#: How often the paper seems to have counted each of its different shuffles.
COPIES = N_SHUFFLES // N_DISTINCT


@traced
def lattice(paper: pd.DataFrame) -> pd.DataFrame:
    """Each printed p-value with its place on (10 m + 1) / 321 and whether it fits there.

    paper: `printed.networks`.
    """
    columns = ["p_value_layer", "p_value_layer_nonzero"]
    conditions = paper.groupby(CONDITION, sort=False)
    p_values = np.concatenate([rows[name] for _, rows in conditions for name in columns])
    m, fits = quantized.lattice_index(p_values)
    return pd.DataFrame({"p_value": p_values, "m": m, "fits": fits})


@traced
def simulated(tests: pd.DataFrame, *, rng: np.random.Generator) -> pd.DataFrame:
    """Every test of ours under both designs: as it is, and with 32 of its shuffles, drawn once and
    counted ten times each (all of them where there are fewer).

    below_...: shuffles below the network; remainder_...: that number modulo ten, NaN where it is
    none or all, which every design can give.
    """
    rows = []
    for (phase, mode), group in tests.groupby(["phase", "mode"], sort=False):
        for test in group.itertuples():
            about = {"dataset": test.dataset, "dropout": test.dropout, "phase": phase}
            about |= {"null": mode, "network": test.seed}
            rows.append(about | _counts(test.ncut, np.array(test.null_ncuts), rng))
    return pd.DataFrame(rows)


def _counts(ncut: float, null: np.ndarray, rng: np.random.Generator) -> dict[str, float]:
    n_distinct = min(N_DISTINCT, len(null))
    (p,) = quantized.repeated_p_values(
        ncut, null, n_distinct=n_distinct, copies=COPIES, n_draws=1, rng=rng
    )
    total = COPIES * n_distinct
    below = {
        "independent": (int((null < ncut).sum()), len(null)),
        "repeated": (round(float(p) * (total + 1)) - 1, total),
    }
    row: dict[str, float] = {}
    for design, (count, n) in below.items():
        row |= {
            f"below_{design}": count,
            f"n_{design}": n,
            f"remainder_{design}": count % COPIES if 0 < count < n else np.nan,
        }
    return row


@traced
def significance(ours: pd.DataFrame, paper: pd.DataFrame) -> pd.DataFrame:
    """Shares of networks below all their shuffles for each condition, phase and null: under
    independent shuffles, under 32 distinct ones counted ten times (expected share), and as printed.

    ours: `tables.per_network`; paper: `printed.networks`.
    """
    rows = []
    for place, group in ours.groupby(CONDITION, sort=False):
        same = paper[(paper[CONDITION] == list(place)).all(axis=1)]
        for null in ("layer", "layer_nonzero"):
            words = null.replace("_", "-")
            counts = zip(group[f"n_below_{null}"], group["n_shuffles"], strict=True)
            chances = [
                quantized.chance_significant(below, n, min(N_DISTINCT, n)) for below, n in counts
            ]
            rows.append(
                dict(zip(CONDITION, place, strict=True))
                | {
                    "null": words,
                    "n": len(group),
                    "ours_independent": below_all(group, null).mean(),
                    "ours_repeated": np.mean(chances),
                    "paper": below_all(same, null).mean(),
                    "name": f"{condition_name(place[0], place[1])}, {place[2]} pruning, {words}",
                }
            )
    return pd.DataFrame(rows)


@shown_table
def readable_significance(table: pd.DataFrame) -> pd.DataFrame:
    """`significance` as a page shows it."""
    rows = [
        {
            "Networks": condition_name(row.dataset, row.dropout),
            "Pruning": row.phase,
            "Null": row.null,
            "Ours, independent shuffles": _share(row.ours_independent, row.n),
            "Ours, 32 shuffles counted ten times": f"{row.ours_repeated:.2f}",
            "Paper": "–" if np.isnan(row.paper) else _share(row.paper, N_PAPER),
        }
        for row in table.itertuples()
    ]
    return pd.DataFrame(rows).set_index(["Networks", "Pruning", "Null"])


def _share(share: float, n: int) -> str:
    return share_with_interval(round(share * n), n)
