"""Sentences of chapter 2 whose numbers come from records."""

from __future__ import annotations

from collections.abc import Sequence

import numpy as np
import pandas as pd

from modclust_utils import quantized
from modclust_utils.plots_style import dataset_name
from modclust_utils.publish.control_tables import CONTROL_TABLES, PAPER_NETWORKS, control_name
from modclust_utils.publish.networks import Network
from modclust_utils.publish.null_tables import paper_per_network
from modclust_utils.publish.papers import paper_table, printed_p_values
from modclust_utils.publish.parameters import profiles, read_profile
from modclust_utils.publish.session import Run
from modclust_utils.publish.tables import condition_name


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


def control_sentences(table: pd.DataFrame) -> str:
    """Whether the networks of each control learned anything, and how clusterable they became."""
    lines = []
    for row in table.to_dict("records"):
        lines.append(
            f"- **{condition_name(control_name(row), row['dropout'])}.** Training accuracy "
            f"{row['train_acc']:.1%} after pruning. Mean n-cut {row['before_mean']:.3f} before and "
            f"{row['ncut_mean']:.3f} after pruning; its shuffles have {row['null_mean']:.3f}. "
            f"{row['n_sig']} of {row['n']} networks are below all their shuffles."
        )
    return "\n".join(lines) if lines else "This run has no networks trained on random data."


def memorization_sentences(table: pd.DataFrame) -> str:
    """How clusterable memorizing alone makes networks without dropout, before they are pruned."""
    rows = table[(table["role"] == "memorization") & ~table["dropout"].astype(bool)]
    if rows.empty:
        return "This run has no networks that memorize."
    lines = ["n-cut of the networks without dropout before pruning:\n"]
    lines += [
        f"- {dataset_name(row['dataset'])}: mean {row['before_mean']:.3f}, from "
        f"{min(row['before']):.3f} to {max(row['before']):.3f}, with "
        f"{row['train_acc_before']:.1%} of the labels memorized."
        for row in rows.to_dict("records")
    ]
    paper = rows.iloc[0]
    ncuts = np.concatenate([np.asarray(each) for each in rows["before"]])
    lines.append(
        f"- The paper: mean {paper['paper_before_mean']:.3f} ± {paper['paper_before_std']:.3f}. "
        f"{int((ncuts >= paper['paper_before_mean']).sum())} of the {len(ncuts)} networks here "
        f"reach this mean."
    )
    return "\n".join(lines)


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


def design_sentences(designs: pd.DataFrame) -> str:
    """By how much the two designs differ over all conditions."""
    n = designs["n"].sum()
    shares = [
        float(np.average(designs[column], weights=designs["n"]))
        for column in ("ours_independent", "ours_repeated")
    ]
    text = (
        f"Over all {n} tests of this run, {shares[0]:.1%} are significant under independent "
        f"shuffles; under the other design {shares[1]:.1%} would be expected to be printed as "
        f"significant."
    )
    if designs["paper"].notna().any():
        known = designs[designs["paper"].notna()]
        text += f" The paper prints {np.average(known['paper'], weights=known['n']):.1%}."
    return text


def mixture_sentences(table: pd.DataFrame) -> str:
    """How the mixtures that were run compare with what they are made of."""
    done = table[table["n"] > 0]
    lines = []
    for dropout in (False, True):
        means = done[done["dropout"] == dropout].set_index("dataset")["ncut_mean"].sort_values()
        if len(means):
            order = ", ".join(f"{dataset_name(str(d))} {v:.3f}" for d, v in means.items())
            words = "With dropout" if dropout else "Without dropout"
            lines.append(f"- {words}, from the most clusterable: {order}.")
    return "\n".join(lines) if lines else "This run has no mixtures."


def test_image_sentences(networks: Sequence[Network]) -> str:
    """What readers of the test accuracies must know of the test images."""
    notes = {n.condition.dataset: n.record.value["test_note"] for n in networks}
    lines = [f"- {dataset_name(name)}: {note}." for name, note in notes.items() if note]
    if not lines:
        return "All test images of these data sets were used."
    begin = (
        "Not all test images of these data sets were used, so the test accuracy of a mixture leans "
        "to its other part:\n"
    )
    return "\n".join([begin, *lines])


def not_run_sentences(run: Run, table: pd.DataFrame, controls: pd.DataFrame) -> str:
    """What the paper has and this run has not, and the command that completes it."""
    missing = [
        f"{dataset_name(dataset)} (Tables A.4 to A.15)"
        for dataset in paper_per_network()["dataset"].unique()
        if dataset not in run.p.datasets
    ]
    done = set(controls["role"]) if len(controls) else set()
    missing += [
        f"{name} ({words})" for role, (_, name, words) in CONTROL_TABLES.items() if role not in done
    ]
    missing += [
        condition_name(r.dataset, r.dropout)
        for r in table[(table["n"] == 0) & table["paper_ncut_mean"].notna()].itertuples()
    ]
    fewer = [
        f"{condition_name(r.dataset, r.dropout)} ({r.n})"
        for r in table[table["paper_ncut_mean"].notna()].itertuples()
        if 0 < r.n < PAPER_NETWORKS
    ]
    if not missing and not fewer:
        return "This run has networks of every kind in the paper's tables."
    text = " ".join(
        f"**{words}:** {'; '.join(names)}."
        for words, names in (
            ("Not run here", missing),
            (f"Run with fewer than the paper's {PAPER_NETWORKS} networks", fewer),
        )
        if names
    )
    complete = ""
    if "paper" in profiles(run.chapter):
        long = "" if "kilo-epoch" in done else _long_training(run)
        complete = (
            f" `modclust run {run.chapter} --profile paper` runs them all{long}; "
            "what is there already is not computed again."
        )
    return text + complete


def _long_training(run: Run) -> str:
    epochs = int(read_profile(run.chapter, "paper")["kilo_epochs"])
    share = paper_table("filan2020_table_3")
    return f" (Table 3 alone is {len(share)} times ten networks over {epochs:,} epochs)"
