"""Puts the world's clock, threads and servers in the place of the real ones in the modules of the product."""

from collections.abc import Iterator
from contextlib import ExitStack, contextmanager
from datetime import timedelta
from typing import Any
from unittest.mock import patch

from ordersaga.consumer import consumer, intake, pausing, receiver, source
from ordersaga.inbox import forks
from ordersaga.parked import attempts, retries
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
from ordersaga.runtime import backoff, links
from tests.simulation import publisher
from tests.simulation.deliveries import Reading, WorkBroker, WorkerConnection
from tests.simulation.postgres import Postgres
from tests.simulation.session import Session
from tests.simulation.stand_ins import Clock, Silence, Threading
from tests.simulation.world import current

RELAY = (catch_up, detachments, publish_loop, relay, undeliverable)
CONSUMER = (consumer, receiver, retries)
TIMED = (*RELAY, *CONSUMER, dispatch, purge, source, backoff)
THREADED = (catch_up, relay)
LOGGING = (*RELAY, *CONSUMER, stall, links, pausing, forks)
SIZES: dict[object, dict[str, Any]] = {
    relay: {"STANDBY_SECONDS": 1.0},
    publish_loop: {
        "BACKSTOP_SECONDS": 0.5,
        "PAGE": 3,
        "PAGE_BYTES": 6,
        "CHUNK": 2,
        "MAX_IN_FLIGHT": 4,
        "MAX_READ_AHEAD": 8,
    },
    dispatch: {"MAX_READ_AHEAD": 8, "CHUNK": 2, "CHUNK_BYTES": 4, "PAGE_BYTES": 6},
    catch_up: {"PAGE": 3, "PAGE_BYTES": 6},
    undeliverable: {"MAX_ROWS": 8},
    intake: {"MAX_UNACKNOWLEDGED": 8},
    consumer: {"MIN_BATCH": 2},
    attempts: {"LEASE": timedelta(seconds=5)},
}
"""A window of some ten rows has several pages, writes and rounds of confirms; and idle relays look less often."""
_postgres: list[Postgres] = []
_work: list[WorkBroker] = []


def use(postgres: Postgres) -> None:
    """Sessions are opened on this server from now on."""
    _postgres[:] = [postgres]


def use_work(broker: WorkBroker) -> None:
    """Workers receive from this broker from now on."""
    _work[:] = [broker]


def open_session(_: str, what: str = "relay", limits: object = None) -> Session:
    current().pause()
    return Session(_postgres[0], flushes=limits is not None)


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
    yield intake, "connect", lambda _: WorkerConnection(_work[0])
    yield intake, "parameters", lambda *_: None
    yield intake, "queues_of", lambda *_: list(_work[0].queues)[:-1]
    yield intake, "tolerate_all_properties", lambda: None
    yield intake, "Reading", Reading
    yield links, "connect", open_session
    yield session, "prepare", lambda *_: None


@contextmanager
def installed() -> Iterator[None]:
    """The product runs in a world, for as long as the block lasts."""
    with ExitStack() as stack:
        for where, name, stand_in in replaced():
            stack.enter_context(patch.object(where, name, stand_in))
        yield
