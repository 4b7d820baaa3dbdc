"""Transaction: one unit of work, committed with its inbox row, events, messages and answer, or not at all."""

from collections.abc import Callable, Iterable, Mapping
from functools import partial
from typing import TYPE_CHECKING, Any, TypeVar
from uuid import UUID

from eventsourcing.domain import BaseAggregate
from psycopg import Connection
from psycopg.errors import NotNullViolation, UniqueViolation

from ordersaga.database.doorbell import no_ring
from ordersaga.envelope.declaration import require_source
from ordersaga.envelope.message import Cause, ContractData, Message
from ordersaga.envelope.versions import kind_of
from ordersaga.runtime import failpoints, telemetry
from ordersaga.runtime.backoff import retry_on_conflict
from ordersaga.runtime.errors import AlreadyReceived, Conflict, KeyTaken, ParkedMeanwhile
from ordersaga.store import aggregates, flush, spans
from ordersaga.store.aggregates import History
from ordersaga.store.announce import NO_EVENT, message_of
from ordersaga.store.announcements import Announcements
from ordersaga.store.cache import NO_CACHE, AggregateCache
from ordersaga.store.deadline import Deadline
from ordersaga.store.flush import ReceivedRow, StoredAnswer
from ordersaga.store.hash_chain import GENESIS
from ordersaga.store.lazy_transaction import LazyTransaction

if TYPE_CHECKING:
    from ordersaga.otel.span import Span

Kind = TypeVar("Kind", bound=BaseAggregate[UUID])
Result = TypeVar("Result")
RETRIES = 4

LOCK = "select pg_advisory_xact_lock(id) from unnest('{{{}}}'::bigint[]) as wanted (id)"
IS_PARKED = "select exists (select from parked_messages where key = %s and starts_with(contract, %s))"


class AggregateNotFound(LookupError):
    """No event of this aggregate has been recorded in this database, or it is of another class."""


CONSTRAINTS: dict[str, type[Exception]] = {
    "stored_events_pkey": Conflict,
    "inbox_pkey": AlreadyReceived,
    "idempotency_keys_pkey": KeyTaken,
}


class Transaction:
    """The unit of work of one command or reaction: loads and saves aggregates, sets deadlines, announces messages.

    It buffers all rows until `flush`, which is one statement. The caller owns connection, commit and rollback.
    `decide` passes one to a command, the worker passes one to a reaction; commands and reactions do not flush.

    `connection` is psycopg's; use it for other SQL in the same transaction, or with `sqlalchemy_session`.
    `cause` is recorded with the events saved next; a consumer sets it for every message.
    """

    def __init__(
        self,
        connection: Connection[Any],
        announcements: Announcements,
        cause: Cause,
        lazy: LazyTransaction | None = None,
        cache: AggregateCache = NO_CACHE,
    ) -> None:
        """Without `lazy`, the caller begins a transaction, or wants none, as for reading."""
        self._connection = connection
        self._lazy = lazy
        self._cache = cache
        self.announcements = announcements
        self.cause = cause
        self.message: Message | None = None
        """The message whose reaction or outside step this is; None for a request or a deadline."""
        self.is_key_free = False
        """True when no message of the key of `message` was parked when its outside step began."""
        self.may_have_called = True
        """In an outside step: False when no attempt at the message can have called the resource before."""
        self.followers: frozenset[str] = frozenset()
        """In an outside step that is held up: contracts of the messages that wait in hand behind the message."""
        self.rows = flush.Rows()
        self._creating: list[Span] = []
        self._histories: dict[UUID, History | None] = {}
        self._unlocked: set[UUID] = set()

    @property
    def connection(self) -> Connection[Any]:
        """Psycopg's connection, in a transaction that commits with the flush; it is begun now if it is not under way.

        Raises:
            Conflict: an aggregate that the reaction locks has changed since it was loaded; the worker repeats.
        """
        self.begin()
        return self._connection

    def begin(self) -> None:
        """Begin the transaction, which a flush alone does not need, unless it is under way."""
        self._lock_and_compare()
        if self._lazy:
            self._lazy.begin()

    def lock(self, ids: Iterable[UUID]) -> None:
        """Lock these aggregates until the transaction ends, in an order that cannot deadlock."""
        keys = sorted({lock_key(id_) for id_ in ids})
        if not keys:
            return
        statement = LOCK.format(",".join(map(str, keys)))
        if self._lazy:
            self._lazy.begin_with(statement)
        else:
            self._connection.execute(statement.encode(), prepare=False)

    def lock_late(self, ids: Iterable[UUID]) -> None:
        """Lock these aggregates only where versions do not do: at the flush, if anything is loaded and not changed, or
        one of these is not changed; before SQL of the reaction's own on `connection`.

        Of two writers of one version the flush lets one through. It takes the lock too, and raises Conflict instead of
        waiting, so that whoever waits for the lock and loads behind it gets through. Two who each read what the other
        changes pass by one another's versions, so whatever was loaded before the lock is compared behind it.
        """
        self._unlocked = set(ids)

    def _lock_and_compare(self) -> None:
        """Take the locks that were left for later, then require that what is only read has not changed since."""
        ids, self._unlocked = self._unlocked, set()
        if ids:
            self.lock(ids)
            self._require_current(self._histories.keys() - self._changed)

    def _take_locks(self) -> None:
        """Have the flush lock what is changed, without waiting; if anything is only read, lock all, and compare it."""
        if (self._unlocked | self._histories.keys()) - self._changed:
            self._lock_and_compare()
            return
        changed = self._unlocked
        self.rows.events = [
            row._replace(free_lock=lock_key(row.aggregate_id)) if row.aggregate_id in changed else row
            for row in self.rows.events
        ]

    @property
    def _changed(self) -> set[UUID]:
        return {row.aggregate_id for row in self.rows.events}

    def _require_current(self, ids: Iterable[UUID]) -> None:
        loaded = {id_: self._histories[id_] for id_ in ids}
        expected = {id_: history.stored_version for id_, history in loaded.items() if history}
        if loaded and aggregates.versions(self._connection, loaded) != expected:
            raise Conflict("an aggregate that this reaction reads has changed since it was loaded")

    def load(self, ids: Iterable[UUID]) -> None:
        """Load these aggregates in one query; `find` and `get` then need none."""
        missing = [id_ for id_ in dict.fromkeys(ids) if id_ not in self._histories]
        if missing:
            self.have(missing, aggregates.load(self._connection, missing, self._cache.take(missing)))

    def load_behind_lock(self, ids: Iterable[UUID]) -> None:
        """Load these aggregates, and what has changed meanwhile in all that was loaded before the lock."""
        before = {id_: history for id_, history in self._histories.items() if history}
        wanted = list(dict.fromkeys([*self._histories, *ids]))
        cached = {**self._cache.take(wanted), **before}
        self.have(wanted, aggregates.load(self._connection, wanted, cached) if wanted else {})

    def have(self, ids: Iterable[UUID], histories: Mapping[UUID, History]) -> None:
        """Take what a caller has loaded: these ids, and the histories of those that exist."""
        self._histories.update(dict.fromkeys(ids))
        self._histories.update(histories)

    def keep_loaded(self) -> None:
        """Put what this transaction has loaded and committed into its cache."""
        self._cache.keep(history for history in self._histories.values() if history)

    def find(self, kind: type[Kind], id_: UUID) -> Kind | None:
        """The aggregate, or None when no event of it is recorded."""
        self.load((id_,))
        history = self._histories[id_]
        if history is None:
            return None
        if not isinstance(history.aggregate, kind):
            raise AggregateNotFound(f"{id_} is a {type(history.aggregate).__name__}, not a {kind.__name__}")
        return history.aggregate

    def get(self, kind: type[Kind], id_: UUID) -> Kind:
        """The aggregate.

        Raises:
            AggregateNotFound: no event of it is recorded.
        """
        aggregate = self.find(kind, id_)
        if aggregate is None:
            raise AggregateNotFound(f"no {kind.__name__} {id_} is recorded in {self.announcements.source}")
        return aggregate

    def save(self, *changed: BaseAggregate[UUID]) -> None:
        """Take the new events of these aggregates, and the messages that announce them, into the next flush.

        The flush raises Conflict when another writer has recorded the next version of one of them.
        """
        for aggregate in changed:
            events = aggregate.collect_events()
            if not events:
                continue
            history = self._histories.get(aggregate.id)
            previous = history.hash if history else GENESIS
            rows = list(aggregates.record(events, previous, self.cause))
            self.rows.events.extend(rows)
            for event, row in zip(events, rows, strict=True):
                self.rows.messages.extend(self._traced(self.announcements.messages(event, row.hash, self.cause)))
            new = History(aggregate, rows[-1].hash, history.snapshot_version if history else 0)
            self._histories[aggregate.id] = new
            if snapshot := new.snapshot_if_due():
                self.rows.snapshots.append(snapshot)

    def announce(self, data: ContractData, *, id: UUID | None = None, sequence: int = NO_EVENT) -> Message:
        """Take a message without an event into the next flush; see `ordersaga.announce`.

        The message has the cause of the transaction.

        Raises:
            ValueError: the contract is another service's, or the message violates the limits of an envelope.
        """
        require_source(type(data), self.announcements.source)
        (message,) = self._traced((message_of(data, id=id, sequence=sequence, cause=self.cause),))
        self.rows.messages.append(message)
        return message

    def _traced(self, messages: Iterable[Message]) -> Iterable[Message]:
        """The messages, each with a span of its own if this process records spans."""
        if telemetry.tracing is None:
            return messages
        return [spans.created(message, self._creating) for message in messages]

    def receive(self, message: Message, is_parked: bool = False) -> None:
        """Add the inbox row of this message to the next flush, and make the message the cause of what follows.

        Unless the message is itself parked, the flush raises ParkedMeanwhile when a message of its key is.
        """
        self.rows.received.append(ReceivedRow(message, None if is_parked else message.key))
        self.follow(message)

    def follow(self, message: Message) -> None:
        """Make the message the cause of what follows."""
        self.message = message
        self.cause = message.caused_by_this()

    def is_parked(self, contract: type[ContractData], key: str) -> bool:
        """Whether a message of this contract in any version and of this key is parked, such as behind the one at hand.

        While the outside step of the one at hand is held up, those that wait in hand behind it count as parked.
        """
        if self.message and self.message.key == key:
            if any(kind_of(name) == kind_of(contract.NAME) for name in self.followers):
                return True
            if self.is_key_free:
                return False
        row = self._connection.execute(IS_PARKED, (key, f"{kind_of(contract.NAME)}.v")).fetchone()
        return bool(row and row[0])

    def store_answer(self, answer: StoredAnswer) -> None:
        """Add the answer to a request to the next flush."""
        self.rows.answers.append(answer)

    def set_deadline(self, deadline: Deadline) -> None:
        """Add a deadline to the next flush; it counts from the clock of the database."""
        self.rows.deadlines.append((deadline, self.cause))

    def clear_deadline(self, name: str, id_: UUID) -> None:
        """Delete a deadline, if there is one, with the next flush: what it was set for has happened.

        One that passes at the same moment may still reach its reaction.
        """
        kept = [row for row in self.rows.deadlines if (row[0].name, row[0].aggregate_id) != (name, id_)]
        self.rows.deadlines[:] = kept
        self.rows.cleared.append((name, id_))

    def flush(self) -> None:
        """Write the buffered rows in one statement.

        Raises:
            Conflict, AlreadyReceived, ParkedMeanwhile, KeyTaken, KeyHeld: another was first; nothing was written.
        """
        if self._unlocked:
            self._take_locks()
        announces = bool(self.rows.messages)
        try:
            flush.write(self._connection, self.rows)
        except UniqueViolation as violation:
            raise CONSTRAINTS[violation.diag.constraint_name or ""](str(violation)) from violation
        except NotNullViolation as violation:
            raise refused(violation) from violation
        if self._lazy and announces:
            self._lazy.has_announced = True
        if self._creating:
            self._end_spans()

    def _end_spans(self) -> None:
        """What is rolled back leaves no span; of a transaction of the caller nobody learns the end."""
        created, self._creating = self._creating, []
        if self._lazy and not self._lazy.is_callers:
            self._lazy.after_commit(partial(spans.end, created))
        else:
            spans.end(created)


def refused(violation: NotNullViolation) -> Exception:
    """What a null in place of a hash means, which a flush writes so that all of it fails."""
    match violation.diag.table_name:
        case "inbox":
            return ParkedMeanwhile("a message of this key was parked after this batch was read")
        case "stored_events":
            return Conflict("another transaction holds the lock of an aggregate that this one changes")
        case _:
            return violation


def lock_key(id_: UUID) -> int:
    """The last eight bytes of the id (the first of a UUIDv7 are its time) as a signed 64-bit lock key."""
    return int.from_bytes(id_.bytes[8:], "big", signed=True)


def decide(
    connection: Connection[Any],
    announcements: Announcements,
    cause: Cause,
    command: Callable[[Transaction], Result],
    ring: Callable[[], None] = no_ring,
) -> Result:
    """Run a command as a unit of work, and again after a conflict with another writer.

        def buy(transaction: Transaction) -> UUID:
            book = Book(id=uuid4())
            transaction.save(book)
            return book.id

        with psycopg.connect(url, autocommit=True) as connection:
            book_id = decide(connection, announcements, Cause(uuid4(), actor="ada"), buy)

    Returns what the command returns. The command may run up to five times. `ring` tells the relay, after the commit,
    that the outbox has new messages.

    On a connection in autocommit the flush alone is the transaction: the versions guard the state that was read before
    it, and BEGIN and COMMIT would be two round trips of three. A command that takes a lock or uses
    `transaction.connection` begins a transaction.

    Raises:
        Conflict, KeyTaken: another writer was first five times in a row.
        KeyHeld: a request with the same idempotency key is being stored at this moment.
    """

    def attempt() -> Result:
        with LazyTransaction(connection, ring) as lazy:
            transaction = Transaction(connection, announcements, cause, lazy)
            result = command(transaction)
            failpoints.reach("command.before-commit")
            transaction.flush()
            failpoints.reach("command.flushed")
        failpoints.reach("command.after-commit")
        return result

    return retry_on_conflict(attempt, RETRIES)
