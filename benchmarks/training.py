"""Ten networks as one batch against ten networks one after the other in a plain torch loop.

Both train paper A's network with dropout, prune it with the same schedule, and use all cores. The
plain loop is what one would write with `nn.Module`, autograd and `torch.optim.Adam`, once with the
optimizer's standard settings and once with its fused kernel.
"""

from __future__ import annotations

import argparse
from collections.abc import Callable
from itertools import pairwise
from pathlib import Path
from typing import Any

import joblib
import torch
from report import RESULTS, machine, mean_and_error, print_table, seconds, wait_for, write
from torch import Tensor, nn

from modclust_utils import datasets
from modclust_utils.models import resolve_device
from modclust_utils.settings import TrainingSettings
from modclust_utils.training import polynomial_sparsity, train


def parse() -> argparse.Namespace:
    parser = argparse.ArgumentParser(description=__doc__.splitlines()[0])
    parser.add_argument("--jobs", type=int, default=joblib.cpu_count(), help="threads")
    parser.add_argument("--n-networks", type=int, default=10)
    parser.add_argument("--epochs", type=int, default=10)
    parser.add_argument("--pruning-epochs", type=int, default=10)
    parser.add_argument("--dropout-rate", type=float, default=0.5)
    parser.add_argument("--dataset", default="mnist5k", help="a name, or a .npz file")
    parser.add_argument("--device", default="cpu")
    parser.add_argument("--repeats", type=int, default=3, help="times; the fastest counts")
    parser.add_argument("--out", type=Path, default=RESULTS / "training.json")
    return parser.parse_args()


def plain_network(settings: TrainingSettings) -> nn.Sequential:
    layers: list[nn.Module] = []
    sizes = settings.layer_sizes
    for n_in, n_out in pairwise(sizes):
        linear = nn.Linear(n_in, n_out)
        nn.init.xavier_uniform_(linear.weight)
        nn.init.zeros_(linear.bias)
        layers += [linear, nn.ReLU()]
        if settings.dropout_rate > 0:
            layers.append(nn.Dropout(settings.dropout_rate))
    # neither ReLU nor dropout after the logits
    last = max(i for i, layer in enumerate(layers) if isinstance(layer, nn.Linear))
    return nn.Sequential(*layers[: last + 1])


def plain_masks(linears: list[nn.Linear], sparsity: float) -> list[Tensor]:
    masks = []
    for linear in linears:
        magnitude = linear.weight.detach().abs()
        n_drop = magnitude.numel() - round(magnitude.numel() * (1 - sparsity))
        threshold = magnitude.flatten().kthvalue(n_drop + 1).values
        masks.append(magnitude >= threshold)
    return masks


def apply_masks(linears: list[nn.Linear], masks: list[Tensor]) -> None:
    with torch.no_grad():
        for linear, mask in zip(linears, masks, strict=True):
            linear.weight.mul_(mask)


def train_plainly(x: Tensor, y: Tensor, settings: TrainingSettings, *, fused: bool) -> nn.Module:
    """One network by autograd, with the pruning phase of paper A."""
    network = plain_network(settings).to(x.device)
    linears = [layer for layer in network if isinstance(layer, nn.Linear)]
    loss_of = nn.CrossEntropyLoss()
    steps_per_epoch = -(-len(y) // settings.batch_size)
    for n_epochs, prunes in ((settings.epochs, False), (settings.pruning_epochs, True)):
        optimizer = torch.optim.Adam(
            network.parameters(), lr=settings.learning_rate, fused=fused or None
        )
        masks: list[Tensor] = []
        step = 0
        for _ in range(n_epochs):
            for batch in torch.randperm(len(y), device=x.device).split(settings.batch_size):
                if prunes and step % settings.pruning_interval == 0:
                    sparsity = polynomial_sparsity(step, n_steps=steps_per_epoch * n_epochs)
                    masks = plain_masks(linears, sparsity)
                    apply_masks(linears, masks)
                optimizer.zero_grad()
                loss_of(network(x[batch]), y[batch]).backward()
                optimizer.step()
                if prunes:
                    apply_masks(linears, masks)
                step += 1
    return network.eval()


def main() -> None:
    options = parse()
    torch.set_num_threads(options.jobs)
    device = resolve_device(options.device)
    dataset = datasets.load(options.dataset)
    # copies: a data set is read-only, and a tensor cannot be
    arrays = (dataset.x_train, dataset.y_train, dataset.x_test, dataset.y_test)
    x, y, x_test, y_test = (torch.from_numpy(array.copy()).to(device) for array in arrays)
    settings = TrainingSettings(
        epochs=options.epochs,
        pruning_epochs=options.pruning_epochs,
        dropout_rate=options.dropout_rate,
    )
    seeds = range(options.n_networks)

    def batch() -> list[float]:
        trained = train(x, y, settings, seeds=seeds, device=device)
        wait_for(device)
        return trained.after.accuracy(x_test, y_test).tolist()

    def one_by_one(fused: bool) -> list[float]:
        accuracies = []
        for seed in seeds:
            torch.manual_seed(seed)
            network = train_plainly(x, y, settings, fused=fused)
            with torch.no_grad():
                hits = network(x_test).argmax(1) == y_test
            accuracies.append(hits.double().mean().item())
        return accuracies

    ways: dict[str, Callable[[], list[float]]] = {
        "modclust_utils, one batch": batch,
        "nn.Module, Adam as it comes": lambda: one_by_one(False),
        "nn.Module, fused Adam": lambda: one_by_one(True),
    }
    found: dict[str, Any] = {}
    # in turns, so that a busy minute of the machine does not hit one way alone
    for repeat in range(options.repeats):
        for name, work in ways.items():
            print(f"{name}: {repeat + 1} of {options.repeats} ...", flush=True)
            taken, accuracies = seconds(work)
            best = min(taken, found[name][0]) if name in found else taken
            found[name] = (best, accuracies)

    steps = -(-len(y) // settings.batch_size) * (settings.epochs + settings.pruning_epochs)
    own = found["modclust_utils, one batch"][0]
    results, rows = {}, []
    for name, (taken, accuracies) in found.items():
        mean, error = mean_and_error(accuracies)
        results[name] = {
            "seconds": taken,
            "ms_per_step_and_network": 1000 * taken / steps / options.n_networks,
            "ratio": taken / own,
            "test_accuracy": mean,
            "test_accuracy_error": error,
        }
        rows.append(
            [
                name,
                f"{taken:.1f}",
                f"{results[name]['ms_per_step_and_network']:.2f}",
                f"{taken / own:.2f}",
                f"{mean:.3f}" + ("" if error is None else f" ± {error:.3f}"),
            ]
        )
    print()
    print_table(
        ["way", "seconds", "ms per step and network", "times as long", "test accuracy"], rows
    )
    plain = {name: way["ratio"] for name, way in results.items() if name.startswith("nn.")}
    fastest = min(plain, key=plain.__getitem__)
    print(f"\n{plain[fastest]:.2f} times as fast as {fastest}")
    described = {
        "dataset": dataset.name,
        "n_networks": options.n_networks,
        "layer_sizes": list(settings.layer_sizes),
        "epochs": settings.epochs,
        "pruning_epochs": settings.pruning_epochs,
        "dropout_rate": settings.dropout_rate,
        "batch_size": settings.batch_size,
        "jobs": options.jobs,
        "repeats": options.repeats,
    }
    write(
        options.out,
        {
            "machine": machine(str(device)),
            "settings": described,
            "ways": results,
            "fastest_plain": fastest,
            "ratio": plain[fastest],
        },
    )


if __name__ == "__main__":
    main()
