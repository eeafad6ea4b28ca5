"""What of the paper's tables and figures chapter 2 has, and how close ours are."""

from __future__ import annotations

from collections.abc import Collection, Iterator

import pandas as pd

from modclust_utils.chapters.ch02_dropout_and_topology.controls import is_other_mix
from modclust_utils.chapters.ch02_dropout_and_topology.printed import (
    CONDITION,
    CONDITION_OF,
    CONTROLS,
)
from modclust_utils.coverage import (
    Covered,
    column_by_column,
    elsewhere,
    numbers,
    row_by_row,
    table_of,
)
from modclust_utils.datasets.papers import beside, paper_table
from modclust_utils.recipes.frames import traced
from modclust_utils.recipes.network import PHASES
from modclust_utils.tables import N_PAPER

#: Numbers that stand in the text, by their keys in ``filan2020_text.csv``.
IN_TEXT = ("dropout_z_mnist", "dropout_z_fashion_mnist", "dropout_z_cifar10")
#: The item of ``contents.yml`` that these numbers are.
TEXT = "Footnote 11"
#: The parameters that make networks and their tests others than the paper's; how many there are of
#: a kind is none of them, and data sets, k and the long training are looked at row by row.
SETTINGS = ("epochs", "pruning_epochs", "dropout_rate", "dataset_settings", "n_shuffles")
#: The data sets of Figure 4, and that of Figures A.2 to A.5.
FIGURE_4, VIOLINS = ("mnist", "fashion_mnist"), "mnist"
#: Columns of ours, in the words of Tables 2 to 4.
_CONTROL_COLUMNS = {
    "running_acc": "train_acc",
    "before_mean": "unpruned_ncut_mean",
    "before_std": "unpruned_ncut_std",
    "null_mean": "null_ncut_mean",
    "null_std": "null_ncut_std",
}


@traced
def coverage(
    networks: pd.DataFrame,
    controls: pd.DataFrame,
    mixtures: pd.DataFrame,
    effect: pd.DataFrame,
    paper: pd.DataFrame,
    differing: Collection[str],
) -> pd.DataFrame:
    """A row for each item of ``contents.yml``.

    networks: `tables.per_network`; controls, mixtures: the tables of `controls`; effect:
    `tables.dropout_effect`; paper: the rows of `printed.networks` beside ours; differing: the
    parameters whose values are not the paper's.
    """
    tested = beside(networks, paper, CONDITION)
    rows = [
        *_controls(controls[controls["paper_after_mean"].notna()]),
        *_networks(tested),
        *_mixtures(mixtures[mixtures["paper_ncut_mean"].notna() & (mixtures["n"] > 0)]),
        *_figures(networks, tested),
        numbers(TEXT, IN_TEXT, _z_of_dropout(effect, tested)),
    ]
    if not {*SETTINGS}.isdisjoint(differing):
        rows = [*map(elsewhere, rows)]
    return table_of({"filan2020": rows})


def _controls(ours: pd.DataFrame) -> Iterator[Covered]:
    """Tables 2 to 4; ours: the rows that have the paper's beside them."""
    for role, (number, _, _) in CONTROLS.items():
        printed = paper_table(f"filan2020_table_{number}")
        own = ours[ours["role"] == role]
        # of the two training accuracies the running one is what the paper prints
        named = own.drop(columns="train_acc").rename(columns=_CONTROL_COLUMNS)
        yield row_by_row(
            f"Table {number}",
            printed,
            named.assign(prop_sig=own["n_sig"] / own["n"]),
            ["dropout"],
            n_ours=int(own["n"].sum()),
            n_theirs=N_PAPER * len(printed),
        )


def _networks(ours: pd.DataFrame) -> Iterator[Covered]:
    """Tables A.4 to A.15: no network of ours is one of theirs."""
    for name, condition in CONDITION_OF.items():
        printed = paper_table(name)
        own = ours[(ours[CONDITION] == [*condition]).all(axis=1)]
        number = name.removeprefix("filan2020_table_a")
        yield column_by_column(
            f"Table A.{number}", printed, own, ["run"], n_ours=len(own), n_theirs=len(printed)
        )


def _mixtures(ours: pd.DataFrame) -> Iterator[Covered]:
    """Tables A.16 and A.17; ours: the rows that have the paper's beside them."""
    for number, dropout in ((16, False), (17, True)):
        printed = paper_table(f"filan2020_table_a{number}")
        own = ours[ours["dropout"] == dropout]
        # accuracies on another mix of test images are not the paper's
        own = own.assign(test_acc=own["test_acc"].where(~is_other_mix(own)))
        columns = ["dataset", "ncut_mean", "ncut_std", "test_acc"]
        yield row_by_row(
            f"Table A.{number}",
            printed,
            own[columns].assign(train_acc=own["running_acc"]),
            ["dataset"],
            n_ours=int(own["n"].sum()),
            n_theirs=N_PAPER * len(printed),
        )


def _figures(networks: pd.DataFrame, tested: pd.DataFrame) -> Iterator[Covered]:
    """The figures of all networks; tested: those of the paper's kinds."""
    n_theirs = N_PAPER * len(CONDITION_OF) // len(PHASES)
    main = tested[tested["dataset"].isin(FIGURE_4)]
    yield _divided("Figure 4", _n_kinds(main), _n_kinds(networks))
    n_ours, n_all = (len(table) // len(PHASES) for table in (tested, networks))
    yield _divided("Figure A.1", n_ours, n_all, n_theirs)
    first = networks["dataset"].iloc[0]
    for number, (phase, dropout) in enumerate(
        ((phase, dropout) for phase in PHASES for dropout in (False, True)), 2
    ):
        n_ours, n_all = (
            int(((table[CONDITION] == [dataset, dropout, phase]).all(axis=1)).sum())
            for table, dataset in ((tested, VIOLINS), (networks, first))
        )
        n_shown = n_ours if first == VIOLINS else 0
        yield _divided(f"Figure A.{number}", n_shown, n_all, N_PAPER)


def _n_kinds(table: pd.DataFrame) -> int:
    return len(table[CONDITION[:2]].drop_duplicates())


def _divided(item: str, n_ours: int, n_all: int, n_theirs: int | None = None) -> Covered:
    """A figure of n_all things of ours, of which n_ours are of the paper's kinds."""
    return Covered(item, n_ours=n_ours, n_ours_elsewhere=n_all - n_ours, n_theirs=n_theirs)


def _z_of_dropout(effect: pd.DataFrame, tested: pd.DataFrame) -> dict[str, float]:
    """Z of the n-cuts after pruning, of data sets of the paper."""
    ours = effect[(effect["source"] == "ours") & (effect["phase"] == "after")]
    own = ours[ours["dataset"].isin(tested["dataset"])]
    return {f"dropout_z_{row.dataset}": float(row.z) for row in own.itertuples()}
