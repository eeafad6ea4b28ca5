"""`analyze`: a network of one's own goes in, results come out, and a page where one is wanted.

The records are those of the chapters' kinds, computed by the same engine: asked again, they are
read, and a run that was stopped goes on.
"""

from __future__ import annotations

import json
import shlex
from collections.abc import Callable, Mapping, Sequence
from dataclasses import asdict, dataclass, field
from pathlib import Path
from typing import Any

import joblib
import pandas as pd
from IPython.display import HTML, display
from torch import nn

from modclust_utils import __version__
from modclust_utils.doors import as_count, as_jobs
from modclust_utils.own import figures, findings, tables
from modclust_utils.own.images import OwnImages, own_images
from modclust_utils.own.plan import (
    as_questions,
    check_questions,
    estimate,
    keeping,
    make_plan,
)
from modclust_utils.own.questions import Questions
from modclust_utils.own.reading import OwnNetwork, read_network
from modclust_utils.own.understanding import Understanding, understand
from modclust_utils.paths import absolute_path
from modclust_utils.publish import engine, show
from modclust_utils.publish.analysis_folder import PAGE, write_page
from modclust_utils.publish.errors import ParameterError
from modclust_utils.publish.escape import clean_html
from modclust_utils.publish.groups import LocalCrew
from modclust_utils.publish.html_tables import table_html
from modclust_utils.publish.records import (
    RecordStore,
    default_store,
    published_folder,
    read_record,
)
from modclust_utils.publish.session import progress
from modclust_utils.recipes.base import Record
from modclust_utils.recipes.frames import Shown, plain_data
from modclust_utils.recipes.network import mlp

#: Minutes for which no other process is started.
SHORT = 1.0


@dataclass(frozen=True, eq=False)
class Analysis:
    """What was found about a network.

    understood: how it was read; questions: what was asked; tables: the results by name, frames of
    plain numbers; summary, warnings: in sentences; command: that which does the same again.
    """

    understood: Understanding = field(repr=False)
    questions: Questions
    tables: Mapping[str, pd.DataFrame] = field(repr=False)
    figures: Mapping[str, Shown] = field(repr=False)
    summary: tuple[str, ...]
    warnings: tuple[str, ...]
    notes: Mapping[str, str] = field(repr=False)
    command: str = ""

    @property
    def name(self) -> str:
        """The network's name."""
        return self.understood.network.name

    @property
    def parameters(self) -> dict[str, Any]:
        """What was asked, for the lines under figures."""
        return {"network": self.understood.network.source, **asdict(self.questions)}

    def show(self, name: str) -> None:
        """Show a figure or table in a notebook, as the book does. Raises ValueError for a name that
        is none of `figures`."""
        if name not in self.figures:
            raise ValueError(f"name={name!r} is not allowed: {', '.join(self.figures)}")
        # a notebook may be about several networks
        show.show(self, self.figures[name], name=f"{self.name}-{name}")

    def tell(self) -> None:
        """Show summary and warnings in a notebook, as a list."""
        outside = {self.understood.network.source, *self.understood.layers["layer"]}
        show.say("\n".join(f"- {text}" for text in (*self.summary, *self.warnings)), outside)

    def results(self) -> dict[str, Any]:
        """All results as JSON takes them: numbers, texts, lists and dicts."""
        found, network = self.understood, self.understood.network
        return {
            "modclust": __version__,
            "network": {
                "name": network.name,
                "source": network.source,
                "file_sha256": network.file_sha256,
                "weights_hash": network.weights_hash,
                "input_shape": list(network.input_shape),
                "prepared": network.maker.prepared,
                "notes": list(network.notes),
            },
            "graph": {
                "units": found.n_units,
                "units_with_edges": found.n_live,
                "edges": found.n_edges,
                "possible_edges": found.n_possible,
                "parts": found.n_parts,
            },
            "replay": asdict(found.replay),
            "top_1": found.top_1,
            "asked": asdict(self.questions),
            "summary": list(self.summary),
            "warnings": list(self.warnings),
            **{name: _rows(table) for name, table in self.tables.items()},
        }

    def write(self, folder: str | Path, *, beside: bool = False) -> Path:
        """Write the page, `results.json` and a CSV file for each table into a folder; the page.

        beside: whether the page of another network in it stays, and this one goes to a folder
        beside it; else it is replaced, which is said. Raises ValueError for a folder with files
        that are not those of an analysis.
        """
        from modclust_utils.publish.analysis_page import page_html

        folder = absolute_path("folder", folder)
        csv = {f"{name}.csv": plain_data(table) for name, table in self.tables.items()}
        files = {name: table.to_csv(index=False).encode() for name, table in csv.items()}
        files[PAGE] = page_html(self).encode()
        return write_page(folder, self.results(), files, beside=beside)


def _rows(table: pd.DataFrame) -> list[dict[str, Any]]:
    plain = table.drop(columns=[name for name in table if str(name).endswith("record")])
    found: list[dict[str, Any]] = json.loads(plain.to_json(orient="records", double_precision=10))
    return found


def explain(
    network: str | Path | nn.Module,
    *,
    n_clusters: int = Questions.n_clusters,
    images: str | Path | None = None,
    n_images: int = Questions.n_images,
    **reading: Any,
) -> Understanding:
    """What is understood of a network, without computing anything about it: as `analyze`, which has
    the parameters. Does not raise for a network that cannot be followed, which it names."""
    n_clusters, n_images = as_count("n_clusters", n_clusters), as_count("n_images", n_images)
    found = read_network(network, images=images, **_checked(reading))
    return understand(found, n_clusters, images_for(found, images, n_images))


def show_understood(found: Understanding) -> None:
    """Show in a notebook what was understood: a row a layer, and sentences."""
    display(HTML(clean_html(table_html(tables.understood(found), name="understood"))))
    said = [*found.network.notes]
    said += (
        [findings.refused(found)]
        if found.graph is None
        else [findings.size(found), findings.replayed(found), found.images, findings.top_1(found)]
    )
    outside = {*found.network.notes, *found.layers["layer"]}
    show.say("\n".join(f"- {text}" for text in (*said, *found.warnings) if text), outside)


def analyze(
    network: str | Path | nn.Module,
    *,
    architecture: str | Callable[[], nn.Module] | None = None,
    trust_code: bool = False,
    images: str | Path | None = None,
    input_shape: Sequence[int] | None = None,
    prepared: str | None = None,
    name: str | None = None,
    n_clusters: int = Questions.n_clusters,
    n_shuffles: int = Questions.n_shuffles,
    partitioning: str = Questions.partitioning,
    scope: str = Questions.scope,
    n_images: int = Questions.n_images,
    n_random: int = Questions.n_random,
    seed: int = Questions.seed,
    n_jobs: int = -1,
    store: RecordStore | None = None,
) -> Analysis:
    """Is a network clusterable, and do its clusters matter?

    Parameters
    ----------
    network : str, path, or torch.nn.Module
        ``torchvision:NAME``, a name of `pretrained.load`, a file of weights (.safetensors, .npz,
        .pth, .pt), or a module.
    architecture : str or callable, optional
        What builds the module of a file: ``module:name``, or ``file.py:name``. A chain of plain
        Linear or Conv2d layers needs none.
    trust_code : bool
        Whether the code of a ``file.py`` may run.
    images : path, optional
        A folder of images, or a `.npz` file of arrays x and y, for activations and lesions.
    input_shape : sequence of int, optional
        Of one image as the network takes it; else found by trying.
    prepared : {"as it is", "imagenet"}, optional
        What is done to pixels from 0 to 1.
    name : str, optional
        What the results are called.
    n_clusters : int
        Of the whole network; also half and twice as many.
    n_shuffles : int
        Shuffled copies; a fifth of them in other tests.
    partitioning : {"weights", "activations"}
        What the clusters that are drawn and silenced are made from; activations need `images`.
    scope : {"network", "layer"}
        Whether they are those of the whole network, or of each layer by itself.
    n_images : int
        For clustering by activations, and as many for lesions.
    n_random : int
        Random sets beside each sub-cluster.
    seed : int
        Of all that is drawn at random.
    n_jobs : int
        Processes; -1 for all cores.
    store : RecordStore, optional
        Where records are kept; the book's by default.

    Returns
    -------
    Analysis
        Its `tables`, `figures`, `summary` and `warnings`; `write` makes the page.

    Raises
    ------
    ValueError
        For a network that cannot be read or followed, and for what cannot be asked about it, with
        what is allowed.
    """
    as_jobs(n_jobs)
    questions = as_questions(
        n_clusters=n_clusters,
        n_shuffles=n_shuffles,
        partitioning=partitioning,
        scope=scope,
        n_images=n_images,
        n_random=n_random,
        seed=seed,
    )
    reading: dict[str, Any] = {
        "architecture": architecture,
        "trust_code": trust_code,
        "images": images,
        "input_shape": input_shape,
        "prepared": prepared,
        "name": name,
    }
    own = read_network(network, **reading)
    seen = images_for(own, images, n_images)
    found = understand(own, questions.n_clusters, seen)
    again = command(network, questions, **reading)
    return analyzed(found, questions, seen, n_jobs=n_jobs, store=store, command=again)


def analyzed(
    found: Understanding,
    questions: Questions,
    images: OwnImages | None,
    *,
    n_jobs: int = -1,
    store: RecordStore | None = None,
    command: str = "",
) -> Analysis:
    """The analysis of a network that was understood. Raises ValueError where it was not."""
    if found.graph is None:
        raise ValueError(findings.refused(found))
    check_questions(questions, found)
    if questions.partitioning == "activations" and images is None:
        raise ValueError("partitioning='activations' is not allowed without images (--images)")
    store = store or default_store()
    # in this process: what it was read from need not be at hand in another
    engine.compute(keeping(found, images), store, crew=LocalCrew(), progress=progress)
    plan = make_plan(found, questions, images)
    jobs = [job for each in plan.values() for job in each]
    n_jobs = processes(found, questions, n_jobs)
    engine.compute(jobs, store, crew=LocalCrew(n_jobs=n_jobs), progress=progress)
    return _told(found, questions, engine.read_frames(plan, store), command)


def published_network(dataset: str, *, dropout: bool, seed: int = 0) -> nn.Sequential:
    """A pruned network that chapter 1 is about, from its record: the first of its condition.

    Raises ValueError for a data set without published networks.
    """
    there = []
    for path in sorted((published_folder() / "network").glob("*.json")):
        record = read_record(path)
        p = record.parameters
        if p["dataset"] == dataset and (p["settings"]["dropout_rate"] > 0) == dropout:
            there.append(record)
            if p["seed"] == seed:
                return _as_module(record)
    seeds = ", ".join(sorted(str(each.parameters["seed"]) for each in there)) or "none"
    raise ValueError(f"seed={seed!r} of dataset={dataset!r} is not published; allowed: {seeds}")


def _as_module(record: Record) -> nn.Sequential:
    network = mlp(record)
    layers: list[nn.Module] = []
    for weight, bias in zip(network.weights, network.biases, strict=True):
        layer = nn.Linear(*reversed(weight.shape))
        layer.load_state_dict({"weight": weight, "bias": bias})
        layers += [layer, nn.ReLU()]
    return nn.Sequential(*layers[:-1]).eval()


def processes(found: Understanding, questions: Questions, n_jobs: int = -1) -> int:
    """How many processes: one where that takes less than starting others would."""
    if n_jobs == -1 and estimate(found, questions, 1).minutes < SHORT:
        return 1
    return joblib.effective_n_jobs(as_jobs(n_jobs))


def _told(
    found: Understanding, questions: Questions, frames: Mapping[str, pd.DataFrame], command: str
) -> Analysis:
    batches = pd.concat([frames["tests"], frames["harder"], frames["others"]], ignore_index=True)
    tests = tables.tests(batches)
    made = {
        "tests": tests,
        "gauge": tables.gauge(
            tests.iloc[[0]].pipe(_traced_as, tests),
            tables.tests(frames["balanced"]),
            frames["rescaled"],
        ),
        "sub_clusters": tables.sub_clusters(frames["drawn"]),
        "layers": tables.layers(frames["whole"], frames["layers"]),
    }
    drawn = {
        "nulls": figures.nulls(tests),
        "tests": tables.tests_table(tests),
        "gauge": figures.gauge(made["gauge"]),
        "gauge-table": tables.gauge_table(made["gauge"]),
        "clusters": figures.clusters(made["sub_clusters"]),
        "sub-clusters": tables.sub_clusters_table(made["sub_clusters"]),
        "layers": figures.layers(made["layers"]),
        "layers-table": tables.layers_table(made["layers"]),
    }
    if found.graph is not None and figures.can_be_drawn(found):
        drawn["network"] = figures.drawing(frames["whole"], found.graph)
    notes = {}
    if "active" in frames:
        notes["active"] = findings.active(frames["whole"], frames["active"])
    if "lesions" in frames:
        made["lesions"] = tables.lesions(frames["lesions"], frames["drawn"])
        if len(made["lesions"]):
            drawn["lesions"] = figures.lesions(made["lesions"])
            drawn["lesions-table"] = tables.lesions_table(made["lesions"])
    return Analysis(
        found,
        questions,
        made,
        drawn,
        tuple(findings.summary(found, tests, made["gauge"], made["layers"], made.get("lesions"))),
        (*found.warnings, *findings.too_easy(tests)),
        notes,
        command,
    )


def _traced_as(part: pd.DataFrame, whole: pd.DataFrame) -> pd.DataFrame:
    part.attrs = whole.attrs
    return part


def images_for(network: OwnNetwork, images: str | Path | None, n_images: int) -> OwnImages | None:
    """The images that a network is asked about, where there are some."""
    if images is None:
        return None
    return own_images(images, network.input_shape, classes=network.classes, n_images=n_images)


def _checked(reading: Mapping[str, Any]) -> Mapping[str, Any]:
    allowed = ("architecture", "trust_code", "input_shape", "prepared", "name")
    for each in reading:
        if each not in allowed:
            raise ParameterError(f"{each!r} is no parameter; allowed: {', '.join(allowed)}")
    return reading


#: The options of the command, by the names of what they set.
OPTIONS = {
    "architecture": "--architecture",
    "input_shape": "--input-shape",
    "prepared": "--prepared",
    "images": "--images",
    "name": "--name",
    "n_clusters": "-k",
    "n_shuffles": "--shuffles",
    "partitioning": "--partitioning",
    "scope": "--scope",
    "n_images": "--n-images",
    "n_random": "--n-random",
    "seed": "--seed",
}


def command(network: Any, questions: Questions, *, trust_code: bool = False, **reading: Any) -> str:
    """The command that does the same; of files the name alone, so that a page can be shared."""
    if isinstance(network, nn.Module) or callable(reading.get("architecture")):
        return "modclust_utils.analyze(...)"
    values = {**reading, **asdict(questions)}
    defaults = asdict(Questions())
    words = ["modclust analyze", shlex.quote(_short(network))]
    for name, option in OPTIONS.items():
        value = values.get(name)
        if value is not None and value != defaults.get(name):
            words.append(f"{option} {shlex.quote(_short(value))}")
    if trust_code:
        words.append("--trust-code")
    return " ".join(words)


def _short(value: Any) -> str:
    if isinstance(value, list | tuple):
        return ",".join(map(str, value))
    text = str(value).replace("as it is", "as-it-is")
    return Path(text).name if "/" in text or "\\" in text else text
