"""The data of the network viewer: pruned networks in their clusters, as one script of the site.

All of it comes from published records. A browser that opens the site from a disk refuses to fetch
files, so the data are a script of their own: edges as bit masks and 16-bit numbers in base64.
"""

from __future__ import annotations

import base64
import json
from collections.abc import Iterator, Sequence
from dataclasses import dataclass
from functools import cached_property
from typing import Any

import numpy as np
from numpy.typing import NDArray

from modclust_utils import datasets
from modclust_utils.figures.colors import CLUSTER_COLORS, OTHER_COLOR
from modclust_utils.figures.style import ACROSS_COLOR, DEAD_COLOR, dataset_name, dropout_name
from modclust_utils.graphs import layer_of_unit, layer_sizes
from modclust_utils.partitions import order_labels
from modclust_utils.publish.records import published_folder, read_record
from modclust_utils.recipes import lesions, network, partition
from modclust_utils.recipes.base import Record

#: Networks trained on these are in the viewer: with dropout and without, the first of each kind.
DATASETS = ("mnist", "fashion_mnist", "cifar10")
#: The largest number that a weight becomes.
LARGEST = 32_767
#: Kinds of sub-clusters (`lesion_results.KINDS`) as the viewer says them.
KIND_WORDS = {
    "important": "important",
    "sig-but-not-diff": "costs more than random sets, but at most one point",
    "diff-but-not-sig": "costs more than one point, but no more than some random set",
    "small": "small: under 5 % of the layer",
    "other": "costs at most one point, and no more than some random set",
}


@dataclass(frozen=True)
class Clustering:
    """Clusters of a network as a record has them, numbered by size as in the chapters.

    labels: ``(n,)``, -1 for units without an edge; singles: what the lesion of each sub-cluster
    costs, a row of the record each, where the record is one of lesions.
    """

    record: Record
    labels: NDArray[np.int64]
    singles: tuple[dict[str, Any], ...] = ()

    @property
    def n_clusters(self) -> int:
        """How many clusters were asked for."""
        return int(self.record.parameters["n_clusters"])


@dataclass(frozen=True)
class ViewedNetwork:
    """A network of the viewer, by its record and those of its clusterings (`records_about`)."""

    record: Record
    about: tuple[Record, ...]

    @property
    def dataset(self) -> str:
        """What it was trained on."""
        return str(self.record.parameters["dataset"])

    @property
    def dropout(self) -> bool:
        """Whether it was trained with dropout."""
        return bool(self.record.parameters["settings"]["dropout_rate"] > 0)

    @property
    def seed(self) -> int:
        """The seed of its training."""
        return int(self.record.parameters["seed"])

    @property
    def sizes(self) -> tuple[int, ...]:
        """Units of each layer."""
        return tuple(self.record.parameters["settings"]["layer_sizes"])

    @property
    def name(self) -> str:
        """Its name in links: ``mnist-dropout-0``."""
        return "-".join([self.dataset, *["dropout"] * self.dropout, str(self.seed)])

    @property
    def words(self) -> str:
        """Its name for readers."""
        return f"{dataset_name(self.dataset)}, {dropout_name(self.dropout)}, seed {self.seed}"

    @cached_property
    def weights(self) -> list[NDArray[np.float32]]:
        """Weights ``(n_out, n_in)``, layer by layer."""
        return network.weights(self.record)

    @property
    def numbers(self) -> list[int]:
        """The numbers of clusters that there are clusterings for."""
        return [record.parameters["n_clusters"] for record in self.about]

    @cached_property
    def clusterings(self) -> list[Clustering]:
        """One for each number of clusters, by number."""
        layers = layer_of_unit(self.weights)
        return [_clustering(record, layers) for record in self.about]


def _clustering(record: Record, layers: NDArray[np.int64]) -> Clustering:
    if record.kind == partition.RECIPE.kind:
        return Clustering(record, order_labels(partition.labels(record), layers))
    old = np.array(record.value["labels"])
    labels = order_labels(old, layers)
    number = dict(zip(old.tolist(), labels.tolist(), strict=True))
    singles = ({**row, "label": number[row["label"]]} for row in record.value["sub_clusters"])
    ordered = sorted(singles, key=lambda row: (row["layer"], row["label"]))
    return Clustering(record, labels, tuple(ordered))


def viewed_networks() -> list[ViewedNetwork]:
    """The networks of the viewer: for each data set with dropout, then without, the lowest seed.

    Networks whose clusters no published record holds are not among them.
    """
    about: dict[str, list[Record]] = {}
    for record in _published(partition.RECIPE.kind, lesions.RECIPE.kind):
        about.setdefault(record.parameters["network"], []).append(record)
    folder = published_folder() / network.RECIPE.kind
    files = [folder / f"{key}.json" for key in sorted(about)]
    found = [
        ViewedNetwork(record, _one_for_each_number(about[record.key]))
        for record in (read_record(file) for file in files if file.is_file())
        if record.parameters["dataset"] in DATASETS
    ]
    found.sort(key=lambda each: (DATASETS.index(each.dataset), not each.dropout, each.seed))
    first = {(each.dataset, each.dropout): each for each in reversed(found)}
    return [each for each in found if first[each.dataset, each.dropout] is each]


def _published(*kinds: str) -> Iterator[Record]:
    for kind in kinds:
        for path in sorted((published_folder() / kind).glob("*.json")):
            yield read_record(path)


def _one_for_each_number(records: Sequence[Record]) -> tuple[Record, ...]:
    """For each number of clusters one record: lesions first, of all pairs, of the lowest seed."""

    def rank(record: Record) -> tuple[bool, bool, int]:
        p = record.parameters
        return record.kind != lesions.RECIPE.kind, p.get("pairs") != "all", p["seed"]

    best: dict[int, Record] = {}
    for record in sorted(records, key=rank):
        best.setdefault(record.parameters["n_clusters"], record)
    return tuple(best[k] for k in sorted(best))


def data_script(networks: Sequence[ViewedNetwork]) -> str:
    """The script that gives the viewer its networks."""
    colors = {
        "clusters": CLUSTER_COLORS,
        "other": OTHER_COLOR,
        "dead": DEAD_COLOR,
        "across": ACROSS_COLOR,
    }
    content = {"colors": colors, "networks": [packed(each) for each in networks]}
    return f"globalThis.modclustNetworks = {json.dumps(content, separators=(',', ':'))};\n"


def packed(viewed: ViewedNetwork) -> dict[str, Any]:
    """A network as the viewer reads it."""
    return {
        "name": viewed.name,
        "words": viewed.words,
        "sizes": layer_sizes(viewed.weights),
        "image": datasets.image_shape(viewed.dataset)[1:],
        "classes": datasets.class_names(viewed.dataset),
        "accuracy": viewed.record.value["test_accuracy_after"],
        "record": viewed.record.key,
        "weights": [_packed_weights(weight) for weight in viewed.weights],
        "clusterings": [_packed_clustering(each) for each in viewed.clusterings],
    }


def _packed_weights(weight: NDArray[np.float32]) -> dict[str, Any]:
    """Which weights are not zero, row by row, and those as multiples of `unit`."""
    unit = float(np.abs(weight).max(initial=0)) / LARGEST or 1.0
    kept = weight != 0
    return {
        "mask": _base64(np.packbits(kept, bitorder="little")),
        "values": _base64(np.round(weight[kept] / unit).astype("<i2")),
        "unit": unit,
    }


def _packed_clustering(clustering: Clustering) -> dict[str, Any]:
    record = clustering.record
    return {
        "k": clustering.n_clusters,
        "ncut": record.value["ncut"],
        "record": record.key,
        "labels": _base64(clustering.labels.astype(np.int8)),
        "lesions": [_packed_lesion(row) for row in clustering.singles],
        "nRandom": record.parameters.get("n_random_sets", 0),
    }


def _packed_lesion(row: dict[str, Any]) -> dict[str, Any]:
    return {
        "layer": row["layer"],
        "cluster": row["label"],
        "drop": row["drop"],
        "nullMean": row["null_mean"],
        "nullStd": row["null_std"],
        "p": row["p_value"],
        "kind": KIND_WORDS[row["kind"]],
        "classDrops": row.get("class_drops", []),
    }


def _base64(array: NDArray[Any]) -> str:
    return base64.b64encode(array.tobytes()).decode()
