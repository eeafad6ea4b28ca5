"""Networks of paper A as units of work: each is one record, trained once.

A *condition* is a data set, with or without dropout, and how its networks are trained. They train
as one batch; each network becomes a record of its own, so that any of them can be deleted, resumed
or trained elsewhere.
"""

from __future__ import annotations

import time
from collections.abc import Callable, Sequence
from dataclasses import asdict, dataclass, field, replace
from pathlib import Path
from typing import Any

import numpy as np
import torch

from modclust_utils import datasets
from modclust_utils.models import MLP
from modclust_utils.publish.checkpoints import load_checkpoint, save_checkpoint
from modclust_utils.publish.records import (
    Record,
    RecordStore,
    pack_arrays,
    read_record,
    record_key,
    unpack_arrays,
    write_atomically,
)
from modclust_utils.publish.session import Run, cache_folder
from modclust_utils.publish.workers import Steps, in_workers, shown_steps
from modclust_utils.settings import TrainingSettings
from modclust_utils.training import TrainingState, train

CHECKPOINT_SECONDS = 60


@dataclass(frozen=True)
class Condition:
    """A data set with or without dropout, and how its networks are trained.

    seeds: those of its networks that a run has; they do not make it another condition.
    """

    dataset: str
    dropout: bool
    settings: TrainingSettings
    train_hash: str
    seeds: tuple[int, ...] = field(default=(), compare=False)

    def network_parameters(self, seed: int) -> dict[str, Any]:
        """The key of one network's record."""
        return {
            "dataset": self.dataset if self.dataset in datasets.NAMES else Path(self.dataset).stem,
            "train_hash": self.train_hash,
            "settings": asdict(self.settings),
            "seed": seed,
        }


def conditions(
    p: Any, datasets: Sequence[str], dropouts: Sequence[bool] = (False, True), **changes: Any
) -> list[Condition]:
    """Every data set without and with dropout, under the parameters `p` of a chapter.

    `dataset_settings` holds what differs for one data set, under its name (both conditions) or
    under ``name+dropout``: paper A prunes CIFAR-10 for 40 epochs, with a dropout rate of 0.2.
    That may be another number of networks, too.
    Raises ValueError for settings that a network does not have.
    """
    found = []
    for dataset in datasets:
        for dropout in dropouts:
            values: dict[str, Any] = {
                "n_networks": p.n_networks,
                "epochs": p.epochs,
                "pruning_epochs": p.pruning_epochs,
                "dropout_rate": p.dropout_rate,
            }
            values |= p.dataset_settings.get(dataset, {})
            if dropout:
                values |= p.dataset_settings.get(f"{dataset}+dropout", {})
            else:
                values["dropout_rate"] = 0.0
            seeds = network_seeds(p.seed, values.pop("n_networks"))
            unknown = set(values) - set(TrainingSettings.__dataclass_fields__)
            if unknown:
                allowed = ", ".join(TrainingSettings.__dataclass_fields__)
                raise ValueError(
                    f"dataset_settings has {sorted(unknown)} for {dataset!r}; allowed: {allowed}"
                )
            settings = replace(TrainingSettings(), **values, **changes)
            found.append(
                Condition(
                    dataset, dropout, settings, datasets.train_hash(dataset, seed=p.seed), seeds
                )
            )
    return found


def network_seeds(seed: int, n_networks: int) -> tuple[int, ...]:
    """The seeds of a condition's networks, of which there are 1,000 at most."""
    return tuple(seed * 1000 + r for r in range(n_networks))


def before_path(network: str) -> Path:
    """Where the cache keeps the weights of a network at the start of pruning."""
    return cache_folder() / "weights" / f"{network}-before.npz"


def before_weights(network: str) -> list[np.ndarray] | None:
    """Weights of a network at the start of pruning, None where they are not in the cache.

    They are too large to publish (1.6 MB a network); what is published was computed from them.
    """
    path = before_path(network)
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


def stream(network: str, seed: int) -> np.random.Generator:
    """Random numbers of one network's clustering or test: its own for each network."""
    return np.random.default_rng([seed, int(network, 16)])


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
    dataset = datasets.load(condition.dataset, folder=folder, seed=data_seed)
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
        write_atomically(before_path(key), pack_arrays(weights))
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


def _accuracies(trained: Any, dataset: datasets.Dataset) -> dict[str, torch.Tensor]:
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


@dataclass(frozen=True)
class Group:
    """The networks of one condition, and the records that a chapter makes of each of them.

    records_of: from the key of a network to (kind, parameters) of its records.
    """

    condition: Condition
    records_of: Callable[[str], list[tuple[str, dict[str, Any]]]]


def ensure_networks(run: Run, groups: Sequence[Group]) -> None:
    """Train every network of the groups that has no record, condition by condition.

    Also those of which a record about the time before pruning is missing while their weights of
    that time are gone.
    """
    missing: dict[Condition, list[int]] = {}
    for group in groups:
        for seed in group.condition.seeds:
            parameters = group.condition.network_parameters(seed)
            known = run.store.find("network", parameters) is not None
            if not known or not _before_complete(run, group, record_key("network", parameters)):
                seeds = missing.setdefault(group.condition, [])
                if seed not in seeds:
                    seeds.append(seed)
    work = list(missing.items())
    if not work:
        return
    epochs = [c.settings.epochs + c.settings.pruning_epochs for c, _ in work]
    options = {
        "folder": run.p.data_folder or None,
        "data_seed": run.p.seed,
        "device": str(run.device),
    }
    threads = max(run.n_jobs // len(work), 1)
    with run.progress("training networks", sum(epochs)) as bar, shown_steps(bar) as steps:
        tasks = [(steps, condition, seeds, run.store, options) for condition, seeds in work]
        for _ in in_workers(_train_on, tasks, n_jobs=run.n_jobs, threads=threads):
            pass


def _train_on(
    steps: Steps,
    condition: Condition,
    seeds: list[int],
    store: RecordStore,
    options: dict[str, Any],
) -> None:
    train_condition(condition, seeds, store, on_epoch=lambda _: steps.add(), **options)


def _before_complete(run: Run, group: Group, network: str) -> bool:
    """Whether all records about the time before pruning are there, or the weights for them."""
    return before_path(network).is_file() or all(
        run.store.find(kind, parameters) is not None
        for kind, parameters in group.records_of(network)
        if parameters.get("phase") == "before"
    )


@dataclass(frozen=True)
class Network:
    """A trained network: its condition, seed, the key of its record, and the record."""

    condition: Condition
    seed: int
    key: str
    record: Record


def networks(run: Run, groups: Sequence[Group], *, also: Sequence[Group] = ()) -> list[Network]:
    """Every network of the groups, trained where its record is missing; with them those of the
    groups in `also`, so that all conditions share the cores."""
    ensure_networks(run, [*groups, *also])
    found = []
    for group in groups:
        for seed in group.condition.seeds:
            parameters = group.condition.network_parameters(seed)
            key = record_key("network", parameters)
            record = run.use(run.store.require("network", parameters))
            found.append(Network(group.condition, seed, key, record))
    return found


def find_network(store: RecordStore, key: str) -> Network | None:
    """The network with a record of this key, None where there is none."""
    for folder in store.folders:
        path = folder / "network" / f"{key}.json"
        if path.is_file():
            record = read_record(path)
            p = record.parameters
            settings = TrainingSettings(
                **{**p["settings"], "layer_sizes": tuple(p["settings"]["layer_sizes"])}
            )
            dropout = settings.dropout_rate > 0
            condition = Condition(p["dataset"], dropout, settings, p["train_hash"])
            return Network(condition, p["seed"], key, record)
    return None
