"""The merge of histories: no message before its cause, each service in its own order, whatever the clocks say."""

from collections.abc import Sequence
from dataclasses import replace
from datetime import UTC, datetime, timedelta
from typing import cast
from uuid import UUID, uuid4

from ordersaga.envelope.message import Cause, Message
from ordersaga.seeding.history import LONG_AGO, Dated, MessageHistory
from ordersaga.seeding.merge import SKEW, CausalMerge

START = datetime(2026, 3, 1, tzinfo=UTC)


class Pages:
    """A history that is in memory."""

    def __init__(self, *pages: Sequence[Dated]) -> None:
        self._pages = list(pages)
        self.is_read = False
        self.reached = LONG_AGO
        self.read = 0

    def page(self) -> Sequence[Dated]:
        self.read += 1
        page = self._pages.pop(0)
        self.is_read = not self._pages
        self.reached = max([self.reached, *(dated.moment for dated in page)])
        return page


def dated(milliseconds: int, cause: Dated | None = None) -> Dated:
    message = Message(
        id=uuid4(),
        contract="test.happened.v1",
        source="test",
        key="key",
        sequence=1,
        time=START,
        event_hash=bytes(32),
        cause=Cause(uuid4(), cause.message.id if cause else None),
        body="{}",
    )
    return Dated(message, START + timedelta(milliseconds=milliseconds))


def merged(*histories: Pages, end: datetime | None = None) -> list[UUID]:
    merge = CausalMerge([cast(MessageHistory, history) for history in histories])
    return [found.message.id for found in merge.until(end)]


def ids(*messages: Dated) -> list[UUID]:
    return [each.message.id for each in messages]


def test_messages_of_several_services_come_by_time() -> None:
    first, second, third = dated(1), dated(2), dated(3)
    assert merged(Pages([first, third]), Pages([second])) == ids(first, second, third)


def test_a_message_waits_for_its_cause_although_the_clock_of_the_cause_is_ahead() -> None:
    before, cause = dated(500), dated(900)
    effect, after = dated(100, cause), dated(200)
    assert merged(Pages([effect, after]), Pages([before], [cause])) == ids(before, cause, effect, after)


def test_a_chain_of_causes_over_three_clocks_comes_in_its_order() -> None:
    first = dated(900)
    second = dated(500, first)
    third = dated(100, second)
    assert merged(Pages([third]), Pages([second]), Pages([first])) == ids(first, second, third)


def test_two_that_claim_to_cause_each_other_are_not_waited_for() -> None:
    one = dated(1)
    other = dated(2, one)
    claimed = Dated(replace(one.message, cause=Cause(uuid4(), other.message.id)), one.moment)
    assert sorted(merged(Pages([claimed]), Pages([other]))) == sorted(ids(claimed, other))


def test_what_is_later_than_the_end_stays_for_the_next_window() -> None:
    first, second = dated(1), dated(50)
    merge = CausalMerge([cast(MessageHistory, Pages([first, second]))])
    assert [found.message.id for found in merge.until(START + timedelta(milliseconds=10))] == ids(first)
    assert [found.message.id for found in merge.until(None)] == ids(second)


def test_a_history_is_read_no_further_than_clocks_may_differ() -> None:
    """Memory is bounded by what is recorded within SKEW."""
    step = SKEW // timedelta(milliseconds=1)
    many = Pages(*([dated(step * number)] for number in range(100)))
    merge = CausalMerge([cast(MessageHistory, many), cast(MessageHistory, Pages([dated(0)]))])
    next(merge.until(None))
    assert many.read <= 3
