"""Data sets made from others: pixel ranges, mixtures, gray images."""

from __future__ import annotations

import numpy as np
import pytest
from hypothesis import given, settings
from hypothesis import strategies as st
from hypothesis.extra import numpy as hnp
from networks import rng_of

from modclust_utils import datasets
from modclust_utils.datasets import DataError


def small_set(
    name: str, labels: list[int], seed: int, note: str = "", **form: object
) -> datasets.Dataset:
    """Random images: with the given labels for training, with the first half for testing."""
    n = len(labels) // 2
    shape = form.pop("shape", (28, 28))
    images = rng_of(seed).integers(256, size=(len(labels) + n, *shape), dtype=np.uint8)
    train, test = (images[n:], np.array(labels)), (images[:n], np.array(labels[:n]))
    return datasets.from_arrays(name, train, test, test_note=note, **{"n_classes": 10, **form})


# --- pixel ranges --------------------------------------------------------------------------------


@pytest.mark.parametrize(("low", "high"), [(0, 255), (-0.5, 0.5), (0.5, 1)])
def test_another_pixel_range_shows_the_same_images(low, high):
    plain = small_set("one", [*range(10)] * 2, 0)
    made = datasets.with_pixel_range(plain, low, high)
    for part in ("train", "test"):
        x = getattr(made, f"x_{part}")
        assert (x.min(), x.max(), x.dtype) == (low, high, np.float32)
        scaled = (x.astype(float) - low) / (high - low)
        np.testing.assert_allclose(scaled, getattr(plain, f"x_{part}"), atol=1e-6)
        np.testing.assert_array_equal(getattr(made, f"y_{part}"), getattr(plain, f"y_{part}"))
        assert not x.flags.writeable
    assert (made.shape, made.class_names) == (plain.shape, plain.class_names)


def test_pixel_ranges_have_hashes_of_their_own():
    plain = small_set("one", [*range(10)] * 2, 0)
    ranges = [(0, 1), (-1, 1), (0, 2), (0.5, 1)]
    made = [plain, *(datasets.with_pixel_range(plain, *each) for each in ranges)]
    assert len({each.train_hash for each in made} | {each.test_hash for each in made}) == 10
    assert datasets.with_pixel_range(plain, 0.0, 1.0).train_hash == made[1].train_hash


@pytest.mark.parametrize(
    ("low", "high"), [(1, 1), (1, 0), (0, np.inf), (np.nan, 1), (-np.inf, 0), (0, np.nan)]
)
def test_a_pixel_range_must_be_one(low, high):
    with pytest.raises(DataError, match=r"low, high = .*allowed: finite numbers, low less than"):
        datasets.with_pixel_range(small_set("one", [*range(10)], 0), low, high)


@pytest.mark.parametrize(("low", "high"), [("0", 1), (None, 1), (0, 1j), (0, True)])
def test_the_ends_of_a_pixel_range_are_numbers(low, high):
    with pytest.raises(DataError, match=r"(low|high) = .*; allowed: a finite number"):
        datasets.with_pixel_range(small_set("one", [*range(10)], 0), low, high)


def test_a_pixel_range_replaces_0_to_1_and_no_other():
    wide = datasets.with_pixel_range(small_set("one", [*range(10)], 0), -0.5, 0.5)
    with pytest.raises(DataError, match=r"one: x_train reaches from -0\.5 .*; allowed: 0 to 1"):
        datasets.with_pixel_range(wide, -0.5, 0.5)


@pytest.mark.parametrize("make", [datasets.lines, datasets.random_images])
def test_images_are_drawn_from_a_generator(make):
    with pytest.raises(DataError, match=r"rng = 0; allowed: a numpy\.random"):
        make(3, 0)


# --- halves --------------------------------------------------------------------------------------


def test_halves_are_two_narrow_images_and_the_sum_of_their_labels():
    plain = small_set("one", [*range(10)] * 3, 0, shape=(3, 8))
    made = datasets.halves(plain, name="both", seed=5)
    for part in ("train", "test"):
        whole = getattr(plain, f"x_{part}").reshape(-1, 3, 8)
        labels = getattr(plain, f"y_{part}")
        both = getattr(made, f"x_{part}").reshape(-1, 3, 8)
        narrow = (whole[:, :, ::2] + whole[:, :, 1::2]) / 2
        np.testing.assert_allclose(both[:, :, :4], narrow, rtol=1e-6)
        partners = []
        for i, right in enumerate(both[:, :, 4:]):
            (partner,) = np.flatnonzero(np.isclose(narrow, right, rtol=1e-6).all((1, 2)))
            assert getattr(made, f"y_{part}")[i] == (labels[i] + labels[partner]) % 10
            partners.append(partner)
        assert len(set(partners)) > len(labels) // 3
    assert (made.name, made.shape, made.n_classes) == ("both", (3, 8), 10)
    assert (made.x_train.dtype, made.y_train.dtype) == (np.float32, np.int64)
    assert not made.x_train.flags.writeable


def test_halves_hang_on_the_images_and_the_seed():
    plain, other = (small_set("one", [*range(10)] * 3, seed) for seed in (0, 1))
    made = [datasets.halves(s, name="b", seed=n) for s, n in ((plain, 0), (plain, 1), (other, 0))]
    hashes = {each.train_hash for each in made} | {each.test_hash for each in made}
    assert len(hashes) == 6
    again = datasets.halves(plain, name="b", seed=0)
    assert rows(again, "train") == rows(made[0], "train") != rows(made[1], "train")
    assert again.train_hash == made[0].train_hash


def test_what_has_no_halves_is_refused():
    with pytest.raises(DataError, match=r"images \(3, 7\); allowed: .* even number of columns"):
        datasets.halves(small_set("one", [0, 1] * 2, 0, shape=(3, 7)), name="both", seed=0)
    with pytest.raises(DataError, match="seed = -1"):
        datasets.halves(small_set("one", [0, 1] * 2, 0), name="both", seed=-1)


def test_halves_of_the_embedded_digits_have_the_hash_that_is_known_without_them():
    made = datasets.load("halves_mnist5k", seed=3)
    assert made.train_hash == datasets.train_hash("halves_mnist5k", seed=3)
    assert made.train_hash != datasets.train_hash("halves_mnist5k", seed=4)
    assert (len(made.x_train), made.shape, made.name) == (4000, (28, 28), "halves_mnist5k")
    # the hash does not see how images are paired: the pairs of a seed stay what they are
    assert made.y_train[:12].tolist() == [3, 6, 1, 7, 2, 3, 6, 5, 0, 6, 4, 5]
    assert made.y_test[:12].tolist() == [2, 1, 1, 5, 9, 3, 1, 0, 0, 7, 6, 0]
    assert datasets.class_names("halves_mnist") == tuple("0123456789")


# --- mixtures ------------------------------------------------------------------------------------


@pytest.fixture(scope="module")
def pair() -> tuple[datasets.Dataset, datasets.Dataset]:
    """Two small sets with every label in both parts; in the second, class 9 comes twice."""
    first = small_set("one", [*range(10)] * 2, 0)
    return first, small_set("two", [*range(10), 9] * 2, 1, "every other image is blurred")


def rows(dataset: datasets.Dataset, part: str) -> list[tuple[bytes, int]]:
    pairs = zip(getattr(dataset, f"x_{part}"), getattr(dataset, f"y_{part}"), strict=True)
    return [(row.tobytes(), label) for row, label in pairs]


LABELS = st.lists(st.integers(0, 9), min_size=2, max_size=30).filter(lambda a: len(set(a)) > 1)


@given(one=LABELS, two=LABELS, separate=st.booleans())
def test_every_image_of_a_mixture_keeps_its_label_and_its_order(one, two, separate):
    parts = small_set("one", one, 0), small_set("two", two, 1)
    expected = {
        part: [
            (row, label)
            for dataset, wanted in zip(parts, (range(5), range(5, 10)), strict=True)
            for row, label in rows(dataset, part)
            if label in wanted or not separate
        ]
        for part in ("train", "test")
    }
    n_low = sum(label < 5 for _, label in expected["test"])
    if separate and n_low in (0, len(expected["test"])):
        with pytest.raises(DataError, match="has no"):
            datasets.mixture(*parts, name="both", separate=True)
        return
    made = datasets.mixture(*parts, name="both", separate=separate)
    assert {part: rows(made, part) for part in expected} == expected
    assert (made.name, made.shape, made.n_classes) == ("both", (28, 28), 10)
    assert (made.x_train.dtype, made.y_train.dtype) == (np.float32, np.int64)


@pytest.mark.parametrize(
    ("separate", "names"),
    [(False, ("0 / cat", "1 / dog", "2", "3 / owl")), (True, ("0", "1", "2", "owl"))],
)
def test_classes_of_a_mixture_are_named_after_their_images(separate, names):
    first = small_set("one", [0, 1, 2, 3] * 2, 0, n_classes=4)
    named = small_set(
        "two", [0, 1, 2, 3] * 2, 1, n_classes=4, class_names=("cat", "dog", "2", "owl")
    )
    made = datasets.mixture(first, named, name="both", separate=separate)
    assert made.class_names == names


def test_halves_are_those_of_the_classes_there_are():
    parts = [small_set("one", [0, 1, 2] * 2, seed, n_classes=3, shape=(3, 4)) for seed in (0, 1)]
    made = datasets.mixture(*parts, name="both", separate=True)
    assert (made.shape, made.n_classes) == ((3, 4), 3)
    assert rows(made, "train") == [
        *(row for row in rows(parts[0], "train") if row[1] == 0),
        *(row for row in rows(parts[1], "train") if row[1] > 0),
    ]


def test_a_mixture_is_known_by_its_parts_their_order_and_its_kind(pair):
    first, second = pair
    other = small_set("other", [*range(10)] * 2, 2)
    made = [
        datasets.mixture(*parts, name="same name", separate=separate)
        for separate in (False, True)
        for parts in ((first, second), (second, first), (first, other), (other, second))
    ]
    hashes = {each.train_hash for each in made} | {each.test_hash for each in made}
    assert len(hashes) == 16
    assert all(len(each) == 64 for each in hashes)
    again = datasets.mixture(first, second, name="another name")
    assert (again.train_hash, again.test_hash) == (made[0].train_hash, made[0].test_hash)


def test_the_note_of_a_mixture_says_which_test_images_it_is_about(pair):
    first, second = pair
    noted = small_set("three", [*range(10)] * 2, 2, "no cats")
    said = "test images come from {}, whose own note says: {}"
    of_noted = said.format("three", "no cats")
    of_second = said.format("two", "every other image is blurred")
    both = datasets.mixture(noted, second, name="both").test_note
    assert both == f"10 of the 21 {of_noted}; 11 of the 21 {of_second}"
    apart = datasets.mixture(noted, second, name="both", separate=True).test_note
    assert apart == f"5 of the 11 {of_noted}; 6 of the 11 {of_second}"
    alone = datasets.mixture(first, second, name="both").test_note
    assert alone == f"11 of the 21 {of_second}"
    assert datasets.mixture(first, first, name="both").test_note == ""


@pytest.mark.parametrize(
    ("labels", "swapped", "message"),
    [
        ([5, 6, 7, 8], False, "both: low has no training image with a label from 0 to 4"),
        ([5, 6, 0, 1], False, "both: low has no test image with a label from 0 to 4"),
        ([0, 1, 2, 4], True, "both: low has no training image with a label from 5 to 9"),
        ([0, 1, 9, 9], True, "both: low has no test image with a label from 5 to 9"),
    ],
)
def test_a_separate_mixture_needs_images_of_both_sets(pair, labels, swapped, message):
    parts = (small_set("low", labels, 3), pair[0])
    with pytest.raises(DataError, match=f"{message}; allowed: one or more"):
        datasets.mixture(*(parts[::-1] if swapped else parts), name="both", separate=True)
    assert len(datasets.mixture(*parts, name="both").y_train) == 24


def test_a_mixture_is_separate_or_not(pair):
    with pytest.raises(DataError, match="two: separate = 'no'; allowed: True or False"):
        datasets.mixture(*pair, name="two", separate="no")


@pytest.mark.parametrize(("which", "at"), [("first", 0), ("second", 1)])
def test_a_mixture_is_made_of_data_sets_not_of_names(pair, which, at):
    parts: list = list(pair)
    parts[at] = "mnist"
    with pytest.raises(DataError, match=f"{which} = 'mnist'; allowed: a Dataset"):
        datasets.mixture(*parts, name="both")


@pytest.mark.parametrize("separate", [False, True])
@pytest.mark.parametrize(
    ("form", "said"),
    [
        ({"shape": (784,)}, r"\(784,\) in 10 classes"),
        ({"n_classes": 11}, r"\(28, 28\) in 11 classes"),
    ],
)
def test_parts_have_one_shape_and_number_of_classes(pair, form, said, separate):
    other = small_set("other", [*range(10)] * 2, 2, **form)
    message = rf"both: first has images \(28, 28\) in 10 classes, second {said}; allowed: one shape"
    with pytest.raises(DataError, match=message):
        datasets.mixture(pair[0], other, name="both", separate=separate)


# --- gray images ---------------------------------------------------------------------------------

COLOURS = hnp.arrays(np.uint8, st.tuples(st.integers(1, 3), *map(st.just, (32, 32, 3))))


@given(images=COLOURS)
@settings(max_examples=15)
def test_gray28_is_what_scikit_image_makes_of_each_image(images):
    from skimage.color import rgb2gray
    from skimage.transform import resize

    plain = [rgb2gray(resize(image, [28, 28], anti_aliasing=True)) for image in images]
    np.testing.assert_allclose(datasets.gray28(images), plain, atol=1e-6)


@pytest.mark.parametrize(
    ("colour", "gray"),
    [((255, 0, 51), 0.2125 + 0.0721 / 5), ((0, 0, 0), 0), ((1, 1, 1), 1 / 255), ((255,) * 3, 1)],
)
def test_gray28_weighs_the_colours_by_luminance_and_stays_within_bounds(colour, gray):
    made = datasets.gray28(np.broadcast_to(np.uint8(colour), (1, 32, 32, 3)))
    np.testing.assert_allclose(made, gray, rtol=1e-6)
    assert made.min() >= 0
    assert made.max() <= 1


def test_gray28_treats_every_image_alone_across_its_batches():
    images = rng_of(0).integers(256, size=(2_003, 32, 32, 3), dtype=np.uint8)
    whole = datasets.gray28(images)
    np.testing.assert_allclose(whole[1_998:], datasets.gray28(images[1_998:]), atol=1e-6)


@pytest.mark.parametrize(
    "images", [np.zeros((2, 28, 28, 3), np.uint8), np.zeros((2, 32, 32, 3)), np.zeros(3, np.uint8)]
)
def test_gray28_refuses_other_images(images):
    with pytest.raises(DataError, match=r"images holds .*allowed: uint8 \(n, 32, 32, 3\)"):
        datasets.gray28(images)
