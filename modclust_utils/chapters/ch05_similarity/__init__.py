"""Chapter 5: is a unit's function what drives it, or what it drives? (Lange et al. 2022)."""

from __future__ import annotations

from typing import Annotated, Literal

from pydantic import AfterValidator, Field

from modclust_utils.recipes.ranges import Range, whole

#: The papers whose tables the chapter shows, as their files in ``data/papers`` begin.
PAPERS = ("lange2022",)


def _growing(values: list[float]) -> list[float]:
    if sorted(set(values)) != values:
        raise ValueError("each once, in growing order")
    return values


_PENALTY = Annotated[float, Field(gt=0, le=10)]
_RATE = Annotated[float, Field(gt=0, lt=1)]
_PENALTIES: Range = (
    Annotated[list[_PENALTY], Field(min_length=2), AfterValidator(_growing)],
    "a list of two or more growing numbers above 0, 10 at most",
)

RANGES: dict[str, Range] = {
    "l2": _PENALTIES,
    "l1": _PENALTIES,
    "dropout_rates": (
        Annotated[list[_RATE], Field(min_length=2), AfterValidator(_growing)],
        "a list of two or more growing numbers above 0 and below 1",
    ),
    "mild_l2": (Annotated[float, Field(ge=0, le=10)], "a number from 0 to 10"),
    "n_untrained": whole(2, 1000),
    "max_epochs": whole(1, 10_000),
    "least_accuracy": (Annotated[float, Field(ge=0, le=1)], "a number from 0 to 1"),
    "absolute": (Literal["of_mean", "mean_of"], "'of_mean' or 'mean_of'"),
    "normalization": (Literal["max", "sqrt"], "'max' or 'sqrt'"),
    "n_steps": whole(0, 1_000_000),
    "n_starts": whole(1, 1000),
}
