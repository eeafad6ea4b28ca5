"""What tables of several chapters share."""

from __future__ import annotations

import numpy as np
import pandas as pd
import pytest
from small_book import frame_of, make_ncut, make_network, make_partition, make_test

from modclust_utils import tables
from modclust_utils.datasets.papers import paper_table
from modclust_utils.recipes.frames import trace_of


@pytest.mark.parametrize(
    ("ncut", "is_significant"), [(1.9, True), (2.05, False), (2.3, False), (9.0, False)]
)
def test_significant_is_below_all_shuffles(ncut, is_significant):
    tests = frame_of([make_test(make_network(), ncut, [2.0, 2.1, 2.2, 2.3])])
    assert tables.is_significant(tests).tolist() == [is_significant]


def test_significant_with_the_number_of_shuffles_of_the_paper():
    null = np.linspace(2, 3, 320).tolist()
    tests = [make_test(make_network(seed=i), ncut, null) for i, ncut in enumerate((1.9, 2.001))]
    assert tables.is_significant(frame_of(tests)).tolist() == [True, False]


def test_words_of_tables():
    assert tables.condition_name("mnist", True) == "MNIST, with dropout"
    assert tables.condition_name("my_own", False) == "my_own, no dropout"
    assert tables.spread(1.23456, 0.1) == "1.235 ± 0.100"
    # exact interval for 0 of 1: the largest p with 1 - p >= 0.025
    assert tables.share_with_interval(0, 1) == "0.00 [0.00, 0.97]"


def test_range_of_untrained_networks_as_printed():
    assert tables.printed_support(paper_table("filan2020_text")) == (2.3, 2.45)


# One network, one n-cut


def test_tests_follow_one_ncut_of_their_network():
    networks = [make_network(seed=seed) for seed in (0, 1)]
    null = np.array([0.9, 1.1, 1.2])
    tests = frame_of(
        [make_test(network, 1.0, null.tolist()) for network in networks]
        + [make_test(networks[0], 1.0, null.tolist(), phase="before", mode="layer-nonzero")]
        + [make_test(networks[0], 1.0, null.tolist(), n_clusters=7)]
    )
    # in another order than the tests, and of two kinds
    ncuts = frame_of(
        [make_ncut(networks[0], 1.3)]
        + [
            make_partition(network, ncut)
            for network, ncut in zip(networks, (0.8, 1.15), strict=True)
        ]
    )
    found = tables.one_ncut(tests, ncuts)
    assert found["ncut"].tolist() == [0.8, 1.15, 1.3, 1.0]
    assert found["p_value"].tolist() == [1 / 4, 3 / 4, 1.0, 2 / 4]
    z = [(ncut - null.mean()) / null.std() for ncut in (0.8, 1.15, 1.3, 1.0)]
    assert found["z_score"].tolist() == pytest.approx(z)
    # what comes from two records names both, row by row
    assert [record.kind for record in found["ncut_record"]] == [
        *("partition", "partition", "clustering", "shuffle-test"),
    ]
    assert {record.kind for record in trace_of(found[:1]).records} == {"shuffle-test", "partition"}
    assert len(trace_of(found).records) == len(tests) + len(ncuts)
    assert tests["ncut"].tolist() == [1.0] * 4


def test_network_with_two_ncuts_is_refused():
    network = make_network()
    twice = frame_of([make_partition(network, 1.0), make_ncut(network, 1.1, phase="after")])
    with pytest.raises(pd.errors.MergeError):
        tables.one_ncut(frame_of([make_test(network, 1.0, [1.0, 2.0])]), twice)


def test_rows_far_from_their_kind():
    # quartiles 1.1 and 1.2, 5.0 and 5.1: fences 0.8 and 1.5, 4.7 and 5.4
    kinds = {False: [1.0, 1.1, 1.2, 1.1, 5.0], True: [5.0, 5.1, 0.1, 5.0, 5.1]}
    rows = pd.DataFrame([(d, v) for d, each in kinds.items() for v in each], columns=["d", "ncut"])
    rows.index += 3
    assert rows.index[tables.far_out(rows, ["d"])].tolist() == [4 + 3, 7 + 3]
    inside = rows.assign(ncut=[1.0, 1.1, 1.2, 1.1, 1.49, 5.0, 5.1, 4.71, 5.0, 5.1])
    assert not tables.far_out(inside, ["d"]).any()
    assert tables.far_out(rows[:0], ["d"]).tolist() == []
