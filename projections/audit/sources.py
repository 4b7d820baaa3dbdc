"""What the audit reads: the read side's database, the stores of the services, and the files of their logs."""

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
from ordersaga.runtime.settings import database_urls
from projections.service import projections

SECONDS = 2
"""For a connection to a service's database."""


class Unavailable(Exception):
    """Something that the audit reads is not there; the text tells a person what."""


def those_that_answer(
    stack: ExitStack, urls: Mapping[str, str], seconds: int
) -> tuple[dict[str, Connection[Any]], list[str]]:
    """Connections in autocommit that the stack closes, each by its name; and the names of those that do not answer."""
    found: dict[str, Connection[Any]] = {}
    for name, url in urls.items():
        with suppress(psycopg.OperationalError):
            found[name] = stack.enter_context(psycopg.connect(url, autocommit=True, connect_timeout=seconds))
    return found, [name for name in urls if name not in found]


def without(missing: Sequence[str]) -> str:
    """What is said to a person beside a trail that lacks something; nothing when it is whole."""
    return f"Without what operators did at {', '.join(missing)}: no answer from the database." if missing else ""


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
        stores = {name: url for name, url in database_urls().items() if name != projections.name}
        return cls(database, stores, Path(checkpoints) if checkpoints else None)

    @contextmanager
    def databases(self) -> Iterator[tuple[dict[str, Connection[Any]], list[str]]]:
        """By name, and the services whose database does not answer.

        Raises:
            Unavailable: that of the read side does not, or one of the others went away meanwhile.
        """
        try:
            with ExitStack() as stack:
                own = stack.enter_context(self.database.connection())
                found, missing = those_that_answer(stack, self.stores, SECONDS)
                yield {projections.name: own, **found}, missing
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
