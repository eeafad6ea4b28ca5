"""Which pretrained networks have their weights here; tests of the others are skipped."""

from __future__ import annotations

import os
from pathlib import Path

import pytest

from modclust_utils.paths import WEIGHTS_VARIABLE
from modclust_utils.pretrained import NAMES, ROWS


def _why_not(name: str) -> str:
    row, folder = ROWS[name], os.environ.get(WEIGHTS_VARIABLE)
    if row.package or (folder and (Path(folder) / row.file).is_file()):
        return ""
    return f"{WEIGHTS_VARIABLE} names no folder with {row.file}"


def _place(name: str) -> object:
    why = _why_not(name)
    return pytest.param(name, marks=pytest.mark.skip(reason=why)) if why else name


#: All names, for `pytest.mark.parametrize`; those without weights here are skipped.
NETWORKS = [_place(name) for name in NAMES]
