"""What stands in a database: all of it as text, and whether its hash chains hold."""

from uuid import UUID

import psycopg
from eventsourcing.persistence import StoredEvent
from psycopg.sql import SQL, Identifier

from ordersaga.envelope.message import Cause
from ordersaga.store.hash_chain import GENESIS, chain

TABLES = "select tablename from pg_tables where schemaname = 'public'"
EVENTS = """
select originator_id, originator_version, topic, state, correlation_id, causation_id, actor, hash
from stored_events order by originator_id, originator_version
"""


def everything(url: str) -> str:
    """Every row of every table, bytes as the text that they may be."""
    texts = []
    with psycopg.connect(url) as connection:
        for (table,) in connection.execute(TABLES).fetchall():
            for row in connection.execute(SQL("select * from {}").format(Identifier(table))):
                texts += [value.decode("utf-8", "replace") if isinstance(value, bytes) else str(value) for value in row]
    return "\n".join(texts)


def unbroken_streams(url: str) -> int:
    """How many streams there are; fails unless each event's hash is what the chain makes of it."""
    hashes: dict[UUID, bytes] = {}
    with psycopg.connect(url) as connection:
        for id_, version, topic, state, correlation_id, causation_id, actor, hash_ in connection.execute(EVENTS):
            cause = Cause(correlation_id, causation_id, actor)
            stored = StoredEvent(id_, version, topic, state)
            assert hash_ == chain(hashes.get(id_, GENESIS), stored, cause), f"{id_} is broken at version {version}"
            hashes[id_] = hash_
    return len(hashes)
