"""The replay: compares the snapshots that this code uses with the events that they stand for."""

from collections.abc import Callable, Iterator
from datetime import datetime
from itertools import groupby
from operator import attrgetter
from typing import Any, NamedTuple
from uuid import UUID

from eventsourcing.persistence import StoredEvent
from psycopg import Connection

from ordersaga.reconcile.findings import ReconcileFinding
from ordersaga.reconcile.snapshots import rows
from ordersaga.store.aggregates import snapshot_of
from ordersaga.store.fingerprint import of_all_aggregates
from ordersaga.store.topics import mapper

SNAPSHOTS = """
select s.originator_id, s.originator_version, s.topic, s.state, s.hash, e.hash, coalesce(e.recorded_at, now())
from snapshots s left join stored_events e using (originator_id, originator_version)
where s.fingerprint = any(%(code)s::text[]) and (%(key)s::uuid is null or s.originator_id = %(key)s)
order by s.originator_id, s.originator_version
"""
EVENTS = """
select originator_version, topic, state from stored_events
where originator_id = %(id)s and originator_version <= %(until)s order by originator_version
"""
MAX_SHOWN = 100
"""Characters of a value in a finding."""


class StoredSnapshot(NamedTuple):
    """A snapshot, with the hash and the time of the event of its version, if there is one."""

    originator_id: UUID
    version: int
    topic: str
    state: bytes
    hash: bytes
    event_hash: bytes | None
    recorded_at: datetime

    @property
    def fields(self) -> dict[str, Any]:
        return fields_of(StoredEvent(self.originator_id, self.version, self.topic, self.state))


def compare_snapshots(
    service: str, connection: Connection[Any], key: UUID | None, report: Callable[[ReconcileFinding, datetime], None]
) -> None:
    """Report each snapshot that is not what the events give; snapshots of other code are ignored, as by every load."""
    wanted = {"code": of_all_aggregates(), "key": key}
    found = (StoredSnapshot(*values) for values in rows(connection, SNAPSHOTS, wanted))
    for id_, group in groupby(found, attrgetter("originator_id")):
        of_aggregate = list(group)
        for snapshot, wrong in differences(connection, id_, of_aggregate):
            mend = f"run `ordersaga snapshots drop {service} --aggregate {id_}`"
            detail = f"snapshot {snapshot.version} of {id_}: {wrong}; {mend}"
            report(ReconcileFinding("altered", f"{service}.snapshots", detail, key=str(id_)), snapshot.recorded_at)


def differences(
    connection: Connection[Any], id_: UUID, snapshots: list[StoredSnapshot]
) -> Iterator[tuple[StoredSnapshot, str]]:
    """The snapshots of one aggregate that differ, and in what."""
    states = replayed(connection, id_, {snapshot.version for snapshot in snapshots})
    for snapshot in snapshots:
        if snapshot.hash != snapshot.event_hash:
            yield snapshot, "its hash is not that of the event of its version"
        elif wrong := difference(snapshot, states.get(snapshot.version)):
            yield snapshot, wrong


def replayed(connection: Connection[Any], id_: UUID, versions: set[int]) -> dict[int, dict[str, Any] | str]:
    """Version -> the fields of the aggregate, or the error with which its events end."""
    found: dict[int, dict[str, Any] | str] = {}
    aggregate = None
    try:
        for version, topic, state in rows(connection, EVENTS, {"id": id_, "until": max(versions)}):
            aggregate = mapper.to_domain_event(StoredEvent(id_, version, topic, state)).mutate(aggregate)
            if version in versions:
                found[version] = fields_of(snapshot_of(aggregate))
    except Exception as error:  # noqa: BLE001 - code of the application, which may raise anything
        found |= dict.fromkeys(versions - found.keys(), repr(error))
    return found


def fields_of(stored: StoredEvent) -> dict[str, Any]:
    """The fields of the aggregate in a snapshot."""
    snapshot: Any = mapper.to_domain_event(stored)
    fields: dict[str, Any] = snapshot.state
    return fields


def difference(snapshot: StoredSnapshot, expected: dict[str, Any] | str | None) -> str:
    """What is wrong with the snapshot; empty when nothing is."""
    if not isinstance(expected, dict):
        return f"its events cannot be replayed: {expected or 'they are missing'}"
    try:
        fields = snapshot.fields
    except Exception as error:  # noqa: BLE001 - a row that somebody may have altered
        return f"it cannot be read: {error!r}"
    names = [name for name in sorted({*fields, *expected}) if fields.get(name) != expected.get(name)]
    return ", ".join(
        f"{name} is {shown(fields.get(name))}, the events give {shown(expected.get(name))}" for name in names
    )


def shown(value: object) -> str:
    text = repr(value)
    return text if len(text) <= MAX_SHOWN else f"{text[:MAX_SHOWN]}..."
