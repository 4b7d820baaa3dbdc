"""A hundred thousand envelopes as anybody may send them, and Postgres, which takes each that is accepted."""

from typing import Any

from psycopg import Connection

from ordersaga.envelope.message import COLUMNS, to_row
from ordersaga.readside.event_log import TYPES
from tests.support.any_envelope import read_all
from tests.support.counting import GROUP
from tests.support.databases import Databases

NUMBER = 100_000
STORED = f"""
select count(*), max(length(body::text)), min(time), max(sequence)
from unnest({", ".join(f"%b::{type_}[]" for type_ in TYPES.values())}) as message ({", ".join(COLUMNS)})
"""  # noqa: S608 - constants


def test_postgres_stores_every_envelope_that_is_accepted(database: Databases) -> None:
    accepted, reasons = read_all(seed=11, number=NUMBER)
    assert len(accepted) > NUMBER // 10
    assert len(reasons) > 100
    columns = [list(column) for column in zip(*map(to_row, accepted), strict=True)]
    with database(GROUP).connect() as connection:
        assert stored(connection, columns) == len(accepted)


def stored(connection: Connection[Any], columns: list[list[Any]]) -> int:
    [(number, *_)] = connection.execute(STORED.encode(), columns).fetchall()
    return int(number)
