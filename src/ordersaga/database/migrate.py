"""`python -m ordersaga.database.migrate [DATABASE ...]`: bring databases up to date, one at a time, then grant."""

import sys
from importlib import import_module
from importlib.util import find_spec
from pathlib import Path
from typing import Any

import psycopg
from alembic import command
from alembic.config import Config
from psycopg import Connection
from psycopg.sql import SQL, Identifier
from sqlalchemy import Connection as SqlaConnection
from sqlalchemy import create_engine, make_url, text

from ordersaga.database.locks import MIGRATION
from ordersaga.database.pool import missing_columns
from ordersaga.database.schema import metadata
from ordersaga.privacy.erasure import Erasure, Erasures, erase_again
from ordersaga.runtime.settings import MissingSetting, Settings, database_urls, read_settings

SERVICE_GRANTS = SQL("""
    grant usage on schema public to {role};
    grant select, insert on stored_events, snapshots, outbox, inbox, idempotency_keys, deadlines to {role};
    grant delete on inbox, idempotency_keys, deadlines to {role};
    grant update on deadlines to {role};
    grant select, insert, update, delete on parked_messages to {role};
    grant select, insert on parked_actions to {role};
    grant select, insert, update (key, erased_at, erased_by, reason) on personal_keys to {role};
    grant update (request_hash) on idempotency_keys to {role};
""")
RELAY_GRANTS = SQL("""
    grant usage on schema public to {role};
    grant select, delete, update (xid) on outbox to {role};
    grant select, insert, update on relay_cursor to {role};
    grant select, insert, update, delete on undeliverable to {role};
    grant select, insert on undeliverable_actions to {role};
""")
AUDITOR_GRANTS = SQL("""
    grant usage on schema public to {role};
    grant select on stored_events, outbox, parked_actions, undeliverable_actions to {role};
    grant select (id, subject, created_at, erased_at, erased_by, reason) on personal_keys to {role};
""")


USAGE = """usage: python -m ordersaga.database.migrate [DATABASE ...]

Brings databases up to date, each in one transaction and one process at a time, then grants the roles of the server
what they need. A database that is up to date is left as it is.

  DATABASE             such as lending; without any, all that the environment names

Environment:
  <NAME>_DATABASE_URL  LENDING_DATABASE_URL=postgresql://owner:password@host:port/lending
  ERASURE_LIST         erasures of personal data, done again in a database that was restored from a backup
"""


class UnknownSchema(Exception):
    """Migrations alone cannot make the database what the code needs."""


def migrate(name: str, url: str) -> None:
    """Upgrade one database: the messaging tables, the package's own if it has a `migrations` folder, the grants.

    Raises:
        UnknownSchema: it still lacks something then, and nothing was changed.
    """
    engine = create_engine(make_url(url).set(drivername="postgresql+psycopg"))
    try:
        with engine.begin() as connection:
            connection.execute(text("select pg_advisory_xact_lock(:lock)"), {"lock": MIGRATION})
            upgrade(connection, Path(__file__).parent / "migrations", "messaging_version")
            own = own_migrations(name)
            if own is not None:
                upgrade(connection, own, f"{name}_version")
            driver: Any = connection.connection.driver_connection
            require_whole(driver, name)
            grant(driver, name, SERVICE_GRANTS)
            grant(driver, "relay", RELAY_GRANTS)
            grant(driver, "auditor", AUDITOR_GRANTS)
    finally:
        engine.dispose()


def require_whole(connection: Connection[Any], name: str) -> None:
    """Raises UnknownSchema when the newest revision has not what the code knows."""
    known = [metadata]
    if own_migrations(name) is not None and find_spec(f"{name}.schema"):
        known.append(import_module(f"{name}.schema").metadata)
    lacking = [f"{table} ({', '.join(columns)})" for table, columns in missing_columns(connection, known)]
    if lacking:
        raise UnknownSchema(
            f"the database {name} is at the newest revision, but lacks {', '.join(lacking)}: an unreleased version "
            "made it. Start with an empty database; `./ordersaga up --fresh` forgets all data"
        )


def own_migrations(name: str) -> Path | None:
    spec = find_spec(name)
    if spec is None or spec.origin is None:
        return None
    folder = Path(spec.origin).parent / "migrations"
    return folder if folder.is_dir() else None


def upgrade(connection: SqlaConnection, folder: Path, version_table: str) -> None:
    config = Config()
    config.set_main_option("script_location", str(folder))
    config.attributes["connection"] = connection
    config.attributes["version_table"] = version_table
    command.upgrade(config, "head")


def grant(connection: Connection[Any], role: str, grants: SQL) -> None:
    """Least privilege for a role; a database whose server lacks the role is used by its owner alone."""
    if connection.execute("select 1 from pg_roles where rolname = %s", (role,)).fetchone():
        connection.execute(grants.format(role=Identifier(role)))


def erase_what_came_back(name: str, url: str, erasures: list[Erasure]) -> None:
    """A restored backup has the keys of personal data that was erased since; this step runs before every start."""
    if erasures:
        with psycopg.connect(url, autocommit=True) as connection:
            for done in erase_again(connection, erasures):
                sys.stdout.write(f"erased personal keys of {done.subject} in {name} again\n")


def main(arguments: list[str]) -> int:
    if "-h" in arguments or "--help" in arguments:
        sys.stdout.write(USAGE)
        return 0
    for name in arguments:
        if name.startswith("-"):
            raise MissingSetting(f"There is no option {name}. See python -m ordersaga.database.migrate --help")
    urls = database_urls()
    path = read_settings(Settings).erasure_list
    erasures = list(Erasures(Path(path) if path else None))
    for name in arguments or sorted(urls):
        if name not in urls:
            raise MissingSetting(f"{name.upper()}_DATABASE_URL is not set; it is needed to migrate {name}")
        migrate(name, urls[name])
        sys.stdout.write(f"migrated {name}\n")
        erase_what_came_back(name, urls[name], erasures)
    if not urls:
        raise MissingSetting("No <NAME>_DATABASE_URL is set, so there is no database to migrate.")
    return 0


if __name__ == "__main__":
    try:
        sys.exit(main(sys.argv[1:]))
    except (MissingSetting, UnknownSchema) as wrong:
        sys.exit(f"migrate: {wrong}")
