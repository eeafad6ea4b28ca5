"""What each layer of a network was taken for: used, folded, outside the graph, or not supported."""

from __future__ import annotations

import pandas as pd
from torch import nn

from modclust_utils.channel_operations import KNOWN_MODULES
from modclust_utils.network_graphs import INPUT, NetworkGraph
from modclust_utils.tracing import traced_module

_OF_IMAGES = "its scale depends on the images, so that no fixed edge goes through it"
_NO_UNITS = "outside the graph: in front of the first units, or behind a Linear layer"
_OFTEN = "its weights run many times"
_ONE_KIND = "only Conv2d is followed"
_HELPS = {
    "MultiheadAttention": "attention multiplies activations with each other: no edge is fixed",
    **dict.fromkeys(("LayerNorm", "GroupNorm", "InstanceNorm1d", "InstanceNorm2d"), _OF_IMAGES),
    "Embedding": "it looks words up: its rows are no units that put something out for an image",
    **dict.fromkeys(("LSTM", "GRU", "RNN"), _OFTEN),
    **dict.fromkeys(("Conv1d", "Conv3d", "ConvTranspose1d", "ConvTranspose2d"), _ONE_KIND),
}


def layer_table(module: nn.Module, graph: NetworkGraph | None, refusal: str) -> pd.DataFrame:
    """A row a layer: its name, type, parameters, use and units.

    graph: None where there is none, and refusal says why.
    """
    rows, running = [], _running(module)
    inside = ""
    for name, layer in module.named_modules():
        if inside and name.startswith(inside):
            continue
        if type(layer).__name__ in _HELPS:
            # a layer of several parts that is one to a reader
            inside = f"{name}."
        if inside == f"{name}." or next(layer.children(), None) is None:
            n = sum(each.numel() for each in layer.parameters())
            use, units = _use(name, layer, graph, refusal)
            if running is not None and name not in running:
                use, units = "not used: the forward pass does not run it", 0
            rows.append(
                {
                    "layer": name or "(the whole module)",
                    "type": type(layer).__name__,
                    "parameters": n,
                    "use": use,
                    "units": units,
                }
            )
    if graph is not None and graph.layer_names[0] == INPUT:
        first = {"layer": INPUT, "type": "images", "parameters": 0, "use": "units"}
        rows.insert(0, {**first, "units": graph.layer_sizes[0]})
    columns = ["layer", "type", "parameters", "use", "units"]
    return pd.DataFrame(rows, columns=columns)


def _running(module: nn.Module) -> set[str] | None:
    """Names of the submodules that the forward pass runs; None where it cannot be followed."""
    try:
        nodes = traced_module(module).graph.nodes
    except ValueError:
        return None
    found = {""}
    for node in nodes:
        place = str(node.target)
        found.add(place if node.op == "call_module" else place.rpartition(".")[0])
        # what holds the operation, whether it is whole or was followed inside
        found.update(name for name, _ in node.meta.get("nn_module_stack", {}).values())
    return found


def _use(name: str, layer: nn.Module, graph: NetworkGraph | None, refusal: str) -> tuple[str, int]:
    kind = type(layer).__name__
    if type(layer) not in KNOWN_MODULES:
        whole = type(layer).__module__.startswith("torch.")
        if graph is not None:
            return (_NO_UNITS if whole else "followed operation by operation"), 0
        if whole or kind in _HELPS:
            return (
                f"not supported: {_HELPS.get(kind, 'not one of the layers that are followed')}",
                0,
            )
    if graph is None:
        return ("not supported here: see below" if f"'{name}'" in refusal else "–"), 0
    if name in graph.layer_names:
        return "units", graph.layer_sizes[graph.layer_names.index(name)]
    if isinstance(layer, nn.BatchNorm1d | nn.BatchNorm2d):
        if name in graph.output_names:
            return f"folded into {graph.layer_names[graph.output_names.index(name)]}", 0
        return "folded into the channels that it scales", 0
    if isinstance(layer, nn.Linear):
        return "outside the graph: behind convolutions, Linear layers are no units", 0
    if isinstance(layer, nn.Conv2d):
        return "outside the graph: it puts out the logits", 0
    return "passes its channels on", 0
