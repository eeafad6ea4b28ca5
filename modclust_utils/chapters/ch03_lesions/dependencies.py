"""Counts of the edges of dependency graphs, within clusters and across them."""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import asdict, dataclass
from typing import Any

import pandas as pd

from modclust_utils.chapters.ch03_lesions.tables import Study, important_pairs
from modclust_utils.lesion_results import THRESHOLD
from modclust_utils.recipes.frames import shown_table, traced


@dataclass(frozen=True)
class Graph:
    """Edges among the pairs of important sub-clusters, and the other pairs; how many of each lie
    within a cluster."""

    n_edges: int
    n_same_edges: int
    n_others: int
    n_same_others: int

    @property
    def n_pairs(self) -> int:
        """All pairs of important sub-clusters in different layers."""
        return self.n_edges + self.n_others


def graph(*tables: tuple[pd.DataFrame, pd.DataFrame]) -> Graph:
    """What there is in graphs, each with its edges and with all pairs of important sub-clusters."""
    n_edges, n_pairs = (sum(len(each[i]) for each in tables) for i in (0, 1))
    same_edges, same_pairs = (
        sum(int((each[i]["x_label"] == each[i]["y_label"]).sum()) for each in tables)
        for i in (0, 1)
    )
    return Graph(n_edges, same_edges, n_pairs - n_edges, same_pairs - same_edges)


def graph_of(*studies: Study) -> Graph:
    """`graph` of studies together."""
    return graph(*((s.edges, important_pairs(s.pairs, s.singles)) for s in studies))


def share_of(n: int, total: int) -> str:
    """A count as a page prints it, with its share where there is one."""
    return f"{n} of {total}" + (f" ({n / total:.0%})" if total else "")


def only_insignificant(edges: pd.DataFrame) -> pd.Series:
    """Which edges there are for want of significance alone: each sub-cluster that is not important
    given the other still costs more than a point, but some random set costs as much."""
    x_is, y_is = (edges[name].astype(bool) for name in ("x_given_y", "y_given_x"))
    return (x_is | (edges["delta_x_y"] > THRESHOLD)) & (y_is | (edges["delta_y_x"] > THRESHOLD))


@traced
def network_rows(
    networks: Sequence[Study], singles: pd.DataFrame, pairs: pd.DataFrame, edges: pd.DataFrame
) -> pd.DataFrame:
    """Important sub-clusters, harmful lesions and the graph of each of our networks, and of the
    paper's, whose tables come last. worst, worst_last: the largest drop, and that in the last
    hidden layer."""
    rows = [
        _row("ours", i, study.singles, graph_of(study)) for i, study in enumerate(networks, start=1)
    ]
    return pd.DataFrame([*rows, _row("paper", 1, singles, graph((edges, pairs)))])


def _row(source: str, network: int, singles: pd.DataFrame, found: Graph) -> dict[str, Any]:
    last = singles["layer"] == singles["layer"].max()
    return {
        "source": source,
        "network": network,
        "n_sub_clusters": len(singles),
        "n_important": int((singles["kind"] == "important").sum()),
        "worst": float(singles["drop"].max()),
        "worst_last": float(singles.loc[last, "drop"].max()),
        "n_pairs": found.n_pairs,
    } | asdict(found)


@shown_table
def readable_networks(rows: pd.DataFrame) -> pd.DataFrame:
    """`network_rows` as a page shows them."""
    shown = pd.DataFrame(
        {
            "Source": rows["source"],
            "Network": rows["network"],
            "Important": [f"{r.n_important} of {r.n_sub_clusters}" for r in rows.itertuples()],
            "Largest loss": [f"{100 * drop:.1f}" for drop in rows["worst"]],
            "In the last layer": [f"{100 * drop:.1f}" for drop in rows["worst_last"]],
            "Edges": [share_of(int(r.n_edges), int(r.n_pairs)) for r in rows.itertuples()],
            "In one cluster": rows["n_same_edges"],
            "Other pairs in one": rows["n_same_others"],
        }
    )
    return shown.set_index(["Source", "Network"])
