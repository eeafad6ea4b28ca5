"""The rules of chapter 1 see what holds and what does not."""

from __future__ import annotations

import re
from collections.abc import Sequence
from dataclasses import replace

import numpy as np
import pandas as pd
import pytest
import scipy.stats
from small_book import frame_of, make_ncut, make_network, make_test, printed, record_of

from modclust_utils.chapters.ch01_clusterability import chances, tables
from modclust_utils.chapters.ch01_clusterability.rules import RULES, Results, homogeneity
from modclust_utils.datasets.papers import paper_table
from modclust_utils.publish.chapters import claims
from modclust_utils.recipes import random_ncuts
from modclust_utils.tables import N_PAPER, printed_support
from modclust_utils.verdicts import Verdict, decide

KNOWN = {rule.__name__: rule for rule in RULES}
COLUMNS = ("dataset", "dropout", "ncut_mean", "ncut_std", "n", "n_sig", "n_above_all")
PAPER = ("paper_ncut_mean", "paper_ncut_std", "paper_prop_sig", "paper_null_ncut_mean")
NETWORKS = ("dataset", "dropout", "seed", "phase", "ncut", "test_acc")
TESTS = ("dataset", "dropout", "n_clusters", "n_shuffles", "ncut", "network", "p_value")


def fresh(values: Sequence[float], k: int) -> pd.DataFrame:
    job = random_ncuts.job(n_networks=len(values), n_clusters=k, seed=0)
    return frame_of([(job, record_of(job, {"ncuts": list(values)}))])


def results(
    *rows: tuple,
    k: int = 4,
    networks: Sequence[tuple] = (),
    random: Sequence[float] = (2.4,),
    tests: Sequence[tuple] = (("lines", True, 4, 320, 1.0, "a", 1.0),),
) -> Results:
    """Rows: those of `row`; networks and tests: rows of these columns."""
    table = pd.DataFrame(rows, columns=[*COLUMNS, *PAPER]).assign(
        n_clusters=k, n_sig_of_few=6.25, n_above_all_of_few=3.75
    )
    return Results(
        printed(pd.DataFrame(networks, columns=NETWORKS)),
        printed(table),
        fresh(random, k),
        printed(pd.DataFrame(tests, columns=TESTS)),
    )


def row(
    dataset: str = "mnist", dropout: bool = False, *, mean: float = 2.0, std: float = 0.1,
    n_sig: int = 5, n: int = 10, above: int = 0, paper: tuple = (2.0, 0.125, 0.5, 9.0),
) -> tuple:  # fmt: skip
    return (dataset, dropout, mean, std, n, n_sig, above, *paper)


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
    return [
        (dataset, dropout, k, 320, value, f"{dataset} {dropout} {i}", 1.0)
        for i, value in enumerate(values)
    ]


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
    ("gap", "std", "expected"),
    # half of Welch's interval is 0.059 at 90 % and 0.072 at 95 %; for the last two 0.35 and 0.43
    [
        (0.04, 0.02, True), (-0.04, 0.02, True), (0.05, 0.02, None), (0.08, 0.02, False),
        (-0.08, 0.02, False), (0.0, 0.6, None), (0.5, 0.6, False),
    ],
)  # fmt: skip
def test_mean_within_one_printed_standard_deviation(gap, std, expected):
    found = results(row(mean=2.0 + gap, std=std, paper=(2.0, 0.1, 0.5, 9.0)), OUTSIDE)
    assert holds("mean_within_spread", found, **MNIST) == [expected]
    assert verdict("mean_within_spread", found, **MNIST | {"n_clusters": 7}) == "not attempted"


def test_mean_that_shuffles_would_have_too_tells_nothing():
    blind = (2.0, 0.125, 0.5, 2.125)
    found = results(row(paper=blind, std=0.01), row(dropout=True, mean=2.25, paper=blind))
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
        (case,) = decided("same_share_significant", found, **same).cases
        assert case.holds is expected
        assert case.evidence.endswith("; with 32 shuffles each, 6.2 of ours expected")
        assert "no number" not in case.evidence
    # ten against ten never tell that seven are seven
    found = results(row(paper=(2.0, 0.1, 0.7, 9.0)))
    (case,) = decided("same_share_significant", found, **same).cases
    assert "; no share of ours would hold;" in case.evidence


@pytest.mark.parametrize(
    ("n_sig", "n", "expected"),
    # by luck one of ten has a chance of 0.031, two of 0.0004; none of ten are surely less than 30 %
    [(2, 10, True), (1, 10, None), (0, 10, False), (0, 8, None)],
)
def test_more_significant_networks_than_luck_gives(n_sig, n, expected):
    often, seldom = ((2.0, 0.1, share, 9.0) for share in (0.7, 0.5))
    rows = [row(n_sig=n_sig, n=n, paper=often), row(dropout=True, n_sig=10, paper=often)]
    found = results(*rows, row("cifar10", n_sig=0, paper=seldom), OUTSIDE)
    arguments = {"datasets": ["mnist", "cifar10"], "n_clusters": 4, "least": 0.5, "below": 0.3}
    assert holds("more_than_luck", found, **arguments) == [expected, True]


def test_luck_is_divided_by_the_number_of_cases():
    one = row(n_sig=1, paper=(2.0, 0.1, 0.7, 9.0))
    arguments = MNIST | {"least": 0.5, "below": 0.3}
    assert holds("more_than_luck", results(one), **arguments) == [True]
    # two of twenty are more than luck, and surely less than 30 %
    few = row(n_sig=2, n=20, paper=(2.0, 0.1, 0.7, 9.0))
    assert holds("more_than_luck", results(few), **arguments) == [False]
    assert holds("more_than_luck", results(one, one), **arguments) == [None, None]


@pytest.mark.parametrize(
    ("n_sig", "expected"),
    [
        ((7, 10, 1), True),
        ((7, 1, 8), False),
        ((1, 10, 1), None),  # two are the lowest
        ((4, 5, 2), None),
    ],
)
def test_shares_depend_on_the_data_set(n_sig, expected):
    datasets = ["mnist", "fashion_mnist", "cifar10"]
    rows = [row(d, n_sig=n) for d, n in zip(datasets, n_sig, strict=True)]
    rows += [row(d, True, n_sig=n) for d, n in zip(datasets, (10, 0, 10), strict=True)]
    arguments = {"datasets": datasets, "n_clusters": 4, "lowest": "cifar10"}
    assert holds("depends_on_dataset", results(*rows), **arguments) == [expected]
    assert holds("depends_on_dataset", results(*rows[:2]), **arguments) == []


def test_homogeneity_is_the_exact_test():
    # of two shares it is Fisher's
    for passed in ((0, 10), (3, 7), (5, 5), (1, 2)):
        shares = list(zip(passed, (10, 12), strict=True))
        expected = scipy.stats.fisher_exact([[i, n - i] for i, n in shares]).pvalue
        assert homogeneity(shares) == pytest.approx(expected)
    # three of nine pass: of 84 ways, three have all of them in one share
    assert homogeneity([(3, 3), (0, 3), (0, 3)]) == pytest.approx(3 / 84)
    assert homogeneity([(1, 3), (1, 3), (1, 3)]) == 1.0
    assert homogeneity([(0, 3), (0, 3), (0, 3)]) == 1.0


@pytest.mark.parametrize(
    ("won", "lost", "expected"),
    # of five, all or none are needed: 1 / 32 is below 5 %
    [(5, 0, True), (4, 0, None), (0, 0, None), (9, 4, None), (9, 3, None), (10, 2, True),
     (0, 4, None), (0, 5, False)],
)  # fmt: skip
def test_more_networks_are_significant(won, lost, expected):
    # networks that pass for both, or for neither, decide nothing
    passes = [(1, 0)] * won + [(0, 1)] * lost + [(1, 1)] * 20 + [(0, 0)] * 3
    tests = [
        ("mnist", i % 2 == 0, k, 320, 1.0, f"network {i}", 1 / 321 if each else 2 / 321)
        for i, both in enumerate(passes)
        for k, each in zip((7, 4), both, strict=True)
    ]
    other = [("lines", True, k, 320, 1.0, f"{i}", 1 / k) for i in range(9) for k in (4, 321)]
    arguments = {"datasets": ["mnist", "cifar10"], "n_clusters": 7, "than": 4}
    (case,) = decided("more_significant", results(tests=tests + other), **arguments).cases
    assert case.holds is expected
    start = f"{won} of {len(passes)} networks for 7 clusters alone, {lost} for 4 (MNIST, with"
    assert case.evidence.startswith(start)
    alone = [test for test in tests if test[2] == 7]
    assert holds("more_significant", results(tests=alone), **arguments) == []


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
    # together: one of forty is luck, two are not
    for n_sig, expected in ((1, True), (2, False)):
        none = [row(dropout=d, n=20, n_sig=n_sig * d) for d in (False, True)]
        assert holds("none_or_most", results(*none, *rows[1:]), **arguments) == [expected, None]


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


@pytest.mark.parametrize(
    ("above", "expected"), [(0, False), (1, None), (3, None), (4, True), (9, True), (10, True)]
)
def test_networks_above_all_their_shuffles(above, expected):
    found = results(row(above=above), row(dropout=True, above=5))
    arguments = MNIST | {"printed": 5, "least": 0.1}
    (case,) = decided("above_all_shuffles", found, **arguments).cases
    assert case.holds is expected
    assert case.evidence.endswith("against 5/10; with 32 shuffles each, 3.8 expected")


def by_accuracy(
    dataset: str, dropout: bool, n: int, rho: float, phases: Sequence[str] = ("after",)
) -> list[tuple]:
    """Networks whose n-cuts and accuracies are correlated about so much, alike in each phase."""
    rng = np.random.default_rng([n, dropout, *dataset.encode()])
    ncuts, noise = rng.permutation(n), rng.permutation(n)
    accuracies = rho * ncuts + (1 - abs(rho)) * noise
    return [
        (dataset, dropout, i, phase, float(ncuts[i]), float(accuracies[i]))
        for phase in phases
        for i in range(n)
    ]


def test_independence_of_accuracy():
    arguments = {"datasets": ["mnist"], "within": 0.5}
    for n, rho, expected in ((40, 0.0, True), (5, 0.0, None), (40, 1.0, False), (40, -1.0, False)):
        networks = by_accuracy("mnist", False, n, rho, ["after", "before"])
        networks += by_accuracy("lines", False, n, 1.0)
        found = decided("independent_of_accuracy", results(networks=networks), **arguments)
        assert [case.name for case in found.cases] == ["before pruning", "after pruning"]
        assert [case.holds for case in found.cases] == [expected] * 2


def test_correlations_of_many_kinds_are_one():
    """Twelve kinds of ten networks tell what one kind of ten does not."""
    kinds = [(f"kind {i}", d) for i in range(6) for d in (False, True)]
    datasets = [name for name, _ in kinds]
    for rho, alone, together in ((0.0, None, True), (0.5, None, False)):
        for chosen, expected in ((kinds[:1], alone), (kinds, together)):
            networks = [each for kind in chosen for each in by_accuracy(*kind, 10, rho)]
            found = results(networks=networks)
            arguments = {"datasets": datasets, "within": 0.5}
            assert holds("independent_of_accuracy", found, **arguments) == [expected]


def test_one_kind_that_follows_accuracy_is_not_hidden_by_the_others():
    others = by_accuracy("fashion_mnist", False, 200, 0.0) + by_accuracy("cifar10", True, 200, 0.0)
    arguments = {"datasets": ["mnist", "fashion_mnist", "cifar10"], "within": 0.999}
    for rho, expected in ((1.0, False), (0.0, True)):
        found = results(networks=by_accuracy("mnist", False, 10, rho) + others)
        (case,) = decided("independent_of_accuracy", found, **arguments).cases
        assert case.holds is expected
        assert ("of them: MNIST, no dropout [+" in case.evidence) is (expected is False)


def test_kinds_of_opposite_correlation_are_not_called_independent():
    """Their mean is near 0, and each by itself can be told from 0 before the correction alone."""
    # accuracies of ten networks in the order of their n-cuts: rank correlations of 0.70 and -0.01
    follows, does_not = [0, 3, 6, 1, 2, 4, 8, 7, 9, 5], [4, 0, 5, 8, 9, 3, 6, 1, 7, 2]
    kinds = [("mnist", follows[::-1]), ("fashion_mnist", follows), ("cifar10", does_not)]
    networks = [
        (name, False, i, "after", float(i), float(accuracy))
        for name, accuracies in kinds
        for i, accuracy in enumerate(accuracies)
    ]
    arguments = {"datasets": [name for name, _ in kinds], "within": 0.6}
    (case,) = decided("independent_of_accuracy", results(networks=networks), **arguments).cases
    assert case.holds is None
    assert "out 0: MNIST, no dropout [-" in case.evidence
    assert case.evidence.endswith("of them: none")


@pytest.mark.parametrize(
    ("spreads", "expected"),
    # of ten and ten, ratios from 0.498 to 2.007 may be luck
    [((1, 1, 2.1), True), ((1, 1, 1.9), None), ((1, 1, 0.45), False), ((0.1, 9, 1), False)],
)
def test_largest_spread(spreads, expected):
    datasets = ["mnist", "fashion_mnist", "cifar10"]
    networks = [
        (dataset, False, i, "after", spread * value, 0.9)
        for dataset, spread in zip(datasets, spreads, strict=True)
        for i, value in enumerate(TEN)
    ]
    networks += [
        (*each[:3], "before", 9.0 * each[2] * (each[0] == "mnist"), 0.9) for each in networks
    ]
    arguments = {"datasets": datasets, "of": "cifar10"}
    (case,) = decided("largest_spread", results(networks=networks), **arguments).cases
    assert (case.name, case.holds) == ("no dropout", expected)
    assert (
        holds("largest_spread", results(networks=networks[:20] + networks[30:]), **arguments) == []
    )
    # without a spread there is no ratio
    flat = [(*each[:4], 2.0, 0.9) for each in networks]
    assert holds("largest_spread", results(networks=flat), **arguments) == [None]


def test_networks_like_their_shuffles_show_nothing_of_significance():
    """Networks below all shuffles by luck alone have no claim about it reproduced."""
    claimed = [claim for claim in claims(1) if claim["id"] in SIGNIFICANCE]
    for seed in range(20):
        world = chances.world(np.random.default_rng(seed), replication=False)
        found = decide(claimed, KNOWN, world)
        assert "reproduced" not in {each.verdict for each in found}
        assert all(each.cases for each in found)
        # nothing to see is no evidence
        assert {each.verdict for each in found if each.claim["rule"] == "more_significant"} == {
            "cannot tell"
        }


SIGNIFICANCE = ("A5", "A6", "A7", "A8", "A9", "A13", "A14")


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
            n_sig_of_few=0.0,
            n_above_all_of_few=0.0,
            **{c: table[c.removeprefix("paper_")] for c in PAPER},
        )
        by_k.append(both)
    found = replace(results(), tables=printed(pd.concat(by_k)))
    verdicts = {v.claim["id"]: v for v in decide(claims(1), KNOWN, found)}
    assert {i: v.verdict for i, v in verdicts.items() if v.cases} == {
        **dict.fromkeys(("A8", "A9", "A13", "A14"), "reproduced"),
        **dict.fromkeys(("A4", "A5"), "cannot tell"),
    }
