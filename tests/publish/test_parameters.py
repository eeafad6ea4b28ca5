"""The parameters cell is the schema: what it takes, what it refuses, and what it says then."""

from __future__ import annotations

import math
import re
import shlex
from pathlib import Path

import joblib
import nbformat
import pytest
import yaml
from hypothesis import given
from hypothesis import strategies as st
from small_book import ROOT, copy_book

from modclust_utils import datasets
from modclust_utils.publish import parameters, session
from modclust_utils.publish.parameters import ParameterError, read_schema
from modclust_utils.publish.run import check_run

NOTEBOOKS = sorted((ROOT / "notebooks").glob("[0-9][0-9]-*.ipynb"))
SCHEMA = read_schema(NOTEBOOKS[0])


@pytest.fixture
def book(tmp_path, monkeypatch):
    monkeypatch.setenv("MODCLUST_ROOT", str(tmp_path / "book"))
    return copy_book(tmp_path / "book")


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
    for content in (None, "", "{", "no json"):
        if content is not None:
            path.write_text(content)
        with pytest.raises(ParameterError, match=r"01-toy\.ipynb cannot be read as a notebook"):
            read_schema(path)


@pytest.mark.parametrize("path", NOTEBOOKS, ids=lambda path: path.stem)
def test_every_parameter_of_every_chapter_has_a_range(path):
    schema = read_schema(path)
    assert [p.name for p in schema.parameters if p.name not in parameters.RANGES] == []


@pytest.mark.parametrize("path", NOTEBOOKS, ids=lambda path: path.stem)
def test_defaults_and_profiles_of_every_chapter_are_allowed(path):
    schema, chapter = read_schema(path), int(path.name[:2])
    assert schema.check({}) == schema.defaults
    for profile in parameters.profiles(chapter):
        values = parameters.read_profile(chapter, profile)
        checked = schema.check(values)
        assert {name: checked[name] for name in values} == values


def test_every_profile_belongs_to_a_chapter():
    chapters = {path.name[:2] for path in NOTEBOOKS}
    files = sorted((ROOT / "notebooks" / "profiles").iterdir())
    assert [
        file.name for file in files if file.suffix != ".yml" or file.name[:2] not in chapters
    ] == []
    assert "paper" in parameters.profiles(1)


def test_paper_profile_has_the_settings_of_the_paper():
    # section 3: 10 networks, 20 + 20 epochs (CIFAR-10: 40 of pruning, rate 0.2), 320 shuffles
    checked = SCHEMA.check(parameters.read_profile(1, "paper"))
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
    assert message.startswith(f"{name}={value!r} is not allowed: {parameters.RANGES[name][1]}")
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
    assert checked == {**SCHEMA.defaults, "seed": 3, "datasets": ["some/where.npz", "lines"]}


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
    assert SCHEMA.check({"dataset_settings": settings})["dataset_settings"] == settings


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
    assert SCHEMA.check({name: SCHEMA.parse(name, text)})[name] == value


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
    assert parameters.RANGES[name][1] in message


def test_typed_name_that_is_unknown():
    with pytest.raises(ParameterError, match="Did you mean 'seed'"):
        SCHEMA.parse("sed", "3")


def values_of(name: str) -> st.SearchStrategy:
    """Allowed values of a parameter that decides results."""
    names = st.sampled_from([*datasets.NAMES, "my own/file.npz", "it's.npz"])
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


@given(
    st.fixed_dictionaries(
        {}, optional={n: values_of(n) for n in session.scientific(SCHEMA.defaults)}
    )
)
def test_printed_command_asks_for_the_same_parameters(values):
    checked = SCHEMA.check(values)
    run = session.Run(1, checked, SCHEMA, session.default_store())
    words = shlex.split(run.command)
    assert words[:3] == ["modclust", "run", "1"]
    if "--profile" in words:
        again = check_run(1, words[4])
    else:
        assert words[3::3] == ["-p"] * len(words[3::3])
        again = check_run(1, texts=dict(zip(words[4::3], words[5::3], strict=True)))
    assert session.scientific(again) == session.scientific(checked)


def test_command_of_a_profile_and_of_own_parameters():
    def command(**values: object) -> str:
        return session.Run(1, SCHEMA.check(values), SCHEMA, session.default_store()).command

    assert command() == "modclust run 1"
    assert command(n_jobs=3, device="cpu", data_folder="elsewhere") == "modclust run 1"
    assert command(n_clusters=7) == "modclust run 1 -p n_clusters 7"
    paper = parameters.read_profile(1, "paper")
    assert command(**paper) == "modclust run 1 --profile paper"
    assert command(**paper, data_folder="x") == "modclust run 1 --profile paper"


def test_file_overrides_the_profile_and_typed_values_the_file(tmp_path):
    file = tmp_path / "mine.yml"
    file.write_text("n_networks: 5\nn_shuffles: 6\n")
    from_file = parameters.read_parameter_file(file)
    checked = check_run(1, "paper", overrides=from_file, texts={"n_shuffles": "7"})
    paper = parameters.read_profile(1, "paper")
    assert checked == SCHEMA.check({**paper, "n_networks": 5, "n_shuffles": 7})


@pytest.mark.parametrize(
    "content", [b"- 1\n- 2\n", b"", b"text", b"a: [1\n", b"\xff\xfe\xfa: 1", None]
)
def test_file_that_holds_no_parameters(tmp_path, content):
    file = tmp_path / "mine.yml"
    if content is not None:
        file.write_bytes(content)
    with pytest.raises(ParameterError, match=r"mine\.yml (holds|cannot be read)"):
        parameters.read_parameter_file(file)


def test_unknown_chapter_and_profile_list_what_there_is(book):
    with pytest.raises(ParameterError, match="chapter=9 is not there; allowed: 1"):
        check_run(9)
    with pytest.raises(ParameterError, match="profile='papr' is not there; allowed: quick, paper"):
        check_run(1, "papr")
    for file in (book / "notebooks").glob("*.ipynb"):
        file.unlink()
    with pytest.raises(ParameterError, match="chapter=1 is not there; allowed: none"):
        check_run(1)


def test_own_profile_is_found(book):
    folder = book / "notebooks" / "profiles"
    (folder / "01-tiny.yml").write_text(yaml.safe_dump({"n_networks": 2}))
    assert parameters.profiles(1) == ["quick", "paper", "tiny"]
    checked = check_run(1, "tiny")
    assert checked["n_networks"] == 2
    assert session.profile_of(SCHEMA, 1, checked) == "tiny"
    assert session.profile_of(SCHEMA, 1, {**checked, "n_jobs": 3}) == "tiny"
    assert session.profile_of(SCHEMA, 1, {**checked, "seed": 1}) == "own parameters"


# Inside a notebook


def test_start_takes_the_parameters_of_the_notebook(book):
    run = session.start(1, {**SCHEMA.defaults, "seed": 8, "other": 3})
    assert run.parameters == {**SCHEMA.defaults, "seed": 8}
    assert run.p.seed == 8
    assert run.store.write_folder == book / "data" / "cache" / "records"


def test_start_refuses_what_papermill_injects(book):
    cells = ["seed: int = 0  # all", "# Parameters\nsed = 3\nepochs = 2\n"]
    with pytest.raises(ParameterError, match=r"^'sed' is not a parameter .* 'seed'"):
        session.start(1, {**SCHEMA.defaults, "In": cells})
    with pytest.raises(ParameterError, match="epochs=0 is not allowed"):
        session.start(1, {**SCHEMA.defaults, "epochs": 0})


def test_jobs_of_a_run():
    def jobs(n_jobs: int) -> int:
        values = SCHEMA.check({"n_jobs": n_jobs, "device": "cpu"})
        return session.Run(1, values, SCHEMA, session.default_store()).n_jobs

    assert jobs(3) == 3
    # those that this process may use, not all that the machine has
    assert jobs(-1) == joblib.cpu_count()
