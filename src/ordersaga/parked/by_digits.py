"""Parked messages, and those that people acted on, by the first or last digits of their id."""

from typing import Any
from uuid import UUID

from psycopg import Connection

from ordersaga.parked.refused_by import REFUSED_BY, statement

FITS = "replace(message_id::text, '-', '') ~ %(pattern)s"
PARKED = f"select distinct message_id from {{rows}} where {FITS} limit %(limit)s"  # noqa: S608 - a constant
ACTED_ON = f"select distinct message_id from parked_actions where {FITS} limit %(limit)s"  # noqa: S608 - a constant


def parked(connection: Connection[Any], digits: str, limit: int) -> list[UUID]:
    """The parked messages whose id begins or ends with these hexadecimal digits."""
    return [id_ for by in REFUSED_BY for id_ in ids(connection, statement(PARKED, by), digits, limit)]


def acted_on(connection: Connection[Any], digits: str, limit: int) -> list[UUID]:
    """The messages that people acted on, parked or not any more, whose id begins or ends with these digits."""
    return ids(connection, ACTED_ON, digits, limit)


def ids(connection: Connection[Any], query: Any, digits: str, limit: int) -> list[UUID]:
    rows = connection.execute(query, {"pattern": f"^{digits}|{digits}$", "limit": limit})
    return [id_ for (id_,) in rows]
