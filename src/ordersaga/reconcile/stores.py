"""The event stores: checks that every stream is complete and unaltered, and derives its messages."""

from collections.abc import Callable, Iterator
from datetime import datetime
from typing import Any, NamedTuple
from uuid import UUID

from eventsourcing.persistence import StoredEvent
from psycopg import Connection

from ordersaga.envelope.message import Cause
from ordersaga.reconcile.findings import ReconcileFinding
from ordersaga.reconcile.message_row import MessageRow
from ordersaga.reconcile.snapshots import rows
from ordersaga.service import Service
from ordersaga.store.hash_chain import GENESIS, chain
from ordersaga.store.topics import UNREADABLE, mapper

EVENTS = """
select originator_id, originator_version, topic, state, correlation_id, causation_id, actor, hash, recorded_at,
    coalesce(lag(originator_version) over stream, 0), lag(hash) over stream
from stored_events where %(key)s::uuid is null or originator_id = %(key)s
window stream as (partition by originator_id order by originator_version)
order by originator_id, originator_version
"""


class ChainedEvent(NamedTuple):
    """A stored event, with version and hash of the event before it in its stream."""

    originator_id: UUID
    version: int
    topic: str
    state: bytes
    correlation_id: UUID
    causation_id: UUID | None
    actor: str
    hash: bytes
    recorded_at: datetime
    version_before: int
    hash_before: bytes | None

    @property
    def stored(self) -> StoredEvent:
        return StoredEvent(self.originator_id, self.version, self.topic, self.state)

    @property
    def cause(self) -> Cause:
        return Cause(self.correlation_id, self.causation_id, self.actor)


def read_store(
    service: Service,
    connection: Connection[Any],
    key: UUID | None,
    report: Callable[[ReconcileFinding, datetime], None],
) -> Iterator[MessageRow | None]:
    """Yield the messages of each event, or None for an event without any; report gaps and altered events."""
    for values in rows(connection, EVENTS, {"key": key}):
        event = ChainedEvent(*values)
        wrong = problem(service.name, event)
        if wrong:
            report(wrong, event.recorded_at)
        try:
            announced = list(announcements_of(service, event))
        except UNREADABLE as error:
            report(finding("altered", service.name, event, f"it cannot be read: {error!r}"), event.recorded_at)
            announced = []
        yield from announced or (None,)


def problem(service: str, event: ChainedEvent) -> ReconcileFinding | None:
    """A gap before the event, or a hash that does not follow from the hash before."""
    first, last = event.version_before + 1, event.version - 1
    if first <= last:
        gone = f"version {last} is" if first == last else f"versions {first} to {last} are"
        return finding("missing", service, event, f"{gone} not there, before this one")
    if event.hash != chain(event.hash_before or GENESIS, event.stored, event.cause):
        return finding("altered", service, event, "its hash does not follow from its content and the event before")
    return None


def finding(kind: str, service: str, event: ChainedEvent, detail: str) -> ReconcileFinding:
    about = f"{event.topic}, version {event.version} of {event.originator_id}"
    return ReconcileFinding(kind, f"{service}.stored_events", f"{about}: {detail}", key=str(event.originator_id))


def announcements_of(service: Service, event: ChainedEvent) -> Iterator[MessageRow]:
    """The messages that announce the event. Raises UNREADABLE."""
    domain_event = mapper.to_domain_event(event.stored)
    for message in service.announcements.messages(domain_event, event.hash, event.cause):
        yield MessageRow(
            message.id, "stored_events", service.name, event.recorded_at, message.contract, message.key, event.hash
        )
