"""Tests that start what tests start and wait to be interrupted; only test_interrupted_runs.py asks for them by name."""

import os
import signal
from pathlib import Path

from tests.conftest import AnyServers
from tests.shop.support.whole_stack import whole_stack
from tests.support.broker import TestBroker
from tests.support.counting import GROUP
from tests.support.databases import Databases
from tests.support.relays import relays_of
from tests.support.workers import Counting

STARTED = "INTERRUPTED_STARTED"
"""Environment variable: the file that appears when everything runs."""


def test_of_servers(servers: AnyServers, database: Databases, broker: TestBroker, tmp_path: Path) -> None:
    with (
        Counting(database(GROUP), broker, servers.amqp_url(GROUP), tmp_path) as counting,
        relays_of(counting.database, servers.amqp_url("relay")) as relays,
    ):
        counting.start()
        relays.start()
        wait_to_be_interrupted()


def test_of_a_whole_stack(tmp_path: Path) -> None:
    with whole_stack(tmp_path / "state"):
        wait_to_be_interrupted()


def wait_to_be_interrupted() -> None:
    Path(os.environ[STARTED]).touch()
    signal.pause()
