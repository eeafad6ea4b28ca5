"""What the parameters of chapters may be: a type with its range, and what is allowed, in words.

`SHARED` is one vocabulary for all chapters. A chapter says in `RANGES` what is its own.
"""

from __future__ import annotations

from typing import Annotated, Any, Literal

from pydantic import AfterValidator, BeforeValidator, Field, TypeAdapter, ValidationError

from modclust_utils import datasets
from modclust_utils.settings import TrainingSettings

#: A type that pydantic checks, and what it allows, in words.
Range = tuple[Any, str]


def whole(low: int, high: int) -> Range:
    """Whole numbers from `low` to `high`."""
    return Annotated[int, Field(ge=low, le=high)], f"a whole number from {low} to {high}"


def _known_dataset(name: str) -> str:
    datasets.check_name(name)
    return name


def _each_once(names: list[str]) -> list[str]:
    twice = sorted({name for name in names if names.count(name) > 1})
    if twice:
        raise ValueError(f"each data set once, not {', '.join(twice)} twice")
    return names


_Dataset = Annotated[str, BeforeValidator(_known_dataset)]
DATASET: Range = (_Dataset, f"one of {', '.join(datasets.NAMES)}, or the path of a .npz file")
DATASETS: Range = (
    Annotated[list[_Dataset], Field(min_length=1), AfterValidator(_each_once)],
    f"a list of one or more of {', '.join(datasets.NAMES)}, or paths of .npz files",
)

_N_NETWORKS = whole(2, 1000)
_EPOCHS = whole(1, 10_000)
_DROPOUT_RATE: Range = (Annotated[float, Field(gt=0, lt=1)], "a number above 0 and below 1")

# What `dataset_settings` may change; ranges beyond these are those of TrainingSettings.
_SETTINGS: dict[str, Any] = {
    "n_networks": _N_NETWORKS[0],
    "epochs": _EPOCHS[0],
    "pruning_epochs": _EPOCHS[0],
    "dropout_rate": _DROPOUT_RATE[0],
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
            if setting not in _SETTINGS:
                allowed = ", ".join(_SETTINGS)
                raise ValueError(f"{name}: {setting!r} is no setting; allowed: {allowed}")
            try:
                TypeAdapter(_SETTINGS[setting]).validate_python(value, strict=True)
            except ValidationError as error:
                message = error.errors()[0]["msg"]
                raise ValueError(f"{name}: {setting}={value!r}: {message}") from error
        TrainingSettings(**{key: v for key, v in settings.items() if key != "n_networks"})
    return values


_N_CLUSTERS = whole(2, 256)

SHARED: dict[str, Range] = {
    "datasets": DATASETS,
    "dataset": DATASET,
    "n_networks": _N_NETWORKS,
    "epochs": _EPOCHS,
    "pruning_epochs": _EPOCHS,
    "dropout_rate": _DROPOUT_RATE,
    "dataset_settings": (
        Annotated[dict[str, dict[str, int | float]], AfterValidator(_known_settings)],
        "{data set: {setting: number}}, or {'data set+dropout': ...} for its networks with dropout",
    ),
    "n_clusters": _N_CLUSTERS,
    "more_clusters": (list[_N_CLUSTERS[0]], "a list of whole numbers from 2 to 256"),
    "n_shuffles": whole(2, 100_000),
    "n_random": whole(2, 100_000),
    "seed": whole(0, 2**31 - 1),
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
