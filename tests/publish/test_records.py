"""Records: what is written is read again, keys say what decides a record, damage is named."""

from __future__ import annotations

import errno
import json
import os
import subprocess
import sys
from dataclasses import replace

import numpy as np
import pytest
from hypothesis import given
from hypothesis import strategies as st
from hypothesis.extra import numpy as hnp
from small_book import digest

from modclust_utils.publish import records
from modclust_utils.publish.records import (
    RecordError,
    RecordStore,
    pack_arrays,
    read_record,
    record_key,
    unpack_arrays,
    write_atomically,
)
from modclust_utils.publish.versions import RECIPES

PARAMETERS = {"network": "00ff", "phase": "after", "n_clusters": 4, "seed": 0}


@pytest.fixture
def store(tmp_path):
    return RecordStore(tmp_path / "own", tmp_path / "published")


def put(store: RecordStore, value: float = 1.25, **changes: object) -> records.Record:
    parameters = {**PARAMETERS, **changes}
    return store.put("clustering", parameters, {"ncut": value}, seconds=2.34567, device="CPU")


def no_space(*_: object, **__: object) -> None:
    raise OSError(errno.ENOSPC, os.strerror(errno.ENOSPC))


# Round trip


def test_record_is_read_as_it_was_written(store):
    value = {"ncut": 0.1 + 0.2, "null_ncuts": [1.0, np.float64(2.5)], "note": "ü", "none": None}
    made = store.put(
        "shuffle-test", {"seed": np.int64(3), "sizes": (2, 1)}, value, seconds=2.34567, device="CPU"
    )
    again = RecordStore(store.write_folder).get("shuffle-test", {"sizes": [2, 1], "seed": 3})
    assert again == made
    assert made.value == {"ncut": 0.1 + 0.2, "null_ncuts": [1.0, 2.5], "note": "ü", "none": None}
    assert made.parameters == {"seed": 3, "sizes": [2, 1]}
    assert made.key == record_key("shuffle-test", made.parameters)
    assert made.seconds == 2.346


def test_record_says_where_it_comes_from(store):
    made = store.put("clustering", PARAMETERS, {"ncut": 1}, seconds=1, device="CPU", batch_size=3)
    provenance = made.provenance
    assert provenance["device"] == "CPU"
    assert provenance["batch_size"] == 3
    assert provenance["packages"]["numpy"] == np.__version__
    assert provenance["commit"] == records.commit()
    assert provenance["made"].endswith("+00:00")


# about half of the entries are zero, so that both ways of storing occur
arrays = st.builds(
    np.ndarray.astype,
    hnp.arrays(
        np.int64,
        hnp.array_shapes(min_dims=0, max_dims=3, min_side=0, max_side=5),
        elements=st.sampled_from([0, 0, 1, 2]),
        fill=st.nothing(),
    ),
    st.sampled_from([np.float32, np.float64, np.int64, np.bool_, np.uint8]),
)


@given(st.dictionaries(st.sampled_from(["weight_0", "bias_0", "x"]), arrays))
def test_arrays_round_trip(kept):
    again = unpack_arrays(pack_arrays(kept))
    assert again.keys() == kept.keys()
    for name, array in kept.items():
        assert again[name].dtype == array.dtype
        np.testing.assert_array_equal(again[name], array, strict=True)


@given(
    hnp.arrays(
        np.float32, (5, 7), elements=st.floats(width=32, allow_subnormal=True), fill=st.just(0)
    )
)
def test_mostly_zero_floats_round_trip_to_the_bit(array):
    (again,) = unpack_arrays(pack_arrays({"w": array})).values()
    # a zero may lose its sign, nothing else changes
    np.testing.assert_array_equal(again.view(np.uint32), (array + 0.0).view(np.uint32))


def test_sparse_array_takes_little_room():
    rng = np.random.default_rng(0)
    dense = rng.normal(size=(100, 100)).astype(np.float32)
    sparse = np.where(rng.random((100, 100)) < 0.1, dense, 0)
    assert len(pack_arrays({"w": sparse})) < len(pack_arrays({"w": dense})) / 5


def test_arrays_of_a_record_round_trip(store):
    weights = {"weight_0": np.eye(4, dtype=np.float32), "bias_0": np.arange(1.0, 4.0)}
    store.put("network", PARAMETERS, {"a": 1}, seconds=1, device="CPU", arrays=weights)
    again = store.require("network", PARAMETERS)
    assert again.value == {"a": 1}
    assert set(again.arrays) == set(weights)
    for name, array in weights.items():
        np.testing.assert_array_equal(again.arrays[name], array, strict=True)


# Keys

json_values = st.recursive(
    st.none() | st.booleans() | st.integers() | st.floats(allow_nan=False) | st.text(max_size=5),
    lambda inner: (
        st.lists(inner, max_size=2) | st.dictionaries(st.text(max_size=3), inner, max_size=3)
    ),
    max_leaves=4,
)


def turned(value: object) -> object:
    """Equal content with every dictionary in another order."""
    if isinstance(value, dict):
        return {name: turned(value[name]) for name in reversed(value)}
    return [turned(v) for v in value] if isinstance(value, list) else value


@given(st.dictionaries(st.text(max_size=4), json_values, max_size=4))
def test_key_does_not_depend_on_the_order_of_dictionaries(parameters):
    assert record_key("network", turned(parameters)) == record_key("network", parameters)


@given(st.sampled_from(sorted(PARAMETERS)), json_values)
def test_key_changes_with_any_parameter(name, value):
    key = record_key("clustering", PARAMETERS)
    assert record_key("clustering", {**PARAMETERS, name: [value]}) != key
    assert record_key("clustering", {**PARAMETERS, name + "'": value}) != key
    fewer = {k: v for k, v in PARAMETERS.items() if k != name}
    assert record_key("clustering", fewer) != key


def test_key_changes_with_kind_and_version(monkeypatch):
    keys = {record_key(kind, PARAMETERS) for kind in RECIPES}
    assert len(keys) == len(RECIPES)
    raised = replace(RECIPES["clustering"], version=RECIPES["clustering"].version + 1)
    monkeypatch.setitem(RECIPES, "clustering", raised)
    assert record_key("clustering", PARAMETERS) not in keys


def test_key_tells_settings_of_networks_apart():
    parameters = {"settings": {"epochs": 20, "dropout_rate": 0.5}, "seed": 0}
    other = {"settings": {"epochs": 20, "dropout_rate": 0.25}, "seed": 0}
    assert record_key("network", parameters) != record_key("network", other)


def test_key_is_the_same_in_every_process():
    program = (
        "import sys, json; from modclust_utils.publish.records import record_key; "
        "print(record_key('clustering', json.loads(sys.argv[1])))"
    )
    other = "1" if os.environ.get("PYTHONHASHSEED") == "2" else "2"
    done = subprocess.run(
        [sys.executable, "-c", program, json.dumps(turned(PARAMETERS))],
        env={**os.environ, "PYTHONHASHSEED": other},
        check=True,
        capture_output=True,
        text=True,
    )
    assert done.stdout.strip() == record_key("clustering", PARAMETERS)


@pytest.mark.parametrize("value", [object(), {1, 2}, b"bytes"])
def test_value_that_is_no_json(store, value):
    with pytest.raises(TypeError, match="cannot stand in a record; allowed: numbers"):
        store.put("clustering", PARAMETERS, {"ncut": value}, seconds=1, device="CPU")
    assert store.find("clustering", PARAMETERS) is None


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
            store.put(
                *("network", PARAMETERS, {"a": 1}),
                seconds=1,
                device="CPU",
                arrays={"weight_0": np.ones(3)},
            )
    assert store.get("network", PARAMETERS) is None
    assert list(store) == []
    made = store.put("network", PARAMETERS, {"a": 2}, seconds=1, device="CPU")
    assert store.get("network", PARAMETERS) == made


# Damage


def rewrite(path, **changes):
    content = json.loads(path.read_text(encoding="utf-8"))
    for name, value in changes.items():
        content[name] = value
        if value is None:
            del content[name]
    path.write_text(json.dumps(content), encoding="utf-8")


def assert_refused(store: RecordStore, kind: str, path, about: str) -> None:
    with pytest.raises(RecordError, match=about) as error:
        store.get(kind, PARAMETERS)
    assert str(path) in str(error.value)
    assert "Delete" in str(error.value)
    assert "computes it again" in str(error.value)


@pytest.mark.parametrize(
    "content", [b"", b"{", b"[]", b"null", b'"text"', b"{}", b"\xff\xfe", b'{"kind": "clustering"}']
)
def test_damaged_file(store, content):
    put(store)
    path = store.path("clustering", PARAMETERS)
    path.write_bytes(content)
    assert_refused(store, "clustering", path, "is not a record")


@pytest.mark.parametrize("name", ["kind", "parameters", "value", "provenance", "version"])
def test_record_that_lacks_a_field(store, name):
    put(store)
    path = store.path("clustering", PARAMETERS)
    rewrite(path, **{name: None})
    assert_refused(store, "clustering", path, "is not a record")


def test_record_of_an_unknown_kind(store):
    put(store)
    path = store.path("clustering", PARAMETERS)
    rewrite(path, kind="clutsering")
    assert_refused(store, "clustering", path, "is not a record")


@pytest.mark.parametrize("change", [{"n_clusters": 5}, {"n_clusters": 4.5}, {"extra": 1}])
def test_altered_parameters(store, change):
    put(store)
    path = store.path("clustering", PARAMETERS)
    altered = {**PARAMETERS, **change}
    rewrite(path, parameters=altered)
    assert_refused(store, "clustering", path, record_key("clustering", altered))


def test_altered_kind(store):
    put(store)
    path = store.path("clustering", PARAMETERS)
    rewrite(path, kind="random-ncuts")
    assert_refused(store, "clustering", path, "was altered")


def test_record_of_another_version_is_read_where_it_lies(store):
    made = put(store)
    path = store.path("clustering", PARAMETERS)
    rewrite(path, version=RECIPES["clustering"].version + 1)
    # its name belongs to the version that made it; `modclust verify` judges it
    assert read_record(path).value == made.value


@pytest.mark.parametrize("damage", ["missing", "truncated", "altered", "empty"])
def test_damaged_arrays(store, damage):
    arrays = {"weight_0": np.arange(1.0, 100.0)}
    store.put("network", PARAMETERS, {"a": 1}, seconds=1, device="CPU", arrays=arrays)
    path = store.path("network", PARAMETERS)
    packed = path.with_suffix(".npz")
    content = packed.read_bytes()
    if damage == "missing":
        packed.unlink()
    elif damage == "altered":
        packed.write_bytes(content[:50] + bytes([content[50] ^ 1]) + content[51:])
    else:
        packed.write_bytes(content[:-1] if damage == "truncated" else b"")
    about = "has lost its arrays" if damage == "missing" else "was altered or cut off"
    assert_refused(store, "network", path, about)
    path.unlink()
    packed.unlink(missing_ok=True)
    store.put("network", PARAMETERS, {"a": 1}, seconds=1, device="CPU", arrays=arrays)
    assert store.require("network", PARAMETERS).arrays["weight_0"].sum() == 99 * 50


# Folders


def test_own_record_comes_before_the_published_one(store):
    own, published = store.folders
    put(RecordStore(published), 2.0)
    assert store.require("clustering", PARAMETERS).value == {"ncut": 2.0}
    put(store, 1.0)
    assert store.require("clustering", PARAMETERS).value == {"ncut": 1.0}
    assert list(store) == [store.path("clustering", PARAMETERS, own)]
    store.path("clustering", PARAMETERS).unlink()
    assert store.require("clustering", PARAMETERS).value == {"ncut": 2.0}


def test_published_records_are_never_written(store):
    _, published = store.folders
    put(RecordStore(published), 2.0)
    before = digest(published)
    put(store, 1.0)
    put(store, 1.0, seed=1)
    assert digest(published) == before


def test_missing_record(store):
    assert store.get("clustering", PARAMETERS) is None
    assert list(store) == []
    with pytest.raises(RecordError, match=r"\.json is missing\. Run the chapter again"):
        store.require("clustering", PARAMETERS)


def test_store_lists_each_record_once_and_nothing_else(store):
    own, published = store.folders
    put(RecordStore(published))
    put(RecordStore(published), seed=1)
    put(store)
    put(store, seed=2)
    (own / "clustering" / ".0.json.partial").write_text("{}")
    (own / "note.json").write_text("{}")
    keys = [record_key("clustering", {**PARAMETERS, "seed": seed}) for seed in (0, 1, 2)]
    assert sorted(path.stem for path in store) == sorted(keys)
