"""`modclust analyze`, as typed."""

from __future__ import annotations

import json
import re

import pytest
from own_networks import Gated, planted, write_images
from safetensors.torch import save_file

from modclust_utils.own.questions import Questions
from modclust_utils.pretrained import NAMES
from modclust_utils.publish.analysis import OPTIONS, command
from modclust_utils.publish.cli import main


@pytest.fixture
def file(tmp_path):
    path = tmp_path / "mine.safetensors"
    save_file(planted().state_dict(), path)
    return path


@pytest.fixture(autouse=True)
def own_cache(tmp_path, monkeypatch):
    monkeypatch.setattr("modclust_utils.publish.records.cache_folder", lambda: tmp_path / "cache")


def test_explain_says_everything_and_computes_nothing(file, capsys, tmp_path):
    assert main(["analyze", str(file), "--explain", "-k", "2"]) == 0
    said = capsys.readouterr().out
    for words in (
        "mine: read from mine.safetensors",
        "Linear 0 (24, 16)",
        "The graph has 68 units in 4 layers",
        "Replayed against the network's own forward pass",
        "Warning: The network is dense",
        "With 2 clusters and 100 shuffles it will take about",
    ):
        assert words in said
    assert not (tmp_path / "cache").exists()


def test_page_is_written_and_its_command_makes_it_again(file, capsys, tmp_path):
    images = write_images(tmp_path / "images.npz", planted(), labelled=False)
    typed = ["analyze", str(file), "-k", "2", "--shuffles", "5", "--data", str(images)]
    assert main([*typed, "--output", str(tmp_path / "page")]) == 0
    said = capsys.readouterr().out
    assert f"Open {tmp_path / 'page' / 'index.html'}" in said
    text = (tmp_path / "page" / "index.html").read_text(encoding="utf-8")
    again = "modclust analyze mine.safetensors --images images.npz -k 2 --shuffles 5"
    assert f"Made by <code>{again}</code>" in text
    assert str(tmp_path) not in text
    found = json.loads((tmp_path / "page" / "results.json").read_text(encoding="utf-8"))
    # without labels there are no lesions
    assert "layers" in found
    assert "lesions" not in found


def test_network_that_cannot_be_followed_is_explained(capsys, tmp_path):
    save_file(Gated().state_dict(), tmp_path / "gated.safetensors")
    architecture = "own_networks:Gated"
    asked = ["analyze", str(tmp_path / "gated.safetensors"), "--architecture", architecture]
    assert main(asked) == 1
    said = capsys.readouterr().out
    assert "not supported: its scale depends on the images" in said
    assert "'mul'" in said
    assert "What would help" in said


@pytest.mark.parametrize(
    ("typed", "said"),
    [
        (["nothing.npz"], "network='nothing.npz' is not there"),
        (["{file}", "-k", "1000"], "n_clusters=1000 is not allowed: 2 to 68"),
        (["{file}", "--input-shape", "3,x"], "input-shape='3,x' is not allowed"),
        (["{file}", "--name", "../up"], "name='../up' is not allowed"),
        (["{file}", "--architecture", "torch.nn"], "architecture='torch.nn' is not allowed"),
        (["{file}", "--partitioning", "activations"], "without images"),
    ],
)
def test_bad_input_is_refused_by_name(file, capsys, typed, said):
    assert main(["analyze", *(each.format(file=file) for each in typed)]) == 2
    assert said in capsys.readouterr().err


def test_command_names_what_is_not_the_default():
    questions = Questions(n_clusters=5, scope="layer", seed=3)
    assert command("/some/where/mine.pth", questions, input_shape=(3, 8, 8), trust_code=True) == (
        "modclust analyze mine.pth --input-shape 3,8,8 -k 5 --scope layer --seed 3 --trust-code"
    )
    assert command("torchvision:resnet18", Questions()) == "modclust analyze torchvision:resnet18"
    assert set(Questions.__dataclass_fields__) <= set(OPTIONS)


def test_help_teaches(capsys):
    with pytest.raises(SystemExit):
        main(["analyze", "--help"])
    said = capsys.readouterr().out
    assert "modclust analyze digits.pth --explain" in said
    assert "the gauge" in said
    (known,) = re.findall(r"a network that chapter 4 reads, such as (\w+)", said)
    assert known in NAMES
    with pytest.raises(SystemExit):
        main(["--help"])
    assert "analyze" in capsys.readouterr().out
