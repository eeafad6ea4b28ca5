"""What the network viewer is given: which networks, every unit and edge of them, and links."""

from __future__ import annotations

import base64
import json
import re
from dataclasses import replace
from pathlib import Path
from typing import Any

import nbformat
import numpy as np
import pytest
from small_book import ROOT, Made, make_network, make_partition, record_of
from sphinx.application import Sphinx

from modclust_utils.graphs import layer_of_unit
from modclust_utils.lesion_results import KINDS
from modclust_utils.partitions import order_labels
from modclust_utils.publish import viewer, viewer_links, viewer_page
from modclust_utils.publish.escape import sentence
from modclust_utils.publish.records import RecordStore, published_folder
from modclust_utils.publish.session import Run, start
from modclust_utils.recipes import lesions
from modclust_utils.recipes.base import Value
from modclust_utils.settings import TrainingSettings

WITH_PAGES = True
# Three pixels, two hidden units, two logits. The second pixel has no edge.
WEIGHTS = [np.array([[1.0, 0.0, 0.0], [2.0, 0.0, -3.0]]), np.array([[4.0, 0.0], [0.0, -1e-7]])]
LABELS = [1, -1, 0, 1, 0, 1, 0]
SIZES = (3, 2, 2)


def publish(*made: Made) -> None:
    store = RecordStore(published_folder().parent)
    for job, record in made:
        value = Value(record.value, record.arrays)
        store.put(job, value, seconds=1, device="CPU")
        folder = published_folder() / job.kind
        folder.mkdir(parents=True, exist_ok=True)
        for file in store.path(job.kind, job.key).parent.glob(f"{job.key}.*"):
            file.rename(folder / file.name)


def tiny(dataset: str = "mnist", dropout: bool = False, seed: int = 0) -> Made:
    settings = TrainingSettings(layer_sizes=SIZES, dropout_rate=0.5 if dropout else 0.0)
    return make_network(dataset, dropout, seed, weights=WEIGHTS, settings=settings)


def lesion_study(network: Made, labels: list[int], *, pairs: str = "all", seed: int = 0) -> Made:
    job = lesions.job(
        network[0], n_clusters=2, n_random_sets=9, n_random_pairs=5, pairs=pairs, seed=seed
    )
    rows = [
        {"layer": 1, "label": label, "size": 1, "proportion": 0.5, "drop": drop, "p_value": 0.1,
         "kind": "important", "null_mean": 0.0, "null_std": 0.0, "class_drops": [drop] * 10}
        for label, drop in ((1, 0.25), (0, 0.5))
    ]  # fmt: skip
    value = {"labels": labels, "ncut": 0.5, "sub_clusters": rows, "pairs": []}
    return job, record_of(job, value)


# Which networks


def test_the_first_network_of_each_kind_is_viewed(book):
    networks = [
        *(tiny(seed=seed) for seed in (2, 1)),
        tiny("mnist", True),
        tiny("fashion_mnist"),
        tiny("lines"),
    ]
    publish(*networks, *(make_partition(each, 0.5, LABELS) for each in networks), tiny(seed=0))
    found = viewer.viewed_networks()
    assert [each.name for each in found] == ["mnist-dropout-0", "mnist-1", "fashion_mnist-0"]
    assert found[1].words == "MNIST, no dropout, seed 1"


def test_lesions_come_before_partitions_and_all_pairs_first(book):
    network = tiny()
    publish(
        network,
        make_partition(network, 0.5, LABELS, n_clusters=2),
        make_partition(network, 0.7, LABELS, n_clusters=3),
        lesion_study(network, [0] * 7, pairs="important", seed=0),
        lesion_study(network, LABELS, pairs="all", seed=1),
        lesion_study(network, [1] * 7, pairs="all", seed=2),
    )
    (found,) = viewer.viewed_networks()
    assert found.numbers == [2, 3]
    two, three = found.clusterings
    assert (two.record.kind, two.record.parameters["seed"]) == ("lesions", 1)
    assert three.record.kind == "partition"
    assert three.singles == ()


def test_clusters_of_lesions_are_renumbered_with_their_labels(book):
    network = tiny()
    labels = [1, -1, 1, 1, 0, 1, 1]
    publish(network, lesion_study(network, labels))
    (clustering,) = viewer.viewed_networks()[0].clusterings
    # the cluster that was 1 is the larger one
    assert clustering.labels.tolist() == [0, -1, 0, 0, 1, 0, 0]
    assert [(row["label"], row["drop"]) for row in clustering.singles] == [(0, 0.25), (1, 0.5)]


def test_every_kind_of_sub_cluster_has_words():
    assert set(viewer.KIND_WORDS) == set(KINDS)


# Every unit and edge


def numbers(text: str, dtype: str) -> np.ndarray:
    return np.frombuffer(base64.b64decode(text, validate=True), dtype)


def content_of(script: str) -> dict[str, Any]:
    (body,) = re.fullmatch(r"globalThis\.modclustNetworks = (.*);\n", script).groups()
    return json.loads(body)


def unpacked(weights: dict[str, Any], shape: tuple[int, int]) -> np.ndarray:
    bits = np.unpackbits(numbers(weights["mask"], "u1"), bitorder="little")[: shape[0] * shape[1]]
    matrix = np.full(shape, np.nan)
    matrix[bits.reshape(shape) == 1] = numbers(weights["values"], "<i2") * weights["unit"]
    return matrix


@pytest.fixture(scope="module")
def published() -> list[viewer.ViewedNetwork]:
    """The networks of the book itself."""
    return viewer.viewed_networks()


@pytest.fixture(scope="module")
def content(published) -> dict[str, Any]:
    return content_of(viewer.data_script(published))


def test_the_book_has_networks_of_paper_a(published):
    kinds = [(each.dataset, each.dropout) for each in published]
    assert kinds == [(name, dropout) for name in viewer.DATASETS for dropout in (True, False)]
    assert {each.sizes for each in published} == {(784, 256, 256, 256, 256, 10)}
    assert any(clustering.singles for each in published for clustering in each.clusterings)


def test_every_edge_is_in_the_data_with_its_weight(published, content):
    assert len(content["networks"]) == len(published)
    for viewed, packed in zip(published, content["networks"], strict=True):
        assert packed["record"] == viewed.record.key
        for i, weights in enumerate(packed["weights"]):
            true = viewed.record.arrays[f"weight_{i}"]
            matrix = unpacked(weights, true.shape)
            assert np.array_equal(np.isfinite(matrix), true != 0)
            error = np.abs(matrix - true)[true != 0].max()
            assert error <= 0.51 * weights["unit"]
            # what the page says
            assert error < 2e-5 * np.abs(true).max()


def test_every_unit_is_in_the_data_with_its_cluster(published, content):
    for viewed, packed in zip(published, content["networks"], strict=True):
        assert [each["k"] for each in packed["clusterings"]] == viewed.numbers
        for record, clustering in zip(viewed.about, packed["clusterings"], strict=True):
            true = record.arrays["labels"] if record.kind == "partition" else record.value["labels"]
            layers = layer_of_unit(viewed.weights)
            expected = order_labels(np.asarray(true, np.int64), layers)
            assert np.array_equal(numbers(clustering["labels"], "i1"), expected)
            assert clustering["ncut"] == record.value["ncut"]


def test_every_lesion_is_in_the_data(published, content):
    n = 0
    for viewed, packed in zip(published, content["networks"], strict=True):
        for record, clustering in zip(viewed.about, packed["clusterings"], strict=True):
            rows = record.value.get("sub_clusters", [])
            drops = sorted((row["layer"], row["drop"], row["class_drops"]) for row in rows)
            found = clustering["lesions"]
            assert sorted((r["layer"], r["drop"], r["classDrops"]) for r in found) == drops
            n += len(rows)
    assert n > 0


def test_a_weight_that_rounds_to_zero_stays_an_edge(book):
    network = tiny()
    publish(network, make_partition(network, 0.5, LABELS))
    (packed,) = content_of(viewer.data_script(viewer.viewed_networks()))["networks"]
    for weights, true in zip(packed["weights"], WEIGHTS, strict=True):
        matrix = unpacked(weights, true.shape)
        assert np.array_equal(np.isfinite(matrix), true != 0)
    assert matrix[1, 1] == 0


def test_the_page_weighs_less_than_two_megabytes(published):
    static = ROOT / "book" / "_static"
    own = [static / viewer_links.SCRIPT, static / viewer_links.STYLE]
    weight = sum(len(file.read_bytes()) for file in own) + len(viewer.data_script(published))
    weight += len(viewer_page.tables_part(published)) + len(viewer_page.still_part(published))
    assert weight < 2e6


# What stands beside it


def test_table_of_sub_clusters(book):
    network = tiny()
    publish(network, lesion_study(network, LABELS))
    (viewed,) = viewer.viewed_networks()
    table = viewer_page.sub_cluster_table(viewed, viewed.clusterings[0])
    names = [re.search(r">([^<]*)<", cell)[1] for cell in table.index]
    assert names == ["0-0", "0-1", "1-0", "1-1", "2-0", "2-1"]
    place = "#network=mnist-0&amp;k=2&amp;sub-cluster=1-1"
    assert table.index[3] == f'<a href="{place}">1-1</a>'
    # pixel 0 is tied by 1 to hidden 0 of its cluster, and by 2 to hidden 1 of the other one
    inside = dict(zip(names, table["Weight inside its cluster"], strict=True))
    assert inside == {
        "0-0": "100%", "0-1": "33%", "1-0": "60%", "1-1": "100%", "2-0": "100%", "2-1": "100%"
    }  # fmt: skip
    costs = dict(zip(names, table["Lesion costs, points"], strict=True))
    assert (costs["1-0"], costs["1-1"], costs["2-0"]) == ("50.0", "25.0", "–")


def test_page_without_a_published_network_says_so(book):
    viewer_page.stage_viewer(book / "book")
    assert "none to look into" in (book / "book" / viewer_page.STILL_PART).read_text()
    assert (book / "book" / viewer_page.TABLES_PART).read_text() == ""
    script = (book / "book" / "_static" / viewer_links.DATA).read_text()
    assert content_of(script)["networks"] == []
    assert not (book / "book" / "_static" / viewer_page.STILL).exists()


def test_staging_is_the_same_each_time(book):
    network = tiny()
    publish(network, make_partition(network, 0.5, LABELS))
    names = [viewer_page.STILL_PART, viewer_page.TABLES_PART]
    names += [f"_static/{viewer_links.DATA}", f"_static/{viewer_page.STILL}"]
    found = []
    for _ in range(2):
        viewer_page.stage_viewer(book / "book")
        found.append([(book / "book" / name).read_bytes() for name in names])
    assert found[0] == found[1]


# Links


def test_places_have_names():
    assert [viewer_links.unit_name(layer, 7, 4) for layer in range(4)] == [
        *("in-7", "h1-7", "h2-7", "out-7")
    ]
    assert viewer_links.place("mnist-0", 4, SIZES) == "#network=mnist-0&k=4"
    assert viewer_links.place("a", 4, SIZES, unit=(0, 2)) == "#network=a&k=4&unit=in-2"
    found = viewer_links.place("a", 4, SIZES, sub_cluster=(1, 3))
    assert found == "#network=a&k=4&sub-cluster=1-3"


@pytest.mark.parametrize(
    ("asked", "message"),
    [
        ({"unit": (1, 2)}, r"unit=\(1, 2\) is not allowed"),
        ({"unit": (3, 0)}, r"unit=\(3, 0\) is not allowed"),
        ({"unit": (-1, 0)}, r"unit=\(-1, 0\) is not allowed"),
        ({"unit": (0, -1)}, r"unit=\(0, -1\) is not allowed"),
        ({"sub_cluster": (1, 4)}, r"sub_cluster=\(1, 4\) is not allowed: layer 0 to 2, cluster"),
        ({"sub_cluster": (3, 0)}, r"sub_cluster=\(3, 0\) is not allowed"),
        ({"unit": (0, 0), "sub_cluster": (0, 0)}, "allowed: one of them"),
    ],
)
def test_places_that_are_not_there_are_refused(asked, message):
    with pytest.raises(ValueError, match=message):
        viewer_links.place("mnist-0", 4, SIZES, **asked)


def test_links_lead_to_what_the_viewer_shows_and_nowhere_else(book):
    network, other = tiny(seed=1), tiny(seed=2)
    shown = make_partition(network, 0.5, LABELS)
    publish(network, other, shown, make_partition(other, 0.5, LABELS))
    (own,) = viewer.viewed_networks()[0].about
    assert viewer_links.link("Look", own) == "[Look](#network=mnist-1&k=4)"
    found = viewer_links.link("Look", own, unit=(1, 1))
    assert found == "[Look](#network=mnist-1&k=4&unit=h1-1)"
    with pytest.raises(ValueError, match="is not allowed"):
        viewer_links.link("Look", own, unit=(1, 9))
    # another k, another network, and the same work with another result
    others = [
        make_partition(network, 0.5, LABELS, n_clusters=3)[1],
        make_partition(other, 0.5, LABELS)[1],
        replace(own, value={**own.value, "ncut": 0.6}),
        replace(own, arrays_sha256="0" * 64),
    ]
    for record in others:
        assert viewer_links.link("Look", record) == ""


def test_run_says_a_link_or_nothing(book, monkeypatch):
    network = tiny()
    publish(network, make_partition(network, 0.5, LABELS))
    said: list[str] = []
    monkeypatch.setattr(Run, "say", lambda self, text: said.append(text))
    run = start(1, {})
    (own,) = viewer.viewed_networks()[0].about
    run.look_into("this network", own, sub_cluster=(1, 0))
    run.look_into("this network", replace(own, value={}))
    place = "#network=mnist-0&k=4&sub-cluster=1-0"
    assert said == [f"[Look into this network]({place}) in the network viewer."]
    # what stands between the words and a page leaves the place as it is
    assert place in sentence(said[0])


def build(folder: Path, target: str) -> tuple[Path, str]:
    """A site with a link to the viewer from a page in another folder; what Sphinx warned of."""
    (folder / "book" / "_static").mkdir(parents=True)
    (folder / "runs" / "01").mkdir(parents=True)
    for name in (viewer_links.SCRIPT, viewer_links.DATA, viewer_links.STYLE):
        (folder / "book" / "_static" / name).write_text("")
    extensions = ["myst_nb", viewer_links.__name__]
    settings = f"extensions = {extensions}\nhtml_static_path = ['book/_static']\n"
    settings += "nb_execution_mode = 'off'\n"
    (folder / "conf.py").write_text(settings)
    contents = "```{toctree}\nruns/01/page\nbook/network-viewer\n```"
    (folder / "index.md").write_text(f"# One\n\n{contents}\n")
    (folder / "book" / "network-viewer.md").write_text("# Two\n")
    said = nbformat.v4.new_output("display_data", {"text/markdown": f"[Look]({target})"})
    cells = [
        nbformat.v4.new_markdown_cell("# Three"),
        nbformat.v4.new_code_cell("say", outputs=[said]),
    ]
    nbformat.write(nbformat.v4.new_notebook(cells=cells), folder / "runs" / "01" / "page.ipynb")
    with open(folder / "warnings", "w+", encoding="utf-8") as warnings:
        html = folder / "html"
        app = Sphinx(folder, folder, html, folder / "trees", "html", status=None, warning=warnings)
        app.build()
        warnings.seek(0)
        return html, warnings.read()


def test_link_holds_from_every_page_and_scripts_are_on_one(tmp_path):
    html, warnings = build(tmp_path, "#network=mnist-0&k=4&unit=h1-1")
    assert "viewer" not in warnings
    page = (html / "runs" / "01" / "page.html").read_text(encoding="utf-8")
    address = "../../book/network-viewer.html#network=mnist-0&amp;k=4&amp;unit=h1-1"
    assert f'href="{address}">Look</a>' in page
    assert viewer_links.SCRIPT not in page
    there = (html / "book" / "network-viewer.html").read_text(encoding="utf-8")
    data, script = there.index(viewer_links.DATA), there.index(viewer_links.SCRIPT)
    assert data < script
    assert viewer_links.STYLE in there


def test_link_to_no_place_is_a_warning(tmp_path):
    _, warnings = build(tmp_path, "#network=mnist-0&unit=x-1")
    assert "'#network=mnist-0&unit=x-1' is no place in the network viewer" in warnings
