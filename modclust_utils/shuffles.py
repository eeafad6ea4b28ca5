"""Shuffles: the same weights in other places of the same matrices.

Paper A, sections 3 and 3.3. Shuffle mode `layer` permutes all weights of each matrix;
`layer-nonzero` permutes the non-zero ones among their places, which keeps the topology.
"""

from __future__ import annotations

from collections.abc import Sequence
from typing import Literal

import numpy as np
import torch
from numpy.typing import NDArray
from torch import Tensor

from modclust_utils.doors import as_choice, as_rng
from modclust_utils.network_doors import Matrix, as_weights
from modclust_utils.spectral import LayeredGraphs

Mode = Literal["layer", "layer-nonzero"]
MODES: tuple[Mode, ...] = ("layer", "layer-nonzero")


def shuffle_weights(
    weights: Sequence[Matrix], mode: Mode, *, rng: np.random.Generator
) -> list[Matrix]:
    """The same weights in other places of the same matrices.

    Parameters
    ----------
    weights : sequence of arrays or tensors ``(n_out, n_in)``
        From the pixels to the logits, in torch layout.
    mode : {"layer", "layer-nonzero"}
        "layer" permutes all entries of each matrix; "layer-nonzero" permutes the non-zero ones
        among their places, which keeps the topology.
    rng : numpy.random.Generator
        Where the permutations come from. On a GPU it seeds a generator there, which draws others.

    Returns
    -------
    list of arrays or tensors
        New ones of the same types and shapes, on the same device.

    Raises
    ------
    ValueError
        For another mode, or for matrices that do not form a network.

    References
    ----------
    .. [1] Filan et al. 2020, arXiv:2003.04881 (paper A), section 3 ("layer") and section 3.3
       ("layer-nonzero").

    Examples
    --------
    >>> weights = [np.array([[1.0, 0.0, 2.0, 3.0]])]
    >>> (shuffled,) = shuffle_weights(weights, "layer-nonzero", rng=np.random.default_rng(0))
    >>> float(shuffled[0, 1]), np.sort(shuffled)
    (0.0, array([[0., 1., 2., 3.]]))
    """
    as_choice("mode", mode, MODES)
    rng = as_rng(rng)
    return [_shuffled(weight, mode, rng) for weight in as_weights(weights)]


def _shuffled(weight: Matrix, mode: Mode, rng: np.random.Generator) -> Matrix:
    if isinstance(weight, Tensor) and weight.device.type != "cpu":
        return _shuffled_on_device(weight, mode, rng)
    flat = weight.ravel()
    places = np.flatnonzero(flat != 0)
    new_places = _new_places(len(flat), places, mode, rng)
    shuffled = torch.zeros_like(flat) if isinstance(weight, Tensor) else np.zeros_like(flat)
    shuffled[new_places] = flat[places]
    return shuffled.reshape(tuple(weight.shape))


def _new_places(
    size: int, places: NDArray[np.intp], mode: Mode, rng: np.random.Generator
) -> NDArray[np.intp]:
    """Where the non-zero entries at `places` of `size` go. Zeros are alike: a permutation of all
    entries is a random choice of places for the others."""
    if mode == "layer":
        return rng.choice(size, places.size, replace=False)
    return rng.permutation(places)


class Shuffler:
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
