"""Write messages into the event log, each once, in an order that everybody sees alike."""

from collections.abc import Sequence
from typing import Any

from psycopg import Connection

from messaging.locks import EVENT_LOG
from messaging.message import Message

LOCK = "select pg_advisory_xact_lock(%s, %s)"


def lock(connection: Connection[Any]) -> None:
    """Be the only writer of the log and its views until the transaction ends.

    So positions become visible in their order: who reads behind a position misses nothing that commits late. And
    batches that meet on a product or a minute wait here, instead of for one another in a deadlock.
    """
    connection.execute(LOCK, EVENT_LOG)


INSERT = """
insert into event_log (message_id, contract, source, key, sequence, time, event_hash,
    correlation_id, causation_id, actor, traceparent, tracestate, body)
select * from unnest(%(id)b::uuid[], %(contract)b::text[], %(source)b::text[], %(key)b::text[],
    %(sequence)b::bigint[], %(time)b::timestamptz[], %(hash)b::bytea[], %(correlation)b::uuid[],
    %(causation)b::uuid[], %(actor)b::text[], %(traceparent)b::text[], %(tracestate)b::text[], %(body)s::jsonb[])
on conflict (message_id) do nothing
returning position
"""


def append(connection: Connection[Any], messages: Sequence[Message]) -> list[int]:
    """Log these messages in one statement; returns the positions of those that were new."""
    parameters = {
        "id": [m.id for m in messages],
        "contract": [m.contract for m in messages],
        "source": [m.source for m in messages],
        "key": [m.key for m in messages],
        "sequence": [m.sequence for m in messages],
        "time": [m.time for m in messages],
        "hash": [m.event_hash for m in messages],
        "correlation": [m.cause.correlation_id for m in messages],
        "causation": [m.cause.causation_id for m in messages],
        "actor": [m.cause.actor for m in messages],
        "traceparent": [m.cause.traceparent for m in messages],
        "tracestate": [m.cause.tracestate for m in messages],
        "body": [m.body for m in messages],
    }
    return [position for (position,) in connection.execute(INSERT, parameters)]
