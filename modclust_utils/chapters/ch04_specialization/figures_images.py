"""Pictures of chapter 4: what sub-clusters see."""

from __future__ import annotations

import base64
import html
import io

import numpy as np
import pandas as pd
from matplotlib.figure import Figure
from matplotlib.lines import Line2D
from PIL import Image

from modclust_utils.chapters.ch04_specialization.figures import COLORS, names_of
from modclust_utils.chapters.ch04_specialization.tables import (
    is_small_of_others,
    kinds_of,
)
from modclust_utils.figures.style import NULL_COLOR, legend_below, new_figure, styled
from modclust_utils.partitionings import PARTITIONINGS
from modclust_utils.recipes.frames import shown_figure, shown_table

# Sub-clusters that are shown beside each other, and rows of random sets below them.
_COLUMNS, _RANDOM_ROWS = 8, 2
# Pixels of a picture in the gallery.
_PICTURE = 96


@shown_figure
@styled
def halves_images(frame: pd.DataFrame) -> Figure:
    """Images of first-layer sub-clusters, random sets below them (B', Figures 1 and 6)."""
    first = frame.groupby("partitioning", sort=False).first()
    figure = new_figure(4.6)
    parts = figure.subfigures(2, 2, squeeze=False).ravel()
    for part, partitioning in zip(parts, PARTITIONINGS, strict=True):
        if partitioning not in first.index:
            continue
        images = first.loc[partitioning, "record"].arrays["images"].astype(float)
        part.suptitle(partitioning, fontsize=10, color=COLORS[partitioning])
        if len(images) == 0:
            part.text(0.5, 0.5, "all units of the layer in one cluster", ha="center")
            continue
        panels = part.subplots(1 + _RANDOM_ROWS, _COLUMNS, squeeze=False)
        for j, column in enumerate(panels.T):
            for i, ax in enumerate(column):
                ax.set_axis_off()
                if j < len(images):
                    ax.imshow(images[j, i].reshape(-1, 28), cmap="magma", vmin=0)
                    ax.axvline(13.5, color="white", linewidth=0.5, alpha=0.6)
    return figure


@shown_figure
@styled
def one_sided(table: pd.DataFrame) -> Figure:
    """How one-sided each first-layer sub-cluster is, and the mean of its random sets."""
    figure = new_figure(2.5)
    ax = figure.subplots()
    for i, partitioning in enumerate(PARTITIONINGS):
        own = table[table["partitioning"] == partitioning]
        spread = 0.6 * (np.arange(len(own)) / max(len(own) - 1, 1) - 0.5)
        color = COLORS[partitioning]
        ax.plot(own["one_sided"], i + spread, "o", color=color, markersize=3.5)
        ax.plot(own["random"], i + spread, "|", color=NULL_COLOR, markersize=5)
    ax.set_yticks(range(len(PARTITIONINGS)), PARTITIONINGS)
    ax.set_ylim(len(PARTITIONINGS) - 0.5, -0.5)
    ax.set_xlim(0, 1)
    ax.set_xlabel("one-sidedness: 0 is both halves alike, 1 is one half alone")
    handles = [
        Line2D([], [], color="black", marker="o", linestyle="none", label="sub-cluster"),
        Line2D([], [], color=NULL_COLOR, marker="|", linestyle="none", label="its random sets"),
    ]
    legend_below(figure, handles, 2)
    return figure


@shown_table(html=True)
def gallery(frame: pd.DataFrame, *, more: bool = False) -> pd.DataFrame:
    """Pairs of visualizations, a sub-cluster's and a random set's, on either side (B', Figure 7).

    Which is which is folded away. Of four pairs of each kind of network, from its first layer to
    its last, the last one; more: the others, and all four of networks that others trained on small
    images, of which there are many of one kind.
    """
    rows = []
    own = frame[frame["partitioning"] == PARTITIONINGS[0]]
    kinds = kinds_of(own)
    for kind, name in names_of(kinds).items():
        first = own[kinds == kind].iloc[0]
        record = first["record"]
        arrays = record.arrays
        places = arrays["gallery"]
        chosen = np.unique(np.linspace(0, len(places) - 1, min(4, len(places))).round().astype(int))
        n_before = len(chosen) if is_small_of_others(kind) else len(chosen) - 1
        for j in chosen[:n_before] if more else chosen[n_before:]:
            place = int(places[j])
            # by the key of the record, so that a page is always the same
            on_the_left = int(record.key[j % len(record.key)], 16) % 2 == 0
            pair = [_picture(image, side) for image, side in zip(
                arrays["images"][j] if on_the_left else arrays["images"][j][::-1],
                ("left", "right"), strict=True,
            )]  # fmt: skip
            scores = arrays["score"][place]
            side = "left" if on_the_left else "right"
            answer = (
                f"<details><summary>Which is real?</summary>The {side} one. Score "
                f"{scores[0]:.2f}; its {len(scores) - 1} random sets have {scores[1:].min():.2f} "
                f"to {scores[1:].max():.2f}.</details>"
            )
            rows.append(
                {
                    "Network": html.escape(name),
                    "Layer": int(arrays["layer"][place]),
                    "Units": int(arrays["size"][place]),
                    "One": pair[0],
                    "Other": pair[1],
                    "Answer": answer,
                }
            )
    columns = ["Network", "Layer", "Units", "One", "Other", "Answer"]
    return pd.DataFrame(rows, columns=columns).set_index(["Network", "Layer"])


def _picture(image: np.ndarray, side: str) -> str:
    """An image ``(channels, height, width)`` of bytes as HTML."""
    pixels = image[0] if len(image) == 1 else np.moveaxis(image, 0, 2)
    buffer = io.BytesIO()
    enlarged = Image.fromarray(pixels).resize((_PICTURE, _PICTURE), Image.Resampling.NEAREST)
    enlarged.save(buffer, format="PNG", optimize=True)
    data = base64.b64encode(buffer.getvalue()).decode()
    words = f"What a set of units responds to most, {side}"
    return f'<img alt="{words}" src="data:image/png;base64,{data}">'
