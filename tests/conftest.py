"""Real servers for every test that wants them: containers where Docker answers, else the stack's own private ones."""

import os
import shutil
import tempfile
from collections.abc import Iterator
from pathlib import Path

import pytest

from devstack.servers.private import Servers, private_servers
from devstack.state import IMPORT_PATH
from tests.support.broker import TestBroker
from tests.support.containers import ContainerServers, container_servers, docker_answers
from tests.support.databases import Databases, clones

os.environ["PYTHONPATH"] = IMPORT_PATH
AnyServers = Servers | ContainerServers


@pytest.fixture(scope="session")
def servers() -> Iterator[AnyServers]:
    """Postgres and RabbitMQ; the databases are made by `database`, the topology by `broker`."""
    if docker_answers():
        with container_servers() as servers:
            yield servers
        return
    directory = Path(tempfile.mkdtemp(prefix="ordersaga-tests-"))
    try:
        with private_servers(directory) as servers:
            yield servers
    finally:
        shutil.rmtree(directory, ignore_errors=True)


@pytest.fixture(scope="session")
def all_databases(servers: AnyServers) -> Databases:
    return Databases(servers.postgres)


@pytest.fixture
def database(all_databases: Databases) -> Iterator[Databases]:
    """`database("order_service")` is a fresh migrated database of that service."""
    yield from clones(all_databases)


@pytest.fixture(scope="module")
def databases(all_databases: Databases) -> Iterator[Databases]:
    """The same, for all tests of a file."""
    yield from clones(all_databases)


@pytest.fixture
def broker(servers: AnyServers) -> Iterator[TestBroker]:
    """`broker.declare(Group(...))` declares a topology that goes with the test."""
    broker = TestBroker(servers.amqp_url("provisioner"))
    try:
        yield broker
    finally:
        broker.clean()
