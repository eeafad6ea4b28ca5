"""The shape of samples: tails, modes, values far out."""

from __future__ import annotations

import math

import numpy as np
import pytest

from modclust_utils.samples import far_out, n_modes, skewness


def test_values_far_out():
    # quartiles 2 and 4: the fences are at -4 and 10
    assert far_out([1, 2, 3, 4, 10]).tolist() == [False] * 5
    assert far_out([-5, 2, 3, 4, 4]).tolist() == [True, False, False, False, False]


def test_skewness_has_the_side_of_the_tail():
    assert skewness([0.0] * 9 + [1.0]) == pytest.approx(math.sqrt(10))  # a single one of n
    assert skewness([0.0] * 9 + [-1.0]) == pytest.approx(-math.sqrt(10))
    assert math.isnan(skewness([1.0, 1.0, 1.0]))


def test_modes_of_samples():
    rng = np.random.default_rng(0)
    one = rng.normal(size=320)
    assert n_modes(one) == 1
    assert n_modes(np.append(one[:300], one[:20] + 8)) == 2  # 6 %
    assert n_modes(np.append(one[:310], one[:10] + 8)) == 1  # 3 %
    assert n_modes(np.append(one[:310], one[:10] + 8), least=0.02) == 2
    assert n_modes(np.concatenate([one, one + 8, one + 16])) == 3
    assert n_modes([1.0, 1.0]) == 1


def test_most_normal_samples_have_one_mode():
    rng = np.random.default_rng(1)
    assert np.mean([n_modes(rng.normal(size=320)) > 1 for _ in range(200)]) < 0.02
