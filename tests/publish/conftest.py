"""A book of its own for a test."""

from __future__ import annotations

from pathlib import Path

import pytest
from small_book import copy_book


@pytest.fixture
def book(request, tmp_path, monkeypatch) -> Path:
    """A copy of what runs read of the repository, and the root that they find; for a module that
    says `WITH_PAGES`, with the book's pages, below a name with a space."""
    with_pages = getattr(request.module, "WITH_PAGES", False)
    folder = tmp_path / ("the book" if with_pages else "book")
    monkeypatch.setenv("MODCLUST_ROOT", str(folder))
    return copy_book(folder, book=with_pages)
