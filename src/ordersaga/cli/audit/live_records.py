"""The records of all event stores as they are now, store after store."""

from collections.abc import Iterator
from pathlib import Path

import psycopg

from ordersaga.audit.records import Record, records_of_all
from ordersaga.audit.sealed_log import LogFiles, is_begun
from ordersaga.audit.store import ClocksDiffer
from ordersaga.audit.store_records import records_of
from ordersaga.cli.app import OWNER, Application
from ordersaga.cli.errors import Failed
from ordersaga.runtime.reasons import reason_of, remedy_of
from ordersaga.runtime.sessions import REPORT, connect


def live_records(application: Application, log_directory: Path | None) -> Iterator[Record]:
    """Raises Failed when a store was never sealed, a database does not answer, or its clock differs from ours."""
    directory = log_directory or application.audit_directory()
    urls = {each.database: application.database_url(each.database, OWNER) for each in application.with_outbox}
    return records_of_all(list(urls), lambda store: records_of_store(urls[store], LogFiles(directory, store)))


def records_of_store(url: str, files: LogFiles) -> Iterator[Record]:
    if not is_begun(files):
        raise Failed(
            f"Nothing of {files.store} has been sealed into {files.directory}. Is the sealer ready (its /readyz and "
            "log say so), or is the log elsewhere (--log DIR)?"
        )
    try:
        with connect(url, "ordersaga audit", REPORT, autocommit=False) as connection:
            yield from records_of(connection, files)
    except psycopg.OperationalError as error:
        raise Failed(f"{files.store} could not be read: {reason_of(error)}. {remedy_of(error)}") from error
    except psycopg.Error as error:
        remedy = remedy_of(error, otherwise="It is not as the schema has it.")
        raise Failed(f"{files.store} was not read to its end: {reason_of(error)}. {remedy}") from error
    except ClocksDiffer as error:
        raise Failed(f"{files.store} cannot be judged: {error}.") from error
    except FileNotFoundError as error:
        raise Failed(f"{error.filename} is gone. Restore it from a copy.") from error
