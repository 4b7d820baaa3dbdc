"""What `queues set` promises: another number of queues under load, with every order kept and nothing lost."""

import json
import random
import signal
import subprocess
import sys
import threading
from collections.abc import Callable, Iterator
from concurrent.futures import ThreadPoolExecutor
from contextlib import contextmanager
from dataclasses import dataclass
from itertools import count
from typing import Any
from uuid import UUID, uuid4

import pika
import pytest
from click.testing import CliRunner
from psycopg import Connection

from ordersaga.broker import provisioning as topology
from ordersaga.broker.change import QueueChange
from ordersaga.broker.pause_locks import ChangeFailed
from ordersaga.broker.topology import Group, queues_of
from ordersaga.cli.app import Application
from ordersaga.cli.topology import topology as topology_command
from ordersaga.database.migrate import migrate
from ordersaga.database.service_schema import ServiceSchema
from ordersaga.envelope.message import Message, partition_of
from tests.conftest import AnyServers
from tests.support.broker import TestBroker
from tests.support.counting import GROUP, Asked, reactions, service
from tests.support.databases import Database, Databases
from tests.support.relays import Relays, relays_of
from tests.support.wait import until
from tests.support.workers import ROOT, Counting, counted

pytestmark = pytest.mark.timeout(300)
"""A dozen changes one after the other."""

INSERT = """
insert into outbox (message_id, contract, source, key, sequence, time, event_hash,
    correlation_id, actor, traceparent, tracestate, body)
values (%s, %s, %s, %s, %s, %s, %s, %s, 'tester', '', '', %s)
"""


SOURCE = "source"
"""The database from whose outbox the messages come."""
COUNTING = {GROUP: service.consumer_group}


def announce(connection: Connection[Any], message: Message) -> None:
    columns = (message.id, message.contract, message.source, message.key, message.sequence, message.time)
    connection.execute(INSERT, (*columns, message.event_hash, message.cause.correlation_id, message.body))


@dataclass
class Road:
    """From the outbox of one service through its relays and the broker to the counting group."""

    source: Database
    relays: Relays
    counting: Counting

    def group(self, queues: int) -> Group:
        return Group(GROUP, tuple(reactions.contracts), queues)

    def change(self, queues: int, timeout: float = 60, say: Callable[[str], None] = print) -> QueueChange:
        counting = self.counting
        leads, gates = {SOURCE: self.source.relay_url}, {GROUP: counting.database.url}
        return QueueChange([self.group(queues)], counting.broker.url, leads, gates, timeout, say)

    def kill_change(self, queues: int, kill: str, call: int) -> None:
        change = self.change(queues)
        task = {
            "group": GROUP,
            "contracts": list(reactions.contracts),
            "queues": queues,
            "amqp_url": change.amqp_url,
            "leads": change.leads,
            "gates": change.gates,
            "kill": kill,
            "call": call,
        }
        command = [sys.executable, "-m", "tests.support.killed_change", json.dumps(task)]
        done = subprocess.run(command, cwd=ROOT, timeout=60, capture_output=True)
        assert done.returncode == -signal.SIGKILL, done.stderr.decode()

    def queues(self) -> list[str]:
        connection = pika.BlockingConnection(pika.URLParameters(self.counting.broker.url))
        try:
            return queues_of(connection, GROUP)
        finally:
            connection.close()

    @contextmanager
    def traffic(self, keys: int, pause: float = 0.001) -> Iterator[dict[UUID, int]]:
        sent = {uuid4(): 0 for _ in range(keys)}
        enough = threading.Event()

        def send() -> None:
            with self.source.connect() as connection:
                for number in count(1):
                    for counter in random.sample(list(sent), keys):
                        if enough.wait(pause):
                            return
                        announce(connection, counted(counter, number))
                        sent[counter] = number

        sender = threading.Thread(target=send)
        sender.start()
        try:
            yield sent
        finally:
            enough.set()
            sender.join()

    def wait_for_more(self, messages: int) -> None:
        enough = self.counting.in_inbox() + messages
        until(lambda: self.counting.in_inbox() >= enough, seconds=60)

    def all_arrived_once_and_in_order(self, sent: dict[UUID, int]) -> bool:
        until(lambda: self.counting.in_inbox() == sum(sent.values()), seconds=60)
        assert self.counting.parked() == []
        return all(self.counting.numbers(counter) == list(range(1, last + 1)) for counter, last in sent.items())


@pytest.fixture
def road(counting: Counting, database: Databases, servers: AnyServers) -> Iterator[Road]:
    source = database()
    migrate(ServiceSchema(GROUP, GROUP, Asked.SOURCE), source.owner_url)
    counting.broker.remember(Group(GROUP, (), 16))
    with relays_of(source, servers.amqp_url("relay")) as relays:
        relays.start()
        yield Road(source, relays, counting)


def test_the_number_of_queues_changes_under_load_with_every_order_kept_and_nothing_lost(road: Road) -> None:
    check_changes_under_load(road, (4, 1, 16))


def check_changes_under_load(road: Road, numbers: tuple[int, ...]) -> None:
    for _ in range(3):
        road.counting.start()
    road.relays.start()
    with road.traffic(100) as sent:
        for queues in numbers:
            road.wait_for_more(200)
            road.change(queues).run()
            assert road.queues() == road.group(queues).queue_names
        road.wait_for_more(200)
    assert road.all_arrived_once_and_in_order(sent)


def test_a_change_that_is_killed_at_any_step_loses_nothing_and_is_completed_by_the_next(
    road: Road, monkeypatch: pytest.MonkeyPatch
) -> None:
    check_killed_changes(road, 2, 4, [("queue_bind", 30), ("queue_unbind", 11)], monkeypatch)


def check_killed_changes(
    road: Road, before: int, after: int, kills: list[tuple[str, int]], monkeypatch: pytest.MonkeyPatch
) -> None:
    road.change(before).run()
    road.counting.start()
    road.counting.start()
    with road.traffic(50, pause=0.01) as sent:
        for kill, call in kills:
            road.wait_for_more(50)
            road.kill_change(after, kill, call)
            topology_step(road, monkeypatch)
            road.wait_for_more(50)
            assert len(road.queues()) in range(min(before, after), max(before, after) + 1)
        road.change(after).run()
        assert road.queues() == road.group(after).queue_names
        road.wait_for_more(50)
        road.change(before).run()
        road.wait_for_more(50)
    assert road.all_arrived_once_and_in_order(sent)


@pytest.mark.parametrize(("kill", "call"), [("queue_declare", 6), ("queue_unbind", 1)])
def test_the_topology_step_after_an_interrupted_change_lets_nothing_overtake(
    road: Road, kill: str, call: int, monkeypatch: pytest.MonkeyPatch
) -> None:
    check_topology_step(road, kill, call, monkeypatch)


def check_topology_step(road: Road, kill: str, call: int, monkeypatch: pytest.MonkeyPatch) -> None:
    """The step adds no binding while the queue that has the partition now is not empty."""
    road.kill_change(8, kill, call)
    counter = next(id_ for id_ in iter(uuid4, None) if partition_of(str(id_)) == 2)
    other = next(id_ for id_ in iter(uuid4, None) if partition_of(str(id_)) == 0)
    backlog = 500
    road.counting.publish([counted(other, number) for number in range(1, backlog + 1)])
    road.counting.publish([counted(counter, 1)])
    warned = topology_step(road, monkeypatch)
    road.counting.publish([counted(counter, 2)])
    road.counting.start()
    until(lambda: road.counting.in_inbox() == backlog + 2, seconds=60)
    assert road.counting.numbers(counter) == [1, 2]
    assert f"the number of queues of {GROUP} is being changed" in warned
    with pytest.raises(topology.OtherQueues, match=f"queues set N --group {GROUP}"):
        topology.declare(road.counting.broker.url, COUNTING, None, replace_events=True)
    road.change(8).run()
    assert topology_step(road, monkeypatch) == ""
    assert road.queues() == road.group(8).queue_names


def topology_step(road: Road, monkeypatch: pytest.MonkeyPatch) -> str:
    """What it warns of; run for the counting service."""
    monkeypatch.setenv("AMQP_URL", road.counting.broker.url)
    monkeypatch.delenv("QUEUES_PER_GROUP", raising=False)
    done = CliRunner().invoke(topology_command, [], obj=Application(lambda: [service]))
    assert done.exit_code == 0
    return done.stderr


def test_queues_that_do_not_drain_are_named_and_everything_goes_on_as_before(road: Road) -> None:
    counter = uuid4()
    with road.source.connect() as connection:
        announce(connection, counted(counter, 1))
    until(lambda: sum(road.counting.broker.depth(queue) for queue in road.queues()) == 1)
    with pytest.raises(ChangeFailed, match=rf"{GROUP}\.\d has 1 messages ready and no worker.*Nothing was changed"):
        road.change(8, timeout=1).run()
    assert road.queues() == road.group(2).queue_names
    road.counting.start()
    with road.source.connect() as connection:
        announce(connection, counted(counter, 2))
    until(lambda: road.counting.numbers(counter) == [1, 2])


def test_a_change_waits_for_what_workers_have_in_hand(road: Road) -> None:
    counter = uuid4()
    road.counting.switches.set(counter, "slow")
    road.counting.start()
    with road.source.connect() as connection:
        announce(connection, counted(counter, 1, Asked))
        announce(connection, counted(counter, 2))
    until(lambda: road.counting.switches.is_obeyed(counter))
    said: list[str] = []
    with ThreadPoolExecutor(1) as other:
        changing = other.submit(road.change(4, say=said.append).run)
        until(lambda: "sending the workers away" in said)
        assert road.queues() == road.group(2).queue_names
        road.counting.switches.clear(counter)
        changing.result()
    assert road.queues() == road.group(4).queue_names
    assert road.counting.numbers(counter) == [1, 2]


def test_two_changes_do_not_meet(road: Road) -> None:
    met = threading.Event()

    def dawdle(text: str) -> None:
        if text == "sending the workers away":
            met.wait(20)

    with ThreadPoolExecutor(1) as other:
        changing = other.submit(road.change(4, say=dawdle).run)
        until(lambda: road.relays.leader_name().startswith("queues set"))
        with pytest.raises(ChangeFailed, match="Another command has stopped the relays of source"):
            road.change(8).run()
        met.set()
        changing.result()
    assert len(road.queues()) == 4


def test_topology_keeps_the_number_of_queues_and_refuses_another(broker: TestBroker) -> None:
    broker.remember(Group(GROUP, (), 16))
    assert [group.queues for group in topology.declare(broker.url, COUNTING, 4).groups] == [4]
    assert [group.queues for group in topology.declare(broker.url, COUNTING, None).groups] == [4]
    with pytest.raises(topology.OtherQueues, match="has 4 queues and QUEUES_PER_GROUP is 8"):
        topology.declare(broker.url, COUNTING, 8)
    with broker.channel() as channel:
        channel.queue_delete(f"{GROUP}.3")
    assert topology.declare(broker.url, COUNTING, 4) == ([], [GROUP])
