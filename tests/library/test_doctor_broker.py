"""`ordersaga doctor` names what is wrong on the broker: each kind of finding is caused here on a real one."""

import json
import socket
import threading
import time
from collections.abc import Iterator
from http.server import BaseHTTPRequestHandler, HTTPServer

import pytest
from pika import BasicProperties

from ordersaga.broker import bound_contracts
from ordersaga.broker.topology import Group, change_of, seeding_of
from ordersaga.consumer.gate import enter
from ordersaga.database.service_schema import ServiceSchema
from ordersaga.diagnosis.ask_broker import ask_broker
from ordersaga.diagnosis.broker.metrics import metrics
from ordersaga.diagnosis.diagnose import DiagnosedServers, diagnose
from ordersaga.diagnosis.findings import DiagnosisFinding
from ordersaga.diagnosis.questions import Answered, Terms
from ordersaga.service import Service
from tests.conftest import AnyServers
from tests.support.broker import TestBroker
from tests.support.counting import GROUP, reactions, service
from tests.support.databases import Databases
from tests.support.doctor import asked, found_on_broker
from tests.support.ordersaga_command import OrdersagaCommand

NOW = Group(GROUP, tuple(reactions.contracts), 2)


@pytest.fixture
def declared(broker: TestBroker) -> TestBroker:
    """With the queues and bindings that `ordersaga topology` makes."""
    declare(broker, NOW)
    return broker


def declare(broker: TestBroker, group: Group) -> None:
    broker.declare(group)
    with broker.channel() as channel:
        bound_contracts.record(channel, group)


def test_a_group_without_its_queues_and_its_exchange_is_named(broker: TestBroker) -> None:
    broker.declare()
    found = found_on_broker(broker.url)
    assert [each.what for each in found["missing exchange"]] == [f"the exchange events.{GROUP} is missing"]
    assert [each.what for each in found["missing queue"]] == [
        f"the group {GROUP} has no queues, so nothing is kept for it"
    ]
    assert {each.remedy for each in (*found["missing exchange"], *found["missing queue"])} == {"ordersaga topology"}


def test_queues_and_bindings_that_are_not_those_of_the_services_are_named(declared: TestBroker) -> None:
    older = Group(GROUP, (*NOW.contracts[1:], "orders.gone.v1"), 2)
    with declared.channel() as channel:
        bound_contracts.record(channel, older, forget_others=True)
        channel.queue_declare(f"{GROUP}.7", durable=True)
        channel.queue_delete(f"{GROUP}.1")
        channel.queue_declare(f"{GROUP}.1", durable=True)
        channel.queue_declare("unrouted", durable=True)
        channel.basic_publish("", "unrouted", b"")
        channel.basic_publish("", NOW.dead_letters, b"", BasicProperties(delivery_mode=2))
        channel.basic_publish("", f"{GROUP}.0", b"", BasicProperties(delivery_mode=2))
    try:
        found = found_on_broker(declared.url)
        assert {kind: len(findings) for kind, findings in found.items()} == {
            "superfluous queue": 1,
            "missing binding": 1,
            "stale binding": 1,
            "other arguments": 1,
            "unrouted messages": 1,
            "queue without worker": 1,
            "dead letters": 1,
        }
        assert found["superfluous queue"][0].what.startswith(f"the queue {GROUP}.7 is superfluous: the group has 2")
        assert f"not bound to {NOW.contracts[0]}" in found["missing binding"][0].what
        assert f"{GROUP} is still bound to orders.gone.v1" in found["stale binding"][0].what
        assert f"the queue {GROUP}.1 was declared with other arguments" in found["other arguments"][0].what
        assert found["unrouted messages"][0].what.startswith("messages are in the queue unrouted (1)")
        waits = f"nobody receives from {GROUP}.0, {GROUP}.1; messages that wait: 1"
        assert found["queue without worker"][0].what == waits
        assert found["dead letters"][0].what.startswith(f"dead letters of {GROUP} wait (1)")
    finally:
        with declared.channel() as channel:
            channel.queue_delete("unrouted")
            channel.queue_delete(f"{GROUP}.7")


def test_a_change_of_the_queues_that_was_interrupted_a_seeding_and_a_lost_dead_letter_queue_are_named(
    declared: TestBroker,
) -> None:
    with declared.channel() as channel:
        channel.exchange_declare(change_of(GROUP), "fanout", durable=True)
        found = found_on_broker(declared.url)
        channel.exchange_delete(change_of(GROUP))
        channel.exchange_declare(seeding_of(GROUP), "fanout", durable=True)
        seeding = found_on_broker(declared.url)
        channel.exchange_delete(seeding_of(GROUP))
        channel.queue_delete(NOW.dead_letters)
    assert f"--group {GROUP}" in found["changing queues"][0].remedy
    [to_be_seeded] = seeding["unfinished seeding"]
    assert f"seed {GROUP}" in to_be_seeded.remedy
    assert f"{NOW.dead_letters} is missing" in found_on_broker(declared.url)["missing queue"][0].what


def test_what_the_user_may_not_ask_is_said_and_everything_else_is_asked(
    declared: TestBroker, servers: AnyServers
) -> None:
    answered = Answered("rabbitmq")
    ask_broker([service], servers.amqp_url(GROUP), Terms(), answered)
    topics = [unseen.what.partition(" (")[0] for unseen in answered.unseen]
    assert topics == ["bindings", "arguments", "blocked publishers"]
    assert {unseen.remedy for unseen in answered.unseen} == {"ask as the user who declares the topology (AMQP_URL)"}
    assert [group.group for group in answered.groups] == [GROUP]


def test_a_worker_that_has_the_database_and_no_queue_is_named(declared: TestBroker, database: Databases) -> None:
    outbox = database()
    with outbox.connect() as worker:
        enter(worker)
        found = found_on_broker(declared.url, (service,), asked(outbox.owner_url))
    assert "Workers have sessions in counting all the same (pid " in found["queue without worker"][0].what


@pytest.fixture
def silent_port() -> Iterator[int]:
    """Of a server that takes connections and never says anything."""
    with socket.create_server(("127.0.0.1", 0)) as server:
        yield server.getsockname()[1]


def test_a_node_of_the_cluster_that_is_away_is_named(declared: TestBroker) -> None:
    [away] = found_on_broker(f"{declared.url},amqp://x:x@127.0.0.1:1/")["does not answer"]
    assert away.what.startswith("the node 127.0.0.1:1 of RabbitMQ does not answer")


def test_servers_that_hang_or_are_away_are_findings_and_the_diagnosis_ends_in_time(silent_port: int) -> None:
    database, broker = f"postgresql://x:x@127.0.0.1:{silent_port}/x", f"amqp://x:x@127.0.0.1:{silent_port}/"
    began = time.monotonic()
    found = diagnose(DiagnosedServers([service], {GROUP: database}, broker), Terms(), seconds=0.3)
    assert time.monotonic() - began < 3
    hanging = {each.place: each.what for each in found.findings}
    assert set(hanging) == {GROUP, "rabbitmq"}
    assert all("not enough when it was asked for a connection" in text for text in hanging.values())
    nowhere = DiagnosedServers([service], {GROUP: "postgresql://x@127.0.0.1:1/x"}, "amqp://x:x@127.0.0.1:1/")
    assert [each.kind for each in diagnose(nowhere, Terms()).findings] == ["does not answer", "does not answer"]


class Faulty(Service):
    """Its tables cannot be told."""

    @property
    def schema(self) -> ServiceSchema:
        raise RuntimeError("no such luck")


def test_a_fault_of_the_doctor_itself_does_not_look_like_a_healthy_server(database: Databases) -> None:
    servers = DiagnosedServers([Faulty(GROUP)], {GROUP: database().owner_url}, "amqp://x:x@127.0.0.1:1/")
    [fault, _] = diagnose(servers, Terms()).unseen
    assert fault.what == (
        "everything from the question about migrations on, because of a fault of doctor: RuntimeError('no such luck')"
    )


METRICS = b"""\
# TYPE rabbitmq_alarms_memory_used_watermark gauge
rabbitmq_alarms_memory_used_watermark 1
# TYPE rabbitmq_alarms_free_disk_space_watermark gauge
rabbitmq_alarms_free_disk_space_watermark 0
# TYPE rabbitmq_unreachable_cluster_peers_count gauge
rabbitmq_unreachable_cluster_peers_count 1
"""


class LowOnMemory(BaseHTTPRequestHandler):
    """Answers as the plugin rabbitmq_prometheus does, with a clock that is a day slow."""

    def do_GET(self) -> None:
        self.send_response_only(200)
        self.send_header("Date", self.date_time_string(int(time.time() - 86400)))
        self.end_headers()
        self.wfile.write(METRICS)

    def log_message(self, *_: object) -> None:
        """Nothing is logged."""


def test_an_alarm_a_lost_node_and_the_clock_of_the_broker_are_read_from_its_metrics() -> None:
    with HTTPServer(("127.0.0.1", 0), LowOnMemory) as server:
        threading.Thread(target=server.serve_forever, daemon=True).start()
        url = f"http://127.0.0.1:{server.server_port}"
        alarm, partition, clock = metrics(url, [service], Terms())
        assert len(list(metrics(f"{url}  {url}/", [service], Terms()))) == 6
        server.shutdown()
    assert isinstance(alarm, DiagnosisFinding)
    assert isinstance(partition, DiagnosisFinding)
    assert isinstance(clock, DiagnosisFinding)
    assert alarm.what.startswith("RabbitMQ has an alarm about its memory: it takes no messages")
    assert partition.what == "this node of RabbitMQ does not reach 1 node of its cluster"
    assert "s behind the clock of this machine" in clock.what
    [away] = metrics(url, [service], Terms())
    assert isinstance(away, DiagnosisFinding)
    assert away.what.startswith(f"the broker's metrics do not answer at {url}: ")


def test_the_command_prints_findings_with_what_to_do_and_its_exit_code_tells_whether_there_are_any(
    declared: TestBroker, database: Databases
) -> None:
    outbox = database()
    urls = {"AMQP_URL": declared.url, "COUNTING_DATABASE_URL": outbox.owner_url}
    run = OrdersagaCommand("tests.support.counting", urls)
    with outbox.connect(application_name="someone") as idle:
        idle.execute("begin; select pg_advisory_lock_shared(7236, 844)")
        printed = run("doctor", "--transaction", 0, "--locks", expect=1)
        found = json.loads(run("doctor", "--transaction", 0, "--json", expect=1))
    assert f"critical  {GROUP}: no relay is active\n          do:  start one (ordersaga relay)" in printed
    assert f"lock      {GROUP}: someone, pid " in printed
    assert printed.endswith("Findings: 3. Not seen: 1\n")
    [named] = [each for each in found["findings"] if each["kind"] == "open transaction"]
    assert (named["places"], named["who"]["application_name"]) == ([GROUP], "someone")
    assert found["unseen"][0]["remedy"].startswith("set BROKER_METRICS_URL")
    assert found["clean"] is False
