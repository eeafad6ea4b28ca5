"""How well a pretrained network does on labelled images."""

from __future__ import annotations

from collections.abc import Sequence

import torch

from modclust_utils.datasets.images import BATCH, LabelledImages
from modclust_utils.doors import as_counts, check_finite, check_kind
from modclust_utils.pretrained.loading import Pretrained


@torch.no_grad()
def top_accuracy(
    network: Pretrained,
    images: LabelledImages,
    *,
    k: Sequence[int] = (1, 5),
    batch_size: int = BATCH,
) -> tuple[float, ...]:
    """Share of images whose class is among the k largest logits, for each k.

    All logits of the network take part, also where the images are of a few classes: on the ten
    classes of Imagenette, whose labels are ImageNet's numbers, an answer that is none of the ten is
    wrong, and chance is 1 in 1,000.

    Raises ValueError for images whose classes, or whose size, are not those of the network, and
    for logits that are NaN or infinite.
    """
    check_kind("network", network, Pretrained, "a network as pretrained.load gives it")
    check_kind("images", images, LabelledImages, "images as pretrained.load_images gives them")
    for what in ("classes", "size"):
        own = network.classes if what == "classes" else network.image_size
        if getattr(images, what) != own:
            raise ValueError(
                f"images have {what}={getattr(images, what)!r}; allowed: {own!r}, as {network.name}"
            )
    counts = as_counts("k", k, "whole numbers, such as (1, 5)")
    hits = torch.zeros(len(counts), dtype=torch.int64)
    for x, y in images.batches(batch_size):
        logits = network.module(network.prepare(x / 255))
        check_finite("what network puts out", logits)
        # how many others are no smaller than that of the class: ties count against it
        rank = (logits >= logits.gather(1, y[:, None])).sum(1) - 1
        hits += torch.tensor([int((rank < each).sum()) for each in counts])
    return tuple((hits.double() / len(images)).tolist())
