"""The checker over commands: what was acknowledged is there once, what was refused is not there."""

from dataclasses import replace
from types import SimpleNamespace
from typing import Any
from uuid import UUID, uuid4

import pytest

from devstack.chaos.checker.commands import DirectEvent, judge
from devstack.chaos.history import Operation
from devstack.chaos.verdict import Verdict
from inventory_service.stock import StockItem, stock_item_id
from order_service.order import Order
from payment_service.payment import Payment

RECEIPT = StockItem.Received.TOPIC
TEA = stock_item_id("tea")
ORDER = UUID(int=7)


class Received:
    """The content of a receipt."""

    def __init__(self, quantity: int, sku: str = "tea") -> None:
        self.sku = sku
        self.quantity = quantity


def receipt(key: str, outcome: Any = "ok", quantity: int = 5, resolved: float | None = None) -> Operation:
    request = {"caller": "ann", "facts": {"sku": "tea", "quantity": quantity}, "body": {"quantity": quantity}}
    return Operation(1, "t", "receive_stock", key, request, 0, outcome=outcome, resolved=resolved)


def recorded(key: str, quantity: int = 5, item: UUID = TEA) -> DirectEvent:
    return DirectEvent(item, RECEIPT, receipt(key).correlation_id, "ann", Received(quantity))


def refund(order_id: UUID) -> Operation:
    facts = {"order_id": str(order_id), "amount": 100}
    return Operation(
        1, "t", "refund_part", "k", {"caller": "ann", "facts": facts, "body": {"reason": "broken"}}, 0, outcome="ok"
    )


def order() -> list[Operation]:
    """The price list with tea, and an order of one tea."""
    wanted = {"lines": [{"sku": "tea", "quantity": 1}], "card": "visa"}
    asked = Operation(2, "t", "place_order", "k", {"caller": "ann", "body": wanted}, 0, outcome="ok")
    return [priced(1, "price"), asked]


def placed(**otherwise: Any) -> DirectEvent:
    content = {"customer": "ann", "card": "visa", "total": 890, "currency": "EUR"}
    lines = [{"sku": "tea", "quantity": 1, "unit_price": 890}]
    event = SimpleNamespace(**{**content, "lines": lines, **otherwise})
    return DirectEvent(ORDER, Order.Placed.TOPIC, order()[1].correlation_id, "ann", event)


def verdict(operations: list[Operation], events: list[DirectEvent], keys: tuple[str, ...] = ("k",)) -> Verdict:
    return judge(operations, events, keys, ())


def offending(found: Verdict) -> list[str]:
    return [offence.subject for offence in found.offences]


def test_an_acknowledged_command_with_its_event_is_ok() -> None:
    found = verdict([receipt("k")], [recorded("k")])
    assert (found.is_good, found.counts["ok"]) == (True, 1)


def test_an_acknowledged_command_without_its_event_is_lost() -> None:
    found = verdict([receipt("k")], [])
    assert (offending(found), found.counts["lost"]) == (["receive_stock k"], 1)


def test_a_command_that_took_effect_twice_is_duplicated() -> None:
    found = verdict([receipt("k")], [recorded("k"), recorded("k")])
    assert (offending(found), found.counts["duplicated"]) == (["receive_stock k"], 1)


def test_an_acknowledgement_that_is_not_stored_would_be_duplicated() -> None:
    found = verdict([receipt("k")], [recorded("k")], keys=())
    assert offending(found) == ["receive_stock k"]


def test_a_refused_command_with_an_event_is_unexpected() -> None:
    found = verdict([receipt("k", "fail")], [recorded("k")], keys=())
    assert (offending(found), found.counts["unexpected"]) == (["receive_stock k"], 1)


def test_a_refused_command_whose_answer_is_stored_as_done_is_unexpected() -> None:
    assert offending(verdict([receipt("k", "fail")], [])) == ["receive_stock k"]


def test_an_event_that_no_command_has_asked_for_is_unexpected() -> None:
    item = uuid4()
    found = verdict([receipt("k")], [recorded("k"), recorded("other", item=item)])
    assert (offending(found), found.counts["unexpected"]) == ([f"{RECEIPT} of {item}"], 1)


def test_an_event_that_says_otherwise_than_its_command_is_unexpected() -> None:
    assert offending(verdict([receipt("k")], [recorded("k", quantity=6)])) == ["receive_stock k"]


def test_two_different_requests_acknowledged_under_one_key_are_unexpected() -> None:
    assert offending(verdict([receipt("k"), receipt("k", quantity=6)], [recorded("k")])) == ["receive_stock k"]


def test_a_repeat_with_another_body_that_was_refused_leaves_the_first_ok() -> None:
    found = verdict([receipt("k"), receipt("k", "fail", quantity=6)], [recorded("k")])
    assert (found.is_good, found.counts["ok"]) == (True, 1)


def test_a_command_without_an_answer_is_recovered_when_it_is_there_and_else_indeterminate() -> None:
    there = verdict([receipt("k", "indeterminate")], [recorded("k")])
    absent = verdict([receipt("k", "indeterminate")], [], keys=())
    asked_again = verdict([receipt("k", resolved=9.0)], [recorded("k")])
    assert (there.counts["recovered"], absent.counts["indeterminate"], asked_again.counts["recovered"]) == (1, 1, 1)
    assert there.is_good
    assert absent.is_good
    assert asked_again.is_good


def priced(number: int, kind: str, attempts: int = 1) -> Operation:
    body = {"unit_price": 890, "currency": "EUR"}
    request = {"caller": "op", "facts": {"sku": "tea", "retired": kind == "retire"}, "body": body}
    return Operation(number, "t", kind, f"p{number}", request, 0, attempts=attempts, outcome="ok")


def test_an_acknowledged_retirement_that_is_not_on_the_price_list_is_lost() -> None:
    found = judge([priced(1, "price"), priced(2, "retire")], [], (), (), {"tea": False})
    assert (offending(found), found.counts["lost"]) == (["product tea"], 1)
    assert judge([priced(1, "price"), priced(2, "retire")], [], (), (), {"tea": True}).is_good


def test_a_product_with_an_attempt_that_may_take_effect_later_is_not_judged() -> None:
    assert judge([priced(1, "price", attempts=2), priced(2, "retire")], [], (), (), {"tea": False}).is_good


def test_a_receipt_that_is_recorded_of_another_product_is_unexpected() -> None:
    event = replace(recorded("k"), content=Received(5, "coffee"))
    assert verdict([receipt("k")], [event]).counts["unexpected"] == 1


def test_a_command_that_is_recorded_under_another_caller_is_unexpected() -> None:
    assert verdict([receipt("k")], [replace(recorded("k"), actor="ben")]).counts["unexpected"] == 1


def test_a_part_that_is_refunded_of_another_order_is_unexpected() -> None:
    content = SimpleNamespace(amount=100, reason="broken")
    event = DirectEvent(ORDER, Payment.PartRequested.TOPIC, refund(ORDER).correlation_id, "ann", content)
    assert verdict([refund(ORDER)], [event]).is_good
    assert verdict([refund(uuid4())], [event]).counts["unexpected"] == 1


@pytest.mark.parametrize(
    "otherwise",
    [
        {"customer": "ben"},
        {"card": "another"},
        {"total": 889},
        {"currency": "USD"},
        {"lines": [{"sku": "tea", "quantity": 1, "unit_price": 1}], "total": 1},
    ],
    ids=lambda each: next(iter(each)),
)
def test_an_order_that_is_recorded_with_another_content_is_unexpected(otherwise: dict[str, Any]) -> None:
    assert judge(order(), [placed()], ("k",), (), {"tea": False}).is_good
    assert judge(order(), [placed(**otherwise)], ("k",), (), {"tea": False}).counts["unexpected"] == 1
