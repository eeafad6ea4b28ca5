"""Nulls: networks with the same weights in other places, and the test against them.

Paper A, sections 3 and 3.3. A trained network is more clusterable than its weights alone explain
if its n-cut is below those of shuffled copies. Shuffle mode `layer` permutes all weights of each
matrix; `layer-nonzero` permutes the non-zero ones among their places, which keeps the topology.
"""

from __future__ import annotations

import copy
from collections.abc import Sequence
from dataclasses import dataclass
from typing import Literal

import joblib
import numpy as np
import torch
from numpy.typing import NDArray
from torch import Tensor

from modclust_utils.clustering import as_magnitudes, check_count, check_sides, cluster_embedded
from modclust_utils.graphs import Matrix, check_weights, drop_dead_units
from modclust_utils.kmeans import draw_uniforms
from modclust_utils.models import glorot_mlp
from modclust_utils.spectral import LayeredGraphs, embed_layered
from modclust_utils.stats import empirical_p_value, z_score

Mode = Literal["layer", "layer-nonzero"]
MODES: tuple[Mode, ...] = ("layer", "layer-nonzero")
_BATCH_CPU = 2
_BATCH_GPU = 64


@dataclass(frozen=True)
class ShuffleTest:
    """A network's n-cut against those of its shuffles.

    null_ncuts: ``(n_shuffles,)``; p_value: one-sided, small where the network is more clusterable
    than its shuffles; z_score: in population standard deviations of the null, negative there.
    """

    ncut: float
    null_ncuts: NDArray[np.float64]
    p_value: float
    z_score: float


def shuffle_weights(
    weights: Sequence[Matrix], mode: Mode, *, rng: np.random.Generator
) -> list[Matrix]:
    """The same weights in other places of the same matrices (paper A, sections 3 and 3.3).

    Mode "layer": each matrix permuted as a whole; "layer-nonzero": its non-zero entries permuted
    among their places. Array type and device are kept; on a GPU the permutations are drawn there.
    Raises ValueError for another mode or for matrices that do not follow each other.
    """
    _check_mode(mode)
    check_weights(weights)
    return [_shuffled(weight, mode, rng) for weight in weights]


def _check_mode(mode: str) -> None:
    if mode not in MODES:
        raise ValueError(f"mode={mode!r} is not allowed: {' or '.join(map(repr, MODES))}")


def _shuffled(weight: Matrix, mode: Mode, rng: np.random.Generator) -> Matrix:
    if isinstance(weight, Tensor) and weight.device.type != "cpu":
        return _shuffled_on_device(weight, mode, rng)
    flat = np.asarray(weight.detach() if isinstance(weight, Tensor) else weight).ravel()
    places = np.flatnonzero(flat)
    # Zeros are alike: a permutation is a random choice of places for the other entries.
    if mode == "layer":
        target = rng.choice(flat.size, places.size, replace=False)
    else:
        target = rng.permutation(places)
    shuffled = np.zeros_like(flat)
    shuffled[target] = flat[places]
    shuffled = shuffled.reshape(tuple(weight.shape))
    return torch.from_numpy(shuffled) if isinstance(weight, Tensor) else shuffled


def _shuffled_on_device(weight: Tensor, mode: Mode, rng: np.random.Generator) -> Tensor:
    generator = torch.Generator(weight.device).manual_seed(int(rng.integers(2**63)))
    flat = weight.detach().flatten()
    if mode == "layer":
        order = torch.randperm(len(flat), generator=generator, device=weight.device)
        return flat[order].view(weight.shape)
    # Sorting random keys, with all zeros last, permutes the others without a look at their number.
    keys = torch.rand(len(flat), generator=generator, device=weight.device)
    by_key = torch.where(flat != 0, keys, 2.0).argsort()
    by_place = (flat == 0).to(torch.int8).argsort(stable=True)
    shuffled = torch.empty_like(flat)
    shuffled[by_place] = flat[by_key]
    return shuffled.view(weight.shape)


def shuffle_test(
    weights: Sequence[Matrix],
    n_clusters: int,
    *,
    n_shuffles: int,
    mode: Mode,
    rng: np.random.Generator,
    n_init: int = 10,
    n_jobs: int = 1,
) -> ShuffleTest:
    """Test a network's n-cut against `n_shuffles` shuffles (paper A, section 3, Table 1).

    Units without an edge are dropped first, the reduced matrices are shuffled, and units that
    then have none are left out again. Every shuffle has its own random stream, so the result
    depends neither on `n_jobs` nor on how shuffles are batched.
    Raises ValueError for n_shuffles below 1, another mode, bad weights, or a bad number of
    clusters.
    """
    return shuffle_tests(
        weights,
        [n_clusters],
        n_shuffles=n_shuffles,
        mode=mode,
        rng=rng,
        n_init=n_init,
        n_jobs=n_jobs,
    )[0]


def shuffle_tests(
    weights: Sequence[Matrix],
    clusters: Sequence[int],
    *,
    n_shuffles: int,
    mode: Mode,
    rng: np.random.Generator,
    n_init: int = 10,
    n_jobs: int = 1,
) -> list[ShuffleTest]:
    """The tests of `shuffle_test` for several numbers of clusters, on the same shuffles.

    Shuffles and eigenvectors serve all of them, so this takes less time than one test after the
    other. Each test is that of `shuffle_test` with the same seed, to rounding.
    """
    _check_mode(mode)
    if len(clusters) == 0:
        raise ValueError("clusters=[] is not allowed: one or more numbers of clusters")
    counts = [check_count("n_clusters", k) for k in clusters]
    n_init = check_count("n_init", n_init)
    n_shuffles = check_count("n_shuffles", n_shuffles)
    check_weights(weights)
    magnitudes = [m[0] for m in as_magnitudes(drop_dead_units(weights))]
    own_rng, *rngs = rng.spawn(n_shuffles + 1)
    own = _ncuts([magnitudes], counts, n_init, [own_rng])[0].cpu().numpy()

    on_cpu = magnitudes[0].device.type == "cpu"
    size = _BATCH_CPU if on_cpu else _BATCH_GPU
    batches = [rngs[i : i + size] for i in range(0, n_shuffles, size)]
    if n_jobs == 1 or not on_cpu:
        parts = [_null_ncuts(magnitudes, counts, n_init, mode, batch) for batch in batches]
    else:
        with joblib.parallel_config("loky", inner_max_num_threads=1):
            parts = joblib.Parallel(n_jobs=n_jobs)(
                joblib.delayed(_null_ncuts)(magnitudes, counts, n_init, mode, batch)
                for batch in batches
            )
    null_ncuts = torch.cat(parts).cpu().numpy()
    return [_test(float(own[i]), null_ncuts[:, i].copy()) for i in range(len(counts))]


def _test(ncut: float, null_ncuts: NDArray[np.float64]) -> ShuffleTest:
    return ShuffleTest(
        ncut=ncut,
        null_ncuts=null_ncuts,
        p_value=empirical_p_value(ncut, null_ncuts, tail="lower"),
        z_score=z_score(ncut, null_ncuts),
    )


def _null_ncuts(
    magnitudes: list[Tensor],
    clusters: list[int],
    n_init: int,
    mode: Mode,
    rngs: list[np.random.Generator],
) -> Tensor:
    shuffles = [[_shuffled(m, mode, rng) for m in magnitudes] for rng in rngs]
    return _ncuts(shuffles, clusters, n_init, rngs)


def _ncuts(
    networks: list[list[Tensor]],
    clusters: list[int],
    n_init: int,
    rngs: list[np.random.Generator],
) -> Tensor:
    """n-cuts ``(S, len(clusters))`` of S networks of one shape, each with its random stream."""
    graphs = LayeredGraphs([torch.stack(layer) for layer in zip(*networks, strict=True)])
    check_sides(graphs, max(clusters))
    embedding, degrees = embed_layered(graphs, max(clusters))
    ncuts = []
    for n_clusters in clusters:
        # a copy of each stream, so that a test does not depend on those beside it
        draws = [draw_uniforms(n_clusters, n_init, copy.deepcopy(rng)) for rng in rngs]
        uniforms = torch.from_numpy(np.stack(draws))
        ncuts.append(cluster_embedded(graphs, embedding, degrees, uniforms)[1])
    return torch.stack(ncuts, 1)


def random_ncuts(
    layer_sizes: Sequence[int],
    n_clusters: int,
    *,
    n_networks: int,
    rng: np.random.Generator,
    n_init: int = 10,
    device: str | torch.device = "cpu",
) -> NDArray[np.float64]:
    """n-cuts ``(n_networks,)`` of freshly initialized networks (paper A, Figure 3)."""
    n_clusters, n_init = check_count("n_clusters", n_clusters), check_count("n_init", n_init)
    n_networks = check_count("n_networks", n_networks)
    ncuts = []
    rngs = rng.spawn(n_networks)
    for start in range(0, n_networks, _BATCH_CPU):
        batch = rngs[start : start + _BATCH_CPU]
        seeds = [int(r.integers(2**31)) for r in batch]
        networks = glorot_mlp(layer_sizes, seeds=seeds, device=device)
        magnitudes = [[w[r].abs() for w in networks.weights] for r in range(len(batch))]
        ncuts.append(_ncuts(magnitudes, [n_clusters], n_init, batch)[:, 0].cpu().numpy())
    return np.concatenate(ncuts)
