"""Tables of chapter 5: modularity and agreement of clusters over three sweeps of regularization.

A *similarity* is a measure, plain or normalized; there are eight, and each has clusters in either
hidden layer. A *sweep* raises one kind of regularization from setting to setting.
"""

from __future__ import annotations

import itertools
from collections.abc import Sequence
from dataclasses import dataclass

import numpy as np
import pandas as pd
import torch
from numpy.typing import NDArray

from modclust_utils import similarity, stats
from modclust_utils.models import MLP
from modclust_utils.recipes import similarity_clusters as kind
from modclust_utils.recipes.frames import shown_table, traced

UPSTREAM = ("covariance", "input_sensitivity")
DOWNSTREAM = ("loss_hessian", "output_sensitivity")
#: A measure and whether it is normalized, upstream first (paper C, Figure 4).
SIMILARITIES = tuple(itertools.product(UPSTREAM + DOWNSTREAM, (False, True)))
#: The sweeps by the setting that they raise.
SWEEPS = {"l2": "L2", "l1": "L1", "dropout_rate": "dropout"}
UNTRAINED = "untrained"


@dataclass(frozen=True)
class Reading:
    """Which of the two readings of similarity, and of normalization, and which search."""

    absolute: str = "of_mean"
    normalization: str = "max"
    method: str = "monte_carlo"

    @property
    def columns(self) -> dict[str, str]:
        """The columns of a record that hold modularity and the number of clusters."""
        if self.method == "leiden":
            return {"q": "q_leiden", "n_clusters": "n_clusters_leiden"}
        return {"q": "q", "n_clusters": "n_clusters"}


@traced
def networks(found: pd.DataFrame, least_accuracy: float) -> pd.DataFrame:
    """Each network with its place in a sweep: `sweep`, `strength`, and whether it is `kept`.

    Trained networks of a lower test accuracy are discarded, as in section 4.1 of the paper. Raises
    ValueError where none is left.
    """
    table = found.drop(columns=["record", "test_note"])
    table["sweep"] = [_sweep(row) for row in table.itertuples()]
    strengths = [getattr(r, _SETTING.get(r.sweep, ""), 0.0) for r in table.itertuples()]
    table["strength"] = strengths
    table["kept"] = ~table["trained"] | (table["test_accuracy"] >= least_accuracy)
    if not (table["trained"] & table["kept"]).any():
        best = table.loc[table["trained"], "test_accuracy"].max()
        raise ValueError(
            f"least_accuracy={least_accuracy} discards every trained network; "
            f"allowed: at most {best:.4f}, that of the best one"
        )
    table["validation_loss"] = table["validation_loss"].astype(float)
    return table


_SETTING = {sweep: setting for setting, sweep in SWEEPS.items()}


def _sweep(row: object) -> str:
    if not row.trained:
        return UNTRAINED
    raised = [name for name in ("dropout_rate", "l1") if getattr(row, name) > 0]
    return SWEEPS[raised[0] if raised else "l2"]


PLACE = ["network", "sweep", "strength", "seed", "kept"]


@traced
def scores(clusters: pd.DataFrame, networks: pd.DataFrame, reading: Reading) -> pd.DataFrame:
    """A row for each network, layer and similarity, under one reading.

    Columns: `PLACE`, layer, measure, normalized, q, q_start, q_single, q_null, n_clusters,
    n_unused, and q_search (of Monte Carlo, whatever the reading). NaN where no unit is similar to
    another.
    """
    chosen = [i for i, each in enumerate(kind.VARIANTS) if _belongs(each, reading)]
    what = pd.DataFrame([kind.VARIANTS[i] for i in chosen])[["layer", "measure"]]
    what["normalized"] = [kind.VARIANTS[i].normalization != "none" for i in chosen]
    names = {**dict.fromkeys(["q_start", "q_single", "q_null", "n_unused"]), **reading.columns}
    names["q_search"] = "q"
    columns = {
        name: np.array(
            [[row[i] for i in chosen] for row in clusters[source or name]], dtype=np.float64
        ).ravel()
        for name, source in names.items()
    }
    n = len(clusters)
    table = pd.DataFrame({c: np.tile(what[c], n) for c in what} | columns)
    table.insert(0, "network", np.repeat(clusters["network"].to_numpy(), len(chosen)))
    return networks[PLACE].merge(table, on="network")


def _belongs(variant: kind.Variant, reading: Reading) -> bool:
    return variant.absolute == reading.absolute and variant.normalization in (
        "none",
        reading.normalization,
    )


@traced
def agreement(clusters: pd.DataFrame, networks: pd.DataFrame, reading: Reading) -> pd.DataFrame:
    """How alike the clusters of two similarities are: a row a network, layer and pair of them.

    Columns: `PLACE`, layer, a and b (places in `SIMILARITIES`), similarity (element-centric).
    """
    rows = []
    for row in clusters.itertuples():
        labels = kind.labels(row.record, reading.method)
        for layer in kind.LAYERS:
            similarities = element_similarities(
                np.stack([labels[i] for i in _places(layer, reading)])
            )
            rows += [
                (row.network, layer, a, b, similarities[a, b])
                for a, b in itertools.combinations(range(len(similarities)), 2)
            ]
    table = pd.DataFrame(rows, columns=["network", "layer", "a", "b", "similarity"])
    return networks[PLACE].merge(table, on="network")


def element_similarities(labels: NDArray[np.int64]) -> NDArray[np.float64]:
    """`modularity.element_similarity` of each two of m partitions ``(m, n)`` of a layer of n units:
    ``(m, m)``. Pages have tens of thousands of pairs."""
    same = (labels.T[:, :, None] == labels[None]).astype(np.float64)  # (unit, partition, unit)
    shared = same @ same.transpose(0, 2, 1)
    sizes = same.sum(-1)
    return np.asarray((shared / np.maximum(sizes[:, :, None], sizes[:, None])).mean(0))


def _places(layer: int, reading: Reading) -> list[int]:
    """Where in a record the eight similarities of a layer are."""
    return [
        kind.VARIANTS.index(
            kind.Variant(
                layer, reading.absolute, reading.normalization if normalized else "none", measure
            )
        )
        for measure, normalized in SIMILARITIES
    ]


def pair_group(a: int, b: int) -> str:
    """What two similarities have in common: the measure, the side, or nothing (``across``)."""
    (first, _), (second, _) = SIMILARITIES[a], SIMILARITIES[b]
    if first == second:
        return "same measure"
    sides = {measure in UPSTREAM for measure in (first, second)}
    return "across" if len(sides) == 2 else "upstream" if sides == {True} else "downstream"


@traced
def blocks(agreement: pd.DataFrame) -> pd.DataFrame:
    """Mean agreement of each network by `pair_group`, over layers and pairs.

    Beside these columns: ``across, plain`` and ``across, normalized``, by whether the downstream
    similarity is normalized.
    """
    pairs = agreement[["a", "b"]].drop_duplicates()
    names = {pair: pair_group(*pair) for pair in pairs.itertuples(index=False, name=None)}
    sides = {
        (a, b): f"across, {'normalized' if SIMILARITIES[b][1] else 'plain'}"
        for (a, b), group in names.items()
        if group == "across"
    }
    key = list(zip(agreement["a"], agreement["b"], strict=True))
    columns = {}
    for own in (names, sides):
        group = pd.Series([own.get(pair) for pair in key], index=agreement.index)
        mean = agreement.groupby(["network", group])["similarity"].mean().unstack()
        columns |= {name: mean[name] for name in mean}
    return agreement[PLACE].drop_duplicates("network").merge(pd.DataFrame(columns), on="network")


def ends_of(table: pd.DataFrame, sweep: str, column: str) -> pd.DataFrame:
    """Means over the weakest and the strongest third of a sweep, for each seed: `low`, `high`.

    Discarded networks and values that are not there are left out first; a third is rounded down,
    to one setting at least.
    """
    own = table[(table["sweep"] == sweep) & table["kept"]]
    wide = own.groupby(["seed", "strength"])[column].mean().unstack()
    rows = {}
    for seed, values in zip(wide.index, wide.to_numpy(dtype=np.float64), strict=True):
        means = values[~np.isnan(values)]
        third = max(len(means) // 3, 1)
        if len(means) > 1:
            rows[seed] = {"low": means[:third].mean(), "high": means[-third:].mean()}
    return pd.DataFrame.from_dict(rows, orient="index", columns=["low", "high"])


def gain(table: pd.DataFrame, sweep: str, column: str = "q") -> pd.Series:
    """By how much a sweep raises a column, for each seed: its strongest third less its weakest."""
    ends = ends_of(table, sweep, column)
    return ends["high"] - ends["low"]


def of_similarity(table: pd.DataFrame, measures: Sequence[str]) -> pd.DataFrame:
    """The rows of some measures."""
    return table[table["measure"].isin(measures)]


@traced
def gains(scores: pd.DataFrame) -> pd.DataFrame:
    """What each sweep does to modularity: a row for each similarity and sweep.

    Columns: measure, normalized, sweep, n (seeds), gain, low, high (95 % interval of the mean).
    """
    rows = [
        (measure, normalized, *row)
        for (measure, normalized), own in scores.groupby(["measure", "normalized"], sort=False)
        for row in _by_sweep(own, "q")
    ]
    return pd.DataFrame(rows, columns=["measure", "normalized", *_BY_SWEEP])


_BY_SWEEP = ["sweep", "n", "gain", "low", "high"]


def _by_sweep(table: pd.DataFrame, column: str) -> list[tuple[str, int, float, float, float]]:
    """A row `_BY_SWEEP` for each sweep of two seeds or more."""
    found = [(sweep, gain(table, sweep, column)) for sweep in SWEEPS.values()]
    return [
        (sweep, len(own), own.mean(), *stats.mean_interval(own))
        for sweep, own in found
        if len(own) > 1
    ]


@traced
def change_of_normalization(agreement: pd.DataFrame) -> pd.DataFrame:
    """By how much each sweep raises the agreement of a downstream measure with itself, plain and
    normalized (paper C, Figure S5): columns as in `gains`, over layers and both measures."""
    names = [measure for measure, _ in SIMILARITIES]
    pairs = {
        (a, b)
        for a, b in itertools.combinations(range(len(names)), 2)
        if names[a] == names[b] and names[a] in DOWNSTREAM
    }
    own = agreement[[pair in pairs for pair in zip(agreement["a"], agreement["b"], strict=True)]]
    return pd.DataFrame(_by_sweep(own, "similarity"), columns=_BY_SWEEP)


@traced
def clusterability(
    scores: pd.DataFrame, tests: pd.DataFrame, networks: pd.DataFrame
) -> pd.DataFrame:
    """Each network by both measures: mean Q* of its similarities, and its n-cut among shuffles."""
    q = scores.groupby("network")[["q", "q_null"]].mean().reset_index()
    own = tests[["network", "ncut", "z_score", "p_value"]]
    return networks.merge(q, on="network").merge(own, on="network")


#: Weights of a network by hand: three inputs, four units, two outputs.
TINY = (
    np.array([[2.0, 1.0, 0.0], [2.0, 1.0, 0.0], [0.0, 0.0, 3.0], [0.0, 1.0, 1.0]]),
    np.array([[3.0, 0.0, 0.0, 1.0], [0.0, 2.0, 2.0, 1.0]]),
)
#: Its images; all units are active on each.
TINY_IMAGES = np.array([[1.0, 0.0, 1.0], [0.0, 1.0, 1.0], [1.0, 1.0, 2.0], [2.0, 0.0, 2.0]])


def tiny_pairs() -> pd.DataFrame:
    """The similarities of each two units i, j (from 1) of the network by hand."""
    weights = [torch.tensor(w) for w in TINY]
    network = MLP(weights, [torch.zeros(len(w), dtype=torch.float64) for w in weights])
    x, y = torch.tensor(TINY_IMAGES), torch.zeros(len(TINY_IMAGES), dtype=torch.long)
    found = similarity.similarities(network, x, y, 1)
    n = len(TINY[0])
    table = pd.DataFrame(
        [
            {"i": i + 1, "j": j + 1} | {name: float(s[i, j]) for name, s in found.items()}
            for i, j in itertools.product(range(n), repeat=2)
        ]
    )
    table.attrs = {"source": "a network whose weights were chosen by hand"}
    return table


@traced
def drawn_matrices(drawn: pd.DataFrame, clusters: pd.DataFrame, reading: Reading) -> pd.DataFrame:
    """The similarities of some networks in their first layer, with the clusters of their records.

    They are absolute values of means, whatever the reading says of those. Columns: network (its
    words), measure, q, matrix ``(n, n)``, labels ``(n,)``.
    """
    rows = []
    of_network = clusters.set_index("network")
    for row in drawn.itertuples():
        rate, l2 = row.dropout_rate, row.l2
        words = f"dropout {rate:g}" if rate else f"L2 {l2:g}, no dropout"
        words = words if row.trained else UNTRAINED
        for measure in UPSTREAM + DOWNSTREAM:
            variant = kind.Variant(1, "of_mean", reading.normalization, measure)
            i = kind.VARIANTS.index(variant)
            matrix = similarity.normalize(
                row.record.arrays[f"{measure}_1"], reading.normalization
            ).numpy()
            found = of_network.loc[row.network]
            q = found[reading.columns["q"]][i]
            labels = kind.labels(found["record"], reading.method)[i]
            rows.append((words, measure, np.nan if q is None else q, matrix, labels))
    return pd.DataFrame(rows, columns=["network", "measure", "q", "matrix", "labels"])


GROUPS = ("same measure", "upstream", "downstream", "across")


def similarity_name(measure: str, normalized: bool) -> str:
    """A similarity as a page prints it."""
    return f"{measure.replace('_', ' ')}, {'normalized' if normalized else 'plain'}"


@shown_table
def readable_gains(gains: pd.DataFrame) -> pd.DataFrame:
    """What each sweep adds to Q*, from its weakest to its strongest third, with 95 % intervals."""
    cells = [f"{r.gain:+z.3f} [{r.low:+z.3f}, {r.high:+z.3f}]" for r in gains.itertuples()]
    names = [similarity_name(r.measure, r.normalized) for r in gains.itertuples()]
    table = pd.DataFrame({"Similarity": names, "sweep": gains["sweep"], "cell": cells})
    return table.pivot(index="Similarity", columns="sweep", values="cell").loc[
        list(dict.fromkeys(names)), list(dict.fromkeys(gains["sweep"]))
    ]


@shown_table
def readable_blocks(blocks: pd.DataFrame) -> pd.DataFrame:
    """Mean agreement by group of pairs ± standard deviation over networks."""
    kept = blocks[blocks["kept"]]
    rows = {}
    for sweep in dict.fromkeys([*SWEEPS.values(), UNTRAINED]):
        own = kept.loc[kept["sweep"] == sweep, list(GROUPS)]
        if len(own) > 1:
            cells = [f"{own[g].mean():.3f} ± {own[g].std():.3f}" for g in GROUPS]
            rows[sweep] = {"Networks": len(own), **dict(zip(GROUPS, cells, strict=True))}
    return pd.DataFrame.from_dict(rows, orient="index").rename_axis("Sweep")
