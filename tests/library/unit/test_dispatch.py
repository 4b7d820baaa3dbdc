"""What a relay sends, settles, records and asks, without servers: one message of a key at a time, within its bounds."""

from collections.abc import Callable
from types import SimpleNamespace

import pytest
from prometheus_client import REGISTRY

from ordersaga.relay import dispatch
from ordersaga.relay.confirms import Outcome, Refusal
from ordersaga.relay.dispatch import DrainTimeout
from ordersaga.relay.publisher import MessageTooLarge, never
from tests.library.unit.dispatching import DATABASE, MAX_BYTES, DispatchStandIns, SetClock
from tests.library.unit.outgoing import NOTHING, row


@pytest.fixture
def relay(monkeypatch: pytest.MonkeyPatch) -> DispatchStandIns:
    clock = SetClock()
    monkeypatch.setattr(dispatch, "time", clock)
    return DispatchStandIns(clock)


def test_confirms_are_read_after_each_chunk_while_a_row_waits_for_one(relay: DispatchStandIns) -> None:
    relay.dispatch.send([row(1)])
    assert relay.broker.waits == []
    relay.dispatch.send([row(2, "a"), row(3, "a")])
    assert relay.broker.waits == [(2, 0)]
    assert relay.positions == [1, 2]


def test_a_row_that_waited_is_sent_when_the_one_before_it_is_confirmed(relay: DispatchStandIns) -> None:
    relay.broker.answers = [Outcome(1, ())]
    before = REGISTRY.get_sample_value("ordersaga_relay_messages_published_total", {"database": DATABASE}) or 0
    relay.dispatch.send([row(1, "a"), row(2, "a")])
    assert relay.positions == [1, 2]
    published = REGISTRY.get_sample_value("ordersaga_relay_messages_published_total", {"database": DATABASE})
    assert published == before + 1


def test_undeliverable_rows_are_looked_for_when_there_are_any_there_is_room_and_the_relay_goes_on(
    relay: DispatchStandIns,
) -> None:
    relay.dispatch.retry_due()
    assert relay.table.asked == 0
    relay.table.keys = {"refused"}
    relay.dispatch.in_flight.bytes = dispatch.PAGE_BYTES
    relay.dispatch.retry_due()
    assert relay.table.asked == 1
    relay.dispatch.in_flight.bytes += 1
    relay.dispatch.retry_due()
    assert relay.table.asked == 1
    relay.dispatch.in_flight.bytes = 0
    relay.stop.set()
    relay.dispatch.retry_due()
    assert relay.table.asked == 1


def test_an_undeliverable_row_that_only_detached_queues_get_is_delivered_and_not_sent(
    relay: DispatchStandIns,
) -> None:
    relay.queues.routes = SimpleNamespace(of=lambda message: message.sequence == 1)
    relay.retry(row(1), row(2))
    relay.dispatch.retry_due()
    assert relay.positions == [1]
    assert [each.position for each in relay.table.done] == [2]
    relay.retry(row(1, "another"))
    relay.dispatch.retry_due()
    assert len(relay.table.done) == 1


def test_a_relay_that_stops_sends_no_row_that_waited(relay: DispatchStandIns) -> None:
    relay.dispatch.send([row(1, "a"), row(2, "a"), row(3, "a")])
    relay.stop.set()
    relay.broker.answers = [Outcome(1, ())]
    assert relay.dispatch.settle(0, 0) is False
    assert relay.positions == [1]


def test_a_relay_that_stops_settles_what_is_in_flight(relay: DispatchStandIns) -> None:
    relay.dispatch.send([row(1), row(2)])
    relay.stop.set()
    relay.broker.answers = [NOTHING, Outcome(1, ()), Outcome(1, ())]
    assert relay.dispatch.settle(0, 0) is True
    assert relay.dispatch.in_flight.count == 0


def test_a_relay_that_stops_gives_up_a_second_before_the_end_of_its_time(relay: DispatchStandIns) -> None:
    last = dispatch.DRAIN_SECONDS - dispatch.KEEP_ALIVE_SECONDS
    relay.dispatch.send([row(1)])
    relay.clock.now += 100
    assert not settles_within(relay, 3)
    relay.stop.set()
    assert not settles_within(relay, 3)
    relay.clock.now += last
    assert not settles_within(relay, 3)
    relay.clock.now += 0.01
    with pytest.raises(DrainTimeout):
        relay.dispatch.settle(0, 0)


class GoesOn(Exception):
    """The loop went on."""


def settles_within(relay: DispatchStandIns, rounds: int) -> bool:
    """Whether `settle` ends in so many rounds without an answer."""
    left = iter(range(rounds))

    def answer(at_most: int, seconds: float, woken: Callable[[], bool] = never) -> Outcome:
        if next(left, None) is None:
            raise GoesOn
        return NOTHING

    with pytest.MonkeyPatch.context() as patch:
        patch.setattr(relay.broker, "settle", answer)
        try:
            relay.dispatch.settle(0, 0)
        except GoesOn:
            return False
    return True


def test_undeliverable_rows_are_sent_while_others_are_settled(relay: DispatchStandIns) -> None:
    relay.dispatch.send([row(1)])
    relay.retry(row(2))
    relay.broker.answers = [Outcome(2, ())]
    assert relay.dispatch.settle(0, 0) is True
    assert relay.positions == [1, 2]
    assert [each.position for each in relay.table.done] == [2]
    assert [each.position for each in relay.queues.tried] == [2]


@pytest.mark.parametrize(("max_bytes", "at_most"), [(20, 0), (19, 1)])
def test_many_confirms_are_awaited_at_once_and_each_by_itself_where_bytes_are_too_many(
    relay: DispatchStandIns, max_bytes: int, at_most: int
) -> None:
    relay.dispatch.send([row(1), row(2)])
    relay.broker.answers = [Outcome(2, ())]
    assert relay.dispatch.settle(0, 0, max_bytes) is True
    assert relay.broker.waits == [(at_most, dispatch.KEEP_ALIVE_SECONDS)]


def test_each_confirm_is_awaited_by_itself_while_a_row_waits_for_one(relay: DispatchStandIns) -> None:
    relay.dispatch.send([row(1, "a"), row(2, "a"), row(3)])
    relay.broker.waits.clear()
    relay.broker.answers = [Outcome(2, ()), Outcome(1, ())]
    assert relay.dispatch.settle(0, 0) is True
    assert relay.broker.waits == [(1, dispatch.KEEP_ALIVE_SECONDS), (0, dispatch.KEEP_ALIVE_SECONDS)]


def test_a_quiet_relay_returns_in_time_to_keep_its_session(relay: DispatchStandIns) -> None:
    relay.dispatch.idle(10)
    assert relay.broker.idle == [dispatch.KEEP_ALIVE_SECONDS / 2]
    relay.dispatch.send([row(1), row(2)])
    relay.dispatch.idle(10)
    relay.dispatch.idle(0.1)
    assert relay.broker.waits == [(1, dispatch.KEEP_ALIVE_SECONDS / 2), (1, 0.1)]


@pytest.mark.parametrize("act", ["idle", "send", "settle"])
def test_a_session_gets_a_statement_twice_a_second_whatever_the_relay_does(relay: DispatchStandIns, act: str) -> None:
    def do(position: int) -> None:
        if act == "idle":
            relay.dispatch.idle(1)
        elif act == "send":
            relay.dispatch.send([row(position)])
        else:
            relay.broker.answers = [Outcome(1, ())]
            relay.dispatch.in_flight.mark_sent(relay.dispatch.in_flight.admit([row(position)]))
            relay.dispatch.settle(0, 0)

    relay.clock.now += dispatch.KEEP_ALIVE_SECONDS / 2
    do(1)
    assert relay.session.statements == 0
    relay.clock.now += 0.01
    do(2)
    assert relay.session.statements == 1
    do(3)
    assert relay.session.statements == 1
    assert len(relay.checked) == 1


def test_what_is_unconfirmed_counts_from_the_first_message_after_everything_was_confirmed(
    relay: DispatchStandIns,
) -> None:
    relay.clock.now += 50
    assert relay.dispatch.unconfirmed_seconds == 0
    relay.dispatch.send([row(1)])
    relay.clock.now += 2
    relay.dispatch.send([row(2)])
    relay.clock.now += 3
    assert relay.dispatch.unconfirmed_seconds == 5


def test_a_body_of_the_limit_is_sent_and_a_larger_one_is_recorded_while_its_neighbours_are_sent(
    relay: DispatchStandIns,
) -> None:
    relay.dispatch.send([row(1), row(2, size=MAX_BYTES), row(3, size=MAX_BYTES + 1), row(4)])
    assert relay.positions == [1, 2, 4]
    assert [(each.row.position, each.kind) for each in relay.table.recorded] == [(3, "too_large")]


def test_what_waits_behind_a_row_that_is_refused_again_is_sent_when_that_has_ended(relay: DispatchStandIns) -> None:
    """A person has lowered the limit meanwhile, or skipped the refused one."""
    relay.retry(refused := row(1, "a", MAX_BYTES + 1))
    relay.dispatch.in_flight.admit([row(5, "b")])
    found = relay.dispatch._due_retries()
    relay.dispatch.in_flight.admit([row(2, "a")])
    relay.dispatch._send_now(found)
    assert relay.positions == [2]
    assert [each.row for each in relay.table.again] == [refused]
    assert relay.queues.tried == [refused]
    assert not relay.dispatch.in_flight.is_retry(refused)
    assert relay.table.recorded == []


def test_rows_of_a_key_with_an_undeliverable_message_are_recorded_behind_it_and_others_are_sent(
    relay: DispatchStandIns,
) -> None:
    relay.table.keys = {"refused"}
    relay.dispatch.send([row(1), row(2, "refused"), row(3)])
    assert relay.positions == [1, 3]
    assert [(each.row.position, each.kind) for each in relay.table.recorded] == [(2, "waits")]


def test_a_row_that_only_detached_queues_get_is_settled_without_being_sent(relay: DispatchStandIns) -> None:
    relay.queues.routes = SimpleNamespace(of=lambda message: message.sequence != 1)
    relay.dispatch.send([row(1), row(2)])
    assert relay.positions == [2]
    assert relay.dispatch.in_flight.advance() == 1


def test_a_row_that_closed_the_channel_is_recorded_with_those_of_its_key(relay: DispatchStandIns) -> None:
    relay.dispatch.send([row(1), row(2, "a", 900), row(3, "a")])
    assert relay.dispatch.record_refused(MessageTooLarge(500, "too large")) is True
    assert [(each.row.position, each.kind) for each in relay.table.recorded] == [(2, "too_large"), (3, "waits")]
    assert relay.dispatch.record_refused(MessageTooLarge(5000, "too large")) is False


def test_after_a_lost_connection_nothing_is_in_flight(relay: DispatchStandIns) -> None:
    relay.dispatch.send([row(1, "a"), row(2, "a")])
    relay.dispatch.drop_in_flight()
    assert relay.broker.dropped == 1
    assert relay.dispatch.in_flight.count == relay.dispatch.in_flight.outstanding == 0
    relay.dispatch.send([row(1, "a")])
    assert relay.positions == [1, 1]


def test_a_refused_row_is_recorded_with_its_reason_and_the_confirmed_ones_are_settled(
    relay: DispatchStandIns,
) -> None:
    relay.dispatch.send([row(1), row(2), row(3)])
    refusal = Refusal(1, relay.broker.sent[1], "nacked", "no")
    relay.broker.answers = [Outcome(3, (refusal,))]
    assert relay.dispatch.settle(0, 0) is True
    assert [(each.row.position, each.kind, each.reason) for each in relay.table.recorded] == [(2, "nacked", "no")]
    assert relay.dispatch.in_flight.advance() == 3
