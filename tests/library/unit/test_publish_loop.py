"""What a relay opens, reads, sends, saves and waits for, without servers: its cursor stays behind what is settled."""

import pytest
from structlog.testing import capture_logs

from ordersaga.relay.dispatch import MAX_IN_FLIGHT, MAX_READ_AHEAD, PAGE_BYTES, READ_AHEAD_BYTES, DrainTimeout
from ordersaga.relay.publish_loop import BACKSTOP_SECONDS
from ordersaga.relay.publisher import BrokerUnavailable, MessageTooLarge
from ordersaga.relay.silence import QueueSilent
from ordersaga.relay.window import Cursor, Outgoing
from ordersaga.runtime import failpoints
from tests.library.unit.publishing import BEGIN, CHUNK, FIRST, PAGE, SECOND, LoopStandIns, install, look_again


@pytest.fixture
def relay(monkeypatch: pytest.MonkeyPatch) -> LoopStandIns:
    return install(monkeypatch)


def test_a_window_is_kept_and_sent_in_chunks_and_its_end_is_saved_with_the_next_look(relay: LoopStandIns) -> None:
    relay.windows = [(FIRST, 1, 7)]
    look_again(relay)
    relay.loop.run()
    assert relay.of("purge beside") == [[6]]
    assert relay.of("keep") == [[[1, 2, 3, 4, 5, 6], FIRST]]
    assert relay.of("send") == [[[1, 2, 3, 4]], [[5, 6]]]
    assert relay.of("open") == [[Cursor(BEGIN), None], [Cursor(FIRST), Cursor(FIRST)]]
    assert relay.of("save") == []


def test_a_relay_may_be_killed_where_rows_were_found_and_where_its_cursor_is_saved_and_only_there(
    relay: LoopStandIns, monkeypatch: pytest.MonkeyPatch
) -> None:
    """`chaos explore` arms these failpoints, and counts those that are reached."""
    reached: list[str] = []
    monkeypatch.setattr(failpoints, "reach", reached.append)
    look_again(relay)
    relay.loop.run()
    assert reached == []
    relay.stop.clear()
    relay.windows = [(FIRST, 1, 3)]
    look_again(relay)
    relay.loop.run()
    assert reached == ["relay.window-opened", "relay.before-cursor", "relay.cursor-moved"]


def test_each_round_begins_with_retries_and_the_first_without_what_was_in_flight_before(relay: LoopStandIns) -> None:
    look_again(relay)
    relay.loop.run()
    room = ("settle", MAX_IN_FLIGHT, PAGE, READ_AHEAD_BYTES - PAGE_BYTES)
    begun = [("retry",), room, ("open", Cursor(BEGIN), None), ("idle", pytest.approx(BACKSTOP_SECONDS))]
    assert relay.did[:9] == [("drop",), *begun, *begun]


def test_each_chunk_waits_until_it_fits(relay: LoopStandIns) -> None:
    relay.windows = [(FIRST, 1, 6)]
    relay.loop.run()
    fits = ["settle", MAX_IN_FLIGHT - CHUNK, MAX_READ_AHEAD - CHUNK, READ_AHEAD_BYTES]
    sent = [list(each) for each in relay.did if each[0] in ("send", "settle")]
    assert sent[1:5] == [fits, ["send", [1, 2, 3, 4]], fits, ["send", [5]]]


def test_a_relay_that_is_up_to_date_saves_nothing(relay: LoopStandIns) -> None:
    look_again(relay, 2)
    relay.loop.run()
    assert relay.of("open") == [[Cursor(BEGIN), None]] * 3
    assert relay.of("save") == []
    assert relay.loop.up_to_date_at == 100 + 2 * BACKSTOP_SECONDS


def test_it_is_up_to_date_as_of_the_look_before_the_rows_that_are_not_confirmed(relay: LoopStandIns) -> None:
    relay.windows = [(FIRST, 1, 3)]
    relay.confirms = False
    relay.steps = [lambda: relay.note("behind", relay.loop.up_to_date_at)]
    relay.now += 7
    relay.loop.run()
    assert relay.of("behind") == [[100.0]]


def test_a_relay_that_is_stopped_settles_what_it_sent_and_saves_its_cursor(relay: LoopStandIns) -> None:
    relay.windows = [(FIRST, 1, 3)]
    relay.confirms = False
    relay.loop.run()
    assert relay.did[-3:] == [
        ("settle", 0, MAX_READ_AHEAD, READ_AHEAD_BYTES),
        ("clear gauges",),
        ("save", Cursor(FIRST)),
    ]


def test_a_relay_that_is_stopped_inside_a_window_settles_and_saves_its_place(relay: LoopStandIns) -> None:
    relay.windows = [(FIRST, 1, 9)]
    relay.confirms = False
    send = relay.send

    def stops(rows: list[Outgoing]) -> None:
        send(rows)
        relay.stop.set()

    with pytest.MonkeyPatch.context() as patch:
        patch.setattr(relay, "send", stops)
        relay.loop.run()
    assert relay.of("send") == [[[1, 2, 3, 4]]]
    assert ("settle", 0, 0, READ_AHEAD_BYTES) in relay.did
    assert relay.of("save") == [[Cursor(BEGIN, FIRST, 4)]]


def test_what_is_not_confirmed_in_time_is_named_and_its_place_is_saved(relay: LoopStandIns) -> None:
    relay.windows = [(FIRST, 1, 9)]
    send = relay.send

    def once(rows: list[Outgoing]) -> None:
        send(rows)
        relay.confirms = False
        relay.failures = [DrainTimeout()]

    with pytest.MonkeyPatch.context() as patch, capture_logs() as lines:
        patch.setattr(relay, "send", once)
        relay.loop.run()
    assert [(line["log_level"], line["in_flight"]) for line in lines] == [("warning", 4)]
    assert relay.of("save") == [[Cursor(BEGIN, FIRST, 4)]]


@pytest.mark.parametrize("is_recorded", [True, False])
def test_a_refusal_is_recorded_before_the_place_is_saved_and_raised(relay: LoopStandIns, is_recorded: bool) -> None:
    relay.windows = [(FIRST, 1, 3), (SECOND, 3, 5)]
    look_again(relay)
    relay.is_recorded, relay.confirms = is_recorded, False
    refused = MessageTooLarge(5, "too large")
    send = relay.send

    def refuses(rows: list[Outgoing]) -> None:
        if rows[0].position == 3:
            relay.confirm(2)
            relay.failures = [refused]
        send(rows)

    with pytest.MonkeyPatch.context() as patch:
        patch.setattr(relay, "send", refuses)
        with pytest.raises(BrokerUnavailable) as raised:
            relay.loop.run()
    assert (raised.value is refused) is is_recorded
    assert relay.did[-3:] == [("record", refused), ("save", Cursor(FIRST)), ("clear gauges",)]


@pytest.mark.parametrize("error", [BrokerUnavailable("gone"), QueueSilent({"one.1": {1}})])
def test_a_lost_broker_is_left_with_the_place_saved_and_a_silent_queue_is_recorded(
    relay: LoopStandIns, error: BrokerUnavailable
) -> None:
    relay.windows = [(FIRST, 1, 9)]
    send = relay.send

    def lost(rows: list[Outgoing]) -> None:
        send(rows)
        relay.failures = [error]

    with pytest.MonkeyPatch.context() as patch:
        patch.setattr(relay, "send", lost)
        with pytest.raises(BrokerUnavailable):
            relay.loop.run()
    assert relay.of("save") == [[Cursor(BEGIN, FIRST, 4)]]
    assert relay.of("detach") == ([[{"one.1": {1}}]] if isinstance(error, QueueSilent) else [])
    assert relay.did[-1] == ("clear gauges",)


def test_a_long_window_is_read_in_pages_and_the_place_is_saved_between_them(relay: LoopStandIns) -> None:
    relay.windows = [(FIRST, 1, 25)]
    relay.loop.run()
    assert relay.of("fetch") == [[list(range(11, 21))], [list(range(21, 25))]]
    assert relay.of("save") == [[Cursor(BEGIN, FIRST, 10)], [Cursor(BEGIN, FIRST, 20)], [Cursor(FIRST)]]
    room = ("settle", MAX_IN_FLIGHT, MAX_READ_AHEAD, READ_AHEAD_BYTES - PAGE_BYTES)
    before = [relay.did[index - 1] for index, did in enumerate(relay.did) if did[0] == "fetch"]
    assert before == [room, room]


def test_a_page_of_rows_that_are_gone_is_passed_and_one_that_bytes_cut_short_is_followed_by_the_rest(
    relay: LoopStandIns,
) -> None:
    relay.windows = [(FIRST, 1, 25)]
    relay.gone = set(range(1, 11))
    relay.at_once = 7
    relay.loop.run()
    assert [each[0][0] for each in relay.of("fetch")] == [1, 11, 18]
    assert [position for (chunk,) in relay.of("send") for position in chunk] == list(range(11, 25))


def test_what_is_unconfirmed_counts_the_rows_that_are_not_read_yet(relay: LoopStandIns) -> None:
    relay.windows = [(FIRST, 1, 15)]
    relay.confirms = False
    unconfirmed: list[int] = []
    settle = relay.settle

    def noted(count: int, outstanding: int, size: int = READ_AHEAD_BYTES) -> bool:
        unconfirmed.append(relay.loop.unconfirmed)
        return settle(count, outstanding, size)

    with pytest.MonkeyPatch.context() as patch:
        patch.setattr(relay, "settle", noted)
        relay.loop.run()
    assert unconfirmed == [0, 14, 14, 14, 14, 14, 14]


def test_there_is_room_for_a_page_before_a_window_is_opened_and_each_step_is_saved(relay: LoopStandIns) -> None:
    relay.windows = [(FIRST, 1, 26)]
    relay.confirms = False
    look_again(relay)
    relay.loop.run()
    opened = [index for index, did in enumerate(relay.did) if did[0] == "open"][1]
    assert relay.did[opened - 5 : opened + 1] == [
        ("settle", MAX_IN_FLIGHT, 15, READ_AHEAD_BYTES),
        ("save", Cursor(BEGIN, FIRST, 10)),
        ("settle", MAX_IN_FLIGHT, 5, READ_AHEAD_BYTES),
        ("save", Cursor(BEGIN, FIRST, 20)),
        ("settle", MAX_IN_FLIGHT, PAGE, READ_AHEAD_BYTES - PAGE_BYTES),
        ("open", Cursor(FIRST), None),
    ]


def test_a_window_is_opened_while_a_page_is_not_settled(relay: LoopStandIns) -> None:
    relay.windows = [(FIRST, 1, 1 + PAGE)]
    relay.confirms = False
    relay.steps = [lambda: relay.did.clear()]
    relay.loop.run()
    assert [did[0] for did in relay.did[:3]] == ["retry", "settle", "open"]


def test_it_looks_again_after_50_ms_or_as_soon_as_somebody_rings(relay: LoopStandIns) -> None:
    relay.steps = [lambda: None, lambda: setattr(relay, "rung", True)]
    relay.loop.run()
    assert relay.of("idle") == [[pytest.approx(BACKSTOP_SECONDS)]] * 3
    assert len(relay.of("open")) == 3


def test_an_idle_relay_purges_batch_after_batch_and_one_with_rows_in_flight_none(relay: LoopStandIns) -> None:
    relay.purged = [True, True, False]
    look_again(relay, 2)
    relay.loop.run()
    assert relay.of("idle") == [[0], [0], [pytest.approx(BACKSTOP_SECONDS)]]


def test_a_queue_is_attached_between_windows_once_every_row_is_settled(relay: LoopStandIns) -> None:
    relay.rows, relay.near, relay.confirms = ["detached"], True, False
    relay.windows = [(FIRST, 1, 3)]
    look_again(relay)
    relay.loop.run()
    assert relay.of("attach") == [[Cursor(BEGIN)], [Cursor(FIRST)]]
    assert relay.of("follow")[-1] == [Cursor(BEGIN), False]
    attached = relay.did.index(("attach", Cursor(FIRST)))
    assert relay.did[attached - 1] == ("settle", 0, 0, READ_AHEAD_BYTES)


def test_a_relay_that_is_full_publishes_nothing_until_there_is_room_and_queues_are_attached_meanwhile(
    relay: LoopStandIns,
) -> None:
    relay.rows, relay.near = ["detached"], True
    relay.windows = [(FIRST, 1, 9), (FIRST, 5, 9)]
    send = relay.send

    def fills(rows: list[Outgoing]) -> None:
        send(rows)
        relay.undeliverable.is_full = rows[0].position == 1

    def empties() -> None:
        relay.undeliverable.has_room, relay.undeliverable.is_full = True, False

    relay.steps = [lambda: None, empties]
    with pytest.MonkeyPatch.context() as patch, capture_logs() as lines:
        patch.setattr(relay, "send", fills)
        relay.loop.run()
    place = Cursor(BEGIN, FIRST, 4)
    assert relay.of("send") == [[[1, 2, 3, 4]], [[5, 6, 7, 8]]]
    assert relay.of("open") == [[Cursor(BEGIN), None], [place, None]]
    assert relay.of("save") == [[place], [Cursor(FIRST)]]
    assert relay.of("attach") == [[Cursor(BEGIN)], [place], [place]]
    assert relay.of("idle")[:2] == [[BACKSTOP_SECONDS]] * 2
    assert [(line["log_level"], line["messages"]) for line in lines] == [("error", 7), ("info", 7)]
