"""Lesions and feature visualizations of a convolutional network against the plain way.

A lesion the plain way is a whole forward pass with the channels set to 0 by a hook; a visualization
is one image at a time through the whole network. Both are done for a few of the sets; the time is
per set.
"""

from __future__ import annotations

import argparse
import resource
from pathlib import Path
from typing import Any

import numpy as np
import torch
import torchvision
from report import RESULTS, machine, print_table, seconds, write

from modclust_utils.graphs import network_graph
from modclust_utils.specialization import set_lesions, sub_cluster_sets
from modclust_utils.visualization import images_of, visualize


def parse() -> argparse.Namespace:
    parser = argparse.ArgumentParser(description=__doc__.splitlines()[0])
    parser.add_argument("--network", default="squeezenet1_0")
    parser.add_argument("--threads", type=int, default=1)
    parser.add_argument("--n-images", type=int, default=16, help="test images")
    parser.add_argument("--side", type=int, default=96, help="of an image, in pixels")
    parser.add_argument("--n-clusters", type=int, default=4, help="labels in each layer")
    parser.add_argument("--n-random", type=int, default=1)
    parser.add_argument("--n-steps", type=int, default=8)
    parser.add_argument("--n-plain", type=int, default=12, help="sets for the plain ways")
    parser.add_argument("--seed", type=int, default=0)
    parser.add_argument("--out", type=Path, default=RESULTS / "specialization.json")
    return parser.parse_args()


class Work:
    """A network before training, random labels of its channels, and images."""

    def __init__(self, options: argparse.Namespace) -> None:
        self.options, rng = options, np.random.default_rng(options.seed)
        torch.manual_seed(options.seed)
        self.network = getattr(torchvision.models, options.network)(weights=None).eval()
        self.shape = (3, options.side, options.side)
        graph = network_graph(self.network, torch.zeros(1, *self.shape))
        self.layers = graph.output_names
        labels = rng.integers(options.n_clusters, size=len(graph.layer_of_unit))
        self.sets = sub_cluster_sets(
            labels, graph.layer_of_unit, n_random=options.n_random, rng=rng
        )
        self.x = torch.from_numpy(rng.random((options.n_images, *self.shape), np.float32))
        self.y = torch.from_numpy(rng.integers(1000, size=options.n_images))
        # for the plain ways, sets from all layers alike
        places = np.linspace(0, len(self.sets) - 1, options.n_plain).astype(int)
        self.some = [self.sets[place] for place in places]

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

    def visualizations(self) -> np.ndarray:
        found = []
        for layer in sorted({each.layer for each in self.sets}):
            units = np.concatenate([each.units for each in self.sets if each.layer == layer])
            shown = visualize(
                self.network,
                self.layers[layer],
                units,
                self.shape,
                rng=np.random.default_rng(layer),
                n_steps=self.options.n_steps,
            )
            found.append(shown.score)
        return np.concatenate(found)

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


def main() -> None:
    options = parse()
    torch.set_num_threads(options.threads)
    work = Work(options)
    n_sets = sum(len(each.units) for each in work.sets)
    ways: dict[str, Any] = {}
    rows = []
    for name, ours, plain in (
        ("lesions", work.lesions, work.plain_lesions),
        ("visualizations", work.visualizations, work.plain_visualizations),
    ):
        print(f"{name} ...", flush=True)
        taken, plainly = seconds(ours)[0] / n_sets, seconds(plain)[0] / len(work.some)
        ways[name] = {"seconds": taken, "plain_seconds": plainly, "ratio": plainly / taken}
        rows.append([name, f"{taken:.3f}", f"{plainly:.3f}", f"{plainly / taken:.1f}"])
    print()
    print_table(["", "s per set", "plain way", "times as long"], rows)
    settings = {
        key: getattr(options, key)
        for key in ("network", "threads", "n_images", "side", "n_steps", "n_plain", "seed")
    }
    results = {
        "sets": n_sets,
        "per_set": ways,
        "peak_mb": round(resource.getrusage(resource.RUSAGE_SELF).ru_maxrss / 1024),
    }
    write(options.out, {"machine": machine(), "settings": settings, **results})


if __name__ == "__main__":
    main()
