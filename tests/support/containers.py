"""The same servers from containers, on request or where RabbitMQ is missing and a Docker engine answers."""

import os
import tempfile
from collections.abc import Iterator
from contextlib import contextmanager
from dataclasses import dataclass
from pathlib import Path
from typing import Any
from urllib.parse import quote

import docker.errors
import psycopg
from psycopg.sql import SQL, Identifier, Literal

import docker
from devstack.ports import LOOPBACK, choose
from devstack.servers.databases import AUDITOR, DATABASES, MAINTENANCE, RELAY, close, connections_of
from devstack.servers.docker import POSTGRES_IMAGE, RABBITMQ_IMAGE
from devstack.servers.rabbitmq import ADVANCED, LIMITS
from devstack.servers.rabbitmq_install import find_server
from devstack.servers.rabbitmq_users import VHOST, definitions, password
from devstack.state import State
from tests.support.counting import GROUP

PASSWORD = "only-for-tests"
USER = "ordersaga"
CHOICE = "TEST_SERVERS"
"""`containers`, or `private`: the servers that `./ordersaga` starts."""
POSTGRES = ["postgres", "-c", "max_connections=500", "-c", "timezone=UTC", "-c", "max_wal_size=2GB"]


def in_containers() -> bool:
    """Whether tests use containers."""
    choice = os.environ.get(CHOICE, "")
    if choice not in ("", "containers", "private"):
        raise ValueError(f"{CHOICE} is {choice!r}: set it to containers or private")
    return choice == "containers" if choice else find_server() is None and docker_answers()


def docker_answers() -> bool:
    """Whether a Docker engine can be used; the client alone does not count."""
    if "DOCKER_HOST" not in os.environ and not Path("/var/run/docker.sock").exists():
        return False
    client = docker.DockerClient.from_env(timeout=5)
    try:
        return bool(client.ping())
    except docker.errors.DockerException:
        return False
    finally:
        client.close()


@dataclass
class Container:
    """A server in a container on a fixed loopback port, so that it comes back where it was."""

    container: Any
    port: int

    def stop(self) -> None:
        self.container.get_wrapped_container().stop()

    def kill(self) -> None:
        self.container.get_wrapped_container().kill()

    def start(self) -> None:
        self.container.get_wrapped_container().start()
        self.wait()

    def wait(self) -> None:
        raise NotImplementedError


class PostgresInContainer(Container):
    def superuser_url(self, database: str = "postgres") -> str:
        return self.url(USER, database)

    def url(self, role: str, database: str) -> str:
        return f"postgresql://{role}:{PASSWORD}@{LOOPBACK}:{self.port}/{database}"

    def wait(self) -> None:
        from tests.support.wait import until

        def connects() -> bool:
            try:
                psycopg.connect(self.superuser_url(), connect_timeout=2).close()
            except psycopg.OperationalError:
                return False
            return True

        until(connects, seconds=60, every=0.2)

    def create_roles(self) -> None:
        with psycopg.connect(self.superuser_url(), autocommit=True) as connection:
            for role in (*DATABASES, RELAY, AUDITOR, GROUP):
                statement = SQL("create role {} login password {} connection limit {}")
                limit = connections_of(role)
                connection.execute(statement.format(Identifier(role), Literal(PASSWORD), Literal(limit)))
            for name in MAINTENANCE:
                close(connection, name)


@dataclass
class RabbitMQInContainer(Container):
    """With the users and rights of the private broker."""

    state: State

    def amqp_url(self, user: str) -> str:
        return f"amqp://{user}:{quote(password(self.state, user), safe='')}@{LOOPBACK}:{self.port}/{VHOST}"

    def wait(self) -> None:
        import pika
        from pika.exceptions import AMQPError

        from tests.support.wait import until

        def connects() -> bool:
            try:
                pika.BlockingConnection(pika.URLParameters(self.amqp_url("provisioner"))).close()
            except (AMQPError, OSError):
                return False
            return True

        until(connects, seconds=120, every=0.5)


@dataclass
class ContainerServers:
    """Has the surface of stack.servers.private.Servers."""

    postgres: PostgresInContainer
    rabbitmq: RabbitMQInContainer

    def amqp_url(self, user: str) -> str:
        return self.rabbitmq.amqp_url(user)


@contextmanager
def container_servers() -> Iterator[ContainerServers]:
    """The images of compose.yaml, ready, for as long as the block lasts."""
    state = State(tempfile.mkdtemp(prefix="containers-")).create()
    postgres, rabbitmq = postgres_in_container(), rabbitmq_in_container(state)
    with postgres.container, rabbitmq.container:
        postgres.wait()
        postgres.create_roles()
        rabbitmq.wait()
        yield ContainerServers(postgres, rabbitmq)


def postgres_in_container() -> PostgresInContainer:
    from testcontainers.core.container import DockerContainer

    port = choose(set())
    container = DockerContainer(POSTGRES_IMAGE).with_command(POSTGRES)
    publish(container, 5432, port)
    variables = {"POSTGRES_USER": USER, "POSTGRES_PASSWORD": PASSWORD, "POSTGRES_DB": "postgres"}
    return PostgresInContainer(container.with_envs(**variables), port)


def rabbitmq_in_container(state: State) -> RabbitMQInContainer:
    from testcontainers.core.container import DockerContainer

    port = choose(set())
    container = DockerContainer(RABBITMQ_IMAGE, hostname="rabbitmq")
    publish(container, 5672, port)
    files = {
        "rabbitmq.conf": f"listeners.tcp.default = 5672\nload_definitions = /etc/rabbitmq/definitions.json\n{LIMITS}",
        "advanced.config": ADVANCED,
        "definitions.json": definitions(state, [GROUP]),
    }
    for name, text in files.items():
        path = state.write_text(name, text)
        path.chmod(0o644)
        container.with_volume_mapping(str(path), f"/etc/rabbitmq/{name}")
    return RabbitMQInContainer(container, port, state)


def publish(container: Any, inside: int, port: int) -> None:
    """On loopback; `with_bind_ports` publishes on every interface."""
    container.ports[f"{inside}/tcp"] = (LOOPBACK, port)
