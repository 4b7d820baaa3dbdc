"""A new version of an event reads what was stored before it, also below snapshots; the stored event never changes."""

import json
from collections.abc import Iterator
from dataclasses import replace
from functools import partial
from typing import Any
from uuid import UUID, uuid4

from eventsourcing.domain import AggregateCreated, AggregateEvent, BaseAggregate, event
from psycopg import Connection

from ordersaga.envelope.message import Cause
from ordersaga.store import aggregates
from ordersaga.store.aggregates import SNAPSHOT_EVERY, NewEventRow
from ordersaga.store.transaction import Transaction, decide
from tests.support import counting
from tests.support.counting import GROUP
from tests.support.databases import Database, Databases


class Tin(BaseAggregate[UUID]):
    """Is filled by weight, since the second version of its event in grams; it had pounds before."""

    TOPIC = "tin"

    class Event(AggregateEvent):
        """Something that happened to a tin."""

    class Made(Event, AggregateCreated):
        TOPIC = "tin.made"

    class Filled(Event):
        TOPIC = "tin.filled"
        class_version = 2
        grams: int

        @staticmethod
        def upcast_v1_v2(state: dict[str, Any]) -> None:
            state["grams"] = 500 * state.pop("pounds")

    @event(Made)
    def __init__(self, id: UUID) -> None:
        self._id = id
        self.grams = 0

    @event(Filled)
    def fill(self, grams: int) -> None:
        self.grams += grams


def in_pounds(rows: list[NewEventRow]) -> Iterator[NewEventRow]:
    """The events as code of before has recorded them."""
    for row in rows:
        state = json.loads(row.stored.state)
        if state.pop("class_version", 0):
            state["pounds"] = state.pop("grams") // 500
        yield row._replace(stored=replace(row.stored, state=json.dumps(state).encode()))


def test_an_event_of_an_older_version_is_upcast_when_it_is_loaded_and_stays_as_it_is(database: Databases) -> None:
    store = database(GROUP)
    with store.connect() as connection:
        check(store, connection)


def check(store: Database, connection: Connection[Any]) -> None:
    tin = Tin(id=uuid4())
    tin.fill(1500)
    transaction = Transaction(connection, counting.announcements, Cause(uuid4()))
    transaction.save(tin)
    transaction.rows.events[:] = in_pounds(transaction.rows.events)
    transaction.flush()
    before = store.rows("select state from stored_events order by originator_version")
    for _ in range(SNAPSHOT_EVERY):
        decide(connection, counting.announcements, Cause(uuid4()), partial(fill, tin=tin.id))
    [(snapshots,)] = store.rows("select count(*) from snapshots")
    loaded = aggregates.load(connection, [tin.id])[tin.id].aggregate
    assert isinstance(loaded, Tin)
    assert (snapshots, loaded.grams) == (1, 1500 + SNAPSHOT_EVERY)
    assert store.rows("select state from stored_events order by originator_version limit 2") == before
    assert b'"pounds": 3' in before[1][0]


def fill(transaction: Transaction, tin: UUID) -> None:
    found = transaction.get(Tin, tin)
    found.fill(1)
    transaction.save(found)
