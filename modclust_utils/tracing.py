"""A torch module as a list of operations (torch.fx), and what each of them puts out."""

from __future__ import annotations

import operator
from dataclasses import dataclass, field
from typing import Any

import torch
from torch import Tensor, fx, nn

Shape = tuple[int, ...]


@dataclass(frozen=True)
class Results:
    """What the operations of a traced module put out for some images.

    shapes: of each result: () for several tensors, None where there is no tensor; numbers: whole
    numbers that are computed, as from shapes; changed: for an operation that works in place, the
    earlier results that it changes and that are used again, and whether each is the very tensor
    that it puts out (else another view of it).
    """

    shapes: dict[fx.Node, Shape | None] = field(default_factory=dict)
    numbers: dict[fx.Node, int] = field(default_factory=dict)
    changed: dict[fx.Node, dict[fx.Node, bool]] = field(default_factory=dict)

    def channels(self, node: fx.Node) -> int | None:
        """Entries along the second axis of a result, None where it has none."""
        return (*(self.shapes[node] or ()), None, None)[1]


def traced_module(module: nn.Module, *, in_place: bool = False) -> fx.GraphModule:
    """The module's operations.

    in_place: whether ``a += b`` is written down as what it is; torch.fx takes it for ``a = a + b``,
    which leaves other names of a as they were. Raises ValueError where torch.fx cannot follow the
    forward pass, or it takes other than one input.
    """
    tracer = _InPlaceTracer() if in_place else fx.Tracer()
    try:
        graph = tracer.trace(module)
    except Exception as error:  # code of any kind runs here, on values that stand for tensors
        raise ValueError(
            f"module of type {type(module).__name__} cannot be followed by torch.fx "
            f"({in_words(error)}); allowed: a forward pass whose course does not depend on the "
            "images"
        ) from error
    traced = fx.GraphModule(tracer.root, graph, type(module).__name__)
    inputs = [node.name for node in traced.graph.nodes if node.op == "placeholder"]
    if len(inputs) != 1:
        raise ValueError(f"module takes {len(inputs)} inputs ({inputs}); allowed: one")
    return traced


def results_of(traced: fx.GraphModule, images: Tensor) -> Results:
    """What each operation puts out. Raises ValueError where the images do not go through."""
    interpreter = _Noting(traced)
    interpreter.extra_traceback = False
    try:
        # tensors made in inference mode do not count how often they were changed
        with torch.inference_mode(False), torch.no_grad():
            interpreter.run(images.clone())
    except Exception as error:  # as above
        raise ValueError(
            f"example_input with images of shape {tuple(images.shape[1:])} does not go through "
            f"the module: {in_words(error)}"
        ) from error
    return interpreter.results


def in_words(error: Exception) -> str:
    """The first line of what an error says; its kind where it says nothing, as a bare ``assert``
    does."""
    return (*str(error).strip().splitlines(), type(error).__name__)[0]


class _InPlaceProxy(fx.Proxy):
    def __iadd__(self, other: Any) -> fx.Proxy:
        return self.tracer.create_proxy("call_function", operator.iadd, (self, other), {})


class _InPlaceTracer(fx.Tracer):
    def proxy(self, node: fx.Node) -> fx.Proxy:
        return _InPlaceProxy(node, self)


class _Noting(fx.Interpreter):
    def __init__(self, traced: fx.GraphModule) -> None:
        super().__init__(traced)
        self.results = Results()

    def run_node(self, n: fx.Node) -> Any:
        versions = {
            node: value._version
            for node, value in self.env.items()
            if isinstance(value, Tensor) and not value.is_inference()
        }
        result = super().run_node(n)
        several = isinstance(result, tuple | list) and any(isinstance(r, Tensor) for r in result)
        shape = tuple(result.shape) if isinstance(result, Tensor) else () if several else None
        self.results.shapes[n] = shape
        if isinstance(result, int):
            self.results.numbers[n] = result
        # not those that this operation is the last to use
        left = versions.keys() - set(self.user_to_last_uses.get(n, []))
        changed = [node for node in left if self.env[node]._version != versions[node]]
        if changed:
            self.results.changed[n] = {node: _is(self.env[node], result) for node in changed}
        return result


def _is(value: Tensor, result: Any) -> bool:
    """Whether a result is the same tensor as an earlier value, and no other view of it."""
    return isinstance(result, Tensor) and all(
        each(value) == each(result) for each in (Tensor.data_ptr, Tensor.size, Tensor.stride)
    )
