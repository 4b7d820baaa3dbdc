"""The services of a seeding on real databases and a real broker: what happens to them, and what arrived where."""

import json
import signal
import subprocess
import sys
import threading
from collections.abc import Iterator, Sequence
from contextlib import ExitStack, closing, contextmanager, suppress
from dataclasses import asdict, dataclass, field, replace
from functools import partial
from itertools import islice
from typing import Any
from unittest.mock import patch
from uuid import UUID, uuid4

import psycopg
from click.testing import CliRunner, Result
from pika.exceptions import ChannelClosedByBroker

from ordersaga.broker import seeding as bindings
from ordersaga.broker.topology import seeding_of
from ordersaga.cli.main import main
from ordersaga.envelope.message import Message, read_envelope, with_body
from ordersaga.parked.operator import Operator
from ordersaga.reconcile.findings import ReconcileFinding
from ordersaga.reconcile.reconcile import Reconciliation
from ordersaga.relay import detached
from ordersaga.relay.relay import Relay
from ordersaga.seeding.access import SeedingAccess
from ordersaga.seeding.seeding import Seeding
from ordersaga.service import Service
from tests.library.seeded_services import (
    ANSWERING,
    ASKING,
    CAREFUL,
    EARLY,
    LATE,
    QuestionAsked,
    Thread,
    answering_announcements,
    answering_reactions,
    ask,
    asking,
    asking_announcements,
    early,
    late,
    services,
)
from tests.support.broker import TestBroker
from tests.support.counting import GROUP
from tests.support.databases import Database, Databases
from tests.support.party import DatabaseParty
from tests.support.relays import EVERYTHING, all_published
from tests.support.wait import until
from tests.support.workers import ROOT

MAX_PREFETCH = 1000
"""A quorum queue delivers no more before they are acknowledged."""
OPERATOR = Operator("alice", "parcels of old orders")


@dataclass
class Seeded:
    """The databases, the relays of both sources in this process, and the queues of both groups."""

    databases: dict[str, Database]
    broker: TestBroker
    relay_url: str
    asking: DatabaseParty
    answering: DatabaseParty
    threads: list[UUID] = field(default_factory=lambda: [uuid4() for _ in range(4)])
    asked: int = 0
    answered: int = 0

    @property
    def access(self) -> SeedingAccess:
        stores = {name: self.databases[name].owner_url for name in (ASKING, ANSWERING)}
        leads = {name: self.databases[name].relay_url for name in (ASKING, ANSWERING)}
        return SeedingAccess(self.broker.url, stores, leads, self.databases[LATE].url, 2)

    @property
    def environment(self) -> dict[str, str]:
        urls = {f"{name.upper()}_DATABASE_URL": database.owner_url for name, database in self.databases.items()}
        urls[f"{CAREFUL.upper()}_DATABASE_URL"] = f"{self.databases[LATE].owner_url}x"
        return {**urls, "AMQP_URL": self.broker.url, "QUEUES_PER_GROUP": "2"}

    def seeding(self, **options: Any) -> Seeding:
        return Seeding(late, services, self.access, OPERATOR, **options)

    def grow_old(self) -> None:
        """Everything was recorded a minute earlier."""
        for name in (ASKING, ANSWERING):
            with psycopg.connect(self.databases[name].owner_url) as connection:
                connection.execute("set session_replication_role = replica")
                connection.execute("update stored_events set recorded_at = recorded_at - interval '1 minute'")

    @contextmanager
    def detached(self, queue: str) -> Iterator[None]:
        """The first service's relay publishes around a queue, as far as its database says."""
        with psycopg.connect(self.databases[ASKING].owner_url, autocommit=True) as connection:
            detached.detach(connection, queue, [0])
            yield
            connection.execute("delete from detached_queues")

    def kill_seeding(self, kill: str, call: int) -> None:
        """Begin to seed in another process, which kills itself before the call with this number of a function."""
        task = {"kill": kill, "call": call, "access": asdict(self.access)}
        command = [sys.executable, "-m", "tests.library.killed_seeding", json.dumps(task)]
        done = subprocess.run(command, cwd=ROOT, timeout=60, capture_output=True)
        assert done.returncode == -signal.SIGKILL, done.stderr.decode()

    def interrupt_seeding(self) -> None:
        """Seed, but for the binding to `events`."""
        with patch.object(bindings, "bind_to_events", side_effect=KeyboardInterrupt), suppress(KeyboardInterrupt):
            self.seeding().run()

    def ask(self, rounds: int = 1) -> None:
        """A question in each thread, answered as soon as it is announced, and one that nobody hears of."""
        for _ in range(rounds):
            self.asked += 1
            for thread in self.threads:
                self.asking.decide(partial(ask, thread=thread, number=self.asked))
            for message in self.asking.said_after(self.answered):
                self.answered += 1
                if message.contract == QuestionAsked.NAME:
                    self.answering.react(message)

    @contextmanager
    def traffic(self, pause: float = 0.05) -> Iterator[None]:
        """Questions in every thread, one after the other, for the length of the block."""
        over = threading.Event()
        failed: list[BaseException] = []

        def go_on() -> None:
            try:
                while not over.wait(pause):
                    self.ask()
            except BaseException as error:
                failed.append(error)
                raise

        sender = threading.Thread(target=go_on)
        sender.start()
        try:
            yield
        finally:
            over.set()
            sender.join()
        assert not failed

    @contextmanager
    def relays(self) -> Iterator[None]:
        """A relay of each source, in threads of this process."""
        stop = threading.Event()
        groups = {service.group: service.contracts for service in services}
        relays = [
            Relay(name, self.databases[name].relay_url, self.relay_url, stop, False, 3600, 2**24, groups, None)
            for name in (ASKING, ANSWERING)
        ]
        threads = [threading.Thread(target=relay.run, daemon=True) for relay in relays]
        for thread in threads:
            thread.start()
        try:
            yield
        finally:
            stop.set()
            for thread in threads:
                thread.join()

    def await_published(self) -> None:
        until(lambda: all_published(self.databases[ASKING]) and all_published(self.databases[ANSWERING]), seconds=60)

    def heard_by(self, group: Service) -> list[Message]:
        """Take everything out of the queues of a group, in order per key."""
        return [message for queue in group.consumer_group(2).queue_names for message in self.heard_in(queue)]

    def heard_in(self, queue: str) -> list[Message]:
        """Take out of a queue what is in it now, and nothing that arrives meanwhile; a missing one is empty."""
        heard: list[Message] = []
        try:
            left = self.broker.depth(queue)
        except ChannelClosedByBroker:
            return heard
        while left:
            count = min(left, MAX_PREFETCH)
            with self.broker.channel() as channel:
                channel.basic_qos(prefetch_count=count)
                for method, properties, body in islice(channel.consume(queue, inactivity_timeout=10), count):
                    assert method is not None, f"{left} messages did not come"
                    heard.append(with_body(read_envelope(properties.headers), body))
                channel.cancel()
                channel.basic_ack(0, multiple=True)
            left -= count
        return heard

    def react(self, group: Service, heard: Sequence[Message]) -> dict[UUID, list[str]]:
        """Let the messages take effect. Returns what every thread has heard, sorted by contract and number."""
        with closing(DatabaseParty(self.databases[group.name], group.reactions, group.announcements)) as party:
            for message in heard:
                party.react(message)
            found = {id_: party.find(Thread, id_) for id_ in self.threads}
            return {id_: sorted(thread.numbers) if thread else [] for id_, thread in found.items()}

    def command(self, *arguments: str, **environment: str) -> Result:
        """`ordersaga --app tests.library.seeded_services` with these arguments."""
        return CliRunner(env=environment or self.environment).invoke(
            main, ["--app", "tests.library.seeded_services", *arguments]
        )

    def missing(self, among: Sequence[Service]) -> int:
        """How many messages reconcile misses in the inbox of the late group."""
        found: list[ReconcileFinding] = []
        urls = {service.name: self.databases[service.name].owner_url for service in among}
        Reconciliation(among, urls, found.append, patience=0).run()
        return sum(finding.place == f"{LATE}.inbox" for finding in found)

    def is_marked(self) -> bool:
        """Whether the late group is marked as being seeded, on the broker or in its database."""
        rows = self.databases[LATE].rows("select being_seeded from group_history")
        with self.broker.channel() as channel:
            try:
                channel.exchange_declare(seeding_of(LATE), passive=True)
            except Exception:  # noqa: BLE001 - pika closes the channel
                return rows == [(True,)]
        return True


@contextmanager
def seeded(database: Databases, broker: TestBroker, relay_url: str) -> Iterator[Seeded]:
    """The early group is declared; all databases have the counting service's role."""
    databases = {name: replace(database(name), role=GROUP) for name in (ASKING, ANSWERING, EARLY, LATE)}
    broker.declare(early.consumer_group(2), EVERYTHING)
    broker.remember(late.consumer_group(2))
    with ExitStack() as stack:
        first = DatabaseParty(databases[ASKING], asking.reactions, asking_announcements)
        second = DatabaseParty(databases[ANSWERING], answering_reactions, answering_announcements)
        for party in (first, second):
            stack.enter_context(closing(party))
        yield Seeded(databases, broker, relay_url, first, second)
