"""Receiver: each message of a batch takes effect once or is parked; while the database is away, it is held."""

import time
from collections import Counter
from collections.abc import Callable, Iterable, Iterator, Mapping, Sequence
from datetime import timedelta
from functools import partial
from itertools import groupby
from typing import Any, NoReturn
from uuid import UUID

import prometheus_client
from psycopg import Connection

from ordersaga.database.doorbell import no_ring
from ordersaga.database.locks import refuse_locked_tables
from ordersaga.inbox import forks, spans
from ordersaga.inbox.delivery import Broken, Delivery, Received, read
from ordersaga.inbox.handler import Handler
from ordersaga.parked import failure_notes, table
from ordersaga.parked.table import NewlyParked
from ordersaga.runtime import failpoints
from ordersaga.runtime.backoff import CONFLICT_RETRIES, retry_on_conflict
from ordersaga.runtime.errors import ErrorKind, Failure, NotCalled, classify, describe, session_ended
from ordersaga.runtime.logs import log, working_on
from ordersaga.store.cache import AggregateCache
from ordersaga.store.lazy_transaction import LazyTransaction

RECEIVED = prometheus_client.Counter(
    "ordersaga_messages_received_total", "Messages taken from the broker", ["group", "contract"]
)
REDELIVERED = prometheus_client.Counter(
    "ordersaga_messages_redelivered_total", "Messages delivered before and not acknowledged", ["group"]
)
DUPLICATES = prometheus_client.Counter(
    "ordersaga_messages_deduplicated_total", "Messages dropped because they took effect before", ["group"]
)
PARKED = prometheus_client.Counter(
    "ordersaga_messages_parked_total", "Messages parked after a failure of their own", ["group"]
)
BATCH_SECONDS = prometheus_client.Histogram(
    "ordersaga_batch_duration_seconds", "Seconds until a batch is committed", ["group"]
)

MAX_BATCH = 300
"""The most messages of one transaction."""
MAX_BATCH_BYTES = 8 * 1024 * 1024
"""The most bytes of bodies of one transaction, unless it is one message: it makes several copies of each."""
WAIT_BRIEFLY = "set local lock_timeout = '20ms'"


class Receiver:
    """Gives messages to the handler of a group in transactions of its own; the caller passes the connection."""

    def __init__(self, group: str, handler: Handler, ring: Callable[[], None] = no_ring) -> None:
        """`ring` tells the relay, after a commit, that the outbox has new messages."""
        self.group = group
        self.handler = handler
        self.ring = ring
        self.cache = AggregateCache()
        self.max_batch = MAX_BATCH
        # A counter that begins at 1 has no increase: the first fork would raise no alert.
        for counter in (REDELIVERED, DUPLICATES, PARKED, forks.FORKS):
            counter.labels(group)

    def read(self, deliveries: Iterable[Delivery]) -> list[Received | Broken]:
        """Read the envelopes and bodies, and count them."""
        messages = [read(delivery, self.handler.contracts) for delivery in deliveries]
        REDELIVERED.labels(self.group).inc(sum(message.delivery.delivered_before > 0 for message in messages))
        for contract, number in Counter(message.contract for message in messages).items():
            RECEIVED.labels(self.group, contract if contract in self.handler.contracts else "unknown").inc(number)
        return messages

    def receive(self, connection: Connection[Any], run: Sequence[Received | Broken]) -> None:
        """Handle or park all messages of one of `runs`. Raises when a server is unavailable; then call it again.

        Each message may have a `failure` by then, which ended the last session.
        """
        first = run[0]
        if isinstance(first, Broken):
            state = "retrying" if first.is_unknown else "dead"
            self.park(connection, first, state, describe(first.reason), pause=None)
        elif first.delivery.is_suspect:
            self.park(connection, first, "retrying", describe_suspect(first.delivery), 1, table.BASE)
        else:
            messages = [message for message in run if isinstance(message, Received)]
            spans.begin(messages)
            exemplar, began = spans.exemplar(messages), time.perf_counter()
            try:
                self.react(connection, messages)
            finally:
                BATCH_SECONDS.labels(self.group).observe(time.perf_counter() - began, exemplar)

    def react(self, connection: Connection[Any], messages: Sequence[Received]) -> None:
        """React in transactions of at most `max_batch` messages, which doubles with each success."""
        for batch in batched(messages, self.max_batch):
            self.react_together(connection, batch)
        self.max_batch = min(2 * self.max_batch, MAX_BATCH)

    def react_together(self, connection: Connection[Any], messages: Sequence[Received], brief: bool = False) -> None:
        """React in one transaction; after a failure in halves: one bad message among 300 takes 17 transactions.

        After a conflict the whole batch is tried once more, and locks first what its messages share.

        After a lock timeout the halves wait for locks only briefly, so that the messages that need the lock are found
        soon: it was waited for already.
        """
        if messages[0].failure is not None:
            self.park_failed(connection, messages[0], messages[0].failure)
            return
        retries = CONFLICT_RETRIES if len(messages) == 1 else 1
        try:
            retry_on_conflict(partial(self.react_at_once, connection, messages, brief), retries)
        except Exception as error:
            kind = classify(error)
            if kind is ErrorKind.UNAVAILABLE:
                # What is too large for the server may have crashed it.
                self.max_batch = max(1, len(messages) // 2)
                raise
            if connection.closed:
                self.remember(messages, error)
            if kind is ErrorKind.LOCKED:
                refuse_locked_tables(connection, error)
            if len(messages) == 1:
                self.park_failed(connection, messages[0], error)
                return
            spans.tried_again(messages, error)
            half = len(messages) // 2
            for part in (messages[:half], messages[half:]):
                self.react_together(connection, part, brief or kind is ErrorKind.LOCKED)

    def remember(self, messages: Sequence[Received], error: Exception) -> NoReturn:
        """The error ended the session: halve, or park, with the next one. Raises Unavailable."""
        if len(messages) == 1:
            messages[0].failure = error
        self.max_batch = max(1, len(messages) // 2)
        raise session_ended(error) from error

    def react_at_once(self, connection: Connection[Any], messages: Sequence[Received], brief: bool) -> None:
        """React in one transaction, which is one statement where that does.

        Raises:
            ForkedHistory: a message contradicts one that took effect before; alone, it is quarantined.
        """
        began = spans.now()
        with LazyTransaction(connection, self.ring) as lazy:
            if brief:
                lazy.begin_with(WAIT_BRIEFLY)
            failpoints.reach("receive.before-look")
            look = self.handler.look(connection, messages, self.cache)
            new = handled = [message for message in messages if forks.is_new(message, look.known)]
            if any(message.key in look.parked for message in new):
                handled = self.without_waiting(lazy, new, look.parked)
            if handled:
                self.handler.handle(lazy, handled, look)
            failpoints.reach("receive.before-commit")
        failpoints.reach("receive.after-commit")
        DUPLICATES.labels(self.group).inc(len(messages) - len(new))
        if began:
            spans.end(messages, new, handled, began)

    def without_waiting(self, lazy: LazyTransaction, messages: Sequence[Received], parked: set[str]) -> list[Received]:
        """Park messages behind others of their keys. Returns the rest."""
        keys = {message.key for message in messages} & parked
        lazy.begin()
        waiting = still_parked(lazy.connection, keys)
        self.append(lazy.connection, [message for message in messages if message.key in waiting])
        return [message for message in messages if message.key not in waiting]

    def append(self, connection: Connection[Any], messages: Sequence[Received]) -> None:
        """Park messages behind others of their keys; drop copies of parked messages."""
        seen = table.hashes(connection, [message.id for message in messages])
        table.append(connection, [entry(message, "waiting") for message in messages if forks.is_new(message, seen)])
        table.let_first_decide(connection, {message.key for message in messages})

    def park_failed(self, connection: Connection[Any], message: Received, error: Exception) -> None:
        if classify(error) is ErrorKind.UNAVAILABLE:
            raise error
        if isinstance(error, NotCalled):
            self.park(connection, message, "retrying", describe(error))
            return
        state = "dead" if classify(error) is ErrorKind.INVALID else "retrying"
        self.park(connection, message, state, describe(error), 1, table.pause_after(1))

    def park(
        self,
        connection: Connection[Any],
        message: Received | Broken,
        state: str,
        failure: Failure,
        attempts: int = 0,
        pause: timedelta | None = timedelta(0),
    ) -> None:
        """Park a message; unless it is dead, it waits behind the parked messages of its key."""
        wanted = entry(message, state, failure, attempts, pause if state == "retrying" else None)
        if isinstance(message, Received):
            wanted = wanted._replace(delivery=spans.remembered(message))
        parked = retry_on_conflict(partial(self.park_at_once, connection, message, wanted))
        failpoints.reach("park.after-commit")
        if isinstance(parked, forks.ForkedHistory) and isinstance(message, Received):
            forks.report(self.group, message, parked)
        elif parked:
            PARKED.labels(self.group).inc()
            failure_notes.seen(connection, failure.error, message.contract, failure.place)
            self.log_parked(message, state, failure)
        if isinstance(message, Received):
            spans.failed(message, failure.error)

    def park_at_once(
        self, connection: Connection[Any], message: Received | Broken, wanted: NewlyParked
    ) -> bool | forks.ForkedHistory:
        """Park it in one transaction. Returns whether it is parked with this failure, or the fork that is quarantined.

        The caller counts and logs either after the commit.
        """
        with connection.transaction():
            known = self.handler.known(connection, identities(message))
            parked = table.hashes(connection, [wanted.id])
            if isinstance(message, Received) and (fork := forks.fork_among(message, known or parked)):
                return self.quarantine(connection, message, fork) and fork
            if has_taken_effect(message, known) or wanted.id in parked:
                return False
            if message.key is not None and still_parked(connection, [message.key]) and wanted.state == "retrying":
                table.append(connection, [entry(message, "waiting")])
                table.let_first_decide(connection, [message.key])
                return False
            table.append(connection, [wanted])
            failpoints.reach("park.before-commit")
            return True

    def quarantine(self, connection: Connection[Any], message: Received, fork: forks.ForkedHistory) -> bool:
        """Park a fork as dead under its own id (`fork_id`), unless a person has skipped it before.

        It blocks its key: the next messages of the key build on a history that this group has not received.
        """
        table.lock(connection, [message.key])
        quarantined = entry(message, "dead", describe(fork))._replace(id=forks.fork_id(message))
        if self.handler.known(connection, [quarantined.id]):
            return False
        if not table.hashes(connection, [quarantined.id]):
            table.append(connection, [quarantined])
        return True

    def log_parked(self, message: Received | Broken, state: str, failure: Failure) -> None:
        about = {"contract": message.contract, "key": message.key, "error": failure.error, "place": failure.place}
        if isinstance(message, Received):
            with working_on(message.message.cause, message.id):
                log.warning("message parked", state=state, reason=failure.message, **about)
        else:
            log.warning("message parked", state=state, reason=failure.message, message_id=str(message.id), **about)


def batched(messages: Sequence[Received], size: int, most_bytes: int = MAX_BATCH_BYTES) -> Iterator[Sequence[Received]]:
    """Slices of at most `size` messages with at most so many bytes; a message that has failed is alone."""
    start = held = 0
    for end, message in enumerate(messages):
        held += (bytes_ := len(message.delivery.body))
        apart = message.failure is not None or messages[end - 1].failure is not None
        if start < end and (end - start == size or apart or held > most_bytes):
            yield messages[start:end]
            start, held = end, bytes_
    if start < len(messages):
        yield messages[start:]


def identities(message: Received | Broken) -> list[UUID]:
    """The ids under which a message may have taken effect, or have been skipped."""
    claimed = [message.claimed.id] if isinstance(message, Broken) and message.claimed else []
    return [message.id, *claimed]


def has_taken_effect(message: Received | Broken, known: Mapping[UUID, bytes]) -> bool:
    """Whether it has: a broken one also under its claimed id, after its body was mended or its contract known."""
    if message.id in known:
        return True
    claimed = message.claimed if isinstance(message, Broken) else None
    return claimed is not None and known.get(claimed.id) == claimed.event_hash


def still_parked(connection: Connection[Any], keys: Iterable[str]) -> set[str]:
    """Lock these keys until the transaction ends. Returns those that have parked messages."""
    keys = list(keys)
    table.lock(connection, keys)
    return table.parked_among(connection, keys)


def entry(message: Received | Broken, state: str, *details: Any) -> NewlyParked:
    parked = NewlyParked(message.id, message.key, message.contract, message.delivery, state, *details)
    if isinstance(message, Received):
        return parked._replace(operation=message.operation, called=message.may_have_called)
    return parked


def runs(messages: Iterable[Received | Broken]) -> Iterator[list[Received | Broken]]:
    """Split a batch, in its order, into transactions: sound messages together, all others one by one."""
    for sound, run in groupby(messages, is_sound):
        if sound:
            yield list(run)
        else:
            yield from ([message] for message in run)


def is_sound(message: Received | Broken) -> bool:
    return isinstance(message, Received) and message.failure is None and not message.delivery.delivered_before


def describe_suspect(delivery: Delivery) -> Failure:
    """The failure of a message that is parked because it may have killed the process.

    Closing a connection raises the delivery count of every unacknowledged message, so the broker cannot tell which of
    them killed the process. The table counts each attempt for the one message that is tried, and the first attempt
    comes after a pause, in which the messages delivered together with it are handled.
    """
    text = f"delivered {delivery.delivered_before} times and not acknowledged: perhaps it killed the process"
    return Failure(table.SUSPECT, "", text, "")
