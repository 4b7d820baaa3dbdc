"""Puts the world's clock, threads and servers in the place of the real ones in the modules of the product."""

from collections.abc import Iterator
from contextlib import ExitStack, contextmanager
from typing import Any
from unittest.mock import patch

from ordersaga.relay import (
    catch_up,
    detachments,
    dispatch,
    publish_loop,
    purge,
    relay,
    session,
    silence,
    stall,
    undeliverable,
)
from ordersaga.runtime import links
from tests.simulation import publisher
from tests.simulation.postgres import Postgres
from tests.simulation.session import Session
from tests.simulation.stand_ins import Clock, Silence, Threading
from tests.simulation.world import current

TIMED = (catch_up, detachments, dispatch, publish_loop, purge, relay, undeliverable)
THREADED = (catch_up, relay)
LOGGING = (catch_up, detachments, publish_loop, relay, stall, undeliverable, links)
SIZES: dict[object, dict[str, float]] = {
    relay: {"STANDBY_SECONDS": 1.0},
    publish_loop: {
        "BACKSTOP_SECONDS": 0.5,
        "PAGE": 3,
        "PAGE_BYTES": 6,
        "CHUNK": 2,
        "MAX_IN_FLIGHT": 4,
        "MAX_READ_AHEAD": 8,
    },
    dispatch: {"CHUNK": 2, "CHUNK_BYTES": 4, "PAGE_BYTES": 6},
    catch_up: {"PAGE": 3, "PAGE_BYTES": 6},
    undeliverable: {"MAX_ROWS": 8},
}
"""A window of some ten rows has several pages, writes and rounds of confirms; and idle relays look less often."""
_postgres: list[Postgres] = []


def use(postgres: Postgres) -> None:
    """Sessions are opened on this server from now on."""
    _postgres[:] = [postgres]


def open_session(_: str, what: str = "relay") -> Session:
    current().pause()
    return Session(_postgres[0])


def replaced() -> Iterator[tuple[object, str, Any]]:
    """Module or class, name, and what takes its place."""
    for module in TIMED:
        yield module, "time", Clock
    for module in THREADED:
        yield module, "threading", Threading
    for module in LOGGING:
        yield module, "log", Silence()
    for sized, sizes in SIZES.items():
        for name, size in sizes.items():
            yield sized, name, size
    for module in (relay, catch_up):
        yield module, "Publisher", publisher.SimulatedPublisher
    for module in (detachments, silence):
        yield module, "reachable", publisher.reachable
    yield relay, "SilentQueues", publisher.SimulatedQueues
    yield relay, "rebase_if_foreign", lambda *_: None
    yield catch_up, "connect", publisher.connect
    yield catch_up, "answers", publisher.answers
    yield catch_up.CatchUp, "start", lambda thread: current().spawn(thread.name, thread.run)
    yield session, "connect", open_session
    yield session, "prepare", lambda *_: None


@contextmanager
def installed() -> Iterator[None]:
    """The product runs in a world, for as long as the block lasts."""
    with ExitStack() as stack:
        for where, name, stand_in in replaced():
            stack.enter_context(patch.object(where, name, stand_in))
        yield
