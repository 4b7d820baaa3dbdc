"""Parked messages over HTTP: the same looks and actions as on the command line, for operators, each recorded."""

from collections.abc import Iterator
from typing import Any
from uuid import UUID, uuid4

import pytest
from psycopg import Connection

from ordersaga.consumer.receiver import Receiver
from ordersaga.inbox.delivery import Received, read
from ordersaga.parked import inspection, operations
from tests.support.api import token
from tests.support.counting import GROUP, Asked
from tests.support.parked_api import Call, calling_parked
from tests.support.parking import ALICE, actions, delivery, fail, handler, parked_as, receive
from tests.support.workers import Counting, counted

AUDITOR = token("auditor", "ada")
WHY = {"reason": "it is mended"}


@pytest.fixture
def call(counting: Counting, monkeypatch: pytest.MonkeyPatch) -> Iterator[Call]:
    yield from calling_parked(counting, monkeypatch)


def test_failures_are_grouped_and_messages_listed_by_pages_and_filters(
    counting: Counting, connection: Connection[Any], call: Call
) -> None:
    counters = [uuid4(), uuid4()]
    made = [message for counter in counters for message in fail(counting, connection, counter)]
    receive(connection, broken := counted(uuid4(), 1), body=b"not json")
    ids_of_all = [*(str(message.id) for message in made), broken_id := str(parked_as(connection, broken))]
    listed = call("GET", "", AUDITOR, query_string={"limit": 4})
    failed, unreadable = listed["failures"]
    assert (failed["error"], failed["messages"], failed["dead"], failed["followers"]) == ("ValueError", 2, 2, 4)
    assert unreadable["first"] == broken_id
    following = call("GET", "", AUDITOR, query_string={"limit": 4, "after": listed["next"]})
    ids = [message["message_id"] for page in (listed, following) for message in page["messages"]]
    assert ids == ids_of_all
    assert following["next"] is None

    def found(**query: str) -> list[str]:
        return [message["message_id"] for message in call("GET", "", AUDITOR, query_string=query)["messages"]]

    assert found(state="dead") == [str(made[0].id), str(made[3].id), broken_id]
    assert found(key=str(counters[1])) == [str(message.id) for message in made[3:]]
    assert found(failure=failed["failure"]) == [str(made[0].id), str(made[3].id)]
    assert found(failure=failed["failure"], key=str(counters[1])) == [str(made[3].id)]


def test_a_list_that_ends_with_a_full_page_has_no_next_page(
    counting: Counting, connection: Connection[Any], call: Call
) -> None:
    for _ in range(2):
        fail(counting, connection, uuid4())
    assert call("GET", "", query_string={"limit": 5})["next"] is not None
    assert call("GET", "", query_string={"limit": 6})["next"] is None
    assert call("POST", "/retries", json={**WHY, "limit": 2}) == {"retried": 2, "gone": 0, "next": None}
    assert call("GET", "/actions", query_string={"limit": 1})["next"] is not None
    assert call("GET", "/actions", query_string={"limit": 2})["next"] is None


def test_one_message_is_shown_with_its_traceback_and_what_waits_behind_it(
    counting: Counting, connection: Connection[Any], call: Call
) -> None:
    dead, *followers = fail(counting, connection, counter := uuid4())
    shown = call("GET", f"/{dead.id}", AUDITOR)
    assert (shown["state"], shown["attempts"], shown["key"]) == ("dead", 8, str(counter))
    assert shown["followers"] == [str(message.id) for message in followers]
    assert shown["headers"]["ce-id"] == str(dead.id)
    assert shown["body"] == dead.body
    assert "Traceback" in shown["traceback"]
    assert call("GET", f"/{followers[1].id}", AUDITOR)["before"] == [str(dead.id), str(followers[0].id)]


def test_a_retry_makes_it_due_and_is_recorded_with_the_tokens_subject(
    counting: Counting, connection: Connection[Any], call: Call
) -> None:
    dead, *_ = fail(counting, connection, uuid4())
    assert call("POST", f"/{dead.id}/retry", json=WHY) == {"message_id": str(dead.id), "state": "retrying"}
    assert actions(counting.database) == [("retry", dead.id, "olga", "it is mended", "dead")]
    [listed] = call("GET", "/actions", AUDITOR)["actions"]
    assert (listed["action"], listed["actor"], listed["message_id"]) == ("retry", "olga", str(dead.id))
    assert call("POST", f"/{dead.id}/retry", json={"reason": "once more"})["state"] == "retrying"
    first = call("GET", "/actions", AUDITOR, query_string={"limit": 1})
    rest = call("GET", "/actions", AUDITOR, query_string={"before": first["next"], "message_id": str(dead.id)})
    assert [action["reason"] for action in (*first["actions"], *rest["actions"])] == ["once more", "it is mended"]


def test_a_failure_group_is_retried_in_batches_that_say_how_many(
    counting: Counting, connection: Connection[Any], call: Call
) -> None:
    for _ in range(3):
        fail(counting, connection, uuid4())
    receive(connection, counted(uuid4(), 1), body=b"not json")
    failure = inspection.failure_groups(connection)[0].failure
    first = call("POST", "/retries", json={**WHY, "failure": failure, "limit": 2})
    assert (first["retried"], first["gone"]) == (2, 0)
    second = call("POST", "/retries", json={**WHY, "failure": failure, "limit": 2, "after": first["next"]})
    assert second == {"retried": 1, "gone": 0, "next": None}
    assert len(actions(counting.database)) == 3
    assert [state for (state,) in counting.parked("state")].count("dead") == 1
    assert call("POST", "/retries", json=WHY)["retried"] == 4


def test_a_skipped_message_has_left_for_good(counting: Counting, connection: Connection[Any], call: Call) -> None:
    dead, *followers = fail(counting, connection, uuid4())
    for unsaid in ({}, {"reason": ""}):
        for path in (f"/{dead.id}/skip", f"/{dead.id}/retry", "/retries"):
            call("POST", path, json=unsaid, status=422)
    assert call("POST", f"/{dead.id}/skip", json=WHY)["state"] == "skipped"
    gone = call("GET", f"/{dead.id}", status=404)
    assert (gone["type"], str(dead.id) in gone["detail"]) == ("urn:problem:not-parked", True)
    assert actions(counting.database) == [("skip", dead.id, "olga", "it is mended", "dead")]
    assert [message["message_id"] for message in call("GET", "")["messages"]] == [str(one.id) for one in followers]


def test_an_edit_keeps_the_original_and_one_that_breaks_the_contract_or_the_key_is_refused(
    counting: Counting, connection: Connection[Any], call: Call
) -> None:
    dead, *_ = fail(counting, connection, counter := uuid4())
    path = f"/{dead.id}/body"
    for body in (f'{{"counter_id": "{counter}"}}', f'{{"counter_id": "{uuid4()}", "number": 1}}', "not json"):
        refused = call("PUT", path, status=422, json={**WHY, "body": body})
        assert refused["type"] == "urn:problem:action-refused"
    assert actions(counting.database) == []
    body = f'{{"counter_id": "{counter}",\n "number": 7}}'
    assert call("PUT", path, json={**WHY, "body": body})["state"] == "retrying"
    shown = call("GET", f"/{dead.id}")
    assert (shown["edits"], shown["original_body"]) == (1, dead.body)
    assert shown["actions"][0]["action"] == "edit"
    assert shown["body"] == body


def test_what_has_changed_since_it_was_looked_at_is_left_alone(
    counting: Counting, connection: Connection[Any], call: Call
) -> None:
    dead, *_ = fail(counting, connection, counter := uuid4())
    seen = call("GET", f"/{dead.id}")["version"]
    operations.retry(connection, dead.id, ALICE)
    body = f'{{"counter_id": "{counter}", "number": 7}}'
    for method, path, more in (("POST", "retry", {}), ("POST", "skip", {}), ("PUT", "body", {"body": body})):
        refused = call(method, f"/{dead.id}/{path}", status=409, json={**WHY, **more, "seen": seen})
        assert refused["type"] == "urn:problem:changed-meanwhile"
    assert len(actions(counting.database)) == 1
    now = call("GET", f"/{dead.id}")["version"]
    assert call("POST", f"/{dead.id}/skip", json={**WHY, "seen": now})["state"] == "skipped"


def test_a_dry_run_shows_what_would_be_recorded_and_announced_and_leaves_nothing(
    counting: Counting, connection: Connection[Any], call: Call
) -> None:
    dead, *_ = fail(counting, connection, counter := uuid4())
    run = call("POST", f"/{dead.id}/dry-run")
    assert (run["outside"], run["failure"], run["received_before"]) == ("none", None, False)
    assert [made["table"] for made in run["rows"]] == ["inbox", "outbox", "stored_events", "stored_events"]
    assert counting.numbers(counter) == []
    assert actions(counting.database) == []
    counting.switches.set(counter, "fail")
    failure = call("POST", f"/{dead.id}/dry-run")["failure"]
    assert (failure["error"], failure["message"]) == ("ValueError", f"counter {counter} cannot count 1")


def park_asked(connection: Connection[Any]) -> UUID:
    message = counted(uuid4(), 1, Asked)
    received = read(delivery(message), handler.contracts)
    assert isinstance(received, Received)
    received.failure = ValueError("the world was away")
    Receiver(GROUP, handler).receive(connection, [received])
    return message.id


def test_a_dry_run_calls_no_outside_step_and_says_so(connection: Connection[Any], call: Call) -> None:
    run = call("POST", f"/{park_asked(connection)}/dry-run")
    assert (run["outside"], run["failure"], run["rows"]) == ("not called", None, [])


def test_auditors_only_look_customers_do_not_even_that_and_what_is_unknown_is_not_found(
    counting: Counting, connection: Connection[Any], call: Call
) -> None:
    dead, *_ = fail(counting, connection, counter := uuid4())
    for caller, status in ((AUDITOR, 403), (token("customer", "alice"), 403), ("forged", 401)):
        for method, path, body in (
            ("POST", "/retries", WHY),
            ("POST", f"/{dead.id}/retry", WHY),
            ("POST", f"/{dead.id}/skip", WHY),
            ("PUT", f"/{dead.id}/body", {**WHY, "body": f'{{"counter_id": "{counter}", "number": 7}}'}),
            ("POST", f"/{dead.id}/dry-run", {}),
        ):
            call(method, path, caller, status, json=body)
    for path in ("", "/actions", f"/{dead.id}"):
        call("GET", path, token("customer", "alice"), 403)
    for method, path, body in (
        ("GET", "", {}),
        ("POST", "/retry", WHY),
        ("POST", "/skip", WHY),
        ("PUT", "/body", {**WHY, "body": "{}"}),
        ("POST", "/dry-run", {}),
    ):
        call(method, f"/{uuid4()}{path}", status=404, json=body)
    assert actions(counting.database) == []
