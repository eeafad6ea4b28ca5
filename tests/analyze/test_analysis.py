"""A network goes in, results and a page come out; the planted modules are found."""

from __future__ import annotations

import html
import json
import re
from types import SimpleNamespace

import numpy as np
import pandas as pd
import pytest
import torch
from own_networks import SIZES, planted, write_images
from torch import nn

import modclust_utils
from modclust_utils.nulls import compared
from modclust_utils.own import tables
from modclust_utils.own.plan import harder_null, make_plan
from modclust_utils.own.questions import Questions
from modclust_utils.own.reading import read_network
from modclust_utils.own.understanding import understand
from modclust_utils.publish import groups
from modclust_utils.publish.analysis import show_understood
from modclust_utils.publish.analysis_page import page_html
from modclust_utils.publish.records import RecordStore, read_record
from modclust_utils.specialization import SetLesions


@pytest.fixture(scope="module")
def place(tmp_path_factory):
    return tmp_path_factory.mktemp("own")


@pytest.fixture(scope="module")
def asked(place):
    network = planted()
    images = write_images(place / "images.npz", network)
    return {
        **{"network": network, "images": images, "name": "mine", "n_clusters": 2},
        **{"n_shuffles": 20, "n_random": 5, "store": RecordStore(place / "cache"), "n_jobs": 1},
    }


@pytest.fixture(scope="module")
def analysis(asked):
    return modclust_utils.analyze(**asked)


def test_planted_modules_are_found(analysis):
    first = analysis.tables["tests"].iloc[0]
    assert (first["null"], first["n_clusters"], first["n_shuffles"]) == ("layer", 2, 20)
    assert first["ncut"] < first["null_mean"] - 0.2
    assert first["p_value"] == pytest.approx(1 / 21)
    units = analysis.tables["sub_clusters"].pivot_table("units", "place", "cluster").to_numpy()
    np.testing.assert_array_equal(units, np.array(SIZES)[:, None] / 2 * [1, 1])
    assert "It is more clusterable than its shuffles" in analysis.summary[1]


def test_batches_of_shuffles_are_one_test(analysis, place):
    records = [read_record(path) for path in (place / "cache" / "records").glob("graph-sh*/*.json")]
    own = [r for r in records if (r.parameters["n_clusters"], r.parameters["mode"]) == (2, "layer")]
    own.sort(key=lambda r: r.parameters["seed"])
    assert [r.parameters["n_shuffles"] for r in own] == [10, 10]
    null = np.concatenate([r.value["null_ncuts"] for r in own])
    test = compared(own[0].value["ncut"], null)
    row = analysis.tables["tests"].iloc[0]
    assert row["z_score"] == pytest.approx(test.z_score)
    assert row["p_value"] == test.p_value


def test_gauge_says_what_survives(analysis):
    gauge = analysis.tables["gauge"].set_index("scaling")
    # none of the shuffles, fewer than for the network as it is given
    assert gauge["p_value"].iloc[1] == pytest.approx(1 / (gauge["n_shuffles"].iloc[1] + 1))
    assert gauge["highest"].iloc[2] > gauge["lowest"].iloc[2]
    assert (gauge["ncut"].iloc[:2] < gauge["null_mean"].iloc[:2]).all()
    assert "with equal norms in and out" in analysis.summary[2]


def test_the_harder_null_keeps_what_there_is_to_keep(analysis):
    """Of a dense network what comes into each unit, of one with zeros their places."""
    assert analysis.tables["tests"]["null"].tolist()[:2] == ["layer", "channel"]
    network = planted()
    for layer in network[::2]:
        layer.weight.data[torch.rand(layer.weight.shape) < 0.8] = 0
    own = read_network(network)
    assert harder_null(understand(own, 2)) == "layer-nonzero"


def test_a_lesion_that_ties_with_a_random_one_costs_no_more(monkeypatch):
    """Both lose two of forty images, of other classes: sums of shares differ by rounding."""
    counts = np.array([30, 10])
    hits = np.array([[29, 7], [28, 8]])
    measured = SetLesions(np.array([29, 9]) / counts, (hits / counts)[None], counts)
    monkeypatch.setattr(tables, "lesions_of", lambda record: measured)
    one = np.array([0])
    found = SimpleNamespace(
        value={"n_sets": 1}, arrays={"layer": one, "label": one, "size": one + 2}
    )
    drawn = SimpleNamespace(
        value={"layers": ["a"], "sizes": [4]}, arrays={"labels": np.array([0, 0, 1, 1])}
    )
    frames = [pd.DataFrame({"record": [each]}) for each in (found, drawn)]
    (row,) = tables.lesions.__wrapped__(*frames).to_dict("records")
    assert row["rank"] == 1.0
    assert row["chance_drop"] == pytest.approx(row["drop"])


def test_lesions_of_a_module_cost_its_classes(analysis):
    table = analysis.tables["lesions"]
    assert len(table) == 4  # two sub-clusters in each hidden layer
    assert (table["units"] == 12).all()
    # each module carries its own classes, and no image is lost with both
    np.testing.assert_allclose(table.groupby("layer")["drop"].sum(), 1, atol=0.05)
    assert "adjusted Rand index" in analysis.notes["active"]


def test_asked_again_nothing_is_computed(asked, analysis, monkeypatch):
    monkeypatch.setattr(groups, "run_group", lambda packet: pytest.fail("computed again"))
    again = modclust_utils.analyze(**asked)
    assert again.results() == analysis.results()


def test_stopped_it_goes_on_where_it_was(asked, analysis, tmp_path, monkeypatch):
    store, run_group, done = RecordStore(tmp_path), groups.run_group, []

    def stopped_at_the_sixth(packet):
        if len(done) == 5:
            raise KeyboardInterrupt
        done.append(packet)
        return run_group(packet)

    monkeypatch.setattr(groups, "run_group", stopped_at_the_sixth)
    with pytest.raises(KeyboardInterrupt):
        modclust_utils.analyze(**{**asked, "store": store})
    kept = len([*store])
    assert kept == 5
    computed = []
    monkeypatch.setattr(groups, "run_group", lambda p: (computed.append(p), run_group(p))[1])
    again = modclust_utils.analyze(**{**asked, "store": store})
    assert len(computed) == len([*store]) - kept
    assert again.summary == analysis.summary


def test_page_needs_nothing_else_and_has_everything(analysis, place):
    page = analysis.write(place / "page")
    text = page.read_text(encoding="utf-8")
    assert text.startswith("<!DOCTYPE html>")
    assert not re.search(r'(src|href)="(?!data:|results\.json|\w+\.csv)', text)
    figures = {"nulls", "gauge", "network", "clusters", "layers", "lesions"}
    assert figures <= set(analysis.figures)
    assert text.count("<figure>") == len(figures)
    assert text.count("How this figure was made") == text.count("<figure>")
    for sentence in (*analysis.summary, *analysis.warnings):
        assert html.escape(sentence) in text
    assert analysis.command == "modclust_utils.analyze(...)"
    found = json.loads((place / "page" / "results.json").read_text(encoding="utf-8"))
    assert found["tests"][0]["ncut"] == pytest.approx(analysis.tables["tests"]["ncut"].iloc[0])
    assert found["top_1"] == 1.0
    csv = pd.read_csv(place / "page" / "layers.csv")
    pd.testing.assert_series_equal(
        csv["inside"], analysis.tables["layers"]["inside"].reset_index(drop=True)
    )


def test_figures_can_be_shown_in_a_notebook(analysis, capsys):
    analysis.show("gauge")
    with pytest.raises(ValueError, match="name='nothing' is not allowed: nulls"):
        analysis.show("nothing")


def test_explain_computes_nothing(place):
    found = modclust_utils.explain(planted(), n_clusters=2)
    assert found.n_units == sum(SIZES)
    assert not found.replay.faults


@pytest.mark.parametrize(
    ("bad", "match"),
    [
        ({"n_clusters": 99}, "n_clusters=99 is not allowed: 2 to 68"),
        ({"n_shuffles": 0}, "n_shuffles=0"),
        ({"partitioning": "both"}, "partitioning='both'"),
        ({"scope": "unit"}, "scope='unit'"),
        ({"partitioning": "activations", "images": None}, "without images"),
        ({"n_jobs": 0}, "n_jobs=0"),
        ({"images": "nowhere"}, "nowhere"),
        ({"prepared": "somehow"}, "prepared='somehow'"),
        ({"seed": -1}, "seed=-1"),
    ],
)
def test_what_cannot_be_asked_is_refused(asked, bad, match):
    with pytest.raises(ValueError, match=match):
        modclust_utils.analyze(**{**asked, **bad})


@pytest.mark.parametrize("scope", ["network", "layer"])
def test_other_partitionings_are_drawn_and_lesioned(asked, scope):
    found = modclust_utils.analyze(**{**asked, "partitioning": "activations", "scope": scope})
    hidden = found.tables["sub_clusters"].query("place in [1, 2]")
    assert hidden["units"].sum() == 48
    assert len(found.tables["lesions"])


def test_what_was_understood_is_shown_in_a_notebook(monkeypatch):
    shown = []
    monkeypatch.setattr("modclust_utils.publish.analysis.display", shown.append)
    monkeypatch.setattr("modclust_utils.publish.show.display", shown.append)
    show_understood(modclust_utils.explain(planted(), n_clusters=2))
    table, text = (each.data for each in shown)
    assert table.count("<tr") == 6  # a header, images, three layers, and what passes on
    assert "style" not in table.split("<table")[0].replace("mc-table", "")
    assert "Replayed against the network's own forward pass" in text


def test_page_that_asks_for_less_leaves_no_table_of_more(asked, analysis, place):
    analysis.write(place / "again")
    assert (place / "again" / "lesions.csv").is_file()
    less = modclust_utils.analyze(**{**asked, "images": None})
    less.write(place / "again")
    assert not (place / "again" / "lesions.csv").exists()
    assert {path.stem for path in (place / "again").glob("*.csv")} == less.tables.keys()


def test_another_seed_shares_no_shuffle_with_the_first():
    found = modclust_utils.explain(planted(), n_clusters=2)
    plans = [make_plan(found, Questions(n_clusters=2, seed=seed)) for seed in (0, 1)]
    first, second = ({job.key for jobs in plan.values() for job in jobs} for plan in plans)
    assert len(first) == len(second)
    assert not first & second


def test_labels_without_logits_for_them_are_not_lesioned(asked, place):
    one = nn.Sequential(*planted()[:-1], nn.Linear(24, 1))
    found = modclust_utils.analyze(**{**asked, "network": one})
    assert "lesions" not in found.tables
    assert "nothing is lesioned" in " ".join(found.warnings)
    assert "Of the images in images" in page_html(found)
