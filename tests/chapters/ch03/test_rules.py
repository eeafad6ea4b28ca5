"""The rules of chapter 3 see what holds and what does not."""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import replace
from math import comb

import pandas as pd
import pytest
from made_up_lesions import edges_only, three_studies
from small_book import printed

from modclust_utils.chapters.ch03_lesions import rules, tables
from modclust_utils.chapters.ch03_lesions.findings import graph_of
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


def network_with(n_edges: tuple[int, int], n_others: tuple[int, int]) -> Study:
    """A study with edges, and other pairs of important sub-clusters: (in one cluster, across)."""
    rows = []
    for is_edge, (n_same, n_across) in ((True, n_edges), (False, n_others)):
        rows += [(1, 0, layer, 0, is_edge) for layer in range(2, 2 + n_same)]
        rows += [(1, 0, layer, 1, is_edge) for layer in range(2, 2 + n_across)]
    pairs = printed(pd.DataFrame(rows, columns=[*EDGE, "edge"]))
    places = {(r.x_layer, r.x_label) for r in pairs.itertuples()} | {
        (r.y_layer, r.y_label) for r in pairs.itertuples()
    }
    important = [(i, j, "important") for i, j in sorted(places)]
    singles = printed(pd.DataFrame(important, columns=["layer", "label", "kind"]))
    return replace(
        edges_only([]), singles=singles, pairs=pairs, edges=pairs[pairs["edge"].astype(bool)]
    )


def test_edges_join_one_cluster():
    # 4 of 4 edges and 0 of 4 others: p = 1 / C(8, 4); 3 of 4 and 1 of 4: (16 + 1) / C(8, 4)
    for same, p in ((4, 1 / comb(8, 4)), (3, 17 / comb(8, 4))):
        both = [network_with((same, 0), (0, same)), network_with((0, 4 - same), (4 - same, 0))]
        results = Results(Studies(both[0], [both[1]], [both[1]]), "fashion_mnist")
        assert graph_of(*results.studies.networks).p_value == pytest.approx(p)
        for alpha in (0.05, 0.5):
            (case,) = rules.edges_join_one_cluster(results, ["fashion_mnist"], alpha)
            assert case.holds == (p < alpha)
            assert case.evidence == (f"{same} of 4 edges, {4 - same} of 4 other pairs, p = {p:.2g}")


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
    p = comb(17, 3) / comb(28, 3)
    assert found["edges_join_one_cluster"] == (
        "not",
        f"3 of 17 edges, 0 of 11 other pairs, p = {p:.2g}",
    )
    rest = [v for v in verdicts if v.claim["rule"] != "edges_join_one_cluster"]
    assert [v.verdict for v in rest] == ["reproduced"] * 3
