"""What chapter 2 finds, in sentences."""

from __future__ import annotations

from collections.abc import Iterable

import numpy as np
import pandas as pd

from modclust_utils import quantized, stats
from modclust_utils.chapters.ch02_dropout_and_topology.designs import COPIES
from modclust_utils.datasets import MIXTURES
from modclust_utils.figures.style import dataset_name
from modclust_utils.tables import N_DISTINCT, N_PAPER, N_SHUFFLES


def _of(passed: Iterable[bool]) -> str:
    """How many of how many."""
    each = [*passed]
    return f"{int(sum(each))} of {len(each)}"


def answer(effect: pd.DataFrame, controls: pd.DataFrame) -> str:
    """The answer to the chapter's question in one sentence, from `tables.dropout_effect` and
    `controls.controls`."""
    ours = effect[effect["source"] == "ours"]
    words = ("memorize it", "learn some of it", "learn nothing of it")
    parts = [
        f"{_of(networks['below_all'])} that {each}"
        for networks, each in zip(_by_learning(controls), words, strict=True)
        if len(networks)
    ]
    lowers = f"Dropout lowers the mean n-cut in {_of(ours['high'] < 0)} comparisons"
    random = f"; of networks on random data, {', '.join(parts)} are below all their shuffles"
    return lowers + f"{random} after pruning" * bool(parts) + "."


#: Training accuracies above which a network has memorized random labels, and below which it has
#: learned nothing of them; between them, neither. Those of claim B7.
MEMORIZED, NOT_LEARNED = 0.9, 0.2


def _by_learning(controls: pd.DataFrame) -> list[pd.DataFrame]:
    """The networks that have memorized their labels, those between, and those that have learned
    nothing of them, with `below_all` of each."""
    members = controls.explode(["train_accs", "below_all"])
    accuracy = members["train_accs"].astype(float)
    between = accuracy.between(NOT_LEARNED, MEMORIZED)
    return [members[accuracy > MEMORIZED], members[between], members[accuracy < NOT_LEARNED]]


def dropout(effect: pd.DataFrame) -> str:
    """In how many comparisons of `tables.dropout_effect` dropout lowers the mean n-cut, here and,
    where it has the data sets, in the paper."""
    places = {"ours": "here", "paper": "in the paper"}
    counts = [
        f"{_of(rows['high'] < 0)} comparisons {places[source]}"
        for source, rows in effect.groupby("source", sort=False)
    ]
    return (
        "**Dropout** lowers the mean n-cut (95 % interval of the difference below 0) in "
        f"{' and in '.join(counts)}."
    )


def differing_epochs(networks: pd.DataFrame) -> list[str]:
    """The data sets whose networks were trained for other epochs with dropout than without, from
    the networks' records."""
    epochs = {
        (network.dataset, network.dropout): network.record.parameters["settings"]["epochs"]
        for network in networks.itertuples()
    }
    return [
        f"{dataset_name(dataset)} was trained for {n} epochs before pruning with dropout, and for "
        f"{epochs[dataset, False]} without. There dropout is not all that differs, while the "
        "paper says that its experiments are the same but for dropout."
        for (dataset, dropout), n in epochs.items()
        if dropout and epochs.get((dataset, False), n) != n
    ]


def _fresh(fresh: pd.DataFrame) -> tuple[float, float, int]:
    """Mean, standard deviation and number of freshly initialized networks."""
    sample = np.array(fresh["ncuts"].iloc[0])
    return float(sample.mean()), float(sample.std(ddof=1)), len(sample)


def training(controls: pd.DataFrame, fresh: pd.DataFrame) -> str:
    """What training on random data does, from `controls.controls` and networks not trained."""
    intervals = [
        stats.welch_interval(row.before_mean, row.before_std, row.n, *_fresh(fresh))
        for row in controls.itertuples()
    ]
    memorized, between, others = _by_learning(controls)
    kinds = [
        f"{_of(rows['below_all'])} on {dataset_name(str(dataset))}"
        for dataset, rows in memorized.groupby("dataset", sort=False)
    ]
    words = [
        (memorized, f"memorized their labels (training accuracy above {MEMORIZED})"),
        (between, "learned some"),
        (others, f"learned nothing (below {NOT_LEARNED})"),
    ]
    after = [
        f"{_of(networks['below_all'])} that {each}"
        + f": {', '.join(kinds)}" * (networks is memorized and len(kinds) > 1)
        for networks, each in words
        if len(networks)
    ]
    return (
        "**Training alone:** before pruning, networks on random data have a lower mean n-cut "
        f"than freshly initialized ones in {_of(high < 0 for _, high in intervals)} kinds of "
        f"network, and a higher one in {sum(low > 0 for low, _ in intervals)} (95 % interval)."
        + f" After pruning, those below all their shuffles are {'; '.join(after)}."
        * bool(after)
    )


def topology(networks: pd.DataFrame) -> str:
    """What topology alone does, from `tables.per_network`."""
    after = networks[networks["phase"] == "after"]
    after = after.assign(gap=after["ncut"] - after["null_layer_nonzero_mean"])
    kinds = after.groupby(["dataset", "dropout"])
    gaps = [stats.median_interval(each) for _, each in kinds["gap"]]
    # the median of five networks or fewer has no such interval
    gaps = [ends for ends in gaps if np.isfinite(ends).all()]
    d = [stats.mean_interval(each) for _, each in kinds["cohens_d"]]
    beyond = (
        "networks are more clusterable than the shuffles that keep their zeros in place (95 % "
        f"interval of the median) in {_of(high < 0 for _, high in gaps)} kinds of network, and "
        f"less in {sum(low > 0 for low, _ in gaps)}. Keeping"
    )
    return (
        f"**Topology:** after pruning, {beyond if gaps else 'keeping'} the zeros makes the "
        "shuffles themselves more clusterable (95 % interval of the mean of d) in "
        f"{_of(low > 0 for low, _ in d)}, and less in {sum(high < 0 for _, high in d)}."
    )


def both_signs(ours: pd.DataFrame, paper: pd.DataFrame) -> list[str]:
    """The kind of network about which the paper says two things: the mean of d of MNIST without
    dropout, ours and the paper's; nothing where one of them has none."""
    found = []
    for table in (ours, paper):
        kind = (table["dataset"] == "mnist") & ~table["dropout"].astype(bool)
        d = table.loc[kind & (table["phase"] == "after"), "cohens_d"]
        if len(d):
            low, high = stats.mean_interval(d)
            found.append(f"{d.mean():+.2f} [{low:+.2f}, {high:+.2f}]")
    if len(found) < 2:
        return []
    return [
        "About MNIST without dropout the paper says two things. By section 3.3, shuffles that keep "
        "the topology are more clusterable than the others; by appendix A.4, the mean of d is "
        f"negative there. In its table it is {found[1]}, and ours is {found[0]} (95 % intervals)."
    ]


def mixtures(table: pd.DataFrame) -> list[str]:
    """In how many comparisons a mixture has a lower mean n-cut than both of its parts, here and in
    the paper, from `controls.mixtures`; nothing where no mixture stands beside both."""
    means = table.set_index(["dataset", "dropout"])[["ncut_mean", "paper_ncut_mean"]]
    found: dict[str, list[bool]] = {"here": [], "in the paper": []}
    for name, is_dropped in means.index[means.index.get_level_values("dataset").isin([*MIXTURES])]:
        places = [(each, is_dropped) for each in (name, *MIXTURES[name][:2])]
        here, paper = means.reindex(places).to_numpy(float).T
        for where, ncuts in zip(found, (here, paper), strict=True):
            if not np.isnan([*here, *ncuts]).any():
                found[where].append(ncuts[0] < ncuts[1:].min())
    counts = [f"{_of(each)} comparisons {where}" for where, each in found.items() if each]
    said = "**Mixtures** have a lower mean n-cut than both of their parts in "
    return [f"{said}{' and in '.join(counts)}."] if counts else []


def p_values(table: pd.DataFrame) -> str:
    """What the printed p-values have in common, from `designs.lattice`."""
    return (
        f"**The paper's p-values:** {_of(table['fits'])} printed ones have the form "
        f"({COPIES} m + 1) / {N_SHUFFLES + 1}, as if {N_DISTINCT} shuffles had been counted "
        f"{COPIES} times each."
    )


def memorized(controls: pd.DataFrame, fresh: pd.DataFrame) -> str:
    """What memorizing alone does before pruning, without dropout, from `controls.controls`, and
    with which images it does what it does in the paper."""
    rows = controls[(controls["role"] == "memorization") & ~controls["dropout"].astype(bool)]
    mean, std, _ = _fresh(fresh)
    ours = ", ".join(
        f"{row.before_mean:.3f} on {dataset_name(row.dataset)}" for row in rows.itertuples()
    )
    said = f"Freshly initialized networks have {mean:.3f} ± {std:.3f}, and these have {ours}."
    known = rows[rows["paper_before_mean"].notna()]
    if known.empty:
        return said
    paper = (*known[["paper_before_mean", "paper_before_std"]].iloc[0], N_PAPER)
    reach = []
    for row in rows.itertuples():
        low, high = stats.welch_interval(row.before_mean, row.before_std, row.n, *paper)
        reach.append(low <= 0 <= high)
    return (
        f"{said} The paper's have {paper[0]:.3f} ± {paper[1]:.3f}: the 95 % interval of the "
        f"difference contains 0 in {_of(reach)} kinds of images."
    )


def scatter_of_d(ours: pd.DataFrame, paper: pd.DataFrame) -> str:
    """What the scatter of d tells of the number of distinct shuffles, from `tables.per_network` and
    `printed.networks`: of the paper's under both designs, of ours under the one that it has."""
    designs = {
        f"{N_SHUFFLES} independent shuffles": quantized.expected_d_spread(N_SHUFFLES),
        f"{N_DISTINCT} that are counted {COPIES} times each": quantized.expected_d_spread(
            N_DISTINCT, COPIES
        ),
    }
    expected = ", and ".join(f"{value:.3f} of {name}" for name, value in designs.items())
    theirs, ends, n_theirs = _scatter(paper)
    inside = [name for name, value in designs.items() if ends[0] <= value <= ends[1]]
    names = inside or [min(designs, key=lambda name: abs(np.log(designs[name] / theirs)))]
    verdict = "contains that" if inside else "leaves out both; nearer is that"
    said = (
        f"One expects {expected}. For the paper's {n_theirs} networks it is {theirs:.3f}, and its "
        f"interval, {ends[0]:.3f} to {ends[1]:.3f}, {verdict} of {' and '.join(names)}. "
    )
    own, ends, n_own = _scatter(ours)
    n_shuffles = int(ours["n_shuffles"].min())
    known = ""
    if n_shuffles > 2:  # of fewer, d has no spread that one could expect
        known = f", where one expects {quantized.expected_d_spread(n_shuffles):.3f}"
    return said + (
        f"For our {n_own} networks, with {n_shuffles} independent shuffles each{known}, it is "
        f"{own:.3f} ({ends[0]:.3f} to {ends[1]:.3f})."
    )


def _scatter(networks: pd.DataFrame) -> tuple[float, tuple[float, float], int]:
    """Standard deviation of d before pruning, its 95 % interval, and the number of networks."""
    d = networks.loc[networks["phase"] == "before", "cohens_d"]
    return float(d.std(ddof=1)), stats.std_interval(d), len(d)


def significant(table: pd.DataFrame) -> str:
    """How many tests pass in each phase under both designs and in print, from
    `designs.significance`."""
    said = []
    for phase, rows in table.groupby("phase", sort=False):
        n, known = rows["n"], rows["paper"].dropna()
        passed = round((rows["ours_independent"] * n).sum())
        in_print = f", printed {round(known.sum() * N_PAPER)} of {len(known) * N_PAPER}"
        said.append(
            f"{phase} pruning {passed} of {n.sum()} with independent shuffles, expected "
            f"{(rows['ours_repeated'] * n).sum():.1f} with {N_DISTINCT} of them"
            + in_print
            * (len(known) > 0)
        )
    return f"Significant tests: {'; '.join(said)}."
