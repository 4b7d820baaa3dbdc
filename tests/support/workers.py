"""The counting service at work in processes of its own, and the messages it is sent."""

import json
import os
import signal
import subprocess
import sys
import urllib.error
import urllib.request
from collections.abc import Iterable
from contextlib import AbstractContextManager
from dataclasses import dataclass, field
from datetime import UTC, datetime
from functools import partial
from pathlib import Path
from typing import Any, Self
from uuid import UUID, uuid4

import pika
import psycopg
from pika.adapters.blocking_connection import BlockingChannel
from pika.exceptions import NackError

from devstack.ports import choose
from ordersaga.broker.topology import EVENTS, Group
from ordersaga.envelope.message import Cause, Message, message_id, partition_of, to_properties
from ordersaga.store import aggregates
from tests.support.broker import TestBroker
from tests.support.counting import GROUP, Counted, Counter, Switches, reactions
from tests.support.databases import Database
from tests.support.forked import Forked
from tests.support.wait import until

ROOT = Path(__file__).parents[2]


def counted(counter_id: UUID, number: int, contract: type[Counted] = Counted) -> Message:
    """The message number `number` of a counter; made again it is the same message."""
    return Message(
        id=message_id("test", counter_id, number, contract.NAME),
        contract=contract.NAME,
        source="test",
        key=str(counter_id),
        sequence=number,
        time=datetime.now(UTC),
        event_hash=bytes(32),
        cause=Cause(uuid4(), None, "tester"),
        body=contract(counter_id=counter_id, number=number).model_dump_json(),
    )


def publish_one(channel: BlockingChannel, message: Message) -> bool:
    """Whether the broker has it; a queue that is just coming back from a crash refuses at first."""
    try:
        channel.basic_publish(
            EVENTS, message.routing_key, message.body.encode(), to_properties(message), mandatory=True
        )
    except NackError:
        return False
    return True


@dataclass
class Process:
    """One worker process."""

    popen: subprocess.Popen[bytes]
    health_port: int

    def problems(self) -> list[str]:
        try:
            with urllib.request.urlopen(f"http://127.0.0.1:{self.health_port}/readyz", timeout=5) as answer:
                return list(json.load(answer)["problems"])
        except urllib.error.HTTPError as error:
            with error:
                return list(json.load(error)["problems"])
        except OSError as error:
            return [f"does not answer: {error}"]

    def metric(self, line: str) -> float:
        with urllib.request.urlopen(f"http://127.0.0.1:{self.health_port}/metrics", timeout=5) as answer:
            text: str = answer.read().decode()
        return next((float(found.rsplit(" ", 1)[1]) for found in text.splitlines() if found.startswith(line)), 0.0)

    def wait_until_ready(self) -> None:
        until(lambda: not self.problems(), seconds=30)

    def kill(self) -> None:
        self.popen.kill()
        self.popen.wait()

    def terminate(self) -> int:
        self.popen.send_signal(signal.SIGTERM)
        return self.popen.wait(timeout=20)


@dataclass
class Counting(AbstractContextManager["Counting"]):
    """The service on one database and one group of queues."""

    database: Database
    broker: TestBroker
    amqp_url: str
    directory: Path
    queues: int = 2
    environment: dict[str, str] = field(default_factory=dict)
    processes: list[Process] = field(default_factory=list)

    @property
    def group(self) -> Group:
        return Group(GROUP, tuple(reactions.contracts), self.queues)

    @property
    def switches(self) -> Switches:
        return Switches(self.directory)

    def start(self) -> Process:
        port = choose(set())
        environment = {
            **os.environ,
            f"{GROUP.upper()}_DATABASE_URL": self.database.url,
            "AMQP_URL": self.amqp_url,
            "HEALTH_PORT": str(port),
            "QUEUES_PER_GROUP": str(self.queues),
            "COUNTING_SWITCHES": str(self.directory),
            **self.environment,
        }
        with self.log.open("ab") as log:
            process = Process(Forked(["-m", "tests.support.counting"], environment, log.fileno()), port)
        self.processes.append(process)
        return process

    @property
    def log(self) -> Path:
        return self.directory / "worker.log"

    def publish(self, messages: Iterable[Message]) -> None:
        """Through the exchange, with confirms, in this order."""
        with self.broker.channel() as channel:
            channel.confirm_delivery()
            for message in messages:
                until(partial(publish_one, channel, message))

    def publish_raw(self, properties: pika.BasicProperties, body: bytes, routing_key: str = "") -> None:
        """With the routing key of its contract and key, as far as it has them."""
        headers = {"ce-type": Counted.NAME, "ce-subject": "", **(properties.headers or {})}
        place = f"{headers['ce-type']}.{partition_of(headers['ce-subject']):02d}"
        with self.broker.channel() as channel:
            channel.confirm_delivery()
            channel.basic_publish(EVENTS, routing_key or place, body, properties, mandatory=True)

    def numbers(self, counter_id: UUID) -> list[int]:
        """What the counter has kept, in order."""
        with psycopg.connect(self.database.owner_url) as connection:
            found = aggregates.load(connection, [counter_id]).get(counter_id)
        if found is None:
            return []
        assert isinstance(found.aggregate, Counter)
        return found.aggregate.numbers

    def parked(self, columns: str = "contract, key, state, error") -> list[tuple[Any, ...]]:
        return self.database.rows(f"select {columns} from parked_messages order by position")  # noqa: S608

    def in_inbox(self) -> int:
        number: int = self.database.rows("select count(*) from inbox")[0][0]
        return number

    def __exit__(self, *_: object) -> None:
        for process in self.processes:
            if process.popen.poll() is None:
                process.kill()
        if self.log.exists():
            sys.stderr.write(self.log.read_text()[-8000:])
        columns = "left(key, 8), contract, state, attempts, next_attempt_at - now(), tried_at - now(), error"
        sys.stderr.writelines(f"parked {row}\n" for row in self.parked(columns)[:20])

    def __enter__(self) -> Self:
        self.broker.declare(self.group)
        return self
