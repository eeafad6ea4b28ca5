"""What chapter 4 computes: networks, four partitionings of each, lesions and visualizations."""

from __future__ import annotations

from collections.abc import Sequence
from typing import Any

from modclust_utils import datasets, pretrained
from modclust_utils.partitionings import PARTITIONINGS
from modclust_utils.recipes import (
    classifier,
    graph_shuffles,
    input_correlations,
    pretrained_network,
    set_lesions,
    set_visualizations,
    unit_partition,
)
from modclust_utils.recipes.base import Images, Job
from modclust_utils.recipes.network import images_of, network_seeds
from modclust_utils.settings import CnnSettings, TrainingSettings, VggSettings

# Starts of k-means whose z-scores are compared.
_STARTS = (1, 10)
# Sub-clusters of the first network of each kind whose images are shown.
_GALLERY = 12


def plan(p: Any) -> dict[str, list[Job]]:
    """The jobs of the chapter.

    networks: those trained here; lesions, visualizations: of the four partitionings of each, into
    as many clusters as the paper takes; matched, other_k: lesions of perceptrons beside random sets
    of the same norm, and for other numbers of clusters; halves: images of first-layer sub-clusters;
    shuffles: every network against two nulls; spread: pretrained ones again, with other seeds and
    numbers of starts of k-means.
    """
    perceptrons = mlps(p, p.dataset)
    small = perceptrons + cnns(p)
    vgg = vggs(p)
    measured = [
        (network, [_partition(p, network, each, p.n_clusters) for each in PARTITIONINGS])
        for network in small + vgg[: p.vgg_measured]
    ]
    by_weights = [parts[0] for network, parts in measured if is_perceptron(network)]
    others = [
        _partition(p, network, PARTITIONINGS[0], k)
        for network in perceptrons
        for k in p.other_clusters
    ]
    split = [
        _partition(p, network, each, p.n_clusters)
        for network in mlps(p, p.halves)
        for each in PARTITIONINGS
    ]
    others_made = [pretrained_network.job(name, _photographs(p, name)) for name in p.pretrained]
    measured_made = [
        _partition(
            *(p, network, each, p.pretrained_clusters),
            # of a layer by itself as many as of the whole network: the papers' 32 for ImageNet
            clusters_per_layer=p.pretrained_clusters if each.endswith("/layer") else None,
        )
        for network in others_made
        if network.about["architecture"] in p.pretrained_measured
        for each in _partitionings(p, network)
    ]
    every = [part for _, parts in measured for part in parts] + measured_made
    return {
        "networks": small + vgg,
        "pretrained": others_made,
        "halves_networks": mlps(p, p.halves),
        "lesions": [_lesions(p, part) for part in every],
        "visualizations": [_visualizations(p, part) for part in every],
        "matched": [_lesions(p, part, match="norm") for part in by_weights],
        "other_k": [_lesions(p, part) for part in others],
        "halves": [
            input_correlations.job(
                part, n_images=p.n_activation_images, n_random=p.n_random, seed=p.seed
            )
            for part in split
        ],
        "shuffles": [
            _shuffles(p, network, mode, n_shuffles=p.n_shuffles)
            for network in small + vgg + others_made
            for mode in ("layer", "channel")
        ],
        "spread": [
            _shuffles(p, network, "layer", seed=seed, n_init=n_init, n_shuffles=p.n_spread_shuffles)
            for network in others_made
            for n_init in _STARTS
            for seed in range(p.seed, p.seed + p.n_spread)
        ],
    }


def _photographs(p: Any, name: str) -> Images:
    """Images of the classes that a pretrained network tells apart."""
    return images_of(
        p, p.photographs if pretrained.find_row(name).classes == "imagenet" else p.colour_dataset
    )


def _partitionings(p: Any, network: Job) -> Sequence[str]:
    """The partitionings of a network that others trained."""
    is_full = network.about["architecture"] in p.pretrained_in_full
    return PARTITIONINGS if is_full else [*p.pretrained_partitionings]


def mlps(p: Any, dataset: str) -> list[Job]:
    """The perceptrons on a data set: those of paper A, and not pruned."""
    n_inputs, n_classes = datasets.dimensions(dataset)
    sizes = (n_inputs, *TrainingSettings().layer_sizes[1:-1], n_classes)
    settings = TrainingSettings(layer_sizes=sizes, epochs=p.epochs, pruning_epochs=0)
    images = images_of(p, dataset)
    return [classifier.job(images, settings, seed) for seed in network_seeds(p.seed, p.n_networks)]


def cnns(p: Any) -> list[Job]:
    """The small convolutional networks."""
    _, *shape = datasets.image_shape(p.dataset)
    settings = CnnSettings(
        image_shape=tuple(shape),
        n_classes=len(datasets.class_names(p.dataset)),
        channels=p.cnn_channels,
        epochs=p.cnn_epochs,
        precision=p.precision,
    )
    images = images_of(p, p.dataset)
    return [classifier.job(images, settings, seed) for seed in network_seeds(p.seed, p.n_networks)]


def vggs(p: Any) -> list[Job]:
    """The VGG networks on images in colour."""
    settings = VggSettings(
        n_classes=len(datasets.class_names(p.colour_dataset)),
        width=p.vgg_width,
        dropout=p.vgg_dropout,
        epochs=p.vgg_epochs,
        precision=p.precision,
    )
    seeds = network_seeds(p.seed, p.vgg_networks)
    return [classifier.job(images_of(p, p.colour_dataset), settings, seed) for seed in seeds]


def _partition(
    p: Any,
    network: Job,
    partitioning: str,
    n_clusters: int,
    clusters_per_layer: int | None = None,
) -> Job:
    return unit_partition.job(
        network,
        partitioning,
        n_clusters=n_clusters,
        norm=p.kernel_norm,
        n_images=p.n_activation_images,
        clusters_per_layer=clusters_per_layer,
        seed=p.seed,
    )


def is_perceptron(part: Job) -> bool:
    """Whether a job is about a perceptron, whose lesions take little time."""
    return bool(part.about["architecture"] == "mlp")


def _is_own(part: Job) -> bool:
    """Whether a job is about a network that is trained here."""
    return part.about["architecture"] in classifier.ARCHITECTURES


def _precision(p: Any, part: Job) -> str:
    """Perceptrons gain nothing from less, and what others trained stays as they published it."""
    return str(p.precision) if _is_own(part) and not is_perceptron(part) else "float32"


def _n_images(p: Any, part: Job) -> int:
    """Test images of a network's lesions, which take more time in larger networks."""
    if part.about["dataset"] == p.photographs:
        return int(p.n_photographs)
    return int(p.n_lesion_images if is_perceptron(part) else p.n_convolutional_images)


def _lesions(p: Any, part: Job, match: str = "size") -> Job:
    return set_lesions.job(
        part,
        n_images=_n_images(p, part),
        match=match,
        n_random=p.n_random,
        precision=_precision(p, part),
        seed=p.seed,
    )


def _visualizations(p: Any, part: Job) -> Job:
    # one network of a kind is enough; pretrained ones have no seed
    first = part.about["seed"] == network_seeds(p.seed, 1)[0] or not _is_own(part)
    return set_visualizations.job(
        part,
        n_steps=p.n_steps,
        image_size=p.picture_size if part.about["dataset"] == p.photographs else None,
        n_random=p.n_random,
        n_gallery=_GALLERY if first else 0,
        precision=_precision(p, part),
        seed=p.seed,
    )


def _shuffles(
    p: Any, network: Job, mode: str, *, n_shuffles: int, seed: int | None = None, n_init: int = 10
) -> Job:
    return graph_shuffles.job(
        network,
        n_clusters=p.shuffle_clusters,
        n_shuffles=n_shuffles,
        mode=mode,
        norm=p.kernel_norm,
        seed=p.seed if seed is None else seed,
        n_init=n_init,
    )
