"""All databases, each as it was at one moment, in an order that makes an effect never older than its cause."""

from collections.abc import Iterator, Mapping
from contextlib import ExitStack, contextmanager
from dataclasses import dataclass
from itertools import count
from typing import Any

import psycopg
from psycopg import Connection, IsolationLevel

from devstack.processes import GROUPS, SERVICES

numbers = count(1)
"""Several cursors are open in one connection at once."""
AT_ONCE = 2000
"""Rows that one cursor fetches in a round trip."""


@dataclass(frozen=True)
class Snapshots:
    """Connections by database. What a group has received was looked at before what was announced: so a message
    that is in an inbox and in no store was never announced, however busy the system is."""

    received: Mapping[str, Connection[Any]]
    announced: Mapping[str, Connection[Any]]


@contextmanager
def take_snapshots(urls: Mapping[str, str]) -> Iterator[Snapshots]:
    with ExitStack() as stack:
        received = {group: stack.enter_context(snapshot(urls[group])) for group in GROUPS}
        announced = {service: stack.enter_context(snapshot(urls[service])) for service in SERVICES}
        yield Snapshots(received, announced)


@contextmanager
def snapshot(url: str) -> Iterator[Connection[Any]]:
    """A transaction that only reads, and sees what was committed when it began."""
    with psycopg.connect(url, application_name="ordersaga reconcile") as connection:
        connection.isolation_level = IsolationLevel.REPEATABLE_READ
        connection.read_only = True
        connection.execute("select 1")
        yield connection


def rows(connection: Connection[Any], query: str, parameters: Mapping[str, Any]) -> Iterator[tuple[Any, ...]]:
    """The answer through a cursor on the server, so that the client holds one batch of it."""
    with connection.cursor(f"reconcile_{next(numbers)}") as cursor:
        cursor.itersize = AT_ONCE
        yield from cursor.execute(query, parameters, binary=True)
