"""Records: what is written is read again, keys say what decides a record, damage is named."""

from __future__ import annotations

import errno
import json
import os
import shutil
import threading
from concurrent.futures import Future, ThreadPoolExecutor
from pathlib import Path
from typing import Any

import numpy as np
import pytest
from small_book import digest, make_network

from modclust_utils.publish import records
from modclust_utils.publish.errors import RecordError
from modclust_utils.publish.records import RecordStore, read_record, seal, write_atomically
from modclust_utils.recipes import clustering
from modclust_utils.recipes.base import Job, Record, Value

NETWORK, NETWORK_RECORD = make_network()
ARRAYS = {"labels": np.arange(1, 100)}


@pytest.fixture
def store(tmp_path):
    return RecordStore(tmp_path / "own", tmp_path / "published")


def job(seed: int = 0, n_clusters: int = 4) -> Job:
    return clustering.job(NETWORK, "after", n_clusters=n_clusters, seed=seed)


def put(store: RecordStore, value: object = 1.25, *, seed: int = 0, **made: Any) -> Record:
    wanted = job(seed)
    result = Value({"ncut": value}, **made)
    store.put(wanted, result, seconds=2.34567, device="CPU", needs={"network": NETWORK_RECORD})
    return read(store, seed)


def read(store: RecordStore, seed: int = 0) -> Record:
    path = store.find("clustering", job(seed).key)
    assert path is not None
    return read_record(path)


def path_of(store: RecordStore) -> Path:
    return store.path("clustering", job().key)


def publish(store: RecordStore) -> None:
    """Move the store's own records to the published ones."""
    own, published = store.folders
    shutil.copytree(own, published, dirs_exist_ok=True)
    shutil.rmtree(own)


def no_space(*_: object, **__: object) -> None:
    raise OSError(errno.ENOSPC, os.strerror(errno.ENOSPC))


# Round trip


def test_record_is_read_as_it_was_written(store):
    value = {"ncut": 0.1 + 0.2, "null_ncuts": [1.0, np.float64(2.5)], "note": "ü", "none": None}
    store.put(job(), Value(value), seconds=2.34567, device="CPU")
    found = read(RecordStore(store.cache))
    assert found.value == {"ncut": 0.1 + 0.2, "null_ncuts": [1.0, 2.5], "note": "ü", "none": None}
    assert (found.key, found.seconds, found.parameters) == (job().key, 2.346, job().parameters)
    assert found.arrays == {}


def test_record_says_where_it_comes_from(store):
    made = put(store, extra={"batch_size": 3}, test_hash="ab")
    provenance = made.provenance
    assert (provenance["device"], provenance["batch_size"]) == ("CPU", 3)
    assert provenance["packages"]["numpy"] == np.__version__
    assert provenance["commit"] == records.commit()
    assert provenance["made"].endswith("+00:00")
    assert made.made_from["test_images"] == "ab"
    assert made.made_from["network"]["key"] == NETWORK.key


def test_arrays_of_a_record_round_trip(store):
    made = put(store, arrays=ARRAYS)
    assert set(made.arrays) == {"labels"}
    np.testing.assert_array_equal(made.arrays["labels"], ARRAYS["labels"], strict=True)


# Kept arrays


def test_kept_arrays_belong_to_the_arrays_of_their_record(store):
    kept = {"before": {"w": np.eye(2)}}
    first = put(store, arrays=ARRAYS, kept=kept)
    np.testing.assert_array_equal(store.kept(first, "before")["w"], np.eye(2))
    file = store.kept_path(first.key, "before").read_bytes()
    # trained again, the network has other weights: what was kept of the first one is not its own
    second = put(store, arrays={"labels": np.arange(2, 101)}, kept=kept)
    store.kept_path(first.key, "before").write_bytes(file)
    assert store.kept(second, "before") is None
    assert store.kept(first, "before") is not None


@pytest.mark.parametrize("damage", ["missing", "cut", "text"])
def test_kept_arrays_that_cannot_be_read(store, damage):
    made = put(store, arrays=ARRAYS, kept={"before": {"w": np.eye(2)}})
    path = store.kept_path(made.key, "before")
    content = path.read_bytes()
    path.unlink() if damage == "missing" else path.write_bytes(
        content[:-30] if damage == "cut" else b"text"
    )
    assert store.kept(made, "before") is None


# Writing whole files or none


@pytest.mark.parametrize("broken", ["os.replace", "os.fsync", "tempfile.mkstemp"])
def test_full_disk_leaves_the_old_file_and_nothing_else(tmp_path, monkeypatch, broken):
    path = tmp_path / "folder" / "file.json"
    write_atomically(path, b"old")
    monkeypatch.setattr(f"modclust_utils.publish.records.{broken}", no_space)
    with pytest.raises(RecordError, match="could not be written") as error:
        write_atomically(path, b"new and longer")
    assert str(path) in str(error.value)
    assert os.strerror(errno.ENOSPC) in str(error.value)
    assert "make room" in str(error.value)
    assert path.read_bytes() == b"old"
    assert [file.name for file in path.parent.iterdir()] == ["file.json"]


def test_stop_while_writing_leaves_the_old_file_and_nothing_else(tmp_path, monkeypatch):
    def stop(*_: object) -> None:
        raise KeyboardInterrupt

    path = tmp_path / "file.json"
    write_atomically(path, b"old")
    monkeypatch.setattr("modclust_utils.publish.records.os.replace", stop)
    with pytest.raises(KeyboardInterrupt):
        write_atomically(path, b"new")
    assert {file.name: file.read_bytes() for file in tmp_path.iterdir()} == {"file.json": b"old"}


def test_folder_that_cannot_be_made(tmp_path):
    (tmp_path / "file").write_text("in the way")
    with pytest.raises(RecordError, match="could not be written"):
        write_atomically(tmp_path / "file" / "record.json", b"content")


def test_half_written_record_is_no_record(store, monkeypatch):
    """The arrays are there, then the disk is full: asked again, the record is computed again."""
    replace_file, calls = os.replace, []

    def once(*arguments: object) -> None:
        calls.append(arguments)
        if len(calls) == 2:
            no_space()
        replace_file(*arguments)

    with monkeypatch.context() as patch:
        patch.setattr("modclust_utils.publish.records.os.replace", once)
        with pytest.raises(RecordError, match=r"\.json could not be written"):
            put(store, arrays=ARRAYS)
    assert store.find("clustering", job().key) is None
    assert list(store) == []
    assert put(store, 2.0).value == {"ncut": 2.0}


def test_stop_while_a_record_is_replaced_leaves_none_and_no_damaged_one(store, monkeypatch):
    """With other arrays, the old record beside them would be refused."""
    put(store, arrays=ARRAYS)

    def stop(content: object) -> bytes:
        raise KeyboardInterrupt

    with monkeypatch.context() as patch:
        patch.setattr(records, "sealed", stop)
        with pytest.raises(KeyboardInterrupt):
            put(store, arrays={"labels": np.arange(2, 101)})
    assert store.find("clustering", job().key) is None
    assert put(store, 2.0, arrays=ARRAYS).value == {"ncut": 2.0}


# Two runs


def test_a_record_that_is_written_again_can_be_read_all_the_while(store, monkeypatch):
    """As two runs do that need the same networks: their arrays are the same."""
    kept = {"before": {"w": np.eye(2)}}
    put(store, arrays=ARRAYS, kept=kept)
    write, seen = records.write_atomically, []

    def watched(path: Path, content: bytes) -> None:
        for step in (lambda: None, lambda: write(path, content)):
            step()
            found = read(store)
            seen.append((found.value["ncut"], store.kept(found, "before") is not None))

    with monkeypatch.context() as patch:
        patch.setattr(records, "write_atomically", watched)
        put(store, 2.0, arrays=ARRAYS, kept=kept)
    assert seen[0] == (1.25, True)
    assert seen[-1] == (2.0, True)
    assert all(kept_too for _, kept_too in seen)


def test_a_reader_never_sees_what_two_writers_do(store):
    put(store, arrays=ARRAYS)
    done, n_read = threading.Event(), 0

    def write() -> None:
        for _ in range(30):
            put(store, arrays=ARRAYS)

    with ThreadPoolExecutor(2) as pool:
        writers = [pool.submit(write) for _ in range(2)]
        for writer in writers:
            writer.add_done_callback(
                lambda _: done.set() if all(each.done() for each in writers) else None
            )
        while not done.is_set():
            assert read(store).arrays["labels"].sum() == 99 * 50
            n_read += 1
        for writer in writers:
            writer.result()
    assert n_read > 0


@pytest.mark.parametrize("there", [True, False])
def test_who_reads_waits_for_a_record_that_is_replaced(store, monkeypatch, there):
    """With other arrays there is no record for a moment, or one with arrays of another."""
    put(store, arrays=ARRAYS)
    path, other, alone = path_of(store), {"labels": np.arange(2, 101)}, records.alone
    write, waits, content = records.write_atomically, threading.Event(), path_of(store).read_bytes()

    def waiting(file: Path) -> Any:
        if threading.current_thread() is not threading.main_thread():
            waits.set()
        return alone(file)

    def slow(file: Path, content_of_file: bytes) -> None:
        if file == path:
            if there:  # as read just before it went
                path.write_bytes(content)
            results.append(pool.submit(store.read, path))
            assert waits.wait(60)
        write(file, content_of_file)

    with monkeypatch.context() as patch, ThreadPoolExecutor(1) as pool:
        results: list[Future[Record]] = []
        patch.setattr(records, "alone", waiting)
        patch.setattr(records, "write_atomically", slow)
        store.put(job(), Value({"ncut": 2.0}, other), seconds=1, device="CPU")
        assert results[0].result(60).value == {"ncut": 2.0}


def test_what_is_there_stays_where_the_writer_says_so(store):
    put(store, arrays=ARRAYS)
    before = digest(store.cache)
    store.put(job(), Value({"ncut": 2.0}), seconds=1, device="CPU", unless=lambda: True)
    assert digest(store.cache) == before


def test_who_only_reads_makes_no_folder(store):
    with store.alone():
        assert not store.cache.exists()


# Damage


def rewrite(path, **changes):
    content = json.loads(path.read_text(encoding="utf-8"))
    for name, value in changes.items():
        content[name] = value
        if value is None:
            del content[name]
    path.write_text(json.dumps(content), encoding="utf-8")


def assert_refused(path: Path, about: str) -> None:
    with pytest.raises(RecordError, match=about) as error:
        read_record(path)
    assert str(path) in str(error.value)
    assert "Delete" in str(error.value)
    assert "computes it again" in str(error.value)


@pytest.mark.parametrize(
    "content", [b"", b"{", b"[]", b"null", b'"text"', b"{}", b"\xff\xfe", b'{"kind": "clustering"}']
)
def test_damaged_file(store, content):
    put(store)
    path_of(store).write_bytes(content)
    assert_refused(path_of(store), "is not a record")


@pytest.mark.parametrize("name", ["kind", "parameters", "value", "provenance", "version"])
def test_record_that_lacks_a_field(store, name):
    put(store)
    rewrite(path_of(store), **{name: None})
    assert_refused(path_of(store), "is not a record")


@pytest.mark.parametrize(
    "changes",
    [
        {"parameters": {**job().parameters, "n_clusters": 5}},
        {"parameters": {**job().parameters, "extra": 1}},
        {"kind": "partition"},
        {"version": 2},
    ],
)
def test_record_under_another_name(store, changes):
    put(store)
    rewrite(path_of(store), **changes)
    assert_refused(path_of(store), "was altered: its parameters belong to")


@pytest.mark.parametrize(
    "changes",
    [
        {"value": {"ncut": 1.2401}},
        {"provenance": {"commit": "abc", "seconds": 1}},
        {"made_from": {}},
        {"arrays_sha256": "0" * 64},
        {"note": "a word more"},
    ],
)
def test_record_that_was_edited(store, changes):
    put(store)
    rewrite(path_of(store), **changes)
    assert_refused(path_of(store), "was edited: it does not fit the hash that it carries")


def test_record_without_a_seal(store):
    put(store)
    rewrite(path_of(store), sha256=None)
    assert_refused(path_of(store), "carries no hash of what it says")


def test_seal_does_not_depend_on_the_order_of_what_is_said(store):
    put(store)
    content = json.loads(path_of(store).read_text(encoding="utf-8"))
    assert seal(dict(reversed(content.items()))) == content["sha256"]
    path_of(store).write_text(json.dumps(dict(reversed(content.items()))), encoding="utf-8")
    assert read_record(path_of(store)).value == {"ncut": 1.25}


@pytest.mark.parametrize("damage", ["missing", "truncated", "altered", "empty"])
def test_damaged_arrays(store, damage):
    put(store, arrays=ARRAYS)
    path = path_of(store)
    packed = path.with_suffix(".npz")
    content = packed.read_bytes()
    if damage == "missing":
        packed.unlink()
    elif damage == "altered":
        packed.write_bytes(content[:50] + bytes([content[50] ^ 1]) + content[51:])
    else:
        packed.write_bytes(content[:-1] if damage == "truncated" else b"")
    about = "has lost its arrays" if damage == "missing" else "was altered or cut off"
    assert_refused(path, about)
    path.unlink()
    packed.unlink(missing_ok=True)
    assert put(store, arrays=ARRAYS).arrays["labels"].sum() == 99 * 50


# Folders


def test_own_record_comes_before_the_published_one(store):
    put(store, 2.0)
    publish(store)
    assert read(store).value == {"ncut": 2.0}
    put(store, 1.0)
    assert read(store).value == {"ncut": 1.0}
    assert list(store) == [path_of(store)]
    assert len(list(store.paths("clustering", job().key))) == 2
    path_of(store).unlink()
    assert read(store).value == {"ncut": 2.0}


def test_published_records_are_never_written(store):
    put(store, 2.0)
    publish(store)
    before = digest(store.folders[1])
    put(store, 1.0)
    put(store, 1.0, seed=1)
    assert digest(store.folders[1]) == before


def test_missing_record(store):
    assert store.find("clustering", job().key) is None
    assert list(store) == []


def test_store_lists_each_record_once_and_nothing_else(store):
    for seed in (0, 1):
        put(store, seed=seed)
    publish(store)
    for seed in (0, 2):
        put(store, seed=seed)
    own = store.folders[0]
    (own / "clustering" / ".0.json.partial").write_text("{}")
    (own / "note.json").write_text("{}")
    assert sorted(path.stem for path in store) == sorted(job(seed).key for seed in (0, 1, 2))
