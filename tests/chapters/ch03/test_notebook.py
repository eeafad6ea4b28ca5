"""Chapter 3 from end to end in a small book: what the page shows, and where it comes from."""

from __future__ import annotations

from collections.abc import Iterator

import numpy as np
import pandas as pd
import pytest
from finished import Done, check_page, finished, strips, tables_of, verdicts_of
from small_book import write_bands

from modclust_utils.chapters.ch03_lesions.tables import EDGE, Studies, edge_set, read_studies
from modclust_utils.datasets.papers import paper_table


@pytest.fixture(scope="module")
def done(tmp_path_factory) -> Iterator[Done]:
    """The one real run of this module: two networks that learn all of it, three clusterings."""
    folder = tmp_path_factory.mktemp("chapter")
    images = str(write_bands(folder / "bands.npz", n_train=300, n_test=100))
    settings = {"batch_size": 10, "pruning_interval": 1, "learning_rate": 0.002}
    values = {
        "dataset": images,
        "dataset_settings": {images: settings},
        "n_networks": 2,
        "epochs": 2,
        "pruning_epochs": 2,
        "dropout_rate": 0.1,
        "n_clusters": 8,
        "n_random_sets": 5,
        "n_random_pairs": 4,
        "n_reclusterings": 1,
        "n_jobs": 1,
    }
    with finished(folder, 3, values) as found:
        yield found


@pytest.fixture(scope="module")
def studies(done) -> Studies:
    return read_studies(done.frames["studies"], done.frames["networks"])


def test_page(done):
    check_page(done, figures=9, tables=8)
    assert verdicts_of(done) == {"not attempted"}


def test_strips_name_the_studies_behind_them(done):
    several = {"edge-stability": 3, "dependency-graph": 3, "verdicts": 3, "kinds": 2, "networks": 2}
    several |= {"coverage": 3, "singles-beside-the-paper": 2, "pairs-beside-the-paper": 2}
    printed = ("table-a18", "table-a19", "dependency-graph-of-the-paper")
    for name, (facts, _) in strips(done).items():
        if name in printed:
            assert facts["Source"].startswith("Filan et al. 2020, Table A.1")
            assert "Records" not in facts
        else:
            assert facts["Records"] == f"{several.get(name, 1)} lesions"


def test_tables_hold_the_numbers_of_the_records(done, studies):
    found = tables_of(done)
    value = studies.reference.record.value
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
    found = tables_of(done)
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


def test_sentences_hold_the_numbers_of_the_records(done, studies):
    text = "\n\n".join(done.outputs("text/markdown"))
    value = studies.reference.record.value
    assert "The first network (bands, with dropout, seed 0) classifies " in text
    assert f"{value['accuracy']:.2%} of its 100 test images" in text
    assert f"Its 8 clusters have an n-cut of {value['ncut']:.3f}" in text
    singles = pd.concat([study.singles for study in studies.networks])
    n_important = (singles["kind"] == "important").sum()
    assert f"{n_important} of the {len(singles)} sub-clusters of 2 networks" in text
    worst = max(row["drop"] for row in value["sub_clusters"])
    assert f" costs {100 * worst:.1f}, where random sets of its size" in text
    edges = f"{len(studies.reference.edges)} of {len(tables_of(done)['table-pairs'])}"
    assert f"in different layers, {edges} " in text
    assert "and 17 of 28 (61%) in the paper's. " in text
    assert f"Of the {sum(len(study.edges) for study in studies.networks)} edges of all our" in text
    assert "On average over all pairs, δ(X, Y) is " in text
    counts = [len(study.edges) for study in studies.networks]
    assert f"the graphs of 2 networks have {min(counts)} to {max(counts)} edges." in text


def test_accuracy_is_that_of_the_network_without_lesion(done):
    networks = done.frames["networks"].set_index("network")["test_accuracy_after"]
    for study in done.frames["studies"].itertuples():
        # both count the same images
        assert study.accuracy == pytest.approx(networks[study.network], abs=1e-6)
        assert np.mean(study.class_accuracies) == pytest.approx(study.accuracy, abs=1e-5)
