"""The views of the read side: whatever order messages come in, and however they are batched, the rows are the same."""

import json
import random
from collections.abc import Iterator
from dataclasses import replace
from itertools import pairwise
from operator import attrgetter
from typing import Any

import psycopg
import pytest
from hypothesis import HealthCheck, given, settings
from hypothesis import strategies as st
from psycopg import Connection

from contracts import CONTRACTS
from contracts.payments import PaymentRefunded, PaymentRefundedV2
from inventory_service.stock import StockItem, stock_item_id
from order_service.commands import UnpricedLine
from order_service.order import Order
from ordersaga.envelope.message import Message
from ordersaga.envelope.versions import newest
from ordersaga.inbox.look import Look
from ordersaga.store.lazy_transaction import LazyTransaction
from payment_service.payment import Payment
from projections.dashboard.components.orders import shown_state
from projections.dashboard.components.payment import payment
from projections.dashboard.components.steps import compensation
from projections.dashboard.components.stock import change, one, products
from projections.queries import payments, product, sagas, timeline
from projections.service import projections as read_side
from projections.views import VIEWS
from tests.shop.support.saga import Saga
from tests.shop.support.saga_on_postgres import open_shop, parties_on_postgres
from tests.shop.support.trading_read_side import arrived
from tests.support.databases import Database, Databases
from tests.support.party import DatabaseParty

CARDS = ("pm_card_visa", "pm_card_visa", "pm_card_chargeDeclined")
projector = read_side.handler()


@pytest.fixture(scope="module")
def projections(databases: Databases) -> Database:
    return databases("projections")


@pytest.fixture(scope="module")
def saga(databases: Databases) -> Iterator[Saga]:
    """Orders paid, declined, rejected, cancelled on their way, after shipping and too late for their charge, with a
    refund that fails, and one under way."""
    parties = parties_on_postgres(databases)
    yield trade(open_shop(parties))
    for party in parties.values():
        party.close()


def trade(saga: Saga) -> Saga:
    saga.receive_stock("cup", 9)
    for number in range(8):
        saga.place([UnpricedLine("cup", 1), UnpricedLine("pot", number // 6)][: 1 + number // 6], CARDS[number % 3])
    saga.cancel(saga.orders[3])
    saga.settle()
    saga.cancel(saga.orders[0])
    saga.settle()
    charge_late(saga)
    refund_in_vain(saga)
    refund_parts(saga)
    for unit_price in (250, 300):
        saga.price("cup", unit_price)
        saga.retire("pot")
        saga.price("pot", unit_price)
    for quantity in (2, -1):
        saga.correct_stock("cup", quantity)
    saga.retire("pot")
    saga.place([UnpricedLine("cup", 2)], CARDS[0])
    return saga


def charge_late(saga: Saga) -> None:
    """The card is charged while the cancellation of the order is being recorded."""
    key = str(saga.place([UnpricedLine("cup", 1)], CARDS[0]))
    saga.react(saga.arrive(("inventory_service", "order_service", key)))
    saga.cancel(saga.orders[-1])
    saga.arrive(("payment_service", "order_service", key))
    line = saga.arrive(("payment_service", "inventory_service", key))
    saga.asks_early = True
    saga.ask(line, 1)
    saga.asks_early = False
    saga.settle()


def refund_in_vain(saga: Saga) -> None:
    """One refund is pending, fails and is made again; the other one fails after it succeeded."""
    saga.receive_stock("cup", 2)
    again, owed = (
        saga.place([UnpricedLine("cup", 1)], f"pm_sim_refund_{how}") for how in ("pending_failed", "failed_late")
    )
    saga.settle()
    for order_id in (again, owed):
        saga.cancel(order_id)
    saga.settle()
    saga.retry_refund(again)
    saga.settle()
    assert saga.owed() == [owed]


def refund_parts(saga: Saga) -> None:
    """Parts of a confirmed order, and of two that are cancelled afterwards; the first part of the last is refused."""
    saga.receive_stock("cup", 3)
    for card in ("pm_sim_refund_pending", CARDS[0], "pm_sim_disputed"):
        order_id = saga.place([UnpricedLine("cup", 1)], card)
        saga.settle()
        for amount in (30, 20):
            saga.refund_part(order_id, amount)
            saga.settle()
            saga.check_refund(order_id)
            saga.settle()
        if card != "pm_sim_refund_pending":
            saga.cancel(order_id)
            saga.settle()


def announced(saga: Saga) -> list[Message]:
    messages = (party.said_after(0) for party in saga.parties.values() if isinstance(party, DatabaseParty))
    return sorted((message for said in messages for message in said), key=attrgetter("time"))


def connected(database: Database) -> Connection[Any]:
    """With the right to empty the tables."""
    return psycopg.connect(database.owner_url, autocommit=True)


def project(connection: Connection[Any], batches: list[list[Message]]) -> dict[str, list[Any]]:
    """The rows of every view after these batches, and no others, were handled."""
    connection.execute(f"truncate event_log, {', '.join(VIEWS)}")
    for batch in batches:
        with LazyTransaction(connection) as lazy:
            projector.handle(lazy, [arrived(message) for message in batch], Look())
    return {view: connection.execute(f"select * from {view} order by 1, 2").fetchall() for view in VIEWS}  # noqa: S608


def batched(messages: list[Message], chance: random.Random) -> list[list[Message]]:
    cuts = [0, *sorted(chance.sample(range(1, len(messages)), chance.randint(0, 9))), len(messages)]
    return [messages[first:last] for first, last in pairwise(cuts)]


@settings(max_examples=25, deadline=None, suppress_health_check=list(HealthCheck))
@given(chance=st.randoms(use_true_random=False))
def test_every_interleaving_and_every_batching_gives_the_same_rows(
    saga: Saga, projections: Database, chance: random.Random
) -> None:
    messages = announced(saga)
    assert {message.contract for message in messages} == {contract.NAME for contract in newest(CONTRACTS.values())}
    with connected(projections) as connection:
        in_order = project(connection, [messages])
        chance.shuffle(messages)
        assert project(connection, batched(messages, chance)) == in_order


def test_messages_that_come_again_change_nothing(saga: Saga, projections: Database) -> None:
    messages = announced(saga)
    with connected(projections) as connection:
        once = project(connection, [messages])
        assert project(connection, [messages, messages[::-1], messages[:7]]) == once


def test_the_views_say_what_the_services_know(saga: Saga, projections: Database) -> None:
    with connected(projections) as connection:
        project(connection, [announced(saga)])
        states = dict(connection.execute("select order_id, state from saga_view").fetchall())
        stock = connection.execute("select sku, on_hand, set_aside, available from stock_view where received > 0")
        paid = dict(connection.execute("select order_id, state from payment_view").fetchall())
        assert states == {id_: of(saga, Order, "order_service", id_).state for id_ in saga.orders}
        for sku, on_hand, set_aside, available in stock:
            item = of(saga, StockItem, "inventory_service", stock_item_id(sku))
            assert (on_hand, set_aside, available) == (item.on_hand, item.reserved, item.on_hand - item.reserved)
        assert paid[saga.orders[0]] == "refunded"
        assert paid[saga.orders[2]] == "declined"
        assert [id_ for id_, state in paid.items() if state == "refund_failed"] == saga.owed()
        newest = "select refund_id, refund_failure from payment_view where refund_requested_at is not null"
        [(refund_id, failure)] = connection.execute(newest)
        assert (refund_id[-2:], failure) == ("_1", "expired_or_canceled_card")
        sold = connection.execute("select unit_price, retired, corrected from stock_view order by sku").fetchall()
        assert sold == [(100, False, 1), (300, True, 0)]
        assert set(paid) == {id_ for id_, state in states.items() if state == "confirmed"} | declined_or_refunded(paid)


def test_the_parts_of_a_payment_are_shown_as_the_payment_service_knows_them(saga: Saga, projections: Database) -> None:
    with connected(projections) as connection:
        project(connection, [announced(saga)])
        shown = {row.order_id: row for row in payments.page(connection, limit=100)}
        for order_id, row in shown.items():
            payment = of(saga, Payment, "payment_service", order_id)
            assert [(each.part, each.amount, each.state) for each in row.refunds] == [
                (each["number"], each["amount"], each["state"]) for each in payment.parts
            ]
            assert row.back == payment.refunded
            assert all(each.reason for each in row.refunds)
        parts = {tuple(each.state for each in row.refunds) for row in shown.values()}
        assert parts == {(), ("refunded", "refunded"), ("taken_over", "refunded")}
        ended = [row for row in shown.values() if row.refunds and row.state == "refunded"]
        assert [getattr(sagas.fetch_one(connection, row.order_id), "waits_for", "") for row in ended] == [None, None]
        assert saga.owed() == [row.order_id for row in payments.page(connection, "refund_failed")]


def test_a_refund_that_was_told_in_the_first_version_is_one_of_everything(saga: Saga, projections: Database) -> None:
    messages = announced(saga)
    [told, *_] = [message for message in messages if message.contract == PaymentRefundedV2.NAME]
    body = {name: value for name, value in json.loads(told.body).items() if name not in ("left", "part")}
    older = replace(told, contract=PaymentRefunded.NAME, body=json.dumps(body))
    with connected(projections) as connection:
        rows = project(connection, [messages])
        assert project(connection, [[older if each is told else each for each in messages]]) | COUNTS == rows | COUNTS


COUNTS: dict[str, list[Any]] = {"minute_view": [], "total_view": []}
"""These count messages by the contract that they were received as."""


def test_a_product_shows_what_happened_to_it_with_reasons_and_nothing_of_orders(
    saga: Saga, projections: Database
) -> None:
    with connected(projections) as connection:
        project(connection, [announced(saga)])
        cup, pot = (product.fetch_one(connection, saga.sku(name)) for name in ("cup", "pot"))
    assert cup
    assert pot
    changes = [change(event) for event in cup.history]
    assert [text for text in changes if "broken" in text] == ["\N{MINUS SIGN}1: broken", "+2: broken"]
    assert [change(event) for event in pot.history][:4] == ["nobody wants it", "€3.00", "nobody wants it", "€2.50"]
    shown = str(one(pot)), str(products([pot.stock, cup.stock]))
    assert "Retired: no later order can have it" in shown[0]
    assert [text.count("'Retired'") for text in shown] == [0, 1]


def test_a_refund_that_failed_is_shown_as_owed_at_its_order(saga: Saga, projections: Database) -> None:
    [owed] = saga.owed()
    with connected(projections) as connection:
        project(connection, [announced(saga)])
        order = sagas.fetch_one(connection, owed)
        assert order
        shown = timeline.of_saga(connection, order)
    assert {step.name: step.state for step in shown.steps}["charged"] == "compensating"
    assert shown_state(order)[:2] == ("Cancelled, refund failed", "bad")
    assert [(step.name, step.look) for step in compensation(order)][1] == ("Refund failed", "failed")
    written = str(payment(shown.payment))
    assert "Refund failed, still owed" in written
    assert "expired or canceled card" in written


def declined_or_refunded(paid: dict[Any, str]) -> set[Any]:
    return {id_ for id_, state in paid.items() if state in ("declined", "refunded", "refund_failed")}


def of(saga: Saga, kind: Any, service: str, id_: Any) -> Any:
    aggregate = saga.parties[service].find(kind, id_)
    assert aggregate is not None
    return aggregate


def test_an_unfinished_order_waits_for_something_and_a_finished_one_for_nothing(
    saga: Saga, projections: Database
) -> None:
    with connected(projections) as connection:
        project(connection, [announced(saga)])
        rows = connection.execute("select order_id, waits_for, waits_since, placed_at, ended_at from saga_view")
        for order_id, waits_for, since, placed_at, ended_at in rows:
            if order_id in saga.owed():
                assert (waits_for, ended_at) == ("refund", None)
                assert since > placed_at
            elif order_id == saga.orders[-1]:
                assert (waits_for, since, ended_at) == ("stock", placed_at, None)
            else:
                assert (waits_for, since) == (None, None)
                assert ended_at > placed_at
