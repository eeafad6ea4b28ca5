"""The rules of chapter 1 see what holds and what does not."""

from __future__ import annotations

import math
from collections.abc import Sequence

import pandas as pd
import pytest
from small_book import frame_of, printed, record_of

from modclust_utils.chapters.ch01_clusterability import tables
from modclust_utils.chapters.ch01_clusterability.rules import RULES, Results
from modclust_utils.datasets.papers import paper_table
from modclust_utils.publish.chapters import claims
from modclust_utils.recipes import random_ncuts
from modclust_utils.tables import N_PAPER, printed_support
from modclust_utils.verdicts import Case, Verdict, decide

KNOWN = {rule.__name__: rule for rule in RULES}
COLUMNS = ("dataset", "dropout", "ncut_mean", "ncut_std", "n", "n_sig")
PAPER = ("paper_ncut_mean", "paper_ncut_std", "paper_prop_sig")
NO_NETWORKS = pd.DataFrame({"dataset": [], "dropout": [], "seed": [], "phase": [], "ncut": []})


def fresh(values: Sequence[float], k: int) -> pd.DataFrame:
    job = random_ncuts.job(n_networks=len(values), n_clusters=k, seed=0)
    return frame_of([(job, record_of(job, {"ncuts": list(values)}))])


def results(
    *rows: tuple, k: int = 4, networks: pd.DataFrame = NO_NETWORKS, random: Sequence[float] = (2.4,)
) -> Results:
    """Rows: dataset, dropout, our mean, std, n, n_sig, printed mean, std, share."""
    table = pd.DataFrame(rows, columns=[*COLUMNS, *PAPER]).assign(n_clusters=k)
    return Results(printed(networks), printed(table), fresh(random, k))


def row(
    dataset: str = "mnist", dropout: bool = False, *, ours: tuple = (2.0, 0.1, 10, 5),
    paper: tuple = (2.0, 0.1, 0.5),
) -> tuple:  # fmt: skip
    return (dataset, dropout, *ours, *paper)


def decided(rule: str, found: Results, **arguments: object) -> Verdict:
    (verdict,) = decide([{"rule": rule, "arguments": arguments}], KNOWN, found)
    return verdict


def verdict(rule: str, found: Results, **arguments: object) -> str:
    return decided(rule, found, **arguments).verdict


def networks(*ncuts: tuple[str, bool, float, float]) -> pd.DataFrame:
    """Rows: dataset, dropout, n-cut before, after; a seed each."""
    rows = [
        {"dataset": d, "dropout": dropout, "seed": seed, "phase": phase, "ncut": ncut}
        for seed, (d, dropout, *both) in enumerate(ncuts)
        for phase, ncut in zip(("before", "after"), both, strict=True)
    ]
    return pd.DataFrame(rows)


def test_printed_range_of_untrained_networks_is_that_of_the_facts():
    (claim,) = (c for c in claims(1) if c["rule"] == "random_within")
    low, high = printed_support(paper_table("filan2020_text"))
    assert (claim["arguments"]["low"], claim["arguments"]["high"]) == (low, high)


def test_nothing_is_attempted_on_other_data_sets():
    other = results(row("mnist5k"), networks=networks(("mnist5k", False, 2.0, 1.0)))
    verdicts = decide(claims(1), KNOWN, other)
    assert [v.verdict for v in verdicts] == ["not attempted"] * len(verdicts)
    assert all(v.cases == () for v in verdicts)


# Rules. A data set that is not the claim's would turn every verdict around.

OUTSIDE = row("lines", ours=(9.0, 0.1, 10, 0), paper=(2.0, 0.1, 1.0))


@pytest.mark.parametrize(
    ("means", "expected"),
    [((2.1, 1.9), "reproduced"), ((2.11, 1.9), "partly"), ((2.11, 1.89), "not")],
)
def test_mean_within_one_printed_standard_deviation(means, expected):
    # spreads that floats hold exactly: 0.125 about 2
    rows = [
        row(dropout=d, ours=(2 + (m - 2) * 1.25, 0, 10, 0), paper=(2.0, 0.125, 0))
        for d, m in zip((False, True), means, strict=True)
    ]
    found = results(*rows, OUTSIDE)
    assert verdict("mean_within_spread", found, datasets=["mnist"], n_clusters=4) == expected
    assert verdict("mean_within_spread", found, datasets=["mnist"], n_clusters=7) == "not attempted"


def test_mean_at_the_edge_of_the_printed_spread():
    edge = results(row(ours=(2.125, 0, 10, 0), paper=(2.0, 0.125, 0)))
    arguments = {"datasets": ["mnist"], "n_clusters": 4}
    assert verdict("mean_within_spread", edge, **arguments) == "reproduced"
    found_one = decided("mean_within_spread", edge, **arguments)
    (case,) = found_one.cases
    assert (case.name, case.evidence) == ("MNIST, no dropout", "+0.125 against a spread of 0.125")


@pytest.mark.parametrize(
    ("gaps", "expected"),
    [((-1.0, -1.0), "reproduced"), ((-1.0, 0.0), "partly"), ((1.0, -0.01), "not")],
)
def test_dropout_lowers(gaps, expected):
    # the standard error of a difference is sqrt(0.01 / 10 + 0.01 / 10) = 0.045
    rows = []
    for dataset, gap in zip(("mnist", "cifar10"), gaps, strict=True):
        rows += [
            row(dataset, False, ours=(2.0, 0.1, 10, 0)),
            row(dataset, True, ours=(2.0 + gap, 0.1, 10, 0)),
        ]
    found = results(*rows, OUTSIDE)
    arguments = {"datasets": ["mnist", "cifar10", "lines"], "n_clusters": 4}
    assert verdict("dropout_lowers", found, **arguments) == expected


def test_dropout_is_compared_with_its_own_data_set_only():
    lone = results(row("mnist", True, ours=(1.0, 0.1, 10, 0)), row("cifar10", False))
    arguments = {"datasets": ["mnist", "cifar10"], "n_clusters": 4}
    assert verdict("dropout_lowers", lone, **arguments) == "not attempted"


def test_interval_of_the_difference_decides_not_the_difference():
    # t = 0.1 / 0.0447 = 2.24 with 18 degrees of freedom, whose 97.5 % point is 2.10
    def rows(gap: float) -> Results:
        return results(
            row(dropout=False, ours=(2.0, 0.1, 10, 0)),
            row(dropout=True, ours=(2.0 - gap, 0.1, 10, 0)),
        )

    arguments = {"datasets": ["mnist"], "n_clusters": 4}
    assert verdict("dropout_lowers", rows(0.1), **arguments) == "reproduced"
    assert verdict("dropout_lowers", rows(0.09), **arguments) == "not"  # t = 2.01


@pytest.mark.parametrize(
    ("second", "expected"),
    [
        ((2.0, 1.9), "reproduced"),
        ((2.0, 2.0), "partly"),
        ((2.0, 2.1), "partly"),
    ],
)
def test_pruning_lowers(second, expected):
    found = results(
        networks=networks(
            ("mnist", False, 2.0, 1.0),
            ("mnist", True, 2.0, 1.9),
            ("mnist", True, *second),
            ("lines", True, 1.0, 2.0),
        )
    )
    assert verdict("pruning_lowers", found, datasets=["mnist", "cifar10"]) == expected


def test_pruning_that_lowers_in_no_condition():
    found = results(networks=networks(("mnist", False, 2.0, 1.0), ("mnist", False, 1.0, 2.0)))
    assert verdict("pruning_lowers", found, datasets=["mnist"]) == "not"
    found_one = decided("pruning_lowers", found, datasets=["mnist"])
    assert found_one.cases == (Case("MNIST, no dropout", False, "1 of 2 networks"),)


@pytest.mark.parametrize(
    ("n_sig", "expected"),
    [((10, 6), "reproduced"), ((10, 5), "partly"), ((0, 5), "not")],
)
def test_same_share_significant(n_sig, expected):
    # Fisher, both sides, against a printed 10 of 10: 6 of 10 has p = 2 * 210 / 4845 = 0.087,
    # 5 of 10 has p = 2 * 252 / 15504 = 0.033
    rows = [
        row(dropout=d, ours=(2.0, 0.1, 10, n), paper=(2.0, 0.1, 1.0))
        for d, n in zip((False, True), n_sig, strict=True)
    ]
    found = results(*rows, OUTSIDE)
    arguments = {"datasets": ["mnist"], "n_clusters": 4}
    assert verdict("same_share_significant", found, **arguments) == expected


def test_evidence_of_a_share():
    found = results(row(ours=(2.0, 0.1, 10, 6), paper=(2.0, 0.1, 1.0)))
    arguments = {"datasets": ["mnist"], "n_clusters": 4}
    found_one = decided("same_share_significant", found, **arguments)
    assert found_one.cases[0].evidence == "6/10 against 10/10, p = 0.09"


@pytest.mark.parametrize(
    ("random", "expected"),
    [((2.3, 2.4, 2.45), "reproduced"), ((2.3, 2.46), "not"), ((2.29, 2.4), "not")],
)
def test_random_networks_within_the_printed_range(random, expected):
    arguments = {"datasets": ["mnist"], "n_clusters": 4, "low": 2.3, "high": 2.45}
    some = networks(("mnist", False, 2.0, 1.0))
    assert verdict("random_within", results(networks=some, random=random), **arguments) == expected
    # of other data sets, or for another k than the printed range is about
    other = networks(("lines", False, 2.0, 1.0))
    for k, frame in ((4, other), (7, some)):
        found = results(k=k, networks=frame, random=random)
        assert verdict("random_within", found, **arguments) == "not attempted"


def test_claims_about_table_1_hold_for_the_paper_itself():
    """With the printed numbers in place of ours, every claim about the tables is reproduced."""
    by_k = []
    for k in (2, 4, 7, 10):
        table = tables.paper_for_k(k)
        both = table.assign(
            n_clusters=k,
            n=N_PAPER,
            n_sig=(table["prop_sig"] * N_PAPER).round().astype(int),
            **{c: table[c.removeprefix("paper_")] for c in PAPER},
        )
        by_k.append(both)
    found = Results(printed(NO_NETWORKS), printed(pd.concat(by_k)), fresh([2.4], 4))
    verdicts = {v.claim["id"]: v for v in decide(claims(1), KNOWN, found)}
    about_tables = [c["id"] for c in claims(1) if "Table" in c["place"]]
    assert len(about_tables) == 6
    assert {i: verdicts[i].verdict for i in about_tables} == dict.fromkeys(
        about_tables, "reproduced"
    )
    low, high = verdicts["A3"].cases[0].evidence.strip("[]").split(", ")
    assert (float(low) + float(high)) / 2 == pytest.approx(1.840 - 2.000, abs=1e-3)
    assert not math.isclose(float(low), float(high))
