"""The rules of chapter 2: each sees what holds, what does not, and what was not attempted."""

from __future__ import annotations

import re
from collections.abc import Sequence
from dataclasses import replace

import numpy as np
import pandas as pd
import pytest
from made_up_nulls import PLACES, control_frames, frames, fresh_frame, mixture_frames
from small_book import frame_of, make_ncut, make_network
from small_book import printed as as_printed

from modclust_utils.chapters.ch02_dropout_and_topology import controls, designs, printed, tables
from modclust_utils.chapters.ch02_dropout_and_topology.rules import RULES, Results
from modclust_utils.publish import chapters, claims
from modclust_utils.recipes.frames import trace_of
from modclust_utils.tables import N_PAPER
from modclust_utils.verdicts import Case, Verdict, decide

CLAIMS = {claim["id"]: claim for claim in chapters.claims(2)}
#: How many cases the paper's own numbers leave open.
OPEN = {
    **{"B1": 1, "B5": 2, "B7": 1, "B8": 1, "B10": 2, "B12": 6, "B14": 1, "B17": 1, "B22": 3},
}
KNOWN = {rule.__name__: rule for rule in RULES}
COLUMNS = {
    "networks": (
        *("dataset", "dropout", "phase", "ncut", "null_layer_nonzero_mean"),
        *("n_below_layer_nonzero", "cohens_d", "layer"),
    ),
    "effect": (
        *("dataset", "phase", "source", "difference", "z"),
        *("in_order", "in_order_low", "in_order_high"),
    ),
    "controls": (
        *("role", "dataset", "dropout", "n", "n_sig", "train_acc", "before_mean", "before_std"),
        *("ncut_mean", "ncut_std"),
        *("paper_prop_sig", "paper_after_mean", "paper_after_std", "paper_null_mean"),
        *("paper_before_mean", "paper_before_std"),
    ),
    "mixtures": (
        *("dataset", "dropout", "n", "ncut_mean", "ncut_std"),
        *("paper_ncut_mean", "paper_ncut_std"),
    ),
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


def verdicts(found: Results) -> dict[str, Verdict]:
    return {v.claim["id"]: v for v in decide(list(CLAIMS.values()), KNOWN, found)}


OTHER_DATA = Results(
    with_rows("networks", ("mnist5k", False, "before", 1.0, 2.0, 0, 0.0, [1.0])).networks,
    with_rows("effect", ("mnist5k", "after", "ours", -1.0, -9.0, 1.0, 1.0, 1.0)).effect,
    with_rows(
        "controls",
        ("unlearnable", "random4k", *[False, 1, 0, 1, 2, 2, 2, 2, 0, np.nan, 1, 1, 1, 1]),
    ).controls,
    with_rows("mixtures", ("lines4k", False, 2, 1.0, 1.0, np.nan, np.nan)).mixtures,
    fresh_frame([2.4]),
    printed.networks(),
)


def the_papers_own(k: int = 4) -> Results:
    """The paper's networks in place of ours, from a run with k clusters."""
    networks = printed.networks()
    below = (networks["p_value_layer_nonzero"] > 0.0035).astype(int)
    ours = networks.assign(n_below_layer_nonzero=below)
    # no shuffles are printed: two groups without dropout, one with a tail with it
    shapes = {False: [1.0] * 9 + [1.1] * 9 + [9.0] * 9 + [9.1] * 9, True: [1.0] * 40 + [9.0]}
    ours = as_printed(ours.assign(layer=ours["dropout"].map(shapes)))
    random_data = pd.DataFrame(
        [
            (
                *(row.role, row.dataset, row.dropout, N_PAPER, round(row.paper_prop_sig * N_PAPER)),
                *(row.paper_train_acc, row.paper_before_mean, row.paper_before_std),
                *(row.paper_after_mean, row.paper_after_std),
            )
            for row in printed.controls().itertuples()
        ],
        columns=COLUMNS["controls"][:10],
    ).assign(epochs=1000)
    mixtures = printed.mixtures()[["dataset", "dropout"]].assign(
        n=N_PAPER,
        ncut_mean=printed.mixtures()["paper_ncut_mean"],
        ncut_std=printed.mixtures()["paper_ncut_std"],
    )
    kind = ["dataset", "dropout"]
    return Results(
        ours,
        tables.dropout_effect(ours, printed.networks(k)),
        as_printed(random_data.merge(printed.controls(k), on=["role", *kind], how="left")),
        as_printed(mixtures.merge(printed.mixtures(k), on=kind, how="left")),
        fresh_frame([2.31, 2.32, 2.33, 2.34] * 50, k),
        printed.networks(k),
    )


@pytest.mark.parametrize(
    "found", [NOTHING, OTHER_DATA, the_papers_own(7)], ids=["nothing", "other data", "another k"]
)
def test_nothing_is_attempted_without_the_data_and_the_k_of_the_paper(found):
    assert {verdict.verdict for verdict in verdicts(found).values()} == {"not attempted"}


def test_what_the_paper_itself_would_get():
    """The paper's networks in place of ours. Its own numbers contradict none of its sentences, and
    leave some open."""
    found = verdicts(the_papers_own())
    assert {i: v.failed for i, v in found.items() if v.failed} == {}
    open_ = {i: [c.name for c in v.cases if c.holds is None] for i, v in found.items()}
    assert {i: len(names) for i, names in open_.items() if names} == OPEN
    assert {i: len(v.cases) for i, v in found.items()} == {
        **{"B1": 6, "B2": 3, "B3": 2, "B4": 2, "B5": 2, "B6": 2, "B7": 2, "B8": 2},
        **{"B9": 4, "B10": 6, "B11": 2, "B12": 6, "B13": 14, "B14": 7, "B16": 1},
        **{"B17": 8, "B18": 2, "B19": 1, "B20": 1, "B21": 1, "B22": 3, "B23": 1},
    }


def test_evidence_is_fit_for_a_page():
    """It goes into a table that is not escaped."""
    (claim,) = claims.readable([verdicts(the_papers_own())["B14"]], {})["Claim"]
    evidence = re.findall("<li>(.*?)</li>", claim)
    assert len(evidence) == 7
    assert not re.search("[<>&]", "".join(evidence))


def test_rules_take_the_tables_of_the_chapter():
    """The columns that they name are there, and the verdicts know where they are from."""
    random_data = controls.controls(*control_frames(), printed.controls())
    mixtures = controls.mixtures(*mixture_frames(), printed.mixtures())
    found = replace(the_papers_own(), controls=random_data, mixtures=mixtures)
    cases = {name: len(verdict.cases) for name, verdict in verdicts(found).items()}
    assert [cases[name] for name in ("B3", "B4", "B5", "B6", "B13", "B14")] == [2, 2, 2, 0, 1, 0]
    assert set(trace_of(random_data).records) < set(trace_of(found).records)


def test_results_without_networks_that_are_far_out():
    plain = [make_network("mnist", dropout, seed) for dropout in (False, True) for seed in range(6)]
    values = [(v, [1.0, 2.0]) for v in (2.0, 2.01, 2.02, 2.03, 2.04, 9.0)]
    networks, tests = frames(plain, dict.fromkeys(PLACES, values + values))
    by_network = tables.per_network(networks, tests)
    lines = [make_network("lines", False, seed) for seed in range(6)]
    found = {
        "mixed": frame_of(lines),
        "mixed_ncuts": frame_of(
            [make_ncut(n, v, phase="after") for n, (v, _) in zip(lines, values, strict=True)]
        ),
        **dict(zip(("controls", "control_before", "control_tests"), control_frames(), strict=True)),
    }
    every = replace(the_papers_own(), networks=by_network, fresh=fresh_frame([2.4, 2.5]))
    ordinary = every.without_far_out(found)
    assert ordinary.networks["network"].tolist() == [0, 1, 2, 3, 4] * 4
    assert (ordinary.effect["source"] == "ours").sum() == 2
    ours = ordinary.mixtures.set_index(["dataset", "dropout"]).loc[("lines", False)]
    assert (ours["n"], ours["ncut_mean"]) == (5, pytest.approx(2.02))
    # two networks of a kind are never far from each other
    assert ordinary.controls["n"].tolist() == [2, 2]
    assert ordinary.paper is every.paper


# Dropout


@pytest.mark.parametrize(
    ("bounds", "verdict"),
    [
        ([(0.85, 1.0), (0.81, 0.9)], "reproduced"),
        ([(0.85, 1.0), (0.7, 0.95)], "cannot tell"),
        ([(0.85, 1.0), (0.5, 0.79)], "partly"),
        ([(0.0, 0.2), (0.5, 0.79)], "not"),  # apart, but on the wrong side
    ],
)
def test_dropout_separates(bounds, verdict):
    before, after = bounds
    found = with_rows(
        "effect",
        ("mnist", "before", "ours", -0.1, -1.0, 0.9, *before),
        ("mnist", "after", "ours", -0.1, -1.0, 0.9, *after),
        ("mnist", "after", "paper", 1.0, 1.0, 0.0, 0.0, 0.0),
        ("cifar10", "after", "paper", 1.0, 1.0, 0.0, 0.0, 0.0),
        ("lines", "after", "ours", 1.0, 1.0, 0.0, 0.0, 0.0),
    )
    arguments = {"datasets": ["mnist", "cifar10"], "at": 0.8}
    assert decided("dropout_separates", found, **arguments).verdict == verdict
    arguments["datasets"] = ["cifar10"]
    assert decided("dropout_separates", found, **arguments).verdict == "not attempted"


def test_evidence_of_separation():
    rows = [("cifar10", "after", s, -0.125, -3.0, 0.5, 0.25, 0.75) for s in ("ours", "paper")]
    found = with_rows("effect", *rows)
    assert decided("dropout_separates", found, datasets=["cifar10"], at=0.8).cases == (
        Case(
            "CIFAR-10, after pruning",
            False,
            "difference -0.125; lower with dropout in 50% of the pairs, at least 0.25 and at most "
            "0.75",
        ),
    )


def test_networks_that_do_not_overlap_pass_by_as_much_as_the_claim_says():
    low, _ = tables.order_interval(1.0, N_PAPER, N_PAPER, confidence=0.9)
    assert f"give {low:.0%}".replace("%", " %") in CLAIMS["B1"]["holds_if"]
    assert low > CLAIMS["B1"]["arguments"]["at"]


@pytest.mark.parametrize(
    ("dropped", "holds"),
    [
        # distances from the median without dropout: 0.1 on average
        ([1.0, 1.01, 1.02] * 3, True),
        ([1.0, 1.01, 1.02] * 3 + [9.0], None),  # one outlier, and a larger standard deviation
        ([1.0, 1.1, 1.2] * 3, None),
        ([1.0, 2.0, 3.0] * 3, False),
    ],
)
def test_lower_spread(dropped, holds):
    plain = networks_of("mnist", "after", 9, -0.2, 0.0, 0.2).networks
    with_dropout = networks_of(
        "mnist", "after", len(dropped), *(d - 2 for d in dropped), dropout=True
    )
    other_phase = networks_of("mnist", "before", 3, 0.0, 9.0)
    parts = [plain, with_dropout.networks, other_phase.networks]
    found = replace(NOTHING, networks=as_printed(pd.concat(parts)))
    (case,) = decided("lower_spread", found, datasets=["mnist", "cifar10"]).cases
    assert (case.name, case.holds) == ("MNIST", holds)
    said = f"standard deviations {np.std(dropped, ddof=1):.3f} with and 0.173 without dropout; "
    assert case.evidence.startswith(said)
    assert decided("lower_spread", with_dropout, datasets=["mnist"]).verdict == "not attempted"


@pytest.mark.parametrize(
    ("z", "verdict"), [(-10.3, "reproduced"), (-15.7, "reproduced"), (-10.1, "not"), (13.0, "not")]
)
def test_effect_of_the_same_size(z, verdict):
    found = with_rows(
        "effect",
        ("mnist", "after", "ours", -0.1, z, 1, 1, 1),
        ("mnist", "after", "paper", -0.1, -13.0, 1, 1, 1),
        # neither of these two has a partner
        ("mnist", "before", "ours", -0.1, 0.0, 1, 1, 1),
        ("cifar10", "after", "paper", -0.1, -4.0, 1, 1, 1),
    )
    arguments = {"datasets": ["mnist", "cifar10"], "within": 2.8}
    result = decided("same_effect_size", found, **arguments)
    assert result.verdict == verdict
    assert result.cases[0].evidence == f"{z:.1f} against -13.0"
    lone = with_rows("effect", ("mnist", "after", "ours", -0.1, -13.0, 1, 1, 1))
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
    nulls: Sequence[Sequence[float]] = ((1.0, 2.0, 3.0, 4.0),),
) -> Results:
    """n networks; the gaps (n-cut minus mean of the null), d and nulls take turns, and so many have
    shuffles below them."""
    rows = [
        (
            *(dataset, dropout, phase, 2 + gaps[i % len(gaps)], 2.0),
            *(int(i < below), d[i % len(d)], nulls[i % len(nulls)]),
        )
        for i in range(n)
    ]
    return with_rows("networks", *rows)


@pytest.mark.parametrize(
    ("below", "holds"),
    # Table A.11 has seven of ten; Fisher, both sides: one of ten has p = 2 * 1245 / 125970 = 0.02
    [(9, False), (8, None), (3, None)],
)
def test_share_against_the_topology(below, holds):
    found = networks_of("fashion_mnist", "after", 10, -0.1, below=below, dropout=True)
    arguments = {"datasets": ["fashion_mnist"], "phase": "after", "within": 0.3}
    (case,) = decided("share_against_topology", found, **arguments).cases
    assert (case.name, case.holds) == ("Fashion-MNIST, with dropout", holds)
    assert case.evidence.startswith(f"{10 - below}/10 against 7/10, difference [")
    # against seven of ten the interval is always too wide
    assert case.evidence.endswith("; no share of ours would hold")
    for other in ({"datasets": ["mnist"]}, {"phase": "before"}):
        result = decided("share_against_topology", found, **arguments | other)
        assert result.verdict == "not attempted"


def test_shares_that_can_hold_do_not_say_otherwise():
    found = networks_of("mnist", "after", 10, -0.1, below=5, dropout=True)  # Table A.7: nine of ten
    arguments = {"datasets": ["mnist"], "phase": "after", "within": 0.3}
    (case,) = decided("share_against_topology", found, **arguments).cases
    assert not case.evidence.endswith("would hold")


@pytest.mark.parametrize(
    ("gaps", "holds"),
    [
        ((-0.5, -0.25), True),
        ((-0.5,) * 9 + (9.0,), True),  # one outlier, and a mean above 0
        ((-0.5,) * 8 + (9.0,) * 2, None),
        ((-0.5, 0.25), None),
        ((0.5, 0.25), False),
    ],
)
def test_below_topology(gaps, holds):
    found = networks_of("mnist", "after", 10, *gaps)
    (case,) = decided("below_topology", found, datasets=["mnist", "cifar10"]).cases
    assert (case.name, case.holds) == ("MNIST, no dropout", holds)
    assert decided("below_topology", found, datasets=["cifar10"]).verdict == "not attempted"
    before = networks_of("mnist", "before", 10, *gaps)
    assert decided("below_topology", before, datasets=["mnist"]).verdict == "not attempted"


@pytest.mark.parametrize(
    ("side", "at", "d", "holds"),
    [
        ("below", 0.0, (-1.0, -0.5), True),
        ("below", 0.0, (1.0, 0.5), False),
        ("below", 0.0, (-1.0, 0.5), None),  # a mean of the right sign is not enough
        ("above", 0.8, (1.0, 1.5), True),
        ("above", 0.8, (0.5, 0.25), False),  # above 0
        ("above", 0.8, (1.5, 0.25), None),
    ],
)
def test_mean_of_d(side, at, d, holds):
    found = networks_of("mnist", "after", 10, 0.0, d=d, dropout=True)
    arguments = {"datasets": ["mnist"], "dropout": True, "side": side, "at": at}
    (case,) = decided("mean_of_d", found, **arguments).cases
    assert (case.name, case.holds) == ("MNIST, with dropout", holds)
    # the mean of Table A.7
    assert case.evidence.endswith(", printed +9.45")
    for other in ({"datasets": ["fashion_mnist"]}, {"dropout": False}):
        assert decided("mean_of_d", found, **arguments | other).verdict == "not attempted"


@pytest.mark.parametrize(
    ("d", "holds"),
    [((0.09, 0.07), True), ((5.0, -5.0), None), ((0.2, 0.1), False), ((-1.0, -1.1), False)],
)
def test_no_difference_of_the_nulls_before_pruning(d, holds):
    found = networks_of("cifar10", "before", 10, 0.0, d=d)
    arguments = {"datasets": ["cifar10"], "within": 0.1}
    (case,) = decided("no_effect_before", found, **arguments).cases
    assert case.holds is holds
    after = networks_of("cifar10", "after", 2, 0.0, d=d)
    assert decided("no_effect_before", after, **arguments).verdict == "not attempted"


TWO_GROUPS = [1.0, 1.1, 1.2] * 11 + [9.0, 9.1, 9.2] * 10
ONE_TAIL = [1.0, 1.1, 1.2] * 10 + [9.0]


@pytest.mark.parametrize(
    ("nulls", "at", "bimodal", "tail"),
    [
        ([TWO_GROUPS], 0.0, True, True),  # a little more on the left
        ([TWO_GROUPS], 1.0, True, False),  # which makes no tail
        ([ONE_TAIL], 1.0, False, True),  # of 31, one is too few for a group
        ([[-v for v in ONE_TAIL]], 0.0, False, False),
        ([TWO_GROUPS, [-v for v in ONE_TAIL]], 0.0, None, None),
    ],
)
def test_shapes_of_nulls(nulls, at, bimodal, tail):
    found = networks_of("mnist", "before", 10, 0.0, nulls=nulls)
    rules = (("bimodal_nulls", {}, bimodal), ("long_right_tails", {"at": at}, tail))
    for rule, more, holds in rules:
        (case,) = decided(rule, found, datasets=["mnist"], dropout=False, **more).cases
        assert case.holds is holds
        assert decided(rule, found, datasets=["mnist"], dropout=True, **more).cases == ()


# Training on random data


def control(
    *,
    role: str = "memorization",
    dropout: bool = False,
    n_sig: int = 5,
    before: float = 2.4,
    mean: float = 2.0,
    share: float = 0.5,
    learned: float = 1.0,
    std: float = 0.05,
    null: float = 2.5,
    dataset: str = "random3k",
) -> tuple:
    ours = (10, n_sig, learned, before, 0.02, mean, std)
    return (role, dataset, dropout, *ours, share, 2.0, 0.125, null, 2.41, 0.01)


CONTROL = {"role": "memorization", "datasets": ["random3k"]}
OTHERS = ({"role": "kilo-epoch"}, {"datasets": ["random"]})


@pytest.mark.parametrize(
    ("n_sig", "holds"),
    [(0, True), (1, False), (9, False)],
)
def test_none_of_a_control(n_sig, holds):
    found = with_rows("controls", control(n_sig=n_sig), control(role="unlearnable", n_sig=5))
    arguments = CONTROL | {"below": 0.3, "luck": 1 / 321}
    (case,) = decided("control_none", found, **arguments).cases
    assert case.holds is holds
    assert case.name == "RANDOM (3,000), memorization, no dropout"
    for other in OTHERS:
        assert decided("control_none", found, **arguments | other).verdict == "not attempted"


def test_luck_of_a_claim_is_that_of_its_shuffles():
    assert CLAIMS["B3"]["arguments"]["luck"] == pytest.approx(
        1 / (designs.N_SHUFFLES + 1), rel=1e-3
    )


@pytest.mark.parametrize(
    ("dropout", "learned", "n_sig", "holds"),
    [
        (False, 1.0, 10, True),
        (False, 1.0, 9, None),
        (False, 1.0, 3, False),
        (False, 0.1, 10, False),  # did not memorize
        (False, 0.5, 10, None),  # in part
        (True, 0.1, 0, True),
        (True, 0.1, 3, None),
        (True, 0.1, 9, False),
        (True, 1.0, 0, False),  # did memorize
        (True, 0.5, 0, None),
    ],
)
def test_memorizing_networks_are_clusterable(dropout, learned, n_sig, holds):
    found = with_rows(
        "controls",
        control(dropout=dropout, learned=learned, n_sig=n_sig),
        control(dropout=dropout, learned=0.75, n_sig=3, dataset="random3k_255"),
        control(dropout=not dropout, dataset="random3k_centred"),
    )
    arguments = CONTROL | {"learned": 0.9, "not_learned": 0.2, "nearly_all": 0.7}
    (case,) = decided("memorizing_clusters", found, **arguments).cases
    assert case.holds is holds
    assert case.evidence.startswith(f"training accuracy {learned:.3f}; {n_sig}/10")
    # other images stand beside it and decide nothing
    kind = "with dropout" if dropout else "no dropout"
    said = f"; RANDOM (3,000, pixels 0 to 255), memorization, {kind}: 0.750, 3/10"
    assert case.evidence.endswith(said)
    assert "−0.5" not in case.evidence
    for other in OTHERS:
        result = decided("memorizing_clusters", found, **arguments | other)
        assert result.verdict == "not attempted"


@pytest.mark.parametrize(
    ("mean", "std", "null", "holds"),
    # half the 90 % interval is 0.08 for a spread of 0.05, against 2.0 ± 0.125 of ten networks
    [
        (2.02, 0.05, 2.5, True),
        (2.02, 0.05, 2.12, None),  # the shuffles would pass, too
        (2.06, 0.05, 2.5, None),  # the interval is too wide
        (2.2, 0.05, 2.5, False),
        (2.2, 0.05, 2.12, False),
        (2.02, 0.5, 2.5, None),
    ],
)
def test_mean_of_a_control(mean, std, null, holds):
    found = with_rows(
        "controls", control(mean=mean, std=std, null=null), control(role="unlearnable", mean=9.0)
    )
    (case,) = decided("control_mean", found, **CONTROL).cases
    assert case.holds is holds
    assert case.evidence.startswith(f"{mean:.3f} against 2.000 ± 0.125, difference [")
    assert case.evidence.endswith("2.120, would pass as well") is (null == 2.12 and holds is None)
    for other in OTHERS:
        assert decided("control_mean", found, **CONTROL | other).verdict == "not attempted"


@pytest.mark.parametrize(
    ("mean", "std", "holds"),
    # half the 90 % interval is 0.02 for spreads of 0.025 and 0.02
    [
        (2.0, 0.025, True),
        (2.02, 0.025, True),
        (2.0, 0.2, None),
        (2.1, 0.025, False),
        (1.9, 0.025, False),
    ],
)
def test_a_control_as_clusterable_as_networks_of_images(mean, std, holds):
    networks = networks_of("fashion_mnist", "after", 10, -0.02, 0.02).networks
    other = networks_of("fashion_mnist", "after", 10, 9.0, dropout=True).networks
    rows = with_rows("controls", control(mean=mean, std=std), control(mean=9.0, dropout=True))
    found = replace(rows, networks=as_printed(pd.concat([networks, other])))
    arguments = CONTROL | {"images": "fashion_mnist", "within": 0.05}
    (case,) = decided("as_clusterable_as", found, **arguments).cases
    assert case.holds is holds
    assert case.name == "RANDOM (3,000), memorization, no dropout, and Fashion-MNIST, no dropout"
    assert case.evidence.startswith(f"{mean:.3f} against 2.000, difference [")
    for other_case in (*OTHERS, {"images": "mnist"}):
        result = decided("as_clusterable_as", found, **arguments | other_case)
        assert result.verdict == "not attempted"


@pytest.mark.parametrize(
    ("before", "holds"),
    # the standard error of ten networks with a spread of 0.02 is 0.0063
    [(2.5, True), (2.4, True), (2.395, True), (2.388, None), (2.38, False), (2.2, False)],
)
def test_training_does_not_lower_the_ncut(before, holds):
    found = with_rows("controls", control(before=before), control(role="kilo-epoch", before=0.0))
    found = replace(found, fresh=fresh_frame([2.39, 2.4, 2.41] * 60))
    arguments = CONTROL | {"within": 0.02}
    (case,) = decided("not_below_fresh", found, **arguments).cases
    assert case.holds is holds
    assert case.evidence.startswith(f"mean {before:.3f} against 2.400, difference [")
    assert case.evidence.endswith("; the printed 2.410 ± 0.010 would hold")
    with_dropout = decided("not_below_fresh", found, **arguments, dropouts=[True])
    assert with_dropout.verdict == "not attempted"
    for other in ({"role": "unlearnable"}, {"datasets": ["random"]}):
        assert decided("not_below_fresh", found, **arguments | other).verdict == "not attempted"


# Mixtures


@pytest.mark.parametrize(
    ("means", "verdict"),
    # half the 90 % interval is 0.08
    [((2.02, 1.98), "reproduced"), ((2.02, 2.06), "cannot tell"), ((2.2, 2.0), "partly"),
     ((2.2, 1.8), "not")],
)  # fmt: skip
def test_mean_of_a_mixture(means, verdict):
    found = with_rows(
        "mixtures",
        *(("lines", bool(d), 10, mean, 0.05, 2.0, 0.125) for d, mean in enumerate(means)),
        ("mnist", False, 10, 9.0, 0.1, 2.0, 0.125),
        ("lines_mnist", False, 0, np.nan, np.nan, 2.0, 0.125),
    )
    result = decided("mixture_mean", found, datasets=["lines", "lines_mnist"])
    assert result.verdict == verdict
    assert [case.name for case in result.cases] == ["LINES, no dropout", "LINES, with dropout"]
    assert result.cases[0].evidence.startswith(
        f"{means[0]:.3f} against 2.000 ± 0.125, difference ["
    )
    assert decided("mixture_mean", found, datasets=["lines_mnist"]).verdict == "not attempted"


@pytest.mark.parametrize(
    ("means", "holds"),
    # the standard error of a difference is 0.045, and t is 2.1
    [((1.0, 1.5, 2.0), True), ((1.0, 1.09, 2.0), None), ((1.0, 1.1, 2.0), True),
     ((1.0, 0.5, 2.0), False), ((1.0, 2.5, 2.0), False), ((1.0, 1.0, 2.0), None)],
)  # fmt: skip
def test_order_of_mixtures(means, holds):
    names = ["lines", "lines_mnist", "mnist"]
    found = with_rows(
        "mixtures",
        *((name, True, 10, m, 0.1, m, 0.1) for name, m in zip(names, means, strict=True)),
        # without dropout one is missing, and the other order has none of its mixture
        ("lines", False, 10, 1.0, 0.1, 1.0, 0.1),
        ("lines_mnist", False, 0, np.nan, np.nan, 1.0, 0.1),
        ("mnist", False, 10, 2.0, 0.1, 2.0, 0.1),
    )
    arguments = {"datasets": [*names, "cifar10"], "order": [names, ["lines", "cifar10", "mnist"]]}
    values = [f"{mean:.3f}" for mean in means]
    (case,) = decided("mixture_order", found, **arguments).cases
    assert case.name == "LINES below LINES-MNIST below MNIST, with dropout"
    assert case.holds is holds
    said = f"LINES {values[0]}, LINES-MNIST {values[1]}, MNIST {values[2]}; differences ["
    assert case.evidence.startswith(said)
    # an order of dropout alone
    more = {"order": [], "with_dropout": [names]}
    assert decided("mixture_order", found, **arguments | more).cases == (case,)
    complete = replace(found, mixtures=found.mixtures.assign(n=10, ncut_mean=1.0, ncut_std=0.1))
    (only,) = decided("mixture_order", complete, **arguments | more).cases
    assert only.name == case.name
    arguments["order"].reverse()
    assert decided("mixture_order", found, **arguments | {"datasets": ["mnist"]}).cases == ()
