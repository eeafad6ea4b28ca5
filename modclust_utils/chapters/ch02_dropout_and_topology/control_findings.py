"""Sentences of chapter 2 about training on random data and about mixtures; their numbers come
from the tables of `control_tables`."""

from __future__ import annotations

from collections.abc import Collection, Mapping, Sequence

import numpy as np
import pandas as pd

from modclust_utils.chapters.ch01_clusterability.tables import N_PAPER, condition_name
from modclust_utils.chapters.ch02_dropout_and_topology.controls import (
    CONTROL_TABLES,
    KILO_EPOCHS,
    control_name,
)
from modclust_utils.chapters.ch02_dropout_and_topology.tables import paper_per_network
from modclust_utils.datasets import MIXTURES, OWN_NOTE
from modclust_utils.datasets.papers import paper_table
from modclust_utils.figures.style import dataset_name
from modclust_utils.publish.networks import Network
from modclust_utils.publish.parameters import profiles
from modclust_utils.publish.session import Run


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
    return "\n".join(lines)


def control_summary(table: pd.DataFrame, fresh: np.ndarray) -> str:
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


def memorization_sentences(table: pd.DataFrame, fresh: np.ndarray) -> str:
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
    return "\n".join(lines)


def mixture_positions(table: pd.DataFrame) -> str:
    """Where each mixture that was run lies among its parts, here and in the paper."""
    lines, below = [], {"ours": [0, 0], "paper": [0, 0]}
    columns = {"ours": "ncut_mean", "paper": "paper_ncut_mean"}
    for dropout in (False, True):
        rows = table[table["dropout"] == dropout].set_index("dataset")
        for name in rows.index[rows["n"] > 0]:
            if name not in MIXTURES:
                continue
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
    text = (
        "**In short:** in {} of {} comparisons the mixture has a lower mean than both of its parts"
    )
    words = text.format(*below["ours"])
    if below["paper"][1]:
        words += "; in the paper in {} of these {}".format(*below["paper"])
    return "\n".join(
        ["Mean n-cut of a mixture, compared with its parts:\n", *lines, "", f"{words}."]
    )


def _position(mixture: str, means: Mapping[str, float]) -> str | None:
    """Below both parts, between them or above both; None where a mean is missing."""
    parts = [means.get(part, float("nan")) for part in MIXTURES[mixture][:2]]
    if np.isnan([*parts, means[mixture]]).any():
        return None
    if means[mixture] < min(parts):
        return "below both"
    return "above both" if means[mixture] > max(parts) else "between them"


def test_image_sentences(networks: Sequence[Network]) -> str:
    """What readers of the test accuracies must know of the test images."""
    notes = {n.condition.dataset: n.record.value["test_note"] for n in networks}
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


def not_run_sentences(
    run: Run, networks: pd.DataFrame, controls: pd.DataFrame, mixtures: pd.DataFrame
) -> str:
    """What the paper has and this run has not, and the command that completes it.

    networks: as of `null_tables.per_network`; the others as of `control_tables`.
    """
    tested = networks[networks["dataset"].isin(paper_per_network()["dataset"])]
    printed = controls[controls["paper_after_mean"].notna()]
    of_paper = mixtures[mixtures["paper_ncut_mean"].notna()]
    missing = [
        f"{dataset_name(dataset)} (Tables A.4 to A.15)"
        for dataset in paper_per_network()["dataset"].unique()
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
    if "paper" not in profiles(run.chapter):
        return text
    long = "" if "kilo-epoch" in set(printed["role"]) else _long_training()
    return (
        f"{text} `modclust run {run.chapter} --profile paper` runs them all{long}; what is there "
        "already is not computed again."
    )


def _long_training() -> str:
    kinds = len(paper_table("filan2020_table_3"))
    return f" (Table 3 alone is {kinds * N_PAPER} networks over {KILO_EPOCHS:,} epochs)"
