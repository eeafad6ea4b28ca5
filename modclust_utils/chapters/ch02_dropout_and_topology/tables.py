"""From records to tables of chapter 2: both nulls, network by network, and what dropout changes."""

from __future__ import annotations

import numpy as np
import pandas as pd

from modclust_utils import quantized, stats
from modclust_utils.datasets.papers import PER_NETWORK_TABLES, paper_table
from modclust_utils.figures.style import dataset_name
from modclust_utils.recipes.frames import shown_table, traced
from modclust_utils.recipes.network import PHASES
from modclust_utils.tables import N_PAPER, condition_name, share_with_interval, spread

CONDITION = ["dataset", "dropout", "phase"]
_EFFECT = ["dataset", "phase", "source", "n", "difference", "low", "high", "z", "overlap"]
#: The paper prints its smallest p-value, 1 / 321, as 0.003.
PRINTED_MINIMUM = 0.0035
#: Tables A.4 to A.15 in their order.
_PER_NETWORK = [
    (dataset, dropout, phase)
    for dataset in ("mnist", "fashion_mnist", "cifar10")
    for phase in PHASES
    for dropout in (False, True)
]


@traced
def per_network(tests: pd.DataFrame) -> pd.DataFrame:
    """Tables A.4 to A.15: a row for each network and phase, both nulls and Cohen's d.

    Cohen's d is that of `layer` against `layer-nonzero`; spreads are sample standard deviations.
    """
    rows = []
    for phase in PHASES:
        both = tests[tests["phase"] == phase]
        kept_rows = both[both["mode"] == "layer-nonzero"].set_index("network")
        for layer in both[both["mode"] == "layer"].to_dict("records"):
            nonzero = kept_rows.loc[layer["network"]]
            own, kept = (np.array(test["null_ncuts"]) for test in (layer, nonzero))
            rows.append(
                {
                    "dataset": layer["dataset"],
                    "dropout": layer["dropout"],
                    "phase": phase,
                    "network": layer["seed"],
                    "ncut": layer["ncut"],
                    "p_value_layer": layer["p_value"],
                    "null_layer_mean": own.mean(),
                    "null_layer_std": own.std(ddof=1),
                    "p_value_layer_nonzero": nonzero["p_value"],
                    "null_layer_nonzero_mean": kept.mean(),
                    "null_layer_nonzero_std": kept.std(ddof=1),
                    "cohens_d": stats.cohens_d(own, kept),
                    "n_below_layer": int((own < layer["ncut"]).sum()),
                    "n_below_layer_nonzero": int((kept < nonzero["ncut"]).sum()),
                    "n_shuffles": len(own),
                }
            )
    return pd.DataFrame(rows)


def paper_per_network() -> pd.DataFrame:
    """Tables A.4 to A.15 of the paper in the form of `per_network`."""
    parts = []
    for name, (dataset, dropout, phase) in zip(PER_NETWORK_TABLES, _PER_NETWORK, strict=True):
        part = paper_table(name).rename(columns={"run": "network"})
        parts.append(part.assign(dataset=dataset, dropout=dropout, phase=phase))
    printed = pd.concat(parts, ignore_index=True)
    printed.attrs = {"source": "Filan et al. 2020, Tables A.4 to A.15 (data/papers)"}
    return printed


@traced
def with_paper(ours: pd.DataFrame, column: str) -> pd.DataFrame:
    """A column of `per_network`, ours and the paper's for the same conditions (`source`)."""
    paper = paper_per_network()
    there = set(ours[CONDITION].itertuples(index=False, name=None))
    keep = [row in there for row in paper[CONDITION].itertuples(index=False, name=None)]
    columns = [*CONDITION, "network", column]
    return pd.concat(
        [ours[columns].assign(source="ours"), paper.loc[keep, columns].assign(source="paper")],
        ignore_index=True,
    )


@shown_table
def readable_networks(rows: pd.DataFrame) -> pd.DataFrame:
    """The columns of Tables A.4 to A.15 as the paper prints them."""
    return pd.DataFrame(
        {
            "Run": rows["network"],
            "n-cut": [f"{v:.3f}" for v in rows["ncut"]],
            "p": [f"{v:.3f}" for v in rows["p_value_layer"]],
            "Null n-cut": _spreads(rows, "null_layer"),
            "p (non-zero)": [f"{v:.3f}" for v in rows["p_value_layer_nonzero"]],
            "Null n-cut (non-zero)": _spreads(rows, "null_layer_nonzero"),
            "Cohen's d": [f"{v:+.2f}" for v in rows["cohens_d"]],
        }
    ).set_index("Run")


def _spreads(rows: pd.DataFrame, name: str) -> list[str]:
    return [
        spread(mean, std)
        for mean, std in zip(rows[f"{name}_mean"], rows[f"{name}_std"], strict=True)
    ]


@traced
def dropout_effect(ours: pd.DataFrame) -> pd.DataFrame:
    """n-cut with dropout minus without, for each data set and phase, ours and the paper's.

    difference with Welch's 95 % interval (low, high); z: the difference in its standard errors
    (footnote 11 of the paper); overlap: whether the ranges of the two kinds meet. Fewer than two
    networks of a kind have no difference.
    """
    both = with_paper(ours, "ncut")
    rows = []
    for (dataset, phase, source), group in both.groupby(["dataset", "phase", "source"], sort=False):
        plain, dropped = (
            group.loc[group["dropout"] == wanted, "ncut"].to_numpy(float)
            for wanted in (False, True)
        )
        if len(plain) < 2 or len(dropped) < 2:
            continue
        first, second = ((v.mean(), v.std(ddof=1), len(v)) for v in (dropped, plain))
        low, high = stats.welch_interval(*first, *second)
        error = np.sqrt(first[1] ** 2 / first[2] + second[1] ** 2 / second[2])
        rows.append(
            {
                "dataset": dataset,
                "phase": phase,
                "source": source,
                "n": len(plain),
                "difference": first[0] - second[0],
                "low": low,
                "high": high,
                "z": (first[0] - second[0]) / error,
                "overlap": bool(dropped.max() >= plain.min() and plain.max() >= dropped.min()),
            }
        )
    return pd.DataFrame(rows, columns=_EFFECT)


def far_out(networks: pd.DataFrame) -> pd.Series:
    """Which rows of `per_network` have an n-cut far from the others of their kind and phase: more
    than three interquartile ranges beyond a quartile (Tukey's outer fences)."""
    groups = networks.groupby(CONDITION, sort=False)["ncut"]
    low, high = (groups.transform("quantile", q) for q in (0.25, 0.75))
    reach = 3 * (high - low)
    return (networks["ncut"] < low - reach) | (networks["ncut"] > high + reach)


@shown_table
def readable_effect(effect: pd.DataFrame) -> pd.DataFrame:
    """`dropout_effect` as a page shows it."""
    return pd.DataFrame(
        {
            "Data set": [dataset_name(v) for v in effect["dataset"]],
            "Pruning": effect["phase"],
            "": effect["source"],
            "With − without dropout": [
                f"{r.difference:+.3f} [{r.low:+.3f}, {r.high:+.3f}]" for r in effect.itertuples()
            ],
            "Z": [f"{v:.1f}" for v in effect["z"]],
            "Ranges overlap": ["yes" if v else "no" for v in effect["overlap"]],
        }
    ).set_index(["Data set", "Pruning", ""])


@traced
def significance_designs(ours: pd.DataFrame) -> pd.DataFrame:
    """Shares of significant networks for each condition, phase and null: under independent
    shuffles, under 32 distinct ones counted ten times (expected share), and as printed.

    The paper's minimum is 1 / 321, which it prints as 0.003.
    """
    printed = paper_per_network()
    rows = []
    for (dataset, dropout, phase), group in ours.groupby(CONDITION, sort=False):
        paper = printed[
            (printed["dataset"] == dataset)
            & (printed["dropout"] == dropout)
            & (printed["phase"] == phase)
        ]
        for null in ("layer", "layer_nonzero"):
            below = group[f"n_below_{null}"].to_numpy()
            n = group["n_shuffles"].to_numpy()
            repeated = [
                quantized.chance_significant(int(b), int(m), min(32, int(m)))
                for b, m in zip(below, n, strict=True)
            ]
            share = (
                (paper[f"p_value_{null}"] <= PRINTED_MINIMUM).mean() if len(paper) else float("nan")
            )
            rows.append(
                {
                    "dataset": dataset,
                    "dropout": dropout,
                    "phase": phase,
                    "null": null.replace("_", "-"),
                    "n": len(group),
                    "ours_independent": float(np.mean(below == 0)),
                    "ours_repeated": float(np.mean(repeated)),
                    "paper": float(share),
                }
            )
    table = pd.DataFrame(rows)
    names = [
        f"{condition_name(r.dataset, r.dropout)}, {r.phase} pruning, {r.null}"
        for r in table.itertuples()
    ]
    return table.assign(name=names)


@traced
def simulated_designs(tests: pd.DataFrame, *, rng: np.random.Generator) -> pd.DataFrame:
    """Every test of ours under both designs: as it is, and with 32 of its shuffles, drawn once and
    counted ten times each (all of them where there are fewer).

    below_...: shuffles below the network; remainder_...: that number modulo ten, NaN where it is
    none or all, which every design can give.
    """
    rows = []
    for (phase, mode), group in tests.groupby(["phase", "mode"], sort=False):
        for test in group.to_dict("records"):
            ncut, null = test["ncut"], np.array(test["null_ncuts"])
            n_distinct = min(32, len(null))
            p = quantized.repeated_p_values(
                ncut, null, n_distinct=n_distinct, copies=10, n_draws=1, rng=rng
            )
            total = 10 * n_distinct
            below = {
                "independent": (int((null < ncut).sum()), len(null)),
                "repeated": (round(float(p[0]) * (total + 1)) - 1, total),
            }
            row = {
                "dataset": test["dataset"],
                "dropout": test["dropout"],
                "phase": phase,
                "null": mode,
                "network": test["seed"],
            }
            for design, (count, n) in below.items():
                row |= {
                    f"below_{design}": count,
                    f"n_{design}": n,
                    f"remainder_{design}": count % 10 if 0 < count < n else float("nan"),
                }
            rows.append(row)
    return pd.DataFrame(rows)


@shown_table
def readable_conditions(ours: pd.DataFrame) -> pd.DataFrame:
    """Tables A.4 to A.15 in a row for each, ours above the paper's: means over the networks."""
    paper = paper_per_network()
    rows, index = [], []
    for place, group in ours.groupby(CONDITION, sort=False):
        same = (paper[CONDITION] == list(place)).all(axis=1)
        for source, found in (("ours", group), ("paper", paper[same])):
            if found.empty:
                continue
            index.append((condition_name(str(place[0]), bool(place[1])), place[2], source))
            rows.append(
                {
                    "n-cut": _mean_and_std(found["ncut"]),
                    "Null n-cut": f"{found['null_layer_mean'].mean():.3f}",
                    "Sig.": _share(_below_all(found, "layer")),
                    "Null n-cut (non-zero)": f"{found['null_layer_nonzero_mean'].mean():.3f}",
                    "Sig. (non-zero)": _share(_below_all(found, "layer_nonzero")),
                    "Cohen's d": _mean_and_std(found["cohens_d"]),
                }
            )
    names = pd.MultiIndex.from_tuples(index, names=["Networks", "Pruning", ""])
    return pd.DataFrame(rows, index=names)


def _below_all(networks: pd.DataFrame, null: str) -> pd.Series:
    """Which networks lie below all their shuffles, ours or the paper's."""
    if f"n_below_{null}" in networks:
        return networks[f"n_below_{null}"] == 0
    return networks[f"p_value_{null}"] <= PRINTED_MINIMUM


def _mean_and_std(values: pd.Series) -> str:
    return spread(values.mean(), values.std(ddof=1))


def _share(passed: pd.Series) -> str:
    return f"{int(passed.sum())} of {len(passed)}"


@shown_table
def readable_designs(table: pd.DataFrame) -> pd.DataFrame:
    """`significance_designs` as a page shows it."""
    return pd.DataFrame(
        {
            "Networks": [condition_name(r.dataset, r.dropout) for r in table.itertuples()],
            "Pruning": table["phase"],
            "Null": table["null"],
            "Ours, independent shuffles": [
                share_with_interval(round(r.ours_independent * r.n), r.n)
                for r in table.itertuples()
            ],
            "Ours, 32 shuffles counted ten times": [f"{v:.2f}" for v in table["ours_repeated"]],
            "Paper": [
                "–" if np.isnan(v) else share_with_interval(round(v * N_PAPER), N_PAPER)
                for v in table["paper"]
            ],
        }
    ).set_index(["Networks", "Pruning", "Null"])


@traced
def shuffles_of(tests: pd.DataFrame, phase: str, dataset: str, dropout: bool) -> pd.DataFrame:
    """A row for each shuffle of the networks of one condition, both nulls (Figures A.2 to A.5)."""
    chosen = (tests[CONDITION] == [dataset, dropout, phase]).all(axis=1)
    own = tests[chosen & (tests["mode"] == "layer")].set_index("network")["ncut"]
    parts = []
    for mode, group in tests[chosen].groupby("mode", sort=False):
        for test in group.to_dict("records"):
            frame = pd.DataFrame({"null_ncut": test["null_ncuts"]})
            ncut = own[test["network"]]
            parts.append(frame.assign(network=test["seed"], ncut=ncut, mode=mode))
    return pd.concat(parts, ignore_index=True)


@traced
def lattice(printed: pd.DataFrame) -> pd.DataFrame:
    """Each p-value of `paper_per_network` with its place on (10 m + 1) / 321, and whether it fits
    there: table by table, the null `layer` first."""
    p_values = np.concatenate(
        [
            group[f"p_value_{null}"].to_numpy(float)
            for _, group in printed.groupby(CONDITION, sort=False)
            for null in ("layer", "layer_nonzero")
        ]
    )
    m, fits = quantized.lattice_index(p_values)
    return pd.DataFrame({"p_value": p_values, "m": m, "fits": fits})
