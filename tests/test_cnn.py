"""The small convolutional network: its form, its first weights, and its training."""

from __future__ import annotations

import copy
import math

import numpy as np
import pytest
import torch
from networks import rng_of

from modclust_utils import datasets
from modclust_utils.cnn import CnnState, train_cnn
from modclust_utils.convolutional import small_cnn
from modclust_utils.graphs import network_graph
from modclust_utils.models import derived_seed
from modclust_utils.settings import CnnSettings, VggSettings

SMALL = CnnSettings((8, 8), 3, channels=3, dense=5, epochs=2, batch_size=16)


def images(n=50, seed=0):
    """Bright rows in one of three places."""
    rng = rng_of(seed)
    y = rng.integers(3, size=n)
    x = rng.random((n, 8, 8)) * 0.3
    x[np.arange(n), 2 * y + 1] += 0.7
    return x.reshape(n, 64), y


def test_the_network_of_the_paper():
    network = small_cnn(CnnSettings())
    assert [tuple(p.shape) for n, p in network.named_parameters() if n.endswith("weight")] == [
        (64, 1, 3, 3),
        (64, 64, 3, 3),
        (64, 64, 3, 3),
        (128, 64 * 7 * 7),
        (10, 128),
    ]
    assert network(torch.zeros(2, 1, 28, 28)).shape == (2, 10)
    graph = network_graph(network, torch.zeros(1, 1, 28, 28))
    assert graph.layer_names == graph.output_names == ("conv1", "conv2", "conv3")
    assert len(graph.layer_of_unit) == 192


def test_first_weights_are_uniform_after_glorot_and_biases_are_0():
    settings = CnnSettings(epochs=0)
    network = train_cnn(rng_of(0).random((2, 784)), [0, 1], settings, seed=4, device="cpu").network
    for name, parameter in network.requires_grad_(False).named_parameters():
        if name.endswith("bias"):
            assert not parameter.any()
            continue
        positions = parameter[0, 0].numel()  # of a kernel; 1 of a dense layer
        limit = math.sqrt(6 / ((parameter.shape[0] + parameter.shape[1]) * positions))
        assert 0.9 * limit < parameter.abs().max() <= limit
        assert parameter.std() == pytest.approx(limit / math.sqrt(3), rel=0.1)


def test_an_epoch_is_steps_of_adam_over_all_images_in_a_new_order():
    x, y = images()
    states = []
    train_cnn(x, y, SMALL, seed=1, device="cpu", on_epoch=states.append)
    start = train_cnn(x, y, CnnSettings(**{**vars(SMALL), "epochs": 0}), seed=1, device="cpu")
    plain = copy.deepcopy(start.network).train()
    optimizer = torch.optim.Adam(plain.parameters(), lr=1e-3, eps=1e-7)
    pictures, classes = torch.tensor(x).float().view(-1, 1, 8, 8), torch.tensor(y)
    for epoch, state in enumerate(states):
        generator = torch.Generator().manual_seed(derived_seed(1, 1 + epoch))
        hits = 0
        for batch in torch.randperm(50, generator=generator).split(16):
            logits = plain(pictures[batch])
            hits += int((logits.argmax(1) == classes[batch]).sum())
            loss = -logits.log_softmax(1)[torch.arange(len(batch)), classes[batch]].mean()
            optimizer.zero_grad()
            loss.backward()
            optimizer.step()
        assert state.running_accuracy == pytest.approx(hits / 50)
        for name, value in plain.state_dict().items():
            torch.testing.assert_close(state.parameters[name], value, rtol=1e-4, atol=1e-6)
    assert [state.epoch for state in states] == [1, 2]


def test_a_run_that_stopped_goes_on_as_if_it_had_not():
    x, y = images()
    states: list[CnnState] = []
    whole = train_cnn(x, y, SMALL, seed=1, device="cpu", on_epoch=states.append)
    resumed = train_cnn(x, y, SMALL, seed=1, device="cpu", state=copy.deepcopy(states[0]))
    assert all(map(torch.equal, whole.network.parameters(), resumed.network.parameters()))
    assert whole.running_accuracy == resumed.running_accuracy
    # states of earlier epochs stay what they were
    first, second = (state.parameters["conv1.weight"] for state in states)
    assert not torch.equal(first, second)


def test_networks_hang_on_their_seed_alone():
    x, y = images()
    first = train_cnn(x, y, SMALL, seed=1, device="cpu").network
    torch.manual_seed(99)
    again = train_cnn(x, y, SMALL, seed=1, device="cpu").network
    other = train_cnn(x, y, SMALL, seed=2, device="cpu").network
    assert all(map(torch.equal, first.parameters(), again.parameters()))
    assert not torch.equal(first.conv1.weight, other.conv1.weight)


def test_a_state_of_other_settings_is_refused():
    x, y = images()
    states: list[CnnState] = []
    train_cnn(x, y, SMALL, seed=1, device="cpu", on_epoch=states.append)
    wider = CnnSettings(**{**vars(SMALL), "channels": SMALL.channels + 1})
    with pytest.raises(ValueError, match=r"state is not of the network of settings .Error"):
        train_cnn(x, y, wider, seed=1, device="cpu", state=states[0])


def test_a_last_batch_of_one_goes_with_the_one_before_it():
    """A batch norm knows no variance of one image."""
    x, y = rng_of(0).random((5, 3 * 32 * 32)), np.array([0, 1, 0, 1, 1])
    settings = VggSettings(width=1 / 64, epochs=1, batch_size=4)
    assert steps_of(x, y, settings) == {1}


def steps_of(x, y, settings):
    """How many steps Adam took with each parameter."""
    seen: list[CnnState] = []
    train_cnn(x, y, settings, seed=0, device="cpu", on_epoch=seen.append)
    return {int(each["step"]) for each in seen[-1].optimizer["state"].values()}


def test_without_batch_norms_a_last_batch_of_one_stays():
    x, y = images()
    settings = CnnSettings(**{**vars(SMALL), "epochs": 1, "batch_size": 7})  # 7 * 7 + 1
    assert steps_of(x, y, settings) == {8}


def test_a_network_learns_digits():
    digits = datasets.load("mnist5k")
    settings = CnnSettings(channels=6, dense=16, epochs=2, batch_size=32, learning_rate=3e-3)
    trained = train_cnn(
        digits.x_train[:2000], digits.y_train[:2000], settings, seed=0, device="cpu"
    )
    pictures = torch.from_numpy(digits.x_test.copy()).view(-1, 1, 28, 28)
    with torch.no_grad():
        right = trained.network(pictures).argmax(1).numpy() == digits.y_test
    assert right.mean() > 0.7
    assert 0.5 < trained.running_accuracy <= 1
    assert not trained.network.training


@pytest.mark.parametrize(
    ("changes", "message"),
    [
        ({"x": np.ones((50, 63))}, r"x has shape \(50, 63\); allowed: \(n, 64\)"),
        ({"y": np.full(50, 3)}, "y has labels from 3 to 3; allowed: 0 to 2"),
        ({"seed": -1}, "seed=-1 is not allowed"),
        ({"settings": {}}, "settings is of type dict; allowed: CnnSettings or VggSettings"),
        ({"state": CnnState(7, {}, {})}, "seed=1 is not that of the state, 7"),
        ({"state": CnnState(1, {}, {})}, "state is not of the network of settings .Error"),
        ({"state": {}}, "state is of type dict; allowed: CnnState"),
        ({"on_epoch": 3}, "on_epoch=3 is not allowed: a function of the state, or None"),
        ({"settings": VggSettings(batch_size=1)}, "settings has batch_size=1; allowed: 2 or more"),
    ],
)
def test_bad_input_is_refused_by_name(changes, message):
    x, y = images()
    allowed = {"x": x, "y": y, "settings": SMALL, "seed": 1, "device": "cpu"}
    with pytest.raises(ValueError, match=message):
        train_cnn(**(allowed | changes))


@pytest.mark.parametrize(
    ("field", "value"),
    [
        ("image_shape", (28, 3)),
        ("image_shape", (28,)),
        ("n_classes", 1),
        ("channels", 0),
        ("dense", 0),
        ("epochs", -1),
        ("batch_size", 0),
        ("learning_rate", 0.0),
        ("channels", 2.5),
        ("precision", "half"),
        ("precision", 32),
    ],
)
def test_settings_that_make_no_network_are_refused(field, value):
    with pytest.raises(ValueError, match=f"{field}=.* is not allowed"):
        CnnSettings(**{field: value})
