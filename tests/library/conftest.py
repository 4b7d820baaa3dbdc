"""The counting service in this process, for tests that park messages without a worker."""

from collections.abc import Iterator
from pathlib import Path
from typing import Any

import pytest
from psycopg import Connection

from tests.conftest import AnyServers
from tests.support.broker import TestBroker
from tests.support.counting import GROUP
from tests.support.databases import Databases
from tests.support.workers import Counting


@pytest.fixture
def counting(
    servers: AnyServers, database: Databases, broker: TestBroker, tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> Iterator[Counting]:
    """The switches work in this process too."""
    monkeypatch.setenv("COUNTING_SWITCHES", str(tmp_path))
    with Counting(database(GROUP), broker, servers.amqp_url(GROUP), tmp_path) as counting:
        yield counting


@pytest.fixture
def connection(counting: Counting) -> Iterator[Connection[Any]]:
    """With the rights of the service."""
    with counting.database.connect() as connection:
        yield connection
