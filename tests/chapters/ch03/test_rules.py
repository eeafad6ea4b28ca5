"""The rules of chapter 3 see what holds and what does not."""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import replace

import numpy as np
import pandas as pd
import pytest
from made_up_lesions import edges_only, three_studies
from small_book import printed

from modclust_utils.chapters.ch03_lesions import rules, tables
from modclust_utils.chapters.ch03_lesions.rules import Results
from modclust_utils.chapters.ch03_lesions.tables import EDGE, Studies
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
    assert case.evidence == f"{int(holds)} to 1 in each of 2 networks"


@pytest.mark.parametrize(
    ("counts", "holds"),
    [((8, 10), True), ((9, 9), True), ((9, 12), True), ((7, 8), False), ((10, 11), False)],
)
def test_printed_number_of_a_kind(counts, holds):
    results = counted(*(["important"] * n + ["small"] * 9 for n in counts))
    (case,) = rules.printed_number_of_kind(results, ["fashion_mnist"], "important")
    assert case.holds is holds
    assert case.evidence == f"9 in the paper, {counts[0]} to {counts[1]} here"


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
        assert set(chance) <= set(range(0, 2 * n + 1, 2))
        assert (chance == 2 * n).mean() == pytest.approx(0.5**n, abs=0.04)
        (case,) = rules.edges_join_one_cluster(results, ["fashion_mnist"], 0.05, **PERMUTED)
        assert case.holds is (True if n == 6 else None)
        assert case.evidence.startswith(f"{2 * n} of {2 * n} edges, 0 of {2 * n} other pairs; ")
    across = networks(6, same=False)
    (case,) = rules.edges_join_one_cluster(across, ["fashion_mnist"], 0.05, **PERMUTED)
    assert case.holds is False


def test_claims_are_not_attempted_for_other_data(studies):
    own = claims(3)
    assert {claim["rule"] for claim in own} == {rule.__name__ for rule in rules.RULES}
    for dataset, attempted in (("fashion_mnist", True), ("mnist5k", False)):
        verdicts = decide(own, KNOWN, Results(studies, dataset))
        assert [v.verdict != "not attempted" for v in verdicts] == [attempted] * len(own)


def test_claims_about_the_tables_for_the_paper_itself():
    """With the printed tables in place of ours, what they can say is reproduced. Its 17 edges are
    too few to tell whether they prefer one cluster: 3 of them do, and none of the 11 other pairs.
    """
    pairs = tables.paper_pairs(paper_table("filan2020_table_a19"))
    itself = replace(
        edges_only([]),
        singles=tables.paper_singles(paper_table("filan2020_table_a18")),
        pairs=pairs,
        edges=tables.edges_among(pairs),
    )
    verdicts = decide(claims(3), KNOWN, Results(Studies(itself, [], []), "fashion_mnist"))
    found = {v.claim["rule"]: (v.verdict, v.cases[0].evidence) for v in verdicts}
    verdict, evidence = found["edges_join_one_cluster"]
    assert verdict == "cannot tell"
    assert evidence.startswith("3 of 17 edges, 0 of 11 other pairs; ")
    rest = [v for v in verdicts if v.claim["rule"] != "edges_join_one_cluster"]
    assert [v.verdict for v in rest] == ["reproduced"] * 3
