"""docs/FIRST_SERVICE.md is followed to the letter, where nothing but the built wheel is installed."""

import json
import os
import subprocess
from collections.abc import Iterator
from pathlib import Path

import psycopg
import pytest

from devstack.ports import choose
from ordersaga.broker.topology import DEFAULT_QUEUES, Group
from tests.conftest import AnyServers
from tests.library.installed import Installed, Page, empty_database
from tests.support.broker import TestBroker
from tests.support.wait import until

NAME = "library"


@pytest.fixture
def database_url(servers: AnyServers) -> Iterator[str]:
    yield from empty_database(servers, NAME)


@pytest.fixture
def page(installed: Installed, database_url: str, broker: TestBroker, tmp_path: Path) -> Iterator[Page]:
    broker.remember(Group(NAME, (), DEFAULT_QUEUES))
    environment = {"LIBRARY_DATABASE_URL": database_url, "AMQP_URL": broker.url, "HTTP_PORT": str(choose(set()))}
    with Page("FIRST_SERVICE.md", tmp_path, installed, environment) as page:
        page.replaced["127.0.0.1:8000"] = f"127.0.0.1:{environment['HTTP_PORT']}"
        yield page


@pytest.mark.timeout(600)
def test_the_page_works_as_it_stands_where_nothing_but_the_wheel_is_installed(page: Page, database_url: str) -> None:
    commands = iter(page.commands)

    def run_up_to(beginning: str) -> str:
        """What the first command prints that begins so; those before it are run."""
        for command in commands:
            said = page.run(command)
            if command.startswith(beginning):
                return said
        raise AssertionError(f"the page has no command {beginning}")

    book = json.loads(run_up_to("curl"))
    assert book["reader"] == ""
    page.environment["ID"] = book["id"]
    look = next(commands)
    assert "$ID" in look
    until(lambda: json.loads(page.run(look))["reader"] == "Bob", seconds=120)

    assert json.loads(run_up_to("curl"))["reader"] == ""
    listing = next(commands)
    assert listing == "ordersaga parked list --messages"
    until(lambda: "ValueError" in page.run(listing), seconds=120)
    with psycopg.connect(database_url) as connection:
        [(message,)] = connection.execute("select message_id from parked_messages").fetchall()
    page.environment["MESSAGE"] = str(message)
    assert str(message) in page.run(listing)
    assert "'4711' is nobody's name" in run_up_to("ordersaga parked show")
    assert run_up_to("ordersaga parked skip") == "library: 1 skipped\n"
    assert NAME in run_up_to("ordersaga relay status")
    assert page.run(listing) == "Nothing is parked.\n"
    assert list(commands) == []


def test_nothing_of_this_repository_is_installed_and_the_base_is_no_more_than_it_says(installed: Installed) -> None:
    program = """
import importlib.util as util
import ordersaga, sys
names = ("contracts", "devstack", "order_service", "projections", "relay", "shop", "dash", "stripe", "psutil")
print(*(name for name in names if util.find_spec(name)))
print(ordersaga.__file__)
"""
    environment = {name: text for name, text in os.environ.items() if name != "PYTHONPATH"}
    done = subprocess.run(
        [installed.python, "-c", program], cwd="/", env=environment, capture_output=True, text=True, check=True
    )
    strangers, place = done.stdout.splitlines()
    assert strangers == ""
    assert place.startswith(str(installed.folder))
