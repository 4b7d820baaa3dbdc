"""`python -m benchmarks.traces`: the CPU of a message with its trace recorded, not sampled, and without tracing."""

import argparse
import sys
import tempfile
import time
from collections.abc import Iterator, Sequence
from contextlib import contextmanager
from dataclasses import replace
from secrets import token_hex
from uuid import uuid4

import psycopg
from opentelemetry.exporter.otlp.proto.common.trace_encoder import encode_spans
from opentelemetry.sdk.trace import ReadableSpan, TracerProvider
from opentelemetry.sdk.trace.export import SpanExporter, SpanExportResult

from benchmarks.place import Place
from benchmarks.rows import Row, compare
from devstack.servers.private import private_servers
from ordersaga.consumer.receiver import Receiver
from ordersaga.envelope.message import Message
from ordersaga.inbox.reactor import Reactor
from ordersaga.otel.setup import MAX_QUEUE, BoundedProcessor, WatchedExporter
from ordersaga.otel.tracing import Tracing
from ordersaga.runtime import telemetry
from tests.support.counting import GROUP, announcements, reactions
from tests.support.databases import Database, Databases
from tests.support.parking import delivery
from tests.support.workers import counted

ROUNDS = 20
MESSAGES = 100
"""Few at a time, so that a slow moment of the machine meets all alike."""


class Encoder(SpanExporter):
    """Encodes spans as they would be sent, and sends nothing."""

    def export(self, spans: Sequence[ReadableSpan]) -> SpanExportResult:
        encode_spans(spans).SerializeToString()
        return SpanExportResult.SUCCESS


@contextmanager
def tracing() -> Iterator[None]:
    provider = TracerProvider(shutdown_on_exit=False)
    provider.add_span_processor(BoundedProcessor(WatchedExporter(Encoder()), MAX_QUEUE))
    telemetry.tracing = Tracing(provider, "amqp://127.0.0.1/", GROUP)
    try:
        yield
    finally:
        telemetry.tracing = None
        provider.shutdown()


def messages(flag: str, number: int) -> list[Message]:
    """The first messages of so many counters."""
    made = (counted(uuid4(), 1) for _ in range(number))
    return [replace(m, cause=replace(m.cause, traceparent=f"00-{token_hex(16)}-{token_hex(8)}-{flag}")) for m in made]


def cpu(database: Database, flag: str, number: int = MESSAGES) -> float:
    """Microseconds of this process for a message: read, received, its reaction recorded and announced, one by one."""
    receiver = Receiver(GROUP, Reactor(reactions, announcements))
    deliveries = [delivery(message) for message in messages(flag, number)]
    with psycopg.connect(database.url, autocommit=True) as connection:
        began = time.process_time_ns()
        for each in deliveries:
            receiver.receive(connection, receiver.read([each]))
        return (time.process_time_ns() - began) / 1000 / number


def measure(place: Place) -> list[Row]:
    with place.fresh_databases() as fresh:
        return rows(fresh(GROUP))


def rows(database: Database, rounds: int = ROUNDS) -> list[Row]:
    cpu(database, "01", 50)
    off, left_out, recorded = [], [], []
    for _ in range(rounds):
        off.append(cpu(database, "01"))
        with tracing():
            left_out.append(cpu(database, "00"))
        with tracing():
            recorded.append(cpu(database, "01"))
    return [
        compare("message_cpu_us_not_sampled", "µs", left_out, off),
        compare("message_cpu_us_traced", "µs", recorded, off),
    ]


def main() -> int:
    parser = argparse.ArgumentParser(prog="python -m benchmarks.traces", description=__doc__)
    parser.add_argument("--rounds", type=int, default=ROUNDS, help="(%(default)s)")
    options = parser.parse_args()
    with tempfile.TemporaryDirectory(prefix="traces-") as directory, private_servers(directory, [GROUP]) as servers:
        for row in rows(Databases(servers.postgres)(GROUP), options.rounds):
            print(row)
    return 0


if __name__ == "__main__":
    sys.exit(main())
