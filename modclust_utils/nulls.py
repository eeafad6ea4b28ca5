"""Nulls: the test of a network against its shuffles, and networks that were not trained.

Paper A, sections 3 and 3.3. A trained network is more clusterable than its weights alone explain
if its n-cut is below those of shuffled copies (module `shuffles`).
"""

from __future__ import annotations

import copy
import math
from collections.abc import Sequence
from dataclasses import dataclass

import joblib
import numpy as np
import torch
from numpy.typing import NDArray
from torch import Tensor

from modclust_utils.clustering import as_magnitudes, check_sides, ncut_layered
from modclust_utils.doors import as_choice, as_count, as_jobs, as_list, as_rng, as_sizes
from modclust_utils.graphs import drop_dead_units
from modclust_utils.kmeans import draw_uniforms, kmeans
from modclust_utils.models import glorot_mlp, resolve_device
from modclust_utils.network_doors import Matrix, as_weights
from modclust_utils.shuffles import MODES, Mode, Shuffler, shuffle_weights
from modclust_utils.spectral import LayeredGraphs, embed_layered
from modclust_utils.stats import empirical_p_value, z_score
from modclust_utils.threads import one_thread

__all__ = [
    "MODES",
    "Mode",
    "ShuffleTest",
    "random_ncuts",
    "shuffle_test",
    "shuffle_tests",
    "shuffle_weights",
]

# Graphs that k-means takes together; a GPU needs more of them to be busy.
_KMEANS_BATCH = 8
_GPU_BATCH = 64
_PARTS_PER_JOB = 4


@dataclass(frozen=True)
class ShuffleTest:
    """A network's n-cut against those of its shuffles.

    null_ncuts: ``(n_shuffles,)``; p_value: one-sided, small where the network is more clusterable
    than its shuffles, those with the same n-cut counted against it; z_score: in population standard
    deviations of the null, negative there, NaN where the null has no spread.
    """

    ncut: float
    null_ncuts: NDArray[np.float64]
    p_value: float
    z_score: float


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
    """Test whether a network is more clusterable than shuffles of its weights.

    The n-cut of the network is compared with those of `n_shuffles` shuffled networks. Units without
    an edge are dropped first, the reduced matrices are shuffled, and units that then have none are
    left out again.

    Parameters
    ----------
    weights : sequence of arrays or tensors ``(n_out, n_in)``
        From the pixels to the logits, in torch layout.
    n_clusters : int
        As in `clustering.cluster_network`; paper A takes 4.
    n_shuffles : int
        Paper A takes 320; the smallest p-value is 1 / (n_shuffles + 1).
    mode : {"layer", "layer-nonzero"}
        As in `shuffle_weights`.
    rng : numpy.random.Generator
        Every shuffle has a random stream of its own, spawned from it, so the result depends neither
        on `n_jobs` nor on how shuffles are batched.
    n_init : int
        Starts of k-means.
    n_jobs : int
        Processes, as joblib counts them; 1 on a GPU.

    Returns
    -------
    ShuffleTest
        ncut, null_ncuts ``(n_shuffles,)``, and where the one stands among the others: p_value
        (`stats.empirical_p_value`, lower tail, ties counted) and z_score (`stats.z_score`).

    Raises
    ------
    ValueError
        For n_shuffles below 1, another mode, bad weights, or a bad number of clusters or starts.

    References
    ----------
    .. [1] Filan et al. 2020, arXiv:2003.04881 (paper A), section 3, Table 1; section 3.3.

    Examples
    --------
    Two networks side by side have an n-cut of 0, as no shuffle has: p = (0 + 1) / (9 + 1).

    >>> two = np.kron(np.eye(2), np.ones((4, 4)))
    >>> rng = np.random.default_rng(0)
    >>> test = shuffle_test([two, two], 2, n_shuffles=9, mode="layer", rng=rng)
    >>> test.ncut, test.p_value
    (0.0, 0.1)
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

    Parameters
    ----------
    weights, n_shuffles, mode, rng, n_init, n_jobs
        As in `shuffle_test`.
    clusters : sequence of int
        Numbers of clusters; paper A takes 4, and 2, 7 and 10 in appendix A.3.

    Returns
    -------
    list of ShuffleTest
        One for each number of clusters, in their order.

    Raises
    ------
    ValueError
        As in `shuffle_test`, and for no numbers of clusters.

    Examples
    --------
    >>> two = np.kron(np.eye(2), np.ones((4, 4)))
    >>> rng = np.random.default_rng(0)
    >>> tests = shuffle_tests([two, two], [1, 2], n_shuffles=9, mode="layer", rng=rng)
    >>> [test.ncut for test in tests]  # one cluster has nothing to cut
    [0.0, 0.0]
    """
    as_choice("mode", mode, MODES)
    if len(clusters := as_list("clusters", clusters, "a list of numbers of clusters")) == 0:
        raise ValueError("clusters=[] is not allowed: one or more numbers of clusters")
    n_jobs = as_jobs(n_jobs)
    counts = [as_count("n_clusters", k) for k in clusters]
    n_init = as_count("n_init", n_init)
    n_shuffles = as_count("n_shuffles", n_shuffles)
    weights, rng = as_weights(weights), as_rng(rng)
    magnitudes = [m[0] for m in as_magnitudes(drop_dead_units(weights))]
    own_rng, *rngs = rng.spawn(n_shuffles + 1)
    shuffler = Shuffler(magnitudes, mode)
    own = ([LayeredGraphs([m[None] for m in magnitudes])], counts, n_init, [own_rng])
    if n_jobs == 1 or magnitudes[0].device.type != "cpu":
        with one_thread():
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
    return [compared(float(ncuts[0, i]), ncuts[1:, i].copy()) for i in range(len(counts))]


def compared(ncut: float, null_ncuts: NDArray[np.float64]) -> ShuffleTest:
    """The test of an n-cut against those of shuffles ``(n_shuffles,)``."""
    return ShuffleTest(
        ncut=ncut,
        null_ncuts=null_ncuts,
        p_value=empirical_p_value(ncut, null_ncuts, tail="lower"),
        z_score=z_score(ncut, null_ncuts),
    )


def _null_ncuts(
    shuffler: Shuffler, clusters: list[int], n_init: int, rngs: list[np.random.Generator]
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
    """n-cuts of freshly initialized networks, clustered like trained ones.

    Parameters
    ----------
    layer_sizes : sequence of int
        Units per layer, from the pixels to the logits.
    n_clusters, n_init
        As in `clustering.cluster_network`.
    n_networks : int
        How many; paper A takes 200.
    rng : numpy.random.Generator
        Every network has a random stream of its own, spawned from it.
    device : str or torch.device
        Where networks are initialized and clustered; another device draws other networks.

    Returns
    -------
    ndarray of float ``(n_networks,)``
        n-cuts of networks from `models.glorot_mlp`.

    Raises
    ------
    ValueError
        For a bad number of networks, clusters or starts.

    References
    ----------
    .. [1] Filan et al. 2020, arXiv:2003.04881 (paper A), section 3, Figure 3.

    Examples
    --------
    >>> ncuts = random_ncuts([6, 5, 4], 2, n_networks=3, rng=np.random.default_rng(0))
    >>> ncuts.shape, bool(((ncuts > 0) & (ncuts < 2)).all())
    ((3,), True)
    """
    n_clusters, n_init = as_count("n_clusters", n_clusters), as_count("n_init", n_init)
    n_networks = as_count("n_networks", n_networks)
    layer_sizes, device = as_sizes(layer_sizes), resolve_device(device)
    ncuts = []
    rngs = as_rng(rng).spawn(n_networks)
    for start in range(0, n_networks, _KMEANS_BATCH):
        batch = rngs[start : start + _KMEANS_BATCH]
        seeds = [int(r.integers(2**31)) for r in batch]
        networks = glorot_mlp(layer_sizes, seeds=seeds, device=device)
        graphs = LayeredGraphs([w.abs() for w in networks.weights])
        with one_thread():
            ncuts.append(_ncuts([graphs], [n_clusters], n_init, batch)[:, 0].cpu().numpy())
    return np.concatenate(ncuts)
