"""Training of the VGG: resumed, reproducible, moved images, narrow products, and its penalty."""

from __future__ import annotations

import copy

import pytest
import torch
from networks import global_random_state_untouched, rng_of

from modclust_utils.cnn import CnnState, _optimizer, moved, train_cnn
from modclust_utils.convolutional import cifar_vgg
from modclust_utils.settings import CnnSettings, VggSettings

TINY = VggSettings(n_classes=2, width=1 / 32, epochs=2, batch_size=8)
STILL = VggSettings(rotation=0.0, shift=0.0, flip=False)


def colours(n=24, seed=0):
    rng = rng_of(seed)
    y = rng.integers(2, size=n)
    x = rng.random((n, 3, 32, 32)) * 0.3
    x[y == 1, 0] += 0.6
    return x.reshape(n, -1), y


def same(first, second):
    return all(map(torch.equal, first.state_dict().values(), second.state_dict().values()))


def test_a_run_that_stopped_goes_on_as_if_it_had_not_with_dropout_and_norms():
    x, y = colours()
    states: list[CnnState] = []
    whole = train_cnn(x, y, TINY, seed=1, device="cpu", on_epoch=states.append)
    resumed = train_cnn(x, y, TINY, seed=1, device="cpu", state=copy.deepcopy(states[0]))
    assert same(whole.network, resumed.network)
    assert whole.running_accuracy == resumed.running_accuracy


def test_networks_hang_on_their_seed_alone_and_leave_the_global_one():
    x, y = colours()
    first = train_cnn(x, y, TINY, seed=1, device="cpu").network
    torch.manual_seed(99)
    with global_random_state_untouched():
        again = train_cnn(x, y, TINY, seed=1, device="cpu").network
    assert same(first, again)
    assert not same(first, train_cnn(x, y, TINY, seed=2, device="cpu").network)


def pictures(n=6):
    return torch.rand(n, 3, 9, 9, generator=torch.Generator().manual_seed(3))


def test_images_that_are_not_to_move_stay():
    x = pictures()
    found = moved(x, STILL, torch.Generator().manual_seed(0))
    torch.testing.assert_close(found, x, rtol=0, atol=1e-5)


def test_about_half_of_the_images_are_mirrored_and_no_other_way():
    x = pictures(200)
    settings = VggSettings(rotation=0.0, shift=0.0)
    found = moved(x, settings, torch.Generator().manual_seed(0))
    mirrored = (found - x.flip(3)).abs().amax((1, 2, 3)) < 1e-5
    kept = (found - x).abs().amax((1, 2, 3)) < 1e-5
    assert (mirrored ^ kept).all()
    assert 70 < int(mirrored.sum()) < 130


def test_images_move_by_the_share_of_their_side_at_most():
    x = torch.zeros(100, 1, 20, 20)
    x[:, :, 10, 10] = 1.0
    settings = VggSettings(rotation=0.0, shift=0.1, flip=False)
    found = moved(x, settings, torch.Generator().manual_seed(0))[:, 0]
    place = torch.arange(20.0)
    for axis in (1, 2):
        away = (found.sum(3 - axis) * place).sum(1) - 10
        assert 1.5 < away.abs().max() <= 2.0 + 1e-4
        assert away.min() < -1 < 1 < away.max()


def test_rotation_turns_by_the_angle_at_most_and_about_the_middle():
    x = torch.zeros(100, 1, 41, 41)
    x[:, :, 20, 36] = 1.0
    settings = VggSettings(rotation=30.0, shift=0.0, flip=False)
    found = moved(x, settings, torch.Generator().manual_seed(0))[:, 0]
    place = torch.arange(41.0) - 20
    mass = found.sum((1, 2))
    right, down = (found.sum(1) * place).sum(1) / mass, (found.sum(2) * place).sum(1) / mass
    assert ((right**2 + down**2).sqrt() - 16).abs().max() < 0.3
    angle = torch.rad2deg(torch.atan2(down, right))
    assert 27 < angle.abs().max() < 31
    assert angle.min() < -20 < 20 < angle.max()


def test_moves_come_from_the_generator_alone():
    x = pictures()
    with global_random_state_untouched():
        first, again, other = (
            moved(x, VggSettings(), torch.Generator().manual_seed(seed)) for seed in (1, 1, 2)
        )
    assert torch.equal(first, again)
    assert not torch.equal(first, other)


@pytest.mark.parametrize(
    "settings",
    [
        VggSettings(**{**vars(TINY), "precision": "bfloat16"}),
        CnnSettings((32, 96), 2, channels=2, dense=4, epochs=1, precision="bfloat16"),
    ],
)
def test_narrow_products_train_weights_that_are_not_narrow(settings):
    x, y = colours()
    states = []
    network = train_cnn(x, y, settings, seed=1, device="cpu", on_epoch=states.append).network
    floats = [each for each in network.state_dict().values() if each.is_floating_point()]
    assert {each.dtype for each in floats} == {torch.float32}
    assert all(each.isfinite().all() for each in floats)
    wide = type(settings)(**{**vars(settings), "precision": "float32"})
    assert not same(network, train_cnn(x, y, wide, seed=1, device="cpu").network)


def test_penalty_is_the_gradient_of_squared_weights_and_of_nothing_else():
    settings = VggSettings(**{**vars(TINY), "l2": 0.3})
    network = cifar_vgg(settings)
    weights = [w for n, w in network.named_parameters() if "norm" not in n and "weight" in n]
    penalty = settings.l2 * sum(w.square().sum() for w in weights)
    gradients = torch.autograd.grad(penalty, weights)
    added = {}
    for group in _optimizer(network, settings).param_groups:
        added |= {id(w): group["weight_decay"] * w.detach() for w in group["params"]}
    for weight, gradient in zip(weights, gradients, strict=True):
        torch.testing.assert_close(added.pop(id(weight)), gradient)
    assert len(added) == len([*network.parameters()]) - len(weights)
    assert not any(each.any() for each in added.values())


@pytest.mark.parametrize(
    ("field", "value"),
    [
        ("n_classes", 1),
        ("width", 0.0),
        ("width", 5.0),
        ("dropout", 2.0),
        ("dropout", -0.1),
        ("l2", -1.0),
        ("l2", float("inf")),
        ("rotation", 181.0),
        ("shift", 1.0),
        ("flip", 1),
        ("epochs", -1),
        ("batch_size", 0),
        ("learning_rate", 0.0),
        ("precision", "float16"),
    ],
)
def test_settings_that_make_no_vgg_are_refused(field, value):
    with pytest.raises(ValueError, match=f"{field}=.* is not allowed"):
        VggSettings(**{field: value})
