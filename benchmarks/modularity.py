"""Monte Carlo moves with maintained sums against Q computed anew for every move, and Leiden.

Both ways make the same walk: the same units and clusters from the same random numbers. The plain
way is what one would write from the printed algorithm: the trace of equation 8 for every cluster
that the unit could move to, one matrix after the other. Beyond it, how good the clusters are: Q*
of Monte Carlo as in paper C, of ten starts of Leiden, and of both for nulls of the same strengths.
"""

from __future__ import annotations

import argparse
from collections.abc import Callable
from importlib.metadata import version
from itertools import count
from pathlib import Path
from typing import Any

import numpy as np
from report import RESULTS, machine, mean_and_error, print_table, seconds, write
from threadpoolctl import threadpool_limits

from modclust_utils.modularity import (
    ModularClusters,
    maximize_modularity,
    n_effective_clusters,
)
from modclust_utils.modularity_search import move_probabilities
from modclust_utils.strength_nulls import strength_null

ENTROPY = 0.15


def parse() -> argparse.Namespace:
    parser = argparse.ArgumentParser(description=__doc__.splitlines()[0])
    parser.add_argument("--n-matrices", type=int, default=512)
    parser.add_argument("--n-units", type=int, default=64)
    parser.add_argument("--n-samples", type=int, default=200, help="of each covariance")
    parser.add_argument("--n-steps", type=int, default=5000)
    parser.add_argument("--n-plain", type=int, default=4, help="matrices for the plain way")
    parser.add_argument("--n-starts", type=int, default=10, help="of Leiden")
    parser.add_argument("--repeats", type=int, default=3, help="times; the fastest counts")
    parser.add_argument("--seed", type=int, default=0)
    parser.add_argument("--out", type=Path, default=RESULTS / "modularity.json")
    return parser.parse_args()


def covariances(n_matrices: int, n_units: int, n_samples: int, seed: int) -> np.ndarray:
    """|covariance| of random mixtures: `n_units` of as many independent sources."""
    rng = np.random.default_rng(seed)
    shapes = (n_matrices, n_samples, n_units), (n_matrices, n_units, n_units)
    values = rng.normal(size=shapes[0]) @ rng.normal(size=shapes[1])
    values -= values.mean(1, keepdims=True)
    return np.abs(values.mT @ values) / n_samples


def trace_q(beyond: np.ndarray, labels: np.ndarray) -> float:
    p = 1.0 * (labels[:, None] == np.arange(labels.max() + 1))
    return float(np.trace(p.T @ beyond @ p))


def plain_walk(
    similarity: np.ndarray, start: np.ndarray, stream: np.random.Generator, n_steps: int
) -> float:
    """Algorithm 3 of paper C: the best Q seen on the walk."""
    adjacency = similarity * (1 - np.eye(len(similarity)))
    normalized = adjacency / adjacency.sum()
    strengths = normalized.sum(1)
    beyond = normalized - np.outer(strengths, strengths)
    labels, best = start.copy(), trace_q(beyond, start)
    for _ in range(n_steps):
        place, uniform = stream.random(2)
        unit = int(place * len(labels))
        own, used = labels[unit], set(labels.tolist())
        free = next(c for c in count() if c not in used)
        alone = np.count_nonzero(labels == own) == 1
        clusters = sorted(used if alone else used | {free})
        scores = []
        for cluster in clusters:
            labels[unit] = cluster
            scores.append(trace_q(beyond, labels))
        best = max(best, *scores)
        p = move_probabilities(scores, ENTROPY)
        labels[unit] = clusters[int((p.cumsum() <= uniform).sum())]
    return best


def search(similarity: np.ndarray, seed: int, **options: Any) -> ModularClusters:
    return maximize_modularity(similarity, rng=np.random.default_rng(seed), **options)


def fastest(repeats: int, works: list[Callable[[], Any]]) -> list[tuple[float, Any]]:
    """Each work's shortest time and what it gave; in turns, so that a busy minute hits all."""
    rounds = [[seconds(work) for work in works] for _ in range(repeats)]
    return [min(each, key=lambda found: found[0]) for each in zip(*rounds, strict=True)]


def compare_walks(similarities: np.ndarray, options: argparse.Namespace) -> dict[str, Any]:
    """Microseconds of a step, start not counted, and how far both ways' Q differ."""
    few, n_steps = similarities[: options.n_plain], options.n_steps
    start = search(few, options.seed, n_steps=0)

    def plain() -> list[float]:
        streams = np.random.default_rng(options.seed).spawn(len(few))
        each = zip(few, start.labels, streams, strict=True)
        return [plain_walk(matrix, labels, stream, n_steps) for matrix, labels, stream in each]

    def walks(batch: np.ndarray, n: int) -> Callable[[], ModularClusters]:
        return lambda: search(batch, options.seed, n_steps=n, entropy=ENTROPY)

    works = [plain, walks(few[0], 0), walks(few[0], n_steps)]
    works += [walks(similarities, 0), walks(similarities, n_steps)]
    slow, one_start, one, all_start, all_ = fastest(options.repeats, works)
    plain_us = 1e6 * slow[0] / (len(few) * n_steps)
    one_us = 1e6 * (one[0] - one_start[0]) / n_steps
    batch_us = 1e6 * (all_[0] - all_start[0]) / (len(similarities) * n_steps)
    return {
        "plain_us_per_step": plain_us,
        "alone_us_per_step": one_us,
        "batch_us_per_step": batch_us,
        "ratio_alone": plain_us / one_us,
        "ratio_batch": plain_us / batch_us,
        "start_ms_per_matrix": 1e3 * all_start[0] / len(similarities),
        "seconds_batch": all_[0],
        "max_q_difference": float(np.abs(all_[1].q[: len(few)] - slow[1]).max()),
    }


def compare_searches(similarities: np.ndarray, options: argparse.Namespace) -> dict[str, Any]:
    """Q of the spectral start, of Monte Carlo and of Leiden, with the mean's standard error."""
    n = len(similarities)
    taken, walk = seconds(lambda: search(similarities, options.seed, n_steps=options.n_steps))
    other_taken, leiden = seconds(
        lambda: search(
            similarities, options.seed, n_steps=0, method="leiden", n_starts=options.n_starts
        )
    )
    better = leiden.q - walk.q
    return {
        "q_start": mean_and_error(walk.q_start),
        "q_monte_carlo": mean_and_error(walk.q),
        "q_leiden": mean_and_error(leiden.q),
        "leiden_minus_monte_carlo": mean_and_error(better),
        "share_leiden_better": float((better > 1e-12).mean()),
        "share_equal": float((np.abs(better) <= 1e-12).mean()),
        "share_monte_carlo_better": float((better < -1e-12).mean()),
        "n_clusters_monte_carlo": mean_and_error(n_effective_clusters(walk.labels)),
        "n_clusters_leiden": mean_and_error(n_effective_clusters(leiden.labels)),
        "ms_monte_carlo": 1e3 * taken / n,
        "ms_leiden": 1e3 * other_taken / n,
    }


def main() -> None:
    options = parse()
    shape = options.n_matrices, options.n_units, options.n_samples
    similarities = covariances(*shape, options.seed)
    with threadpool_limits(1):
        walks = compare_walks(similarities, options)
        print_table(
            ["way", "microseconds per step and matrix", "times as fast"],
            [
                ["Q anew for every move", f"{walks['plain_us_per_step']:.0f}", ""],
                ["one matrix", f"{walks['alone_us_per_step']:.0f}", f"{walks['ratio_alone']:.1f}"],
                [
                    f"{len(similarities)} matrices side by side",
                    f"{walks['batch_us_per_step']:.2f}",
                    f"{walks['ratio_batch']:.0f}",
                ],
            ],
        )
        print(f"largest difference of Q: {walks['max_q_difference']:.1e}\n")
        nulls = strength_null(similarities, rng=np.random.default_rng(options.seed))
        searches = {
            "covariance": compare_searches(similarities, options),
            "null of the same strengths": compare_searches(nulls, options),
        }
    header = ["matrices", "start: Q", "Monte Carlo: Q", "Leiden: Q", "better", "equal", "worse"]
    rows = [
        [
            name,
            *(f"{found[key][0]:.4f}" for key in ("q_start", "q_monte_carlo", "q_leiden")),
            f"{found['share_leiden_better']:.0%}",
            f"{found['share_equal']:.0%}",
            f"{found['share_monte_carlo_better']:.0%}",
        ]
        for name, found in searches.items()
    ]
    print_table(header, rows)
    settings = {
        "n_matrices": options.n_matrices,
        "n_units": options.n_units,
        "n_samples": options.n_samples,
        "n_steps": options.n_steps,
        "entropy": ENTROPY,
        "n_plain": options.n_plain,
        "n_starts": options.n_starts,
        "threads": 1,
        "repeats": options.repeats,
        "seed": options.seed,
        "igraph": version("igraph"),
    }
    found = {"machine": machine(), "settings": settings, "walks": walks, "searches": searches}
    write(options.out, found)


if __name__ == "__main__":
    main()
