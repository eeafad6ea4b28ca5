"""The rules of chapter 1 see what holds and what does not."""

from __future__ import annotations

import re
from collections.abc import Sequence
from dataclasses import replace

import pandas as pd
import pytest
from small_book import frame_of, make_ncut, make_network, make_test, printed, record_of

from modclust_utils.chapters.ch01_clusterability import tables
from modclust_utils.chapters.ch01_clusterability.rules import RULES, Results
from modclust_utils.datasets.papers import paper_table
from modclust_utils.publish.chapters import claims
from modclust_utils.recipes import random_ncuts
from modclust_utils.tables import N_PAPER, printed_support
from modclust_utils.verdicts import Verdict, decide

KNOWN = {rule.__name__: rule for rule in RULES}
COLUMNS = ("dataset", "dropout", "ncut_mean", "n", "n_sig", "n_above_all")
PAPER = ("paper_ncut_mean", "paper_ncut_std", "paper_prop_sig", "paper_null_ncut_mean")
NETWORKS = ("dataset", "dropout", "seed", "phase", "ncut", "test_acc")
TESTS = ("dataset", "dropout", "n_clusters", "n_shuffles", "ncut")


def fresh(values: Sequence[float], k: int) -> pd.DataFrame:
    job = random_ncuts.job(n_networks=len(values), n_clusters=k, seed=0)
    return frame_of([(job, record_of(job, {"ncuts": list(values)}))])


def results(
    *rows: tuple,
    k: int = 4,
    networks: Sequence[tuple] = (),
    random: Sequence[float] = (2.4,),
    tests: Sequence[tuple] = (("lines", True, 4, 320, 1.0),),
) -> Results:
    """Rows: those of `row`; networks and tests: rows of these columns."""
    table = pd.DataFrame(rows, columns=[*COLUMNS, *PAPER]).assign(n_clusters=k)
    return Results(
        printed(pd.DataFrame(networks, columns=NETWORKS)),
        printed(table),
        fresh(random, k),
        printed(pd.DataFrame(tests, columns=TESTS)),
    )


def row(
    dataset: str = "mnist", dropout: bool = False, *, mean: float = 2.0, n_sig: int = 5,
    n: int = 10, above: int = 0, paper: tuple = (2.0, 0.125, 0.5, 9.0),
) -> tuple:  # fmt: skip
    return (dataset, dropout, mean, n, n_sig, above, *paper)


def decided(rule: str, found: Results, **arguments: object) -> Verdict:
    (verdict,) = decide([{"rule": rule, "arguments": arguments}], KNOWN, found)
    return verdict


def verdict(rule: str, found: Results, **arguments: object) -> str:
    return decided(rule, found, **arguments).verdict


def holds(rule: str, found: Results, **arguments: object) -> list[bool | None]:
    return [case.holds for case in decided(rule, found, **arguments).cases]


def pruned(dataset: str, dropout: bool, *changes: float) -> list[tuple]:
    """Networks with these changes of their n-cut by pruning."""
    return [
        (dataset, dropout, seed, phase, ncut, 0.9 + 0.001 * seed)
        for seed, change in enumerate(changes)
        for phase, ncut in (("before", 2.0), ("after", 2.0 + change))
    ]


def ncuts(dataset: str, dropout: bool, *values: float, k: int = 4) -> list[tuple]:
    return [(dataset, dropout, k, 320, value) for value in values]


def test_printed_numbers_are_those_of_the_facts():
    facts = paper_table("filan2020_text")
    by_rule = {claim["rule"]: claim["arguments"] for claim in claims(1)}
    low, high = printed_support(facts)
    inside = by_rule["random_within"]
    assert (inside["low"], inside["high"]) == (low, high)
    printed_above = facts.set_index("key")["value"]["cifar10_above_all_shuffles"]
    assert by_rule["above_all_shuffles"]["printed"] == float(printed_above)


def test_nothing_is_attempted_on_other_data_sets():
    other = results(
        row("mnist5k"),
        networks=pruned("mnist5k", False, -1.0),
        tests=ncuts("mnist5k", False, 1.0) + ncuts("mnist5k", True, 2.0),
    )
    verdicts = decide(claims(1), KNOWN, other)
    assert [v.verdict for v in verdicts] == ["not attempted"] * len(verdicts)
    assert all(v.cases == () for v in verdicts)


# Rules. A data set that is not the claim's would turn every verdict around.

OUTSIDE = row("lines", mean=9.0, paper=(2.0, 0.125, 1.0, 9.0))
MNIST = {"datasets": ["mnist"], "n_clusters": 4}


@pytest.mark.parametrize(
    ("means", "expected"),
    [((2.125, 1.875), "reproduced"), ((2.13, 1.9), "partly"), ((2.13, 1.87), "not")],
)
def test_mean_within_one_printed_standard_deviation(means, expected):
    rows = [row(dropout=d, mean=m) for d, m in zip((False, True), means, strict=True)]
    found = results(*rows, OUTSIDE)
    assert verdict("mean_within_spread", found, **MNIST) == expected
    assert verdict("mean_within_spread", found, **MNIST | {"n_clusters": 7}) == "not attempted"


def test_mean_that_shuffles_would_have_too_tells_nothing():
    blind = (2.0, 0.125, 0.5, 2.125)
    found = results(row(paper=blind), row(dropout=True, mean=2.25, paper=blind))
    assert holds("mean_within_spread", found, **MNIST) == [None, False]


TEN = [2.0 + i / 100 for i in range(10)]


@pytest.mark.parametrize(
    ("shift", "expected"),
    # of ten against ten, a rank test sees a shift if at most 23 of 100 pairs are in the other order
    [(-0.2, True), (-0.045, True), (-0.03, None), (0.0, None), (0.2, False)],
)
def test_dropout_lowers(shift, expected):
    tests = ncuts("mnist", False, *TEN) + ncuts("mnist", True, *(v + shift for v in TEN))
    tests += ncuts("lines", False, 1.0) + ncuts("lines", True, 2.0)
    tests += ncuts("mnist", True, *(v + 9 for v in TEN), k=7) + ncuts("cifar10", True, 1.0)
    found = results(tests=tests)
    arguments = {"datasets": ["mnist", "cifar10"], "n_clusters": 4}
    assert holds("dropout_lowers", found, **arguments) == [expected]


def test_one_outlier_does_not_hide_what_dropout_does():
    dropped = [v - 0.2 for v in TEN[1:]] + [4.0]
    found = results(tests=ncuts("mnist", False, *TEN) + ncuts("mnist", True, *dropped))
    (case,) = decided("dropout_lowers", found, **MNIST).cases
    assert case.holds is True
    shift, means = re.findall(r"\[(.*?), (.*?)\]", case.evidence)
    assert [float(ends[1]) < 0 for ends in (shift, means)] == [True, False]


def test_results_without_networks_that_are_far_out():
    networks = [make_network(seed=seed) for seed in range(6)]
    after = [2.0, 2.01, 2.02, 2.03, 2.04, 9.0]
    tests = frame_of(
        [make_test(n, v, [2.5, 3.0]) for n, v in zip(networks, after, strict=True)]
        + [make_test(n, 5.0 + v / 9, [6.0, 7.0], n_clusters=7)
           for n, v in zip(networks, reversed(after), strict=True)]
    )  # fmt: skip
    before = frame_of(
        [make_ncut(n, v) for n, v in zip(networks, [2.2] * 4 + [9.0, 2.2], strict=True)]
    )
    phases = tables.by_phase(frame_of(networks), before, tests[tests["n_clusters"] == 4])
    by_k = tables.by_k(tests, frame_of(networks))
    found = Results(phases, tables.together(by_k), fresh([2.4], 4), tests)
    ordinary = found.without_far_out(frame_of(networks))
    # each n-cut by itself: after pruning that of seed 5, before it that of seed 4, for k = 7 seed 0
    kept = {phase: rows["seed"].tolist() for phase, rows in ordinary.networks.groupby("phase")}
    assert kept == {"after": [0, 1, 2, 3, 4], "before": [0, 1, 2, 3, 5]}
    assert ordinary.tables.set_index("n_clusters")["n"].to_dict() == {4: 5, 7: 5}
    assert ordinary.tables.set_index("n_clusters")["n_sig"].to_dict() == {4: 5, 7: 5}
    assert ordinary.ncuts("mnist", False, 4).max() == 2.04
    cases = [decided("pruning_lowers", r, datasets=["mnist"]).cases[0] for r in (found, ordinary)]
    assert [case.evidence[:15] for case in cases] == ["5 of 6 networks", "4 of 4 networks"]


@pytest.mark.parametrize(
    ("n_lower", "expected"), [(10, True), (9, True), (8, None), (2, None), (1, False)]
)
def test_pruning_lowers(n_lower, expected):
    # the interval of the median leaves out one value at each end
    changes = [-1.0] * n_lower + [50.0] * (10 - n_lower)
    networks = pruned("mnist", True, *changes) + pruned("lines", True, 1.0)
    found = results(networks=networks)
    (case,) = decided("pruning_lowers", found, datasets=["mnist", "cifar10"]).cases
    assert (case.name, case.holds) == ("MNIST, with dropout", expected)
    assert case.evidence.startswith(f"{n_lower} of 10 networks, median [")


def test_shares_of_significant_networks():
    same = {"datasets": ["mnist"], "n_clusters": 4, "within": 0.3}
    paper = (2.0, 0.1, 1.0, 9.0)
    for n_sig, expected in ((10, True), (9, None), (5, False)):
        found = results(row(n_sig=n_sig, paper=paper), OUTSIDE)
        assert holds("same_share_significant", found, **same) == [expected]


def both_k(n_sig: int, than: int) -> Results:
    found = results(row(n_sig=n_sig), OUTSIDE, k=7)
    other = results(row(n_sig=than), row("lines"))
    return replace(found, tables=printed(pd.concat([found.tables, other.tables])))


@pytest.mark.parametrize(
    ("n_sig", "than", "expected"),
    [(10, 4, True), (10, 10, True), (1, 0, True), (9, 10, None), (0, 5, False)],
)
def test_at_least_as_strong(n_sig, than, expected):
    arguments = {"datasets": ["mnist"], "n_clusters": 7, "than": 4, "within": 0.3}
    assert holds("at_least_as_strong", both_k(n_sig, than), **arguments) == [expected]
    alone = results(row(), k=7)
    assert holds("at_least_as_strong", alone, **arguments) == []


def test_none_or_most():
    arguments = {
        "datasets": ["mnist", "cifar10"],
        "n_clusters": 4,
        "most": ["cifar10"],
        "below": 0.3,
    }
    rows = [row(n_sig=0), row("cifar10", n_sig=9), OUTSIDE]
    assert holds("none_or_most", results(*rows), **arguments) == [True, True]
    rows = [row(n_sig=1), row("cifar10", n_sig=4)]
    assert holds("none_or_most", results(*rows), **arguments) == [False, None]


@pytest.mark.parametrize(("outside", "expected"), [(0, True), (1, True), (10, None), (20, False)])
def test_random_networks_within_the_printed_range(outside, expected):
    arguments = MNIST | {"low": 2.3, "high": 2.45, "least": 0.95}
    random = [2.3, 2.45] * 100 + [2.46] * outside
    networks = pruned("mnist", False, 1.0)
    found = results(networks=networks, random=random[outside:])
    assert holds("random_within", found, **arguments) == [expected]
    # of other data sets, or for another k than the printed range is about
    for k, made in ((4, pruned("lines", False, 1.0)), (7, networks)):
        found = results(k=k, networks=made, random=random)
        assert verdict("random_within", found, **arguments) == "not attempted"


@pytest.mark.parametrize(("above", "expected"), [(10, True), (9, None), (5, False)])
def test_networks_above_all_their_shuffles(above, expected):
    found = results(row(above=above), row(dropout=True, above=0))
    arguments = MNIST | {"printed": 10, "within": 0.3}
    assert holds("above_all_shuffles", found, **arguments) == [expected]


def test_independence_of_accuracy():
    # accuracies rise with the seed
    rising = pruned("mnist", False, *(i / 10 for i in range(10)))
    mixed = pruned("mnist", False, *([0.1, -0.1, -0.1, 0.1] * 20))
    few = pruned("mnist", False, *([0.1, -0.1, -0.1, 0.1] * 2))
    for networks, expected in ((rising, False), (mixed, True), (few, None)):
        found = results(networks=networks)
        assert holds("independent_of_accuracy", found, datasets=["mnist"], within=0.5) == [expected]


def test_claims_about_tables_for_the_paper_itself():
    """With the printed numbers in place of ours, no claim about the tables fails."""
    by_k = []
    for k in (2, 4, 7, 10):
        table = tables.paper_for_k(k)
        both = table.assign(
            n_clusters=k,
            n=N_PAPER,
            n_sig=(table["prop_sig"] * N_PAPER).round().astype(int),
            n_above_all=5,
            **{c: table[c.removeprefix("paper_")] for c in PAPER},
        )
        by_k.append(both)
    found = replace(results(), tables=printed(pd.concat(by_k)))
    verdicts = {v.claim["id"]: v for v in decide(claims(1), KNOWN, found)}
    assert {i: v.verdict for i, v in verdicts.items() if v.cases} == {
        **dict.fromkeys(("A6", "A8"), "reproduced"),
        **dict.fromkeys(("A4", "A5", "A7", "A9"), "cannot tell"),
    }
