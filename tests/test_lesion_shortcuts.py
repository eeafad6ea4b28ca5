"""Lesions in front of a convolution: against a whole forward pass with channels set to 0."""

from __future__ import annotations

import numpy as np
import pytest
import torch
from hypothesis import given
from hypothesis import strategies as st
from networks import rng_of
from torch import nn

from modclust_utils.lesion_accuracies import lesion_accuracy
from modclust_utils.lesion_shortcuts import BeforeConvolution, next_convolution
from modclust_utils.passes import Operations

N_UNITS = 6
WAYS = {
    "at once": [],
    "ReLU": [nn.ReLU()],
    "in its place": [nn.ReLU(inplace=True)],
    "pooled": [nn.ReLU(), nn.MaxPool2d(3, 2, padding=1), nn.Dropout(0.5)],
    "averaged": [nn.LeakyReLU(0.3), nn.AvgPool2d(2, ceil_mode=True), nn.Identity()],
    "sized": [nn.ReLU6(), nn.AdaptiveAvgPool2d(5), nn.AdaptiveMaxPool2d(4)],
}


def network_of(way, seed, dtype=torch.float64, **convolution):
    generator = torch.Generator().manual_seed(seed)
    network = nn.Sequential(
        nn.Conv2d(2, N_UNITS, 3, padding=1),
        *way,
        nn.Conv2d(N_UNITS, 5, **{"kernel_size": 3, "padding": 2, **convolution}),
        nn.ReLU(),
        nn.AdaptiveAvgPool2d(2),
        nn.Flatten(),
        nn.Linear(20, 3),
    )
    with torch.no_grad():
        for tensor in network.parameters():
            tensor.copy_(torch.randn(tensor.shape, generator=generator))
    return network.eval().to(dtype)


def photos(n, seed=0):
    return torch.tensor(rng_of(seed).normal(size=(n, 2, 9, 8)))


@torch.no_grad()
def answer_without(network, silent, x):
    """A whole forward pass; silent: for each layer by name, the units that a hook sets to 0."""
    hooks = [
        network.get_submodule(layer).register_forward_hook(
            lambda _, __, out, units=units: out.masked_fill(units[:, None, None], 0)
        )
        for layer, units in silent.items()
    ]
    try:
        return network(x)
    finally:
        for hook in hooks:
            hook.remove()


@torch.no_grad()
def short_answer(network, silent, x):
    """The answer of the short way behind layer "0"."""
    shared = Operations(network, ["0"], x[:1]).start(x)
    shared.reach("0")
    return BeforeConvolution.behind(shared, "0").without(silent).finish()


@given(
    way=st.sampled_from(sorted(WAYS)),
    convolution=st.fixed_dictionaries(
        {},
        optional={
            "kernel_size": st.sampled_from([1, 2, (3, 1)]),
            "stride": st.integers(1, 2),
            "dilation": st.integers(1, 2),
            "bias": st.booleans(),
        },
    ),
    channels_last=st.booleans(),
    n_silent=st.integers(1, N_UNITS - 1),
    seed=st.integers(0, 2**32 - 1),
)
@torch.no_grad()
def test_what_is_left_of_a_convolution_is_what_it_gives_without_the_channels(
    way, convolution, channels_last, n_silent, seed
):
    network, x = network_of(WAYS[way], seed, **convolution), photos(3, seed)
    if channels_last:
        network.to(memory_format=torch.channels_last)
    silent = torch.zeros(N_UNITS, dtype=torch.bool)
    silent[rng_of(seed).permutation(N_UNITS)[:n_silent]] = True
    shared = Operations(network, ["0"], x[:1]).start(x)
    shared.reach("0")
    short = BeforeConvolution.behind(shared, "0")
    expected = answer_without(network, {"0": silent}, x)
    torch.testing.assert_close(short.without(silent).finish(), expected, rtol=1e-9, atol=1e-9)
    # neither another lesion nor the pass that all share has changed what comes after
    torch.testing.assert_close(short.without(silent).finish(), expected, rtol=1e-9, atol=1e-9)
    torch.testing.assert_close(shared.finish(), network(x), rtol=1e-9, atol=1e-9)


def test_half_precision_loses_little():
    network, x = network_of(WAYS["pooled"], 1), photos(50)
    silent = torch.arange(N_UNITS) < 2
    exact = answer_without(network, {"0": silent}, x)
    network, x = network.bfloat16(), x.bfloat16()
    plain = answer_without(network, {"0": silent}, x).double()
    found = short_answer(network, silent, x).double()
    assert 0 < (plain - exact).abs().mean() < 0.05 * exact.abs().mean()
    assert (found - exact).abs().mean() < 2 * (plain - exact).abs().mean()


def test_what_is_small_is_not_lost_behind_a_channel_that_is_large():
    """Of a difference of large numbers nothing would be left in single precision."""
    network, x = network_of([nn.ReLU()], 9, torch.float32), photos(3).float()
    with torch.no_grad():
        network[0].weight[0] *= 1e9
    silent = torch.arange(N_UNITS) == 0
    expected = answer_without(network, {"0": silent}, x)
    torch.testing.assert_close(short_answer(network, silent, x), expected, rtol=1e-4, atol=1e-4)


class Branches(nn.Module):
    """The channels of `first` go two ways, or to `third` alone, which runs after `second`."""

    def __init__(self, *, alone=False):
        super().__init__()
        self.first, self.second = nn.Conv2d(2, N_UNITS, 1), nn.Conv2d(2, N_UNITS, 1)
        self.third, self.alone = nn.Conv2d(N_UNITS, 3, 1), alone
        generator = torch.Generator().manual_seed(0)
        with torch.no_grad():
            for tensor in self.parameters():
                tensor.copy_(torch.randn(tensor.shape, generator=generator))

    def forward(self, images):
        first = self.first(images)
        second = self.second(images).tanh().amax((2, 3))[:, :3]
        added = self.third(first).tanh().amax((2, 3)) + second
        return added if self.alone else added + first.amax((2, 3))[:, :3]


def test_channels_that_go_two_ways_have_no_short_way():
    x = photos(1).float()
    both = Operations(Branches(), ["first"], x)
    alone = Operations(Branches(alone=True), ["first"], x)
    assert next_convolution(both, "first") is None
    assert alone.nodes[next_convolution(alone, "first")].target == "third"


def test_a_lesion_in_two_branches_is_made_in_both():
    network, x = Branches(alone=True).double().eval(), photos(40)
    y = torch.tensor(rng_of(3).integers(3, size=40))
    sets = rng_of(4).random((12, 2 * N_UNITS)) < 0.5
    found, _ = lesion_accuracy(network, x, y, sets, layers=["first", "second"])
    assert len(found.unique()) > 3
    for accuracy, (first, second) in zip(
        found, (row.split(N_UNITS) for row in torch.tensor(sets)), strict=True
    ):
        answers = answer_without(network, {"first": first, "second": second}, x)
        assert accuracy == (answers.argmax(1) == y).double().mean()


@pytest.mark.parametrize(
    "way",
    [
        [nn.BatchNorm2d(N_UNITS)],  # its shift is left of a silent channel
        [nn.Sigmoid()],
        [nn.Softmax2d()],  # one channel is the share of all
        [nn.Conv2d(N_UNITS, N_UNITS, 1, groups=2)],
        [nn.Conv2d(N_UNITS, N_UNITS, 1, padding_mode="circular")],
        [nn.ConvTranspose2d(N_UNITS, N_UNITS, 1)],
        [nn.PixelShuffle(1)],
    ],
    ids=lambda way: type(way[0]).__name__,
)
def test_other_ways_are_gone_step_by_step(way):
    network, x = network_of(way, 5), photos(40)
    assert next_convolution(Operations(network, ["0"], x[:1]), "0") is None
    y = torch.tensor(rng_of(3).integers(3, size=40))
    sets = rng_of(4).random((8, N_UNITS)) < 0.5
    found, _ = lesion_accuracy(network, x, y, sets, layers=["0"])
    for accuracy, silent in zip(found, torch.tensor(sets), strict=True):
        right = answer_without(network, {"0": silent}, x).argmax(1) == y
        assert accuracy == right.double().mean()


def test_hooks_of_the_reader_still_run():
    """What a convolution puts out is another thing then."""
    network, x = network_of([nn.ReLU()], 6), photos(40)
    network[2].register_forward_hook(lambda _, __, out: out.flip(1))
    assert next_convolution(Operations(network, ["0"], x[:1]), "0") is None
    y, silent = torch.tensor(rng_of(3).integers(3, size=40)), torch.arange(N_UNITS) < 2
    found, _ = lesion_accuracy(network, x, y, np.array([silent.numpy()] * 2), layers=["0"])
    right = answer_without(network, {"0": silent}, x).argmax(1) == y
    assert found.tolist() == [right.double().mean()] * 2


def test_nothing_is_taken_away_from_infinity():
    network, x = network_of([nn.ReLU()], 7), photos(4)
    with torch.no_grad():
        network[0].weight[0] = 1e308
    silent = torch.arange(N_UNITS) == 0
    expected = answer_without(network, {"0": silent}, x)
    assert bool(expected.isfinite().all())
    y = expected.argmax(1)
    found, _ = lesion_accuracy(network, x, y, np.array([silent.numpy()] * 2), layers=["0"])
    assert found.tolist() == [1.0, 1.0]


def test_the_whole_convolution_runs_once_for_many_lesions():
    network, x, runs = network_of([nn.ReLU()], 8), photos(20), []
    plain, y = nn.functional.conv2d, torch.tensor(rng_of(3).integers(3, size=20))

    def noted(images, *others):
        runs.append(tuple(images.shape[:2]))
        return plain(images, *others)

    with pytest.MonkeyPatch.context() as patch:
        patch.setattr(nn.functional, "conv2d", noted)
        lesion_accuracy(network, x, y, np.eye(N_UNITS, dtype=bool)[:5], layers=["0"])
    assert (runs.count((20, N_UNITS)), runs.count((20, 1))) == (1, 5)
