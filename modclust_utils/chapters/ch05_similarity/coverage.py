"""What of the paper's tables and figures chapter 5 has."""

from __future__ import annotations

from collections.abc import Collection

import numpy as np
import pandas as pd

from modclust_utils.coverage import Covered, elsewhere, numbers, table_of, together
from modclust_utils.datasets.papers import beside, paper_table
from modclust_utils.recipes.frames import traced

DATASET = "mnist"
#: What each row of Table 1 is.
SETTING = ["l2", "l1", "dropout_rate"]
#: The paper's figures of trained networks that were not discarded.
FIGURES = ("3", "4", "S2", "S3", "S4", "S5")
#: The parameters that make networks, and how their clusters are sought, others than the paper's.
SETTINGS = ("max_epochs", "absolute", "normalization", "n_steps", "least_accuracy")


@traced
def coverage(
    networks: pd.DataFrame, least_accuracy: float, differing: Collection[str]
) -> pd.DataFrame:
    """A row for each item of ``contents.yml``.

    networks: `tables.networks`, those of a test accuracy below `least_accuracy` marked; differing:
    the parameters whose values are not the paper's.
    """
    trained = networks[networks["trained"]]
    printed = {*paper_table("lange2022_table_1").itertuples(index=False, name=None)}
    rows = trained[["dataset", *SETTING]].itertuples(index=False, name=None)
    is_run = {*SETTINGS}.isdisjoint(differing)
    is_alike = np.array([is_run and d == DATASET and (*row,) in printed for d, *row in rows])
    own, others = trained[is_alike], trained[~is_alike]
    items = [
        together(one, elsewhere(other))
        for one, other in zip(_items(own), _items(others), strict=True)
    ]
    in_text = _text(own, least_accuracy)
    if own.empty:
        in_text = elsewhere(_text(others, least_accuracy))
    return table_of({"lange2022": [*items, in_text]})


def _items(own: pd.DataFrame) -> list[Covered]:
    """Table and figures of some of the trained networks, as if these were the paper's."""
    printed = paper_table("lange2022_table_1")
    facts = paper_table("lange2022_text").set_index("key")["value"]
    models, n_kept = int(facts["models"]), int(facts["models"] - facts["discarded"])
    kept, here = int(own["kept"].sum()), beside(printed, own, SETTING)
    return [
        Covered("Table 1", printed.size, here.size, n_ours=len(own), n_theirs=models),
        *(Covered(f"Figure {name}", n_ours=kept, n_theirs=n_kept) for name in FIGURES),
        Covered("Figure S1", n_ours=len(own)),
    ]


def _text(own: pd.DataFrame, least_accuracy: float) -> Covered:
    ours = {
        "models": len(own),
        "settings": len(own[SETTING].drop_duplicates()),
        "discarded": int((~own["kept"]).sum()),
        "least_accuracy": least_accuracy,
    }
    return numbers("Text", [*paper_table("lange2022_text")["key"]], ours)
