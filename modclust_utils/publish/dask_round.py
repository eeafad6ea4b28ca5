"""Groups of jobs that are under way with a Dask scheduler at one time, and what comes back."""

from __future__ import annotations

import pickle
import queue
import uuid
from collections.abc import Iterator
from concurrent.futures import CancelledError
from contextlib import suppress
from dataclasses import dataclass, field, replace
from typing import TYPE_CHECKING, Any, NamedTuple

from modclust_utils.publish.dask_address import ANSWER_SECONDS
from modclust_utils.publish.dask_hello import resources
from modclust_utils.publish.errors import RunError

if TYPE_CHECKING:
    from distributed import Client, Future

    from modclust_utils.publish.dask_owner import DaskCrew
    from modclust_utils.publish.groups import Done, Packet

#: Packets under way for each worker: one that it computes, and one that it has at hand.
AHEAD = 2
#: Seconds after which a scheduler that is connected and says nothing is given up.
SILENT_SECONDS = 120.0
KEPT = "Everything done before is kept: the same command goes on."


class _Back(NamedTuple):
    """What became of a packet: its result, or an error."""

    future: Future
    done: Done | None
    error: Exception | None


@dataclass
class Round:
    """Packets that are under way at one time, and what comes back from them.

    look_seconds: between two looks at which workers are there; error: what ends the round, after
    the results that have come.
    """

    crew: DaskCrew
    bar: Any
    look_seconds: float
    topic: str = field(default_factory=lambda: f"modclust-{uuid.uuid4().hex}")
    under_way: dict[Future, Sent] = field(default_factory=dict)
    came: queue.SimpleQueue[Any] = field(default_factory=queue.SimpleQueue)
    error: Exception | None = None

    def __enter__(self) -> Round:
        self.client.subscribe_topic(self.topic, lambda event: self.came.put(event[1]))
        return self

    def __exit__(self, *_: object) -> None:
        if self.crew.is_there:
            # it may go just now, which must not hide why this ends
            with suppress(Exception):
                self.client.cancel(list(self.under_way))
                for sent in self.under_way.values():
                    sent.forget()
                self.client.unsubscribe_topic(self.topic)

    @property
    def client(self) -> Client:
        """The connection to the scheduler."""
        return self.crew.client

    def send(self, packets: Iterator[Packet]) -> None:
        """Send packets until every worker has its share."""
        while self.error is None and len(self.under_way) < AHEAD * max(len(self.crew.workers), 1):
            packet = next(packets, None)
            if packet is None:
                return
            sent = Sent(self, packet)
            future = sent.submit()
            self.under_way[future] = sent
            self.client.loop.add_callback(self._fetch, future)

    async def _fetch(self, future: Future) -> None:
        """Get a result while everything else goes on: if its worker dies before, that takes as long
        as to compute it again."""
        try:
            back = _Back(future, await future, None)
        except (Exception, CancelledError) as error:
            back = _Back(future, None, error)
        self.came.put(back)

    def wait(self) -> Done | None:
        """What comes next of one of them; None where it was no result.

        Raises the first error, once all results that have come are given.
        """
        if self.came.empty():
            if self.error is not None:
                raise self.error
            self.crew.watch()
        try:
            came = self.came.get(timeout=self.look_seconds)
        except queue.Empty:
            return None
        if isinstance(came, _Back):
            return self._result(came)
        for sent in self.under_way.values():
            if sent.packet.index == came["index"]:
                sent.hear(came["what"], came["n"])
        return None

    def _result(self, back: _Back) -> Done | None:
        sent = self.under_way.pop(back.future)
        if back.error is not None:
            self.error = self.error or self._said(back, sent)
        else:
            sent.count(sent.packet.n_steps)
        if self.crew.is_there:
            sent.forget()
        return back.done

    def _said(self, back: _Back, sent: Sent) -> Exception:
        """An error as this run says it."""
        from distributed import KilledWorker

        error, made = back.error, None
        assert error is not None
        if isinstance(error, KilledWorker):
            made = RunError(
                f"{sent.packet.recipe.words}: {error.allowed_failures + 1} workers died at the "
                f"same jobs, the last one was {error.last_worker.address}. Its log says why; often "
                f"its memory was too small. {KEPT}"
            )
        elif isinstance(error, CancelledError):
            why = getattr(error, "reason", "unknown")
            if not self.crew.is_there or why == "scheduler-connection-lost":
                made = self.crew.lost()
            else:
                address = self.crew.address
                made = RunError(f"the scheduler at {address} has dropped this work ({why}). {KEPT}")
        elif isinstance(error, OSError) and back.future.status != "error":
            made = self.crew.lost()
        if made is None:
            return error
        made.__cause__ = error
        return made


@dataclass(frozen=True)
class _Call:
    """A packet that is computed where it is unpacked.

    A scheduler unpacks what is sent through it, as far as that is no bytes: it would need this
    package, and torch, and room for the weights of all networks that are under way.
    """

    packet: Packet

    def __reduce__(self) -> tuple[Any, ...]:
        from modclust_utils.publish import dask_worker

        return dask_worker.compute, (self.packet,)


@dataclass
class Sent:
    """A packet that was sent; shown: how many of its steps the bar has."""

    round: Round
    packet: Packet
    shown: int = 0

    @property
    def _name(self) -> str:
        """Of its checkpoint with the scheduler."""
        return f"{self.round.topic}-{self.packet.index}"

    def submit(self) -> Future:
        """Send it."""
        from modclust_utils.publish import dask_worker

        crew, place, words = self.round.crew, self.packet.checkpoint, self.packet.recipe.words
        if self._has_state:
            begun = place.read() or b""
            with crew.while_there():
                self._variable().set(begun, callback_timeout=SILENT_SECONDS)
            place = dask_worker.SentCheckpoint(self._name, self.round.topic, self.packet.index)
        steps = dask_worker.SentSteps(self.round.topic, self.packet.index)
        packet = replace(self.packet, checkpoint=place, steps=steps, device=crew.device)
        call = pickle.dumps(_Call(packet))
        key = f"{words.replace(' ', '-')}-{uuid.uuid4().hex}"
        with crew.while_there():
            asked = resources(crew.device, crew.packages)
            return crew.client.submit(pickle.loads, call, key=key, resources=asked)

    def hear(self, what: str, n: int) -> None:
        """Something that the worker told."""
        if what == "steps":
            self.count(n)
            return
        with self.round.crew.while_there():
            content = self._variable().get(ANSWER_SECONDS, callback_timeout=SILENT_SECONDS)
        self.packet.checkpoint.write(content)

    def count(self, n: int) -> None:
        """Show that so many steps are done; a group that began again shows none twice."""
        if n > self.shown:
            self.round.bar.update(n - self.shown)
            self.shown = n

    def forget(self) -> None:
        """Delete what the scheduler keeps of it."""
        if self._has_state:
            self._variable().delete()

    @property
    def _has_state(self) -> bool:
        return self.packet.recipe.state is not None

    def _variable(self) -> Any:
        from distributed import Variable

        return Variable(self._name, client=self.round.crew.client)
