"""The shadow: tables like the live ones in the schema `rebuild`, created bare, filled, then finished.

The definitions come from the catalogue and not from the migrations: so a change that an operator made to the live
tables (a grant, an index, a storage setting) survives the swap under the same name, where later migrations find it.
"""

from collections.abc import Iterator, Sequence
from typing import Any

from psycopg import Connection
from psycopg.sql import SQL, Composed, Identifier

SCHEMA = "rebuild"
REPLACED = "replaced"
"""The schema that replaced tables are moved to."""


def begin(connection: Connection[Any]) -> None:
    """Make an empty schema; drop what a killed rebuild left."""
    drop(connection)
    connection.execute("create schema rebuild")


def drop(connection: Connection[Any]) -> None:
    """Drop the schema of the shadow."""
    connection.execute("set search_path = public")
    connection.execute("set client_min_messages = warning")
    connection.execute("drop schema if exists rebuild cascade")


def make(connection: Connection[Any], tables: Sequence[str]) -> None:
    """Make the tables with columns, checks, defaults and comments alone, which do not slow down filling."""
    for table in tables:
        name = Identifier(table)
        connection.execute(
            SQL("create table rebuild.{} (like public.{} including all excluding indexes excluding identity)").format(
                name, name
            )
        )


KEY = """
select conname, pg_get_constraintdef(oid, true) from pg_constraint where conrelid = %s::regclass and contype = 'p'
"""


def add_keys(connection: Connection[Any], tables: Sequence[str]) -> None:
    """Add the primary keys, which folding needs."""
    for table in tables:
        for name, definition in connection.execute(KEY, (f"public.{table}",)).fetchall():
            statement = SQL("alter table rebuild.{} add constraint {} ").format(Identifier(table), Identifier(name))
            connection.execute(statement + SQL(definition))


DEFINITIONS = """
with live as (select oid, relacl, reloptions from pg_class where oid = %(table)s::regclass)
select format('alter table %%I set (%%s)', %(table)s::text, array_to_string(reloptions, ', '))
from live where reloptions is not null
union all
select pg_get_indexdef(indexrelid, 0, true)
from live join pg_index on indrelid = live.oid
where not exists (select from pg_constraint where conindid = indexrelid)
union all
select format('alter table %%I add constraint %%I %%s', %(table)s::text, conname, pg_get_constraintdef(c.oid, true))
from live join pg_constraint c on conrelid = live.oid
where contype in ('p', 'u', 'x') and not exists (select from pg_constraint done
    where done.conrelid = to_regclass(format('rebuild.%%I', %(table)s::text)) and done.conname = c.conname)
union all
select pg_get_triggerdef(t.oid, true) from live join pg_trigger t on tgrelid = live.oid where not tgisinternal
union all
select format('alter table %%I alter column %%I add generated %%s as identity', %(table)s::text, attname,
    case attidentity when 'a' then 'always' else 'by default' end)
from live join pg_attribute on attrelid = live.oid where attidentity <> ''
union all
select format('grant %%s on %%I to %%s %%s', privilege_type, %(table)s::text,
    case grantee when 0 then 'public' else quote_ident(pg_get_userbyid(grantee)) end,
    case when is_grantable then 'with grant option' end)
from live, aclexplode(relacl)
union all
select format('grant %%s (%%I) on %%I to %%s', privilege_type, attname, %(table)s::text,
    case grantee when 0 then 'public' else quote_ident(pg_get_userbyid(grantee)) end)
from live join pg_attribute on attrelid = live.oid, aclexplode(attacl)
"""


def definitions(connection: Connection[Any], table: str) -> list[str]:
    """Statements that add to the bare table all that the live one has beside its columns; the search_path selects it.

    Indexes come first: the table can be read while they are made.
    """
    connection.execute("set search_path = public")
    return [statement for (statement,) in connection.execute(DEFINITIONS, {"table": table})]


def finish(connection: Connection[Any], tables: Sequence[str]) -> None:
    """Add indexes, constraints, triggers, identities, grants and planner statistics."""
    for table in tables:
        statements = definitions(connection, table)
        connection.execute("set search_path = rebuild, public")
        for statement in statements:
            connection.execute(statement.encode())
        connection.execute(SQL("analyze rebuild.{}").format(Identifier(table)))


def move_into_place(connection: Connection[Any], tables: Sequence[str]) -> None:
    """Move the live tables to the schema `replaced` and the shadow to `public`.

    The caller's transaction holds the locks. A reader that waits for a lock then finds the new table by its name, and
    so does a prepared statement.
    """
    connection.execute("drop schema if exists replaced cascade")
    connection.execute("create schema replaced")
    for statement in moves(tables):
        connection.execute(statement)


def moves(tables: Sequence[str]) -> Iterator[Composed]:
    for table in tables:
        yield SQL("alter table public.{} set schema replaced").format(Identifier(table))
        yield SQL("alter table rebuild.{} set schema public").format(Identifier(table))
