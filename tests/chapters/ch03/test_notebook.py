"""Chapter 3 from end to end in a small book: what the page shows, and where it comes from."""

from __future__ import annotations

import base64
import json
import re
from collections.abc import Iterator
from pathlib import Path

import nbformat
import numpy as np
import pandas as pd
import pytest
from modclust_utils.publish.networks import Network
from small_book import ROOT, copy_book
from test_chapter_1 import Done, code_cells, strips

from modclust_utils import datasets
from modclust_utils.chapters.ch03_lesions.tables import EDGE, Studies, edge_set, read_studies
from modclust_utils.datasets.papers import paper_table
from modclust_utils.figures.style import dataset_name
from modclust_utils.publish import lesioning, networks, pages, plans
from modclust_utils.publish.records import Record, record_key
from modclust_utils.publish.run import check_run, read_runs, run_chapter

FIGURES = [
    "single-lesions",
    "class-drops",
    "conditional-importance",
    "damage-matrix",
    "dependency-graph",
    "dependency-graph-of-the-paper",
    "edge-stability",
]
TABLES = ["table-single-lesions", "table-a18", "kinds", "table-pairs", "table-a19", "verdicts"]


def write_bands(path: Path, n_train: int, n_test: int) -> Path:
    """Images that are easy to learn: the class is where two of 28 rows are bright."""
    rng = np.random.default_rng(3)
    arrays = {}
    for name, n in (("train", n_train), ("test", n_test)):
        y = np.arange(n) % 10
        x = rng.integers(0, 90, (n, 28, 28))
        for image, label in zip(x, y, strict=True):
            image[2 * label : 2 * label + 2] += 150
        arrays |= {f"x_{name}": x.astype(np.uint8), f"y_{name}": y}
    np.savez(path, **arrays)
    return path


@pytest.fixture(scope="module")
def done(tmp_path_factory) -> Iterator[Done]:
    """The one real run of this module: two networks that learn all of it, three clusterings."""
    book = copy_book(tmp_path_factory.mktemp("chapter") / "book", chapters=(3,))
    images = str(write_bands(book / "bands.npz", n_train=300, n_test=100))
    with pytest.MonkeyPatch.context() as patch:
        patch.setenv("MODCLUST_ROOT", str(book))
        patch.delenv("MODCLUST_DATA", raising=False)
        values = check_run(
            3,
            overrides={
                "dataset": images,
                "dataset_settings": {
                    images: {"batch_size": 10, "pruning_interval": 1, "learning_rate": 0.002}
                },
                "n_networks": 2,
                "epochs": 2,
                "pruning_epochs": 2,
                "dropout_rate": 0.1,
                "n_clusters": 8,
                "n_random_sets": 5,
                "n_random_pairs": 4,
                "n_reclusterings": 1,
                "device": "cpu",
                "n_jobs": 1,
            },
        )
        info = run_chapter(3, values)
        yield Done(book, values, info, nbformat.read(info.notebook, as_version=4))


def networks_of(done: Done) -> list[Network]:
    """The run's networks, from its records."""
    (condition,) = networks.conditions(done.p, [done.p.dataset], dropouts=[True])
    found = []
    for seed in (0, 1):
        parameters = condition.network_parameters(seed)
        record = done.store.require("network", parameters)
        found.append(Network(condition, seed, record_key("network", parameters), record))
    return found


def lesions_of(done: Done) -> list[list[Record]]:
    """The run's lesion studies of each network, from its records."""
    return [
        [
            done.store.require("lesions", parameters)
            for parameters in lesioning.studies(network.key, done.p, first=i == 0)
        ]
        for i, network in enumerate(networks_of(done))
    ]


@pytest.fixture(scope="module")
def studies(done) -> Studies:
    return read_studies(networks_of(done), lesions_of(done))


def test_run_is_done_and_used_what_was_planned(done):
    (info,) = read_runs(3)
    assert info == done.run
    assert info.status["state"] == "done"
    assert pages.state(info) == "done"
    planned = {(kind, record_key(kind, p)) for kind, p in plans.plan(3, done.p)}
    assert {tuple(each) for each in done.run.status["records"]} == planned
    assert {(path.parent.name, path.stem) for path in done.store} == planned
    # two networks; two clusterings of the first one and one of the other
    assert sorted(kind for kind, _ in planned) == ["lesions"] * 3 + ["network"] * 2


def test_every_cell_ran_and_drew_what_it_promises(done):
    cells = [cell for cell in code_cells(done) if cell.source.strip()]
    assert [cell.execution_count for cell in cells] == list(range(1, len(cells) + 1))
    source = nbformat.read(next((ROOT / "notebooks").glob("03-*.ipynb")), as_version=4)
    promised = [c.metadata.mystnb for c in source.cells if "mystnb" in c.metadata]
    drawn = [c for c in code_cells(done) if "figure" in c.metadata.get("mystnb", {})]
    assert [c.metadata.mystnb for c in drawn] == promised
    assert len({facts.figure.name for facts in promised}) == len(promised) == len(FIGURES)
    for cell in drawn:
        (picture,) = (o.data["image/png"] for o in cell.outputs if "image/png" in o.data)
        assert base64.b64decode(picture).startswith(b"\x89PNG")


def test_every_figure_and_table_has_a_strip_with_data(done):
    found = strips(done)
    assert sorted(found) == sorted(FIGURES + TABLES)
    pictures = sum("image/png" in o.data for c in code_cells(done) for o in c.outputs)
    shown = sum(
        o.datasets.get("text/html", "").startswith('<div class="mc-table">')
        for c in code_cells(done)
        for o in c.outputs
    )
    assert (pictures, shown) == (len(FIGURES), len(TABLES))
    for name, (facts, frame) in found.items():
        assert len(frame) > 0
        assert "n_reclusterings = 1" in facts["Parameters"]
        assert facts["Made again by"].startswith("modclust run 3 ")
        records = {"edge-stability": 3, "verdicts": 3, "kinds": 2}
        assert facts["Records"] == f"{records.get(name, 1)} lesions"
        assert facts["Computed on"] == "CPU, 1 thread"


def test_tables_hold_the_numbers_of_the_records(done, studies):
    found = {name: frame for name, (_, frame) in strips(done).items()}
    value = lesions_of(done)[0][0].value
    singles = found["table-single-lesions"]
    pd.testing.assert_frame_equal(singles, found["single-lesions"])
    # clusters have other numbers on the page, but the same numbers about them
    columns = ["layer", "size", "proportion", "drop", "p_value", "kind", "null_mean", "null_std"]
    assert sorted(singles[columns].itertuples(index=False, name=None)) == sorted(
        tuple(row[name] for name in columns) for row in value["sub_clusters"]
    )
    expected = studies.reference.singles.drop(columns="class_drops")
    pd.testing.assert_frame_equal(singles, expected, check_dtype=False)
    pd.testing.assert_frame_equal(found["damage-matrix"], studies.reference.pairs)
    assert len(found["damage-matrix"]) == len(value["pairs"]) > 0
    important = {(r.layer, r.label) for r in singles.itertuples() if r.kind == "important"}
    for name in ("table-pairs", "conditional-importance"):
        assert len(found[name]) == sum(
            (r.x_layer, r.x_label) in important and (r.y_layer, r.y_label) in important
            for r in studies.reference.pairs.itertuples()
        )
    assert len(found["table-a18"]) == len(paper_table("filan2020_table_a18"))
    assert len(found["table-a19"]) == len(paper_table("filan2020_table_a19"))
    assert len(found["dependency-graph-of-the-paper"]) == 17
    kinds = found["kinds"].set_index("kind")
    counts = studies.reference.singles["kind"].value_counts()
    assert kinds["reference"].to_dict() == {kind: counts.get(kind, 0) for kind in kinds.index}
    assert kinds["reference"].sum() == len(value["sub_clusters"])


def test_figures_of_important_sub_clusters_hold_the_records(done, studies):
    found = {name: frame for name, (_, frame) in strips(done).items()}
    chosen = [r for r in studies.reference.singles.to_dict("records") if r["kind"] == "important"]
    assert chosen, "a network that learnt its ten classes has important sub-clusters"
    drops = found["class-drops"]
    assert drops[["layer", "label"]].to_numpy().tolist() == [
        [r["layer"], r["label"]] for r in chosen
    ]
    shown = drops[[f"class_{c}" for c in range(10)]].to_numpy()
    np.testing.assert_allclose(shown, [r["class_drops"] for r in chosen])
    edges = edge_set(studies.reference.edges)
    assert edges, "and some of them depend on each other"
    assert edge_set(found["dependency-graph"]) == edges
    stability = found["edge-stability"]
    assert edge_set(stability) == edges
    again, other = (edge_set(s.edges) for s in (*studies.reclusterings, *studies.others))
    for row in stability.to_dict("records"):
        edge = tuple(row[name] for name in EDGE)
        assert row["share_reclusterings"] == (edge in again)
        assert row["share_networks"] == (edge in other)


def said(done: Done) -> str:
    """All sentences of the page that were computed."""
    texts = [o.datasets.get("text/markdown", "") for c in code_cells(done) for o in c.outputs]
    return "\n\n".join(text for text in texts if text)


def test_sentences_hold_the_numbers_of_the_records(done, studies):
    text = said(done)
    value = lesions_of(done)[0][0].value
    name = dataset_name(done.p.dataset)
    assert f"The first network ({name}, with dropout, seed 0) classifies " in text
    assert f"{value['accuracy']:.2%} of its 100 test images" in text
    assert f"Its 8 clusters have an n-cut of {value['ncut']:.3f}" in text
    kinds = [row["kind"] for row in value["sub_clusters"]]
    assert f"{kinds.count('important')} of {len(kinds)} sub-clusters are important" in text
    worst = max(row["drop"] for row in value["sub_clusters"])
    assert f"costs {100 * worst:.1f} percentage points" in text
    assert f"{len(studies.reference.edges)} of them are edges; the paper's has 28 and 17" in text
    counts = [len(study.edges) for study in (studies.reference, *studies.others)]
    assert f"The graphs of 2 networks have {min(counts)} to {max(counts)} edges." in text


def test_accuracy_is_that_of_the_network_without_lesion(done):
    for network, own in zip(networks_of(done), lesions_of(done), strict=True):
        for record in own:
            # both count the same images
            expected = network.record.value["test_accuracy_after"]
            assert record.value["accuracy"] == pytest.approx(expected, abs=1e-6)
            assert np.mean(record.value["class_accuracies"]) == pytest.approx(expected, abs=1e-5)


def test_page_shows_no_missing_number(done):
    texts = []
    for cell in code_cells(done):
        for output in cell.outputs:
            text = output.datasets.get("text/markdown", "") or output.datasets.get("text/html", "")
            if not text.startswith('<details class="mc-strip">'):
                texts.append(re.sub(r"<[^>]+>", " ", text))
    assert len(texts) > 10
    assert not [text for text in texts if re.search(r"\b(nan|None|inf)\b|-0\.0+\b", text)]


def test_page_says_which_parameters_it_shows(done):
    texts = [o.datasets.get("text/html", "") for c in code_cells(done)[:3] for o in c.outputs]
    (badge,) = texts
    assert 'class="mc-badge mc-badge-own"' in badge
    assert "a run with <b>other parameters</b>" in badge
    assert done.run.status["profile"] == "own parameters"


def test_no_verdict_without_the_data_of_the_paper(done):
    rows = json.loads((done.run.folder / "verdicts.json").read_text(encoding="utf-8"))
    assert len(rows) > 0
    assert {row["verdict"] for row in rows} == {"not attempted"}
    assert strips(done)["verdicts"][1]["verdict"].unique().tolist() == ["not attempted"]


def test_lesions_are_the_same_when_computed_again(done):
    network, record = networks_of(done)[1], lesions_of(done)[1][0]
    images = datasets.load(done.p.dataset)
    again = lesioning.compute_lesions(network, dict(record.parameters), images, "cpu")
    assert again["labels"] == record.value["labels"]
    for name in ("sub_clusters", "pairs"):
        frames = pd.DataFrame(again[name]), pd.DataFrame(record.value[name])
        pd.testing.assert_frame_equal(*frames, check_like=True)
