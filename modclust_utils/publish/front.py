"""What the build adds to the book's first page: a network, the answers, and all claims."""

from __future__ import annotations

import html
from collections.abc import Mapping, Sequence
from pathlib import Path
from typing import Any

import numpy as np

from modclust_utils.figures.network_svg import network_svg
from modclust_utils.publish.escape import block, markdown, sentence
from modclust_utils.publish.left import ANSWER
from modclust_utils.publish.scoreboard import ShownRun, claim_link, picture, tally
from modclust_utils.publish.stored_files import read_json
from modclust_utils.publish.viewer import ViewedNetwork, viewed_networks
from modclust_utils.publish.viewer_links import PAGE, place

#: Included by the page.
NETWORK_PART, SCORES_PART = "front-network.md", "front-scores.md"


def stage_front(book: Path, rows: Sequence[ShownRun]) -> dict[str, str]:
    """Write what the first page in the folder `book` includes; the sentences that stand in it."""
    networks = viewed_networks()
    hero = _hero(networks[0]) if networks else ""
    (book / NETWORK_PART).write_text(block(hero), encoding="utf-8")
    (book / SCORES_PART).write_text(block(picture(rows)), encoding="utf-8")
    return sentences(rows)


def sentences(rows: Sequence[ShownRun]) -> dict[str, str]:
    """The answer of each chapter, each verdict, and what all of them come to."""
    shown = [row for row in rows if row.shown == "chapter"]
    said = {f"answer_{row.chapter}": sentence(_answer(row)) for row in shown}
    claims = {
        f"claim_{each['id']}": _verdict(row.chapter, each) for row in shown for each in row.verdicts
    }
    return said | claims | {"verdicts": _verdicts(shown)}


def _verdict(chapter: int, verdict: Mapping[str, Any]) -> str:
    """A claim's number, which leads to rule and evidence, and its verdict."""
    words = f"claim {html.escape(verdict['id'])}"
    link = f'<a href="{claim_link(chapter, verdict["id"])}">{words}</a>'
    return f"{link}: {markdown(verdict['verdict'])}"


def _answer(row: ShownRun) -> str:
    file = row.run.folder / ANSWER
    return str(read_json(file, str)) if file.is_file() else ""


def _verdicts(rows: Sequence[ShownRun]) -> str:
    n = tally(rows)
    small = sum(row.run.name == "quick" for row in rows)
    scale = f" {small} of {len(rows)} chapters show a quick run here." if small else ""
    return (
        f"**How sure is that?** Of {n.total()} claims that this book tests, {n['reproduced']} "
        f"are reproduced here, {n['partly']} partly and {n['not']} not; {n['cannot tell']} cannot "
        f"be told from the networks here, and {n['not attempted']} were not attempted.{scale}"
    )


def _hero(viewed: ViewedNetwork) -> str:
    """A network in its clusters, with what it is, leading into the viewer."""
    clustering = viewed.clusterings[0]
    labels = clustering.labels
    n_edges = sum(map(np.count_nonzero, viewed.weights))
    said = (
        f"{viewed.words}: {(labels >= 0).sum():,} units with {n_edges:,} edges in "
        f"{clustering.n_clusters} clusters"
    )
    end = place(viewed.name, clustering.n_clusters, viewed.sizes)
    address = f"{Path(PAGE).name}.html{end}"
    drawn = network_svg(viewed.weights, labels, words=html.escape(f"A pruned network. {said}."))
    return (
        f'<figure class="mc-hero"><a href="{html.escape(address)}" '
        f'aria-label="Look into this network">{drawn}</a><figcaption>'
        f"A pruned network ({html.escape(said)}; n-cut {clustering.record.value['ncut']:.3f}). "
        "Pixels are on the left, each in the colour of its cluster; lines are the strongest edges, "
        f'gray where they leave a cluster. <a href="{html.escape(address)}">Look into it</a>.'
        "</figcaption></figure>"
    )
