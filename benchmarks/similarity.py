"""Similarities of units in closed form against torch.func.

Both find the four similarities of both hidden layers of paper C's network, with either reading of
the absolute value. The plain way is ``method="autograd"``: `jacrev` under `vmap`, and `jacrev` of
`grad` for the Hessian, which is faster than `torch.func.hessian` with its forward mode.

The rows with all four are what a caller waits for. Those of single measures show where the time
goes; each has the pass of the images through the network in it, covariance two of them (the mean
comes first), and the last line is one pass alone.
"""

from __future__ import annotations

import argparse
from collections.abc import Callable
from pathlib import Path
from typing import Any, get_args

import torch
from report import RESULTS, machine, print_table, seconds, test_images, write
from torch import Tensor

from modclust_utils import datasets, similarity
from modclust_utils.models import MLP, resolve_device
from modclust_utils.settings import TrainingSettings
from modclust_utils.similarity import MEASURES, Absolute, similarities
from modclust_utils.training import train

Found = dict[str, Tensor]


def parse() -> argparse.Namespace:
    parser = argparse.ArgumentParser(description=__doc__.splitlines()[0])
    parser.add_argument("--threads", type=int, default=1)
    parser.add_argument("--n-images", type=int, default=10_000)
    parser.add_argument("--hidden", type=int, nargs="+", default=[64, 64])
    parser.add_argument("--repeats", type=int, default=3, help="times; the fastest counts")
    parser.add_argument("--epochs", type=int, default=10)
    parser.add_argument("--dataset", default="mnist5k", help="a name, or a .npz file")
    parser.add_argument("--device", default="cpu")
    parser.add_argument("--seed", type=int, default=0)
    parser.add_argument("--out", type=Path, default=RESULTS / "similarity.json")
    return parser.parse_args()


def trained_network(dataset: datasets.Dataset, options: argparse.Namespace) -> MLP:
    """Paper C's network with dropout, trained for a moment."""
    sizes = (dataset.x_train.shape[1], *options.hidden, dataset.n_classes)
    settings = TrainingSettings(
        layer_sizes=sizes, epochs=options.epochs, pruning_epochs=0, dropout_rate=0.2
    )
    data = dataset.x_train, dataset.y_train
    return train(*data, settings, seeds=[options.seed], device="cpu").after.network(0)


def distinct_patterns(network: MLP, x: Tensor) -> list[int]:
    """How many sets of active units the images have in each hidden layer.

    Images with one set have one Jacobian up to there; where there are as many sets as images,
    nothing is to be gained by putting such images together.
    """
    counts, hidden = [], x
    for weight, bias in list(zip(network.weights, network.biases, strict=True))[:-1]:
        hidden = (hidden @ weight.T + bias).relu()
        counts.append(len((hidden > 0).unique(dim=0)))
    return counts


def works(network: MLP, x: Tensor, y: Tensor) -> dict[str, Callable[[str], Found]]:
    """What is timed, by name: similarities as a function of the method."""
    found: dict[str, Callable[[str], Found]] = {}
    cases = [
        (layer, absolute)
        for layer in range(1, len(network.weights))
        for absolute in get_args(Absolute)
    ]
    for layer, absolute in cases:
        options = {"layer": layer, "absolute": absolute}
        found[f"all four, layer {layer}, {absolute}"] = lambda method, o=options: similarities(
            network, x, y, method=method, **o
        )
    for name in MEASURES:
        for layer, absolute in cases:
            options = {"layer": layer, "absolute": absolute}
            if name == "loss_hessian":
                options["y"] = y
            found[f"{name}, layer {layer}, {absolute}"] = lambda method, n=name, o=options: {
                n: getattr(similarity, n)(network, x, method=method, **o)
            }
    return found


def compare(work: Callable[[str], Found], repeats: int) -> dict[str, float]:
    """Fastest of some repeats for both ways, and how far they differ from each other."""
    closed_seconds, plain_seconds = [], []
    # in turns, so that a busy minute of the machine does not hit one way alone
    for _ in range(repeats):
        # .cpu() waits until a GPU has done its work
        taken, closed = seconds(lambda: {k: s.cpu() for k, s in work("closed").items()})
        closed_seconds.append(taken)
        taken, plain = seconds(lambda: {k: s.cpu() for k, s in work("autograd").items()})
        plain_seconds.append(taken)
    differences = [float((closed[n] - s).abs().max() / s.max()) for n, s in plain.items()]
    return {
        "seconds": min(closed_seconds),
        "plain_seconds": min(plain_seconds),
        "ratio": min(plain_seconds) / min(closed_seconds),
        "max_relative_difference": max(differences),
    }


def in_sum(parts: list[dict[str, float]]) -> dict[str, float]:
    own, plain = (sum(part[key] for part in parts) for key in ("seconds", "plain_seconds"))
    difference = max(part["max_relative_difference"] for part in parts)
    return {
        "seconds": own,
        "plain_seconds": plain,
        "ratio": plain / own,
        "max_relative_difference": difference,
    }


def show(results: dict[str, dict[str, float]]) -> None:
    header = ["similarities", "seconds", "plain: seconds", "times as fast", "largest difference"]
    rows = [
        [
            name,
            f"{found['seconds']:.3f}",
            f"{found['plain_seconds']:.2f}",
            f"{found['ratio']:.1f}",
            f"{found['max_relative_difference']:.0e}",
        ]
        for name, found in results.items()
    ]
    print_table(header, rows)


def main() -> None:
    options = parse()
    torch.set_num_threads(options.threads)
    device = resolve_device(options.device)
    dataset = datasets.load(options.dataset)
    network = trained_network(dataset, options).to(device)
    x, y = (part.to(device) for part in test_images(dataset, options.n_images))
    n_different = min(options.n_images, len(dataset.y_test))
    accuracy = network.accuracy(x, y).item()
    print(f"{'-'.join(map(str, network.layer_sizes))}, accuracy {accuracy:.3f}", flush=True)
    for method in ("closed", "autograd"):  # what a first call prepares is not timed
        similarities(network, x[:100], y[:100], 1, method=method)
    results: dict[str, dict[str, float]] = {}
    for name, work in works(network, x, y).items():
        print(f"{name} ...", flush=True)
        results[name] = compare(work, options.repeats)
    together = [found for name, found in results.items() if name.startswith("all four")]
    results = {"all four, both layers, both readings": in_sum(together), **results}
    passes = [seconds(lambda: network.logits(x).cpu())[0] for _ in range(options.repeats)]
    print()
    show(results)
    print(f"one pass of the images: {min(passes):.3f} seconds")
    settings: dict[str, Any] = {
        "layer_sizes": list(network.layer_sizes),
        "accuracy": accuracy,
        "dataset": dataset.name,
        "epochs": options.epochs,
        "n_images": options.n_images,
        "n_different_images": n_different,
        "distinct_patterns_per_layer": distinct_patterns(network, x[:n_different]),
        "threads": options.threads,
        "repeats": options.repeats,
        "seed": options.seed,
    }
    found = {
        "machine": machine(str(device)),
        "settings": settings,
        "pass_seconds": min(passes),
        "results": results,
    }
    write(options.out, found)


if __name__ == "__main__":
    main()
