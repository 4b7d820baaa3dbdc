"""Relays at work in processes of their own, the outbox rows they are given, and the messages that come out."""

import os
import signal
from collections.abc import Iterator, Mapping, Sequence
from contextlib import contextmanager, suppress
from dataclasses import dataclass, field
from tempfile import TemporaryFile
from typing import Any, NamedTuple
from uuid import UUID, uuid4

from psycopg import Connection

from ordersaga.broker.topology import Group
from ordersaga.database.locks import RELAY_LEAD
from ordersaga.envelope.message import message_id
from tests.support.broker import TestBroker
from tests.support.databases import Database
from tests.support.forked import Forked
from tests.support.wait import until

EVERYTHING = Group("listener", ("*.*.*",), 1)
"""A group whose one queue hears every message, in the order in which the broker routed them."""

KILLED_BEFORE_ITS_CURSOR_MOVES = """
import os, signal
from ordersaga.relay import daemon as __main__
from ordersaga.relay import window
look = window.open_window
def never_store(connection, cursor):
    if cursor and cursor.target is None:
        os.kill(os.getpid(), signal.SIGKILL)
window.save_cursor = never_store
window.open_window = lambda connection, cursor, limits, save: never_store(connection, save) or look(
    connection, cursor, limits)
__main__.main(["counting"])
"""
"""A relay that ends once every message is confirmed: a script for `Relays.start`."""

ROW = """
insert into outbox (message_id, contract, source, key, sequence, time, event_hash,
    correlation_id, actor, traceparent, tracestate, body)
values (%s, %s, 'counting', %s, %s, now(), sha256(''), gen_random_uuid(), 'tester', '', '', %s)
"""
ROWS = """
insert into outbox (message_id, contract, source, key, sequence, time, event_hash,
    correlation_id, actor, traceparent, tracestate, body)
select gen_random_uuid(), 'test.happened.v1', 'counting', mod(n, 50)::text, n / 50, now(), sha256(''),
    gen_random_uuid(), 'tester', '', '', '{}'
from generate_series(0, %s - 1) as n
"""
LEADER = """
select application_name from pg_locks join pg_stat_activity using (pid)
where locktype = 'advisory' and classid = %s and objid = %s and objsubid = 2 and granted
    and datname = current_database()
"""


def announce(
    connection: Connection[Any], key: str, sequence: int, contract: str = "test.happened.v1", body: str = "{}"
) -> UUID:
    """Write one outbox row in the transaction that the connection is in."""
    id_ = message_id("test", uuid4(), sequence, contract)
    connection.execute(ROW, (id_, contract, key, sequence, body))
    return id_


def announce_many(database: Database, count: int) -> None:
    """Write so many rows of 50 keys in one transaction."""
    with database.connect() as connection:
        connection.execute(ROWS, (count,))


def ids_in_order(database: Database) -> list[UUID]:
    return [row[0] for row in database.rows("select message_id from outbox order by position")]


def all_published(database: Database) -> bool:
    """Whether the cursor has moved behind every committed row."""
    behind = "select not exists (select from outbox where not pg_visible_in_snapshot(xid, published)) from relay_cursor"
    return database.rows(behind) == [(True,)]


class Heard(NamedTuple):
    id: UUID
    key: str
    sequence: int


def listen(broker: TestBroker, queue: str = EVERYTHING.queue_names[0], prefetch: int = 500) -> list[Heard]:
    """Take everything that has arrived in a queue, oldest first; of what arrives meanwhile, so much is requeued."""
    heard: list[Heard] = []
    count = broker.depth(queue)
    if not count:
        return heard
    with broker.channel() as channel:
        channel.basic_qos(prefetch_count=prefetch)
        for method, properties, _ in channel.consume(queue, inactivity_timeout=10):
            assert method is not None, f"only {len(heard)} of {count} messages came"
            headers = properties.headers
            heard.append(Heard(UUID(headers["ce-id"]), headers["ce-subject"], int(headers["ce-sequence"])))
            channel.basic_ack(method.delivery_tag)
            if len(heard) == count:
                break
        channel.cancel()
    return heard


def first_copies(heard: list[Heard]) -> list[Heard]:
    """What is left when an inbox has dropped every copy but the first."""
    return list({message.id: message for message in heard}.values())


def assert_in_order_per_key(heard: list[Heard]) -> None:
    last: dict[str, int] = {}
    for message in heard:
        assert message.sequence > last.get(message.key, -1), f"{message} came after {last[message.key]}"
        last[message.key] = message.sequence


def assert_heard(heard: list[Heard], ids: list[UUID]) -> None:
    """Each of these once, and those of one key in this order."""
    assert sorted(message.id for message in heard) == sorted(ids)
    place = {id_: number for number, id_ in enumerate(ids)}
    last: dict[str, int] = {}
    for message in heard:
        assert place[message.id] > last.get(message.key, -1), f"{message} came too late"
        last[message.key] = place[message.id]


class RelayProcess(Forked):
    """The relay daemon of one database."""

    def __init__(self, command: Sequence[str], environment: Mapping[str, str]) -> None:
        self._log = TemporaryFile()  # noqa: SIM115 - closed by end()
        super().__init__(command, {**os.environ, **environment}, self._log.fileno())

    def log(self) -> str:
        """All that it has written so far."""
        return os.pread(self._log.fileno(), 1_000_000, 0).decode()

    def end(self) -> None:
        with suppress(ProcessLookupError):
            self.send_signal(signal.SIGCONT)
        self.kill()
        self.wait()
        self._log.close()


@dataclass
class Relays:
    """Relay processes for one database; what is left of them ends with the test."""

    database: Database
    amqp_url: str
    processes: list[RelayProcess] = field(default_factory=list)

    def start(self, *options: str, script: str | None = None, health_port: int = 0, **settings: str) -> RelayProcess:
        """The daemon, or a script that runs the same with a part replaced; `settings` are variables."""
        variable = f"{self.database.role.upper()}_DATABASE_URL"
        command = ["-c", script] if script else ["-m", "ordersaga.relay.daemon", self.database.role, *options]
        environment = {variable: self.database.relay_url, "AMQP_URL": self.amqp_url, "HEALTH_PORT": str(health_port)}
        process = RelayProcess(command, {**environment, **settings})
        self.processes.append(process)
        return process

    def leader(self) -> int | None:
        """Process id of the active relay."""
        name = self.leader_name()
        return int(name.split()[-1]) if name else None

    def leader_name(self) -> str:
        """What the session that has the lead calls itself; empty when there is none."""
        rows = self.database.rows(LEADER, RELAY_LEAD)
        assert len(rows) <= 1
        return str(rows[0][0]) if rows else ""

    def wait_for_leader(self, process: RelayProcess, seconds: float = 20) -> None:
        until(lambda: self.leader() == process.pid, seconds)

    def connected(self) -> int:
        """Relays with a session in the database, active or standing by."""
        query = "select count(*) from pg_stat_activity where datname = current_database() and usename = 'relay'"
        return int(self.database.rows(query)[0][0])


@contextmanager
def relays_of(database: Database, amqp_url: str) -> Iterator[Relays]:
    relays = Relays(database, amqp_url)
    try:
        yield relays
    finally:
        for process in relays.processes:
            process.end()
