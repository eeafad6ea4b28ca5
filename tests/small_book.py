"""A small repository, a small data set, and made-up records, for the tests of `publish`."""

from __future__ import annotations

import hashlib
import json
import shutil
from collections.abc import Mapping, Sequence
from pathlib import Path
from typing import Any

import nbformat
import numpy as np
import pandas as pd
import yaml

from modclust_utils import datasets
from modclust_utils.publish.run import source_hash
from modclust_utils.recipes import clustering, partition, shuffle_test
from modclust_utils.recipes.base import Images, Job, Record
from modclust_utils.recipes.frames import frame
from modclust_utils.recipes.network import Condition
from modclust_utils.settings import TrainingSettings
from modclust_utils.stats import empirical_p_value

#: A job and the record that it gives.
Made = tuple[Job, Record]

ROOT = Path(__file__).resolve().parents[1]
#: A picture of one dot.
PIXEL = (
    "iVBORw0KGgoAAAANSUhEUgAAAAEAAAABCAYAAAAfFcSJAAAADUlEQVR42mNk+M9QDwADhgGAWjR9awAAAABJRU5ErkJg"
    "gg=="
)
#: A cell that draws it.
DRAW = (
    f"from base64 import b64decode\nfrom IPython.display import Image\nImage(b64decode({PIXEL!r}))"
)


def copy_book(
    folder: Path,
    *,
    book: bool = False,
    chapters: Sequence[int] = (1,),
    with_tutorials: bool = False,
) -> Path:
    """What runs and builds read of the repository, with some of its chapters, and without its
    records and runs."""
    (folder / "data").mkdir(parents=True)
    for file in ("_toc.yml", "_config.yml", "matplotlibrc"):
        shutil.copyfile(ROOT / file, folder / file)
    for tree in ("notebooks", "data/papers", *(["book", "benchmarks/results"] if book else [])):
        shutil.copytree(ROOT / tree, folder / tree)
    for path in (*folder.glob("notebooks/0*"), *folder.glob("notebooks/profiles/0*")):
        if int(path.name[:2]) not in chapters:
            path.unlink()
    tutorials = {f"book/{path.stem}" for path in (ROOT / "book").glob("*.ipynb")}
    if not with_tutorials:
        # to execute one takes a minute
        for name in tutorials:
            (folder / f"{name}.ipynb").unlink(missing_ok=True)
    toc = yaml.safe_load((folder / "_toc.yml").read_text(encoding="utf-8"))
    for part in toc["parts"]:
        part["chapters"] = [
            c
            for c in part["chapters"]
            if not (c["file"].startswith("notebooks/") or c["file"] in tutorials)
            or (folder / f"{c['file']}.ipynb").is_file()
        ]
    (folder / "_toc.yml").write_text(yaml.safe_dump(toc, sort_keys=False), encoding="utf-8")
    return folder


def write_notebook(folder: Path, *cells: str, figure: str | None = None) -> Path:
    """Replace the chapter of a copied book: its own parameters cell, then `cells`.

    `figure` is the code of a last cell that promises a figure.
    """
    (path,) = (folder / "notebooks").glob("01-*.ipynb")
    source = nbformat.read(path, as_version=4)
    (parameters,) = (c for c in source.cells if "parameters" in c.metadata.get("tags", []))
    new = [nbformat.v4.new_markdown_cell("# A chapter"), parameters]
    new += [nbformat.v4.new_code_cell(cell) for cell in cells]
    if figure is not None:
        facts = {"figure": {"name": "fig-one", "caption": "One."}, "image": {"alt": "One."}}
        new.append(nbformat.v4.new_code_cell(figure, metadata={"mystnb": facts}))
    nbformat.write(nbformat.v4.new_notebook(cells=new, metadata=source.metadata), path)
    return path


def write_data(path: Path, n_train: int = 256, n_test: int = 64) -> Path:
    """A data set of images with columns (`datasets.lines`) as a .npz file."""
    rng = np.random.default_rng(5)
    x_train, y_train = datasets.lines(n_train, rng)
    x_test, y_test = datasets.lines(n_test, rng)
    np.savez(path, x_train=x_train, y_train=y_train, x_test=x_test, y_test=y_test)
    return path


def write_bands(path: Path, n_train: int, n_test: int) -> Path:
    """Images that are easy to learn: the class is where two of 28 rows are bright."""
    rng = np.random.default_rng(3)
    arrays = {}
    for name, n in (("train", n_train), ("test", n_test)):
        y = np.arange(n) % 10
        x = rng.integers(0, 90, (n, 28, 28))
        for image, label in zip(x, y, strict=True):
            image[2 * label : 2 * label + 2] += 150
        arrays |= {f"x_{name}": x.astype(np.uint8), f"y_{name}": y}
    np.savez(path, **arrays)
    return path


def write_colours(path: Path, n_train: int, n_test: int) -> Path:
    """Images of 32x32 in colour: the class is how bright they are, in one of their colours."""
    rng = np.random.default_rng(4)
    arrays = {}
    for name, n in (("train", n_train), ("test", n_test)):
        y = np.arange(n) % 10
        x = rng.integers(0, 60, (n, 3, 32, 32))
        x[np.arange(n), y % 3] += 15 * y[:, None, None]
        arrays |= {f"x_{name}": x.astype(np.uint8), f"y_{name}": y}
    np.savez(path, **arrays)
    return path


def record_of(
    job: Job,
    value: Mapping[str, Any],
    *,
    seconds: float = 1.5,
    arrays: Mapping[str, np.ndarray] | None = None,
) -> Record:
    """A record of a job that was never computed."""
    provenance = {"seconds": seconds, "device": "CPU, 1 thread", "commit": "abc"}
    return Record(job.kind, job.recipe.version, job.parameters, value, provenance, arrays or {})


def make_network(
    dataset: str = "mnist",
    dropout: bool = False,
    seed: int = 0,
    *,
    weights: Sequence[np.ndarray] = (),
    seconds: float = 60.0,
    train_hash: str = "0" * 64,
    settings: TrainingSettings | None = None,
    **value: Any,
) -> Made:
    """A network that was never trained, with the accuracies given in `value`."""
    settings = settings or TrainingSettings(dropout_rate=0.5 if dropout else 0.0)
    (job,) = Condition(Images(dataset, train_hash), dropout, settings, (seed,)).jobs
    facts: dict[str, Any] = {"n_test": 10_000, "test_hash": "1" * 64, "test_note": ""}
    for phase in ("before", "after"):
        for name in ("train", "test", "running"):
            facts[f"{name}_accuracy_{phase}"] = 0.5
    arrays = {f"weight_{i}": np.asarray(w, np.float32) for i, w in enumerate(weights)}
    arrays |= {f"bias_{i}": np.zeros(len(w), np.float32) for i, w in enumerate(weights)}
    return job, record_of(job, facts | value, seconds=seconds, arrays=arrays)


def make_test(
    network: Made,
    ncut: float,
    null: Sequence[float],
    *,
    n_clusters: int = 4,
    phase: str = "after",
    mode: Any = "layer",
) -> Made:
    """A shuffle test with p-value and z-score that follow from its n-cuts."""
    sample = np.asarray(null, float)
    value = {
        "ncut": ncut,
        "p_value": empirical_p_value(ncut, sample, tail="lower"),
        "z_score": float((ncut - sample.mean()) / sample.std()) if sample.std() else float("nan"),
        "null_ncuts": list(null),
    }
    job = shuffle_test.job(
        network[0], phase, mode=mode, n_clusters=n_clusters, n_shuffles=len(sample), seed=0
    )
    return job, record_of(job, value)


def make_ncut(network: Made, ncut: float, *, n_clusters: int = 4, phase: str = "before") -> Made:
    """The n-cut of a network alone."""
    job = clustering.job(network[0], phase, n_clusters=n_clusters, seed=0)
    return job, record_of(job, {"ncut": ncut})


def make_partition(
    network: Made, ncut: float, labels: Sequence[int] = (), *, n_clusters: int = 4
) -> Made:
    """The clusters of a network; scikit-learn found an n-cut that is higher by 1."""
    job = partition.job(network[0], n_clusters=n_clusters, seed=0)
    value = {"ncut": ncut, "ncut_sklearn": ncut + 1}
    return job, record_of(job, value, arrays={"labels": np.asarray(labels, np.int16)})


def frame_of(made: Sequence[Made]) -> pd.DataFrame:
    """The tidy frame of some jobs and their records."""
    return frame([job for job, _ in made], [record for _, record in made])


class Here:
    """Where a recipe computes: on the CPU; counts steps, and may go on from a state."""

    device = "cpu"

    def __init__(self, state: Any = None) -> None:
        self.n_steps, self.state = 0, state

    def step(self) -> None:
        self.n_steps += 1

    def keep(self, state: Any) -> None:
        """Nothing is kept."""

    def resume(self) -> Any:
        return self.state


def printed(table: pd.DataFrame) -> pd.DataFrame:
    """A made-up table as if it came from a paper: pages take no table of unknown origin."""
    table.attrs = {"source": "a made-up paper"}
    return table


def digest(folder: Path) -> dict[str, str]:
    """Hash of every file below a folder, by its path."""
    return {
        file.relative_to(folder).as_posix(): hashlib.sha256(file.read_bytes()).hexdigest()
        for file in sorted(folder.rglob("*"))
        if file.is_file()
    }


def write_run(
    book: Path,
    name: str,
    *,
    state: str = "done",
    parameters: Mapping[str, Any] | None = None,
    records: Sequence[tuple[str, str]] = (),
    **status: Any,
) -> Path:
    """A run that was never executed, up to date with the code; its folder."""
    folder = book / "runs" / "01" / name
    folder.mkdir(parents=True)
    content = {
        "state": state,
        "chapter": 1,
        "name": name,
        "profile": name,
        "parameters": dict(parameters or {}),
        "source_sha256": source_hash(1),
        "commit": "abc123",
        "started": "2026-01-02T03:04:05+00:00",
        "seconds": 6.5,
    }
    if state == "done":
        content["records"] = [list(each) for each in records]
        nbformat.write(executed_chapter(), folder / "notebook.ipynb")
    (folder / "run.json").write_text(json.dumps(content | status), encoding="utf-8")
    return folder


def executed_chapter() -> nbformat.NotebookNode:
    """A chapter with one figure and a sentence about it, as papermill leaves it."""
    v4 = nbformat.v4
    figure = v4.new_code_cell(
        "draw()  # fig-one",
        execution_count=1,
        metadata={
            "mystnb": {
                "figure": {"name": "fig-one", "caption": "One."},
                "image": {"alt": "A dot."},
            }
        },
        outputs=[
            v4.new_output("display_data", {"image/png": PIXEL, "text/plain": "image"}),
            v4.new_output("display_data", {"text/html": '<details id="fig-one">How</details>'}),
            v4.new_output(
                "display_data", {"text/markdown": "See {numref}`fig-one`, not fig-one-more."}
            ),
        ],
    )
    text = "\n".join(
        [
            *("# Are they clusterable?", "", "(place)=", "## Place", ""),
            *("```{math}", ":label: eq-ncut", "x", "```", ""),
            "{eq}`eq-ncut` at [](#place), {ref}`place`; {numref}`fig-one`; a placeholder.",
        ]
    )
    return v4.new_notebook(cells=[v4.new_markdown_cell(text), figure])
