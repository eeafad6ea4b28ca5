"""What of the paper's tables and figures chapter 1 has, and how close ours are."""

from __future__ import annotations

from collections.abc import Collection, Mapping

import pandas as pd

from modclust_utils.chapters.ch01_clusterability.tables import (
    CONDITION,
    PAPER_COLUMNS,
    PAPER_TABLES,
)
from modclust_utils.coverage import Covered, elsewhere, numbers, row_by_row, table_of, together
from modclust_utils.datasets.papers import beside, paper_table
from modclust_utils.recipes.frames import traced
from modclust_utils.tables import N_PAPER

#: Numbers that stand in the text, by their keys in ``filan2020_text.csv``.
IN_TEXT = (
    *("networks_per_setting", "clusters", "shuffles", "significance_level"),
    *("random_init_networks", "random_init_ncut_low", "random_init_ncut_high"),
    *("percent_of_shuffles_above", "cifar10_above_all_shuffles"),
    *("test_acc_percent_mnist", "test_acc_percent_fashion_mnist", "test_acc_percent_cifar10"),
)
#: The item of ``contents.yml`` that these numbers are.
TEXT = "Text of sections 1 and 3, caption of Table 1"
#: The parameters that make networks and their tests others than the paper's; how many there are of
#: a kind is none of them.
SETTINGS = ("epochs", "pruning_epochs", "dropout_rate", "dataset_settings", "n_shuffles")


@traced
def coverage(
    by_k: Mapping[int, pd.DataFrame],
    by_phase: pd.DataFrame,
    fresh: pd.DataFrame,
    differing: Collection[str],
) -> pd.DataFrame:
    """A row for each item of ``contents.yml``.

    by_k: `tables.by_k`; by_phase: `tables.by_phase`; fresh: freshly initialized networks;
    differing: the parameters whose values are not the paper's.
    """
    facts = paper_table("filan2020_text").set_index("key")["value"]
    main = by_k.get(int(facts["clusters"]))
    trained = [_table(k, by_k.get(k)) for k in PAPER_TABLES] + _of_trained(by_phase)
    text = {} if main is None else _in_text(main)
    in_text = numbers(TEXT, IN_TEXT, text)
    if not {*SETTINGS}.isdisjoint(differing):
        trained, in_text = [*map(elsewhere, trained)], elsewhere(in_text)
    figure_3 = Covered(
        "Figure 3",
        n_ours=len(fresh["ncuts"].iloc[0]),
        n_theirs=int(facts["random_init_networks"]),
    )
    of_fresh = numbers(TEXT, IN_TEXT, _of_fresh(fresh))
    if fresh["n_clusters"].iloc[0] != facts["clusters"]:
        figure_3, of_fresh = elsewhere(figure_3), elsewhere(of_fresh)
    return table_of({"filan2020": [*trained, figure_3, together(in_text, of_fresh)]})


def _of_trained(by_phase: pd.DataFrame) -> list[Covered]:
    """Figures 1 and 2; the first shows a network of data that the paper does not name."""
    printed = paper_table("filan2020_table_1")
    n_theirs = N_PAPER * len(printed)
    own = beside(by_phase, printed, CONDITION)["network"].nunique()
    n_others = by_phase["network"].nunique() - own
    figure_1 = Covered("Figure 1", n_ours=1, n_theirs=1)
    # the network that the chapter draws is on the first data set
    is_known = len(beside(by_phase.head(1), printed, CONDITION)) > 0
    return [
        figure_1 if is_known else elsewhere(figure_1),
        Covered("Figure 2", n_ours=own, n_ours_elsewhere=n_others, n_theirs=n_theirs),
    ]


def _table(k: int, ours: pd.DataFrame | None) -> Covered:
    """Table 1 for a number of clusters; *Train acc.* is the running accuracy, as printed."""
    name, item = PAPER_TABLES[k]
    printed = paper_table(name)
    own, n_ours = printed.iloc[:0], 0
    if ours is not None:
        rows = beside(ours, printed, CONDITION)
        own = rows.assign(train_acc=rows["running_acc"])[[*CONDITION, *PAPER_COLUMNS]]
        n_ours = int(rows["n"].sum())
    n_theirs = N_PAPER * len(printed)
    return row_by_row(item, printed, own, CONDITION, n_ours=n_ours, n_theirs=n_theirs)


def _in_text(main: pd.DataFrame) -> dict[str, float]:
    """Ours of the numbers in the text, which are for the k of the paper's main table."""
    own = beside(main, paper_table("filan2020_table_1"), CONDITION)
    if own.empty:
        return {}
    ours = {"networks_per_setting": own["n"].max(), "clusters": own["n_clusters"].iloc[0]}
    plain = own[~own["dropout"].astype(bool)].set_index("dataset")
    for dataset in plain.index:
        ours[f"test_acc_percent_{dataset}"] = 100 * plain.loc[dataset, "test_acc"]
    if "cifar10" in plain.index:
        ours["cifar10_above_all_shuffles"] = plain.loc["cifar10", "n_above_all"]
    return ours


def _of_fresh(fresh: pd.DataFrame) -> dict[str, float]:
    """Ours of the numbers in the text that are about networks which were not trained."""
    ncuts = fresh["ncuts"].iloc[0]
    return {
        "random_init_networks": len(ncuts),
        "random_init_ncut_low": min(ncuts),
        "random_init_ncut_high": max(ncuts),
    }
