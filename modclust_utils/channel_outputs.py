"""The submodule behind which the units of a layer are silent once they are set to 0 there."""

from __future__ import annotations

from typing import Any

import torch
import torch.nn.functional as F
from torch import fx, nn

from modclust_utils.tracing import Results

_BATCH_NORMS = (nn.BatchNorm1d, nn.BatchNorm2d)
# What makes nothing but 0 of a channel of zeros, and is no non-linearity.
_QUIET: frozenset[Any] = frozenset(
    (
        *(nn.Identity, nn.Dropout, nn.Dropout2d, nn.Flatten, nn.ZeroPad2d),
        *(nn.MaxPool2d, nn.AvgPool2d, nn.AdaptiveAvgPool2d, nn.AdaptiveMaxPool2d),
        *(F.dropout, F.dropout2d, F.max_pool2d, F.avg_pool2d, torch.max_pool2d),
        *(F.adaptive_avg_pool2d, F.adaptive_max_pool2d, torch.mean, torch.squeeze),
        *(torch.flatten, torch.reshape),
        *("contiguous", "mean", "squeeze", "view", "reshape", "flatten"),
    )
)
# Non-linearities that put out more than 0 for 0.
_ABOVE_0: frozenset[Any] = frozenset(
    (
        *(nn.Sigmoid, nn.Hardsigmoid, nn.Softplus),
        *(torch.sigmoid, F.sigmoid, F.hardsigmoid, F.softplus, "sigmoid"),
    )
)


def silent_output(
    traced: fx.GraphModule, results: Results, node: fx.Node
) -> tuple[str | None, bool]:
    """The batch norm, sigmoid or softplus that alone takes in what a layer puts out, maybe through
    pooling or dropout, None for the layer itself; and whether its units are silent behind it.

    They are not where a sigmoid or softplus is a function, or a submodule that runs several times:
    then nothing behind it can be named.
    """
    found, n_channels = None, results.channels(node)
    while len(node.users) == 1:
        (node,) = node.users
        if node.op == "output" or results.channels(node) != n_channels:
            break
        kind = _kind(traced, node)
        if kind in _BATCH_NORMS:
            found = str(node.target)
        elif kind in _ABOVE_0 and not any(each.op == "output" for each in node.users):
            runs_once = node.op == "call_module" and _runs_once(traced, node)
            return (str(node.target), True) if runs_once else (found, False)
        elif kind not in _QUIET:
            break
    return found, True


def _kind(traced: fx.GraphModule, node: fx.Node) -> Any:
    """The type of a submodule, a function, or the name of a method."""
    if node.op == "call_module":
        return type(traced.get_submodule(str(node.target)))
    return node.target


def _runs_once(traced: fx.GraphModule, node: fx.Node) -> bool:
    calls = [each for each in traced.graph.nodes if each.op == "call_module"]
    return sum(each.target == node.target for each in calls) == 1
