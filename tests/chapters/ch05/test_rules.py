"""The rules of chapter 5 see what holds and what does not."""

from __future__ import annotations

import itertools
from dataclasses import replace

import numpy as np
import pandas as pd
import pytest
from networks import rng_of

from modclust_utils import stats
from modclust_utils.chapters.ch05_similarity import chances, rules, tables
from modclust_utils.chapters.ch05_similarity.rules import Results
from modclust_utils.datasets.papers import paper_table
from modclust_utils.publish.chapters import claims
from modclust_utils.verdicts import decide

KNOWN = {rule.__name__: rule for rule in rules.RULES}
HERE = {"datasets": ["mnist"]}
STRENGTHS = (1.0, 2.0, 3.0, 4.0, 5.0, 6.0, 7.0)


def networks(seeds: int = 4, untrained: int = 6) -> pd.DataFrame:
    rows = [
        (f"{sweep}{strength}{seed}", sweep, strength, seed, True, True)
        for sweep in tables.SWEEPS.values()
        for strength in STRENGTHS
        for seed in range(seeds)
    ] + [(f"fresh{seed}", tables.UNTRAINED, 0.0, seed, True, False) for seed in range(untrained)]
    return pd.DataFrame(rows, columns=[*tables.PLACE, "trained"])


def results(untrained: int = 6, **columns) -> Results:
    """Results in which columns of the scores are functions of a row (and noise is none)."""
    table = networks(untrained=untrained)
    parts = [
        table[tables.PLACE].assign(layer=layer, measure=measure, normalized=normalized)
        for layer, (measure, normalized) in itertools.product((1, 2), tables.SIMILARITIES)
    ]
    scores = pd.concat(parts, ignore_index=True)
    given = {"q": lambda r: 0.2, "q_single": lambda r: 0.1, "n_clusters": lambda r: 4.0} | columns
    given["q_search"] = given["q"]
    for name, value in given.items():
        scores[name] = [value(row) for row in scores.itertuples()]
    return Results(table, scores, table[tables.PLACE].copy(), "mnist", 0.8)


def with_blocks(value) -> Results:
    """Results in which the agreement of a group of pairs is a function of group and row."""
    found = results()
    groups = [*tables.GROUPS, "across, plain", "across, normalized"]
    columns = {g: [value(g, row) for row in found.blocks.itertuples()] for g in groups}
    return replace(found, blocks=found.blocks.assign(**columns))


def jitter(row) -> float:
    """A small number of each seed's own, so that intervals have a width."""
    return 0.001 * row.seed


def rises(slope: float, sweep: str = "dropout"):
    """A column that is seed 0's slope, and a little more for later seeds, times the strength."""
    return lambda r: 0.2 + (slope * (1 + 0.11 * r.seed) * r.strength if r.sweep == sweep else 0.0)


def holds(cases):
    return {case.name: case.holds for case in cases}


def test_gain_is_the_strongest_third_less_the_weakest_for_each_seed():
    table = networks()
    table["q"] = [r.strength**2 + r.seed for r in table.itertuples()]
    # seven strengths: thirds of two
    expected = (36 + 49) / 2 - (1 + 4) / 2
    assert tables.gain(table, "L1").tolist() == [expected] * 4
    ends = tables.ends_of(table, "L1", "q")
    assert ends.loc[2].to_dict() == {"low": 2.5 + 2, "high": 42.5 + 2}


def test_gain_leaves_out_discarded_networks_and_missing_values():
    table = networks()
    table["q"] = [r.strength for r in table.itertuples()]
    table.loc[(table["strength"] == 7) & (table["seed"] == 1), "kept"] = False
    table.loc[(table["strength"] == 1) & (table["seed"] == 2), "q"] = np.nan
    # of six strengths two again: 5.5 less 1.5, and 6.5 less 2.5
    assert tables.gain(table, "L2").tolist() == [5.0, 4.0, 4.0, 5.0]


@pytest.mark.parametrize(("slope", "expected"), [(0.01, True), (-0.01, False)])
def test_raises_modularity(slope, expected):
    cases = rules.raises_modularity(results(q=rises(slope)), sweep="dropout", **HERE)
    assert len(cases) == 8
    assert set(holds(cases).values()) == {expected}
    first = cases[0]
    gains = slope * (6.5 - 1.5) * (1 + 0.11 * np.arange(4))
    low, high = stats.mean_interval(gains)
    assert first.evidence == f"Q* by {gains.mean():+.3f} [{low:+.3f}, {high:+.3f}]"
    assert first.name == "covariance, plain"


def test_a_gain_that_the_seeds_disagree_about_cannot_be_told():
    found = results(q=lambda r: 0.2 + 0.01 * (-1) ** r.seed * r.strength)
    cases = rules.raises_modularity(found, sweep="L2", **HERE)
    assert set(holds(cases).values()) == {None}


def test_claims_are_about_mnist():
    found = results(q=rises(0.01))
    other = replace(found, dataset="mnist5k")
    assert rules.raises_modularity(other, sweep="dropout", **HERE) == []


@pytest.mark.parametrize(("factor", "expected"), [(1.0, True), (2.0, True), (4.0, False)])
def test_raises_more(factor, expected):
    def q(r):
        slope = {"dropout": 0.03, "L1": 0.01}.get(r.sweep, 0.0)
        return slope * (1 + 0.1 * r.seed) * r.strength

    cases = rules.raises_more(results(q=q), sweep="dropout", than=["L1"], factor=factor, **HERE)
    assert len(cases) == 8
    assert set(holds(cases).values()) == {expected}


def test_raises_upstream_more_and_first_layer_more():
    def q(r):
        upstream = 0.02 if r.measure in tables.UPSTREAM else 0.01
        return upstream / r.layer * (1 + 0.1 * r.seed) * r.strength * (r.sweep == "dropout")

    found = results(q=q)
    assert holds(rules.raises_upstream_more(found, sweep="dropout", **HERE)) == {"dropout": True}
    assert holds(rules.raises_first_layer_more(found, sweep="dropout", **HERE)) == {"dropout": True}
    # of the downstream measures alone it would be the same layer by layer; the side decides
    swapped = results(q=lambda r: -q(r))
    assert holds(rules.raises_upstream_more(swapped, sweep="dropout", **HERE)) == {"dropout": False}
    assert holds(rules.raises_first_layer_more(swapped, sweep="dropout", **HERE)) == {
        "dropout": False
    }


@pytest.mark.parametrize(("slope", "expected"), [(0.1, True), (0.5, False)])
def test_keeps_number_of_clusters(slope, expected):
    found = results(n_clusters=rises(slope))
    cases = rules.keeps_number_of_clusters(found, sweep="dropout", within=1.0, **HERE)
    assert len(cases) == 16
    assert cases[0].name == "layer 1, covariance, plain"
    assert set(holds(cases).values()) == {expected}


def test_changes_of_the_number_of_clusters_that_cancel_are_changes():
    """One layer has more clusters with dropout, and the other as many fewer."""
    found = results(n_clusters=lambda r: (3 - 2 * r.layer) * (rises(0.5)(r) - 0.2) + 4.0)
    cases = rules.keeps_number_of_clusters(found, sweep="dropout", within=1.0, **HERE)
    assert set(holds(cases).values()) == {False}
    assert {case.evidence[:4] for case in cases} == {"by +", "by -"}


@pytest.mark.parametrize(("many", "expected"), [(0, True), (3, False)])
def test_few_clusters(many, expected):
    """In each seed `many` of seven strengths have seven clusters."""
    found = results(n_clusters=lambda r: 7.0 if r.strength <= many and r.seed >= 0 else 4.0)
    found.scores.loc[found.scores["sweep"] == tables.UNTRAINED, "n_clusters"] = 9.0
    cases = rules.few_clusters(found, at_most=6, share=0.05, **HERE)
    assert holds(cases) == {"upstream": expected, "downstream": expected}


def two_strengths(found: Results) -> Results:
    """Twelve trained networks, two of each sweep and seed, of two seeds."""
    scores = found.scores[(found.scores["strength"] <= 2) & (found.scores["seed"] < 2)]
    return replace(found, scores=pd.concat([scores, found.scores.query("sweep == 'untrained'")]))


def test_few_networks_without_spread_decide_nothing_about_a_share():
    """Twelve networks of twelve: with a chance of 46 % at a true share of 1 in 16."""
    found = two_strengths(results(untrained=100))
    (case, _) = rules.few_clusters(found, at_most=6, share=0.05, **HERE)
    high = stats.proportion_interval(0, 12)[1]
    assert (case.holds, case.evidence) == (None, f"0.0% [0.0%, {high:.1%}] of 96")
    (case, _) = rules.clusters_as_untrained(found, share=0.9, **HERE)
    low = stats.proportion_interval(12, 12)[0]
    assert (case.holds, case.evidence) == (None, f"100% [{low:.0%}, 100%] of 96")


def test_clusters_as_untrained():
    def n(r, shift):
        return 4.0 + jitter(r) if r.sweep == tables.UNTRAINED else 4.001 + shift

    for shift, expected in ((0.0, True), (1.0, False)):
        found = results(untrained=40, n_clusters=lambda r, shift=shift: n(r, shift))
        cases = rules.clusters_as_untrained(found, share=0.9, **HERE)
        assert holds(cases) == {"upstream": expected, "downstream": expected}


@pytest.mark.parametrize("untrained", [6, 39])
def test_too_few_untrained_networks_say_nothing_of_what_training_does(untrained):
    """Nothing differs between the two kinds, and yet more than a tenth would be outside."""
    rng = rng_of(2)
    found = results(untrained=untrained, n_clusters=lambda r: rng.normal(4, 1))
    assert rules.clusters_as_untrained(found, share=0.9, **HERE) == []


def many_networks(discarded: int) -> pd.DataFrame:
    """Nine seeds of the paper's thirty settings, some of them discarded."""
    settings = paper_table("lange2022_table_1")
    table = pd.concat([settings] * 9, ignore_index=True).assign(trained=True)
    return table.assign(kept=table.index >= discarded)


@pytest.mark.parametrize(("n", "expected"), [(10, False), (20, True), (30, False)])
def test_printed_number_discarded(n, expected):
    many = replace(results(), networks=many_networks(n))
    (case,) = rules.printed_number_discarded(many, low=18, high=27, **HERE)
    assert (case.holds, case.evidence) == (expected, f"{n} of 270 here, 21 in the paper")


def test_the_printed_number_is_about_the_printed_networks_and_accuracy():
    many = replace(results(), networks=many_networks(20))
    others = many.networks.assign(l2=many.networks["l2"] * 2)
    for other in (
        replace(many, networks=many.networks.iloc[1:]),
        replace(many, networks=others),
        replace(many, least_accuracy=0.5),
    ):
        assert rules.printed_number_discarded(other, low=18, high=27, **HERE) == []


@pytest.mark.parametrize(
    ("low", "words"),
    [(-0.0004, "[-0.0004, +0.0750]"), (-0.02, "[-0.020, +0.075]"), (0.0, "[+0.000, +0.075]")],
)
def test_an_end_beside_0_is_on_its_own_side_of_it(monkeypatch, low, words):
    monkeypatch.setattr(stats, "mean_interval", lambda values: (low, 0.075))
    case, *_ = rules.raises_modularity(results(q=rises(0.01)), sweep="dropout", **HERE)
    assert case.evidence.endswith(words)


@pytest.mark.parametrize(("slope", "expected"), [(0.1, True), (0.2, False)])
def test_same_sparsity(slope, expected):
    found = results()
    found.networks["sparsity"] = [
        {"L1": slope, "L2": 0.1}.get(r.sweep, 0) * r.strength
        + jitter(r) * r.strength * (r.sweep == "L1")
        for r in found.networks.itertuples()
    ]
    (case,) = rules.same_sparsity(found, sweeps=["L1", "L2"], within=0.1, **HERE)
    assert case.holds is expected


@pytest.mark.parametrize(("single", "expected"), [(0.1, True), (0.2, True), (0.3, False)])
def test_spectral_start_helps(single, expected):
    found = results(q_single=lambda r: single)
    cases = rules.spectral_start_helps(found, below=0.02, **HERE)
    assert holds(cases) == {"upstream": expected, "downstream": expected}


LEVELS = {"same measure": 0.9, "upstream": 0.5, "downstream": 0.6, "across": 0.2}


def test_agrees_more():
    found = with_blocks(lambda g, r: LEVELS.get(g, 0.2) + jitter(r) * len(g))
    cases = rules.agrees_more(found, groups=["upstream", "downstream"], than=["across"], **HERE)
    assert set(holds(cases).values()) == {True}
    cases = rules.agrees_more(found, groups=["across"], than=["upstream"], **HERE)
    assert holds(cases) == {"across against upstream": False}


def test_untrained_networks_alone_decide_what_is_there_without_training():
    def value(group, r):
        fresh = r.sweep == tables.UNTRAINED
        return (LEVELS.get(group, 0.2) if fresh else 0.0) + jitter(r) * len(group)

    cases = rules.untrained_agree_more(
        with_blocks(value), group="downstream", than="across", **HERE
    )
    assert holds(cases) == {"downstream against across, untrained": True}


@pytest.mark.parametrize(
    ("change", "raised", "kept"), [(0.3, True, False), (0.02, True, True), (-0.3, False, False)]
)
def test_what_training_does(change, raised, kept):
    def value(group, r):
        return 0.4 + jitter(r) + (0.0 if r.sweep == tables.UNTRAINED else change)

    found = with_blocks(value)
    cases = rules.training_raises_agreement(found, groups=["upstream"], **HERE)
    assert holds(cases) == {"upstream": raised}
    cases = rules.training_keeps_agreement(found, group="downstream", within=0.1, **HERE)
    assert holds(cases) == {"downstream": kept}


def test_what_regularization_does_to_agreement():
    found = with_blocks(
        lambda g, r: (0.01 if r.sweep != "L1" else -0.01) * (1 + 0.1 * r.seed) * r.strength
    )
    cases = rules.regularization_raises_agreement(found, group="upstream", **HERE)
    assert holds(cases) == {"L2": True, "L1": False, "dropout": True}


def test_strong_end():
    def value(group, r):
        strong = r.sweep == "L1" and r.strength >= 6
        return jitter(r) * len(group) + (0.5 if group == "across, plain" and strong else 0.1)

    found = with_blocks(value)
    sides = {"group": "across, plain", "than": "across, normalized"}
    cases = rules.strong_end_agrees_more(found, sweep="L1", **sides, **HERE)
    assert holds(cases) == {"across, plain against across, normalized": True}
    weak = rules.strong_end_agrees_more(found, sweep="L2", **sides, **HERE)
    assert set(holds(weak).values()) == {None}


def test_claims_hold_in_a_world_that_has_their_effects():
    world = chances.world(rng_of(1), replication=True)
    verdicts = {v.claim["id"]: v.verdict for v in decide(claims(5), KNOWN, world)}
    assert set(verdicts) == {f"E{i}" for i in range(1, 21)}
    del verdicts["E9"]  # the number of discarded networks is drawn at random
    assert set(verdicts.values()) == {"reproduced"}


@pytest.mark.parametrize("seeds", [0, 1])
def test_without_two_seeds_nothing_is_decided(seeds):
    found = chances.world(rng_of(1), replication=True)
    few = [t[t["seed"] < seeds] for t in (found.networks, found.scores, found.blocks)]
    for verdict in decide(claims(5), KNOWN, Results(*few, "mnist", 0.8)):
        if verdict.claim["rule"] not in ("spectral_start_helps",):
            assert verdict.verdict == "not attempted", verdict.claim["id"]
