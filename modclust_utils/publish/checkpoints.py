"""Checkpoints: the state of a training run, saved so that a kill costs about a minute."""

from __future__ import annotations

import io
from pathlib import Path
from typing import Any

import torch

from modclust_utils.publish.records import write_atomically
from modclust_utils.publish.versions import RECIPES
from modclust_utils.training import TrainingState


def save_checkpoint(path: Path, state: TrainingState, seconds: float) -> None:
    """Write the state and the seconds spent so far, in place of the checkpoint before."""
    content = {
        "version": RECIPES["network"].version,
        "seconds": seconds,
        **{name: getattr(state, name) for name in _fields()},
    }
    buffer = io.BytesIO()
    torch.save(content, buffer)
    write_atomically(path, buffer.getvalue())


def _fields() -> list[str]:
    """The fields of a training state."""
    return list(TrainingState.__dataclass_fields__)


def load_checkpoint(
    path: Path, seeds: list[int], device: str
) -> tuple[TrainingState | None, float]:
    """The saved state and the seconds spent on it; (None, 0) where there is none that fits.

    A damaged checkpoint, or one of another code version, is left behind: training starts over.
    """
    if not path.is_file():
        return None, 0.0
    try:
        content: dict[str, Any] = torch.load(path, map_location=device, weights_only=True)
        state = TrainingState(**{name: content[name] for name in _fields()})
    except Exception:
        # torch raises many types for a damaged file; whatever it is, the work can be done again
        path.unlink(missing_ok=True)
        return None, 0.0
    if content.get("version") != RECIPES["network"].version or list(state.seeds) != list(seeds):
        return None, 0.0
    return state, float(content["seconds"])
