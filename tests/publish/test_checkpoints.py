"""A checkpoint holds all that the rest of a training run depends on, or it is not used."""

from __future__ import annotations

import os
from dataclasses import replace
from pathlib import Path

import pytest
import torch

from modclust_utils.publish.checkpoints import load_checkpoint, save_checkpoint
from modclust_utils.publish.versions import RECIPES
from modclust_utils.settings import TrainingSettings
from modclust_utils.training import TrainingState, initial_state, train

SETTINGS = TrainingSettings(
    (6, 5, 3), dropout_rate=0.5, epochs=2, pruning_epochs=2, batch_size=4, pruning_interval=2
)
SEEDS = [3, 11]


@pytest.fixture(scope="module")
def images():
    generator = torch.Generator().manual_seed(0)
    return torch.rand(10, 6, generator=generator), torch.arange(10) % 3


def weights_after(images, path: Path, stop: int) -> list[torch.Tensor]:
    """Weights at the end of a run that was saved after `stop` epochs and went on from there."""

    def save(state: TrainingState) -> None:
        if state.epoch == stop:
            save_checkpoint(path, state, 1.0)

    train(*images, SETTINGS, seeds=SEEDS, device="cpu", on_epoch=save)
    state, _ = load_checkpoint(path, SEEDS, "cpu")
    assert state is not None
    assert state.epoch == stop
    trained = train(*images, SETTINGS, seeds=SEEDS, device="cpu", state=state)
    running = [trained.running_accuracy_before, trained.running_accuracy_after]
    parts = (trained.before, trained.after)
    return [w for part in parts for w in [*part.weights, *part.biases]] + running


@pytest.mark.parametrize("stop", [1, 2, 3, 4])
def test_run_that_goes_on_ends_like_one_that_never_stopped(images, tmp_path, stop):
    trained = train(*images, SETTINGS, seeds=SEEDS, device="cpu")
    parts = (trained.before, trained.after)
    expected = [w for part in parts for w in [*part.weights, *part.biases]]
    expected += [trained.running_accuracy_before, trained.running_accuracy_after]
    found = weights_after(images, tmp_path / "state.pt", stop)
    assert all(torch.equal(a, b) for a, b in zip(found, expected, strict=True))


def test_saved_state_is_read_again(tmp_path):
    state = initial_state(SETTINGS, seeds=SEEDS, device="cpu")
    save_checkpoint(tmp_path / "deep" / "state.pt", state, 12.5)
    again, seconds = load_checkpoint(tmp_path / "deep" / "state.pt", SEEDS, "cpu")
    assert seconds == 12.5
    assert again is not None
    assert again.seeds == tuple(SEEDS)
    assert again.before is again.running_accuracy is again.running_accuracy_before is None
    assert all(map(torch.equal, again.parameters, state.parameters))


def test_later_checkpoint_takes_the_place_of_the_earlier_one(tmp_path):
    path = tmp_path / "state.pt"
    state = initial_state(SETTINGS, seeds=SEEDS, device="cpu")
    save_checkpoint(path, state, 1.0)
    state.epoch = 2
    save_checkpoint(path, state, 2.0)
    again, seconds = load_checkpoint(path, SEEDS, "cpu")
    assert (again.epoch, seconds) == (2, 2.0)
    assert [file.name for file in tmp_path.iterdir()] == ["state.pt"]


def test_no_checkpoint(tmp_path):
    assert load_checkpoint(tmp_path / "state.pt", SEEDS, "cpu") == (None, 0.0)


def test_checkpoint_of_other_networks_or_other_code_is_not_used(tmp_path, monkeypatch):
    path = tmp_path / "state.pt"
    save_checkpoint(path, initial_state(SETTINGS, seeds=SEEDS, device="cpu"), 1.0)
    assert load_checkpoint(path, SEEDS[::-1], "cpu") == (None, 0.0)
    assert load_checkpoint(path, SEEDS[:1], "cpu") == (None, 0.0)
    raised = replace(RECIPES["network"], version=RECIPES["network"].version + 1)
    monkeypatch.setitem(RECIPES, "network", raised)
    assert load_checkpoint(path, SEEDS, "cpu") == (None, 0.0)


class Harmful:
    """Something that would run code where it is unpickled."""

    def __init__(self, folder: Path) -> None:
        self.folder = folder

    def __reduce__(self):
        return os.mkdir, (str(self.folder),)


@pytest.mark.parametrize("damage", ["truncated", "empty", "text", "list", "fields", "harmful"])
def test_damaged_checkpoint_is_put_away(tmp_path, damage):
    path = tmp_path / "state.pt"
    save_checkpoint(path, initial_state(SETTINGS, seeds=SEEDS, device="cpu"), 1.0)
    whole = path.read_bytes()
    if damage == "list":
        torch.save([1, 2], path)
    elif damage == "fields":
        torch.save({"version": RECIPES["network"].version, "seconds": 1.0}, path)
    elif damage == "harmful":
        torch.save({"seeds": Harmful(tmp_path / "made")}, path)
    else:
        contents = {"truncated": whole[: len(whole) // 2], "empty": b"", "text": b"no torch"}
        path.write_bytes(contents[damage])
    assert load_checkpoint(path, SEEDS, "cpu") == (None, 0.0)
    assert list(tmp_path.iterdir()) == []
