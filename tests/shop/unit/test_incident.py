"""What is known of an order becomes an incident: complete, in the order of causes, and without personal data."""

import json
import subprocess
import sys
from collections.abc import Sequence
from datetime import UTC, datetime, timedelta
from pathlib import Path
from types import SimpleNamespace
from typing import Any
from uuid import UUID, uuid4

import pytest

from devstack.incident import cards, command, rules
from devstack.incident.collect import LostOrder, NoSuchOrder, collect
from devstack.incident.command import as_object, how_to_run
from devstack.incident.foreign import NOT_JSON, ORDER, anonymous
from devstack.incident.incident import Command, Incident, Received
from devstack.incident.records import EventRow, MessageRow, ParkedRow, ReceivedRow, Records
from devstack.incident.source import source
from devstack.state import ROOT
from inventory_service.reservation import Reservation
from inventory_service.stock import ReservedLine, StockItem, stock_item_id
from order_service.order import Order, PricedLine
from ordersaga.store.topics import mapper
from payment_service.payment import Payment

ID = UUID("0198a1f2-3b4c-7d5e-8f60-718293a4b5c6")
BEGAN = datetime(2026, 3, 1, 12, tzinfo=UTC)
SKU = "ring for Grace"
MESSAGE_IDS = [UUID(int=number) for number in range(10)]
PERSONAL = (str(ID), ID.hex, "grace", SKU, "v1.secret", "pm_1GraceHopper", "ch_", "re_", "moved to Arlington", "2026")


def at(seconds: float) -> datetime:
    return BEGAN + timedelta(seconds=seconds)


def recorded(aggregate: Any, position: int, cause: UUID | None = None, seconds: float = 0) -> list[EventRow]:
    """The new events of an aggregate as rows."""
    stored: list[Any] = [mapper.to_stored_event(event) for event in aggregate.collect_events()]
    return [
        EventRow(
            each.originator_id, each.originator_version, each.topic, each.state, position + number, at(seconds),
            cause, "grace", f"x{position}",
        )
        for number, each in enumerate(stored)
    ]  # fmt: skip


def message(number: int, contract: str, source: str, cause: int | None, seconds: float) -> MessageRow:
    caused_by = None if cause is None else MESSAGE_IDS[cause]
    return MessageRow(MESSAGE_IDS[number], contract, source, number + 1, at(seconds), caused_by, "grace")


@pytest.fixture
def records() -> Records:
    """Charged and cancelled; payments has not refunded, and a message that nobody announced is parked there."""
    order = Order.place(ID, "grace", [PricedLine(sku=SKU, quantity=2, unit_price=350)], "EUR", "pm_1GraceHopper")
    order = Order(ID, "grace", order.lines, 700, "EUR", "pm_1GraceHopper", None, "v1.secret")
    placed = recorded(order, 1)
    order.cancel("moved to Arlington")
    item = StockItem(id=stock_item_id(SKU), sku=SKU)
    item.receive(5)
    stock = recorded(item, 1)
    item.reserve(ID, 2)
    reservation = Reservation(id=ID)
    reservation.reserve([ReservedLine(sku=SKU, quantity=2)], 700, "EUR", "pm_1GraceHopper")
    stock += recorded(item, 5, MESSAGE_IDS[0], 0.1)
    payment = Payment(id=ID)
    payment.capture("ch_9", 700, "EUR")
    messages = [
        message(0, "orders.order_placed.v1", "order_service", None, 0),
        message(1, "inventory.stock_reserved.v1", "inventory_service", 0, 0.1),
        message(2, "payments.payment_captured.v1", "payment_service", 1, 0.2),
        message(3, "orders.order_cancelled.v1", "order_service", None, 5),
    ]
    body = b'{"order_id": "0198a1f2-3b4c-7d5e-8f60-718293a4b5c6", "grace": "grace", "reason": "moved to Arlington"}'
    foreign = ParkedRow(
        uuid4(), uuid4(), "grace.likes.v1", "dead", "UnknownContract", "", body, at(6)
    )  # fmt: skip
    return Records(
        ID,
        events={
            "order_service": placed + recorded(order, 9, None, 5),
            "payment_service": recorded(payment, 1, MESSAGE_IDS[1], 0.2),
            "inventory_service": recorded(reservation, 6, MESSAGE_IDS[0], 0.1),
        },
        stock={SKU: stock},
        messages={each.message_id: each for each in messages},
        received={
            "order_service": [ReceivedRow(MESSAGE_IDS[2], at(0.3))],
            "payment_service": [ReceivedRow(MESSAGE_IDS[1], at(-40)), ReceivedRow(MESSAGE_IDS[3], at(5.2))],
            "inventory_service": [ReceivedRow(MESSAGE_IDS[0], at(0.1)), ReceivedRow(MESSAGE_IDS[3], at(5.1))],
        },
        parked={"payment_service": [foreign], "order_service": [], "inventory_service": []},
        charges=[{"amount": 700, "amount_refunded": 0, "status": "succeeded"}],
    )


def test_nothing_personal_of_the_order_is_in_the_file(records: Records) -> None:
    text = source(collect(records))
    assert [word for word in PERSONAL if word.lower() in text.lower()] == []
    assert str(ORDER) in text, "the body of the parked message names the order by its invented id"


def test_quantities_prices_and_the_stock_of_then_are_those_of_the_order(records: Records) -> None:
    found = collect(records)
    assert (found.lines, found.stock, found.currency) == ([("sku-1", 2, 350)], {"sku-1": 5}, "EUR")
    assert (found.card, found.contact) == ("pm_card_visa", True)


def test_a_message_is_received_after_whatever_announced_it_also_where_a_clock_is_behind(records: Records) -> None:
    steps = collect(records).steps
    assert [step.contract if isinstance(step, Received) else type(step).__name__ for step in steps] == [
        "Command",
        "orders.order_placed.v1",
        "inventory.stock_reserved.v1",
        "payments.payment_captured.v1",
        "Command",
        "orders.order_cancelled.v1",
        "orders.order_cancelled.v1",
        "Foreign",
    ]
    assert steps[4] == Command(5.0, "cancel")


def test_what_is_wrong_with_the_end_is_said_and_that_its_test_fails_until_it_is_mended(records: Records) -> None:
    found = collect(records)
    assert [said.partition(":")[0] for said in found.wrong] == [
        "nothing is kept of a cancelled order",
        "stock follows the order",
    ]
    assert "WRONG: nothing is kept of a cancelled order" in source(found)
    assert "Fails until the cause is mended" in source(found)


def test_a_message_that_has_left_the_inbox_was_received_when_its_events_were_recorded(records: Records) -> None:
    before = collect(records).steps
    del records.received["inventory_service"][0]
    assert collect(records).steps == before


def test_what_has_not_arrived_is_noted_and_the_end_not_judged_yet(records: Records) -> None:
    records.received["payment_service"].pop()
    found = collect(records)
    assert next(iter(found.notes)) == "payment_service has not received orders.order_cancelled.v1."
    assert list(found.wrong) == []


@pytest.mark.parametrize("ruff_does", [("check", "--quiet"), ("format", "--diff")])
def test_the_file_is_written_as_the_other_tests_are(records: Records, ruff_does: Sequence[str]) -> None:
    text, name = source(collect(records)), ROOT / "tests" / "incidents" / "test_grace.py"
    ruff = [sys.executable, "-m", "ruff", *ruff_does, "--no-cache", "--stdin-filename", str(name), "-"]
    done = subprocess.run(ruff, input=text, capture_output=True, text=True, cwd=ROOT, check=False)
    assert done.returncode == 0, done.stdout + done.stderr


def test_the_file_has_the_incident_that_was_collected(records: Records) -> None:
    found, names = collect(records), dict[str, Any]()
    text = source(found).partition("INCIDENT = ")[2].partition("\n\n\n@pytest")[0]
    module = __import__("devstack.incident.incident", fromlist=["Incident"])
    names["found"] = eval(text, vars(module))
    assert isinstance(names["found"], Incident)
    assert (names["found"].steps, names["found"].end) == (found.steps, found.end)
    assert names["found"].lines == found.lines


def test_an_order_that_nobody_placed_has_no_incident() -> None:
    nothing = Records(ID, events={"order_service": [], "payment_service": [], "inventory_service": []})
    with pytest.raises(NoSuchOrder):
        collect(nothing)


def test_an_order_whose_history_is_lost_is_not_called_unknown_and_those_that_know_it_are_named(
    records: Records,
) -> None:
    records.events["order_service"] = []
    with pytest.raises(LostOrder, match=r"^payment_service and inventory_service$"):
        collect(records)


def test_the_lines_of_the_order_have_names_in_json(records: Records) -> None:
    assert as_object(collect(records))["lines"] == [{"sku": "sku-1", "quantity": 2, "unit_price": 350}]


@pytest.mark.parametrize(("pytest_is_there", "first"), [(True, ".venv/bin/python"), (False, "make dev && .venv/")])
def test_how_to_run_it_begins_with_pytest_where_there_is_none(
    pytest_is_there: bool, first: str, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr(command, "find_spec", lambda _: object() if pytest_is_there else None)
    assert command.how_to_run(ROOT / "tests" / "incidents" / "test_grace.py").startswith(first)


def answered(*answers: str) -> list[tuple[str, Any]]:
    """Events of a payment: `declined/reason`, or `topic/refund id`."""
    split = [each.partition("/") for each in answers]
    return [(f"payment.{name}", SimpleNamespace(reason=rest, refund_id=rest)) for name, _, rest in split]


@pytest.mark.parametrize(
    ("card", "answers", "like"),
    [
        ("pm_sim_silent", [], "pm_sim_silent"),
        ("pm_1Abc", ["opened", "captured"], "pm_card_visa"),
        ("pm_1Abc", ["declined/insufficient_funds"], "pm_card_chargeDeclinedInsufficientFunds"),
        ("pm_1Abc", ["declined/card_declined"], "pm_card_chargeDeclined"),
        ("pm_1Abc", ["declined/resource_missing"], "no_such_card"),
        ("pm_1Abc", ["refunded/re_1"], "pm_card_visa"),
        ("pm_1Abc", ["refund_failed/"], "pm_sim_disputed"),
        ("pm_1Abc", ["part_pending/re_1", "part_failed/re_1", "refunded/re_2"], "pm_sim_refund_pending_failed"),
        ("pm_1Abc", ["refunded/re_1", "refund_failed/re_1"], "pm_sim_refund_failed_late"),
    ],
)
def test_a_card_becomes_the_test_card_that_answers_as_it_did(card: str, answers: list[str], like: str) -> None:
    assert cards.like(card, answered(*answers)) == like


def test_a_body_that_is_no_json_becomes_another_that_is_none() -> None:
    assert anonymous(b"grace, Harbour 1", ID, {}) == NOT_JSON


def test_a_body_that_is_nested_too_deep_to_be_read_becomes_one_that_is_no_json() -> None:
    assert anonymous(b"[" * 100_000, ID, {}) == NOT_JSON


def test_of_a_foreign_body_only_the_numbers_of_known_fields_stay() -> None:
    """Others may be that of a card or of a telephone."""
    said = {"amount": 700, "lines": [{"quantity": 2}], "contact": 491701234567, "phone": 491701234567, "paid": True}
    kept = {"amount": 700, "lines": [{"quantity": 2}], "contact": 0, "field_4": 0, "field_5": True}
    assert json.loads(anonymous(json.dumps(said).encode(), ID, {})) == kept
    assert anonymous(b"4111111111111111", ID, {}) == "0"


def test_the_command_that_runs_the_test_can_be_pasted_whatever_the_name_of_the_file() -> None:
    assert how_to_run(Path("a file.py")).endswith(" -p tests.conftest 'a file.py'")


@pytest.mark.parametrize(("moves", "is_wrong"), [(["reserved", "released"], False), (["reserved"], True)])
def test_stock_has_moved_as_the_reservation_says(moves: list[str], is_wrong: bool) -> None:
    reservation = Reservation(id=ID)
    reservation.reserve([ReservedLine(sku="tea", quantity=2)], 1, "EUR", "pm_card_visa")
    reservation.release()
    stock = {"tea": [(f"stock.{each}", SimpleNamespace(quantity=2)) for each in moves]}
    assert bool(list(rules.of_stock(reservation, stock))) is is_wrong
