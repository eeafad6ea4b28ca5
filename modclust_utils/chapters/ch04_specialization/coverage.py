"""What of the papers' tables and figures chapter 4 has, and how close ours are."""

from __future__ import annotations

from collections.abc import Collection

import pandas as pd

from modclust_utils.chapters.ch04_specialization.tables import is_tested
from modclust_utils.coverage import Covered, elsewhere, row_by_row, table_of, together
from modclust_utils.datasets.papers import beside, paper_table
from modclust_utils.recipes.frames import traced

#: The data sets of the paper's networks that are trained here, and that of Hod's two digits.
DATASETS = {"mlp": "mnist", "cnn": "mnist", "vgg": "cifar10_colour"}
HALVES = "halves_mnist"
#: The parameters that make sub-clusters and what is asked of them others than the papers', and
#: those that make a kind of network another; how many networks, test images or pretrained networks
#: there are is none of them.
SETTINGS = ("n_clusters", "kernel_norm", "n_random", "n_activation_images", "n_steps")
SETTINGS_OF = {
    "mlp": ("epochs",),
    "cnn": ("cnn_epochs", "cnn_channels", "precision"),
    "vgg": ("vgg_width", "vgg_dropout", "vgg_epochs", "precision"),
}


@traced
def coverage(
    measures: pd.DataFrame,
    by_kind: pd.DataFrame,
    halves: pd.DataFrame,
    tests: pd.DataFrame,
    images: pd.DataFrame,
    differing: Collection[str],
) -> pd.DataFrame:
    """A row for each item of ``contents.yml``.

    measures: `tables.measures`; by_kind: `tables.summary` of it; halves: `tables.halves`; tests:
    rows of `tables.clusterability` about networks of ImageNet; images: records of visualizations;
    differing: the parameters whose values are not the papers'.
    """
    measured = _networks(measures, "kind", differing)
    # one network of each kind is in the gallery, and the first one with its images of two digits
    made = _networks(images, "architecture", differing).drop_duplicates("kind")
    vgg = measured[measured["kind"] == "vgg"]
    two = halves[["dataset", "seed"]].drop_duplicates()
    is_alike = (two["dataset"] == HALVES) & _is_papers("mlp", differing)
    casper = [
        _table_1(by_kind, differing),
        _figure_2(tests, differing),
        _figure("Figure 3", vgg["alike"], n_theirs=1),
    ]
    hod = [
        _figure("Figure 1", is_alike.head(1)),
        _figure("Figure 3", measured["alike"]),
        _figure("Figure 5", vgg["alike"], n_theirs=1),
        _figure("Figure 6", is_alike),
        _figure("Figure 7", made["alike"]),
    ]
    return table_of({"casper2022": casper, "hod2021": hod})


def _is_papers(kind: str, differing: Collection[str]) -> bool:
    """Whether a kind of network, and what is asked of it, is the papers' but for its data."""
    return {*SETTINGS, *SETTINGS_OF[kind]}.isdisjoint(differing)


def _networks(table: pd.DataFrame, kind: str, differing: Collection[str]) -> pd.DataFrame:
    """Each network of a table once; alike: whether it has the papers' data and settings.

    kind: the column that says what kind of network it is.
    """
    found = table[[kind, "dataset", "seed"]].drop_duplicates()
    alike = [
        DATASETS.get(each) == dataset and _is_papers(each, differing)
        for each, dataset in zip(found[kind], found["dataset"], strict=True)
    ]
    return found.assign(kind=found[kind], alike=pd.Series(alike, found.index, dtype=bool))


def _figure(item: str, alike: pd.Series[bool], n_theirs: int | None = None) -> Covered:
    """A figure of networks of which some have the papers' data and settings."""
    return Covered(
        item, n_ours=int(alike.sum()), n_ours_elsewhere=int((~alike).sum()), n_theirs=n_theirs
    )


def _table_1(by_kind: pd.DataFrame, differing: Collection[str]) -> Covered:
    found = by_kind[is_tested(by_kind) & (by_kind["kind"].map(DATASETS) == by_kind["dataset"])]
    alike = found["kind"].map(lambda kind: _is_papers(kind, differing)).astype(bool)
    return together(_cells_of(found[alike]), elsewhere(_cells_of(found[~alike])))


def _cells_of(found: pd.DataFrame) -> Covered:
    about = ["network", "partitioning"]
    ours = found.pivot(index=["kind", "partitioning"], columns="measure", values="fisher")
    ours = ours.rename_axis(index=about, columns=None).reset_index()
    n_ours = int(found.groupby("kind")["n"].max().sum())
    return row_by_row("Table 1", paper_table("casper2022_table_1"), ours, about, n_ours=n_ours)


def _figure_2(tests: pd.DataFrame, differing: Collection[str]) -> Covered:
    about = ["network"]
    settings = ["n_clusters", "n_shuffles"]
    printed = paper_table("casper2022_figure_2")
    ours = tests.rename(columns={"words": "network", "network": "key"}).rename(
        columns={"null_mean": "null_ncut_mean", "null_std": "null_ncut_std"}
    )
    # ours for other settings are not beside the paper's
    own = beside(ours, printed, [*about, *settings])
    covered = row_by_row(
        "Figure 2",
        printed.drop(columns=settings),
        own,
        about,
        n_ours=own["network"].nunique(),
        n_theirs=len(printed),
    )
    return elsewhere(covered) if "kernel_norm" in differing else covered
