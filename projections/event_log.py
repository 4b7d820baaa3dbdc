"""Write messages into the event log, each once."""

from collections.abc import Sequence
from typing import Any

from psycopg import Connection

from messaging.message import Message

INSERT = """
insert into event_log (message_id, contract, source, key, sequence, time, event_hash,
    correlation_id, causation_id, actor, traceparent, tracestate, body)
select * from unnest(%(id)b::uuid[], %(contract)b::text[], %(source)b::text[], %(key)b::text[],
    %(sequence)b::bigint[], %(time)b::timestamptz[], %(hash)b::bytea[], %(correlation)b::uuid[],
    %(causation)b::uuid[], %(actor)b::text[], %(traceparent)b::text[], %(tracestate)b::text[], %(body)s::jsonb[])
on conflict (message_id) do nothing
returning message_id
"""


def append(connection: Connection[Any], messages: Sequence[Message]) -> int:
    """Log these messages in one statement; returns how many were new."""
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
    return len(connection.execute(INSERT, parameters).fetchall())
