"""What the read side was told of each event, against the event: two tellings that whoever edits one has to match."""

from collections.abc import Callable, Iterable, Iterator
from typing import Any
from uuid import UUID

from eventsourcing.persistence import StoredEvent
from psycopg import Connection

from ordersaga.envelope.message import Cause
from ordersaga.store.announcements import Announcements
from ordersaga.store.topics import mapper
from projections.audit.findings import Finding
from projections.audit.records import Begins, Ends, Record, Sealed, Unsealed
from projections.audit.store import PAGE, Event
from projections.sources import SOURCES

HASHES = "select message_id, event_hash from event_log where message_id = any(%s)"


class Announced:
    """Hands records on as they are; `report` is called with each contradiction."""

    def __init__(self, event_log: Connection[Any], report: Callable[[Finding], None]) -> None:
        self._event_log = event_log
        self._report = report
        self._announcements = Announcements("")
        self._waiting: dict[UUID, Event] = {}

    def watch(self, records: Iterable[Record]) -> Iterator[Record]:
        for record in records:
            match record:
                case Begins():
                    self._announcements = SOURCES[record.store].announcements
                case Sealed(event=Event() as event) | Unsealed(event=event):
                    self._waiting |= dict.fromkeys(self._messages(event), event)
                case Ends():
                    self._compare()
                case _:
                    pass
            if len(self._waiting) >= PAGE:
                self._compare()
            yield record

    def _messages(self, event: Event) -> list[UUID]:
        """Ids of the messages that announce it; an event that cannot be read announces none, and has an edited hash."""
        if event.correlation_id is None:
            return []
        stored = StoredEvent(event.originator_id, event.version, event.topic, event.state)
        cause = Cause(event.correlation_id, event.causation_id, event.actor)
        try:
            announced = self._announcements.messages(mapper.to_domain_event(stored), event.hash, cause)
            return [message.id for message in announced]
        except (LookupError, ValueError, TypeError, AttributeError):
            return []

    def _compare(self) -> None:
        """What the read side has not received yet is reconcile's concern."""
        for id_, told in self._event_log.execute(HASHES, (list(self._waiting),), binary=True):
            event = self._waiting[id_]
            if told != event.hash:
                name = (event.originator_id, event.version, event.topic, event.position)
                detail = f"message {id_} announced an event with another hash"
                self._report(Finding("contradicted", self._announcements.source, detail, *name))
        self._waiting.clear()
