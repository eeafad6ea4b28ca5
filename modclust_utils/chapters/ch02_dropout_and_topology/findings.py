"""What chapter 2 finds: numbers for its sentences, and sentences where language branches."""

from __future__ import annotations

from collections.abc import Collection, Mapping
from dataclasses import dataclass

import numpy as np
import pandas as pd

from modclust_utils import quantized, stats
from modclust_utils.chapters.ch02_dropout_and_topology.controls import (
    CONTROL_TABLES,
    KILO_EPOCHS,
    control_name,
)
from modclust_utils.chapters.ch02_dropout_and_topology.tables import (
    dropout_effect,
    far_out,
    paper_per_network,
)
from modclust_utils.datasets import MIXTURES, OWN_NOTE
from modclust_utils.datasets.papers import paper_table
from modclust_utils.figures.style import dataset_name, dropout_name
from modclust_utils.tables import N_PAPER, condition_name


def effect(table: pd.DataFrame) -> str:
    """In how many comparisons dropout lowers the mean n-cut, here and in the paper."""
    parts = []
    for source, where in (("ours", "here"), ("paper", "in the paper")):
        rows = table[table["source"] == source]
        if len(rows):
            below = int((rows["high"] < 0).sum())
            parts.append(f"in {below} of {len(rows)} comparisons {where}")
    return " and ".join(parts)


def outliers(networks: pd.DataFrame) -> str:
    """How the effect of dropout changes without the networks of `tables.far_out`."""
    out = far_out(networks)
    if not out.any():
        return "No network has an n-cut far from the others of its kind."
    lines = [
        "Some networks have an n-cut far from the others of their kind, more than three "
        "interquartile ranges beyond a quartile. The difference without them:\n"
    ]
    without = dropout_effect(networks[~out])
    without = without[without["source"] == "ours"].set_index(["dataset", "phase"])
    for place, gone in networks[out].groupby(["dataset", "phase"], sort=False):
        names = "; ".join(
            f"{dropout_name(r.dropout)}, seed {r.network}, n-cut {r.ncut:.3f}"
            for r in gone.itertuples()
        )
        where = f"- {dataset_name(str(place[0]))}, {place[1]} pruning ({names}): "
        if place not in without.index:
            lines.append(f"{where}too few networks are left.")
            continue
        row = without.loc[place]
        ranges = "overlap" if row["overlap"] else "do not overlap"
        lines.append(
            f"{where}{row['difference']:+.3f} [{row['low']:+.3f}, {row['high']:+.3f}], "
            f"Z = {row['z']:.1f}; the ranges {ranges}."
        )
    return "\n".join(lines)


@dataclass(frozen=True)
class Topology:
    """In how many of `n` kinds of network, after pruning, networks are more clusterable than
    shuffles that keep their topology (`beyond`), and these than full shuffles (`topology`)."""

    beyond: int
    topology: int
    n: int


def topology(networks: pd.DataFrame) -> Topology:
    """What topology alone does, from `tables.per_network`."""
    after = networks[networks["phase"] == "after"]
    groups = [group for _, group in after.groupby(["dataset", "dropout"], sort=False)]
    gaps = [(g["ncut"] - g["null_layer_nonzero_mean"]).to_numpy(float) for g in groups]
    return Topology(
        beyond=sum(stats.mean_interval(gap)[1] < 0 for gap in gaps),
        topology=sum(bool(g["cohens_d"].mean() > 0) for g in groups),
        n=len(groups),
    )


def training_alone(table: pd.DataFrame, fresh: np.ndarray) -> str:
    """What training alone does before pruning, and after it where labels were learned or not.

    fresh: n-cuts of freshly initialized networks.
    """
    low, high = float(np.min(fresh)), float(np.max(fresh))
    inside = int(table["before_mean"].between(low, high).sum())
    text = (
        f"**In short:** before pruning, the mean n-cut lies within the range of our freshly "
        f"initialized networks ({low:.3f} to {high:.3f}) in {inside} of {len(table)} kinds of "
        f"network."
    )
    learned = table["train_acc"] > 0.5
    for rows, words in (
        (table[learned], "where more than half of the training labels are right"),
        (table[~learned], "where at most half are"),
    ):
        if len(rows):
            text += (
                f" After pruning, {words}, {rows['n_sig'].sum()} of {rows['n'].sum()} networks "
                f"are below all their shuffles."
            )
    return text


def memorization(table: pd.DataFrame, fresh: np.ndarray) -> str:
    """How clusterable memorizing alone makes networks without dropout, before they are pruned.

    fresh: n-cuts of freshly initialized networks.
    """
    rows = table[(table["role"] == "memorization") & ~table["dropout"].astype(bool)]
    lines = ["n-cut before pruning of the networks without dropout:\n"]
    lines += [
        f"- {dataset_name(row['dataset'])}: mean {row['before_mean']:.3f}, from "
        f"{min(row['before']):.3f} to {max(row['before']):.3f}; training accuracy then "
        f"{row['train_acc_before']:.1%}."
        for row in rows.to_dict("records")
    ]
    lines.append(
        f"- Freshly initialized: mean {np.mean(fresh):.3f}, from {np.min(fresh):.3f} to "
        f"{np.max(fresh):.3f}."
    )
    printed = rows[rows["paper_before_mean"].notna()]
    if len(printed):
        mean, std = printed.iloc[0][["paper_before_mean", "paper_before_std"]]
        ncuts = np.concatenate([np.asarray(each) for each in rows["before"]])
        lines.append(
            f"- The paper: mean {mean:.3f} ± {std:.3f}. {int((ncuts >= mean).sum())} of the "
            f"{len(ncuts)} networks here reach this mean."
        )
    return "\n".join(lines)


def mixture_positions(table: pd.DataFrame) -> str:
    """Where each mixture that was run lies among its parts, here and in the paper."""
    lines, below = [], {"ours": [0, 0], "paper": [0, 0]}
    columns = {"ours": "ncut_mean", "paper": "paper_ncut_mean"}
    for dropout in (False, True):
        rows = table[table["dropout"] == dropout].set_index("dataset")
        for name in rows.index[(rows["n"] > 0) & rows.index.isin(list(MIXTURES))]:
            found = {
                source: _position(name, rows[column].to_dict())
                for source, column in columns.items()
            }
            if found["ours"] is None:
                continue
            for source, position in found.items():
                if position is not None:
                    below[source][0] += position == "below both"
                    below[source][1] += 1
            words = f"- {condition_name(str(name), dropout)}: {found['ours']}"
            lines.append(words + (f" (paper: {found['paper']})." if found["paper"] else "."))
    if not lines:
        return ""
    words = (
        "**In short:** in {} of {} comparisons the mixture has a lower mean than both of its parts"
    ).format(*below["ours"])
    if below["paper"][1]:
        words += "; in the paper in {} of these {}".format(*below["paper"])
    begin = "Mean n-cut of a mixture, compared with its parts:\n"
    return "\n".join([begin, *lines, "", f"{words}."])


def _position(mixture: str, means: Mapping[str, float]) -> str | None:
    """Below both parts, between them or above both; None where a mean is missing."""
    parts = [means.get(part, float("nan")) for part in MIXTURES[mixture][:2]]
    if np.isnan([*parts, means[mixture]]).any():
        return None
    if means[mixture] < min(parts):
        return "below both"
    return "above both" if means[mixture] > max(parts) else "between them"


def test_images(networks: pd.DataFrame) -> str:
    """What readers of the test accuracies must know of the test images."""
    notes = networks.drop_duplicates("dataset").set_index("dataset")["test_note"].to_dict()
    lines = [
        f"- {dataset_name(name)}: {_once(note, notes.values())}."
        for name, note in notes.items()
        if note
    ]
    if not lines:
        return "All test images of these data sets were used."
    begin = (
        "Not all test images of these data sets were used. The test accuracy of their mixtures is "
        "mostly that of the other part, and cannot be compared with the paper's:\n"
    )
    return "\n".join([begin, *lines])


def _once(note: str, notes: Collection[str]) -> str:
    """A mixture's note without that of its part, where the part is listed with it."""
    own, _, of_part = note.partition(OWN_NOTE)
    return own if of_part in notes else note


@dataclass(frozen=True)
class Lattice:
    """Printed p-values of the form (10 m + 1) / 321: how many of all, how many between the smallest
    and the largest, and the share of such p-values that would fit by accident."""

    fits: int
    n: int
    between: int
    chance: float


def lattice(table: pd.DataFrame) -> Lattice:
    """What the printed p-values have in common, from `tables.lattice`."""
    between = (table["m"] > 0) & (table["m"] < table["m"].max())
    chance = quantized.chance_of_fitting(inner=True)
    return Lattice(int(table["fits"].sum()), len(table), int(between.sum()), chance)


@dataclass(frozen=True)
class Simulation:
    """Of `n` tests, those with a count of shuffles that is neither none nor all, and how many of
    these counts are multiples of ten, under both designs."""

    n: int
    between: dict[str, int]
    multiples: dict[str, int]


def simulation(table: pd.DataFrame) -> Simulation:
    """Multiples of ten under each design, from `tables.simulated_designs`."""
    designs = ("independent", "repeated")
    remainders = {design: table[f"remainder_{design}"].dropna() for design in designs}
    return Simulation(
        n=len(table),
        between={design: len(values) for design, values in remainders.items()},
        multiples={design: int((values == 0).sum()) for design, values in remainders.items()},
    )


def d_spread(ours: pd.DataFrame) -> str:
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


def designs(table: pd.DataFrame) -> str:
    """How many tests are significant under the two designs and in print, by phase."""
    lines = []
    for phase, rows in table.groupby("phase", sort=False):
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


def not_run(
    networks: pd.DataFrame, controls: pd.DataFrame, mixtures: pd.DataFrame, *, command: str
) -> str:
    """What the paper has and this run has not; command: what completes it.

    networks: `tables.per_network`; the others as in the module `controls`.
    """
    paper = paper_per_network()
    tested = networks[networks["dataset"].isin(paper["dataset"])]
    printed = controls[controls["paper_after_mean"].notna()]
    of_paper = mixtures[mixtures["paper_ncut_mean"].notna()]
    missing = [
        f"{dataset_name(dataset)} (Tables A.4 to A.15)"
        for dataset in paper["dataset"].unique()
        if dataset not in set(tested["dataset"])
    ]
    missing += [
        f"{name} ({words})"
        for role, (_, name, words) in CONTROL_TABLES.items()
        if role not in set(printed["role"])
    ]
    others = [dataset_name(d) for d in of_paper.loc[of_paper["n"] == 0, "dataset"].unique()]
    if others:
        missing.append(f"in Tables A.16 and A.17: {', '.join(others)}")
    counts = {
        condition_name(str(dataset), bool(dropout)): group["network"].nunique()
        for (dataset, dropout), group in tested.groupby(["dataset", "dropout"], sort=False)
    }
    counts |= {
        condition_name(control_name(row), row["dropout"]): row["n"]
        for row in printed.to_dict("records")
    }
    counts |= {condition_name(r.dataset, r.dropout): r.n for r in of_paper.itertuples() if r.n > 0}
    fewer = [f"{name} ({n})" for name, n in counts.items() if n < N_PAPER]
    if not missing and not fewer:
        return "This run has networks of every kind in the paper's tables."
    text = " ".join(
        f"**{words}:** {'; '.join(names)}."
        for words, names in (
            ("Not run here", missing),
            (f"Run with fewer than the paper's {N_PAPER} networks", fewer),
        )
        if names
    )
    long = ""
    if "kilo-epoch" not in set(printed["role"]):
        n = len(paper_table("filan2020_table_3")) * N_PAPER
        long = f" (Table 3 alone is {n} networks over {KILO_EPOCHS:,} epochs)"
    return f"{text} `{command}` runs them all{long}; what is there already is not computed again."
