"""The statements of the relay, on the model: each by the text that the product sends to Postgres."""

from collections.abc import Callable, Iterable, Mapping, Sequence
from dataclasses import replace
from datetime import UTC, datetime
from typing import Any

from ordersaga.database import doorbell, locks
from ordersaga.parked import failure_notes
from ordersaga.relay import detached, purge, recent_rows, replication, session, stall, undeliverable, window
from ordersaga.relay.window import Cursor
from tests.simulation.postgres import Backend, snapshot_of
from tests.simulation.rows import DetachedRow, OutboxRow, UndeliverableRow
from tests.simulation.world import current

Rows = list[tuple[Any, ...]]
Statement = Callable[[Backend, Any], Rows]
NO_COLUMNS = (None,) * 15


def keep_alive(_: Backend, __: Any) -> Rows:
    return []


def begin_cursor(backend: Backend, parameters: Sequence[str]) -> Rows:
    if backend.require_free("relay_cursor", lambda _: True):
        backend.insert("relay_cursor", Cursor(parameters[0]))
    return []


def load_cursor(backend: Backend, _: Any) -> Rows:
    [cursor] = backend.rows("relay_cursor")
    return [(cursor.published, cursor.target, cursor.confirmed_position)]


def no_standbys(_: Backend, __: Any) -> Rows:
    return [("",)]


def lost_rows(backend: Backend, parameters: Mapping[str, Any]) -> Rows:
    kept = {(row.position, row.message.id) for row in backend.rows("outbox")}
    published = zip(parameters["positions"], parameters["ids"], strict=True)
    return [(message_id,) for position, message_id in published if (position, message_id) not in kept]


def save_cursor(backend: Backend, parameters: Mapping[str, Any]) -> Rows:
    [version] = backend.versions("relay_cursor")
    moved = Cursor(parameters["published"], parameters["target"], parameters["confirmed"])
    backend.update("relay_cursor", version, moved)
    return []


def look(backend: Backend, parameters: Mapping[str, Any]) -> Rows:
    """The end of the window is the snapshot of the statement, which was taken before the statement wrote anything."""
    target = parameters["until"] or str(backend.postgres.snapshot())
    since, end = snapshot_of(parameters["since"]), snapshot_of(target)
    rows = [row for row in backend.rows("outbox") if not since.sees(row.xid) and end.sees(row.xid)]
    rows.sort()
    positions = [row.position for row in rows]
    page = page_of(rows[: window.PAGE], parameters)
    if not page:
        return [(target, positions, *NO_COLUMNS)]
    return [(target, None if number else positions, *row) for number, row in enumerate(page)]


def save_and_look(backend: Backend, parameters: Mapping[str, Any]) -> Rows:
    found = look(backend, parameters)
    save_cursor(backend, parameters)
    return found


def page_of(rows: Iterable[OutboxRow], parameters: Mapping[str, Any]) -> Rows:
    """As `window.page_of`: as many rows as the budget allows, at least one."""
    page: Rows = []
    left = parameters["budget"]
    for row in rows:
        is_read = row.size <= parameters["largest"]
        left -= row.size if is_read else 0
        if page and left < 0:
            break
        page.append((row.position, row.size, *(row.columns if is_read else (*row.columns[:-1], ""))))
    return page


def outbox_page(backend: Backend, parameters: Mapping[str, Any]) -> Rows:
    wanted = set(parameters["positions"])
    return page_of(sorted(row for row in backend.rows("outbox") if row.position in wanted), parameters)


def undeliverable_rows(backend: Backend) -> list[UndeliverableRow]:
    return sorted(backend.rows("undeliverable"), key=lambda refused: refused.row.position)


def is_due(refused: UndeliverableRow) -> bool:
    at = refused.next_attempt_at
    return refused.kind == "waits" or (at is not None and at <= current().now)


def heads(backend: Backend, _: Any) -> Rows:
    first: dict[str, UndeliverableRow] = {}
    for refused in undeliverable_rows(backend):
        first.setdefault(refused.row.message.key, refused)
    return [(refused.row.position, key, is_due(refused)) for key, refused in first.items()]


def counts(backend: Backend, _: Any) -> Rows:
    numbers: dict[str, int] = {}
    for refused in backend.rows("undeliverable"):
        numbers[refused.kind] = numbers.get(refused.kind, 0) + 1
    return list(numbers.items())


def undeliverable_page(backend: Backend, parameters: Mapping[str, Any]) -> Rows:
    wanted = set(parameters["positions"])
    return page_of((each.row for each in undeliverable_rows(backend) if each.row.position in wanted), parameters)


def record(backend: Backend, parameters: Sequence[Sequence[Any]]) -> Rows:
    """A row is recorded once; so is a message that has two rows."""
    outbox = {row.position: row for row in backend.rows("outbox")}
    kept = {each.row.position for each in backend.rows("undeliverable")}
    ids = {each.row.message.id for each in backend.rows("undeliverable")}
    new: Rows = []
    for position, kind, _ in sorted(zip(*parameters, strict=True)):
        row = outbox.get(position)
        if row and position not in kept and row.message.id not in ids:
            pause = undeliverable.BACKOFF.seconds(1) if kind in undeliverable.RETRIED else None
            next_attempt_at = current().now + pause if pause is not None else None
            refused = UndeliverableRow(row, kind, int(kind != "waits"), next_attempt_at)
            backend.insert("undeliverable", refused)
            new.append((position,))
    return new


def refused_again(backend: Backend, parameters: Mapping[str, Any]) -> Rows:
    for version in backend.versions("undeliverable"):
        refused: UndeliverableRow = version.row
        if refused.row.position == parameters["position"]:
            attempts, kind = refused.attempts + 1, parameters["kind"]
            pause = undeliverable.BACKOFF.seconds(attempts) if kind in undeliverable.RETRIED else None
            at = current().now + pause if pause is not None else None
            backend.update("undeliverable", version, replace(refused, kind=kind, attempts=attempts, next_attempt_at=at))
            return [(attempts,)]
    return []


def delivered(backend: Backend, parameters: Mapping[str, Any]) -> Rows:
    rows = undeliverable_rows(backend)
    for version in backend.versions("undeliverable"):
        if version.row.row.position in parameters["positions"]:
            backend.delete(version)
    following: Rows = []
    for key, position in zip(parameters["keys"], parameters["positions"], strict=True):
        for each in rows:
            if each.row.message.key == key and each.row.position > position:
                following.append((each.row.position, key, is_due(each)))
                break
    return following


def never_sent(backend: Backend, parameters: Sequence[Sequence[int]]) -> Rows:
    never = [row.row for row in undeliverable_rows(backend) if row.kind not in ("nacked", "waits")]
    return [
        (each.row.position,)
        for each in undeliverable_rows(backend)
        if each.row.position in parameters[0]
        and any(first.message.key == each.row.message.key and first.position <= each.row.position for first in never)
    ]


def detached_rows(backend: Backend, _: Any = None) -> list[DetachedRow]:
    return sorted(backend.rows("detached_queues"), key=lambda row: row.queue)


def load_detached(backend: Backend, _: Any) -> Rows:
    return [(row.queue, row.audience, list(row.partitions), row.since) for row in detached_rows(backend)]


def detached_cursor(backend: Backend, parameters: Sequence[str]) -> Rows:
    return [
        (row.cursor.published, row.cursor.target, row.cursor.confirmed_position)
        for row in detached_rows(backend)
        if (row.queue, row.audience) == tuple(parameters)
    ]


def detach(backend: Backend, parameters: Mapping[str, Any]) -> Rows:
    [cursor] = backend.rows("relay_cursor")
    xids = sorted(refused.row.xid for refused in backend.rows("undeliverable"))
    if xids:
        earlier = min(xids[0], snapshot_of(cursor.published).xmin)
        begin = Cursor(f"{earlier}:{earlier}:")
    else:
        begin = cursor
    queue, audience = parameters["queue"], parameters["audience"]
    partitions = tuple(parameters["partitions"])
    if backend.require_free("detached_queues", lambda row: row.queue == queue):
        since = datetime.fromtimestamp(current().now, UTC)
        row = DetachedRow(queue, audience, partitions, begin.published, begin, since)
        backend.insert("detached_queues", row)
        return []
    [version] = [each for each in backend.versions("detached_queues") if each.row.queue == queue]
    if version.row.audience == "others" and audience == "queue":
        both = tuple(sorted({*version.row.partitions, *partitions}))
        backend.update(
            "detached_queues", version, replace(version.row, audience=audience, partitions=both, cursor=begin)
        )
    return []


def change_detached(
    backend: Backend, queue: str, audience: str, change: Callable[[DetachedRow], DetachedRow | None]
) -> Rows:
    for version in backend.versions("detached_queues"):
        if (version.row.queue, version.row.audience) == (queue, audience):
            if (changed := change(version.row)) is None:
                backend.delete(version)
            else:
                backend.update("detached_queues", version, changed)
    return []


def has_all(backend: Backend, parameters: Sequence[str]) -> Rows:
    def change(row: DetachedRow) -> DetachedRow:
        return replace(row, audience="others", cursor=Cursor(row.lacked_from))

    return change_detached(backend, parameters[0], "queue", change)


def attach(backend: Backend, parameters: Sequence[str]) -> Rows:
    return change_detached(backend, parameters[0], "others", lambda _: None)


def move_detached(backend: Backend, parameters: Sequence[Any]) -> Rows:
    published, target, confirmed, queue, audience = parameters
    cursor = Cursor(published, target, confirmed)
    return change_detached(backend, queue, audience, lambda row: replace(row, cursor=cursor))


def passed(backend: Backend, parameters: Sequence[Sequence[Any]]) -> Rows:
    positions, queues = parameters
    outbox = {row.position: row for row in backend.rows("outbox")}
    cursors = [row.cursor for row in detached_rows(backend) if row.queue in queues]
    return [
        (position,) for position in positions if any(has_passed(cursor, outbox.get(position)) for cursor in cursors)
    ]


def has_passed(cursor: Cursor, row: OutboxRow | None) -> bool:
    """Whether everything up to this row is published, by a cursor."""
    if row is None or snapshot_of(cursor.published).sees(row.xid):
        return True
    if cursor.target is None or cursor.confirmed_position is None:
        return False
    return row.position <= cursor.confirmed_position and snapshot_of(cursor.target).sees(row.xid)


def try_lock(backend: Backend, parameters: tuple[int, int]) -> Rows:
    return [(backend.try_lock(parameters),)]


def purge_nothing(_: Backend, __: Any) -> Rows:
    """No row is as old as the retention."""
    return [(0, 0, 0)]


def no_problem(_: Backend, __: Any) -> Rows:
    return [(None,)]


STATEMENTS: dict[str | bytes, Statement] = {
    "": keep_alive,
    window.BEGIN: begin_cursor,
    window.LOAD: load_cursor,
    replication.STANDBYS.encode(): no_standbys,
    recent_rows.LOST: lost_rows,
    window.LOOK: look,
    window.SAVE_AND_LOOK: save_and_look,
    window.SAVE: save_cursor,
    window.ROWS: outbox_page,
    undeliverable.HEADS: heads,
    undeliverable.COUNTS: counts,
    undeliverable.ROWS: undeliverable_page,
    undeliverable.RECORD: record,
    undeliverable.REFUSED_AGAIN: refused_again,
    undeliverable.DELIVERED: delivered,
    undeliverable.NEVER_SENT: never_sent,
    failure_notes.SEEN: keep_alive,
    detached.LOAD: load_detached,
    detached.CURSOR: detached_cursor,
    detached.DETACH: detach,
    detached.HAS_ALL: has_all,
    detached.ATTACH: attach,
    detached.MOVE: move_detached,
    detached.PASSED: passed,
    locks.TRY_LOCK: try_lock,
    doorbell.LISTEN: keep_alive,
    session.SETTINGS: keep_alive,
    purge.PURGE: purge_nothing,
    stall.SAVED: no_problem,
    stall.SAVE: keep_alive,
}
