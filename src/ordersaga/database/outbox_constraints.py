"""The constraints of an outbox that `migrate` sees to: its source, and whether old rows satisfy them all."""

from contextlib import suppress
from typing import Any

from psycopg import Connection
from psycopg.errors import CheckViolation
from psycopg.sql import SQL, Identifier, Literal

CURRENT = """
select pg_get_constraintdef(oid) from pg_constraint where conrelid = 'outbox'::regclass and conname = 'outbox_source'
"""
CHECK = SQL("CHECK ((source = {}::text))")
REPLACE = SQL("""
alter table outbox drop constraint if exists outbox_source, add constraint outbox_source {} not valid
""")
NOT_VALID = """
select conname from pg_constraint where conrelid = 'outbox'::regclass and contype = 'c' and not convalidated
"""


def constrain_outbox(connection: Connection[Any], source: str) -> None:
    """Let the outbox take rows of this source alone; the service's role cannot change that.

    Rows of before may violate the constraints: they stay, the relay refuses them, and the constraints are validated by
    the first migration after they are gone.
    """
    wanted = CHECK.format(Literal(source))
    current = connection.execute(CURRENT).fetchone()
    if current is None or current[0].removesuffix(" NOT VALID") != wanted.as_string(connection):
        connection.execute(REPLACE.format(wanted))
    for (name,) in connection.execute(NOT_VALID).fetchall():
        with suppress(CheckViolation), connection.transaction():
            connection.execute(SQL("alter table outbox validate constraint {}").format(Identifier(name)))
