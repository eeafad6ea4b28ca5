"""Chapter 2 from end to end in a small book: what the page shows, and where it comes from."""

from __future__ import annotations

import inspect
import json
import re
from collections.abc import Iterator

import nbformat
import numpy as np
import pandas as pd
import pytest
from modclust_utils.publish.experiments import PHASES
from small_book import ROOT, copy_book, write_data
from test_chapter_1 import Done, code_cells, strips

from modclust_utils.datasets.papers import printed_p_values
from modclust_utils.nulls import MODES
from modclust_utils.publish import control_prose, experiments, figures, networks, null_prose, plans
from modclust_utils.publish.records import Record, record_key
from modclust_utils.publish.run import check_run, read_runs, run_chapter

SETTINGS = {"batch_size": 100, "pruning_interval": 1}


@pytest.fixture(scope="module")
def done(tmp_path_factory) -> Iterator[Done]:
    """The one real run of this module: six kinds of two networks, a few steps of training each.

    One data set stands for images, the other for random ones; both are also the mixtures.
    """
    book = copy_book(tmp_path_factory.mktemp("chapter") / "book", chapters=(2,))
    images = str(write_data(book / "columns.npz", n_train=400, n_test=80))
    others = str(write_data(book / "others.npz", n_train=200, n_test=80))
    with pytest.MonkeyPatch.context() as patch:
        patch.setenv("MODCLUST_ROOT", str(book))
        patch.delenv("MODCLUST_DATA", raising=False)
        values = check_run(
            2,
            overrides={
                "datasets": [images],
                "random_datasets": [others],
                "memorized_datasets": [others],
                "mixtures": [images, others],
                "dataset_settings": {images: SETTINGS, others: SETTINGS},
                "n_networks": 2,
                "epochs": 1,
                "pruning_epochs": 1,
                "n_shuffles": 3,
                "n_random": 3,
                "device": "cpu",
                "n_jobs": 1,
            },
        )
        info = run_chapter(2, values)
        yield Done(book, values, info, nbformat.read(info.notebook, as_version=4))


@pytest.fixture(scope="module")
def shown(done) -> dict[str, pd.DataFrame]:
    """The data behind every figure and table, by the name of its strip."""
    return {name: data for name, (_, data) in strips(done).items()}


def sentences(done: Done) -> list[str]:
    """What the page says that was computed."""
    texts = []
    for cell in code_cells(done):
        texts += [o.data["text/markdown"] for o in cell.outputs if "text/markdown" in o.data]
    return texts


def network_key(condition: networks.Condition, seed: int) -> str:
    return record_key("network", condition.network_parameters(seed))


def clustering(done: Done, network: str, phase: str) -> Record:
    parameters = experiments.clustering_parameters(network, phase, done.p, 4)
    return done.store.require("clustering", parameters)


def shuffle_test(done: Done, network: str, phase: str, mode: str) -> Record:
    parameters = experiments.test_parameters(network, phase, done.p, 4, mode)
    return done.store.require("shuffle-test", parameters)


# The run


def test_run_used_the_records_that_were_planned(done):
    (info,) = read_runs(2)
    assert info == done.run
    assert info.status["state"] == "done"
    planned = {(kind, record_key(kind, p)) for kind, p in plans.plan(2, done.p)}
    assert {tuple(each) for each in info.status["records"]} == planned
    assert {(path.parent.name, path.stem) for path in done.store} == planned
    # six kinds of two networks; both nulls in both phases for four of them, one for the other
    # eight; n-cuts before pruning for those eight, and after it for the four of the mixtures that
    # are not tested
    kinds = [kind for kind, _ in planned]
    assert {kind: kinds.count(kind) for kind in kinds} == {
        **{"network": 12, "shuffle-test": 4 * 4 + 8, "clustering": 8 + 4, "random-ncuts": 1},
    }


def test_every_cell_ran(done):
    cells = [cell for cell in code_cells(done) if cell.source.strip()]
    assert [cell.execution_count for cell in cells] == list(range(1, len(cells) + 1))
    kinds = {output.output_type for cell in cells for output in cell.outputs}
    assert kinds == {"display_data"}


def test_every_figure_is_drawn(done):
    source = nbformat.read(next((ROOT / "notebooks").glob("02-*.ipynb")), as_version=4)
    promised = [c.metadata.mystnb for c in source.cells if "mystnb" in c.metadata]
    figures = [c for c in code_cells(done) if "figure" in c.metadata.get("mystnb", {})]
    assert [c.metadata.mystnb for c in figures] == promised
    assert len({c.metadata.mystnb.figure.name for c in figures}) == len(figures) == 12
    for cell in figures:
        assert len([o for o in cell.outputs if "image/png" in o.data]) == 1
        assert cell.metadata.mystnb.image.alt.strip()
        assert cell.metadata.mystnb.figure.caption.strip()


def test_every_figure_and_table_has_a_strip_with_data(done):
    found = strips(done)
    # 12 figures; tables of dropout, of controls, of all conditions, each of four, of mixtures and
    # of designs; the verdicts
    assert len(found) == 12 + 1 + 1 + 1 + 4 + 1 + 1 + 1
    for name, (facts, data) in found.items():
        assert re.fullmatch(r"[a-z0-9-]+", name)  # no path of a data file
        assert len(data) > 0
        if name == "p-lattice":  # the paper's alone
            assert "Tables A.4 to A.15" in facts["Source"]
            assert not {"Records", "Parameters", "Computed on"} & facts.keys()
        else:
            assert re.fullmatch(r"(\d+ [a-z-]+(, )?)+", facts["Records"])
            assert "n_networks = 2" in facts["Parameters"]
        assert facts["Made again by"].startswith("modclust run 2 -p datasets ")
    outputs = [o for cell in code_cells(done) for o in cell.outputs]
    tables = [o for o in outputs if o.data.get("text/html", "").startswith('<div class="mc-table')]
    pictures = [o for o in outputs if "image/png" in o.data]
    assert len(tables) + len(pictures) == len(found)


# The numbers


def test_tables_of_networks_hold_their_records(done, shown):
    (images,) = done.p.datasets
    for condition in networks.conditions(done.p, done.p.datasets):
        for phase in PHASES:
            kind = "dropout" if condition.dropout else "plain"
            rows = shown[f"networks-columns-{kind}-{phase}"]
            assert rows["network"].tolist() == [0, 1]
            for seed, row in enumerate(rows.to_dict("records")):
                key = network_key(condition, seed)
                place = row["dataset"], row["dropout"], row["phase"]
                assert place == (images, condition.dropout, phase)
                for mode in MODES:
                    value = shuffle_test(done, key, phase, mode).value
                    null, name = value["null_ncuts"], mode.replace("-", "_")
                    assert row["ncut"] == pytest.approx(value["ncut"], rel=1e-12)
                    assert row[f"p_value_{name}"] == pytest.approx(value["p_value"])
                    assert row[f"null_{name}_mean"] == pytest.approx(np.mean(null))
                    assert row[f"null_{name}_std"] == pytest.approx(np.std(null, ddof=1))


def test_figures_of_networks_show_the_same_numbers(done, shown):
    tables = [data for name, data in shown.items() if name.startswith("networks-")]
    every = pd.concat(tables).set_index(["dropout", "phase", "network"]).sort_index()
    d_values = shown["cohens-d"]
    assert d_values["source"].unique().tolist() == ["ours"]  # none of the paper's data sets
    d_values = d_values.set_index(["dropout", "phase", "network"]).sort_index()
    pd.testing.assert_series_equal(d_values["cohens_d"], every["cohens_d"])
    two = shown["two-nulls"].set_index(["dropout", "network"])["ncut"]
    assert two.to_dict() == every.xs("after", level="phase")["ncut"].to_dict()
    effect = shown["dropout-effect"]
    pd.testing.assert_frame_equal(effect, shown["table-dropout"])
    assert effect["phase"].tolist() == list(PHASES)
    for row in effect.to_dict("records"):
        means = {d: every.loc[d, row["phase"]]["ncut"].mean() for d in (False, True)}
        assert row["difference"] == pytest.approx(means[True] - means[False])
        assert row["low"] < row["difference"] < row["high"]


def test_violins_show_every_shuffle(done, shown):
    for condition in networks.conditions(done.p, done.p.datasets):
        for phase in PHASES:
            rows = shown[f"violins-{phase}-{'dropout' if condition.dropout else 'plain'}"]
            assert len(rows) == 2 * 2 * done.p.n_shuffles
            for seed in (0, 1):
                for mode in MODES:
                    test = shuffle_test(done, network_key(condition, seed), phase, mode)
                    own = rows[(rows["network"] == seed) & (rows["mode"] == mode)]
                    assert own["null_ncut"].tolist() == test.value["null_ncuts"]
                    assert own["ncut"].unique() == pytest.approx([test.value["ncut"]])


def test_controls_hold_their_records(done, shown):
    table = shown["tables-2-to-4"]
    pd.testing.assert_frame_equal(table, shown["training-alone"])
    roles = [
        *networks.conditions(done.p, done.p.random_datasets),
        *networks.conditions(done.p, done.p.memorized_datasets, shuffle=False),
    ]
    assert table["role"].tolist() == ["unlearnable"] * 2 + ["memorization"] * 2
    assert table["ncut_mean"].nunique() == 4
    for condition, row in zip(roles, table.to_dict("records"), strict=True):
        keys = [network_key(condition, seed) for seed in (0, 1)]
        before = [clustering(done, key, "before").value["ncut"] for key in keys]
        tests = [shuffle_test(done, key, "after", "layer").value for key in keys]
        assert (row["dropout"], row["n"]) == (condition.dropout, 2)
        assert row["before_mean"] == pytest.approx(np.mean(before))
        assert row["ncut_mean"] == pytest.approx(np.mean([t["ncut"] for t in tests]))
        assert row["null_mean"] == pytest.approx(np.mean([t["null_ncuts"] for t in tests]))
        assert row["n_sig"] == sum(t["p_value"] == 0.25 for t in tests)
        accuracies = [
            done.store.require("network", condition.network_parameters(seed)).value
            for seed in (0, 1)
        ]
        mean = np.mean([a["train_accuracy_after"] for a in accuracies])
        assert row["train_acc"] == pytest.approx(mean)


def test_mixtures_hold_their_records(done, shown):
    table = shown["mixtures"]
    pd.testing.assert_frame_equal(table, shown["tables-a16-a17"])
    assert (table["n"] > 0).all()  # no row of the paper, which has none of these data
    conditions = networks.conditions(done.p, done.p.mixtures)
    for condition, row in zip(conditions, table.to_dict("records"), strict=True):
        keys = [network_key(condition, seed) for seed in (0, 1)]
        if condition.dataset in done.p.datasets:  # one network has one n-cut
            found = [shuffle_test(done, key, "after", "layer").value["ncut"] for key in keys]
        else:
            found = [clustering(done, key, "after").value["ncut"] for key in keys]
        assert (row["dataset"], row["dropout"]) == (condition.dataset, condition.dropout)
        assert (row["n"], row["ncut_mean"]) == (2, pytest.approx(np.mean(found)))
        assert np.isnan(row["paper_ncut_mean"])


def test_designs_and_lattice(done, shown):
    designs = shown["table-designs"]
    after = designs[designs["phase"] == "after"].reset_index(drop=True)
    pd.testing.assert_frame_equal(after, shown["designs"])
    assert designs["n"].tolist() == [2] * 8
    # with three shuffles, all of which are drawn, the two designs are one
    assert designs["ours_independent"].tolist() == designs["ours_repeated"].tolist()
    for row in designs.to_dict("records"):
        kind = "dropout" if row["dropout"] else "plain"
        tests = shown[f"networks-columns-{kind}-{row['phase']}"]
        p_values = tests[f"p_value_{row['null'].replace('-', '_')}"]
        assert row["ours_independent"] == np.mean(p_values == 0.25)
    simulated = shown["simulated-designs"]
    assert len(simulated) == 2 * 2 * len(PHASES) * len(MODES)
    assert (simulated["below_repeated"] == 10 * simulated["below_independent"]).all()
    assert shown["p-lattice"]["p_value"].tolist() == printed_p_values().tolist()


# The words


def test_sentences_are_those_of_the_tables(done, shown):
    texts = sentences(done)
    assert null_prose.effect_sentences(shown["dropout-effect"]) in texts
    assert null_prose.effect_summary(shown["dropout-effect"]) in texts
    assert control_prose.control_sentences(shown["tables-2-to-4"]) in texts
    assert control_prose.mixture_sentences(shown["mixtures"]) in texts
    fresh = done.store.require("random-ncuts", experiments.random_parameters(done.p)).value
    summary = control_prose.control_summary(shown["tables-2-to-4"], np.array(fresh["ncuts"]))
    assert summary in texts
    assert null_prose.design_sentences(shown["table-designs"]) in texts
    assert null_prose.simulation_sentences(shown["simulated-designs"]) in texts
    networks_shown = [data for name, data in shown.items() if name.startswith("networks-")]
    assert null_prose.topology_sentences(pd.concat(networks_shown)) in texts
    for words in (null_prose.topology_summary, null_prose.outlier_sentences):
        assert words(shown["tables-a4-to-a15"]) in texts
    assert null_prose.d_spread_sentences(shown["tables-a4-to-a15"]) in texts
    assert null_prose.lattice_sentences() in texts


def test_page_names_what_was_not_run(done):
    (text,) = (text for text in sentences(done) if text.startswith("**Not run here:**"))
    assert "MNIST (Tables A.4 to A.15)" in text
    for number in (2, 3, 4):  # random data of ours is not the paper's
        assert f"Table {number} (" in text
    (mixtures,) = re.findall(r"Tables A.16 and A.17: ([^.]*)\.", text)
    assert {"LINES", "MNIST-CIFAR-10-SEP"} < set(mixtures.split(", "))
    assert "`modclust run 2 --profile paper`" in text


def test_badge_leads_to_the_section_that_it_names():
    notebook = nbformat.read(next((ROOT / "notebooks").glob("02-*.ipynb")), as_version=4)
    headings = [c.source.lstrip("# ") for c in notebook.cells if c.source.startswith("### ")]
    anchors = {heading.lower().replace(" ", "-") for heading in headings}
    (link,) = re.findall(r'href="#([^"]+)"', inspect.getsource(figures.badge))
    assert link in anchors


def test_page_shows_no_missing_number(done):
    texts = sentences(done)
    for cell in code_cells(done):
        for output in cell.outputs:
            text = output.data.get("text/html", "")
            if not text.startswith('<details class="mc-strip">'):
                texts.append(re.sub(r"<[^>]+>", " ", text))
    assert len(texts) > 10
    assert not [text for text in texts if re.search(r"\b(nan|None|inf)\b", text)]


def test_only_the_claim_about_the_paper_itself_is_decided(done, shown):
    rows = json.loads((done.run.folder / "verdicts.json").read_text(encoding="utf-8"))
    verdicts = {row["id"]: row["verdict"] for row in rows}
    assert verdicts.pop("B15") == "reproduced"
    assert set(verdicts.values()) == {"not attempted"}
    assert dict(zip(shown["verdicts"]["id"], shown["verdicts"]["verdict"], strict=True)) == (
        verdicts | {"B15": "reproduced"}
    )
