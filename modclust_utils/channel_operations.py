"""What each operation of a torch module does to the channels of a tensor (see `channel_walk`)."""

from __future__ import annotations

import operator
from collections.abc import Callable
from typing import Any

import numpy as np
import torch
import torch.nn.functional as F
from torch import Tensor, fx, nn

from modclust_utils.channel_edges import Channels, added, concatenated
from modclust_utils.channel_walk import Behind, Value, Walk

Operation = Callable[[Walk, fx.Node], Value]
_NOT_BY_CHANNEL = "which does not go channel by channel here"


def operation(traced: fx.GraphModule, node: fx.Node) -> Operation | None:
    """What a node of a traced module does; None for an operation that is not known."""
    if node.op == "call_module":
        # not a subclass: what that does, torch.fx writes down operation by operation
        return _MODULES.get(type(traced.get_submodule(str(node.target))))
    if node.op == "call_function":
        return _FUNCTIONS.get(node.target)
    return _METHODS.get(str(node.target)) if node.op == "call_method" else None


def has_convolutions(traced: fx.GraphModule) -> bool:
    """Whether a traced module has a convolution."""
    return any(operation(traced, node) in CONVOLUTIONS for node in traced.graph.nodes)


def _same(walk: Walk, node: fx.Node) -> Channels:
    """Non-linearities, pooling, dropout: channel by channel."""
    if walk.shape(node)[:2] != walk.taken_shape(node)[:2]:
        raise walk.refusal(node, _NOT_BY_CHANNEL)
    return walk.one(node)


def _reshaped(walk: Walk, node: fx.Node) -> Channels:
    """Flattening: all positions of a channel side by side."""
    before, after, value = walk.taken_shape(node), walk.shape(node), walk.one(node)
    if before[:2] == after[:2] and np.prod(before) == np.prod(after):
        return value
    if len(before) == 4 and after == (before[0], before[1] * before[2] * before[3]):
        return Channels(value.n, value.sources, (before[2], before[3]))
    raise walk.refusal(node, f"which makes {after} of {before}")


def _mean(walk: Walk, node: fx.Node) -> Channels:
    """Over positions; over channels, where as many rows as channels hide that, it is refused."""
    axes = walk.argument(node, 1, "dim", walk.argument(node, 1, "axis"))
    n_axes = len(walk.taken_shape(node))
    if any(axis % n_axes < 2 for axis in ([axes] if isinstance(axes, int) else axes or [])):
        raise walk.refusal(node, _NOT_BY_CHANNEL)
    return _same(walk, node)


def _sum_of_tensors(walk: Walk, node: fx.Node) -> Channels:
    """Residual addition; a number more changes nothing."""
    if set(node.kwargs) - {"input", "other"}:
        raise walk.refusal(node, f"with {list(node.kwargs)}")
    operands = [each for each in (*node.args, *node.kwargs.values()) if isinstance(each, fx.Node)]
    if any(each not in walk.values for each in operands):
        raise walk.refusal(node, "which adds a parameter")
    if any(walk.shape(each) != walk.shape(node) for each in operands):
        raise walk.refusal(node, "which adds tensors of different shapes")
    return added([_channels(walk.values[each]) for each in operands])


def _joined_tensors(walk: Walk, node: fx.Node) -> Channels:
    parts, axis = walk.argument(node, 0, "tensors"), walk.argument(node, 1, "dim")
    axis = walk.argument(node, 1, "axis", 0) if axis is None else axis
    if axis not in (1, 1 - len(walk.shape(node))):
        raise walk.refusal(node, f"along axis {axis}")
    if any(each not in walk.values for each in parts):
        raise walk.refusal(node, "which takes in a parameter")
    return concatenated([_channels(walk.values[each]) for each in parts])


def _channels(value: Value) -> Channels:
    assert isinstance(value, Channels)
    return value


def _slice(walk: Walk, node: fx.Node) -> Channels:
    index = walk.argument(node, 1, "index")
    index = index if isinstance(index, tuple) else (index,)
    if not all(_is_plain(each) for each in index):
        raise walk.refusal(node, f"with index {index}")
    if walk.shape(node)[0] != walk.taken_shape(node)[0]:
        raise walk.refusal(node, "which takes some of the images")
    channels, value = np.arange(walk.taken_shape(node)[1]), walk.one(node)
    return value.expanded().take(channels[index[1]]) if len(index) > 1 else value


def _is_plain(index: Any) -> bool:
    """Whether an index is a slice whose ends are numbers, written down or computed from shapes."""
    ends = (index.start, index.stop, index.step) if isinstance(index, slice) else (index,)
    return isinstance(index, slice) and all(each is None or isinstance(each, int) for each in ends)


def _zero_padding(walk: Walk, node: fx.Node) -> Channels:
    pads, mode = walk.argument(node, 1, "pad"), walk.argument(node, 2, "mode", "constant")
    # pairs from the last axis to the first; the last pair but one is that of the channels
    place = 2 * (len(walk.shape(node)) - 2)
    before, after = (*pads[place : place + 2], 0, 0)[:2]
    if len(pads) > place + 2 or min(before, after) < 0 or (mode != "constant" and before + after):
        raise walk.refusal(node, f"with {pads} and mode {mode!r}")
    return walk.one(node).padded(before, after) if before + after else walk.one(node)


def _convolution(walk: Walk, node: fx.Node) -> Channels:
    layer = walk.module(node)
    assert isinstance(layer, nn.Conv2d)
    return walk.join(node, str(node.target), layer.weight, layer.groups)


def _convolution_function(walk: Walk, node: fx.Node) -> Channels:
    name, weight = walk.parameter(node, walk.argument(node, 1, "weight"))
    return walk.join(node, name, weight, walk.argument(node, 6, "groups", 1))


def _linear(walk: Walk, node: fx.Node) -> Value:
    layer = walk.module(node)
    assert isinstance(layer, nn.Linear)
    return _join_dense(walk, node, str(node.target), layer.weight)


def _linear_function(walk: Walk, node: fx.Node) -> Value:
    return _join_dense(walk, node, *walk.parameter(node, walk.argument(node, 1, "weight")))


def _join_dense(walk: Walk, node: fx.Node, name: str, weight: Tensor) -> Value:
    if not walk.with_dense:
        return Behind()
    if len(walk.shape(node)) != 2:
        raise walk.refusal(node, "which puts out more than (n, n_features)")
    value = walk.one(node)
    return walk.join(node, name, weight.reshape(len(weight), value.n, *value.positions))


def _batch_norm(walk: Walk, node: fx.Node) -> Channels:
    layer = walk.module(node)
    assert isinstance(layer, nn.BatchNorm1d | nn.BatchNorm2d)
    if layer.running_var is None:
        raise walk.refusal(node, "which keeps no running variance")
    scale = 1 / (layer.running_var.double() + layer.eps).sqrt()
    if layer.weight is not None:
        scale = scale * layer.weight.double().abs()
    found = scale.cpu().numpy()
    if not np.isfinite(found).all():
        raise walk.refusal(node, "whose scale is NaN or infinite")
    return walk.one(node).scaled(found)


CONVOLUTIONS: tuple[Operation, ...] = (_convolution, _convolution_function)
DENSE: tuple[Operation, ...] = (_linear, _linear_function)
_SAME = (
    (nn.ReLU, nn.ReLU6, nn.LeakyReLU, nn.PReLU, nn.ELU, nn.SiLU, nn.GELU, nn.Hardswish),
    (nn.Hardsigmoid, nn.Sigmoid, nn.Tanh, nn.Softplus, nn.Identity, nn.Dropout, nn.Dropout2d),
    (nn.MaxPool2d, nn.AvgPool2d, nn.AdaptiveAvgPool2d, nn.AdaptiveMaxPool2d, nn.ZeroPad2d),
)
_MODULES: dict[type, Operation] = {
    **{each: _same for group in _SAME for each in group},
    nn.Flatten: _reshaped,
    nn.BatchNorm1d: _batch_norm,
    nn.BatchNorm2d: _batch_norm,
    nn.Conv2d: _convolution,
    nn.Linear: _linear,
}
#: Types of layers that can be followed; whether one can be where it stands, the walk says.
KNOWN_MODULES = frozenset(_MODULES)
_SAME_FUNCTIONS = (
    (F.relu, F.relu6, F.leaky_relu, F.elu, F.silu, F.gelu, F.hardswish, F.hardsigmoid),
    (torch.relu, torch.relu_, torch.sigmoid, torch.tanh, F.sigmoid, F.tanh, F.softplus),
    (F.dropout, F.dropout2d, F.max_pool2d, F.avg_pool2d, torch.max_pool2d),
    (F.adaptive_avg_pool2d, F.adaptive_max_pool2d, torch.squeeze),
)
_FUNCTIONS: dict[Any, Operation] = {
    **{each: _same for group in _SAME_FUNCTIONS for each in group},
    torch.mean: _mean,
    torch.flatten: _reshaped,
    torch.reshape: _reshaped,
    operator.add: _sum_of_tensors,
    operator.iadd: _sum_of_tensors,
    torch.add: _sum_of_tensors,
    torch.cat: _joined_tensors,
    torch.concat: _joined_tensors,
    operator.getitem: _slice,
    F.pad: _zero_padding,
    F.conv2d: _convolution_function,
    torch.conv2d: _convolution_function,
    F.linear: _linear_function,
}
_METHODS: dict[str, Operation] = {
    **dict.fromkeys(("relu", "relu_", "sigmoid", "tanh", "contiguous", "squeeze"), _same),
    "mean": _mean,
    **dict.fromkeys(("view", "reshape", "flatten"), _reshaped),
    **dict.fromkeys(("add", "add_"), _sum_of_tensors),
}
