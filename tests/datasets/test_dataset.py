"""The one form of all data sets: what `from_arrays` keeps, what it hashes, and what it refuses."""

from __future__ import annotations

import hashlib

import numpy as np
import pytest
from hypothesis import given
from hypothesis import strategies as st
from networks import rng_of

from modclust_utils import datasets
from modclust_utils.datasets import DataError


def own_arrays(shape: tuple[int, ...] = (28, 28), n_classes: int = 10) -> dict[str, np.ndarray]:
    """Random images, 6 for training and 4 for testing; the last class comes first."""
    rng = rng_of(2)
    arrays = {}
    for part, n in (("train", 6), ("test", 4)):
        arrays[f"x_{part}"] = rng.integers(256, size=(n, *shape), dtype=np.uint8)
        arrays[f"y_{part}"] = np.arange(n_classes - 1, n_classes - 1 - n, -1) % n_classes
    return arrays


def made_of(arrays: dict[str, np.ndarray], **options: object) -> datasets.Dataset:
    parts = [(arrays[f"x_{part}"], arrays[f"y_{part}"]) for part in ("train", "test")]
    return datasets.from_arrays("own", *parts, **options)


@given(
    shape=st.sampled_from([(784,), (5,), (28, 28), (3, 7), (3, 5, 6)]),
    n_classes=st.integers(2, 256),
)
def test_any_shape_and_number_of_classes_is_kept(shape, n_classes):
    arrays = own_arrays(shape, n_classes)
    made = made_of(arrays)
    assert (made.shape, made.n_classes) == (shape, n_classes)
    assert made.class_names == tuple(str(c) for c in range(n_classes))
    for part, n in (("train", 6), ("test", 4)):
        x, y = getattr(made, f"x_{part}"), getattr(made, f"y_{part}")
        assert (x.dtype, y.dtype, x.flags.c_contiguous) == (np.float32, np.int64, True)
        np.testing.assert_array_equal(np.rint(x * 255), arrays[f"x_{part}"].reshape(n, -1))
        np.testing.assert_array_equal(y, arrays[f"y_{part}"])


@pytest.mark.parametrize(("n_channels", "shape"), [(3, (3, 5, 6)), (1, (5, 6))])
def test_channels_first_or_last_are_the_same_data(n_channels, shape):
    first = own_arrays((n_channels, 5, 6))
    last = {name: np.moveaxis(a, 1, -1) if "x" in name else a for name, a in first.items()}
    one, other = made_of(first), made_of(last)
    assert one.shape == other.shape == shape
    np.testing.assert_array_equal(one.x_train, other.x_train)
    np.testing.assert_array_equal(np.rint(one.x_test * 255), first["x_test"].reshape(4, -1))
    assert (one.train_hash, one.test_hash) == (other.train_hash, other.test_hash)


@pytest.mark.parametrize("kind", [np.float16, np.float32, np.float64, ">f8"])
def test_floats_are_taken_as_they_are(kind):
    arrays = own_arrays()
    arrays["x_train"] = (arrays["x_train"] / 255).astype(kind)
    made = made_of(arrays)
    np.testing.assert_array_equal(
        made.x_train, arrays["x_train"].astype(np.float32).reshape(6, 784)
    )
    assert made.x_train.dtype == np.float32


def test_the_hash_is_that_of_the_stored_bytes_and_sees_each_of_them():
    arrays = own_arrays()
    made, images, labels = made_of(arrays), arrays["x_train"], arrays["y_train"]
    by_hand = hashlib.sha256(images.tobytes() + bytes(labels.tolist())).hexdigest()
    assert made.train_hash == datasets.content_hash(images, labels) == by_hand
    assert made.test_hash == datasets.content_hash(arrays["x_test"], arrays["y_test"])
    flat = {**arrays, "x_train": images.reshape(6, 784), "x_test": arrays["x_test"].reshape(4, 784)}
    assert made_of(flat).train_hash == by_hand
    changed = images.copy()
    changed[3, 5, 7] ^= 1
    others = [(changed, labels), (images, (labels + 1) % 10), (images[::-1], labels)]
    assert len({by_hand, *(datasets.content_hash(*other) for other in others)}) == 4


def test_a_data_set_is_a_read_only_copy():
    arrays = own_arrays()
    made = made_of(arrays)
    before = made.x_train.copy()
    for name, array in arrays.items():
        array[:] = 0
        with pytest.raises(ValueError, match="read-only"):
            getattr(made, name)[0] = 0
    np.testing.assert_array_equal(made.x_train, before)
    with pytest.raises(AttributeError):
        made.name = "other"


def test_classes_may_have_names_and_may_be_missing_where_their_number_is_known():
    arrays = own_arrays(n_classes=3)
    assert made_of(arrays, class_names=["cat", "dog", "owl"]).class_names == ("cat", "dog", "owl")
    known = made_of(arrays, n_classes=5)
    assert known.class_names == ("0", "1", "2", "3", "4")
    with pytest.raises(DataError, match="class_names has 2 names; allowed: 3, one for each"):
        made_of(arrays, class_names=["cat", "dog"])
    with pytest.raises(DataError, match="class_names has 4 names; allowed: 3"):
        made_of(arrays, class_names=["cat", "dog", "owl", "elk"])
    with pytest.raises(DataError, match="y_train reaches from 0 to 2; allowed: 0 to 1"):
        made_of(arrays, n_classes=2)


@pytest.mark.parametrize(
    ("name", "change", "message"),
    [
        ("x_train", lambda a: a[:, :27], r"x_test has images of shape \(28, 28\); .*\(27, 28\)"),
        ("x_test", lambda a: a.reshape(4, 784), r"x_test has images of shape \(784,\)"),
        ("x_test", lambda a: a[0, 0, 0], r"shape \(\); allowed: \(n, h, w\), \(n, c, h, w\) or"),
        ("x_test", lambda a: a[:, 0, 0], r"shape \(4,\); allowed"),
        ("x_train", lambda a: a.reshape(6, 2, 14, 28), r"shape \(6, 2, 14, 28\); .*one or three"),
        ("x_train", lambda a: a.reshape(6, 1, 784, 1), "channels may be first or last"),
        ("x_train", lambda a: a.reshape(6, 1, 1, 28, 28), r"shape \(6, 1, 1, 28, 28\); allowed"),
        ("x_train", lambda a: a[:0], "x_train is empty"),
        ("x_test", lambda a: a[:0], "x_test is empty"),
        ("x_test", lambda a: a[:, :0], "x_test is empty"),
        ("x_train", lambda a: a[:5], r"y_train has shape \(6,\); allowed: \(5,\)"),
        ("y_train", lambda a: a[:5], r"y_train has shape \(5,\); allowed: \(6,\)"),
        ("y_train", lambda a: np.eye(10)[a], r"y_train has shape \(6, 10\)"),
        ("x_train", lambda a: a.astype(np.int64), "x_train holds int64; allowed: uint8, or float"),
        ("x_train", lambda a: a > 9, "x_train holds bool"),
        ("x_train", lambda a: a.astype(complex), "x_train holds complex128"),
        ("x_train", lambda a: a.astype(float), r"x_train reaches from 0.0 to 255.0; allowed"),
        ("x_test", lambda a: a / 255 - 0.01, r"x_test reaches from -0.01 to"),
        ("x_test", lambda a: np.where(a == a.max(), np.nan, 0.5), "x_test reaches from nan"),
        ("x_test", lambda a: np.where(a == a.max(), np.inf, 0.5), "x_test reaches from 0.5 to inf"),
        ("x_train", lambda a: a % 2, "x_train holds uint8 up to 1, which would become nearly"),
        ("x_test", lambda a: a // 255, "x_test holds uint8 up to 1"),
        ("x_train", lambda a: np.stack([a[0]] * 6), "x_train holds one image 6 times"),
        ("x_test", lambda a: a * 0.0, "x_test holds one image 4 times"),
        ("y_train", lambda a: a.astype(float), "y_train holds float64; allowed: integers"),
        ("y_train", lambda a: a.astype(str), "y_train holds <U21; allowed: integers"),
        ("y_train", lambda a: a > 4, "y_train holds bool"),
        ("y_train", lambda a: a * 0 + 7, "y_train has one class, 7; allowed: two or more"),
        ("y_train", lambda a: a + 247, "y_train reaches from 251 to 256; allowed: 0 to 255"),
        ("y_test", lambda a: a * 0 + 10, "y_test reaches from 10 to 10; allowed: 0 to 9"),
        ("y_test", lambda a: a * 0 - 1, "y_test reaches from -1 to -1"),
        ("y_test", lambda a: a + 256, "y_test reaches from 262 to 265"),
        ("x_test", lambda a: np.ma.masked_array(a, a > 99), "x_test has masked entries; allowed"),
        ("y_train", lambda a: np.ma.masked_array(a, a == 4), "y_train has masked entries"),
        ("x_train", lambda a: [a[0], a[1, :9]], "x_train is no array .*; allowed: numbers of one"),
    ],
)
def test_malformed_arrays_are_named(name, change, message):
    arrays = own_arrays()
    arrays[name] = change(arrays[name])
    with pytest.raises(DataError, match=rf"^own: .*{message}"):
        made_of(arrays)


@pytest.mark.parametrize(
    ("changes", "message"),
    [
        ({"n_classes": "10"}, "n_classes='10'; allowed: a whole number from 2 to 256"),
        ({"n_classes": 3.0}, r"n_classes=3\.0; allowed"),
        ({"n_classes": 257}, "n_classes=257; allowed"),
        ({"class_names": None}, "class_names=None; allowed: a list of names"),
        ({"class_names": "abc"}, "class_names='abc'; allowed: a list of names"),
        ({"train": None}, r"train is no pair; allowed: \(images, labels\)"),
    ],
)
def test_other_arguments_are_named(changes, message):
    arrays = own_arrays()
    pairs = {part: (arrays[f"x_{part}"], arrays[f"y_{part}"]) for part in ("train", "test")}
    with pytest.raises(DataError, match=f"own: {message}"):
        datasets.from_arrays("own", **{**pairs, **changes})


@pytest.mark.parametrize("label", [-1, 256])
def test_labels_that_would_have_the_hash_of_others_have_none(label):
    with pytest.raises(DataError, match=r"labels reaches from .*; allowed: 0 to 255"):
        datasets.content_hash(np.zeros((2, 3), np.uint8), np.array([label, 0]))


def test_one_test_image_and_one_class_to_test_are_enough():
    arrays = own_arrays()
    arrays |= {"x_test": arrays["x_test"][:1], "y_test": arrays["y_test"][:1]}
    assert len(made_of(arrays).y_test) == 1
