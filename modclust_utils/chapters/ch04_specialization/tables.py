"""The tables of chapter 4, from frames of its records."""

from __future__ import annotations

import html
import math
from collections.abc import Iterator, Mapping
from typing import Any

import numpy as np
import pandas as pd

from modclust_utils import datasets, stats
from modclust_utils.fisher_bates import (
    bates_p_value,
    benjamini_hochberg,
    fisher_p_value,
    fisher_statistic,
)
from modclust_utils.pretrained import find_row
from modclust_utils.recipes.base import Record
from modclust_utils.recipes.frames import shown_table, traced
from modclust_utils.recipes.set_lesions import lesions_of
from modclust_utils.specialization import accuracy_drops, class_ranges, percentiles
from modclust_utils.tables import in_rows, is_significant
from modclust_utils.tables import spread as spread_of

#: The measures in the paper's order, and what a reader calls them.
MEASURES = {
    "accuracy_drop": "accuracy drop",
    "class_range": "class range",
    "score": "score",
    "entropy": "entropy",
}
#: The readings that are tested: those of the papers' text.
READINGS = {"accuracy_drop": "images", "class_range": "difference", "score": "", "entropy": ""}
#: The other readings: those with which the papers' numbers were made.
OTHER_READINGS = {"accuracy_drop": "classes", "class_range": "relative"}
# Marks class ranges: the printed ones beside ours are of another quantity (`AS_MADE`).
_STAR = " *"
#: The readings with which the papers' numbers were made, of all measures.
AS_MADE = READINGS | OTHER_READINGS
#: What a reader calls each reading.
WORDS_OF = {
    "images": "over all images",
    "classes": "mean of the classes",
    "difference": "difference",
    "relative": "over the mean drop",
}
#: Networks of the papers' tables, trained here or not.
NETWORKS = {
    "mlp": "MLP, MNIST",
    "cnn": "CNN, MNIST",
    "vgg": "VGG, CIFAR-10",
    "vgg16": "VGG-16, ImageNet",
    "vgg19": "VGG-19, ImageNet",
    "resnet18": "ResNet-18, ImageNet",
}
#: What the papers' tables call networks of torchvision.
_PRINTED = {f"torchvision:{name}": name for name in ("vgg16", "vgg19", "resnet18")}
#: The papers' data for each architecture that is trained here, whole or the embedded part of them.
_PAPERS_DATA = {
    "mlp": ("mnist", "mnist5k"),
    "cnn": ("mnist", "mnist5k"),
    "vgg": ("cifar10_colour",),
}
_ON = " on "
#: Networks of paper B's Figure 2 by their names among the pretrained ones.
FIGURE_2 = {
    "torchvision:vgg16": "VGG-16",
    "torchvision:vgg19": "VGG-19",
    "torchvision:resnet18": "ResNet-18",
    "torchvision:resnet34": "ResNet-34",
    "torchvision:resnet50": "ResNet-50",
    "torchvision:inception_v3": "Inception-V3",
}
ALPHA = 0.05
_OF_TESTS = (
    *("architecture", "dataset", "seed", "mode", "n_init"),
    *("ncut", "p_value", "z_score", "null_ncuts"),
)
PLACE = ["kind", "dataset", "partitioning", "n_clusters", "match"]


def uniform(n_random: int) -> float:
    """The Fisher statistic of uniform percentiles among so many random sets and the one itself."""
    return fisher_statistic((np.arange(n_random + 1) + 0.5) / (n_random + 1))


def kind_of(architecture: str, dataset: str) -> str:
    """What kind of network one is: its architecture, as in the papers' tables, and its data where
    they are not the papers'; of a pretrained one its name, as there where they have it."""
    is_papers = dataset in _PAPERS_DATA.get(architecture, (dataset,))
    return _PRINTED.get(architecture, architecture if is_papers else architecture + _ON + dataset)


def kinds_of(frame: pd.DataFrame) -> pd.Series[str]:
    """The kind of the network of each row, from the columns architecture and dataset."""
    found = [kind_of(row.architecture, row.dataset) for row in frame.itertuples()]
    return pd.Series(found, frame.index, dtype=object)


def is_pretrained(kind: str) -> bool:
    """Whether others trained the networks of an architecture or a kind (`kind_of`)."""
    return kind.partition(_ON)[0] not in _PAPERS_DATA


def is_of_imagenet(architecture: str) -> bool:
    """Whether others trained them on ImageNet."""
    return is_pretrained(architecture) and find_row(architecture).classes == "imagenet"


def is_small_of_others(kind: str) -> bool:
    """Whether a kind of network was trained by others, on smaller images than ImageNet's. There are
    many of the kind, and the page has them in folds."""
    return kind not in NETWORKS and is_pretrained(kind) and not is_of_imagenet(kind)


def network_name(kind: str) -> str:
    """What a page calls a kind of network (`kind_of`)."""
    if kind in NETWORKS:
        return NETWORKS[kind]
    architecture, on, dataset = kind.partition(_ON)
    if on:
        return f"{architecture.upper()}, {datasets.words(dataset)}"
    row = find_row(kind)
    return f"{row.words}, ImageNet" if row.classes == "imagenet" else row.words


@traced
def measures(lesions: pd.DataFrame, visualizations: pd.DataFrame) -> pd.DataFrame:
    """A row for each network, partitioning, measure and reading: percentiles of its sub-clusters
    among random sets, their Fisher statistic and its p-value.

    `kind` is that of `kind_of`.
    """
    rows = [row for each in lesions.itertuples() for row in _lesion_rows(each.record)]
    rows += [row for each in visualizations.itertuples() for row in _image_rows(each.record)]
    about = {
        each.record.key: {
            "kind": kind_of(each.architecture, each.dataset),
            **{name: getattr(each, name) for name in ("seed", *PLACE[1:])},
        }
        for frame in (lesions, visualizations)
        for each in frame.itertuples()
    }
    found = [{**about[record.key], **row} for record, row in rows]
    columns = [*PLACE, "seed", "measure", "reading", "n_sets", "fisher", "p", "percentiles"]
    return pd.DataFrame(found, columns=columns)


def _lesion_rows(record: Record) -> Iterator[tuple[Record, dict[str, Any]]]:
    if record.value["n_sets"] == 0:
        return
    found = lesions_of(record)
    for reading in ("images", "classes"):
        drops = accuracy_drops(found, reading=reading)
        yield record, _row("accuracy_drop", reading, percentiles(drops))
    for reading in ("difference", "relative"):
        ranges = class_ranges(found, reading=reading)
        yield record, _row("class_range", reading, percentiles(ranges))


def _image_rows(record: Record) -> Iterator[tuple[Record, dict[str, Any]]]:
    if record.value["n_sets"] == 0:
        return
    for measure, tail in (("score", "upper"), ("entropy", "lower")):
        yield record, _row(measure, "", percentiles(record.arrays[measure], tail=tail))


def _row(measure: str, reading: str, found: np.ndarray) -> dict[str, Any]:
    return {
        "measure": measure,
        "reading": reading,
        "n_sets": len(found),
        "fisher": fisher_statistic(found),
        "p": fisher_p_value(found),
        "percentiles": found,
    }


@traced
def summary(table: pd.DataFrame) -> pd.DataFrame:
    """Over the networks of each kind: mean Fisher statistic with its interval, and the p-value of
    Fisher and Bates, corrected over all that is tested (`READINGS`, sets of the same size).

    significant: None for rows that are not among the tested.
    """
    rows = []
    for key, own in table.groupby([*PLACE, "measure", "reading"], sort=False):
        several = len(own) > 1
        low, high = stats.mean_interval(own["fisher"]) if several else (math.nan, math.nan)
        rows.append(
            dict(zip([*PLACE, "measure", "reading"], key, strict=True))
            | {
                "n": len(own),
                "n_sets": int(own["n_sets"].sum()),
                "fisher": own["fisher"].mean(),
                "low": low,
                "high": high,
                "p": bates_p_value(own["p"].mean(), len(own)),
            }
        )
    columns = [*PLACE, "measure", "reading", "n", "n_sets", "fisher", "low", "high", "p"]
    found = pd.DataFrame(rows, columns=columns)
    tested = is_tested(found)
    found["significant"] = None
    if tested.any():
        rejected, critical = benjamini_hochberg(found.loc[tested, "p"], alpha=ALPHA)
        found.loc[tested, "significant"] = rejected
        found["critical_p"] = critical
    return found


def is_tested(table: pd.DataFrame, readings: Mapping[str, str] = READINGS) -> pd.Series:
    """Which rows are those of the papers' table: their k and random sets, in one reading of each
    measure."""
    main = table["kind"].map(table.groupby("kind")["n_clusters"].first()) == table["n_clusters"]
    reading = table["measure"].map(readings) == table["reading"]
    return reading & main & (table["match"] == "size")


@traced
def in_text(found: pd.DataFrame) -> pd.DataFrame:
    """Without the small networks of others."""
    return found[~found["kind"].map(is_small_of_others).astype(bool)]


@traced
def in_fold(found: pd.DataFrame) -> pd.DataFrame:
    """The small networks of others (`is_small_of_others`)."""
    return found[found["kind"].map(is_small_of_others).astype(bool)]


def as_made(found: pd.DataFrame) -> pd.DataFrame:
    """The rows of `summary` in the readings with which the papers' numbers were made (`AS_MADE`);
    significant: after correction over these tests, as many as in the papers' text."""
    own = found[is_tested(found, AS_MADE)].copy()
    if len(own):
        own["significant"], own["critical_p"] = benjamini_hochberg(own["p"], alpha=ALPHA)
    return own


@traced
def both_readings(found: pd.DataFrame) -> pd.DataFrame:
    """The rows of `summary` about measures that have two readings, in both, each with what is
    significant among the tests of its reading."""
    both = pd.concat([found[is_tested(found)], as_made(found)])
    return both[both["measure"].isin([*OTHER_READINGS])]


@traced
def halves(images: pd.DataFrame) -> pd.DataFrame:
    """A row for each first-layer sub-cluster of the networks on two digits side by side.

    one_sided: (l - r) / (l + r) in size, where l and r are what its image holds in the left and in
    the right half: 0 for both alike, 1 for one alone; percentile: among random sets.
    """
    rows = []
    for each in images.itertuples():
        values = one_sidedness(each.record.arrays["images"])
        for i, own in enumerate(percentiles(values) if len(values) else ()):
            row = {"dataset": each.dataset, "partitioning": each.partitioning, "seed": each.seed}
            row |= {"one_sided": values[i, 0], "random": values[i, 1:].mean(), "percentile": own}
            rows.append(row)
    columns = ["dataset", "partitioning", "seed", "one_sided", "random", "percentile"]
    return pd.DataFrame(rows, columns=columns)


def least_one_sided(times: float) -> float:
    """The least `one_sided` of an image with so many times as much in one half as in the other."""
    return (times - 1) / (times + 1)


def one_sidedness(images: np.ndarray) -> np.ndarray:
    """How much images ``(..., n_pixels)`` of 28 columns hold on one side alone ``(...)``."""
    rows = images.shape[-1] // 28
    columns = images.astype(np.float64).reshape(*images.shape[:-1], rows, 28).sum(-2)
    left, right = columns[..., :14].sum(-1), columns[..., 14:].sum(-1)
    return np.abs(left - right) / np.maximum(left + right, 1e-12)


@traced
def clusterability(tests: pd.DataFrame) -> pd.DataFrame:
    """A row for each test of a network against its shuffles; `words` is the network's name."""
    # an empty one has no columns but the records
    found = tests if len(tests) else tests.reindex(columns=[*tests.columns, *_OF_TESTS])
    found = found.copy()
    found["kind"] = kinds_of(found)
    found["pretrained"] = [is_pretrained(each) for each in found["architecture"]]
    found["imagenet"] = [is_of_imagenet(each) for each in found["architecture"]]
    found["words"] = [
        FIGURE_2.get(row.architecture, find_row(row.architecture).words)
        if row.pretrained
        else f"{network_name(row.kind)} ({row.seed})"
        for row in found.itertuples()
    ]
    null = [np.array(each) for each in found["null_ncuts"]]
    found["null_mean"] = [each.mean() for each in null]
    found["null_std"] = [each.std() for each in null]
    found["n_shuffles"] = [len(each) for each in null]
    found["below_all"] = is_significant(found)
    return found.drop(columns="null_ncuts")


@traced
def matched_pairs(table: pd.DataFrame) -> pd.DataFrame:
    """Fisher statistics of one network against random sets of its sub-clusters' size, and of their
    size and norm, side by side."""
    own = table[table["measure"].map(READINGS) == table["reading"]]
    place = ["kind", "partitioning", "n_clusters", "seed", "measure"]
    size, norm = (
        own[own["match"] == match].set_index(place)["fisher"] for match in ("size", "norm")
    )
    return pd.concat({"size": size, "norm": norm}, axis=1, join="inner").reset_index()


@traced
def over_clusters(table: pd.DataFrame) -> pd.DataFrame:
    """Fisher statistics of networks with several numbers of clusters, in the papers' reading."""
    main = table["measure"].map(READINGS) == table["reading"]
    own = table[main & (table["partitioning"] == "weights/network") & (table["match"] == "size")]
    several = own.groupby("kind")["n_clusters"].transform("nunique") > 1
    return own[several].drop(columns="percentiles")


@shown_table(html=True)
def readable_readings(both: pd.DataFrame, printed: pd.DataFrame) -> pd.DataFrame:
    """Fisher statistics of `both_readings`, bold where significant, and the printed ones."""
    places = both[["kind", "partitioning"]].drop_duplicates()
    theirs = printed.set_index(["network", "partitioning"])
    names = places.assign(kind=[html.escape(network_name(kind)) for kind in places["kind"]])
    index = pd.MultiIndex.from_frame(names, names=["network", "partitioning"])
    columns = {}
    for measure, other in OTHER_READINGS.items():
        for reading in (READINGS[measure], other):
            own = both[(both["measure"] == measure) & (both["reading"] == reading)]
            own = own.set_index(["kind", "partitioning"])
            columns[MEASURES[measure], f"ours, {WORDS_OF[reading]}"] = [
                _marked(own.loc[place]) if place in own.index else "–"
                for place in places.itertuples(index=False, name=None)
            ]
        columns[MEASURES[measure], "paper"] = [
            _printed(theirs.loc[place, measure]) if place in theirs.index else ""
            for place in places.itertuples(index=False, name=None)
        ]
    return pd.DataFrame(columns, index=index)


def _marked(row: pd.Series) -> str:
    cell = f"{row['fisher']:.2f}"
    return f"<b>{cell}</b>" if row["significant"] else cell


@shown_table
def readable_tests(tests: pd.DataFrame, printed: pd.DataFrame) -> pd.DataFrame:
    """n-cut, null and z-score of pretrained networks, and what the paper has of its own."""
    here = set(tests["words"])
    rows = [
        {
            "Network": row.words,
            "Whose": "here",
            "Units": f"{row.n_units:,}",
            "k": row.n_clusters,
            "n-cut": f"{row.ncut:.3f}",
            "Shuffles": spread_of(row.null_mean, row.null_std),
            # a null without spread has none
            "z": "–" if math.isnan(row.z_score) else f"{row.z_score:.1f}",
            "p": f"{row.p_value:.3g}",
        }
        for row in tests.itertuples()
    ] + [
        {
            "Network": row.network,
            "Whose": "paper"
            + ("" if row.network in here else "; here not attempted, weights not at hand"),
            "Units": "",
            "k": row.n_clusters,
            "n-cut": f"{row.ncut:.3f}",
            "Shuffles": spread_of(row.null_ncut_mean, row.null_ncut_std),
            "z": f"{row.z_score:.1f}",
            "p": f"{row.p_value:.3g}",
        }
        for row in printed.itertuples()
    ]
    return pd.DataFrame(rows).set_index("Network")


def spread(table: pd.DataFrame) -> str:
    """A mean with its interval as a page prints it."""
    return f"{table.fisher:.2f}" + (
        "" if math.isnan(table.low) else f" [{table.low:.2f}, {table.high:.2f}]"
    )


def _printed(number: float) -> str:
    return "" if math.isnan(number) else f"{number:.2f}"


def _our_cell(ours: pd.DataFrame, place: tuple[str, str, str]) -> str:
    """A statistic with its interval, by kind, partitioning and measure."""
    if place not in ours.index:
        return "–"
    own = ours.loc[place]
    return f"<b>{spread(own)}</b>" if own.significant else spread(own)


@shown_table(html=True)
def table_1(found: pd.DataFrame, printed: pd.DataFrame) -> pd.DataFrame:
    """Our Fisher statistics beside the printed ones; bold where significant."""
    ours = found[is_tested(found)].set_index(["kind", "partitioning", "measure"])
    theirs = printed.set_index(["network", "partitioning"])
    places = [*theirs.index, *ours.index.droplevel("measure")]
    rows = []
    for kind, partitioning in dict.fromkeys(places):
        row = {}
        for measure, words in MEASURES.items():
            cell, number = _our_cell(ours, (kind, partitioning, measure)), math.nan
            if (kind, partitioning) in theirs.index:
                number = theirs.loc[(kind, partitioning), measure]
            head = words + _STAR * (measure == "class_range")
            row[head, "ours"], row[head, "paper"] = cell, _printed(number)
        rows.append(((html.escape(network_name(kind)), partitioning), row))
    table = in_rows(rows, ["network", "partitioning"])
    return table.set_axis(pd.MultiIndex.from_tuples(table.columns), axis=1)


@shown_table(html=True)
def statistics(found: pd.DataFrame) -> pd.DataFrame:
    """Our Fisher statistics of networks that the papers have not; bold where significant."""
    ours = found[is_tested(found)].set_index(["kind", "partitioning", "measure"])
    rows = [
        {
            "network": html.escape(network_name(kind)),
            "partitioning": partitioning,
            **{words: _our_cell(ours, (kind, partitioning, m)) for m, words in MEASURES.items()},
        }
        for kind, partitioning in dict.fromkeys(ours.index.droplevel("measure"))
    ]
    columns = ["network", "partitioning", *MEASURES.values()]
    return pd.DataFrame(rows, columns=columns).set_index(columns[:2])
