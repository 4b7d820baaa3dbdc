"""What the page of parked messages shows of what the services answer."""

from datetime import UTC, datetime
from typing import Any
from uuid import uuid4

import pytest

from ordersaga.http.parked_views import ParkedList, ParkedRow, ParkedView
from projections.dashboard.components.parked import rows_table
from projections.dashboard.components.parked_actions import form
from projections.dashboard.components.parked_message import content, facts
from projections.dashboard.pages.parked_rows import update
from projections.dashboard.services import MAX_ROWS, ParkedAt


def parked(service: str, number: int, next_: str | None = None) -> ParkedAt:
    rows = [row(position) for position in range(number)]
    return ParkedAt(service, ParkedList(failures=[], messages=rows, next=next_))


def row(position: int) -> ParkedRow:
    return ParkedRow(
        refused_by="reaction",
        position=position,
        message_id=uuid4(),
        version="1",
        contract="orders.order_placed.v1",
        key="key",
        state="dead",
        failure="failure",
        error="ValueError",
        place="here",
        message="",
        attempts=8,
        next_attempt_at=None,
        parked_at=datetime.now(UTC),
        edits=0,
    )


def test_all_services_together_show_no_more_rows_than_a_browser_draws_at_once() -> None:
    found = update([parked("order_service", MAX_ROWS - 1), parked("payment_service", 3)], None)
    assert len(found[4]) == MAX_ROWS
    assert str(found[2]).count("Checkbox(") == MAX_ROWS
    assert found[3] == f"{MAX_ROWS} messages and more"


def test_that_a_service_has_more_is_said() -> None:
    assert update([parked("order_service", 2)], None)[3] == "2 messages"
    assert update([parked("order_service", 2, next_="reaction.3")], None)[3] == "2 messages and more"


def refused_by_broker() -> ParkedView:
    more: dict[str, Any] = {
        "headers": {},
        "body": "{}",
        "original_body": None,
        "traceback": "",
        "before": [],
        "followers": [],
    }
    return ParkedView.model_validate(
        {**row(1).model_dump(), "refused_by": "broker", "routing_key": "key", "actions": [], **more}
    )


def test_a_message_that_the_broker_refused_is_named_so_and_has_no_reaction_to_dry_run() -> None:
    message = refused_by_broker()
    assert "'Broker'" in str(rows_table([("order_service", message)]))
    assert "'Broker'" in str(facts("order_service", message))
    hidden = [str(form(by, may_act=True)).count("hidden=True") for by in ("broker", "reaction")]
    assert hidden == [3, 1]


@pytest.mark.parametrize("body", ["{}", "[" * 5000 + "]" * 5000, "not json", "1" * 5000])
def test_a_message_is_shown_whatever_its_body_is(body: str) -> None:
    message = refused_by_broker().model_copy(update={"body": body, "original_body": body})
    assert body[:20] in str(content("order_service", message, []))
