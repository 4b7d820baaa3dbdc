"""Contracts carry their bounds: what no API accepts is refused, and the largest that an API accepts is not."""

import json
from collections.abc import Iterator
from datetime import UTC, datetime
from typing import Any
from uuid import uuid4

import pytest
from pydantic import ValidationError

from contracts import bounds
from contracts.inventory import StockCorrected, StockLine, StockRejected, StockReserved
from contracts.orders import OrderLine, OrderPlaced
from contracts.payments import PaymentRefundedV2, RefundFailed
from inventory_service.reservation import ImpossibleAmount, Reservation
from inventory_service.stock import ImpossibleQuantity, NotEnoughStock, ReservedLine, StockItem
from order_service.order import ImpossibleOrder, Order, PricedLine
from order_service.product import ImpossiblePrice, Product
from ordersaga.envelope.contract import Contract
from ordersaga.http import tokens
from payment_service import payment
from payment_service.payment import Payment
from tests.shop.unit.test_contracts import ORDER, SAID, name

NOW = datetime.now(UTC)
NUMBERS = (-(2**63), -1, 0, 2**63, 1.0, 1.5, "1", True, None)
TEXTS = ("", "x" * 100_001, 5, ["x"])
OTHERS: dict[type, tuple[object, ...]] = {bool: (1, "yes", None), list: ({}, "[]", [{}] * 101), dict: ([], "x", None)}


def bad_values(value: object) -> tuple[object, ...]:
    if isinstance(value, int) and not isinstance(value, bool):
        return NUMBERS
    return TEXTS if isinstance(value, str) else OTHERS.get(type(value), ())


def forgeries(value: Any) -> Iterator[Any]:
    """The value with one part of it replaced by something that it cannot be."""
    yield from bad_values(value)
    members = value.items() if isinstance(value, dict) else enumerate(value) if isinstance(value, list) else ()
    for key, member in list(members):
        for forged in forgeries(member):
            copy = dict(value) if isinstance(value, dict) else list(value)
            copy[key] = forged
            yield copy


@pytest.mark.parametrize("contract", SAID, ids=name)
def test_a_contract_refuses_every_part_that_is_out_of_bounds(contract: Contract) -> None:
    for body in forgeries(json.loads(contract.model_dump_json())):
        if isinstance(contract, RefundFailed) and isinstance(body, dict) and body["refund_id"] == "":
            continue  # the card processor refused to make a refund, so it has no id
        if isinstance(contract, StockCorrected) and isinstance(body, dict) and body["quantity"] == -1:
            continue  # a piece is taken off
        if isinstance(contract, PaymentRefundedV2) and isinstance(body, dict) and body["left"] == 0:
            continue  # the customer has everything back
        if isinstance(body, dict) and "part" in body and body["part"] is None:
            continue  # it is about the rest
        with pytest.raises(ValidationError):
            raise_unless_refused(type(contract), json.dumps(body))


@pytest.mark.parametrize(
    "time",
    [
        1_700_000_000,
        "1700000000",
        "2026-11-27",
        "2026-11-27T12:00:00",
        "2026-13-01T12:00:00Z",
        "0001-01-01T00:00:00+23:59",
        "9999-12-31T23:59:59-23:59",
        "infinity",
    ],
)
def test_a_deadline_is_a_time_that_every_reader_can_represent(time: object) -> None:
    [order] = [contract for contract in SAID if isinstance(contract, OrderPlaced)]
    with pytest.raises(ValidationError):
        raise_unless_refused(OrderPlaced, json.dumps({**json.loads(order.model_dump_json()), "complete_by": time}))


def raise_unless_refused(contract: type[Contract], body: str) -> None:
    contract.model_validate_json(body)
    raise AssertionError(body[:300])


def test_the_largest_order_that_the_api_accepts_is_within_the_bounds() -> None:
    skus = [f"{number:064}" for number in range(bounds.MAX_LINES)]
    lines = tuple(OrderLine(sku=sku, quantity=bounds.MAX_ORDERED, unit_price=bounds.MAX_PRICE) for sku in skus)
    money: dict[str, Any] = {"currency": "EUR", "card": f"pm_{'x' * 97}"}
    customer, sealed = "x" * tokens.MAX_SUBJECT, "x" * bounds.MAX_SEALED
    amount = bounds.MAX_AMOUNT
    order = OrderPlaced(
        order_id=uuid4(), customer=customer, lines=lines, total=amount, complete_by=NOW, contact=sealed, **money
    )
    assert OrderPlaced.model_validate_json(order.model_dump_json()) == order
    reserved = tuple(StockLine(sku=sku, quantity=bounds.MAX_QUANTITY) for sku in skus)
    StockReserved(order_id=uuid4(), lines=reserved, amount=amount, **money)
    StockRejected(order_id=uuid4(), reason=f"not enough stock of {', '.join(skus)}")


@pytest.mark.parametrize("quantity", [0, -5])
def test_a_stock_item_refuses_less_than_one_piece_and_more_than_is_reserved(quantity: int) -> None:
    item = StockItem(id=ORDER, sku="cup")
    item.receive(3)
    item.reserve(ORDER, 1)
    item.collect_events()
    for change in (item.reserve, item.release, item.ship, item.restock):
        with pytest.raises(ImpossibleQuantity):
            change(ORDER, quantity)
    with pytest.raises(ImpossibleQuantity):
        item.receive(quantity)
    with pytest.raises(ImpossibleQuantity if quantity == 0 else NotEnoughStock):
        item.correct(quantity, "broken")
    for change in (item.release, item.ship):
        with pytest.raises(ImpossibleQuantity, match="2 of cup cannot be taken of 1 that are reserved"):
            change(ORDER, 2)
    assert list(item.collect_events()) == []
    assert (item.on_hand, item.reserved) == (3, 1)


@pytest.mark.parametrize(("quantity", "price"), [(0, 1), (-1, 1), (1, 0), (1, -1)])
def test_an_order_and_a_product_refuse_what_cannot_be_sold(quantity: int, price: int) -> None:
    line = PricedLine(sku="cup", quantity=quantity, unit_price=price)
    for lines in ([line], []):
        with pytest.raises(ImpossibleOrder):
            Order.place(ORDER, "ada", lines, "EUR", "pm_card_visa")
    product = Product.list_new("cup", "A cup", 1, "EUR")
    if price < 1:
        with pytest.raises(ImpossiblePrice):
            product.change("A cup", price, "EUR")
        with pytest.raises(ImpossiblePrice):
            Product.list_new("cup", "A cup", price, "EUR")


@pytest.mark.parametrize("amount", [0, -1])
def test_reservation_and_payment_refuse_an_amount_below_one(amount: int) -> None:
    reservation, paid = Reservation(id=ORDER), Payment(id=ORDER)
    line = ReservedLine(sku="cup", quantity=1)
    with pytest.raises(ImpossibleAmount):
        reservation.reserve([line], amount, "EUR", "pm_card_visa")
    with pytest.raises(ImpossibleQuantity):
        reservation.reserve([ReservedLine(sku="cup", quantity=amount)], 1, "EUR", "pm_card_visa")
    for charge in (paid.capture, paid.charge_late):
        with pytest.raises(payment.ImpossibleAmount):
            charge("ch_1", amount, "EUR")
    assert [reservation.state, paid.state] == ["open", "open"]
