"""The shuffle test of a convolutional network against a loop over scikit-learn.

Both cluster the channel graph of a torchvision network and its shuffles, and compute the n-cuts.
scikit-learn does it for a few of the graphs, with each eigensolver; its time is per graph.
"""

from __future__ import annotations

import argparse
import resource
import warnings
from collections.abc import Callable
from pathlib import Path
from typing import Any

import joblib
import numpy as np
import torch
import torchvision
from report import RESULTS, machine, mean_and_error, print_table, seconds, write
from threadpoolctl import threadpool_limits

from modclust_utils.clustering import ncut, sklearn_spectral_clustering
from modclust_utils.graph_nulls import GRAPH_MODES, graph_shuffle_test, shuffle_graph
from modclust_utils.graphs import NetworkGraph, network_graph

OURS = "modclust_utils"


def parse() -> argparse.Namespace:
    parser = argparse.ArgumentParser(description=__doc__.splitlines()[0])
    parser.add_argument("--networks", nargs="+", default=["vgg16", "resnet18"])
    parser.add_argument("--jobs", type=int, default=joblib.cpu_count(), help="processes of ours")
    parser.add_argument("--n-shuffles", type=int, default=100)
    parser.add_argument("--n-plain", type=int, default=8, help="graphs for scikit-learn")
    parser.add_argument("--solvers", nargs="+", default=["arpack", "lobpcg"])
    parser.add_argument("--n-clusters", type=int, default=12)
    parser.add_argument("--n-init", type=int, default=10, help="k-means starts")
    parser.add_argument("--mode", choices=GRAPH_MODES, default="layer")
    parser.add_argument("--seed", type=int, default=0)
    parser.add_argument("--out", type=Path, default=RESULTS / "graph_clusters.json")
    return parser.parse_args()


def graph_of(name: str, seed: int) -> NetworkGraph:
    """A network of torchvision as it is before training."""
    torch.manual_seed(seed)
    network = getattr(torchvision.models, name)(weights=None)
    return network_graph(network, torch.zeros(1, 3, 64, 64))


def package_ncuts(graph: NetworkGraph, options: argparse.Namespace) -> np.ndarray:
    test = graph_shuffle_test(
        graph,
        options.n_clusters,
        n_shuffles=options.n_shuffles,
        mode=options.mode,
        rng=np.random.default_rng(options.seed),
        n_init=options.n_init,
        n_jobs=options.jobs,
    )
    return np.array([test.ncut, *test.null_ncuts])


def plain_ncuts(graph: NetworkGraph, solver: str, options: argparse.Namespace) -> np.ndarray:
    """The network and its first shuffles, from the same streams, one after the other."""
    rngs = np.random.default_rng(options.seed).spawn(options.n_shuffles + 1)
    found = []
    for index, rng in enumerate(rngs[: options.n_plain]):
        each = graph if index == 0 else shuffle_graph(graph, options.mode, rng=rng)
        with warnings.catch_warnings():
            warnings.filterwarnings("ignore", message="Exited")
            labels = sklearn_spectral_clustering(
                each.adjacency,
                options.n_clusters,
                n_init=options.n_init,
                rng=rng,
                eigen_solver=solver,
            )
        found.append(ncut(each.adjacency, labels))
    return np.array(found)


def warm_up(options: argparse.Namespace) -> None:
    """Processes start and import once; the test uses them afterwards."""
    network = torch.nn.Sequential(torch.nn.Conv2d(3, 4, 1), torch.nn.Conv2d(4, 4, 1))
    graph = network_graph(network, torch.zeros(1, 3, 2, 2))
    small = argparse.Namespace(**{**vars(options), "n_clusters": 2, "n_shuffles": 8})
    package_ncuts(graph, small)


def measure(graph: NetworkGraph, options: argparse.Namespace) -> dict[str, Any]:
    """Seconds per graph of each way, and how its n-cuts differ from ours."""
    ways: dict[str, Callable[[], np.ndarray]] = {
        OURS: lambda: package_ncuts(graph, options),
        **{
            f"scikit-learn, {solver}": lambda s=solver: plain_ncuts(graph, s, options)
            for solver in options.solvers
        },
    }
    found: dict[str, Any] = {}
    own: np.ndarray | None = None
    for name, work in ways.items():
        print(f"{name} ...", flush=True)
        with threadpool_limits(options.jobs):
            taken, ncuts = seconds(work)
        own = ncuts if own is None else own
        mean, error = mean_and_error(own[: len(ncuts)] - ncuts)
        found[name] = {
            "graphs": len(ncuts),
            "seconds": taken,
            "seconds_per_graph": taken / len(ncuts),
            "ncut_mean": float(ncuts.mean()),
            "ncut_difference": mean,
            "ncut_difference_error": error,
        }
    for way in found.values():
        way["ratio"] = way["seconds_per_graph"] / found[OURS]["seconds_per_graph"]
    return found


def main() -> None:
    options = parse()
    torch.set_num_threads(options.jobs)
    warm_up(options)
    results: dict[str, Any] = {}
    rows = []
    for name in options.networks:
        graph = graph_of(name, options.seed)
        found = measure(graph, options)
        results[name] = {"units": len(graph.layer_of_unit), "ways": found}
        for way, its in found.items():
            error = its["ncut_difference_error"]
            rows.append(
                [
                    f"{name}, {way}",
                    str(its["graphs"]),
                    f"{its['seconds_per_graph']:.2f}",
                    f"{its['ratio']:.1f}",
                    f"{its['ncut_difference']:+.4f}",
                    "?" if error is None else f"{error:.4f}",
                ]
            )
    print()
    header = ["network, way", "graphs", "s per graph", "times as long"]
    print_table([*header, "n-cut: ours minus its", "± se"], rows)
    settings = {
        key: getattr(options, key)
        for key in ("n_clusters", "n_shuffles", "n_plain", "n_init", "mode", "jobs", "seed")
    }
    usage = max(
        resource.getrusage(who).ru_maxrss
        for who in (resource.RUSAGE_SELF, resource.RUSAGE_CHILDREN)
    )
    results = {"networks": results, "peak_mb_of_a_process": round(usage / 1024)}
    write(options.out, {"machine": machine(), "settings": settings, **results})


if __name__ == "__main__":
    main()
