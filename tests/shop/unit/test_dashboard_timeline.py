"""The page of an order draws a bounded number of its messages, however many it has."""

from datetime import UTC, datetime, timedelta
from typing import Any
from uuid import UUID, uuid4

from projections.dashboard.components.causes import elements
from projections.dashboard.components.timeline import NEWEST, OLDEST, drawn, timeline
from projections.queries.timeline import TimelineEntry, edges

START = datetime(2026, 11, 27, tzinfo=UTC)


def chain(number: int) -> list[TimelineEntry]:
    """Messages of one order, each the effect of the one before."""
    ids = [uuid4() for _ in range(number)]
    return [entry(position, ids[position], ids[position - 1] if position else None) for position in range(number)]


def entry(position: int, message_id: UUID, cause: UUID | None) -> TimelineEntry:
    time = START + timedelta(seconds=position)
    return TimelineEntry(
        position=position,
        message_id=message_id,
        contract="payments.payment_refunded.v2",
        source="payment_service",
        key="an order",
        sequence=position + 1,
        time=time,
        received_at=time,
        correlation_id=message_id,
        causation_id=cause,
        actor="olga",
        trace_id="",
        body={},
        since_cause=1.0 if cause else None,
    )


def test_an_order_of_hundreds_of_messages_is_drawn_with_its_oldest_and_its_newest_and_says_how_many_are_not() -> None:
    entries = chain(300)
    text = str(timeline(uuid4(), entries))
    assert drawn(entries) == entries[:OLDEST] + entries[-NEWEST:]
    assert [f"entry-{each.message_id}" in text for each in entries].count(True) == OLDEST + NEWEST
    assert "240 messages are not drawn" in text


def test_the_graph_of_causes_has_no_arrow_to_a_message_that_is_not_drawn() -> None:
    entries = chain(300)
    made: list[dict[str, Any]] = [each["data"] for each in elements(drawn(entries), edges(entries))]
    nodes = {data["id"] for data in made if "id" in data}
    arrows = [data for data in made if "source" in data]
    assert len(nodes) == OLDEST + NEWEST
    assert len(arrows) == OLDEST - 1 + NEWEST - 1
    assert all({data["source"], data["target"]} <= nodes for data in arrows)


def test_an_order_of_few_messages_is_drawn_whole() -> None:
    entries = chain(OLDEST + NEWEST)
    assert drawn(entries) == entries
    assert "not drawn" not in str(timeline(uuid4(), entries))
