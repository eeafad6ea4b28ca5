"""`load` and what is known without it: names, seeds, folders, files of one's own."""

from __future__ import annotations

import gc
import io
import math
from pathlib import Path

import numpy as np
import pytest
from hypothesis import given, settings
from hypothesis import strategies as st
from networks import rng_of

from modclust_utils import datasets
from modclust_utils.datasets import DataError
from modclust_utils.datasets.registry import ROWS
from modclust_utils.paths import root

#: Hashes that key published records: no change of the code may change one. The generated sets and
#: their mixtures are made from seed 0.
TRAIN_HASHES = {
    "mnist5k": "c21c2d413bb72f6b8ea9b399749a873cd22a82ee3f5b976d84d8fab3c63da4ad",
    "mnist": "edc0d1098aa497be14ace79ddd5171e5a3dcf9c4d196c015389203eb3ba1f59b",
    "fashion_mnist": "16d82e2b505296aa2b78bd5ea0992634f30419a4c97def7c907d154a35ac6157",
    "cifar10": "f912919bdea371136f1aa4feed6beeca728015a5f08b1899a29c932a7e30be2b",
    "cifar10_colour": "f912919bdea371136f1aa4feed6beeca728015a5f08b1899a29c932a7e30be2b",
    "imagenette": "718f9676f13ae99ef9663eb39fec413af5f104f09a90e73c4f8a8a02848c92bb",
    "lines": "636c9b68e1e3b7b7574fd0c15b7e0b907446e1312a9d3dfe4065d619bd806f4b",
    "random": "35c007ec76e430d6285da88b431d3cad557bf6240e9614f99d0404eaee061fde",
    "lines4k": "7a279b3862ca05ac7aa95c94ec2968cf8d2bfc43f877ee09695575ee344c7d60",
    "random4k": "4807a1f81f07f8b57250326ce327e312edbca5fcb3a9023c805bb3e947daeb85",
    "random200": "51437924ee6a19396b7070f5777563a2ea0d5f5da20faa71ac600da8395d0550",
    "random3k": "5268be16a6f22b03bdf2c84bea672af63711e315aab0efdd57c587ed600ddbe2",
    "random3k_255": "4b1cdcf6e175a9a6773b905e8c32d03b6d99214ea882261e7318672d13e2cabd",
    "random3k_centred": "94a57813e35b11ff8c30731df3ef1c2ee1c482f12b1cebf6dbc5e76513c0ba0f",
    "halves_mnist": "aac7640ffd37561643452c0f2ef92a3df1245625261df20b957da981a272631c",
    "halves_mnist5k": "c27b0b8a1dc919b0fe1d9c57fdb6fd39c36567762e601d6713f1bf561386840f",
    "lines_mnist": "6cd2ff3fe772c5794ff016452758a0d113f436178d66e5f239020b2b36d2a12c",
    "lines_cifar10": "cb4d68ab63f68485a73524ee5147f1374893453721ccd6b50baa374ccdb35745",
    "mnist_cifar10": "2cfd105d9b228486ce93e0f2d107737066b50bc61176a71160f57f5602442fd9",
    "lines_mnist_sep": "ce8245da2674847c031d6a4d6bdd7542b8353201c5e1218ac460e8bd50820a25",
    "lines_cifar10_sep": "3a951d9b51977b6c9fc7ed9b47692fd2de8c12c03e73ec216e1c54b4c638672a",
    "mnist_cifar10_sep": "25b826f5ce758e5463d4e3b02615e64db99afe63cba1dd8fb10972e3592aec3c",
    "lines4k_mnist5k": "535c411118d4e83f959402aa6a9699aa237c6cd791372d573d3671d9658c1c72",
    "lines4k_mnist5k_sep": "359cdec539ce9d7a3e4237707a14f32e1d48078b15b4c1478e25362ac40167d5",
}
TEST_HASHES = {
    "mnist5k": "4baef95eca5201097715d0896175787cd8faa3f6babee5d2630eb3aa90070698",
    "lines": "49551ae27339704faf0577ab0990f4e3e4af16204a8dabe80f810f8299d0738d",
    "random": "ef74dcd3a2a3774fe6c1a07463fa4f27b5afa572f3ffa5690a6dacfcf4d1abe6",
    "lines4k": "374e94f6f645eb417b622feb811ae46638de5a7c879602cd5ecd8b22b00c027b",
    "random4k": "209cb913acee464fcb484751a9cb742547cf92052d705285a5f5502d0ab11e64",
    "random200": "209cb913acee464fcb484751a9cb742547cf92052d705285a5f5502d0ab11e64",
    "random3k": "ef74dcd3a2a3774fe6c1a07463fa4f27b5afa572f3ffa5690a6dacfcf4d1abe6",
    "random3k_255": "1fa0c59f5e9f6c3c6c50ed35643116399e52aeb94c15bfd0437cb92b1c051271",
    "random3k_centred": "3cb47d6ee705395a14856cdc86fbe00d69d4b7320372c65c24e5ed458eeb9335",
    "halves_mnist5k": "2a59d20e59e7506a390f2279057249e954e7e1067b03daa9cc9be7109cda1843",
    "lines4k_mnist5k": "1e93e9671e84ae876a486f3af991e092099d9b2cd7acec3126c116aae788299c",
    "lines4k_mnist5k_sep": "100ed657d43d3b072770cbf94f22ade3e07ffac37f0f846e342aad03298802bf",
}
OF_SEED_5 = {
    "lines4k": "57b8188aeaa890c9af56a477e352af54c67c652f3d90910d22d172696976ff84",
    "random200": "c6d63dce14120829e6a600e18800a72a4a6bf23213d81c37893a14f9cf1bbf7c",
    "random3k_centred": "10787d87ff3aa39f126e3a2b2eaf8f642e847821f45882dcb258963e08f7c12d",
    "halves_mnist5k": "fbc74670185b45958c776ecc0261f164db10aa083f759de2b1aab4405b65d6b0",
    "lines_cifar10": "cb2fb43cae959e03ac00fb8899e399249c4ace469c8998be96b7f26d86fdd28c",
    "lines4k_mnist5k_sep": "266d9ef4bce735a5ea3a7a533304f6caab148eaf7b50bcd753e62aaf14f1cf16",
}


def test_train_hashes_never_change():
    assert {name: datasets.train_hash(name) for name in datasets.NAMES} == TRAIN_HASHES
    assert {name: datasets.train_hash(name, seed=5) for name in OF_SEED_5} == OF_SEED_5


@pytest.mark.parametrize("name", TEST_HASHES)
def test_what_is_loaded_has_these_hashes_and_fits_its_row(name):
    made = datasets.load(name, folder="/does/not/exist", download=False)
    assert (made.train_hash, made.test_hash) == (TRAIN_HASHES[name], TEST_HASHES[name])
    row = ROWS[name]
    assert (made.name, made.shape, made.class_names) == (name, row.shape, row.class_names)
    assert datasets.dimensions(name) == (made.x_train.shape[1], made.n_classes)
    assert datasets.class_names(name) == made.class_names
    low, high = row.pixel_range or (0, 1)
    for part, n in zip(("train", "test"), row.sizes, strict=True):
        x, y = getattr(made, f"x_{part}"), getattr(made, f"y_{part}")
        assert (x.min(), x.max(), y.min(), y.max()) == (low, high, 0, 9)
        assert len(x) == len(y) == n or not row.make


def test_a_generated_set_is_made_from_two_streams_of_the_seed():
    made = datasets.load("lines4k", seed=5)
    for part, stream in zip(("train", "test"), rng_of(5).spawn(2), strict=True):
        x, y = getattr(made, f"x_{part}"), getattr(made, f"y_{part}")
        images, labels = datasets.lines(len(y), stream)
        np.testing.assert_array_equal(np.rint(x * 255), images.reshape(len(y), -1))
        np.testing.assert_array_equal(y, labels)


def test_the_quick_mixtures_are_made_from_the_seed_and_embedded_digits():
    parts = datasets.load("lines4k", seed=3), datasets.load("mnist5k")
    for name, separate in (("lines4k_mnist5k", False), ("lines4k_mnist5k_sep", True)):
        made = datasets.load(name, seed=3)
        expected = datasets.mixture(*parts, name=name, separate=separate)
        np.testing.assert_array_equal(made.x_train, expected.x_train)
        np.testing.assert_array_equal(made.y_test, expected.y_test)
        assert made.train_hash == expected.train_hash == datasets.train_hash(name, seed=3)


@pytest.mark.parametrize("ask", [datasets.load, datasets.train_hash])
@pytest.mark.parametrize("name", ["lines4k", "lines4k_mnist5k"])
@pytest.mark.parametrize("seed", [-1, 1.5, 1.0, True, "3", None])
def test_a_seed_must_be_a_whole_number_from_zero(ask, name, seed):
    datasets.train_hash("lines4k", seed=1)  # what is known of 1 must not be told of True
    with pytest.raises(DataError, match=r"seed = .*allowed: a whole number from 0 up"):
        ask(name, seed=seed)


def test_the_folder_comes_from_the_environment_else_it_is_the_book_s(monkeypatch, tmp_path):
    """Downloads go to the book, wherever a user stands; a named folder is meant from there."""
    monkeypatch.chdir(tmp_path)
    monkeypatch.delenv("MODCLUST_DATA", raising=False)
    assert datasets.default_folder() == root() / "data" / "downloads"
    for name in (str(tmp_path / "mine"), "mine"):
        monkeypatch.setenv("MODCLUST_DATA", name)
        assert datasets.default_folder() == tmp_path / "mine"
    monkeypatch.setenv("MODCLUST_DATA", "")
    assert datasets.default_folder() == root() / "data" / "downloads"


# --- files of one's own --------------------------------------------------------------------------


def own_arrays(shape: tuple[int, ...] = (28, 28)) -> dict[str, np.ndarray]:
    rng = rng_of(2)
    arrays = {}
    for part, n in (("train", 6), ("test", 4)):
        arrays[f"x_{part}"] = rng.integers(256, size=(n, *shape), dtype=np.uint8)
        arrays[f"y_{part}"] = np.arange(n, dtype=np.uint8)
    return arrays


def test_a_file_of_ones_own_is_loaded_by_its_path_and_named_without_it(tmp_path):
    arrays, path = own_arrays(), tmp_path / "my own.npz"
    np.savez_compressed(path, **arrays)
    made = datasets.load(path)
    assert (made.name, made.shape, made.n_classes) == ("my own", (28, 28), 6)
    np.testing.assert_array_equal(np.rint(made.x_train * 255), arrays["x_train"].reshape(6, 784))
    np.testing.assert_array_equal(made.y_test, arrays["y_test"])
    by_hand = datasets.content_hash(arrays["x_train"], arrays["y_train"])
    assert made.train_hash == datasets.train_hash(str(path)) == by_hand
    assert datasets.dimensions(path) == (784, 6)
    assert datasets.class_names(path) == ("0", "1", "2", "3", "4", "5")


def test_a_file_keeps_its_hash_where_records_know_it():
    # Made by the code before shapes and numbers of classes were free.
    rng = rng_of(7)
    images, labels = datasets.lines(40, rng)
    made = datasets.from_arrays("own", (images, labels), datasets.lines(20, rng))
    assert made.train_hash == "43b414e39c353b58b46abeb465dc1a10ade80c4a1298d85c4a1b0550a4d625cc"


@pytest.mark.parametrize(
    ("shape", "expected"), [((3, 8, 6), (3, 8, 6)), ((8, 6, 3), (3, 8, 6)), ((50,), (50,))]
)
def test_a_file_may_have_another_shape_and_class_names(tmp_path, shape, expected):
    path, names = tmp_path / "own.npz", [*"abcdef"]
    np.savez(path, **own_arrays(shape), class_names=names)
    made = datasets.load(path)
    assert (made.shape, made.class_names) == (expected, tuple(names))
    assert datasets.dimensions(path) == (math.prod(expected), 6)
    assert datasets.class_names(path) == tuple(names)


@pytest.mark.parametrize(
    ("changes", "message"),
    [
        ({"x_test": lambda a: a[:, :9]}, r"x_test has images of shape \(9, 28\)"),
        ({"y_test": lambda a: a + 3}, "y_test reaches from 3 to 6; allowed: 0 to 5"),
        ({"class_names": lambda _: np.arange(6)}, r"class_names holds int64 \(6,\); allowed: text"),
        ({"class_names": lambda _: "abcdef"}, r"class_names holds <U6 \(\); allowed: text"),
        ({"class_names": lambda _: [*"abc"]}, "class_names has 3 names; allowed: 6"),
        ({"y_test": lambda a: a.astype(object)}, "cannot be read"),
    ],
)
def test_a_malformed_file_is_named_with_what_is_wrong(tmp_path, changes, message):
    arrays, path = own_arrays(), tmp_path / "own.npz"
    arrays |= {name: change(arrays.get(name)) for name, change in changes.items()}
    np.savez(path, **arrays)
    with pytest.raises(DataError, match=message) as caught:
        datasets.load(str(path))
    assert str(path) in str(caught.value)


def test_what_is_no_such_file_is_named(tmp_path):
    path = tmp_path / "own.npz"
    with pytest.raises(DataError, match=f"there is no file {path}"):
        datasets.load(path)
    np.savez(path, **{name: array for name, array in own_arrays().items() if name != "y_test"})
    with pytest.raises(DataError, match=f"{path}: missing y_test; needed are x_train, y_train"):
        datasets.load(path)
    with path.open("wb") as file:
        np.save(file, np.zeros(3))
    with pytest.raises(DataError, match=rf"{path} cannot be read as a \.npz file: it is no zip"):
        datasets.load(path)


@pytest.fixture(scope="module")
def whole_file() -> bytes:
    content = io.BytesIO()
    np.savez_compressed(content, **own_arrays())
    return content.getvalue()


@pytest.fixture(scope="module")
def scratch(tmp_path_factory) -> Path:
    return tmp_path_factory.mktemp("scratch")


def test_a_damaged_file_is_closed_again(tmp_path, whole_file):
    path = tmp_path / "own.npz"
    path.write_bytes(whole_file.replace(b"PK\x01\x02", b"PK\x00\x00"))  # its table of contents
    with pytest.raises(DataError, match="cannot be read"):
        datasets.load(path)
    gc.collect()  # an open file would be a warning here, and so a failure


@given(at=st.data())
def test_a_file_cut_anywhere_cannot_be_read(scratch, whole_file, at):
    path = scratch / "cut.npz"
    path.write_bytes(whole_file[: at.draw(st.integers(0, len(whole_file) - 1))])
    with pytest.raises(DataError, match=r"cut\.npz"):
        datasets.load(path)


@given(at=st.data())
@settings(max_examples=200)
def test_a_changed_byte_never_changes_the_data_unseen(scratch, whole_file, at):
    place = at.draw(st.integers(0, len(whole_file) - 1))
    content = bytearray(whole_file)
    content[place] ^= at.draw(st.integers(1, 255))
    path = scratch / "changed.npz"
    path.write_bytes(content)
    arrays = own_arrays()
    try:
        made = datasets.load(path)
    except DataError:
        return
    assert made.train_hash == datasets.content_hash(arrays["x_train"], arrays["y_train"])
    assert made.test_hash == datasets.content_hash(arrays["x_test"], arrays["y_test"])
