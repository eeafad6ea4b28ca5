"""`load`: weights are found, checked by hash, and put in; what is wrong is said by name."""

from __future__ import annotations

import hashlib
import inspect
import json
import os
import re
import socket
from dataclasses import replace
from pathlib import Path

import numpy as np
import pytest
import skimage.data
import torch
import torchvision
from networks import global_random_state_untouched
from torch import nn
from torchvision.transforms import v2
from weights_at_hand import NETWORKS

from modclust_utils import pretrained
from modclust_utils.graphs import network_graph
from modclust_utils.paths import root
from modclust_utils.pretrained import loading, registry


def lite(channels, repeats):
    """Units of an EfficientNet-Lite: a stem of 32 and a head of 1,280, and between them blocks that
    widen their input six times (not the first), filter each channel, and project."""
    total, n_in = 32 + 1280, 32
    for stage, (n_out, n) in enumerate(zip(channels, repeats, strict=True)):
        for _ in range(n):
            total += n_out + (n_in if stage == 0 else 2 * 6 * n_in)
            n_in = n_out
    return total


SIZES = {
    "efficientnet_lite0": lite((16, 24, 40, 80, 112, 192, 320), (1, 2, 2, 3, 3, 4, 1)),
    "efficientnet_lite1": lite((16, 24, 40, 80, 112, 192, 320), (1, 3, 3, 4, 4, 5, 1)),
    "efficientnet_lite2": lite((16, 24, 48, 88, 120, 208, 352), (1, 3, 3, 4, 4, 5, 1)),
    # 96, and in each pair of eight fire modules a squeeze and two expansions
    "squeezenet1_0": 96 + 2 * ((16 + 128) + (32 + 256) + (48 + 384) + (64 + 512)),
    "mobilenet_v2": 17056,
    "tiny_darknet": 2192,
    "cifar10_resnet20": 16 + 6 * (16 + 32 + 64),
    "cifar10_resnet32": 16 + 10 * (16 + 32 + 64),
    "cifar10_resnet44": 16 + 14 * (16 + 32 + 64),
    "cifar10_resnet56": 16 + 18 * (16 + 32 + 64),
}


# --- the networks of the rows --------------------------------------------------------------------


@pytest.mark.parametrize("name", NETWORKS)
def test_each_network_has_the_weights_of_its_row_and_a_graph(name):
    with global_random_state_untouched():
        network, row = pretrained.load(name), pretrained.ROWS[name]
    assert (network.name, network.words, network.classes) == (name, row.words, row.classes)
    assert network.weights_hash == row.weights_hash == pretrained.weights_hash(name)
    assert not any(module.training for module in network.module.modules())
    assert not any(p.requires_grad for p in network.module.parameters())
    image = torch.zeros(1, 3, network.image_size, network.image_size)
    logits = network.module(network.prepare(image))
    assert logits.shape == (1, pretrained.N_CLASSES[network.classes])
    assert network_graph(network.module, image).adjacency.shape == 2 * (SIZES[name],)


@pytest.mark.parametrize("name", pretrained.NAMES)
def test_the_graph_of_each_network_has_its_size_without_weights(name):
    row = pretrained.ROWS[name]
    with torch.random.fork_rng(devices=[]):
        module = row.build().eval()
    image = torch.zeros(1, 3, row.image_size, row.image_size)
    assert len(network_graph(module, image).layer_of_unit) == SIZES[name]


def test_committed_records_are_about_graphs_of_these_sizes():
    folder = root() / "data" / "records"
    names = {
        path.stem: json.loads(path.read_text())["parameters"]["name"]
        for path in (folder / "pretrained-network").glob("*.json")
    }
    tests = [json.loads(path.read_text()) for path in (folder / "graph-shuffles").glob("*.json")]
    found = {
        (names[each["parameters"]["network"]], each["value"]["n_units"])
        for each in tests
        if each["parameters"]["network"] in names
    }
    assert len(found) >= 7
    assert found <= SIZES.items()


def test_every_row_says_where_its_weights_come_from():
    hashes = [row.weights_hash for row in pretrained.ROWS.values()]
    assert len(set(hashes)) == len(hashes)
    for name, row in pretrained.ROWS.items():
        assert row.name == name
        assert re.fullmatch("[0-9a-f]{64}", row.file_hash)
        assert re.fullmatch("[0-9a-f]{64}", row.weights_hash)
        assert row.words
        assert row.source
        assert row.licence
        assert pretrained.words(name) == row.words


def photograph(name, network):
    """An image that scikit-image ships, as the network takes it in."""
    image = torch.from_numpy(np.array(getattr(skimage.data, name)())).movedim(-1, 0)[None]
    bicubic = v2.InterpolationMode.BICUBIC
    image = v2.functional.resize(image, network.resize, interpolation=bicubic, antialias=True)
    return network.prepare(v2.functional.center_crop(image, network.image_size) / 255)


@pytest.mark.parametrize("variant", [0, 1, 2])
def test_efficientnet_lite_tells_a_cat_from_a_cup_of_coffee(variant):
    """In ImageNet's numbers: 281, 282 and 285 are domestic cats, 967 is espresso."""
    network = pretrained.load(f"efficientnet_lite{variant}")
    cat, coffee = (
        network.module(photograph(name, network)).softmax(1)[0] for name in ("chelsea", "coffee")
    )
    assert int(cat.argmax()) in (281, 282, 285)
    assert cat[[281, 282, 285]].sum() > 0.8
    assert int(coffee.argmax()) == 967
    assert coffee[967] > 0.5


# --- prepare -------------------------------------------------------------------------------------


def network_of(name="cifar10_resnet20", **changes):
    row = replace(pretrained.ROWS[name], **changes)
    fields = {key: getattr(row, key) for key in inspect.signature(pretrained.Pretrained).parameters
              if key not in ("module", "notes")}  # fmt: skip
    return pretrained.Pretrained(module=row.build(), **fields)


@pytest.mark.parametrize(
    ("name", "expected"),
    [
        # (x - mean) / std of torchvision, for white; (255 - 127) / 128; unchanged
        ("cifar10_resnet20", [0.515 / 0.229, 0.544 / 0.224, 0.594 / 0.225]),
        ("efficientnet_lite0", [1.0, 1.0, 1.0]),
        ("tiny_darknet", [1.0, 1.0, 1.0]),
    ],
)
def test_prepared_white_by_hand(name, expected):
    white = torch.ones(2, 3, 4, 5)
    found = network_of(name).prepare(white)
    assert found.shape == white.shape
    expected = torch.tensor(expected).reshape(3, 1, 1).expand_as(white)
    torch.testing.assert_close(found, expected)
    assert bool((white == 1).all())


def test_prepared_black_by_hand():
    black = torch.zeros(1, 3, 1, 1)
    found = network_of("efficientnet_lite0").prepare(black)
    torch.testing.assert_close(found, torch.full_like(black, -127 / 128))
    found = network_of("squeezenet1_0").prepare(black).flatten()
    torch.testing.assert_close(found, -torch.tensor([0.485 / 0.229, 0.456 / 0.224, 0.406 / 0.225]))


def test_gradients_go_back_through_prepare():
    images = torch.rand(1, 3, 2, 2, requires_grad=True)
    network_of().prepare(images).sum().backward()
    expected = (1 / torch.tensor(registry.STD)).reshape(3, 1, 1).expand(1, 3, 2, 2)
    torch.testing.assert_close(images.grad, expected)


@pytest.mark.parametrize(
    ("x", "message"),
    [
        (
            torch.rand(3, 4, 4),
            r"x has shape \(3, 4, 4\) and is torch\.float32; allowed: floats \(n, 3",
        ),
        (torch.rand(1, 1, 4, 4), r"x has shape \(1, 1, 4, 4\)"),
        (torch.zeros(1, 3, 4, 4, dtype=torch.uint8), r"is torch\.uint8; allowed: floats"),
        (torch.full((1, 3, 2, 2), 255.0), "x reaches from 255 to 255; allowed: pixels from 0 to 1"),
        (torch.full((1, 3, 2, 2), -0.1), "x reaches from -0.1 to -0.1"),
        (torch.full((1, 3, 2, 2), torch.nan), "x holds NaN"),
        (torch.zeros(1, 3, 2, 2, device="meta"), "x is a meta tensor"),
    ],
)
def test_images_of_another_form_are_refused(x, message):
    with pytest.raises(ValueError, match=message):
        network_of().prepare(x)


# --- hashes --------------------------------------------------------------------------------------


def test_the_hash_of_weights_by_hand():
    network = nn.Linear(2, 1)
    with torch.no_grad():
        network.weight.copy_(torch.tensor([[1.0, -2.0]]))
        network.bias.fill_(0.5)
    content = b"bias(1,)" + np.float32([0.5]).tobytes()
    content += b"weight(1, 2)" + np.float32([1.0, -2.0]).tobytes()
    assert pretrained.hash_of_weights(network) == hashlib.sha256(content).hexdigest()


def test_the_hash_of_weights_knows_buffers_and_each_change():
    networks = [nn.Sequential(nn.Conv2d(1, 2, 3), nn.BatchNorm2d(2)) for _ in range(2)]
    networks[1].load_state_dict(networks[0].state_dict())
    first, second = map(pretrained.hash_of_weights, networks)
    assert first == second
    networks[1][1].running_mean[1] += 1
    assert pretrained.hash_of_weights(networks[1]) != first
    with pytest.raises(
        ValueError, match=r"module is of type OrderedDict; allowed: torch\.nn\.Module"
    ):
        pretrained.hash_of_weights(networks[0].state_dict())


# --- files ---------------------------------------------------------------------------------------


@pytest.fixture
def own_weights(tmp_path, monkeypatch):
    """A folder with a CIFAR ResNet of our own that stands for the known one; its state."""
    module = pretrained.ROWS["cifar10_resnet20"].build()
    state = {key: value for key, value in module.state_dict().items() if "num_batches" not in key}
    path = tmp_path / "cifar10_resnet20.npz"
    np.savez(path, **{key: value.numpy() for key, value in state.items()})
    row = replace(
        pretrained.ROWS["cifar10_resnet20"],
        file_hash=hashlib.sha256(path.read_bytes()).hexdigest(),
        weights_hash=pretrained.hash_of_weights(module),
    )
    monkeypatch.setitem(registry.ROWS, "cifar10_resnet20", row)
    return state


def loads(**arguments):
    return pretrained.load("cifar10_resnet20", **arguments)


def test_the_folder_is_that_of_the_environment_else_beside_the_data(monkeypatch, tmp_path):
    monkeypatch.delenv("MODCLUST_WEIGHTS", raising=False)
    monkeypatch.delenv("MODCLUST_DATA", raising=False)
    assert pretrained.weights_folder() == root() / "data" / "downloads" / "weights"
    monkeypatch.setenv("MODCLUST_DATA", str(tmp_path))
    assert pretrained.weights_folder() == tmp_path / "weights"
    monkeypatch.chdir(tmp_path)
    for name in ("mine", str(tmp_path / "mine")):
        monkeypatch.setenv("MODCLUST_WEIGHTS", name)
        assert pretrained.weights_folder() == tmp_path / "mine"


def test_a_network_is_loaded_from_either_folder(own_weights, tmp_path, monkeypatch):
    monkeypatch.setenv("MODCLUST_WEIGHTS", "/does/not/exist")
    first = loads(folder=tmp_path)
    monkeypatch.setenv("MODCLUST_WEIGHTS", str(tmp_path))
    second = loads()
    assert first.weights_hash == second.weights_hash
    for key, value in own_weights.items():
        assert torch.equal(second.module.state_dict()[key], value)


def test_a_missing_file_is_named_with_how_to_get_it(monkeypatch, tmp_path):
    monkeypatch.setenv("MODCLUST_WEIGHTS", str(tmp_path))
    for name, row in pretrained.ROWS.items():
        if not row.package:
            missing = f"name='{name}': its weights, {row.file}, are not in {tmp_path}"
            with pytest.raises(ValueError, match=f"{missing}.*set MODCLUST_WEIGHTS"):
                pretrained.load(name)


@pytest.mark.parametrize("variant", [0, 1, 2])
def test_a_missing_package_is_named(monkeypatch, tmp_path, variant):
    name = f"efficientnet_lite{variant}"
    row = replace(pretrained.ROWS[name], package="no-such-package-of-weights")
    monkeypatch.setitem(registry.ROWS, row.name, row)
    with pytest.raises(ValueError, match="install the package no-such-package-of-weights, or set"):
        pretrained.load(row.name, folder=tmp_path)


class Hostile:
    """A pickle of it makes a file when it is read."""

    def __init__(self, target):
        self.target = str(target)

    def __reduce__(self):
        return os.mkdir, (self.target,)


def save(path, state):
    """A file of the format that its name says; objects in it are pickled."""
    if path.suffix == ".npz":
        np.savez(path, **{name: np.asarray(value) for name, value in state.items()})
    else:
        torch.save(state, path)


@pytest.mark.parametrize("name", pretrained.NAMES)
def test_a_hostile_file_in_the_place_of_each_is_refused_and_runs_nothing(name, tmp_path):
    row, target = pretrained.ROWS[name], tmp_path / "made"
    save(tmp_path / row.file, {"weight": np.ones(3), "more": Hostile(target)})
    with pytest.raises(ValueError, match=f"{row.file}' is refused: it .*(would|could) run code"):
        pretrained.load(name, folder=tmp_path)
    assert not target.exists()


@pytest.mark.parametrize("name", pretrained.NAMES)
def test_another_file_in_the_place_of_each_is_refused(name, tmp_path):
    """A good file of other weights, and the same file cut short."""
    row = pretrained.ROWS[name]
    path = tmp_path / row.file
    save(path, {"weight": torch.ones(300)})
    assert pretrained.is_at_hand(name, folder=tmp_path)
    with pytest.raises(ValueError, match=f"the file {path} was altered.*allowed: {row.file_hash}"):
        pretrained.load(name, folder=tmp_path)
    path.write_bytes(path.read_bytes()[:-99])
    with pytest.raises(ValueError, match=f"{row.file}' is refused: it is (damaged|no zip)"):
        pretrained.load(name, folder=tmp_path)


def test_what_is_at_hand_without_a_download(tmp_path, monkeypatch):
    monkeypatch.setattr(
        torch.hub, "download_url_to_file", lambda *_, **__: pytest.fail("it was downloaded")
    )
    for name, row in pretrained.ROWS.items():
        assert pretrained.is_at_hand(name, folder=tmp_path) == bool(row.package)
    name = "torchvision:squeezenet1_1"
    assert not pretrained.is_at_hand(name, folder=tmp_path)
    (tmp_path / registry.find_row(name).file).write_bytes(b"")
    assert pretrained.is_at_hand(name, folder=tmp_path)
    with pytest.raises(ValueError, match="name='resnet' is not allowed"):
        pretrained.is_at_hand("resnet")


def test_a_file_in_the_folder_goes_before_that_of_the_package(tmp_path):
    row = pretrained.ROWS["efficientnet_lite0"]
    (tmp_path / row.file).write_bytes(b"another")
    with pytest.raises(ValueError, match=f"{row.file}' is refused: it is damaged"):
        pretrained.load(row.name, folder=tmp_path)


def test_an_altered_file_is_not_taken(own_weights, tmp_path):
    path = tmp_path / "cifar10_resnet20.npz"
    state = {key: value.numpy() for key, value in own_weights.items()}
    np.savez(path, **{**state, "linear.bias": state["linear.bias"] + 1})
    with pytest.raises(ValueError, match=f"the file {path} was altered.*SHA-256 is .*; allowed: "):
        loads(folder=tmp_path)


def test_a_row_whose_module_changed_is_noticed(own_weights, tmp_path, monkeypatch):
    row = replace(registry.ROWS["cifar10_resnet20"], weights_hash="0" * 64)
    monkeypatch.setitem(registry.ROWS, row.name, row)
    with pytest.raises(ValueError, match=r"weights of cifar10_resnet20\.npz have another hash"):
        loads(folder=tmp_path)


def test_weights_of_a_network_that_asks_for_their_version(tmp_path):
    original = torchvision.models.mnasnet0_5().eval()
    path = tmp_path / "mnasnet.pth"
    torch.save(original.state_dict(), path)
    network = pretrained.load("torchvision:mnasnet0_5", path=path)
    x = torch.rand(2, 3, 64, 64)
    torch.testing.assert_close(network.module(x), original(x))


def test_weights_of_ones_own_for_an_architecture(own_weights, tmp_path):
    path = tmp_path / "mine.pth"
    state = {f"module.{key}": value for key, value in own_weights.items()}
    torch.save({"state_dict": {**state, "module.linear.bias": torch.ones(10)}}, path)
    network = loads(path=path)
    assert torch.equal(network.module.linear.bias, torch.ones(10))
    assert network.weights_hash == pretrained.hash_of_weights(network.module)
    assert network.weights_hash != loads(folder=tmp_path).weights_hash
    assert network.notes == (
        "The weights are of the file mine.pth.",
        "The weights were taken from 'state_dict'.",
        "'module.' was taken off the names.",
    )


@pytest.mark.parametrize(
    ("change", "message"),
    [
        (
            lambda s: s.pop("conv1.weight"),
            "do not fit: missing conv1.weight; allowed: the 116 tensors",
        ),
        (lambda s: s.update(extra=torch.ones(1)), "do not fit: unknown extra;"),
        (
            lambda s: s["bn1.running_var"].__setitem__(3, -1e-9),
            "do not fit: variances below 0 in bn1.running_var;",
        ),
        (
            lambda s: s.update({"linear.weight": torch.ones(9, 64)}),
            r"of another shape linear\.weight \(9, 64\) in place of \(10, 64\)",
        ),
        (
            lambda s: [s.pop(key) for key in [*s] if key.startswith("layer1")],
            r"missing layer1\.0\.bn1\.bias, .* and 25 more",
        ),
    ],
)
def test_weights_of_another_network_are_refused_by_their_names(
    own_weights, tmp_path, change, message
):
    change(own_weights)
    torch.save(own_weights, tmp_path / "mine.pth")
    with pytest.raises(ValueError, match=message):
        loads(path=tmp_path / "mine.pth")


# --- names ---------------------------------------------------------------------------------------


@pytest.mark.parametrize(
    ("name", "message"),
    [
        ("squeezenet1_1", r"allowed: .*, or torchvision:NAME .*Did you mean 'squeezenet1_0'"),
        ("SqueezeNet1_0", "Did you mean 'squeezenet1_0'"),
        (3, "name=3 is not allowed"),
        ("torchvision:resnet17", "is not allowed: torchvision: with .*resnet18"),
        ("torchvision:fcn_resnet50", "is not allowed: torchvision: with"),
        ("torchvision:resnet50:V9", "torchvision:resnet50: with IMAGENET1K_V1, IMAGENET1K_V2"),
        # no classifier: the weights of its last layers are missing
        ("torchvision:vgg16:IMAGENET1K_FEATURES", "torchvision:vgg16: with IMAGENET1K_V1"),
    ],
)
def test_names_that_there_are_not(name, message):
    with pytest.raises(ValueError, match=message):
        pretrained.load(name)
    with pytest.raises(ValueError, match=message):
        pretrained.words(name)


def test_every_classifier_of_torchvision_has_a_row():
    models = torchvision.models.list_models(module=torchvision.models)
    rows = [registry.find_row(f"torchvision:{model}") for model in models]
    assert len({row.file for row in rows}) == len(rows) > 70
    for row in rows:
        assert re.fullmatch("[0-9a-f]{8,}", row.file_hash)
        assert row.interpolation in ("bilinear", "bicubic")
        assert row.image_size <= row.resize


def test_images_for_torchvision_are_as_its_own_table_has_them():
    row = registry.find_row("torchvision:inception_v3")
    images = torchvision.models.Inception_V3_Weights.IMAGENET1K_V1.transforms()
    assert (
        (row.image_size, row.resize) == (299, 342) == (images.crop_size[0], images.resize_size[0])
    )
    row = registry.find_row("torchvision:resnet50")
    assert (row.file, row.file_hash) == ("resnet50-0676ba61.pth", "0676ba61")
    row = registry.find_row("torchvision:resnet50:IMAGENET1K_V2")
    assert (row.file, row.resize) == ("resnet50-11ad3fa6.pth", 232)


# --- torchvision ---------------------------------------------------------------------------------


def of_torchvision(model, folder, *, rename=lambda key: key, **built_with):
    """Weights of ones under the name that torchvision has for them, and their row."""
    module = torchvision.models.get_model(model, weights=None, **built_with)
    state = {rename(key): torch.ones_like(value) for key, value in module.state_dict().items()}
    row = registry.find_row(f"torchvision:{model}")
    torch.save(state, folder / row.file)
    return row


@pytest.fixture
def any_hash(monkeypatch):
    find = registry.find_row
    monkeypatch.setattr(loading, "find_row", lambda name: replace(find(name), file_hash=""))


def test_a_network_of_torchvision_from_a_file_that_is_there(tmp_path, any_hash):
    of_torchvision("squeezenet1_1", tmp_path)
    network = pretrained.load("torchvision:squeezenet1_1", folder=tmp_path)
    assert network.words == "squeezenet1_1 (torchvision, IMAGENET1K_V1)"
    assert bool((network.module.features[0].weight == 1).all())


def test_names_in_the_files_of_densenets(tmp_path, any_hash):
    def older(key):
        return re.sub(r"(denselayer\d+\.(?:norm|conv))([12])\.", r"\1.\2.", key)

    of_torchvision("densenet121", tmp_path, rename=older)
    network = pretrained.load("torchvision:densenet121", folder=tmp_path)
    assert bool((network.module.features.conv0.weight == 1).all())


def test_inception_takes_the_pixels_of_torchvision(tmp_path, any_hash):
    """Its weights are those of another scale of pixels, which the module itself changes."""
    of_torchvision("inception_v3", tmp_path, init_weights=False)
    network = pretrained.load("torchvision:inception_v3", folder=tmp_path)
    assert network.module.transform_input


def test_a_cut_download_is_not_taken(tmp_path):
    row = of_torchvision("squeezenet1_1", tmp_path)
    with pytest.raises(ValueError, match=f"{row.file} was altered, or its download was cut short"):
        pretrained.load("torchvision:squeezenet1_1", folder=tmp_path)


def test_without_a_network_the_download_says_what_to_do(tmp_path, monkeypatch):
    def offline(*_, **__):
        raise OSError("no network here")

    monkeypatch.setattr(socket, "getaddrinfo", offline)
    with pytest.raises(ValueError, match=r"resnet18-f37072fd\.pth, are not in .*download of https"):
        pretrained.load("torchvision:resnet18", folder=tmp_path / "new")
    assert not any((tmp_path / "new").iterdir())


def test_a_download_goes_to_the_folder_and_is_checked(tmp_path, monkeypatch):
    row = of_torchvision("squeezenet1_1", tmp_path)
    content = (tmp_path / row.file).read_bytes()
    server = tmp_path / "server"
    server.mkdir()
    (server / row.file).write_bytes(content)
    url = (server / row.file).as_uri()
    find = registry.find_row
    for file_hash, fits in ((hashlib.sha256(content).hexdigest(), True), ("0" * 8, False)):
        own = replace(row, url=url, file_hash=file_hash)
        monkeypatch.setattr(
            loading, "find_row", lambda name, own=own: own if name == own.name else find(name)
        )
        folder = tmp_path / str(fits)
        if fits:
            network = pretrained.load(row.name, folder=folder)
            assert bool((network.module.features[0].weight == 1).all())
        else:
            with pytest.raises(ValueError, match=r"download of file:.* failed.*invalid hash"):
                pretrained.load(row.name, folder=folder)
        assert [path.name for path in folder.iterdir()] == [row.file] * fits


def test_a_folder_must_be_a_path():
    for arguments in ({"folder": 3}, {"path": 3}, {"folder": ""}):
        (name,) = arguments
        with pytest.raises(ValueError, match=f"{name}=.* is not allowed: a path"):
            pretrained.load("efficientnet_lite0", **arguments)
    assert pretrained.load("efficientnet_lite0", folder=Path("/does/not/exist")).image_size == 224
