"""What chapter 4 finds, as sentences."""

from __future__ import annotations

import pandas as pd

from modclust_utils.chapters.ch04_specialization.tables import (
    as_made,
    is_tested,
    kinds_of,
    least_one_sided,
    network_name,
)
from modclust_utils.settings import VggSettings

_ABOUT_CLASSES = ("class_range", "entropy")


def answer(found: pd.DataFrame) -> str:
    """The answer to the chapter's question in one sentence, from `tables.summary`."""
    own = found[is_tested(found)]
    if own.empty:
        return "**What clusters do** cannot be told: no sub-cluster was measured."
    words = "often" if _significant(own, "accuracy_drop").mean() > 0.5 else "seldom"
    return (
        f"**What clusters do** is {words} more than what random sets of units do: their lesions "
        f"cost significantly more accuracy in {_counted(own, 'accuracy_drop')} conditions. That "
        f"they divide the classes among them shows in {_counted(own, *_ABOUT_CLASSES)} as the "
        f"papers' text reads, and in {_counted(as_made(found), *_ABOUT_CLASSES)} as their numbers "
        "were made."
    )


def local_specialization(
    found: pd.DataFrame, halves: pd.DataFrame, tests: pd.DataFrame
) -> tuple[str, ...]:
    """The chapter in four sentences, from `tables.summary`, `halves` and `clusterability`."""
    own = found[is_tested(found)]
    below = tests.groupby("mode")["below_all"].sum()
    n_thrice, n_twice = (
        int((halves["one_sided"] >= least_one_sided(times)).sum()) for times in (3, 2)
    )
    return (
        "Lesions of sub-clusters cost significantly more accuracy than those of random sets in "
        f"{_counted(own, 'accuracy_drop')} conditions, each a kind of network with a way to "
        "partition it; images made for sub-clusters have significantly higher scores in "
        f"{_counted(own, 'score')}.",
        f"What is about classes is significant in {_counted(own, *_ABOUT_CLASSES)} where a class "
        "range is a difference, as the papers' text has it, and in "
        f"{_counted(as_made(found), *_ABOUT_CLASSES)} where it is divided by the mean drop, as for "
        "their numbers.",
        "Of two digits side by side, "
        + (
            f"{n_thrice} of {len(halves)} first-layer sub-clusters follow one half at least three "
            f"times as much as the other, and {n_twice} twice as much: their mean one-sidedness is "
            f"{halves['one_sided'].mean():.2f}, that of random sets {halves['random'].mean():.2f}."
            if len(halves)
            else "no first-layer sub-cluster was measured."
        ),
        f"Of {int((tests['mode'] == 'layer').sum())} networks, {int(below['layer'])} are more "
        f"clusterable than all copies with shuffled layers, and {int(below['channel'])} than all "
        "in which every unit keeps its norm.",
    )


def _counted(own: pd.DataFrame, *measures: str) -> str:
    """In how many of the conditions some measures are significant."""
    some = _significant(own, *measures)
    return f"{int(some.sum())} of {len(some)}"


def _significant(own: pd.DataFrame, *measures: str) -> pd.Series[bool]:
    return own.loc[own["measure"].isin(measures), "significant"].astype(bool)


def accuracies(networks: pd.DataFrame) -> str:
    """How accurate the networks are that were trained for the chapter, kind by kind, and how much
    smaller its VGGs are than the paper's."""
    kinds = networks.groupby(kinds_of(networks), sort=False)["test_accuracy"]
    each = [
        f"{network_name(str(kind))}, {_from_to(own)} ({len(own)} network{'s' * (len(own) > 1)})"
        for kind, own in kinds
    ]
    vggs = networks[networks["architecture"] == "vgg"]
    return (
        f"Test accuracies: {'; '.join(each)}. {_scale(vggs)}Sub-clusters count that have two units "
        "or more, for visualizations three, and at most 99 % of their layer."
    )


def _from_to(values: pd.Series[float]) -> str:
    low, high = values.min(), values.max()
    return f"{low:.1%}" if low == high else f"{low:.1%} to {high:.1%}"


def _scale(vggs: pd.DataFrame) -> str:
    """What the VGGs have other than the paper's, in a sentence; "" where nothing is."""
    if len(vggs) == 0:
        return ""
    own, paper = vggs["record"].iloc[0].parameters["settings"], VggSettings()
    other = []
    if own["width"] != paper.width:
        other.append(f"have {own['width'] / paper.width:.3g} times the paper's channels")
    if own["epochs"] != paper.epochs:
        other.append(f"are trained for {own['epochs']} epochs, not {paper.epochs}")
    if own["dropout"] != paper.dropout:
        times = f"{own['dropout'] / paper.dropout:.3g} times its dropout rates"
        other.append(f"have {times}" if own["dropout"] else "have no dropout")
    words = f"The VGGs {', '.join(other)}. " if other else ""
    note = vggs["test_note"].iloc[0]
    return words + (f"Of their images: {note}. " if note else "")


def widest_range(spread: pd.DataFrame) -> str:
    """The network whose z-score moves most over seeds and starts."""
    if len(spread) == 0:
        return "No pretrained network was tested."
    ends = spread.groupby("words")["z_score"].agg(["min", "max"])
    name = (ends["max"] - ends["min"]).idxmax()
    low, high = ends.loc[name]
    return f"The widest range is that of {name}: its z-score lies between {low:.1f} and {high:.1f}."


def by_matching(pairs: pd.DataFrame) -> str:
    """What matching random sets in norm does to the importance of sub-clusters."""
    own = pairs[pairs["measure"] == "accuracy_drop"]
    if own.empty:
        return "No sub-cluster of a perceptron was measured."
    return (
        f"Over {len(own)} perceptrons, partitioned by weights and as a whole, the mean Fisher "
        f"statistic of accuracy drops is {own['size'].mean():.2f} against random sets of the same "
        f"size, and {own['norm'].mean():.2f} where these have the same norm, too."
    )
