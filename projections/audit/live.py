"""The records of a store as it is now: its log from the files, its events from the database."""

from collections.abc import Iterator
from datetime import UTC, datetime
from itertools import islice
from typing import Any

from psycopg import Connection, IsolationLevel

from projections.audit import store
from projections.audit.leaf import Leaf
from projections.audit.log import LogFiles, read_leaves, read_notes
from projections.audit.positions import Positions
from projections.audit.records import Begins, Ends, Record, Sealed, Signed, Unsealed


def records(connection: Connection[Any], files: LogFiles) -> Iterator[Record]:
    """In bounded memory. The connection is not in autocommit; what is committed while this runs is left out.

    Raises:
        FileNotFoundError: nothing of the store was ever sealed.
    """
    # The log first: of what is sealed after this, the store's snapshot has everything.
    end = files.checkpoints.stat().st_size
    connection.isolation_level = IsolationLevel.REPEATABLE_READ
    connection.read_only = True
    with connection.transaction():
        store.prepare(connection)
        yield Begins(files.store, store.moment(connection).server, datetime.now(UTC))
        found = Positions()
        events = 0
        for record in log_records(connection, files, end):
            if isinstance(record, Sealed) and record.event:
                found.add(record.event.position)
                events += 1
            yield record
        for event in rest(connection, found):
            events += 1
            yield Unsealed(event)
        yield Ends(files.store, events)


def log_records(connection: Connection[Any], files: LogFiles, end: int) -> Iterator[Record]:
    """Leaves with their events, and each checkpoint behind the last leaf that it is over."""
    leaves, read = read_leaves(files.leaves), 0
    for note in read_notes(files.checkpoints):
        if note.end > end:
            return
        while lines := list(islice(leaves, min(store.PAGE, max(size_of(note.text) - read, 0)))):
            read += len(lines)
            yield from sealed(connection, lines)
        yield Signed(note.text)


def size_of(note: str) -> int:
    """How many leaves a checkpoint claims; whether it is one is judged by whoever verifies."""
    lines = note.splitlines()
    return int(lines[1]) if len(lines) > 1 and lines[1].isascii() and lines[1].isdigit() else 0


def sealed(connection: Connection[Any], lines: list[bytes]) -> Iterator[Sealed]:
    names = [name_of(line) for line in lines]
    found = store.events_named(connection, [name for name in names if name])
    events = {(event.originator_id, event.version): event for event in found}
    for line, name in zip(lines, names, strict=True):
        yield Sealed(line, events.get(name) if name else None)


def name_of(line: bytes) -> Any:
    """Stream and version; None where the line is no leaf, which whoever verifies will say."""
    try:
        return Leaf.parse(line)[:2]
    except ValueError:
        return None


def rest(connection: Connection[Any], found: Positions) -> Iterator[store.Event]:
    """The events at other positions than these, in order."""
    missing = (position for position in store.positions(connection) if position not in found)
    while page := list(islice(missing, store.PAGE)):
        yield from store.events_at(connection, page)
