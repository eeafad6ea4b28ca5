"""Nulls: networks with the same weights in other places, and the test against them.

Paper A, sections 3 and 3.3. A trained network is more clusterable than its weights alone explain
if its n-cut is below those of shuffled copies. Shuffle mode `layer` permutes all weights of each
matrix; `layer-nonzero` permutes the non-zero ones among their places, which keeps the topology.
"""

from __future__ import annotations

import copy
import math
from collections.abc import Sequence
from dataclasses import dataclass
from typing import Literal

import joblib
import numpy as np
import torch
from numpy.typing import NDArray
from torch import Tensor

from modclust_utils.clustering import as_magnitudes, check_count, check_sides, ncut_layered
from modclust_utils.graphs import Matrix, check_weights, drop_dead_units
from modclust_utils.kmeans import draw_uniforms, kmeans
from modclust_utils.models import glorot_mlp
from modclust_utils.spectral import LayeredGraphs, embed_layered
from modclust_utils.stats import empirical_p_value, z_score

Mode = Literal["layer", "layer-nonzero"]
MODES: tuple[Mode, ...] = ("layer", "layer-nonzero")
# Graphs that k-means takes together; a GPU needs more of them to be busy.
_KMEANS_BATCH = 8
_GPU_BATCH = 64
_PARTS_PER_JOB = 4


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
    shuffled = np.zeros_like(flat)
    shuffled[_new_places(flat.size, places, mode, rng)] = flat[places]
    shuffled = shuffled.reshape(tuple(weight.shape))
    return torch.from_numpy(shuffled) if isinstance(weight, Tensor) else shuffled


def _new_places(
    size: int, places: NDArray[np.intp], mode: Mode, rng: np.random.Generator
) -> NDArray[np.intp]:
    """Where the non-zero entries at `places` of `size` go. Zeros are alike: a permutation of all
    entries is a random choice of places for the others."""
    if mode == "layer":
        return rng.choice(size, places.size, replace=False)
    return rng.permutation(places)


class _Shuffler:
    """Many shuffles of one network: on a CPU, what they share is looked up once."""

    def __init__(self, magnitudes: Sequence[Tensor], mode: Mode) -> None:
        self.mode: Mode = mode
        self.shapes = [tuple(m.shape) for m in magnitudes]
        self.on_device = None if magnitudes[0].device.type == "cpu" else list(magnitudes)
        if self.on_device is None:
            flat = [m.numpy().ravel() for m in magnitudes]
            self.places = [np.flatnonzero(f) for f in flat]
            self.values = [f[places] for f, places in zip(flat, self.places, strict=True)]

    def graphs(self, rngs: Sequence[np.random.Generator]) -> list[LayeredGraphs]:
        """Shuffle s is that of `shuffle_weights` with rngs[s]: one batch on a GPU; on a CPU one by
        one, whose arrays fit into its cache."""
        if self.on_device is None:
            return [self._on_cpu(rng) for rng in rngs]
        each = [[_shuffled(m, self.mode, rng) for m in self.on_device] for rng in rngs]
        return [LayeredGraphs([torch.stack(layer) for layer in zip(*each, strict=True)])]

    def _on_cpu(self, rng: np.random.Generator) -> LayeredGraphs:
        layers = []
        for shape, places, values in zip(self.shapes, self.places, self.values, strict=True):
            layer = np.zeros((1, *shape), np.float32)
            flat = layer.reshape(-1)
            flat[_new_places(flat.size, places, self.mode, rng)] = values
            layers.append(torch.from_numpy(layer))
        return LayeredGraphs(layers)


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
    shuffler = _Shuffler(magnitudes, mode)
    own = ([LayeredGraphs([m[None] for m in magnitudes])], counts, n_init, [own_rng])
    if n_jobs == 1 or magnitudes[0].device.type != "cpu":
        parts = [_ncuts(*own), _null_ncuts(shuffler, counts, n_init, rngs)]
    else:
        # a few parts for each process: sending a part costs about as much as a shuffle
        size = max(1, math.ceil(n_shuffles / (_PARTS_PER_JOB * joblib.effective_n_jobs(n_jobs))))
        with joblib.parallel_config("loky", inner_max_num_threads=1):
            parts = joblib.Parallel(n_jobs=n_jobs)(
                [
                    joblib.delayed(_ncuts)(*own),
                    *(
                        joblib.delayed(_null_ncuts)(shuffler, counts, n_init, rngs[i : i + size])
                        for i in range(0, n_shuffles, size)
                    ),
                ]
            )
    ncuts = torch.cat(parts).cpu().numpy()
    return [_test(float(ncuts[0, i]), ncuts[1:, i].copy()) for i in range(len(counts))]


def _test(ncut: float, null_ncuts: NDArray[np.float64]) -> ShuffleTest:
    return ShuffleTest(
        ncut=ncut,
        null_ncuts=null_ncuts,
        p_value=empirical_p_value(ncut, null_ncuts, tail="lower"),
        z_score=z_score(ncut, null_ncuts),
    )


def _null_ncuts(
    shuffler: _Shuffler, clusters: list[int], n_init: int, rngs: list[np.random.Generator]
) -> Tensor:
    """n-cuts ``(len(rngs), len(clusters))`` of one shuffle for each random stream."""
    parts = []
    size = _KMEANS_BATCH if shuffler.on_device is None else _GPU_BATCH
    for start in range(0, len(rngs), size):
        batch = rngs[start : start + size]
        parts.append(_ncuts(shuffler.graphs(batch), clusters, n_init, batch))
    return torch.cat(parts)


def _ncuts(
    graphs: list[LayeredGraphs],
    clusters: list[int],
    n_init: int,
    rngs: list[np.random.Generator],
) -> Tensor:
    """n-cuts ``(S, len(clusters))`` of S networks of one shape, each with its random stream.

    The graphs come as one batch, or one by one: then only k-means, which handles small arrays,
    takes them all together.
    """
    check_sides(graphs[0], max(clusters))
    parts = [embed_layered(each, max(clusters)) for each in graphs]
    embedding, degrees = (torch.cat(each) for each in zip(*parts, strict=True))
    ncuts = []
    for n_clusters in clusters:
        # a copy of each stream, so that a test does not depend on those beside it
        draws = [draw_uniforms(n_clusters, n_init, copy.deepcopy(rng)) for rng in rngs]
        uniforms = torch.from_numpy(np.stack(draws)).to(degrees.device)
        labels = kmeans(embedding[:, :, :n_clusters], degrees > 0, uniforms)
        values = [
            ncut_layered(each, own, n_clusters)
            for each, own in zip(graphs, labels.split([g.n_graphs for g in graphs]), strict=True)
        ]
        ncuts.append(torch.cat(values))
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
    for start in range(0, n_networks, _KMEANS_BATCH):
        batch = rngs[start : start + _KMEANS_BATCH]
        seeds = [int(r.integers(2**31)) for r in batch]
        networks = glorot_mlp(layer_sizes, seeds=seeds, device=device)
        graphs = LayeredGraphs([w.abs() for w in networks.weights])
        ncuts.append(_ncuts([graphs], [n_clusters], n_init, batch)[:, 0].cpu().numpy())
    return np.concatenate(ncuts)
