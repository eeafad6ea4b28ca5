"""What chapter 4 takes for its own parameters, and how it refuses all else: by name and value."""

from __future__ import annotations

import math
from types import SimpleNamespace

import pytest

from modclust_utils.chapters.ch04_specialization import RANGES
from modclust_utils.partitionings import PARTITIONINGS
from modclust_utils.publish.chapters import chapter_notebook, plan
from modclust_utils.publish.errors import ParameterError
from modclust_utils.publish.parameters import read_schema

SCHEMA = read_schema(chapter_notebook(4))
#: Whole numbers: the least and the largest.
WHOLE = {
    "cnn_epochs": (1, 10_000),
    "cnn_channels": (2, 1024),
    "vgg_networks": (0, 1000),
    "vgg_measured": (0, 1000),
    "vgg_epochs": (1, 10_000),
    "pretrained_clusters": (2, 256),
    "picture_size": (8, 1024),
    "n_lesion_images": (10, 1_000_000),
    "n_convolutional_images": (10, 1_000_000),
    "n_photographs": (10, 500),
    "n_activation_images": (10, 1_000_000),
    "n_steps": (1, 10_000),
    "n_spread": (1, 1000),
    "n_spread_shuffles": (2, 100_000),
    "shuffle_clusters": (2, 256),
}
#: Of the others what is taken, and what is not.
OTHERS = {
    "halves": (["halves_mnist", "halves_mnist5k"], ["mnist5k", 3, ["halves_mnist"], "x"]),
    "colour_dataset": (["cifar10_colour"], ["cifar10colour", None]),
    "photographs": (["imagenette"], ["imagenet", "", 1]),
    "vgg_width": ([1 / 64, 0.25, 4.0], [0.0, 1 / 65, 4.01, math.nan, math.inf, "0.25", True]),
    "vgg_dropout": ([0.0, 0.3, 1.99], [-0.1, 2.0, math.nan, "none"]),
    "precision": (["float32", "bfloat16"], ["float16", "BFLOAT16", 32]),
    "kernel_norm": (["l1", "induced_l1"], ["l2", 1]),
    "other_clusters": ([[], [4, 16], [2, 256]], [[1], [257], [4, 4], [4.0], 4, "4"]),
    "pretrained": (
        [[], ["efficientnet_lite0", "torchvision:vgg16"]],
        [["vgg16"], ["torchvision:vgg17"], ["tiny_darknet", "tiny_darknet"], [3], "tiny_darknet"],
    ),
    "pretrained_measured": ([[], ["squeezenet1_0"]], [["squeezenet"], ["squeezenet1_0"] * 2]),
    "pretrained_in_full": ([[], ["squeezenet1_0"]], [["squeezenet"], ["squeezenet1_0"] * 2]),
    "pretrained_partitionings": (
        [[], [*PARTITIONINGS]],
        [["weights"], ["weights/network"] * 2, "weights/network"],
    ),
}
#: What has to be large enough beside them.
BESIDE = {
    "vgg_measured": {"vgg_networks": 1000},
    "pretrained_measured": {"pretrained": ["squeezenet1_0"]},
    "pretrained_in_full": {key: ["squeezenet1_0"] for key in ("pretrained", "pretrained_measured")},
    "shuffle_clusters": {"cnn_channels": 1024},
    "cnn_channels": {"n_clusters": 2, "shuffle_clusters": 2},
}
GOOD = [(name, value) for name, ends in WHOLE.items() for value in ends] + [
    (name, value) for name, (good, _) in OTHERS.items() for value in good
]
BAD = [
    (name, value)
    for name, (low, high) in WHOLE.items()
    for value in (low - 1, high + 1, float(low), str(high), True, None)
] + [(name, value) for name, (_, bad) in OTHERS.items() for value in bad]


def test_every_parameter_of_the_chapter_is_here():
    assert {*WHOLE, *OTHERS} == {*RANGES}
    assert {*RANGES} <= {*SCHEMA.defaults}


@pytest.mark.parametrize(("name", "value"), GOOD, ids=str)
def test_what_is_allowed(name, value):
    assert SCHEMA.check({name: value, **BESIDE.get(name, {})})[name] == value


@pytest.mark.parametrize(("name", "value"), BAD, ids=str)
def test_what_is_not_is_refused_by_name_and_value_with_what_is_allowed(name, value):
    with pytest.raises(ParameterError) as caught:
        SCHEMA.check({name: value})
    message = str(caught.value)
    assert message.startswith(f"{name}={value!r} is not allowed: {RANGES[name][1]} (")
    if name in WHOLE:
        low, high = WHOLE[name]
        assert f"a whole number from {low} to {high}" in message


def test_what_is_measured_is_there():
    with pytest.raises(ParameterError) as caught:
        SCHEMA.check(
            {"vgg_measured": 3, "vgg_networks": 2, "pretrained_measured": ["tiny_darknet"]}
        )
    assert str(caught.value).splitlines() == [
        "pretrained_measured=['tiny_darknet'] is not allowed: names that are in "
        "pretrained=['efficientnet_lite0'].",
        "vgg_measured=3 is not allowed: at most vgg_networks=2.",
    ]


@pytest.mark.parametrize(
    ("values", "words"),
    [
        ({"dataset": "cifar10_colour"}, "gray images, not 3x32x32."),
        ({"colour_dataset": "mnist", "vgg_networks": 1}, "32x32 in colour, not 1x28x28."),
        (
            {"pretrained_in_full": ["efficientnet_lite0"]},
            "names that are in pretrained_measured=[].",
        ),
        ({"n_clusters": 49}, "at most 48, the units of a CNN with cnn_channels=16."),
        (
            {"pretrained_measured": ["efficientnet_lite1"], "pretrained": ["efficientnet_lite1"]},
            "networks that take photographs of 224 pixels a side; efficientnet_lite1 takes 240.",
        ),
    ],
)
def test_what_does_not_fit_together_is_refused_before_anything_is_trained(values, words):
    with pytest.raises(ParameterError) as caught:
        SCHEMA.check(values)
    (name, value), *_ = values.items()
    assert str(caught.value) == f"{name}={value!r} is not allowed: {words}"


def test_a_vgg_has_as_many_units_as_clusters():
    values = {"vgg_networks": 1, "vgg_width": 1 / 64, "cnn_channels": 64}
    assert SCHEMA.check({"n_clusters": 66, **values})["n_clusters"] == 66
    with pytest.raises(ParameterError, match=r"at most 66, the units of a VGG with vgg_width=0.01"):
        SCHEMA.check({"n_clusters": 67, **values})


def test_data_of_networks_that_are_not_asked_for_may_be_any():
    assert SCHEMA.check({"colour_dataset": "mnist"})["colour_dataset"] == "mnist"


def test_pretrained_networks_have_pictures_whatever_the_seed():
    own = {"pretrained": ["cifar10_resnet20"], "pretrained_measured": ["cifar10_resnet20"]}
    jobs = plan(4, SimpleNamespace(**SCHEMA.check({"seed": 1, "n_random": 4, **own})))
    (made,) = [
        job for job in jobs["visualizations"] if job.about["architecture"] == "cifar10_resnet20"
    ]
    assert made.parameters["n_gallery"] > 0
    assert {job.parameters["n_random"] for job in jobs["halves"]} == {4}


def test_partitionings_of_pretrained_networks_that_are_measured():
    names = ["cifar10_resnet20", "cifar10_resnet32"]
    values = {"pretrained": names, "pretrained_measured": names, "pretrained_in_full": names[1:]}
    jobs = plan(4, SimpleNamespace(**SCHEMA.check(values)))
    for group in ("lesions", "visualizations"):
        found = [
            (job.about["architecture"], job.about["partitioning"])
            for job in jobs[group]
            if job.about["architecture"] in names
        ]
        assert found == [
            (names[0], PARTITIONINGS[0]),
            *((names[1], each) for each in PARTITIONINGS),
        ]


def test_all_that_is_wrong_is_said_at_once():
    with pytest.raises(ParameterError) as caught:
        SCHEMA.check({"vgg_width": 5.0, "n_steps": 0, "vgg_depth": 16})
    unknown, *wrong = str(caught.value).splitlines()
    assert unknown.startswith("'vgg_depth' is not a parameter of 04-local-specialization.ipynb.")
    assert [line.partition("=")[0] for line in wrong] == ["vgg_width", "n_steps"]


def test_only_convolutional_networks_trained_here_have_products_in_less_precision():
    own = {"pretrained": ["cifar10_resnet20"], "pretrained_measured": ["cifar10_resnet20"]}
    values = SCHEMA.check({"precision": "bfloat16", "vgg_networks": 1, "vgg_measured": 1, **own})
    jobs = plan(4, SimpleNamespace(**values))
    found = {
        (job.about["architecture"], job.parameters["precision"])
        for job in jobs["lesions"] + jobs["visualizations"]
    }
    assert found == {
        ("mlp", "float32"),
        ("cnn", "bfloat16"),
        ("vgg", "bfloat16"),
        ("cifar10_resnet20", "float32"),
    }
