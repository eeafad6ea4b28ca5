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


def of(measures=(), halves=(), imagenet=(), spread=(), differing=()):
    """Results of some rows."""
    frames = (frame([*rows]) for rows in (measures, halves, imagenet, spread))
    return Results(*frames, differing)


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
        of(rows),
        datasets=["mnist"],
        measure="accuracy_drop",
        networks=["mlp"],
        partitionings=["weights/network"],
        at=1.1,
    )


def test_significant_holds_fails_or_cannot_tell():
    low = {"percentiles": EVEN / 2}
    strong = [row(seed=i, p=1e-6, fisher=2 + i / 10, **low) for i in range(3)]
    small = [row(seed=i, p=0.6, fisher=1 + i / 100) for i in range(3)]
    wide = [row(seed=i, p=0.6, fisher=1 + i) for i in range(3)]
    for rows, holds in ((strong, True), (small, False), (wide, None)):
        (case,) = significant(*rows)
        assert case.holds is holds
    # of one network there is no interval
    (case,) = significant(strong[0])
    assert (case.holds, case.evidence[-20:]) == (None, "mean percentile 0.25")


def test_few_extreme_sub_clusters_among_many_like_random_sets_are_not_enough():
    """Half of them cost most, the others least: the mean percentile is 0.5."""
    both_ends = np.repeat([1 / 40, 39 / 40], 20)
    rows = [row(seed=i, p=1e-9, percentiles=both_ends) for i in range(3)]
    (case,) = significant(*rows)
    assert case.holds is None
    assert case.evidence.endswith("mean percentile 0.50 [0.50, 0.50]")
    # nor where the mean is lower, but networks differ too much
    shares = (EVEN / 4, EVEN / 2, EVEN)
    rows = [row(seed=i, p=1e-9, percentiles=each) for i, each in enumerate(shares)]
    assert significant(*rows)[0].holds is None


def test_other_data_sets_are_no_case():
    results = of([row(p=1e-6, dataset="mnist5k")])
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
    return of(halves=rows)


def test_halves():
    clear = halves([0.9] * 40, [0.025] * 40)
    none = halves([0.1] * 40, [0.8, 0.9, 0.7, 0.85] * 10)
    (case,) = rules.more_than_random(halves([0.9] * 40, [0.3, 0.7] * 20), ["d"], alpha=0.05, at=0.5)
    assert case.holds is None
    for results, holds in ((clear, True), (none, False)):
        (case,) = rules.one_half(results, ["d"], times=[3, 2], share=0.8)
        assert case.holds is holds
        (case,) = rules.more_than_random(results, ["d"], alpha=0.05, at=0.5)
        assert case.holds is holds


def test_one_half_is_decided_where_both_lines_say_the_same():
    """At 0.4 an image holds more than twice and less than three times as much in one half."""
    (case,) = rules.one_half(halves([0.4] * 40, [0.5] * 40), ["d"], times=[3, 2], share=0.8)
    assert case.holds is None
    assert case.evidence.startswith("3:1, 0/40, by network 0.00 [0.00, 0.07]; 2:1, 40/40")
    # 38 of 40 would surely be most of 40 independent ones, but two networks have 1 and 0.9
    two = halves([0.9] * 20 + [0.1] * 2 + [0.9] * 18, [0.5] * 40)
    two.halves["seed"] = [0, 1] * 20
    two.halves.loc[[0, 2], "one_sided"] = 0.1
    (case,) = rules.one_half(two, ["d"], times=[3, 2], share=0.8)
    assert case.holds is None
    # one network has no interval
    two.halves["seed"] = 0
    assert rules.one_half(two, ["d"], times=[3, 2], share=0.8) == []


def test_seldom_significant():
    def cases(n_significant):
        rows = [
            row("entropy", partitioning=f"{i}", p=1e-9 if i < n_significant else 0.9)
            for i in range(12)
        ]
        return rules.seldom_significant(
            of(rows),
            ["mnist"],
            measures=["entropy"],
            networks=["mlp"],
            share=0.4,
        )

    # one-sided 95 % bounds of a share of twelve: 0.22 at none, 0.56 at three; at ten 0.56 at least
    assert [cases(n)[0].holds for n in (0, 3, 10)] == [True, None, False]


def test_seldom_significant_in_both_readings():
    def case(*p_values):
        rows = [
            row("class_range", partitioning=f"{i}", p=p, reading=reading)
            for reading, p in zip(("difference", "relative"), p_values, strict=True)
            for i in range(12)
        ]
        arguments = {"measures": ["class_range"], "networks": ["mlp"], "share": 0.4}
        (found,) = rules.seldom_significant(of(rows), ["mnist"], **arguments)
        return found

    assert [case(*each).holds for each in ((0.9, 0.9), (1e-9, 1e-9))] == [True, False]
    apart = case(1e-9, 0.9)
    assert apart.holds is None
    assert "as the text reads 12/12" in apart.evidence
    assert "as the numbers were made 0/12" in apart.evidence


def test_similar():
    def case(gaps):
        rows = [
            row(seed=i, fisher=1.5 + gap * first, partitioning=name)
            for i, gap in enumerate(gaps)
            for first, name in ((1, "weights/network"), (0, "activations/network"))
        ]
        (found,) = rules.similar(
            of(rows),
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


def test_pairs_that_differ_in_opposite_ways_are_not_similar():
    fisher = {"weights/network": 2.0, "weights/layer": 1.0}
    names = [*fisher, "activations/network", "activations/layer"]
    rows = [
        row(seed=i, fisher=fisher.get(name, 1.5) + i / 100, partitioning=name)
        for i in range(3)
        for name in names
    ]
    cases = rules.similar(
        *(of(rows), ["mnist"], names[:2], names[2:]),
        **{"measures": ["accuracy_drop"], "networks": ["mlp"], "within": 0.3},
    )
    assert [case.holds for case in cases] == [False, False]
    assert [case.evidence[:5] for case in cases] == ["+0.50", "-0.50"]


def test_near_printed_and_above():
    def cases(mean, spread, differing=()):
        rows = [row(seed=i, fisher=mean + spread * (i - 1)) for i in range(3)]
        results = of(rows, differing=differing)
        (near,) = rules.near_printed(
            *(results, ["mnist"]),
            **{"networks": ["mlp"], "measures": ["accuracy_drop"], "within": 0.4},
            made_with=["epochs"],
        )
        (above,) = rules.above(
            results,
            ["mnist"],
            network="mlp",
            partitionings=["weights/network"],
            measure="accuracy_drop",
            at=2.0,
            made_with=["epochs"],
        )
        return near.holds, above.holds

    # 2.13 is printed
    assert cases(2.15, 0.01) == (True, True)
    assert cases(1.0, 0.01) == (False, False)
    assert cases(2.13, 1.0) == (None, None)
    # networks that are others than the paper's tell nothing; fewer test images make them no others
    for mean in (2.15, 1.0):
        assert cases(mean, 0.01, differing=["epochs"]) == (None, None)
        assert None not in cases(mean, 0.01, differing=["n_lesion_images"])


def test_the_printed_mean_has_an_error_too():
    """Student's 90 % of three: 2.92 standard errors; ours is 0.1 / sqrt(3), of the difference
    sqrt(2) times that."""
    rows = [row(seed=i, fisher=2.13 + 0.1 * (i - 1)) for i in range(3)]
    half = 2.92 * math.sqrt(2) * 0.1 / math.sqrt(3)
    for within, holds in ((half + 0.001, True), (half - 0.001, None)):
        (case,) = rules.near_printed(
            *(of(rows), ["mnist"], ["mlp"], ["accuracy_drop"]), within=within, made_with=[]
        )
        assert case.holds is holds


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


def test_small_networks_of_others_have_a_table_of_their_own():
    kinds = ["mlp", "vgg16", "tiny_darknet", "cifar10_resnet20", "vgg on mine"]
    found = tables.summary(frame([row(kind=kind) for kind in kinds]))
    shown = tables.table_1(tables.in_text(found), paper_table("casper2022_table_1")).content
    is_ours = shown[("accuracy drop", "ours")] != "–"
    assert [name for name, _ in shown.index[is_ours]] == [
        "MLP, MNIST", "VGG-16, ImageNet", "Tiny Darknet, ImageNet", "VGG, mine"
    ]  # fmt: skip
    others = tables.statistics(tables.in_fold(found)).content
    assert [*others.index] == [("ResNet-20 (CIFAR-10)", "weights/network")]
    place = ("MLP, MNIST", "weights/network")
    assert others["accuracy drop"].iloc[0] == shown.loc[place, ("accuracy drop", "ours")]
    assert len(tables.statistics(tables.in_fold(found[:0])).content) == 0


def test_networks_of_imagenet_against_their_shuffles():
    rows = [
        {
            "dataset": "d",
            "words": name,
            "n_shuffles": 100,
            "n_clusters": 12,
            "n_init": 10,
            "norm": "l1",
            "ncut": 7.8,
            "z_score": -3.0,
            "p_value": p,
        }
        for name, p in (("VGG-16", 0.01), ("b", 0.3), ("c", 0.9))
    ]

    def again(*z_scores):
        """z-scores of two seeds each."""
        return [
            {**about, "z_score": z}
            for about, both in zip(rows, z_scores, strict=True)
            for z in both
        ]

    def holds(spread):
        results = of(imagenet=rows, spread=spread)
        return [case.holds for case in rules.below_shuffles(results, ["d"], alpha=0.05)]

    agree = again((-2, -1), (-1, 1), (1, 2))
    assert holds(agree) == [True, None, False]
    assert holds(again((-2, 1), (-2, -1), (1, -1))) == [None, None, None]
    # one start of k-means is another test
    assert holds([*agree, {**rows[0], "n_init": 1, "z_score": 9.0}]) == [True, None, False]
    results = of(imagenet=rows, spread=agree)
    (case, *_) = rules.below_shuffles(results, ["d"], alpha=0.05)
    assert case.evidence.endswith("over seeds z from -2.0 to -1.0")
    # only one of them has a printed n-cut: 7.800
    (case,) = rules.printed_ncuts(results, ["d"], within=0.02)
    assert case.holds is True
    far = of(imagenet=[{**rows[0], "ncut": 7.8 * 1.03}])
    (case,) = rules.printed_ncuts(far, ["d"], within=0.02)
    assert case.holds is False
    # with other clusters it says nothing about the printed one
    others = of(imagenet=[{**rows[0], "n_clusters": 4}])
    assert rules.printed_ncuts(others, ["d"], within=0.02) == []
    # the text prints one norm, the numbers were made with the other
    other = of(imagenet=[{**rows[0], "norm": "induced_l1"}])
    (case,) = rules.printed_ncuts(other, ["d"], within=0.02)
    assert (case.holds, "(induced_l1)" in case.evidence) == (True, True)
    # 18 shuffles have no p-value below 1 / 19
    few = of(imagenet=[{**rows[0], "n_shuffles": 18, "p_value": 1 / 19}], spread=agree)
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
    classes = [row("class_range", p=0.9), row("class_range", p=1e-9, reading="relative")]
    found = tables.summary(frame([*own, *classes, row("entropy", p=1e-9)]))
    sides = pd.DataFrame({"one_sided": [0.9, 0.5, 0.4, 0.2], "random": [0.1, 0.2, 0.2, 0.3]})
    tests = pd.DataFrame({"mode": ["layer", "layer", "channel"], "below_all": [True, False, True]})
    lesions, classes, digits, shuffles = findings.local_specialization(found, sides, tests)
    assert "in 1 of 1 conditions" in lesions
    assert lesions.endswith("higher scores in 0 of 1.")
    assert "significant in 1 of 2 with class ranges as in the papers' text" in classes
    assert "in 2 of 2 with those of their numbers, over the mean drop" in classes
    assert "2 of 4 first-layer sub-clusters follow one half at least three times" in digits
    assert "and 3 twice as much" in digits
    assert "one-sidedness is 0.50, that of random sets 0.20" in digits
    assert "Of 2 networks, 1 are more clusterable" in shuffles
    assert "and 1 than all in which" in shuffles


def test_readings_stand_side_by_side():
    rows = [
        row(fisher=1.0, p=0.9),
        row(fisher=2.0, p=1e-9, reading=tables.OTHER_READINGS["accuracy_drop"]),
    ]
    both = tables.both_readings(tables.summary(frame(rows)))
    shown = tables.readable_readings(both, paper_table("casper2022_table_1")).content
    assert shown.index.tolist() == [("MLP, MNIST", "weights/network")]
    assert shown["accuracy drop"].iloc[0].to_dict() == {
        **{"ours, over all images": "1.00", "ours, mean of the classes": "<b>2.00</b>"},
        "paper": "2.13",
    }
    assert shown["class range"].iloc[0].tolist() == ["–", "–", "0.91"]
    # of other networks nothing is printed, and of none there is nothing to show
    other = frame([row(kind="vgg19", partitioning="weights/layer"), row(kind="squeezenet1_0")])
    both = tables.both_readings(tables.summary(other))
    shown = tables.readable_readings(both, paper_table("casper2022_table_1")).content
    assert [*shown["accuracy drop", "paper"]] == ["", ""]
    assert len(tables.readable_readings(both[:0], paper_table("casper2022_table_1")).content) == 0


def test_each_reading_is_corrected_among_its_own_tests():
    """0.03 is significant beside 0.02, and not beside 0.9."""
    rows = [row("score", p=0.03), row("class_range", p=0.02)]
    found = tables.summary(frame([*rows, row("class_range", p=0.9, reading="relative")]))
    other = tables.as_made(found)
    assert found.set_index(["measure", "reading"])["significant"]["score", ""]
    assert other["measure"].tolist() == ["score", "class_range"]
    assert other["significant"].tolist() == [False, False]


def test_class_ranges_of_table_1_are_called_what_they_are():
    shown = tables.table_1(tables.summary(frame([row()])), paper_table("casper2022_table_1"))
    heads = shown.content.columns.get_level_values(0)
    assert [*dict.fromkeys(heads)] == ["accuracy drop", "class range *", "score", "entropy"]
    assert [*shown.content["score"]] == ["ours", "paper"]


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
    worlds = [chances.world(np.random.default_rng(i), replication=True) for i in range(10)]
    found = pd.concat([each.measures for each in worlds])
    means = found.groupby(["kind", "partitioning", "measure"])["fisher"].mean()
    for place, printed_one in {
        ("vgg", "activations/layer", "score"): 2.67,
        ("mlp", "weights/network", "accuracy_drop"): 2.13,
        ("cnn", "activations/network", "class_range"): 0.70,
    }.items():
        # 2,000 percentiles whose -log has a standard deviation of 1.3 at most
        assert means[place] == pytest.approx(printed_one, abs=4 * 1.3 / math.sqrt(2000))


def test_exponents_of_made_up_percentiles():
    # u itself is even; u^2 is below 1/20 with a chance of the square root of 1/20, and so on
    assert chances.mean_statistic(1) == pytest.approx(tables.uniform(19))
    assert chances.exponent(tables.uniform(19)) == pytest.approx(1)
    roots = np.diff(np.sqrt(np.arange(21) / 20))
    assert chances.mean_statistic(2) == pytest.approx(roots @ -np.log(EVEN))


def test_made_up_worlds_without_the_effect_are_without_it():
    worlds = [chances.world(np.random.default_rng(i), replication=False) for i in range(20)]
    found = pd.concat([each.measures.assign(world=i) for i, each in enumerate(worlds)])
    means = found.groupby(["measure", "world", "partitioning"])["fisher"].mean()
    # 600 percentiles each; nothing is more important than random sets, classes always show
    for measure in ("accuracy_drop", "score"):
        assert means[measure].max() < tables.uniform(19) + 4 / math.sqrt(600)
    for measure in ("class_range", "entropy"):
        assert means[measure].min() > 1.3 - 4 * 1.1 / math.sqrt(600)
    # and weights and activations differ, as do networks and layers
    by_world = means["accuracy_drop"].unstack()
    for one, other in (("network", "layer"), ("weights", "activations")):
        a, b = (by_world.filter(like=each).mean(axis=1) for each in (one, other))
        assert (a - b).abs().min() > 0.3 - 4 * math.sqrt(2 / 1200)


def test_without_pretrained_networks_there_is_nothing_to_test_again():
    """A reader may run the chapter with `pretrained []`."""
    found = tables.clusterability(frame({"record": []}))
    assert len(found) == 0
    assert {"words", "n_init", "ncut", "z_score"} <= {*found}
