"""A run's jobs on the workers of a Dask scheduler that is there already.

joblib has a backend for Dask, and it does not fit: it takes every worker there is, of whatever
code; it counts them once, at the start; it waits for ever where all of them have gone; and it sends
out the loops within a job, too, which a worker does better alone. So this is a client of
`distributed` itself.
"""

from __future__ import annotations

import queue
import time
from collections.abc import Callable, Collection, Generator, Iterable, Iterator, Mapping
from concurrent.futures import CancelledError
from contextlib import contextmanager, suppress
from dataclasses import dataclass, field
from functools import cached_property
from typing import TYPE_CHECKING, Any, NamedTuple

from modclust_utils.paths import SCHEDULER_VARIABLE
from modclust_utils.publish.dask_address import connect, first_line
from modclust_utils.publish.dask_hello import CODE, introduce
from modclust_utils.publish.dask_round import KEPT, SILENT_SECONDS, Round
from modclust_utils.publish.errors import RunError
from modclust_utils.publish.records import software

if TYPE_CHECKING:
    from distributed import Client

    from modclust_utils.publish.groups import Done, Packet

#: Seconds to wait for a first worker; for what others say, once there is one; for a worker once all
#: have gone.
FIRST_SECONDS = 60.0
OTHERS_SECONDS = 30.0
GONE_SECONDS = 300.0
#: Seconds between two looks at which workers are there.
LOOK_SECONDS = 2.0
#: Its address and the folder of its process: a new process may have the address of an old one.
Worker = tuple[str, str]


class Answer(NamedTuple):
    """What a worker said of itself: why it is not used, "" where it is; and what it has otherwise
    than this process."""

    problem: str
    note: str


@dataclass
class DaskCrew:
    """The workers of a scheduler whose code is the same as here.

    As a context it says goodbye to the scheduler at the end. packages: the optional ones that
    groups need; asked: the workers that are there; heard: what came back from them; answers: what
    is known of those that have answered.
    """

    address: str
    device: str
    packages: Collection[str] = ()
    answers: dict[Worker, Answer] = field(default_factory=dict)
    asked: set[Worker] = field(default_factory=set)
    heard: queue.SimpleQueue[tuple[Worker, Any]] = field(default_factory=queue.SimpleQueue)
    looked: float = float("-inf")
    had_workers: float = float("-inf")
    is_lost: bool = False

    @cached_property
    def client(self) -> Client:
        """The connection to the scheduler, made when it is first needed."""
        return connect(self.address)

    def __enter__(self) -> DaskCrew:
        return self

    def __exit__(self, *_: object) -> None:
        if "client" in self.__dict__:
            # one that is lost has nobody to say goodbye to
            with suppress(Exception):
                self.client.close(timeout=2 if self.is_there else 0)

    @property
    def is_there(self) -> bool:
        """Whether the scheduler is there, as far as is known."""
        return not self.is_lost and self.client.status == "running"

    @property
    def workers(self) -> list[str]:
        """The addresses of the workers that are used."""
        return sorted(worker for (worker, _), said in self.answers.items() if not said.problem)

    @property
    def silent(self) -> list[str]:
        """The addresses of the workers that have not answered."""
        return sorted(worker for worker, _ in self.asked - self.answers.keys())

    def look(self, patience: float = 0.0) -> None:
        """See which workers are there, and ask the new ones what they are.

        patience: seconds to wait for their answers; those that come later are there at a next look.
        """
        client = self.client
        with self.while_there():
            identity, limit = client.scheduler.identity, SILENT_SECONDS
            found = client.sync(identity, n_workers=-1, callback_timeout=limit)["workers"]
        there = {(worker, each["local_directory"]) for worker, each in found.items()}
        self.answers = {each: said for each, said in self.answers.items() if each in there}
        for worker in there - self.asked:
            # to load all code takes a worker long, and one that is frozen never answers
            client.loop.add_callback(self._ask, worker)
        self.asked = there
        self._listen(patience)
        self.looked = time.monotonic()
        if self.workers:
            self.had_workers = self.looked

    def require(self, packages: Collection[str]) -> None:
        """Use the workers alone that have these packages: who was asked before is asked again."""
        if set(packages) != set(self.packages):
            self.packages = tuple(sorted(packages))
            self.asked, self.answers, self.heard = set(), {}, queue.SimpleQueue()

    async def _ask(self, worker: Worker) -> None:
        (address, _), packages, answer = worker, self.packages, None
        try:
            answer = (
                await self.client.run(
                    *(introduce, CODE, self.device, packages),
                    workers=[address],
                    on_error="return",
                )
            )[address]
        except Exception as error:
            answer = error
        if packages == self.packages:  # else it is asked again
            self.heard.put((worker, answer))

    def _listen(self, patience: float) -> None:
        end = time.monotonic() + patience
        while self.silent:
            try:
                worker, answer = self.heard.get(timeout=max(end - time.monotonic(), 0))
            except queue.Empty:
                return
            if worker not in self.asked:
                continue
            if isinstance(answer, OSError):
                # it did not get so far; asked again, it may, unless it has gone
                self.asked.discard(worker)
            else:
                self.answers[worker] = _judged(answer, software())

    @contextmanager
    def while_there(self) -> Iterator[None]:
        """Raise RunError, in the place of any other error, where the scheduler is gone."""
        try:
            yield
        except (Exception, CancelledError) as error:
            if self.client.status == "running" and not isinstance(error, CancelledError | OSError):
                raise
            raise self.lost() from error

    def lost(self) -> RunError:
        """That the scheduler is gone, and what to do."""
        self.is_lost = True
        return RunError(
            f"the scheduler at {self.address} is gone. {KEPT} Start a scheduler again, or leave "
            f"out --scheduler (and {SCHEDULER_VARIABLE}) to go on with this machine alone."
        )

    def wait_for_workers(
        self, *, others: float = OTHERS_SECONDS, say: Callable[[str], None] | None = None
    ) -> None:
        """Wait until a worker can be used, and the `others` have had some seconds to answer, too.

        Raises RunError where none that can be used comes in time; `say` is told of the waiting.
        """
        begun = time.monotonic()
        while True:
            self.look(patience=LOOK_SECONDS)
            waited = time.monotonic() - begun
            if self.workers and (waited >= others or not self.silent):
                return
            if not self.workers:
                if waited >= FIRST_SECONDS:
                    raise self._no_worker()
                if say is not None:
                    say(f"waiting {FIRST_SECONDS:g} s for workers that can be used: {self._why()}")
                    say = None
            if not self.silent:
                time.sleep(LOOK_SECONDS)

    def watch(self) -> None:
        """Look again, unless that was done just now.

        Raises RunError where the scheduler, or all workers, are gone for good.
        """
        if not self.is_there:
            raise self.lost()
        if time.monotonic() - self.looked > LOOK_SECONDS:
            self.look()
            if time.monotonic() - self.had_workers > GONE_SECONDS and not self.workers:
                raise self._no_worker()

    def _no_worker(self) -> RunError:
        return RunError(
            f"scheduler={self.address!r} has no worker that can be used: {self._why()}. {KEPT}"
        )

    def _why(self) -> str:
        return "; ".join(self.said()) or "none is there"

    def said(self) -> list[str]:
        """What there is to say about workers, a line each: those that are not used first."""
        told = sorted((worker, said) for (worker, _), said in self.answers.items())
        return [
            *(f"{each} is not used: {said.problem}" for each, said in told if said.problem),
            *(f"{each} has not answered yet" for each in self.silent),
            *(f"{each} has {said.note}" for each, said in told if said.note),
        ]

    def compute(self, packets: Iterable[Packet], n: int, bar: Any) -> Generator[Done]:
        """The results of n packets, in the order in which they are done; the bar shows steps.

        What a worker was at when it died goes to another. Raises RunError where the scheduler or
        all workers are gone for good, and whatever a group raises.
        """
        if not self.asked:
            self.wait_for_workers(others=0.0)
        self.had_workers = time.monotonic()
        with Round(self, bar, LOOK_SECONDS) as round_:
            left = iter(packets)
            while True:
                round_.send(left)
                if not round_.under_way and round_.error is None:
                    return
                done = round_.wait()
                if done is not None:
                    yield done


def _judged(answer: Any, here: Mapping[str, Any]) -> Answer:
    """What to think of what `introduce` gave, or raised, elsewhere."""
    if isinstance(answer, Exception):
        return Answer(f"it cannot load this version of the package ({first_line(answer)})", "")
    where = f" (machine {answer['machine']})"
    if answer["problem"]:
        return Answer(answer["problem"] + where, "")
    theirs = {"Python": answer["software"]["python"], **answer["software"]["packages"]}
    ours = {"Python": here["python"], **here["packages"]}
    other = [f"{name} {theirs.get(name)}" for name in ours if theirs.get(name) != ours[name]]
    return Answer("", f"{', '.join(other)}, as its records say{where}" if other else "")
