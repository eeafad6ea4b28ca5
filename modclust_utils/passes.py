"""A forward pass of a torch module that one can stop at a layer, change, and go on with many times.

What comes before the layer is computed once. torch.fx gives the operations; each value is dropped
after the last operation that needs it, so a pass takes no more memory than the module itself.
"""

from __future__ import annotations

from collections.abc import Sequence
from typing import Any

import torch
from torch import Tensor, fx, nn

from modclust_utils.tracing import in_words

# Images that go through at once, and the memory that they may take, in bytes: on a processor about
# that of its cache.
_MOST_IMAGES = 512
_MEMORY, _CACHE = 2**28, 2**24


class Operations:
    """The operations of a module in evaluation mode, in which each of some layers runs once.

    Raises ValueError where torch.fx cannot follow the module, finds no such calls of the layers, or
    finds operations that give something else for an image ``(1, ...)`` than the module itself: it
    does not see that ``a += b`` changes another view of a. given: the parameter that the image is
    from, which errors name.
    """

    def __init__(
        self, network: nn.Module, layers: Sequence[str], image: Tensor, *, given: str = "x"
    ) -> None:
        tracer = _Tracer(layers)
        try:
            graph = tracer.trace(network)
        except Exception as error:  # code of any kind runs here, on values that stand for tensors
            raise ValueError(
                f"network cannot be followed by torch.fx: {in_words(error)}"
            ) from error
        self.interpreter = fx.Interpreter(fx.GraphModule(tracer.root, graph))
        self.interpreter.extra_traceback = False
        self.nodes = list(self.interpreter.module.graph.nodes)
        self.place: dict[str, int] = {}
        for layer in layers:
            calls = [
                i
                for i, node in enumerate(self.nodes)
                if node.op == "call_module" and node.target == layer
            ]
            if len(calls) != 1:
                raise ValueError(f"network runs its layer {layer!r} {len(calls)} times")
            self.place[layer] = calls[0]
        if sum(node.op == "placeholder" for node in self.nodes) != 1:
            raise ValueError("network takes other than one input")
        with torch.no_grad():
            expected = answer_to(network, image, given)
            if not isinstance(expected, Tensor):
                kind = type(expected).__name__
                raise ValueError(f"network puts out something of type {kind}; allowed: one tensor")
            found = self.start(image).finish()
        if not torch.allclose(expected, found, rtol=1e-4, atol=1e-6, equal_nan=True):
            raise ValueError("network does something else where torch.fx follows it")

    def module(self, number: int) -> nn.Module | None:
        """The module that an operation calls; None for operations of other kinds."""
        node = self.nodes[number]
        if node.op != "call_module":
            return None
        return self.interpreter.module.get_submodule(str(node.target))

    def start(self, images: Tensor) -> Pass:
        """A pass of some images, before its first operation."""
        # a copy, which does not hang on the memory of all images, and may be changed in its place
        return Pass(self, {}, 0, images.clone())

    def images_at_once(self, image: Tensor, *, values: int = 1) -> int:
        """How many images like one ``(1, ...)`` may go through, so that memory does not depend on
        their size; values: how many passes there are at a time."""
        largest, running = 1, self.start(image)
        while running.at < len(self.nodes):
            running.advance(running.at)
            largest = max(largest, running.bytes())
        return _at_once(values * largest, image.device)

    def images_at_once_with_gradients(self, image: Tensor, layer: str) -> int:
        """The same where all values up to a layer, and their gradients, stay in memory."""
        total, running = 1, self.start(image)
        while running.at <= self.place[layer]:
            value = running.advance(running.at).values.get(self.nodes[running.at - 1])
            total += value.nbytes if isinstance(value, Tensor) else 0
        return _at_once(2 * total, image.device)


def answer_to(network: nn.Module, image: Tensor, given: str) -> Any:
    """What a network puts out for an image ``(1, ...)``. Raises ValueError where it fails; given:
    the parameter that the image is from."""
    try:
        return network(image.clone())
    except Exception as error:  # code of any kind runs here
        raise ValueError(
            f"{given} has images {tuple(image.shape[1:])}, on which network fails "
            f"({in_words(error)}); allowed: images as it takes them"
        ) from error


def _at_once(bytes_per_image: int, device: torch.device) -> int:
    memory = _CACHE if device.type == "cpu" else _MEMORY
    return max(1, min(_MOST_IMAGES, memory // bytes_per_image))


class _Tracer(fx.Tracer):
    """Leaves the named layers whole."""

    def __init__(self, layers: Sequence[str]) -> None:
        super().__init__()
        self.layers = frozenset(layers)

    def is_leaf_module(self, m: nn.Module, module_qualified_name: str) -> bool:
        whole = module_qualified_name in self.layers
        return whole or super().is_leaf_module(m, module_qualified_name)


class Pass:
    """Where a pass is: the values that operations from `at` on still need."""

    def __init__(
        self, operations: Operations, values: dict[fx.Node, Any], at: int, images: Tensor
    ) -> None:
        self.operations, self.values, self.at, self.images = operations, values, at, images
        self.result: Any = None

    def advance(self, last: int) -> Pass:
        """Run all operations up to number `last`, itself included."""
        interpreter = self.operations.interpreter
        for node in self.operations.nodes[self.at : last + 1]:
            if node.op == "placeholder":
                value = self.images
            else:
                interpreter.env = self.values
                value = interpreter.run_node(node)
            if node.op == "output":
                self.result = value
            self.values[node] = value
            for each in interpreter.user_to_last_uses.get(node, []):
                del self.values[each]
        self.at = max(self.at, last + 1)
        interpreter.env = {}
        return self

    def reach(self, layer: str) -> Tensor:
        """Run up to a layer, itself included; what it puts out."""
        place = self.operations.place[layer]
        return self.advance(place).values[self.operations.nodes[place]]

    def replace(self, layer: str, value: Tensor) -> None:
        """Go on with another output of a layer that has just run."""
        self.values[self.operations.nodes[self.operations.place[layer]]] = value

    def input_of(self, number: int) -> Tensor:
        """What goes into an operation that takes one tensor and comes next."""
        return self.values[self.operations.nodes[number].all_input_nodes[0]]

    def fork_behind(self, number: int, value: Tensor) -> Pass:
        """A pass of its own behind the operation that comes next, with what it puts out."""
        node = self.operations.nodes[number]
        used = self.operations.interpreter.user_to_last_uses.get(node, [])
        left = {each: kept for each, kept in self.values.items() if each not in used}
        own = Pass(self.operations, left, number + 1, self.images).fork()
        own.values[node] = value
        return own

    def fork(self) -> Pass:
        """A pass of its own that goes on from here. Operations that change a value in its place
        change its own copy; values that share their memory go on to share it."""
        memories: dict[int, torch.UntypedStorage] = {}

        def copy(value: Any) -> Any:
            if not isinstance(value, Tensor) or isinstance(value, nn.Parameter):
                return value
            storage = value.untyped_storage()
            if storage.data_ptr() not in memories:
                memories[storage.data_ptr()] = storage.clone()
            own, shared = value.new_empty(0), memories[storage.data_ptr()]
            return own.set_(shared, value.storage_offset(), value.shape, value.stride())

        values = {node: fx.node.map_aggregate(each, copy) for node, each in self.values.items()}
        return Pass(self.operations, values, self.at, self.images)

    def finish(self) -> Tensor:
        """Run all that is left; what the module puts out."""
        return self.advance(len(self.operations.nodes)).result

    def bytes(self) -> int:
        """Memory of all values, those that share theirs counted once."""
        found: dict[int, int] = {}

        def note(value: Any) -> Any:
            if isinstance(value, Tensor) and not isinstance(value, nn.Parameter):
                storage = value.untyped_storage()
                found[storage.data_ptr()] = storage.nbytes()
            return value

        for value in self.values.values():
            fx.node.map_aggregate(value, note)
        return sum(found.values())
