"""The convolutional networks of paper B: their layers, widths and dropout."""

from __future__ import annotations

import pytest
import torch
from torch import nn

from modclust_utils.convolutional import cifar_vgg, convolutional, image_shape, small_cnn
from modclust_utils.graphs import network_graph
from modclust_utils.settings import CnnSettings, VggSettings

#: Channels of the 13 convolutions of a VGG-16.
CHANNELS = [64] * 2 + [128] * 2 + [256] * 3 + [512] * 6


def layers(network: nn.Module, kind: type[nn.Module]) -> list[nn.Module]:
    return [layer for layer in network if isinstance(layer, kind)]


def test_the_vgg_has_13_convolutions_and_a_unit_for_each_channel():
    network = cifar_vgg(VggSettings())
    assert [each.out_channels for each in layers(network, nn.Conv2d)] == CHANNELS
    graph = network_graph(network.eval(), torch.zeros(1, 3, 32, 32))
    assert list(graph.layer_sizes) == CHANNELS
    assert graph.adjacency.shape == (4224, 4224)
    # five times pooled, 32 pixels are one
    assert network[: [*dict(network.named_children())].index("flatten")](
        torch.zeros(1, 3, 32, 32)
    ).shape == (1, 512, 1, 1)


@pytest.mark.parametrize("width", [0.25, 1 / 64, 0.1])
def test_width_scales_every_layer_but_the_first_and_the_last(width):
    network = cifar_vgg(VggSettings(width=width, n_classes=7))
    own = [each.out_channels for each in layers(network, nn.Conv2d)]
    assert own == [max(round(n * width), 1) for n in CHANNELS]
    dense, logits = layers(network, nn.Linear)
    assert (dense.in_features, dense.out_features) == (own[-1], own[-1])
    assert (logits.in_features, logits.out_features) == (own[-1], 7)
    assert network(torch.zeros(2, 3, 32, 32)).shape == (2, 7)


@pytest.mark.parametrize("factor", [0.0, 0.5, 1.0])
def test_dropout_scales_all_rates(factor):
    rates = [each.p for each in layers(cifar_vgg(VggSettings(dropout=factor)), nn.Dropout)]
    whole = [0.3, 0.4, 0.4, 0.4, 0.4, 0.4, 0.4, 0.4, 0.5, 0.5]
    assert rates == pytest.approx([factor * each for each in whole])


def test_without_dropout_training_is_as_evaluation_but_for_the_norms():
    network = cifar_vgg(VggSettings(width=0.1, dropout=0.0))
    x = torch.rand(4, 3, 32, 32, generator=torch.Generator().manual_seed(0))
    assert torch.equal(network(x), network(x))
    noisy = cifar_vgg(VggSettings(width=0.1))
    assert not torch.equal(noisy(x), noisy(x))


def test_settings_say_which_network_and_which_images():
    small, vgg = CnnSettings((8, 12), 3, channels=2, dense=5), VggSettings(width=0.1)
    for settings, made in ((small, small_cnn(small)), (vgg, cifar_vgg(vgg))):
        shape = image_shape(settings)
        assert str(convolutional(settings)) == str(made)
        assert convolutional(settings)(torch.zeros(2, *shape)).shape == (2, settings.n_classes)
    assert image_shape(small) == (1, 8, 12)
    assert image_shape(vgg) == (3, 32, 32)
