"""All who wait for a new version of an aggregate share one look at each ring, and nobody waits longer than asked."""

import time
from collections.abc import Iterator, Sequence
from queue import Empty, Queue
from typing import Any, Protocol
from uuid import UUID, uuid4

import pytest
from psycopg import Connection

from ordersaga.database.doorbell import CHANNEL, Doorbell
from ordersaga.envelope.message import Cause
from ordersaga.runtime.sessions import API
from ordersaga.store import version_watch
from ordersaga.store.aggregates import Row, continued
from ordersaga.store.transaction import Transaction
from ordersaga.store.version_watch import VersionWatch, Waiter
from tests.support.counting import Counter, announcements
from tests.support.databases import Database
from tests.support.wait import until
from tests.support.wire import Traffic, counted

SESSIONS = "select pid from pg_stat_activity where application_name = 'waits'"
END = "select pg_terminate_backend(pid) from pg_stat_activity where application_name = 'waits'"
Woken = Queue[tuple[UUID, int]]


class Begin(Protocol):
    """Waits for a version above one that is known, for some seconds."""

    def __call__(self, id_: UUID, seen: int, seconds: float = 60) -> None: ...


@pytest.fixture
def without_backstop(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(version_watch, "BACKSTOP_SECONDS", 3600)


@pytest.fixture
def wire(outbox: Database) -> Iterator[tuple[VersionWatch, Traffic]]:
    """A watch, and what it asks the database."""
    with counted(outbox.url) as (url, traffic):
        watch = VersionWatch(url, "waits", API)
        yield watch, traffic
        watch.close()


@pytest.fixture
def woken() -> Woken:
    return Queue()


@pytest.fixture
def begin(wire: tuple[VersionWatch, Traffic], woken: Woken) -> Begin:
    def wait(id_: UUID, seen: int, seconds: float = 60) -> None:
        wire[0].wait(Waiter(id_, seen, time.monotonic() + seconds, lambda version, _: woken.put((id_, version))))

    return wait


def transaction_on(connection: Connection[Any]) -> Transaction:
    return Transaction(connection, announcements, Cause(uuid4()))


def opened(outbox: Database, number: int) -> list[UUID]:
    """Counters at version 2."""
    ids = [uuid4() for _ in range(number)]
    with outbox.connect() as connection:
        transaction = transaction_on(connection)
        for id_ in ids:
            counter = Counter(id=id_)
            counter.keep(1)
            transaction.save(counter)
        transaction.flush()
    return ids


def count_on(outbox: Database, *ids: UUID, ring: bool = True) -> None:
    """The next version of each, in one transaction of another session."""
    with outbox.connect() as connection, connection.transaction():
        transaction = transaction_on(connection)
        transaction.load(ids)
        for id_ in ids:
            counter = transaction.get(Counter, id_)
            counter.keep(2)
            transaction.save(counter)
        transaction.flush()
    if ring:
        ring_the_bell(outbox)


def ring_the_bell(outbox: Database) -> None:
    outbox.rows(f"select pg_notify('{CHANNEL}', '')")


@pytest.mark.usefixtures("without_backstop")
def test_fifty_who_wait_share_one_query_at_a_ring_and_the_others_wait_on(
    outbox: Database, wire: tuple[VersionWatch, Traffic], begin: Begin, woken: Woken
) -> None:
    _, traffic = wire
    first, *others = opened(outbox, 50)
    begin(first, 2)
    until(lambda: traffic.statements)
    statements = settled(traffic)
    for each in others:
        begin(each, 2)
    assert settled(traffic) == statements
    count_on(outbox, first, *others[:9])
    assert {woken.get(timeout=20) for _ in range(10)} == {(id_, 3) for id_ in (first, *others[:9])}
    assert settled(traffic) - statements == 1
    count_on(outbox, *others[9:])
    assert {woken.get(timeout=20) for _ in range(40)} == {(id_, 3) for id_ in others[9:]}
    assert settled(traffic) - statements == 2
    ring_the_bell(outbox)
    assert settled(traffic) - statements == 2


def settled(traffic: Traffic) -> int:
    """The statements so far, once a while has passed without one."""
    before = -1
    while traffic.statements != before:
        before = traffic.statements
        time.sleep(0.1)
    return before


@pytest.mark.usefixtures("without_backstop")
def test_a_process_looks_at_no_ring_of_its_own(outbox: Database, woken: Woken) -> None:
    own, [counter] = Doorbell(outbox.url, "own doorbell", API), opened(outbox, 1)
    with counted(outbox.url) as (url, traffic):
        watch = VersionWatch(url, "waits", API, own)
        watch.wait(Waiter(counter, 2, time.monotonic() + 60, lambda version, _: woken.put((counter, version))))
        own.ring()
        until(lambda: own.pid and traffic.statements)
        statements = settled(traffic)
        own.ring()
        assert settled(traffic) == statements
        count_on(outbox, counter)
        assert woken.get(timeout=20) == (counter, 3)
        assert settled(traffic) - statements == 1
        watch.close()
        own.close()


def test_who_waited_gets_the_aggregate_and_need_not_read_it(
    outbox: Database, wire: tuple[VersionWatch, Traffic]
) -> None:
    woken: Queue[tuple[int, Sequence[Row]]] = Queue()
    counters = opened(outbox, 2)
    for id_, seen in ((counters[0], 2), (counters[0], 1), (counters[1], 2)):
        wire[0].wait(Waiter(id_, seen, time.monotonic() + 60, lambda *of_newest: woken.put(of_newest)))
    with outbox.connect() as connection:
        assert [numbers_in(connection, *woken.get(timeout=20))] == [(2, [1])]
        count_on(outbox, counters[0])
        assert numbers_in(connection, *woken.get(timeout=20)) == (3, [1, 2])


def numbers_in(connection: Connection[Any], version: int, rows: Sequence[Row]) -> tuple[int, list[int]]:
    [history] = continued(connection, rows, {}).values()
    counter = history.aggregate
    assert isinstance(counter, Counter)
    assert counter.version == version
    return version, counter.numbers


def test_a_lost_ring_delays_a_waiter_by_one_look_of_the_backstop(outbox: Database, begin: Begin, woken: Woken) -> None:
    [counter] = opened(outbox, 1)
    begin(counter, 2)
    count_on(outbox, counter, ring=False)
    assert woken.get(timeout=20) == (counter, 3)


@pytest.mark.usefixtures("without_backstop")
def test_a_change_from_before_the_wait_is_seen_at_the_next_ring(outbox: Database, begin: Begin, woken: Woken) -> None:
    [counter] = opened(outbox, 1)
    begin(counter, 1)
    ring_the_bell(outbox)
    assert woken.get(timeout=20) == (counter, 2)


def test_a_wait_ends_at_its_time_and_asks_nothing_more(
    outbox: Database, wire: tuple[VersionWatch, Traffic], begin: Begin, woken: Woken
) -> None:
    [counter] = opened(outbox, 1)
    begin(counter, 2, 0.05)
    assert woken.get(timeout=20) == (counter, 0)
    begin(counter, 2, 0)
    assert woken.get(timeout=20) == (counter, 0)
    assert settled(wire[1]) == settled(wire[1])


@pytest.mark.usefixtures("without_backstop")
def test_a_watch_whose_session_ends_connects_again_and_looks(outbox: Database, begin: Begin, woken: Woken) -> None:
    counter, other = opened(outbox, 2)
    begin(other, 2)
    [(session,)] = until(lambda: outbox.rows(SESSIONS))
    begin(counter, 2)
    count_on(outbox, counter, ring=False)
    outbox.rows(END)
    assert woken.get(timeout=20) == (counter, 3)
    assert outbox.rows(SESSIONS) != [(session,)]
    count_on(outbox, other)
    assert woken.get(timeout=20) == (other, 3)


def test_while_the_database_is_away_a_wait_ends_at_its_time(woken: Woken) -> None:
    watch, id_ = VersionWatch("postgresql://nobody@127.0.0.1:1/nothing", "waits", API), uuid4()
    watch.wait(Waiter(id_, 1, time.monotonic() + 0.3, lambda version, _: woken.put((id_, version))))
    with pytest.raises(Empty):
        woken.get(timeout=0.05)
    assert woken.get(timeout=20) == (id_, 0)
    watch.close()
