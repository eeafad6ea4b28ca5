"""Thirty networks as one batch against thirty one after the other in a plain torch loop.

Both train paper C's network once with each setting of its Table 1, look at the validation images
after each epoch, step the learning rate down and keep the best state; no network stops early, so
that all take the same number of steps. The plain loop is what one would write with `nn.Module`,
autograd and `torch.optim.Adam`, once with the optimizer's standard settings and once with its fused
kernel. Each number of threads is a comparison of its own.
"""

from __future__ import annotations

import argparse
import copy
import math
from collections.abc import Callable
from dataclasses import replace
from itertools import pairwise
from pathlib import Path
from typing import Any

import numpy as np
import torch
from report import RESULTS, machine, mean_and_error, print_table, seconds, wait_for, write
from torch import Tensor, nn
from torch.optim.lr_scheduler import ReduceLROnPlateau

from modclust_utils import datasets
from modclust_utils.models import resolve_device
from modclust_utils.regularized import train_regularized
from modclust_utils.settings import RegularizedSettings

OWN = "modclust_utils, one batch"


def parse() -> argparse.Namespace:
    parser = argparse.ArgumentParser(description=__doc__.splitlines()[0])
    parser.add_argument("--threads", type=int, nargs="+", default=[1, 2])
    parser.add_argument("--n-networks", type=int, default=30, help="of Table 1, spread evenly")
    parser.add_argument("--epochs", type=int, default=10)
    parser.add_argument("--n-images", type=int, default=None, help="default: all, once")
    parser.add_argument("--dataset", default="mnist5k", help="a name, or a .npz file")
    parser.add_argument("--device", default="cpu")
    parser.add_argument("--repeats", type=int, default=3, help="times; the fastest counts")
    parser.add_argument("--out", type=Path, default=RESULTS / "regularized.json")
    return parser.parse_args()


def table_1(base: RegularizedSettings) -> list[RegularizedSettings]:
    """The 30 settings of paper C, row by row."""
    return [
        *(replace(base, l2=float(l2)) for l2 in np.logspace(-5, -1, 9)),
        *(replace(base, l2=1e-5, l1=float(l1)) for l1 in np.logspace(-5, -2, 7)),
        *(replace(base, l2=1e-5, dropout_rate=float(p)) for p in np.linspace(0.05, 0.7, 14)),
    ]


def plain_network(each: RegularizedSettings) -> nn.Sequential:
    layers: list[nn.Module] = []
    for n_in, n_out in pairwise(each.layer_sizes):
        layers += [nn.Linear(n_in, n_out), nn.ReLU(), nn.Dropout(each.dropout_rate)]
    # neither ReLU nor dropout after the logits
    return nn.Sequential(*layers[:-2])


def train_plainly(x: Tensor, y: Tensor, each: RegularizedSettings, *, fused: bool) -> nn.Module:
    """One network by autograd; the one with the lowest validation loss."""
    network = plain_network(each).to(x.device)
    weights = [layer.weight for layer in network if isinstance(layer, nn.Linear)]
    loss_of = nn.CrossEntropyLoss()
    optimizer = torch.optim.Adam(network.parameters(), lr=each.learning_rate, fused=fused or None)
    scheduler = ReduceLROnPlateau(optimizer, factor=each.rate_factor, patience=each.rate_patience)
    validation, training = torch.randperm(len(y), device=x.device).split(
        [each.n_validation(len(y)), len(y) - each.n_validation(len(y))]
    )
    lowest, best = math.inf, network
    for _ in range(each.max_epochs):
        network.train()
        order = training[torch.randperm(len(training), device=x.device)]
        for batch in order.split(each.batch_size):
            loss = loss_of(network(x[batch]), y[batch])
            if each.l1 > 0:
                loss = loss + each.l1 * sum(weight.abs().sum() for weight in weights)
            if each.l2 > 0:
                loss = loss + each.l2 * sum(weight.square().sum() for weight in weights)
            optimizer.zero_grad()
            loss.backward()
            optimizer.step()
        network.eval()
        with torch.no_grad():
            loss = loss_of(network(x[validation]), y[validation]).item()
        scheduler.step(loss)
        if loss < lowest:
            lowest, best = loss, copy.deepcopy(network)
    return best.eval()


def ways(
    train: tuple[Tensor, Tensor], test: tuple[Tensor, Tensor], settings: list[RegularizedSettings]
) -> dict[str, Callable[[], list[float]]]:
    """Each way trains all networks and gives their test accuracies."""
    device = train[0].device
    seeds = range(len(settings))

    def batch() -> list[float]:
        trained = train_regularized(*train, settings, seeds=seeds, device=device)
        wait_for(device)
        return trained.networks.accuracy(*test).tolist()

    def one_by_one(fused: bool) -> list[float]:
        accuracies = []
        for seed, each in zip(seeds, settings, strict=True):
            torch.manual_seed(seed)
            network = train_plainly(*train, each, fused=fused)
            with torch.no_grad():
                hits = network(test[0]).argmax(1) == test[1]
            accuracies.append(hits.double().mean().item())
        return accuracies

    return {
        OWN: batch,
        "nn.Module, Adam as it comes": lambda: one_by_one(False),
        "nn.Module, fused Adam": lambda: one_by_one(True),
    }


def compare(
    ways: dict[str, Callable[[], list[float]]], *, n_steps: int, repeats: int, threads: int
) -> dict[str, dict[str, Any]]:
    """Times of all ways; n_steps: of all networks together."""
    torch.set_num_threads(threads)
    found: dict[str, tuple[float, list[float]]] = {}
    # in turns, so that a busy minute of the machine does not hit one way alone
    for repeat in range(repeats):
        for name, work in ways.items():
            print(f"{threads} threads, {name}: {repeat + 1} of {repeats} ...", flush=True)
            taken, accuracies = seconds(work)
            best = min(taken, found[name][0]) if name in found else taken
            found[name] = (best, accuracies)
    results = {}
    for name, (taken, accuracies) in found.items():
        mean, error = mean_and_error(accuracies)
        results[name] = {
            "seconds": taken,
            "ms_per_step_and_network": 1000 * taken / n_steps,
            "ratio": taken / found[OWN][0],
            "test_accuracy": mean,
            "test_accuracy_error": error,
        }
    return results


def row(threads: int, name: str, way: dict[str, Any]) -> list[str]:
    error = way["test_accuracy_error"]
    return [
        str(threads),
        name,
        f"{way['seconds']:.1f}",
        f"{way['ms_per_step_and_network']:.2f}",
        f"{way['ratio']:.2f}",
        f"{way['test_accuracy']:.3f}" + ("" if error is None else f" ± {error:.3f}"),
    ]


def main() -> None:
    options = parse()
    device = resolve_device(options.device)
    dataset = datasets.load(options.dataset)
    n = options.n_images or len(dataset.y_train)
    places = np.arange(n) % len(dataset.y_train)
    arrays = (dataset.x_train[places], dataset.y_train[places])
    # copies: a data set is read-only, and a tensor cannot be
    train = tuple(torch.from_numpy(array).to(device) for array in arrays)
    test = tuple(torch.from_numpy(a.copy()).to(device) for a in (dataset.x_test, dataset.y_test))
    base = RegularizedSettings(max_epochs=options.epochs, patience=options.epochs + 1)
    chosen = np.linspace(0, 29, options.n_networks).round().astype(int)
    settings = [table_1(base)[i] for i in chosen]
    steps = math.ceil((n - base.n_validation(n)) / base.batch_size) * options.epochs

    by_threads, rows = {}, []
    for threads in options.threads:
        found = compare(
            ways(train, test, settings),
            n_steps=steps * len(settings),
            repeats=options.repeats,
            threads=threads,
        )
        plain = {name: way["ratio"] for name, way in found.items() if name != OWN}
        fastest = min(plain, key=plain.__getitem__)
        by_threads[str(threads)] = {
            "ways": found,
            "fastest_plain": fastest,
            "ratio": plain[fastest],
        }
        rows += [row(threads, name, way) for name, way in found.items()]
    print()
    print_table(
        ["threads", "way", "seconds", "ms per step and network", "times as long", "test accuracy"],
        rows,
    )
    print()
    for threads, found in by_threads.items():
        print(f"{threads} threads: {found['ratio']:.2f} times as fast as {found['fastest_plain']}")
    described = {
        "dataset": dataset.name,
        "n_images": n,
        "n_networks": len(settings),
        "layer_sizes": list(base.layer_sizes),
        "epochs": options.epochs,
        "batch_size": base.batch_size,
        "repeats": options.repeats,
    }
    write(
        options.out,
        {"machine": machine(str(device)), "settings": described, "threads": by_threads},
    )


if __name__ == "__main__":
    main()
