"""The private servers: loopback only, least rights, gone with whoever started them, side by side with others."""

import os
import shutil
import signal
import subprocess
import sys
import tempfile
from collections.abc import Callable, Iterator, Sequence
from contextlib import ExitStack, contextmanager
from pathlib import Path

import pika
import psutil
import psycopg
import pytest
from pika.adapters.blocking_connection import BlockingChannel
from pika.exceptions import AMQPConnectionError, ChannelClosedByBroker

from devstack.children import Identity
from devstack.ports import LOOPBACK, answers
from devstack.processes import GROUPS
from devstack.records import Records
from devstack.servers.account import UNPRIVILEGED, open_to_all
from devstack.servers.databases import create_databases
from devstack.servers.private import Servers, private_servers
from devstack.servers.rabbitmq import RabbitMQ
from devstack.servers.rabbitmq_install import epmd_program
from devstack.servers.rabbitmq_users import LIMITS
from devstack.state import IMPORT_PATH, ROOT, State
from ordersaga.broker import topology as broker
from ordersaga.cli.errors import Failed
from tests.support.wait import until

OWNERS_CONNECTIONS = 40
"""Migrations, rebuilds, the operators' commands."""
LIMITED_ROLES = "select rolname, rolconnlimit from pg_roles where rolcanlogin and not rolsuper"
HOLD = """
import sys
from devstack.servers.private import private_servers
with private_servers(sys.argv[1]) as servers:
    print(servers.postgres.superuser_url(), servers.amqp_url("provisioner"), flush=True)
    sys.stdin.read()
"""
"""Runs the servers until its standard input ends."""


@pytest.fixture(scope="module")
def private(tmp_path_factory: pytest.TempPathFactory) -> Iterator[Servers]:
    with private_servers(tmp_path_factory.mktemp("servers")) as servers:
        create_databases(servers.postgres)
        yield servers


def test_the_servers_listen_on_loopback_alone(private: Servers) -> None:
    started = [private.postgres.pid, private.rabbitmq.pid, private.rabbitmq.epmd_pid]
    listening = {address for pid in started for process in tree(pid or 0) for address in listens_on(process)}
    assert "127.0.0.1" in listening
    assert listening <= {"127.0.0.1", "::1"}


def test_a_service_cannot_enter_the_database_of_another(private: Servers) -> None:
    psycopg.connect(private.postgres.url("order_service", "order_service")).close()
    psycopg.connect(private.postgres.url("relay", "order_service")).close()
    for role, database in (("order_service", "payment_service"), ("relay", "projections")):
        with pytest.raises(psycopg.OperationalError, match="permission denied"):
            psycopg.connect(private.postgres.url(role, database))


def test_all_roles_together_leave_connections_to_the_owner(private: Servers) -> None:
    with psycopg.connect(private.postgres.superuser_url()) as owner:
        limits = owner.execute(
            "select rolname, rolconnlimit from pg_roles where rolcanlogin and not rolsuper"
        ).fetchall()
        row = owner.execute("show max_connections").fetchone()
    assert {name for name, _ in limits} >= {*GROUPS, "relay", "auditor"}
    assert all(limit > 0 for _, limit in limits)
    assert row is not None
    assert sum(limit for _, limit in limits) + OWNERS_CONNECTIONS <= int(row[0])


@pytest.fixture(scope="module")
def topology(private: Servers) -> None:
    with channel(private, "provisioner") as provisioner:
        groups = [broker.Group(name, ("a.b.v1",), 1) for name in ("order_service", "payment_service")]
        broker.declare(provisioner, groups)


def test_a_broker_user_may_do_only_what_its_process_does(private: Servers, topology: None) -> None:
    with channel(private, "relay") as relay:
        relay.confirm_delivery()
        relay.basic_publish("events", "a.b.v1.00", b"hello")
        with pytest.raises(ChannelClosedByBroker, match="ACCESS_REFUSED"):
            first_message(relay, "order_service.0")
    with channel(private, "order_service") as service:
        assert first_message(service, "order_service.0") == b"hello"
        with pytest.raises(ChannelClosedByBroker, match="ACCESS_REFUSED"):
            first_message(service, "payment_service.0")
    with channel(private, "order_service") as service, pytest.raises(ChannelClosedByBroker, match="ACCESS_REFUSED"):
        service.queue_declare("order_service.mine")


@pytest.mark.parametrize("user", ["order_service_relay", "order_service"])
@pytest.mark.parametrize(
    "forbidden",
    [
        lambda channel: channel.basic_publish("events", "payments.payment_captured.v1.00", b"paid"),
        lambda channel: channel.basic_publish("", "payment_service.0", b"straight into a queue"),
        lambda channel: channel.basic_publish("dead_letters", "payment_service", b"into the dead letters"),
        lambda channel: channel.queue_declare("order_service.mine"),
        lambda channel: channel.queue_purge("payment_service.0"),
        lambda channel: channel.queue_delete("order_service.0"),
        lambda channel: channel.queue_bind("order_service.0", "events", "#"),
        lambda channel: channel.queue_unbind("order_service.0", "events", "a.b.v1.00"),
        lambda channel: channel.exchange_delete("events"),
        lambda channel: channel.basic_consume("payment_service.0", lambda *_: None),
    ],
)
def test_a_broker_user_is_refused(
    private: Servers, topology: None, user: str, forbidden: Callable[[BlockingChannel], object]
) -> None:
    with channel(private, user) as taken_over:
        taken_over.confirm_delivery()
        with pytest.raises(ChannelClosedByBroker, match="ACCESS_REFUSED"):
            forbidden(taken_over)


def test_the_relay_of_a_service_publishes_its_contracts_and_the_relay_of_all_any(
    private: Servers, topology: None
) -> None:
    for user, key in (
        ("payment_service_relay", "payments.x.v1.00"),
        ("relay", "payments.x.v1.00"),
        ("relay", "a.b.v1"),
    ):
        with channel(private, user) as publisher:
            publisher.confirm_delivery()
            publisher.basic_publish("events", key, b"{}")


def test_a_broker_user_takes_no_more_than_his_share_of_connections_and_channels(private: Servers) -> None:
    url = pika.URLParameters(private.amqp_url("order_service"))
    with ExitStack() as stack:
        taken = [stack.enter_context(pika.BlockingConnection(url)) for _ in range(LIMITS["max-connections"])]
        with pytest.raises(AMQPConnectionError, match="limit"):
            pika.BlockingConnection(url)
        with channel(private, "payment_service"):
            pass
        with pytest.raises(AMQPConnectionError, match="limit"):
            [taken[0].channel() for _ in range(LIMITS["max-channels"] + 1)]


def test_the_broker_knows_no_guest(private: Servers) -> None:
    guest = f"amqp://guest:guest@127.0.0.1:{private.rabbitmq.port}/ordersaga"
    with pytest.raises(AMQPConnectionError):
        pika.BlockingConnection(pika.URLParameters(guest))


def test_a_second_stack_on_the_same_state_directory_is_refused(private: Servers) -> None:
    with pytest.raises(Failed, match="Another stack"), private_servers(private.directory):
        pass


def test_two_state_directories_have_servers_side_by_side_that_keep_their_data(private: Servers, tmp_path: Path) -> None:
    with private_servers(tmp_path) as other:
        assert other.postgres.port != private.postgres.port
        assert other.amqp_url("relay") != private.amqp_url("relay")
        create_databases(other.postgres)
        for servers in (private, other):
            servers.postgres.stop()
            servers.postgres.start()
            psycopg.connect(servers.postgres.superuser_url("order_service")).close()


def test_servers_die_with_the_process_that_started_them_and_start_again(tmp_path: Path) -> None:
    with holder([sys.executable], tmp_path) as process:
        family = [Identity.of(child.pid) for child in tree(process.pid)]
        assert len(family) > 3
        process.send_signal(signal.SIGKILL)
        assert all(identity.wait(15) for identity in family)
    with private_servers(tmp_path):
        pass


def test_an_epmd_that_the_node_started_is_ended_with_it(tmp_path: Path) -> None:
    state = State(tmp_path).create()
    rabbitmq = RabbitMQ(state, Records(state))
    rabbitmq.start()
    try:
        own = Identity.of(rabbitmq.epmd_pid or 0)
        own.signal(signal.SIGKILL)
        own.wait(5)
        port = state.port("rabbitmq epmd")
        subprocess.run([epmd_program(), "-daemon", "-port", str(port), "-address", LOOPBACK], check=True)
        until(lambda: answers(port))
    finally:
        rabbitmq.stop()
    assert not answers(port)


def test_an_ordinary_user_can_run_the_servers() -> None:
    if os.geteuid() != 0:
        pytest.skip("the other tests of this file run as an ordinary user already")
    program = shutil.which(f"python3.{sys.version_info.minor}", path="/usr/local/bin:/usr/bin")
    if program is None or not open_to_all(ROOT / "devstack"):
        pytest.skip(f"user {UNPRIVILEGED} can reach no Python 3.{sys.version_info.minor} or not {ROOT}")
    user = ["setpriv", f"--reuid={UNPRIVILEGED}", "--regid=nogroup", "--clear-groups", "--inh-caps=-all"]
    directory = Path(tempfile.mkdtemp(prefix="ordersaga-user-"))
    try:
        shutil.chown(directory, UNPRIVILEGED)
        with holder([*user, program], directory) as process:
            owners = {child.username() for child in tree(process.pid)}
        assert owners == {UNPRIVILEGED}
    finally:
        shutil.rmtree(directory)


@contextmanager
def holder(python: Sequence[str], directory: Path) -> Iterator["subprocess.Popen[str]"]:
    """Another process that holds servers which answer; it ends them in good order unless it is killed."""
    packages = Path(psycopg.__file__).parents[1]
    environment = {
        "PATH": os.environ["PATH"],
        "PYTHONPATH": f"{IMPORT_PATH}:{packages}",
        "PYTHONDONTWRITEBYTECODE": "1",
    }
    command = [*python, "-c", HOLD, str(directory)]
    pipe = subprocess.PIPE
    with subprocess.Popen(command, env=environment, cwd="/", text=True, stdin=pipe, stdout=pipe) as process:
        assert process.stdout
        line = process.stdout.readline()
        assert line, "the servers did not start"
        database_url, amqp_url = line.split()
        psycopg.connect(database_url).close()
        pika.BlockingConnection(pika.URLParameters(amqp_url)).close()
        yield process


def tree(pid: int) -> list[psutil.Process]:
    return [psutil.Process(pid), *psutil.Process(pid).children(recursive=True)]


def listens_on(process: psutil.Process) -> set[str]:
    try:
        connections = process.net_connections()
    except psutil.NoSuchProcess:
        return set()
    return {connection.laddr.ip for connection in connections if connection.status == psutil.CONN_LISTEN}


def first_message(consumer: BlockingChannel, queue: str) -> bytes | None:
    """The body of what comes first; a queue with a single active consumer cannot be asked with basic.get."""
    for _method, _properties, body in consumer.consume(queue, auto_ack=True, inactivity_timeout=20):
        consumer.cancel()
        return bytes(body)
    return None


@contextmanager
def channel(servers: Servers, user: str) -> Iterator[BlockingChannel]:
    connection = pika.BlockingConnection(pika.URLParameters(servers.amqp_url(user)))
    try:
        yield connection.channel()
    finally:
        connection.close()
