"""What chapter 2 finds: numbers for its sentences, and sentences where language branches."""

from __future__ import annotations

from collections.abc import Iterable
from dataclasses import dataclass

import numpy as np
import pandas as pd

from modclust_utils import quantized, stats
from modclust_utils.chapters.ch02_dropout_and_topology import printed
from modclust_utils.chapters.ch02_dropout_and_topology.controls import control_name
from modclust_utils.chapters.ch02_dropout_and_topology.designs import (
    COPIES,
    N_DISTINCT,
    N_SHUFFLES,
)
from modclust_utils.chapters.ch02_dropout_and_topology.tables import dropout_effect, far_out
from modclust_utils.datasets import MIXTURES, OWN_NOTE
from modclust_utils.figures.style import dataset_name, dropout_name
from modclust_utils.tables import N_PAPER, condition_name


@dataclass(frozen=True)
class Count:
    """How many of how many."""

    n: int
    of: int

    def __str__(self) -> str:
        return f"{self.n} of {self.of}"


def _count(passed: Iterable[bool]) -> Count:
    each = [*passed]
    return Count(int(sum(each)), len(each))


def lowered(effect: pd.DataFrame) -> dict[str, Count]:
    """In how many comparisons dropout lowers the mean n-cut (the interval lies below 0), here and,
    where it has the data sets, in the paper."""
    places = {"ours": "here", "paper": "in the paper"}
    sources = effect.groupby("source", sort=False)
    return {places[source]: _count(rows["high"] < 0) for source, rows in sources}


def outliers(networks: pd.DataFrame, paper: pd.DataFrame) -> str:
    """How the effect of dropout changes without the networks of `tables.far_out`."""
    out = far_out(networks)
    if not out.any():
        return "No network has an n-cut far from the others of its kind."
    lines = [
        "Some networks have an n-cut far from the others of their kind, more than three "
        "interquartile ranges beyond a quartile. The difference without them:\n"
    ]
    effect = dropout_effect(networks[~out], paper)
    effect = effect[effect["source"] == "ours"].set_index(["dataset", "phase"])
    for (dataset, phase), gone in networks[out].groupby(["dataset", "phase"], sort=False):
        names = "; ".join(
            f"{dropout_name(r.dropout)}, seed {r.network}, n-cut {r.ncut:.3f}"
            for r in gone.itertuples()
        )
        row = effect.loc[(dataset, phase)]
        lines.append(
            f"- {dataset_name(dataset)}, {phase} pruning ({names}): {row['difference']:+.3f} "
            f"[{row['low']:+.3f}, {row['high']:+.3f}], Z = {row['z']:.1f}; the ranges "
            f"{'overlap' if row['overlap'] else 'do not overlap'}."
        )
    return "\n".join(lines)


@dataclass(frozen=True)
class Topology:
    """In how many kinds of network, after pruning, networks are more clusterable than shuffles that
    keep their topology (`beyond`), and these than full shuffles (`alone`)."""

    beyond: Count
    alone: Count


def topology(networks: pd.DataFrame) -> Topology:
    """What topology alone does, from `tables.per_network`."""
    after = networks[networks["phase"] == "after"]
    after = after.assign(gap=after["ncut"] - after["null_layer_nonzero_mean"])
    kinds = after.groupby(["dataset", "dropout"])
    return Topology(
        beyond=_count(stats.mean_interval(gaps)[1] < 0 for _, gaps in kinds["gap"]),
        alone=_count(kinds["cohens_d"].mean() > 0),
    )


@dataclass(frozen=True)
class Training:
    """low, high: range of our freshly initialized networks; inside: kinds of network whose mean
    n-cut before pruning is in it; learned, others: significant networks after pruning, in kinds
    that learned more than half of their labels, and in the other kinds."""

    low: float
    high: float
    inside: Count
    learned: Count
    others: Count


def training(controls: pd.DataFrame, fresh: pd.DataFrame) -> Training:
    """What training on random data does, from `controls.controls` and networks not trained."""
    ncuts = fresh["ncuts"].iloc[0]
    low, high = min(ncuts), max(ncuts)
    learned = controls["train_acc"] > 0.5
    return Training(
        low=low,
        high=high,
        inside=_count(controls["before_mean"].between(low, high)),
        learned=_significant(controls[learned]),
        others=_significant(controls[~learned]),
    )


def _significant(controls: pd.DataFrame) -> Count:
    return Count(int(controls["n_sig"].sum()), int(controls["n"].sum()))


def memorization(controls: pd.DataFrame, fresh: pd.DataFrame) -> str:
    """How clusterable memorizing alone makes networks without dropout, before they are pruned."""
    rows = controls[(controls["role"] == "memorization") & ~controls["dropout"]]
    lines = [
        "n-cut before pruning of the networks without dropout:\n",
        *(
            f"- {dataset_name(row.dataset)}: {_mean_and_range(row.before)}; training accuracy then "
            f"{row.train_acc_before:.1%}."
            for row in rows.itertuples()
        ),
        f"- Freshly initialized: {_mean_and_range(fresh['ncuts'].iloc[0])}.",
    ]
    for row in rows[rows["paper_before_mean"].notna()].itertuples():
        reached = _count(np.concatenate([*rows["before"]]) >= row.paper_before_mean)
        lines.append(
            f"- The paper: mean {row.paper_before_mean:.3f} ± {row.paper_before_std:.3f}. "
            f"{reached.n} of the {reached.of} networks here reach this mean."
        )
    return "\n".join(lines)


def _mean_and_range(ncuts: list[float]) -> str:
    return f"mean {np.mean(ncuts):.3f}, from {min(ncuts):.3f} to {max(ncuts):.3f}"


def mixture_positions(mixtures: pd.DataFrame) -> str:
    """Where each mixture that was run lies among its parts, here and in the paper."""
    table = mixtures.set_index(["dataset", "dropout"])
    means = {"ours": table["ncut_mean"].to_dict(), "paper": table["paper_ncut_mean"].to_dict()}
    lines, below = [], {"ours": [], "paper": []}
    for name, dropout in table.index[table.index.get_level_values("dataset").isin([*MIXTURES])]:
        found = {source: _position(name, dropout, each) for source, each in means.items()}
        if not found["ours"]:
            continue
        for source, position in found.items():
            below[source] += [position == "below both"] * bool(position)
        also = f" (paper: {found['paper']})" if found["paper"] else ""
        lines.append(f"- {condition_name(name, dropout)}: {found['ours']}{also}.")
    if not lines:
        return "This run has no mixture together with both of its parts."
    ours, paper = _count(below["ours"]), _count(below["paper"])
    also = f"; in the paper in {paper.n} of these {paper.of}" if paper.of else ""
    return "\n".join(
        [
            "Mean n-cut of a mixture, compared with its parts:\n",
            *lines,
            f"\n**In short:** in {ours} comparisons the mixture has a lower mean than both of its "
            f"parts{also}.",
        ]
    )


def _position(mixture: str, dropout: bool, means: dict[tuple[str, bool], float]) -> str:
    """Below both parts, between them or above both; nothing where a mean is missing."""
    own, *parts = (means.get((name, dropout), np.nan) for name in (mixture, *MIXTURES[mixture][:2]))
    if np.isnan([own, *parts]).any():
        return ""
    if own < min(parts):
        return "below both"
    return "above both" if own > max(parts) else "between them"


def images_left_out(networks: pd.DataFrame) -> str:
    """What readers of the test accuracies must know of the test images."""
    notes = dict(zip(networks["dataset"], networks["test_note"], strict=True))
    lines = []
    for dataset, note in notes.items():
        own, _, of_part = note.partition(OWN_NOTE)
        # a part that is listed, too, says its own note
        words = own if of_part in notes.values() else note
        if words:
            lines.append(f"- {dataset_name(dataset)}: {words}.")
    if not lines:
        return "All test images of these data sets were used."
    begin = (
        "Not all test images of these data sets were used. The test accuracy of their mixtures is "
        "mostly that of the other part, and cannot be compared with the paper's:\n"
    )
    return "\n".join([begin, *lines])


@dataclass(frozen=True)
class Lattice:
    """fits: printed p-values of the form (10 m + 1) / 321; between: how many are neither the
    smallest nor the largest; chance: the share of such that would fit by accident."""

    fits: Count
    between: int
    chance: float


def lattice(table: pd.DataFrame) -> Lattice:
    """What the printed p-values have in common, from `designs.lattice`."""
    between = table["m"].between(0, N_DISTINCT, inclusive="neither")
    chance = quantized.chance_of_fitting(inner=True)
    return Lattice(_count(table["fits"]), int(between.sum()), chance)


def multiples_of_ten(simulated: pd.DataFrame, design: str) -> Count:
    """Of the tests with a number of shuffles below the network that is neither none nor all, those
    in which it is a multiple of ten; from `designs.simulated`."""
    return _count(simulated[f"remainder_{design}"].dropna() == 0)


def d_spread(ours: pd.DataFrame, paper: pd.DataFrame) -> list[str]:
    """What the scatter of Cohen's d before pruning tells about the number of distinct shuffles."""
    n = int(ours["n_shuffles"].iloc[0])
    expected = {
        f"{n} independent shuffles, as we have": (n, 1),
        f"{N_SHUFFLES} independent shuffles, as the paper says": (N_SHUFFLES, 1),
        f"{N_DISTINCT} that are counted ten times each": (N_DISTINCT, COPIES),
    }
    lines = [
        f"- Expected of {words}: {quantized.expected_d_spread(*design):.3f}."
        for words, design in expected.items()
        if design[0] > 2  # where d has a variance
    ]
    for source, table in (("Ours", ours), ("The paper's", paper)):
        d = table.loc[table["phase"] == "before", "cohens_d"]
        low, high = stats.std_interval(d)
        lines.append(
            f"- {source}: {d.std(ddof=1):.3f} over {len(d)} networks (95 % interval {low:.3f} to "
            f"{high:.3f})."
        )
    return lines


def significant(table: pd.DataFrame) -> str:
    """How many tests are significant under both designs and in print, by phase, from
    `designs.significance`."""
    lines = []
    for phase, rows in table.groupby("phase", sort=False):
        n, known = rows["n"].sum(), rows["paper"].dropna()
        independent, repeated = (
            (rows[f"ours_{design}"] * rows["n"]).sum() for design in ("independent", "repeated")
        )
        in_print = f" The paper prints {known.sum() * N_PAPER:.0f} of {len(known) * N_PAPER}."
        lines.append(
            f"- {str(phase).capitalize()} pruning: {independent:.0f} of our {n} tests are "
            f"significant under independent shuffles; under the other design {repeated:.1f} would "
            f"be expected to be printed as significant.{in_print if len(known) else ''}"
        )
    return "\n".join(lines)


def not_run(
    networks: pd.DataFrame,
    controls: pd.DataFrame,
    mixtures: pd.DataFrame,
    paper: pd.DataFrame,
    *,
    complete: str,
) -> str:
    """What the paper has and this run has not.

    paper: `printed.networks` for this run's k; complete: the command that runs all of it.
    """
    tested = networks[networks["dataset"].isin(paper["dataset"])]
    beside = controls[controls["paper_after_mean"].notna()]
    mixed = mixtures[(mixtures["n"] > 0) & mixtures["paper_ncut_mean"].notna()]
    missing = [f"{name} (Tables A.4 to A.15)" for name in _lacking(tested, printed.networks())]
    missing += [
        f"Table {number} ({words})"
        for role, (number, words, _) in printed.CONTROLS.items()
        if role not in set(beside["role"])
    ]
    others = _lacking(mixed, printed.mixtures())
    missing += [f"in Tables A.16 and A.17: {', '.join(others)}"] * bool(others)
    counts = {
        **tested.groupby(["dataset", "dropout"], sort=False)["network"].nunique(),
        **{(control_name(row), row["dropout"]): row["n"] for row in beside.to_dict("records")},
        **mixed.set_index(["dataset", "dropout"])["n"],
    }
    fewer = [f"{condition_name(*kind)} ({n})" for kind, n in counts.items() if n < N_PAPER]
    if not missing and not fewer:
        return "This run has networks of every kind in the paper's tables."
    text = ""
    if missing:
        text += f"**Not run here:** {'; '.join(missing)}. "
    if fewer:
        text += f"**Run with fewer than the paper's {N_PAPER} networks:** {'; '.join(fewer)}. "
    long = ""
    if "kilo-epoch" not in set(beside["role"]):
        n = len(printed.controls().query("role == 'kilo-epoch'")) * N_PAPER
        long = f" (Table 3 alone is {n} networks over {printed.KILO_EPOCHS:,} epochs)"
    return f"{text}`{complete}` runs them all{long}; what is there already is not computed again."


def _lacking(ours: pd.DataFrame, paper: pd.DataFrame) -> list[str]:
    there = set(ours["dataset"])
    return [dataset_name(name) for name in paper["dataset"].unique() if name not in there]
