"""Real servers for every test that wants them: the stack's own private ones, or containers; or their models."""

import os
import tempfile
from collections.abc import Iterator
from pathlib import Path
from typing import Any

import pytest
from psycopg import Connection
from xdist.scheduler.loadfile import LoadFileScheduling  # type: ignore[import-untyped]

from devstack.servers.private import Servers, private_servers
from devstack.state import IMPORT_PATH
from tests.support.broker import TestBroker
from tests.support.containers import ContainerServers, container_servers, in_containers
from tests.support.counting import GROUP
from tests.support.databases import Databases, clones
from tests.support.run import Run
from tests.support.running_servers import running_servers
from tests.support.workers import Counting

os.environ["PYTHONPATH"] = IMPORT_PATH
AnyServers = Servers | ContainerServers
RUN = None if "PYTEST_XDIST_WORKER" in os.environ else Run.begin()
"""xdist's workers belong to the run of their master."""
WHOLE_STACK = "tests/end_to_end/"
WITH_SERVERS_OF_THEIR_OWN = ("test_demo.py", "test_openapi.py")


def pytest_unconfigure() -> None:
    if RUN:
        RUN.end()


class LoadUnits(LoadFileScheduling):  # type: ignore[misc]
    """A worker of xdist takes a file at a time, and all files that share the whole stack as one."""

    def _split_scope(self, nodeid: str) -> str:
        file: str = super()._split_scope(nodeid)
        return WHOLE_STACK if file.startswith(WHOLE_STACK) and not file.endswith(WITH_SERVERS_OF_THEIR_OWN) else file


@pytest.hookimpl(optionalhook=True)
def pytest_xdist_make_scheduler(config: pytest.Config, log: Any) -> LoadUnits | None:
    return LoadUnits(config, log) if config.getvalue("dist") == "loadfile" else None


@pytest.fixture
def in_simulation() -> Iterator[None]:
    """The product runs between models of its clock, its threads and its servers."""
    from tests.simulation.installed import installed

    with installed():
        yield


@pytest.fixture(scope="session")
def servers() -> Iterator[AnyServers]:
    """Postgres and RabbitMQ; the databases are made by `database`, the topology by `broker`."""
    if running := running_servers():
        yield running
        return
    if in_containers():
        with container_servers() as servers:
            yield servers
        return
    with private_servers(tempfile.mkdtemp(prefix="servers-"), [GROUP]) as servers:
        yield servers


@pytest.fixture(scope="session")
def all_databases(servers: AnyServers) -> Databases:
    return Databases(servers.postgres)


@pytest.fixture
def database(all_databases: Databases) -> Iterator[Databases]:
    """`database()` is a fresh migrated database of the counting service; the shop's tests name others."""
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


@pytest.fixture
def counting(
    servers: AnyServers, database: Databases, broker: TestBroker, tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> Iterator[Counting]:
    """The counting service, without a worker as yet; its switches work in this process too."""
    monkeypatch.setenv("COUNTING_SWITCHES", str(tmp_path))
    with Counting(database(GROUP), broker, servers.amqp_url(GROUP), tmp_path) as counting:
        yield counting


@pytest.fixture
def connection(counting: Counting) -> Iterator[Connection[Any]]:
    """With the rights of the counting service."""
    with counting.database.connect() as connection:
        yield connection
