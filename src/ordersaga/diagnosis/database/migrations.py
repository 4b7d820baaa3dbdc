"""Are the tables those of this version of the code?"""

from alembic.config import Config
from alembic.script import ScriptDirectory
from alembic.util import CommandError
from psycopg.errors import InsufficientPrivilege
from psycopg.sql import SQL, Identifier

from ordersaga.database.migrate import all_migrations
from ordersaga.database.pool import missing_columns
from ordersaga.database.schema import metadata
from ordersaga.database.service_schema import Migrations
from ordersaga.diagnosis.findings import DiagnosisFinding, Unseen
from ordersaga.diagnosis.questions import Answers, AskedDatabase

EXISTS = "select to_regclass(%s) is not null"
REVISION = SQL("select version_num from {}")


def migrations(asked: AskedDatabase) -> Answers:
    """Revisions that this code does not know, or that are not its newest; then tables that lack columns."""
    for folder in all_migrations(asked.service.schema):
        try:
            yield from compare(asked, folder)
        except InsufficientPrivilege:
            user = asked.connection.info.user
            yield Unseen(
                asked.place,
                f"the revision in {folder.version_table}: only missing columns were looked for",
                f"grant select on {folder.version_table} to {user}",
            )
    for table, columns in missing_columns(asked.connection, (metadata, *asked.service.schema.tables)):
        yield behind(asked.place, f"{table} lacks {', '.join(columns)}")


def compare(asked: AskedDatabase, folder: Migrations) -> Answers:
    script = ScriptDirectory.from_config(config(folder))
    found = revision(asked, folder.version_table)
    newest = script.get_current_head()
    if found is None:
        yield behind(asked.place, f"there are no migrations in {folder.version_table}")
    elif not is_known(script, found):
        yield DiagnosisFinding(
            "critical",
            "migrations",
            asked.place,
            f"{folder.version_table} is at {found}, which this code does not know; its newest is {newest}",
            "run the code that migrated it: an older one may write what that code cannot read",
        )
    elif found != newest:
        yield behind(asked.place, f"{folder.version_table} is at {found}, this code needs {newest}")


def config(folder: Migrations) -> Config:
    found = Config()
    found.set_main_option("script_location", str(folder.folder))
    return found


def revision(asked: AskedDatabase, table: str) -> str | None:
    """The revision of the database; None when it was never migrated."""
    exists = asked.connection.execute(EXISTS, (table,)).fetchone()
    row = asked.connection.execute(REVISION.format(Identifier(table))).fetchone() if exists and exists[0] else None
    return str(row[0]) if row else None


def is_known(script: ScriptDirectory, name: str) -> bool:
    try:
        return script.get_revision(name) is not None
    except CommandError:
        return False


def behind(place: str, what: str) -> DiagnosisFinding:
    return DiagnosisFinding("critical", "migrations", place, what, "ordersaga migrate")
