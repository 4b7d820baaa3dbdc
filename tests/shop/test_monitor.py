"""The monitor shows the running processes as they are: which are up, what they have done, how fast, what they lack."""

import signal
import threading
from collections.abc import Callable, Iterator
from contextlib import contextmanager
from datetime import UTC, datetime
from http.server import BaseHTTPRequestHandler, ThreadingHTTPServer
from itertools import islice
from pathlib import Path
from typing import Any, ClassVar
from urllib.error import HTTPError
from urllib.request import urlopen
from uuid import uuid4

import psutil
import psycopg
import pytest

from devstack.ports import LOOPBACK, choose
from devstack.records import Records
from devstack.servers.rabbitmq import RabbitMQ
from devstack.state import State
from ordersaga.broker.bound_contracts import record_of
from projections.monitor import monitor as monitoring
from projections.monitor.figures import RecentReadings
from projections.monitor.monitor import Monitor
from projections.monitor.snapshot import ProcessStatus, QueueFigures, Snapshot
from projections.monitor.targets import Target
from tests.conftest import AnyServers
from tests.support.api import is_alive, running, token
from tests.support.broker import TestBroker
from tests.support.databases import Databases
from tests.support.relays import EVERYTHING, announce_many, relays_of
from tests.support.wait import until
from tests.support.workers import Counting, counted, publish_one


@contextmanager
def watching(broker_metrics_url: str = "", **urls: str) -> Iterator[Monitor]:
    """Names of processes have `_` for `-`."""
    targets = [Target(name.replace("_", "-"), url) for name, url in urls.items()]
    monitor = Monitor(targets, broker_metrics_url).start()
    try:
        yield monitor
    finally:
        monitor.stop()


def at(port: int) -> str:
    return f"http://{LOOPBACK}:{port}"


def seen(monitor: Monitor, wanted: Callable[[Snapshot], bool]) -> Snapshot:
    """The first snapshot that is as wanted."""

    def found_now() -> Snapshot | None:
        now = monitor.snapshots().latest
        return now if now and wanted(now) else None

    found = until(found_now)
    assert found
    return found


def of(snapshot: Snapshot, name: str) -> ProcessStatus:
    process = snapshot.process(name)
    assert process is not None
    return process


def test_an_api_shows_what_it_answers_and_how_fast_but_not_the_questions_of_the_monitor(
    database: Databases, tmp_path: Path
) -> None:
    with running(database("order_service"), tmp_path) as api, watching(orders_api=api.url) as monitor:
        first = of(seen(monitor, lambda snapshot: of(snapshot, "orders-api").cores is not None), "orders-api")
        assert (first.kind, first.state, first.problems) == ("api", "up", ())
        assert first.requests is not None
        assert (first.requests.answered, first.requests.per_second, first.requests.p95_seconds) == (0, 0, None)
        for _ in range(3):
            assert api.call("GET", "/products", token()).status_code == 200
        snapshot = seen(
            monitor, lambda snapshot: (r := of(snapshot, "orders-api").requests) is not None and r.answered > 2
        )
        now = of(snapshot, "orders-api")
        assert now.requests is not None
        assert (now.requests.answered, now.requests.failed) == (3, 0)
        assert now.requests.per_second
        assert now.requests.p95_seconds
        assert now.memory_bytes
        assert now.started_at
        assert now.since == first.since


def test_of_two_relays_one_is_active_and_what_it_publishes_is_counted(
    servers: AnyServers, database: Databases, broker: TestBroker
) -> None:
    outbox, ports = database(), (choose(set()), choose(set()))
    broker.declare(EVERYTHING)
    with (
        relays_of(outbox, servers.amqp_url("relay")) as relays,
        watching(first_relay=at(ports[0]), second_relay=at(ports[1])) as monitor,
    ):
        relays.wait_for_leader(relays.start(health_port=ports[0]))
        relays.start(health_port=ports[1])
        snapshot = seen(monitor, lambda snapshot: all(process.state == "up" for process in snapshot.processes))
        assert [process.relays[0].is_active for process in snapshot.processes] == [True, False]
        announce_many(outbox, 500)
        snapshot = seen(monitor, lambda snapshot: of(snapshot, "first-relay").relays[0].published == 500)
        figures = of(snapshot, "first-relay").relays[0]
        assert (figures.database, figures.lag_rows) == ("counting", 0)
        assert figures.lag_seconds < 5
        assert figures.published_per_second
        assert snapshot.broker.source == "processes"
        assert snapshot.broker.enqueued_per_second == figures.published_per_second
        assert snapshot.broker.unacknowledged is None


def test_a_worker_shows_what_it_received_and_what_is_parked_now(counting: Counting) -> None:
    with watching(counting_worker=at(counting.start().health_port)) as monitor:
        counting.processes[0].wait_until_ready()
        poisoned, fine = uuid4(), uuid4()
        counting.switches.set(poisoned, "fail")
        once = [counted(fine, number) for number in (1, 2, 3)]
        counting.publish([*once, once[0], counted(poisoned, 1), counted(poisoned, 2)])
        snapshot = seen(
            monitor, lambda snapshot: any(group.waiting_now for group in of(snapshot, "counting-worker").receiving)
        )
        [group] = of(snapshot, "counting-worker").receiving
        assert (group.group, group.received, group.duplicates, group.parked) == ("counting", 6, 1, 1)
        assert (group.retrying_now, group.waiting_now, group.dead_now) == (1, 1, 0)


def test_a_process_that_is_gone_frozen_or_not_ready_is_named_with_the_reason_and_the_others_go_on(
    database: Databases, servers: AnyServers, tmp_path: Path
) -> None:
    outbox, port = database("order_service"), choose(set())
    urls = {"orders_api": "", "orders_relay": at(port), "absent_worker": at(choose(set()))}
    with (
        running(database("order_service"), tmp_path) as api,
        relays_of(outbox, servers.amqp_url("relay")) as relays,
        watching(**{**urls, "orders_api": api.url}) as monitor,
    ):
        relay = relays.start(health_port=port)
        snapshot = seen(monitor, lambda snapshot: of(snapshot, "orders-relay").state == "up")
        absent = of(snapshot, "absent-worker")
        assert (absent.state, absent.problems) == ("down", ("Nothing listens at its address.",))
        relay.send_signal(signal.SIGSTOP)
        snapshot = seen(monitor, lambda snapshot: of(snapshot, "orders-relay").state == "down")
        frozen = of(snapshot, "orders-relay")
        assert frozen.problems == ("It runs, but does not answer.",)
        assert frozen.relays == ()
        assert [each.is_active for each in frozen.last.relays] == [True]
        assert frozen.last.answered_at
        assert frozen.last.answered_at < frozen.since
        assert of(snapshot, "orders-api").state == "up"
        relay.send_signal(signal.SIGCONT)
        assert of(seen(monitor, lambda snapshot: of(snapshot, "orders-relay").state == "up"), "orders-relay").relays


def test_a_process_that_is_not_ready_says_what_it_lacks(database: Databases, tmp_path: Path) -> None:
    unmigrated = database("order_service")
    with psycopg.connect(unmigrated.owner_url, autocommit=True) as owner:
        owner.execute("drop table idempotency_keys")
    with running(unmigrated, tmp_path, is_alive) as api, watching(orders_api=api.url) as monitor:
        process = of(seen(monitor, lambda snapshot: True), "orders-api")
    assert process.state == "not ready"
    assert "lacks idempotency_keys" in process.problems[0]
    assert process.memory_bytes


class Visitors(BaseHTTPRequestHandler):
    """Ready, without metrics, and counts who asks."""

    asked: ClassVar[list[str]] = []

    def do_GET(self) -> None:
        self.asked.append(self.path)
        self.send_response(200 if self.path == "/readyz" else 404)
        self.end_headers()

    def log_message(self, format: str, *args: object) -> None:
        pass


@pytest.mark.parametrize(
    ("content_type", "body"),
    [
        ("application/json", b'{"message": "no upstream"}'),
        ("application/json", b"[]"),
        ("application/json", b'{"problems": null}'),
        ("application/json", b"<html>"),
        (None, b""),
    ],
)
def test_a_proxys_answer_is_no_process_that_is_ready_and_the_monitor_goes_on(
    content_type: str | None, body: bytes
) -> None:
    class Proxy(Visitors):
        def do_GET(self) -> None:
            self.send_response(503)
            if content_type:
                self.send_header("Content-Type", content_type)
            self.end_headers()
            self.wfile.write(body)

    with ThreadingHTTPServer((LOOPBACK, 0), Proxy) as server:
        threading.Thread(target=server.serve_forever, daemon=True).start()
        with watching(simulator=at(server.server_port)) as monitor:
            process = seen(monitor, lambda snapshot: bool(snapshot.processes)).processes[0]
            assert (process.state, process.problems) == ("not ready", ("It answers /readyz with 503.",))
            seen(monitor, lambda snapshot: len(monitor.snapshots().history) > 1)
        server.shutdown()


def test_the_warnings_of_a_process_that_is_up_are_shown() -> None:
    class Warned(Visitors):
        def do_GET(self) -> None:
            self.send_response(200)
            self.end_headers()
            self.wfile.write(b'{"ready": true, "problems": [], "warnings": ["queue a.0 gives no answer"]}')

    with ThreadingHTTPServer((LOOPBACK, 0), Warned) as server:
        threading.Thread(target=server.serve_forever, daemon=True).start()
        with watching(simulator=at(server.server_port)) as monitor:
            process = seen(monitor, lambda snapshot: bool(snapshot.processes)).processes[0]
            assert (process.state, process.problems) == ("up", ("queue a.0 gives no answer",))
        server.shutdown()


def test_a_snapshot_that_fails_is_left_out_and_the_next_one_comes(monkeypatch: pytest.MonkeyPatch) -> None:
    with watching(simulator=at(choose(set()))) as monitor:
        before = seen(monitor, lambda snapshot: bool(snapshot.processes))
        failed = threading.Event()

        def fail(*_: object) -> None:
            failed.set()
            raise KeyError("not thought of")

        with monkeypatch.context() as patched:
            patched.setattr(RecentReadings, "take", fail)
            assert until(lambda: monitor.snapshots() and failed.is_set())
        seen(monitor, lambda snapshot: snapshot.at > before.at)
        assert of(seen(monitor, lambda snapshot: True), "simulator").state == "down"


def test_processes_are_asked_always_and_more_often_while_somebody_looks(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(monitoring, "IDLE_AFTER_SECONDS", 0.5)
    monkeypatch.setattr(monitoring, "IDLE_PERIOD", 60.0)
    monkeypatch.setattr(monitoring, "PERIOD", 0.05)
    with ThreadingHTTPServer((LOOPBACK, 0), Visitors) as server:
        threading.Thread(target=server.serve_forever, daemon=True).start()
        with watching(simulator=at(server.server_port)) as monitor:
            first = monitor.next_after(None, timeout=10)
            assert first
            assert (first.processes[0].state, first.processes[0].requests) == ("up", None)
            assert not monitor.is_watched
            assert monitor.next_after(first, timeout=0.2) is None
            monitor.hurry()
            second = monitor.next_after(first, timeout=10)
            assert second
            seen(monitor, lambda snapshot: snapshot.at > second.at)
            seen(monitor, lambda snapshot: len(monitor.snapshots().history) > 4)
            until(lambda: not monitor.is_watched)
        server.shutdown()


def test_who_looks_after_a_pause_is_not_told_that_answers_are_late(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(monitoring, "LATE_SECONDS", 0.1)
    monkeypatch.setattr(monitoring, "IDLE_PERIOD", 60.0)
    with watching(absent_worker=at(choose(set()))) as monitor:
        first = monitor.next_after(None, timeout=10)
        assert first
        until(lambda: (datetime.now(UTC) - first.at).total_seconds() > 0.2)
        assert not monitor.snapshots().is_late
        monkeypatch.setattr(Monitor, "_round", lambda *_: None)
        assert until(lambda: monitor.snapshots().is_late)


def test_history_is_bounded(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(monitoring, "PERIOD", 0.001)
    with watching(absent_worker=at(choose(set()))) as monitor:
        seen(monitor, lambda snapshot: len(monitor.snapshots().history) == monitoring.HISTORY)
        first = monitor.snapshots().history[0]
        seen(monitor, lambda snapshot: monitor.snapshots().history[0].at > first.at)
        assert len(monitor.snapshots().history) == monitoring.HISTORY


@pytest.fixture(scope="module")
def node(tmp_path_factory: pytest.TempPathFactory) -> Iterator[RabbitMQ]:
    """A node as `ordersaga up` starts it."""
    state = State(tmp_path_factory.mktemp("node") / "state").create()
    node = RabbitMQ(state, Records(state))
    try:
        node.start()
        yield node
    finally:
        node.stop()


def test_the_broker_tells_what_lies_in_its_queues_and_what_is_out_with_consumers(node: RabbitMQ) -> None:
    assert {connection.laddr.ip for connection in listening(node)} <= {LOOPBACK, "::1"}
    broker = TestBroker(node.amqp_url("provisioner"))
    broker.declare(EVERYTHING)
    [queue] = EVERYTHING.queue_names
    with watching(node.metrics_url) as monitor, broker.channel() as channel:
        seen(monitor, lambda snapshot: snapshot.broker.enqueued_per_second == 0)
        channel.confirm_delivery()
        channel.queue_declare(record := record_of("listener"), durable=True)
        channel.basic_publish("", record, b"[]")
        for number in range(30):
            publish_one(channel, counted(uuid4(), number))
        channel.basic_qos(prefetch_count=10)
        taken = list(islice(channel.consume(queue, inactivity_timeout=10), 10))
        snapshot = seen(monitor, lambda snapshot: snapshot.broker.unacknowledged == 10)
        assert (snapshot.broker.source, snapshot.broker.problem, snapshot.broker.ready) == ("broker", None, 20)
        assert record not in [each.name for each in snapshot.broker.queues]
        assert QueueFigures(queue, ready=20, unacknowledged=10, consumers=1) in snapshot.broker.queues
        assert snapshot.broker.enqueued_per_second
        assert snapshot.broker.delivered_per_second
        assert snapshot.broker.acknowledged_per_second == 0
        for method, _, _ in taken:
            assert method is not None
            channel.basic_ack(method.delivery_tag)
        seen(monitor, lambda snapshot: bool(snapshot.broker.acknowledged_per_second))


def test_the_port_of_the_brokers_metrics_manages_nothing(node: RabbitMQ) -> None:
    for path in ("/api/users", "/api/overview", "/", "/metrics/../api/users"):
        with pytest.raises(HTTPError, match=r"40[45]"):
            urlopen(node.metrics_url + path, timeout=5)


def listening(node: RabbitMQ) -> "list[Any]":
    found = psutil.Process(node.pid).net_connections("tcp")
    return [connection for connection in found if connection.status == psutil.CONN_LISTEN]


@contextmanager
def fake_node(queue: str, received: int) -> Iterator[str]:
    """A node of a cluster that leads one queue with one message."""

    class Node(Visitors):
        def do_GET(self) -> None:
            self.send_response(200)
            self.end_headers()
            labels = f'{{queue="{queue}",vhost="/"}}'
            self.wfile.write(f"rabbitmq_global_messages_received_total {received}\n".encode())
            self.wfile.write(f"rabbitmq_detailed_queue_messages_ready{labels} 1\n".encode())

    with ThreadingHTTPServer((LOOPBACK, 0), Node) as server:
        threading.Thread(target=server.serve_forever, daemon=True).start()
        yield at(server.server_port)
        server.shutdown()


def test_the_queues_of_a_cluster_are_those_of_all_its_nodes_that_answer() -> None:
    away = at(choose(set()))
    with fake_node("a.0", 1) as one, fake_node("b.0", 2) as other, watching(f"{one}/ {away} {other}") as monitor:
        broker = seen(monitor, lambda snapshot: bool(snapshot.broker.queues)).broker
    assert ([each.name for each in broker.queues], broker.ready, broker.problem) == (["a.0", "b.0"], 2, None)


def test_a_broker_without_metrics_is_told_apart_from_one_without_messages() -> None:
    with watching(at(choose(set())), absent_worker=at(choose(set()))) as monitor:
        broker = seen(monitor, lambda snapshot: True).broker
    assert broker.source == "processes"
    assert "does not answer at BROKER_METRICS_URL" in (broker.problem or "")
    assert (broker.ready, broker.unacknowledged, broker.enqueued_per_second) == (None, None, None)
