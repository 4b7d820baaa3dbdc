"""Projector: the handler of a read side, which logs each message once and folds it into the views."""

from collections.abc import Callable, Mapping, Sequence
from typing import Any
from uuid import UUID

from psycopg import Connection

from ordersaga.envelope.message import ContractData
from ordersaga.inbox.delivery import Received
from ordersaga.inbox.look import Look
from ordersaga.parked import table
from ordersaga.readside import event_log
from ordersaga.runtime import failpoints
from ordersaga.store.cache import NO_CACHE, AggregateCache
from ordersaga.store.lazy_transaction import LazyTransaction

KNOWN = """
select message_id, event_hash from event_log where message_id = any(%(ids)s)
union all select message_id, event_hash from inbox where message_id = any(%(ids)s)
"""
"""The inbox of a read side holds only skipped messages."""

PLAN_ONCE = "set local plan_cache_mode = force_generic_plan; set local jit = off"
"""One plan serves every range: it reads the log by position. By default Postgres plans the folds of a long log again
for every batch, because it estimates that an unknown range is a share of the log, which looks dear; for the same reason
it would compile the plan."""


class Projector:
    """The handler of a read side's group; `fold` adds a stretch of the log to every view."""

    linger_seconds = 0.2
    """A dashboard asks once a second, and a fold costs more per batch than per message."""

    def __init__(
        self, contracts: Mapping[str, type[ContractData]], fold: Callable[[Connection[Any], int, int], None]
    ) -> None:
        self.contracts = contracts
        self._fold = fold

    def known(self, connection: Connection[Any], ids: Sequence[UUID]) -> dict[UUID, bytes]:
        """The logged or skipped messages among these: message id -> hash of the event that it announced."""
        return dict(connection.execute(KNOWN, {"ids": list(ids)}).fetchall())

    def look(self, connection: Connection[Any], messages: Sequence[Received], cache: AggregateCache = NO_CACHE) -> Look:
        ids, keys = [message.id for message in messages], {message.key for message in messages}
        return Look(self.known(connection, ids), table.parked_among(connection, keys))

    def handle(self, lazy: LazyTransaction, messages: Sequence[Received], look: Look, are_parked: bool = False) -> None:
        """Log new messages and fold them."""
        lazy.begin_with(f"{event_log.LOCK}; {PLAN_ONCE}")
        positions = event_log.append(lazy.connection, [received.message for received in messages])
        failpoints.reach("project.logged")
        if positions:
            self._fold(lazy.connection, min(positions), max(positions))
