"""Service: the announcements, reactions, settings and tables of one service, and its names."""

import re
from collections.abc import Callable, Iterable, Sequence
from datetime import datetime
from pathlib import Path
from typing import TYPE_CHECKING, Any, NamedTuple
from uuid import UUID

from psycopg import Connection

from ordersaga.broker.topology import Group
from ordersaga.database.service_schema import Migrations, ServiceSchema
from ordersaga.inbox.handler import Handler
from ordersaga.inbox.limits import Limits, no_limits
from ordersaga.inbox.reactions import Reactions
from ordersaga.inbox.reactor import Reactor
from ordersaga.runtime.settings import Settings, database_url
from ordersaga.store.announcements import Announcements
from ordersaga.store.fingerprint import of_all_aggregates

if TYPE_CHECKING:
    from sqlalchemy import MetaData


class Unsettled(NamedTuple):
    """An aggregate that waits for a person, for example one that owes money."""

    aggregate_id: UUID
    since: datetime
    detail: str


def nothing_unsettled(_: Connection[Any]) -> Iterable[Unsettled]:
    """No aggregate of the service ever waits for a person."""
    return ()


def no_resources(_: Any) -> None:
    """The outside steps of the service need nothing."""


def checked(database: str) -> str:
    """The name. Raises ValueError unless a shell can set `<DATABASE>_DATABASE_URL` and the name is unambiguous."""
    if not re.fullmatch("[a-z_][a-z0-9_]*", database):
        raise ValueError(
            f"{database!r} cannot name a database: the variable <DATABASE>_DATABASE_URL holds its URL, so the name has "
            "small letters, digits and _. Name another one with database="
        )
    return database


class Service:
    """The description of one service; workers, APIs, relays and operators' commands need nothing else.

        library = Service("library", announcements, reactions)

    `ordersaga --app books:library worker library` then receives its messages.

    Args:
        name: its name in commands, logs and documents.
        announcements: which of its events are published, and as which contract. Default: none.
        reactions: the functions that handle the messages it receives. Default: none.
        settings: the class of the variables that its processes read.
        resources: opens the clients that its outside steps use, from the settings of its worker.
        limits: how often, and how many at once, its outside steps may call each resource, from the same settings.
        database: its database, in small letters, digits and _; the variable `<DATABASE>_DATABASE_URL` holds the URL.
            Default: the name.
        group: its consumer group, which names its queues. Default: the name.
        role: the database role of its processes, to which `migrate` grants its rights. Default: the name.
        tables: its own tables, which `migrate` and `/readyz` check, or a function that returns them, so that a worker
            starts without SQLAlchemy.
        migrations: a folder of alembic migrations that make these tables.
        unsettled: finds the aggregates that wait for a person, which `reconcile` then names.

    Raises:
        ValueError: no variable can have the name of the database.
    """

    is_read_side = False
    """A ReadSide records no events, so no relay publishes it."""

    def __init__(
        self,
        name: str,
        announcements: Announcements | None = None,
        reactions: Reactions | None = None,
        *,
        settings: type[Settings] = Settings,
        resources: Callable[[Any], Any] = no_resources,
        limits: Callable[[Any], Limits] = no_limits,
        database: str = "",
        group: str = "",
        role: str = "",
        tables: "Sequence[MetaData] | Callable[[], Sequence[MetaData]]" = (),
        migrations: Path | None = None,
        unsettled: Callable[[Connection[Any]], Iterable[Unsettled]] = nothing_unsettled,
    ) -> None:
        self.name = name
        self.announcements = announcements or Announcements(name)
        self.reactions = reactions or Reactions()
        self.settings = settings
        self.resources = resources
        self.limits = limits
        self.database = checked(database or name)
        self.group = group or name
        self.role = role or name
        self._tables = tables
        self.migrations = migrations
        self.unsettled = unsettled
        of_all_aggregates()  # now, while the files are still those that were imported

    def __repr__(self) -> str:
        return f"Service({self.name!r})"

    def handler(self) -> Handler:
        """A new handler of the messages of its group."""
        return Reactor(self.reactions, self.announcements)

    @property
    def contracts(self) -> list[str]:
        """The contracts that its queues are bound to, each in every version, as `<context>.<event>.*`."""
        return self.reactions.contracts

    @property
    def schema(self) -> ServiceSchema:
        """The tables, migrations and role that `migrate` sets up in its database."""
        migrations = (Migrations(self.migrations, f"{self.database}_version"),) if self.migrations else ()
        tables = self._tables() if callable(self._tables) else self._tables
        return ServiceSchema(self.database, self.role, self.announcements.source, tuple(tables), migrations)

    def consumer_group(self, queues: int) -> Group:
        """Its consumer group with this number of queues."""
        return Group(self.group, tuple(self.contracts), queues)

    @property
    def database_url(self) -> str:
        """The URL of its database. Raises MissingSetting when `<DATABASE>_DATABASE_URL` is not set."""
        return database_url(self.database)
