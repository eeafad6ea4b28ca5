"""Networks that torchvision does not have: their shapes, and values that follow by hand."""

from __future__ import annotations

import numpy as np
import pytest
import torch
import torch.nn.functional as F
from torch import nn

from modclust_utils.graphs import network_graph
from modclust_utils.passes import Operations
from modclust_utils.pretrained.architectures import (
    CifarBlock,
    InvertedResidual,
    cifar_resnet,
    efficientnet_lite,
    tiny_darknet,
)


def units_of_lite(channels, repeats, stem=32, head=1280):
    """Of an EfficientNet-Lite: stem, head, and in each block its wide layers and its output; the
    first stage does not expand."""
    sizes = [stem]
    before = stem
    for place, (n_out, n_blocks) in enumerate(zip(channels, repeats, strict=True)):
        for _ in range(n_blocks):
            sizes += ([6 * before] * 2 if place else [before]) + [n_out]
            before = n_out
    return [*sizes, head]


LITE0 = units_of_lite([16, 24, 40, 80, 112, 192, 320], [1, 2, 2, 3, 3, 4, 1])
LITE1 = units_of_lite([16, 24, 40, 80, 112, 192, 320], [1, 3, 3, 4, 4, 5, 1])
# 1.1 times as wide, to the nearest 8: 26.4, 44, 88, 123.2, 211.2 and 352
LITE2 = units_of_lite([16, 24, 48, 88, 120, 208, 352], [1, 3, 3, 4, 4, 5, 1])
DARKNET = [16, 32, *[16, 128] * 2, *[32, 256] * 2, *[64, 512] * 2, 128]


@pytest.mark.parametrize(
    ("network", "image_size", "n_classes", "sizes"),
    [
        (tiny_darknet(), 224, 1000, DARKNET),
        (cifar_resnet(20), 32, 10, [16] * 7 + [32] * 6 + [64] * 6),
        (cifar_resnet(32), 32, 10, [16] * 11 + [32] * 10 + [64] * 10),
        (cifar_resnet(44), 32, 10, [16] * 15 + [32] * 14 + [64] * 14),
        (cifar_resnet(56), 32, 10, [16] * 19 + [32] * 18 + [64] * 18),
        (efficientnet_lite(0), 224, 1000, LITE0),
        (efficientnet_lite(1), 240, 1000, LITE1),
        (efficientnet_lite(2), 260, 1000, LITE2),
    ],
    ids=lambda value: type(value).__name__ if isinstance(value, nn.Module) else "",
)
def test_graph_and_operations_follow_every_architecture(network, image_size, n_classes, sizes):
    network.eval()
    image = torch.rand(1, 3, image_size, image_size, generator=torch.Generator().manual_seed(0))
    assert network(image).shape == (1, n_classes)
    graph = network_graph(network, image)
    assert graph.layer_sizes == tuple(sizes)
    # every unit takes in another or goes on to one, and both where it is in the middle
    assert (np.diff(graph.adjacency.indptr) > 0).all()
    # raises where what torch.fx follows gives other logits
    Operations(network, graph.output_names, image)


def test_smaller_images_go_through_as_well():
    for network in (tiny_darknet(), efficientnet_lite(0)):
        assert network.eval()(torch.zeros(2, 3, 96, 96)).shape == (2, 1000)


def test_parameters_of_tiny_darknet():
    """Kernels, gamma and beta of 15 batch norms, and the last convolution with its bias."""
    pairs = [(3, 16, 9), (16, 32, 9), (32, 16, 1), *[(16, 128, 9), (128, 16, 1)], (16, 128, 9)]
    pairs += [(128, 32, 1), (32, 256, 9), (256, 32, 1), (32, 256, 9)]
    pairs += [(256, 64, 1), (64, 512, 9), (512, 64, 1), (64, 512, 9), (512, 128, 1)]
    expected = sum(a * b * k + 2 * b for a, b, k in pairs) + 128 * 1000 + 1000
    assert sum(p.numel() for p in tiny_darknet().parameters()) == expected


@pytest.mark.parametrize(("depth", "millions"), [(20, 0.27), (32, 0.46), (44, 0.66), (56, 0.85)])
def test_parameters_of_the_resnets_are_those_of_the_paper(depth, millions):
    """He et al. 2016, Table 6."""
    n = sum(p.numel() for p in cifar_resnet(depth).parameters())
    assert round(n / 1e6, 2) == millions


@pytest.mark.parametrize(("variant", "millions"), [(0, 4.7), (1, 5.4), (2, 6.1)])
def test_parameters_of_efficientnet_lite_are_those_of_its_authors(variant, millions):
    n = sum(p.numel() for p in efficientnet_lite(variant).parameters())
    assert round(n / 1e6, 1) == millions


def test_a_shortcut_takes_every_second_pixel_between_channels_of_zeros():
    block = CifarBlock(2, 4).eval()
    for name in ("conv1", "conv2"):
        nn.init.zeros_(getattr(block, name).weight)
    images = torch.arange(1.0, 33.0).reshape(1, 2, 4, 4)
    expected = torch.zeros(1, 4, 2, 2)
    expected[0, 1] = torch.tensor([[1.0, 3.0], [9.0, 11.0]])
    expected[0, 2] = torch.tensor([[17.0, 19.0], [25.0, 27.0]])
    assert torch.equal(block(images), expected)


def test_a_shortcut_within_a_group_is_the_image_itself():
    block = CifarBlock(3, 3).eval()
    nn.init.zeros_(block.conv2.weight)
    images = torch.rand(2, 3, 5, 5)
    assert torch.equal(block(images), images)


@pytest.mark.parametrize("depth", [2, 18, 19, 0, -4])
def test_depths_that_there_are_not(depth):
    with pytest.raises(ValueError, match=f"depth={depth} is not allowed: 6 n \\+ 2"):
        cifar_resnet(depth)
    with pytest.raises(ValueError, match="variant=3 is not allowed: 0, 1, 2"):
        efficientnet_lite(3)


@pytest.mark.parametrize("size", [8, 9, 33, 56, 65])
@pytest.mark.parametrize(("kernel", "stride"), [(3, 1), (5, 1), (3, 2), (5, 2)])
def test_padding_is_that_of_tensorflow(size, kernel, stride):
    """The result has size / stride, rounded up, and the first of its windows begins as often before
    the image as the last ends behind it, or once less."""
    block = InvertedResidual(1, 1, kernel, stride, 1, size)
    top, bottom = block.padding.padding[2:]
    n_windows = -(-size // stride)
    outside = (n_windows - 1) * stride + kernel - size
    assert top + bottom == max(0, outside)
    assert bottom - top in (0, 1)
    assert block.eval()(torch.zeros(1, 1, size, size)).shape[2:] == (n_windows, n_windows)


def test_sizes_of_the_maps_of_efficientnet_lite():
    seen = []
    for variant, size in ((0, 224), (2, 260)):
        network, sizes = efficientnet_lite(variant).eval(), []
        for layer in (network.stem, *(block.depthwise for block in network.blocks)):
            layer.register_forward_hook(lambda _, __, out, s=sizes: s.append(out.shape[-1]))
        network(torch.zeros(1, 3, size, size))
        seen.append(sorted(set(sizes), reverse=True))
    assert seen == [[112, 56, 28, 14, 7], [130, 65, 33, 17, 9]]


def test_an_inverted_residual_by_hand():
    """One channel, expanded to two, of which the depthwise kernels take the middle and its left."""
    block = InvertedResidual(1, 1, 3, 1, 2, 3).eval()
    for norm in (block.expand_norm, block.depthwise_norm, block.project_norm):
        norm.eps = 0.0
    with torch.no_grad():
        block.expand.weight.copy_(torch.tensor([2.0, -1.0]).reshape(2, 1, 1, 1))
        block.depthwise.weight.zero_()
        block.depthwise.weight[0, 0, 1, 1] = 1.0
        block.depthwise.weight[1, 0, 1, 0] = 1.0
        block.project.weight.copy_(torch.tensor([10.0, 100.0]).reshape(1, 2, 1, 1))
    image = torch.tensor([[1.0, -2.0, 5.0]] * 3).reshape(1, 1, 3, 3)
    # expanded: ReLU6 of 2, -4, 10 and of -1, 2, -5, the second moved to the right
    wide, moved = torch.tensor([2.0, 0.0, 6.0]), torch.tensor([0.0, 0.0, 2.0])
    expected = image + (10 * wide + 100 * moved).expand(1, 1, 3, 3)
    torch.testing.assert_close(block(image), expected)
    torch.testing.assert_close(F.relu6(torch.tensor(10.0)), torch.tensor(6.0))
