"""The address of a Dask scheduler, and the way to it: anything else there is refused in words."""

from __future__ import annotations

import asyncio
import logging
import os
import re
import socket
from concurrent.futures import ThreadPoolExecutor
from typing import TYPE_CHECKING, Any

from modclust_utils.paths import SCHEDULER_VARIABLE
from modclust_utils.publish.errors import ParameterError, RunError

if TYPE_CHECKING:
    from distributed import Client

ALLOWED = "tcp://host:port or tls://host:port, the address that `dask scheduler` prints"
#: Seconds to wait for an answer of what may be a scheduler.
ANSWER_SECONDS = 10.0


def named_scheduler() -> str:
    """The address in `MODCLUST_SCHEDULER`, "" where none is named.

    Raises ParameterError for what is no address.
    """
    address = os.environ.get(SCHEDULER_VARIABLE, "")
    if address and _host_and_port(address) is None:
        raise ParameterError(f"scheduler={address!r} is not allowed: {ALLOWED}")
    return address


def _host_and_port(address: str) -> tuple[str, int] | None:
    found = re.fullmatch(r"(?:tcp|tls)://(?:\[([0-9a-fA-F:.]+)\]|([\w.-]+)):([0-9]{1,5})", address)
    if found is None or not 0 < int(found[3]) < 65536:
        return None
    return found[1] or found[2], int(found[3])


def connect(address: str) -> Client:
    """A client of the scheduler at an address. Raises RunError where there is none."""
    try:
        import dask
        from distributed import Client
    except ImportError as error:
        raise RunError(
            f"scheduler={address!r} needs the package distributed, which is not installed: "
            "pip install distributed"
        ) from error
    for name in ("distributed.client", "distributed.utils"):
        # what they say of a scheduler that is gone is said in a sentence
        logging.getLogger(name).setLevel(logging.CRITICAL)
    # weights are sent with each job that needs them, on purpose
    dask.config.set({"distributed.admin.large-graph-warning-threshold": "1 PB"})
    try:
        _listen_to(address)
        _check_kind(address)
        return Client(address, timeout=ANSWER_SECONDS, set_as_default=False, name="modclust")
    except Exception as error:
        # anything may be there: Dask takes the greeting of another server for a length in bytes
        raise RunError(
            f"scheduler={address!r} does not answer as a Dask scheduler ({first_line(error)}). "
            "Start one with `dask scheduler`, or correct the address."
        ) from error


def _listen_to(address: str) -> None:
    """Raises OSError where nobody is at an address, or somebody who waits for us to speak first: a
    client of `distributed` would wait for ever."""
    place = _host_and_port(address)
    assert place is not None
    with socket.create_connection(place, timeout=ANSWER_SECONDS) as connection:
        if address.startswith("tcp:") and not connection.recv(1):
            raise OSError("it hangs up")


def _check_kind(address: str) -> None:
    """Raises an error of any type where something else than a scheduler is at an address.

    A client that has failed there would hold up the end of this process.
    """
    with ThreadPoolExecutor(1) as thread:  # in this one, a notebook's own loop is running
        found = thread.submit(asyncio.run, _identity(address)).result()
    if "workers" not in found:
        raise ValueError(f"it is a {found.get('type', 'stranger')}")


async def _identity(address: str) -> dict[str, Any]:
    from distributed import Security, rpc

    arguments = Security().get_connection_args("client")
    if address.startswith("tls:") and arguments["ssl_context"] is None:
        raise ValueError("tls needs certificates: distributed.comm.tls of Dask's configuration")
    async with (
        asyncio.timeout(ANSWER_SECONDS),
        rpc(address, timeout=ANSWER_SECONDS, connection_args=arguments) as there,
    ):
        found: dict[str, Any] = await there.identity()
    return found


def first_line(error: object) -> str:
    """What an error says, cut to a line."""
    return (str(error).strip() or type(error).__name__).splitlines()[0]
