"""The rules of chapter 3 see what holds and what does not."""

from __future__ import annotations

import re
from collections.abc import Sequence
from dataclasses import replace

import numpy as np
import pandas as pd
import pytest
from made_up_lesions import edges_only, three_studies
from small_book import printed

from modclust_utils.chapters.ch03_lesions import dependencies, rules, tables
from modclust_utils.chapters.ch03_lesions.chances import world
from modclust_utils.chapters.ch03_lesions.rules import Results
from modclust_utils.chapters.ch03_lesions.tables import EDGE, Studies, Study
from modclust_utils.datasets.papers import paper_table
from modclust_utils.publish.chapters import claims
from modclust_utils.verdicts import decide

KNOWN = {rule.__name__: rule for rule in rules.RULES}


@pytest.fixture(scope="module")
def studies() -> Studies:
    return three_studies()


def counted(*kinds: Sequence[str]) -> Results:
    """Results of networks with sub-clusters of these kinds."""
    found = [replace(edges_only([]), singles=pd.DataFrame({"kind": list(each)})) for each in kinds]
    return Results(Studies(found[0], [], found[1:]), "fashion_mnist")


@pytest.mark.parametrize(
    ("kinds", "holds"),
    [((["small", "other"], ["small"]), True), ((["small"], ["other", "important"]), False)],
)
def test_every_network_has_a_kind(kinds, holds):
    (case,) = rules.every_network_has_kind(counted(*kinds), ["fashion_mnist"], "small")
    assert (case.name, case.holds) == ("small", holds)
    assert case.evidence == f"between {int(holds)} and 1 in our 2 networks"


@pytest.mark.parametrize(
    ("counts", "holds"),
    # the paper has 6 small ones, of which half are 3: t of three networks is 4.3
    [
        ((5,) * 5, True),
        ((2,) * 5, False),
        ((5, 5, 5), None),  # three that are the same do not tell how much they vary
        ((3, 4, 5), None),
        ((1, 2, 3), None),
        ((5,), None),
    ],
)
def test_many_of_a_kind(counts, holds):
    results = counted(*(["small"] * n + ["other"] for n in counts))
    (case,) = rules.many_of_kind(results, ["fashion_mnist"], "small", 0.5)
    assert (case.name, case.holds) == ("small", holds)
    assert case.evidence.startswith(f"6 in the paper; between {min(counts)} and {max(counts)} in ")


@pytest.mark.parametrize(
    ("counts", "within", "holds"),
    # of the two values m ± 1, the sample deviation is sqrt(2) and that of one more sqrt(3); with
    # one degree of freedom t is 6.3 at 90 %, so that the half of the interval is 10.9
    [
        ((8, 10), 1.3, True),
        ((8, 10), 1.1, None),
        ((19, 21), 1.3, None),
        ((39, 41), 1.3, False),
        ((9, 9), 0.1, None),  # two that are the same do not tell how much they vary
        ((9,) * 5, 0.1, True),
        ((8,) * 5, 0.1, False),
        ((9,), 9.0, None),
    ],
)
def test_printed_number_of_a_kind(counts, within, holds):
    results = counted(*(["important"] * n + ["small"] * 9 for n in counts))
    (case,) = rules.printed_number_of_kind(results, ["fashion_mnist"], "important", within)
    assert case.holds is holds
    assert case.evidence.startswith(f"9 in the paper; between {counts[0]} and {counts[-1]} in our ")
    if counts == (8, 10):
        half = 6.314 * 3**0.5
        assert case.evidence.endswith(f"one more within [{9 - half:.1f}, {9 + half:.1f}] (90 %)")


def graph_with(n_edges: int, n_pairs: int) -> Study:
    """A study with so many pairs of important sub-clusters, so many of them edges."""
    kinds = [(1, 0), *((2, label) for label in range(n_pairs))]
    singles = pd.DataFrame(kinds, columns=["layer", "label"]).assign(kind="important")
    pairs = pd.DataFrame([(1, 0, 2, label) for label in range(n_pairs)], columns=EDGE)
    edges = printed(pairs[:n_edges])
    return replace(edges_only([]), singles=printed(singles), pairs=printed(pairs), edges=edges)


@pytest.mark.parametrize(
    ("shares", "holds"),
    [
        ([(6, 10), (6, 10), (7, 10)], True),  # the paper has 17 of 28
        ([(1, 10), (1, 10), (2, 10)], False),
        ([(3, 10), (6, 10), (9, 10)], None),  # too far apart to say
        ([(6, 10), (0, 0)], None),  # a network without pairs has no share
        ([(0, 0)], None),
    ],
)
def test_printed_share_of_edges(shares, holds):
    first, *others = (graph_with(*each) for each in shares)
    results = Results(Studies(first, [], others), "fashion_mnist")
    (case,) = rules.printed_share_of_edges(results, ["fashion_mnist"], 0.5)
    assert case.holds is holds
    assert case.evidence.startswith("17 of 28 in the paper")
    if holds:
        assert "(61%); 60% to 70% in our 3 networks, one more within [" in case.evidence


PERMUTED = {"n_permutations": 2000, "seed": 0}


def test_edges_join_one_cluster():
    # an edge from each of 1-0 and 1-1 to 2-0 and 2-1: both orders of each layer's labels are alike,
    # and in one half of them all four ends agree
    singles = pd.DataFrame(
        [(layer, label, "important") for layer in (1, 2) for label in (0, 1)],
        columns=["layer", "label", "kind"],
    )
    rows = [(1, a, 2, b, a == b) for a in (0, 1) for b in (0, 1)]
    pairs = printed(pd.DataFrame(rows, columns=[*EDGE, "edge"]))

    def networks(n: int, *, same: bool) -> Results:
        edges = pairs[pairs["edge"] == same]
        study = replace(edges_only([]), singles=printed(singles), pairs=pairs, edges=printed(edges))
        return Results(Studies(study, [], [study] * (n - 1)), "fashion_mnist")

    for n in (1, 6):
        results = networks(n, same=True)
        chance = rules.permuted_same(results.studies.networks, 2000, np.random.default_rng(1))
        assert set(chance.ravel()) == {0, 2}
        assert chance.shape == (n, 2000)
        assert (chance.sum(0) == 2 * n).mean() == pytest.approx(0.5**n, abs=0.04)
        (case,) = rules.edges_join_one_cluster(results, ["fashion_mnist"], 0.05, **PERMUTED)
        assert case.holds is (True if n == 6 else None)
        assert case.evidence.startswith(f"{2 * n} of {2 * n} edges, 0 of {2 * n} other pairs; ")
        assert ("where one network is left out" in case.evidence) is (n == 6)
        if n == 6:  # all are alike: without any of them, p is 1 / 32
            (ends,) = re.findall(r"and ([\d.]+) to ([\d.]+) where", case.evidence)
            assert [*map(float, ends)] == pytest.approx([1 / 32] * 2, abs=0.02)
    for n, holds in ((1, None), (6, False)):  # fewer than on average is no evidence against
        across = networks(n, same=False)
        (case,) = rules.edges_join_one_cluster(across, ["fashion_mnist"], 0.05, **PERMUTED)
        assert case.holds is holds


def test_claims_are_not_attempted_for_other_data(studies):
    own = claims(3)
    assert {claim["rule"] for claim in own} == {rule.__name__ for rule in rules.RULES}
    for dataset, attempted in (("fashion_mnist", True), ("mnist5k", False)):
        verdicts = decide(own, KNOWN, Results(studies, dataset))
        assert [v.verdict != "not attempted" for v in verdicts] == [attempted] * len(own)


@pytest.mark.parametrize("n", [1, 10])
def test_claims_about_the_tables_for_the_paper_itself(n):
    """Where ten networks have the printed tables, all claims are reproduced; one is too few for
    most, and its 17 edges do not tell whether they prefer one cluster: 3 of them do, and none of
    the 11 other pairs.
    """
    pairs = tables.paper_pairs(paper_table("filan2020_table_a19"))
    itself = replace(
        edges_only([]),
        singles=tables.paper_singles(paper_table("filan2020_table_a18")),
        pairs=pairs,
        edges=tables.edges_among(pairs),
    )
    results = Results(Studies(itself, [], [itself] * (n - 1)), "fashion_mnist")
    verdicts = {v.claim["id"]: v for v in decide(claims(3), KNOWN, results)}
    for name, verdict in verdicts.items():
        assert verdict.verdict == ("reproduced" if n > 1 or name == "C1" else "cannot tell")
    evidence = verdicts["C4"].cases[0].evidence
    assert evidence.startswith(f"{3 * n} of {17 * n} edges, 0 of {11 * n} other pairs; ")


def test_made_up_networks_without_the_effect_have_none_of_it():
    """What beats its random sets does so by luck, as many are small as in the paper, and a pair in
    one cluster is an edge as often as another."""
    rng = np.random.default_rng(0)
    found = [world(rng, replication=False) for _ in range(8)]
    kinds = pd.concat([s.singles for each in found for s in each.studies.networks])["kind"]
    shares = kinds.value_counts(normalize=True)
    assert shares["small"] == pytest.approx(6 / 24, abs=0.03)
    lucky = shares.reindex(["important", "sig-but-not-diff"], fill_value=0).sum()
    assert 0 < lucky < 3 * 18 / 24 / 101
    graphs = [s for each in found for s in each.graphs]
    assert len(graphs) == 80
    assert all((s.singles["kind"] == "important").any() for s in graphs)
    own = [dependencies.graph_of(*each.graphs) for each in found]
    for each in own:
        inside, across = (
            each.n_same_edges / (each.n_same_edges + each.n_same_others),
            (each.n_edges - each.n_same_edges)
            / (each.n_pairs - each.n_same_edges - each.n_same_others),
        )
        assert inside == pytest.approx(across, abs=0.35)
    assert np.ptp([each.n_edges / each.n_pairs for each in own]) > 0.3


def test_a_made_up_replication_has_the_shares_of_the_paper():
    rng = np.random.default_rng(0)
    found = [world(rng, replication=True) for _ in range(8)]
    kinds = pd.concat([s.singles for each in found for s in each.graphs])["kind"]
    shares = kinds.value_counts(normalize=True)
    for kind, n in {"important": 9, "sig-but-not-diff": 5, "small": 6, "other": 4}.items():
        assert shares[kind] == pytest.approx(n / 24, abs=0.04)
    own = [dependencies.graph_of(*each.graphs) for each in found]
    n_same = [each.n_same_edges + each.n_same_others for each in own]
    inside = [each.n_same_edges / n for each, n in zip(own, n_same, strict=True)]
    # three of three leave open more than one: the mean of Beta(3.5, 0.5) is 7/8
    assert 0.7 < np.mean(inside) < 1
    assert min(inside) < 0.95
