"""The `parameters` cell of a chapter is its schema: names, types, defaults and what they mean.

Each line of the cell is ``name: type = literal  # comment``. Ranges that a type cannot say stand
in `RANGES`, one vocabulary for all chapters. Every way into a run goes through the same check:
the command, papermill, and the notebook itself.
"""

from __future__ import annotations

import ast
import contextlib
import difflib
import io
import tokenize
from collections.abc import Mapping
from dataclasses import dataclass
from pathlib import Path
from typing import Annotated, Any, Literal

import nbformat
import yaml
from pydantic import (
    AfterValidator,
    BaseModel,
    BeforeValidator,
    ConfigDict,
    Field,
    TypeAdapter,
    ValidationError,
    create_model,
)

from modclust_utils import datasets
from modclust_utils.figures.colors import CLUSTER_COLORS
from modclust_utils.paths import root
from modclust_utils.settings import TrainingSettings

TYPES: dict[str, Any] = {
    "int": int,
    "float": float,
    "str": str,
    "bool": bool,
    "list[int]": list[int],
    "list[str]": list[str],
    "dict": dict[str, dict[str, int | float]],
}


class ParameterError(ValueError):
    """Parameters that a chapter does not take: each with its value and what is allowed."""


def _known_dataset(name: str) -> str:
    datasets.check_name(name)
    return name


def _each_once(names: list[str]) -> list[str]:
    twice = sorted({name for name in names if names.count(name) > 1})
    if twice:
        raise ValueError(f"each data set once, not {', '.join(twice)} twice")
    return names


Dataset = Annotated[str, BeforeValidator(_known_dataset)]
DatasetList = Annotated[list[Dataset], Field(min_length=1), AfterValidator(_each_once)]
_DATASET_LIST = f"a list of one or more of {', '.join(datasets.NAMES)}, or paths of .npz files"
NClusters = Annotated[int, Field(ge=2, le=256)]
Epochs = Annotated[int, Field(ge=1, le=10_000)]
DropoutRate = Annotated[float, Field(gt=0, lt=1)]

NNetworks = Annotated[int, Field(ge=2, le=1000)]

# What `dataset_settings` may change; ranges beyond these are those of TrainingSettings.
SETTINGS: dict[str, Any] = {
    "n_networks": NNetworks,
    "epochs": Epochs,
    "pruning_epochs": Epochs,
    "dropout_rate": DropoutRate,
    "batch_size": int,
    "learning_rate": float,
    "initial_sparsity": float,
    "final_sparsity": float,
    "pruning_interval": int,
}


def _known_settings(values: dict[str, dict[str, Any]]) -> dict[str, dict[str, Any]]:
    for name, settings in values.items():
        datasets.check_name(name.removesuffix("+dropout"))
        for setting, value in settings.items():
            if setting not in SETTINGS:
                raise ValueError(f"{name}: {setting!r} is no setting; allowed: {_SETTING_NAMES}")
            try:
                TypeAdapter(SETTINGS[setting]).validate_python(value, strict=True)
            except ValidationError as error:
                message = error.errors()[0]["msg"]
                raise ValueError(f"{name}: {setting}={value!r}: {message}") from error
        TrainingSettings(**{key: v for key, v in settings.items() if key != "n_networks"})
    return values


_SETTING_NAMES = ", ".join(SETTINGS)

# name -> (type with its range, what is allowed, in words)
RANGES: dict[str, tuple[Any, str]] = {
    "datasets": (DatasetList, _DATASET_LIST),
    "random_datasets": (DatasetList, _DATASET_LIST),
    "memorized_datasets": (DatasetList, _DATASET_LIST),
    "mixtures": (DatasetList, _DATASET_LIST),
    "dataset": (Dataset, f"one of {', '.join(datasets.NAMES)}, or the path of a .npz file"),
    "kilo_epochs": (Annotated[int, Field(ge=0, le=100_000)], "a whole number from 0 to 100000"),
    "n_reclusterings": (Annotated[int, Field(ge=1, le=1000)], "a whole number from 1 to 1000"),
    "n_random_sets": (Annotated[int, Field(ge=1, le=100_000)], "a whole number from 1 to 100000"),
    "n_random_pairs": (Annotated[int, Field(ge=1, le=100_000)], "a whole number from 1 to 100000"),
    "n_networks": (NNetworks, "a whole number from 2 to 1000"),
    "epochs": (Epochs, "a whole number from 1 to 10000"),
    "pruning_epochs": (Epochs, "a whole number from 1 to 10000"),
    "dropout_rate": (DropoutRate, "a number above 0 and below 1"),
    "dataset_settings": (
        Annotated[dict[str, dict[str, int | float]], AfterValidator(_known_settings)],
        "{data set: {setting: number}}, or {'data set+dropout': ...} for its networks with dropout",
    ),
    "n_clusters": (
        Annotated[int, Field(ge=2, le=len(CLUSTER_COLORS))],
        f"a whole number from 2 to {len(CLUSTER_COLORS)}, one for each colour of the figures",
    ),
    "more_clusters": (list[NClusters], "a list of whole numbers from 2 to 256"),
    "n_shuffles": (Annotated[int, Field(ge=2, le=100_000)], "a whole number from 2 to 100000"),
    "n_random": (Annotated[int, Field(ge=2, le=100_000)], "a whole number from 2 to 100000"),
    "seed": (Annotated[int, Field(ge=0, lt=2**31)], "a whole number from 0 to 2147483647"),
    "device": (
        Annotated[str, Field(pattern=r"^(auto|cpu|cuda(:\d+)?)$")],
        "'auto', 'cpu', 'cuda' or 'cuda:N'",
    ),
    "n_jobs": (
        Literal[-1] | Annotated[int, Field(ge=1, le=1024)],
        "-1 (all cores), or a number of processes from 1 to 1024",
    ),
    "data_folder": (str, "a folder, or '' for MODCLUST_DATA or data/downloads"),
}


@dataclass(frozen=True)
class Parameter:
    """One line of a parameters cell."""

    name: str
    type_name: str
    default: Any
    comment: str


@dataclass(frozen=True)
class Schema:
    """The parameters of one chapter, in the order of its cell."""

    source: Path
    parameters: tuple[Parameter, ...]

    @property
    def defaults(self) -> dict[str, Any]:
        """The quick profile."""
        return {p.name: p.default for p in self.parameters}

    def check(self, values: Mapping[str, Any]) -> dict[str, Any]:
        """All parameters, `values` over the defaults, checked.

        Raises ParameterError that lists every unknown name, wrong type and value out of range.
        """
        unknown = [name for name in values if name not in self.defaults]
        problems = [self._unknown(name) for name in unknown]
        known = {name: value for name, value in values.items() if name not in unknown}
        try:
            checked = self._model().model_validate({**self.defaults, **known})
        except ValidationError as error:
            problems += self._problems(error, {**self.defaults, **known})
        if problems:
            raise ParameterError("\n".join(problems))
        return checked.model_dump()

    def _model(self) -> type[BaseModel]:
        fields: dict[str, Any] = {
            p.name: (RANGES[p.name][0] if p.name in RANGES else TYPES[p.type_name], p.default)
            for p in self.parameters
        }
        return create_model("Parameters", __config__=ConfigDict(strict=True), **fields)

    def _unknown(self, name: object) -> str:
        close = difflib.get_close_matches(str(name), self.defaults, n=1)
        hint = f" Did you mean {close[0]!r}?" if close else ""
        return (
            f"{name!r} is not a parameter of {self.source.name}.{hint} "
            f"Allowed: {', '.join(self.defaults)}."
        )

    def _problems(self, error: ValidationError, values: Mapping[str, Any]) -> list[str]:
        lines = {}
        for problem in error.errors():
            name = str(problem["loc"][0])
            allowed = RANGES[name][1] if name in RANGES else self._type_of(name)
            message = problem["msg"].removeprefix("Value error, ")
            lines[name] = f"{name}={values[name]!r} is not allowed: {allowed} ({message})."
        return list(lines.values())

    def _type_of(self, name: str) -> str:
        return next(p.type_name for p in self.parameters if p.name == name)

    def parse(self, name: str, text: str) -> Any:
        """A value typed on the command line, read as YAML; a list may be typed as ``a,b``."""
        if name not in self.defaults:
            raise ParameterError(self._unknown(name))
        type_name, value = self._type_of(name), _read_yaml(text)
        if type_name == "str":
            return text
        if type_name.startswith("list") and not isinstance(value, list):
            return [_read_yaml(part) for part in text.split(",")]
        if type_name == "float" and isinstance(value, str):
            # YAML takes 1e-05, which Python writes, for a text
            with contextlib.suppress(ValueError):
                return float(value)
        return value


def _read_yaml(text: str) -> Any:
    """What a text says as YAML; the text itself where it says nothing."""
    try:
        return yaml.safe_load(text)
    except yaml.YAMLError:
        return text


def read_schema(notebook: Path) -> Schema:
    """The schema of a notebook, from its cell tagged ``parameters``.

    Raises ParameterError where the cell is missing or a line is not ``name: type = literal``.
    """
    try:
        cells = nbformat.read(notebook, as_version=4).cells
    except (OSError, ValueError) as error:
        raise ParameterError(f"{notebook} cannot be read as a notebook ({error})") from error
    tagged = [c for c in cells if "parameters" in c.metadata.get("tags", [])]
    if len(tagged) != 1:
        raise ParameterError(f"{notebook} has {len(tagged)} cells tagged 'parameters'; allowed: 1")
    return Schema(notebook, tuple(_read_cell(tagged[0].source, notebook)))


def _read_cell(source: str, notebook: Path) -> list[Parameter]:
    try:
        body = ast.parse(source).body
    except SyntaxError as error:
        raise ParameterError(f"{notebook.name}: the parameters cell: {error}") from error
    comments = {
        token.start[0]: token.string.lstrip("# ").strip()
        for token in tokenize.generate_tokens(io.StringIO(source).readline)
        if token.type == tokenize.COMMENT
    }
    parameters: list[Parameter] = []
    for node in body:
        line = ast.get_source_segment(source, node)
        form = f"{notebook.name}: {line!r} is not `name: type = literal  # comment`"
        if not (isinstance(node, ast.AnnAssign) and isinstance(node.target, ast.Name)):
            raise ParameterError(form)
        type_name = ast.unparse(node.annotation)
        comment = comments.get(node.end_lineno or node.lineno, "")
        if type_name not in TYPES or node.value is None or not comment:
            raise ParameterError(f"{form}; types: {', '.join(TYPES)}")
        try:
            default = ast.literal_eval(node.value)
        except ValueError as error:
            raise ParameterError(f"{form}; its value has to be a literal") from error
        if node.target.id in {p.name for p in parameters}:
            raise ParameterError(f"{notebook.name}: {node.target.id!r} stands there twice")
        parameters.append(Parameter(node.target.id, type_name, default, comment))
    return parameters


def _notebooks() -> list[Path]:
    return sorted((root() / "notebooks").glob("[0-9][0-9]-*.ipynb"))


def chapter_numbers() -> list[int]:
    """The chapters that have a notebook."""
    return [int(path.name[:2]) for path in _notebooks()]


def chapter_notebook(chapter: int) -> Path:
    """The source of a chapter. Raises ParameterError that lists the chapters there are."""
    for path in _notebooks():
        if int(path.name[:2]) == chapter:
            return path
    chapters = ", ".join(map(str, chapter_numbers())) or "none"
    raise ParameterError(f"chapter={chapter} is not there; allowed: {chapters}")


def read_profile(chapter: int, profile: str) -> dict[str, Any]:
    """Parameters of a profile; ``quick`` is the notebook's own defaults."""
    if profile == "quick":
        return {}
    if profile not in profiles(chapter):
        allowed = ", ".join(profiles(chapter))
        raise ParameterError(f"profile={profile!r} is not there; allowed: {allowed}")
    return read_parameter_file(_profile_folder() / f"{chapter:02d}-{profile}.yml")


def profiles(chapter: int) -> list[str]:
    """The profiles of a chapter, ``quick`` first."""
    return ["quick", *sorted(p.stem[3:] for p in _profile_folder().glob(f"{chapter:02d}-*.yml"))]


def _profile_folder() -> Path:
    return root() / "notebooks" / "profiles"


def read_parameter_file(path: Path) -> dict[str, Any]:
    """Parameters of a YAML file, as papermill's ``-f`` takes it."""
    try:
        content = yaml.safe_load(path.read_text(encoding="utf-8"))
    except (OSError, UnicodeDecodeError, yaml.YAMLError) as error:
        raise ParameterError(f"{path} cannot be read as parameters ({error})") from error
    if not isinstance(content, dict):
        raise ParameterError(f"{path} holds {type(content).__name__}; allowed: name: value lines")
    return content
