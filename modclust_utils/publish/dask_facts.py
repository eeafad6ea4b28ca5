"""Numbers for the page about other machines: what was measured, and an estimate for a large sweep.

Measured are the results of ``benchmarks/dask_scaling.py``. The estimate takes chapter 4's records
of ImageNet networks as they are, the largest of them scaled to a larger one, and thousands of each.
"""

from __future__ import annotations

from collections.abc import Iterable, Mapping
from dataclasses import dataclass
from pathlib import Path
from typing import Any

from modclust_utils.paths import root
from modclust_utils.publish.dask_owner import FIRST_SECONDS, GONE_SECONDS
from modclust_utils.publish.escape import markdown_table
from modclust_utils.publish.records import published_folder, read_content
from modclust_utils.publish.stored_files import read_json
from modclust_utils.recipes import recipe_of

#: The sweep: how many networks, on which images those with records are measured, and a classifier
#: of torchvision to which the largest of them is scaled.
N_NETWORKS = 5000
DATASET, LARGER = "imagenette", "resnet50"
#: Bytes a second of a network of 1 Gbit/s.
LINK = 125e6
#: Numbers of workers for which the page says how long the sweep takes.
WORKERS = (1, 16, 64, 256)
#: Bytes of a weight.
FLOAT32 = 4
UNKNOWN = "–"
NAMES = (
    "ms_per_job",
    "rate",
    "scaling",
    "load",
    "sweep",
    "hours",
    "first",
    "networks",
    "link",
    "wait",
    "gone",
)


@dataclass(frozen=True)
class Cost:
    """What all jobs about one network cost.

    parameters: of the network; seconds: on one thread; sent, returned: bytes from and to the owner;
    disk: bytes that stay with the owner.
    """

    parameters: int
    jobs: int
    seconds: float
    sent: float
    returned: float
    disk: float

    def of_size(self, parameters: int) -> Cost:
        """Of a network with so many parameters: the same jobs, in proportion to them."""
        factor = parameters / self.parameters
        costs = (self.seconds, self.sent, self.returned, self.disk)
        return Cost(parameters, self.jobs, *(factor * each for each in costs))


def recorded_costs(folder: Path) -> dict[str, Cost]:
    """What the tests of each pretrained network of `DATASET` cost, smallest network first.

    Its weights travel from the job that read them, and to every job that needs them.
    """
    every = [_read(path) for path in sorted(folder.glob("*/*.json"))]
    networks = [
        each
        for each in every
        if each["kind"] == "pretrained-network" and each["parameters"]["dataset"] == DATASET
    ]
    found = {own["parameters"]["name"]: _cost(own, _about(own, every)) for own in networks}
    return dict(sorted(found.items(), key=lambda each: each[1].parameters))


def _about(network: Mapping[str, Any], every: Iterable[dict[str, Any]]) -> list[dict[str, Any]]:
    # some networks have lesions and images too, which a sweep of tests does without
    tests = (each for each in every if each["kind"] == "graph-shuffles")
    return [each for each in tests if each["parameters"]["network"] == network["key"]]


def _cost(network: Mapping[str, Any], about: list[dict[str, Any]]) -> Cost:
    n = int(network["value"]["n_parameters"])
    weights = FLOAT32 * n
    records = sum(each["bytes"] for each in [network, *about])
    return Cost(
        parameters=n,
        jobs=1 + len(about),
        seconds=sum(each["provenance"]["seconds"] for each in [network, *about]),
        sent=weights * sum(bool(recipe_of(each["kind"]).kept) for each in about),
        returned=weights + records,
        disk=weights + records,
    )


def sweep_costs(folder: Path) -> dict[str, Cost]:
    """`recorded_costs`, and what a larger network would cost, in proportion to its parameters."""
    from torchvision.models import get_model_weights

    found = recorded_costs(folder)
    if not found:
        return {}
    *_, largest = found.values()
    n = int(next(iter(get_model_weights(LARGER))).meta["num_params"])
    return {**found, LARGER: largest.of_size(n)}


def _read(path: Path) -> dict[str, Any]:
    files = [file for file in (path, path.with_suffix(".npz")) if file.is_file()]
    content = read_content(path)
    return {**content, "key": path.stem, "bytes": sum(file.stat().st_size for file in files)}


@dataclass(frozen=True)
class Owner:
    """What the one process that sends and writes everything can do: seconds a job beside its work,
    bytes a second that pass through it."""

    seconds: float
    rate: float

    def parts(self, cost: Cost) -> dict[str, float]:
        """Seconds that the owner spends on one network, by what it does."""
        return {
            "the jobs themselves": cost.jobs * self.seconds,
            "the weights on their way": (cost.sent + cost.returned) / self.rate,
        }

    def most_workers(self, cost: Cost) -> float:
        """How many workers it can keep busy."""
        return cost.seconds / sum(self.parts(cost).values())

    def hours(self, cost: Cost, n_networks: int, workers: int) -> float:
        """How long a sweep takes on so many workers."""
        return n_networks * cost.seconds / min(workers, self.most_workers(cost)) / 3600


def measured_owner(ways: Mapping[str, Mapping[str, float]]) -> Owner:
    """The owner of a benchmark's results, behind a link of `LINK`."""
    remote = [way for way in ways.values() if "bytes_per_second" in way]
    seconds = min(way["ms_per_job"] for way in remote) / 1000
    return Owner(seconds, min(LINK, max(way["bytes_per_second"] for way in remote)))


def facts() -> dict[str, str]:
    """The numbers and tables of the page as MyST substitutions; a dash for what is not here."""
    found = dict.fromkeys((f"dask_{name}" for name in NAMES), UNKNOWN)
    found["dask_wait"] = f"{FIRST_SECONDS:g} seconds"
    found["dask_gone"] = f"{GONE_SECONDS / 60:g} minutes"
    file = root() / "benchmarks" / "results" / "dask_scaling.json"
    if not file.is_file():
        return found
    results = read_json(file)
    owner = measured_owner(results["ways"])
    costs = sweep_costs(published_folder())
    said = _of_benchmark(results, owner) | (_of_sweep(costs, owner) if costs else {})
    return found | {f"dask_{name}": text for name, text in said.items()}


def _of_benchmark(results: Mapping[str, Any], owner: Owner) -> dict[str, str]:
    ways, rates = results["ways"], []
    rows = []
    for name, way in ways.items():
        rate = way.get("bytes_per_second")
        rates += [rate] if rate else []
        rows.append(
            [
                name,
                f"{way['ms_per_job']:.0f} ms",
                f"{way['tests_seconds']:.1f} s",
                f"{way['speedup']:.2f}",
                f"{rate / 1e6:.0f} MB/s" if rate else UNKNOWN,
            ]
        )
    settings = results["settings"]
    tests = f"{settings['n_tests']} shuffle tests of {settings['n_shuffles']}"
    header = ["Computed by", "A job that does nothing", tests, "Times as fast", "Weights sent"]
    loads = [way["load"] for way in ways.values()]
    return {
        "ms_per_job": f"{1000 * owner.seconds:.0f} ms",
        "rate": f"{max(rates) / 1e6:.0f} MB/s",
        "scaling": markdown_table(header, rows, numbers=True),
        "load": f"{min(loads):.1f} to {max(loads):.1f} on {results['machine']['cores']} cores",
    }


def _of_sweep(costs: Mapping[str, Cost], owner: Owner) -> dict[str, str]:
    n, gb = N_NETWORKS, 1e9
    rows = [
        [
            f"`{name}`",
            f"{n * each.jobs:,.0f}",
            f"{n * each.seconds / 3600:,.0f}",
            f"{n * each.sent / gb:,.0f}",
            f"{n * each.returned / gb:,.0f}",
            f"{n * each.disk / gb:,.0f}",
            f"{owner.most_workers(each):,.0f}",
        ]
        for name, each in costs.items()
    ]
    header = [
        *("Networks like", "Jobs", "Hours of one worker", "Sent, GB", "Returned, GB"),
        *("Kept on the owner's disk, GB", "Workers kept busy"),
    ]
    hours = [
        [f"`{name}`", *(f"{owner.hours(each, n, w):,.0f} h" for w in WORKERS)]
        for name, each in costs.items()
    ]
    by_workers = ["Networks like", *(f"{w} worker" + "s" * (w > 1) for w in WORKERS)]
    parts = owner.parts(costs[LARGER])
    first = max(parts, key=parts.__getitem__)
    share = parts[first] / sum(parts.values())
    return {
        "networks": f"{n:,}",
        "link": f"{8 * LINK / 1e9:g} Gbit/s",
        "sweep": markdown_table(header, rows, numbers=True),
        "hours": markdown_table(by_workers, hours, numbers=True),
        "first": f"{first}, {share:.0%} of the owner's time",
    }
