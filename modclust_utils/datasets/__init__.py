"""Data sets: images in classes, checked before anyone trains on them.

`load` gives every data set in one form, `Dataset`. Four of them are public image sets that must
match published hashes; some are generated from a seed (`lines`, `random_images`), others mix two
of these (`mixture`) or put two images side by side (`halves`); a `.npz` file of one's own is
welcome too. Each set with a name is a row of `registry`. A result is tied to its data by
`Dataset.train_hash`. The papers' tables: `papers`.
"""

from modclust_utils.datasets.dataset import DataError, Dataset, content_hash, from_arrays
from modclust_utils.datasets.derived import OWN_NOTE, gray28, halves, mixture, with_pixel_range
from modclust_utils.datasets.files import IMAGENETTE_CLASSES
from modclust_utils.datasets.generated import N_CLASSES, lines, random_images
from modclust_utils.datasets.loading import (
    class_names,
    dimensions,
    image_shape,
    load,
    train_hash,
)
from modclust_utils.datasets.registry import (
    MIXTURES,
    NAMES,
    TEST_HASHES,
    TRAIN_HASHES,
    check_name,
    short_name,
    words,
)
from modclust_utils.paths import DATA_VARIABLE, default_folder

__all__ = [
    "DATA_VARIABLE",
    "IMAGENETTE_CLASSES",
    "MIXTURES",
    "NAMES",
    "N_CLASSES",
    "OWN_NOTE",
    "TEST_HASHES",
    "TRAIN_HASHES",
    "DataError",
    "Dataset",
    "check_name",
    "class_names",
    "content_hash",
    "default_folder",
    "dimensions",
    "from_arrays",
    "gray28",
    "halves",
    "image_shape",
    "lines",
    "load",
    "mixture",
    "random_images",
    "short_name",
    "train_hash",
    "with_pixel_range",
    "words",
]
