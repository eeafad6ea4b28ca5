"""Chapter 3: lesions of clusters (Filan et al. 2020, section 4)."""

from __future__ import annotations

from modclust_utils.recipes.ranges import Range, whole

#: The papers whose tables the chapter shows, as their files in ``data/papers`` begin.
PAPERS = ("filan2020",)

RANGES: dict[str, Range] = {
    "n_reclusterings": whole(1, 1000),
    "n_random_sets": whole(1, 100_000),
    "n_random_pairs": whole(1, 100_000),
}
