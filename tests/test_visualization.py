"""Feature visualization: the parametrization by hand, what is found, and batched as one by one."""

from __future__ import annotations

import numpy as np
import pytest
import torch
from networks import rng_of
from torch import nn

from modclust_utils.visualization import images_of, visualize


def small_network():
    torch.manual_seed(0)
    return nn.Sequential(
        nn.Conv2d(3, 6, 3), nn.BatchNorm2d(6), nn.ReLU(inplace=True),
        nn.Conv2d(6, 5, 3), nn.ReLU(inplace=True), nn.Flatten(), nn.Linear(5 * 36, 4),
    ).double().eval()  # fmt: skip


UNITS = rng_of(1).random((7, 6)) < 0.5
SHAPE = (3, 10, 10)


class Pair(nn.Sequential):
    def forward(self, images):
        logits = super().forward(images)
        return logits, logits


def says_nothing():
    network = small_network()
    nn.init.constant_(network[-1].bias, float("nan"))
    return network


def test_an_image_of_one_wave_by_hand():
    spectrum = torch.zeros(1, 2, 1, 4, 3, dtype=torch.float64)
    spectrum[0, 0, 0, 1, 0] = 2.0  # cosine down the image, of frequency 1/4
    spectrum[0, 0, 0, 3, 0] = 2.0  # its mirror image
    scale = 4 / 0.25  # sqrt(16) over the frequency
    wave = 2 * 2.0 * scale * np.cos(2 * np.pi * np.arange(4) / 4) / 16 / 4
    expected = 1 / (1 + np.exp(-wave))
    found = images_of(spectrum, (4, 4))[0, 0].numpy()
    np.testing.assert_allclose(found, np.tile(expected[:, None], 4))


def test_the_mean_of_an_image_is_scaled_as_its_longest_wave():
    spectrum = torch.zeros(1, 2, 1, 5, 2, dtype=torch.float64)
    spectrum[0, 0, 0, 0, 0] = 1.0
    expected = 1 / (1 + np.exp(-(15**0.5) * 5 / 15 / 4))
    np.testing.assert_allclose(images_of(spectrum, (5, 3)).numpy(), expected)


def test_colours_are_decorrelated():
    spectrum = torch.zeros(3, 2, 3, 2, 2, dtype=torch.float64)
    for i in range(3):
        spectrum[i, 0, i, 0, 0] = 1.0
    logit = torch.logit(images_of(spectrum, (2, 2)))[:, :, 0, 0].numpy() * 4
    matrix = np.array([[0.26, 0.09, 0.02], [0.27, 0, -0.05], [0.27, -0.09, 0.03]])
    # one component after the other; the longest column has length 1; sqrt(4) over 1/2, over 4
    np.testing.assert_allclose(logit, matrix.T / np.sqrt(0.26**2 + 2 * 0.27**2), atol=1e-12)


def test_zeros_are_gray_images():
    assert (images_of(torch.zeros(2, 2, 3, 6, 4), (6, 6)) == 0.5).all()


def test_images_of_a_batch_are_those_one_by_one():
    network = small_network()
    together = visualize(network, "1", UNITS, SHAPE, rng=rng_of(0), n_steps=10)
    streams = rng_of(0).spawn(len(UNITS))
    for i, units in enumerate(UNITS):
        alone = visualize_with(network, units, streams[i])
        np.testing.assert_allclose(together.images[i], alone[0], atol=1e-6)
        assert together.score[i] == pytest.approx(alone[1])
        assert together.entropy[i] == pytest.approx(alone[2])


def visualize_with(network, units, stream):
    """The plain way: one image, one step after the other, whole forward passes."""
    start = 0.01 * stream.standard_normal((2, 3, 10, 6))
    spectrum = torch.tensor(start[None], requires_grad=True)
    optimizer = torch.optim.Adam([spectrum], lr=0.05)
    kept = []
    hook = network[1].register_forward_hook(lambda _, __, out: kept.append(out.clone()))

    def score():
        kept.clear()
        logits = network(images_of(spectrum, (10, 10)))
        return kept[0].mean((2, 3)).abs()[0, torch.tensor(units)].sum(), logits

    for _ in range(10):
        optimizer.zero_grad()
        (-score()[0]).backward()
        optimizer.step()
    value, logits = score()
    hook.remove()
    p = logits.softmax(1)[0]
    entropy = -(p * p.log()).sum().item()
    return images_of(spectrum, (10, 10))[0].detach().numpy(), value.item(), entropy


def test_small_chunks_give_the_same_images(monkeypatch):
    network = small_network()
    together = visualize(network, "3", UNITS[:, :5], SHAPE, rng=rng_of(0), n_steps=5)
    monkeypatch.setattr("modclust_utils.passes._MEMORY", 1)
    alone = visualize(network, "3", UNITS[:, :5], SHAPE, rng=rng_of(0), n_steps=5)
    np.testing.assert_allclose(together.images, alone.images, atol=1e-6)
    np.testing.assert_allclose(together.score, alone.score)


def test_more_steps_give_a_higher_score_and_another_seed_another_image():
    network = small_network()
    found = [
        visualize(network, "1", UNITS[UNITS.any(1)], SHAPE, rng=rng_of(s), n_steps=n)
        for s, n in ((0, 1), (0, 40), (1, 40))
    ]
    assert (found[1].score > 1.2 * found[0].score).all()
    assert (found[1].images != found[2].images).any()
    assert found[1].images.min() >= 0
    assert found[1].images.max() <= 1
    assert (found[1].entropy >= 0).all()
    assert (found[1].entropy <= np.log(4)).all()


def test_no_units_have_no_score_and_their_image_stays_where_it_started():
    found = visualize(small_network(), "1", np.zeros((1, 6), bool), SHAPE, rng=rng_of(0), n_steps=5)
    assert found.score.tolist() == [0.0]
    np.testing.assert_allclose(found.images, 0.5, atol=0.05)


def test_what_the_network_takes_may_be_made_of_the_images():
    network = nn.Sequential(nn.Linear(12, 3), nn.ReLU(), nn.Linear(3, 2))
    found = visualize(
        network, "0", np.eye(3, dtype=bool), (3, 2, 2), rng=rng_of(0), n_steps=50,
        learning_rate=0.5, prepare=lambda images: images.flatten(1) - 0.5,
    )  # fmt: skip
    weight, bias = network[0].weight.detach().numpy(), network[0].bias.detach().numpy()
    values = (found.images.reshape(3, 12) - 0.5) @ weight.T + bias
    np.testing.assert_allclose(found.score, np.abs(np.diag(values)), rtol=1e-4)


def test_the_network_is_left_as_it_was():
    network = small_network().train()
    before = {name: value.clone() for name, value in network.state_dict().items()}
    visualize(network, "1", UNITS, SHAPE, rng=rng_of(0), n_steps=2)
    assert all(each.training for each in network.modules())
    assert all(torch.equal(value, before[n]) for n, value in network.state_dict().items())
    assert all(p.grad is None and p.requires_grad for p in network.parameters())


@pytest.mark.parametrize(
    ("changes", "message"),
    [
        ({"layer": "nine"}, "layers has 'nine', which is no submodule"),
        ({"units": UNITS[:, :4]}, r"units has shape \(7, 4\) .*\(m, 6\)"),
        ({"units": UNITS[:0]}, "units has no sets"),
        ({"units": UNITS * 1}, "units has .* type int64"),
        ({"n_steps": 0}, "n_steps=0 is not allowed"),
        ({"learning_rate": 0.0}, r"learning_rate=0\.0 is not allowed"),
        ({"image_shape": (3, 0, 10)}, r"image_shape\[1\]=0 is not allowed"),
        ({"image_shape": 28}, "image_shape=28 is not allowed: three sizes"),
        ({"image_shape": (28, 28)}, r"image_shape=\(28, 28\) is not allowed: three sizes"),
        ({"image_shape": (3, 11, 10)}, r"image_shape has images \(3, 11, 10\), .* fails \(.*mat1"),
        (
            {"network": small_network().bfloat16()},
            r"network has weights of torch\.bfloat16; allowed: float32 or float64",
        ),
        ({"network": Pair(*small_network())}, "network puts out something of type tuple; allowed:"),
        ({"network": says_nothing()}, "what network puts out holds NaN or infinity"),
        ({"prepare": 5}, "prepare=5 is not allowed: a function of the images, or None"),
        (
            {"prepare": lambda images: None},
            "what prepare gives is of type NoneType; allowed: a ten",
        ),
        ({"network": abs}, "network is of type builtin_function_or_method"),
    ],
)
def test_bad_input_is_refused_by_name(changes, message):
    allowed = {"network": small_network(), "layer": "1", "units": UNITS, "image_shape": SHAPE}
    with pytest.raises(ValueError, match=message):
        visualize(**(allowed | changes), rng=rng_of(0))
