"""An aggregate with a long history is loaded from its newest snapshot, by any process."""

import json
import subprocess
import sys
from uuid import uuid4

from eventsourcing.persistence import StoredEvent

from ordersaga.envelope.message import Cause
from ordersaga.runtime.settings import url_variable
from ordersaga.store.aggregates import SNAPSHOT_EVERY
from ordersaga.store.hash_chain import chain
from ordersaga.store.transaction import Transaction, decide
from tests.support.counting import GROUP, Counter, announcements
from tests.support.databases import Database, Databases
from tests.support.ordersaga_command import OrdersagaCommand

COUNTER = uuid4()
LOAD = """
import sys
import psycopg
from uuid import UUID
import tests.support.counting
from ordersaga.store import aggregates
with psycopg.connect(sys.argv[1]) as connection:
    [history] = aggregates.load(connection, [UUID(sys.argv[2])]).values()
print(history.snapshot_version, history.aggregate.version, sum(history.aggregate.numbers), history.hash.hex())
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
    assert (ran.stdout, ran.stderr) == (
        f"{2 * SNAPSHOT_EVERY} {counter.version} {sum(counter.numbers)} {last_hash.hex()}\n",
        "",
    )


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


ALTER = """
update snapshots set state = convert_to(replace(convert_from(state, 'UTF8'), '[1,', '[7,'), 'UTF8') returning 1
"""
OTHER_CODE = """
insert into snapshots select originator_id, 9, topic, state, hash, 'of other code' from snapshots returning 1
"""


def count_at_once(transaction: Transaction) -> None:
    counter = Counter(id=COUNTER)
    for _ in range(SNAPSHOT_EVERY):
        counter.keep(1)
    transaction.save(counter)


def test_a_snapshot_that_is_not_what_the_events_give_is_named_and_dropped(database: Databases) -> None:
    store = database()
    with store.connect() as connection:
        decide(connection, announcements, Cause(uuid4()), count_at_once)
    snapshots = OrdersagaCommand("tests.support.counting", {}, url_variable(GROUP))
    clean = json.loads(snapshots("snapshots", "check", "--json", url=store.owner_url))
    assert clean["services"] == [{"service": GROUP, "used": 1, "ignored": 0, "findings": []}]
    assert clean["without_source"] == []
    store.rows(ALTER)
    store.rows(OTHER_CODE)
    named = snapshots("snapshots", "check", url=store.owner_url, expect=1)
    assert f"snapshot {SNAPSHOT_EVERY + 1} of {COUNTER}: numbers is [7, 1, 1" in named
    assert f"snapshots drop {GROUP} --aggregate {COUNTER}" in named
    [finding] = json.loads(snapshots("reconcile", "--json", url=store.owner_url, expect=1))["findings"]
    assert (finding["kind"], finding["place"], finding["key"]) == ("altered", f"{GROUP}.snapshots", str(COUNTER))
    assert "permission denied" in snapshots("snapshots", "drop", url=store.url, expect=1)
    assert f"{GROUP}: 1 snapshots" in snapshots("snapshots", "drop", "--ignored", url=store.owner_url)
    dropped = snapshots("snapshots", "drop", GROUP, "--aggregate", COUNTER, "--json", url=store.owner_url)
    assert json.loads(dropped) == {"dropped": {GROUP: 1}}
    assert "Clean" in snapshots("reconcile", url=store.owner_url)
