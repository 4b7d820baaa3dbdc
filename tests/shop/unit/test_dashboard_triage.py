"""What the pages say of failure groups and runs of retries."""

from datetime import UTC, datetime, timedelta
from typing import Any
from uuid import uuid4

import pytest

from ordersaga.http.triage_views import ConsumerView, RunView
from ordersaga.parked.inspection import FailureGroup
from projections.dashboard.components import parked_run, pause
from projections.dashboard.components.parked import failures_table, urgency
from projections.dashboard.components.parked_choice import answers, what_is_lost
from projections.dashboard.services import ParkedPlace
from projections.dashboard.triage import ActionAnswer

NOW = datetime(2026, 1, 1, tzinfo=UTC)


def group(name: str, age: int, **more: Any) -> FailureGroup:
    return FailureGroup(
        refused_by="reaction",
        failure=name,
        contract="orders.order_placed.v1",
        error="ValueError",
        place="here",
        messages=3,
        dead=1,
        keys=3,
        followers=0,
        oldest=NOW - timedelta(hours=age),
        first=uuid4(),
        last_seen=NOW,
        **more,
    )


def run(**more: Any) -> RunView:
    of_run = {
        "run": 7,
        "failure": "0123abcd",
        "refused_by": None,
        "state_wanted": None,
        "key": None,
        "first": 5,
        "rate": 2.0,
        "max_failed": 0.5,
        "actor": "olivia",
        "reason": "mended",
        "state": "running",
        "started_at": NOW,
        "ended_at": None,
        "ended_by": None,
        "end_reason": "",
        "total": 20,
        "retried": 12,
        "succeeded": 9,
        "failed": 1,
        "skipped": 0,
        "under_way": 2,
        "remaining": 8,
    }
    return RunView.model_validate({**of_run, **more})


def test_the_list_begins_with_what_nobody_owns_then_with_what_is_tried_and_has_failed_for_longest() -> None:
    owned, held = group("owned", 9, owner="team shelves"), group("held", 8, held_since=NOW)
    new, old = group("new", 1), group("old", 2)
    rows = [("inventory_service", each) for each in (owned, held, new, old)]
    assert [row[1].failure for row in sorted(rows, key=urgency)] == ["old", "new", "held", "owned"]
    shown = str(failures_table(rows))
    assert shown.index("Nobody") < shown.index("On hold") < shown.index("team shelves")


def test_a_run_says_what_became_of_its_messages_and_how_long_it_may_take() -> None:
    assert parked_run.counts(run()) == "Of 20 messages: 9 succeeded, 1 failed again, 2 under way, 8 to go"
    assert parked_run.pace(run()) == "2 a second, at most 4.0 s to go."
    assert "above 50 % that fail again" in parked_run.pace(run(retried=5))
    assert "goes on when it is resumed" in parked_run.pace(run(state="paused"))
    assert parked_run.why(run(end_reason="enough", ended_by="olivia")) == "mended; olivia stopped: enough"


@pytest.mark.parametrize(("paused", "verb"), [(False, "pause"), (True, "resume")])
def test_a_group_that_receives_can_be_paused_and_a_paused_one_resumed(paused: bool, verb: str) -> None:
    view = ConsumerView(group="inventory_service", paused=paused, since=None, actor="olivia", reason="stocktaking")
    assert f"{verb} inventory_service" in str(pause.groups_table([("inventory_service", view)], may_act=True))
    assert "disabled=True" in str(pause.groups_table([("inventory_service", view)], may_act=False))


def test_each_chosen_message_has_an_answer_and_those_without_effect_are_counted() -> None:
    place = ParkedPlace("inventory_service", uuid4(), "reaction")
    shown = str(
        answers([ActionAnswer(place, "retrying", ""), ActionAnswer(place, "changed", "somebody edited it")], "retry")
    )
    assert "1 message due now, 1 not." in shown
    assert "somebody edited it" in shown


def test_what_skipping_several_messages_loses_is_said_with_their_number() -> None:
    assert what_is_lost("inventory_service", None, 12).startswith("These 12 messages never take effect")
