"""Examples in docstrings run; every entry point has one, and names the parameters that it takes."""

from __future__ import annotations

import doctest
import importlib
import inspect
import re

import pytest

# What a reader or a student calls; all else may keep to the short form.
ENTRY_POINTS = {
    "activations": ["unit_activations", "input_correlations"],
    "channel_edges": ["conv_edge_weights"],
    "channel_operations": [],
    "channel_outputs": [],
    "channel_walk": [],
    "cnn": ["train_cnn"],
    "clustering": [
        "cluster_network",
        "ncut",
        "sklearn_spectral_clustering",
        "spectral_clustering",
    ],
    "distributions": ["compare_samples"],
    "fisher_bates": [
        "bates_p_value",
        "benjamini_hochberg",
        "centered_percentile",
        "fisher_p_value",
        "fisher_statistic",
    ],
    "block_graphs": [],
    "graph_clusters": ["cluster_graph", "layerwise_clusters"],
    "graph_nulls": ["graph_shuffle_test", "shuffle_graph"],
    "graphs": ["activation_adjacency", "drop_dead_units", "live_units", "mlp_adjacency"],
    "intervals": [
        "mean_interval",
        "median_interval",
        "proportion_interval",
        "rank_interval",
        "share_difference_interval",
        "shift_interval",
        "std_interval",
        "welch_interval",
    ],
    "kmeans": [],
    "lesion_accuracies": ["lesion_accuracy"],
    "lesion_modules": [],
    "lesion_results": ["dependency_edges"],
    "leiden": [],
    "lesions": ["double_lesions", "single_lesions"],
    "models": ["glorot_mlp"],
    "modularity": [
        "element_similarity",
        "maximize_modularity",
        "modularity",
        "n_effective_clusters",
    ],
    "modularity_matrix": [],
    "modularity_search": [],
    "network_graphs": ["network_graph"],
    "nulls": ["random_ncuts", "shuffle_test", "shuffle_tests"],
    "partitionings": ["partition_units"],
    "partitions": ["match_labels", "merge_single_units", "order_labels"],
    "datasets.images": ["load_images"],
    "pretrained.loading": ["load"],
    "pruning": ["magnitude_mask", "polynomial_sparsity"],
    "quantized": ["lattice_index"],
    "regularized": ["train_regularized", "uniform_mlp"],
    "samples": ["n_modes"],
    "settings": [],
    "shuffles": ["shuffle_weights"],
    "similarity": ["normalize", "similarities"],
    "specialization": ["set_lesions", "sub_cluster_sets"],
    "spectral": [],
    "stats": ["cohens_d", "empirical_p_value", "z_score"],
    "strength_nulls": ["strength_null"],
    "stubwalk": ["stub_walks"],
    "training": ["train"],
    "visualization": ["visualize"],
    "unit_sets": ["random_unit_sets", "sub_clusters"],
}
FUNCTIONS = [(module, name) for module, names in ENTRY_POINTS.items() for name in names]


def imported(module):
    return importlib.import_module(f"modclust_utils.{module}")


def documented_parameters(docstring):
    """Names in a numpydoc section of parameters: ``a, b : type`` at the margin."""
    section = re.search(r"^Parameters\n-+\n(.*?)(?=^\w[^\n]*\n-+$|\Z)", docstring, re.M | re.S)
    heads = re.findall(r"^(\w[\w, ]*?)(?: :.*)?$", section[1] if section else "", re.M)
    return {name for head in heads for name in head.split(", ")}


@pytest.mark.parametrize("module", ENTRY_POINTS)
def test_examples_give_what_they_say(module):
    failed, attempted = doctest.testmod(imported(module))
    assert failed == 0
    assert (attempted > 0) == bool(ENTRY_POINTS[module])


@pytest.mark.parametrize(("module", "name"), FUNCTIONS)
def test_every_entry_point_has_an_example(module, name):
    assert doctest.DocTestParser().get_examples(getattr(imported(module), name).__doc__)


@pytest.mark.parametrize(("module", "name"), FUNCTIONS)
def test_documented_parameters_are_those_of_the_signature(module, name):
    function = getattr(imported(module), name)
    documented = documented_parameters(inspect.getdoc(function))
    assert documented == set(inspect.signature(function).parameters)
