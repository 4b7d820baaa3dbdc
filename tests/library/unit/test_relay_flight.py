"""What a relay has in hand: one of each key with the broker, the others behind it, and no place beyond a gap."""

from collections.abc import Iterator
from datetime import UTC, datetime
from uuid import uuid4

from hypothesis import given
from hypothesis import strategies as st

from ordersaga.envelope.message import Cause, Message
from ordersaga.relay.flight import Flight
from ordersaga.relay.window import Outgoing


def row(position: int, key: str) -> Outgoing:
    moment = datetime.now(UTC)
    return Outgoing(position, Message(uuid4(), "a.b.v1", "a", key, position, moment, b"", Cause(uuid4()), "{}"))


def rows(keys: str) -> list[Outgoing]:
    return [row(position, key) for position, key in enumerate(keys, 1)]


def launch(flight: Flight, window: list[Outgoing]) -> list[Outgoing]:
    flight.read(window)
    due = flight.admit(window)
    flight.sent(due)
    return due


def confirm(flight: Flight, count: int) -> Iterator[Outgoing]:
    for landed in flight.landed(count):
        flight.finish(landed)
        following = flight.next_of(landed.message.key)
        if following:
            flight.sent([following])
            yield following


def test_the_second_of_a_key_waits_for_the_first_and_other_keys_do_not() -> None:
    flight = Flight()
    window = rows("aab")
    assert launch(flight, window) == [window[0], window[2]]
    assert flight.outstanding == 3
    assert list(confirm(flight, 1)) == [window[1]]


def test_the_place_in_the_window_stays_before_the_first_row_that_waits() -> None:
    flight = Flight()
    launch(flight, rows("aab"))
    assert flight.advance() is None
    list(confirm(flight, 2))
    assert flight.advance() == 1
    list(confirm(flight, 1))
    assert flight.advance() == 3
    assert flight.outstanding == 0


def test_what_waits_behind_a_refused_row_is_given_up_with_it() -> None:
    flight = Flight()
    window = rows("aaab")
    launch(flight, window)
    refused, _ = flight.landed(2)
    assert flight.give_up(refused.message.key) == window[1:3]
    flight.set_aside(window[:3])
    assert flight.advance() == 3
    assert flight.is_plain
    assert not flight.has("a")


def test_a_row_that_is_tried_again_counts_neither_for_the_window_nor_for_its_place() -> None:
    flight = Flight()
    again = row(7, "a")
    flight.admit_again([again])
    flight.sent([again])
    assert (flight.in_flight, flight.outstanding) == (1, 0)
    assert flight.landed(1) == [again]
    assert flight.finish(again)
    assert flight.next_of("a") is None
    assert flight.advance() is None


@given(st.text("abc", max_size=40), st.lists(st.integers(1, 4)))
def test_each_key_is_sent_in_order_one_at_a_time_and_nothing_is_skipped(keys: str, steps: list[int]) -> None:
    flight = Flight()
    window = rows(keys)
    sent = launch(flight, window)
    for step in [*steps, *[1] * len(keys)]:
        in_hand = [each.message.key for each in flight.with_the_broker]
        assert len(in_hand) == len(set(in_hand))
        sent += confirm(flight, min(step, flight.in_flight))
        confirmed = sent[: len(sent) - flight.in_flight]
        place = flight.advance() or 0
        assert {each.position for each in confirmed} >= set(range(1, place + 1))
    assert sorted(sent) == window
    assert flight.advance() == (len(window) or None)
    for key in "abc":
        assert [each for each in sent if each.message.key == key] == [e for e in window if e.message.key == key]
