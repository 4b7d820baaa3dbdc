"""The statements of consumers and retries, on the model: inbox, parked messages, and effects that are recorded."""

from collections.abc import Mapping, Sequence
from dataclasses import dataclass, replace
from datetime import timedelta
from typing import Any
from uuid import UUID

from ordersaga.consumer import gate
from ordersaga.inbox import reactor
from ordersaga.parked import attempts, failure_notes, group_pause, table
from ordersaga.parked.attempts import ParkedMessage
from ordersaga.runtime.errors import AlreadyReceived, ParkedMeanwhile
from tests.simulation.postgres import Backend, Version
from tests.simulation.relay_statements import Rows, Statement, keep_alive
from tests.simulation.world import current

EFFECT = "simulated effect"
"""What a flush does: record the messages as received, with their effects, unless one is, or its key is parked."""


@dataclass(frozen=True, slots=True)
class ParkedRow:
    position: int
    id: UUID
    key: str | None
    contract: str | None
    routing_key: str
    headers: dict[str, Any]
    body: bytes
    state: str
    error: str
    attempts: int
    next_attempt_at: float | None
    tried_at: float | None = None


def effect(backend: Backend, parameters: tuple[Sequence[tuple[UUID, str, bytes]], bool]) -> Rows:
    received, are_parked = parameters
    ids = {id_ for id_, _, _ in received}
    if not backend.require_free("inbox", lambda row: row[0] in ids):
        raise AlreadyReceived("another consumer received one of these messages first")
    if not are_parked and any(row.key in {key for _, key, _ in received} for row in backend.rows("parked")):
        raise ParkedMeanwhile("a message of the same key was parked")
    for id_, key, event_hash in received:
        backend.insert("inbox", (id_, key, event_hash))
        backend.insert("effects", (id_, key))
    return []


def known(backend: Backend, parameters: Sequence[Sequence[UUID]]) -> Rows:
    return [(id_, event_hash) for id_, _, event_hash in backend.rows("inbox") if id_ in parameters[0]]


def parked(backend: Backend) -> list[Version]:
    return sorted(backend.versions("parked"), key=lambda version: version.row.position)


def lock(backend: Backend, parameters: tuple[int, Sequence[int]]) -> Rows:
    space, keys = parameters
    for key in keys:
        backend.lock((space, key))
    return []


def among(backend: Backend, parameters: Sequence[Sequence[str]]) -> Rows:
    keys = {version.row.key for version in parked(backend)}
    return [(key,) for key in parameters[0] if key in keys]


def hashes(backend: Backend, parameters: Sequence[Sequence[UUID]]) -> Rows:
    return [
        (version.row.id, bytes.fromhex(version.row.headers["ce-eventhash"]))
        for version in parked(backend)
        if version.row.id in parameters[0]
    ]


def append(backend: Backend, columns: Sequence[Sequence[Any]]) -> Rows:
    entries = list(zip(*columns, strict=True))
    ids = {entry[0] for entry in entries}
    backend.require_free("parked", lambda row: row.id in ids)
    there = {version.row.id for version in parked(backend)}
    added: Rows = []
    for id_, key, contract, routing_key, headers, body, state, error, _, _, _, tries, pause, _, _ in entries:
        if id_ not in there:
            position = backend.postgres.next_value("parked")
            row = ParkedRow(
                position, id_, key, contract, routing_key, headers.obj, body, state, error, tries, at(pause)
            )
            backend.insert("parked", row)
            added.append((id_,))
    return added


def at(pause: timedelta | None) -> float | None:
    return None if pause is None else current().now + pause.total_seconds()


def claim(backend: Backend, parameters: Mapping[str, Any]) -> list[Any]:
    due = [
        version
        for version in parked(backend)
        if version.row.state == "retrying"
        and version.row.next_attempt_at is not None
        and version.row.next_attempt_at <= current().now
        and (version.row.tried_at is None or parameters["alone"])
        and version.xmax not in backend.postgres.running
    ]
    if not due:
        return []
    version = min(due, key=lambda each: each.row.next_attempt_at)
    row: ParkedRow = version.row
    most = parameters["attempts"]
    if row.error == parameters["suspect"]:
        most = min(most, parameters["deaths"])
    if row.attempts < most:
        lease, now = parameters["lease"].total_seconds(), current().now
        after = replace(row, attempts=row.attempts + 1, next_attempt_at=now + lease, tried_at=now)
    else:
        after = replace(row, state="dead", next_attempt_at=None, tried_at=None)
    backend.update("parked", version, after)
    return [message_of(after, row.tried_at is not None)]


def message_of(row: ParkedRow, was_interrupted: bool = False) -> ParkedMessage:
    about = (row.position, row.id, row.key, row.contract, row.routing_key, row.headers, row.body)
    return ParkedMessage(*about, row.state, row.attempts, row.error, 0, False, was_interrupted)


def followers(backend: Backend, parameters: tuple[str, int, int]) -> list[Any]:
    key, position, limit = parameters
    rows = [version.row for version in parked(backend)]
    return [message_of(row) for row in rows if row.key == key and row.position > position][:limit]


def change(backend: Backend, position: int, tries: int | None, **columns: Any) -> bool:
    """Change one row, if it is still claimed so. Returns whether it is."""
    for version in parked(backend):
        if version.row.position == position and tries in (None, version.row.attempts):
            backend.update("parked", version, replace(version.row, **columns))
            return True
    return False


def count(backend: Backend, parameters: Sequence[Sequence[int]]) -> Rows:
    for version in parked(backend):
        if version.row.position in parameters[0]:
            backend.update("parked", version, replace(version.row, attempts=version.row.attempts + 1))
    return []


def still_claimed(backend: Backend, parameters: Sequence[Sequence[int]]) -> Rows:
    claimed = set(zip(parameters[0], parameters[1], strict=True))
    return [
        (version.row.position,)
        for version in parked(backend)
        if (version.row.position, version.row.attempts) in claimed and version.row.state != "dead"
    ]


def remove(backend: Backend, parameters: Sequence[Sequence[int]]) -> Rows:
    for version in parked(backend):
        if version.row.position in parameters[0]:
            backend.delete(version)
    return []


def release_first(backend: Backend, parameters: Sequence[str]) -> Rows:
    first = next((version for version in parked(backend) if version.row.key == parameters[0]), None)
    if first and first.row.state == "waiting":
        backend.update("parked", first, replace(first.row, state="retrying", next_attempt_at=current().now))
    return []


def postpone(backend: Backend, parameters: Mapping[str, Any]) -> Rows:
    state = "dead" if parameters["pause"] is None else "retrying"
    changes = {"error": parameters["error"], "state": state, "next_attempt_at": at(parameters["pause"])}
    change(backend, parameters["position"], parameters["attempts"], **changes, tried_at=None)
    return []


def release_claims(backend: Backend, parameters: Sequence[Sequence[int]]) -> Rows:
    for position, tries in zip(parameters[0], parameters[1], strict=True):
        for version in parked(backend):
            row = version.row
            if (row.position, row.attempts) == (position, tries):
                due = current().now if row.state == "retrying" else None
                backend.update("parked", version, replace(row, attempts=tries - 1, tried_at=None, next_attempt_at=due))
    return []


def next_due(backend: Backend, _: Any) -> Rows:
    due = [version.row.next_attempt_at for version in parked(backend) if version.row.state == "retrying"]
    times = [time for time in due if time is not None]
    return [(min(times) - current().now if times else None,)]


CONSUMER_STATEMENTS: dict[str | bytes, Statement] = {
    EFFECT: effect,
    "select from inbox, parked_messages, operator_actions limit 0": keep_alive,
    gate.IS_WANTED: lambda *_: [(False,)],
    group_pause.CURRENT: keep_alive,
    reactor.KNOWN: known,
    table.LOCK: lock,
    table.AMONG: among,
    table.HASHES: hashes,
    table.APPEND: append,
    table.FOLLOWED: keep_alive,
    failure_notes.SEEN: keep_alive,
    failure_notes.SETTLE: keep_alive,
    attempts.RELEASE_KNOWN: keep_alive,
    attempts.CLAIM: claim,
    attempts.FOLLOWERS: followers,
    attempts.COUNT: count,
    attempts.STILL_CLAIMED: still_claimed,
    attempts.REMOVE: remove,
    attempts.RELEASE: release_first,
    attempts.POSTPONE: postpone,
    attempts.RELEASE_CLAIMS: release_claims,
    attempts.NEXT_DUE: next_due,
}
