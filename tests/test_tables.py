"""What tables of several chapters share."""

from __future__ import annotations

import numpy as np
import pytest
from small_book import frame_of, make_network, make_test

from modclust_utils import tables
from modclust_utils.datasets.papers import paper_table


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
