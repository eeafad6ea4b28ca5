"""What stands behind the statistics of chapter 4: places, costs and ties of its sub-clusters."""

from __future__ import annotations

import math
from types import SimpleNamespace

import numpy as np
import pandas as pd
import pytest
from small_book import printed

from modclust_utils.chapters.ch04_specialization import findings, sub_clusters, tables
from modclust_utils.chapters.ch04_specialization.plan import plan
from modclust_utils.publish.run import check_run
from modclust_utils.specialization import percentiles

MIXED = np.array([[3.0, 3.0, 1.0, 0.5], [1.0, 1.0 + 1e-13, 1.0, 1.0], [1e-11, 0.0, 2e-11, 5.0]])


def about(kind: str, partitioning: str, record: SimpleNamespace, **values: object) -> dict:
    dataset = {"mlp": "mnist", "cnn": "mnist", "vgg": "cifar10_colour"}[kind]
    place = {"architecture": kind, "dataset": dataset, "partitioning": partitioning, "seed": 0}
    return {**place, **values, "record": record}


def lesions(kind, partitioning, layers, sizes, hits, partition="p"):
    """Lesions on ten images of each of two classes, all of them right without a lesion."""
    arrays = {
        **{"layer": np.array(layers), "label": np.arange(len(layers)), "size": np.array(sizes)},
        **{"class_counts": np.array([10, 10]), "unlesioned": np.array([10, 10], np.uint16)},
        "hits": np.array(hits, np.uint16).reshape(len(layers), -1, 2),
    }
    value, parameters = {"n_sets": len(layers)}, {"partition": partition}
    record = SimpleNamespace(
        kind="set-lesions", key=f"{kind}{hits}", arrays=arrays, value=value, parameters=parameters
    )
    return about(kind, partitioning, record, n_test=20)


def visualizations(kind, partitioning, layers, labels, score, partition="p"):
    scores = np.array(score, np.float32)
    arrays = {"layer": np.array(layers), "label": np.array(labels), "score": scores}
    record = SimpleNamespace(
        kind="set-visualizations",
        key=kind,
        arrays={**arrays, "entropy": np.zeros_like(scores)},
        value={"n_sets": len(layers)},
        parameters={"partition": partition},
    )
    return about(kind, partitioning, record)


#: By weights: two silent sub-clusters in layer 7 and 8, and a large one in 8 that costs everything.
VGG = lesions(
    *("vgg", "weights/layer", [7, 8, 8], [2, 4, 90]),
    [
        [[10, 10], [10, 10], [10, 10], [10, 9]],
        [[10, 10], [10, 10], [9, 9], [9, 9]],
        [[0, 0], [5, 10], [10, 5], [10, 10]],
    ],
)
CNN = lesions("cnn", "activations/layer", [0], [3], [[[9, 9], [10, 10], [10, 10], [10, 10]]])
SEEN = visualizations("vgg", "weights/layer", [8, 8], [1, 2], [[1, 4, 5, 6], [9, 3, 3, 3]])


def frames(lesioned, seen):
    return printed(pd.DataFrame(lesioned)), printed(pd.DataFrame(seen))


LESIONS, IMAGES = frames([VGG, CNN], [SEEN])
SUBS = sub_clusters.each_sub_cluster(LESIONS, IMAGES)
CHANCE = sub_clusters.by_chance(LESIONS, IMAGES)


def test_each_sub_cluster_has_its_place_and_what_it_costs():
    own = SUBS[SUBS["kind"] == "vgg"]
    assert own[["layer", "size", "cost", "no_more"]].to_numpy().tolist() == [
        [7, 2, 0, True],
        [8, 4, 0, True],
        [8, 90, 20, False],
    ]
    assert own["tied"].tolist() == pytest.approx([2 / 3, 1 / 3, 0])
    # layer 8, labels 1 and 2: 1 of a median of 5, and 9 of 3
    assert own["score"].tolist() == pytest.approx([math.nan, 0.2, 3.0], nan_ok=True)


@pytest.mark.parametrize("tail", ["lower", "upper"])
def test_a_set_that_takes_the_place_of_the_sub_cluster_has_its_percentile(tail):
    found = sub_clusters.in_turn(MIXED, tail)
    for i in range(MIXED.shape[1]):
        others = np.delete(MIXED, i, axis=1)
        swapped = np.column_stack([MIXED[:, i], others])
        np.testing.assert_allclose(found[:, i], percentiles(swapped, tail=tail))


def test_chance_alone_gives_less_where_sets_tie():
    expected = CHANCE.set_index(["kind", "measure"])["expected"]
    # of four scores without ties that of uniform percentiles; entropies that all tie have log 2
    assert expected["vgg", "entropy"] == pytest.approx(math.log(2))
    ranks = -np.log((np.arange(4) + 0.5) / 4)
    tied = [ranks[0], *[-math.log(2.5 / 4)] * 3]
    # costs of the CNN: 2, 0, 0, 0
    assert expected["cnn", "accuracy_drop"] == pytest.approx(np.mean(tied))
    assert expected["cnn", "accuracy_drop"] < tables.uniform(3)


def test_chance_is_a_mean_over_networks_and_of_the_readings_that_are_tested():
    none = lesions("cnn", "activations/layer", [0], [3], [[[10, 10]] * 4])
    two = sub_clusters.by_chance(*frames([CNN, none], [SEEN])).set_index(["kind", "measure"])
    one = CHANCE.set_index(["kind", "measure"])["expected"]
    both = (one["cnn", "accuracy_drop"] + math.log(2)) / 2
    assert two["expected"]["cnn", "accuracy_drop"] == pytest.approx(both)
    assert set(CHANCE["measure"]) == set(tables.READINGS)


def test_the_table_behind_the_table():
    shown = sub_clusters.readable(SUBS, CHANCE).content
    row = shown.loc[("VGG, CIFAR-10", "weights/layer")]
    assert row.iloc[:5].tolist() == [3, 2, 2, 2, "33%"]
    # no image was made for the sub-cluster of the CNN
    assert shown.loc[("CNN, MNIST", "activations/layer"), ("by chance", "score")] == "–"


def test_a_run_without_sub_clusters_has_an_empty_table_and_sentences():
    """No cluster may have two units in a layer: a run says so, and does not break off."""
    none = sub_clusters.readable(SUBS[:0], CHANCE[:0]).content
    assert none.shape == (0, 9)
    assert none.index.names == ["network", "partitioning"]
    assert findings.costless(SUBS[:0]) == "No sub-cluster was measured."
    assert findings.chance_alone(SUBS[:0], CHANCE[:0], 0.98).startswith("Without a sub-cluster")
    assert findings.j_shapes(SUBS[:0], summary(1.24)).startswith("Without a sub-cluster")


def test_silent_sub_clusters_are_said():
    assert findings.costless(SUBS) == (
        "Some sub-clusters cost nothing at all, most often those of VGG, CIFAR-10, by weights: 2 "
        "of 3. These 2 have 2 to 4 units, the others 90. The score of their images is 0.20 times "
        "that of their random sets (medians). All 3 lie in 2 layers, 2 of them in one."
    )
    acting = lesions("vgg", "activations/layer", [0, 1, 2], [3] * 3, [[[9, 9]] * 4] * 3)
    found = sub_clusters.each_sub_cluster(*frames([VGG, acting], [SEEN]))
    assert findings.costless(found).endswith("; those by activations lie in 3 layers.")
    assert findings.costless(SUBS[SUBS["cost"] > 0]) == "No sub-cluster costs nothing at all."
    # where none has an image, there is no median to say
    assert "score" not in findings.costless(SUBS.assign(score=math.nan))


def summary(fisher):
    row = {"kind": "vgg", "partitioning": "weights/layer", "measure": "accuracy_drop"}
    place = {"n_clusters": 8, "match": "size", "reading": tables.READINGS["accuracy_drop"]}
    return pd.DataFrame([{**row, **place, "fisher": fisher}])


def test_statistics_above_1_of_sub_clusters_that_mostly_cost_little():
    said = findings.j_shapes(SUBS, summary(1.24))
    assert said.endswith("sets for VGG, CIFAR-10, weights/layer (1.24; 2 of 3).")
    assert findings.j_shapes(SUBS, summary(0.9)).endswith("sets in no condition.")
    most = findings.j_shapes(SUBS.assign(no_more=[False, True, False, False]), summary(1.24))
    assert most.endswith("sets in no condition.")


def test_what_ties_do_is_said_with_numbers():
    said = findings.chance_alone(SUBS, CHANCE, tables.uniform(3))
    assert f"would be {tables.uniform(3):.2f} without ties" in said
    assert "as little as 0.87 for the accuracy drop of VGG, CIFAR-10; 0.69 for the class" in said
    assert "0.69 for the entropy of VGG, CIFAR-10" in said
    assert "The lesions of VGG, CIFAR-10 tie most: on 20 test images 33% of" in said
    same = CHANCE.assign(expected=tables.uniform(3))
    assert "as little as that, too" in findings.chance_alone(SUBS, same, tables.uniform(3))


def test_layers_of_pretrained_networks_have_as_many_clusters_as_the_whole():
    """32 in the papers; of networks trained here as many as the whole network has in a layer."""
    values = check_run(4, "paper", overrides={"pretrained_clusters": 24})
    found = {
        (job.about["architecture"], job.about["partitioning"]): (
            job.needs["partition"].parameters["clusters_per_layer"]
        )
        for job in plan(SimpleNamespace(**values))["lesions"]
    }
    for edges in ("weights", "activations"):
        assert found["squeezenet1_0", f"{edges}/layer"] == 24
        assert found["squeezenet1_0", f"{edges}/network"] is None
        assert found["vgg", f"{edges}/layer"] is None
