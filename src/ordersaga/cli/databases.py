"""Connections to the databases of an application; their errors end the command with a message."""

from collections.abc import Iterator
from contextlib import contextmanager
from typing import Any

import psycopg
from psycopg import Connection

from ordersaga.cli.app import OWNER, Application
from ordersaga.cli.errors import Failed
from ordersaga.runtime.reasons import reason_of, remedy_of
from ordersaga.runtime.sessions import OPERATOR, connect
from ordersaga.service import Service

NAME = "ordersaga"


@contextmanager
def connected(application: Application, service: Service, role: str, then: str = "") -> Iterator[Connection[Any]]:
    """A connection to the database of a service with the rights of the role, in autocommit.

    Raises:
        Failed: the database failed; the text ends with the advice `then`, or with one that fits the error.
    """
    try:
        url = application.database_url(service.database, role)
        with connect(url, NAME, OPERATOR) as connection:
            yield connection
    except psycopg.Error as error:
        advice = then or remedy_of(error, "" if role == OWNER else role)
        raise Failed(f"The database of {service.name} failed: {reason_of(error)}. {advice}") from error
