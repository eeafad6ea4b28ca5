"""Chapters are found by their numbers: notebooks, profiles, and rooms in the package."""

from __future__ import annotations

import shutil
from pathlib import Path

import pytest
import yaml
from small_book import copy_book

from modclust_utils import chapters as rooms
from modclust_utils.publish import chapters
from modclust_utils.publish.errors import ParameterError
from modclust_utils.publish.run import check_run


@pytest.fixture
def book(tmp_path, monkeypatch) -> Path:
    monkeypatch.setenv("MODCLUST_ROOT", str(tmp_path / "book"))
    return copy_book(tmp_path / "book", chapters=(1, 3))


def test_chapters_are_those_with_a_notebook(book):
    assert chapters.chapter_numbers() == [1, 3]
    shutil.copyfile(chapters.chapter_notebook(1), book / "notebooks" / "07-more.ipynb")
    (book / "notebooks" / "draft-8.ipynb").touch()
    assert chapters.chapter_numbers() == [1, 3, 7]
    assert chapters.chapter_notebook(7) == book / "notebooks" / "07-more.ipynb"


def test_unknown_chapter_and_profile_list_what_there_is(book):
    for ask in (check_run, chapters.chapter_notebook):
        with pytest.raises(ParameterError, match="chapter=9 is not there; allowed: 1, 3"):
            ask(9)
    with pytest.raises(ParameterError, match="profile='papr' is not there; allowed: quick, paper"):
        check_run(1, "papr")
    for file in (book / "notebooks").glob("*.ipynb"):
        file.unlink()
    with pytest.raises(ParameterError, match="chapter=1 is not there; allowed: none"):
        check_run(1)


def test_profiles_are_the_files_of_a_chapter_after_quick(book):
    folder = book / "notebooks" / "profiles"
    (folder / "01-tiny.yml").write_text(yaml.safe_dump({"n_networks": 2}))
    assert chapters.profiles(1) == ["quick", "paper", "tiny"]
    assert chapters.profile_files(1)["tiny"] == folder / "01-tiny.yml"
    assert chapters.profiles(3) == ["quick", "paper"]
    assert chapters.profiles(9) == ["quick"]
    assert check_run(1, "tiny")["n_networks"] == 2


def test_room_of_a_chapter():
    folder = chapters.room_folder(1)
    assert folder.name.startswith("ch01_")
    assert Path(chapters.room(1).__file__).parent == folder
    assert Path(chapters.room(1, "plan").__file__) == folder / "plan.py"
    assert [name for name, rule in chapters.rules(1).items() if rule.__name__ != name] == []


@pytest.mark.parametrize("ask", [chapters.room, chapters.room_folder, chapters.rules])
def test_chapter_without_a_room(ask):
    with pytest.raises(ParameterError, match=r"chapter=7 has no folder ch07_\.\.\. in ") as error:
        ask(7)
    assert rooms.__path__[0] in str(error.value)
