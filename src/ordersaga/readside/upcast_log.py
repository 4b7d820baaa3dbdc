"""The upcast log: the event log with each message in the newest version of its contract, as views fold it."""

import re
from collections.abc import Iterable, Iterator, Mapping
from typing import Any

from psycopg import Connection

from ordersaga.envelope.message import COLUMNS, ContractData
from ordersaga.envelope.versions import read_as, with_older_versions

NAME = re.compile(r"\bupcast_log\b")
LITERAL = re.compile(r"'([A-Za-z0-9_-]+\.[A-Za-z0-9_-]+\.v[0-9]+)'")
WITH = re.compile(r"\s*with\s+(recursive\s+)?", re.IGNORECASE)
MOST = 20_000
"""Messages of older versions that are upcast for one statement, and positions that are folded without counting them."""

UNCHANGED = "upcast_log as not materialized (select * from event_log)"
CHANGED = [name for name in COLUMNS if name not in ("contract", "body")]
UPCAST = f"""
upcast_log as not materialized (
    select {", ".join(f"logged.{name}" for name in (*CHANGED, "received_at", "position"))},
        coalesce(renamed.newest, logged.contract) as contract, coalesce(upcast.body, logged.body) as body
    from event_log as logged
    left join unnest(%(older)s::text[], %(newest)s::text[]) as renamed (older, newest)
        on renamed.older = logged.contract
    left join unnest(%(upcast_ids)s::uuid[], %(upcast_bodies)s::jsonb[]) as upcast (message_id, body)
        on upcast.message_id = logged.message_id)
"""  # noqa: S608 - names of ours
OLDER = """
select message_id, contract, body::text from event_log
where position between %(first)s and %(last)s and contract = any(%(older)s)
"""
ENDS = """
select position from (
    select position, row_number() over (order by position) as number from event_log
    where position between %(first)s and %(last)s and contract = any(%(older)s)) as old
where number %% %(most)s = 0 order by position
"""


class UpcastLog:
    """Lets statements read `upcast_log` in place of `event_log`, which keeps what was received.

    In it each message has the name of the newest version of its contract, and those between `first` and `last` have the
    body of that version too.
    """

    def __init__(self, contracts: Iterable[type[ContractData]]) -> None:
        self._newest = {
            name: contract for name, contract in with_older_versions(contracts).items() if name != contract.NAME
        }
        self._grown = {contract.NAME for contract in self._newest.values()}

    @property
    def versions(self) -> list[str]:
        """The names of all contracts of which there are several versions."""
        return sorted({*self._newest, *self._grown})

    def require_newest(self, view: str, statement: str) -> None:
        """Raises ValueError when a statement would pass over messages because of the version that it names."""
        for name in LITERAL.findall(statement):
            if name in self._newest:
                raise ValueError(f"{view} names {name}: name {self._newest[name].NAME}, and read upcast_log")
            if name in self._grown and not NAME.search(statement):
                raise ValueError(f"{view} would miss the older versions of {name}: read upcast_log, not event_log")

    def run(self, connection: Connection[Any], statement: str, first: int, last: int) -> None:
        """Execute a statement of a view for these positions."""
        if not NAME.search(statement):
            connection.execute(statement.encode(), {"first": first, "last": last})
        elif not self._newest:
            connection.execute(with_log(UNCHANGED, statement).encode(), {"first": first, "last": last})
        else:
            for start, end in self._ranges(connection, first, last):
                values = self._values(connection, start, end)
                connection.execute(with_log(UPCAST, statement).encode(), values)

    def _ranges(self, connection: Connection[Any], first: int, last: int) -> Iterator[tuple[int, int]]:
        """Ranges that together are this one, none with more than MOST messages to upcast."""
        if last - first >= MOST:
            values = {"first": first, "last": last, "older": [*self._newest], "most": MOST}
            for (end,) in connection.execute(ENDS, values).fetchall():
                yield first, end
                first = end + 1
        yield first, last

    def _values(self, connection: Connection[Any], first: int, last: int) -> Mapping[str, Any]:
        names = {name: contract.NAME for name, contract in self._newest.items()}
        values = {"first": first, "last": last, "older": [*names], "newest": [*names.values()]}
        old = connection.execute(OLDER, values).fetchall()
        bodies = [read_as(self._newest[name], name, body).model_dump_json() for _, name, body in old]
        return {**values, "upcast_ids": [id_ for id_, _, _ in old], "upcast_bodies": bodies}


def with_log(log: str, statement: str) -> str:
    """The statement with `upcast_log` as its first common table expression."""
    found = WITH.match(statement)
    return f"with {found[1] or ''}{log}, {statement[found.end() :]}" if found else f"with {log} {statement}"
