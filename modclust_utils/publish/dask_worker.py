"""What a worker of a Dask scheduler does for a run: it computes groups of jobs.

It reads no file of the owner's: data sets travel as hashes, and a checkpoint lies with the
scheduler until the owner has fetched it.
"""

from __future__ import annotations

import platform
import time
from dataclasses import dataclass, field, replace
from pathlib import Path

from distributed import Variable, get_client, get_worker

from modclust_utils import datasets
from modclust_utils.datasets import DataError
from modclust_utils.models import resolve_device
from modclust_utils.publish.groups import Done, Packet, run_group
from modclust_utils.publish.workers import OwnerGoneError, torch_threads
from modclust_utils.recipes.base import Images, Task

TELL_SECONDS = 0.5
#: Sending checkpoints may take one part in so many of the time.
CHECKPOINT_SHARE = 20


def compute(packet: Packet) -> Done:
    """Compute a group here: on this worker's device and threads, with its own files of images."""
    worker = get_worker()
    here = f"(On the worker {worker.address}, {platform.node()}.)"
    try:
        with torch_threads(worker.state.nthreads):
            return run_group(
                replace(
                    packet,
                    device=str(resolve_device(packet.device)),
                    tasks=[_with_own_images(task) for task in packet.tasks],
                )
            )
    except DataError as error:
        raise DataError(f"{error} {here}") from error
    except Exception as error:
        error.add_note(here)
        raise


def _with_own_images(task: Task) -> Task:
    return task if task.images is None else replace(task, images=own_images(task.images))


def own_images(images: Images) -> Images:
    """The same images where this machine has them: the owner's folders may not be here.

    A file of one's own is looked for by its name, in the folder of the data sets.
    """
    folder = images.folder if images.folder and Path(images.folder).is_dir() else None
    dataset = images.dataset
    if dataset not in datasets.NAMES and not Path(dataset).is_file():
        dataset = str(Path(folder or datasets.default_folder()) / Path(dataset).name)
    return replace(images, dataset=dataset, folder=folder)


@dataclass
class SentSteps:
    """Counts the steps of a group, and tells the owner now and then, under a topic.

    A group that nobody waits for any more ends with OwnerGoneError at its next step.
    """

    topic: str
    index: int
    done: int = 0
    told: float = field(default=0.0, compare=False)

    def add(self, n: int = 1) -> None:
        """Some steps more are done."""
        if not is_wanted():
            raise OwnerGoneError("nobody waits for this work any more")
        self.done += n
        if time.monotonic() - self.told > TELL_SECONDS:
            tell(self.topic, self.index, "steps", self.done)
            self.told = time.monotonic()


def is_wanted() -> bool:
    """Whether somebody still waits for the task that runs in this thread."""
    worker = get_worker()
    task = worker.state.tasks.get(worker.get_current_task())
    # a scheduler that forgets a task leaves the thread to itself
    closing = worker.status.name in ("closing", "closed", "failed")
    return not closing and task is not None and task.state != "cancelled"


def tell(topic: str, index: int, what: str, n: int = 0) -> None:
    """Tell the owner something about one of its groups."""
    get_worker().log_event(topic, {"index": index, "what": what, "n": n})


@dataclass
class SentCheckpoint:
    """The checkpoint of a group, which lies with the scheduler: it outlives the worker that wrote
    it, and another one goes on from there."""

    name: str
    topic: str
    index: int
    not_before: float = field(default=0.0, compare=False)

    def read(self) -> bytes | None:
        """What was written last, None for nothing."""
        return Variable(self.name, client=get_client()).get(timeout="60 s") or None

    def write(self, content: bytes) -> None:
        """Send it, unless sending the last one took long and is not long ago."""
        started = time.monotonic()
        if started < self.not_before or not is_wanted():
            return
        Variable(self.name, client=get_client()).set(content)
        tell(self.topic, self.index, "checkpoint")
        ended = time.monotonic()
        self.not_before = ended + CHECKPOINT_SHARE * (ended - started)

    def clear(self) -> None:
        """Keep nothing any more."""
        Variable(self.name, client=get_client()).set(b"")
