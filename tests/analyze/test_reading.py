"""Networks are read from files, names and memory, and what does not fit is said."""

from __future__ import annotations

from pathlib import Path

import numpy as np
import pytest
import torch
import torchvision
from own_networks import Gated, planted
from safetensors.torch import save_file
from torch import nn
from torch.nn.utils import prune

from modclust_utils.datasets import DataError
from modclust_utils.own.architectures import Called, called
from modclust_utils.own.read_apart import read_file
from modclust_utils.own.reading import read_network
from modclust_utils.pretrained import load
from modclust_utils.pretrained.architectures import cifar_resnet

NETWORK = planted()
X = torch.rand(5, 16)


def write(path: Path, content) -> Path:
    if path.suffix == ".npz":
        np.savez(path, **{name: tensor.numpy() for name, tensor in content.items()})
    elif path.suffix == ".safetensors":
        save_file(content, path)
    else:
        torch.save(content, path)
    return path


@pytest.mark.parametrize("suffix", [".npz", ".safetensors", ".pth"])
def test_plain_network_is_read_from_every_kind_of_file(tmp_path, suffix):
    found = read_network(write(tmp_path / f"mine{suffix}", NETWORK.state_dict()))
    torch.testing.assert_close(found.module(X), NETWORK(X))
    assert (found.name, found.input_shape, found.assumed) == ("mine", (16,), True)
    assert not found.module.training
    torch.testing.assert_close(found.maker().prepare(torch.ones(2, 1, 1, 16)), torch.ones(2, 16))


def test_checkpoint_is_unwrapped_and_that_is_said(tmp_path):
    state = {f"module.{name}": tensor for name, tensor in NETWORK.state_dict().items()}
    path = write(tmp_path / "checkpoint.pt", {"state_dict": state, "epoch": 3})
    found = read_network(path)
    torch.testing.assert_close(found.module(X), NETWORK(X))
    assert "The weights were taken from 'state_dict', and epoch left out." in found.notes
    assert "'module.' was taken off the names." in found.notes


class Evil:
    """Would write a file when it is unpickled."""

    def __init__(self, path: Path) -> None:
        self.path = path

    def __reduce__(self):
        return Path.touch, (self.path,)


def test_pickle_that_wants_to_run_code_is_refused_and_says_why(tmp_path):
    path, witness = tmp_path / "evil.pth", tmp_path / "witness"
    torch.save({"weight": Evil(witness)}, path)
    with pytest.raises(DataError, match="holds more than tensors, and would run code to make a"):
        read_network(path)
    assert not witness.exists()


def test_reading_process_that_dies_is_an_error_that_says_so(tmp_path, monkeypatch):
    path = write(tmp_path / "mine.pth", NETWORK.state_dict())
    script = tmp_path / "dies"
    script.write_text("#!/bin/sh\nexit 9\n", encoding="utf-8")
    script.chmod(0o755)
    monkeypatch.setattr("sys.executable", str(script))
    with pytest.raises(DataError, match="the process that read it ended with 9"):
        read_file(path)


def test_architecture_of_an_installed_module(tmp_path):
    torch.manual_seed(0)
    original = cifar_resnet(8).eval()
    path = write(tmp_path / "resnet.safetensors", original.state_dict())
    where = "modclust_utils.pretrained.architectures:cifar_resnet"
    with pytest.raises(ValueError, match=r"failed \(TypeError"):
        read_network(path, architecture=where)
    found = read_network(path, architecture=lambda: cifar_resnet(8), input_shape=(3, 32, 32))
    x = torch.rand(2, 3, 32, 32)
    torch.testing.assert_close(found.module(x), original(x))
    assert not found.assumed


def test_architecture_in_a_file_needs_trust_and_stays_what_it_was(tmp_path):
    path = write(tmp_path / "mine.safetensors", NETWORK.state_dict())
    code = tmp_path / "mine.py"
    code.write_text(
        "from torch import nn\n\ndef build():\n    return nn.Sequential(nn.Linear(16, 24), "
        "nn.ReLU(), nn.Linear(24, 24), nn.ReLU(), nn.Linear(24, 4))\n",
        encoding="utf-8",
    )
    where = f"{code}:build"
    with pytest.raises(ValueError, match=r"runs the code in mine\.py; allowed: with --trust-code"):
        read_network(path, architecture=where)
    found = read_network(path, architecture=where, trust_code=True)
    torch.testing.assert_close(found.module(X), NETWORK(X))
    code.write_text("raise SystemExit\n", encoding="utf-8")
    with pytest.raises(ValueError, match="has changed since its code was trusted"):
        found.maker.build()


@pytest.mark.parametrize(
    "where", ["torch.nn", "no.such.module:net", "torch.nn:Nothing", "missing.py:build", ":x", "a b"]
)
def test_place_of_no_architecture_is_refused(tmp_path, where):
    with pytest.raises(ValueError, match="architecture="):
        called(where, trust_code=True)()


def test_what_gives_no_module_is_refused():
    with pytest.raises(ValueError, match=r"gives a dict; allowed: a torch\.nn\.Module"):
        Called("builtins:dict")()


def test_number_of_classes_is_that_of_the_file(tmp_path):
    torch.manual_seed(0)
    original = torchvision.models.squeezenet1_1(num_classes=7)
    path = write(tmp_path / "squeeze.safetensors", original.state_dict())
    found = read_network(
        path, architecture="torchvision.models:squeezenet1_1", input_shape=(3, 64, 64)
    )
    assert found.module(torch.zeros(1, 3, 64, 64)).shape == (1, 7)
    assert "The architecture was built for 7 classes, as the file has them." in found.notes


def test_layers_that_take_tensors_in_their_own_way(tmp_path):
    """MNASNet takes none without the version in which they were written, which no file says."""
    torch.manual_seed(0)
    original = torchvision.models.mnasnet0_5().eval()
    path = write(tmp_path / "mnasnet.safetensors", original.state_dict())
    found = read_network(path, architecture="torchvision.models:mnasnet0_5")
    x = torch.rand(2, 3, 64, 64)
    torch.testing.assert_close(found.module(x), original(x))


class Refuses(nn.Linear):
    """A layer that breaks on tensors that it is given."""

    def _load_from_state_dict(self, *_: object) -> None:
        raise KeyError("scale")


def test_layers_that_take_no_tensors_are_named(tmp_path):
    path = write(tmp_path / "mine.safetensors", Refuses(4, 2).state_dict())
    with pytest.raises(
        ValueError, match=r"Refuses does not take the tensors \('scale'\); allowed:"
    ):
        read_network(path, architecture=lambda: Refuses(4, 2))


def test_keys_that_do_not_fit_are_named(tmp_path):
    state = NETWORK.state_dict()
    state["extra.weight"] = torch.zeros(3)
    del state["2.bias"]
    state["4.weight"] = torch.zeros(9, 24)
    path = write(tmp_path / "mine.safetensors", state)
    found = read_network(path, architecture=planted)
    assert found.keys.missing == ("2.bias",)
    assert found.keys.unknown == ("extra.weight",)
    assert found.keys.of_another_shape == ("4.weight (9, 24) in place of (4, 24)",)
    assert "2.bias" in found.keys.problem
    assert "extra.weight" not in found.keys.problem


def test_module_in_memory_is_left_as_it_was():
    network = planted().train()
    before = {name: tensor.clone() for name, tensor in network.state_dict().items()}
    found = read_network(network, name="mine")
    assert network.training
    assert all((network.state_dict()[name] == tensor).all() for name, tensor in before.items())
    assert found.weights_hash == read_network(planted()).weights_hash
    assert found.operations_hash == read_network(planted(1)).operations_hash
    other = nn.Sequential(*[nn.GELU() if isinstance(m, nn.ReLU) else m for m in network])
    assert found.operations_hash != read_network(other).operations_hash


@pytest.mark.parametrize("shape", [(15,), (0,), (2, 2, 2, 2), ("a",)])
def test_input_shape_that_does_not_go_through_is_refused(shape):
    with pytest.raises(ValueError, match="input_shape"):
        read_network(planted(), input_shape=shape)


@pytest.mark.parametrize("network", ["nothing.pth", "torchvision:resnet19", 7, None])
def test_network_that_is_not_there_is_refused(network):
    with pytest.raises(ValueError, match=r"network=|name="):
        read_network(network)


def test_network_that_cannot_be_followed_can_be_read():
    assert read_network(Gated()).input_shape == (6,)


JUNK = (
    *(None, "", "nothing", 7, -1, 2.5, float("nan"), True, b"x", [], ["a"], {}, {"a": 1}, object()),
    *(np.ones(3), np.array(["a"]), torch.ones(2, 2), nn.LSTM(2, 2), Path("nowhere"), lambda: 3),
)


@pytest.mark.parametrize("name", ["network", "architecture", "input_shape", "prepared", "name"])
def test_whatever_is_passed_is_taken_or_refused_by_name(tmp_path, name):
    file = write(tmp_path / "mine.safetensors", NETWORK.state_dict())
    refused = []
    for junk in JUNK:
        try:
            read_network(**{"network": file, name: junk})
        except ValueError as error:
            refused.append((junk, str(error)))
    assert [each for each in refused if name not in each[1] and not callable(each[0])] == []
    assert len(refused) > len(JUNK) / 2


@pytest.mark.parametrize(
    ("last", "name"),
    [(nn.Softmax(1), "3"), (nn.LogSoftmax(1), "3"), (nn.Identity(), "")],
)
def test_softmax_at_the_end_is_left_off_and_that_is_said(last, name):
    network = nn.Sequential(nn.Linear(6, 8), nn.ReLU(), nn.Linear(8, 3), last)
    found = read_network(network)
    torch.testing.assert_close(found.module(X[:, :6]), network[:3](X[:, :6]))
    assert bool(name) == any(f"operation, {name!r}, was left off" in note for note in found.notes)
    # in another process it is built from the whole
    torch.testing.assert_close(found.maker().module(X[:, :6]), found.module(X[:, :6]))


def test_softmax_as_a_function_is_left_off_and_one_inside_is_not():
    class Ends(nn.Module):
        def __init__(self) -> None:
            super().__init__()
            self.first, self.last = nn.Linear(6, 8), nn.Linear(8, 3)

        def forward(self, x):
            return nn.functional.log_softmax(self.last(self.first(x).relu()), dim=1)

    class Inside(Ends):
        def forward(self, x):
            return self.last(self.first(x).softmax(1))

    assert read_network(Ends()).notes[0].startswith("The last operation, 'log_softmax'")
    assert "left off" not in " ".join(read_network(Inside()).notes)


def test_without_its_softmax_a_network_computes_the_same_where_it_adds_in_place():
    class Aliased(nn.Module):
        def __init__(self) -> None:
            super().__init__()
            self.first, self.last = nn.Linear(6, 6), nn.Linear(6, 3)

        def forward(self, x):
            h = self.first(x)
            same = h
            same += h.relu()
            return self.last(h).log_softmax(1)

    network = Aliased()
    found = read_network(network)
    assert "left off" in found.notes[0]
    torch.testing.assert_close(found.module(X[:, :6]).log_softmax(1), network(X[:, :6]))


def test_masks_of_pruning_are_multiplied_in(tmp_path):
    network = planted()
    for layer in network[::2]:
        prune.l1_unstructured(layer, "weight", amount=0.5)
    path = write(tmp_path / "pruned.pth", network.state_dict())
    for options in ({}, {"architecture": planted}):
        found = read_network(path, **options)
        torch.testing.assert_close(found.module(X), network(X))
        assert "3 tensors of weights were multiplied by their masks of pruning." in found.notes


def test_module_that_cannot_be_copied_is_refused_and_says_why():
    network = planted().requires_grad_(True)
    prune.l1_unstructured(network[0], "weight", amount=0.5)
    with pytest.raises(ValueError, match=r"cannot be copied .*prune\.remove"):
        read_network(network)


def test_error_without_words_is_named():
    class Picky(nn.Module):
        def __init__(self) -> None:
            super().__init__()
            self.first = nn.Linear(6, 2)

        def forward(self, x):
            if x.shape[1] == 6:
                raise AssertionError
            return self.first(x)

    with pytest.raises(ValueError, match=r"input_shape=\(6,\) .*AssertionError"):
        read_network(Picky(), input_shape=(6,))


def test_architecture_of_another_precision_is_the_same_network_elsewhere(tmp_path):
    path = write(tmp_path / "mine.safetensors", NETWORK.state_dict())
    found = read_network(path, architecture=lambda: planted().double())
    assert {each.dtype for each in found.maker().module.parameters()} == {torch.float32}


def test_architecture_in_a_file_finds_what_lies_beside_it_and_may_not_end_us(tmp_path):
    path = write(tmp_path / "mine.safetensors", NETWORK.state_dict())
    (tmp_path / "beside_it.py").write_text("from own_networks import planted\n", encoding="utf-8")
    code = tmp_path / "mine.py"
    code.write_text("from beside_it import planted\n", encoding="utf-8")
    found = read_network(path, architecture=f"{code}:planted", trust_code=True)
    torch.testing.assert_close(found.module(X), NETWORK(X))
    code.write_text("raise SystemExit(0)\n", encoding="utf-8")
    with pytest.raises(ValueError, match=r"mine\.py fails \(SystemExit"):
        read_network(path, architecture=f"{code}:planted", trust_code=True)


def test_number_of_classes_that_does_not_help_is_not_tried_further(tmp_path):
    code = tmp_path / "wide.py"
    code.write_text(
        "from torch import nn\n\ndef build(num_classes=4):\n    assert num_classes < 9\n"
        "    return nn.Sequential(nn.Linear(16, num_classes))\n",
        encoding="utf-8",
    )
    state = {"0.weight": torch.zeros(9, 16), "0.bias": torch.zeros(9)}
    path = write(tmp_path / "mine.safetensors", state)
    found = read_network(path, architecture=f"{code}:build", trust_code=True)
    assert "0.bias (9,) in place of (4,)" in found.keys.problem


def test_code_that_lies_around_is_not_run_where_a_pickle_is_read(tmp_path, monkeypatch):
    path = write(tmp_path / "mine.pth", NETWORK.state_dict())
    (tmp_path / "torch.py").write_text("open('witness', 'w')\n", encoding="utf-8")
    monkeypatch.chdir(tmp_path)
    assert len(read_file(path).tensors) == 6
    assert not (tmp_path / "witness").exists()


@pytest.mark.parametrize(
    ("shape", "expected"), [((7, 10, 10, 3), (3, 10, 10)), ((7, 3, 12, 9), (3, 12, 9))]
)
def test_shape_is_that_of_the_images_at_hand(tmp_path, shape, expected):
    np.savez(tmp_path / "images.npz", x=np.zeros(shape, np.uint8))
    network = nn.Sequential(nn.Conv2d(3, 4, 3), nn.AdaptiveAvgPool2d(1), nn.Flatten())
    found = read_network(network, images=tmp_path / "images.npz")
    assert found.input_shape == expected
    assert "as those at hand" in found.notes[-1]
    assert read_network(network, images=tmp_path / "nothing.npz").input_shape == (3, 224, 224)


def test_chain_that_is_assumed_takes_small_images(tmp_path):
    chain = nn.Sequential(nn.Conv2d(3, 4, 3), nn.ReLU(), nn.Conv2d(4, 4, 3))
    path = write(tmp_path / "mine.safetensors", chain.state_dict())
    assert read_network(path).input_shape == (3, 32, 32)


def test_images_of_a_known_network_are_prepared_as_its_authors_do():
    found, known = read_network("efficientnet_lite0"), load("efficientnet_lite0")
    images = torch.rand(2, 3, *found.input_shape[1:])
    torch.testing.assert_close(found.maker.prepare(images), known.prepare(images))
    other = read_network("efficientnet_lite0", prepared="imagenet").maker.prepare(images)
    assert not torch.allclose(other, known.prepare(images))


def test_architecture_beside_a_module_in_memory_is_refused():
    with pytest.raises(ValueError, match="architecture is not allowed for a module in memory"):
        read_network(planted(), architecture=planted)


@pytest.mark.parametrize("prefix", ["model.", "_orig_mod."])
def test_first_part_of_all_names_is_taken_off_where_the_rest_fits(tmp_path, prefix):
    state = {f"{prefix}{name}": tensor for name, tensor in NETWORK.state_dict().items()}
    found = read_network(write(tmp_path / "mine.safetensors", state), architecture=planted)
    torch.testing.assert_close(found.module(X), NETWORK(X))
    assert f"{prefix!r} was taken off the names." in found.notes
    other = write(tmp_path / "other.safetensors", {"model.0.weight": torch.zeros(24, 16)})
    assert "2.weight" in read_network(other, architecture=planted).keys.problem


def test_state_under_another_key_is_told_where_it_is_looked_for(tmp_path):
    path = write(tmp_path / "mine.pth", {"net": NETWORK.state_dict(), "epoch": 3})
    with pytest.raises(DataError, match="looked for under state_dict, model_state_dict, model"):
        read_network(path)
