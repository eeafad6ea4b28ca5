"""Paths that lead nowhere are named: homes that are not known, a current folder that is gone."""

from __future__ import annotations

import os

import pytest

from modclust_utils import datasets, paths, pretrained
from modclust_utils.own.architectures import called
from modclust_utils.own.reading import read_network
from modclust_utils.publish.errors import ParameterError
from modclust_utils.publish.parameters import absolute

LOST = "~no-such-user/x"
SAID = r"='~no-such-user/x.*' is not allowed: a path, and no home folder is known for '~no-such-u"


@pytest.mark.parametrize(
    ("variable", "asked"),
    [
        (paths.VARIABLE, paths.root),
        (paths.DATA_VARIABLE, paths.default_folder),
        (paths.WEIGHTS_VARIABLE, lambda: pretrained.load("squeezenet1_0")),
    ],
)
def test_a_home_that_is_not_known_in_a_variable(monkeypatch, variable, asked):
    monkeypatch.setenv(variable, LOST)
    with pytest.raises(FileNotFoundError, match=f"{variable}{SAID}.*Correct it or unset it"):
        asked()


@pytest.mark.parametrize(
    ("name", "asked"),
    [
        ("folder", lambda: pretrained.load_images(LOST, size=8)),
        ("folder", lambda: pretrained.load("squeezenet1_0", folder=LOST)),
        ("folder", lambda: datasets.load("mnist", folder=LOST, download=False)),
        ("name", lambda: datasets.load(f"{LOST}.npz")),
        ("path", lambda: pretrained.read_weights(f"{LOST}.pth")),
        ("network", lambda: read_network(f"{LOST}.pth")),
        ("architecture", lambda: called(f"{LOST}.py:build", trust_code=True)),
        ("file", lambda: absolute({"datasets": [f"{LOST}.npz"]})),
        ("data_folder", lambda: absolute({"data_folder": LOST})),
    ],
)
def test_a_home_that_is_not_known_in_an_argument(name, asked):
    with pytest.raises(ValueError, match=f"{name}{SAID}"):
        asked()


def test_parameters_with_a_home_that_is_not_known_are_wrong_parameters():
    with pytest.raises(ParameterError, match="file"):
        absolute({"datasets": [f"{LOST}.npz"]})


@pytest.mark.skipif(os.name != "posix", reason="elsewhere such a folder cannot be deleted")
def test_a_current_folder_that_was_deleted_is_named(tmp_path, monkeypatch):
    gone = tmp_path / "gone"
    gone.mkdir()
    monkeypatch.chdir(gone)
    gone.rmdir()
    monkeypatch.delenv(paths.VARIABLE, raising=False)
    monkeypatch.delenv(paths.DATA_VARIABLE, raising=False)
    for asked in (
        paths.root,
        paths.default_folder,
        lambda: paths.absolute_path("network", "net.pth"),
    ):
        with pytest.raises(FileNotFoundError, match=r"The current folder is not there any more"):
            asked()
    # what does not depend on it goes on
    assert paths.absolute_path("network", tmp_path / "net.pth") == tmp_path / "net.pth"
