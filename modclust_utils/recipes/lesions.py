"""Kind `lesions`: the lesion study of one clustering of one network (paper A, section 4)."""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import replace
from typing import Any

import numpy as np
import torch

from modclust_utils import lesions
from modclust_utils.clustering import cluster_network
from modclust_utils.graphs import live_units
from modclust_utils.recipes.base import Job, Recipe, Record, Task, Value, Work, stream
from modclust_utils.recipes.compare import ROUNDING, gap, rows_agree
from modclust_utils.recipes.network import job_about, mlp, weights

# Two logits that agree to rounding may change places, so a few images more or fewer are right.
ACCURACY_TOLERANCE = 0.001
P_VALUE_TOLERANCE = 0.05


def compute(tasks: Sequence[Task], work: Work) -> list[Value]:
    """The study of each network."""
    return [_study(task, work.device) for task in tasks]


def _study(task: Task, device: str) -> Value:
    """Labels, single lesions and pairs; accuracies are those on the test images.

    Where `known` has labels, those are lesioned instead of the clusters that are found here.
    """
    assert task.images is not None
    p, network = task.parameters, task.needs["network"]
    dataset = task.images.load()
    matrices = weights(network)
    rng = stream(p["network"], p["seed"])
    found, ncut = cluster_network(matrices, p["n_clusters"], rng=rng)
    labels = np.asarray(task.known.get("labels", found))
    live = np.concatenate([np.asarray(part) for part in live_units(matrices)])
    model = mlp(network).to(device)
    x = torch.from_numpy(dataset.x_test.copy()).to(device)
    y = torch.from_numpy(dataset.y_test.copy()).to(device)
    single = lesions.single_lesions(model, x, y, labels, live, n_random=p["n_random_sets"], rng=rng)
    pairs = None if p["pairs"] == "all" else lesions.important_pairs(single)
    double = lesions.double_lesions(
        model, x, y, single, live, pairs=pairs, n_random=p["n_random_pairs"], rng=rng
    )
    return Value(
        {
            "ncut": ncut,
            "accuracy": single.accuracy,
            "class_accuracies": np.round(single.class_accuracies, 6).tolist(),
            "labels": labels.tolist(),
            "sub_clusters": _single_rows(single),
            "pairs": _pair_rows(single, double),
        },
        test_hash=dataset.test_hash,
    )


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


def agree(record: Record, again: Value) -> tuple[bool, str]:
    """Whether accuracies, single lesions and pairs agree."""
    kept, new = record.value, again.value
    by_class = len(kept["class_accuracies"]) * ACCURACY_TOLERANCE
    accurate = gap(kept["accuracy"], new["accuracy"]) <= ACCURACY_TOLERANCE
    accurate &= gap(kept["class_accuracies"], new["class_accuracies"]) <= by_class
    drops = dict.fromkeys(("drop", "null_mean", "null_std"), ACCURACY_TOLERANCE)
    singles, singles_note = rows_agree(
        kept["sub_clusters"],
        new["sub_clusters"],
        places=("layer", "label", "size"),
        numbers=drops
        | {"class_drops": by_class, "p_value": P_VALUE_TOLERANCE, "proportion": ROUNDING},
        words=("kind",),
    )
    damages = dict.fromkeys(("drop_both", "delta_x_y", "delta_y_x"), ACCURACY_TOLERANCE)
    pairs, pairs_note = rows_agree(
        kept["pairs"],
        new["pairs"],
        places=("x_layer", "x_label", "y_layer", "y_label"),
        numbers=damages | dict.fromkeys(("p_x_given_y", "p_y_given_x"), P_VALUE_TOLERANCE),
        words=("x_given_y", "y_given_x"),
    )
    note = f"sub_clusters {singles_note}, pairs {pairs_note}"
    return accurate and singles and pairs, note


RECIPE = Recipe(
    kind="lesions",
    version=1,
    fields=(
        *("network", "phase", "n_clusters", "seed"),
        *("n_random_sets", "n_random_pairs", "pairs"),
    ),
    words="lesions",
    compute=compute,
    with_images=True,
    agree=agree,
)


def job(
    network: Job, *, n_clusters: int, n_random_sets: int, n_random_pairs: int, pairs: str, seed: int
) -> Job:
    """The study of one clustering of a network; seed: that of the clustering.

    pairs: "all" pairs of sub-clusters, or the "important" ones, which decide the graph.
    """
    made = job_about(
        RECIPE,
        network,
        "after",
        *("n_clusters", "pairs"),
        n_clusters=n_clusters,
        n_random_sets=n_random_sets,
        n_random_pairs=n_random_pairs,
        pairs=pairs,
        seed=seed,
    )
    return replace(made, about={**made.about, "clustering_seed": seed})
