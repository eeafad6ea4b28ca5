"""Chapter 1 from end to end in a small book: what the page shows, and where it comes from."""

from __future__ import annotations

import re
from collections.abc import Iterator

import numpy as np
import papermill
import pytest
from finished import Done, check_page, finished, strips, tables_of, verdicts_of
from small_book import copy_book, write_data

from modclust_utils import stats
from modclust_utils.publish import pages, run
from modclust_utils.publish.at_work import private_folder
from modclust_utils.publish.chapters import chapter_notebook
from modclust_utils.publish.verify import Survey, verify


@pytest.fixture(scope="module")
def done(tmp_path_factory) -> Iterator[Done]:
    """The one real run of this module: eight steps of training, two kinds of two networks, for
    another k than the quick profile's."""
    folder = tmp_path_factory.mktemp("chapter")
    images = str(write_data(folder / "columns.npz", n_train=400, n_test=80))
    values = {
        "datasets": [images],
        "dataset_settings": {images: {"batch_size": 100, "pruning_interval": 1}},
        "n_networks": 2,
        "epochs": 1,
        "pruning_epochs": 1,
        "n_clusters": 3,
        "more_clusters": [2],
        "n_shuffles": 3,
        "n_random": 3,
        "n_jobs": 2,
    }
    with finished(folder, 1, values) as found:
        yield found


def test_page(done):
    # seven figures; of training, Table 1, the table for another k, and the verdicts; and networks
    # that stand out, which there may be
    check_page(done, figures=7, tables=5 + ("outliers" in strips(done)))
    assert verdicts_of(done) == {"not attempted"}


def test_page_shows_the_name_of_a_file_and_no_path(done):
    texts = [*done.outputs("text/markdown"), *done.outputs("text/html")]
    own = [text for text in texts if not text.startswith(("<details", '<div class="mc-par'))]
    assert [text for text in own if "columns" in text]
    for text in own:
        assert "columns.npz" not in re.sub(r"<code>.*?</code>", "", text)
    for data in tables_of(done).values():
        assert "columns.npz" not in data.to_csv()


def test_page_knows_its_k(done):
    """What the strips say is what the records were computed with."""
    found = strips(done)
    assert {found[name][0]["Clusters"] for name in ("table-1", "nulls", "random-networks")} == {"3"}
    assert found["table-1"][0]["Records"] == "4 network, 4 partition, 4 shuffle-test"
    assert found["number-of-clusters"][0]["Clusters"] == "2, 3"
    assert found["number-of-clusters"][1]["n_clusters"].tolist() == [2, 2, 3, 3]


def test_data_are_those_of_the_records(done):
    frames, found = done.frames, tables_of(done)
    after = found["n-cut-by-condition"]
    assert after["ncut"].tolist() == frames["partitions"]["ncut"].tolist()
    before = found["n-cut-and-accuracy"].query("phase == 'before'")
    assert before["ncut"].tolist() == frames["before"]["ncut"].tolist()
    accuracies = frames["networks"]["test_accuracy_after"]
    assert after["test_acc"].tolist() == accuracies.tolist()
    assert found["random-networks"]["ncut"].tolist() == frames["fresh"]["ncuts"].iloc[0]
    assert len(found["nulls"]) == 2 * done.p.n_shuffles


def test_main_table_follows_from_partitions_and_shuffles(done):
    frames, table = done.frames, tables_of(done)["table-1"]
    own = frames["partitions"].set_index("network")["ncut"]
    tests = frames["tests"].query("n_clusters == 3")
    z = [stats.z_score(own[test.network], test.null_ncuts) for test in tests.itertuples()]
    assert table["z_mean"].tolist() == pytest.approx([np.mean(z[:2]), np.mean(z[2:])])


def test_one_network_has_one_ncut(done):
    """The drawn network's n-cut in the sentence and in the table is its partition's."""
    drawn = done.frames["partitions"].query("dropout").iloc[0]
    assert f"and its n-cut is {drawn.ncut:.3f}." in "\n".join(done.outputs("text/markdown"))


def test_page_begins_with_what_was_found(done):
    said, table = done.outputs("text/markdown")[0], tables_of(done)["table-1"]
    assert f"**Clusterable:** {table['n_sig'].sum()} of 4 pruned networks" in said
    assert "than all of their 3 shuffles" in said
    assert "printed" not in said  # the paper has no such networks


def test_records_of_parallel_processes_agree_with_this_one(done):
    """They were computed by processes of the kernel; here they are computed without any."""
    path = next(path for path in done.store if path.parent.name == "shuffle-test")
    check = verify(done.store, Survey(done.store).look(path))
    assert check.agrees, check.difference
    assert "3 of 3 the same" in check.difference


def test_page_is_stale_once_its_sources_have_changed(done, monkeypatch):
    assert done.run.is_fresh
    monkeypatch.setattr(run, "source_hash", lambda chapter: "changed")
    assert not done.run.is_fresh
    assert pages.state(done.run) == "stale"


def test_papermill_alone_is_as_safe(tmp_path, monkeypatch):
    book = copy_book(tmp_path / "book")
    monkeypatch.setenv("MODCLUST_ROOT", str(book))
    monkeypatch.chdir(book)
    with private_folder() as folder, pytest.raises(papermill.PapermillExecutionError) as error:
        papermill.execute_notebook(
            str(chapter_notebook(1)),
            str(tmp_path / "out.ipynb"),
            parameters={"n_netwroks": 3, "epochs": 0},
            kernel_name="python3",
            progress_bar=False,
            start_timeout=run.START_TIMEOUT,
            config=run.kernel_config(folder),
        )
    assert error.value.ename == "ParameterError"
    assert "'n_netwroks' is not a parameter" in error.value.evalue
    assert "Did you mean 'n_networks'?" in error.value.evalue
    assert "epochs=0 is not allowed: a whole number from 1 to 10000" in error.value.evalue
    assert not (book / "data" / "cache").exists()
