"""The records of all stores as they are now, store after store."""

from collections.abc import Iterator
from pathlib import Path

import psycopg

from devstack.environment import Environments
from devstack.processes import SERVICES
from ordersaga.cli.errors import Failed
from projections.audit import live
from projections.audit.log import LogFiles, is_begun
from projections.audit.records import Record, whole


def records(environments: Environments, directory: Path) -> Iterator[Record]:
    """Raises Failed when a store was never sealed, or a database does not answer."""
    urls = environments.owner_urls()
    return whole(SERVICES, lambda store: records_of(urls[store], LogFiles(directory, store)))


def records_of(url: str, files: LogFiles) -> Iterator[Record]:
    if not is_begun(files):
        raise Failed(
            f"Nothing of {files.store} has been sealed into {files.directory}. Is the process audit-sealer ready "
            "(`./ordersaga status`), or is the log elsewhere (--log DIR)?"
        )
    try:
        with psycopg.connect(url, connect_timeout=10, application_name="ordersaga audit") as connection:
            yield from live.records(connection, files)
    except psycopg.OperationalError as error:
        raise Failed(f"{files.store} could not be read: {error}. Is the stack up and migrated?") from error
    except psycopg.Error as error:
        raise Failed(f"{files.store} was not read to its end: {error}. It is not as the schema has it.") from error
    except FileNotFoundError as error:
        raise Failed(f"{error.filename} is gone. Restore it from a copy.") from error
