"""The rights that Postgres gives everybody by default in a new database, and how `migrate` takes them away."""

from typing import Any

from psycopg import Connection
from psycopg.sql import SQL, Identifier

from ordersaga.database.schema import metadata
from ordersaga.database.service_schema import ServiceSchema

OWN_ROLES = ("relay", "auditor")
"""Roles beside the service's own that have rights in its database, where the server has them."""

SEPARATE_ROLE = """
select exists (select from pg_roles where rolname = %s and rolname <> current_user)
    and pg_has_role(datdba, 'usage') from pg_database where datname = current_database()
"""
OTHER_TABLES = """
select exists (
    select from pg_class join pg_namespace on pg_namespace.oid = relnamespace
    where relkind in ('r', 'p') and nspname !~ '^pg_' and nspname <> 'information_schema'
        and not (nspname = 'public' and relname = any(%s)))
"""
MAY_CONNECT = """
select rolname from pg_roles where rolname = any(%s) and has_database_privilege(oid, current_database(), 'connect')
"""
IS_SUPERUSER = "select rolsuper from pg_roles where rolname = current_user"
NO_LARGE_OBJECTS = """
revoke execute on function lo_creat(int), lo_create(oid), lo_from_bytea(oid, bytea) from public
"""


def close_to_everybody(connection: Connection[Any], schema: ServiceSchema) -> None:
    """Leave the right to connect to the owner and the service's roles alone, and temporary tables to the owner.

    A database in which the owner runs the service, or that holds tables of another application, stays as it is.
    A superuser also takes large objects from everybody: they are in no table, so nobody would look for them.
    """
    if not fetch_one(connection, SEPARATE_ROLE, schema.role) or fetch_one(connection, OTHER_TABLES, tables_of(schema)):
        return
    database = Identifier(str(fetch_one(connection, "select current_database()")))
    for (role,) in connection.execute(MAY_CONNECT, ([schema.role, *OWN_ROLES],)).fetchall():
        connection.execute(SQL("grant connect on database {} to {}").format(database, Identifier(role)))
    connection.execute(SQL("revoke connect, temporary on database {} from public").format(database))
    if fetch_one(connection, IS_SUPERUSER):
        connection.execute(NO_LARGE_OBJECTS)


def tables_of(schema: ServiceSchema) -> list[str]:
    """The names of all tables of a service, with those in which alembic keeps revisions."""
    tables = [name for each in (metadata, *schema.tables) for name in each.tables]
    return [*tables, "ordersaga_version", *(migrations.version_table for migrations in schema.migrations)]


def fetch_one(connection: Connection[Any], query: str, *parameters: object) -> Any:
    row = connection.execute(query, parameters or None).fetchone()
    return row[0] if row else None
