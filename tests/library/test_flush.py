"""A flush writes the same rows whether a table gets one of them, as plain values, or several, as arrays."""

from datetime import UTC, datetime, timedelta
from uuid import UUID, uuid4

import pytest
from eventsourcing.persistence import StoredEvent

from ordersaga.envelope.message import Cause, Message
from ordersaga.store import flush
from ordersaga.store.aggregates import NewEventRow, SnapshotRow
from ordersaga.store.deadline import Deadline
from ordersaga.store.flush import ReceivedRow, Rows, StoredAnswer
from tests.support.databases import Databases

CAUSE = Cause(uuid4(), None, "alice", "00-trace", "")
NOW = datetime(2024, 2, 29, 12, tzinfo=UTC)
HASH = b"\0hash".ljust(32, b"!")

WRITTEN = {
    "inbox": "message_id, contract, source, event_hash",
    "idempotency_keys": "caller, request_hash, status, headers, body, subject",
    "stored_events": "originator_version, topic, state, correlation_id, causation_id, actor, hash",
    "snapshots": "originator_version, topic, state, hash, fingerprint",
    "outbox": "message_id, contract, source, key, sequence, time, event_hash, correlation_id, causation_id, actor, "
    "traceparent, tracestate, body",
    "deadlines": "name, due_at > now() + interval '59 s', correlation_id, causation_id, traceparent, tracestate",
}


def message(id_: UUID) -> Message:
    return Message(id_, "orders.order_placed.v1", "counting", str(id_), 2**40, NOW, HASH, CAUSE, '{"a": "\u00e9"}')


def rows(ids: list[UUID]) -> Rows:
    stored = [StoredEvent(id_, 1, "order.placed", b"\0state") for id_ in ids]
    return Rows(
        events=[NewEventRow(event, CAUSE, HASH) for event in stored],
        messages=[message(id_) for id_ in ids],
        received=[ReceivedRow(message(id_), str(id_)) for id_ in ids],
        answers=[StoredAnswer("alice", str(id_), b"\0", 202, {"Location": "/x"}, "{}", id_) for id_ in ids],
        snapshots=[SnapshotRow(event, HASH, "of some code") for event in stored],
        deadlines=[(Deadline("completion", id_, timedelta(minutes=1)), CAUSE) for id_ in ids],
    )


@pytest.mark.parametrize("number", [1, 3])
def test_every_table_gets_every_row_with_every_value(database: Databases, number: int) -> None:
    fresh, ids = database(), [uuid4() for _ in range(number)]
    with fresh.connect() as connection:
        flush.write(connection, rows(ids))
    found = {table: fresh.rows(f"select {columns} from {table}") for table, columns in WRITTEN.items()}  # noqa: S608
    cause = (CAUSE.correlation_id, None)
    trace = (CAUSE.traceparent, "")
    expected = {
        "inbox": [(id_, "orders.order_placed.v1", "counting", HASH) for id_ in ids],
        "idempotency_keys": [("alice", b"\0", 202, {"Location": "/x"}, "{}", id_) for id_ in ids],
        "stored_events": [(1, "order.placed", b"\0state", *cause, "alice", HASH)] * number,
        "snapshots": [(1, "order.placed", b"\0state", HASH, "of some code")] * number,
        "outbox": [
            (id_, "orders.order_placed.v1", "counting", str(id_), 2**40, NOW, HASH)
            + (*cause, "alice", *trace, '{"a": "\u00e9"}')
            for id_ in ids
        ],
        "deadlines": [("completion", True, *cause, *trace)] * number,
    }
    assert found == expected


def test_what_is_written_is_not_written_again(database: Databases) -> None:
    fresh, written = database(), rows([uuid4(), uuid4()])
    with fresh.connect() as connection:
        flush.write(connection, written)
        flush.write(connection, written)
    assert written == Rows()
