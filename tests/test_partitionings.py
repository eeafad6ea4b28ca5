"""The four partitionings of paper B, on networks whose groups one knows."""

from __future__ import annotations

import numpy as np
import pytest
import torch
from networks import rng_of
from perceptrons import as_module, random_mlp
from torch import nn

from modclust_utils.graph_clusters import cluster_graph, clusters_in_layers
from modclust_utils.graphs import network_graph
from modclust_utils.partitionings import PARTITIONINGS, partition_units
from modclust_utils.specialization import set_lesions, sub_cluster_sets


def two_networks():
    """Two groups of channels, each of which sees one channel of the image."""
    torch.manual_seed(0)
    network = nn.Sequential(
        nn.Conv2d(2, 8, 1, groups=2), nn.BatchNorm2d(8), nn.ReLU(inplace=True),
        nn.Conv2d(8, 8, 1, groups=2), nn.ReLU(), nn.Conv2d(8, 6, 1, groups=2), nn.ReLU(),
        nn.AdaptiveAvgPool2d(1), nn.Flatten(), nn.Linear(6, 3),
    )  # fmt: skip
    for name, parameter in network.named_parameters():
        if name.endswith("weight"):
            parameter.data.abs_()
        else:
            parameter.data.zero_()
    return network.eval()


GROUPS = np.concatenate([np.repeat([0, 1], 4), np.repeat([0, 1], 4), np.repeat([0, 1], 3)])


def images(n=60):
    # both channels of an image have a brightness of their own
    rng = rng_of(0)
    x = rng.random((n, 2, 1, 1)) * rng.uniform(0.9, 1.1, (n, 2, 5, 5))
    return torch.tensor(x, dtype=torch.float32)


def same_partition(a, b):
    return len(set(zip(a, b, strict=True))) == len(set(a)) == len(set(b))


@pytest.mark.parametrize("partitioning", PARTITIONINGS)
def test_every_way_finds_the_groups(partitioning):
    network = two_networks()
    graph = network_graph(network, images(1))
    settings = {} if "network" in partitioning else {"clusters_per_layer": 2}
    labels = partition_units(network, graph, partitioning, 2, x=images(), rng=rng_of(1), **settings)
    if partitioning.endswith("network"):
        assert same_partition(labels, GROUPS)
    for layer in range(3):
        own = graph.layer_of_unit == layer
        assert same_partition(labels[own], GROUPS[own])


@pytest.mark.parametrize("edges", ["weights", "activations"])
def test_a_layer_has_as_many_clusters_as_the_whole_clustering_has_in_it(edges):
    network = two_networks()
    graph = network_graph(network, images(1))
    whole, by_layer = (
        partition_units(network, graph, f"{edges}/{scope}", 5, x=images(), rng=rng_of(2))
        for scope in ("network", "layer")
    )
    expected = clusters_in_layers(whole, graph.layer_of_unit)
    assert clusters_in_layers(by_layer, graph.layer_of_unit) == expected
    assert sum(expected) > 3


def test_images_and_logits_of_a_perceptron_are_clustered_with_the_whole_network_alone():
    mlp = random_mlp((6, 8, 7, 3), seed=1)
    module, x = as_module(mlp), torch.tensor(rng_of(0).normal(size=(30, 6)))
    graph = network_graph(module, x)
    assert graph.hidden_layers == (1, 2)
    outside = ~np.isin(graph.layer_of_unit, (1, 2))
    for partitioning in PARTITIONINGS:
        labels = partition_units(module, graph, partitioning, 3, x=x, rng=rng_of(0))
        assert (labels[~outside] >= 0).all()
        if partitioning == "weights/network":
            # they take part in it
            own_rng = rng_of(0).spawn(2)[0]
            np.testing.assert_array_equal(labels, cluster_graph(graph, 3, rng=own_rng)[0])
        else:
            assert (labels[outside] == -1).all()


def test_from_a_network_to_lesions_of_its_sub_clusters():
    network, x = two_networks(), images(40)
    with torch.no_grad():
        y = network(x).argmax(1)
    graph = network_graph(network, x)
    labels = partition_units(network, graph, "weights/network", 2, rng=rng_of(0))
    sets = sub_cluster_sets(labels, graph.layer_of_unit, rng=rng_of(1))
    assert [(each.layer, each.size) for each in sets] == [
        *((0, 4), (0, 4), (1, 4), (1, 4), (2, 3), (2, 3))
    ]
    found = set_lesions(network, x, y, sets, graph.output_names)
    there = found.class_counts > 0
    assert (found.class_accuracies[there] == 1).all()
    assert found.lesioned.shape == (6, 20, 3)


def test_a_network_without_hidden_layers_has_no_activations():
    network = nn.Sequential(nn.Flatten(), nn.Linear(4, 2))
    graph = network_graph(network, torch.zeros(1, 4))
    with pytest.raises(ValueError, match="partitioning='activations/layer' is not allowed: by wei"):
        partition_units(network, graph, "activations/layer", 2, x=torch.ones(5, 4), rng=rng_of(0))


@pytest.mark.parametrize(
    ("changes", "message"),
    [
        ({"partitioning": "weights"}, "partitioning='weights' is not allowed: 'weights/network'"),
        ({"partitioning": "activations/layer", "x": None}, "x=None is not allowed where edges"),
        ({"n_clusters": 0}, "n_clusters=0 is not allowed"),
        ({"clusters_per_layer": 0}, "clusters_per_layer=0 is not allowed"),
        ({"graph": np.eye(3)}, "graph is of type ndarray; allowed: a NetworkGraph"),
    ],
)
def test_bad_input_is_refused_by_name(changes, message):
    network = two_networks()
    allowed = {
        "network": network,
        "graph": network_graph(network, images(1)),
        "partitioning": "weights/layer",
        "n_clusters": 2,
        "x": images(),
    }
    with pytest.raises(ValueError, match=message):
        partition_units(**(allowed | changes), rng=rng_of(0))
