"""The records of all stores as they are now, store after store."""

from collections.abc import Iterator
from pathlib import Path

import psycopg

from devstack.environment import Environments
from devstack.processes import SERVICES
from ordersaga.audit.records import Record, records_of_all
from ordersaga.audit.sealed_log import LogFiles, is_begun
from ordersaga.audit.store_records import records_of
from ordersaga.cli.errors import Failed


def records(environments: Environments, directory: Path) -> Iterator[Record]:
    """Raises Failed when a store was never sealed, or a database does not answer."""
    urls = environments.owner_urls()
    return records_of_all(SERVICES, lambda store: records_of_store(urls[store], LogFiles(directory, store)))


def records_of_store(url: str, files: LogFiles) -> Iterator[Record]:
    if not is_begun(files):
        raise Failed(
            f"Nothing of {files.store} has been sealed into {files.directory}. Is the process audit-sealer ready "
            "(`./ordersaga status`), or is the log elsewhere (--log DIR)?"
        )
    try:
        with psycopg.connect(url, connect_timeout=10, application_name="ordersaga audit") as connection:
            yield from records_of(connection, files)
    except psycopg.OperationalError as error:
        raise Failed(f"{files.store} could not be read: {error}. Is the stack up and migrated?") from error
    except psycopg.Error as error:
        raise Failed(f"{files.store} was not read to its end: {error}. It is not as the schema has it.") from error
    except FileNotFoundError as error:
        raise Failed(f"{error.filename} is gone. Restore it from a copy.") from error
