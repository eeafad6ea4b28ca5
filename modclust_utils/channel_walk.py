"""The state of a walk through the operations of a torch module: its layers of units so far, and
what the channels of each tensor are made of."""

from __future__ import annotations

from typing import Any

import numpy as np
import scipy.sparse as sp
from numpy.typing import NDArray
from scipy.sparse.csgraph import connected_components
from torch import Tensor, fx, nn

from modclust_utils.channel_edges import (
    Channels,
    Connection,
    Norm,
    connections,
    conv_edge_weights,
)
from modclust_utils.channel_outputs import silent_output
from modclust_utils.tracing import Results, Shape


class Behind:
    """Where Linear layers are no units: what comes behind one is outside the graph."""


Value = Channels | Behind


class Walk:
    """Layers and values so far.

    with_dense: whether images and Linear layers are units; values: what each result is made of;
    names, outputs, sizes: of the layers (see `network_graphs.NetworkGraph`); never_silent: layers
    whose units no lesion sets to 0.
    """

    def __init__(
        self,
        traced: fx.GraphModule,
        results: Results,
        norm: Norm,
        *,
        with_dense: bool,
    ) -> None:
        self.traced, self.results, self.norm, self.with_dense = traced, results, norm, with_dense
        self.values: dict[fx.Node, Value] = {}
        self.names: list[str] = []
        self.outputs: list[str] = []
        self.sizes: list[int] = []
        self.connections: list[Connection] = []
        self.never_silent: list[str] = []
        self._shared: list[dict[int, sp.csr_array]] = []

    def module(self, node: fx.Node) -> nn.Module:
        """The submodule that an operation calls."""
        return self.traced.get_submodule(str(node.target))

    def shape(self, node: fx.Node) -> Shape:
        """Of the result of an operation, which is a tensor."""
        shape = self.results.shapes[node]
        assert shape is not None
        return shape

    def tensors(self, node: fx.Node) -> list[fx.Node]:
        """Whose results an operation takes in, parameters and numbers apart."""
        return [each for each in node.all_input_nodes if each in self.values]

    def one(self, node: fx.Node) -> Channels:
        """What an operation on one tensor takes in; refuses those on several."""
        taken = [self.values[each] for each in self.tensors(node)]
        if len(taken) != 1 or not isinstance(taken[0], Channels):
            raise self.refusal(node, f"which takes in {len(taken)} tensors")
        return taken[0]

    def taken_shape(self, node: fx.Node) -> Shape:
        """Of the one tensor that an operation takes in."""
        (first,) = self.tensors(node)
        return self.shape(first)

    def parameter(self, node: fx.Node, argument: Any) -> tuple[str, Tensor]:
        """The layer and the weights that a function takes straight from a submodule."""
        if not isinstance(argument, fx.Node) or argument.op != "get_attr":
            raise self.refusal(node, "whose weights are computed")
        layer, _, name = str(argument.target).rpartition(".")
        # the module itself has no name, and may hold several
        return layer or name, getattr(self.traced.get_submodule(layer), name)

    def argument(self, node: fx.Node, place: int, name: str, default: Any = None) -> Any:
        """An argument of an operation, with the numbers that the module computes for it."""
        found = node.args[place] if len(node.args) > place else node.kwargs.get(name, default)
        return fx.node.map_arg(found, lambda each: self.results.numbers.get(each, each))

    def pass_changes_on(self, node: fx.Node) -> None:
        """Where an operation works in place: what it changed is made of what it puts out from here
        on. Refuses changes of another view, of which it is not known which part changed."""
        value = self.values[node]
        # non-linearities leave the units in their channels
        same = any(value is self.values[each] for each in self.tensors(node))
        if same or (isinstance(value, Channels) and not value.sources):
            return
        for other, whole in self.results.changed.get(node, {}).items():
            if other not in self.values:
                continue
            if not whole and isinstance(value, Channels):
                raise self.refusal(node, f"which in its place changes {_name(other)}, a view, too")
            self.values[other] = value

    def new_layer(self, name: str, size: int, output: str | None = None) -> Channels:
        """A new layer of units, and what it puts out."""
        if name in self.names:
            raise ValueError(
                f"module runs its layer {name!r} twice; allowed: layers with weights that run once"
            )
        self.names.append(name)
        self.outputs.append(name if output is None else output)
        self.sizes.append(size)
        return Channels(size, {len(self.sizes) - 1: sp.eye_array(size, format="csr")})

    def join(self, node: fx.Node, name: str, weight: Tensor, groups: int = 1) -> Channels:
        """A new layer that takes channels in through a kernel ``(n_out, n_in, height, width)``."""
        taken = self.one(node)
        try:
            weights = conv_edge_weights(weight, norm=self.norm)
        except ValueError as error:
            raise ValueError(f"module has the layer {name!r}, whose {error}") from error
        output, silent = silent_output(self.traced, self.results, node)
        found = self.new_layer(name, len(weights), output)
        self.never_silent += [] if silent else [name]
        self.connections += connections(taken, weights, groups, len(self.sizes) - 1)
        self._shared.append(taken.sources)
        return found

    def tied_units(self) -> NDArray[np.int64]:
        """A number for each unit, the same for units that stand in one channel somewhere: what
        scales one of them has to scale all."""
        parts = [sources for sources in self._shared if _several_in_one(sources)]
        # layers that were left out at the end have no units
        widths = [sp.csr_array((0, size)) for size in self.sizes]
        rows = [
            sp.hstack([_of_layer(sources, i, size) for i, size in enumerate(self.sizes)])
            for sources in parts
        ]
        channels = sp.csr_array(sp.vstack([sp.hstack(widths), *rows]))
        joined = sp.block_array([[None, channels.T], [channels, None]])
        return connected_components(joined, directed=False)[1][: sum(self.sizes)].astype(np.int64)

    def refusal(self, node: fx.Node, why: str) -> ValueError:
        """The error that names an operation, its type and its place."""
        stack = list(node.meta.get("nn_module_stack", {}).values())
        inside = f" inside {stack[-1][0]!r}" if stack and node.op != "call_module" else ""
        kind = type(self.module(node)).__name__ if node.op == "call_module" else "operation"
        behind = ", ".join(_name(each) for each in node.all_input_nodes)
        return ValueError(
            f"module has {_name(node)} ({kind}){inside}, behind {behind}, {why}; allowed: Conv2d, "
            "Linear, batch norm, non-linearities, pooling, flattening, dropout, addition, "
            "concatenation, slices, zero padding"
        )


def _several_in_one(sources: dict[int, sp.csr_array]) -> bool:
    counts = sum(np.diff(source.indptr) for source in sources.values())
    return bool(np.max(counts, initial=0) > 1)


def _of_layer(sources: dict[int, sp.csr_array], layer: int, size: int) -> sp.csr_array:
    """Ones where the units of a layer are in some channels."""
    n_channels = next(iter(sources.values())).shape[0]
    if layer not in sources:
        return sp.csr_array((n_channels, size))
    found = sources[layer].copy()
    # a unit that is there with weight 0 is there
    found.data = np.ones_like(found.data)
    return found


def _name(node: fx.Node) -> str:
    return repr(node.target) if node.op == "call_module" else repr(node.name)
