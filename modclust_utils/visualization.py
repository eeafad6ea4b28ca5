"""Feature visualization: images that drive the units of a sub-cluster most (paper B, section 2.3).

Many images at once, each for a set of units of one layer. An image is made of its Fourier
components, scaled so that all of them move alike, and of colours that vary independently in
photographs: both make the search follow what is seen instead of single pixels (Olah et al. 2017).
"""

from __future__ import annotations

from collections.abc import Callable
from dataclasses import dataclass

import numpy as np
import torch
from numpy.typing import ArrayLike, NDArray
from torch import Tensor, nn

from modclust_utils.doors import (
    as_count,
    as_counts,
    as_number,
    as_rng,
    as_units,
    check_finite,
    check_kind,
)
from modclust_utils.evaluation import evaluation_mode
from modclust_utils.lesion_modules import named_layers
from modclust_utils.passes import Operations, Pass

# How red, green and blue of ImageNet's pixels vary together: a square root of their covariance.
_COLOURS = ((0.26, 0.09, 0.02), (0.27, 0.00, -0.05), (0.27, -0.09, 0.03))
# Of the random components that an image starts from.
_START = 0.01
_THREE_SIZES = "three sizes, such as (3, 32, 32)"


@dataclass(frozen=True)
class Visualizations:
    """Images for sets of units.

    images: ``(m, channels, height, width)`` from 0 to 1; score: ``(m,)``, what was maximized, of
    these images; entropy: ``(m,)``, of the network's answers to them, in nats.
    """

    images: NDArray[np.float32]
    score: NDArray[np.float64]
    entropy: NDArray[np.float64]


def visualize(
    network: nn.Module,
    layer: str,
    units: ArrayLike,
    image_shape: tuple[int, int, int],
    *,
    rng: np.random.Generator,
    n_steps: int = 64,
    learning_rate: float = 0.05,
    prepare: Callable[[Tensor], Tensor] | None = None,
) -> Visualizations:
    """An image for each of some sets of units of a layer that maximizes what they put out.

    The score is the sum over the units of the absolute value of the mean over all positions.

    Parameters
    ----------
    network : torch.nn.Module
        In evaluation mode for this, and left as it was.
    layer : str
        A submodule that runs once; those in front of the ReLU are ``output_names`` of a
        `graphs.NetworkGraph`.
    units : array_like of bool ``(m, n_units)``
        The sets, such as those of `specialization.UnitSets`.
    image_shape : (channels, height, width)
        Of the images. With three channels they are colours.
    rng : numpy.random.Generator
        Where the images start from; each has a stream of its own, so none depends on the others.
    n_steps : int
        Of the optimizer Adam.
    learning_rate : float
        Its step.
    prepare : callable, optional
        Makes of images from 0 to 1 what the network takes: takes off a mean, or flattens.

    Returns
    -------
    Visualizations
        In the order of the sets.

    Raises
    ------
    ValueError
        For sets that do not fit the layer, bad numbers, a network that torch.fx cannot follow or
        whose weights are of another precision than 32 or 64 bits, and answers of NaN.

    References
    ----------
    .. [1] Casper et al. 2022 (paper B), appendix A.2.2.
    .. [2] Olah, Mordvintsev and Schubert 2017, "Feature visualization", Distill 2(11):e7.

    Examples
    --------
    A unit that adds up 16 pixels wants them bright; gray ones have the sum 8.

    >>> network = nn.Sequential(nn.Flatten(), nn.Linear(16, 1))
    >>> _ = nn.init.ones_(network[1].weight), nn.init.zeros_(network[1].bias)
    >>> found = visualize(network, "1", [[True]], (1, 4, 4), rng=np.random.default_rng(0))
    >>> bool(found.score[0] > 11), bool(np.isclose(found.score[0], found.images.sum()))
    (True, True)
    """
    check_kind("network", network, nn.Module, "torch.nn.Module")
    named_layers(network, [layer])
    n_steps, learning_rate = as_count("n_steps", n_steps), as_number("learning_rate", learning_rate)
    if not learning_rate > 0:
        raise ValueError(f"learning_rate={learning_rate!r} is not allowed: a number above 0")
    sizes = as_counts("image_shape", image_shape, _THREE_SIZES)
    if len(sizes) != 3:
        raise ValueError(f"image_shape={tuple(sizes)} is not allowed: {_THREE_SIZES}")
    channels, height, width = sizes
    if prepare is not None and not callable(prepare):
        raise ValueError(f"prepare={prepare!r} is not allowed: a function of the images, or None")
    prepare = (lambda images: images) if prepare is None else prepare
    like = next(network.parameters(), torch.empty(0))
    if like.dtype not in (torch.float32, torch.float64):
        raise ValueError(f"network has weights of {like.dtype}; allowed: float32 or float64")
    with evaluation_mode(network):
        gray = prepare(torch.full((1, channels, height, width), 0.5).to(like))
        check_kind("what prepare gives", gray, Tensor, "a tensor")
        operations = Operations(network, [layer], gray, given="image_shape")
        with torch.no_grad():
            n_units = operations.start(gray).reach(layer).shape[1]
            at_once = operations.images_at_once_with_gradients(gray, layer)
        sets = torch.from_numpy(as_units("units", units, ("m", n_units))).to(like.device)
        if len(sets) == 0:
            raise ValueError("units has no sets; allowed: one or more")
        starts = [
            _START * each.standard_normal((2, channels, height, width // 2 + 1))
            for each in as_rng(rng).spawn(len(sets))
        ]
        spectra = torch.from_numpy(np.stack(starts)).to(like)
        search = _Search(operations, layer, prepare, (height, width), n_steps, learning_rate)
        parts = [
            search.run(*part)
            for part in zip(spectra.split(at_once), sets.split(at_once), strict=True)
        ]
    images, score, entropy = (torch.cat(each).cpu().numpy() for each in zip(*parts, strict=True))
    return Visualizations(images.astype(np.float32), score, entropy)


@dataclass(frozen=True)
class _Search:
    operations: Operations
    layer: str
    prepare: Callable[[Tensor], Tensor]
    size: tuple[int, int]
    n_steps: int
    learning_rate: float

    def run(self, spectra: Tensor, sets: Tensor) -> tuple[Tensor, Tensor, Tensor]:
        """Images, scores and entropies of some sets, from their first spectra."""
        spectra = spectra.clone().requires_grad_()
        optimizer = torch.optim.Adam([spectra], lr=self.learning_rate)
        with torch.enable_grad():
            for _ in range(self.n_steps):
                images = images_of(spectra, self.size)
                score = self._score(images, sets)[0]
                # not backward(): the network's own parameters are to get no gradients
                (gradient,) = torch.autograd.grad(score.sum(), [spectra])
                spectra.grad = -gradient
                optimizer.step()
        with torch.no_grad():
            images = images_of(spectra, self.size)
            score, running = self._score(images, sets)
            logits = running.finish()
            check_finite("what network puts out", logits)
            log_p = logits.log_softmax(1).double()
        return images, score.double(), -(log_p.exp() * log_p).sum(1)

    def _score(self, images: Tensor, sets: Tensor) -> tuple[Tensor, Pass]:
        running = self.operations.start(self.prepare(images))
        output = running.reach(self.layer)
        means = output.flatten(2).mean(2) if output.ndim > 2 else output
        return (means.abs() * sets).sum(1), running


def images_of(spectra: Tensor, size: tuple[int, int]) -> Tensor:
    """Images ``(m, channels, height, width)`` from 0 to 1 of their Fourier components.

    spectra: ``(m, 2, channels, height, width // 2 + 1)``, real and imaginary parts before they are
    scaled by one over the frequency, as the components of photographs are.
    """
    height, width = size
    vertical = torch.fft.fftfreq(height, dtype=spectra.dtype, device=spectra.device)
    horizontal = torch.fft.rfftfreq(width, dtype=spectra.dtype, device=spectra.device)
    frequency = (vertical[:, None].square() + horizontal.square()).sqrt()
    # the mean of an image counts as a wave as long as its longer side
    scale = (height * width) ** 0.5 / frequency.clamp(min=1 / max(size))
    components = torch.complex(spectra[:, 0], spectra[:, 1]) * scale
    values = torch.fft.irfft2(components, s=size) / 4
    if values.shape[1] == 3:
        colours = torch.tensor(_COLOURS, dtype=values.dtype, device=values.device)
        colours = colours / colours.norm(dim=0).max()
        values = torch.einsum("ij,mjhw->mihw", colours, values)
    return values.sigmoid()
