"""A torch module asked without dropout and without new statistics of batches."""

from __future__ import annotations

from collections.abc import Iterator
from contextlib import contextmanager

from torch import nn


@contextmanager
def evaluation_mode(network: nn.Module) -> Iterator[None]:
    """No dropout, no new statistics of batches; then every submodule in the mode that it had."""
    modes = [(each, each.training) for each in network.modules()]
    network.eval()
    try:
        yield
    finally:
        for each, training in modes:
            each.training = training
