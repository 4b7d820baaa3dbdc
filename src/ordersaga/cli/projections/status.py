"""`ordersaga projections status`: the rows of a read side, its lag and its last rebuild."""

import json
from collections.abc import Iterator
from typing import Any

import click
from psycopg import Connection
from psycopg.sql import SQL, Identifier

from ordersaga.cli.app import OWNER, Application
from ordersaga.cli.databases import connected
from ordersaga.cli.options import json_option
from ordersaga.cli.projections.read_side import read_side_of
from ordersaga.readside.rebuild import history
from ordersaga.readside.rebuild.lag import EventLogLag, lag
from ordersaga.readside.rebuild.rebuild import LOG
from ordersaga.service import Service

LEFT_OVER = ["rebuild", "replaced"]
"""Schemas that a rebuild makes."""
SCHEMAS = "select nspname from pg_namespace where nspname = any(%s)"


@click.command()
@json_option
@click.pass_obj
def status(application: Application, as_json: bool) -> None:
    """Say how many rows each table has, how far the log is behind the services, and when it was last rebuilt.

    BEHIND counts announced messages that the log lacks, as far as they are still in the outboxes.
    """
    read_side = read_side_of(application)
    with connected(application, read_side, OWNER) as log:
        behind = [lag_of(application, source, log) for source in read_side.sources]
        rows = {table: count(log, table) for table in (LOG, *read_side.views)}
        position = number(log, SQL("select max(position) from event_log"))
        left = [name for (name,) in log.execute(SCHEMAS, (LEFT_OVER,))]
        last = history.last(log)
    if as_json:
        found = {"rows": rows, "position": position, "behind": [line._asdict() for line in behind], "left_over": left}
        click.echo(json.dumps({**found, "last_rebuild": last and last._asdict()}, default=str))
    else:
        click.echo("\n".join(lines(rows, position, behind, left, last)))


def lag_of(application: Application, source: Service, log: Connection[Any]) -> EventLogLag:
    with connected(application, source, OWNER) as outbox:
        return lag(source.name, outbox, log)


def count(connection: Connection[Any], table: str) -> int:
    return number(connection, SQL("select count(*) from {}").format(Identifier(table)))


def number(connection: Connection[Any], query: Any) -> int:
    row = connection.execute(query).fetchone()
    return int((row and row[0]) or 0)


def lines(
    rows: dict[str, int], position: int, behind: list[EventLogLag], left: list[str], last: history.PastRebuild | None
) -> Iterator[str]:
    yield f"{'TABLE':20}{'ROWS':>12}"
    yield from (f"{table:20}{rows_of:>12,}" for table, rows_of in rows.items())
    yield f"The log is at position {position:,}."
    yield ""
    yield f"{'SOURCE':20}{'BEHIND':>12}  OLDEST"
    for line in behind:
        messages = f"{line.messages:,}" + ("+" if line.at_least else "")
        yield f"{line.source:20}{messages:>12}  {line.oldest.isoformat() if line.oldest else '-'}"
    yield ""
    yield last_rebuild(last)
    if "rebuild" in left:
        yield "A rebuild runs, or one was killed: the next one drops its tables and starts from the beginning."
    if "replaced" in left:
        yield "The tables that the last rebuild replaced are kept in the schema `replaced`."


def last_rebuild(last: history.PastRebuild | None) -> str:
    if last is None:
        return "It was never rebuilt."
    what = ("Dry run" if last.dry_run else "Rebuild") + (f" of {last.view}" if last.view else "")
    findings = f"{last.findings:,} findings" + (f", {last.left_out:,} messages left out" if last.left_out else "")
    when = last.began_at.isoformat(timespec="seconds")
    return f"Last: {what} at {when}, {last.messages:,} messages in {last.seconds:.1f} s, {findings}."
