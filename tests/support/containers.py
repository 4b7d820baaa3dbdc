"""The same servers from containers, where a Docker engine answers."""

import os
from collections.abc import Iterator
from contextlib import contextmanager
from dataclasses import dataclass
from pathlib import Path
from typing import Any

import docker.errors
import psycopg
from psycopg.sql import SQL, Identifier, Literal

import docker
from devstack.ports import LOOPBACK, choose
from devstack.servers.databases import AUDITOR, DATABASES, MAINTENANCE, RELAY, close, connections_of
from devstack.servers.docker import POSTGRES_IMAGE, RABBITMQ_IMAGE
from tests.support.counting import GROUP

PASSWORD = "only-for-tests"
USER = "ordersaga"


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


class RabbitMQInContainer(Container):
    def amqp_url(self, _: str) -> str:
        return f"amqp://{USER}:{PASSWORD}@{LOOPBACK}:{self.port}/%2F"

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
    from testcontainers.core.container import DockerContainer

    postgres_port, rabbitmq_port = choose(set()), choose(set())
    postgres = DockerContainer(POSTGRES_IMAGE).with_bind_ports(5432, (LOOPBACK, postgres_port))
    postgres.with_env("POSTGRES_USER", USER).with_env("POSTGRES_PASSWORD", PASSWORD)
    rabbitmq = DockerContainer(RABBITMQ_IMAGE).with_bind_ports(5672, (LOOPBACK, rabbitmq_port))
    rabbitmq.with_env("RABBITMQ_DEFAULT_USER", USER).with_env("RABBITMQ_DEFAULT_PASS", PASSWORD)
    with postgres, rabbitmq:
        servers = ContainerServers(
            PostgresInContainer(postgres, postgres_port), RabbitMQInContainer(rabbitmq, rabbitmq_port)
        )
        servers.postgres.wait()
        servers.postgres.create_roles()
        servers.rabbitmq.wait()
        yield servers
