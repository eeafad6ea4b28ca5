"""Networks that end with a softmax, without it: it has no weights, and keeps the classes' order."""

from __future__ import annotations

from typing import Any

import torch
import torch.nn.functional as F
from torch import fx, nn

from modclust_utils.tracing import traced_module

_MODULES = (nn.Softmax, nn.LogSoftmax)
_FUNCTIONS: tuple[Any, ...] = (F.softmax, F.log_softmax, torch.softmax, torch.log_softmax)
_METHODS = ("softmax", "log_softmax")


def without_softmax(module: nn.Module) -> tuple[nn.Module, str]:
    """A module up to a softmax or log-softmax that is the last of its operations, and the name of
    that; a module that ends otherwise, or cannot be followed, as it is, and ""."""
    try:
        traced = traced_module(module, in_place=True)
    except ValueError:
        return module, ""
    end = next(node for node in traced.graph.nodes if node.op == "output")
    last = end.args[0]
    if not isinstance(last, fx.Node) or not _is_softmax(traced, last) or len(last.users) > 1:
        return module, ""
    name = str(last.target if last.op == "call_module" else last.name)
    end.args = (last.all_input_nodes[0],)
    traced.graph.erase_node(last)
    traced.delete_all_unused_submodules()
    traced.recompile()
    return traced.train(module.training), name


def _is_softmax(traced: fx.GraphModule, node: fx.Node) -> bool:
    if node.op == "call_module":
        return isinstance(traced.get_submodule(str(node.target)), _MODULES)
    if node.op == "call_function":
        return node.target in _FUNCTIONS
    return node.op == "call_method" and node.target in _METHODS
