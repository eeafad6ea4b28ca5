"""Chapter 2: where does clusterability come from? (Filan et al. 2020, sections 3.1 to 3.3)."""

from __future__ import annotations

from modclust_utils.recipes.ranges import DATASETS, Range, whole

#: The papers whose tables the chapter shows, as their files in ``data/papers`` begin.
PAPERS = ("filan2020",)

RANGES: dict[str, Range] = {
    "random_datasets": DATASETS,
    "memorized_datasets": DATASETS,
    "mixtures": DATASETS,
    "kilo_epochs": whole(0, 100_000),
}
