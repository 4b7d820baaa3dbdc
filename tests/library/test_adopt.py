"""docs/ADOPT.md is followed to the letter, where nothing but the built wheel is installed."""

from collections.abc import Iterator
from pathlib import Path

import psycopg
import pytest

from ordersaga.broker.topology import DEFAULT_QUEUES, Group
from tests.conftest import AnyServers
from tests.library.installed import Installed, Page, empty_database
from tests.support.broker import TestBroker
from tests.support.wait import until

NAME = "library"


@pytest.fixture
def database_url(servers: AnyServers) -> Iterator[str]:
    yield from empty_database(servers, NAME)


@pytest.mark.timeout(600)
def test_an_application_without_events_announces_and_receives_as_the_page_says(
    installed: Installed, database_url: str, broker: TestBroker, tmp_path: Path
) -> None:
    broker.remember(Group(NAME, (), DEFAULT_QUEUES))
    environment = {"LIBRARY_DATABASE_URL": database_url, "AMQP_URL": broker.url}
    with Page("ADOPT.md", tmp_path, installed, environment) as page:
        for command in page.commands:
            page.run(command)
        with psycopg.connect(database_url, autocommit=True) as connection:
            visits = "select array_agg(reader order by reader) from visits"
            until(lambda: connection.execute(visits).fetchone() == (["Ada", "Bob"],), seconds=120)
            assert connection.execute("select reader from books").fetchall() == [(None,), (None,)]
            assert connection.execute("select count(*) from stored_events").fetchone() == (0,)
            received = connection.execute("select contract from inbox order by 1").fetchall()
    assert received == [("library.book_returned.v1",), ("library.reader_left.v1",)]
