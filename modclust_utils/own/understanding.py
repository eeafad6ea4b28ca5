"""What was understood of a network of one's own, layer by layer, before anything is asked."""

from __future__ import annotations

from dataclasses import dataclass, field, replace
from itertools import pairwise

import numpy as np
import pandas as pd
import scipy.sparse as sp
import torch
from numpy.typing import NDArray
from scipy.sparse.csgraph import connected_components

from modclust_utils.datasets import DataError
from modclust_utils.network_graphs import INPUT, NetworkGraph, network_graph
from modclust_utils.own.images import OwnImages
from modclust_utils.own.layer_table import layer_table
from modclust_utils.own.reading import OwnNetwork
from modclust_utils.own.replay import Replay, replay
from modclust_utils.recipes.classifier import Classifier
from modclust_utils.rescaling import scale_dependent

#: Below so many units to a cluster there is little to be said about clusters.
FEW_UNITS = 8
#: From this share of edges that are not zero a network counts as dense.
DENSE = 0.99
OTHER_ARCHITECTURE = (
    "What would help: the architecture that the file was saved from, with its options (a function "
    "in a file, my_file.py:build, can set them)."
)
WHAT_HELPS = (
    "What would help: in Python, `modclust_utils.analyze(model.some_part, ...)` asks about a part "
    "without it; or write the network with the layers that are followed."
)


@dataclass(frozen=True, eq=False)
class Understanding:
    """What was understood of a network.

    layers: a row a layer; graph: None where it could not be made, and refusal says why; n_edges:
    that are not zero; n_possible: that could be; n_parts: connected parts among units with edges;
    bending: non-linearities that let no factor pass; images: which there are; top_1: of labelled
    ones, None where there are none or the network puts out no classes; warnings: where the method
    says little.
    """

    network: OwnNetwork
    layers: pd.DataFrame
    graph: NetworkGraph | None = field(repr=False)
    refusal: str = ""
    n_live: int = 0
    n_edges: int = 0
    n_possible: int = 0
    n_parts: int = 0
    bending: tuple[str, ...] = ()
    replay: Replay = field(default_factory=Replay)
    images: str = ""
    top_1: float | None = None
    n_labelled: int = 0
    n_classes: int = 0
    warnings: tuple[str, ...] = ()

    @property
    def n_units(self) -> int:
        """All units of the graph."""
        return 0 if self.graph is None else len(self.graph.layer_of_unit)


def understand(
    network: OwnNetwork, n_clusters: int, images: OwnImages | None = None
) -> Understanding:
    """Read the graph of a network and check it. Never raises for a network that cannot be followed:
    what is not understood is in `refusal`, and in the table of its layers."""
    graph, refusal = None, network.keys.problem
    if refusal:
        refusal = f"The weights do not fit the architecture: {refusal}."
    else:
        try:
            graph = network_graph(network.module, network.example)
        except ValueError as error:
            refusal = str(error)
    layers = layer_table(network.module, graph, refusal)
    if graph is None:
        return Understanding(network, layers, None, refusal)
    if not any(each.weights.any() for each in graph.connections):
        return Understanding(
            network, layers, None, "Between its layers of units there is no edge that is not zero."
        )
    top_1, n_labelled, n_classes = None, 0, 0
    if images is not None and images.labelled:
        top_1, n_labelled, n_classes = _top_1(network, images)
    made = Understanding(
        network,
        layers,
        graph,
        n_live=int(_live(graph).sum()),
        n_edges=sum(int(np.count_nonzero(each.weights)) for each in graph.connections),
        n_possible=sum(int(each.possible.sum()) for each in graph.connections),
        n_parts=_parts(graph),
        bending=scale_dependent(network.module),
        replay=replay(network, graph),
        images="" if images is None else images.words,
        top_1=top_1,
        n_labelled=n_labelled,
        n_classes=n_classes,
    )
    return replace(made, warnings=tuple(_warnings(made, n_clusters)))


# --- the graph -----------------------------------------------------------------------------------


def _live(graph: NetworkGraph) -> NDArray[np.bool_]:
    found = np.zeros(len(graph.layer_of_unit), bool)
    ends = np.cumsum(graph.layer_sizes)
    for each in graph.connections:
        for layer, axis in ((each.target, 1), (each.source, 0)):
            place = slice(ends[layer] - graph.layer_sizes[layer], ends[layer])
            found[place] |= each.weights.any(axis)
    return found


def _parts(graph: NetworkGraph) -> int:
    """Connected parts among the units with edges; dense networks are one, without a look."""
    if all(each.weights.all() for each in graph.connections):
        return _parts_of_layers(graph)
    live = _live(graph)
    labels = connected_components(_pattern(graph), directed=False)[1]
    return len(np.unique(labels[live]))


def _parts_of_layers(graph: NetworkGraph) -> int:
    """Connected parts where all units of joined layers are joined; layers alone have no edges."""
    n = len(graph.layer_names)
    places = np.array([(each.target, each.source) for each in graph.connections]).T
    layers = sp.coo_array((np.ones(places.shape[1]), tuple(places)), shape=(n, n))
    labels = connected_components(layers, directed=False)[1]
    return len(np.unique(labels[np.unique(places)]))


def _pattern(graph: NetworkGraph) -> sp.csr_array:
    ends = np.cumsum(graph.layer_sizes)
    rows, columns = [], []
    for each in graph.connections:
        target, source = np.nonzero(each.weights)
        rows.append((target + ends[each.target] - graph.layer_sizes[each.target]).astype(np.int32))
        columns.append(
            (source + ends[each.source] - graph.layer_sizes[each.source]).astype(np.int32)
        )
    row, column = np.concatenate(rows), np.concatenate(columns)
    n = len(graph.layer_of_unit)
    return sp.csr_array((np.ones(len(row), np.int8), (row, column)), shape=(n, n))


# --- images --------------------------------------------------------------------------------------


@torch.no_grad()
def _top_1(network: OwnNetwork, images: OwnImages) -> tuple[float | None, int, int]:
    """The share of images whose largest logit is their class, how many these are, and the number of
    logits: below 2, and for other forms, no share. Raises DataError for labels of other classes,
    and for images to which the network has no answer."""
    dataset = images.load()
    shape = (*(1,) * (3 - len(network.input_shape)), *network.input_shape)
    classifier = Classifier(network.module, shape, network.maker.prepare)
    hits, n_classes, most = 0, 0, int(max(dataset.y_train.max(), dataset.y_test.max()))
    for start in range(0, len(dataset.y_test), 50):
        part = slice(start, start + 50)
        logits = network.module(classifier.inputs(dataset.x_test[part]))
        if logits.ndim != 2 or logits.shape[1] < 2:
            return None, len(dataset.y_test), 0
        n_classes = logits.shape[1]
        if most >= n_classes:
            raise DataError(
                f"images={images.dataset!r} have labels up to {most}; allowed: 0 to "
                f"{n_classes - 1}, of the {n_classes} classes that the network puts out"
            )
        if not logits.isfinite().all():
            # NaN is never the larger: the first class would be right
            raise DataError(
                f"images={images.dataset!r}: the network puts out NaN or infinity for some of "
                f"images {start} to {start + len(logits) - 1}; allowed: finite numbers"
            )
        hits += int((logits.argmax(1).numpy() == dataset.y_test[part]).sum())
    return hits / len(dataset.y_test), len(dataset.y_test), n_classes


# --- where the method says little ----------------------------------------------------------------


def _warnings(found: Understanding, k: int) -> list[str]:
    said = []
    share = found.n_edges / found.n_possible
    if share >= DENSE:
        said.append(
            f"The network is dense: {share:.1%} of the edges that it can have are not zero. "
            "Chapter 1 finds clusters in pruned networks; in dense ones an n-cut near that of "
            "shuffles does not say that the network has no modules of another kind."
        )
    if found.n_live < FEW_UNITS * k:
        said.append(
            f"There are few units: {found.n_live:,} with edges, for {k} clusters. With fewer than "
            f"{FEW_UNITS} units to a cluster, clusters say little."
        )
    if found.n_parts > 1:
        said.append(
            f"The graph falls into {found.n_parts:,} parts without an edge between them. With as "
            "many clusters or fewer the n-cut can be 0, whatever the weights inside the parts are."
        )
    if found.network.assumed:
        said.append(
            "The forward pass is assumed, as a file of weights does not say it. Where something "
            "runs beside the chain (a skip connection), or batch norms stand elsewhere, the graph "
            "is another one; lesions and activations depend on all of it. --architecture says it."
        )
    shape = found.network.input_shape
    if found.graph and found.graph.layer_names[0] == INPUT and len(shape) == 3:
        n = int(np.prod(shape))
        said.append(
            f"The images are {'x'.join(map(str, shape))}, of which each channel is one unit, not "
            f"each pixel: with the shape {n} (--input-shape) each pixel is one."
        )
    if found.bending:
        said.append(
            f"The network has {', '.join(found.bending)}, which let no factor pass: rescaled, it "
            "computes something else, and the gauge shows how much the n-cut depends on scales, "
            "not what is free."
        )
    if found.replay.faults:
        said.append(
            "The graph does not explain what the network does: "
            f"{'; '.join(found.replay.faults[:3])}. Do not trust the results below."
        )
    if found.n_labelled and found.top_1 is None:
        said.append(
            "The images have labels, and the network puts out fewer than two logits for each: so "
            "there is no top-1, and nothing is lesioned."
        )
    chance = 1 / max(found.n_classes, 1)
    # twice chance; of few classes, for which that would be a good share, a fifth of what is left
    if found.top_1 is not None and found.top_1 < chance + min(chance, (1 - chance) / 5):
        said.append(
            f"On {found.n_labelled:,} labelled images top-1 is {found.top_1:.1%}, near chance "
            f"({chance:.1%}): labels or the way in which images are prepared are probably others "
            "than in training."
        )
    return said


def chain(graph: NetworkGraph) -> list[NDArray[np.float64]] | None:
    """The matrices of a network whose layers follow each other one by one, None for another."""
    places = [(each.source, each.target) for each in graph.connections]
    n = len(graph.layer_names)
    return [c.weights for c in graph.connections] if places == [*pairwise(range(n))] else None
