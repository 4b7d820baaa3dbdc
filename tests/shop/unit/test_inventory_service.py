"""What the inventory service decides: each command and reaction when it happens, is repeated, and is refused."""

from functools import partial
from uuid import UUID

import pytest

from contracts.inventory import (
    StockCorrected,
    StockLine,
    StockReceived,
    StockRejected,
    StockReleased,
    StockReserved,
    StockShipped,
)
from contracts.orders import OrderCancelled, OrderConfirmed, OrderLine, OrderPlaced
from contracts.payments import PaymentDeclined
from inventory_service.announcements import announcements
from inventory_service.commands import NotReserved, StockChanged, correct_stock, receive_stock
from inventory_service.reactions import reactions
from inventory_service.reservation import Reservation
from inventory_service.stock import NotEnoughStock, ReservedLine, StockItem, stock_item_id
from ordersaga.store.transaction import AggregateNotFound
from tests.support.given import Command, Service
from tests.support.scenario import Heard, Scenario, Step, happened, heard

ORDER = UUID("01890000-0000-7000-8000-000000000001")
OTHER = UUID("01890000-0000-7000-8000-000000000002")
CONFIRMED = heard(OrderConfirmed(order_id=ORDER))
CANCELLED = heard(OrderCancelled(order_id=ORDER, reason="changed my mind"))
SEALED = "v1.00000000-0000-4000-8000-000000000000.c2VhbGVk"
DECLINED = heard(PaymentDeclined(order_id=ORDER, reason="card_declined"))


@pytest.fixture
def inventory() -> Service:
    return Service(announcements, reactions)


def receive(sku: str, quantity: int) -> Command[StockItem]:
    return partial(receive_stock, sku=sku, quantity=quantity)


def correct(sku: str, quantity: int, version: int | None = None) -> Command[StockItem]:
    return partial(correct_stock, sku=sku, quantity=quantity, reason="broken", version=version)


def placed(*lines: tuple[str, int], order_id: UUID = ORDER) -> Heard:
    return heard(
        OrderPlaced(
            order_id=order_id,
            customer="alice",
            lines=tuple(OrderLine(sku=sku, quantity=quantity, unit_price=100) for sku, quantity in lines),
            total=700,
            currency="EUR",
            card="pm_card_visa",
            contact=SEALED,
        )
    )


def figures(inventory: Service, sku: str) -> tuple[int, int]:
    """On hand, of which reserved."""
    item = inventory.find(StockItem, stock_item_id(sku))
    return (item.on_hand, item.reserved) if item else (0, 0)


STOCKED = (receive("cup", 5), receive("pot", 1))
PLACED = placed(("cup", 2), ("pot", 1))
LINES = [ReservedLine(sku="cup", quantity=2), ReservedLine(sku="pot", quantity=1)]
SAID_LINES = tuple(StockLine(**line) for line in LINES)
ENDS = {"release": (PLACED, CANCELLED), "never": (CANCELLED,), "return": (PLACED, CONFIRMED, CANCELLED)}


def test_where_an_order_goes_is_neither_kept_nor_passed_on(inventory: Service) -> None:
    Scenario(inventory).given(*STOCKED, PLACED)
    assert "inventory.stock_reserved.v1" in {message.contract for message in inventory.said}
    assert all(SEALED.encode() not in row.stored.state for row in inventory.events)
    assert all(SEALED not in message.body for message in inventory.said)


def test_the_first_receipt_opens_the_stock_of_a_product(inventory: Service) -> None:
    Scenario(inventory).when(receive("cup", 5)).then(
        happened(StockItem.Opened, sku="cup"),
        happened(StockItem.Received, sku="cup", quantity=5),
        StockReceived(sku="cup", quantity=5),
    )


def test_every_receipt_counts(inventory: Service) -> None:
    Scenario(inventory).given(receive("cup", 5)).when(receive("cup", 5)).then(
        happened(StockItem.Received, sku="cup", quantity=5), StockReceived(sku="cup", quantity=5)
    )
    assert figures(inventory, "cup") == (10, 0)


@pytest.mark.parametrize(("quantity", "on_hand"), [(-3, 2), (4, 9)])
def test_stock_is_corrected_downwards_and_upwards_with_a_reason(
    inventory: Service, quantity: int, on_hand: int
) -> None:
    Scenario(inventory).given(*STOCKED, PLACED).when(correct("cup", quantity)).then(
        happened(StockItem.Corrected, sku="cup", quantity=quantity, reason="broken"),
        StockCorrected(sku="cup", quantity=quantity, reason="broken"),
    )
    assert figures(inventory, "cup") == (on_hand, 2)


def test_a_correction_never_takes_what_is_reserved(inventory: Service) -> None:
    said = "4 of cup cannot be taken off: 3 are available, and 2 of the 5 on hand are reserved"
    Scenario(inventory).given(*STOCKED, PLACED).when(correct("cup", -4)).refused(NotEnoughStock, said)


def test_stock_that_was_never_received_or_has_changed_is_not_corrected(inventory: Service) -> None:
    Scenario(inventory).when(correct("cup", 1)).refused(AggregateNotFound, "no StockItem")
    Scenario(inventory).given(*STOCKED).when(correct("cup", -1, version=1)).refused(StockChanged, "at version 2")


def test_an_order_has_all_its_lines_set_aside(inventory: Service) -> None:
    said = StockReserved(order_id=ORDER, lines=SAID_LINES, amount=700, currency="EUR", card="pm_card_visa")
    Scenario(inventory).given(*STOCKED).when(PLACED).then(
        happened(StockItem.Reserved, order_id=ORDER, quantity=2),
        happened(StockItem.Reserved, order_id=ORDER, quantity=1),
        happened(Reservation.Opened),
        happened(Reservation.Reserved, lines=LINES, amount=700, currency="EUR", card="pm_card_visa"),
        said,
    )
    assert [figures(inventory, sku) for sku in ("cup", "pot")] == [(5, 2), (1, 1)]


def test_two_lines_of_one_product_are_set_aside_as_one(inventory: Service) -> None:
    Scenario(inventory).given(*STOCKED, placed(("cup", 2), ("cup", 3)))
    assert figures(inventory, "cup") == (5, 5)


@pytest.mark.parametrize(
    ("order", "short"),
    [
        (placed(("cup", 5), ("pot", 2)), "pot"),
        (placed(("cup", 6), ("pot", 2)), "cup, pot"),
        (placed(("cup", 3), ("cup", 3)), "cup"),
        (placed(("cup", 1), ("jug", 1)), "jug"),
    ],
    ids=["one line", "both lines", "lines of one product together", "a product never received"],
)
def test_an_order_that_is_short_of_one_line_gets_nothing(inventory: Service, order: Heard, short: str) -> None:
    reason = f"not enough stock of {short}"
    Scenario(inventory).given(*STOCKED).when(order).then(
        happened(Reservation.Opened),
        happened(Reservation.Rejected, reason=reason),
        StockRejected(order_id=ORDER, reason=reason),
    )


def test_the_last_piece_goes_to_the_order_that_comes_first(inventory: Service) -> None:
    Scenario(inventory).given(*STOCKED, placed(("pot", 1), order_id=OTHER)).when(placed(("pot", 1))).then(
        happened(Reservation.Opened),
        happened(Reservation.Rejected, reason="not enough stock of pot"),
        StockRejected(order_id=ORDER, reason="not enough stock of pot"),
    )


@pytest.mark.parametrize(
    "past",
    [
        (*STOCKED, PLACED),
        (PLACED, *STOCKED),
        (*STOCKED, PLACED, CONFIRMED),
        *((*STOCKED, *end) for end in ENDS.values()),
    ],
    ids=["reserved", "rejected", "shipped", *ENDS],
)
def test_an_order_is_reserved_for_once_whatever_became_of_it(inventory: Service, past: tuple[Step, ...]) -> None:
    Scenario(inventory).given(*past).when(PLACED).then()


@pytest.mark.parametrize("undo", [CANCELLED, DECLINED], ids=["cancelled", "declined"])
def test_what_is_set_aside_is_released(inventory: Service, undo: Heard) -> None:
    Scenario(inventory).given(*STOCKED, PLACED).when(undo).then(
        happened(StockItem.Released, order_id=ORDER, quantity=2),
        happened(StockItem.Released, order_id=ORDER, quantity=1),
        happened(Reservation.Released, lines=LINES, returned=False),
        StockReleased(order_id=ORDER, lines=SAID_LINES, returned=False),
    )
    assert [figures(inventory, sku) for sku in ("cup", "pot")] == [(5, 0), (1, 0)]


def test_what_has_been_shipped_comes_back_when_the_order_is_cancelled(inventory: Service) -> None:
    Scenario(inventory).given(*STOCKED, PLACED, CONFIRMED).when(CANCELLED).then(
        happened(StockItem.Returned, order_id=ORDER, quantity=2),
        happened(StockItem.Returned, order_id=ORDER, quantity=1),
        happened(Reservation.Released, lines=LINES, returned=True),
        StockReleased(order_id=ORDER, lines=SAID_LINES, returned=True),
    )
    assert [figures(inventory, sku) for sku in ("cup", "pot")] == [(5, 0), (1, 0)]


@pytest.mark.parametrize("undo", [CANCELLED, DECLINED], ids=["cancelled", "declined"])
def test_a_cancellation_that_comes_first_is_remembered(inventory: Service, undo: Heard) -> None:
    Scenario(inventory).given(*STOCKED).when(undo).then(happened(Reservation.Opened), happened(Reservation.Voided))
    Scenario(inventory).when(PLACED).then()


@pytest.mark.parametrize("undo", [CANCELLED, DECLINED], ids=["cancelled", "declined"])
@pytest.mark.parametrize("end", ENDS.values(), ids=ENDS)
def test_what_is_released_is_not_released_again(inventory: Service, end: tuple[Heard, ...], undo: Heard) -> None:
    Scenario(inventory).given(*STOCKED, *end).when(undo).then()


def test_there_is_nothing_to_release_for_an_order_that_got_nothing(inventory: Service) -> None:
    Scenario(inventory).given(PLACED).when(CANCELLED).then()


def test_what_is_set_aside_leaves_when_the_order_is_confirmed(inventory: Service) -> None:
    Scenario(inventory).given(*STOCKED, PLACED).when(CONFIRMED).then(
        happened(StockItem.Shipped, order_id=ORDER, quantity=2),
        happened(StockItem.Shipped, order_id=ORDER, quantity=1),
        happened(Reservation.Shipped, lines=LINES),
        StockShipped(order_id=ORDER, lines=SAID_LINES),
    )
    assert [figures(inventory, sku) for sku in ("cup", "pot")] == [(3, 0), (0, 0)]


@pytest.mark.parametrize("past", [(CONFIRMED,), (CANCELLED,)], ids=["shipped", "released"])
def test_what_has_left_or_is_released_does_not_leave_again(inventory: Service, past: tuple[Heard, ...]) -> None:
    Scenario(inventory).given(*STOCKED, PLACED, *past).when(CONFIRMED).then()


@pytest.mark.parametrize("past", [(), (PLACED,), (CANCELLED,)], ids=["unheard of", "rejected", "voided"])
def test_nothing_leaves_for_an_order_without_a_reservation(inventory: Service, past: tuple[Heard, ...]) -> None:
    Scenario(inventory).given(*past).when(CONFIRMED).refused(NotReserved, f"{ORDER} is confirmed, but no stock")


def test_a_product_is_never_oversold_even_if_asked_directly() -> None:
    item = StockItem(id=stock_item_id("cup"), sku="cup")
    item.receive(3)
    item.reserve(ORDER, 2)
    with pytest.raises(NotEnoughStock, match="2 of cup asked, 1 available"):
        item.reserve(OTHER, 2)
    assert (item.on_hand, item.reserved, item.available) == (3, 2, 1)
