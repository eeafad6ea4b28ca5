"""The doors: whatever is passed to a public function is taken as what it is, or refused by name."""

from __future__ import annotations

import copy
import inspect
import json
import re
import warnings
from collections.abc import Callable
from dataclasses import replace
from fractions import Fraction
from importlib.metadata import distribution
from pathlib import Path
from types import SimpleNamespace
from typing import Any

import networkx
import numpy as np
import pandas as pd
import pytest
import scipy.sparse as sp
import sklearn.datasets
import torch
from networks import global_random_state_untouched, pruned_mlp, rng_of
from perceptrons import SIZES, all_live, as_module, images, random_mlp
from torch import nn
from torch.nn.utils import prune
from tried import FILE

from modclust_utils import (
    activations,
    clustering,
    convolutional,
    graph_clusters,
    graphs,
    intervals,
    lesions,
    models,
    modularity,
    nulls,
    partitions,
    pretrained,
    pruning,
    quantized,
    regularized,
    rescaling,
    samples,
    shuffles,
    similarity,
    stats,
    strength_nulls,
    stubwalk,
    training,
    unit_sets,
)
from modclust_utils.doors import as_rng
from modclust_utils.lesion_modules import module_lesion_hits
from modclust_utils.lesion_results import dependency_edges
from modclust_utils.network_doors import as_weights
from modclust_utils.publish.reference import entry_points
from modclust_utils.settings import (
    CnnSettings,
    RegularizedSettings,
    TrainingSettings,
    VggSettings,
)

WEIGHTS = pruned_mlp((8, 6, 4), seed=0, sparsity=0.3)
GRAPH = graphs.mlp_adjacency(WEIGHTS).toarray()
LABELS = np.arange(18) % 3
NETWORK = random_mlp(SIZES, 0)
X, Y = images(NETWORK, 30, 0)
N_UNITS = sum(SIZES)
OWN_GRAPH = graphs.network_graph(as_module(NETWORK), X[:1])
CLUSTERS = np.arange(N_UNITS) % 2
SETS = np.zeros((2, N_UNITS), bool)
SETS[1, 7] = True
SINGLE = lesions.single_lesions(NETWORK, X, Y, CLUSTERS, all_live(SIZES), n_random=3, rng=rng_of(0))
DOUBLE = lesions.double_lesions(
    NETWORK, X, Y, single=SINGLE, live=all_live(SIZES), pairs=[[0, 2]], n_random=2, rng=rng_of(0)
)
SETTINGS = TrainingSettings((6, 5, 4), epochs=1, pruning_epochs=1, batch_size=10)
REGULARIZED = RegularizedSettings((6, 5, 4), batch_size=10, max_epochs=1)
CNN = CnnSettings(image_shape=(4, 4), channels=1, dense=1)
VGG = VggSettings(width=1 / 64)
SAMPLE = np.linspace(0, 1, 12)
PRETRAINED = pretrained.load("efficientnet_lite0")
ROW = pretrained.ROWS["efficientnet_lite0"]
WEIGHT_FILE = Path(str(distribution(ROW.package).locate_file(ROW.package_folder))) / ROW.file
# Two photographs that scikit-learn ships, in a folder that is the one class here.
PHOTOGRAPHS = Path(sklearn.datasets.__file__).parent
IMAGES = replace(
    pretrained.load_images(PHOTOGRAPHS, size=224, classes="folders"), classes="imagenet"
)

# Every public function with arguments that it takes. "weights" and so on stand for one kind of
# argument everywhere.
CALLS: dict[Callable[..., Any], dict[str, Any]] = {
    activations.unit_activations: {
        **{"network": as_module(NETWORK), "x": X, "layers": ["0"], "norm": "l1"},
    },
    activations.input_correlations: {"network": as_module(NETWORK), "x": X, "layer": "0"},
    convolutional.convolutional: {"settings": CNN},
    convolutional.image_shape: {"settings": VGG},
    convolutional.small_cnn: {"settings": CNN},
    convolutional.cifar_vgg: {"settings": VGG},
    clustering.as_adjacency: {"adjacency": GRAPH},
    clustering.ncut: {"adjacency": GRAPH, "labels": LABELS},
    clustering.spectral_clustering: {"adjacency": GRAPH, "n_clusters": 3, "n_init": 2, "rng": 0},
    clustering.sklearn_spectral_clustering: {
        **{"adjacency": GRAPH, "n_clusters": 3, "n_init": 2, "rng": 0, "eigen_solver": "arpack"}
    },
    clustering.cluster_network: {"weights": WEIGHTS, "n_clusters": 3, "n_init": 2, "rng": 0},
    graphs.layer_sizes: {"weights": WEIGHTS},
    graphs.layer_of_unit: {"weights": WEIGHTS},
    graphs.mlp_adjacency: {"weights": WEIGHTS},
    graphs.live_units: {"weights": WEIGHTS},
    graphs.drop_dead_units: {"weights": WEIGHTS},
    intervals.mean_interval: {"values": SAMPLE, "confidence": 0.9},
    intervals.welch_interval: {
        **{"mean_a": 1.0, "std_a": 1.0, "n_a": 5, "mean_b": 2.0, "std_b": 1.0, "n_b": 5},
        "confidence": 0.9,
    },
    intervals.proportion_interval: {"successes": 2, "n": 5, "confidence": 0.9},
    intervals.std_interval: {"sample": SAMPLE, "confidence": 0.9},
    intervals.share_difference_interval: {
        **{"passed_a": 2, "n_a": 5, "passed_b": 3, "n_b": 5, "confidence": 0.9}
    },
    intervals.told_apart: {"passed": 2, "n": 5, "n_other": 5, "alpha": 0.05},
    intervals.median_interval: {"values": SAMPLE, "confidence": 0.9},
    intervals.shift_interval: {"a": SAMPLE, "b": SAMPLE, "confidence": 0.9},
    intervals.rank_interval: {"a": SAMPLE, "b": SAMPLE, "confidence": 0.9},
    dependency_edges: {"single": SINGLE, "double": DOUBLE},
    lesions.lesion_accuracy: {
        **{"network": NETWORK, "x": X, "y": Y, "unit_sets": SETS, "layers": None}
    },
    module_lesion_hits: {
        **{"network": as_module(NETWORK), "x": X, "y": Y, "unit_sets": SETS[:, 6:15]},
        **{"layers": ["0"], "chunk_size": 9},
    },
    lesions.single_lesions: {
        **{"network": NETWORK, "x": X, "y": Y, "labels": CLUSTERS, "live": all_live(SIZES)},
        **{"n_random": 2, "rng": 0},
    },
    lesions.double_lesions: {
        **{"network": NETWORK, "x": X, "y": Y, "single": SINGLE, "live": all_live(SIZES)},
        **{"pairs": [[0, 2]], "n_random": 2, "rng": 0},
    },
    models.as_mlp: {"network": NETWORK},
    models.glorot_mlp: {"layer_sizes": [4, 3, 2], "seeds": [0, 1], "device": "cpu"},
    models.MLP: {"weights": NETWORK.weights, "biases": NETWORK.biases},
    models.resolve_device: {"device": "cpu"},
    modularity.modularity: {"similarity": GRAPH, "labels": LABELS},
    modularity.maximize_modularity: {
        **{"similarity": GRAPH, "rng": 0, "n_steps": 3, "entropy": 0.15, "method": "monte_carlo"},
        **{"n_starts": 2, "start": "spectral"},
    },
    modularity.n_effective_clusters: {"labels": LABELS},
    modularity.element_similarity: {"a": LABELS, "b": LABELS},
    nulls.shuffle_test: {
        **{"weights": WEIGHTS, "n_clusters": 2, "n_shuffles": 2, "mode": "layer", "rng": 0},
        **{"n_init": 2, "n_jobs": 1},
    },
    nulls.shuffle_tests: {
        **{"weights": WEIGHTS, "clusters": [2], "n_shuffles": 2, "mode": "layer", "rng": 0},
        **{"n_init": 2, "n_jobs": 1},
    },
    nulls.random_ncuts: {
        **{"layer_sizes": [6, 5, 4], "n_clusters": 2, "n_networks": 2, "rng": 0, "n_init": 2},
        "device": "cpu",
    },
    partitions.match_labels: {"labels": LABELS, "reference": LABELS, "where": LABELS > 0},
    partitions.order_labels: {"labels": LABELS, "layer_of_unit": LABELS, "degrees": LABELS + 1.0},
    pretrained.load: {
        **{"name": "efficientnet_lite0", "folder": "/does/not/exist", "path": None},
    },
    pretrained.weights_hash: {"name": "efficientnet_lite0", "folder": "/does/not/exist"},
    pretrained.load_images: {
        **{"folder": PHOTOGRAPHS, "size": 224, "n_images": 1, "rng": 0, "classes": "folders"},
        **{"resize": 256, "interpolation": "bicubic"},
    },
    pretrained.images_hash: {"folder": PHOTOGRAPHS, "classes": "folders"},
    pretrained.top_accuracy: {
        **{"network": PRETRAINED, "images": IMAGES, "k": (1, 5), "batch_size": 2}
    },
    pretrained.hash_of_weights: {"module": as_module(NETWORK)},
    pretrained.read_weights: {"path": WEIGHT_FILE},
    pretrained.read_weight_file: {"path": WEIGHT_FILE},
    PRETRAINED.prepare: {"x": torch.zeros(2, 3, 4, 4)},
    pruning.polynomial_sparsity: {
        **{"step": 1, "n_steps": 9, "initial_sparsity": 0.5, "final_sparsity": 0.9, "power": 3.0}
    },
    pruning.magnitude_mask: {"weight": WEIGHTS[0], "sparsity": 0.5},
    quantized.lattice_index: {"p_values": [0.003], "n_shuffles": 320, "copies": 10, "decimals": 3},
    quantized.chance_of_fitting: {"n_shuffles": 20, "copies": 10, "decimals": 3, "inner": True},
    quantized.repeated_p_values: {
        **{"ncut": 0.5, "null_ncuts": SAMPLE, "n_distinct": 3, "copies": 2, "n_draws": 2, "rng": 0}
    },
    quantized.expected_d_spread: {"n_distinct": 32, "copies": 10},
    quantized.chance_significant: {"n_below": 1, "n_null": 40, "n_distinct": 32},
    samples.skewness: {"values": SAMPLE},
    samples.n_modes: {"values": SAMPLE, "least": 0.05},
    samples.far_out: {"values": SAMPLE},
    shuffles.shuffle_weights: {"weights": WEIGHTS, "mode": "layer", "rng": 0},
    similarity.similarities: {
        **{"network": NETWORK, "x": X, "y": Y, "layer": 2, "absolute": "of_mean"},
        **{"method": "auto", "chunk_size": 9},
    },
    similarity.normalize: {"s": GRAPH, "by": "max", "eps": 1e-12},
    stats.empirical_p_value: {"value": 0.5, "null": SAMPLE, "tail": "lower", "ties": "count"},
    stats.z_score: {"value": 0.5, "null": SAMPLE},
    stats.cohens_d: {"a": SAMPLE, "b": SAMPLE + 1},
    strength_nulls.strength_null: {"similarity": GRAPH, "rng": 0},
    rescaling.balanced: {"graph": OWN_GRAPH},
    rescaling.free_units: {"graph": OWN_GRAPH},
    rescaling.rescaled: {"graph": OWN_GRAPH, "scale": np.ones(N_UNITS)},
    rescaling.randomly_rescaled: {"graph": OWN_GRAPH, "spread": 10.0, "rng": 0},
    rescaling.scale_dependent: {"module": as_module(NETWORK)},
    graph_clusters.graph_ncut: {"graph": OWN_GRAPH, "labels": CLUSTERS},
    graph_clusters.shares_inside: {"graph": OWN_GRAPH, "labels": CLUSTERS},
    stubwalk.stub_walks: {"adjacency": GRAPH, "labels": LABELS, "n_walks": 5, "rng": 0},
    stubwalk.running_failure_rate: {"failed": np.array([True, False]), "n_points": 5},
    training.initial_state: {"settings": SETTINGS, "seeds": [0], "device": "cpu"},
    training.train: {
        **{"x": X.float(), "y": Y, "settings": SETTINGS, "seeds": [0], "device": "cpu"},
        **{"state": None, "on_epoch": None},
    },
    unit_sets.sub_clusters: {"labels": CLUSTERS, "layer_sizes": SIZES},
    unit_sets.random_unit_sets: {
        **{"unit_set": SETS[1], "live": all_live(SIZES), "layer_sizes": SIZES, "n_sets": 2},
        "rng": 0,
    },
    TrainingSettings: {
        **{"layer_sizes": (4, 3), "dropout_rate": 0.1, "epochs": 1, "pruning_epochs": 1},
        **{"batch_size": 3, "learning_rate": 0.1, "initial_sparsity": 0.1, "shuffle": True},
        **{"final_sparsity": 0.5, "pruning_interval": 2},
    },
    regularized.uniform_mlp: {"layer_sizes": [4, 3, 2], "seeds": [0, 1], "device": "cpu"},
    regularized.train_regularized: {
        **{"x": X.float(), "y": Y, "settings": [REGULARIZED], "seeds": [0], "device": "cpu"},
        **{"state": None, "on_epoch": None},
    },
    RegularizedSettings: {
        **{"layer_sizes": (4, 3), "dropout_rate": 0.1, "l1": 0.0, "l2": 0.0, "batch_size": 3},
        **{"learning_rate": 0.1, "max_epochs": 2, "patience": 3, "rate_patience": 1},
        **{"rate_factor": 0.5, "validation_share": 0.2},
    },
}


#: Functions of the reference that are not among them yet: the modules of tests that try their
#: doors, each with fewer things.
ELSEWHERE = {
    "channel_edges.conv_edge_weights": "test_network_graphs",
    "cnn.train_cnn": "test_cnn",
    "distributions.compare_samples": "test_distributions",
    "fisher_bates.bates_p_value": "test_fisher_bates",
    "fisher_bates.benjamini_hochberg": "test_fisher_bates",
    "fisher_bates.centered_percentile": "test_fisher_bates",
    "fisher_bates.fisher_p_value": "test_fisher_bates",
    "fisher_bates.fisher_statistic": "test_fisher_bates",
    "graph_clusters.cluster_graph": "test_graph_clusters",
    "graph_clusters.layerwise_clusters": "test_graph_clusters",
    "graph_nulls.graph_shuffle_test": "test_graph_nulls",
    "graph_nulls.shuffle_graph": "test_graph_nulls",
    "graphs.activation_adjacency": "test_graphs",
    "network_graphs.network_graph": "test_network_graphs",
    "partitionings.partition_units": "test_partitionings",
    "partitions.merge_single_units": "test_partitions",
    "specialization.set_lesions": "test_specialization",
    "specialization.sub_cluster_sets": "test_specialization",
    "visualization.visualize": "test_visualization",
}


class Hostile:
    """Makes no array of itself, and says so in its own words."""

    def __array__(self, *_: object, **__: object) -> np.ndarray:
        raise TypeError("no array of this")


#: What people pass by mistake, or what libraries hand over.
JUNK = {
    "None": None,
    "text": "seven",
    "number as text": "3",
    "true": True,
    "numpy true": np.True_,
    "half": 2.5,
    "minus one": -1,
    "nan": float("nan"),
    "infinite": float("inf"),
    "complex": 1j,
    "object": object(),
    "hostile": Hostile(),
    "function": len,
    "module np.random": np.random,
    "empty list": [],
    "empty dict": {},
    "ragged": [[1, 2], [3]],
    "list of texts": ["a", "b"],
    "list of None": [None, None],
    "set": {1, 2},
    "generator": (i for i in ()),
    "array without axes": np.array(1.5),
    "empty array": np.zeros(0),
    "empty matrix": np.zeros((0, 0)),
    "four axes": np.zeros((1, 1, 1, 1)),
    "NaN array": np.array([1.0, np.nan]),
    "NaN matrix": np.full((3, 3), np.nan),
    "complex array": np.array([1 + 1j, 2]),
    "complex matrices": [np.ones((2, 2)) * 1j],
    "masked": np.ma.masked_array([1.0, 2.0], [False, True]),
    "masked matrix": np.ma.masked_array(np.eye(3), np.eye(3) > 0),
    "objects": np.array([Fraction(1, 2), "a"], dtype=object),
    "times": np.array(["2020-01-01"], dtype="datetime64[D]"),
    "table of texts": pd.DataFrame({"a": ["x", "y"]}),
    "table with gaps": pd.DataFrame({"a": [1, None], "b": [2, 3]}),
    "column with NA": pd.Series([1, None], dtype="Int64"),
    "categories": pd.Series(["a", "b"], dtype="category"),
    "sparse": sp.csr_array(np.ones((2, 3))),
    "sparse complex": sp.csr_array(np.eye(2) * 1j),
    "directed graph": networkx.DiGraph([(0, 1), (1, 2)]),
    "tensor": torch.ones(3),
    "bool tensor": torch.ones(3) > 0,
    "half precision": torch.ones(3, 3, dtype=torch.bfloat16),
    "complex tensor": torch.ones(3, dtype=torch.complex64),
    "meta tensor": torch.ones(3, 3, device="meta"),
    "tensor in use": torch.ones(3, requires_grad=True),
    "layer": nn.Linear(3, 2),
    "convolution": nn.Conv2d(1, 2, 3),
    "odd module": nn.LSTM(3, 2),
    "namespace": SimpleNamespace(weights=3, ndim=2, shape=(2, 2), nodes=3),
    "torch generator": torch.Generator(),
    "old generator": np.random.RandomState(0),
    "device": torch.device("cuda:63"),
    "lists in lists": [[1.0, 2.0], [3.0, 4.0]],
}
PLACES = [(call, name) for call, arguments in CALLS.items() for name in arguments]


def name_of(place: tuple[Callable[..., Any], str]) -> str:
    return f"{place[0].__name__}-{place[1]}"


@pytest.mark.parametrize("call", CALLS, ids=lambda call: call.__name__)
def test_each_function_takes_its_own_arguments_and_all_are_listed(call):
    assert set(CALLS[call]) == set(inspect.signature(call).parameters)
    call(**copy.deepcopy(CALLS[call]))


def test_no_function_of_the_reference_is_left_out():
    listed = {
        f"{call.__module__}.{call.__name__}".removeprefix("modclust_utils.") for call in CALLS
    }
    named = {f"{module}.{name}" for module, names in entry_points().items() for name in names}
    assert named - listed == ELSEWHERE.keys()
    for function, module in ELSEWHERE.items():
        text = (Path(__file__).parent / f"{module}.py").read_text(encoding="utf-8")
        assert re.search(rf"\b{function.split('.')[1]}\(", text), function
        assert "pytest.raises(ValueError" in text, module


def other_words(place: tuple[Callable[..., Any], str]) -> str:
    """What a message may name in the place of the parameter: a part of it, or what it is."""
    names = {
        "clusters": "clusters",
        "weights": "weights|adjacency|biases|n_clusters",
        "adjacency": "adjacency|n_clusters|labels",
        "layer_sizes": "layer_sizes|unit_set|live|labels|n_clusters|final_sparsity",
        "reference": "reference|where",
        "labels": "labels|reference|layer_of_unit|degrees",
        "n": "n|successes|passed",
        "network": "network|unit_sets|x has|layers|live",
        "similarity": "similarity|labels",
        "x": "x |x=|y has",
    }
    return names.get(place[1], place[1])


def junk_for(name: str) -> dict[str, Any]:
    """What is tried for a parameter: what a function does is its own, and processes are started
    elsewhere."""
    return {
        what: junk
        for what, junk in JUNK.items()
        if not ((name == "on_epoch" and callable(junk)) or (name, what) == ("n_jobs", "minus one"))
    }


@pytest.mark.parametrize("place", PLACES, ids=name_of)
def test_whatever_is_passed_is_taken_or_refused_by_name(place, record_property):
    """No foreign error, no warning, no global state: a result, or a sentence with the name."""
    call, name = place
    n_refused, wrong = 0, {}
    for what, junk in junk_for(name).items():
        arguments = {**copy.deepcopy(CALLS[call]), name: junk}
        with warnings.catch_warnings(), global_random_state_untouched():
            warnings.simplefilter("error")
            try:
                call(**arguments)
            except ValueError as error:
                n_refused += 1
                text = str(error)
                named = any(word in text for word in other_words(place).split("|"))
                if not (named and "allowed" in text and len(text) < 1500):
                    wrong[what] = text
            except Exception as error:
                wrong[what] = repr(error)
    assert wrong == {}
    assert n_refused >= len(JUNK) // 3
    record_property("tried", len(junk_for(name)))


def test_the_page_says_how_much_is_tried():
    noted = json.loads(FILE.read_text(encoding="utf-8"))
    assert noted["doors"]["tried"] == sum(len(junk_for(name)) for _, name in PLACES)


# What the ecosystem hands over, taken as what it is


def linear_layers(weights: list[np.ndarray]) -> list[nn.Linear]:
    layers = []
    for weight in weights:
        layer = nn.Linear(weight.shape[1], weight.shape[0])
        layer.weight.data = torch.tensor(weight, dtype=torch.float32)
        layers.append(layer)
    return layers


def sequential(weights: list[np.ndarray]) -> nn.Sequential:
    first, second = linear_layers(weights)
    return nn.Sequential(
        nn.Flatten(), nn.Sequential(first, nn.ReLU()), nn.Dropout(0.5), second, nn.LogSoftmax(1)
    )


def pruned_by_torch(weights: list[np.ndarray]) -> nn.Sequential:
    """Masked, and then trained: what torch keeps as `weight` is of before."""
    layers = []
    for weight in weights:
        layer = nn.Linear(weight.shape[1], weight.shape[0], bias=False)
        prune.custom_from_mask(layer, "weight", torch.tensor(weight) != 0)
        layer.weight_orig.data = torch.tensor(np.where(weight == 0, 7.0, weight)).float()
        layers.append(layer)
    return nn.Sequential(layers[0], nn.ReLU(), layers[1])


def quantized_by_torch(weights: list[np.ndarray]) -> list[torch.Tensor]:
    with warnings.catch_warnings():
        warnings.simplefilter("ignore")  # torch is about to move it
        return [
            torch.quantize_per_tensor(torch.tensor(w).float(), 0.5, 0, torch.qint8) for w in weights
        ]


def keras_like(weights: list[np.ndarray]) -> SimpleNamespace:
    """A Keras model's `weights` are kernels (n_in, n_out) and biases."""
    parts = [part for w in weights for part in (w.T, np.zeros(len(w)))]
    return SimpleNamespace(weights=parts)


WAYS_TO_PASS_WEIGHTS: dict[str, Callable[[list[np.ndarray]], Any]] = {
    "lists": lambda ws: [w.tolist() for w in ws],
    "tuple": tuple,
    "generator": lambda ws: (w for w in ws),
    "single precision": lambda ws: [w.astype(np.float32) for w in ws],
    "half precision of numpy": lambda ws: [w.astype(np.float16) for w in ws],
    "tensors": lambda ws: [torch.tensor(w) for w in ws],
    "bfloat16": lambda ws: [torch.tensor(w, dtype=torch.bfloat16) for w in ws],
    "float16": lambda ws: [torch.tensor(w, dtype=torch.float16) for w in ws],
    "float8": lambda ws: [torch.tensor(w).to(torch.float8_e4m3fn) for w in ws],
    "sparse tensors": lambda ws: [torch.tensor(w).to_sparse() for w in ws],
    "tables": lambda ws: [pd.DataFrame(w) for w in ws],
    "sparse arrays": lambda ws: [sp.csr_array(w) for w in ws],
    "sparse matrices": lambda ws: [sp.coo_matrix(w) for w in ws],
    "masked without a mask": lambda ws: [np.ma.masked_array(w) for w in ws],
    "layers": linear_layers,
    "Sequential": sequential,
    "parameters": lambda ws: sequential(ws).parameters(),
    "list of parameters": lambda ws: list(sequential(ws).parameters()),
    "state": lambda ws: sequential(ws).state_dict(),
    "MLP": lambda ws: models.MLP([torch.tensor(w) for w in ws], [torch.zeros(len(w)) for w in ws]),
    "weights and biases": lambda ws: [part for w in ws for part in (w, np.ones(len(w)))],
    "array of objects": lambda ws: np.array([*ws, None], dtype=object)[:-1],
    "other bytes": lambda ws: [w.astype(">f8") for w in ws],
    "long doubles": lambda ws: [w.astype(np.longdouble) for w in ws],
    "conjugate tensors": lambda ws: [torch.tensor(-1j * w).conj().imag for w in ws],
    "quantized": quantized_by_torch,
    "masked by torch": pruned_by_torch,
    "state masked by torch": lambda ws: pruned_by_torch(ws).state_dict(),
}
# a handful of values that every precision holds
EXACT = [np.round(weight * 2).clip(-4, 4) / 2 for weight in WEIGHTS]


@pytest.mark.parametrize("way", WAYS_TO_PASS_WEIGHTS)
def test_weights_may_come_in_many_ways(way):
    passed = WAYS_TO_PASS_WEIGHTS[way]
    expected = nulls.shuffle_test(EXACT, 2, n_shuffles=3, mode="layer", rng=5)
    found = nulls.shuffle_test(passed(EXACT), 2, n_shuffles=3, mode="layer", rng=5)
    np.testing.assert_allclose(found.null_ncuts, expected.null_ncuts, rtol=1e-5)
    graph = graphs.mlp_adjacency(passed(EXACT))
    np.testing.assert_array_equal(graph.toarray(), graphs.mlp_adjacency(EXACT).toarray())
    assert graphs.layer_sizes(passed(EXACT)) == (8, 6, 4)
    for mode in nulls.MODES:
        shuffled = shuffles.shuffle_weights(passed(EXACT), mode, rng=3)
        for own, plain in zip(shuffled, shuffles.shuffle_weights(EXACT, mode, rng=3), strict=True):
            own = own.float().numpy() if isinstance(own, torch.Tensor) else own
            np.testing.assert_array_equal(own, plain)
    live = [np.asarray(part) for part in graphs.live_units(passed(EXACT))]
    assert [part.tolist() for part in live] == [p.tolist() for p in graphs.live_units(EXACT)]
    assert clustering.cluster_network(passed(EXACT), 2, rng=0)[1] == pytest.approx(
        clustering.cluster_network(EXACT, 2, rng=0)[1], rel=1e-5
    )


def test_shuffled_weights_keep_their_precision():
    for dtype in (torch.bfloat16, torch.float16, torch.float64):
        weights = [torch.tensor(w, dtype=dtype) for w in WEIGHTS]
        assert {w.dtype for w in shuffles.shuffle_weights(weights, "layer", rng=0)} == {dtype}


@pytest.mark.parametrize(
    ("weights", "message"),
    [
        (keras_like(WEIGHTS), r"which does not follow .* as Keras has it: pass \[w\.T for w"),
        ([w.T for w in WEIGHTS], r"as Keras has it: pass \[w\.T for w in weights\]"),
        (WEIGHTS[0], r"weights is one matrix of shape \(6, 8\); allowed: .* such as \[weights\]"),
        (pd.DataFrame(WEIGHTS[0]), "weights is one matrix of shape"),
        (sp.csr_array(WEIGHTS[0]), "weights is one matrix of shape"),
        (np.ma.masked_array(WEIGHTS[0], WEIGHTS[0] > 1), "weights is one matrix of shape"),
        ([w * 1j for w in WEIGHTS], r"weights\[0\] holds complex numbers; allowed: .* real"),
        ([torch.tensor(w) * 1j for w in WEIGHTS], r"weights\[0\] holds complex numbers"),
        ([np.ma.masked_array(w, w > 1) for w in WEIGHTS], r"weights\[0\] has masked entries"),
        ([np.ones((2, 2, 2))], r"weights\[0\] has shape \(2, 2, 2\); allowed: 2-d"),
        (nn.Sequential(nn.Conv2d(1, 2, 3), nn.Linear(2, 2)), "weights has a Conv2d, whose layers"),
        (nn.LSTM(3, 2), "weights has a LSTM, whose layers"),
        ([[[1.0, 2.0], [3.0]]], r"weights\[0\] is no array"),
        ("mnist.pt", "weights='mnist.pt' is not allowed: a list of matrices"),
        (None, "weights=None is not allowed: a list of matrices"),
        ([WEIGHTS[0], torch.tensor(WEIGHTS[1])], r"weights\[1\] is of type Tensor; allowed: numpy"),
        (
            nn.Sequential(nn.Linear(4, 3), nn.BatchNorm1d(3)).parameters(),
            r"weights\[1\] has shape \(3,\); allowed: 2-d",
        ),
        (
            nn.Sequential(
                nn.Linear(4, 3, bias=False),
                nn.LayerNorm(3, bias=False),
                nn.Linear(3, 2, bias=False),
            ).parameters(),
            "weights has 2 matrices and 1 vectors, which may be biases or factors of a norm",
        ),
        (
            nn.Sequential(nn.Linear(3, 3, bias=False), nn.LayerNorm(3)).state_dict(),
            r"weights\['1\.weight'\] has shape \(3,\); allowed: matrices",
        ),
        ([torch.ones(2, 2).to_sparse() * torch.nan], r"weights\[0\] holds NaN"),
        (
            [torch.nested.nested_tensor([torch.ones(2), torch.ones(3)], layout=torch.jagged)],
            r"weights\[0\] is a nested tensor; allowed: .*, all rows of one length",
        ),
        ([torch.tensor([[2**63]], dtype=torch.uint64)], r"weights\[0\] holds 9223372036854775808"),
        ([[np.ma.masked_array([9.0, 1], [1, 0]), [1.0, 2]]], r"weights\[0\] has masked entries"),
        ([torch.ones(2, 2, device="meta")], r"weights\[0\] is a meta tensor"),
    ],
)
def test_weights_that_would_give_another_network_are_refused(weights, message):
    with pytest.raises(ValueError, match=message):
        as_weights(weights)


@pytest.mark.parametrize("rng", [0, np.int64(0), np.random.SeedSequence(0), np.random.PCG64(0)])
def test_a_seed_is_the_generator_that_numpy_makes_of_it(rng):
    expected = nulls.shuffle_test(WEIGHTS, 2, n_shuffles=3, mode="layer", rng=rng_of(0))
    found = nulls.shuffle_test(WEIGHTS, 2, n_shuffles=3, mode="layer", rng=rng)
    np.testing.assert_array_equal(found.null_ncuts, expected.null_ncuts)


def test_none_is_a_fresh_generator_of_the_system_and_no_global_one():
    with global_random_state_untouched():
        first, second = (as_rng(None).random(4) for _ in range(2))
    assert (first != second).all()


def test_a_generator_of_the_callers_goes_on_where_it_is():
    rng = rng_of(0)
    assert as_rng(rng) is rng


@pytest.mark.parametrize(
    ("rng", "message"),
    [
        (np.random, r"rng=numpy\.random is not allowed: a numpy\.random\.Generator, a seed"),
        (np.random.RandomState(0), "rng=RandomState.* is not allowed"),
        (torch.Generator(), "rng=<torch.* is not allowed"),
        ("0", "rng='0' is not allowed"),
        (True, "rng=True is not allowed"),
        (1.0, r"rng=1\.0 is not allowed"),
        (-1, "rng=-1 is not allowed"),
        (np.random.Generator(np.random.RandomState(0)._bit_generator), "seed of the old kind"),
    ],
)
def test_random_states_that_are_global_or_cannot_be_spawned_are_refused(rng, message):
    with pytest.raises(ValueError, match=message):
        as_rng(rng)


def named_graph() -> networkx.Graph:
    """The graph of `GRAPH`, its vertices in their order, but named by texts."""
    plain = networkx.from_numpy_array(GRAPH)
    return networkx.relabel_nodes(plain, {i: f"unit {i}" for i in plain})


@pytest.mark.parametrize(
    "graph",
    [
        GRAPH.tolist(),
        GRAPH.astype(np.float32).astype(np.float64),
        pd.DataFrame(GRAPH),
        pd.DataFrame(GRAPH, index=list("abcdefghijklmnopqr"), columns=list("abcdefghijklmnopqr")),
        networkx.from_numpy_array(GRAPH),
        named_graph(),
        sp.coo_matrix(GRAPH),
        sp.dok_array(GRAPH),
        torch.tensor(GRAPH),
        torch.tensor(GRAPH).to_sparse(),
        torch.tensor(GRAPH, requires_grad=True),
    ],
    ids=lambda graph: type(graph).__name__,
)
def test_graphs_may_come_in_many_ways(graph):
    expected = clustering.ncut(GRAPH, LABELS)
    assert clustering.ncut(graph, LABELS) == pytest.approx(expected, rel=1e-6)
    for labels in (LABELS.tolist(), pd.Series(LABELS), torch.tensor(LABELS), LABELS.astype("u1")):
        assert clustering.ncut(graph, labels) == pytest.approx(expected, rel=1e-6)
    np.testing.assert_array_equal(
        clustering.spectral_clustering(graph, 3, rng=0),
        clustering.spectral_clustering(GRAPH, 3, rng=0),
    )


def test_a_graph_in_half_precision_is_one_of_rounded_weights():
    half = torch.tensor(GRAPH, dtype=torch.bfloat16)
    assert clustering.ncut(half, LABELS) == clustering.ncut(half.double(), LABELS)


@pytest.mark.parametrize(
    ("graph", "message"),
    [
        (networkx.DiGraph([(0, 1), (1, 2)]), "adjacency is not symmetric; allowed: edges without"),
        (GRAPH * 1j, "adjacency holds complex128; allowed: real numbers"),
        (sp.csr_array(GRAPH * 1j), "adjacency holds complex128; allowed: real numbers"),
        (np.ma.masked_array(GRAPH, GRAPH > 1), "adjacency has masked entries"),
        (pd.DataFrame(GRAPH)[list(range(17, -1, -1))], "rows and columns of the same names in two"),
        ([[0, 1], [1]], "adjacency is no array"),
        (WEIGHTS, "adjacency is no array"),
        (networkx.Graph(), r"adjacency is no such graph \(.*\); allowed: a networkx graph with"),
        *(
            (networkx.Graph([(0, 1, {"weight": weight})]), f"adjacency {message}; allowed: a netw")
            for weight, message in (
                (1j, "has an edge of weight 1j"),
                ("3", "has an edge of weight '3'"),
                (None, "has an edge of weight None"),
                (10**400, r"is no such graph \(.*\)"),
            )
        ),
    ],
)
def test_what_is_no_graph_of_real_edges_is_refused(graph, message):
    with pytest.raises(ValueError, match=message):
        clustering.ncut(graph, LABELS)


@pytest.mark.parametrize(
    "convert",
    [torch.tensor, pd.DataFrame, sp.csr_array, np.ndarray.tolist, lambda s: s.astype(np.float32)],
)
def test_similarities_may_come_in_many_ways(convert):
    similar = np.round(GRAPH * 4) / 4
    q = modularity.modularity(similar, LABELS)
    assert modularity.modularity(convert(similar), pd.Series(LABELS)) == q
    null = strength_nulls.strength_null(convert(similar), rng=0)
    np.testing.assert_array_equal(null, strength_nulls.strength_null(similar, rng=rng_of(0)))
    assert modularity.maximize_modularity(convert(similar), rng=0, n_steps=9).q > q


# Images and classes


@pytest.mark.parametrize(
    "convert",
    [
        lambda x, y: (x.numpy(), y.numpy()),
        lambda x, y: (x.tolist(), y.tolist()),
        lambda x, y: (pd.DataFrame(x.numpy()), pd.Series(y.numpy())),
        lambda x, y: (x.clone().requires_grad_(), y.to(torch.uint8)),
        lambda x, y: (x.numpy(), y),
    ],
)
def test_images_of_lesions_may_come_in_many_ways(convert):
    x, y = convert(X, Y)
    expected = lesions.lesion_accuracy(NETWORK, X, Y, SETS)
    for sets in (SETS, SETS.tolist(), torch.tensor(SETS)):
        found = lesions.lesion_accuracy(NETWORK, x, y, sets)
        torch.testing.assert_close(found, expected, rtol=0, atol=0, equal_nan=True)
    module = as_module(NETWORK)
    ways = ((x, y), (X, Y))
    found, expected = (
        lesions.lesion_accuracy(module, *way, SETS[:, 6:15], layers=["0"]) for way in ways
    )
    torch.testing.assert_close(found, expected, rtol=0, atol=0, equal_nan=True)
    assert torch.equal(NETWORK.accuracy(x, y), NETWORK.accuracy(X, Y))
    for found, expected in zip(
        *(similarity.similarities(NETWORK, *way, 2).values() for way in ways), strict=True
    ):
        # sums of products hang in their last digit on how an array lies in memory
        torch.testing.assert_close(found, expected, rtol=1e-12, atol=0)


def test_a_sequential_of_linear_and_relu_is_lesioned_as_an_mlp():
    arguments = {"x": X, "y": Y, "labels": CLUSTERS, "live": all_live(SIZES), "n_random": 3}
    plain = lesions.single_lesions(NETWORK, **arguments, rng=0)
    module = nn.Sequential(nn.Dropout(), as_module(NETWORK))
    found = lesions.single_lesions(module, **arguments, rng=0)
    np.testing.assert_array_equal(found.drop, plain.drop)
    np.testing.assert_array_equal(found.null_drops, plain.null_drops)


@pytest.mark.parametrize("dtype", [torch.bfloat16, torch.float16])
def test_lesions_of_a_network_in_half_precision(dtype):
    """Computed in single precision, from the weights and pixels as they are."""
    half = models.MLP(*([p.to(dtype) for p in each] for each in (NETWORK.weights, NETWORK.biases)))
    single = models.MLP(*([p.float() for p in each] for each in (half.weights, half.biases)))
    x = X.to(dtype)
    found = lesions.lesion_accuracy(half, x, Y, SETS)[0]
    assert torch.equal(found, lesions.lesion_accuracy(single, x.float(), Y, SETS)[0])


@pytest.mark.parametrize(
    ("changes", "message"),
    [
        ({"y": Y / 4}, r"y has shape \(30,\) and is torch.float32 on cpu; allowed: whole numbers"),
        ({"y": (Y / 4).numpy()}, "y has .*float32.*; allowed: whole numbers"),
        ({"y": Y.double()}, "y has .*float64.*; allowed: whole numbers"),
        ({"y": Y > 1}, r"y has .* torch\.bool.*; allowed: whole numbers"),
        ({"y": Y.to(torch.complex64)}, "y has .*complex64.*; allowed: whole numbers"),
        ({"x": X.index_fill(0, torch.tensor([3]), torch.nan)}, "x holds NaN or infinity"),
        ({"x": X.index_fill(1, torch.tensor([2]), torch.inf)}, "x holds NaN or infinity"),
    ],
)
@pytest.mark.parametrize(
    "door",
    [
        lambda x, y: training.train(x, y, SETTINGS, seeds=[0], device="cpu"),
        lambda x, y: lesions.lesion_accuracy(NETWORK, x, y, SETS),
        lambda x, y: module_lesion_hits(as_module(NETWORK), x, y, SETS[:, 6:15], ["0"]),
        lambda x, y: similarity.similarities(NETWORK, x, y, 1),
    ],
    ids=["training", "lesions", "module", "similarities"],
)
def test_bad_images_and_labels_are_refused_at_every_door(door, changes, message):
    x, y = changes.get("x", X), changes.get("y", Y)
    with pytest.raises(ValueError, match=message):
        door(x, y)


@pytest.mark.parametrize(
    ("x", "y", "message"),
    [
        ((X > 0).to(torch.uint8), Y, r"x holds torch\.uint8; allowed: real floats, such as pixels"),
        ((X > 0).numpy().astype(np.uint8), Y, r"x holds torch\.uint8"),
        (X.int(), Y, r"x holds torch\.int32"),
        (X > 0, Y, r"x holds torch\.bool"),
        (X * 1j, Y, r"x holds torch\.complex128; allowed: real floats"),
        (torch.ones_like(X), Y, "x holds one image 30 times; allowed: different images"),
        (X[:1].expand(30, -1), Y, "x holds one image 30 times"),
        (X, torch.full_like(Y, 2), "y has one class, 2; allowed: two or more"),
        (pd.DataFrame(X.numpy()).mask(X.numpy() > 1), Y, "x holds NaN"),
        (np.ma.masked_array(X.numpy(), X.numpy() > 1), Y, "x has masked entries"),
    ],
)
def test_what_trains_without_a_word_and_means_nothing_is_refused(x, y, message):
    with pytest.raises(ValueError, match=message):
        training.train(x, y, SETTINGS, seeds=[0], device="cpu")


@pytest.mark.parametrize("convert", [lambda t: t.tolist(), lambda t: pd.DataFrame(t.numpy())])
def test_images_to_train_on_may_come_in_many_ways(convert):
    expected = training.train(X, Y, SETTINGS, seeds=[0], device="cpu")
    found = training.train(convert(X), Y.tolist(), SETTINGS, seeds=np.arange(1), device="cpu")
    for weight, other in zip(found.after.weights, expected.after.weights, strict=True):
        assert torch.equal(weight, other)


@pytest.mark.parametrize(
    ("seeds", "message"),
    [
        ("012", "seeds='012' is not allowed: one seed for each network"),
        ([True], r"seeds\[0\]=True is not allowed: a whole number of 0 or more"),
        (["3"], r"seeds\[0\]='3' is not allowed"),
        ([1.0], r"seeds\[0\]=1\.0 is not allowed"),
        ([0, -1], r"seeds\[1\]=-1 is not allowed"),
        (3, "seeds=3 is not allowed"),
        (None, "seeds=None is not allowed"),
    ],
)
def test_seeds_are_whole_numbers(seeds, message):
    for call in (
        lambda: training.train(X, Y, SETTINGS, seeds=seeds, device="cpu"),
        lambda: models.glorot_mlp((3, 2), seeds=seeds),
    ):
        with pytest.raises(ValueError, match=message):
            call()


def test_a_network_of_arrays_is_one_of_tensors():
    network = models.MLP([w.numpy() for w in NETWORK.weights], [b.tolist() for b in NETWORK.biases])
    assert torch.equal(network.logits(X.numpy()), NETWORK.logits(X))
    with pytest.raises(ValueError, match=r"biases has shapes \[.*\]; allowed: \[\(9,\), "):
        models.MLP(NETWORK.weights, NETWORK.biases[::-1])


def test_samples_with_masked_or_missing_values_are_refused():
    for values in (np.ma.masked_array(SAMPLE, SAMPLE > 0.5), pd.Series([1.0, None, 3.0])):
        with pytest.raises(ValueError, match=r"values (has masked entries|holds NaN)"):
            samples.far_out(values)
    assert stats.z_score(0.5, pd.Series(SAMPLE)) == stats.z_score(0.5, torch.tensor(SAMPLE))


@pytest.mark.parametrize("dtype", [torch.uint16, torch.uint32, torch.uint64])
def test_unsigned_numbers_are_numbers(dtype):
    units = torch.tensor([[1, 0], [0, 3]]).to(dtype)
    assert graphs.live_units([units])[0].tolist() == [True, True]
    assert pruning.magnitude_mask(units, 0.75).tolist() == [[False, False], [False, True]]
    labels = torch.tensor([0, 0, 1, 1, 2, 2] * 3).to(dtype)
    assert modularity.n_effective_clusters(labels) == pytest.approx(3)


@pytest.mark.parametrize(
    "junk", [{0: 4, 1: 2}, {4, 2}, frozenset({4, 2}), pd.DataFrame([[4], [2]]), b"42"]
)
def test_what_has_no_order_or_gives_names_is_no_list(junk):
    for call in (
        lambda: models.glorot_mlp(junk, seeds=[0]),
        lambda: models.glorot_mlp([4, 2], seeds=junk),
        lambda: nulls.shuffle_tests(WEIGHTS, junk, n_shuffles=2, mode="layer", rng=0),
    ):
        with pytest.raises(
            ValueError, match=r"(layer_sizes|seeds|clusters)( is of type|=).*allowed"
        ):
            call()


UNITS = pd.Series(LABELS, index=[f"unit {i}" for i in range(18)])
OTHER = UNITS[::-1]
TABLE = pd.DataFrame(GRAPH, index=UNITS.index, columns=UNITS.index)
PIXELS, CLASSES = pd.DataFrame(X.numpy()), pd.Series(Y.numpy())


@pytest.mark.parametrize(
    "call",
    [
        lambda same: clustering.ncut(TABLE, UNITS if same else OTHER),
        lambda same: partitions.match_labels(UNITS, UNITS if same else OTHER),
        lambda same: partitions.match_labels(UNITS, UNITS, where=(UNITS if same else OTHER) > 0),
        lambda same: partitions.order_labels(UNITS, UNITS if same else OTHER),
        lambda same: partitions.merge_single_units(TABLE, UNITS if same else OTHER),
        lambda same: stubwalk.stub_walks(TABLE, UNITS if same else OTHER, n_walks=2, rng=0),
        lambda same: intervals.rank_interval(UNITS, UNITS if same else OTHER),
        lambda same: NETWORK.accuracy(PIXELS, CLASSES if same else CLASSES[::-1]),
        lambda same: lesions.lesion_accuracy(
            NETWORK, PIXELS, CLASSES if same else CLASSES[::-1], SETS
        ),
        lambda same: training.train(
            PIXELS, CLASSES if same else CLASSES[::-1], SETTINGS, seeds=[0], device="cpu"
        ),
    ],
)
def test_columns_in_two_orders_are_refused(call):
    call(True)
    with pytest.raises(ValueError, match=r"has the index of .* in another order; allowed"):
        call(False)


@pytest.mark.parametrize(
    ("call", "message"),
    [
        (
            lambda: quantized.lattice_index([0.5], n_shuffles=10**30, copies=10),
            "n_shuffles=1000.* is not allowed: a whole number from 1 to 2147483647",
        ),
        (lambda: clustering.cluster_network(WEIGHTS, 10**5000, rng=0), r"n_clusters=\(more than"),
        (
            lambda: clustering.cluster_network(WEIGHTS, 2**31 - 1, rng=0),
            "n_clusters=2147483647 is not allowed: 1 to 6, the number of units",
        ),
        (lambda: stubwalk.stub_walks(GRAPH, LABELS, n_walks=2**31, rng=0), "n_walks=2147483648"),
    ],
)
def test_counts_have_an_end(call, message):
    with pytest.raises(ValueError, match=message):
        call()


def test_seeds_are_of_any_size():
    assert models.glorot_mlp([2, 2], seeds=[2**100]).weights[0].shape == (1, 2, 2)
    as_rng(2**100)


def test_an_ncut_of_edges_whose_sum_no_float_holds():
    assert clustering.ncut(GRAPH * 2.0**1020, LABELS) == clustering.ncut(GRAPH, LABELS)


@pytest.mark.parametrize("dtype", [">f4", np.longdouble])
def test_arrays_of_other_bytes_are_taken(dtype):
    weights = [w.float().numpy().astype(dtype) for w in NETWORK.weights]
    biases = [b.float().numpy().astype(dtype) for b in NETWORK.biases]
    x = X.float().numpy()
    y, labels = Y.numpy().astype(">i4"), LABELS.astype(">i4")
    found = lesions.lesion_accuracy(models.MLP(weights, biases), x.astype(dtype), y, SETS)
    native = models.MLP(*([p.astype("f8") for p in each] for each in (weights, biases)))
    expected = lesions.lesion_accuracy(native, x, y, SETS)
    torch.testing.assert_close(found[0], expected[0])
    assert similarity.normalize(GRAPH.astype(dtype)).shape == GRAPH.shape
    assert clustering.ncut(GRAPH, labels) == clustering.ncut(GRAPH, LABELS)
