"""Images made from a seed: their form, that they are uniform, and what they depend on."""

from __future__ import annotations

import numpy as np
import pytest
from hypothesis import given, settings
from hypothesis import strategies as st
from networks import global_random_state_untouched, rng_of
from scipy.stats import chisquare

from modclust_utils.datasets import DataError, lines, random_images
from modclust_utils.datasets.generated import generate

SEEDS = st.integers(0, 2**32)
RARE = 0.001  # a check of uniformity fails for one seed in a thousand; the seeds here are fixed


@given(n=st.integers(1, 30), seed=SEEDS)
def test_lines_are_distinct_white_columns_that_the_label_counts(n, seed):
    images, labels = lines(n, rng_of(seed))
    assert set(np.unique(images)) <= {0, 255}
    assert (images == images[:, :1, :]).all()
    white = (images[:, 0, :] == 255).sum(axis=1)
    np.testing.assert_array_equal(white, labels + 1)


def test_lines_are_uniform_in_count_and_place():
    images, labels = lines(20_000, rng_of(1))
    assert chisquare(np.bincount(labels, minlength=10)).pvalue > RARE
    for label in (0, 9):
        columns = (images[labels == label, 0, :] == 255).sum(axis=0)
        share = columns / (labels == label).sum()
        spread = np.sqrt((label + 1) / 28 * (27 - label) / 28 / (labels == label).sum())
        np.testing.assert_allclose(share, (label + 1) / 28, atol=4.5 * spread)


def test_random_images_are_uniform():
    images, labels = random_images(5_000, rng_of(2))
    assert chisquare(np.bincount(images.ravel(), minlength=256)).pvalue > RARE
    assert chisquare(np.bincount(labels, minlength=10)).pvalue > RARE
    # Pixels that know nothing of the label: the class means differ by chance only.
    means = np.array([images[labels == label].mean() for label in range(10)])
    spread = 256 / np.sqrt(12) / np.sqrt(784 * np.bincount(labels))
    assert (np.abs(means - 127.5) < 4 * spread).all()


@pytest.mark.parametrize("make", [lines, random_images])
@given(n=st.integers(1, 40), seed=SEEDS)
@settings(max_examples=20)
def test_images_have_the_promised_form_and_follow_the_generator_alone(make, n, seed):
    with global_random_state_untouched():
        images, labels = make(n, rng_of(seed))
    assert images.shape == (n, 28, 28)
    assert labels.shape == (n,)
    assert images.dtype == labels.dtype == np.uint8
    assert labels.max() < 10
    again, labels_again = make(n, rng_of(seed))
    np.testing.assert_array_equal(images, again)
    np.testing.assert_array_equal(labels, labels_again)
    assert not np.array_equal(make(40, rng_of(seed))[0], make(40, rng_of(seed + 1))[0])


@pytest.mark.parametrize("make", [lines, random_images])
def test_training_and_test_part_of_a_seed_are_different_draws(make):
    (x_train, y_train), (x_test, y_test) = generate(make, (50, 50), 3)
    assert not np.array_equal(x_train, x_test)
    assert not np.array_equal(y_train, y_test)


@pytest.mark.parametrize("make", [lines, random_images])
@pytest.mark.parametrize("n", [0, -2, 2.0, True])
def test_the_number_of_images_must_be_positive(make, n):
    with pytest.raises(DataError, match=r"n = .*allowed: a whole number from 1 up"):
        make(n, rng_of(0))
