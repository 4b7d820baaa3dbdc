"""The sources of the audit: the read side's database, the services' stores, and the files of their sealed logs."""

from collections.abc import Iterator, Mapping, Sequence
from contextlib import ExitStack, contextmanager, suppress
from dataclasses import dataclass
from pathlib import Path
from typing import Any

import psycopg
from psycopg import Connection

from ordersaga.audit.sealed_log import LogFiles
from ordersaga.audit.verification import last_verification
from ordersaga.database.pool import Database
from ordersaga.runtime.errors import UnusableDatabase
from ordersaga.runtime.sessions import API, SessionLimits, connect
from ordersaga.runtime.settings import database_urls
from projections.service import projections


class SourceUnavailable(Exception):
    """A source does not answer; the message says which one."""


def connect_available(
    stack: ExitStack, urls: Mapping[str, str], limits: SessionLimits
) -> tuple[dict[str, Connection[Any]], list[str]]:
    """Connections in autocommit by name, which the stack closes, and the names of the databases that do not answer."""
    found: dict[str, Connection[Any]] = {}
    for name, url in urls.items():
        with suppress(psycopg.OperationalError, UnusableDatabase):
            found[name] = stack.enter_context(connect(url, "ordersaga audit", limits))
    return found, [name for name in urls if name not in found]


def incomplete_notice(missing: Sequence[str]) -> str:
    """A sentence that names the services whose operators' actions the trail lacks; empty when it is complete."""
    return f"Operators' actions at {', '.join(missing)} are missing: the database does not answer." if missing else ""


@dataclass(frozen=True)
class Sources:
    """The sources of a process; all its threads share them."""

    database: Database
    """The read side's database."""
    stores: Mapping[str, str]
    """Service -> URL of its database, for each that the environment of this process names."""
    directory: Path | None
    """The directory of the logs; None when AUDIT_CHECKPOINTS is not set."""

    @classmethod
    def of(cls, database: Database, checkpoints: str) -> "Sources":
        """The sources that the environment names; `checkpoints` is the setting AUDIT_CHECKPOINTS."""
        stores = {name: url for name, url in database_urls().items() if name != projections.name}
        return cls(database, stores, Path(checkpoints) if checkpoints else None)

    @contextmanager
    def databases(self) -> Iterator[tuple[dict[str, Connection[Any]], list[str]]]:
        """Connections by name, and the services whose database does not answer.

        Raises:
            SourceUnavailable: the read side's database does not answer, or another one stopped answering in the block.
        """
        try:
            with ExitStack() as stack:
                own = stack.enter_context(self.database.connection())
                found, missing = connect_available(stack, self.stores, API)
                yield {projections.name: own, **found}, missing
        except psycopg.OperationalError as error:
            raise SourceUnavailable("A database that the audit reads does not answer.") from error

    def logs(self) -> dict[str, LogFiles]:
        """The files of each store's log.

        Raises:
            SourceUnavailable: AUDIT_CHECKPOINTS is not set.
        """
        if not self.stores:
            return {}
        if self.directory is None:
            raise SourceUnavailable("This process was not given AUDIT_CHECKPOINTS, the directory of the logs.")
        return {store: LogFiles(self.directory, store) for store in sorted(self.stores)}

    def verifications(self) -> dict[str, dict[str, Any] | None]:
        """The sealer's last verification of each store, None before the first. Raises SourceUnavailable."""
        return {store: last_verification(files) for store, files in self.logs().items()}
