"""The rows: what a data set is called, and what is said of it without its images."""

from __future__ import annotations

from pathlib import Path

import pytest

from modclust_utils import datasets
from modclust_utils.datasets import DataError
from modclust_utils.datasets.papers import paper_table


def test_every_data_set_has_a_name_for_readers_of_its_own():
    words = {datasets.words(name) for name in datasets.NAMES}
    assert len(words) == len(datasets.NAMES)
    assert datasets.words("fashion_mnist") == "Fashion-MNIST"
    assert all(datasets.short_name(name) == name for name in datasets.NAMES)


@pytest.mark.parametrize("call", [datasets.words, datasets.short_name])
def test_a_file_is_called_by_its_name_without_folder_and_ending(call):
    assert call("/home/me/my.own set.npz") == "my.own set"
    assert call(Path("some/where.npz")) == "where"
    assert call("my.own set") == "my.own set"  # as records name it


@pytest.mark.parametrize("ask", [datasets.load, datasets.train_hash, datasets.class_names])
def test_an_unknown_name_is_refused_with_the_names_there_are(ask):
    with pytest.raises(DataError) as caught:
        ask("Fashion-MNIST")
    message = str(caught.value)
    assert "name = 'Fashion-MNIST'" in message
    assert all(name in message for name in datasets.NAMES)
    assert "Did you mean 'fashion_mnist'?" in message


def test_no_close_name_means_no_guess():
    with pytest.raises(DataError) as caught:
        datasets.check_name("zzz")
    assert "Did you mean" not in str(caught.value)


def test_a_file_cannot_pass_for_a_data_set():
    with pytest.raises(DataError, match=r"'mine/mnist\.npz' would pass for the data set 'mnist'"):
        datasets.load("mine/mnist.npz")
    assert datasets.check_name("mine/mnist_2.npz") == "mine/mnist_2.npz"


def test_the_classes_of_public_sets_are_those_that_torchvision_names():
    from torchvision.datasets import FashionMNIST

    assert datasets.class_names("fashion_mnist") == tuple(FashionMNIST.classes)
    assert datasets.class_names("mnist5k") == tuple("0123456789")
    assert datasets.class_names("cifar10")[::9] == ("airplane", "truck")
    assert datasets.class_names("mnist_cifar10")[::9] == ("0 / airplane", "9 / truck")
    assert datasets.class_names("mnist_cifar10_sep")[4:6] == ("4", "dog")


def test_mixtures_are_those_of_the_papers_tables():
    names = paper_table("filan2020_table_a16")["dataset"]
    assert [name for name in datasets.MIXTURES if "5k" not in name] == [
        name for name in names if "_" in name
    ]
    for name, (first, second, separate) in datasets.MIXTURES.items():
        assert name == f"{first}_{second}" + "_sep" * separate
