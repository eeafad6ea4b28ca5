"""Tables about a network of one's own, made of its records."""

from __future__ import annotations

from collections.abc import Callable, Mapping

import numpy as np
import pandas as pd
from numpy.typing import NDArray

from modclust_utils.nulls import compared
from modclust_utils.own.understanding import Understanding
from modclust_utils.partitions import order_labels
from modclust_utils.recipes.base import Record
from modclust_utils.recipes.frames import shown_table, traced
from modclust_utils.recipes.set_lesions import lesions_of
from modclust_utils.specialization import accuracy_drops, class_ranges
from modclust_utils.stats import empirical_p_value

Frames = Mapping[str, pd.DataFrame]
Labels = NDArray[np.int64]

NULL_WORDS = {
    "layer": "all edges of a connection shuffled",
    "layer-nonzero": "edges that are not zero shuffled among their places",
    "channel": "edges into each unit shuffled, which keeps what comes into it",
}
AS_GIVEN, EQUAL_NORMS = "as given", "equal norms in and out"


@traced
def tests(found: pd.DataFrame) -> pd.DataFrame:
    """The batches of each test as one: its n-cut (of the first seed), those of other seeds, its
    null, p-value and z-score."""
    rows = []
    for (mode, k), own in found.groupby(["mode", "n_clusters"], sort=False):
        own = own.sort_values("test_seed")
        null = np.concatenate([np.asarray(each, float) for each in own["null_ncuts"]])
        test = compared(float(own["ncut"].iloc[0]), null)
        rows.append(
            {
                "null": mode,
                "n_clusters": int(k),
                "ncut": test.ncut,
                "lowest": float(own["ncut"].min()),
                "highest": float(own["ncut"].max()),
                "n_seeds": len(own),
                "null_mean": float(null.mean()),
                "null_std": float(null.std(ddof=1)) if len(null) > 1 else float("nan"),
                "n_shuffles": len(null),
                "p_value": test.p_value,
                "z_score": test.z_score,
                "ncuts": own["ncut"].tolist(),
                "null_ncuts": null.tolist(),
            }
        )
    return pd.DataFrame(rows)


@traced
def gauge(given: pd.DataFrame, balanced: pd.DataFrame, rescaled: pd.DataFrame) -> pd.DataFrame:
    """The test of the network as given and with equal norms, and the range of random rescalings:
    rows of `tests`, and of `rescaled-ncuts`."""
    columns = ["ncut", "null_mean", "n_shuffles", "p_value", "z_score", "null_ncuts"]
    rows = [
        {"scaling": words, **{name: table[name].iloc[0] for name in columns}}
        for words, table in ((AS_GIVEN, given), (EQUAL_NORMS, balanced))
    ]
    ncuts = np.concatenate([np.asarray(each, float) for each in rescaled["rescaled_ncuts"]])
    agreements = np.concatenate([np.asarray(each, float) for each in rescaled["agreements"]])
    rows.append(
        {
            "scaling": f"random, up to {rescaled['spread'].iloc[0]:g} times",
            "ncut": float(np.median(ncuts)),
            "lowest": float(ncuts.min()),
            "highest": float(ncuts.max()),
            "n_draws": len(ncuts),
            "agreement": float(agreements.mean()),
            "ncuts": ncuts.tolist(),
        }
    )
    table = pd.DataFrame(rows)
    table["n_clusters"] = int(given["n_clusters"].iloc[0])
    return table


@traced
def sub_clusters(drawn: pd.DataFrame) -> pd.DataFrame:
    """Units of each cluster in each layer; clusters are numbered by size."""
    record, layers, _, labels = _partition(drawn)
    rows = [
        {
            "place": place,
            "layer": name,
            "cluster": int(label),
            "units": int(((layers == place) & (labels == label)).sum()),
            "size": int(record.value["sizes"][place]),
        }
        for place, name in enumerate(record.value["layers"])
        for label in np.unique(labels[labels >= 0])
    ]
    return pd.DataFrame(rows, columns=["place", "layer", "cluster", "units", "size"])


def _partition(drawn: pd.DataFrame) -> tuple[Record, Labels, Labels, Labels]:
    """The record of a partition; of each unit its layer, its cluster there, and by size."""
    record = drawn["record"].iloc[0]
    sizes, given = record.value["sizes"], record.arrays["labels"].astype(np.int64)
    layers = np.repeat(np.arange(len(sizes)), sizes)
    return record, layers, given, order_labels(given, layers)


@traced
def layers(whole: pd.DataFrame, edges: pd.DataFrame) -> pd.DataFrame:
    """Of each layer: the share of its edges inside clusters, and what chance would give."""
    names, sizes = whole["layers"].iloc[0], whole["sizes"].iloc[0]
    table = pd.DataFrame(
        {
            "place": np.arange(len(names)),
            "layer": names,
            "units": sizes,
            "inside": edges["inside"].iloc[0],
            "expected": edges["expected"].iloc[0],
        }
    ).dropna()
    table["above"] = table["inside"] - table["expected"]
    return table


@traced
def lesions(found: pd.DataFrame, drawn: pd.DataFrame) -> pd.DataFrame:
    """What the lesion of each sub-cluster costs, beside random sets of its size and layer.

    drop: share of all images no longer classified correctly; range: the largest drop of a class
    less the smallest; chance_*: their mean over the random sets; rank: share of all these sets,
    its own among them, that cost as much or more.
    """
    record = found["record"].iloc[0]
    if not record.value["n_sets"]:
        return pd.DataFrame(columns=["layer", "cluster", "units", "drop", "chance_drop", "rank"])
    measured = lesions_of(record)
    drops, ranges = accuracy_drops(measured), class_ranges(measured)
    partition, layer_of_unit, given, ordered = _partition(drawn)
    rows = []
    for i, (layer, label) in enumerate(
        zip(record.arrays["layer"].tolist(), record.arrays["label"].tolist(), strict=True)
    ):
        same = ordered[(given == label) & (layer_of_unit == layer)]
        rows.append(
            {
                "place": layer,
                "layer": partition.value["layers"][layer],
                "cluster": int(same[0]),
                "units": int(record.arrays["size"][i]),
                "drop": float(drops[i, 0]),
                "chance_drop": float(drops[i, 1:].mean()),
                "rank": empirical_p_value(drops[i, 0], drops[i, 1:], tail="upper"),
                "n_random": drops.shape[1] - 1,
                "range": float(ranges[i, 0]),
                "chance_range": float(ranges[i, 1:].mean()),
            }
        )
    return pd.DataFrame(rows)


# --- for readers ---------------------------------------------------------------------------------


def understood(found: Understanding) -> pd.DataFrame:
    """The layers with what was made of them; those that pass their channels on are counted."""
    table = found.layers
    passing = table["use"] == "passes its channels on"
    kinds = table[passing].groupby("type", sort=False).size()
    rows = [
        {
            "Layer": row.layer,
            "Type": row.type,
            "Parameters": f"{row.parameters:,}",
            "Units": f"{row.units:,}" if row.units else "–",
            "Use": row.use,
        }
        for row in table[~passing].itertuples()
    ]
    rows += [
        {"Layer": f"{n} of them", "Type": kind, "Parameters": "–", "Units": "–",
         "Use": "passes its channels on"}
        for kind, n in kinds.items()
    ]  # fmt: skip
    return pd.DataFrame(rows).set_index("Layer")


@shown_table
def tests_table(table: pd.DataFrame) -> pd.DataFrame:
    """The tests as readers see them."""
    return pd.DataFrame(
        {
            "Clusters": table["n_clusters"],
            "Null": table["null"].map(NULL_WORDS),
            "n-cut": table["ncut"].map("{:.4f}".format),
            "other seeds": [
                f"{row.lowest:.4f} to {row.highest:.4f}" if row.n_seeds > 1 else "–"
                for row in table.itertuples()
            ],
            "null, mean": table["null_mean"].map("{:.4f}".format),
            "shuffles": table["n_shuffles"],
            "p": table["p_value"].map("{:.3f}".format),
            "z": table["z_score"].map("{:.2f}".format),
        }
    ).set_index("Clusters")


@shown_table
def gauge_table(table: pd.DataFrame) -> pd.DataFrame:
    """The gauge as readers see it."""
    return pd.DataFrame(
        {
            "Scaling": table["scaling"],
            "n-cut": [
                f"{row.ncut:.4f}"
                if np.isnan(row.lowest)
                else f"{row.lowest:.4f} to {row.highest:.4f}"
                for row in table.itertuples()
            ],
            "null, mean": table["null_mean"].map(_number("{:.4f}")),
            "z": table["z_score"].map(_number("{:.2f}")),
            "p": table["p_value"].map(_number("{:.3f}")),
            "same clusters (ARI)": table["agreement"].map(_number("{:.2f}")),
        }
    ).set_index("Scaling")


def _number(form: str) -> Callable[[float], str]:
    return lambda value: "–" if np.isnan(value) else form.format(value)


@shown_table
def sub_clusters_table(table: pd.DataFrame) -> pd.DataFrame:
    """Units of each cluster, a row a layer."""
    wide = table.pivot_table("units", ["place", "layer"], "cluster", sort=False, aggfunc="sum")
    wide = wide.droplevel("place")
    wide.index.name = "Layer"
    wide.columns = [f"cluster {label}" for label in wide.columns]
    return wide.map(lambda n: f"{n:,}" if n else "–")


@shown_table
def layers_table(table: pd.DataFrame) -> pd.DataFrame:
    """Layers from the most to the least clusterable."""
    ranked = table.sort_values("above", ascending=False)
    return pd.DataFrame(
        {
            "Layer": ranked["layer"],
            "units": ranked["units"].map("{:,}".format),
            "edges inside clusters": ranked["inside"].map("{:.1%}".format),
            "by chance": ranked["expected"].map("{:.1%}".format),
            "above chance": ranked["above"].map("{:+.1%}".format),
        }
    ).set_index("Layer")


@shown_table
def lesions_table(table: pd.DataFrame) -> pd.DataFrame:
    """Lesions, the most costly first."""
    ranked = table.sort_values("drop", ascending=False)
    return pd.DataFrame(
        {
            "Layer": ranked["layer"],
            "cluster": ranked["cluster"],
            "units": ranked["units"],
            "accuracy lost": ranked["drop"].map("{:.1%}".format),
            "random sets": ranked["chance_drop"].map("{:.1%}".format),
            "as costly": ranked["rank"].map("{:.0%}".format),
        }
    ).set_index("Layer")
