"""Chapter 5: is a unit's function what drives it, or what it drives? (Lange et al. 2022)."""

from __future__ import annotations

from modclust_utils.recipes.ranges import Range

#: The paper prints no tables.
PAPERS: tuple[str, ...] = ()

RANGES: dict[str, Range] = {}
