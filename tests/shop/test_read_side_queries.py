"""What the read side answers, page by page and figure by figure, at a cost that does not grow with its tables."""

from collections.abc import Callable, Iterator
from contextlib import suppress
from datetime import timedelta
from typing import Any, ClassVar, Self
from uuid import UUID

import psycopg
import pytest
from psycopg import Connection

from ordersaga.readside import events, short_ids
from ordersaga.readside.events import EventFilter
from projections.dashboard.components.orders import shown_state
from projections.monitor.minutes import NAMES
from projections.queries import alarms, figures, history, notes, payments, product, sagas, search, stock, timeline
from projections.queries.sagas import Saga, SagaFilter
from tests.shop.support.read_side import fill, filled
from tests.support.databases import Database, Databases

ORDERS = 10_000
GROWING = ("event_log", "saga_view", "payment_view", "refund_view", "alarms", "figure_minutes")
RECORDED = """
insert into figure_minutes select figure, minute, '', 1 from unnest(%s::text[]) as figure,
    generate_series(now() - interval '30 days', now(), '15 minutes') as minute;
"""
ALARMED = """
insert into alarms (name, subject, severity, text, address, raised_at, cleared_at)
select 'process_down', n::text, 'critical', '', '', at, case when n > 3 then at end
from generate_series(1, 3000) as n, lateral (select now() - n * interval '1 minute') as raised (at)
"""
COMES_IN = """
insert into saga_view (order_id, placed_at, last_at, messages) values (gen_random_uuid(), now(), now(), 1)
"""


@pytest.fixture(scope="module")
def database(databases: Databases) -> Database:
    found = filled(databases("projections"), ORDERS)
    with psycopg.connect(found.owner_url, autocommit=True) as owner:
        owner.execute(RECORDED, [list(NAMES)])
        owner.execute(ALARMED)
        owner.execute("analyze figure_minutes, alarms")
    return found


@pytest.fixture
def connection(database: Database) -> Iterator[Connection[Any]]:
    """With the rights of the role `projections`."""
    with database.connect() as connection:
        yield connection


def order(number: int) -> UUID:
    return UUID(f"{number:08x}-0000-7000-8000-{0:012x}")


def message(number: int, step: int) -> UUID:
    return UUID(f"{number:08x}-0000-7000-8000-{step:012x}")


def test_pages_of_orders_are_complete_and_without_repeats_while_orders_come_in(databases: Databases) -> None:
    database = filled(databases("projections"), 300)
    with database.connect() as reader, psycopg.connect(database.owner_url, autocommit=True) as writer:
        before = {row[0] for row in writer.execute("select order_id from saga_view")}
        seen, place = [], None
        while found := sagas.page(reader, limit=70, behind=place):
            seen += [saga.order_id for saga in found]
            place = sagas.SagaCursor(found[-1].placed_at, found[-1].order_id)  # type: ignore[arg-type]
            writer.execute(COMES_IN)
    assert len(seen) == len(set(seen))
    assert set(seen) == before


def test_pages_of_events_are_complete_and_without_repeats_in_both_orders(connection: Connection[Any]) -> None:
    first = events.page(connection, limit=1)[0]
    for wanted in (EventFilter(key=str(order(10))), EventFilter(key=str(order(10)), until=first.time)):
        seen: list[events.LoggedEvent] = []
        while found := events.page(connection, wanted, 3, place_of(seen)):
            seen += found
        assert [event.sequence for event in seen] == [8, 7, 6, 5, 4, 3, 2, 1]


def place_of(seen: list[events.LoggedEvent]) -> events.LogCursor | None:
    return events.LogCursor(seen[-1].time, seen[-1].position) if seen else None


def test_every_filter_of_orders_holds_for_every_order_found(connection: Connection[Any]) -> None:
    middle = sagas.fetch_one(connection, order(ORDERS // 2))
    assert middle
    assert middle.placed_at
    checks: list[tuple[SagaFilter, Callable[[Saga], bool]]] = [
        (SagaFilter(state="cancelled"), lambda saga: saga.cancelled_at is not None),
        (SagaFilter(state="confirmed"), lambda saga: saga.confirmed_at is not None and saga.cancelled_at is None),
        (SagaFilter(state="placed"), lambda saga: saga.ended_at is None),
        (SagaFilter(waits_for="payment"), lambda saga: saga.reserved_at is not None and saga.captured_at is None),
        (SagaFilter(overdue=False), lambda saga: not saga.overdue),
        (SagaFilter(customer="customer-7"), lambda saga: saga.customer == "customer-7"),
        (SagaFilter(since=middle.placed_at), lambda saga: saga.placed_at >= middle.placed_at),  # type: ignore[operator]
        (SagaFilter(until=middle.placed_at), lambda saga: saga.placed_at < middle.placed_at),  # type: ignore[operator]
        (SagaFilter(state="cancelled", customer="customer-1"), lambda saga: saga.rejection == "out_of_stock"),
    ]
    for wanted, holds in checks:
        found = sagas.page(connection, wanted)
        assert found, wanted
        assert all(holds(saga) for saga in found), wanted


def test_every_filter_of_events_holds_for_every_event_found(connection: Connection[Any]) -> None:
    one = events.fetch_one(connection, message(77, 3))
    assert one
    for name in ("contract", "key", "source", "actor", "correlation_id"):
        found = events.page(connection, EventFilter(**{name: getattr(one, name)}))
        assert found
        assert {getattr(event, name) for event in found} == {getattr(one, name)}
    mine = EventFilter(actor="customer-7", contract="orders.order_placed.v1")
    first = events.page(connection, mine, 60)
    assert events.page(connection, mine, 60, place_of(first[:25])) == first[25:] + events.page(
        connection, mine, 25, place_of(first)
    )
    assert {(event.actor, event.contract) for event in first} == {(mine.actor, mine.contract)}
    assert events.page(connection, mine._replace(actor="order_service")) == []
    narrow = EventFilter(since=one.time, until=one.time + timedelta(microseconds=1))
    assert one in events.page(connection, narrow)
    assert {event.time for event in events.page(connection, narrow)} == {one.time}


def test_an_overdue_order_is_found_and_marked(databases: Databases) -> None:
    database = filled(databases("projections"), 200)
    with psycopg.connect(database.owner_url, autocommit=True) as connection:
        late = sagas.page(connection, SagaFilter(waits_for="stock"))[0]
        connection.execute("update saga_view set complete_by = now() where order_id = %s", [late.order_id])
        found = sagas.page(connection, SagaFilter(overdue=True))
    assert [(saga.order_id, saga.overdue) for saga in found] == [(late.order_id, True)]


def test_a_lost_order_is_found_until_a_person_notes_what_was_done_about_it(databases: Databases) -> None:
    """After a rebuild nothing but the effects of others is left of an order whose history was lost."""
    with psycopg.connect(databases("projections").owner_url, autocommit=True) as connection:
        insert = "insert into saga_view (order_id, reserved_at, last_at, messages) values (%s, {0}, {0}, 1)"
        for number, ago in ((1, "now() - interval '1 hour'"), (2, "now()")):
            connection.execute(insert.format(ago).encode(), [order(number)])
        connection.execute(COMES_IN)
        assert alarms.lost(connection) == [order(1)]
        saga = sagas.fetch_one(connection, order(1))
        assert saga
        assert shown_state(saga)[:2] == ("Placed, not known to orders", "bad")
        notes.add(connection, order(1), "ada", "The customer has the money back.")
        assert alarms.lost(connection) == []
        connection.execute("update order_notes set noted_at = noted_at - interval '2 hours'")
        assert alarms.lost(connection) == [order(1)], "somebody has acted on it since the note"


def test_unfinished_orders_come_oldest_waiting_first_with_what_is_usual(connection: Connection[Any]) -> None:
    waiting = sagas.unfinished(connection)
    assert len(waiting) == 10
    assert waiting == sorted(waiting, key=lambda saga: (saga.waits_since, saga.order_id))
    assert all(saga.waited_seconds and saga.waited_seconds > 0 for saga in waiting)
    some = sagas.unfinished(connection, 4)
    place = sagas.SagaCursor(some[-1].waits_since, some[-1].order_id)  # type: ignore[arg-type]
    rest = sagas.unfinished(connection, 50, place)
    assert [saga.order_id for saga in some + rest] == [saga.order_id for saga in waiting]
    usual = sagas.usual_waits(connection)
    assert {name: (row.median, row.p95) for name, row in usual.items()} == dict.fromkeys(
        ("stock", "payment", "confirmation", "cancellation", "shipment", "release"), (1.0, 1.0)
    ) | {"refund": (2.0, 2.0)}


def test_the_figures_are_those_that_counting_gives(connection: Connection[Any]) -> None:
    now = figures.figures(connection)
    counted = dict(connection.execute("select state, count(*) from saga_view group by state").fetchall())
    ended = "select state, count(*) from saga_view where ended_at is not null group by state"
    both = dict(connection.execute(ended).fetchall())
    waiting = "select waits_for, count(*) from saga_view where waits_for is not null group by waits_for"
    assert {state: getattr(now.counts, state) for state in counted} == counted
    assert (now.counts.confirmed_ended, now.counts.cancelled_ended) == (both["confirmed"], both["cancelled"])
    assert now.counts.waiting == dict(connection.execute(waiting).fetchall())
    assert now.counts.unfinished == sum(now.counts.waiting.values())
    assert now.share_confirmed == both["confirmed"] / (both["confirmed"] + both["cancelled"])
    assert len(now.minutes) == 60
    assert {minute.placed for minute in now.minutes[1:-3]} == {60}
    assert now.oldest_unfinished
    assert {row.state: row.median for row in now.durations} == {"confirmed": 4.0, "cancelled": 4.0}


def test_figures_of_an_empty_read_side_are_none_and_nought(databases: Databases) -> None:
    with databases("projections").connect() as connection:
        now = figures.figures(connection)
    assert (now.share_confirmed, now.oldest_unfinished, now.durations) == (None, None, [])
    assert now.counts.model_dump(exclude={"waiting"}) == dict.fromkeys(
        figures.Counts.model_fields.keys() - {"waiting"}, 0
    )


@pytest.mark.parametrize(
    ("number", "states"),
    [
        (3, ["done", "done", "done", "done"]),
        (1, ["compensated", "failed", "not_reached", "not_reached"]),
        (2, ["compensated", "compensated", "failed", "not_reached"]),
        (10, ["compensated", "compensated", "compensated", "compensated"]),
    ],
)
def test_a_timeline_shows_how_far_an_order_came_and_what_was_compensated(
    connection: Connection[Any], number: int, states: list[str]
) -> None:
    saga = sagas.fetch_one(connection, order(number))
    assert saga
    found = timeline.of_saga(connection, saga)
    assert [step.state for step in found.steps] == states
    assert [event.sequence for event in found.entries] == list(range(1, len(found.entries) + 1))
    assert found.entries[0].since_cause is None
    assert found.entries[1].since_cause == 1.0
    assert found.edges[0] == timeline.Edge(cause=message(number, 1), effect=message(number, 2))
    assert (found.payment is None) == (number == 1)


def test_the_timeline_of_an_unfinished_order_shows_what_it_waits_for(connection: Connection[Any]) -> None:
    found = timeline.of_saga(connection, sagas.page(connection, SagaFilter(waits_for="payment"))[0])
    assert [step.state for step in found.steps] == ["done", "done", "in_progress", "not_reached"]
    assert found.usual
    assert found.usual.median == 1.0


def test_causes_and_effects_are_followed_both_ways(connection: Connection[Any]) -> None:
    linked = events.linked(connection, message(10, 2))
    assert [(event.sequence, event.distance) for event in linked] == [(1, -1), (2, 0), (3, 1), (4, 2), (5, 3)]


def test_what_is_searched_for_is_found_by_its_id_or_the_beginning_of_it_or_its_name(
    connection: Connection[Any],
) -> None:
    def found(text: str) -> set[tuple[str, str]]:
        return {(each.kind, each.id) for each in search.search(connection, text)}

    assert found(str(order(77))) == {("order", str(order(77)))}
    assert found(str(message(77, 2)).upper()) == {("message", str(message(77, 2)))}
    assert found(str(message(77, 99))) == {("correlation", str(message(77, 99)))}
    assert {kind for kind, _ in found("0000004d-0000")} == {"order", "message", "correlation"}
    assert found(" customer-5 ") == {("customer", "customer-5")}
    assert found("tea") == {("product", "tea")}
    assert found("ch_77") == {("charge", "ch_77")}
    assert found("re_1") == {("refund", "re_1")}
    assert found("00") == found("") == found("100%") == set()


def test_an_order_is_found_by_the_digits_that_pages_show_and_an_ambiguous_short_id_names_the_candidates(
    databases: Databases,
) -> None:
    ids = [UUID(f"019abcde-0000-7000-8000-{ending}") for ending in ("00001234abcd", "00005678abcd")]
    with psycopg.connect(databases("projections").owner_url, autocommit=True) as connection:
        fill(connection, 20)
        for number, id_ in enumerate(ids, 3):
            rename(connection, order(number), id_)
        hits = search.search(connection, short_ids.short(ids[0]).upper())
        assert [(hit.kind, hit.id) for hit in hits] == [("order", str(ids[0]))]
        for digits in (short_ids.short(ids[1]), "8000-00005678abcd".replace("-", ""), ids[1].hex):
            assert search.order_with(connection, digits) == ids[1]
        assert search.order_with(connection, "1234abcd", "customer-4") is None
        assert search.order_with(connection, "abcd", "customer-3") == ids[0]
        assert search.order_with(connection, "beef") is None
        for digits in ("abcd", "019abcde"):
            with pytest.raises(search.AmbiguousId) as refused:
                search.order_with(connection, digits)
            assert refused.value.candidates == ids
        assert search.message_with(connection, "0000000300007000800000000000000" + "2") == message(3, 2)
        assert search.message_with(connection, "0000000300007000800000000000ffff") is not None
        assert search.message_with(connection, "0beef") is None


def rename(connection: Connection[Any], before: UUID, after: UUID) -> None:
    connection.execute("update event_log set key = %s where key = %s", (str(after), str(before)))
    connection.execute("update saga_view set order_id = %s where order_id = %s", (after, before))


def test_products_and_payments_come_page_by_page(connection: Connection[Any]) -> None:
    assert [product.sku for product in stock.page(connection)] == ["tea"]
    assert stock.page(connection, behind="tea") == []
    first = payments.page(connection, "declined", 5)
    place = payments.PaymentCursor(first[-1].last_at, first[-1].order_id)
    second = payments.page(connection, "declined", 5, place)
    assert {payment.state for payment in first + second} == {"declined"}
    assert len({payment.order_id for payment in first + second}) == 10


def test_a_product_shows_the_orders_that_hold_it_and_its_history(connection: Connection[Any]) -> None:
    found = product.fetch_one(connection, "tea")
    assert found
    held = [saga for saga in sagas.unfinished(connection) if saga.reserved_at]
    assert [holding.order_id for holding in found.holdings] == [saga.order_id for saga in held]
    assert {holding.quantity for holding in found.holdings} == {1}
    assert found.stock.set_aside == len(held)
    assert found.history == []
    assert product.fetch_one(connection, "unknown") is None
    assert [row.sku for row in stock.page(connection, first="t")] == ["tea"]
    assert stock.page(connection, first="u") == []


def all_queries(connection: Connection[Any]) -> None:
    """Each with every shape of its statement."""
    saga, event, payment = sagas.page(connection)[9], events.page(connection)[9], payments.page(connection)[9]
    assert saga.placed_at
    place = sagas.SagaCursor(saga.placed_at, saga.order_id)
    for wanted in (
        SagaFilter(),
        SagaFilter(state="placed"),
        SagaFilter(state="cancelled", customer="customer-1"),
        SagaFilter(waits_for="payment"),
        SagaFilter(overdue=True),
        SagaFilter(customer="customer-1"),
        SagaFilter(since=saga.placed_at - timedelta(hours=3), until=saga.placed_at - timedelta(hours=2)),
    ):
        sagas.page(connection, wanted)
        sagas.page(connection, wanted, behind=place)
    for name in ("contract", "key", "source", "actor", "correlation_id"):
        for behind in (None, events.LogCursor(event.time, event.position)):
            events.page(connection, EventFilter(**{name: getattr(event, name)}), behind=behind)
        events.after(connection, event.position, EventFilter(**{name: getattr(event, name)}))
    events.page(connection, EventFilter(actor=event.actor, contract=event.contract))
    window = EventFilter(since=event.time - timedelta(hours=3), until=event.time - timedelta(hours=2))
    events.page(connection, window)
    events.page(connection, window, behind=events.LogCursor(event.time - timedelta(hours=2.5), 1))
    events.page(connection)
    events.after(connection, event.position)
    events.head(connection)
    events.linked(connection, event.message_id)
    payments.page(connection)
    payments.page(connection, "refund_failed")
    payments.fetch_one(connection, payment.order_id)
    payments.page(connection, "declined", behind=payments.PaymentCursor(payment.last_at, payment.order_id))
    sagas.unfinished(connection)
    sagas.unfinished(connection, behind=place)
    timeline.of_saga(connection, sagas.unfinished(connection)[0])
    timeline.of_saga(connection, saga)
    figures.figures(connection)
    for span in history.SPANS.values():
        history.figures(connection, span, NAMES)
        history.traffic(connection, span)
    history.summarise(connection, NAMES)
    history.trim(connection, NAMES)
    alarms.overdue(connection)
    alarms.lost(connection)
    alarms.standing(connection)
    alarms.ended(connection, behind=alarms.AlarmCursor(saga.placed_at, 1))
    alarms.ended(connection)
    product.fetch_one(connection, "tea")
    for text in (str(saga.order_id), "0000004d", "abcd1234", "customer-1", "ch_7"):
        search.search(connection, text)
    for digits in ("0000004d0000", "abcd1234", "00000000beef"):
        for find in (search.order_with, search.message_with):
            with suppress(search.AmbiguousId):
                find(connection, digits)


class ExplainingCursor(psycopg.Cursor[Any]):
    """Keeps the plan of every statement that it executes."""

    plans: ClassVar[list[tuple[str, dict[str, Any]]]] = []

    def execute(self, query: Any, params: Any = None, **options: Any) -> Self:
        text = query if isinstance(query, str) else query.as_string()
        with psycopg.Cursor(self.connection) as cursor:
            [(plan,)] = cursor.execute(f"explain (format json) {text}".encode(), params).fetchall()
        self.plans.append((text, plan[0]["Plan"]))
        return super().execute(query, params, **options)


def test_no_query_reads_through_a_big_table(database: Database) -> None:
    ExplainingCursor.plans.clear()
    with psycopg.connect(database.owner_url, autocommit=True) as owner:
        owner.execute(PARTS)
        owner.execute("analyze refund_view")
    with database.connect(cursor_factory=ExplainingCursor) as connection:
        all_queries(connection)
    assert len(ExplainingCursor.plans) > 40
    read_through = [text for text, plan in ExplainingCursor.plans if any(reads_through(node) for node in nodes(plan))]
    assert read_through == []


PARTS = """
insert into refund_view (order_id, part, amount, requested_at, failed_at, last_at)
select order_id, 1, 1, now(), case when number % 500 = 0 then now() end, now()
from (select order_id, row_number() over () as number from payment_view) as payments
union all select gen_random_uuid(), 1, 1, now(), null, now() from generate_series(1, 3000)
"""


def nodes(node: dict[str, Any]) -> Iterator[dict[str, Any]]:
    yield node
    for child in node.get("Plans", []):
        yield from nodes(child)


def reads_through(node: dict[str, Any]) -> bool:
    """A scan of a table that grows, from its beginning to its end."""
    return node["Node Type"] == "Seq Scan" and node["Relation Name"] in GROWING
