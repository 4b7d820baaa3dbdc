"""What the audit reads: the read side's database, the stores of the services, and the files of their logs."""

from collections.abc import Iterator, Mapping
from contextlib import ExitStack, contextmanager
from dataclasses import dataclass
from pathlib import Path
from typing import Any

import psycopg
from psycopg import Connection

from messaging.settings import database_urls
from messaging.web.database import Database
from projections.audit.log import LogFiles
from projections.audit.verification import last_verification
from projections.event_log import READ_SIDE


class Unavailable(Exception):
    """Something that the audit reads is not there; the text tells a person what."""


@dataclass(frozen=True)
class Sources:
    """Made once in a process, used by all its threads."""

    database: Database
    """The read side's own."""
    stores: Mapping[str, str]
    """Service -> URL of its database, for each that this process was given, as the role that it was given for it."""
    directory: Path | None
    """Of the logs; None in a process that was not told where they are."""

    @classmethod
    def of(cls, database: Database, checkpoints: str) -> "Sources":
        """By the environment; `checkpoints` is the setting AUDIT_CHECKPOINTS."""
        stores = {name: url for name, url in database_urls().items() if name != READ_SIDE}
        return cls(database, stores, Path(checkpoints) if checkpoints else None)

    @contextmanager
    def databases(self) -> Iterator[dict[str, Connection[Any]]]:
        """All of them, by name.

        Raises:
            Unavailable: one does not answer.
        """
        try:
            with ExitStack() as stack:
                found = {READ_SIDE: stack.enter_context(self.database.connection())}
                for name, url in self.stores.items():
                    found[name] = stack.enter_context(psycopg.connect(url, autocommit=True, connect_timeout=2))
                yield found
        except psycopg.OperationalError as error:
            raise Unavailable("A database that the audit reads does not answer.") from error

    def logs(self) -> dict[str, LogFiles]:
        """By store.

        Raises:
            Unavailable: nobody said where they are.
        """
        if not self.stores:
            return {}
        if self.directory is None:
            raise Unavailable("This process was not given AUDIT_CHECKPOINTS, the directory of the logs.")
        return {store: LogFiles(self.directory, store) for store in sorted(self.stores)}

    def verifications(self) -> dict[str, dict[str, Any] | None]:
        """By store what the sealer's last verification found, None before its first. Raises Unavailable."""
        return {store: last_verification(files) for store, files in self.logs().items()}
