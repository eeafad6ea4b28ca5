"""What was found about a network of one's own, in sentences whose numbers were computed."""

from __future__ import annotations

import numpy as np
import pandas as pd
from sklearn.metrics import adjusted_rand_score

from modclust_utils.own.tables import AS_GIVEN, EQUAL_NORMS, NULL_WORDS
from modclust_utils.own.understanding import OTHER_ARCHITECTURE, WHAT_HELPS, Understanding

ALPHA = 0.05
_VERDICTS = {
    True: "It is more clusterable than its shuffles",
    False: "It is not shown to be more clusterable than its shuffles",
    None: "So few shuffles cannot tell whether it is more clusterable than they are",
}


def summary(
    found: Understanding,
    tests: pd.DataFrame,
    gauge: pd.DataFrame,
    layers: pd.DataFrame,
    lesions: pd.DataFrame | None,
) -> list[str]:
    """The analysis in short."""
    said = [size(found), clusterable(tests), scales(gauge, found), extremes(layers)]
    if lesions is not None:
        said.append(lesioned(lesions))
    return said


def size(found: Understanding) -> str:
    """What the graph is."""
    share = found.n_edges / found.n_possible
    return (
        f"The graph has {found.n_units:,} units in "
        f"{len(found.graph.layer_names) if found.graph else 0} layers and {found.n_edges:,} edges, "
        f"{share:.1%} of those that it can have."
    )


def _against(row: pd.Series) -> str:
    words = "lower than" if row["ncut"] < row["null_mean"] else "higher than"
    if np.isclose(row["ncut"], row["null_mean"]):
        words = "as high as"
    return (
        f"{row['ncut']:.3f}, {words} the mean {row['null_mean']:.3f} of "
        f"{row['n_shuffles']:.0f} shuffles ({_z(row)}, p = {row['p_value']:.3f})"
    )


def _z(row: pd.Series) -> str:
    """A z-score, or why there is none."""
    if np.isfinite(row["z_score"]):
        return f"z = {row['z_score']:z.1f}"
    return "no z-score, as all shuffles have the same n-cut"


def passes(row: pd.Series) -> bool | None:
    """Whether a test is passed; None where it has too few shuffles to be."""
    if 1 / (row["n_shuffles"] + 1) > ALPHA:
        return None
    return bool(row["p_value"] <= ALPHA)


def clusterable(tests: pd.DataFrame) -> str:
    """The n-cut beside its null, and what the harder null says."""
    first, harder = tests.iloc[0], tests.iloc[1]
    text = f"{_VERDICTS[passes(first)]}: with {first['n_clusters']} clusters the n-cut is "
    text += f"{_against(first)}."
    keeps = NULL_WORDS[harder["null"]]
    if passes(first) and passes(harder):
        text += f" It holds under a null that keeps more, too ({keeps}; {_z(harder)})."
    elif passes(first) and passes(harder) is False:
        text += (
            f" Under a null that keeps more of the network ({keeps}) that does not hold "
            f"({_z(harder)}, p = {harder['p_value']:.3f})."
        )
    return text


def too_easy(tests: pd.DataFrame) -> list[str]:
    """A warning where only the easy null is passed, or where shuffles are too few to tell."""
    first, harder = tests.iloc[0], tests.iloc[1]
    said = []
    if passes(first) and passes(harder) is False:
        said.append(
            "The null is too easy: what sets the network apart from its shuffles is gone where "
            f"they keep more of it ({NULL_WORDS[harder['null']]})."
        )
    if passes(first) is None:
        said.append(
            f"With {first['n_shuffles']} shuffles no p-value is below "
            f"{1 / (first['n_shuffles'] + 1):.3f}: more of them are needed to tell anything."
        )
    return said


def scales(gauge: pd.DataFrame, found: Understanding) -> str:
    """What is left of the n-cut when units are scaled."""
    rows = gauge.set_index("scaling")
    given, equal, random = rows.loc[AS_GIVEN], rows.loc[EQUAL_NORMS], gauge.iloc[2]
    what = (
        "Scaling units changes the n-cut"
        if found.bending
        else "The same function can be written with other scales of its units, and its n-cut moves"
    )
    return (
        f"{what}: {given['ncut']:.3f} as given, {equal['ncut']:.3f} with equal norms in and out, "
        f"{random['lowest']:.3f} to {random['highest']:.3f} in {random['n_draws']:.0f} random "
        f"rescalings. {_survives(passes(given), passes(equal))} ({_z(equal)}); the "
        "clusters of rescaled networks agree with those as given by an adjusted Rand index of "
        f"{random['agreement']:.2f} on average."
    )


def _survives(given: bool | None, equal: bool | None) -> str:
    if given is None or equal is None:
        return "Whether it is more clusterable than its shuffles, so few of them cannot tell"
    if given and equal:
        return "That it is more clusterable than its shuffles survives equal norms"
    if given:
        return "That it is more clusterable than its shuffles does not survive equal norms"
    if equal:
        return "With equal norms it is more clusterable than its shuffles, as given it is not"
    return "With equal norms, too, it is not shown to be more clusterable than its shuffles"


def extremes(layers: pd.DataFrame) -> str:
    """The most and the least clusterable layer."""
    ranked = layers.sort_values("above")
    least, most = ranked.iloc[0], ranked.iloc[-1]
    if len(ranked) < 2:
        return f"One layer has edges: {most['inside']:.0%} of their weight lie inside clusters."
    return (
        f"Of the layers, {most['layer']!r} has most of its edges inside clusters, compared with "
        f"chance ({most['inside']:.0%} against {most['expected']:.0%}), and {least['layer']!r} the "
        f"least ({least['inside']:.0%} against {least['expected']:.0%})."
    )


def lesioned(lesions: pd.DataFrame) -> str:
    """How many sub-clusters cost more than random sets."""
    if not len(lesions):
        return "No layer has two sub-clusters of two units or more, so nothing was lesioned."
    worst = lesions.sort_values("drop").iloc[-1]
    place = f"cluster {worst['cluster']} in layer {worst['layer']!r}"
    most = f"{worst['drop']:.1%} of the images with {place}"
    n_random = int(lesions["n_random"].iloc[0])
    if 1 / (n_random + 1) > ALPHA:
        return (
            f"Of {len(lesions)} sub-clusters the most costly takes {most}; {n_random} random sets "
            "beside each are too few to tell which cost more than chance."
        )
    n = int((lesions["rank"] <= ALPHA).sum())
    return (
        f"Of {len(lesions)} sub-clusters, {n} cost more accuracy than all but {ALPHA:.0%} of "
        f"random sets of their size and layer (by chance about {ALPHA * len(lesions):.1f}). The "
        f"most costly takes {most}."
    )


def replayed(found: Understanding) -> str:
    """What the replay of the graph said."""
    replay = found.replay
    if replay.reason:
        return f"The graph was not replayed against the network: {replay.reason}."
    if replay.faults:
        return f"Replayed, the graph does not fit the network: {'; '.join(replay.faults[:3])}."
    return (
        f"Replayed against the network's own forward pass, {replay.n_units} units were moved one "
        f"at a time: of the {replay.n_pairs:,} edges that lead on from them, {replay.n_moved:,} "
        "moved the unit at their end, none by more than they allow, and no other unit moved."
    )


def top_1(found: Understanding) -> str:
    """The accuracy on labelled images, "" where there are none."""
    if found.top_1 is None:
        return ""
    return (
        f"On {found.n_labelled:,} labelled images the network's first answer is right for "
        f"{found.top_1:.1%}; by chance it would be {1 / max(found.n_classes, 1):.1%}."
    )


def refused(found: Understanding) -> str:
    """Why there is no graph, and what would help."""
    helps = OTHER_ARCHITECTURE if found.network.keys.problem else WHAT_HELPS
    return f"{found.refusal.rstrip('.')}. {helps}"


def active(whole: pd.DataFrame, by_activations: pd.DataFrame) -> str:
    """How far clusters by weights and by activations are the same."""
    first, second = (each["record"].iloc[0].arrays["labels"] for each in (whole, by_activations))
    both = (np.asarray(first) >= 0) & (np.asarray(second) >= 0)
    score = adjusted_rand_score(np.asarray(first)[both], np.asarray(second)[both])
    return (
        "Clusters by what units put out for images agree with those by weights by an adjusted "
        f"Rand index of {score:.2f} (1 is the same, 0 is chance)."
    )
