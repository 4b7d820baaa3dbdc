"""Evidence: the history, the databases and the card processor's ledger, which the checker judges."""

from collections.abc import Collection, Mapping, Sequence
from contextlib import ExitStack
from functools import cached_property
from pathlib import Path
from typing import Any, Self

import psycopg
from psycopg.rows import namedtuple_row

from devstack.chaos.checker.refused import PARKED, UNDELIVERABLE, Refused, keys_of
from devstack.chaos.history import Operation
from devstack.chaos.memory_samples import MemorySampler
from devstack.chaos.stage import Stage
from devstack.demo.books import Books, Kind, all_of, read_books
from ordersaga.cli.app import Application

NO_LEDGER: Mapping[str, Any] = {"charges": [], "refunds": []}
"""In place of the ledger, for questions that it does not answer."""


class Evidence:
    """Read once, when nothing is under way any more; use it as a context.

    Args:
        application: the shop with its servers.
        operations: the history; a request that is not in it is not judged.
        ledger: all charges and refunds of the card processor.
        expected: ids of messages that faults have made somebody park or refuse, and of orders that wait for a person.
        directory: where the run has kept its samples of memory and its recovery.
        sampler: of memory, where one runs.
    """

    def __init__(
        self,
        application: Application,
        operations: Sequence[Operation],
        ledger: Mapping[str, Any],
        expected: Collection[str] = (),
        directory: Path | None = None,
        sampler: MemorySampler | None = None,
    ) -> None:
        self.application = application
        self.operations = operations
        self.ledger = ledger
        self.expected = frozenset(map(str, expected))
        self.directory = directory
        self.sampler = sampler
        self._open = ExitStack()
        self._connections: dict[str, psycopg.Connection[Any]] = {}

    @classmethod
    def of(cls, stage: Stage, operations: Sequence[Operation], expected: Collection[str] = ()) -> Self:
        ledger = stage.scene.make_shop().ledger()
        return cls(stage.scene.application, operations, ledger, expected, stage.directory, stage.sampler)

    def __enter__(self) -> Self:
        return self

    def __exit__(self, *_: object) -> None:
        self._open.close()

    @cached_property
    def urls(self) -> Mapping[str, str]:
        """By name of the service, the URL of the owner of its database."""
        return self.application.owner_urls()

    @cached_property
    def books(self) -> Books:
        return read_books(self.urls, self.ledger)

    @cached_property
    def callers(self) -> list[str]:
        """Whose commands the history has: everything that they caused is in it."""
        return sorted({operation.request["caller"] for operation in self.operations if "caller" in operation.request})

    @cached_property
    def refused(self) -> dict[str, list[Refused]]:
        """By database, what is parked or undeliverable there."""
        found = {name: [Refused(*row) for row in self.rows(name, PARKED)] for name in self.urls}
        for name in self.publishing:
            found[name] += [Refused(*row) for row in self.rows(name, UNDELIVERABLE)]
        return found

    @cached_property
    def injected(self) -> frozenset[str]:
        """Ids of messages that are to be parked or undeliverable."""
        return self.expected - {str(order.id) for order in self.books.orders}

    @cached_property
    def excused(self) -> frozenset[str]:
        """What is expected, and the keys that wait because of it: these sagas have not ended, on purpose."""
        return self.expected | {key for messages in self.refused.values() for key in keys_of(messages, self.expected)}

    @property
    def publishing(self) -> list[str]:
        """The databases with an outbox."""
        return [service.name for service in self.application.with_outbox]

    def all_of(self, database: str, kind: type[Kind], created: type[Any]) -> list[Kind]:
        """Every aggregate of a kind; `created` is its first event."""
        with psycopg.connect(self.urls[database], autocommit=True) as connection:
            return list(all_of(connection, kind, created))

    def rows(self, database: str, query: str, **parameters: object) -> list[Any]:
        """The rows as named tuples."""
        if database not in self._connections:
            connection = psycopg.connect(self.urls[database], autocommit=True, row_factory=namedtuple_row)
            self._connections[database] = self._open.enter_context(connection)
        return self._connections[database].execute(query.encode(), parameters or None).fetchall()
