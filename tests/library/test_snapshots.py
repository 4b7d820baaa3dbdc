"""An aggregate with a long history is loaded from its newest snapshot, by any process."""

import subprocess
import sys
from uuid import uuid4

from eventsourcing.persistence import StoredEvent

from ordersaga.envelope.message import Cause
from ordersaga.store.aggregates import SNAPSHOT_EVERY
from ordersaga.store.hash_chain import chain
from ordersaga.store.transaction import Transaction, decide
from tests.support.counting import Counter, announcements
from tests.support.databases import Database, Databases

COUNTER = uuid4()
LOAD = """
import sys
import psycopg
from uuid import UUID
import tests.support.counting
from ordersaga.store import aggregates
with psycopg.connect(sys.argv[1]) as connection:
    [history] = aggregates.load(connection, [UUID(sys.argv[2])]).values()
print(history.aggregate.version, sum(history.aggregate.numbers), history.hash.hex())
"""

NEXT = """
select originator_id, originator_version, topic, state, correlation_id, actor, hash
from stored_events where originator_version = %s
"""


def count(store: Database, times: int) -> None:
    with store.connect() as connection:
        for _ in range(times):
            decide(connection, announcements, Cause(uuid4()), count_one)


def count_one(transaction: Transaction) -> None:
    counter = transaction.find(Counter, COUNTER) or Counter(id=COUNTER)
    counter.keep(1)
    transaction.save(counter)


def test_snapshots_are_taken_as_a_history_grows_and_say_the_same_as_it(database: Databases) -> None:
    store = database()
    count(store, 2 * SNAPSHOT_EVERY + 10)
    versions = store.rows("select originator_version from snapshots order by 1")
    assert versions == [(SNAPSHOT_EVERY,), (2 * SNAPSHOT_EVERY,)]
    [(last_hash,)] = store.rows("select hash from stored_events order by originator_version desc limit 1")
    with store.connect() as connection:
        counter = Transaction(connection, announcements, Cause(uuid4())).get(Counter, COUNTER)
    assert (counter.version, sum(counter.numbers)) == (2 * SNAPSHOT_EVERY + 11, 2 * SNAPSHOT_EVERY + 10)
    ran = subprocess.run(
        [sys.executable, "-c", LOAD, store.url, str(COUNTER)], capture_output=True, text=True, check=False
    )
    assert (ran.stdout, ran.stderr) == (f"{counter.version} {sum(counter.numbers)} {last_hash.hex()}\n", "")


def test_the_hash_chain_goes_on_behind_a_snapshot(database: Databases) -> None:
    store = database()
    count(store, SNAPSHOT_EVERY - 1)
    [(snapshot_hash, at)] = store.rows("select hash, originator_version from snapshots")
    assert at == SNAPSHOT_EVERY
    count(store, 1)
    [(id_, version, topic, state, correlation_id, actor, next_hash)] = store.rows(NEXT, [SNAPSHOT_EVERY + 1])
    assert next_hash == chain(
        snapshot_hash, StoredEvent(id_, version, topic, state), Cause(correlation_id, actor=actor)
    )
