"""Tables of chapter 2 about both nulls, network by network, and about what dropout changes."""

from __future__ import annotations

from typing import Any

import numpy as np
import pandas as pd
import scipy.optimize
import scipy.stats

from modclust_utils import stats
from modclust_utils.chapters.ch02_dropout_and_topology.printed import CONDITION, MINIMUM
from modclust_utils.figures.style import dataset_name
from modclust_utils.nulls import MODES
from modclust_utils.recipes.frames import shown_table, traced
from modclust_utils.recipes.network import PHASES
from modclust_utils.tables import condition_name, far_out, in_rows, n_against, spread

WITHOUT = "without networks far out"


@traced
def per_network(networks: pd.DataFrame, tests: pd.DataFrame) -> pd.DataFrame:
    """Tables A.4 to A.15: a row for each network and phase, both nulls and Cohen's d.

    Cohen's d is that of `layer` against `layer-nonzero`; spreads are sample standard deviations;
    the lists `layer` and `layer_nonzero` hold the n-cuts of the shuffles, and `n_below_*` counts
    those with the network's own n-cut, too.
    """
    found = {(test.network, test.phase, test.mode): test for test in tests.itertuples()}
    return pd.DataFrame(
        [
            _both_nulls(network, phase, *(found[network.network, phase, mode] for mode in MODES))
            for phase in PHASES
            for network in networks.itertuples()
        ]
    )


def _both_nulls(network: Any, phase: str, layer: Any, nonzero: Any) -> dict[str, object]:
    own, kept = np.array(layer.null_ncuts), np.array(nonzero.null_ncuts)
    return {
        "dataset": network.dataset,
        "dropout": network.dropout,
        "phase": phase,
        "network": network.seed,
        "ncut": layer.ncut,
        "p_value_layer": layer.p_value,
        "null_layer_mean": own.mean(),
        "null_layer_std": own.std(ddof=1),
        "p_value_layer_nonzero": nonzero.p_value,
        "null_layer_nonzero_mean": kept.mean(),
        "null_layer_nonzero_std": kept.std(ddof=1),
        "cohens_d": stats.cohens_d(own, kept),
        "n_below_layer": n_against(layer.p_value, len(own)),
        "n_below_layer_nonzero": n_against(nonzero.p_value, len(kept)),
        "n_shuffles": len(own),
        "layer": layer.null_ncuts,
        "layer_nonzero": nonzero.null_ncuts,
    }


@traced
def with_paper(ours: pd.DataFrame, paper: pd.DataFrame, column: str) -> pd.DataFrame:
    """A column of `per_network`, ours and the paper's for the same conditions (`source`)."""
    columns = [*CONDITION, "network", column]
    theirs = paper.merge(ours[CONDITION].drop_duplicates(), on=CONDITION)
    return pd.concat(
        [ours[columns].assign(source="ours"), theirs[columns].assign(source="paper")],
        ignore_index=True,
    )


@traced
def side_by_side(ours: pd.DataFrame, paper: pd.DataFrame) -> pd.DataFrame:
    """The networks of one condition and phase, ours and the paper's, both sorted by n-cut.

    Those in one place (`rank`, from 1) are different networks. Columns: those that both have.
    """
    parts = [
        table.sort_values("ncut", ignore_index=True).assign(source=source)
        for source, table in (("ours", ours), ("paper", paper))
    ]
    columns = [name for name in (*ours, "source") if name in (*paper, "source")]
    both = pd.concat([part[columns].assign(rank=part.index + 1) for part in parts if len(part)])
    return both.sort_values(["rank", "source"], ignore_index=True)


@shown_table
def readable_networks(rows: pd.DataFrame) -> pd.DataFrame:
    """`side_by_side` with the columns of Tables A.4 to A.15 as the paper prints them."""
    return pd.DataFrame(
        {
            "Place": rows["rank"],
            "Source": rows["source"],
            "Run": rows["network"],
            "n-cut": [f"{v:.3f}" for v in rows["ncut"]],
            "p": [f"{v:.3f}" for v in rows["p_value_layer"]],
            "Null n-cut": _spreads(rows, "null_layer"),
            "p (non-zero)": [f"{v:.3f}" for v in rows["p_value_layer_nonzero"]],
            "Null n-cut (non-zero)": _spreads(rows, "null_layer_nonzero"),
            "Cohen's d": [f"{v:+.2f}" for v in rows["cohens_d"]],
        }
    ).set_index(["Place", "Source"])


def _spreads(rows: pd.DataFrame, name: str) -> list[str]:
    return [*map(spread, rows[f"{name}_mean"], rows[f"{name}_std"])]


@shown_table
def readable_conditions(ours: pd.DataFrame, paper: pd.DataFrame) -> pd.DataFrame:
    """Tables A.4 to A.15 in a row for each, ours above the paper's: means over the networks."""
    rows = []
    for place, group in ours.groupby(CONDITION, sort=False):
        printed = paper[(paper[CONDITION] == list(place)).all(axis=1)]
        for source, found in (("ours", group), ("paper", printed)):
            if len(found):
                rows.append(((condition_name(*place[:2]), place[2], source), _means(found)))
    return in_rows(rows, ["Networks", "Pruning", "Source"])


def _means(networks: pd.DataFrame) -> dict[str, str]:
    means, stds = (networks[["ncut", "cohens_d"]].agg(name) for name in ("mean", "std"))
    row = {"n-cut": spread(means["ncut"], stds["ncut"])}
    for null, words in (("layer", ""), ("layer_nonzero", " (non-zero)")):
        below = below_all(networks, null)
        row[f"Null n-cut{words}"] = f"{networks[f'null_{null}_mean'].mean():.3f}"
        row[f"Sig.{words}"] = f"{below.sum()} of {len(below)}"
    return row | {"Cohen's d": spread(means["cohens_d"], stds["cohens_d"])}


def below_all(networks: pd.DataFrame, null: str) -> pd.Series:
    """Which networks, ours or the paper's, lie below all their shuffles."""
    if f"n_below_{null}" in networks:
        return networks[f"n_below_{null}"] == 0
    return networks[f"p_value_{null}"] <= MINIMUM


@traced
def dropout_effect(ours: pd.DataFrame, paper: pd.DataFrame) -> pd.DataFrame:
    """n-cut with dropout minus without, for each data set and phase, ours and the paper's.

    difference with Welch's 95 % interval (low, high); z: the difference in its standard errors
    (footnote 11 of the paper); in_order: the share of pairs in which the network with dropout has
    the lower n-cut, with its one-sided 95 % bounds (`order_interval`).
    """
    groups = with_paper(ours, paper, "ncut").groupby(["dataset", "phase", "source"], sort=False)
    return pd.DataFrame(
        [
            {"dataset": dataset, "phase": phase, "source": source}
            | _difference(group[group["dropout"]]["ncut"], group[~group["dropout"]]["ncut"])
            for (dataset, phase, source), group in groups
        ]
    )


def _difference(dropped: pd.Series, plain: pd.Series) -> dict[str, object]:
    first, second = ((v.mean(), v.std(ddof=1), len(v)) for v in (dropped, plain))
    low, high = stats.welch_interval(*first, *second)
    difference = first[0] - second[0]
    return {
        "n": len(plain),
        "difference": difference,
        "low": low,
        "high": high,
        "z": difference / np.sqrt(first[1] ** 2 / first[2] + second[1] ** 2 / second[2]),
    } | dict(
        zip(("in_order", "in_order_low", "in_order_high"), _in_order(dropped, plain), strict=True)
    )


def _in_order(dropped: pd.Series, plain: pd.Series) -> tuple[float, float, float]:
    """The share of pairs in which the first is lower (half of one where both are equal), and its
    one-sided 95 % bounds."""
    gaps = np.sign(plain.to_numpy()[:, None] - dropped.to_numpy())
    share = float((gaps.mean() + 1) / 2)
    return share, *order_interval(share, len(dropped), len(plain), confidence=0.9)


def order_interval(
    share: float, n_a: int, n_b: int, confidence: float = 0.95
) -> tuple[float, float]:
    """Interval for the chance that one of a is lower than one of b, from its share in a sample.

    Newcombe 2006, method 5 (doi:10.1002/sim.2324): all chances that lie no more than z of their own
    standard errors (Hanley and McNeil's, for n = (n_a + n_b) / 2 on both sides) from the share.
    """
    z, n = scipy.stats.norm.ppf((1 + confidence) / 2), (n_a + n_b) / 2 - 1

    def beyond(p: float) -> float:
        variance = p * (1 - p) * (1 + n * (1 - p) / (2 - p) + n * p / (1 + p)) / (n_a * n_b)
        return (share - p) ** 2 - z**2 * variance

    # a share of 0 or 1 is a root of its own, which is not the one that is looked for
    low = 0.0 if share == 0 else scipy.optimize.brentq(beyond, 0, share - 1e-9)
    high = 1.0 if share == 1 else scipy.optimize.brentq(beyond, share + 1e-9, 1)
    return float(low), float(high)


@traced
def effect_both_ways(networks: pd.DataFrame, paper: pd.DataFrame) -> pd.DataFrame:
    """`dropout_effect`, and a row more without networks far out wherever there are some, of ours or
    the paper's."""
    place = ["dataset", "phase", "source"]
    tables = {"ours": networks, "paper": paper}
    out = {source: far_out(table, CONDITION) for source, table in tables.items()}
    without = dropout_effect(*(tables[source][~out[source]] for source in tables))
    places = [tables[source].loc[out[source], place[:2]].assign(source=source) for source in tables]
    moved = without.merge(pd.concat(places).drop_duplicates(), on=place)
    moved["source"] += f", {WITHOUT}"
    both = pd.concat([dropout_effect(networks, paper), moved])
    groups = both.groupby(place[:2], sort=False)
    return pd.concat([rows.sort_values("source") for _, rows in groups], ignore_index=True)


@shown_table
def readable_effect(effect: pd.DataFrame) -> pd.DataFrame:
    """`effect_both_ways` as a page shows it."""
    return pd.DataFrame(
        {
            "Data set": [dataset_name(v) for v in effect["dataset"]],
            "Pruning": effect["phase"],
            "Source": effect["source"],
            "With − without dropout": [
                f"{r.difference:+.3f} [{r.low:+.3f}, {r.high:+.3f}]" for r in effect.itertuples()
            ],
            "Z": [f"{v:.1f}" for v in effect["z"]],
            "Pairs in order": [f"{v:.0%}" for v in effect["in_order"]],
        }
    ).set_index(["Data set", "Pruning", "Source"])


@traced
def shuffles(rows: pd.DataFrame) -> pd.DataFrame:
    """A row for each shuffle of some rows of `per_network`, both nulls (Figures A.2 to A.5)."""
    parts = [
        rows[["network", "ncut"]].assign(mode=mode, null_ncut=rows[mode.replace("-", "_")])
        for mode in MODES
    ]
    table = pd.concat(parts).explode("null_ncut", ignore_index=True)
    return table.astype({"null_ncut": float})[["null_ncut", "network", "ncut", "mode"]]
