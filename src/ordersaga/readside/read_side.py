"""ReadSide: a service that logs every message of its sources once and folds the log into views."""

from collections.abc import Iterable, Mapping, Sequence
from pathlib import Path
from typing import TYPE_CHECKING, Any

from psycopg import Connection

from ordersaga.broker.topology import EVERY_CONTRACT
from ordersaga.database.service_schema import Migrations, ServiceSchema
from ordersaga.envelope.declaration import require_contract
from ordersaga.envelope.message import ContractData
from ordersaga.envelope.versions import with_older_versions
from ordersaga.inbox.handler import Handler
from ordersaga.readside.projector import Projector
from ordersaga.readside.upcast_log import UpcastLog
from ordersaga.runtime.settings import Settings
from ordersaga.service import Service

if TYPE_CHECKING:
    from sqlalchemy import MetaData

GRANTS = """
    grant select, insert on event_log to {role};
    grant select on rebuilds to {role};
    grant select, insert, update, delete on webhook_subscriptions, webhook_deliveries to {role};
    grant select, insert on webhook_actions to {role};
"""


class ReadSide(Service):
    """A service that receives every contract; its inbox is the event log.

    Args:
        name: its name in commands, logs and documents.
        sources: the services whose messages it logs; a rebuild derives these messages again from their event stores,
            in child processes, so the functions of their announcements must be importable.
        known_contracts: by name, with the older versions of each; a message of any other contract is parked.
        views: table -> SQL statement that adds the messages from position %(first)s to %(last)s of `upcast_log`, which
            has each in the newest version of its contract, or of `event_log`, which has them as they were received. No
            message is folded twice; the rows must not depend on the order of the calls.
        alarm_changes: SQL statement that returns the changes of alarms behind position %(after)s, at most %(limit)s, in
            order, for webhooks: columns position, change (`raised` or `cleared`), at, name, subject, severity, text and
            address (of a page, relative). Positions become visible in order. Default: there are no alarms.
        settings, database, group, role, tables, migrations: the same as for any Service.

    Raises:
        ValueError: a view names an older version of a contract, or would miss the messages of one.
    """

    is_read_side = True

    def __init__(
        self,
        name: str,
        sources: Sequence[Service],
        known_contracts: Mapping[str, type[ContractData]],
        views: Mapping[str, str],
        *,
        alarm_changes: str = "",
        settings: type[Settings] = Settings,
        database: str = "",
        group: str = "",
        role: str = "",
        tables: "Sequence[MetaData]" = (),
        migrations: Path | None = None,
    ) -> None:
        super().__init__(
            name,
            settings=settings,
            database=database,
            group=group,
            role=role,
            tables=tables,
            migrations=migrations,
        )
        for contract in known_contracts.values():
            require_contract(contract)
        self.sources = tuple(sources)
        self.known_contracts = with_older_versions(known_contracts.values())
        """Name -> the newest version that a message of this name is read as."""
        self.views = dict(views)
        self.upcast_log = UpcastLog(self.known_contracts.values())
        for view, statement in self.views.items():
            self.upcast_log.require_newest(view, statement)
        self.alarm_changes = alarm_changes

    def handler(self) -> Handler:
        """A new projector."""
        return Projector(self.known_contracts, self.fold)

    @property
    def contracts(self) -> list[str]:
        """Its queues are bound to every contract."""
        return [EVERY_CONTRACT]

    @property
    def schema(self) -> ServiceSchema:
        """The event log and the history of rebuilds, then its own tables."""
        from ordersaga.readside.tables import metadata  # loads SQLAlchemy, which the worker does not need

        base = super().schema
        migrations = Migrations(Path(__file__).parent / "migrations", "readside_version", GRANTS)
        tables = (metadata, *base.tables)
        return ServiceSchema(base.database, base.role, base.source, tables, (migrations, *base.migrations))

    def fold(self, connection: Connection[Any], first: int, last: int, views: Iterable[str] = ()) -> None:
        """Add the messages from position `first` to `last` to these views, or to all.

        The session's search_path decides which tables these are.
        """
        for view in views or self.views:
            self.upcast_log.run(connection, self.views[view], first, last)
