"""One thread around many small products: on more, libraries wait for each other.

A shuffle test on two cores took two to three times as long with the threads that numpy and torch
choose for themselves as with one each. Work is spread over cores by processes instead.
"""

from __future__ import annotations

from collections.abc import Iterator
from contextlib import contextmanager
from functools import cache

import torch
from threadpoolctl import ThreadpoolController


@cache
def _libraries() -> ThreadpoolController:
    # looking for them takes as long as a shuffle
    return ThreadpoolController()


@contextmanager
def one_thread() -> Iterator[None]:
    """While it lasts, BLAS, OpenMP and torch use one thread each; then as many as before."""
    before = torch.get_num_threads()
    with _libraries().limit(limits=1):
        torch.set_num_threads(1)
        try:
            yield
        finally:
            torch.set_num_threads(before)
