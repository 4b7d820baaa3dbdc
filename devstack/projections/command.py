"""`ordersaga projections rebuild | status`."""

import json
from collections.abc import Iterator
from contextlib import contextmanager
from dataclasses import asdict
from typing import Any

import click
import psycopg
from rich.console import Console

from devstack.application import environments_of_running
from devstack.options import state_option
from devstack.processes import READ_SIDE, SERVICES
from devstack.projections.display import sentences, shown
from devstack.signals import stop_by_signal
from devstack.state import State
from ordersaga.cli.errors import Failed
from ordersaga.cli.findings_output import FindingsOutput
from ordersaga.cli.options import json_option
from ordersaga.readside.rebuild import history
from ordersaga.readside.rebuild.lag import EventLogLag, lag
from ordersaga.readside.rebuild.one_view import rebuild_view
from ordersaga.readside.rebuild.rebuild import LOG, Rebuild
from ordersaga.readside.rebuild.session import RebuildRefused
from projections.service import projections as read_side

MOST_LINES = 200
"""Findings that a person is shown; --json has them all."""


@click.group()
def projections() -> None:
    """Look after the read side: the event log and the views that are folded from it."""


@projections.command()
@state_option
@click.option("--dry-run", is_flag=True, help="Only compare: name what differs, change nothing.")
@click.option("--view", type=click.Choice(list(read_side.views)), help="Only this view, from the live event log.")
@click.option("--keep", is_flag=True, help="Keep the replaced tables in the schema `replaced` until the next rebuild.")
@json_option
@click.option(
    "--patience",
    type=click.FloatRange(min=0),
    default=10.0,
    show_default=True,
    metavar="SECONDS",
    help="How long a message that is still under way may take before it counts as lost.",
)
def rebuild(state: State, dry_run: bool, view: str | None, keep: bool, as_json: bool, patience: float) -> None:
    """Make the read side again from the event stores, while everything runs.

    Derives every message anew, fills tables beside the live ones, catches up, names each row that differs, and puts
    the new tables in place in one transaction. Readers notice nothing. Killed at any point, it leaves the live tables
    as they are, and the next run begins anew. Exit code 0 when it is done, 1 when a dry run has findings.
    """
    stop_by_signal()
    urls = environments_of_running(state).owner_urls()
    output = FindingsOutput(as_json, most_lines=MOST_LINES)
    with told(), shown(Console(stderr=True)) as progress:
        if view:
            result = rebuild_view(
                read_side, urls[READ_SIDE], view, output.finding, dry_run=dry_run, keep=keep, progress=progress
            )
        else:
            options: dict[str, Any] = {"dry_run": dry_run, "keep": keep, "patience": patience, "progress": progress}
            result = Rebuild(read_side, urls, output.finding, **options).run()
    total = {name: value for name, value in asdict(result).items() if name != "findings"}
    output.end(total, sentences(result))
    raise SystemExit(1 if dry_run and result.findings else 0)


@contextmanager
def told() -> Iterator[None]:
    """What goes wrong, said to a person."""
    try:
        yield
    except RebuildRefused as error:
        raise Failed(str(error)) from None
    except psycopg.Error as error:
        raise Failed(f"A database failed: {error}. The live tables are as they were; run it again.") from error
    except KeyboardInterrupt:
        raise Failed("Stopped. The live tables are as they were, and nothing is left behind.") from None


@projections.command()
@state_option
@json_option
def status(state: State, as_json: bool) -> None:
    """Say how many rows each table has, how far the log is behind the services, and when it was last rebuilt.

    BEHIND counts announced messages that the log lacks, as far as they are still in the outboxes.
    """
    urls = environments_of_running(state).owner_urls()
    with told(), psycopg.connect(urls[READ_SIDE], autocommit=True) as log:
        behind = [lag_of(urls, service, log) for service in SERVICES]
        rows = {table: one(log, f"select count(*) from {table}") for table in (LOG, *read_side.views)}  # noqa: S608
        position = one(log, "select max(position) from event_log")
        left = [name for (name,) in log.execute("select nspname from pg_namespace where nspname = any(%s)", (LEFT,))]
        last = history.last(log)
    if as_json:
        found = {"rows": rows, "position": position, "behind": [line._asdict() for line in behind], "left_over": left}
        print(json.dumps({**found, "last_rebuild": last and last._asdict()}, default=str))
    else:
        print("\n".join(lines(rows, position, behind, left, last)))


LEFT = ["rebuild", "replaced"]


def lag_of(urls: dict[str, str], service: str, log: psycopg.Connection[Any]) -> EventLogLag:
    with psycopg.connect(urls[service], autocommit=True) as outbox:
        return lag(service, outbox, log)


def one(connection: psycopg.Connection[Any], query: str) -> int:
    row = connection.execute(query.encode()).fetchone()
    return int((row and row[0]) or 0)


def lines(
    rows: dict[str, int], position: int, behind: list[EventLogLag], left: list[str], last: history.PastRebuild | None
) -> Iterator[str]:
    yield f"{'TABLE':20}{'ROWS':>12}"
    yield from (f"{table:20}{number:>12,}" for table, number in rows.items())
    yield f"The log is at position {position:,}."
    yield ""
    yield f"{'SOURCE':20}{'BEHIND':>12}  OLDEST"
    for line in behind:
        number = f"{line.messages:,}" + ("+" if line.at_least else "")
        yield f"{line.source:20}{number:>12}  {line.oldest.isoformat() if line.oldest else '-'}"
    yield ""
    yield said(last)
    if "rebuild" in left:
        yield "A rebuild runs, or one was killed: the next one begins anew and clears it away."
    if "replaced" in left:
        yield "The tables that the last rebuild replaced are kept in the schema `replaced`."


def said(last: history.PastRebuild | None) -> str:
    if last is None:
        return "It was never rebuilt."
    what = ("Dry run" if last.dry_run else "Rebuild") + (f" of {last.view}" if last.view else "")
    findings = f"{last.findings:,} findings" + (f", {last.left_out:,} messages left out" if last.left_out else "")
    when = last.began_at.isoformat(timespec="seconds")
    return f"Last: {what} at {when}, {last.messages:,} messages in {last.seconds:.1f} s, {findings}."
