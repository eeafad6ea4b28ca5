"""Local specialization: are the sub-clusters of a network special among random sets of units?

Paper B, section 2.3 and appendix A.2. A sub-cluster is the part of a cluster in one layer; random
sets have its size and lie in its layer. Measures of importance and coherence come from lesions
(here) and from feature visualization (module `visualization`); module `fisher_bates` makes
percentiles and p-values of them.
"""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass, replace
from typing import Literal

import numpy as np
from numpy.typing import ArrayLike, NDArray
from torch import Tensor, nn

from modclust_utils.doors import (
    as_choice,
    as_count,
    as_labels,
    as_list,
    as_numbers,
    as_rng,
    as_units,
    check_kind,
)
from modclust_utils.fisher_bates import centered_percentile
from modclust_utils.lesion_modules import module_lesion_hits
from modclust_utils.unit_sets import uniform_sets

DropReading = Literal["classes", "images"]
DROP_READINGS: tuple[DropReading, ...] = ("classes", "images")
RangeReading = Literal["difference", "relative"]
RANGE_READINGS: tuple[RangeReading, ...] = ("difference", "relative")
# Sub-clusters of nearly a whole layer have no random sets that differ from them.
_LARGEST_SHARE = 0.99
# Of a matched set: standard deviations that its mean may be away, and draws to come so near.
_NEAR = 0.01
_MOST_SWAPS = 1000


@dataclass(frozen=True)
class UnitSets:
    """A sub-cluster and random sets like it.

    layer: from 0; label: its cluster; units: boolean ``(1 + n_random, n_layer)`` over the units of
    the layer, the sub-cluster first.
    """

    layer: int
    label: int
    units: NDArray[np.bool_]

    @property
    def size(self) -> int:
        """Units in each of the sets."""
        return int(self.units[0].sum())


def sub_cluster_sets(
    labels: ArrayLike,
    layer_of_unit: ArrayLike,
    *,
    n_random: int = 19,
    smallest: int = 2,
    match: ArrayLike | None = None,
    rng: np.random.Generator,
) -> list[UnitSets]:
    """The sub-clusters of a clustering with random sets of the same size and layer.

    Parameters
    ----------
    labels : array_like of int ``(n,)``
        Cluster of each unit; -1 outside every cluster.
    layer_of_unit : array_like of int ``(n,)``
        Layer of each unit, from 0, layer after layer.
    n_random : int
        Random sets for each sub-cluster, drawn from the units of its layer that are in a cluster,
        without replacement within a set; paper B takes 19.
    smallest : int
        Units of the smallest sub-cluster that counts; in paper B 2 for lesions, and 3 for
        visualizations. The largest has 99 % of its layer.
    match : array_like of float ``(n,)``, optional
        A number for each unit, such as the norm of its weights: random sets then have nearly the
        mean of their sub-cluster as well, as far as other units allow (see Notes).
    rng : numpy.random.Generator
        Where the sets come from; each sub-cluster has a stream of its own.

    Returns
    -------
    list of UnitSets
        Ordered by layer, then by label.

    Raises
    ------
    ValueError
        For labels or layers that do not fit each other, or bad numbers.

    Notes
    -----
    A matched set starts as any random one. Then one of its units after the other gives its place to
    another unit of the layer, both drawn at random, wherever that brings the mean nearer to that of
    the sub-cluster; until both are apart by a hundredth of the layer's standard deviation at most,
    or after 1,000 draws. Where the sub-cluster has the largest or smallest numbers of its layer, no
    other set has their mean.

    References
    ----------
    .. [1] Casper et al. 2022 (paper B), section 2.1, "subclusters".

    Examples
    --------
    Of three clusters two have two units or more in the layer.

    >>> rng = np.random.default_rng(0)
    >>> sets = sub_cluster_sets([0, 1, 0, 2, 1, -1], [0] * 6, n_random=3, rng=rng)
    >>> [(each.label, each.size) for each in sets], sets[0].units[0].tolist()
    ([(0, 2), (1, 2)], [True, False, True, False, False, False])
    >>> sets[0].units[1:].sum(1).tolist(), bool(sets[0].units[:, 5].any())
    ([2, 2, 2], False)
    """
    clusters = as_labels("labels", labels)
    layers = as_labels("layer_of_unit", layer_of_unit, len(clusters))
    n_random, smallest = as_count("n_random", n_random), as_count("smallest", smallest)
    if (np.diff(layers) < 0).any() or layers.min(initial=0) < 0:
        raise ValueError("layer_of_unit is not in order; allowed: layers from 0, one after another")
    numbers = None if match is None else _checked_match(match, len(clusters))
    places = []
    for layer in np.unique(layers):
        own = clusters[layers == layer]
        sizes = {label: int((own == label).sum()) for label in np.unique(own[own >= 0])}
        largest = _LARGEST_SHARE * len(own)
        places += [(layer, label) for label, n in sizes.items() if smallest <= n <= largest]
    found = []
    for (layer, label), own_rng in zip(places, as_rng(rng).spawn(len(places)), strict=True):
        own = clusters[layers == layer]
        units, live = own == label, own >= 0
        sets = uniform_sets(units.sum(), live, n_random, own_rng)
        if numbers is not None:
            for each in sets:
                _match(each, units, live, numbers[layers == layer], own_rng)
        found.append(UnitSets(int(layer), int(label), np.vstack([units, sets])))
    return found


def _checked_match(match: ArrayLike, n: int) -> NDArray[np.float64]:
    numbers = as_numbers("match", match)
    if numbers.shape != (n,) or not np.isfinite(numbers).all():
        raise ValueError(f"match has shape {numbers.shape}; allowed: finite numbers ({n},)")
    return numbers


def _match(
    chosen: NDArray[np.bool_],
    units: NDArray[np.bool_],
    live: NDArray[np.bool_],
    numbers: NDArray[np.float64],
    rng: np.random.Generator,
) -> None:
    """Change a set of units in its place until its mean number is nearly that of `units`."""
    inside, outside = np.flatnonzero(chosen), np.flatnonzero(live & ~chosen)
    if len(outside) == 0:
        return
    near = _NEAR * numbers[live].std() * len(inside)
    away = numbers[inside].sum() - numbers[units].sum()
    leaving = rng.integers(len(inside), size=_MOST_SWAPS).tolist()
    coming = rng.integers(len(outside), size=_MOST_SWAPS).tolist()
    for i, j in zip(leaving, coming, strict=True):
        if abs(away) <= near:
            break
        change = numbers[outside[j]] - numbers[inside[i]]
        if abs(away + change) < abs(away):
            inside[i], outside[j] = outside[j], inside[i]
            away += change
    chosen[:] = False
    chosen[inside] = True


@dataclass(frozen=True)
class SetLesions:
    """Accuracies under the lesions of sub-clusters and of random sets like them.

    class_accuracies: without a lesion ``(n_classes,)``; lesioned: ``(m, 1 + n_random, n_classes)``,
    the sub-cluster first; class_counts: test images of each class ``(n_classes,)``.
    """

    class_accuracies: NDArray[np.float64]
    lesioned: NDArray[np.float64]
    class_counts: NDArray[np.int64]


def set_lesions(
    network: nn.Module,
    x: Tensor,
    y: Tensor,
    sets: Sequence[UnitSets],
    layers: Sequence[str],
) -> SetLesions:
    """Lesion each sub-cluster, and each random set like it.

    Parameters
    ----------
    network : torch.nn.Module
        As in `lesions.lesion_accuracy`.
    x : Tensor ``(n, ...)``
        Test images that no clustering by activations has used.
    y : Tensor of int ``(n,)``
        Their classes, from 0.
    sets : sequence of UnitSets
        From `sub_cluster_sets`.
    layers : sequence of str
        The submodule of each layer behind which its units are set to 0: ``output_names`` of a
        `graphs.NetworkGraph`. Behind a batch norm, a sigmoid or a softplus that follows a named
        submodule, units would not be 0; of functions such as ``torch.sigmoid`` there is no name.

    Returns
    -------
    SetLesions
        Class by class.

    Raises
    ------
    ValueError
        For no sets, sets in layers that are not named, different numbers of random sets, input
        that does not fit the network, and NaN or infinity among what the network puts out.

    References
    ----------
    .. [1] Casper et al. 2022 (paper B), appendix A.2.1.

    Examples
    --------
    The first two of three channels carry the first class.

    >>> import torch
    >>> network = nn.Sequential(nn.Identity(), nn.Linear(3, 2, bias=False))
    >>> _ = network[1].weight.data.copy_(torch.tensor([[1.0, 1, 0], [0, 0, 1]]))
    >>> x, y = torch.tensor([[1.0, 1, 0], [0, 0, 1]]), torch.tensor([0, 1])
    >>> sets = [UnitSets(0, 0, np.array([[True, True, False], [False, True, True]]))]
    >>> set_lesions(network, x, y, sets, ["0"]).lesioned[0, 1].tolist()  # ties: the first class
    [1.0, 0.0]
    """
    sets, layers = _checked_sets(sets), as_list("layers", layers, "a list of submodules")
    used = sorted({each.layer for each in sets})
    if not 0 <= used[0] <= used[-1] < len(layers):
        raise ValueError(f"sets are in layers {used}; allowed: 0 to {len(layers) - 1}")
    sizes = {each.layer: each.units.shape[1] for each in sets}
    ends = dict(zip(used, np.cumsum([sizes[layer] for layer in used]).tolist(), strict=True))
    n_rows = [len(each.units) for each in sets]
    lesions = np.zeros((1 + sum(n_rows), sum(sizes.values())), bool)
    # one set after the other behind the first row, which has no lesion
    for each, start in zip(sets, np.cumsum([1, *n_rows[:-1]]).tolist(), strict=True):
        end = ends[each.layer]
        lesions[start : start + len(each.units), end - sizes[each.layer] : end] = each.units
    hits, counts = module_lesion_hits(network, x, y, lesions, [layers[layer] for layer in used])
    accuracies = (hits / counts).cpu().numpy()
    return SetLesions(
        class_accuracies=accuracies[0],
        lesioned=accuracies[1:].reshape(len(sets), -1, accuracies.shape[1]),
        class_counts=counts.long().cpu().numpy(),
    )


def _checked_sets(sets: Sequence[UnitSets]) -> list[UnitSets]:
    """One or more, all with as many random sets, and those of one layer with as many units."""
    sets = as_list("sets", sets, "one or more UnitSets, as sub_cluster_sets gives them")
    if len(sets) == 0:
        raise ValueError("sets=[] is not allowed: one or more sub-clusters")
    found: list[UnitSets] = []
    widths: dict[int, int] = {}
    for i, each in enumerate(sets):
        check_kind(f"sets[{i}]", each, UnitSets, "UnitSets, as sub_cluster_sets gives them")
        shape = len(found[0].units) if found else "1 + n_random", widths.get(each.layer, "n_layer")
        what = f"as many rows as the sets before, and units of layer {each.layer}"
        units = as_units(f"sets[{i}].units", each.units, shape, what)
        layer = as_count(f"sets[{i}].layer", each.layer, 0)
        found.append(replace(each, layer=layer, units=units))
        widths[each.layer] = units.shape[1]
    return found


def accuracy_drops(lesions: SetLesions, *, reading: DropReading = "images") -> NDArray[np.float64]:
    """How much accuracy each lesion takes away ``(m, 1 + n_random)``: importance.

    reading: "images" is the accuracy over all test images, which the text of paper B says;
    "classes" the mean of the accuracies of the classes, with which its numbers were made. Both are
    the same where all classes have as many images. Classes without images do not count.
    """
    lesions = _checked_lesions(lesions)
    as_choice("reading", reading, DROP_READINGS)
    return _class_drops(lesions) @ _class_weights(lesions, reading)


def class_ranges(
    lesions: SetLesions, *, reading: RangeReading = "difference"
) -> NDArray[np.float64]:
    """How unequally each lesion hits the classes ``(m, 1 + n_random)``: coherence by class.

    reading: "difference" is the largest drop of a class less the smallest, which the text of paper
    B says; "relative" divides it by the mean drop of the classes, with which its numbers were made:
    0 where no class changes, infinity where classes differ and the mean does not change.
    """
    lesions = _checked_lesions(lesions)
    as_choice("reading", reading, RANGE_READINGS)
    drops = _class_drops(lesions)
    found = np.ptp(drops, axis=2)
    if reading == "difference":
        return found
    mean = drops.mean(2)
    # sums of hits over counts: what is 0 up to rounding is 0
    mean[np.abs(mean) < 1e-12] = 0
    with np.errstate(divide="ignore", invalid="ignore"):
        return np.where(found == 0, 0.0, found / mean)


def _checked_lesions(lesions: SetLesions) -> SetLesions:
    """The same with its tables as arrays."""
    check_kind("lesions", lesions, SetLesions, "SetLesions, as set_lesions gives them")
    names = ("class_accuracies", "lesioned", "class_counts")
    return SetLesions(**{name: as_numbers(name, getattr(lesions, name)) for name in names})


def _class_drops(lesions: SetLesions) -> NDArray[np.float64]:
    there = lesions.class_counts > 0
    return (lesions.class_accuracies - lesions.lesioned)[..., there]


def _class_weights(lesions: SetLesions, reading: DropReading) -> NDArray[np.float64]:
    counts = lesions.class_counts[lesions.class_counts > 0]
    return counts / counts.sum() if reading == "images" else np.full(len(counts), 1 / len(counts))


def percentiles(
    measures: ArrayLike, *, tail: Literal["lower", "upper"] = "upper"
) -> NDArray[np.float64]:
    """Centred percentile ``(m,)`` of each sub-cluster among its random sets.

    measures: ``(m, 1 + n_random)``, the sub-cluster first; infinity counts as larger than any
    number. All else as in `fisher_bates.centered_percentile`.
    """
    table = as_numbers("measures", measures)
    if table.ndim != 2 or table.shape[1] < 2 or np.isnan(table).any():
        raise ValueError(
            f"measures has shape {table.shape}; allowed: (m, 1 + n_random) without NaN"
        )
    largest = np.finfo(np.float64).max
    table = np.nan_to_num(table, posinf=largest, neginf=-largest)
    return np.array([centered_percentile(row[0], row[1:], tail=tail) for row in table])
