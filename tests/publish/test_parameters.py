"""The parameters cell is the schema: what it takes, what it refuses, and what it says then."""

from __future__ import annotations

import math
import re
from pathlib import Path

import nbformat
import pytest
from hypothesis import given
from hypothesis import strategies as st
from small_book import ROOT

from modclust_utils.publish.chapters import profiles
from modclust_utils.publish.errors import ParameterError
from modclust_utils.publish.parameters import (
    absolute,
    read_parameter_file,
    read_profile,
    read_schema,
)
from modclust_utils.publish.run import check_run
from modclust_utils.recipes.ranges import SHARED

NOTEBOOKS = sorted((ROOT / "notebooks").glob("[0-9][0-9]-*.ipynb"))
SCHEMA = read_schema(NOTEBOOKS[0])


def write(path: Path, *sources: str, tags: tuple[str, ...] = ("parameters",)) -> Path:
    cells = [nbformat.v4.new_code_cell(s, metadata={"tags": list(tags)}) for s in sources]
    nbformat.write(nbformat.v4.new_notebook(cells=cells), path)
    return path


def refusal(values: dict) -> str:
    with pytest.raises(ParameterError) as error:
        SCHEMA.check(values)
    return str(error.value)


# The cell


def test_schema_of_a_cell(tmp_path):
    path = write(
        tmp_path / "01-toy.ipynb",
        "# settings\n"
        'names: list[str] = ["a#b"]  # first names\n'
        "n_clusters: int = 4  # clusters # of units\n"
        "rate: float = (\n    -1e-3\n)  # below 0\n"
        "more: dict = {'a': {'b': 1}}  # and more\n",
    )
    schema = read_schema(path)
    assert schema.source == path
    assert [(p.name, p.type_name, p.default, p.comment) for p in schema.parameters] == [
        ("names", "list[str]", ["a#b"], "first names"),
        ("n_clusters", "int", 4, "clusters # of units"),
        ("rate", "float", -1e-3, "below 0"),
        ("more", "dict", {"a": {"b": 1}}, "and more"),
    ]
    assert schema.defaults == {
        "names": ["a#b"],
        "n_clusters": 4,
        "rate": -1e-3,
        "more": {"a": {"b": 1}},
    }


@pytest.mark.parametrize(
    ("line", "message"),
    [
        ("seed = 0  # untyped", "is not `name: type = literal  # comment`"),
        ("seed: int  # no value", "types: int, float"),
        ("seed: int = 0", "is not `name: type = literal  # comment`"),
        ("seed: int = 0  #  ", "is not `name: type = literal  # comment`"),
        ("seed: complex = 0  # another type", "types: int, float"),
        ("seed: int = 2 + max(1, 2)  # computed", "has to be a literal"),
        ("seed: int = other  # a name", "has to be a literal"),
        ("run.seed: int = 0  # an attribute", "is not `name: type = literal  # comment`"),
        ("import os  # a statement", "is not `name: type = literal  # comment`"),
        ("'seed'  # a text", "is not `name: type = literal  # comment`"),
        ("seed: int = 0  # once\nseed: int = 1  # again", "'seed' stands there twice"),
        ("seed: int = (  # open", "the parameters cell"),
        ("seed: int == 0  # slip", "types: int, float"),
    ],
)
def test_bad_line_in_the_cell(tmp_path, line, message):
    path = write(tmp_path / "01-toy.ipynb", f"epochs: int = 1  # fine\n{line}\n")
    with pytest.raises(ParameterError, match=re.escape(message)) as error:
        read_schema(path)
    assert "01-toy.ipynb" in str(error.value)


@pytest.mark.parametrize(("n_cells", "tags"), [(0, ("parameters",)), (1, ()), (2, ("parameters",))])
def test_one_cell_is_tagged(tmp_path, n_cells, tags):
    path = write(tmp_path / "01-toy.ipynb", *["seed: int = 0  # all"] * n_cells, tags=tags)
    found = n_cells if tags else 0
    with pytest.raises(ParameterError, match=f"has {found} cells tagged 'parameters'; allowed: 1"):
        read_schema(path)


def test_file_that_is_no_notebook(tmp_path):
    path = tmp_path / "01-toy.ipynb"
    for content in (None, "", "{", "no json", "[]", "{}"):
        if content is not None:
            path.write_text(content)
        with pytest.raises(ParameterError, match=r"01-toy\.ipynb cannot be read as a notebook"):
            read_schema(path)


def test_ranges_are_shared_but_for_those_of_a_chapters_room(tmp_path):
    for name in ("toy.ipynb", "77-toy.ipynb"):
        assert read_schema(write(tmp_path / name, "seed: int = 0  # all")).ranges == SHARED
    own = read_schema(write(tmp_path / "01-toy.ipynb", "seed: int = 0  # all")).ranges
    assert own == SCHEMA.ranges == {**SHARED, "n_clusters": own["n_clusters"]}
    assert own["n_clusters"] != SHARED["n_clusters"]


@pytest.mark.parametrize("path", NOTEBOOKS, ids=lambda path: path.stem)
def test_every_parameter_of_every_chapter_has_a_range(path):
    schema = read_schema(path)
    assert [p.name for p in schema.parameters if p.name not in schema.ranges] == []


@pytest.mark.parametrize("path", NOTEBOOKS, ids=lambda path: path.stem)
def test_defaults_and_profiles_of_every_chapter_are_allowed(path):
    schema, chapter = read_schema(path), int(path.name[:2])
    assert schema.check({}) == schema.defaults
    for profile in profiles(chapter):
        values = read_profile(chapter, profile)
        checked = schema.check(values)
        assert {name: checked[name] for name in values} == values


def test_every_profile_belongs_to_a_chapter():
    chapters = {path.name[:2] for path in NOTEBOOKS}
    files = sorted((ROOT / "notebooks" / "profiles").iterdir())
    assert [
        file.name for file in files if file.suffix != ".yml" or file.name[:2] not in chapters
    ] == []
    assert "paper" in profiles(1)


def test_paper_profile_has_the_settings_of_the_paper():
    # section 3: 10 networks, 20 + 20 epochs (CIFAR-10: 40 of pruning, rate 0.2), 320 shuffles
    checked = SCHEMA.check(read_profile(1, "paper"))
    assert checked["datasets"] == ["mnist", "fashion_mnist", "cifar10"]
    expected = {"n_networks": 10, "epochs": 20, "pruning_epochs": 20, "dropout_rate": 0.5}
    expected |= {"n_clusters": 4, "n_shuffles": 320, "n_random": 200}
    assert {name: checked[name] for name in expected} == expected
    assert sorted(checked["more_clusters"]) == [2, 7, 10]
    assert checked["dataset_settings"]["cifar10"] == {"pruning_epochs": 40, "dropout_rate": 0.2}


# Values


BAD_VALUES = [
    ("datasets", [], "a list of one or more of mnist5k"),
    ("datasets", "mnist", "a list of one or more of mnist5k"),
    ("datasets", ["mnst"], "Did you mean 'mnist'?"),
    ("datasets", ["mnist", "mnist"], "each data set once"),
    ("datasets", ["images.csv"], "or a .npz file"),
    ("datasets", [5], "a list of one or more of mnist5k"),
    ("n_networks", 1, "a whole number from 2 to 1000"),
    ("n_networks", 2.0, "a whole number from 2 to 1000"),
    ("n_networks", "4", "a whole number from 2 to 1000"),
    ("n_networks", True, "a whole number from 2 to 1000"),
    ("n_networks", None, "a whole number from 2 to 1000"),
    ("epochs", 0, "a whole number from 1 to 10000"),
    ("pruning_epochs", 10_001, "a whole number from 1 to 10000"),
    ("dropout_rate", 0, "a number above 0 and below 1"),
    ("dropout_rate", 1.0, "a number above 0 and below 1"),
    ("dropout_rate", math.nan, "a number above 0 and below 1"),
    ("dropout_rate", "half", "a number above 0 and below 1"),
    ("n_clusters", 1, "a whole number from 2 to 12"),
    ("n_clusters", 13, "a whole number from 2 to 12"),
    ("more_clusters", 2, "a list of whole numbers from 2 to 256"),
    ("more_clusters", [2, 1], "a list of whole numbers from 2 to 256"),
    ("more_clusters", [2, "7"], "a list of whole numbers from 2 to 256"),
    ("n_shuffles", 1, "a whole number from 2 to 100000"),
    ("n_random", 1, "a whole number from 2 to 100000"),
    ("seed", -1, "a whole number from 0 to 2147483647"),
    ("seed", 2**31, "a whole number from 0 to 2147483647"),
    ("device", "gpu", "'auto', 'cpu', 'cuda' or 'cuda:N'"),
    ("device", "cuda:", "'auto', 'cpu', 'cuda' or 'cuda:N'"),
    ("n_jobs", 0, "-1 (all cores), or a number of processes from 1"),
    ("n_jobs", -2, "-1 (all cores), or a number of processes from 1"),
    ("n_jobs", 1025, "-1 (all cores), or a number of processes from 1"),
    ("data_folder", 3, "a folder, or ''"),
    ("dataset_settings", [], "{data set: {setting: number}}"),
    ("dataset_settings", {"mnist": 3}, "{data set: {setting: number}}"),
    ("dataset_settings", {"mnst": {"epochs": 3}}, "Did you mean 'mnist'?"),
    ("dataset_settings", {"mnist+drop": {"epochs": 3}}, "'mnist+drop' is no data set"),
    ("dataset_settings", {"mnist": {"epoch": 3}}, "'epoch' is no setting; allowed: n_networks,"),
    ("dataset_settings", {"mnist": {"epochs": 0}}, "mnist: epochs=0"),
    ("dataset_settings", {"mnist": {"n_networks": 1}}, "mnist: n_networks=1"),
    ("dataset_settings", {"mnist": {"epochs": 1.5}}, "mnist: epochs=1.5"),
    ("dataset_settings", {"mnist": {"epochs": True}}, "dataset_settings={'mnist'"),
    ("dataset_settings", {"mnist": {"dropout_rate": 0.0}}, "mnist: dropout_rate=0.0"),
    ("dataset_settings", {"mnist": {"batch_size": 0}}, "batch_size=0 is not allowed: 1 or more"),
    ("dataset_settings", {"mnist": {"final_sparsity": 0.2}}, "initial_sparsity=0.5 is not allowed"),
]


@pytest.mark.parametrize(("name", "value", "allowed"), BAD_VALUES)
def test_bad_value_names_parameter_value_and_what_is_allowed(name, value, allowed):
    message = refusal({name: value})
    assert message.startswith(f"{name}={value!r} is not allowed: {SCHEMA.ranges[name][1]}")
    assert allowed in message


def test_every_parameter_has_a_bad_value_above():
    assert {name for name, _, _ in BAD_VALUES} == set(SCHEMA.defaults)


def test_all_problems_are_listed_at_once():
    message = refusal({"n_netwroks": 3, "epochs": 0, "seed": "x", "wurst": 1})
    assert [line.split("=")[0].split()[0] for line in message.splitlines()] == [
        "'n_netwroks'",
        "'wurst'",
        "epochs",
        "seed",
    ]


def test_unknown_name_with_and_without_a_suggestion():
    message = refusal({"n_cluster": 4})
    assert message.startswith(
        "'n_cluster' is not a parameter of 01-pruned-mlp-clusterability.ipynb. "
        "Did you mean 'n_clusters'? Allowed: datasets, n_networks,"
    )
    assert "Did you mean" not in refusal({"wurst": 4})
    assert refusal({7: 4}).startswith("7 is not a parameter")


def test_check_gives_every_parameter_in_the_order_of_the_cell():
    checked = SCHEMA.check({"seed": 3, "datasets": ["some/where.npz", "lines"]})
    assert list(checked) == list(SCHEMA.defaults)
    file = str(Path.cwd() / "some" / "where.npz")
    assert checked == {**SCHEMA.defaults, "seed": 3, "datasets": [file, "lines"]}


def test_check_gives_values_of_its_own():
    checked = SCHEMA.check({})
    checked["more_clusters"].append(3)
    assert SCHEMA.check({}) == SCHEMA.defaults != checked


@given(st.integers(-(2**40), 2**40) | st.integers(0, 300))
def test_n_clusters_from_2_to_12(n_clusters):
    if 2 <= n_clusters <= 12:
        assert SCHEMA.check({"n_clusters": n_clusters})["n_clusters"] == n_clusters
    else:
        assert f"n_clusters={n_clusters} is not allowed" in refusal({"n_clusters": n_clusters})


def test_settings_of_one_data_set():
    settings = {
        "cifar10": {"epochs": 3, "dropout_rate": 0.2, "learning_rate": 1},
        "cifar10+dropout": {"pruning_interval": 1, "initial_sparsity": 0},
        "my/own.npz": {"batch_size": 8, "final_sparsity": 0.5, "pruning_epochs": 9},
    }
    found = SCHEMA.check({"dataset_settings": settings})["dataset_settings"]
    settings[str(Path.cwd() / "my" / "own.npz")] = settings.pop("my/own.npz")
    assert found == settings


# Text: the command line and YAML files


@pytest.mark.parametrize(
    ("name", "text", "value"),
    [
        ("datasets", "mnist", ["mnist"]),
        ("datasets", "mnist,cifar10", ["mnist", "cifar10"]),
        ("datasets", "[mnist, my/own.npz]", ["mnist", "my/own.npz"]),
        ("n_networks", "12", 12),
        ("dropout_rate", "0.25", 0.25),
        ("dropout_rate", "1e-3", 0.001),
        ("more_clusters", "2,7", [2, 7]),
        ("more_clusters", "3", [3]),
        ("more_clusters", "[]", []),
        ("device", "cpu", "cpu"),
        ("data_folder", "", ""),
        ("data_folder", "2024", "2024"),
        ("data_folder", "C:\\data: mine #1", "C:\\data: mine #1"),
        ("dataset_settings", "{mnist: {epochs: 3}}", {"mnist": {"epochs": 3}}),
    ],
)
def test_value_typed_on_the_command_line(name, text, value):
    assert SCHEMA.parse(name, text) == value
    assert SCHEMA.check({name: SCHEMA.parse(name, text)})[name] == absolute({name: value})[name]


@pytest.mark.parametrize(
    ("name", "text"),
    [
        ("n_networks", "four"),
        ("n_networks", ""),
        ("n_networks", "4,5"),
        ("dropout_rate", "half"),
        ("more_clusters", "2,seven"),
        ("more_clusters", ""),
        ("datasets", "[mnist"),
        ("datasets", "{"),
        ("dataset_settings", "{mnist: "),
        ("dataset_settings", "mnist"),
    ],
)
def test_text_that_is_no_value(name, text):
    message = refusal({name: SCHEMA.parse(name, text)})
    assert message.startswith(f"{name}=")
    assert SCHEMA.ranges[name][1] in message


def test_typed_name_that_is_unknown():
    with pytest.raises(ParameterError, match="Did you mean 'seed'"):
        SCHEMA.parse("sed", "3")


def test_file_overrides_the_profile_and_typed_values_the_file(tmp_path):
    file = tmp_path / "mine.yml"
    file.write_text("n_networks: 5\nn_shuffles: 6\n")
    from_file = read_parameter_file(file)
    checked = check_run(1, "paper", overrides=from_file, texts={"n_shuffles": "7"})
    paper = read_profile(1, "paper")
    assert checked == SCHEMA.check({**paper, "n_networks": 5, "n_shuffles": 7})


@pytest.mark.parametrize(
    "content", [b"- 1\n- 2\n", b"", b"text", b"a: [1\n", b"\xff\xfe\xfa: 1", None]
)
def test_file_that_holds_no_parameters(tmp_path, content):
    file = tmp_path / "mine.yml"
    if content is not None:
        file.write_bytes(content)
    with pytest.raises(ParameterError, match=r"mine\.yml (holds|cannot be read)"):
        read_parameter_file(file)
