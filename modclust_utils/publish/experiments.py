"""The experiments of paper A as units of work: each is one record, computed once.

A *condition* is a data set, with or without dropout. Its networks train as one batch; each
network, each shuffle test and each clustering becomes a record of its own, so that any of them can
be deleted, resumed or computed elsewhere.
"""

from __future__ import annotations

import time
from collections.abc import Callable, Iterator, Sequence
from contextlib import contextmanager
from dataclasses import asdict, dataclass, replace
from pathlib import Path
from typing import Any

import joblib
import numpy as np
import torch

from modclust_utils import clustering, data, nulls
from modclust_utils.models import MLP
from modclust_utils.publish.checkpoints import load_checkpoint, save_checkpoint
from modclust_utils.publish.records import (
    Record,
    RecordStore,
    canonical_json,
    pack_arrays,
    read_record,
    record_key,
    unpack_arrays,
    write_atomically,
)
from modclust_utils.publish.session import Run, cache_folder
from modclust_utils.training import TrainingSettings, TrainingState, train

PHASES = ("before", "after")
MAIN_MODE: nulls.Mode = "layer"
CHECKPOINT_SECONDS = 60


@dataclass(frozen=True)
class Condition:
    """A data set with or without dropout, and how its networks are trained."""

    dataset: str
    dropout: bool
    settings: TrainingSettings
    train_hash: str

    def network_parameters(self, seed: int) -> dict[str, Any]:
        """The key of one network's record."""
        return {
            "dataset": self.dataset if self.dataset in data.NAMES else Path(self.dataset).stem,
            "train_hash": self.train_hash,
            "settings": asdict(self.settings),
            "seed": seed,
        }


def conditions(p: Any) -> list[Condition]:
    """Every data set without and with dropout, under the parameters `p` of a chapter.

    `dataset_settings` holds what differs for one data set, under its name (both conditions) or
    under ``name+dropout``: paper A prunes CIFAR-10 for 40 epochs, with a dropout rate of 0.2.
    Raises ValueError for settings that a network does not have.
    """
    found = []
    for dataset in p.datasets:
        for dropout in (False, True):
            values: dict[str, Any] = {
                "epochs": p.epochs,
                "pruning_epochs": p.pruning_epochs,
                "dropout_rate": p.dropout_rate,
            }
            values |= p.dataset_settings.get(dataset, {})
            if dropout:
                values |= p.dataset_settings.get(f"{dataset}+dropout", {})
            else:
                values["dropout_rate"] = 0.0
            unknown = set(values) - set(TrainingSettings.__dataclass_fields__)
            if unknown:
                allowed = ", ".join(TrainingSettings.__dataclass_fields__)
                raise ValueError(
                    f"dataset_settings has {sorted(unknown)} for {dataset!r}; allowed: {allowed}"
                )
            settings = replace(TrainingSettings(), **values)
            found.append(
                Condition(dataset, dropout, settings, data.train_hash(dataset, seed=p.seed))
            )
    return found


def network_seeds(p: Any) -> list[int]:
    """The seeds of a condition's networks."""
    return [p.seed * 1000 + r for r in range(p.n_networks)]


def _before_path(network: str) -> Path:
    return cache_folder() / "weights" / f"{network}-before.npz"


def before_weights(network: str) -> list[np.ndarray] | None:
    """Weights of a network at the start of pruning, None where they are not in the cache.

    They are too large to publish (1.6 MB a network); what is published was computed from them.
    """
    path = _before_path(network)
    if not path.is_file():
        return None
    arrays = unpack_arrays(path.read_bytes())
    return [arrays[f"weight_{layer}"] for layer in range(len(arrays))]


def after_weights(record: Record) -> list[np.ndarray]:
    """Weights ``(n_out, n_in)`` of a network after pruning."""
    return [record.arrays[f"weight_{i}"] for i in range(len(record.arrays) // 2)]


def mlp(record: Record) -> MLP:
    """The network after pruning."""
    depth = len(record.arrays) // 2
    return MLP(
        [torch.from_numpy(record.arrays[f"weight_{i}"]) for i in range(depth)],
        [torch.from_numpy(record.arrays[f"bias_{i}"]) for i in range(depth)],
    )


def clustering_parameters(network: str, phase: str, p: Any, n_clusters: int) -> dict[str, Any]:
    """The key of one clustering: a network's n-cut alone, without a null."""
    return {"network": network, "phase": phase, "n_clusters": n_clusters, "seed": p.seed}


def test_parameters(
    network: str, phase: str, p: Any, n_clusters: int, mode: nulls.Mode
) -> dict[str, Any]:
    """The key of one shuffle test."""
    return {
        **clustering_parameters(network, phase, p, n_clusters),
        "n_shuffles": p.n_shuffles,
        "mode": mode,
    }


def _stream(network: str, seed: int) -> np.random.Generator:
    """Random numbers of one network's clustering or test: its own for each network."""
    return np.random.default_rng([seed, int(network, 16)])


# ---------------------------------------------------------------------------------- networks


def train_condition(
    condition: Condition,
    seeds: list[int],
    store: RecordStore,
    *,
    folder: str | None,
    data_seed: int,
    device: str,
    on_epoch: Callable[[TrainingState], None] | None = None,
) -> None:
    """Train the networks of a condition as one batch and write the records that are missing.

    Saves a checkpoint about once a minute and goes on from it after a kill.
    """
    dataset = data.load(condition.dataset, folder=folder, seed=data_seed)
    parameters = [condition.network_parameters(seed) for seed in seeds]
    keys = [record_key("network", each) for each in parameters]
    path = cache_folder() / "checkpoints" / f"{keys[0]}-{len(keys)}.pt"
    state, seconds = load_checkpoint(path, seeds, device)
    clock = {"last": time.monotonic(), "saved": time.monotonic(), "seconds": seconds}

    def keep(now: TrainingState) -> None:
        moment = time.monotonic()
        clock["seconds"] += moment - clock["last"]
        clock["last"] = moment
        if moment - clock["saved"] > CHECKPOINT_SECONDS:
            save_checkpoint(path, now, clock["seconds"])
            clock["saved"] = moment
        if on_epoch is not None:
            on_epoch(now)

    trained = train(
        dataset.x_train,
        dataset.y_train,
        condition.settings,
        seeds=seeds,
        device=device,
        state=state,
        on_epoch=keep,
    )
    accuracy = _accuracies(trained, dataset)
    for r, (each, key) in enumerate(zip(parameters, keys, strict=True)):
        before, after = trained.before.network(r), trained.after.network(r)
        weights = {f"weight_{i}": w.cpu().numpy() for i, w in enumerate(before.weights)}
        write_atomically(_before_path(key), pack_arrays(weights))
        if store.find("network", each) is not None:
            # trained again only for its weights before pruning; its tests belong to the record
            continue
        arrays = {f"weight_{i}": w.cpu().numpy() for i, w in enumerate(after.weights)}
        arrays |= {f"bias_{i}": b.cpu().numpy() for i, b in enumerate(after.biases)}
        store.put(
            "network",
            each,
            {name: float(values[r]) for name, values in accuracy.items()}
            | {
                "n_test": len(dataset.y_test),
                "test_hash": dataset.test_hash,
                "test_note": dataset.test_note,
            },
            seconds=clock["seconds"] / len(seeds),
            device=device_name(device),
            arrays=arrays,
            batch_size=len(seeds),
        )
    path.unlink(missing_ok=True)


def _accuracies(trained: Any, dataset: data.Dataset) -> dict[str, torch.Tensor]:
    """Accuracies ``(R,)`` of both phases: on training and test images, and the running one."""
    device = trained.after.weights[0].device
    sets = {
        "train": (dataset.x_train, dataset.y_train),
        "test": (dataset.x_test, dataset.y_test),
    }
    found = {}
    for phase, networks in (("before", trained.before), ("after", trained.after)):
        for name, (x, y) in sets.items():
            images = torch.from_numpy(x.copy()).to(device)
            labels = torch.from_numpy(y.copy()).to(device)
            found[f"{name}_accuracy_{phase}"] = networks.accuracy(images, labels).cpu()
    found["running_accuracy_before"] = trained.running_accuracy_before.cpu()
    found["running_accuracy_after"] = trained.running_accuracy_after.cpu()
    return found


def device_name(device: str) -> str:
    """What computed a record, for its provenance: the GPU's name, or the kind of processor."""
    if device.startswith("cuda"):
        return torch.cuda.get_device_name(device)
    return f"CPU, {torch.get_num_threads()} thread" + "s" * (torch.get_num_threads() > 1)


def ensure_networks(run: Run) -> None:
    """Train every network of the run that has no record, condition by condition.

    Also those whose n-cut before pruning is not known while their weights of that time are gone.
    """
    seeds = network_seeds(run.p)
    work = []
    for condition in conditions(run.p):
        missing = []
        for seed in seeds:
            parameters = condition.network_parameters(seed)
            if run.store.find("network", parameters) is None or not _before_complete(
                run, record_key("network", parameters)
            ):
                missing.append(seed)
        if missing:
            work.append((condition, missing))
    if not work:
        return
    epochs = [c.settings.epochs + c.settings.pruning_epochs for c, _ in work]
    options = {
        "folder": run.p.data_folder or None,
        "data_seed": run.p.seed,
        "device": str(run.device),
    }
    jobs = min(run.n_jobs, len(work))
    threads = max(run.n_jobs // jobs, 1)
    with run.progress("training networks", sum(epochs)) as bar, _torch_threads():
        # threads, not processes: the work is in torch, and the bar can count epochs
        joblib.Parallel(n_jobs=jobs, prefer="threads")(
            joblib.delayed(_train_on)(threads, bar, condition, missing, run.store, options)
            for condition, missing in work
        )


@contextmanager
def _torch_threads() -> Iterator[None]:
    """Restore torch's number of threads, which each training thread sets for its share."""
    before = torch.get_num_threads()
    try:
        yield
    finally:
        torch.set_num_threads(before)


def _train_on(
    threads: int,
    bar: Any,
    condition: Condition,
    seeds: list[int],
    store: RecordStore,
    options: dict[str, Any],
) -> None:
    torch.set_num_threads(threads)
    train_condition(condition, seeds, store, on_epoch=lambda _: bar.update(), **options)


def _before_complete(run: Run, network: str) -> bool:
    """Whether the n-cut before pruning is known, or the weights for it are in the cache."""
    parameters = clustering_parameters(network, "before", run.p, run.p.n_clusters)
    return run.store.find("clustering", parameters) is not None or _before_path(network).is_file()


@dataclass(frozen=True)
class Network:
    """A trained network: its condition, seed, the key of its record, and the record."""

    condition: Condition
    seed: int
    key: str
    record: Record


def networks(run: Run) -> list[Network]:
    """Every network of the run, trained where its record is missing."""
    ensure_networks(run)
    found = []
    for condition in conditions(run.p):
        for seed in network_seeds(run.p):
            parameters = condition.network_parameters(seed)
            key = record_key("network", parameters)
            record = run.use(run.store.require("network", parameters))
            found.append(Network(condition, seed, key, record))
    return found


def networks_by_key(store: RecordStore) -> dict[str, Network]:
    """All networks that have a record, by its key."""
    found = {}
    for path in store:
        if path.parent.name == "network":
            record = read_record(path)
            p = record.parameters
            settings = TrainingSettings(
                **{**p["settings"], "layer_sizes": tuple(p["settings"]["layer_sizes"])}
            )
            condition = Condition(
                p["dataset"], settings.dropout_rate > 0, settings, p["train_hash"]
            )
            found[path.stem] = Network(condition, p["seed"], path.stem, record)
    return found


# ------------------------------------------------------------------------- clusterings and nulls


def ncuts(run: Run, found: Sequence[Network], phase: str) -> list[Record]:
    """The n-cut of every network in a phase, k = n_clusters: one record each."""
    jobs = []
    for network in found:
        parameters = clustering_parameters(network.key, phase, run.p, run.p.n_clusters)
        jobs.append(Job("clustering", parameters, network, phase))
    return _compute(run, "clustering networks", jobs)


def shuffle_tests(
    run: Run,
    found: Sequence[Network],
    *,
    clusters: Sequence[int],
    phase: str = "after",
    mode: nulls.Mode = MAIN_MODE,
) -> dict[int, list[Record]]:
    """The shuffle tests of every network in a phase, for each number of clusters: a record each."""
    jobs = [
        Job("shuffle-test", test_parameters(network.key, phase, run.p, k, mode), network, phase)
        for network in found
        for k in clusters
    ]
    records = _compute(run, "shuffle tests", jobs)
    return {k: records[i :: len(clusters)] for i, k in enumerate(clusters)}


def random_ncuts(run: Run) -> Record:
    """n-cuts of freshly initialized networks of paper A's shape (Figure 3): one record."""
    return _compute(run, "random networks", [Job("random-ncuts", _random_parameters(run.p))])[0]


def _random_parameters(p: Any) -> dict[str, Any]:
    return {
        "layer_sizes": list(TrainingSettings().layer_sizes),
        "n_clusters": p.n_clusters,
        "n_networks": p.n_random,
        "seed": p.seed,
    }


@dataclass(frozen=True)
class Job:
    """A record to be computed: its kind and key, and the network that it is about."""

    kind: str
    parameters: dict[str, Any]
    network: Network | None = None
    phase: str = "after"

    @property
    def has_weights(self) -> bool:
        """Whether the weights that the job needs are here."""
        assert self.network is not None
        return self.phase == "after" or _before_path(self.network.key).is_file()

    def weights(self) -> list[np.ndarray]:
        """The weights that the job needs. Raises FileNotFoundError where they are gone."""
        assert self.network is not None
        if self.phase == "after":
            return after_weights(self.network.record)
        found = before_weights(self.network.key)
        if found is None:
            raise FileNotFoundError(
                f"{_before_path(self.network.key)} is missing: the weights of a network before "
                "pruning. Run the chapter again: it trains the network anew."
            )
        return found


def _compute(run: Run, what: str, jobs: list[Job]) -> list[Record]:
    """The records of the jobs in their order; missing ones are computed, over all cores."""
    missing = [job for job in jobs if run.store.find(job.kind, job.parameters) is None]
    if missing:
        device = str(run.device)
        with (
            run.progress(what, len(jobs), len(jobs) - len(missing)) as bar,
            joblib.parallel_config("loky", inner_max_num_threads=1),
        ):
            groups = _groups(missing)
            results = joblib.Parallel(
                n_jobs=min(run.n_jobs, len(groups)), return_as="generator_unordered"
            )(joblib.delayed(_run_jobs)(group, run.store, device) for group in groups)
            for n_done in results:
                bar.update(n_done)
    return [run.use(run.store.require(job.kind, job.parameters)) for job in jobs]


def _groups(jobs: list[Job]) -> list[list[Job]]:
    """Jobs that share their work: shuffle tests that differ in the number of clusters alone."""
    groups: dict[str, list[Job]] = {}
    for job in jobs:
        shared = {k: v for k, v in job.parameters.items() if k != "n_clusters"}
        key = canonical_json([job.kind, shared] if job.kind == "shuffle-test" else job.parameters)
        groups.setdefault(key, []).append(job)
    return list(groups.values())


def _run_jobs(jobs: list[Job], store: RecordStore, device: str) -> int:
    started = time.monotonic()
    values = compute_jobs(jobs, device)
    seconds = (time.monotonic() - started) / len(jobs)
    for job, value in zip(jobs, values, strict=True):
        store.put(job.kind, job.parameters, value, seconds=seconds, device=device_name(device))
    return len(jobs)


def compute_jobs(jobs: list[Job], device: str) -> list[dict[str, Any]]:
    """The values of the records of one group of jobs."""
    if jobs[0].kind == "shuffle-test":
        return _compute_tests(jobs, device)
    return [_COMPUTE[job.kind](job, device) for job in jobs]


def compute_job(job: Job, device: str) -> dict[str, Any]:
    """The value of one job's record."""
    return compute_jobs([job], device)[0]


def _compute_clustering(job: Job, device: str) -> dict[str, Any]:
    p = job.parameters
    weights = [torch.from_numpy(w).to(device) for w in job.weights()]
    rng = _stream(p["network"], p["seed"])
    _, value = clustering.cluster_network(weights, p["n_clusters"], rng=rng)
    return {"ncut": value}


def _compute_tests(jobs: list[Job], device: str) -> list[dict[str, Any]]:
    p = jobs[0].parameters
    tests = nulls.shuffle_tests(
        [torch.from_numpy(w).to(device) for w in jobs[0].weights()],
        [job.parameters["n_clusters"] for job in jobs],
        n_shuffles=p["n_shuffles"],
        mode=p["mode"],
        rng=_stream(p["network"], p["seed"]),
    )
    return [
        {
            "ncut": test.ncut,
            "p_value": test.p_value,
            "z_score": test.z_score,
            "null_ncuts": np.round(test.null_ncuts, 6).tolist(),
        }
        for test in tests
    ]


def _compute_random(job: Job, device: str) -> dict[str, Any]:
    p = job.parameters
    values = nulls.random_ncuts(
        p["layer_sizes"],
        p["n_clusters"],
        n_networks=p["n_networks"],
        rng=np.random.default_rng(p["seed"]),
        device=device,
    )
    return {"ncuts": np.round(values, 6).tolist()}


_COMPUTE: dict[str, Callable[[Job, str], dict[str, Any]]] = {
    "clustering": _compute_clustering,
    "random-ncuts": _compute_random,
}


def plan(p: Any) -> list[tuple[str, dict[str, Any]]]:
    """(kind, parameters) of every record that chapter 1 needs under the parameters `p`."""
    needed: list[tuple[str, dict[str, Any]]] = []
    for condition in conditions(p):
        for seed in network_seeds(p):
            parameters = condition.network_parameters(seed)
            key = record_key("network", parameters)
            needed.append(("network", parameters))
            needed.append(("clustering", clustering_parameters(key, "before", p, p.n_clusters)))
            needed += [
                ("shuffle-test", test_parameters(key, "after", p, k, MAIN_MODE))
                for k in all_clusters(p)
            ]
    return [*needed, ("random-ncuts", _random_parameters(p))]


def all_clusters(p: Any) -> list[int]:
    """Every k of a run, ascending."""
    return sorted({p.n_clusters, *p.more_clusters})
