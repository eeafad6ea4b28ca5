"""A torch module as a list of operations (torch.fx), and the shape of what each puts out."""

from __future__ import annotations

from typing import Any

from torch import Tensor, fx, nn

Shape = tuple[int, ...]


def traced_module(module: nn.Module) -> fx.GraphModule:
    """The module's operations. Raises ValueError where torch.fx cannot follow its forward pass, or
    it takes other than one input."""
    try:
        traced = fx.symbolic_trace(module)
    except (fx.proxy.TraceError, TypeError, NotImplementedError) as error:
        raise ValueError(
            f"module of type {type(module).__name__} cannot be followed by torch.fx ({error}); "
            "allowed: a forward pass whose course does not depend on the images"
        ) from error
    inputs = [node.name for node in traced.graph.nodes if node.op == "placeholder"]
    if len(inputs) != 1:
        raise ValueError(f"module takes {len(inputs)} inputs ({inputs}); allowed: one")
    return traced


def result_shapes(traced: fx.GraphModule, images: Tensor) -> dict[fx.Node, Shape | None]:
    """Shape of each operation's result: () for several tensors, None where there is no tensor.

    Raises ValueError where the images do not go through.
    """
    interpreter = _Shapes(traced)
    interpreter.extra_traceback = False
    try:
        interpreter.run(images)
    except (RuntimeError, TypeError, ValueError) as error:
        raise ValueError(
            f"example_input with images of shape {tuple(images.shape[1:])} does not go through "
            f"the module: {error}"
        ) from error
    return interpreter.shapes


class _Shapes(fx.Interpreter):
    def __init__(self, traced: fx.GraphModule) -> None:
        super().__init__(traced)
        self.shapes: dict[fx.Node, Shape | None] = {}

    def run_node(self, n: fx.Node) -> Any:
        result = super().run_node(n)
        several = isinstance(result, tuple | list) and any(isinstance(r, Tensor) for r in result)
        shape = tuple(result.shape) if isinstance(result, Tensor) else () if several else None
        self.shapes[n] = shape
        return result
