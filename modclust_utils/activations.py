"""What the units of a torch module put out for images: one number for each unit and image."""

from __future__ import annotations

from collections.abc import Sequence

import numpy as np
import torch
from numpy.typing import NDArray
from torch import Tensor, nn

from modclust_utils.channel_edges import NORMS, Norm
from modclust_utils.doors import as_choice, check_finite, check_kind
from modclust_utils.evaluation import evaluation_mode
from modclust_utils.lesion_modules import checked_images, named_layers
from modclust_utils.passes import Operations


@torch.no_grad()
def unit_activations(
    network: nn.Module, x: Tensor, layers: Sequence[str], *, norm: Norm = "l1"
) -> NDArray[np.float32]:
    """Activations of the units of some layers, one layer after the other.

    Parameters
    ----------
    network : torch.nn.Module
        In evaluation mode for this, and left as it was.
    x : Tensor ``(n_images, ...)``
        Images as the network takes them.
    layers : sequence of str
        Names of submodules that run once: ``output_names`` of a `graphs.NetworkGraph` are those in
        front of the ReLU.
    norm : {"l1", "induced_l1"}
        What stands for a channel with more positions than one: the sum of absolute values, or the
        largest sum of a column, as in `graphs.conv_edge_weights`. A unit with one number keeps it,
        with its sign.

    Returns
    -------
    ndarray of float32 ``(n_images, n_units)``
        For `graphs.activation_adjacency`.

    Raises
    ------
    ValueError
        For input or layers that do not fit the network, one that torch.fx cannot follow, and layers
        that put out NaN or infinity.

    References
    ----------
    .. [1] Casper et al. 2022 (paper B), section 2.1.

    Examples
    --------
    >>> image = torch.tensor([[[[1.0, -2.0], [3.0, 4.0]]]])
    >>> network = nn.Sequential(nn.Identity(), nn.Flatten(), nn.Linear(4, 2))
    >>> unit_activations(network, image, ["0"]).item()
    10.0
    """
    found = _activations(network, x, layers, norm).float()
    check_finite("what the layers put out, in single precision", found)
    return found.numpy()


def _activations(network: nn.Module, x: Tensor, layers: Sequence[str], norm: Norm) -> Tensor:
    """The same ``(n_images, n_units)`` in the precision of the network, single or more."""
    check_kind("network", network, nn.Module, "torch.nn.Module")
    as_choice("norm", norm, NORMS)
    named_layers(network, layers)
    x = checked_images(x, next(network.parameters(), None))
    with evaluation_mode(network):
        operations = Operations(network, layers, x[:1])
        in_order = sorted(layers, key=operations.place.__getitem__)
        rows = []
        for images in x.split(operations.images_at_once(x[:1])):
            running = operations.start(images)
            found = {layer: _one_number(running.reach(layer), norm) for layer in in_order}
            both = torch.cat([found[layer] for layer in layers], 1)
            rows.append((both.float() if both.itemsize < 4 else both).cpu())
            # NaN would become a correlation of 0, and any unit of a graph
            check_finite(f"what {' and '.join(layers)} put out", rows[-1])
    return torch.cat(rows)


@torch.no_grad()
def input_correlations(network: nn.Module, x: Tensor, layer: str) -> NDArray[np.float64]:
    """Size of the correlation of each unit of a layer with each input, over images.

    Parameters
    ----------
    network, x
        As in `unit_activations`.
    layer : str
        As there.

    Returns
    -------
    ndarray of float64 ``(n_units, n_inputs)``
        From 0 to 1; 0 for an input or a unit that does not change.

    Raises
    ------
    ValueError
        As in `unit_activations`.

    References
    ----------
    .. [1] Hod et al. 2021 (paper B'), Figures 1 and 6.

    Examples
    --------
    The first unit follows the first pixel, the second what does not change.

    >>> network = nn.Sequential(nn.Linear(2, 2, bias=False), nn.Identity())
    >>> _ = network[0].weight.data.copy_(torch.tensor([[-2.0, 0], [0, 1]]))
    >>> input_correlations(network, torch.tensor([[0.0, 1], [1, 1], [3, 1]]), "0").round(6).tolist()
    [[1.0, 0.0], [0.0, 0.0]]
    """
    check_kind("network", network, nn.Module, "torch.nn.Module")
    check_kind("layer", layer, str, "the name of a layer")
    x = checked_images(x, next(network.parameters(), None))
    units = _activations(network, x, [layer], "l1").numpy()
    pixels = x.detach().flatten(1).double().cpu().numpy()
    return np.abs(_standard(units).T @ _standard(pixels)) / len(pixels)


def _standard(values: NDArray[np.floating]) -> NDArray[np.float64]:
    """Columns of mean 0 and standard deviation 1; 0 where they do not change."""
    # in units of a power of two: squares of large values stay finite, those of small ones above 0
    sizes = np.abs(values).max(0, initial=0.0)
    values = np.ldexp(values.astype(np.float64), -np.frexp(sizes)[1])
    centred = values - values.mean(0)
    spread = centred.std(0)
    changes = spread > 1e-12 * np.abs(values).max(0, initial=0.0)
    return np.divide(centred, spread, out=np.zeros_like(centred), where=changes)


def _one_number(output: Tensor, norm: Norm) -> Tensor:
    """For each unit ``(n_images, n_units)``."""
    if output.ndim == 2:
        return output
    columns = output.abs().flatten(2, -2).sum(2) if output.ndim > 3 else output.abs()
    return columns.sum(2) if norm == "l1" else columns.amax(2)
