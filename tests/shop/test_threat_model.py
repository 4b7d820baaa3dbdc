"""What nobody can do at the ports that docs/SECURITY.md lists, and what the auditor's role cannot."""

import os
import subprocess
from http.client import HTTPConnection

import pika
import psycopg
import pytest
from pika.exceptions import AMQPConnectionError
from psycopg.conninfo import make_conninfo
from psycopg.errors import InsufficientPrivilege

from devstack.ports import LOOPBACK, choose
from devstack.servers.private import Servers
from ordersaga.runtime.health import serve_health
from tests.conftest import AnyServers
from tests.support.databases import Database, Databases

PING = "io:format('~p', [net_adm:ping('{node}')]), halt()."


@pytest.fixture(scope="module")
def store(databases: Databases) -> Database:
    return databases("order_service")


@pytest.mark.parametrize("password", ["", "wrong"])
def test_nobody_signs_in_at_postgres_without_the_password(store: Database, password: str) -> None:
    for url in (store.owner_url, store.url, store.relay_url, store.auditor_url):
        with pytest.raises(psycopg.OperationalError, match="password"):
            psycopg.connect(make_conninfo(url, password=password))


@pytest.mark.parametrize("user", ["provisioner", "relay", "order_service_relay", "order_service"])
def test_nobody_signs_in_at_rabbitmq_without_the_password(servers: AnyServers, user: str) -> None:
    parameters = pika.URLParameters(servers.amqp_url(user))
    parameters.credentials = pika.PlainCredentials(user, "wrong")
    with pytest.raises(AMQPConnectionError):
        pika.BlockingConnection(parameters)


def test_nobody_controls_the_broker_node_without_its_cookie(servers: AnyServers) -> None:
    if not isinstance(servers, Servers):
        pytest.skip("a container publishes the port of AMQP alone")
    environment = servers.rabbitmq._environment()
    cookie = servers.rabbitmq._state.secret("erlang cookie")
    answers = [ping(environment, name, each) for name, each in (("friend", cookie), ("stranger", "guess"))]
    assert answers == ["pong", "pang"]


def ping(environment: dict[str, str], name: str, cookie: str) -> str:
    """`pong` when another Erlang node lets this one in."""
    ask = PING.format(node=environment["RABBITMQ_NODENAME"])
    command = ["erl", "-noinput", "-sname", f"{name}@localhost", "-setcookie", cookie, "-eval", ask]
    done = subprocess.run(
        command, env={**os.environ, **environment}, capture_output=True, text=True, check=True, timeout=30
    )
    return done.stdout.strip()


@pytest.mark.parametrize(
    ("method", "path"),
    [("GET", "/"), ("GET", "/healthz/../etc/passwd"), ("GET", "/debug"), ("POST", "/parked"), ("DELETE", "/metrics/x")],
)
def test_a_health_port_has_three_addresses(method: str, path: str) -> None:
    port = choose(set())
    serve_health(port, LOOPBACK, list)
    connection = HTTPConnection(LOOPBACK, port, timeout=5)
    try:
        connection.request(method, path)
        assert connection.getresponse().status == 404
    finally:
        connection.close()


@pytest.mark.parametrize(
    "statement",
    [
        "select key from personal_keys",
        "select * from idempotency_keys",
        "select * from parked_messages",
        "insert into outbox (contract) values ('')",
        "update stored_events set actor = 'nobody'",
        "create table hidden ()",
    ],
)
def test_the_auditor_reads_the_proof_and_no_more(store: Database, statement: str) -> None:
    with psycopg.connect(store.auditor_url) as connection, pytest.raises(InsufficientPrivilege):
        connection.execute(statement)
