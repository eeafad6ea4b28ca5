"""The rules of chapter 2: each sees what holds, what does not, and what was not attempted."""

from __future__ import annotations

import inspect
import re
from dataclasses import replace

import numpy as np
import pandas as pd
import pytest
from made_up_nulls import control_frames, fresh_frame, mixture_frames
from small_book import printed as as_printed

from modclust_utils.chapters.ch02_dropout_and_topology import controls, designs, printed, tables
from modclust_utils.chapters.ch02_dropout_and_topology.rules import RULES, Results
from modclust_utils.publish import chapters, claims
from modclust_utils.recipes.frames import trace_of
from modclust_utils.tables import N_PAPER
from modclust_utils.verdicts import Case, Verdict, decide

CLAIMS = {claim["id"]: claim for claim in chapters.claims(2)}
KNOWN = {rule.__name__: rule for rule in RULES}
COLUMNS = {
    "networks": (
        *("dataset", "dropout", "phase", "ncut", "null_layer_nonzero_mean"),
        *("n_below_layer_nonzero", "cohens_d"),
    ),
    "effect": ("dataset", "phase", "source", "difference", "z", "overlap"),
    "controls": (
        *("role", "dataset", "dropout", "n", "n_sig", "before_mean", "ncut_mean"),
        *("paper_prop_sig", "paper_after_mean", "paper_after_std"),
    ),
    "mixtures": ("dataset", "dropout", "n", "ncut_mean", "paper_ncut_mean", "paper_ncut_std"),
}
NOTHING = Results(
    **{name: as_printed(pd.DataFrame(columns=columns)) for name, columns in COLUMNS.items()},
    fresh=fresh_frame([2.4]),
    paper=printed.networks(),
)


def with_rows(table: str, *rows: tuple) -> Results:
    """Results of a run that has these rows in one of its tables."""
    frame = pd.DataFrame(rows, columns=COLUMNS[table])
    if table == "controls":
        frame = frame.assign(epochs=1000)
    return replace(NOTHING, **{table: as_printed(frame)})


def decided(rule: str, found: Results, **arguments: object) -> Verdict:
    (verdict,) = decide([{"rule": rule, "arguments": arguments}], KNOWN, found)
    return verdict


# The claims and their rules


@pytest.mark.parametrize("claim", CLAIMS.values(), ids=CLAIMS)
def test_claim_binds_to_its_rule(claim):
    inspect.signature(KNOWN[claim["rule"]]).bind(NOTHING, **claim["arguments"])


def test_every_rule_has_a_claim():
    assert {claim["rule"] for claim in CLAIMS.values()} == set(KNOWN)


def verdicts(found: Results) -> dict[str, Verdict]:
    return {v.claim["id"]: v for v in decide(list(CLAIMS.values()), KNOWN, found)}


OTHER_DATA = Results(
    with_rows("networks", ("mnist5k", False, "before", 1.0, 2.0, 0, 0.0)).networks,
    with_rows("effect", ("mnist5k", "after", "ours", -1.0, -9.0, False)).effect,
    with_rows("controls", ("unlearnable", "random4k", *[False, 1, 0, 2, 2, 0, np.nan, 1])).controls,
    with_rows("mixtures", ("lines4k", False, 2, 1.0, np.nan, np.nan)).mixtures,
    fresh_frame([2.4]),
    printed.networks(),
)


def the_papers_own(k: int = 4) -> Results:
    """The paper's networks in place of ours, from a run with k clusters."""
    networks = printed.networks()
    below = (networks["p_value_layer_nonzero"] > 0.0035).astype(int)
    ours = as_printed(networks.assign(n_below_layer_nonzero=below))
    random_data = pd.DataFrame(
        [
            (
                *(row.role, row.dataset, row.dropout, N_PAPER, round(row.paper_prop_sig * N_PAPER)),
                *(row.paper_before_mean, row.paper_after_mean),
            )
            for row in printed.controls().itertuples()
        ],
        columns=COLUMNS["controls"][:7],
    ).assign(epochs=1000)
    mixtures = printed.mixtures()[["dataset", "dropout"]].assign(
        n=N_PAPER, ncut_mean=printed.mixtures()["paper_ncut_mean"]
    )
    kind = ["dataset", "dropout"]
    return Results(
        ours,
        tables.dropout_effect(ours, printed.networks(k)),
        as_printed(random_data.merge(printed.controls(k), on=["role", *kind], how="left")),
        as_printed(mixtures.merge(printed.mixtures(k), on=kind, how="left")),
        fresh_frame([2.3, 2.45], k),
        printed.networks(k),
    )


@pytest.mark.parametrize(
    "found", [NOTHING, OTHER_DATA, the_papers_own(7)], ids=["nothing", "other data", "another k"]
)
def test_nothing_is_attempted_without_the_data_and_the_k_of_the_paper(found):
    for name, verdict in verdicts(found).items():
        # the claim about the paper's own tables needs no data of ours
        assert verdict.verdict == ("reproduced" if name == "B15" else "not attempted")


def test_what_the_paper_itself_would_get():
    """The paper's networks in place of ours. Its own numbers contradict two of its sentences."""
    found = verdicts(the_papers_own())
    partly = {i: v for i, v in found.items() if v.verdict == "partly"}
    # a pruned CIFAR-10 network with dropout has an n-cut as high as one without (Table A.15), and
    # d is -0.1026 on average over Table A.13
    assert {i: [c.name for c in v.cases if not c.holds] for i, v in partly.items()} == {
        "B1": ["CIFAR-10, after pruning"],
        "B12": ["CIFAR-10, with dropout"],
    }
    rest = {i: v.verdict for i, v in found.items() if i not in partly}
    assert rest == dict.fromkeys(rest, "reproduced")
    assert {i: len(v.cases) for i, v in found.items()} == {
        **{"B1": 6, "B2": 3, "B3": 2, "B4": 2, "B5": 2, "B6": 2, "B7": 2, "B8": 2},
        **{"B9": 4, "B10": 6, "B11": 6, "B12": 6, "B13": 14, "B14": 6, "B15": 1, "B16": 2},
        **{"B17": 8, "B18": 2},
    }


def test_evidence_is_fit_for_a_page():
    """It goes into a table that is not escaped."""
    (evidence,) = claims.readable([verdicts(the_papers_own())["B14"]])["Evidence"]
    assert not re.search("[<>&]", evidence.replace("<br>", ""))


def test_rules_take_the_tables_of_the_chapter():
    """The columns that they name are there, and the verdicts know where they are from."""
    random_data = controls.controls(*control_frames(), printed.controls())
    mixtures = controls.mixtures(*mixture_frames(), printed.mixtures())
    found = replace(the_papers_own(), controls=random_data, mixtures=mixtures)
    cases = {name: len(verdict.cases) for name, verdict in verdicts(found).items()}
    assert [cases[name] for name in ("B3", "B4", "B5", "B6", "B13", "B14")] == [2, 2, 2, 0, 1, 0]
    assert set(trace_of(random_data).records) < set(trace_of(found).records)


# Dropout


@pytest.mark.parametrize(
    ("rows", "verdict"),
    [
        ([(-0.1, False), (-0.2, False)], "reproduced"),
        ([(-0.1, False), (-0.2, True)], "partly"),
        ([(0.1, False), (-0.2, True)], "not"),  # apart, but on the wrong side
    ],
)
def test_dropout_separates(rows, verdict):
    (before, overlap_before), (after, overlap_after) = rows
    found = with_rows(
        "effect",
        ("mnist", "before", "ours", before, -1.0, overlap_before),
        ("mnist", "after", "ours", after, -1.0, overlap_after),
        ("mnist", "after", "paper", 1.0, 1.0, True),
        ("cifar10", "after", "paper", 1.0, 1.0, True),
        ("lines", "after", "ours", 1.0, 1.0, True),
    )
    assert decided("dropout_separates", found, datasets=["mnist", "cifar10"]).verdict == verdict
    assert decided("dropout_separates", found, datasets=["cifar10"]).verdict == "not attempted"


def test_evidence_of_separation():
    rows = [("cifar10", "after", source, -0.125, -3.0, True) for source in ("ours", "paper")]
    found = with_rows("effect", *rows)
    assert decided("dropout_separates", found, datasets=["cifar10"]).cases == (
        Case("CIFAR-10, after pruning", False, "difference -0.125, ranges overlap"),
    )


@pytest.mark.parametrize(
    ("z", "verdict"), [(-10.3, "reproduced"), (-15.7, "reproduced"), (-10.1, "not"), (13.0, "not")]
)
def test_effect_of_the_same_size(z, verdict):
    found = with_rows(
        "effect",
        ("mnist", "after", "ours", -0.1, z, False),
        ("mnist", "after", "paper", -0.1, -13.0, False),
        # neither of these two has a partner
        ("mnist", "before", "ours", -0.1, 0.0, False),
        ("cifar10", "after", "paper", -0.1, -4.0, False),
    )
    arguments = {"datasets": ["mnist", "cifar10"], "within": 2.8}
    result = decided("same_effect_size", found, **arguments)
    assert result.verdict == verdict
    assert result.cases[0].evidence == f"{z:.1f} against -13.0"
    lone = with_rows("effect", ("mnist", "after", "ours", -0.1, -13.0, False))
    assert decided("same_effect_size", lone, **arguments).verdict == "not attempted"


# Topology


def networks_of(
    dataset: str,
    phase: str,
    n: int,
    *gaps: float,
    below: int = 0,
    d: tuple[float, ...] = (0.0,),
    dropout: bool = False,
) -> Results:
    """n networks; the gaps (n-cut minus mean of the null) and d take turns, and so many have
    shuffles below them."""
    rows = [
        (dataset, dropout, phase, 2 + gaps[i % len(gaps)], 2.0, int(i < below), d[i % len(d)])
        for i in range(n)
    ]
    return with_rows("networks", *rows)


@pytest.mark.parametrize(
    ("below", "p", "holds"),
    [
        # Table A.11 has seven of ten. Fisher, both sides: 2 * 5860 / 167960, 2 * 1245 / 125970
        (8, "0.07", True),
        (9, "0.02", False),
        (3, "1.00", True),
    ],
)
def test_share_against_the_topology(below, p, holds):
    found = networks_of("fashion_mnist", "after", 10, -0.1, below=below, dropout=True)
    arguments = {"datasets": ["fashion_mnist"], "phase": "after"}
    assert decided("share_against_topology", found, **arguments).cases == (
        Case("Fashion-MNIST, with dropout", holds, f"{10 - below}/10 against 7/10, p = {p}"),
    )
    for other in ({"datasets": ["mnist"]}, {"phase": "before"}):
        result = decided("share_against_topology", found, **arguments | other)
        assert result.verdict == "not attempted"


@pytest.mark.parametrize(
    ("gaps", "holds"),
    [
        ((-0.5, -0.25), True),  # -0.375 and a standard error of 0.0417; t is 2.36
        ((-0.5, 0.25), False),  # -0.125 and a standard error of 0.125
        ((0.5, 0.25), False),
    ],
)
def test_below_topology(gaps, holds):
    found = networks_of("mnist", "after", 10, *gaps)
    (case,) = decided("below_topology", found, datasets=["mnist", "cifar10"]).cases
    assert (case.name, case.holds) == ("MNIST, no dropout", holds)
    low, high = map(float, case.evidence.strip("[]").split(", "))
    assert (low + high) / 2 == pytest.approx(np.mean(gaps), abs=1e-3)
    assert decided("below_topology", found, datasets=["cifar10"]).verdict == "not attempted"
    before = networks_of("mnist", "before", 10, *gaps)
    assert decided("below_topology", before, datasets=["mnist"]).verdict == "not attempted"


@pytest.mark.parametrize(
    ("dropout", "d", "holds", "evidence"),
    [
        # means of Tables A.6 and A.7
        (False, (-1.0, 0.5), True, "-0.25 against -1.24"),
        (False, (1.0, -0.5), False, "+0.25 against -1.24"),
        (True, (1.0, -0.5), True, "+0.25 against +9.45"),
        (True, (0.0,), False, "+0.00 against +9.45"),
    ],
)
def test_sign_of_d(dropout, d, holds, evidence):
    found = networks_of("mnist", "after", 4, 0.0, d=d, dropout=dropout)
    (case,) = decided("same_sign_of_d", found, datasets=["mnist"]).cases
    assert (case.holds, case.evidence) == (holds, evidence)
    assert decided("same_sign_of_d", found, datasets=["cifar10"]).verdict == "not attempted"


@pytest.mark.parametrize(
    ("d", "holds"), [((0.09, 0.07), True), ((5.0, -5.0), True), ((0.2, 0.1), False), ((-1,), False)]
)
def test_no_difference_of_the_nulls_before_pruning(d, holds):
    found = networks_of("cifar10", "before", 2, 0.0, d=d)
    arguments = {"datasets": ["cifar10"], "within": 0.1}
    (case,) = decided("no_effect_before", found, **arguments).cases
    assert (case.holds, case.evidence) == (holds, f"{np.mean(d):+.3f}")
    after = networks_of("cifar10", "after", 2, 0.0, d=d)
    assert decided("no_effect_before", after, **arguments).verdict == "not attempted"


# Training on random data


def control(
    *,
    role: str = "memorization",
    dropout: bool = False,
    n_sig: int = 5,
    before: float = 2.4,
    mean: float = 2.0,
    share: float = 0.5,
) -> tuple:
    return (role, "random3k", dropout, 10, n_sig, before, mean, share, 2.0, 0.125)


@pytest.mark.parametrize(
    ("n_sig", "verdict"),
    [((10, 6), "reproduced"), ((10, 5), "partly"), ((0, 5), "not")],
)
def test_share_of_a_control(n_sig, verdict):
    # against ten of ten: 6 of 10 has p = 0.087, 5 of 10 has p = 0.033
    found = with_rows(
        "controls",
        *(control(dropout=d, n_sig=n, share=1.0) for d, n in enumerate(n_sig)),
        control(role="unlearnable", n_sig=0, share=1.0),
    )
    arguments = {"role": "memorization", "datasets": ["random3k"]}
    result = decided("control_share", found, **arguments)
    assert result.verdict == verdict
    assert result.cases[0].name == "RANDOM (3,000), memorization, no dropout"
    assert result.cases[1].evidence.startswith(f"{n_sig[1]}/10 against 10/10, p = 0.0")
    for other in ({"role": "kilo-epoch"}, {"datasets": ["random"]}):
        assert decided("control_share", found, **arguments | other).verdict == "not attempted"


@pytest.mark.parametrize(
    ("means", "verdict"),
    [((2.125, 1.875), "reproduced"), ((2.126, 2.0), "partly"), ((2.126, 1.874), "not")],
)
def test_mean_of_a_control(means, verdict):
    found = with_rows(
        "controls",
        *(control(dropout=d, mean=m) for d, m in enumerate(means)),
        control(role="unlearnable", mean=9.0),
    )
    arguments = {"role": "memorization", "datasets": ["random3k"]}
    result = decided("control_mean", found, **arguments)
    assert result.verdict == verdict
    assert result.cases[0].evidence == f"{means[0] - 2:+.4f} against a spread of 0.125"
    for other in ({"role": "kilo-epoch"}, {"datasets": ["random"]}):
        assert decided("control_mean", found, **arguments | other).verdict == "not attempted"


@pytest.mark.parametrize(("before", "holds"), [(2.5, True), (2.25, True), (2.2, False)])
def test_training_does_not_lower_the_ncut(before, holds):
    found = with_rows("controls", control(before=before), control(role="kilo-epoch", before=0.0))
    found = replace(found, fresh=fresh_frame([2.5, 2.25, 2.75]))
    arguments = {"role": "memorization", "datasets": ["random3k"]}
    (case,) = decided("not_below_fresh", found, **arguments).cases
    assert case.holds is holds
    assert case.evidence == f"mean {before:.3f}, lowest freshly initialized network 2.250"
    for other in ({"role": "unlearnable"}, {"datasets": ["random"]}):
        assert decided("not_below_fresh", found, **arguments | other).verdict == "not attempted"


# Mixtures


@pytest.mark.parametrize(
    ("means", "verdict"),
    [((2.125, 1.875), "reproduced"), ((2.126, 2.0), "partly"), ((2.126, 1.874), "not")],
)
def test_mean_of_a_mixture(means, verdict):
    found = with_rows(
        "mixtures",
        *(("lines", bool(d), 2, mean, 2.0, 0.125) for d, mean in enumerate(means)),
        ("mnist", False, 2, 9.0, 2.0, 0.125),
        ("lines_mnist", False, 0, np.nan, 2.0, 0.125),
    )
    result = decided("mixture_mean", found, datasets=["lines", "lines_mnist"])
    assert result.verdict == verdict
    assert [case.name for case in result.cases] == ["LINES, no dropout", "LINES, with dropout"]
    assert result.cases[0].evidence == f"{means[0] - 2:+.4f} against a spread of 0.125"
    assert decided("mixture_mean", found, datasets=["lines_mnist"]).verdict == "not attempted"


@pytest.mark.parametrize(
    ("means", "holds"),
    [((1.0, 1.5, 2.0), True), ((1.0, 0.5, 2.0), False), ((1.0, 2.5, 2.0), False),
     ((1.0, 1.0, 2.0), False), ((2.0, 1.5, 1.0), False)],
)  # fmt: skip
def test_order_of_mixtures(means, holds):
    names = ["lines", "lines_mnist", "mnist"]
    found = with_rows(
        "mixtures",
        *((name, True, 2, m, m, 0.1) for name, m in zip(names, means, strict=True)),
        # without dropout one is missing, and the other order has none of its mixture
        ("lines", False, 2, 1.0, 1.0, 0.1),
        ("lines_mnist", False, 0, np.nan, 1.0, 0.1),
        ("mnist", False, 2, 2.0, 2.0, 0.1),
    )
    arguments = {"datasets": [*names, "cifar10"], "order": [names, ["lines", "cifar10", "mnist"]]}
    values = [f"{mean:.3f}" for mean in means]
    assert decided("mixture_order", found, **arguments).cases == (
        Case(
            "LINES below LINES-MNIST below MNIST, with dropout",
            holds,
            f"LINES {values[0]}, LINES-MNIST {values[1]}, MNIST {values[2]}",
        ),
    )
    arguments["order"].reverse()
    assert decided("mixture_order", found, **arguments | {"datasets": ["mnist"]}).cases == ()


# The printed p-values


def test_printed_p_values_are_on_the_lattice(monkeypatch):
    result = decided("p_values_on_lattice", NOTHING, datasets=[])
    assert result.cases == (Case("all", True, "240 of 240"),)
    monkeypatch.setattr(designs, "lattice", lambda _: pd.DataFrame({"fits": [True, False, True]}))
    result = decided("p_values_on_lattice", NOTHING, datasets=[])
    assert result.cases == (Case("all", False, "2 of 3"),)
