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
from finished import Done, check_page, finished, strips, tables_of
from printed_p_values import printed_p_values
from small_book import write_data

from modclust_utils import stats
from modclust_utils.nulls import MODES
from modclust_utils.publish import show
from modclust_utils.publish.chapters import chapter_notebook
from modclust_utils.recipes.network import PHASES

KINDS = {False: "plain", True: "dropout"}


@pytest.fixture(scope="module")
def done(tmp_path_factory) -> Iterator[Done]:
    """The one real run of this module: six kinds of two networks, a few steps of training each.

    One data set stands for images, the other for random ones; both are also the mixtures.
    """
    folder = tmp_path_factory.mktemp("chapter")
    images = str(write_data(folder / "columns.npz", n_train=400, n_test=80))
    others = str(write_data(folder / "others.npz", n_train=200, n_test=80))
    settings = {"batch_size": 100, "pruning_interval": 1}
    values = {
        "datasets": [images],
        "random_datasets": [others],
        "memorized_datasets": [others],
        "mixtures": [images, others],
        "dataset_settings": {images: settings, others: settings},
        "n_networks": 2,
        "epochs": 1,
        "pruning_epochs": 1,
        "n_clusters": 3,
        "n_shuffles": 3,
        "n_random": 3,
        "n_jobs": 1,
    }
    with finished(folder, 2, values) as found:
        yield found


@pytest.fixture(scope="module")
def frames(done) -> dict[str, pd.DataFrame]:
    return done.frames


@pytest.fixture(scope="module")
def shown(done) -> dict[str, pd.DataFrame]:
    """The data behind every figure and table, by the name of its strip."""
    return tables_of(done)


def test_page(done):
    # 12 figures; tables of dropout, of controls, of all conditions, of each of four, of mixtures
    # and of designs; the verdicts, and what was not run
    check_page(done, figures=12, tables=3 + 4 + 2 + 2)


def test_strips_know_their_k_and_seeds(done):
    """The networks' own seeds, 0 and 1; the paper's p-values have neither."""
    for name, (facts, _) in strips(done).items():
        assert re.fullmatch(r"[a-z0-9-]+", name)  # no path of a data file
        if name == "p-lattice":
            assert facts["Source"] == "Filan et al. 2020, Tables A.4 to A.15 (data/papers)"
            assert "Records" not in facts
        else:
            assert facts["Clusters"] == "3"
        if name.startswith(("networks-", "violins-", "two-nulls", "cohens-d", "mixtures")):
            assert facts["Seeds"] == "0, 1"


def test_a_network_of_two_roles_is_computed_once(frames):
    """Networks of random data and of memorization differ in the order of their images alone; those
    of a mixture that are tested as images, too, have the same n-cut there."""
    keys = {name: set(frames[name]["network"]) for name in ("networks", "controls", "mixed")}
    assert {name: len(each) for name, each in keys.items()} == {
        **{"networks": 4, "controls": 8, "mixed": 8},
    }
    assert keys["networks"] < keys["mixed"]
    assert keys["controls"] & keys["mixed"] == keys["mixed"] - keys["networks"]
    kinds = frames["mixed_ncuts"]["record"].map(lambda record: record.kind)
    assert kinds.tolist() == ["partition"] * 4 + ["clustering"] * 4


# The numbers


def test_tables_of_networks_hold_their_records(frames, shown):
    """Both nulls of a network are compared with its one n-cut."""
    tests = frames["tests"].set_index(["dropout", "phase", "seed", "mode"])
    ncuts = frames["ncuts"].set_index(["dropout", "phase", "seed"])["ncut"]
    for dropout, kind in KINDS.items():
        for phase in PHASES:
            rows = shown[f"networks-columns-{kind}-{phase}"]
            assert sorted(rows["network"]) == [0, 1]
            assert rows["ncut"].is_monotonic_increasing
            assert set(rows["dataset"]) == {"columns"}
            for row in rows.to_dict("records"):
                own = ncuts[dropout, phase, row["network"]]
                assert row["ncut"] == pytest.approx(own, rel=1e-12)
                for mode in MODES:
                    test = tests.loc[dropout, phase, row["network"], mode]
                    null, name = test["null_ncuts"], mode.replace("-", "_")
                    p_value = stats.empirical_p_value(own, null, tail="lower")
                    assert row[f"p_value_{name}"] == pytest.approx(p_value)
                    assert row[f"null_{name}_mean"] == pytest.approx(np.mean(null))
                    assert row[f"null_{name}_std"] == pytest.approx(np.std(null, ddof=1))


def test_figures_of_networks_show_the_same_numbers(shown):
    parts = [data for name, data in shown.items() if name.startswith("networks-")]
    place = ["dropout", "phase", "network"]
    every = pd.concat(parts).set_index(place).sort_index()
    d_values = shown["cohens-d"]
    assert d_values["source"].unique().tolist() == ["ours"]  # none of the paper's data sets
    d_values = d_values.set_index(place).sort_index()
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


def test_violins_show_every_shuffle(frames, shown):
    for test in frames["tests"].itertuples():
        rows = shown[f"violins-{test.phase}-{KINDS[test.dropout]}"]
        own = rows[(rows["network"] == test.seed) & (rows["mode"] == test.mode)]
        assert own["null_ncut"].tolist() == test.null_ncuts
    for name, rows in shown.items():
        if name.startswith("violins-"):
            assert len(rows) == 2 * 2 * 3
            phase, kind = name.split("-")[1:]
            ncuts = shown[f"networks-columns-{kind}-{phase}"].set_index("network")["ncut"]
            assert rows.groupby("network")["ncut"].unique().map(list).to_dict() == {
                network: [ncut] for network, ncut in ncuts.items()
            }


def test_controls_hold_their_records(frames, shown):
    table = shown["tables-2-to-4"]
    pd.testing.assert_frame_equal(table, shown["training-alone"])
    assert table["role"].tolist() == ["unlearnable"] * 2 + ["memorization"] * 2
    assert table["ncut_mean"].nunique() == 4
    kind = ["role", "dropout"]
    for row in table.to_dict("records"):
        networks, before, tests = (
            frames[name].set_index(kind).sort_index().loc[(row["role"], row["dropout"])]
            for name in ("controls", "control_before", "control_tests")
        )
        assert (row["n"], row["n_sig"]) == (2, (tests["p_value"] == 0.25).sum())
        assert row["before_mean"] == pytest.approx(before["ncut"].mean())
        assert row["ncut_mean"] == pytest.approx(tests["ncut"].mean())
        assert row["null_mean"] == pytest.approx(np.mean(tests["null_ncuts"].tolist()))
        assert row["train_acc"] == pytest.approx(networks["train_accuracy_after"].mean())


def test_mixtures_hold_their_records(frames, shown):
    table = shown["mixtures"]
    pd.testing.assert_frame_equal(table, shown["tables-a16-a17"])
    assert table["paper_ncut_mean"].isna().all()  # it has none of these data
    assert table["n"].tolist() == [2] * 4  # and has no row here
    means = frames["mixed_ncuts"].groupby(["dataset", "dropout"], sort=False)["ncut"].mean()
    assert list(zip(table["dataset"], table["dropout"], strict=True)) == means.index.tolist()
    assert table["ncut_mean"].tolist() == pytest.approx(means.tolist())


def test_designs_and_lattice(shown):
    designs = shown["table-designs"]
    after = designs[designs["phase"] == "after"].reset_index(drop=True)
    pd.testing.assert_frame_equal(after, shown["designs"])
    assert designs["n"].tolist() == [2] * 8
    # with three shuffles, all of which are drawn, the two designs are one
    assert designs["ours_independent"].tolist() == designs["ours_repeated"].tolist()
    for row in designs.to_dict("records"):
        tests = shown[f"networks-columns-{KINDS[row['dropout']]}-{row['phase']}"]
        p_values = tests[f"p_value_{row['null'].replace('-', '_')}"]
        assert row["ours_independent"] == np.mean(p_values == 0.25)
    simulated = shown["simulated-designs"]
    assert len(simulated) == 2 * 2 * len(PHASES) * len(MODES)
    assert (simulated["below_repeated"] == 10 * simulated["below_independent"]).all()
    assert shown["p-lattice"]["p_value"].tolist() == printed_p_values().tolist()


# The words


def test_sentences_are_those_of_the_tables(done, frames, shown):
    said = "\n".join(done.outputs("text/markdown"))
    below = (shown["dropout-effect"]["high"] < 0).sum()
    assert f"(95 % interval of the difference below 0) in {below} of 2 comparisons here." in said
    fresh, table = frames["fresh"]["ncuts"].iloc[0], shown["tables-2-to-4"]
    untrained = (np.mean(fresh), np.std(fresh, ddof=1), len(fresh))
    ends = [
        stats.welch_interval(row.before_mean, row.before_std, row.n, *untrained)
        for row in table.itertuples()
    ]
    below = sum(high < 0 for _, high in ends)
    assert f"freshly initialized ones in {below} of 4 kinds of network" in said
    after = shown["tables-a4-to-a15"].query("phase == 'after'").groupby("dropout")
    ends = [stats.mean_interval(d) for _, d in after["cohens_d"]]
    above = sum(low > 0 for low, _ in ends)
    less = sum(high < 0 for _, high in ends)
    assert f"(95 % interval of the mean of d) in {above} of 2, and less in {less}." in said
    assert "240 of 240 printed ones have the form (10 m + 1) / 321" in said
    assert "**Mixtures**" not in said  # there is none with both of its parts


def test_page_names_what_was_not_run(done, shown):
    table = shown["coverage"].set_index("item")
    assert table.loc["Table A.4", ["n_printed", "n_beside", "n_ours"]].tolist() == [60, 0, 0]
    assert table["n_beside"].sum() == 0  # none of the paper's data
    assert "`modclust run 2 --profile paper`" in "\n".join(done.outputs("text/markdown"))


def test_badge_leads_to_the_section_that_it_names():
    notebook = nbformat.read(chapter_notebook(2), as_version=4)
    titled = [cell.source for cell in notebook.cells if cell.source.startswith("### ")]
    headings = [source.splitlines()[0].lstrip("# ") for source in titled]
    anchors = {heading.lower().replace(" ", "-") for heading in headings}
    (link,) = re.findall(r'href="#([^"]+)"', inspect.getsource(show.badge))
    assert link in anchors


def test_no_claim_is_decided_from_other_data(done, shown):
    rows = json.loads((done.run.folder / "verdicts.json").read_text(encoding="utf-8"))
    verdicts = {row["id"]: row["verdict"] for row in rows}
    assert set(verdicts.values()) == {"not attempted"}
    assert dict(zip(shown["verdicts"]["id"], shown["verdicts"]["verdict"], strict=True)) == verdicts
