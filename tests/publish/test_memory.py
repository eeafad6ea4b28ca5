from __future__ import annotations

import sys

import numpy as np
import pytest

from modclust_utils.publish import memory
from modclust_utils.publish.memory import peak_memory

MB = 10**6
BIG = 300


def take(n_mb: int) -> None:
    """Hold so many megabytes for a moment."""
    np.ones(n_mb * MB // 8)


def test_what_was_held_for_a_moment_counts():
    with peak_memory("cpu") as peaks:
        before = peaks()["peak_mb"]
        take(BIG)
        assert before + 0.9 * BIG < peaks()["peak_mb"] < before + 2 * BIG


@pytest.mark.skipif(sys.platform != "linux", reason="only Linux can begin anew")
def test_what_was_held_before_does_not():
    with peak_memory("cpu") as peaks:
        take(BIG)
        first = peaks()["peak_mb"]
    with peak_memory("cpu") as peaks:
        assert peaks()["peak_mb"] < first - 0.9 * BIG


def test_a_second_measurement_leaves_the_first_its_peak():
    with peak_memory("cpu") as peaks:
        take(BIG)
        first = peaks()["peak_mb"]
        with peak_memory("cpu"):
            pass
        assert peaks()["peak_mb"] >= first


def test_where_the_system_cannot_begin_anew_it_is_the_process_s_peak(monkeypatch, tmp_path):
    with peak_memory("cpu") as peaks:
        known = peaks()["peak_mb"]
        monkeypatch.setattr(memory, "STATUS", tmp_path / "none")
        monkeypatch.setattr(memory, "CLEAR", tmp_path / "none" / "none")
        assert peaks()["peak_mb"] >= 0.9 * known


def test_where_nothing_is_told_nothing_is_noted(monkeypatch, tmp_path):
    monkeypatch.setattr(memory, "STATUS", tmp_path / "none")
    monkeypatch.setitem(sys.modules, "resource", None)
    with peak_memory("cpu") as peaks:
        assert peaks() == {}
