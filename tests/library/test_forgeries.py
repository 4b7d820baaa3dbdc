"""What a forged message cannot do: take effect, take the place of a real one, hold up a key, or end a worker."""

from collections.abc import Iterator
from dataclasses import replace
from datetime import UTC, datetime
from typing import Any
from uuid import UUID, uuid4

import psycopg
import pytest
from psycopg import Connection
from structlog.testing import capture_logs

from ordersaga.consumer.receiver import Receiver
from ordersaga.envelope.message import Message, to_headers
from ordersaga.inbox.delivery import Delivery, read
from ordersaga.inbox.forks import FORKS
from ordersaga.inbox.reactions import Reactions
from ordersaga.inbox.reactor import Reactor
from ordersaga.parked import operations
from ordersaga.parked.retries import Retries
from tests.support.counting import GROUP, Asked, Counted, CountKept, announcements, reactions
from tests.support.databases import Database, Databases
from tests.support.parking import ALICE, NoSteps, delivery, handler, numbers
from tests.support.workers import counted


@pytest.fixture(scope="module")
def counting_database(databases: Databases) -> Database:
    return databases(GROUP)


@pytest.fixture
def connection(counting_database: Database) -> Iterator[Connection[Any]]:
    """Every test has the tables for itself."""
    with psycopg.connect(counting_database.owner_url, autocommit=True) as owner:
        owner.execute("delete from parked_messages; delete from inbox")
    with counting_database.connect() as connection:
        yield connection


def arrive(connection: Connection[Any], *messages: Message | Delivery, known: Reactor = handler) -> None:
    """As the consumer does, one by one."""
    receiver = Receiver(GROUP, known)
    for message in messages:
        arrived = delivery(message) if isinstance(message, Message) else message
        receiver.receive(connection, receiver.read([arrived]))


def forged(message: Message, body: str | bytes | None = None, routing_key: str = "", **headers: Any) -> Delivery:
    """The message with other headers; None leaves one out."""
    changed = {**to_headers(message), **{name.replace("_", "-"): value for name, value in headers.items()}}
    left = {name: value for name, value in changed.items() if value is not None}
    content = message.body if body is None else body
    data = content.encode() if isinstance(content, str) else content
    return Delivery(1, routing_key or message.routing_key, left, data)


def parked(connection: Connection[Any], columns: str = "key, state, error") -> list[tuple[Any, ...]]:
    return connection.execute(f"select {columns} from parked_messages order by position").fetchall()  # noqa: S608


NESTED: dict[str, Any] = {}
for _ in range(5000):
    NESTED = {"a": NESTED}

UNPROVEN: dict[str, tuple[dict[str, Any], str]] = {
    "another service's contract": ({"ce_source": "mallory"}, "ForeignSource"),
    "no hash": ({"ce_eventhash": "", "body": "{}"}, "UnreadableMessage"),
    "half a hash": ({"ce_eventhash": "ab" * 16}, "UnreadableMessage"),
    "no header at all": (dict.fromkeys(to_headers(counted(uuid4(), 1))), "UnreadableMessage"),
    "year 1": ({"ce_time": "0001-01-01T00:00:00+00:00"}, "UnreadableMessage"),
    "year 9999": ({"ce_time": "9999-12-31T23:59:59+00:00"}, "UnreadableMessage"),
    "a key of 90,000 characters": ({"ce_subject": "k" * 90_000, "ce_partitionkey": "k" * 90_000}, "UnreadableMessage"),
    "another partition key": ({"ce_partitionkey": "other"}, "UnreadableMessage"),
    "another routing key": ({"routing_key": "test.counted.v1.99"}, "KeyMismatch"),
    "another key in the body": (
        {"body": Counted(counter_id=UUID(int=1), number=1).model_dump_json()},
        "KeyMismatch",
    ),
    "a header nested 5,000 deep": ({"nested": NESTED, "ce_id": None}, "UnreadableMessage"),
    "headers that are not text": ({"ce_id": 7, "ce_time": datetime.now(UTC), "x": b"\xff", "y": [float("nan")]}, ""),
}


@pytest.mark.parametrize("case", UNPROVEN)
def test_what_cannot_prove_its_identity_is_named_once_and_the_real_message_takes_effect(
    connection: Connection[Any], case: str
) -> None:
    changes, error = UNPROVEN[case]
    counter, other = uuid4(), uuid4()
    real = counted(counter, 1)
    forgery = forged(real, **changes)
    arrive(connection, forgery, forgery, real, counted(counter, 2), counted(other, 1), forgery)
    assert [(key, state) for key, state, _ in parked(connection)] == [(None, "dead")]
    assert error in ("", parked(connection)[0][2])
    assert parked(connection, "message_id") != [(real.id,)]
    assert numbers(connection, counter) == [1, 2]
    assert numbers(connection, other) == [1]


@pytest.mark.parametrize("body", ["{}", "[]", b"\xff", '{"a":' + "[" * 5000 + "]" * 5000 + "}", '{"a":"\\u0000"}'])
def test_a_body_that_cannot_be_read_holds_its_key_under_another_id_until_a_person_decides(
    connection: Connection[Any], body: str | bytes
) -> None:
    counter = uuid4()
    broken, later = counted(counter, 1), counted(counter, 2)
    arrive(connection, forged(broken, body), later, forged(broken, body))
    assert parked(connection) == [(str(counter), "dead", "UnreadableMessage"), (str(counter), "waiting", "")]
    [(id_,), _] = parked(connection, "message_id")
    assert id_ != broken.id
    operations.edit(connection, id_, broken.body.encode(), handler.contracts, ALICE)
    attempt(connection, handler)
    assert numbers(connection, counter) == [1, 2]
    arrive(connection, forged(broken, body), broken)
    assert parked(connection) == []
    assert connection.execute("select count(*) from inbox").fetchone() == (2,)


def test_a_body_that_was_skipped_never_takes_effect_whatever_it_holds_when_it_comes_again(
    connection: Connection[Any],
) -> None:
    counter = uuid4()
    broken = counted(counter, 1)
    arrive(connection, forged(broken, "{}"))
    [(id_,)] = parked(connection, "message_id")
    operations.skip(connection, id_, ALICE)
    arrive(connection, forged(broken, "{}"), broken)
    assert parked(connection) == []
    assert numbers(connection, counter) == []


def test_a_skipped_forgery_does_not_take_the_real_message_with_it(connection: Connection[Any]) -> None:
    counter = uuid4()
    real = counted(counter, 1)
    arrive(connection, forged(real, ce_source="mallory"))
    [(id_,)] = parked(connection, "message_id")
    operations.skip(connection, id_, ALICE)
    arrive(connection, real)
    assert numbers(connection, counter) == [1]


@pytest.mark.parametrize("recorded", ["", "AB" * 32])
def test_two_things_under_one_id_are_a_fork_whatever_the_first_lacks(
    connection: Connection[Any], recorded: str
) -> None:
    """Rows of an earlier release may lack a hash, or hold one in capitals."""
    counter = uuid4()
    real = counted(counter, 1)
    arrive(connection, forged(real, "{}"))
    connection.execute("update parked_messages set message_id = %s", (real.id,))
    connection.execute(
        "update parked_messages set headers = headers || jsonb_build_object('ce-eventhash', %s::text)", (recorded,)
    )
    arrive(connection, real)
    assert parked(connection, "state, error") == [("dead", "UnreadableMessage"), ("dead", "ForkedHistory")]


def test_a_fork_with_a_broken_trace_is_recorded_and_told_after_the_commit(connection: Connection[Any]) -> None:
    counter = uuid4()
    arrive(connection, counted(counter, 1))
    fork = forged(replace(counted(counter, 1), event_hash=bytes(range(32))), traceparent="x", tracestate="y")
    before = FORKS.labels(GROUP)._value.get()
    with capture_logs() as lines:
        arrive(connection, fork, counted(uuid4(), 1))
    assert parked(connection) == [(str(counter), "dead", "ForkedHistory")]
    assert FORKS.labels(GROUP)._value.get() == before + 1
    assert [line["event"] for line in lines] == ["forked history"]


OLDER = Reactions()
OLDER.by_contract = {name: reaction for name, reaction in reactions.by_contract.items() if name != Asked.NAME}
older = Reactor(OLDER, announcements)
NEWER = Reactions()
NEWER.by_contract = {
    name: replace(reaction, outside=None, function=lambda *given: reactions.by_contract[Counted.NAME].function(*given))
    for name, reaction in reactions.by_contract.items()
}
newer = Reactor(NEWER, announcements)


def attempt(connection: Connection[Any], known: Reactor, steps: int = 4) -> None:
    retries = Retries(known, NoSteps())  # type: ignore[arg-type]
    for _ in range(steps):
        retries.step(connection)


def test_a_message_of_a_contract_that_is_rolled_out_later_is_held_with_its_key_and_handled_in_order(
    connection: Connection[Any],
) -> None:
    counter, other = uuid4(), uuid4()
    first, second, third = counted(counter, 1), counted(counter, 2, Asked), counted(counter, 3)
    arrive(connection, first, second, third, second, counted(other, 1), known=older)
    held = [(str(counter), "retrying", "UnknownContract", 0), (str(counter), "waiting", "", 0)]
    assert parked(connection, "key, state, error, attempts") == held
    assert numbers(connection, other) == [1]
    attempt(connection, older)
    assert parked(connection, "key, state, error, attempts") == held
    attempt(connection, newer)
    assert parked(connection) == []
    assert numbers(connection, counter) == [1, 2, 3]
    arrive(connection, second, known=older)
    arrive(connection, second, known=newer)
    assert parked(connection) == []
    assert numbers(connection, counter) == [1, 2, 3]


def test_an_older_worker_gives_back_what_it_does_not_know(connection: Connection[Any]) -> None:
    """A message that waits is claimed by any worker once it is the first of its key."""
    counter = uuid4()
    arrive(connection, forged(counted(counter, 1), "{}"), counted(counter, 2, Asked), counted(counter, 3), known=older)
    [(first,), *_] = parked(connection, "message_id")
    operations.skip(connection, first, ALICE)
    attempt(connection, older)
    given_back = [("retrying", "UnknownContract", 0), ("waiting", "", 0)]
    assert parked(connection, "state, error, attempts") == given_back
    assert Retries(older, NoSteps()).step(connection) > 0.1  # type: ignore[arg-type]
    attempt(connection, newer)
    assert numbers(connection, counter) == [2, 3]


def test_every_contract_that_the_counting_service_hears_has_another_source_than_it_announces() -> None:
    """So the tests above forge what a taken-over service could announce."""
    assert {contract.SOURCE for contract in (Counted, Asked)} == {"test"}
    assert CountKept.SOURCE == GROUP
    assert read(forged(counted(uuid4(), 1)), handler.contracts).contract == Counted.NAME
