"""Files of weights: every format gives the same tensors; hostile and damaged ones are refused."""

from __future__ import annotations

import hashlib
import io
import json
import os
import pickle
import struct
import zipfile
from collections import OrderedDict

import numpy as np
import pytest
import safetensors.torch
import torch
from hypothesis import given
from hypothesis import strategies as st

from modclust_utils.pretrained import read_weight_file, read_weights, weight_files

STATE = {
    "features.0.weight": torch.arange(6.0).reshape(2, 3),
    "features.0.bias": torch.tensor([0.5, -1.0], dtype=torch.float16),
    "bn.num_batches_tracked": torch.tensor(7),
}


def save(path, state=STATE):
    """A file of the format that its name says."""
    if path.suffix == ".npz":
        np.savez(path, **{name: tensor.numpy() for name, tensor in state.items()})
    elif path.suffix == ".safetensors":
        safetensors.torch.save_file(state, path)
    else:
        torch.save(state, path)
    return path


def refused(path, message):
    with pytest.raises(ValueError, match=message) as caught:
        read_weights(path)
    assert str(path) in str(caught.value)
    assert "allowed:" in str(caught.value)


def same(found, expected=STATE):
    assert found.keys() == expected.keys()
    for name, tensor in expected.items():
        assert found[name].dtype == tensor.dtype
        assert torch.equal(found[name], tensor)


# --- what is read --------------------------------------------------------------------------------


@pytest.mark.parametrize("suffix", [".npz", ".safetensors", ".pth", ".pt"])
def test_every_format_gives_the_same_tensors(tmp_path, suffix):
    path = save(tmp_path / f"w{suffix}")
    same(read_weights(path))
    found = read_weight_file(str(path))
    same(found.tensors)
    assert found.sha256 == hashlib.sha256(path.read_bytes()).hexdigest()
    assert found.notes == ()


def test_the_older_format_of_torch_is_read(tmp_path):
    torch.save(OrderedDict(STATE), tmp_path / "w.pth", _use_new_zipfile_serialization=False)
    same(read_weights(tmp_path / "w.pth"))


def test_numbers_of_the_other_byte_order_are_the_same_numbers(tmp_path):
    np.savez(tmp_path / "w.npz", a=np.array([1.5, -2.0], dtype=">f4"))
    same(read_weights(tmp_path / "w.npz"), {"a": torch.tensor([1.5, -2.0])})


def test_tensors_in_another_order_of_memory_come_out_the_same(tmp_path):
    kernel = torch.arange(16.0).reshape(2, 2, 2, 2).to(memory_format=torch.channels_last)
    torch.save({"a": kernel, "turned": STATE["features.0.weight"].T}, tmp_path / "w.pth")
    found = read_weights(tmp_path / "w.pth")
    assert all(tensor.is_contiguous() for tensor in found.values())
    assert torch.equal(found["a"], kernel)
    assert torch.equal(found["turned"], STATE["features.0.weight"].T)


@pytest.mark.parametrize("key", ["state_dict", "model_state_dict", "model"])
def test_a_state_in_a_larger_dictionary_is_unwrapped_and_told(tmp_path, key):
    parallel = {f"module.{name}": tensor for name, tensor in STATE.items()}
    torch.save({"epoch": 3, key: parallel, "optimizer": {"lr": 0.1}}, tmp_path / "w.pth")
    found = read_weight_file(tmp_path / "w.pth")
    same(found.tensors)
    assert found.notes == (
        f"The weights were taken from {key!r}, and epoch, optimizer left out.",
        "'module.' was taken off the names.",
    )


def test_a_module_among_others_keeps_its_name(tmp_path):
    state = {"module.a": torch.ones(1), "b": torch.ones(1)}
    found = read_weight_file(save(tmp_path / "w.pth", state))
    same(found.tensors, state)
    assert found.notes == ()


def test_gradients_are_left_behind(tmp_path):
    torch.save({"a": torch.nn.Parameter(torch.ones(2))}, tmp_path / "w.pth")
    assert not read_weights(tmp_path / "w.pth")["a"].requires_grad


# --- files that want to run code -----------------------------------------------------------------


class Hostile:
    """A pickle of it makes a file when it is read."""

    def __init__(self, target):
        self.target = str(target)

    def __reduce__(self):
        return os.mkdir, (self.target,)


def pickled(content, path, *, protocol=2):
    path.write_bytes(pickle.dumps(content, protocol=protocol))


@pytest.mark.parametrize("protocol", range(6))
def test_a_pickle_that_would_run_code_is_refused_and_runs_nothing(tmp_path, protocol):
    target, path = tmp_path / "made", tmp_path / "w.pth"
    for content in (Hostile(target), {"a": Hostile(target)}, {"state_dict": [Hostile(target)]}):
        pickled(content, path, protocol=protocol)
        refused(path, "is refused: it .*damaged|would run code")
        assert not target.exists()
    with path.open("rb") as file:
        pickle.load(file)
    assert target.exists()  # it would have


@pytest.mark.parametrize("zipped", [True, False])
def test_code_among_tensors_is_refused_by_its_name(tmp_path, zipped):
    target, path = tmp_path / "made", tmp_path / "w.pth"
    state = {**STATE, "b": Hostile(target)}
    torch.save(state, path, _use_new_zipfile_serialization=zipped)
    refused(path, r"would run code to make a `posix\.mkdir`; allowed: a file of tensors only")
    assert not target.exists()


def test_a_whole_module_is_refused(tmp_path):
    torch.save(torch.nn.Linear(2, 2), tmp_path / "w.pth")
    refused(tmp_path / "w.pth", r"would run code to make a `torch\.nn\.modules\.linear\.Linear`")


def test_objects_in_a_npz_are_refused_and_run_nothing(tmp_path):
    target = tmp_path / "made"
    np.savez(tmp_path / "w.npz", a=np.ones(2), b=np.array([Hostile(target)], dtype=object))
    refused(tmp_path / "w.npz", "it holds Python objects, which could run code")
    assert not target.exists()


@pytest.mark.parametrize("version", ["2.9.1", "2.6.0", "2.9.1+cu130", "1.13.0"])
def test_an_old_torch_reads_no_pickle(tmp_path, monkeypatch, version):
    monkeypatch.setattr(torch, "__version__", version)
    monkeypatch.setattr(torch, "load", lambda *_, **__: pytest.fail("it was read"))
    path = save(tmp_path / "w.pth")
    refused(path, rf"refused: torch {version.replace('+', '.')} can be made to run code")
    same(read_weights(save(tmp_path / "w.safetensors")))
    same(read_weights(save(tmp_path / "w.npz")))


# --- archives that unpack to too much ------------------------------------------------------------


def npy(array):
    content = io.BytesIO()
    np.save(content, array)
    return content.getvalue()


def archive(path, entries):
    with zipfile.ZipFile(path, "w", zipfile.ZIP_DEFLATED) as file:
        for name, content in entries:
            file.writestr(name, content)


def test_an_archive_that_unpacks_to_far_more_is_not_unpacked(tmp_path, monkeypatch):
    monkeypatch.setattr(np, "load", lambda *_, **__: pytest.fail("it was unpacked"))
    monkeypatch.setattr(torch, "load", lambda *_, **__: pytest.fail("it was unpacked"))
    for path in (tmp_path / "w.npz", tmp_path / "w.pth"):
        archive(path, [("a.npy", npy(np.zeros(10**6)))])
        refused(path, r"its [\d,]+ bytes would unpack to 8,000,128")


def test_an_archive_of_very_many_names_is_not_unpacked(tmp_path, monkeypatch):
    monkeypatch.setattr(np, "load", lambda *_, **__: pytest.fail("it was unpacked"))
    monkeypatch.setattr(weight_files, "MOST_TENSORS", 50)
    archive(tmp_path / "w.npz", [(f"{i}.npy", npy(np.ones(1))) for i in range(51)])
    refused(tmp_path / "w.npz", "it lists 51 entries, above 50")


@pytest.mark.filterwarnings("ignore:Duplicate name")
def test_two_entries_of_one_name_are_refused(tmp_path):
    for names in (("a.npy", "a.npy"), ("a.npy", "a")):
        archive(tmp_path / "w.npz", [(name, npy(np.ones(1))) for name in names])
        refused(tmp_path / "w.npz", "it has 2 entries of the name 'a'")


@pytest.mark.parametrize("name", ["../../a", "a\nb", "x" * 201, "", "a b", "__class__\x00"])
def test_names_that_no_tensor_has_are_refused(tmp_path, name):
    torch.save({name: torch.ones(1)}, tmp_path / "w.pth")
    refused(tmp_path / "w.pth", "is no name of a tensor")


def test_a_file_that_is_too_large_is_not_read(tmp_path, monkeypatch):
    path = save(tmp_path / "w.npz")
    monkeypatch.setattr(weight_files, "MOST_BYTES", 100)
    refused(path, r"it has [\d,]+ bytes; allowed: up to 100")


def test_one_number_that_stands_for_many_is_refused(tmp_path):
    torch.save({"a": torch.ones(1).expand(10**12)}, tmp_path / "w.pth")
    refused(tmp_path / "w.pth", r"'a' has shape \(1000000000000,\), more than is stored of it")


def test_a_shape_that_the_file_does_not_hold_is_refused(tmp_path):
    header = npy(np.ones(4)).replace(b"(4,), }     ", b"(40000000,),")
    archive(tmp_path / "w.npz", [("a.npy", header)])
    refused(tmp_path / "w.npz", "it is damaged")


# --- damaged files, and what is no weight --------------------------------------------------------


def header_of_safetensors(table, *, length=None, data=b"\0" * 8):
    text = json.dumps(table).encode() if isinstance(table, dict) else table
    return struct.pack("<Q", len(text) if length is None else length) + text + data


TABLE = {"a": {"dtype": "F32", "shape": [2], "data_offsets": [0, 8]}}


def test_safetensors_with_the_right_header_is_read(tmp_path):
    (tmp_path / "w.safetensors").write_bytes(header_of_safetensors(TABLE))
    same(read_weights(tmp_path / "w.safetensors"), {"a": torch.zeros(2)})


@pytest.mark.parametrize(
    "content",
    [
        header_of_safetensors(TABLE, length=2**63),
        header_of_safetensors(TABLE, length=3),
        header_of_safetensors({"a": {**TABLE["a"], "shape": [2**40]}}),
        header_of_safetensors({"a": {**TABLE["a"], "data_offsets": [0, 4096]}}),
        header_of_safetensors({"a": {**TABLE["a"], "data_offsets": [8, 0]}}),
        header_of_safetensors({"a": {**TABLE["a"], "dtype": "PICKLE"}}),
        header_of_safetensors({"a": TABLE["a"], "b": TABLE["a"]}),
        header_of_safetensors(b"{" * 500),
        header_of_safetensors(TABLE, data=b""),
        b"",
        b"\x80\x02.",
    ],
)
def test_safetensors_with_a_wrong_header_is_refused(tmp_path, content):
    (tmp_path / "w.safetensors").write_bytes(content)
    refused(tmp_path / "w.safetensors", r"w\.safetensors' is refused: it is damaged")


@pytest.mark.parametrize("suffix", [".npz", ".safetensors", ".pth"])
@given(at=st.data())
def test_a_file_cut_anywhere_or_with_a_changed_byte_is_read_or_refused(
    tmp_path_factory, suffix, at
):
    """Never another error; numpy's and torch's archives have check sums, and notice each change."""
    path = save(tmp_path_factory.mktemp("cut") / f"w{suffix}")
    content = bytearray(path.read_bytes())
    place = at.draw(st.integers(0, len(content) - 1))
    if at.draw(st.booleans()):
        content = content[:place]
    else:
        content[place] ^= at.draw(st.integers(1, 255))
    path.write_bytes(content)
    try:
        found = read_weights(path)
    except ValueError:
        refused(path, "is refused")
    else:
        assert all(isinstance(tensor, torch.Tensor) for tensor in found.values())


@pytest.mark.parametrize(
    ("state", "message"),
    [
        ({"a": torch.ones(2, device="meta")}, "'a' is a meta tensor"),
        ({"a": torch.ones(2, dtype=torch.complex64)}, "'a' holds complex numbers"),
        ({"a": torch.tensor([1.0, torch.nan])}, "'a' holds NaN or infinity"),
        ({"a": torch.tensor([1.0, -torch.inf], dtype=torch.bfloat16)}, "'a' holds NaN or infinity"),
        ({"a": torch.eye(2).to_sparse()}, r"'a' is a torch\.sparse_coo tensor"),
        ({"a": torch.ones(2), "epoch": 3}, "'epoch' is of type int"),
        ({"a": [torch.ones(2)]}, "'a' is of type list"),
        ({"state_dict": {}}, "no dictionary of 1 to 20,000 tensors"),
        ({"model": 3}, "'model' is of type int"),
        ({3: torch.ones(1)}, "3 is no name of a tensor"),
        ([torch.ones(1)], "no dictionary"),
        (torch.ones(1), "no dictionary"),
        ({}, "no dictionary"),
    ],
)
def test_what_is_no_weight_is_refused_by_its_name(tmp_path, state, message):
    torch.save(state, tmp_path / "w.pth")
    refused(tmp_path / "w.pth", message)


@pytest.mark.parametrize(
    "array",
    [np.array([1j]), np.array(["a"]), np.array(["2020"], dtype="M8[D]"), np.ones(1, np.longdouble)],
    ids=lambda array: array.dtype.str,
)
def test_arrays_that_are_no_weights_are_refused(tmp_path, array):
    np.savez(tmp_path / "w.npz", a=array)
    refused(tmp_path / "w.npz", "'a' (is no array of real numbers|holds float)")


@pytest.mark.parametrize(
    ("name", "message"),
    [("w.npz", "there is no such file"), ("w.th", r"allowed: a file \.npz, \.safetensors")],
)
def test_what_is_no_such_file_is_named(tmp_path, name, message):
    with pytest.raises(ValueError, match=message):
        read_weights(tmp_path / name)
    with pytest.raises(ValueError, match=r"path=3 is not allowed: a path"):
        read_weights(3)


def test_what_is_no_archive_is_named(tmp_path):
    (tmp_path / "w.npz").write_bytes(npy(np.ones(3)))
    refused(tmp_path / "w.npz", "it is no zip archive")
    for content in (b"", b"garbage", b"PK\x03\x04garbage"):
        (tmp_path / "w.pth").write_bytes(content)
        refused(tmp_path / "w.pth", "it is damaged")
