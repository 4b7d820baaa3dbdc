"""An aggregate with a long history is loaded from its newest snapshot, by any process."""

import subprocess
import sys
from uuid import uuid4

from eventsourcing.persistence import StoredEvent

from inventory_service.announcements import announcements
from inventory_service.commands import receive_stock
from inventory_service.stock import StockItem, stock_item_id
from ordersaga.envelope.message import Cause
from ordersaga.store.aggregates import SNAPSHOT_EVERY
from ordersaga.store.hash_chain import chain
from ordersaga.store.transaction import Transaction, decide
from tests.support.databases import Database, Databases

LOAD = """
import sys
import psycopg
from uuid import UUID
from inventory_service.stock import StockItem, stock_item_id
from ordersaga.store import aggregates
with psycopg.connect(sys.argv[1]) as connection:
    [history] = aggregates.load(connection, [stock_item_id("cup")]).values()
print(history.aggregate.version, history.aggregate.on_hand, history.hash.hex())
"""

NEXT = """
select originator_id, originator_version, topic, state, correlation_id, actor, hash
from stored_events where originator_version = %s
"""


def receive(store: Database, times: int) -> None:
    with store.connect() as connection:
        for _ in range(times):
            decide(connection, announcements, Cause(uuid4()), lambda transaction: receive_stock(transaction, "cup", 1))


def test_snapshots_are_taken_as_a_history_grows_and_say_the_same_as_it(database: Databases) -> None:
    store = database("inventory_service")
    receive(store, 2 * SNAPSHOT_EVERY + 10)
    versions = store.rows("select originator_version from snapshots order by 1")
    assert versions == [(SNAPSHOT_EVERY,), (2 * SNAPSHOT_EVERY,)]
    [(last_hash,)] = store.rows("select hash from stored_events order by originator_version desc limit 1")
    with store.connect() as connection:
        item = Transaction(connection, announcements, Cause(uuid4())).get(StockItem, stock_item_id("cup"))
    assert (item.version, item.on_hand) == (2 * SNAPSHOT_EVERY + 11, 2 * SNAPSHOT_EVERY + 10)
    ran = subprocess.run([sys.executable, "-c", LOAD, store.url], capture_output=True, text=True, check=False)
    assert (ran.stdout, ran.stderr) == (f"{item.version} {item.on_hand} {last_hash.hex()}\n", "")


def test_the_hash_chain_goes_on_behind_a_snapshot(database: Databases) -> None:
    store = database("inventory_service")
    receive(store, SNAPSHOT_EVERY - 1)
    [(snapshot_hash, at)] = store.rows("select hash, originator_version from snapshots")
    assert at == SNAPSHOT_EVERY
    receive(store, 1)
    [(id_, version, topic, state, correlation_id, actor, next_hash)] = store.rows(NEXT, [SNAPSHOT_EVERY + 1])
    assert next_hash == chain(
        snapshot_hash, StoredEvent(id_, version, topic, state), Cause(correlation_id, actor=actor)
    )
