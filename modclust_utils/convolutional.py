"""The two convolutional networks that paper B trains (section 3.2), as plain torch modules."""

from __future__ import annotations

from collections import OrderedDict

from torch import nn

from modclust_utils.doors import check_kind
from modclust_utils.settings import CnnSettings, VggSettings

# Channels of the convolutions of a VGG-16, block by block, each of which ends in pooling; and the
# dropout rate behind each convolution of a block but the last.
_BLOCKS = ((64, 64), (128, 128), (256, 256, 256), (512, 512, 512), (512, 512, 512))
_DROPOUT = (0.3, 0.4, 0.4, 0.4, 0.4)
_DENSE, _DENSE_DROPOUT = 512, 0.5
#: Rows and columns of the images that `cifar_vgg` takes.
VGG_SIZE = 32


def convolutional(settings: CnnSettings | VggSettings) -> nn.Sequential:
    """The network of some settings."""
    _check_either(settings)
    return small_cnn(settings) if isinstance(settings, CnnSettings) else cifar_vgg(settings)


def image_shape(settings: CnnSettings | VggSettings) -> tuple[int, int, int]:
    """Channels, rows and columns of the images that a network of some settings takes."""
    _check_either(settings)
    if isinstance(settings, CnnSettings):
        return (1, *settings.image_shape)
    return (3, VGG_SIZE, VGG_SIZE)


def _check_either(settings: CnnSettings | VggSettings) -> None:
    check_kind("settings", settings, (CnnSettings, VggSettings), "CnnSettings or VggSettings")


def small_cnn(settings: CnnSettings) -> nn.Sequential:
    """Three 3x3 convolutions, pooled after the second and the third, and a dense layer.

    For images ``(n, 1, rows, columns)``; its weights are as torch starts them. The text of paper B
    does not say how the edges are padded: here an image keeps its size.
    """
    check_kind("settings", settings, CnnSettings, "CnnSettings")
    channels, (rows, columns) = settings.channels, settings.image_shape
    layers: list[tuple[str, nn.Module]] = []
    for i, (n_in, pooled) in enumerate(((1, False), (channels, True), (channels, True)), start=1):
        layers += [(f"conv{i}", nn.Conv2d(n_in, channels, 3, padding=1)), (f"relu{i}", nn.ReLU())]
        if pooled:
            layers.append((f"pool{i}", nn.MaxPool2d(2)))
    layers += [
        ("flatten", nn.Flatten()),
        ("dense", nn.Linear(channels * (rows // 4) * (columns // 4), settings.dense)),
        ("relu4", nn.ReLU()),
        ("logits", nn.Linear(settings.dense, settings.n_classes)),
    ]
    return nn.Sequential(OrderedDict(layers))


def vgg_channels(width: float) -> list[int]:
    """Channels of the convolutions of a VGG-16 of some width, a share of all, one by one."""
    return [max(round(full * width), 1) for block in _BLOCKS for full in block]


def cifar_vgg(settings: VggSettings) -> nn.Sequential:
    """VGG-16 for images ``(n, 3, 32, 32)``: 13 convolutions with batch norm, and a dense layer.

    The text of paper B does not say where the dropout is: here behind each convolution of a block
    but the last, and around the dense layer.
    """
    check_kind("settings", settings, VggSettings, "VggSettings")
    layers: list[tuple[str, nn.Module]] = []
    n_in, channels = 3, iter(vgg_channels(settings.width))
    for b, (block, rate) in enumerate(zip(_BLOCKS, _DROPOUT, strict=True), start=1):
        for c in range(1, len(block) + 1):
            n_out, name = next(channels), f"{b}_{c}"
            layers += [
                (f"conv{name}", nn.Conv2d(n_in, n_out, 3, padding=1)),
                (f"norm{name}", nn.BatchNorm2d(n_out)),
                (f"relu{name}", nn.ReLU()),
            ]
            if c < len(block):
                layers.append((f"dropout{name}", nn.Dropout(rate * settings.dropout)))
            n_in = n_out
        layers.append((f"pool{b}", nn.MaxPool2d(2)))
    dense = max(round(_DENSE * settings.width), 1)
    layers += [
        ("flatten", nn.Flatten()),
        ("dropout_flat", nn.Dropout(_DENSE_DROPOUT * settings.dropout)),
        ("dense", nn.Linear(n_in, dense)),
        ("norm_dense", nn.BatchNorm1d(dense)),
        ("relu_dense", nn.ReLU()),
        ("dropout_dense", nn.Dropout(_DENSE_DROPOUT * settings.dropout)),
        ("logits", nn.Linear(dense, settings.n_classes)),
    ]
    return nn.Sequential(OrderedDict(layers))
