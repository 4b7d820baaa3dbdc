"""The verdicts of the checker: each names what was made wrong on purpose, and nothing when all is right."""

from collections.abc import Sequence
from datetime import UTC, datetime
from types import SimpleNamespace
from typing import Any
from uuid import UUID, uuid4

import pytest

from devstack.chaos.checker import (
    audit,
    drained,
    effects,
    money,
    operators,
    order_per_key,
    parked,
    placed,
    read_side,
    recovery,
    stock,
    terminal,
)
from devstack.chaos.checker.check import given
from devstack.chaos.checker.evidence import Evidence
from devstack.chaos.checker.operators import Action
from devstack.chaos.checker.recovery import Recovery
from devstack.chaos.checker.refused import Refused
from devstack.chaos.history import Operation
from devstack.chaos.rendering import as_objects, as_text
from devstack.chaos.verdict import Offence, Verdict
from devstack.demo.books import Books
from inventory_service.reservation import Reservation
from inventory_service.stock import ReservedLine, StockItem, stock_item_id
from order_service.order import Order, PricedLine
from ordersaga.audit.findings import AuditFinding
from ordersaga.audit.store_check import VerifyTotals
from ordersaga.cli.app import Application
from ordersaga.readside.rebuild.findings import RebuildFinding
from ordersaga.reconcile.findings import ReconcileFinding
from payment_service.part import new_part
from payment_service.payment import Payment

TOTAL = 890


class Sale:
    """The books of a shop that has sold one tea to one customer, all of it right."""

    def __init__(self) -> None:
        self.id = uuid4()
        self.order = Order.place(self.id, "ann", [PricedLine(sku="tea", quantity=1, unit_price=TOTAL)], "EUR", "visa")
        self.order.confirm("ch_1")
        self.payment = Payment(self.id)
        self.payment.capture("ch_1", TOTAL, "EUR")
        self.reservation = Reservation(self.id)
        self.reservation.reserve([ReservedLine(sku="tea", quantity=1)], TOTAL, "EUR", "visa")
        self.reservation.ship()
        self.item = StockItem(id=stock_item_id("tea"), sku="tea")
        self.item.receive(10)
        self.item.reserve(self.id, 1)
        self.item.ship(self.id, 1)
        self.books = Books([self.order], {self.id: self.payment}, {self.id: self.reservation}, [self.item])
        self.books.received["tea"] = 10
        self.charge("ch_1", str(self.id))

    def charge(self, id_: str, order_id: str, amount: int = TOTAL) -> None:
        self.books.charges[order_id].append({"id": id_, "amount": amount, "amount_refunded": 0})

    def cancel(self) -> None:
        """Everything is undone but the money."""
        self.order.cancel("changed_my_mind")
        self.reservation.release()
        self.item.restock(self.id, 1)

    @property
    def stock_events(self) -> Sequence[Any]:
        return self.item.pending_events


@pytest.fixture
def sale() -> Sale:
    return Sale()


def offending(verdict: Verdict) -> list[str]:
    return [offence.subject for offence in verdict.offences]


def test_books_that_balance_are_good(sale: Sale) -> None:
    judged = money.judge(sale.books), stock.judge(sale.books, sale.stock_events), terminal.judge(sale.books, ())
    assert [verdict.offences for verdict in judged] == [[], [], []]
    assert money.judge(sale.books).counts["ok"] == 1


def test_money_names_a_charge_of_an_order_that_nobody_placed(sale: Sale) -> None:
    sale.charge("ch_2", "nobody")
    found = money.judge(sale.books)
    assert (offending(found), found.counts["unexpected"]) == (["charge ch_2"], 1)


def test_money_names_an_order_that_was_charged_twice(sale: Sale) -> None:
    sale.charge("ch_2", str(sale.id))
    found = money.judge(sale.books)
    assert (offending(found), found.counts["duplicated"]) == ([f"order {sale.id}"], 1)


def test_money_names_a_confirmed_order_that_was_never_charged(sale: Sale) -> None:
    sale.books.charges.clear()
    found = money.judge(sale.books)
    assert (offending(found), found.counts["lost"]) == ([f"order {sale.id}"], 1)


def test_money_names_a_cancelled_order_whose_refund_was_forgotten(sale: Sale) -> None:
    sale.cancel()
    assert offending(money.judge(sale.books)) == [f"order {sale.id}"]


def test_money_names_a_refund_that_the_card_processor_does_not_know(sale: Sale) -> None:
    sale.cancel()
    sale.payment.refund("re_1")
    assert offending(money.judge(sale.books)) == [f"order {sale.id}"]


def test_money_names_a_payment_of_an_order_that_nobody_placed(sale: Sale) -> None:
    stray = Payment(uuid4())
    stray.capture("ch_9", 100, "EUR")
    sale.books.payments[stray.id] = stray
    assert offending(money.judge(sale.books)) == [f"payment {stray.id}"]


def test_money_names_a_charge_of_which_more_was_refunded_than_captured(sale: Sale) -> None:
    """The shop's own record agrees with the ledger."""
    sale.payment.parts.append({**new_part(1, TOTAL + 1, "broken"), "state": "refunded"})
    sale.books.charges[str(sale.id)][0]["amount_refunded"] = TOTAL + 1  # type: ignore[index]
    assert offending(money.judge(sale.books)) == ["charge ch_1"]


def test_money_does_not_judge_an_order_that_waits_for_a_person_on_purpose(sale: Sale) -> None:
    sale.cancel()
    assert money.judge(sale.books, frozenset({str(sale.id)})).is_good


def test_stock_names_a_product_of_which_a_unit_is_gone(sale: Sale) -> None:
    sale.books.received["tea"] = 11
    assert offending(stock.judge(sale.books, sale.stock_events)) == ["stock tea"]


def test_stock_names_the_moment_at_which_more_was_reserved_than_there_was(sale: Sale) -> None:
    sale.item._reserve(uuid4(), 20)
    sale.item._release(uuid4(), 20)
    found = stock.judge(sale.books, sale.stock_events)
    assert found.offences == [Offence("stock tea", "at version 5: 20 reserved of 9 on hand")]


@pytest.mark.parametrize("state", ["reserved", "shipped"])
def test_stock_names_a_reservation_of_an_order_that_nobody_placed(sale: Sale, state: str) -> None:
    """The stock item agrees with the reservation, so that every unit is accounted for."""
    stray = Reservation(uuid4())
    stray.reserve([ReservedLine(sku="tea", quantity=2)], TOTAL, "EUR", "visa")
    sale.item.reserve(stray.id, 2)
    if state == "shipped":
        stray.ship()
        sale.item.ship(stray.id, 2)
    sale.books.reservations[stray.id] = stray
    assert offending(stock.judge(sale.books, sale.stock_events)) == [f"reservation {stray.id}"]


def test_stock_names_an_order_that_was_shipped_twice(sale: Sale) -> None:
    sale.item._ship(sale.id, 1)
    assert f"order {sale.id}" in offending(stock.judge(sale.books, sale.stock_events))


def test_terminal_names_an_order_that_has_not_ended(sale: Sale) -> None:
    sale.books.orders = [Order.place(sale.id, "ann", sale.order.lines, "EUR", "visa")]
    assert set(offending(terminal.judge(sale.books, ()))) == {f"order {sale.id}"}


def test_terminal_names_an_order_of_which_another_quantity_was_shipped(sale: Sale) -> None:
    sale.reservation.lines = [ReservedLine(sku="tea", quantity=2)]
    found = terminal.judge(sale.books, ())
    assert found.offences == [Offence(f"order {sale.id}", "{'tea': 1} was sold, and {'tea': 2} shipped")]


def test_terminal_names_a_reservation_a_payment_and_a_deadline_that_are_left(sale: Sale) -> None:
    sale.order.cancel("changed_my_mind")
    sale.payment.state = "open"
    left = [SimpleNamespace(aggregate_id=sale.id, name="completion", due_at=datetime.now(UTC))]
    said = [offence.detail for offence in terminal.judge(sale.books, left).offences]
    assert ["reservation" in said[0], "payment" in said[1], "deadline" in said[2], len(said)] == [True, True, True, 3]


def test_terminal_names_a_part_of_a_refund_that_is_not_made(sale: Sale) -> None:
    sale.payment.request_part(100, "broken")
    assert offending(terminal.judge(sale.books, ())) == [f"order {sale.id}"]


@pytest.mark.parametrize(
    ("kind", "word"),
    [("missing", "lost"), ("duplicated", "duplicated"), ("unexpected", "unexpected"), ("altered", "unexpected")],
)
def test_effects_name_the_message_of_each_finding_of_reconcile(kind: str, word: str) -> None:
    id_ = uuid4()
    found = effects.judge([ReconcileFinding(kind, "payment_service.inbox", "", id_)], 10)
    assert (offending(found), found.counts[word], found.counts["ok"]) == ([f"message {id_}"], 1, 9)


def test_effects_leave_a_message_that_is_parked_on_purpose_to_another_verdict() -> None:
    finding = ReconcileFinding("parked", "payment_service.parked_messages", "", uuid4(), key="k")
    assert effects.judge([finding], 10, frozenset({"k"})).is_good


def ordered(first: int, second: int) -> Verdict:
    one, two = UUID(int=1), UUID(int=2)
    effect = {one: (first, first), two: (second, second)}
    return order_per_key.judge({"orders": [(one, "k", 1), (two, "k", 2)]}, {"payments": effect})


def test_order_names_a_message_whose_effect_overtook_an_earlier_one_of_its_key() -> None:
    found = ordered(first=8, second=7)
    assert (offending(found), found.counts["unexpected"]) == ([f"message {UUID(int=2)}"], 1)
    assert str(UUID(int=1)) in found.offences[0].detail


def test_order_is_good_where_effects_follow_the_outbox_and_other_keys_may_overtake() -> None:
    one, two = UUID(int=1), UUID(int=2)
    assert ordered(first=7, second=8).is_good
    announced = {"orders": [(one, "k", 1), (two, "other", 2)]}
    assert order_per_key.judge(announced, {"payments": {one: (8, 8), two: (7, 7)}}).is_good


def test_read_side_names_the_row_that_differs() -> None:
    finding = RebuildFinding("differs", "saga_view", {"order_id": "o"}, columns={"state": ("placed", "confirmed")})
    assert offending(read_side.judge([finding], 10)) == ["saga_view o"]
    assert read_side.judge([finding], 10, frozenset({"o"})).is_good


def test_audit_names_the_event_that_was_edited() -> None:
    stream = uuid4()
    found = audit.judge([AuditFinding("edited", "orders", "", stream, 3)], [VerifyTotals("orders", 10, 10, 2)])
    assert (offending(found), found.counts["sealed"]) == ([f"event {stream} version 3"], 10)


def test_drained_names_outboxes_and_queues_that_are_not() -> None:
    detached = SimpleNamespace(queue="payments.0", since="noon")
    found = drained.judge({"orders": (2, [detached]), "payments": (0, [])}, {"orders.0": (0, 1), "orders.1": (0, 0)})
    assert offending(found) == ["outbox orders", "queue payments.0", "queue orders.0"]


def test_drained_is_not_good_when_the_broker_gives_no_answer() -> None:
    assert offending(drained.judge({}, "The broker does not answer.")) == ["broker"]


def test_drained_is_not_good_when_the_broker_has_no_queue_at_all() -> None:
    assert offending(drained.judge({}, {})) == ["broker"]


def test_parked_names_what_was_not_injected_and_what_was_and_is_not_there() -> None:
    found = parked.judge({"orders": [Refused("m1", "m1", "k", "dead", "")]}, {"m2"})
    assert offending(found) == ["message m1", "message m2"]
    assert (found.counts["unexpected"], found.counts["lost"]) == (1, 1)


def test_parked_expects_what_waits_behind_an_injected_message_of_its_key_alone() -> None:
    injected = Refused("m1", "a1", "k", "dead", "")
    behind, other = Refused("m2", "m2", "k", "waiting", ""), Refused("m3", "m3", "l", "waiting", "")
    assert parked.judge({"orders": [injected, behind]}, {"a1"}).is_good
    assert offending(parked.judge({"orders": [injected, other]}, {"a1"})) == ["message m3"]


def acted(action: str = "retry", outcome: Any = "ok") -> Operation:
    request = {"database": "orders", "about": "m1", "caller": "olga", "reason": "mended"}
    return Operation(1, "t", action, "s", request, 0, outcome=outcome)


RECORDED = Action("orders", "retry", "m1", "olga", "mended")


def test_operators_are_good_when_each_action_is_recorded_once() -> None:
    assert operators.judge([acted()], [RECORDED]).is_good
    assert operators.judge([acted(outcome="indeterminate")], []).is_good
    assert operators.judge([acted(outcome="indeterminate")], [RECORDED]).is_good


@pytest.mark.parametrize(
    ("operations", "recorded", "word"),
    [
        ([acted()], [], "lost"),
        ([acted()], [RECORDED, RECORDED], "duplicated"),
        ([acted(), acted("skip", "fail")], [RECORDED, RECORDED._replace(action="skip")], "unexpected"),
    ],
)
def test_operators_name_actions_that_are_not_recorded_as_they_were_done(
    operations: list[Operation], recorded: list[Action], word: str
) -> None:
    found = operators.judge(operations, recorded)
    assert (len(found.offences), found.counts[word]) == (1, 1)


def test_operators_name_an_action_without_a_reason_whoever_did_it() -> None:
    assert len(operators.judge([], [RECORDED._replace(reason="")]).offences) == 1


def test_recovery_names_the_order_that_was_not_confirmed_in_time() -> None:
    found = recovery.judge(Recovery(60, ready=3, order_id="o", lacks="order o is placed"))
    assert (offending(found), found.counts) == (["order o"], {"seconds until ready": 3})
    assert recovery.judge(Recovery(60, ready=3, confirmed=4, order_id="o")).is_good


def test_a_load_without_an_acknowledged_order_proves_nothing() -> None:
    refused = Operation(1, "t", "place_order", "k", {}, 0, outcome="fail")
    assert offending(placed.placed([], [])) == offending(placed.placed([refused], [])) == ["load"]


def test_a_client_of_the_load_that_failed_is_named_and_the_others_go_on() -> None:
    done = Operation(1, "t", "place_order", "k", {}, 0, outcome="ok")
    assert placed.placed([done], []).is_good
    found = placed.placed([done], ["2: KeyError('order_id')"] * 2)
    assert found.offences == [Offence("client", "2: KeyError('order_id') (2 times)")]


def test_text_and_json_have_every_offence_by_its_id() -> None:
    verdicts = [Verdict("money", "Is it?", {"lost": 1}, [Offence("order o", "gone")]), Verdict("stock", "Is it?")]
    assert "order o: gone" in as_text(verdicts)
    assert "Bad: money." in as_text(verdicts)
    assert [each["good"] for each in as_objects(verdicts)] == [False, True]


def test_a_verdict_that_cannot_be_given_is_bad_and_says_why() -> None:
    def order_per_key(_: Evidence) -> Verdict:
        raise LookupError("an event of no known kind")

    found = given(order_per_key, Evidence(Application(tuple), (), {}))
    assert (found.name, found.offences) == (
        "order per key",
        [Offence("checker", "LookupError: an event of no known kind")],
    )
