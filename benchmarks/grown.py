"""Grown databases: the rows that years of sagas leave, copied in the database from those of a few real ones."""

from typing import Any
from uuid import UUID, uuid4

import psycopg
from psycopg import Connection

from inventory_service.announcements import announcements as inventory_announcements
from inventory_service.commands import receive_stock
from inventory_service.stock import StockItem, stock_item_id
from ordersaga.envelope.message import Cause
from ordersaga.store.transaction import Transaction, decide
from tests.support.databases import Database

STREAM = 150
"""Events of each product's stock in a grown database: one snapshot, and fifty events behind it."""
LATER_ID = "(lpad(to_hex(n), 12, '0') || substr(md5({}::text || n), 13))::uuid"
"""A new id for the n-th copy; like a UUIDv7 it lies behind those of earlier copies."""
OTHER_ID = "md5({}::text || n)::uuid"

COPIED = {
    "stored_events": {"originator_id": LATER_ID},
    "outbox": {"message_id": OTHER_ID},
    "inbox": {"message_id": OTHER_ID},
    "idempotency_keys": {"key": "md5({}::text || n)"},
}
"""Table -> its columns that must be new in each copy."""
KEPT = {"position", "xid", "recorded_at", "received_at", "created_at"}
"""Columns that a copy gets by default."""
COLUMNS = "select column_name from information_schema.columns where table_name = %s and table_schema = 'public'"


def copy_rows(connection: Connection[Any], table: str, copies: int, but: str = "false") -> None:
    """Copy the rows that are there, except those that match `but`, one whole copy after the other."""
    names = [name for (name,) in connection.execute(COLUMNS, (table,)) if name not in KEPT]
    made = [COPIED[table][name].format(name) if name in COPIED[table] else name for name in names]
    connection.execute(
        f"insert into {table} ({', '.join(names)}) select {', '.join(made)} from {table}, "  # noqa: S608
        f"generate_series(1, {copies}) as n where not ({but}) order by n".encode()
    )


def grow(database: Database, events: int, but: str = "false") -> None:
    """Grow a database in which a few sagas have run, to so many events of sagas."""
    with psycopg.connect(database.owner_url, autocommit=True) as connection:
        counted = f"select count(*) from stored_events where not ({but})"  # noqa: S608
        [(of_sagas,)] = connection.execute(counted.encode()).fetchall()
        copies = max(0, events // of_sagas - 1)
        copy_rows(connection, "stored_events", copies, but)
        for table in ("outbox", "inbox", "idempotency_keys"):
            copy_rows(connection, table, copies)


def long_stream(database: Database, sku: str, events: int) -> UUID:
    """The stock of a product with so many events and the snapshots that belong to them, in steps of a saga each."""
    item_id = stock_item_id(sku)

    def supply(transaction: Transaction) -> None:
        receive_stock(transaction, sku, 1_000_000)

    def sell(transaction: Transaction) -> None:
        item = transaction.get(StockItem, item_id)
        for _ in range((events - item.version) // 2):
            item.reserve(order := uuid4(), 1)
            item.ship(order, 1)
            transaction.save(item)

    with database.connect() as connection:
        for step in (supply, sell):
            decide(connection, inventory_announcements, Cause(uuid4(), None, "keeper"), step)
    return item_id


COPY_STREAM = """
insert into {table} ({columns}) select other, {rest} from {table}, unnest(%(others)s::uuid[]) as other
where originator_id = %(id)s order by other, originator_version
"""
OF_STREAM = {
    "stored_events": "originator_version, topic, state, correlation_id, causation_id, actor, hash",
    "snapshots": "originator_version, topic, state, hash, fingerprint",
}


def same_streams(database: Database, id_: UUID, others: list[UUID]) -> None:
    """Give other aggregates the events and snapshots of this one; their hashes are wrong, which no load checks."""
    with psycopg.connect(database.owner_url, autocommit=True) as connection:
        for table, columns in OF_STREAM.items():
            statement = COPY_STREAM.format(table=table, columns=f"originator_id, {columns}", rest=columns)
            connection.execute(statement.encode(), {"others": others, "id": id_})
