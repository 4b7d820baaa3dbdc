"""What services say to one another: every contract, its key, its way through JSON, and who announces it."""

import json
from itertools import product as pairs_of
from typing import Any
from uuid import UUID

import pytest
from eventsourcing.domain import BaseAggregate
from pydantic import ValidationError

from contracts import CONTRACTS
from contracts.inventory import (
    StockCorrected,
    StockLine,
    StockReceived,
    StockRejected,
    StockReleased,
    StockReserved,
    StockShipped,
)
from contracts.orders import OrderCancelled, OrderConfirmed, OrderLine, OrderPlaced, ProductPriced, ProductRetired
from contracts.payments import (
    LateChargeMade,
    PartRefundRequested,
    PaymentCaptured,
    PaymentDeclined,
    PaymentRefunded,
    PaymentRefundedV2,
    RefundCheckDue,
    RefundFailed,
    RefundPending,
    RefundRequested,
)
from inventory_service.reservation import Reservation
from inventory_service.stock import ReservedLine, StockItem
from order_service.order import Order, PricedLine
from order_service.product import Product
from order_service.reactions import reactions as order_reactions
from ordersaga.envelope.contract import Contract
from ordersaga.envelope.message import Cause
from ordersaga.envelope.versions import versions_of
from ordersaga.service import Service
from ordersaga.store.aggregates import record
from ordersaga.store.hash_chain import GENESIS
from payment_service.payment import Payment
from projections.service import projections

SERVICES = tuple(projections.sources)
ORDER = UUID("01890000-0000-7000-8000-000000000001")
LINES = (StockLine(sku="Tasse, groß", quantity=2), StockLine(sku="pot", quantity=1))
MONEY: dict[str, Any] = {"amount": 700, "currency": "EUR"}

SAID: tuple[Contract, ...] = (
    OrderPlaced(
        order_id=ORDER,
        customer="Zoë",
        lines=(
            OrderLine(sku="Tasse, groß", quantity=2, unit_price=300),
            OrderLine(sku="pot", quantity=1, unit_price=1),
        ),
        total=601,
        currency="EUR",
        card="pm_card_visa",
    ),
    OrderConfirmed(order_id=ORDER),
    OrderCancelled(order_id=ORDER, reason="changed my mind 🙂"),
    ProductPriced(sku="Tasse, groß", name="Große Tasse", unit_price=300, currency="EUR"),
    ProductRetired(sku="Tasse, groß", reason="nobody wants it"),
    PaymentCaptured(order_id=ORDER, charge_id="ch_1", **MONEY),
    PaymentDeclined(order_id=ORDER, reason="insufficient_funds"),
    PaymentRefunded(order_id=ORDER, charge_id="ch_1", refund_id="re_1", **MONEY),
    LateChargeMade(order_id=ORDER, charge_id="ch_1", **MONEY),
    PaymentRefundedV2(order_id=ORDER, charge_id="ch_1", refund_id="re_1", left=300, part=1, **MONEY),
    PartRefundRequested(order_id=ORDER, part=1, reason="one cup was broken", **MONEY),
    RefundPending(order_id=ORDER, charge_id="ch_1", refund_id="re_1", **MONEY),
    RefundFailed(order_id=ORDER, charge_id="ch_1", refund_id="re_1", reason="charge_disputed", **MONEY),
    RefundRequested(order_id=ORDER, reason="the dispute is won"),
    RefundCheckDue(order_id=ORDER, refund_id="re_1"),
    StockReserved(order_id=ORDER, lines=LINES, card="pm_card_visa", **MONEY),
    StockRejected(order_id=ORDER, reason="not enough stock of pot"),
    StockReleased(order_id=ORDER, lines=LINES, returned=True),
    StockShipped(order_id=ORDER, lines=LINES),
    StockReceived(sku="Tasse, groß", quantity=5),
    StockCorrected(sku="Tasse, groß", quantity=3, reason="broken"),
)

KEYS = {
    "orders.order_placed.v1": str(ORDER),
    "orders.order_confirmed.v1": str(ORDER),
    "orders.order_cancelled.v1": str(ORDER),
    "orders.product_priced.v1": "Tasse, groß",
    "orders.product_retired.v1": "Tasse, groß",
    "payments.payment_captured.v1": str(ORDER),
    "payments.payment_declined.v1": str(ORDER),
    "payments.payment_refunded.v1": str(ORDER),
    "payments.payment_refunded.v2": str(ORDER),
    "payments.part_refund_requested.v1": str(ORDER),
    "payments.late_charge_made.v1": str(ORDER),
    "payments.refund_pending.v1": str(ORDER),
    "payments.refund_failed.v1": str(ORDER),
    "payments.refund_requested.v1": str(ORDER),
    "payments.refund_check_due.v1": str(ORDER),
    "inventory.stock_reserved.v1": str(ORDER),
    "inventory.stock_rejected.v1": str(ORDER),
    "inventory.stock_released.v1": str(ORDER),
    "inventory.stock_shipped.v1": str(ORDER),
    "inventory.stock_received.v1": "Tasse, groß",
    "inventory.stock_corrected.v1": "Tasse, groß",
}
"""Names and keys, written out: whoever changes one of these changes what other services and old messages rely on."""


def name(contract: Contract) -> str:
    return contract.NAME


def test_every_contract_is_on_the_map_and_in_these_tests() -> None:
    assert set(CONTRACTS) == {contract.NAME for contract in SAID} == set(KEYS)
    assert all(CONTRACTS[contract.NAME] is type(contract) for contract in SAID)


@pytest.mark.parametrize("contract", SAID, ids=name)
def test_a_contract_comes_back_from_json_as_it_was(contract: Contract) -> None:
    assert type(contract).model_validate_json(contract.model_dump_json()) == contract


@pytest.mark.parametrize("contract", SAID, ids=name)
def test_a_reader_ignores_fields_that_a_later_writer_adds(contract: Contract) -> None:
    later = json.dumps({**json.loads(contract.model_dump_json()), "added_later": {"deep": [1]}})
    assert type(contract).model_validate_json(later) == contract


@pytest.mark.parametrize("contract", SAID, ids=name)
def test_a_contract_without_its_key_is_refused_by_name(contract: Contract) -> None:
    body = json.loads(contract.model_dump_json())
    del body[contract.KEY]
    with pytest.raises(ValidationError, match=f"(?s)validation error.*{contract.KEY}\n.*Field required"):
        type(contract).model_validate_json(json.dumps(body))


@pytest.mark.parametrize("contract", SAID, ids=name)
def test_what_has_been_said_cannot_be_changed(contract: Contract) -> None:
    with pytest.raises(ValidationError, match="frozen"):
        setattr(contract, contract.KEY, "other")


def life_of_an_order() -> list[BaseAggregate[UUID]]:
    """Aggregates that between them have every event that is announced."""
    product = Product(id=ORDER, sku="Tasse, groß", name="Tasse", unit_price=200, currency="EUR")
    product.change("Große Tasse", 300, "EUR")
    product.retire("nobody wants it")
    line = PricedLine(sku="pot", quantity=1, unit_price=700)
    order = Order(id=ORDER, customer="Zoë", lines=[line], total=700, currency="EUR", card="pm_card_visa")
    order.confirm("ch_1")
    order.cancel("changed my mind")
    item = StockItem(id=ORDER, sku="Tasse, groß")
    item.receive(5)
    item.correct(-2, "broken")
    served, refused = Reservation(id=ORDER), Reservation(id=ORDER)
    served.reserve([ReservedLine(sku="pot", quantity=1)], 700, "EUR", "pm_card_visa")
    served.ship()
    served.release()
    refused.reject("not enough stock of pot")
    paid, declined, late = Payment(id=ORDER), Payment(id=ORDER), Payment(id=ORDER)
    paid.capture("ch_1", 700, "EUR")
    paid.request_part(300, "one cup was broken")
    paid.await_part(1, "re_1")
    paid.fail_part(1, "re_1", "expired_or_canceled_card")
    paid.request_part_again(1, "the customer has a new card")
    paid.refund_part(1, "re_2")
    paid.refund("re_3")
    declined.decline("card_declined")
    late.charge_late("ch_1", 700, "EUR")
    late.await_refund("re_1")
    late.fail_refund("re_1", "expired_or_canceled_card")
    late.request_refund("the customer has a new card")
    return [product, order, item, served, refused, paid, declined, late]


def test_every_contract_is_announced_under_its_key() -> None:
    cause, keys = Cause(ORDER), {}
    for aggregate in life_of_an_order():
        events = aggregate.collect_events()
        for (event, row), service in pairs_of(zip(events, record(events, GENESIS, cause), strict=True), SERVICES):
            for message in service.announcements.messages(event, row.hash, cause):
                keys[message.contract] = message.key
                assert (message.source, message.event_hash) == (service.name, row.hash)
                assert message.sequence == row.stored.originator_version
    without_event = {name for service in SERVICES for name in service.announcements.without_events}
    older = {version.NAME for contract in CONTRACTS.values() for version in versions_of(contract)[1:]}
    assert keys == {name: key for name, key in KEYS.items() if name not in without_event | older}


@pytest.mark.parametrize("service", SERVICES, ids=lambda service: service.name)
def test_every_reaction_is_to_a_contract_on_the_map(service: Service) -> None:
    for name, reaction in service.reactions.by_contract.items():
        assert reaction.contract is CONTRACTS[name]


def test_a_group_has_one_reaction_to_a_contract() -> None:
    with pytest.raises(ValueError, match=r"there are two reactions to inventory\.stock_rejected\.v1"):
        order_reactions.to(StockRejected)(lambda message, transaction: None)
