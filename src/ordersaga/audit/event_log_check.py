"""A check of the event log against the stores: an edited event contradicts the message that announced it."""

from collections.abc import Callable, Iterable, Iterator, Mapping
from typing import Any
from uuid import UUID

from eventsourcing.persistence import StoredEvent
from psycopg import Connection

from ordersaga.audit.findings import AuditFinding
from ordersaga.audit.records import Record, SealedEvent, StoreBegins, StoreEnds, UnsealedEvent
from ordersaga.audit.store import PAGE, EventRow
from ordersaga.envelope.message import Cause
from ordersaga.store.announcements import Announcements
from ordersaga.store.topics import UNREADABLE, mapper

HASHES = "select message_id, event_hash from event_log where message_id = any(%s)"


class EventLogCheck:
    """Passes records through and reports each event whose message in the event log has another hash.

    Args:
        event_log: a connection to the read side's database.
        announcements: by store.
        report: called with each finding.
    """

    def __init__(
        self,
        event_log: Connection[Any],
        announcements: Mapping[str, Announcements],
        report: Callable[[AuditFinding], None],
    ) -> None:
        self._event_log = event_log
        self._by_store = announcements
        self._report = report
        self._announcements = Announcements("")
        self._pending: dict[UUID, EventRow] = {}

    def pass_on(self, records: Iterable[Record]) -> Iterator[Record]:
        """The records, in the same order."""
        for record in records:
            match record:
                case StoreBegins():
                    self._announcements = self._by_store.get(record.store) or Announcements(record.store)
                case SealedEvent(event=EventRow() as event) | UnsealedEvent(event=event):
                    self._pending |= dict.fromkeys(self._messages(event), event)
                case StoreEnds():
                    self._compare()
                case _:
                    pass
            if len(self._pending) >= PAGE:
                self._compare()
            yield record

    def _messages(self, event: EventRow) -> list[UUID]:
        """Ids of the messages that announce the event; none if it is unreadable: `verify` finds that by its hash."""
        if event.correlation_id is None:
            return []
        stored = StoredEvent(event.originator_id, event.version, event.topic, event.state)
        cause = Cause(event.correlation_id, event.causation_id, event.actor)
        try:
            announced = self._announcements.messages(mapper.to_domain_event(stored), event.hash, cause)
            return [message.id for message in announced]
        except UNREADABLE:
            return []

    def _compare(self) -> None:
        """Report different hashes. A message that the event log lacks is a finding of `reconcile`."""
        for id_, logged in self._event_log.execute(HASHES, (list(self._pending),), binary=True):
            event = self._pending[id_]
            if logged != event.hash:
                name = (event.originator_id, event.version, event.topic, event.position)
                detail = f"message {id_} announced an event with another hash"
                self._report(AuditFinding("contradicted", self._announcements.source, detail, *name))
        self._pending.clear()
