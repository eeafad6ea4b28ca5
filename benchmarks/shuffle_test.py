"""The shuffle test of this package against loops over scikit-learn's SpectralClustering.

All do the same work on the same graphs: the network and its shuffles are clustered, and the n-cut
of each clustering is computed. The package is called plainly, with `n_jobs` alone. One core is
compared with one core, and all with all: there scikit-learn runs as most people would write it, a
loop in one process that may use all cores inside, and with its graphs spread over processes of one
thread each, as the package does it.
"""

from __future__ import annotations

import argparse
import warnings
from collections.abc import Callable
from importlib.util import find_spec
from pathlib import Path
from typing import Any

import joblib
import numpy as np
from report import RESULTS, machine, mean_and_error, print_table, seconds, write
from threadpoolctl import threadpool_limits

from modclust_utils import datasets
from modclust_utils.clustering import ncut, sklearn_spectral_clustering
from modclust_utils.graphs import drop_dead_units, layer_sizes, mlp_adjacency
from modclust_utils.nulls import MODES, shuffle_test, shuffle_weights
from modclust_utils.settings import TrainingSettings
from modclust_utils.training import magnitude_mask, train

LOOP, PROCESSES = "loop", "processes"
OWN = "modclust_utils"


def parse() -> argparse.Namespace:
    parser = argparse.ArgumentParser(description=__doc__.splitlines()[0])
    parser.add_argument("--jobs", type=int, default=joblib.cpu_count(), help="processes")
    parser.add_argument("--n-shuffles", type=int, default=40)
    parser.add_argument("--n-clusters", type=int, default=4)
    parser.add_argument("--n-init", type=int, default=10, help="k-means starts")
    parser.add_argument("--mode", choices=MODES, default="layer")
    parser.add_argument("--repeats", type=int, default=3, help="times; the fastest counts")
    parser.add_argument("--seed", type=int, default=0)
    parser.add_argument("--weights", type=Path, help=".npz with weight_0, weight_1, ...")
    parser.add_argument("--out", type=Path, default=RESULTS / "shuffle_test.json")
    return parser.parse_args()


def pruned_network(seed: int, sparsity: float = 0.9) -> list[np.ndarray]:
    """Paper A's network, trained on mnist5k for a moment and pruned to `sparsity`."""
    digits = datasets.load("mnist5k")
    settings = TrainingSettings(epochs=2, pruning_epochs=2, final_sparsity=sparsity)
    trained = train(digits.x_train, digits.y_train, settings, seeds=[seed], device="cpu")
    weights = trained.after.network(0).weights
    return [(weight * magnitude_mask(weight, sparsity)).numpy() for weight in weights]


def read_weights(path: Path) -> list[np.ndarray]:
    with np.load(path) as arrays:
        n_layers = sum(name.startswith("weight_") for name in arrays)
        return [arrays[f"weight_{layer}"] for layer in range(n_layers)]


def plain_ncut(
    magnitudes: list[np.ndarray], index: int, solver: str, options: argparse.Namespace
) -> tuple[float, bool]:
    """The network (index 0) or one shuffle by scikit-learn, from the same streams.

    Its n-cut, and whether the eigensolver said that it had not converged.
    """
    rng = np.random.default_rng(options.seed).spawn(options.n_shuffles + 1)[index]
    if index > 0:
        magnitudes = shuffle_weights(magnitudes, options.mode, rng=rng)
    adjacency = mlp_adjacency(magnitudes)
    with warnings.catch_warnings(record=True) as caught:
        warnings.simplefilter("always")
        labels = sklearn_spectral_clustering(
            adjacency, options.n_clusters, n_init=options.n_init, rng=rng, eigen_solver=solver
        )
    unconverged = any("requested tolerance" in str(warning.message) for warning in caught)
    return ncut(adjacency, labels), unconverged


def plain_ncuts(
    weights: list[np.ndarray], solver: str, kind: str, jobs: int, options: argparse.Namespace
) -> tuple[np.ndarray, int]:
    """n-cuts of the network and its shuffles, and for how many the eigensolver did not converge."""
    magnitudes = [np.abs(weight) for weight in drop_dead_units(weights)]
    indices = range(options.n_shuffles + 1)
    if kind == LOOP:
        with threadpool_limits(jobs):
            found = [plain_ncut(magnitudes, i, solver, options) for i in indices]
    else:
        with joblib.parallel_config("loky", inner_max_num_threads=1):
            found = joblib.Parallel(n_jobs=jobs)(
                joblib.delayed(plain_ncut)(magnitudes, i, solver, options) for i in indices
            )
    ncuts, unconverged = zip(*found, strict=True)
    return np.array(ncuts), sum(unconverged)


def package_ncuts(
    weights: list[np.ndarray], jobs: int, options: argparse.Namespace
) -> tuple[np.ndarray, int]:
    """The same by the package, whose eigenvectors are checked or come from LAPACK."""
    test = shuffle_test(
        weights,
        options.n_clusters,
        n_shuffles=options.n_shuffles,
        mode=options.mode,
        rng=np.random.default_rng(options.seed),
        n_init=options.n_init,
        n_jobs=jobs,
    )
    return np.array([test.ncut, *test.null_ncuts]), 0


def measure(weights: list[np.ndarray], options: argparse.Namespace) -> dict[str, Any]:
    """Fastest of some repeats for each way, and the n-cuts that it found."""
    ways: dict[str, Callable[[], tuple[np.ndarray, int]]] = {}
    for jobs in sorted({1, options.jobs}):
        ways[f"{OWN}, {cores(jobs)}"] = lambda j=jobs: package_ncuts(weights, j, options)
        for solver in ("arpack", "lobpcg", "amg"):
            if solver != "amg" or find_spec("pyamg"):
                for kind in (LOOP, PROCESSES)[: min(jobs, 2)]:
                    ways[f"scikit-learn, {solver}, {kind}, {cores(jobs)}"] = (
                        lambda s=solver, k=kind, j=jobs: plain_ncuts(weights, s, k, j, options)
                    )
    found: dict[str, Any] = {}
    # in turns, so that a busy minute of the machine does not hit one way alone
    for repeat in range(options.repeats):
        for name, work in ways.items():
            print(f"{name}: {repeat + 1} of {options.repeats} ...", flush=True)
            taken, (ncuts, unconverged) = seconds(work)
            best = min(taken, found[name]["seconds"]) if name in found else taken
            found[name] = {"seconds": best, "ncuts": ncuts, "unconverged": unconverged}
    return found


def cores(jobs: int) -> str:
    return "1 core" if jobs == 1 else f"{jobs} cores"


def summary(found: dict[str, Any]) -> tuple[dict[str, Any], list[list[str]]]:
    rows, ways = [], {}
    for name, way in found.items():
        n, used = len(way["ncuts"]), name.rsplit(", ", 1)[1]
        own = found[f"{OWN}, {used}"]
        mean, error = mean_and_error(own["ncuts"] - way["ncuts"])
        ways[name] = {
            "ms_per_graph": 1000 * way["seconds"] / n,
            "ratio": way["seconds"] / own["seconds"],
            "ncut_mean": float(way["ncuts"].mean()),
            "ncut_difference": mean,
            "ncut_difference_error": error,
            "not_converged": way["unconverged"],
        }
        if way is own:
            rows.append([name, f"{ways[name]['ms_per_graph']:.1f}", "1", "", "", ""])
        else:
            spread = "?" if error is None else f"{error:.5f}"
            rows.append(
                [
                    name,
                    f"{ways[name]['ms_per_graph']:.1f}",
                    f"{ways[name]['ratio']:.1f}",
                    f"{mean:+.5f}",
                    spread,
                    f"{way['unconverged']} of {n}",
                ]
            )
    fastest = {}
    for used in dict.fromkeys(name.rsplit(", ", 1)[1] for name in ways):
        plain = [name for name in ways if name.endswith(used) and not name.startswith(OWN)]
        name = min(plain, key=lambda name: ways[name]["ratio"])
        fastest[used] = {"way": name, "ratio": ways[name]["ratio"]}
    return {"ways": ways, "fastest": fastest}, rows


def main() -> None:
    options = parse()
    weights = read_weights(options.weights) if options.weights else pruned_network(options.seed)
    sparsity = 1 - sum(np.count_nonzero(w) for w in weights) / sum(w.size for w in weights)
    shape = "-".join(map(str, layer_sizes(weights)))
    print(f"{shape}, sparsity {sparsity:.3f}, {options.n_shuffles} shuffles, {options.jobs} jobs")
    if options.jobs != 1:
        # processes start and import once, and both kinds of work use them afterwards
        with joblib.parallel_config("loky", inner_max_num_threads=1):
            joblib.Parallel(n_jobs=options.jobs)(
                joblib.delayed(plain_ncut)([np.ones((9, 9))], 0, "arpack", options)
                for _ in range(4 * options.jobs)
            )
    found = measure(weights, options)
    results, rows = summary(found)
    print()
    header = ["way", "ms per graph", "times as long", "n-cut: ours minus its", "± se"]
    print_table([*header, "not converged"], rows)
    print()
    for fastest in results["fastest"].values():
        print(f"{fastest['ratio']:.1f} times as fast as {fastest['way']}")  # both on as many cores
    settings = {
        "layer_sizes": list(layer_sizes(weights)),
        "sparsity": sparsity,
        "n_clusters": options.n_clusters,
        "n_shuffles": options.n_shuffles,
        "n_init": options.n_init,
        "mode": options.mode,
        "jobs": options.jobs,
        "repeats": options.repeats,
        "seed": options.seed,
    }
    write(options.out, {"machine": machine(), "settings": settings, **results})


if __name__ == "__main__":
    main()
