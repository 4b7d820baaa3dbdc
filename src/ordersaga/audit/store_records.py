"""The records of one store as it is now: leaves and checkpoints from the log, events from the database."""

from collections.abc import Iterator
from datetime import UTC, datetime
from itertools import islice
from typing import Any

from psycopg import Connection, IsolationLevel

from ordersaga.audit import store
from ordersaga.audit.leaf import Leaf
from ordersaga.audit.positions import PositionSet
from ordersaga.audit.records import Record, SealedEvent, SignedCheckpoint, StoreBegins, StoreEnds, UnsealedEvent
from ordersaga.audit.sealed_log import LogFiles, read_leaves, read_notes


def records_of(connection: Connection[Any], files: LogFiles) -> Iterator[Record]:
    """All records, in bounded memory; events committed meanwhile are left out.

    The connection must not be in autocommit.

    Raises:
        FileNotFoundError: the store was never sealed.
    """
    # The end of the log is read before the snapshot is taken: so the snapshot has every event of these leaves.
    end = files.checkpoints.stat().st_size
    connection.isolation_level = IsolationLevel.REPEATABLE_READ
    connection.read_only = True
    with connection.transaction():
        store.prepare(connection)
        yield StoreBegins(files.store, store.moment(connection).server, datetime.now(UTC))
        found = PositionSet()
        events = 0
        for record in log_records(connection, files, end):
            if isinstance(record, SealedEvent) and record.event:
                found.add(record.event.position)
                events += 1
            yield record
        for event in events_elsewhere(connection, found):
            events += 1
            yield UnsealedEvent(event)
        yield StoreEnds(files.store, events)


def log_records(connection: Connection[Any], files: LogFiles, end: int) -> Iterator[Record]:
    """Leaves with their events, and each checkpoint behind the last leaf that it covers."""
    leaves, read = read_leaves(files.leaves), 0
    for note in read_notes(files.checkpoints):
        if note.end > end:
            return
        while lines := list(islice(leaves, min(store.PAGE, max(size_of(note.text) - read, 0)))):
            read += len(lines)
            yield from sealed(connection, lines)
        yield SignedCheckpoint(note.text)


def size_of(note: str) -> int:
    """The number of leaves that a checkpoint claims, 0 for a malformed one; `verify` judges it."""
    lines = note.splitlines()
    return int(lines[1]) if len(lines) > 1 and lines[1].isascii() and lines[1].isdigit() else 0


def sealed(connection: Connection[Any], lines: list[bytes]) -> Iterator[SealedEvent]:
    """These leaves with the events of their names."""
    names = [name_of(line) for line in lines]
    found = store.events_named(connection, [name for name in names if name])
    events = {(event.originator_id, event.version): event for event in found}
    for line, name in zip(lines, names, strict=True):
        yield SealedEvent(line, events.get(name) if name else None)


def name_of(line: bytes) -> Any:
    """Stream and version of a leaf; None for a malformed line, which `verify` reports."""
    try:
        return Leaf.parse(line)[:2]
    except ValueError:
        return None


def events_elsewhere(connection: Connection[Any], found: PositionSet) -> Iterator[store.EventRow]:
    """The events at all other positions, in order."""
    missing = (position for position in store.positions(connection) if position not in found)
    while page := list(islice(missing, store.PAGE)):
        yield from store.events_at(connection, page)
