"""Reactor: the handler that runs a service's reactions to a whole batch in one transaction."""

import time
from collections.abc import Iterable, Iterator, Mapping, Sequence
from contextlib import suppress
from typing import Any, cast
from uuid import UUID

import psycopg
from psycopg import Connection

from ordersaga.envelope.message import Cause
from ordersaga.inbox.delivery import Received
from ordersaga.inbox.look import Look, look
from ordersaga.inbox.reactions import Reaction, Reactions
from ordersaga.runtime import failpoints
from ordersaga.runtime.errors import Conflict, TooManyLocks
from ordersaga.store.aggregates import History
from ordersaga.store.announcements import Announcements
from ordersaga.store.cache import NO_CACHE, AggregateCache
from ordersaga.store.lazy_transaction import LazyTransaction
from ordersaga.store.transaction import Transaction

MAX_LOCKS = 1000
"""The most locks on shared aggregates that one transaction takes, unless a single message needs more.

All sessions of a server share room for max_locks_per_transaction * max_connections locks: 6,400 as it is installed."""
MAX_OPTIMISTIC = 8
"""A larger batch locks what its messages share before it reacts: it would be much to repeat, and three round trips are
little for so many messages."""
LOCKING_SECONDS = 60.0
"""For so long after a conflict a small batch locks first too."""

KNOWN = "select message_id, event_hash from inbox where message_id = any(%s)"


def received_among(connection: Connection[Any], ids: Sequence[UUID]) -> dict[UUID, bytes]:
    """Which of these messages are in the inbox: message id -> hash of the event that it announced."""
    return dict(connection.execute(KNOWN, (list(ids),)).fetchall())


Pair = tuple[Received, Reaction]
"""A message and the reaction to it."""


class Reactor:
    """Handles messages with the reactions of one service."""

    linger_seconds = 0.0

    def __init__(self, reactions: Reactions, announcements: Announcements) -> None:
        self.announcements = announcements
        self.reactions = reactions.by_contract
        self.contracts = {name: reaction.contract for name, reaction in self.reactions.items()}
        self._locks_until = 0.0

    def known(self, connection: Connection[Any], ids: Sequence[UUID]) -> dict[UUID, bytes]:
        return received_among(connection, ids)

    def look(self, connection: Connection[Any], messages: Sequence[Received], cache: AggregateCache = NO_CACHE) -> Look:
        pairs = self.pairs(messages)
        ids = [id_ for message, reaction in pairs for id_ in reaction.loads(message.data)]
        cached = cache.take(ids)
        if not self.locks_first(len(messages)):
            shared = list(self.foreseen(pairs, cached))
            cached.update(cache.take(shared))
            ids += shared
        return look(connection, messages, ids, cached, cache)

    def handle(self, lazy: LazyTransaction, messages: Sequence[Received], look: Look, are_parked: bool = False) -> None:
        """Load, or lock and load, what many messages share; react one by one; flush once.

        Raises:
            Conflict, AlreadyReceived, ParkedMeanwhile: another writer was first; nothing was written.
            TooManyLocks: several messages need more than MAX_LOCKS locks together; none was taken.
        """
        transaction = Transaction(
            lazy.connection, self.announcements, messages[0].message.caused_by_this(), lazy, look.cache
        )
        transaction.have(look.ids, look.histories)
        try:
            self.react(transaction, self.pairs(messages), are_parked)
        except (Conflict, psycopg.errors.DeadlockDetected):
            self._locks_until = time.monotonic() + LOCKING_SECONDS
            raise
        lazy.after_commit(transaction.keep_loaded)

    def react(self, transaction: Transaction, pairs: Sequence[Pair], are_parked: bool) -> None:
        shared = {id_ for message, reaction in pairs for id_ in reaction.locks(message.data, transaction)}
        if len(pairs) > 1 and len(shared) > MAX_LOCKS:
            raise TooManyLocks(f"{len(pairs)} messages need {len(shared)} locks, more than {MAX_LOCKS}")
        if shared and self.locks_first(len(pairs)):
            transaction.lock(shared)
            transaction.load_behind_lock(shared)
        else:
            transaction.lock_late(shared)
            transaction.load(shared)
        for message, reaction in pairs:
            transaction.receive(message.message, are_parked)
            if message.span:
                transaction.cause = message.span.cause(transaction.cause)
            if reaction.outside:
                reaction.function(message.data, transaction, message.require_answer())
            else:
                reaction.function(message.data, transaction)
        failpoints.reach("react.before-flush")
        transaction.flush()

    def pairs(self, messages: Sequence[Received]) -> list[Pair]:
        return [(message, self.reactions[message.contract]) for message in messages]

    def locks_first(self, messages: int) -> bool:
        """Whether a batch of so many messages locks what it shares before it reacts, and not only where it must."""
        return messages > MAX_OPTIMISTIC or time.monotonic() < self._locks_until

    def foreseen(self, pairs: Sequence[Pair], cached: Mapping[UUID, History]) -> Iterator[UUID]:
        """What the messages will probably share, as far as memory tells; so it is read with all else."""
        for message, reaction in pairs:
            with suppress(Exception):  # what is wrong shows once the messages are handled
                memory = Memory(self.announcements, message.message.caused_by_this(), cached)
                yield from reaction.locks(message.data, memory)


class NotInMemory(LookupError):
    """The aggregate has to be loaded."""


class Memory(Transaction):
    """A transaction that reads nothing: it finds only what is cached."""

    def __init__(self, announcements: Announcements, cause: Cause, cached: Mapping[UUID, History]) -> None:
        super().__init__(cast(Any, None), announcements, cause)
        self.have(cached, cached)

    def load(self, ids: Iterable[UUID]) -> None:
        if any(id_ not in self._histories for id_ in ids):
            raise NotInMemory
