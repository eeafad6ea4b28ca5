"""Checkpoints of training: a state that goes on, and the place where the last one is kept."""

from __future__ import annotations

import io
from collections.abc import Sequence
from dataclasses import dataclass, fields
from pathlib import Path
from typing import Any, Protocol

import torch

from modclust_utils.publish.records import write_atomically


@dataclass(frozen=True)
class Checkpoint:
    """A training that goes on from here: its state (`Recipe.state`), the seconds spent so far, the
    version of its recipe, and the commit by whose code it began."""

    state: Any
    seconds: float
    version: int
    commit: str


class Place(Protocol):
    """Where the last checkpoint of some work is kept."""

    def read(self) -> bytes | None:
        """What was written last, None for nothing."""

    def write(self, content: bytes) -> None:
        """Keep this in place of what was there."""

    def clear(self) -> None:
        """Keep nothing any more."""


@dataclass(frozen=True)
class CheckpointFile:
    """A file of one's own machine."""

    path: Path

    def read(self) -> bytes | None:
        """What is in the file, None where there is none."""
        try:
            return self.path.read_bytes()
        except FileNotFoundError:  # or another run with the same networks is done, and cleared it
            return None

    def write(self, content: bytes) -> None:
        """Write the file in place of the one before."""
        write_atomically(self.path, content)

    def clear(self) -> None:
        """Delete the file."""
        self.path.unlink(missing_ok=True)


def save_checkpoint(place: Place, checkpoint: Checkpoint) -> None:
    """Write a checkpoint in place of the one before."""
    facts = {name: getattr(checkpoint, name) for name in ("seconds", "version", "commit")}
    state = {each.name: getattr(checkpoint.state, each.name) for each in fields(checkpoint.state)}
    buffer = io.BytesIO()
    torch.save(facts | state, buffer)
    place.write(buffer.getvalue())


def load_checkpoint(
    place: Place, seeds: Sequence[int], device: str, version: int, kind: type[Any]
) -> Checkpoint | None:
    """What was saved, with a state of a kind; None where there is none that fits.

    A damaged checkpoint, or one of another code version, is left behind: training starts over.
    """
    found = place.read()
    if found is None:
        return None
    try:
        content: dict[str, Any] = torch.load(
            io.BytesIO(found), map_location=device, weights_only=True
        )
        state = kind(**{each.name: content[each.name] for each in fields(kind)})
        facts = float(content["seconds"]), int(content["version"]), str(content["commit"])
    except Exception:
        # torch raises many types for a damaged file; whatever it is, the work can be done again
        place.clear()
        return None
    fits = facts[1] == version and list(state.seeds) == list(seeds)
    return Checkpoint(state, *facts) if fits else None
