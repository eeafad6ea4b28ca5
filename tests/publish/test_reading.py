"""One reading of numbers: typed, in a file, and through papermill."""

from __future__ import annotations

import json
from pathlib import Path

import nbformat
import papermill
import pytest
from hypothesis import given
from hypothesis import strategies as st
from small_book import ROOT

from modclust_utils.publish import cli
from modclust_utils.publish.errors import ParameterError
from modclust_utils.publish.parameters import read_parameter_file, read_schema
from modclust_utils.publish.reading import read_yaml
from modclust_utils.publish.session import start

SCHEMA = read_schema(next((ROOT / "notebooks").glob("01-*.ipynb")))


def typed(name, text, folder):
    return SCHEMA.parse(name, text)


def in_a_file(name, text, folder):
    file = folder / "mine.yml"
    file.write_text(f"{name}: {text}\n", encoding="utf-8")
    return read_parameter_file(file)[name]


def by_papermill(name, text, folder):
    """As `papermill -p` passes it, up to the check in the notebook."""
    from papermill.cli import _resolve_type

    cell = f"# Parameters\n{name} = {_resolve_type(text)!r}\n"
    namespace = {**SCHEMA.defaults, name: _resolve_type(text), "In": [cell]}
    return start(1, namespace).parameters[name]


WAYS = pytest.mark.parametrize("read", [typed, in_a_file, by_papermill])


@WAYS
@pytest.mark.parametrize(
    ("name", "text", "value"),
    [
        ("seed", "010", 10),
        ("seed", "+7", 7),
        ("seed", "0", 0),
        ("epochs", "0012", 12),
        ("dropout_rate", "3e-1", 0.3),
        ("dropout_rate", "1e-3", 0.001),
        ("dropout_rate", "1E-05", 0.00001),
        ("dropout_rate", ".5", 0.5),
        ("dropout_rate", "00.5", 0.5),
    ],
)
def test_numbers_are_what_a_person_means(read, name, text, value, tmp_path):
    found = read(name, text, tmp_path)
    assert (found, type(found)) == (value, type(value))
    assert SCHEMA.check({name: found})[name] == value


@pytest.mark.parametrize("read", [typed, in_a_file])
@pytest.mark.parametrize(
    ("name", "text"),
    [
        *(("epochs", text) for text in ("1:30", "0x4", "0o10", "0b11", "1_0", "1,5", "1.0", "1e1")),
        *(("seed", text) for text in ("ten", "1 0", "٣", "²", "--1", "1-", "yes", "no", "~")),
        *(
            ("dropout_rate", text)
            for text in ("0,5", ".", "e-1", "1:30.5", ".inf", ".nan", "1_0.5")
        ),
        ("seed", "2024-01-02"),
        ("seed", "!!int x"),
        ("seed", "true"),
    ],
)
def test_what_is_no_number_is_refused_as_it_was_typed(read, name, text, tmp_path):
    if read is in_a_file and text == "!!int x":
        with pytest.raises(ParameterError, match="cannot be read as parameters"):
            read(name, text, tmp_path)
        return
    with pytest.raises(ParameterError, match=f"^{name}="):
        SCHEMA.check({name: read(name, text, tmp_path)})


@pytest.mark.parametrize("text", ["1:30", "0x4", "0o10", "1,5"])
def test_papermill_refuses_the_same(text, tmp_path):
    with pytest.raises(ParameterError, match=f"^epochs='{text}' is not allowed"):
        by_papermill("epochs", text, tmp_path)


@WAYS
@pytest.mark.parametrize(
    ("name", "text", "value"),
    [
        ("dataset_settings", "{mnist: {learning_rate: 1e-3}}", {"mnist": {"learning_rate": 1e-3}}),
        ("dataset_settings", "{mnist: {epochs: 010}}", {"mnist": {"epochs": 10}}),
        ("more_clusters", "[02, 7]", [2, 7]),
    ],
)
def test_numbers_within_lists_and_settings_are_read_alike(read, name, text, value, tmp_path):
    assert read(name, text, tmp_path) == value


@pytest.mark.parametrize("text", ["2,7", "02,07"])
def test_lists_may_be_typed_without_brackets(text, tmp_path):
    assert typed("more_clusters", text, tmp_path) == [2, 7]
    assert by_papermill("more_clusters", text, tmp_path) == [2, 7]


def test_what_papermill_cannot_read_is_a_text_for_a_name_of_text(tmp_path):
    assert by_papermill("datasets", "lines,random", tmp_path) == ["lines", "random"]
    assert by_papermill("data_folder", "folder: mine", tmp_path) == str(Path.cwd() / "folder: mine")


def test_a_text_in_the_parameters_cell_itself_is_not_read_as_a_number():
    with pytest.raises(ParameterError, match=r"^seed='4' is not allowed"):
        start(1, {**SCHEMA.defaults, "seed": "4", "In": ["seed: int = '4'"]})


@given(st.floats(0, 1, exclude_min=True, exclude_max=True) | st.integers(0, 10**12))
def test_what_python_and_json_write_is_read_again(number):
    for text in (repr(number), json.dumps(number)):
        assert read_yaml(text) == number
        assert type(read_yaml(text)) is type(number)


# A value that would be lost without a word


def test_name_that_stands_twice_in_a_file(tmp_path):
    file = tmp_path / "mine.yml"
    file.write_text("seed: 1\nepochs: 2\nseed: 3\n", encoding="utf-8")
    with pytest.raises(ParameterError, match=r"mine\.yml cannot be read .*'seed' stands there tw"):
        read_parameter_file(file)
    file.write_text("dataset_settings: {mnist: {epochs: 2, epochs: 3}}", encoding="utf-8")
    with pytest.raises(ParameterError, match="'epochs' stands there twice"):
        read_parameter_file(file)


def test_name_that_is_typed_twice(capsys):
    assert cli.main(["run", "1", "-p", "seed", "1", "-p", "seed", "2"]) == 2
    assert "-p seed is there twice; allowed: each parameter once" in capsys.readouterr().err


@pytest.mark.parametrize("profile", sorted((ROOT / "notebooks" / "profiles").glob("*.yml")))
def test_profiles_say_the_same_to_papermill(profile):
    """papermill's `-f` reads YAML 1.1: no committed profile hangs on the difference."""
    from papermill.iorw import read_yaml_file

    assert read_parameter_file(profile) == read_yaml_file(str(profile))


def test_a_number_reaches_the_notebook_as_it_is(tmp_path):
    """What papermill writes into its cell of parameters is read by Python."""
    cell = nbformat.v4.new_code_cell(
        "rate: float = 0.5  # a share", metadata={"tags": ["parameters"]}
    )
    source = tmp_path / "source.ipynb"
    nbformat.write(
        nbformat.v4.new_notebook(
            cells=[cell],
            metadata={
                "kernelspec": {"name": "python3", "language": "python", "display_name": "Python 3"}
            },
        ),
        source,
    )
    made = papermill.execute_notebook(
        str(source), None, parameters={"rate": 1e-05}, prepare_only=True, progress_bar=False
    )
    injected = [c for c in made.cells if "injected-parameters" in c.metadata.get("tags", [])]
    assert injected[0].source == "# Parameters\nrate = 1e-05\n"
