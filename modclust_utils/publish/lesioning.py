"""The lesion study of one clustering of one network, as one record (paper A, section 4)."""

from __future__ import annotations

from typing import Any

import numpy as np
import torch
from numpy.typing import NDArray

from modclust_utils import clustering, datasets, lesions
from modclust_utils.graphs import live_units
from modclust_utils.publish.networks import Network, after_weights, mlp, stream


def studies(network: str, p: Any, *, first: bool) -> list[dict[str, Any]]:
    """The keys of a network's lesion studies: one for each clustering.

    All pairs of sub-clusters for the clustering of the chapter's first network; for everything
    else, its re-clusterings and the other networks, the pairs that decide the dependency graph.
    """
    n = p.n_reclusterings if first else 0
    return [
        {
            "network": network,
            "phase": "after",
            "n_clusters": p.n_clusters,
            "seed": p.seed + r,
            "n_random_sets": p.n_random_sets,
            "n_random_pairs": p.n_random_pairs,
            "pairs": "all" if first and r == 0 else "important",
        }
        for r in range(n + 1)
    ]


def compute_lesions(
    network: Network,
    parameters: dict[str, Any],
    dataset: datasets.Dataset,
    device: str,
    *,
    labels: NDArray[np.int64] | None = None,
) -> dict[str, Any]:
    """The value of one lesion study's record: labels, single lesions, pairs.

    Accuracies are those on the test images. labels ``(n_units,)``: the clusters to lesion instead
    of those that are found here. Raises ValueError where `dataset` is not the one that the network
    was trained on.
    """
    if dataset.train_hash != network.condition.train_hash:
        raise ValueError(
            f"dataset={dataset.name!r} is not what network {network.key} was trained on; "
            "allowed: the same images and seed"
        )
    weights = after_weights(network.record)
    rng = stream(network.key, parameters["seed"])
    found, ncut = clustering.cluster_network(weights, parameters["n_clusters"], rng=rng)
    labels = found if labels is None else labels
    live = np.concatenate([np.asarray(part) for part in live_units(weights)])
    model = mlp(network.record).to(device)
    x = torch.from_numpy(dataset.x_test.copy()).to(device)
    y = torch.from_numpy(dataset.y_test.copy()).to(device)
    single = lesions.single_lesions(
        model, x, y, labels, live, n_random=parameters["n_random_sets"], rng=rng
    )
    pairs = None if parameters["pairs"] == "all" else lesions.important_pairs(single)
    double = lesions.double_lesions(
        model, x, y, single, live, pairs=pairs, n_random=parameters["n_random_pairs"], rng=rng
    )
    return {
        "ncut": ncut,
        "accuracy": single.accuracy,
        "class_accuracies": np.round(single.class_accuracies, 6).tolist(),
        "labels": labels.tolist(),
        "sub_clusters": _single_rows(single),
        "pairs": _pair_rows(single, double),
    }


def _single_rows(single: lesions.SingleLesions) -> list[dict[str, Any]]:
    sub = single.sub
    return [
        {
            "layer": int(sub.layer[i]),
            "label": int(sub.label[i]),
            "size": int(sub.size[i]),
            "proportion": float(single.proportion[i]),
            "drop": float(single.drop[i]),
            "p_value": float(single.p_value[i]),
            "kind": single.kind[i],
            "null_mean": float(single.null_drops[i].mean()),
            "null_std": float(single.null_drops[i].std()),
            "class_drops": np.round(single.class_drops[i], 6).tolist(),
        }
        for i in range(len(sub.layer))
    ]


def _pair_rows(
    single: lesions.SingleLesions, double: lesions.DoubleLesions
) -> list[dict[str, Any]]:
    sub, rows = single.sub, []
    for i, (first, second) in enumerate(double.pairs):
        rows.append(
            {
                "x_layer": int(sub.layer[first]),
                "x_label": int(sub.label[first]),
                "y_layer": int(sub.layer[second]),
                "y_label": int(sub.label[second]),
                "drop_both": float(double.drop_both[i]),
                "delta_x_y": float(double.delta_first[i]),
                "delta_y_x": float(double.delta_second[i]),
                "p_x_given_y": float(double.p_first[i]),
                "p_y_given_x": float(double.p_second[i]),
                "x_given_y": bool(double.first_important[i]),
                "y_given_x": bool(double.second_important[i]),
            }
        )
    return rows
