"""Which spans a process records of messages, deadlines and requests, and where each stands in its trace."""

from collections.abc import Iterator
from contextlib import suppress
from dataclasses import replace
from datetime import timedelta
from secrets import token_hex
from threading import Event
from typing import Any
from uuid import UUID, uuid4

import psycopg
import pytest
from opentelemetry.sdk.trace import ReadableSpan, TracerProvider
from opentelemetry.sdk.trace.export import SimpleSpanProcessor
from opentelemetry.sdk.trace.export.in_memory_span_exporter import InMemorySpanExporter
from psycopg import Connection

from ordersaga.consumer.deadlines import Deadlines
from ordersaga.consumer.receiver import Receiver
from ordersaga.envelope.message import Cause, Message, message_id
from ordersaga.inbox.outside import OutsideSteps
from ordersaga.inbox.reactions import Reactions
from ordersaga.inbox.reactor import Reactor
from ordersaga.otel.tracing import Tracing
from ordersaga.parked.retries import Retries
from ordersaga.runtime import health, telemetry
from ordersaga.store.announce import announce
from ordersaga.store.lazy_transaction import LazyTransaction
from ordersaga.store.transaction import Transaction, decide
from tests.support import workers
from tests.support.counting import (
    DEADLINE,
    GROUP,
    Counter,
    CountKept,
    Switches,
    announcements,
    closing,
    reactions,
)
from tests.support.databases import Database, Databases
from tests.support.parking import delivery

SAMPLED, UNSAMPLED = "01", "00"


class Recorded:
    """The spans that have ended, in memory."""

    def __init__(self) -> None:
        self._exporter = InMemorySpanExporter()
        provider = TracerProvider(shutdown_on_exit=False)
        provider.add_span_processor(SimpleSpanProcessor(self._exporter))
        self.tracing = Tracing(provider, "amqp://guest:guest@broker.example:5673/shop", GROUP)

    def named(self, name: str) -> list[ReadableSpan]:
        return [span for span in self._exporter.get_finished_spans() if span.name == name]

    @property
    def names(self) -> list[str]:
        return [span.name for span in self._exporter.get_finished_spans()]


@pytest.fixture
def recorded(monkeypatch: pytest.MonkeyPatch) -> Recorded:
    recorded = Recorded()
    monkeypatch.setattr(telemetry, "tracing", recorded.tracing)
    return recorded


@pytest.fixture
def database(databases: Databases) -> Database:
    return databases()


@pytest.fixture
def connection(database: Database) -> Iterator[Connection[Any]]:
    with psycopg.connect(database.url, autocommit=True) as connection:
        yield connection


def message(counter: UUID, flag: str = SAMPLED, number: int = 1) -> Message:
    counted = workers.counted(counter, number)
    return replace(counted, cause=replace(counted.cause, traceparent=f"00-{token_hex(16)}-{token_hex(8)}-{flag}"))


def place_of(message: Message) -> tuple[str, str]:
    """Trace and span."""
    _, trace, span, _ = message.cause.traceparent.split("-")
    return trace, span


def place(context: Any) -> tuple[str, str]:
    return f"{context.trace_id:032x}", f"{context.span_id:016x}"


def receive(connection: Connection[Any], *messages: Message) -> None:
    receiver = Receiver(GROUP, Reactor(reactions, announcements))
    receiver.receive(connection, receiver.read(delivery(each) for each in messages))


def outbox(connection: Connection[Any], counter: UUID) -> list[str]:
    rows = connection.execute("select traceparent from outbox where key = %s order by position", (str(counter),))
    return [traceparent for (traceparent,) in rows]


def test_what_a_reaction_announces_goes_on_from_its_own_span_within_that_of_the_reaction(
    connection: Connection[Any], recorded: Recorded
) -> None:
    sent = message(counter := uuid4())
    receive(connection, sent)
    [process], [create] = recorded.named("process test.counted.v1"), recorded.named("create test.count_kept.v1")
    assert place(process.parent) == place_of(sent)
    assert [place(link.context) for link in process.links] == [place_of(sent)]
    assert place(create.parent) == place(process.context)
    [traceparent] = outbox(connection, counter)
    assert traceparent.split("-")[1:3] == [*place(create.context)]


def test_the_span_of_a_message_says_what_the_semantic_conventions_ask_for(
    connection: Connection[Any], recorded: Recorded
) -> None:
    sent = message(uuid4())
    receive(connection, sent)
    [process] = recorded.named("process test.counted.v1")
    assert process.kind.name == "CONSUMER"
    assert dict(process.attributes or {}) == {
        "messaging.system": "rabbitmq",
        "server.address": "broker.example",
        "server.port": 5673,
        "messaging.operation.name": "process",
        "messaging.operation.type": "process",
        "messaging.destination.name": f"events:{sent.routing_key}",
        "messaging.destination.template": sent.contract,
        "messaging.destination.partition.id": str(sent.partition),
        "messaging.rabbitmq.destination.routing_key": sent.routing_key,
        "messaging.message.id": str(sent.id),
        "messaging.message.conversation_id": str(sent.cause.correlation_id),
        "messaging.consumer.group.name": GROUP,
    }


def test_a_transaction_of_several_messages_has_a_span_with_a_link_to_each_of_their_traces(
    connection: Connection[Any], recorded: Recorded
) -> None:
    messages = [message(uuid4()) for _ in range(3)]
    receive(connection, *messages, unsampled := message(uuid4(), UNSAMPLED))
    [batch] = recorded.named("process batch")
    assert [place(link.context) for link in batch.links] == [place_of(each) for each in messages]
    assert (batch.attributes or {})["messaging.batch.message_count"] == 4
    spans = recorded.named("process test.counted.v1")
    assert [place(span.parent) for span in spans] == [place_of(each) for each in messages]
    assert all(place(batch.context) in [place(link.context) for link in span.links] for span in spans)
    assert place_of(unsampled)[0] not in [place(span.context)[0] for span in spans]


def test_the_duration_of_a_batch_has_the_trace_of_one_of_its_messages_as_exemplar(
    connection: Connection[Any], recorded: Recorded
) -> None:
    sent = message(uuid4())
    receive(connection, message(uuid4(), UNSAMPLED), sent)
    content_type, body = health.metrics("application/openmetrics-text;version=1.0.0,text/plain;q=0.5")
    assert content_type.startswith("application/openmetrics-text")
    assert f'# {{trace_id="{place_of(sent)[0]}"}}' in body.decode()
    assert health.metrics("text/plain")[0].startswith("text/plain")


def test_of_a_trace_that_is_not_sampled_nothing_is_recorded_and_its_place_is_passed_on(
    connection: Connection[Any], recorded: Recorded
) -> None:
    sent = message(counter := uuid4(), UNSAMPLED)
    receive(connection, sent)
    recorded.tracing.sent(sent, 1, "")
    assert recorded.names == []
    assert outbox(connection, counter) == [sent.cause.traceparent]


def test_without_tracing_the_place_in_the_trace_is_passed_on(connection: Connection[Any]) -> None:
    sent = message(counter := uuid4())
    receive(connection, sent)
    assert outbox(connection, counter) == [sent.cause.traceparent]


def test_a_retry_of_a_parked_message_has_a_link_to_the_attempt_that_failed(
    connection: Connection[Any],
    database: Database,
    recorded: Recorded,
    tmp_path: Any,
    monkeypatch: pytest.MonkeyPatch,
) -> None:
    monkeypatch.setenv("COUNTING_SWITCHES", str(tmp_path))
    sent = message(counter := uuid4())
    Switches(tmp_path).set(counter, "fail")
    receive(connection, sent)
    [failed] = recorded.named("process test.counted.v1")
    assert (failed.status.status_code.name, (failed.attributes or {})["error.type"]) == ("ERROR", "ValueError")
    assert recorded.named("create test.count_kept.v1") == []
    Switches(tmp_path).clear(counter)
    connection.execute("update parked_messages set next_attempt_at = now()")
    retries = Retries(
        Reactor(reactions, announcements), OutsideSteps(Reactions(), announcements, None, database.url, Event())
    )
    retries.step(connection)
    [_, retry] = recorded.named("process test.counted.v1")
    assert place(retry.parent) == place_of(sent)
    assert [place(link.context) for link in retry.links] == [place_of(sent), place(failed.context)]
    assert (retry.attributes or {})["ordersaga.attempt"] == 2
    assert retry.status.status_code.name == "UNSET"


def test_what_is_rolled_back_or_only_tried_leaves_no_span_of_an_announcement(
    connection: Connection[Any], recorded: Recorded
) -> None:
    def tell(transaction: Transaction) -> None:
        transaction.announce(CountKept(counter_id=uuid4(), number=1))
        transaction.flush()

    with LazyTransaction(connection, force_rollback=True) as lazy:
        tell(Transaction(connection, announcements, Cause(uuid4()), lazy))
    with suppress(ValueError), LazyTransaction(connection) as lazy:
        lazy.begin()
        tell(Transaction(connection, announcements, Cause(uuid4()), lazy))
        raise ValueError
    assert recorded.names == []


def test_in_a_transaction_of_the_caller_the_span_of_an_announcement_ends_with_the_flush(
    connection: Connection[Any], recorded: Recorded
) -> None:
    with connection.transaction(), LazyTransaction(connection) as lazy:
        transaction = Transaction(connection, announcements, Cause(uuid4()), lazy)
        transaction.announce(CountKept(counter_id=uuid4(), number=1))
        transaction.flush()
        assert recorded.names == ["create test.count_kept.v1"]


def test_a_message_that_is_announced_by_itself_begins_a_trace(connection: Connection[Any], recorded: Recorded) -> None:
    with connection.transaction():
        announced = announce(connection, CountKept(counter_id=uuid4(), number=1))
    [create] = recorded.named("create test.count_kept.v1")
    assert (create.parent, place(create.context)) == (None, place_of(announced))


def test_the_reaction_to_a_deadline_is_a_child_of_the_step_that_set_it_and_has_a_link_to_it(
    connection: Connection[Any], recorded: Recorded
) -> None:
    first = message(counter := uuid4())

    def begin(transaction: Transaction) -> None:
        opened = Counter(id=counter)
        transaction.save(opened)
        transaction.set_deadline(closing(counter, timedelta(0)))

    decide(connection, announcements, first.cause, begin)
    Deadlines(reactions, announcements).step(connection)
    [span], [create] = recorded.named(f"deadline {DEADLINE}"), recorded.named("create test.count_kept.v1")
    assert place(span.parent) == place_of(first)
    assert [place(link.context) for link in span.links] == [place_of(first)]
    assert place(create.parent) == place(span.context)


def test_a_copy_and_a_message_behind_a_parked_one_say_what_became_of_them(
    connection: Connection[Any], recorded: Recorded, tmp_path: Any, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setenv("COUNTING_SWITCHES", str(tmp_path))
    first, parked = message(uuid4()), message(counter := uuid4())
    receive(connection, first)
    receive(connection, first)
    Switches(tmp_path).set(counter, "fail")
    receive(connection, parked)
    receive(connection, message(counter, number=2))
    outcomes = [(span.attributes or {}).get("ordersaga.outcome") for span in recorded.named("process test.counted.v1")]
    assert outcomes == [None, "took effect before", "parked", "waits behind a parked message"]


def test_neither_the_id_nor_the_hash_of_a_message_depends_on_its_trace(
    connection: Connection[Any], recorded: Recorded, monkeypatch: pytest.MonkeyPatch
) -> None:
    sent = message(counter := uuid4())
    receive(connection, sent)
    row = "select message_id, event_hash, traceparent from outbox where key = %s"
    [(id_, hash_, traceparent)] = connection.execute(row, (str(counter),)).fetchall()
    assert traceparent != sent.cause.traceparent
    event = "select originator_version, hash from stored_events where originator_id = %s order by 1 desc limit 1"
    [(version, event_hash)] = connection.execute(event, (counter,)).fetchall()
    assert (id_, hash_) == (message_id(GROUP, counter, version, CountKept.NAME), event_hash)
