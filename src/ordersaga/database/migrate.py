"""The migration of a database and the grants to its roles: one transaction, one process at a time."""

from pathlib import Path
from typing import Any

from alembic import command
from alembic.config import Config
from psycopg import Connection
from psycopg.errors import DuplicateTable
from psycopg.sql import SQL, Identifier
from sqlalchemy import Connection as SqlaConnection
from sqlalchemy import create_engine, text
from sqlalchemy.exc import ProgrammingError

from ordersaga.database.locks import MIGRATION
from ordersaga.database.outbox_constraints import constrain_outbox
from ordersaga.database.pool import missing_columns
from ordersaga.database.privileges import close_to_everybody
from ordersaga.database.schema import metadata
from ordersaga.database.service_schema import Migrations, ServiceSchema
from ordersaga.runtime.sessions import MIGRATION as LIMITS
from ordersaga.runtime.sessions import connect

SERVICE_GRANTS = SQL("""
    grant usage on schema public to {role};
    grant select, insert on stored_events, snapshots, outbox, inbox, idempotency_keys, deadlines to {role};
    grant delete on inbox, idempotency_keys, deadlines to {role};
    grant update on deadlines to {role};
    grant select, insert, update, delete on parked_messages to {role};
    grant select, insert on parked_actions to {role};
    grant select, delete, update (attempts, next_attempt_at, held) on undeliverable to {role};
    grant select, insert, update on failure_notes, retry_runs to {role};
    grant select, insert on operator_actions to {role};
    grant select, update on group_history to {role};
    grant select, insert, delete on retry_run_messages to {role};
    grant select, insert, update (key, erased_at, erased_by, reason) on personal_keys to {role};
    grant update (request_hash) on idempotency_keys to {role};
""")
RELAY_GRANTS = SQL("""
    grant usage on schema public to {role};
    grant select, delete, update (xid) on outbox to {role};
    grant select, insert, update on relay_cursor to {role};
    grant select, insert, update, delete on detached_queues to {role};
    grant select, insert, update, delete on undeliverable to {role};
    grant select, update (last_seen) on failure_notes to {role};
""")
AUDITOR_GRANTS = SQL("""
    grant usage on schema public to {role};
    grant select on stored_events, outbox, parked_actions, operator_actions to {role};
    grant select (id, subject, created_at, erased_at, erased_by, reason) on personal_keys to {role};
""")


FOREIGN_TABLES = (
    "and no revision of this version made it: it belongs to another application, or to an unreleased version. "
    "Start with an empty database"
)

NAME = "ordersaga migrate"
OF_THE_LIBRARY = Migrations(Path(__file__).parent / "migrations", "ordersaga_version")


class UnknownSchema(Exception):
    """The migrations do not lead to the tables that the code needs."""


def migrate(schema: ServiceSchema, url: str) -> None:
    """Migrate one database: the tables of the library, those of the service, the grants.

    Raises:
        UnknownSchema: a table of another application exists, or a column is still missing; nothing was changed.
    """
    engine = create_engine("postgresql+psycopg://", creator=lambda: connect(url, NAME, LIMITS, autocommit=False))
    try:
        with engine.begin() as connection:
            connection.execute(text("select pg_advisory_xact_lock(:lock)"), {"lock": MIGRATION})
            for migrations in all_migrations(schema):
                upgrade(connection, migrations.folder, migrations.version_table)
            driver: Any = connection.connection.driver_connection
            require_complete(driver, schema)
            constrain_outbox(driver, schema.source)
            grant(driver, schema.role, SERVICE_GRANTS)
            for migrations in schema.migrations:
                grant(driver, schema.role, SQL(migrations.grants))
            grant(driver, "relay", RELAY_GRANTS)
            grant(driver, "auditor", AUDITOR_GRANTS)
            close_to_everybody(driver, schema)
    finally:
        engine.dispose()


def all_migrations(schema: ServiceSchema) -> tuple[Migrations, ...]:
    """Those of the library, then those of the service, in the order in which they are applied."""
    return OF_THE_LIBRARY, *schema.migrations


def require_complete(connection: Connection[Any], schema: ServiceSchema) -> None:
    """Raises UnknownSchema when the newest revision lacks tables or columns that the code knows."""
    known = (metadata, *schema.tables)
    lacking = [f"{table} ({', '.join(columns)})" for table, columns in missing_columns(connection, known)]
    if lacking:
        raise UnknownSchema(
            f"the database {schema.database} is at the newest revision, but lacks {', '.join(lacking)}: an unreleased "
            "version made it. Start with an empty database"
        )


def upgrade(connection: SqlaConnection, folder: Path, version_table: str) -> None:
    config = Config()
    config.set_main_option("script_location", str(folder))
    config.attributes["connection"] = connection
    config.attributes["version_table"] = version_table
    try:
        command.upgrade(config, "head")
    except ProgrammingError as error:
        if isinstance(error.orig, DuplicateTable):
            raise UnknownSchema(f"{str(error.orig).strip()}, {FOREIGN_TABLES}") from error
        raise


def grant(connection: Connection[Any], role: str, grants: SQL) -> None:
    """Grant a role the least privileges, if the server has the role; else the owner uses the database alone."""
    if connection.execute("select 1 from pg_roles where rolname = %s", (role,)).fetchone():
        connection.execute(grants.format(role=Identifier(role)))
