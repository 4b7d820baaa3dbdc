"""What a relay has in hand: one of each key with the broker, the others behind it, and no place beyond a gap."""

from collections.abc import Iterator, Sized
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


def test_what_is_in_hand_is_told_by_messages_rows_and_bytes_and_a_limit_may_be_reached() -> None:
    flight = InFlight()
    launch(flight, rows("aaab"))
    assert (flight.count, flight.outstanding, flight.bytes) == (2, 4, 8)
    assert not flight.exceeds(2, 4, 8)
    assert flight.exceeds(1, 4, 8)
    assert flight.exceeds(2, 3, 8)
    assert flight.exceeds(2, 4, 7)


def test_while_a_row_waits_or_is_tried_again_a_confirm_may_make_one_due() -> None:
    flight = InFlight()
    assert flight.has_no_waiters
    launch(flight, rows("aa"))
    assert not flight.has_no_waiters
    flight = InFlight()
    flight.admit_retries([row(7, "a")])
    assert not flight.has_no_waiters


def test_a_new_window_knows_nothing_of_the_one_before() -> None:
    flight = InFlight()
    launch(flight, rows("ab"))
    list(confirm(flight, 2))
    flight.begin()
    assert (flight.read_so_far, flight.advance()) == (0, None)
    flight.read([row(2, "c")])
    assert (flight.read_so_far, flight.advance()) == (1, None)


def test_a_row_and_one_that_is_tried_again_are_told_apart_and_the_second_attempt_is_the_last() -> None:
    flight = InFlight()
    again, [first] = row(7, "b"), rows("a")
    flight.admit_retries([again])
    launch(flight, [first])
    assert flight.has("a")
    assert flight.has("b")
    assert not flight.has("c")
    assert flight.finish(again) is True
    assert flight.finish(first) is False
    assert not flight.is_retry(again)
    assert flight.advance() == 1


def test_after_a_reconnect_nothing_is_with_the_broker_and_the_place_stays() -> None:
    flight = InFlight()
    launch(flight, rows("aab"))
    flight.admit_retries([row(7, "c")])
    list(confirm(flight, 1))
    flight.clear()
    assert (flight.count, flight.outstanding, flight.bytes) == (0, 0, 0)
    assert flight.has_no_waiters
    assert not any(map(flight.has, "abc"))
    assert (flight.advance(), flight.read_so_far) == (1, 3)


def test_of_windows_that_are_settled_nothing_is_kept() -> None:
    flight = InFlight()
    launch(flight, rows("aab"))
    while flight.count:
        list(confirm(flight, 1))
    assert flight.advance() == 3
    assert {name: kept for name, kept in vars(flight).items() if isinstance(kept, Sized) and kept} == {}
