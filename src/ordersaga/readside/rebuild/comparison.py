"""The comparison of live and rebuilt tables as of one position of the log, row by row."""

import json
from collections.abc import Iterator, Mapping, Sequence
from itertools import count
from typing import Any

from psycopg import Connection
from psycopg.sql import SQL, Composable, Composed, Identifier, Literal

from ordersaga.envelope.message import ContractData
from ordersaga.envelope.versions import read_as
from ordersaga.parked.table import ANNOUNCED_ID
from ordersaga.readside.rebuild.findings import RebuildFinding

numbers = count(1)
"""Several cursors are open in one connection at once."""
ROWS_PER_FETCH = 500
COMPARED = (
    *("contract", "source", "key", "sequence", "time", "event_hash"),
    *("correlation_id", "causation_id", "actor", "body"),
)
ABOUT = SQL("jsonb_build_object('message_id', {0}.message_id, 'contract', {0}.contract, 'key', {0}.key)")
KEY = """
select attname from pg_index join pg_attribute on attrelid = indrelid and attnum = any(indkey)
where indrelid = %s::regclass and indisprimary order by array_position(indkey::int2[], attnum)
"""
COLUMNS = "select attname from pg_attribute where attrelid = %s::regclass and attnum > 0 and not attisdropped"


def views(connection: Connection[Any], names: Sequence[str]) -> Iterator[RebuildFinding]:
    """Compare the frozen copies of these views with the shadow."""
    for name in names:
        yield from view(connection, name)


def view(connection: Connection[Any], name: str) -> Iterator[RebuildFinding]:
    """Compare the frozen copy of a view with the shadow."""
    table = f"public.{name}"
    key = [column for (column,) in connection.execute(KEY, (table,))]
    columns = [column for (column,) in connection.execute(COLUMNS, (table,))]
    query = SQL("""
        select to_jsonb(l), to_jsonb(s) from {live} l full join rebuild.{shadow} s using ({key})
        where ({of_live}) is distinct from ({of_shadow}) or l.{first} is null or s.{first} is null
    """).format(
        live=Identifier("rebuild", f"live_{name}"),
        shadow=Identifier(name),
        key=SQL(", ").join(map(Identifier, key)),
        of_live=columns_of("l", columns),
        of_shadow=columns_of("s", columns),
        first=Identifier(key[0]),
    )
    for live, true in rows(connection, query):
        known = live or true
        row = {column: known[column] for column in key}
        if live is None:
            yield RebuildFinding("missing", name, row)
        elif true is None:
            yield RebuildFinding("unexpected", name, row, "nothing in the event log explains it")
        else:
            yield RebuildFinding("differs", name, row, columns=differences(live, true))


def columns_of(alias: str, columns: Sequence[str]) -> Composable:
    return SQL(", ").join(Identifier(alias, column) for column in columns)


def differences(live: dict[str, Any], true: dict[str, Any]) -> dict[str, tuple[Any, Any]]:
    return {column: (live[column], true[column]) for column in true if live.get(column) != true[column]}


def altered(connection: Connection[Any], end: int) -> Iterator[RebuildFinding]:
    """Messages whose row in the live log differs from their event; an additional null in a body is no difference."""
    same = SQL("({}) is distinct from ({})").format(columns_of("l", COMPARED[:-1]), columns_of("s", COMPARED[:-1]))
    query = SQL("""
        select {about}, jsonb_build_object({live}), jsonb_build_object({shadow})
        from rebuild.event_log s join public.event_log l using (message_id)
        where l.position <= {end} and ({same}
            or (l.body <> s.body and jsonb_strip_nulls(l.body) <> jsonb_strip_nulls(s.body)))
    """).format(about=ABOUT.format(SQL("s")), live=pairs("l"), shadow=pairs("s"), end=Literal(end), same=same)
    for row, live, true in rows(connection, query):
        yield RebuildFinding("differs", "event_log", row, columns=differences(live, true))


OTHER_VERSIONS = """
select {about}, l.contract, l.body::text, o.contract, o.body
from rebuild.other_versions o join public.event_log l using (message_id)
"""


def other_versions(
    connection: Connection[Any], contracts: Mapping[str, type[ContractData]]
) -> Iterator[RebuildFinding]:
    """Messages that were received as another version than the one that announces their event today, and differ from it
    in a field that both versions have. `contracts` has, by name, what a message is read as."""
    query = SQL(OTHER_VERSIONS).format(about=ABOUT.format(SQL("l")))
    for row, name, body, name_now, body_now in rows(connection, query):
        live, true = json.loads(body), json.loads(body_now)
        try:
            upcast = [
                json.loads(read_as(contracts[contract], contract, text).model_dump_json())
                for contract, text in ((name, body), (name_now, body_now))
            ]
        except Exception as error:  # noqa: BLE001 - the validators of a contract may raise anything
            yield RebuildFinding("differs", "event_log", row, f"it is not a {name}: {error}")
            continue
        both = live.keys() & true.keys()
        old, new = ({field: value for field, value in each.items() if field in both} for each in upcast)
        if different := differences(old, new):
            yield RebuildFinding("differs", "event_log", row, columns=different)


def pairs(alias: str) -> Composable:
    """Arguments of jsonb_build_object for the compared columns."""
    return SQL(", ").join(SQL("{}, {}").format(Literal(column), Identifier(alias, column)) for column in COMPARED)


def unexplained(connection: Connection[Any], after: int, end: int) -> Iterator[RebuildFinding]:
    """Messages in the live log that no stored event announces, such as after a restore of a store."""
    query = SQL("""
        select {about} from public.event_log l
        where l.position > {after} and l.position <= {end}
            and not exists (select from rebuild.event_log s where s.message_id = l.message_id)
            and not exists (select from rebuild.pending p where p.message_id = l.message_id)
    """).format(about=ABOUT.format(SQL("l")), after=Literal(after), end=Literal(end))
    for (row,) in rows(connection, query):
        yield RebuildFinding("unexpected", "event_log", row, "no stored event announces it")


def lost(connection: Connection[Any]) -> Iterator[RebuildFinding]:
    """Messages that were announced before the rebuild began and are not in the live log."""
    query = SQL("""
        select {about}, d.time, (select coalesce(state || ': ' || error, state) from public.parked_messages k
            where {announced_id} = d.message_id limit 1)
        from rebuild.pending d where from_start
    """).format(about=ABOUT.format(SQL("d")), announced_id=SQL(ANNOUNCED_ID))
    for row, time, parked in rows(connection, query):
        said = f"announced at {time.isoformat()}, not in the log"
        yield RebuildFinding("missing", "event_log", row, f"{said}; parked, {parked}" if parked else said)


def rows(connection: Connection[Any], query: Composed) -> Iterator[tuple[Any, ...]]:
    """Rows through a server-side cursor, so that one batch of them is held."""
    with connection.transaction(), connection.cursor(f"rebuild_{next(numbers)}") as cursor:
        cursor.itersize = ROWS_PER_FETCH
        yield from cursor.execute(query)
