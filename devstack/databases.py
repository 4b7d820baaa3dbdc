"""Connections to the databases of a stack; what one of them refuses is said to a person."""

from collections.abc import Iterator
from contextlib import ExitStack, contextmanager
from typing import Any

import psycopg
from psycopg import Connection

from devstack.environment import Environments
from ordersaga.cli.errors import Failed

SECONDS = 10
"""For a connection."""
IS_IT_UP = "Is the stack up and migrated?"


@contextmanager
def connected(environments: Environments, database: str, role: str, then: str = IS_IT_UP) -> Iterator[Connection[Any]]:
    """With the rights of the role, in autocommit. Raises Failed, which ends with `then`, when the database does."""
    try:
        url = environments.database_url(database, role)
        with psycopg.connect(url, autocommit=True, connect_timeout=SECONDS) as connection:
            yield connection
    except psycopg.Error as error:
        raise Failed(f"The database of {database} failed: {error}. {then}") from error


@contextmanager
def all_connected(environments: Environments, *names: str) -> Iterator[dict[str, Connection[Any]]]:
    """To those named, else to every one, with every right, in autocommit. Raises Failed when one of them fails."""
    urls = environments.owner_urls()
    try:
        with ExitStack() as stack:
            yield {
                name: stack.enter_context(psycopg.connect(urls[name], autocommit=True, connect_timeout=SECONDS))
                for name in names or urls
            }
    except psycopg.Error as error:
        raise Failed(f"A database could not be read: {error}. {IS_IT_UP}") from error
