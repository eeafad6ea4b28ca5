"""Chapter 4 from end to end in a small book; of pretrained weights it needs the embedded ones."""

from __future__ import annotations

from collections.abc import Iterator

import numpy as np
import pytest
from finished import Done, check_page, finished, verdicts_of
from small_book import write_bands, write_colours

from modclust_utils.chapters.ch04_specialization import tables
from modclust_utils.partitionings import PARTITIONINGS
from modclust_utils.recipes.set_lesions import agree


@pytest.fixture(scope="module")
def done(tmp_path_factory) -> Iterator[Done]:
    """The one real run of this module."""
    folder = tmp_path_factory.mktemp("chapter")
    bands = str(write_bands(folder / "bands.npz", n_train=400, n_test=60))
    colours = str(write_colours(folder / "colours.npz", n_train=200, n_test=40))
    values = {
        "dataset": bands,
        "halves": bands,
        "colour_dataset": colours,
        "n_networks": 2,
        "vgg_networks": 2,
        "vgg_measured": 1,
        "vgg_width": 1 / 64,
        "vgg_epochs": 1,
        "epochs": 2,
        "cnn_epochs": 1,
        "cnn_channels": 4,
        "n_clusters": 8,
        "other_clusters": [6],
        "n_random": 5,
        "n_lesion_images": 60,
        "n_convolutional_images": 20,
        "n_activation_images": 50,
        "n_steps": 2,
        "shuffle_clusters": 2,
        "n_shuffles": 2,
        "n_spread_shuffles": 2,
        "n_jobs": 1,
    }
    with finished(folder, 4, values) as found:
        yield found


def test_page(done):
    check_page(done, figures=11, tables=8)
    assert verdicts_of(done) == {"not attempted"}


def test_measures_of_every_network_and_partitioning(done):
    found = tables.measures(done.frames["lesions"], done.frames["visualizations"])
    assert set(found["kind"]) == {"mlp on bands", "cnn on bands", "vgg on colours"}
    assert set(found["partitioning"]) <= set(PARTITIONINGS)
    for row in found.itertuples():
        assert len(row.percentiles) == row.n_sets
        # the least and the largest rank among six
        assert np.all((row.percentiles >= 1 / 12) & (row.percentiles <= 11 / 12))


def test_table_sets_ours_beside_the_printed(done):
    assert any("2.13" in text for text in done.outputs("text/html"))


def test_lesion_records_agree_with_themselves_and_no_others(done):
    record = done.frames["lesions"]["record"].iloc[0]
    assert agree(record, record)[0]
    hits = record.arrays["hits"].copy()
    hits[0, 0, 0] += 10
    changed = type(record)(
        record.kind, 1, record.parameters, record.value, arrays={**record.arrays, "hits": hits}
    )
    assert not agree(changed, record)[0]
