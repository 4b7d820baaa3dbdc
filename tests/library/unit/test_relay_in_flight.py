"""What a relay has in hand: one of each key with the broker, the others behind it, and no place beyond a gap."""

from collections.abc import Iterator
from datetime import UTC, datetime
from uuid import uuid4

from hypothesis import given
from hypothesis import strategies as st

from ordersaga.envelope.message import Cause, Message
from ordersaga.relay.in_flight import InFlight
from ordersaga.relay.window import Outgoing


def row(position: int, key: str) -> Outgoing:
    moment = datetime.now(UTC)
    return Outgoing(position, Message(uuid4(), "a.b.v1", "a", key, position, moment, b"", Cause(uuid4()), "{}"), 2)


def rows(keys: str) -> list[Outgoing]:
    return [row(position, key) for position, key in enumerate(keys, 1)]


def launch(flight: InFlight, window: list[Outgoing]) -> list[Outgoing]:
    flight.read(window)
    due = flight.admit(window)
    flight.mark_sent(due)
    return due


def confirm(flight: InFlight, count: int) -> Iterator[Outgoing]:
    for landed in flight.pop_settled(count):
        flight.finish(landed)
        following = flight.next_of(landed.message.key)
        if following:
            flight.mark_sent([following])
            yield following


def test_the_second_of_a_key_waits_for_the_first_and_other_keys_do_not() -> None:
    flight = InFlight()
    window = rows("aab")
    assert launch(flight, window) == [window[0], window[2]]
    assert flight.outstanding == 3
    assert list(confirm(flight, 1)) == [window[1]]


def test_the_place_in_the_window_stays_before_the_first_row_that_waits() -> None:
    flight = InFlight()
    launch(flight, rows("aab"))
    assert flight.advance() is None
    list(confirm(flight, 2))
    assert flight.advance() == 1
    list(confirm(flight, 1))
    assert flight.advance() == 3
    assert flight.outstanding == 0


def test_what_waits_behind_a_refused_row_is_given_up_with_it() -> None:
    flight = InFlight()
    window = rows("aaab")
    launch(flight, window)
    refused, _ = flight.pop_settled(2)
    assert flight.pop_waiters(refused.message.key) == window[1:3]
    flight.mark_settled(window[:3])
    assert flight.advance() == 3
    assert flight.has_no_waiters
    assert not flight.has("a")
    assert flight.bytes == 0


def test_a_row_that_is_tried_again_counts_neither_for_the_window_nor_for_its_place() -> None:
    flight = InFlight()
    again = row(7, "a")
    flight.admit_retries([again])
    flight.mark_sent([again])
    assert (flight.count, flight.outstanding) == (1, 0)
    assert flight.pop_settled(1) == [again]
    assert flight.finish(again)
    assert flight.next_of("a") is None
    assert flight.advance() is None


@given(st.text("abc", max_size=40), st.lists(st.integers(1, 4)))
def test_each_key_is_sent_in_order_one_at_a_time_and_nothing_is_skipped(keys: str, steps: list[int]) -> None:
    flight = InFlight()
    window = rows(keys)
    sent = launch(flight, window)
    for step in [*steps, *[1] * len(keys)]:
        in_hand = [each.message.key for each in flight.sent_rows]
        assert len(in_hand) == len(set(in_hand))
        sent += confirm(flight, min(step, flight.count))
        confirmed = sent[: len(sent) - flight.count]
        assert flight.bytes == 2 * flight.outstanding
        place = flight.advance() or 0
        assert {each.position for each in confirmed} >= set(range(1, place + 1))
    assert sorted(sent) == window
    assert flight.advance() == (len(window) or None)
    for key in "abc":
        assert [each for each in sent if each.message.key == key] == [e for e in window if e.message.key == key]
