"""What the build adds to the page of the network viewer: data, still pictures, and tables."""

from __future__ import annotations

import html
from collections.abc import Sequence
from pathlib import Path

import numpy as np
import pandas as pd

from modclust_utils.figures.cells import number, subcluster_name
from modclust_utils.figures.network import network_figure
from modclust_utils.graphs import layer_of_unit, mlp_adjacency
from modclust_utils.publish.escape import block
from modclust_utils.publish.head import save_png
from modclust_utils.publish.html_tables import table_html
from modclust_utils.publish.viewer import (
    KIND_WORDS,
    Clustering,
    ViewedNetwork,
    data_script,
    viewed_networks,
)
from modclust_utils.publish.viewer_links import DATA, place

STILL = "network-viewer.png"
#: Included by the page, for readers without scripts and beside them.
STILL_PART, TABLES_PART = "network-viewer-still.md", "network-viewer-tables.md"
_DPI = 110


def stage_viewer(book: Path) -> None:
    """Write what the viewer's page in the folder `book` needs, from the published records."""
    networks = viewed_networks()
    static = book / "_static"
    (static / DATA).write_text(data_script(networks), encoding="utf-8")
    (book / STILL_PART).write_text(still_part(networks), encoding="utf-8")
    (book / TABLES_PART).write_text(tables_part(networks), encoding="utf-8")
    if networks:
        first = networks[0]
        figure = network_figure(first.weights, first.clusterings[0].labels)
        save_png(figure, static / STILL, dpi=_DPI, tight=True)


def tables_part(networks: Sequence[ViewedNetwork]) -> str:
    """A folded table for each clustering."""
    return "\n\n".join(block(_fold(each, its)) for each in networks for its in each.clusterings)


def still_part(networks: Sequence[ViewedNetwork]) -> str:
    """The still picture, seen where scripts are off; a sentence where there is no network."""
    if not networks:
        return "No published record holds the clusters of a network, so there is none to look into."
    words = html.escape(networks[0].words)
    alt = (
        f"{words}: a network drawn in six columns from pixels to logits, units coloured by cluster;"
        " below it each cluster by itself."
    )
    return block(
        "<noscript><p>The viewer needs scripts, which are off in this browser. Here is a still "
        f"picture of one network ({words}), and below are tables of all of them.</p>"
        f'<figure><img src="../_static/{STILL}" alt="{alt}"></figure></noscript>'
    )


def _fold(viewed: ViewedNetwork, clustering: Clustering) -> str:
    words = f"{viewed.words}: {clustering.n_clusters} clusters"
    table = table_html(sub_cluster_table(viewed, clustering), name=words, html_cells=True)
    return (
        f'<details class="mc-viewer-table"><summary>{html.escape(words)}</summary>{table}</details>'
    )


def sub_cluster_table(viewed: ViewedNetwork, clustering: Clustering) -> pd.DataFrame:
    """A row for each sub-cluster: units, edges' weight that stays in the cluster, lesion.

    Cells are HTML of the book's own words and numbers; each name is a link into the viewer.
    """
    layers, labels = layer_of_unit(viewed.weights), clustering.labels
    adjacency = mlp_adjacency(viewed.weights).tocoo()
    inside = adjacency.data * (labels[adjacency.row] == labels[adjacency.col])
    n = len(labels)
    total = np.bincount(adjacency.row, adjacency.data, n)
    inner = np.bincount(adjacency.row, inside, n)
    lesions = {(row["layer"], row["label"]): row for row in clustering.singles}
    rows = []
    for layer, cluster in np.unique(np.stack([layers, labels])[:, labels >= 0], axis=1).T.tolist():
        units = (layers == layer) & (labels == cluster)
        live = (layers == layer) & (labels >= 0)
        end = place(viewed.name, clustering.n_clusters, viewed.sizes, sub_cluster=(layer, cluster))
        row = {
            "Sub-cluster": f'<a href="{html.escape(end)}">{subcluster_name((layer, cluster))}</a>',
            "Layer": layer_words(layer, len(viewed.sizes)),
            "Units": f"{units.sum()}",
            "Share of the layer": f"{units.sum() / live.sum():.1%}",
            "Weight inside its cluster": f"{inner[units].sum() / total[units].sum():.0%}",
        }
        if clustering.singles:
            lesion = lesions.get((layer, cluster))
            row["Lesion costs, points"] = number(100 * lesion["drop"]) if lesion else "–"
            row["Kind"] = KIND_WORDS[lesion["kind"]] if lesion else "not lesioned"
        rows.append(row)
    return pd.DataFrame(rows).set_index("Sub-cluster")


def layer_words(layer: int, n_layers: int) -> str:
    """A layer as the viewer calls it."""
    return "pixels" if layer == 0 else "logits" if layer == n_layers - 1 else f"hidden\u00a0{layer}"
