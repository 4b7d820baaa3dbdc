"""Connections to the databases of an application; their errors end the command with a message."""

from collections.abc import Iterator
from contextlib import contextmanager
from typing import Any

import psycopg
from psycopg import Connection

from ordersaga.cli.app import Application
from ordersaga.cli.errors import Failed
from ordersaga.service import Service

CONNECT_SECONDS = 10
IS_IT_MIGRATED = "Is it up and migrated?"


@contextmanager
def connected(
    application: Application, service: Service, role: str, then: str = IS_IT_MIGRATED
) -> Iterator[Connection[Any]]:
    """A connection to the database of a service with the rights of the role, in autocommit.

    Raises:
        Failed: the database failed; the text ends with the advice `then`.
    """
    try:
        url = application.database_url(service.database, role)
        with psycopg.connect(url, autocommit=True, connect_timeout=CONNECT_SECONDS) as connection:
            yield connection
    except psycopg.Error as error:
        raise Failed(f"The database of {service.name} failed: {error}. {then}") from error
