"""What a service is: what it announces and reacts to, what it needs, and the names that it goes by."""

from collections.abc import Callable, Sequence
from pathlib import Path
from typing import TYPE_CHECKING, Any

from ordersaga.broker.topology import Group
from ordersaga.database.service_schema import Migrations, ServiceSchema
from ordersaga.inbox.handler import Handler
from ordersaga.inbox.reactions import Reactions
from ordersaga.inbox.reactor import Reactor
from ordersaga.runtime.settings import Settings, database_url
from ordersaga.store.announcements import Announcements

if TYPE_CHECKING:
    from sqlalchemy import MetaData


def no_resources(_: Any) -> None:
    """The outside steps of the service need nothing."""


class Service:
    """One service: every worker, API, relay and operator's command is told of it by this alone.

        library = Service("library", announcements, reactions)

    `ordersaga --app books:library worker library` then takes its messages.

    Args:
        name: what commands, logs and documents call it.
        announcements: which of its events the world hears of. Default: none.
        reactions: what it does when it receives a message. Default: nothing.
        settings: the class of the variables that its processes read.
        resources: opens what its outside steps talk to, from the settings that its worker has read.
        database: its database, found by `<DATABASE>_DATABASE_URL`. Default: the name.
        group: its consumer group, and so the names of its queues. Default: the name.
        role: the database role of its processes, to which `migrate` grants what they need. Default: the name.
        tables: tables of its own, which `migrate` and `/readyz` look for.
        migrations: a folder of alembic migrations that make these tables.
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
        database: str = "",
        group: str = "",
        role: str = "",
        tables: "Sequence[MetaData]" = (),
        migrations: Path | None = None,
    ) -> None:
        self.name = name
        self.announcements = announcements or Announcements(name)
        self.reactions = reactions or Reactions()
        self.settings = settings
        self.resources = resources
        self.database = database or name
        self.group = group or name
        self.role = role or name
        self.tables = tuple(tables)
        self.migrations = migrations

    def __repr__(self) -> str:
        return f"Service({self.name!r})"

    def handler(self) -> Handler:
        """A new handler of the messages of its group."""
        return Reactor(self.reactions, self.announcements)

    @property
    def contracts(self) -> list[str]:
        """Names of the contracts that its queues are bound to."""
        return self.reactions.contracts

    @property
    def schema(self) -> ServiceSchema:
        """What `migrate` makes of its database."""
        own = (Migrations(self.migrations, f"{self.database}_version"),) if self.migrations else ()
        return ServiceSchema(self.database, self.role, self.tables, own)

    def consumer_group(self, queues: int) -> Group:
        """Its group, spread over so many queues."""
        return Group(self.group, tuple(self.contracts), queues)

    @property
    def database_url(self) -> str:
        """From the environment. Raises MissingSetting when `<DATABASE>_DATABASE_URL` is not set."""
        return database_url(self.database)
