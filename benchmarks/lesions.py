"""Lesions by this package against one forward pass for each lesion.

Both lesion the same sub-clusters and the same random sets of units and find the same accuracies.
The plain way is what one would write at first: a copy of the network with weights and biases of the
lesioned units at 0, and one pass over all images. It runs on some of the lesions, spread evenly,
and its time is per lesion; the package runs on all of them.
"""

from __future__ import annotations

import argparse
from pathlib import Path
from typing import Any

import numpy as np
import torch
from report import RESULTS, machine, print_table, seconds, test_images, write
from torch import Tensor

from modclust_utils import datasets
from modclust_utils.clustering import cluster_network
from modclust_utils.graphs import live_units
from modclust_utils.lesions import SubClusters, lesion_accuracy, random_unit_sets, sub_clusters
from modclust_utils.models import MLP, resolve_device
from modclust_utils.settings import TrainingSettings
from modclust_utils.training import train


def parse() -> argparse.Namespace:
    parser = argparse.ArgumentParser(description=__doc__.splitlines()[0])
    parser.add_argument("--threads", type=int, default=1)
    parser.add_argument("--n-images", type=int, default=10_000)
    parser.add_argument("--n-clusters", type=int, default=10)
    parser.add_argument("--n-random", type=int, default=30, help="sets per sub-cluster")
    parser.add_argument(
        "--n-random-pairs", type=int, default=50, help="sets per pair and direction"
    )
    parser.add_argument("--n-pairs", type=int, default=30, help="pairs of sub-clusters")
    parser.add_argument("--n-plain", type=int, default=30, help="lesions for the plain way")
    parser.add_argument("--repeats", type=int, default=2, help="times; the fastest counts")
    parser.add_argument("--epochs", type=int, default=10, help="then as many of pruning")
    parser.add_argument("--dataset", default="mnist5k", help="a name, or a .npz file")
    parser.add_argument("--weights", type=Path, help=".npz with weight_0, bias_0, weight_1, ...")
    parser.add_argument("--device", default="cpu")
    parser.add_argument("--seed", type=int, default=0)
    parser.add_argument("--out", type=Path, default=RESULTS / "lesions.json")
    return parser.parse_args()


def trained_network(dataset: datasets.Dataset, epochs: int, seed: int) -> MLP:
    """Paper A's network with dropout, trained and pruned for a moment."""
    settings = TrainingSettings(epochs=epochs, pruning_epochs=epochs, dropout_rate=0.5)
    trained = train(dataset.x_train, dataset.y_train, settings, seeds=[seed], device="cpu")
    return trained.after.network(0)


def read_network(path: Path) -> MLP:
    with np.load(path) as arrays:
        n_layers = sum(name.startswith("weight_") for name in arrays)
        weights, biases = (
            [torch.from_numpy(arrays[f"{name}_{layer}"]) for layer in range(n_layers)]
            for name in ("weight", "bias")
        )
    return MLP(weights, biases)


def draw(
    sub: SubClusters, live: np.ndarray, sizes: tuple[int, ...], n: int, rng: np.random.Generator
) -> np.ndarray:
    return np.stack([random_unit_sets(units, live, sizes, n, rng=rng) for units in sub.units])


def double_sets(sub: SubClusters, null: np.ndarray, n_pairs: int | None) -> np.ndarray:
    """What `double_lesions` lesions: both, and a random set instead of the one or the other."""
    pairs = np.argwhere(sub.layer[:, None] < sub.layer)
    if n_pairs is not None:
        pairs = pairs[np.linspace(0, len(pairs) - 1, min(n_pairs, len(pairs))).astype(int)]
    first, second = pairs.T
    one, two = sub.units[first], sub.units[second]
    parts = [one | two, null[first] | two[:, None], one[:, None] | null[second]]
    return np.concatenate([part.reshape(-1, sub.units.shape[1]) for part in parts])


def plain_accuracy(network: MLP, x: Tensor, y: Tensor, unit_set: np.ndarray) -> float:
    weights, biases = [w.clone() for w in network.weights], [b.clone() for b in network.biases]
    parts = np.split(unit_set, np.cumsum(network.layer_sizes)[:-1])
    for weight, bias, part in zip(weights, biases, parts[1:], strict=True):
        units = torch.from_numpy(part).to(weight.device)
        weight[units] = 0
        bias[units] = 0
    hits = MLP(weights, biases).logits(x).argmax(1) == y
    return hits.double().mean().item()


def compare(
    network: MLP, x: Tensor, y: Tensor, unit_sets: np.ndarray, options: argparse.Namespace
) -> dict[str, Any]:
    """Fastest of some repeats for both ways, per lesion, and how far their accuracies differ."""
    n_plain = min(options.n_plain, len(unit_sets))
    chosen = np.linspace(0, len(unit_sets) - 1, n_plain).astype(int)
    own_seconds, plain_seconds = [], []
    # in turns, so that a busy minute of the machine does not hit one way alone
    for _ in range(options.repeats):
        # .cpu() waits until a GPU has done its work
        taken, own = seconds(lambda: lesion_accuracy(network, x, y, unit_sets)[0].cpu().numpy())
        own_seconds.append(taken)
        taken, plain = seconds(
            lambda: np.array([plain_accuracy(network, x, y, unit_sets[i]) for i in chosen])
        )
        plain_seconds.append(taken)
    own_ms = 1000 * min(own_seconds) / len(unit_sets)
    plain_ms = 1000 * min(plain_seconds) / n_plain
    return {
        "n_lesions": len(unit_sets),
        "n_plain": n_plain,
        "seconds": min(own_seconds),
        "ms_per_lesion": own_ms,
        "plain_ms_per_lesion": plain_ms,
        "ratio": plain_ms / own_ms,
        "max_accuracy_difference": float(np.abs(own[chosen] - plain).max()),
    }


def main() -> None:
    options = parse()
    torch.set_num_threads(options.threads)
    device = resolve_device(options.device)
    dataset = datasets.load(options.dataset)
    network = (
        read_network(options.weights)
        if options.weights
        else trained_network(dataset, options.epochs, options.seed)
    )
    sizes, rng = network.layer_sizes, np.random.default_rng(options.seed)
    x, y = (part.to(device) for part in test_images(dataset, options.n_images))
    labels, _ = cluster_network(network.weights, options.n_clusters, rng=rng)
    live = np.concatenate([part.numpy() for part in live_units(network.weights)])
    sub = sub_clusters(labels, sizes)
    null = draw(sub, live, sizes, options.n_random, rng)
    network = network.to(device)
    accuracy = network.accuracy(x, y).item()
    lesion_accuracy(network, x, y, sub.units[:2])  # what a first call prepares is not timed

    n_units = sum(sizes)
    work = {"single": np.concatenate([sub.units, null.reshape(-1, n_units)])}
    for layer in np.unique(sub.layer):
        here = sub.layer == layer
        work[f"single, layer {layer}"] = np.concatenate(
            [sub.units[here], null[here].reshape(-1, n_units)]
        )
    null_pairs = draw(sub, live, sizes, options.n_random_pairs, rng)
    work["double"] = double_sets(sub, null_pairs, options.n_pairs)
    print(f"{'-'.join(map(str, sizes))}, {len(sub.size)} sub-clusters, accuracy {accuracy:.3f}")
    results, rows = {}, []
    for name, unit_sets in work.items():
        print(f"{name}: {len(unit_sets)} lesions ...", flush=True)
        results[name] = found = compare(network, x, y, unit_sets, options)
        rows.append(
            [
                name,
                str(found["n_lesions"]),
                f"{found['seconds']:.1f}",
                f"{found['ms_per_lesion']:.2f}",
                f"{found['plain_ms_per_lesion']:.1f}",
                f"{found['ratio']:.1f}",
                f"{found['max_accuracy_difference']:.5f}",
            ]
        )
    print()
    header = ["lesions", "number", "seconds", "ms per lesion", "plain: ms per lesion"]
    print_table([*header, "times as fast", "largest difference of accuracies"], rows)
    settings = {
        "layer_sizes": list(sizes),
        "sparsity": 1
        - sum(int(w.count_nonzero()) for w in network.weights)
        / sum(w.numel() for w in network.weights),
        "accuracy": accuracy,
        "dataset": dataset.name,
        "weights": "given" if options.weights else f"{options.epochs} + {options.epochs} epochs",
        "n_images": options.n_images,
        "n_different_images": min(options.n_images, len(dataset.y_test)),
        "n_clusters": options.n_clusters,
        "sub_clusters_per_layer": np.bincount(sub.layer)[1:].tolist(),
        "mean_size_per_layer": [float(sub.size[sub.layer == i].mean()) for i in set(sub.layer)],
        "n_random": options.n_random,
        "n_random_pairs": options.n_random_pairs,
        "n_pairs": len(work["double"]) // (2 * options.n_random_pairs + 1),
        "threads": options.threads,
        "repeats": options.repeats,
        "seed": options.seed,
    }
    write(options.out, {"machine": machine(str(device)), "settings": settings, "results": results})


if __name__ == "__main__":
    main()
