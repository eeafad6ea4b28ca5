"""Claims: each rule sees what holds and what does not, and every claim can be decided."""

from __future__ import annotations

import inspect
import json
import math
from collections.abc import Sequence

import numpy as np
import pandas as pd
import pytest
import yaml
from small_book import ROOT

from modclust_utils import datasets
from modclust_utils.chapters.ch02_dropout_and_topology.controls import CONTROL_TABLES
from modclust_utils.datasets.papers import paper_table
from modclust_utils.publish import claims, parameters, tables
from modclust_utils.publish.claims import RULES, Case, Chapter1, Verdict, decide, read_claims
from modclust_utils.publish.experiments import PHASES

ALL = yaml.safe_load((ROOT / "data" / "claims.yml").read_text(encoding="utf-8"))
CHAPTERS = sorted({claim["chapter"] for claim in ALL})
COLUMNS = ("dataset", "dropout", "ncut_mean", "ncut_std", "n", "n_sig")
PAPER = ("paper_ncut_mean", "paper_ncut_std", "paper_prop_sig")
NO_NETWORKS = pd.DataFrame({"dataset": [], "dropout": [], "seed": [], "phase": [], "ncut": []})


def results(
    *rows: tuple, k: int = 4, networks: pd.DataFrame = NO_NETWORKS, random: Sequence[float] = (2.4,)
) -> Chapter1:
    """Rows: dataset, dropout, our mean, std, n, n_sig, printed mean, std, share."""
    table = pd.DataFrame(rows, columns=[*COLUMNS, *PAPER])
    return Chapter1(networks, {k: table}, np.array(random), k)


def row(
    dataset: str = "mnist", dropout: bool = False, *, ours: tuple = (2.0, 0.1, 10, 5),
    paper: tuple = (2.0, 0.1, 0.5),
) -> tuple:  # fmt: skip
    return (dataset, dropout, *ours, *paper)


def verdict(rule: str, found: Chapter1, **arguments: object) -> str:
    (decided,) = decide([{"rule": rule, "arguments": arguments}], found)
    return decided.verdict


def networks(*ncuts: tuple[str, bool, float, float]) -> pd.DataFrame:
    """Rows: dataset, dropout, n-cut before, after; a seed each."""
    rows = [
        {"dataset": d, "dropout": dropout, "seed": seed, "phase": phase, "ncut": ncut}
        for seed, (d, dropout, *both) in enumerate(ncuts)
        for phase, ncut in zip(("before", "after"), both, strict=True)
    ]
    return pd.DataFrame(rows)


# The file


def test_every_claim_of_the_file_is_read():
    read = [claim for chapter in CHAPTERS for claim in read_claims(chapter)]
    assert sorted(c["id"] for c in read) == sorted(c["id"] for c in ALL)
    assert len({claim["id"] for claim in ALL}) == len(ALL) > 0


#: Where the networks of a claim come from, if not from the parameter `datasets` of its chapter.
TRAINED_ON = {
    **{"unlearnable": "random_datasets", "kilo-epoch": "random_datasets"},
    **{"memorization": "memorized_datasets"},
    **{"mixture_mean": "mixtures", "mixture_order": "mixtures"},
}


def trained_on(claim: dict) -> set[str]:
    """The data sets whose records the paper profile makes for a claim."""
    paper = parameters.read_profile(claim["chapter"], "paper")
    if claim["chapter"] == 3:
        return {paper["dataset"]}
    role = claim["arguments"].get("role", claim["rule"])
    if role == "kilo-epoch":
        assert paper["kilo_epochs"] > 0
    return set(paper[TRAINED_ON.get(role, "datasets")])


@pytest.mark.parametrize("claim", ALL, ids=lambda claim: claim["id"])
def test_claim_can_be_decided(claim):
    arguments = claim["arguments"]
    inspect.signature(RULES[claim["rule"]]).bind(None, **arguments)
    assert set(arguments["datasets"]) <= set(datasets.NAMES)
    # only what is printed in the paper can be decided without a data set
    assert (arguments["datasets"] == []) == (claim["rule"] == "p_values_on_lattice")
    # the paper profile makes the records that the claim is about
    assert set(arguments["datasets"]) <= trained_on(claim)
    if "n_clusters" in arguments:
        paper = parameters.read_profile(claim["chapter"], "paper")
        k = arguments["n_clusters"]
        assert k in {paper["n_clusters"], *paper["more_clusters"]}
        assert set(arguments["datasets"]) <= set(tables.paper_for_k(k)["dataset"])
    # what the rules compare with is in the paper
    if "role" in arguments:
        assert arguments["role"] in CONTROL_TABLES
    if "phase" in arguments:
        assert arguments["phase"] in PHASES
    if "kind" in arguments:
        assert arguments["kind"] in set(paper_table("filan2020_table_a18")["type"])
    if claim["rule"].startswith("mixture_"):
        assert set(arguments["datasets"]) <= set(paper_table("filan2020_table_a16")["dataset"])
    for names in arguments.get("order", []):
        assert set(names) <= set(arguments["datasets"])


def test_every_rule_is_used():
    assert {claim["rule"] for claim in ALL} == set(RULES)


def test_printed_range_of_untrained_networks_is_that_of_the_facts():
    (claim,) = (c for c in ALL if c["rule"] == "random_within")
    low, high = tables.printed_support(paper_table("filan2020_text"))
    assert (claim["arguments"]["low"], claim["arguments"]["high"]) == (low, high)


def test_nothing_is_attempted_on_other_data_sets():
    other = results(row("mnist5k"), networks=networks(("mnist5k", False, 2.0, 1.0)))
    verdicts = decide(read_claims(1), other)
    assert [v.verdict for v in verdicts] == ["not attempted"] * len(verdicts)
    assert all(v.cases == () for v in verdicts)


def entry(**changes: object) -> dict:
    claim = {"id": "X1", "chapter": 1, "place": "Figure 1", "claim": "It is so."}
    return claim | {"rule": "pruning_lowers", "holds_if": "it is"} | changes


def write(path, *entries):
    path.write_text(yaml.safe_dump(list(entries)), encoding="utf-8")
    return path


@pytest.mark.parametrize("name", ["id", "chapter", "place", "claim", "rule", "holds_if"])
def test_claim_that_lacks_a_field(tmp_path, name):
    claim = entry()
    del claim[name]
    path = write(tmp_path / "claims.yml", claim)
    with pytest.raises(ValueError, match=rf"claims\.yml: claim .* lacks \['{name}'\]"):
        read_claims(1, path)


def test_claim_with_an_unknown_rule(tmp_path):
    path = write(tmp_path / "claims.yml", entry(rule="pruning_lower"))
    with pytest.raises(ValueError, match=r"rule='pruning_lower' of X1; allowed: .*pruning_lowers"):
        read_claims(1, path)


def test_claims_of_one_chapter(tmp_path):
    path = write(tmp_path / "claims.yml", entry(), entry(id="X2", chapter=2))
    assert [claim["id"] for claim in read_claims(1, path)] == ["X1"]
    assert [claim["id"] for claim in read_claims(2, path)] == ["X2"]
    assert read_claims(3, path) == []


# Verdicts


@pytest.mark.parametrize(
    ("held", "expected"),
    [
        ((), "not attempted"),
        ((False, False), "not"),
        ((True, False, False), "partly"),
        ((True, True), "reproduced"),
    ],
)
def test_verdict_follows_from_the_cases(held, expected):
    assert Verdict({}, tuple(Case("", h, "") for h in held)).verdict == expected
    assert expected in claims.VERDICTS


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
    (decided,) = decide([{"rule": "mean_within_spread", "arguments": arguments}], edge)
    (case,) = decided.cases
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
    def rows(gap: float) -> Chapter1:
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
    (decided,) = decide([{"rule": "pruning_lowers", "arguments": {"datasets": ["mnist"]}}], found)
    assert decided.cases == (Case("MNIST, no dropout", False, "1 of 2 networks"),)


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
    (decided,) = decide([{"rule": "same_share_significant", "arguments": arguments}], found)
    assert decided.cases[0].evidence == "6/10 against 10/10, p = 0.09"


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


# What a page shows


@pytest.fixture
def decided() -> list[Verdict]:
    cases = (Case("MNIST, no dropout", True, "+0.1"), Case("MNIST, with dropout", False, "+0.2"))
    return [Verdict(entry(), cases), Verdict(entry(id="X2", claim="Not seen."), ())]


def test_verdict_table(decided):
    first, second = claims.verdict_table(decided).reset_index().to_dict("records")
    assert first == {
        "Claim": "It is so.",
        "Where": "Figure 1",
        "Holds if": "it is",
        "Evidence": "✓ MNIST, no dropout: +0.1<br>✗ MNIST, with dropout: +0.2",
        "Verdict": '<span class="mc-verdict mc-verdict-partly">partly</span>',
    }
    assert second["Evidence"] == "no records for it in this run"
    assert (
        second["Verdict"]
        == '<span class="mc-verdict mc-verdict-not-attempted">not attempted</span>'
    )


def test_plain_verdicts(decided):
    table = claims.plain_verdicts(decided)
    assert table["id"].tolist() == ["X1", "X1", "X2"]
    assert table["verdict"].tolist() == ["partly", "partly", "not attempted"]
    assert table["holds"].tolist() == [True, False, False]


def test_verdicts_are_left_with_the_run(decided, tmp_path, monkeypatch):
    monkeypatch.delenv("MODCLUST_RUN", raising=False)
    claims.save_verdicts(decided)
    assert list(tmp_path.iterdir()) == []
    monkeypatch.setenv("MODCLUST_RUN", str(tmp_path))
    claims.save_verdicts(decided)
    rows = json.loads((tmp_path / "verdicts.json").read_text(encoding="utf-8"))
    assert [(r["id"], r["verdict"], r["held"], r["cases"]) for r in rows] == [
        ("X1", "partly", 1, 2),
        ("X2", "not attempted", 0, 0),
    ]


def test_claims_about_table_1_hold_for_the_paper_itself():
    """With the printed numbers in place of ours, every claim about the tables is reproduced."""
    by_k = {}
    for k in (2, 4, 7, 10):
        printed = tables.paper_for_k(k)
        by_k[k] = printed.assign(
            n=tables.N_PAPER,
            n_sig=(printed["prop_sig"] * tables.N_PAPER).round().astype(int),
            **{c: printed[c.removeprefix("paper_")] for c in PAPER},
        )
    found = Chapter1(NO_NETWORKS, by_k, np.array([2.4]), 4)
    verdicts = {v.claim["id"]: v for v in decide(read_claims(1), found)}
    about_tables = [c["id"] for c in read_claims(1) if "Table" in c["place"]]
    assert len(about_tables) == 6
    assert {i: verdicts[i].verdict for i in about_tables} == dict.fromkeys(
        about_tables, "reproduced"
    )
    low, high = verdicts["A3"].cases[0].evidence.strip("[]").split(", ")
    assert (float(low) + float(high)) / 2 == pytest.approx(1.840 - 2.000, abs=1e-3)
    assert not math.isclose(float(low), float(high))
