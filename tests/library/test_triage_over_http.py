"""Triage over HTTP: what people write about a failure, put on hold, retry a few at a time, skip as a whole."""

from collections.abc import Iterator
from typing import Any
from uuid import uuid4

import pytest
from psycopg import Connection

from tests.support.api import token
from tests.support.parked_api import Call, calling_parked
from tests.support.parking import actions, fail
from tests.support.workers import Counting

AUDITOR = token("auditor", "ada")
WHY = {"reason": "looked into it"}


@pytest.fixture
def call(counting: Counting, monkeypatch: pytest.MonkeyPatch) -> Iterator[Call]:
    yield from calling_parked(counting, monkeypatch)


def the_failure(call: Call) -> Any:
    [group] = call("GET", "", AUDITOR)["failures"]
    return group


def test_what_people_write_about_a_failure_outlives_its_messages_and_is_there_when_it_comes_back(
    counting: Counting, connection: Connection[Any], call: Call
) -> None:
    fail(counting, connection, uuid4(), 1)
    path = f"/groups/{(failure := the_failure(call)['failure'])}"
    said = {"note": "The supplier sends\nno weight", "owner": "team supply", "link": "https://tickets.example.org/7"}
    assert call("PUT", path, json={**WHY, **said})["now"]["note"] == said["note"]
    for link in ("javascript:alert(1)", "https://", "http://a b"):
        call("PUT", path, json={**WHY, "link": link}, status=422)
    call("PUT", path, json=WHY)
    call("PUT", path, json={**WHY, "owner": ""})
    call("POST", f"{path}/skip", json={**WHY, "messages": 2}, status=409)
    assert call("POST", f"{path}/skip", json={**WHY, "messages": 1}) == {"skipped": 1, "gone": 0, "left": 0}
    assert call("GET", "")["failures"] == []
    [gone] = call("GET", "/groups", AUDITOR)["groups"]
    assert (gone["failure"], gone["now"], gone["note"], gone["owner"]) == (failure, None, said["note"], "")
    fail(counting, connection, uuid4(), 1)
    back = the_failure(call)
    assert (back["failure"], back["link"], back["last_seen"] >= gone["last_seen"]) == (failure, said["link"], True)
    done = [(action["action"], action["actor"]) for action in call("GET", path)["actions"]]
    assert done == [("skip group", "olga"), ("annotate", "olga"), ("annotate", "olga")]
    call("GET", "/groups/00000000", status=404)


def test_several_messages_are_acted_on_in_one_request_and_each_has_an_answer(
    counting: Counting, connection: Connection[Any], call: Call
) -> None:
    made = [fail(counting, connection, uuid4(), 1)[0].id for _ in range(3)]
    stale = {"message_id": str(made[2]), "seen": "dead.9.0"}
    body = {**WHY, "messages": [{"message_id": str(id_)} for id_ in (*made[:2], uuid4())] + [stale]}
    held = call("POST", "/selection", json={**body, "action": "hold"})["outcomes"]
    assert [each["outcome"] for each in held] == ["held", "held", "gone", "changed"]
    assert [row["on_hold"] for row in call("GET", "")["messages"]] == [True, True, False]
    released = call("POST", "/selection", json={**body, "action": "release"})["outcomes"]
    assert [each["outcome"] for each in released] == ["released", "released", "gone", "changed"]
    skipped = call("POST", "/selection", json={**body, "action": "skip", "messages": body["messages"][:1]})
    assert skipped["outcomes"][0]["outcome"] == "skipped"
    again = call("POST", "/selection", json={**body, "action": "retry"})["outcomes"]
    assert [each["outcome"] for each in again] == ["took-effect", "retrying", "gone", "changed"]
    assert "olga skipped" in again[0]["detail"]
    assert [action for action, *_ in actions(counting.database)] == [
        "hold",
        "hold",
        "release",
        "release",
        "skip",
        "retry",
    ]
    call("POST", "/selection", json={**body, "action": "edit"}, status=422)
    call("POST", "/selection", json={**body, "action": "skip", "messages": []}, status=422)


def test_a_run_is_started_once_shown_and_stopped(counting: Counting, connection: Connection[Any], call: Call) -> None:
    for _ in range(3):
        fail(counting, connection, uuid4(), 1)
    start = {**WHY, "failure": the_failure(call)["failure"], "first": 2, "rate": 5}
    run = call("POST", "/runs", json=start, status=201)
    assert (run["state"], run["total"], run["remaining"], run["actor"]) == ("running", 3, 3, "olga")
    assert the_failure(call)["run"] == run["run"]
    for second in (start, {**WHY}):
        assert call("POST", "/runs", json=second, status=409)["type"] == "urn:problem:runs-already"
    stopped = call("POST", f"/runs/{run['run']}/stop", json={"reason": "not now"})
    assert (stopped["state"], stopped["ended_by"], stopped["end_reason"]) == ("stopped", "olga", "not now")
    assert call("POST", f"/runs/{run['run']}/stop", json=WHY) == stopped == call("GET", f"/runs/{run['run']}", AUDITOR)
    assert call("GET", "/runs", AUDITOR) == {"runs": [stopped], "next": None}
    call("POST", "/runs", json={**start, "failure": "00000000"}, status=422)
    call("GET", "/runs/99", status=404)


def test_triage_is_for_operators_and_auditors_look(call: Call) -> None:
    for method, path, body in (
        ("PUT", "/groups/00000000", {**WHY, "note": "x"}),
        ("POST", "/groups/00000000/hold", WHY),
        ("POST", "/groups/00000000/skip", {**WHY, "messages": 1}),
        ("POST", "/runs", WHY),
        ("POST", "/runs/1/stop", WHY),
        ("POST", "/selection", {**WHY, "action": "skip", "messages": [{"message_id": str(uuid4())}]}),
        ("POST", "/consumer/pause", WHY),
    ):
        call(method, path, AUDITOR, 403, json=body)
    for path in ("/groups", "/runs", "/consumer"):
        call("GET", path, token("customer", "alice"), 403)
