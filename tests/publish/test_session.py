"""What a notebook holds on to: checked parameters, its records, the command, and progress."""

from __future__ import annotations

import json
import os
import shlex
import sys
from types import SimpleNamespace

import joblib
import pytest
import yaml
from hypothesis import given
from hypothesis import strategies as st
from small_book import ROOT

from modclust_utils import datasets
from modclust_utils.publish import left, records, session
from modclust_utils.publish.errors import ParameterError
from modclust_utils.publish.parameters import profile_of, read_profile, read_schema, scientific
from modclust_utils.publish.records import default_store
from modclust_utils.publish.run import check_run
from modclust_utils.publish.session import Run, start
from modclust_utils.recipes import random_ncuts
from modclust_utils.recipes.base import Job

SCHEMA = read_schema(next((ROOT / "notebooks").glob("01-*.ipynb")))


def run_of(**values: object) -> Run:
    return Run(1, SCHEMA.check(values), SCHEMA, default_store())


# The commit


def test_the_commit_is_read_when_a_notebook_starts(book, monkeypatch):
    """By papermill and in Jupyter alike: `start` is the first call, and computing comes later."""
    heads = ["first", "second"]
    with monkeypatch.context() as patch:
        patch.setattr(records, "git", lambda _, *words: heads.pop(0) if "HEAD" in words else "")
        records.commit.cache_clear()
        start(1, {})
        assert heads == ["second"]
        assert records.provenance_now()["commit"] == "first"
    records.commit.cache_clear()


# The command that makes a page again


def values_of(name: str) -> st.SearchStrategy:
    """Allowed values of a parameter that decides results."""
    names = st.sampled_from([*datasets.NAMES, "my own file.npz", "it's.npz"])
    numbers = {"n_networks": (2, 1000), "n_clusters": (2, 12), "seed": (0, 2**31 - 1)}
    numbers |= {"n_shuffles": (2, 100_000), "n_random": (2, 100_000)}
    return {
        "datasets": st.lists(names, min_size=1, max_size=3, unique=True),
        "dropout_rate": st.floats(0, 1, exclude_min=True, exclude_max=True),
        "more_clusters": st.lists(st.integers(2, 256), max_size=3),
        "dataset_settings": st.dictionaries(
            names, st.fixed_dictionaries({}, optional={"epochs": st.integers(1, 9)}), max_size=2
        ),
    }.get(name, st.integers(*numbers.get(name, (1, 10_000))))


@given(st.fixed_dictionaries({}, optional={n: values_of(n) for n in scientific(SCHEMA.defaults)}))
def test_printed_command_asks_for_the_same_parameters(values):
    run = run_of(**values)
    words = shlex.split(run.command)
    assert words[:3] == ["modclust", "run", "1"]
    if "--profile" in words:
        again = check_run(1, words[4])
    else:
        assert words[3::3] == ["-p"] * len(words[3::3])
        assert words[4::3] == run.changed
        again = check_run(1, texts=dict(zip(words[4::3], words[5::3], strict=True)))
    assert scientific(again) == scientific(run.parameters)


PAPER = read_profile(1, "paper")


@pytest.mark.parametrize(
    ("values", "command", "profile"),
    [
        ({}, "modclust run 1", "quick"),
        ({"n_jobs": 3, "device": "cpu", "data_folder": "elsewhere"}, "modclust run 1", "quick"),
        ({"n_clusters": 7}, "modclust run 1 -p n_clusters 7", "own parameters"),
        (PAPER, "modclust run 1 --profile paper", "paper"),
        ({**PAPER, "data_folder": "x"}, "modclust run 1 --profile paper", "paper"),
    ],
)
def test_command_and_profile_of_a_run(values, command, profile):
    run = run_of(**values)
    assert (run.command, run.profile) == (command, profile)


def test_own_profile_is_found(book):
    file = book / "notebooks" / "profiles" / "01-tiny.yml"
    file.write_text(yaml.safe_dump({"n_networks": 2}))
    checked = check_run(1, "tiny")
    assert profile_of(SCHEMA, 1, checked) == "tiny"
    assert profile_of(SCHEMA, 1, {**checked, "n_jobs": 3}) == "tiny"
    assert profile_of(SCHEMA, 1, {**checked, "seed": 1}) == "own parameters"


# Inside a notebook


def test_start_takes_the_parameters_of_the_notebook(book):
    run = start(1, {**SCHEMA.defaults, "seed": 8, "other": 3})
    assert run.parameters == {**SCHEMA.defaults, "seed": 8}
    assert run.p.seed == 8
    assert run.store.folders == (book / "data" / "cache" / "records", book / "data" / "records")


@pytest.mark.parametrize("cell", ["# Parameters\nsed = 3\nepochs = 2\n", "\n# Parameters\nsed = 3"])
def test_start_refuses_what_papermill_injects(book, cell):
    cells = ["seed: int = 0  # all", cell]
    with pytest.raises(ParameterError, match=r"^'sed' is not a parameter .* 'seed'"):
        start(1, {**SCHEMA.defaults, "In": cells})
    with pytest.raises(ParameterError, match="epochs=0 is not allowed"):
        start(1, {**SCHEMA.defaults, "epochs": 0})


def test_processes_of_a_run():
    assert run_of(n_jobs=3, device="cpu").n_jobs == 3
    # those that this process may use, not all that the machine has
    assert run_of(n_jobs=-1, device="cpu").n_jobs == joblib.cpu_count()
    on_gpu = SimpleNamespace(device=SimpleNamespace(type="cuda"), parameters={"n_jobs": 3})
    assert Run.n_jobs.fget(on_gpu) == 1


def random(seed: int) -> Job:
    parameters = {"layer_sizes": [9, 6, 4], "n_clusters": 2, "n_networks": 2, "seed": seed}
    return Job(random_ncuts.RECIPE, parameters, about={"seed": seed})


def test_compute_gives_a_frame_for_each_name_and_leaves_what_was_used(book, tmp_path, monkeypatch):
    planned = {"one": [random(0)], "both": [random(1), random(0)]}
    monkeypatch.setattr(session, "plan", lambda chapter, p: planned if p.seed == 5 else None)
    monkeypatch.setenv("MODCLUST_RUN", str(tmp_path))
    run = run_of(seed=5, device="cpu", n_jobs=1)
    found = run.compute()
    assert {name: frame["seed"].tolist() for name, frame in found.items()} == {
        "one": [0],
        "both": [1, 0],
    }
    used = json.loads((tmp_path / "used.json").read_text(encoding="utf-8"))
    assert used == sorted(["random-ncuts", random(seed).key] for seed in (0, 1))
    assert {path.stem for path in run.store} == {key for _, key in used}


# Left for the command


def test_progress_is_written_for_the_command(tmp_path, monkeypatch):
    file = tmp_path / "progress.json"
    monkeypatch.setenv("MODCLUST_PROGRESS", str(file))

    def state() -> dict:
        return json.loads(file.read_text(encoding="utf-8"))

    with session.progress("random networks", 3) as bar:
        assert state() == {"what": "random networks", "total": 3, "done": 0}
        bar.update(2)
        bar.update()
        assert state() == {"what": "random networks", "total": 3, "done": 3}
    assert not file.exists()


def test_progress_is_a_bar_elsewhere(monkeypatch, capsys):
    # in a notebook
    monkeypatch.setitem(sys.modules, "ipykernel", sys)
    monkeypatch.delenv("MODCLUST_PROGRESS", raising=False)
    with session.progress("random networks", 3) as bar:
        bar.update(2)
        bar.refresh()
    assert "random networks:  67%" in capsys.readouterr().err


def test_a_bare_notebook_has_no_run_to_leave_files_with(tmp_path, monkeypatch):
    monkeypatch.chdir(tmp_path)
    monkeypatch.delenv("MODCLUST_RUN", raising=False)
    left.leave_with_run("used.json", [])
    assert os.listdir(tmp_path) == []
