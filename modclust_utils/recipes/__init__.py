"""Kinds of record, one module each: the fields of its key, how it is computed, how it is compared.

A *recipe* is all that there is to know about one kind. A *job* is a recipe with parameters and with
the jobs whose records it needs. `recipe_of` finds a recipe by its kind: a new kind is a new module
here that holds a `RECIPE`.
"""

from __future__ import annotations

import importlib
import pkgutil
from functools import cache

from modclust_utils.recipes.base import Recipe


@cache
def all_recipes() -> dict[str, Recipe]:
    """Every recipe of this package, by its kind."""
    modules = [
        importlib.import_module(f"{__name__}.{found.name}")
        for found in pkgutil.iter_modules(__path__)
    ]
    recipes = [module.RECIPE for module in modules if hasattr(module, "RECIPE")]
    return {recipe.kind: recipe for recipe in recipes}


def recipe_of(kind: str) -> Recipe:
    """The recipe of a kind. Raises ValueError that lists the kinds there are."""
    recipes = all_recipes()
    if kind not in recipes:
        raise ValueError(f"kind={kind!r} is no kind of record; allowed: {', '.join(recipes)}")
    return recipes[kind]
