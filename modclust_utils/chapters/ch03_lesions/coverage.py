"""What of the paper's tables and figures chapter 3 has, and how close ours are."""

from __future__ import annotations

from collections.abc import Collection

import pandas as pd

from modclust_utils.chapters.ch03_lesions.rules import Results
from modclust_utils.chapters.ch03_lesions.tables import (
    EDGE,
    important_pairs,
    paper_pairs,
    paper_singles,
)
from modclust_utils.coverage import Covered, column_by_column, elsewhere, numbers, table_of
from modclust_utils.datasets.papers import paper_table
from modclust_utils.recipes.frames import traced

#: The data set of the paper's one network.
DATASET = "fashion_mnist"
#: Numbers that stand in the text, by their keys in ``filan2020_text.csv``, and which of the
#: parameters of a study is ours; of a threshold there is none.
IN_TEXT = {
    "lesion_clusters": "n_clusters",
    "lesion_random_sets_single": "n_random_sets",
    "lesion_random_sets_double": "n_random_pairs",
    "lesion_min_drop": None,
    "lesion_min_proportion": None,
    "lesion_significance_level": None,
}
#: The item of ``contents.yml`` that these numbers are.
TEXT = "Text of section 4, caption of Table A.18"
#: The parameters that make a study another than the paper's.
SETTINGS = (
    *("epochs", "pruning_epochs", "dropout_rate", "dataset_settings"),
    *("n_clusters", "n_random_sets", "n_random_pairs"),
)


@traced
def coverage(results: Results, differing: Collection[str]) -> pd.DataFrame:
    """A row for each item of ``contents.yml``. The paper shows one network, and ours are others.

    differing: the parameters whose values are not the paper's.
    """
    studies = results.studies.networks
    singles = pd.concat([study.singles for study in studies])
    pairs = pd.concat([important_pairs(study.pairs, study.singles) for study in studies])
    rows = [
        column_by_column(f"Table A.{number}", printed, ours, about, n_ours=len(studies), n_theirs=1)
        for number, printed, ours, about in (
            (18, paper_singles(paper_table("filan2020_table_a18")), singles, ["layer", "label"]),
            (19, paper_pairs(paper_table("filan2020_table_a19")), pairs, EDGE),
        )
    ]
    rows += [Covered(f"Figure {name}", n_ours=1, n_theirs=1) for name in ("5", "6", "A.6")]
    parameters = studies[0].record.parameters
    ours = {key: float(parameters[name]) for key, name in IN_TEXT.items() if name is not None}
    rows.append(numbers(TEXT, IN_TEXT, ours))
    if results.dataset != DATASET or not {*SETTINGS}.isdisjoint(differing):
        rows = [*map(elsewhere, rows)]
    return table_of({"filan2020": rows})
