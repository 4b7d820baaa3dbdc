"""Servers that another process has started, for many short test runs one after another."""

import os
from pathlib import Path

from devstack.records import Records
from devstack.servers.postgres import Postgres
from devstack.servers.private import Servers
from devstack.servers.rabbitmq import RabbitMQ
from devstack.state import State
from tests.support.counting import GROUP

VARIABLE = "TEST_SERVERS_STATE"
"""The state directory of the servers that run."""


def running_servers() -> Servers | None:
    """The servers of `VARIABLE`, which this process can neither start nor stop; None when it is not set."""
    directory = os.environ.get(VARIABLE)
    if not directory:
        return None
    state = State(directory)
    records = Records(state)
    return Servers(Path(directory), Postgres(state, records), RabbitMQ(state, records, False, [GROUP]))
