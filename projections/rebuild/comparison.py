"""The live tables beside the rebuilt ones, both as of the same position of the log, row by row."""

from collections.abc import Iterator, Sequence
from itertools import count
from typing import Any

from psycopg import Connection
from psycopg.sql import SQL, Composable, Composed, Identifier, Literal

from projections.rebuild.findings import Finding

numbers = count(1)
AT_ONCE = 500
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


def views(connection: Connection[Any], names: Sequence[str]) -> Iterator[Finding]:
    """Compares the frozen copies of views with the shadow's."""
    for name in names:
        yield from view(connection, name)


def view(connection: Connection[Any], name: str) -> Iterator[Finding]:
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
        of_live=of("l", columns),
        of_shadow=of("s", columns),
        first=Identifier(key[0]),
    )
    for live, true in rows(connection, query):
        known = live or true
        row = {column: known[column] for column in key}
        if live is None:
            yield Finding("missing", name, row)
        elif true is None:
            yield Finding("unexpected", name, row, "nothing in the event log explains it")
        else:
            yield Finding("differs", name, row, columns=differences(live, true))


def of(alias: str, columns: Sequence[str]) -> Composable:
    return SQL(", ").join(Identifier(alias, column) for column in columns)


def differences(live: dict[str, Any], true: dict[str, Any]) -> dict[str, tuple[Any, Any]]:
    return {column: (live[column], true[column]) for column in true if live.get(column) != true[column]}


def altered(connection: Connection[Any], end: int) -> Iterator[Finding]:
    """Messages of which the live log says something else than their event; a null more in a body is nothing."""
    same = SQL("({}) is distinct from ({})").format(of("l", COMPARED[:-1]), of("s", COMPARED[:-1]))
    query = SQL("""
        select {about}, jsonb_build_object({live}), jsonb_build_object({shadow})
        from rebuild.event_log s join public.event_log l using (message_id)
        where l.position <= {end} and ({same}
            or (l.body <> s.body and jsonb_strip_nulls(l.body) <> jsonb_strip_nulls(s.body)))
    """).format(about=ABOUT.format(SQL("s")), live=pairs("l"), shadow=pairs("s"), end=Literal(end), same=same)
    for row, live, true in rows(connection, query):
        yield Finding("differs", "event_log", row, columns=differences(live, true))


def pairs(alias: str) -> Composable:
    """Arguments that make a JSON object of the compared columns."""
    return SQL(", ").join(SQL("{}, {}").format(Literal(column), Identifier(alias, column)) for column in COMPARED)


def unexplained(connection: Connection[Any], after: int, end: int) -> Iterator[Finding]:
    """Messages in the live log that no stored event announces: a store may have been restored from a backup."""
    query = SQL("""
        select {about} from public.event_log l
        where l.position > {after} and l.position <= {end}
            and not exists (select from rebuild.event_log s where s.message_id = l.message_id)
            and not exists (select from rebuild.pending p where p.message_id = l.message_id)
    """).format(about=ABOUT.format(SQL("l")), after=Literal(after), end=Literal(end))
    for (row,) in rows(connection, query):
        yield Finding("unexpected", "event_log", row, "no stored event announces it")


def lost(connection: Connection[Any]) -> Iterator[Finding]:
    """Messages that were announced before the rebuild began and have not come into the live log."""
    query = SQL("""
        select {about}, d.time, (select coalesce(state || ': ' || error, state) from public.parked_messages k
            where k.message_id = d.message_id)
        from rebuild.pending d where from_start
    """).format(about=ABOUT.format(SQL("d")))
    for row, time, parked in rows(connection, query):
        said = f"announced at {time.isoformat()}, not in the log"
        yield Finding("missing", "event_log", row, f"{said}; parked, {parked}" if parked else said)


def rows(connection: Connection[Any], query: Composed) -> Iterator[tuple[Any, ...]]:
    """Through a cursor on the server: whatever is found, a batch of it is held."""
    with connection.transaction(), connection.cursor(f"rebuild_{next(numbers)}") as cursor:
        cursor.itersize = AT_ONCE
        yield from cursor.execute(query)
