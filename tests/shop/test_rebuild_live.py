"""A rebuild while everything goes on: readers never fail, nothing goes backwards, and nothing is missed."""

import threading
from collections.abc import Iterator
from contextlib import contextmanager
from typing import Any
from uuid import uuid4

import psycopg
import pytest
from psycopg.rows import namedtuple_row

from order_service.commands import put_product
from ordersaga.envelope.message import Cause
from ordersaga.parked.operator import Operator
from ordersaga.readside.rebuild import rebuild
from ordersaga.readside.rebuild.one_view import rebuild_view
from ordersaga.readside.rebuild.progress import STEPS, RebuildProgress
from ordersaga.readside.rebuild.rebuild import Rebuild
from ordersaga.readside.rebuild.swap import drop_replaced
from ordersaga.store.transaction import Transaction
from ordersaga.webhooks import collecting, subscriptions
from ordersaga.webhooks.collecting import Feed
from ordersaga.webhooks.destination import Guard
from ordersaga.webhooks.sealing import SecretBox
from ordersaga.webhooks.settings import WebhookSettings
from ordersaga.webhooks.subscriptions import NewSubscription
from projections.service import projections
from tests.shop.support.trading_read_side import ReadSide, trading
from tests.support.databases import Databases
from tests.support.wait import until

POLLED = """
select (select count(*) from event_log) as logged, (select max(position) from event_log) as position,
    (select sum(messages) from saga_view) as told, (select count(*) from saga_view) as sagas,
    (select count(*) from payment_view) as payments, (select sum(received) from stock_view) as received,
    (select sum(messages) from minute_view) as minutes
"""


@pytest.fixture
def side(database: Databases) -> Iterator[ReadSide]:
    with trading(database) as side:
        yield side


class Reader(threading.Thread):
    """Asks without a pause, with statements prepared before, in the role of the read side."""

    def __init__(self, side: ReadSide) -> None:
        super().__init__(daemon=True)
        self.answers: list[Any] = []
        self.error: BaseException | None = None
        self._url = side.database.url
        self._stopping = threading.Event()

    def run(self) -> None:
        try:
            with psycopg.connect(self._url, autocommit=True, row_factory=namedtuple_row) as connection:
                while not self._stopping.is_set():
                    self.answers.append(connection.execute(POLLED, prepare=True).fetchone())
        except BaseException as error:  # noqa: BLE001 - looked at by the test
            self.error = error

    def stop(self) -> None:
        self._stopping.set()
        self.join()


@contextmanager
def reading(side: ReadSide) -> Iterator[Reader]:
    reader = Reader(side)
    reader.start()
    try:
        yield reader
    finally:
        reader.stop()


class Traffic(threading.Thread):
    """Orders come in and the projector hears of them, until it is stopped."""

    def __init__(self, side: ReadSide) -> None:
        super().__init__(daemon=True)
        self.rounds = 0
        self.error: BaseException | None = None
        self._side = side
        self._stopping = threading.Event()

    def run(self) -> None:
        try:
            while not self._stopping.is_set():
                self._side.trade()
                self._side.project()
                self.rounds += 1
        except BaseException as error:  # noqa: BLE001 - looked at by the test
            self.error = error

    def stop(self) -> None:
        self._stopping.set()
        self.join()
        assert self.error is None, self.error
        self._side.project()


def never_backwards(reader: Reader) -> None:
    assert reader.error is None, reader.error
    assert len(reader.answers) > 10
    for before, after in zip(reader.answers, reader.answers[1:], strict=False):
        assert None not in after
        assert all(now >= then for now, then in zip(after, before, strict=True)), (before, after)
        assert after.minutes == after.logged


def test_readers_never_fail_or_go_backwards_while_orders_come_in_and_everything_is_there(side: ReadSide) -> None:
    found: list[Any] = []
    traffic = Traffic(side)
    with reading(side) as reader:
        traffic.start()
        for _ in range(2):
            Rebuild(projections, side.urls, found.append, patience=30).run()
        rebuild_view(projections, side.urls["projections"], "saga_view", found.append)
        traffic.stop()
    never_backwards(reader)
    assert found == []
    assert traffic.rounds > 0
    said = {message.id for party in side.parties.values() for message in party.said_after(0)}
    assert {id_ for (id_,) in side.database.rows("select message_id from event_log")} == said
    assert side.rebuild()[1] == []


@pytest.mark.parametrize("step", ["derive", "fold", "catch up", "swap"])
def test_an_event_that_commits_late_is_not_missed(side: ReadSide, step: str) -> None:
    """It took its position before the rebuild began and commits while a step is under way."""
    orders = side.parties["order_service"].beside()
    late = orders.connection
    late.execute("begin")
    transaction = Transaction(late, orders.announcements, Cause(uuid4()))
    put_product(transaction, sku="late", name="Late", unit_price=1, currency="EUR")
    transaction.flush()
    side.trade()
    side.project()

    def commit(progress: RebuildProgress) -> None:
        if progress.step == step and not late.closed:
            late.execute("commit")
            late.close()
            side.project()

    result = Rebuild(projections, side.urls, print, patience=30, progress=RebuildProgress(show=commit)).run()
    assert result.findings == 0
    assert late.closed
    assert side.database.rows("select name from stock_view where sku = 'late'") == [("Late",)]
    assert len(side.database.rows("select 1 from event_log where key = 'late'")) == 1
    side.project()
    assert side.rebuild()[1] == []


def test_a_message_that_arrives_while_it_is_being_recovered_is_logged_once(side: ReadSide) -> None:
    side.trade()
    [under_way, *rest] = side.unheard()
    side.project(rest)

    def arrive(progress: RebuildProgress) -> None:
        if progress.step == "swap" and not progress.done:
            side.project([under_way])

    result = Rebuild(projections, side.urls, print, patience=0, progress=RebuildProgress(show=arrive)).run()
    assert (result.findings, result.recovered) == (1, 0)
    assert side.rebuild()[1] == []


def test_many_lost_messages_are_counted_once_while_others_arrive(
    side: ReadSide, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr(rebuild, "MAX_RECOVERED_IN_SWAP", 3)
    side.trade()
    lost = side.unheard()

    def trade_on(progress: RebuildProgress) -> None:
        if progress.step == "swap" and not progress.done:
            side.trade()
            side.project([message for message in side.unheard() if message not in lost])

    result = Rebuild(projections, side.urls, print, patience=0, progress=RebuildProgress(show=trade_on)).run()
    assert result.recovered == len(lost) > rebuild.MAX_RECOVERED_IN_SWAP
    assert side.rebuild()[1] == []


def test_webhooks_get_recovered_messages_that_appear_behind_their_position_once(
    side: ReadSide, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr(rebuild, "MAX_RECOVERED_IN_SWAP", 3)
    side.trade()
    lost = side.unheard()
    feed = Feed("projections", projections.known_contracts, "", "")
    with side.database.connect() as connection:
        wanted = NewSubscription("https://hooks.example/", ["*"], from_start=True)
        guard, someone = Guard(WebhookSettings()), Operator("olga", "for the test")
        subscriptions.add(connection, wanted, feed.contracts, guard, SecretBox(""), someone)

        def collect() -> None:
            collecting.collect(connection, subscriptions.statuses(connection), feed)

        def trade_on(progress: RebuildProgress) -> None:
            if progress.step == "swap" and not progress.done:
                side.trade()
                side.project([message for message in side.unheard() if message not in lost])
                collect()

        Rebuild(projections, side.urls, print, patience=0, progress=RebuildProgress(show=trade_on)).run()
        [before] = subscriptions.statuses(connection)
        assert before.position < side.database.rows("select max(position) from event_log")[0][0]
        collect()
        missing = """select message_id from event_log left join webhook_deliveries d using (message_id)
            group by message_id having count(d.id) <> 1"""
        assert connection.execute(missing).fetchall() == []


def test_many_messages_that_all_arrive_just_before_they_are_recovered_are_counted_once(
    side: ReadSide, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr(rebuild, "MAX_RECOVERED_IN_SWAP", 3)
    side.trade()
    under_way = side.unheard()

    def arrive(progress: RebuildProgress) -> None:
        if progress.step == "catch up" and not progress.done:
            side.project(under_way)

    result = Rebuild(projections, side.urls, print, patience=0, progress=RebuildProgress(show=arrive)).run()
    assert (result.findings, result.recovered) == (len(under_way), 0)
    assert side.rebuild()[1] == []


def test_while_a_reader_stays_on_the_tables_nobody_else_waits_for_long_and_the_swap_comes_when_it_has_ended(
    side: ReadSide,
) -> None:
    with side.database.connect() as connection:
        connection.execute("begin")
        connection.execute("select from saga_view")
        rebuilding = threading.Thread(target=side.rebuild)
        rebuilding.start()
        with reading(side) as reader:
            connection.execute("set local lock_timeout = '5s'")
            while not side.database.rows("select 1 from pg_locks where mode = 'AccessExclusiveLock' and not granted"):
                assert rebuilding.is_alive()
            many = len(reader.answers)
            while len(reader.answers) < many + 20:
                assert reader.error is None
            connection.execute("commit")
            rebuilding.join(60)
        assert not rebuilding.is_alive()
    never_backwards(reader)
    assert side.database.rows("select count(*) from rebuilds") == [(1,)]


@pytest.mark.parametrize(("first", "second"), [("saga_view", "stock_view"), ("stock_view", "saga_view")])
def test_a_reader_of_the_replaced_tables_is_let_through_before_they_go(side: ReadSide, first: str, second: str) -> None:
    """A statement planned before the swap locks what was replaced, in an order of its own."""
    side.rebuild(keep=True)
    url = side.database.owner_url
    with psycopg.connect(url) as reader, psycopg.connect(url, autocommit=True) as cleaner:
        reader.execute(f"select from replaced.{first}".encode())
        cleaning = threading.Thread(target=drop_replaced, args=[cleaner])
        cleaning.start()
        waits = "select 1 from pg_locks where pid = %s and not granted"
        for _ in range(5):
            until(lambda: side.database.rows(waits, [cleaner.info.backend_pid]))
            reader.execute(f"select from replaced.{second}".encode())
        reader.commit()
        cleaning.join(60)
    assert side.database.rows("select 1 from pg_namespace where nspname = 'replaced'") == []


def test_steps_are_told_in_their_order(side: ReadSide) -> None:
    seen: list[str] = []
    Rebuild(
        projections, side.urls, print, patience=0, progress=RebuildProgress(show=lambda p: seen.append(p.step))
    ).run()
    assert list(dict.fromkeys(seen)) == list(STEPS)
