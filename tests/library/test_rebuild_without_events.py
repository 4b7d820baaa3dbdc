"""A rebuild keeps the messages that a source announces without an event: no store can give them again."""

from collections.abc import Iterator
from dataclasses import dataclass
from typing import Any, ClassVar
from uuid import uuid4

import psycopg
import pytest
from psycopg.sql import SQL, Identifier

from ordersaga.database.migrate import migrate
from ordersaga.envelope.message import Cause
from ordersaga.readside import event_log
from ordersaga.readside.rebuild.findings import RebuildFinding
from ordersaga.readside.rebuild.progress import RebuildProgress
from ordersaga.readside.rebuild.rebuild import Rebuild
from ordersaga.readside.rebuild.result import RebuildResult
from ordersaga.store.announce import announce
from ordersaga.store.transaction import Transaction, decide
from tests.conftest import AnyServers
from tests.support.counting import GROUP, Counted, Counter, announcements
from tests.support.counting_read_side import TABLE, read_side
from tests.support.databases import Database, Databases

NAME = "kept_without_events"


class CountedElsewhere(Counted):
    """Announced by the service itself, without an event."""

    NAME: ClassVar[str] = "test.counted_elsewhere.v1"
    SOURCE: ClassVar[str] = GROUP


@dataclass
class Kept:
    """A store with two events that are announced, and a read side that has both messages."""

    store: Database
    url: str

    def say(self) -> None:
        """Announce without an event; the read side receives it."""
        with self.store.connect() as connection, connection.transaction():
            message = announce(connection, CountedElsewhere(counter_id=uuid4(), number=7))
        with psycopg.connect(self.url, autocommit=True) as connection, connection.transaction():
            event_log.lock(connection)
            [position] = event_log.append(connection, [message])
            read_side.fold(connection, position, position)

    def rebuild(self, **options: Any) -> tuple[RebuildResult, list[RebuildFinding]]:
        found: list[RebuildFinding] = []
        urls = {GROUP: self.store.owner_url, read_side.name: self.url}
        return Rebuild(read_side, urls, found.append, **{"patience": 0, **options}).run(), found

    def rows(self, query: str) -> list[tuple[Any, ...]]:
        with psycopg.connect(self.url) as connection:
            return connection.execute(query.encode()).fetchall()

    def log(self) -> list[tuple[Any, ...]]:
        return self.rows("select * from event_log order by position")


@pytest.fixture
def kept(servers: AnyServers, database: Databases) -> Iterator[Kept]:
    store = database(GROUP)
    with store.connect() as connection:
        decide(connection, announcements, Cause(uuid4()), count_two)
    with psycopg.connect(servers.postgres.superuser_url(), autocommit=True) as connection:
        connection.execute(SQL("create database {}").format(Identifier(NAME)))
        try:
            kept = Kept(store, servers.postgres.superuser_url(NAME))
            migrate(read_side.schema, kept.url)
            with psycopg.connect(kept.url) as owner:
                owner.execute(TABLE)
            kept.rebuild()
            yield kept
        finally:
            connection.execute(SQL("drop database {} with (force)").format(Identifier(NAME)))


def count_two(transaction: Transaction) -> None:
    counter = Counter(id=uuid4())
    counter.keep(1)
    counter.keep(2)
    transaction.save(counter)


def test_they_stay_where_they_are_and_are_no_finding(kept: Kept, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setitem(announcements.without_events, CountedElsewhere.NAME, CountedElsewhere)
    kept.say()
    before, folded = kept.log(), kept.rows("select * from kept_view order by 1")
    assert len(before) == 3
    result, found = kept.rebuild()
    assert (found, result.left_out) == ([], 0)
    assert (kept.log(), kept.rows("select * from kept_view order by 1")) == (before, folded)


def test_one_that_arrives_during_the_rebuild_stays_too(kept: Kept, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setitem(announcements.without_events, CountedElsewhere.NAME, CountedElsewhere)

    def arrive(progress: RebuildProgress) -> None:
        if (progress.step, progress.done) == ("compare", 1):
            kept.say()

    result, found = kept.rebuild(progress=RebuildProgress(show=arrive))
    assert (found, result.left_out) == ([], 0)
    assert [row[1] for row in kept.log()] == ["test.count_kept.v1"] * 2 + [CountedElsewhere.NAME]
    assert kept.rows("select sum(numbers) from kept_view") == [(3,)]


def test_one_of_a_contract_that_no_source_names_as_such_is_left_out(kept: Kept) -> None:
    kept.say()
    result, found = kept.rebuild()
    assert {(each.kind, each.table) for each in found} == {("unexpected", "event_log"), ("unexpected", "kept_view")}
    assert result.left_out == 1
    assert len(kept.log()) == 2
