"""Sentences of chapter 2 whose numbers come from records."""

from __future__ import annotations

import pandas as pd

from modclust_utils import quantized, stats
from modclust_utils.chapters.ch01_clusterability.tables import N_PAPER, condition_name
from modclust_utils.chapters.ch02_dropout_and_topology.tables import (
    dropout_effect,
    far_out,
    paper_per_network,
)
from modclust_utils.datasets.papers import printed_p_values
from modclust_utils.figures.style import dataset_name, dropout_name


def effect_sentences(effect: pd.DataFrame) -> str:
    """What dropout changes, in standard errors, ours and the paper's."""
    lines = []
    for (dataset, phase), group in effect.groupby(["dataset", "phase"], sort=False):
        parts = [
            f"{'here' if r.source == 'ours' else 'in the paper'} {r.difference:+.3f} "
            f"(Z = {r.z:.1f})"
            for r in group.itertuples()
        ]
        lines.append(f"- {dataset_name(str(dataset))}, {phase} pruning: {'; '.join(parts)}.")
    return "\n".join(lines)


def effect_summary(effect: pd.DataFrame) -> str:
    """In how many comparisons dropout lowers the mean n-cut, here and in the paper."""
    parts = []
    for source, where in (("ours", "here"), ("paper", "in the paper")):
        rows = effect[effect["source"] == source]
        if len(rows):
            below = int((rows["high"] < 0).sum())
            parts.append(f"in {below} of {len(rows)} comparisons {where}")
    return (
        "**In short:** dropout lowers the mean n-cut, so that the 95 % interval of the difference "
        f"lies below 0, {' and '.join(parts)}."
    )


def outlier_sentences(networks: pd.DataFrame) -> str:
    """How the effect of dropout changes without the networks of `null_tables.far_out`."""
    out = far_out(networks)
    if not out.any():
        return "No network has an n-cut far from the others of its kind."
    lines = [
        "Some networks have an n-cut far from the others of their kind, more than three "
        "interquartile ranges beyond a quartile. The difference without them:\n"
    ]
    effect = dropout_effect(networks[~out])
    effect = effect[effect["source"] == "ours"].set_index(["dataset", "phase"])
    for (dataset, phase), gone in networks[out].groupby(["dataset", "phase"], sort=False):
        names = "; ".join(
            f"{dropout_name(r.dropout)}, seed {r.network}, n-cut {r.ncut:.3f}"
            for r in gone.itertuples()
        )
        row = effect.loc[(dataset, phase)]
        ranges = "overlap" if row["overlap"] else "do not overlap"
        lines.append(
            f"- {dataset_name(str(dataset))}, {phase} pruning ({names}): "
            f"{row['difference']:+.3f} [{row['low']:+.3f}, {row['high']:+.3f}], "
            f"Z = {row['z']:.1f}; the ranges {ranges}."
        )
    return "\n".join(lines)


def topology_summary(networks: pd.DataFrame) -> str:
    """Whether pruned networks are more clusterable than their topology, and it than random ones."""
    after = networks[networks["phase"] == "after"]
    groups = [group for _, group in after.groupby(["dataset", "dropout"], sort=False)]
    beyond = sum(
        stats.mean_interval((g["ncut"] - g["null_layer_nonzero_mean"]).to_numpy(float))[1] < 0
        for g in groups
    )
    topology = sum(g["cohens_d"].mean() > 0 for g in groups)
    return (
        "**In short:** after pruning, networks are more clusterable than the shuffles that keep "
        f"their topology, so that the 95 % interval of the difference lies below 0, in {beyond} of "
        f"{len(groups)} kinds of network. Keeping the topology makes the shuffles themselves more "
        f"clusterable (mean of d above 0) in {topology} of {len(groups)}."
    )


def topology_sentences(networks: pd.DataFrame) -> str:
    """How far the networks lie below the two nulls after pruning."""
    lines = []
    after = networks[networks["phase"] == "after"]
    for (dataset, dropout), group in after.groupby(["dataset", "dropout"], sort=False):
        gaps = [
            (group["ncut"] - group[f"null_{null}_mean"]).mean()
            for null in ("layer", "layer_nonzero")
        ]
        below = [int((group[f"n_below_{null}"] == 0).sum()) for null in ("layer", "layer_nonzero")]
        lines.append(
            f"- **{condition_name(str(dataset), bool(dropout))}.** On average the n-cut is "
            f"{abs(gaps[0]):.3f} {_side(gaps[0])} the mean of the full shuffles and "
            f"{abs(gaps[1]):.3f} {_side(gaps[1])} that of the shuffles that keep the topology; "
            f"{below[0]} and {below[1]} of {len(group)} networks are below all of them. Mean of "
            f"Cohen's d: {group['cohens_d'].mean():+.2f}."
        )
    return "\n".join(lines)


def _side(gap: float) -> str:
    return "below" if gap < 0 else "above"


def lattice_sentences() -> str:
    """What the printed p-values have in common, and how unlikely that is by accident."""
    p_values = printed_p_values()
    m, fits = quantized.lattice_index(p_values)
    inner = (m > 0) & (m < m.max())
    chance = quantized.chance_of_fitting(inner=True)
    return (
        f"Of the {len(p_values)} printed values, {int(fits.sum())} have the form (10 m + 1) / 321 "
        f"to their three decimals. The smallest and the largest value fit every design, so look at "
        f"the {int(inner.sum())} between them: of all p-values that 320 independent shuffles can "
        f"give there, {chance:.1%} would fit by accident. With 32 distinct shuffles the smallest "
        f"p-value that the data support is 1 / 33 = {1 / 33:.3f}, not 1 / 321 = {1 / 321:.4f}."
    )


def simulation_sentences(table: pd.DataFrame) -> str:
    """How many counts of `null_tables.simulated_designs` are multiples of ten under each design."""
    words = []
    for design in ("independent", "repeated"):
        remainders = table[f"remainder_{design}"].dropna()
        words.append((len(remainders), int((remainders == 0).sum())))
    return (
        f"We have {len(table)} tests with independent shuffles. In {words[0][0]} of them the "
        f"number of shuffles below the network is neither none nor all; {words[0][1]} of these "
        f"numbers are multiples of ten. Now we draw up to 32 of the same shuffles for each test "
        f"and count each of them ten times: {words[1][1]} of {words[1][0]} such numbers are "
        f"multiples of ten, as they must be."
    )


def d_spread_sentences(ours: pd.DataFrame) -> str:
    """What the scatter of Cohen's d before pruning tells about the number of distinct shuffles."""
    n = int(ours["n_shuffles"].max())
    designs = [
        (320, 1, "320 independent shuffles, as the paper says" + " and we have" * (n == 320)),
        (32, 10, "32 that are counted ten times each"),
    ]
    if n != 320:
        designs.insert(0, (n, 1, f"{n} independent shuffles, as we have"))
    expected = [
        f"- Expected of {words}: {quantized.expected_d_spread(distinct, copies):.3f}."
        for distinct, copies, words in designs
        if distinct > 2
    ]
    found = []
    for source, table in (("Ours", ours), ("The paper's", paper_per_network())):
        d = table.loc[table["phase"] == "before", "cohens_d"].to_numpy(float)
        low, high = stats.std_interval(d)
        found.append(
            f"- {source}: {d.std(ddof=1):.3f} over {len(d)} networks (95 % interval {low:.3f} to "
            f"{high:.3f})."
        )
    begin = (
        "Before pruning both nulls are one distribution, and *d* differs from 0 by chance alone. "
        "Its standard deviation over networks, for normal n-cuts:\n"
    )
    return "\n".join([begin, *expected, *found])


def design_sentences(designs: pd.DataFrame) -> str:
    """How many tests are significant under the two designs and in print, by phase."""
    lines = []
    for phase, rows in designs.groupby("phase", sort=False):
        n = int(rows["n"].sum())
        independent, repeated = (
            float((rows[column] * rows["n"]).sum())
            for column in ("ours_independent", "ours_repeated")
        )
        line = (
            f"- {str(phase).capitalize()} pruning: {independent:.0f} of our {n} tests are "
            f"significant under independent shuffles; under the other design {repeated:.1f} would "
            "be expected to be printed as significant."
        )
        known = rows["paper"].dropna()
        if len(known):
            line += f" The paper prints {known.sum() * N_PAPER:.0f} of {len(known) * N_PAPER}."
        lines.append(line)
    return "\n".join(lines)
