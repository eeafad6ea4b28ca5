"""Lesions and feature visualizations of a convolutional network against the plain way.

A lesion the plain way is a whole forward pass with the channels set to 0 by a hook: of a network
for photographs, and of paper B's for digits, half of whose layers come right before a convolution.
A layer's visualizations as one batch stand beside the same function one set at a time, which is
what the batch alone gains, and beside one image at a time through the whole network. The slow ways
are done for a set of some layers; the time is per set.
"""

from __future__ import annotations

import argparse
import resource
from collections.abc import Callable
from pathlib import Path
from typing import Any

import numpy as np
import torch
import torchvision
from report import RESULTS, machine, print_table, seconds, write

from modclust_utils.convolutional import small_cnn
from modclust_utils.graphs import network_graph
from modclust_utils.settings import CnnSettings
from modclust_utils.specialization import UnitSets, set_lesions, sub_cluster_sets
from modclust_utils.visualization import images_of, visualize


def parse() -> argparse.Namespace:
    parser = argparse.ArgumentParser(description=__doc__.splitlines()[0])
    parser.add_argument("--network", default="squeezenet1_0")
    parser.add_argument("--threads", type=int, default=1)
    parser.add_argument("--n-images", type=int, default=16, help="test images")
    parser.add_argument("--side", type=int, default=96, help="of an image, in pixels")
    parser.add_argument("--n-digits", type=int, default=250, help="test images of paper B's CNN")
    parser.add_argument("--n-clusters", type=int, default=4, help="labels in each layer")
    parser.add_argument("--n-random", type=int, default=1)
    parser.add_argument("--n-steps", type=int, default=16, help="as in the quick profile")
    parser.add_argument("--n-plain", type=int, default=12, help="layers with a set for slow ways")
    parser.add_argument("--repeats", type=int, default=3, help="times; the fastest counts")
    parser.add_argument("--seed", type=int, default=0)
    parser.add_argument("--out", type=Path, default=RESULTS / "specialization.json")
    return parser.parse_args()


class Work:
    """A network before training, random labels of its channels, and images."""

    def __init__(
        self,
        options: argparse.Namespace,
        network: torch.nn.Module,
        shape: tuple[int, int, int],
        n_images: int,
    ) -> None:
        self.options, rng = options, np.random.default_rng(options.seed)
        self.network, self.shape = network.eval(), shape
        graph = network_graph(self.network, torch.zeros(1, *shape))
        self.layers = graph.output_names
        labels = rng.integers(options.n_clusters, size=len(graph.layer_of_unit))
        hidden = np.isin(graph.layer_of_unit, graph.hidden_layers)
        self.sets = sub_cluster_sets(
            np.where(hidden, labels, -1), graph.layer_of_unit, n_random=options.n_random, rng=rng
        )
        self.x = torch.from_numpy(rng.random((n_images, *shape), np.float32))
        self.y = torch.from_numpy(rng.integers(10, size=n_images))
        # for the slow ways, the first set of layers from all over the network
        first = [
            next(each for each in self.sets if each.layer == layer)
            for layer in sorted({each.layer for each in self.sets})
        ]
        places = np.linspace(0, len(first) - 1, min(options.n_plain, len(first))).astype(int)
        self.some = [first[place] for place in places]

    def lesions(self) -> None:
        set_lesions(self.network, self.x, self.y, self.sets, self.layers)

    @torch.no_grad()
    def plain_lesions(self) -> None:
        for each in self.some:
            units = torch.from_numpy(each.units[0])[:, None, None]
            layer = self.network.get_submodule(self.layers[each.layer])
            hook = layer.register_forward_hook(lambda _, __, out, u=units: out.masked_fill(u, 0))
            self.network(self.x).argmax(1)
            hook.remove()

    def visualizations(self) -> dict[int, float]:
        """A batch for each layer; the score of its first set."""
        return {
            layer: self._first_score([each for each in self.sets if each.layer == layer])
            for layer in sorted({each.layer for each in self.sets})
        }

    def visualizations_alone(self) -> dict[int, float]:
        """The same function, but one set at a time."""
        return {each.layer: self._first_score([each], n_units=1) for each in self.some}

    def _first_score(self, sets: list[UnitSets], n_units: int | None = None) -> float:
        layer = sets[0].layer
        found = visualize(
            self.network,
            self.layers[layer],
            np.concatenate([each.units for each in sets])[:n_units],
            self.shape,
            rng=np.random.default_rng(layer),
            n_steps=self.options.n_steps,
        )
        return float(found.score[0])

    def plain_visualizations(self) -> None:
        for each in self.some:
            self._plain_visualization(each.layer, torch.from_numpy(each.units[0]))

    def _plain_visualization(self, layer: int, units: torch.Tensor) -> None:
        kept: list[torch.Tensor] = []
        module = self.network.get_submodule(self.layers[layer])
        hook = module.register_forward_hook(lambda _, __, out: kept.append(out.clone()))
        _, height, width = self.shape
        spectrum = (0.01 * torch.randn(1, 2, 3, height, width // 2 + 1)).requires_grad_()
        optimizer = torch.optim.Adam([spectrum], lr=0.05)
        for _ in range(self.options.n_steps):
            kept.clear()
            optimizer.zero_grad()
            self.network(images_of(spectrum, (height, width)))
            (-kept[0].mean((2, 3)).abs()[0, units].sum()).backward()
            optimizer.step()
        hook.remove()


def in_turns(ways: dict[str, Callable[[], Any]], repeats: int) -> dict[str, tuple[float, Any]]:
    """The fastest time of each way, and what it gave last."""
    found: dict[str, tuple[float, Any]] = {}
    # in turns, so that a busy minute of the machine does not hit one way alone
    for repeat in range(repeats):
        for name, way in ways.items():
            print(f"{name}: {repeat + 1} of {repeats} ...", flush=True)
            taken, gave = seconds(way)
            found[name] = min(taken, found[name][0]) if name in found else taken, gave
    return found


def photographs(options: argparse.Namespace) -> Work:
    """A network of torchvision, for images in colour."""
    torch.manual_seed(options.seed)
    network = getattr(torchvision.models, options.network)(weights=None)
    return Work(options, network, (3, options.side, options.side), options.n_images)


def digits(options: argparse.Namespace) -> Work:
    """Paper B's network for MNIST, in the order of channels in which it is trained."""
    torch.manual_seed(options.seed)
    network = small_cnn(CnnSettings()).to(memory_format=torch.channels_last)
    return Work(options, network, (1, 28, 28), options.n_digits)


def measure(work: Work, small: Work) -> dict[str, dict[str, float]]:
    """Seconds a set of every way, and how many times as long as ours the others take."""
    ways: dict[str, Callable[[], Any]] = {
        "lesions": work.lesions,
        "lesions, a forward pass each": work.plain_lesions,
        "lesions of paper B's CNN": small.lesions,
        "lesions of paper B's CNN, a forward pass each": small.plain_lesions,
        "visualizations": work.visualizations,
        "visualizations, each alone": work.visualizations_alone,
        "visualizations, each through the whole network": work.plain_visualizations,
    }
    found = in_turns(ways, work.options.repeats)
    results: dict[str, dict[str, float]] = {}
    for name, (taken, _) in found.items():
        own, _, slow = name.partition(",")
        of = small if own.endswith("CNN") else work
        per_set = taken / (len(of.some) if slow else sum(len(each.units) for each in of.sets))
        ours = results[own]["seconds"] if slow else per_set
        results[name] = {"seconds": per_set, "ratio": per_set / ours}
    together, alone = (found[name][1] for name in ("visualizations", "visualizations, each alone"))
    off = [abs(together[layer] / score - 1) for layer, score in alone.items()]
    results["visualizations, each alone"]["max_relative_difference"] = max(off)
    return results


def main() -> None:
    options = parse()
    torch.set_num_threads(options.threads)
    work = photographs(options)
    found = measure(work, digits(options))
    print()
    print_table(
        ["way", "s per set", "times as long"],
        [[name, f"{way['seconds']:.4f}", f"{way['ratio']:.1f}"] for name, way in found.items()],
    )
    settings = {
        key: getattr(options, key)
        for key in (
            *("network", "threads", "n_images", "side", "n_digits", "n_clusters", "n_random"),
            *("n_steps", "n_plain", "repeats", "seed"),
        )
    }
    results = {
        "sets": sum(len(each.units) for each in work.sets),
        "per_set": found,
        "peak_mb": round(resource.getrusage(resource.RUSAGE_SELF).ru_maxrss / 1024),
    }
    write(options.out, {"machine": machine(), "settings": settings, **results})


if __name__ == "__main__":
    main()
