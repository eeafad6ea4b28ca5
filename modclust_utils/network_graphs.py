"""The graph of any torch classifier, by following its computation (papers B and B', section 2.1).

torch.fx writes a module down as a list of operations. Here each operation says what the channels of
its result are made of (module `channel_edges`), and a layer with weights, a convolution or a
Linear, joins its units to all units that stand in what it takes in. So a convolution is joined to
every later one that its output reaches without passing another: through skip connections to
several. An operation that is not known is refused by name: nothing is passed over.
"""

from __future__ import annotations

import warnings
from collections.abc import Iterator
from dataclasses import dataclass
from functools import cached_property
from typing import Literal

import numpy as np
import scipy.sparse as sp
import torch
from numpy.typing import NDArray
from torch import Tensor, fx, nn

from modclust_utils.channel_edges import NORMS, Channels, Connection, Norm
from modclust_utils.channel_operations import CONVOLUTIONS, DENSE, has_convolutions, operation
from modclust_utils.channel_walk import Behind, Value, Walk
from modclust_utils.doors import as_choice, check_kind
from modclust_utils.evaluation import evaluation_mode
from modclust_utils.tracing import results_of, traced_module

Units = Literal["auto", "convolutions", "all"]
UNITS: tuple[Units, ...] = ("auto", "convolutions", "all")
# no submodule has such a name
INPUT = "(input)"


@dataclass(frozen=True)
class NetworkGraph:
    """The graph of a network.

    layer_of_unit: ``(n,)``, the place of a unit's layer in layer_names, which are names of
    submodules in the order in which they run; output_names: for each layer, the submodule that puts
    its units out before their non-linearity, which is the batch norm where one follows, maybe
    behind pooling or dropout; a sigmoid or softplus makes more than 0 of 0, and is named itself;
    connections: the edges layer by layer; tied: ``(n,)``, units of the same number are added to
    each other somewhere (a residual connection), so that none of them alone can be scaled.
    """

    layer_of_unit: NDArray[np.int64]
    layer_names: tuple[str, ...]
    output_names: tuple[str, ...]
    connections: tuple[Connection, ...]
    tied: NDArray[np.int64]

    @cached_property
    def adjacency(self) -> sp.csr_array:
        """Sparse and symmetric ``(n, n)``: made when it is first asked for, as it is large."""
        n, found = len(self.layer_of_unit), 0
        n_edges = 2 * sum(np.count_nonzero(each.weights) for each in self.connections)
        edges, columns = np.empty(n_edges), np.empty(n_edges, np.int32)
        counts = []
        # layer by layer into one place: put together from blocks it would take three times as much
        for rows in self._rows():
            own = slice(found, found + rows.nnz)
            edges[own], columns[own], found = rows.data, rows.indices, own.stop
            counts.append(np.diff(rows.indptr))
        starts = np.concatenate([[0], *counts]).cumsum()
        return sp.csr_array((edges, columns, starts), shape=(n, n))

    def _rows(self) -> Iterator[sp.csr_array]:
        """The rows of the adjacency that are those of each layer ``(n_layer, n)``."""
        sizes = self.layer_sizes
        for layer, own in enumerate(sizes):
            blocks = [sp.csr_array((own, size)) for size in sizes]
            for each in self.connections:
                if each.target == layer:
                    blocks[each.source] = sp.csr_array(each.weights)
                if each.source == layer:
                    blocks[each.target] = sp.csr_array(each.weights.T)
            yield sp.csr_array(sp.hstack(blocks))

    @property
    def layer_sizes(self) -> tuple[int, ...]:
        """Units per layer."""
        return tuple(np.bincount(self.layer_of_unit, minlength=len(self.layer_names)).tolist())

    @property
    def hidden_layers(self) -> tuple[int, ...]:
        """Layers that are neither the input nor, where the input is a layer, the last: logits."""
        n = len(self.layer_names)
        return tuple(range(1, n - 1) if self.layer_names[0] == INPUT else range(n))

    @property
    def unit_names(self) -> list[str]:
        """The layer of each unit and its number in it, as in ``features.0[3]``."""
        return [
            f"{name}[{unit}]"
            for name, size in zip(self.layer_names, self.layer_sizes, strict=True)
            for unit in range(size)
        ]


@torch.no_grad()
def network_graph(
    module: nn.Module, example_input: Tensor, *, norm: Norm = "l1", units: Units = "auto"
) -> NetworkGraph:
    """The graph of a torch classifier by its weights.

    An edge between two units is the norm of all weights between them; behind a batch norm times the
    absolute value of its scale gamma / sqrt(var + eps). Where a unit reaches a layer on several
    paths without another layer with weights on them, these edges are added.

    Parameters
    ----------
    module : torch.nn.Module
        A network of Linear and Conv2d (grouped and depthwise too), batch norms, non-linearities,
        pooling, flattening, dropout, residual additions, concatenation, slices and zero padding. It
        puts out logits, and is left as it was.
    example_input : Tensor ``(n, ...)``
        Images as the module takes them in; their values do not matter. Their shape does where
        images are units, one for each entry along the second axis: of a network that flattens
        images first, ``(1, 1, 28, 28)`` gives one unit, whose edges are norms over all pixels, and
        ``(1, 784)`` one for each pixel. These are two graphs, of which the second is that of paper
        A.
    norm : {"l1", "induced_l1"}
        As in `conv_edge_weights`; of the weights of a Linear, over the positions of a channel.
    units : {"auto", "convolutions", "all"}
        "convolutions": output channels of convolutions are units, neither images, nor Linear
        layers, nor logits (a last convolution that alone puts out logits), as in paper B; "all":
        the input and every layer with weights, as in paper A; "auto": the first where there is a
        convolution, else the second.

    Returns
    -------
    NetworkGraph
        Units numbered layer by layer, in the order in which the layers run.

    Warns
    -----
    UserWarning
        Where a sigmoid or softplus is a function, or a submodule that runs several times: it makes
        more than 0 of 0, and no name is there behind which a lesion silences its units.

    Raises
    ------
    ValueError
        For a module that cannot be followed, with the name, type and place of what is not known: a
        product of two tensors, as in squeeze-and-excitation or attention, is no edge with a weight
        and is refused. For a layer with weights that runs twice, and for weights that are NaN.

    References
    ----------
    .. [1] Casper et al. 2022 (paper B), section 2.1.
    .. [2] Filan et al. 2020, arXiv:2003.04881 (paper A), section 2.1.

    Examples
    --------
    Two convolutions of one channel each; the weights of the second sum up to 9 * 2.

    >>> network = nn.Sequential(nn.Conv2d(1, 1, 3), nn.ReLU(), nn.Conv2d(1, 1, 3))
    >>> _ = nn.init.constant_(network[2].weight, -2.0)
    >>> graph = network_graph(network, torch.zeros(1, 1, 8, 8))
    >>> graph.adjacency.toarray().tolist(), graph.unit_names
    ([[0.0, 18.0], [18.0, 0.0]], ['0[0]', '2[0]'])
    """
    as_choice("norm", norm, NORMS)
    as_choice("units", units, UNITS)
    check_kind("module", module, nn.Module, "torch.nn.Module")
    if not isinstance(example_input, Tensor) or example_input.ndim < 2 or len(example_input) == 0:
        raise ValueError("example_input is no tensor (n, ...) of one or more images")
    with evaluation_mode(module):
        traced = traced_module(module, in_place=True)
        # of two images: so no other axis is taken for that of the images
        results = results_of(traced, torch.cat([example_input[:1]] * 2))
        with_dense = units == "all" or (units == "auto" and not has_convolutions(traced))
        walk = Walk(traced, results, norm, with_dense=with_dense)
        _walk_through(walk)
    return _assembled(walk)


def _walk_through(walk: Walk) -> None:
    for node in walk.traced.graph.nodes:
        if node.op == "output":
            _leave_logits_out(walk, node)
        elif node.op == "placeholder":
            n_channels = walk.shape(node)[1]
            walk.values[node] = (
                walk.new_layer(INPUT, n_channels) if walk.with_dense else Channels(n_channels, {})
            )
        elif node.op != "get_attr" and walk.results.shapes[node] is not None:
            walk.values[node] = _value(walk, node)
            walk.pass_changes_on(node)


def _value(walk: Walk, node: fx.Node) -> Value:
    known = operation(walk.traced, node)
    taken = [walk.values[each] for each in walk.tensors(node)]
    if any(isinstance(each, Behind) for each in taken):
        if known in CONVOLUTIONS:
            raise walk.refusal(node, "a convolution behind a Linear; allowed with units='all'")
        return Behind()
    empty = not any(each.sources for each in taken if isinstance(each, Channels))
    if empty and known not in CONVOLUTIONS + DENSE:  # no unit stands in it yet
        return Channels((*walk.shape(node), 0, 0)[1], {})
    if known is None:
        raise walk.refusal(node, "which network_graph does not know")
    return known(walk, node)


def _leave_logits_out(walk: Walk, node: fx.Node) -> None:
    """A convolution that alone puts out the logits is no layer of units, as a Linear is none."""
    last = node.args[0]
    if not isinstance(last, fx.Node) or last not in walk.values:
        raise ValueError("module puts out no single tensor; allowed: logits (n, n_classes)")
    value, logits = walk.values[last], len(walk.sizes) - 1
    if walk.with_dense or isinstance(value, Behind) or len(walk.shape(last)) != 2:
        return
    if list(value.sources) == [logits] and value.positions == (1, 1):
        for each in (walk.names, walk.outputs, walk.sizes):
            each.pop()
        walk.connections = [each for each in walk.connections if each.target != logits]


def _assembled(walk: Walk) -> NetworkGraph:
    if walk.names in ([], [INPUT]):
        raise ValueError("module has no layers of units; allowed: at least one Conv2d or Linear")
    if walk.never_silent:
        warnings.warn(
            f"module has the layers {walk.never_silent}, behind which a sigmoid or softplus, no "
            "submodule that runs once, makes more than 0 of 0: a lesion leaves their units at a "
            "constant that is not 0",
            stacklevel=3,
        )
    return NetworkGraph(
        np.repeat(np.arange(len(walk.sizes)), walk.sizes),
        tuple(walk.names),
        tuple(walk.outputs),
        tuple(walk.connections),
        walk.tied_units(),
    )
