"""Images of one's own: folders and arrays, with labels and without."""

from __future__ import annotations

import numpy as np
import pytest
from PIL import Image

from modclust_utils.datasets import DataError
from modclust_utils.own.images import own_images


def write(folder, names=("a", "b"), n=3):
    rng = np.random.default_rng(0)
    for name in names:
        (folder / name).mkdir(parents=True)
        for i in range(n):
            pixels = rng.integers(0, 255, (12, 10, 3), dtype=np.uint8)
            Image.fromarray(pixels).save(folder / name / f"{i}.png")
    return folder


def test_folder_of_classes(tmp_path):
    found = own_images(write(tmp_path / "mine"), (3, 8, 8))
    dataset = found.load()
    assert found.labelled
    assert dataset.class_names == ("a", "b")
    assert dataset.x_train.shape == dataset.x_test.shape == (3, 3 * 8 * 8)
    assert sorted([*dataset.y_train, *dataset.y_test]) == [0, 0, 0, 1, 1, 1]
    gray = own_images(tmp_path / "mine", (1, 8, 8)).load()
    expected = dataset.x_train.reshape(3, 3, 8, 8).mean(1)
    np.testing.assert_allclose(gray.x_train, expected.reshape(3, -1), rtol=1e-5)


def test_folder_without_classes_gives_no_labels(tmp_path):
    found = own_images(write(tmp_path, ["flat"]) / "flat", (3, 8, 8))
    assert not found.labelled
    assert len(found.load().x_train) == 2


def test_folders_that_are_no_classes_of_the_network_give_no_labels(tmp_path):
    assert not own_images(write(tmp_path / "mine"), (3, 8, 8), classes="imagenet").labelled
    known = write(tmp_path / "known", ["n01440764", "n02102040"])
    found = own_images(known, (3, 8, 8), classes="imagenet")
    assert found.labelled
    assert set(found.load().y_test) <= {0, 217}


def test_arrays_in_two_parts_keep_them(tmp_path):
    x = np.random.default_rng(0).integers(0, 255, (9, 4, 4, 3), dtype=np.uint8)
    y = np.arange(9) % 2
    np.savez(tmp_path / "mine.npz", x_train=x[:5], y_train=y[:5], x_test=x[5:], y_test=y[5:])
    dataset = own_images(tmp_path / "mine.npz", (3, 4, 4)).load()
    np.testing.assert_array_equal(dataset.y_test, y[5:])
    np.testing.assert_allclose(
        dataset.x_train.reshape(5, 3, 4, 4), np.moveaxis(x[:5], 3, 1) / 255, rtol=1e-6
    )


def test_images_that_change_meanwhile_are_refused(tmp_path):
    path = tmp_path / "mine.npz"
    np.savez(path, x=np.random.default_rng(0).random((6, 5)))
    found = own_images(path, (5,))
    np.savez(path, x=np.random.default_rng(1).random((6, 5)))
    with pytest.raises(DataError, match="have changed since the analysis began"):
        found.load()


@pytest.mark.parametrize(
    ("arrays", "match"),
    [
        ({"z": np.zeros((4, 5))}, "holds z; allowed: arrays x"),
        ({"x": np.zeros((4, 6))}, r"images of shape \(6,\); allowed: \(5,\)"),
        ({"x": np.full((4, 5), np.nan)}, "NaN or infinity"),
        ({"x": np.zeros((4, 5)), "y": np.zeros(3, int)}, r"allowed: classes from 0 \(4,\)"),
        ({"x": np.zeros((4, 5)), "y": np.zeros(4)}, "y holds float64"),
        ({"x": np.array([["a"] * 5] * 4)}, "x holds"),
        ({"x": np.zeros((1, 5))}, "has 1 images; allowed: two or more"),
    ],
)
def test_arrays_that_do_not_fit_are_refused(tmp_path, arrays, match):
    np.savez(tmp_path / "mine.npz", **arrays)
    with pytest.raises(DataError, match=match):
        own_images(tmp_path / "mine.npz", (5,))


def test_folder_for_a_network_without_images_is_refused(tmp_path):
    with pytest.raises(DataError, match="is a folder, and the network takes"):
        own_images(write(tmp_path / "mine"), (7,))


def test_arrays_that_are_written_anew_are_read_anew(tmp_path):
    path = tmp_path / "mine.npz"
    for value in (0.25, 0.75):
        np.savez(path, x=np.full((6, 5), value))
        assert (own_images(path, (5,)).load().x_train == value).all()


def test_few_of_many_images_are_of_all_classes(tmp_path):
    """Sorted by class, the first ones would all be of the first; in turns, every second one."""
    rng = np.random.default_rng(0)
    for name, y in (("sorted", np.repeat(np.arange(4), 50)), ("turns", np.arange(200) % 2)):
        np.savez(tmp_path / f"{name}.npz", x=rng.random((200, 5)), y=y)
        dataset = own_images(tmp_path / f"{name}.npz", (5,), n_images=20).load()
        for labels in (dataset.y_train, dataset.y_test):
            assert len(labels) == 20
            counts = np.bincount(labels)
            assert counts.min() >= 20 // len(counts) - 1


def test_no_image_is_in_both_parts(tmp_path):
    x = np.arange(21.0)[:, None] * np.ones(5)
    np.savez(tmp_path / "mine.npz", x=x, y=np.arange(21) % 3)
    dataset = own_images(tmp_path / "mine.npz", (5,)).load()
    both = np.concatenate([dataset.x_train[:, 0], dataset.x_test[:, 0]])
    np.testing.assert_array_equal(np.sort(both), np.arange(21))


@pytest.mark.parametrize(
    ("changed", "match"),
    [
        ({"y_test": None}, "only one of y_train and y_test"),
        ({"y_train": None}, "only one of y_train and y_test"),
        ({"x_test": np.zeros((4, 5), np.uint8)}, "x_train holds float64"),
        ({"x_test": np.zeros((4, 6))}, "allowed: two parts of one kind"),
        ({"y_train": np.arange(3) % 2, "y_test": np.arange(5) % 2}, "y_train holds 3 classes; all"),
        ({"x_train": np.float64(1)}, "allowed: two parts of one kind"),
        ({"y_train": np.int64(1), "y_test": np.int64(1)}, "allowed: two parts of one kind"),
    ],
)
def test_parts_that_do_not_fit_each_other_are_refused(tmp_path, changed, match):
    arrays = {f"x_{part}": np.zeros((4, 5)) for part in ("train", "test")}
    arrays |= {f"y_{part}": np.arange(4) % 2 for part in ("train", "test")}
    kept = {name: array for name, array in (arrays | changed).items() if array is not None}
    np.savez(tmp_path / "mine.npz", **kept)
    with pytest.raises(DataError, match=match):
        own_images(tmp_path / "mine.npz", (5,))


def test_pixels_to_255_beside_wider_integers_are_refused(tmp_path):
    """As one array they would all count as the wider kind, which is not divided by 255."""
    wide = np.arange(20).reshape(4, 5)
    np.savez(tmp_path / "mine.npz", x_train=wide.astype(np.uint8), x_test=wide.astype(np.uint16))
    with pytest.raises(DataError, match="x_train holds uint8"):
        own_images(tmp_path / "mine.npz", (5,))


def test_images_say_what_they_are_and_why_nothing_is_lesioned(tmp_path):
    write(tmp_path / "mine")
    said = own_images(tmp_path / "mine", (3, 8, 8)).words
    assert "3 are for clustering by activations and 3 others for lesions" in said
    assert "Classes: 0 = a, 1 = b." in said
    said = own_images(tmp_path / "mine", (3, 8, 8), classes="imagenet").words
    assert "their folders are no classes of imagenet (0 = a, 1 = b)" in said
    np.savez(tmp_path / "labelled.npz", x=np.ones((4, 5)), y=np.arange(4))
    assert own_images(tmp_path / "labelled.npz", (5,)).words.endswith("Classes: 0 to 3.")
    np.savez(tmp_path / "mine.npz", x=np.ones((4, 5)))
    assert (
        "Nothing is lesioned, since there are no labels."
        in own_images(tmp_path / "mine.npz", (5,)).words
    )


def test_folder_for_a_network_that_takes_pixels_in_a_row(tmp_path):
    flat = own_images(write(tmp_path / "mine"), (64,)).load()
    gray = own_images(tmp_path / "mine", (1, 8, 8)).load()
    np.testing.assert_array_equal(flat.x_train, gray.x_train)
    assert own_images(tmp_path / "mine", (3 * 64,)).load().x_train.shape == (3, 3 * 64)
