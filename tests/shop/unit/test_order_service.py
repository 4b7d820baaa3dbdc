"""What the order service decides: each command and reaction when it happens, is repeated, and is refused."""

from collections.abc import Sequence
from datetime import UTC, datetime, timedelta, tzinfo
from functools import partial
from typing import Any
from uuid import UUID

import pytest

from contracts.inventory import StockRejected
from contracts.orders import OrderCancelled, OrderConfirmed, OrderLine, OrderPlaced, ProductPriced, ProductRetired
from contracts.payments import PaymentCaptured, PaymentDeclined
from order_service.announcements import announcements
from order_service.commands import (
    COMPLETION,
    MixedCurrencies,
    RetiredProduct,
    UnknownProduct,
    UnpricedLine,
    VersionMismatch,
    cancel_order,
    place_order,
    put_product,
    retire_product,
)
from order_service.order import Order, PricedLine
from order_service.product import Product
from order_service.reactions import reactions
from ordersaga.store.deadline import Deadline
from ordersaga.store.transaction import AggregateNotFound
from tests.support.given import Command, Service
from tests.support.scenario import Happened, Passed, Scenario, Step, happened, heard

ORDER = UUID("01890000-0000-7000-8000-000000000001")
OTHER = UUID("01890000-0000-7000-8000-000000000002")
DEADLINE = timedelta(minutes=15)
CAPTURED = heard(PaymentCaptured(order_id=ORDER, charge_id="ch_1", amount=700, currency="EUR"))
DECLINED = heard(PaymentDeclined(order_id=ORDER, reason="insufficient_funds"))
REJECTED = heard(StockRejected(order_id=ORDER, reason="not enough stock of cup"))
TIMED_OUT = Passed(COMPLETION, ORDER)
CONFIRMED = (happened(Order.Confirmed, charge_id="ch_1"), OrderConfirmed(order_id=ORDER))


@pytest.fixture
def orders() -> Service:
    return Service(announcements, reactions)


def product(sku: str, price: int, currency: str = "EUR", name: str = "A thing") -> Command[tuple[Product, bool]]:
    return partial(put_product, sku=sku, name=name, unit_price=price, currency=currency)


def order(lines: Sequence[UnpricedLine], order_id: UUID = ORDER) -> Command[Order]:
    return partial(
        place_order, order_id=order_id, customer="alice", unpriced=lines, card="pm_card_visa", deadline=DEADLINE
    )


def cancel(reason: str = "changed my mind", version: int | None = None) -> Command[Order]:
    return partial(cancel_order, order_id=ORDER, reason=reason, version=version)


def cancelled(reason: str) -> tuple[Happened, OrderCancelled]:
    return happened(Order.Cancelled, reason=reason), OrderCancelled(order_id=ORDER, reason=reason)


PRICES = (product("cup", 300), product("pot", 100))
PLACED = (*PRICES, order([UnpricedLine("cup", 2), UnpricedLine("pot", 1)]))


def test_a_product_is_listed_and_its_price_announced(orders: Service) -> None:
    says: dict[str, Any] = {"sku": "cup", "name": "A thing", "unit_price": 300, "currency": "EUR"}
    Scenario(orders).when(product("cup", 300)).then(happened(Product.Listed, **says), ProductPriced(**says))


def test_a_product_put_again_as_it_is_changes_nothing(orders: Service) -> None:
    Scenario(orders).given(product("cup", 300)).when(product("cup", 300)).then()


@pytest.mark.parametrize(
    "changed", [{"name": "Large cup"}, {"unit_price": 301}, {"currency": "CHF"}], ids=["name", "price", "currency"]
)
def test_a_product_whose_line_changes_is_announced_anew(orders: Service, changed: dict[str, Any]) -> None:
    says: dict[str, Any] = {"sku": "cup", "name": "A thing", "unit_price": 300, "currency": "EUR", **changed}
    Scenario(orders).given(product("cup", 300)).when(partial(put_product, **says)).then(
        happened(Product.Changed, **says), ProductPriced(**says)
    )


@pytest.mark.parametrize(
    ("past", "said"), [((), "does not exist"), ((product("cup", 1), product("cup", 2)), "at version 2")]
)
def test_a_product_that_is_not_at_the_version_that_was_seen_stays_as_it_is(
    orders: Service, past: Sequence[Command[object]], said: str
) -> None:
    seen = partial(put_product, sku="cup", name="A thing", unit_price=3, currency="EUR", version=1)
    Scenario(orders).given(*past).when(seen).refused(VersionMismatch, said)


class Noon(datetime):
    """A clock that stands still."""

    @classmethod
    def now(cls, tz: tzinfo | None = None) -> datetime:  # type: ignore[override]
        return datetime(2026, 3, 1, 12, tzinfo=tz)


def test_an_order_is_placed_at_the_prices_of_the_list(orders: Service, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr("order_service.commands.datetime", Noon)
    lines = [PricedLine(sku="cup", quantity=2, unit_price=300), PricedLine(sku="pot", quantity=1, unit_price=100)]
    complete_by = datetime(2026, 3, 1, 12, tzinfo=UTC) + DEADLINE
    says: dict[str, Any] = {"customer": "alice", "total": 700, "currency": "EUR", "card": "pm_card_visa"}
    says |= {"complete_by": complete_by, "contact": None}
    Scenario(orders).given(*PRICES).when(PLACED[-1]).then(
        happened(Order.Placed, lines=lines, **says),
        OrderPlaced(order_id=ORDER, lines=tuple(OrderLine(**line) for line in lines), **says),
    )
    assert orders.deadlines == [Deadline(COMPLETION, ORDER, DEADLINE)]


def test_a_placed_order_keeps_its_prices(orders: Service) -> None:
    Scenario(orders).given(*PLACED, product("cup", 900))
    placed = orders.find(Order, ORDER)
    assert placed is not None
    assert placed.total == 700


def test_an_order_of_an_unknown_product_names_its_line(orders: Service) -> None:
    lines = [UnpricedLine("cup", 1), UnpricedLine("jug", 1)]
    Scenario(orders).given(*PRICES).when(order(lines)).refused(UnknownProduct, "no product 'jug' is on the price list")
    with pytest.raises(UnknownProduct) as unknown:
        orders.decide(order(lines))
    assert (unknown.value.sku, unknown.value.index) == ("jug", 1)


def retire(sku: str, version: int | None = None) -> Command[Product]:
    return partial(retire_product, sku=sku, reason="nobody wants it", version=version)


def test_a_retired_product_is_sold_no_more_and_placed_orders_keep_it(orders: Service) -> None:
    says = {"sku": "pot", "reason": "nobody wants it"}
    Scenario(orders).given(*PLACED).when(retire("pot")).then(happened(Product.Retired, **says), ProductRetired(**says))
    Scenario(orders).when(retire("pot")).then()
    later = order([UnpricedLine("cup", 2), UnpricedLine("pot", 1)], OTHER)
    Scenario(orders).when(later).refused(RetiredProduct, "product 'pot' is no longer sold")
    with pytest.raises(RetiredProduct) as retired:
        orders.decide(later)
    assert (retired.value.sku, retired.value.index) == ("pot", 1)
    Scenario(orders).when(CAPTURED).then(*CONFIRMED)


def test_a_retired_product_that_is_put_again_is_sold_again(orders: Service) -> None:
    says: dict[str, Any] = {"sku": "pot", "name": "A thing", "unit_price": 100, "currency": "EUR"}
    Scenario(orders).given(*PRICES, retire("pot")).when(product("pot", 100)).then(
        happened(Product.Changed, **says), ProductPriced(**says)
    )
    Scenario(orders).given(PLACED[-1])


def test_a_product_that_is_unknown_or_has_changed_is_not_retired(orders: Service) -> None:
    Scenario(orders).when(retire("pot")).refused(AggregateNotFound, "no Product")
    Scenario(orders).given(*PRICES, product("pot", 99)).when(retire("pot", 1)).refused(VersionMismatch, "at version 2")


def test_an_order_in_two_currencies_is_refused(orders: Service) -> None:
    prices = (product("cup", 300, "EUR"), product("pot", 100, "CHF"))
    lines = [UnpricedLine("cup", 1), UnpricedLine("pot", 1)]
    Scenario(orders).given(*prices).when(order(lines)).refused(MixedCurrencies, "CHF and EUR; order them separately")


def test_a_placed_order_is_cancelled_by_its_customer(orders: Service) -> None:
    Scenario(orders).given(*PLACED).when(cancel()).then(*cancelled("changed my mind"))


def test_a_confirmed_order_is_cancelled_by_its_customer(orders: Service) -> None:
    Scenario(orders).given(*PLACED, CAPTURED).when(cancel()).then(*cancelled("changed my mind"))


def test_an_order_cancelled_again_keeps_its_first_reason(orders: Service) -> None:
    Scenario(orders).given(*PLACED, cancel("too late")).when(cancel("too dear")).then()


def test_a_cancellation_of_the_version_that_the_customer_saw_is_taken(orders: Service) -> None:
    Scenario(orders).given(*PLACED).when(cancel(version=1)).then(*cancelled("changed my mind"))


def test_a_cancellation_of_a_version_that_is_past_is_refused(orders: Service) -> None:
    Scenario(orders).given(*PLACED, CAPTURED).when(cancel(version=1)).refused(VersionMismatch, "at version 2")


@pytest.mark.parametrize("step", [cancel(), CAPTURED, DECLINED, REJECTED, TIMED_OUT])
def test_nothing_can_be_done_about_an_order_that_was_never_placed(orders: Service, step: Step) -> None:
    Scenario(orders).when(step).refused(AggregateNotFound, f"no Order {ORDER} is recorded in order_service")


def test_a_captured_payment_confirms_the_order(orders: Service) -> None:
    Scenario(orders).given(*PLACED).when(CAPTURED).then(*CONFIRMED)


def test_a_confirmed_order_is_not_confirmed_again(orders: Service) -> None:
    Scenario(orders).given(*PLACED, CAPTURED).when(CAPTURED).then()


@pytest.mark.parametrize("end", [cancel(), DECLINED, REJECTED, TIMED_OUT], ids=["customer", "card", "stock", "time"])
def test_a_payment_that_comes_after_the_cancellation_confirms_nothing(orders: Service, end: Step) -> None:
    Scenario(orders).given(*PLACED, end).when(CAPTURED).then()


def test_an_order_without_stock_is_cancelled(orders: Service) -> None:
    Scenario(orders).given(*PLACED).when(REJECTED).then(*cancelled("out_of_stock"))


def test_an_order_whose_card_is_declined_is_cancelled(orders: Service) -> None:
    Scenario(orders).given(*PLACED).when(DECLINED).then(*cancelled("payment_declined"))


def test_an_order_that_has_not_ended_by_its_deadline_is_cancelled(orders: Service) -> None:
    Scenario(orders).given(*PLACED).when(TIMED_OUT).then(*cancelled("timed_out"))


def test_a_deadline_means_nothing_to_a_confirmed_order(orders: Service) -> None:
    Scenario(orders).given(*PLACED, CAPTURED).when(TIMED_OUT).then()


@pytest.mark.parametrize("again", [DECLINED, REJECTED, TIMED_OUT])
def test_a_cancelled_order_is_not_cancelled_again(orders: Service, again: Step) -> None:
    Scenario(orders).given(*PLACED, cancel()).when(again).then()
