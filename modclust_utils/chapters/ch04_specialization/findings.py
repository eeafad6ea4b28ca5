"""What chapter 4 finds, as sentences."""

from __future__ import annotations

import pandas as pd

from modclust_utils.chapters.ch04_specialization.tables import (
    MEASURES,
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
        f"What is about classes is significant in {_counted(own, *_ABOUT_CLASSES)} with class "
        "ranges as in the papers' text, and in "
        f"{_counted(as_made(found), *_ABOUT_CLASSES)} with those of their numbers, over the mean "
        "drop.",
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
        "in which every unit keeps the norm of what comes in.",
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


def tested_on(lesions: pd.DataFrame) -> str:
    """On how many test images the lesions of each kind of network were measured."""
    each = [
        f"{network_name(str(kind))}, {' or '.join(f'{n:,}' for n in sorted(own.unique()))}"
        for kind, own in lesions.groupby(kinds_of(lesions), sort=False)["n_test"]
    ]
    if not each:
        return "No network was lesioned."
    return f"Test images of lesions: {'; '.join(each)}. The paper takes the whole test set."


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


def costless(subs: pd.DataFrame) -> str:
    """Where most sub-clusters cost nothing, from `sub_clusters.each_sub_cluster`: by weights or by
    activations of which kind of network; what they are like, and in how many layers all lie."""
    edges = subs["partitioning"].str.split("/").str[0]
    if subs.empty:
        return "No sub-cluster was measured."
    free = subs["cost"] == 0
    if not free.any():
        return "No sub-cluster costs nothing at all."
    kind, by = free.groupby([subs["kind"], edges], sort=False).mean().idxmax()
    of_kind, same = subs["kind"] == kind, edges == by
    own, rest = subs[of_kind & same], subs[of_kind & ~same]
    silent, others = own[own["cost"] == 0], own[own["cost"] != 0]
    most = own["layer"].value_counts().max()
    units = f"These {len(silent)} have {_units(silent)} units"
    if len(others):
        units += f", the others {_units(others)}"
    places = f"All {len(own)} lie in {_layers(own)}, {most} of them in one"
    if len(rest):
        places += f"; those by {edges[rest.index[0]]} lie in {_layers(rest)}"
    score = silent["score"].median()
    images = (
        ""
        if pd.isna(score)
        else f" The score of their images is {score:.2f} times that of their random sets (medians)."
    )
    return (
        "Some sub-clusters cost nothing at all, most often those of "
        f"{network_name(kind)}, by {by}: {len(silent)} of {len(own)}. {units}.{images} {places}."
    )


def _units(subs: pd.DataFrame) -> str:
    low, high = subs["size"].min(), subs["size"].max()
    return f"{low}" if low == high else f"{low} to {high}"


def _layers(subs: pd.DataFrame) -> str:
    n = subs["layer"].nunique()
    return f"{n} layer{'s' * (n > 1)}"


def j_shapes(subs: pd.DataFrame, found: pd.DataFrame) -> str:
    """Where a statistic above 1 says little of most sub-clusters, from
    `sub_clusters.each_sub_cluster` and `tables.summary`."""
    if subs.empty:
        return "Without a sub-cluster there is no statistic to read."
    own = found[is_tested(found) & (found["measure"] == "accuracy_drop") & (found["fisher"] > 1)]
    counts = subs.groupby(["kind", "partitioning"])["no_more"].agg(["sum", "size"])
    where: dict[str, list[str]] = {}
    for row in own.itertuples():
        n, of = counts.loc[(row.kind, row.partitioning)]
        if 2 * n > of:
            words = f"{row.partitioning} ({row.fisher:.2f}; {n} of {of})"
            where.setdefault(network_name(row.kind), []).append(words)
    places = "; ".join(f"{name}, {', '.join(each)}" for name, each in where.items())
    return (
        "A statistic above 1 need not mean that most sub-clusters matter: one low percentile "
        "raises it by more than two high ones lower it, so that percentiles in the shape of a J "
        "have such a statistic, too, as appendix A.2.3 of the paper says. That of accuracy drops "
        "is above 1 although more than half of the sub-clusters cost no more than the median of "
        f"their random sets {f'for {places}' if places else 'in no condition'}."
    )


def chance_alone(subs: pd.DataFrame, chance: pd.DataFrame, uniform: float) -> str:
    """What ties do to the statistics that chance alone gives, from `sub_clusters.each_sub_cluster`
    and `sub_clusters.by_chance`.

    uniform: the statistic without ties (`tables.uniform`).
    """
    if subs.empty:
        return "Without a sub-cluster there is nothing that chance alone could give."
    where = []
    for measure, own in chance.groupby("measure", sort=False):
        of_kind = own[own["kind"] == own.loc[own["expected"].idxmin(), "kind"]]
        low, high = (f"{end:.2f}" for end in (of_kind["expected"].min(), of_kind["expected"].max()))
        if low != f"{uniform:.2f}":
            ends = low if low == high else f"{low} to {high}"
            name = network_name(of_kind["kind"].iloc[0])
            where.append(f"{ends} for the {MEASURES[str(measure)]} of {name}")
    tied = subs.groupby("kind", sort=False)["tied"].mean()
    kind = tied.idxmax()
    n_test = subs.loc[subs["kind"] == kind, "n_test"].iloc[0]
    return (
        "Sets with the same value share the mean of their ranks, which makes a statistic smaller. "
        "If chance alone picked the sub-cluster among its sets, the statistic would be "
        f"{uniform:.2f} without ties, and with the ties that there are as little as "
        f"{'; '.join(where) or 'that, too'}. The lesions of {network_name(str(kind))} tie most: "
        f"on {n_test:,} test images {tied[kind]:.0%} of the random sets cost exactly what their "
        "sub-cluster costs. On more images fewer would."
    )


def by_matching(pairs: pd.DataFrame) -> str:
    """What matching random sets in norm does to the importance of sub-clusters."""
    own = pairs[pairs["measure"] == "accuracy_drop"]
    if own.empty:
        return "No sub-cluster of a perceptron was measured."
    return (
        f"Over {len(own)} perceptrons, partitioned by weights and as a whole, the mean Fisher "
        f"statistic of accuracy drops is {own['size'].mean():.2f} against random sets of the same "
        f"size, and {own['norm'].mean():.2f} where these have nearly the same norm, too, as far as "
        "other units of the layer allow."
    )
