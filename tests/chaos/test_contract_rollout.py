"""A new version of a contract is rolled out process by process while messages come in, in each order there is."""

import os
import subprocess
import sys
from collections import Counter
from collections.abc import Iterator
from dataclasses import dataclass, field
from pathlib import Path
from uuid import UUID, uuid4

import psycopg
import pytest

from devstack.ports import choose
from ordersaga.store import aggregates
from tests.conftest import AnyServers
from tests.support.broker import TestBroker
from tests.support.counted_versions import CountKeptV2
from tests.support.counting import GROUP, CountKept
from tests.support.databases import Database, Databases
from tests.support.rollout import Ledger, consumer
from tests.support.wait import until
from tests.support.workers import ROOT, Process

APP = ("-m", "ordersaga.cli", "--app", "tests.support.rollout")
COMMANDS = {
    "consumer": (*APP, "worker", consumer.name),
    "relay": (*APP, "relay", GROUP),
    "producer": ("-m", "tests.support.rollout"),
}


@dataclass
class Rollout:
    """The processes that run, by part; each part has processes of one release or of both."""

    servers: AnyServers
    source: Database
    tally: Database
    log: Path
    counters: list[UUID] = field(default_factory=lambda: [uuid4() for _ in range(8)])
    running: dict[str, Process] = field(default_factory=dict)

    def start(self, part: str, release: int) -> None:
        """Start the part in this release beside what runs of it, then end what ran: as a rolling restart does."""
        environment = {
            **os.environ,
            "RELEASE": str(release),
            "COUNTING_DATABASE_URL": self.source.relay_url,
            "TALLY_DATABASE_URL": self.tally.url,
            "AMQP_URL": self.servers.amqp_url("relay" if part == "relay" else GROUP),
            "HEALTH_PORT": str(port := choose(set())),
        }
        arguments = (self.source.url, *map(str, self.counters)) if part == "producer" else ()
        command = [sys.executable, *COMMANDS[part], *arguments]
        with self.log.open("ab") as log:
            process = Process(subprocess.Popen(command, env=environment, cwd=ROOT, stderr=log), port)
        before, self.running[part] = self.running.get(part), process
        if part == "consumer":
            process.wait_until_ready()
        else:
            announced = self.announced(release)
            until(lambda: part == "relay" or self.announced(release) > announced, 30)
        if before:
            before.terminate()

    def announced(self, release: int) -> int:
        name = (CountKept, CountKeptV2)[release - 1].NAME
        return int(self.source.rows("select count(*) from outbox where contract = %s", (name,))[0][0])

    def received(self) -> int:
        return int(self.tally.rows("select count(*) from inbox")[0][0])

    def go_on(self, messages: int = 100) -> None:
        """Until so many more have been received."""
        wanted = self.received() + messages
        until(lambda: self.received() >= wanted, 30)

    def end(self) -> None:
        self.running.pop("producer").terminate()
        until(lambda: self.received() == self.announced(1) + self.announced(2), 60)

    def kept(self) -> dict[UUID, list[int]]:
        with psycopg.connect(self.tally.owner_url) as connection:
            found = aggregates.load(connection, self.counters)
        ledgers = {id_: history.aggregate for id_, history in found.items()}
        return {id_: ledger.numbers for id_, ledger in ledgers.items() if isinstance(ledger, Ledger)}

    def parked(self) -> list[str]:
        return [error for (error,) in self.tally.rows("select error from parked_messages where state = 'retrying'")]

    def has_parked(self) -> bool:
        """Whether a message was ever parked."""
        return bool(self.tally.rows("select is_called from parked_messages_position_seq")[0][0])

    def undeliverable(self) -> Counter[str]:
        return Counter(kind for (kind,) in self.source.rows("select kind from undeliverable"))

    def assert_complete(self) -> None:
        """Nothing is lost, parked or out of order, and both releases have announced."""
        kept = self.kept()
        assert min(self.announced(1), self.announced(2)) > 0
        assert sum(map(len, kept.values())) == self.announced(1) + self.announced(2)
        assert all(numbers == list(range(1, len(numbers) + 1)) for numbers in kept.values())
        assert not self.parked()
        assert not self.undeliverable()


@pytest.fixture
def rollout(servers: AnyServers, database: Databases, broker: TestBroker, tmp_path: Path) -> Iterator[Rollout]:
    """Release 1 is at work."""
    broker.declare(consumer.consumer_group(2))
    rollout = Rollout(servers, database(GROUP), database(GROUP), tmp_path / "log")
    try:
        for part in ("consumer", "relay", "producer"):
            rollout.start(part, 1)
        rollout.go_on()
        yield rollout
    finally:
        for process in rollout.running.values():
            process.kill()
        sys.stderr.write(rollout.log.read_text()[-4000:])


def test_in_the_documented_order_nothing_is_parked_and_each_message_takes_effect_once_in_order(
    rollout: Rollout,
) -> None:
    for part in ("consumer", "relay", "producer"):
        rollout.start(part, 2)
        rollout.go_on()
    rollout.end()
    rollout.assert_complete()
    assert not rollout.has_parked()


def test_a_rollback_in_the_opposite_order_parks_nothing_either(rollout: Rollout) -> None:
    for part in ("consumer", "relay", "producer"):
        rollout.start(part, 2)
    rollout.go_on()
    rollout.start("producer", 1)
    until(lambda: rollout.received() >= rollout.announced(2), 30)
    rollout.go_on()
    rollout.start("relay", 1)
    rollout.start("consumer", 1)
    rollout.go_on()
    rollout.end()
    rollout.assert_complete()
    assert not rollout.has_parked()


def test_with_the_producer_first_its_messages_wait_where_they_are_seen_and_then_take_effect_in_order(
    rollout: Rollout,
) -> None:
    rollout.start("producer", 2)
    until(lambda: rollout.undeliverable()["unknown_contract"] == len(rollout.counters))
    rollout.start("relay", 2)
    until(lambda: len(rollout.parked()) == len(rollout.counters), 30)
    assert set(rollout.parked()) == {"UnknownContract"}
    rollout.start("consumer", 2)
    rollout.go_on()
    rollout.end()
    rollout.assert_complete()
