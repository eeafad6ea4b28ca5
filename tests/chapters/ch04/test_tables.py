"""Tables and rules of chapter 4, on results that can be worked out by hand."""

from __future__ import annotations

import math

import numpy as np
import pandas as pd
import pytest

from modclust_utils.chapters.ch04_specialization import chances, findings, rules, tables
from modclust_utils.chapters.ch04_specialization.rules import Results
from modclust_utils.datasets.papers import paper_table

EVEN = (np.arange(20) + 0.5) / 20


def row(measure="accuracy_drop", seed=0, percentiles=EVEN, **changes):
    own = {
        "kind": "mlp",
        "dataset": "mnist",
        "partitioning": "weights/network",
        "n_clusters": 16,
        "match": "size",
        "seed": seed,
        "measure": measure,
        "reading": tables.READINGS[measure],
        "n_sets": len(percentiles),
        "fisher": float(-np.log(percentiles).mean()),
        "p": 0.5,
        "percentiles": percentiles,
    }
    return own | changes


def frame(rows):
    found = pd.DataFrame(rows)
    found.attrs = {"source": "made up"}
    return found


def test_uniform_percentiles_have_the_statistic_of_the_paper():
    # paper B, appendix A.2.3: 0.98
    assert round(tables.uniform(19), 2) == 0.98
    # percentiles 1/6, 1/2 and 5/6
    assert tables.uniform(2) == pytest.approx(-math.log(1 / 6 * 1 / 2 * 5 / 6) / 3)


def test_summary_of_two_networks():
    two = frame([row(seed=0, fisher=1.0, p=0.1), row(seed=1, fisher=2.0, p=0.3)])
    (found,) = tables.summary(two).itertuples()
    assert (found.n, found.fisher) == (2, 1.5)
    # the sum of two uniform numbers is at most 0.4 in a triangle of area 0.4^2 / 2
    assert found.p == pytest.approx(0.08)
    # Student with one degree of freedom: 12.706 standard errors of 0.5
    assert found.high - found.fisher == pytest.approx(12.706 * 0.5, rel=1e-3)
    assert not found.significant


def test_only_the_papers_rows_are_tested():
    rows = [
        row(p=0.01),
        row(p=0.01, reading="classes"),
        row(p=0.01, n_clusters=8),
        row(p=0.01, match="norm"),
    ]
    found = tables.summary(frame(rows))
    assert tables.is_tested(found).tolist() == [True, False, False, False]
    assert found["significant"].tolist() == [True, None, None, None]


def test_correction_counts_every_test():
    # alone 0.03 is significant; beside a test with 0.9 it is above 0.05 / 2
    assert tables.summary(frame([row(p=0.03)]))["significant"].tolist() == [True]
    both = frame([row(p=0.03), row("score", p=0.9)])
    assert tables.summary(both)["significant"].tolist() == [False, False]


def test_one_sidedness():
    left = np.zeros((28, 28))
    left[:, :14] = 1
    images = np.stack([left.ravel(), np.ones(784), (left + 1).ravel(), np.zeros(784)])
    # twice as much on the left as on the right: (2 - 1) / (2 + 1)
    np.testing.assert_allclose(tables.one_sidedness(images), [1, 0, 1 / 3, 0])


def significant(*rows):
    return rules.significant(
        Results(frame(rows), frame([]), frame([])),
        datasets=["mnist"],
        measure="accuracy_drop",
        networks=["mlp"],
        partitionings=["weights/network"],
        at=1.1,
    )


def test_significant_holds_fails_or_cannot_tell():
    strong = [row(seed=i, p=1e-6, fisher=2 + i / 10) for i in range(3)]
    small = [row(seed=i, p=0.6, fisher=1 + i / 100) for i in range(3)]
    wide = [row(seed=i, p=0.6, fisher=1 + i) for i in range(3)]
    for rows, holds in ((strong, True), (small, False), (wide, None)):
        (case,) = significant(*rows)
        assert case.holds is holds


def test_other_data_sets_are_no_case():
    results = Results(frame([row(p=1e-6, dataset="mnist5k")]), frame([]), frame([]))
    arguments = {"measure": "accuracy_drop", "networks": ["mlp"], "at": 1.1}
    found = {
        name: rules.significant(results, [name], **arguments, partitionings=["weights/network"])
        for name in ("mnist", "mnist5k")
    }
    assert [len(cases) for cases in found.values()] == [0, 1]


def halves(one_sided, percentile):
    rows = [
        {
            "dataset": "d",
            "partitioning": "weights/network",
            "seed": i % 5,
            "one_sided": a,
            "percentile": b,
        }
        for i, (a, b) in enumerate(zip(one_sided, percentile, strict=True))
    ]
    return Results(frame([]), frame(rows), frame([]))


def test_halves():
    clear = halves([0.9] * 40, [0.025] * 40)
    none = halves([0.1] * 40, [0.8, 0.9, 0.7, 0.85] * 10)
    (case,) = rules.more_than_random(halves([0.9] * 40, [0.3, 0.7] * 20), ["d"], alpha=0.05, at=0.5)
    assert case.holds is None
    for results, holds in ((clear, True), (none, False)):
        (case,) = rules.one_half(results, ["d"], at=0.5, share=0.8)
        assert case.holds is holds
        (case,) = rules.more_than_random(results, ["d"], alpha=0.05, at=0.5)
        assert case.holds is holds


def test_seldom_significant():
    def cases(n_significant):
        rows = [
            row("entropy", partitioning=f"{i}", p=1e-9 if i < n_significant else 0.9)
            for i in range(12)
        ]
        return rules.seldom_significant(
            Results(frame(rows), frame([]), frame([])),
            ["mnist"],
            measures=["entropy"],
            networks=["mlp"],
            share=0.4,
        )

    # one-sided 95 % bounds of a share of twelve: 0.22 at none, 0.56 at three; at ten 0.56 at least
    assert [cases(n)[0].holds for n in (0, 3, 10)] == [True, None, False]


def test_similar():
    def case(gaps):
        rows = [
            row(seed=i, fisher=1.5 + gap * first, partitioning=name)
            for i, gap in enumerate(gaps)
            for first, name in ((1, "weights/network"), (0, "activations/network"))
        ]
        (found,) = rules.similar(
            Results(frame(rows), frame([]), frame([])),
            ["mnist"],
            first=["weights/network"],
            second=["activations/network"],
            measures=["accuracy_drop"],
            networks=["mlp"],
            within=0.3,
        )
        return found.holds

    assert case([0.01, -0.01, 0.02, 0.0]) is True
    assert case([1.0, 1.1, 0.9, 1.0]) is False
    assert case([1.0, -1.0, 0.5, -0.4]) is None


def test_near_printed_and_above():
    def cases(mean, spread):
        rows = [row(seed=i, fisher=mean + spread * (i - 1)) for i in range(3)]
        results = Results(frame(rows), frame([]), frame([]))
        (near,) = rules.near_printed(
            results, ["mnist"], networks=["mlp"], measures=["accuracy_drop"], within=0.4
        )
        (above,) = rules.above(
            results,
            ["mnist"],
            network="mlp",
            partitionings=["weights/network"],
            measure="accuracy_drop",
            at=2.0,
        )
        return near.holds, above.holds

    # 2.13 is printed
    assert cases(2.15, 0.01) == (True, True)
    assert cases(1.0, 0.01) == (False, False)
    assert cases(2.13, 1.0) == (None, None)


def test_names_of_pretrained_networks():
    assert tables.network_name("squeezenet1_0") == "SqueezeNet 1.0, ImageNet"
    assert tables.network_name("cifar10_resnet20") == "ResNet-20 (CIFAR-10)"
    about = {"architecture": "torchvision:vgg16", "dataset": "imagenette", "seed": 0}
    record = [about | {"ncut": 1.0, "p_value": 0.5, "null_ncuts": [2.0]}]
    (found,) = tables.clusterability(frame(record)).itertuples()
    # as Figure 2 calls it, so that its n-cut stands beside the printed one
    assert (found.words, found.imagenet, found.below_all) == ("VGG-16", True, True)


@pytest.mark.parametrize(
    ("architecture", "dataset", "name"),
    [
        ("mlp", "mnist", "MLP, MNIST"),
        ("cnn", "mnist5k", "CNN, MNIST"),
        ("vgg", "cifar10_colour", "VGG, CIFAR-10"),
        ("mlp", "fashion_mnist", "MLP, Fashion-MNIST"),
        ("vgg", "my on data", "VGG, my on data"),
        # those of torchvision as the papers' table has them
        ("torchvision:resnet18", "imagenette", "ResNet-18, ImageNet"),
    ],
)
def test_networks_are_called_by_their_own_data(architecture, dataset, name):
    assert tables.network_name(tables.kind_of(architecture, dataset)) == name


def test_networks_of_other_data_do_not_stand_beside_the_papers():
    name = "<b>mine</b>"
    found = tables.summary(frame([row(kind=tables.kind_of("mlp", name), dataset=name)]))
    table = tables.table_1(found, paper_table("casper2022_table_1")).content
    place = ("MLP, &lt;b&gt;mine&lt;/b&gt;", "weights/network")
    assert table.loc[place, ("accuracy drop", "ours")] != "–"
    assert table.loc[place, ("accuracy drop", "paper")] == ""
    papers = table.loc[("MLP, MNIST", "weights/network")]
    assert papers[("accuracy drop", "ours")] == "–"
    assert papers[("accuracy drop", "paper")]


def test_networks_of_imagenet_against_their_shuffles():
    rows = [
        {
            "dataset": "d",
            "words": name,
            "n_shuffles": 100,
            "n_clusters": 12,
            "norm": "l1",
            "ncut": 7.8,
            "z_score": -3.0,
            "p_value": p,
        }
        for name, p in (("VGG-16", 0.01), ("b", 0.3), ("c", 0.9))
    ]
    results = Results(frame([]), frame([]), frame(rows))
    cases = rules.below_shuffles(results, ["d"], alpha=0.05)
    assert [case.holds for case in cases] == [True, None, False]
    # only one of them has a printed n-cut: 7.800
    (case,) = rules.printed_ncuts(results, ["d"], within=0.02)
    assert case.holds is True
    far = Results(frame([]), frame([]), frame([{**rows[0], "ncut": 7.8 * 1.03}]))
    (case,) = rules.printed_ncuts(far, ["d"], within=0.02)
    assert case.holds is False
    # with other clusters, or of another graph, it says nothing about the printed one
    for other in ({"n_clusters": 4}, {"norm": "induced_l1"}):
        others = Results(frame([]), frame([]), frame([{**rows[0], **other}]))
        assert rules.printed_ncuts(others, ["d"], within=0.02) == []
    # 18 shuffles have no p-value below 1 / 19
    few = Results(frame([]), frame([]), frame([{**rows[0], "n_shuffles": 18, "p_value": 1 / 19}]))
    assert rules.below_shuffles(few, ["d"], alpha=0.05) == []


def test_rounding_of_kept_shuffles_makes_no_network_clusterable():
    about = {"architecture": "mlp", "dataset": "mnist", "seed": 0, "mode": "channel", "n_init": 10}
    test = {"ncut": 2 / 3, "p_value": 1.0, "z_score": math.nan, "null_ncuts": [0.666667] * 20}
    (row,) = tables.clusterability(frame([about | test])).itertuples()
    assert not row.below_all


def test_matched_pairs_keep_their_sides():
    rows = [row(fisher=1.0), row(fisher=2.0, match="norm"), row(seed=1, fisher=9.0)]
    table = tables.matched_pairs(frame(rows))
    (pair,) = table.itertuples()
    assert (pair.size, pair.norm) == (1.0, 2.0)
    assert "is 1.00 against random sets of the same size, and 2.00" in findings.by_matching(table)


def test_the_chapter_in_short_counts_conditions_halves_and_networks():
    own = [row(measure, p=p) for measure, p in (("accuracy_drop", 1e-9), ("score", 0.9))]
    found = tables.summary(frame([*own, row("class_range", p=0.9), row("entropy", p=1e-9)]))
    sides = pd.DataFrame({"one_sided": [0.9, 0.5, 0.1], "random": [0.1, 0.2, 0.3]})
    tests = pd.DataFrame({"mode": ["layer", "layer", "channel"], "below_all": [True, False, True]})
    lesions, classes, digits, shuffles = findings.local_specialization(found, sides, tests)
    assert "in 1 of 1 conditions" in lesions
    assert lesions.endswith("higher scores in 0 of 1.")
    assert classes == "What is about classes is significant in 1 of 2."
    assert "2 of 3 first-layer sub-clusters follow one half" in digits
    assert "one-sidedness is 0.50, that of random sets 0.20" in digits
    assert "Of 2 networks, 1 are more clusterable" in shuffles
    assert "and 1 than all in which" in shuffles


def test_readings_stand_side_by_side():
    rows = [row(fisher=1.0), row(fisher=2.0, reading=tables.OTHER_READINGS["accuracy_drop"])]
    (shown,) = tables.readable_readings(tables.summary(frame(rows))).content.to_dict("records")
    assert [*shown.values()] == ["1.00", "2.00", "–", "–"]


def test_printed_and_own_tests_stand_in_one_table():
    own = {
        **{"words": "VGG-16", "n_units": 4224, "n_clusters": 12, "ncut": 7.9, "null_mean": 8.0},
        **{"null_std": 0.1, "z_score": math.nan, "p_value": 1.0},
    }
    printed = pd.DataFrame(
        {
            **{"network": ["VGG-16", "ResNet-18"], "n_clusters": 12, "ncut": [7.8, 9.0]},
            **{"null_ncut_mean": 8.0, "null_ncut_std": 0.1, "z_score": -2.0, "p_value": 0.01},
        }
    )
    printed.attrs = {"source": "made up"}
    shown = tables.readable_tests(frame([own]), printed).content.reset_index()
    assert shown["Network"].tolist() == ["VGG-16", "VGG-16", "ResNet-18"]
    assert shown["n-cut"].tolist() == ["7.900", "7.800", "9.000"]
    assert shown["z"].tolist() == ["–", "-2.0", "-2.0"]
    assert [each.startswith("paper; here not") for each in shown["Whose"]] == [False, False, True]


def test_numbers_of_clusters_are_compared_where_there_are_several():
    table = tables.over_clusters(frame([row(), row(n_clusters=8), row(kind="cnn")]))
    assert table[["kind", "n_clusters"]].to_numpy().tolist() == [["mlp", 16], ["mlp", 8]]


def test_made_up_replications_have_the_printed_statistics():
    found = chances.world(np.random.default_rng(0), replication=True).measures
    own = found[(found["kind"] == "mlp") & (found["measure"] == "accuracy_drop")]
    mean = own[own["partitioning"] == "weights/network"]["fisher"].mean()
    # 200 percentiles whose -log has the standard deviation 2.13
    assert math.isclose(mean, 2.13, abs_tol=4 * 2.13 / math.sqrt(200))


def test_without_pretrained_networks_there_is_nothing_to_test_again():
    """A reader may run the chapter with `pretrained []`."""
    found = tables.clusterability(frame({"record": []}))
    assert len(found) == 0
    assert {"words", "n_init", "ncut", "z_score"} <= {*found}
