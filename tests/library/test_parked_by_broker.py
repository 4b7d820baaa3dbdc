"""What the broker refused is looked at and treated as what a reaction refused: one list, one set of verbs."""

from collections.abc import Iterator
from typing import Any
from uuid import UUID, uuid4

import pytest
from psycopg import Connection
from psycopg.errors import InsufficientPrivilege

from ordersaga.envelope.message import COLUMNS, Message, to_row
from ordersaga.parked import inspection, operations
from ordersaga.parked.operator import Changed
from tests.support.databases import Database
from tests.support.parked_api import Call, calling_parked
from tests.support.parking import ALICE, actions, fail, receive
from tests.support.workers import Counting, counted

REFUSE = f"""
insert into undeliverable (position, {", ".join(COLUMNS)}, kind, reason, attempts, next_attempt_at)
values (%s, {", ".join(["%s"] * len(COLUMNS))}, %s, %s, %s, case when %s then now() + interval '1 hour' end)
"""  # noqa: S608 - constants
SUMMARY = "refused_by, action, message_id, state, attempts, error, place, message, correlation_id"


@pytest.fixture
def call(counting: Counting, monkeypatch: pytest.MonkeyPatch) -> Iterator[Call]:
    yield from calling_parked(counting, monkeypatch)


def refuse(database: Database, *messages: Message, kind: str = "returned") -> None:
    """As the relay records it: the first message is refused, the others wait behind it."""
    with database.connect_as_relay() as connection:
        for number, message in enumerate(messages):
            of_first = (kind, "312 NO_ROUTE", 3, kind != "too_large")
            rest = of_first if number == 0 else ("waits", "an earlier one of its key", 0, False)
            connection.execute(REFUSE, (number + 1, *to_row(message), *rest))


def of_key(counter: UUID, messages: int = 2) -> list[Message]:
    return [counted(counter, number) for number in range(1, messages + 1)]


def test_both_are_in_one_list_of_pages_and_in_one_list_of_failures(
    counting: Counting, connection: Connection[Any], call: Call
) -> None:
    by_reaction = fail(counting, connection, uuid4())
    by_broker = of_key(key := uuid4())
    refuse(counting.database, *by_broker)
    failures = call("GET", "")["failures"]
    assert [(each["refused_by"], each["error"], each["messages"], each["followers"]) for each in failures] == [
        ("reaction", "ValueError", 1, 2),
        ("broker", "returned", 1, 1),
    ]
    assert failures[1]["place"] == by_broker[0].contract
    pages, query = [], {"limit": 2}
    while True:
        page = call("GET", "", query_string=query)
        pages.append([row["message_id"] for row in page["messages"]])
        if page["next"] is None:
            break
        query["after"] = page["next"]
    expected = [str(message.id) for message in (*by_reaction, *by_broker)]
    assert [id_ for page in pages for id_ in page] == expected
    assert [len(page) for page in pages] == [2, 2, 1]

    def found(**query: str) -> list[str]:
        return [row["message_id"] for row in call("GET", "", query_string=query)["messages"]]

    assert found(refused_by="broker") == found(key=str(key)) == expected[3:]
    assert found(refused_by="reaction") == expected[:3]
    assert found(failure=failures[1]["failure"]) == [expected[3]]
    assert found(state="waiting") == [*expected[1:3], expected[4]]
    assert call("GET", "", query_string={"after": "broker.1"})["messages"][0]["message_id"] == expected[4]
    call("GET", "", query_string={"after": "nobody.1"}, status=422)


def test_one_is_shown_with_the_envelope_that_it_is_published_with(counting: Counting, call: Call) -> None:
    first, second = of_key(uuid4())
    refuse(counting.database, first, second)
    shown = call("GET", f"/{first.id}")
    assert (shown["refused_by"], shown["state"], shown["message"]) == ("broker", "retrying", "312 NO_ROUTE")
    assert (shown["routing_key"], shown["headers"]["ce-id"], shown["body"]) == (
        (first.routing_key, str(first.id), first.body)
    )
    assert shown["followers"] == [str(second.id)]
    assert call("GET", f"/{second.id}")["before"] == [str(first.id)]
    call("GET", f"/{first.id}", query_string={"refused_by": "reaction"}, status=404)


def test_a_retry_makes_it_due_with_all_attempts_and_one_that_waits_stays_behind(
    counting: Counting, connection: Connection[Any], call: Call
) -> None:
    first, second = of_key(uuid4())
    refuse(counting.database, first, second, kind="too_large")
    assert call("GET", f"/{first.id}")["state"] == "dead"
    assert call("POST", f"/{first.id}/retry", json={"reason": "the limit is higher"})["state"] == "retrying"
    assert call("POST", f"/{second.id}/retry", json={"reason": "all"})["state"] == "waiting"
    due = "select message_id, attempts, next_attempt_at <= now() from undeliverable order by position"
    assert connection.execute(due).fetchall() == [(first.id, 0, True), (second.id, 0, None)]
    correlation = first.cause.correlation_id
    assert actions(counting.database, SUMMARY)[0] == (
        ("broker", "retry", first.id, "dead", 3, "too_large", first.contract, "312 NO_ROUTE", correlation)
    )
    assert call("POST", "/retries", json={"reason": "all again"}) == {"retried": 1, "gone": 0, "next": None}


def test_a_skip_removes_it_and_keeps_its_body_on_record(counting: Counting, connection: Connection[Any]) -> None:
    first, second = of_key(uuid4())
    refuse(counting.database, first, second)
    operations.skip(connection, first.id, ALICE)
    assert connection.execute("select message_id from undeliverable").fetchall() == [(second.id,)]
    assert connection.execute("select from inbox").fetchall() == []
    assert actions(counting.database, "action, message_id, actor, body") == [
        ("skip", first.id, "alice", first.body.encode())
    ]


def test_its_body_is_the_event_stores_so_it_is_not_edited_and_no_reaction_is_dry_run(
    counting: Counting, connection: Connection[Any], call: Call
) -> None:
    [first] = of_key(uuid4(), 1)
    refuse(counting.database, first)
    for method, path, body in (
        ("PUT", "body", {"reason": "a typo", "body": counted(uuid4(), 7).body}),
        ("POST", "dry-run", {}),
    ):
        refused = call(method, f"/{first.id}/{path}", json=body, status=422)
        assert refused["type"] == "urn:problem:action-refused"
    assert connection.execute("select body from undeliverable").fetchall() == [(first.body,)]
    assert actions(counting.database) == []


def test_what_has_changed_since_a_person_looked_is_left_alone(
    counting: Counting, connection: Connection[Any], call: Call
) -> None:
    [first] = of_key(uuid4(), 1)
    refuse(counting.database, first)
    seen = call("GET", f"/{first.id}")["version"]
    with counting.database.connect_as_relay() as relay:
        relay.execute("update undeliverable set attempts = attempts + 1")
    for act in (operations.retry, operations.skip):
        with pytest.raises(Changed):
            act(connection, first.id, ALICE, seen)
    assert actions(counting.database) == []


def test_a_message_that_both_refused_is_parked_twice_and_the_person_says_which_is_meant(
    counting: Counting, connection: Connection[Any], call: Call
) -> None:
    """A service that reacts to its own message: one of its queues took it, that of another group did not."""
    [message] = of_key(counter := uuid4(), 1)
    counting.switches.set(counter, "fail")
    receive(connection, message)
    refuse(counting.database, message)
    assert inspection.refusals(connection, message.id) == ["reaction", "broker"]
    assert call("GET", f"/{message.id}")["refused_by"] == "reaction"
    assert call("GET", f"/{message.id}", query_string={"refused_by": "broker"})["refused_by"] == "broker"
    why = {"reason": "nobody needs it there", "refused_by": "broker"}
    assert call("POST", f"/{message.id}/skip", json=why)["state"] == "skipped"
    assert inspection.refusals(connection, message.id) == ["reaction"]
    call("POST", f"/{message.id}/skip", json=why, status=404)
    assert call("POST", f"/{message.id}/skip", json={"reason": "nor here"})["state"] == "skipped"
    assert actions(counting.database, "refused_by, action") == [("broker", "skip"), ("reaction", "skip")]


@pytest.mark.parametrize(
    "statement",
    [
        "update undeliverable set body = '{}'",
        "update undeliverable set kind = 'waits'",
        "insert into undeliverable select * from undeliverable",
    ],
)
def test_a_service_may_make_due_and_remove_what_the_relay_keeps_and_change_nothing_else(
    counting: Counting, connection: Connection[Any], statement: str
) -> None:
    refuse(counting.database, *of_key(uuid4()))
    with pytest.raises(InsufficientPrivilege):
        connection.execute(statement)
