"""The list of orders: written by recording alone, the same for orders of before, at a cost that does not grow."""

from concurrent.futures import ThreadPoolExecutor
from datetime import UTC, datetime, timedelta
from uuid import UUID, uuid4

import psycopg
import pytest
from psycopg.errors import InsufficientPrivilege

from order_service import commands, order_list
from order_service.announcements import announcements
from order_service.commands import UnpricedLine
from order_service.order import Order
from order_service.order_list import ListedOrder, OrderFilter
from order_service.service import order_service
from ordersaga.database.migrate import migrate
from ordersaga.envelope.message import Cause
from ordersaga.runtime.sessions import API, connect
from ordersaga.store.transaction import Transaction, decide
from tests.support.databases import Database, Databases
from tests.support.plans import plan_of, rows_read
from tests.support.wait import until
from tests.support.wire import counted

LISTED = "select customer, state, placed_at from order_list order by placed_at"
UNDONE = """
drop trigger stored_events_list_order on stored_events;
drop function list_order;
drop table order_list, order_service_version
"""
MANY = """
insert into order_list
select gen_random_uuid(), 'customer-' || n % 50,
    case n / 50 % 10 when 0 then 'placed' when 1 then 'cancelled' else 'confirmed' end, now() - n * interval '1 second'
from generate_series(1, 20000) as n
"""


@pytest.fixture
def shop(database: Databases) -> Database:
    """With three orders: placed, cancelled, and cancelled after its confirmation."""
    shop = database("order_service")
    with shop.connect() as connection:
        decide(connection, announcements, Cause(uuid4()), lambda t: commands.put_product(t, "tea", "Tea", 890, "EUR"))
        ids = [place(connection) for _ in range(3)]
        decide(connection, announcements, Cause(uuid4()), lambda t: commands.cancel_order(t, ids[1], "no"))
        decide(connection, announcements, Cause(uuid4()), lambda t: confirm(t, ids[2]))
        decide(connection, announcements, Cause(uuid4()), lambda t: commands.cancel_order(t, ids[2], "no"))
    return shop


def place(connection: psycopg.Connection[object]) -> UUID:
    lines, minute = [UnpricedLine("tea", 2)], timedelta(minutes=1)
    return decide(
        connection,
        announcements,
        Cause(uuid4()),
        lambda t: commands.place_order(t, uuid4(), "Zoë", lines, "pm_card_visa", minute),
    ).id


def confirm(transaction: Transaction, order_id: UUID) -> None:
    order = transaction.get(Order, order_id)
    order.confirm("ch_1")
    commands.save_ended(transaction, order)


@pytest.fixture
def earlier(shop: Database) -> Database:
    """As the version before the list left it."""
    with psycopg.connect(shop.owner_url, autocommit=True) as owner:
        owner.execute(UNDONE)
    return shop


def test_orders_that_were_placed_before_the_upgrade_are_listed(earlier: Database) -> None:
    migrate(order_service.schema, earlier.owner_url)
    states = [("Zoë", "placed"), ("Zoë", "cancelled"), ("Zoë", "cancelled")]
    placed = "select (convert_from(state, 'UTF8')::json -> 'timestamp' ->> '_data_')::timestamptz from stored_events"
    times = earlier.rows(f"{placed} where topic = 'order.placed' order by position")
    assert earlier.rows(LISTED) == [(*state, *time) for state, time in zip(states, times, strict=True)]


def test_orders_that_change_during_the_upgrade_are_listed_as_they_end(earlier: Database) -> None:
    [(order_id,)] = earlier.rows("select originator_id from stored_events where topic = 'order.placed' limit 1")
    waits = "select count(*) from pg_stat_activity where datname = %s and wait_event_type = 'Lock'"
    with ThreadPoolExecutor(1) as thread, earlier.connect() as connection:
        with connection.transaction():
            decide(connection, announcements, Cause(uuid4()), lambda t: commands.cancel_order(t, order_id, "no"))
            late = place(connection)
            upgrading = thread.submit(migrate, order_service.schema, earlier.owner_url)
            until(lambda: earlier.rows(waits, [earlier.name]) == [(1,)])
        upgrading.result()
    states = dict(earlier.rows("select order_id, state from order_list"))
    assert (len(states), states[order_id], states[late]) == (4, "cancelled", "placed")


@pytest.mark.parametrize(
    "change",
    ["delete from order_list", "update order_list set customer = ''", "insert into order_list (state) values ('')"],
)
def test_the_service_cannot_write_into_the_list_but_by_recording_an_event(shop: Database, change: str) -> None:
    with shop.connect() as connection, pytest.raises(InsufficientPrivilege):
        connection.execute(change.encode())


def test_an_order_that_has_left_the_wanted_state_since_the_list_was_read_is_left_out(shop: Database) -> None:
    with shop.connect() as connection:
        transaction = Transaction(connection, announcements, Cause(uuid4()))
        read_before = order_list.page(connection, OrderFilter(), 10)
        assert len(order_list.current(transaction, read_before, OrderFilter())) == 3
        still_placed = order_list.current(transaction, read_before, OrderFilter(state="placed"))
        assert [order.state for order in still_placed] == ["placed"]


def test_a_page_is_two_statements_however_many_orders_it_has(shop: Database) -> None:
    with counted(shop.url) as (url, traffic), psycopg.connect(url, autocommit=True) as connection:
        for limit in (1, 3):
            before = traffic.statements
            transaction = Transaction(connection, announcements, Cause(uuid4()))
            found = order_list.page(connection, OrderFilter(), limit)
            assert len(order_list.current(transaction, found, OrderFilter())) == limit
            assert traffic.statements - before == 2


def test_whatever_the_filter_a_page_reads_three_times_its_orders_at_most(shop: Database) -> None:
    with psycopg.connect(shop.owner_url, autocommit=True) as owner:
        owner.execute(MANY)
        owner.execute("analyze order_list")
    now = datetime.now(UTC)
    behind = ListedOrder(now - timedelta(hours=1), uuid4())
    with connect(shop.url, "orders", API) as connection:
        for customer in (None, "customer-3"):
            for state in (None, "placed", "confirmed", "cancelled"):
                wanted = OrderFilter(state, customer, since=now - timedelta(hours=5), until=now)
                statement, values = order_list.query(wanted, 10, behind)
                plan = plan_of(connection, statement.as_string(connection), values)
                assert len(connection.execute(statement, values).fetchall()) == 10
                assert rows_read(plan) <= 30, plan
