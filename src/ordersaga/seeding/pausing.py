"""What a seeding pauses for a moment: the relays of the sources, and the workers of the group."""

from collections.abc import Callable, Iterable, Iterator, Mapping
from contextlib import ExitStack, closing, contextmanager
from functools import partial
from typing import Any

from psycopg import Connection

from ordersaga.broker import pause_locks
from ordersaga.broker.pause_locks import SEED, ChangeFailed


@contextmanager
def relays_paused(sources: Iterable[str], leads: Mapping[str, str]) -> Iterator[Callable[[], None]]:
    """Take the lead of the relays of these sources for the block; `leads` has the URLs by source.

    The block gets a function that keeps the locks, and raises ChangeFailed when one of them was lost: the command
    was frozen, and relays have published meanwhile.
    """
    with ExitStack() as opened:
        sessions: dict[str, Connection[Any]] = {}
        for source in sources:
            sessions[source] = opened.enter_context(closing(pause_locks.connect(source, leads[source], SEED)))
            pause_locks.take_lead(source, sessions[source])
        yield partial(pause_locks.keep_alive, sessions)


@contextmanager
def workers_paused(name: str, url: str) -> Iterator[None]:
    """Keep the workers of a group from receiving for the block. Raises ChangeFailed when they do not leave in time."""
    with closing(pause_locks.connect(name, url, SEED)) as gate:
        if pause_locks.close_gates({name: gate}):
            raise ChangeFailed(f"The workers of {name} still handle messages. Run the command again.")
        yield
