"""Networks that torchvision does not have, from their published descriptions, without weights."""

from __future__ import annotations

import math

import torch.nn.functional as F
from torch import Tensor, nn

# --- Tiny Darknet --------------------------------------------------------------------------------

# Input channels, output channels and kernel size of a convolution; or a pooling by half.
_POOL = None
_TINY_DARKNET = (
    *((3, 16, 3), _POOL, (16, 32, 3), _POOL),
    *((32, 16, 1), (16, 128, 3), (128, 16, 1), (16, 128, 3), _POOL),
    *((128, 32, 1), (32, 256, 3), (256, 32, 1), (32, 256, 3), _POOL),
    *((256, 64, 1), (64, 512, 3), (512, 64, 1), (64, 512, 3), (512, 128, 1)),
)


def tiny_darknet(n_classes: int = 1000) -> nn.Sequential:
    """Tiny Darknet of J. Redmon (https://pjreddie.com/darknet/tiny-darknet/): 16 convolutions of
    3x3 and 1x1, without residuals, the last of which puts out the logits of every position."""
    layers: list[nn.Module] = []
    for each in _TINY_DARKNET:
        if each is _POOL:
            layers.append(nn.MaxPool2d(2))
        else:
            n_in, n_out, size = each
            layers += [
                nn.Conv2d(n_in, n_out, size, padding=size // 2, bias=False),
                nn.BatchNorm2d(n_out, eps=1e-3),
                nn.LeakyReLU(0.1),
            ]
    return nn.Sequential(
        *layers, nn.Conv2d(128, n_classes, 1), nn.AdaptiveAvgPool2d(1), nn.Flatten()
    )


# --- ResNets for CIFAR-10 ------------------------------------------------------------------------


class CifarBlock(nn.Module):
    """Two convolutions and a shortcut without weights (He et al. 2016, option A): every second row
    and column, and channels of zeros on both sides."""

    def __init__(self, n_in: int, n_out: int) -> None:
        super().__init__()
        self.stride = 1 if n_in == n_out else 2
        self.padding = (n_out - n_in) // 2
        self.conv1 = nn.Conv2d(n_in, n_out, 3, stride=self.stride, padding=1, bias=False)
        self.bn1 = nn.BatchNorm2d(n_out)
        self.relu1 = nn.ReLU()
        self.conv2 = nn.Conv2d(n_out, n_out, 3, padding=1, bias=False)
        self.bn2 = nn.BatchNorm2d(n_out)
        self.relu2 = nn.ReLU()

    def forward(self, images: Tensor) -> Tensor:
        """``(n, n_in, h, w)`` to ``(n, n_out, h / stride, w / stride)``."""
        shortcut = images
        if self.stride > 1:
            thinned = images[:, :, :: self.stride, :: self.stride]
            shortcut = F.pad(thinned, (0, 0, 0, 0, self.padding, self.padding))
        hidden = self.relu1(self.bn1(self.conv1(images)))
        return self.relu2(self.bn2(self.conv2(hidden)) + shortcut)


class CifarResNet(nn.Module):
    """A residual network for 32x32 images: three groups of blocks of 16, 32 and 64 channels."""

    def __init__(self, blocks_per_group: int, n_classes: int) -> None:
        super().__init__()
        self.conv1 = nn.Conv2d(3, 16, 3, padding=1, bias=False)
        self.bn1 = nn.BatchNorm2d(16)
        self.relu = nn.ReLU()
        self.layer1, self.layer2, self.layer3 = (
            nn.Sequential(
                *(CifarBlock(n_out if i else n_in, n_out) for i in range(blocks_per_group))
            )
            for n_in, n_out in ((16, 16), (16, 32), (32, 64))
        )
        self.pool = nn.AdaptiveAvgPool2d(1)
        self.flatten = nn.Flatten()
        self.linear = nn.Linear(64, n_classes)

    def forward(self, images: Tensor) -> Tensor:
        """Images ``(n, 3, 32, 32)`` to logits ``(n, n_classes)``."""
        hidden = self.relu(self.bn1(self.conv1(images)))
        hidden = self.layer3(self.layer2(self.layer1(hidden)))
        return self.linear(self.flatten(self.pool(hidden)))


def cifar_resnet(depth: int, n_classes: int = 10) -> CifarResNet:
    """The CIFAR ResNet of 20, 32, 44 or 56 layers (He et al. 2016, section 4.2).

    Raises ValueError for a depth that is not 6 n + 2 with n of 1 or more.
    """
    if depth < 8 or depth % 6 != 2:
        raise ValueError(f"depth={depth!r} is not allowed: 6 n + 2 with n of 1 or more, such as 20")
    return CifarResNet(depth // 6, n_classes)


# --- EfficientNet-Lite ---------------------------------------------------------------------------

#: How much wider and deeper than Lite0, and the image size (EfficientNet-Lite, 2020).
LITE_SCALES = {0: (1.0, 1.0, 224), 1: (1.0, 1.1, 240), 2: (1.1, 1.2, 260)}
# The stages of EfficientNet-B0 (Tan and Le 2019, Table 1): how many blocks, kernel size, stride of
# the first block, how many times its input a block is wide, and output channels.
_STAGES = (
    (1, 3, 1, 1, 16),
    (2, 3, 2, 6, 24),
    (2, 5, 2, 6, 40),
    (3, 3, 2, 6, 80),
    (3, 5, 1, 6, 112),
    (4, 5, 2, 6, 192),
    (1, 3, 1, 6, 320),
)
_STEM, _HEAD = 32, 1280
_EPS = 1e-3


def _padding(image_size: int, kernel: int, stride: int) -> nn.ZeroPad2d:
    """The zeros with which the result has size / stride, rounded up. Where their number is odd, the
    one more is at the bottom and right, as in TensorFlow, which trained these networks."""
    needed = max(0, (math.ceil(image_size / stride) - 1) * stride + kernel - image_size)
    before, after = needed // 2, needed - needed // 2
    return nn.ZeroPad2d((before, after, before, after))


class InvertedResidual(nn.Module):
    """Expand, filter each channel, project; the input is added where it has the same shape."""

    def __init__(
        self, n_in: int, n_out: int, kernel: int, stride: int, expansion: int, image_size: int
    ) -> None:
        super().__init__()
        wide = n_in * expansion
        self.expands = expansion > 1
        self.adds = stride == 1 and n_in == n_out
        if self.expands:
            self.expand = nn.Conv2d(n_in, wide, 1, bias=False)
            self.expand_norm = nn.BatchNorm2d(wide, eps=_EPS)
            self.expand_relu = nn.ReLU6()
        self.padding = _padding(image_size, kernel, stride)
        self.depthwise = nn.Conv2d(wide, wide, kernel, stride=stride, groups=wide, bias=False)
        self.depthwise_norm = nn.BatchNorm2d(wide, eps=_EPS)
        self.depthwise_relu = nn.ReLU6()
        self.project = nn.Conv2d(wide, n_out, 1, bias=False)
        self.project_norm = nn.BatchNorm2d(n_out, eps=_EPS)

    def forward(self, images: Tensor) -> Tensor:
        """``(n, n_in, h, w)`` to ``(n, n_out, h / stride, w / stride)``."""
        hidden = images
        if self.expands:
            hidden = self.expand_relu(self.expand_norm(self.expand(hidden)))
        hidden = self.depthwise_norm(self.depthwise(self.padding(hidden)))
        hidden = self.project_norm(self.project(self.depthwise_relu(hidden)))
        return hidden + images if self.adds else hidden


class EfficientNetLite(nn.Module):
    """EfficientNet-Lite: EfficientNet without squeeze-and-excitation, with ReLU6 in place of swish,
    and with a stem and a head that do not grow with the rest.

    Its zero padding is that of its own image size; smaller or larger images go through as well.
    """

    def __init__(self, variant: int, n_classes: int) -> None:
        super().__init__()
        width, depth, size = LITE_SCALES[variant]
        self.padding = _padding(size, 3, 2)
        self.stem = nn.Conv2d(3, _STEM, 3, stride=2, bias=False)
        self.stem_norm = nn.BatchNorm2d(_STEM, eps=_EPS)
        self.stem_relu = nn.ReLU6()
        blocks, n_in, size = [], _STEM, math.ceil(size / 2)
        for place, (repeats, kernel, stride, expansion, channels) in enumerate(_STAGES):
            # the first and the last stage do not become deeper
            ends = place in (0, len(_STAGES) - 1)
            n_out = _rounded(channels * width)
            for i in range(repeats if ends else math.ceil(repeats * depth)):
                step = 1 if i else stride
                blocks.append(InvertedResidual(n_in, n_out, kernel, step, expansion, size))
                n_in, size = n_out, math.ceil(size / step)
        self.blocks = nn.Sequential(*blocks)
        self.head = nn.Conv2d(n_in, _HEAD, 1, bias=False)
        self.head_norm = nn.BatchNorm2d(_HEAD, eps=_EPS)
        self.head_relu = nn.ReLU6()
        self.pool = nn.AdaptiveAvgPool2d(1)
        self.flatten = nn.Flatten()
        self.dropout = nn.Dropout(0.2)
        self.classifier = nn.Linear(_HEAD, n_classes)

    def forward(self, images: Tensor) -> Tensor:
        """Images ``(n, 3, h, w)`` to logits ``(n, n_classes)``."""
        hidden = self.stem_relu(self.stem_norm(self.stem(self.padding(images))))
        hidden = self.head_relu(self.head_norm(self.head(self.blocks(hidden))))
        return self.classifier(self.dropout(self.flatten(self.pool(hidden))))


def _rounded(channels: float) -> int:
    """To a multiple of 8, and not below nine tenths of the number (Tan and Le 2019)."""
    near = max(8, int(channels + 4) // 8 * 8)
    return near + 8 if near < 0.9 * channels else near


def efficientnet_lite(variant: int, n_classes: int = 1000) -> EfficientNetLite:
    """EfficientNet-Lite0, 1 or 2 for images of 224, 240 or 260 pixels.

    Raises ValueError for another variant.
    """
    if variant not in LITE_SCALES:
        raise ValueError(f"variant={variant!r} is not allowed: {', '.join(map(str, LITE_SCALES))}")
    return EfficientNetLite(variant, n_classes)
