"""The stack's own Postgres and RabbitMQ, started together."""

from collections.abc import Iterator, Sequence
from contextlib import contextmanager
from dataclasses import dataclass
from pathlib import Path

from rich.console import Console

from devstack.managed import wait_until_ready
from devstack.records import Records
from devstack.servers import rabbitmq_install
from devstack.servers.databases import create_roles
from devstack.servers.postgres import Postgres
from devstack.servers.rabbitmq import START_SECONDS, RabbitMQ
from devstack.state import State


@dataclass
class Servers:
    directory: Path
    postgres: Postgres
    rabbitmq: RabbitMQ

    def amqp_url(self, user: str) -> str:
        return self.rabbitmq.amqp_url(user)


@contextmanager
def private_servers(state_dir: Path | str, more: Sequence[str] = ()) -> Iterator[Servers]:
    """Both servers, ready, for as long as the block lasts; the roles exist, the databases do not yet.

    `more` names roles and groups beside the shop's.
    Installs RabbitMQ by apt where it is missing and that is possible.
    Enter it in a thread that stays to the end: the kernel ends the servers when their starting thread ends.
    """
    rabbitmq_install.ensure_installed(Console(stderr=True))
    state = State(state_dir).create()
    with state.locked():
        records = Records(state)
        records.end_leftovers()
        servers = Servers(state.directory, Postgres(state, records), RabbitMQ(state, records, False, more))
        try:
            servers.rabbitmq.launch()
            servers.postgres.start()
            create_roles(servers.postgres, more)
            wait_until_ready(servers.rabbitmq, START_SECONDS)
            yield servers
        finally:
            servers.rabbitmq.stop()
            servers.postgres.stop()
