"""Confirms that come early, late, for many at once or not at all are told in the order of sending."""

from collections.abc import Sized
from datetime import UTC, datetime
from uuid import UUID, uuid4

from hypothesis import given
from hypothesis import strategies as st

from ordersaga.envelope.message import Cause, Message
from ordersaga.relay.confirms import Confirms, Outcome


def message() -> Message:
    return Message(uuid4(), "orders.order_placed.v1", "orders", "1", 1, datetime.now(UTC), b"", Cause(uuid4()), "{}")


def sent(count: int) -> tuple[Confirms, list[Message]]:
    confirms, messages = Confirms(), [message() for _ in range(count)]
    confirms.sent(messages)
    return confirms, messages


def test_a_confirm_ahead_of_its_turn_waits_for_those_before_it() -> None:
    confirms, _ = sent(3)
    confirms.acked(2, multiple=False)
    assert confirms.outcome() == Outcome(0, ())
    confirms.acked(1, multiple=False)
    assert confirms.outcome() == Outcome(2, ())
    assert confirms.in_flight == 1


def test_one_confirm_can_settle_many() -> None:
    confirms, _ = sent(5)
    confirms.acked(4, multiple=True)
    assert confirms.outcome() == Outcome(4, ())


def test_a_nack_is_a_refusal_and_those_around_it_are_not() -> None:
    confirms, messages = sent(3)
    confirms.nacked(2, multiple=False)
    confirms.acked(3, multiple=True)
    outcome = confirms.outcome()
    assert outcome.settled == 3
    assert [(refusal.index, refusal.message) for refusal in outcome.refusals] == [(1, messages[1])]


def test_a_nack_of_many_spares_what_was_confirmed_before() -> None:
    confirms, messages = sent(3)
    confirms.acked(2, multiple=False)
    confirms.nacked(3, multiple=True)
    assert [refusal.message for refusal in confirms.outcome().refusals] == [messages[0], messages[2]]


def test_a_returned_message_is_a_refusal_although_it_is_acked() -> None:
    confirms, messages = sent(2)
    confirms.returned(str(messages[1].id), "no route")
    confirms.acked(2, multiple=True)
    (refusal,) = confirms.outcome().refusals
    assert (refusal.message, refusal.reason) == (messages[1], "no route")


def test_of_what_is_abandoned_nothing_is_told() -> None:
    confirms, _ = sent(3)
    confirms.drop_in_flight()
    confirms.sent([message()])
    confirms.nacked(2, multiple=False)
    confirms.acked(3, multiple=True)
    assert confirms.outcome() == Outcome(0, ())
    confirms.acked(4, multiple=False)
    assert confirms.outcome() == Outcome(1, ())
    confirms.sent([newest := message()])
    assert confirms.unconfirmed == [newest]
    confirms.nacked(5, multiple=False)
    assert [refusal.message for refusal in confirms.outcome().refusals] == [newest]


@given(st.permutations(range(1, 9)), st.sets(st.integers(1, 8)))
def test_in_whatever_order_confirms_come_each_message_is_settled_once(order: list[int], refused: set[int]) -> None:
    confirms, messages = sent(8)
    told: list[UUID] = []
    settled = 0
    for tag in order:
        (confirms.nacked if tag in refused else confirms.acked)(tag, multiple=False)
        outcome = confirms.outcome()
        settled += outcome.settled
        told += [refusal.message.id for refusal in outcome.refusals]
    assert settled == 8
    assert told == [messages[tag - 1].id for tag in sorted(refused)]


def test_what_is_not_confirmed_is_named_also_between_confirms() -> None:
    confirms, messages = sent(4)
    confirms.acked(1, multiple=False)
    confirms.acked(3, multiple=False)
    assert confirms.unconfirmed == [messages[1], messages[3]]


def test_a_refusal_is_told_once_and_counted_from_the_outcome_before() -> None:
    confirms, messages = sent(5)
    confirms.acked(2, multiple=True)
    assert confirms.outcome() == Outcome(2, ())
    confirms.nacked(4, multiple=False)
    confirms.acked(3, multiple=False)
    assert [(refusal.index, refusal.message) for refusal in confirms.outcome().refusals] == [(1, messages[3])]
    confirms.acked(5, multiple=False)
    assert confirms.outcome() == Outcome(1, ())


def test_of_what_is_settled_nothing_is_kept_however_it_was_confirmed() -> None:
    confirms, _ = sent(9)
    confirms.acked(2, multiple=True)
    confirms.nacked(2, multiple=False)
    confirms.acked(2, multiple=False)
    confirms.nacked(4, multiple=True)
    confirms.acked(6, multiple=False)
    confirms.acked(6, multiple=True)
    confirms.nacked(9, multiple=True)
    confirms.outcome()
    assert {name: kept for name, kept in vars(confirms).items() if isinstance(kept, Sized) and kept} == {}
